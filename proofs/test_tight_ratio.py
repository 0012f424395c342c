"""How far (2) is ahead of (5): the three limits, the rate of the first, the ends of the range."""

import random
from fractions import Fraction
from math import comb

import mpmath
import pytest
import sympy
from flint import arb, ctx

from certaudit.noise import discrete, label_flip
from certaudit.reference.radius import kl_divergence, number
from certaudit.reference.threshold import ratio_regions, threshold
from certaudit.rigorous.balls import to_ball
from certaudit.rigorous.radius import kl_radius
from certaudit.rigorous.ratio import kl_log_error, kl_ratio
from certaudit.rigorous.threshold import exact_threshold
from certaudit.rigorous.threshold import threshold as enclosed

HALF = Fraction(1, 2)
TINY = Fraction(1, 10**30)


def near_half(q, r):
    """1 - F^-1(r) for two labels and q just below 1/2, where the median m is r // 2."""
    m = r // 2
    x = q / (1 - q)
    mass = [comb(r, i) * q**i * (1 - q) ** (r - i) for i in range(m)]
    return x ** (r - 2 * m) * (
        sum(mass[m - k] * x ** (2 * k) for k in range(1, m + 1)) + type(q)(1) / 2 - sum(mass)
    )


def mean_distance(classes, r):
    """E|S_r| of the walk with steps +1 and -1 of probability 1/classes each, 0 else; exact."""
    law = {0: Fraction(1)}
    step = {1: Fraction(1, classes), -1: Fraction(1, classes), 0: 1 - Fraction(2, classes)}
    for _ in range(r):
        after = {}
        for s, mass in law.items():
            for move, share in step.items():
                after[s + move] = after.get(s + move, 0) + mass * share
        law = after
    return sum(abs(s) * mass for s, mass in law.items())


def limit_at_uniform(classes, r):
    return 2 * r / (classes * mean_distance(classes, r) ** 2)


def near_uniform(classes):
    return label_flip(Fraction(classes - 1, classes) - TINY, classes)


# ---- (a) p -> 1 at fixed q --------------------------------------------------------------------


def rate(noise, r):
    """Return the bounds of (a) on the ratio as balls, the upper one None where there is none."""
    high, _, low = noise.law
    h, log_odds, root = to_ball(high - low), to_ball(high / low).log(), arb(r).sqrt()
    shrink = 1 - 1 / (h * root) - arb(2).log() / (r * h * log_odds)
    return 2 / (1 + 1 / (h * root)), 2 / shrink if shrink > 0 else None


@pytest.mark.parametrize(("q", "classes"), [("0.01", 2), ("0.1", 2), ("0.45", 2), ("0.5", 5)])
def test_the_rate_at_which_it_becomes_two(q, classes):
    noise = label_flip(q, classes)
    for r in (1, 2, 3, 10, 100, 1000, 3000):
        with ctx.workprec(200):
            ratio = kl_ratio(noise, r)
            lower, upper = rate(noise, r)
            assert lower < to_ball(ratio.lower)
            assert upper is None or to_ball(ratio.upper) < upper


def test_one_minus_the_threshold_is_exp_of_minus_r_divergences():
    """|ln(2(1 - F^-1(r))) + r D| <= ln(high/low) sqrt(r)."""
    random.seed(1)
    for _ in range(200):
        noise = label_flip(Fraction(random.randint(1, 99), 200))
        r = random.choice([1, 2, 5, 17, 100, 999])
        high, _, low = noise.law
        with ctx.workprec(200):
            error = enclosed(noise, r).error
            log_odds = to_ball(high / low).log()
            reach = log_odds * arb(r).sqrt()
            for end in (error.lower, error.upper):
                assert abs((2 * to_ball(end)).log() + r * to_ball(high - low) * log_odds) < reach


def test_far_out_it_is_two():
    assert abs(kl_ratio(label_flip("0.1"), 1_000_000).mid - 2) < Fraction(1, 10**5)


# ---- (b) q -> 0 at fixed r --------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("r", range(1, 13))
def test_small_noise_has_a_closed_form(r, classes):
    """1 - F^-1(r) = (low/high)^r / 2 as long as high^r >= 1/2, and not beyond."""
    for q in (Fraction(1, 10**9), Fraction(1, 1000), Fraction(1, 18)):
        high, _, low = label_flip(q, classes).law
        same = 1 - exact_threshold(label_flip(q, classes), r) == (low / high) ** r / 2
        assert same == (high**r >= HALF)


