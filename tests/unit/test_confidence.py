"""Votes as evidence: large samples, corners, radii decided at thresholds, ties, bad input."""

from fractions import Fraction
from itertools import pairwise
from random import Random

import mpmath
import pytest
from scipy.stats import beta
from support import rational

from certaudit.errors import InputError
from certaudit.noise import discrete, gaussian, label_flip, sparse
from certaudit.reference import confidence as reference
from certaudit.rigorous.confidence import (
    MAX_SAMPLES,
    GaussianShare,
    Sampled,
    bonferroni,
    holm,
    lower_bound,
    proves,
    tail_sign,
    top_and_runner_up,
    upper_bound,
)
from certaudit.rigorous.radius import (
    certified,
    gaussian_radius,
    kl_radius,
    radius,
    sampled_radius,
    sparse_radii,
    tight_radius,
)
from certaudit.rigorous.threshold import exact_threshold, sparse_threshold, threshold

HALF = Fraction(1, 2)
CHANCES = [Fraction(a) for a in ("1e-300", "1e-12", "0.001", "0.5", "0.999")]
NARROW = Fraction(1, 2**50)


def narrow(found):
    return found.upper - found.lower <= NARROW * min(found.lower, 1 - found.upper)


# --- bounds of large samples


@pytest.mark.parametrize("samples", [1000, 10**5, 10**6])
@pytest.mark.parametrize("part", ["0.01", "0.3", "0.5", "0.9", "0.999"])
@pytest.mark.parametrize("chance", ["0.001", "0.5", "0.999"])
def test_the_bound_is_scipys_where_scipy_is_good(samples, part, chance):
    count = int(samples * Fraction(part))
    found = lower_bound(count, samples, chance)
    assert float(found.mid) == pytest.approx(
        beta.ppf(float(chance), count, samples - count + 1), rel=1e-12
    )
    assert narrow(found)


def beta_integral(count, samples, share):
    """Return P(Bin(samples, share) >= count) as an integral of the beta density, in 40 digits."""
    k, n, p = mpmath.mpf(count), mpmath.mpf(samples), mpmath.mpf(share.numerator)
    p /= share.denominator
    scale = mpmath.loggamma(n + 1) - mpmath.loggamma(k) - mpmath.loggamma(n - k + 1)
    spread = mpmath.sqrt(k * (n - k)) / n ** mpmath.mpf("1.5")
    return mpmath.quad(
        lambda x: mpmath.exp(scale + (k - 1) * mpmath.log(x) + (n - k) * mpmath.log1p(-x)),
        [p - step * spread for step in range(16, -1, -2)],
    )


@pytest.mark.parametrize("part", ["0.01", "0.5", "0.9", "0.999"])
@pytest.mark.parametrize("chance", ["0.001", "0.999"])
def test_the_bound_of_the_most_samples_is_that_of_the_beta_integral(part, chance):
    count = int(MAX_SAMPLES * Fraction(part))
    found = lower_bound(count, MAX_SAMPLES, chance)
    step = found.mid / 10**18
    assert narrow(found)
    with mpmath.workdps(40):
        assert beta_integral(count, MAX_SAMPLES, found.lower - step) < mpmath.mpf(chance)
        assert beta_integral(count, MAX_SAMPLES, found.upper + step) > mpmath.mpf(chance)


def corner_tail(count, samples, share):
    """Return P(Bin(samples, share) >= count) for counts 1, N - 1, N, in 700 digits."""
    p, rest = mpmath.mpf(share.numerator) / share.denominator, 1 - share
    rest = mpmath.mpf(rest.numerator) / rest.denominator
    if count == samples:
        return p**samples
    if count == 1:
        return 1 - rest**samples
    assert count == samples - 1
    return p**samples + samples * p ** (samples - 1) * rest


@pytest.mark.parametrize("chance", CHANCES, ids=float)
@pytest.mark.parametrize("samples", [1, 2, 3, 1000, 10**5, 10**6, 10**9])
def test_the_corners_are_enclosed_by_tails(samples, chance):
    assert lower_bound(0, samples, chance).upper == 0
    assert upper_bound(samples, samples, chance).lower == 1
    for count in sorted({1, max(samples - 1, 1), samples}):
        found = lower_bound(count, samples, chance)
        assert narrow(found)
        with mpmath.workdps(700):
            a = mpmath.mpf(chance.numerator) / chance.denominator
            assert corner_tail(count, samples, found.lower) <= a
            assert corner_tail(count, samples, found.upper) >= a


