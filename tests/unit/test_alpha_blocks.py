"""alpha of blocks of test points in float64: errors and signs against exact rationals."""

from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from random import Random

import numpy as np
import pytest
from support import HALF

from certaudit.certify import blocks, least_squares
from certaudit.certify.blocks import AlphaBlocks
from certaudit.certify.least_squares import LeastSquares
from certaudit.errors import InputError

Q = Fraction(1, 4)
RIDGES = [Fraction(0), Fraction(1, 3), Fraction(1, 10**30), Fraction(10**12)]


def sign(value):
    return (value > 0) - (value < 0)


def fitted(train, test, labels, ridge=Fraction(0), *, intercept=False):
    train, test = np.array(train, dtype=float), np.array(test, dtype=float)
    if intercept:
        train, test = (np.hstack([x, np.ones((len(x), 1))]) for x in (train, test))
    return LeastSquares(train, test, np.array(labels), ridge, intercept=intercept)


def in_blocks(solver, indices):
    """Yield (index, alpha, error, signs) of each test point."""
    for _, some in groupby(indices, key=lambda index: index // solver.step):
        block = solver(list(some), solver.buffer())
        signs = zip(block.mean_sign, block.label_sign, block.reach_sign, strict=True)
        yield from zip(
            block.indices, block.alpha.copy(), block.alpha_error.tolist(), signs, strict=True
        )


def contradictions(model, q, solver=None):
    """Return what exact rationals say against the blocks, and how many signs are open, or ties."""
    wrong, opened, ties = [], 0, 0
    solver = solver or AlphaBlocks(model, q)
    for index, alpha, error, signs in in_blocks(solver, range(len(model.test))):
        exact = model.exact_alpha(index)
        zeros, score = model.exact_scores(index)
        total = zeros + score
        reach = sum((max(a, Fraction(0)) for a in exact), Fraction(0))
        true = [(1 - 2 * q) * score + q * total - HALF, score - HALF, reach - HALF]
        assert not np.isnan(error)
        if error < np.inf:
            off = sum(abs(Fraction(a) - b) for a, b in zip(alpha.tolist(), exact, strict=True))
            if off > Fraction(error):
                wrong.append(f"point {index}: off by {float(off)}, bound {error}")
        for found, value in zip(signs, true, strict=True):
            opened += found == 0
            ties += value == 0
            if found not in (0, sign(value)):
                wrong.append(f"point {index}: sign {found} of {float(value)}")
    return wrong, opened, ties


def random_model(seed):
    """Return a random model: scales, near duplicates, few rows; None where it has no solution."""
    random, numbers = Random(seed), np.random.default_rng(seed)
    n, k, m = random.choice([1, 2, 3, 9, 20]), random.randint(1, 5), 3
    rows = numbers.normal(size=(n + m, k))
    kind = seed % 5
    if kind == 1:
        rows *= 10.0 ** numbers.integers(-9, 10, size=k)
    elif kind == 2:
        rows[:, -1] = rows[:, 0] + random.choice([1e-3, 1e-7, 1e-12, 1e-15]) * rows[:, -1]
    elif kind == 3:
        rows = np.round(rows * 4) / 4
    elif kind == 4:
        rows *= 2.0 ** random.choice([-500, -140, 40, 90, 130, 200, 310])
    ridge, labels = random.choice(RIDGES), numbers.integers(0, 2, n)
    if kind == 4 and ridge:
        ridge *= Fraction(float(np.abs(rows).max())) ** 2
    try:
        return fitted(rows[:n], rows[n:], labels, ridge, intercept=random.random() < 0.5)
    except InputError:
        return None


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_errors_and_signs_hold_for_random_data(start):
    seen = opened = 0
    for seed in range(start, start + 50):
        model = random_model(seed)
        if model is None:
            continue
        wrong, some, _ = contradictions(model, Random(seed).choice([Q, Fraction(1, 10**9)]))
        assert wrong == [], f"seed {seed}"
        seen, opened = seen + 9, opened + some
    assert seen > 200
    assert opened < seen / 3


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("ridge", [Fraction(0), Fraction(1, 7)])
@pytest.mark.parametrize(("n", "k"), [(30, 1), (30, 6), (3, 2), (1, 1)])
def test_plain_data_are_decided_to_many_digits(n, k, ridge, intercept):
    random = np.random.default_rng(n + k)
    if n < k + intercept:
        ridge = Fraction(1, 7)
    model = fitted(
        random.normal(size=(n, k)),
        random.normal(size=(5, k)),
        random.integers(0, 2, n),
        ridge,
        intercept=intercept,
    )
    assert contradictions(model, Q) == ([], 0, 0)
    for _, alpha, error, _ in in_blocks(AlphaBlocks(model, Q), range(5)):
        assert error <= 1e-11 * np.abs(alpha).max()


@pytest.mark.parametrize("size", range(2, 13))
def test_errors_hold_up_to_hopeless_conditioning(size):
    """Hilbert's matrix, rounded: condition numbers from 20 to 10^16, squared in X'X."""
    rows = 1.0 / (np.arange(size + 2)[:, None] + np.arange(size) + 1)
    labels = np.arange(size + 2) % 2
    tests = np.random.default_rng(size).normal(size=(3, size))
    model = fitted(rows, tests, labels)
    wrong, opened, _ = contradictions(model, Q)
    assert wrong == []
    errors = [error for _, _, error, _ in in_blocks(AlphaBlocks(model, Q), range(3))]
    if size < 6:
        assert opened == 0
        assert max(errors) < 1e-3
    if size > 11:
        assert opened > 0
        assert max(errors) > 1


def test_few_rows_and_many_columns_with_a_ridge():
    random = np.random.default_rng(1)
    for intercept in (False, True):
        model = fitted(
            random.normal(size=(3, 8)),
            random.normal(size=(6, 8)),
            [0, 1, 1],
            Fraction(1, 10),
            intercept=intercept,
        )
        assert contradictions(model, Q) == ([], 0, 0)


TIES = [
    # X = I, ridge 0: alpha is the test row.
    ([1, 0], [0.5, 0.5], (0, 0, 1)),  # mean and score exactly 1/2
    ([1, 1], [0.25, 0.25], (-1, 0, 0)),  # score and reach exactly 1/2
    ([0, 0], [0.5, -0.25], (-1, -1, 0)),  # reach exactly 1/2
    ([1, 0], [0.5, 0.5 - 2**-40], (-1, 0, 1)),
    ([1, 0], [0.5 - 2**-40, 0.5], (-1, -1, 1)),
    ([1, 0], [0.5 + 2**-40, 0.5], (1, 1, 1)),
    ([0, 0], [0.25, 0.25 - 2**-40], (-1, -1, -1)),
    ([0, 0], [0.25, 0.25 + 2**-40], (-1, -1, 1)),
    ([1, 0], [0.5 - 2**-54, 0.5], (0, 0, 1)),  # closer than floats decide
]


@pytest.mark.parametrize(("labels", "test", "expected"), TIES)
def test_ties_are_open_and_what_is_next_to_them_is_not(labels, test, expected):
    for scale in (1.0, 3.0):  # 3: w is no dyadic number
        model = fitted(scale * np.eye(2), [[scale * x for x in test]], labels)
        ((_, _, _, signs),) = in_blocks(AlphaBlocks(model, Q), [0])
        if scale == 1.0:
            assert signs == expected
        assert contradictions(model, Q)[0] == []
        for found, there in zip(signs, expected, strict=True):
            assert found == there or (found == 0 and abs(there) <= 1)


@pytest.mark.parametrize("seed", range(40))
def test_a_mean_as_near_to_a_half_as_floats_go_is_never_decided_wrongly(seed):
    """One column, the test row where the mean is 1/2 but for its rounding."""
    random = np.random.default_rng(seed)
    n = int(random.integers(2, 9))
    column, labels = np.round(random.normal(size=(n, 1)) * 8) / 8, random.integers(0, 2, n)
    column[0] = 1.0
    # w = h / a'a; the mean is w (a'y / 2 + a'1 / 4) at q = 1/4.
    moments = (float(part) for part in (column.ravel() @ labels, column.sum(), (column**2).sum()))
    scored, total, square = map(Fraction, moments)
    slope = (scored / 2 + total / 4) / square
    if not slope:
        return
    nearest = float(HALF / slope)
    tests = [[np.nextafter(nearest, nearest * side)] for side in (0.5, 2.0)] + [[nearest]]
    model = fitted(column, tests, labels)
    assert contradictions(model, Q)[0] == []
    *_, (_, _, _, signs) = in_blocks(AlphaBlocks(model, Q), range(3))
    if HALF / slope == Fraction(nearest):
        assert signs[0] == 0


def test_alpha_does_not_depend_on_the_company(monkeypatch):
    monkeypatch.setattr(blocks, "_BLOCK", 4)
    random = np.random.default_rng(0)
    model = fitted(random.normal(size=(50, 7)), random.normal(size=(10, 7)), [0, 1] * 25)
    solver = AlphaBlocks(model, Q)
    assert solver.step == 4

    def results(indices):
        return {
            index: (alpha.tobytes(), error, signs)
            for index, alpha, error, signs in in_blocks(solver, indices)
        }

    everything = results(range(10))
    assert len(everything) == 10
    for indices in ([3], [0, 3], [1, 2], [4, 5, 7], [8, 9], [9], [1, 6, 8]):
        assert results(indices) == {index: everything[index] for index in indices}


def test_a_buffer_is_used_again():
    random = np.random.default_rng(0)
    model = fitted(random.normal(size=(9, 2)), random.normal(size=(64, 2)), [0, 1, 1] * 3)
    solver = AlphaBlocks(model, Q)
    buffer = solver.buffer()
    assert buffer.shape == (64, 9)
    assert solver(range(64), buffer).alpha is buffer
    few = solver([5, 7], buffer)
    assert (few.alpha == buffer[[5, 7]]).all()


def test_large_training_sets_have_short_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "_ENTRIES", 100)
    random = np.random.default_rng(0)
    for n, step in ((30, 3), (100, 1), (101, 1)):
        model = fitted(random.normal(size=(n, 2)), random.normal(size=(5, 2)), [0] * n)
        assert AlphaBlocks(model, Q).step == step
        assert contradictions(model, Q)[0] == []


