"""The scikit-learn estimator: its conventions, its certificates, and what pipelines read."""

# ruff: noqa: N803, N806, ARG002  (the names and arguments are those of scikit-learn)

import pickle
import subprocess
import sys
import warnings
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
import pytest
from support import random_rational_rows

pytest.importorskip("sklearn", reason="scikit-learn is not installed: no estimator is tested")

from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, f_classif
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.utils.estimator_checks import check_estimator

import certaudit
from certaudit import InputError, SmoothedRidgeClassifier, certify_label_flip
from certaudit.certify.multiclass import certify_multiclass
from certaudit.estimator import certify_pipeline

UNAVAILABLE = {"check_array_api_input", "check_classifier_data_not_an_array"}
"""Skipped by scikit-learn where SCIPY_ARRAY_API is not set, and where pandas is not installed."""


def split(load, names=None):
    """Return X_train, y_train, X_test, y_test; every fifth row is a test row, as in the CLI."""
    X, y = load(return_X_y=True)
    y = y if names is None else np.array(names)[y]
    test = np.arange(len(X)) % 5 == 4
    return X[~test], y[~test], X[test], y[test]


@pytest.fixture(scope="module")
def iris():
    return split(load_iris, ["setosa", "versicolor", "virginica"])


@pytest.fixture(scope="module")
def cancer():
    return split(load_breast_cancer, ["malignant", "benign"])


def codes(labels):
    return np.unique(labels, return_inverse=True)[1]


# Not majority without intercept: alpha'y >= 1/2 on centred columns is too poor for some checks.
@pytest.mark.parametrize(
    ("vote", "intercept"),
    [*product(["plurality", "pairwise"], [True, False]), ("majority", True)],
)
def test_check_estimator(vote, intercept):
    estimator = SmoothedRidgeClassifier(vote=vote, intercept=intercept)
    results = check_estimator(estimator, on_skip=None)
    assert {r["check_name"] for r in results if r["status"] != "passed"} <= UNAVAILABLE
    assert {r["status"] for r in results} <= {"passed", "skipped"}
    assert len(results) > 50


@pytest.mark.parametrize("options", [{}, {"ridge": "paper"}, {"ridge": "2", "scale": "none"}])
@pytest.mark.parametrize("vote", ["plurality", "pairwise"])
def test_certificates_are_those_of_certify_multiclass(iris, vote, options):
    X, y, X_test, y_test = iris
    fitted = SmoothedRidgeClassifier(vote=vote, guarantee="all", **options).fit(X, y)
    found = fitted.certify(X_test, y_test)
    run = certify_multiclass(
        X, codes(y), X_test, codes(y_test), q="0.1", vote=vote, guarantee="all", **options
    )
    assert found.certificates == run.certificates
    assert list(found.findings) == run.findings()
    assert fitted.ridge_ == run.ridge.value
    points = run.certificates
    assert found.predictions.tolist() == [fitted.classes_[c.prediction] for c in points]
    assert found.predictions.tolist() == fitted.predict(X_test).tolist()
    assert found.decided.tolist() == [c.decided for c in points]
    assert {name: r.tolist() for name, r in found.radius.items()} == {
        "kl": [c.kl_radius for c in points],
        "tight": [c.tight_radius for c in points],
    }
    assert found.log_error.tolist() == [c.log_error for c in points]
    assert found.p_lower.tolist() == [c.p_lower for c in points]
    for radius in (0, 1, 5, 1000):
        right = run.certified_counts("tight")
        count = right[radius] if radius < len(right) else 0
        assert found.score(radius) == count * 10**6 // len(points) / 10**6
        assert fitted.certified_score(X_test, y_test, radius) == found.score(radius)


@pytest.mark.parametrize("intercept", [True, False])
def test_majority_is_the_two_label_classifier(cancer, intercept):
    X, y, X_test, y_test = cancer
    fitted = SmoothedRidgeClassifier(q="0.2", vote="majority", intercept=intercept).fit(X, y)
    run = certify_label_flip(X, codes(y), X_test, codes(y_test), q="0.2", intercept=intercept)
    found = fitted.certify(X_test, y_test)
    assert found.certificates == run.certificates
    assert found.predictions.tolist() == fitted.predict(X_test).tolist()


