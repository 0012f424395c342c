"""B.2: the bound of a pair, its derivatives, and for whom it can prove anything."""

# ruff: noqa: N803  (K classes, as in the papers)

from fractions import Fraction
from itertools import product
from random import Random

import mpmath
import pytest
import sympy

from certaudit.reference import multiclass
from certaudit.reference.multiclass import (
    candidate,
    log_pair_chernoff,
    log_pair_chernoff_slope,
    noisy_labellings,
    optimal_pair_t,
    pair_law,
    pair_share,
    scores,
)
from certaudit.reference.radius import number
from certaudit.reference.tail import log_chernoff


def instances(seed, count):
    """Yield (alpha, labels, q, K); equal alphas and scores are likely."""
    random = Random(seed)
    for _ in range(count):
        K, n = random.choice([(2, 5), (3, 5), (4, 4), (5, 3)])
        n = random.randint(1, n)
        alpha = [Fraction(random.randint(-5, 5), 4) for _ in range(n)]
        labels = [random.randrange(K) for _ in range(n)]
        yield alpha, labels, Fraction(random.randint(1, 99), 100) * Fraction(K - 1, K), K


def pairs(K):
    return ((i, b) for i, b in product(range(K), repeat=2) if i != b)


@pytest.mark.parametrize("seed", range(8))
def test_every_t_bounds_the_pair(seed):
    with mpmath.workdps(30):
        for alpha, labels, q, K in instances(seed, 5):
            for i, b in pairs(K):
                error = 1 - pair_share(alpha, labels, i, b, q, K)
                for t in (0, 2.0**-30, 0.5, 3.0, 40.0):
                    bound = log_pair_chernoff(mpmath.mpf(t), list(map(number, alpha)),
                                              labels, i, b, q, K)  # fmt: skip
                    assert mpmath.exp(bound) >= number(error) * (1 - mpmath.mpf(10) ** -25)


@pytest.mark.parametrize("K", [2, 3, 4, 7])
def test_the_law_is_that_of_the_noise(K):
    q = Fraction(1, 7)
    for y, (i, b) in product(range(K), pairs(K)):
        law = dict.fromkeys((1, 0, -1), Fraction(0))
        for (noisy,), mass in noisy_labellings([y], q, K):
            law[(noisy == i) - (noisy == b)] += mass
        assert law == pair_law(y, i, b, q, K)
        # As B.2 prints it.
        assert law[1] == (1 - q if y == i else q / (K - 1))
        assert law[-1] == (1 - q if y == b else q / (K - 1))
        assert law[0] == (q * (K - 2) / (K - 1) if y in {i, b} else 1 - 2 * q / (K - 1))


def summand():
    """Return a summand of ln B_ib, its variables, the tilted mean and the tilted mean square."""
    t, a = sympy.symbols("t a", real=True)
    up, middle, down = sympy.symbols("u m d", positive=True)
    e = sympy.exp(-t * a)
    total = up * e + middle + down / e
    return sympy.log(total), t, a, (up * e - down / e) / total, (up * e + down / e) / total


def test_derivatives_in_t():
    """Minus the tilted mean times a, and a^2 times the tilted variance: convex."""
    term, t, a, mean, square = summand()
    assert sympy.simplify(sympy.diff(term, t) + a * mean) == 0
    assert sympy.simplify(sympy.diff(term, t, 2) - a**2 * (square - mean**2)) == 0


def test_the_slope_in_alpha_is_at_most_t():
    """d/da = -t times the tilted mean of a variable in {-1, 0, 1}."""
    term, t, a, mean, square = summand()
    assert sympy.simplify(sympy.diff(term, a) + t * mean) == 0
    # |mean| <= mean square <= 1: numerators are u e -+ d/e and the denominator adds m > 0.
    assert sympy.simplify(sympy.exp(term) * (1 - square)).free_symbols == {sympy.Symbol(
        "m", positive=True)}  # fmt: skip


def test_the_reverse_pair_is_the_negative_t():
    with mpmath.workdps(30):
        for alpha, labels, q, K in instances(50, 20):
            numbers = list(map(number, alpha))
            for (i, b), t in product(pairs(K), (0.3, 2.0)):
                forth = log_pair_chernoff(mpmath.mpf(-t), numbers, labels, i, b, q, K)
                back = log_pair_chernoff(mpmath.mpf(t), numbers, labels, b, i, q, K)
                assert abs(forth - back) < mpmath.mpf(10) ** -25


