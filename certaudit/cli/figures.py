"""`certaudit figures`: the papers' figures, drawn from proven numbers."""

from __future__ import annotations

import os
from pathlib import Path

import click

from certaudit.cli.options import F, data_options, design_options, jobs_for, load, size_options
from certaudit.cli.output import printable, progress, say

__all__ = ["figures"]

_QS = ("0.1", "0.3", "0.45")


def _output_option(function: F) -> F:
    """Add -o: the file to write."""
    return click.option(
        "-o",
        "--output",
        required=True,
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="FILE.svg, FILE.png, or FILE.csv for the numbers behind them.",
    )(function)


def _style(output: Path) -> str:
    """Return what kind of file is asked for; raise UsageError where it is another one."""
    from certaudit.report.figures import FORMATS

    style = output.suffix.lower().removeprefix(".")
    if style not in (*FORMATS, "csv"):
        raise click.UsageError(f"--output: {output} does not end in .svg, .png or .csv")
    return style


@click.group(short_help="Draw the papers' figures.")
def figures() -> None:
    """Draw the papers' figures from proven numbers (pictures need certaudit[report])."""


@figures.command("thresholds", short_help="Vote share against radius: KL and tight bound.")
@click.option(
    "--q",
    "qs",
    multiple=True,
    default=_QS,
    show_default=True,
    metavar="Q",
    help="Probability of another label; repeat it for several curves, at most 5.",
)
@click.option(
    "--classes", type=click.IntRange(min=2), default=2, show_default=True, help="Number of labels."
)
@click.option(
    "--max-radius",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    metavar="R",
    help="The largest radius drawn.",
)
@_output_option
def thresholds(qs: tuple[str, ...], classes: int, max_radius: int, output: Path) -> int:
    """Draw which vote share p a radius needs, and which radius a p certifies.

    Figure 6 (E.3) of the papers: the KL bound (5), B.3 against the tight bound (2). A FILE
    that exists is replaced. A csv needs no matplotlib; its numbers are rounded down.

    Example: certaudit figures thresholds --q 0.1 --q 0.4 -o thresholds.svg
    """
    from certaudit.io.files import write_bytes
    from certaudit.noise import label_flip
    from certaudit.report.figures import (
        MAX_CURVES,
        check_matplotlib,
        curves_csv,
        draw,
        threshold_curves,
    )

    style = _style(output)
    noises = list(dict.fromkeys(label_flip(q, classes) for q in qs))
    if style != "csv":
        if len(noises) > MAX_CURVES:
            raise click.UsageError(f"--q: at most {MAX_CURVES} values can be told apart")
        check_matplotlib()
    curves = [threshold_curves(noise, max_radius) for noise in noises]
    write_bytes(output, curves_csv(curves) if style == "csv" else draw(curves, style))
    say(f"wrote {printable(str(output))}")
    return 0


@figures.command("accuracy", short_help="Certified accuracy against label flips.")
@data_options
@_output_option
@click.option(
    "--q",
    "qs",
    multiple=True,
    required=True,
    metavar="Q",
    help="Probability that a label is flipped; repeat it for several panels, at most 4.",
)
@design_options
@size_options
def accuracy(
    data: Path,
    label_column: str | None,
    positive: str | None,
    test_file: Path | None,
    output: Path,
    qs: tuple[str, ...],
    ridge: str,
    scale: str,
    no_intercept: bool,
    limit: int | None,
    jobs: int | None,
) -> int:
    """Draw how many test points of DATA are right, and proven to stay so, under label flips.

    Two labels, a panel for each q: what the KL bound (5), the tight bound (2) and the exact radius
    certify, what the worst flips leave, and as baselines the same classifier without noise and
    the best constant class. DATA and the options of the classifier are those of certify. A FILE
    that exists is replaced. A csv needs no matplotlib; it has counts of test points.

    Example: certaudit figures accuracy data.npz --q 0.01 --q 0.1 -o accuracy.svg
    """
    from certaudit.certify.label_flip import certify_data
    from certaudit.errors import InputError
    from certaudit.io.files import write_bytes
    from certaudit.noise import check_label_noise
    from certaudit.report.accuracy import MAX_PANELS, accuracy_csv, accuracy_curves, draw_accuracy
    from certaudit.report.figures import check_matplotlib

    style = _style(output)
    rates = list(dict.fromkeys(check_label_noise(q) for q in qs))
    if style != "csv":
        if len(rates) > MAX_PANELS:
            raise click.UsageError(f"--q: at most {MAX_PANELS} values have room")
        check_matplotlib()
    folder = output.absolute().parent
    if not os.access(folder, os.W_OK | os.X_OK):  # before minutes of work
        raise InputError(f"{output}: {folder} cannot be written to")
    checked, _ = load(data, label_column, positive, test_file)
    curves = []
    for place, rate in enumerate(rates, 1):
        with progress(f"certifying {place} of {len(rates)}") as report:
            run = certify_data(
                checked,
                q=rate,
                ridge=ridge,
                scale=scale,
                intercept=not no_intercept,
                guarantee="all",
                limit=limit,
                jobs=jobs_for(jobs, limit, checked),
                progress=report,
            )
        curves.append(accuracy_curves(run))
    try:
        checked.check_unchanged()
    except InputError as error:
        raise InputError(f"{data}: {error}") from None
    source = data.name or data.resolve().name
    write_bytes(
        output, accuracy_csv(curves) if style == "csv" else draw_accuracy(curves, style, source)
    )
    say(f"wrote {printable(str(output))}")
    return 0
