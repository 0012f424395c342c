"""`certaudit pack`: the evidence and its checker in one file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import click

from certaudit.cli.exit_codes import Exit
from certaudit.cli.output import printable, say, show
from certaudit.errors import InputError, Untrusted

__all__ = ["pack", "pack_run"]

_READ_ME = "READ-ME-FIRST.txt"
_MAX_ATTACHMENT = 1 << 30
_TEXT = """\
Evidence of certified robustness: {size} certificates of one classifier, signed.

What it says: so many flips of training labels do not change the vote of the smoothed classifier
at these test points. The classifier, the noise and the data (by SHA-256) are in run.json, the
certificates in records.jsonl, the signature over both in bundle.json.

To check it, with Python 3.11 or newer and nothing else, in this folder:

    python3 -I checker.py . --key key.pub.pem

and with the data, if you have them:

    python3 -I checker.py . --key key.pub.pem --data DATA

Before you trust key.pub.pem: get the key's fingerprint from the issuer by another way than this
file (by telephone, from a page of theirs), and compare it with

    {fingerprint}

which is SHA-256 of the key (SubjectPublicKeyInfo, DER):
openssl pkey -pubin -in key.pub.pem -outform DER | sha256sum

A checker that comes with the evidence could have been changed along with it: compare checker.py
with the one of certaudit {version}, or use that one.

Exit codes: 0 nothing failed, 1 a statement is false, 2 something cannot be read, 3 something was
left open, 4 the signature, a digest or the Merkle tree is wrong: trust nothing here. With
--require-all nothing may be left unchecked.

No tables are needed: every threshold is derived again from the noise. A time stamp (timestamp.tsr)
is not checked by checker.py: certaudit verify --tsa-ca does that, or openssl ts -verify.
{attachments}
SHA-256 of each file:

{listing}
"""
_ATTACHMENTS = """
The files in attachments/ are not signed, and nothing checks them.
"""


@click.command(short_help="Pack a signed run and its checker into one file.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--key",
    required=True,
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="The public key that it was signed with.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The .zip file.",
)
@click.option(
    "--attach",
    "attachments",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Another file to put in; it is not signed.",
)
def pack(run: Path, key: Path, output: Path, attachments: tuple[Path, ...]) -> int:
    """Pack the signed folder RUN for somebody who does not have certaudit.

    What the folder allows is verified first, radii and accuracies too (the bounds behind them
    need the data: verify --data). The .zip holds it, the public key, a checker that needs
    Python only, and how to use it. The same files give the same bytes.

    Example: certaudit pack run --key key.pub.pem -o evidence.zip
    """
    show(pack_run(run, key, output, attachments))
    return 0


def pack_run(run: Path, key: Path, output: Path, attachments: Iterable[Path] = ()) -> str:
    """Write the .zip file, say so, and return the key's fingerprint; raises as `pack` ends."""
    from certaudit import __version__
    from certaudit.io.files import CERTIFICATES, RUN, write_bytes
    from certaudit.records.bundle import BUNDLE, RECORDS
    from certaudit.records.evidence import read_evidence
    from certaudit.records.keys import load_public
    from certaudit.records.model import MAX_BUNDLE
    from certaudit.records.store import (
        MAX_RECORDS_FILE,
        check_output,
        load_evidence,
        read_file,
    )
    from certaudit.verifier import verify

    attachments = tuple(attachments)
    check_output(output, run, key, *attachments)
    public = load_public(key)
    bundle, records = load_evidence(run)
    evidence = read_evidence(bundle, records, public)
    found = verify(run, key=key)
    if found.failed:
        first = f"{run}: {found.failed[0].name}: {found.failed[0].detail}; nothing is packed"
        if found.exit_code == Exit.UNVERIFIED:
            raise Untrusted(first)
        say(f"certaudit: {printable(first)}")
        raise click.exceptions.Exit(found.exit_code)
    members = {
        RUN: read_file(run / RUN, MAX_BUNDLE),
        CERTIFICATES: read_file(run / CERTIFICATES, MAX_RECORDS_FILE),
        RECORDS: records,
        BUNDLE: bundle,
        "key.pub.pem": public.pem,
        "checker.py": _checker(),
    }
    if evidence.timestamp is not None:
        members["timestamp.tsr"] = evidence.timestamp
    for path in attachments:
        name = f"attachments/{path.name}"
        if name in members:
            raise InputError(f"--attach: two files have the name {path.name!r}")
        if not path.name.isprintable() or "\\" in path.name:
            raise InputError(f"--attach: {path.name!r} is not a name for a .zip file")
        members[name] = read_file(path, _MAX_ATTACHMENT)
    members[_READ_ME] = _TEXT.format(
        size=len(evidence.records),
        fingerprint=public.fingerprint,
        version=__version__,
        attachments=_ATTACHMENTS if attachments else "",
        listing="\n".join(
            f"{sha256(data).hexdigest()}  {name}" for name, data in sorted(members.items())
        ),
    ).encode()
    write_bytes(output, _zip(members))
    say(f"wrote {printable(str(output))}: {len(members)} files")
    return public.fingerprint


def _checker() -> bytes:
    """Return the source of the checker that stands alone."""
    source = files("certaudit").joinpath("checker.py")
    if not source.is_file():
        raise InputError("this installation of certaudit has no checker.py to pack")
    return source.read_bytes()


def _zip(members: Mapping[str, bytes]) -> bytes:
    """Return a .zip file that depends on nothing but its members.

    They are stored as they are: what a compressor makes of them differs between its versions.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(members.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, data)
    return file.getvalue()
