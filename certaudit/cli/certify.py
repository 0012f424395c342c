"""`certaudit certify`: from a data set to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from certaudit.cli.options import (
    classifier_options,
    data_options,
    jobs_for,
    load,
    size_options,
    vote_options,
)
from certaudit.cli.output import progress, run_report, say, show

if TYPE_CHECKING:
    from certaudit.certify.summary import AnyRun

__all__ = ["certify", "certify_to_folder"]


@click.command(short_help="Certify a test set against label flips.")
@data_options
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="The run folder to write.",
)
@classifier_options
@vote_options
@click.option(
    "--guarantee",
    type=click.Choice(["kl", "tight", "exact", "all"]),
    default="kl",
    show_default=True,
    help="kl; tight: the tight radius as well, about twice as large; exact (two labels): how many "
    "flips the vote stands, and how many change it; all: every one there is.",
)
@click.option(
    "--engine",
    type=click.Choice(["fast", "rigorous"]),
    default="fast",
    show_default=True,
    help="fast: proven float bounds, balls where they leave a radius open; rigorous: all balls.",
)
@size_options
def certify(
    data: Path,
    label_column: str | None,
    positive: str | None,
    test_file: Path | None,
    output: Path,
    q: str,
    ridge: str,
    scale: str,
    no_intercept: bool,
    classes: int | None,
    vote: str | None,
    guarantee: str,
    limit: int | None,
    engine: str,
    jobs: int | None,
) -> int:
    """Certify the test points of DATA against flips of training labels.

    DATA is an .npz file with X_train, y_train, X_test, y_test, or a folder with these as
    .npy files (memory-mapped: for a million points), or a CSV file with a
    --label-column. Writes the folder RUN: run.json (every choice, digest and accuracy)
    and certificates.jsonl (one certificate a line).

    Two labels: the classifier of Algorithm 1. Labels 0 to K - 1: that of Appendix B.

    Exits 0 once everything is written.
    """
    run = certify_to_folder(
        data,
        output,
        label_column=label_column,
        positive=positive,
        test_file=test_file,
        q=q,
        ridge=ridge,
        scale=scale,
        intercept=not no_intercept,
        classes=classes,
        vote=vote,
        guarantee=guarantee,
        limit=limit,
        engine=engine,
        jobs=jobs,
    )
    show(*run_report(run, _source(data)))
    say(f"wrote {output}/run.json and {output}/certificates.jsonl")
    return 0


def _source(data: Path) -> str:
    """Return the name of a data set; "." has none of its own."""
    return data.name or data.resolve().name


def certify_to_folder(
    data: Path,
    output: Path,
    *,
    label_column: str | None = None,
    positive: str | None = None,
    test_file: Path | None = None,
    q: str,
    ridge: str = "auto",
    scale: str = "standard",
    intercept: bool = True,
    classes: int | None = None,
    vote: str | None = None,
    guarantee: str = "kl",
    limit: int | None = None,
    engine: str = "fast",
    jobs: int | None = None,
) -> AnyRun:
    """Certify a data set and write its run folder; raise InputError before any work is lost.

    Three classes or more, or a vote, ask for the classifier of Appendix B.
    """
    from certaudit.certify.label_flip import certify_data
    from certaudit.certify.multiclass import VOTES, certify_classes
    from certaudit.certify.summary import run_summary
    from certaudit.errors import InputError
    from certaudit.exact import as_rational
    from certaudit.io.files import check_run_folder, write_run
    from certaudit.noise import check_label_noise

    if classes is None:
        as_rational(q, "q")  # how large it may be, the data say
    else:
        check_label_noise(q, classes)
    check_run_folder(output)
    checked, split = load(data, label_column, positive, test_file, classes)
    with progress("certifying") as report:
        shared: dict[str, Any] = {
            "q": q,
            "ridge": ridge,
            "scale": scale,
            "intercept": intercept,
            "guarantee": guarantee,
            "limit": limit,
            "engine": engine,
            "jobs": jobs_for(jobs, limit, checked),
            "progress": report,
        }
        run: AnyRun
        if vote is None and checked.classes == 2:
            run = certify_data(checked, **shared)
        else:
            run = certify_classes(checked, vote=vote or VOTES[0], **shared)
    try:
        checked.check_unchanged()
    except InputError as error:
        raise InputError(f"{data}: {error}") from None
    summary = run_summary(run, source=_source(data), split=split, label_column=label_column)
    write_run(output, summary, (c.as_json() for c in run.certificates))
    return run
