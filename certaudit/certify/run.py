"""What certifying a test set has in common, whatever the vote: choices, the fit, what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

import numpy as np

from certaudit import findings
from certaudit.certify.data import LabelledData
from certaudit.certify.features import Features, prepare
from certaudit.certify.least_squares import LeastSquares
from certaudit.certify.ridge import Ridge, choose_ridge
from certaudit.errors import InputError
from certaudit.exact import Number, as_integer, json_down
from certaudit.rigorous.balls import from_ball, to_ball, working_precision

__all__ = [
    "ENGINES",
    "REASONS",
    "CertifiedPoint",
    "Run",
    "check_choices",
    "collected",
    "fitted",
    "how_many_reach",
    "lower_share",
    "share_down",
    "share_up",
    "written_share",
]

ENGINES = ("fast", "rigorous")
REASONS = ("undecided", "loose", "failed")
"""Why a point that floats were tried on went to balls; see certify.fast."""

_ALMOST_ONE = 1 - Fraction(1, 1 << 54)
_SURE, _MOST_SHARE = -38, json_down(_ALMOST_ONE)
"""Below this log_error, e^-38 being less than 2^-54, p_lower is this, the most that is written."""


class CertifiedPoint(Protocol):
    """What the certificates of all votes have."""

    @property
    def index(self) -> int:
        """The row of the test set."""

    @property
    def prediction(self) -> int:
        """The class."""

    @property
    def label(self) -> int:
        """The label of the point."""

    @property
    def decided(self) -> bool:
        """Whether the prediction is proven to win the vote."""

    @property
    def unsmoothed(self) -> int:
        """The prediction at q = 0."""

    def radii(self) -> dict[str, int]:
        """Return the proven radius for each guarantee."""

    def as_json(self) -> dict[str, object]:
        """Return one line of certificates.jsonl."""


C = TypeVar("C", bound=CertifiedPoint)


@dataclass(frozen=True)
class Run(Generic[C]):
    """A certified test set: the certificates and everything that they depend on."""

    q: Fraction
    data: LabelledData
    features: Features
    ridge: Ridge
    certificates: tuple[C, ...]
    guarantees: tuple[str, ...] = ("kl",)
    engine: str = "rigorous"
    escalated: Mapping[str, int] = field(default_factory=dict)
    """With the fast engine: how many points went to balls, by reason (see REASONS)."""

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.data.classes

    def hits(self) -> dict[str, int]:
        """Return how many points are right: as predicted, as decided, at q = 0."""
        points = self.certificates
        return {
            "clean": sum(c.prediction == c.label for c in points),
            "decided": sum(c.decided and c.prediction == c.label for c in points),
            "unsmoothed": sum(c.unsmoothed == c.label for c in points),
        }

    def of_class(self) -> list[int]:
        """Return how many of the points are of each class: what constant classifiers get right.

        They read no label, and no flip changes them.
        """
        labels = [c.label for c in self.certificates]
        return [int(count) for count in np.bincount(labels, minlength=self.classes)]

    def certified_counts(self, guarantee: str = "kl") -> list[int]:
        """Return, for r = 0, 1, ... to the largest radius, how many points are certified at r.

        A point counts at r when its prediction is right, proven to be the vote winner, and
        proven not to change under r label flips.
        """
        right = (c for c in self.certificates if c.decided and c.prediction == c.label)
        return how_many_reach([c.radii()[guarantee] for c in right])

    def findings(self) -> list[findings.Finding]:
        """Return what a reader should know before trusting the numbers."""
        found = []
        if self.ridge.reads_labels:
            found.append(
                findings.Finding(
                    findings.RIDGE_READS_LABELS,
                    "certificates hold at this fixed ridge, not for the rule that chose it",
                )
            )
        present = np.unique(self.data.y_train)
        if len(present) == 1:
            found.append(
                findings.Finding(findings.ONE_CLASS, f"every training label is {present[0]}")
            )
        elif len(present) < self.classes:
            missing = np.setdiff1d(np.arange(self.classes), present)
            shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
            found.append(
                findings.Finding(
                    findings.CLASS_WITHOUT_TRAINING_POINTS,
                    f"{len(missing)} of {self.classes} classes: {shown}",
                )
            )
        hits, total = self.hits()["clean"], len(self.certificates)
        constant = max(self.of_class())
        if hits <= constant:
            found.append(
                findings.Finding(
                    findings.NO_BETTER_THAN_CONSTANT,
                    f"{hits} of {total} right, a constant class gets {constant}"
                    + ("; all points tested have the same label" if constant == total else ""),
                )
            )
        if not any(c.decided for c in self.certificates):
            found.append(findings.Finding(findings.NOTHING_DECIDED, "every radius is 0"))
        return found


def how_many_reach(radii: Sequence[int]) -> list[int]:
    """Return, for r = 0, 1, ... to the largest radius, how many of them are at least r.

    Proof: `proofs/certificate.md`.
    """
    histogram = np.bincount(radii, minlength=1) if len(radii) else np.zeros(1, dtype=np.int64)
    return [int(count) for count in np.cumsum(histogram[::-1])[::-1]]


def check_choices(
    guarantee: str, engine: str, limit: int | None, jobs: int, *, exact: bool = False
) -> tuple[str, ...]:
    """Return the guarantees asked for; `exact` says whether exact radii are among those there are.

    Raises InputError for a choice that there is not.

    Proof: `proofs/certificate.md`.
    """
    if limit is not None and as_integer(limit, "limit") < 1:
        raise InputError("limit: must be at least 1")
    if as_integer(jobs, "jobs") < 1:
        raise InputError("jobs: must be at least 1")
    if guarantee not in ("kl", "tight", "exact", "all"):
        raise InputError(f'guarantee: {guarantee!r} is none of "kl", "tight", "exact", "all"')
    if guarantee == "exact" and not exact:
        raise InputError(
            "guarantee: exact radii are known for two labels and the majority vote only"
        )
    if engine not in ENGINES:
        raise InputError(f"engine: {engine!r} is none of {', '.join(ENGINES)}")
    if guarantee == "all":
        return ("kl", "tight", "exact") if exact else ("kl", "tight")
    return ("kl",) if guarantee == "kl" else ("kl", guarantee)


def fitted(
    data: LabelledData,
    *,
    q: Fraction,
    ridge: Number,
    scale: str,
    intercept: bool,
    targets: Sequence[int],
) -> tuple[Features, Ridge, LeastSquares]:
    """Return the design, ridge and fitted classifier of checked data.

    `targets` are the classes whose indicators are regressed on: what ridge "paper" reads.

    Raises InputError as certify_label_flip does.

    Proof: `proofs/certificate.md`.
    """
    if not isinstance(intercept, bool | np.bool_):
        raise InputError("intercept: must be True or False")
    features = prepare(data.x_train, data.x_test, scale=scale, intercept=intercept)
    chosen = choose_ridge(ridge, features, data.y_train, q, targets)
    model = LeastSquares(
        features.train,
        features.test,
        data.y_train,
        chosen.value,
        intercept=intercept,
        classes=data.classes,
    )
    return features, chosen, model


def collected(
    found: Iterable[tuple[C, str | None]],
    total: int,
    engine: str,
    progress: Callable[[int, int], None] | None,
) -> tuple[tuple[C, ...], dict[str, int]]:
    """Return certificates in the order of their points, and how many went to balls, by reason.

    `found` are those of the points 0..total-1 in any order, with the reason or None.

    Proof: `proofs/certificate.md`.
    """
    certificates: dict[int, C] = {}
    escalated = dict.fromkeys(REASONS, 0) if engine == "fast" else {}
    for certificate, reason in found:
        certificates[certificate.index] = certificate
        if reason is not None:
            escalated[reason] += 1
        if progress is not None:
            progress(len(certificates), total)
    return tuple(certificates[index] for index in range(total)), escalated


def written_share(log_error: float) -> float:
    """Return p_lower as it is written: below 1 - exp(log_error), log_error <= 0.

    Proof: `proofs/chernoff.md`.
    """
    if log_error < _SURE:
        return _MOST_SHARE
    # Some readers take the digits of log_error literally: it follows from these, too.
    return lower_share(max(Fraction(log_error), Fraction(repr(log_error))))


def lower_share(log_error: Fraction) -> float:
    """Return a float64 <= 1 - exp(log_error), log_error <= 0, decimal spelling included.

    Proof: `proofs/chernoff.md`.
    """
    with working_precision(128):
        lower = from_ball(-to_ball(log_error).expm1()).lower
    return max(0.0, json_down(min(lower, _ALMOST_ONE)))


def share_down(hits: int, total: int) -> float:
    """Return hits/total rounded down to six decimals.

    Proof: `proofs/certificate.md`.
    """
    return (hits * 10**6 // total) / 10**6


def share_up(hits: int, total: int) -> float:
    """Return hits/total rounded up to six decimals.

    Proof: `proofs/certificate.md`.
    """
    return -(-hits * 10**6 // total) / 10**6
