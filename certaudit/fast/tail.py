"""The Chernoff bound (6) for many test points at once: float64, with proven bounds on both sides.

One pass over alpha sorts it into bins: how many, and their sum. Every summand of ln B(t) is
convex in alpha, so that inside a bin its chord is above it; the chords of 32 bins together are a
polynomial in t and a few numbers that were summed once. Any t and q then cost only the bins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from certaudit.exact import round_up
from certaudit.fast.elementary import exp_minus, log1p_unit
from certaudit.rigorous.balls import to_ball, upper_bound, working_precision

__all__ = [
    "Bounds",
    "NoiseLogs",
    "Summary",
    "bracket",
    "minimise",
    "refined",
    "rough_minimum",
    "summarise",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

GROUP = 32
"""Bins in a group: ln B is expanded around the middle of each."""
_ORDER = 5
"""Degree of the expansion."""
_HALF = GROUP // 2
_ROWS = 16
"""Test points that are sorted at once: few for the cache, many for threads that take turns."""
_MOST_CELLS = 1 << 15
"""Cells of all these points together: few for the cache; many classes have many."""
_CHUNK_BITS = 14
"""2^14 training points are sorted at once, few for the cache, or as many as there are bins."""
_MOST = 1 << 26
"""Training points below which the sums of all chunks are exact."""
_MOST_STEPS = 40
_CLOSE = 2.0**-7
"""Relative step at which the rough search for tau ends, before Newton's steps with all terms."""
_REFINEMENTS = 6
_TAU_BITS = 28
_ROUNDING = 2.0**-43
"""Rounding errors, relative to the sizes of what is added; more with the number of groups."""
_UP = 1.0 + 2.0**-20
"""Covers the rounding of the remainder, itself a sum of products of numbers >= 0."""
_TOO_WIDE = 0.75
"""Half a group, in units of ln odds, beyond which no bounds are given."""
_TOO_LARGE = 2.0**20
_TOO_SMALL = 2.0**-60
"""Arguments of exp, and |tau| other than 0, between which the rounding errors are proven."""
_SMALLEST, _LARGEST = 2.0**-900, 2.0**900
"""Sizes of the largest alpha of a point between which nothing overflows or is flushed to zero."""


@dataclass(frozen=True)
class NoiseLogs:
    """What the bounds need of q: ln q, ln(1-q), ln((1-q)/q).

    Each is off by less than 2^-51 of itself and 2^-100, together.
    """

    log_flip: float
    log_keep: float
    logit: float

    @classmethod
    def of(cls, q: Fraction) -> NoiseLogs:
        """Return the logarithms of a noise 0 < q < 1/2.

        Proof: `proofs/binned-tail.md`.
        """
        with working_precision(128):
            flip, keep = to_ball(q).log(), to_ball(1 - q).log()
            return cls(*(round_up(upper_bound(ball)) for ball in (flip, keep, keep - flip)))


@dataclass(frozen=True)
class Summary:
    """The alphas of B test points, sorted into bins, by label (class) of the training points.

    Bins of point b are 1/scale[b] wide and start at first[b]/scale[b], first <= 0: zero is an edge.
    `moments[b, c, g, k]` is the k-th moment, around the middle of group g, in bins, of the masses
    that the chords put on the edges. `rounding` is by how much of a bin a position was rounded;
    `used` says which points have a summary (not those whose alphas are all 0, out of range or nan).
    """

    scale: Floats
    first: Floats
    moments: Floats
    counts: Integers
    rounding: float
    used: NDArray[np.bool_]

    @cached_property
    def total(self) -> Floats:
        """The moments of all classes together: B x G x 6."""
        return np.asarray(self.moments.sum(axis=1))

    def middles(self) -> Floats:
        """Return the positions of the middles of the groups, in bins from zero: B x 1 x G."""
        groups = np.arange(self.moments.shape[2]) * GROUP + float(_HALF)
        return (self.first[:, None] + groups)[:, None, :]


def _chords() -> Floats:
    """Return the 2 GROUP x (ORDER + 1) matrix from counts and sums of bins to moments."""
    left = np.arange(GROUP)[:, None] - _HALF
    powers = np.arange(_ORDER + 1)
    return np.vstack([left**powers, (left + 1) ** powers - left**powers]).astype(np.float64)


_CHORDS = _chords()


