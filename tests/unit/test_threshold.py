"""Thresholds: frozen values, large radii against sums by hand, ties, rounding, bad input."""

import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from fractions import Fraction

import mpmath
import pytest
from flint import arb, ctx
from support import rational

from certaudit.errors import InputError
from certaudit.exact import Enclosure, round_up
from certaudit.noise import discrete, gaussian, label_flip, sparse
from certaudit.reference.radius import number
from certaudit.reference.threshold import tight_radius_from_log_error
from certaudit.rigorous import radius as radius_module
from certaudit.rigorous.radius import (
    certified,
    gaussian_radius,
    generic_kl_radius,
    kl_radius,
    radius,
    tight_radius,
)
from certaudit.rigorous.threshold import (
    ACCURACY,
    MAX_RADIUS,
    Threshold,
    _BinomialWalk,
    _cached_error,
    exact_threshold,
    is_small,
    threshold,
    thresholds,
)

HALF = Fraction(1, 2)


def binomial_error(q, r):
    """Return 1 - F^-1(r) for two labels, from the top: 60 digits, one term after another.

    Class j of noisy flips among r: mu = C(r,j) q^j (1-q)^(r-j), rho with q and 1-q exchanged. What
    is left over when the classes 0, 1, ... have half the rho-mass is the tail above, in part.
    """
    flip, keep = number(q), number(1 - q)
    mu, rho = flip**r, keep**r
    error, tail, j = mpmath.mpf(0), mpmath.mpf(0), r
    while tail + rho < 0.5:
        error, tail = error + mu, tail + rho
        ways = mpmath.mpf(j) / (r - j + 1)
        mu, rho = mu * ways * keep / flip, rho * ways * flip / keep
        j -= 1
    return error + mu * (mpmath.mpf(1) / 2 - tail) / rho


def overlaps(found, value, digits=45):
    slack = value / 10**digits
    return found.lower <= value + slack and found.upper >= value - slack


def narrow(found):
    return found.lower > 0 and found.upper - found.lower <= found.lower / 2**99


def tail_disagreement(error_of):
    """Return the first (q, r) at which an enclosure of 1 - F^-1(r) is not that of the sum."""
    for (q, r), value in SUMS.items():
        found = error_of(label_flip(q), r)
        if not (overlaps(found, value) and narrow(found)):
            return q, r
    return None


def sums():
    with mpmath.workdps(60):
        return {
            (q, r): rational(binomial_error(Fraction(q), r))
            for q, r in [
                *((q, r) for q in ("0.1", "0.3", "0.45") for r in (1000, 20000)),
                *((q, r) for q in ("1e-12", "1e-300", "0.499999") for r in (1, 2, 1000)),
                ("0.1", 200_000),
                ("1e-12", MAX_RADIUS),
            ]
        }


SUMS = sums()


def test_large_radii_agree_with_sums_of_both_tails():
    assert tail_disagreement(lambda noise, r: threshold(noise, r).error) is None


def test_the_walk_over_radii_agrees_with_sums_of_both_tails():
    assert (
        tail_disagreement(lambda n, r: list(thresholds(n, max(r - 3, 0), r + 1))[-1].error) is None
    )


def of_a_float(noise, r):
    exact = threshold(noise, r).error.mid
    value = Fraction(float(exact)) if exact > Fraction(1, 10**300) else exact * (1 + HALF**53)
    return point(value)


def point(value):
    """Return a ball about a rational, 2^-120 wide relative to it: narrow but where it was put."""
    shift = 130 + value.denominator.bit_length() - value.numerator.bit_length()
    return Enclosure(int(value * Fraction(2) ** shift), -shift, 1, -shift)


WRONG_ERRORS = {
    "of r + 1": lambda noise, r: threshold(noise, min(r + 1, MAX_RADIUS - 1)).error,
    "rounded to a float": of_a_float,
    "off by 2^-60": lambda noise, r: point(threshold(noise, r).error.mid * (1 - HALF**60)),
    "as wide as itself": lambda noise, r: Enclosure(
        *([threshold(noise, r).error.mid_mantissa, threshold(noise, r).error.mid_exponent] * 2)
    ),
}


