"""(2): the threshold is what Neyman and Pearson's regions give, whatever the dimension."""

from fractions import Fraction
from functools import cache
from itertools import product

import pytest

from certaudit.noise import discrete, label_flip
from certaudit.reference.threshold import (
    brute_force_regions,
    counted_regions,
    least_rho,
    ratio_regions,
    two_value_regions,
)
from certaudit.reference.threshold import threshold as reference
from certaudit.rigorous.threshold import exact_threshold, threshold

HALF = Fraction(1, 2)
VALUES = [2, 3, 4, 5, 7, 10, 1000, 10**9]
RADII = [*range(11), 13, 17, 25]
ALPHAS = [
    Fraction(0),
    Fraction(1),
    *(Fraction(t) for t in ("1/2", "9/10", "1/10", "1/3", "2/3", "3/8", "5/8", "49/100")),
    *(Fraction(t) for t in ("1/5", "4/5", "1/100", "99/100", "1/7919")),
    *(Fraction(t) for t in ("1e-12", "0.999999999999", "1e-300")),
    1 - Fraction(1, 10**300),
    Fraction(123456789012345678901, 987654321098765432109),
    Fraction(864197532086419753208, 987654321098765432109),
]


def grid():
    """Yield (alpha, values, r), alpha on both sides of beta and equal to it, and at the edges."""
    for values in VALUES:
        tie = Fraction(1, values)
        close = [tie, tie - Fraction(1, 10**30), tie + Fraction(1, 10**30)]
        for alpha in dict.fromkeys([*ALPHAS, *close]):
            # Rationals of many digits are slow in the reference: fewer radii of those.
            for r in RADII if alpha.denominator < 10**10 else RADII[:9]:
                yield alpha, values, r


GRID = list(grid())


@cache
def truth(alpha, values, r):
    return reference(ratio_regions(alpha, values, r))


def rational_disagreement(implementation, points=GRID):
    """Return the first point of the grid at which an implementation gives another rational."""
    for alpha, values, r in points:
        if implementation(discrete(alpha, values), r) != truth(alpha, values, r):
            return alpha, values, r
    return None


def enclosure_disagreement(implementation):
    """Return the first point at which lower..upper misses 1 - F^-1(r) or is wider than 2^-99."""
    for alpha, values, r in GRID:
        found, least = implementation(discrete(alpha, values), r), truth(alpha, values, r)
        if (found is None) != (least is None):
            return alpha, values, r
        if found is None:
            continue
        lower, upper = found
        if not (lower <= 1 - least <= upper and upper - lower <= (1 - least) / 2**99):
            return alpha, values, r
    return None


def enclosure(noise, r):
    found = threshold(noise, r)
    return None if found is None else (found.error.lower, found.error.upper)


def test_the_rational_is_that_of_the_regions_on_the_whole_grid():
    assert len(GRID) >= 2000
    assert len(GRID) == len(set(GRID))
    assert {values * alpha < 1 for alpha, values, _ in GRID} == {True, False}
    assert sum(values * alpha == 1 for alpha, values, _ in GRID) >= len(VALUES) * len(RADII)
    assert sum(truth(*point) is None for point in GRID) > 100
    assert rational_disagreement(exact_threshold) is None


def test_the_enclosure_contains_it_and_is_narrow_on_the_whole_grid():
    assert enclosure_disagreement(enclosure) is None


def law_of(noise):
    beta = (1 - noise.alpha) / (noise.values - 1)
    return noise.alpha, beta


def fill(ordered, *, last=lambda share: share, none=None):
    """Return the mu-mass of regions taken in the order given until half the rho-mass is there."""
    spent, reached = Fraction(0), Fraction(0)
    for mu, rho in ordered:
        if rho and reached + rho >= HALF:
            return spent + mu * last((HALF - reached) / rho)
        spent += mu
        reached += rho
    return none


def regions_of(noise, r):
    return [pair for pair in ratio_regions(noise.alpha, noise.values, r) if pair[0]]


def by_ratio(noise, r):
    return sorted(regions_of(noise, r), key=lambda pair: pair[1] / pair[0])


