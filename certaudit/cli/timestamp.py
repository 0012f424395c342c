"""`certaudit timestamp`: what to have stamped, and the stamp into the bundle."""

from __future__ import annotations

from pathlib import Path

import click

from certaudit.cli.output import printable, say
from certaudit.errors import InputError

__all__ = ["timestamp"]


@click.command(short_help="Add a time stamp to a signed run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--signature-out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the signature's bytes: what is to be stamped.",
)
@click.option(
    "--attach",
    type=click.Path(path_type=Path),
    metavar="RESPONSE",
    help="Put an RFC 3161 response (DER) over them into the bundle.",
)
def timestamp(run: Path, signature_out: Path | None, attach: Path | None) -> int:
    """Add an RFC 3161 time stamp over the signature of the folder RUN: nothing is sent.

    \b
    certaudit timestamp run --signature-out run.sig
    openssl ts -query -data run.sig -sha256 -cert -out run.tsq
    curl -H 'Content-Type: application/timestamp-query' --data-binary @run.tsq \\
      URL-OF-THE-AUTHORITY -o run.tsr
    certaudit timestamp run --attach run.tsr
    """  # noqa: D301  (\b is click's: keep these lines)
    from certaudit.io.files import write_bytes
    from certaudit.records.bundle import BUNDLE, with_timestamp
    from certaudit.records.store import check_output, load_bundle, read_file
    from certaudit.records.timestamp import MAX_RESPONSE, check_response

    if (signature_out is None) == (attach is None):
        raise click.UsageError("give --signature-out FILE or --attach RESPONSE")
    bundle = load_bundle(run)
    if signature_out is not None:
        check_output(signature_out, run)
        write_bytes(signature_out, bundle.signature)
        say(f"wrote {printable(str(signature_out))}")
    if attach is not None:
        if bundle.timestamp is not None:
            raise InputError(f"{run / BUNDLE}: carries a time stamp already; it is left alone")
        response = read_file(attach, MAX_RESPONSE)
        try:
            check_response(response, bundle.signature)
        except InputError as error:
            raise InputError(f"{attach}: {error}") from None
        write_bytes(run / BUNDLE, with_timestamp(bundle, response))
        say(
            f"wrote {printable(str(run / BUNDLE))}. The stamp is over this signature; whether it "
            "is genuine, and of when, is checked by certaudit verify --tsa-ca."
        )
    return 0
