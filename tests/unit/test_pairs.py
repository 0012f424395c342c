"""Pairs of classes in balls, sums of their errors, and the search for t: against mpmath."""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random

import mpmath
import numpy as np
import pytest
from flint import arb

from certaudit.certify import search
from certaudit.certify.search import pair_logs, pair_t
from certaudit.errors import InputError
from certaudit.noise import LabelFlip
from certaudit.rigorous import pairs as module
from certaudit.rigorous.balls import working_precision
from certaudit.rigorous.pairs import is_majority_sum, log_pair_bounds, log_pairs, log_sum_bound

CLASSES = [2, 3, 5, 10, 100]
HALF = Fraction(1, 2)


def noises(classes):
    border = Fraction(classes - 1, classes)
    return [
        Fraction(1, 10),
        border / 2,
        Fraction(1, 10**8),
        Fraction(1, 10**1000),
        border - Fraction(1, 10**3),
        border - Fraction(1, 10**12),
    ]


def exact(x):
    """Return a float or a fraction as an mpf."""
    x = Fraction(x)
    return mpmath.mpf(x.numerator) / x.denominator


def terms(alpha, labels, winner, rival, noise):
    """Return, for each label, its alpha and the law of Y_winner - Y_rival, outcome by outcome."""
    laws = {}
    for label in set(labels):
        law = {1: Fraction(0), 0: Fraction(0), -1: Fraction(0)}
        for noisy in range(noise.classes):
            share = 1 - noise.q if noisy == label else noise.q / (noise.classes - 1)
            law[(noisy == winner) - (noisy == rival)] += share
        laws[label] = {x: exact(mass) for x, mass in law.items()}
    return [(exact(value), laws[label]) for value, label in zip(alpha, labels, strict=True)]


def transcribed(t, parts):
    """Return ln B(t) and its slope, at mpmath's precision."""
    value = slope = mpmath.mpf(0)
    for alpha, law in parts:
        weights = {x: mass * mpmath.exp(-t * alpha * x) for x, mass in law.items()}
        total = sum(weights.values())
        value += mpmath.log(total)
        slope -= alpha * (weights[1] - weights[-1]) / total
    return value, slope


def by_class(alpha, labels, classes):
    return [
        [a for a, label in zip(alpha, labels, strict=True) if label == c] for c in range(classes)
    ]


def instance(seed, most=12):
    """Return alphas of some kind, labels, noise, a class and a rival."""
    random = Random(seed)
    classes, n = random.choice(CLASSES), random.randint(1, most)
    kinds = [
        lambda: random.gauss(0.2, 1),
        lambda: random.choice([-2, -1, 0, 1, 3]) / 4,
        lambda: random.choice([-1, 1]) * 10.0 ** random.uniform(-200, 200),
        lambda: random.choice([5e-324, 2.0**-1022, 0.0, -0.25, 1.0]),
        lambda: 1.0,
        lambda: random.gauss(1, 1) * 1e-280,
        lambda: random.gauss(1, 1) * 1e250,
    ]
    kind = kinds[seed % len(kinds)]
    alpha = [kind() for _ in range(n)]
    winner, rival = random.sample(range(classes), 2)
    labels = [random.choice([winner, winner, rival, random.randrange(classes)]) for _ in alpha]
    return alpha, labels, LabelFlip(random.choice(noises(classes)), classes), winner, rival


# Balls


@pytest.mark.parametrize("seed", range(140))
def test_balls_contain_what_mpmath_says(seed):
    alpha, labels, noise, winner, _ = instance(seed)
    rivals = [b for b in range(noise.classes) if b != winner][:4]
    size = max(map(abs, alpha)) or 1.0
    for t in (0, HALF, 0.75, Fraction(7, 3) / Fraction(size), 2.0**-40, 1e3 / size):
        if not 0 <= t * Fraction(size) < 10**6:
            continue
        with working_precision(512):
            found = log_pairs(t, by_class(alpha, labels, noise.classes), winner, rivals, noise)
        with mpmath.workprec(1200):
            for rival, ball in zip(rivals, found, strict=True):
                right = transcribed(exact(t), terms(alpha, labels, winner, rival, noise))[0]
                middle, radius = exact_ball(ball)
                assert abs(right - middle) <= radius + mpmath.mpf(2) ** -1100
                assert radius < mpmath.mpf(2) ** -400 * (1 + abs(right))


