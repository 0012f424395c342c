"""Radii by comparing floats: the largest ln(1 - p) that certifies each radius, enclosed once."""

from __future__ import annotations

import math
from collections.abc import Callable

from flint import arb

from certaudit.exact import round_down, round_up
from certaudit.noise import LabelFlip
from certaudit.rigorous.balls import from_ball, working_precision
from certaudit.rigorous.radius import divergence
from certaudit.rigorous.threshold import MAX_RADIUS, threshold

__all__ = ["Radii"]

_BITS = 128


class Radii:
    """What a bound on ln(1 - p) certifies under label noise: KL (5) or tight (2), by table.

    A radius r is certified by ln(1 - p) <= its level, which falls as r grows; the level of 0 is
    -ln 2. Levels are enclosed in float64 when they are first asked for, and kept. `guarantee` is
    "kl" or "tight", `cap` the number of labels, `step` the KL cost of a flip, 2 D, in nats: a float
    for searches only.
    """

    def __init__(self, noise: LabelFlip, guarantee: str, cap: int) -> None:
        self._noise, self._cap = noise, min(cap, MAX_RADIUS)
        self._capped = cap <= MAX_RADIUS
        self._enclose: Callable[[int], tuple[float, float]] = (
            self._kl_level if guarantee == "kl" else self._tight_level
        )
        self._levels: dict[int, tuple[float, float]] = {}
        with working_precision(_BITS):
            self._divergence = divergence(noise)
        self.step = 2 * float(self._divergence.mid())

    def level(self, radius: int) -> tuple[float, float]:
        """Return float64 numbers around the largest ln(1 - p) that certifies a radius.

        Proof: `proofs/fast-radius.md`.
        """
        found = self._levels.get(radius)
        if found is None:
            found = self._levels[radius] = self._enclose(radius)
        return found

    def _kl_level(self, radius: int) -> tuple[float, float]:
        # 4p(1-p) = y = exp(-2 r D) at 1 - p = (1 - sqrt(1-y))/2 = y / (2 (1 + sqrt(1-y))).
        with working_precision(_BITS):
            exponent = self._divergence * (-2 * radius)
            root = (-(exponent.expm1())).nonnegative_part().sqrt() if radius else arb(0)
            ball = exponent - (2 * (1 + root)).log()
            middle = float(ball.mid())
            # However that was rounded: these comparisons are exact.
            for low in (middle, math.nextafter(middle, -math.inf)):
                high = math.nextafter(low, math.inf)
                if arb(low) < ball < arb(high):
                    return low, high
        ends = from_ball(ball)
        return round_down(ends.lower), round_up(ends.upper)

    def _tight_level(self, radius: int) -> tuple[float, float]:
        least = threshold(self._noise, radius)
        if least is None:
            return -math.inf, -math.inf
        low = least.log_error_down()
        return low, math.nextafter(low, math.inf)

    def decide(self, lower: float, upper: float) -> int | None:
        """Return the radius that every bound between `lower` and `upper` on ln(1 - p) certifies.

        -1 where none of them proves a majority, None where they do not agree.

        Proof: `proofs/fast-radius.md`.
        """
        if not upper < self.level(0)[0]:
            return -1 if lower > self.level(0)[1] else None
        radius = self._search(upper)
        if radius == self._cap:
            return radius if self._capped else None
        return radius if lower > self.level(radius + 1)[1] else None

    def _search(self, upper: float) -> int:
        """Return the largest radius, at most the cap, that `upper` certifies; 0 is one."""
        low = 0
        # (5) without its small term: not above the KL radius, nor that above the tight one.
        guess = (-upper - math.log(4)) / self.step if self.step > 0 else math.inf
        high = max(1, int(min(guess, float(self._cap))))
        stride = 1
        while high <= self._cap and upper <= self.level(high)[0]:
            low, high, stride = high, high + stride, 2 * stride
        high = min(high, self._cap + 1)
        while high - low > 1:
            middle = (low + high) // 2
            if upper <= self.level(middle)[0]:
                low = middle
            else:
                high = middle
        return low
