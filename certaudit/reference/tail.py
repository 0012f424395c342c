"""Equation (6): the Chernoff bound on the vote of the least-squares classifier."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import mpmath
from mpmath import mpf

from certaudit.reference.radius import number

__all__ = ["log_chernoff", "log_chernoff_slope", "optimal_t"]


def log_chernoff(t: mpf, alpha: Sequence[mpf], labels: Sequence[int], q: Fraction) -> mpf:
    """Equation (6): log B(t) = t/2 + sum_i log E[exp(-t alpha_i y_i)], at the signed t.

    t > 0 bounds log P(alpha'y <= 1/2), t < 0 bounds log P(alpha'y >= 1/2).

    Proof: `proofs/chernoff.md`.
    """
    noise, keep = number(q), number(1 - q)
    total = t / 2
    for a, y in zip(alpha, labels, strict=True):
        e = mpmath.exp(-t * a)
        total += mpmath.log(noise + keep * e) if y == 1 else mpmath.log(keep + noise * e)
    return total


def log_chernoff_slope(
    t: mpf, alpha: Sequence[mpf], labels: Sequence[int], q: Fraction
) -> tuple[mpf, mpf]:
    """The first two derivatives of log B at t: 1/2 minus the tilted mean, the tilted variance.

    Proof: `proofs/chernoff.md`.
    """
    slope, curvature = mpf(1) / 2, mpf(0)
    for a, y in zip(alpha, labels, strict=True):
        zero, one = (number(q), number(1 - q)) if y == 1 else (number(1 - q), number(q))
        e = one * mpmath.exp(-t * a)
        share = e / (e + zero)
        slope -= a * share
        curvature += a * a * share * (1 - share)
    return slope, curvature


def optimal_t(alpha: Sequence[mpf], labels: Sequence[int], q: Fraction) -> mpf:
    """Algorithm 1, step 2: t* = argmin log B(t), by Newton's method inside a bracket.

    Plain Newton, as printed, overflows for q <= 0.01 on ordinary data; log B is convex, so that the
    sign of its slope says on which side of t the minimum lies. Where the slope never changes sign
    (a constant vote, or a score that ties with 1/2) the last t tried is returned.

    Proof: `proofs/chernoff.md`.
    """
    low, high, t = -mpmath.inf, mpmath.inf, mpf(0)
    for _ in range(200):
        slope, curvature = log_chernoff_slope(t, alpha, labels, q)
        if slope == 0:
            break
        if slope < 0:
            low = t
        else:
            high = t
        if high - low <= abs(t) * mpf(10) ** -12:
            break
        step = (
            t - slope / curvature if curvature > 0 else (mpmath.inf if slope < 0 else -mpmath.inf)
        )
        if abs(step - t) <= abs(t) * mpf(10) ** -12:
            t = step
            break
        if not low < step < high:
            if mpmath.isinf(low) or mpmath.isinf(high):
                step = 4 * t if t else mpf(1 if slope < 0 else -1)
            else:
                step = (low + high) / 2
        if abs(step) > mpf(10) ** 12:
            break
        t = step
    return t
