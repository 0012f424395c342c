"""Thresholds at all magnitudes: rounding, order, both engines, and radii that invert them."""

import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import rational

from certaudit.exact import round_up
from certaudit.noise import discrete, label_flip
from certaudit.reference.radius import number
from certaudit.reference.threshold import ratio_regions, two_value_regions
from certaudit.reference.threshold import threshold as reference
from certaudit.rigorous.radius import certified, kl_radius, tight_radius
from certaudit.rigorous.threshold import (
    MAX_RADIUS,
    exact_threshold,
    is_small,
    threshold,
    thresholds,
)

HALF = Fraction(1, 2)
TINY = Fraction(1, 10**200)  # differences of thresholds are as small as 1e-90 near q = 1/2

# q of any size from 1e-300, and as close to 1/2 as 1e-30.
small = st.builds(lambda k, m: Fraction(m, 1000) / 10**k, st.integers(0, 297), st.integers(1, 499))
central = st.builds(lambda k, m: HALF - Fraction(m, 1000) / 10**k, st.integers(0, 27),
                    st.integers(1, 499))  # fmt: skip
flips = st.one_of(small, central, st.fractions("1/60", "29/60", max_denominator=60))
binary = flips.map(label_flip)
alphas = st.one_of(flips, flips.map(lambda q: 1 - q))
larger = st.builds(
    discrete, alphas, st.one_of(st.integers(3, 12), st.integers(3, 1000))
).filter(lambda noise: noise.law.low > 0)  # fmt: skip
# At alpha = beta every threshold is 1/2: tested by itself.
distinct = st.one_of(binary, larger).filter(lambda noise: noise.law.high > noise.law.low)
radii = st.one_of(st.integers(0, 12), st.integers(0, 60))
any_radius = st.one_of(st.integers(0, 3000), st.integers(0, MAX_RADIUS))


