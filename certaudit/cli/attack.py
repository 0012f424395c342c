"""`certaudit attack`: the smallest set of label flips that is proven to change a prediction."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from certaudit.cli.exit_codes import Exit
from certaudit.cli.options import classifier_options, data_options, load
from certaudit.cli.output import print_json, printable, say, show, table
from certaudit.exact import percent

if TYPE_CHECKING:
    from rich.console import RenderableType

    from certaudit.certify.attack import Attack
    from certaudit.rigorous.flips import Side

__all__ = ["attack", "attack_report"]

_SHOWN = 5
_METHODS = {
    "no-noise": "the chance of no noise",
    "chernoff": "Chernoff's bound",
    "berry-esseen": "Berry and Esseen",
    "fourier": "a Fourier series",
    "lattice": "its law on a lattice",
}


@click.command(short_help="Find the fewest label flips that change a prediction.")
@data_options
@classifier_options
@click.option(
    "--index",
    required=True,
    type=click.IntRange(min=0),
    metavar="I",
    help="The test point: its row, from 0.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write the counterexample (default: standard output).",
)
def attack(
    data: Path,
    label_column: str | None,
    positive: str | None,
    test_file: Path | None,
    q: str,
    ridge: str,
    scale: str,
    no_intercept: bool,
    index: int,
    output: Path | None,
) -> int:
    """Find the smallest set of label flips that is proven to change the vote of a test point.

    Two labels. Writes JSON: which labels of DATA are flipped, from what to what, and what proves
    the vote before and after; `certaudit verify FILE --data DATA` replays it.

    Exits 0 with a counterexample, or where there is provably none (nothing is written then);
    3 where none is proven and none is excluded.
    """
    from certaudit.certify.attack import attack_label_flip
    from certaudit.checker import is_attack
    from certaudit.errors import InputError
    from certaudit.io.files import write_bytes
    from certaudit.noise import check_label_noise

    check_label_noise(q)
    if output is not None and os.path.lexists(output) and not is_attack(output):
        raise InputError(f"{output}: exists, and is not an attack; another name is needed")
    checked, _ = load(data, label_column, positive, test_file)
    found = attack_label_flip(
        checked, index, q=q, ridge=ridge, scale=scale, intercept=not no_intercept
    )
    try:
        checked.check_unchanged()
    except InputError as error:
        raise InputError(f"{data}: {error}") from None
    closed = found.bracket.proved == len(checked.y_train)
    if not found.flips:
        excluded = f"{found.bracket.proved} flips are proven not to change the vote"
        if found.bracket.proved < 0:
            excluded = "not even the vote is proven"
        say(
            "no set of label flips changes this vote: proven, so nothing is written"
            if closed
            else f"no counterexample is proven; {excluded}"
        )
        return Exit.CONFIRMED if closed else Exit.INCONCLUSIVE
    source = data.name or data.resolve().name
    content = found.as_json(source=source, label_column=label_column)
    if output is None:
        print_json(content)
        return Exit.CONFIRMED
    import json

    write_bytes(output, (json.dumps(content, allow_nan=False, indent=1) + "\n").encode("ascii"))
    show(*attack_report(found))
    say(f"wrote {printable(str(output))}")
    return Exit.CONFIRMED


def attack_report(found: Attack) -> list[RenderableType]:
    """Return what is found as lines for a terminal."""
    n, bracket = len(found.data.y_train), found.bracket
    count = len(found.flips)
    result = table("counterexample", "")
    label = int(found.data.y_test[found.index])
    result.add_row("test point", f"{found.index}, of class {label}")
    result.add_row("vote", f"{bracket.prediction}, proven by {_by(found.before)}")
    share = percent(count, n, up=True)
    result.add_row("label flips", f"{count} of {n} training labels ({share})")
    result.add_row("vote after them", f"{1 - bracket.prediction}, proven by {_by(found.after)}")
    smallest = "there is no smaller set" if bracket.proved + 1 == count else "open in between"
    result.add_row("fewer flips", f"no {max(bracket.proved, 0)} change it: {smallest}")
    result.add_row("holds for", _holds_for(found))
    first = ", ".join(str(i) for i in found.flips[:_SHOWN])
    more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
    return [result, f"flipped training rows, of the largest support first: {first}{more}"]


def _holds_for(found: Attack) -> str:
    if found.holds_for == "fixed ridge":
        return "this ridge only; flipped labels give another one"
    if found.ridge_after is not None:
        return "this pipeline, with the ridge of the flipped labels; fewer flips: this ridge"
    return "this pipeline"


def _by(side: Side | None) -> str:
    return "nothing" if side is None else _METHODS.get(side.by, side.by)
