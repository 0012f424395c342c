"""What overclaims change of the headline numbers: certified accuracy and average radius."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from certaudit.auditing.verdict import Judged, Reason, Verdict

__all__ = ["Effect", "compared"]

_GROUP = 1 << 20
_FEW = 1 << 12
_OPEN = (Reason.NOT_DECIDED_HERE, Reason.NO_EVIDENCE, Reason.LIMIT, Reason.SAME_SAMPLES)
"""Why nothing may be known of what is proven."""
_NOTHING = -1.0
"""The proven radius of a row of which nothing is proven, not even its class."""


@dataclass(slots=True)
class Effect:
    """Claimed against proven, over the rows that count as right.

    Rows that abstain, or are wrong or malformed, count in `rows` only. A row whose class is not
    known to be right counts as right: then it is certified coverage that is compared.
    """

    grid: NDArray[np.float64]
    """The radii at which certified accuracy is counted."""
    rows: int = 0
    right: int = 0
    open: int = 0
    """Rows of which nothing is known to be proven, since nothing decided them; left out."""
    claimed_sum: Fraction = Fraction(0)
    """The sum of the claimed radii, each to nearest."""
    proved_sum: Fraction = Fraction(0)
    """At most the sum of the proven ones."""
    overclaimed: int = 0
    largest_excess: float = 0.0
    _proved: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    _claimed: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    _times: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _waiting: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=list)
    _claimed_at: NDArray[np.int64] = field(init=False)
    _proved_at: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self._claimed_at = np.zeros(len(self.grid), np.int64)
        self._proved_at = np.zeros(len(self.grid), np.int64)

    def add(self, judged: Judged, right: NDArray[np.bool_] | None) -> None:
        """Take rows in; `right` says which predictions are right, None where that is not known."""
        self.rows += len(judged.verdict)
        claimed, proved, counted = compared(judged, right)
        self.open += int(_undecided(judged).sum())
        self.right += len(claimed)
        finite = np.isfinite(claimed)
        self.claimed_sum += _total(claimed[finite], 1)
        self.proved_sum += _total(np.maximum(proved[finite], 0.0), -1)
        self._claimed_at += _at_least(claimed, self.grid)
        self._proved_at += _at_least(proved, self.grid)
        over = proved < claimed
        self.overclaimed += int(over.sum())
        excess = judged.excess[counted][over]
        if len(excess):
            self.largest_excess = max(self.largest_excess, float(np.nanmax(excess, initial=0.0)))
            self._waiting.append((proved[over], claimed[over]))
            if sum(len(part) for part, _ in self._waiting) > _GROUP:
                self._gather()

    def _gather(self) -> None:
        """Put equal pairs together; where there are many different ones, outward in float32."""
        parts = self._waiting
        self._waiting = []
        pairs = np.stack(
            [
                np.concatenate([self._proved, *(part for part, _ in parts)]),
                np.concatenate([self._claimed, *(part for _, part in parts)]),
            ]
        )
        times = np.concatenate([self._times, np.ones(pairs.shape[1] - len(self._times), np.int64)])
        if pairs.shape[1] > _GROUP:
            pairs[0] = _float32(pairs[0], -np.inf)
            pairs[1] = _float32(pairs[1], np.inf)
        order = np.lexsort(pairs)
        pairs, times = pairs[:, order], times[order]
        new = np.ones(pairs.shape[1], np.bool_)
        new[1:] = (pairs[:, 1:] != pairs[:, :-1]).any(axis=0)
        starts = np.flatnonzero(new)
        self._proved, self._claimed = pairs[0][starts], pairs[1][starts]
        self._times = np.add.reduceat(times, starts) if len(starts) else times

    def accuracy_drop(self) -> int:
        """Return the most rows that lose a radius r which they claim, over all r.

        A row with claim c and proof p loses every r with p < r <= c. Never too few; too many only
        beyond a million different claims.
        """
        self._gather()
        if not len(self._times):
            return 0
        # The number rises only where some p is passed, and falls behind some c: look at each c.
        lost = _below(self._proved, self._times, self._claimed)
        lost -= _below(self._claimed, self._times, self._claimed)
        return int(lost.max())

    def grid_drop(self) -> int:
        """Return the most rows that lose a radius of the grid."""
        return int((self._claimed_at - self._proved_at).max(initial=0))

    def as_json(self) -> dict[str, object]:
        """Return the effect as plain JSON values; proven numbers rounded down, differences up."""
        grid, claimed = self.grid.tolist(), self._claimed_at.tolist()
        proved = self._proved_at.tolist()
        kept = [n for n in range(len(grid)) if claimed[n]]
        return {
            "rows": self.rows,
            "right": self.right,
            "open": self.open,
            "overclaimed": self.overclaimed,
            "largest_excess": _finite(self.largest_excess),
            "grid_drop_rows": self.grid_drop(),
            "worst_drop_rows": self.accuracy_drop(),
            "certified": [
                {"radius": grid[n], "claimed": claimed[n], "proved": proved[n]} for n in kept
            ],
            "average_radius": {
                "claimed": _rounded(self.claimed_sum, self.rows, up=True),
                "proved": _rounded(self.proved_sum, self.rows, up=False),
            },
        }


def _below(
    values: NDArray[np.float64], times: NDArray[np.int64], limits: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return for each limit how many values, with their multiplicity, are below it."""
    order = np.argsort(values)
    total = np.concatenate([[0], np.cumsum(times[order])])
    return np.asarray(total[np.searchsorted(values[order], limits, side="left")])


