"""Equations (3), (4), (5) and B.3: from a vote share to a radius."""

from __future__ import annotations

from fractions import Fraction

import mpmath
from mpmath import mpf

__all__ = ["generic_bound", "kl_divergence", "kl_radius", "kl_radius_from_log_error", "number"]


def number(x: Fraction | float) -> mpf:
    """Return an exact number as an mpf at the current precision.

    Proof: `proofs/exact.md`.
    """
    exact = Fraction(x)
    return mpf(exact.numerator) / mpf(exact.denominator)


def generic_bound(p: Fraction) -> mpf:
    """Equation (3): f(p) = -1/2 log(4 p (1 - p)).

    The guarantee is g(mu, phi) = g(rho, phi) whenever KL(rho || mu) < f(p): strictly, since with
    "<=" it is false for some pairs of measures (`docs/errata.md`). It grows again below
    p = 1/2, where nothing is guaranteed for the class with share p: 0 there.

    Proof: `proofs/generic-kl.md`.
    """
    if p <= Fraction(1, 2):
        return mpf(0)
    return -mpmath.log(number(4 * p * (1 - p))) / 2


def kl_divergence(r: int, q: Fraction, classes: int = 2) -> mpf:
    """Equation (4), for `classes` > 2 that of B.3: the divergence of r label flips.

    KL(mu || rho) = r (1 - Kq/(K-1)) log((1-q)(K-1)/q).

    Proof: `proofs/kl-divergence.md`.
    """
    K = classes
    return r * number(1 - K * q / (K - 1)) * mpmath.log(number((1 - q) * (K - 1) / q))


def kl_radius(p: Fraction, q: Fraction, classes: int = 2) -> int:
    """Equation (5), for `classes` > 2 that of B.3: floor of f(p) over the divergence of a flip.

    Decided at the current precision; an exact tie (q = 3/8, p = 9/10: r = 4) is not seen as one
    here. The integer decision is the rigorous engine's.

    Proof: `proofs/kl-radius.md`.
    """
    return int(mpmath.floor(generic_bound(p) / kl_divergence(1, q, classes)))


def kl_radius_from_log_error(log_error: mpf, q: Fraction, classes: int = 2) -> int:
    """Equation (5) with p = 1 - exp(log_error): p itself is 1 at any usual precision.

    log(4 p (1 - p)) = log 4 + log_error + log(1 - exp(log_error)).

    Proof: `proofs/kl-radius.md`.
    """
    if log_error >= -mpmath.log(2):
        return 0
    bound = -(mpmath.log(4) + log_error + mpmath.log1p(-mpmath.exp(log_error))) / 2
    return int(mpmath.floor(bound / kl_divergence(1, q, classes)))
