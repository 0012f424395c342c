"""The worst label flips of the smoothed linear classifier, decided in exact numbers and balls.

The classifier is linear in the labels, so the worst adversary is known: it flips the labels of
largest support. A radius is then proven, or refuted by these flips, by an enclosure of the vote.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import accumulate
from statistics import NormalDist
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from flint import acb, arb, arb_mat, arb_poly
from numpy.typing import ArrayLike, NDArray

from certaudit.errors import InputError
from certaudit.exact import round_up
from certaudit.noise import check_label_noise
from certaudit.rigorous.balls import from_ball, order, to_ball, working_precision

__all__ = [
    "BERRY_ESSEEN",
    "MAX_ENUMERATED",
    "Alphas",
    "Bracket",
    "Side",
    "Votes",
    "bracket",
    "bracket_of",
    "checked",
    "constant_bracket",
    "ends",
    "gaussian_above",
    "searched",
    "supports",
    "unsmoothed_bracket",
    "vote_winner",
    "with_evidence",
    "worst_order",
]

BERRY_ESSEEN: Final = Fraction(56, 100)
"""The constant for summands of different laws (Shevtsova 2010)."""
MAX_ENUMERATED: Final = 24
"""Training points up to which all noise is enumerated."""

_HALF = Fraction(1, 2)
_BITS = 96
_LONGEST = 1 << 18
"""The most units that a sum on a lattice may span."""
_WRAP = 15
"""ln of twice the inverse of the chance, at most, that the sum leaves its period: 6e-7."""
_LEVELS = (255, 1023, 4095, 16383)
"""Frequencies of the enclosure by Fourier series that are tried."""
_CELLS = 4096
"""Most cells of an eighth of the period into which alphas are sorted to bound the modulus."""
_STRIDE = 64
"""Frequencies in a row of the table of their moduli."""
_AFRESH = 16
"""Powers multiplied in a row before they are computed afresh, so that balls stay narrow."""
_LARGEST_QUANTILE = 8.0
_MOST_PRODUCTS = 1 << 22
"""Factors of characteristic functions multiplied for one vote, at most."""
_SMALL = Fraction(1, 100)
"""Share of the unavoidable error that frequencies left out may add."""

Integers = NDArray[np.int64]
T = TypeVar("T", acb, arb_poly)
Alphas: TypeAlias = Sequence[float] | Sequence[Fraction] | NDArray[np.float64]
"""n exact numbers: floats are the dyadic rationals that they are."""


@dataclass(frozen=True, slots=True)
class Side:
    """How one side of a bracket was proven.

    `by` proved the number itself: "constant", "no-noise", "enumeration", "chernoff",
    "berry-esseen", "fourier" or "lattice". `check` proves `flips`, the strongest number that a
    checker can verify by itself: "no-noise", "berry-esseen", or "chernoff" with the signed
    parameter `t`; None where it can verify none.
    """

    by: str
    flips: int | None = None
    check: str | None = None
    t: float | None = None

    def as_json(self) -> dict[str, object]:
        """Return the side as plain JSON values, t in hexadecimal."""
        t = None if self.t is None else self.t.hex()
        return {"by": self.by, "flips": self.flips, "check": self.check, "t": t}


@dataclass(frozen=True, slots=True)
class Bracket:
    """What is proven about flips of training labels and the vote for `prediction`.

    No set of at most `proved` flips changes the vote (-1: not even the vote is proven, n: no set
    does). Flipping the `refuted_at` labels of largest support changes it (0: the vote is for the
    other class; None: nothing is refuted). `proof` and `refutation` say how, None where there is
    none.
    """

    prediction: int
    proved: int
    refuted_at: int | None
    proof: Side | None
    refutation: Side | None


def supports(alpha: ArrayLike, labels: ArrayLike, prediction: int) -> NDArray[np.float64]:
    """Return s_i = (2c-1)(2y_i-1) alpha_i, how much label i speaks for class c = `prediction`.

    Proof: `proofs/exchange.md`.
    """
    signs = 2.0 * np.asarray(labels, dtype=np.float64) - 1.0
    return np.asarray((2 * prediction - 1) * signs * np.asarray(alpha, dtype=np.float64))


def worst_order(alpha: Alphas, labels: ArrayLike, prediction: int) -> Integers:
    """Return the training points of positive support, largest first, of equal ones the lower first.

    The first r of them are a worst set of r flips for the vote for `prediction`; flipping others
    as well only helps it. `alpha` are n numbers, `labels` 0 or 1.

    Proof: `proofs/exchange.md`.
    """
    if isinstance(alpha, np.ndarray):
        size = supports(alpha, labels, prediction)
        found = np.argsort(-size, kind="stable")
        return np.asarray(found[: np.count_nonzero(size > 0)])
    # Rational numbers may differ where their floats do not.
    ones = [bool(label) == bool(prediction) for label in np.asarray(labels).tolist()]
    rational = map(Fraction, alpha)
    exact = [value if one else -value for value, one in zip(rational, ones, strict=True)]
    falling = sorted(range(len(exact)), key=lambda i: -exact[i])
    return np.array([i for i in falling if exact[i] > 0], dtype=np.int64)


def bracket(
    alpha: Alphas,
    labels: ArrayLike,
    q: Fraction,
    prediction: int,
    *,
    alpha_error: Fraction = Fraction(0),
) -> Bracket:
    """Return what is proven about flips and the vote for `prediction`, in exact numbers and balls.

    `alpha` are n exact numbers (floats: the dyadic rationals they are), `labels` n labels 0 or 1,
    0 < q < 1/2. What is said holds for every vector within `alpha_error` of alpha in l1 distance.

    `proved` errs downward, `refuted_at` upward.

    Raises InputError for a q that is none, alphas that are not finite, a label other than 0 and 1,
    numbers of both that differ, or a negative alpha_error.

    Proof: `proofs/flips.md`.
    """
    votes = Votes.of(alpha, labels, q, prediction, alpha_error)
    if votes.is_constant:
        return constant_bracket(prediction, votes.n)
    methods: dict[int, str] = {}

    def sign(flips: int) -> int:
        found, methods[flips] = votes.sign(flips)
        return found

    low, high = searched(sign, votes.positive, votes.middle)
    found = bracket_of(prediction, votes.n, votes.positive, low, high, methods)
    return with_evidence(found, votes.n, votes.positive, votes.edges())


def constant_bracket(prediction: int, n: int) -> Bracket:
    """Return the bracket of a vote that is for class 0 whatever the n labels are.

    Proof: `proofs/constant-vote.md`.
    """
    if prediction == 1:
        return Bracket(1, -1, 0, None, Side("constant"))
    return Bracket(0, n, None, Side("constant"), None)


def searched(votes_sign: Callable[[int], int], positive: int, start: int) -> tuple[int, int]:
    """Return the most flips after which the vote is proven to hold, the least that change it.

    `votes_sign` says for r = 0..`positive` worst flips whether the vote holds (1), changes (-1) or
    is open (0): the votes fall in r. -1 and `positive` + 1 where there are none. `start` is near.

    Proof: `proofs/exchange.md`.
    """
    seen: dict[int, int] = {}

    def sign(flips: int) -> int:
        if flips not in seen:
            seen[flips] = votes_sign(flips)
        return seen[flips]

    start = min(max(start, 0), positive)
    low = _last(lambda flips: sign(flips) > 0, start, -1, positive + 1)
    high = _last(lambda flips: sign(flips) >= 0, max(low, start), low, positive + 1) + 1
    return low, high


def _last(holds: Callable[[int], bool], start: int, low: int, high: int) -> int:
    """Return a number that holds (or `low`) and the next of which does not (or is `high`)."""
    step = 1
    if start <= low or holds(start):
        low = max(low, start)
        while high - low > 1:
            guess = min(low + step, high - 1)
            if not holds(guess):
                high = guess
                break
            low, step = guess, 2 * step
    else:
        high = start
        while high - low > 1:
            guess = max(high - step, low + 1)
            if holds(guess):
                low = guess
                break
            high, step = guess, 2 * step
    while high - low > 1:
        guess = (low + high) // 2
        if holds(guess):
            low = guess
        else:
            high = guess
    return low


@dataclass(frozen=True)
class Votes:
    """The votes after the worst flips of one test point, in exact numbers.

    `ordered` are the supports, positive ones first and from the largest down; `start` the margin
    without noise, (2c-1)(alpha'y - 1/2), from which an unflipped label takes its support when noise
    flips it; `is_constant`: the vote is for class 0 whatever the labels.
    """

    prediction: int
    ordered: tuple[Fraction, ...]
    start: Fraction
    q: Fraction
    error: Fraction
    positive: int
    is_constant: bool

    @classmethod
    def of(
        cls,
        alpha: Alphas,
        labels: ArrayLike,
        q: Fraction,
        prediction: int,
        alpha_error: Fraction,
    ) -> Votes:
        """Return the votes of checked input; arguments and errors as in bracket."""
        rate, given, error = checked(alpha, labels, q, prediction, alpha_error)
        exact = [Fraction(value) for value in alpha]
        ones = [bool(label) for label in given.tolist()]
        speaks = zip(exact, ones, strict=True)
        found = sorted((a if one == bool(prediction) else -a for a, one in speaks), reverse=True)
        side = 2 * prediction - 1
        score = sum((a for a, one in zip(exact, ones, strict=True) if one), Fraction(0))
        reach = sum((max(value, Fraction(0)) for value in exact), Fraction(0))
        return cls(
            prediction,
            tuple(found),
            side * (score - _HALF),
            rate,
            error,
            sum(value > 0 for value in found),
            reach + error < _HALF,
        )

    @property
    def n(self) -> int:
        """The number of training points."""
        return len(self.ordered)

    @cached_property
    def margins(self) -> tuple[Fraction, ...]:
        """The margin without noise after 0, 1, ..., positive flips."""
        return tuple(
            accumulate(
                self.ordered[: self.positive], lambda left, value: left - value, initial=self.start
            )
        )

    @cached_property
    def total(self) -> Fraction:
        """The sum of the supports."""
        return sum(self.ordered, Fraction(0))

    def mean(self, flips: int) -> Fraction:
        """Return the mean of the margin under noise, after so many worst flips."""
        taken = self.start - self.margins[flips]
        return self.start - self.q * self.total - (1 - 2 * self.q) * taken

    @cached_property
    def middle(self) -> int:
        """The last number of flips after which the mean is positive: near the crossing."""
        low, high = 0, self.positive
        while low < high:
            guess = (low + high + 1) // 2
            if self.mean(guess) > 0:
                low = guess
            else:
                high = guess - 1
        return low

    @cached_property
    def squares(self) -> Fraction:
        """The sum of alpha_i^2."""
        return sum((value * value for value in self.ordered), Fraction(0))

    @cached_property
    def largest(self) -> Fraction:
        """The largest |alpha_i|."""
        return max(map(abs, self.ordered))

    @cached_property
    def quantile(self) -> arb | None:
        """A z for which Phi(z) - 1/2 exceeds the error of Berry and Esseen; None: there is none."""
        if not self.squares:
            return None
        with working_precision(_BITS):
            cubes = sum((abs(value) ** 3 for value in self.ordered), Fraction(0))
            q = self.q
            ratio = to_ball(cubes) / (to_ball(q * (1 - q) * self.squares)).sqrt()
            error = to_ball(BERRY_ESSEEN * (q * q + (1 - q) ** 2)) * ratio / to_ball(self.squares)
            return gaussian_above(error)

    def sign(self, flips: int) -> tuple[int, str]:
        """Return 1: the vote holds after so many worst flips, -1: it changes, 0: open; and how."""
        tried: dict[str, Callable[[int], int]] = {
            "no-noise": self._unflipped,
            "berry-esseen": self._berry_esseen,
            "chernoff": self._bernstein,
            "enumeration": self._enumerated,
            "lattice": self.on_lattice,
            "fourier": self._by_fourier,
        }
        for name, decide in tried.items():
            found = decide(flips)
            if found:
                return found, name
            exact = self.n <= MAX_ENUMERATED or self.lattice is not None
            if name == "lattice" and exact:
                break  # the error of alpha leaves it open: nothing decides more
        return 0, ""

    @cached_property
    def _mostly_unflipped(self) -> bool:
        """Whether more than half of all noise flips no label."""
        with working_precision(_BITS):
            return order(to_ball(1 - self.q) ** self.n, arb(0.5)) == 1

    def _unflipped(self, flips: int) -> int:
        return self.beyond(self.margins[flips]) if self._mostly_unflipped else 0

    def beyond(self, value: Fraction) -> int:
        """Return the sign of a margin known to within the error; a tie is a score of 1/2."""
        if self.prediction == 1:
            return (value >= self.error) - (value < -self.error)
        return (value > self.error) - (value <= -self.error)

    def _berry_esseen(self, flips: int) -> int:
        if self.quantile is None:
            return 0
        with working_precision(_BITS):
            spread = to_ball(self.q * (1 - self.q) * self.squares).sqrt() * self.quantile
            mean = self.mean(flips)
            if order(to_ball(mean - self.error), spread) == 1:
                return 1
            return -int(order(to_ball(-mean - self.error), spread) == 1)

    def _bernstein(self, flips: int) -> int:
        """Decide by Bernstein's inequality, which is Chernoff's bound at some t."""
        q, mean = self.q, self.mean(flips)
        room = abs(mean) - self.error
        if room <= 0:
            return 0
        with working_precision(_BITS):
            variance = to_ball(q * (1 - q) * self.squares)
            power = to_ball(room * room) / (
                2 * (variance + to_ball((1 - q) * self.largest * room / 3))
            )
            proven = order(power, arb(2).log()) == 1
        return int(proven) * (1 if mean > 0 else -1)

    def _enumerated(self, flips: int) -> int:
        """Count noise by how many labels it flips: one half of the labels against the other."""
        if self.n > MAX_ENUMERATED:
            return 0
        # Whole numbers are quicker than rationals: all over one denominator.
        parts = [*self.ordered, self.margins[flips], self.error]
        bottom = math.lcm(*(value.denominator for value in parts))
        *whole, base, error = (int(value * bottom) for value in parts)
        # Noise takes the support of a label off, or gives it back where the label was flipped.
        moves = [s if at < flips else -s for at, s in enumerate(whole)]
        left, right = _sums(moves[: self.n // 2]), _sums(moves[self.n // 2 :])
        # A score of 1/2 counts for class 1.
        count = bisect_left if self.prediction == 1 else bisect_right
        fails, holds = Fraction(0), Fraction(0)
        for k, values in enumerate(left):
            for j, others in enumerate(right):
                few = sum(count(others, error - base - value) for value in values)
                less = few
                if error:
                    less = sum(count(others, -error - base - value) for value in values)
                weight = self.q ** (k + j) * (1 - self.q) ** (self.n - k - j)
                fails += few * weight
                holds += (len(values) * len(others) - less) * weight
        return (fails < _HALF) - (holds < _HALF)

    @cached_property
    def lattice(self) -> tuple[Fraction, list[int]] | None:
        """Return a unit of which every support is a multiple, and these; None: too many."""
        bottom = 1
        for value in self.ordered:
            bottom = math.lcm(bottom, value.denominator)
            if bottom.bit_length() > 4096:
                return None
        whole = [int(value * bottom) for value in self.ordered]
        common = math.gcd(*whole)
        if not common or sum(map(abs, whole)) > _LONGEST * common:
            return None
        return Fraction(common, bottom), [value // common for value in whole]

    def on_lattice(self, flips: int) -> int:
        """Decide by the law of the margin on a lattice, a product of polynomials."""
        if self.lattice is None:
            return 0
        unit, steps = self.lattice
        with working_precision(_BITS):
            keep, flip = to_ball(1 - self.q), to_ball(self.q)
            base, factors = self.margins[flips], [arb_poly([1])]
            for at, step in enumerate(steps):
                move = step if at < flips else -step
                if move < 0:  # counted from the least value of the margin
                    base += move * unit
                if move:
                    first, last = (keep, flip) if move > 0 else (flip, keep)
                    factors.append(arb_poly([first, *[0] * (abs(move) - 1), last]))
            factors.sort(key=lambda factor: int(factor.length()))
            chances = _product(factors).coeffs()
            # The margin is base + k unit. A score of 1/2 counts for class 1.
            tie = 1 - self.prediction
            most = [(edge - base) / unit for edge in (self.error, -self.error)]
            few, less = (math.floor(edge) + 1 if tie else math.ceil(edge) for edge in most)
            fails = sum(chances[: max(few, 0)], arb(0))
            holds = sum(chances[max(less, 0) :], arb(0))
            return int(order(fails, arb(0.5)) == -1) - int(order(holds, arb(0.5)) == -1)

    def _by_fourier(self, flips: int) -> int:
        return self._series.sign(flips) if self.largest else 0

    @cached_property
    def _series(self) -> _Series:
        return _Series(self)

    def edges(self) -> dict[str, tuple[int, int]]:
        """Return, for methods that a checker has, the most flips that hold, the least that change.

        As `searched` does; methods that decide nothing here are left out.
        """
        tried: dict[str, Callable[[int], int]] = {}
        if self._mostly_unflipped:
            tried["no-noise"] = self._unflipped
        if self.quantile is not None:
            tried["berry-esseen"] = self._berry_esseen
        return {name: searched(each, self.positive, self.middle) for name, each in tried.items()}


def ends(n: int, positive: int, low: int, high: int) -> tuple[int, int | None]:
    """Return `proved` and `refuted_at` of votes that hold after `low` flips, change after `high`.

    -1 and `positive` + 1 where there are none; n where every support that there is was flipped.

    Proof: `proofs/exchange.md`.
    """
    return (n if low == positive else low), (high if high <= positive else None)


def bracket_of(
    prediction: int, n: int, positive: int, low: int, high: int, methods: Mapping[int, str]
) -> Bracket:
    """Return the bracket of votes that hold after `low` worst flips, and change after `high`.

    -1 and `positive` + 1 where there are none; `methods` say how each was proven.

    Proof: `proofs/exchange.md`.
    """
    proved, refuted_at = ends(n, positive, low, high)
    proof = Side(methods[low]) if low >= 0 else None
    refutation = None if refuted_at is None else Side(methods[high])
    return Bracket(prediction, proved, refuted_at, proof, refutation)


def with_evidence(
    found: Bracket, n: int, positive: int, edges: Mapping[str, tuple[int, int]]
) -> Bracket:
    """Return a bracket with the strongest of the edges, by method, that a checker can verify.

    `edges` are those of methods that it has, as `searched` returns them.

    Proof: `proofs/exchange.md`.
    """
    proof, refutation = found.proof, found.refutation
    held = max(((low, name) for name, (low, _) in edges.items()), default=(-1, ""))
    lost = min(((high, name) for name, (_, high) in edges.items()), default=(positive + 1, ""))
    if proof is not None and held[0] >= 0:
        proved, _ = ends(n, positive, held[0], positive + 1)
        proof = replace(proof, flips=proved, check=held[1])
    if refutation is not None and lost[0] <= positive:
        refutation = replace(refutation, flips=lost[0], check=lost[1])
    return replace(found, proof=proof, refutation=refutation)


class _Series:
    """Enclosures of the vote by a Fourier series with one-sided majorants (Vaaler), in balls.

    The margin modulo a period P is positive where it lies in the first half of it. That chance is
    a sum over frequencies j/P of the characteristic function f, up to an error that is one, too.
    """

    def __init__(self, votes: Votes) -> None:
        self.votes = votes
        q = votes.q
        with working_precision(_BITS):
            self.variance = to_ball(q * (1 - q) * votes.squares)
            # No noisy label is farther from its mean, as q < 1/2.
            self.bound = to_ball((1 - q) * votes.largest)
            third = _WRAP * self.bound / 3
            spread = (third * third + 2 * _WRAP * self.variance).sqrt() + 2 * self.variance.sqrt()
            period = from_ball(2 * (third + spread)).upper
            # Any period is sound; alphas are then at most an eighth of it.
            self.period = max(period, 8 * votes.largest)
            self.turns = [to_ball(-2 * s / self.period) for s in votes.ordered]
            self.steps = [acb(turn).exp_pi_i() for turn in self.turns]
        self._moduli: dict[int, list[arb]] = {}
        self._flips, self._powers, self._values = -1, self.steps, list[acb]()

    def sign(self, flips: int) -> int:
        """Return 1: the vote holds after so many worst flips, -1: it changes, 0: open."""
        for level in _LEVELS:
            with working_precision(_BITS):
                found = self._decide(flips, level)
            if found:
                return found
        return 0

    def _decide(self, flips: int, level: int) -> int:
        votes = self.votes
        mean = votes.mean(flips)
        room = self.period / 2 - abs(mean) - votes.error
        if room <= 0:
            return 0
        inside = to_ball(room)
        wrapped = 2 * (-inside * inside / (2 * (self.variance + self.bound * inside / 3))).exp()
        odd, even = _weights(level)
        rest, used = arb(0), level
        moduli = self._modulus(level)
        limit = to_ball(_SMALL / (level + 1))
        while used > 0:
            more = rest + (odd if used % 2 else even)[used // 2] * moduli[used]
            if order(more, limit) != -1:
                break
            rest, used = more, used - 1
        if used * votes.n > _MOST_PRODUCTS:
            return 0
        main, error = arb(0), to_ball(Fraction(1, level + 1))
        for j, value in enumerate(self._characteristic(flips, used), start=1):
            if j % 2:
                main += odd[j // 2] * value.imag
            else:
                error += even[j // 2] * value.real
        error += rest + wrapped
        return int(order(main, error) == 1) - int(order(-main, error) == 1)

    def _characteristic(self, flips: int, used: int) -> list[acb]:
        """Return f at frequencies 1, ..., used after so many worst flips."""
        votes = self.votes
        if flips != self._flips:
            self._flips, self._powers, self._values = flips, [acb(1)] * votes.n, []
        # An error of the alphas moves the margin by no more than it.
        start = to_ball(votes.start / self.period) + arb(0, round_up(votes.error / self.period))
        keep, flip = to_ball(1 - votes.q), to_ball(votes.q)
        while len(self._values) < used:
            j = len(self._values) + 1
            # A product of boxes is wider by up to sqrt(2): few in a row, and below a tree of them.
            if j % _AFRESH:
                self._powers = [a * b for a, b in zip(self._powers, self.steps, strict=True)]
            else:
                self._powers = [acb(j * turn).exp_pi_i() for turn in self.turns]
            factors = [flip + keep * power for power in self._powers[:flips]]
            factors += [keep + flip * power for power in self._powers[flips:]]
            self._values.append(acb(2 * j * start).exp_pi_i() * _product(factors))
        return self._values[:used]

    def _modulus(self, level: int) -> list[arb]:
        """Return upper bounds of |f| at frequencies 0, ..., level, whatever the labels."""
        if level in self._moduli:
            return self._moduli[level]
        votes, cells = self.votes, min(level + 1, _CELLS)
        rate, n = to_ball(votes.q * (1 - votes.q)), votes.n
        places = [abs(s) * 8 * cells / self.period for s in votes.ordered]
        nearest = [round(place) for place in places]
        counts = np.bincount(nearest, minlength=cells + 1).tolist() * 2
        distances = (abs(x - k) for x, k in zip(places, nearest, strict=True))
        angle = 2 * arb.pi() * to_ball(sum(distances, Fraction(0)) / (8 * cells))
        cosine, columns = _cosines(cells)
        found: list[arb] = []
        for j in range(0, level + 1, _STRIDE):
            row = zip(counts, _parts(cosine, cells, j, -1), strict=True)
            sums = arb_mat(1, len(counts), [w * x for w, x in row]) * columns
            for i in range(min(_STRIDE, level + 1 - j)):
                cosines = sums[0, i] + (j + i) * angle
                found.append((-rate * (n - cosines)).exp().min(arb(1)))
        self._moduli[level] = found
        return found


def checked(
    alpha: Alphas,
    labels: ArrayLike,
    q: Fraction,
    prediction: int,
    alpha_error: Fraction,
) -> tuple[Fraction, NDArray[Any], Fraction]:
    """Return the noise, the labels and the error; raise as bracket does.

    Proof: `proofs/exchange.md`.
    """
    rate = check_label_noise(q)
    given = np.asarray(labels)
    shape = alpha.shape if isinstance(alpha, np.ndarray) else (len(alpha),)
    if given.ndim != 1 or shape != given.shape or not len(given):
        raise InputError(f"flips: alphas of shape {shape} and labels of shape {given.shape}")
    if not ((given == 0) | (given == 1)).all():
        raise InputError("flips: labels must be 0 or 1")
    if prediction not in (0, 1):
        raise InputError("flips: the prediction must be 0 or 1")
    finite = np.isfinite(alpha) if isinstance(alpha, np.ndarray) else map(math.isfinite, alpha)
    if not all(finite):
        raise InputError("flips: an alpha is not finite")
    if alpha_error < 0:
        raise InputError("alpha_error: must not be negative")
    return rate, given, Fraction(alpha_error)


def vote_winner(
    alpha: Alphas,
    labels: ArrayLike,
    q: Fraction,
    *,
    alpha_error: Fraction = Fraction(0),
) -> tuple[int | None, str | None]:
    """Return the class that wins the vote, and the method that proves it; None where it is open.

    Arguments and errors as in bracket.

    Proof: `proofs/flips.md`.
    """
    votes = Votes.of(alpha, labels, q, 0, alpha_error)
    if votes.is_constant:
        return 0, "constant"
    found, method = votes.sign(0)
    return (None, None) if not found else (int(found < 0), method)


def unsmoothed_bracket(
    alpha: Alphas,
    labels: ArrayLike,
    prediction: int,
    *,
    alpha_error: Fraction = Fraction(0),
) -> tuple[int, int | None]:
    """Return `proved` and `refuted_at` of a Bracket for the classifier without noise (q = 0).

    Its prediction is 1 where alpha'y >= 1/2, else 0. Arguments and errors as in bracket.

    Proof: `proofs/exchange.md`.
    """
    votes = Votes.of(alpha, labels, Fraction(1, 4), prediction, alpha_error)
    if votes.is_constant:
        return (-1, 0) if prediction == 1 else (votes.n, None)
    low, high = searched(lambda r: votes.beyond(votes.margins[r]), votes.positive, 0)
    return ends(votes.n, votes.positive, low, high)


def gaussian_above(error: arb) -> arb | None:
    """Return a z for which Phi(z) - 1/2 > error, in balls; None where none below 8 does.

    At the current precision of flint.

    Proof: `proofs/flips.md`.
    """
    if not error.is_finite() or order(error, arb(0.5)) != -1:
        return None
    share = min(0.5 + max(float(error.mid()), 0.0), 1 - 2.0**-50)
    guess, slack = NormalDist().inv_cdf(share), 2.0**-30
    while guess < _LARGEST_QUANTILE:
        z = arb(guess + slack)
        if order((z / arb(2).sqrt()).erf() / 2, error) == 1:
            return z
        slack *= 16
        guess += slack
    return None


def _sums(moves: Sequence[int]) -> list[list[int]]:
    """Return the sums of all sets of moves, sorted, by the size of the set."""
    found: list[list[int]] = [[0]]
    for move in moves:
        larger = [[value + move for value in values] for values in found]
        found = [stay + go for stay, go in zip([*found, []], [[], *larger], strict=True)]
    return [sorted(values) for values in found]


def _product(factors: list[T]) -> T:
    """Return the product, of neighbours first."""
    while len(factors) > 1:
        pairs = zip(factors[::2], factors[1::2], strict=False)
        factors = [a * b for a, b in pairs] + factors[len(factors) // 2 * 2 :]
    return factors[0]


@lru_cache(maxsize=len(_LEVELS))
def _weights(level: int) -> tuple[list[arb], list[arb]]:
    """Return Vaaler's weights of odd frequencies j and of even ones, each at j // 2."""
    odd, even = [], []
    with working_precision(_BITS):
        for j in range(level + 1):
            share = Fraction(j, level + 1)
            if j % 2:
                x = to_ball(share)
                odd.append(2 * (x * (1 - x) * x.cot_pi() + x / arb.pi()) / j)
            else:
                even.append(to_ball(2 * (1 - share) / (level + 1)))
    return odd, even


@lru_cache(maxsize=len(_LEVELS))
def _cosines(cells: int) -> tuple[list[arb], arb_mat]:
    """Return cos(2 pi m / (8 cells)) for each m, and the parts of frequencies below _STRIDE.

    cos(a + b) = cos a cos b - sin a sin b: a row of parts of _STRIDE i times them is the cosines of
    the frequencies from there.
    """
    with working_precision(_BITS):
        turn = 8 * cells
        cosine = [to_ball(Fraction(2 * m, turn)).cos_pi() for m in range(turn)]
        columns = [part for j in range(_STRIDE) for part in _parts(cosine, cells, j, 1)]
        return cosine, arb_mat(_STRIDE, 2 * (cells + 1), columns).transpose()


def _parts(cosine: list[arb], cells: int, j: int, sign: int) -> list[arb]:
    """Return cos(2 pi j k / (8 cells)) of cells k = 0..cells, then `sign` times the sines."""
    turn = len(cosine)
    sines = [sign * cosine[(j * k - turn // 4) % turn] for k in range(cells + 1)]
    return [cosine[j * k % turn] for k in range(cells + 1)] + sines
