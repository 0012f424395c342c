"""Algorithm 1 of Rosenfeld et al. for two labels, with the corrections of `docs/errata.md`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from mpmath import mpf

from certaudit.reference.radius import kl_radius_from_log_error
from certaudit.reference.tail import log_chernoff, optimal_t

__all__ = ["Output", "algorithm1"]


@dataclass(frozen=True, slots=True)
class Output:
    """t*, log B(t*), the papers' prediction 1{t* >= 0} and the radius (5)."""

    t: mpf
    log_error: mpf
    prediction: int
    radius: int


def algorithm1(alpha: Sequence[mpf], labels: Sequence[int], q: Fraction) -> Output:
    """The body of the loop of Algorithm 1, for one alpha^j.

    Corrected: B is evaluated at the signed t*, and the radius is at most n. The prediction is the
    papers' (the sign of the mean score), which is not always the vote.
    """
    t = optimal_t(alpha, labels, q)
    log_error = log_chernoff(t, alpha, labels, q)
    radius = min(kl_radius_from_log_error(log_error, q), len(labels))
    return Output(t, log_error, int(t >= 0), radius)
