"""JSON lines: an object a line, for other people's claims and for the certificates of our runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from certaudit.claims import Chunk, Note, Stated
from certaudit.errors import InputError
from certaudit.findings import UNKNOWN_COLUMN
from certaudit.io.claims.blocks import Block, blocks
from certaudit.io.claims.columns import SILENT, canonical, choose
from certaudit.io.claims.common import (
    BLANKS,
    Edit,
    Malformed,
    Place,
    Reading,
    Record,
    Span,
    Statements,
    Unrecognised,
    bare,
    shown,
)
from certaudit.io.claims.manifest import MARK, manifest_states
from certaudit.io.claims.names import from_name
from certaudit.io.claims.rows import Rows, odd
from certaudit.io.claims.strict_json import (
    json_object,
    objects_at_once,
    parse_json,
    value_spans,
)

__all__ = ["Beginning", "beginning", "by_guarantee", "json_lines"]

_KEYS = ("index", "label", "prediction", "log_error", "p_lower", "radius", "constant", "decided")
_EXACT = "evidence"
"""Of certificates with exact radii; as a column it says whether the vote is proven by it."""
_NESTED = ("radius", _EXACT)
_UNREAD = frozenset({"t", "rivals"})
_FLAGS = frozenset({"correct", "constant", "decided", "label", "prediction"})
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


class Beginning(NamedTuple):
    """The objects at the beginning of a file, and what a manifest in its first line states."""

    objects: list[Record]
    stated: Statements
    skip: int

    @property
    def guarantees(self) -> list[str] | None:
        """The guarantees that radii are given for, None where a radius is a number."""
        radius = next((found["radius"] for found in self.objects if "radius" in found), None)
        return list(radius) if isinstance(radius, dict) else None


def beginning(path: Path, lines: list[str]) -> Beginning:
    """Return what the first lines of a file hold; the last of them may be cut."""
    objects: list[Record] = []
    stated: Statements = {}
    skip = 0
    for number, line in enumerate(lines, 1):
        with suppress(Malformed):
            if bare(line):
                objects.append(json_object(line))
                if MARK in objects[-1] and len(objects) == 1:
                    what = f"{path}: line {number}"
                    stated |= manifest_states(parse_json(line, what), what)
                    skip = number
                    objects.clear()
    return Beginning(objects, stated, skip)


def json_lines(place: Place, lines: list[str], columns: Mapping[str, str]) -> list[Reading]:
    """Return what a file with an object a line is: several sources where radii are by guarantee."""
    began = beginning(place.path, lines)
    objects, skip = began.objects, began.skip
    if not objects and not skip:
        raise Unrecognised("JSON, but not an object a line")
    stated = from_name(place) | began.stated
    if (guarantees := began.guarantees) is not None:
        return by_guarantee(place.path, guarantees, stated, skip, objects)
    keys = list(dict.fromkeys(key for found in objects for key in found))
    found = choose(keys, columns, str(place.path), skip + 1)
    if found.kind is None and keys:
        raise Unrecognised("JSON lines without a radius or evidence")
    reader = _Reader(tuple(keys), found.names, found.notes, skip)
    edit = Edit(found.names, reader.read, reader.spans, _spelled)
    kind = found.kind or "radii"
    return [Reading(kind, stated | found.stated, lambda: reader.chunks(place.path), edit)]


def by_guarantee(
    path: Path,
    guarantees: Sequence[str],
    stated: Statements,
    skip: int,
    objects: Sequence[Record] = (),
) -> list[Reading]:
    """Return the claims of each guarantee, laid out as in certificates.jsonl.

    `objects` are the first of the file: they tell whether it has exact radii with their evidence.
    """
    if not guarantees:
        raise InputError(f"{path}: no radius for a guarantee")
    keys = (*_KEYS, _EXACT) if any(_EXACT in found for found in objects) else _KEYS
    return [_of_guarantee(path, name, stated, skip, keys) for name in guarantees]


def _of_guarantee(
    path: Path, name: str, stated: Statements, skip: int, keys: tuple[str, ...]
) -> Reading:
    reader = _Reader(keys, keys, [], skip, name)
    fixed = {"guarantee": Stated(name, "file")}
    return Reading("radii", stated, lambda: reader.chunks(path), fixed=fixed, part=f" [{name}]")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads lines of JSON: their keys, what these are, and the guarantee in our own files."""

    keys: tuple[str, ...]
    names: tuple[str | None, ...]
    notes: list[Note]
    skip: int
    guarantee: str | None = None

    def chunks(self, path: Path) -> Iterator[Chunk]:
        """Yield the rows of a file."""
        rows = Rows(self.names, self.notes)
        known = set(self.keys) if self.guarantee is None else {*self.keys, *_UNREAD}
        for block in blocks(path, self.skip):
            fields = self._at_once(block, known)
            if fields is not None:
                lines = np.arange(block.first, block.first + block.size, dtype=np.int64)
                yield rows.chunk(lines, fields)
                continue
            for number, line in rows.readable(block):
                try:
                    record = json_object(line)
                    self._watch(record.keys() - known, number, rows)
                    rows.add(number, self._fields(record))
                except Malformed as error:
                    if block.is_cut(number) and not line.rstrip(BLANKS).endswith("}"):
                        rows.cut_off(number)
                    else:
                        rows.bad(number, str(error))
            yield from rows.flush()
        yield from rows.flush(last=True)

    def _at_once(self, block: Block, known: set[str]) -> list[list[str]] | None:
        """Return the columns of a block in which nothing is odd, or None."""
        if block.long:
            return None
        records = objects_at_once(block, _NESTED if self.guarantee is not None else ())
        if records is None or not all(map(known.issuperset, records)):
            return None
        columns = []
        for key, name in zip(self.keys, self.names, strict=True):
            if name is None:
                columns.append([""] * len(records))
                continue
            values: list[Any] = [record.get(key) for record in records]
            column: list[str] = values  # if they are
            if set(map(type, values)) != {str}:
                try:
                    column = [self._cell(value, name) for value in values]
                except Malformed:
                    return None
            if odd(column) or " " in "".join(column):
                return None
            columns.append(column)
        return columns

    def _watch(self, others: Iterable[str], line: int, rows: Rows) -> None:
        """Note keys that the first objects do not have; what is evidence must not come late."""
        for key in sorted(others):
            if canonical(key) is not None:
                raise Malformed(f"the key {shown(key)} comes only here")
            if key.casefold() not in SILENT:
                rows.note(UNKNOWN_COLUMN, line, f"key {shown(key)}", about=key)

    def _fields(self, record: Record) -> list[str]:
        return [
            "" if name is None else self._cell(record.get(key), name)
            for key, name in zip(self.keys, self.names, strict=True)
        ]

    def _cell(self, value: object, name: str) -> str:
        if name == "radius" and self.guarantee is not None:
            if not isinstance(value, dict) or self.guarantee not in value:
                raise Malformed(f"no radius for {self.guarantee}")
            value = value[self.guarantee]
            if isinstance(value, dict):  # an exact radius is a bracket; the proven end is claimed
                value = value.get("proved")
        if name == _EXACT and self.guarantee is not None and value is not None:
            if not isinstance(value, dict):
                raise Malformed(f"{name} is no object")
            return "1" if isinstance(value.get("proved"), dict) else ""
        if value is None:
            return ""
        if isinstance(value, bool) and name in _FLAGS:
            return "1" if value else "0"
        if not isinstance(value, str):
            raise Malformed(f"{name} is neither a number nor text")
        return bare(value)

    def read(self, line: str) -> list[str]:
        """Return the fields of a line."""
        record = json_object(line)
        if MARK in record:
            raise Malformed("a manifest")
        return self._fields(record)

    def spans(self, line: str) -> list[Span | None]:
        """Return where the values of a line stand."""
        found = value_spans(line)
        return [found.get(key) for key in self.keys]


def _spelled(old: str, new: str) -> str:
    """Return a text as a value of JSON: where it was none, as a flag or number if it can be."""
    if old.startswith('"'):
        return json.dumps(new)
    if old in {"true", "false"} and new in {"0", "1"}:
        return "true" if new == "1" else "false"
    if not new:
        return "null"
    return new if _NUMBER.fullmatch(new) else json.dumps(new)
