"""Two labels: the same certificates from separate transcriptions, which have to agree.

For a sample of test points: the rigorous engine (balls), the fast one (proven floats), the
reference (mpmath, from X on), and, where 2^n noisy labellings can be enumerated, the vote itself
and brute-force flips.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import comb

import mpmath
from mpmath import mpf

from certaudit.certify.data import LabelledData
from certaudit.certify.fast import Screened, screen
from certaudit.certify.label_flip import Bound, Certificate, certify_points, fit
from certaudit.certify.least_squares import SolvedPoint
from certaudit.errors import InputError
from certaudit.exact import Enclosure, Number
from certaudit.reference.least_squares import alpha_vector, exact_alpha, normal_matrix, weights
from certaudit.reference.radius import kl_radius_from_log_error, number
from certaudit.reference.tail import log_chernoff, log_chernoff_slope
from certaudit.reference.threshold import tight_radius_from_log_error
from certaudit.reference.vote import MAX_ENUMERATED, hard_vote, noisy_score_vote

__all__ = ["Comparison", "crosscheck", "reference_weights"]

_GUARD_DIGITS = 40
_MAX_GUARD_DIGITS = 40 << 10
_MAX_GAP = 1e300
_MAX_BRUTE_FORCE = 1 << 21
_MAX_TIGHT = 2_000
"""The reference looks for tight radii up to this: its rationals grow with the radius."""


@dataclass(frozen=True)
class Comparison:
    """One test point, seen by each engine.

    `reference_log_error` is the reference's ln B(t) at the certificate's t, to `digits` digits,
    `enclosure` the rigorous engine's, `gap` the reference's estimate of ln B(t) - min ln B (half
    the squared Newton decrement; None where that is no estimate, far from the minimum). `fast` is
    what floats prove, at a t of their own, where the reference has `reference_fast`.
    `vote_share` is the exact G of Definition 1, `flips_tried` how many sets of at most `radius`
    flips were tried by brute force: both None where n is too large.
    """

    certificate: Certificate
    enclosure: Enclosure | None
    reference_log_error: mpf | None
    reference_radius: int
    reference_tight: int
    reference_output: int
    gap: float | None
    vote_share: Fraction | None
    flips_tried: int | None
    digits: int
    fast: Screened
    reference_fast: mpf | None
    contradictions: tuple[str, ...] = field(default=())

    @property
    def width(self) -> float | None:
        """The width of the rigorous enclosure of ln B(t)."""
        return None if self.enclosure is None else float(2 * self.enclosure.rad)

    def as_json(self) -> dict[str, object]:
        """Return the comparison as plain JSON values; the reference in decimal text."""
        certificate = self.certificate.as_json()
        return {
            "index": certificate.pop("index"),
            "rigorous": {
                **certificate,
                "enclosure": None if self.enclosure is None else self.enclosure.to_wire(),
            },
            "fast": {
                "left_to_balls": self.fast.reason,
                "t": self.fast.t.hex(),
                "lower": self.fast.lower if self.reference_fast is not None else None,
                "upper": self.fast.upper if self.reference_fast is not None else None,
                "reference_log_error": None
                if self.reference_fast is None
                else mpmath.nstr(self.reference_fast, self.digits),
                "radius": self.fast.radii,
            },
            "reference": {
                "log_error": None
                if self.reference_log_error is None
                else mpmath.nstr(self.reference_log_error, self.digits),
                "radius": {"kl": self.reference_radius, "tight": self.reference_tight},
                "paper_output": self.reference_output,
            },
            "gap": self.gap,
            "vote_share": None if self.vote_share is None else str(self.vote_share),
            "flips_tried": self.flips_tried,
            "contradictions": list(self.contradictions),
        }


def crosscheck(
    data: LabelledData,
    indices: Sequence[int],
    *,
    q: Number,
    ridge: Number = "auto",
    scale: str = "standard",
    intercept: bool = True,
    digits: int = 60,
) -> Iterator[Comparison]:
    """Yield a Comparison for each test point named; the reference works with `digits` digits.

    The scaled features and the ridge are shared: they are inputs, exact by definition.

    Raises InputError as certify_label_flip does.
    """
    rate, features, chosen, model = fit(data, q=q, ridge=ridge, scale=scale, intercept=intercept)
    guarantees = ("kl", "tight")
    found = list(certify_points(model, data, rate, indices, guarantees=guarantees))
    screened = screen(model, data.y_train, rate, indices, guarantees)
    rows, tests = features.train.tolist(), features.test[list(indices)].tolist()
    labels = data.y_train.tolist()
    small = len(labels) <= MAX_ENUMERATED
    exact = exact_alpha(rows, tests, chosen.value, intercept=intercept) if small else None
    matrix = normal_matrix(rows, chosen.value, intercept=intercept)
    solved, working = reference_weights(matrix, tests, digits)
    for place, ((point, bound, certificate), fast, w) in enumerate(
        zip(found, screened, solved, strict=True)
    ):
        with mpmath.workdps(working):
            alpha = alpha_vector(rows, w)
        with mpmath.workdps(digits):
            yield _compare(
                point,
                bound,
                certificate,
                fast,
                alpha,
                None if exact is None else exact[place],
                labels,
                rate,
            )


def reference_weights(
    matrix: list[list[Fraction]], tests: list[list[float]], digits: int
) -> tuple[list[tuple[mpf, ...]], int]:
    """Return the reference's weights and the working digits at which they are accepted.

    Accepted when twice the guard digits change no weight of a test point by more than
    10^-digits of its largest: on ill-conditioned data a fixed precision would report
    contradictions of its own making.

    Raises InputError where no precision tried is enough.
    """
    guard, previous = _GUARD_DIGITS, None
    while guard <= _MAX_GUARD_DIGITS:
        with mpmath.workdps(digits + guard):
            try:
                found = weights(matrix, tests)
            except ZeroDivisionError:
                found = None
            if previous is not None and found is not None and _agree(previous, found, digits):
                return found, digits + guard
        previous, guard = found, 2 * guard
    raise InputError("crosscheck: X'X + ridge is too ill-conditioned for the reference")


def _agree(before: list[tuple[mpf, ...]], after: list[tuple[mpf, ...]], digits: int) -> bool:
    return all(
        max(abs(a - b) for a, b in zip(x, y, strict=True)) <= max(map(abs, y)) / mpf(10) ** digits
        for x, y in zip(before, after, strict=True)
    )


def _compare(
    point: SolvedPoint,
    bound: Bound,
    certificate: Certificate,
    fast: Screened,
    alpha: list[mpf],
    exact: list[Fraction] | None,
    labels: list[int],
    q: Fraction,
) -> Comparison:
    wrong: list[str] = []
    tiny = mpf(10) ** (10 - mpmath.mp.dps)
    mean = mpmath.fsum(a * number(1 - q if y else q) for a, y in zip(alpha, labels, strict=True))
    output = int(mean >= mpf(1) / 2)
    if abs(mean - mpf(1) / 2) > tiny and output != certificate.mean_prediction:
        wrong.append("the sign of the mean score differs")
    if point.alpha_error is not None:
        distance = mpmath.fsum(abs(a - b) for a, b in zip(alpha, point.alpha.tolist(), strict=True))
        if distance > number(point.alpha_error) + tiny:
            wrong.append("alpha lies outside its error bound")
    reference_fast = _check_fast(fast, certificate, alpha, labels, q, wrong)
    if certificate.constant:
        most = mpmath.fsum(max(a, 0) for a in alpha)
        if most >= mpf(1) / 2:
            wrong.append("the vote is not constant")
        share, tried = _brute_force(certificate, exact, labels, q, wrong)
        radius = len(labels)
        return Comparison(
            certificate,
            None,
            None,
            radius,
            radius,
            output,
            None,
            share,
            tried,
            mpmath.mp.dps,
            fast,
            reference_fast,
            tuple(wrong),
        )
    t = number(Fraction(bound.t))
    log_error = log_chernoff(t, alpha, labels, q)
    slack = tiny * (1 + abs(log_error))
    enclosure = bound.log_error
    low, high = number(enclosure.lower) - slack, number(enclosure.upper) + slack
    if not low <= log_error <= high:
        wrong.append("ln B(t) lies outside its enclosure")
    # ln(1 - p) <= 0 whatever B(t) is, so a bound of 0 is never too low.
    if mpf(certificate.log_error or 0) + slack < min(log_error, mpf(0)):
        wrong.append("log_error is below ln B(t)")
    radius, tight = _reference_radii(certificate, log_error, q, len(labels), wrong)
    slope, curvature = log_chernoff_slope(t, alpha, labels, q)
    gap = slope**2 / (2 * curvature) if curvature > 0 else mpf(0)
    share, tried = _brute_force(certificate, exact, labels, q, wrong)
    return Comparison(
        certificate,
        enclosure,
        log_error,
        radius,
        tight,
        output,
        float(gap) if gap < _MAX_GAP else None,
        share,
        tried,
        mpmath.mp.dps,
        fast,
        reference_fast,
        tuple(wrong),
    )


def _check_fast(
    fast: Screened,
    certificate: Certificate,
    alpha: list[mpf],
    labels: list[int],
    q: Fraction,
    wrong: list[str],
) -> mpf | None:
    """Compare what floats prove with the certificate in balls, and their bounds at their t."""
    if fast.reason is None:
        signs = (int(fast.mean_sign >= 0), fast.unsmoothed, fast.constant)
        certified = (certificate.mean_prediction, certificate.unsmoothed, certificate.constant)
        if signs != certified:
            wrong.append("the fast engine decides otherwise")
    if fast.constant or not (math.isfinite(fast.lower) and math.isfinite(fast.upper)):
        return None
    log_error = log_chernoff(number(Fraction(fast.t)), alpha, labels, q)
    slack = mpf(10) ** (10 - mpmath.mp.dps) * (1 + abs(log_error))
    if not fast.lower - slack <= log_error <= fast.upper + slack:
        wrong.append("ln B(t) lies outside the fast bounds")
    if fast.reason is None and fast.radii:
        most = min(kl_radius_from_log_error(log_error, q), len(labels))
        tight = tight_radius_from_log_error(log_error, q, min(len(labels), _MAX_TIGHT))
        if fast.radii["kl"] > most or min(fast.radii["tight"], _MAX_TIGHT) > tight:
            wrong.append("the fast radius exceeds the reference's")
    return log_error


def _reference_radii(
    certificate: Certificate, log_error: mpf, q: Fraction, n: int, wrong: list[str]
) -> tuple[int, int]:
    """Return the KL and the tight radius of the reference, and compare the certificate's."""
    radius = min(kl_radius_from_log_error(log_error, q), n)
    if certificate.kl_radius > radius:
        wrong.append("the radius exceeds the reference's")
    tight = tight_radius_from_log_error(log_error, q, min(n, _MAX_TIGHT))
    if min(_proven_radius(certificate), _MAX_TIGHT) > tight:
        wrong.append("the tight radius exceeds the reference's")
    return radius, tight


