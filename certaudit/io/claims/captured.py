"""The log within captured terminal output, whose lines begin with something else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from certaudit.claims import Chunk, Note
from certaudit.io.claims.blocks import blocks
from certaudit.io.claims.columns import choose
from certaudit.io.claims.common import Changes, Edit, Malformed, Place, Reading, Span, bare, text_of
from certaudit.io.claims.delimited import stripped
from certaudit.io.claims.names import from_name
from certaudit.io.claims.rows import Rows

__all__ = ["captured"]

_HEADER = re.compile(r"(?:^|(?<=[ \t:]))idx\tlabel\t[^\r\n]*", re.MULTILINE)
_PA = re.compile(r"(?:^|[ \t:])pA:[ \t]*([^ \t]+)[ \t]*$")


def captured(place: Place, head: bytes, columns: Mapping[str, str]) -> Reading | None:
    """Return what captured output is, None where no header of a log is in it."""
    text = text_of(head)
    match = _HEADER.search(text)
    if match is None:
        return None
    header = tuple(bare(field) for field in match[0].split("\t"))
    line = text.count("\n", 0, match.end()) + 1
    found = choose(header, columns, str(place.path), line)
    if found.kind != "radii" or found.names[0] != "index":
        return None
    log = _Log(header, found.names)
    edit = Edit(log.columns, log.fields, log.spans, move=log.moved if log.with_share else None)
    stated = from_name(place) | found.stated
    return Reading("radii", stated, lambda: log.chunks(place.path, found.notes), edit)


@dataclass(frozen=True, slots=True)
class _Log:
    """A log in captured output: its header, and what its columns are."""

    header: tuple[str, ...]
    names: tuple[str | None, ...]

    @property
    def with_share(self) -> bool:
        """Whether the lower bound on the vote share stands in a line of its own (pA: ...)."""
        return "p_lower" not in self.names

    @property
    def columns(self) -> tuple[str | None, ...]:
        return (*self.names, "p_lower") if self.with_share else self.names

    def chunks(self, path: Path, notes: list[Note]) -> Iterator[Chunk]:
        """Yield the rows of a file."""
        rows = Rows(self.columns, notes)
        share, began = "", False
        for block in blocks(path):
            for number, line in rows.readable(block):
                fields = self._split(line)
                if tuple(fields) == self.header:
                    if began:
                        yield from _shares_if_any(rows.new_run(number, "the header appears again"))
                    began, share = True, ""
                elif began and (match := _PA.search(line)):
                    share = match[1]
                    continue
                elif began and _is_row(fields):
                    if len(fields) == len(self.header):
                        rows.add(number, [*fields, share] if self.with_share else fields)
                    else:
                        rows.short(block, number, len(fields), len(self.header))
                elif began and len(fields) == len(self.header):
                    rows.bad(number, "as many fields as a row, and no index")
                share = ""  # it is of the next line, or of none
            yield from _shares_if_any(rows.flush())
        yield from _shares_if_any(rows.flush(last=True))

    def _split(self, line: str) -> list[str]:
        fields = [bare(field) for field in line.split("\t")]
        fields[0] = fields[0].rpartition(" ")[2]
        return fields

    def fields(self, line: str) -> list[str]:
        """Return the fields of a row; of a line with a share that alone."""
        fields = self._split(line)
        if match := _PA.search(line):
            fields = [""] * len(self.header) + [match[1]]
        elif len(fields) != len(self.header) or not _is_row(fields):
            raise Malformed("no row of the log")
        elif self.with_share:
            fields.append("")
        return fields

    def spans(self, line: str) -> list[Span | None]:
        """Return where these fields stand."""
        if match := _PA.search(line):
            return [*([None] * len(self.header)), match.span(1)]
        found: list[Span | None] = []
        start = 0
        for field in line.split("\t"):
            found.append(stripped(line, start, start + len(field)))
            start += len(field) + 1
        start, end = found[0] or (0, 0)
        found[0] = (line.rfind(" ", start, end) + 1 or start, end)
        return [*found, None]

    def moved(self, lines: Iterable[tuple[int, str]], changes: Changes) -> Changes:
        """Return changes with those of shares at the lines where the shares stand."""
        found = {number: dict(change) for number, change in changes.items()}
        above = 0
        for number, line in lines:
            if _PA.search(line):
                above = number
            elif _is_row(fields := self._split(line)) or tuple(fields) == self.header:
                share = found.get(number, {}).pop("p_lower", None) if above else None
                if share is not None:
                    found[above] = {"p_lower": share}
                above = 0
        return {number: change for number, change in found.items() if change}


def _is_row(fields: list[str]) -> bool:
    return len(fields) > 1 and re.fullmatch(r"[0-9]+", fields[0]) is not None


def _shares_if_any(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield chunks without the column of shares where no row has one."""
    for chunk in chunks:
        if not any(chunk.columns.get("p_lower", [""])):
            chunk.columns.pop("p_lower", None)
        yield chunk
