"""Claims under product noise (label flips, discrete values): whole columns judged at once.

Float64 enclosures of thresholds decide nearly every row by comparisons alone; what lies between
them is decided exactly, on the text as it was written.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import TypeAlias, TypeVar

import numpy as np
from flint import arb
from numpy.typing import NDArray

from certaudit.auditing.verdict import Cause, Judged, Reason, Verdict
from certaudit.claims import Chunk
from certaudit.errors import InputError, Undecided
from certaudit.exact import as_integer, as_rational, parse_rational, round_down, round_up
from certaudit.fast.confidence import proves
from certaudit.findings import BITS
from certaudit.noise import LabelFlip, ProductNoise, check_product
from certaudit.rigorous.balls import decide, from_ball, order, to_ball, working_precision
from certaudit.rigorous.confidence import MAX_SAMPLES, Sampled, lower_bound
from certaudit.rigorous.radius import certified, divergence, kl_radius
from certaudit.rigorous.threshold import MAX_RADIUS, threshold, thresholds

__all__ = ["ProductJudge", "covers_plurality"]

Floats: TypeAlias = "NDArray[np.float64]"
Integers: TypeAlias = "NDArray[np.int64]"
Mask: TypeAlias = "NDArray[np.bool_]"
Span: TypeAlias = "tuple[int, int]"
"""(a, b): every radius up to a is proven (-1: none), from b on none is; between them it is open."""

Step: TypeAlias = "tuple[float, float] | None"
"""An enclosure of what a radius asks for, None where no evidence is enough."""

T = TypeVar("T")

_FAR = 1 << 62
"""No radius: every one that is read is smaller, those above _FAR - 1 stand there."""
_PLAIN = b"0123456789+-.eE"
_LONG = 300
"""Text of at most that many plain characters has no exponent beyond the limits unless its float
is 0, infinite or subnormal."""
_TINY, _HUGE = 2.0**-1022, 1.7976931348623157e308
_NEAR_ONE = 1 - 2.0**-30
"""From there on p is compared through ln(1 - p)."""
_UNSEEN = Fraction(1, 1 << 54)
"""1 - p of the smallest p that prints as 1.0."""
_ONE = re.compile(r"[+]?[0-9]*(?:[.]([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
"""Decimals, among texts that write the number 1: the digits after the point, the exponent."""
_NOISE = Fraction(1, 1 << 33)
"""What counts as an error of float64 arithmetic, relative."""
_CACHED = 1 << 18
_LEAST_REACH, _MOST_REACH, _SLOW_REACH = 1 << 10, 1 << 15, 1 << 10
_MOST_LISTED, _SLOW_LISTED = 1 << 16, 1 << 12
"""Ladders end there; for three values or more, where r of them cost as r^2, earlier."""
_MOST_COVERED = 1 << 8
"""Larger radii than claimed are tried up to there as pairwise bounds of the plurality vote."""
_OPEN_BITS = 1 << 12
_ROCK_BOTTOM = -90_000

_NAN, _NO_NUMBER, _NEGATIVE, _INFINITE, _MINUS_INFINITE = -1, -2, -3, -4, -5


class _Radii(dict[str, int]):
    """The radius that a text writes, or why it is none; each text is read once."""

    def __missing__(self, text: str) -> int:
        found = _radius(text)
        _keep(self, text, found)
        return found


def _radius(text: str) -> int:
    word = text.lower().removeprefix("-" if text.startswith("-") else "+")
    if word in ("inf", "infinity"):
        return _MINUS_INFINITE if text.startswith("-") else _INFINITE
    if word == "nan":
        return _NAN
    value = _number(text)
    if value is None:
        return _NO_NUMBER
    if value < 0:
        return _NEGATIVE
    return min(value.numerator, _FAR - 1) if value.denominator == 1 else _NO_NUMBER


def _number(text: str) -> Fraction | None:
    """Return the number that a text writes; None where it writes none, in ASCII."""
    if text.isascii():
        with suppress(InputError):
            return parse_rational(text)
    return None


def _share(text: str) -> Fraction:
    """Return the vote share that a number stands for: itself, below 1 where 1 is printed.

    1 of d >= 2 decimals is every p from 1 - 10^-d/2 on, any other 1 every p whose float64 is 1.0.
    """
    value = parse_rational(text)
    if value != 1:
        return value
    found = _ONE.fullmatch(text.strip())
    places = len(found[1] or "") - int(found[2] or 0) if found else 0
    # Nearer to 1 than floats distinguish is nothing that floats were printed from.
    return 1 - (max(Fraction(1, 2 * 10**places), _UNSEEN) if places >= 2 else _UNSEEN)


def _keep(cache: dict[Hashable, T] | _Radii, key: Hashable, value: T) -> None:
    """Remember an answer; a cache that is full starts anew."""
    if len(cache) >= _CACHED:
        cache.clear()
    cache[key] = value  # type: ignore[assignment,index]


@dataclass(slots=True)
class _Column:
    """A column of numbers: the nearest float64 of each, and which are there or cannot be read.

    The number that is written lies strictly between the neighbours of its float.
    """

    texts: Sequence[str]
    values: Floats
    given: Mask
    unreadable: Mask

    @classmethod
    def read(cls, texts: Sequence[str]) -> _Column:
        """Read texts; Python's float() is correctly rounded."""
        values = _floats(texts)
        size = np.abs(values)
        given, unreadable = np.ones(len(texts), np.bool_), np.zeros(len(texts), np.bool_)
        seen: dict[str, float | None] = {}
        for row in np.flatnonzero(~((size >= _TINY) & (size <= _HUGE))).tolist():
            text = texts[row]
            if not text:
                given[row] = False
                continue
            if text not in seen:
                seen[text] = _nearest(text)
            value = seen[text]
            if value is None:
                given[row], unreadable[row] = False, True
            else:
                values[row] = value
        return cls(texts, values, given, unreadable)

    @classmethod
    def absent(cls, rows: int) -> _Column:
        """Return a column that is not there."""
        none = np.zeros(rows, np.bool_)
        return cls([""] * rows, np.full(rows, np.nan), none, none.copy())