def _proven_radius(certificate: Certificate) -> int:
    """Return the largest radius that the certificate claims."""
    return max(certificate.radii().values())


def _brute_force(
    certificate: Certificate,
    alpha: list[Fraction] | None,
    labels: list[int],
    q: Fraction,
    wrong: list[str],
) -> tuple[Fraction | None, int | None]:
    """Compare with the vote by enumeration, and with the votes of flipped training sets."""
    if alpha is None:
        return None, None
    share = noisy_score_vote(alpha, labels, q)
    if not certificate.decided:
        return share, None
    if hard_vote(share) != certificate.prediction:
        wrong.append("the prediction is not the vote winner")
    winner = share if certificate.prediction == 1 else 1 - share
    if Fraction(certificate.p_lower) > winner:
        wrong.append("p_lower exceeds the vote share")
    n, radius = len(labels), _proven_radius(certificate)
    sets = sum(comb(n, size) for size in range(1, radius + 1))
    if sets << n > _MAX_BRUTE_FORCE:
        return share, None
    for size in range(1, radius + 1):
        for flips in combinations(range(n), size):
            flipped = [1 - y if i in flips else y for i, y in enumerate(labels)]
            if hard_vote(noisy_score_vote(alpha, flipped, q)) != certificate.prediction:
                wrong.append(f"flipping labels {list(flips)} changes the vote")
                return share, sets
    return share, sets
