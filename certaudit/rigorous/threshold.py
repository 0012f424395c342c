"""The tight thresholds F^-1(r) of (2): the least vote share that certifies radius r, exactly.

Written through 1 - F^-1(r), which keeps its digits however large r is. Rationals by powers of
polynomials where they are small enough, balls of any relative accuracy everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias, TypeVar

from flint import arb, ctx, fmpz, fmpz_poly

from certaudit.errors import InputError, Undecided
from certaudit.exact import Enclosure, Number, as_rational, round_down
from certaudit.noise import Law, ProductNoise, Sparse, check_product
from certaudit.rigorous.balls import MAX_BITS, from_ball, order, to_ball, working_precision

__all__ = [
    "ACCURACY",
    "MAX_DECIMALS",
    "MAX_RADIUS",
    "Threshold",
    "exact_threshold",
    "sparse_threshold",
    "threshold",
    "thresholds",
]

ACCURACY = 100
"""Bits of 1 - F^-1(r) that an enclosure has at least."""
MAX_RADIUS = 1_000_000
"""The largest radius that is decided."""
MAX_DECIMALS = 1_000
"""The most decimal places that are printed."""
_MAX_EXACT_BITS = 1 << 28
"""The most memory, in bits, that the polynomial behind an exact rational may take."""
_CHEAP_BITS, _MANY_BITS = 1 << 20, 1 << 13
"""A rational of that memory is asked at once; a longer one after balls of that many bits."""
_GUARD = 64

T = TypeVar("T")
Factor: TypeAlias = "int | arb"


@dataclass(frozen=True, slots=True)
class Threshold:
    """F^-1(r) of (2): `radius` r is certified by a vote share of at least this.

    `error` encloses 1 - F^-1(r) with a relative error below 2^-100. Every question below is
    answered exactly: by that enclosure, by narrower ones, or, at ties, by the rational itself
    (where that is not too long: see exact_threshold). Undecided is raised otherwise.
    """

    noise: ProductNoise
    radius: int
    _ball: arb = field(repr=False, compare=False)

    def __reduce__(self) -> tuple[Callable[..., Threshold | None], tuple[ProductNoise, int]]:
        return threshold, (self.noise, self.radius)  # balls cannot be pickled

    @property
    def error(self) -> Enclosure:
        """An enclosure of 1 - F^-1(r).

        Its ends, as rationals, have as many digits as 1 - F^-1(r) has zeros: ask the questions
        below instead where r is large.
        """
        return from_ball(self._ball)

    def ball(self, bits: int) -> arb:
        """Return a ball around 1 - F^-1(r) with a relative error below 2^-bits.

        Raises Undecided beyond 2^21 bits.

        Proof: `proofs/tight-threshold.md`.
        """
        found = self._ball if bits <= ACCURACY else _error(self.noise.law, self.radius, bits)
        if found is None:  # pragma: no cover  (a Threshold is made only where there is one)
            raise Undecided(f"radius {self.radius}: balls contradict each other")
        return found

    def exact(self) -> Fraction:
        """Return F^-1(r) as a rational.

        Raises InputError where it has too many digits to be worth it: see exact_threshold.

        Proof: `proofs/tight-threshold.md`.
        """
        value = exact_threshold(self.noise, self.radius)
        if value is None:  # pragma: no cover  (a Threshold is made only where there is one)
            raise Undecided(f"radius {self.radius}: rationals and balls contradict each other")
        return value

    def compare(self, error: Number) -> int:
        """Return the sign of (1 - F^-1(r)) - error, exactly.

        Raises InputError for a float, Undecided at a tie whose rational has too many digits.

        Proof: `proofs/tight-threshold.md`.
        """
        other = as_rational(error, "error")
        return self._ask(
            lambda ball: order(ball, to_ball(other)),
            lambda exact: (exact > other) - (exact < other),
        )

    def compare_log(self, log_error: Number) -> int:
        """Return the sign of ln(1 - F^-1(r)) - log_error: -1 or 1, there are no ties.

        Raises InputError for a float.

        Proof: `proofs/tight-threshold.md`.
        """
        other = as_rational(log_error, "log_error")
        if other >= 0:
            return -1
        return self._ask(
            lambda ball: order(ball.log(), to_ball(other)) if ball > 0 else None,
            lambda exact: -1 if exact == 0 else None,
        )

    def p_up(self) -> float:
        """Return the smallest float64 that is >= F^-1(r).

        Beyond some radius this is 1.0, which says nothing: use log_error_down there.

        Proof: `proofs/tight-threshold.md`.
        """
        # On [1/2, 1] the float64 numbers are the multiples of 2^-53.
        return 1.0 - self._scaled_floor(1 << 53) / 2**53

    def p_decimal(self, digits: int = 20) -> str:
        """Return F^-1(r) rounded up to `digits` decimal places.

        Raises InputError for digits outside 1..1000.

        Proof: `proofs/tight-threshold.md`.
        """
        check_digits(digits)
        whole = 10**digits - self._scaled_floor(10**digits)
        return f"{whole // 10**digits}.{whole % 10**digits:0{digits}}"

    def log_error_down(self) -> float:
        """Return the largest float64 that is <= ln(1 - F^-1(r)); -inf where F^-1(r) = 1.

        Proof: `proofs/tight-threshold.md`.
        """

        def rounded(ball: arb) -> float | None:
            if not ball > 0:
                return None
            ends = from_ball(ball.log())
            low, high = round_down(ends.lower), round_down(ends.upper)
            return low if low == high else None

        # The log of a rational other than 1 is irrational: only 1 - F^-1(r) = 0 is left to it.
        return self._ask(rounded, lambda exact: -math.inf if exact == 0 else None)

    def _scaled_floor(self, scale: int) -> int:
        """Return the floor of (1 - F^-1(r)) * scale."""

        def floor(ball: arb) -> int | None:
            whole = (ball * scale).floor().unique_fmpz()
            return None if whole is None else int(whole)

        return self._ask(floor, lambda exact: exact.numerator * scale // exact.denominator)

    def _ask(
        self, by_ball: Callable[[arb], T | None], by_rational: Callable[[Fraction], T | None]
    ) -> T:
        """Answer from the enclosure, from narrower ones, or from 1 - F^-1(r) itself."""
        bits = ACCURACY
        ball: arb | None = self._ball
        while ball is not None and bits <= MAX_BITS:
            with working_precision(bits + _GUARD):
                answer = by_ball(ball)
            # Where p is close to 1/2 in noise close to uniform more bits are cheaper than a long
            # rational, and ties are short.
            if answer is None and bits > ACCURACY and self._is_cheap(bits):
                answer = by_rational(1 - self.exact())
            if answer is not None:
                return answer
            bits *= 4
            ball = _error(self.noise.law, self.radius, bits)
        raise Undecided(f"threshold of radius {self.radius}: not decided at {MAX_BITS} bits")

    def _is_cheap(self, bits: int) -> bool:
        size = _polynomial_bits(self.noise.law, self.radius)
        return size <= (_CHEAP_BITS if bits <= _MANY_BITS else _MAX_EXACT_BITS)


def threshold(noise: ProductNoise, radius: int) -> Threshold | None:
    """Return the tight threshold F^-1(radius) of (2), None where no vote share certifies it.

    Only the coordinates that differ matter, so it does not depend on how many there are. There
    is none where the noise keeps (or replaces) every value.

    Raises InputError for a radius outside 0..1,000,000.

    Proof: `proofs/tight-threshold.md`.
    """
    check_product(noise)
    check_radius(radius)
    ball = _cached_error(noise.law, radius)
    return None if ball is None else Threshold(noise, radius, ball)


def thresholds(noise: ProductNoise, start: int, stop: int) -> Iterator[Threshold | None]:
    """Return an iterator over the thresholds of radius start, ..., stop - 1.

    For two values much faster than one by one: a step costs a few terms. For more, each costs
    all terms from the edge to the median, so that the first r together cost as r^2.

    Raises InputError for radii outside 0..1,000,000.

    Proof: `proofs/tight-threshold.md`.
    """
    check_product(noise)
    check_radius(start)
    check_radius(max(stop - 1, 0))
    return _walk(noise, start, stop)


def _walk(noise: ProductNoise, start: int, stop: int) -> Iterator[Threshold | None]:
    law, walk = noise.law, None
    for radius in range(start, stop):
        if law.rest or law.high == law.low or not law.low:
            yield threshold(noise, radius)
            continue
        walk = _BinomialWalk(law, radius, stop, ACCURACY) if walk is None else walk.advance()
        ball = walk.error()
        if ball.rel_accuracy_bits() >= ACCURACY:
            yield Threshold(noise, radius, ball)
        else:
            yield threshold(noise, radius)


def check_digits(digits: int) -> None:
    """Refuse numbers of decimal places that are not printed.

    Raises InputError for anything but an integer in 1..1000.

    Proof: `proofs/tight-threshold.md`.
    """
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= MAX_DECIMALS:
        raise InputError(f"digits: must be an integer in 1..{MAX_DECIMALS}")


def check_radius(radius: int) -> None:
    """Refuse radii that are not decided.

    Raises InputError for a radius outside 0..1,000,000 or one that is no integer.

    Proof: `proofs/tight-threshold.md`.
    """
    if isinstance(radius, bool) or not isinstance(radius, int):
        raise InputError("radius: must be an integer")
    if not 0 <= radius <= MAX_RADIUS:
        raise InputError(f"radius: must lie in 0..{MAX_RADIUS}, the largest that is decided")


@lru_cache(maxsize=1 << 16)
def _cached_error(law: Law, radius: int) -> arb | None:
    return _error(law, radius, ACCURACY)


def _error(law: Law, radius: int, bits: int) -> arb | None:
    """Return 1 - F^-1(radius) with `bits` bits, None where there is no threshold."""
    if radius == 0 or law.high == law.low:
        return arb(0.5)
    if not law.low:
        return _one_sided_error(law, radius, bits)
    precision = bits + _GUARD + 2 * radius.bit_length()
    while precision <= 2 * MAX_BITS:
        if law.rest:
            ball = _trinomial_error(law, radius, precision)
        else:
            ball = _BinomialWalk(law, radius, radius + 1, precision).error()
        if ball.rel_accuracy_bits() >= bits:
            return ball
        precision *= 2
    raise Undecided(f"threshold of radius {radius}: not enclosed at {2 * MAX_BITS} bits")


def _one_sided_error(law: Law, radius: int, bits: int) -> arb | None:
    """Return 1 - F^-1(r) = rest^r - 1/2 where a changed value is never drawn (low = 0)."""
    if not law.rest:
        return None
    with working_precision(bits + _GUARD + 2 * radius.bit_length()):
        ball = to_ball(law.rest) ** radius - arb(0.5)
        if ball < 0:
            return None
        if ball > 0 and ball.rel_accuracy_bits() >= bits:
            return ball
    # ((V-2)/(V-1))^r = 1/2 for V = 3, r = 1 only: V - 2 and V - 1 have no common factor.
    if law.rest**radius == Fraction(1, 2):
        return arb(0)
    return _one_sided_error(law, radius, 2 * bits)


class _BinomialWalk:
    """Thresholds of two values for one radius after another.

    With I the number of the r coordinates on which the noise of the changed input gives the
    first input's value, t = P(I = m), L = P(I < m) for I ~ Bin(r, low), and m the median, where
    P(I < m) <= 1/2 < P(I <= m):

        1 - F^-1(r) = (high/low)^(2m-r) (sum_{k>=1} P(I = m-k) (low/high)^(2k) + 1/2 - L).
    """

    def __init__(self, law: Law, radius: int, stop: int, bits: int) -> None:
        self.precision = bits + _GUARD + 2 * stop.bit_length()
        with working_precision(self.precision):
            (self.high, self.low), self.numerator = _factors(law.high, law.low)
            self.mean = law.low
            self._start(radius)

    def _start(self, radius: int) -> None:
        """Walk up to the median from far below it."""
        self.radius = radius
        mean = math.floor(radius * self.mean)
        # Below the mean by this, hardly anything is left: Hoeffding's inequality.
        reach = math.isqrt(radius * self.precision) + 2
        m = max(mean - reach, 0)
        low, high = arb(self.low) / self.numerator, arb(self.high) / self.numerator
        mass = arb.bin_uiui(radius, m) * low**m * high ** (radius - m)
        below = arb(0)
        if m:
            # The masses below m fall at least as fast as a geometric series.
            ratio = m * high / ((radius - m + 1) * low)
            below = _up_to(mass * ratio / (1 - ratio))
        self.m, self.mass, self.below = m, mass, below
        self.scale = (low / high) ** (radius - 2 * m)
        self._to_median()

    def _to_median(self) -> None:
        half = arb(0.5)
        # The median is at most r: at m = r the next sum is 1.
        while self.m < self.radius and not self.below + self.mass > half:
            self.below += self.mass
            self.mass = self.mass * ((self.radius - self.m) * self.low)
            self.m += 1
            self.mass /= self.m * self.high
            self.scale = self.scale * self.high**2 / self.low**2

    def advance(self) -> _BinomialWalk:
        """Go on to the next radius."""
        with working_precision(self.precision):
            r, m = self.radius, self.m
            self.below -= self.mass * (m * self.high) / ((r - m + 1) * self.numerator)
            self.mass = self.mass * ((r + 1) * self.high) / ((r + 1 - m) * self.numerator)
            self.scale = self.scale * self.low / self.high
            self.radius = r + 1
            self._to_median()
        return self

    def error(self) -> arb:
        """Return 1 - F^-1(r)."""
        with working_precision(self.precision):
            total, term, i, r = arb(0), self.mass, self.m, self.radius
            small = arb(2) ** -self.precision
            while i:
                for _ in range(8):
                    term = term * (i * self.low) / ((r - i + 1) * self.high)
                    total += term
                    i -= 1
                if i <= 0:  # terms beyond the last are 0
                    break
                if term < total * small:
                    ratio = arb(i) * self.low / ((r - i + 1) * self.high)
                    total += _up_to(term * ratio / (1 - ratio))
                    break
            return self.scale * (total + (0.5 - self.below))


def _factors(*parts: Fraction) -> tuple[list[Factor], Factor]:
    """Return probabilities times their common denominator, and that: integers while it is short.

    Balls of one rounding where they are long: multiplying by them costs no more then.
    """
    scale = math.lcm(*(part.denominator for part in parts))
    whole: list[Factor] = [int(part * scale) for part in parts]
    if scale.bit_length() <= ctx.prec:
        return whole, scale
    return [arb(number) for number in whole], arb(scale)


def _up_to(bound: arb) -> arb:
    """Return a ball that contains [0, bound]."""
    return arb(0).union(bound)


def _trinomial_error(law: Law, radius: int, precision: int) -> arb:
    """Return 1 - F^-1(r) for three values or more, from the masses of all classes below the median.

    t_k = P(S = k - r), S the number of changed coordinates drawn as in the first input less the
    number drawn as in the second, under the noise of the second: the coefficients of
    (high + rest x + low x^2)^r, which obey

        high k t_k = rest (r - k + 1) t_{k-1} + low (2r - k + 2) t_{k-2},

    all terms of which are positive up to the median.
    """
    with working_precision(precision):
        (high, rest, low), scale = _factors(*law)
        fall = arb(low) / high
        before, mass = arb(0), (arb(high) / scale) ** radius
        below, weighted, k, half = arb(0), arb(0), 0, arb(0.5)
        # The median is at most r: rho(S <= 0) > 1/2.
        while k < radius and not below + mass > half:
            below += mass
            weighted = (weighted + mass) * fall
            k += 1
            after = mass * (rest * (radius - k + 1)) + before * (low * (2 * radius - k + 2))
            before, mass = mass, after / (high * k)
        return fall ** (radius - k) * (weighted + (half - below))


def is_small(noise: ProductNoise, radius: int) -> bool:
    """Return whether the polynomial behind F^-1(radius) is small enough for an exact rational.

    Proof: `proofs/tight-threshold.md`.
    """
    return _polynomial_bits(noise.law, radius) <= _MAX_EXACT_BITS


def _polynomial_bits(law: Law, radius: int) -> int:
    if law.high == law.low:
        return 0
    scale = math.lcm(*(part.denominator for part in law))
    return (2 * radius + 1) * radius * scale.bit_length()


def exact_threshold(noise: ProductNoise, radius: int) -> Fraction | None:
    """Return F^-1(radius) of (2) as a rational, None where there is no threshold.

    Raises InputError for a radius out of range, or one for which the polynomial behind it
    would take more than 32 MB (radius 5,792 at q = 0.1): its enclosure serves there.

    Proof: `proofs/tight-threshold.md`.
    """
    check_product(noise)
    check_radius(radius)
    if not is_small(noise, radius):
        raise InputError(
            f"radius: the rational for {radius} has too many digits; its enclosure has not"
        )
    high, rest, low = noise.law
    if high == low:
        return Fraction(1, 2)
    scale = math.lcm(*(part.denominator for part in noise.law))
    step = [int(part * scale) for part in ((high, rest, low) if rest else (high, low))]
    length = (len(step) - 1) * radius + 1
    # By the number of changes that noise makes; under the other input it makes the others.
    mu = _coefficients(step, radius, [1], 0, length)
    return _fill(mu, mu[::-1], fmpz(scale) ** radius)


def sparse_threshold(noise: Sparse, added: int, deleted: int) -> Fraction | None:
    """Return the least vote share that certifies `added` ones and `deleted` zeros, exactly.

    Of inputs that differ in `added` coordinates 0 -> 1 and `deleted` coordinates 1 -> 0 the
    likelihood ratio depends on the number of them that noise changes (Bojchevski et al. 2020).
    None where no vote share certifies the pair.

    Raises InputError for negative numbers, and where the polynomial takes more than 32 MB.

    Proof: `proofs/sparse-threshold.md`.
    """
    for name, count in (("added", added), ("deleted", deleted)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InputError(f"{name}: must be an integer, 0 or more")
    scale = math.lcm(noise.p_plus.denominator, noise.p_minus.denominator)
    total = added + deleted
    if (total + 1) * total * scale.bit_length() > _MAX_EXACT_BITS:
        raise InputError("added, deleted: the rational has too many digits")
    plus, minus = int(noise.p_plus * scale), int(noise.p_minus * scale)
    length = total + 1
    mu = _coefficients([scale - plus, plus], added, [scale - minus, minus], deleted, length)
    rho = _coefficients([minus, scale - minus], added, [plus, scale - plus], deleted, length)
    if plus + minus > scale:
        mu, rho = mu[::-1], rho[::-1]
    return _fill(mu, rho, fmpz(scale) ** total)


def _coefficients(
    first: list[int], times: int, second: list[int], more: int, length: int
) -> list[fmpz]:
    """Return the coefficients of first^times second^more, `length` of them."""
    found = (fmpz_poly(first) ** times * fmpz_poly(second) ** more).coeffs()
    return found + [fmpz(0)] * (length - len(found))


def _fill(mu: Sequence[fmpz], rho: Sequence[fmpz], whole: fmpz) -> Fraction | None:
    """Return the mu-mass of classes filled in order until they hold half the rho-mass.

    The classes come with falling likelihood ratio mu/rho, in units of 1/whole: Neyman and
    Pearson's worst set for any mu-mass is a beginning of them. None where all the mu-mass does
    not force half the rho-mass.
    """
    covered = mass = fmpz(0)
    for mu_part, rho_part in zip(mu, rho, strict=True):
        if 2 * (covered + rho_part) >= whole:
            if not mu_part:
                return None
            part = Fraction(int(whole - 2 * covered), int(2 * rho_part))
            return (int(mass) + part * int(mu_part)) / int(whole)
        covered += rho_part
        mass += mu_part
    raise AssertionError("the rho-masses do not add up to 1")  # pragma: no cover