def exact_ball(ball):
    """Return the middle and the radius of a ball as mpf, exactly."""
    parts = [part.man_exp() for part in (ball.mid(), ball.rad())]
    return [mpmath.ldexp(int(man), int(exp)) for man, exp in parts]


def contains(enclosure, number):
    """Return whether a rational interval contains an mpf."""
    return exact(enclosure.lower) <= number <= exact(enclosure.upper)


@pytest.mark.parametrize("seed", range(40))
def test_bounds_hold_for_every_alpha_within_the_error(seed):
    alpha, labels, noise, winner, rival = instance(7 * seed, most=8)
    random = Random(seed)
    for error in (Fraction(0), Fraction(1, 10 ** random.randint(0, 9))):
        bound = log_pair_bounds(
            3.0, by_class(alpha, labels, noise.classes), winner, [rival], noise, alpha_error=error
        )[0]
        assert bound.rad <= 3 * error + Fraction(1, 1 << 19)
        place = random.randrange(len(alpha))
        for side in (-1, 0, 1):
            other = [Fraction(a) for a in alpha]
            other[place] += side * error
            with mpmath.workprec(600):
                parts = terms(other, labels, winner, rival, noise)
                right = transcribed(mpmath.mpf(3), parts)[0]
                assert contains(bound, right)


def test_bounds_pay_for_the_error_in_full():
    """All of it on one label of the class: nearly t times the error, in both directions."""
    alpha, noise, error = [[4.0], [-4.0]], LabelFlip(Fraction(1, 10**6)), Fraction(1, 4)
    (bound,) = log_pair_bounds(1.0, alpha, 0, [1], noise, alpha_error=error)
    for side in (-1, 1):
        (moved,) = log_pair_bounds(1.0, [[4.0 + side / 4], [-4.0]], 0, [1], noise)
        assert bound.lower < moved.lower < moved.upper < bound.upper
        assert abs(moved.mid - bound.mid) > error * Fraction(9, 10)


def test_alphas_that_are_balls_stand_for_all_in_them():
    noise = LabelFlip(Fraction(1, 10), 3)
    with working_precision(128):
        ball = arb(1, 0.01)
        (wide,) = log_pair_bounds(1.5, [[ball], [], [-0.5]], 0, [2], noise)
    for value in (0.99, 0.995, 1.0, 1.01):
        (narrow,) = log_pair_bounds(1.5, [[value], [], [-0.5]], 0, [2], noise)
        assert wide.lower <= narrow.lower <= narrow.upper <= wide.upper
    assert Fraction(1, 200) < wide.rad < Fraction(1, 50)


def test_no_finite_bound_is_none():
    (found,) = log_pair_bounds(1.0, [[arb(0, math.inf)], [1.0]], 0, [1], LabelFlip(HALF / 2))
    assert found is None


def test_all_rivals_at_once_are_the_same_as_one_by_one():
    alpha, labels, noise, winner, _ = instance(1, most=40)
    noise = LabelFlip(Fraction(1, 7), noise.classes)
    parts = by_class(alpha, labels, noise.classes)
    rivals = [b for b in range(noise.classes) if b != winner]
    together = log_pair_bounds(2.0, parts, winner, rivals, noise)
    for rival, bound in zip(rivals, together, strict=True):
        (alone,) = log_pair_bounds(2.0, parts, winner, [rival], noise)
        assert alone.lower <= bound.upper
        assert bound.lower <= alone.upper


