"""Whole test sets by proven float bounds: what they decide, and what is left to balls.

A point is decided when every value between a proven lower and upper bound of ln B(t) gives the same
vote and the same radii, and both are close. Nothing else is: it is handed on, with the reason.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

import numpy as np
from threadpoolctl import threadpool_limits

from certaudit.certify.blocks import AlphaBlock, AlphaBlocks, Signs
from certaudit.certify.data import Floats, Labels
from certaudit.certify.least_squares import LeastSquares
from certaudit.fast.radius import Radii
from certaudit.fast.tail import NoiseLogs, minimise, summarise
from certaudit.noise import LabelFlip

__all__ = ["LOOSE", "Screened", "screen"]

LOOSE = 0.01
"""A log_error that may be this far, in nats, above ln B(t) is not kept."""
_BINS = (2048, 8192, 32768)
"""Bins a class: the later numbers for points that those before leave wide."""
_POINTS_A_BIN = 16
"""Training points for each bin of the first number tried, at most: more would leave most wide."""
_NO_MAJORITY = -0.69
"""Above -ln 2: a lower bound beyond it leaves no radius open."""
_NEAR = 2.0**-22
"""Nats above the minimum over t, at most, where the search ends; less for cheap flips."""
_AHEAD = 2
"""Blocks in flight for each thread."""


@dataclass(frozen=True, slots=True)
class Screened:
    """What floats prove of one test point.

    Without `reason` it is decided: `mean_sign` and `unsmoothed` as in Facts; `constant`, or `t`
    with `lower` <= ln B(t) <= `upper`, a `log_error` to be written, and the `radii` that it
    certifies, by guarantee (none: no majority is proven). A `reason` is "failed" (no bound),
    "loose" or "undecided".
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


