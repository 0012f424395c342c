"""Verdicts on claims under Gaussian noise: printed radii and bounds against all counts behind them.

A printed number stands for every number that prints so. Which counts give one of these is decided
exactly; what every one of them proves is what the claim is held against.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from certaudit.auditing.printed import Format, own_place, parse_printed
from certaudit.auditing.verdict import Cause, Judged, Reason, Verdict
from certaudit.claims import Chunk
from certaudit.errors import InputError, Undecided
from certaudit.exact import round_down, round_up
from certaudit.fast.quantiles import Quantiles, quantiles
from certaudit.findings import (
    BEYOND_EVERY_OUTCOME,
    BITS,
    COUNT_IMPOSSIBLE,
    GUARANTEE_NOT_DECIDED,
    INFINITE_RADIUS,
    LOG_ERROR_OVERSTATED,
    NEGATIVE_RADIUS,
    P_OVERSTATED,
    P_SATURATED,
    P_UPPER_UNDERSTATED,
    RADIUS_EXCEEDS_GUARANTEE,
    RADIUS_NOT_ATTAINABLE,
    RADIUS_ROUNDED_UP,
    RADIUS_ZERO,
    UNDER_CLAIM,
    VOTE_NOT_WON,
    Kind,
)
from certaudit.noise import Gaussian
from certaudit.rigorous.balls import from_ball, to_ball, working_precision
from certaudit.rigorous.radius import certified, gaussian_radius

__all__ = [
    "KEY_COLUMNS",
    "GaussianJudge",
    "Key",
    "Outcome",
    "Scale",
    "Setting",
    "gaussian_judge",
    "least_of_one",
    "share_of_log_error",
]

KEY_COLUMNS = ("radius", "p_lower", "p_upper", "count", "samples", "log_error")
"""The columns of the fields of a Key."""
_MOST = 1 << 20
"""Outcomes that are kept, so that equal rows are judged once."""
_ROOT_BITS = 256
_FAR = 10_000
"""A quantile beyond those of all shares that votes of 10^9 samples prove."""
_MAX_LOG_BITS = 80_000
_UNIT_NOISE = Gaussian(Fraction(1))
_SATURATED = 1 - Fraction(1, 1 << 54)
_RANK = {Verdict.REFUTED: 0, Verdict.UNSUPPORTED: 1, Verdict.INCONCLUSIVE: 2, Verdict.CONFIRMED: 3}


_DECIDED = (
    Reason.PROVED,
    Reason.NO_COUNT_PROVES,
    Reason.SOME_COUNTS_PROVE,
    Reason.BEYOND_EVERY_OUTCOME,
    Reason.NOT_ATTAINABLE,
    Reason.LESS_IS_PROVED,
    Reason.IMPOSSIBLE,
)
"""The reasons of verdicts that rest on what is proved."""


class Key(NamedTuple):
    """The texts of a row that its verdict rests on; "" where there is none."""

    radius: str = ""
    p_lower: str = ""
    p_upper: str = ""
    votes: str = ""
    samples: str = ""
    log_error: str = ""


class Outcome(NamedTuple):
    """A verdict on one row; the fields are those of Judged."""

    verdict: Verdict
    reason: Reason
    cause: Cause = Cause.NONE
    findings: int = 0
    claimed: float = math.nan
    proved: float = math.nan
    excess: float = math.nan
    unit: float = 0.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How far the noise reaches: the radius of a share p is sigma Phi^-1(p) / sqrt(dimension).

    `dimension` is 1 for l2 radii; an l-infinity radius is the l2 radius over the root of the
    dimension.
    """

    sigma: Fraction
    dimension: int = 1

    def targets(self, radius: Fraction) -> tuple[Fraction, Fraction]:
        """Return rationals around radius sqrt(dimension) / sigma; equal where it is rational."""
        low, high = self._root()
        first, second = radius * low / self.sigma, radius * high / self.sigma
        return (first, second) if radius >= 0 else (second, first)

    def radius_down(self, quantile: float) -> Fraction:
        """Return a rational that is at most sigma quantile / sqrt(dimension)."""
        low, high = self._root()
        return Fraction(quantile) * self.sigma / (high if quantile >= 0 else low)

    def _root(self) -> tuple[Fraction, Fraction]:
        whole = math.isqrt(self.dimension)
        if whole * whole == self.dimension:
            return Fraction(whole), Fraction(whole)
        root = math.isqrt(self.dimension << (2 * _ROOT_BITS))
        return Fraction(root, 1 << _ROOT_BITS), Fraction(root + 1, 1 << _ROOT_BITS)


