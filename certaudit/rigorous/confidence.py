"""What k votes of N samples prove about a vote share: Clopper-Pearson, decided exactly.

The binomial tail is evaluated at the share in question, in balls or, at equality, in integers;
never at a root finder's point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import TypeAlias

from flint import arb, ctx, fmpz

from certaudit.errors import InputError, Undecided
from certaudit.exact import Enclosure, Number, as_integer, as_rational
from certaudit.noise import Gaussian
from certaudit.rigorous.balls import from_ball, order, to_ball, working_precision
from certaudit.rigorous.threshold import Threshold, is_small

__all__ = [
    "MAX_SAMPLES",
    "GaussianShare",
    "Sampled",
    "binomial_tail",
    "bonferroni",
    "holm",
    "hull",
    "lower_bound",
    "mass",
    "proves",
    "share_balls",
    "tail_sign",
    "top_and_runner_up",
    "upper_bound",
]

MAX_SAMPLES = 10**9
"""The most samples that are decided."""
_MAX_BITS, _TIE_BITS = 1 << 14, 1 << 8
_HALF = Fraction(1, 2)
_MAX_INTEGER_WORK = 1 << 35
"""Terms times bits of a tail in integers, for ties."""
_FAR = 10_000
"""Standard deviations beyond which a Gaussian share is 1 for every sample that is decided."""
_WIDTH = Fraction(1, 1 << 60)
"""The relative width of the bounds: of the bound, and of its distance from 1."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """`count` of `samples` independent votes were for the class.

    What is claimed of its share may be false with a chance of `failure_prob`. The class has to be
    chosen from other samples than these.

    Raises InputError for counts that are no integers in 0..samples, samples outside 1..10^9, and
    failure probabilities outside (0, 1).
    """

    count: int
    samples: int
    failure_prob: Fraction

    def __post_init__(self) -> None:
        for name in ("samples", "count"):
            object.__setattr__(self, name, as_integer(getattr(self, name), name))
        if not 1 <= self.samples <= MAX_SAMPLES:
            raise InputError(f"samples: must lie in 1..{MAX_SAMPLES}")
        if not 0 <= self.count <= self.samples:
            raise InputError(f"count: must lie in 0..{self.samples}, the number of samples")
        chance = as_rational(self.failure_prob, "failure_prob")
        if not 0 < chance < 1:
            raise InputError("failure_prob: must lie strictly between 0 and 1")
        object.__setattr__(self, "failure_prob", chance)

    def divided(self, number: int) -> Sampled:
        """Return the same votes for one of `number` statements that share failure_prob.

        Raises InputError where that is no integer, at least 1.
        """
        if as_integer(number, "number of statements") < 1:
            raise InputError("number of statements: must be at least 1")
        return Sampled(self.count, self.samples, self.failure_prob / number)


@dataclass(frozen=True, slots=True)
class GaussianShare:
    """The vote share Phi(radius/sigma) at which example 1 gives a radius > 0."""

    noise: Gaussian
    radius: Fraction


Share: TypeAlias = "int | Fraction | Threshold | GaussianShare"
"""A vote share, known as a rational or as closely as one likes."""


def binomial_tail(count: int, samples: int, share: arb, rest: arb) -> arb:
    """Return an enclosure of P(Bin(samples, share) >= count), at the current precision of flint.

    `rest` = 1 - share, given by itself since it keeps its digits where share is close to 1; both
    strictly between 0 and 1. The cost grows as the square root of `samples`.

    Proof: `proofs/clopper-pearson.md`.
    """
    if count <= 0:
        return arb(1)
    if count > samples:
        return arb(0)
    # From the edge away from the mean; which side the mean is on is no more than a matter of cost.
    if count >= samples * share.mid():
        return mass(count, samples, share, rest) * _series(count, samples, share / rest)
    below = mass(samples - count + 1, samples, rest, share)
    return 1 - below * _series(samples - count + 1, samples, rest / share)


def mass(count: int, samples: int, share: arb, rest: arb) -> arb:
    """Return an enclosure of P(Bin(samples, share) = count), at the current precision of flint.

    Proof: `proofs/clopper-pearson.md`.
    """
    return arb.bin_uiui(samples, count) * share**count * rest ** (samples - count)


def _series(count: int, samples: int, odds: arb) -> arb:
    """Return the sum of P(= j)/P(= count) over j >= count, whose ratios fall."""
    total, term, j, small = arb(1), arb(1), count, arb(2) ** -ctx.prec
    while j < samples:
        for _ in range(8):
            term = term * ((samples - j) * odds) / (j + 1)
            total += term
            j += 1
        if term < total * small:
            ratio = (samples - j) * odds / (j + 1)
            if ratio < 1:
                # What is left is below a geometric series.
                return total + arb(0).union(term * ratio / (1 - ratio))
    return total


def tail_sign(claim: Sampled, share: Share) -> int:
    """Return the sign of P(Bin(samples, share) >= count) - failure_prob; 0 at equality.

    Raises InputError for a share outside [0, 1], Undecided where neither balls of 16,384 bits nor
    integers of moderate length decide.

    Proof: `proofs/clopper-pearson.md`.
    """
    edge = _edge(claim, share)
    if edge is not None:
        return edge
    if isinstance(share, GaussianShare) and share.radius > (far := _FAR * share.noise.sigma):
        # Too far for balls. The tail grows with the radius: not proven at less, not proven here.
        nearer = tail_sign(claim, GaussianShare(share.noise, far))
        if nearer > 0:
            return nearer
    bits = 64
    while bits <= _MAX_BITS:
        with working_precision(bits + 2 * claim.samples.bit_length()):
            found = _balls(share, bits)
            sign = None if found is None else _ball_sign(claim, *found)
        if sign is not None:
            return sign
        exact = _rational(claim, share) if bits >= _TIE_BITS else None
        if exact is not None and _is_short(claim, exact.denominator.bit_length()):
            return _tail_sign_by_integers(claim, exact)
        bits *= 4
    raise Undecided(f"{claim.count} of {claim.samples} votes: not decided at {_MAX_BITS} bits")


def _ball_sign(claim: Sampled, share: arb, rest: arb) -> int | None:
    """Compare the tail, or what it leaves where failure_prob is above 1/2, in balls."""
    if claim.failure_prob <= _HALF:
        tail = binomial_tail(claim.count, claim.samples, share, rest)
        return order(tail, to_ball(claim.failure_prob))
    tail = binomial_tail(claim.samples - claim.count + 1, claim.samples, rest, share)
    return order(to_ball(1 - claim.failure_prob), tail)


def _edge(claim: Sampled, share: Share) -> int | None:
    """Return the sign where the tail is 0 or 1, None elsewhere."""
    if not isinstance(share, int | Fraction | Threshold | GaussianShare):
        raise InputError(f"share: {share!r:.40} is no exact share")
    if isinstance(share, int | Fraction) and not 0 <= share <= 1:
        raise InputError("share: must lie in [0, 1]")
    if claim.count == 0 or share == 1 or (isinstance(share, Threshold) and not share.compare(0)):
        return 1
    return -1 if share == 0 else None


def share_balls(claim: Sampled, share: Share, bits: int) -> tuple[arb, arb] | None:
    """Return balls of `bits` bits around a share and 1 - share; None where the tail is 0 or 1.

    Also None where they are not that narrow. Raises InputError for a share outside [0, 1].

    Proof: `proofs/clopper-pearson.md`.
    """
    if _edge(claim, share) is not None:
        return None
    with working_precision(bits + 2 * claim.samples.bit_length()):
        return _balls(share, bits)


def _rational(claim: Sampled, share: Share) -> Fraction | None:
    """Return a share as a rational, None where it is none, or a long one."""
    if isinstance(share, Threshold):
        scale = math.lcm(*(part.denominator for part in share.noise.law))
        short = _is_short(claim, share.radius * scale.bit_length())
        return share.exact() if short and is_small(share.noise, share.radius) else None
    return None if isinstance(share, GaussianShare) else Fraction(share)


def _balls(share: Share, bits: int) -> tuple[arb, arb] | None:
    """Return the share and 1 - share at the current precision, None where they are too wide."""
    if isinstance(share, int | Fraction):
        return to_ball(Fraction(share)), to_ball(Fraction(1 - share))
    if isinstance(share, Threshold):
        rest = share.ball(bits)
        return (1 - rest, rest) if rest > 0 else None
    rest = (to_ball(share.radius / share.noise.sigma) / arb(2).sqrt()).erfc() / 2
    return (1 - rest, rest) if rest > 0 else None


def _is_short(claim: Sampled, denominator_bits: int) -> bool:
    terms = claim.samples - claim.count + 1
    return claim.samples * denominator_bits * terms <= _MAX_INTEGER_WORK


def _tail_sign_by_integers(claim: Sampled, share: Fraction) -> int:
    """Compare the tail with failure_prob in integers, over the common denominator D^samples."""
    n, k = claim.samples, claim.count
    top, rest = fmpz(share.numerator), fmpz(share.denominator - share.numerator)
    term = fmpz(n).bin_uiui(n, k) * top**k * rest ** (n - k)
    tail = term
    for j in range(k, n):
        term = term * ((n - j) * top) / ((j + 1) * rest)  # exact: the next integer term
        tail += term
    chance = claim.failure_prob
    left = tail * chance.denominator
    right = fmpz(share.denominator) ** n * chance.numerator
    return int(left > right) - int(left < right)


def proves(claim: Sampled, share: Share) -> bool:
    """Return whether the votes prove a share above `share`: P(Bin(samples, share) >= count) <= a.

    Were the true share `share` or less, so many votes would come with a chance of at most a =
    failure_prob (Clopper and Pearson, one-sided); equality proves it.

    Raises Undecided as tail_sign does.

    Proof: `proofs/clopper-pearson.md`.
    """
    return tail_sign(claim, share) <= 0


def lower_bound(
    count: int, samples: int, failure_prob: Number, *, two_sided: bool = False
) -> Enclosure:
    """Return an enclosure of the Clopper-Pearson lower bound of a share, to about 60 bits.

    Its lower end is proven by `count` of `samples` votes: from that share or less so many come
    with a chance of at most `failure_prob`. From its upper end they come with that chance or more.
    It is 0 for a count of 0, which proves nothing.
    `two_sided` spends half of failure_prob on the other side.

    Raises InputError as Sampled does, Undecided as tail_sign does.

    Proof: `proofs/clopper-pearson.md`.
    """
    chance = as_rational(failure_prob, "failure_prob")
    claim = Sampled(count, samples, chance)
    return _lower_bound(claim.divided(2) if two_sided else claim)


def _lower_bound(claim: Sampled) -> Enclosure:
    if claim.count == 0:
        return Enclosure(0, 0, 0, 0)
    middle = _root(claim)
    for attempt in count():
        width = _WIDTH * 16**attempt
        if width < _HALF:
            reach = width * min(middle, 1 - middle)
            low, high = middle - reach, middle + reach
        else:  # the guess was poor
            left = Fraction(1, 1 << (1 << attempt))
            low, high = middle * left, 1 - (1 - middle) * left
        if tail_sign(claim, low) <= 0 <= tail_sign(claim, high):
            return _enclosure(low, high)
    raise AssertionError("unreachable")  # pragma: no cover


def _root(claim: Sampled) -> Fraction:
    """Return about where the tail is failure_prob: a guess, which _lower_bound checks.

    Newton's method in the log odds u of the share on the log of the tail, or of what the tail
    leaves where failure_prob is above 1/2, in a bracket.
    """
    n, k, chance = claim.samples, claim.count, claim.failure_prob
    most = chance > _HALF
    with working_precision(128 + 2 * n.bit_length()):
        goal = to_ball(1 - chance if most else chance).log()
        size = 2 * arb(n + 1).log() + 10
        low = (to_ball(chance).log() - size).mid()
        high = (size - to_ball(1 - chance).log()).mid()
        u = (arb(k + 1) / (n - k + 1)).log().mid()
        for _ in range(300):
            share, rest = 1 / (1 + (-u).exp()), 1 / (1 + u.exp())
            if most:
                tail = binomial_tail(n - k + 1, n, rest, share)
                gap = goal - tail.log()
            else:
                tail = binomial_tail(k, n, share, rest)
                gap = tail.log() - goal
            low, high = (low, u) if gap.mid() > 0 else (u, high)
            step = (gap * tail / (mass(k, n, share, rest) * k * rest)).mid()
            following = (u - step).mid()
            if not low < following < high:
                following = ((low + high) / 2).mid()
            change, u = abs(following - u), following
            if change < 2.0**-64:
                break
        share, rest = 1 / (1 + (-u).exp()), 1 / (1 + u.exp())
    with working_precision(96):
        return from_ball(+share).mid if u < 0 else 1 - from_ball(+rest).mid


def _enclosure(low: Fraction, high: Fraction) -> Enclosure:
    """Return dyadic numbers as an enclosure, exactly."""
    mid, rad = (low + high) / 2, (high - low) / 2
    return Enclosure(
        mid.numerator,
        1 - mid.denominator.bit_length(),
        rad.numerator,
        1 - rad.denominator.bit_length(),
    )


def hull(first: Enclosure, second: Enclosure) -> Enclosure:
    """Return the enclosure from the lower end of the first to the upper end of the second; exact.

    Raises InputError where the ends are in the other order.

    Proof: `proofs/clopper-pearson.md`.
    """
    return _enclosure(first.lower, second.upper)


def upper_bound(
    count: int, samples: int, failure_prob: Number, *, two_sided: bool = False
) -> Enclosure:
    """Return an enclosure of the Clopper-Pearson upper bound of a share; its upper end is proven.

    Arguments and errors as in lower_bound: it is 1 - the lower bound of the other votes.

    Proof: `proofs/clopper-pearson.md`.
    """
    claim = Sampled(count, samples, as_rational(failure_prob, "failure_prob"))
    rest = claim.samples - claim.count
    other = lower_bound(rest, claim.samples, claim.failure_prob, two_sided=two_sided)
    return _enclosure(1 - other.upper, 1 - other.lower)


def top_and_runner_up(
    top: int, runner_up: int, samples: int, failure_prob: Number
) -> tuple[Enclosure, Enclosure]:
    """Return a lower bound of the top class's share and an upper bound of every other class's.

    `runner_up` is the largest other count *in these samples* (not the class that was second in
    others). Each bound spends half of failure_prob; for the others' a union bound over the classes
    is the caller's (divide failure_prob).

    Raises InputError as Sampled does, and where the counts exceed the samples together.

    Proof: `proofs/clopper-pearson.md`.
    """
    chance = as_rational(failure_prob, "failure_prob")
    if Sampled(top, samples, chance).count + Sampled(runner_up, samples, chance).count > samples:
        raise InputError(f"count: {top} and {runner_up} are more than {samples} samples")
    return (
        lower_bound(top, samples, failure_prob, two_sided=True),
        upper_bound(runner_up, samples, failure_prob, two_sided=True),
    )


def bonferroni(claims: Sequence[tuple[Sampled, Share]]) -> list[bool]:
    """Return which of m claims are proven together: each at failure_prob / m.

    The claims share one failure_prob, that of the whole family.

    Raises InputError where they do not, Undecided as tail_sign does.

    Proof: `proofs/clopper-pearson.md`.
    """
    _check_family(claims)
    return [proves(claim.divided(len(claims)), share) for claim, share in claims]


def holm(claims: Sequence[tuple[Sampled, Share]]) -> list[bool]:
    """Return which of m claims Holm's procedure proves together: never fewer than bonferroni.

    The smallest tail is held against failure_prob / m, the next against failure_prob / (m - 1),
    and so on, until one fails.

    Raises InputError and Undecided as bonferroni does.

    Proof: `proofs/clopper-pearson.md`.
    """
    _check_family(claims)
    holds = [False] * len(claims)
    # Whatever passes at its turn is among what passes in the order of the tails: a pass over those
    # that wait, and another as long as their number, and with it the level, changes.
    waiting, level = list(range(len(claims))), 0
    while waiting and level != len(waiting):
        level, left = len(waiting), []
        for place in waiting:
            claim, share = claims[place]
            holds[place] = proves(claim.divided(level), share)
            if not holds[place]:
                left.append(place)
        waiting = left
    return holds


def _check_family(claims: Sequence[tuple[Sampled, Share]]) -> None:
    if len({claim.failure_prob for claim, _ in claims}) > 1:
        raise InputError("failure_prob: the claims of a family share one")
