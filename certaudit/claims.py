"""What somebody else's code claims, as it was written: columns of text, and what is stated of them.

Readers (`certaudit.io.claims`) make these, audits (`certaudit.auditing`) judge them; nothing here
decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from certaudit.errors import InputError
from certaudit.exact import as_rational
from certaudit.findings import Kind

__all__ = [
    "CLASSIFIER",
    "COLUMNS",
    "INTEGERS",
    "PARAMETERS",
    "WORDS",
    "Chunk",
    "Note",
    "Source",
    "Stated",
    "Value",
    "parameter",
]

Value: TypeAlias = "Fraction | int | str"
"""An exact number, or a word."""

COLUMNS = (
    "index",  # of the test point
    "label",  # its true class
    "prediction",  # the class claimed; -1: abstained
    "correct",  # whether prediction is label
    "decided",  # whether the winner of the vote is claimed at all
    "radius",  # claimed
    "p_lower",  # claimed lower bound on the vote share of the prediction
    "p_upper",  # claimed upper bound on it
    "log_error",  # claimed upper bound on ln(1 - p)
    "count",  # votes for the prediction
    "runner_up",  # votes for the most voted other class, in the same samples
    "samples",  # votes in all
    "selection_count",  # votes for the prediction among the samples that chose it
    "selection_samples",  # how many samples chose it
    "accuracy",  # of a curve: share of points right and certified at the radius
)
"""The names that a column may have; counts for each class are "count:0", "count:1" and so on."""

PARAMETERS = (
    "noise",  # "gaussian", "label-flip", "discrete", or the name of one that is not decided
    "sigma",
    "q",
    "classes",
    "alpha",
    "values",
    "samples",
    "failure_prob",
    "sides",  # 1, or 2 where failure_prob is shared with an upper bound
    "norm",  # "l2" or "linf" (then "dimension" is needed)
    "dimension",
    "guarantee",  # "gaussian", "kl", "tight", "exact"
    "training_labels",  # n: no radius is larger
    "vote",  # "pairwise" or "plurality"
    "bound",  # "joint" (of the class's share), or "pairwise": of each rival by itself (B.2)
    "rounding",  # "nearest", or "down" where radii and lower bounds are printed rounded down
    "selection",  # "same" where one set of samples chose the class and bounded it, or "separate"
    "ridge",  # of the classifier that evidence is computed for: "auto", "paper" or a number
    "scale",  # "standard" or "none"
    "intercept",  # "yes" or "no"
    "alpha_margin",  # how far its alphas may be off, in l1, as a part of their norm
)
"""What may be stated of the claims of a file."""

WORDS = {
    "norm": ("l2", "linf"),
    "guarantee": ("gaussian", "kl", "tight", "exact"),
    "vote": ("pairwise", "plurality"),
    "bound": ("joint", "pairwise"),
    "rounding": ("nearest", "down"),
    "selection": ("same", "separate"),
}
"""The words that parameters may be; "noise" is any short name."""
CLASSIFIER = {"ridge": ("auto", "paper"), "scale": ("standard", "none"), "intercept": ("yes", "no")}
"""What says which classifier a data set gives, and its words; a ridge may be a number, too."""
INTEGERS = frozenset({"samples", "sides", "dimension", "training_labels", "classes", "values"})
_MOST_SAMPLES = 10**9
_NOT_NEGATIVE = ("ridge", "alpha_margin")


def parameter(name: str, value: object, what: str) -> Value:
    """Return a stated parameter, checked: an exact number (text, int, Fraction) or a word.

    Raises InputError, its text beginning with `what`, for what the parameter cannot be.
    """
    what = f"{what}{name}"
    if name == "noise":
        if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 80:
            raise InputError(f"{what}: must be a short name")
        return value
    if name in WORDS:
        if value not in WORDS[name]:
            raise InputError(f"{what}: must be {' or '.join(WORDS[name])}")
        return str(value)
    if name in CLASSIFIER and (name != "ridge" or isinstance(value, str)):
        if value in CLASSIFIER[name]:
            return str(value)
        if name != "ridge":
            raise InputError(f"{what}: must be {' or '.join(CLASSIFIER[name])}")
    number = as_rational(value, what)
    return _integer(name, number, what) if name in INTEGERS else _rational(name, number, what)


def _integer(name: str, number: Fraction, what: str) -> int:
    if number.denominator != 1 or number < 1:
        raise InputError(f"{what}: must be a positive integer")
    if name == "sides" and number > 2:
        raise InputError(f"{what}: must be 1 or 2")
    if name == "samples" and number > _MOST_SAMPLES:
        raise InputError(f"{what}: at most {_MOST_SAMPLES} are decided")
    return int(number)


def _rational(name: str, number: Fraction, what: str) -> Fraction:
    if name in _NOT_NEGATIVE and number < 0:
        raise InputError(f"{what}: must not be negative")
    if number < 0 or (number == 0 and name not in ("q", "alpha", *_NOT_NEGATIVE)):
        raise InputError(f"{what}: must be positive")
    if name in ("q", "alpha") and number > 1:
        raise InputError(f"{what}: must be at most 1")
    if name == "failure_prob" and number >= 1:
        raise InputError(f"{what}: must be less than 1")
    return number


@dataclass(frozen=True, slots=True)
class Stated:
    """A parameter as it is stated, and by whom: "option", "file", "file name" or "path"."""

    value: Value
    origin: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader saw: the kind of finding, the line (0: of the file), what was seen."""

    kind: Kind
    line: int
    message: str


@dataclass(slots=True)
class Chunk:
    """Some rows of a file, in its order: their columns as text, stripped, equally long.

    `lines` are their line numbers in the file (for arrays: row + 1), `run` counts the runs in a
    file from 0. `malformed` are rows that cannot be read, with their line and why.
    """

    lines: NDArray[np.int64]
    columns: dict[str, list[str]]
    run: int = 0
    malformed: list[tuple[int, str]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Source:
    """A file of claims. `kind` is "radii", "shares" (bounds on vote shares), "votes" or "curve".

    `chunks()` reads it from its beginning, as often as it is called.

    `stated` has entries of PARAMETERS that the file itself, its name or its path says. `run` is
    what run.json says, where certaudit itself made the claims, `path` the file, if it is one. A
    reader raises InputError, naming the file, where it cannot be read at all.
    """

    name: str
    kind: str
    stated: Mapping[str, Stated]
    chunks: Callable[[], Iterator[Chunk]]
    run: Mapping[str, Any] | None = None
    path: Path | None = None
