"""Radii of label flips as statements: what the alphas of a test point prove, and what they refute.

What a row gives for its radius (log_error, p_lower, votes) is then its derivation only: with the
alpha of a point the worst flips of labels are known, and the radius is proven or a set of flips
shown that changes the vote.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from certaudit.auditing.rows import abstaining, printed_integers
from certaudit.auditing.verdict import Cause, Judged, Reason, Verdict
from certaudit.claims import Chunk, Source, Stated
from certaudit.errors import InputError, Undecided
from certaudit.fast.flips import bracket
from certaudit.findings import BITS
from certaudit.rigorous import flips as rigorous
from certaudit.rigorous.flips import Bracket, worst_order

__all__ = ["Alphas", "Decided", "Evidence", "FlipJudge", "Known", "Vector"]

_CLASS = re.compile(r"\+?0*([01])(?:\.0*)?")
_NOTHING = -1
_NO_DERIVATION = (Reason.NO_EVIDENCE, Reason.NOT_DECIDED_HERE, Reason.LIMIT)
"""Why a row may be inconclusive by itself though nothing in it speaks against its radius."""
_SLACK = 1 + Fraction(1, 1 << 52)
"""Covers the rounding of a correctly rounded sum."""


@dataclass(frozen=True)
class Vector:
    """The alpha of a test point, n floats, and a bound on its l1 error (None: there is none).

    Where labels are few, and floats err, `exact` may return it as it is: ties are then decided.
    """

    index: int
    alpha: NDArray[np.float64]
    error: Fraction | None
    exact: Callable[[], list[Fraction]] | None = None


@dataclass(frozen=True)
class Known:
    """What is known of the vote at a test point, and the flips that refute a radius.

    The vote is for `vote` (None: for which is not known), and no `proved` flips change it (-1: that
    it is for this class is not proven); `refuted_at` flips do (-1: nothing is refuted), namely
    those of `flips`, rows of the training set, and no fewer are shown. `by` is the method that
    proved `proved`.
    """

    vote: int | None
    proved: int
    refuted_at: int
    by: str | None
    flips: NDArray[np.int64] | None


@dataclass(frozen=True)
class Alphas:
    """The alphas of test points under one classifier.

    `labels` are the n training labels, `test_labels` those of all test points, None where they are
    not known. `has` says which indexes have an alpha, `vectors` yields these for rising indexes.
    Each may be off by `margin` of its l1 norm more than it says. `described` is what is to be said
    of the evidence: its "name", and what was declared.
    """

    labels: NDArray[np.int64]
    has: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
    vectors: Callable[[Sequence[int]], Iterator[Vector]]
    margin: Fraction
    described: Mapping[str, object]
    test_labels: NDArray[np.int64] | None = None
    reads_labels: bool = False
    """Whether flipped labels would move the classifier: the ridge is taken as fixed."""
    known: dict[tuple[int, int], Known] = field(default_factory=dict)
    """Answers, by index and the class that is claimed (-1: the winner)."""


class Evidence(Protocol):
    """Evidence for the radii of label flips, apart from the claims."""

    name: str

    def alphas(self, source: Source, q: Fraction, stated: Mapping[str, Stated]) -> Alphas:
        """Return the alphas for a file of claims.

        Raises InputError where what is stated contradicts the evidence.
        """


@dataclass(frozen=True)
class Decided:
    """What evidence says of some rows: entries of `known` are None for rows without any."""

    known: Sequence[Known | None]


class FlipJudge:
    """Decides radii of label flips, two labels, 0 < q < 1/2, by the alphas of the test points.

    A radius that is proved is confirmed, one that is refuted_at or above it is refuted, whatever
    the row itself gives for it; between the two it is inconclusive. Rows whose index has no
    alpha, that predict none of the two classes, abstain or are malformed stay as they are.
    """

    def __init__(self, alphas: Alphas, q: Fraction, name: str, *, strictly: bool) -> None:
        self.alphas, self.q, self.name = alphas, q, name
        self._strictly = strictly
        """Whether the claims declare no weaker guarantee: then more that is proven is a finding."""
        self.labels = alphas.labels

    def settle(self, chunk: Chunk, judged: Judged) -> Decided:
        """Settle the radii of a chunk that was judged by what its rows give.

        Raises InputError where the rows are not those of the evidence: an index beyond the test
        set, another label.
        """
        rows = len(chunk.lines)
        known: list[Known | None] = [None] * rows
        texts = chunk.columns.get("index")
        if not texts or "radius" not in chunk.columns:
            return Decided(known)
        indexes, readable = printed_integers(texts)
        fit = readable & ~judged.is_(Verdict.MALFORMED) & ~abstaining(chunk)
        self._check(chunk, indexes, readable & ~judged.is_(Verdict.MALFORMED))
        fit &= ~np.isnan(judged.claimed) & self.alphas.has(indexes)
        classes = _classes(chunk)
        wanted: dict[tuple[int, int], float] = {}
        for row in np.flatnonzero(fit & (classes >= _NOTHING)).tolist():
            key = int(indexes[row]), int(classes[row])
            wanted[key] = max(wanted.get(key, 0.0), float(judged.claimed[row]))
        self._ask(wanted)
        for row in np.flatnonzero(fit & (classes >= _NOTHING)).tolist():
            known[row] = self.alphas.known[int(indexes[row]), int(classes[row])]
        self._rule(chunk, judged, known)
        return Decided(known)

    def _check(self, chunk: Chunk, indexes: NDArray[np.int64], readable: NDArray[np.bool_]) -> None:
        """Refuse claims that are about other test points."""
        labels = self.alphas.test_labels
        if labels is None:
            return
        beyond = readable & ((indexes < 0) | (indexes >= len(labels)))
        if beyond.any():
            row = int(np.flatnonzero(beyond)[0])
            raise InputError(
                f"{self.name}, line {chunk.lines[row]}: index {indexes[row]}: the evidence has "
                f"test points 0 to {len(labels) - 1}"
            )
        told = chunk.columns.get("label")
        if told is None:
            return
        values = _values(told)
        other = readable & (values >= 0)
        other[other] = labels[indexes[other]] != values[other]
        if other.any():
            row = int(np.flatnonzero(other)[0])
            raise InputError(
                f"{self.name}, line {chunk.lines[row]}: the label of test point {indexes[row]} is "
                f"{values[row]}, in the evidence {labels[indexes[row]]}: not the same test set"
            )

    def _ask(self, wanted: Mapping[tuple[int, int], float]) -> None:
        """Decide what is not known yet: points with the classes and the largest radii claimed."""
        known, todo = self.alphas.known, dict[int, list[int]]()
        for key, radius in sorted(wanted.items()):
            old = known.get(key)
            if old is None or (old.flips is None and 0 <= old.refuted_at <= radius):
                todo.setdefault(key[0], []).append(key[1])
        for vector in self.alphas.vectors(list(todo)):
            for chosen in todo[vector.index]:
                key = vector.index, chosen
                known[key] = self._decide(vector, chosen, wanted[key])

    def _decide(self, vector: Vector, chosen: int, radius: float) -> Known:
        """Return what is proven of a vote; the flips are kept where they refute the radius."""
        open_ = Known(chosen if chosen >= 0 else None, _NOTHING, _NOTHING, None, None)
        alpha, error = vector.alpha, vector.error
        exact = vector.exact() if vector.exact is not None and not self.alphas.margin else None
        if exact is not None:
            try:
                alpha, error = np.array([float(value) for value in exact]), Fraction(0)
            except OverflowError:
                return open_
        size = _norm(alpha)
        if error is None or size is None:
            return open_
        # The true alpha is larger by no more than its error.
        error += self.alphas.margin * (size + error)
        vote = chosen if chosen >= 0 else self._mean_class(alpha)
        try:
            found = self._bracket(alpha, exact, vote, error)
            if chosen < 0 and found.refuted_at == 0:
                vote = 1 - vote
                found = self._bracket(alpha, exact, vote, error)
        except Undecided:
            return open_
        if chosen < 0 and found.proved < 0:
            return open_  # of no known winner nothing is claimed
        least = _NOTHING if found.refuted_at is None else found.refuted_at
        flips = None
        if 0 <= least <= radius:
            order = worst_order(alpha if exact is None else exact, self.labels, vote)
            flips = order[:least].astype(np.int64)
        by = None if found.proof is None else found.proof.by
        return Known(vote, found.proved, least, by, flips)

    def _bracket(
        self,
        alpha: NDArray[np.float64],
        exact: list[Fraction] | None,
        vote: int,
        error: Fraction,
    ) -> Bracket:
        """Return what is proven of a vote, from rational alphas where there are any."""
        if exact is not None:
            return rigorous.bracket(exact, self.labels, self.q, vote)
        return bracket(alpha, self.labels, self.q, vote, alpha_error=error)

    def _mean_class(self, alpha: NDArray[np.float64]) -> int:
        """Return the class that probably wins: the sign of the mean score."""
        rate = float(self.q)
        return int(float(alpha @ (rate + (1 - 2 * rate) * self.labels)) >= 0.5)

    def _rule(self, chunk: Chunk, judged: Judged, known: Sequence[Known | None]) -> None:
        """Write the verdicts on radii, and what they say of the derivation in the row."""
        here = np.array([each is not None for each in known], np.bool_)
        if not here.any():
            return
        proved = np.array([each.proved if each else _NOTHING for each in known], np.float64)
        least = np.array([each.refuted_at if each else _NOTHING for each in known], np.float64)
        claimed, n = judged.claimed, len(self.labels)
        confirmed = here & (claimed <= proved)
        refuted = here & (least >= 0) & (claimed >= least)
        # Of more flips than there are labels it is said already that they cannot be.
        open_ = here & ~confirmed & ~refuted & (claimed <= n)
        self._derivations(chunk, judged, confirmed, here & (least >= 0), least)
        judged.put(confirmed, Verdict.CONFIRMED, Reason.PROVED)
        judged.put(refuted, Verdict.REFUTED, Reason.COUNTEREXAMPLE, Cause.BEYOND_EVIDENCE)
        other = refuted & (least == 0)
        judged.put(other, Verdict.REFUTED, Reason.OTHER_CLASS, Cause.BEYOND_EVIDENCE)
        judged.put(open_, Verdict.INCONCLUSIVE, Reason.OPEN_BRACKET)
        _find(judged, other, "CA134")
        _clear(judged, here & (proved >= 0), "CA134")
        _clear(judged, here & (proved <= claimed), "CA117")
        if self._strictly:
            _find(judged, confirmed & (proved > claimed), "CA117")
        judged.proved[here] = np.where(proved >= 0, proved, np.nan)[here]
        excess = claimed - judged.proved
        judged.excess[here] = np.where(excess > 0, excess, np.nan)[here]
        judged.excess[confirmed] = 0.0
        judged.unit[here] = 1

    @staticmethod
    def _derivations(
        chunk: Chunk,
        judged: Judged,
        confirmed: NDArray[np.bool_],
        refutable: NDArray[np.bool_],
        least: NDArray[np.float64],
    ) -> None:
        """Find what rows give for their radius that does not support it, or proves too much."""
        silent = np.isin(judged.reason, [reason.code for reason in _NO_DERIVATION])
        weak = ~judged.is_(Verdict.CONFIRMED) & ~(judged.is_(Verdict.INCONCLUSIVE) & silent)
        _find(judged, confirmed & weak, "CA138")
        # A bound on the share that proves a radius which is refuted is false. (Votes are chance.)
        with np.errstate(invalid="ignore"):
            false = refutable & (judged.proved >= least)
        false &= ~_filled(chunk, "count")
        by_log = _filled(chunk, "log_error")
        _find(judged, false & by_log, "CA103")
        _find(judged, false & ~by_log & _filled(chunk, "p_lower"), "CA102")


def _classes(chunk: Chunk) -> NDArray[np.int64]:
    """Return the predicted classes; -1 where the winner is meant, less where it is no class."""
    texts = chunk.columns.get("prediction")
    if texts is None:
        return np.full(len(chunk.lines), _NOTHING, np.int64)
    values = _values(texts)
    return np.where(values < 0, _NOTHING - 1, values)


def _values(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return classes 0 and 1 as they are printed, -1 for anything else."""
    found = {text: _CLASS.fullmatch(text) for text in set(texts)}
    codes = {text: int(match[1]) if match else _NOTHING for text, match in found.items()}
    return np.fromiter(map(codes.__getitem__, texts), np.int64, len(texts))


def _norm(alpha: NDArray[np.float64]) -> Fraction | None:
    """Return an upper bound on the l1 norm of finite floats, None where it overflows."""
    try:
        total = math.fsum(np.abs(alpha).tolist())
    except OverflowError:
        return None
    return Fraction(total) * _SLACK if math.isfinite(total) else None


def _filled(chunk: Chunk, name: str) -> NDArray[np.bool_]:
    texts = chunk.columns.get(name)
    rows = len(chunk.lines)
    if texts is None:
        return np.zeros(rows, np.bool_)
    return np.fromiter(map(bool, texts), np.bool_, rows)


def _find(judged: Judged, rows: NDArray[np.bool_], code: str) -> None:
    judged.findings[rows] |= np.uint64(BITS[code])


def _clear(judged: Judged, rows: NDArray[np.bool_], code: str) -> None:
    judged.findings[rows] &= ~np.uint64(BITS[code])
