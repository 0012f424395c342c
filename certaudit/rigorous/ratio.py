"""How far the tight threshold (2) is ahead of the KL bound (5), B.3, in balls.

"Approximately twice", say the papers. `docs/tight-bound.md` has the numbers.
"""

from __future__ import annotations

from fractions import Fraction

from flint import arb

from certaudit.errors import InputError
from certaudit.exact import Enclosure
from certaudit.noise import ProductNoise
from certaudit.rigorous.balls import decide, from_ball, to_ball, working_precision
from certaudit.rigorous.radius import divergence
from certaudit.rigorous.threshold import check_radius, exact_threshold, threshold

__all__ = ["kl_log_error", "kl_ratio"]

_BITS = 66
"""Bits of relative accuracy that make an enclosure narrower than 2^-64 of its value."""


def kl_ratio(noise: ProductNoise, radius: int) -> Enclosure:
    """Return an enclosure of radius/kappa, kappa = -ln(4p(1-p))/(2D) at p = F^-1(radius).

    kappa is what (5), B.3 make, before the floor, of the least vote share that certifies
    `radius` by (2); D = divergence(noise). The ratio is at least 1. Relative width below 2^-64.

    Raises InputError for a radius outside 1..1,000,000, for noise that is uniform or never draws
    some value, and for noise so close to uniform that only the rational F^-1(radius) would do
    and has too many digits.

    Proof: `proofs/tight-ratio.md`.
    """
    _check_noise(noise)
    check_radius(radius)
    if radius == 0:
        raise InputError("radius: must be at least 1; at 0 both bounds ask for p > 1/2")
    least = threshold(noise, radius)
    assert least is not None  # noqa: S101  (low > 0: every radius has a threshold)
    close = least.error

    def ratio(error: arb, gap: arb) -> arb | None:
        # -ln(4p(1-p)): each spelling keeps its digits where the other one loses them.
        margin = -(4 * error * (1 - error)).log() if gap > 0.25 else -(-4 * gap**2).log1p()
        value = 2 * radius * divergence(noise) / margin
        return value if value.is_finite() and value.rel_accuracy_bits() >= _BITS else None

    def by_enclosure() -> arb | None:
        error = _ball(close)
        return ratio(error, 0.5 - error)

    with working_precision(4 * _BITS):
        found = by_enclosure()
    if found is None:
        # p is nearly 1/2, and 100 bits of 1 - p are few of p - 1/2.
        share = exact_threshold(noise, radius)
        assert share is not None  # noqa: S101  (as above)
        error, gap = 1 - share, share - Fraction(1, 2)
        found = decide(lambda: ratio(to_ball(error), to_ball(gap)), "the ratio of the two bounds")
    return from_ball(found)


def kl_log_error(noise: ProductNoise, radius: int) -> Enclosure:
    """Return an enclosure of ln(1 - p) for the p at which the KL radius becomes `radius`.

    That p, the solution above 1/2 of -ln(4p(1-p)) = 2 radius D, is what (5), B.3 ask for, as
    F^-1(radius) is what (2) asks for. Relative width below 2^-64.

    Raises InputError as kl_ratio does, but radius 0 is allowed: ln(1/2).

    Proof: `proofs/tight-ratio.md`.
    """
    _check_noise(noise)
    check_radius(radius)

    def log_error() -> arb | None:
        spent = 2 * radius * divergence(noise)
        # 1 - p = (1 - sqrt(1 - u))/2 = u/(2(1 + sqrt(1 - u))) for u = exp(-2 radius D).
        root = (-(-spent).expm1()).sqrt() if radius else arb(0)
        value = -spent - arb(2).log() - root.log1p()
        return value if value.is_finite() and value.rel_accuracy_bits() >= _BITS else None

    return from_ball(decide(log_error, "what the KL radius asks for", bits=2 * _BITS))


def _check_noise(noise: ProductNoise) -> None:
    high, _, low = noise.law
    if not low or high == low:
        raise InputError("noise: the bounds are compared where 0 < divergence < infinity")


def _ball(enclosure: Enclosure) -> arb:
    """Return the ball again, without the long integers of its ends as rationals."""
    two = arb(2)
    middle = enclosure.mid_mantissa * two**enclosure.mid_exponent
    return arb(middle, enclosure.rad_mantissa * two**enclosure.rad_exponent)