@pytest.mark.parametrize("wrong", WRONG_ERRORS.values(), ids=WRONG_ERRORS.keys())
def test_a_wrong_enclosure_is_caught_by_the_sums(wrong):
    assert tail_disagreement(wrong) is not None


@pytest.mark.parametrize("q", ["1e-300", "1e-12", "0.1", "0.45", "0.499999"])
def test_the_largest_radius_has_a_hundred_bits(q):
    found = threshold(label_flip(q), MAX_RADIUS)._ball
    assert found > 0
    assert found.rel_accuracy_bits() >= ACCURACY


@pytest.mark.parametrize("q", ["1e-12", "0.1", "0.8"])
def test_the_largest_radius_of_ten_classes_has_a_hundred_bits(q):
    found = threshold(label_flip(q, 10), MAX_RADIUS)._ball
    assert found > 0
    assert found.rel_accuracy_bits() >= ACCURACY


def packed_error(alpha, values, r):
    """Return 1 - F^-1(r) for alpha > beta from one power of one integer: masses are its digits."""
    beta = (1 - alpha) / (values - 1)
    b = math.lcm(alpha.denominator, beta.denominator)
    keep, other = int(alpha * b), int(beta * b)
    width = r * b.bit_length() + 1
    packed = (keep + ((b - keep - other) << width) + (other << 2 * width)) ** r
    digit = (1 << width) - 1
    mu = [packed >> k * width & digit for k in range(2 * r + 1)]
    spent = reached = 0
    for here, there in zip(mu, reversed(mu), strict=True):
        if 2 * (reached + there) >= b**r:
            part = Fraction(b**r - 2 * reached, 2 * there)
            return 1 - (spent + part * here) / b**r
        spent, reached = spent + here, reached + there
    raise AssertionError("no half of the mass")


@pytest.mark.parametrize(
    ("alpha", "values", "r"),
    [("4/5", 3, 300), ("2/5", 3, 200), ("1/2", 10, 200), ("9/10", 1000, 100), ("2/3", 2, 300)],
)
def test_larger_alphabets_agree_with_the_digits_of_one_power(alpha, values, r):
    noise, value = discrete(alpha, values), packed_error(Fraction(alpha), values, r)
    assert 1 - exact_threshold(noise, r) == value
    found = threshold(noise, r).error
    assert found.lower <= value <= found.upper
    assert narrow(found)


def test_alpha_below_beta_is_the_mirror_image_for_two_values():
    for r in (0, 1, 7, 500):
        assert exact_threshold(discrete("1/10"), r) == exact_threshold(discrete("9/10"), r)
        assert threshold(discrete("1/10"), r).error == threshold(discrete("9/10"), r).error


def test_alpha_equal_to_beta_certifies_every_radius_with_any_majority():
    for alpha, values in [("1/2", 2), ("1/3", 3), (Fraction(1, 10**30), 10**30)]:
        noise = discrete(alpha, values)
        for r in (0, 1, 1000, MAX_RADIUS):
            found = threshold(noise, r)
            assert found.error.lower == found.error.upper == HALF
            assert found.exact() == HALF if r < 1000 else found.p_up() == 0.5
            assert found.p_decimal(3) == "0.500"
            assert certified(noise, r, p=HALF + Fraction(1, 10**900))
            assert not certified(noise, r, p=HALF)
        assert tight_radius(noise, p="0.51") == MAX_RADIUS
        assert tight_radius(noise, p="0.51", cap=17) == 17
        assert tight_radius(noise, p="1/2") == 0


@pytest.mark.parametrize("values", [2, 3, 1000])
def test_noise_that_keeps_every_value_certifies_nothing(values):
    assert threshold(discrete("1", values), 0).exact() == HALF
    for r in (1, 2, 1000, MAX_RADIUS):
        assert threshold(discrete("1", values), r) is None
    assert exact_threshold(discrete("1", values), 5) is None
    assert list(thresholds(discrete("1", values), 1, 4)) == [None] * 3
    assert tight_radius(discrete("1", values), p=1 - Fraction(1, 10**900)) == 0