@dataclass(frozen=True)
class Setting:
    """What the rows of a file are judged by.

    `scale` is None where the noise or its size is not known, `decided` says whether it is one
    whose radii are decided at all. `p_is_exact`: p_lower was written as a bound, not rounded.
    """

    formats: Mapping[str, Format]
    scale: Scale | None = None
    samples: int | None = None
    failure_prob: Fraction | None = None
    sides: int = 1
    decided: bool = True
    p_is_exact: bool = False

    @cached_property
    def level(self) -> Fraction | None:
        """The failure probability of the lower bound by itself."""
        return None if self.failure_prob is None else self.failure_prob / self.sides

    def quantiles(self, samples: int | None) -> Quantiles | None:
        """Return what counts prove, None where samples or failure probability are not known."""
        n = samples if samples is not None else self.samples
        return None if n is None or self.level is None else quantiles(n, self.level)


class _Printed(NamedTuple):
    """A printed radius, what it stands for, and these as quantiles: in units of the scale."""

    radius: Fraction
    claimed: float
    unit: Fraction
    from_: Fraction
    """The least quantile that may print so."""
    to: Fraction
    """The largest one."""
    at: tuple[Fraction, Fraction]
    """Rationals around the quantile of the radius itself."""


class _Counts(NamedTuple):
    """The counts from `least` to `most` that a row may come from; none where most < least."""

    least: int
    most: int


@lru_cache(maxsize=64)
def _shared(
    formats: tuple[tuple[str, Format], ...], rest: tuple[object, ...], *, contradicted: bool
) -> GaussianJudge:
    return GaussianJudge(Setting(dict(formats), *rest), contradicted=contradicted)  # type: ignore[arg-type]


def gaussian_judge(setting: Setting, *, contradicted: bool = False) -> GaussianJudge:
    """Return the one judge of a setting: the files of a folder often share theirs."""
    values = [getattr(setting, field.name) for field in fields(setting)]
    formats = tuple(sorted(setting.formats.items()))
    return _shared(formats, tuple(values[1:]), contradicted=contradicted)


