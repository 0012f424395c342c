"""Certificates where floats alone would lose: near-ties, garbage alphas, underflow, exact ties."""

from fractions import Fraction
from random import Random
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest

from certaudit.certify import label_flip
from certaudit.certify.data import LabelledData
from certaudit.certify.label_flip import certify_label_flip, certify_points, fit
from certaudit.certify.least_squares import LeastSquares, integer_columns
from certaudit.certify.search import chernoff_t
from certaudit.exact import Enclosure
from certaudit.noise import LabelFlip
from certaudit.reference import tail as reference
from certaudit.reference.least_squares import exact_alpha, gram
from certaudit.reference.radius import number
from certaudit.rigorous.radius import kl_radius


def one(rows, labels, test, q, **options):
    run = certify_label_flip(rows, labels, [test], [0], q=q, **options)
    return run.certificates[0]


PLAIN = {"scale": "none", "intercept": False}


@pytest.mark.parametrize("tiny", [0.0, -1e-17, -1e-40, -1e-300, 5e-324])
def test_a_tiny_alpha_near_a_tie_loses_nothing(tiny):
    """alpha = (tiny, 0.55/1.1): the infimum is ln q whatever the tiny one is."""
    certificate = one(np.eye(2), [0, 0], [tiny, 0.55], "0.01", ridge="1/10", **PLAIN)
    assert certificate.decided
    assert certificate.log_error < -4.59
    many = one(np.eye(9), [0] * 9, [0.55 / 8] * 8 + [tiny], "0.1", ridge="1/10", **PLAIN)
    assert many.log_error < -18.4
    assert many.kl_radius == 4


def test_alphas_known_to_no_digit_do_not_crash():
    rows, labels = [[1.0, 0.0, 1e-310], [-1.0, 1.0, 0.0]], [0, 0]
    certificate = one(rows, labels, [1.0, 1e-310, 0.0], "0.49", ridge="1e-300", scale="none")
    assert certificate.kl_radius >= 0
    assert np.isfinite(
        chernoff_t(np.array([-1e-320, 0.0]), np.array([0, 0]), Fraction(49, 100), -1)
    )


@pytest.mark.parametrize("n", [1000, 93_315])
def test_the_short_witness_is_good_enough_for_tiny_noise(n):
    """One column of ones: alpha = 1/(n + ridge) each, n equal terms, in closed form."""
    run = certify_label_flip(
        np.ones((n, 1)), np.ones(n, int), [[1.0]], [1], q="1e-10000", ridge="0", **PLAIN
    )
    certificate = run.certificates[0]
    with mpmath.workdps(10_100):
        q = mpmath.mpf(10) ** -10_000
        # n terms q + (1-q) e^-u and n u/2 (t = n u): minimal where the tilted share of 1 is 1/2.
        u = mpmath.log((1 - q) / q)
        best = n * (u / 2 + mpmath.log(2 * q))
        assert best <= certificate.log_error
        assert certificate.log_error <= best + mpmath.mpf("0.02")


@pytest.mark.parametrize("seed", range(8))
def test_near_ties_are_as_tight_as_the_reference(seed):
    """Scores within an ulp or so of 1/2, some alphas tiny: end to end against bisection."""
    random = Random(seed)
    n = random.randint(2, 5)
    test = [random.choice([0.55, 0.275, 1.1, -0.3, 1e-30, -1e-200, 0.1]) for _ in range(n)]
    positive = sum(x for x in test if x > 0)
    test = [x * 0.55 / positive if x > 0 else x for x in test] if positive else [0.55] * n
    labels = [random.randint(0, 1) for _ in range(n)]
    data = LabelledData.check(np.eye(n), labels, [test], [0])
    rate, _, ridge, model = fit(data, q="1/50", ridge="1/10", **PLAIN)
    ((_, _, certificate),) = certify_points(model, data, rate, [0])
    (alpha,) = exact_alpha(np.eye(n).tolist(), [test], ridge.value, intercept=False)
    if certificate.constant:
        return
    with mpmath.workdps(400):
        values = [number(a) for a in alpha]
        sign = 1 if certificate.mean_prediction else -1
        sizes = [mpmath.mpf(2) ** (k / 4) for k in range(-40, 60)]
        best = min(reference.log_chernoff(sign * t, values, labels, rate) for t in sizes)
        assert certificate.log_error <= best + mpmath.mpf("0.02")


