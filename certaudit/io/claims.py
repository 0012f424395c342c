"""Read other people's certificate files: logs, probability logs, curves, votes, CSV, JSON lines.

A reader recognises a file by its first bytes, says what the file, its name and its path state, and
streams the rows as text. It decides nothing, and parses no number of a claim.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import stat
import struct
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from certaudit.claims import COLUMNS, INTEGERS, Chunk, Note, Source, Stated, parameter
from certaudit.errors import InputError
from certaudit.exact import parse_rational
from certaudit.findings import (
    LABEL_AS_OBJECT,
    PADDED_SEPARATORS,
    SPELLED_FLAGS,
    SPREADSHEET_FORMULA,
    STOPPED_EARLY,
    TWO_RUNS,
    UNKNOWN_COLUMN,
    Kind,
)
from certaudit.io.files import CERTIFICATES, RUN
from certaudit.tables import COLUMNS as TABLE_COLUMNS

__all__ = ["MAX_FILE", "MAX_LINE", "PROFILES", "ROWS", "Skipped", "frame_source", "sources"]

MAX_LINE = 1 << 16
"""Most bytes of a line that is read (characters, where they are ASCII)."""
MAX_FILE = 1 << 34
"""Most bytes of a file that is read."""
ROWS = 1 << 16
"""Most rows of a chunk."""
PROFILES: Mapping[str, Mapping[str, str]] = {
    "auto": {},
    "cohen": {"noise": "gaussian", "guarantee": "gaussian"},
    "gaussian": {"noise": "gaussian"},
    "label-flip": {"noise": "label-flip"},
    "discrete": {"noise": "discrete"},
}
"""What a profile states of files that do not say it themselves."""

MAX_ARCHIVE = 1 << 32
"""Most bytes, uncompressed, of the arrays of an .npz file."""
_BLOCK = 1 << 20
_HEAD = 1 << 16
_MAX_DEPTH = 8
_MAX_MANIFEST = 1 << 20
_MAX_RUN = 1 << 26
_MAX_FIELDS = 1 << 14
_MAX_NOTES = 100  # of a file; more of them say nothing more
_MARK = "certaudit-claims"
_MANIFEST = ".manifest.json"
_BOM = b"\xef\xbb\xbf"
_SIGNED = frozenset({"records.jsonl", "bundle.json"})
_TABLE = "a threshold table: certaudit table check"
_RECOGNISED = (
    "recognised are logs with a header (tabs, commas, semicolons or blanks; idx label predict "
    "radius correct ...), probability logs (x disttype ...), orig-rad-*.txt, accuracy curves "
    "(*_acc), captured output of a log, JSON lines, run folders, and .npz with counts"
)

_ALIASES = {
    alias: name
    for name, aliases in {
        "index": "index idx id i",
        "label": "label y target true_label labels",
        "prediction": "prediction predict pred predicted",
        "correct": "correct",
        "radius": "radius l2_radius certified_radius linf_radius",
        "p_lower": "p_lower p_low prob_lb pabar pa_bar pa_lower pa p1low",
        "p_upper": "p_upper p_high p_up prob_ub pa_upper p1high",
        "log_error": "log_error",
        "count": "count counts na n_a count_a votes",
        "runner_up": "runner_up nb n_b count_b",
        "samples": "samples n num_samples",
        "selection_count": "selection_count",
        "selection_samples": "selection_samples n0 n_0",
        "accuracy": "accuracy acc certified_accuracy",
    }.items()
    for alias in aliases.split()
}
_SILENT = frozenset({"time", "seconds"})
_OF_CLASS = re.compile(r"(?:(?:count|class|votes)_|count:?)([0-9]{1,5})")
_EVIDENCE = ("radius", "p_lower", "p_upper", "log_error", "count")
_LEE = re.compile(r"r\s+rho_r\^\{-1\}\(0\.5\)\s+err")

_PARAMETER_LINE = re.compile(r"x\s+(disttype|k|std|N|alpha)\s+(\S+)")
_LOG_NAME = re.compile(
    r"(?P<disttype>[A-Za-z][A-Za-z0-9-]*?)-(?P<k>None|[0-9]+)-(?P<std>[0-9.]+)-(?P<N>[0-9]+)"
    r"-(?P<alpha>[0-9.]+(?:e-[0-9]+)?)(?P<more>-[^/]*)?"
)
_ORIG_NAME = re.compile(r"orig-rad-(?P<linf>L2-Linfty-)?(?P<rest>.+)")
_SIZES = (("mnist", 784), ("cifar", 3072), ("imagenet", 150528))
_CAPTURED = re.compile(r"(?:^|(?<=[ \t:]))idx\tlabel\t[^\r\n]*", re.MULTILINE)
_PA = re.compile(r"(?:^|[ \t:])pA:[ \t]*(\S+)\s*$")
_SIGMA = re.compile(
    r"(?<![a-z])(sigma|sig|std|noise(?:_sd|_std|_sigma)?)[_=-]?([0-9]+(?:\.[0-9]+)?)(?![0-9a-z]|\.[0-9])",
    re.IGNORECASE,
)
_OBJECT = re.compile(
    r"(?:[A-Za-z_][\w.]*\(\s*\[?|\[)\s*(-?[0-9]+)\.?\s*\]?\s*(?:,\s*[a-z_]+=[^()]*)?\)?"
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+/[0-9]+|0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*(?:[pP][+-]?[0-9]+)?)")

_MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f") + b"\x7f"
_UNREADABLE = (
    ValueError,
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
    MemoryError,
)


@dataclass(frozen=True)
class Skipped:
    """A file that is not read as claims, and why."""

    name: str
    why: str


class _Unrecognised(Exception):  # noqa: N818  (no error: in a folder the file is passed over)
    """Not a file of claims; the text says why."""


class _Malformed(Exception):  # noqa: N818  (a result, told of the row)
    """A row that cannot be read; the text says why."""


class _Place(NamedTuple):
    """A file: where it is, what it is called, and the names of its folders, nearest first."""

    path: Path
    name: str
    near: tuple[str, ...]


_Record: TypeAlias = "dict[str, Any]"
_Statements: TypeAlias = dict[str, Stated]


# ------------------------------------------------------------------------------ files and folders


def sources(
    path: Path, *, columns: Mapping[str, str] | None = None, profile: str = "auto"
) -> Iterator[Source | Skipped]:
    """Yield what a file, or every file of a folder, holds: sources of claims, and what is no such.

    `columns` maps names of COLUMNS (or "count:K") to names in the header. In folders links are
    not followed and hidden files not read; names are relative to the folder. A `profile` (of
    PROFILES) states what files do not say themselves.

    Raises InputError, naming the file: a file given directly that is not recognised; columns that
    are not there; a manifest, run.json or archive that is unfit; what the system refuses.
    """
    if profile not in PROFILES:
        raise InputError(f"{profile!r} is no profile (known: {', '.join(PROFILES)})")
    chosen = dict(columns or {})
    for name in chosen:
        if _of_class(name) != name and name not in COLUMNS:
            raise InputError(f"{name[:40]!r} is no column (known: {', '.join(COLUMNS)}, count:K)")
    with _named(path):
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        found = _folder(path, path, chosen)
    elif stat.S_ISREG(mode):
        found = _given(path, chosen)
    else:
        raise InputError(f"{path}: not a regular file")
    for each in found:
        yield _with_profile(each, profile) if isinstance(each, Source) else each


def _with_profile(source: Source, profile: str) -> Source:
    told = {name: Stated(word, "option") for name, word in PROFILES[profile].items()}
    return Source(source.name, source.kind, {**told, **source.stated}, source.chunks)


def _given(path: Path, columns: Mapping[str, str]) -> Iterator[Source]:
    """Yield the sources of a file that was named itself."""
    with _named(path):
        resolved = path.resolve()
    near = (*_folders(path.parent), *_folders(resolved.parent))
    place = _Place(path, _printable(path.as_posix()), tuple(near))
    try:
        if path.name == CERTIFICATES and (run := _run(path.with_name(RUN))) is not None:
            found = _run_sources(place, columns, run)
        else:
            found = _recognise(place, columns)
    except _Unrecognised as refusal:
        raise InputError(f"{path}: {refusal}; {_RECOGNISED}") from None
    yield from found


def _printable(name: str) -> str:
    """Return a file name as it can be shown: it may hold any bytes."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
        for each in name
    )


