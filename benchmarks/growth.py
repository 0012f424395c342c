"""Section 4 of `bench.py`: how a point's cost grows with n and k, and a run's with m.

Synthetic data; one job, one BLAS thread, processor time.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from inprocess import certify, fit_warm, float_operator, timed

from certaudit.certify.blocks import AlphaBlocks
from certaudit.certify.data import LabelledData
from certaudit.report.figures import SETTINGS, check_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROUNDS = 5
ROWS = (1000, 3000, 10_000, 30_000, 100_000)
MANY_ROWS = (300_000, 1_000_000)
COLUMNS = (10, 20, 40, 80, 160, 320)
POINTS = (64, 256, 1024, 4096, 16_384)
FIXED_ROWS, FIXED_COLUMNS = 4000, 20
ENTRIES = 1 << 25
"""Entries of alpha from which the cost of a point is taken."""
MOST_POINTS = 1024
RIGOROUS_POINTS = 16
RIGOROUS_UP_TO = {"n": 30_000, "k": 80, "m": 256}
FITTED = 3
"""Exponents are taken over the last sizes: before them a part of the cost does not grow."""

FAST, RIGOROUS, PRODUCT = "fast engine", "rigorous engine", "bare product"
COLOURS = {FAST: "#0b2a5b", RIGOROUS: "#b3400e", PRODUCT: "#2fa385"}
MARKERS = {FAST: "o", RIGOROUS: "s", PRODUCT: "^"}

Lines = dict[str, list[tuple[int, float]]]
"""By engine: sizes and seconds."""


class Case:
    """A fitted synthetic data set, and the processor time of its first points by each means."""

    room = np.zeros(FIXED_ROWS * max(POINTS))
    """For the products of all cases: fresh pages would cost more than the smaller products do."""

    def __init__(self, n: int, k: int, m: int, q: str) -> None:
        self._data = _synthetic(n, k, m)
        self.fit_seconds, fitted = timed(fit_warm, self._data, q)
        self._rate, self._features, ridge, self._model = fitted
        self._operator = float_operator(self._features.train, ridge)
        self.block = AlphaBlocks(self._model, self._rate).step

    def fast(self, points: int) -> float:
        """Return the seconds of a whole run of the fast engine."""
        return timed(certify, self._model, self._data, self._rate, range(points))[0]

    def rigorous(self, points: int) -> float:
        """Return the seconds of a whole run of the rigorous engine."""
        chosen = range(points)
        return timed(certify, self._model, self._data, self._rate, chosen, engine="rigorous")[0]

    def product(self, points: int) -> float:
        """Return the seconds of the product that gives alpha in float64, into memory in use."""
        size = points * self._operator.shape[1]
        out = self.room[:size].reshape(points, -1)
        return timed(np.matmul, self._features.test[:points], self._operator, out=out)[0]


@dataclass(frozen=True)
class Panel:
    """What grows, what stays the same, and the medians."""

    letter: str
    fixed: str
    lines: Lines


def growth(q: str, *, full: bool, plot: Path | None) -> None:
    """Section 4: tables, exponents, and the plot if a file for it is named."""
    if plot is not None:
        check_matplotlib()
    print(f"synthetic Gaussian data with an intercept, q = {q}; processor time, medians of")
    print(f"{ROUNDS} rounds in turn; one job, one BLAS thread. A point of the fast engine: what")
    print("further points cost; start: what a run costs before any, fit excluded. The product's")
    print("output takes memory that is in use. Exponents: least squares of the logarithms over")
    print(f"the last {FITTED} sizes; in brackets: between the last 2")
    Case.room.fill(1.0)  # zeros are not there before they are written to
    rows = ROWS + MANY_ROWS if full else ROWS
    panels = [
        _a_point("n", [(n, FIXED_COLUMNS) for n in rows], q),
        _a_point("k", [(FIXED_ROWS, k) for k in COLUMNS], q),
        _a_run(q),
    ]
    if plot is not None:
        plot.write_bytes(draw(panels, plot.suffix.lstrip(".") or "svg"))
        print(f"\nwrote {plot}")


def _a_point(letter: str, shapes: list[tuple[int, int]], q: str) -> Panel:
    """Measure a point of each shape: the fast engine's as the difference of two runs."""
    cases = []
    for n, k in shapes:
        case = Case(n, k, MOST_POINTS, q)
        blocks = max(min(MOST_POINTS, ENTRIES // n) // case.block, 2)
        cases.append((n if letter == "n" else k, blocks * case.block, case))
    starts: dict[int, list[float]] = {size: [] for size, _, _ in cases}

    def fast(size: int, points: int, case: Case) -> float:
        short, long = case.fast(case.block), case.fast(points)
        each = (long - short) / (points - case.block)
        starts[size].append(short - case.block * each)
        return each

    seconds = _in_turn(
        letter,
        cases,
        fast=fast,
        rigorous=lambda _, __, case: case.rigorous(RIGOROUS_POINTS) / RIGOROUS_POINTS,
        product=lambda _, points, case: case.product(points) / points,
    )
    fixed = f"k = {shapes[0][1]}" if letter == "n" else f"n = {shapes[0][0]:,}"
    print(f"\n{fixed:>13}   fit (s)  start (ms)  ms/point: {FAST:<24}  {RIGOROUS:<16}  {PRODUCT}")
    for size, _, case in cases:
        # A difference may be below 0 where others use the machine.
        start = max(1e3 * statistics.median(starts[size]), 0.0)
        print(
            f"{letter} = {size:>9,}  {case.fit_seconds:>8.3f}  {start:>10.1f}"
            f"            {_row(seconds, size)}"
        )
    return _panel(letter, fixed, seconds)


def _a_run(q: str) -> Panel:
    """Measure whole runs of m points."""
    most = Case(FIXED_ROWS, FIXED_COLUMNS, max(POINTS), q)
    seconds = _in_turn(
        "m",
        [(m, m, most) for m in POINTS],
        fast=lambda _, m, case: case.fast(m),
        rigorous=lambda _, m, case: case.rigorous(m),
        product=lambda _, m, case: case.product(m),
    )
    fixed = f"n = {FIXED_ROWS:,}, k = {FIXED_COLUMNS}"
    print(f"\n{fixed:>18}  ms/run: {FAST:<24}  {RIGOROUS:<16}  {PRODUCT}")
    for m in POINTS:
        print(f"m = {m:>9,}               {_row(seconds, m)}")
    return _panel("m", fixed, seconds)


def _in_turn(
    letter: str,
    cases: list[tuple[int, int, Case]],
    **means: Callable[[int, int, Case], float],
) -> dict[str, dict[int, list[float]]]:
    """Return the seconds of every round by engine and size: all sizes in turn in every round."""
    names = {"fast": FAST, "rigorous": RIGOROUS, "product": PRODUCT}
    seconds: dict[str, dict[int, list[float]]] = {name: {} for name in names.values()}
    for _ in range(ROUNDS):
        for size, points, case in cases:
            for key, measure in means.items():
                if key != "rigorous" or size <= RIGOROUS_UP_TO[letter]:
                    found = measure(size, points, case)
                    seconds[names[key]].setdefault(size, []).append(found)
    return seconds


def _row(seconds: dict[str, dict[int, list[float]]], size: int) -> str:
    """Return the medians of a size in ms, with the extremes of the fast engine."""
    values = [1e3 * value for value in seconds[FAST][size]]
    fast = f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
    others = []
    for name in (RIGOROUS, PRODUCT):
        found = seconds[name].get(size)
        others.append("" if found is None else f"{1e3 * statistics.median(found):.3f}")
    return f"{fast:<24}  {others[0]:<16}  {others[1]}"


def _panel(letter: str, fixed: str, seconds: dict[str, dict[int, list[float]]]) -> Panel:
    lines = {
        name: [(size, statistics.median(values)) for size, values in found.items()]
        for name, found in seconds.items()
    }
    parts = [
        f"{name} ~ {letter}^{_exponent(line[-FITTED:]):.2f} ({_exponent(line[-2:]):.2f})"
        for name, line in lines.items()
    ]
    print("; ".join(parts), flush=True)
    return Panel(letter, fixed, lines)


def _exponent(line: list[tuple[int, float]]) -> float:
    sizes, seconds = np.log([(size, max(value, 1e-9)) for size, value in line]).T
    return float(np.polyfit(sizes, seconds, 1)[0])


def _synthetic(n: int, k: int, m: int) -> LabelledData:
    random = np.random.default_rng(0)
    rows = random.standard_normal((n + m, k))
    scores = rows @ random.standard_normal(k) / math.sqrt(k)
    labels = (scores + random.standard_normal(len(rows)) / 2 >= 0).astype(np.int64)
    return LabelledData.check(rows[:n], labels[:n], rows[n:], labels[n:])


def draw(panels: list[Panel], style: str) -> bytes:
    """Return the plot as a file of format `style`, the same bytes for the same numbers."""
    from io import BytesIO

    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()  # whatever the user's matplotlibrc says
        mpl.rcParams.update({**SETTINGS, "font.size": 9})
        # 7.2 inches on a page of 700 pixels: 9 points are 12 pixels.
        figure = Figure(figsize=(7.2, 3.3), layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(panels)), panels, strict=True):
            _fill(axes, panel)
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
        file = BytesIO()
        metadata = {"Date": None} if style == "svg" else {"Software": "certaudit"}
        figure.savefig(file, format=style, dpi=160, metadata=metadata)
    return file.getvalue()


def _fill(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    run = panel.letter == "m"
    meaning = {"n": "training points n", "k": "columns k", "m": "test points m"}[panel.letter]
    for name, line in panel.lines.items():
        sizes, seconds = zip(*line, strict=True)
        values = [value if run else 1e3 * value for value in seconds]
        axes.plot(
            sizes, values, label=name, color=COLOURS[name], marker=MARKERS[name], markersize=3.5
        )
    axes.set_title(f"{'a run: seconds' if run else 'a point: ms'}\n({panel.fixed})", fontsize=9)
    axes.set_xlabel(meaning)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=9))
        axis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    if panel.letter == "k":  # hardly more than a power of ten
        axes.set_xticks(COLUMNS, [str(k) for k in COLUMNS])