def test_exact_radii_of_two_classes(cancer):
    X, y, X_test, y_test = cancer
    fitted = SmoothedRidgeClassifier(vote="majority", guarantee="exact").fit(X, y)
    found = fitted.certify(X_test, y_test)
    run = certify_label_flip(X, codes(y), X_test, codes(y_test), q="0.1", guarantee="exact")
    assert found.certificates == run.certificates
    assert found.radius["exact"].tolist() == [max(c.exact.proved, 0) for c in run.certificates]
    assert found.score(20) == run.certified_counts("exact")[20] * 10**6 // len(y_test) / 10**6
    with pytest.raises(InputError, match="two labels and the majority vote only"):
        SmoothedRidgeClassifier(guarantee="exact").fit(X, y)


def test_two_classes_and_an_intercept_have_one_vote(cancer):
    X, y, X_test, _ = cancer
    majority, plurality = (
        SmoothedRidgeClassifier(vote=vote, guarantee="all").fit(X, y).certify(X_test)
        for vote in ("majority", "plurality")
    )
    for name in ("kl", "tight"):
        assert majority.radius[name].tolist() == plurality.radius[name].tolist()
    assert majority.predictions.tolist() == plurality.predictions.tolist()


def test_constant_votes_have_no_error():
    X, y = np.array([[1.0], [2.0], [3.0], [4.0]]), [0, 1, 0, 1]
    fitted = SmoothedRidgeClassifier(vote="majority", intercept=False, scale="none", ridge="999")
    found = fitted.fit(X, y).certify([[0.25]])
    assert found.certificates[0].constant
    assert (found.log_error[0], found.p_lower[0]) == (-np.inf, 1.0)
    assert found.radius["kl"].tolist() == [4]


def test_digits():
    X, y, X_test, _ = split(load_digits)
    fitted = SmoothedRidgeClassifier(guarantee="tight").fit(X[:500], y[:500])
    found = fitted.certify(X_test[:60])
    assert found.predictions.tolist() == fitted.predict(X_test[:60]).tolist()
    assert (
        fitted.predict(X_test).tolist() == np.argmax(fitted.decision_function(X_test), 1).tolist()
    )
    assert (found.radius["tight"] >= found.radius["kl"]).all()
    assert found.decided.any()


