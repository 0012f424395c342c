"""Sparse noise: thresholds for pairs (added, deleted) against every point and every classifier."""

from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
import pytest

from certaudit.errors import InputError
from certaudit.noise import discrete, sparse
from certaudit.reference.threshold import sparse_regions
from certaudit.reference.threshold import threshold as reference
from certaudit.rigorous.radius import certified, sparse_radii
from certaudit.rigorous.threshold import exact_threshold, sparse_threshold

HALF = Fraction(1, 2)
SHARES = [Fraction(t) for t in ("0", "1/10", "1/3", "1/2", "3/5", "9/10", "1")]
EXTREME = [Fraction(t) for t in ("1e-300", "0.01", "0.6", "0.999999999999")]
POINTS = [
    *(
        (plus, minus, added, deleted)
        for plus, minus in product(SHARES, repeat=2)
        for added, deleted in product(range(4), repeat=2)
    ),
    *(
        (plus, minus, added, deleted)
        for plus, minus in product(EXTREME, repeat=2)
        for added, deleted in [(0, 1), (1, 0), (1, 1), (2, 3), (4, 2), (0, 6), (6, 0)]
    ),
]


@cache
def truth(plus, minus, added, deleted):
    return reference(sparse_regions(plus, minus, added, deleted))


def disagreement(implementation):
    """Return the first point of the grid at which an implementation gives another threshold."""
    for plus, minus, added, deleted in POINTS:
        found = implementation(sparse(plus, minus), added, deleted)
        if found != truth(plus, minus, added, deleted):
            return plus, minus, added, deleted
    return None


def test_the_threshold_is_that_of_every_point_by_itself():
    assert len(POINTS) > 800
    assert sum(truth(*point) is None for point in POINTS) > 20
    assert disagreement(sparse_threshold) is None


def by_changes(noise, added, deleted, *, reverse=None, part=True, none=None):
    """Return the threshold by convolving coordinates, changed ones counted; may be told wrongly."""
    plus, minus = noise.p_plus, noise.p_minus
    mu, rho = [Fraction(1)], [Fraction(1)]
    for chance, other in [(plus, 1 - minus)] * added + [(minus, 1 - plus)] * deleted:
        mu = convolve(mu, chance)
        rho = convolve(rho, other)
    pairs = list(zip(mu, rho, strict=True))
    if plus + minus > 1 if reverse is None else reverse:
        pairs.reverse()
    spent, reached = Fraction(0), Fraction(0)
    for m, w in pairs:
        if reached + w >= HALF and w:
            return none if not m else spent + m * ((HALF - reached) / w if part else 1)
        spent, reached = spent + m, reached + w
    return none


def convolve(law, chance):
    longer = [Fraction(0), *law]
    return [
        (1 - chance) * stay + chance * move
        for stay, move in zip([*law, Fraction(0)], longer, strict=True)
    ]