def test_products_that_underflow_are_paid_for():
    """x ~ 1e-200 and w ~ 1e-150: the true alpha is 1e-350, the float product 0."""
    rows = np.full((3, 1), 1e-200)
    model = LeastSquares(
        rows, np.array([[1e-150]]), np.array([0, 1, 1]), Fraction(1), intercept=False
    )
    (point,) = model.points([0])
    assert not point.alpha.any()
    (alpha,) = exact_alpha(rows.tolist(), [[1e-150]], Fraction(1), intercept=False)
    assert 0 < sum(alpha) <= point.alpha_error


def test_an_infinite_column_norm_gives_no_error_bound():
    rows = np.full((10, 1), 1.7e308)
    model = LeastSquares(rows, rows[:1], np.array([0, 1] * 5), Fraction(1), intercept=False)
    (point,) = model.points([0])
    assert point.alpha_error is None
    certificate = one(rows, [0, 1] * 5, [1.7e308], "0.1", ridge="1", **PLAIN)
    assert certificate.log_error == 0 or certificate.log_error < 0 < certificate.p_lower


@pytest.mark.parametrize("bits", [60, 61, 62, 63, 64, 65, 66, 70])
def test_integers_on_both_sides_of_64_bits_are_exact(bits):
    rows = np.array([[2.0 ** (bits - 1), 3.0], [1.0, 2.0 ** (bits - 2) * 1.5], [-1.0, 1.0]])
    integers, exponents = integer_columns(rows)
    for i, row in enumerate(rows.tolist()):
        for j, value in enumerate(row):
            assert int(integers[i, j]) * Fraction(2) ** exponents[j] == Fraction(value)
    labels = np.array([0, 1, 1])
    model = LeastSquares(rows, rows[:1], labels, Fraction(0), intercept=False)
    assert [[model._entry(i, j) for j in range(2)] for i in range(2)] == gram(rows.tolist())


@pytest.mark.parametrize(
    ("rows", "labels", "test", "mean", "unsmoothed"),
    [
        # X = I, ridge 0: alpha is the test row. Mean over noise q = 1/4 of (1/2, 1/2), y = (1, 0).
        (np.eye(2), [1, 0], [0.5, 0.5], 1, 1),  # mean exactly 1/2, score exactly 1/2
        (np.eye(2), [1, 0], [0.5, 0.5 - 2**-50], 0, 1),
        (np.eye(2), [1, 0], [0.5 - 2**-50, 0.5], 0, 0),
        (np.eye(2), [1, 1], [0.25, 0.25], 0, 1),  # score exactly 1/2, mean 3/8
        (np.eye(3), [1, 1, 0], [0.75, -0.25, 0.25], 0, 1),
        (3 * np.eye(2), [1, 0], [1.5, 1.5], 1, 1),  # w = 1/6: no dyadic, found by rationals
    ],
)
def test_ties_of_the_mean_and_of_the_score_go_to_1(rows, labels, test, mean, unsmoothed):
    certificate = one(rows, labels, test, "1/4", ridge="0", **PLAIN)
    assert (certificate.mean_prediction, certificate.unsmoothed) == (mean, unsmoothed)


@pytest.mark.parametrize("numerators", [(1, 1, 1), (2, 1), (1, 5), (3,)])
def test_a_constant_vote_is_decided_at_a_tie_with_no_dyadic(numerators):
    """alpha = a/6: the positive ones sum to exactly 1/2, and to 1/2 less a little."""
    n = len(numerators)
    for nudge, constant in ((0.0, sum(numerators) < 3), (-(2.0**-40), sum(numerators) <= 3)):
        test = [float(a) for a in numerators[:-1]] + [numerators[-1] + nudge]
        # X = 3 I, ridge 9: alpha_i = 3 h_i / (9 + 9) = h_i / 6.
        certificate = one(3 * np.eye(n), [0] * n, test, "1/4", ridge="9", **PLAIN)
        assert certificate.constant is constant


@pytest.mark.parametrize("seed", range(30))
def test_what_is_written_is_the_upper_end_rounded_up(seed):
    """Enclosures whose ends are no float64: nearest rounding would claim too much half the time."""
    random = Random(seed)
    data = SimpleNamespace(y_train=range(10**6), y_test=[1])
    for _ in range(20):
        enclosure = Enclosure(-random.getrandbits(90) - 1, -85, random.getrandbits(30), -90)
        bound = label_flip.Bound(1.0, enclosure)
        facts = label_flip.Facts(1, 1, constant=False)
        certificate = label_flip._from_balls(0, data, facts, bound, Fraction(1, 3), ["kl"])
        written = Fraction(certificate.log_error)
        upper = min(enclosure.upper, Fraction(0))
        assert upper <= written <= upper + Fraction(1, 2**40)
        assert upper <= Fraction(repr(certificate.log_error))
        assert certificate.kl_radius == kl_radius(LabelFlip(Fraction(1, 3)), log_error=written)
