"""From a proven vote share to a certified radius, decided exactly, for every noise model.

KL (5), B.3, tight (2), Gaussian (example 1). Balls decide; where equality is possible, integers do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import NamedTuple, TypeAlias, overload

from flint import arb, fmpz

from certaudit.errors import InputError
from certaudit.exact import Enclosure, Number, as_rational, round_down
from certaudit.noise import (
    Discrete,
    Gaussian,
    LabelFlip,
    NoiseModel,
    ProductNoise,
    Sparse,
    check_product,
)
from certaudit.rigorous.balls import decide, from_ball, order, to_ball
from certaudit.rigorous.confidence import (
    GaussianShare,
    Sampled,
    Share,
    hull,
    lower_bound,
    proves,
)
from certaudit.rigorous.threshold import (
    ACCURACY,
    MAX_RADIUS,
    Threshold,
    check_radius,
    sparse_threshold,
    threshold,
)

__all__ = [
    "certified",
    "divergence",
    "gaussian_radius",
    "generic_kl_radius",
    "is_majority",
    "kl_radius",
    "radius",
    "sampled_radius",
    "sparse_radii",
    "tight_radius",
]

_HALF = Fraction(1, 2)
_LN2 = "whether the log error is below -ln 2"
_FLOOR = "the floor of the KL radius"


def divergence(noise: ProductNoise) -> arb:
    """Return an enclosure of the KL divergence of one changed coordinate, in nats: (4), B.3.

    (alpha - beta) ln(alpha/beta), at the current precision of flint; for label noise that is
    (1 - Kq/(K-1)) ln((1-q)(K-1)/q). Not negative; infinite where a value is never drawn.

    Proof: `proofs/kl-divergence.md`.
    """
    high, _, low = noise.law
    if not low:
        return arb.pos_inf()
    return to_ball(high - low) * to_ball(high / low).log()


def is_majority(log_error: Number) -> bool:
    """Return whether `log_error` < -ln 2, that is whether it proves p > 1/2; exact.

    `log_error` is a rational upper bound on ln(1 - p). There is no tie: -ln 2 is irrational.

    Raises InputError for a float.

    Proof: `proofs/kl-radius.md`.
    """
    bound = as_rational(log_error, "log_error")
    if bound >= 0:
        return False
    return decide(lambda: order(to_ball(bound), -arb(2).log()), _LN2) == -1


def kl_radius(
    noise: ProductNoise,
    *,
    p: Number | None = None,
    log_error: Number | None = None,
    cap: int | None = None,
) -> int:
    """Return the KL radius (5), B.3: how many changed coordinates cannot change the vote.

    Give either `p`, a lower bound on the vote share of the predicted class, or `log_error`,
    an upper bound on ln(1 - p); both exact. The radius is the largest integer r with
    2 r D <= -ln(4 p (1 - p)), D = divergence(noise), 0 when p <= 1/2, and at most `cap`
    (the number of labels) where that is given. It never errs upward: equality is decided
    in integers, and at equality the radius holds for both classes. Where D = 0 (the noise is
    uniform) every radius holds: `cap`, or MAX_RADIUS without one.

    Raises InputError for floats, p outside [0, 1), both or neither given; Undecided for p
    within 2^-500000 or so of 1/2, or of a tie that is none.

    Proof: `proofs/kl-radius.md`.
    """
    check_product(noise)
    given = _evidence(p, log_error)
    _check_cap(cap)
    high, _, low = noise.law
    if not given.wins() or not low:
        return 0
    if high == low:
        return MAX_RADIUS if cap is None else cap
    found = _kl_floor(given, high - low, high / low)
    return found if cap is None else min(found, cap)


def tight_radius(
    noise: ProductNoise,
    *,
    p: Number | None = None,
    log_error: Number | None = None,
    cap: int | None = None,
) -> int:
    """Return the tight radius (2): the largest r with F^-1(r) <= p, how many changes are certified.

    Arguments as in kl_radius. At equality p = F^-1(r) the radius holds for two values and a
    deterministic base classifier; for more values it does not, and the inequality is strict. Never
    below the KL radius. Never errs upward; beyond MAX_RADIUS = 1,000,000 thresholds are not
    decided, and the larger of that and the KL radius is returned.

    Raises InputError and Undecided as kl_radius does, and Undecided at a tie p = F^-1(r) of a
    rational with too many digits to be computed (r above some thousands).

    Proof: `proofs/tight-radius.md`.
    """
    check_product(noise)
    given = _evidence(p, log_error)
    _check_cap(cap)
    if not given.wins():
        return 0
    top = MAX_RADIUS if cap is None else min(cap, MAX_RADIUS)
    least = kl_radius(noise, p=p, log_error=log_error, cap=cap)
    if least >= top:
        return least
    return _last(noise, given, least, top)


def _last(noise: ProductNoise, given: _Evidence, least: int, top: int) -> int:
    """Return the largest radius up to `top` that holds, searched from `least`, which does.

    Thresholds cost up to a second each for large radii, and ln(1 - F^-1(r)) is nearly a line: where
    it meets ln(1 - p) is tried first. The floats only choose what is asked.
    """
    target = given.level()
    low, high = least, top + 1
    value = _level(noise, low)
    slope: float | None = None
    attempt = 0
    while high - low > 1:
        attempt += 1
        guess = min(2 * low + 2, (low + high) // 2 if high <= top else top)
        if slope is not None and slope < 0 and attempt % 4:
            step = min((target - value) / slope, float(top))
            guess = low + (max(1, int(step)) if step > 0 else 1)
        guess = max(low + 1, min(guess, high - 1))
        reached = _level(noise, guess)
        if _holds(noise, given, guess):
            slope = (reached - value) / (guess - low)
            low, value = guess, reached
        else:
            slope = (reached - value) / (guess - low) if math.isfinite(reached) else None
            high = guess
    return low


def _level(noise: ProductNoise, radius: int) -> float:
    """Return ln(1 - F^-1(radius)), -inf where there is no threshold; for the search only."""
    least = threshold(noise, radius)
    return -math.inf if least is None else least.log_error_down()


def _holds(noise: ProductNoise, given: _Evidence, radius: int) -> bool:
    """Return whether a share > 1/2 certifies a radius."""
    least = threshold(noise, radius)
    if least is None:
        return False
    sign = given.sign(least)
    return sign > 0 or (sign == 0 and noise.binary)


def gaussian_radius(
    noise: Gaussian, *, p: Number | None = None, log_error: Number | None = None
) -> Enclosure:
    """Return an enclosure of the l2 radius sigma Phi^-1(p) of example 1; 0 for p <= 1/2.

    Relative error below 2^-100. Every perturbation *shorter* than that leaves the vote as it is;
    one exactly as long does for the class that wins ties only.

    Raises InputError for floats, p outside [0, 1), both or neither given; Undecided for p too
    close to 1/2 or log_error below about -10^100000.

    Proof: `proofs/gaussian-radius.md`.
    """
    given = _evidence(p, log_error)
    if not given.wins():
        return Enclosure(0, 0, 0, 0)

    def quantile() -> Enclosure | None:
        value = _gaussian_ball(noise, given)
        if not value > 0 or value.rel_accuracy_bits() < ACCURACY:
            return None
        return from_ball(value)

    return decide(quantile, "the Gaussian radius", bits=2 * ACCURACY)


def _gaussian_ball(noise: Gaussian, given: _Evidence) -> arb:
    """Return sigma Phi^-1(p), p > 1/2, at the current precision."""
    return to_ball(noise.sigma) * arb(2).sqrt() * (2 * given.error()).erfcinv()


def generic_kl_radius(
    divergence: Number | Enclosure, *, p: Number | None = None, log_error: Number | None = None
) -> int:
    """Return the radius of the generic bound (3) for product measures: the largest r, r D < f(p).

    D is the KL divergence of one changed coordinate in nats, or an enclosure of it (its upper end
    counts); f(p) = -1/2 ln(4p(1-p)). Strictly below, since at equality (3) is false in general.
    0 for p <= 1/2.

    Raises InputError for floats, D <= 0, p outside [0, 1), both or neither given.

    Proof: `proofs/generic-kl.md`.
    """
    given = _evidence(p, log_error)
    if isinstance(divergence, Enclosure):
        step = divergence.upper
    else:
        step = as_rational(divergence, "divergence")
    if step <= 0:
        raise InputError("divergence: must be positive")
    if not given.wins():
        return 0

    def floor() -> int | None:
        return _floor(given.margin() / (2 * to_ball(step)))

    # No ties: f(p) of a rational p or log_error is irrational (kl-radius.md), r D is rational.
    return decide(floor, "the floor of the generic KL radius")


def certified(
    noise: NoiseModel,
    radius: Number | tuple[int, int],
    *,
    p: Number | None = None,
    log_error: Number | None = None,
    count: int | None = None,
    samples: int | None = None,
    failure_prob: Number | None = None,
) -> bool:
    """Return whether evidence certifies `radius`, by the tight guarantee, exactly.

    `radius` is a number of coordinates, for Gaussian noise an l2 distance (any exact number), for
    sparse noise a pair (added, deleted). Evidence is p or log_error as in kl_radius (for sparse
    noise p), or `count` of `samples` votes with a `failure_prob` (Clopper-Pearson, `proves`).
    Ties as in tight_radius; for Gaussian and sparse noise equality does not certify. Radius 0 is
    certified by any p > 1/2.

    Raises InputError as kl_radius and Sampled do, and for a radius that is none: negative, or
    beyond 1,000,000 coordinates; Undecided for a Gaussian radius that cannot be told from the
    largest, and as tail_sign does.

    Proof: `proofs/tight-radius.md`.
    """
    claim = _sampled(count, samples, failure_prob)
    if claim is not None:
        if p is not None or log_error is not None:
            raise InputError("give either votes, or p, or log_error")
        share = _share_of(noise, radius)
        return share is not None and proves(claim, share)
    given = _evidence(p, log_error)
    if isinstance(noise, Sparse):
        if isinstance(given, _LogError):
            raise InputError("sparse noise: give p")
        return _sparse_holds(noise, given.p, *_pair(radius))
    if isinstance(noise, Gaussian):
        return _gaussian_holds(noise, _distance(radius), given)
    check_product(noise)
    coordinates = _coordinates(radius)
    return given.wins() and _holds(noise, given, coordinates)


def _share_of(noise: NoiseModel, radius: Number | tuple[int, int]) -> Share | None:
    """Return the vote share above which a radius is certified, None where there is none."""
    if isinstance(noise, Sparse):
        return sparse_threshold(noise, *_pair(radius))
    if isinstance(noise, Gaussian):
        distance = _distance(radius)
        return GaussianShare(noise, distance) if distance else _HALF
    check_product(noise)
    return threshold(noise, _coordinates(radius))


def _pair(radius: Number | tuple[int, int]) -> tuple[int, int]:
    if not isinstance(radius, tuple) or len(radius) != 2:
        raise InputError("radius: sparse noise has pairs (added, deleted)")
    return radius


def _distance(radius: Number | tuple[int, int]) -> Fraction:
    distance = as_rational(radius, "radius")
    if distance < 0:
        raise InputError("radius: must not be negative")
    return distance


def _coordinates(radius: Number | tuple[int, int]) -> int:
    if not isinstance(radius, int):
        raise InputError("radius: must be an integer")
    check_radius(radius)
    return radius


def _gaussian_holds(noise: Gaussian, radius: Fraction, given: _Evidence) -> bool:
    if not given.wins():
        return False
    if radius == 0:
        return True

    def shorter() -> int | None:
        return order(to_ball(radius), _gaussian_ball(noise, given))

    return decide(shorter, "whether the Gaussian radius is as large") == -1


def sparse_radii(noise: Sparse, *, p: Number, limit: int = 100) -> list[tuple[int, int]]:
    """Return the largest certified pairs (added, deleted): no pair of the list is below another.

    Every pair that is not larger in either number than one of the list is certified by p. The
    inequality is strict, ties are real here. Empty when p <= 1/2. Numbers are at most `limit`.

    Raises InputError for floats, p outside [0, 1), and a limit at which rationals get too long.

    Proof: `proofs/sparse-threshold.md`.
    """
    share = _Share.of(p).p
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise InputError("limit: must be an integer, 0 or more")
    if share <= _HALF:
        return []
    pairs: list[tuple[int, int]] = []
    added, deleted = _largest(lambda r: _sparse_holds(noise, share, r, 0), limit), 0
    # A staircase: one number only falls while the other grows.
    while added >= 0:
        deleted = _largest(partial(_sparse_holds, noise, share, added), limit)
        pairs.append((added, deleted))
        if deleted == limit:
            break
        while added >= 0 and not _sparse_holds(noise, share, added, deleted + 1):
            added -= 1
    return pairs


def _sparse_holds(noise: Sparse, share: Fraction, added: int, deleted: int) -> bool:
    """Return whether a pair is certified: strictly above its threshold, which is never < 1/2."""
    least = sparse_threshold(noise, added, deleted)
    return least is not None and share > least


def _largest(holds: Callable[[int], bool], limit: int) -> int:
    """Return the largest r <= limit for which a falling predicate holds; it does at 0."""
    low, high = 0, 1
    while high < limit and holds(high):
        low, high = high, min(2 * high, limit)
    if high >= limit and holds(limit):
        return limit
    high = min(high, limit)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def sampled_radius(noise: ProductNoise, claim: Sampled, *, cap: int | None = None) -> int:
    """Return the tight radius (2) that votes prove: the largest r whose threshold they exceed.

    Decided at F^-1(r) itself, not at a rounded Clopper-Pearson bound. Never errs upward. Limits as
    in tight_radius.

    Raises InputError for other noise or a bad cap, Undecided as tail_sign does.

    Proof: `proofs/clopper-pearson.md`.
    """
    bound = lower_bound(claim.count, claim.samples, claim.failure_prob)
    low = tight_radius(noise, p=bound.lower, cap=cap)
    high = low if bound.upper == bound.lower else tight_radius(noise, p=bound.upper, cap=cap)
    high = min(high, MAX_RADIUS)  # beyond no threshold is decided
    while low < high:
        middle = (low + high + 1) // 2
        least = threshold(noise, middle)
        if least is not None and proves(claim, least):
            low = middle
        else:
            high = middle - 1
    return low


@overload
def radius(
    noise: ProductNoise,
    *,
    p: Number | None = ...,
    log_error: Number | None = ...,
    count: int | None = ...,
    samples: int | None = ...,
    failure_prob: Number | None = ...,
    guarantee: str = ...,
    cap: int | None = ...,
) -> int: ...
@overload
def radius(
    noise: Gaussian,
    *,
    p: Number | None = ...,
    log_error: Number | None = ...,
    count: int | None = ...,
    samples: int | None = ...,
    failure_prob: Number | None = ...,
    guarantee: str = ...,
) -> Enclosure: ...
@overload
def radius(
    noise: Sparse,
    *,
    p: Number | None = ...,
    count: int | None = ...,
    samples: int | None = ...,
    failure_prob: Number | None = ...,
    guarantee: str = ...,
    cap: int | None = ...,
) -> list[tuple[int, int]]: ...
def radius(
    noise: NoiseModel,
    *,
    p: Number | None = None,
    log_error: Number | None = None,
    count: int | None = None,
    samples: int | None = None,
    failure_prob: Number | None = None,
    guarantee: str = "tight",
    cap: int | None = None,
) -> int | Enclosure | list[tuple[int, int]]:
    """Return the certified radius of a vote share, or of votes, for any noise model.

    Evidence is p or log_error, or `count` of `samples` votes with a `failure_prob` (one-sided
    Clopper-Pearson; the class chosen from other samples). Label-flip and discrete noise: an
    integer, by `guarantee` "tight" (tight_radius, sampled_radius) or "kl" (kl_radius), at most
    `cap`. Gaussian: an enclosure of the l2 radius (gaussian_radius), its lower end certified.
    Sparse: the largest pairs (added, deleted) (sparse_radii), numbers at most `cap`, 100 without.

    Raises InputError and Undecided as those do, and InputError for what a noise model has not.

    Proof: `proofs/tight-radius.md`.
    """
    claim = _sampled(count, samples, failure_prob)
    if claim is not None and (p is not None or log_error is not None):
        raise InputError("give either votes, or p, or log_error")
    product = isinstance(noise, LabelFlip | Discrete)
    if guarantee not in ("tight", "kl") or (guarantee == "kl" and not product):
        raise InputError(f"guarantee: {guarantee!r} is not one of this noise model's")
    bound: Enclosure | None = None
    if claim is not None:
        bound = lower_bound(claim.count, claim.samples, claim.failure_prob)
        p = bound.lower
    if isinstance(noise, LabelFlip | Discrete):
        if claim is not None and guarantee == "tight":
            return sampled_radius(noise, claim, cap=cap)
        decided = tight_radius if guarantee == "tight" else kl_radius
        return decided(noise, p=p, log_error=log_error, cap=cap)
    if isinstance(noise, Gaussian):
        if cap is not None:
            raise InputError("cap: Gaussian noise has none")
        least = gaussian_radius(noise, p=p, log_error=log_error)
        return least if bound is None else hull(least, gaussian_radius(noise, p=bound.upper))
    if isinstance(noise, Sparse):
        if p is None or log_error is not None:
            raise InputError("sparse noise: give p")
        return sparse_radii(noise, p=p) if cap is None else sparse_radii(noise, p=p, limit=cap)
    raise InputError("noise: not a noise model")


def _sampled(count: int | None, samples: int | None, failure_prob: Number | None) -> Sampled | None:
    """Return votes as evidence, None where none of the three is given."""
    if count is None and samples is None and failure_prob is None:
        return None
    if count is None or samples is None or failure_prob is None:
        raise InputError("count, samples and failure_prob belong together")
    return Sampled(count, samples, as_rational(failure_prob, "failure_prob"))


class _Share(NamedTuple):
    """Evidence: a lower bound on the share p of the winner."""

    p: Fraction

    @classmethod
    def of(cls, p: Number) -> _Share:
        share = as_rational(p, "p")
        if not 0 <= share < 1:
            raise InputError(
                "p: must lie in [0, 1); a p that is printed as 1 has lost the radius, "
                "give log_error instead"
            )
        return cls(share)

    def wins(self) -> bool:
        return self.p > _HALF

    def error(self) -> arb:
        """Return 1 - p."""
        return to_ball(1 - self.p)

    def margin(self) -> arb:
        """Return 2 f(p) = -ln(4 p (1 - p))."""
        return -to_ball(4 * self.p * (1 - self.p)).log()

    def level(self) -> float:
        """Return ln(1 - p), for searches only."""
        error = 1 - self.p
        return math.log(error.numerator) - math.log(error.denominator)

    def sign(self, least: Threshold) -> int:
        """Return the sign of p - F^-1(r)."""
        return least.compare(1 - self.p)


class _LogError(NamedTuple):
    """Evidence: an upper bound x on ln(1 - p); p = 1 - e^x is irrational for x < 0."""

    bound: Fraction

    def wins(self) -> bool:
        return is_majority(self.bound)

    def error(self) -> arb:
        """Return 1 - p."""
        return to_ball(self.bound).exp()

    def margin(self) -> arb:
        """Return 2 f(p) = -ln(4 p (1 - p)), without p: it is 1 at any usual precision."""
        error = to_ball(self.bound)
        return -arb(4).log() - error - (-error.exp()).log1p()

    def level(self) -> float:
        """Return ln(1 - p), for searches only."""
        return max(round_down(self.bound), -1e300)

    def sign(self, least: Threshold) -> int:
        """Return the sign of p - F^-1(r)."""
        return least.compare_log(self.bound)


_Evidence: TypeAlias = "_Share | _LogError"


def _evidence(p: Number | None, log_error: Number | None) -> _Evidence:
    """Return p or log_error, exactly one of them given, as evidence."""
    if p is not None and log_error is None:
        return _Share.of(p)
    if log_error is not None and p is None:
        return _LogError(as_rational(log_error, "log_error"))
    raise InputError("give either p or log_error")


def _check_cap(cap: int | None) -> None:
    if cap is None:
        return
    if isinstance(cap, bool) or not isinstance(cap, int) or cap < 0:
        raise InputError("cap: must be an integer, 0 or more")


def _kl_floor(given: _Evidence, slope: Fraction, odds: Fraction) -> int:
    """Return the floor of 2 f(p) / (2 slope ln odds), for a share > 1/2."""

    def radius() -> int | None:
        limit = given.margin() / (2 * to_ball(slope) * to_ball(odds).log())
        whole = _floor(limit)
        if whole is None and limit.is_finite() and isinstance(given, _Share):
            # Balls never decide a tie: ask the integers whether this is one. (Of a log error there
            # is none: `proofs/kl-radius.md`.)
            nearest = _nearest(limit)
            if _is_power(1 / (4 * given.p * (1 - given.p)), odds, 2 * slope * nearest):
                return nearest
        return whole

    return decide(radius, _FLOOR)


def _floor(ball: arb) -> int | None:
    """Return the floor of every number in the ball, None where they differ."""
    whole = ball.floor().unique_fmpz() if ball.is_finite() else None
    return None if whole is None else int(whole)


def _nearest(ball: arb) -> int:
    """Return the integer nearest to the midpoint of a finite ball."""
    mantissa, exponent = ball.mid().man_exp()
    value = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return round(value)


def _is_power(u: Fraction, v: Fraction, exponent: Fraction) -> bool:
    """Return whether u = v**exponent, for u, v > 1 and exponent > 0; exact.

    With exponent = a/b in lowest terms u**b = v**a holds iff v = w**b and u = w**a for one
    rational w (unique factorisation), so no large power is ever formed.
    """
    a, b = exponent.numerator, exponent.denominator
    size = max(u.numerator, u.denominator, v.numerator, v.denominator).bit_length()
    if exponent <= 0 or max(a, b) > size:
        return False
    top, bottom = _root(v.numerator, b), _root(v.denominator, b)
    return top is not None and bottom is not None and Fraction(top, bottom) ** a == u


def _root(n: int, degree: int) -> int | None:
    """Return the integer n**(1/degree), None where that is no integer."""
    root = int(fmpz(n).root(degree))
    return root if root**degree == n else None
