"""Data frames, and mappings of names to sequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from certaudit.claims import Chunk, Source
from certaudit.errors import InputError
from certaudit.io.claims.columns import choose
from certaudit.io.claims.common import ROWS, bare, shown
from certaudit.io.claims.rows import Rows
from certaudit.io.claims.values import cells, checked

__all__ = ["frame_source"]


def frame_source(
    frame: Any,  # noqa: ANN401  (any library's table)
    name: str = "frame",
    columns: Mapping[str, str] | None = None,
) -> Source:
    """Return the claims in a data frame (pandas, polars), or a mapping of names to sequences.

    Floats are taken by their shortest spelling, missing values as nothing.

    Raises InputError for what is no such table; for columns of unequal length, without evidence,
    or not there; and, from `chunks`, for values that cannot be written.
    """
    headers, header = _headers(frame)
    found = choose([bare(each) for each in header], dict(columns or {}), name, 0)
    kind = found.kind
    if kind is None:
        raise InputError(f"{name}: no radius and no evidence in the columns {header[:20]}")
    read = [(ours, key) for ours, key in zip(found.names, headers, strict=True) if ours is not None]
    if len({_length(frame, key, name) for _, key in read}) != 1:
        raise InputError(f"{name}: the columns have unequal lengths")

    def chunks() -> Iterator[Chunk]:
        rows = Rows([ours for ours, _ in read], found.notes)
        values = [_listed_values(frame[key]) for _, key in read]
        for start in range(0, len(values[0]), ROWS):
            fields = [
                _texts(column[start : start + ROWS], ours, f"{name}: the column {shown(str(key))}")
                for (ours, key), column in zip(read, values, strict=True)
            ]
            yield from checked(rows, start, fields)
        yield from rows.flush(last=True)

    return Source(name, kind, found.stated, chunks)


def _headers(frame: Any) -> tuple[list[object], list[str]]:  # noqa: ANN401
    """Return the keys of columns, and the names that they are."""
    try:
        keys = list(frame.keys() if isinstance(frame, Mapping) else frame.columns)
        return keys, [str(each) for each in keys]
    except (AttributeError, TypeError, ValueError):
        raise InputError("claims: a path, a data frame or a mapping of columns") from None


def _length(frame: Any, key: object, name: str) -> int:  # noqa: ANN401
    """Return how many values a column has; text and what has no order are no columns."""
    try:
        column = frame[key]
        if not isinstance(column, str | bytes | Mapping | AbstractSet):
            return len(column)
    except TypeError:
        pass
    raise InputError(f"{name}: the column {shown(str(key))}: must be a sequence of values")


def _texts(values: Sequence[object], ours: str, what: str) -> list[str]:
    try:
        return cells(values, flags=ours in ("correct", "decided"))
    except ValueError:  # an integer of more digits than Python prints (4,300)
        raise InputError(f"{what}: holds a number of too many digits") from None


def _listed_values(column: Any) -> Sequence[object]:  # noqa: ANN401
    for method in ("tolist", "to_list"):
        if hasattr(column, method):
            values: list[object] = getattr(column, method)()
            return values
    return list(column)
