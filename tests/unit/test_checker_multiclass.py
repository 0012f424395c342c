"""Runs of K classes, made slowly and exactly: all true; with one number off, false.

Scores are exact rationals, bounds have 60 digits, and are rounded to the safe side.
"""

import json
import math
from fractions import Fraction
from random import Random

import mpmath
import numpy as np
import pytest

from certaudit import checker
from certaudit.certify.data import LabelledData
from certaudit.noise import LabelFlip
from certaudit.records.from_run import read_run
from certaudit.reference import multiclass as reference
from certaudit.reference.least_squares import exact_alpha
from certaudit.rigorous.radius import kl_radius, tight_radius

DIGITS = 60
NAMES = ("X_train", "y_train", "X_test", "y_test")
VERSIONS = dict.fromkeys(("certaudit", "python", "numpy", "python-flint", "flint"), "0")


# ------------------------------------------------------------------------------ slow runs


def above(value):
    """Return the smallest float64 that is no less than a real below 0, and 0 for others.

    What is nearly 0 may be 0, or above, as far as these digits go.
    """
    if value >= -(mpmath.mpf(10) ** (20 - DIGITS)):
        return 0.0
    number = float(value)
    while mpmath.mpf(number) < value:
        number = math.nextafter(number, math.inf)
    return number


def below(value):
    """Return the largest float64 that is no more than a real."""
    number = float(value)
    while mpmath.mpf(number) > value:
        number = math.nextafter(number, -math.inf)
    return number


def real(number):
    return mpmath.mpf(number.numerator) / number.denominator


def ln_bound(alpha, labels, q, classes, pair, t):
    """Return ln B_ib(t)."""
    numbers = [real(a) for a in alpha]
    return reference.log_pair_chernoff(mpmath.mpf(t), numbers, labels, *pair, q, classes)


def certificate(index, alpha, labels, label, run):
    """Return a line of certificates.jsonl as a value."""
    q, classes = Fraction(run["noise_model"]["q"]), run["noise_model"]["classes"]
    noise, n = LabelFlip(q, classes), len(labels)
    with mpmath.workdps(DIGITS):
        winner = reference.candidate(alpha, labels, classes)
        rivals = []
        for b in (b for b in range(classes) if b != winner):
            t = 0.0
            if any(alpha):
                found = reference.optimal_pair_t([*map(real, alpha)], labels, winner, b, q, classes)
                t = float(found)
            bound = above(ln_bound(alpha, labels, q, classes, (winner, b), t))
            rivals.append({"class": b, "t": t.hex(), "log_error": bound})
        total = log_error(run["vote"], [rival["log_error"] for rival in rivals])
        exact = Fraction(total)
        return {
            "index": index,
            "prediction": winner,
            "label": label,
            "decided": bool(total < -mpmath.log(2)),
            "rivals": rivals,
            "log_error": total,
            "p_lower": below(-mpmath.expm1(mpmath.mpf(total))),
            "radius": {
                name: {"kl": kl_radius, "tight": tight_radius}[name](noise, log_error=exact, cap=n)
                for name in run["guarantee"]
            },
        }


def log_error(vote, bounds):
    """Return the bound of the vote."""
    if vote == "pairwise" or len(bounds) == 1:
        return max(bounds)
    return above(mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(x)) for x in bounds)))


def share(hits, total):
    return hits * 10**6 // total / 10**6


