"""Tell what a file is, by its first bytes, then by its name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from itertools import pairwise

from certaudit.errors import InputError
from certaudit.io.claims.arrays import archive
from certaudit.io.claims.captured import captured
from certaudit.io.claims.common import (
    BOM,
    HEAD,
    MAX_FILE,
    Foreign,
    Place,
    Reading,
    Unrecognised,
    bare,
    lines_of,
    named,
    words,
)
from certaudit.io.claims.delimited import Layout, table, without_header
from certaudit.io.claims.json_lines import json_lines
from certaudit.io.claims.names import from_name, stem
from certaudit.io.claims.probability import (
    ORIG_NAME,
    PARAMETER_LINE,
    orig_radius,
    probability_log,
)
from certaudit.io.claims.runs import run_json, run_readings
from certaudit.io.files import CERTIFICATES, RUN
from certaudit.tables import COLUMNS as TABLE_COLUMNS

__all__ = ["by_content", "recognise"]

_TABLE = "a threshold table: certaudit table check"
_LEE = re.compile(r"r[ \t]+rho_r\^\{-1\}\(0\.5\)[ \t]+err")
_MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f") + b"\x7f"


def recognise(place: Place, columns: Mapping[str, str]) -> list[Reading]:
    """Return what a file is; the certificates of a run folder are what its run.json says.

    Raises Unrecognised where it is nothing of claims, and InputError where it is unfit.
    """
    path = place.path
    if path.name == CERTIFICATES and (run := run_json(path.with_name(RUN))) is not None:
        return run_readings(place, run)
    with named(path), path.open("rb") as file:
        head, size = file.read(HEAD), os.fstat(file.fileno()).st_size
    found = by_content(place, head, columns)
    if size > MAX_FILE:
        raise InputError(f"{path}: has more than {MAX_FILE} bytes")
    return found


_PREFIXED = re.compile(r"[^\t]*[ :]idx\tlabel\t")


def by_content(place: Place, head: bytes, columns: Mapping[str, str]) -> list[Reading]:
    """Return what a file is that begins so; its name counts, too."""
    if head.startswith(_ZIP):
        return [archive(place)]
    if head.startswith(_MAGIC):
        raise Unrecognised("compressed")
    head = head.removeprefix(BOM)
    lines = lines_of(head)
    first = _first_line(head, lines)
    text = bare(lines[first])
    if text.startswith("{"):
        return json_lines(place, lines, columns)
    if _LEE.fullmatch(text) or tuple(text.split(",")) == TABLE_COLUMNS:
        raise Foreign(_TABLE)
    if PARAMETER_LINE.fullmatch(text):
        return [probability_log(place, lines)]
    prefixed = _PREFIXED.match(lines[first]) is not None
    if prefixed and (reading := captured(place, head, columns)) is not None:
        return [reading]
    if (reading := table(place, first + 1, lines[first], columns)) is not None:
        return [reading]
    if _is_binary(head):
        raise Unrecognised("binary")
    if (reading := captured(place, head, columns)) is not None:
        return [reading]
    # The last line of the head may be cut, so it is not looked at where there are others.
    sample = [words(line) for line in lines[first : max(first + 1, len(lines) - 1)] if line]
    return [_numeric(place, sample)]


def _first_line(head: bytes, lines: list[str]) -> int:
    """Return which line is the first that is neither blank nor a comment, if it can be read."""
    if any("\r" in line for line in lines[:1]):
        raise Unrecognised("its lines end in carriage returns alone")
    first = next((at for at, line in enumerate(lines) if _is_content(line)), -1)
    if first < 0:
        raise Unrecognised("it has no first line")
    if _is_binary(head) and not lines[first].replace("\t", " ").isprintable():
        raise Unrecognised("binary")
    if len(head) >= HEAD - len(BOM) and first == len(lines) - 1:
        raise Unrecognised("its first line is too long")
    return first


def _is_binary(head: bytes) -> bool:
    """Return whether there are NUL bytes, or more than a tenth of control characters.

    After the header of a log such are rows that cannot be read.
    """
    controls = len(head) - len(head.translate(None, _CONTROL))
    return b"\0" in head or len(head) < 10 * controls


def _is_content(line: str) -> bool:
    body = bare(line)
    return bool(body) and not body.startswith("#")


def _numeric(place: Place, sample: list[list[str]]) -> Reading:
    """Return a file of two columns of numbers without a header, if its name says what it is."""
    if not all(word.isascii() for row in sample for word in row):
        raise Unrecognised("not recognised")  # float() takes the digits of all scripts
    try:
        pairs = [(float(left), float(right)) for left, right in filter(None, sample)]
    except ValueError:
        raise Unrecognised("not recognised") from None
    if match := ORIG_NAME.fullmatch(stem(place.path)):
        return orig_radius(place, match)
    lefts = [left for left, _ in pairs]
    rises = lefts[0] == 0 and all(a <= b for a, b in pairwise(lefts))
    if rises and all(0 <= right <= 1 for _, right in pairs) and stem(place.path).endswith("_acc"):
        layout = Layout(None, (), ("radius", "accuracy"), 0)
        return without_header(place, layout, "curve", from_name(place))
    raise Unrecognised("numbers without a header")