class GaussianJudge:
    """Judges rows by one setting; equal rows once."""

    def __init__(self, setting: Setting, *, contradicted: bool = False) -> None:
        """Take a setting; `contradicted` says that other parameters explain all rows."""
        self.setting = setting
        self._impossible = Cause.WRONG_PARAMETERS if contradicted else Cause.BEYOND_EVIDENCE
        self._outcomes: dict[Key, int] = {}
        self._known: list[Outcome] = []
        self._table: Judged | None = None
        self._radii: dict[str, _Printed] = {}
        self._explained: dict[Key, bool] = {}
        self._intervals: dict[tuple[str, str], tuple[Fraction, Fraction]] = {}

    # Rows ------------------------------------------------------------------------------------

    def judge(self, chunk: Chunk) -> Judged:
        """Return verdicts on the rows of a chunk, abstentions judged like other rows."""
        rows = len(chunk.lines)
        blank = [""] * rows
        keys = list(map(Key, *(chunk.columns.get(name, blank) for name in KEY_COLUMNS)))
        if len(self._known) > _MOST:
            self._outcomes.clear()
            self._intervals.clear()
            self._radii.clear()
            self._known.clear()
        before = len(self._known)
        new = [key for key in dict.fromkeys(keys) if key not in self._outcomes]
        self.prepare(new)
        for key in new:
            self._outcomes[key] = len(self._known)
            self._known.append(self.outcome(key))
        if self._table is None or before != len(self._known):
            self._table = _table(self._known)
        places = np.fromiter((self._outcomes[key] for key in keys), np.int64, rows)
        table = self._table
        return Judged(*(getattr(table, name)[places] for name in Judged.__slots__))

    def prepare(self, keys: Iterable[Key], *, only_least: bool = False) -> None:
        """Find the counts behind many printed radii at once; faster than one by one.

        `only_least`: no more than what `explains` asks for.
        """
        setting = self.setting
        found = setting.quantiles(None)
        if found is None:
            return
        targets: set[Fraction] = set()
        shares: set[Fraction] = set()
        for key in keys:
            if key.samples:
                continue
            with suppress(InputError):
                if key.p_lower and not key.votes:
                    shares.update(self._share_interval("p_lower", key.p_lower))
                if key.p_upper and not key.votes:
                    low, high = self._share_interval("p_upper", key.p_upper)
                    shares.update((1 - low, 1 - high))
                printed = self._printed(key.radius) if key.radius else None
                if printed is not None:
                    targets.add(printed.from_)
                    if not only_least:
                        targets.update((printed.to, *printed.at))
        found.firsts(list(targets))
        found.first_shares([share for share in shares if 0 < share < 1])

    # One row ---------------------------------------------------------------------------------

    def outcome(self, key: Key) -> Outcome:
        """Return the verdict on a row, from what it says alone. Never raises."""
        try:
            return self._outcome(key)
        except InputError:
            bits = _bit(INFINITE_RADIUS) if key.radius.lower().lstrip("+-") == "nan" else 0
            return Outcome(Verdict.MALFORMED, Reason.UNREADABLE, findings=bits)
        except Undecided:
            return Outcome(Verdict.INCONCLUSIVE, Reason.LIMIT)

    def _outcome(self, key: Key) -> Outcome:
        samples = _whole(key.samples) if key.samples else None
        count = _whole(key.votes) if key.votes else None
        if key.radius:
            radius = parse_printed(key.radius)
            if radius is None:
                sign = key.radius.startswith("-")
                kind = NEGATIVE_RADIUS if sign else INFINITE_RADIUS
                if sign:
                    return Outcome(Verdict.MALFORMED, Reason.UNREADABLE, findings=_bit(kind))
                return Outcome(
                    Verdict.REFUTED, Reason.BEYOND_EVERY_OUTCOME, Cause.BEYOND_EVIDENCE, _bit(kind),
                    claimed=math.inf, excess=math.inf,
                )  # fmt: skip
            if radius < 0:
                return Outcome(Verdict.MALFORMED, Reason.UNREADABLE, findings=_bit(NEGATIVE_RADIUS))
        if samples is not None and samples < 1:
            return self._wrong_count(key)
        found = self.setting.quantiles(samples)
        if count is not None and found is not None and not 0 <= count <= found.samples:
            return self._wrong_count(key)
        if found is None:
            return self._without_votes(key)
        return self._with_votes(key, found, count)

    def _wrong_count(self, key: Key) -> Outcome:
        return self._measured(
            key, Outcome(Verdict.UNSUPPORTED, Reason.IMPOSSIBLE, Cause.BEYOND_EVIDENCE,
                         _bit(COUNT_IMPOSSIBLE)),
        )  # fmt: skip

    def _with_votes(self, key: Key, found: Quantiles, count: int | None) -> Outcome:
        """Judge a row whose numbers come from votes of known samples and failure probability."""
        stated = self._counts(key, found, count)
        if stated.most < stated.least:
            return self._measured(
                key, Outcome(Verdict.UNSUPPORTED, Reason.NOT_ATTAINABLE, self._impossible,
                             _bit(RADIUS_NOT_ATTAINABLE)),
            )  # fmt: skip
        outcomes = [
            self._share_outcome(text, found, stated, upper=upper)
            for text, upper in ((key.p_lower, False), (key.p_upper, True))
            if text
        ]
        if key.log_error:
            outcomes.append(self._log_error_outcome(key.log_error, found, stated))
        if key.radius:
            outcomes.append(self._radius_outcome(key, found, stated, count))
        return _worst(outcomes, of_radius=bool(key.radius))

    def _counts(self, key: Key, found: Quantiles, count: int | None) -> _Counts:
        """Return the counts that the columns other than the radius allow."""
        if count is not None:
            return _Counts(count, count)
        least, most = 0, found.samples
        if key.p_lower:
            low, high = self._share_interval("p_lower", key.p_lower)
            least, most = _least(found, low), _least(found, high) - 1
        if key.p_upper:
            low, high = self._share_interval("p_upper", key.p_upper)
            n = found.samples
            least = max(least, n - (_least(found, 1 - low) - 1))
            most = min(most, n - _least(found, 1 - high))
        return _Counts(least, most)

    def _share_interval(self, name: str, text: str) -> tuple[Fraction, Fraction]:
        key = (name, text)
        if key not in self._intervals:
            self._intervals[key] = self.setting.formats[name].interval(text, _share(text))
        return self._intervals[key]

    def _printed(self, text: str) -> _Printed | None:
        """Return what a printed radius stands for, None for one that is infinite or negative.

        Float errors are those of a unit quantile. Raises InputError for what is no number.
        """
        known = self._radii.get(text)
        if known is not None:
            return known
        scale = self.setting.scale
        radius = parse_printed(text)
        if radius is None or radius < 0 or scale is None:
            return None
        form = self.setting.formats["radius"]
        far = _FAR * scale.sigma  # as far beyond every outcome as what is larger, and shorter
        low, high = (min(end, far) for end in form.interval(text, radius, scale.radius_down(1.0)))
        unit = form.unit(radius)
        found = _Printed(
            radius,
            _nearest(radius),
            unit,
            scale.targets(low)[0],
            scale.targets(high)[1],
            scale.targets(min(radius, far)),
        )
        self._radii[text] = found
        return found

    def _radius_outcome(
        self, key: Key, found: Quantiles, stated: _Counts, count: int | None
    ) -> Outcome:
        """Judge a printed radius by the counts behind it."""
        setting, text = self.setting, key.radius
        radius = parse_printed(text)
        assert radius is not None  # noqa: S101  (infinities ended before)
        form = setting.formats["radius"]
        unit = round_up(form.unit(radius))
        zero = 0 if radius else _bit(RADIUS_ZERO)
        claimed = _nearest(radius)
        if not setting.decided:
            bits = _bit(GUARANTEE_NOT_DECIDED)
            reason = Reason.NOT_DECIDED_HERE
            return Outcome(Verdict.INCONCLUSIVE, reason, findings=bits, claimed=claimed, unit=unit)
        if setting.scale is None:
            return Outcome(Verdict.INCONCLUSIVE, Reason.NO_EVIDENCE, claimed=claimed, unit=unit)
        printed_as = self._printed(text)
        assert printed_as is not None  # noqa: S101  (not negative, and there is a scale)
        from_low = found.first(printed_as.from_)
        if from_low > found.samples:
            cause = self._impossible
            return self._above(
                Verdict.REFUTED, Reason.BEYOND_EVERY_OUTCOME, cause, zero,
                BEYOND_EVERY_OUTCOME, radius, unit, found, found.samples,
            )  # fmt: skip
        wins = found.first(Fraction(0))
        proved_by = [found.first(target) for target in printed_as.at]
        counts = self._consistent(printed_as, found, stated)
        known = count is not None or bool(key.p_lower) or bool(key.p_upper)
        printed = counts.least <= counts.most
        if not printed and not known:
            return self._above(
                Verdict.UNSUPPORTED, Reason.NOT_ATTAINABLE, self._impossible, zero,
                RADIUS_NOT_ATTAINABLE, radius, unit, found, from_low - 1,
            )  # fmt: skip
        counts = counts if printed else stated
        if counts.least >= max(*proved_by, wins):
            under = False
            if known and form.unit(radius) > 0:
                # One more printed unit would hold as well.
                more = setting.scale.targets(radius + form.unit(radius))[1]
                under = found.reaches(counts.least, more)
            return Outcome(
                Verdict.CONFIRMED, Reason.PROVED, Cause.NONE,
                zero | (_bit(UNDER_CLAIM) if under else 0), claimed,
                self._radius_of(found, counts.least), 0.0, unit,
            )  # fmt: skip
        if counts.most < max(min(proved_by), wins):
            exactly = form.kind == "float64"
            cause, reason = Cause.BEYOND_EVIDENCE, Reason.LESS_IS_PROVED
            kind = VOTE_NOT_WON if counts.most < wins else RADIUS_EXCEEDS_GUARANTEE
            if counts.most >= wins and printed:
                cause = Cause.FLOAT_NOISE if exactly else Cause.PRINTED_ROUNDING
                reason = Reason.NO_COUNT_PROVES
                kind = RADIUS_EXCEEDS_GUARANTEE if exactly else RADIUS_ROUNDED_UP
            return self._above(
                Verdict.UNSUPPORTED, reason, cause, zero, kind, radius, unit, found, counts.least
            )
        return self._above(
            Verdict.INCONCLUSIVE, Reason.SOME_COUNTS_PROVE, Cause.PRINTED_ROUNDING, zero, None,
            radius, unit, found, counts.least,
        )  # fmt: skip

    def _consistent(self, printed: _Printed, found: Quantiles, stated: _Counts) -> _Counts:
        """Return which of some counts have a radius that prints so, and win the vote."""
        least = max(found.first(printed.from_), found.first(Fraction(0)), stated.least)
        return _Counts(least, min(found.first(printed.to) - 1, stated.most))

    def _above(
        self, verdict: Verdict, reason: Reason, cause: Cause, bits: int, kind: Kind | None,
        radius: Fraction, unit: float, found: Quantiles, count: int,
    ) -> Outcome:  # fmt: skip
        """Return what is said of a radius of which `count` votes prove less."""
        bits |= _bit(kind) if kind else 0
        least = self._radius_of(found, count)
        gone = verdict is Verdict.REFUTED or reason is Reason.NOT_ATTAINABLE
        excess = round_up(radius - (Fraction(least) if least > 0 else 0))
        proved = math.nan if gone else least
        return Outcome(verdict, reason, cause, bits, _nearest(radius), proved, excess, unit)

    def _radius_of(self, found: Quantiles, count: int) -> float:
        """Return what `count` votes prove as a radius, rounded down; NaN where nothing."""
        quantile = found.radius(count)[0]
        if quantile < 0 or self.setting.scale is None:
            return math.nan
        return max(0.0, round_down(self.setting.scale.radius_down(quantile)))

    def _share_outcome(
        self, text: str, found: Quantiles, counts: _Counts, *, upper: bool
    ) -> Outcome:
        """Judge a printed bound on the share by the counts behind it."""
        name = "p_upper" if upper else "p_lower"
        form, bound = self.setting.formats[name], _share(text)
        kind = P_UPPER_UNDERSTATED if upper else P_OVERSTATED
        low, high = counts
        if upper:
            # The upper bound of k votes is 1 - the lower bound of the n - k others.
            bound, low, high = 1 - bound, found.samples - high, found.samples - low
        bits = _bit(P_SATURATED) if bound == 1 else 0
        unit, claimed = round_up(form.unit(_share(text))), _nearest(_share(text))

        least = found.share(low)[0]
        proved = round_up(1 - least) if upper else round_down(least)
        if self._holds(bound, low, found):
            return Outcome(
                Verdict.CONFIRMED, Reason.PROVED, Cause.NONE, bits, claimed, proved, 0.0, unit
            )
        excess = round_up(bound - least)
        if self._holds(bound, high, found):
            return Outcome(
                Verdict.INCONCLUSIVE, Reason.SOME_COUNTS_PROVE, Cause.PRINTED_ROUNDING, bits,
                claimed, proved, excess, unit,
            )  # fmt: skip
        bits |= _bit(kind)
        near, far = form.interval(text, _share(text))
        printed = found.share(high)[1] >= (1 - far if upper else near)
        if not printed:
            cause, reason = Cause.BEYOND_EVIDENCE, Reason.LESS_IS_PROVED
        elif form.kind == "float64":
            cause, reason = Cause.FLOAT_NOISE, Reason.NO_COUNT_PROVES
        else:
            cause, reason = Cause.PRINTED_ROUNDING, Reason.NO_COUNT_PROVES
        return Outcome(Verdict.UNSUPPORTED, reason, cause, bits, claimed, proved, excess, unit)

    def _log_error_outcome(self, text: str, found: Quantiles, counts: _Counts) -> Outcome:
        """Judge a bound on ln(1 - p), taken as it is written, by the counts behind the row."""
        low, high = share_of_log_error(text)
        if high <= 0 or found.proves(counts.least, high):
            return Outcome(Verdict.CONFIRMED, Reason.PROVED)
        bits = _bit(LOG_ERROR_OVERSTATED)
        if found.proves(counts.most, low):
            return Outcome(Verdict.INCONCLUSIVE, Reason.SOME_COUNTS_PROVE)
        cause = Cause.BEYOND_EVIDENCE
        return Outcome(Verdict.UNSUPPORTED, Reason.LESS_IS_PROVED, cause, bits)

    def _without_votes(self, key: Key) -> Outcome:
        """Judge a radius by a bound on the share that nothing else is known of."""
        setting = self.setting
        if not key.radius:
            return Outcome(Verdict.INCONCLUSIVE, Reason.NO_EVIDENCE)
        form = setting.formats["radius"]
        radius = parse_printed(key.radius)
        assert radius is not None  # noqa: S101  (infinities ended before)
        claimed, unit = _nearest(radius), round_up(form.unit(radius))
        if not setting.decided:
            bits = _bit(GUARANTEE_NOT_DECIDED)
            reason = Reason.NOT_DECIDED_HERE
            return Outcome(Verdict.INCONCLUSIVE, reason, findings=bits, claimed=claimed, unit=unit)
        if not (key.p_lower or key.log_error) or setting.scale is None:
            return Outcome(Verdict.INCONCLUSIVE, Reason.NO_EVIDENCE, claimed=claimed, unit=unit)
        low, high = self._evidence(key)
        if key.p_upper and _share(key.p_upper) < low:
            bits = _bit(P_UPPER_UNDERSTATED)
            reason = Reason.CONTRADICTS_ITSELF
            return Outcome(Verdict.INCONCLUSIVE, reason, findings=bits, claimed=claimed, unit=unit)
        bits = 0 if radius else _bit(RADIUS_ZERO)
        if key.p_lower and _share(key.p_lower) == 1:
            bits |= _bit(P_SATURATED)
        share = _share(key.p_lower) if key.p_lower else Fraction(0)
        share = least_of_one(key.p_lower) if share == 1 else share
        if key.log_error and share > high:
            # log_error is the working quantity; p_lower claims more than it says.
            return Outcome(
                Verdict.UNSUPPORTED, Reason.CONTRADICTS_ITSELF, Cause.BEYOND_EVIDENCE,
                bits | _bit(P_OVERSTATED), claimed, _radius_of_share(setting.scale, low), 0.0, unit,
            )  # fmt: skip
        below, above = setting.scale.targets(radius)
        proved = _radius_of_share(setting.scale, low)
        if _certified(above, low):
            return Outcome(
                Verdict.CONFIRMED, Reason.PROVED, Cause.NONE, bits, claimed, proved, 0.0, unit
            )
        excess = round_up(radius - (Fraction(proved) if proved > 0 else 0))
        if _certified(below, high):
            return Outcome(
                Verdict.INCONCLUSIVE, Reason.SOME_COUNTS_PROVE, Cause.PRINTED_ROUNDING, bits,
                claimed, proved, excess, unit,
            )  # fmt: skip
        printed = self._printed(key.radius)
        least = max(Fraction(0), printed.from_) if printed is not None else below
        cause = Cause.BEYOND_EVIDENCE
        if _certified(least, high):
            cause = Cause.FLOAT_NOISE if form.kind == "float64" else Cause.PRINTED_ROUNDING
        kind = RADIUS_EXCEEDS_GUARANTEE if high > Fraction(1, 2) else VOTE_NOT_WON
        return Outcome(
            Verdict.UNSUPPORTED, Reason.LESS_IS_PROVED, cause, bits | _bit(kind),
            claimed, proved, excess, unit,
        )  # fmt: skip

    def _evidence(self, key: Key) -> tuple[Fraction, Fraction]:
        """Return rationals between which the proven share lies that a row without votes states."""
        if key.log_error:
            return share_of_log_error(key.log_error)
        share = _share(key.p_lower)
        if share == 1:
            return least_of_one(key.p_lower), _SATURATED
        if self.setting.p_is_exact:
            return share, share
        return self._share_interval("p_lower", key.p_lower)

    def _measured(self, key: Key, outcome: Outcome) -> Outcome:
        """Add the claim itself to an outcome that needed no comparison."""
        text = key.radius or key.p_lower
        value = parse_printed(text) if text else None
        return outcome if value is None else outcome._replace(claimed=_nearest(value))

    def mend(self, key: Key) -> dict[str, str] | None:
        """Return what a row may print instead, by column: what is proved, rounded to its side.

        A radius of "" says that nothing is proved: the row should abstain. None where it is open
        what is proved.
        """
        setting = self.setting
        if self.outcome(key).reason not in _DECIDED:
            return None
        try:
            found = setting.quantiles(_whole(key.samples) if key.samples else None)
            if found is None:
                assert setting.scale is not None  # noqa: S101  (else nothing was decided)
                share = self._evidence(key)[0]
                return self._printed_radius(_radius_of_share(setting.scale, share))
            votes = _whole(key.votes) if key.votes else None
            counts = self._counts(key, found, votes)
            printed = self._printed(key.radius) if key.radius else None
            if printed is not None and votes is None:
                same = self._consistent(printed, found, counts)
                if same.least <= same.most or not (key.p_lower or key.p_upper):
                    counts = same
        except InputError:
            return {"radius": ""} if key.radius else None
        if not 0 <= counts.least <= min(counts.most, found.samples):
            return {"radius": ""} if key.radius else None
        changed = self._mended_shares(key, found, counts)
        if key.radius and self.outcome(key).verdict is not Verdict.CONFIRMED:
            return changed | self._printed_radius(self._radius_of(found, counts.least))
        return changed

    def _printed_radius(self, proved: float) -> dict[str, str]:
        known = math.isfinite(proved)
        return {"radius": self.setting.formats["radius"].down(Fraction(proved)) if known else ""}

    def _mended_shares(self, key: Key, found: Quantiles, counts: _Counts) -> dict[str, str]:
        changed = {}
        if key.p_lower and not self._holds(_share(key.p_lower), counts.least, found):
            low = found.share(counts.least)[0]
            changed["p_lower"] = self.setting.formats["p_lower"].down(low)
        others = found.samples - counts.most
        if key.p_upper and not self._holds(1 - _share(key.p_upper), others, found):
            high = 1 - found.share(others)[0]
            changed["p_upper"] = self.setting.formats["p_upper"].up(high)
        return changed

    @staticmethod
    def _holds(bound: Fraction, count: int, found: Quantiles) -> bool:
        """Return whether votes prove a share of at least `bound`."""
        return bound <= 0 or (bound < 1 and found.proves(count, bound))

    # Parameters ------------------------------------------------------------------------------

    def explain(self, keys: Sequence[Key]) -> list[bool]:
        """Return `explains` of many rows at once; the answers are kept, files repeat them."""
        new = [key for key in keys if key not in self._explained]
        if len(self._explained) + len(new) > _MOST:
            self._explained.clear()
            new = list(keys)
        self.prepare(new, only_least=True)
        self._explained.update((key, self.explains(key)) for key in new)
        return [self._explained[key] for key in keys]

    def explains(self, key: Key) -> bool:
        """Return whether some count gives numbers that print as those of a row.

        Rows that cannot be read are passed over, they say nothing of the parameters; so are limits.
        """
        setting = self.setting
        try:
            samples = _whole(key.samples) if key.samples else None
            found = setting.quantiles(samples)
            if found is None:
                return False
            votes = _whole(key.votes) if key.votes else None
            if votes is not None:
                return 0 <= votes <= found.samples  # what they prove is judged, not explained
            counts = self._counts(key, found, votes)
            if key.radius and setting.decided:
                printed = self._printed(key.radius)
                if printed is None:
                    return True
                least = max(found.first(printed.from_), found.first(Fraction(0)), counts.least)
                if least > min(found.samples, counts.most):
                    return False
                low, high = found.radius(least)
                if high <= printed.to or low > printed.to:
                    return high <= printed.to
                counts = self._consistent(printed, found, counts)
        except (InputError, Undecided):
            return True
        return counts.least <= counts.most


