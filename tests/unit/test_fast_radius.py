"""Radii by table: what floats decide is what the rigorous engine says of every number between."""

import math
from fractions import Fraction
from random import Random

import mpmath
import pytest

from certaudit.fast import radius as fast
from certaudit.fast.radius import Radii
from certaudit.noise import LabelFlip
from certaudit.reference.radius import number
from certaudit.rigorous.radius import is_majority, kl_radius, tight_radius
from certaudit.rigorous.threshold import threshold

NOISE = [Fraction(q) for q in ("0.499", "0.4", "0.375", "0.1", "0.01", "1e-8")]
GUARANTEES = ("kl", "tight")
CAPS = {"kl": (0, 1, 7, 10**6), "tight": (0, 1, 7, 400)}
LN2 = math.log(2)


def rigorous(noise, guarantee, cap, log_error):
    """Return the exact radius of a bound on ln(1 - p), -1 where it proves no majority."""
    bound = Fraction(log_error)
    if not is_majority(bound):
        return -1
    exact = kl_radius if guarantee == "kl" else tight_radius
    return exact(noise, log_error=bound, cap=cap)


def contradiction(table, noise, guarantee, cap, lower, upper):
    """Return what is wrong with a decision: ends or midpoint certify another radius."""
    found = table.decide(lower, upper)
    if found is None:
        return None
    for x in {lower, upper, lower + (upper - lower) / 2}:
        true = rigorous(noise, guarantee, cap, x)
        if true != found:
            return f"q {noise.q}, {guarantee}, cap {cap}: {lower!r}..{upper!r}: {found}, not {true}"
    return None


def magnitudes(random):
    """Return numbers around -ln 2 and down to -10^6."""
    return [
        *(-LN2 + ulps * math.ulp(LN2) for ulps in range(-4, 4)),
        *(-LN2 - 2.0**-k for k in range(1, 53, 6)),
        *(-LN2 + 2.0**-k for k in range(2, 53, 10)),
        *(-random.uniform(0.69, 0.71) for _ in range(5)),
        *(-math.exp(random.uniform(-0.37, 13.9)) for _ in range(25)),
        *(0.0, -0.0, 1.0, 1e-300, -1e-300, -1e6),
    ]


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("q", NOISE, ids=str)
def test_single_numbers_have_the_radius_of_the_rigorous_engine(q, guarantee):
    noise, random = LabelFlip(q), Random(int(1 / q))
    for cap in CAPS[guarantee]:
        table = Radii(noise, guarantee, cap)
        decided = 0
        for x in (points := magnitudes(random)):
            assert contradiction(table, noise, guarantee, cap, x, x) is None
            decided += table.decide(x, x) is not None
        # The two numbers beside -ln 2 are left open.
        assert decided == len(points) - 2


def some_radii(guarantee, random):
    """Return radii whose levels are looked at closely, small and large."""
    top = 500_000 if guarantee == "kl" else 300
    return [0, 1, 2, 3, random.randint(4, 60), random.randint(61, 299), top]


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("q", NOISE, ids=str)
def test_levels_enclose_the_largest_bound_that_certifies(q, guarantee):
    noise, random = LabelFlip(q), Random(int(1 / q))
    table = Radii(noise, guarantee, 2**20)
    for r in some_radii(guarantee, random):
        low, high = table.level(r)
        assert high == math.nextafter(low, math.inf)
        true = rigorous(noise, guarantee, None, low), rigorous(noise, guarantee, None, high)
        assert true[0] >= r > true[1]
        with mpmath.workdps(60):
            if guarantee == "kl":
                y = mpmath.exp(-2 * r * number(1 - 2 * q) * mpmath.log(number((1 - q) / q)))
                error = y / (2 * (1 + mpmath.sqrt(1 - y)))
            else:
                error = number(threshold(noise, r).error.mid)
            assert low <= mpmath.log(error) <= high


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("q", NOISE, ids=str)
def test_decisions_around_each_level_hold(q, guarantee):
    noise, random = LabelFlip(q), Random(int(1 / q))
    levels = Radii(noise, guarantee, 2**20)
    for r in some_radii(guarantee, random):
        low, high = levels.level(r)
        below, above = math.nextafter(low, -math.inf), math.nextafter(high, math.inf)
        for cap in {r, r + 1, max(r - 1, 0), 2 * r + 2}:
            table = Radii(noise, guarantee, cap)
            for lower in (below, low, high, above):
                for upper in (low, high, above):
                    if lower <= upper:
                        wrong = contradiction(table, noise, guarantee, cap, lower, upper)
                        assert wrong is None
            if cap > r > 0:
                assert table.decide(above, above) == r - 1
                assert table.decide(low, high) is None
            if cap >= r > 0:
                assert table.decide(low, low) == r
            if 0 < cap < r:
                assert table.decide(below, above) == cap


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("q", NOISE, ids=str)
def test_every_decision_about_an_interval_holds_for_all_of_it(q, guarantee):
    noise, random = LabelFlip(q), Random(int(1 / q))
    for cap in CAPS[guarantee]:
        table = Radii(noise, guarantee, cap)
        answers = narrow = 0
        for _ in range(60):
            upper = -math.exp(random.uniform(-0.5, 6.0))
            lower = upper - 10.0 ** random.uniform(-14, 1) * random.choice([1, -upper])
            assert contradiction(table, noise, guarantee, cap, lower, upper) is None
            if upper - lower < table.step / 100:
                narrow += 1
                answers += table.decide(lower, upper) is not None
        assert answers >= 0.9 * narrow
        assert narrow > 0


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_narrow_intervals_between_levels_are_decided(guarantee):
    noise = LabelFlip(Fraction(1, 10))
    table = Radii(noise, guarantee, 50)
    for r in range(30):
        top, bottom = table.level(r)[0], table.level(r + 1)[1]
        assert table.decide(math.nextafter(bottom, 0.0), math.nextafter(top, -math.inf)) == r
        assert table.decide(bottom, top) is None
        assert table.decide(table.level(r + 2)[1], top) is None


