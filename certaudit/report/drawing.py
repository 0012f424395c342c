"""Pictures of a report as SVG: certified accuracy with what was claimed too much, and the chain.

Drawn here, not by matplotlib: a page sets other colours by class when it is dark, and a document
without dates, identifiers or fonts of its own is the same everywhere. Colours are attributes, so
that the pictures look right where there is no style sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import TypeAlias
from xml.sax.saxutils import escape

from certaudit.exact import percent
from certaudit.report.blocks import spelled
from certaudit.report.subjects import up
from certaudit.report.summary import Curve, Link, Point, Series

__all__ = ["differences", "draw_chain", "draw_curve", "reached", "selected_radii"]

_FONT = "Libertinus Serif, Georgia, serif"
"""The first of them comes with typst."""
Across: TypeAlias = Callable[[float], float]

_WIDTH, _LEFT, _RIGHT = 640, 56, 620
_COLOURS = ("#0b3d91", "#b3400e", "#1d7a63", "#8a3b82", "#7a6200", "#444444")
_INK, _MUTED, _GRID, _PAPER = "#222222", "#5a5a5a", "#dddddd", "#ffffff"
_STATES = {
    "proved": ("good", "#1a6b3c", "M-4 0L-1 4L5 -4"),
    "declared": ("warn", "#7a5200", "M-4 0H4"),
    "not checked": ("warn", "#7a5200", "M-4 0H4"),
    "failed": ("bad", "#a1161c", "M-4 -4L4 4M4 -4L-4 4"),
}
_SEEN = 0.5
"""Units of a picture below which a step is left out."""
_DASHES = {"claimed": "5 3", "proven": "", "under attack": "1.5 3"}


def reached(points: Sequence[Point], radius: float | Fraction, *, whole: bool) -> tuple[int, int]:
    """Return the least and the most that may reach a radius, by what a curve says.

    The two are equal where the curve is known at the radius.
    """
    # A radius is meant as it is spelled: 0.3 reaches 3/10, though its float64 is below.
    exactly = isinstance(radius, Fraction)
    known = [(Fraction(repr(p.radius)) if exactly else p.radius, p.count) for p in points]
    least = next((count for end, count in known if end >= radius), 0)
    if whole or any(end == radius for end, _ in known):
        return least, least
    before = [count for end, count in known if end < radius]
    return least, before[-1] if before else max((p.count for p in points), default=0)


def selected_radii(curve: Curve) -> list[float]:
    """Return at most thirteen radii of a curve that say most of it, in even steps."""
    if not curve.whole:
        radii = sorted({point.radius for each in curve.series for point in each.points})
        step = -(-len(radii) // 13)
        return radii[::step]
    end = _end(curve)
    step_ = _step(curve, end, 10)
    return sorted({*(float(n * step_) for n in range(int(end / step_) + 1)), end})


def _step(curve: Curve, end: float, most: int) -> Fraction:
    """Return the least even step that leads to the end in so many; 1 at least for whole numbers."""
    whole = all(point.radius.is_integer() for each in curve.series for point in each.points)
    powers = range(0 if whole else -6, 330)
    steps = (digit * Fraction(10) ** power for power in powers for digit in (1, 2, 5))
    return next(step for step in steps if end <= most * step)


def _end(curve: Curve) -> float:
    """Return the last radius worth drawing: not n, where no set of flips changes a vote."""
    last = 0.0
    for series in curve.series:
        radii = [point.radius for point in series.points if point.count]
        if radii and radii[-1] == curve.of_training and len(radii) > 1:
            radii.pop()
        last = max([last, *radii[-1:]])
    return last


def draw_curve(curve: Curve) -> str:
    """Return certified accuracy against radius, and below it how much of it was claimed too much.

    Above: the share of all points that reach a radius. Below: claimed less proven, in points.
    """
    end = _end(curve) or 1.0
    lines = list(_lines(curve))
    legend = (len(lines) + 2) // 3
    top = 40 + 20 * legend + (18 if curve.of_training else 0)
    bottom = top + 250
    strip, floor = bottom + 74, bottom + 134

    def across(radius: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * min(radius / end, 1.0)

    def height(count: float) -> float:
        return bottom - (bottom - top) * count / max(curve.of, 1)

    parts = [_text(_LEFT, 20, f"{curve.what}, of {curve.of:,}", size=14, weight="bold")]
    for place, (label, number, series) in enumerate(lines):
        left, line = _LEFT + 190 * (place % 3), 42 + 20 * (place // 3)
        parts.append(_path(f"M{left} {line - 4}H{left + 26}", number, series.name))
        parts.append(_text(left + 32, line, label, size=12))
    for level in range(0, 101, 20):
        y = bottom - (bottom - top) * level / 100
        parts.append(_grid(f"M{_LEFT} {_n(y)}H{_RIGHT}"))
        parts.append(_text(_LEFT - 8, y + 4, f"{level} %", size=12, anchor="end"))
    step = _step(curve, end, 7)
    for tick in (float(n * step) for n in range(int(end / step) + 1)):
        x = across(tick)
        parts.append(_grid(f"M{_n(x)} {top}V{bottom}M{_n(x)} {strip}V{floor}"))
        parts.append(_text(x, bottom + 18, f"{tick:g}", size=12, anchor="middle"))
        if curve.of_training:
            share = percent(int(tick), curve.of_training)
            parts.append(_text(x, top - 8, share, size=11, anchor="middle", muted=True))
    if curve.of_training:
        words = f"of the {curve.of_training:,} training labels"
        parts.append(_text(_RIGHT, top - 24, words, size=11, anchor="end", muted=True))
    parts.append(_axis(f"M{_LEFT} {top}V{bottom}H{_RIGHT}"))
    unit = curve.unit if curve.whole else f"{curve.unit} (known at the marks only)"
    parts.append(_text((_LEFT + _RIGHT) / 2, bottom + 38, unit, size=13, anchor="middle"))
    for _, number, series in lines:
        drawn = _steps if curve.whole else _joined
        parts.append(_path(drawn(series.points, across, height), number, series.name))
    parts += _strip(curve, across, strip, floor)
    return _svg(floor + 14, parts)


def _lines(curve: Curve) -> Iterator[tuple[str, int, Series]]:
    """Yield label, colour and series of what is drawn: one line where claimed is proven."""
    guarantees = list(dict.fromkeys(series.guarantee for series in curve.series))
    known = {(series.guarantee, series.name): series for series in curve.series}
    for number, guarantee in enumerate(guarantees):
        claimed, proven = known.get((guarantee, "claimed")), known.get((guarantee, "proven"))
        name = spelled(guarantee)
        if claimed and proven and claimed.points == proven.points:
            yield f"{name}: proven, as claimed", number, proven
        else:
            for series, word in ((claimed, "claimed"), (proven, "proven")):
                if series is not None:
                    yield f"{name}: {word}", number, series
        attacked = known.get((guarantee, "under attack"))
        if attacked is not None:
            yield "left by the worst flips", len(_COLOURS) - 1, attacked


def _strip(curve: Curve, across: Across, strip: float, floor: float) -> list[str]:
    """Return the strip of differences."""
    pairs = differences(curve)
    most = max((count for _, points in pairs for _, count in points), default=0)
    parts = [_axis(f"M{_LEFT} {strip}V{floor}H{_RIGHT}")]
    words = "claimed less proven, percentage points"
    if not most:
        words = (
            "claimed less proven: 0 at every radius" if pairs else "claimed only: nothing proven"
        )
    parts.append(_text(_LEFT, strip - 8, words, size=12))
    parts.append(_text(_LEFT - 8, floor + 4, "0", size=12, anchor="end"))
    if not most:
        return parts
    worst = up(Fraction(100 * most, curve.of))
    parts.append(_text(_LEFT - 8, strip + 6, worst, size=12, anchor="end"))
    for number, points in pairs:
        shares = [Point(radius, count) for radius, count in points]

        def height(count: float) -> float:
            return floor - (floor - strip) * count / most

        path = (_steps if curve.whole else _joined)(shares, across, height)
        parts.append(_path(path, number, "proven"))
    return parts


def differences(curve: Curve) -> list[tuple[int, list[tuple[float, int]]]]:
    """Return claimed less proven where either changes, for each guarantee, by its number."""
    known = {(series.guarantee, series.name): series.points for series in curve.series}
    found = []
    for number, guarantee in enumerate(dict.fromkeys(s.guarantee for s in curve.series)):
        claimed, proven = known.get((guarantee, "claimed")), known.get((guarantee, "proven"))
        if claimed is None or proven is None:
            continue
        radii = sorted({point.radius for point in (*claimed, *proven)})
        rows = [
            (
                radius,
                reached(claimed, radius, whole=True)[0] - reached(proven, radius, whole=True)[0],
            )
            for radius in radii
        ]
        found.append((number, rows))
    return found


def draw_chain(links: Sequence[Link]) -> str:
    """Return the chain from the data to the signature, a box a link, with what is known of it."""
    width, height, gap = 108, 64, 20
    parts = []
    for place, link in enumerate(links):
        x, y = 8 + place * (width + gap), 8
        name, colour, mark = _STATES[link.state]
        parts.append(
            f'<rect class="{name}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6" '
            f'fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(_text(x + width / 2, y + 26, link.name, size=14, anchor="middle"))
        parts.append(
            f'<path class="{name}" d="{mark}" transform="translate({x + 18} {y + 46})" '
            f'fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(_text(x + 30, y + 50, link.state, size=12))
        if place:
            middle = y + height / 2
            path = f"M{x - gap + 2} {_n(middle)}H{x - 4}m-5 -4l5 4l-5 4"
            parts.append(_axis(path))
    return _svg(2 * 8 + height, parts, width=16 + len(links) * (width + gap) - gap)


# What pictures are made of -----------------------------------------------------------------------


def _svg(height: float, parts: Sequence[str], width: float = _WIDTH) -> str:
    size = f"{_n(width)} {_n(height)}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="{_FONT}">'
    paper = f'<rect class="paper" width="{_n(width)}" height="{_n(height)}" fill="{_PAPER}"/>'
    return "".join((head, paper, *parts, "</svg>"))


def _n(value: float) -> str:
    """Return a coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int,
    anchor: str = "start",
    weight: str = "normal",
    muted: bool = False,
) -> str:
    return (
        f'<text class="{"muted" if muted else "ink"}" x="{_n(x)}" y="{_n(y)}" font-size="{size}" '
        f'text-anchor="{anchor}" font-weight="{weight}" fill="{_MUTED if muted else _INK}">'
        f"{escape(text)}</text>"
    )


