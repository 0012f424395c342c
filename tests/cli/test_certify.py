"""`certaudit certify`: what a run folder says is true, complete, and there whole or not at all."""

import errno
import hashlib
import io
import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest

from certaudit import label_flip, threshold

KEYS = ("X_train", "y_train", "X_test", "y_test")
LINE = {"index", "prediction", "label", "decided", "constant", "t", "log_error", "p_lower"}
RUN = {
    *("certaudit", "format", "noise_model", "classifier", "vote", "guarantee", "engine"),
    *("ridge", "intercept", "scale", "assumptions", "source", "label_column", "positive"),
    *(
        "training_points",
        "feature_columns",
        "test_points",
        "certified_points",
        "data",
        "versions",
        "accuracy",
    ),
    *("certified_accuracy", "findings", "escalated"),
}
FILES = {"certificates.jsonl", "run.json"}
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def read(folder="run"):
    """Return run.json and the lines of certificates.jsonl; anything but plain JSON fails."""

    def refuse(constant):
        raise AssertionError(constant)

    def unique(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    parse = json.JSONDecoder(parse_constant=refuse, object_pairs_hook=unique).decode
    assert names(folder) == FILES
    lines = Path(folder, "certificates.jsonl").read_text("ascii").splitlines()
    return parse(Path(folder, "run.json").read_text("ascii")), [parse(line) for line in lines]


def names(folder="."):
    return {path.name for path in Path(folder).iterdir()}


def certificates(folder="run"):
    return Path(folder, "certificates.jsonl").read_bytes()


@pytest.fixture
def certify(invoke):
    """Certify a data set at q = 0.1 into the folder `output`."""

    def certify(data, *options, output="run"):
        noise = () if "--q" in options else ("--q", "0.1")
        result = invoke("certify", data, "-o", output, *noise, *options)
        assert result.code == 0, result.err
        assert result.err == f"wrote {output}/run.json and {output}/certificates.jsonl\n"
        return read(output)

    return certify


def design(data, run):
    """Build the design rows from the raw arrays and what run.json says of the scaling."""
    kept = [j for j in range(data["X_train"].shape[1]) if j not in run["scale"]["dropped"]]
    rows = []
    for name in ("X_train", "X_test"):
        x = np.asarray(data[name], dtype=np.float64)
        if run["scale"]["rule"] == "standard":
            mean = [float.fromhex(value) for value in run["scale"]["mean"]]
            deviation = [float.fromhex(value) for value in run["scale"]["deviation"]]
            x = (x[:, kept] - mean) / deviation
        rows.append(np.hstack([x, np.ones((len(x), 1))]) if run["intercept"] else x)
    return rows


def exact_ridge(text):
    return Fraction(float.fromhex(text)) if "0x" in text else Fraction(text)


def log_chernoff(t, alpha, labels, q):
    """Equation (6), term by term."""
    terms = (
        mpmath.log(1 - s + s * mpmath.exp(-t * a))
        for a, s in ((a, 1 - q if y else q) for a, y in zip(alpha, labels, strict=True))
    )
    return t / 2 + mpmath.fsum(terms)


def kl_radius(log_error, q, n):
    """Equation (5) at p = 1 - exp(log_error)."""
    error = mpmath.exp(log_error)
    if error >= mpmath.mpf(1) / 2:
        return 0
    divergence = (1 - 2 * q) * mpmath.log((1 - q) / q)
    return min(int(-mpmath.log(4 * (1 - error) * error) / (2 * divergence)), n)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--q", "1/3"),
        ("--q", "1e-12", "--ridge", "1/3"),
        ("--scale", "none", "--no-intercept", "--ridge", "0"),
        ("--scale", "none", "--no-intercept", "--ridge", "1e5"),
        ("--ridge", "paper", "--q", "0x1.999999999999ap-4"),
        ("--engine", "rigorous"),
    ],
    ids=" ".join,
)
def test_run_json_is_enough_to_derive_every_certificate(options, certify, arrays, save):
    data = arrays()
    data["X_train"][:, 1] = 7
    run, lines = certify(save(data), *options)
    n = len(data["y_train"])
    assert len(lines) == len(data["y_test"])
    train, test = design(data, run)
    with mpmath.workdps(60):
        q = mpmath.mpf(Fraction(run["noise_model"]["q"]).numerator)
        q /= Fraction(run["noise_model"]["q"]).denominator
        ridge = exact_ridge(run["ridge"]["value"])
        x = mpmath.matrix(train.tolist())
        penalty = mpmath.eye(x.cols) * mpmath.mpf(ridge.numerator) / ridge.denominator
        if run["intercept"]:
            penalty[x.cols - 1, x.cols - 1] = 0
        for line, row in zip(lines, test.tolist(), strict=True):
            alpha = list(x * mpmath.lu_solve(x.T * x + penalty, mpmath.matrix(row)))
            labels = data["y_train"].tolist()
            if line["constant"]:
                assert mpmath.fsum(max(a, 0) for a in alpha) < mpmath.mpf(1) / 2
                expected = {"prediction": 0, "t": None, "log_error": None, "p_lower": 1}
                assert {**line, **expected, "radius": {"kl": n}, "decided": True} == line
                continue
            mean = mpmath.fsum(a * (1 - q if y else q) for a, y in zip(alpha, labels, strict=True))
            assert line["prediction"] == (mean >= mpmath.mpf(1) / 2)
            t, log_error = mpmath.mpf(float.fromhex(line["t"])), mpmath.mpf(line["log_error"])
            assert t == 0 or (t > 0) == (line["prediction"] == 1)
            proven = min(log_chernoff(t, alpha, labels, q), mpmath.mpf(0))
            loose = mpmath.mpf(10) ** (-9 if run["engine"] == "rigorous" else -2)
            assert proven <= log_error <= proven + loose
            assert line["decided"] == (log_error < -mpmath.log(2))
            share = 1 - mpmath.exp(log_error)
            assert share - mpmath.mpf(2) ** -51 <= line["p_lower"] <= share
            assert line["radius"] == {"kl": kl_radius(log_error, q, n)}


