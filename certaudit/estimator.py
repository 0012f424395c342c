"""The certified classifier as a scikit-learn estimator, and what a pipeline before it reads.

Needs the extra [sklearn]. Predictions are decided exactly, as certificates are: a float near a
tie never names another class than the certificate does.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from certaudit import findings
from certaudit.certify.data import Floats, LabelledData, Labels, digest
from certaudit.certify.features import prepare
from certaudit.certify.label_flip import Certificate, LabelFlipRun, certify_data, fit, settle
from certaudit.certify.least_squares import LeastSquares, SolvedPoint
from certaudit.certify.multiclass import (
    VOTES,
    MulticlassRun,
    VoteCertificate,
    certify_classes,
    fit_classes,
    leading_class,
)
from certaudit.certify.ridge import Ridge
from certaudit.certify.run import check_choices, share_down
from certaudit.certify.summary import assumptions
from certaudit.errors import InputError
from certaudit.exact import Number, as_integer
from certaudit.noise import check_label_noise


class MissingExtraError(InputError, ImportError):
    """An optional dependency is not installed; the text says how to install it."""


try:
    from sklearn.base import BaseEstimator, ClassifierMixin, clone
    from sklearn.pipeline import Pipeline
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import (
        check_consistent_length,
        check_is_fitted,
        column_or_1d,
        validate_data,
    )
except ImportError:
    raise MissingExtraError(
        "SmoothedRidgeClassifier needs scikit-learn 1.6 or later: pip install 'certaudit[sklearn]'"
    ) from None

__all__ = ["CertifiedPredictions", "SmoothedRidgeClassifier", "certify_pipeline"]

NO_LABEL = -1
"""The label of a certificate whose point has none, or one that no training point has."""

_MOST_COLUMNS = 8
"""Columns whose order a labelling follows, to see whether a step reads labels."""
_UP, _DOWN = 1.0 + 2.0**-30, 1.0 - 2.0**-30
"""Cover the rounding of the few operations that make up an error, or a gap."""
_MODERATE, _FLUSH = 2.0**300, 2.0**-300
"""Up to the one no product overflows, and what is flushed to zero is below the other."""


@dataclass(frozen=True, eq=False)
class CertifiedPredictions:
    """Predictions and what is proven about each, as arrays over the points.

    `predictions` are in the user's labels; the other arrays are rounded to the safe side as in the
    certificates: `decided` where the prediction is proven to be the vote, `radius` (by guarantee)
    how many flipped training labels cannot change it, `log_error` an upper bound on ln(1 - p) (-inf
    where no labelling changes the vote), `p_lower` a lower bound on the share p. In `certificates`
    classes are places in the estimator's `classes_`, and a label is -1 where none was given, or one
    that is not in `classes_`. `findings` and `assumptions` (docs/format.md) belong to the numbers.
    """

    predictions: NDArray[Any]
    decided: NDArray[np.bool_]
    radius: Mapping[str, Labels]
    log_error: Floats
    p_lower: Floats
    certificates: tuple[Certificate | VoteCertificate, ...]
    labelled: bool
    findings: tuple[findings.Finding, ...]
    assumptions: tuple[Mapping[str, str], ...]

    def score(self, radius: int = 0) -> float:
        """Return the certified accuracy at `radius` flips, rounded down to six decimals.

        A point counts when its prediction is right, proven to be the vote, and proven not to
        change under that many flips, by any of the guarantees asked for.

        Raises InputError where the labels of the points were not given.
        """
        flips = as_integer(radius, "radius")
        if flips < 0:
            raise InputError("radius: must not be negative")
        if not self.labelled:
            raise InputError("certified accuracy needs the labels of the points")
        hits = sum(
            c.decided and c.prediction == c.label and max(c.radii().values()) >= flips
            for c in self.certificates
        )
        return share_down(hits, len(self.certificates))


class SmoothedRidgeClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge regression on one-hot labels, smoothed by label noise, with proven certificates.

    q is the probability that the noise replaces a label; it and `ridge` are exact numbers ("0.1",
    Fraction(1, 10), or "auto" and "paper" for the ridge), never floats. `vote` is "plurality" (the
    class beats all others together), "pairwise" (each by itself) or "majority", the two-label
    classifier alpha'y >= 1/2, for two classes only. The other parameters are those of
    `certify_multiclass`. They are checked in `fit`; X is dense, and there are no sample weights.

    After fit: `classes_`, `q_` and `ridge_` (the exact numbers), `n_features_in_` and, with named
    columns, `feature_names_in_`.
    """

    def __init__(
        self,
        q: Number = "0.1",
        *,
        ridge: Number = "auto",
        vote: str = "plurality",
        scale: str = "standard",
        intercept: bool = True,
        guarantee: str = "kl",
        engine: str = "fast",
        jobs: int = 1,
    ) -> None:
        self.q = q
        self.ridge = ridge
        self.vote = vote
        self.scale = scale
        self.intercept = intercept
        self.guarantee = guarantee
        self.engine = engine
        self.jobs = jobs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = self.vote != "majority"
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> SmoothedRidgeClassifier:
        """Keep the training set, choose the ridge and solve for the class scores.

        Raises InputError, a ValueError, for parameters that there are not, and for fewer than two
        classes (label noise has nothing to replace a label with) or too many; Undecided where
        X'X + ridge is not inverted at 2^18 bits.
        """
        rows, labels = validate_data(self, X, y, dtype="numeric")
        check_classification_targets(labels)
        if self.vote not in (*VOTES, "majority"):
            raise InputError(f"vote: {self.vote!r} is none of {', '.join(VOTES)}, majority")
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError("y has one class only: label noise needs at least two")
        if self.vote == "majority" and len(self.classes_) > 2:
            # The first words are those that scikit-learn asks for.
            raise InputError(
                "Only binary classification is supported. The type of the target is "
                f"{type_of_target(labels)}; vote='plurality' takes any number of classes"
            )
        check_choices(self.guarantee, self.engine, None, self.jobs, exact=self.vote == "majority")
        # Copies in float64, checked to be exact: what happens to X later changes no certificate.
        data = LabelledData.check(rows, codes, rows[:1], codes[:1])
        self._rows, self._codes = data.x_train, data.y_train
        self.q_ = check_label_noise(self.q, len(self.classes_))
        # Kept, so that what is set later does not change half of a fitted classifier.
        self._vote = self.vote
        self._design: dict[str, Any] = {"scale": self.scale, "intercept": self.intercept}
        self._ridge, model = self._model(data, self.ridge)
        self.ridge_ = self._ridge.value
        # Two labels: the one number that decides. Else the score of each class.
        solver = model.float_solver([[self.q_, 1 - self.q_]] if self._vote == "majority" else None)
        self._weights, self._weight_error = solver.scores, solver.score_error
        return self

    def decision_function(self, X: ArrayLike) -> Floats:
        """Return mean scores under the noise, in floats: for two classes what favours the second.

        These are for ranking. Where two are closer than floats can tell, `predict` decides exactly,
        and may differ from their order.
        """
        scores, _ = self._scores(self._checked(X))
        if self._vote == "majority":
            return np.asarray(scores[:, 0] - 0.5)
        classes, q = len(self.classes_), float(self.q_)
        means = scores + q / (classes - 1) * (scores.sum(axis=1, keepdims=True) - classes * scores)
        return np.asarray(means[:, 1] - means[:, 0] if classes == 2 else means)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the class that certificates name: the largest mean score, ties the higher class.

        Proven float bounds decide most points, balls and rationals the others: the order is exact.
        """
        rows = self._checked(X)
        scores, errors = self._scores(rows)
        if self._vote == "majority":
            codes = (scores[:, 0] >= 0.5).astype(np.int64)
            low, high = np.minimum(scores[:, 0], 0.5), np.maximum(scores[:, 0], 0.5)
            slack = errors[:, 0]
        else:
            order = np.argsort(scores, axis=1)
            codes = order[:, -1]
            low, high = (np.take_along_axis(scores, order[:, [at]], 1)[:, 0] for at in (-2, -1))
            slack = 2 * errors.max(axis=1)
        # Not "<=": what is not finite is not proven.
        left = np.flatnonzero(~((high - low) * _DOWN > slack))
        if len(left):
            _, model = self._model(self._data(rows[left]), self.ridge_)
            codes[left] = [self._decided(model, point) for point in model.points(range(len(left)))]
        return np.asarray(self.classes_[codes])

    def certify(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
    ) -> CertifiedPredictions:
        """Return the prediction for each row of X and what is proven about it.

        Labels y are needed for certified accuracy only. Features are taken as given: whether they
        were made without the training labels, this cannot know (see `certify_pipeline`).

        Raises InputError as certify_multiclass does, and Undecided where X'X + ridge is not
        inverted at 2^18 bits.
        """
        rows = self._checked(X)
        labels = self._labels(rows, y)
        options: dict[str, Any] = {
            "q": self.q_,
            "ridge": self.ridge_,
            **self._design,
            "guarantee": self.guarantee,
            "engine": self.engine,
            "jobs": self.jobs,
        }
        run: LabelFlipRun | MulticlassRun
        if self._vote == "majority":
            run = certify_data(self._data(rows, labels), **options)
        else:
            run = certify_classes(self._data(rows, labels), vote=self._vote, **options)
        # The number is the one of `fit`, so that `predict` and certificates cannot differ; what
        # there is to say of it depends on the rule that gave it.
        run = replace(run, ridge=self._ridge)
        points: tuple[Certificate | VoteCertificate, ...] = run.certificates
        radii = [c.radii() for c in points]
        log_errors = [-np.inf if c.log_error is None else c.log_error for c in points]
        return CertifiedPredictions(
            predictions=self.classes_[[c.prediction for c in points]],
            decided=np.array([c.decided for c in points], dtype=np.bool_),
            radius={
                name: np.array([radius[name] for radius in radii], dtype=np.int64)
                for name in run.guarantees
            },
            log_error=np.array(log_errors),
            p_lower=np.array([c.p_lower for c in points]),
            certificates=tuple(
                replace(c, label=label) for c, label in zip(points, labels.tolist(), strict=True)
            ),
            labelled=y is not None,
            findings=tuple(
                finding
                for finding in run.findings()
                # It compares with labels.
                if finding.kind is not findings.NO_BETTER_THAN_CONSTANT or (labels >= 0).all()
            ),
            assumptions=tuple(self._assumptions(run)),
        )

    def certified_score(self, X: ArrayLike, y: ArrayLike, radius: int = 0) -> float:
        """Return the certified accuracy at `radius` flips, as CertifiedPredictions.score does."""
        return self.certify(X, y).score(radius)

    def _checked(self, X: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self)
        rows: NDArray[Any] = validate_data(self, X, dtype="numeric", reset=False)
        return rows

    def _labels(self, rows: NDArray[Any], y: ArrayLike | None) -> Labels:
        """Return labels as places in classes_, NO_LABEL where there is none."""
        if y is None:
            return np.full(len(rows), NO_LABEL, dtype=np.int64)
        given = column_or_1d(y)
        check_consistent_length(rows, given)
        codes = {label: code for code, label in enumerate(self.classes_.tolist())}
        found = np.array([codes.get(label, NO_LABEL) for label in given.tolist()], dtype=np.int64)
        if len(found) and (found == NO_LABEL).all():
            raise InputError("y: none of the labels is one that the classifier was fitted with")
        return found

    def _data(self, rows: NDArray[Any], labels: Labels | None = None) -> LabelledData:
        """Return training set and points; the label of a point that has none is taken to be 0."""
        tests = np.zeros(len(rows), np.int64) if labels is None else np.maximum(labels, 0)
        return LabelledData.check(self._rows, self._codes, rows, tests)

    def _model(self, data: LabelledData, ridge: Number) -> tuple[Ridge, LeastSquares]:
        """Return the ridge and the classifier, as certificates have them."""
        if self._vote == "majority":
            _, _, chosen, model = fit(data, q=self.q_, ridge=ridge, **self._design)
        else:
            _, _, chosen, model = fit_classes(
                data, q=self.q_, vote=self._vote, ridge=ridge, **self._design
            )
        return chosen, model

    def _scores(self, rows: NDArray[Any]) -> tuple[Floats, Floats]:
        """Return the scores (m x K; m x 1: the mean score of two labels) and their errors."""
        data = self._data(rows)
        design = prepare(data.x_train, data.x_test, **self._design).test
        sizes = np.abs(design)
        with np.errstate(over="ignore", invalid="ignore"):
            scores, errors = design @ self._weights, sizes @ self._weight_error
        errors = errors * _UP + _FLUSH
        # Beyond that products may overflow, and what is flushed to zero may be no trifle.
        if not np.abs(self._weights).max() < _MODERATE:
            errors[:] = np.inf
        errors[~(sizes.max(axis=1) < _MODERATE)] = np.inf
        return scores, errors

    def _decided(self, model: LeastSquares, point: SolvedPoint) -> int:
        """Return the class of a point as certificates do."""
        if self._vote == "majority":
            return int(settle(model, point, self.q_).mean_sign >= 0)
        return leading_class(model, point)

    def _assumptions(self, run: LabelFlipRun | MulticlassRun) -> list[dict[str, str]]:
        """Return what the certificates take as fixed; see certify.summary.assumptions.

        The classes are those that occur in y: certificates are about flips from one of them to
        another. A flip to a label beyond them, or of the last label of one, is not covered.
        """
        rows = assumptions(run, "given")
        fewest = int(np.bincount(self._codes).min())
        value = f"the {len(self.classes_)} labels that occur in y, the rarest {fewest} times"
        known = {"what": "classes", "value": value, "label_free": "unknown"}
        return [known if row["what"] == "classes" else row for row in rows]


def certify_pipeline(
    pipeline: Pipeline,
    X_train: Any,
    y_train: ArrayLike,
    X_test: Any,
    y_test: ArrayLike | None = None,
    *,
    permutations: int = 3,
    seed: int = 0,
) -> CertifiedPredictions:
    """Certify a pipeline that ends in a SmoothedRidgeClassifier, and ask what its steps read.

    The certificates cover the last step, on features that must not change when labels are flipped.
    Every other step is fitted again, as a clone, under other labellings, and the features of both
    sets are compared bit for bit: `permutations` random ones (permuted, and a quarter replaced by
    one class; all replaced by others; permuted, and one class taken away), and permutations in
    which the labels follow one column of what the step gets, for up to 8 columns: these a
    supervised choice of columns goes after. A change is the finding `features-read-labels`. No
    change is evidence, not a proof, and says nothing of parameters that were chosen, or of inputs
    that were made, with a look at the labels. A step that does not give the same features twice, or
    that keeps what it learned elsewhere, cannot be checked: it is "declared" in the assumptions,
    unless a fixed random_state shows that it reads labels. The pipeline given is not fitted.

    Raises InputError where the last step is no SmoothedRidgeClassifier, else what the steps raise.
    """
    if not isinstance(pipeline, Pipeline) or not isinstance(
        pipeline.steps[-1][1], SmoothedRidgeClassifier
    ):
        raise InputError("pipeline: a Pipeline whose last step is a SmoothedRidgeClassifier")
    for value, what in ((permutations, "permutations"), (seed, "seed")):
        if as_integer(value, what) < 0:
            raise InputError(f"{what}: must not be negative")
    labels = column_or_1d(y_train)
    others = _other_labels(labels, permutations, np.random.default_rng(seed))
    train, test = X_train, X_test
    found, rows = [], []
    for name, step in pipeline.steps[:-1]:
        if step is None or step == "passthrough":
            continue
        aligned = _aligned_labels(labels, train, np.random.default_rng(seed)) if others else []
        (train, test), state, why = _checked_step(step, labels, (train, test), [*others, *aligned])
        what = f"step {name!r} ({type(step).__name__})"
        rows.append({"what": f"features: {name}", "value": f"{what} {why}", "label_free": state})
        if state == "violated":
            found.append(
                findings.Finding(
                    findings.FEATURES_READ_LABELS,
                    f"{what} {why}: certificates cover the last step only",
                )
            )
    classifier: SmoothedRidgeClassifier = clone(pipeline.steps[-1][1])
    certified = classifier.fit(train, labels).certify(test, y_test)
    known = list(certified.assumptions)
    after = 1 + next(at for at, row in enumerate(known) if row["what"] == "features")
    return replace(
        certified,
        findings=(*found, *certified.findings),
        assumptions=(*known[:after], *rows, *known[after:]),
    )


def _other_labels(
    labels: NDArray[Any], rounds: int, rng: np.random.Generator
) -> list[NDArray[Any]]:
    """Return other labellings, by turns of three kinds.

    Permuted labels, a quarter of them then replaced by one class: which point has which label
    changes, and how many there are of each. Labellings that give every point another label. And
    permuted labels without one of three classes or more.
    """
    classes, codes = np.unique(labels, return_inverse=True)
    found = []
    for at in range(rounds if len(classes) > 1 else 0):
        if at % 3 == 1:
            other = (codes + rng.integers(1, len(classes), len(codes))) % len(classes)
        else:
            other = rng.permutation(codes)
            if at % 3 == 0:
                other[rng.random(len(other)) < 0.25] = at // 3 % len(classes)
            elif len(classes) > 2:
                gone = at // 3 % len(classes)
                other[other == gone] = (gone + 1) % len(classes)
        if (other != codes).any():
            found.append(classes[other])
    return found


def _aligned_labels(
    labels: NDArray[Any],
    features: Any,
    rng: np.random.Generator,
) -> list[NDArray[Any]]:
    """Return permutations of the labels that rise with a column, of up to 8 columns of numbers."""
    try:
        rows = np.asarray(features, dtype=np.float64)
    except (TypeError, ValueError):
        return []
    if rows.ndim != 2 or len(rows) != len(labels):
        return []
    ordered = np.sort(labels)
    chosen = rng.permutation(rows.shape[1])[:_MOST_COLUMNS]
    found = []
    for column in rows[:, chosen].T:
        other = np.empty_like(ordered)
        other[np.argsort(column, kind="stable")] = ordered
        if (other != labels).any():
            found.append(other)
    return found


def _seeded(step: Any) -> Any:
    """Return a clone whose random states are fixed, None if there is nothing to fix."""
    free = {
        name: 0
        for name, value in step.get_params(deep=True).items()
        if name.split("__")[-1] == "random_state" and value is None
    }
    return clone(step).set_params(**free) if free else None


def _checked_step(
    step: Any,
    labels: NDArray[Any],
    sets: tuple[Any, Any],
    others: Sequence[NDArray[Any]],
) -> tuple[tuple[Any, Any], str, str]:
    """Return what a step makes of both sets, whether it reads labels, and why one thinks so."""
    try:
        features = _transformed(clone(step), labels, sets)
    except Exception:  # noqa: BLE001  (a step may raise anything)
        # Fitted beforehand, or no estimator that can be cloned: as it is, where that works.
        features = _transformed(deepcopy(step), labels, sets)
        return features, "declared", "is not checked: a clone of it cannot be fitted"
    if _keeps_state(step):
        return features, "declared", "is not checked: it keeps what it learned elsewhere"
    if not others:
        return features, "declared", "is not checked: no other labelling was tried"
    with warnings.catch_warnings():
        # What a step has to say of its fit, it has said above.
        warnings.simplefilter("ignore")
        try:
            steady, why = _what_labels_change(step, labels, sets, others, _bits(features))
        except Exception:  # noqa: BLE001
            return features, "declared", "is not checked: its features cannot be compared"
    if not steady:
        seeded = _seeded(step)
        if seeded is not None:
            _, state, why = _checked_step(seeded, labels, sets, others)
            if state == "violated":
                return features, state, f"{why} (with its random_state fixed)"
        return features, "declared", "is not checked: the same labels give other features"
    if why:
        return features, "violated", why
    tried = f"{len(others)} other labelling" + ("s" if len(others) > 1 else "")
    return (
        features,
        "checked",
        f"gives the same bits under {tried}, its parameters fixed (evidence, no proof)",
    )


def _what_labels_change(
    step: Any,
    labels: NDArray[Any],
    sets: tuple[Any, Any],
    others: Sequence[NDArray[Any]],
    bits: list[object],
) -> tuple[bool, str]:
    """Return whether a step gives the same bits for the same labels, and what others change."""
    if _refitted(step, labels, sets) != bits:
        return False, ""
    for other in others:
        try:
            changed = _refitted(step, other, sets) != bits
            why = "gives other features under other labels" if changed else ""
        except Exception as error:  # noqa: BLE001
            why = f"raises {type(error).__name__} under other labels"
        if why:
            # Or is it the step that changes its mind?
            return _refitted(step, labels, sets) == bits, why
    return True, ""


def _refitted(step: Any, labels: NDArray[Any], sets: tuple[Any, Any]) -> list[object]:
    return _bits(_transformed(clone(step), labels, sets))


def _transformed(
    step: Any,
    labels: NDArray[Any],
    sets: tuple[Any, Any],
) -> tuple[Any, Any]:
    """Fit and apply a step as Pipeline does; on copies: steps may write into what they get."""
    train, test = deepcopy(sets)
    labels = labels.copy()
    if hasattr(step, "fit_transform"):
        return step.fit_transform(train, labels), step.transform(test)
    return step.fit(train, labels).transform(train), step.transform(test)


def _keeps_state(step: Any) -> bool:
    """Return whether a clone of the step, or of a part of it, is more than its parameters."""
    parts = [step, *step.get_params(deep=True).values()]
    ordinary = BaseEstimator.__sklearn_clone__
    return any(getattr(type(part), "__sklearn_clone__", ordinary) is not ordinary for part in parts)


def _bits(sets: tuple[Any, Any]) -> list[object]:
    """Return what identifies two sets of features: equal where every bit is."""
    found: list[object] = []
    for features in sets:
        found += [type(features), [str(name) for name in getattr(features, "columns", ())]]
        arrays = [features]
        if hasattr(features, "tocsr"):
            rows = features.tocsr()
            found.append(rows.shape)
            arrays = [rows.data, rows.indices, rows.indptr]
        for array in map(np.asarray, arrays):
            if array.dtype.hasobject:
                found.append(hashlib.sha256(repr(array.tolist()).encode()).hexdigest())
            else:
                found.append(digest(array))
    return found
