"""Votes in .npz files: an array `counts`, and others beside it."""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from certaudit.claims import Chunk, Note, Stated
from certaudit.errors import InputError
from certaudit.findings import UNKNOWN_COLUMN
from certaudit.io.claims.common import (
    MAX_FIELDS,
    MAX_NOTES,
    ROWS,
    Place,
    Reading,
    Unrecognised,
    named,
    shown,
    why,
)
from certaudit.io.claims.manifest import PLAIN_KEYS, stated_as
from certaudit.io.claims.names import from_name
from certaudit.io.claims.rows import Rows
from certaudit.io.claims.values import cells, checked
from certaudit.io.datasets import UNREADABLE

__all__ = ["MAX_ARCHIVE", "archive"]

MAX_ARCHIVE = 1 << 32
"""Most bytes, uncompressed, of the arrays of an .npz file."""
_UNREADABLE = (*UNREADABLE, MemoryError)


class _Array(NamedTuple):
    """What the header of a member of an archive says."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


_ROW_ARRAYS = {
    "index": "index",
    "label": "label",
    "labels": "label",
    "prediction": "prediction",
    "radius": "radius",
    "p_lower": "p_lower",
    "p_upper": "p_upper",
    "log_error": "log_error",
    "selection_count": "selection_count",
    "selection_samples": "selection_samples",
}
_NUMBERS = frozenset({"radius", "p_lower", "p_upper", "log_error"})
_SCALARS = ("noise", "sigma", "q", "alpha", *PLAIN_KEYS, "values")


def archive(place: Place) -> Reading:
    """Return the votes in an .npz file; only headers, and single values, are read here."""
    path = place.path
    with named(path), _arrays(path):
        found = _array_headers(path)
    if "counts" not in found:
        raise Unrecognised("an archive without an array counts")
    _check_arrays(path, found)
    stated = from_name(place)
    with _arrays(path), np.load(path, allow_pickle=False) as content:
        for name in _SCALARS:
            if name in found:
                value = content[name].item()
                stated[name] = stated_as(name, value, str(path))
    if "selection_counts" in found:
        stated.setdefault("selection", Stated("separate", "file"))
    kind = "radii" if "radius" in found else "votes"
    if kind == "votes" and found.keys() & {"p_lower", "p_upper", "log_error"}:
        kind = "shares"
    return Reading(kind, stated, lambda: _array_chunks(path, found))


@contextmanager
def _arrays(path: Path) -> Iterator[None]:
    """Turn what is wrong with an archive into an error that names it, without NumPy's warnings."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except _UNREADABLE as error:
        raise InputError(f"{path}: not a readable .npz file ({why(error)})") from None


def _array_headers(path: Path) -> dict[str, _Array]:
    """Return shape and dtype of every array, each held against the bytes that there are."""
    found: dict[str, _Array] = {}
    with zipfile.ZipFile(path) as content:
        members = content.infolist()
        if not any(info.filename.endswith(".npy") for info in members):
            raise Unrecognised("compressed")
        if sum(info.file_size for info in members) > MAX_ARCHIVE:
            raise InputError(f"{path}: has more than {MAX_ARCHIVE} bytes uncompressed")
        for info in members:
            name = info.filename.removesuffix(".npy")
            if name in found:
                raise InputError(f"{path}: two members are called {shown(name)}")
            if name == info.filename:
                continue
            with content.open(info) as member:
                version = np.lib.format.read_magic(member)
                read = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }.get(version)
                if read is None:
                    raise InputError(f"{path}: {name} has a header of version {version}")
                shape, _, dtype = read(member)
            found[name] = _Array(shape, dtype)
            if not dtype.hasobject and math.prod(shape) * dtype.itemsize > info.file_size:
                raise InputError(f"{path}: {name} is shorter than its header says")
    return found


def _check_arrays(path: Path, found: Mapping[str, _Array]) -> None:
    """Refuse arrays that are not what their names promise."""
    shape = found["counts"].shape
    if len(shape) != 2 or not 1 <= shape[1] <= MAX_FIELDS:
        raise InputError(f"{path}: counts: must be a row for each point, a column for each class")
    if {"label", "labels"} <= found.keys():
        raise InputError(f"{path}: both label and labels")
    needed: tuple[int, ...]
    for name, array in found.items():
        if name in {"counts", "selection_counts"}:
            needed, kinds, like = shape, "iu", "integers, of the shape of counts"
        elif name in _ROW_ARRAYS and name in _NUMBERS:
            needed, kinds, like = shape[:1], "iufU", "numbers or text, one for each row of counts"
        elif name in _ROW_ARRAYS:
            needed, kinds, like = shape[:1], "iu", "integers, one for each row of counts"
        elif name in _SCALARS:
            needed, kinds, like = (), "iuU", "a single integer or short text"
        else:
            continue
        long = name in _SCALARS and array.dtype.itemsize > MAX_FIELDS
        if array.dtype.kind not in kinds or array.shape != needed or long:
            raise InputError(f"{path}: {name}: must be {like}")


def _array_chunks(path: Path, found: Mapping[str, _Array]) -> Iterator[Chunk]:
    with _arrays(path):
        now = _array_headers(path)
        if now != found:
            raise InputError(f"{path}: changed while it was read")
        with np.load(path, allow_pickle=False) as content:
            counts = content["counts"]
            others = {ours: content[name] for name, ours in _ROW_ARRAYS.items() if name in found}
            chosen = content["selection_counts"] if "selection_counts" in found else None
    if chosen is not None and "prediction" not in others:
        others["prediction"] = chosen.argmax(axis=1)
    names = [f"count:{k}" for k in range(counts.shape[1])]
    by_selection = [] if chosen is None else ["selection_count", "selection_samples"]
    for name in by_selection:
        others.pop(name, None)
    # Wide rows make smaller chunks: memory does not grow with the number of classes.
    step = max(1, min(ROWS, (ROWS << 5) // (len(names) + len(others) + 2)))
    rows = Rows((*others, *by_selection, *names), _unread(found))
    for start in range(0, len(counts), step):
        part = slice(start, start + step)
        columns = [cells(array[part].tolist()) for array in others.values()]
        if chosen is not None:
            columns.extend(_selected(chosen[part], others["prediction"][part]))
        columns.extend(list(map(str, column)) for column in counts[part].T.tolist())
        yield from checked(rows, start, columns)
    yield from rows.flush(last=True)


def _unread(found: Mapping[str, _Array]) -> list[Note]:
    known = {"counts", "selection_counts", *_ROW_ARRAYS, *_SCALARS}
    names = sorted(found.keys() - known)
    return [Note(UNKNOWN_COLUMN, 0, f"array {shown(name)}") for name in names[:MAX_NOTES]]


def _selected(chosen: NDArray[Any], prediction: NDArray[Any]) -> tuple[list[str], list[str]]:
    """Return the votes for the prediction in the samples that chose it, and how many these are."""
    classes = chosen.shape[1]
    votes = [
        str(row[at]) if 0 <= at < classes else ""
        for row, at in zip(chosen.tolist(), prediction.tolist(), strict=True)
    ]
    # Sums in Python: counts that overflow int64 are somebody's mistake, not ours to make worse.
    return votes, [str(sum(row)) for row in chosen.tolist()]
