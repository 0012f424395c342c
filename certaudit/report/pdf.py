"""A report as a PDF/A-3a file, tagged as PDF/UA-1 asks, with its summary attached as JSON.

The same document is the same bytes, wherever and whenever it is set: only the fonts of the typst
wheel are used, and no clock. PDF/A wants a date where something is attached; a report that states
none gets NO_DATE, which nobody takes for a day of issue, and its metadata say so.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import date
from importlib.resources import files
from typing import Any, TypeAlias

from certaudit.errors import InputError
from certaudit.report.blocks import (
    NOT_STATED,
    RESULTS,
    TONES,
    Block,
    Claims,
    Code,
    Column,
    Document,
    Fact,
    Facts,
    Figure,
    Items,
    Paragraph,
    Table,
    tone_of,
    visible,
)

__all__ = ["NO_DATE", "check_typst", "render_pdf"]

NO_DATE = date(1970, 1, 1)
"""The date in the metadata of a report that states none: the zero of Unix time."""

Words: TypeAlias = str | list[str]
"""A text, or its pieces, between which a line may end."""

_UNDRAWN = re.compile(
    "[^\n -~\u00a1-\u00ac\u00ae-\u0241"  # Latin; without the soft hyphen
    "\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f"  # Greek, Cyrillic
    "\u1e00-\u1e9b\u1e9e\u1ea0-\u1ef9"  # more Latin: Vietnamese and others
    "\u2010-\u2027\u2030-\u2037\u2039\u203a\u2070\u2071\u2074-\u208e\u20ac\u2122"  # signs
    "\u2190-\u2199\u21d0-\u21d4\u2200-\u220d\u220f-\u221a\u221e\u2227-\u222b"  # arrows, operators
    "\u2248\u2260\u2261\u2264\u2265\u226a\u226b\u2282\u2283\u22c5]"
)
"""Characters that Libertinus Serif may lack, or that stand on others: PDF/A forbids a gap."""
_RUN = re.compile(r"(\S{13,})")
_NUMBER = re.compile(r"[-+.,\de]{1,24}[^\w\s]?")
_END = r"(?:\.[^\W_]{1,5}(?![^\W_]))?(?:[^\w\\]|_)?"  # of a file's name, and what follows it
_PIECE = re.compile(
    rf"\\?(?=[^\W_]{{0,40}}\d)[^\W_]{{1,9}}{_END}"  # of a digest, or an escape
    rf"|\\?[A-Z]{{2,6}}{_END}"
    rf"|\\?[^\W\d_]{{1,20}}{_END}"
    r"|."
)
"""Where a path, a digest or a very long word may be broken: a line of typst ends at spaces only."""
_SHORT = 20
"""A column whose cells have no more characters is as wide as they are."""
_LONG = 400
"""Cells with more characters do not make their column wider."""
_MEASURED = 8
"""So many of the longest cells are measured to find the width of a column."""
_HEADER = 80
"""Characters of the title at the top of a page."""


def check_typst() -> None:
    """Refuse to write a PDF, before any work is done, where typst is not installed.

    Raises InputError, saying how to install it.
    """
    try:
        import typst  # noqa: F401
    except ImportError:
        raise InputError("a PDF report needs typst: pip install 'certaudit[report]'") from None


def render_pdf(document: Document, summary: bytes) -> bytes:
    """Return the report as a PDF file, with `summary` attached to it as report.json.

    Characters that the fonts lack are escaped, as are those that cannot be seen.

    Raises InputError where typst is not installed, and for a date that is none.
    """
    check_typst()
    import typst

    sources: Any = {  # the types of typst know of one file only
        "main.typ": (files("certaudit.report") / "templates" / "report.typ").read_bytes(),
        "document.json": json.dumps(_document(document)).encode(),
        "report.json": summary,
    }
    # Of a root nothing is read; without one, typst asks for a current folder.
    made: bytes = typst.compile(
        sources, root="/", format="pdf", ignore_system_fonts=True, pdf_standards=["a-3a", "ua-1"]
    )
    return made


def _document(document: Document) -> dict[str, Any]:
    """Return what the template reads."""
    day, title = _day(document.date), _plain(document.title)
    description = document.subtitle
    if document.date is None:
        description += f" (date: {NOT_STATED}; {NO_DATE} stands for none)"
    banner = document.banner
    imprint = (
        Fact("Made with", f"certaudit {document.version}"),
        Fact("Date", document.date),
        Fact("Responsible", document.responsible),
    )
    return {
        "plain": title,
        "title": _words(document.title),
        "short": title if len(title) <= _HEADER else title[: _HEADER - 3] + "...",
        "subtitle": _words(document.subtitle),
        "description": _plain(description),
        "version": _plain(document.version),
        "unstated": NOT_STATED,
        "day": {"year": day.year, "month": day.month, "day": day.day},
        "imprint": [_fact(fact) for fact in imprint],
        "banner": {
            "state": banner.state,
            "word": f"Result: {RESULTS[banner.state]}",
            "headline": _words(banner.headline),
            "sentences": [_words(sentence) for sentence in banner.sentences],
            "figures": [_fact(fact) for fact in banner.figures],
            "columns": min((3, 4), key=lambda columns: -len(banner.figures) % columns),
        },
        "sections": [
            {
                "number": str(section.number),
                "title": _words(section.title),
                "blocks": [{"type": type(b).__name__, **_block(b)} for b in section.blocks],
            }
            for section in document.sections
        ],
    }


def _day(stated: str | None) -> date:
    if stated is None:
        return NO_DATE
    try:
        return date.fromisoformat(stated)
    except ValueError:
        raise InputError(f"date of the report: {stated!r} is no day YYYY-MM-DD") from None


def _plain(text: str) -> str:
    """Return a text in characters that can be seen and that the fonts have."""
    return _drawn(visible(text))


def _drawn(text: str) -> str:
    return _UNDRAWN.sub(lambda found: ascii(found[0])[1:-1], text)


def _words(text: str) -> Words:
    return _broken(_plain(text))


def _broken(text: str, *, numbers: bool = False) -> Words:
    """Return a text, in pieces if it has a run of characters that may be wider than its place.

    `numbers` may be broken in cells, whose columns are as wide as they are while there is room.
    """
    pieces = [""]
    for place, part in enumerate(_RUN.split(text)):
        whole = not place % 2 or (not numbers and _NUMBER.fullmatch(part))
        first, *others = [part] if whole else _PIECE.findall(part)
        pieces[-1] += first
        pieces += others
    return pieces if len(pieces) > 1 else text


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Paragraph():
            return {
                "text": _words(block.text),
                "tone": block.tone,
                "word": TONES.get(block.tone, ""),
            }
        case Facts():
            return {
                "title": _words(block.title) if block.title else None,
                "facts": [_fact(fact) for fact in block.facts],
            }
        case Items():
            return {"items": [_words(item) for item in block.items]}
        case Code():
            lines = _drawn(visible(block.text, lines=True)).split("\n")
            return {"lines": [_broken(line) for line in lines]}
        case Table():
            return _table(block.caption, block.columns, block.rows, block.note)
        case Claims():
            printed = block.rows[: block.printed]
            left = block.total - len(printed)
            count = f"{len(printed):,} of {block.total:,} rows are printed, {left:,} are not. "
            note = (count if left else "") + block.note
            return _table(block.caption, block.columns, printed, note)
        case Figure():
            return {
                "caption": _words(block.caption),
                "svg": _drawn(block.svg),
                "alt": _plain(block.alt),
                "table": None if block.table is None else _block(block.table),
            }


def _fact(fact: Fact) -> dict[str, Any]:
    return {
        "name": _words(fact.name),
        "value": None if fact.value is None else _words(fact.value),
        "basis": None if fact.basis is None else _words(str(fact.basis)) or None,
    }


def _table(
    caption: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], note: str
) -> dict[str, Any]:
    cells = [[_plain(cell) for cell in row] for row in rows]
    return {
        "caption": _words(caption),
        "note": _words(note) or None,
        "columns": [_column(c, [row[i] for row in cells]) for i, c in enumerate(columns)],
        "rows": [
            [_cell(column, cell) for column, cell in zip(columns, row, strict=True)]
            for row in cells
        ],
    }


def _column(column: Column, cells: Sequence[str]) -> dict[str, Any]:
    """Return a column with what its width follows from."""
    name = _plain(column.name)
    longest = sorted(set(cells), key=lambda cell: (-len(cell), cell))[:_MEASURED]
    width = max(map(len, [*longest, *name.split()]), default=0)
    return {
        "name": _broken(name),
        "kind": column.kind,
        "long": width > _SHORT,
        "weight": math.isqrt(100 * min(width, _LONG)),
        "words": [cell[:_LONG] for cell in longest] or [""],
        "heads": name.split() or [""],
    }


def _cell(column: Column, cell: str) -> Words | dict[str, Words]:
    if column.kind != "state":
        return _broken(cell, numbers=True)
    tone = tone_of(cell)
    return {"words": _broken(cell, numbers=True), "tone": tone}
