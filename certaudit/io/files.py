"""Files and run folders that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from certaudit.errors import InputError

__all__ = [
    "CERTIFICATES",
    "RUN",
    "check_run_folder",
    "file_digest",
    "locked",
    "whole_file",
    "write_bytes",
    "write_run",
]

RUN = "run.json"
CERTIFICATES = "certificates.jsonl"
_OURS = frozenset({RUN, CERTIFICATES})


def file_digest(path: Path) -> tuple[str, int]:
    """Return SHA-256 of a file, in hexadecimal, and how many bytes it has.

    Raises InputError where it cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return digest, file.tell()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def check_run_folder(folder: Path) -> None:
    """Refuse a run folder that cannot be written, before any work is done.

    An existing folder is replaced only if it is a run (it has a run.json) and holds nothing else.

    Raises InputError, saying what is in the way.
    """
    try:
        _check_run_folder(folder)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None


def _check_run_folder(folder: Path) -> None:
    if folder.is_symlink():
        raise InputError(f"{folder}: is a link; name the folder itself")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: exists and is not a folder")
    if folder.exists():
        files = {entry.name: entry.is_file() for entry in sorted(folder.iterdir())}
        if not files.get(RUN):
            raise InputError(f"{folder}: exists and is not a run (no {RUN}); it is left alone")
        foreign = [name for name, is_file in files.items() if name not in _OURS or not is_file]
        if "bundle.json" in foreign:
            raise InputError(f"{folder}: is a signed run; it is left alone: move it away")
        if foreign:
            raise InputError(f"{folder}: holds {foreign[0]!r}, not of a run; it is left alone")
        if not _is_ours(folder / RUN):
            raise InputError(f"{folder}: its {RUN} is not certaudit's; it is left alone")
    parent = folder.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"{folder}: {parent} cannot be written to")


def _is_ours(path: Path) -> bool:
    """Return whether a run.json was written by certaudit: other tools use the name too."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return False
    return isinstance(content, dict) and "certaudit" in content


def write_run(
    folder: Path, run: Mapping[str, object], certificates: Iterable[Mapping[str, object]]
) -> None:
    """Write run.json and certificates.jsonl (one JSON object a line) as a folder.

    It is built under a temporary name beside its place and renamed, so that it is there whole
    or not at all. An earlier run of that name is replaced.

    Raises InputError as check_run_folder does, and where the system refuses to write.
    """
    check_run_folder(folder)
    final = folder.absolute()
    building: Path | None = None
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
        _write_synced(building / RUN, [_line(run, indent=1)])
        _write_synced(building / CERTIFICATES, (_line(record) for record in certificates))
        building.chmod(0o777 & ~_umask())
        _sync_folder(building)
        _swap(building, final)
        _sync_folder(final.parent)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    finally:
        if building is not None and building.exists():
            shutil.rmtree(building, ignore_errors=True)


def _swap(building: Path, final: Path) -> None:
    if not final.exists():
        building.rename(final)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{final.name}.old.", dir=final.parent))
    earlier = aside / final.name
    try:
        final.rename(earlier)
        building.rename(final)
    finally:
        # Whatever happened, Ctrl-C included: the earlier run goes only once another is in place.
        if not final.exists() and earlier.exists():
            earlier.rename(final)
        if final.exists():
            shutil.rmtree(aside, ignore_errors=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, replacing an earlier one.

    Raises InputError where the system refuses.
    """
    with whole_file(path) as file:
        file.write(data)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write that takes its place when the block ends well, and not before.

    Raises InputError where the system refuses.
    """
    final = path.absolute()
    building: Path | None = None
    try:
        if final.is_symlink() or (final.exists() and not final.is_file()):
            raise InputError(f"{path}: is there, and is not a regular file; it is left alone")
        handle, name = tempfile.mkstemp(prefix=f".{final.name}.", dir=final.parent)
        building = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        building.chmod(0o666 & ~_umask())
        building.replace(final)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    finally:
        if building is not None:
            building.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for a moment: other processes of certaudit that want it wait.

    Raises InputError where it cannot be opened. Where the system has no such locks nothing waits.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    try:
        with suppress(OSError):  # not every file system has locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _line(record: Mapping[str, object], indent: int | None = None) -> str:
    return json.dumps(record, allow_nan=False, indent=indent) + "\n"


def _write_synced(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())


def _umask() -> int:
    """Return the permissions that the user takes from new files (temporary ones have less)."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    # Not every file system lets a folder be synced; the files themselves are.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
