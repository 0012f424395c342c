"""Runs with the exact radius and attack files, made slowly from small arrays."""

import json
import math
from fractions import Fraction

import mpmath
import numpy as np

from certaudit import checker
from certaudit.certify.data import LabelledData
from certaudit.noise import LabelFlip
from certaudit.records.from_run import read_run
from certaudit.reference.least_squares import exact_alpha
from certaudit.rigorous.flips import Votes, worst_order
from certaudit.rigorous.flips import bracket as bracket_of
from certaudit.rigorous.radius import kl_radius, tight_radius

NAMES = ("X_train", "y_train", "X_test", "y_test")
VERSIONS = dict.fromkeys(("certaudit", "python", "numpy", "python-flint", "flint"), "0")
LN_HALF = -math.log(2)


def points(seed=1, *, n=18, m=4, spread=0.5, columns=2):
    """Return two clusters around -1 and 1, and test points near them or between."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, size=n + m)
    centre = 2.0 * labels - 1.0
    centre[n:] *= rng.uniform(0, 1, size=m)
    rows = np.round(centre[:, None] + rng.normal(size=(n + m, columns)) * spread, 3)
    values = (rows[:n], labels[:n], rows[n:], labels[n:])
    return dict(zip(NAMES, values, strict=True))


def alphas_of(arrays, *, ridge, intercept):
    """Return exact alphas of every test point."""
    rows = [np.asarray(arrays[name], dtype=float).tolist() for name in ("X_train", "X_test")]
    if intercept:
        rows = [[[*row, 1.0] for row in part] for part in rows]
    return exact_alpha(*rows, Fraction(ridge), intercept=intercept)


def ln_bound(alpha, labels, q, t):
    """Return ln B(t) of (6)."""
    with mpmath.workdps(50):
        s, flip = mpmath.mpf(t), mpmath.mpf(q.numerator) / q.denominator
        total = s / 2
        for a, y in zip(alpha, labels, strict=True):
            e = mpmath.exp(-s * a.numerator / a.denominator)
            total += mpmath.log(flip + (1 - flip) * e if y else (1 - flip) + flip * e)
        return total


def best_t(alpha, labels, q, winner):
    """Return a t that nearly minimises ln B(t) on the side of a class, and never 0."""
    a, y, p = np.array([float(x) for x in alpha]), np.array(labels), float(q)
    sign = 1.0 if winner else -1.0

    def value(t):
        e = np.exp(np.clip(-t * a, -700, 700))
        return t / 2 + np.log(np.where(y == 1, p + (1 - p) * e, 1 - p + p * e)).sum()

    far = 400 / max(np.abs(a).max(), 1e-9) / 10
    low, high = 0.0, far
    for _ in range(100):
        one, two = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, two) if value(sign * one) < value(sign * two) else (one, high)
    return sign * max(low, 1e-6)


def up(value):
    """Return a float64 that is no less than a real."""
    number = float(value)
    while mpmath.mpf(number) < value:
        number = math.nextafter(number, math.inf)
    return number


def down(value):
    return -up(-value)


def flipped(labels, flips):
    return [1 - y if i in flips else y for i, y in enumerate(labels)]


def side_of(alpha, labels, q, winner, votes, end, *, good):
    """Return the strongest evidence that the checker can verify of one end of a bracket."""
    order = worst_order([float(a) for a in alpha], labels, winner).tolist()
    best = {"flips": None, "check": None, "t": None}
    places = range(min(end, len(order)), -1, -1) if good else range(end, len(order) + 1)
    for flips in places:
        said = votes.n if good and flips == len(order) and end == votes.n else flips
        for name in ("_unflipped", "_berry_esseen"):
            if getattr(votes, name)(flips) == (1 if good else -1):
                check = "no-noise" if name == "_unflipped" else "berry-esseen"
                return {"flips": said, "check": check, "t": None}
        changed = flipped(labels, set(order[:flips]))
        t = best_t(alpha, changed, q, winner if good else 1 - winner)
        if ln_bound(alpha, changed, q, t) < LN_HALF - 1e-9:
            return {"flips": said, "check": "chernoff", "t": t.hex()}
    return best


def certificate(index, alpha, labels, label, run):
    """Return a line of certificates.jsonl as a value."""
    q, n = Fraction(run["noise_model"]["q"]), len(labels)
    noise, names = LabelFlip(q), run["guarantee"]
    mean = sum((1 - 2 * q) * a * y + q * a for a, y in zip(alpha, labels, strict=True))
    votes, winner = {}, int(2 * mean >= 1)
    for c in (0, 1):
        votes[c] = Votes.of(alpha, labels, q, c, Fraction(0))
    found = {c: bracket_of(alpha, labels, q, c) for c in (0, 1)}
    winner = next((c for c in (0, 1) if found[c].proved >= 0), winner)
    bracket, line = found[winner], {"index": index, "prediction": winner, "label": label}
    radius = {"proved": max(bracket.proved, 0), "refuted_at": bracket.refuted_at}
    if votes[0].is_constant:
        side = {"by": "constant", "flips": None, "check": None, "t": None}
        rest = {"decided": True, "constant": True, "t": None, "log_error": None, "p_lower": 1.0}
        radii = {name: n for name in names if name != "exact"} | {"exact": radius}
        evidence = {"proved": side, "refuted": None}
        return {
            **line,
            **rest,
            "radius": {name: radii[name] for name in names},
            "evidence": evidence,
        }
    t = best_t(alpha, labels, q, winner)
    bound = ln_bound(alpha, labels, q, t)
    log_error = up(bound) if bound < 0 else 0.0
    t = t if log_error < 0 else 0.0
    known = log_error < LN_HALF
    with mpmath.workdps(400):
        p_lower = down(-mpmath.expm1(mpmath.mpf(log_error))) + 0.0
    radii = {"kl": kl_radius, "tight": tight_radius}
    radii = {
        name: how(noise, log_error=Fraction(log_error), cap=n) if known else 0
        for name, how in radii.items()
    } | {"exact": radius}
    sides = {"proved": None, "refuted": None}
    decided, end = bracket.proved >= 0, bracket.refuted_at
    if decided:
        side = side_of(alpha, labels, q, winner, votes[winner], bracket.proved, good=True)
        sides["proved"] = {"by": bracket.proof.by, **side}
    if end is not None:
        side = side_of(alpha, labels, q, winner, votes[winner], end, good=False)
        sides["refuted"] = {"by": bracket.refutation.by, **side}
    return {
        **line,
        "decided": decided,
        "constant": False,
        "t": t.hex(),
        "log_error": log_error,
        "p_lower": p_lower,
        "radius": {name: radii[name] for name in names},
        "evidence": sides,
    }


def share(hits, total):
    return hits * 10**6 // total / 10**6


def figures(run, lines, unsmoothed):
    """Return a run completed by what follows from its certificates."""
    total, n = len(lines), run["training_points"]
    right = [line for line in lines if line["prediction"] == line["label"]]
    proven = [line for line in right if line["decided"]]
    ones = sum(line["label"] for line in lines)
    run["accuracy"] = {
        "clean": share(len(right), total),
        "decided": share(len(proven), total),
        "unsmoothed": share(unsmoothed, total),
        "constant_0": share(total - ones, total),
        "constant_1": share(ones, total),
    }
    run["certified_accuracy"] = {}
    for name in run["guarantee"]:
        radii = [line["radius"][name] for line in proven]
        radii = [r["proved"] if name == "exact" else r for r in radii]
        counts = [sum(x >= r for x in radii) for r in range(max(radii, default=0) + 1)]
        shares = [share(c, total) for c in counts]
        run["certified_accuracy"][name] = {"correct": counts, "of": total, "accuracy": shares}
    ends = [line["radius"]["exact"]["refuted_at"] for line in right]
    last = max((end for end in ends if end is not None), default=0)
    counts = [sum(end is None or end > r for end in ends) for r in range(last + 1)]
    shares = [math.ceil(Fraction(c * 10**6, total)) / 10**6 for c in counts]
    run["attacked_accuracy"] = {"correct": counts, "of": total, "accuracy": shares}
    closed = 0
    for line in lines:
        proved, end = line["radius"]["exact"].values()
        closed += line["decided"] and (end == proved + 1 or (end is None and proved == n))
    run["brackets"] = {"closed": closed, "open": total - closed}
    run["findings"] = []
    return run


def spelled(ridge):
    return float(ridge).hex() if Fraction(float(ridge)) == ridge else str(ridge)


def header(arrays, *, q, ridge, intercept, guarantee):
    data = LabelledData.check(*(arrays[name] for name in NAMES))
    (n, d), m = data.x_train.shape, len(data.y_test)
    return {
        "certaudit": "0",
        "format": 1,
        "noise_model": {"name": "label-flip", "q": str(Fraction(q)), "classes": 2},
        "classifier": "least squares",
        "vote": "majority",
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


def slow_run(arrays, *, q, ridge="1/3", intercept=True, guarantee=("kl", "tight", "exact")):
    """Return run.json and the lines of certificates.jsonl as values."""
    run = header(arrays, q=q, ridge=ridge, intercept=intercept, guarantee=guarantee)
    labels, lines, unsmoothed = arrays["y_train"].tolist(), [], 0
    alphas = alphas_of(arrays, ridge=ridge, intercept=intercept)
    for at, (alpha, label) in enumerate(zip(alphas, arrays["y_test"].tolist(), strict=True)):
        lines.append(certificate(at, alpha, labels, label, run))
        score = sum(a for a, y in zip(alpha, labels, strict=True) if y)
        unsmoothed += int(2 * score >= 1) == label
    return figures(run, lines, unsmoothed), lines, unsmoothed


def written(run, lines):
    """Return the two files of a run folder."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    return (json.dumps(run, indent=1) + "\n").encode(), text.encode()


def issue(run, lines):
    """Return the signed run and records as a verifier reads them."""
    unsigned = read_run(*written(run, lines))
    statement = checker.read_canonical(unsigned.payload(), "statement")
    checker.fit(statement, checker.EXACT_STATEMENT_SHAPE, "statement")
    checker.check_statement(statement)
    records = checker.record_list(unsigned.lines.splitlines(), statement, complete=True)
    return statement["predicate"]["run"], records


def verdict(run, records, arrays, place):
    """Return the checker's report on records of arrays."""
    np.savez(place / "data.npz", **arrays)
    report = checker.Report()
    found = checker.Evidence(run, records, complete=True)
    checker.check_mathematics(found, report, data=place / "data.npz")
    return report


def classifier_of(run, arrays):
    """Return the checker's classifier for a run as it is signed."""
    made = {
        name: checker.make_array(np.ascontiguousarray(a).tobytes(), a.dtype.str, a.shape, name)
        for name, a in arrays.items()
    }
    return checker.Classifier(run, made)