def test_minus_zero_is_zero():
    rows = [[1.0, -0.0], [0.0, 2.0], [-0.0, -0.0], [-1.0, 0.0]]
    tests = [[-0.0, -0.0], [-0.0, 1.0], [0.0, 0.0]]
    model = fitted(rows, tests, [0, 1, 0, 1])
    assert contradictions(model, Q) == ([], 2, 2)  # alpha = (0, 1/2, 0, 0): two ties
    (_, first, error, _), _, (_, third, _, _) = in_blocks(AlphaBlocks(model, Q), range(3))
    assert not first.any()
    assert not third.any()
    assert 0 < error < 2.0**-299


SUBNORMAL = {
    "products": (np.full((3, 1), 1e-200), [[1e-150]], Fraction(1)),
    "training rows": ([[5e-324], [1.0]], [[0.3], [1e-320]], Fraction(0)),
    "a column": ([[5e-324, 1.0], [-5e-324, 2.0], [1e-310, 0.5]], [[1.0, 1.0]], Fraction(1, 2)),
    "test rows": ([[1.0, 0.0], [0.0, 1e-60], [1.0, 1.0]], [[5e-324, 1e-310]], Fraction(0)),
    "the inverse": ([[1e80], [1e85]], [[1e-300], [1e80]], Fraction(10) ** 400),
}


