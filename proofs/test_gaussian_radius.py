"""Example 1: the enclosure of sigma Phi^-1(p) against mpmath, and that the radius is attained."""

from fractions import Fraction
from itertools import pairwise

import mpmath
import pytest
from support import rational

from certaudit.errors import InputError
from certaudit.exact import Enclosure
from certaudit.noise import gaussian
from certaudit.reference.radius import number
from certaudit.rigorous.radius import certified, gaussian_radius

HALF = Fraction(1, 2)
SHARES = [
    *(Fraction(t) for t in ("0.51", "0.6", "2/3", "3/4", "0.9", "0.99", "0.999", "123/124")),
    *(HALF + Fraction(1, 10**k) for k in (5, 20, 60, 200)),
    *(1 - Fraction(1, 10**k) for k in (5, 20, 60, 300)),
    *(HALF + Fraction(k, 101) for k in range(1, 50, 7)),
    1 - Fraction(1, 3**700),
    Fraction("0.6914624612740131"),
    1 - Fraction(1, 2**54),
]
ERRORS = [Fraction(t) for t in ("-0.7", "-1", "-3/2", "-20", "-260", "-1000", "-12345.678", "-1e6")]
SIGMAS = [Fraction(t) for t in ("1", "1/4", "0.12", "1e-30", "1e30", "7/3")]


