"""The Chernoff bound (6) in balls: a proven upper bound on ln(1 - p)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from certaudit.errors import InputError
from certaudit.exact import Enclosure, Number
from certaudit.noise import check_label_noise
from certaudit.rigorous.balls import from_ball, to_ball, working_precision

__all__ = ["log_chernoff", "log_error_bound"]

_SLACK = Fraction(1, 1 << 20)
_MAX_TAIL_BITS = 1 << 14


def log_chernoff(
    t: float | Fraction,
    alpha_zeros: Sequence[float | arb],
    alpha_ones: Sequence[float | arb],
    q: Number,
) -> arb:
    """Return an enclosure of ln B(t) of (6), in nats, at the current precision of flint.

    ln B(t) = t/2 + sum_i ln E exp(-t alpha_i y_i), the sum over noisy labels y_i: those with
    label 0 (`alpha_zeros`) are 1 with probability q, those with label 1 (`alpha_ones`) with
    probability 1 - q. Floats are taken as the dyadic rationals they are; a ball stands
    for every alpha in it. t is *signed*: t > 0 bounds P(alpha'y <= 1/2), t < 0 bounds
    P(alpha'y >= 1/2) (the papers' B at |t*| is a slip, `docs/errata.md`).

    Raises InputError for q outside (0, 1/2).

    Proof: `proofs/chernoff.md`.
    """
    rate = check_label_noise(q)
    noise, keep = to_ball(rate), to_ball(1 - rate)
    minus_t = -to_ball(Fraction(t))
    # A common factor is taken out of every summand, one multiplication a point cheaper:
    # keep + noise e = noise (keep/noise + e),  noise + keep e = keep (noise/keep + e).
    odds = keep / noise
    zeros = ones = arb(1)
    for value in alpha_zeros:
        zeros *= (minus_t * value).exp() + odds
    odds = noise / keep
    for value in alpha_ones:
        ones *= (minus_t * value).exp() + odds
    scale = len(alpha_zeros) * noise.log() + len(alpha_ones) * keep.log()
    return scale + zeros.log() + ones.log() - minus_t / 2


def log_error_bound(
    t: float | Fraction,
    alpha_zeros: Sequence[float | arb],
    alpha_ones: Sequence[float | arb],
    q: Number,
    *,
    alpha_error: Fraction = Fraction(0),
) -> Enclosure:
    """Return an interval that contains ln B(t) for every alpha allowed; its upper end is used.

    Its upper end is >= ln B(t) >= ln P(vote is not the one that t points to). Allowed is
    every vector within `alpha_error` of the given one in l1 distance, |t| alpha_error wide on
    both sides since |d ln B / d alpha_i| <= |t|. The precision is raised until the rounding of
    the balls is below 2^-20, or is not what makes the interval wide.

    Raises InputError for q outside (0, 1/2) or a negative alpha_error, Undecided when no
    finite enclosure is found at 16384 bits.

    Proof: `proofs/chernoff.md`.
    """
    if alpha_error < 0:
        raise InputError("alpha_error: must not be negative")
    bits, previous = 64, None
    while True:
        with working_precision(bits):
            ball = log_chernoff(t, alpha_zeros, alpha_ones, q)
        finite = ball.is_finite()
        if finite:
            width = from_ball(ball).rad
            # Wide alphas: more bits stop paying off.
            if width <= _SLACK or (previous is not None and width > previous / 2):
                break
            previous = width
        if bits >= _MAX_TAIL_BITS:
            break
        bits *= 2
    with working_precision(bits):
        slack = to_ball(abs(Fraction(t)) * alpha_error)
        return from_ball(ball + slack.union(-slack) if alpha_error else ball)