def test_noise_that_never_keeps_a_value():
    """alpha = 0: 1 - F^-1(r) = ((V-2)/(V-1))^r - 1/2 while that is not negative."""
    assert threshold(discrete("0"), 1) is None
    edge = threshold(discrete("0", 3), 1)
    assert edge.exact() == 1
    assert (edge.p_up(), edge.log_error_down(), edge.p_decimal(5)) == (1.0, -math.inf, "1.00000")
    assert edge.compare(Fraction(0)) == 0
    assert edge.compare_log(Fraction(-(10**9000))) == -1
    assert not certified(discrete("0", 3), 1, p=1 - Fraction(1, 10**999))
    assert threshold(discrete("0", 3), 2) is None
    noise = discrete("0", 1001)
    for r in (0, 1, 100, 692):
        assert threshold(noise, r).exact() == Fraction(3, 2) - Fraction(999, 1000) ** r
    assert threshold(noise, 693) is None
    assert tight_radius(noise, log_error="-1e10000") == 692
    assert tight_radius(discrete("0", 10**6), log_error="-1e10000") == 693146


@pytest.mark.parametrize(
    ("noise", "r", "p", "log_error", "decimal"),
    [
        (label_flip("0.1"), 1, 0.9444444444444445, -2.890371757896165, "0.94444444444444444445"),
        (label_flip("0.3"), 1, 0.7857142857142858, -1.540445040947149, "0.78571428571428571429"),
        (label_flip("0.1"), 0, 0.5, -0.6931471805599454, "0.50000000000000000000"),
        (label_flip("0.1"), 1000, 1.0, -1761.9184439741643, "1.00000000000000000000"),
        (discrete("1/2", 3), 1, 0.75, -1.3862943611198908, "0.75000000000000000000"),
    ],
)
def test_frozen_thresholds(noise, r, p, log_error, decimal):
    """The first two by hand: 1 - q + (1/2 - q)/(1 - q) q is 17/18 and 11/14."""
    found = threshold(noise, r)
    assert (found.p_up(), found.log_error_down(), found.p_decimal()) == (p, log_error, decimal)


def test_the_papers_log_error():
    """Q = 0.1, log_error = -260: 73 flips by (5), 145 by (2)."""
    assert kl_radius(label_flip("0.1"), log_error="-260") == 73
    assert tight_radius(label_flip("0.1"), log_error="-260") == 145
    assert radius(label_flip("0.1"), log_error="-260") == 145
    assert radius(label_flip("0.1"), log_error="-260", guarantee="kl") == 73
    assert tight_radius(label_flip("0.1"), log_error="-260", cap=100) == 100
    assert tight_radius(label_flip("0.1"), log_error="-260", cap=73) == 73
    assert tight_radius(label_flip("0.1"), log_error="-260", cap=0) == 0


def decision_error(decide):
    """Return where a decision is wrong within 1e-40 or 1e-900 of a threshold, or None."""
    for noise, radii in DECIDED.items():
        for r in radii:
            error = 1 - exact_threshold(noise, r)
            for tiny in (Fraction(1, 10**40), Fraction(1, 10**900)):
                for share, answer in [
                    (1 - error + error * tiny, True),
                    (1 - error, noise.binary),
                    (1 - error - error * tiny, False),
                ]:
                    if decide(noise, r, share) is not answer:
                        return noise, r, share
    return None


DECIDED = {
    label_flip("0.1"): (1, 2, 20, 500),
    label_flip("0.45"): (1, 3, 300),
    label_flip("1e-300"): (1, 7),
    label_flip("0.1", 3): (1, 2, 20, 200),
    discrete("1/20", 10): (1, 50),
    discrete("1/2", 3): (1, 2, 9),
}


def test_radii_are_decided_within_1e_40_of_a_threshold():
    assert decision_error(lambda noise, r, share: certified(noise, r, p=share)) is None
    assert decision_error(lambda noise, r, share: tight_radius(noise, p=share) >= r) is None


