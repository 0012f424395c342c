"""The ridge: a number chosen in floats, then taken as exact; `auto` reads no labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certaudit.certify.data import Floats, Labels
from certaudit.certify.features import Features
from certaudit.errors import InputError
from certaudit.exact import Number, as_rational, format_rational

__all__ = ["Ridge", "choose_ridge"]

_RANK_CUTOFF = 2.0**-40
"""Eigenvalues of X'X at or below this part of the largest are left out of its condition number."""


@dataclass(frozen=True, slots=True)
class Ridge:
    """The ridge and the rule it came from: "auto", "paper" or "given"."""

    rule: str
    value: Fraction

    @property
    def reads_labels(self) -> bool:
        """Whether flipped labels move the ridge, so that certificates hold at fixed ridge only."""
        return self.rule == "paper"

    def as_json(self) -> dict[str, str]:
        """Return the rule and the exact value, hexadecimal where a float64 holds it."""
        try:
            number = float(self.value)
        except OverflowError:
            number = float("inf")
        text = number.hex() if self.value == number else format_rational(self.value)
        return {"rule": self.rule, "value": text}


def choose_ridge(
    rule: Number,
    features: Features,
    labels: Labels,
    q: Fraction,
    targets: Sequence[int] = (1,),
) -> Ridge:
    """Return the ridge for a rule: "auto", "paper", or an exact number >= 0.

    Both rules are (1 + q) s^2 k/(2n) cond(X'X) (section 4.1 of Rosenfeld et al.), with
    s^2 = 1/4 for "auto", the largest variance of a 0/1 label, and the residual variance of
    ordinary least squares for "paper" (the mean over the classes in `targets`, whose indicators
    are regressed on): that one reads labels. k and X are the feature columns
    without the intercept; the condition number leaves out eigenvalues below 2^-40 of the largest.
    Rounded to 24 bits, so that runs on different machines rarely differ.

    Raises InputError for a negative or unreadable number, for features whose X'X overflows
    float64, and for "paper" without residual degrees of freedom.

    Proof: `proofs/ridge-gap.md`.
    """
    if not isinstance(rule, str) or rule not in ("auto", "paper"):
        given = as_rational(rule, "ridge")
        if given < 0:
            raise InputError("ridge: must not be negative")
        return Ridge("given", given)
    n, k = len(features.train), features.columns
    if k == 0:
        return Ridge(rule, Fraction(0))
    variance = 0.25 if rule == "auto" else _residual_variance(features.train, labels, targets)
    condition = _condition(features.train[:, :k])
    value = (1 + float(q)) * variance * k / (2 * n) * condition
    if not math.isfinite(value):
        raise InputError(
            f"ridge: the {rule} rule overflows on these features; scale them or give a number"
        )
    mantissa, exponent = math.frexp(value)
    return Ridge(rule, Fraction(round(mantissa * 2**24)) * Fraction(2) ** (exponent - 24))


def _condition(rows: Floats) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        gram = rows.T @ rows
    if not np.isfinite(gram).all():
        return float("inf")
    values = np.linalg.eigvalsh(gram)
    largest = float(values[-1])
    if largest <= 0:
        return 1.0
    return largest / float(values[values > _RANK_CUTOFF * largest][0])


def _residual_variance(rows: Floats, labels: Labels, targets: Sequence[int]) -> float:
    indicators = (labels[:, None] == np.asarray(targets)).astype(np.float64)
    solution, _, rank, _ = np.linalg.lstsq(rows, indicators, rcond=None)
    freedom = len(rows) - int(rank)
    if freedom == 0:
        raise InputError(
            "ridge: the paper's rule needs more training points than independent columns"
        )
    return float(np.sum((indicators - rows @ solution) ** 2)) / (freedom * len(targets))
