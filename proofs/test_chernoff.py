"""(6): both tails, the signed t, and what an error of alpha costs."""

from fractions import Fraction
from itertools import product
from random import Random

import mpmath
import pytest
import sympy

from certaudit.reference.radius import number
from certaudit.reference.tail import log_chernoff, log_chernoff_slope, optimal_t
from certaudit.rigorous.tail import log_error_bound

HALF = Fraction(1, 2)


def tails(alpha, labels, q):
    """Return P(alpha'y <= 1/2) and P(alpha'y >= 1/2) over noisy labels, exactly."""
    below = above = Fraction(0)
    for noisy in product((0, 1), repeat=len(labels)):
        flips = sum(a != b for a, b in zip(noisy, labels, strict=True))
        weight = q**flips * (1 - q) ** (len(labels) - flips)
        score = sum((a for a, y in zip(alpha, noisy, strict=True) if y), Fraction(0))
        below += weight * (score <= HALF)
        above += weight * (score >= HALF)
    return below, above


@pytest.mark.parametrize("seed", range(40))
def test_every_t_bounds_the_tail_it_points_to(seed):
    random = Random(seed)
    n = random.randint(1, 7)
    alpha = [Fraction(random.randint(-10, 10), 8) for _ in range(n)]
    labels = [random.randint(0, 1) for _ in range(n)]
    q = Fraction(random.randint(1, 99), 200)
    below, above = tails(alpha, labels, q)
    zeros = [float(a) for a, y in zip(alpha, labels, strict=True) if not y]
    ones = [float(a) for a, y in zip(alpha, labels, strict=True) if y]
    for t in (0.0, 2.0**-30, 0.5, 3.0, 40.0, 1e5):
        for signed, tail in ((t, below), (-t, above)):
            upper = log_error_bound(signed, zeros, ones, q).upper
            with mpmath.workdps(40):
                assert tail == 0 or mpmath.log(number(tail)) <= number(upper)


def test_the_slope_in_alpha_is_at_most_t():
    """|d/da ln(1 - s + s exp(-ta))| = |t| w with w = s e^(-ta)/(1 - s + s e^(-ta)) in [0, 1]."""
    t, a = sympy.symbols("t a", real=True)
    s = sympy.symbols("s", positive=True)
    term = sympy.log(1 - s + s * sympy.exp(-t * a))
    share = s * sympy.exp(-t * a) / (1 - s + s * sympy.exp(-t * a))
    assert sympy.simplify(sympy.diff(term, a) + t * share) == 0
    # 0 <= w <= 1: numerator and 1 - s are not negative, the denominator is their sum.


def test_ln_b_is_convex_in_t():
    """The second derivative of a summand is a^2 w (1 - w) >= 0: the tilted variance."""
    t, a = sympy.symbols("t a", real=True)
    s = sympy.symbols("s", positive=True)
    term = sympy.log(1 - s + s * sympy.exp(-t * a))
    share = s * sympy.exp(-t * a) / (1 - s + s * sympy.exp(-t * a))
    assert sympy.simplify(sympy.diff(term, t, 2) - a**2 * share * (1 - share)) == 0


def test_the_common_factor():
    """(1-q) + q e = q ((1-q)/q + e) and q + (1-q) e = (1-q) (q/(1-q) + e)."""
    q, e = sympy.symbols("q e", positive=True)
    assert sympy.simplify((1 - q) + q * e - q * ((1 - q) / q + e)) == 0
    assert sympy.simplify(q + (1 - q) * e - (1 - q) * (q / (1 - q) + e)) == 0


def test_the_unsigned_t_bounds_nothing():
    """Nine labels 0 and one 1: t* < 0, B(t*) is small, and B(|t*|), the papers' p*, exceeds 1."""
    alpha, labels, q = [mpmath.mpf(1) / 10] * 10, [0] * 9 + [1], Fraction(1, 10)
    with mpmath.workdps(30):
        t = optimal_t(alpha, labels, q)
        assert t < 0
        assert log_chernoff(t, alpha, labels, q) < -1
        assert log_chernoff(abs(t), alpha, labels, q) > 1


def test_the_floor_of_t_loses_the_certificate():
    """N = 1, alpha = 100, q = 1/10^4: t* = 0.09 or so, floor(t*) = 0 proves nothing, t* does."""
    alpha, labels, q = [mpmath.mpf(100)], [1], Fraction(1, 10**4)
    with mpmath.workdps(30):
        t = optimal_t(alpha, labels, q)
        assert 0 < t < 1
        assert log_chernoff(t, alpha, labels, q) < -mpmath.log(2)
        assert log_chernoff(mpmath.floor(t), alpha, labels, q) == 0


def test_plain_newton_diverges():
    """60 labels 1, q = 1/100, alpha = 1/50: Newton's first steps from 0 leave the range of exp.

    The guarded search, of the reference and of the engine, ends at the minimum.
    """
    alpha, labels, q = [mpmath.mpf(1) / 50] * 60, [1] * 60, Fraction(1, 100)
    with mpmath.workdps(30):
        t = mpmath.mpf(0)
        largest = t
        for _ in range(6):
            slope, curvature = log_chernoff_slope(t, alpha, labels, q)
            if curvature < mpmath.mpf(10) ** -300:
                break
            t -= slope / curvature
            largest = max(largest, abs(t))
        best = optimal_t(alpha, labels, q)
        slope, _ = log_chernoff_slope(best, alpha, labels, q)
        assert abs(slope) < mpmath.mpf(10) ** -10
        assert largest > 700 * 50  # exp(t alpha) overflows float64 beyond t alpha = 709
        assert largest > 10 * best