def _folders(path: Path) -> Iterator[str]:
    return (part for part in reversed(path.parts) if part not in {"..", path.anchor})


def _folder(root: Path, folder: Path, columns: Mapping[str, str]) -> Iterator[Source | Skipped]:
    """Yield what is in a folder, in the order of names."""
    # One list a level: folders are as deep as the system lets them be, so no recursion.
    waiting = [_entries(folder)]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
            continue
        path = Path(entry.path)
        name = _printable(path.relative_to(root).as_posix())
        with _named(path):
            link, is_folder, is_file = (
                entry.is_symlink(),
                entry.is_dir(follow_symlinks=False),
                entry.is_file(follow_symlinks=False),
            )
        if entry.name.startswith("."):
            yield Skipped(name, "hidden")
        elif link:
            yield Skipped(name, "a link")
        elif is_folder:
            waiting.append(_entries(path))
        elif not is_file:
            yield Skipped(name, "not a regular file")
        else:
            yield from _listed(root, path, name, columns)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with _named(folder), os.scandir(folder) as found:
        return iter(sorted(found, key=lambda entry: entry.name))


def _listed(
    root: Path, path: Path, name: str, columns: Mapping[str, str]
) -> Iterator[Source | Skipped]:
    """Yield what a file found in a folder holds, with regard to the files beside it."""
    near = (*_folders(path.relative_to(root).parent), *_folders(root))
    place = _Place(path, name, near)
    try:
        if path.name.endswith(_MANIFEST) and len(path.name) > len(_MANIFEST):
            raise _Unrecognised(f"manifest of {path.name.removesuffix(_MANIFEST)}")
        if path.name in {RUN, CERTIFICATES, *_SIGNED}:
            run = _run(path.with_name(RUN))
            if run is not None and path.name == CERTIFICATES:
                yield from _run_sources(place, columns, run)
                return
            if run is not None:
                raise _Unrecognised(f"belongs to {CERTIFICATES}")
        yield from _recognise(place, columns)
    except _Unrecognised as refusal:
        yield Skipped(name, str(refusal))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into an error that names it."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: {why}") from None


def _recognise(place: _Place, columns: Mapping[str, str]) -> list[Source]:
    """Return the sources of a file, told by its first bytes, then by its name."""
    path = place.path
    with _named(path), path.open("rb") as file:
        head, size = file.read(_HEAD), os.fstat(file.fileno()).st_size
    found = _by_content(place, head, columns)
    if size > MAX_FILE:
        raise InputError(f"{path}: has more than {MAX_FILE} bytes")
    return found


def _by_content(place: _Place, head: bytes, columns: Mapping[str, str]) -> list[Source]:
    if head.startswith(_ZIP):
        return [_archive(place)]
    if head.startswith(_MAGIC):
        raise _Unrecognised("compressed")
    head = head.removeprefix(_BOM)
    _check_text(head)
    lines = _lines(head)
    if any("\r" in line for line in lines[:1]):
        raise _Unrecognised("its lines end in carriage returns alone")
    first = next((at for at, line in enumerate(lines) if _is_content(line)), -1)
    if first < 0 or (len(head) >= _HEAD - len(_BOM) and first == len(lines) - 1):
        raise _Unrecognised("it has no first line" if first < 0 else "its first line is too long")
    text = lines[first].strip()
    if text.startswith("{"):
        return _json_lines(place, lines, columns, None)
    if _LEE.fullmatch(text) or tuple(text.split(",")) == TABLE_COLUMNS:
        raise _Unrecognised(_TABLE)
    if _PARAMETER_LINE.fullmatch(text):
        return [_probability_log(place, lines)]
    if (layout := _header(place, first + 1, lines[first], columns)) is not None:
        return [_table(place, layout)]
    if (source := _captured(place, head, columns)) is not None:
        return [source]
    # The last line of the head may be cut, so it is not looked at where there are others.
    sample = [line.split() for line in lines[first : max(first + 1, len(lines) - 1)] if line]
    return [_numeric(place, sample)]


def _check_text(head: bytes) -> None:
    """Refuse what is no text: NUL bytes, or more than a tenth of control characters."""
    controls = len(head) - len(head.translate(None, _CONTROL))
    if b"\0" in head or len(head) < 10 * controls:
        raise _Unrecognised("binary")


def _lines(data: bytes) -> list[str]:
    return [line.removesuffix("\r") for line in _text(data).split("\n")]


def _text(data: bytes) -> str:
    """Return text; bytes that are no UTF-8 are shown as escapes, so that it can be printed."""
    return data.decode("utf-8", "backslashreplace")


def _is_content(line: str) -> bool:
    body = line.strip()
    return bool(body) and not body.startswith("#")


def _numeric(place: _Place, sample: list[list[str]]) -> Source:
    """Return a source of two columns of numbers without a header, if its name says what it is."""
    try:
        pairs = [(float(left), float(right)) for left, right in filter(None, sample)]
    except ValueError:
        raise _Unrecognised("not recognised") from None
    if match := _ORIG_NAME.fullmatch(_stem(place.path)):
        return _orig_radius(place, match)
    lefts = [left for left, _ in pairs]
    rises = lefts[0] == 0 and all(a <= b for a, b in pairwise(lefts))
    if rises and all(0 <= right <= 1 for _, right in pairs) and _stem(place.path).endswith("_acc"):
        layout = _Layout(None, (), ("radius", "accuracy"), 0, (), linf=False)
        stated = _from_name(place) | _manifest(place.path)
        return Source(place.name, "curve", stated, lambda: _table_chunks(place.path, layout))
    raise _Unrecognised("numbers without a header")


