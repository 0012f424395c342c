"""Read data sets: X_train, y_train, X_test, y_test as .npz or .npy files, or CSV with labels."""

from __future__ import annotations

import csv
import math
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from certaudit.errors import InputError

__all__ = [
    "KEYS",
    "MAX_BYTES",
    "UNREADABLE",
    "RawDataSet",
    "npz_arrays",
    "npz_names",
    "read_data_set",
]

KEYS = ("X_train", "y_train", "X_test", "y_test")
MAX_BYTES = 1 << 34
"""Largest array, uncompressed, that is read from an .npz file."""

_EVERY = 5
_SEPARATE = "given: separate training and test arrays"
_NPY = b"\x93NUMPY"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    SyntaxError,
    TokenError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and the modules below it raise for archives that are none, or broken."""


@dataclass(frozen=True)
class RawDataSet:
    """The four arrays as they were read, and in words how rows were split into train and test."""

    arrays: dict[str, NDArray[Any]]
    split: str


def read_data_set(
    path: Path, *, label_column: str | None = None, test: Path | None = None
) -> RawDataSet:
    """Read `path`, by its content: an .npz archive, else CSV (which needs `label_column`).

    A folder holds the four arrays as .npy files, which are mapped, not read: their size has no
    limit.

    In a CSV every other column is a finite decimal number. `test` is a second CSV with the test
    rows; without it every fifth row (4, 9, 14, ...) is a test row: a split that reads no labels.

    Raises InputError, naming the file and the place in it.
    """
    if _is_folder(path):
        if label_column is not None or test is not None:
            raise InputError(f"{path}: --label-column and --test are for CSV files, not a folder")
        return RawDataSet(_map_folder(path), _SEPARATE)
    magic = _first_bytes(path)
    if magic[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        if label_column is not None or test is not None:
            raise InputError(f"{path}: --label-column and --test are for CSV files, this is .npz")
        return RawDataSet(_read_npz(path), _SEPARATE)
    if magic == _NPY:
        raise InputError(
            f"{path}: a single .npy array; four are needed, in one .npz file or one folder"
        )
    if path.suffix.lower() == ".npz":
        raise InputError(f"{path}: not an .npz file (truncated, or another format)")
    if label_column is None:
        raise InputError(f"{path}: not an .npz file; if it is CSV, name its --label-column")
    return _read_tables(path, label_column, test)


def _read_tables(path: Path, label_column: str, test: Path | None) -> RawDataSet:
    names, features, labels = _read_csv(path, label_column)
    if test is not None:
        test_names, test_features, test_labels = _read_csv(test, label_column)
        if test_names != names:
            raise InputError(f"{test}: its columns are not those of {path}, in the same order")
        arrays = (features, labels, test_features, test_labels)
        return RawDataSet(dict(zip(KEYS, arrays, strict=True)), "given: a separate test file")
    held_out = np.arange(len(labels)) % _EVERY == _EVERY - 1
    if not held_out.any():
        raise InputError(
            f"{path}: {len(labels)} rows; at least {_EVERY} are needed, or --test FILE"
        )
    arrays = (features[~held_out], labels[~held_out], features[held_out], labels[held_out])
    return RawDataSet(dict(zip(KEYS, arrays, strict=True)), "every fifth row is a test row")


def _first_bytes(path: Path) -> bytes:
    """Return what tells one format from another; a file is opened twice, so no pipes."""
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: not a regular file")
        with path.open("rb") as file:
            return file.read(6)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def _map_folder(path: Path) -> dict[str, NDArray[Any]]:
    """Return the four arrays of a folder, mapped: what is not used is never in memory."""
    names = [f"{key}.npy" for key in KEYS]
    try:
        present = {entry.name for entry in path.iterdir()}
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    missing = [name for name in names if name not in present]
    if len(missing) == len(names):
        raise InputError(f"{path}: not a regular file, nor a folder with {', '.join(names)}")
    if missing:
        raise InputError(f"{path}: no file {', '.join(missing)} (needed: {', '.join(names)})")
    return {key: _map_npy(path / name) for key, name in zip(KEYS, names, strict=True)}


def _map_npy(path: Path) -> NDArray[Any]:
    if _first_bytes(path) != _NPY:
        raise InputError(f"{path}: not an .npy file (truncated, or another format)")
    try:
        # Headers of Python 2, and shapes beyond any file, come with warnings: noise here.
        with warnings.catch_warnings(action="ignore"):
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (*UNREADABLE, MemoryError) as error:
        raise InputError(f"{path}: cannot be read ({_why(error)})") from None
    return array


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    present = npz_names(path)
    missing = [key for key in KEYS if key not in present]
    if missing:
        raise InputError(f"{path}: no array {', '.join(missing)} (needed: {', '.join(KEYS)})")
    return npz_arrays(path, KEYS)


def npz_names(path: Path) -> set[str]:
    """Return the names of the arrays of an .npz file.

    Raises InputError where it is none, or holds two members of one name.
    """
    _first_bytes(path)  # says it best where there is no such file
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except UNREADABLE as error:
        raise InputError(f"{path}: not a readable .npz file ({_why(error)})") from None
    if len(set(names)) < len(names):
        raise InputError(f"{path}: two members have the same name")
    return {name.removesuffix(".npy") for name in names if name.endswith(".npy")}


def npz_arrays(path: Path, keys: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays of these names, which an .npz file holds.

    Raises InputError, naming the array, for one that cannot be read, is too large or holds objects.
    """
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    arrays = {}
    for key in keys:
        if sizes[f"{key}.npy"] > MAX_BYTES:
            raise InputError(f"{path}: {key} has more than {MAX_BYTES} bytes")
        try:
            # Headers of Python 2 are read with a warning that would be noise here.
            with (
                warnings.catch_warnings(action="ignore"),
                np.load(path, allow_pickle=False) as archive,
            ):
                arrays[key] = np.asarray(archive[key])
        except (*UNREADABLE, MemoryError) as error:
            raise InputError(f"{path}: {key} cannot be read ({_why(error)})") from None
        if arrays[key].dtype.hasobject:
            raise InputError(f"{path}: {key} is an object array")
    return arrays


