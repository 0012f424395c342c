"""Reading the files of a run folder: at most so much, and only regular files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from certaudit.errors import InputError
from certaudit.records.bundle import BUNDLE, RECORDS, read_bundle
from certaudit.records.from_run import Unsigned, read_run
from certaudit.records.model import MAX_BUNDLE, Bundle

__all__ = [
    "MAX_RECORDS_FILE",
    "check_output",
    "has",
    "load_bundle",
    "load_evidence",
    "load_unsigned",
    "read_file",
]

MAX_RECORDS_FILE = 8 << 30
_RUN, _CERTIFICATES = "run.json", "certificates.jsonl"


def load_unsigned(folder: Path) -> Unsigned:
    """Return what run.json and certificates.jsonl of a run folder say, read strictly.

    Raises InputError for any fault.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: is not a run folder (certaudit certify DATA -o {folder} makes one)"
        )
    run, certificates = folder / _RUN, folder / _CERTIFICATES
    first, second = read_file(run, MAX_BUNDLE), read_file(certificates, MAX_RECORDS_FILE)
    return read_run(first, second, run_name=str(run), certificates_name=str(certificates))


def read_file(path: Path, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    Raises InputError where there is none, or it is longer.
    """
    try:
        # What is opened is looked at, not what has the name; a pipe must not make us wait.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise InputError(f"{path}: is not a regular file")
            data = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    if len(data) > limit:
        raise InputError(f"{path}: is longer than {limit} bytes")
    return data


def check_output(path: Path, run: Path, *inputs: Path) -> None:
    """Refuse to write a file over one of the run, or another, that it is made from.

    Raises InputError.
    """
    if any(path.absolute().resolve() == place.absolute().resolve() for place in inputs):
        raise InputError(f"{path}: is to be read, too; it is left alone")
    names = (RECORDS, BUNDLE, _RUN, _CERTIFICATES)
    if path.name in names and path.absolute().parent.resolve() == run.absolute().resolve():
        raise InputError(f"{path}: is a file of the run; it is left alone")


def has(path: Path) -> bool:
    """Return whether something has this name, a broken link too."""
    return os.path.lexists(path)


def load_bundle(folder: Path) -> Bundle:
    """Return the bundle of a signed run folder; nothing in it is verified.

    Raises InputError where there is none, and for what is not one.
    """
    path = folder / BUNDLE
    if folder.is_dir() and not has(path):
        raise InputError(f"{folder}: is not signed (no {BUNDLE}); certaudit sign {folder} signs it")
    return read_bundle(read_file(path, MAX_BUNDLE), str(path))


def load_evidence(folder: Path) -> tuple[bytes, bytes]:
    """Return the bytes of bundle.json and records.jsonl of a signed run folder.

    Raises InputError where one of them is missing or too long.
    """
    if folder.is_dir() and not has(folder / BUNDLE):
        raise InputError(f"{folder}: is not signed (no {BUNDLE}); certaudit sign {folder} signs it")
    bundle = read_file(folder / BUNDLE, MAX_BUNDLE)
    return bundle, read_file(folder / RECORDS, MAX_RECORDS_FILE)
