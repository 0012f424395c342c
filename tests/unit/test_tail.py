"""The Chernoff bound: against exact probabilities, the reference, and wrong variants."""

from fractions import Fraction
from itertools import product
from random import Random

import mpmath
import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import rational

from certaudit.certify.run import lower_share
from certaudit.certify.search import chernoff_t
from certaudit.errors import InputError
from certaudit.reference import tail as reference
from certaudit.reference.radius import number
from certaudit.rigorous.balls import from_ball
from certaudit.rigorous.tail import log_chernoff, log_error_bound

HALF = Fraction(1, 2)
NOISE = ["0.1", "1/3", "0.49999", "0.01", "1e-12", "1e-300", "1e-5000", "0.4" + "9" * 60]


def split(alpha, labels):
    return (
        [a for a, y in zip(alpha, labels, strict=True) if not y],
        [a for a, y in zip(alpha, labels, strict=True) if y],
    )


def reference_bound(t, alpha, labels, q):
    with mpmath.workdps(100):
        values = [number(Fraction(a)) for a in alpha]
        return rational(reference.log_chernoff(number(Fraction(t)), values, labels, Fraction(q)))


def test_equation_6_by_hand():
    """One label 1, alpha = 1, q = 1/4, t = 2: B = e (1/4 + 3/4 e^-2)."""
    bound = log_error_bound(2.0, [], [1.0], "1/4")
    with mpmath.workdps(30):
        value = 1 + mpmath.log(mpmath.mpf("0.25") + mpmath.mpf("0.75") * mpmath.exp(-2))
        assert abs(number(bound.mid) - value) < mpmath.mpf(10) ** -15


@pytest.mark.parametrize("seed", range(12))
def test_bounds_the_exact_tail_on_both_sides(seed):
    """B(t) bounds P(alpha'y <= 1/2) for t > 0, P(alpha'y >= 1/2) for t < 0: by enumeration."""
    random = Random(seed)
    n = random.randint(1, 9)
    alpha = [Fraction(random.randint(-12, 12), 8) for _ in range(n)]
    labels = [random.randint(0, 1) for _ in range(n)]
    q = Fraction(random.randint(1, 49), 100)
    below = above = Fraction(0)
    for noisy in product((0, 1), repeat=n):
        flips = sum(a != b for a, b in zip(noisy, labels, strict=True))
        weight = q**flips * (1 - q) ** (n - flips)
        score = sum(a * y for a, y in zip(alpha, noisy, strict=True))
        below += weight * (score <= HALF)
        above += weight * (score >= HALF)
    zeros, ones = split([float(a) for a in alpha], labels)
    for size in (2.0**-20, 0.1, 1.0, 3.7, 20.0, 500.0, 1e6):
        for t, tail in ((size, below), (-size, above)):
            upper = log_error_bound(t, zeros, ones, q).upper
            with mpmath.workdps(40):
                assert tail == 0 or mpmath.log(number(tail)) <= number(upper)


def magnitudes(low, high):
    return st.builds(
        lambda m, e, s: s * m * 10.0**e,
        st.floats(1, 9.99),
        st.integers(low, high),
        st.sampled_from([-1, 1]),
    )


@settings(max_examples=150, deadline=None)
@given(
    magnitudes(-8, 7),
    st.lists(magnitudes(-12, 2) | st.just(0.0), min_size=1, max_size=12),
    st.integers(0, 2**12),
    st.sampled_from(NOISE),
)
def test_contains_the_reference_and_is_narrow(t, alpha, bits, q):
    labels = [bits >> i & 1 for i in range(len(alpha))]
    bound = log_error_bound(t, *split(alpha, labels), q)
    value = reference_bound(t, alpha, labels, q)
    slack = Fraction(1, 10**40) * (1 + abs(value))
    assert bound.lower - slack <= value <= bound.upper + slack
    assert bound.upper - bound.lower <= Fraction(1, 1 << 18)


def test_alpha_errors_are_paid_for():
    """No alpha within the l1 error has a larger bound; ignoring the error would be unsound."""
    alpha, labels, q, error = [0.3, -0.2, 0.25, 0.4], [1, 0, 1, 1], "0.1", Fraction(1, 1000)
    for t in (5.0, -5.0):
        paid = log_error_bound(t, *split(alpha, labels), q, alpha_error=error).upper
        bare = log_error_bound(t, *split(alpha, labels), q).upper
        worst = 0
        for i, sign in product(range(4), (-1, 1)):
            moved = [Fraction(a) + (sign * error if i == j else 0) for j, a in enumerate(alpha)]
            worst = max(worst, reference_bound(t, moved, labels, q) - Fraction(bare))
        assert bare < paid
        assert worst > 0  # the variant that ignores the error is caught here
        assert bare + worst <= paid


def test_balls_stand_for_every_alpha_in_them():
    with ctx.workprec(100):
        wide = [arb(0.3, 1e-6), arb(-0.2, 1e-6)]
        ball = from_ball(log_chernoff(3.0, wide[:1], wide[1:], "0.2"))
    for a, b in product((0.3 - 9e-7, 0.3, 0.3 + 9e-7), (-0.2 - 9e-7, -0.2 + 9e-7)):
        assert ball.lower <= reference_bound(3.0, [a, b], [0, 1], "0.2") <= ball.upper


