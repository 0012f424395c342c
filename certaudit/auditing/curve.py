"""Accuracy curves: the share of points that are right and certified at a radius, as printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from certaudit.auditing.effect import compared
from certaudit.auditing.log import FileFinding, FileReport, Rows, Sink
from certaudit.auditing.printed import Format, FormatSurvey, parse_printed
from certaudit.auditing.rows import correct_rows
from certaudit.auditing.verdict import Cause, Judged, Reason, Verdict
from certaudit.claims import Source
from certaudit.errors import InputError
from certaudit.exact import round_down, round_up
from certaudit.fast.quantiles import quantiles
from certaudit.findings import BEYOND_EVERY_OUTCOME, BITS, CURVE_ABOVE_LOG

__all__ = ["Reached", "audit_curve"]

_MOST_POINTS = 1_000_000


@dataclass(slots=True)
class Reached:
    """The radii of the right rows of a log, claimed and proven; takes its rows as a Sink."""

    rows: int = 0
    knows_right: bool = True
    """Whether it is known which predictions are right: a curve counts these."""
    _claimed: list[NDArray[np.float64]] = field(default_factory=list)
    _proved: list[NDArray[np.float64]] = field(default_factory=list)

    def __call__(self, rows: Rows) -> None:
        """Take some rows."""
        self.rows += len(rows.judged.verdict) + len(rows.chunk.malformed)
        right = correct_rows(rows.chunk)
        self.knows_right = self.knows_right and right is not None
        claimed, proved, _ = compared(rows.judged, right)
        self._claimed.append(claimed)
        self._proved.append(proved)

    def counts(self) -> tuple[Callable[[float], int], Callable[[float], int]]:
        """Return two functions: how many rows reach a radius as claimed, and as proven."""
        claimed, proved = (
            np.sort(np.concatenate(parts)) for parts in (self._claimed, self._proved)
        )

        def reach(values: NDArray[np.float64], radius: float) -> int:
            return len(values) - int(np.searchsorted(values, radius, side="left"))

        return (lambda r: reach(claimed, r)), (lambda r: reach(proved, r))


def audit_curve(source: Source, log: Reached | None, sink: Sink | None = None) -> FileReport:
    """Return what was found in an accuracy curve, held against the log it was made from.

    A point claims that at least so many rows are right and certified. Without the log only points
    that no outcome of the sampling allows, or a curve that rises, can be decided.
    """
    report = FileReport(source.name, source.kind)
    report.parameters = {name: str(stated.value) for name, stated in source.stated.items()}
    survey = FormatSurvey()
    for chunk in source.chunks():
        survey.add(chunk.columns["accuracy"])
    form = survey.format()
    first = 0
    known = log.counts() if log is not None and log.rows and log.knows_right else None
    curve = _Curve(form, known, 0 if log is None else log.rows, _limit(source))
    for chunk in source.chunks():
        for texts in zip(chunk.columns["radius"], chunk.columns["accuracy"], strict=True):
            curve.take(*texts)
    for chunk in source.chunks():
        judged = Judged.blank(len(chunk.lines))
        columns = zip(chunk.columns["radius"], chunk.columns["accuracy"], strict=True)
        for row, texts in enumerate(columns):
            point = _point(*texts)
            if point is None:
                judged.put(row, Verdict.MALFORMED, Reason.UNREADABLE)
                continue
            curve.judge(judged, row, point[0], texts[1], point[1])
            if curve.differs and not first:
                first = int(chunk.lines[row])
        report.count(chunk, judged)
        if sink is not None:
            sink(Rows(source, chunk, judged))
    if curve.differs:
        text = f"{curve.differs} points are not the share of rows of the log beside it"
        report.findings.append(FileFinding(CURVE_ABOVE_LOG, curve.differs, first, text))
    return report


def _point(radius_text: str, share_text: str) -> tuple[Fraction, Fraction] | None:
    """Return a point of a curve, None where it is none."""
    try:
        radius, share = parse_printed(radius_text), parse_printed(share_text)
    except InputError:
        return None
    if radius is None or share is None or radius < 0 or not 0 <= share <= 1:
        return None
    return radius, share


@dataclass(slots=True)
class _Curve:
    """Judges the points of a curve, in their order."""

    form: Format
    known: tuple[Callable[[float], int], Callable[[float], int]] | None
    rows: int
    limit: Fraction | None
    differs: int = 0
    _points: list[tuple[Fraction, Fraction]] = field(default_factory=list)
    _most: dict[Fraction, Fraction] | None = None

    def take(self, radius_text: str, share_text: str) -> None:
        """Take a point in, before any is judged: their order in the file is no matter.

        Raises InputError for more points than a curve has.
        """
        point = _point(radius_text, share_text)
        if point is not None:
            self._points.append((point[0], self.form.interval(share_text, point[1])[1]))
        if len(self._points) > _MOST_POINTS:
            raise InputError(f"a curve of more than {_MOST_POINTS} points")

    def _allowed(self, radius: Fraction) -> Fraction:
        """Return the least of the shares at smaller radii: none may be above it."""
        if self._most is None:
            self._most, least = {}, Fraction(1)
            for at, high in sorted(self._points):
                self._most.setdefault(at, least)
                least = min(least, high)
        return self._most[radius]

    def judge(self, judged: Judged, row: int, radius: Fraction, text: str, share: Fraction) -> None:
        low, high = self.form.interval(text, share)
        judged.claimed[row], judged.unit[row] = float(share), round_up(self.form.unit(share))
        if share == 0:
            judged.put(row, Verdict.CONFIRMED, Reason.PROVED)
            judged.proved[row] = judged.excess[row] = 0.0
        elif low > self._allowed(radius):
            judged.put(row, Verdict.REFUTED, Reason.CONTRADICTS_ITSELF, Cause.BEYOND_EVIDENCE)
        elif self.limit is not None and radius > self.limit:
            judged.put(row, Verdict.REFUTED, Reason.BEYOND_EVERY_OUTCOME, Cause.BEYOND_EVIDENCE)
            judged.findings[row] |= np.uint64(BITS[BEYOND_EVERY_OUTCOME.code])
        elif self.known is not None:
            claimed, proved = (count(round_up(radius)) for count in self.known)
            if not low <= Fraction(claimed, self.rows) <= high:
                self.differs += 1
                judged.findings[row] |= np.uint64(BITS[CURVE_ABOVE_LOG.code])
            judged.proved[row] = round_down(Fraction(proved, self.rows))
            if share <= Fraction(proved, self.rows):
                judged.put(row, Verdict.CONFIRMED, Reason.PROVED)
                judged.excess[row] = 0.0
            else:
                judged.put(row, Verdict.UNSUPPORTED, Reason.LESS_IS_PROVED, Cause.BEYOND_EVIDENCE)
                judged.excess[row] = round_up(share - Fraction(proved, self.rows))


def _limit(source: Source) -> Fraction | None:
    """Return a radius that no outcome reaches, where sigma and the sampling are stated."""
    stated = source.stated
    if not {"sigma", "samples", "failure_prob"} <= set(stated):
        return None
    sigma, chance = (Fraction(stated[name].value) for name in ("sigma", "failure_prob"))
    samples = int(stated["samples"].value)
    return sigma * Fraction(quantiles(samples, chance).radius(samples)[1])
