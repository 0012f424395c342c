"""Write the tables and figures of one data set in docs/experiments.md again.

    python scripts/experiments.py DATA NAME [--jobs N] [-o docs/experiments.md]

DATA is a folder with NAME.npz (X_train, y_train, X_test, y_test). Replaced is what stands between
the markers of NAME, and docs/figures/experiments_NAME*.svg. Prose around the markers is by hand.
"""

from __future__ import annotations

import argparse
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from certaudit.certify.data import LabelledData
from certaudit.certify.label_flip import LabelFlipRun, certify_data
from certaudit.certify.multiclass import certify_classes
from certaudit.io.datasets import KEYS, read_data_set
from certaudit.report.accuracy import COLUMNS, accuracy_curves
from certaudit.report.figures import check_matplotlib, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOT = Path(__file__).parent.parent
TWO = ("1e-6", "1e-4", "1e-3", "0.01", "0.05", "0.1", "0.2", "0.3", "0.4", "0.45")
TEN = ("1e-6", "1e-4", "1e-3", "0.01", "0.05", "0.1", "0.12", "0.2", "0.3", "0.5")
COLOURS = ("#0b2a5b", "#b3400e", "#2fa385", "#d68fc0", "#ecc030")
"""Those of the papers' figures in `certaudit figures`: apart for colour-blind eyes, and in grey."""
NAMES = {"kl": "KL bound", "tight": "tight bound (2)", "exact": "exact radius, proved"}
RULES = ("paper", "auto", "n/10", "n", "10 n")
RIDGES = ("0", *RULES)
STEPS = 120
"""The most steps of a curve in a picture."""


@dataclass(frozen=True)
class Counted:
    """What is counted of one certified test set.

    Entry r of a curve is how many of the `of` test points are right and stand r flips: proven by
    "kl", "tight", "exact"; "attack": not refuted by the worst flips; "unsmoothed": proven, without
    noise at the same ridge. The last entry holds for every larger r. Of many classes there are "kl"
    and "tight" only. `right` are right with no label flipped, `proven` proven to be the vote as
    well, `unsmoothed` right at q = 0, `constant` right by the best constant class; `closed` is how
    many exact radii are known.
    """

    ridge: Fraction
    classes: int
    labels: int
    of: int
    right: int
    proven: int
    unsmoothed: int
    constant: int
    curves: Mapping[str, Sequence[int]]
    closed: int | None = None

    def at(self, name: str, flips: int) -> int:
        """Return a curve at a number of flips."""
        curve = self.curves[name]
        return curve[min(flips, len(curve) - 1)]

    def median(self, name: str) -> str:
        """Return the median of the radii behind a curve, of all points right, as text."""
        right = self.unsmoothed if name == "unsmoothed" else self.right
        return spelled_median(self.curves[name], right)

    def last_above(self, name: str, share: Fraction) -> int:
        """Return the most flips at which a curve is above a share of the points, -1 for none."""
        return sum(Fraction(count, self.of) > share for count in self.curves[name]) - 1