@pytest.mark.parametrize("vote", ["plurality", "pairwise", "majority"])
def test_ties_are_decided_as_certificates_decide_them(vote, monkeypatch):
    random, asked = Random(7), []
    decided = SmoothedRidgeClassifier._decided
    monkeypatch.setattr(
        SmoothedRidgeClassifier,
        "_decided",
        lambda self, model, point: asked.append(point) or decided(self, model, point),
    )
    for _ in range(40):
        classes = 2 if vote == "majority" else random.choice([2, 3, 4])
        n, k = random.choice([8, 12]), random.choice([1, 2])
        X, tests = random_rational_rows(random, n, k), random_rational_rows(random, 9, k)
        # Zeros, midpoints and repeated rows: ties are likely.
        tests[0] = 0
        X[n // 2 :] = -X[: n // 2] if random.random() < 0.5 else X[: n // 2]
        fitted = SmoothedRidgeClassifier(
            q=random.choice(["0.1", "1/3"]),
            vote=vote,
            ridge=random.choice(["1", "1/4"]),
            scale=random.choice(["none", "standard"]),
            intercept=random.random() < 0.7,
            engine=random.choice(["fast", "rigorous"]),
        ).fit(X, [i % classes for i in range(n)])
        found = fitted.certify(tests)
        assert fitted.predict(tests).tolist() == found.predictions.tolist()
    assert asked


def test_a_tie_goes_to_the_higher_class():
    fitted = SmoothedRidgeClassifier(ridge="1", scale="none").fit([[-1.0], [1.0]], ["a", "b"])
    assert fitted.predict([[0.0], [-1e-300], [1e-300]]).tolist() == ["b", "a", "b"]
    assert fitted.certify([[0.0], [-1e-300], [1e-300]]).predictions.tolist() == ["b", "a", "b"]


@pytest.mark.parametrize("vote", ["plurality", "majority"])
def test_beside_a_tie_floats_may_err_and_predictions_do_not(cancer, vote):
    X, y, _, _ = cancer
    fitted = SmoothedRidgeClassifier(vote=vote).fit(X[:, :8], y)
    floats_err, rng = 0, np.random.default_rng(1)
    # Far away, where large terms cancel.
    far = rng.normal(size=(40, 8)) * 1000 * X[:, :8].std(axis=0)
    first, second = (far[fitted.predict(far) == c] for c in fitted.classes_)
    for start, end in zip(first[:6], second[:6], strict=True):
        # Where the prediction changes between the two, to the last bits.
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            at_start = fitted.predict([start + middle * (end - start)])[0] == fitted.classes_[0]
            low, high = (middle, high) if at_start else (low, middle)
        points = start + low * (end - start)
        points = points * (1 + rng.integers(-1, 2, (80, 8)) * 2.0**-52)
        exact, scores = fitted.certify(points).predictions, fitted.decision_function(points)
        assert fitted.predict(points).tolist() == exact.tolist()
        named = fitted.classes_[(scores >= 0).astype(int)]
        floats_err += ((named != exact) & (scores != 0)).sum()
    assert floats_err


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # scikit-learn sums them up
def test_numbers_that_overflow(iris):
    X, y, _, _ = iris
    fitted = SmoothedRidgeClassifier(ridge="1/1000", scale="none").fit(X, y)
    points = 1.7e308 * np.array(list(product([-1.0, 1.0], repeat=4)))
    assert fitted.predict(points).tolist() == fitted.certify(points).predictions.tolist()


def test_numbers_beyond_what_floats_multiply():
    X = np.array([[-1.0], [1.0], [3.0]]) * 1e300
    fitted = SmoothedRidgeClassifier(ridge="1", scale="none").fit(X, [0, 1, 1])
    assert fitted.predict(X).tolist() == fitted.certify(X).predictions.tolist() == [0, 1, 1]


def test_decision_function_of_two_classes_is_one_number(cancer):
    X, y, X_test, _ = cancer
    for vote in ("plurality", "majority"):
        fitted = SmoothedRidgeClassifier(vote=vote).fit(X, y)
        scores = fitted.decision_function(X_test)
        assert scores.shape == (len(X_test),)
        assert (fitted.classes_[(scores >= 0).astype(int)] == fitted.predict(X_test)).all()


def test_mean_scores_sum_to_one(iris):
    X, y, X_test, _ = iris
    scores = SmoothedRidgeClassifier(q="1/2").fit(X, y).decision_function(X_test)
    assert scores.shape == (len(X_test), 3)
    # The alphas sum to 1, and so do their parts.
    np.testing.assert_allclose(scores.sum(axis=1), 1)


def test_without_labels(iris):
    X, y, X_test, y_test = iris
    fitted = SmoothedRidgeClassifier().fit(X, y)
    found, labelled = fitted.certify(X_test), fitted.certify(X_test, y_test)
    assert {c.label for c in found.certificates} == {-1}
    assert [replace(c, label=-1) for c in labelled.certificates] == list(found.certificates)
    assert not found.findings
    with pytest.raises(InputError, match="needs the labels"):
        found.score()
    for radius in (-1, 0.5):
        with pytest.raises(InputError, match="radius"):
            labelled.score(radius)


def test_labels_that_no_training_point_has_are_wrong(iris):
    X, y, X_test, y_test = iris
    fitted = SmoothedRidgeClassifier().fit(X, y)
    other = y_test.astype("U20")
    other[::2] = "another flower"
    found = fitted.certify(X_test, other)
    assert {c.label for c in found.certificates[::2]} == {-1}
    assert found.score() <= 0.5
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fitted.certify(X_test, y_test[1:])


def test_findings_without_labels_keep_what_needs_none(iris):
    X, y, X_test, y_test = iris
    hopeless = SmoothedRidgeClassifier(q="0.66").fit(X, y)
    assert [f.kind.name for f in hopeless.certify(X_test).findings] == ["nothing-decided"]
    poor = SmoothedRidgeClassifier(ridge="paper").fit(X[:, :1] * 0 + X[:, 1:2], y)
    assert "ridge-reads-labels" in [f.kind.name for f in poor.certify(X_test[:, 1:2]).findings]
    (row,) = (row for row in poor.certify(X_test[:, 1:2]).assumptions if row["what"] == "ridge")
    assert row["label_free"] == "violated"
    same = SmoothedRidgeClassifier().fit(X, y).certify(X_test[:10], y_test[:10])
    assert [f.kind.name for f in same.findings] == ["no-better-than-constant"]


def test_classes_are_those_of_y_and_a_flip_may_add_one():
    """One flip, to a label that no point has, against a certified radius: said to be unknown."""
    X, y = -np.ones((60, 1)), np.array(["a"] * 42 + ["b"] * 18)
    plain = SmoothedRidgeClassifier(q="0.05", guarantee="all", scale="none", intercept=False)
    found = plain.fit(X, y).certify([[1.0]])
    assert (found.predictions[0], found.radius["kl"][0]) == ("b", 2)
    (row,) = (row for row in found.assumptions if row["what"] == "classes")
    assert row["label_free"] == "unknown"
    y[0] = "c"
    assert plain.fit(X, y).certify([[1.0]]).predictions[0] == "c"


def near_tie(seed):
    """Two columns that say the same of the labels, but for noise."""
    y = np.arange(60) % 2
    X = (2 * y - 1)[:, None] + np.random.default_rng(seed).normal(size=(60, 2))
    return X, y


@pytest.mark.parametrize("seed", range(12))
def test_a_choice_between_two_columns_is_seen_to_read_labels(seed):
    X, y = near_tie(seed)
    for selector in (SelectKBest(f_classif, k=1), Shaky(k=1)):
        pipeline = make_pipeline(selector, SmoothedRidgeClassifier())
        found = certify_pipeline(pipeline, X, y, [[1.5, -1.5]])
        assert found.findings[0].kind.name == "features-read-labels"


class Shaky(SelectKBest):
    """A supervised choice of columns that adds random noise, unless its random state is fixed."""

    def __init__(self, k=1, random_state=None):
        super().__init__(f_classif, k=k)
        self.random_state = random_state

    def transform(self, X):
        chosen = super().transform(X)
        return chosen + np.random.default_rng(self.random_state).normal(size=chosen.shape)


def test_a_step_that_counts_classes_is_seen():
    class Counts(FunctionTransformer):
        def fit(self, X, y=None):
            self.factor = len(np.unique(y))
            return super().fit(X, y)

        def transform(self, X):
            return X * self.factor

    X = np.random.default_rng(0).normal(size=(60, 2))
    pipeline = make_pipeline(Counts(), SmoothedRidgeClassifier())
    found = certify_pipeline(pipeline, X, np.arange(60) % 3, X[:2])
    assert [f.kind.name for f in found.findings][:1] == ["features-read-labels"]


def test_labels_of_another_kind_are_refused():
    X = np.arange(20.0)[:, None]
    fitted = SmoothedRidgeClassifier(ridge="1").fit(X, np.arange(20) % 2)
    with pytest.raises(InputError, match="none of the labels"):
        fitted.certify(X, ["0", "1"] * 10)
    with pytest.raises(InputError, match="intercept: "):
        SmoothedRidgeClassifier(intercept="no").fit(X, np.arange(20) % 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"q": 0.1}, "q"),
        ({"q": "0.7"}, "q"),
        ({"ridge": "-1"}, "ridge"),
        ({"vote": "loud"}, "vote"),
        ({"vote": "majority"}, "Only binary classification"),
        ({"scale": "huge"}, "scale"),
        ({"guarantee": "none"}, "guarantee"),
        ({"engine": "warp"}, "engine"),
        ({"jobs": 0}, "jobs"),
    ],
)
def test_parameters_are_checked_in_fit(iris, options, message):
    estimator = SmoothedRidgeClassifier(**options)
    with pytest.raises(InputError, match=message):
        estimator.fit(*iris[:2])