@pytest.mark.parametrize(
    "options",
    [(), ("--q", "0.2"), ("--scale", "none", "--no-intercept", "--ridge", "1e5")],
    ids=" ".join,
)
def test_the_tight_radius_is_added_and_nothing_else_changes(options, certify, save):
    generator = np.random.default_rng(3)
    rows = generator.normal(size=(330, 3)).round(2)
    labels = (rows[:, 0] > 0).astype(np.int64)
    data = {
        "X_train": rows[:300],
        "y_train": labels[:300],
        "X_test": rows[300:],
        "y_test": labels[300:],
    }
    plain, kl_lines = certify(save(data), *options)
    run, lines = certify(save(data), *options, "--guarantee", "tight")
    assert run["guarantee"] == ["kl", "tight"]
    noise, seen = label_flip(run["noise_model"]["q"]), 0
    for line, before in zip(lines, kl_lines, strict=True):
        tight = line["radius"].pop("tight")
        assert line == before
        if line["constant"]:
            assert tight == 300
        elif not line["decided"]:
            assert tight == 0
        else:
            error = Fraction(line["log_error"])
            for r in range(tight + 1):
                assert threshold(noise, r).compare_log(error) > 0
            assert tight == 300 or threshold(noise, tight + 1).compare_log(error) < 0
            seen += tight > line["radius"]["kl"]
        assert tight >= line["radius"]["kl"]
    assert seen > 5 or run["intercept"] is False
    curves = run["certified_accuracy"]
    assert curves["kl"] == plain["certified_accuracy"]["kl"]
    right = [line["decided"] and line["prediction"] == line["label"] for line in lines]
    assert curves["tight"]["correct"][0] == sum(right)
    assert len(curves["tight"]["correct"]) >= len(curves["kl"]["correct"])