def _floats(texts: Sequence[str]) -> Floats:
    """Return the float of each text; NaN where it may not be what the text writes."""
    rows = len(texts)
    joined = "".join(texts)
    if joined.isascii() and not joined.encode().translate(None, _PLAIN):
        with suppress(ValueError):
            if max(map(len, texts), default=0) <= _LONG:
                return np.fromiter(map(float, texts), np.float64, rows)
    return np.fromiter(map(_float, texts), np.float64, rows)


def _float(text: str) -> float:
    if text and len(text) <= _LONG and text.isascii() and not text.encode().translate(None, _PLAIN):
        with suppress(ValueError):
            return float(text)
    return math.nan


def _nearest(text: str) -> float | None:
    """Return the nearest float64 of the number that a text writes, None where it writes none."""
    value = _number(text)
    return None if value is None else _to_float(value)


def _to_float(value: Fraction) -> float:
    try:
        return value.numerator / value.denominator
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _down(values: Floats, steps: int = 1) -> Floats:
    for _ in range(steps):
        values = np.nextafter(values, -np.inf)
    return values


def _up(values: Floats, steps: int = 1) -> Floats:
    for _ in range(steps):
        values = np.nextafter(values, np.inf)
    return values


def _order(first: Floats, second: Floats) -> NDArray[np.int8]:
    """Return the order of numbers by their nearest floats; 0 where it is not known by these."""
    above = _down(first) >= _up(second)
    return above.astype(np.int8) - (_up(first) <= _down(second))


class _Ladder:
    """Enclosures [low, high] of what each radius asks for, as float64: both never fall.

    `steps(start, stop)` yields them, None where no evidence is enough (for no larger one either).
    """

    def __init__(self, steps: Callable[[int, int], Iterable[Step]]) -> None:
        self._steps = steps
        self.low: Floats = np.empty(0)
        self.high: Floats = np.empty(0)
        self.ended = False
        self._stuck = False

    def grow(self, reach: int, strongest: float) -> None:
        """Go on up to radius `reach`, or to one that evidence below `strongest` does not prove."""
        while (
            len(self.low) <= reach
            and not (self.ended or self._stuck)
            and not (len(self.low) and self.low[-1] >= strongest)
        ):
            start = len(self.low)
            self._extend(start, min(reach + 1, max(64, 2 * start)))

    def _extend(self, start: int, stop: int) -> None:
        found: list[tuple[float, float]] = []
        try:
            for step in self._steps(start, stop):
                if step is None:
                    self.ended = True
                    break
                found.append(step)
        except Undecided:
            self._stuck = True
        if found:
            ends = np.array(found)
            # What is asked for never falls with the radius: a larger low end of a smaller radius
            # is one of this radius too, and a larger high end is always one.
            self.low = np.maximum.accumulate(np.concatenate([self.low, ends[:, 0]]))
            self.high = np.maximum.accumulate(np.concatenate([self.high, ends[:, 1]]))

    def spans(self, low: Floats, high: Floats) -> tuple[Integers, Integers]:
        """Return what evidence strictly between `low` and `high` proves, as arrays of spans."""
        sure = np.searchsorted(self.high, low, side="right")
        unsure = np.searchsorted(self.low, high, side="left")
        if not self.ended:
            unsure = np.where(unsure == len(self.low), _FAR, unsure)
        return (sure - 1).astype(np.int64), unsure.astype(np.int64)


def _tight_log_steps(noise: ProductNoise) -> Callable[[int, int], Iterator[Step]]:
    """Return enclosures of -ln(1 - F^-1(r))."""

    def steps(start: int, stop: int) -> Iterator[Step]:
        for least in thresholds(noise, start, stop):
            if least is None:
                yield None
                continue
            down = least.log_error_down()
            yield -math.nextafter(down, math.inf), -down

    return steps


def _tight_share_steps(noise: ProductNoise) -> Callable[[int, int], Iterator[Step]]:
    """Return enclosures of F^-1(r)."""

    def steps(start: int, stop: int) -> Iterator[Step]:
        for least in thresholds(noise, start, stop):
            if least is None:
                yield None
                continue
            up = least.p_up()
            yield math.nextafter(up, -math.inf), up

    return steps


def _kl_steps(noise: ProductNoise, *, log: bool) -> Callable[[int, int], Iterator[Step]]:
    """Return enclosures of the share p with -ln(4p(1-p)) = 2 r D, or of -ln(1 - p)."""

    def one(radius: int) -> arb:
        spent = 2 * radius * divergence(noise)
        # As in kl_log_error: 1 - p = u/(2(1 + sqrt(1 - u))) for u = exp(-2 r D).
        root = (-(-spent).expm1()).sqrt() if radius else arb(0)
        return spent + arb(2).log() + root.log1p() if log else (1 + root) / 2

    def steps(start: int, stop: int) -> Iterator[Step]:
        for radius in range(start, stop):
            with working_precision(160):
                enclosure = from_ball(one(radius))
            yield round_down(enclosure.lower), round_up(enclosure.upper)

    return steps


@dataclass(frozen=True, slots=True)
class _Evidence:
    """One number as evidence: a lower bound on p, or an upper bound on ln(1 - p)."""

    value: Fraction
    log: bool

    def stronger(self) -> _Evidence:
        """Return it moved by what counts as float noise: log_error, or 1 - p, relatively."""
        if self.log:
            return _Evidence(self.value * (1 + _NOISE), log=True)
        return _Evidence(self.value + (1 - self.value) * _NOISE, log=False)

    def certifies(self, noise: ProductNoise, radius: int) -> bool:
        if self.log:
            return certified(noise, radius, log_error=self.value)
        return self.value >= 0 and certified(noise, radius, p=self.value)

    def kl(self, noise: ProductNoise) -> int:
        if self.log:
            return kl_radius(noise, log_error=self.value)
        return kl_radius(noise, p=max(self.value, Fraction(0)))


def covers_plurality(noise: LabelFlip, radius: int) -> bool | None:
    """Return whether the pairwise bound B.3 at `radius` holds for the plurality vote; exact.

    It does where (K-1) e(r) < 1 - F^-1(r), e(r) = (1 - sqrt(1 - exp(-2 r D)))/2 the error of a pair
    at which B.3 gives r, D = divergence(noise): no pair errs more, and the errors add up. True for
    two classes, where both votes are one. None where balls of 4,096 bits do not decide it.

    Raises InputError for a radius outside 0..1,000,000.

    Proof: `proofs/audit-product.md`.
    """
    least = threshold(noise, radius)
    if noise.classes == 2:
        return True
    if least is None:
        return False
    bits = 128
    while bits <= _OPEN_BITS:
        with working_precision(bits):
            spent = 2 * radius * divergence(noise)
            root = (-(-spent).expm1()).sqrt() if radius else arb(0)
            errors = (noise.classes - 1) * (-spent).exp() / (2 * (1 + root))
            sign = order(errors, least.ball(bits))
        if sign is not None:
            return sign < 0
        bits *= 2
    return None


