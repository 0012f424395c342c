"""(5), B.3: the radius holds for every classifier on small label sets, and at every tie found."""

from fractions import Fraction
from itertools import product
from math import comb, isqrt

import numpy as np
import pytest

from certaudit.noise import label_flip
from certaudit.rigorous.radius import kl_radius

HALF = Fraction(1, 2)
NOISE = [Fraction(1, 3), Fraction(3, 8), Fraction(2, 5), Fraction(9, 20), Fraction(1, 10)]


def law(n, classes, q):
    """Return weights W[Y, Z] = b^n P(noisy labels Z | labels Y) as integers, and b^n."""
    points = list(product(range(classes), repeat=n))
    b = q.denominator * (classes - 1)
    keep, change = (b - q.numerator * (classes - 1)), q.numerator
    weights = [
        [
            keep ** (n - d) * change**d
            for z in points
            for d in [sum(u != v for u, v in zip(y, z, strict=True))]
        ]
        for y in points
    ]
    return points, np.array(weights, dtype=object), b**n


@pytest.mark.parametrize("q", NOISE, ids=str)
@pytest.mark.parametrize(("n", "classes"), [(1, 2), (2, 2), (3, 2), (4, 2), (1, 3), (2, 3), (1, 5)])
def test_every_classifier_of_small_label_sets(n, classes, q):
    """All 0/1-valued phi on all label vectors: no vote changes within the radius of its share.

    For K > 2, phi is the indicator of a class whose share exceeds 1/2: every other class then has
    less. The labels Y are (0, ..., 0) without loss of generality: phi is arbitrary. Both classes:
    phi and 1 - phi are both in the set; the tie at 1/2 goes to 1.
    """
    points, weights, whole = law(n, classes, q)
    size = len(points)
    functions = (np.arange(2**size)[:, None] >> np.arange(size)) & 1
    assert whole < 2**62
    shares = functions @ weights.T.astype(np.int64)  # exact: integers below 2^62
    flips = np.array([sum(u != 0 for u in y) for y in points])
    votes = 2 * shares >= whole
    radius_of = {whole: n, 0: n}  # p = 1: phi is constant
    for share in np.unique(shares[:, 0]).tolist():
        p = Fraction(max(share, whole - share), whole)
        if HALF < p < 1:
            radius_of[share] = kl_radius(label_flip(q, classes), p=p, cap=n)
        elif p == HALF:
            radius_of[share] = 0
    radii = np.array([radius_of[share] for share in shares[:, 0].tolist()])
    within = flips[None, :] <= radii[:, None]
    assert not np.any(within & (votes != votes[:, :1]))
    if (n, q) == (4, Fraction(9, 20)):
        assert int((radii > 0).sum()) > 100  # about something


def least_share(q, p, r):
    """Return the least vote after r flips for any phi: X -> [0,1] with vote p: Neyman-Pearson.

    The likelihood ratio mu/rho depends on the number j of noisy flips among the r labels and
    falls in it: fill the classes j = 0, 1, ... until the mu-mass p is used up.
    """
    left, share = p, Fraction(0)
    for j in range(r + 1):
        mu = comb(r, j) * q**j * (1 - q) ** (r - j)
        rho = comb(r, j) * q ** (r - j) * (1 - q) ** j
        part = min(Fraction(1), left / mu)
        left -= part * mu
        share += part * rho
    return share


def rational_sqrt(x):
    top, bottom = isqrt(x.numerator), isqrt(x.denominator)
    return Fraction(top, bottom) if top**2 == x.numerator and bottom**2 == x.denominator else None


def test_the_papers_tie():
    """Q = 3/8, p = 9/10, r = 4: 4p(1-p) = 9/25 = (3/5)^2 and 2 (1-2q) r = 2."""
    assert kl_radius(label_flip("3/8"), p="9/10") == 4
    assert least_share(Fraction(3, 8), Fraction(9, 10), 4) > HALF


def test_at_every_tie_found_the_worst_classifier_keeps_its_vote():
    """For ties in (5) with rational p the least share of any phi, randomised too, exceeds 1/2."""
    ties = 0
    for b in range(3, 90):
        for a in range(1, b // 2 + 1):
            q = Fraction(a, b)
            if q.denominator != b or q >= HALF:
                continue
            for r in range(1, 60):
                power = 2 * (1 - 2 * q) * r
                if power.denominator != 1 or power > 60:
                    continue
                root = rational_sqrt(1 - (q / (1 - q)) ** power.numerator)
                if root is not None:
                    ties += 1
                    p = (1 + root) / 2
                    assert kl_radius(label_flip(q), p=p) == r
                    assert least_share(q, p, r) > HALF
    assert ties >= 5


@pytest.mark.parametrize("q", NOISE, ids=str)
@pytest.mark.parametrize("r", [1, 2, 5, 20])
def test_the_kl_radius_never_exceeds_the_tight_one(q, r):
    """A p at which (5) just gives r: the Neyman-Pearson worst case still exceeds 1/2."""
    low, high = HALF, Fraction(1)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if kl_radius(label_flip(q), p=middle) >= r else (middle, high)
    if high < 1:
        assert kl_radius(label_flip(q), p=high) >= r
        assert least_share(q, high, r) > HALF
