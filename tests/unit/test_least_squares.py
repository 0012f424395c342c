"""The classifier over the reals: exact moments, enclosed alphas, awkward data."""

import tracemalloc
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from support import random_rational_rows

from certaudit.certify import least_squares
from certaudit.certify.label_flip import certify_label_flip
from certaudit.certify.least_squares import LeastSquares, integer_columns
from certaudit.errors import InputError
from certaudit.reference.least_squares import exact_alpha, gram, solve
from certaudit.rigorous.balls import from_ball

finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=200)
@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 3)), elements=finite))
def test_every_float_becomes_an_integer_times_a_power_of_two(rows):
    integers, exponents = integer_columns(rows)
    for i, row in enumerate(rows.tolist()):
        for j, value in enumerate(row):
            assert int(integers[i, j]) * Fraction(2) ** exponents[j] == Fraction(value)


def instance(seed, n, k, m, wild):
    random = np.random.default_rng(seed)
    train, test = random.normal(size=(n, k)), random.normal(size=(m, k))
    if wild:
        scales = 10.0 ** random.integers(-8, 9, size=k)
        train, test = train * scales, test * scales
    return train, test, random.integers(0, 2, n)


@pytest.mark.parametrize("wild", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(
    "ridge", [Fraction(0), Fraction(1, 3), Fraction(10**9), Fraction(1, 10**60)]
)
def test_alpha_lies_within_its_bound_of_the_exact_one(ridge, intercept, wild):
    train, test, labels = instance(7, 24, 4, 3, wild)
    if intercept:
        train, test = (np.hstack([x, np.ones((len(x), 1))]) for x in (train, test))
    model = LeastSquares(train, test, labels, ridge, intercept=intercept)
    exact = exact_alpha(train.tolist(), test.tolist(), ridge, intercept=intercept)
    for point, alpha in zip(model.points(range(3)), exact, strict=True):
        off = sum(abs(Fraction(a) - b) for a, b in zip(point.alpha.tolist(), alpha, strict=True))
        assert off <= point.alpha_error
        assert point.alpha_error <= Fraction(1, 10**6) * max(map(abs, alpha))
        score = sum(a for a, y in zip(alpha, labels, strict=True) if y)
        assert point.label_score.lower <= score <= point.label_score.upper
        assert point.alpha_sum.lower <= sum(alpha) <= point.alpha_sum.upper
        assert model.exact_alpha(point.index) == alpha
        assert model.exact_scores(point.index) == [sum(alpha) - score, score]
        if intercept:
            assert sum(alpha) == 1
        for ball, value in zip(model.alpha_balls(point.index, 200), alpha, strict=True):
            enclosure = from_ball(ball)
            assert enclosure.lower <= value <= enclosure.upper
            assert enclosure.rad <= Fraction(1, 2**120) * max(map(abs, alpha))


def test_moments_are_exact_across_blocks(monkeypatch):
    """Blocks with different exponents are brought to common ones."""
    monkeypatch.setattr("certaudit.certify.least_squares._BLOCK_ENTRIES", 6)
    rows = np.array([[1.0, 2.0**-40], [3.0, 0.5], [2.0**30, 2.0**-60], [0.0, 0.0], [5e-324, 1e200]])
    labels = np.array([1, 0, 1, 1, 0])
    model = LeastSquares(rows, rows[:1], labels, Fraction(1, 7), intercept=False)
    table = gram([[*row, y, 1] for row, y in zip(rows.tolist(), labels.tolist(), strict=True)])
    for i in range(2):
        table[i][i] += Fraction(1, 7)
    for i in range(2):
        assert [model._entry(i, j) for j in range(2)] == table[i][:2]
        sums = [model._class_sum(i, c) for c in range(2)]
        assert [sums[1], sum(sums)] == table[i][2:]


def same_gram(rows):
    """Return whether X'X and the sums of rows by class are those of rationals."""
    classes = np.arange(len(rows)) % 3
    targets = (classes[:, None] == np.arange(3)).astype(float)
    entries, sums, exponents = least_squares._gram(rows, targets)
    exact = gram(rows.tolist())
    size = range(rows.shape[1])
    return all(
        int(entries[i, j]) * Fraction(2) ** (exponents[i] + exponents[j]) == exact[i][j]
        for i in size
        for j in size
    ) and all(
        int(sums[i, c]) * Fraction(2) ** exponents[i]
        == sum(map(Fraction, rows[classes == c, i].tolist()))
        for i in size
        for c in range(3)
    )


def awkward_rows(random):
    shape = int(random.integers(1, 30)), int(random.integers(1, 5))
    rows = random.normal(size=shape) * 10.0 ** random.integers(-30, 30, (1, shape[1]))
    rows *= 10.0 ** (random.integers(-6, 7, shape) * int(random.integers(0, 4)))
    rows[random.random(shape) < 0.2] = 0.0
    kind = int(random.integers(0, 6))
    if kind == 1:
        rows = np.round(rows)
    elif kind == 2:
        rows[:, 0] = -0.0
    elif kind == 3:
        rows = -np.abs(rows)
    elif kind == 4:
        rows[0] = 5e-324
    return rows


def test_gram_from_limbs_is_exact(monkeypatch):
    """Columns of any range, with and without limbs: as in rationals."""
    monkeypatch.setattr(least_squares, "_EXACT_ROWS", 7)
    random, by_limbs = np.random.default_rng(3), 0
    for _ in range(300):
        rows = awkward_rows(random)
        limbs = least_squares._limbs(rows)
        assert same_gram(rows)
        if limbs is not None:
            by_limbs += 1
            assert all((np.abs(part) <= 2**21).all() for part in limbs[0])
    assert 100 < by_limbs < 300


def test_more_rows_than_a_sum_of_limbs_holds_are_caught(monkeypatch):
    """Limbs near 2^21 in size: 2^11 products fill 53 bits, 2^12 do not fit."""
    random = np.random.default_rng(0)
    wrong = []
    for rows_at_once in (1 << 11, 1 << 12):
        monkeypatch.setattr(least_squares, "_EXACT_ROWS", rows_at_once)
        rows = np.ldexp(2.0**53 - 1 - random.integers(0, 2**36, (4096, 6)), -53)
        entries, _, exponents = least_squares._gram(rows, np.ones((len(rows), 1)))
        exact = [sum(int(v * 2**53) ** 2 for v in column) for column in rows.T.tolist()]
        found = [int(entries[j, j]) * Fraction(4) ** (53 + exponents[j]) for j in range(6)]
        wrong.append(found != exact)
    assert wrong == [False, True]


def test_a_process_that_flushes_subnormals_is_refused(monkeypatch):
    assert least_squares._keeps_subnormals()
    monkeypatch.setattr(least_squares, "_keeps_subnormals", lambda: False)
    rows = np.array([[1.0], [2.0]])
    with pytest.raises(InputError, match="flushes subnormal numbers"):
        LeastSquares(rows, rows, np.array([0, 1]), Fraction(1), intercept=False)


def test_a_limb_too_wide_and_a_floor_are_caught(monkeypatch):
    """Limbs of 25 bits overflow 2^53 in a sum; the rest after a floor of -2^-80 is rounded."""
    random = np.random.default_rng(4)
    rows = random.normal(size=(2048, 2)) * 10.0 ** random.integers(-9, 1, (2048, 1))
    assert same_gram(rows)
    with monkeypatch.context() as patch:
        patch.setattr(least_squares, "_LIMB", 25)
        assert not same_gram(rows)
    with monkeypatch.context() as patch:
        patch.setattr(least_squares.np, "trunc", np.floor)
        assert not same_gram(rows)


@pytest.mark.parametrize("seed", range(20))
def test_rank_deficiency_is_decided_exactly_at_ridge_0(seed):
    random = Random(seed)
    rows = random_rational_rows(random, 6, 3)
    labels = np.array([0, 1, 0, 1, 1, 0])
    try:
        solve(gram(rows.tolist()), [[Fraction(1)]] * 3)
        deficient = False
    except ZeroDivisionError:
        deficient = True
    nearly = rows.copy()
    nearly[:, 2] = nearly[:, 0] * 3
    with pytest.raises(InputError, match="ridge 0"):
        LeastSquares(nearly, rows[:1], labels, Fraction(0), intercept=False)
    nearly[0, 2] += 2.0**-50
    if np.any(rows[1:, 0]):
        LeastSquares(nearly[:, [0, 2]], rows[:1, :2], labels, Fraction(0), intercept=False)
    if deficient:
        with pytest.raises(InputError):
            LeastSquares(rows, rows[:1], labels, Fraction(0), intercept=False)
    else:
        LeastSquares(rows, rows[:1], labels, Fraction(0), intercept=False)


def awkward(n=60):
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, n)
    plain = random.normal(size=(n + 6, 5)) + 0.8 * np.append(labels, [0, 1] * 3)[:, None]
    columns = [
        plain * [1e4, 1e-8, 1, 1e8, 1e-3],
        plain[:, :1] * 1e4,  # a duplicate column
        np.full((n + 6, 1), 3.0),  # a constant one
        plain[:, :1] * 1e4 + 1e-9 * random.normal(size=(n + 6, 1)),  # nearly a duplicate
    ]
    rows = np.hstack(columns)
    return rows[:n], labels, rows[n:], np.array([0, 1] * 3)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": "none"},
        {"scale": "none", "intercept": False},
        {"scale": "none", "ridge": "1e-20"},
        {"scale": "none", "ridge": "1e-200", "intercept": False},
        {"scale": "none", "ridge": "1e300"},
        {"ridge": "paper"},
        {"ridge": "1e9999", "intercept": False},
    ],
    ids=str,
)
def test_awkward_columns_are_certified(options):
    """Ill-conditioned, rank-deficient, unscaled: the bound still meets the reference's."""
    from certaudit.certify.data import LabelledData
    from certaudit.crosscheck import crosscheck

    data = LabelledData.check(*awkward())
    for comparison in crosscheck(data, range(3), q="0.1", **options):
        assert comparison.contradictions == ()
        if not comparison.certificate.constant:
            assert comparison.width < 1e-6
            assert comparison.gap < 1e-3