def figures(run, lines, unsmoothed):
    """Complete a run by what follows from its certificates."""
    total, classes = len(lines), run["noise_model"]["classes"]
    right = [line for line in lines if line["prediction"] == line["label"]]
    proven = [line for line in right if line["decided"]]
    run["accuracy"] = {
        "clean": share(len(right), total),
        "decided": share(len(proven), total),
        "unsmoothed": share(unsmoothed, total),
        "constant": [share(sum(x["label"] == c for x in lines), total) for c in range(classes)],
    }
    errors = [[mpmath.exp(mpmath.mpf(r["log_error"])) for r in line["rivals"]] for line in lines]
    run["vacuous"] = {
        "pairwise": sum(2 * max(each) >= 1 for each in errors),
        "plurality": sum(2 * mpmath.fsum(each) >= 1 for each in errors),
    }
    run["certified_accuracy"] = {}
    for name in run["guarantee"]:
        radii = [line["radius"][name] for line in proven]
        correct = [sum(x >= r for x in radii) for r in range(max(radii, default=0) + 1)]
        run["certified_accuracy"][name] = {
            "correct": correct,
            "of": total,
            "accuracy": [share(c, total) for c in correct],
        }
    run["findings"] = []


def slow_run(arrays, *, q, classes, vote, ridge="1/3", intercept=True, guarantee=("kl", "tight")):
    """Return run.json and certificates.jsonl of small arrays, as bytes."""
    data = LabelledData.check(*(arrays[name] for name in NAMES))
    (n, d), m = data.x_train.shape, len(data.y_test)
    run = {
        "certaudit": "0",
        "format": 1,
        "noise_model": {"name": "label-flip", "q": str(Fraction(q)), "classes": classes},
        "classifier": "one-hot least squares",
        "vote": vote,
        "guarantee": list(guarantee),
        "engine": "slow",
        "ridge": {"rule": "given", "value": spelled(Fraction(ridge))},
        "intercept": intercept,
        "scale": {"rule": "none", "mean": [], "deviation": [], "dropped": []},
        "assumptions": [],
        "source": "data.npz",
        "label_column": None,
        "positive": None,
        "training_points": n,
        "feature_columns": d,
        "test_points": m,
        "certified_points": m,
        "data": {name: digest.as_json() for name, digest in data.digests.items()},
        "versions": VERSIONS,
    }
    rows = [x.tolist() for x in (data.x_train, data.x_test)]
    if intercept:
        rows = [[[*row, 1.0] for row in part] for part in rows]
    alphas = exact_alpha(*rows, Fraction(ridge), intercept=intercept)
    labels = data.y_train.tolist()
    lines, unsmoothed = [], 0
    for at, (alpha, label) in enumerate(zip(alphas, data.y_test.tolist(), strict=True)):
        lines.append(certificate(at, alpha, labels, label, run))
        unsmoothed += reference.classify(alpha, labels, classes) == label
    figures(run, lines, unsmoothed)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    return (json.dumps(run, indent=1) + "\n").encode(), text.encode()


def spelled(ridge):
    return float(ridge).hex() if Fraction(float(ridge)) == ridge else str(ridge)


