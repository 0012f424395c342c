"""Counterexamples: the smallest set of label flips that is proven to change a test point's vote."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from certaudit import __version__
from certaudit.certify.data import LabelledData, Labels
from certaudit.certify.features import Features
from certaudit.certify.flips import bracket_from_alpha, bracket_of_point, side_of_vote
from certaudit.certify.label_flip import Facts, fit, settle
from certaudit.certify.least_squares import LeastSquares, SolvedPoint
from certaudit.certify.ridge import Ridge, choose_ridge
from certaudit.certify.workers import one_blas_thread
from certaudit.errors import InputError, Undecided
from certaudit.exact import Number, as_integer, format_rational
from certaudit.rigorous.flips import (
    MAX_ENUMERATED,
    Alphas,
    Bracket,
    Side,
    constant_bracket,
    worst_order,
)

__all__ = ["ATTACK_TYPE", "Attack", "attack_label_flip"]

ATTACK_TYPE: Final = "urn:certaudit:attack:label-flip:v1"


@dataclass(frozen=True)
class Attack:
    """A test point, the bracket of its exact radius, and the flips that change its vote.

    `flips` are the training points whose labels are flipped, the largest support first: as many as
    `bracket.refuted_at`, none where that is None or not even the vote is proven: nothing is then
    known to change. `before` proves the vote for the prediction, `after` that the vote is for the
    other class once they are flipped (each None: not proven).
    They hold for the classifier with this ridge; `ridge_after` is the one that the paper's rule
    gives for the flipped labels, where the vote changes with that too.
    """

    q: Fraction
    data: LabelledData
    features: Features
    ridge: Ridge
    index: int
    bracket: Bracket
    flips: tuple[int, ...]
    before: Side | None
    after: Side | None
    ridge_after: Ridge | None

    @property
    def holds_for(self) -> str:
        """Whether the counterexample is one to the "pipeline", or at "fixed ridge" only."""
        fixed = self.ridge.reads_labels and self.ridge_after is None
        return "fixed ridge" if fixed else "pipeline"

    def as_json(self, *, source: str, label_column: str | None = None) -> dict[str, object]:
        """Return the attack as plain JSON values (docs/format.md)."""
        labels = self.data.y_train
        after = self.ridge_after
        return {
            "type": ATTACK_TYPE,
            "certaudit": __version__,
            "noise_model": {"name": "label-flip", "q": format_rational(self.q), "classes": 2},
            "classifier": "least squares",
            "vote": "majority",
            "ridge": self.ridge.as_json(),
            "intercept": self.features.intercept,
            "scale": self.features.scale.as_json(),
            "source": source,
            "label_column": label_column,
            "positive": self.data.positive,
            "training_points": len(labels),
            "data": {name: digest.as_json() for name, digest in self.data.digests.items()},
            "index": self.index,
            "label": int(self.data.y_test[self.index]),
            "prediction": self.bracket.prediction,
            "holds_for": self.holds_for,
            "ridge_after": None if after is None else after.as_json()["value"],
            "radius": {"proved": self.bracket.proved, "refuted_at": self.bracket.refuted_at},
            "flips": [
                {"index": i, "from": int(labels[i]), "to": 1 - int(labels[i])} for i in self.flips
            ],
            "before": _proof_as_json(self.before),
            "after": _proof_as_json(self.after),
        }


def attack_label_flip(
    data: LabelledData,
    index: int,
    *,
    q: Number,
    ridge: Number = "auto",
    scale: str = "standard",
    intercept: bool = True,
) -> Attack:
    """Return the smallest set of label flips that is proven to change the vote of a test point.

    No set of `bracket.proved` flips does; where that is one less it is the smallest there is. With
    the paper's ridge, which reads the labels, the vote is proven again with that of the flipped
    labels, if it changes there, too.

    Raises InputError as certify_label_flip does, and for an index that is no test point.

    Proof: `proofs/flips.md`.
    """
    rate, features, chosen, model = fit(data, q=q, ridge=ridge, scale=scale, intercept=intercept)
    place = as_integer(index, "index")
    if not 0 <= place < len(data.x_test):
        raise InputError(f"index: {place} is not one of the test points 0..{len(data.x_test) - 1}")
    point = next(iter(model.points([place])))
    facts = settle(model, point, rate)
    with one_blas_thread():
        found, alpha = _bracket(model, point, data.y_train, rate, facts)
    flips: tuple[int, ...] = ()
    after, again = None, None
    if found.proved >= 0 and found.refuted_at is not None:
        flips = tuple(
            worst_order(alpha, data.y_train, found.prediction)[: found.refuted_at].tolist()
        )
        labels = data.y_train.copy()
        labels[list(flips)] = 1 - labels[list(flips)]
        after = _proof(point, labels, rate, 1 - found.prediction, found.refutation)
        if chosen.reads_labels:
            again = _with_its_ridge(features, labels, rate, place, 1 - found.prediction)
            after = after if again is None else again[1]
    return Attack(
        rate,
        data,
        features,
        chosen,
        place,
        found,
        flips,
        None
        if found.proved < 0 or facts.constant
        else _proof(point, data.y_train, rate, found.prediction, found.proof),
        after,
        None if again is None else again[0],
    )


def _bracket(
    model: LeastSquares, point: SolvedPoint, labels: Labels, q: Fraction, facts: Facts
) -> tuple[Bracket, Alphas]:
    """Return the bracket, and the alphas whose order of labels it is about."""
    if facts.constant:
        return constant_bracket(0, len(labels)), point.alpha
    prediction = facts.mean_prediction
    if point.alpha_error is not None and len(labels) > MAX_ENUMERATED:
        found = bracket_from_alpha(point.alpha, point.alpha_error, labels, q, prediction)
        if found.proved >= 0:
            return found, point.alpha
    return bracket_of_point(model, point.index, labels, q, prediction)


def _proof(
    point: SolvedPoint,
    labels: Labels,
    q: Fraction,
    winner: int,
    known: Side | None,
) -> Side | None:
    """Return how the vote with these labels is proven to be for `winner`: what a checker can say.

    `known` proves it, should the alphas that are tried here not.
    """
    found = None
    if point.alpha_error is not None:
        found = side_of_vote(point.alpha, point.alpha_error, labels, q, winner)
    return found or (None if known is None else Side(known.by))


def _with_its_ridge(
    features: Features, labels: Labels, q: Fraction, index: int, winner: int
) -> tuple[Ridge, Side] | None:
    """Return the paper's ridge for these labels and a proof of the vote with it, if any."""
    try:
        ridge = choose_ridge("paper", features, labels, q)
        model = LeastSquares(
            features.train, features.test, labels, ridge.value, intercept=features.intercept
        )
        point = next(iter(model.points([index])))
    except (InputError, Undecided):
        return None
    if point.alpha_error is None:
        return None
    found = side_of_vote(point.alpha, point.alpha_error, labels, q, winner)
    return None if found is None else (ridge, found)


def _proof_as_json(side: Side | None) -> dict[str, object] | None:
    """Return what proves the vote of one labelling: a side without a number of flips."""
    if side is None:
        return None
    return {name: value for name, value in side.as_json().items() if name != "flips"}
