"""Many classes: the same certificates from separate transcriptions, which have to agree.

For a sample of test points: the rigorous engine (balls), the fast one (proven floats), the
reference (mpmath, from X on), and, where all noisy labellings can be enumerated, the vote itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import mpmath
from mpmath import mpf

from certaudit.certify.data import LabelledData
from certaudit.certify.fast_votes import ScreenedVote, screen_votes
from certaudit.certify.least_squares import SolvedPoint
from certaudit.certify.multiclass import PairBound, VoteCertificate, fit_classes, prove_votes
from certaudit.crosscheck.majority import reference_weights
from certaudit.exact import Number
from certaudit.noise import LabelFlip
from certaudit.reference.least_squares import alpha_vector, exact_alpha, normal_matrix
from certaudit.reference.multiclass import (
    log_pair_chernoff,
    pair_share,
    plurality_log_error,
    plurality_share,
)
from certaudit.reference.radius import kl_radius_from_log_error, number
from certaudit.reference.threshold import ratio_regions, threshold

__all__ = ["VoteComparison", "crosscheck_votes"]

_MAX_LABELLINGS = 1 << 13
"""Noisy labellings that are enumerated, at most."""
_MAX_TIGHT = 300
"""Tight radii up to this are compared: the reference's rationals grow with the radius."""


@dataclass(frozen=True)
class VoteComparison:
    """One test point, seen by each engine.

    `reference` holds the reference's ln B(t) at the t of each rival's certificate, to `digits`
    digits, `reference_log_error` what they come to; `width` is the largest of the rigorous
    enclosures. `fast` is what floats prove, at values of t of their own; its largest excess over
    the reference there is `fast_excess`. `shares` are the exact shares that the vote bounds, by
    enumeration, None where there are too many labellings; `reference_tight` is None where the
    certificate's is beyond what the reference can do.
    """

    certificate: VoteCertificate
    reference: tuple[mpf, ...]
    reference_log_error: mpf
    reference_radius: int
    reference_tight: int | None
    width: float
    fast: ScreenedVote
    fast_excess: float | None
    share: Fraction | None
    digits: int
    contradictions: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, object]:
        """Return the comparison as plain JSON values; the reference in decimal text."""
        certificate = self.certificate.as_json()
        return {
            "index": certificate.pop("index"),
            "rigorous": {**certificate, "width": self.width},
            "fast": {
                "left_to_balls": self.fast.reason,
                "t": [t.hex() for t in self.fast.t],
                "log_error": list(self.fast.log_error),
                "total": self.fast.total,
                "radius": self.fast.radii,
                "excess": self.fast_excess,
            },
            "reference": {
                "rivals": [mpmath.nstr(value, self.digits) for value in self.reference],
                "log_error": mpmath.nstr(self.reference_log_error, self.digits),
                "radius": {"kl": self.reference_radius, "tight": self.reference_tight},
            },
            "vote_share": None if self.share is None else str(self.share),
            "contradictions": list(self.contradictions),
        }


def crosscheck_votes(
    data: LabelledData,
    indices: Sequence[int],
    *,
    q: Number,
    vote: str = "plurality",
    ridge: Number = "auto",
    scale: str = "standard",
    intercept: bool = True,
    digits: int = 60,
) -> Iterator[VoteComparison]:
    """Yield a VoteComparison for each test point named; the reference has `digits` digits.

    The scaled features and the ridge are shared: they are inputs, exact by definition.

    Raises InputError as certify_multiclass does.
    """
    noise, features, chosen, model = fit_classes(
        data, q=q, vote=vote, ridge=ridge, scale=scale, intercept=intercept
    )
    guarantees = ("kl", "tight")
    found = list(prove_votes(model, data, noise, vote, indices, guarantees=guarantees))
    screened = screen_votes(model, data.y_train, noise, vote, indices, guarantees)
    rows, tests = features.train.tolist(), features.test[list(indices)].tolist()
    labels = data.y_train.tolist()
    few = noise.classes ** len(labels) <= _MAX_LABELLINGS
    exact = exact_alpha(rows, tests, chosen.value, intercept=intercept) if few else None
    matrix = normal_matrix(rows, chosen.value, intercept=intercept)
    solved, working = reference_weights(matrix, tests, digits)
    for place, ((point, bounds, certificate), fast, w) in enumerate(
        zip(found, screened, solved, strict=True)
    ):
        with mpmath.workdps(working):
            alpha = alpha_vector(rows, w)
        with mpmath.workdps(digits):
            yield _Check(noise, vote, labels, alpha, point, certificate).compare(
                bounds, fast, None if exact is None else exact[place]
            )


