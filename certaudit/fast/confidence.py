"""Binomial tails for whole logs: a mass in balls decides most rows, a float64 sum the others.

Every answer is proven: the first mass is a ball, and the error of the sum of ratios in IEEE
arithmetic is bounded. What stays open goes to `certaudit.rigorous.confidence`.
"""

from __future__ import annotations

import math

import numpy as np
from flint import arb

from certaudit.rigorous import confidence as rigorous
from certaudit.rigorous.balls import from_ball, to_ball, working_precision
from certaudit.rigorous.confidence import Sampled, Share

__all__ = ["proves", "quick_sign", "series_bounds", "tail_sign"]

_BITS = 96
_BLOCK = 1 << 10
_LONGEST = 1 << 18
"""Sums of more terms are left to balls: only a mean beside `count` of 10^8 samples needs them."""
_UNIT = 2.0**-53
_LEFT = 2.0**-64
"""The sum ends when its last term is that small a part of it."""


def tail_sign(claim: Sampled, share: Share) -> int:
    """Return the sign of P(Bin(samples, share) >= count) - failure_prob, as the rigorous engine's.

    Raises InputError and Undecided as that does.

    Proof: `proofs/fast-tail.md`.
    """
    sign = quick_sign(claim, share)
    return rigorous.tail_sign(claim, share) if sign is None else sign


def proves(claim: Sampled, share: Share) -> bool:
    """Return whether votes prove a share above `share`; as the rigorous engine's.

    Raises InputError and Undecided as that does.

    Proof: `proofs/fast-tail.md`.
    """
    return tail_sign(claim, share) <= 0


def quick_sign(claim: Sampled, share: Share) -> int | None:
    """Return the sign of the tail less failure_prob where it is proven quickly, else None.

    Proof: `proofs/fast-tail.md`.
    """
    found = rigorous.share_balls(claim, share, _BITS)
    if found is None:
        return None
    k, n = claim.count, claim.samples
    with working_precision(_BITS + 2 * n.bit_length()):
        chance = to_ball(claim.failure_prob)
        part, rest = found
        if k >= n * part.mid():
            return _edge_sign(k, n, part, rest, chance)
        # P(>= k) = 1 - P(Bin(n, rest) >= n - k + 1)
        sign = _edge_sign(n - k + 1, n, rest, part, 1 - chance)
        return None if sign is None else -sign


def _edge_sign(k: int, n: int, share: arb, rest: arb, chance: arb) -> int | None:
    """Return the sign of P(Bin(n, share) >= k) - chance if it is proven; k not below the mean."""
    mass = rigorous.mass(k, n, share, rest)
    if mass > chance:
        return 1
    odds = share / rest
    ratio = (n - k) * odds / (k + 1)
    if ratio < 1 and mass / (1 - ratio) < chance:
        return -1
    bounds = series_bounds(k, n, odds)
    if bounds is None:
        return None
    low, high = bounds
    if mass * low > chance:
        return 1
    if mass * high < chance:
        return -1
    return None


def series_bounds(count: int, samples: int, odds: arb) -> tuple[float, float] | None:
    """Return float64 bounds of the sum of P(= j)/P(= count) over j >= count; None where it is long.

    `odds` is share/(1 - share). The relative width is below (16 n + 160) 2^-53 for n terms summed.
    Where the terms grow beyond float64 (count far below the mean) it is None as well.

    Proof: `proofs/fast-tail.md`.
    """
    if not arb(2) ** -600 < odds < arb(2) ** 600:
        return None  # as a rational it would have as many digits
    enclosure = from_ball(odds)
    if enclosure.mid <= 0 or enclosure.rad > enclosure.mid / (1 << 60):
        return None
    nearest = enclosure.mid.numerator / enclosure.mid.denominator  # correctly rounded
    total, last, j = 1.0, 1.0, count
    while j < samples:
        if j - count > _LONGEST:
            return None
        steps = np.arange(j, min(j + _BLOCK, samples), dtype=np.float64)
        with np.errstate(over="ignore"):
            terms = last * np.multiply.accumulate((samples - steps) * nearest / (steps + 1.0))
            total += float(terms.sum())
        if not math.isfinite(total):
            return None
        last = float(terms[-1])
        j += len(steps)
        ratio = (samples - j) * nearest / (j + 1)
        if last <= _LEFT * total and ratio < 0.999:
            total_above = total + last * ratio / (1 - ratio)
            break
    else:
        total_above = total
    slack = (8 * (j - count) + 64) * _UNIT
    return total * (1 - slack), total_above * (1 + slack)