WRONG_DECISIONS = {
    "p to the nearest float": lambda n, r, p: certified(n, r, p=Fraction(float(p))) if p < 1 and
    float(p) < 1 else True,
    "by p_up": lambda n, r, p: float(p) >= threshold(n, r).p_up(),
    "by the midpoint": lambda n, r, p: 1 - p <= threshold(n, r).error.mid,
    "ties for all": lambda n, r, p: 1 - p <= 1 - exact_threshold(n, r),
    "ties for none": lambda n, r, p: 1 - p < 1 - exact_threshold(n, r),
    "ties the wrong way round": lambda n, r, p: threshold(n, r).compare(1 - p) >= n.binary,
    "one more": lambda n, r, p: certified(n, r + 1, p=p),
    "one less": lambda n, r, p: certified(n, r - 1, p=p),
    "the KL radius": lambda n, r, p: kl_radius(n, p=p) >= r,
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_DECISIONS.values(), ids=WRONG_DECISIONS.keys())
def test_a_wrong_decision_is_caught_near_a_threshold(wrong):
    assert decision_error(wrong) is not None


@pytest.mark.parametrize(
    ("noise", "r"),
    [
        (label_flip("0.1"), 145),
        (label_flip("0.1"), 20_000),
        (label_flip("0.45"), 12_755),
        (label_flip("1e-12"), 9),
        (label_flip("0.1", 10), 700),
        (discrete("2/5", 3), 3_000),
    ],
)
def test_log_errors_are_decided_within_1e_25_of_a_threshold(noise, r):
    """ln of the enclosure is known to 100 bits: decided outside it, on both sides."""
    found = threshold(noise, r).error
    with mpmath.workdps(80):
        below = rational(mpmath.log(number(found.lower))) - Fraction(1, 10**26)
        above = rational(mpmath.log(number(found.upper))) + Fraction(1, 10**26)
    assert above - below < Fraction(1, 10**25)
    assert tight_radius(noise, log_error=below) == r
    assert tight_radius(noise, log_error=above) == r - 1
    assert certified(noise, r, log_error=below)
    assert not certified(noise, r, log_error=above)
    assert threshold(noise, r).compare_log(below) == 1
    assert threshold(noise, r).compare_log(above) == -1


@pytest.mark.parametrize("q", ["1e-12", "0.1", "0.3", "0.45"])
@pytest.mark.parametrize("bound", ["-0.6", "-0.7", "-1", "-5", "-42.5"])
def test_log_errors_agree_with_the_reference(q, bound):
    with mpmath.workdps(60):
        expected = tight_radius_from_log_error(number(Fraction(bound)), Fraction(q), 400)
    assert tight_radius(label_flip(q), log_error=bound, cap=400) == expected


def test_a_share_of_a_thousand_places_is_decided_at_a_radius_without_a_rational():
    noise, r = label_flip("0.45"), 20_000
    assert not is_small(noise, r)
    found = threshold(noise, r)
    share = Fraction(found.p_decimal(1000))
    assert tight_radius(noise, p=share) == r
    assert tight_radius(noise, p=share - Fraction(1, 10**1000)) == r - 1


def test_beyond_the_largest_radius_the_kl_radius_is_given():
    noise = label_flip("0.45")
    assert tight_radius(noise, log_error="-1e6") == kl_radius(noise, log_error="-1e6") > MAX_RADIUS
    assert tight_radius(noise, log_error="-1e6", cap=2 * MAX_RADIUS) == 2 * MAX_RADIUS
    assert tight_radius(noise, log_error="-1e6", cap=1234) == 1234
    # Just beyond it by (2), well below it by (5).
    assert kl_radius(noise, log_error="-20100") < MAX_RADIUS
    assert tight_radius(noise, log_error="-20100") == MAX_RADIUS
    assert tight_radius(noise, log_error="-20000") < MAX_RADIUS
    assert tight_radius(noise, log_error="-1e10000") > 10**9999
    assert tight_radius(label_flip("0.4" + "9" * 900), p="0.9") > 10**1700
    assert tight_radius(label_flip("1e-10000"), log_error="-1e6") == 43


def test_no_majority_no_tight_radius():
    for noise in (label_flip("0.4"), discrete("1/3", 3), discrete("0", 5)):
        for p in ("0", "1/100", "1/2"):
            assert tight_radius(noise, p=p) == 0
            assert not certified(noise, 0, p=p)
        for bound in ("0", "1", "-0.6931"):
            assert tight_radius(noise, log_error=bound) == 0
            assert not certified(noise, 0, log_error=bound)
        assert certified(noise, 0, p="0.5000001")


