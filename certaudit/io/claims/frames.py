"""Data frames, and mappings of names to sequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from certaudit.claims import Chunk, Source
from certaudit.errors import InputError
from certaudit.io.claims.columns import choose
from certaudit.io.claims.common import ROWS
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

    Raises InputError for columns of unequal length, without evidence, or not there.
    """
    headers = list(frame.keys()) if isinstance(frame, Mapping) else list(frame.columns)
    header = [str(each) for each in headers]
    found = choose([each.strip() for each in header], dict(columns or {}), name, 0)
    kind = found.kind
    if kind is None:
        raise InputError(f"{name}: no radius and no evidence in the columns {header[:20]}")
    read = [(ours, key) for ours, key in zip(found.names, headers, strict=True) if ours is not None]
    lengths = {len(frame[key]) for _, key in read}
    if len(lengths) != 1:
        raise InputError(f"{name}: the columns have unequal lengths")

    def chunks() -> Iterator[Chunk]:
        rows = Rows([ours for ours, _ in read], found.notes)
        values = [_listed_values(frame[key]) for _, key in read]
        for start in range(0, len(values[0]), ROWS):
            fields = [
                cells(column[start : start + ROWS], flags=ours in ("correct", "decided"))
                for (ours, _), column in zip(read, values, strict=True)
            ]
            yield from checked(rows, start, fields)
        yield from rows.flush(last=True)

    return Source(name, kind, found.stated, chunks)


def _listed_values(column: Any) -> Sequence[object]:  # noqa: ANN401
    for method in ("tolist", "to_list"):
        if hasattr(column, method):
            values: list[object] = getattr(column, method)()
            return values
    return list(column)