@pytest.mark.parametrize("name", SUBNORMAL)
def test_what_underflows_is_paid_for(name):
    rows, tests, ridge = SUBNORMAL[name]
    model = fitted(rows, tests, [0, 1, 1][: len(rows)], ridge)
    assert contradictions(model, Q)[0] == []
    errors = [error for _, _, error, _ in in_blocks(AlphaBlocks(model, Q), range(len(tests)))]
    assert max(errors) < 1e-10


@pytest.mark.parametrize(
    ("rows", "tests", "ridge"),
    [
        ([[1.0], [1e100]], [[1.0]], 0),  # norms
        ([[1.7e308], [1.7e308]], [[1.0]], 1),  # a norm that is infinite
        ([[1e-60], [1e-70]], [[1e-60]], 0),  # the inverse
        ([[1e-160], [1e-170]], [[1e-160]], 0),  # an infinite inverse
        ([[1.0], [2.0]], [[1e95]], 0),  # a test row
        ([[1e-40], [2e-40]], [[1e20]], 0),  # the weights: 1e80 * 1e20
        ([[1e-40, 1.0], [1e-40, 2.0]], [[1e88, 1e88]], Fraction(1, 10**70)),
    ],
)
def test_immoderate_numbers_leave_everything_open(rows, tests, ridge):
    model = fitted(rows, tests, [0, 1], Fraction(ridge))
    ((_, alpha, error, signs),) = in_blocks(AlphaBlocks(model, Q), [0])
    assert error == np.inf
    assert not alpha.any()
    assert signs == (0, 0, 0)
    with_intercept = fitted(rows, tests, [0, 1], Fraction(1), intercept=True)
    assert contradictions(with_intercept, Q)[0] == []


def test_one_immoderate_point_does_not_touch_the_others():
    random = np.random.default_rng(0)
    rows, tests = random.normal(size=(9, 3)), random.normal(size=(5, 3))
    plain = list(in_blocks(AlphaBlocks(fitted(rows, tests, [0, 1, 1] * 3), Q), range(5)))
    tests[2] *= 1e200
    mixed = list(in_blocks(AlphaBlocks(fitted(rows, tests, [0, 1, 1] * 3), Q), range(5)))
    for (index, alpha, error, signs), (_, other, bound, found) in zip(plain, mixed, strict=True):
        if index == 2:
            assert (bound, found) == (np.inf, (0, 0, 0))
        else:
            assert (alpha.tobytes(), error, signs) == (other.tobytes(), bound, found)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_decides_nothing(bad):
    """Scores, errors and alphas that are no numbers: every comparison with them is false."""
    values = np.array([bad, -bad, 0.1, bad, -bad])
    errors = np.array([np.inf, np.inf, np.nan, np.nan, np.nan])
    assert not blocks._sign(values, errors).any()


