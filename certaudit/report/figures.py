"""Figure 6 (E.3) of the papers: what the KL bound and the tight bound ask for, and their data.

And how every figure becomes a file. Curves are proven numbers, rounded down; only matplotlib,
which is imported where it is needed, turns them into pictures.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Context
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certaudit.errors import InputError
from certaudit.exact import format_rational, json_down
from certaudit.noise import LabelFlip
from certaudit.rigorous.ratio import kl_log_error, kl_ratio
from certaudit.rigorous.threshold import thresholds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = [
    "FORMATS",
    "MAX_CURVES",
    "SETTINGS",
    "Curve",
    "check_matplotlib",
    "curves_csv",
    "draw",
    "picture",
    "spelled",
    "threshold_curves",
]

FORMATS = ("svg", "png")
"""What matplotlib is asked for."""
MAX_CURVES = 5
"""The most values of q in a figure: more colours cannot be told apart."""

_COLOURS = ("#0b2a5b", "#b3400e", "#2fa385", "#d68fc0", "#ecc030")
"""Apart for colour-blind eyes too; each is lighter than the one before, for prints in grey."""
SETTINGS: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "svg.hashsalt": "certaudit",
}
_SOLID: Any = "-"
_DASHES: Any = (0, (4, 2))
_FEW = 20
"""Below so many radii each gets a dot."""
_SPAN = 8
"""The least ratio of the ends of an axis of log errors."""
_FLOOR = 0.8
"""Where the axis of radii begins, on a log scale; curves rise from there to radius 1."""
_STEPS = [step * 10**k for k in range(8) for step in (1, 2, 5)]
_SHARES = (
    *((-math.log1p(-p), f"{p}") for p in (0.6, 0.75, 0.9, 0.99)),
    *((n * math.log(10), f"$1-10^{{-{n}}}$") for n in _STEPS if n >= 5),
)
"""Vote shares p that an axis may name, at -ln(1 - p)."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What both bounds ask for at one q: entry r is ln(1 - p), in nats, that certifies r flips.

    Float64 numbers that are not above the true ones: a p that obeys them is enough.
    """

    noise: LabelFlip
    kl: tuple[float, ...]
    tight: tuple[float, ...]


def threshold_curves(noise: LabelFlip, max_radius: int) -> Curve:
    """Return the curves of both bounds for radius 0 to `max_radius`.

    Raises InputError for a radius that is not decided, as kl_log_error does.
    """
    radii = range(max_radius + 1)
    found = thresholds(noise, 0, max_radius + 1)
    return Curve(
        noise,
        kl=tuple(json_down(kl_log_error(noise, r).lower) for r in radii),
        tight=tuple(least.log_error_down() for least in found if least is not None),
    )


def curves_csv(curves: Sequence[Curve]) -> bytes:
    """Return the data behind the figure: a row for each q and radius.

    `log_error_kl` and `log_error_tight` are ln(1 - p), rounded down; `ratio` is kl_ratio, rounded
    down, and empty at radius 0.

    Raises InputError as kl_ratio does.
    """
    lines = ["q,classes,radius,log_error_kl,log_error_tight,ratio\n"]
    for curve in curves:
        noise = curve.noise
        start = f"{format_rational(noise.q)},{noise.classes}"
        for r, (kl, tight) in enumerate(zip(curve.kl, curve.tight, strict=True)):
            ratio = repr(json_down(kl_ratio(noise, r).lower)) if r else ""
            lines.append(f"{start},{r},{kl!r},{tight!r},{ratio}\n")
    return "".join(lines).encode("ascii")


def check_matplotlib() -> None:
    """Refuse to draw, before any work is done, where matplotlib is not installed.

    Raises InputError, saying how to install it.
    """
    with _config_folder():
        try:
            import matplotlib.figure
            import matplotlib.style  # noqa: F401  (looks for its folder once, at import)
        except ImportError:
            raise InputError("a figure needs matplotlib: pip install 'certaudit[report]'") from None


def draw(curves: Sequence[Curve], style: str) -> bytes:
    """Return the figure as a file of format `style`: the same bytes for the same curves.

    Left, the vote share p that a radius needs; right, the radius that a p certifies.

    Raises InputError where matplotlib is not installed.
    """
    return picture(style, (10, 4.8), lambda figure: _fill(figure, curves))


def picture(style: str, size: tuple[float, float], fill: Callable[[Figure], None]) -> bytes:
    """Return a figure of this width and height, in inches, as a file of format `style`.

    `fill` draws it. The same bytes for the same drawing, wherever it is made.

    Raises InputError where matplotlib is not installed.
    """
    check_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()  # whatever the user's matplotlibrc says
        mpl.rcParams.update(SETTINGS)
        figure = Figure(figsize=size, layout="constrained")
        fill(figure)
        file = BytesIO()
        metadata = {"Date": None} if style == "svg" else {"Software": "certaudit"}
        figure.savefig(file, format=style, dpi=160, metadata=metadata)
    return file.getvalue()


def _fill(figure: Figure, curves: Sequence[Curve]) -> None:
    from matplotlib.lines import Line2D

    left, right = figure.subplots(1, 2)
    coloured = list(zip(curves, _COLOURS, strict=False))
    for curve, colour in coloured:
        for values, dashes, width in ((curve.kl, _DASHES, 1.4), (curve.tight, _SOLID, 1.8)):
            look = {"color": colour, "linestyle": dashes, "linewidth": width}
            radii, nats = range(1, len(values)), [-value for value in values[1:]]
            left.plot(radii, nats, marker="." if len(radii) < _FEW else "", **look)
            right.step([nats[0], *nats], [_FLOOR, *radii], where="post", **look)
    _label(left, right, curves)
    names = [spelled(curve.noise.q) for curve in curves]
    classes = curves[0].noise.classes
    figure.suptitle(
        "What a vote share p certifies under label noise: "
        f"q = {', '.join(names)}, {classes} classes",
        fontsize=12,
    )
    handles = [
        Line2D([], [], color=colour, linewidth=2.4, label=f"q = {name}")
        for name, (_, colour) in zip(names, coloured, strict=True)
    ]
    equation = "5" if classes == 2 else "B.3"
    for dashes, name in ((_DASHES, f"KL bound ({equation})"), (_SOLID, "tight bound (2)")):
        handles.append(Line2D([], [], color="#444444", linestyle=dashes, label=name))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)


def _label(left: Axes, right: Axes, curves: Sequence[Curve]) -> None:
    """Scale and label the axes: log error grows with r, so that p is seen only on a log scale."""
    from matplotlib.ticker import MaxNLocator

    top = len(curves[0].kl) - 1
    nats = [-value for curve in curves for value in (*curve.kl[1:], *curve.tight[1:])]
    low, high = min(nats) / 1.08, max(nats) * 1.08
    if high < _SPAN * low:
        low = max(low / 2, math.log(2) / 1.08)
        high = max(high, _SPAN * low)

    left.set_title("p that a radius requires", fontsize=11)
    left.set_xlabel("radius r (label flips)")
    left.set_ylabel("required vote share p")
    left.set_xlim(0, top * 1.02)
    left.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    left.set_yscale("log")
    left.set_ylim(low, high)
    _ticks(left.yaxis, _SHARES, low, high)

    right.set_title("Radius that a p certifies", fontsize=11)
    right.set_xlabel("log error −ln(1 − p) (nats)")
    right.set_ylabel("certified radius (label flips)")
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_xlim(low, high)
    right.set_ylim(_FLOOR, top * 1.2)
    _ticks(right.xaxis, _numbers(low, high), low, high)
    _ticks(right.yaxis, _numbers(1, top), _FLOOR, top * 1.2)


def _numbers(low: float, high: float) -> list[tuple[float, str]]:
    """Return candidates for the ticks of a log axis; powers of ten only where it is long."""
    chosen = _STEPS if high < 1_000 * low else _STEPS[::3]
    return [(n, f"{n:,}") for n in chosen]


def _ticks(axis: Axis, candidates: Sequence[tuple[float, str]], low: float, high: float) -> None:
    """Set the ticks of a log axis: of the candidates in range, those that have room."""
    room = math.log(high / low) / 14
    chosen: list[tuple[float, str]] = []
    for place, name in candidates:
        if low <= place <= high and (not chosen or math.log(place / chosen[-1][0]) >= room):
            chosen.append((place, name))
    axis.set_ticks([place for place, _ in chosen], [name for _, name in chosen])
    axis.set_ticks([], minor=True)


def spelled(q: Fraction) -> str:
    """Return q as it is best read: as a short decimal where that is exact."""
    decimal = f"{float(q):.6g}".replace("e-0", "e-")
    if Fraction(decimal) == q:
        return decimal
    text = format_rational(q)
    if len(text) <= 12:
        return text
    return f"about {Context(prec=4).divide(q.numerator, q.denominator).normalize():g}".lower()


@contextmanager
def _config_folder() -> Iterator[None]:
    """Give matplotlib a folder for its caches where it could not write to one of its own."""
    if "MPLCONFIGDIR" in os.environ or _home_is_writable():
        yield
        return
    with tempfile.TemporaryDirectory(prefix="certaudit-") as folder:
        os.environ["MPLCONFIGDIR"] = folder
        try:
            yield
        finally:
            del os.environ["MPLCONFIGDIR"]


def _home_is_writable() -> bool:
    try:
        return os.access(Path.home(), os.W_OK | os.X_OK)
    except RuntimeError:  # there is none
        return False
