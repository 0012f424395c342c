"""Lines of a file, many at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from certaudit.errors import InputError
from certaudit.io.claims.common import BOM, MAX_FILE, MAX_LINE, ROWS, lines_of, named

__all__ = ["Block", "blocks"]

_BLOCK = 1 << 20


class Block(NamedTuple):
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
        return enumerate(lines_of(self.data), self.first)

    def is_cut(self, number: int) -> bool:
        """Return whether a line is the file's last and has no newline."""
        return self.cut and number == self.first + self.size - 1

    def after(self, line: int) -> Block | None:
        """Return the block without its lines up to a number, None where nothing is left."""
        drop = line - self.first + 1
        if drop <= 0:
            return self
        if drop >= self.size:
            return None
        rest = self.data.split(b"\n", drop)[-1]
        return self._replace(first=line + 1, data=rest, size=self.size - drop)


def blocks(path: Path, after: int = 0) -> Iterator[Block]:
    """Yield a file's lines after a number, at most ROWS at once, whatever their lengths."""
    with named(path), path.open("rb") as file:
        for block in _raw_blocks(file):
            if (kept := block.after(after)) is not None:
                yield kept


def _raw_blocks(file: IO[bytes]) -> Iterator[Block]:
    first, rest, runs_on, total = 1, b"", False, 0
    while data := file.read(_BLOCK):
        total += len(data)
        if total > MAX_FILE:
            raise InputError(f"{file.name}: has more than {MAX_FILE} bytes")
        if total == len(data):
            data = data.removeprefix(BOM)
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
        yield Block(first, rest, 1, frozenset({first} if runs_on else ()), cut=True)


def _pieces(first: int, data: bytes, long: set[int]) -> Iterator[Block]:
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
        yield Block(first + at, piece, last - at, numbers, cut=False)
