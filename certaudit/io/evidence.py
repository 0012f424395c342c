"""Evidence beside claims: alpha vectors with their labels, or the data set they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from certaudit.errors import InputError
from certaudit.io.datasets import KEYS, npz_arrays, npz_names, read_data_set

__all__ = ["AlphaVectors", "read_evidence"]

_MOST_INDEX = 1 << 62


@dataclass(frozen=True, slots=True)
class AlphaVectors:
    """The alphas of m test points (m x n, float64), their `index` and the n training `labels`."""

    alpha: NDArray[np.float64]
    labels: NDArray[np.int64]
    index: NDArray[np.int64]


def read_evidence(path: Path) -> AlphaVectors | dict[str, NDArray[Any]]:
    """Read an .npz file: alpha vectors, or the four arrays of a data set as they are.

    Alpha vectors are `alpha` (m x n floats), `y_train` (n labels, 0 or 1) and, if row i is not test
    point i, `index` (m different integers, not negative). Other arrays beside them are not read.

    Raises InputError, naming the file and the array, for whatever is neither.
    """
    names = npz_names(path)
    if "alpha" not in names:
        if not names & {"X_train", "X_test"}:
            raise InputError(
                f"{path}: neither alpha vectors (alpha, y_train) nor a data set ({', '.join(KEYS)})"
            )
        return read_data_set(path).arrays
    if names & {"X_train", "X_test"}:
        raise InputError(f"{path}: holds alpha vectors and a data set: which one is the evidence?")
    if "y_train" not in names:
        raise InputError(f"{path}: no array y_train (alpha needs the training labels)")
    arrays = npz_arrays(path, [name for name in ("alpha", "y_train", "index") if name in names])
    try:
        return _checked(arrays)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _checked(arrays: Mapping[str, NDArray[Any]]) -> AlphaVectors:
    alpha, labels = arrays["alpha"], arrays["y_train"]
    if alpha.dtype.kind != "f" or alpha.dtype.itemsize > 8:
        raise InputError(f"alpha: dtype {alpha.dtype}: must be float64")
    if alpha.ndim != 2 or not alpha.size:
        raise InputError(f"alpha: shape {alpha.shape}: a row for each test point is expected")
    bad = ~np.isfinite(alpha)
    if bad.any():
        row, column = (int(at) for at in np.argwhere(bad)[0])
        raise InputError(f"alpha[{row}, {column}] is {alpha[row, column]}: must be finite")
    if labels.shape != alpha.shape[1:]:
        raise InputError(
            f"alpha has {alpha.shape[1]} columns, y_train the shape {labels.shape}: not a label "
            "each"
        )
    if labels.dtype.kind not in "iubf" or not np.isin(labels, (0, 1)).all():
        raise InputError("y_train: the labels must be 0 or 1")
    return AlphaVectors(
        alpha.astype(np.float64), labels.astype(np.int64), _indexes(arrays, len(alpha))
    )


def _indexes(arrays: Mapping[str, NDArray[Any]], rows: int) -> NDArray[np.int64]:
    if "index" not in arrays:
        return np.arange(rows, dtype=np.int64)
    index = arrays["index"]
    if index.dtype.kind not in "iu" or index.shape != (rows,):
        raise InputError("index: must be an integer for each row of alpha")
    if (index < 0).any() or (index > _MOST_INDEX).any():
        raise InputError("index: must not be negative, nor above 2^62")
    found = index.astype(np.int64)
    values, times = np.unique(found, return_counts=True)
    if (times > 1).any():
        raise InputError(f"index: {values[times > 1][0]} is there twice")
    return found
