"""`certaudit figures`: the papers' figures, drawn from proven numbers."""

from __future__ import annotations

from pathlib import Path

import click

from certaudit.cli.output import printable, say

__all__ = ["figures"]

_QS = ("0.1", "0.3", "0.45")


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
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="FILE.svg, FILE.png, or FILE.csv for the numbers behind them.",
)
def thresholds(qs: tuple[str, ...], classes: int, max_radius: int, output: Path) -> int:
    """Draw which vote share p a radius needs, and which radius a p certifies.

    Figure 6 (E.3) of the papers: the KL bound (5), B.3 against the tight bound (2). A FILE
    that exists is replaced. A csv needs no matplotlib; its numbers are rounded down.

    Example: certaudit figures thresholds --q 0.1 --q 0.4 -o thresholds.svg
    """
    from certaudit.io.files import write_bytes
    from certaudit.noise import label_flip
    from certaudit.report.figures import (
        FORMATS,
        MAX_CURVES,
        check_matplotlib,
        curves_csv,
        draw,
        threshold_curves,
    )

    style = output.suffix.lower().removeprefix(".")
    if style not in (*FORMATS, "csv"):
        raise click.UsageError(f"--output: {output} does not end in .svg, .png or .csv")
    noises = list(dict.fromkeys(label_flip(q, classes) for q in qs))
    if style != "csv":
        if len(noises) > MAX_CURVES:
            raise click.UsageError(f"--q: at most {MAX_CURVES} values can be told apart")
        check_matplotlib()
    curves = [threshold_curves(noise, max_radius) for noise in noises]
    write_bytes(output, curves_csv(curves) if style == "csv" else draw(curves, style))
    say(f"wrote {printable(str(output))}")
    return 0