def test_fields(certify, arrays, save):
    data = arrays()
    run, lines = certify(save(data))
    assert [line["index"] for line in lines] == list(range(10))
    assert [line["label"] for line in lines] == data["y_test"].tolist()
    for line in lines:
        assert set(line) == LINE | {"radius"}
        assert set(line["radius"]) == {"kl"}
        assert type(line["decided"]) is type(line["constant"]) is bool
        assert type(line["radius"]["kl"]) is type(line["prediction"]) is int
        assert float.fromhex(line["t"]).hex() == line["t"]
        assert 0 <= line["p_lower"] < 1
        assert line["log_error"] <= 0
    assert set(run) == RUN
    assert run["noise_model"] == {"name": "label-flip", "q": "1/10", "classes": 2}
    assert run["guarantee"] == ["kl"]
    assert (run["intercept"], run["source"], run["positive"]) == (True, "d.npz", None)
    assert (run["training_points"], run["feature_columns"]) == (40, 3)
    assert (run["test_points"], run["certified_points"]) == (10, 10)
    assert [row["what"] for row in run["assumptions"]] == [
        *("features", "scaling", "ridge", "q", "classes", "split", "order")
    ]
    states = {"checked", "declared", "unknown", "violated"}
    assert all(row["label_free"] in states for row in run["assumptions"])
    assert {"certaudit", "python", "numpy", "python-flint", "flint"} == set(run["versions"])
    assert run["versions"]["numpy"] == np.__version__
    assert any(line["decided"] for line in lines)