def test_rationals_are_given_up_to_their_limit():
    noise = label_flip("0.1")
    assert is_small(noise, 5_792)
    assert not is_small(noise, 5_793)
    with pytest.raises(InputError, match="too many digits"):
        exact_threshold(noise, 5_793)
    with pytest.raises(InputError, match="too many digits"):
        threshold(noise, 5_793).exact()
    assert threshold(noise, 5_793).log_error_down() < threshold(noise, 5_792).log_error_down()


@pytest.mark.parametrize("noise", [label_flip("0.1"), discrete("1/2"), discrete("1/2", 3)])
def test_tables_start_anywhere_and_may_be_empty(noise):
    assert list(thresholds(noise, 3, 3)) == list(thresholds(noise, 5, 2)) == []
    assert list(thresholds(noise, 0, 0)) == []
    last = list(thresholds(noise, MAX_RADIUS, MAX_RADIUS + 1)) if noise.binary else []
    assert [found.radius for found in last] == [MAX_RADIUS] * len(last)
    assert [found.radius for found in thresholds(noise, 7, 12)] == [7, 8, 9, 10, 11]


BAD_RADII = [-1, MAX_RADIUS + 1, 10**30, 1.0, True, "3", None, Fraction(3)]


@pytest.mark.parametrize("r", BAD_RADII, ids=repr)
def test_bad_radii_are_refused(r):
    noise = label_flip("0.1")
    for question in (
        lambda: threshold(noise, r),
        lambda: exact_threshold(noise, r),
        lambda: certified(noise, r, p="0.9"),
        lambda: list(thresholds(noise, r, 10)),
    ):
        with pytest.raises(InputError):
            question()


def test_tables_do_not_pass_the_largest_radius():
    with pytest.raises(InputError):
        next(thresholds(label_flip("0.1"), 0, MAX_RADIUS + 2))


