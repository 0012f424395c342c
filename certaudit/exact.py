"""Exact scalars and enclosures: parse, print, round outward, compare.

Everything a certificate is decided from enters the program here: rationals written as
text, or float64 numbers taken as the dyadic rationals they are. Standard library only.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from operator import index
from typing import TypeAlias

from certaudit.errors import InputError

__all__ = [
    "MAX_DIGITS",
    "MAX_EXPONENT",
    "Enclosure",
    "Exact",
    "Number",
    "as_integer",
    "as_rational",
    "compare",
    "exact",
    "format_rational",
    "json_down",
    "json_up",
    "parse_rational",
    "percent",
    "round_down",
    "round_up",
]

MAX_DIGITS = 1_000
"""Most digits in a numerator, denominator or mantissa that is read."""
MAX_EXPONENT = 10_000
"""Largest |exponent| that is read (of ten in decimals, of two in hexadecimals)."""
_MAX_WIRE_BITS = 1 << 20
_PRINTABLE_DIGITS = 4_000  # CPython refuses to print integers of more than 4,300 digits

Number: TypeAlias = "int | Fraction | str"
"""What a rigorous function takes as an exact number."""

_RATIONAL = re.compile(r"([+-]?)([0-9]+)/([0-9]+)")
_DECIMAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
_HEX = re.compile(r"([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?[0-9]+))?")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")


def parse_rational(text: str, what: str = "number") -> Fraction:
    """Return the rational that `text` writes: "0.1" is 1/10, never the nearest float64.

    Accepts decimals ("0.1", "1e-4"), quotients ("1/3") and hexadecimal floats
    ("0x1.8p-4"); at most MAX_DIGITS digits and |exponent| <= MAX_EXPONENT.
    `what` names the number in messages.

    Raises InputError for anything else (nan, inf, 1/0, underscores, too many digits).

    Proof: `proofs/exact.md`.
    """
    body = text.strip(" \t\r\n")
    shown = repr(body if len(body) <= 40 else body[:37] + "...")
    if match := _RATIONAL.fullmatch(body):
        sign, top, bottom = match.groups()
        _check_digits(max(len(top), len(bottom)), what, shown)
        if not bottom.strip("0"):
            raise InputError(f"{what}: {shown} divides by zero")
        value = Fraction(int(top), int(bottom))
    elif match := _HEX.fullmatch(body):
        sign, whole, part, power = match.groups()
        value = _positional(whole, part, power, 16, 2, what, shown)
    elif match := _DECIMAL.fullmatch(body):
        sign, whole, part, power = match.groups()
        value = _positional(whole, part, power, 10, 10, what, shown)
    else:
        raise InputError(f"{what}: {shown} is not a number (write 0.1, 1/3, 1e-4 or 0x1.8p-4)")
    return -value if sign == "-" else value


def _positional(
    whole: str, part: str | None, power: str | None, radix: int, base: int, what: str, shown: str
) -> Fraction:
    digits = whole + (part or "")
    if not digits:
        raise InputError(f"{what}: {shown} is not a number (write 0.1, 1/3, 1e-4 or 0x1.8p-4)")
    # The zero before the point is no digit of a number that is printed with 1,000 places.
    _check_digits(len(digits) - (whole == "0"), what, shown)
    if power is not None and len(power.lstrip("+-").lstrip("0")) > len(str(MAX_EXPONENT)):
        raise InputError(f"{what}: {shown} has an exponent beyond {MAX_EXPONENT}")
    exponent = int(power or 0)
    if abs(exponent) > MAX_EXPONENT:
        raise InputError(f"{what}: {shown} has an exponent beyond {MAX_EXPONENT}")
    mantissa, places = int(digits, radix), len(part or "") * (1 if radix == base else 4)
    if not mantissa:
        return Fraction(0)
    exponent -= places
    # 0.0...01e-10000 too: what is read can be written again, within the same limits.
    while mantissa % base == 0:
        mantissa, exponent = mantissa // base, exponent + 1
    if abs(exponent) > MAX_EXPONENT:
        raise InputError(f"{what}: {shown} has an exponent beyond {MAX_EXPONENT}")
    return mantissa * Fraction(base) ** exponent


def _check_digits(count: int, what: str, shown: str) -> None:
    if count > MAX_DIGITS:
        raise InputError(f"{what}: {shown} has {count} digits, at most {MAX_DIGITS} are read")


def exact(value: Number | float) -> Fraction:
    """Return `value` as an exact rational; a float is taken as the dyadic it is.

    `exact(0.1)` is 3602879701896397/36028797018963968, which differs from "0.1".

    Raises InputError for nan, infinities, booleans and text that is not a number.

    Proof: `proofs/exact.md`.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"{value} is not a finite number")
        return Fraction(value)
    return as_rational(value)


