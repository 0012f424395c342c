"""Equation (2): F and F^-1 by the likelihood-ratio regions, and Lee et al.'s counting.

Everything in Fraction; `alpha` and `values` = K + 1 as in example 2 (label noise: alpha = 1 - q,
values = classes).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import comb

import mpmath
from mpmath import mpf

from certaudit.reference.radius import number

__all__ = [
    "brute_force_regions",
    "certified_radius",
    "counted_regions",
    "least_rho",
    "ratio_regions",
    "sparse_regions",
    "threshold",
    "tight_radius_from_log_error",
    "two_value_regions",
]

HALF = Fraction(1, 2)
Regions = list[tuple[Fraction, Fraction]]
"""Regions of constant likelihood ratio mu/rho: their masses under mu and under rho."""


def ratio_regions(alpha: Fraction, values: int, r: int) -> Regions:
    """The regions of example 2 for inputs that differ in r coordinates; only those matter.

    Coordinate by coordinate: the noisy value is that of the first input (alpha under mu, beta
    under rho), that of the second (beta, alpha), or another (the same under both). The ratio is
    (alpha/beta)^s, s the number of the first kind less the number of the second.

    Proof: `proofs/tight-threshold.md`.
    """
    beta = (1 - alpha) / (values - 1)
    other = 1 - alpha - beta
    mu, rho = {0: Fraction(1)}, {0: Fraction(1)}
    for _ in range(r):
        mu = _one_more(mu, alpha, other, beta)
        rho = _one_more(rho, beta, other, alpha)
    return [(mu[s], rho[s]) for s in mu]


def _one_more(
    law: dict[int, Fraction], up: Fraction, stay: Fraction, down: Fraction
) -> dict[int, Fraction]:
    result = dict.fromkeys(range(min(law) - 1, max(law) + 2), Fraction(0))
    for s, mass in law.items():
        result[s + 1] += up * mass
        result[s] += stay * mass
        result[s - 1] += down * mass
    return result


def two_value_regions(alpha: Fraction, r: int) -> Regions:
    """The regions for two values: how many of the r coordinates noise changes, (r choose j).

    Proof: `proofs/tight-threshold.md`.
    """
    return [
        (
            comb(r, j) * alpha ** (r - j) * (1 - alpha) ** j,
            comb(r, j) * alpha**j * (1 - alpha) ** (r - j),
        )
        for j in range(r + 1)
    ]


def counted_regions(alpha: Fraction, values: int, r: int, d: int) -> Regions:
    """Lee et al.'s regions: points of {0..K}^d by their distances (u, v) from both inputs.

    The inputs differ in r of the d coordinates. A point at distances u and v has mass
    alpha^(d-u) beta^u under mu and alpha^(d-v) beta^v under rho; there are as many of them as ways
    to agree with the first input in a of the r coordinates, with the second in b, with neither in
    the others, and to differ from both in c of the d - r coordinates where the inputs agree.

    Proof: `proofs/tight-threshold.md`.
    """
    beta = (1 - alpha) / (values - 1)
    counts: dict[tuple[int, int], int] = {}
    for a in range(r + 1):
        for b in range(r - a + 1):
            neither = r - a - b
            for c in range(d - r + 1):
                ways = comb(r, a) * comb(r - a, b) * (values - 2) ** neither
                ways *= comb(d - r, c) * (values - 1) ** c
                place = (r - a + c, r - b + c)
                counts[place] = counts.get(place, 0) + ways
    return [
        (n * alpha ** (d - u) * beta**u, n * alpha ** (d - v) * beta**v)
        for (u, v), n in counts.items()
    ]


def brute_force_regions(alpha: Fraction, values: int, r: int, d: int) -> Regions:
    """Every point of {0..K}^d as a region of its own; inputs 0...0 and 1...1 0...0.

    Proof: `proofs/tight-threshold.md`.
    """
    beta = (1 - alpha) / (values - 1)
    regions = []
    for point in product(range(values), repeat=d):
        mu = rho = Fraction(1)
        for i, value in enumerate(point):
            mu *= alpha if value == 0 else beta
            rho *= alpha if value == (1 if i < r else 0) else beta
        regions.append((mu, rho))
    return regions


def sparse_regions(p_plus: Fraction, p_minus: Fraction, added: int, deleted: int) -> Regions:
    """Every noisy value of the coordinates in which two inputs of Bojchevski et al. differ.

    Under mu the first `added` are 0 and the others 1, under rho the other way round; noise turns
    0 into 1 with probability p_plus, 1 into 0 with p_minus.

    Proof: `proofs/sparse-threshold.md`.
    """
    one = {0: p_plus, 1: 1 - p_minus}  # P(noisy value 1 | value)
    regions = []
    for point in product((0, 1), repeat=added + deleted):
        mu = rho = Fraction(1)
        for i, noisy in enumerate(point):
            value = 0 if i < added else 1
            mu *= one[value] if noisy else 1 - one[value]
            rho *= one[1 - value] if noisy else 1 - one[1 - value]
        regions.append((mu, rho))
    return regions


def least_rho(regions: Regions, p: Fraction) -> Fraction:
    """The least rho-mass of a phi: X -> [0, 1] with mu-mass p: Neyman and Pearson.

    The regions with the largest mu/rho first, the last one in part.

    Proof: `proofs/tight-threshold.md`.
    """
    left, least = p, Fraction(0)
    for mu, rho in _favourable_first(regions):
        part = min(left, mu)
        left -= part
        least += rho * part / mu
    return least


def threshold(regions: Regions) -> Fraction | None:
    """F^-1(r) of (2): the smallest p for which least_rho is at least 1/2; None if p = 1 is not.

    Proof: `proofs/tight-threshold.md`.
    """
    spent, reached = Fraction(0), Fraction(0)
    for mu, rho in _favourable_first(regions):
        if reached + rho >= HALF:
            return spent + mu * (HALF - reached) / rho
        spent += mu
        reached += rho
    return None


def certified_radius(p: Fraction, alpha: Fraction, values: int, limit: int) -> int:
    """F of (2) at p > 1/2: the largest r <= limit with F^-1(r) <= p; 0 for p <= 1/2.

    Strictly below p for three values or more, where (2) fails at equality (`docs/errata.md`).

    Proof: `proofs/tight-radius.md`.
    """
    best = 0
    for r in range(limit + 1):
        least = threshold(ratio_regions(alpha, values, r))
        enough = least is not None and (least < p or (least == p and values == 2))
        if p > HALF and enough:
            best = r
    return best


def tight_radius_from_log_error(log_error: mpf, q: Fraction, limit: int) -> int:
    """F of (2) for two labels at p = 1 - exp(log_error), at most `limit`.

    Thresholds in Fraction, compared with exp(log_error) at the current precision.

    Proof: `proofs/tight-radius.md`.
    """
    if log_error >= -mpmath.log(2):
        return 0
    error = mpmath.exp(log_error)

    def holds(r: int) -> bool:
        least = threshold(two_value_regions(1 - q, r))
        return least is not None and number(1 - least) >= error

    low, high = 0, 1
    while high <= limit and holds(high):
        low, high = high, 2 * high
    high = min(high, limit + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _favourable_first(regions: Regions) -> Iterator[tuple[Fraction, Fraction]]:
    """Regions with mu-mass by falling mu/rho, that is by rising rho/mu."""
    possible = [(mu, rho) for mu, rho in regions if mu]
    return iter(sorted(possible, key=lambda region: region[1] / region[0]))
