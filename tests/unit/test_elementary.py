"""exp, ln(1 + x), ln x, turns of the fast bounds: within their errors of Arb; wrong ones seen."""

import math

import numpy as np
import pytest
from flint import arb, ctx

from certaudit.fast import elementary
from certaudit.fast.elementary import (
    EXP_ERROR,
    LOG_ERROR,
    MOST,
    TURN_ERROR,
    exp_minus,
    log1p_unit,
    log_normal,
    turned,
)

POINTS = 300_000
"""Random points a block; two blocks for each of two functions, and one."""


def neighbours(values, steps=3):
    """Return numbers and the floats next to them, where these are >= 0."""
    values = np.asarray(values, dtype=np.float64)
    found = [values]
    for side in (-np.inf, np.inf):
        near = values
        for _ in range(steps):
            near = np.nextafter(near, side)
            found.append(near)
    points = np.concatenate(found)
    return points[points >= 0]


def hard_sizes():
    """Return arguments of exp where the reduction changes, ends, or has nothing to do."""
    log2 = math.log(2)
    halves = (np.arange(1012) + 0.5) * log2
    return np.concatenate([
        neighbours(halves[halves < 702]),
        neighbours(np.arange(1011) * log2),
        neighbours([5e-324, 2.0**-1022, 2.0**-1000, 2.0**-60, 2.0**-53, 2.0**-52, 0.34657359, 1.0]),
        neighbours([699.0, 700.0, 701.0]),
        [0.0, 708.0, 709.8, 710.0, 745.2, 1e4, 2.0**20, 1e300, np.inf],
        np.arange(800.0),
        np.ldexp(1.0, np.arange(-1074, 12)),
    ])  # fmt: skip


def hard_units():
    """Return arguments of ln(1 + x) at the split, the ends, and of all sizes."""
    points = np.concatenate([
        neighbours([elementary._SPLIT, math.sqrt(2) - 1, 0.5, 0.25, 2.0**-53, 2.0**-52], 40),
        neighbours([0.0, 5e-324, 2.0**-1022, 1e-300, 1e-17, 1.0], 40),
        np.ldexp(1.0, np.arange(-1074, 1)),
        np.linspace(0, 1, 4001),
    ])  # fmt: skip
    return points[points <= 1]


def hard_normals():
    """Return arguments of ln x where its exponent changes, it is 0, and at both ends."""
    points = np.concatenate([
        neighbours(np.ldexp(1.0, np.arange(-1021, 1024))),
        neighbours(np.ldexp(1 + elementary._SPLIT, np.arange(-1021, 1023, 7))),
        neighbours([1.0, 2.0, 0.5, math.e, 1 / math.e], 40),
        1 + np.ldexp(1.0, np.arange(-52, 0)),
        1 - np.ldexp(1.0, np.arange(-53, 0)),
        [2.0**-1022, np.nextafter(np.inf, 0)],
    ])  # fmt: skip
    return points[points >= 2.0**-1022]


