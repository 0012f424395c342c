"""The Chernoff bound of B.2 in balls: ln P(class i does not beat class b), for all b at one t."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from certaudit.errors import InputError
from certaudit.exact import Enclosure
from certaudit.noise import LabelFlip
from certaudit.rigorous.balls import decide, from_ball, order, to_ball, working_precision

__all__ = ["is_majority_sum", "log_pair_bounds", "log_pairs", "log_sum_bound"]

_SLACK = Fraction(1, 1 << 20)
_MAX_BITS = 1 << 14


def log_pairs(
    t: float | Fraction,
    alpha: Sequence[Sequence[float | arb]],
    winner: int,
    rivals: Sequence[int],
    noise: LabelFlip,
) -> list[arb]:
    """Return enclosures of ln B(t) of B.2 for a class and each rival, at flint's precision.

    `alpha` holds the alphas of the training points of each class, 0..classes-1. Floats are taken
    as the dyadic rationals they are; a ball stands for every alpha in it.

    ln B(t) = sum_j ln E exp(-t alpha_j (Y_j,winner - Y_j,rival)) over noisy labels; for t >= 0 it
    bounds ln P(score of winner <= score of rival).

    Raises InputError for t < 0, a wrong number of classes, or a rival that is the winner.

    Proof: `proofs/pair-chernoff.md`.
    """
    if t < 0:
        raise InputError("t: must not be negative")
    if len(alpha) != noise.classes or winner in rivals:
        raise InputError("alpha of each class is needed, and rivals other than the winner")
    flip = noise.q / (noise.classes - 1)
    # A common factor, flip, is taken out of every summand:
    #   label winner: odds e + others + 1/e, rival: e + others + odds/e, any other: e + free + 1/e.
    odds = to_ball((1 - noise.q) / flip)
    others, free = arb(noise.classes - 2), to_ball(1 / flip - 2)
    minus_t = -to_ball(Fraction(t))
    wanted = set(rivals)
    for_class, as_rival, as_other = arb(1), {}, {}
    for c, values in enumerate(alpha):
        rival = other = arb(1)
        for value in values:
            e = (minus_t * value).exp()
            inverse = 1 / e
            if c == winner:
                for_class *= odds * e + inverse + others
                continue
            other *= e + inverse + free
            if c in wanted:
                rival *= e + odds * inverse + others
        as_rival[c], as_other[c] = rival.log(), other.log()
    start = sum(map(len, alpha)) * to_ball(flip).log() + for_class.log()
    return [
        start
        + as_rival[b]
        + sum((value for c, value in as_other.items() if c not in (b, winner)), arb(0))
        for b in rivals
    ]


def log_pair_bounds(
    t: float | Fraction,
    alpha: Sequence[Sequence[float | arb]],
    winner: int,
    rivals: Sequence[int],
    noise: LabelFlip,
    *,
    alpha_error: Fraction = Fraction(0),
) -> list[Enclosure | None]:
    """Return, for each rival, an interval that contains ln B(t) for every alpha allowed.

    Upper ends are >= ln B(t) >= ln P(score of winner <= score of rival). Allowed is every vector
    within `alpha_error` of the given one in l1 distance: t alpha_error wide on both sides, since
    |d ln B / d alpha_j| <= t. The precision is raised until the rounding of the balls is below
    2^-20, or is not what makes the interval wide. None where no finite one is found at 16384 bits.

    Raises InputError as log_pairs does, or for a negative alpha_error.

    Proof: `proofs/pair-chernoff.md`.
    """
    if alpha_error < 0:
        raise InputError("alpha_error: must not be negative")
    bits, previous = 64, None
    while True:
        with working_precision(bits):
            balls = log_pairs(t, alpha, winner, rivals, noise)
        if all(ball.is_finite() for ball in balls):
            width = max((from_ball(ball).rad for ball in balls), default=Fraction(0))
            # Wide alphas: more bits stop paying off.
            if width <= _SLACK or (previous is not None and width > previous / 2):
                break
            previous = width
        if bits >= _MAX_BITS:
            break
        bits *= 2
    with working_precision(bits):
        slack = to_ball(Fraction(t) * alpha_error)
        spread = slack.union(-slack)
        return [from_ball(ball + spread) if ball.is_finite() else None for ball in balls]


def log_sum_bound(logs: Sequence[Fraction]) -> Enclosure:
    """Return an interval of width below 2^-100 around ln sum_b exp(logs_b), at least one term.

    Proof: `proofs/pair-chernoff.md`.
    """
    bits = 192
    while True:
        with working_precision(bits):
            found = from_ball(_log_sum(logs))
        if found.rad < Fraction(1, 1 << 100):
            return found
        bits *= 2


def _log_sum(logs: Sequence[Fraction]) -> arb:
    largest = to_ball(max(logs))
    return sum(((to_ball(value) - largest).exp() for value in logs), arb(0)).log() + largest


def is_majority_sum(logs: Sequence[Fraction]) -> bool:
    """Return whether sum_b exp(logs_b) < 1/2, exactly, at least one term.

    There is no tie: a sum of exponentials of rationals is 1/2 for none (Lindemann-Weierstrass:
    it would be a relation between exponentials of different rationals, and terms that are 1
    are too large alone).

    Raises Undecided as balls.decide does.

    Proof: `proofs/pair-chernoff.md`.
    """
    largest = max(logs)
    if largest >= 0:
        return False
    # Far from the border, as almost all are: sum <= count exp(largest), ln(count) <= count.
    if largest + len(logs) < -1:
        return True
    return decide(lambda: order(_log_sum(logs), -arb(2).log()), "the sum of pair errors") == -1
