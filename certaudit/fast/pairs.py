"""The Chernoff bound of B.2 for many pairs of classes at once: float64, proven on both sides.

The bins are those of `fast.tail`, sorted once a test point; a pair of classes takes its three sorts
of labels (of the class, of its rival, of any other) from them, so that a pair costs the bins only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from certaudit.fast.elementary import exp_minus, log_normal
from certaudit.fast.tail import GROUP, Bounds, Summary, refined, rough_minimum
from certaudit.noise import LabelFlip

__all__ = ["Pairs", "bracket_pairs", "log_sum", "minimise_pairs"]

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

_HALF = GROUP // 2
_ROUNDING = 2.0**-40
"""Rounding errors, relative to the sizes of what is added; more with classes and groups."""
_UP = 1.0 + 2.0**-20
"""Covers the rounding of the remainder, itself a sum of products of numbers >= 0."""
_SIXTH = 20.0
"""The sixth cumulant of -1, 0 and 1 is at most so many times the second."""
_TOO_WIDE = 0.375
"""Half a group, in units of t alpha, beyond which no bounds are given."""
_TOO_LARGE = 2.0**20
_TOO_SMALL = 2.0**-60
"""Arguments of exp, and tau other than 0, between which the rounding errors are proven."""
_RAREST = 2.0**-900
"""Least q/(classes - 1) for which there are bounds."""


@dataclass(frozen=True)
class Pairs:
    """P pairs of a class and a rival, each of a test point, t > 0 being where the class wins.

    `moments` (P x 3 x G x 6) and `counts` (P x 3) are those of the Summary for the labels of the
    class, of the rival and of the others. `favour`, `against`
    and `still` (3 x 1 each) are the probabilities with which a label of each sort becomes the
    class, the rival, and neither.
    """

    moments: Floats
    counts: Integers
    middle: Floats
    scale: Floats
    used: NDArray[np.bool_]
    classes: int
    rounding: float
    against: Floats
    still: Floats
    favour: Floats

    @classmethod
    def of(
        cls, summary: Summary, noise: LabelFlip, point: Integers, winner: Integers, rival: Integers
    ) -> Pairs:
        """Return the pairs (winner, rival) of test points, classes other than each other.

        Proof: `proofs/binned-pairs.md`.
        """
        classes = noise.classes
        flip, keep = float(noise.q / (classes - 1)), float(1 - noise.q)
        rest = float(noise.q * (classes - 2) / (classes - 1))
        other = float(1 - 2 * noise.q / (classes - 1))
        of_winner, of_rival = summary.moments[point, winner], summary.moments[point, rival]
        others = summary.total[point] - of_winner
        others -= of_rival
        counts = np.stack([summary.counts[winner], summary.counts[rival]], axis=1)
        left = summary.counts.sum() - counts.sum(axis=1, keepdims=True)

        def column(*values: float) -> Floats:
            return np.array(values)[:, None]

        return cls(
            moments=np.stack([of_winner, of_rival, others], axis=1),
            counts=np.hstack([counts, left]),
            middle=summary.middles()[point],
            scale=summary.scale[point],
            used=summary.used[point] & (flip >= _RAREST),
            classes=classes,
            rounding=summary.rounding,
            against=column(flip, keep, flip),
            still=column(rest, rest, other),
            favour=column(keep, flip, flip),
        )


def bracket_pairs(pairs: Pairs, tau: Floats, alpha_error: Floats) -> Bounds:
    """Return lower <= ln B(t) <= upper of B.2 at t = tau scale >= 0, for each pair.

    `tau` (P) has at most 28 bits each, `alpha_error` (P) bounds the l1 distance of the alphas from
    those that were summarised. -inf and inf, or nan, where no bounds are given: tau below 0 or
    beyond 3/128, arguments beyond 2^20, no summary, q/(classes - 1) below 2^-900. Chords make the
    upper bound at most n tau^2 / 8 too large; `lower` is below it by all that may be off.

    Proof: `proofs/binned-pairs.md`.
    """
    middle, moments = pairs.middle, pairs.moments
    argument = tau[:, None, None] * middle
    size = np.abs(argument)
    positive = argument >= 0
    # ln(favour e^-z + still + against e^z), e^|z| taken out.
    e = exp_minus(size)
    large = np.where(positive, pairs.against, pairs.favour)
    small = np.where(positive, pairs.favour, pairs.against) * (e * e)
    middling = pairs.still * e
    total = large + middling
    total += small
    value = log_normal(total)
    value += size
    np.divide(1.0, total, out=total)
    large *= total
    small *= total
    middling *= total
    # Its derivatives in z are cumulants of -1, 0 and 1: by the mean and the mean square.
    square = large + small
    mean = large - small
    np.negative(mean, out=mean, where=np.broadcast_to(~positive, mean.shape))
    variance = square * middling + 4.0 * (large * small)
    mean2 = mean * mean
    third = mean * (1.0 - 3.0 * square + 2.0 * mean2)
    fourth = square - 4.0 * mean2 - 3.0 * square * square + 6.0 * mean2 * (2.0 * square - mean2)
    fifth = 1.0 - 15.0 * square + 20.0 * mean2 + 30.0 * square * square
    fifth += 12.0 * mean2 * (2.0 * mean2 - 5.0 * square)
    fifth *= mean

    def added(weights: Floats, k: int) -> Floats:
        return np.asarray(np.einsum("bcg,bcg->b", weights, moments[..., k]))

    first, second, last = added(mean, 1), added(variance, 2), added(third, 3)
    tau2 = tau * tau
    tau3 = tau2 * tau
    centre = added(value, 0) + tau * first + tau2 / 2 * second + tau3 / 6 * last
    centre += tau2 * tau2 / 24 * added(fourth, 4) + tau3 * tau2 / 120 * added(fifth, 5)

    t, n = pairs.scale * tau, pairs.counts.sum(axis=1).astype(np.float64)
    # In a group the variance grows by a factor exp(2 reach) at most, below 1/(1 - 2 reach).
    reach = _HALF * tau
    growth = 1.0 / (1.0 - 2.0 * np.minimum(reach, _TOO_WIDE))
    remainder = tau3 * tau3 * (_SIXTH * _HALF**2 / 720) * added(variance, 4) * growth
    chords = tau2 / 8 * added(variance, 0) * growth
    largest = size.max(axis=(1, 2))
    groups = 3 * middle.shape[2]
    rounding = _ROUNDING + (pairs.classes + groups) * 2.0**-50
    # What was subtracted may have left moments below 0, by this much.
    spread = np.abs(remainder) + t * alpha_error + tau * (n * pairs.rounding)
    spread += rounding * (n * (2.0 + 2.0 * largest))
    bounded = (reach <= _TOO_WIDE) & (largest < _TOO_LARGE) & ((tau > _TOO_SMALL) | (tau == 0))
    spread = np.where(bounded & pairs.used, spread * _UP, np.inf)

    weight = mean * moments[..., 0] + tau[:, None, None] * variance * moments[..., 1]
    weight += (tau2 / 2)[:, None, None] * third * moments[..., 2]
    slope = np.einsum("bcg,bzg->b", weight, middle) + first + tau * second + tau2 / 2 * last
    curvature = np.einsum("bcg,bcg,bzg->b", variance, moments[..., 0], middle**2)
    return Bounds(
        lower=centre - (spread + np.abs(chords) * _UP),
        upper=centre + spread,
        slope=slope,
        curvature=curvature,
    )


def minimise_pairs(pairs: Pairs, alpha_error: Floats, tolerance: float) -> tuple[Floats, Bounds]:
    """Return tau = t / scale near the minimum of ln B for t >= 0, and the bounds, for each pair.

    A float search: no bound depends on it, any t is sound. tau is 0 where the minimum is at 0.
    `alpha_error` is as in bracket_pairs, `tolerance` as in fast.tail.minimise.

    Proof: `proofs/binned-pairs.md`.
    """
    return refined(_rough(pairs), lambda tau: bracket_pairs(pairs, tau, alpha_error), tolerance)


def _rough(pairs: Pairs) -> Floats:
    """Return tau near the minimum of the bound with each group at its centre of mass."""
    mass = np.maximum(pairs.moments[..., 0], 0.0)
    weighted = pairs.moments[..., 1] + mass * pairs.middle
    middle = np.divide(weighted, mass, out=np.zeros_like(mass), where=mass > 0)
    squared = weighted * middle
    at_zero = np.einsum("bcg,c->b", weighted, (pairs.against - pairs.favour)[:, 0])

    def slopes(tau: Floats) -> tuple[Floats, Floats]:
        argument = tau[:, None, None] * middle
        np.clip(argument, -600.0, 600.0, out=argument)
        e = np.exp(argument)  # a search only
        up = pairs.against * e
        down = pairs.favour / e
        total = up + down
        total += pairs.still
        up /= total
        down /= total
        mean = up - down
        variance = up + down
        variance -= mean * mean
        slope = np.einsum("bcg,bcg->b", weighted, mean)
        return slope, np.einsum("bcg,bcg->b", squared, variance)

    keep, flip = pairs.favour[0, 0], pairs.favour[1, 0]
    # As in fast.tail: seen on real data, within a factor of 2 or so.
    start = abs(np.log(keep / max(flip, _RAREST))) / np.maximum(
        np.abs(middle).max(axis=(1, 2)), 1.0
    )
    with np.errstate(all="ignore"):
        found = rough_minimum(np.maximum(start, 2.0**-30), slopes)
    return np.where((at_zero < 0) & np.isfinite(found), found, 0.0)


def log_sum(values: Floats) -> tuple[Floats, Floats]:
    """Return float64 numbers below and above ln sum_k exp(values[:, k]), row by row.

    Row lengths are below 2^20; nan or inf in a row: no bounds (nan). -inf is no term.

    Proof: `proofs/binned-pairs.md`.
    """
    largest = values.max(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        parts = exp_minus(largest[:, None] - values)
        total = log_normal(np.maximum(parts.sum(axis=1), 1.0)) + largest
        error = 2.0**-43 + (values.shape[1] + np.abs(largest)) * 2.0**-50
        return total - error, total + error
