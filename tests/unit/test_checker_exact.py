"""The exact radius in the stand-alone checker: its numbers, its verdicts, attacks replayed."""

import copy
import json
import math
from argparse import Namespace
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, product
from random import Random

import exact_support as support
import mpmath
import numpy as np
import pytest

from certaudit import checker
from certaudit.errors import InputError, Untrusted
from certaudit.reference import flips as reference
from certaudit.rigorous.flips import Votes, worst_order
from certaudit.verifier import verify

HALF = Fraction(1, 2)


def real(number):
    return mpmath.mpf(number.numerator) / number.denominator


# ------------------------------------------------------------------------------ arithmetic


def test_pi():
    with mpmath.workdps(100):
        assert 0 < mpmath.pi - real(checker.PI) < mpmath.mpf(10) ** -59


@pytest.mark.parametrize("p", [64, 96, 128, 150])
def test_the_normal_law_is_enclosed(p):
    random = Random(p)
    points = [0, 1, 2, 1 << 20, 1 << p, (8 << p) - 1, 8 << p, (8 << p) + 1, 9 << p, 40 << p]
    points += [random.getrandbits(random.randint(1, p + 3)) for _ in range(150)]
    points += [random.randint(0, 8 << p) for _ in range(150)]
    with mpmath.workdps(120):
        for z in points:
            low, high = checker.normal_between(z, p)
            value = mpmath.erf(mpmath.mpf(z) / 2**p / mpmath.sqrt(2)) / 2 * 2**p
            assert low <= value <= high, (z, p)
            if z <= 8 << p:
                assert high - low < (p + 500) * 8 * mpmath.exp(mpmath.mpf(z * z) / 2 ** (2 * p + 1))
            assert low >= 0
            assert high <= 1 << p


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 24, 69, 70, 692, 694, 5000])
def test_when_noise_is_too_rare_to_matter(n):
    for text in ("1/10", "1/100", "1/3", "1/1000", "1/1000000", "49/100", "1e-300"):
        q = Fraction(text)
        with mpmath.workdps(400):
            assert checker.is_quiet(q, n) == bool((1 - real(q)) ** n > mpmath.mpf(1) / 2)


def test_a_law_that_is_nearly_a_tie_is_open_and_not_quiet(monkeypatch):
    def stuck(*_):
        raise checker.Open("open")

    monkeypatch.setattr(checker, "is_quiet", stuck)
    assert not checker.Law([1], 1, 0, Fraction(1, 10), last=False).quiet


# ------------------------------------------------------------------------- the law of a score