def test_two_classes_are_equation_6_with_t_halved():
    """With K = 2, ln B_10(t) = (6)(2t) + t (sum alpha - 1), and ln B_01(t) = (6)(-2t) - ..."""
    t, a = sympy.symbols("t a", real=True)
    q = sympy.symbols("q", positive=True)
    for y in (0, 1):
        law = pair_law(y, 1, 0, Fraction(1, 5), 2)
        assert law == {1: law[1], 0: 0, -1: 1 - law[1]}
        up = 1 - q if y else q
        pair = up * sympy.exp(-t * a) + (1 - up) * sympy.exp(t * a)
        six = 1 - up + up * sympy.exp(-2 * t * a)
        assert sympy.simplify(pair - sympy.exp(t * a) * six) == 0
    # The factors exp(t a) together are exp(t sum alpha); those of (6) are exp(2t/2).
    with mpmath.workdps(30):
        alpha = [mpmath.mpf(x) / 8 for x in (3, -1, 4, 2)]
        assert sum(alpha) == 1
        labels, noise = [1, 0, 1, 0], Fraction(1, 10)
        for s in (0.7, 2.0):
            six = log_chernoff(mpmath.mpf(2 * s), alpha, labels, noise)
            assert (
                abs(log_pair_chernoff(mpmath.mpf(s), alpha, labels, 1, 0, noise, 2) - six) < 1e-25
            )
            six = log_chernoff(mpmath.mpf(-2 * s), alpha, labels, noise)
            assert (
                abs(log_pair_chernoff(mpmath.mpf(s), alpha, labels, 0, 1, noise, 2) - six) < 1e-25
            )


def test_means_are_ordered_as_scores():
    """E s_c = h S_c + B sum alpha, h = 1 - Kq/(K-1) > 0."""
    for alpha, labels, q, K in instances(60, 30):
        means = [Fraction(0)] * K
        for noisy, mass in noisy_labellings(labels, q, K):
            means = [m + mass * s for m, s in zip(means, scores(alpha, noisy, K), strict=True)]
        h, other = 1 - K * q / (K - 1), q / (K - 1)
        assert h > 0
        assert means == [h * s + other * sum(alpha) for s in scores(alpha, labels, K)]


def test_only_the_candidate_can_be_proven():
    """Of every other class some pair has ln B >= 0 at every t >= 0, and the search gives 0."""
    tied = 0
    with mpmath.workdps(25):
        for alpha, labels, q, K in instances(70, 60):
            numbers, best = list(map(number, alpha)), candidate(alpha, labels, K)
            result = scores(alpha, labels, K)
            for i, b in pairs(K):
                if result[b] < result[i]:
                    # The slope is negative at 0: the minimum is at a t > 0, below 0.
                    t = optimal_pair_t(numbers, labels, i, b, q, K)
                    assert t > 0
                    assert log_pair_chernoff(t, numbers, labels, i, b, q, K) < 0
                else:
                    for t in (0.01, 0.3, 1.0, 5.0, 30.0):
                        value = log_pair_chernoff(mpmath.mpf(t), numbers, labels, i, b, q, K)
                        assert value > -(mpmath.mpf(10) ** -20)
                    assert optimal_pair_t(numbers, labels, i, b, q, K) == 0
            assert all(result[best] >= other for other in result)
            rivals = multiclass.rivals(alpha, labels, best, q, K)
            assert [r.rival for r in rivals] == [b for b in range(K) if b != best]
            # At t = 0 what is left is rounding.
            proven = all(r.log_error < -(mpmath.mpf(10) ** -20) for r in rivals)
            assert proven == (result.count(max(result)) == 1)
            tied += not proven
    assert 5 < tied < 55


def test_the_minimum_is_finite_and_found():
    """|t*| <= n ln(1/B) / sum|alpha|, and the slope there vanishes; tiny and huge alphas too."""
    with mpmath.workdps(30):
        for alpha, labels, q, K in instances(80, 25):
            for scale in (1, Fraction(1, 10**12), 10**9):
                numbers = [number(a * scale) for a in alpha]
                for i, b in pairs(K):
                    t = optimal_pair_t(numbers, labels, i, b, q, K)
                    if not t:
                        continue
                    size = sum(abs(a) for a in numbers)
                    assert t <= len(alpha) * mpmath.log(number((K - 1) / q)) / size * (1 + 1e-9)
                    slope, curvature = log_pair_chernoff_slope(t, numbers, labels, i, b, q, K)
                    assert curvature > 0
                    assert abs(slope) <= size * mpmath.mpf(10) ** -9
    # Noise of 10^-12: plain Newton from 0 would leave the range of exp.
    with mpmath.workdps(30):
        alpha, labels, q = [mpmath.mpf(1) / 50] * 60, [2] * 60, Fraction(1, 10**12)
        t = optimal_pair_t(alpha, labels, 2, 0, q, 3)
        # The minimum of A e^-z + B e^z is at e^(2z) = A/B.
        expected = 25 * mpmath.log(number((1 - q) * 2 / q))
        assert abs(t - expected) < 1e-9 * expected
