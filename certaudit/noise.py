"""Noise models: the smoothing measures that a certificate may be for.

Exact parameters, checked once, where a model is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from certaudit.errors import InputError
from certaudit.exact import Number, as_integer, as_rational, format_rational

__all__ = [
    "MAX_CLASSES",
    "Discrete",
    "Gaussian",
    "LabelFlip",
    "Law",
    "NoiseModel",
    "ProductNoise",
    "Sparse",
    "check_label_noise",
    "check_product",
    "discrete",
    "gaussian",
    "label_flip",
    "sparse",
]


MAX_CLASSES = 1000
"""Most classes that are certified: a record names each rival."""


class Law(NamedTuple):
    """What noise does to a coordinate in which two inputs differ; the three add up to 1.

    `high` >= `low` are the probabilities of the two values that the inputs have there (which of
    them is kept more often makes no difference to a threshold), `rest` that of any other value.
    """

    high: Fraction
    rest: Fraction
    low: Fraction


@dataclass(frozen=True, slots=True)
class LabelFlip:
    """Each label is replaced with probability q, by one of the other classes uniformly."""

    q: Fraction
    classes: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "q", check_label_noise(self.q, self.classes))
        object.__setattr__(self, "classes", _count(self.classes, "classes"))

    @property
    def law(self) -> Law:
        """The noise on a label that was flipped."""
        return _law(1 - self.q, self.classes)

    @property
    def binary(self) -> bool:
        """Whether there are two values: then no deterministic phi has a vote share of 1/2."""
        return self.classes == 2

    def as_json(self) -> dict[str, object]:
        """Return the model as plain JSON values, its parameters exact."""
        return {"name": "label-flip", "q": format_rational(self.q), "classes": self.classes}


@dataclass(frozen=True, slots=True)
class Discrete:
    """Each coordinate keeps its value with probability alpha, else takes another uniformly.

    `values` is the size of the alphabet, Lee et al.'s K + 1.
    """

    alpha: Fraction
    values: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _count(self.values, "values"))
        object.__setattr__(self, "alpha", _probability(self.alpha, "alpha"))

    @property
    def law(self) -> Law:
        """The noise on a coordinate that was changed."""
        return _law(self.alpha, self.values)

    @property
    def binary(self) -> bool:
        """Whether there are two values: then no deterministic phi has a vote share of 1/2."""
        return self.values == 2

    def as_json(self) -> dict[str, object]:
        """Return the model as plain JSON values, its parameters exact."""
        return {"name": "discrete", "alpha": format_rational(self.alpha), "values": self.values}


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Each coordinate gets an independent N(0, sigma^2) added."""

    sigma: Fraction

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", as_rational(self.sigma, "sigma"))
        if self.sigma <= 0:
            raise InputError("sigma: must be positive")

    def as_json(self) -> dict[str, object]:
        """Return the model as plain JSON values, its parameters exact."""
        return {"name": "gaussian", "sigma": format_rational(self.sigma)}


@dataclass(frozen=True, slots=True)
class Sparse:
    """Each 0 becomes 1 with probability p_plus, each 1 becomes 0 with probability p_minus.

    The noise of Bojchevski et al. (2020) for binary data with few ones.
    """

    p_plus: Fraction
    p_minus: Fraction

    def __post_init__(self) -> None:
        object.__setattr__(self, "p_plus", _probability(self.p_plus, "p_plus"))
        object.__setattr__(self, "p_minus", _probability(self.p_minus, "p_minus"))

    def as_json(self) -> dict[str, object]:
        """Return the model as plain JSON values, its parameters exact."""
        return {
            "name": "sparse",
            "p_plus": format_rational(self.p_plus),
            "p_minus": format_rational(self.p_minus),
        }


ProductNoise: TypeAlias = "LabelFlip | Discrete"
NoiseModel: TypeAlias = "LabelFlip | Discrete | Gaussian | Sparse"


def check_label_noise(q: Number, classes: int = 2) -> Fraction:
    """Return q as a rational with 0 < q < (classes - 1)/classes.

    q is the probability with which each label is replaced, by one of the other
    `classes - 1` labels uniformly (section 4 and B.2 of Rosenfeld et al.).

    Raises InputError for q outside that range, a float q, or fewer than 2 classes.

    Proof: `proofs/kl-divergence.md`.
    """
    classes = _count(classes, "classes")
    rational = as_rational(q, "q")
    if not 0 < rational < Fraction(classes - 1, classes):
        limit = Fraction(classes - 1, classes)
        raise InputError(f"q: must lie strictly between 0 and {limit}")
    return rational


def label_flip(q: Number, classes: int = 2) -> LabelFlip:
    """Return the noise model of label-flip smoothing, q exact: "0.1", Fraction(1, 10).

    Raises InputError as check_label_noise does.

    Proof: `proofs/kl-divergence.md`.
    """
    return LabelFlip(check_label_noise(q, classes), classes)


def discrete(alpha: Number, values: int = 2) -> Discrete:
    """Return Lee et al.'s noise model on alphabets of `values` symbols (example 2).

    Raises InputError for alpha outside [0, 1], a float alpha, or fewer than 2 values.

    Proof: `proofs/tight-threshold.md`.
    """
    return Discrete(as_rational(alpha, "alpha"), values)


def gaussian(sigma: Number) -> Gaussian:
    """Return the noise model of Cohen et al. (example 1): N(0, sigma^2) on each coordinate.

    Raises InputError for sigma <= 0 or a float.

    Proof: `proofs/gaussian-radius.md`.
    """
    return Gaussian(as_rational(sigma, "sigma"))


def sparse(p_plus: Number, p_minus: Number) -> Sparse:
    """Return the noise model of Bojchevski et al.: 0 -> 1 with p_plus, 1 -> 0 with p_minus.

    Raises InputError for probabilities outside [0, 1] or floats.

    Proof: `proofs/sparse-threshold.md`.
    """
    return Sparse(as_rational(p_plus, "p_plus"), as_rational(p_minus, "p_minus"))


def _count(value: object, name: str) -> int:
    """Return a number of classes or values; integers of other types (NumPy's) are taken too."""
    number = as_integer(value, name)
    if number < 2:
        raise InputError(f"{name}: at least 2 {name} are needed")
    return number


def check_product(noise: object) -> None:
    """Refuse what is no label-flip or discrete noise.

    Raises InputError.

    Proof: `proofs/tight-threshold.md`.
    """
    if not isinstance(noise, LabelFlip | Discrete):
        name = noise.as_json()["name"] if isinstance(noise, Gaussian | Sparse) else repr(noise)
        raise InputError(
            f"noise: label_flip(...) or discrete(...) is needed here, not {name!s:.40}"
        )


def _probability(value: object, name: str) -> Fraction:
    probability = as_rational(value, name)
    if not 0 <= probability <= 1:
        raise InputError(f"{name}: must lie in [0, 1]")
    return probability


def _law(kept: Fraction, values: int) -> Law:
    other = (1 - kept) / (values - 1)
    return Law(max(kept, other), 1 - kept - other, min(kept, other))