def test_bad_data(iris):
    X, y, X_test, _ = iris
    estimator = SmoothedRidgeClassifier()
    with pytest.raises(InputError, match="one class only"):
        estimator.fit(X, ["same"] * len(X))
    with pytest.raises(TypeError, match="dense data is required"):
        estimator.fit(csr_array(X), y)
    with pytest.raises(InputError, match="not exactly representable"):
        estimator.fit(np.array([[2**53 + 1], [0]]), [0, 1])
    with pytest.raises(TypeError, match="sample_weight"):
        estimator.fit(X, y, sample_weight=np.ones(len(X)))
    with pytest.raises(ValueError, match="continuous"):
        estimator.fit(X, X[:, 0])
    for method in ("predict", "decision_function", "certify"):
        with pytest.raises(NotFittedError):
            getattr(clone(estimator), method)(X_test)
    estimator.fit(X, y)
    for method in ("predict", "decision_function", "certify"):
        with pytest.raises(TypeError, match="dense data is required"):
            getattr(estimator, method)(csr_array(X_test))
        with pytest.raises(ValueError, match="2 features"):
            getattr(estimator, method)(X_test[:, :2])


def test_what_is_set_or_written_later_changes_nothing(iris):
    X, y, X_test, _ = (np.array(part) for part in iris)
    fitted = SmoothedRidgeClassifier(q=Fraction(1, 5)).fit(X, y)
    before, scores = fitted.certify(X_test), fitted.decision_function(X_test)
    X[:], y[:] = 0, "setosa"
    fitted.set_params(q="0.4", ridge="7", scale="none", intercept=False, vote="majority")
    assert fitted.certify(X_test).certificates == before.certificates
    assert (fitted.decision_function(X_test) == scores).all()
    assert fitted.q_ == Fraction(1, 5)


