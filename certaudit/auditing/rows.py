"""What is wrong with a log as a log: indexes, flags, abstentions. No certificate is judged here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from operator import eq

import numpy as np
from numpy.typing import NDArray

from certaudit.auditing.verdict import Judged, Reason, Verdict
from certaudit.claims import Chunk, Note
from certaudit.findings import (
    ABSTENTION_WITH_RADIUS,
    BITS,
    DUPLICATE_INDEX,
    FLAGS_INCONSISTENT,
    MISSING_INDEX,
    NEGATIVE_RADIUS,
    TWO_RUNS,
    UNSORTED_INDEX,
)

__all__ = ["RowChecks", "abstaining", "abstains", "correct_rows", "printed_integers"]

_ABSTAIN = frozenset({"-1", "-1.0", "abstain", "abstained"})
_ZEROS = frozenset({"0", "0.0", "0.00", "0.000", "0.0000", "0.00000", "0.000000"})
_MOST_INDEX = 1 << 27
"""The largest index up to which repeated ones are found."""
_STEPS = 1_000
_INTEGER = frozenset("0123456789-")
_NUMBER = frozenset("0123456789+-.eE")


def abstains(prediction: str) -> bool:
    """Return whether a prediction is none."""
    return prediction.lower() in _ABSTAIN


def abstaining(chunk: Chunk) -> NDArray[np.bool_]:
    """Return which rows claim nothing: no class is predicted, or the vote is left open.

    A file without predictions has no other way to write an abstention than radius 0.
    """
    predictions, radii = chunk.columns.get("prediction"), chunk.columns.get("radius")
    if predictions is not None:
        known = {text: abstains(text) for text in set(predictions)}
        silent = np.fromiter(map(known.__getitem__, predictions), np.bool_, len(predictions))
        if "decided" in chunk.columns:
            # Of a vote that is not decided no winner is claimed, whatever class is named.
            silent |= np.fromiter(map("0".__eq__, chunk.columns["decided"]), np.bool_, len(silent))
        return silent
    if radii is not None and "label" not in chunk.columns:
        nothing = {text: text in _ZEROS for text in set(radii)}
        return np.fromiter(map(nothing.__getitem__, radii), np.bool_, len(radii))
    return np.zeros(len(chunk.lines), np.bool_)


@dataclass(slots=True)
class RowChecks:
    """Checks the rows of a file, chunk by chunk, and remembers what the whole file shows."""

    notes: list[Note] = field(default_factory=list)
    first: int | None = None
    last: int | None = None
    largest: int | None = None
    _run: int = 0
    _run_first: int | None = None
    _steps: Counter[int] = field(default_factory=Counter)
    _seen: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(1 << 10, np.bool_))
    _counts: Counter[str] = field(default_factory=Counter)
    _where: dict[str, int] = field(default_factory=dict)

    def check(self, chunk: Chunk, judged: Judged) -> NDArray[np.bool_]:
        """Mark what is wrong with the rows of a chunk; return which of them abstain."""
        abstained = self._abstentions(chunk, judged)
        self._flags(chunk, judged, abstained)
        self._indexes(chunk, judged)
        return abstained

    def _abstentions(self, chunk: Chunk, judged: Judged) -> NDArray[np.bool_]:
        abstained = abstaining(chunk)
        if not abstained.any():
            return abstained
        judged.put(abstained, Verdict.ABSTAINED, Reason.NOTHING_CLAIMED)
        for name in ("claimed", "proved", "excess"):
            getattr(judged, name)[abstained] = np.nan
        judged.findings[abstained] = 0
        radii = chunk.columns.get("radius")
        if radii is not None:
            for row in np.flatnonzero(abstained).tolist():
                sign = _sign(radii[row])
                if sign:
                    kind = ABSTENTION_WITH_RADIUS if sign > 0 else NEGATIVE_RADIUS
                    judged.findings[row] |= np.uint64(BITS[kind.code])
        return abstained

    def _flags(self, chunk: Chunk, judged: Judged, abstained: NDArray[np.bool_]) -> None:
        wrong = _contradicting(chunk, abstained)
        if wrong is None or not wrong.any():
            return
        judged.findings[wrong] |= np.uint64(BITS[FLAGS_INCONSISTENT.code])
        judged.put(
            wrong & judged.is_(Verdict.CONFIRMED), Verdict.INCONCLUSIVE, Reason.CONTRADICTS_ITSELF
        )
        judged.proved[wrong] = judged.excess[wrong] = np.nan

    def _indexes(self, chunk: Chunk, judged: Judged) -> None:
        texts = chunk.columns.get("index")
        if not texts:
            return
        indexes, readable = printed_integers(texts)
        if not readable.all():
            judged.put(~readable, Verdict.MALFORMED, Reason.UNREADABLE)
            indexes, lines = indexes[readable], chunk.lines[readable]
            places = np.flatnonzero(readable)
        else:
            lines, places = chunk.lines, np.arange(len(texts))
        if not len(indexes):
            return
        if chunk.run != self._run:
            self._run, self.last, self._run_first = chunk.run, None, None
            self._seen[:] = False  # another run: it starts anew
        before = np.empty_like(indexes)
        before[1:] = indexes[:-1]
        before[0] = indexes[0] - 1 if self.last is None else self.last
        steps = indexes - before
        if self.last is None:
            steps[0] = 0
        if self._run_first is None:
            self._run_first = int(indexes[0])
        if self.first is None:
            self.first = int(indexes[0])
        back = steps < 0
        anew = back & (indexes == self._run_first)
        self._count(TWO_RUNS.code, lines, anew)
        self._count(UNSORTED_INDEX.code, lines, back & ~anew)
        values, times = np.unique(steps[steps > 0], return_counts=True)
        if len(self._steps) < _STEPS:
            self._steps.update(dict(zip(values.tolist(), times.tolist(), strict=True)))
        self._repeats(indexes, lines, places, judged, rising=bool((steps[1:] > 0).all()))
        self.last = int(indexes[-1])
        self.largest = max(self.largest or 0, int(indexes.max()))

    def _repeats(
        self,
        indexes: NDArray[np.int64],
        lines: NDArray[np.int64],
        places: NDArray[np.int64],
        judged: Judged,
        *,
        rising: bool,
    ) -> None:
        inside = (indexes >= 0) & (indexes < _MOST_INDEX)
        known = indexes[inside]
        if not len(known):
            return
        if int(known.max()) >= len(self._seen):
            grown = np.zeros(min(_MOST_INDEX, 2 * int(known.max()) + 1), np.bool_)
            grown[: len(self._seen)] = self._seen
            self._seen = grown
        repeated = self._seen[known]
        if not rising:
            _, firsts = np.unique(known, return_index=True)
            again = np.ones(len(known), np.bool_)
            again[firsts] = False
            repeated |= again
        self._seen[known] = True
        if repeated.any():
            judged.findings[places[inside][repeated]] |= np.uint64(BITS[DUPLICATE_INDEX.code])
            self._count(DUPLICATE_INDEX.code, lines[inside], repeated)

    def _count(self, code: str, lines: NDArray[np.int64], rows: NDArray[np.bool_]) -> None:
        if rows.any():
            self._counts[code] += int(rows.sum())
            self._where.setdefault(code, int(lines[rows][0]))

    @property
    def step(self) -> int | None:
        """The most common distance of an index from the one before it."""
        return min(self._steps, key=lambda d: (-self._steps[d], d)) if self._steps else None

    def finish(self) -> list[Note]:
        """Return what the indexes of the whole file show; DUPLICATE_INDEX is on its rows."""
        notes = []
        for kind, what in (
            (TWO_RUNS, "the indexes start anew"),
            (UNSORTED_INDEX, "an index is below the one before it"),
        ):
            if self._counts[kind.code]:
                times = self._counts[kind.code]
                text = what + (f", {times} times" if times > 1 else "")
                notes.append(Note(kind, self._where[kind.code], text))
        step = self.step
        if step is not None:
            gaps = {d: n for d, n in self._steps.items() if d > step}
            missing = sum((d // step - 1) * n for d, n in gaps.items() if d % step == 0)
            if missing:
                where = f"{sum(gaps.values())} gaps" if sum(gaps.values()) > 1 else "one gap"
                notes.append(Note(MISSING_INDEX, 0, f"{missing} missing in {where}, step {step}"))
        return notes


def correct_rows(chunk: Chunk) -> NDArray[np.bool_] | None:
    """Return which rows are right: as flagged, else where prediction is label; None: not known."""
    rows = len(chunk.lines)
    if "correct" in chunk.columns:
        return np.fromiter(map("1".__eq__, chunk.columns["correct"]), np.bool_, rows)
    if "label" in chunk.columns and "prediction" in chunk.columns:
        return _same(chunk.columns["label"], chunk.columns["prediction"])
    return None


def _contradicting(chunk: Chunk, abstained: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return which rows have a flag that is none, or not what label and prediction say."""
    flags = chunk.columns.get("correct")
    if flags is None:
        return None
    rows = len(chunk.lines)
    wrong = np.fromiter((text not in ("0", "1") for text in flags), np.bool_, rows)
    right = np.fromiter((text == "1" for text in flags), np.bool_, rows)
    if "label" in chunk.columns and "prediction" in chunk.columns:
        wrong |= right != _same(chunk.columns["label"], chunk.columns["prediction"])
    wrong |= abstained & right
    return wrong