@pytest.mark.parametrize("r", range(1, 13))
def test_the_limit_at_no_noise_is_two(r):
    """For x = low/high -> 0, with high = 1/(1 + (K-1) x)."""
    x, K = sympy.symbols("x K", positive=True)
    h = (1 - x) / (1 + (K - 1) * x)
    ratio = 2 * r * h * -sympy.log(x) / (-r * sympy.log(x) - sympy.log(2 - x**r))
    assert sympy.limit(ratio, x, 0, "+") == 2


def test_it_comes_from_above():
    for r in (1, 2, 3, 10, 100, 1000):
        assert kl_ratio(label_flip("1e-12"), r).lower > 2


# ---- (c) q -> 1/2 at fixed r ------------------------------------------------------------------


@pytest.mark.parametrize("r", range(1, 13))
def test_the_limit_at_one_half(r):
    """F^-1(r) - 1/2 = e E|S_r| + O(e^2) and D = 2 e^2 + O(e^4), e = 1 - 2q."""
    e = sympy.symbols("e", positive=True)
    excess = sympy.Rational(1, 2) - near_half((1 - e) / 2, r)
    distance = sympy.Rational(*mean_distance(2, r).as_integer_ratio())
    excess = sympy.cancel(sympy.together(excess))
    assert excess.subs(e, 0) == 0
    assert sympy.diff(excess, e).subs(e, 0) == distance
    divergence = e * sympy.log((1 + e) / (1 - e))
    assert sympy.series(divergence, e, 0, 4).removeO() == 2 * e**2
    # -ln(4p(1-p)) = -ln(1 - 4 excess^2) ~ 4 distance^2 e^2, so that the ratio tends to
    assert sympy.Rational(2 * r * 2) / (4 * distance**2) == r / distance**2


@pytest.mark.parametrize("r", range(1, 13))
def test_the_expression_is_the_threshold(r):
    for q in (HALF - TINY, HALF - Fraction(1, 10**6)):
        assert exact_threshold(label_flip(q), r) == 1 - near_half(q, r)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_balls_see_the_limit_at_uniform_noise(classes):
    for r in (1, 2, 3, 4, 5, 12, 31, 60):
        ratio = kl_ratio(near_uniform(classes), r)
        assert abs(ratio.mid - limit_at_uniform(classes, r)) < Fraction(1, 10**20)


def test_one_flip_among_many_classes():
    for classes in range(2, 12):
        assert limit_at_uniform(classes, 1) == Fraction(classes, 2)


