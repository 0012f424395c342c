"""Random small runs, certified, written, read and checked: all true; with one number off, false."""

import json
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from certaudit import checker
from certaudit.certify.label_flip import certify_label_flip
from certaudit.certify.multiclass import certify_multiclass
from certaudit.certify.summary import run_summary
from certaudit.errors import InputError
from certaudit.exact import json_down, parse_rational
from certaudit.records.from_run import read_run
from certaudit.rigorous.balls import from_ball, to_ball, working_precision
from certaudit.rigorous.tail import log_chernoff

GIVEN = "given: separate training and test arrays"
NOISE = ["0.1", "1/3", "0.01", "0.49", "1e-12", "0.49999", "1e-300", "0.3", "0.05"]
NAMES = ("X_train", "y_train", "X_test", "y_test")


def issue(arrays, **options):
    """Certify arrays and return the signed run and records as a verifier reads them."""
    certify = certify_multiclass if "vote" in options else certify_label_flip
    run = certify(*(arrays[name] for name in NAMES), **options)
    summary = run_summary(run, source="data.npz", split=GIVEN)
    lines = "".join(json.dumps(c.as_json(), allow_nan=False) + "\n" for c in run.certificates)
    unsigned = read_run((json.dumps(summary, indent=1) + "\n").encode(), lines.encode())
    statement = checker.read_canonical(unsigned.payload(), "statement")
    shapes = (checker.STATEMENT_SHAPE, checker.MULTI_STATEMENT_SHAPE)
    checker.fit(statement, shapes["vote" in options], "statement")
    checker.check_statement(statement)
    signed = unsigned.lines.splitlines()
    records = checker.record_list(signed, statement, complete=True)
    return statement["predicate"]["run"], records


def arrays_of(arrays):
    return {
        name: checker.make_array(np.ascontiguousarray(a).tobytes(), a.dtype.str, a.shape, name)
        for name, a in arrays.items()
    }


def verdict(found, path):
    report = checker.Report()
    checker.check_mathematics(found, report, data=path)
    return report


def random_arrays(random):
    """Return a small data set: plain, scaled, with ties, twins, outliers, subnormal numbers."""
    kind = random.choice(("plain", "plain", "grid", "twins", "wild", "one class", "integers"))
    n, d, m = random.randint(1, 14), random.randint(1, 4), random.randint(1, 3)
    rng = np.random.default_rng(random.getrandbits(32))
    train, test = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    labels = (train[:, 0] + rng.normal(size=n) / 2 > 0).astype(random.choice(("i8", "u1", "f4")))
    if kind == "grid":
        train, test = np.round(train * 2) / 2, np.round(test * 2) / 2
    elif kind == "twins":
        train, test = np.hstack([train, train[:, :1]]), np.hstack([test, test[:, :1]])
    elif kind == "wild":
        train *= 2.0 ** rng.integers(-200, 200, size=train.shape)
        test *= 2.0 ** rng.integers(-200, 200, size=test.shape)
    elif kind == "one class":
        labels[:] = random.randint(0, 1)
    elif kind == "integers":
        train = rng.integers(-100, 100, size=(n, d)).astype("i2")
        test = rng.integers(-100, 100, size=(m, d)).astype("i2")
    hits = rng.integers(0, 2, size=m).astype(labels.dtype)
    return {"X_train": train, "y_train": labels, "X_test": test, "y_test": hits}


def random_options(random):
    return {
        "q": random.choice(NOISE),
        "ridge": random.choice(("auto", "1/3", "1e-20", "1e30", "0", "7")),
        "scale": random.choice(("standard", "none")),
        "intercept": random.random() < 0.5,
        "guarantee": random.choice(("kl", "tight")),
    }


def exact_alphas(run, arrays, at):
    """Return alpha of a test point over the rationals, by columns as the run describes them."""
    given = arrays_of(arrays)
    columns = list(checker.design(run["scale"], given["X_train"], given["X_test"]))
    n = len(arrays["y_train"])
    if run["intercept"]:
        columns.append([1.0] * (n + len(arrays["y_test"])))
    k = len(columns)
    rows = [[Fraction(column[i]) for column in columns] for i in range(n)]
    head = [Fraction(column[n + at]) for column in columns]
    matrix = [[sum(r[i] * r[j] for r in rows) for j in range(k)] for i in range(k)]
    for i in range(k - run["intercept"]):
        matrix[i][i] += parse_rational(run["ridge"]["value"])
    flat = [fmpq(v.numerator, v.denominator) for row in matrix for v in row]
    right = [fmpq(v.numerator, v.denominator) for v in head]
    solved = fmpq_mat(k, k, flat).solve(fmpq_mat(k, 1, right)).entries()
    w = [Fraction(int(v.p), int(v.q)) for v in solved]
    return [sum((x * y for x, y in zip(row, w, strict=True)), Fraction(0)) for row in rows]


