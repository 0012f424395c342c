"""The numbers of the stand-alone checker, against Arb and rationals; wrong variants are caught.

Each check takes the checker as an argument: the last test hands it wrong ones.
"""

import importlib.util
import math
import sys
from fractions import Fraction
from itertools import product
from pathlib import Path
from random import Random

import numpy as np
import pytest
from flint import arb, fmpq, fmpq_mat

from certaudit import checker
from certaudit.certify.data import LabelledData, digest
from certaudit.certify.ridge import Ridge
from certaudit.certify.run import lower_share
from certaudit.errors import InputError
from certaudit.io.datasets import read_data_set
from certaudit.noise import LabelFlip
from certaudit.rigorous.balls import from_ball, to_ball, working_precision
from certaudit.rigorous.radius import is_majority, kl_radius, tight_radius
from certaudit.rigorous.tail import log_chernoff
from certaudit.rigorous.threshold import exact_threshold, threshold

NOISE = [
    *map(Fraction, ("1/3", "0.1", "0.49999", "1e-12", "1e-300", "49/100")),
    Fraction(10**999 // 3 * 10 + 7, 3 * 10**1000),
    Fraction(1, 2) - Fraction(1, 10**1000),
    Fraction(3, 10**1000 + 7),
]
PRECISIONS = (64, 65, 96, 127, 192, 768, 1536)
NEAR = [Fraction(1, 1 << bits) for bits in (20, 60, 75, 84, 90, 150, 400)]
"""How far from a boundary; the first precision of the checker is 96 bits."""


def power(exponent):
    return Fraction(2) ** exponent


def units(p):
    """Return 2^p as a ball, exactly."""
    return arb(2) ** p


def within(low, value, high):
    """Hold an Arb ball between two integers or rationals, certainly."""
    return bool(to_ball(Fraction(low)) <= value) and bool(value <= to_ball(Fraction(high)))


def near(value, bits=1200):
    """Return the middle of a ball as a rational."""
    with working_precision(bits):
        return from_ball(value()).mid


# ------------------------------------------------------------------------------ arithmetic


def arguments(random, p, count):
    """Yield integers in units of 2^-p: of all sizes and signs, at the edges of the tables."""
    ln2 = checker.ln2(p)
    yield from (0, 1, -1, (1 << p) - 1, -(1 << p), ln2, -ln2)
    for _ in range(count):
        yield random.randint(-1, 1) * random.getrandbits(random.randint(1, p + 12))
        yield random.choice((-1, 1)) * random.randint(0, 5000) * ln2 + random.randint(-9, 9)
        i = random.randint(0, 177) << (p - 8)
        yield i + random.randint(-3000, 3000) * (ln2 + 1) + random.randint(-2, 2)
    for size in (40, 200, 1000, 4000):
        number = random.getrandbits(p + size)
        yield from (number, -number)


def check_exp(c):
    random = Random(1)
    for p in PRECISIONS:
        for x in arguments(random, p, 150 if p < 700 else 40):
            m, k = c.exp_parts(x, p)
            extra = max(0, x.bit_length() - p)
            with working_precision(p + 2 * extra + 80):
                value = (to_ball(x * power(-p)) - k * arb(2).log()).exp() * units(p)
                assert within(m - Fraction(1, 8), value, m + Fraction(38, 100) * p + 13)
            assert (1 << p) - p < m < (1 << (p + 1)) + p
            if extra > 20:
                continue
            for width in (0, 1, 2):
                low, high = c.exp_between(x, p, width)
                with working_precision(p + 2 * extra + 80 + abs(k)):
                    for y in (x, x + width):
                        assert within(low, to_ball(y * power(-p)).exp() * units(p), high)
                assert high - low <= power(k) * (2 * p + 5 * width) + 2


def numbers(random, p, count):
    yield from (1, 2, 3, 10**1000, 10**1000 - 1, (1 << 100_000) + 1, 3 << 70_000)
    for e in (*range(1, 12), p - 1, p, p + 1, 3 * p, 40_000):
        yield from ((1 << e) - 1, 1 << e, (1 << e) + 1)
    for _ in range(count):
        yield random.getrandbits(random.randint(1, 3 * p)) + 1


def check_log(c):
    random = Random(2)
    for p in PRECISIONS:
        for number in numbers(random, p, 60 if p < 700 else 10):
            low, high = c.log_between(number, p)
            with working_precision(p + 120):
                assert within(low, arb(number).log() * units(p), high)
            assert high - low <= 8 * p + 2 * number.bit_length()
        for q in NOISE:
            low, high = c.log_ratio((1 - q) / q, p)
            with working_precision(p + 120):
                assert within(low, to_ball((1 - q) / q).log() * units(p), high)


def check_constants(c):
    for p in (*range(64, 400), 1536, 3072, 12288):
        with working_precision(p + 80):
            value = arb(2).log() * units(p)
            assert within(c.ln2(p), value, c.ln2(p) + 2)
            if p % 64 == 0 and p < 4000:
                for i, entry in enumerate(c.exp_table(p)):
                    assert within(entry, (arb(i) / 256).exp() * units(p), entry + 2)


# ------------------------------------------------------------------------------ radii


BOUNDS = [Fraction(x) for x in (-0.6931471805599454, -0.7, -1.0, -3.5, -40.25, -708.5, -1e4, -1e6)]


CLASSES = [
    *((Fraction(q), k) for k in (3, 4, 10, 1000) for q in ("1/10", "1/3", "1e-12", "0.6")),
    *((Fraction(k - 1, k) - Fraction(1, 10**9), k) for k in (3, 10)),
    *((NOISE[-3], 3), (NOISE[-1], 10)),
]
"""Noise of more than two classes: ordinary, rare, near uniform, long."""


def kl_level(q, r):
    """Return ln(1 - p) where r 2 D = -ln(4 p (1 - p)): x = (1 - sqrt(1 - e^(-2 r D)))/2."""

    def value():
        d = to_ball(1 - 2 * q) * to_ball((1 - q) / q).log()
        fall = (-2 * r * d).exp()
        return (fall / (2 * (1 + (1 - fall).sqrt()))).log()

    return near(value, 8000 if 1 - 2 * q < Fraction(1, 10**9) or q < Fraction(1, 10**9) else 1200)


def check_kl(c):
    for q in NOISE:
        for bound in BOUNDS if q.denominator < 10**12 else BOUNDS[1::5]:
            radius = kl_radius(LabelFlip(q), log_error=bound)
            assert radius == 0 or c.is_kl(bound, q, radius)
            assert not c.is_kl(bound, q, radius + 1)
        for r in (1, 17, 10**6):
            level = kl_level(q, r)
            for gap in NEAR:
                assert c.is_kl(level - gap, q, r)
                # Above -ln 2 there is no winner: (5) is not asked.
                assert not c.is_majority(level + gap) or not c.is_kl(level + gap, q, r)


def check_classes_kl(c):
    for q, k in CLASSES:
        for bound in BOUNDS if q.denominator < 10**12 else BOUNDS[1::5]:
            radius = kl_radius(LabelFlip(q, k), log_error=bound)
            assert radius == 0 or c.is_kl(bound, q, radius, k)
            assert not c.is_kl(bound, q, radius + 1, k)


TAILS = [
    *((Fraction(1, 3), r) for r in (*range(33), 77, 200, 1001)),
    *((Fraction(1, 10), r) for r in (*range(33), 100, 199, 3000)),
    *((Fraction(49, 100), r) for r in (1, 2, 3, 4, 50, 200, 999)),
    *((Fraction("0.49999"), r) for r in (1, 2, 7, 200)),
    *((q, r) for q in NOISE for r in (1, 2, 3, 11, 40)),
    *((Fraction(1, 1000), r) for r in (1, 692, 693, 694, 1678, 1679, 5000)),
]


def tail_level(q, r, bits=4000):
    """Return 1 - F^-1(r) as the engine has it: a rational where it is short, else a ball."""
    if r <= 40:
        exact = 1 - exact_threshold(LabelFlip(q), r)
        return exact, lambda: to_ball(exact).log()
    found = threshold(LabelFlip(q), r)
    return None, lambda: found.ball(bits).log()


def check_tail(c):
    for q, r in TAILS:
        _, log = tail_level(q, r)
        for start in (96, 192):
            p = start
            while (found := c.log_tail(q, r, p)) is None:
                p *= 2  # half the mass, nearly: q is next to 1/2
            with working_precision(p + 4000):
                assert within(found[0], log() * units(p), found[1])
            assert found[1] - found[0] <= (r + 2) * (16 * p + 16000) + 40 * r


def filled(q, r):
    """Return 1 - F^-1(r), filling half of the adversary's mass class by class, in rationals."""
    left, error = Fraction(1, 2), Fraction(0)
    for j in range(r + 1):
        theirs = math.comb(r, j) * q**j * (1 - q) ** (r - j)
        ours = math.comb(r, j) * (1 - q) ** j * q ** (r - j)
        part = min(Fraction(1), left / theirs)
        left, error = left - part * theirs, error + part * ours
    assert not left
    return error


def check_formula(c):
    for q in (Fraction(1, 3), Fraction(1, 10), Fraction(49, 100), Fraction(1, 10**12)):
        for r in (0, 1, 2, 3, 4, 5, 8, 13, 24):
            low, high = c.log_tail(q, r, 192)
            with working_precision(400):
                assert within(low, to_ball(filled(q, r)).log() * units(192), high)


def check_tight(c):
    for q, r in TAILS:
        if not r:
            continue
        level = near(tail_level(q, r)[1], 4200)
        for gap in NEAR:
            assert c.is_tight(level - gap, q, r)
            assert not c.is_tight(min(level + gap, Fraction(0)), q, r)
    for q in (Fraction(1, 3), Fraction(1, 10), Fraction(1, 10**12), NOISE[-1]):
        for bound in (*BOUNDS[:5], Fraction(-300.0)):
            radius = tight_radius(LabelFlip(q), log_error=bound)
            assert radius == 0 or c.is_tight(bound, q, radius)
            assert not c.is_tight(bound, q, radius + 1)


def convolved(q, k, r):
    """Return 1 - F^-1(r), filling half of the adversary's mass, one label after the other."""
    laws = ((1 - q, -1), (q * (k - 2) / (k - 1), 0), (q / (k - 1), 1))
    theirs = {0: Fraction(1)}
    for _ in range(r):
        once = {}
        for s, mass in theirs.items():
            for share, step in laws:
                once[s + step] = once.get(s + step, Fraction(0)) + mass * share
        theirs = once
    left, error = Fraction(1, 2), Fraction(0)
    for s in sorted(theirs):
        part = min(Fraction(1), left / theirs[s])
        left -= part * theirs[s]
        error += part * theirs[s] * ((1 - q) * (k - 1) / q) ** s
    return error


def check_ratio(c):
    for q, k in CLASSES:
        for r in (0, 1, 2, 3, 4, 9, 30) if q.denominator < 10**6 else (1, 2, 5):
            found = Fraction(*c.tail_ratio(q, r, k))
            assert found == 1 - exact_threshold(LabelFlip(q, k), r)
            if r < 10:
                assert found == convolved(q, k, r)
    assert Fraction(*c.tail_ratio(Fraction(1, 3), 6, 2)) == filled(Fraction(1, 3), 6)


def check_classes_tight(c):
    for q, k in CLASSES:
        for r in (1, 2, 40, 300) if q.denominator < 10**6 else (1, 7):
            found = threshold(LabelFlip(q, k), r)
            level = near(lambda found=found: found.ball(1300).log())
            for gap in NEAR:
                assert c.is_tight(level - gap, q, r, k)
                assert not c.is_tight(min(level + gap, Fraction(0)), q, r, k)
        if q.denominator < 10**6:
            for bound in (*BOUNDS[:5], Fraction(-300.0)):
                radius = tight_radius(LabelFlip(q, k), log_error=bound, cap=3000)
                assert radius == 0 or c.is_tight(bound, q, radius, k)
                assert radius == 3000 or not c.is_tight(bound, q, radius + 1, k)


def sum_level(logs):
    """Return ln of the sum of e^x as a rational, to a thousand bits."""
    most = max(logs)

    def value():
        return to_ball(most) + sum(to_ball(x - most).exp() for x in logs).log()

    return near(value)


def check_sum(c):
    random = Random(11)
    for count in (2, 3, 9, 200):
        for scale in (1e-3, 1, 50, 3e4, 1e6):
            logs = [Fraction(-random.random() * scale - 2 * count) for _ in range(count)]
            level = sum_level(logs)
            for gap in NEAR:
                assert c.is_total("plurality", level + gap, logs)
                assert not c.is_total("plurality", level - gap, logs)
            assert not c.is_total("plurality", max(logs), logs)
            for halvings in (0, 1, 3):
                # All of them moved so far that they add up to 2^-halvings.
                move = near(lambda h=halvings: -h * arb(2).log()) - level
                for gap in NEAR:
                    moved = [x + move - gap for x in logs]
                    if max(moved) <= 0:
                        assert c.is_sum(moved, halvings)
                    moved = [x + move + gap for x in logs]
                    if max(moved) <= 0:
                        assert not c.is_sum(moved, halvings)
            assert c.is_total("pairwise", max(logs), logs)
            assert not c.is_total("pairwise", max(logs) + NEAR[-1], logs)
            assert not c.is_total("pairwise", max(logs) - NEAR[-1], logs)
    one = Fraction(-3.5)
    assert c.is_total("plurality", one, [one])
    assert c.is_total("plurality", one + NEAR[-1], [one])
    assert not c.is_total("plurality", one - NEAR[-1], [one])
    assert c.is_total("plurality", Fraction(0), [Fraction(0), Fraction(-1e-9)])
    assert not c.is_total("plurality", Fraction(-1e-300), [Fraction(0), Fraction(-9)])


def check_share(c):
    tiny = Fraction(5e-324)
    for p_lower in (tiny, Fraction(1, 3), Fraction(0.5), Fraction(0.999), 1 - power(-53)):
        level = near(lambda p=p_lower: to_ball(1 - p).log(), 3000)
        for gap in (*NEAR, power(-2000)):
            assert c.is_share(level - gap, p_lower)
            assert not c.is_share(min(level + gap, Fraction(0)), p_lower)
    for bound in (*BOUNDS, -tiny, Fraction(-1e-9), Fraction(-1.7e308)):
        share = lower_share(bound)
        assert c.is_share(bound, Fraction(share))
        above = math.nextafter(math.nextafter(share, 2), 2)
        assert not c.is_share(bound, Fraction(above)) or above < 1 <= 1e-15 + above
        assert not c.is_share(bound, Fraction(1))
    assert c.is_share(Fraction(0), Fraction(0))
    assert not c.is_share(Fraction(0), tiny)


def check_majority(c):
    level = near(lambda: -arb(2).log(), 3000)
    for gap in (*NEAR, power(-2000)):
        assert c.is_majority(level - gap)
        assert not c.is_majority(level + gap)
    for bound in (*BOUNDS, Fraction(0), Fraction(-5e-324), Fraction(-0.6931471805599453)):
        assert c.is_majority(bound) == is_majority(bound)


# ------------------------------------------------------------------------------ the classifier


def array_of(c, values):
    values = np.ascontiguousarray(values)
    return c.make_array(values.tobytes(), values.dtype.str, values.shape, "array")


def classifier(c, train, labels, test, *, ridge, intercept=False, scale=None, classes=2):
    """Return the checker's classifier of float rows."""
    scale = scale or {"rule": "none", "dropped": [], "mean": [], "deviation": []}
    run = {
        "training_points": str(len(train)),
        "positive": None,
        "noise_model": {"classes": str(classes)},
        "intercept": intercept,
        "scale": scale,
        "ridge": Ridge("given", Fraction(ridge)).as_json(),
    }
    arrays = {
        "X_train": array_of(c, np.asarray(train, dtype=np.float64)),
        "X_test": array_of(c, np.asarray(test, dtype=np.float64)),
        "y_train": array_of(c, np.asarray(labels, dtype=np.int64)),
        "y_test": array_of(c, np.zeros(len(test), dtype=np.int64)),
    }
    return c.Classifier(run, arrays)


def exact_alphas(train, test, *, ridge, intercept=False):
    """Return alpha of each test row by a rational solve: nothing of certaudit is in it."""
    rows = [[Fraction(float(v)) for v in row] + [Fraction(1)] * intercept for row in train]
    heads = [[Fraction(float(v)) for v in row] + [Fraction(1)] * intercept for row in test]
    k = len(rows[0])
    matrix = [[sum(r[i] * r[j] for r in rows) for j in range(k)] for i in range(k)]
    for i in range(k - intercept):
        matrix[i][i] += Fraction(ridge)
    flat = [fmpq(v.numerator, v.denominator) for row in matrix for v in row]
    right = [fmpq(h[i].numerator, h[i].denominator) for i in range(k) for h in heads]
    solved = fmpq_mat(k, k, flat).solve(fmpq_mat(k, len(heads), right))
    found = []
    for at in range(len(heads)):
        w = [Fraction(int(solved[i, at].p), int(solved[i, at].q)) for i in range(k)]
        found.append([sum(x * y for x, y in zip(row, w, strict=True)) for row in rows])
    return found


def data_sets():
    """Yield (train, labels, test, options): ordinary, degenerate, of extreme sizes."""
    random = Random(5)
    for ridge in ("0", "1/3", "1e-30", "1e300", "7e-400"):
        for intercept in (False, True):
            n, k = random.randint(5, 9), random.randint(1, 4)
            rows = [[random.gauss(0, 1) for _ in range(k)] for _ in range(n)]
            heads = [[random.gauss(0, 1) for _ in range(k)] for _ in range(3)]
            labels = [random.randint(0, 1) for _ in range(n)]
            yield rows, labels, heads, {"ridge": ridge, "intercept": intercept}
    mixed = [[1e308, 5e-324, 1.0], [-1e308, 1e-300, 3.0], [0.0, -5e-324, 1e-9], [1.0, 0.0, 2.0]]
    for ridge in ("1", "1e-200", "1e200"):
        yield mixed, [0, 1, 1, 0], [*mixed, [5e-324, 1e308, -1.0]], {"ridge": ridge}
    twins = [[x, x, -x] for x in (0.5, 1.25, -2.0, 3.0)]
    for ridge in ("1/7", "1e-25"):
        yield twins, [0, 0, 1, 1], twins, {"ridge": ridge, "intercept": True}
    close = [[1.0, 1.0 + 2.0**-40 * i] for i in range(5)]
    yield close, [1, 0, 1, 0, 1], [[1.0, 2.0], [0.0, 1.0]], {"ridge": "0"}
    close = [[1.0, 1.0 + 2.0**-52 * i, 1.0 + 2.0**-51 * i * i] for i in range(5)]
    yield close, [1, 0, 1, 0, 1], [[1.0, 2.0, 3.0], [0.0, 1.0, 1e-300]], {"ridge": "0"}
    yield [[3.0]], [1], [[2.0], [-1e300], [0.0]], {"ridge": "0"}
    yield [[0.0]], [1], [[2.0]], {"ridge": "1"}
    yield [[0.0], [0.0]], [0, 0], [[2.0]], {"ridge": "1", "intercept": True}


def check_alpha(c):
    for train, labels, test, options in data_sets():
        model = classifier(c, train, labels, test, **options)
        for at, alpha in enumerate(exact_alphas(train, test, **options)):
            for factor in map(Fraction, (1, -3, "1e-320", -(2**1000), "-7/3")):
                for p in (64, 300):
                    found, extra = model.scores(at, factor, p)
                    for x, value in zip(found, alpha, strict=True):
                        off = abs(x - factor * value * power(p + extra))
                        assert off <= 2 * model.reach
                        assert 4 * model.reach < 1 << extra
            ones = sum(a for a, y in zip(alpha, labels, strict=True) if y)
            every = sum(alpha)
            a, b = 3, 10
            mean = [
                (b - 2 * a) * x + a * y for x, y in zip(model.sums[1], model.sum_all, strict=True)
            ]
            for weights, total, value in (
                (model.sums[1], 1, ones - Fraction(1, 2)),
                (model.sum_all, 1, every - Fraction(1, 2)),
                (mean, b, (b - 2 * a) * ones + a * every - Fraction(b, 2)),
            ):
                assert model.sign(at, weights, total) == (value > 0) - (value < 0)
            reach = sum(max(x, Fraction(0)) for x in alpha)
            assert model.is_constant(at) == (reach < Fraction(1, 2))


def check_ties(c):
    """Scores exactly at 1/2, and off by less than any fixed precision."""
    unit = [[1.0, 0.0], [0.0, 1.0]]
    off = [0.0, 2.0**-60, -(2.0**-60), 2.0**-300, -(2.0**-300), 5e-324, -5e-324]
    heads = [[0.5, x] for x in off]
    model = classifier(c, unit, [1, 1], heads, ridge="0")
    for at, x in enumerate(off):
        assert model.sign(at, model.sums[1], 1) == (x > 0) - (x < 0)
        assert model.is_constant(at) == (max(x, 0.0) + 0.5 < 0.5)
    heads = [[0.25, 0.25 + x] for x in (0.0, 2.0**-54, -(2.0**-54))] + [[0.75, -0.25]]
    model = classifier(c, unit, [1, 1], heads, ridge="0")
    assert [model.sign(at, model.sums[1], 1) for at in range(4)] == [0, 1, -1, 0]
    assert [model.is_constant(at) for at in range(4)] == [False, False, True, False]
    model = classifier(c, [[2.0], [1.0]], [1, 0], [[1.5], [1.4999999999999998]], ridge="1")
    # alpha = x h / 6: the score of label 1 is 2 h / 6 = 1/2 at h = 3/2.
    assert [model.sign(at, model.sums[1], 1) for at in range(2)] == [0, -1]


def true_bound(alpha, labels, q, t, bits=2400):
    """Return ln B(t) for exact alphas as an enclosure."""
    largest = max(abs(Fraction(t) * a) for a in alpha)
    with working_precision(bits + max(0, int(largest).bit_length())):
        zeros = [to_ball(a) for a, y in zip(alpha, labels, strict=True) if not y]
        ones = [to_ball(a) for a, y in zip(alpha, labels, strict=True) if y]
        return from_ball(log_chernoff(t, zeros, ones, q))


def check_bound(c):
    random = Random(7)
    for train, labels, test, options in data_sets():
        model = classifier(c, train, labels, test, **options)
        for at, alpha in enumerate(exact_alphas(train, test, **options)):
            if not any(alpha):
                continue
            q = random.choice(NOISE)
            unit = float(max(min(1 / max(map(abs, alpha)), Fraction(2) ** 1000), power(-1000)))
            for t in (unit, -unit, random.uniform(-30, 30) * unit, 1.5e-300, -(2.0**1000)):
                value = true_bound(alpha, labels, q, t)
                gap = max(abs(value.mid) / 10**12, power(-1000))
                assert value.rad * 8 < gap
                assert model.is_bounded(at, q, Fraction(t), value.upper + gap)
                assert not model.is_bounded(at, q, Fraction(t), value.lower - gap)
                gap = max(abs(value.mid), Fraction(1)) * power(-92)
                if value.rad * 8 < gap:
                    assert model.is_bounded(at, q, Fraction(t), value.upper + gap)
                    assert not model.is_bounded(at, q, Fraction(t), value.lower - gap)
            assert model.is_bounded(at, q, Fraction(0), Fraction(0))
            assert not model.is_bounded(at, q, Fraction(0), Fraction(-5e-324))


def pair_bound(alpha, labels, q, t, pair, k, bits=2400):
    """Return ln B_ib(t) of B.2 for exact alphas as an enclosure."""
    largest = max(abs(Fraction(t) * a) for a in alpha)
    (first, second), other = pair, q / (k - 1)
    with working_precision(bits + max(0, 2 * int(largest).bit_length())):
        total = arb(0)
        for a, y in zip(alpha, labels, strict=True):
            up, down = (1 - q if y == each else other for each in (first, second))
            z = to_ball(Fraction(t) * a)
            means = to_ball(up) * (-z).exp() + to_ball(1 - up - down) + to_ball(down) * z.exp()
            total += means.log()
        return from_ball(total)


def class_sets():
    """Yield (train, labels, test, options, K): the data sets above, their rows of K classes."""
    random = Random(8)
    for at, (train, labels, test, options) in enumerate(data_sets()):
        k = (3, 2, 5)[at % 3]
        others = [random.randrange(k) for _ in labels]
        yield train, others, test, {**options, "classes": k}, k


def check_pairs(c):
    random = Random(9)
    for train, labels, test, options, k in class_sets():
        model = classifier(c, train, labels, test, **options)
        exact = {name: value for name, value in options.items() if name != "classes"}
        for at, alpha in enumerate(exact_alphas(train, test, **exact)):
            if not any(alpha):
                continue
            q = random.choice([*NOISE[:6], Fraction(k - 1, k) - Fraction(1, 1000)])
            unit = float(max(min(1 / max(map(abs, alpha)), Fraction(2) ** 1000), power(-1000)))
            for t in (unit, random.uniform(0, 30) * unit, 1.5e-300, 2.0**1000):
                pair = tuple(random.sample(range(k), 2))
                value = pair_bound(alpha, labels, q, t, pair, k)
                gap = max(abs(value.mid) / 10**12, power(-1000))
                assert value.rad * 8 < gap
                for gap in (gap, max(abs(value.mid), Fraction(1)) * power(-92)):  # noqa: B020
                    if value.rad * 8 < gap:
                        assert model.is_bounded(at, q, Fraction(t), value.upper + gap, pair)
                        assert not model.is_bounded(at, q, Fraction(t), value.lower - gap, pair)
            assert model.is_bounded(at, q, Fraction(0), Fraction(0), (0, 1))
            assert not model.is_bounded(at, q, Fraction(0), Fraction(-5e-324), (0, 1))


def check_shared(c):
    """Points, witnesses and pairs in turn, at one precision: no product is another's."""
    rows = [[1.0, 0.5], [-0.25, 1.0], [0.5, -1.0], [1.5, 0.25]]
    heads, labels, q = [[1.0, 0.0], [0.5, 2.0]], [0, 1, 2, 0], Fraction(1, 10)
    model = classifier(c, rows, labels, heads, ridge="1", classes=3)
    alphas = exact_alphas(rows, heads, ridge="1")
    pairs = [(0, 1), (1, 0), (0, 2), (2, 1)]
    for t, pair, at in product((0.5, 3.0, 0.5), pairs, (0, 1, 0)):
        value = pair_bound(alphas[at], labels, q, t, pair, 3).mid
        for gap in (Fraction(1, 10**6), Fraction(-1, 10**6)):
            assert model.is_bounded(at, q, Fraction(t), value + gap, pair) == (gap > 0)


def check_largest(c):
    """The class of the largest score: of exact alphas, and of scores that are equal or nearly."""
    for train, labels, test, options, k in class_sets():
        model = classifier(c, train, labels, test, **options)
        exact = {name: value for name, value in options.items() if name != "classes"}
        for at, alpha in enumerate(exact_alphas(train, test, **exact)):
            scores = [
                sum(a for a, y in zip(alpha, labels, strict=True) if y == each) for each in range(k)
            ]
            assert model.largest(at) == max(range(k), key=lambda each: (scores[each], each))
    unit = np.eye(3)
    off = [0.0, 2.0**-60, -(2.0**-300), 5e-324, -5e-324]
    heads = [[0.5, 0.5 + x, -0.5] for x in (0.0, 2.0**-53, -(2.0**-54))]
    heads += [[x, y, 0.0] for x in off for y in off]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        model = classifier(c, unit, order, heads, ridge="0", classes=4)
        for at, head in enumerate(heads):
            scores = [head[order.index(each)] for each in range(3)] + [0.0]
            assert model.largest(at) == max(range(4), key=lambda each: (scores[each], each))


def check_pick(c):
    """The chance of drawing no false record, by exact hypergeometric counts."""
    for total in (2, 5, 20, 77, 400):
        records = list(range(total))
        for sample in {1, 2, 3, 10, 19, 60, total - 1}:
            if sample >= total:
                continue
            drawn = c.pick(records, sample, "seed")
            assert len(set(drawn)) == sample
            assert drawn == sorted(drawn)
            least = next(
                false
                for false in range(total + 1)
                if 20 * math.comb(total - false, sample) <= math.comb(total, sample)
            )
            if 20 * math.comb(total - least, sample) == math.comb(total, sample):
                least += 1  # rounded up at a tie
            assert c.at_most_false(total, sample) == least - 1
            report = c.Report([("radii", c.CHECKED, "", 0), ("log_error", c.CHECKED, "", 0)])
            percent = -(-1000 * (least - 1) // total) / 10
            said = c.sample_remark(total, sample, "seed", report)
            assert f"at most {least - 1} ({percent} %)" in said
            for state in (c.NOT_CHECKED, c.FAILED):
                other = c.Report([("radii", c.CHECKED, "", 0), ("log_error", state, "", 1)])
                assert "nothing follows" in c.sample_remark(total, sample, "seed", other)
    assert c.pick([1, 2], 2, "x") == [1, 2]
    assert c.pick([1, 2], None, "") == [1, 2]


CHECKS = [
    check_constants,
    check_exp,
    check_log,
    check_kl,
    check_tail,
    check_formula,
    check_tight,
    check_share,
    check_majority,
    check_alpha,
    check_ties,
    check_bound,
    check_pick,
    check_classes_kl,
    check_ratio,
    check_classes_tight,
    check_sum,
    check_pairs,
    check_shared,
    check_largest,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_checker_is_right(check):
    check(checker)


# ------------------------------------------------------------------------------ data


def digests(data):
    """Return the member `data` of a run."""
    return {
        name: {"sha256": d.sha256, "dtype": d.dtype, "shape": [str(size) for size in d.shape]}
        for name, d in data.digests.items()
    }


def check_labels_and_columns(arrays, data, positive=None):
    assert checker.class_numbers(arrays["y_train"], positive) == data.y_train.tolist()
    assert checker.class_numbers(arrays["y_test"], positive) == data.y_test.tolist()
    scale = {"rule": "none", "dropped": []}
    columns = list(checker.design(scale, arrays["X_train"], arrays["X_test"]))
    assert columns == np.vstack([data.x_train, data.x_test]).T.tolist()


FEATURES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]
X = {"X_train": np.array([[0, 1], [1, 1], [3, 0]]), "X_test": np.array([[2, 5], [1, 0]])}
Y = {"y_train": np.array([0, 1, 1]), "y_test": np.array([1, 0])}


def npz(folder, arrays, save=np.savez):
    save(folder / "data.npz", **arrays)
    return folder / "data.npz"


@pytest.mark.parametrize("dtype", FEATURES)
def test_every_dtype_is_read(dtype, tmp_path):
    arrays = {name: value.astype(dtype) for name, value in (X | Y).items()}
    if dtype in ("f4", "f8"):
        arrays["X_train"][0, 0] = np.nextafter(np.zeros(1, dtype), np.ones(1, dtype))[0]
        arrays["X_train"][1, 0] = np.finfo(dtype).max
    if dtype == "f2":
        arrays["X_train"][:2, 0] = 6e-8, -65504
    if dtype[0] == "i":
        arrays["X_train"][0, 0] = np.iinfo(dtype).min
    for save in (np.savez, np.savez_compressed):
        path = npz(tmp_path, arrays, save)
        raw = read_data_set(path).arrays
        data = LabelledData.check(
            *(raw[name] for name in ("X_train", "y_train", "X_test", "y_test"))
        )
        found = checker.read_data(path, None, {"label_column": None, "data": digests(data)})
        check_labels_and_columns(found, data)
    positive = "1" if dtype != "f8" else "1.0"
    data = LabelledData.check(*(raw[n] for n in raw), positive=positive)
    check_labels_and_columns(found, data, positive)


def test_text_labels_are_read(tmp_path):
    texts = {"y_train": np.array(["a", "ümlaut", "日本"]), "y_test": np.array(["b", "a"])}
    path = npz(tmp_path, X | texts)
    data = LabelledData.check(
        X["X_train"], texts["y_train"], X["X_test"], texts["y_test"], positive="日本"
    )
    found = checker.read_data(path, None, {"label_column": None, "data": digests(data)})
    check_labels_and_columns(found, data, "日本")
    with pytest.raises(checker.Bad, match="labels other than 0 and 1"):
        checker.class_numbers(found["y_train"], None)


@pytest.mark.parametrize("name", sorted(X | Y))
def test_another_array_is_not_trusted(name, tmp_path):
    data = LabelledData.check(*(v for n in ("train", "test") for v in (X[f"X_{n}"], Y[f"y_{n}"])))
    changed = X | Y
    changed[name] = changed[name].copy()
    changed[name].flat[-1] ^= 1
    run = {"label_column": None, "data": digests(data)}
    checker.read_data(npz(tmp_path, X | Y), None, run)
    for other in (changed[name], (X | Y)[name].astype("u4")):
        with pytest.raises(checker.Bad) as caught:
            checker.read_data(npz(tmp_path, {**X, **Y, name: other}), None, run)
        assert caught.value.code == checker.UNTRUSTED


def signed_arrays(arrays):
    """Return what a run says of arrays, by the engine's own digests."""
    found = {name: digest(array).as_json() for name, array in arrays.items()}
    return {n: {**d, "shape": [str(size) for size in d["shape"]]} for n, d in found.items()}


@pytest.mark.parametrize("name", ["big-endian", "big-endian integers", "Fortran order"])
def test_any_order_is_read(name, tmp_path):
    """The digest is that of little-endian bytes in C order, as the file is not."""
    change = {
        "big-endian": lambda a: a.astype(">f8"),
        "big-endian integers": lambda a: a.astype(">i4"),
        "Fortran order": lambda a: np.asfortranarray(a.astype("f8")),
    }[name]
    arrays = {**X, **Y, "X_train": change(X["X_train"])}
    run = {"label_column": None, "data": signed_arrays(arrays)}
    found = checker.read_data(npz(tmp_path, arrays), None, run)
    assert found["X_train"].values == arrays["X_train"].ravel().tolist()


UNREAD = {
    "longdouble": lambda a: a.astype(np.longdouble),
    "bytes": lambda a: a.astype("S3"),
    "complex": lambda a: a.astype(complex),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_not_read_is_left_open(name, tmp_path):
    """Never a verdict: neither that the data are others, nor that they are fine."""
    arrays = {**X, **Y, "X_train": UNREAD[name](X["X_train"])}
    run = {"label_column": None, "data": signed_arrays(arrays)}
    with pytest.raises(checker.Open, match="are not read here"):
        checker.read_data(npz(tmp_path, arrays), None, run)


CSV = {
    "plain": b"a,b,y\n1,2,0\n3,4,1\n5,6,1\n-7e-3,8,0\n9,.5,1\n10,11,0\n",
    "a mark of order, CRLF": b"\xef\xbb\xbfa,y,b\r\n1,0,2\r\n3,1,4\r\n5,1,6\r\n7,0,8\r\n9,1,1\r\n",
    "quoted": b'a,"y, z",b\n"1",0," 2 "\n3,1,4\n\n5, 1 ,6\n7,0,8\n9,"1",1\n\n',
    "text": "y,a\nja,1\nnein,2\nümlaut,3\nja,4\n nein ,5\n".encode(),
    "wide integers": b"y,a\n123456789,1\n-5,2\n0,3\n123456789,4\n1,5\n",
    "integers as text": b"y,a\n1234567890,1\n-5,2\n0,3\n1,4\n+1,5\n",
    "zeros ahead": b"y,a\n01,1\n1,2\n0,3\n1,4\n-0,5\n",
    "fractions": b"y,a\n1.0,1\n1,2\n0,3\n1,4\n0.5,5\n",
    "longest label in the test rows": b"y,a\n1,1\nx,2\n0,3\n1,4\nlonger,5\n",
}


@pytest.mark.parametrize("name", CSV)
@pytest.mark.parametrize("separate", [False, True])
def test_csv_is_read_as_it_was_certified(name, separate, tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(CSV[name])
    column = "y, z" if name == "quoted" else "y"
    test = None
    if separate:
        test = tmp_path / "test.csv"
        lines = CSV[name].splitlines(keepends=True)
        test.write_bytes(b"".join([lines[0], *lines[2:4]]))
    raw = read_data_set(path, label_column=column, test=test).arrays
    for positive in (None, "1", "ja", "0", "123456789", "1.0"):
        try:
            data = LabelledData.check(*raw.values(), positive=positive)
        except InputError:
            continue
        found = checker.read_data(path, test, {"label_column": column, "data": digests(data)})
        if data.classes == 2:
            try:
                check_labels_and_columns(found, data, positive)
            except checker.Open:
                assert positive == "ja"
    assert {n: digest(a).sha256 for n, a in raw.items()} == {n: a.sha256 for n, a in found.items()}
    assert {n: digest(a).dtype for n, a in raw.items()} == {n: a.dtype for n, a in found.items()}


# ------------------------------------------------------------------------------ wrong variants

MUTANTS = {
    "e^x is 2 p units off": (
        check_exp,
        "exp_table(p)[i] >> p, k",
        "exp_table(p)[i] + (2 * p << p) >> p, k",
    ),
    "e^x rounds the wrong way": (
        check_exp,
        "low, high = m - p, m + p +",
        "low, high = m + p, m - p +",
    ),
    "e^x forgets the width": (check_exp, "m + p + 5 * width", "m + p * (not width)"),
    "ln 2 has few bits": (check_constants, "return total >> 32", "return (total >> 40) << 8"),
    "ln x forgets the power of two": (
        check_log,
        "x - width + e * ln2(p)",
        "x - width + e * (ln2(p) + 2)",
    ),
    "ln x is not refined": (check_log, "range(p.bit_length() - 4)", "range(0)"),
    "a quotient, bounds swapped": (check_log, "return a - d, b - c", "return a - c, b - d"),
    "KL costs half": (
        check_kl,
        "(2 * r * (own - other)).as_integer_ratio()",
        "(r * (own - other)).as_integer_ratio()",
    ),
    "KL forgets a ln 2": (check_kl, "+ 2 * ln2(p)\n", "+ ln2(p)\n"),
    "KL takes the near end": (
        check_kl,
        "rest[0] + a * cost[0] // b",
        "rest[0] + a * cost[1] // b + 9 * p",
    ),
    "the median is one less": (
        check_formula,
        "while lost + low < half:",
        "while lost + 2 * low < half:",
    ),
    "the tail rounds the wrong way": (check_tail, "- shift - 2 * w + (r", "- shift + 8 * w + (r"),
    "the tail, odds swapped": (
        check_tail,
        "- shift - 2 * w + (r - 2 * m) * odds[0]",
        "- shift - 2 * w + (r - 2 * m) * odds[1]",
    ),
    "the tail falls too slowly": (
        check_formula,
        "(rest + low) * a * a // (c * c)",
        "(rest + low) * a // c",
    ),
    "the tail, one class off": (
        check_formula,
        "+ (r - 2 * m) * odds[0]",
        "+ (r - 2 * m - 1) * odds[0]",
    ),
    "tight, bounds swapped": (
        check_tight,
        "order(x - high, x + 1 - low)",
        "order(x - low, x + 1 - high)",
    ),
    "tight takes the near end": (
        check_tight,
        "order(x - high, x + 1 - low)",
        "order(x - high - 1, x - high)",
    ),
    "a share above what is proven": (
        check_share,
        "order(low - rest - 1, high - rest)",
        "order(low - rest - 1, low - rest - 2 * p)",
    ),
    "a majority at one half and more": (
        check_majority,
        "// log_error.denominator + 1 + ln2(p)",
        "// log_error.denominator - 64 + ln2(p)",
    ),
    "labels swapped": (check_bound, "= [(own, a), (a, own)]", "= [(a, own), (own, a)]"),
    "the size of t, not t": (
        check_bound,
        "t / 2 - bound, 0",
        "abs(t) / 2 - bound, 0",
    ),
    "t of the other sign": (check_bound, "a, b = -t.numerator,", "a, b = t.numerator,"),
    "large exponents lost": (check_bound, "(low, high, lift, x), p)", "(low, high, 0, x), p)"),
    "the product is not normalised by n": (
        check_bound,
        "offset - self.n * (logs_high",
        "offset - (self.n - 1) * (logs_high",
    ),
    "scaling forgotten": (check_alpha, "(down + half))", "(down + 0 * half))"),
    "the ridge's denominator forgotten": (check_alpha, "(self.b * h <<", "(h <<"),
    "the intercept is penalised": (check_alpha, 'range(k - int(run["intercept"]))', "range(k)"),
    "one step of the solution": (check_alpha, "if max(map(abs, step)) <= 1 << down:", "if any(x):"),
    "few bits": (
        check_alpha,
        "bits = max(p + extra + max(size, 0) + 3, 8)",
        "bits = max(p + extra + 3, 8)",
    ),
    "narrow digits": (check_alpha, "width = 2 + max(", "width = -1 + max("),
    "ties are called early": (
        check_ties,
        "self.separation = 2 + sum(sizes)",
        "self.separation = 2",
    ),
    "a tie is constant": (
        check_ties,
        "(2 * error).bit_length():\n                return False",
        "(2 * error).bit_length():\n                return True",
    ),
    "KL as of two labels": (
        check_classes_kl,
        "own, other = 1 - q, q / (classes - 1)",
        "own, other = 1 - q, q",
    ),
    "KL, the own class as of two labels": (
        check_classes_kl,
        "own, other = 1 - q, q / (classes - 1)",
        "own, other = 1 - q / (classes - 1), q / (classes - 1)",
    ),
    "the last region is lost in whole": (
        check_ratio,
        "2 * theirs * lost + half * ours",
        "2 * theirs * lost + 2 * theirs * ours",
    ),
    "both laws grow alike": (
        check_ratio,
        "(s * ours + high * d",
        "(s * ours + low * d",
    ),
    "a coefficient is one less": (check_ratio, "2 * r - k + 2", "2 * r - k + 1"),
    "as many other classes as classes": (check_ratio, "(classes - 2) * a", "(classes - 1) * a"),
    "the median one region late": (check_ratio, "if 2 * theirs >= half:", "if theirs >= half:"),
    "tight, K classes, ends swapped": (
        check_classes_tight,
        "found = (a - d, b - c)",
        "found = (b - c, a - d)",
    ),
    "tight with two labels for any": (check_classes_tight, "if classes == 2:", "if classes:"),
    "a rival forgotten": (check_sum, "for x in logs), strict", "for x in logs[1:]), strict"),
    "the sum takes its lower end": (
        check_sum,
        "(sum(end) - (1 << (p - halvings)) for end in ends)",
        "(sum(end) - (1 << (p - halvings)) - (p << 9) for end in ends)",
    ),
    "the largest alone": (
        check_sum,
        "max(logs) < log_error and is_sum",
        "max(logs) < log_error or is_sum",
    ),
    "one half is one": (check_sum, "(1 << (p - halvings))", "(1 << p)"),
    "pairwise, a bound above": (
        check_sum,
        "return log_error == max(logs)",
        "return log_error >= max(logs)",
    ),
    "the classes of a pair swapped": (
        check_pairs,
        "(a, whole - own - a, own)\n",
        "(own, whole - own - a, a)\n",
    ),
    "the rival's labels as the others'": (
        check_pairs,
        "            weights[pair[1]] = (own, whole - own - a, a)\n",
        "",
    ),
    "other labels vote more": (check_pairs, "whole - 2 * a, a)]", "whole - a, a)]"),
    "t alpha forgotten": (check_pairs, "- rise * total", ""),
    "one of n is not normalised": (
        check_pairs,
        "(logs - rise)",
        "(logs + 1000 * rise)",
    ),
    "alpha of another point": (
        check_pairs,
        "if self.kept[:2] != (at, bits):",
        "if not self.kept[1]:",
    ),
    "products of another t": (check_shared, "(at, t, p)", "(at, p)"),
    "products of another point": (check_shared, "(at, t, p)", "(t, p)"),
    "alphas of another class": (check_shared, "in self.of_class[label])", "in self.of_class[0])"),
    "the first of equal scores": (
        check_largest,
        "if self.sign(at, ahead, 0) >= 0",
        "if self.sign(at, ahead, 0) > 0",
    ),
    "the first class is never the best": (
        check_largest,
        "        best = 0\n",
        "        best = 1\n",
    ),
    "nineteen in twenty": (check_pick, "while 20 * chance", "while 10 * chance"),
    "samples put back": (
        check_pick,
        "(total - most - sample) // (total - most)",
        "(total - sample) // total",
    ),
}


@pytest.fixture
def load(tmp_path):
    """Return a function that loads a variant of the checker as a module of its own."""

    def load_source(source):
        path = tmp_path / "another_checker.py"
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("another_checker", path)
        sys.modules["another_checker"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load_source
    del sys.modules["another_checker"]


SOURCE = Path(checker.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_variant_is_caught(name, load):
    check, right, wrong = MUTANTS[name]
    assert right in SOURCE, "the checker was rewritten: say here how it could be wrong"
    module = load(SOURCE.replace(right, wrong))
    with pytest.raises((AssertionError, module.Open)):
        check(module)


@pytest.mark.parametrize(
    "check", [*CHECKS[:3], *CHECKS[4:10], *CHECKS[14:16]], ids=lambda check: check.__name__
)
def test_the_same_source_is_not_caught(check, load):
    check(load(SOURCE))


# ------------------------------------------------------------------------------ what went wrong


def test_a_bound_of_zero_needs_no_witness():
    """Near a tie ln B(t) may be above 0; ln(1 - p) never is: certify writes 0 then."""
    model = classifier(checker, [[1.0]], [1], [[0.5]], ridge="0")
    q = {"noise_model": {"q": "1/10"}}
    record = {"index": "0", "label": "0", "constant": False, "decided": True, "t": (8.0).hex()}
    assert not model.is_bounded(0, Fraction(1, 10), Fraction(8), Fraction(0))
    assert not list(model.false_statements(q, {**record, "log_error": (0.0).hex()}))
    assert list(model.false_statements(q, {**record, "log_error": (-1e-300).hex()}))


@pytest.mark.parametrize("power_of_two", range(82, 100))
def test_solutions_settle(power_of_two):
    """Nearly singular systems and huge test points: the inverse is just good enough."""
    rows = [[1.0, 1.0, 1.0]] * 3
    heads = [[1e300, -0.75, 1.0], [5e-324, 1.0, 1e308]]
    ridge = Fraction(2) ** -power_of_two * Fraction(7, 5)
    model = classifier(checker, rows, [1, 0, 1], heads, ridge=ridge)
    for at, alpha in enumerate(exact_alphas(rows, heads, ridge=ridge)):
        value = alpha[0] + alpha[2] - Fraction(1, 2)
        assert model.sign(at, model.sums[1], 1) == (value > 0) - (value < 0)


def test_no_statement_makes_the_checker_work_forever():
    labels = checker.Array([0, 1], [2], "<i8", "")
    for positive in ("1e999999999", "-1e-999999999", "1e99999", "9" * 5000, "1_0", "nan"):
        with pytest.raises(checker.Open):
            checker.class_numbers(labels, positive)
    with pytest.raises(checker.Open):
        checker.is_tight(Fraction(-1e300), Fraction(49, 100), 10**6)
    for r, q in ((10**5, NOISE[-1]), (10**6, Fraction(1, 10))):
        with pytest.raises(checker.Open):
            checker.is_tight(Fraction(-1e300), q, r, 3)
    curve = {"correct": ["1"], "of": "1", "accuracy": [(1.0).hex()]}
    run = {
        "noise_model": {"classes": "2"},
        "vote": "majority",
        "accuracy": dict.fromkeys(checker.ACCURACIES, (1.0).hex()),
        "certified_accuracy": {"kl": curve},
    }
    record = {"prediction": "0", "label": "0", "decided": True, "radius": {"kl": "9" * 15}}
    report = checker.Report()
    checker.check_figures(checker.Evidence(run, [record], complete=True), None, report)
    assert report.steps[0][1] == checker.FAILED
