"""`certaudit verify`: is a signed run, or the proof of one record, to be trusted, and true.

And does an attack, which nobody signs, do what it says.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from certaudit.cli.options import check_sample, sample_options
from certaudit.cli.output import print_json, progress, show
from certaudit.errors import InputError, Untrusted

if TYPE_CHECKING:
    from certaudit.verifier import Verification

__all__ = ["verification_report", "verify"]


@click.command(short_help="Verify a signed run, the proof of one record, or an attack.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="The issuer's public key (PEM). No key is trusted by default; an attack takes none.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DATA",
    help="The data set: derives alpha and each log_error again.",
)
@sample_options
@click.option(
    "--tsa-ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Certificates to verify a time stamp under (PEM).",
)
@click.option("--require-all", is_flag=True, help="Exit 3 if any step is not checked.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What to print.",
)
def verify(
    run: Path,
    key: Path | None,
    data: Path | None,
    test_file: Path | None,
    sample: int | None,
    seed: str,
    tsa_ca: Path | None,
    require_all: bool,
    format_: str,
) -> int:
    """Verify who signed RUN, that nothing was changed since, and that it is true.

    RUN is a signed run folder or a file of prove-inclusion. Radii are derived from the
    bounds again; with --data the bounds from the data, too. Or RUN is a file of attack,
    which is replayed on --data: it is not signed.

    Exit codes: 0 nothing failed, 1 a statement is false, 2 unreadable, 3 left open,
    4 not trusted: no key, or signature, digest, tree or files are wrong.
    """
    from certaudit.checker import is_attack
    from certaudit.verifier import verify as verify_run

    check_sample(data, test_file, sample, seed)
    try:
        run.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{run}: {reason}") from None
    attack = is_attack(run)
    if attack and (key or sample or tsa_ca):
        raise click.UsageError(f"{run} is an attack: not signed, so no --key, --sample or --tsa-ca")
    if attack and data is None:
        raise click.UsageError(f"{run} is an attack: --data is needed to replay it")
    if key is None and not attack:
        raise Untrusted("no --key: whose signature should this be? No key is trusted by default")
    with progress("verifying") as bar:
        found = verify_run(
            run,
            key=key,
            data=data,
            test=test_file,
            sample=sample,
            seed=seed,
            tsa_ca=tsa_ca,
            require_all=require_all,
            progress=lambda _, done, total: bar(done, total),
        )
    if format_ == "json":
        print_json(found.as_json())
    else:
        show(*verification_report(found))
    return found.exit_code


def verification_report(found: Verification) -> list[str]:
    """Return the steps, remarks and the conclusion as lines for a terminal."""
    from certaudit.checker import report_lines

    steps = [(step.name, step.state, step.detail) for step in found.steps]
    return report_lines(steps, found.remarks)