def _stem(path: Path) -> str:
    return path.name.removesuffix(".txt")


# ------------------------------------------------------------------------------ lines, in blocks


class _Block(NamedTuple):
    """Some lines of a file, joined by newlines: the first one's number, and how many they are.

    Lines in `long` were too long, and are empty here; `cut` where the last one has no newline.
    """

    first: int
    data: bytes
    size: int
    long: frozenset[int]
    cut: bool

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield numbers and lines, without the ends of lines."""
        return enumerate(_lines(self.data), self.first)

    def is_cut(self, number: int) -> bool:
        """Return whether a line is the file's last and has no newline."""
        return self.cut and number == self.first + self.size - 1

    def after(self, line: int) -> _Block | None:
        """Return the block without its lines up to a number, None where nothing is left."""
        drop = line - self.first + 1
        if drop <= 0:
            return self
        if drop >= self.size:
            return None
        rest = self.data.split(b"\n", drop)[-1]
        return self._replace(first=line + 1, data=rest, size=self.size - drop)


def _blocks(path: Path, after: int = 0) -> Iterator[_Block]:
    """Yield a file's lines after a number, at most ROWS at once, whatever their lengths."""
    with _named(path), path.open("rb") as file:
        for block in _raw_blocks(file):
            if (kept := block.after(after)) is not None:
                yield kept


def _raw_blocks(file: IO[bytes]) -> Iterator[_Block]:
    first, rest, runs_on, total = 1, b"", False, 0
    while data := file.read(_BLOCK):
        total += len(data)
        if total > MAX_FILE:
            raise InputError(f"{file.name}: has more than {MAX_FILE} bytes")
        if total == len(data):
            data = data.removeprefix(_BOM)
        long = set()
        if runs_on:
            end = data.find(b"\n")
            if end < 0:
                continue
            # What is left of the long line is an empty one in its place.
            data, long, runs_on = data[end:], {first}, False
        data = rest + data
        end = data.rfind(b"\n")
        rest = data[end + 1 :]
        if len(rest) > MAX_LINE:
            rest, runs_on = b"", True
        if end >= 0:
            for block in _pieces(first, data[:end], long):
                yield block
                first = block.first + block.size
    if rest or runs_on:
        yield _Block(first, rest, 1, frozenset({first} if runs_on else ()), cut=True)


def _pieces(first: int, data: bytes, long: set[int]) -> Iterator[_Block]:
    """Yield whole lines at most ROWS at once, those that are too long emptied."""
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
    ends = np.concatenate(([-1], ends, [len(data)]))
    lengths = np.diff(ends) - 1
    if lengths.max() > MAX_LINE:
        lines = data.split(b"\n")
        for at in np.flatnonzero(lengths > MAX_LINE).tolist():
            lines[at] = b""
            long.add(first + at)
        yield from _pieces(first, b"\n".join(lines), long)
        return
    for at in range(0, len(lengths), ROWS):
        last = min(at + ROWS, len(lengths))
        piece = data[ends[at] + 1 : ends[last]]
        numbers = frozenset(line for line in long if first + at <= line < first + last)
        yield _Block(first + at, piece, last - at, numbers, cut=False)


# ------------------------------------------------------------------------------ rows into chunks


class _Rows:
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
        if key not in self._noted and len(self._noted) < _MAX_NOTES:
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
            if field and field[0] in "=@+-" and _is_formula(field):
                self.bad(line, f"a field starts like a formula: {_shown(field)}")
                self.note(SPREADSHEET_FORMULA, line, f"the field {_shown(field)}")
                return
        self._lines.append(line)
        self._fields.append(fields)

    def readable(self, block: _Block) -> Iterator[tuple[int, str]]:
        """Yield the lines of a block that are not blank, and tell of those that are no text."""
        for number, line in block.lines():
            if number in block.long:
                self.bad(number, f"a line of more than {MAX_LINE} bytes")
            elif "\0" in line:
                self.bad(number, "a NUL byte")
            elif line.strip():
                yield number, line

    def short(self, block: _Block, line: int, found: int, width: int) -> None:
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
        if "correct" in columns:
            columns["correct"] = self._flags(lines, columns["correct"])
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
        self.note(LABEL_AS_OBJECT, int(lines[at]), f"{name} {_shown(column[at])}")
        return [inner.get(text, text) for text in column]

    def _flags(self, lines: NDArray[np.int64], column: list[str]) -> list[str]:
        spelled = {text for text in set(column) if text.lower() in {"true", "false"}}
        if not spelled:
            return column
        at = next(at for at, text in enumerate(column) if text in spelled)
        self.note(SPELLED_FLAGS, int(lines[at]), f"correct is {column[at]}")
        flags = {text: "1" if text.lower() == "true" else "0" for text in spelled}
        return [flags.get(text, text) for text in column]


def _is_formula(field: str) -> bool:
    """Return whether a field that starts with =, @, + or - would run in a spreadsheet."""
    if field[0] in "=@":
        return True
    try:
        float(field)
    except ValueError:
        return not _NUMBER.fullmatch(field)
    return False


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


# ------------------------------------------------------------------------------ names of columns


def _of_class(name: str) -> str | None:
    """Return "count:K" for the ways to write so."""
    match = _OF_CLASS.fullmatch(name)
    return f"count:{int(match[1])}" if match else None


def _canonical(name: str) -> str | None:
    key = re.sub(r"[\s-]+", "_", name.strip().casefold())
    return _ALIASES.get(key) or _of_class(key)


def _choose(
    names: Sequence[str], columns: Mapping[str, str], what: str, line: int
) -> tuple[tuple[str | None, ...], list[Note]]:
    """Return what each column of a header is, None where it is not read, and notes on those.

    Raises InputError where a column of `columns` is not there, and for names that appear twice.
    """
    chosen: dict[int, str] = {}
    for ours, theirs in columns.items():
        if names.count(theirs) != 1:
            there = "is there twice" if theirs in names else "is not there"
            raise InputError(f"{what}: the column {_shown(theirs)} for {ours} {there}")
        if names.index(theirs) in chosen:
            raise InputError(f"{what}: the column {_shown(theirs)} is to be two columns")
        chosen[names.index(theirs)] = ours
    taken = set(chosen.values())
    # The name itself goes before other words for it.
    guesses = [(at, _canonical(name)) for at, name in enumerate(names) if at not in chosen]
    for at, guess in sorted(guesses, key=lambda pair: names[pair[0]].casefold() != pair[1]):
        if guess is not None and guess not in taken:
            chosen[at] = guess
            taken.add(guess)
    often = Counter(map(str.casefold, names))
    for at, ours in chosen.items():
        if often[names[at].casefold()] > 1:
            raise InputError(f"{what}: two columns are called {_shown(names[at])} ({ours})")
    if "accuracy" in taken and not taken <= {"radius", "accuracy"}:
        chosen = {at: ours for at, ours in chosen.items() if ours != "accuracy"}
    notes = [
        Note(UNKNOWN_COLUMN, line, f"column {_shown(name)}" if name else "a column without name")
        for at, name in enumerate(names)
        if at not in chosen and name.casefold() not in _SILENT
    ]
    return tuple(chosen.get(at) for at in range(len(names))), notes[:_MAX_NOTES]