class _Check:
    """The comparison of one point; `wrong` collects what contradicts."""

    def __init__(
        self,
        noise: LabelFlip,
        vote: str,
        labels: list[int],
        alpha: list[mpf],
        point: SolvedPoint,
        certificate: VoteCertificate,
    ) -> None:
        self.noise, self.vote, self.labels, self.alpha = noise, vote, labels, alpha
        self.point, self.certificate = point, certificate
        self.tiny = mpf(10) ** (10 - mpmath.mp.dps)
        self.wrong: list[str] = []

    def compare(
        self, bounds: list[PairBound], fast: ScreenedVote, exact: list[Fraction] | None
    ) -> VoteComparison:
        """Return what each engine says of the point."""
        self._alpha()
        reference = self._bounds(bounds)
        total = self._total(reference, self.certificate.log_error, "log_error")
        radius, tight = self._radii(total, self.certificate.radii(), "the")
        excess = self._fast(fast, bounds, reference)
        share = None if exact is None else self._share(exact)
        widths = [2 * b.log_error.rad for b in bounds if b.log_error is not None]
        return VoteComparison(
            self.certificate,
            reference,
            total,
            radius,
            tight,
            float(max(widths, default=Fraction(0))),
            fast,
            excess,
            share,
            mpmath.mp.dps,
            tuple(self.wrong),
        )

    def _alpha(self) -> None:
        scores = [mpf(0)] * self.noise.classes
        for a, y in zip(self.alpha, self.labels, strict=True):
            scores[y] += a
        if max(scores) > scores[self.certificate.prediction] + self.tiny:
            self.wrong.append("another class has the largest mean score")
        if self.point.alpha_error is not None:
            floats = self.point.alpha.tolist()
            distance = mpmath.fsum(abs(a - b) for a, b in zip(self.alpha, floats, strict=True))
            if distance > number(self.point.alpha_error) + self.tiny:
                self.wrong.append("alpha lies outside its error bound")

    def _at(self, t: float, rival: int) -> mpf:
        i, q, classes = self.certificate.prediction, self.noise.q, self.noise.classes
        return log_pair_chernoff(number(Fraction(t)), self.alpha, self.labels, i, rival, q, classes)

    def _bounds(self, bounds: list[PairBound]) -> tuple[mpf, ...]:
        """Return the reference's ln B(t) against each rival; compare the enclosures."""
        found = []
        for bound, written in zip(bounds, self.certificate.rivals, strict=True):
            value = self._at(bound.t, bound.rival)
            slack = self.tiny * (1 + abs(value))
            if bound.log_error is not None:
                low, high = number(bound.log_error.lower), number(bound.log_error.upper)
                if not low - slack <= value <= high + slack:
                    self.wrong.append(f"rival {bound.rival}: ln B(t) outside its enclosure")
            # ln(1 - p) <= 0 whatever B(t) is, so a bound of 0 is never too low.
            if mpf(written.log_error) + slack < min(value, mpf(0)):
                self.wrong.append(f"rival {bound.rival}: log_error is below ln B(t)")
            found.append(value)
        return tuple(found)

    def _total(self, logs: Sequence[mpf], written: float, what: str) -> mpf:
        """Return what ln B(t) of all rivals come to; compare what is written of that."""
        least = [min(value, mpf(0)) for value in logs]
        total = plurality_log_error(least) if self.vote == "plurality" else max(least)
        if mpf(written) + self.tiny * (1 + abs(total)) < total:
            self.wrong.append(f"{what} is below what the rivals come to")
        return total

    def _radii(self, total: mpf, claimed: dict[str, int], whose: str) -> tuple[int, int | None]:
        """Return the reference's radii, the tight one near the claimed; compare these."""
        q, classes, n = self.noise.q, self.noise.classes, len(self.labels)
        radius = min(kl_radius_from_log_error(total, q, classes), n)
        if claimed.get("kl", 0) > radius:
            self.wrong.append(f"{whose} radius exceeds the reference's")
        tight = claimed.get("tight", 0)
        if tight > _MAX_TIGHT:
            return radius, None
        while tight < n and self._is_tight(total, tight + 1):
            tight += 1
        while tight and not self._is_tight(total, tight):
            tight -= 1
        if claimed.get("tight", 0) > tight:
            self.wrong.append(f"{whose} tight radius exceeds the reference's")
        return radius, tight

    def _is_tight(self, total: mpf, radius: int) -> bool:
        """Return whether 1 - p is below 1 - F^-1(r): strictly, as ties may be lost."""
        if total >= -mpmath.log(2):
            return False
        least = threshold(ratio_regions(1 - self.noise.q, self.noise.classes, radius))
        return least is not None and mpmath.exp(total) < number(1 - least)

    def _fast(
        self, fast: ScreenedVote, bounds: list[PairBound], reference: tuple[mpf, ...]
    ) -> float | None:
        """Compare what floats prove with the reference, at their own values of t."""
        if fast.reason is not None:
            return None
        if fast.winner != self.certificate.prediction:
            self.wrong.append("the fast engine decides otherwise")
            return None
        excess = mpf(0)
        logs = []
        for bound, exact, t, written in zip(bounds, reference, fast.t, fast.log_error, strict=True):
            value = exact if t == bound.t else self._at(t, bound.rival)
            if written + self.tiny * (1 + abs(value)) < min(value, mpf(0)):
                self.wrong.append(f"rival {bound.rival}: the fast log_error is below ln B(t)")
            excess = max(excess, written - min(value, mpf(0)))
            logs.append(value)
        total = self._total(logs, fast.total, "the fast log_error")
        self._radii(total, fast.radii, "the fast")
        return float(excess)

    def _share(self, alpha: list[Fraction]) -> Fraction:
        """Return the exact share that the vote bounds; compare p_lower with it."""
        i, q, classes = self.certificate.prediction, self.noise.q, self.noise.classes
        if self.vote == "plurality":
            share = plurality_share(alpha, self.labels, i, q, classes)
        else:
            rivals = [b for b in range(classes) if b != i]
            share = min(pair_share(alpha, self.labels, i, b, q, classes) for b in rivals)
        if Fraction(self.certificate.p_lower) > share:
            self.wrong.append("p_lower exceeds the share of the vote")
        return share