def test_mean_distance_has_a_closed_form():
    for r in range(1, 40):
        assert mean_distance(2, r) == Fraction(r * comb(r - 1, (r - 1) // 2), 2 ** (r - 1))


def test_the_limits_close_in_on_half_pi():
    """Even r from 2 down, odd r from 1 up: quotients 4j(j+1)/(2j+1)^2 and 4j^2/(4j^2-1)."""
    limits = [r / mean_distance(2, r) ** 2 for r in range(1, 40)]
    odd, even = limits[::2], limits[1::2]
    for j in range(1, len(even)):
        assert even[j] / even[j - 1] == Fraction(4 * j * (j + 1), (2 * j + 1) ** 2) < 1
        assert odd[j] / odd[j - 1] == Fraction(4 * j * j, 4 * j * j - 1) > 1
    assert (odd[0], even[0]) == (1, 2)
    assert number(odd[-1]) < mpmath.pi / 2 < number(even[-1])
    j = sympy.symbols("j", positive=True)
    stirling = 2 * j / (2 * j / sympy.sqrt(sympy.pi * j)) ** 2  # binomial(2j,j)/4^j ~ 1/sqrt(pi j)
    assert sympy.simplify(stirling - sympy.pi / 2) == 0


# ---- (d) the range ----------------------------------------------------------------------------


def at_one_flip(q):
    """Return the ratio for r = 1 and two labels."""
    return 2 * (1 - 2 * q) * ((1 - q) / q).log() / -(q * (2 - 3 * q) / (1 - q) ** 2).log()


def test_one_flip_is_the_most_that_small_noise_gives():
    """Below 2.3355 on [0.006, 1/3]: there by bisection, outside by the estimates of the entry."""
    pending, cases = [(Fraction(6, 1000), Fraction(1, 3))], 0
    with ctx.workprec(80):
        while pending:
            low, high = pending.pop()
            cases += 1
            assert cases < 20_000
            q = to_ball(low).union(to_ball(high))
            if not at_one_flip(q) < 2.3355:
                pending += [(low, (low + high) / 2), ((low + high) / 2, high)]
        x = arb(6) / 994
        assert 2 * x.log() / (x.log() + arb(2).log()) < 2.3355
        assert 2 / (arb(3) / 2 * arb(0.5).sqrt()) < 2.3355
    assert kl_ratio(label_flip("0.0323"), 1).lower > Fraction("2.3353")


def test_more_flips_give_less_while_the_noise_is_small():
    """(2 - x)^r >= 2 - x^r: (1 + y)^r >= 1 + r y >= 2 - (1 - y)^r, for y = 1 - x in [0, 1]."""
    for r in range(1, 30):
        for q in (Fraction(1, 10**6), Fraction(1, 1000), Fraction(1, 50)):
            if (1 - q) ** r >= HALF:
                assert kl_ratio(label_flip(q), r).lower <= kl_ratio(label_flip(q), 1).upper


def test_never_below_one():
    random.seed(2)
    for _ in range(300):
        values = random.choice([2, 2, 3, 10])
        alpha = Fraction(random.randint(1, 999), 1000)
        if alpha * values == 1:
            continue
        r = random.choice([1, 2, 3, 7, 40])
        assert kl_ratio(discrete(alpha, values), r).lower > 1


# ---- the functions ----------------------------------------------------------------------------


def test_the_reference_agrees():
    random.seed(3)
    with mpmath.workdps(50):
        for _ in range(60):
            classes = random.choice([2, 3, 5])
            q = Fraction(random.randint(1, 199), 200) * Fraction(classes - 1, classes)
            r = random.randint(1, 25)
            p = threshold(ratio_regions(1 - q, classes, r))
            kappa = -mpmath.log(number(4 * p * (1 - p))) / (2 * kl_divergence(1, q, classes))
            ratio = kl_ratio(label_flip(q, classes), r)
            assert ratio.upper - ratio.lower < ratio.lower / 2**64
            assert abs(number(ratio.mid) - r / kappa) < mpmath.mpf(10) ** -18


def test_the_kl_radius_changes_where_it_is_said_to():
    random.seed(4)
    for _ in range(100):
        classes = random.choice([2, 3, 5])
        noise = label_flip(
            Fraction(random.randint(1, 99), 100) * Fraction(classes - 1, classes), classes
        )
        r = random.choice([1, 2, 3, 30, 500])
        found = kl_log_error(noise, r)
        assert found.upper - found.lower < -found.upper / 2**64
        assert kl_radius(noise, log_error=found.lower) == r
        assert kl_radius(noise, log_error=found.upper + Fraction(1, 2**60)) == r - 1


# ---- what is not so ---------------------------------------------------------------------------


def test_not_at_least_two_nor_at_most_two():
    assert kl_ratio(label_flip("0.1"), 2).upper < 2 < kl_ratio(label_flip("0.1"), 1).lower
    assert kl_ratio(label_flip("0.49"), 1).upper < Fraction(5, 4)
    assert kl_ratio(label_flip("0.9", 100), 1).lower > 10


def test_not_two_at_one_half():
    for r in (1, 3, 4, 5, 100):
        assert abs(kl_ratio(near_uniform(2), r).mid - 2) > Fraction(1, 5)


def test_the_deviation_in_place_of_the_mean_distance_is_wrong():
    """E|S_r| is not sqrt(E S_r^2) = sqrt(r), with which the limit would be 1 for every r."""
    for r in (2, 3, 100):
        assert kl_ratio(near_uniform(2), r).lower > Fraction(5, 4)


def test_the_limits_cannot_be_exchanged():
    """Along r (1-2q)^2 = constant it tends to neither 2 nor pi/2: r = 10^4, q near 1/2."""
    seen = [kl_ratio(label_flip(HALF - Fraction(k, 1000)), 10_000).mid for k in (1, 5, 20)]
    assert Fraction("1.57") < seen[0] < Fraction("1.6") < seen[1] < Fraction("1.75")
    assert Fraction("1.75") < seen[2] < Fraction("1.95")
