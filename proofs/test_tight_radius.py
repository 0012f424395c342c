"""(2): the tight radius holds for every classifier, and no larger one does for phi: X -> [0,1]."""

from fractions import Fraction
from functools import cache
from itertools import product
from math import comb, gcd

import numpy as np
import pytest

from certaudit.noise import discrete, label_flip
from certaudit.reference.threshold import certified_radius, ratio_regions, threshold
from certaudit.rigorous.radius import certified, kl_radius, tight_radius
from certaudit.rigorous.threshold import exact_threshold

HALF = Fraction(1, 2)
TINY = Fraction(1, 10**60)
NOISE = [Fraction(t) for t in ("1/10", "1/3", "3/8", "2/5", "9/20", "49/100")]
# Every alphabet small enough to try all phi; alpha above, below and at 1/values.
CASES = [
    *((1 - q, 2, n) for q in NOISE for n in (1, 2, 3, 4)),
    *((q, 2, 3) for q in NOISE),
    (HALF, 2, 3),
    *(
        (Fraction(alpha), values, n)
        for values, n in ((3, 1), (3, 2), (4, 1), (4, 2), (5, 1), (9, 1))
        for alpha in ("1/10", "1/4", "1/3", "2/5", "1/2", "3/5", "9/10")
    ),
]


@cache
def votes(alpha, values, n):
    """Return b^n P(phi = 1) for all phi (rows) and inputs (columns), b^n, and the distances.

    Exact: integers below 2^62, alpha = kept/b and beta = other/b.
    """
    points = list(product(range(values), repeat=n))
    beta = (1 - alpha) / (values - 1)
    b = beta.denominator * alpha.denominator // gcd(beta.denominator, alpha.denominator)
    kept, other, whole = int(alpha * b), int(beta * b), b**n
    distances = np.array([[sum(u != v for u, v in zip(y, z, strict=True)) for z in points]
                          for y in points])  # fmt: skip
    weights = np.array([[kept ** (n - d) * other**d for d in row] for row in distances.tolist()])
    assert whole < 2**62
    assert (weights.sum(axis=1) == whole).all()
    functions = (np.arange(2 ** len(points))[:, None] >> np.arange(len(points))) & 1
    return functions @ weights.T, whole, distances


def changed_vote(radius_of, alpha, values, n):
    """Return a phi and two inputs within the radius of its share whose votes differ, or None.

    g = 1{G >= 1/2}; the share is that of the winner, and both classes are tried: phi and 1 - phi
    are both among the phi. All 2^(values^n) of them, all pairs of inputs.
    """
    shares, whole, distances = votes(alpha, values, n)
    noise = discrete(alpha, values)
    found = np.unique(shares).tolist()
    radii = np.array([
        radius_of(noise, Fraction(max(s, whole - s), whole), n) for s in found
    ])  # fmt: skip
    wins = 2 * shares >= whole
    radius = radii[np.searchsorted(found, shares)]
    for y in range(shares.shape[1]):
        within = distances[y][None, :] <= radius[:, y, None]
        wrong = within & (wins != wins[:, y, None])
        if wrong.any():
            phi, other = np.argwhere(wrong)[0].tolist()
            return phi, y, other
    return None


def held(decide):
    """Return decide as the radius of a share that may be 1: phi is constant, as 0 < alpha < 1."""

    def radius_of(noise, share, n):
        return n if share == 1 else decide(noise, p=share, cap=n)

    return radius_of


@pytest.mark.parametrize(("alpha", "values", "n"), CASES, ids=str)
def test_no_classifier_of_small_inputs_changes_its_vote_within_the_radius(alpha, values, n):
    assert changed_vote(held(tight_radius), alpha, values, n) is None
    assert changed_vote(held(kl_radius), alpha, values, n) is None


def test_these_radii_are_about_something():
    """Radii of both kinds are positive, and the tight ones are larger, for many classifiers."""
    tight = kl = 0
    for q in NOISE:
        shares, whole, _ = votes(1 - q, 2, 4)
        for found in np.unique(shares).tolist():
            share = Fraction(max(found, whole - found), whole)
            radii = [held(decide)(label_flip(q), share, 4) for decide in (tight_radius, kl_radius)]
            assert radii[0] >= radii[1]
            tight, kl = tight + radii[0], kl + radii[1]
    assert tight > kl + 500 > 1000


def one_more(noise, share, n):
    return min(held(tight_radius)(noise, share, n) + 1, n)


def of_the_nearest_hundredth(noise, share, n):
    near = Fraction(round(share * 100), 100)
    return held(tight_radius)(noise, near, n)


def ties_hold_for_all(noise, share, n):
    """Return the radius of (2) with F^-1(r) <= p, whatever the number of values."""
    if share == 1:
        return n
    radius = tight_radius(noise, p=share, cap=n)
    while share > HALF and radius < n and exact_threshold(noise, radius + 1) <= share:
        radius += 1
    return radius


