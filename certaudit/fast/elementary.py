"""exp, ln, cos and sin in float64 from + - * / alone, with proven error bounds.

NumPy's own are accurate to about an ulp on the machines where they are tested, and proven nowhere.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "EXP_ERROR",
    "LOG_ERROR",
    "MOST",
    "TURN_ERROR",
    "exp_minus",
    "log1p_unit",
    "log_normal",
    "turned",
]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

EXP_ERROR = 2.0**-45
"""Relative error of exp_minus."""
LOG_ERROR = 2.0**-45
"""Absolute error of log1p_unit, and of log_normal but for 2^-51 of the result."""
TURN_ERROR = 2.0**-45
"""Absolute error of turned, of cosine and sine each."""
MOST = 700.0
"""exp_minus is constant beyond: exp(-700) is the smallest value that it returns."""

_LOG2_E = float.fromhex("0x1.71547652b82fep+0")
# ln 2 in two parts: the first has 32 bits, so that its products with integers below 2^21 are exact.
_LN2_HIGH = float.fromhex("0x1.62e42feep-1")
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_LN2 = float.fromhex("0x1.62e42fefa39efp-1")
_EXP_TERMS = tuple(1.0 / factorial for factorial in (39916800, 3628800, 362880, 40320, 5040))
_EXP_TERMS += tuple(1.0 / factorial for factorial in (720, 120, 24, 6, 2, 1, 1))
_LOG_TERMS = tuple(2.0 / odd for odd in (17, 15, 13, 11, 9, 7, 5, 3, 1))
_TWO_PI = float.fromhex("0x1.921fb54442d18p+2")
_SIN_TERMS = tuple((-1.0) ** k / math.factorial(2 * k + 1) for k in range(8, -1, -1))
_COS_TERMS = tuple((-1.0) ** k / math.factorial(2 * k) for k in range(8, -1, -1))
_SPLIT = 0.4142135623730951
_EXPONENT_BIAS = 1023


def exp_minus(size: Floats) -> Floats:
    """Return exp(-min(size, 700)) for an array of numbers >= 0, to a relative error of 2^-45.

    Proof: `proofs/elementary.md`.
    """
    size = np.minimum(size, MOST)
    halvings = np.rint(size * _LOG2_E)
    rest = halvings * _LN2_HIGH
    rest -= size
    rest += halvings * _LN2_LOW
    # Horner: exp(rest), |rest| <= 0.3466, to degree 11.
    value = rest * _EXP_TERMS[0]
    for term in _EXP_TERMS[1:-1]:
        value += term
        value *= rest
    value += _EXP_TERMS[-1]
    # 2^-halvings, put together from its bits: a normal number, so the product is exact.
    power = (_EXPONENT_BIAS - halvings).astype(np.int64)
    power <<= 52
    value *= power.view(np.float64)
    return value


def log1p_unit(value: Floats) -> Floats:
    """Return ln(1 + x) for an array of numbers in [0, 1], to an absolute error of 2^-45.

    Proof: `proofs/elementary.md`.
    """
    # 1 + x = m 2^k with m between 2^-1/2 and 2^1/2; ln m = 2 artanh((m - 1)/(m + 1)).
    upper = value > _SPLIT
    top = np.where(upper, value - 1.0, value)
    ratio = top / (np.where(upper, 3.0, 2.0) + value)
    square = ratio * ratio
    series = square * _LOG_TERMS[0]
    for term in _LOG_TERMS[1:-1]:
        series += term
        series *= square
    series += _LOG_TERMS[-1]
    series *= ratio
    series += np.where(upper, _LN2, 0.0)
    return series


def log_normal(value: Floats) -> Floats:
    """Return ln x for an array of positive normal numbers, to 2^-45 + 2^-51 |ln x|.

    Proof: `proofs/elementary.md`.
    """
    mantissa, exponent = np.frexp(value)
    # x = 2m 2^(e - 1) with 2m in [1, 2): 2m - 1 is exact.
    mantissa *= 2.0
    mantissa -= 1.0
    logs = (exponent - 1.0) * _LN2
    logs += log1p_unit(mantissa)
    return logs


def turned(turns: Floats) -> Complexes:
    """Return exp(2 pi i v) for an array of numbers |v| <= 2^40: each part to 2^-45.

    Proof: `proofs/elementary.md`.
    """
    quarters = np.rint(4.0 * turns)
    # Exact: what is taken off is 0, or within a factor of 2 of what it is taken from.
    angle = (turns - quarters / 4.0) * _TWO_PI
    square = angle * angle
    sine, cosine = _series(square, _SIN_TERMS), _series(square, _COS_TERMS)
    sine *= angle
    quadrant = quarters.astype(np.int64) & 3
    odd, found = (quadrant & 1).astype(np.bool_), np.empty(turns.shape, dtype=np.complex128)
    # i^quadrant (cosine + i sine)
    found.real = np.where((quadrant == 1) | (quadrant == 2), -1.0, 1.0) * np.where(
        odd, sine, cosine
    )
    found.imag = np.where(quadrant >= 2, -1.0, 1.0) * np.where(odd, cosine, sine)
    return found


def _series(square: Floats, terms: tuple[float, ...]) -> Floats:
    value = square * terms[0]
    for term in terms[1:-1]:
        value += term
        value *= square
    value += terms[-1]
    return value