def as_rational(value: object, what: str = "number") -> Fraction:
    """Return an int, Fraction or numeric text as a Fraction, refusing floats.

    A float literal is rarely the number its author had in mind, so where rigour is
    promised the caller has to say which one is meant.

    Raises InputError for floats (the text names both cures) and for other types.

    Proof: `proofs/exact.md`.
    """
    if isinstance(value, str):
        return parse_rational(value, what)
    if isinstance(value, (int, Fraction)) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, float):
        raise InputError(
            f"{what}: the float {value!r} is ambiguous here; write {str(value)!r} for the decimal "
            f"or exact({value!r}) for the binary number"
        )
    raise InputError(f"{what}: {type(value).__name__} is not an exact number")


def as_integer(value: object, what: str = "number") -> int:
    """Return an integer of any type (NumPy's too) as an int, refusing booleans and floats.

    Raises InputError for everything that is no integer by type.

    Proof: `proofs/exact.md`.
    """
    if not isinstance(value, bool):
        with suppress(TypeError):
            return index(value)  # type: ignore[arg-type]
    raise InputError(f"{what}: must be an integer")


def format_rational(value: Fraction) -> str:
    """Return the shortest of the exact spellings that parse_rational reads back.

    Integers as they are, quotients as "p/q"; numbers too long for that (only those
    read with large exponents are) as "<integer>e<exponent>".

    Raises InputError where no exact spelling within the limits exists.

    Proof: `proofs/exact.md`.
    """
    top, bottom = value.numerator, value.denominator
    if max(_digits(top), _digits(bottom)) <= MAX_DIGITS:
        return str(top) if bottom == 1 else f"{top}/{bottom}"
    twos = (bottom & -bottom).bit_length() - 1
    rest, fives = bottom >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest == 1:
        places = max(twos, fives)
        mantissa = top * 2 ** (places - twos) * 5 ** (places - fives)
        while mantissa % 10 == 0:
            mantissa, places = mantissa // 10, places - 1
        if _digits(mantissa) <= MAX_DIGITS and abs(places) <= MAX_EXPONENT:
            return f"{mantissa}e{-places}"
    if bottom == 1 << twos:
        zeros = (top & -top).bit_length() - 1
        if abs(zeros - twos) <= MAX_EXPONENT:
            return f"{'-' if top < 0 else ''}0x{abs(top) >> zeros:x}p{zeros - twos}"
    raise InputError("a number has too many digits to be written exactly")


def _digits(value: int) -> int:
    most = int(value.bit_length() * 0.30103) + 1  # at most one too many
    return most - int(abs(value) < 10 ** (most - 1))


def round_down(value: Fraction) -> float:
    """Return the largest float64 that is <= value (-inf below the finite range).

    Proof: `proofs/exact.md`.
    """
    try:
        nearest = value.numerator / value.denominator
    except OverflowError:
        return float.fromhex("0x1.fffffffffffffp+1023") if value > 0 else -math.inf
    if Fraction(nearest) > value:
        return math.nextafter(nearest, -math.inf)
    return nearest


def round_up(value: Fraction) -> float:
    """Return the smallest float64 that is >= value (inf above the finite range).

    Proof: `proofs/exact.md`.
    """
    return -round_down(-value)


