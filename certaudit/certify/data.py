"""Labelled training and test data: checked once, hashed as given, exact in float64."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from certaudit.errors import InputError
from certaudit.exact import as_integer, parse_rational

__all__ = ["ArrayDigest", "LabelledData", "digest", "row_blocks"]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

_BLOCK_ENTRIES = 1 << 18


@dataclass(frozen=True, slots=True)
class ArrayDigest:
    """What identifies a raw array: sha256 of its C-order little-endian bytes, dtype, shape."""

    sha256: str
    dtype: str
    shape: tuple[int, ...]

    def as_json(self) -> dict[str, object]:
        """Return the digest as plain JSON values."""
        return {"sha256": self.sha256, "dtype": self.dtype, "shape": list(self.shape)}


def digest(array: NDArray[Any]) -> ArrayDigest:
    """Return the digest of an array as it was given, before any conversion."""
    little = array.dtype.newbyteorder("<")
    sha256 = hashlib.sha256()
    for _, rows in row_blocks(np.atleast_1d(array)):
        sha256.update(np.ascontiguousarray(rows, dtype=little).view(np.uint8).data)
    return ArrayDigest(sha256.hexdigest(), little.str, array.shape)


def row_blocks(array: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield (first row, rows) for blocks of rows, so that temporaries of a block are small."""
    if array.size:
        step = max(1, _BLOCK_ENTRIES * len(array) // array.size)
        for start in range(0, len(array), step):
            yield start, array[start : start + step]


@dataclass(frozen=True)
class LabelledData:
    """A training set and a test set, checked: finite, exact in float64, labels 0..classes-1.

    x_train is n x d, x_test m x d: float64 copies, but a memory map stays the map, of its own
    dtype. y_train, y_test are int64 of length n, m. `mapped` holds the arrays given as maps.
    """

    x_train: NDArray[Any]
    y_train: Labels
    x_test: NDArray[Any]
    y_test: Labels
    classes: int
    digests: dict[str, ArrayDigest] = field(repr=False)
    positive: str | None = None
    mapped: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    declared: bool = False
    """Whether the number of classes was given, not taken from the labels."""

    @classmethod
    def check(
        cls,
        x_train: ArrayLike,
        y_train: ArrayLike,
        x_test: ArrayLike,
        y_test: ArrayLike,
        *,
        positive: str | None = None,
        classes: int | None = None,
    ) -> LabelledData:
        """Check raw arrays and return them as LabelledData.

        Features are 2-d of any float or integer dtype whose values float64 holds exactly;
        labels are 1-d and integral, 0..classes-1, or anything when `positive` names the
        label that becomes 1 (all others become 0). `classes`, at least 2, is one more than the
        largest label in either set where it is not given; given, it may be larger: a class
        may have no training points.

        Raises InputError, naming the array and the place.
        """
        given = {"X_train": x_train, "y_train": y_train, "X_test": x_test, "y_test": y_test}
        raw = {
            name: _array(name, values, 2 if name[0] == "X" else 1) for name, values in given.items()
        }
        mapped = {
            name: raw[name] for name, values in given.items() if isinstance(values, np.memmap)
        }
        for part in ("train", "test"):
            rows, labels = len(raw[f"X_{part}"]), len(raw[f"y_{part}"])
            if rows != labels:
                raise InputError(f"X_{part} has {rows} rows but y_{part} has {labels} labels")
            if rows == 0:
                raise InputError(f"X_{part} is empty")
        width, test_width = raw["X_train"].shape[1], raw["X_test"].shape[1]
        if width != test_width:
            raise InputError(f"X_train has {width} columns but X_test has {test_width}")
        if width == 0:
            raise InputError("X_train has no columns")
        # Before anything is read from a map: see check_unchanged.
        digests = {name: digest(array) for name, array in raw.items()}
        features = {
            name: _features(name, raw[name], mapped=name in mapped)
            for name in ("X_train", "X_test")
        }
        names = ("y_train", "y_test")
        targets: dict[str, Labels]
        if positive is None:
            targets = {name: _labels(name, raw[name]) for name in names}
        else:
            targets = {name: _is_positive(name, raw[name], positive) for name in names}
            if not any(values.any() for values in targets.values()):
                raise InputError(
                    f"label {positive!r} (--positive) occurs neither in train nor test"
                )
        largest = max(int(targets[name].max()) for name in names)
        if classes is not None:
            _check_classes(classes, targets)
            if positive is not None and classes > 2:
                raise InputError("--positive makes two classes of all labels: not --classes")
        return cls(
            features["X_train"],
            targets["y_train"],
            features["X_test"],
            targets["y_test"],
            max(2, largest + 1) if classes is None else int(classes),
            digests,
            positive,
            mapped,
            classes is not None,
        )

    def check_unchanged(self) -> None:
        """Raise InputError where a mapped array is not what it was when it was checked."""
        for name, array in self.mapped.items():
            if digest(array) != self.digests[name]:
                raise InputError(f"{name} has changed while it was in use")


def _check_classes(classes: int, labels: dict[str, Labels]) -> None:
    """Refuse a number of classes below 2, or one that a label does not fit."""
    if as_integer(classes, "classes") < 2:
        raise InputError("classes: at least 2 are needed")
    for name, values in labels.items():
        bad = values >= classes
        if bad.any():
            raise InputError(
                f"{_place(name, bad)} is {values[bad][0]}: of {classes} classes the labels are "
                f"0 to {classes - 1}"
            )


def _array(name: str, values: ArrayLike, dimensions: int) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{name}: rows of unequal length") from None
    if array.dtype.hasobject:
        raise InputError(f"{name}: object arrays are not read")
    if array.ndim != dimensions:
        raise InputError(f"{name}: expected {dimensions} dimension(s), got shape {array.shape}")
    return array


def _place(name: str, bad: NDArray[np.bool_], start: int = 0) -> str:
    row, *rest = (int(i) for i in np.argwhere(bad)[0])
    return f"{name}[{', '.join(map(str, (start + row, *rest)))}]"


def _features(name: str, array: NDArray[Any], *, mapped: bool) -> NDArray[Any]:
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name}: dtype {array.dtype} is not a float or integer type")
    copy = None if mapped else np.empty(array.shape)
    for start, rows in row_blocks(array):
        floats = _exact_floats(name, rows, start)
        if copy is not None:
            copy[start : start + len(rows)] = floats
    return array if copy is None else copy


