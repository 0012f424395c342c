"""Certified accuracy against label flips, as in the papers' figures, and the data behind it.

What is certified by each bound, what the worst flips leave, and what says how much these mean:
the same classifier without noise, and the best constant class. Counts of test points; certified
ones never too large, those left by the attack never too small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from certaudit.certify.flips import unsmoothed_brackets
from certaudit.certify.label_flip import LabelFlipRun
from certaudit.certify.least_squares import LeastSquares
from certaudit.certify.run import how_many_reach
from certaudit.exact import format_rational
from certaudit.report.figures import picture, spelled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLUMNS",
    "MAX_PANELS",
    "AccuracyCurves",
    "accuracy_csv",
    "accuracy_curves",
    "draw_accuracy",
]

COLUMNS = ("kl", "tight", "exact", "attack", "unsmoothed")
"""The counts of AccuracyCurves, in the order of the csv."""
MAX_PANELS = 4
"""The most values of q in a figure."""

# Apart for colour-blind eyes and in grey: by lightness, width and dashes.
_LOOKS: dict[str, dict[str, Any]] = {
    "unsmoothed": {"color": "#bdbdbd", "linewidth": 5.5},
    "exact": {"color": "#0b2a5b", "linewidth": 2.2},
    "attack": {"color": "#f5a04c", "linewidth": 1.3, "linestyle": (0, (3, 3))},
    "tight": {"color": "#1f7f6a", "linewidth": 1.6},
    "kl": {"color": "#b3400e", "linewidth": 1.6, "linestyle": (0, (4, 1.5))},
    "smoothed": {"color": "#444444", "linewidth": 0.9, "linestyle": (0, (1, 2))},
    "constant": {"color": "#777777", "linewidth": 0.9, "linestyle": (0, (8, 3, 1, 3))},
}
"""How curves are drawn; what coincides nearly lies on top of what is broader."""
_NAMES = {
    "kl": "KL bound (5)",
    "tight": "tight bound (2)",
    "exact": "exact radius, proved",
    "attack": "worst flips: not refuted",
    "unsmoothed": "without noise (q = 0)",
    "smoothed": "smoothed, no attack",
    "constant": "best constant class",
}
_STEPS = 200
"""The most steps of a curve: finer ones cannot be seen, and make large files."""
_NEGLIGIBLE = 200
"""An axis ends where no curve has more than one in so many points still to lose."""


@dataclass(frozen=True, slots=True)
class AccuracyCurves:
    """How many of `of` test points are right at each number of label flips, for one q.

    Entry r of a curve is about r flips of the `training_points` labels; all curves are equally
    long, and what stands in their last entries holds for every larger number of flips, too. `kl`,
    `tight`, `exact`: right and proven to stay so, by (5), (2), and the proved sides of the exact
    radii; `attack`: right and not refuted by the worst r flips; `unsmoothed`: right and proven to
    stay so without noise, q = 0, with the same ridge. `smoothed` are right with no label flipped
    (predictions, proven or not), `constant` by the better constant class, which reads no label.
    """

    q: Fraction
    training_points: int
    of: int
    kl: tuple[int, ...]
    tight: tuple[int, ...]
    exact: tuple[int, ...]
    attack: tuple[int, ...]
    unsmoothed: tuple[int, ...]
    smoothed: int
    constant: int

    def curve(self, name: str) -> tuple[int, ...]:
        """Return one of COLUMNS."""
        found: tuple[int, ...] = getattr(self, name)
        return found


def accuracy_curves(run: LabelFlipRun) -> AccuracyCurves:
    """Return the curves of a run with every guarantee, to the last number of flips that matters.

    Raises Undecided as certify_label_flip does.
    """
    n, hits = len(run.data.y_train), run.hits()
    falling = {name: run.certified_counts(name) for name in ("kl", "tight", "exact")}
    falling["unsmoothed"] = how_many_reach(list(_unsmoothed_radii(run)))
    attacked = run.attacked_counts()
    # A curve that has ended has fallen to 0; of n labels no more than n can be flipped.
    whole = [attacked, *([*curve, 0][: n + 1] for curve in falling.values())]
    radii = range(max(map(_last_fall, whole)) + 1)
    curves = {name: _reaching(curve, radii, 0) for name, curve in falling.items()}
    return AccuracyCurves(
        run.q,
        n,
        len(run.certificates),
        **curves,
        attack=_reaching(attacked, radii, attacked[-1]),
        smoothed=hits["clean"],
        constant=max(run.of_class()),
    )


def _unsmoothed_radii(run: LabelFlipRun) -> Iterable[int]:
    """Yield how many flips the points stand, proven, that the classifier without noise gets right.

    Raises Undecided as unsmoothed_brackets does.
    """
    model = LeastSquares(
        run.features.train,
        run.features.test,
        run.data.y_train,
        run.ridge.value,
        intercept=run.features.intercept,
        classes=2,
    )
    found = unsmoothed_brackets(model, run.data.y_train, range(len(run.certificates)))
    for certificate, (prediction, proved, _) in zip(run.certificates, found, strict=True):
        if prediction == certificate.label and proved >= 0:
            yield proved


def _last_fall(curve: Sequence[int]) -> int:
    """Return the last radius whose count is not that of the one before; 0 where there is none."""
    return next((r for r in range(len(curve) - 1, 0, -1) if curve[r] != curve[r - 1]), 0)


def _reaching(curve: Sequence[int], radii: range, beyond: int) -> tuple[int, ...]:
    """Return a curve at these radii, `beyond` being what it is after its end."""
    return tuple(curve[r] if r < len(curve) else beyond for r in radii)


def accuracy_csv(curves: Sequence[AccuracyCurves]) -> bytes:
    """Return the data behind the figure: a row for each q and number of flips.

    Counts of the `of` test points, as AccuracyCurves has them; `smoothed` and `constant` are the
    same in all rows of a q.
    """
    names = (*COLUMNS, "smoothed", "constant", "of", "training_points")
    lines = [f"q,radius,{','.join(names)}\n"]
    for each in curves:
        same = (each.smoothed, each.constant, each.of, each.training_points)
        rows = zip(*(each.curve(name) for name in COLUMNS), strict=True)
        for r, row in enumerate(rows):
            numbers = ",".join(map(str, (r, *row, *same)))
            lines.append(f"{format_rational(each.q)},{numbers}\n")
    return "".join(lines).encode("ascii")


def draw_accuracy(curves: Sequence[AccuracyCurves], style: str, source: str) -> bytes:
    """Return the figure as a file of format `style`: the same bytes for the same curves.

    A panel for each q, and below it how far the attack and the classifier without noise are above
    what is proved. `source` names the data. Where a step of the picture spans several numbers of
    flips it shows the least that is certified and the most that the attack leaves.

    Raises InputError where matplotlib is not installed.
    """
    columns = len(curves) if len(curves) < 4 else 2
    rows = -(-len(curves) // columns)
    size = (max(3.7 * columns, 6.8), 4.9 * rows + 0.5)
    return picture(style, size, lambda figure: _fill(figure, curves, source, columns))


def _fill(figure: Figure, curves: Sequence[AccuracyCurves], source: str, columns: int) -> None:
    from matplotlib.lines import Line2D

    rows = -(-len(curves) // columns)
    grid = figure.subplots(
        2 * rows,
        columns,
        squeeze=False,
        sharex=True,
        sharey="row",
        gridspec_kw={"height_ratios": [4, 1] * rows},
    )
    last = max(map(_last_shown, curves))
    for place, each in enumerate(curves):
        row, column = divmod(place, columns)
        upper, lower = grid[2 * row, column], grid[2 * row + 1, column]
        _panel(upper, each, last)
        _strip(lower, each, last)
        if not column:
            upper.set_ylabel("right, of test points (%)")
            lower.set_ylabel("test points\nabove proved", fontsize=8)
    for row in range(rows):
        low, high = grid[2 * row + 1, 0].get_ylim()
        grid[2 * row + 1, 0].set_ylim(min(low, -0.5), max(high, 1.5))
    first = curves[0]
    figure.suptitle(
        f"Certified accuracy under label flips\n{_drawable(source)}, {first.of:,} test points, "
        f"{first.training_points:,} training labels",
        fontsize=11,
    )
    handles = [Line2D([], [], label=name, **_LOOKS[key]) for key, name in _NAMES.items()]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=3 if columns == 1 else 4,
        frameon=False,
        fontsize=9,
    )


def _panel(axes: Axes, curves: AccuracyCurves, last: int) -> None:
    """Draw the curves of one q against flips, which the top axis has in percent of the labels."""
    from matplotlib.ticker import MaxNLocator

    n, of = curves.training_points, curves.of
    for name in ("smoothed", "constant"):
        axes.axhline(100 * getattr(curves, name) / of, **_LOOKS[name])
    for name in ("unsmoothed", "exact", "attack", "tight", "kl"):
        most: Callable[[Sequence[int]], int] = max if name == "attack" else min
        radii, counts = _steps(curves.curve(name), last, most)
        axes.step(radii, [100 * count / of for count in counts], where="post", **_LOOKS[name])
    axes.set_title(f"q = {spelled(curves.q)}", fontsize=11, fontweight="bold")
    axes.set_ylim(0, 101)
    axes.set_xlim(0, last + 1)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))
    axes.tick_params(labelbottom=False)
    top = axes.secondary_xaxis(
        "top", functions=(lambda r: np.multiply(r, 100 / n), lambda p: np.multiply(p, n / 100))
    )
    top.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    top.tick_params(labelsize=8)
    top.set_xlabel("% of the training labels", fontsize=8)


def _strip(axes: Axes, curves: AccuracyCurves, last: int) -> None:
    """Draw how many points attack and classifier without noise have above what is proved."""
    from matplotlib.ticker import MaxNLocator

    steps = []
    for name in ("attack", "unsmoothed"):
        gaps = [a - b for a, b in zip(curves.curve(name), curves.exact, strict=True)]
        steps.append(_steps(gaps, last, lambda some: max(some, key=abs)))
    attack, unsmoothed = steps
    axes.fill_between(*attack, step="post", color=_LOOKS["attack"]["color"], linewidth=0)
    axes.step(*unsmoothed, where="post", color="#707070", linewidth=0.9)
    axes.axhline(0, color=_LOOKS["exact"]["color"], linewidth=1)
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10], integer=True))
    axes.tick_params(labelsize=8, labelbottom=True)
    axes.set_xlabel("label flips")


def _last_shown(curves: AccuracyCurves) -> int:
    """Return where the axis ends: no curve has more than a few points to lose beyond."""
    few = curves.of // _NEGLIGIBLE
    found = (curves.curve(name) for name in COLUMNS)
    return max(next(r for r, c in enumerate(curve) if c <= curve[-1] + few) for curve in found)


def _steps(
    curve: Sequence[int], last: int, most: Callable[[Sequence[int]], int]
) -> tuple[list[int], list[int]]:
    """Return where the steps of a curve begin, up to `last`, and their counts; then its end.

    A step has the count at 0 flips, or what `most` makes of the counts of a few numbers of flips.
    """
    width = math.ceil((last + 1) / _STEPS)
    found = [(0, curve[0])]
    for start in range(1, last + 1, width):
        some = curve[start : min(start + width, last + 1)] or curve[-1:]
        if (count := most(some)) != found[-1][1]:
            found.append((start, count))
    found.append((last + 1, found[-1][1]))
    return [r for r, _ in found], [count for _, count in found]


def _drawable(name: str) -> str:
    """Return the name of data as it can be drawn: in letters that the font has, without maths."""
    shown = name if len(name) <= 40 else name[:37] + "..."
    return "".join(c if c.isprintable() and ord(c) < 0x250 else "?" for c in shown).replace(
        "$", r"\$"
    )
