"""`certaudit crosscheck`: the engines side by side."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from certaudit.cli.exit_codes import Exit
from certaudit.cli.options import classifier_options, data_options, load, vote_options
from certaudit.cli.output import print_json, show, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from certaudit.crosscheck import Comparison, VoteComparison

__all__ = ["comparison_report", "crosscheck"]


@click.command(short_help="Compare the engines on a sample of test points.")
@data_options
@classifier_options
@vote_options
@click.option("--sample", type=click.IntRange(min=1), default=5, show_default=True, metavar="N")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--digits",
    type=click.IntRange(20, 1000),
    default=60,
    show_default=True,
    help="Digits of the reference.",
)
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
def crosscheck(
    data: Path,
    label_column: str | None,
    positive: str | None,
    test_file: Path | None,
    q: str,
    ridge: str,
    scale: str,
    no_intercept: bool,
    classes: int | None,
    vote: str | None,
    sample: int,
    seed: int,
    digits: int,
    style: str,
) -> int:
    """Compare reference, both engines and, for few training points, the exact vote.

    For a random sample of test points of DATA; two labels or many classes, as certify does.
    The papers' output (the sign of the mean score) may differ from the vote of two labels:
    it is shown, and is no contradiction. Exits 1 on a contradiction.
    """
    from random import Random

    from certaudit import crosscheck as engine
    from certaudit.certify.multiclass import VOTES

    checked, _ = load(data, label_column, positive, test_file, classes)
    total = len(checked.y_test)
    indices = sorted(Random(seed).sample(range(total), min(sample, total)))  # noqa: S311
    shared: dict[str, Any] = {
        "q": q,
        "ridge": ridge,
        "scale": scale,
        "intercept": not no_intercept,
        "digits": digits,
    }
    two = vote is None and checked.classes == 2
    comparisons: list[Comparison] | list[VoteComparison]
    if two:
        pairs = list(engine.crosscheck(checked, indices, **shared))
        comparisons, report = pairs, comparison_report(pairs, digits)
    else:
        chosen = vote or VOTES[0]
        votes = list(engine.crosscheck_votes(checked, indices, vote=chosen, **shared))
        comparisons, report = votes, vote_report(votes, digits, chosen)
    contradicted = sum(bool(comparison.contradictions) for comparison in comparisons)
    code = Exit.REFUTED if contradicted else Exit.CONFIRMED
    if style == "json":
        print_json(
            {
                "digits": digits,
                "seed": seed,
                "contradictions": contradicted,
                "points": [comparison.as_json() for comparison in comparisons],
            }
        )
        return code
    show(*report)
    return code


def _share(share: Fraction) -> str:
    """Return a share in 12 digits, never as 0 or 1 where it is not."""
    text = f"{float(share):.12g}"
    if text in ("0", "1") and share != int(text):
        return "below 1" if share > Fraction(1, 2) else "above 0"
    return text


def _fast(comparison: Comparison) -> str:
    """Return the excess of the fast engine's bound, or why it decided nothing."""
    fast = comparison.fast
    if fast.reason is not None:
        return fast.reason
    if comparison.reference_fast is None:
        return ""
    return f"{float(fast.upper - comparison.reference_fast):.0e}"


def comparison_report(comparisons: list[Comparison], digits: int) -> list[RenderableType]:
    """Return the table of a crosscheck and the lines below it."""
    import mpmath

    result = table(
        ">point",
        "vote",
        ">bound",
        ">reference",
        ">width",
        ">fast",
        ">gap",
        ">KL",
        ">tight",
    )
    lines: list[RenderableType] = [result]
    exact = table(">point", ">prediction", ">exact share of class 1", ">flip sets tried")
    for comparison in comparisons:
        c = comparison.certificate
        result.add_row(
            str(c.index),
            f"{c.prediction}{'' if c.decided else ' ?'}"
            f"{'' if c.prediction == comparison.reference_output else ' *'}",
            "constant" if c.log_error is None else f"{c.log_error:.6g}",
            "constant"
            if comparison.reference_log_error is None
            else mpmath.nstr(comparison.reference_log_error, 6),
            "" if comparison.width is None else f"{comparison.width:.0e}",
            _fast(comparison),
            "" if comparison.gap is None else f"{comparison.gap:.0e}",
            f"{c.kl_radius}/{comparison.reference_radius}",
            f"{c.tight_radius}/{comparison.reference_tight}",
        )
        if comparison.vote_share is not None:
            exact.add_row(
                str(c.index),
                str(c.prediction),
                _share(comparison.vote_share),
                "" if comparison.flips_tried is None else str(comparison.flips_tried),
            )
        lines += [f"point {c.index}: CONTRADICTION: {text}" for text in comparison.contradictions]
    if exact.row_count:
        lines.append(exact)
    lines.append(
        "vote: proven winner (? nothing proven: sign of the mean; * the papers' output differs); "
        f"bound: proven, on ln(1 - p); reference: ln B(t) at {digits} digits; width: of "
        "the proven enclosure; fast: how far the bound in floats is above ln B(t), or why balls "
        "had to decide; gap: from the minimum over t; KL, tight: radius, proven/reference"
    )
    contradicted = sum(bool(c.contradictions) for c in comparisons)
    lines.append(f"{len(comparisons)} points compared, {contradicted} contradictions")
    return lines


def vote_report(comparisons: list[VoteComparison], digits: int, vote: str) -> list[RenderableType]:
    """Return the table of a crosscheck of many classes and the lines below it."""
    import mpmath

    columns = [">point", ">vote", ">bound", ">reference", ">width", ">fast", ">KL", ">tight"]
    small = any(comparison.share is not None for comparison in comparisons)
    result = table(*columns, *([">exact share"] if small else []))
    lines: list[RenderableType] = [result]
    for comparison in comparisons:
        c, fast = comparison.certificate, comparison.fast
        excess, tight = comparison.fast_excess, comparison.reference_tight
        result.add_row(
            str(c.index),
            f"{c.prediction}{'' if c.decided else ' ?'}",
            f"{c.log_error:.6g}",
            mpmath.nstr(comparison.reference_log_error, 6),
            f"{comparison.width:.0e}",
            (fast.reason or "") if excess is None else f"{excess:.0e}",
            f"{c.kl_radius}/{comparison.reference_radius}",
            f"{c.tight_radius}/{'-' if tight is None else tight}",
            *([] if comparison.share is None else [_share(comparison.share)]),
        )
        lines += [f"point {c.index}: CONTRADICTION: {text}" for text in comparison.contradictions]
    lines.append(
        f"vote: {vote}, proven (? nothing proven: the class of the largest mean score); bound: "
        f"proven, on ln(1 - p); reference: the same from ln B(t) of every rival, at {digits} "
        "digits; width: of the widest proven enclosure; fast: how far a bound in floats is above "
        "ln B(t) at most, or why balls had to decide; KL, tight: radius, proven/reference (tight "
        "up to 300)"
    )
    contradicted = sum(bool(c.contradictions) for c in comparisons)
    rivals = sum(len(c.reference) for c in comparisons)
    lines.append(
        f"{len(comparisons)} points, {rivals} rivals compared, {contradicted} contradictions"
    )
    return lines
