"""What all readers share: limits, the place of a file, what was recognised, and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from certaudit.claims import Chunk, Stated
from certaudit.errors import InputError

__all__ = [
    "BLANKS",
    "BOM",
    "HEAD",
    "MAX_FIELDS",
    "MAX_FILE",
    "MAX_LINE",
    "MAX_NOTES",
    "ROWS",
    "Broken",
    "Changes",
    "Edit",
    "Foreign",
    "Malformed",
    "Place",
    "Reading",
    "Record",
    "Skipped",
    "Span",
    "Statements",
    "Unrecognised",
    "bare",
    "lines_of",
    "named",
    "shown",
    "text_of",
    "why",
    "words",
]

MAX_LINE = 1 << 16
"""Most bytes of a line that is read (characters, where they are ASCII)."""
MAX_FILE = 1 << 34
"""Most bytes of a file that is read."""
ROWS = 1 << 16
"""Most rows of a chunk."""
HEAD = 1 << 16
"""How many bytes of a file it is recognised by."""
MAX_FIELDS = 1 << 14
"""Most columns of a file."""
MAX_NOTES = 100
"""Most notes of a file; more of them say nothing more."""
BOM = b"\xef\xbb\xbf"
BLANKS = " \t"
"""What is taken from the ends of fields, and nothing else is."""

Record: TypeAlias = "dict[str, Any]"
Statements: TypeAlias = dict[str, Stated]
Span: TypeAlias = tuple[int, int]
Changes: TypeAlias = Mapping[int, Mapping[str, str]]
"""New texts by line number and name of column."""


@dataclass(frozen=True)
class Skipped:
    """A file that is not read as claims, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Broken:
    """A file in a folder that should be read and cannot be, and why."""

    name: str
    why: str


class Unrecognised(Exception):  # noqa: N818  (no error: in a folder the file is passed over)
    """Not a file of claims; the text says why."""


class Foreign(Unrecognised):
    """A file that is plainly something else, whatever its suffix promises."""


class Malformed(Exception):  # noqa: N818  (a result, told of the row)
    """A row that cannot be read; the text says why."""


class Place(NamedTuple):
    """A file: where it is, what it is called, and the names of its folders, nearest first."""

    path: Path
    name: str
    near: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """How the fields of a line can be written again, each in its place.

    `read` gives the fields of a row by `names`, as the reader takes them; `spans` gives where they
    stand, None for one that the line has not. Both raise Malformed where the line is no row.
    `spell` gives a new text as it has to stand for an old one. `move` puts changes of fields that
    stand in other lines than their row's where they belong.
    """

    names: tuple[str | None, ...]
    read: Callable[[str], Sequence[str]]
    spans: Callable[[str], Sequence[Span | None]]
    spell: Callable[[str, str], str] = lambda _, new: new
    move: Callable[[Iterable[tuple[int, str]], Changes], Changes] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file was recognised as; an `edit` where it can be written again.

    `stated` is said by the file and its names; the manifest beside it goes before names. Nothing
    goes before `fixed`. `part` names one of several sources in a file. `run` is the run.json that
    belongs to it.
    """

    kind: str
    stated: Statements
    chunks: Callable[[], Iterator[Chunk]]
    edit: Edit | None = None
    fixed: Statements = field(default_factory=dict)
    part: str = ""
    run: Record | None = None


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into an error that names it."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        told = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: {told}") from None


def bare(text: str) -> str:
    """Return a text without the blanks and tabs at its ends.

    Other white space stays: it cannot be printed, so that its row is malformed.
    """
    return text.strip(BLANKS)


def words(line: str) -> list[str]:
    """Return what stands between blanks and tabs."""
    return [word for word in line.replace("\t", " ").split(" ") if word]


def shown(text: str) -> str:
    """Return a text quoted, and cut where it is long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def why(error: BaseException) -> str:
    """Return the first line of what a library said, without its length."""
    text = str(error).strip() or type(error).__name__
    first = text.splitlines()[0]
    return first if len(first) <= 100 else first[:97] + "..."


def lines_of(data: bytes) -> list[str]:
    """Return the lines of a text, without their ends."""
    return [line.removesuffix("\r") for line in text_of(data).split("\n")]


def text_of(data: bytes) -> str:
    """Return text; bytes that are no UTF-8 become escapes, so that it can be printed."""
    return data.decode("utf-8", "backslashreplace")