# Wrong variants: each error term left out, or a comparison that is not strict.


def without(**changes):
    def change(solver):
        solver._solver = replace(
            solver._solver,
            **{name: getattr(solver._solver, name) * factor for name, factor in changes.items()},
        )

    return change


VARIANTS = {
    "no error of the inverse": without(inverse_error=0.0),
    "no error of the second product": without(gamma=0.0),
    "no error of the scores": without(score_error=0.0),
    "norms too small": without(norms=1e-3, inverse_error=1e-3),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_wrong_variants_are_caught(name):
    caught = False
    for seed in range(300):
        random = np.random.default_rng(seed)
        n, k = 6, 1 + seed % 2
        rows, labels = np.round(random.normal(size=(n, k)) * 8) / 8, random.integers(0, 2, n)
        tests = np.round(random.normal(size=(4, k)) * 8) / 8
        try:
            model = fitted(rows, tests, labels)
            # A multiple of the first row with score 1/2, as far as floats go.
            score = model.exact_scores(0)[1]
            tests[0] *= float(HALF / score) if score else 1.0
            model = fitted(rows, tests, labels)
        except InputError:
            continue
        solver = AlphaBlocks(model, Q)
        VARIANTS[name](solver)
        caught = caught or bool(contradictions(model, Q, solver)[0])
    assert caught


def test_without_the_flushed_part_an_underflow_is_caught(monkeypatch):
    rows, tests, ridge = SUBNORMAL["products"]
    model = fitted(rows, tests, [0, 1, 1], ridge)
    monkeypatch.setattr(blocks, "_FLUSH", 0.0)
    assert contradictions(model, Q)[0] != []


def most_of_the_error(seeds):
    """Return the largest distance of an alpha from the true one, as a part of what is stated."""
    most = Fraction(0)
    for seed in seeds:
        random = np.random.default_rng(seed)
        train, tests = random.uniform(1, 2, (1, 1)), random.uniform(1, 2, (64, 1))
        model = LeastSquares(train, tests, np.array([1]), Fraction(1), intercept=False)
        solver = AlphaBlocks(model, Fraction(1, 10))
        block = solver(list(range(64)), solver.buffer())
        x = Fraction(float(train[0, 0]))
        for alpha, error, h in zip(block.alpha[:, 0], block.alpha_error, tests[:, 0], strict=True):
            distance = abs(Fraction(float(alpha)) - x * Fraction(float(h)) / (x * x + 1))
            most = max(most, distance / Fraction(float(error)))
    return most


def test_the_error_is_nearly_reached_and_half_of_it_exceeded(monkeypatch):
    """One training point, one column: three roundings, and nothing to hide them."""
    assert HALF < most_of_the_error(range(40)) <= 1
    gamma = least_squares._gamma
    monkeypatch.setattr(least_squares, "_gamma", lambda terms: gamma(terms) / 4)
    assert most_of_the_error(range(40)) > 1


def test_a_float_sum_of_alphas_just_below_a_half_leaves_the_reach_open():
    """120 alphas of just under half an ulp, each lost in the sum of the eight others."""
    x = np.full(128, 2.0**-57 * (1 - 2.0**-20))
    x[:8] = 2.0**-4
    x[0] -= 2.0**-51
    ridge = 1 - sum(Fraction(v) ** 2 for v in x.tolist())
    model = LeastSquares(x[:, None], np.array([[1.0]]), np.arange(128) % 2, ridge, intercept=False)
    assert sum(max(a, 0) for a in model.exact_alpha(0)) > HALF
    solver = AlphaBlocks(model, Fraction(1, 10))
    block = solver([0], solver.buffer())
    assert block.reach_sign[0] == 0
    solver._gamma_n = 0.0
    wrong = solver([0], solver.buffer()).reach_sign[0]
    # How a sum is added depends on the machine: where it loses them, the wrong sign is proven.
    lost = HALF - Fraction(float(block.alpha[0].sum())) > Fraction(float(block.alpha_error[0]))
    assert wrong == (-1 if lost else 0)


def test_indices_in_any_order():
    random = np.random.default_rng(1)
    model = LeastSquares(
        random.normal(size=(20, 2)),
        random.normal(size=(64, 2)),
        np.arange(20) % 2,
        Fraction(1),
        intercept=False,
    )
    solver = AlphaBlocks(model, Fraction(1, 10))
    rising = solver(list(range(64)), solver.buffer())
    falling = solver(list(range(63, -1, -1)), solver.buffer())
    assert np.array_equal(falling.alpha, rising.alpha[::-1])
    assert np.array_equal(falling.alpha_error, rising.alpha_error[::-1])
