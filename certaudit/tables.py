"""Tables of tight thresholds: rows for other implementations, lookups, and verdicts on rows.

No file access here: reading and writing is in `certaudit.io.tables`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

from certaudit.errors import InputError
from certaudit.exact import parse_rational
from certaudit.noise import ProductNoise
from certaudit.rigorous.threshold import (
    MAX_DECIMALS,
    MAX_RADIUS,
    Threshold,
    check_digits,
    thresholds,
)

__all__ = [
    "COLUMNS",
    "DIGITS",
    "NONE",
    "Difference",
    "Entry",
    "Row",
    "Table",
    "build_rows",
    "check_entries",
]

COLUMNS = ("radius", "p_threshold", "log_error_threshold", "p_decimal")
_FLOATS = COLUMNS[1:3]
DIGITS = 20
"""Decimal places of p_decimal unless told otherwise."""
_FLOAT_END = 1 << 1023
NONE = "none"
"""What stands where no vote share certifies the radius."""


@dataclass(frozen=True, slots=True)
class Row:
    """One radius of a table; all three None where no vote share certifies it.

    A vote share that is proven to be at least `p_threshold` (a float64) certifies the radius, and
    so does a proven log error of at most `log_error_threshold`, which keeps its meaning where
    p_threshold has become 1.0. For three values or more the share has to be larger. `p_decimal`
    is the threshold rounded up to a fixed number of decimal places.
    """

    radius: int
    p_threshold: float | None
    log_error_threshold: float | None
    p_decimal: str | None

    def cells(self) -> list[str]:
        """Return the row as text; each number is on the safe side as a decimal, too."""
        if self.p_threshold is None or self.log_error_threshold is None or self.p_decimal is None:
            return [str(self.radius), NONE, NONE, NONE]
        return [
            str(self.radius),
            spell(self.p_threshold, ROUND_CEILING),
            spell(self.log_error_threshold, ROUND_FLOOR),
            self.p_decimal,
        ]


def spell(value: float, rounding: str) -> str:
    """Return a short decimal that reads back as `value` and errs to the side named, if at all.

    `rounding` is decimal.ROUND_CEILING or ROUND_FLOOR. Some readers take digits literally, some
    take the nearest float64: this is right for both.

    Proof: `proofs/tables.md`.
    """
    text = repr(value)
    if not math.isfinite(value):
        return text
    exact = Decimal(value)
    up = rounding == ROUND_CEILING
    for digits in range(17, 30):
        if (Decimal(text) >= exact) if up else (Decimal(text) <= exact):
            break
        candidate = Context(prec=digits, rounding=rounding).create_decimal(exact)
        if float(candidate) == value:
            text = str(candidate)
    return text


def build_rows(noise: ProductNoise, max_radius: int, digits: int = DIGITS) -> Iterator[Row]:
    """Yield the rows of radius 0, ..., max_radius of a table.

    p_threshold is F^-1(r) rounded up to float64, p_decimal to `digits` decimal places;
    log_error_threshold is ln(1 - F^-1(r)) rounded down to float64.

    Raises InputError for a radius outside 0..1,000,000 or digits outside 1..1000.

    Proof: `proofs/tables.md`.
    """
    check_digits(digits)
    if not 0 <= max_radius <= MAX_RADIUS:
        raise InputError(f"max radius: must lie in 0..{MAX_RADIUS}, the largest that is decided")
    for radius, least in enumerate(thresholds(noise, 0, max_radius + 1)):
        yield _row(radius, least, digits)


def _row(radius: int, least: Threshold | None, digits: int) -> Row:
    if least is None:
        return Row(radius, None, None, None)
    return Row(radius, least.p_up(), least.log_error_down(), least.p_decimal(digits))


@dataclass(frozen=True)
class Table:
    """A table as it was loaded; `noise` None where nothing says which noise it is for.

    Thresholds err on the safe side, so floats may be looked up: what comes out is certified for
    the float that went in.
    """

    rows: tuple[Row, ...]
    noise: ProductNoise | None

    def radius(self, *, p: float | None = None, log_error: float | None = None) -> int:
        """Return the largest radius of the table that a vote share certifies.

        `p` is a proven lower bound on the share, `log_error` a proven upper bound on ln(1 - p);
        give one, a float64 or what is one exactly (a float32 is). At most the last radius of the
        table: 0 where nothing is certified.

        Raises InputError for p outside [0, 1) (a float64 that has become 1.0 has lost the radius),
        for a log_error that is not finite, for what is not exactly a float64 (a Fraction belongs
        to certaudit.radius), or where both or neither are given.

        Proof: `proofs/tables.md`.
        """
        if (p is None) == (log_error is None):
            raise InputError("give either p or log_error")
        strict = self.noise is None or not self.noise.binary
        share = -math.inf if p is None else _float64(p, "p")
        error = math.inf if log_error is None else _float64(log_error, "log_error")
        if p is not None and not 0 <= share < 1:
            raise InputError("p: must lie in [0, 1); give log_error where p rounds to 1")
        if p is None and not math.isfinite(error):
            raise InputError("log_error: must be finite")
        found = 0
        for row in self.rows:
            least, bound = row.p_threshold, row.log_error_threshold
            if least is None or bound is None:
                break
            beyond = share > least or (share == least > 0.5 and not strict)
            if not (beyond or error <= bound):
                break
            found = row.radius
        return found


def _float64(value: object, name: str) -> float:
    """Return a number that float64 holds exactly; rounding it would move it to either side."""
    if not isinstance(value, str | bytes | bool):
        with suppress(TypeError, ValueError, ArithmeticError):
            number = float(value)  # type: ignore[arg-type]
            if number == value or math.isnan(number):
                return number
    raise InputError(
        f"{name}: {value!r:.40} is not a float64; certaudit.radius takes exact numbers"
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of anybody's table: its line, its radius, and the text of its other cells by column.

    Columns are those of COLUMNS, or "p" (a printed threshold) and "err" (the error that the table
    states for it), of a table of somebody else's.
    """

    line: int
    radius: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell that is not the threshold, rounded to the safe side in its last place.

    `side` is "unsafe" (it certifies what is not proven), "safe" (it certifies less than is
    proven), or "within err" (on the safe side, by no more than the table states): the first two
    are wrong. `excess` is what is printed less what is right, None where one of them is "none".
    """

    line: int
    radius: int
    column: str
    printed: str
    right: str
    side: str
    excess: Fraction | None

    @property
    def wrong(self) -> bool:
        """Whether the entry is wrong, not only loose within what the table states."""
        return self.side != "within err"


def check_entries(
    noise: ProductNoise,
    entries: Sequence[Entry],
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Difference]:
    """Yield every cell of a table that is not what it has to be.

    A printed p has to be F^-1(r) rounded up in the last place that its column prints, or above
    that by at most the entry's err; the columns of COLUMNS have to be what build_rows gives.
    `progress` is called with (rows done, rows).

    Raises InputError for rows that are missing or there twice, cells that are no numbers, and
    radii beyond 1,000,000.

    Proof: `proofs/tables.md`.
    """
    first = _check_radii(entries)
    places = {name: _places(entries, name) for name in ("p", "p_decimal")}
    found = thresholds(noise, first, first + len(entries))
    for done, (entry, least) in enumerate(zip(entries, found, strict=True), 1):
        floats = any(column in entry.cells for column in _FLOATS)
        row = _row(entry.radius, least, 1) if floats else Row(entry.radius, None, None, None)
        for column in entry.cells:
            if column == "err":
                continue
            if column in places:
                difference = _check_printed(entry, column, least, places[column])
            else:
                difference = _check_float(entry, column, row, least)
            if difference is not None:
                yield difference
        if progress is not None:
            progress(done, len(entries))


def _check_radii(entries: Sequence[Entry]) -> int:
    """Return the first radius of rows that follow each other."""
    if not entries:
        raise InputError("the table has no rows")
    first = entries[0].radius
    seen: set[int] = set()
    for place, entry in enumerate(entries):
        if entry.radius in seen:
            raise InputError(f"line {entry.line}: radius {entry.radius} is there twice")
        seen.add(entry.radius)
        if entry.radius != first + place:
            raise InputError(
                f"line {entry.line}: radius {first + place} is missing, {entry.radius} is there"
            )
    if not 0 <= first <= first + len(entries) - 1 <= MAX_RADIUS:
        raise InputError(f"line {entries[0].line}: radii must lie in 0..{MAX_RADIUS}")
    return first


def _places(entries: Sequence[Entry], column: str) -> int:
    """Return how many decimal places a column prints: the most of any of its cells."""
    most = 0
    for entry in entries:
        text = entry.cells.get(column, NONE)
        if text == NONE:
            continue
        _number(entry, column)
        exponent = Decimal(text).as_tuple().exponent
        most = max(most, -exponent if isinstance(exponent, int) else 0)
    if most > MAX_DECIMALS:
        raise InputError(f"column {column}: more than {MAX_DECIMALS} decimal places")
    return max(most, 1)


def _number(entry: Entry, column: str) -> Fraction:
    """Return a cell as the decimal that it is."""
    text = entry.cells[column]
    if "/" in text or "x" in text.lower():
        raise InputError(f"line {entry.line}: {column}: {text!r} is not a decimal number")
    return parse_rational(text, f"line {entry.line}: {column}")


def _check_printed(
    entry: Entry, column: str, least: Threshold | None, places: int
) -> Difference | None:
    """Compare a printed p with the threshold rounded up to as many places."""
    printed = entry.cells[column]
    if printed == NONE or least is None:
        return _none(entry, column, None if least is None else least.p_decimal(places))
    value, text = _number(entry, column), least.p_decimal(places)
    right = Fraction(text)
    if value == right:
        return None
    side = "unsafe" if value < right else "safe"
    if side == "safe" and value <= 1 and "err" in entry.cells:
        # value - err <= F^-1(r): what the table states is true.
        allowed = parse_rational(entry.cells["err"], f"line {entry.line}: err")
        if least.compare(1 - value + allowed) <= 0:
            side = "within err"
    return Difference(entry.line, entry.radius, column, printed, text, side, value - right)


def _check_float(entry: Entry, column: str, row: Row, least: Threshold | None) -> Difference | None:
    """Compare a float64 cell with the one that it has to be: as a float, and as a decimal."""
    place = COLUMNS.index(column)
    right = {"p_threshold": row.p_threshold, "log_error_threshold": row.log_error_threshold}[column]
    printed = entry.cells[column]
    if printed == NONE or right is None or least is None:
        return _none(entry, column, None if right is None else row.cells()[place])
    if column == "log_error_threshold" and printed == "-inf":
        if right == -math.inf:
            return None
        return Difference(
            entry.line, entry.radius, column, printed, row.cells()[place], "safe", None
        )
    value = _number(entry, column)
    # Digits are taken literally too: on the wrong side of the threshold they are unsafe.
    if column == "p_threshold":
        safe = least.compare(1 - value) >= 0
    else:
        safe = least.compare_log(value) > 0
    if safe and abs(value) < _FLOAT_END and float(value) == right:
        return None
    return Difference(
        entry.line,
        entry.radius,
        column,
        printed,
        row.cells()[place],
        "safe" if safe else "unsafe",
        value - Fraction(right) if math.isfinite(right) else None,
    )


def _none(entry: Entry, column: str, right: str | None) -> Difference | None:
    """Compare cells of which one says that there is no threshold."""
    printed = entry.cells[column]
    if right is None:
        if printed == NONE:
            return None
        _number(entry, column)
        return Difference(entry.line, entry.radius, column, printed, NONE, "unsafe", None)
    return Difference(entry.line, entry.radius, column, printed, right, "safe", None)
