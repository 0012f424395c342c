"""Constant classifiers: exactly when the positive alphas sum to less than 1/2, never for 1."""

from fractions import Fraction
from itertools import product
from random import Random

import pytest

from certaudit.certify.data import LabelledData
from certaudit.certify.label_flip import certify_label_flip, fit, is_constant
from certaudit.reference.vote import classify, hard_vote, soft_vote
from certaudit.rigorous.tail import log_error_bound

HALF = Fraction(1, 2)


@pytest.mark.parametrize("seed", range(10))
def test_the_criterion_is_exact(seed):
    """All labellings predict 0 iff the positive alphas sum to less than 1/2: ties included."""
    random = Random(seed)
    for _ in range(60):
        n = random.randint(1, 6)
        alpha = [Fraction(random.randint(-6, 3), 8) for _ in range(n)]
        outputs = {classify(alpha, labels) for labels in product((0, 1), repeat=n)}
        positive = sum((a for a in alpha if a > 0), Fraction(0))
        assert (outputs == {0}) == (positive < HALF)
        assert 0 in outputs  # the mirror image: labels of all zeros always give 0


def test_the_vote_may_be_constant_without_the_classifier_being_so():
    """The criterion is about phi; g may keep its winner in other cases, for either class."""
    for alpha, q, winner in (
        ([HALF, HALF], Fraction(3, 10), 1),
        ([Fraction(1, 6)] * 3, Fraction(2, 5), 0),
    ):
        assert {classify(alpha, y) for y in product((0, 1), repeat=len(alpha))} == {0, 1}
        votes = {hard_vote(soft_vote(alpha, y, q)) for y in product((0, 1), repeat=len(alpha))}
        assert votes == {winner}


def one_point(x_test):
    return LabelledData.check([[1.0]], [0], [[x_test]], [0])


@pytest.mark.parametrize(("x_test", "constant"), [(0.5, False), (0.49, True), (0.51, False)])
def test_the_tie_is_decided_in_rationals(x_test, constant):
    """X = (1), ridge 0: alpha = x_test, and 1/2 is a tie: label 1 predicts 1."""
    data = one_point(x_test)
    _, _, _, model = fit(data, q="0.1", ridge="0", scale="none", intercept=False)
    assert is_constant(model, next(model.points([0]))) is constant


def test_the_enclosure_never_decides_a_tie(monkeypatch):
    """With the error bound of alpha blown up, the decision moves to rationals and stays right."""
    for x_test, constant in ((0.5, False), (0.25, True), (0.75, False)):
        data = one_point(x_test)
        _, _, _, model = fit(data, q="0.1", ridge="0", scale="none", intercept=False)
        monkeypatch.setattr(model, "_alpha_error", lambda *_: Fraction(10))
        assert is_constant(model, next(model.points([0]))) is constant


def test_with_an_intercept_no_vote_is_constant():
    """The alphas then sum to 1."""
    random = Random(1)
    rows = [[random.gauss(0, 1)] for _ in range(8)]
    run = certify_label_flip(rows[:6], [0] * 6, rows[6:], [0, 0], q="0.1", ridge="1e9")
    assert not any(c.constant for c in run.certificates)


def test_a_constant_vote_has_no_minimum():
    """Alpha = 1/4, label 0: ln B(t) falls without end as t falls."""
    values = [log_error_bound(-t, [0.25], [], "0.1").upper for t in (10.0, 100.0, 1000.0, 1e5)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < -20_000
