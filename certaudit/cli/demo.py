"""`certaudit demo`: the whole chain on real data that comes with the package."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import click

from certaudit.cli.audit import headline
from certaudit.cli.certify import certify_to_folder
from certaudit.cli.crosscheck import comparison_report
from certaudit.cli.exit_codes import Exit, worst
from certaudit.cli.output import run_report, say, show
from certaudit.cli.pack import pack_run
from certaudit.cli.report import write_reports
from certaudit.cli.sign import write_signed
from certaudit.cli.verify import verification_report
from certaudit.errors import InputError

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
    """Certify the Wisconsin breast cancer data, cross-check, audit, sign and verify it all.

    Uses no network. Writes the data set, a run folder, a key and evidence.zip below DIR, lets
    the checker out of evidence.zip run without certaudit, and ends with a report to open.
    """
    from importlib.resources import files

    from certaudit.auditor import audit_sources, make_options, open_evidence
    from certaudit.certify.data import LabelledData
    from certaudit.crosscheck import crosscheck
    from certaudit.io.claims import sources
    from certaudit.io.datasets import KEYS, read_data_set
    from certaudit.io.files import check_run_folder, write_bytes

    folder = output or _default_folder()
    data, run_folder, key = folder / _DATA, folder / "run", folder / "demo-key.pem"
    _remove_own_signature(run_folder, key)
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
    labels = shlex.join(["--label-column", _COLUMN, "--positive", _POSITIVE])
    show("\nThe same certificates, decided as statements, by the worst flips of these data:\n")
    show(f"$ certaudit audit {run_folder} --evidence {data} {labels}\n")
    evidence = open_evidence(data, label_column=_COLUMN, positive=_POSITIVE)
    report = audit_sources(sources(run_folder), make_options(evidence=evidence))
    show(*headline(report))
    say(f"wrote {data}, {run_folder}/run.json and {run_folder}/certificates.jsonl")
    refuted = any(c.contradictions for c in comparisons)
    doubtful = report.verdicts.keys() - {"confirmed", "abstained"}
    code = _evidence(run_folder, data, key)
    codes = [code, Exit.REFUTED if refuted or doubtful else Exit.CONFIRMED]
    return worst([*codes, _report(run_folder, data, key)])


def _evidence(run_folder: Path, data: Path, key: Path) -> Exit:
    """Sign the run, verify it, pack it, and let the packed checker run by itself."""
    from certaudit.records import bundle
    from certaudit.records.keys import generate, load_private, public_path, save
    from certaudit.records.store import load_unsigned
    from certaudit.verifier import verify

    public, evidence = public_path(key), key.with_name("evidence.zip")
    show("\nSigned with a key made for this demonstration, verified, packed:\n")
    if not key.exists():
        show(f"$ certaudit keygen -o {shlex.quote(str(key))} --no-passphrase")
        save(generate("ecdsa-p256"), key, None)
    shown = {
        name: shlex.quote(str(path))
        for name, path in {"run": run_folder, "key": key, "public": public, "data": data}.items()
    }
    show(f"$ certaudit sign {shown['run']} --key {shown['key']}")
    unsigned = load_unsigned(run_folder)
    signed = bundle.sign(unsigned.payload({}), load_private(key, bytes))
    write_signed(run_folder, unsigned, signed)
    show(f"$ certaudit verify {shown['run']} --key {shown['public']} --data {shown['data']}\n")
    found = verify(run_folder, key=public, data=data)
    show(*verification_report(found))
    show(
        f"\n$ certaudit pack {shown['run']} --key {shown['public']} -o {shlex.quote(str(evidence))}"
    )
    pack_run(run_folder, public, evidence)
    with tempfile.TemporaryDirectory() as name:
        with zipfile.ZipFile(evidence) as archive:
            archive.extractall(name)
        show("\nThe checker in it, in a Python without certaudit or any other package:\n")
        show("$ python3 -I -S checker.py . --key key.pub.pem --data DATA | tail -1")
        command = [sys.executable, "-I", "-S", "checker.py", ".", "--key", "key.pub.pem"]
        done = subprocess.run(  # noqa: S603  (the interpreter that runs us, on a file of ours)
            [*command, "--data", str(data.absolute())],
            cwd=name,
            capture_output=True,
            text=True,
            check=False,
        )
    show(*done.stdout.splitlines()[-1:])
    if done.stderr:
        say(done.stderr.rstrip())
    codes = {int(code) for code in Exit}
    alone = Exit(done.returncode) if done.returncode in codes else Exit.INTERNAL
    return worst([Exit(found.exit_code), alone])


def _report(run_folder: Path, data: Path, key: Path) -> Exit:
    """Write the evidence report, and name it; say how to get it where it cannot be set."""
    from certaudit.records.keys import public_path
    from certaudit.report.html import check_jinja2
    from certaudit.report.pdf import check_typst

    page, paper = key.with_name("report.html"), key.with_name("report.pdf")
    try:
        check_jinja2()
        check_typst()
    except InputError as error:
        show(f"\nNo evidence report to read: {error}")
        return Exit.CONFIRMED
    options = ["--key", str(public_path(key)), "--data", str(data)]
    show("\nAn evidence report on all this, for a person who has to decide:\n")
    for output in (page, paper):
        command = ["report", str(run_folder), "-o", str(output), *options]
        show(f"$ certaudit {shlex.join(command)}")
    code = write_reports((run_folder,), (page, paper), key=public_path(key), data=data)
    show(f"\nOpen {page}, or {paper.name} beside it.")
    return code


def _remove_own_signature(run_folder: Path, key: Path) -> None:
    """Take back what an earlier demonstration signed with its own key, and nothing else."""
    from certaudit.errors import CertauditError
    from certaudit.records.bundle import BUNDLE, RECORDS
    from certaudit.records.keys import load_public, public_path
    from certaudit.records.store import load_bundle

    try:
        own = load_bundle(run_folder).hint == load_public(public_path(key)).hint
    except CertauditError:
        return
    if own:
        (run_folder / BUNDLE).unlink()
        (run_folder / RECORDS).unlink(missing_ok=True)


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
