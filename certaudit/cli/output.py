"""What people see: tables that fit 80 columns, a progress bar on terminals only."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from io import TextIOWrapper
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

import click

from certaudit.exact import percent

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from certaudit.certify.label_flip import LabelFlipRun
    from certaudit.certify.summary import AnyRun

__all__ = [
    "discard",
    "flush",
    "prepare_streams",
    "print_json",
    "printable",
    "progress",
    "run_report",
    "say",
    "shorten",
    "show",
    "table",
]

_WIDTH = 80
_VOTES = {
    "plurality": "the class that most labellings predict",
    "pairwise": "the class that beats each other class",
}
_SPELLED = {"kl": "KL", "tight": "tight", "exact": "exact"}


def prepare_streams() -> None:
    """Make printing safe: streams that are not open go nowhere, odd characters are escaped."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard(stream: TextIO) -> None:
    """Send what is still printed on a stream nowhere: its reader has left, or it is broken."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def flush(stream: TextIO) -> None:
    """Write out what is buffered; a reader that has left is no error.

    Raises OSError for any other failure, such as a full disk.
    """
    try:
        stream.flush()
    except BrokenPipeError:
        discard(stream)
    except OSError:
        discard(stream)
        raise


def say(text: str) -> None:
    """Print prose on stderr, if anybody reads it."""
    try:
        click.echo(text, err=True)
    except OSError:
        discard(sys.stderr)


def printable(text: str) -> str:
    """Return text on one line, what is not printable in it escaped."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def _console(*, err: bool = False) -> Console:
    from rich.console import Console

    class QuietConsole(Console):
        """A console whose reader may leave: the command goes on, its exit code stays true."""

        def on_broken_pipe(self) -> None:
            discard(sys.stderr if err else sys.stdout)

    width = Console(stderr=err).width
    return QuietConsole(stderr=err, highlight=False, width=width if 0 < width < _WIDTH else _WIDTH)


def show(*parts: RenderableType) -> None:
    """Print tables and lines on stdout; text is printed as it is, wrapped at words."""
    console = _console()
    for part in parts:
        console.print(part, markup=False, emoji=False)
    flush(sys.stdout)


def print_json(value: object) -> None:
    """Print one JSON document on stdout."""
    try:
        sys.stdout.write(json.dumps(value, allow_nan=False, indent=1) + "\n")
    except BrokenPipeError:
        discard(sys.stdout)
    flush(sys.stdout)


