"""Rows put together into chunks, with what is noted once in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from certaudit.claims import Chunk, Note
from certaudit.findings import (
    LABEL_AS_OBJECT,
    SPELLED_FLAGS,
    SPREADSHEET_FORMULA,
    STOPPED_EARLY,
    TWO_RUNS,
    Kind,
)
from certaudit.io.claims.blocks import Block
from certaudit.io.claims.common import MAX_LINE, MAX_NOTES, bare, shown

__all__ = ["Rows", "formulas", "is_formula", "odd"]

_OBJECT = re.compile(
    r"(?:[A-Za-z_][\w.]*\(\s*\[?|\[)\s*(-?[0-9]+)\.?\s*\]?\s*(?:,\s*[a-z_]+=[^()]*)?\)?",
    re.ASCII,
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+/[0-9]+|0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*(?:[pP][+-]?[0-9]+)?)")


class Rows:
    """The rows of one pass over a file, and what is noted once in it."""

    def __init__(self, names: Sequence[str | None], notes: Sequence[Note] = ()) -> None:
        self.names = tuple(names)
        self.run = 0
        self._notes = list(notes)
        self._noted = {note.kind.code for note in notes}
        self._malformed: list[tuple[int, str]] = []
        self._lines: list[int] = []
        self._fields: list[Sequence[str]] = []
        self._made = False

    def note(self, kind: Kind, line: int, message: str, *, about: str = "") -> None:
        """Note something of the file, once (once for each thing that it is about)."""
        key = kind.code + about
        if key not in self._noted and len(self._noted) < MAX_NOTES:
            self._noted.add(key)
            self._notes.append(Note(kind, line, message))

    def bad(self, line: int, why: str) -> None:
        """Tell of a row that cannot be read."""
        self._malformed.append((line, why))

    def cut_off(self, line: int) -> None:
        """Tell of a last line that breaks off."""
        self.bad(line, "the last line is cut off")
        self.note(STOPPED_EARLY, line, "the last line is cut off")

    def add(self, line: int, fields: Sequence[str]) -> None:
        """Add a row of stripped fields, unless one of them is a formula or cannot be printed."""
        if not "".join(fields).isprintable():
            self.bad(line, "a control character")
            return
        for field in fields:
            if field and field[0] in "=@+-" and is_formula(field):
                self.bad(line, f"a field starts like a formula: {shown(field)}")
                self.note(SPREADSHEET_FORMULA, line, f"the field {shown(field)}")
                return
        self._lines.append(line)
        self._fields.append(fields)

    def readable(self, block: Block) -> Iterator[tuple[int, str]]:
        """Yield the lines of a block that are not blank, and tell of those that are no text."""
        for number, line in block.lines():
            if number in block.long:
                self.bad(number, f"a line of more than {MAX_LINE} bytes")
            elif "\0" in line:
                self.bad(number, "a NUL byte")
            elif bare(line):
                yield number, line

    def short(self, block: Block, line: int, found: int, width: int) -> None:
        """Tell of a row with a wrong number of fields."""
        if found < width and block.is_cut(line):
            self.cut_off(line)
        else:
            self.bad(line, f"{found} fields instead of {width}")

    def new_run(self, line: int, why: str) -> Iterator[Chunk]:
        """Yield what there is of a run, before another one begins."""
        yield from self.flush()
        self.note(TWO_RUNS, line, why)
        self.run += 1

    def flush(self, *, last: bool = False) -> Iterator[Chunk]:
        """Yield the rows added so far (at the end of a file something, if only empty columns)."""
        if self._fields or self._malformed or self._notes or (last and not self._made):
            columns = list(zip(*self._fields, strict=True)) or [()] * len(self.names)
            lines = np.asarray(self._lines, dtype=np.int64)
            self._lines, self._fields = [], []
            yield self.chunk(lines, columns)

    def chunk(self, lines: NDArray[np.int64], fields: Sequence[Sequence[str]]) -> Chunk:
        """Return rows as a chunk: `fields` are columns of stripped text, in the order of names."""
        columns = {
            name: column if isinstance(column, list) else list(column)
            for name, column in zip(self.names, fields, strict=True)
            if name is not None
        }
        for name in ("label", "prediction"):
            if name in columns:
                columns[name] = self._plain(lines, columns[name], name)
        for name in ("correct", "decided"):
            if name in columns:
                columns[name] = self._flags(lines, columns[name], name)
        made = Chunk(lines, columns, self.run, self._malformed, self._notes)
        self._malformed, self._notes, self._made = [], [], True
        return made

    def _plain(self, lines: NDArray[np.int64], column: list[str], name: str) -> list[str]:
        """Return labels without the tensors, lists and so on that they are printed as."""
        inner = {
            text: match[1]
            for text in set(column)
            if text and text[-1] in ")]" and (match := _OBJECT.fullmatch(text[:200]))
        }
        if not inner:
            return column
        at = next(at for at, text in enumerate(column) if text in inner)
        self.note(LABEL_AS_OBJECT, int(lines[at]), f"{name} {shown(column[at])}")
        return [inner.get(text, text) for text in column]

    def _flags(self, lines: NDArray[np.int64], column: list[str], name: str) -> list[str]:
        spelled = {text for text in set(column) if text.lower() in {"true", "false"}}
        if not spelled:
            return column
        at = next(at for at, text in enumerate(column) if text in spelled)
        self.note(SPELLED_FLAGS, int(lines[at]), f"{name} is {column[at]}")
        flags = {text: "1" if text.lower() == "true" else "0" for text in spelled}
        return [flags.get(text, text) for text in column]


_NEGATIVE = re.compile(r"(?:\n-[0-9]+(?:\.[0-9]+)?)*+", re.ASCII)
"""A column of plain negative numbers, told at once."""


def is_formula(field: str) -> bool:
    """Return whether a field that starts with =, @, + or - would run in a spreadsheet."""
    if field[0] in "=@" or not field.isascii():  # float() takes the digits of all scripts
        return True
    try:
        float(field)
    except ValueError:
        return not _NUMBER.fullmatch(field)
    return False


def formulas(column: list[str]) -> bool:
    """Return whether a column may hold a formula (numbers that are no decimals count, too)."""
    joined = "\n" + "\n".join(column)
    if "\n=" in joined or "\n@" in joined:
        return True
    if ("\n-" in joined or "\n+" in joined) and not _NEGATIVE.fullmatch(joined):
        try:
            for field in set(column):
                if field[:1] in {"-", "+"}:
                    if not field.isascii():
                        return True
                    float(field)
        except ValueError:
            return True
    return False


def odd(column: list[str]) -> bool:
    """Return whether a column may hold what a row is refused for."""
    return formulas(column) or not "".join(column).isprintable()