def test_accuracies_follow_from_the_lines(certify, arrays, save):
    run, lines = certify(save(arrays(test=30)))

    def share(count):
        return (count * 10**6 // 30) / 10**6

    right = [line for line in lines if line["prediction"] == line["label"]]
    radii = [line["radius"]["kl"] for line in right if line["decided"]]
    ones = sum(line["label"] for line in lines)
    assert run["accuracy"].pop("unsmoothed") <= 1
    assert run["accuracy"] == {
        "clean": share(len(right)),
        "decided": share(len(radii)),
        "constant_0": share(30 - ones),
        "constant_1": share(ones),
    }
    counts = [sum(radius >= r for radius in radii) for r in range(max(radii) + 1)]
    assert counts[-1] > 0
    assert run["certified_accuracy"] == {
        "kl": {"correct": counts, "of": 30, "accuracy": [share(count) for count in counts]}
    }


@pytest.mark.parametrize(
    ("features", "labels"),
    [("<f8", "<i8"), (">f4", ">i2"), ("<f2", "|u1"), ("|i1", "|b1"), ("<u8", "<f4")],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_digests_are_of_the_raw_arrays(features, labels, order, certify, arrays, save):
    kinds = {"X": features, "y": labels}
    data = {
        name: np.asarray(np.abs(values).round(), dtype=kinds[name[0]], order=order)
        for name, values in arrays().items()
    }
    run, _ = certify(save(data))
    for name in KEYS:
        little = data[name].astype(data[name].dtype.newbyteorder("<"))
        assert run["data"][name] == {
            "sha256": hashlib.sha256(little.tobytes("C")).hexdigest(),
            "dtype": kinds[name[0]].replace(">", "<"),
            "shape": list(data[name].shape),
        }


def test_scale_is_the_training_mean_and_deviation(certify, arrays, save):
    from certaudit.certify.features import prepare

    data = arrays(columns=5)
    data["X_train"][:, [0, 3]] = 0.3
    run, _ = certify(save(data))
    assert run["scale"]["dropped"] == [0, 3]
    assert run["feature_columns"] == 3
    kept = data["X_train"][:, [1, 2, 4]]
    assert run["scale"]["mean"] == [mean.hex() for mean in kept.mean(axis=0).tolist()]
    assert run["scale"]["deviation"] == [value.hex() for value in kept.std(axis=0).tolist()]
    prepared = prepare(data["X_train"], data["X_test"], scale="standard", intercept=True)
    for rebuilt, used in zip(design(data, run), (prepared.train, prepared.test), strict=True):
        assert rebuilt.tobytes() == used.tobytes()
    run, _ = certify(save(data), "--scale", "none")
    assert run["scale"] == {"rule": "none", "mean": [], "deviation": [], "dropped": []}


@pytest.mark.parametrize(
    ("given", "written"),
    {
        "0": "0x0.0p+0",
        "2": "0x1.0000000000000p+1",
        "0.5": "0x1.0000000000000p-1",
        "0.1": "1/10",
        "7/3": "7/3",
        "0x1.8p+3": "0x1.8000000000000p+3",
        "1e-400": "1/1" + "0" * 400,
        "1e400": "1" + "0" * 400,
        "1e9999": "1e9999",
    }.items(),
)
def test_ridge_is_written_exactly(given, written, certify, arrays, save):
    run, _ = certify(save(arrays()), "--ridge", given)
    assert run["ridge"] == {"rule": "given", "value": written}


@pytest.mark.parametrize(
    ("given", "written"),
    {
        "0.1": "1/10",
        " 10e-2 ": "1/10",
        "2/6": "1/3",
        "1e-12": "1/1000000000000",
        "0x1.8p-3": "3/16",
        "0." + "4" * 900: f"{'1' * 900}/25{'0' * 898}",
        "1e-9999": "1e-9999",
    }.items(),
    ids=lambda text: text[:12],
)
def test_q_is_written_exactly(given, written, certify, arrays, save):
    run, lines = certify(save(arrays()), "--q", given)
    if "e" not in written:
        assert Fraction(run["noise_model"]["q"]) == Fraction(written)
    assert run["noise_model"]["q"] == written if len(written) < 900 else True
    assert len(lines) == 10


def test_auto_reads_no_labels_and_paper_does(certify, arrays, save):
    data, other = arrays(), arrays()
    other["y_train"] = 1 - other["y_train"]
    other["y_train"][:9] = 0
    found = {}
    for rule in ("auto", "paper"):
        runs = [certify(save(d), "--ridge", rule)[0] for d in (data, other)]
        found[rule] = len({run["ridge"]["value"] for run in runs})
        state = {row["what"]: row["label_free"] for row in runs[0]["assumptions"]}["ridge"]
        codes = [finding["code"] for finding in runs[0]["findings"]]
        assert state == ("checked" if rule == "auto" else "violated")
        assert ("CA201" in codes) == (rule == "paper")
        mantissa = Fraction(float.fromhex(runs[0]["ridge"]["value"])).numerator
        assert mantissa < 2**24
    assert found == {"auto": 1, "paper": 2}


def test_a_run_is_replaced_by_the_same_bytes(certify, arrays, save, tree):
    name = save(arrays())
    certify(name)
    before = tree("run")
    certify(name)
    assert tree("run") == before
    certify(name, "--q", "0.2")
    assert tree("run") != before
    certify(name, output="a/b/run")
    assert names() == {"a", "d.npz", "run"}
    assert {str(Path("run", Path(k).name)): v for k, v in tree("a/b/run").items()} == before
    assert stat.S_IMODE(Path("run").stat().st_mode) & 0o700 == 0o700


def test_a_run_folder_may_be_where_the_command_runs(
    invoke, certify, arrays, save, monkeypatch, tmp_path
):
    certify(save(arrays()))
    before = certificates()
    monkeypatch.chdir("run")
    assert invoke("certify", "../d.npz", "-o", ".", "--q", "0.1", "--limit", "3").code == 0
    monkeypatch.chdir(tmp_path)
    assert certificates() == b"".join(before.splitlines(keepends=True)[:3])


@pytest.mark.parametrize("limit", [1, 4, 10, 11, 10**30])
def test_limit_takes_the_first_points(limit, certify, arrays, save):
    name = save(arrays())
    certify(name, output="all")
    run, lines = certify(name, "--limit", str(limit))
    assert len(lines) == run["certified_points"] == min(limit, 10)
    assert run["test_points"] == 10
    assert certificates("all").startswith(certificates())
    assert run["data"] == read("all")[0]["data"]


def test_two_jobs_write_the_same_bytes(run, arrays, save):
    name = save(arrays(train=80, test=40))
    for jobs in ("1", "2"):
        done = run("certify", name, "-o", jobs, "--q", "0.1", "--jobs", jobs)
        assert (done.code, done.err) == (
            0,
            f"wrote {jobs}/run.json and {jobs}/certificates.jsonl\n",
        )
    for file in FILES:
        assert Path("1", file).read_bytes() == Path("2", file).read_bytes()


def test_csv_and_npz_of_the_same_data_give_the_same_certificates(certify, arrays, save, csv):
    data = arrays()
    certify(save(data))
    Path("train.csv").write_text(csv(data["X_train"], data["y_train"]))
    Path("test.csv").write_text(csv(data["X_test"], data["y_test"]))
    separate, _ = certify(
        "train.csv", "--label-column", "label", "--test", "test.csv", output="csv"
    )
    assert certificates("csv") == certificates()
    assert separate["data"] == read()[0]["data"]
    assert separate["source"] == "train.csv"
    rows = np.insert(data["X_train"], range(4, 40, 4), data["X_test"][:9], axis=0)
    labels = np.insert(data["y_train"], range(4, 40, 4), data["y_test"][:9])
    rows = np.vstack([rows, data["X_test"][9:]])
    labels = np.append(labels, data["y_test"][9])
    text = csv(rows, labels).replace("\n", "\r\n").replace("x0", '"x,0"')
    Path("one.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    joined, _ = certify("one.csv", "--label-column", "label", output="one")
    assert certificates("one") == certificates()
    assert joined["data"] == separate["data"]
    split = {row["what"]: row for row in joined["assumptions"]}["split"]
    assert split["label_free"] == "checked"


LABELS = {  # what 0 and 1 become, and --positive
    "text": (np.array(["no", "yes"]), "yes"),
    "other text": (np.array(["1", "0"]), "0"),
    "accents": (np.array(["bénin", "malin \u2028"]), "malin \u2028"),
    "bytes": (np.array([b"no", b"yes"]), "yes"),
    "integers": (np.array([3, 7]), "7"),
    "spelled otherwise": (np.array([3, 7]), "70e-1"),
    "negative": (np.array([1, -1]), "-1"),
    "uint64": (np.array([2**63 - 1, 2**63], dtype=np.uint64), str(2**63)),
    "floats": (np.array([0.25, 0.5]), "1/2"),
    "tiny floats": (np.array([0.0, 1e-300]), "1e-300"),
    "float32": (np.array([0, 2.5], dtype=np.float32), "5/2"),
    "truth": (np.array([False, True]), "1"),
    "longdouble": (np.array([0, 1], dtype=np.longdouble), "1"),
}


@pytest.mark.parametrize(("values", "positive"), LABELS.values(), ids=LABELS)
def test_positive_names_the_label_that_becomes_1(values, positive, certify, arrays, save):
    data = arrays()
    certify(save(data), output="plain")
    mapped = {name: values[data[name]] for name in ("y_train", "y_test")}
    run, _ = certify(save({**data, **mapped}), "--positive", positive)
    assert certificates() == certificates("plain")
    assert run["positive"] == positive
    assert run["data"]["y_train"] != read("plain")[0]["data"]["y_train"]


def test_positive_makes_one_class_of_many(certify, arrays, save, csv):
    data = arrays()
    certify(save(data), output="plain")
    many = {
        name: np.where(data[name] == 1, 5, np.arange(len(data[name])) % 4)
        for name in ("y_train", "y_test")
    }
    certify(save({**data, **many}), "--positive", "5")
    assert certificates() == certificates("plain")
    names = np.array(["ant", "bee", "cat", "dog", "?", "zebra"])
    Path("train.csv").write_text(csv(data["X_train"], names[many["y_train"]]))
    Path("test.csv").write_text(csv(data["X_test"], names[many["y_test"]]))
    options = ("--label-column", "label", "--positive", "zebra", "--test", "test.csv")
    run, _ = certify("train.csv", *options)
    assert certificates() == certificates("plain")
    labels = names[many["y_train"]]
    assert run["data"]["y_train"] == {
        "sha256": hashlib.sha256(labels.tobytes()).hexdigest(),
        "dtype": labels.dtype.str,
        "shape": [40],
    }


@pytest.mark.parametrize("kind", ["f4", "f2", "i1", "u1", "?", "g", ">f8", ">i4", "u8"])
@pytest.mark.parametrize("which", ["X", "y"])
def test_any_float_or_integer_dtype_is_read(which, kind, certify, arrays, save):
    data = arrays()
    data |= {name: (data[name] > 0).astype(float) for name in ("X_train", "X_test")}
    certify(save(data), output="plain")
    cast = {name: values.astype(kind) for name, values in data.items() if name[0] == which}
    certify(save({**data, **cast}))
    assert certificates() == certificates("plain")


def test_integers_that_float64_holds_are_read(certify, arrays, save):
    data = arrays()
    data["X_train"] = (data["X_train"] * 100).astype(np.int64)
    data["X_train"][0] = [2**53, -(2**53), 2**60]
    certify(save(data), "--scale", "none", output="integers")
    certify(save({**data, "X_train": data["X_train"].astype(float)}), "--scale", "none")
    assert certificates() == certificates("integers")


def test_other_keys_are_ignored(certify, arrays, save):
    data = arrays()
    certify(save(data), output="plain")
    odd = np.array([{"not": "read"}, None], dtype=object)
    run, _ = certify(save({**data, "names": odd, "X_valid": np.array([np.nan])}))
    assert certificates() == certificates("plain")
    assert set(run["data"]) == set(KEYS)


def test_a_compressed_archive_of_any_name_is_read(certify, arrays, save):
    data = arrays()
    certify(save(data))
    file = io.BytesIO()
    np.savez_compressed(file, **data)
    Path("data.bin").write_bytes(file.getvalue())
    certify("data.bin", output="other")
    assert certificates("other") == certificates()


def test_an_array_of_python_2_is_read_without_a_warning(certify, arrays, save):
    certify(save(arrays()), output="plain")
    with zipfile.ZipFile("d.npz") as new, zipfile.ZipFile("old.npz", "w") as old:
        for name in new.namelist():
            old.writestr(name, new.read(name).replace(b"(40, 3), }  ", b"(40L, 3L), }"))
    certify("old.npz")
    assert certificates() == certificates("plain")


# Endings that come from outside: the earlier run stays, or the new one is there, whole.


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "no space"), KeyboardInterrupt()], ids=repr
)
@pytest.mark.parametrize("call", ["fsync 1", "fsync 2", "fsync 3", "rename 1", "rename 2"])
@pytest.mark.parametrize("earlier", [True, False], ids=["replaces a run", "new"])
def test_a_failing_write_leaves_a_whole_run_or_none(
    earlier, call, error, invoke, certify, arrays, save, tree, monkeypatch
):
    name = save(arrays())
    certify(name, "--q", "0.2", output="new")
    new = list(tree("new").values())
    certify(name)
    old = list(tree("run").values())
    if not earlier:
        Path("run").rename("old")
    others = names() - {"run"}
    function, nth = call.split()
    original, left = getattr(os, function), [int(nth)]

    def failing(*arguments, **options):
        left[0] -= 1
        if left[0] == 0:
            raise error
        return original(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, function, failing)
        result = invoke("certify", name, "-o", "run", "--q", "0.2")
    if result.code:
        expected = (130, "certaudit: interrupted\n")
        if isinstance(error, OSError):
            expected = (2, "certaudit: run: no space\n")
        assert (result.code, result.err) == expected
        assert result.out == ""
    there = Path("run").exists()
    assert names() - {"run"} == others
    assert there or (result.code and not earlier)
    if there:
        assert list(tree("run").values()) in ([new] if not result.code else [new, old])


