"""`certaudit table`: tables of tight thresholds, made and checked."""

from __future__ import annotations

from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from certaudit.cli.exit_codes import Exit
from certaudit.cli.output import print_json, printable, progress, say, show

if TYPE_CHECKING:
    from fractions import Fraction

    from certaudit.noise import ProductNoise
    from certaudit.tables import Difference

__all__ = ["table"]

F = TypeVar("F", bound=Callable[..., Any])
_SHOWN = 40


@click.group(short_help="Make and check tables of tight thresholds.")
def table() -> None:
    """Make tables of the tight thresholds F^-1(r) of (2), or check anybody's."""


def _output_options(function: F) -> F:
    """Add --max-radius, --digits and -o."""
    for decorate in (
        click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Write FILE, a .csv, .json or .parquet, replacing it (default: CSV on stdout).",
        ),
        click.option(
            "--digits",
            type=click.IntRange(1, 1000),
            default=20,
            show_default=True,
            help="Decimal places of p_decimal.",
        ),
        click.option(
            "--max-radius",
            required=True,
            type=click.IntRange(0, 1_000_000),
            metavar="R",
            help="The last radius of the table, at most 1000000.",
        ),
    ):
        function = decorate(function)
    return function


@table.command("label-flip", short_help="Thresholds for label noise.")
@click.option("--q", required=True, metavar="Q", help="Probability of another label.")
@click.option(
    "--classes", type=click.IntRange(min=2), default=2, show_default=True, help="Number of labels."
)
@_output_options
def label_flip(q: str, classes: int, max_radius: int, digits: int, output: Path | None) -> int:
    """Print or write the least vote share that certifies r = 0, ..., R label flips.

    Columns: radius; p_threshold, rounded up to float64; log_error_threshold, which is
    ln(1 - threshold) rounded down, for shares that are 1 in float64; p_decimal, rounded up.
    A proven p >= p_threshold, or ln(1 - p) <= log_error_threshold, certifies the radius (for
    three classes or more: p > p_threshold).

    Example: certaudit table label-flip --q 0.1 --max-radius 1000 -o thresholds.csv
    """
    from certaudit import noise
    from certaudit.exact import parse_rational

    model = noise.label_flip(parse_rational(q, "--q"), classes)
    return _make(model, max_radius, digits, output)


@table.command("discrete", short_help="Thresholds for discrete noise.")
@click.option("--alpha", required=True, metavar="A", help="Probability of keeping a value.")
@click.option("--values", type=click.IntRange(min=2), required=True, help="Size of the alphabet.")
@_output_options
def discrete(alpha: str, values: int, max_radius: int, digits: int, output: Path | None) -> int:
    """Print or write the least vote share that certifies r = 0, ..., R changed coordinates.

    Noise and columns as in `radius discrete` and `table label-flip`; "none" where no vote
    share certifies the radius.

    Example: certaudit table discrete --alpha 0.2 --values 256 --max-radius 20
    """
    from certaudit import noise
    from certaudit.exact import parse_rational

    model = noise.discrete(parse_rational(alpha, "--alpha"), values)
    return _make(model, max_radius, digits, output)


def _make(noise: ProductNoise, max_radius: int, digits: int, output: Path | None) -> int:
    from certaudit.io.tables import MANIFEST, check_output, csv_lines, write_manifest, write_table
    from certaudit.tables import build_rows

    if output is None:
        for line in csv_lines(build_rows(noise, max_radius, digits)):
            click.echo(line, nl=False)
        return 0
    check_output(output)
    with progress("thresholds") as report:
        sha256 = write_table(output, noise, max_radius, digits=digits, progress=report)
    entry = {
        "noise_model": noise.as_json(),
        "max_radius": max_radius,
        "digits": digits,
        "sha256": sha256,
    }
    if write_manifest(output.absolute().parent, {output.name: entry}):
        say(
            f"wrote {printable(str(output))}, and its parameters and sha256 to {MANIFEST} beside it"
        )
    else:
        say(f"wrote {printable(str(output))}; {MANIFEST}, not certaudit's, was left alone")
    return 0