def erfc_inverse(error):
    """Return x with erfc(x) = 2 error, by Newton's method in the logarithm; error is an mpf.

    mpmath's erfinv loses digits in the tails; ln erfc(x) = ln(2 error) is concave and smooth.
    """
    target = mpmath.log(2 * error)
    near_half = mpmath.sqrt(mpmath.pi) / 2 * (1 - 2 * error)
    x = near_half if error > mpmath.mpf("0.1") else mpmath.sqrt(-target)
    for _ in range(400):
        tail = mpmath.erfc(x)
        slope = -2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x) / tail
        step = (mpmath.log(tail) - target) / slope
        x -= step
        if abs(step) <= abs(x) * mpmath.mpf(10) ** (-mpmath.mp.dps // 2 - 30):
            return x
    raise AssertionError("Newton's method did not end")


def quantile(error):
    """Return Phi^-1(1 - error) to 60 digits at least."""
    return mpmath.sqrt(2) * erfc_inverse(error)


def from_share(share):
    with mpmath.workdps(700):
        return rational(quantile(number(1 - share)))


def from_log_error(bound):
    with mpmath.workdps(150):
        return rational(quantile(mpmath.exp(number(bound))))


TRUTH = {
    **{("p", share): from_share(share) for share in SHARES},
    **{("log_error", bound): from_log_error(bound) for bound in ERRORS},
}


def disagreement(implementation):
    """Return an input for which lower..upper misses sigma Phi^-1(p) or is wider than 2^-99."""
    for (name, value), unit in TRUTH.items():
        for sigma in SIGMAS:
            found = implementation(gaussian(sigma), **{name: value})
            true = sigma * unit
            slack = true / 10**60
            if not (found.lower <= true + slack and found.upper >= true - slack):
                return name, value, sigma
            if not (found.lower > 0 and found.upper - found.lower <= true / 2**99):
                return name, value, sigma
    return None


def test_the_enclosure_contains_the_quantile_and_is_narrow():
    assert disagreement(gaussian_radius) is None


@pytest.mark.parametrize("p", ["0.51", "0.6", "0.75", "0.9", "0.99", "0.999999"])
def test_the_quantile_is_that_of_mpmath(p):
    with mpmath.workdps(80):
        value = rational(mpmath.sqrt(2) * mpmath.erfinv(2 * number(Fraction(p)) - 1))
        found = gaussian_radius(gaussian(3), p=p)
    assert abs(3 * value - found.mid) <= found.rad + Fraction(1, 10**60)


def shifted(factor):
    def wrong(noise, **evidence):
        found = gaussian_radius(noise, **evidence)
        return Enclosure(found.mid_mantissa * factor.numerator, found.mid_exponent,
                         found.rad_mantissa, found.rad_exponent)  # fmt: skip

    return wrong


def of_the_nearest_float(noise, *, p=None, log_error=None):
    if p is None or float(p) in (0.5, 1.0):
        return gaussian_radius(noise, p=p, log_error=log_error)
    return gaussian_radius(noise, p=Fraction(float(p)))


def of_a_rounded_log_error(noise, *, p=None, log_error=None):
    if log_error is None:
        return gaussian_radius(noise, p=p)
    return gaussian_radius(noise, log_error=log_error * (1 + Fraction(1, 2**53)))


def widened(noise, **evidence):
    found = gaussian_radius(noise, **evidence)
    return Enclosure(found.mid_mantissa << 90, found.mid_exponent - 90,
                     abs(found.mid_mantissa) >> 8, found.mid_exponent)  # fmt: skip


WRONG = {
    "twice": shifted(Fraction(2)),
    "p to the nearest float": of_the_nearest_float,
    "a rounded log error": of_a_rounded_log_error,
    "the variance for the deviation": lambda noise, **evidence: gaussian_radius(
        gaussian(noise.sigma**2), **evidence
    ),
    "too wide": widened,
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_gaussian_radius_is_caught(wrong):
    assert disagreement(wrong) is not None


@pytest.mark.parametrize("p", ["0", "1/10", "0.4999", "1/2"])
def test_no_majority_no_gaussian_radius(p):
    found = gaussian_radius(gaussian("1/2"), p=p)
    assert found.lower == found.upper == 0


@pytest.mark.parametrize("bound", ["0", "1", "-0.6931471805599453094172321214581765680755"])
def test_a_log_error_above_minus_ln_2_has_no_gaussian_radius(bound):
    found = gaussian_radius(gaussian(1), log_error=bound)
    assert found.lower == found.upper == 0
    after = gaussian_radius(gaussian(1), log_error="-0.6931471805599453094172321214581765680756")
    assert 0 < after.upper < Fraction(1, 10**39)


def test_the_radius_grows_with_p_and_falls_with_the_log_error():
    for noise in (gaussian(1), gaussian("1e-3")):
        by_share = [gaussian_radius(noise, p=share) for share in sorted(set(SHARES))]
        by_error = [gaussian_radius(noise, log_error=bound) for bound in sorted(ERRORS)]
        assert all(a.upper < b.lower for a, b in pairwise(by_share))
        assert all(a.lower > b.upper for a, b in pairwise(by_error))


def test_sigma_scales_the_radius():
    one, three = (gaussian_radius(gaussian(s), p="0.9") for s in (1, 3))
    assert max(3 * one.lower, three.lower) <= min(3 * one.upper, three.upper)


def test_p_and_log_error_give_the_same_radius():
    with mpmath.workdps(120):
        bound = rational(mpmath.log(number(Fraction(1, 100))))
    a, b = gaussian_radius(gaussian(1), p="0.99"), gaussian_radius(gaussian(1), log_error=bound)
    assert max(a.lower, b.lower) <= min(a.upper, b.upper)


@pytest.mark.parametrize("p", ["0.51", "0.75", "0.99", "0.999999999"])
@pytest.mark.parametrize("sigma", ["1/4", "1", "3"])
def test_the_half_space_of_share_p_loses_its_vote_exactly_at_the_radius(p, sigma):
    """The class {x: x1 <= sigma Phi^-1(p)} has share p at 0 and 1/2 at distance sigma Phi^-1(p).

    So nothing longer is certified, and for the class that loses ties nothing as long.
    """
    found = gaussian_radius(gaussian(sigma), p=p)
    with mpmath.workdps(80):
        edge, width = number(found.mid), number(Fraction(sigma))
        assert abs(mpmath.ncdf(edge / width) - number(Fraction(p))) < mpmath.mpf(10) ** -28
        shorter, longer = number(found.lower * (1 - Fraction(1, 2**90))), 1 + mpmath.mpf(2) ** -90
        assert mpmath.ncdf((edge - shorter) / width) > mpmath.mpf(1) / 2
        assert mpmath.ncdf((edge - number(found.upper) * longer) / width) < mpmath.mpf(1) / 2


BAD = {
    "p one": {"p": "1"},
    "p above": {"p": "1.5"},
    "p negative": {"p": "-0.1"},
    "p float": {"p": 0.9},
    "log_error float": {"log_error": -2.0},
    "both": {"p": "0.9", "log_error": "-2"},
    "neither": {},
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD.keys())
def test_bad_gaussian_arguments(arguments):
    with pytest.raises(InputError):
        gaussian_radius(gaussian(1), **arguments)


@pytest.mark.parametrize("evidence", [{"p": "0.9"}, {"p": "0.5000001"}, {"log_error": "-260"}])
def test_distances_are_certified_up_to_the_radius_and_not_from_there(evidence):
    """Both ends of the enclosure, 2^-100 apart at most, are told from the radius itself."""
    noise = gaussian("1/4")
    found = gaussian_radius(noise, **evidence)
    assert certified(noise, 0, **evidence)
    assert certified(noise, found.lower * (1 - Fraction(1, 2**120)), **evidence)
    assert not certified(noise, found.upper * (1 + Fraction(1, 2**120)), **evidence)
    assert not certified(noise, 10**300, **evidence)
    for wrong in (-1, "-0.1", 0.1, True, (1, 2)):
        with pytest.raises(InputError):
            certified(noise, wrong, **evidence)


def test_without_a_majority_no_distance_is_certified():
    assert not certified(gaussian(1), 0, p="1/2")
    assert not certified(gaussian(1), "1e-300", p="0.4")
    assert not certified(gaussian(1), 0, log_error="-0.69")
