"""Certificates for the label-flip-smoothed least-squares classifier: Algorithm 1, two labels.

The witness t is searched in floats, where any value is sound. Proven float bounds decide most test
points (`certify.fast`), one evaluation in balls each of the others. What is certified is the vote g
of Definition 1 over the reals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import ArrayLike

from certaudit.certify.data import LabelledData, Labels
from certaudit.certify.fast import Screened, screen
from certaudit.certify.features import Features
from certaudit.certify.flips import bracket_from_alpha, bracket_of_point
from certaudit.certify.least_squares import LeastSquares, SolvedPoint
from certaudit.certify.ridge import Ridge
from certaudit.certify.run import Run, check_choices, collected, fitted, share_down, written_share
from certaudit.certify.search import chernoff_t, is_precise
from certaudit.certify.workers import run_in_order
from certaudit.errors import CertauditError, InputError, Undecided
from certaudit.exact import Enclosure, Number, json_up
from certaudit.noise import LabelFlip, check_label_noise
from certaudit.rigorous.balls import from_ball, order, working_precision
from certaudit.rigorous.flips import MAX_ENUMERATED, Bracket, Side, constant_bracket
from certaudit.rigorous.radius import is_majority, kl_radius, tight_radius
from certaudit.rigorous.tail import log_error_bound

__all__ = ["Certificate", "LabelFlipRun", "certify_label_flip"]

_HALF = Fraction(1, 2)
_WIDTH = Fraction(1, 256)
"""An enclosure of ln B(t) wider than this is computed again from more precise alphas."""
_RISING = (160, 640, 2560)
"""Accuracies, in bits, at which balls are asked before rationals: for ill-conditioned data."""
_FAR = 1e290
"""Sums of alphas beyond this could overflow float64."""
_FIRST_ACCURACY, _MAX_ACCURACY = 128, 1 << 16
_PARALLEL = 1 << 22
"""Entries of alpha from which processes are worth their start for the points left to balls."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was proven for one test point.

    `prediction` is the vote winner when `decided`, else the sign of the mean score. `log_error`
    is a proven upper bound on ln(1 - p), p the vote share of `prediction`; `p_lower` a proven
    lower bound on p. `t` is the signed Chernoff parameter that proves them. With `constant` no
    labelling changes the vote: t and log_error are None. `kl_radius` flips cannot change the
    vote, nor can `tight_radius`, None where it was not asked for. `exact` is the bracket of the
    exact radius, None likewise; where it is there the prediction may be proven by it alone.
    `unsmoothed` is the prediction at q = 0, `mean_prediction` the papers' output.
    """

    index: int
    prediction: int
    label: int
    decided: bool
    constant: bool
    t: float | None
    log_error: float | None
    p_lower: float
    kl_radius: int
    tight_radius: int | None
    unsmoothed: int
    mean_prediction: int
    exact: Bracket | None = None

    def as_json(self) -> dict[str, object]:
        """Return one line of certificates.jsonl: numbers rounded to the safe side."""
        found: dict[str, object] = {
            "index": self.index,
            "prediction": self.prediction,
            "label": self.label,
            "decided": self.decided,
            "constant": self.constant,
            "t": None if self.t is None else self.t.hex(),
            "log_error": self.log_error,
            "p_lower": self.p_lower,
            "radius": self.radii(),
        }
        if self.exact is None:
            return found
        exact = {"proved": self.radii()["exact"], "refuted_at": self.exact.refuted_at}
        found["radius"] = {**self.radii(), "exact": exact}
        sides = {"proved": self.exact.proof, "refuted": self.exact.refutation}
        found["evidence"] = {name: side and side.as_json() for name, side in sides.items()}
        return found

    def radii(self) -> dict[str, int]:
        """Return the proven radius for each guarantee that was asked for."""
        found = {"kl": self.kl_radius}
        if self.tight_radius is not None:
            found["tight"] = self.tight_radius
        if self.exact is not None:
            found["exact"] = max(self.exact.proved, 0)
        return found


class LabelFlipRun(Run[Certificate]):
    """A certified test set of two labels."""

    vote = "majority"

    def accuracy(self) -> dict[str, float]:
        """Return accuracies on the certified points, rounded down to six decimals.

        "clean": the predictions; "decided": right and proven to be the vote winner;
        "unsmoothed": the same classifier at q = 0; "constant_0", "constant_1": always that
        class, which reads no label and which no flip can change.
        """
        constant = {f"constant_{c}": count for c, count in enumerate(self.of_class())}
        total = len(self.certificates)
        return {name: share_down(n, total) for name, n in {**self.hits(), **constant}.items()}

    def attacked_counts(self) -> list[int]:
        """Return, for r = 0, 1, ..., how many points are right and not refuted at r flips.

        Of decided points no true certificate of r flips is beyond these; the last number is that of
        points that nothing refutes.
        """
        right = [c.exact for c in self.certificates if c.prediction == c.label]
        refuted = [each.refuted_at for each in right if each is not None]
        least = [at for at in refuted if at is not None]
        falls = np.bincount(least) if least else np.zeros(1, dtype=np.int64)
        return [len(right) - int(fallen) for fallen in np.cumsum(falls)]

    def closed(self) -> int:
        """Return how many exact radii are known: one flip more is proven to change the vote."""
        return sum(self._is_closed(certificate) for certificate in self.certificates)

    def _is_closed(self, certificate: Certificate) -> bool:
        exact = certificate.exact
        if exact is None or not certificate.decided:
            return False
        if exact.refuted_at is None:
            return exact.proved == len(self.data.y_train)
        return exact.refuted_at == exact.proved + 1


def certify_label_flip(
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_test: ArrayLike,
    y_test: ArrayLike,
    *,
    q: Number,
    ridge: Number = "auto",
    scale: str = "standard",
    intercept: bool = True,
    positive: str | None = None,
    guarantee: str = "kl",
    engine: str = "fast",
    limit: int | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> LabelFlipRun:
    """Certify test points of the least-squares classifier under label noise q (Algorithm 1).

    x_train is n x d, x_test m x d, labels 0/1 (or anything with `positive`); q is an exact
    number in (0, 1/2): "0.1", Fraction(1, 10), exact(0.1). `ridge` is "auto", "paper" or an exact
    number, `scale` "standard" or "none". `guarantee` is "kl", "tight", "exact" or "all"; the KL
    radius (5) is always there, "tight" adds the one of (2), "exact" the bracket of the largest
    radius there is, from proven votes of worst flips. `engine` "fast" decides by proven float
    bounds what these can decide and the rest by balls, "rigorous" all by balls: predictions and
    radii are the same (but for a search for t that ends early), log_error may be up to 0.01
    larger. `limit` takes the first points only; `jobs` is the number of threads and of processes
    (these are spawned: with more than one, a script needs the usual
    `if __name__ == "__main__"`); `progress` is called with (done, total).

    Every log_error errs upward, every p_lower and radius downward.

    Raises InputError for bad input, naming the place, also for mapped files that have changed
    meanwhile, and Undecided where X'X + ridge is not inverted at 2^18 bits (condition numbers
    beyond any real data's).

    Proof: `proofs/certificate.md`.
    """
    data = LabelledData.check(x_train, y_train, x_test, y_test, positive=positive)
    run = certify_data(
        data,
        q=q,
        ridge=ridge,
        scale=scale,
        intercept=intercept,
        guarantee=guarantee,
        engine=engine,
        limit=limit,
        jobs=jobs,
        progress=progress,
    )
    data.check_unchanged()
    return run


def certify_data(
    data: LabelledData,
    *,
    q: Number,
    ridge: Number = "auto",
    scale: str = "standard",
    intercept: bool = True,
    guarantee: str = "kl",
    engine: str = "fast",
    limit: int | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> LabelFlipRun:
    """Certify checked data; arguments and errors as in certify_label_flip.

    Proof: `proofs/certificate.md`.
    """
    guarantees = check_choices(guarantee, engine, limit, jobs, exact=True)
    rate, features, chosen, model = fit(data, q=q, ridge=ridge, scale=scale, intercept=intercept)
    total = len(data.x_test) if limit is None else min(limit, len(data.x_test))
    found = certify_model(
        model, data, rate, range(total), guarantees=guarantees, engine=engine, jobs=jobs
    )
    certificates, escalated = collected(found, total, engine, progress)
    return LabelFlipRun(rate, data, features, chosen, certificates, guarantees, engine, escalated)


def certify_model(
    model: LeastSquares,
    data: LabelledData,
    q: Fraction,
    indices: Sequence[int],
    *,
    guarantees: Sequence[str] = ("kl",),
    engine: str = "fast",
    jobs: int = 1,
) -> Iterator[tuple[Certificate, str | None]]:
    """Yield the certificate of each test point named, and why the fast engine left it to balls.

    The reason is None for points that floats decided, and for the rigorous engine. `indices` rise;
    points left to balls come last.

    Raises Undecided where X'X + ridge is not inverted at 2^18 bits.

    Proof: `proofs/certificate.md`.
    """
    left: Sequence[int] = indices
    reasons: dict[int, str] = {}
    if engine == "fast":
        for found in screen(model, data.y_train, q, indices, guarantees, threads=jobs):
            if found.reason is None:
                yield _from_floats(found, model, data, q, guarantees), None
            else:
                reasons[found.index] = found.reason
        left = list(reasons)
        if len(left) * len(data.y_train) < _PARALLEL:
            jobs = 1
    jobs = min(jobs, max(len(left), 1))
    balls = certify_points(model, data, q, left, guarantees=guarantees, engine=engine, jobs=jobs)
    for _, _, certificate in balls:
        yield certificate, reasons.get(certificate.index)


def certify_points(
    model: LeastSquares,
    data: LabelledData,
    q: Fraction,
    indices: Sequence[int],
    *,
    guarantees: Sequence[str] = ("kl",),
    engine: str = "rigorous",
    jobs: int = 1,
) -> Iterator[tuple[SolvedPoint, Bound, Certificate]]:
    """Yield alpha, the bound in balls and the certificate of each test point named, in order.

    `engine` is what brackets exact radii, where these are asked for.

    Raises Undecided where X'X + ridge is not inverted at 2^18 bits.

    Proof: `proofs/certificate.md`.
    """
    work = ((point, settle(model, point, q)) for point in model.points(indices))
    wanted = engine if "exact" in guarantees else None
    bounder = _Bounder(data.y_train, q, wanted)
    for point, facts, (found, bracket) in run_in_order(bounder, work, jobs):
        bound = found or bound_from_balls(model, point.index, facts, data.y_train, q)
        exact = bracket
        if wanted is not None and (bracket is None or bracket.proved < 0):
            exact = _exact(model, point.index, data, facts, q)
        yield point, bound, _from_balls(point.index, data, facts, bound, q, guarantees, exact)


def _from_floats(
    found: Screened,
    model: LeastSquares,
    data: LabelledData,
    q: Fraction,
    guarantees: Sequence[str],
) -> Certificate:
    """Return the certificate of a point that the fast engine decided."""
    facts = Facts(found.mean_sign, found.unsmoothed, found.constant)
    exact = found.exact
    if "exact" in guarantees and exact is None:
        exact = _exact(model, found.index, data, facts, q)
    parts = (found.t, found.log_error, found.radii)
    return _certificate(found.index, data, facts, *parts, guarantees, exact)


def _exact(
    model: LeastSquares, index: int, data: LabelledData, facts: Facts, q: Fraction
) -> Bracket:
    """Return the bracket of a point that takes more than float alphas."""
    if facts.constant:
        return constant_bracket(0, len(data.y_train))
    return bracket_of_point(model, index, data.y_train, q, facts.mean_prediction)[0]


def _from_balls(
    index: int,
    data: LabelledData,
    facts: Facts,
    bound: Bound,
    q: Fraction,
    guarantees: Sequence[str],
    exact: Bracket | None = None,
) -> Certificate:
    """Return the certificate of a point whose bound was proven in balls."""
    # ln(1 - p) <= 0 for any p, so 0 is always a valid bound.
    log_error = json_up(min(bound.log_error.upper, Fraction(0)))
    proven = Fraction(log_error)
    radii: dict[str, int] = {}
    if not facts.constant and is_majority(proven):
        noise, n = LabelFlip(q), len(data.y_train)
        radii["kl"] = kl_radius(noise, log_error=proven, cap=n)
        if "tight" in guarantees:
            radii["tight"] = tight_radius(noise, log_error=proven, cap=n)
    return _certificate(index, data, facts, bound.t, log_error, radii, guarantees, exact)


def fit(
    data: LabelledData, *, q: Number, ridge: Number, scale: str, intercept: bool
) -> tuple[Fraction, Features, Ridge, LeastSquares]:
    """Return the noise, design, ridge and fitted classifier of checked two-label data.

    Raises InputError as certify_label_flip does.

    Proof: `proofs/certificate.md`.
    """
    rate = check_label_noise(q)
    if data.classes != 2:
        raise InputError(
            f"labels: 0 and 1 are expected here, the largest is {data.classes - 1}; "
            "--positive LABEL makes one label 1 and the others 0 (all labels: certify_multiclass)"
        )
    features, chosen, model = fitted(
        data, q=rate, ridge=ridge, scale=scale, intercept=intercept, targets=[1]
    )
    return rate, features, chosen, model


@dataclass(frozen=True, slots=True)
class Facts:
    """What is decided exactly for a test point before any bound.

    `mean_sign` is the sign of E[alpha'y] - 1/2 over noisy labels: the papers' output is
    1 when it is >= 0. `unsmoothed` is 1 when alpha'y >= 1/2. `constant` when no labelling
    reaches 1/2, so that the vote is 0 whatever the labels.
    """

    mean_sign: int
    unsmoothed: int
    constant: bool

    @property
    def mean_prediction(self) -> int:
        """The papers' output."""
        return int(self.mean_sign >= 0)


def settle(model: LeastSquares, point: SolvedPoint, q: Fraction) -> Facts:
    """Decide Facts for a test point: balls where they do, rationals where they do not.

    Proof: `proofs/constant-vote.md`.
    """

    def decide(weight: Fraction, offset: Fraction) -> int:
        """Return the sign of weight alpha'y + offset sum(alpha) - 1/2, weight > 0."""
        for (_, label_score), alpha_sum in _scores(model, point):
            low = weight * label_score.lower + offset * alpha_sum.lower - _HALF
            high = weight * label_score.upper + offset * alpha_sum.upper - _HALF
            if low > 0:
                return 1
            if high < 0:
                return -1
        zeros, ones = model.exact_scores(point.index)
        value = weight * ones + offset * (zeros + ones) - _HALF
        return (value > 0) - (value < 0)

    return Facts(
        mean_sign=decide(1 - 2 * q, q),
        unsmoothed=int(decide(Fraction(1), Fraction(0)) >= 0),
        constant=is_constant(model, point),
    )


def _scores(
    model: LeastSquares, point: SolvedPoint
) -> Iterator[tuple[tuple[Enclosure, ...], Enclosure]]:
    """Yield enclosures of class scores and the sum of alpha, each narrower than those before."""
    yield point.scores, point.alpha_sum
    for accuracy in _RISING:
        try:
            yield model.score_balls(point.index, accuracy)
        except Undecided:
            return


def is_constant(model: LeastSquares, point: SolvedPoint) -> bool:
    """Return whether the sum of max(alpha_i, 0) is < 1/2, exactly: then every vote is for 0.

    No labelling then reaches 1/2, so the base classifier outputs 0 on all of them. (It never
    outputs 1 on all of them: all-zero labels score 0.) With an intercept the alphas sum to 1, so
    the sum of the positive ones is at least 1. The vote of Definition 1 may be the same for all
    labellings in other cases too: they are left to the bound.

    Proof: `proofs/constant-vote.md`.
    """
    if model.intercept:
        return False
    if point.alpha_error is not None and float(np.abs(point.alpha).max()) < _FAR:
        reach = Fraction(math.fsum(np.maximum(point.alpha, 0)))
        # fsum is correctly rounded: half an ulp, covered by a relative 2^-52.
        slack = point.alpha_error + reach / (1 << 52)
        if reach - slack > _HALF:
            return False
        if reach + slack < _HALF:
            return True
    for accuracy in _RISING:
        try:
            balls = model.alpha_balls(point.index, accuracy)
        except Undecided:
            break
        with working_precision(accuracy):
            answer = order(sum((ball.nonnegative_part() for ball in balls), arb(0)), arb(0.5))
        if answer is not None:
            return answer < 0
    alphas = model.exact_alpha(point.index)
    return sum((max(value, Fraction(0)) for value in alphas), Fraction(0)) < _HALF


@dataclass(frozen=True, slots=True)
class Bound:
    """A witness t and a proven enclosure of ln B(t)."""

    t: float
    log_error: Enclosure


class _Bounder:
    """The work of one process: labels and noise are sent once, points one by one."""

    def __init__(self, labels: Labels, q: Fraction, exact: str | None = None) -> None:
        self.ones, self.labels, self.q, self.exact = labels == 1, labels, q, exact

    def __call__(self, point: SolvedPoint, facts: Facts) -> tuple[Bound | None, Bracket | None]:
        """Return the bound and the bracket, None where the float alphas are not precise enough.

        No bracket either where none was asked for, or where rational alphas are to decide.
        """
        return self._bound(point, facts), self._bracket(point, facts)

    def _bracket(self, point: SolvedPoint, facts: Facts) -> Bracket | None:
        if self.exact is None or point.alpha_error is None or facts.constant:
            return None
        if len(self.labels) <= MAX_ENUMERATED:
            return None
        return bracket_from_alpha(
            point.alpha,
            point.alpha_error,
            self.labels,
            self.q,
            facts.mean_prediction,
            engine=self.exact,
        )

    def _bound(self, point: SolvedPoint, facts: Facts) -> Bound | None:
        if facts.constant:
            return Bound(0.0, Enclosure(0, 0, 0, 0))
        if point.alpha_error is None or not is_precise(point.alpha, point.alpha_error):
            return None
        t = chernoff_t(point.alpha, self.labels, self.q, _direction(facts))
        if abs(Fraction(t)) * point.alpha_error > _WIDTH / 4:
            return None
        zeros, ones = point.alpha[~self.ones].tolist(), point.alpha[self.ones].tolist()
        bound = log_error_bound(t, zeros, ones, self.q, alpha_error=point.alpha_error)
        return Bound(t, bound) if bound.rad <= _WIDTH else None


def _direction(facts: Facts) -> int:
    return 1 if facts.mean_sign >= 0 else -1


def bound_from_balls(
    model: LeastSquares, index: int, facts: Facts, labels: Labels, q: Fraction
) -> Bound:
    """Return the bound from alphas in balls, at rising precision: for ill-conditioned data.

    Where no precision within the limits is enough, the bound is the trivial one, ln B(0) = 0.

    Proof: `proofs/chernoff.md`.
    """
    accuracy = _FIRST_ACCURACY
    while accuracy <= _MAX_ACCURACY:
        try:
            bound = _bound_from_balls(model.alpha_balls(index, accuracy), facts, labels, q)
        except Undecided:
            break
        if bound is not None:
            return bound
        accuracy *= 2
    return Bound(0.0, Enclosure(0, 0, 0, 0))


def _bound_from_balls(balls: list[arb], facts: Facts, labels: Labels, q: Fraction) -> Bound | None:
    """Return the bound, None where the balls are too wide."""
    middle = np.array([float(ball.mid()) for ball in balls])
    if not np.isfinite(middle).all():
        return None
    if not is_precise(middle, sum((from_ball(ball).rad for ball in balls), Fraction(0))):
        return None
    direction = _direction(facts)
    with working_precision(_MAX_ACCURACY):
        worst = [b for b, a in zip(balls, middle.tolist(), strict=True) if direction * a < 0]
        gap = float(((arb(0.5) - sum(worst, arb(0))) * direction).mid())
    t = chernoff_t(middle, labels, q, direction, gap=gap)
    zeros: list[float | arb] = [ball for ball, y in zip(balls, labels, strict=True) if y == 0]
    ones: list[float | arb] = [ball for ball, y in zip(balls, labels, strict=True) if y == 1]
    bound = log_error_bound(t, zeros, ones, q)
    return Bound(t, bound) if bound.rad <= _WIDTH else None


def _certificate(
    index: int,
    data: LabelledData,
    facts: Facts,
    t: float,
    log_error: float,
    radii: Mapping[str, int],
    guarantees: Sequence[str],
    exact: Bracket | None = None,
) -> Certificate:
    """Return a certificate; `log_error` is to be written, no `radii`: no majority is proven."""
    tight = "tight" in guarantees
    prediction = facts.mean_prediction
    if exact is not None and exact.prediction != prediction:
        if radii:
            raise _contradiction(index, "the vote for each class")
        # The vote is proven not to be for the sign of the mean.
        prediction, t, log_error = exact.prediction, 0.0, 0.0
    shared: dict[str, Any] = {
        "index": index,
        "label": int(data.y_test[index]),
        "unsmoothed": facts.unsmoothed,
        "mean_prediction": facts.mean_prediction,
        "exact": None if exact is None else _at_least(exact, radii, index),
    }
    if facts.constant:
        n = len(data.y_train)
        return Certificate(
            prediction=0,
            decided=True,
            constant=True,
            t=None,
            log_error=None,
            p_lower=1.0,
            kl_radius=n,
            tight_radius=n if tight else None,
            **shared,
        )
    return Certificate(
        prediction=prediction,
        decided=bool(radii) or (exact is not None and exact.proved >= 0),
        constant=False,
        t=t,
        log_error=log_error,
        p_lower=written_share(log_error),
        kl_radius=radii.get("kl", 0),
        tight_radius=radii.get("tight", 0) if tight else None,
        **shared,
    )


def _at_least(exact: Bracket, radii: Mapping[str, int], index: int) -> Bracket:
    """Return the bracket with what other guarantees prove, should that be more.

    Raises CertauditError where the two contradict each other: a defect of this program.
    """
    most = max(radii.values(), default=-1)
    if exact.refuted_at is not None and most >= exact.refuted_at:
        raise _contradiction(
            index, f"a radius of {most}, and {exact.refuted_at} flips that change the vote"
        )
    if exact.proved >= most:
        return exact
    proof = exact.proof or Side("chernoff")
    return replace(exact, proved=most, proof=replace(proof, by="chernoff"))


def _contradiction(index: int, text: str) -> CertauditError:
    return CertauditError(
        f"internal error: test point {index}: proven were {text}; please report it"
    )
