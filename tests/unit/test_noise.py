"""Noise models: their laws, their JSON, and what they refuse."""

import json
from dataclasses import FrozenInstanceError
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certaudit.errors import InputError
from certaudit.exact import parse_rational
from certaudit.noise import (
    Discrete,
    Gaussian,
    LabelFlip,
    Sparse,
    check_label_noise,
    discrete,
    gaussian,
    label_flip,
    sparse,
)


def test_the_law_of_two_labels():
    assert label_flip("0.1").law == (Fraction(9, 10), 0, Fraction(1, 10))
    assert discrete("0.9").law == discrete("0.1").law == label_flip("0.1").law


def test_the_law_of_more_values():
    """values = K + 1 = 4, alpha = 2/5: each other value has 1/5, and two of them are neither."""
    assert discrete("2/5", 4).law == (Fraction(2, 5), Fraction(2, 5), Fraction(1, 5))
    assert discrete("1/10", 4).law == (Fraction(3, 10), Fraction(6, 10), Fraction(1, 10))
    assert label_flip("3/5", 4).law == discrete("2/5", 4).law


def test_the_law_at_the_edges():
    assert discrete("1", 3).law == (1, 0, 0)
    assert discrete("0", 3).law == (Fraction(1, 2), Fraction(1, 2), 0)
    assert discrete("0", 2).law == discrete("1", 2).law == (1, 0, 0)
    assert discrete("1/3", 3).law == (Fraction(1, 3),) * 3
    assert discrete("0", 10**30).law.high == Fraction(1, 10**30 - 1)


@settings(max_examples=200, deadline=None)
@given(st.fractions(0, 1), st.integers(2, 10**12))
def test_a_law_is_one(alpha, values):
    law = discrete(alpha, values).law
    assert sum(law) == 1
    assert law.high >= law.low >= 0
    assert law.rest >= 0
    assert {alpha, (1 - alpha) / (values - 1)} == {law.high, law.low}


def test_two_values_are_binary_and_three_are_not():
    assert label_flip("0.1").binary
    assert discrete("1/3").binary
    assert not label_flip("0.1", 3).binary
    assert not discrete("1/3", 3).binary


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        (label_flip("0.1"), {"name": "label-flip", "q": "1/10", "classes": 2}),
        (label_flip("2/4", 5), {"name": "label-flip", "q": "1/2", "classes": 5}),
        (discrete("0.8", 3), {"name": "discrete", "alpha": "4/5", "values": 3}),
        (gaussian("1e-3"), {"name": "gaussian", "sigma": "1/1000"}),
        (gaussian(2), {"name": "gaussian", "sigma": "2"}),
        (sparse("0.01", "0.6"), {"name": "sparse", "p_plus": "1/100", "p_minus": "3/5"}),
    ],
)
def test_the_json_of_a_model_is_exact(noise, expected):
    assert noise.as_json() == expected
    assert json.loads(json.dumps(noise.as_json())) == expected


@pytest.mark.parametrize("q", ["1e-10000", "0.4" + "9" * 900, "0x1.8p-400", "1/3"])
def test_extreme_parameters_survive_the_json(q):
    noise = label_flip(q)
    assert parse_rational(str(noise.as_json()["q"])) == noise.q
    assert discrete(str(noise.as_json()["q"])).alpha == noise.q


def test_models_are_values():
    assert label_flip("0.1") == label_flip(Fraction(1, 10)) == LabelFlip("1/10")
    assert len({discrete("1/2"), Discrete("0.5"), discrete("1/2", 3)}) == 2
    assert label_flip("0.1") != discrete("0.9")
    assert Gaussian("0.5").sigma == Fraction(1, 2)
    assert Sparse("0.5", 0).p_minus == 0
    with pytest.raises(FrozenInstanceError):
        label_flip("0.1").q = Fraction(1, 2)


BAD = {
    "q zero": lambda: label_flip("0"),
    "q one half": lambda: label_flip("1/2"),
    "q negative": lambda: label_flip("-0.1"),
    "q float": lambda: label_flip(0.1),
    "q bool": lambda: label_flip(True),
    "q none": lambda: label_flip(None),
    "q text": lambda: label_flip("a tenth"),
    "q nan": lambda: label_flip("nan"),
    "q at (K-1)/K": lambda: label_flip("2/3", 3),
    "classes one": lambda: label_flip("0.1", 1),
    "classes bool": lambda: label_flip("0.1", True),
    "classes float": lambda: label_flip("0.1", 2.0),
    "q float in the class itself": lambda: LabelFlip(0.1),
    "q of the function": lambda: check_label_noise("0.9"),
    "alpha above": lambda: discrete("1.0001"),
    "alpha negative": lambda: discrete("-1e-300"),
    "alpha float": lambda: discrete(0.5),
    "alpha float in the class itself": lambda: Discrete(0.5),
    "values one": lambda: discrete("1/2", 1),
    "values negative": lambda: discrete("1/2", -3),
    "values bool": lambda: discrete("1/2", True),
    "values float": lambda: discrete("1/2", 3.0),
    "values text": lambda: discrete("1/2", "3"),
    "sigma zero": lambda: gaussian("0"),
    "sigma negative": lambda: gaussian("-1"),
    "sigma float": lambda: gaussian(0.5),
    "sigma float in the class itself": lambda: Gaussian(0.25),
    "p_plus float": lambda: sparse(0.1, "0.6"),
    "p_minus float": lambda: sparse("0.1", 0.6),
    "p_plus above": lambda: sparse("1.1", "0.6"),
    "p_minus negative": lambda: sparse("0.1", "-0.6"),
    "p_minus float in the class itself": lambda: Sparse("0.1", 0.6),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_bad_parameters_are_refused(make):
    with pytest.raises(InputError):
        make()


def test_a_refusal_names_the_parameter():
    for make, name in [
        (lambda: label_flip(0.1), "q"),
        (lambda: discrete("2"), "alpha"),
        (lambda: discrete("1/2", 1), "values"),
        (lambda: gaussian("0"), "sigma"),
        (lambda: sparse("0.1", "2"), "p_minus"),
    ]:
        with pytest.raises(InputError, match=f"^{name}: "):
            make()


def test_every_q_that_is_allowed_has_a_divergence():
    for classes in (2, 3, 10):
        limit = Fraction(classes - 1, classes)
        law = label_flip(limit - Fraction(1, 10**300), classes).law
        assert law.high > law.low > 0
        with pytest.raises(InputError):
            label_flip(limit + Fraction(1, 10**300), classes)


def test_integers_of_numpy_are_integers():
    assert label_flip("0.1", np.int64(10)) == label_flip("0.1", 10)
    assert discrete("0.1", np.int64(10)).as_json() == discrete("0.1", 10).as_json()
    assert type(label_flip("0.1", np.int64(10)).classes) is int


@pytest.mark.parametrize("count", [2.0, "2", None, True])
def test_numbers_of_classes_that_are_no_integers(count):
    for model in (label_flip, discrete):
        with pytest.raises(InputError, match=r"classes|values"):
            model("0.1", count)
