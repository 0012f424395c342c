"""Clopper and Pearson: the sign of the tail, the bound between tails, coverage, families."""

from fractions import Fraction
from functools import cache
from math import comb
from random import Random

import pytest

from certaudit.reference import confidence as reference
from certaudit.rigorous.confidence import (
    Sampled,
    bonferroni,
    holm,
    lower_bound,
    proves,
    tail_sign,
    upper_bound,
)

HALF = Fraction(1, 2)
SHARES = [
    Fraction(t) for t in ("0", "1", "1/2", "1/3", "2/3", "9/10", "1/7", "999/1000", "1/1000000007")
]
CHANCES = [Fraction(t) for t in ("1/1000", "1/3", "1/2", "999/1000")]
NARROW = Fraction(1, 2**40)

tail = cache(reference.binomial_tail)


def cases():
    """Return (k, N, p, a): a grid, and at every inner tail the equality a = tail."""
    found = []
    for n in range(1, 13):
        for k in range(n + 1):
            for p in SHARES:
                found.extend((k, n, p, a) for a in CHANCES)
                if 0 < tail(k, n, p) < 1:
                    found.append((k, n, p, tail(k, n, p)))
    return found


CASES = cases()


def sign(value):
    return (value > 0) - (value < 0)


def wrong_sign(sign_of):
    """Return the first case at which a sign is not that of the tail in rationals, or None."""
    for k, n, p, a in CASES:
        if sign_of(k, n, a, p) != sign(tail(k, n, p) - a):
            return k, n, p, a
    return None


def wrong_proof(proves_of):
    """Return the first case at which p is proven though its tail exceeds a, or is not, or None."""
    for k, n, p, a in CASES:
        if proves_of(k, n, a, p) != (tail(k, n, p) <= a):
            return k, n, p, a
    return None


def test_the_sign_is_that_of_the_tail_in_rationals():
    ties = sum(tail(k, n, p) == a for k, n, p, a in CASES)
    assert len(CASES) > 2000
    assert ties > 100
    assert wrong_sign(lambda k, n, a, p: tail_sign(Sampled(k, n, a), p)) is None
    assert wrong_proof(lambda k, n, a, p: proves(Sampled(k, n, a), p)) is None
    three = Sampled(3, 3, Fraction(1, 8))
    assert tail_sign(three, HALF) == 0
    assert proves(three, HALF)


def test_the_least_distance_from_a_tie_is_seen():
    for exponent in (20, 60, 300, 1000):
        step = Fraction(1, 10**exponent)
        for k, n, p in ((3, 3, HALF), (5, 12, Fraction(1, 3)), (1, 9, Fraction(9, 10))):
            a = tail(k, n, p)
            assert tail_sign(Sampled(k, n, a - step), p) == 1
            assert tail_sign(Sampled(k, n, a + step), p) == -1
            assert tail_sign(Sampled(k, n, a), p + step) == 1
            assert tail_sign(Sampled(k, n, a), p - step) == -1


def bounds():
    """Return (k, N, a): small ones all, larger ones at random, the corners of each."""
    random = Random(0)
    found = [(k, n, a) for n in range(1, 6) for k in range(n + 1) for a in CHANCES]
    for _ in range(100):
        n = random.randint(6, 60)
        k = random.choice([0, 1, n - 1, n, random.randint(0, n), random.randint(0, n)])
        a = random.choice([*CHANCES, Fraction(1, 10**12), Fraction(random.randint(1, 96), 97)])
        found.append((k, n, a))
    return found


BOUNDS = bounds()


def bound_disagreement(bound_of, part):
    """Return the first (k, N, a) whose bound is not between tails of part * a, or is wide."""
    for k, n, a in BOUNDS:
        found = bound_of(k, n, a)
        if k == 0:
            if not found.lower == found.upper == 0:
                return k, n, a
            continue
        if not 0 < found.lower <= found.upper < 1:
            return k, n, a
        if not tail(k, n, found.lower) <= part * a <= tail(k, n, found.upper):
            return k, n, a
        if found.upper - found.lower > NARROW * min(found.lower, 1 - found.upper):
            return k, n, a
    return None