def _float32(values: NDArray[np.float64], towards: float) -> NDArray[np.float64]:
    """Return values rounded to float32 to one side."""
    with np.errstate(over="ignore"):
        nearest = values.astype(np.float32)
    wrong = nearest > values if towards < 0 else nearest < values
    return np.where(wrong, np.nextafter(nearest, np.float32(towards)), nearest).astype(np.float64)


def compared(
    judged: Judged, right: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return claimed and proven radii of the rows that count, and which these are.

    What is confirmed is proven as claimed, no more; of what is not, nothing may be proven: -1.
    """
    counted = ~(judged.is_(Verdict.ABSTAINED) | judged.is_(Verdict.MALFORMED))
    counted &= ~(np.isnan(judged.claimed) | _undecided(judged))
    if right is not None:
        counted &= right
    claimed, proved = judged.claimed[counted], judged.proved[counted]
    confirmed = judged.is_(Verdict.CONFIRMED)[counted]
    proved = np.where(confirmed, claimed, np.where(np.isnan(proved), _NOTHING, proved))
    return claimed, np.minimum(proved, claimed), counted


def _undecided(judged: Judged) -> NDArray[np.bool_]:
    codes = [reason.code for reason in _OPEN]
    return judged.is_(Verdict.INCONCLUSIVE) & np.isin(judged.reason, codes)


def _at_least(values: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each radius of a grid how many values reach it."""
    return len(values) - np.searchsorted(np.sort(values), grid, side="left")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _total(values: NDArray[np.float64], side: int) -> Fraction:
    """Return the sum of numbers >= 0: exactly if few of them differ, else to one side."""
    distinct, times = np.unique(values, return_counts=True)
    if len(distinct) > _FEW:
        near = Fraction(math.fsum(values.tolist()))  # correctly rounded
        return near + side * near / (1 << 52)
    pairs = zip(distinct.tolist(), times.tolist(), strict=True)
    return sum((Fraction(value) * count for value, count in pairs), Fraction(0))


def _rounded(total: Fraction, rows: int, *, up: bool) -> float | None:
    """Return total/rows with four decimals, rounded to one side."""
    if not rows:
        return None
    value = total / rows * 10_000
    return (math.ceil(value) if up else math.floor(value)) / 10_000