DRIVER = """
import os, signal
from contextlib import contextmanager
import certaudit.cli.certify
from certaudit import label_flip, threshold
from certaudit.cli.main import console

@contextmanager
def progress(what):
    yield lambda done, total: done == 3 and os.kill(os.getpid(), signal.SIGINT)

certaudit.cli.certify.progress = progress
console()
"""


@pytest.mark.parametrize("earlier", [True, False], ids=["replaces a run", "new"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_interrupted_halfway(jobs, earlier, arrays, save, tree):
    name = save(arrays(train=400, test=200))
    if earlier:
        Path("run").mkdir()
        for file in FILES:
            Path("run", file).write_bytes(b'{"certaudit": "0.0.1"}\n')
    before = tree()
    command = ("certify", name, "-o", "run", "--q", "0.1", "--jobs", jobs)
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *command], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"certaudit: interrupted\n")
    assert tree() == before


# Ctrl-C on a terminal goes to the whole group: here as early as a worker can see it.
EARLY = """
import os, signal, sys
if "--multiprocessing-fork" in sys.orig_argv:
    try:
        os.mkdir("site/once")
    except FileExistsError:
        pass
    else:
        os.killpg(0, signal.SIGINT)
"""


def test_interrupted_while_the_workers_start(run, arrays, save):
    name = save(arrays(train=400, test=200))
    Path("site").mkdir()
    Path("site", "sitecustomize.py").write_text(EARLY)
    path = ["site", *filter(None, [os.environ.get("PYTHONPATH")])]
    done = run(
        *("certify", name, "-o", "run", "--q", "0.1", "--jobs", "2", "--engine", "rigorous"),
        env={"PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    )
    assert Path("site", "once").exists()
    assert (done.code, done.out, done.err) == (130, "", "certaudit: interrupted\n")
    assert names() == {"d.npz", "site"}


def read_terminal(master):
    """Read what comes until the other side is closed."""
    seen = b""
    try:
        while chunk := os.read(master, 4096):
            seen += chunk
    except OSError:  # Linux says EIO at the end
        pass
    return seen


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("engine", ["fast", "rigorous"])
def test_interrupted_on_a_terminal(engine, jobs, arrays, save, tree):
    points = 2000 if engine == "rigorous" else 40_000
    name = save(arrays(train=2000, test=points, columns=6))
    before = tree()
    command = ("certify", name, "-o", "run", "--q", "0.1", "--jobs", jobs, "--engine", engine)
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "certaudit", *command],
        stdout=subprocess.PIPE,
        stderr=slave,
        start_new_session=True,
    ) as process:
        os.close(slave)
        seen = b""
        while not re.search(rb"[1-9][0-9]*/%d" % points, seen):
            seen += os.read(master, 4096)
        os.killpg(process.pid, signal.SIGINT)
        rest = read_terminal(master)
        out = process.stdout.read()
    os.close(master)
    assert (process.returncode, out) == (130, b"")
    text = ESCAPE.sub("", (seen + rest).decode())
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    assert lines[-1] == "certaudit: interrupted"
    assert all(line.startswith("certifying") for line in lines[:-1])
    assert tree() == before