@pytest.mark.parametrize(
    ("t", "alpha", "rivals", "options", "what"),
    [
        (-1.0, [[1.0], [2.0]], [1], {}, "t: must not be negative"),
        (Fraction(-1, 10**9), [[1.0], [2.0]], [1], {}, "t: must not be negative"),
        (1.0, [[1.0], [2.0], []], [1], {}, "alpha of each class"),
        (1.0, [[1.0]], [1], {}, "alpha of each class"),
        (1.0, [[1.0], [2.0]], [0], {}, "rivals other than the winner"),
        (1.0, [[1.0], [2.0]], [1], {"alpha_error": Fraction(-1)}, "alpha_error"),
    ],
)
def test_errors_are_raised(t, alpha, rivals, options, what):
    noise = LabelFlip(Fraction(1, 10))
    with pytest.raises(InputError, match=what):
        log_pair_bounds(t, alpha, 0, rivals, noise, **options)
    if not options:
        with pytest.raises(InputError, match=what):
            log_pairs(t, alpha, 0, rivals, noise)


WRONG_NOISE = {
    "flips of probability q": lambda noise: LabelFlip(
        noise.q * (noise.classes - 1) / (1 + noise.q * (noise.classes - 2)), noise.classes
    ),
    "a class more": lambda noise: LabelFlip(noise.q * noise.classes / (noise.classes + 1),
                                            noise.classes),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_NOISE)
def test_wrong_noise_is_caught(name):
    noise = LabelFlip(Fraction(1, 10), 3)
    alpha, labels = [1.0, -0.5, 0.25], [0, 1, 2]
    (found,) = log_pair_bounds(1.0, by_class(alpha, labels, 3), 0, [1], WRONG_NOISE[name](noise))
    with mpmath.workdps(40):
        right = transcribed(mpmath.mpf(1), terms(alpha, labels, 0, 1, noise))[0]
        assert not contains(found, right)


# Sums


@pytest.mark.parametrize("seed", range(30))
def test_the_sum_of_errors_is_enclosed(seed):
    random = Random(seed)
    size = Fraction(10) ** random.randint(-3, 6)
    logs = [
        -Fraction(random.randint(0, 10**9), 10**9) * size for _ in range(random.choice([1, 2, 99]))
    ]
    found = log_sum_bound(logs)
    assert found.rad < Fraction(1, 1 << 100)
    with mpmath.workdps(120):
        right = mpmath.log(mpmath.fsum(mpmath.exp(exact(x)) for x in logs))
        assert exact(found.lower) - mpmath.mpf(10) ** -100 <= right
        assert right <= exact(found.upper) + mpmath.mpf(10) ** -100
        assert is_majority_sum(logs) == (right < -mpmath.log(2))


def test_one_term_is_itself():
    for value in (Fraction(0), Fraction(-7, 3), Fraction(-(10**30)), Fraction(5)):
        found = log_sum_bound([value])
        assert found.lower <= value <= found.upper


@pytest.mark.parametrize("digits", [5, 17, 60, 400])
@pytest.mark.parametrize("count", [1, 2, 9, 99])
def test_majorities_near_the_border(count, digits):
    """Logs that differ, whose sum is 1/2 but for the last digit: either side is told."""
    with mpmath.workdps(digits + 40):
        shares = [mpmath.mpf(k + 1) / (count * (count + 1)) for k in range(count)]
        logs = [to_fraction(mpmath.log(share)) for share in shares[:-1]]
        left = mpmath.mpf(1) / 2 - mpmath.fsum(mpmath.exp(exact(x)) for x in logs)
        last = mpmath.log(left)
        for side in (-1, 1):
            close = to_fraction(last + side * mpmath.mpf(10) ** -digits)
            assert is_majority_sum([*logs, close]) == (side < 0)


def to_fraction(number):
    """Return an mpf as the fraction it is."""
    sign, man, exp, _ = number._mpf_
    return Fraction((-1) ** sign * int(man)) * Fraction(2) ** exp


@pytest.mark.parametrize(
    ("logs", "right"),
    [
        ([Fraction(0)], False),
        ([Fraction(1), Fraction(-9)], False),
        ([Fraction(-1)], True),
        ([Fraction(-1), Fraction(-2)], False),  # 0.368 + 0.135
        ([Fraction(-1), Fraction(-3)], True),
        ([Fraction(-3)] * 10, True),
        ([Fraction(-3)] * 11, False),
        ([Fraction(-(10**9))] * 999, True),
        ([Fraction(-(10**9)), Fraction(-1, 10**9)], False),
    ],
)
def test_plain_majorities(logs, right):
    assert is_majority_sum(logs) is right