def small(seed, n=7, m=3):
    """Return a classifier of few points, its exact alphas, its labels."""
    random = Random(seed)
    arrays = support.points(seed, n=n, m=m, spread=random.choice((0.3, 0.8, 1.5)))
    if seed % 3 == 0:  # rows twice, and with another label: equal and opposite supports
        arrays["X_train"][: n // 2] = arrays["X_train"][n // 2 : 2 * (n // 2)]
    if seed % 5 == 0:  # alphas that are 0
        arrays["X_train"][1] = 0.0
    intercept, ridge = bool(seed % 2), random.choice(("1/3", "5", "1/1000"))
    run = support.header(arrays, q="1/10", ridge=ridge, intercept=intercept, guarantee=("kl",))
    run = checker.read_plain(json.dumps(run).encode(), "run")
    alphas = support.alphas_of(arrays, ridge=ridge, intercept=intercept)
    return support.classifier_of(run, arrays), alphas, arrays["y_train"].tolist()


NOISE = ("1/10", "1/3", "2/5", "1/50", "1/1000", "49/100")


@pytest.mark.parametrize("seed", range(24))
def test_brackets_hold_against_every_set_of_flips(seed):
    random = Random(seed)
    classifier, alphas, labels = small(seed, n=random.randint(4, 7))
    closed = 0
    for at, alpha in enumerate(alphas):
        for q in map(Fraction, random.sample(NOISE, 3)):
            for c in (0, 1):
                found = classifier.bracket(at, q, c)
                truth = reference.brute_force_radius(alpha, labels, q, c)
                assert found.proved <= truth
                assert found.refuted is None or found.refuted > truth
                if found.law.quiet:
                    assert found.proved == truth
                    assert found.refuted == (None if truth == len(labels) else truth + 1)
                    closed += 1
    assert closed or seed % 2


@pytest.mark.parametrize("seed", range(12))
def test_a_witness_for_any_labels(seed):
    random = Random(seed)
    classifier, alphas, labels = small(seed, n=6)
    shown = 0
    for at, alpha in enumerate(alphas):
        for q in map(Fraction, ("1/50", "1/10")):
            flips = random.choice(list(combinations(range(6), random.randint(0, 3))))
            other = classifier.relabelled(flips)
            changed = reference.flip(labels, flips)
            assert other.labels == changed
            assert [sorted(part) for part in other.of_class] == [
                [i for i, y in enumerate(changed) if y == c] for c in (0, 1)
            ]
            score = sum(a for a, y in zip(alpha, changed, strict=True) if y)
            assert (other.sign(at, other.sums[1], 1) >= 0) == (score >= HALF)
            best = [support.best_t(alpha, changed, q, c) for c in (0, 1)]
            for t in (*best, *(random.uniform(-30, 30) for _ in range(2)), 0.0):
                for c in (0, 1):
                    wins = other.wins(at, q, Fraction(t), c, Fraction(0))
                    assert not wins or reference.winner(alpha, labels, q, flips) == c
                    assert not wins or (t > 0) == (c == 1)
                    bound = support.ln_bound(alpha, changed, q, t)
                    if (t > 0) == (c == 1) and t:
                        assert wins == bool(bound < -mpmath.log(2))
                    shown += wins
    assert shown


def test_the_law_is_that_of_berry_and_esseen():
    """The checker proves what balls prove, where alphas are many."""
    equal = 0
    for seed, n in ((5, 60), (6, 120)):
        arrays = support.points(seed, n=n)
        run = support.header(arrays, q="1/10", ridge="1/3", intercept=True, guarantee=("kl",))
        classifier = support.classifier_of(checker.read_plain(json.dumps(run).encode(), ""), arrays)
        alphas = support.alphas_of(arrays, ridge="1/3", intercept=True)
        labels = arrays["y_train"].tolist()
        for at, alpha in enumerate(alphas):
            for c in (0, 1):
                votes = Votes.of(alpha, labels, Fraction(1, 10), c, Fraction(0))
                signs = [votes._berry_esseen(r) for r in range(votes.positive + 1)]
                found = classifier.bracket(at, Fraction(1, 10), c)
                proved = signs.count(1) - 1
                assert found.proved == (n if proved == votes.positive else proved)
                assert found.refuted == (signs.index(-1) if -1 in signs else None)
                equal += proved > -1
                for r, sign in enumerate(signs):
                    lead = found.leads[r]
                    assert found.law.holds(lead, c) != found.law.fails(lead)
                    assert found.law.holds(lead, c) == (sign == 1)
    assert equal


def test_ties_without_noise_are_class_1():
    """Scores of exactly 1/2, whose order no precision shows."""
    rows = np.array([[1.0], [1.0], [1.0], [1.0], [-1.0]])
    arrays = dict(
        zip(
            support.NAMES,
            (rows, np.array([1, 1, 0, 0, 0]), np.array([[1.25], [-1.25]]), np.array([1, 0])),
            strict=True,
        )
    )
    run = support.header(arrays, q="1/100", ridge="0", intercept=False, guarantee=("kl",))
    classifier = support.classifier_of(checker.read_plain(json.dumps(run).encode(), ""), arrays)
    alphas = support.alphas_of(arrays, ridge="0", intercept=False)
    assert alphas[0] == [Fraction(1, 4)] * 4 + [-Fraction(1, 4)]
    for at, alpha in enumerate(alphas):
        for c in (0, 1):
            found = classifier.bracket(at, Fraction(1, 100), c)
            truth = reference.unsmoothed_radius(alpha, [1, 1, 0, 0, 0], c)
            assert found.proved == truth
            assert found.refuted == (None if truth == 5 else truth + 1)
    assert classifier.bracket(0, Fraction(1, 100), 1).proved == 0


def sharp(monkeypatch):
    """Make the bounds of e^x the nearest integers: every other rounding then shows."""

    def ends(x, p, width=0):
        with mpmath.workdps(60):
            low, high = (mpmath.exp(mpmath.mpf(y) / 2**p) * 2**p for y in (x, x + width))
            return int(mpmath.floor(low)), int(mpmath.ceil(high))

    monkeypatch.setattr(checker, "exp_between", ends)


@pytest.mark.parametrize("p", [2, 3, 4, 5, 6, 10])
def test_each_end_of_the_normal_law_at_few_bits(p, monkeypatch):
    sharp(monkeypatch)
    with mpmath.workdps(40):
        for z in range(min((9 << p) + 2, 1 << 10)):
            low, high = checker.normal_between(z, p)
            value = mpmath.erf(mpmath.mpf(z) / 2**p / mpmath.sqrt(2)) / 2 * 2**p
            assert low <= value, z
            assert high >= value, z


LAWS = ("2/5", "1/100", "1/10", "49/100", "12345/100000")


def laws(seed):
    """Yield laws of few or many units, with errors that matter, and what they are of."""
    random = Random(seed)
    for q in map(Fraction, LAWS):
        for most in (1, 3, 1000, 1 << 40):
            n = random.randint(80, 160)
            a = [random.choice((1, -1)) * random.randint(1, most) for _ in range(n)]
            unit, error = random.randint(2, 12), random.choice((0, 1, 7, most, 5 * most))
            yield checker.Law(a, unit, error, q, last=True), a, unit, error, q


def test_the_numbers_of_a_law():
    for law, a, unit, error, q in laws(1):
        squares, whole = sum(v * v for v in a), q.denominator
        assert law.deviation == whole**2 * q * (1 - q) * squares
        assert law.half == whole * Fraction(2**unit, 2)
        assert law.error == whole * error
        assert law.slack == Fraction(2 * error, 2**unit)
        with mpmath.workdps(80):
            beta = reference.BERRY_ESSEEN.numerator * reference.lyapunov(a, q)
            beta *= mpmath.mpf(2) ** law.bits / reference.BERRY_ESSEEN.denominator
            assert law.beta[0] <= beta <= law.beta[1] == law.beta[0] + 1
            labels = [v % 2 for v in a]
            for c in (0, 1):  # the mean of the margin, times the denominator
                half = Fraction(2**unit, 2)
                mean = sum(x * ((1 - q) if y else q) for x, y in zip(a, labels, strict=True))
                assert law.lead(labels, c) == whole * (2 * c - 1) * (mean - half)


@pytest.mark.parametrize("seed", range(3))
def test_each_end_of_a_law(seed):
    """`holds` and `fails` on both sides of where the theorem begins to prove something."""
    seen = 0
    for law, a, _, error, q in laws(seed):
        with mpmath.workdps(80):
            one, scale = mpmath.mpf(1), mpmath.mpf(2) ** law.bits
            deviation = mpmath.sqrt(real(q * (1 - q) * q.denominator**2 * sum(v * v for v in a)))
            beta = reference.lyapunov(a, q) * real(reference.BERRY_ESSEEN)
            if beta >= one / 2 - mpmath.mpf(2) ** -30:
                continue
            seen += 1

            def normal(lead, deviation=deviation):
                return mpmath.erf(lead / deviation / mpmath.sqrt(2)) / 2

            edge = deviation * mpmath.sqrt(2) * mpmath.erfinv(2 * beta)
            shift = q.denominator * error  # what alphas are off by
            for far in (*range(-3, 4), *(edge * k / 2**20 for k in range(-3, 4))):
                lead = int(mpmath.floor(edge + far))
                low, high = law.normal(lead)
                assert low <= normal(lead) * scale, lead
                assert high >= normal(lead) * scale, lead
                for base in (0, shift, -shift):
                    if law.holds(lead + base, 1):
                        assert normal(lead + base - shift) > beta
                    if law.fails(lead + base):
                        assert normal(lead + base + shift) < beta
            if edge > 2**30:  # units so small that only what alphas are off by is between
                up, down = (int(edge * (1 + k * mpmath.mpf(2) ** -24)) for k in (1, -1))
                assert law.holds(up + shift, 1)
                assert not law.holds(down + shift, 1)
                assert law.fails(down - shift)
                assert not law.fails(up - shift)
    assert seen > 5


def test_berry_and_esseen_are_called_short_by_more_than_what_rounds():
    """From 2^-32 of beta on, not before."""
    law = checker.Law([1 << 80] * 100, 90, 0, Fraction(1, 10), last=True)
    with mpmath.workdps(80):
        beta = mpmath.mpf(law.beta[0]) / 2**law.bits
        deviation = mpmath.sqrt(mpmath.mpf(law.deviation))
        for part, fails in ((31.5, True), (32.5, False), (40, False)):
            short = beta * (1 - mpmath.mpf(2) ** -part)
            lead = int(deviation * mpmath.sqrt(2) * mpmath.erfinv(2 * short))
            assert law.fails(lead) == fails
            assert not law.holds(lead, 1)


# ------------------------------------------------------------- alphas that are off by much


def near_ties(seed):
    """Return a classifier without intercept of one column, votes within 2^-k of a tie."""
    random = Random(seed)
    n = random.randint(3, 6)
    rows = [random.choice((1, 1, 2, 3, -1, Fraction(1, 1 << 20))) for _ in range(n)]
    labels = [int(random.random() < 0.8) for _ in range(n)]
    labels[0] = rows[0] = 1
    tests = []
    for _ in range(4):
        some = [x for x, y in zip(rows, labels, strict=True) if y]
        some = [x for x in some if random.random() < 0.7]
        part = sum(some) or 1
        near = Fraction(sum(x * x for x in rows), 2 * part)
        near = round(near * 2**24) * Fraction(1, 2**24)
        far = random.choice((-1, 0, 0, 1)) * Fraction(1, 1 << random.choice(SIZES))
        whole = seed % 2 and Fraction(math.floor(near) + random.randint(0, 1))  # 1 / (2 det M) off
        tests.append(float(whole or near + far))
    values = (
        np.array(rows, dtype=float)[:, None],
        np.array(labels),
        np.array(tests)[:, None],
        np.array([1, 0, 1, 0]),
    )
    arrays = dict(zip(support.NAMES, values, strict=True))
    run = support.header(arrays, q="1/100", ridge="0", intercept=False, guarantee=("kl",))
    run = checker.read_plain(json.dumps(run).encode(), "run")
    alphas = support.alphas_of(arrays, ridge="0", intercept=False)
    return support.classifier_of(run, arrays), alphas, labels


SIZES = (3, 5, 6, 7, 8, 9, 12, 20)


def bend(classifier, alphas, how):
    """Let a classifier see alphas as wrong as it allows for, by up to 2 reach units each."""
    random, most, extra = Random(1), 2 * classifier.reach, classifier.reach.bit_length() + 2

    def bent(at, bits):
        seen = []
        for a, y in zip(alphas[at], classifier.labels, strict=True):
            low = math.ceil(a * 2 ** (bits + extra)) - most
            high = math.floor(a * 2 ** (bits + extra)) + most
            ends = {"up": high, "down": low, "spread": high if y else low}
            seen.append(ends.get(how) if how in ends else random.choice((low, high)))
        return seen, extra

    classifier.alphas = bent
    return classifier


def test_alphas_are_off_by_no_more_than_is_said():
    for seed in range(8):
        for classifier, alphas, _ in (small(seed), near_ties(seed)):
            for at, bits in product(range(len(alphas)), (0, 2, 5, 12, 160)):
                found, extra = classifier.alphas(at, bits)
                for a, x in zip(alphas[at], found, strict=True):
                    assert abs(a * 2 ** (bits + extra) - x) <= 2 * classifier.reach


@pytest.mark.parametrize("how", ["up", "down", "spread", "any"])
def test_brackets_from_few_bits(how):
    """Votes near a tie, alphas as far off as they may be: nothing false, and all in the end."""
    for seed in range(40):
        classifier, alphas, labels = near_ties(seed)
        bend(classifier, alphas, how)
        n = len(labels)
        for at, alpha in enumerate(alphas):
            for c in (0, 1):
                truth = reference.unsmoothed_radius(alpha, labels, c)
                speak = sum(s > 0 for s in reference.supports(alpha, labels, c))
                for bits in (2, 3, 4, 5, 6, 8, 12):
                    found = classifier.bracket(at, Fraction(1, 100), c, bits)
                    assert found.proved == truth
                    assert found.refuted == (None if truth == n else truth + 1)
                    assert found.most >= speak


@pytest.mark.parametrize("how", ["up", "down", "spread", "any"])
def test_witnesses_for_worst_flips_from_few_bits(how):
    """The worst flips are seen wrong: what t shows of those seen holds for the worst ones too."""
    shown = refused = 0
    for seed in range(8):
        classifier, alphas, labels = small(seed, n=6)
        q = Fraction(1, 10)
        for at, alpha in enumerate(alphas):
            c = int(classifier.bracket(at, q, 0).leads[0] <= 0)
            seen = bend(copy.copy(classifier), alphas, how).bracket(at, q, c, 3)
            for name, winner in (("proved", c), ("refuted", 1 - c)):
                for flips in range(4):
                    worst = reference.worst_flips(alpha, labels, c, flips)
                    if name == "refuted" and len(worst) < flips:
                        continue
                    changed = reference.flip(labels, worst)
                    t = crossing(alpha, changed, q, winner)
                    if t is None:
                        continue
                    for far in (-0.1, -1e-3, -1e-9, 1e-9, 1e-3, 0.1, 0.3, 1.0):
                        point = t * (1 + far)
                        bound = support.ln_bound(alpha, changed, q, point)
                        record = {"index": str(at), "prediction": str(c)}
                        part = side("fourier", flips, "chernoff", point.hex())
                        record["evidence"] = {name: part}
                        said = list(classifier.false_evidence(record, name, q, seen))
                        if name == "proved" and not said:
                            assert bound < -mpmath.log(2)
                            shown += 1
                        if bound < -mpmath.log(2):
                            assert not any(isinstance(text, str) for text in said)
                        refused += any(isinstance(text, str) for text in said)
    assert refused
    assert shown or how != "any"


def crossing(alpha, labels, q, winner):
    """Return where ln B(t) comes below ln 1/2 first, on the side of a class; None where not."""
    best = support.best_t(alpha, labels, q, winner)
    if support.ln_bound(alpha, labels, q, best) >= support.LN_HALF:
        return None
    near, far = 0.0, best
    for _ in range(50):
        middle = (near + far) / 2
        below = support.ln_bound(alpha, labels, q, middle) < support.LN_HALF
        near, far = (near, middle) if below else (middle, far)
    return far


def test_the_slack_of_a_witness():
    """True, open and false on both sides of where ln B(t) + |t| slack meets ln 1/2."""
    shown = refused = 0
    for seed in range(6):
        classifier, alphas, labels = small(seed, n=6)
        q, little = Fraction(1, 10), Fraction(1, 10**18)
        for at, alpha in enumerate(alphas):
            for c in (0, 1):
                best = support.best_t(alpha, labels, q, c)
                for t in (best, best / 3, best * 2):
                    with mpmath.workdps(50):
                        gap = -mpmath.log(2) - support.ln_bound(alpha, labels, q, t)
                        meets = abs(gap) / abs(mpmath.mpf(t)) * 2**150
                    meets = Fraction(int(meets), 2**150)
                    near, far = meets * (1 - little), meets * (1 + little)
                    if gap > 0:
                        assert classifier.wins(at, q, Fraction(t), c, near)
                        shown += 1
                    else:
                        assert not classifier.wins(at, q, Fraction(t), c, near)
                        refused += 1
                    with pytest.raises(checker.Open):
                        classifier.wins(at, q, Fraction(t), c, far)
                    assert not classifier.wins(at, q, -Fraction(t), c, near)
    assert shown
    assert refused


# ------------------------------------------------------------------------------ whole runs

WHOLE = {
    "enumerated": {"n": 18, "q": "1/5", "seed": 2},
    "by chernoff": {"n": 14, "q": "1/10", "seed": 1},
    "quiet": {"n": 20, "q": "1/100", "seed": 3, "intercept": False},
    "undecided by log_error": {"n": 16, "q": "2/5", "seed": 4},
    "by fourier": {"n": 120, "q": "1/10", "seed": 5},
    "kl alone": {"n": 60, "q": "1/10", "seed": 6, "guarantee": ("kl", "exact")},
    "quiet and many": {"n": 300, "q": "1/1000", "seed": 7},
}
STEPS = ("radii", "data", "alpha", "log_error", "evidence", "figures")


def options_of(name):
    options = dict(WHOLE[name])
    chosen = {key: options.pop(key) for key in ("n", "spread", "seed") if key in options}
    return support.points(chosen.pop("seed"), **chosen), options


@lru_cache
def slow(name):
    arrays, options = options_of(name)
    run, lines, _ = support.slow_run(arrays, **options)
    return run, lines, arrays


def made(name):
    """Return a run and its lines as values, and its arrays."""
    return copy.deepcopy(slow(name))


def states(report):
    return {name: state for name, state, _, _ in report.steps}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_run_is_true(name, tmp_path):
    run, lines, arrays = made(name)
    signed, records = support.issue(run, lines)
    report = support.verdict(signed, records, arrays, tmp_path)
    assert all(states(report)[step] == "checked" for step in STEPS), report.steps
    whole = name.startswith("quiet")
    assert states(report)["radius.exact"] == ("checked" if whole else "not checked")
    assert report.exit_code(require_all=False) == 0
    assert report.exit_code(require_all=True) == (0 if whole else 3)


def test_the_runs_are_of_every_sort():
    sides = [
        side
        for name in WHOLE
        for line in made(name)[1]
        for side in line["evidence"].values()
        if side is not None
    ]
    assert {side["check"] for side in sides} == {None, "no-noise", "chernoff", "berry-esseen"}
    assert {"constant", "no-noise", "enumeration", "fourier"} <= {side["by"] for side in sides}


def test_what_is_not_checked_is_said(tmp_path):
    run, lines, arrays = made("by fourier")
    signed, records = support.issue(run, lines)
    report = support.verdict(signed, records, arrays, tmp_path)
    text = next(text for name, _, text, _ in report.steps if name == "radius.exact")
    stated = sum(line["radius"]["exact"]["proved"] for line in lines)
    checked = sum(line["evidence"]["proved"]["flips"] for line in lines)
    later = sum(
        line["evidence"]["refuted"]["flips"] - line["radius"]["exact"]["refuted_at"]
        for line in lines
    )
    assert checked < stated
    assert f"in full for 0 of 4, {checked} of {stated} flips in all, no winner for 0" in text
    assert f"for 4 only after {later} flips more in all, for 0 not at all" in text
    without = checker.Report()
    found = checker.Evidence(signed, records, complete=True)
    checker.check_mathematics(found, without, data=None)
    assert states(without)["radius.exact"] == "not checked"
    assert without.exit_code(require_all=False) == 0


def test_a_sample_says_that_it_is_of_what_is_checked(tmp_path):
    run, lines, arrays = made("by fourier")
    signed, records = support.issue(run, lines)
    np.savez(tmp_path / "data.npz", **arrays)
    for keep, said in ((records, True), ([r for r in records if r["index"] == "0"], True)):
        report = checker.Report()
        found = checker.Evidence(signed, keep, complete=False)
        place = tmp_path / "data.npz"
        checker.check_mathematics(found, report, data=place, sample=1, seed="a")
        assert ("in what is checked" in " ".join(report.remarks)) == (said and len(keep) > 1)


FIGURES = {
    "attacked count": lambda run: run["attacked_accuracy"]["correct"].__setitem__(0, "1"),
    "attacked share": lambda run: run["attacked_accuracy"]["accuracy"].__setitem__(
        -1, (0.123).hex()
    ),
    "attacked longer": lambda run: [
        run["attacked_accuracy"][k].append(run["attacked_accuracy"][k][-1])
        for k in ("correct", "accuracy")
    ],
    "attacked shorter": lambda run: [
        run["attacked_accuracy"][k].pop() for k in ("correct", "accuracy")
    ],
    "brackets": lambda run: run.update(brackets={"closed": "1", "open": "3"}),
    "exact curve": lambda run: run["certified_accuracy"]["exact"]["correct"].__setitem__(-1, "3"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_that_is_off_is_refused(name, tmp_path):
    run, lines, arrays = made("by fourier")
    signed, records = support.issue(run, lines)
    changed = copy.deepcopy(signed)
    FIGURES[name](changed)
    assert changed != signed
    report = support.verdict(changed, records, arrays, tmp_path)
    assert states(report)["figures"] == "failed"
    assert report.exit_code(require_all=False) == 1


def test_an_undecided_bracket_is_open():
    bracket = {"proved": "0", "refuted_at": "1"}
    for decided, closed in ((True, "1"), (False, "0")):
        record = {"decided": decided, "radius": {"exact": bracket}}
        found = checker.exact_figures({"training_points": "5"}, [record], [record])
        assert found["brackets"] == {"closed": closed, "open": str(1 - int(closed))}
        assert found["attacked_accuracy"]["correct"] == ["1", "0"]


def test_the_shares_of_an_attack_are_rounded_up(tmp_path):
    arrays, options = options_of("by fourier")
    arrays |= {name: arrays[name][:3] for name in ("X_test", "y_test")}
    arrays["y_test"][0] ^= 1
    run, lines, _ = support.slow_run(arrays, **options)
    assert 0.333334 in run["attacked_accuracy"]["accuracy"]
    signed, records = support.issue(run, lines)
    report = support.verdict(signed, records, arrays, tmp_path)
    assert states(report)["figures"] == "checked"


# ------------------------------------------------------------------------------ forgeries


def answers(signed, records, arrays):
    """Return what the checker says of each record, by its index, and what it knows."""
    classifier = support.classifier_of(signed, arrays)
    q, said, known = Fraction(signed["noise_model"]["q"]), {}, []
    for record in records:
        said[record["index"]] = [
            *checker.false_statements(signed, record),
            *classifier.false_statements(signed, record),
            *classifier.false_sides(record, q, known),
        ]
    return said, known


def false(signed, record, arrays):
    """Return whether a record is found false."""
    said, _ = answers(signed, [record], arrays)
    return any(isinstance(text, str) for text in said[record["index"]])


def put(record, path, new):
    record = copy.deepcopy(record)
    *above, last = path.split(".")
    inner = record
    for name in above:
        inner = inner[name]
    inner[last] = new(inner[last]) if callable(new) else new
    return record


def side(by="fourier", flips=None, check=None, t=None):
    return {"by": by, "flips": flips if flips is None else str(flips), "check": check, "t": t}


def test_brackets_that_the_checker_can_refute_are_false():
    run, lines, arrays = made("by fourier")
    signed, records = support.issue(run, lines)
    for record in records:
        found = support.classifier_of(signed, arrays).bracket(
            int(record["index"]), Fraction(1, 10), int(record["prediction"])
        )
        proved, refuted = found.proved, found.refuted
        assert not false(signed, record, arrays)
        # A weaker statement is true, one that only others can refute is not found false.
        for name, flips, wrong in (
            ("proved", proved, False),
            ("proved", refuted - 1, False),
            ("proved", refuted, True),
            ("proved", refuted + 5, True),
            ("proved", 120, True),
            ("refuted_at", proved + 1, False),
            ("refuted_at", proved, True),
            ("refuted_at", 1, True),
        ):
            bare = {"proved": side(), "refuted": side()}
            forged = put(put(record, "evidence", bare), f"radius.exact.{name}", str(flips))
            if name == "proved":
                forged["radius"]["exact"]["refuted_at"] = forged["evidence"]["refuted"] = None
            assert false(signed, forged, arrays) == wrong, (name, flips)
        # Evidence has to show what it says.
        for name, flips, wrong in (
            ("proved", proved, False),
            ("proved", proved + 1, True),
            ("refuted", refuted, False),
            ("refuted", refuted - 1, True),
            ("refuted", 120, True),
        ):
            forged = put(record, f"evidence.{name}", side("fourier", flips, "berry-esseen"))
            assert false(signed, forged, arrays) == wrong, (name, flips)
        for name in ("proved", "refuted"):
            forged = put(record, f"evidence.{name}.check", "no-noise")
            assert false(signed, forged, arrays)
        for claim in (
            put(record, "radius.exact", {"proved": "100", "refuted_at": None}),
            put(record, "radius.exact.proved", "119"),
        ):
            claim["radius"]["exact"]["refuted_at"] = claim["evidence"]["refuted"] = None
            claim["evidence"]["proved"] = side("fourier", 100, "berry-esseen")
            assert false(signed, claim, arrays)


def test_witnesses_that_show_nothing_are_false():
    run, lines, arrays = made("by chernoff")
    signed, records = support.issue(run, lines)
    seen = 0
    for record in records:
        assert not false(signed, record, arrays)
        for name, part in record["evidence"].items():
            if part is None or part["check"] != "chernoff":
                continue
            seen += 1
            t = float.fromhex(part["t"])
            for wrong in (-t, 0.0, t * 2**-30, t * 2**10, 1e300 * math.copysign(1, t)):
                forged = put(record, f"evidence.{name}.t", wrong.hex())
                assert false(signed, forged, arrays), wrong
            step = 1 if name == "proved" else -1
            flips = int(part["flips"]) + step
            if name == "refuted" and flips >= int(record["radius"]["exact"]["refuted_at"]):
                forged = put(record, f"evidence.{name}.flips", str(flips))
                assert false(signed, forged, arrays)
    assert seen > 3


def test_other_members_that_are_changed():
    for name in ("by fourier", "undecided by log_error", "quiet"):
        run, lines, arrays = made(name)
        signed, records = support.issue(run, lines)
        for record in records:
            if record["constant"]:
                continue
            other = put(record, "prediction", lambda c: str(1 - int(c)))
            assert false(signed, other, arrays)
            assert false(signed, put(record, "label", lambda c: str(1 - int(c))), arrays)
            proven = checker.is_majority(checker.binary64(record["log_error"], ""))
            # Without log_error the papers' radii are 0, and the evidence proves the winner.
            weak = put(put(record, "log_error", "0x0.0p+0"), "p_lower", "0x0.0p+0")
            bare = put(weak, "radius", lambda r: {"exact": r["exact"], "kl": "0", "tight": "0"})
            assert not false(signed, bare, arrays)
            if int(record["radius"]["exact"]["proved"]):
                assert false(signed, put(bare, "radius.kl", "1"), arrays)
                assert false(signed, put(bare, "radius.tight", "1"), arrays)
            undecided = put(put(record, "decided", False), "evidence.proved", None)
            undecided["radius"] = {
                **dict.fromkeys(record["radius"], "0"),
                "exact": {**record["radius"]["exact"], "proved": "0"},
            }
            if int(record["radius"]["exact"]["refuted_at"] or 1) > 0:
                assert false(signed, undecided, arrays) == proven


def test_undecided_is_told_when_no_check_proves_the_winner(tmp_path):
    """A record may rest on a proof that only others can check: it is not called checked."""
    run, lines, arrays = made("undecided by log_error")
    signed, records = support.issue(run, lines)
    said, known = answers(signed, records, arrays)
    assert not any(said.values())
    unknown = [record for record, proved, _ in known if record["decided"] and proved < 0]
    assert unknown
    report = support.verdict(signed, records, arrays, tmp_path)
    text = next(text for name, _, text, _ in report.steps if name == "radius.exact")
    assert f"no winner for {len(unknown)};" in text


@pytest.mark.parametrize("seed", range(16))
def test_nothing_that_is_false_is_ever_checked(seed):
    """Random brackets and evidence, against every set of flips: no falsehood is known to be so."""
    random = Random(seed)
    arrays = support.points(seed, n=8, m=3, spread=random.choice((0.2, 0.8)))
    q = random.choice(("1/10", "1/3", "1/40", "1/100"))
    intercept = bool(seed % 2)
    run, lines, _ = support.slow_run(arrays, q=q, intercept=intercept)
    signed, records = support.issue(run, lines)
    alphas = support.alphas_of(arrays, ridge="1/3", intercept=intercept)
    labels, rate = arrays["y_train"].tolist(), Fraction(q)
    for record in records:
        if record["constant"]:
            continue
        alpha = alphas[int(record["index"])]
        for _ in range(30):
            forged = copy.deepcopy(record)
            c = random.choice("01")
            proved, late = random.randint(0, 8), random.choice([None, *range(1, 9)])
            if late is not None and late <= proved:
                proved = late - 1
            forged["prediction"] = c
            forged["radius"] = {"exact": {"proved": str(proved), "refuted_at": late and str(late)}}
            forged["radius"] |= {"kl": "0", "tight": "0"}
            forged |= {"log_error": "0x0.0p+0", "t": "0x0.0p+0", "p_lower": "0x0.0p+0"}
            forged |= {"decided": True, "evidence": {"proved": None, "refuted": None}}
            checks = [None, "no-noise", "chernoff", "berry-esseen"]
            for name, end in (("proved", proved), ("refuted", late)):
                check = random.choice(checks)
                if end is not None:
                    flips = random.randint(0, end) if name == "proved" else random.randint(end, 8)
                    t = random.uniform(-40, 40).hex() if check == "chernoff" else None
                    forged["evidence"][name] = side("fourier", check and flips, check, t)
            truth = reference.brute_force_radius(alpha, labels, rate, int(c))
            said, known = answers(signed, [forged], arrays)
            _, held, lost = known[0]
            failed = any(isinstance(text, str) for text in said[forged["index"]])
            assert held <= truth
            assert lost is None or lost > truth
            honest = proved <= truth and (late is None or late > truth)
            if held >= proved and (late is None or (lost is not None and lost <= late)):
                assert honest
            if not honest and rate == Fraction(1, 100):
                assert failed  # without noise that matters all of it is decided


def test_a_tie_of_berry_and_esseen_is_open(monkeypatch, tmp_path):
    run, lines, arrays = made("by fourier")
    signed, records = support.issue(run, lines)
    monkeypatch.setattr(checker.Law, "holds", lambda *_: False)
    monkeypatch.setattr(checker.Law, "fails", lambda *_: False)
    report = support.verdict(signed, records, arrays, tmp_path)
    assert states(report)["evidence"] == "not checked"
    assert report.exit_code(require_all=False) == 3
    wrong = [put(record, "radius.exact.refuted_at", "1") for record in records]
    wrong = [put(record, "radius.exact.proved", "0") for record in wrong]
    report = support.verdict(signed, wrong, arrays, tmp_path)
    assert report.exit_code(require_all=False) == 1  # the figures, and kl


def test_what_does_not_settle_is_open(monkeypatch, tmp_path):
    run, lines, arrays = made("by fourier")
    signed, records = support.issue(run, lines)

    def stuck(*_):
        raise checker.Open("it does not settle")

    monkeypatch.setattr(checker.Classifier, "bracket", stuck)
    report = support.verdict(signed, records, arrays, tmp_path)
    assert report.exit_code(require_all=False) == 3
    assert "no winner" in next(t for name, _, t, _ in report.steps if name == "radius.exact")


def test_what_is_known_of_one_labelling_is_not_taken_for_another():
    """Evidence with the t of log_error is asked of the flipped labels, not of those as they are."""
    run, lines, arrays = made("by chernoff")
    signed, records = support.issue(run, lines)
    q, labels = Fraction(signed["noise_model"]["q"]), arrays["y_train"].tolist()
    alphas, seen = support.alphas_of(arrays, ridge="1/3", intercept=True), 0
    for record in records:
        at, c = int(record["index"]), int(record["prediction"])
        if not checker.is_majority(checker.binary64(record["log_error"], "")):
            continue
        t = float.fromhex(record["t"])
        for flips in range(6):
            worst = reference.worst_flips(alphas[at], labels, c, flips)
            changed = reference.flip(labels, worst)
            bound = support.ln_bound(alphas[at], changed, q, t)
            forged = put(record, "evidence.proved", side("fourier", flips, "chernoff", record["t"]))
            forged["radius"]["exact"] = {"proved": "5", "refuted_at": None}
            forged["evidence"]["refuted"] = None
            said, _ = answers(signed, [forged], arrays)
            wrong = f"evidence.proved: chernoff does not show it for {flips}"
            assert (wrong in said[record["index"]]) == bool(bound > -mpmath.log(2))
            seen += wrong in said[record["index"]]
    assert seen > 3


def test_what_kl_proves_is_known_of_the_exact_radius():
    arrays = support.points(1, n=16, spread=0.1)
    run, lines, _ = support.slow_run(arrays, q="1/10")
    signed, records = support.issue(run, lines)
    bare = {"proved": side(), "refuted": None}
    more = 0
    for record in records:
        shown = checker.is_majority(checker.binary64(record["log_error"], ""))
        kl = max(int(record["radius"][name]) for name in ("kl", "tight")) if shown else -1
        found = support.classifier_of(signed, arrays).bracket(
            int(record["index"]), Fraction(1, 10), int(record["prediction"])
        )
        forged = put(record, "evidence", bare)
        _, ((_, proved, refuted),) = answers(signed, [forged], arrays)
        assert proved == max(kl, found.proved)
        assert refuted == found.refuted
        if kl > max(found.proved, 0):
            more += 1
            forged["evidence"] = {"proved": side(), "refuted": side()}
            forged["radius"]["exact"]["refuted_at"] = str(kl)
            assert false(signed, forged, arrays)
            forged["radius"]["exact"]["refuted_at"] = str(kl + 1)
            assert not false(signed, forged, arrays)
    assert more


def test_a_constant_vote_is_known_whole():
    record, known = {"constant": True}, []
    classifier = small(0)[0]
    assert not list(classifier.false_sides(record, Fraction(1, 10), known))
    assert known == [(record, classifier.n, None)]


@pytest.mark.parametrize(
    ("decided", "proved", "refuted", "closed"),
    [
        (True, 5, None, 1),
        (True, 4, None, 0),
        (True, 0, None, 0),
        (True, 3, 4, 1),
        (True, 3, 5, 0),
        (False, 0, 1, 0),
        (False, 5, None, 0),
    ],
)
def test_a_bracket_is_closed_where_nothing_is_left_between(decided, proved, refuted, closed):
    bracket = {"proved": str(proved), "refuted_at": refuted and str(refuted)}
    record = {"decided": decided, "radius": {"exact": bracket}}
    found = checker.exact_figures({"training_points": "5"}, [record], [record])
    assert found["brackets"] == {"closed": str(closed), "open": str(1 - closed)}


@pytest.mark.parametrize(
    ("decided", "refuted", "held", "found", "state", "words"),
    [
        (True, 7, 3, 7, "checked", "proved 1, refuted 1"),
        (True, 7, 4, 6, "checked", "proved 1, refuted 1"),
        (True, 7, 2, 7, "not checked", "for 0 of 1, 2 of 3 flips in all, no winner for 0"),
        (True, 7, 3, 8, "not checked", "for 0 of 1, for 1 only after 1 flips more in all, for 0"),
        (True, 7, 3, None, "not checked", "for 0 only after 0 flips more in all, for 1 not at all"),
        (True, 7, -1, 7, "not checked", "for 0 of 1, 0 of 3 flips in all, no winner for 1"),
        (True, None, 3, None, "checked", "proved 1, refuted 0"),
        (True, None, 3, 2, "checked", "proved 1, refuted 0"),
        (False, 7, -1, 7, "checked", "proved 0, refuted 1"),
        (False, 7, -1, 8, "not checked", "for 0 of 0, 0 of 0 flips in all, no winner for 0"),
    ],
)
def test_no_bracket_is_called_checked_of_which_less_is_known(
    decided, refuted, held, found, state, words
):
    bracket = {"proved": "3", "refuted_at": refuted and str(refuted)}
    record = {"decided": decided, "radius": {"exact": bracket}}
    said, text = checker.known_text([(record, held, found)])
    assert said == state
    assert words in text


def parts(*, proved=3, refuted=5, decided=True, constant=False, kl=0, good=None, bad=None):
    """Return the parts of a record that are its bracket."""
    by = "constant" if constant else "fourier"
    late = refuted and str(refuted)
    return {
        "decided": decided,
        "constant": constant,
        "radius": {"kl": str(kl), "exact": {"proved": str(proved), "refuted_at": late}},
        "evidence": {
            "proved": (good or side(by)) if decided else None,
            "refuted": bad or (side() if refuted else None),
        },
    }


FITTING = {
    "as it is": {},
    "closed": {"refuted": 4},
    "all": {"proved": 8, "refuted": None},
    "the last": {"refuted": 8},
    "kl as much": {"kl": 3},
    "undecided": {"decided": False, "proved": 0},
    "flips at the ends": {
        "good": side("fourier", 3, "berry-esseen"),
        "bad": side("fourier", 5, "berry-esseen"),
    },
    "flips at the other ends": {
        "good": side("fourier", 0, "berry-esseen"),
        "bad": side("fourier", 8, "berry-esseen"),
    },
    "constant": {"constant": True, "proved": 8, "refuted": None},
}
UNFITTING = {
    "beyond n": ({"refuted": 9}, "a bracket within 0 and n"),
    "beyond n, proved": ({"proved": 9, "refuted": None}, "a bracket within 0 and n"),
    "equal": ({"refuted": 3}, "a bracket within 0 and n"),
    "kl above": ({"kl": 4}, "radii up to the exact one"),
    "refuted without evidence": (
        {"refuted": None, "bad": side()},
        "evidence for what is said",
    ),
    "proof of a radius below": ({"good": side("fourier", 4, "no-noise")}, "flips within"),
    "refutation too early": ({"bad": side("fourier", 4, "no-noise")}, "flips within"),
    "refutation beyond n": ({"bad": side("fourier", 9, "no-noise")}, "flips within"),
    "constant, refuted": ({"constant": True}, "constant"),
    "constant, some": ({"constant": True, "refuted": None}, "constant for good"),
    "constant, checked": (
        {
            "constant": True,
            "proved": 8,
            "refuted": None,
            "good": side("constant", 8, "no-noise"),
        },
        "constant for good",
    ),
    "not constant": ({"good": side("constant")}, "constant by that"),
    "constant by another": (
        {"constant": True, "proved": 8, "refuted": None, "good": side("fourier")},
        "constant by that",
    ),
    "check without flips": ({"good": side("fourier", None, "no-noise")}, "flips for a check"),
    "flips without check": ({"good": side("fourier", 3)}, "flips for a check"),
    "chernoff without t": ({"good": side("fourier", 3, "chernoff")}, "t for chernoff"),
    "t without chernoff": ({"good": side("fourier", 3, "no-noise", "0x1p")}, "t for chernoff"),
}


@pytest.mark.parametrize("name", FITTING)
def test_a_bracket_whose_parts_belong_together(name):
    checker.check_bracket(parts(**FITTING[name]), 8, "here")


@pytest.mark.parametrize("name", UNFITTING)
def test_a_bracket_whose_parts_do_not(name):
    members, text = UNFITTING[name]
    with pytest.raises(checker.Bad, match=f"here: not {text}"):
        checker.check_bracket(parts(**members), 8, "here")


def test_a_bracket_without_its_evidence():
    for name, decided in (("proved", True), ("refuted", True), ("proved", False)):
        record = parts(decided=decided, proved=0)
        record["evidence"][name] = None if decided else side()
        with pytest.raises(checker.Bad, match="here: not evidence for what is said"):
            checker.check_bracket(record, 8, "here")


# ------------------------------------------------------------------------------ attack files


def attack_of(arrays, *, index, q, ridge="1/3", intercept=True, flips=None, **members):
    """Return an attack on a test point as a value."""
    run = support.header(arrays, q=q, ridge=ridge, intercept=intercept, guarantee=("kl",))
    alpha = support.alphas_of(arrays, ridge=ridge, intercept=intercept)[index]
    labels, rate = arrays["y_train"].tolist(), Fraction(q)
    votes = {c: Votes.of(alpha, labels, rate, c, Fraction(0)) for c in (0, 1)}
    brackets = {c: support.bracket_of(alpha, labels, rate, c) for c in (0, 1)}
    winner = next(c for c in (0, 1) if brackets[c].proved >= 0)
    end = brackets[winner].refuted_at if flips is None else flips
    order = worst_order([float(a) for a in alpha], labels, winner).tolist()[:end]

    def proof(changed, c, sign):
        for name, check in (("_unflipped", "no-noise"), ("_berry_esseen", "berry-esseen")):
            if getattr(votes[winner], name)(len(changed)) == sign:
                return {"by": check, "check": check, "t": None}
        labelled = support.flipped(labels, set(changed))
        t = support.best_t(alpha, labelled, rate, c)
        if support.ln_bound(alpha, labelled, rate, t) < support.LN_HALF - 1e-9:
            return {"by": "chernoff", "check": "chernoff", "t": t.hex()}
        return {"by": "fourier", "check": None, "t": None}

    names = ("certaudit", "noise_model", "classifier", "vote", "ridge", "intercept", "scale")
    more = ("source", "label_column", "positive", "training_points", "data")
    return {
        "type": "urn:certaudit:attack:label-flip:v1",
        **{name: run[name] for name in (*names, *more)},
        "index": index,
        "label": int(arrays["y_test"][index]),
        "prediction": winner,
        "holds_for": "pipeline",
        "ridge_after": None,
        "radius": {
            "proved": brackets[winner].proved,
            "refuted_at": brackets[winner].refuted_at,
        },
        "flips": [{"index": i, "from": labels[i], "to": 1 - labels[i]} for i in order],
        "before": proof([], winner, 1),
        "after": proof(order, 1 - winner, -1),
        **members,
    }


def spelled(attack):
    return (json.dumps(attack, indent=1) + "\n").encode()


def replayed(attack, arrays, place, *more):
    """Return exit code and output of the checker for an attack; verify goes on from there."""
    np.savez(place / "data.npz", **arrays)
    data = attack if isinstance(attack, bytes) else spelled(attack)
    (place / "attack.json").write_bytes(data)
    report = checker.check(
        checker_options(place / "attack.json", "--data", str(place / "data.npz"), *more)
    )
    code = report.exit_code(require_all="--require-all" in more)
    text = " ".join(text for _, _, text, _ in report.steps)
    try:
        found = verify(
            place / "attack.json",
            key=None,
            data=place / "data.npz",
            require_all="--require-all" in more,
        )
    except InputError as error:
        assert code == 2
        return 2, str(error)
    steps = list(zip(found.steps, report.steps, strict=True))
    for step, (name, state, detail, _) in steps:
        assert step.name == name
        if state == checker.NOT_CHECKED and step.state != state:
            assert step.detail.endswith("by the rigorous engine")
        else:
            assert (step.state, step.detail) == (state, detail)
    if all(step.state == state for step, (_, state, _, _) in steps):
        assert found.exit_code == code
    return code, text


def checker_options(run, *arguments):
    """Return the command line of the checker, parsed."""
    given = dict(zip(arguments[::2], arguments[1::2], strict=False))
    places = {name: given.get(f"--{name}") for name in ("key", "data")}
    places = {name: place and type(run)(place) for name, place in places.items()}
    return Namespace(run=run, test=None, sample=None, seed="", **places)


ATTACKED = {
    "without noise": {"n": 20, "q": "1/100", "seed": 3, "index": 0},
    "by berry-esseen": {"n": 120, "q": "1/10", "seed": 5, "index": 1, "flips": 40},
    "the smallest": {"n": 120, "q": "1/10", "seed": 5, "index": 1},
    "by chernoff": {"n": 14, "q": "1/10", "seed": 1, "index": 1, "flips": 5},
}


@lru_cache
def attack_on(name):
    options = dict(ATTACKED[name])
    arrays = support.points(options.pop("seed"), n=options.pop("n"))
    return attack_of(arrays, **options), arrays


def attacked(name):
    """Return an attack as a value, and its arrays."""
    return copy.deepcopy(attack_on(name))


@pytest.mark.parametrize("name", ATTACKED)
def test_an_attack_is_replayed(name, tmp_path):
    attack, arrays = attacked(name)
    code, text = replayed(attack, arrays, tmp_path)
    assert code == 0, text
    if name == "without noise":
        assert attack["before"]["check"] == "no-noise"
        assert replayed(attack, arrays, tmp_path, "--require-all")[0] == 0
    elif name == "the smallest":
        assert attack["after"]["check"] is None
        assert "by fourier, which cannot be checked here" in text
        assert replayed(attack, arrays, tmp_path, "--require-all")[0] == 3
    else:
        assert attack["after"]["check"] == name.split()[-1]
        assert "cannot be checked" not in text


def steps_of(attack, arrays, place):
    np.savez(place / "data.npz", **arrays)
    report = checker.Report()
    checker.check_attack(
        checker.read_attack(spelled(attack), "attack"), place / "data.npz", None, report
    )
    return {name: (state, code) for name, state, _, code in report.steps}


def test_an_attack_that_does_not_work_is_false(tmp_path):
    attack, arrays = attacked("by berry-esseen")
    flips, true = attack["flips"], steps_of(attack, arrays, tmp_path)
    assert {true[name][0] for name in ("before", "after", "labels")} == {"checked"}
    few = {**attack, "flips": flips[:10]}  # the vote holds
    assert steps_of(few, arrays, tmp_path)["after"] == ("failed", 1)
    bare = {"by": "fourier", "check": None, "t": None}
    assert steps_of({**few, "after": bare}, arrays, tmp_path)["after"] == ("failed", 1)
    near = {**attack, "flips": flips[: attack["radius"]["refuted_at"]]}
    assert steps_of(near, arrays, tmp_path)["after"] == ("failed", 1)  # not by Berry-Esseen
    assert steps_of({**near, "after": bare}, arrays, tmp_path)["after"] == ("not checked", 0)
    swapped = {**attack, "prediction": 1 - attack["prediction"]}
    assert steps_of(swapped, arrays, tmp_path)["before"] == ("failed", 1)
    label = {**attack, "label": 1 - attack["label"]}
    assert steps_of(label, arrays, tmp_path)["labels"] == ("failed", 1)
    wrong = [*flips[:-1], {**flips[-1], "from": flips[-1]["to"], "to": flips[-1]["from"]}]
    assert steps_of({**attack, "flips": wrong}, arrays, tmp_path)["labels"] == ("failed", 1)
    for proof in (
        {"by": "no-noise", "check": "no-noise", "t": None},
        {"by": "chernoff", "check": "chernoff", "t": (-3.0).hex()},
        {"by": "chernoff", "check": "chernoff", "t": (0.0).hex()},
    ):
        changed = {**near, "after": proof}
        assert steps_of(changed, arrays, tmp_path)["after"][0] == "failed", proof
    for radius in ((40, 41), (60, 61), (1, 5), (24, 100), (35, 120)):
        changed = {**attack, "radius": dict(zip(("proved", "refuted_at"), radius, strict=True))}
        wrong = radius in ((40, 41), (60, 61), (1, 5), (35, 120))
        assert (steps_of(changed, arrays, tmp_path)["radius"] == ("failed", 1)) == wrong, radius


def test_a_radius_rests_on_votes_that_are_shown_at_its_ridge(tmp_path):
    attack, arrays = attacked("by chernoff")
    bare = {"by": "fourier", "check": None, "t": None}
    size = len(attack["flips"])
    attack["radius"] = {"proved": 0, "refuted_at": size}
    true = steps_of(attack, arrays, tmp_path)
    assert true["before"] == true["after"] == true["radius"] == ("checked", 0)
    for step in ("before", "after"):
        found = steps_of({**attack, step: bare}, arrays, tmp_path)
        assert found[step] == ("not checked", 0)
        assert found["radius"] == ("not checked", 0)
    late = {**attack, "radius": {"proved": 0, "refuted_at": size - 1}}
    assert steps_of(late, arrays, tmp_path)["radius"] == ("not checked", 0)
    again = copy.deepcopy(attack)
    again["ridge"]["rule"], again["ridge_after"] = "paper", attack["ridge"]["value"]
    found = steps_of(again, arrays, tmp_path)
    assert found["after"] == ("checked", 0)
    assert found["radius"] == ("not checked", 0)


@pytest.mark.parametrize(
    ("held", "least", "state", "words"),
    [
        (5, 6, "checked", "5 proved, refuted at 6"),
        (9, 6, "failed", ""),
        (6, None, "failed", "6 flips do not change it"),
        (-1, 5, "failed", "the vote is not shown, 5 do"),
        (-1, 6, "not checked", "the vote is not shown, 6 do"),
        (-1, None, "not checked", "the vote is not shown, none are shown to"),
        (0, None, "not checked", "0 flips do not change it, none are shown to"),
        (5, 7, "not checked", "5 flips do not change it, 7 do"),
    ],
)
def test_no_more_of_the_radius_is_said_than_is_shown(held, least, state, words):
    attack, report = {"radius": {"proved": "5", "refuted_at": "6"}, "index": "3"}, checker.Report()
    checker.check_radius(report, attack, held, least)
    ((_, found, text, _),) = report.steps
    assert found == state
    assert words in text


def test_the_proof_given_does_not_matter_where_the_checker_has_one(tmp_path):
    attack, arrays = attacked("by berry-esseen")
    bare = {"by": "lattice", "check": None, "t": None}
    found = steps_of({**attack, "before": bare, "after": bare}, arrays, tmp_path)
    assert found["before"] == found["after"] == ("checked", 0)


def test_a_ridge_that_is_computed_again(tmp_path):
    """With ridge_after the flips are replayed at another ridge."""
    attack, arrays = attacked("by berry-esseen")
    attack["ridge"]["rule"] = "paper"
    fixed = {**attack, "holds_for": "fixed ridge"}
    assert steps_of(fixed, arrays, tmp_path)["after"] == ("checked", 0)
    whole = {**attack, "ridge_after": (0.5).hex()}
    assert steps_of(whole, arrays, tmp_path)["after"] == ("checked", 0)
    differ = 0
    for flips in (8, 16, 24, 32):
        some = {**whole, "flips": attack["flips"][:flips]}
        huge = {**some, "ridge_after": (1e9).hex()}  # nearly the mean label
        differ += len({steps_of(each, arrays, tmp_path)["after"] for each in (some, huge)}) == 2
    assert differ


MALFORMED = {
    "unknown member": lambda a: a.update(more=1),
    "no member": lambda a: a.pop("source"),
    "order": lambda a: a.update(certaudit=a.pop("certaudit")),
    "text for a number": lambda a: a.update(index="1"),
    "number for text": lambda a: a.update(source=1),
    "float": lambda a: a.update(index=1.0),
    "true": lambda a: a.update(index=True),
    "negative": lambda a: a.update(index=-1),
    "index beyond": lambda a: a.update(index=4),
    "label 2": lambda a: a.update(label=2),
    "type": lambda a: a.update(type="urn:certaudit:attack:label-flip:v2"),
    "vote": lambda a: a.update(vote="plurality"),
    "q": lambda a: a["noise_model"].update(q="1/2"),
    "classes": lambda a: a["noise_model"].update(classes=3),
    "no flips": lambda a: a.update(flips=[]),
    "a row twice": lambda a: a["flips"].append(a["flips"][0]),
    "a row beyond": lambda a: a["flips"][0].update(index=120),
    "not flipped": lambda a: a["flips"][0].update(to=a["flips"][0]["from"]),
    "flip unknown": lambda a: a["flips"][0].update(more=0),
    "radii equal": lambda a: a["radius"].update(proved=a["radius"]["refuted_at"]),
    "refuted beyond": lambda a: a["radius"].update(refuted_at=121),
    "radius order": lambda a: a.update(radius=dict(reversed(a["radius"].items()))),
    "method": lambda a: a["before"].update(by="magic"),
    "check": lambda a: a["before"].update(check="fourier"),
    "t without chernoff": lambda a: a["before"].update(t="0x1.0000000000000p+0"),
    "chernoff without t": lambda a: a["after"].update(check="chernoff"),
    "holds for": lambda a: a.update(holds_for="ever"),
    "fixed ridge, given": lambda a: a.update(holds_for="fixed ridge"),
    "ridge after, given": lambda a: a.update(ridge_after="0x1.0000000000000p+0"),
    "ridge after, no number": lambda a: a.update(ridge_after="big"),
    "paper without ridge after": lambda a: a["ridge"].update(rule="paper"),
    "ridge": lambda a: a["ridge"].update(value="1.5"),
    "data": lambda a: a["data"].pop("X_test"),
    "shape": lambda a: a["data"]["X_test"].update(shape=[4]),
    "points": lambda a: a.update(training_points=119),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_attack(name, tmp_path):
    attack, arrays = attacked("by berry-esseen")
    MALFORMED[name](attack)
    assert replayed(attack, arrays, tmp_path)[0] == 2


SPELLINGS = {
    "compact": lambda text: json.dumps(json.loads(text)).encode(),
    "no newline": lambda text: text[:-1],
    "two newlines": lambda text: text + b"\n",
    "indent 2": lambda text: json.dumps(json.loads(text), indent=2).encode() + b"\n",
    "not ascii": lambda text: text.replace(b"data.npz", "d\u00e4ta.npz".encode()),
    "twice": lambda text: text.replace(b' "index": 1,', b' "index": 1,\n "index": 1,', 1),
    "nan": lambda text: text.replace(b' "index": 1,', b' "index": NaN,', 1),
    "huge": lambda text: text.replace(b' "index": 1,', b' "index": ' + b"9" * 5000 + b",", 1),
    "deep": lambda text: text.replace(b' "index": 1,', b' "index": ' + b"[" * 10**5, 1),
    "utf-16": lambda text: text[:100] + text[100:].decode().encode("utf-16"),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_another_spelling_of_an_attack(name, tmp_path):
    attack, arrays = attacked("by berry-esseen")
    data = SPELLINGS[name](spelled(attack))
    assert data != spelled(attack)
    assert replayed(data, arrays, tmp_path)[0] == 2


def test_an_attack_on_other_data(tmp_path):
    attack, arrays = attacked("by berry-esseen")
    other = {**arrays, "y_train": 1 - arrays["y_train"]}
    assert replayed(attack, other, tmp_path)[0] == 4


def test_an_attack_takes_no_key(tmp_path):
    attack, arrays = attacked("by berry-esseen")
    np.savez(tmp_path / "data.npz", **arrays)
    place = tmp_path / "attack.json"
    place.write_bytes(spelled(attack))
    arguments = ["--data", str(tmp_path / "data.npz")]
    for more in (("--key", "k"),):
        options = checker_options(place, *arguments, *more)
        assert checker.check(options).exit_code(require_all=False) == 2
        with pytest.raises(InputError, match="not signed"):
            verify(place, key="k", data=tmp_path / "data.npz")
    assert checker.check(checker_options(place)).exit_code(require_all=False) == 2
    with pytest.raises(InputError, match="replayed on its data"):
        verify(place, key=None)
    with pytest.raises(Untrusted, match="no key"):
        verify(tmp_path, key=None)


def test_what_the_checker_leaves_the_rigorous_engine_decides(tmp_path):
    attack, arrays = attacked("the smallest")
    np.savez(tmp_path / "data.npz", **arrays)
    place = tmp_path / "attack.json"

    def states(value):
        place.write_bytes(spelled(value))
        found = verify(place, key=None, data=tmp_path / "data.npz", require_all=True)
        return found.exit_code, {step.name: step.state for step in found.steps}

    code, found = states(attack)
    assert code == 0
    assert set(found.values()) == {"checked"}
    # A set that is too small does not change the vote, and a radius that is too large is none.
    few = {**attack, "flips": attack["flips"][:-1]}
    few["radius"] = {name: value - 1 for name, value in attack["radius"].items()}
    code, found = states(few)
    assert (code, found["after"], found["radius"]) == (1, "failed", "failed")
    bold = {**attack, "radius": {**attack["radius"], "proved": attack["radius"]["refuted_at"] - 1}}
    assert states(bold)[0] == 0
    more = [
        i for i, y in enumerate(arrays["y_train"]) if i not in {f["index"] for f in attack["flips"]}
    ]
    extra = {"index": more[0], "from": int(arrays["y_train"][more[0]])}
    many = {**attack, "flips": [*attack["flips"], {**extra, "to": 1 - extra["from"]}]}
    many["radius"] = {name: value + 1 for name, value in attack["radius"].items()}
    code, found = states(many)
    assert (code, found["radius"]) == (1, "failed")
