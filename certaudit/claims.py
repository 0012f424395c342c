"""What somebody else's code claims, as it was written: columns of text, and what is stated of them.

Readers (`certaudit.io.claims`) make these, audits (`certaudit.auditing`) judge them; nothing here
decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from certaudit.findings import Kind

__all__ = ["COLUMNS", "KINDS", "PARAMETERS", "Chunk", "Note", "Source", "Stated", "Value"]

Value: TypeAlias = "Fraction | int | str"
"""An exact number, or a word."""

KINDS = ("radii", "shares", "votes", "curve")
"""What a file holds: claims with a radius, bounds on vote shares, counts, or an accuracy curve."""

COLUMNS = (
    "index",  # of the test point
    "label",  # its true class
    "prediction",  # the class claimed; -1: abstained
    "correct",  # whether prediction is label
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
    "guarantee",  # "gaussian", "kl", "tight"
    "training_labels",  # n: no radius is larger
    "vote",  # "pairwise" or "plurality"
    "rounding",  # "nearest", or "down" where radii and lower bounds are printed rounded down
    "selection",  # "same" where one set of samples chose the class and bounded it, or "separate"
)
"""What may be stated of the claims of a file."""


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
    """A file of claims. `chunks()` reads it from its beginning, as often as it is called.

    `stated` has entries of PARAMETERS that the file itself, its name or its path says. A reader
    raises InputError, naming the file, where it cannot be read at all.
    """

    name: str
    kind: str
    stated: Mapping[str, Stated]
    chunks: Callable[[], Iterator[Chunk]]