def test_standardising_undoes_units():
    """Columns in other units (powers of two) give the same scaled arrays, hence certificates."""
    rows, labels, tests, targets = awkward()
    plain = certify_label_flip(rows, labels, tests, targets, q="0.1")
    scaled = certify_label_flip(rows * 1024.0, labels, tests * 1024.0, targets, q="0.1")
    assert plain.certificates == scaled.certificates
    assert plain.features.scale.dropped == (6,)


def test_row_order_does_not_matter():
    rows, labels, tests, targets = awkward()
    order = np.random.default_rng(0).permutation(len(rows))
    one = certify_label_flip(rows, labels, tests, targets, q="0.1", scale="none", ridge="1e6")
    two = certify_label_flip(
        rows[order], labels[order], tests, targets, q="0.1", scale="none", ridge="1e6"
    )
    for a, b in zip(one.certificates, two.certificates, strict=True):
        assert (a.prediction, a.decided, a.kl_radius) == (b.prediction, b.decided, b.kl_radius)
        assert a.log_error == pytest.approx(b.log_error, rel=1e-9)


def test_memory_stays_far_below_n_by_m():
    """4,000 x 4,000 floats are 128 MB; the run allocates a small part of that."""
    random = np.random.default_rng(0)
    train, test = random.normal(size=(4000, 3)), random.normal(size=(4000, 3))
    labels = (train[:, 0] > 0).astype(int)
    model = LeastSquares(train, test, labels, Fraction(1), intercept=False)
    tracemalloc.start()
    try:
        for point in model.points(range(4000)):
            assert point.alpha.shape == (4000,)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16_000_000


def test_overflowing_products_fall_back_to_balls():
    """x.w overflows float64 on the way, alpha is moderate: balls give what smaller units give."""
    train = np.array([[1e200, 1.0], [-1e200, 2.0], [1e200, -1.0], [3e199, 0.5]])
    test = np.array([[1e200, 1.0], [-1e200, 0.0], [1e199, 3.0]])
    labels, targets = np.array([1, 0, 1, 0]), np.array([1, 0, 1])
    options = {"q": "0.01", "scale": "none", "intercept": False, "ridge": "1e-300"}
    huge = certify_label_flip(train * 1e108, labels, test * 1e108, targets, **options)
    plain = certify_label_flip(train, labels, test, targets, **options)
    model = LeastSquares(train * 1e108, test * 1e108, labels, Fraction(1), intercept=False)
    assert all(point.alpha_error is None for point in model.points(range(3)))
    for one, other in zip(huge.certificates, plain.certificates, strict=True):
        assert one.log_error == pytest.approx(other.log_error, abs=0.01)
        assert one.decided == other.decided
    assert any(certificate.decided for certificate in plain.certificates)