def _kind(names: Iterable[str | None]) -> str | None:
    """Return what a file with these columns holds, None where they are no evidence and no claim."""
    found = {"count" if name and name.startswith("count:") else name for name in names}
    if "accuracy" in found:
        return "curve" if "radius" in found else None
    if "radius" in found:
        return "radii"
    if found & {"p_lower", "p_upper", "log_error"}:
        return "shares"
    return "votes" if "count" in found else None


def _is_linf(names: Sequence[str | None], header: Sequence[str]) -> bool:
    return any(
        name == "radius" and "linf" in theirs.casefold()
        for name, theirs in zip(names, header, strict=True)
    )


# ------------------------------------------------------------------------------ delimited text


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the rows of a delimited file are laid out; a `delimiter` of None stands for blanks."""

    delimiter: str | None
    header: tuple[str, ...]
    names: tuple[str | None, ...]
    line: int
    notes: tuple[Note, ...]
    linf: bool


def _header(place: _Place, line: int, text: str, columns: Mapping[str, str]) -> _Layout | None:
    """Return the layout that a header line gives, None where it is none."""
    delimiter = next((mark for mark in "\t,;" if mark in text), None)
    try:
        fields = _split(text, delimiter)
    except _Malformed:
        return None
    if len(fields) > _MAX_FIELDS:
        raise _Unrecognised(f"has more than {_MAX_FIELDS} columns")
    header = tuple(fields)
    guesses = {_canonical(name) for name in header}
    if delimiter is None and not columns and not _is_header(header):
        return None
    if _kind(guesses) is None and not (columns and set(columns.values()) & set(header)):
        return None
    names, notes = _choose(header, columns, str(place.path), line)
    if _kind(names) is None:
        return None
    if delimiter is not None and _padded(text, delimiter):
        notes.append(Note(PADDED_SEPARATORS, line, "blanks around the separators of the header"))
    linf = _is_linf(names, header)
    return _Layout(delimiter, header, names, line, tuple(notes), linf=linf)


def _is_header(words: Sequence[str]) -> bool:
    """Return whether words are names of columns, and not a sentence that holds such a name."""
    known = sum(_canonical(word) is not None or word.casefold() in _SILENT for word in words)
    return known == len(words) or (known >= 3 and 2 * known >= len(words))


def _padded(text: str, delimiter: str) -> bool:
    return f" {delimiter}" in text or f"{delimiter} " in text


def _split(line: str, delimiter: str | None) -> list[str]:
    """Return the stripped fields of a line; a quoted field has to end where it began."""
    if delimiter is None:
        return line.split()
    if '"' not in line:
        return [field.strip() for field in line.split(delimiter)]
    try:
        rows = list(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        raise _Malformed("a quoted field that does not end in its line") from None
    return [field.strip() for field in rows[0]]


def _table(place: _Place, layout: _Layout) -> Source:
    stated = _from_name(place)
    if layout.linf:
        stated["norm"] = Stated("linf", "file")
    stated = _merged(place.path, stated, _manifest(place.path))
    kind = _kind(layout.names) or "radii"
    return Source(place.name, kind, stated, lambda: _table_chunks(place.path, layout))


def _table_chunks(path: Path, layout: _Layout) -> Iterator[Chunk]:
    rows = _Rows(layout.names, layout.notes)
    for block in _blocks(path, layout.line):
        columns = _fast(block, layout, rows)
        if columns is None:
            yield from _carefully(block, layout, rows)
        else:
            lines = np.arange(block.first, block.first + block.size, dtype=np.int64)
            yield rows.chunk(lines, columns)
    yield from rows.flush(last=True)


# Bytes that ask for nothing: no quote, no control character, no end of line but the newline.
_PLAIN = bytes(byte for byte in range(33, 127) if byte != ord('"')) + b"\n"


def _fast(block: _Block, layout: _Layout, rows: _Rows) -> list[list[str]] | None:
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
    if padded:
        columns = [list(map(str.strip, column)) for column in columns]
    if layout.header and layout.header[0] in columns[0]:
        return None
    if any(sign in text for sign in "=@+-") and any(map(_formulas, columns)):
        return None
    if padded:
        _note_padding(block.first, text, delimiter or "", rows)
    return columns


def _plain_text(block: _Block, delimiter: str | None) -> str | None:
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


def _by_row(text: str, layout: _Layout) -> list[list[str]] | None:
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


def _formulas(column: list[str]) -> bool:
    """Return whether a column may hold a formula (numbers that are no decimals count, too)."""
    joined = "\n" + "\n".join(column)
    if "\n=" in joined or "\n@" in joined:
        return True
    if "\n-" in joined or "\n+" in joined:
        try:
            for field in set(column):
                if field[:1] in {"-", "+"}:
                    float(field)
        except ValueError:
            return True
    return False


def _note_padding(first: int, text: str, delimiter: str, rows: _Rows) -> None:
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


def _carefully(block: _Block, layout: _Layout, rows: _Rows) -> Iterator[Chunk]:
    """Yield the rows of a block one by one, and tell of those that cannot be read."""
    width = len(layout.names)
    for number, line in rows.readable(block):
        try:
            fields = _split(line, layout.delimiter)
        except _Malformed as error:
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


# ------------------------------------------------------------------------------ what names state


def _from_name(place: _Place) -> _Statements:
    """Return sigma as the file's name says it, else the nearest folder's."""
    for part, origin in chain([(place.path.name, "file name")], ((p, "path") for p in place.near)):
        if (text := _sigma_in(part)) is not None:
            return {"sigma": Stated(parse_rational(text, str(place.path)), origin)}
    return {}


def _sigma_in(part: str) -> str | None:
    """Return the sigma in a name: sigma_0.25, noise_1.00_0, sig05 (0.5); 0.00 is none."""
    found = []
    for match in _SIGMA.finditer(part):
        word, digits = match[1].lower(), match[2]
        if len(digits) > 12 or not digits.strip("0."):
            continue
        if "." not in digits and len(digits) > 1:
            if not digits.startswith("0"):
                continue  # noise_25 may be 0.25, 25/255 or 25: it states nothing
            digits = f"0.{digits[1:]}"
        # noise_ is often what the classifier was trained with, sigma_ what was certified.
        found.append((word.startswith("noise"), digits))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _parameters(found: Mapping[str, str], origin: str, what: str) -> _Statements:
    """Return what the parameters of a probability log (or its name) state."""
    stated = {}
    if "disttype" in found:
        stated["noise"] = Stated(parameter("noise", found["disttype"], f"{what}: "), origin)
    for theirs, ours in (("std", "sigma"), ("N", "samples"), ("alpha", "failure_prob")):
        if theirs in found:
            stated[ours] = Stated(parameter(ours, found[theirs], f"{what}: "), origin)
    if "alpha" in found:
        stated["sides"] = Stated(2, origin)
    return stated


def _merged(path: Path, ours: _Statements, manifest: _Statements) -> _Statements:
    """Return what a file and its manifest state; where both speak of the file they must agree."""
    for name, stated in manifest.items():
        if name in ours and ours[name].origin == "file" and ours[name].value != stated.value:
            raise InputError(f"{path}: its manifest states another {name} than the file")
    return {**ours, **manifest}


def _manifest(path: Path) -> _Statements:
    """Return what the manifest beside a file states, nothing where there is none.

    Raises InputError for a manifest that is unfit.
    """
    beside = path.with_name(path.name + _MANIFEST)
    content = _json_file(beside, _MAX_MANIFEST)
    return {} if content is None else _manifest_states(content, str(beside))


def _json_file(path: Path, most: int) -> object | None:
    """Return the content of a JSON file, None where there is no such file."""
    if not path.is_file():
        return None
    with _named(path), path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise InputError(f"{path}: has more than {most} bytes")
    return _json(data, str(path))


def _json(data: bytes | str, what: str) -> object:
    """Return what JSON says; a key that is there twice is refused."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        content: object = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what}: not JSON ({_why(error)})") from None
    return {} if content is None else content


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number of JSON")


