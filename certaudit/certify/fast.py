"""Whole test sets by proven float bounds: what they decide, and what is left to balls.

A point is decided when every value between a proven lower and upper bound of ln B(t) gives the same
vote and the same radii, and both are close. Nothing else is: it is handed on, with the reason.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby

import numpy as np

from certaudit.certify.blocks import AlphaBlock, AlphaBlocks
from certaudit.certify.data import Labels
from certaudit.certify.flips import bracket_from_alpha
from certaudit.certify.least_squares import LeastSquares
from certaudit.certify.workers import one_blas_thread, run_in_threads
from certaudit.fast.radius import Radii
from certaudit.fast.tail import NoiseLogs, minimise, summarise
from certaudit.noise import LabelFlip
from certaudit.rigorous.flips import MAX_ENUMERATED, Bracket

__all__ = ["LOOSE", "NEAR", "Screened", "bins_for", "screen"]

LOOSE = 0.01
"""A log_error that may be this far, in nats, above ln B(t) is not kept."""
_BINS = (2048, 8192, 32768)
"""Bins a class: the later numbers for points that those before leave open."""
_POINTS_A_BIN = 16
"""Training points for each bin of the first number tried, at most: more would leave most wide."""
NEAR = 2.0**-22
"""Nats above the minimum over t, at most, where the search ends; less for cheap flips."""


@dataclass(frozen=True, slots=True)
class Screened:
    """What floats prove of one test point.

    Without `reason` it is decided: `mean_sign` and `unsmoothed` as in Facts; `constant`, or `t`
    with `lower` <= ln B(t) <= `upper`, a `log_error` to be written, and the `radii` that it
    certifies, by guarantee (none: no majority is proven), and `exact`, the bracket of the exact
    radius where that was asked for (None: rational alphas are to decide it). A `reason` is
    "failed" (no bound), "loose" or "undecided".
    """

    index: int
    mean_sign: int
    unsmoothed: int
    constant: bool
    t: float
    lower: float
    upper: float
    log_error: float
    radii: dict[str, int]
    reason: str | None
    exact: Bracket | None = None


def screen(
    model: LeastSquares,
    labels: Labels,
    q: Fraction,
    indices: Sequence[int],
    guarantees: Sequence[str],
    *,
    threads: int = 1,
) -> Iterator[Screened]:
    """Yield what floats prove of each test point named, in order.

    `labels` are the n training labels, 0 or 1; `indices` rise; `guarantees` are of "kl", "tight",
    "exact".
    `upper` and `log_error` err upward, `lower` downward, in nats; radii never upward.

    Raises Undecided where X'X + ridge is not inverted at 2^18 bits.

    Proof: `proofs/certificate.md`.
    """
    work = _Screen(model, labels, q, guarantees)
    blocks = (list(block) for _, block in groupby(indices, key=lambda i: i // work.step))
    # Brackets take many small products, for which threads of BLAS mostly wait for each other.
    with one_blas_thread() if "exact" in guarantees else nullcontext():
        for block in run_in_threads(work, blocks, threads):
            yield from block


def bins_for(count: int) -> list[int]:
    """Return the numbers of bins a class that are tried, for so many training points.

    Proof: `proofs/certificate.md`.
    """
    return [bins for bins in _BINS if bins * _POINTS_A_BIN >= count] or list(_BINS[-1:])


@dataclass(frozen=True)
class _Found:
    t: list[float]
    lower: list[float]
    upper: list[float]
    gap: list[float]


class _Screen:
    """The work of one thread: alpha of a block of test points, its bounds, what they decide."""

    def __init__(
        self, model: LeastSquares, labels: Labels, q: Fraction, guarantees: Sequence[str]
    ) -> None:
        self._blocks, self._labels = AlphaBlocks(model, q), labels
        self._noise = NoiseLogs.of(q)
        bounds = [name for name in guarantees if name != "exact"]
        self._tables = {name: Radii(LabelFlip(q), name, len(labels)) for name in bounds}
        self._q, self._exact = q, "exact" in guarantees and len(labels) > MAX_ENUMERATED
        step = min(table.step for table in self._tables.values())
        self._near = min(NEAR, step / 4096)
        self._bins = bins_for(len(labels))
        self.step = self._blocks.step
        self._own = threading.local()

    def __call__(self, indices: Sequence[int]) -> list[Screened]:
        if not hasattr(self._own, "buffer"):
            self._own.buffer = self._blocks.buffer()
        block = self._blocks(indices, self._own.buffer)

        def decide(row: int, place: int, found: _Found) -> Screened:
            return _decide(row, place, block, found, self._tables, self._near)

        first, *others = self._bins
        found = self._bounds(block, range(len(indices)), first)
        screened = [decide(row, row, found) for row in range(len(indices))]
        for bins in others:
            rows = [
                row for row, point in enumerate(screened) if self._may_be_mended(block, row, point)
            ]
            if not rows:
                break
            found = self._bounds(block, rows, bins)
            for place, row in enumerate(rows):
                screened[row] = decide(row, place, found)
        if self._exact:
            return [self._bracketed(block, row, point) for row, point in enumerate(screened)]
        return screened

    def _bracketed(self, block: AlphaBlock, row: int, point: Screened) -> Screened:
        """Return a decided point with the bracket of its exact radius."""
        if point.reason is not None or point.constant:
            return point
        error = Fraction(float(block.alpha_error[row]))
        prediction = int(point.mean_sign >= 0)
        found = bracket_from_alpha(block.alpha[row], error, self._labels, self._q, prediction)
        return replace(point, exact=found)

    def _may_be_mended(self, block: AlphaBlock, row: int, point: Screened) -> bool:
        """Return whether finer bins may decide a point: not where alpha or a sign is open."""
        signs = (block.mean_sign[row], block.label_sign[row], block.reach_sign[row])
        if point.reason is None or 0 in signs:
            return False
        return bool(abs(point.t) * block.alpha_error[row] <= LOOSE / 4)

    def _bounds(self, block: AlphaBlock, rows: Sequence[int], bins: int) -> _Found:
        everyone = len(rows) == len(block.alpha)
        alpha = block.alpha if everyone else block.alpha[rows]
        chosen = list(rows)
        summary = summarise(alpha, self._labels, 2, bins)
        direction = np.where(block.mean_sign[chosen] >= 0, 1.0, -1.0)
        with np.errstate(all="ignore"):
            tau, bounds = minimise(
                summary, direction, self._noise, block.alpha_error[chosen], self._near
            )
        # ln B falls at 0, since the mean is not 1/2: alphas that say otherwise are too far off.
        gap = np.where(tau == 0, np.inf, bounds.gap)
        parts = (tau * summary.scale, bounds.lower, bounds.upper, gap)
        return _Found(*(part.tolist() for part in parts))


def _decide(
    row: int,
    place: int,
    block: AlphaBlock,
    found: _Found,
    tables: dict[str, Radii],
    near: float,
) -> Screened:
    """Decide the point in a row of a block, by the bounds found at a place.

    The radii must be the same beyond both bounds: t is near the minimum of a function between the
    bounds, so ln B may fall below `lower` elsewhere, by their distance and what the search missed.
    Another engine, whose search ends as near its minimum, then proves the same radii.
    """
    mean_sign, label_sign = int(block.mean_sign[row]), int(block.label_sign[row])
    reach = int(block.reach_sign[row])
    t, lower, upper = found.t[place], found.lower[place], found.upper[place]
    # One step up: the shortest decimal spelling is then on the safe side too. ln(1 - p) <= 0.
    log_error = min(math.nextafter(upper, math.inf), 0.0) + 0.0
    radii: dict[str, int] = {}
    reason: str | None = None
    if mean_sign == 0 or label_sign == 0 or reach == 0:
        reason = "failed"
    elif reach > 0:
        if not -math.inf < lower <= upper < math.inf:
            reason = "failed"
        elif not upper - lower <= LOOSE:
            reason = "loose"
        elif not found.gap[place] <= near:
            reason = "undecided"
        else:
            least = lower - (upper - lower) - 4 * near
            most = max(log_error, upper + 4 * near)
            for name, table in tables.items():
                radius = table.decide(least, most)
                if radius is None:
                    reason = "undecided"
                elif radius >= 0:
                    radii[name] = radius
    return Screened(
        block.indices[row],
        mean_sign,
        int(label_sign > 0),
        reach < 0,
        t,
        lower,
        upper,
        log_error,
        radii,
        reason,
    )