def ceiling(value, digits):
    whole = -(-value.numerator * 10**digits // value.denominator)
    return f"{whole // 10**digits}.{whole % 10**digits:0{digits}}"


def float_below_log(error):
    """Return the largest float64 <= ln(error), by 120 digits; error is a rational other than 1."""
    with mpmath.workdps(120):
        value = rational(mpmath.log(number(error)))
    nearest = float(value)
    return nearest if Fraction(nearest) <= value else math.nextafter(nearest, -math.inf)


def misrounded(found, least):
    """Return what a printed form of a threshold gets wrong about the rational, or None."""
    if found.p_up() != round_up(least):
        return "p_up"
    if least < 1 and found.log_error_down() != float_below_log(1 - least):
        return "log_error_down"
    for digits in (1, 5, 17, 20, 400):
        if found.p_decimal(digits) != ceiling(least, digits):
            return f"{digits} places"
    return None


@settings(max_examples=150, deadline=None)
@given(distinct, radii)
def test_printed_forms_are_the_closest_on_the_safe_side(noise, r):
    least = exact_threshold(noise, r)
    assert misrounded(threshold(noise, r), least) is None


class Rounding:
    """Printed forms as they are easily got wrong: each change is one of the wrong variants."""

    def __init__(self, least, **forms):
        self.least, self.forms = least, forms

    def p_up(self):
        return self.forms.get("p_up", round_up)(self.least)

    def log_error_down(self):
        return self.forms.get("log", float_below_log)(1 - self.least)

    def p_decimal(self, digits):
        return self.forms.get("places", ceiling)(self.least, digits)


MISROUNDED = {
    "p to nearest": {"p_up": float},
    "p two up": {"p_up": lambda x: math.nextafter(math.nextafter(float(x), 2), 2)},
    "p down": {"p_up": lambda x: -round_up(-x)},
    "ln by floats": {"log": lambda x: math.log(float(x))},
    "ln up": {"log": lambda x: math.nextafter(float_below_log(x), 0)},
    "ln one lower": {"log": lambda x: math.nextafter(float_below_log(x), -math.inf)},
    "places to nearest": {"places": lambda x, d: f"{float(x):.{d}f}"},
    "places cut off": {"places": lambda x, d: ceiling(x - Fraction(1, 10**d), d)},
}


@pytest.mark.parametrize("forms", MISROUNDED.values(), ids=MISROUNDED.keys())
def test_a_wrong_rounding_is_caught(forms):
    noises = [label_flip(Fraction(k, 37)) for k in range(1, 18)]
    pairs = [(noise, exact_threshold(noise, r)) for noise in noises for r in (1, 2, 3)]
    assert all(misrounded(Rounding(least), least) is None for _, least in pairs)
    assert any(misrounded(Rounding(least, **forms), least) for _, least in pairs)


@settings(max_examples=100, deadline=None)
@given(st.one_of(binary, larger), st.integers(0, 20))
def test_both_transcriptions_agree(noise, r):
    if noise.binary:
        least = reference(two_value_regions(1 - noise.law.low, r))
    else:
        least = reference(ratio_regions(noise.alpha, noise.values, min(r, 6)))
        r = min(r, 6)
    assert exact_threshold(noise, r) == least
    found = threshold(noise, r).error
    assert found.lower <= 1 - least <= found.upper
    assert found.upper - found.lower <= (1 - least) / 2**99


def inversion_error(decide, noise, r):
    """Return how a radius of p fails to invert F^-1 near F^-1(r), or None.

    Two values: F(F^-1(r)) = r. Three or more: strictly above only. Thresholds may be equal for
    several r only where half of the mass is used up by whole classes, for three values or more.
    """
    least = exact_threshold(noise, r)
    tiny = (1 - least) * TINY
    above, at, below = (decide(noise, least + step) for step in (tiny, 0, -tiny))
    if not above >= r:
        return "above the threshold"
    if exact_threshold(noise, above) > least + tiny:
        return "too much above the threshold"
    if at != (r if noise.binary else at) or below >= max(r, 1):
        return "at or below the threshold"
    if not noise.binary and at >= max(r, 1):
        return "at the threshold of three values"
    if noise.binary and above != r:
        return "just above the threshold"
    if r and exact_threshold(noise, r - 1) < least - tiny and below != r - 1:
        return "just below the threshold"
    return None


@settings(max_examples=120, deadline=None)
@given(distinct, radii)
def test_the_radius_inverts_the_threshold(noise, r):
    assert inversion_error(lambda n, p: tight_radius(n, p=p), noise, r) is None


WRONG_RADII = {
    "one more": lambda n, p: tight_radius(n, p=p) + 1,
    "one less": lambda n, p: max(tight_radius(n, p=p) - 1, 0),
    "the KL radius": lambda n, p: kl_radius(n, p=p),
    "p to nearest": lambda n, p: tight_radius(n, p=Fraction(float(p))) if float(p) < 1 else 0,
    "strict for all": lambda n, p: tight_radius(n, p=p - TINY * TINY * (1 - p)),
    "a tie for all": lambda n, p: tight_radius(n, p=p + TINY * TINY * (1 - p)),
}


@pytest.mark.parametrize("wrong", WRONG_RADII.values(), ids=WRONG_RADII.keys())
def test_a_wrong_inverse_is_caught(wrong):
    noises = [label_flip("1/10"), label_flip("9/20"), discrete("1/2", 3), discrete("1/9", 4)]
    assert any(inversion_error(wrong, noise, r) for noise in noises for r in range(1, 6))


@settings(max_examples=150, deadline=None)
@given(st.one_of(binary, larger), any_radius, any_radius)
def test_thresholds_grow_with_the_radius(noise, a, b):
    """Up to 1,500 for larger alphabets, which cost a step for each unit of the radius."""
    if not noise.binary:
        a, b = a % 1500, b % 1500
    a, b = sorted((a, b))
    low, high = threshold(noise, a)._ball, threshold(noise, b)._ball
    assert not low < high
    assert low > 0
    assert high > 0
    if noise.binary and a < b:
        assert threshold(noise, a).log_error_down() >= threshold(noise, b).log_error_down()
        assert threshold(noise, a).p_up() <= threshold(noise, b).p_up()


@settings(max_examples=100, deadline=None)
@given(st.one_of(binary, larger), any_radius)
def test_every_enclosure_has_a_hundred_bits(noise, r):
    found = threshold(noise, r if noise.binary else r % 2000)._ball
    assert found > 0
    assert found.rel_accuracy_bits() >= 100


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(binary, larger),
    st.one_of(st.integers(0, 400), st.integers(0, MAX_RADIUS - 200)),
    st.integers(0, 60),
)
def test_walking_gives_what_each_radius_gives(noise, start, count):
    """From any start: both narrow, and never disjoint."""
    start = start if noise.binary else start % 400
    for step, found in enumerate(thresholds(noise, start, start + count)):
        if step in {0, 1, 2, count // 2, count - 1}:
            alone = threshold(noise, start + step)
            assert found.radius == alone.radius == start + step
            assert found._ball.overlaps(alone._ball)
            assert found._ball.rel_accuracy_bits() >= 100


@settings(max_examples=20, deadline=None)
@given(flips, st.integers(0, 200))
def test_a_long_walk_does_not_lose_its_way(q, start):
    last = None
    for found in thresholds(label_flip(q), start, start + 800):
        assert last is None or not last._ball < found._ball
        last = found
    alone = threshold(label_flip(q), start + 799)
    assert last._ball.overlaps(alone._ball)
    assert last._ball.rel_accuracy_bits() >= 100


shares = st.builds(
    lambda k, m: 1 - Fraction(m, 10**12) / 2 / 10**k,
    st.one_of(st.integers(0, 3), st.integers(0, 60)),
    st.integers(1, 10**12 - 1),
)


@settings(max_examples=120, deadline=None)
@given(st.one_of(binary, larger), shares, st.integers(0, 300))
def test_the_tight_radius_is_never_below_the_kl_radius(noise, share, cap):
    kl, tight = (decide(noise, p=share, cap=cap) for decide in (kl_radius, tight_radius))
    assert 0 <= kl <= tight <= cap
    assert tight == min(cap, tight_radius(noise, p=share, cap=300))
    assert certified(noise, tight, p=share)
    assert tight == cap or not certified(noise, tight + 1, p=share)


@settings(max_examples=100, deadline=None)
@given(st.one_of(binary, larger), shares, shares)
def test_a_larger_share_never_certifies_less(noise, a, b):
    a, b = sorted((a, b))
    assert tight_radius(noise, p=a, cap=300) <= tight_radius(noise, p=b, cap=300)


@settings(max_examples=100, deadline=None)
@given(st.one_of(binary, larger), shares)
def test_p_and_log_error_give_the_same_radius(noise, share):
    """Within 1e-100 of ln(1-p) on either side: the two radii enclose that of p."""
    with mpmath.workdps(250):
        bound = rational(mpmath.log(number(1 - share)))
    step = Fraction(1, 10**100)
    less, more = (tight_radius(noise, log_error=bound + s, cap=300) for s in (step, -step))
    assert less <= tight_radius(noise, p=share, cap=300) <= more
    assert more - less <= 1 or not noise.binary


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(binary, larger), radii, st.sampled_from([Fraction(1, 10**k) for k in (3, 40, 400)])
)
def test_comparisons_are_those_of_rationals(noise, r, step):
    error, found = 1 - exact_threshold(noise, r), threshold(noise, r)
    assert found.compare(error) == 0
    assert found.compare(error * (1 - step)) == 1
    assert found.compare(error * (1 + step)) == -1
    with mpmath.workdps(500):
        log = rational(mpmath.log(number(error)))
    away = abs(log) * step + Fraction(1, 10**450)
    assert found.compare_log(log - away) == 1
    assert found.compare_log(log + away) == -1
    assert found.compare_log(Fraction(0)) == -1


@settings(max_examples=60, deadline=None)
@given(st.one_of(binary, larger), any_radius)
def test_rationals_exist_where_they_are_small(noise, r):
    assert is_small(noise, min(r, 20))
    if r > 200_000:
        assert not is_small(noise, r)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 1000), any_radius)
def test_uniform_noise_has_thresholds_of_one_half(values, r):
    noise = discrete(Fraction(1, values), values)
    assert threshold(noise, r).error.lower == threshold(noise, r).error.upper == HALF
    assert tight_radius(noise, p=HALF + TINY) == MAX_RADIUS