def _table(outcomes: list[Outcome]) -> Judged:
    if not outcomes:
        return Judged.blank(0)
    verdict, reason, cause, bits, claimed, proved, excess, unit = zip(*outcomes, strict=True)
    return Judged(
        np.array([word.code for word in verdict], np.uint8),
        np.array([word.code for word in cause], np.uint8),
        np.array([word.code for word in reason], np.uint8),
        np.array(bits, np.uint64),
        np.array(claimed),
        np.array(proved),
        np.array(excess),
        np.array(unit),
    )


def _worst(outcomes: list[Outcome], *, of_radius: bool) -> Outcome:
    """Return the worst of a row's outcomes, with all findings.

    Claimed and proved are those of the radius, the last one, where there is one; the excess is
    that of the column which makes the verdict.
    """
    if not outcomes:
        return Outcome(Verdict.INCONCLUSIVE, Reason.NO_EVIDENCE)
    worst = min(outcomes, key=lambda outcome: _RANK[outcome.verdict])
    last = outcomes[-1]
    if of_radius and _RANK[last.verdict] == _RANK[worst.verdict]:
        worst = last
    bits = 0
    for outcome in outcomes:
        bits |= outcome.findings
    if of_radius:
        worst = worst._replace(claimed=last.claimed, proved=last.proved)
    return worst._replace(findings=bits)