def test_the_lower_bound_is_enclosed_by_tails():
    assert bound_disagreement(lower_bound, 1) is None
    assert bound_disagreement(lambda k, n, a: lower_bound(k, n, a, two_sided=True), HALF) is None
    for k, n, a in [case for case in BOUNDS if case[1] <= 8]:
        found, least = lower_bound(k, n, a), reference.lower_bound(k, n, a)
        assert found.lower <= least + Fraction(1, 10**30)
        assert found.upper >= least


def test_the_upper_bound_is_enclosed_by_the_other_tails():
    for k, n, a in BOUNDS:
        found = upper_bound(k, n, a)
        # P(X <= k) falls in p: below a from the upper end on.
        if k == n:
            assert found.lower == found.upper == 1
        else:
            assert 1 - tail(k + 1, n, found.upper) <= a <= 1 - tail(k + 1, n, found.lower)


def chance_of_error(accepts, n, a, p):
    """Return the exact chance, at the true share p, of votes that prove a share above p."""
    return sum(
        (comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1) if accepts(k, n, a, p)),
        Fraction(0),
    )


TRUE_SHARES = [Fraction(t) for t in ("0", "1/1000", "1/3", "1/2", "3/5", "9/10", "999/1000", "1")]


def exceeded(accepts):
    """Return the first (N, a, p) at which a share above p is claimed too often, or None."""
    for n in range(1, 16):
        for p in TRUE_SHARES:
            ties = {t for t in (tail(n, n, p), tail(n // 2 + 1, n, p)) if 0 < t < 1}
            for a in {*CHANCES, *ties}:
                if chance_of_error(accepts, n, a, p) > a:
                    return n, a, p
    return None


@cache
def lower_end(k, n, a):
    return lower_bound(k, n, a).lower


def test_coverage_is_at_least_what_is_promised():
    assert exceeded(lambda k, n, a, p: proves(Sampled(k, n, a), p)) is None
    assert exceeded(lambda k, n, a, p: lower_end(k, n, a) > p) is None


def test_coverage_cannot_be_better_at_a_tie():
    for n in range(1, 16):
        for p in TRUE_SHARES[1:-1]:
            a = tail(n // 2 + 1, n, p)
            assert chance_of_error(lambda k, n, a, p: proves(Sampled(k, n, a), p), n, a, p) == a


WRONG_PROOFS = {
    "one vote too many": lambda k, n, a, p: proves(Sampled(min(k + 1, n), n, a), p),
    "one vote too few": lambda k, n, a, p: proves(Sampled(max(k - 1, 0), n, a), p),
    "one sample too many": lambda k, n, a, p: proves(Sampled(k, n + 1, a), p),
    "strict at equality": lambda k, n, a, p: tail_sign(Sampled(k, n, a), p) < 0,
    "at equality nothing else": lambda k, n, a, p: tail_sign(Sampled(k, n, a), p) == 0,
    "half of failure_prob": lambda k, n, a, p: proves(Sampled(k, n, a / 2), p),
    "a share rounded to a float": lambda k, n, a, p: proves(Sampled(k, n, a), Fraction(float(p))),
    "a chance rounded to a float": lambda k, n, a, p: proves(Sampled(k, n, Fraction(float(a))), p),
    "the tail below": lambda k, n, a, p: 1 - tail(k + 1, n, p) <= a,
    "the tail without k": lambda k, n, a, p: tail(k + 1, n, p) <= a,
    "the other class": lambda k, n, a, p: proves(Sampled(n - k, n, a), 1 - p),
    "the share itself": lambda k, n, _a, p: Fraction(k, n) > p,
}
WRONG_COVERAGE = ("one vote too many", "the tail without k", "the share itself")


@pytest.mark.parametrize("wrong", WRONG_PROOFS.values(), ids=WRONG_PROOFS.keys())
def test_wrong_variants_are_caught(wrong):
    assert wrong_proof(wrong) is not None


@pytest.mark.parametrize("name", WRONG_COVERAGE)
def test_generous_variants_break_the_promise(name):
    assert exceeded(WRONG_PROOFS[name]) is not None


def test_a_bound_that_forgets_the_other_side_is_caught():
    assert bound_disagreement(lower_bound, HALF) is not None
    assert bound_disagreement(lambda k, n, a: lower_bound(k, n, a, two_sided=True), 1) is not None


def families():
    """Return families of (k, N, p) with one a each: at random, many with tails at a/m exactly."""
    random = Random(1)
    found = []
    for _ in range(600):
        m = random.randint(1, 6)
        claims = []
        for _ in range(m):
            n = random.randint(1, 8)
            claims.append((random.randint(0, n), n, random.choice(SHARES)))
        tails = [tail(*claim) for claim in claims]
        a = random.choice([*CHANCES, random.choice(tails) * random.randint(1, m)])
        found.append((claims, a if 0 < a < 1 else HALF))
    return found


FAMILIES = families()


def as_claims(family, a):
    return [(Sampled(k, n, a), p) for k, n, p in family]


def family_disagreement(held_of, expected_of):
    """Return the first family of which other claims hold than in rationals, or None."""
    for family, a in FAMILIES:
        if held_of(as_claims(family, a)) != expected_of([tail(*claim) for claim in family], a):
            return family, a
    return None


def test_holm_and_bonferroni():
    ties = more = 0
    for family, a in FAMILIES:
        tails = [tail(*claim) for claim in family]
        ties += any(t * j == a for t in tails for j in range(1, len(tails) + 1))
        both = bonferroni(as_claims(family, a)), holm(as_claims(family, a))
        assert both == (reference.bonferroni(tails, a), reference.holm(tails, a))
        assert all(h >= b for b, h in zip(*both, strict=True))
        more += both[0] != both[1]
        order = list(range(len(family)))
        Random(len(family)).shuffle(order)
        shuffled = holm(as_claims([family[i] for i in order], a))
        assert shuffled == [both[1][i] for i in order]
    assert ties > 50
    assert more > 20


@pytest.mark.parametrize("exponent", [3, 18, 20, 25, 40, 300])
def test_holm_orders_tails_that_are_all_but_equal(exponent):
    # Tails of 1/4 = a/2 and a little more: the first holds, and with it the second.
    family = [(1, 1, Fraction(1, 4) + Fraction(1, 10**exponent)), (1, 1, Fraction(1, 4))]
    for claims in (family, family[::-1]):
        tails = [tail(*claim) for claim in claims]
        assert reference.holm(tails, HALF) == [True, True]
        assert holm(as_claims(claims, HALF)) == [True, True]


def without_a_stop(claims):
    ordered = sorted(range(len(claims)), key=lambda i: tail(claims[i][0].count,
                     claims[i][0].samples, claims[i][1]))  # fmt: skip
    held = [False] * len(claims)
    for step, i in enumerate(ordered):
        held[i] = proves(claims[i][0].divided(len(claims) - step), claims[i][1])
    return held


def in_the_order_given(claims):
    held = [False] * len(claims)
    for step, (claim, share) in enumerate(claims):
        if not proves(claim.divided(len(claims) - step), share):
            break
        held[step] = True
    return held


def undivided(claims):
    return [proves(*claim) for claim in claims]


@pytest.mark.parametrize("wrong", [undivided, bonferroni, without_a_stop, in_the_order_given])
def test_wrong_families_are_caught(wrong):
    assert family_disagreement(holm, reference.holm) is None
    assert family_disagreement(wrong, reference.holm) is not None


@pytest.mark.parametrize("wrong", [undivided, holm])
def test_a_family_that_is_not_bonferronis_is_caught(wrong):
    assert family_disagreement(bonferroni, reference.bonferroni) is None
    assert family_disagreement(wrong, reference.bonferroni) is not None