class ProductJudge:
    """Judge of claims "this prediction stands unless more than r labels (coordinates) change".

    `guarantee` is the one that the claims declare: "kl", "tight", "exact" or None. Claims are
    confirmed by the tight one, whatever they declare; what is declared exact and not proven so is
    inconclusive: only the alphas of the classifier decide it. `failure_prob` is that of one
    statement, shared by `sides` bounds; the votes are taken as other ones than those that chose the
    class. `pairwise_bound` says that log_error and p_lower are bounds of B.2 on single pairs while
    `vote` is (or may be) "plurality": a radius is then confirmed only where the KL radius reaches
    it and covers_plurality does.

    `Judged.proved` is the largest radius that the evidence proves by the tight guarantee, at most
    `training_labels`. It is sought up to four times the largest claimed radius of the rows seen
    (1,024 at least, 32,768 at most unless more is claimed; for three values or more 1,024 at most
    unless more is claimed): for evidence that proves more it is a lower bound. It is NaN where
    nothing is proven (not even that the class wins: 0 says that it does), where there is no
    evidence or the row contradicts itself. Of a pairwise bound for the plurality vote it is the
    claimed radius where that is proven, else NaN. `excess` is claimed - proved where that is
    positive, 0 where the row is confirmed, else NaN: what is wrong is not the radius then. `unit`
    is 1.

    Raises InputError for parameters outside their domain.
    """

    def __init__(
        self,
        noise: ProductNoise,
        *,
        guarantee: str | None = None,
        training_labels: int | None = None,
        samples: int | None = None,
        failure_prob: Fraction | None = None,
        sides: int = 1,
        vote: str | None = None,
        pairwise_bound: bool = False,
    ) -> None:
        check_product(noise)
        if guarantee not in (None, "kl", "tight", "exact"):
            raise InputError(f"guarantee: {guarantee!r} is not one of this noise model's")
        if vote not in (None, "pairwise", "plurality"):
            raise InputError(f"vote: {vote!r} is neither pairwise nor plurality")
        if sides not in (1, 2):
            raise InputError("sides: must be 1 or 2")
        if training_labels is not None and as_integer(training_labels, "training_labels") < 0:
            raise InputError("training_labels: must not be negative")
        if samples is not None and not 1 <= as_integer(samples, "samples") <= MAX_SAMPLES:
            raise InputError(f"samples: must lie in 1..{MAX_SAMPLES}")
        self.noise, self.kl, self.exact = noise, guarantee == "kl", guarantee == "exact"
        self.training_labels = training_labels
        self.samples = samples
        self.chance: Fraction | None = None
        if failure_prob is not None:
            self.chance = as_rational(failure_prob, "failure_prob") / sides
            if not 0 < self.chance * sides < 1:
                raise InputError("failure_prob: must lie strictly between 0 and 1")
        self.pairwise = (
            pairwise_bound
            and vote != "pairwise"
            and isinstance(noise, LabelFlip)
            and noise.classes > 2
        )
        self.uniform = noise.law.high == noise.law.low
        self.reach = _LEAST_REACH
        self.radii = _Radii()
        self._cache: dict[Hashable, object] = {}
        self._tight = {
            True: _Ladder(_tight_log_steps(noise)),
            False: _Ladder(_tight_share_steps(noise)),
        }
        self._kl_ladder = {log: _Ladder(_kl_steps(noise, log=log)) for log in (True, False)}

    def judge(self, chunk: Chunk) -> Judged:
        """Return the verdicts on the rows of a chunk. One bad row never affects another.

        Columns read: radius, log_error, p_lower, p_upper, count, samples, constant, evidence (1
        where an exact proof says who wins the vote). Votes are the evidence of a row that has a
        count, and if they cannot be used (samples or failure_prob are not known) it has none; else
        log_error is, else p_lower. The other numbers of the row are
        claims that are checked against it: p_lower against votes of unknown failure_prob by their
        share, p_upper only against p_lower and 0. The verdict of a row is the worst over its
        claims.

        p printed as 1 stands for 1 - 10^-d/2 where it has d >= 2 decimals, and for no more than
        1 - 2^-54.

        Proof: `proofs/audit-product.md`.
        """
        return _Bench(self, chunk).judged()

    def remember(self, key: Hashable, answer: Callable[[], T]) -> T:
        """Return a cached answer."""
        if key not in self._cache:
            _keep(self._cache, key, answer())
        return self._cache[key]  # type: ignore[return-value]

    def claim_reach(self, largest: int) -> None:
        """Seek radii up to a multiple of what is claimed."""
        largest = min(largest, MAX_RADIUS)
        most = _SLOW_REACH if self.noise.law.rest else _MOST_REACH
        wanted = max(largest, min(4 * largest, most), 1)
        # A power of two, so that answers stay cached while claims grow a little.
        self.reach = max(self.reach, min(1 << (wanted - 1).bit_length(), MAX_RADIUS))

    def certifies(self, evidence: _Evidence, text: str, radius: int) -> bool | None:
        """Decide a radius exactly, None where a limit is reached."""

        def ask() -> bool | None:
            try:
                return evidence.certifies(self.noise, radius)
            except (Undecided, InputError):
                return None

        return self.remember(("certifies", evidence.log, text, radius), ask)

    def narrowed(self, evidence: _Evidence, text: str, span: Span) -> Span:
        """Return the exact span of evidence, from one that is finite."""

        def ask() -> Span:
            return _bisect(span, lambda radius: self.certifies(evidence, text, radius))

        return self.remember(("span", evidence.log, text, span), ask)

    def _listed(self) -> int:
        return min(self.reach, _SLOW_LISTED if self.noise.law.rest else _MOST_LISTED)

    def spans(self, low: Floats, high: Floats, *, log: bool) -> tuple[Integers, Integers]:
        """Return what evidence strictly between `low` and `high` proves by the tight guarantee.

        `log` says whether it is -log_error or p.
        """
        ladder = self._tight[log]
        if self.uniform:
            # F^-1(r) = 1/2 for every r.
            ladder.grow(0, math.inf)
            proven, open_ = ladder.spans(low, high)
            return (
                np.where(proven >= 0, MAX_RADIUS, -1),
                np.where(open_ > 0, _FAR, 0),
            )
        ladder.grow(self._listed(), float(high.max(initial=-np.inf)))
        return ladder.spans(low, high)

    def kl_spans(self, low: Floats, high: Floats, *, log: bool) -> tuple[Integers, Integers]:
        """Return what evidence strictly between `low` and `high` proves by the KL guarantee."""
        if self.uniform or not self.noise.law.low:
            return np.full(len(low), -1), np.full(len(low), _FAR)  # exactly, by kl_radius
        ladder = self._kl_ladder[log]
        ladder.grow(self._listed(), float(high.max(initial=-np.inf)))
        return ladder.spans(low, high)

    def vote_spans(self, counts: Iterable[int], samples: int) -> dict[int, Span]:
        """Return what each count of `samples` votes proves by the tight guarantee."""
        chance, reach = self.chance, self.reach
        assert chance is not None  # noqa: S101  (votes are evidence only where it is known)

        def ask(count: int, below: Span, above: Span) -> Span:
            claim = Sampled(count, samples, chance)

            def holds(radius: int) -> bool | None:
                try:
                    least = threshold(self.noise, radius)
                    return least is not None and proves(claim, least)
                except (Undecided, InputError):
                    return None

            if self.uniform:
                holds_at_all = holds(0)
                return (MAX_RADIUS if holds_at_all else -1), 0 if holds_at_all is False else _FAR
            return _gallop((below[0], above[1]), reach, holds)

        return self._spread(("votes", samples, reach), counts, ask)

    def vote_kl_spans(self, counts: Iterable[int], samples: int) -> dict[int, Span]:
        """Return what each count of `samples` votes proves by the KL guarantee."""
        chance = self.chance
        assert chance is not None  # noqa: S101  (as above)

        def ask(count: int, _below: Span, _above: Span) -> Span:
            try:
                bound = lower_bound(count, samples, chance)
                return (
                    kl_radius(self.noise, p=bound.lower),
                    kl_radius(self.noise, p=bound.upper) + 1,
                )
            except (Undecided, InputError):
                return -1, _FAR

        return self._spread(("kl votes", samples), counts, ask)

    def _spread(
        self, kind: Hashable, counts: Iterable[int], ask: Callable[[int, Span, Span], Span]
    ) -> dict[int, Span]:
        """Return the spans of counts; more votes prove no less, so most follow from two others."""
        keys = sorted(set(counts))
        found: dict[int, Span] = {}

        def put(place: int, below: Span, above: Span) -> Span:
            key = keys[place]
            found[key] = self.remember((kind, key), lambda: ask(key, below, above))
            return found[key]

        last = put(len(keys) - 1, (-1, _FAR), (-1, _FAR))
        put(0, (-1, _FAR), last)
        waiting = [(0, len(keys) - 1)]
        while waiting:
            first, last_place = waiting.pop()
            below, above = found[keys[first]], found[keys[last_place]]
            if last_place - first < 2:
                continue
            if below == above or above[1] - below[0] == 1:
                found |= dict.fromkeys(keys[first + 1 : last_place], (below[0], above[1]))
                continue
            middle = (first + last_place) // 2
            put(middle, below, above)
            waiting += pairwise((first, middle, last_place))
        return found

    def covers(self, radius: int) -> bool | None:
        """Return whether a pairwise radius holds for the plurality vote."""

        def ask() -> bool | None:
            assert isinstance(self.noise, LabelFlip)  # noqa: S101  (see self.pairwise)
            try:
                return covers_plurality(self.noise, radius)
            except Undecided:
                return None

        return self.remember(("covers", radius), ask)

    def covered(self, spans: Sequence[Span]) -> list[bool]:
        """Return for which (r, R) one of the radii r, ..., R is known to be covered.

        Tried are r, R and three between them; a radius that is found serves all spans it is in.
        """
        found: list[int] = []
        answers: dict[Span, bool] = {}
        # The smallest R first: what is found there lies within most other spans.
        for span in sorted(spans, key=lambda span: span[1]):
            low, high = span
            place = bisect_left(found, low)
            answers[span] = place < len(found) and found[place] <= high
            step = high - low
            tried = (low, high, low + step // 2, low + step // 4, high - step // 4)
            for radius in () if answers[span] else dict.fromkeys(tried):
                if self.covers(radius) is True:
                    insort(found, radius)
                    answers[span] = True
                    break
        return [answers[span] for span in spans]

    def share_proved(self, count: int, samples: int, text: str, factor: Fraction) -> bool | None:
        """Return whether votes prove p_lower * factor, None at a limit."""
        return self._votes_prove(count, samples, _share(text) * factor)

    def _votes_prove(self, count: int, samples: int, share: Fraction) -> bool | None:
        if share <= 0:
            return True  # no proof is needed
        chance = self.chance
        assert chance is not None  # noqa: S101  (as above)
        try:
            return proves(Sampled(count, samples, chance), share)
        except Undecided:
            return None

    def log_proved(self, count: int, samples: int, text: str, factor: Fraction) -> bool | None:
        """Return whether votes prove ln(1 - p) <= log_error * factor, None at a limit."""
        log_error = parse_rational(text) * factor
        if log_error >= 0:
            return True
        # Less than this is hardly ever proven; the less, the more is claimed.
        nearer = max(log_error, Fraction(_ROCK_BOTTOM))
        bits = 128
        while bits <= _OPEN_BITS:
            with working_precision(bits):
                error = from_ball(to_ball(nearer).exp())
            if self._votes_prove(count, samples, 1 - error.upper) is False:
                return False
            if nearer == log_error and self._votes_prove(count, samples, 1 - error.lower):
                return True
            bits *= 2
        return None


def _bisect(span: Span, holds: Callable[[int], bool | None]) -> Span:
    """Return the exact span of a falling predicate within one; less where it is not decided."""
    low, high = span
    while high - low > 1:
        middle = (low + high) // 2
        answer = holds(middle)
        if answer is None:
            return low, high
        low, high = (middle, high) if answer else (low, middle)
    return low, high


def _gallop(span: Span, reach: int, holds: Callable[[int], bool | None]) -> Span:
    """Return the span of a falling predicate, sought up to `reach`."""
    low, high = span
    while high == _FAR:
        if low >= reach:
            return low, _FAR
        guess = min(2 * low + 2, reach)
        answer = holds(guess)
        if answer is None:
            return low, _FAR
        low, high = (guess, high) if answer else (low, guess)
    return _bisect((low, high), holds)


_RANKS = (
    Verdict.CONFIRMED,
    Verdict.INCONCLUSIVE,
    Verdict.UNSUPPORTED,
    Verdict.REFUTED,
    Verdict.MALFORMED,
)


class _Bench:
    """One chunk while it is judged."""

    def __init__(self, judge: ProductJudge, chunk: Chunk) -> None:
        self.judge, self.columns, self.rows = judge, chunk.columns, len(chunk.lines)
        self.result = Judged.blank(self.rows)
        self.rank = np.full(self.rows, -1, np.int8)
        self.log = self._read("log_error")
        self.share, self.upper = self._read("p_lower"), self._read("p_upper")
        rows = self.rows
        self.radius = np.full(rows, _NO_NUMBER, np.int64)
        self.counts, self.samples = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self.proven = np.full(rows, -1, np.int64)
        self.unproven = np.full(rows, _FAR, np.int64)
        self.kl_proven, self.kl_unproven = self.proven.copy(), self.unproven.copy()
        self.close = np.zeros(rows, np.bool_)

    def _read(self, name: str) -> _Column:
        texts = self.columns.get(name)
        return _Column.absent(self.rows) if texts is None else _Column.read(texts)

    def rule(
        self, where: Mask, verdict: Verdict, reason: Reason, cause: Cause = Cause.NONE
    ) -> None:
        """Say a verdict on a claim of some rows: the worst of a row stays, the first of equals."""
        rank = _RANKS.index(verdict)
        worse = where & (self.rank < rank)
        self.result.put(worse, verdict, reason, cause)
        self.rank[worse] = rank

    def find(self, where: Mask, code: str) -> None:
        self.result.findings[where] |= np.uint64(BITS[code])

    def judged(self) -> Judged:
        self._radii()
        for column in (self.log, self.share, self.upper):
            self.rule(column.unreadable, Verdict.MALFORMED, Reason.UNREADABLE)
        impossible = self.log.given & (self.log.values > 0)
        self.find(impossible, "CA103")
        self.rule(impossible, Verdict.UNSUPPORTED, Reason.LESS_IS_PROVED)
        constant = self._constant()
        counted, voted = self._votes()
        saturated = self._shares(constant)
        usable = ~constant & (self.rank < _RANKS.index(Verdict.MALFORMED))
        voted &= usable
        by_log = usable & ~counted & self.log.given
        by_share = usable & ~counted & ~by_log & self.share.given
        claimed = self.claims & usable & (self.radius >= 0)
        self._by_votes(voted & claimed)
        self._by_number(by_log & claimed, self.log, log=True)
        self._by_number(by_share & claimed, self.share, log=False)
        self._decide_radii(claimed, voted, by_log | by_share)
        self._check_against_votes(voted)
        self._check_share_against_estimate(counted & usable & ~voted)
        self._check_share_against_log(by_log & self.share.given, saturated)
        self._check_upper(usable)
        self._finish()
        return self.result

    # -- reading ---------------------------------------------------------------------------------

    def _radii(self) -> None:
        texts = self.columns.get("radius")
        self.claims = np.full(self.rows, texts is not None)
        if texts is None:
            return
        table = self.judge.radii
        self.radius = np.fromiter(map(table.__getitem__, texts), np.int64, self.rows)
        radius, claimed = self.radius, self.result.claimed
        claimed[:] = np.where(radius >= 0, radius.astype(np.float64), np.nan)
        for row in np.flatnonzero(radius == _FAR - 1).tolist():
            claimed[row] = _to_float(parse_rational(texts[row]))
        bad = (radius < 0) & (radius != _INFINITE)
        self.rule(bad, Verdict.MALFORMED, Reason.UNREADABLE)
        self.find((radius == _NEGATIVE) | (radius == _MINUS_INFINITE), "CA122")
        infinite = radius == _INFINITE
        self.find(infinite | (radius == _MINUS_INFINITE) | (radius == _NAN), "CA125")
        claimed[infinite] = np.inf
        if self.judge.uniform:
            # Every number of changes is certified by p > 1/2 there, but no infinite one is decided.
            self.rule(infinite, Verdict.INCONCLUSIVE, Reason.LIMIT)
        else:
            self.rule(infinite, Verdict.REFUTED, Reason.IMPOSSIBLE)
        inside = radius[(radius >= 0) & (radius <= MAX_RADIUS)]
        self.judge.claim_reach(int(inside.max(initial=0)))

    def _constant(self) -> Mask:
        """Rows whose vote is said to read no labels: the claim is that none of them changes it."""
        texts = self.columns.get("constant")
        if texts is None:
            return np.zeros(self.rows, np.bool_)
        words = [text.lower() for text in texts]
        constant = np.array([word in ("1", "1.0", "true") for word in words], np.bool_)
        known = constant | np.array([word in ("", "0", "0.0", "false") for word in words], np.bool_)
        self.rule(~known, Verdict.MALFORMED, Reason.UNREADABLE)
        rows = constant & self.claims & (self.radius >= 0)
        # Only alpha shows that: a row that says so is no evidence for it.
        self.rule(rows, Verdict.INCONCLUSIVE, Reason.NOT_DECIDED_HERE)
        if self.judge.training_labels is not None:
            beyond = rows & (self.radius > min(self.judge.training_labels, _FAR - 2))
            self.find(beyond, "CA130")
            self.rule(beyond, Verdict.UNSUPPORTED, Reason.IMPOSSIBLE)
        return constant

    def _integers(self, name: str) -> tuple[Integers, Mask]:
        """Read counts: -1 where they are possible in no way, and which rows have one."""
        texts = self.columns.get(name)
        if texts is None:
            return np.full(self.rows, -1, np.int64), np.zeros(self.rows, np.bool_)
        given = np.array([bool(text) for text in texts], np.bool_)
        codes: dict[str, int] = {}
        for text in set(texts):
            codes[text] = -1
            if text:
                value = _number(text)
                if value is None:
                    codes[text] = -2
                elif value >= 0 and value.denominator == 1:
                    codes[text] = min(value.numerator, _FAR)
        numbers = np.fromiter(map(codes.__getitem__, texts), np.int64, self.rows)
        self.rule(numbers == -2, Verdict.MALFORMED, Reason.UNREADABLE)
        return numbers, given

    def _votes(self) -> tuple[Mask, Mask]:
        """Return the rows that have a count, and those whose votes are evidence.

        The others of the first have -1 for samples where these cannot be used.
        """
        self.counts, voted = self._integers("count")
        self.samples, sampled = self._integers("samples")
        if self.judge.samples is not None:
            self.samples = np.where(sampled, self.samples, self.judge.samples)
            sampled = np.ones(self.rows, np.bool_)
        many = voted & sampled & (self.samples > MAX_SAMPLES)
        impossible = voted & (self.counts < 0)
        impossible |= voted & sampled & ((self.samples < 1) | (self.counts > self.samples))
        self.find(impossible & (self.counts != -2) & (self.samples != -2), "CA105")
        self.rule(impossible, Verdict.UNSUPPORTED, Reason.IMPOSSIBLE)
        self.rule(many & ~impossible, Verdict.INCONCLUSIVE, Reason.LIMIT)
        usable = voted & sampled & ~impossible & ~many
        self.samples = np.where(usable, self.samples, -1)
        return voted, usable & (self.judge.chance is not None)

    def _shares(self, constant: Mask) -> Mask:
        """Judge what no p_lower can be; return the rows where p is printed as 1."""
        column = self.share
        saturated = np.zeros(self.rows, np.bool_)
        if "p_lower" not in self.columns:
            return saturated
        above = np.zeros(self.rows, np.bool_)
        known: dict[str, tuple[bool, bool, float]] = {}
        for row in np.flatnonzero(column.given & (column.values >= 1)).tolist():
            text = column.texts[row]
            if text not in known:
                share = _share(text)
                # Below 1 stand: what is written nearer to 1 than floats are, and what stands for 1.
                one = share < 1 and parse_rational(text) == 1
                known[text] = one, share > 1, _to_float(share)
            saturated[row], above[row], column.values[row] = known[text]
        below = column.given & (column.values < 0)
        self.find(saturated & ~constant, "CA104")
        self.find(above | below, "CA102")
        self.rule(above, Verdict.REFUTED, Reason.IMPOSSIBLE)
        self.rule(below, Verdict.UNSUPPORTED, Reason.LESS_IS_PROVED)
        # What is no share is no evidence, and has been judged.
        column.given &= ~above
        return saturated

    @staticmethod
    def _evidence(text: str, *, log: bool) -> _Evidence:
        return _Evidence(parse_rational(text) if log else _share(text), log)

    # -- what evidence proves ----------------------------------------------------------------------

    def _by_votes(self, where: Mask) -> None:
        judge = self.judge
        kl = judge.kl
        for samples in np.unique(self.samples[where]).tolist():
            rows = np.flatnonzero(where & (self.samples == samples))
            counts, places = np.unique(self.counts[rows], return_inverse=True)
            spans = judge.vote_spans([*counts.tolist(), samples], samples)
            ends = np.array([spans[count] for count in counts.tolist()], np.int64)
            self.proven[rows], self.unproven[rows] = ends[places, 0], ends[places, 1]
            hopeless = np.zeros(self.rows, np.bool_)
            hopeless[rows] = self.radius[rows] >= spans[samples][1]
            self.find(hopeless, "CA129")
            self.rule(hopeless, Verdict.REFUTED, Reason.BEYOND_EVERY_OUTCOME)
            if kl:
                spans = judge.vote_kl_spans(counts.tolist(), samples)
                ends = np.array([spans[count] for count in counts.tolist()], np.int64)
                self.kl_proven[rows], self.kl_unproven[rows] = ends[places, 0], ends[places, 1]

    def _by_number(self, where: Mask, column: _Column, *, log: bool) -> None:
        rows = np.flatnonzero(where)
        if not log:
            near = column.values[rows] > _NEAR_ONE
            self._near_one(rows[near], column)
            rows = rows[~near]
        if not len(rows):
            return
        strength = -column.values[rows] if log else column.values[rows]
        self._compare(rows, column, _down(strength), _up(strength), log=log, ladder_log=log)
        lost = self.radius[rows] >= self.unproven[rows]
        rows, strength = rows[lost], strength[lost]
        if log:
            # Of the product with the number written: below 1.1 units in the last place of error.
            strength *= 1 + 2.0**-33
        else:
            strength += (1 - strength) * 2.0**-33  # as above
        self._noise(rows, column, _down(strength, 3), _up(strength, 3), log=log, ladder_log=log)

    def _near_one(self, rows: NDArray[np.intp], column: _Column) -> None:
        """Compare shares close to 1 through ln(1 - p), enclosed by balls."""
        if not len(rows):
            return
        known: dict[str, tuple[float, float]] = {}
        for row in rows.tolist():
            if column.texts[row] not in known:
                known[column.texts[row]] = self._error_ends(column.texts[row])
        ends = np.array([known[column.texts[row]] for row in rows.tolist()])
        low, high = ends[:, 0], ends[:, 1]
        self._compare(rows, column, low, high, log=False, ladder_log=True)
        lost = self.radius[rows] >= self.unproven[rows]
        rows, low, high = rows[lost], low[lost], high[lost]
        # -ln(1 - 2^-33) lies between 2^-33 and 2^-33 + 2^-65.
        low, high = _down(low + 2.0**-33), _up(high + (2.0**-33 + 2.0**-65))
        self._noise(rows, column, low, high, log=False, ladder_log=True)

    def _error_ends(self, text: str) -> tuple[float, float]:
        def ask() -> tuple[float, float]:
            error = 1 - self._evidence(text, log=False).value
            with working_precision(128):
                ends = from_ball(-to_ball(error).log())
            low, high = round_down(ends.lower), round_up(ends.upper)
            return math.nextafter(low, -math.inf), math.nextafter(high, math.inf)

        return self.judge.remember(("ends", text), ask)

    def _compare(
        self,
        rows: NDArray[np.intp],
        column: _Column,
        low: Floats,
        high: Floats,
        *,
        log: bool,
        ladder_log: bool,
    ) -> None:
        """Find what evidence strictly between `low` and `high` proves, exactly where it is open."""
        judge = self.judge
        proven, unproven = judge.spans(low, high, log=ladder_log)
        radius = self.radius[rows]
        narrow = (unproven - proven > 1) & (unproven < _FAR)
        beyond = (radius > proven) & (unproven == _FAR)
        known: dict[tuple[str, int, int], Span] = {}
        for place in np.flatnonzero(narrow | beyond).tolist():
            text = column.texts[int(rows[place])]
            low_end, high_end = int(proven[place]), int(unproven[place])
            key = text, low_end, high_end
            if narrow[place]:
                if key not in known:
                    evidence = self._evidence(text, log=log)
                    known[key] = judge.narrowed(evidence, text, (low_end, high_end))
                proven[place], unproven[place] = known[key]
            elif radius[place] <= MAX_RADIUS:
                evidence = self._evidence(text, log=log)
                answer = judge.certifies(evidence, text, int(radius[place]))
                if answer is not None:
                    (proven if answer else unproven)[place] = radius[place]
        self.proven[rows], self.unproven[rows] = proven, unproven
        if judge.kl or judge.pairwise:
            proven, unproven = judge.kl_spans(low, high, log=ladder_log)
            for place in np.flatnonzero(unproven - proven > 1).tolist():
                span = self._kl_span(column.texts[int(rows[place])], log=log)
                proven[place], unproven[place] = span
            self.kl_proven[rows], self.kl_unproven[rows] = proven, unproven

    def _kl_span(self, text: str, *, log: bool) -> Span:
        def ask() -> Span:
            try:
                found = min(self._evidence(text, log=log).kl(self.judge.noise), _FAR - 2)
            except (Undecided, InputError):
                return -1, _FAR
            return found, found + 1

        return self.judge.remember(("kl", log, text), ask)

    def _noise(
        self,
        rows: NDArray[np.intp],
        column: _Column,
        low: Floats,
        high: Floats,
        *,
        log: bool,
        ladder_log: bool,
    ) -> None:
        """Mark the unproven rows that evidence a little stronger would prove."""
        if not len(rows):
            return
        radius = self.radius[rows]
        proven, unproven = self.judge.spans(low, high, log=ladder_log)
        close = radius <= proven
        for place in np.flatnonzero((radius > proven) & (radius < unproven)):
            if radius[place] <= MAX_RADIUS:
                text = column.texts[int(rows[place])]
                evidence, text = self._evidence(text, log=log).stronger(), "stronger " + text
                close[place] = self.judge.certifies(evidence, text, int(radius[place])) is True
        self.close[rows[close]] = True

    # -- verdicts ----------------------------------------------------------------------------------

    def _decide_radii(self, claimed: Mask, voted: Mask, numbered: Mask) -> None:
        judge, radius = self.judge, self.radius
        shown = claimed & (voted | numbered)
        confirmed = shown & (radius <= self.proven)
        lost = shown & (radius >= self.unproven)
        elsewhere = lost & self._proven_elsewhere()
        self.rule(elsewhere, Verdict.INCONCLUSIVE, Reason.NOT_DECIDED_HERE)
        lost &= ~elsewhere
        self.find(lost & (self.unproven <= 0), "CA134")
        self.find(lost & (radius > 0), "CA101")
        close = lost & self.close
        self.rule(close, Verdict.UNSUPPORTED, Reason.LESS_IS_PROVED, Cause.FLOAT_NOISE)
        self.rule(lost, Verdict.UNSUPPORTED, Reason.LESS_IS_PROVED, Cause.BEYOND_EVIDENCE)
        self.rule(shown & ~confirmed & ~lost, Verdict.INCONCLUSIVE, Reason.LIMIT)
        why = Reason.NOT_DECIDED_HERE if judge.exact else Reason.NO_EVIDENCE
        self.rule(claimed & ~shown, Verdict.INCONCLUSIVE, why)
        proved = self.proven
        if judge.training_labels is not None:
            most = min(judge.training_labels, _FAR - 2)
            beyond = claimed & (radius > most)
            self.find(beyond, "CA130")
            # Why it is false comes before what the evidence says.
            only = beyond & (self.rank <= _RANKS.index(Verdict.UNSUPPORTED))
            self.result.put(only, Verdict.UNSUPPORTED, Reason.IMPOSSIBLE)
            self.rank[only] = _RANKS.index(Verdict.UNSUPPORTED)
            proved = np.minimum(proved, most)  # -1 stays
            kl_proved = np.minimum(self.kl_proven, most)
        else:
            kl_proved = self.kl_proven
        more = confirmed & ((kl_proved if judge.kl else proved) > radius)
        if judge.pairwise:
            confirmed &= ~self._not_covered(confirmed & numbered)
            # What more a pairwise bound may prove of the plurality vote is not sought.
            more &= ~numbered
            covered = np.where(confirmed, np.minimum(radius, proved), -1)
            proved = np.where(numbered, covered, proved)
        if judge.kl:
            self.find(confirmed & (radius >= self.kl_unproven), "CA101")
        self.find(more, "CA117")
        self.rule(confirmed, Verdict.CONFIRMED, Reason.PROVED)
        shown &= proved >= 0
        self.result.proved[shown] = proved[shown]

    def _proven_elsewhere(self) -> Mask:
        """Return the rows whose radius rests on alphas, which they do not have.

        So do exact radii, and the winner of a vote that the evidence of an exact radius proves.
        """
        if self.judge.exact:
            return np.ones(self.rows, np.bool_)
        texts = self.columns.get("evidence")
        if texts is None:
            return np.zeros(self.rows, np.bool_)
        given = np.array([text == "1" for text in texts], np.bool_)
        return np.asarray(given & (self.radius == 0))

    def _not_covered(self, confirmed: Mask) -> Mask:
        """Return the rows whose pairwise bound does not hold for the plurality vote."""
        open_ = confirmed.copy()
        reached = np.flatnonzero(confirmed & (self.radius <= self.kl_proven))
        most = np.minimum(self.kl_proven[reached], np.maximum(self.radius[reached], _MOST_COVERED))
        spans = np.stack([self.radius[reached], most], axis=1)
        if len(reached):
            spans, places = np.unique(spans, axis=0, return_inverse=True)
            covered = self.judge.covered([(low, high) for low, high in spans.tolist()])
            open_[reached] = ~np.array(covered)[places.reshape(-1)]
        self.find(open_, "CA114")
        self.rule(open_, Verdict.INCONCLUSIVE, Reason.NOT_DECIDED_HERE)
        return open_

    def _check_against_votes(self, voted: Mask) -> None:
        """Judge p_lower and log_error as claims about votes."""
        judge = self.judge
        for column, code in ((self.share, "CA102"), (self.log, "CA103")):
            check = judge.log_proved if column is self.log else judge.share_proved
            rows = np.flatnonzero(voted & column.given)
            grades = []
            for row in rows.tolist():
                count, samples = int(self.counts[row]), int(self.samples[row])
                text = column.texts[row]
                ask = partial(check, count, samples, text)
                key = ("votes", code, count, samples, text)
                grades.append(judge.remember(key, partial(_grade, ask)))
            self._grades(rows, grades, code)

    def _check_share_against_estimate(self, where: Mask) -> None:
        """Judge p_lower by the share of votes whose failure probability nobody knows."""
        where = where & self.share.given & (self.samples > 0)
        estimate = self.counts / np.where(where, self.samples, 1)
        order = _order(self.share.values, estimate)
        above = where & (order > 0)
        for row in np.flatnonzero(where & (order == 0)).tolist():
            most = Fraction(int(self.counts[row]), int(self.samples[row]))
            above[row] = _share(self.share.texts[row]) > most
        self.find(above, "CA102")
        why = Reason.LESS_IS_PROVED
        self.rule(above, Verdict.UNSUPPORTED, why, Cause.BEYOND_EVIDENCE)

    def _check_share_against_log(self, where: Mask, saturated: Mask) -> None:
        """Judge p_lower by log_error: ln(1 - p) must not be below it."""
        # 1 - p >= 2^-54 > e^-38 there.
        plain = where & (self.log.values < -38)
        plain &= saturated | (self.share.values <= 1 - 2.0**-53)
        # Of p printed as 1 there are many rows and few spellings.
        ones = np.flatnonzero(where & ~plain & saturated)
        texts = {self.share.texts[row] for row in ones.tolist()}
        known = {text: self._error_ends(text)[1] for text in texts}
        most = np.array([known[self.share.texts[row]] for row in ones.tolist()])
        plain[ones] = _down(-self.log.values[ones]) >= most
        self.rule(plain, Verdict.CONFIRMED, Reason.PROVED)
        rows = np.flatnonzero(where & ~plain & (self.log.values <= 0))
        grades = []
        for row in rows.tolist():
            pair = self.share.texts[row], self.log.texts[row]
            quickly = not saturated[row] and _quickly_below(*pair)
            grades.append(_HOLDS if quickly else _grade(partial(_below, *pair)))
        self._grades(rows, grades, "CA102")

    def _check_upper(self, where: Mask) -> None:
        """Judge p_upper: a share is not below 0, nor above what is claimed to be above it."""
        where = where & self.upper.given
        order = _order(self.upper.values, self.share.values)
        beside = where & self.share.given
        below = beside & (order < 0)
        for row in np.flatnonzero(beside & (order == 0)).tolist():
            upper, lower = self.upper.texts[row], self.share.texts[row]
            below[row] = upper != lower and parse_rational(upper) < _share(lower)
        for row in np.flatnonzero(where & (self.upper.values <= 0)).tolist():
            below[row] |= parse_rational(self.upper.texts[row]) < 0
        self.find(below, "CA133")
        self.rule(below, Verdict.INCONCLUSIVE, Reason.CONTRADICTS_ITSELF)
        self.result.proved[below] = np.nan

    def _grades(self, rows: NDArray[np.intp], grades: list[int], code: str) -> None:
        """Say the verdicts on claims that are no radii."""
        grade = np.zeros(self.rows, np.int8)
        grade[rows] = grades
        self.rule(grade == _HOLDS, Verdict.CONFIRMED, Reason.PROVED)
        self.rule(grade == _LIMIT, Verdict.INCONCLUSIVE, Reason.LIMIT)
        self.find((grade == _CLOSE) | (grade == _FAILS), code)
        why = Reason.LESS_IS_PROVED
        self.rule(grade == _CLOSE, Verdict.UNSUPPORTED, why, Cause.FLOAT_NOISE)
        self.rule(grade == _FAILS, Verdict.UNSUPPORTED, why, Cause.BEYOND_EVIDENCE)

    def _finish(self) -> None:
        result = self.result
        confirmed = result.is_(Verdict.CONFIRMED)
        with np.errstate(invalid="ignore"):
            result.excess[:] = result.claimed - result.proved
        result.excess[~(result.excess > 0)] = np.nan
        result.excess[confirmed] = 0
        result.excess[np.isposinf(result.claimed)] = np.inf
        result.unit[:] = 1


_HOLDS, _LIMIT, _CLOSE, _FAILS = 1, 2, 3, 4


def _grade(ask: Callable[[Fraction], bool | None]) -> int:
    """Grade a claim; `ask` decides the number times a factor, None at a limit."""
    answer = ask(Fraction(1))
    if answer is None:
        return _LIMIT
    if answer:
        return _HOLDS
    return _CLOSE if ask(1 - _NOISE) else _FAILS


def _quickly_below(share: str, log_error: str) -> bool:
    """Return whether p <= 1 - e^log_error is proven at once, of texts that are numbers."""
    for text in (share, log_error):
        if not text.isascii() or text.encode().translate(None, _PLAIN):
            return False
    with working_precision(128), suppress(ValueError):
        # A ball around the decimal that is written (arb_set_str); spellings it does not know raise.
        error = 1 - arb(share)
        return bool(error > 0 and error.log() > arb(log_error))
    return False


def _below(share: str, log_error: str, factor: Fraction) -> bool | None:
    """Return whether share * factor <= 1 - e^log_error, None at a limit; log_error <= 0."""
    error, bound = 1 - _share(share) * factor, parse_rational(log_error)
    if error >= 1:
        return True
    if bound >= 0 or error <= 0:
        return False
    try:
        # No tie: the log of a rational other than 1 is irrational.
        sign = decide(lambda: order(to_ball(error).log(), to_ball(bound)), "a share", bits=128)
    except Undecided:
        return None
    return sign == 1
