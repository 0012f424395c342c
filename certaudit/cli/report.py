"""`certaudit report`: an evidence report for a person who has to decide."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from certaudit.cli.exit_codes import Exit, worst
from certaudit.cli.options import check_sample, sample_options
from certaudit.cli.output import printable, progress, say

if TYPE_CHECKING:
    from certaudit.report.build import Report

__all__ = ["report", "write_reports"]

_STYLES = (".html", ".pdf", ".json")


@click.command(short_help="Write an evidence report on runs and audits.")
@click.argument("paths", nargs=-1, metavar="RUN|AUDIT.json...", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="FILE.html, FILE.pdf (both need certaudit[report]) or FILE.json.",
)
@click.option(
    "--context",
    "context_file",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="System, purpose, thresholds ...; what it leaves out is printed as NOT STATED.",
)
@click.option("--template", is_flag=True, help="Print a context.toml to fill in, and stop.")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="Of a signed RUN: the issuer's public key. Verifies it.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DATA",
    help="Of RUN: its data. Decides radii of two labels by the worst flips; with --key derives "
    "alpha and each bound again.",
)
@sample_options
def report(
    paths: tuple[Path, ...],
    output: Path | None,
    context_file: Path | None,
    template: bool,
    key: Path | None,
    data: Path | None,
    test_file: Path | None,
    sample: int | None,
    seed: str,
) -> int:
    """Write an evidence report on run folders and results of `audit --format json`.

    Fifteen sections: what was claimed, what is proven of it, which claims are false and what shows
    it, what is not covered, how to do it again. Every number says which guarantee it has, to which
    side it is rounded, and how far it was checked. The same files give the same bytes.

    Exits as audit and verify do, once the report is written: 0 when all is confirmed, 1 when
    something is refuted or unsupported, 3 when something is open, 4 when a signature is wrong.

    Example: certaudit report run -o report.html --data data.csv --key key.pub.pem
    """
    from certaudit.report.context import template as context_template

    if template:
        click.echo(context_template(), nl=False)
        return 0
    if not paths:
        raise click.UsageError("name a run folder, or a result of audit --format json")
    if output is None:
        raise click.UsageError("-o FILE.html, FILE.pdf or FILE.json is needed")
    check_sample(data, test_file, sample, seed)
    if sample is not None and data is None:
        raise click.UsageError("--sample needs --data")
    return int(
        write_reports(
            paths,
            (output,),
            context_file,
            key=key,
            data=data,
            test=test_file,
            sample=sample,
            seed=seed,
        )
    )


def write_reports(
    paths: tuple[Path, ...],
    outputs: tuple[Path, ...],
    context_file: Path | None = None,
    **material: Any,  # noqa: ANN401
) -> Exit:
    """Write a report to files of different styles, and return the exit code of what it says."""
    from certaudit.io.files import file_digest, write_bytes
    from certaudit.report.build import build
    from certaudit.report.context import Context, read_context
    from certaudit.report.runs import Material
    from certaudit.report.summary import Input

    for output in outputs:
        _check_output(output, (*paths, context_file, *material.values()))
    context, told = Context(), None
    if context_file is not None:
        context = read_context(context_file)
        told = Input(context_file.name, *file_digest(context_file))
    with progress("verifying") as bar:
        given = Material(**material)
        found = build(
            paths,
            context,
            given,
            lambda _, done, total: bar(done, total),
            context_file=told,
        )
    for output in outputs:
        write_bytes(output, _rendered(found, output.suffix.lower()))
        say(f"wrote {printable(str(output))}: {found.summary.outcome.headline}")
    return worst(Exit(code) for code in found.codes)


def _check_output(output: Path, read: tuple[object, ...]) -> None:
    """Refuse what cannot be written, or would replace what is read, before any work is done."""
    from certaudit.errors import InputError
    from certaudit.report.html import check_jinja2
    from certaudit.report.pdf import check_typst

    style = output.suffix.lower()
    if style not in _STYLES:
        raise click.UsageError(f"--output: {output} does not end in .html, .pdf or .json")
    place = output.absolute().resolve()
    for path in read:
        if not isinstance(path, Path):
            continue
        known = path.absolute().resolve()
        if known == place:
            raise InputError(f"{output}: is to be read, too; it is left alone")
        if known == place.parent and path.is_dir():
            raise InputError(f"{output}: is in {path}, which is to be read; write it elsewhere")
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise InputError(f"{output}: {place.parent} cannot be written to")
    if style == ".html":
        check_jinja2()
    elif style == ".pdf":
        check_typst()


def _rendered(found: Report, style: str) -> bytes:
    """Return the bytes of a report in a style."""
    from certaudit.report.html import render_html
    from certaudit.report.pdf import render_pdf
    from certaudit.report.sections import document
    from certaudit.report.summary import encode

    data = encode(found.summary)
    if style == ".json":
        return data
    pages = document(found)
    return render_html(pages) if style == ".html" else render_pdf(pages, data)