def summarise(alpha: Floats, labels: Integers, classes: int, bins: int) -> Summary:
    """Return the Summary of a block of alpha (B x n), labels 0..classes-1, `bins` bins a class.

    n is below 2^26, `bins` a multiple of GROUP. Positions are off by at most `rounding` bins; the
    numbers and sums of them are exact.

    Proof: `proofs/binned-tail.md`.
    """
    points, n = alpha.shape
    cells = classes * bins
    chunk, bits = _layout(cells, n)
    base = 2.0 ** (52 - bits)
    base_cell = int(np.float64(base).view(np.int64)) >> bits
    shifts = labels * float(bins)
    edges = np.arange(cells, dtype=np.float64)
    moments = np.empty((points, cells // GROUP, _ORDER + 1))
    scale, first = np.ones(points), np.zeros(points)
    used = np.zeros(points, dtype=np.bool_)
    height = min(points, _ROWS, max(1, _MOST_CELLS // cells))
    # Used again and again: new arrays of this size cost more than what is done with them.
    place = np.empty(height * min(n, chunk))
    cell = np.empty(len(place), dtype=np.int64)
    all_counts, all_sums, all_parts = (np.empty((height, cells)) for _ in range(3))
    for top in range(0, points, height):
        rows = slice(top, min(top + height, points))
        block = alpha[rows]
        scale[rows], first[rows], used[rows] = _grid(block, bins)
        used[rows] &= n < _MOST
        if not used[rows].all():
            block = np.where(used[rows, None], block, 0.0)
        own = base_cell - cells * np.arange(len(block), dtype=np.int64)[:, None]
        counts, sums, offsets = (part[: len(block)] for part in (all_counts, all_sums, all_parts))
        counts.fill(0.0)
        sums.fill(0.0)
        for start in range(0, n, chunk):
            part = block[:, start : start + chunk]
            position = place[: part.size].reshape(part.shape)
            number = cell[: part.size].reshape(part.shape)
            np.multiply(part, scale[rows, None], out=position)
            # The mantissa becomes a fixed-point number: the bin above, the place in it below.
            position += (base - first[rows])[:, None]
            position += shifts[start : start + chunk]
            np.right_shift(position.view(np.int64), bits, out=number)
            number -= own
            position -= base
            numbers, places = cell[: part.size], place[: part.size]
            count = np.bincount(numbers, minlength=counts.size).reshape(counts.shape)
            total = np.bincount(numbers, places, minlength=counts.size).reshape(counts.shape)
            counts += count
            np.multiply(count, edges, out=offsets)
            np.subtract(total, offsets, out=offsets)
            sums += offsets
        # A product for each row: BLAS may round otherwise in one of another shape, and what is
        # proven of a point would depend on its company.
        grouped = (len(block), -1, GROUP)
        np.matmul(counts.reshape(grouped), _CHORDS[:GROUP], out=moments[rows])
        moments[rows] += sums.reshape(grouped) @ _CHORDS[GROUP:]
    shape = (points, classes, bins // GROUP, _ORDER + 1)
    per_class = np.bincount(labels, minlength=classes)
    return Summary(scale, first, moments.reshape(shape), per_class, 2.0**-bits, used)


def _layout(cells: int, n: int) -> tuple[int, int]:
    """Return how many of n points are sorted into cells at once, and the bits of a place in one.

    The sums of a chunk have 53 bits at most, those of 2^26 points too.
    """
    cell_bits = (cells - 1).bit_length()
    chunk_bits = max(_CHUNK_BITS, cell_bits)
    # Many classes have more cells than there are points: no more than these are added.
    held_bits = min(chunk_bits, n.bit_length())
    return 1 << chunk_bits, min(27, 53 - held_bits - cell_bits)


def _grid(alpha: Floats, bins: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return scales, first edges, and for which rows there are any (1 and 0 for the others).

    Scales have 4 bits: products of tau, of 28 bits, and a scale are exact.
    """
    low = np.minimum(alpha.min(axis=1), 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        span = np.maximum(alpha.max(axis=1), 0.0) - low
    used = (span > _SMALLEST) & (span < _LARGEST)
    mantissa, exponent = np.frexp((bins - 2) / np.where(used, span, 1.0))
    scale = np.ldexp(np.floor(mantissa * 16.0) / 16.0, exponent)
    return scale, np.floor(np.where(used, low, 0.0) * scale), used


@dataclass(frozen=True)
class Bounds:
    """Proven bounds of ln B(t) for each of B points.

    `slope` and `curvature` are derivatives with respect to tau, `gap` is about how far ln B(t) is
    above its minimum: none of these is proven.
    """

    lower: Floats
    upper: Floats
    slope: Floats
    curvature: Floats

    @property
    def gap(self) -> Floats:
        """Return half the squared Newton decrement, 0 where the slope is."""
        with np.errstate(all="ignore"):
            return np.where(self.slope == 0, 0.0, self.slope**2 / (2 * self.curvature))


def bracket(summary: Summary, tau: Floats, noise: NoiseLogs, alpha_error: Floats) -> Bounds:
    """Return lower <= ln B(t) <= upper at t = tau scale, for labels 0 (class 0) and 1 (class 1).

    `tau` (B) has at most 28 bits a point, `alpha_error` (B) bounds the l1 distance of the alphas
    from those that were summarised. -inf and inf, or nan, where no bounds are given: |tau| beyond
    3/64, arguments beyond 2^20, no summary. Chords make the upper bound at most n tau^2 / 32 too
    large; `lower` is below it by all that may be off.

    Proof: `proofs/binned-tail.md`.
    """
    middle = summary.middles()
    size = np.abs(tau)
    logits = np.array([-noise.logit, noise.logit])[:, None]
    argument = logits - tau[:, None, None] * middle
    e = exp_minus(np.abs(argument))
    one = 1.0 / (1.0 + e)
    # S(z) = ln(1 + e^z), and its derivatives: in p = S'(z) and v = p (1 - p) all are polynomials.
    value = np.maximum(argument, 0.0) + log1p_unit(e)
    share = np.where(argument >= 0, one, e * one)
    variance = e * one * one
    third = variance * (1.0 - 2.0 * share)
    fourth = variance * (1.0 - 6.0 * variance)
    fifth = third * (1.0 - 12.0 * variance)
    moments = summary.moments

    def total(weights: Floats, k: int) -> Floats:
        return np.asarray(np.einsum("bcg,bcg->b", weights, moments[..., k]))

    first, second = total(share, 1), total(variance, 2)
    zeros, ones = summary.counts.tolist()
    centre = summary.scale * tau / 2 + (zeros * noise.log_keep + ones * noise.log_flip)
    square = tau * tau
    cube = square * tau
    centre += total(value, 0) - tau * first + square / 2 * second
    centre += square * square / 24 * total(fourth, 4) - cube / 6 * total(third, 3)
    centre -= cube * square / 120 * total(fifth, 5)

    t, n = summary.scale * size, float(zeros + ones)
    # In a group, v grows by a factor exp(reach) at most, which is below 1/(1 - reach).
    reach = _HALF * size
    growth = 1.0 / (1.0 - np.minimum(reach, _TOO_WIDE))
    remainder = cube * cube * (_HALF**2 / 720) * total(variance, 4) * growth
    chords = square / 8 * total(variance, 0) * growth
    largest = size * np.abs(middle).max(axis=(1, 2)) + noise.logit
    terms = 2.0 + 2.0 * largest
    rounding = _ROUNDING + middle.size / len(tau) * len(logits) * 2.0**-51
    spread = remainder + t * alpha_error + size * (n * summary.rounding)
    spread += rounding * (n * terms + t)
    bounded = (reach <= _TOO_WIDE) & (largest < _TOO_LARGE) & ((size > _TOO_SMALL) | (size == 0))
    spread = np.where(bounded & summary.used, spread * _UP, np.inf)

    weight = share * moments[..., 0] - tau[:, None, None] * variance * moments[..., 1]
    weight += (square / 2)[:, None, None] * third * moments[..., 2]
    slope = summary.scale / 2 - np.einsum("bcg,bzg->b", weight, middle)
    slope -= first - tau * second + square / 2 * total(third, 3)
    curvature = np.einsum("bcg,bcg,bzg->b", variance, moments[..., 0], middle**2)
    return Bounds(
        lower=centre - (spread + chords * _UP),
        upper=centre + spread,
        slope=slope,
        curvature=curvature,
    )


def minimise(
    summary: Summary,
    direction: Floats,
    noise: NoiseLogs,
    alpha_error: Floats,
    tolerance: float = 2.0**-32,
) -> tuple[Floats, Bounds]:
    """Return tau = t / scale near the minimum of ln B on the side of `direction`, and the bounds.

    A float search: no bound depends on it, any t is sound. tau is 0 where the minimum is at 0.
    `direction` is +1 or -1 for each point, `alpha_error` as in bracket; the search ends when ln B
    is thought to be within `tolerance` nats of its minimum, or after a few steps.

    Proof: `proofs/binned-tail.md`.
    """

    def bounded(tau: Floats) -> Bounds:
        return bracket(summary, tau, noise, alpha_error)

    return refined(direction * _rough(summary, direction, noise), bounded, tolerance)


def refined(
    rough: Floats, bounded: Callable[[Floats], Bounds], tolerance: float
) -> tuple[Floats, Bounds]:
    """Return tau of 28 bits nearer the minimum than `rough`, by its bounds, and these.

    Ends when ln B is thought to be within `tolerance` of its minimum, or after a few steps.

    Proof: `proofs/binned-tail.md`.
    """
    tau = _short(rough)
    bounds = bounded(tau)
    for _ in range(_REFINEMENTS):
        far = ~(bounds.gap <= tolerance)
        if not far.any():
            break
        # Newton's step, kept on its side and within what it can be trusted for.
        with np.errstate(all="ignore"):
            factor = np.clip(1.0 - bounds.slope / (bounds.curvature * tau), 0.5, 2.0)
        tau = np.where(far & np.isfinite(factor), _short(tau * factor), tau)
        bounds = bounded(tau)
    return tau, bounds


def _rough(summary: Summary, direction: Floats, noise: NoiseLogs) -> Floats:
    """Return |tau| near the minimum of the bound with each group at its centre of mass."""
    mass = summary.moments[..., 0]
    weighted = summary.moments[..., 1] + mass * summary.middles()
    weighted *= direction[:, None, None]
    middle = np.divide(weighted, mass, out=np.zeros_like(mass), where=mass > 0)
    squared = weighted * middle
    logits = np.array([-noise.logit, noise.logit])[:, None]
    half = direction * summary.scale / 2
    # A start: seen on real data, within a factor of 2 or so.
    size = 2 * noise.logit / np.maximum(np.abs(middle).max(axis=(1, 2)), 1.0)
    at_zero = half - np.einsum("bcg,c->b", weighted, 1.0 / (1.0 + np.exp(-logits[:, 0])))

    def slopes(size: Floats) -> tuple[Floats, Floats]:
        with np.errstate(over="ignore"):
            share = np.exp(size[:, None, None] * middle - logits)
        share += 1.0
        np.reciprocal(share, out=share)
        slope = half - np.einsum("bcg,bcg->b", weighted, share)
        return slope, np.einsum("bcg,bcg,bcg->b", squared, share, 1.0 - share)

    return np.where(at_zero < 0, rough_minimum(size, slopes), 0.0)


def rough_minimum(size: Floats, slopes: Callable[[Floats], tuple[Floats, Floats]]) -> Floats:
    """Return roughly where convex functions of a number > 0 are least, from their derivatives.

    `size` is where the search starts; it proves nothing.

    Proof: `proofs/binned-tail.md`.
    """
    low, high = np.zeros_like(size), np.full_like(size, np.inf)
    moving = np.ones(len(size), dtype=np.bool_)
    for _ in range(_MOST_STEPS):
        slope, curvature = slopes(size)
        low = np.where(slope < 0, size, low)
        high = np.where(slope >= 0, size, high)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = size - slope / curvature
        # False for nan: where floats end.
        inside = (step >= low) & (step <= high)
        step = np.where(inside, step, np.minimum((low + high) / 2, 4 * size))
        # Each point for itself: it stops where it has arrived, whatever the others do.
        size, before = np.where(moving, step, size), size
        moving &= ~(np.abs(size - before) <= _CLOSE * before)
        if not moving.any():
            break
    return size


def _short(tau: Floats) -> Floats:
    """Return numbers rounded to 28 bits: products with scales and middles are then exact."""
    mantissa, exponent = np.frexp(tau)
    return np.asarray(np.ldexp(np.rint(np.ldexp(mantissa, _TAU_BITS)), exponent - _TAU_BITS))