def test_pickled_copied_and_cloned(iris):
    X, y, X_test, _ = iris
    fitted = SmoothedRidgeClassifier(ridge="2").fit(X, y)
    proven = fitted.certify(X_test).certificates
    for other in (pickle.loads(pickle.dumps(fitted)), deepcopy(fitted)):  # noqa: S301  (ours)
        assert other.certify(X_test).certificates == proven
        assert (other.predict(X_test) == fitted.predict(X_test)).all()
    assert clone(fitted).get_params() == fitted.get_params()
    assert not hasattr(clone(fitted), "classes_")


def test_model_selection(iris):
    X, y, _, _ = iris
    assert cross_val_score(SmoothedRidgeClassifier(), X, y, cv=4).mean() > 0.7
    search = GridSearchCV(SmoothedRidgeClassifier(), {"ridge": ["1", "100"]}, cv=3).fit(X, y)
    assert search.best_params_["ridge"] in {"1", "100"}


def test_column_names(iris):
    pyarrow = pytest.importorskip("pyarrow")
    X, y, X_test, _ = iris
    table = pyarrow.table({name: X[:, at] for at, name in enumerate("abcd")})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not every version of scikit-learn reads such tables
        fitted = SmoothedRidgeClassifier().fit(table, y)
    if not hasattr(fitted, "feature_names_in_"):
        pytest.skip("this scikit-learn reads no names from a pyarrow table")
    assert fitted.feature_names_in_.tolist() == list("abcd")
    with pytest.warns(UserWarning, match="feature names"):
        found = fitted.predict(X_test)
    assert (found == SmoothedRidgeClassifier().fit(X, y).predict(X_test)).all()


def test_float32_is_taken_as_it_is(iris):
    X, y, X_test, _ = iris
    narrow, tests = X.astype(np.float32), X_test.astype(np.float32)
    run = SmoothedRidgeClassifier().fit(narrow, y).certify(tests)
    wide = SmoothedRidgeClassifier().fit(narrow.astype(np.float64), y)
    assert run.certificates == wide.certify(tests.astype(np.float64)).certificates


# Pipelines


class Counting(TransformerMixin, BaseEstimator):
    """Reads how many labels of each class there are, and not which point has which."""

    def fit(self, X, y):
        self.shift_ = np.unique(y, return_counts=True)[1].max()
        return self

    def transform(self, X):
        return np.hstack([X, np.full((len(X), 1), 1.0) * self.shift_, X**2])


class Scribbling(TransformerMixin, BaseEstimator):
    """Writes into the labels it gets."""

    def fit(self, X, y):
        y[:] = y[0]
        return self

    def transform(self, X):
        return X


class Particular(TransformerMixin, BaseEstimator):
    """Works for one labelling only."""

    def __init__(self, labels):
        self.labels = labels

    def fit(self, X, y):
        if (y != self.labels).any():
            raise RuntimeError("not these")
        return self

    def transform(self, X):
        return X


class Noisy(TransformerMixin, BaseEstimator):
    """Gives the same twice, then something else, whatever the labels."""

    answers = iter(range(100))

    def fit(self, X, y):
        self.answer_ = next(self.answers) in (0, 1)
        return self

    def transform(self, X):
        return X + self.answer_


class NotCloneable:
    """Has no parameters to clone it by."""

    def fit(self, X, y):
        return self

    def transform(self, X):
        return X


class Ragged(TransformerMixin, BaseEstimator):
    def fit(self, X, y):
        return self

    def transform(self, X):
        return [list(range(len(row))) + [0] * (at % 2) for at, row in enumerate(X)]


