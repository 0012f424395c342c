"""`certaudit sign`: records and one signature over all of them, into a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from certaudit.cli.keygen import passphrase_option, passphrase_source
from certaudit.cli.output import printable, say, show
from certaudit.errors import InputError

if TYPE_CHECKING:
    from certaudit.records.from_run import Unsigned

__all__ = ["sign", "write_signed"]


@click.command(short_help="Sign the certificates of a run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="The private key (with --signature: the public one).",
)
@passphrase_option
@click.option(
    "--annotation",
    "annotations",
    multiple=True,
    metavar="NAME=TEXT",
    help="Something to sign along with it; nobody checks it.",
)
@click.option(
    "--pae-out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the bytes to sign, and nothing else: for a key kept elsewhere.",
)
@click.option(
    "--signature",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take a signature over those bytes that was made elsewhere.",
)
def sign(
    run: Path,
    key: Path | None,
    passphrase_file: Path | None,
    annotations: tuple[str, ...],
    pae_out: Path | None,
    signature: Path | None,
) -> int:
    """Sign the certificates of the folder RUN with one signature over all of them.

    Writes records.jsonl (one certificate a line) and bundle.json (a Sigstore bundle) into
    RUN, and prints the fingerprint of the key. Signing again replaces both, unless the
    bundle carries a time stamp.

    With a key kept elsewhere: sign RUN --pae-out FILE, sign FILE with that key (ECDSA on
    P-256 with SHA-256, or Ed25519), then sign RUN --signature SIG --key key.pub.pem, with
    the same annotations.

    Example: certaudit sign run --key key.pem
    """
    from certaudit.io.files import write_bytes
    from certaudit.records import bundle
    from certaudit.records.keys import load_private, load_public
    from certaudit.records.store import check_output, load_unsigned, read_file

    if pae_out is not None and (signature is not None or key is not None):
        raise click.UsageError("--pae-out takes neither --key nor --signature")
    if pae_out is None and key is None:
        raise click.UsageError("--key KEY is needed, or --pae-out FILE")
    notes = _annotations(annotations)
    unsigned = load_unsigned(run)
    payload = unsigned.payload(notes)
    if pae_out is not None:
        check_output(pae_out, run)
        write_bytes(pae_out, bundle.pae(payload))
        say(f"wrote {printable(str(pae_out))}; sign its bytes, then: sign RUN --signature FILE")
        return 0
    if key is None:  # excluded above
        raise AssertionError
    _check_replaceable(run)
    if signature is not None:
        public = load_public(key)
        signed = bundle.attach(payload, read_file(signature, 1 << 10), public)
    else:
        private = load_private(key, passphrase_source(passphrase_file))
        public, signed = private.public, bundle.sign(payload, private)
    write_signed(run, unsigned, signed)
    show(public.fingerprint)
    return 0


def write_signed(run: Path, unsigned: Unsigned, bundle: bytes) -> None:
    """Write records.jsonl and, last, bundle.json into a run folder, and say so."""
    from certaudit.io.files import write_bytes
    from certaudit.records.bundle import BUNDLE, RECORDS

    write_bytes(run / RECORDS, unsigned.lines)
    write_bytes(run / BUNDLE, bundle)
    folder = printable(str(run))
    say(
        f"wrote {folder}/{RECORDS} and {folder}/{BUNDLE}: "
        f"{unsigned.size} records, Merkle root {unsigned.root.hex()}"
    )


def _annotations(texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not name.isascii():
            raise click.UsageError(f"--annotation: {text!r} is not NAME=TEXT, NAME in ASCII")
        if name in found:
            raise click.UsageError(f"--annotation: {name!r} is given twice")
        found[name] = value
    return found


def _check_replaceable(run: Path) -> None:
    """Refuse to replace a bundle that cannot be made again, or that is not one."""
    from certaudit.records.bundle import BUNDLE
    from certaudit.records.store import has, load_bundle

    if not has(run / BUNDLE):
        return
    try:
        stamped = load_bundle(run).timestamp is not None
    except InputError as error:
        raise InputError(f"{error}; it is left alone: move it away to sign") from None
    if stamped:
        raise InputError(
            f"{run / BUNDLE}: carries a time stamp, which a new signature would not have; "
            "move it away to sign again"
        )
