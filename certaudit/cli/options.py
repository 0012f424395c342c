"""Options that several commands share, and reading the data set that they name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from certaudit.certify.data import LabelledData

__all__ = [
    "F",
    "check_sample",
    "classifier_options",
    "data_options",
    "design_options",
    "jobs_for",
    "load",
    "sample_options",
    "size_options",
    "vote_options",
]

_SMALL = 2_000_000
"""Alphas below which threads are not worth their start."""

F = TypeVar("F", bound=Callable[..., Any])


def data_options(function: F) -> F:
    """Add DATA (an .npz file, a folder of .npy files, a CSV file), its labels and --test."""
    for decorate in (
        click.option(
            "--test",
            "test_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="CSV with the test rows (default: every fifth row of DATA).",
        ),
        click.option("--positive", metavar="LABEL", help="The label that becomes 1, others 0."),
        click.option("--label-column", metavar="NAME", help="The column of a CSV with labels."),
        click.argument("data", type=click.Path(path_type=Path)),
    ):
        function = decorate(function)
    return function


def sample_options(function: F) -> F:
    """Add --test, --sample and --seed: what else --data of a signed run may come with."""
    for decorate in (
        click.option(
            "--seed", default="", metavar="S", help="Draws them: any text, chosen by you."
        ),
        click.option(
            "--sample",
            type=click.IntRange(min=1),
            metavar="N",
            help="Derive N records again, not all; says what that proves.",
        ),
        click.option(
            "--test",
            "test_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="The CSV with the test rows, if they were given apart.",
        ),
    ):
        function = decorate(function)
    return function


def check_sample(data: Path | None, test_file: Path | None, sample: int | None, seed: str) -> None:
    """Raise UsageError where these do not go together."""
    if test_file is not None and data is None:
        raise click.UsageError("--test belongs to --data")
    if sample is None and seed:
        raise click.UsageError("--seed belongs to --sample")
    if sample is not None and not seed:
        raise click.UsageError("--sample needs a --seed, one that the issuer did not know")


def classifier_options(function: F) -> F:
    """Add --q, --ridge, --scale and --no-intercept."""
    decorate = click.option(
        "--q",
        required=True,
        metavar="Q",
        help="Probability that a label is flipped, in (0, 1/2) for two labels: 0.1, 1/3.",
    )
    return decorate(design_options(function))


def design_options(function: F) -> F:
    """Add --ridge, --scale and --no-intercept."""
    for decorate in (
        click.option("--no-intercept", is_flag=True, help="Fit no free intercept."),
        click.option(
            "--scale",
            type=click.Choice(["standard", "none"]),
            default="standard",
            show_default=True,
            help="Standardise the columns, or take them as they are.",
        ),
        click.option(
            "--ridge",
            default="auto",
            show_default=True,
            metavar="auto|paper|NUMBER",
            help="The ridge; auto reads no labels, paper does.",
        ),
    ):
        function = decorate(function)
    return function


def size_options(function: F) -> F:
    """Add --limit and --jobs."""
    for decorate in (
        click.option(
            "--jobs",
            type=click.IntRange(1, 256),
            metavar="N",
            help="Threads, and processes for balls (default: one a core).",
        ),
        click.option(
            "--limit",
            type=click.IntRange(min=1),
            metavar="N",
            help="First N test points only (of a sorted test set: one class).",
        ),
    ):
        function = decorate(function)
    return function


def vote_options(function: F) -> F:
    """Add --classes and --vote."""
    for decorate in (
        click.option(
            "--vote",
            type=click.Choice(["plurality", "pairwise"]),
            help="Of one-hot least squares: the class that most labellings predict (default, for "
            "three classes or more), or the one that beats every other, two at a time.",
        ),
        click.option(
            "--classes",
            type=click.IntRange(min=2),
            metavar="K",
            help="How many classes there are (default: one more than the largest label).",
        ),
    ):
        function = decorate(function)
    return function


def load(
    data: Path,
    label_column: str | None,
    positive: str | None,
    test_file: Path | None,
    classes: int | None = None,
) -> tuple[LabelledData, str]:
    """Read and check a data set; return it and how its rows were split.

    Raises InputError, naming the file and the place.
    """
    from certaudit.certify.data import LabelledData
    from certaudit.errors import InputError
    from certaudit.io.datasets import KEYS, read_data_set

    raw = read_data_set(data, label_column=label_column, test=test_file)
    try:
        arrays = (raw.arrays[key] for key in KEYS)
        checked = LabelledData.check(*arrays, positive=positive, classes=classes)
    except InputError as error:
        raise InputError(f"{data}: {error}") from None
    return checked, raw.split


def jobs_for(jobs: int | None, limit: int | None, data: LabelledData) -> int:
    """Return how many jobs to use where none were asked for: one for little work."""
    points = min(limit or len(data.y_test), len(data.y_test))
    if jobs is None:
        return 1 if points * len(data.y_train) < _SMALL else _available_cores()
    return jobs


def _available_cores() -> int:
    """Return how many processors this process may use."""
    import os

    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
