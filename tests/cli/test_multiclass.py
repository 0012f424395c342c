"""`certaudit certify` on more than two classes: the run folder, the page, the options."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest

from certaudit.reference.multiclass import log_pair_chernoff

RECORD = ["index", "prediction", "label", "decided", "rivals", "log_error", "p_lower", "radius"]


def read(folder="run"):
    lines = Path(folder, "certificates.jsonl").read_text("ascii").splitlines()
    return json.loads(Path(folder, "run.json").read_text("ascii")), list(map(json.loads, lines))


@pytest.fixture
def digits():
    """Real images of digits, 8 x 8: 1,000 to train, 797 to test."""
    data = pytest.importorskip("sklearn.datasets").load_digits()
    x, y = data.data, data.target
    arrays = {"X_train": x[:1000], "y_train": y[:1000], "X_test": x[1000:], "y_test": y[1000:]}
    np.savez("digits.npz", **arrays)
    return arrays


def blobs(classes, n=90, m=12, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(classes, 3)) * 2
    labels, targets = random.integers(0, classes, n), random.integers(0, classes, m)
    arrays = {
        "X_train": centres[labels] + random.normal(size=(n, 3)),
        "y_train": labels,
        "X_test": centres[targets] + random.normal(size=(m, 3)),
        "y_test": targets,
    }
    np.savez("blobs.npz", **arrays)
    return arrays


@pytest.mark.parametrize("vote", ["plurality", "pairwise"])
def test_every_number_of_real_digits_is_true(digits, vote, invoke):
    """From the raw arrays and run.json alone, at 40 digits: rivals, totals, radii."""
    plain = ("--scale", "none", "--vote", vote)
    result = invoke("certify", "digits.npz", "-o", "run", "--q", "0.1", *plain)
    assert (result.code, result.err.splitlines()[-1][:14]) == (0, "wrote run/run.")
    run, lines = read()
    assert run["noise_model"] == {"name": "label-flip", "q": "1/10", "classes": 10}
    assert (run["classifier"], run["vote"]) == ("one-hot least squares", vote)
    assert list(run["accuracy"]) == ["clean", "decided", "unsmoothed", "constant"]
    assert list(run)[list(run).index("accuracy") + 1] == "vacuous"
    assert len(lines) == 797
    assert all(list(line) == RECORD for line in lines)
    train, test = (
        np.hstack([digits[name], np.ones((len(digits[name]), 1))]) for name in ("X_train", "X_test")
    )
    q, ridge = Fraction(run["noise_model"]["q"]), float.fromhex(run["ridge"]["value"])
    system = train.T @ train + ridge * np.diag([1.0] * (train.shape[1] - 1) + [0.0])
    alphas = test[:3] @ np.linalg.solve(system, train.T)
    with mpmath.workdps(40):
        for line, alpha in zip(lines, alphas, strict=False):
            logs = []
            assert [rival["class"] for rival in line["rivals"]] == [
                c for c in range(10) if c != line["prediction"]
            ]
            for rival in line["rivals"]:
                value = log_pair_chernoff(
                    mpmath.mpf(float.fromhex(rival["t"])),
                    [mpmath.mpf(float(a)) for a in alpha],
                    digits["y_train"].tolist(),
                    line["prediction"],
                    rival["class"],
                    q,
                    10,
                )
                # alpha is in floats here.
                assert float(value) == pytest.approx(rival["log_error"], abs=0.02)
                logs.append(mpmath.mpf(rival["log_error"]))
            total = max(logs)
            if vote == "plurality":
                total = mpmath.log(mpmath.fsum(map(mpmath.exp, logs)))
            assert float(total) == pytest.approx(line["log_error"], abs=1e-9)
            assert total <= line["log_error"]
            error = mpmath.exp(line["log_error"])
            flip = (1 - 10 * q / 9) * mpmath.log(81)
            radius = int(-mpmath.log(4 * error * (1 - error)) / (2 * flip))
            assert line["radius"] == {"kl": radius if line["decided"] else 0}
    vacuous = sum(line["log_error"] >= -0.69314718056 for line in lines)
    assert run["vacuous"][vote] == vacuous
    right = [line for line in lines if line["prediction"] == line["label"]]
    assert (
        run["accuracy"]["clean"] == run["accuracy"]["unsmoothed"] == len(right) * 10**6 // 797 / 1e6
    )
    share = np.bincount(digits["y_test"], minlength=10) * 10**6 // 797 / 1e6
    assert run["accuracy"]["constant"] == share.tolist()
    curve = run["certified_accuracy"]["kl"]["correct"]
    for r in (0, 1, 5):
        assert curve[r] == sum(line["radius"]["kl"] >= r and line["decided"] for line in right)


@pytest.mark.usefixtures("digits")
def test_the_page_says_which_vote_and_what_is_vacuous(invoke):
    out = invoke("certify", "digits.npz", "-o", "run", "--q", "0.1", "--guarantee", "all").out
    assert all(len(line) <= 80 for line in out.splitlines())
    for text in (
        "q = 1/10, 10 classes",
        "one-hot least squares",
        "plurality: the class that most labellings predict",
        "no majority proven, pairwise",
        "no majority proven, plurality",
        "(most right)",
        "(fewest right)",
    ):
        assert text in out, text


def test_two_labels_are_as_before_unless_a_vote_is_asked_for(invoke):
    blobs(2)
    assert invoke("certify", "blobs.npz", "-o", "two", "--q", "0.1").code == 0
    assert invoke("certify", "blobs.npz", "-o", "k", "--q", "0.1", "--classes", "2").code == 0
    plain, lines = read("two")
    assert (plain["vote"], plain["classifier"]) == ("majority", "least squares")
    assert "vacuous" not in plain
    same, _ = read("k")
    assert same["vote"] == "majority"
    asked = invoke("certify", "blobs.npz", "-o", "v", "--q", "0.1", "--vote", "pairwise")
    assert asked.code == 0
    run, votes = read("v")
    assert (run["vote"], run["noise_model"]["classes"]) == ("pairwise", 2)
    for a, b in zip(lines, votes, strict=True):
        assert (a["prediction"], a["radius"]) == (b["prediction"], b["radius"])


def test_classes_may_be_more_than_are_seen(invoke):
    arrays = blobs(3)
    plain = invoke("certify", "blobs.npz", "-o", "run", "--q", "0.1", "--guarantee", "all")
    more = invoke("certify", "blobs.npz", "-o", "more", "--q", "0.1", "--classes", "5")
    assert (plain.code, more.code) == (0, 0)
    assert "CA206 class-without-training-points: 2 of 5 classes: 3, 4" in more.out
    run, lines = read("more")
    assert [len(line["rivals"]) for line in lines] == [4] * len(arrays["y_test"])
    states = {a["what"]: (a["value"], a["label_free"]) for a in run["assumptions"]}
    assert states["classes"] == ("5", "declared")
    states = {a["what"]: (a["value"], a["label_free"]) for a in read("run")[0]["assumptions"]}
    assert states["classes"] == ("3", "unknown")


def test_csv_labels_are_classes(invoke):
    arrays = blobs(3, n=60)
    rows = np.hstack([arrays["X_train"], arrays["y_train"][:, None]])
    text = "a,b,c,kind\n" + "\n".join(
        ",".join(map(repr, row[:3])) + f",{int(row[3])}" for row in rows.tolist()
    )
    Path("d.csv").write_text(text + "\n")
    result = invoke("certify", "d.csv", "-o", "run", "--label-column", "kind", "--q", "0.2")
    assert result.code == 0, result.err
    run, lines = read()
    assert (run["noise_model"]["classes"], len(lines)) == (3, 12)


def test_both_engines_write_the_same_radii(invoke):
    blobs(4, n=200, m=20)
    for engine in ("fast", "rigorous"):
        argv = ("certify", "blobs.npz", "-o", engine, "--q", "0.1", "--guarantee", "all")
        assert invoke(*argv, "--engine", engine).code == 0
    (fast, a), (slow, b) = read("fast"), read("rigorous")
    assert [line["radius"] for line in a] == [line["radius"] for line in b]
    assert fast["escalated"]["points"] == 0
    assert "escalated" not in slow
    assert json.loads(Path("fast/run.json").read_text())["vacuous"] == slow["vacuous"]


@pytest.mark.parametrize("vote", ["plurality", "pairwise"])
def test_crosscheck_agrees_on_real_flowers(vote, invoke):
    """Both engines, each at its own values of t, and the reference: nothing contradicts."""
    data = pytest.importorskip("sklearn.datasets").load_iris()
    order = np.random.default_rng(0).permutation(150)
    x, y = data.data[order], data.target[order]
    np.savez("iris.npz", X_train=x[:120], y_train=y[:120], X_test=x[120:], y_test=y[120:])
    argv = ("crosscheck", "iris.npz", "--q", "0.1", "--sample", "8", "--vote", vote)
    text = invoke(*argv)
    assert text.code == 0, text.out
    assert "8 points, 16 rivals compared, 0 contradictions" in text.out
    assert all(len(line) <= 80 for line in text.out.splitlines())
    found = json.loads(invoke(*argv, "--format", "json").out)
    assert found["contradictions"] == 0
    for point in found["points"]:
        assert point["fast"]["left_to_balls"] is None
        assert 0 <= point["fast"]["excess"] < 0.02
        assert point["fast"]["total"] >= float(point["reference"]["log_error"]) - 1e-6
        assert point["rigorous"]["radius"] == point["reference"]["radius"]


def test_crosscheck_shows_the_exact_share(invoke):
    random = np.random.default_rng(1)
    arrays = {"X_train": random.normal(size=(7, 2)), "X_test": random.normal(size=(5, 2))}
    np.savez("d.npz", **arrays, y_train=[0, 1, 2, 0, 1, 2, 0], y_test=[0, 1, 2, 0, 1])
    for vote in ("plurality", "pairwise"):
        result = invoke("crosscheck", "d.npz", "--q", "0.01", "--vote", vote, "--sample", "5")
        assert result.code == 0, result.out
        heading = result.out[: result.out.index("───")]
        assert {"exact", "share"} <= set(heading.split())
    blobs(2)
    result = invoke("crosscheck", "blobs.npz", "--q", "0.1", "--vote", "plurality")
    assert (result.code, result.err) == (0, "")


WRONG = {  # a number of what an engine says, made wrong, and what is then said
    "fast.total": "the fast log_error is below what the rivals come to",
    "fast.log_error": "the fast log_error is below ln B(t)",
    "certificate.log_error": "log_error is below what the rivals come to",
    "certificate.kl_radius": "the radius exceeds the reference's",
    "certificate.tight_radius": "the tight radius exceeds the reference's",
    "fast.radii": "the fast radius exceeds the reference's",
    "certificate.prediction": "another class has the largest mean score",
}


@pytest.mark.parametrize("what", WRONG)
def test_crosscheck_contradicts_what_is_wrong(what, invoke, monkeypatch):
    from certaudit.crosscheck import votes

    blobs(3)
    whose, name = what.split(".")

    def spoilt(point):
        value = getattr(point, name)
        if name == "log_error" and whose == "fast":
            value = tuple(x - 1 for x in value)
        elif name in ("total", "log_error"):
            value -= 1
        elif name == "radii":
            value = {name: radius + 2 for name, radius in value.items()}
        elif name == "prediction":
            value = (value + 1) % 3
        else:
            value += 2
        return replace(point, **{name: value})

    if whose == "fast":
        found = votes.screen_votes
        monkeypatch.setattr(votes, "screen_votes", lambda *a: map(spoilt, found(*a)))
    else:
        found = votes.prove_votes
        monkeypatch.setattr(
            votes, "prove_votes", lambda *a, **k: ((p, b, spoilt(c)) for p, b, c in found(*a, **k))
        )
    result = invoke("crosscheck", "blobs.npz", "--q", "0.1", "--sample", "12")
    assert result.code == 1
    assert WRONG[what] in " ".join(result.out.split())


def test_processes_write_the_same(run):
    blobs(3)
    for jobs in ("1", "2"):
        argv = ("certify", "blobs.npz", "-o", jobs, "--q", "0.1", "--engine", "rigorous")
        assert run(*argv, "--jobs", jobs).code == 0
    assert Path("1/certificates.jsonl").read_bytes() == Path("2/certificates.jsonl").read_bytes()
