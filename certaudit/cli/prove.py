"""`certaudit prove-inclusion`: all that one certificate needs to be verified alone."""

from __future__ import annotations

from pathlib import Path

import click

from certaudit.cli.output import printable, say

__all__ = ["prove_inclusion"]


@click.command("prove-inclusion", short_help="Prove that one certificate was signed.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--index",
    required=True,
    type=click.IntRange(min=0),
    metavar="I",
    help="The row of the test set, from 0.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The proof, as JSON.",
)
def prove_inclusion(run: Path, index: int, output: Path) -> int:
    """Write all that one certificate of the signed folder RUN needs, that of test row I.

    That is its record, the path in the Merkle tree that proves it was signed, and the bundle.
    No key is needed: whoever reads the proof verifies the signature in it.

    Example: certaudit prove-inclusion run --index 17 -o proof.json
    """
    from certaudit.io.files import write_bytes
    from certaudit.records.evidence import prove_inclusion as prove
    from certaudit.records.store import check_output, load_evidence

    check_output(output, run)
    bundle, records = load_evidence(run)
    write_bytes(output, prove(bundle, records, index))
    say(f"wrote {printable(str(output))}")
    return 0