class Flat(TransformerMixin, BaseEstimator):
    def fit(self, X, y):
        return self

    def transform(self, X):
        return np.array([[float(sum(row)), float(len(row))] for row in X])


def logistic():
    return LogisticRegression(max_iter=10_000)


def mixed():
    return ColumnTransformer(
        [("pca", PCA(2), [0, 1, 2]), ("best", SelectKBest(f_classif, k=2), [3, 4, 5])]
    )


def prefit(X, y):
    return SelectFromModel(logistic().fit(X / X.max(0), y), prefit=True)


CHECKED = {
    "scaler": lambda _X, _y: StandardScaler(),
    "writes into what it gets": lambda _X, _y: StandardScaler(copy=False),
    "pca": lambda _X, _y: PCA(5),
    "seeded": lambda _X, _y: PCA(5, svd_solver="randomized", random_state=np.random.RandomState(0)),
    "bins": lambda _X, _y: KBinsDiscretizer(4, encode="onehot-dense", random_state=0),
    "function": lambda _X, _y: FunctionTransformer(np.arcsinh),
    "pipeline": lambda _X, _y: make_pipeline(StandardScaler(), "passthrough", PCA(3)),
}
VIOLATED = {
    "selector": lambda _X, _y: SelectKBest(f_classif, k=5),
    "discriminant": lambda _X, _y: LinearDiscriminantAnalysis(),
    "target encoder": lambda _X, _y: TargetEncoder(random_state=0),
    "part of it": lambda _X, _y: mixed(),
    "pipeline": lambda _X, _y: make_pipeline(StandardScaler(), SelectFromModel(logistic())),
    "counts": lambda _X, _y: Counting(),
    "raises": lambda _X, y: Particular(y),
}
DECLARED = {
    "no seed": lambda _X, _y: PCA(5, svd_solver="randomized", iterated_power=0),
    "changes its mind": lambda _X, _y: Noisy(),
    "no clone": lambda _X, _y: NotCloneable(),
    "frozen": lambda X, y: FrozenEstimator(SelectKBest(k=5).fit(X, y)),
    "frozen part": lambda X, _y: FeatureUnion(
        [("a", PCA(2)), ("b", FrozenEstimator(PCA(2).fit(X)))]
    ),
    "prefit": prefit,
}
STEPS = [
    pytest.param(state, make, id=f"{state}: {name}")
    for state, steps in (("checked", CHECKED), ("violated", VIOLATED), ("declared", DECLARED))
    for name, make in steps.items()
]