def below_one_half_too(noise, share, n):
    return held(tight_radius)(noise, share, n) if share != HALF else n


def of_whole_classes(noise, share, n):
    """Return the radius by thresholds that leave the last class out: some 0/1-valued phi's."""
    radius = 0
    for r in range(1, n + 1):
        spent = reached = Fraction(0)
        pairs = [pair for pair in ratio_regions(noise.alpha, noise.values, r) if pair[0]]
        for mu, rho in sorted(pairs, key=lambda pair: pair[1] / pair[0]):
            if reached + rho >= HALF:
                break
            spent, reached = spent + mu, reached + rho
        if share > max(spent, HALF):
            radius = r
    return radius


WRONG = {
    "one more than certified": one_more,
    "p to the nearest hundredth": of_the_nearest_hundredth,
    "a tie accepted for three values": ties_hold_for_all,
    "a share of one half": below_one_half_too,
    "the last class left out": of_whole_classes,
    "the threshold of another alphabet": lambda noise, share, n: held(tight_radius)(
        discrete(noise.alpha, noise.values + 1), share, n
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_radius_is_caught_by_some_classifier(wrong):
    assert any(changed_vote(wrong, *case) is not None for case in CASES)


def test_the_tie_accepted_for_three_values_is_wrong_only_there():
    caught = {case[1] for case in CASES if changed_vote(ties_hold_for_all, *case) is not None}
    assert caught
    assert 2 not in caught


def point_masses(alpha, values, r, d):
    """Return the masses of every point under the noise of 0...0, and of 1...1 0...0 (r ones)."""
    beta = (1 - alpha) / (values - 1)
    pairs = []
    for point in product(range(values), repeat=d):
        mu = rho = Fraction(1)
        for i, value in enumerate(point):
            mu *= alpha if value == 0 else beta
            rho *= alpha if value == (1 if i < r else 0) else beta
        pairs.append((mu, rho))
    return pairs


def shares_of(pairs, phi):
    mu = sum((f * m for f, (m, _) in zip(phi, pairs, strict=True)), Fraction(0))
    rho = sum((f * w for f, (_, w) in zip(phi, pairs, strict=True)), Fraction(0))
    return mu, rho


def neyman_pearson(pairs, p):
    """Return the phi of share p under mu that has the least under rho."""
    phi, left = [Fraction(0)] * len(pairs), p
    for i in sorted(range(len(pairs)), key=lambda i: pairs[i][1] / pairs[i][0]):
        phi[i] = min(Fraction(1), left / pairs[i][0])
        left -= phi[i] * pairs[i][0]
    return phi


@pytest.mark.parametrize(("values", "d"), [(2, 1), (2, 4), (3, 1), (3, 3), (5, 2)])
def test_below_the_threshold_a_randomised_classifier_changes_its_vote(values, d):
    """And at the threshold class 0 loses it: its share is exactly 1/2, and ties go to 1."""
    alphas = [1 - q for q in NOISE] if values == 2 else [Fraction(t) for t in ("1/9", "1/2", "4/5")]
    for alpha, r in product(alphas, range(1, d + 1)):
        pairs, least = (
            point_masses(alpha, values, r, d),
            exact_threshold(discrete(alpha, values), r),
        )
        assert shares_of(pairs, neyman_pearson(pairs, least)) == (least, HALF)
        share, after = shares_of(pairs, neyman_pearson(pairs, least - TINY))
        assert share == least - TINY > HALF
        assert after < HALF
        assert tight_radius(discrete(alpha, values), p=share) < r
        assert certified(discrete(alpha, values), r, p=least + TINY)


@pytest.mark.parametrize(("q", "n", "r"), [("1/3", 4, 1), ("2/5", 4, 2), ("9/20", 3, 1)])
def test_a_classifier_with_values_0_and_1_need_not_attain_the_threshold(q, n, r):
    """No phi on {0,1}^n changes its vote between the largest such share and F^-1(r): a gap."""
    shares, whole, distances = votes(1 - Fraction(q), 2, n)
    wins = 2 * shares >= whole
    largest = 0
    for y in range(shares.shape[1]):
        change = (wins[:, distances[y] <= r] != wins[:, y, None]).any(axis=1)
        largest = max(largest, int(np.maximum(shares, whole - shares)[change, y].max()))
    least = exact_threshold(label_flip(q), r)
    assert HALF < Fraction(largest, whole) < least


def test_the_gap_by_hand():
    """One label, q = 1/3: the shares are 0, 1/3, 2/3, 1, and F^-1(1) = 3/4 is none of them."""
    shares, whole, _ = votes(Fraction(2, 3), 2, 1)
    assert {Fraction(s, whole) for s in shares.ravel().tolist()} == {
        Fraction(k, 3) for k in range(4)
    }
    assert exact_threshold(label_flip("1/3"), 1) == Fraction(3, 4)
    assert tight_radius(label_flip("1/3"), p="2/3") == 0
    assert tight_radius(label_flip("1/3"), p="3/4") == 1


def test_with_three_values_equality_certifies_nothing():
    """Of 3 values, d = 1, alpha = 1/2, phi^-1(0) = {0, 2}: p = 3/4 = F^-1(1), and the vote changes.

    From the input 1 class 0 has mass 1/4 + 1/4 = 1/2: a tie, which goes to class 1. So (2) with
    "F^-1(r) <= p" is false for class 0.
    """
    law = {0: {0: HALF, 1: HALF / 2, 2: HALF / 2}, 1: {0: HALF / 2, 1: HALF, 2: HALF / 2}}
    zero = (0, 2)
    share = sum(law[0][value] for value in zero)
    after = sum(law[1][value] for value in zero)
    assert share == exact_threshold(discrete("1/2", 3), 1) == Fraction(3, 4)
    assert after == HALF
    assert (1 - share < HALF) != (1 - after < HALF)  # G = P(phi = 1), g = 1{G >= 1/2}
    assert tight_radius(discrete("1/2", 3), p="3/4") == 0
    assert not certified(discrete("1/2", 3), 1, p="3/4")
    assert tight_radius(discrete("1/2", 3), p=Fraction(3, 4) + TINY) == 1


@pytest.mark.parametrize("r", [1, 2, 3, 7, 30])
@pytest.mark.parametrize("q", ["1/4", "1/10", "49/100", "1e-12"])
def test_with_two_values_equality_certifies(q, r):
    least = exact_threshold(label_flip(q), r)
    assert tight_radius(label_flip(q), p=least) == r
    assert tight_radius(label_flip(q), p=least - TINY * (1 - least)) == r - 1
    assert tight_radius(discrete(q), p=least) == r


def sums(q, n):
    """Return b^n G for every phi: {0,1}^n -> {0,1}, that is sum c_d a^d (b-a)^(n-d), c_d <= C(n,d).

    c_d counts the points at distance d where phi is 1; c_0 and c_n are 0 or 1. q = a/b.
    """
    a, b = q.numerator, q.denominator
    found = {0}
    for d in range(n + 1):
        unit = a**d * (b - a) ** (n - d)
        found = {total + c * unit for total in found for c in range(comb(n, d) + 1)}
    return found


@pytest.mark.parametrize(("n", "largest"), [(1, 60), (2, 60), (3, 40), (4, 24), (5, 9)])
def test_no_deterministic_vote_of_two_values_is_a_tie(n, largest):
    """Of q = a/b: 2 b^n G = b^n would force c_0 = 1/2 modulo a, and c_n = 1/2 modulo b - a.

    All sums are tried; and the two congruences are those of the argument: b^n G = c_0 (b-a)^n
    modulo a, c_n a^n modulo b - a, where both units are prime to the modulus.
    """
    for b in range(2, largest + 1):
        for a in range(1, b):
            if gcd(a, b) > 1 or (a, b) == (1, 2):
                continue
            possible = sums(Fraction(a, b), n)
            assert b**n % 2 or b**n // 2 not in possible
            assert {total % a for total in possible} <= {0, (b - a) ** n % a}
            assert {total % (b - a) for total in possible} <= {0, a**n % (b - a)}
            assert gcd((b - a) ** n, a) == gcd(a**n, b - a) == 1
            assert max(a, b - a) > 1


def test_at_one_half_and_for_randomised_classifiers_ties_are_real():
    for n in range(1, 5):
        assert 2**n // 2 in sums(HALF, n)
    pairs = point_masses(Fraction(3, 4), 2, 1, 1)
    assert shares_of(pairs, [HALF, HALF]) == (HALF, HALF)


def test_the_sums_are_the_votes():
    for q, n in product((Fraction(1, 3), Fraction(2, 5)), (1, 2, 3)):
        shares, _, _ = votes(1 - q, 2, n)
        assert set(shares[:, 0].tolist()) == sums(q, n)


@pytest.mark.parametrize("values", [2, 3, 6])
def test_the_radius_is_that_of_the_reference(values):
    for alpha in (Fraction(t) for t in ("0", "1/20", "1/6", "1/3", "1/2", "2/3", "9/10", "1")):
        noise = discrete(alpha, values)
        least = [threshold(ratio_regions(alpha, values, r)) for r in range(9)]
        shares = [Fraction(t) for t in ("0", "2/5", "1/2", "3/5", "3/4", "9/10", "999/1000")]
        shares += [p for p in least if p is not None and p < 1]
        for share in shares:
            expected = certified_radius(share, alpha, values, 8)
            assert tight_radius(noise, p=share, cap=8) == expected
            for r in range(9):
                strict = values > 2
                enough = least[r] is not None and (least[r] < share or (
                    least[r] == share and not strict))  # fmt: skip
                assert certified(noise, r, p=share) == (share > HALF and enough)