def _why(error: BaseException) -> str:
    """Return the first line of what a library said, without its length."""
    text = str(error).strip() or type(error).__name__
    first = text.splitlines()[0]
    return first if len(first) <= 100 else first[:97] + "..."


_MODELS = {
    "label-flip": ("q", "classes"),
    "discrete": ("alpha", "values"),
    "gaussian": ("sigma",),
}
_PLAIN_KEYS = (
    "guarantee",
    "samples",
    "failure_prob",
    "sides",
    "norm",
    "dimension",
    "training_labels",
    "vote",
    "bound",
    "rounding",
    "selection",
)


def _manifest_states(content: object, what: str) -> _Statements:
    if not isinstance(content, dict) or not _is_one(content.get(_MARK)):
        raise InputError(f'{what}: not a manifest (no "{_MARK}": 1)')
    unknown = content.keys() - {_MARK, "noise_model", "annotations", *_PLAIN_KEYS}
    if unknown:
        raise InputError(f"{what}: unknown key {_shown(min(unknown))}")
    stated = {}
    if "noise_model" in content:
        stated.update(_model_states(content["noise_model"], what))
    for name in _PLAIN_KEYS:
        if name in content:
            if name in INTEGERS and isinstance(content[name], str):
                raise InputError(f"{what}: {name}: must be an integer, not text")
            stated[name] = Stated(parameter(name, content[name], f"{what}: "), "file")
    return stated


def _is_one(value: object) -> bool:
    return value == 1 and isinstance(value, int) and not isinstance(value, bool)


def _model_states(model: object, what: str) -> _Statements:
    if not isinstance(model, dict) or not isinstance(model.get("name"), str):
        raise InputError(f"{what}: noise_model: must be an object with a name")
    name = model["name"]
    if name not in _MODELS:
        raise InputError(f"{what}: noise_model: {_shown(name)} is none of {', '.join(_MODELS)}")
    if model.keys() != {"name", *_MODELS[name]}:
        raise InputError(f"{what}: noise_model: needs name, {', '.join(_MODELS[name])}")
    stated = {"noise": Stated(name, "file")}
    for key in _MODELS[name]:
        if key in INTEGERS and isinstance(model[key], str):
            raise InputError(f"{what}: {key}: must be an integer, not text")
        stated[key] = Stated(parameter(key, model[key], f"{what}: "), "file")
    return stated


# ------------------------------------------------------------------------------ probability logs


def _probability_log(place: _Place, lines: list[str]) -> Source:
    path, found = place.path, {}
    for line in filter(str.strip, lines):
        match = _PARAMETER_LINE.fullmatch(line.strip())
        if match is None or match[1] in found:
            break
        found[match[1]] = match[2]
    stated: _Statements = {}
    if match := _LOG_NAME.fullmatch(_stem(path)):
        stated = _parameters(match.groupdict(), "file name", str(path))
    stated |= _parameters(found, "file", str(path))
    stated = _merged(path, stated, _manifest(path))
    return Source(place.name, "shares", stated, lambda: _probability_chunks(path, found))


def _probability_chunks(path: Path, first: Mapping[str, str]) -> Iterator[Chunk]:
    rows = _Rows(("index", "p_lower", "p_upper"))
    headers = _Headers(first)
    for block in _blocks(path):
        for number, line in rows.readable(block):
            fields = line.split()
            if match := _PARAMETER_LINE.fullmatch(line.strip()):
                if headers.begins(match[1], match[2]):
                    yield from rows.new_run(number, "the header appears again")
            elif fields[0] != "o":
                rows.bad(number, "neither a row (o ...) nor a parameter (x ...)")
            elif len(fields) != 4:
                rows.short(block, number, len(fields), 4)
            elif headers.hold():
                rows.add(number, fields[1:])
            else:
                message = "the header that appears again states other parameters"
                rows.note(TWO_RUNS, number, message, about="parameters")
                rows.bad(number, "the header before it states other parameters")
        yield from rows.flush()
    yield from rows.flush(last=True)


class _Headers:
    """The headers of a probability log: which one rows stand under, and whether it is the first."""

    def __init__(self, first: Mapping[str, str]) -> None:
        self._first = first
        self._above: dict[str, str] = {}
        self._same: bool | None = None  # not known before a row asks

    def begins(self, key: str, value: str) -> bool:
        """Take a parameter; return whether another header begins with it."""
        another = key in self._above or self._same is not None
        if another:
            self._above, self._same = {}, None
        self._above[key] = value
        return another

    def hold(self) -> bool:
        """Return whether the parameters above a row are those of the first header."""
        if self._same is None:
            self._same = _same(self._above, self._first)
        return self._same


def _same(left: Mapping[str, str], right: Mapping[str, str]) -> bool:
    """Return whether two headers state the same, however they spell numbers."""
    if left == right:
        return True
    return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)


def _equal(left: str, right: str) -> bool:
    if left == right:
        return True
    with suppress(InputError):
        return parse_rational(left) == parse_rational(right)
    return False