def test_a_wrong_shortcut_is_caught(monkeypatch):
    """Were the shortcut taken at -1 for all, ten terms of -3 and one would be a majority."""
    monkeypatch.setattr(module, "len", lambda _: 0, raising=False)
    assert is_majority_sum([Fraction(-3)] * 11)


# The search for t


def least(parts, bits):
    """Return the minimum of ln B over t >= 0, by the sign of its slope."""
    with mpmath.workprec(bits):
        if transcribed(mpmath.mpf(0), parts)[1] >= 0:
            return mpmath.mpf(0)
        low, high = mpmath.mpf(-1100), mpmath.mpf(1100)  # of log2 t
        for _ in range(70):
            middle = (low + high) / 2
            if transcribed(mpmath.mpf(2) ** middle, parts)[1] < 0:
                low = middle
            else:
                high = middle
        return transcribed(mpmath.mpf(2) ** high, parts)[0]


@pytest.mark.parametrize("seed", range(140))
def test_the_search_ends_near_the_minimum(seed):
    alpha, labels, noise, winner, rival = instance(seed)
    t = pair_t(np.array(alpha), np.array(labels), winner, rival, noise)
    assert 0 <= t <= 2.0**1000
    # 32 bits: the same on machines that round otherwise.
    assert math.ldexp(math.frexp(t)[0], 32).is_integer()
    with mpmath.workprec(400):
        parts = [(a, law) for a, law in terms(alpha, labels, winner, rival, noise) if a]
        value = transcribed(exact(t), parts)[0]
        best = least(parts, 400)
        assert best - mpmath.mpf(2) ** -60 <= value <= best + mpmath.mpf(10) ** -6 * (1 - best)
        assert value <= mpmath.mpf(2) ** -80  # a tie of sizes that floats cannot tell


@pytest.mark.parametrize("seed", range(140))
def test_estimates_are_near_and_never_nan(seed):
    alpha, labels, noise, winner, rival = instance(seed)
    floats, places = np.array(alpha), np.array(labels)
    t = pair_t(floats, places, winner, rival, noise)
    for size in (0.0, t / 3, t):
        found = pair_logs(size, floats, places, winner, noise)
        assert np.isnan(found).tolist() == [c == winner for c in range(noise.classes)]
        for b in [c for c in range(noise.classes) if c != winner][:3]:
            with mpmath.workprec(400):
                parts = terms(alpha, labels, winner, b, noise)
                right = float(transcribed(exact(size), parts)[0])
            # Of sums of all labels, of which those of other classes are taken off again.
            scale = 1 + sum(abs(size * a) for a in alpha)
            assert abs(found[b] - right) <= 1e-12 * scale


def test_a_winner_that_is_none_has_no_t():
    """Where the rival's mean is no smaller, ln B rises from 0: t is 0."""
    for classes in CLASSES:
        noise = LabelFlip(Fraction(1, 3), classes)
        alpha, labels = np.array([1.0, 2.0, 0.5]), np.array([0, 1, 1])
        assert pair_t(alpha, labels, 0, 1, noise) == 0
        assert pair_t(alpha, labels, 1, 0, noise) > 0
        assert pair_t(alpha[:2] * [2, 1], labels[:2], 0, 1, noise) == 0
    assert pair_t(np.zeros(3), labels, 0, 1, noise) == 0


def test_logarithms_of_the_noise():
    noise = LabelFlip(Fraction(1, 10**1000), 2)
    logs = search._PairLogs.of(noise)
    assert logs.same == -math.inf
    assert logs.flip == pytest.approx(-1000 * math.log(10), rel=1e-14)
    assert logs.keep <= 0
    logs = search._PairLogs.of(LabelFlip(Fraction(3, 10), 4))
    assert (math.exp(logs.keep), math.exp(logs.flip)) == pytest.approx((0.7, 0.1))
    assert (math.exp(logs.same), math.exp(logs.other)) == pytest.approx((0.2, 0.8))
