"""The worst label flips of the smoothed linear classifier in float64, with proven outward bounds.

The central limit theorem with its error (Berry and Esseen) leaves a few numbers of flips open, an
enclosure of the vote by a Fourier series decides most of these. Neither depends on much of the
labels, so a bracket costs one sort and about thirty products over the training points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import ArrayLike, NDArray

from certaudit.exact import round_up
from certaudit.fast.elementary import exp_minus, turned
from certaudit.rigorous import flips as rigorous
from certaudit.rigorous.balls import order, to_ball, upper_bound, working_precision
from certaudit.rigorous.flips import (
    BERRY_ESSEEN,
    MAX_ENUMERATED,
    Bracket,
    bracket_of,
    checked,
    constant_bracket,
    ends,
    gaussian_above,
    searched,
    supports,
    with_evidence,
)

__all__ = ["bracket", "unsmoothed_bracket", "vote_winner"]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_UNIT = 2.0**-53
_UP = 1.0 + 2.0**-20
"""Covers the rounding of a few products of numbers >= 0, and gamma_n of sums of 2^26 of them."""
_MOST = 1 << 26
_FARTHEST = 900
"""Exponents of the largest alpha beyond which balls are asked."""
_RAREST = 2.0**-500
"""Noise below which balls are asked."""
_LN2 = 0.6931471805599454
"""Just above ln 2."""
_WRAP = 15.0
"""ln of twice the inverse of the chance, at most, that the sum leaves its period: 6e-7."""
_SPREADS = 2.0
"""Deviations that means may be away from 0 without more wrapping than that."""
_LEVELS = (255, 1023, 4095, 16383)
"""Frequencies of the enclosure by Fourier series that are tried."""
_STRIDE = 64
"""Frequencies in a row of the table of their moduli."""
_CELLS = 4096
"""Cells of an eighth of the period into which alphas are sorted for the bound on the modulus."""
_LATTICE = 2048
"""Training points up to which it is asked whether alphas are multiples of one number."""
_WINDOW = 32
"""Numbers of flips whose votes are enclosed together."""
_MOST_PRODUCTS = 1 << 25
"""Factors of characteristic functions multiplied for one window, at most."""
_SMALL = 0.05
"""Share of the unavoidable error that frequencies left out may add."""


def bracket(
    alpha: ArrayLike,
    labels: ArrayLike,
    q: Fraction,
    prediction: int,
    *,
    alpha_error: Fraction = Fraction(0),
) -> Bracket:
    """Return what is proven about flips and the vote for `prediction`.

    `alpha` are n float64 numbers, taken as they are, `labels` n labels 0 or 1, 0 < q < 1/2. What
    is said holds for every vector within `alpha_error` of alpha in l1 distance. What floats cannot
    take (few training points, extreme magnitudes, little noise) balls decide.

    `proved` errs downward, `refuted_at` upward.

    Raises InputError as the rigorous bracket does.

    Proof: `proofs/fast-flips.md`.
    """
    values = np.asarray(alpha, dtype=np.float64)
    votes = _votes(values, labels, q, prediction, alpha_error)
    if votes is None:
        return rigorous.bracket(values, labels, q, prediction, alpha_error=alpha_error)
    if votes.is_constant:
        return constant_bracket(prediction, votes.n)
    decided = _Decided(votes)
    low, high = searched(decided.sign, votes.positive, votes.middle)
    methods = decided.methods(low, high)
    if high - low > 1 and votes.n <= _LATTICE:
        exact = rigorous.Votes.of(values, labels, q, prediction, alpha_error)
        if exact.lattice is not None:
            fewer, more = low, high
            low, high = searched(
                lambda r: int(r <= fewer) - int(r >= more) or exact.on_lattice(r),
                votes.positive,
                exact.middle,
            )
            methods = dict.fromkeys((low, high), "lattice") | methods
    found = bracket_of(prediction, votes.n, votes.positive, low, high, methods)
    return with_evidence(found, votes.n, votes.positive, decided.checkable)


def vote_winner(
    alpha: ArrayLike, labels: ArrayLike, q: Fraction, *, alpha_error: Fraction = Fraction(0)
) -> tuple[int | None, str | None]:
    """Return the class that wins the vote, and the method that proves it; None where it is open.

    Arguments and errors as in bracket.

    Proof: `proofs/fast-flips.md`.
    """
    values = np.asarray(alpha, dtype=np.float64)
    votes = _votes(values, labels, q, 0, alpha_error)
    if votes is None:
        return rigorous.vote_winner(values, labels, q, alpha_error=alpha_error)
    if votes.is_constant:
        return 0, "constant"
    decided = _Decided(votes)
    found = decided.sign(0)
    if not found:
        return None, None
    return int(found < 0), decided.methods(0, 0)[0]


def unsmoothed_bracket(
    alpha: ArrayLike, labels: ArrayLike, prediction: int, *, alpha_error: Fraction = Fraction(0)
) -> tuple[int, int | None]:
    """Return `proved` and `refuted_at` of a Bracket for the classifier without noise (q = 0).

    One sort. Its prediction is 1 where alpha'y >= 1/2, else 0. Arguments and errors as in bracket.

    Proof: `proofs/fast-flips.md`.
    """
    values = np.asarray(alpha, dtype=np.float64)
    # The noise does not matter: none is used.
    votes = _votes(values, labels, Fraction(1, 4), prediction, alpha_error)
    if votes is None:
        return rigorous.unsmoothed_bracket(values, labels, prediction, alpha_error=alpha_error)
    if votes.is_constant:
        return (-1, 0) if prediction == 1 else (votes.n, None)
    low, high = votes.edges(votes.start - votes.taken, votes.error)
    return ends(votes.n, votes.positive, low, high)


def _votes(
    values: Floats, labels: ArrayLike, q: Fraction, prediction: int, alpha_error: Fraction
) -> _Votes | None:
    """Return the votes of input that is checked here; None: balls are to decide."""
    rate, given, error = checked(values, labels, q, prediction, alpha_error)
    largest = float(np.abs(values).max())
    exponent = math.frexp(largest)[1]
    few = len(values) <= MAX_ENUMERATED or not len(values) < _MOST
    if few or not largest or abs(exponent) > _FARTHEST or rate < _RAREST:
        return None
    return _Votes.of(values, given, rate, prediction, error, exponent)


class _Decided:
    """What is decided of the votes after the worst flips, the cheapest way first.

    Up to `low` flips the vote holds, from `high` on it changes: by `lows[low]` and `highs[high]`.
    """

    def __init__(self, votes: _Votes) -> None:
        self.votes = votes
        self.checkable = {"no-noise": votes.by_no_noise(), "berry-esseen": votes.by_berry_esseen()}
        # Of equal ones the last: a checker verifies it without more ado (of Chernoff's bound it
        # needs the parameter, too).
        sides = {"chernoff": votes.by_bernstein(), **self.checkable}
        self.lows = {low: name for name, (low, _) in sides.items()}
        self.highs = {high: name for name, (_, high) in sides.items()}
        self.low, self.high = max(self.lows), min(self.highs)
        self._series = _Series(votes)
        self._known: dict[int, int] = {}

    def sign(self, flips: int) -> int:
        """Return 1: the vote holds after so many worst flips, -1: it changes, 0: open."""
        if flips <= self.low:
            return 1
        if flips >= self.high:
            return -1
        if flips not in self._known:
            first = max(self.low + 1, flips - _WINDOW // 2)
            window = range(first, min(self.high, first + _WINDOW))
            self._known.update(zip(window, self._series.signs(window), strict=True))
        return self._known[flips]

    def methods(self, low: int, high: int) -> dict[int, str]:
        """Return what proves that the vote holds after `low` flips, and changes after `high`."""
        found = dict.fromkeys((low, high), "fourier")
        if low <= self.low:
            found[low] = self.lows[self.low]
        if high >= self.high:
            found[high] = self.highs[self.high]
        return found


@dataclass(frozen=True)
class _Votes:
    """The votes after the worst flips, divided by a power of two: the largest |alpha| is near 1.

    `ordered` are the supports from the largest down, `start` the margin without noise, `taken` the
    sums of the first 0, 1, ..., `positive` supports, `means` the means of the margin after so many
    flips: each is off by at most `error`, which the error of alpha is part of. `variance`, `bound`,
    how far one noisy label may be from its mean, and `distance`, the error of Berry and Esseen,
    err upward.
    """

    q: Fraction
    n: int
    positive: int
    ordered: Floats
    start: float
    taken: Floats
    means: Floats
    error: float
    variance: float
    bound: float
    distance: float
    is_constant: bool

    @classmethod
    def of(
        cls,
        alpha: Floats,
        labels: NDArray[Any],
        q: Fraction,
        prediction: int,
        alpha_error: Fraction,
        exponent: int,
    ) -> _Votes:
        """Return the votes of checked input."""
        n = len(alpha)
        # Exact but for numbers that become subnormal: each is then off by 2^-1074 at most.
        scaled = np.ldexp(alpha, -exponent)
        half = math.ldexp(0.5, -exponent)
        ordered = np.sort(supports(scaled, labels, prediction))[::-1]
        positive = int(np.count_nonzero(ordered > 0))
        side = 2 * prediction - 1
        start = side * (float(scaled[labels == 1].sum()) - half)
        rate, rest = float(q), float(1 - 2 * q)
        taken = np.concatenate([[0.0], np.cumsum(ordered[:positive])])
        means = (start - rate * float(ordered.sum())) - rest * taken
        sizes = np.abs(scaled)
        # Sums of n numbers in any order, and a few operations with their results.
        rounding = 8 * (n + 16) * _UNIT * (float(sizes.sum()) * _UP + half)
        given = round_up(alpha_error * Fraction(2) ** -exponent)
        error = (given + n * 2.0**-1070 + rounding) * _UP
        squares, cubes = float(sizes @ sizes), float(sizes * sizes @ sizes)
        spread, skew = rate * (1 - rate), rate * rate + (1 - rate) ** 2
        ratio = skew * cubes / (math.sqrt(spread * squares) * squares)
        return cls(
            q,
            n,
            positive,
            ordered,
            start,
            taken,
            means,
            error,
            variance=spread * squares * _UP,
            bound=float(sizes.max()) * float(1 - q) * _UP,  # 1 - q > q
            distance=float(BERRY_ESSEEN) * ratio * _UP,
            is_constant=float(np.maximum(scaled, 0).sum()) + error < half,
        )

    @property
    def middle(self) -> int:
        """The last number of flips after which the mean is positive."""
        return int(np.count_nonzero(self.means > 0)) - 1

    def by_berry_esseen(self) -> tuple[int, int]:
        """Return the most flips after which the vote holds, and the least that change it.

        -1 and `positive` + 1 where there are none.
        """
        with working_precision(64):
            z = gaussian_above(arb(self.distance))
            if z is None:
                return -1, self.positive + 1
            quantile = round_up(upper_bound(z))
        return self.edges(self.means, (quantile * math.sqrt(self.variance) + self.error) * _UP)

    def by_bernstein(self) -> tuple[int, int]:
        """Return the same by Bernstein's inequality, which is Chernoff's bound at some t."""
        return self.edges(self.means, (self.reach(_LN2) + self.error) * _UP)

    def reach(self, log: float) -> float:
        """Return how far from its mean the margin is with a chance of at most exp(-log), a side."""
        third = log * self.bound / 3
        return (third + math.sqrt(third * third + 2 * log * self.variance)) * _UP

    def by_no_noise(self) -> tuple[int, int]:
        """Return the same where more than half of all noise flips no label."""
        if not _mostly_unflipped(self.q, self.n):
            return -1, self.positive + 1
        return self.edges(self.start - self.taken, self.error)

    def edges(self, values: Floats, beyond: float) -> tuple[int, int]:
        """Return where falling numbers were above `beyond` last, and are below -`beyond` first."""
        low = int(np.count_nonzero(values > beyond)) - 1
        return low, self.positive + 1 - int(np.count_nonzero(values < -beyond))


@lru_cache(maxsize=64)
def _mostly_unflipped(q: Fraction, n: int) -> bool:
    with working_precision(96):
        return order(to_ball(1 - q) ** n, arb(0.5)) == 1


class _Series:
    """Enclosures of the vote by a Fourier series with one-sided majorants (Vaaler).

    The margin modulo a period P is positive where it lies in the first half of it. That chance is
    a sum over frequencies j/P of the characteristic function f, up to an error that is one, too.
    Few frequencies are summed: |f|, which does not depend on the labels, is tiny at the others.
    """

    def __init__(self, votes: _Votes) -> None:
        self.votes = votes
        self.flip, self.keep = float(votes.q), float(1 - votes.q)
        reach = votes.reach(_WRAP) + _SPREADS * math.sqrt(votes.variance)
        # Any period is sound; alphas are then at most an eighth of it: 1 - q > 1/2.
        self.period = max(2 * reach, 16 * votes.bound)

    @cached_property
    def steps(self) -> Complexes:
        """exp(-2 pi i s/P) of each support s, each to 2^-44."""
        return np.conj(turned(self.votes.ordered / self.period))

    @cached_property
    def _cells(self) -> tuple[Floats, float]:
        """How many |alpha|/P are in which cell, and the sum of their distances from these."""
        places = np.abs(self.votes.ordered) * (8.0 * _CELLS / self.period)
        nearest = np.rint(places)
        counts = np.bincount(nearest.astype(np.int64), minlength=_CELLS + 1)
        off = float(np.abs(places - nearest).sum()) / (8.0 * _CELLS)
        return counts.astype(np.float64), off * _UP + self.votes.n * 2.0**-50

    def _moduli(self, level: int) -> Floats:
        """Return upper bounds of |f| at frequencies 0, ..., `level`.

        |f| <= exp(-q (1-q) (n - sum_i cos(t alpha_i))), and the sum of cosines is one over cells,
        off by t times the distances from these.
        """
        counts, off = self._cells
        cosine, sine, columns_cosine, columns_sine = _cosines(level)
        sums = (cosine * counts) @ columns_cosine - (sine * counts) @ columns_sine
        angles = (2 * math.pi * off * _UP) * np.arange(level + 1)
        n = self.votes.n
        loss = n * (1.0 - 2.0**-30) - sums.reshape(-1)[: level + 1] - angles * _UP
        share = self.flip * self.keep * (1.0 - 2.0**-40)
        return exp_minus(np.maximum(loss, 0.0) * share) * _UP

    def signs(self, flips: range) -> list[int]:
        """Return for each number of worst flips 1: the vote holds, -1: it changes, 0: open."""
        votes = self.votes
        wrapped = self._wrapped(votes.means[flips.start : flips.stop])
        if not (wrapped < 1).any():
            return [0] * len(flips)
        values = _Values(self, flips)
        found = np.zeros(len(flips), dtype=np.int64)
        for level in _LEVELS:
            weights = _weights(level)
            parts = weights[1:] * self._moduli(level)[1:]
            # rest[j] bounds what the frequencies above j add.
            rest = np.concatenate([np.cumsum(parts[::-1])[::-1], [0.0]]) * _UP
            used = int(np.argmax(rest <= _SMALL / (level + 1)))
            if used * votes.n > _MOST_PRODUCTS:
                break
            main, error = values.sums(used, weights)
            error += 1.0 / (level + 1) + rest[used] + wrapped
            decided = (main > error * _UP).astype(np.int64) - (main < -error * _UP)
            # More frequencies are not always better: an error of alpha turns the high ones most.
            found = np.where(found == 0, decided, found)
            if found.all():
                break
        return [int(sign) for sign in found]

    def _wrapped(self, means: Floats) -> Floats:
        """Bound the chance that the margin is half a period from 0, or farther (Bernstein)."""
        votes = self.votes
        room = (self.period / 2 - np.abs(means) - votes.error) * (1.0 - 2.0**-40)
        room = np.maximum(room, 0.0)
        power = room * room / (2 * (votes.variance + votes.bound * room / 3) * _UP)
        return 2.0 * exp_minus(power * (1.0 - 2.0**-40)) * _UP


class _Values:
    """The characteristic function after each of some numbers of worst flips, as far as asked."""

    def __init__(self, series: _Series, flips: range) -> None:
        self._series, self._flips = series, flips
        self._power: Complexes = np.ones(series.votes.n, dtype=np.complex128)
        self._found: list[Complexes] = []

    def sums(self, used: int, weights: Floats) -> tuple[Floats, Floats]:
        """Return the weighted sums of imaginary parts (odd j), of real ones (even j), j <= used.

        To the second all that may be off in both is added.
        """
        while len(self._found) < used:
            self._found.append(self._next())
        series, votes = self._series, self._series.votes
        main = np.zeros(len(self._flips))
        error = np.zeros(len(self._flips))
        off = 0.0
        for j in range(1, used + 1):
            value, weight = self._found[j - 1], weights[j]
            if j % 2:
                main += weight * value.imag
            else:
                error += weight * value.real
            shift = 2 * math.pi * j * (votes.error / series.period)
            off += weight * (1.02 * votes.n * (j * 2.0**-43 + 2.0**-50) + shift + 2.0**-29)
        return main, error + (off * _UP + 2.0**-40)

    def _next(self) -> Complexes:
        """Return f at the next frequency: a factor for each label, and the margin without noise."""
        series, votes, flips = self._series, self._series.votes, self._flips
        keep, flip = series.keep, series.flip
        self._power *= series.steps
        low, high = flips.start, flips.stop - 1
        common = np.prod(flip + keep * self._power[:low])
        common *= np.prod(keep + flip * self._power[high:])
        between = self._power[low:high]
        flipped = np.cumprod(np.concatenate([[1.0], flip + keep * between]))
        kept = np.cumprod(np.concatenate([[1.0], (keep + flip * between)[::-1]]))[::-1]
        j = len(self._found) + 1
        return np.asarray(
            common * flipped * kept * turned(np.array([j * (votes.start / series.period)]))
        )


@lru_cache(maxsize=len(_LEVELS))
def _weights(level: int) -> Floats:
    """Return upper bounds of Vaaler's weights of frequencies 0 (none), 1, ..., `level`.

    Of odd ones those of the imaginary part, of even ones of the real part; to a relative 2^-30 and
    2^-46 (the last odd ones are differences of numbers that are larger by far).
    """
    j = np.arange(level + 1)
    share = j / (level + 1)
    half_turn = turned(share / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        odd = 2 * (share * (1 - share) * half_turn.real / half_turn.imag + share / math.pi) / j
    found = np.where(j % 2 == 1, odd, 2 * (1 - share) / (level + 1))
    found = found * (1.0 + 2.0**-31) + 2.0**-47
    found[0] = 0.0
    return found


@lru_cache(maxsize=len(_LEVELS))
def _cosines(level: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return cosines and sines of rows and of columns: of cos(2 pi j k / (8 cells)), j = 0..level.

    j is _STRIDE times the row plus the column; each is off by 2^-45 at most.
    """
    turn = 8 * _CELLS
    table = turned(np.arange(turn) / turn)
    cells = np.arange(_CELLS + 1)
    rows = table[np.arange(level // _STRIDE + 1)[:, None] * _STRIDE * cells % turn]
    columns = table[cells[:, None] * np.arange(_STRIDE) % turn]
    parts = rows.real, rows.imag, columns.real, columns.imag
    cosine, sine, columns_cosine, columns_sine = map(np.ascontiguousarray, parts)
    return cosine, sine, columns_cosine, columns_sine
