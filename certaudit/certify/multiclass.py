"""Certificates for label-flip-smoothed least squares with many classes: Appendix B, two votes.

The class of the largest mean score is the only one that Chernoff can prove to win. Each rival has a
witness t of its own; together they bound the vote, `pairwise` or `plurality`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb
from numpy.typing import ArrayLike

from certaudit.certify.data import Floats, LabelledData, Labels
from certaudit.certify.fast_votes import FAR, ScreenedVote, screen_votes
from certaudit.certify.features import Features
from certaudit.certify.least_squares import LeastSquares, SolvedPoint
from certaudit.certify.ridge import Ridge
from certaudit.certify.run import Run, check_choices, collected, fitted, share_down, written_share
from certaudit.certify.search import is_precise, pair_logs, pair_t
from certaudit.certify.workers import run_in_order
from certaudit.errors import InputError, Undecided
from certaudit.exact import Enclosure, Number, json_up
from certaudit.noise import MAX_CLASSES, LabelFlip, check_label_noise
from certaudit.rigorous.balls import from_ball
from certaudit.rigorous.pairs import is_majority_sum, log_pair_bounds, log_sum_bound
from certaudit.rigorous.radius import is_majority, kl_radius, tight_radius

__all__ = [
    "VOTES",
    "MulticlassRun",
    "Rival",
    "VoteCertificate",
    "certify_classes",
    "certify_multiclass",
]

VOTES = ("plurality", "pairwise")

_WIDTH = Fraction(1, 256)
"""An enclosure of ln B(t) wider than this is computed again from more precise alphas."""
_RISING = (160, 640, 2560)
"""Accuracies, in bits, at which balls are asked before rationals: for ill-conditioned data."""
_FIRST_ACCURACY, _MAX_ACCURACY = 128, 1 << 16
_PARALLEL = 1 << 22
"""Entries of alpha from which processes are worth their start for the points left to balls."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A proven upper bound on ln P(the prediction does not beat this class), at the witness t."""

    rival: int
    t: float
    log_error: float


@dataclass(frozen=True, slots=True)
class VoteCertificate:
    """What was proven for one test point.

    `prediction` is the class of the largest mean score, ties to the higher index; with `decided`
    it is proven to win the vote. `rivals` are all the other classes, ascending. `log_error` bounds
    ln(1 - p) from above, p being for "pairwise" the least of the shares with which the prediction
    beats a rival, for "plurality" the share of labellings for which it has the largest score;
    `p_lower` bounds p from below. `kl_radius` flips cannot change the vote, nor can `tight_radius`,
    None where it was not asked for.
    """

    index: int
    prediction: int
    label: int
    decided: bool
    rivals: tuple[Rival, ...]
    log_error: float
    p_lower: float
    kl_radius: int
    tight_radius: int | None

    @property
    def unsmoothed(self) -> int:
        """The prediction at q = 0: the same, since means have the order of scores."""
        return self.prediction

    def radii(self) -> dict[str, int]:
        """Return the proven radius for each guarantee that was asked for."""
        found = {"kl": self.kl_radius}
        return found if self.tight_radius is None else {**found, "tight": self.tight_radius}

    def as_json(self) -> dict[str, object]:
        """Return one line of certificates.jsonl: numbers rounded to the safe side."""
        return {
            "index": self.index,
            "prediction": self.prediction,
            "label": self.label,
            "decided": self.decided,
            "rivals": [
                {"class": rival.rival, "t": rival.t.hex(), "log_error": rival.log_error}
                for rival in self.rivals
            ],
            "log_error": self.log_error,
            "p_lower": self.p_lower,
            "radius": self.radii(),
        }


@dataclass(frozen=True)
class MulticlassRun(Run[VoteCertificate]):
    """A certified test set of two classes or more: by which vote, and what was found."""

    vote: str = VOTES[0]

    def accuracy(self) -> dict[str, float | list[float]]:
        """Return accuracies on the certified points, rounded down to six decimals.

        "clean": the predictions; "decided": right and proven to win the vote; "unsmoothed": at
        q = 0; "constant": of each class, always that class.
        """
        total = len(self.certificates)
        shares = {name: share_down(count, total) for name, count in self.hits().items()}
        return {**shares, "constant": [share_down(count, total) for count in self.of_class()]}

    def vacuous(self) -> dict[str, int]:
        """Return for how many points the bound of each vote is no majority: p may be 1/2 or less.

        Decided from the bounds of the rivals, whatever the vote of the run.
        """
        pairwise = plurality = 0
        for certificate in self.certificates:
            logs = [Fraction(rival.log_error) for rival in certificate.rivals]
            pairwise += not is_majority(max(logs))
            plurality += not is_majority_sum(logs)
        return {"pairwise": pairwise, "plurality": plurality}


