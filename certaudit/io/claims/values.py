"""Values of arrays and data frames, as the texts that a file would have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from certaudit.claims import Chunk
from certaudit.io.claims.common import bare
from certaudit.io.claims.rows import Rows, odd

__all__ = ["cells", "checked"]


def cells(values: Sequence[object], *, flags: bool = False) -> list[str]:
    """Return values as text: floats by repr, what is missing as nothing.

    Raises ValueError for integers of more digits than are printed.
    """
    kinds = set(map(type, values))
    if kinds <= {int}:
        return list(map(str, values))
    if kinds <= {str}:
        return [bare(str(value)) for value in values]
    return [_cell(value, flags=flags) for value in values]


def _cell(value: object, *, flags: bool) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return ""
    if isinstance(value, bool):
        return str(int(value)) if flags else str(value)
    if isinstance(value, float):
        return "" if math.isnan(value) else float.__repr__(value)
    return bare(str(value))


def checked(rows: Rows, start: int, fields: list[list[str]]) -> Iterator[Chunk]:
    """Yield the rows of columns from somewhere in arrays, one by one where one may be a formula."""
    count = len(fields[0])
    if not any(map(odd, fields)):
        yield rows.chunk(np.arange(start + 1, start + 1 + count, dtype=np.int64), fields)
        return
    for line, row in enumerate(zip(*fields, strict=True), start + 1):
        if all(map(str.isprintable, row)):
            rows.add(line, row)
        else:
            rows.bad(line, "a control character")
    yield from rows.flush()
