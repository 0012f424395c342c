"""Write a log again, byte for byte the same but for some fields."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from certaudit.errors import InputError
from certaudit.io.claims.common import (
    BOM,
    HEAD,
    MAX_LINE,
    Changes,
    Edit,
    Malformed,
    Place,
    Reading,
    Unrecognised,
    named,
    shown,
)
from certaudit.io.claims.manifest import MANIFEST, manifest_content, manifest_states, merged
from certaudit.io.claims.recognise import by_content
from certaudit.io.claims.rows import is_formula
from certaudit.io.claims.strict_json import parse_json
from certaudit.io.claims.tree import check_columns, given
from certaudit.io.files import whole_file

__all__ = ["check_rewrite", "rewrite"]

_WRITER = {"written-by": "certaudit"}
"""What the annotations of our manifests say."""


class _Plan(NamedTuple):
    """A file as it is read, and how its lines are written again."""

    reading: Reading
    edit: Edit


def check_rewrite(path: Path, output: Path, columns: Mapping[str, str] | None = None) -> None:
    """Refuse what rewrite would refuse whatever changes it is given.

    Raises InputError for a file that is not delimited text or JSON lines; an `output` that is
    `path`, a folder, in no folder, or would not be read again; and a manifest beside it that
    rewrite did not write.
    """
    _planned(path, output, columns)


def rewrite(
    path: Path,
    output: Path,
    changes: Mapping[int, Mapping[str, str]],
    manifest: Mapping[str, object],
    *,
    columns: Mapping[str, str] | None = None,
) -> None:
    """Write a log to `output` with other texts in some fields, and its manifest beside it.

    `changes` maps line numbers to names of COLUMNS (or "count:K") to texts; every other byte stays
    as it is. `columns` is as for sources. The manifest is written as it is given, but for an
    annotation that says by whom; only a manifest that has this, and states that numbers are rounded
    down, is replaced.

    Raises InputError as check_rewrite does, and for lines that are no row, columns that are not
    there, texts that cannot stand in their place, and a manifest that is unfit or contradicts the
    file. Then nothing is written.
    """
    plan = _planned(path, output, columns)
    edit = plan.edit
    beside = _beside(output)
    told = _manifest_text(manifest, beside, output, plan.reading)
    for line, change in changes.items():
        if missing := change.keys() - set(edit.names):
            raise InputError(f"{path}: line {line}: there is no column {shown(min(missing))}")
    if edit.move is not None and any("p_lower" in change for change in changes.values()):
        with named(path), path.open("rb") as file:
            changes = edit.move(_numbered(file), changes)
    with named(path), path.open("rb") as file, whole_file(output) as log:
        _copy(path, file, log, changes, edit)
        log.flush()
        with whole_file(beside) as stating:
            stating.write(told)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + MANIFEST)


def _planned(path: Path, output: Path, columns: Mapping[str, str] | None) -> _Plan:
    _check_place(path, output)
    chosen = check_columns(columns)
    place, readings = given(path, chosen)
    edit = readings[0].edit if len(readings) == 1 else None
    if edit is None:
        raise InputError(f"{path}: --fix writes delimited text and JSONL")
    with named(path), path.open("rb") as file:
        head = file.read(HEAD)
    _check_name(Place(output, place.name, place.near), head, chosen, readings[0])
    return _Plan(readings[0], edit)


def _check_place(path: Path, output: Path) -> None:
    """Refuse to write where something stands that is not ours to replace."""
    with named(output):
        if not output.name or output.name == ".." or output.is_dir():
            raise InputError(f"{output}: is a folder, not a file to write")
        if output.name.endswith(MANIFEST):
            raise InputError(f"{output}: is the name of a manifest")
        if not output.parent.is_dir():
            raise InputError(f"{output}: there is no folder {output.parent}")
    beside = _beside(output)
    for written in (output, beside):
        with named(written):
            if os.path.realpath(written) == os.path.realpath(path) or (
                written.exists() and path.exists() and written.samefile(path)
            ):
                raise InputError(f"{written}: would be written over what is read")
            if written.is_symlink() or (written.exists() and not written.is_file()):
                raise InputError(f"{written}: is there, and is not a regular file")
    if beside.exists() and not _is_ours(beside):
        raise InputError(f"{beside}: is there, and certaudit did not write it; it is left alone")


def _is_ours(beside: Path) -> bool:
    """Return whether rewrite wrote a manifest."""
    try:
        content = manifest_content(beside)
        manifest_states(content, str(beside))
    except InputError:
        return False
    if not isinstance(content, dict) or content.get("rounding") != "down":
        return False
    notes = content.get("annotations")
    return isinstance(notes, dict) and notes.items() >= _WRITER.items()


def _manifest_text(
    manifest: Mapping[str, object], beside: Path, output: Path, reading: Reading
) -> bytes:
    """Return a manifest as it is written, if it could be read beside such a file."""
    notes = manifest.get("annotations", {})
    if not isinstance(notes, Mapping):
        raise InputError(f"{beside}: annotations: must be an object")
    whole = {**manifest, "annotations": {**notes, **_WRITER}}
    try:
        text = json.dumps(whole, indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{beside}: cannot be JSON ({error})") from None
    merged(output, reading.stated, manifest_states(parse_json(text, str(beside)), str(beside)))
    return text.encode("ascii")


def _check_name(place: Place, head: bytes, columns: Mapping[str, str], reading: Reading) -> None:
    """Refuse a name under which a file that begins so would be something else."""
    try:
        found = by_content(place, head, columns)
    except Unrecognised as refusal:
        raise InputError(f"{place.path}: would not be recognised by this name: {refusal}") from None
    if [each.kind for each in found] != [reading.kind]:
        raise InputError(f"{place.path}: would be taken for something else by this name")


def _numbered(file: IO[bytes]) -> Iterator[tuple[int, str]]:
    for number, piece in _pieces(file):
        yield number, _body(number, piece)[1].decode("utf-8", "surrogateescape")


def _pieces(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file with their numbers, those that are too long in pieces."""
    number = 1
    while piece := file.readline(MAX_LINE + len(BOM) + 2):
        yield number, piece
        number += piece.endswith(b"\n")