BAD = {
    "p float": {"p": 0.9},
    "log_error float": {"log_error": -260.0},
    "p one": {"p": "1"},
    "p above": {"p": "1.5"},
    "p negative": {"p": "-0.1"},
    "p bool": {"p": True},
    "p text": {"p": "most"},
    "both": {"p": "0.9", "log_error": "-1"},
    "neither": {},
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("noise", [label_flip("0.1"), discrete("1/2", 3)])
def test_bad_evidence_is_refused(noise, arguments):
    for question in (tight_radius, kl_radius, radius, lambda n, **a: certified(n, 1, **a)):
        with pytest.raises(InputError):
            question(noise, **arguments)
    with pytest.raises(InputError):
        generic_kl_radius("0.1", **arguments)


def test_a_negative_cap_is_refused():
    with pytest.raises(InputError):
        tight_radius(label_flip("0.1"), p="0.9", cap=-1)


@pytest.mark.parametrize("digits", [0, -1, 1001])
def test_bad_numbers_of_places_are_refused(digits):
    with pytest.raises(InputError):
        threshold(label_flip("0.1"), 3).p_decimal(digits)


def test_the_radius_of_a_model_is_that_of_its_guarantee():
    assert radius(gaussian(1), p="0.9") == gaussian_radius(gaussian(1), p="0.9")
    for arguments in ({"guarantee": "kl"}, {"guarantee": "exact"}, {"cap": 3}):
        with pytest.raises(InputError):
            radius(gaussian(1), p="0.9", **arguments)
    with pytest.raises(InputError):
        radius(label_flip("0.1"), p="0.9", guarantee="exact")


def test_the_generic_radius_is_strictly_below_the_bound():
    """f(9/10) = -1/2 ln(9/25) = 0.5108...: five steps of 0.1, and none of 0.52."""
    assert generic_kl_radius("0.1", p="0.9") == 5
    assert generic_kl_radius("0.52", p="0.9") == 0
    assert generic_kl_radius("0.51", p="0.9") == 1
    assert generic_kl_radius("0.1", p="1/2") == generic_kl_radius("0.1", p="0.01") == 0
    assert generic_kl_radius("1e-10000", p="0.9") > 10**9999
    assert generic_kl_radius("1", log_error="-260") == 129
    with mpmath.workdps(60):
        bound = rational(-mpmath.log(mpmath.mpf(9) / 25) / 2)
    for tiny in (Fraction(1, 10**40), Fraction(1, 10**55)):
        assert generic_kl_radius(bound / 4 * (1 + tiny), p="0.9") == 3
        assert generic_kl_radius(bound / 4 * (1 - tiny), p="0.9") == 4


def test_the_generic_radius_takes_the_upper_end_of_an_enclosure():
    """1/8 +- 1/1024: the divergence may be as large as 129/1024."""
    step = Enclosure(1, -3, 1, -10)
    assert generic_kl_radius(step, p="0.9") == generic_kl_radius(Fraction(129, 1024), p="0.9") == 4
    assert generic_kl_radius(Enclosure(1, -3, 1, -4), p="0.9") == 2
    assert generic_kl_radius(Enclosure(0, 0, 1, -3), p="0.9") == 4


@pytest.mark.parametrize(
    "step", [0, "-1", 0.1, True, Enclosure(0, 0, 0, 0), Enclosure(-1, 0, 0, 0)], ids=repr
)
def test_a_divergence_that_is_none_is_refused(step):
    with pytest.raises(InputError):
        generic_kl_radius(step, p="0.9")


def test_the_smallest_float_above_is_not_the_nearest():
    """11/14 lies above its nearest float64."""
    least = exact_threshold(label_flip("0.3"), 1)
    assert Fraction(float(least)) < least < Fraction(threshold(label_flip("0.3"), 1).p_up())
    assert threshold(label_flip("0.3"), 1).p_up() == round_up(least)


@pytest.mark.parametrize(
    ("noise", "r"),
    [
        (label_flip("0.1"), 3),
        (label_flip("0.3"), 1),
        (discrete("1/2", 3), 1),
        (label_flip("0.45"), 90),
    ],
)
@pytest.mark.parametrize("bits", [1, 8, 30, 60])
def test_a_wide_enclosure_answers_as_a_narrow_one(noise, r, bits):
    """Whatever the first ball leaves open is answered by narrower ones or by the rational."""
    narrow_one, error = threshold(noise, r), 1 - exact_threshold(noise, r)
    with ctx.workprec(200):
        middle = arb(error.numerator) / error.denominator
        wide_one = Threshold(noise, r, arb(middle.mid(), middle.mid() * arb(2) ** -bits))
    for found in (wide_one, narrow_one):
        assert found.p_up() == round_up(1 - error)
        assert found.log_error_down() == narrow_one.log_error_down()
        assert found.p_decimal(60) == narrow_one.p_decimal(60)
        assert [found.compare(error * (1 + tiny)) for tiny in (-(HALF**70), 0, HALF**70)] == [
            1,
            0,
            -1,
        ]


@pytest.mark.parametrize("q", ["0.1", "0.3", "0.49"])
def test_a_walk_that_has_lost_its_digits_is_replaced(q, monkeypatch):
    """Every step is made wider by 2^-70: each radius is then enclosed anew."""
    step = _BinomialWalk.advance

    def widened(walk):
        walk = step(walk)
        walk.mass *= arb(1, arb(2) ** -70)
        walk.below *= arb(1, arb(2) ** -70)
        return walk

    monkeypatch.setattr(_BinomialWalk, "advance", widened)
    for found in thresholds(label_flip(q), 0, 120):
        error = 1 - exact_threshold(label_flip(q), found.radius)
        assert found.error.lower <= error <= found.error.upper
        assert narrow(found.error)


@pytest.mark.parametrize("digits", [0, -1, 1001, 2.5, True, "20", None])
def test_decimal_places_that_are_not_printed(digits):
    with pytest.raises(InputError, match="digits"):
        threshold(label_flip("0.1"), 3).p_decimal(digits)


def test_a_thousand_places_can_be_read_again():
    least = threshold(label_flip("0.1"), 100)
    text = least.p_decimal(1000)
    assert len(text) == 1002
    assert certified(label_flip("0.1"), 100, p=text)
    assert not certified(label_flip("0.1"), 101, p=text)


@pytest.mark.parametrize("cap", [-1, True, 1.5, "3"])
def test_caps_that_are_no_numbers_of_coordinates(cap):
    for decide in (kl_radius, tight_radius):
        with pytest.raises(InputError, match="cap"):
            decide(label_flip("0.1"), p="0.99", cap=cap)


@pytest.mark.parametrize("number", [0.1, None, True])
def test_comparisons_with_what_is_no_exact_number(number):
    least = threshold(label_flip("0.1"), 3)
    for compare in (least.compare, least.compare_log):
        with pytest.raises(InputError):
            compare(number)


def test_comparisons_take_text():
    least = threshold(label_flip("0.1"), 1)
    assert [least.compare("0.05"), least.compare("1/18"), least.compare("0.06")] == [1, 0, -1]
    assert [least.compare_log("-3"), least.compare_log("-2.5")] == [1, -1]


def test_a_radius_for_every_noise_model():
    assert radius(label_flip("0.1"), log_error="-260") == 145
    assert radius(label_flip("0.1"), log_error="-260", guarantee="kl", cap=70) == 70
    assert radius(gaussian(1), p="0.9").lower > 1
    assert radius(sparse("0.01", "0.6"), p="0.9") == [(1, 1), (0, 3)]
    assert radius(sparse("0.01", "0.6"), p="0.9", cap=1) == [(1, 1)]
    for bad in (
        lambda: radius(gaussian(1), p="0.9", cap=3),
        lambda: radius(gaussian(1), p="0.9", guarantee="kl"),
        lambda: radius(sparse("0.01", "0.6"), log_error="-3"),
        lambda: radius(sparse("0.01", "0.6"), p="0.9", cap=-1),
        lambda: radius(label_flip("0.1"), p="0.9", guarantee="exact"),
        lambda: radius("label-flip", p="0.9"),
    ):
        with pytest.raises(InputError):
            bad()


def test_few_thresholds_are_computed_for_a_radius(monkeypatch):
    """A search by bisection alone would need forty thresholds here, each over a second."""
    asked = []

    def level(noise, r):
        asked.append(r)
        return found(noise, r)

    found = radius_module._level
    monkeypatch.setattr(radius_module, "_level", level)
    assert tight_radius(label_flip("0.49"), log_error="-260") == 319_907
    assert len(asked) <= 8


def test_threads_share_flint_without_harm():
    """Its precision is one for all threads: without a lock some never ended."""
    noise = label_flip("0.3")
    right = [threshold(noise, r).p_decimal(30) for r in range(1, 200, 7)]
    _cached_error.cache_clear()
    before = ctx.prec

    def ask(_):
        _cached_error.cache_clear()
        return [threshold(noise, r).p_decimal(30) for r in range(1, 200, 7)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(24))) == [right] * 24
    assert ctx.prec == before