def certify_multiclass(
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_test: ArrayLike,
    y_test: ArrayLike,
    *,
    q: Number,
    classes: int | None = None,
    vote: str = "plurality",
    ridge: Number = "auto",
    scale: str = "standard",
    intercept: bool = True,
    guarantee: str = "kl",
    engine: str = "fast",
    limit: int | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> MulticlassRun:
    """Certify test points of one-hot least squares under label noise q (Appendix B).

    x_train is n x d, x_test m x d, labels 0..classes-1 (`classes`: one more than the largest seen,
    where it is not given; a class may have no training points). q is an exact number in
    (0, (classes-1)/classes): each label is replaced with probability q, by one of the others
    uniformly. `vote` is "plurality" (g of B.1: the class that most labellings predict) or
    "pairwise" (the class that beats every other, two at a time); a radius for the first holds for
    the second too. The other arguments are those of certify_label_flip.

    Every log_error errs upward, every p_lower and radius downward.

    Raises InputError for bad input, naming the place, also for mapped files that have changed
    meanwhile, and Undecided where X'X + ridge is not inverted at 2^18 bits.

    Proof: `proofs/multiclass.md`.
    """
    data = LabelledData.check(x_train, y_train, x_test, y_test, classes=classes)
    run = certify_classes(
        data,
        q=q,
        vote=vote,
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


def certify_classes(
    data: LabelledData,
    *,
    q: Number,
    vote: str = "plurality",
    ridge: Number = "auto",
    scale: str = "standard",
    intercept: bool = True,
    guarantee: str = "kl",
    engine: str = "fast",
    limit: int | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> MulticlassRun:
    """Certify checked data; arguments and errors as in certify_multiclass.

    Proof: `proofs/multiclass.md`.
    """
    guarantees = check_choices(guarantee, engine, limit, jobs)
    noise, features, chosen, model = fit_classes(
        data, q=q, vote=vote, ridge=ridge, scale=scale, intercept=intercept
    )
    total = len(data.x_test) if limit is None else min(limit, len(data.x_test))
    found = certify_votes(
        model, data, noise, vote, range(total), guarantees=guarantees, engine=engine, jobs=jobs
    )
    certificates, escalated = collected(found, total, engine, progress)
    return MulticlassRun(
        noise.q, data, features, chosen, certificates, guarantees, engine, escalated, vote
    )


def fit_classes(
    data: LabelledData, *, q: Number, vote: str, ridge: Number, scale: str, intercept: bool
) -> tuple[LabelFlip, Features, Ridge, LeastSquares]:
    """Return the noise, design, ridge and fitted classifier of checked data.

    Raises InputError as certify_multiclass does.

    Proof: `proofs/multiclass.md`.
    """
    if vote not in VOTES:
        raise InputError(f"vote: {vote!r} is none of {', '.join(VOTES)}")
    if data.classes > MAX_CLASSES:
        seen = "" if data.declared else " (one more than the largest label)"
        raise InputError(f"classes: {data.classes}{seen}, at most {MAX_CLASSES}")
    noise = LabelFlip(check_label_noise(q, data.classes), data.classes)
    features, chosen, model = fitted(
        data,
        q=noise.q,
        ridge=ridge,
        scale=scale,
        intercept=intercept,
        targets=range(data.classes),
    )
    return noise, features, chosen, model


def certify_votes(
    model: LeastSquares,
    data: LabelledData,
    noise: LabelFlip,
    vote: str,
    indices: Sequence[int],
    *,
    guarantees: Sequence[str] = ("kl",),
    engine: str = "fast",
    jobs: int = 1,
) -> Iterator[tuple[VoteCertificate, str | None]]:
    """Yield the certificate of each test point named, and why the fast engine left it to balls.

    The reason is None for points that floats decided, and for the rigorous engine. `indices` rise;
    points left to balls come last.

    Raises Undecided where X'X + ridge is not inverted at 2^18 bits.

    Proof: `proofs/multiclass.md`.
    """
    left: Sequence[int] = indices
    reasons: dict[int, str] = {}
    if engine == "fast":
        screened = screen_votes(model, data.y_train, noise, vote, indices, guarantees, threads=jobs)
        for found in screened:
            if found.reason is None:
                yield _from_floats(found, data, guarantees), None
            else:
                reasons[found.index] = found.reason
        left = list(reasons)
        if len(left) * len(data.y_train) < _PARALLEL:
            jobs = 1
    jobs = min(jobs, max(len(left), 1))
    proven = prove_votes(model, data, noise, vote, left, guarantees=guarantees, jobs=jobs)
    for _, _, certificate in proven:
        yield certificate, reasons.get(certificate.index)


def prove_votes(
    model: LeastSquares,
    data: LabelledData,
    noise: LabelFlip,
    vote: str,
    indices: Sequence[int],
    *,
    guarantees: Sequence[str] = ("kl",),
    jobs: int = 1,
) -> Iterator[tuple[SolvedPoint, list[PairBound], VoteCertificate]]:
    """Yield alpha, the bounds in balls and the certificate of each test point named, in order.

    Raises Undecided where X'X + ridge is not inverted at 2^18 bits.

    Proof: `proofs/multiclass.md`.
    """
    work = ((point, leading_class(model, point)) for point in model.points(indices))
    for point, winner, found in run_in_order(_Bounder(data.y_train, noise), work, jobs):
        bounds = found or bounds_from_balls(model, point.index, winner, data.y_train, noise)
        certificate = _from_balls(point.index, data, winner, bounds, noise, vote, guarantees)
        yield point, bounds, certificate


def leading_class(model: LeastSquares, point: SolvedPoint) -> int:
    """Return the class of the largest score, exactly; the higher index in ties.

    Means over noisy labels have the same order: q < (classes - 1)/classes.

    Proof: `proofs/multiclass.md`.
    """
    for scores in _scores(model, point):
        best = max(range(len(scores)), key=lambda c: scores[c].lower)
        if all(scores[c].upper < scores[best].lower for c in range(len(scores)) if c != best):
            return best
    exact = model.exact_scores(point.index)
    return max(range(len(exact)), key=lambda c: (exact[c], c))


def _scores(model: LeastSquares, point: SolvedPoint) -> Iterator[tuple[Enclosure, ...]]:
    """Yield enclosures of the class scores, each narrower than the one before."""
    yield point.scores
    for accuracy in _RISING:
        try:
            yield model.score_balls(point.index, accuracy)[0]
        except Undecided:
            return


@dataclass(frozen=True, slots=True)
class PairBound:
    """A witness t >= 0 against a rival, and a proven enclosure of ln B(t), None: there is none."""

    rival: int
    t: float
    log_error: Enclosure | None


def witnesses(alpha: Floats, labels: Labels, winner: int, noise: LabelFlip) -> dict[int, float]:
    """Return t >= 0 against each rival: near the minimum of ln B for those that may matter.

    A float search: any t is sound. A rival whose bound at the t of another is FAR below the
    largest keeps that t: it cannot change the vote, and adds e^-FAR to a sum.

    Proof: `proofs/multiclass.md`.
    """
    scores = np.bincount(labels, alpha, minlength=noise.classes)
    scores[winner] = -np.inf
    first = int(scores.argmax())
    start = pair_t(alpha, labels, winner, first, noise)
    values = pair_logs(start, alpha, labels, winner, noise)
    found = {b: start for b in range(noise.classes) if b != winner}
    searched = {first}
    while True:
        worst = max(values[b] for b in searched)
        near = [b for b in found if b not in searched and not values[b] <= worst - FAR]
        if not near:
            return found
        for b in near:
            found[b] = pair_t(alpha, labels, winner, b, noise)
            values[b] = pair_logs(found[b], alpha, labels, winner, noise)[b]
            searched.add(b)


def pair_bounds(
    found: dict[int, float],
    alpha: Sequence[Sequence[float | arb]],
    winner: int,
    noise: LabelFlip,
    alpha_error: Fraction = Fraction(0),
) -> list[PairBound]:
    """Return the bound against each rival, ascending: rivals with the same t at once.

    `alpha` holds the alphas of each class, `found` a t >= 0 for each rival.

    Proof: `proofs/multiclass.md`.
    """
    bounds = {}
    for t in set(found.values()):
        rivals = [b for b, own in found.items() if own == t]
        enclosures = log_pair_bounds(t, alpha, winner, rivals, noise, alpha_error=alpha_error)
        for b, enclosure in zip(rivals, enclosures, strict=True):
            bounds[b] = PairBound(b, t, enclosure)
    return [bounds[b] for b in sorted(bounds)]


class _Bounder:
    """The work of one process: labels and noise are sent once, points one by one."""

    def __init__(self, labels: Labels, noise: LabelFlip) -> None:
        self.labels, self.noise = labels, noise

    def __call__(self, point: SolvedPoint, winner: int) -> list[PairBound] | None:
        """Return the bounds, None where the float alphas are not precise enough."""
        error, alpha = point.alpha_error, point.alpha
        if error is None or not is_precise(alpha, error):
            return None
        found = witnesses(alpha, self.labels, winner, self.noise)
        if Fraction(max(found.values())) * error > _WIDTH / 4:
            return None
        by_class = [alpha[self.labels == c].tolist() for c in range(self.noise.classes)]
        bounds = pair_bounds(found, by_class, winner, self.noise, error)
        return bounds if _are_narrow(bounds) else None


def _are_narrow(bounds: Sequence[PairBound]) -> bool:
    return all(b.log_error is not None and b.log_error.rad <= _WIDTH for b in bounds)


def bounds_from_balls(
    model: LeastSquares, index: int, winner: int, labels: Labels, noise: LabelFlip
) -> list[PairBound]:
    """Return the bounds from alphas in balls, at rising precision: for ill-conditioned data.

    Where no precision within the limits is enough, they are the trivial ones, ln B(0) = 0.

    Proof: `proofs/multiclass.md`.
    """
    accuracy = _FIRST_ACCURACY
    while accuracy <= _MAX_ACCURACY:
        try:
            balls = model.alpha_balls(index, accuracy)
        except Undecided:
            break
        middle = np.array([float(ball.mid()) for ball in balls])
        spread = sum((from_ball(ball).rad for ball in balls), Fraction(0))
        if np.isfinite(middle).all() and is_precise(middle, spread):
            found = witnesses(middle, labels, winner, noise)
            by_class: list[list[float | arb]] = [[] for _ in range(noise.classes)]
            for ball, label in zip(balls, labels.tolist(), strict=True):
                by_class[label].append(ball)
            bounds = pair_bounds(found, by_class, winner, noise)
            if _are_narrow(bounds):
                return bounds
        accuracy *= 2
    return [PairBound(b, 0.0, None) for b in range(noise.classes) if b != winner]


def _from_floats(
    found: ScreenedVote, data: LabelledData, guarantees: Sequence[str]
) -> VoteCertificate:
    """Return the certificate of a point that the fast engine decided."""
    rivals = [c for c in range(data.classes) if c != found.winner]
    pairs = zip(rivals, found.t, found.log_error, strict=True)
    proven = tuple(Rival(b, t, log_error) for b, t, log_error in pairs)
    return _certificate(
        found.index, data, found.winner, proven, found.total, found.radii, guarantees
    )


def _from_balls(
    index: int,
    data: LabelledData,
    winner: int,
    bounds: Sequence[PairBound],
    noise: LabelFlip,
    vote: str,
    guarantees: Sequence[str],
) -> VoteCertificate:
    """Return the certificate of a point whose bounds were proven in balls."""
    # ln(1 - p) <= 0 for any p, so 0 is always a valid bound.
    rivals = tuple(
        Rival(
            b.rival,
            b.t,
            0.0 if b.log_error is None else json_up(min(b.log_error.upper, Fraction(0))),
        )
        for b in bounds
    )
    logs = [Fraction(rival.log_error) for rival in rivals]
    total = max(rival.log_error for rival in rivals)
    if vote == "plurality":
        total = json_up(min(log_sum_bound(logs).upper, Fraction(0)))
    proven, radii, n = Fraction(total), {}, len(data.y_train)
    if is_majority(proven):
        radii["kl"] = kl_radius(noise, log_error=proven, cap=n)
        if "tight" in guarantees:
            radii["tight"] = tight_radius(noise, log_error=proven, cap=n)
    return _certificate(index, data, winner, rivals, total, radii, guarantees)


def _certificate(
    index: int,
    data: LabelledData,
    winner: int,
    rivals: tuple[Rival, ...],
    log_error: float,
    radii: dict[str, int],
    guarantees: Sequence[str],
) -> VoteCertificate:
    """Return a certificate; `log_error` is to be written, no `radii`: no majority is proven."""
    return VoteCertificate(
        index=index,
        prediction=winner,
        label=int(data.y_test[index]),
        decided=bool(radii),
        rivals=rivals,
        log_error=log_error,
        p_lower=written_share(log_error),
        kl_radius=radii.get("kl", 0),
        tight_radius=radii.get("tight", 0) if "tight" in guarantees else None,
    )
