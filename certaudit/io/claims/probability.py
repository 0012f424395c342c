"""Logs of bounds on vote shares (x parameter value, o index low high), and radii beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from certaudit.claims import Chunk, Stated
from certaudit.errors import InputError
from certaudit.exact import parse_rational
from certaudit.findings import TWO_RUNS
from certaudit.io.claims.blocks import blocks
from certaudit.io.claims.common import BLANKS, Malformed, Place, Reading, Statements, bare, words
from certaudit.io.claims.delimited import Layout, edit_of, without_header
from certaudit.io.claims.names import LOG_NAME, parameters, stem
from certaudit.io.claims.rows import Rows

__all__ = ["ORIG_NAME", "PARAMETER_LINE", "orig_radius", "probability_log"]

PARAMETER_LINE = re.compile(r"x[ \t]+(disttype|k|std|N|alpha)[ \t]+([!-~]+)")
ORIG_NAME = re.compile(r"orig-rad-(?P<linf>L2-Linfty-)?(?P<rest>.+)")
_SIZES = (("mnist", 784), ("cifar", 3072), ("imagenet", 150528))
_NAMES = ("index", "p_lower", "p_upper")


def probability_log(place: Place, lines: list[str]) -> Reading:
    """Return what a file is that begins with a parameter (x ...)."""
    path = place.path
    found: dict[str, str] = {}
    for line in filter(bare, lines):
        match = PARAMETER_LINE.fullmatch(bare(line))
        if match is None or match[1] in found:
            break
        found[match[1]] = match[2]
    stated = _named_parameters(stem(path), path)
    stated |= parameters(found, "file", str(path))
    edit = edit_of(Layout(None, (), (None, *_NAMES), 0))

    def read(line: str) -> Sequence[str]:
        if not line.lstrip(BLANKS).startswith("o"):
            raise Malformed("not a row (o ...)")
        return edit.read(line)

    return Reading("shares", stated, lambda: _chunks(path, found), replace(edit, read=read))


def _named_parameters(name: str, path: Path) -> Statements:
    match = LOG_NAME.fullmatch(name)
    return parameters(match.groupdict(), "file name", str(path)) if match else {}


def _chunks(path: Path, first: Mapping[str, str]) -> Iterator[Chunk]:
    rows = Rows(_NAMES)
    headers = _Headers(first)
    for block in blocks(path):
        for number, line in rows.readable(block):
            fields = words(line)
            if match := PARAMETER_LINE.fullmatch(bare(line)):
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


def orig_radius(place: Place, match: re.Match[str]) -> Reading:
    """Return what a file of radii is whose name says so (ORIG_NAME)."""
    stated = _named_parameters(match["rest"], place.path)
    if match["linf"]:
        stated["norm"] = Stated("linf", "file name")
        sizes = (size for part in place.near for word, size in _SIZES if word in part.lower())
        if (size := next(sizes, None)) is not None:
            stated["dimension"] = Stated(size, "path")
    return without_header(place, Layout(None, (), ("index", "radius"), 0), "radii", stated)