def test_thresholds_are_values():
    least = threshold(label_flip("0.1"), 3)
    assert least == threshold(label_flip("0.1"), 3) != threshold(label_flip("0.1"), 4)
    pickled = pickle.loads(pickle.dumps(least))  # noqa: S301
    for copied in (pickled, deepcopy(least)):
        assert copied == least
        assert copied.exact() == least.exact()


@pytest.mark.parametrize("noise", [gaussian(1), sparse("0.1", "0.2"), "0.1", None, 0.1])
def test_noise_that_has_no_thresholds_is_refused(noise):
    for function in (threshold, exact_threshold):
        with pytest.raises(InputError, match="noise"):
            function(noise, 3)
    with pytest.raises(InputError, match="noise"):
        thresholds(noise, 0, 3)
    for decide in (kl_radius, tight_radius):
        with pytest.raises(InputError, match="noise"):
            decide(noise, p="0.9")


@pytest.mark.parametrize("nines", [100, 200, 900])
def test_noise_close_to_uniform_is_rounded_without_long_rationals(nines, monkeypatch):
    monkeypatch.setattr(Threshold, "exact", None)
    noise = label_flip("0.4" + "9" * nines)
    for r in (60, 300):
        least = threshold(noise, r)
        assert least.p_decimal(20) == "0.50000000000000000001"
        assert least.p_up() == math.nextafter(0.5, 1)