def _orig_radius(place: _Place, match: re.Match[str]) -> Source:
    path, stated = place.path, {}
    if name := _LOG_NAME.fullmatch(match["rest"]):
        stated = _parameters(name.groupdict(), "file name", str(path))
    if match["linf"]:
        stated["norm"] = Stated("linf", "file name")
        sizes = (size for part in place.near for word, size in _SIZES if word in part.lower())
        if (size := next(sizes, None)) is not None:
            stated["dimension"] = Stated(size, "path")
    stated = _merged(path, stated, _manifest(path))
    layout = _Layout(None, (), ("index", "radius"), 0, (), linf=False)
    return Source(place.name, "radii", stated, lambda: _table_chunks(path, layout))


# ------------------------------------------------------------------------------ captured output


def _captured(place: _Place, head: bytes, columns: Mapping[str, str]) -> Source | None:
    """Return the log within captured terminal output, whose lines begin with something else."""
    match = _CAPTURED.search(_text(head))
    if match is None:
        return None
    header = tuple(field.strip() for field in match[0].split("\t"))
    names, notes = _choose(
        header, columns, str(place.path), _text(head).count("\n", 0, match.end()) + 1
    )
    if _kind(names) != "radii" or names[0] != "index":
        return None
    stated = _from_name(place)
    if _is_linf(names, header):
        stated["norm"] = Stated("linf", "file")
    stated = _merged(place.path, stated, _manifest(place.path))
    return Source(
        place.name,
        "radii",
        stated,
        lambda: _captured_chunks(place.path, header, names, notes),
    )


def _captured_chunks(
    path: Path, header: tuple[str, ...], names: tuple[str | None, ...], notes: list[Note]
) -> Iterator[Chunk]:
    with_share = "p_lower" not in names
    rows = _Rows((*names, "p_lower") if with_share else names, notes)
    share, began = "", False
    for block in _blocks(path):
        for number, line in rows.readable(block):
            fields = [field.strip() for field in line.split("\t")]
            fields[0] = fields[0].rpartition(" ")[2]
            if tuple(fields) == header:
                if began:
                    yield from _shares_if_any(rows.new_run(number, "the header appears again"))
                began, share = True, ""
            elif began and (match := _PA.search(line)):
                share = match[1]
            elif began and len(fields) > 1 and re.fullmatch(r"[0-9]+", fields[0]):
                if len(fields) == len(header):
                    rows.add(number, [*fields, share] if with_share else fields)
                else:
                    rows.short(block, number, len(fields), len(header))
                share = ""
        yield from _shares_if_any(rows.flush())
    yield from _shares_if_any(rows.flush(last=True))


