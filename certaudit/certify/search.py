"""Searches in floats for the witness t: any t is sound, a good one proves more."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certaudit.certify.data import Floats, Labels
from certaudit.noise import LabelFlip
from certaudit.rigorous.balls import to_ball, working_precision

__all__ = ["chernoff_t", "is_precise", "pair_logs", "pair_t"]

_LARGEST_T = 2.0**1000
_SEARCH_GAP = 2.0**-30
"""The search ends when ln B(t) is about this close to its minimum, in nats."""


def is_precise(alpha: Floats, error: Fraction) -> bool:
    """Return whether alpha is known well enough to search for t, given its l1 error.

    Decides only how much work is done: any t and any enclosure of alpha are sound.

    Proof: `proofs/chernoff.md`.
    """
    return error <= Fraction(float(np.abs(alpha).max())) / (1 << 20)


def chernoff_t(
    alpha: Floats, labels: Labels, q: Fraction, direction: int, *, gap: float | None = None
) -> float:
    """Return a t near the minimum of ln B(t), (6), on the side that `direction` (+1, -1) names.

    A float search: no bound depends on it, any t is sound. Written in the gap c between 1/2 and
    the extreme score and the weights |alpha_i|, every exponential is of a negative number, so
    nothing overflows, and each term keeps its digits for any q: with a_i the probability that
    noisy label i takes the value worst for the predicted class,

        ln B(t) = c |t| + sum_i ln(a_i + (1 - a_i) exp(-|t| |alpha_i|)).

    Convex in |t|: Newton's method inside a bracket. Where the infimum lies at infinity (a score
    that ties with 1/2), |t| stops where every exponential has vanished. `gap` is c, where the
    caller knows it better than a sum of floats does: near a tie all depends on it.

    Proof: `proofs/chernoff.md`.
    """
    if not alpha.any():
        return 0.0
    # In units of the largest weight, rounded to a power of two, nothing overflows when squared,
    # and the division is exact.
    unit = 2.0 ** (math.frexp(float(np.abs(alpha).max()))[1] - 1)
    alpha = alpha / unit
    used = alpha != 0
    alpha, ones = alpha[used], labels[used] == 1
    weights = np.abs(alpha)
    worst_is_one = alpha < 0 if direction > 0 else alpha > 0
    if gap is None:
        gap = -direction * math.fsum([*alpha[worst_is_one].tolist(), -0.5 / unit])
    else:
        gap /= unit
    # ln(a/(1-a)): the worst value takes a flip (a = q) where it is not the label.
    with working_precision(64):
        logit = float((to_ball(1 - q) / to_ball(q)).log())
    logits = np.where(worst_is_one == ones, logit, -logit)

    def slope(size: float) -> tuple[float, float]:
        """Return the first and second derivative of ln B at |t| = size / unit."""
        with np.errstate(over="ignore", under="ignore"):
            share = 1.0 / (1.0 + np.exp(size * weights + logits))
            terms = weights * share
            # Sums, not dot products: BLAS would wake its threads, and other processes wait.
            return gap - float(terms.sum()), float((weights * terms * (1.0 - share)).sum())

    if slope(0.0)[0] >= 0:
        return 0.0
    ceiling = min((800.0 + logit) / float(weights.min()), 1e300)
    return _short(direction * (_minimum(slope, ceiling) / unit))


def pair_t(alpha: Floats, labels: Labels, winner: int, rival: int, noise: LabelFlip) -> float:
    """Return t >= 0 near the minimum of ln B(t) of B.2 for a class and its rival.

    A float search: no bound depends on it, any t >= 0 is sound. With x = 1 (the label becomes the
    class), 0 or -1 (its rival), each summand is ln E exp(-t alpha x): exponentials are taken of
    differences from the largest exponent, so that nothing overflows, and q may be tiny.

    Proof: `proofs/pair-chernoff.md`.
    """
    if not alpha.any():
        return 0.0
    # Exact, and nothing overflows when it is squared; see chernoff_t.
    unit = 2.0 ** (math.frexp(float(np.abs(alpha).max()))[1] - 1)
    alpha = alpha / unit
    used = alpha != 0
    alpha, labels = alpha[used], labels[used]
    logs = _PairLogs.of(noise)
    of_class, of_rival = labels == winner, labels == rival
    favour = np.where(of_class, logs.keep, logs.flip)
    against = np.where(of_rival, logs.keep, logs.flip)
    neither = np.where(of_class | of_rival, logs.same, logs.other)

    def slope(size: float) -> tuple[float, float]:
        """Return the first and second derivative of ln B at t = size / unit."""
        shift = size * alpha
        down, up = favour - shift, against + shift
        largest = np.maximum(np.maximum(down, up), neither)
        with np.errstate(under="ignore"):
            down, up = np.exp(down - largest), np.exp(up - largest)
            total = down + up + np.exp(neither - largest)
        down /= total
        up /= total
        mean, square = up - down, up + down
        first = float((alpha * mean).sum())
        return first, float((alpha * alpha * (square - mean * mean)).sum())

    if slope(0.0)[0] >= 0:
        return 0.0
    ceiling = min((800.0 - 2 * logs.flip) / float(np.abs(alpha).min()), 1e300)
    return _short(_minimum(slope, ceiling) / unit)


@dataclass(frozen=True, slots=True)
class _PairLogs:
    """Logarithms of probabilities of noisy labels, as floats; -inf for 0.

    `keep` of staying, `flip` of becoming a certain other class; `same` that a label of two classes
    becomes none of them, `other` that any other label stays none of them.
    """

    keep: float
    flip: float
    same: float
    other: float

    @classmethod
    def of(cls, noise: LabelFlip) -> _PairLogs:
        flip = noise.q / (noise.classes - 1)
        shares = (1 - noise.q, flip, (noise.classes - 2) * flip, 1 - 2 * flip)
        with working_precision(64):
            return cls(*(float(to_ball(p).log()) if p > 0 else -math.inf for p in shares))


def pair_logs(t: float, alpha: Floats, labels: Labels, winner: int, noise: LabelFlip) -> Floats:
    """Return about ln B(t) of B.2 against each rival (nan for the winner): a float estimate.

    Proof: `proofs/pair-chernoff.md`.
    """
    logs, shift = _PairLogs.of(noise), t * alpha

    def by_class(favour: float, neither: float, against: float) -> Floats:
        down, up = favour - shift, against + shift
        largest = np.maximum(np.maximum(down, up), neither)
        with np.errstate(under="ignore"):
            total = np.exp(down - largest) + np.exp(up - largest) + np.exp(neither - largest)
        values = np.log(total) + largest
        return np.asarray(np.bincount(labels, values, minlength=noise.classes))

    own = by_class(logs.keep, logs.same, logs.flip)[winner]
    as_rival = by_class(logs.flip, logs.same, logs.keep)
    if noise.classes == 2:
        found = own + as_rival
    else:
        as_other = by_class(logs.flip, logs.other, logs.flip)
        found = own + as_rival + (as_other.sum() - as_other[winner] - as_other)
    found[winner] = math.nan
    return np.asarray(found)


def _minimum(slope: Callable[[float], tuple[float, float]], ceiling: float) -> float:
    """Return where a convex function on [0, ceiling] is near its minimum, given its derivatives."""
    low, high, size = 0.0, math.inf, 0.0
    for round_number in range(400):
        first, second = slope(size)
        if first < 0:
            low = size
        else:
            high = size
        # Convexity: the gap to the minimum is at most |slope| times the distance to it.
        if math.isfinite(high) and abs(first) * (high - low) <= _SEARCH_GAP:
            break
        # |(ln B)'''| <= 2 (ln B)'', the weights being below 2 (of pairs: 4): where Newton's step is
        # short, the gap is about half the squared decrement.
        if abs(first) <= second / 4 and first * first <= second * _SEARCH_GAP:
            break
        step = size - first / second if second > 0 else math.inf
        if not low < step < high or round_number % 8 == 7:
            # Bisect the exponent: a step may have gone many powers of ten too far, and where
            # the curvature underflows Newton's steps are too short to arrive.
            step = math.sqrt(max(low, high / 2.0**64)) * math.sqrt(high)
            step = step if math.isfinite(high) else max(4 * low, 1.0)
        size = min(step, ceiling)
        if not low < size < high:
            break  # the ceiling, or neighbouring floats: nothing between them
    return size


def _short(t: float) -> float:
    """Return t, finite and rounded to 32 bits: the same on machines that round otherwise.

    ln B is flat at its minimum: a relative change of 2^-32 costs about t^2 (ln B)'' 2^-65.
    """
    mantissa, exponent = math.frexp(max(-_LARGEST_T, min(t, _LARGEST_T)))
    return math.ldexp(round(mantissa * 2.0**32), exponent - 32)