def _least(found: Quantiles, share: Fraction) -> int:
    """Return the least count whose lower bound is at least a share; samples + 1 for 1 and more."""
    if share <= 0:
        return 0
    return found.samples + 1 if share >= 1 else found.first_shares([share])[0]


def _share(text: str) -> Fraction:
    """Return a printed share.

    Raises InputError where it is no number in [0, 1].
    """
    value = parse_printed(text)
    if value is None or not 0 <= value <= 1:
        raise InputError("a share lies in [0, 1]")
    return value


def share_of_log_error(text: str) -> tuple[Fraction, Fraction]:
    """Return rationals around 1 - e^x for a printed x.

    Raises InputError where x is no number, Undecided where it is below about -40,000.
    """
    value = parse_printed(text)
    if value is None:
        raise InputError("a log error is finite")
    if value >= 0:
        return Fraction(0), Fraction(0)
    bits = 128 + 2 * int(min(-value, Fraction(_MAX_LOG_BITS)))
    if bits > _MAX_LOG_BITS:
        raise Undecided("the log error is too small")
    with working_precision(bits):
        error = from_ball(to_ball(value).exp())
    return 1 - error.upper, 1 - error.lower


def least_of_one(text: str) -> Fraction:
    """Return the least share that prints as a 1: of three decimals 0.9995, of a float 1 - 2^-54."""
    place = own_place(text)
    return min(1 - place / 2, _SATURATED) if place < Fraction(1, 10) else _SATURATED


def _whole(text: str) -> int:
    """Return a printed integer.

    Raises InputError for anything else.
    """
    value = parse_printed(text)
    if value is None or value.denominator != 1:
        raise InputError("a count is an integer")
    return int(value)


def _certified(target: Fraction, share: Fraction) -> bool:
    """Return whether a share proves a radius of `target` times sigma."""
    if share >= 1:
        return True
    return share > 0 and certified(_UNIT_NOISE, max(target, Fraction(0)), p=share)


def _radius_of_share(scale: Scale, share: Fraction) -> float:
    """Return the radius that a share proves, rounded down; NaN for shares up to 1/2."""
    if share <= Fraction(1, 2):
        return math.nan
    quantile = round_down(gaussian_radius(_UNIT_NOISE, p=min(share, _SATURATED)).lower)
    return max(0.0, round_down(scale.radius_down(quantile)))


def _nearest(value: Fraction) -> float:
    """Return the float64 nearest to a number, infinite beyond their range."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _bit(kind: Kind) -> int:
    return BITS[kind.code]
