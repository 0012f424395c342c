"""The KL radius: frozen values, ties, both engines, and variants that must be caught."""

import math
from fractions import Fraction
from math import comb, isqrt

import mpmath
import pytest
from flint import ctx
from hypothesis import given, settings
from hypothesis import strategies as st
from support import rational

from certaudit.errors import InputError
from certaudit.noise import label_flip
from certaudit.reference import radius as reference
from certaudit.rigorous import radius as rigorous
from certaudit.rigorous.balls import from_ball
from certaudit.rigorous.radius import divergence, is_majority, kl_radius

TIES = [
    # 4p(1-p) = v^-(2 c r): (q, p, r, classes), found by solving for p with rational square roots.
    ("3/8", "9/10", 4, 2),
    ("3/8", Fraction(9, 10), 4, 2),
]


@pytest.mark.parametrize(("q", "p", "r", "classes"), TIES)
def test_at_a_tie_the_radius_holds_and_just_below_it_does_not(q, p, r, classes):
    assert kl_radius(label_flip(q, classes), p=p) == r
    below = Fraction(p) - Fraction(1, 10**500)
    above = Fraction(p) + Fraction(1, 10**500)
    assert kl_radius(label_flip(q, classes), p=below) == r - 1
    assert kl_radius(label_flip(q, classes), p=above) == r


def test_floats_decide_the_tie_either_way():
    """The float64 variants: one formula falls below 4, another above; only integers decide."""
    p, q = 0.9, 0.375
    flip = 2 * (1 - 2 * q) * math.log((1 - q) / q)
    log_error = math.log(0.1)
    through_log_error = -(math.log(4) + log_error + math.log1p(-math.exp(log_error))) / flip
    direct = -math.log(4 * p * (1 - p)) / flip
    assert {through_log_error < 4, direct < 4} == {True, False}
    assert kl_radius(label_flip("3/8"), p="9/10") == 4