def spelled_median(curve: Sequence[int], right: int) -> str:
    """Return the median radius of `right` points, of which curve[r] have radius r or more."""
    if not right:
        return "-"
    rising = [-count for count in curve]
    ranks = ((right - 1) // 2, right // 2)
    found = (max(bisect_right(rising, rank - right) - 1, 0) for rank in ranks)
    return f"{float(Fraction(sum(found), 2)):,g}"


def count(
    data: LabelledData, q: str, ridge: str, design: str, jobs: int, guarantee: str = "all"
) -> Counted:
    """Certify and count: "all" is every guarantee there is, "tight" the two bounds."""
    n = len(data.y_train)
    options: dict[str, Any] = {
        "q": q,
        "ridge": {"n/10": Fraction(n, 10), "n": n, "10 n": 10 * n}.get(ridge, ridge),
        "scale": "standard" if design == "default" else "none",
        "intercept": design == "default",
        "guarantee": guarantee,
        "jobs": jobs,
    }
    certify = certify_data if data.classes == 2 else certify_classes
    run = certify(data, **options)
    curves: dict[str, Sequence[int]]
    if isinstance(run, LabelFlipRun) and guarantee == "all":
        found = accuracy_curves(run)
        curves = {name: found.curve(name) for name in COLUMNS}
        closed = run.closed()
    else:
        curves = {name: (*run.certified_counts(name), 0) for name in ("kl", "tight")}
        closed = None
    hits, constant = run.hits(), max(run.of_class())
    numbers = (hits["clean"], hits["decided"], hits["unsmoothed"], constant)
    sizes = (data.classes, n, len(run.certificates))
    return Counted(run.ridge.value, *sizes, *numbers, curves, closed)


def down(part: int, whole: int) -> str:
    """Return a share in percent, rounded down: of what is certified."""
    return f"{10**4 * part // whole / 100:.2f}"


def up(part: int, whole: int) -> str:
    """Return a share in percent, rounded up: of what an attack leaves."""
    return f"{-(-(10**4) * part // whole) / 100:.2f}"


@dataclass(frozen=True)
class Printed:
    """A number that the papers print, where, and what there is beside it, of the sweep over q."""

    text: str
    where: str
    here: Callable[[Mapping[str, Counted]], str]


@dataclass(frozen=True)
class Experiment:
    """What is measured of a data set: values of q, numbers of flips, designs beside the default."""

    qs: tuple[str, ...]
    flips: tuple[int, ...]
    drawn: tuple[str, ...]
    ridge_q: str
    ridge_flips: tuple[int, int]
    papers: tuple[tuple[str, str, str], ...]
    """Runs in the papers' pipeline: q, design, ridge."""
    printed: tuple[Printed, ...] = ()
    every: int = 1
    """Every so many rows of the test set, from the first on."""
    slow: tuple[str, ...] = ()
    """Values of q, but the first, whose exact radii are of every tenth of these points only, in a row of its own."""


def right_at(*qs: str) -> Callable[[Mapping[str, Counted]], str]:
    """Return what says how many points are right at some q, and without noise."""

    def here(sweep: Mapping[str, Counted]) -> str:
        found = [(q, sweep[q]) for q in qs]
        shares = ", ".join(f"{down(one.right, one.of)} % at q = {q}" for q, one in found)
        one = found[0][1]
        return f"{shares}; {down(one.unsmoothed, one.of)} % without noise"

    return here


def constant(sweep: Mapping[str, Counted]) -> str:
    """Return how many points the best constant class gets right."""
    one = next(iter(sweep.values()))
    return f"{down(one.constant, one.of)} % by the better class, on these test points"


def where_half_falls(sweep: Mapping[str, Counted]) -> str:
    """Return what is certified where the classifier without noise falls below a half."""
    q, one = next(iter(sweep.items()))
    # at most a half is right where less than or as many as that are proven: they coincide nearly
    at = one.last_above("unsmoothed", Fraction(1, 2)) + 1
    names = ("kl", "tight", "exact", "attack")
    shares = [down(one.at(name, at), one.of) for name in names[:3]]
    return (
        f"without noise, of this linear classifier, no more than half are proven from {at} flips on; at "
        f"q = {q} there {shares[0]} % (KL), {shares[1]} % (tight), {shares[2]} % (exact), and the "
        f"attack leaves {up(one.at('attack', at), one.of)} %"
    )


def certified_at(q: str, flips: int) -> Callable[[Mapping[str, Counted]], str]:
    """Return what says how many points are certified at so many flips."""

    def here(sweep: Mapping[str, Counted]) -> str:
        one = sweep[q]
        best = max(sweep, key=lambda each: sweep[each].at("tight", flips))
        top = sweep[best]
        kl, tight = (one.last_above(name, Fraction(1, 2)) for name in ("kl", "tight"))
        return (
            f"{down(one.at('kl', flips), one.of)} % (KL), {down(one.at('tight', flips), one.of)} % (tight) at "
            f"{flips} flips; more than 50 % up to {kl} and {tight} flips; at {flips} flips most at q = {best}: "
            f"{down(top.at('kl', flips), top.of)} %, {down(top.at('tight', flips), top.of)} %"
        )

    return here


def above_chance(q: str) -> Callable[[Mapping[str, Counted]], str]:
    """Return what says up to how many flips more is certified than a constant class gets."""

    def here(sweep: Mapping[str, Counted]) -> str:
        one = sweep[q]
        share = Fraction(one.constant, one.of)
        kl, tight = (one.last_above(name, share) for name in ("kl", "tight"))
        best = max(sweep, key=lambda each: sweep[each].last_above("tight", share))
        most = [sweep[best].last_above(name, share) for name in ("kl", "tight")]
        return (
            f"more than {down(one.constant, one.of)} % up to {kl} (KL), {tight} (tight) flips; most at q = {best}: "
            f"{most[0]}, {most[1]}"
        )

    return here


RAW = tuple(("0.1", "raw", ridge) for ridge in ("0", "paper"))
EXPERIMENTS = {
    "mnist17": Experiment(
        TWO,
        (50, 100, 200, 300, 400),
        ("1e-6", "0.01", "0.1", "0.3", "0.45"),
        "0.1",
        (100, 300),
        (*RAW, *(("0.1", "raw, max(x, 0)", ridge) for ridge in ("1e-9", "paper"))),
        (
            Printed(
                "“reasonably competitive non-robust accuracy (e.g., 94.5% on MNIST 1/7 versus 99.1% for the undefended classifier)”",
                "section 1; “compared to” in the earlier version",
                right_at("0.01", "0.45"),
            ),
            Printed(
                "“75.7% certified accuracy on MNIST 1/7 even when the number of allowed label flips would drive a standard, undefended classifier to an accuracy of less than 50%”",
                "section 1, earlier version only; the number of flips is not printed",
                where_half_falls,
            ),
            Printed(
                "“a certified accuracy of 50% at r = ∞ [...] by letting g be constant”",
                "section 5",
                constant,
            ),
        ),
        slow=("1e-4",),
    ),
    "spambase_log": Experiment(
        TWO,
        (5, 10, 20, 30, 40),
        ("1e-6", "0.01", "0.1", "0.3", "0.45"),
        "0.1",
        (10, 30),
        RAW,
    ),
    "imdb": Experiment(
        TWO,
        (25, 50, 100, 200, 300),
        ("1e-6", "0.01", "0.1", "0.3", "0.45"),
        "0.1",
        (50, 200),
        (("0.01", "raw", "paper"), *RAW),
        (
            Printed(
                "“for q = 0.01 the non-robust accuracy is 79.11%, while for q = 0.1 it is 78.96%”",
                "caption of figure 4 (earlier version: figure 3)",
                right_at("0.01", "0.1"),
            ),
        ),
        every=10,
        slow=("1e-4",),
    ),
    "mnist10": Experiment(
        TEN,
        (50, 100, 200, 400, 800),
        ("1e-6", "0.01", "0.1", "0.3", "0.5"),
        "0.1",
        (100, 400),
        RAW,
        (Printed("“(or 10% for MNIST or CIFAR10) by letting g be constant”", "section 5", constant),),
    ),
    "cifar10_kmeans": Experiment(
        TEN,
        (25, 50, 100, 175, 427),
        ("1e-6", "0.01", "0.12", "0.3", "0.5"),
        "0.12",
        (50, 175),
        tuple(("0.12", "raw", ridge) for ridge in ("0", "paper")),
        (
            Printed(
                "“our classifier with q = 0.12 achieves 50% certified accuracy up to 175 labels flips”",
                "section 5, later version only, at figure 2",
                certified_at("0.12", 175),
            ),
            Printed(
                "“better than random chance certified accuracy up to 427 label flips, which is approximately 1% of the training set”",
                "there (427 of 50,000 is 0.85 %)",
                above_chance("0.12"),
            ),
        ),
    ),
}  # fmt: skip


def flip_heads(flips: Sequence[int], labels: int) -> list[str]:
    """Return the heads of columns at numbers of flips."""
    return [f"{r} flips ({down(r, labels)} %)" for r in flips]


def radius_heads(classes: int) -> list[str]:
    """Return the heads of what is right, proven, and of the median radii."""
    bounds = ["KL (5)", "tight (2)", "exact"] if classes == 2 else ["KL (B.3)", "tight (2)"]
    return ["right %", "proven %", *bounds]


def table_heads(name: str, labels: int, classes: int) -> list[list[str]]:
    """Return the heads of the tables of a data set: medians, certified, ridge, papers."""
    asked, radii = EXPERIMENTS[name], radius_heads(classes)
    closed = ["closed %"] if classes == 2 else []
    found = [
        ["q", "ridge", *radii, *closed],
        ["q", *flip_heads(asked.flips, labels)],
        ["q", "features", "ridge", *radii, *flip_heads(asked.ridge_flips, labels)],
    ]
    return [*found, ["the papers print", "where", "here"]] if asked.printed else found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table in Markdown."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def guarantees(classes: int) -> list[str]:
    """Return the guarantees there are."""
    return list(NAMES)[: 3 if classes == 2 else 2]


def shares(one: Counted, flips: int) -> str:
    """Return a cell: certified by each guarantee, rounded down, and left by the attack, up."""
    names = [*guarantees(one.classes), *(["attack"] if one.classes == 2 else [])]
    rounded = (up if name == "attack" else down for name in names)
    return " / ".join(
        share(one.at(name, flips), one.of) if name in one.curves else "-"
        for name, share in zip(names, rounded, strict=True)
    )


def radii_cells(one: Counted) -> list[str]:
    """Return the cells below radius_heads."""
    names = guarantees(one.classes)
    medians = [one.median(name) if name in one.curves else "-" for name in names]
    return [down(one.right, one.of), down(one.proven, one.of), *medians]


def number(value: Fraction) -> str:
    """Return a ridge, of which more digits are known, as it is best read."""
    return f"{float(value):,.0f}" if value >= 1000 else f"{float(value):.4g}"


def median_rows(sweep: Mapping[str, Counted]) -> Iterator[list[str]]:
    """Yield the rows of accuracies and median radii."""
    one = next(iter(sweep.values()))
    two = one.classes == 2
    for q, each in sweep.items():
        closed = "-" if each.closed is None else down(each.closed, each.of)
        yield [q, number(each.ridge), *radii_cells(each), *([closed] if two else [])]
    empty = ["-", "-", one.median("unsmoothed"), "-"] if two else ["-", "-"]
    yield ["0: no noise", number(one.ridge), down(one.unsmoothed, one.of), "-", *empty]
    always = ["all", "all", "all", "-"] if two else ["all", "all"]
    yield ["a constant class", "-", down(one.constant, one.of), "-", *always]


def certified_rows(sweep: Mapping[str, Counted], flips: Sequence[int]) -> Iterator[list[str]]:
    """Yield the rows of certified accuracies."""
    one = next(iter(sweep.values()))
    for q, each in sweep.items():
        yield [q, *(shares(each, r) for r in flips)]
    if one.classes == 2:
        yield ["0: no noise", *(f"{down(one.at('unsmoothed', r), one.of)}" for r in flips)]
    yield ["a constant class", *[down(one.constant, one.of)] * len(flips)]


def ridge_rows(
    runs: Sequence[tuple[str, str, str, Counted]], flips: Sequence[int]
) -> Iterator[list[str]]:
    """Yield the rows of ridges: q, design, rule, and what was counted."""
    for q, design, rule, one in runs:
        shown = f"{rule}: {number(one.ridge)}" if rule in RULES else rule
        yield [q, design, shown, *radii_cells(one), *(shares(one, r) for r in flips)]


def block(
    name: str,
    data: LabelledData,
    sweep: Mapping[str, Counted],
    ridges: Sequence[tuple[str, str, str, Counted]],
    total: int,
) -> Iterator[str]:
    """Yield the lines between the markers of a data set."""
    asked = EXPERIMENTS[name]
    heads = table_heads(name, len(data.y_train), data.classes)
    points = f"all {total:,} test points"
    if asked.every > 1:
        points = (
            f"every {asked.every}th test row from the first on, {len(data.y_test):,} of {total:,}"
        )
    yield (
        f"{len(data.y_train):,} training labels, {data.x_train.shape[1]} columns, {data.classes} classes; {points}."
    )
    yield ""
    yield f"![{name}: certified accuracy by q](figures/experiments_{name}.svg)"
    yield ""
    yield "Right, proven right, and median radius of the points classified right, in flips:"
    yield ""
    yield from table(heads[0], list(median_rows(sweep)))
    cell = "KL / tight / exact / left by the worst flips" if data.classes == 2 else "KL / tight"
    yield f"Certified accuracy in percent, {cell}:"
    yield ""
    yield from table(heads[1], list(certified_rows(sweep, asked.flips)))
    yield f"![{name}: certified accuracy by ridge](figures/experiments_{name}_ridge.svg)"
    yield ""
    yield "The ridge:"
    yield ""
    yield from table(heads[2], list(ridge_rows(ridges, asked.ridge_flips)))
    if asked.printed:
        rows = [[each.text, each.where, each.here(sweep)] for each in asked.printed]
        yield from table(heads[3], rows)


def replaced(page: str, name: str, lines: Sequence[str]) -> str:
    """Return a page with what is between the markers of a name replaced.

    Raises ValueError unless there is one such place.
    """
    begin, end = markers(name)
    parts = re.split(f"(?s){re.escape(begin)}\n.*?{re.escape(end)}\n", page)
    if len(parts) != 2:
        raise ValueError(f"{name}: {len(parts) - 1} places for its tables, 1 is needed")
    text = "\n".join(lines).rstrip("\n")
    return f"{parts[0]}{begin}\n{text}\n{end}\n{parts[1]}"


def markers(name: str) -> tuple[str, str]:
    """Return the lines around the tables of a data set."""
    return f"<!-- {name}: written by scripts/experiments.py -->", f"<!-- end of {name} -->"


def drawn(series: Sequence[tuple[str, Counted]], title: str, *, noiseless: bool) -> bytes:
    """Return a picture: a panel for each guarantee, a colour for each q or ridge.

    Certified accuracy is solid, the accuracy with no label flipped dashed in the same colour,
    the best constant class dotted. With `noiseless` also q = 0 at the ridge of the first: what is
    proven of two labels, the accuracy of many.
    """
    panels = [name for name in NAMES if name in series[0][1].curves]
    size = (3.7 * len(panels) + 0.4, 4.3)
    return picture("svg", size, lambda figure: fill(figure, series, title, panels, noiseless))


def fill(
    figure: Figure,
    series: Sequence[tuple[str, Counted]],
    title: str,
    panels: Sequence[str],
    noiseless: bool,
) -> None:
    """Draw all panels."""
    from matplotlib.lines import Line2D

    grid = figure.subplots(1, len(panels), sharex=True, sharey=True)
    few = series[0][1].of // 200
    last = max(
        sum(count > few for count in one.curves[name]) for _, one in series for name in panels
    )
    for axes, name in zip(grid, panels, strict=True):
        panel(axes, series, name, last, noiseless)
    grid[0].set_ylabel("right, of test points (%)")
    figure.suptitle(title, fontsize=11)
    handles = [
        Line2D([], [], color=colour, linewidth=2.2, label=label)
        for (label, _), colour in zip(series, COLOURS, strict=False)
    ]
    handles.append(Line2D([], [], **DASHED, color="#444444", label="no label flipped"))
    if noiseless:
        look = NOISELESS if "unsmoothed" in series[0][1].curves else DASHDOT
        handles.append(Line2D([], [], **look, label="q = 0"))
    handles.append(Line2D([], [], **DOTTED, label="best constant class"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)


NOISELESS: dict[str, Any] = {"color": "#bdbdbd", "linewidth": 5.0}
DASHED: dict[str, Any] = {"linestyle": (0, (4, 3)), "linewidth": 0.8}
DOTTED: dict[str, Any] = {"color": "black", "linestyle": (0, (1, 2)), "linewidth": 1.1}
DASHDOT: dict[str, Any] = {"color": "black", "linestyle": (0, (6, 2, 1, 2)), "linewidth": 0.9}


def panel(
    axes: Axes, series: Sequence[tuple[str, Counted]], name: str, last: int, noiseless: bool
) -> None:
    """Draw the curves of a guarantee against flips; the top axis has percent of the labels."""
    from matplotlib.ticker import MaxNLocator

    first = series[0][1]
    n, of = first.labels, first.of
    if noiseless and "unsmoothed" in first.curves:
        axes.step(*steps(first, "unsmoothed", last), where="post", **NOISELESS)
    elif noiseless:
        axes.axhline(100 * first.unsmoothed / of, **DASHDOT)
    for place, ((_, one), colour) in enumerate(zip(series, COLOURS, strict=False)):
        same = all(each.right == one.right for _, each in series)
        axes.axhline(100 * one.right / of, color="#444444" if same else colour, **DASHED)
        # what lies on top of another is thinner
        look = {"color": colour, "linewidth": 3 - 0.45 * place}
        axes.step(*steps(one, name, last), where="post", **look)
    axes.axhline(100 * first.constant / of, **DOTTED)
    number_of = "(5)" if first.classes == 2 else "(B.3)"
    axes.set_title(f"{NAMES[name]} {number_of if name == 'kl' else ''}".strip(), fontsize=11)
    axes.set_ylim(0, 101)
    axes.set_xlim(0, last + 1)
    axes.set_xlabel("label flips")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))
    top = axes.secondary_xaxis(
        "top", functions=(lambda r: np.multiply(r, 100 / n), lambda p: np.multiply(p, n / 100))
    )
    top.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    top.tick_params(labelsize=8)
    top.set_xlabel("% of the training labels", fontsize=8)


