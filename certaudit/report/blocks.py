"""What a report is made of: sections of blocks, which the HTML and the PDF set in type.

Nothing here computes. Every text is ready to be read; whoever sets it escapes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "NOT_STATED",
    "RESULTS",
    "TONES",
    "Banner",
    "Basis",
    "Block",
    "Claims",
    "Code",
    "Column",
    "Document",
    "Fact",
    "Facts",
    "Figure",
    "Items",
    "Paragraph",
    "Section",
    "Table",
    "spelled",
    "tone_of",
    "visible",
]

RESULTS = {"good": "in order", "warn": "with reservations", "bad": "not in order"}
"""What the state of a banner is called."""
TONES = {"note": "Note:", "good": "In order:", "warn": "Caution:", "bad": "Problem:"}
"""What begins a paragraph that is not plain."""
_GOOD = frozenset({"confirmed", "proved", "checked", "met"})
_BAD = frozenset({"unsupported", "refuted", "failed", "not met"})
_SPELLED = {"kl": "KL", "gaussian": "Gaussian"}
NOT_STATED = "NOT STATED"
"""What stands where nobody stated something."""

Tone: TypeAlias = Literal["plain", "note", "good", "warn", "bad"]
Kind: TypeAlias = Literal["text", "number", "state", "code"]
State: TypeAlias = Literal["good", "warn", "bad"]


def tone_of(word: str) -> str:
    """Return how a state is meant: "good", "bad", else "warn"."""
    return "good" if word in _GOOD else "bad" if word in _BAD else "warn"


def spelled(guarantee: str) -> str:
    """Return what a guarantee is called."""
    return _SPELLED.get(guarantee, guarantee)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a number rests on: by which guarantee, rounded to which side, checked how far.

    `side` is "down", "up", "exact", "nearest" or "as printed"; `depth` "proved" (derived here from
    what is named), "declared" (somebody's word), "not checked" or "failed".
    """

    guarantee: str
    side: str
    depth: str

    def __str__(self) -> str:
        side = {"down": "rounded down", "up": "rounded up", "nearest": "rounded to nearest"}
        parts = (spelled(self.guarantee), side.get(self.side, self.side), self.depth)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value; None was not stated. `basis` is there for numbers."""

    name: str
    value: str | None
    basis: Basis | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, one under the other."""

    facts: tuple[Fact, ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph; `tone` is how it is meant."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Commands, to be copied as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, and what its cells are.

    "number" cells are decimal, aligned right, perhaps empty; those of "state" are one of a few
    words (confirmed, refuted, proved, not checked, met ...), those of "code" identifiers.
    """

    name: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `note` stands below it, and says what its numbers rest on."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    """A long table, the most important rows first, sorted and searched where that is possible.

    On paper its first `printed` rows are enough. `total` is how many there are in the source:
    where that is more than there are rows, `note` says which are left out and where they are.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int
    note: str
    printed: int = 25


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture as an SVG document, in words, and the numbers behind it.

    Its colours are attributes, so that a style sheet may set others by class.
    """

    name: str
    caption: str
    svg: str
    alt: str
    table: Table | None = None


Block: TypeAlias = Paragraph | Facts | Items | Code | Table | Claims | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A numbered section."""

    number: int
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Banner:
    """What the report comes to: a state, a headline, sentences, and a few figures."""

    state: State
    headline: str
    sentences: tuple[str, ...]
    figures: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A report, ready to be set. `date` (YYYY-MM-DD) and `responsible` are None if not stated."""

    title: str
    subtitle: str
    version: str
    date: str | None
    responsible: str | None
    banner: Banner
    sections: tuple[Section, ...]


def visible(text: str, *, lines: bool = False) -> str:
    """Return text with what cannot be seen escaped: controls, marks of direction, odd spaces.

    Line ends are left if `lines`, for commands.
    """
    kept = "\n" if lines else ""
    return "".join(c if c.isprintable() or c in kept else ascii(c)[1:-1] for c in text)