def screen(
    model: LeastSquares,
    labels: Labels,
    q: Fraction,
    indices: Sequence[int],
    guarantees: Sequence[str],
    *,
    threads: int = 1,
) -> Iterator[Screened]:
    """Yield what floats prove of each test point named, in order (indices rising).

    Raises Undecided where X'X + ridge is not inverted at 2^18 bits.

    Proof: `proofs/certificate.md`.
    """
    tables = {name: Radii(LabelFlip(q), name, len(labels)) for name in guarantees}
    step = min(table.step for table in tables.values())
    near = min(_NEAR, step / 4096)
    work = _Screen(model, labels, q, narrow=min(LOOSE, step / 128), near=near)
    blocks = (list(block) for _, block in groupby(indices, key=lambda i: i // work.step))
    for block, bounds in _in_threads(work, blocks, threads):
        for place, index in enumerate(block.indices):
            yield _decide(index, place, block, bounds, tables, near)


@dataclass(frozen=True)
class _Found:
    t: Floats
    lower: Floats
    upper: Floats
    gap: Floats


class _Screen:
    """The work of one thread: alpha, its summary, t and the bounds of a block of test points."""

    def __init__(
        self, model: LeastSquares, labels: Labels, q: Fraction, *, narrow: float, near: float
    ) -> None:
        self._blocks, self._labels = AlphaBlocks(model, q), labels
        self._noise = NoiseLogs.of(q)
        self._narrow, self._near = narrow, near
        enough = [bins for bins in _BINS if bins * _POINTS_A_BIN >= len(labels)]
        self._bins = enough or list(_BINS[-1:])
        self.step = self._blocks.step
        self._own = threading.local()

    def __call__(self, indices: Sequence[int]) -> tuple[AlphaBlock, _Found]:
        if not hasattr(self._own, "buffer"):
            self._own.buffer = self._blocks.buffer()
        block = self._blocks(indices, self._own.buffer)
        alpha, errors, signs = block.alpha, block.alpha_error, block.mean_sign
        first, *others = self._bins
        found = self._bounds(alpha, errors, signs, first)
        for bins in others:
            width = found.upper - found.lower
            wide = ~((width <= self._narrow) | ((width <= LOOSE) & (found.lower > _NO_MAJORITY)))
            # Bins cannot mend what the error of alpha makes wide.
            with np.errstate(invalid="ignore"):
                fit = (np.abs(found.t) * errors <= self._narrow / 4) & (signs != 0)
            rows = np.flatnonzero(wide & fit)
            if not len(rows):
                break
            finer = self._bounds(alpha[rows], errors[rows], signs[rows], bins)
            for name in ("t", "lower", "upper", "gap"):
                getattr(found, name)[rows] = getattr(finer, name)
        return block, found

    def _bounds(self, alpha: Floats, errors: Floats, signs: Signs, bins: int) -> _Found:
        summary = summarise(alpha, self._labels, 2, bins)
        direction = np.where(signs >= 0, 1.0, -1.0)
        with np.errstate(all="ignore"):
            tau, bounds = minimise(summary, direction, self._noise, errors, self._near)
        # ln B falls at 0, since the mean is not 1/2: alphas that say otherwise are too far off.
        gap = np.where(tau == 0, np.inf, bounds.gap)
        return _Found(tau * summary.scale, bounds.lower, bounds.upper, gap)


_one_at_a_time = threading.Lock()
_limited: list[threadpool_limits] = []
_users = 0


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread: those of its own would wait for each other, and spin meanwhile.

    The limit is the process's, so the first who asks sets it and the last who leaves lifts it.
    """
    global _users  # noqa: PLW0603
    with _one_at_a_time:
        _users += 1
        if _users == 1:
            _limited.append(threadpool_limits(1, user_api="blas"))
    try:
        yield
    finally:
        with _one_at_a_time:
            _users -= 1
            if _users == 0:
                _limited.pop().restore_original_limits()


def _in_threads(
    work: _Screen, blocks: Iterable[list[int]], threads: int
) -> Iterator[tuple[AlphaBlock, _Found]]:
    """Yield work(block) for each block, in order, so many at a time."""
    if threads == 1:
        yield from map(work, blocks)
        return
    waiting: deque[Future[tuple[AlphaBlock, _Found]]] = deque()
    with _one_blas_thread(), ThreadPoolExecutor(threads) as pool:
        try:
            for block in blocks:
                waiting.append(pool.submit(work, block))
                if len(waiting) >= _AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _decide(
    index: int,
    place: int,
    block: AlphaBlock,
    found: _Found,
    tables: dict[str, Radii],
    near: float,
) -> Screened:
    """Decide one point of a block.

    The radii must be the same beyond both bounds: t is near the minimum of a function between the
    bounds, so ln B may fall below `lower` elsewhere, by their distance and what the search missed.
    Another engine, whose search ends as near its minimum, then proves the same radii.
    """
    mean_sign, label_sign = int(block.mean_sign[place]), int(block.label_sign[place])
    reach = int(block.reach_sign[place])
    t, lower, upper = (float(part[place]) for part in (found.t, found.lower, found.upper))
    # One step up: the shortest decimal spelling is then on the safe side too. ln(1 - p) <= 0.
    log_error = min(math.nextafter(upper, math.inf), 0.0) + 0.0
    radii: dict[str, int] = {}
    reason: str | None = None
    if mean_sign == 0 or label_sign == 0 or reach == 0:
        reason = "failed"
    elif reach > 0:
        if not -np.inf < lower <= upper < np.inf:
            reason = "failed"
        elif not upper - lower <= LOOSE:
            reason = "loose"
        elif not found.gap[place] <= near:
            reason = "undecided"
        else:
            least = lower - (upper - lower) - 4 * near
            for name, table in tables.items():
                radius = table.decide(least, max(log_error, upper + 4 * near))
                if radius is None:
                    reason = "undecided"
                elif radius >= 0:
                    radii[name] = radius
    return Screened(
        index, mean_sign, int(label_sign > 0), reach < 0, t, lower, upper, log_error, radii, reason
    )