WRONG = {
    "never reversed": lambda n, a, d: by_changes(n, a, d, reverse=False),
    "always reversed": lambda n, a, d: by_changes(n, a, d, reverse=True),
    "the last class whole": lambda n, a, d: by_changes(n, a, d, part=False),
    "1 where there is none": lambda n, a, d: by_changes(n, a, d, none=Fraction(1)),
    "added and deleted exchanged": lambda n, a, d: sparse_threshold(n, d, a),
    "p_plus and p_minus exchanged": lambda n, a, d: sparse_threshold(
        sparse(n.p_minus, n.p_plus), a, d
    ),
    "one more added": lambda n, a, d: sparse_threshold(n, a + 1, d),
    "one more deleted": lambda n, a, d: sparse_threshold(n, a, d + 1),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_sparse_threshold_is_caught_by_the_grid(wrong):
    assert disagreement(wrong) is not None


def test_the_harness_of_the_wrong_sparse_thresholds_is_right_itself():
    assert disagreement(by_changes) is None


def test_equal_probabilities_are_discrete_noise_of_two_values():
    for chance in SHARES:
        for added, deleted in product(range(4), repeat=2):
            found = sparse_threshold(sparse(chance, chance), added, deleted)
            assert found == exact_threshold(discrete(1 - chance), added + deleted)


def test_more_changes_never_need_less():
    """Coordinates can be ignored: what certifies (a + 1, d) or (a, d + 1) certifies (a, d)."""
    for plus, minus in product(SHARES, repeat=2):
        noise = sparse(plus, minus)
        least = {(a, d): sparse_threshold(noise, a, d) for a in range(6) for d in range(6)}
        for (a, d), found in least.items():
            for more in ((a + 1, d), (a, d + 1)):
                if least.get(more) is not None:
                    assert found is not None
                    assert found <= least[more]
            assert found is not None or least.get((a + 1, d)) is least.get((a, d + 1)) is None


def law(plus, minus, n):
    """Return b^n P(noisy z | x) for all x (rows) and z (columns), b^n, added and deleted."""
    points = list(product((0, 1), repeat=n))
    b = plus.denominator * minus.denominator
    one = {0: int(plus * b), 1: int((1 - minus) * b)}
    weights = []
    for x in points:
        row = []
        for z in points:
            mass = 1
            for value, noisy in zip(x, z, strict=True):
                mass *= one[value] if noisy else b - one[value]
            row.append(mass)
        weights.append(row)
    added = [[sum(u < v for u, v in zip(x, z, strict=True)) for z in points] for x in points]
    return np.array(weights), b**n, np.array(added), np.array(added).T


def changed_vote(holding, plus, minus, n):
    """Return a phi and two inputs whose votes differ though the pair is certified, or None."""
    weights, whole, added, deleted = law(plus, minus, n)
    size = len(weights)
    functions = (np.arange(2**size)[:, None] >> np.arange(size)) & 1
    shares = functions @ weights.T
    wins = 2 * shares >= whole
    found = np.unique(shares).tolist()
    noise = sparse(plus, minus)
    # holds[i, a, d]: the i-th share certifies a added and d deleted coordinates.
    holds = np.array([
        [[holding(noise, Fraction(max(s, whole - s), whole), a, d) for d in range(n + 1)]
         for a in range(n + 1)] for s in found
    ])  # fmt: skip
    place = np.searchsorted(found, shares)
    for x, z in product(range(size), repeat=2):
        fixed = holds[place[:, x], added[x, z], deleted[x, z]]
        wrong = fixed & (wins[:, x] != wins[:, z])
        if wrong.any():
            return int(np.argmax(wrong)), x, z
    return None


def strictly(noise, share, a, d):
    least = sparse_threshold(noise, a, d)
    return share > HALF and least is not None and share > least


def at_equality_too(noise, share, a, d):
    least = sparse_threshold(noise, a, d)
    return share > HALF and least is not None and share >= least


CHANCES = [
    ("1/10", "3/5", 3),
    ("1/100", "3/5", 2),
    ("1/3", "1/2", 3),
    ("0", "1/2", 3),
    ("1/2", "0", 3),
    ("0", "2/3", 2),
    ("3/4", "3/5", 3),
    ("1", "1/2", 3),
    ("1/4", "3/4", 2),
    ("2/5", "2/5", 3),
    ("1/10", "3/5", 4),
    ("0", "1/2", 4),
]


@pytest.mark.parametrize(("plus", "minus", "n"), CHANCES)
def test_no_classifier_of_small_inputs_changes_its_vote_on_a_certified_pair(plus, minus, n):
    """Every phi: {0,1}^n -> {0,1}, every pair of inputs, strictly above the threshold."""
    assert changed_vote(strictly, Fraction(plus), Fraction(minus), n) is None


def test_at_equality_it_would_be_wrong():
    """Ties are real: p_plus = 1/3, p_minus = 1/2, from x = 1 the share of z = 0 is 1/2."""
    assert any(
        changed_vote(at_equality_too, Fraction(plus), Fraction(minus), n) is not None
        for plus, minus, n in CHANCES
    )
    noise, share = sparse("1/3", "1/2"), Fraction(2, 3)
    assert sparse_threshold(noise, 1, 0) == share
    # phi(z) = z: from 0 the share of class 0 is 2/3, from 1 it is 1/2, and the tie goes to 1.
    assert sparse_radii(noise, p=share) == [(0, 1)]
    # z = 0 has exactly half of the mass from 1, so that a second coordinate needs no more.
    assert sparse_threshold(noise, 2, 0) == share
    assert sparse_radii(noise, p=share + Fraction(1, 10**60))[0] == (2, 0)


def largest_pairs(noise, share, limit):
    """Return the maximal certified pairs by trying all of them."""
    pairs = [
        (a, d)
        for a, d in product(range(limit + 1), repeat=2)
        if strictly(noise, share, a, d)
    ]  # fmt: skip
    return [
        (a, d)
        for a, d in pairs
        if not any((x, y) != (a, d) and x >= a and y >= d for x, y in pairs)
    ]


@pytest.mark.parametrize("limit", [0, 1, 4, 9])
@pytest.mark.parametrize("p", ["1/2", "0.51", "3/4", "9/10", "0.99", "0.999999"])
def test_the_staircase_is_that_of_trying_all_pairs(limit, p):
    for plus, minus in product(SHARES, repeat=2):
        found = sparse_radii(sparse(plus, minus), p=p, limit=limit)
        assert sorted(found) == largest_pairs(sparse(plus, minus), Fraction(p), limit)


def test_the_staircase_of_common_probabilities():
    """Frozen, p_plus = 0.01, p_minus = 0.6 and p = 0.99: checked above by trying all pairs."""
    assert sparse_radii(sparse("0.01", "0.6"), p="0.99") == [(3, 0), (1, 6), (0, 7)]
    assert sparse_radii(sparse("0.3", "0.7"), p="0.6", limit=50) == [(50, 50)]
    assert sparse_radii(sparse("0", "0"), p="0.9") == [(0, 0)]


BAD = {
    "p one": {"p": "1"},
    "p float": {"p": 0.9},
    "limit negative": {"p": "0.9", "limit": -1},
    "limit bool": {"p": "0.9", "limit": True},
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD.keys())
def test_bad_arguments_of_the_staircase(arguments):
    with pytest.raises(InputError):
        sparse_radii(sparse("0.1", "0.6"), **arguments)


@pytest.mark.parametrize("pair", [(-1, 0), (0, -1), (True, 0), (0, 1.0), (10**6, 0)])
def test_bad_numbers_of_changes(pair):
    with pytest.raises(InputError):
        sparse_threshold(sparse("0.1", "0.6"), *pair)


def test_certified_pairs_are_those_strictly_above_their_threshold():
    for plus, minus, added, deleted in POINTS[:784:3]:
        noise, least = sparse(plus, minus), truth(plus, minus, added, deleted)
        shares = [Fraction(t) for t in ("0", "1/2", "3/5", "0.999")]
        if least is not None and least < 1 - Fraction(1, 10**40):
            shares += [least, least + Fraction(1, 10**50)]
        for share in shares:
            answer = certified(noise, (added, deleted), p=share)
            assert answer is strictly(noise, share, added, deleted)


@pytest.mark.parametrize("pair", [3, (1,), (1, 2, 3), (-1, 0), (True, 0), (1.0, 0)], ids=repr)
def test_what_is_no_pair_is_refused(pair):
    with pytest.raises(InputError):
        certified(sparse("0.1", "0.6"), pair, p="0.9")
    with pytest.raises(InputError):
        certified(sparse("0.1", "0.6"), (1, 1), log_error="-5")