def below_the_truth(run, arrays, record):
    """Return a float just below ln B(t), for exact alphas."""
    alpha = exact_alphas(run, arrays, int(record["index"]))
    t, q = float.fromhex(record["t"]), run["noise_model"]["q"]
    with working_precision(3000):
        parts = [
            [to_ball(a) for a, y in zip(alpha, arrays["y_train"], strict=True) if y == label]
            for label in (0, 1)
        ]
        low = from_ball(log_chernoff(t, *parts, q)).lower
    return json_down(low - abs(low) / 10**12 - Fraction(1, 10**300))


def failures(run, records, arrays):
    """Return what the checker refutes, by step."""
    model = checker.Classifier(run, arrays_of(arrays))
    return (
        [text for r in records for text in checker.false_statements(run, r)],
        [text for r in records for text in model.false_statements(run, r)],
    )


def wrong_records(run, arrays, record):
    """Yield (step, record): the same record with one number that is not true any more."""
    n = int(run["training_points"])
    other = "0" if record["prediction"] == "1" else "1"
    yield 1, {**record, "label": "0" if record["label"] == "1" else "1"}
    yield 0 if record["decided"] else 1, {**record, "prediction": other}
    if record["constant"]:
        yield 0, {**record, "p_lower": (1 + 2.0**-52).hex()}
        return
    bound = checker.binary64(record["log_error"], "log_error")
    yield 0, {**record, "decided": not record["decided"]}
    if bound:
        lowered = below_the_truth(run, arrays, record)
        yield 1, {**record, "log_error": lowered.hex()}
        half = Fraction(lowered)
        ball = [str(half.numerator), str(1 - half.denominator.bit_length()), "0", "0"]
        yield 1, {**record, "log_error": ball}
    share = float.fromhex(record["p_lower"])
    if share < 1 - 2.0**-50:
        yield 0, {**record, "p_lower": (share + max(share, 1 - share) * 2.0**-50).hex()}
    yield 0, {**record, "p_lower": (1.0).hex()}
    yield 1, {**record, "constant": True, "decided": True, "t": None, "log_error": None}
    if record["decided"]:
        yield 1, {**record, "t": (-float.fromhex(record["t"])).hex()}
    for name, radius in record["radius"].items():
        if record["decided"] and int(radius) < n:
            yield 0, {**record, "radius": {**record["radius"], name: str(int(radius) + 1)}}


NEAR_A_TIE = (2304, 2444, 2717, 3435)
"""ln B(t) is above 0 here and the record says 0, which always bounds ln(1 - p)."""


@pytest.mark.parametrize("seed", [*range(240), *NEAR_A_TIE])
def test_a_run_is_true_and_one_number_off_is_not(seed):
    random = Random(seed)
    arrays, options = random_arrays(random), random_options(random)
    try:
        run, records = issue(arrays, **options)
    except InputError:
        return  # rank-deficient at ridge 0, one point that cannot be scaled
    assert failures(run, records, arrays) == ([], [])
    for record in records:
        for step, wrong in wrong_records(run, arrays, record):
            found = failures(run, [wrong], arrays)[step] if wrong != record else None
            assert found, wrong


@pytest.mark.parametrize("engine", ["fast", "rigorous"])
@pytest.mark.parametrize("seed", range(60))
def test_a_run_of_classes_is_true(seed, engine):
    """Whichever engine made it: the checker derives every rival's bound and every figure again.

    What is one number off is refused: `tests/unit/test_checker_multiclass.py`.
    """
    random = Random(seed)
    arrays, options = random_arrays(random), random_options(random)
    classes = random.choice((2, 3, 4, 7))
    for name in ("y_train", "y_test"):
        drawn = [random.randrange(classes) for _ in arrays[name]]
        arrays[name] = np.array(drawn, dtype=arrays[name].dtype)
    options |= {"vote": random.choice(checker.VOTES), "classes": classes, "engine": engine}
    try:
        run, records = issue(arrays, **options)
    except InputError:
        return  # rank-deficient at ridge 0, one point that cannot be scaled
    assert failures(run, records, arrays) == ([], [])
    model, report = checker.Classifier(run, arrays_of(arrays)), checker.Report()
    unsmoothed = sum(map(model.unsmoothed, records))
    checker.check_figures(checker.Evidence(run, records, complete=True), unsmoothed, report)
    assert states(report) == {"figures": checker.CHECKED}, report.steps