def test_every_tie_of_small_numbers_is_found():
    """4p(1-p) (1-q)^m = q^m with m = 2 (1-2q) r integral: enumerate q = a/b, r, and solve for p."""
    found = 0
    for b in range(3, 40):
        for a in range(1, (b + 1) // 2):
            q = Fraction(a, b)
            if q >= Fraction(1, 2):
                continue
            for r in range(1, 40):
                power = 2 * (1 - 2 * q) * r
                if power.denominator != 1:
                    continue
                u = ((q / (1 - q)) ** power.numerator) if power < 200 else Fraction(0)
                root = rational_sqrt(1 - u) if u else None
                if root is None:
                    continue
                p = (1 + root) / 2
                found += 1
                assert kl_radius(label_flip(q), p=p) == r
                assert kl_radius(label_flip(q), p=p - Fraction(1, 10**80)) == r - 1
    assert found >= 3


def rational_sqrt(x: Fraction) -> Fraction | None:
    top, bottom = isqrt(x.numerator), isqrt(x.denominator)
    return Fraction(top, bottom) if top**2 == x.numerator and bottom**2 == x.denominator else None


@pytest.mark.parametrize(
    ("u", "v", "exponent", "answer"),
    [
        (Fraction(8), Fraction(4), Fraction(3, 2), True),
        (Fraction(8), Fraction(4), Fraction(2, 3), False),
        (Fraction(9, 4), Fraction(81, 16), Fraction(1, 2), True),
        (Fraction(3), Fraction(9), Fraction(1, 2), True),
        (Fraction(2), Fraction(3), Fraction(1, 10**400), False),
        (Fraction(2), Fraction(3), Fraction(10**400), False),
        (Fraction(2), Fraction(2), Fraction(0), False),
        (Fraction(5, 3) ** 7, Fraction(5, 3), Fraction(7), True),
        (Fraction(5, 3) ** 7, Fraction(5, 3) ** 3, Fraction(7, 3), True),
    ],
)
def test_powers_are_recognised_exactly(u, v, exponent, answer):
    assert rigorous._is_power(u, v, exponent) is answer


@given(st.fractions(min_value="1/20", max_value=20), st.integers(1, 9), st.integers(1, 9))
def test_every_power_is_recognised(w, a, b):
    if w > 1:
        assert rigorous._is_power(w**a, w**b, Fraction(a, b))
        assert not rigorous._is_power(w**a + Fraction(1, 10**30), w**b, Fraction(a, b))


@pytest.mark.parametrize("p", ["0", "1/100", "0.4999", "1/2"])
def test_no_majority_no_radius(p):
    """f of (3), (5) grows again below 1/2: the unguarded formula would certify p = 1/100."""
    assert kl_radius(label_flip("0.4"), p=p) == 0
    with mpmath.workdps(30):
        unguarded = -mpmath.log(4 * mpmath.mpf("0.01") * mpmath.mpf("0.99")) / 2
        assert unguarded / reference.kl_divergence(1, Fraction(2, 5)) > 1


def test_log_error_at_minus_ln_2():
    with mpmath.workdps(400):
        ln2 = Fraction(int(mpmath.log(2) * 10**350), 10**350)
    assert not is_majority(-ln2)  # -ln 2 rounded up
    assert is_majority(-ln2 - Fraction(1, 10**349))
    assert kl_radius(label_flip("0.49"), log_error=-ln2) == 0
    for bound in (0, 1, Fraction(1, 10**900)):
        assert kl_radius(label_flip("0.49"), log_error=bound) == 0


def test_p_and_log_error_agree():
    for p in ("0.6", "0.9", "0.999999"):
        with mpmath.workdps(60):
            low = mpmath.log1p(-reference.number(Fraction(p)))
            above = Fraction(mpmath.nstr(low, 50)) + Fraction(1, 10**45)
        assert kl_radius(label_flip("0.45"), log_error=above) in {
            kl_radius(label_flip("0.45"), p=p),
            kl_radius(label_flip("0.45"), p=Fraction(p) - Fraction(1, 10**40)),
        }


def test_cap_and_unbounded_values():
    assert kl_radius(label_flip("0.1"), log_error="-260") == 73
    assert kl_radius(label_flip("0.1"), log_error="-260", cap=50) == 50
    assert kl_radius(label_flip("0.1"), log_error="-260", cap=73) == 73
    assert kl_radius(label_flip("0.1"), log_error="-260", cap=0) == 0
    assert kl_radius(label_flip("1e-12"), log_error="-1e10000") > 10**9998
    assert kl_radius(label_flip("0.4" + "9" * 900), log_error="-260") > 10**1700
    assert kl_radius(label_flip("1e-10000"), p="0.9") == 0


BAD = {
    "q zero": {"q": "0", "p": "0.9"},
    "q half": {"q": "1/2", "p": "0.9"},
    "q above": {"q": "0.7", "p": "0.9"},
    "q float": {"q": 0.1, "p": "0.9"},
    "p float": {"q": "0.1", "p": 0.9},
    "log_error float": {"q": "0.1", "log_error": -260.0},
    "p one": {"q": "0.1", "p": "1"},
    "p negative": {"q": "0.1", "p": "-0.1"},
    "both": {"q": "0.1", "p": "0.9", "log_error": "-1"},
    "neither": {"q": "0.1"},
    "one class": {"q": "0.1", "p": "0.9", "classes": 1},
    "classes bool": {"q": "0.1", "p": "0.9", "classes": True},
    "q at (K-1)/K": {"q": "2/3", "p": "0.9", "classes": 3},
    "cap negative": {"q": "0.1", "p": "0.9", "cap": -1},
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD.keys())
def test_bad_arguments(arguments):
    arguments = dict(arguments)
    with pytest.raises(InputError):
        kl_radius(label_flip(arguments.pop("q"), arguments.pop("classes", 2)), **arguments)


noise = st.builds(
    lambda k, m: Fraction(m, 1000) * Fraction(1, 10**k), st.integers(0, 30), st.integers(1, 499)
)


@settings(max_examples=300)
@given(noise, st.integers(1, 400), st.integers(1, 2**40), st.integers(2, 12))
def test_agrees_with_the_reference(q, digits, numerator, classes):
    """At 500 digits the reference's floor is decided unless p is within 1e-480 of a tie."""
    p = 1 - Fraction(numerator, 2**41) / 10**digits
    assert Fraction(1, 2) < p < 1
    with mpmath.workdps(900):
        exact = reference.generic_bound(p) / reference.kl_divergence(1, q, classes)
        nearest = mpmath.nint(exact)
        if abs(exact - nearest) < mpmath.mpf(10) ** -400 * (1 + abs(exact)):
            return
        expected = int(mpmath.floor(exact))
    assert kl_radius(label_flip(q, classes), p=p) == expected


@settings(max_examples=200)
@given(noise, st.integers(-(10**9), -1), st.integers(0, 8))
def test_log_error_agrees_with_the_reference(q, top, places):
    bound = Fraction(top, 10**places)
    with mpmath.workdps(80):
        expected = reference.kl_radius_from_log_error(reference.number(bound), q)
    assert kl_radius(label_flip(q), log_error=bound) == expected


@pytest.mark.parametrize("r", [1, 2, 17, 73])
@pytest.mark.parametrize("q", ["0.1", "0.3", "1e-6"])
def test_the_floor_is_decided_within_1e_40_of_an_integer(q, r):
    with mpmath.workdps(120):
        flips = 2 * r * reference.kl_divergence(1, Fraction(q))

        def excess(x):
            return -mpmath.log(4) - x - mpmath.log1p(-mpmath.exp(x)) - flips

        root = mpmath.findroot(excess, -flips - mpmath.log(4) - mpmath.exp(-flips) / 8)
        below = rational(root)
    for distance in (Fraction(1, 10**40), Fraction(1, 10**90)):
        assert kl_radius(label_flip(q), log_error=below - distance) == r
        assert kl_radius(label_flip(q), log_error=below + distance) == r - 1


@given(noise, st.integers(-(10**6), -1), st.integers(-(10**6), -1))
def test_a_better_bound_never_certifies_less(q, a, b):
    low, high = sorted((Fraction(a, 10**3), Fraction(b, 10**3)))
    assert kl_radius(label_flip(q), log_error=low) >= kl_radius(label_flip(q), log_error=high)


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("q", ["1e-300", "1e-12", "0.1", "0.3", "0.49999999999"])
def test_divergence_encloses_the_reference_and_is_narrow(q, classes):
    with ctx.workprec(100), mpmath.workdps(60):
        ball = divergence(label_flip(q, classes))
        value = reference.kl_divergence(1, Fraction(q), classes)
        low, high = rigorous_ends(ball)
        assert low <= Fraction(mpmath.nstr(value, 55)) + Fraction(1, 10**40)
        assert high >= Fraction(mpmath.nstr(value, 55)) - Fraction(1, 10**40)
        assert high - low <= low / 2**60


def rigorous_ends(ball):
    enclosure = from_ball(ball)
    return enclosure.lower, enclosure.upper


def test_divergence_is_the_divergence_of_product_measures():
    """(4) against its definition: KL between laws of noisy label vectors, r flips of n labels."""
    q, n = Fraction(1, 5), 4
    with mpmath.workdps(40):
        for r in range(n + 1):
            total = mpmath.mpf(0)
            # Only the number of differing coordinates kept (j of r) and the rest (i of n-r) matter.
            for j in range(r + 1):
                for i in range(n - r + 1):
                    rest = q**i * (1 - q) ** (n - r - i) * comb(n - r, i) * comb(r, j)
                    mu = q**j * (1 - q) ** (r - j)
                    rho = q ** (r - j) * (1 - q) ** j
                    total += reference.number(rest * rho) * mpmath.log(reference.number(rho / mu))
            assert abs(total - reference.kl_divergence(r, q)) < mpmath.mpf(10) ** -35