def _shares_if_any(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield chunks without the column of shares where no row has one."""
    for chunk in chunks:
        if not any(chunk.columns.get("p_lower", [""])):
            chunk.columns.pop("p_lower", None)
        yield chunk


# ------------------------------------------------------------------------------ JSON lines


def _json_lines(
    place: _Place, lines: list[str], columns: Mapping[str, str], run: _Record | None
) -> list[Source]:
    """Return the sources of a file with an object a line: one for each guarantee of our runs."""
    path, stated, skip = place.path, _from_name(place) if run is None else {}, 0
    objects: list[_Record] = []
    # The last line of the head may be cut.
    for number, line in enumerate(lines, 1):
        with suppress(_Malformed):
            if line.strip():
                objects.append(_object(line))
                if _MARK in objects[-1] and len(objects) == 1:
                    what = f"{path}: line {number}"
                    stated |= _manifest_states(_json(line, what), what)
                    skip = number
                    objects.clear()
    if not objects and not skip and run is None:
        raise _Unrecognised("JSON, but not an object a line")
    manifest = _manifest(path)
    stated = _merged(path, stated, manifest)
    keys = list(dict.fromkeys(key for found in objects for key in found))
    radius = next((found["radius"] for found in objects if "radius" in found), None)
    if run is not None or isinstance(radius, dict):
        guarantees = list(radius) if isinstance(radius, dict) else []
        if run is not None:
            promised = run["guarantee"]
            guarantees = [name for name in promised if name in guarantees or not objects]
        if not guarantees:
            raise InputError(f"{path}: no radius for a guarantee")
        stated = stated | (_run_states(run, path.with_name(RUN)) if run is not None else {})
        return [_native(place, name, stated, skip) for name in guarantees]
    names, notes = _choose(keys, columns, str(path), skip + 1)
    kind = _kind(names)
    if kind is None and keys:
        raise _Unrecognised("JSON lines without a radius or evidence")
    if _is_linf(names, keys):
        stated["norm"] = Stated("linf", "file")
    reader = _JsonReader(tuple(keys), names, notes, skip)
    return [Source(place.name, kind or "radii", stated, lambda: reader.chunks(path))]


def _native(place: _Place, guarantee: str, stated: _Statements, skip: int) -> Source:
    """Return the claims of one guarantee in certificates.jsonl."""
    keys = ("index", "label", "prediction", "log_error", "p_lower", "radius", "constant")
    reader = _JsonReader(keys, keys, [], skip, guarantee)
    name = f"{place.name} [{guarantee}]"
    told = {**stated, "guarantee": Stated(guarantee, "file")}
    return Source(name, "radii", told, lambda: reader.chunks(place.path))


@dataclass(frozen=True, slots=True)
class _JsonReader:
    """Reads lines of JSON: their keys, what these are, and the guarantee in our own files."""

    keys: tuple[str, ...]
    names: tuple[str | None, ...]
    notes: list[Note]
    skip: int
    guarantee: str | None = None

    def chunks(self, path: Path) -> Iterator[Chunk]:
        """Yield the rows of a file."""
        rows = _Rows(self.names, self.notes)
        known = set(self.keys)
        if self.guarantee is not None:
            known |= {"decided", "t"}
        for block in _blocks(path, self.skip):
            fields = self._fast(block, known)
            if fields is not None:
                lines = np.arange(block.first, block.first + block.size, dtype=np.int64)
                yield rows.chunk(lines, fields)
                continue
            for number, line in rows.readable(block):
                try:
                    record = _object(line)
                    self._watch(record.keys() - known, number, rows)
                    rows.add(number, self._fields(record))
                except _Malformed as error:
                    if block.is_cut(number) and not line.rstrip().endswith("}"):
                        rows.cut_off(number)
                    else:
                        rows.bad(number, str(error))
            yield from rows.flush()
        yield from rows.flush(last=True)

    def _fast(self, block: _Block, known: set[str]) -> list[list[str]] | None:
        """Return the columns of a block in which every line is an object of plain text, or None."""
        if block.long or self.guarantee is not None:
            return None
        records = _flat_objects(block)
        if records is None or not all(map(known.issuperset, records)):
            return None
        columns = []
        for key, name in zip(self.keys, self.names, strict=True):
            column = [record.get(key, "") for record in records]
            if name is None:
                column = [""] * len(records)
            elif set(map(type, column)) != {str} or _odd(column) or " " in "".join(column):
                return None
            columns.append(column)
        return columns

    def _watch(self, others: Iterable[str], line: int, rows: _Rows) -> None:
        """Note keys that the first objects do not have; what is evidence must not come late."""
        for key in sorted(others):
            if _canonical(key) is not None:
                raise _Malformed(f"the key {_shown(key)} comes only here")
            rows.note(UNKNOWN_COLUMN, line, f"key {_shown(key)}", about=key)

    def _fields(self, record: _Record) -> list[str]:
        return [
            "" if name is None else self._cell(record.get(key), name)
            for key, name in zip(self.keys, self.names, strict=True)
        ]

    def _cell(self, value: object, name: str) -> str:
        if name == "radius" and self.guarantee is not None:
            if not isinstance(value, dict) or self.guarantee not in value:
                raise _Malformed(f"no radius for {self.guarantee}")
            value = value[self.guarantee]
            if isinstance(value, dict):  # an exact radius is a bracket; the proven end is claimed
                value = value.get("proved")
        if value is None:
            return ""
        if isinstance(value, bool) and name in {"correct", "constant", "label", "prediction"}:
            return "1" if value else "0"
        if not isinstance(value, str):
            raise _Malformed(f"{name} is neither a number nor text")
        return value.strip()


def _object(line: str) -> _Record:
    """Return the object of a line, its numbers as they are written."""
    try:
        found: object = _DECODER.decode(line.strip())
    except RecursionError:
        raise _Malformed(f"nested deeper than {_MAX_DEPTH}") from None
    except ValueError as error:
        raise _Malformed(f"not JSON ({_why(error)})") from None
    if not isinstance(found, dict):
        raise _Malformed("not an object")
    if line.count("{") + line.count("[") > _MAX_DEPTH and _depth(found) > _MAX_DEPTH:
        raise _Malformed(f"nested deeper than {_MAX_DEPTH}")
    return found


_DECODER = json.JSONDecoder(
    parse_float=str, parse_int=str, parse_constant=_no_constant, object_pairs_hook=_once
)
_QUICK = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_constant)


def _flat_objects(block: _Block) -> list[_Record] | None:
    """Return the objects of lines that hold one each and nothing nested, read all at once.

    As many braces as lines, one at each end of a line, and as many objects: so no brace is in a
    text or within another object, and each line is an object. As many colons as keys: so none is
    in a text, and no key was there twice.
    """
    text, count = _text(block.data), block.size
    if "\r" in text:
        text = text.replace("\r\n", "\n").removesuffix("\r")
    ends = text.count("}\n") == count - 1 == text.count("\n{")
    ends = ends and text.startswith("{") and text.endswith("}")
    if not ends or "[" in text or text.count("{") != count or text.count("}") != count:
        return None
    try:
        records: list[_Record] = _QUICK.decode("[" + text.replace("\n", ",") + "]")
    except ValueError:
        return None
    whole = len(records) == count and sum(map(len, records)) == text.count(":")
    return records if whole else None


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [x for item in level for x in (item.values() if isinstance(item, dict) else item)]
    return depth


# ------------------------------------------------------------------------------ our run folders


def _run(path: Path) -> _Record | None:
    """Return run.json if there is one and certaudit wrote it; other tools use the name too."""
    try:
        content = _json_file(path, _MAX_RUN)
    except InputError:
        with suppress(OSError), path.open("rb") as file:
            if b'"certaudit"' in file.read(_HEAD):
                raise
        return None
    return content if isinstance(content, dict) and "certaudit" in content else None


def _run_sources(place: _Place, columns: Mapping[str, str], run: _Record) -> list[Source]:
    path = place.path
    promised = run.get("guarantee")
    if not isinstance(promised, list) or not all(isinstance(name, str) for name in promised):
        raise InputError(f"{path.with_name(RUN)}: guarantee: must be a list of names")
    with _named(path), path.open("rb") as file:
        head = file.read(_HEAD)
    if b"\0" in head:
        raise _Unrecognised("binary")
    return _json_lines(place, _lines(head.removeprefix(_BOM)), columns, run)


def _run_states(run: _Record, path: Path) -> _Statements:
    stated = _model_states(run.get("noise_model"), str(path))
    if "training_points" in run:
        number = parameter("training_labels", run["training_points"], f"{path}: ")
        stated["training_labels"] = Stated(number, "file")
    vote = run.get("vote")
    if vote == "majority":  # of two labels: the plurality
        vote = "plurality"
    if vote is not None:
        stated["vote"] = Stated(parameter("vote", vote, f"{path}: "), "file")
    return stated


# ------------------------------------------------------------------------------ arrays


class _Array(NamedTuple):
    """What the header of a member of an archive says."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


_ROW_ARRAYS = {
    "index": "index",
    "label": "label",
    "labels": "label",
    "prediction": "prediction",
    "radius": "radius",
    "p_lower": "p_lower",
    "p_upper": "p_upper",
    "log_error": "log_error",
    "selection_count": "selection_count",
    "selection_samples": "selection_samples",
}
_NUMBERS = frozenset({"radius", "p_lower", "p_upper", "log_error"})
_SCALARS = ("noise", "sigma", "q", "alpha", *_PLAIN_KEYS, "classes", "values")


def _archive(place: _Place) -> Source:
    """Return the votes in an .npz file; only headers, and single values, are read here."""
    path = place.path
    with _named(path), _arrays(path):
        found = _array_headers(path)
    if "counts" not in found:
        raise _Unrecognised("an archive without an array counts")
    _check_arrays(path, found)
    stated = _from_name(place)
    with _arrays(path), np.load(path, allow_pickle=False) as archive:
        for name in _SCALARS:
            if name in found:
                value = archive[name].item()
                stated[name] = Stated(parameter(name, value, f"{path}: "), "file")
    if "selection_counts" in found:
        stated.setdefault("selection", Stated("separate", "file"))
    stated = _merged(path, stated, _manifest(path))
    kind = "radii" if "radius" in found else "votes"
    if kind == "votes" and found.keys() & {"p_lower", "p_upper", "log_error"}:
        kind = "shares"
    return Source(place.name, kind, stated, lambda: _array_chunks(path, found))


@contextmanager
def _arrays(path: Path) -> Iterator[None]:
    """Turn what is wrong with an archive into an error that names it, without NumPy's warnings."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except _UNREADABLE as error:
        raise InputError(f"{path}: not a readable .npz file ({_why(error)})") from None


def _array_headers(path: Path) -> dict[str, _Array]:
    """Return shape and dtype of every array, each held against the bytes that there are."""
    found: dict[str, _Array] = {}
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if not any(info.filename.endswith(".npy") for info in members):
            raise _Unrecognised("compressed")
        if sum(info.file_size for info in members) > MAX_ARCHIVE:
            raise InputError(f"{path}: has more than {MAX_ARCHIVE} bytes uncompressed")
        for info in members:
            name = info.filename.removesuffix(".npy")
            if name in found:
                raise InputError(f"{path}: two members are called {_shown(name)}")
            if name == info.filename:
                continue
            with archive.open(info) as member:
                version = np.lib.format.read_magic(member)
                read = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }.get(version)
                if read is None:
                    raise InputError(f"{path}: {name} has a header of version {version}")
                shape, _, dtype = read(member)
            found[name] = _Array(shape, dtype)
            if not dtype.hasobject and math.prod(shape) * dtype.itemsize > info.file_size:
                raise InputError(f"{path}: {name} is shorter than its header says")
    return found


def _check_arrays(path: Path, found: Mapping[str, _Array]) -> None:
    """Refuse arrays that are not what their names promise."""
    shape = found["counts"].shape
    if len(shape) != 2 or not 1 <= shape[1] <= _MAX_FIELDS:
        raise InputError(f"{path}: counts: must be a row for each point, a column for each class")
    if {"label", "labels"} <= found.keys():
        raise InputError(f"{path}: both label and labels")
    needed: tuple[int, ...]
    for name, array in found.items():
        if name in {"counts", "selection_counts"}:
            needed, kinds, like = shape, "iu", "integers, of the shape of counts"
        elif name in _ROW_ARRAYS and name in _NUMBERS:
            needed, kinds, like = shape[:1], "iufU", "numbers or text, one for each row of counts"
        elif name in _ROW_ARRAYS:
            needed, kinds, like = shape[:1], "iu", "integers, one for each row of counts"
        elif name in _SCALARS:
            needed, kinds, like = (), "iuU", "a single integer or short text"
        else:
            continue
        long = name in _SCALARS and array.dtype.itemsize > _MAX_FIELDS
        if array.dtype.kind not in kinds or array.shape != needed or long:
            raise InputError(f"{path}: {name}: must be {like}")


def _array_chunks(path: Path, found: Mapping[str, _Array]) -> Iterator[Chunk]:
    with _arrays(path):
        now = _array_headers(path)
        if now != found:
            raise InputError(f"{path}: changed while it was read")
        with np.load(path, allow_pickle=False) as archive:
            counts = archive["counts"]
            others = {ours: archive[name] for name, ours in _ROW_ARRAYS.items() if name in found}
            chosen = archive["selection_counts"] if "selection_counts" in found else None
    if chosen is not None and "prediction" not in others:
        others["prediction"] = chosen.argmax(axis=1)
    names = [f"count:{k}" for k in range(counts.shape[1])]
    by_selection = [] if chosen is None else ["selection_count", "selection_samples"]
    for name in by_selection:
        others.pop(name, None)
    # Wide rows make smaller chunks: memory does not grow with the number of classes.
    step = max(1, min(ROWS, (ROWS << 5) // (len(names) + len(others) + 2)))
    rows = _Rows((*others, *by_selection, *names), _unread(found))
    for start in range(0, len(counts), step):
        part = slice(start, start + step)
        columns = [_cells(array[part].tolist()) for array in others.values()]
        if chosen is not None:
            columns.extend(_selected(chosen[part], others["prediction"][part]))
        columns.extend(list(map(str, column)) for column in counts[part].T.tolist())
        fields = [list(map(str.strip, column)) for column in columns]
        yield from _checked(rows, start, fields)
    yield from rows.flush(last=True)


def _unread(found: Mapping[str, _Array]) -> list[Note]:
    known = {"counts", "selection_counts", *_ROW_ARRAYS, *_SCALARS}
    names = sorted(found.keys() - known)
    return [Note(UNKNOWN_COLUMN, 0, f"array {_shown(name)}") for name in names[:_MAX_NOTES]]


def _selected(chosen: NDArray[Any], prediction: NDArray[Any]) -> tuple[list[str], list[str]]:
    """Return the votes for the prediction in the samples that chose it, and how many these are."""
    classes = chosen.shape[1]
    votes = [
        str(row[at]) if 0 <= at < classes else ""
        for row, at in zip(chosen.tolist(), prediction.tolist(), strict=True)
    ]
    # Sums in Python: counts that overflow int64 are somebody's mistake, not ours to make worse.
    return votes, [str(sum(row)) for row in chosen.tolist()]


# ------------------------------------------------------------------------------ frames


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
    chosen = dict(columns or {})
    names, notes = _choose([each.strip() for each in header], chosen, name, 0)
    kind = _kind(names)
    if kind is None:
        raise InputError(f"{name}: no radius and no evidence in the columns {header[:20]}")
    read = [(ours, key) for ours, key in zip(names, headers, strict=True) if ours is not None]
    lengths = {len(frame[key]) for _, key in read}
    if len(lengths) != 1:
        raise InputError(f"{name}: the columns have unequal lengths")
    stated = {"norm": Stated("linf", "file")} if _is_linf(names, header) else {}

    def chunks() -> Iterator[Chunk]:
        rows = _Rows([ours for ours, _ in read], notes)
        values = [_listed_values(frame[key]) for _, key in read]
        for start in range(0, len(values[0]), ROWS):
            fields = [
                _cells(column[start : start + ROWS], flags=ours == "correct")
                for (ours, _), column in zip(read, values, strict=True)
            ]
            yield from _checked(rows, start, fields)
        yield from rows.flush(last=True)

    return Source(name, kind, stated, chunks)


def _listed_values(column: Any) -> Sequence[object]:  # noqa: ANN401
    for method in ("tolist", "to_list"):
        if hasattr(column, method):
            found: list[object] = getattr(column, method)()
            return found
    return list(column)


def _cells(values: Sequence[object], *, flags: bool = False) -> list[str]:
    """Return values as text: floats by repr, what is missing as nothing."""
    kinds = set(map(type, values))
    if kinds <= {int}:
        return list(map(str, values))
    if kinds <= {str}:
        return [str(value).strip() for value in values]
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
    return str(value).strip()


def _checked(rows: _Rows, start: int, fields: list[list[str]]) -> Iterator[Chunk]:
    """Yield the rows of columns from somewhere in arrays, one by one where one may be a formula."""
    count = len(fields[0])
    if not any(map(_odd, fields)):
        yield rows.chunk(np.arange(start + 1, start + 1 + count, dtype=np.int64), fields)
        return
    for line, row in enumerate(zip(*fields, strict=True), start + 1):
        if all(map(str.isprintable, row)):
            rows.add(line, row)
        else:
            rows.bad(line, "a control character")
    yield from rows.flush()


def _odd(column: list[str]) -> bool:
    return _formulas(column) or not "".join(column).isprintable()
