"""The design matrix: scaling that reads no labels, dropped constant columns, an intercept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certaudit.certify.data import Floats
from certaudit.errors import InputError

__all__ = ["SCALES", "Features", "Scale", "prepare"]

SCALES = ("standard", "none")


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


def prepare(x_train: Floats, x_test: Floats, *, scale: str, intercept: bool) -> Features:
    """Return the design rows of checked features (n x d and m x d, float64).

    `scale` "standard" uses the mean and standard deviation of the training columns and drops
    constant ones; "none" takes the columns as they are.

    Raises InputError for an unknown rule, columns too large or too small to standardise in
    float64, and when no column is left.
    """
    if scale not in SCALES:
        raise InputError(f"scale: {scale!r} is not one of {', '.join(SCALES)}")
    if scale == "standard":
        record, train, test = _standardise(x_train, x_test)
    else:
        record, train, test = Scale("none"), x_train, x_test
    if intercept:
        train = np.hstack([train, np.ones((len(train), 1))])
        test = np.hstack([test, np.ones((len(test), 1))])
    if train.shape[1] == 0:
        raise InputError("every column of X_train is constant and there is no intercept")
    return Features(np.ascontiguousarray(train), np.ascontiguousarray(test), intercept, record)


def _standardise(x_train: Floats, x_test: Floats) -> tuple[Scale, Floats, Floats]:
    constant = x_train.max(axis=0) == x_train.min(axis=0)
    kept = np.flatnonzero(~constant)
    train, test = x_train[:, kept], x_test[:, kept]
    # Overflow is looked for below, column by column, to name the place.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        mean, deviation = train.mean(axis=0), train.std(axis=0)
        train = (train - mean) / deviation
        test = (test - mean) / deviation
    usable = np.isfinite(mean) & np.isfinite(deviation) & (deviation > 0)
    for rows, name in ((train, "X_train"), (test, "X_test")):
        bad = ~(usable & np.isfinite(rows).all(axis=0))
        if bad.any():
            column = int(kept[np.flatnonzero(bad)[0]])
            raise InputError(
                f"{name}: column {column} cannot be standardised in float64 "
                "(too large or too small); rescale it or use --scale none"
            )
    record = Scale(
        "standard",
        tuple(mean.tolist()),
        tuple(deviation.tolist()),
        tuple(np.flatnonzero(constant).tolist()),
    )
    return record, train, test