def as_if_alpha_were_the_larger(noise, r):
    """Regions by s alone, most agreements with the first input first: wrong for alpha < beta."""
    regions = ratio_regions(noise.alpha, noise.values, r)
    # ratio_regions lists s in the order in which it meets them: rising.
    return [pair for pair in reversed(regions) if pair[0]]


def beta_among_all_values(noise, r):
    alpha = noise.alpha
    beta = (1 - alpha) / noise.values
    law = {1: (alpha, beta), 0: (1 - alpha - beta, 1 - alpha - beta), -1: (beta, alpha)}
    masses = {0: (Fraction(1), Fraction(1))}
    for _ in range(r):
        after = {}
        for s, (mu, rho) in masses.items():
            for step, (m, w) in law.items():
                a, b = after.get(s + step, (0, 0))
                after[s + step] = (a + mu * m, b + rho * w)
        masses = after
    return sorted((p for p in masses.values() if p[0]), key=lambda pair: pair[1] / pair[0])


WRONG = {
    "the regions in the reverse order": lambda n, r: fill(by_ratio(n, r)[::-1]),
    "alpha < beta not handled": lambda n, r: fill(as_if_alpha_were_the_larger(n, r)),
    "the last class taken whole": lambda n, r: fill(by_ratio(n, r), last=lambda _: 1),
    "the last class left out": lambda n, r: fill(by_ratio(n, r), last=lambda _: 0),
    "one coordinate more": lambda n, r: fill(by_ratio(n, r + 1)),
    "one coordinate less": lambda n, r: fill(by_ratio(n, max(r - 1, 0))),
    "1 where there is none": lambda n, r: fill(by_ratio(n, r), none=Fraction(1)),
    "beta among all the values": lambda n, r: fill(beta_among_all_values(n, r)),
    "label flips in all other values at once": lambda n, r: fill(
        sorted(
            (pair for pair in two_value_regions(n.alpha, r) if pair[0]),
            key=lambda pair: pair[1] / pair[0],
        )
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_threshold_is_caught_by_the_grid(wrong):
    assert rational_disagreement(wrong) is not None


def test_the_harness_of_the_wrong_thresholds_is_right_itself():
    assert rational_disagreement(lambda n, r: fill(by_ratio(n, r)), GRID[::7]) is None


def to_nearest_float(noise, r):
    found = exact_threshold(noise, r)
    return None if found is None else (1 - Fraction(float(found)),) * 2


def error_to_nearest_float(noise, r):
    found = exact_threshold(noise, r)
    return None if found is None else (Fraction(float(1 - found)),) * 2


def wide(noise, r):
    found = exact_threshold(noise, r)
    return None if found is None else ((1 - found) * (1 - Fraction(1, 2**98)), 1 - found)


WRONG_ENCLOSURES = {
    "p to nearest": to_nearest_float,
    "1 - p to nearest": error_to_nearest_float,
    "a bit too wide": wide,
    "of one coordinate more": lambda noise, r: enclosure(noise, r + 1),
    "never none": lambda noise, r: enclosure(noise, r) or (Fraction(0), Fraction(0)),
}


@pytest.mark.parametrize("wrong", WRONG_ENCLOSURES.values(), ids=WRONG_ENCLOSURES.keys())
def test_a_wrong_enclosure_is_caught_by_the_grid(wrong):
    assert enclosure_disagreement(wrong) is not None


SMALL_ALPHAS = [Fraction(t) for t in ("0", "1/10", "1/4", "1/3", "1/2", "3/5", "9/10", "1")]


@pytest.mark.parametrize("values", [2, 3, 4, 7])
def test_counting_in_all_dimensions_gives_the_same_threshold(values):
    """Lee et al. count the points of {0..K}^d by both distances: F^-1(r) does not depend on d."""
    for alpha in [*SMALL_ALPHAS, Fraction(1, values), Fraction(1, 10**20)]:
        for d in range(7):
            for r in range(d + 1):
                regions = counted_regions(alpha, values, r, d)
                assert sum(mu for mu, _ in regions) == sum(rho for _, rho in regions) == 1
                assert reference(regions) == truth(alpha, values, r)


@pytest.mark.parametrize(("values", "dimensions"), [(2, 6), (3, 4), (4, 3), (5, 3)])
def test_every_point_by_itself_gives_the_same_threshold(values, dimensions):
    for alpha in [*SMALL_ALPHAS, Fraction(1, values)]:
        for d in range(dimensions + 1):
            for r in range(d + 1):
                regions = brute_force_regions(alpha, values, r, d)
                assert reference(regions) == truth(alpha, values, r)


def test_two_values_need_the_number_of_changes_only():
    for alpha in [*SMALL_ALPHAS, Fraction(1, 10**20)]:
        for r in range(12):
            assert reference(two_value_regions(alpha, r)) == truth(alpha, 2, r)


def dual_bound(regions, slope, p):
    """Return slope p + sum min(0, rho - slope mu): no phi of mu-mass >= p has less rho-mass.

    rho(phi) = slope mu(phi) + sum phi (rho - slope mu) >= slope p + sum min(0, rho - slope mu).
    """
    return slope * p + sum(min(Fraction(0), rho - slope * mu) for mu, rho in regions)


def filled(regions, p):
    """Return a phi of mu-mass p, one number in [0, 1] for each region: greedy by mu/rho."""
    phi, left = [Fraction(0)] * len(regions), p
    order = sorted(
        (i for i in range(len(regions)) if regions[i][0]),
        key=lambda i: regions[i][1] / regions[i][0],
    )
    for i in order:
        phi[i] = min(Fraction(1), left / regions[i][0])
        left -= phi[i] * regions[i][0]
    return phi


def masses(regions, phi):
    mu = sum((f * m for f, (m, _) in zip(phi, regions, strict=True)), Fraction(0))
    rho = sum((f * w for f, (_, w) in zip(phi, regions, strict=True)), Fraction(0))
    return mu, rho


@pytest.mark.parametrize("values", [2, 3, 5])
def test_each_threshold_is_proven_by_a_dual_slope_and_a_phi(values):
    """Weak duality: the slope shows that p = F^-1(r) suffices, the phi that less does not."""
    shown = 0
    for alpha, r in product([*SMALL_ALPHAS, Fraction(49, 100)], range(8)):
        regions, least = (
            ratio_regions(alpha, values, r),
            exact_threshold(discrete(alpha, values), r),
        )
        if least is None:
            # Everything mu can draw holds less than half of rho: p = 1 does not suffice.
            assert sum((rho for mu, rho in regions if mu), Fraction(0)) < HALF
            continue
        slopes = {rho / mu for mu, rho in regions if mu}
        assert max(dual_bound(regions, slope, least) for slope in slopes) == HALF
        assert masses(regions, filled(regions, least)) == (least, HALF)
        assert least_rho(regions, least) == HALF
        below = least - least / 10**30
        mu, rho = masses(regions, filled(regions, below))
        assert mu == below
        assert rho == least_rho(regions, below) < HALF
        shown += 1
    assert shown > 40


def test_label_noise_is_the_discrete_noise_that_keeps_a_label_with_1_minus_q():
    for q, classes in [("1/10", 2), ("49/100", 2), ("3/5", 3), ("1/1000", 10), ("89/100", 10)]:
        for r in (0, 1, 2, 5, 12):
            found = exact_threshold(label_flip(q, classes), r)
            assert found == truth(1 - Fraction(q), classes, r)


def test_the_binomial_formula_by_hand():
    """1 - q = 3/4, r = 1: the whole class of mass 3/4, rho 1/4, then a third of the other."""
    assert exact_threshold(label_flip("1/4"), 1) == Fraction(3, 4) + Fraction(1, 3) * Fraction(1, 4)
    assert exact_threshold(label_flip("1/4"), 0) == HALF
    assert exact_threshold(discrete("1/2", 3), 1) == Fraction(3, 4)
    assert exact_threshold(discrete("0", 3), 1) == 1
    assert exact_threshold(discrete("0", 3), 2) is None
