"""`certaudit demo`: the whole chain on real data that comes with the package."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

import click

from certaudit.cli.audit import headline
from certaudit.cli.certify import certify_to_folder
from certaudit.cli.crosscheck import comparison_report
from certaudit.cli.exit_codes import Exit
from certaudit.cli.output import run_report, say, show

__all__ = ["demo"]

_DATA = "breast_cancer.csv"
_COLUMN, _POSITIVE = "diagnosis", "malignant"
_Q, _GUARANTEE = "0.1", "all"
_SAMPLE = (0, 1, 2)


@click.command(short_help="Run the whole chain on data that comes with the package.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the results (default: ./certaudit-demo).",
)
def demo(output: Path | None) -> int:
    """Certify the Wisconsin breast cancer data, cross-check three certificates, audit them all.

    Uses no network. Writes the data set and a run folder below DIR.
    """
    from importlib.resources import files

    from certaudit.auditing.log import Options
    from certaudit.auditor import audit_sources
    from certaudit.certify.data import LabelledData
    from certaudit.crosscheck import crosscheck
    from certaudit.io.claims import sources
    from certaudit.io.datasets import KEYS, read_data_set
    from certaudit.io.files import check_run_folder, write_bytes

    folder = output or _default_folder()
    data, run_folder = folder / _DATA, folder / "run"
    check_run_folder(run_folder)
    _make(folder)
    write_bytes(data, files("certaudit").joinpath("data", _DATA).read_bytes())
    options = ["--label-column", _COLUMN, "--positive", _POSITIVE, "--q", _Q]
    options += ["--guarantee", _GUARANTEE]
    show(f"$ certaudit {shlex.join(['certify', str(data), *options, '-o', str(run_folder)])}\n")
    run = certify_to_folder(
        data,
        run_folder,
        q=_Q,
        label_column=_COLUMN,
        positive=_POSITIVE,
        guarantee=_GUARANTEE,
    )
    show(*run_report(run, data.name))

    show(f"\nThe first {len(_SAMPLE)} points, as `certaudit crosscheck` compares them:\n")
    raw = read_data_set(data, label_column=_COLUMN)
    checked = LabelledData.check(*(raw.arrays[key] for key in KEYS), positive=_POSITIVE)
    comparisons = list(crosscheck(checked, _SAMPLE, q=_Q))
    show(*comparison_report(comparisons, 60))
    show(f"\nThe same certificates, as `certaudit audit {run_folder}` decides them:\n")
    report = audit_sources(sources(run_folder), Options())
    show(*headline(report))
    say(f"wrote {data}, {run_folder}/run.json and {run_folder}/certificates.jsonl")
    refuted = any(c.contradictions for c in comparisons)
    doubtful = report.verdicts.keys() - {"confirmed", "abstained"}
    return Exit.REFUTED if refuted or doubtful else Exit.CONFIRMED


def _default_folder() -> Path:
    """Return ./certaudit-demo, or a temporary folder where that cannot be written."""
    folder = Path("certaudit-demo")
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="certaudit-demo-"))
        say(f"this folder cannot be written to; using {folder}")
    return folder


def _make(folder: Path) -> None:
    from certaudit.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
