"""The design matrix: scaling that reads no labels, dropped constant columns, an intercept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from certaudit.certify.data import Floats, row_blocks
from certaudit.errors import InputError

__all__ = ["SCALES", "Features", "Scale", "prepare"]

SCALES = ("standard", "none")

_COLUMN_ENTRIES = 1 << 20


@dataclass(frozen=True)
class Scale:
    """How raw columns became scaled ones: fl(fl(x - mean) / deviation), column by column.

    `mean` and `deviation` (float64, of the columns kept) are exact inputs of the certificate:
    any column statistics that read no labels would do. `dropped` are raw column numbers.
    """

    rule: str
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    dropped: tuple[int, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the rule as plain JSON values, floats as hexadecimal text."""
        return {
            "rule": self.rule,
            "mean": [value.hex() for value in self.mean],
            "deviation": [value.hex() for value in self.deviation],
            "dropped": list(self.dropped),
        }


@dataclass(frozen=True)
class Features:
    """Design rows in float64: train n x k, test m x k; the last column is 1 with an intercept.

    These arrays, not the raw ones, are what the classifier is defined on, exactly.
    """

    train: Floats
    test: Floats
    intercept: bool
    scale: Scale

    @property
    def columns(self) -> int:
        """The number of feature columns, the intercept not counted."""
        return int(self.train.shape[1]) - int(self.intercept)


def prepare(
    x_train: NDArray[Any], x_test: NDArray[Any], *, scale: str, intercept: bool
) -> Features:
    """Return the design rows of checked features: n x d and m x d, float64 holds every value.

    `scale` "standard" uses the mean and standard deviation of the training columns and drops
    constant ones; "none" takes the columns as they are.

    Raises InputError for an unknown rule, columns too large or too small to standardise in
    float64, and when no column is left.
    """
    if scale not in SCALES:
        raise InputError(f"scale: {scale!r} is not one of {', '.join(SCALES)}")
    record = _column_statistics(x_train) if scale == "standard" else Scale("none")
    train = _design("X_train", x_train, record, intercept=intercept)
    test = _design("X_test", x_test, record, intercept=intercept)
    if train.shape[1] == 0:
        raise InputError("every column of X_train is constant and there is no intercept")
    return Features(train, test, intercept, record)


def _column_statistics(rows: NDArray[Any]) -> Scale:
    """Return how to standardise: NumPy's mean and std of each column that is not constant."""
    constant = rows.max(axis=0) == rows.min(axis=0)
    kept = np.flatnonzero(~constant)
    mean, deviation = np.empty(len(kept)), np.empty(len(kept))
    # A few columns at a time, each contiguous: NumPy then adds pairwise, whatever the order and
    # number of columns, and std has a temporary as large as these columns only.
    step = max(1, _COLUMN_ENTRIES // len(rows))
    for at in range(0, len(kept), step):
        group = slice(at, at + step)
        columns = np.ascontiguousarray(rows[:, kept[group]].T, dtype=np.float64)
        # Overflow is looked for in `_design`, column by column, to name the place.
        with np.errstate(over="ignore", invalid="ignore"):
            mean[group], deviation[group] = columns.mean(axis=1), columns.std(axis=1)
    return Scale(
        "standard",
        tuple(mean.tolist()),
        tuple(deviation.tolist()),
        tuple(np.flatnonzero(constant).tolist()),
    )


def _design(name: str, rows: NDArray[Any], scale: Scale, *, intercept: bool) -> Floats:
    """Return scaled rows in float64, contiguous, with a last column of ones if `intercept`."""
    if scale.rule == "none" and not intercept:
        return np.require(rows, np.float64, ["C", "A"])
    kept = np.delete(np.arange(rows.shape[1]), scale.dropped)
    mean, deviation = np.asarray(scale.mean), np.asarray(scale.deviation)
    design = np.ones((len(rows), len(kept) + intercept))
    usable = np.isfinite(mean) & np.isfinite(deviation) & (deviation > 0)
    for start, block in row_blocks(rows):
        part = design[start : start + len(block), : len(kept)]
        part[:] = block[:, kept]
        if scale.rule == "standard":
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                part -= mean
                part /= deviation
            usable &= np.isfinite(part).all(axis=0)
    if not usable.all():
        column = int(kept[np.flatnonzero(~usable)[0]])
        raise InputError(
            f"{name}: column {column} cannot be standardised in float64 "
            "(too large or too small); rescale it or use --scale none"
        )
    return design