def _exact_floats(name: str, rows: NDArray[Any], start: int) -> Floats:
    """Return rows in float64, or say where that changes them; `start` is their first one."""
    if rows.dtype.kind == "f":
        unfit = ~np.isfinite(rows)
        if unfit.any():
            value = rows[unfit][0]
            raise InputError(f"{_place(name, unfit, start)} is {value}: features must be finite")
    with np.errstate(over="ignore"):
        floats = rows.astype(np.float64)
    if rows.dtype.kind in "iu" and rows.dtype.itemsize == 8:
        size = np.abs(rows).astype(np.uint64)  # -2^63 too: its absolute value wraps to 2^63
        lowest_bit = np.maximum(size & (~size + np.uint64(1)), np.uint64(1))
        changed = size // lowest_bit >= np.uint64(1 << 53)
    elif rows.dtype.kind == "f" and rows.dtype.itemsize > 8:
        changed = floats.astype(rows.dtype) != rows
    else:
        return floats
    if changed.any():
        raise InputError(f"{_place(name, changed, start)} is not exactly representable in float64")
    return floats


def _labels(name: str, array: NDArray[Any]) -> Labels:
    if array.dtype.kind not in "fiub":
        shown = ", ".join(repr(str(label))[:30] for label in np.unique(array)[:3])
        raise InputError(
            f"{name}: labels of dtype {array.dtype} ({shown}, ...) are no integers: number the "
            "classes 0 to K - 1, or give --positive LABEL, which becomes 1 (the others 0)"
        )
    if array.dtype.kind == "f":
        array = array.astype(np.float64)
        unfit = ~np.isfinite(array) | (array != np.floor(np.where(np.isfinite(array), array, 0)))
        if unfit.any():
            raise InputError(f"{_place(name, unfit)} is {array[unfit][0]}: labels must be integers")
    bad = (array < 0) | (array > 2**31)
    if bad.any():
        value = array[bad][0]
        raise InputError(f"{_place(name, bad)} is {value}: labels must be 0, 1, ... classes - 1")
    return array.astype(np.int64)


def _is_positive(name: str, array: NDArray[Any], positive: str) -> Labels:
    """Return 1 where a label is `positive`: as text for text labels, as a number for numbers."""
    if array.dtype.kind in "US":
        try:
            texts = array.astype(np.str_)
        except UnicodeDecodeError:
            raise InputError(f"{name}: labels are bytes that are not ASCII text") from None
        return np.asarray(texts == positive, dtype=np.int64)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name}: labels of dtype {array.dtype} are not read")
    try:
        wanted = parse_rational(positive, "--positive")
    except InputError:
        return np.zeros(len(array), dtype=np.int64)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{_place(name, ~np.isfinite(array))} is not a finite label")
    plain = array.astype({"f": np.float64, "b": np.int64}.get(array.dtype.kind, array.dtype))
    values = np.unique(plain)
    matches = np.asarray([wanted == Fraction(repr(value)) for value in values.tolist()], dtype=bool)
    return np.isin(plain, values[matches]).astype(np.int64)