def _path(path: str, number: int, name: str) -> str:
    """Return a curve: its colour says the guarantee, its dashes whether it is proven."""
    place = number % len(_COLOURS)
    dashes = f' stroke-dasharray="{_DASHES[name]}"' if _DASHES[name] else ""
    return (
        f'<path class="c{place}" d="{path}" fill="none" stroke="{_COLOURS[place]}" '
        f'stroke-width="2"{dashes}/>'
    )


def _grid(path: str) -> str:
    return f'<path class="grid" d="{path}" fill="none" stroke="{_GRID}"/>'


def _axis(path: str) -> str:
    return f'<path class="axis" d="{path}" fill="none" stroke="{_MUTED}"/>'


def _steps(points: Sequence[Point], across: Across, height: Across) -> str:
    """Return a path that is at the count of a radius from the radius before on.

    Steps too small to be seen are left out.
    """
    path, here = "", (0.0, 0.0)
    for place, point in enumerate(points):
        x, y = across(point.radius), height(point.count)
        if not path:
            path = f"M{_n(across(0))} {_n(y)}H{_n(x)}"
        elif max(abs(x - here[0]), abs(y - here[1])) < _SEEN and place + 1 < len(points):
            continue
        else:
            path += f"V{_n(y)}H{_n(x)}"
        here = (x, y)
    return path or "M0 0"


def _joined(points: Sequence[Point], across: Across, height: Across) -> str:
    """Return a path through the radii at which a curve is known, with a mark at each."""
    places = [(_n(across(point.radius)), _n(height(point.count))) for point in points]
    marks = "".join(f"M{x} {y}m-2 -2h4v4h-4z" for x, y in places)
    return "M" + "L".join(f"{x} {y}" for x, y in places) + marks if places else "M0 0"
