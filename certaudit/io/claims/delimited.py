"""Delimited text: logs and tables with a header, and rows whose layout is known without one."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from certaudit.claims import Chunk, Note
from certaudit.findings import PADDED_SEPARATORS
from certaudit.io.claims.blocks import Block, blocks
from certaudit.io.claims.columns import SILENT, canonical, choose, kind_of
from certaudit.io.claims.common import (
    BLANKS,
    MAX_FIELDS,
    Edit,
    Malformed,
    Place,
    Reading,
    Span,
    Statements,
    Unrecognised,
    bare,
    words,
)
from certaudit.io.claims.names import from_name
from certaudit.io.claims.rows import Rows, formulas

__all__ = ["Layout", "edit_of", "stripped", "table", "without_header"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of a delimited file are laid out; a `delimiter` of None stands for blanks."""

    delimiter: str | None
    header: tuple[str, ...]
    names: tuple[str | None, ...]
    line: int
    notes: tuple[Note, ...] = ()


def table(place: Place, line: int, text: str, columns: Mapping[str, str]) -> Reading | None:
    """Return what a file is whose header is a line, None where that is no header."""
    delimiter = next((mark for mark in "\t,;" if mark in text), None)
    try:
        header = tuple(_split(text, delimiter))
    except Malformed:
        return None
    if len(header) > MAX_FIELDS:
        raise Unrecognised(f"has more than {MAX_FIELDS} columns")
    if delimiter is None and not columns and not _is_header(header):
        return None
    known = kind_of(map(canonical, header)) is not None
    if not known and not (columns and set(columns.values()) & set(header)):
        return None
    found = choose(header, columns, str(place.path), line)
    if found.kind is None:
        return None
    notes = found.notes
    if delimiter is not None and _padded(text, delimiter):
        notes.append(Note(PADDED_SEPARATORS, line, "blanks around the separators of the header"))
    layout = Layout(delimiter, header, found.names, line, tuple(notes))
    return without_header(place, layout, found.kind, from_name(place) | found.stated)


def without_header(place: Place, layout: Layout, kind: str, stated: Statements) -> Reading:
    """Return a file whose layout is known."""
    edit = None if kind == "curve" else edit_of(layout)
    return Reading(kind, stated, lambda: _chunks(place.path, layout), edit)


def _is_header(words: Sequence[str]) -> bool:
    """Return whether words are names of columns, and not a sentence that holds such a name."""
    known = sum(canonical(word) is not None or word.casefold() in SILENT for word in words)
    return known == len(words) or (known >= 3 and 2 * known >= len(words))


def _padded(text: str, delimiter: str) -> bool:
    return f" {delimiter}" in text or f"{delimiter} " in text