def test_a_vote_is_open_or_lost_above_ln_2():
    for guarantee in GUARANTEES:
        table = Radii(LabelFlip(Fraction(1, 10)), guarantee, 50)
        assert table.level(0) == (math.nextafter(-LN2, -1.0), -LN2)
        assert table.decide(-0.6931, 0.5) == -1
        assert table.decide(-0.6931, math.inf) == -1
        assert table.decide(-0.7, 0.0) is None
        assert table.decide(-LN2, -LN2) is None
        assert table.decide(-math.inf, -0.8) is None
        assert table.decide(-math.inf, -1e9) == 50


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_numbers_that_are_none_decide_no_radius(guarantee):
    table = Radii(LabelFlip(Fraction(1, 10)), guarantee, 50)
    assert table.decide(math.nan, -3.0) is None
    assert table.decide(-3.0, math.nan) is None
    assert table.decide(math.nan, math.nan) is None


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_beyond_what_is_decided_nothing_is(guarantee, monkeypatch):
    """Caps above the largest radius that is decided: as for the rigorous engine up to there."""
    monkeypatch.setattr(fast, "MAX_RADIUS", 40)
    noise = LabelFlip(Fraction(2, 5))
    capped, beyond = Radii(noise, guarantee, 40), Radii(noise, guarantee, 41)
    for r in range(42):
        level = capped.level(r)[0]
        below = math.nextafter(level, -math.inf)
        assert capped.decide(below, below) == min(r, 40)
        assert beyond.decide(below, below) == (r if r < 40 else None)


def test_a_small_cap_costs_few_thresholds():
    table = Radii(LabelFlip(Fraction(1, 10)), "tight", 5)
    assert table.decide(-1e5, -1e5 + 1) == 5
    assert max(table._levels) <= 6


@pytest.mark.parametrize(
    "q", ["1e-300", "1e-5000", "0.4" + "9" * 20], ids=["1e-300", "1e-5000", "half"]
)
@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_tiny_noise_and_noise_near_one_half(q, guarantee):
    noise, random = LabelFlip(Fraction(q)), Random(5)
    table = Radii(noise, guarantee, 60)
    for _ in range(60):
        upper = -math.exp(random.uniform(-0.36, 14))
        lower = upper - random.choice([0.0, 1e-6, 1.0])
        assert contradiction(table, noise, guarantee, 60, lower, upper) is None


# Wrong variants.


class LevelsTooHigh(Radii):
    """Each level rounded to the wrong side."""

    def level(self, radius):
        high = super().level(radius)[1]
        return high, math.nextafter(high, math.inf)


class LevelsTooLow(Radii):
    """Both ends below the level: a radius is said to be smaller than it is."""

    def level(self, radius):
        high = math.nextafter(super().level(radius)[0], -math.inf)
        return math.nextafter(high, -math.inf), high


class LowerIgnored(Radii):
    """The next radius is not asked about."""

    def decide(self, _lower, upper):
        return super().decide(upper, upper)


class CapIgnored(Radii):
    def __init__(self, noise, guarantee, _cap):
        super().__init__(noise, guarantee, 10**6)


class CapNotReached(Radii):
    """One below the cap."""

    def decide(self, lower, upper):
        found = super().decide(lower, upper)
        return found - 1 if found == self._cap else found


class VoteIgnored(Radii):
    """Radius 0 where no majority is proven."""

    def decide(self, lower, upper):
        found = super().decide(lower, upper)
        return 0 if found == -1 else found


class BeyondAnswered(Radii):
    """The largest radius that is decided, taken for the radius."""

    def __init__(self, noise, guarantee, cap):
        super().__init__(noise, guarantee, cap)
        self._cap, self._capped = min(cap, 6), True


VARIANTS = [
    LevelsTooHigh,
    LevelsTooLow,
    LowerIgnored,
    CapIgnored,
    CapNotReached,
    VoteIgnored,
    BeyondAnswered,
]


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_wrong_variants_are_caught(variant, guarantee):
    noise, random = LabelFlip(Fraction(2, 5)), Random(1)
    right, wrong = Radii(noise, guarantee, 30), variant(noise, guarantee, 30)
    caught = False
    for r in range(34):
        for x in (*right.level(r), random.uniform(-60, -0.5), random.uniform(-0.69, 0.0)):
            for lower in (x, x - 1e-3, x - 0.3):
                assert contradiction(right, noise, guarantee, 30, lower, x) is None
                caught = caught or bool(contradiction(wrong, noise, guarantee, 30, lower, x))
    assert caught