def certified_pipeline(data, *before, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the binning, and the like
        return certify_pipeline(make_pipeline(*before, SmoothedRidgeClassifier()), *data, **options)


def of_features(found):
    return [row["label_free"] for row in found.assumptions if row["what"].startswith("features")]


@pytest.mark.parametrize(("state", "make"), STEPS)
def test_what_steps_read(cancer, state, make):
    step = make(*cancer[:2])
    found = certified_pipeline(cancer, step)
    assert of_features(found) == ["unknown", state]
    codes = [finding.kind.code for finding in found.findings]
    assert codes.count("CA205") == (state == "violated")
    assert type(step).__name__ in str(found.assumptions)
    assert "proof" in str(found.assumptions) or state != "checked"


def test_each_step_is_judged_by_itself(cancer):
    found = certified_pipeline(cancer, StandardScaler(), None, SelectKBest(k=9), PCA(3))
    assert of_features(found) == ["unknown", "checked", "violated", "checked"]
    (finding,) = (f for f in found.findings if f.kind.name == "features-read-labels")
    assert "'selectkbest' (SelectKBest)" in finding.message
    assert [row["what"] for row in found.assumptions][:5] == [
        *("features", "features: standardscaler", "features: selectkbest", "features: pca"),
        "scaling",
    ]


def test_features_that_cannot_be_compared_are_declared(cancer):
    assert of_features(certified_pipeline(cancer, Ragged(), Flat()))[1] == "declared"


def test_texts():
    # CountVectorizer gives a sparse matrix.
    texts = ["good fine", "fine nice good", "bad", "bad awful", "nice", "awful worse"] * 4
    y = [1, 1, 0, 0, 1, 0] * 4
    dense = FunctionTransformer(lambda rows: rows.toarray(), accept_sparse=True)
    found = certified_pipeline((texts, y, ["good", "awful"]), CountVectorizer(), dense)
    assert of_features(found) == ["unknown", "checked", "checked"]


def test_a_pipeline_gives_what_its_last_step_gives(cancer):
    X, y, X_test, y_test = cancer
    pipeline = make_pipeline(StandardScaler(), PCA(4), SmoothedRidgeClassifier())
    found = certify_pipeline(pipeline, *cancer)
    with pytest.raises(NotFittedError):
        pipeline[-1].predict(X_test[:, :4])
    pipeline.fit(X, y)
    by_hand = pipeline[-1].certify(pipeline[:-1].transform(X_test), y_test)
    assert by_hand.certificates == found.certificates
    assert of_features(by_hand) == ["unknown"]
    assert pipeline.predict(X_test).tolist() == found.predictions.tolist()
    unlabelled = certify_pipeline(pipeline, X, y, X_test)
    assert {c.label for c in unlabelled.certificates} == {-1}
    # Fitted or not, given as it is or again: the same.
    assert certify_pipeline(pipeline, *cancer, seed=5).certificates == found.certificates


def test_steps_do_not_write_into_the_data(cancer):
    X, y = cancer[0].copy(), cancer[1].copy()
    certified_pipeline((X, y, *cancer[2:]), StandardScaler(copy=False), Scribbling())
    assert np.array_equal(X, cancer[0])
    assert np.array_equal(y, cancer[1])


@pytest.mark.parametrize("n", [2, 3, 5])
def test_few_points(n):
    X, y = np.arange(2.0 * n).reshape(n, 2), [i % 2 for i in range(n)]
    found = certified_pipeline((X, y, X), StandardScaler())
    assert of_features(found) == ["unknown", "checked"]
    with pytest.raises(InputError, match="one class only"):
        certified_pipeline((X, [0] * n, X), StandardScaler())


def test_other_labellings_change_labels(cancer, monkeypatch):
    seen = []
    fit = StandardScaler.fit
    monkeypatch.setattr(
        StandardScaler, "fit", lambda self, X, y=None: seen.append(y) or fit(self, X, y)
    )
    y = cancer[1]
    certified_pipeline(cancer, StandardScaler(), permutations=4)
    same = [labels for labels in seen if (labels == y).all()]
    # Two fits with the labels as they are, four others, eight that follow a column.
    assert (len(same), len(seen)) == (2, 14)
    counts = [tuple(np.unique(labels, return_counts=True)[1]) for labels in seen]
    assert len(set(counts)) > 3
    assert [(labels != y).all() for labels in seen[2:6]] == [False, True, False, False]
    for labels in seen[6:]:
        assert sorted(labels) == sorted(y)
        ordered = [labels[np.argsort(x, kind="stable")] for x in cancer[0].T]
        rises = [(found[1:] >= found[:-1]).all() for found in ordered]
        assert any(rises)


def test_nothing_tried_is_nothing_checked(cancer):
    found = certified_pipeline(cancer, StandardScaler(), permutations=0)
    assert of_features(found) == ["unknown", "declared"]


def test_pipelines_that_are_none(cancer):
    with pytest.raises(InputError, match="last step"):
        certify_pipeline(SmoothedRidgeClassifier(), *cancer)
    with pytest.raises(InputError, match="last step"):
        certify_pipeline(Pipeline([("scale", StandardScaler())]), *cancer)
    with pytest.raises(InputError, match="permutations"):
        certified_pipeline(cancer, StandardScaler(), permutations=-1)
    with pytest.raises(InputError, match="seed"):
        certified_pipeline(cancer, StandardScaler(), seed=-1)


# Loaded when it is used, and only then


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8"
    ).stdout


def test_certaudit_alone_loads_no_sklearn():
    assert python("import sys, certaudit; print('sklearn' in sys.modules)") == "False\n"
    assert certaudit.SmoothedRidgeClassifier is SmoothedRidgeClassifier


def test_without_sklearn():
    told = python(
        "import sys; sys.modules['sklearn'] = None\n"
        "from certaudit import *\n"
        "import certaudit\n"
        "for error in (ImportError, certaudit.InputError):\n"
        "    try:\n"
        "        certaudit.SmoothedRidgeClassifier\n"
        "    except error as told:\n"
        "        print(told)\n"
    ).splitlines()
    assert len(told) == 2
    assert all(line.endswith("pip install 'certaudit[sklearn]'") for line in told)