def points(seed=1, *, classes=3, n=18, m=4, spread=0.5, dtype="i8"):
    """Return clusters around the corners of a polygon, and test points near them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, size=n + m)
    angle = 2 * np.pi * labels / classes
    rows = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rows = np.round(rows + rng.normal(size=rows.shape) * spread, 3)
    labels = labels.astype(dtype)
    values = (rows[:n], labels[:n], rows[n:], labels[n:])
    return dict(zip(NAMES, values, strict=True))


def issue(run, certificates):
    """Return the signed run and records as a verifier reads them."""
    unsigned = read_run(run, certificates)
    statement = checker.read_canonical(unsigned.payload(), "statement")
    checker.fit(statement, checker.MULTI_STATEMENT_SHAPE, "statement")
    checker.check_statement(statement)
    records = checker.record_list(unsigned.lines.splitlines(), statement, complete=True)
    return statement["predicate"]["run"], records


def arrays_of(arrays):
    return {
        name: checker.make_array(np.ascontiguousarray(a).tobytes(), a.dtype.str, a.shape, name)
        for name, a in arrays.items()
    }


def verdict(run, records, arrays, place):
    np.savez(place / "data.npz", **arrays)
    report = checker.Report()
    found = checker.Evidence(run, records, complete=True)
    checker.check_mathematics(found, report, data=place / "data.npz")
    return report


def states(report):
    return {name: state for name, state, _, _ in report.steps}


STEPS = ("radii", "data", "alpha", "log_error", "figures")


# ------------------------------------------------------------------------------ whole runs

WHOLE = {
    "plurality": {"q": "1/10", "classes": 3, "vote": "plurality"},
    "pairwise": {"q": "1/10", "classes": 3, "vote": "pairwise"},
    "far apart": {"q": "1/50", "classes": 4, "vote": "plurality", "spread": 0.05},
    "many points": {"q": "1/50", "classes": 3, "vote": "plurality", "n": 90, "m": 3},
    "many points, pairwise": {"q": "1/10", "classes": 4, "vote": "pairwise", "n": 120, "m": 3},
    "near uniform": {"q": "0.66", "classes": 3, "vote": "pairwise"},
    "two classes": {"q": "1/10", "classes": 2, "vote": "plurality"},
    "a class that never occurs": {"q": "1/5", "classes": 5, "vote": "plurality", "used": 3},
    "kl alone": {"q": "1/5", "classes": 3, "vote": "pairwise", "guarantee": ("kl",)},
    "no intercept": {"q": "1/5", "classes": 3, "vote": "plurality", "intercept": False},
    "fractional labels": {"q": "1/5", "classes": 3, "vote": "plurality", "dtype": "f4"},
}


def made(name, seed=1):
    """Return a run, its records and its arrays."""
    options = dict(WHOLE[name])
    used = options.pop("used", options["classes"])
    taken = {key: options.pop(key) for key in ("spread", "dtype", "n", "m") if key in options}
    arrays = points(seed, classes=used, **taken)
    return *issue(*slow_run(arrays, **options)), arrays


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_run_is_true(name, tmp_path):
    run, records, arrays = made(name)
    report = verdict(run, records, arrays, tmp_path)
    assert states(report) == dict.fromkeys(STEPS, checker.CHECKED), report.steps
    about = next(text for text in report.remarks if text.startswith("about: "))
    assert f"{run['noise_model']['classes']} classes, {run['vote']} vote, " in about


def test_the_runs_are_of_every_sort():
    """Decided and not, radii of 0 and more, both kinds of vacuous points."""
    seen = dict.fromkeys(("decided", "open", "radius", "pairs only"), 0)
    for name in WHOLE:
        run, records, _ = made(name)
        seen["pairs only"] += run["vacuous"]["pairwise"] != run["vacuous"]["plurality"]
        for record in records:
            seen["decided"] += record["decided"]
            seen["open"] += not record["decided"]
            seen["radius"] += int(record["radius"]["kl"]) > 0
    assert min(seen.values()) > 0, seen


@pytest.mark.parametrize("name", ["plurality", "pairwise"])
def test_a_figure_that_is_off_is_refused(name, tmp_path):
    run, records, arrays = made(name)
    accuracy = run["accuracy"]
    wrong = []
    for key in ("clean", "decided", "unsmoothed"):
        other = (float.fromhex(accuracy[key]) + 1e-6).hex()
        wrong.append({**run, "accuracy": {**accuracy, key: other}})
    for at in range(3):
        each = list(accuracy["constant"])
        each[at] = (float.fromhex(each[at]) + 1e-6).hex()
        wrong += [{**run, "accuracy": {**accuracy, "constant": each}}]
    each = accuracy["constant"][::-1]
    if each != accuracy["constant"]:
        wrong.append({**run, "accuracy": {**accuracy, "constant": each}})
    for vote, count in run["vacuous"].items():
        others = {0, 1, 2, 3, 4} - {int(count)}
        wrong += [{**run, "vacuous": {**run["vacuous"], vote: str(other)}} for other in others]
    for curve in run["certified_accuracy"]:
        old = run["certified_accuracy"][curve]
        new = {**old, "correct": [*old["correct"], "0"]}
        wrong.append({**run, "certified_accuracy": {**run["certified_accuracy"], curve: new}})
    for each in wrong:
        report = verdict(each, records, arrays, tmp_path)
        assert states(report)["figures"] == checker.FAILED, each


# ------------------------------------------------------------------------------ one number off


def failures(run, records, arrays):
    """Return what the checker refutes, from a record alone and from the data."""
    model = checker.Classifier(run, arrays_of(arrays))
    return (
        [text for r in records for text in checker.false_statements(run, r)],
        [text for r in records for text in model.false_statements(run, r)],
    )


def rival_changed(record, at, **members):
    rivals = [dict(rival) for rival in record["rivals"]]
    rivals[at].update(members)
    return {**record, "rivals": rivals}


def totalled(record, vote):
    """Return a record whose log_error, p_lower and radii are what its rivals come to."""
    with mpmath.workdps(DIGITS):
        total = log_error(vote, [float.fromhex(r["log_error"]) for r in record["rivals"]])
    return {**record, "log_error": total.hex(), "p_lower": (0.0).hex()}


def exact_scores(run, arrays, record):
    """Return alpha of a test point, exactly."""
    rows = [arrays[name].tolist() for name in ("X_train", "X_test")]
    if run["intercept"]:
        rows = [[[*row, 1.0] for row in part] for part in rows]
    value = checker.ridge_value(run["ridge"]["value"], "ridge")
    rows[1] = [rows[1][int(record["index"])]]
    return exact_alpha(*rows, value, intercept=run["intercept"])[0]


def wrong_records(run, arrays, record):
    """Yield (step, record): the same record with one number that is not true any more."""
    n, classes = int(run["training_points"]), int(run["noise_model"]["classes"])
    yield 1, {**record, "label": str((int(record["label"]) + 1) % classes)}
    yield 0, {**record, "decided": not record["decided"]}
    yield 0, {**record, "p_lower": (1.0).hex()}
    bound = float.fromhex(record["log_error"])
    if bound < 0:
        yield 0, {**record, "log_error": math.nextafter(bound, -math.inf).hex()}
        with mpmath.workdps(DIGITS):
            first = -mpmath.expm1(mpmath.mpf(bound))
        yield 0, {**record, "p_lower": math.nextafter(below(first), 2).hex()}
    if run["vote"] == "pairwise":
        yield 0, {**record, "log_error": math.nextafter(bound, 1).hex()}
    yield from wrong_rivals(run, arrays, record)
    yield from wrong_winners(run, record)
    for name, radius in record["radius"].items():
        if record["decided"] and int(radius) < n:
            yield 0, {**record, "radius": {**record["radius"], name: str(int(radius) + 1)}}


def wrong_rivals(run, arrays, record):
    """Yield records with a bound that is below ln B(t), or a t that does not give it."""
    q, labels = Fraction(run["noise_model"]["q"]), [int(y) for y in arrays["y_train"]]
    alpha, classes = exact_scores(run, arrays, record), int(run["noise_model"]["classes"])
    for at, rival in enumerate(record["rivals"]):
        pair = (int(record["prediction"]), int(rival["class"]))
        t, bound = float.fromhex(rival["t"]), float.fromhex(rival["log_error"])
        if not any(alpha):
            continue
        with mpmath.workdps(DIGITS):
            less = below(ln_bound(alpha, labels, q, classes, pair, t) - mpmath.mpf(10) ** -40)
            far = above(ln_bound(alpha, labels, q, classes, pair, 3 * t + 1))
        if less < 0:
            yield 1, totalled(rival_changed(record, at, log_error=less.hex()), run["vote"])
        if far > bound and bound < 0:
            yield 1, rival_changed(record, at, t=(3 * t + 1).hex())


def wrong_winners(run, record):
    """Yield records for each other class: with no bounds, or with those of the right one."""
    classes, winner = int(run["noise_model"]["classes"]), int(record["prediction"])
    for other in (c for c in range(classes) if c != winner):
        names = [str(b) for b in range(classes) if b != other]
        taken = [
            {**rival, "class": name} for rival, name in zip(record["rivals"], names, strict=True)
        ]
        if record["decided"]:
            yield 1, {**record, "prediction": str(other), "rivals": taken}
        else:
            none = [{"class": name, "t": (0.0).hex(), "log_error": (0.0).hex()} for name in names]
            empty = totalled({**record, "rivals": none}, run["vote"])
            yield 1, {**empty, "prediction": str(other)}


def random_case(seed):
    """Return arrays and options of a small run."""
    random = Random(seed)
    rng = np.random.default_rng(seed)
    classes = random.choice((2, 3, 3, 4, 5))
    kind = random.choice(("plain", "apart", "grid", "twins", "one class", "integers"))
    n, m = random.randint(1, 12), random.randint(1, 2)
    spread = 0.05 if kind == "apart" else 0.6
    arrays = points(seed, classes=classes, n=n, m=m, spread=spread)
    if kind == "grid":
        arrays |= {name: np.round(arrays[name]) for name in ("X_train", "X_test")}
    elif kind == "twins":
        arrays |= {name: np.tile(arrays[name], 2) for name in ("X_train", "X_test")}
    elif kind == "one class":
        arrays["y_train"] = np.full(n, random.randrange(classes))
    elif kind == "integers":
        arrays["X_train"] = rng.integers(-50, 50, size=(n, 2)).astype("i2")
        arrays["X_test"] = rng.integers(-50, 50, size=(m, 2)).astype("i2")
    noise = ["1/10", "1/3", "1/100", "1e-9", "2/5", str(Fraction(classes - 1, classes) - 1 / 64)]
    options = {
        "q": random.choice([q for q in noise if Fraction(q) * classes < classes - 1]),
        "classes": classes,
        "vote": random.choice(checker.VOTES),
        "ridge": random.choice(("1/3", "1", "1e-9", "100")),
        "intercept": random.random() < 0.5,
        "guarantee": random.choice((("kl",), ("kl", "tight"))),
    }
    return arrays, options


@pytest.mark.parametrize("seed", range(120))
def test_a_run_is_true_and_one_number_off_is_not(seed):
    arrays, options = random_case(seed)
    run, records = issue(*slow_run(arrays, **options))
    assert failures(run, records, arrays) == ([], [])
    for record in records:
        for step, wrong in wrong_records(run, arrays, record):
            assert failures(run, [wrong], arrays)[step], wrong


def test_equal_scores_give_the_higher_class():
    """Two classes of the same rows: the prediction of an undecided point is the later one."""
    arrays = {
        "X_train": np.array([[1.0], [1.0], [-1.0]]),
        "y_train": np.array([0, 2, 1]),
        "X_test": np.array([[1.0]]),
        "y_test": np.array([0]),
    }
    for vote in checker.VOTES:
        run, records = issue(*slow_run(arrays, q="1/10", classes=3, vote=vote, intercept=False))
        assert [record["prediction"] for record in records] == ["2"]
        assert failures(run, records, arrays) == ([], [])
        wrong = [{**records[0], "prediction": "0"}]
        rivals = [{**rival, "t": (0.0).hex()} for rival in records[0]["rivals"]]
        for rival, name in zip(rivals, "12", strict=True):
            rival.update({"class": name, "log_error": (0.0).hex()})
        wrong[0]["rivals"] = rivals
        assert "not the class of the largest score" in "".join(failures(run, wrong, arrays)[1])


def test_labels_that_are_no_classes():
    arrays = points()
    run, _, _ = made("plurality")
    for wrong in (3, -1):
        labels = arrays["y_train"].copy()
        labels[0] = wrong
        changed = {**arrays, "y_train": labels}
        with pytest.raises(checker.Bad, match="labels other than 0 to 2"):
            checker.Classifier(run, arrays_of(changed))
    halves = checker.make_array(np.array([0.5]).tobytes(), "<f8", (1,), "y")
    with pytest.raises(checker.Bad, match="labels other than 0 to 2"):
        checker.class_numbers(halves, None, 3)
    texts = checker.make_array(np.array(["0"]).tobytes(), "<U1", (1,), "y")
    with pytest.raises(checker.Bad, match="labels other than"):
        checker.class_numbers(texts, None, 3)


def test_a_count_of_vacuous_points_that_stays_open_is_said_to():
    """No count is taken as right, or as wrong, where the precision does not suffice."""
    run, records, _ = made("plurality")
    report = checker.Report()

    def stuck(*_):
        raise checker.Open("open at 16384 bits")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checker, "is_majority", stuck)
        checker.check_figures(checker.Evidence(run, records, complete=True), None, report)
    assert states(report) == {
        "vacuous": checker.NOT_CHECKED,
        "figures": checker.CHECKED,
        "unsmoothed": checker.NOT_CHECKED,
    }
    assert report.exit_code(require_all=False) == checker.OPEN


def test_points_with_the_same_t_are_each_judged_by_their_own_alphas():
    """What is kept for the rivals of one point is not taken for the next: whatever the order."""
    run, records, arrays = made("plurality")
    t = max((rival["t"] for rival in records[0]["rivals"]), key=float.fromhex)
    seen = set()
    for bound in (-0.25, -0.5, -1.0, -2.0, -4.0, -8.0):
        claims = [
            {
                **record,
                "rivals": [{**r, "t": t, "log_error": bound.hex()} for r in record["rivals"]],
            }
            for record in records
        ]
        alone = [
            list(checker.Classifier(run, arrays_of(arrays)).false_statements(run, claim))
            for claim in claims
        ]
        for order in (range(len(claims)), reversed(range(len(claims)))):
            together = checker.Classifier(run, arrays_of(arrays))
            for at in order:
                assert list(together.false_statements(run, claims[at])) == alone[at]
        seen.add(tuple(map(len, alone)))
    assert any(len(set(each)) > 1 for each in seen)


def test_what_stays_open_does_not_hide_what_is_false(monkeypatch):
    """A radius or a rival that it cannot decide: the false number beside it is named."""
    run, records, arrays = made("plurality")
    decided = next(r for r in records if r["decided"])
    long = {**run, "noise_model": {**run["noise_model"], "q": "1e-9000"}}
    long["training_points"] = "100000"
    wrong = {**decided, "p_lower": (1.0).hex(), "radius": {"kl": "0", "tight": "99999"}}
    answers = list(checker.false_statements(long, wrong))
    assert [type(answer) for answer in answers] == [str, checker.Open]
    report = checker.Report()
    checker.check_each("radii", [wrong], lambda r: checker.false_statements(long, r), report, bar)
    assert states(report) == {"radii": checker.FAILED}
    assert report.exit_code(require_all=False) == checker.REFUTED

    model = checker.Classifier(run, arrays_of(arrays))
    whole, first = model.is_bounded, decided["rivals"][0]["class"]

    def stuck(at, q, t, bound, pair):
        if pair[1] == int(first):
            raise checker.Open("open at 16384 bits")
        return whole(at, q, t, bound, pair)

    monkeypatch.setattr(model, "is_bounded", stuck)
    for place in (-1, 0):
        claim = rival_changed(decided, place, log_error=(-1e300).hex())
        report = checker.Report()
        checker.check_each(
            "log_error", [claim], lambda r: model.false_statements(run, r), report, bar
        )
        expected = checker.FAILED if place else checker.NOT_CHECKED
        assert states(report) == {"log_error": expected}


def bar(*_):
    pass