@pytest.mark.parametrize(
    "chance", [1 - Fraction(1, 10**30), 1 - Fraction(1, 10**300), Fraction(1, 10**2000)]
)
def test_the_most_extreme_chances_have_narrow_bounds(chance):
    one = lower_bound(1, 1, chance)
    assert one.lower <= chance <= one.upper
    assert narrow(one)
    three = lower_bound(3, 3, chance)
    assert three.lower**3 <= chance <= three.upper**3
    assert narrow(three)


def test_a_chance_next_to_1_gives_a_radius():
    chance = 1 - Fraction(1, 10**300)
    found = radius(label_flip("1/4"), count=3, samples=3, failure_prob=chance)
    assert certified(label_flip("1/4"), found, count=3, samples=3, failure_prob=chance)
    assert not certified(label_flip("1/4"), found + 1, count=3, samples=3, failure_prob=chance)


@pytest.mark.parametrize(
    ("count", "samples", "chance", "value"),
    [
        (99000, 100000, "0.001", 0.9889893403774748),
        (100000, 100000, "0.001", 0.9999309248330094),
        (99, 100, "0.05", 0.9534401885464611),
        (1, 10, "0.05", 0.005116196891823743),
        (10**9, 10**9, "0.001", 0.9999999930922447),
    ],
)
def test_frozen_bounds(count, samples, chance, value):
    assert float(lower_bound(count, samples, chance).lower) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("samples", [1, 7, 1000, 10**9])
