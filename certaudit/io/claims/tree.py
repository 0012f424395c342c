"""Files and folders of claims."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from certaudit.claims import COLUMNS, Source, Stated
from certaudit.errors import InputError
from certaudit.io.claims.columns import of_class
from certaudit.io.claims.common import (
    Broken,
    Foreign,
    Place,
    Reading,
    Skipped,
    Unrecognised,
    named,
)
from certaudit.io.claims.manifest import MANIFEST, merged, of_manifest
from certaudit.io.claims.names import folders, printable
from certaudit.io.claims.recognise import recognise
from certaudit.io.claims.runs import run_json
from certaudit.io.files import CERTIFICATES, RUN

__all__ = ["PROFILES", "check_columns", "given", "sources"]

PROFILES: Mapping[str, Mapping[str, str]] = {
    "auto": {},
    "cohen": {"noise": "gaussian", "guarantee": "gaussian"},
    "gaussian": {"noise": "gaussian"},
    "label-flip": {"noise": "label-flip"},
    "discrete": {"noise": "discrete"},
}
"""What a profile states of files that do not say it themselves."""
_BELONGS = frozenset({RUN, "records.jsonl", "bundle.json"})
_OF_CLAIMS = frozenset({".csv", ".tsv", ".jsonl", ".npz"})
"""Suffixes of files that should be read: one that is not recognised is broken in a folder."""
_RECOGNISED = (
    "recognised are logs with a header (tabs, commas, semicolons or blanks; idx label predict "
    "radius correct ...), probability logs (x disttype ...), orig-rad-*.txt, accuracy curves "
    "(*_acc), captured output of a log, JSON lines, run folders, and .npz with counts"
)


def sources(
    path: Path, *, columns: Mapping[str, str] | None = None, profile: str = "auto"
) -> Iterator[Source | Skipped | Broken]:
    """Yield what a file, or every file of a folder, holds: sources of claims, and what is no such.

    `columns` maps names of COLUMNS (or "count:K") to names in the header. In folders links are
    not followed and hidden files not read; names are relative to the folder. A `profile` (of
    PROFILES) states what files do not say themselves.

    Raises InputError, naming the file: a file given directly that is not recognised; columns that
    are not there; a manifest, run.json or archive that is unfit; what the system refuses. In a
    folder such a file is Broken, and the others are read; so is one that is not recognised where
    its suffix is that of a log (.csv .tsv .jsonl .npz), else it is Skipped.
    """
    if profile not in PROFILES:
        raise InputError(f"{profile!r} is no profile (known: {', '.join(PROFILES)})")
    chosen = check_columns(columns)
    with named(path):
        mode = path.stat().st_mode
    inside = stat.S_ISDIR(mode)
    found = _folder(path, chosen) if inside else iter(_sources(*given(path, chosen)))
    told = {name: Stated(word, "option") for name, word in PROFILES[profile].items()}
    for each in found:
        yield replace(each, stated={**told, **each.stated}) if isinstance(each, Source) else each


def check_columns(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Return a mapping of columns whose names are known, else raise InputError."""
    for name in columns or {}:
        if of_class(name) != name and name not in COLUMNS:
            raise InputError(f"{name[:40]!r} is no column (known: {', '.join(COLUMNS)}, count:K)")
    return dict(columns or {})


def given(path: Path, columns: Mapping[str, str]) -> tuple[Place, list[Reading]]:
    """Return what a file is that was named itself.

    Raises InputError where it is not recognised.
    """
    with named(path):
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path}: not a regular file")
        resolved = path.resolve()
    near = (*folders(path.parent), *folders(resolved.parent))
    place = Place(path, printable(path.as_posix()), near)
    try:
        return place, recognise(place, columns)
    except Unrecognised as refusal:
        raise InputError(f"{path}: {refusal}; {_RECOGNISED}") from None


def _sources(place: Place, readings: list[Reading]) -> list[Source]:
    """Return sources, with what the manifest beside a file states."""
    manifest = of_manifest(place.path)
    return [
        Source(
            place.name + each.part,
            each.kind,
            {**merged(place.path, each.stated, manifest), **each.fixed},
            each.chunks,
            each.run,
            place.path,
        )
        for each in readings
    ]


def _folder(root: Path, columns: Mapping[str, str]) -> Iterator[Source | Skipped | Broken]:
    """Yield what is in a folder, in the order of names."""
    # One list a level: folders are as deep as the system lets them be, so no recursion.
    waiting = [_entries(root)]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
            continue
        path = Path(entry.path)
        name = printable(path.relative_to(root).as_posix())
        try:
            with named(path):
                is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and not entry.name.startswith("."):
                waiting.append(_entries(path))
                continue
            found = _file(root, entry, name, columns)
        except Unrecognised as refusal:
            should = path.suffix.lower() in _OF_CLAIMS and not isinstance(refusal, Foreign)
            yield (Broken if should else Skipped)(name, str(refusal))
        except InputError as error:
            yield Broken(name, str(error).removeprefix(f"{path}: "))
        else:
            yield from found


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with named(folder), os.scandir(folder) as found:
        return iter(sorted(found, key=lambda entry: entry.name))


def _file(
    root: Path, entry: os.DirEntry[str], name: str, columns: Mapping[str, str]
) -> list[Source]:
    """Return the sources of a file found in a folder, with regard to the files beside it."""
    path = Path(entry.path)
    with named(path):
        link, is_file = entry.is_symlink(), entry.is_file(follow_symlinks=False)
    if entry.name.startswith("."):
        raise Foreign("hidden")
    if link:
        raise Foreign("a link")
    if not is_file:
        raise Foreign("not a regular file")
    if entry.name.endswith(MANIFEST) and len(entry.name) > len(MANIFEST):
        raise Foreign(f"manifest of {entry.name.removesuffix(MANIFEST)}")
    if entry.name in _BELONGS and run_json(path.with_name(RUN)) is not None:
        raise Foreign(f"belongs to {CERTIFICATES}")
    near = (*folders(path.relative_to(root).parent), *folders(root))
    place = Place(path, name, near)
    return _sources(place, recognise(place, columns))