def test_enough_runs_are_certified():
    """Of the seeds above most give a run; some are decided, open, constant, capped at n."""
    seen = dict.fromkeys(("run", "decided", "open", "constant", "capped", "inside"), 0)
    for seed in range(240):
        random = Random(seed)
        arrays, options = random_arrays(random), random_options(random)
        try:
            run, records = issue(arrays, **options)
        except InputError:
            continue
        seen["run"] += 1
        for record in records:
            radius = int(record["radius"]["kl"])
            seen["decided"] += record["decided"]
            seen["open"] += not record["decided"]
            seen["constant"] += record["constant"]
            seen["capped"] += record["decided"] and radius == int(run["training_points"])
            seen["inside"] += 0 < radius < int(run["training_points"])
    assert seen["run"] >= 200
    assert min(seen.values()) >= 10


def plain_arrays(seed=3, n=30, m=6):
    rng = np.random.default_rng(seed)
    train, test = rng.normal(size=(n, 2)), rng.normal(size=(m, 2))
    labels = [(x[:, 0] > 0).astype("i8") for x in (train, test)]
    return {"X_train": train, "y_train": labels[0], "X_test": test, "y_test": labels[1]}


def states(report):
    return {name: state for name, state, _, _ in report.steps}


@pytest.mark.parametrize("seed", range(6))
def test_a_whole_run_is_checked(seed, tmp_path):
    arrays = plain_arrays(seed, n=20 + 9 * seed)
    run, records = issue(arrays, q=NOISE[seed], guarantee="tight", intercept=seed % 2 == 0)
    np.savez(tmp_path / "data.npz", **arrays)
    report = verdict(checker.Evidence(run, records, complete=True), tmp_path / "data.npz")
    steps = ("radii", "data", "alpha", "log_error", "figures")
    assert states(report) == dict.fromkeys(steps, checker.CHECKED)
    for name in checker.ACCURACIES:
        stated = float.fromhex(run["accuracy"][name])
        wrong = {**run, "accuracy": {**run["accuracy"], name: (stated + 1e-6).hex()}}
        report = verdict(checker.Evidence(wrong, records, complete=True), tmp_path / "data.npz")
        assert states(report)["figures"] == checker.FAILED
    curve = run["certified_accuracy"]["kl"]
    wrong = {**run["certified_accuracy"], "kl": {**curve, "correct": [*curve["correct"], "0"]}}
    wrong = {**run, "certified_accuracy": wrong}
    report = verdict(checker.Evidence(wrong, records, complete=True), tmp_path / "data.npz")
    assert states(report)["figures"] == checker.FAILED


UNREAD = {
    "longdouble": ("X_train", lambda a: a.astype(np.longdouble), None),
    "bytes": ("y_test", lambda a: a.astype("S1"), "1"),
}
READ = {
    "big-endian": ("X_train", lambda a: a.astype(">f8"), None),
    "Fortran order": ("X_test", np.asfortranarray, None),
    "big-endian labels": ("y_train", lambda a: a.astype(">i4"), None),
}


@pytest.mark.parametrize("name", READ)
def test_any_order_of_the_bytes_is_read(name, tmp_path):
    array, change, positive = READ[name]
    arrays = plain_arrays()
    arrays[array] = change(arrays[array])
    run, records = issue(arrays, q="0.1", positive=positive)
    np.savez(tmp_path / "data.npz", **arrays)
    report = verdict(checker.Evidence(run, records, complete=True), tmp_path / "data.npz")
    assert set(states(report).values()) == {checker.CHECKED}


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_not_read_gives_no_verdict(name, tmp_path):
    array, change, positive = UNREAD[name]
    arrays = plain_arrays()
    arrays[array] = change(arrays[array])
    run, records = issue(arrays, q="0.1", positive=positive)
    np.savez(tmp_path / "data.npz", **arrays)
    report = verdict(checker.Evidence(run, records, complete=True), tmp_path / "data.npz")
    assert checker.FAILED not in states(report).values()
    assert {states(report)[name] for name in ("data", "alpha", "log_error")} == {
        checker.NOT_CHECKED
    }
    assert report.exit_code(require_all=False) == checker.OPEN