def test_the_upper_bound_is_that_of_the_other_votes(samples):
    for count in sorted({0, 1, samples // 3, samples - 1, samples}):
        above = upper_bound(count, samples, "0.001")
        below = lower_bound(samples - count, samples, "0.001")
        assert above.lower == 1 - below.upper
        assert above.upper == 1 - below.lower
        assert above.upper >= Fraction(count, samples)


def test_two_sided_spends_half_on_each_side():
    for count, samples in ((0, 5), (3, 5), (5, 5), (900, 1000), (10**8, 10**9)):
        for bound in (lower_bound, upper_bound):
            assert bound(count, samples, "0.02", two_sided=True) == bound(count, samples, "0.01")


def test_the_top_class_and_the_runner_up_share_the_chance():
    top, other = top_and_runner_up(900, 60, 1000, "0.002")
    assert top == lower_bound(900, 1000, "0.001")
    assert other == upper_bound(60, 1000, "0.001")
    assert top_and_runner_up(940, 60, 1000, "0.002")[0].lower > top.lower
    with pytest.raises(InputError, match="count"):
        top_and_runner_up(941, 60, 1000, "0.002")


def test_the_bound_grows_with_the_votes_and_with_the_chance():
    for chance in CHANCES[1:]:
        ends = [lower_bound(k, 40, chance) for k in range(41)]
        assert all(a.upper < b.lower for a, b in pairwise(ends))
    ends = [lower_bound(30, 40, chance) for chance in CHANCES]
    assert all(a.upper < b.lower for a, b in pairwise(ends))


# --- ties


def test_ties_of_rationals_are_decided():
    assert tail_sign(Sampled(3, 3, Fraction(1, 8)), HALF) == 0
    assert tail_sign(Sampled(1000, 1000, Fraction(1, 2**1000)), HALF) == 0
    assert tail_sign(Sampled(1000, 1000, Fraction(1, 2**1000) - Fraction(1, 2**9000)), HALF) == 1
    a = reference.binomial_tail(30, 40, Fraction(5, 6))
    assert tail_sign(Sampled(30, 40, a), Fraction(5, 6)) == 0


def test_ties_at_shares_0_and_1():
    assert proves(Sampled(1, 5, HALF), Fraction(0))
    assert not proves(Sampled(0, 5, HALF), Fraction(0))
    assert not proves(Sampled(5, 5, HALF), Fraction(1))


TIES = [
    (noise, r, k, n)
    for noise in (label_flip("1/4"), label_flip("1/3"), discrete("3/4", 3), discrete("2/5", 4))
    for r in (0, 1, 2, 5)
    for k, n in ((1, 1), (3, 3), (4, 7))
]


@pytest.mark.parametrize(("noise", "r", "k", "n"), TIES)
def test_a_tie_at_a_threshold_is_proven(noise, r, k, n):
    share = exact_threshold(noise, r)
    a = reference.binomial_tail(k, n, share)
    least = threshold(noise, r)
    assert tail_sign(Sampled(k, n, a), least) == 0
    assert proves(Sampled(k, n, a), least)
    assert not proves(Sampled(k, n, a - Fraction(1, 10**200)), least)
    given = {"count": k, "samples": n, "failure_prob": a}
    assert certified(noise, r, **given)
    assert radius(noise, **given) == r


def test_one_vote_of_one_at_the_threshold():
    assert exact_threshold(label_flip("1/4"), 1) == Fraction(5, 6)
    for step, found in ((0, 1), (Fraction(1, 10**30), 1), (-Fraction(1, 10**30), 0)):
        claim = Sampled(1, 1, Fraction(5, 6) + step)
        assert sampled_radius(label_flip("1/4"), claim) == found


def test_a_tie_at_a_sparse_threshold_is_proven():
    noise = sparse("1/100", "3/5")
    share = sparse_threshold(noise, 1, 2)
    a = reference.binomial_tail(3, 4, share)
    assert certified(noise, (1, 2), count=3, samples=4, failure_prob=a)
    less = a - Fraction(1, 10**50)
    assert not certified(noise, (1, 2), count=3, samples=4, failure_prob=less)


# --- radii


def radius_by_thresholds(noise, k, n, a, limit):
    """Return the largest r <= limit whose threshold, a rational, has a tail of at most a."""
    found = 0
    for r in range(1, limit + 1):
        share = exact_threshold(noise, r)
        if share is None or reference.binomial_tail(k, n, share) > a:
            break
        found = r
    return found


@pytest.mark.parametrize(
    "noise", [label_flip("0.4"), label_flip("0.1"), label_flip("0.3", 3), discrete("0.45", 3)]
)
def test_the_radius_is_decided_at_the_thresholds(noise):
    random = Random(2)
    positive = 0
    for _ in range(40):
        n = random.randint(1, 40)
        k = random.randint(n - n // 6, n)
        a = random.choice([*CHANCES[1:], Fraction(random.randint(1, 96), 97)])
        found = sampled_radius(noise, Sampled(k, n, a), cap=12)
        assert found == radius_by_thresholds(noise, k, n, a, 12)
        assert found == radius(noise, count=k, samples=n, failure_prob=a, cap=12)
        positive += found > 0
    assert positive >= 5


@pytest.mark.parametrize("noise", [label_flip("0.1"), label_flip("0.45"), discrete("0.3", 5)])
@pytest.mark.parametrize("samples", [1, 50, 10**5])
@pytest.mark.parametrize("chance", ["1e-300", "0.001", "0.999"])
def test_one_more_than_the_radius_is_not_certified(noise, samples, chance):
    last = -1
    for count in sorted({samples // 2, samples - samples // 10, samples - samples // 10**4}):
        given = {"count": count, "samples": samples, "failure_prob": chance}
        found = radius(noise, **given)
        assert found >= last
        assert not certified(noise, found + 1, **given)
        if found:
            assert certified(noise, found, **given)
            assert not found > radius(noise, count=count, samples=samples, failure_prob="0.9999")
        last = found


@pytest.mark.parametrize("chance", ["1e-300", "0.001"])
def test_a_radius_of_the_most_samples(chance):
    given = {"count": 10**9 - 10**5, "samples": MAX_SAMPLES, "failure_prob": chance}
    found = radius(label_flip("0.1"), **given)
    assert certified(label_flip("0.1"), found, **given)
    assert not certified(label_flip("0.1"), found + 1, **given)


def test_a_proven_share_and_its_radius():
    bound = lower_bound(99000, 100000, "0.001")
    given = {"count": 99000, "samples": 100000, "failure_prob": "0.001"}
    for noise in (label_flip("0.3"), discrete("0.4", 3)):
        assert radius(noise, **given) == tight_radius(noise, p=bound.lower)
        assert radius(noise, guarantee="kl", **given) == kl_radius(noise, p=bound.lower)
        assert radius(noise, cap=1, **given) == 1
    assert radius(sparse("0.01", "0.6"), **given) == sparse_radii(
        sparse("0.01", "0.6"), p=bound.lower
    )


def test_no_majority_no_radius():
    given = {"count": 50, "samples": 100, "failure_prob": "0.001"}
    assert radius(label_flip("0.1"), **given) == 0
    assert radius(sparse("0.01", "0.6"), **given) == []
    assert radius(gaussian(1), **given).upper == 0
    assert not certified(label_flip("0.1"), 0, **given)
    assert not certified(gaussian(1), 0, **given)
    assert not certified(sparse("0.01", "0.6"), (0, 0), **given)
    assert not certified(label_flip("0.1"), 0, count=0, samples=1, failure_prob="0.001")
    assert not certified(discrete(1), 1, count=1, samples=1, failure_prob="0.999")


def test_sparse_pairs_are_the_largest():
    noise = sparse("0.01", "0.6")
    given = {"count": 990, "samples": 1000, "failure_prob": "0.001"}
    pairs = radius(noise, **given)
    assert pairs
    for added, deleted in pairs:
        assert certified(noise, (added, deleted), **given)
        assert not certified(noise, (added + 1, deleted), **given)
        assert not certified(noise, (added, deleted + 1), **given)
    assert radius(noise, cap=2, **given) == [
        pair for pair in radius(noise, cap=2, **given) if max(pair) <= 2
    ]


@pytest.mark.parametrize("sigma", ["1", "0.25", "3"])
@pytest.mark.parametrize(("samples", "chance"), [(100, "0.01"), (100000, "0.001"), (10**9, "0.5")])
def test_the_gaussian_radius_of_unanimous_votes(sigma, samples, chance):
    found = radius(gaussian(sigma), count=samples, samples=samples, failure_prob=chance)
    with mpmath.workdps(60):
        share = (mpmath.log(mpmath.mpf(chance)) / samples).real
        value = rational(
            mpmath.mpf(sigma) * mpmath.sqrt(2) * mpmath.erfinv(1 + 2 * mpmath.expm1(share))
        )
    assert found.lower <= value <= found.upper
    assert found.upper - found.lower <= NARROW * found.lower
    given = {"count": samples, "samples": samples, "failure_prob": chance}
    assert certified(gaussian(sigma), found.lower, **given)
    assert not certified(gaussian(sigma), found.upper, **given)


def test_the_gaussian_radius_at_a_hundred_thousand():
    given = {"count": 100000, "samples": 100000, "failure_prob": "0.001"}
    found = radius(gaussian(1), **given)
    assert float(found.lower) == pytest.approx(3.8114565633899518, rel=1e-14)
    assert certified(gaussian(1), "3.811", **given)
    assert not certified(gaussian(1), "3.812", **given)
    share = GaussianShare(gaussian(1), Fraction("3.811"))
    assert proves(Sampled(100000, 100000, Fraction("0.001")), share)
    bound = lower_bound(100000, 100000, "0.001")
    assert found.lower == gaussian_radius(gaussian(1), p=bound.lower).lower


def test_a_gaussian_radius_of_0_is_a_majority():
    for chance, wins in (("1/8", True), ("0.124", False), ("0.126", True)):
        given = {"count": 3, "samples": 3, "failure_prob": Fraction(chance)}
        assert certified(gaussian(2), 0, **given) is wins


def test_a_far_gaussian_radius_is_not_certified():
    given = {"count": 10**9, "samples": 10**9, "failure_prob": "0.999"}
    assert certified(gaussian(1), 6, **given)
    assert not certified(gaussian(1), 8, **given)
    assert not certified(gaussian(1), 100, **given)


# --- families


def test_families_of_thresholds():
    a = Fraction(1, 1000)
    noise = label_flip("0.3")
    counts = (1000, 950, 900, 700, 0)
    claims = [(Sampled(k, 1000, a), threshold(noise, 1)) for k in counts]
    assert bonferroni(claims) == holm(claims) == [True, True, True, False, False]
    assert holm([*claims, (Sampled(1000, 1000, a), GaussianShare(gaussian(1), Fraction(1)))])[-1]
    assert holm([]) == bonferroni([]) == []


def test_a_family_has_one_chance():
    claims = [(Sampled(9, 10, HALF), HALF), (Sampled(9, 10, HALF / 2), HALF)]
    for family in (holm, bonferroni):
        with pytest.raises(InputError, match="failure_prob"):
            family(claims)


# --- bad input

GOOD = {"count": 9, "samples": 10, "failure_prob": "0.001"}
BAD = [
    ({"count": -1}, "count"),
    ({"count": 11}, "count"),
    ({"count": True}, "count"),
    ({"count": 9.0}, "count"),
    ({"count": "9"}, "count"),
    ({"samples": 0, "count": 0}, "samples"),
    ({"samples": -1, "count": 0}, "samples"),
    ({"samples": MAX_SAMPLES + 1}, "samples"),
    ({"samples": True, "count": 1}, "samples"),
    ({"samples": 10.0}, "samples"),
    ({"failure_prob": 0}, "failure_prob"),
    ({"failure_prob": 1}, "failure_prob"),
    ({"failure_prob": -1}, "failure_prob"),
    ({"failure_prob": 2}, "failure_prob"),
    ({"failure_prob": 0.001}, "failure_prob"),
    ({"failure_prob": "a"}, "failure_prob"),
]


@pytest.mark.parametrize(("changed", "named"), BAD, ids=str)
def test_bad_votes_are_refused(changed, named):
    given = GOOD | changed
    asked = (
        lambda: Sampled(**given),
        lambda: lower_bound(**given),
        lambda: radius(label_flip("0.1"), **given),
        lambda: radius(gaussian(1), **given),
        lambda: radius(sparse("0.1", "0.2"), **given),
        lambda: certified(label_flip("0.1"), 1, **given),
        lambda: certified(gaussian(1), 1, **given),
    )
    for ask in asked:
        with pytest.raises(InputError, match=named):
            ask()


@pytest.mark.parametrize("name", GOOD)
def test_votes_belong_together(name):
    some = {key: value for key, value in GOOD.items() if key != name}
    for given in (some, {name: GOOD[name]}):
        with pytest.raises(InputError, match="belong together"):
            radius(label_flip("0.1"), **given)
        with pytest.raises(InputError, match="belong together"):
            certified(gaussian(1), 1, **given)


@pytest.mark.parametrize("other", [{"p": "0.9"}, {"log_error": "-3"}], ids=str)
def test_votes_and_a_share_are_refused(other):
    for noise in (label_flip("0.1"), gaussian(1), sparse("0.1", "0.2")):
        with pytest.raises(InputError, match="either votes"):
            radius(noise, **GOOD, **other)
        with pytest.raises(InputError, match="either votes"):
            certified(noise, 1, **GOOD, **other)


@pytest.mark.parametrize(
    ("noise", "bad"),
    [
        (label_flip("0.1"), -1),
        (label_flip("0.1"), "1"),
        (label_flip("0.1"), (1, 1)),
        (gaussian(1), -1),
        (gaussian(1), 0.5),
        (sparse("0.1", "0.2"), 1),
        (sparse("0.1", "0.2"), (-1, 0)),
        ("noise", 1),
    ],
)
def test_radii_that_are_none_are_refused(noise, bad):
    with pytest.raises(InputError):
        certified(noise, bad, **GOOD)


def test_caps_and_guarantees_a_noise_has_not_are_refused():
    for noise, options in (
        (label_flip("0.1"), {"cap": -1}),
        (label_flip("0.1"), {"guarantee": "none"}),
        (gaussian(1), {"cap": 1}),
        (gaussian(1), {"guarantee": "kl"}),
        (sparse("0.1", "0.2"), {"guarantee": "kl"}),
        ("noise", {}),
    ):
        with pytest.raises(InputError):
            radius(noise, **GOOD, **options)
    with pytest.raises(InputError):
        sampled_radius(gaussian(1), Sampled(9, 10, HALF))


@pytest.mark.parametrize("q", ["0.499999999999", "0.4999999999", "0.49999999"])
def test_votes_beyond_the_radii_that_are_decided(q):
    """Close to uniform noise the KL radius alone is beyond a million."""
    noise = label_flip(q)
    found = radius(noise, count=99, samples=100, failure_prob="0.01")
    assert found >= 1_000_000
    low = lower_bound(99, 100, "0.01").lower
    assert found == radius(noise, p=low)


@pytest.mark.parametrize("far", [10**5, 10**7, 10**9, 3 * 10**9, Fraction(10) ** 1000])
def test_gaussian_radii_out_of_sight_are_not_proven(far):
    votes = {"count": 5, "samples": 5}
    assert not certified(gaussian(1), far, **votes, failure_prob="0.01")
    claim = Sampled(5, 5, 1 - Fraction(1, 10**60))
    assert not proves(claim, GaussianShare(gaussian("1/3"), Fraction(far)))


def test_a_chance_next_to_1_is_compared_from_above():
    claim = Sampled(900, 1000, 1 - Fraction(1, 10**300))
    assert not proves(claim, threshold(label_flip("0.1"), 5000))
    assert tail_sign(Sampled(50_001, 100_001, Fraction(1, 2)), Fraction(1, 2)) == 0


@pytest.mark.parametrize("share", [0.5, 0.0, "1/2", None, float("nan"), -1, Fraction(3, 2)])
@pytest.mark.parametrize("count", [0, 1])
def test_what_is_no_share_is_refused(share, count):
    with pytest.raises(InputError, match="share"):
        proves(Sampled(count, 2, Fraction(1, 2)), share)


@pytest.mark.parametrize("number", [0, -1, Fraction(2, 3), 1.0, True])
def test_a_chance_is_divided_among_whole_statements(number):
    with pytest.raises(InputError, match="number of statements"):
        Sampled(1, 2, Fraction(1, 2)).divided(number)