def _same(labels: list[str], predictions: list[str]) -> NDArray[np.bool_]:
    """Return where two columns name the same class: as text, or as integers (3 and 3.0)."""
    same = np.fromiter(map(eq, labels, predictions), np.bool_, len(labels))
    for row in np.flatnonzero(~same).tolist():
        left, right = labels[row], predictions[row]
        if ("." in left or "." in right) and _plain(left) == _plain(right):
            same[row] = True
    return same


def _plain(text: str) -> str:
    whole, point, rest = text.partition(".")
    return (whole.lstrip("0") or "0") if point and not rest.strip("0") else text


def _sign(text: str) -> int:
    """Return the sign of a printed number, 0 for zero and for what is none."""
    digits = text.lower().split("e")[0].strip("+-0.")
    if text.lower().lstrip("+-") == "nan":
        return 0
    if not digits:
        return 0
    return -1 if text.startswith("-") else 1


def printed_integers(texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return printed integers, and which texts are integers of moderate length."""
    if set("".join(texts)) <= _INTEGER and max(map(len, texts)) <= 18:
        try:
            return np.array(texts, dtype=np.int64), np.ones(len(texts), np.bool_)
        except ValueError:
            pass
    values, readable = np.zeros(len(texts), np.int64), np.ones(len(texts), np.bool_)
    for row, text in enumerate(texts):
        body = text.removesuffix(".0")
        if len(body) <= 18 and body.lstrip("-").isascii() and body.lstrip("-").isdigit():
            try:
                values[row] = int(body)
                continue
            except ValueError:
                pass
        readable[row] = False
    return values, readable