def test_zero_t_proves_nothing():
    bound = log_error_bound(0.0, [0.5], [0.25], "0.1")
    assert bound.lower <= 0 <= bound.upper <= Fraction(1, 10**15)


def test_the_sign_of_t_matters():
    """The papers' B at |t*|: for a vote of 0 it bounds the wrong tail, and is far above 1."""
    alpha, labels, q = [0.1] * 10, [0] * 9 + [1], Fraction(1, 10)
    t = chernoff_t(np.array(alpha), np.array(labels), q, -1)
    assert t < 0
    zeros, ones = split(alpha, labels)
    assert log_error_bound(t, zeros, ones, q).upper < -1
    assert log_error_bound(abs(t), zeros, ones, q).lower > 1


@pytest.mark.parametrize("q", ["0", "1/2", "0.9", 0.1])
def test_bad_noise(q):
    with pytest.raises(InputError):
        log_error_bound(1.0, [0.5], [], q)


def test_negative_alpha_error():
    with pytest.raises(InputError):
        log_error_bound(1.0, [0.5], [], "0.1", alpha_error=Fraction(-1))


weights = st.lists(magnitudes(-6, 1) | magnitudes(-30, 30) | st.just(0.0), min_size=1, max_size=10)


@settings(max_examples=120, deadline=None)
@given(weights, st.integers(0, 2**10), st.sampled_from([*NOISE[:5], "0.4999", "1e-300"]))
@example([-2e-311, -0.2, 0.2, 0.2, -2e-311, 0.2, 0.2], 0, "1e-300")
@example([-1.0, 0.0, 1e232, 0.0, 1e152, 0.0, 1.0], 88, "1e-12")
@example([5e-324, 0.5, 0.5, 1e300, 6072.0], 7, "0.4")
def test_the_witness_is_within_a_hundredth_of_the_minimum(alpha, bits, q):
    labels = [bits >> i & 1 for i in range(len(alpha))]
    rate = Fraction(q)
    with mpmath.workdps(40):
        values = [number(Fraction(a)) for a in alpha]
        mean = sum(
            (a * number(1 - rate if y else rate) for a, y in zip(values, labels, strict=True)),
            mpmath.mpf(0),
        )
        direction = 1 if mean >= 0.5 else -1
        if direction < 0 and sum(max(Fraction(a), 0) for a in alpha) < HALF:
            return  # a constant vote: no minimum
        t = chernoff_t(np.array(alpha), np.array(labels), rate, direction)
        assert t * direction >= 0
        ours = reference.log_chernoff(number(Fraction(t)), values, labels, rate)
        best = reference.optimal_t(values, labels, rate)
        assert ours <= reference.log_chernoff(best, values, labels, rate) + mpmath.mpf("0.01")


@pytest.mark.parametrize("digits", [2, 4, 8, 12, 300, 9000])
def test_small_noise_needs_a_guard_and_gets_one(digits):
    """Plain Newton overshoots and overflows here for q <= 0.01; the bracket holds.

    Every flip takes at most 0.02 off a score of 1.2, so 35 of 80 labels have to flip:
    P <= C(80, 35) q^35, and the Chernoff bound has the same exponent.
    """
    alpha = np.array([0.02] * 60 + [-0.01] * 20)
    labels = np.array([1] * 60 + [0] * 20)
    q = Fraction(1, 10**digits)
    t = chernoff_t(alpha, labels, q, 1)
    assert 0 < t < 1e9
    bound = log_error_bound(t, alpha[60:].tolist(), alpha[:60].tolist(), q)
    assert float(bound.upper) < 60 - 35 * digits * 2.302585
    if digits <= 300:
        with ctx.workprec(64):
            plain = from_ball(log_chernoff(t, alpha[60:].tolist(), alpha[:60].tolist(), q))
        assert plain.rad < Fraction(1, 2**20)


def test_a_tie_at_infinity_ends():
    """alpha = 1/2, label 0: the infimum ln q of ln B lies at t = -infinity."""
    t = chernoff_t(np.array([0.5]), np.array([0]), Fraction(1, 10), -1)
    bound = log_error_bound(t, [0.5], [], "0.1")
    with mpmath.workdps(30):
        assert mpmath.log(mpmath.mpf("0.1")) <= number(bound.upper)
        assert number(bound.upper) <= mpmath.log(mpmath.mpf("0.1")) + 0.01


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e-30, 1e30, 1e300, 1.7e308])
def test_extreme_alphas_do_not_overflow(scale, direction):
    alpha = np.array([scale, -scale / 3, scale / 7])
    t = chernoff_t(alpha, np.array([1, 0, 1]), Fraction(1, 10), direction)
    assert np.isfinite(t)
    assert t * direction >= 0
    assert log_error_bound(t, [alpha[1]], [alpha[0], alpha[2]], "0.1").rad < 1


@given(st.fractions(min_value=-5000, max_value=0))
def test_lower_share_is_below_the_share(log_error):
    found = lower_share(log_error)
    assert 0 <= found < 1
    with mpmath.workdps(50):
        share = -mpmath.expm1(number(log_error))
        assert number(Fraction(found)) <= share
        assert number(Fraction(repr(found))) <= share
        assert share - number(Fraction(found)) < mpmath.mpf(2) ** -50
