"""Votes of many classes by proven float bounds: what they decide, and what is left to balls.

Alphas are sorted once a test point; from then on a pair of classes costs the bins only. A rival
whose bound is far below the largest at the t of another keeps that t: it cannot change the vote.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from certaudit.certify.blocks import AlphaBlock, AlphaBlocks
from certaudit.certify.data import Floats, Labels
from certaudit.certify.fast import LOOSE, NEAR, bins_for
from certaudit.certify.least_squares import LeastSquares
from certaudit.certify.workers import run_in_threads
from certaudit.fast.pairs import Pairs, bracket_pairs, log_sum, minimise_pairs
from certaudit.fast.radius import Radii
from certaudit.fast.tail import Summary, summarise
from certaudit.noise import LabelFlip

__all__ = ["FAR", "ScreenedVote", "screen_votes"]

FAR = 32.0
"""Nats below the largest bound at which another is not searched for: e^-32 of it in a sum."""
_AT_ONCE = 256
"""Pairs that are bounded at once: few for the cache."""


@dataclass(frozen=True, slots=True)
class ScreenedVote:
    """What floats prove of one test point.

    Without `reason` it is decided: `winner` has the largest mean score; `t` and `log_error` (one a
    rival, the other classes, ascending) are to be written, `total` is what they come to for the
    vote, and `radii` what that certifies, by guarantee (none: no majority is proven). A `reason`
    is "failed" (no bound), "loose" or "undecided".
    """

    index: int
    winner: int
    t: tuple[float, ...]
    log_error: tuple[float, ...]
    total: float
    radii: dict[str, int]
    reason: str | None


def screen_votes(
    model: LeastSquares,
    labels: Labels,
    noise: LabelFlip,
    vote: str,
    indices: Sequence[int],
    guarantees: Sequence[str],
    *,
    threads: int = 1,
) -> Iterator[ScreenedVote]:
    """Yield what floats prove of each test point named, in order.

    `labels` are the n training labels, 0..classes-1; `vote` is "pairwise" or "plurality"; `indices`
    rise; `guarantees` are of "kl", "tight". Log errors err upward, in nats; radii never upward.

    Raises Undecided where X'X + ridge is not inverted at 2^18 bits.

    Proof: `proofs/multiclass.md`.
    """
    work = _Screen(model, labels, noise, vote, guarantees)
    blocks = (list(block) for _, block in groupby(indices, key=lambda i: i // work.step))
    for block in run_in_threads(work, blocks, threads):
        yield from block


@dataclass(frozen=True)
class _Bounds:
    """Bounds of ln B in nats, b x classes: -inf in the column of the winner.

    `searched` where t is the rival's own; there `gap` is about how far ln B is above its minimum.
    """

    t: Floats
    lower: Floats
    upper: Floats
    gap: Floats
    searched: NDArray[np.bool_]


class _Screen:
    """The work of one thread: alpha of a block of test points, its bounds, what they decide."""

    def __init__(
        self,
        model: LeastSquares,
        labels: Labels,
        noise: LabelFlip,
        vote: str,
        guarantees: Sequence[str],
    ) -> None:
        self._blocks, self._labels, self._noise = AlphaBlocks(model), labels, noise
        self._plurality = vote == "plurality"
        self._tables = {name: Radii(noise, name, len(labels)) for name in guarantees}
        step = min(table.step for table in self._tables.values())
        self._near = min(NEAR, step / 4096)
        self._bins = bins_for(len(labels))
        self.step = self._blocks.step
        self._own = threading.local()

    def __call__(self, indices: Sequence[int]) -> list[ScreenedVote]:
        if not hasattr(self._own, "buffer"):
            self._own.buffer = self._blocks.buffer()
        block = self._blocks(indices, self._own.buffer)
        winners, known = _leaders(block)
        known &= np.isfinite(block.alpha_error)
        nothing = (0.0,) * (self._noise.classes - 1)
        screened = [
            ScreenedVote(index, int(winner), nothing, nothing, 0.0, {}, "failed")
            for index, winner in zip(indices, winners, strict=True)
        ]
        rows = np.flatnonzero(known)
        for bins in self._bins:
            if not rows.size:
                break
            found = self._bounds(block, winners, rows, bins)
            open_rows = []
            for place, row in enumerate(rows.tolist()):
                screened[row] = self._decide(screened[row], place, found)
                # Finer bins do not mend what alpha leaves open.
                width = float(found.t[place].max()) * block.alpha_error[row]
                if screened[row].reason is not None and width <= LOOSE / 4:
                    open_rows.append(row)
            rows = np.array(open_rows, dtype=np.int64)
        return screened

    def _bounds(self, block: AlphaBlock, winners: Labels, rows: Labels, bins: int) -> _Bounds:
        everyone = len(rows) == len(block.alpha)
        alpha = block.alpha if everyone else block.alpha[rows]
        classes = self._noise.classes
        summary = summarise(alpha, self._labels, classes, bins)
        winner, errors = winners[rows], block.alpha_error[rows]
        places = np.arange(len(rows))
        t, lower, upper, gap = (np.zeros((len(rows), classes)) for _ in range(4))
        found = _Bounds(t, lower, upper, gap, np.zeros(t.shape, dtype=np.bool_))
        found.lower[places, winner] = found.upper[places, winner] = -np.inf
        found.searched[places, winner] = True
        scores = block.scores[rows].copy()
        scores[places, winner] = -np.inf
        runner = scores.argmax(axis=1)
        self._search(summary, winner, errors, found, places, runner)
        rest = np.argwhere(~found.searched)
        self._at(summary, winner, errors, found, rest[:, 0], rest[:, 1], runner)
        while True:
            # Searched bounds fall: what was far below at first may be near now. nan is near.
            worst = np.where(found.searched, found.upper, -np.inf).max(axis=1)
            near = ~found.searched & ~(found.upper <= worst[:, None] - FAR)
            if not near.any():
                return found
            self._search(summary, winner, errors, found, *np.nonzero(near))

    def _pairs(
        self, summary: Summary, winner: Labels, points: Labels, rivals: Labels
    ) -> Iterator[tuple[Pairs, Labels, Labels]]:
        for at in range(0, len(points), _AT_ONCE):
            some, others = points[at : at + _AT_ONCE], rivals[at : at + _AT_ONCE]
            yield Pairs.of(summary, self._noise, some, winner[some], others), some, others

    def _search(
        self,
        summary: Summary,
        winner: Labels,
        errors: Floats,
        found: _Bounds,
        points: Labels,
        rivals: Labels,
    ) -> None:
        """Write the bounds at a t near the minimum, for these pairs."""
        for pairs, some, others in self._pairs(summary, winner, points, rivals):
            at = some, others
            with np.errstate(all="ignore"):
                tau, bounds = minimise_pairs(pairs, errors[some], self._near)
                found.t[at] = tau * pairs.scale
            found.lower[at], found.upper[at] = bounds.lower, bounds.upper
            # ln B falls at 0, since the winner's mean is larger: alphas that say otherwise are off.
            found.gap[at] = np.where(tau == 0, np.inf, bounds.gap)
            found.searched[at] = True

    def _at(
        self,
        summary: Summary,
        winner: Labels,
        errors: Floats,
        found: _Bounds,
        points: Labels,
        rivals: Labels,
        runner: Labels,
    ) -> None:
        """Write the bounds at the t of the runner-up, for these pairs."""
        for pairs, some, others in self._pairs(summary, winner, points, rivals):
            t = found.t[some, runner[some]]
            with np.errstate(all="ignore"):
                # t is tau scale, exactly, with a scale of 4 bits: so is the quotient.
                bounds = bracket_pairs(pairs, t / pairs.scale, errors[some])
            at = some, others
            found.t[at] = t
            found.lower[at], found.upper[at] = bounds.lower, bounds.upper

    def _decide(self, point: ScreenedVote, place: int, found: _Bounds) -> ScreenedVote:
        """Decide a point by its bounds; see certify.fast._decide for what they must agree on."""
        others = np.arange(self._noise.classes) != point.winner
        t, lower, upper = (
            found.t[place, others],
            found.lower[place, others],
            found.upper[place, others],
        )
        searched, gap = found.searched[place, others], found.gap[place, others]
        if not np.isfinite(upper).all():
            return replace(point, reason="failed")
        worst = float(upper[searched].max())
        counts = searched & (upper > worst - FAR)
        with np.errstate(all="ignore"):
            width = (upper - lower)[counts]
            least = np.where(counts, lower - (upper - lower) - 4 * self._near, -np.inf)
        most = np.where(counts, upper + 4 * self._near, upper)
        # One step up: the shortest decimal spelling is then on the safe side too. ln(1 - p) <= 0.
        written = np.minimum(np.nextafter(upper, np.inf), 0.0) + 0.0
        if self._plurality:
            total = min(float(np.nextafter(log_sum(written[None])[1][0], np.inf)), 0.0) + 0.0
            low = float(log_sum(least[None])[0][0])
            high = max(total, float(log_sum(most[None])[1][0]))
        else:
            total = float(written.max())
            low, high = float(least.max()), max(total, float(most.max()))
        reason: str | None = None
        radii: dict[str, int] = {}
        if not (width <= LOOSE).all():
            reason = "loose"
        elif not (gap[counts] <= self._near).all():
            reason = "undecided"
        else:
            for name, table in self._tables.items():
                radius = table.decide(low, high)
                if radius is None:
                    reason = "undecided"
                elif radius >= 0:
                    radii[name] = radius
        return ScreenedVote(
            point.index,
            point.winner,
            tuple(t.tolist()),
            tuple(written.tolist()),
            total,
            radii,
            reason,
        )


def _leaders(block: AlphaBlock) -> tuple[Labels, NDArray[np.bool_]]:
    """Return the class of the largest score of each point, and whether that is proven."""
    places = np.arange(len(block.scores))
    winners = block.scores.argmax(axis=1)
    least = (block.scores - block.score_error)[places, winners]
    most = block.scores + block.score_error
    most[places, winners] = -np.inf
    # Rounded once on each side: a step apart, and nan is no proof.
    with np.errstate(invalid="ignore"):
        known = np.nextafter(least, -np.inf) > np.nextafter(most.max(axis=1), np.inf)
    return winners, known
