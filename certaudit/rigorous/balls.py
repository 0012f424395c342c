"""Bridges between balls and exact numbers, and comparisons that never guess.

`arb` comparisons are False when the order is unknown, so `not (x < y)` proves nothing:
every decision on balls goes through `order` or `decide` here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from threading import RLock
from typing import TypeVar

from flint import arb, ctx, fmpq, fmpz

from certaudit.errors import Undecided
from certaudit.exact import Enclosure

__all__ = [
    "MAX_BITS",
    "decide",
    "from_ball",
    "order",
    "to_ball",
    "upper_bound",
    "working_precision",
]

MAX_BITS = 1 << 20
"""The precision at which `decide` gives up."""

_ONE_AT_A_TIME = RLock()

T = TypeVar("T")


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Work with balls of `bits` bits, one thread at a time: flint has one precision for all.

    Proof: `proofs/balls.md`.
    """
    with _ONE_AT_A_TIME, ctx.workprec(bits):
        yield


def to_ball(value: Fraction) -> arb:
    """Return a ball that contains the rational `value`, at the current precision.

    Proof: `proofs/balls.md`.
    """
    return arb(fmpq(fmpz(value.numerator), fmpz(value.denominator)))


def from_ball(ball: arb) -> Enclosure:
    """Return the same interval as four integers; exact, whatever the current precision.

    Raises Undecided when the ball is not finite.

    Proof: `proofs/balls.md`.
    """
    if not ball.is_finite():
        raise Undecided("an enclosure became infinite")
    mid_mantissa, mid_exponent = ball.mid().man_exp()
    rad_mantissa, rad_exponent = ball.rad().man_exp()
    return Enclosure(int(mid_mantissa), int(mid_exponent), int(rad_mantissa), int(rad_exponent))


def upper_bound(ball: arb) -> Fraction:
    """Return the upper end of a finite ball, exactly.

    Raises Undecided when the ball is not finite.

    Proof: `proofs/balls.md`.
    """
    return from_ball(ball).upper


def order(x: arb, y: arb) -> int | None:
    """Return -1 when x < y is proven, 1 when x > y is proven, None when neither is.

    Equality of reals cannot be proven by balls of positive width: it is never returned.

    Proof: `proofs/balls.md`.
    """
    if x < y:
        return -1
    if x > y:
        return 1
    return None


def decide(question: Callable[[], T | None], what: str, *, bits: int = 64) -> T:
    """Ask `question` at doubling precision until it answers something other than None.

    Raises Undecided, naming `what`, beyond MAX_BITS: callers settle ties in integers first,
    so that the loop ends.

    Proof: `proofs/balls.md`.
    """
    while bits <= MAX_BITS:
        with working_precision(bits):
            answer = question()
        if answer is not None:
            return answer
        bits *= 2
    raise Undecided(f"{what}: not decided at {MAX_BITS} bits")