@table.command("check", short_help="Compute a table again and compare every entry.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", type=click.Choice(["label-flip", "discrete"]), required=False)
@click.option("--q", metavar="Q", help="label-flip: probability of another label.")
@click.option("--classes", type=click.IntRange(min=2), metavar="K", help="label-flip: labels [2].")
@click.option("--alpha", metavar="A", help="discrete: probability of keeping a value.")
@click.option("--values", type=click.IntRange(min=2), help="discrete: size of the alphabet.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=HEADER",
    help="What a column of FILE is called: radius=..., p=... (decimals), err=... (error stated "
    "for p), p_threshold=... (a float64).",
)
@click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", help="Of the report."
)
def check(
    file: Path,
    model: str | None,
    q: str | None,
    classes: int | None,
    alpha: str | None,
    values: int | None,
    columns: tuple[str, ...],
    style: str,
) -> int:
    """Compute every threshold of FILE again, exactly, and report each entry that is wrong.

    FILE is a table of certaudit's, of Lee et al. (r, rho_r^{-1}(0.5), err), or any CSV or
    TSV whose columns --column names. MODEL is label-flip or discrete with its options; a
    table of certaudit's needs none if the MANIFEST.json beside it, or the file, says.

    An entry is right when it is the threshold rounded up in the last place that its column
    prints. One above that by no more than its err column states is reported, and not wrong.

    Exits 0 when every entry is right, 1 when one is wrong.

    Example: certaudit table check 0.8.txt discrete --alpha 0.8 --values 2
    """
    from certaudit.errors import InputError
    from certaudit.io.tables import manifest_noise, read_entries
    from certaudit.tables import check_entries

    given = _model(model, q, classes, alpha, values)
    entries, stated = read_entries(file, _column_map(columns))
    noise = given or stated or manifest_noise(file)
    if noise is None:
        raise InputError(f"{file}: nothing says for which noise; add label-flip or discrete")
    if given is not None and stated is not None and given != stated:
        say(printable(f"{file} is stated to be for {stated.as_json()}"))
    try:
        with progress("checking") as report:
            found = list(check_entries(noise, entries, report))
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    wrong = [difference for difference in found if difference.wrong]
    if style == "json":
        print_json(
            {
                "file": str(file),
                "noise_model": noise.as_json(),
                "entries": len(entries),
                "wrong": len(wrong),
                "differences": [_as_json(difference) for difference in found],
            }
        )
    else:
        _report(found, [entry.radius for entry in entries])
    return Exit.REFUTED if wrong else Exit.CONFIRMED


def _model(
    model: str | None, q: str | None, classes: int | None, alpha: str | None, values: int | None
) -> ProductNoise | None:
    from certaudit import noise
    from certaudit.exact import parse_rational

    labels, symbols = (q, classes) != (None, None), (alpha, values) != (None, None)
    if model != "label-flip" and labels:
        raise click.UsageError("--q and --classes belong to label-flip")
    if model != "discrete" and symbols:
        raise click.UsageError("--alpha and --values belong to discrete")
    if model == "label-flip":
        if q is None:
            raise click.UsageError("label-flip needs --q")
        return noise.label_flip(parse_rational(q, "--q"), classes or 2)
    if model == "discrete":
        if alpha is None or values is None:
            raise click.UsageError("discrete needs --alpha and --values")
        return noise.discrete(parse_rational(alpha, "--alpha"), values)
    return None


def _column_map(columns: tuple[str, ...]) -> dict[str, str]:
    from certaudit.tables import COLUMNS

    known = ("p", "err", *COLUMNS)
    found: dict[str, str] = {}
    for text in columns:
        name, _, header = text.partition("=")
        if name not in known or not header:
            raise click.UsageError(
                f"--column {text!r}: write one of {', '.join(known)}, then =NAME"
            )
        if name in found:
            raise click.UsageError(f"--column {name} is given twice")
        found[name] = header
    if found and ("radius" not in found or not set(found) - {"radius", "err"}):
        raise click.UsageError("--column: radius=NAME and p=NAME (or p_threshold=...) are needed")
    return found


def _as_json(difference: Difference) -> dict[str, object]:

    return {
        "line": difference.line,
        "radius": difference.radius,
        "column": difference.column,
        "printed": difference.printed,
        "right": difference.right,
        "side": difference.side,
        "excess": None if difference.excess is None else str(difference.excess),
    }


_SAYS = {
    "unsafe": "wrong on the unsafe side: certified, but not proven",
    "safe": "wrong on the safe side: proven, but not certified",
    "within err": "loose: above the threshold, by no more than the table states",
}


def _report(found: list[Difference], radii: list[int]) -> None:
    for side, meaning in _SAYS.items():
        chosen = [difference for difference in found if difference.side == side]
        if not chosen:
            continue
        show(f"{_entries(len(chosen))} {meaning}:")
        for d in chosen[:_SHOWN]:
            # Below each other: the digit in which they differ is seen.
            show(f"  line {d.line}, radius {d.radius}, {d.column}{_excess(d.excess)}")
            show(f"    printed  {printable(d.printed)}", f"    right    {d.right}")
        if len(chosen) > _SHOWN:
            show(f"  and {len(chosen) - _SHOWN} more: --format json lists all")
    wrong = sum(difference.wrong for difference in found)
    count = f"{radii[0]} to {radii[-1]}" if len(radii) > 1 else str(radii[0])
    show(f"radius {count} checked: {_entries(wrong)} wrong, {len(found) - wrong} loose.")


def _excess(excess: Fraction | None) -> str:
    """Return how much is printed too much, in two digits whatever its size."""
    if excess is None:
        return ""
    value = Context(prec=2, Emax=MAX_EMAX, Emin=MIN_EMIN).divide(
        Decimal(excess.numerator), Decimal(excess.denominator)
    )
    return f", {value:+.1e}"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"