def _body(number: int, piece: bytes) -> tuple[bytes, bytes, bytes]:
    """Return a line in three: a byte order mark, what is read of it, and its end."""
    start = BOM if number == 1 and piece.startswith(BOM) else b""
    body = piece.removeprefix(start)
    end = b"\r\n" if body.endswith(b"\r\n") else b"\n" if body.endswith(b"\n") else b""
    end = end or (b"\r" if body.endswith(b"\r") else b"")  # of the last line
    return start, body.removesuffix(end), end


def _copy(path: Path, file: IO[bytes], log: IO[bytes], changes: Changes, edit: Edit) -> None:
    done = 0
    for number, piece in _pieces(file):
        change = changes.get(number)
        if change is None:
            log.write(piece)
            continue
        done += 1
        start, body, end = _body(number, piece)
        try:
            if len(body) > MAX_LINE:
                raise Malformed(f"a line of more than {MAX_LINE} bytes")
            line = _edited(body.decode("utf-8", "surrogateescape"), change, edit)
        except Malformed as refusal:
            raise InputError(f"{path}: line {number}: {refusal}") from None
        log.write(start + line.encode("utf-8", "surrogateescape") + end)
    if done != len(changes):
        raise InputError(f"{path}: has no line {max(changes)}")


def _edited(line: str, change: Mapping[str, str], edit: Edit) -> str:
    """Return a line with other texts in its fields, if it reads as it should then."""
    before = list(edit.read(line))
    if len(before) != len(edit.names):
        raise Malformed(f"{len(before)} fields instead of {len(edit.names)}")
    wanted, places = before.copy(), []
    for at, (name, span) in enumerate(zip(edit.names, edit.spans(line), strict=False)):
        if name is not None and name in change:
            if span is None:
                raise Malformed(f"has no {name}")
            new = change[name]
            if not new.isprintable() or (new[:1] in {*"=@+-"} and is_formula(new)):
                raise Malformed(f"{shown(new)} cannot be written")
            wanted[at] = new
            places.append((span, new))
    for (start, end), new in sorted(places, reverse=True):
        line = line[:start] + edit.spell(line[start:end], new) + line[end:]
    try:
        after = list(edit.read(line))
    except Malformed:
        after = []
    if after != wanted:
        raise Malformed(f"{', '.join(map(shown, change.values()))} cannot stand there")
    return line