def random_sizes(block):
    generator = np.random.default_rng(block)
    uniform = generator.uniform(0, [1.0, 40.0, 700.0], (POINTS // 6, 3)).ravel()
    scaled = 10.0 ** generator.uniform(-330, 3, POINTS - uniform.size)
    return np.concatenate([uniform, scaled])


def random_units(block):
    generator = np.random.default_rng(100 + block)
    uniform = generator.uniform(0, 1, POINTS // 2)
    scaled = 10.0 ** generator.uniform(-330, 0, POINTS - uniform.size)
    return np.concatenate([uniform, scaled])


def random_normals():
    generator = np.random.default_rng(200)
    near = 1 + generator.uniform(-1, 1, POINTS // 3) * 10.0 ** generator.uniform(
        -16, 0, POINTS // 3
    )
    scaled = np.exp(generator.uniform(-708, 709, POINTS - near.size))
    points = np.concatenate([near, scaled])
    return points[points >= 2.0**-1022]


def hard_turns():
    """Return arguments of turned next to each eighth of a turn, tiny ones and the largest."""
    eighths = np.arange(-40, 41) / 8
    large = np.ldexp(1.0, np.arange(3, 41))
    places = np.concatenate([large, large - 0.125, large - 0.25, large * 0.7, large / 3])
    points = np.concatenate([
        neighbours(np.abs(eighths), 20),
        neighbours(places[places <= 2.0**40]),
        neighbours([5e-324, 2.0**-1022, 1e-300, 2.0**-60, 2.0**-27]),
        np.ldexp(1.0, np.arange(-1074, 1)),
        np.arange(4096) / 4096,
    ])  # fmt: skip
    points = points[points <= 2.0**40]
    return np.concatenate([points, -points])


def random_turns():
    generator = np.random.default_rng(300)
    parts = [generator.uniform(-size, size, POINTS // 8) for size in (0.2, 1.0, 100.0, 2.0**40)]
    small = generator.choice([-1, 1], POINTS // 8) * 10.0 ** generator.uniform(-330, 0, POINTS // 8)
    return np.concatenate([*parts, small])


def outside_turned(points):
    """Return the arguments at which turned is further off than it says."""
    wrong = []
    with ctx.workprec(120):
        for turns, found in zip(points.tolist(), turned(points).tolist(), strict=True):
            sine, cosine = (2 * arb(turns)).sin_cos_pi()
            parts = abs(found.real - cosine), abs(found.imag - sine)
            if not all(part <= TURN_ERROR for part in parts):
                wrong.append(turns)
    return wrong


def outside_exp(points):
    """Return the arguments at which exp_minus is further off than it says."""
    wrong = []
    with ctx.workprec(80):
        for size, found in zip(points.tolist(), exp_minus(points).tolist(), strict=True):
            right = (-arb(min(size, MOST))).exp()
            if not abs(found - right) <= right * EXP_ERROR:
                wrong.append(size)
    return wrong


def outside_log(points):
    """Return the arguments at which log1p_unit is further off than it says."""
    wrong = []
    with ctx.workprec(80):
        for value, found in zip(points.tolist(), log1p_unit(points).tolist(), strict=True):
            if not abs(found - arb(value).log1p()) <= LOG_ERROR:
                wrong.append(value)
    return wrong


def outside_normal(points):
    """Return the arguments at which log_normal is further off than it says."""
    wrong = []
    with ctx.workprec(100):
        for value, found in zip(points.tolist(), log_normal(points).tolist(), strict=True):
            right = arb(value).log()
            if not abs(found - right) <= LOG_ERROR + abs(right) * arb(2) ** -51:
                wrong.append(value)
    return wrong


def test_exp_at_hard_points():
    assert outside_exp(hard_sizes()) == []


def test_log_at_hard_points():
    assert outside_log(hard_units()) == []


def test_ln_at_hard_points():
    assert outside_normal(hard_normals()) == []


def test_ln_at_random_points():
    assert outside_normal(random_normals()) == []


def test_turns_at_hard_points():
    assert outside_turned(hard_turns()) == []


def test_turns_at_random_points():
    assert outside_turned(random_turns()) == []


def test_quarter_turns_are_exact():
    quarters = np.arange(-9, 10) / 4
    expected = [1j**k for k in range(-9, 10)]
    assert turned(quarters).tolist() == expected
    assert turned(np.array([[0.0, -0.0], [2.0**40, -(2.0**40)]])).tolist() == [[1, 1], [1, 1]]
    kept = np.array([0.3, -7.2])
    turned(kept)
    assert kept.tolist() == [0.3, -7.2]


@pytest.mark.parametrize("block", range(2))
def test_exp_at_random_points(block):
    assert outside_exp(random_sizes(block)) == []


@pytest.mark.parametrize("block", range(2))
def test_log_at_random_points(block):
    assert outside_log(random_units(block)) == []


def test_exact_values_and_limits():
    """exp(-0) is 1, nothing is above it or 0: arguments of log1p_unit stay in its range."""
    assert exp_minus(np.array([0.0, -0.0, 5e-324])).tolist() == [1.0, 1.0, 1.0]
    assert log1p_unit(np.array([0.0])).tolist() == [0.0]
    assert log_normal(np.array([1.0])).tolist() == [0.0]
    # No bound rests on what is no number, but it must not look like one.
    with np.errstate(invalid="ignore"):
        assert np.isnan(exp_minus(np.array([np.nan]))).all()
        assert np.isnan(log_normal(np.array([np.nan]))).all()
    found = exp_minus(np.concatenate([hard_sizes(), random_sizes(7)]))
    assert found.max() == 1.0
    assert found.min() == exp_minus(np.array([MOST]))[0] > 2.0**-1022


def test_arguments_are_left_alone_and_shapes_kept():
    size = np.array([[0.0, 1.0], [800.0, 3.0]])
    value = size / 800
    kept = size.copy(), value.copy()
    assert exp_minus(size).shape == log1p_unit(value).shape == (2, 2)
    assert log_normal(1 + value).shape == (2, 2)
    assert (size == kept[0]).all()
    assert (value == kept[1]).all()


# Wrong variants: each is a bug somebody could write, and the comparison has to see it.

WRONG_EXP = {
    "a degree less": ("_EXP_TERMS", elementary._EXP_TERMS[1:]),
    "1/3! as 1/7": (
        "_EXP_TERMS",
        tuple(term if term != 1 / 6 else 1 / 7 for term in elementary._EXP_TERMS),
    ),
    "ln 2 in one part": ("_LN2_LOW", 0.0),
    "ln 2 with too many bits": ("_LN2_HIGH", elementary._LN2),
    "log2 e a little off": ("_LOG2_E", 1.4),
    "constant too early": ("MOST", 690.0),
}
WRONG_LOG = {
    "two terms less": ("_LOG_TERMS", elementary._LOG_TERMS[2:]),
    "split too high": ("_SPLIT", 0.6),
    "split too low": ("_SPLIT", 0.25),
    "ln 2 in float32": ("_LN2", float(np.float32(elementary._LN2))),
}


WRONG_NORMAL = {
    "ln 2 of 40 bits": ("_LN2", round(elementary._LN2 * 2**40) / 2**40),
    "mantissa not doubled": ("log1p_unit", lambda value: log1p_unit((value - 1) / 2)),
    "ln(1 + x) in float32": ("log1p_unit", lambda value: log1p_unit(value).astype(np.float32)),
}


WRONG_TURNS = {
    "sines of three terms less": ("_SIN_TERMS", elementary._SIN_TERMS[3:]),
    "cosines of three terms less": ("_COS_TERMS", elementary._COS_TERMS[3:]),
    "1/3! as 1/7": ("_SIN_TERMS", (*elementary._SIN_TERMS[:-2], -1 / 7, 1.0)),
    "2 pi in float32": ("_TWO_PI", float(np.float32(elementary._TWO_PI))),
    "degrees": ("_TWO_PI", 360.0),
}


@pytest.mark.parametrize("name", WRONG_TURNS)
def test_wrong_turns_are_caught(name, monkeypatch):
    monkeypatch.setattr(elementary, *WRONG_TURNS[name])
    assert outside_turned(hard_turns())


@pytest.mark.parametrize("name", WRONG_EXP)
def test_wrong_exponentials_are_caught(name, monkeypatch):
    monkeypatch.setattr(elementary, *WRONG_EXP[name])
    assert outside_exp(hard_sizes())


@pytest.mark.parametrize("name", WRONG_LOG)
def test_wrong_logarithms_are_caught(name, monkeypatch):
    monkeypatch.setattr(elementary, *WRONG_LOG[name])
    assert outside_log(hard_units())


@pytest.mark.parametrize("name", WRONG_NORMAL)
def test_wrong_logarithms_of_normal_numbers_are_caught(name, monkeypatch):
    monkeypatch.setattr(elementary, *WRONG_NORMAL[name])
    assert outside_normal(hard_normals())