def steps(one: Counted, name: str, last: int) -> tuple[list[int], list[float]]:
    """Return where the steps of a curve begin, and percents: that at 0, then of a step the least."""
    width = -(-(last + 1) // STEPS)
    starts = range(1, last + 1, width)
    counts = [one.at(name, 0), *(one.at(name, start + width - 1) for start in starts)]
    heights = [100 * each / one.of for each in counts]
    return [0, *starts, last + 1], [*heights, heights[-1]]


def read(folder: Path, name: str) -> tuple[LabelledData, LabelledData | None, int]:
    """Return the data to certify, the same behind max(x, 0), and how many test rows there are."""
    raw = read_data_set(folder / f"{name}.npz", label_column=None, test=None)
    train, labels, test, truth = (np.asarray(raw.arrays[key]) for key in KEYS)
    every = EXPERIMENTS[name].every
    data = thinned(LabelledData.check(train, labels, test, truth), every)
    if not any("max" in design for _, design, _ in EXPERIMENTS[name].papers):
        return data, None, len(truth)
    cut = (np.maximum(train, 0), labels, np.maximum(test, 0), truth)
    return data, thinned(LabelledData.check(*cut), every), len(truth)


def thinned(data: LabelledData, every: int) -> LabelledData:
    """Return the data with every so many of the test rows, from the first on."""
    rows = slice(None, None, every)
    arrays = (data.x_train, data.y_train, data.x_test[rows], data.y_test[rows])
    return LabelledData.check(*arrays, classes=data.classes)


def main() -> None:
    """Measure one data set and write its part of the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("name", choices=EXPERIMENTS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "experiments.md")
    arguments = parser.parse_args()
    name, asked = arguments.name, EXPERIMENTS[arguments.name]
    check_matplotlib()
    replaced(arguments.output.read_text(encoding="utf-8"), name, [])  # before minutes of work
    data, rectified, total = read(arguments.data, name)

    def measure(q: str, design: str, ridge: str) -> Counted:
        print(f"{name}: q = {q}, {design}, ridge {ridge}", flush=True)
        used = rectified if "max" in design and rectified is not None else data
        return count(used, q, ridge, design, arguments.jobs)

    sweep: dict[str, Counted] = {}
    for q in asked.qs:
        if q in asked.slow:
            print(f"{name}: q = {q}, bounds of all points", flush=True)
            sweep[q] = count(data, q, "auto", "default", arguments.jobs, "tight")
            print(f"{name}: q = {q}, every tenth point", flush=True)
            sweep[f"{q}, every 10th point"] = count(
                thinned(data, 10), q, "auto", "default", arguments.jobs
            )
        else:
            sweep[q] = measure(q, "default", "auto")
    rules = [(asked.ridge_q, "default", ridge) for ridge in RIDGES]
    ridges = [
        (*run, sweep[run[0]] if run[1:] == ("default", "auto") else measure(*run))
        for run in (*asked.papers, *rules)
    ]
    points = f"{name}, {len(data.y_test):,} test points, {len(data.y_train):,} training labels"
    by_q = [(f"q = {q}", sweep[q]) for q in asked.drawn]
    by_ridge = [
        (f"ridge {rule}" if rule == "0" else f"{rule} = {number(one.ridge)}", one)
        for _, design, rule, one in ridges
        if design == "default" and rule != "paper"
    ]
    figures = arguments.output.parent / "figures"
    figures.mkdir(exist_ok=True)
    title = f"Certified accuracy by q\n{points}"
    (figures / f"experiments_{name}.svg").write_bytes(drawn(by_q, title, noiseless=True))
    title = f"Certified accuracy by ridge, q = {asked.ridge_q}\n{points}"
    (figures / f"experiments_{name}_ridge.svg").write_bytes(drawn(by_ridge, title, noiseless=False))
    page = arguments.output.read_text(encoding="utf-8")
    lines = list(block(name, data, sweep, ridges, total))
    arguments.output.write_text(replaced(page, name, lines), encoding="utf-8")


if __name__ == "__main__":
    main()