def _why(error: Exception) -> str:
    """Return the first line of what a library said, without its length."""
    said = error.args[0] if isinstance(error, TokenError) else error
    text = str(said).strip() or type(error).__name__
    first = text.splitlines()[0]
    return first if len(first) <= 100 else first[:97] + "..."


def _read_csv(
    path: Path, label_column: str
) -> tuple[list[str], NDArray[np.float64], NDArray[np.str_]]:
    rows = _csv_rows(path)
    try:
        names = next(rows)[1]
    except StopIteration:
        raise InputError(f"{path}: empty") from None
    if names.count(label_column) != 1:
        count = "no" if label_column not in names else "more than one"
        shown = ", ".join(names[:8])
        shown = shown[:120] + ("..." if len(names) > 8 or len(shown) > 120 else "")
        raise InputError(f"{path}: {count} column {label_column!r} (columns: {shown})")
    at = names.index(label_column)
    _check_names(path, names)
    features, labels = [], []
    for line, fields in rows:
        if len(fields) != len(names):
            raise InputError(
                f"{path}, line {line}: {len(fields)} fields where the header has {len(names)}"
            )
        labels.append(fields[at].strip())
        if not labels[-1]:
            raise InputError(f"{path}, line {line}: no label in column {label_column!r}")
        features.append(
            [
                _number(field, path, line, name)
                for i, (field, name) in enumerate(zip(fields, names, strict=True))
                if i != at
            ]
        )
    if not labels:
        raise InputError(f"{path}: a header but no rows")
    others = names[:at] + names[at + 1 :]
    matrix = np.asarray(features, dtype=np.float64).reshape(len(labels), len(others))
    return others, matrix, _plain_labels(labels)


def _check_names(path: Path, names: list[str]) -> None:
    """Refuse columns without a name (a row index, as a rule, which may tell the label), twins."""
    for position, name in enumerate(names):
        if not name.strip():
            raise InputError(f"{path}: column {position + 1} has no name (a row index?): remove it")
        if names.index(name) != position:
            raise InputError(f"{path}: two columns are called {name[:40]!r}")


def _number(field: str, path: Path, line: int, name: str) -> float:
    text = field.strip()
    if _NUMBER.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
    shown = repr(text if len(text) <= 30 else text[:27] + "...")
    raise InputError(f"{path}, line {line}, column {name!r}: {shown} is not a finite number")


def _plain_labels(labels: list[str]) -> NDArray[Any]:
    """Return labels as int64 where all are written as small integers, else as text."""
    if all(re.fullmatch(r"-?[0-9]{1,9}", label) for label in labels):
        return np.asarray([int(label) for label in labels], dtype=np.int64)
    return np.asarray(labels, dtype=np.str_)


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for fields in reader:
                if any("\0" in field for field in fields):
                    raise InputError(f"{path}, line {reader.line_num}: a NUL byte")
                if fields:
                    yield reader.line_num, fields
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text (byte {_first_bad_byte(path)})") from None
    except csv.Error as error:
        raise InputError(f"{path}: not readable as CSV ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def _first_bad_byte(path: Path) -> int:
    """Return where a file stops being UTF-8 (the incremental decoder counts from its buffer)."""
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0