def json_down(value: Fraction) -> float:
    """Return a float64 <= value whose shortest decimal spelling is <= value as well.

    Some readers take the decimal digits literally, some the nearest float64: the number
    must be on the safe side for both. Within two ulps of value.

    Proof: `proofs/exact.md`.
    """
    number = round_down(value)
    while math.isfinite(number) and Fraction(repr(number)) > value:
        number = math.nextafter(number, -math.inf)
    return number


def json_up(value: Fraction) -> float:
    """Return a float64 >= value whose shortest decimal spelling is >= value as well.

    Proof: `proofs/exact.md`.
    """
    return -json_down(-value) + 0.0  # never -0.0


def percent(count: int, total: int, *, up: bool = False) -> str:
    """Return count/total in percent with two decimals, rounded down (or up): "73.45 %".

    Proof: `proofs/exact.md`.
    """
    cents = -(-count * 10_000 // total) if up else count * 10_000 // total
    return f"{cents // 100}.{cents % 100:02} %"


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A closed interval that is proven to contain a real number, as a dyadic ball.

    The ball is mid_mantissa * 2**mid_exponent +- rad_mantissa * 2**rad_exponent: four
    integers, the form in which balls travel between processes and into files (decimal
    printing of balls widens them).

    Raises InputError for a negative radius.
    """

    mid_mantissa: int
    mid_exponent: int
    rad_mantissa: int
    rad_exponent: int

    def __post_init__(self) -> None:
        if self.rad_mantissa < 0:
            raise InputError("an enclosure has a negative radius")

    @property
    def mid(self) -> Fraction:
        """The midpoint, exactly."""
        return _dyadic(self.mid_mantissa, self.mid_exponent)

    @property
    def rad(self) -> Fraction:
        """The radius, exactly."""
        return _dyadic(self.rad_mantissa, self.rad_exponent)

    @property
    def lower(self) -> Fraction:
        """The lower end, exactly."""
        return self.mid - self.rad

    @property
    def upper(self) -> Fraction:
        """The upper end, exactly."""
        return self.mid + self.rad

    def to_wire(self) -> list[str]:
        """Return the four integers as decimal text."""
        return [
            str(self.mid_mantissa),
            str(self.mid_exponent),
            str(self.rad_mantissa),
            str(self.rad_exponent),
        ]

    @classmethod
    def from_wire(cls, fields: object) -> Enclosure:
        """Read what to_wire wrote; anything else is refused.

        Raises InputError for a wrong shape, spellings other than the canonical one
        (leading zeros, "+", spaces), numbers beyond the limits, a negative radius.
        """
        if not isinstance(fields, list) or len(fields) != 4:
            raise InputError("an enclosure is a list of four integers")
        numbers = []
        for field in fields:
            if not isinstance(field, str) or not _INTEGER.fullmatch(field) or field == "-0":
                raise InputError("an enclosure holds something that is not an integer")
            if len(field) > _PRINTABLE_DIGITS:
                raise InputError("an enclosure holds an integer that is too long")
            numbers.append(int(field))
        if max(abs(numbers[1]), abs(numbers[3])) > _MAX_WIRE_BITS:
            raise InputError("an enclosure has an exponent beyond the limit")
        return cls(*numbers)


Exact: TypeAlias = "int | Fraction | Enclosure"


def compare(x: Exact, y: Exact) -> int | None:
    """Return -1, 0 or 1 when x < y, x = y or x > y is proven, None when it is not.

    Three-valued on purpose: `None` is not a refusal of either order. Enclosures compare
    equal only when both are the same single point.

    Proof: `proofs/exact.md`.
    """
    x_low, x_high = _ends(x)
    y_low, y_high = _ends(y)
    if x_high < y_low:
        return -1
    if x_low > y_high:
        return 1
    if x_low == x_high == y_low == y_high:
        return 0
    return None


def _ends(x: Exact) -> tuple[Fraction, Fraction]:
    if isinstance(x, Enclosure):
        return x.lower, x.upper
    value = Fraction(x)
    return value, value


def _dyadic(mantissa: int, exponent: int) -> Fraction:
    if exponent >= 0:
        return Fraction(mantissa << exponent)
    return Fraction(mantissa, 1 << -exponent)