def table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table; a column name that starts with ">" is aligned right."""
    from rich import box
    from rich.table import Table

    result = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        # Fold, never cut: a number that loses digits is another number.
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        result.add_column(column.lstrip(">"), justify=justify, overflow="fold")
    return result


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function (done, total) that moves a bar on stderr, if that is a terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    terminal = sys.stderr.isatty()
    with Progress(
        *columns, console=_console(err=True), transient=True, disable=not terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def shorten(text: str, width: int) -> str:
    """Return text cut to a width, the cut marked."""
    return text if len(text) <= width else text[: width - 3] + "..."


def _approximate(value: Fraction) -> str:
    """Return six digits of a number too long to be shown, whatever its size."""
    from mpmath import mpf, nstr

    return str(nstr(mpf(value.numerator) / value.denominator, 6))


def _rational(value: Fraction) -> str:
    from certaudit.exact import format_rational

    text = format_rational(value)
    return text if len(text) <= 24 else f"about {_approximate(value)}"


def run_report(run: AnyRun, source: str) -> list[RenderableType]:
    """Return what `certify` prints: the setting, accuracies, certified accuracy, findings."""
    from certaudit.certify.multiclass import MulticlassRun

    points, total = run.certificates, len(run.certificates)
    n, many = len(run.data.y_train), isinstance(run, MulticlassRun)
    setting = table("setting", "")
    setting.add_row("data", shorten(source, 60))
    dropped = len(run.features.scale.dropped)
    width = run.features.columns
    columns = f"{width} feature column{'s' * (width != 1)}"
    columns += f" ({dropped} constant ones dropped)" if dropped else ""
    setting.add_row("training set", f"{n} points, {columns}")
    setting.add_row("test points certified", f"{total} of {len(run.data.y_test)}")
    classes = f", {run.classes} classes" if many else ""
    setting.add_row("label noise", f"q = {_rational(run.q)}{classes}")
    intercept = "free intercept" if run.features.intercept else "no intercept"
    if many:
        intercept = "intercept" if run.features.intercept else "no intercept"
    ridge = f"ridge {_approximate(run.ridge.value)} ({run.ridge.rule}), {intercept}"
    setting.add_row("classifier", f"{'one-hot ' * many}least squares, {ridge}")
    if many:
        setting.add_row("vote", f"{run.vote}: {_VOTES[run.vote]}")

    setting.add_row("engine", _engine(run))

    right = [c for c in points if c.prediction == c.label]
    hits, constant = run.hits(), run.of_class()
    accuracy = table("accuracy", ">points", ">share")
    baselines = [(f"always class {c}", number) for c, number in enumerate(constant)]
    if many and len(constant) > 3:
        ends = {max(constant): "most right", min(constant): "fewest right"}
        if len(ends) == 1:
            ends = {constant[0]: "as any other"}
        baselines = [
            (f"always class {constant.index(number)} ({which})", number)
            for number, which in ends.items()
        ]
    open_votes = run.vacuous() if isinstance(run, MulticlassRun) else {}
    for name, points_so in (
        ("smoothed classifier", hits["clean"]),
        ("  right and proven to be the vote", hits["decided"]),
        ("without noise (q = 0)", hits["unsmoothed"]),
        *baselines,
        *((f"no majority proven, {vote}", number) for vote, number in open_votes.items()),
    ):
        accuracy.add_row(name, str(points_so), percent(points_so, total))

    counts = {name: run.certified_counts(name) for name in run.guarantees}
    lines: list[RenderableType] = [setting, accuracy]
    if "exact" in counts and not isinstance(run, MulticlassRun):
        lines += _exact_report(run, counts)
    else:
        lines.append(_certified(counts, total, n))
    for name in counts:
        radii = sorted(c.radii()[name] for c in right)
        if radii:
            median = Fraction(radii[(len(radii) - 1) // 2] + radii[len(radii) // 2], 2)
            what = f"median {_SPELLED[name]} radius of the points classified right"
            lines.append(f"{what}: {float(median):g}")
    lines += [f"{f.kind.code} {f.kind.name}: {f.message}" for f in run.findings()]
    return lines


def _certified(counts: dict[str, list[int]], total: int, n: int) -> Table:
    """Return how many points are certified at some radii, by each guarantee."""
    headings = [">points certified"]
    if len(counts) > 1:
        headings = [f">{_SPELLED[name]} points" for name in counts]
    headings = [column for heading in headings for column in (heading, ">share")]
    found = table(">label flips", ">of training set", *headings)
    for r in _selected_radii(max(map(len, counts.values())) - 1):
        certain = [known[r] if r < len(known) else 0 for known in counts.values()]
        shares = [text for count in certain for text in (str(count), percent(count, total))]
        found.add_row(str(r), percent(r, n), *shares)
    return found


def _exact_report(run: LabelFlipRun, counts: dict[str, list[int]]) -> list[RenderableType]:
    """Return how many points every guarantee certifies, and how many the attack leaves."""
    total, n = len(run.certificates), len(run.data.y_train)
    attacked = run.attacked_counts()
    names = [f">{_SPELLED[name]}" for name in counts]
    certified = table(">label flips", ">of training set", *names, ">share", ">under attack")
    # The exact curve may go on to n, where nothing is refuted; all else ends before.
    last = max(len(attacked), *(len(known) for name, known in counts.items() if name != "exact"))
    for r in _selected_radii(last - 1):
        points = [known[r] if r < len(known) else 0 for known in counts.values()]
        left = attacked[min(r, len(attacked) - 1)]
        share = percent(points[-1], total)
        certified.add_row(str(r), percent(r, n), *map(str, points), share, str(left))
    meaning = (
        "points that are right, and proven to stand so many flips (share: of exact); under attack: "
        "right, and not proven to change under so many worst flips"
    )
    return [
        certified,
        meaning,
        f"exact radius known for {run.closed()} of {total} points: proven, and refuted one flip on",
    ]


def _engine(run: AnyRun) -> str:
    """Return which engine decided, and how many points it left to balls, and why."""
    if run.engine == "rigorous":
        return "rigorous: balls for every point"
    reasons = ", ".join(f"{count} {reason}" for reason, count in run.escalated.items() if count)
    balls = f"fast; balls for {sum(run.escalated.values())} of {len(run.certificates)} points"
    return balls + (f" ({reasons})" if reasons else "")


def _selected_radii(largest: int) -> list[int]:
    """Return at most twelve radii from 0 to the largest, in steps of 1, 2 or 5 times 10^k."""
    steps = (digit * 10**power for power in count() for digit in (1, 2, 5))
    step = next(step for step in steps if largest <= 10 * step)
    return sorted({*range(0, largest + 1, step), largest})