def _split(line: str, delimiter: str | None) -> list[str]:
    """Return the stripped fields of a line; a quoted field has to end where it began."""
    if delimiter is None:
        return words(line)
    if '"' not in line:
        return [bare(field) for field in line.split(delimiter)]
    try:
        rows = list(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        raise Malformed("a quoted field that does not end in its line") from None
    return [bare(field) for field in rows[0]]


def _chunks(path: Path, layout: Layout) -> Iterator[Chunk]:
    rows = Rows(layout.names, layout.notes)
    for block in blocks(path, layout.line):
        columns = _fast(block, layout, rows)
        if columns is None:
            yield from _carefully(block, layout, rows)
        else:
            lines = np.arange(block.first, block.first + block.size, dtype=np.int64)
            yield rows.chunk(lines, columns)
    yield from rows.flush(last=True)


# Bytes that ask for nothing: no quote, no control character, no end of line but the newline.
_PLAIN = bytes(byte for byte in range(33, 127) if byte != ord('"')) + b"\n"


def _fast(block: Block, layout: Layout, rows: Rows) -> list[list[str]] | None:
    """Return the columns of a block in which nothing is odd, else None."""
    delimiter, text = layout.delimiter, _plain_text(block, layout.delimiter)
    if text is None:
        return None
    if delimiter is None or '"' in text:
        columns = _by_row(text, layout)
    else:
        closer = text.replace(f" {delimiter} ", delimiter)
        columns = _at_once(closer, delimiter, block.size, len(layout.names))
    if columns is None:
        return None
    padded = delimiter is not None and " " in text
    if padded:  # plain text has no other white space than blanks and tabs
        columns = [list(map(str.strip, column)) for column in columns]
    if layout.header and layout.header[0] in columns[0]:
        return None
    if any(sign in text for sign in "=@+-") and any(map(formulas, columns)):
        return None
    if padded:
        _note_padding(block.first, text, delimiter or "", rows)
    return columns


def _plain_text(block: Block, delimiter: str | None) -> str | None:
    """Return the text of a block with nothing in it but ASCII, blanks and quotes, else None."""
    data = block.data
    odd = set(data.translate(None, _PLAIN + (delimiter or "\t").encode("ascii")))
    if ord("\r") in odd:
        data = data.replace(b"\r\n", b"\n").removesuffix(b"\r")
        if b"\r" not in data:
            odd.discard(ord("\r"))
    return None if block.long or not odd <= {ord(" "), ord('"')} else data.decode("ascii")


def _at_once(text: str, delimiter: str, count: int, width: int) -> list[list[str]] | None:
    """Split lines all at once, with a mark for each end of line.

    The fields are right exactly where the marks are evenly spaced.
    """
    fields = text.replace("\n", f"{delimiter}\n{delimiter}").split(delimiter)
    step = width + 1
    if len(fields) != count * step - 1 or fields[width::step].count("\n") != count - 1:
        return None
    return [fields[at::step] for at in range(width)]


def _by_row(text: str, layout: Layout) -> list[list[str]] | None:
    """Split lines at blanks, or with quotes, if each of them is a row."""
    lines = text.split("\n")
    if layout.delimiter is None:
        if '"' in text:
            return None
        rows = list(map(str.split, lines))
    else:
        try:
            rows = list(csv.reader(lines, delimiter=layout.delimiter, strict=True))
        except csv.Error:
            return None
    # A quoted field that goes on in the next line makes fewer rows than lines.
    if len(rows) != len(lines) or set(map(len, rows)) != {len(layout.names)}:
        return None
    return [list(column) for column in zip(*rows, strict=True)]


def _note_padding(first: int, text: str, delimiter: str, rows: Rows) -> None:
    """Note the first line with blanks around separators; in quotes they are none."""
    marks = (f" {delimiter}", f"{delimiter} ")
    if '"' in text:
        lines = enumerate(text.split("\n"), first)
        found = (line for line, row in lines if '"' not in row and _padded(row, delimiter))
        line = next(found, None)
    else:
        places = [place for mark in marks if (place := text.find(mark)) >= 0]
        line = first + text.count("\n", 0, min(places)) if places else None
    if line is not None:
        rows.note(PADDED_SEPARATORS, line, "blanks around the separators")


def _carefully(block: Block, layout: Layout, rows: Rows) -> Iterator[Chunk]:
    """Yield the rows of a block one by one, and tell of those that cannot be read."""
    width = len(layout.names)
    for number, line in rows.readable(block):
        try:
            fields = _split(line, layout.delimiter)
        except Malformed as error:
            rows.bad(number, str(error))
            continue
        if layout.header and tuple(fields) == layout.header:
            yield from rows.new_run(number, "the header appears again")
        elif len(fields) != width:
            rows.short(block, number, len(fields), width)
        else:
            if layout.delimiter is not None and " " in line:
                _note_padding(number, line, layout.delimiter, rows)
            rows.add(number, fields)
    yield from rows.flush()


# A quoted field, or one that is not; after both a separator, or the end.
_FIELDS = {
    mark: re.compile(rf'("(?:[^"]|"")*"|(?!")[^{mark}]*)(?:{mark}|$)') for mark in ("\t", ",", ";")
}


def edit_of(layout: Layout) -> Edit:
    """Return how the rows of a layout are written again."""
    delimiter = layout.delimiter

    def read(line: str) -> list[str]:
        fields = _split(line, delimiter)
        if tuple(fields) == layout.header:
            raise Malformed("the header")
        return fields

    def spans(line: str) -> list[Span]:
        if delimiter is None:
            return [match.span() for match in re.finditer(r"[^ \t]+", line)]
        return [
            stripped(line, *match.span(1))
            for match in islice(_FIELDS[delimiter].finditer(line), len(layout.names))
        ]

    return Edit(layout.names, read, spans, _spelled)


def stripped(line: str, start: int, end: int) -> Span:
    """Return a span of a line without the blanks and tabs at its ends."""
    start = end - len(line[start:end].lstrip(BLANKS))
    return start, start + len(line[start:end].rstrip(BLANKS))


def _spelled(old: str, new: str) -> str:
    return '"' + new.replace('"', '""') + '"' if old.startswith('"') else new
