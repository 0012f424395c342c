"""Printed numbers are intervals: how a column prints, and what a printed number stands for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice

from certaudit.errors import InputError
from certaudit.exact import MAX_DIGITS, json_down, json_up, parse_rational

__all__ = ["NOISE", "Format", "FormatSurvey", "own_place", "parse_printed"]

NOISE = Fraction(1, 1 << 33)
"""What the float64 arithmetic behind a printed number may have been off by, relative to it.

Published logs are within 2^-36 of the exact Clopper-Pearson bounds. Only which counts a number may
come from depends on it, never whether a count proves the number.
"""
_FLOAT64_DIGITS = 15
_FLOAT32_DIGITS = (7, 8, 9)
_FEW = 100
_SAMPLED = 1 << 13
"""Different numbers of a group of rows that are looked at."""
_ZERO = Fraction(1, 1 << 66)
"""What a 0 may have been that has no last place."""
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]{1,6}))?")
_WORDS = re.compile(r"[+-]?(?:inf|infinity)", re.IGNORECASE)


def parse_printed(text: str) -> Fraction | None:
    """Return a printed decimal as a rational, None for an infinity.

    Raises InputError for everything else: nan, words, more than 1,000 digits, |exponents| above
    10,000, quotients and hexadecimals (nobody prints these to be read).
    """
    if _DECIMAL.fullmatch(text):
        return parse_rational(text, "number")
    if _WORDS.fullmatch(text):
        return None
    shown = text if len(text) <= 40 else text[:37] + "..."
    raise InputError(f"{shown!r} is not a number")


@dataclass(frozen=True, slots=True)
class Format:
    """How a column prints: a number of decimals, of significant digits, or float64 in full."""

    kind: str
    digits: int
    rounding: str = "nearest"
    """ "nearest", or "down" or "up" where the file states that it prints so."""

    def __str__(self) -> str:
        if self.kind == "float64":
            return "float64"
        return f"{self.digits} {'decimals' if self.kind == 'decimals' else 'significant digits'}"

    def unit(self, value: Fraction) -> Fraction:
        """Return the last place that a number is printed to; 0 for 0 with significant digits.

        For float64 it is the distance of the number from the next.
        """
        if self.kind == "decimals":
            return Fraction(1, 10**self.digits)
        if not value:
            return Fraction(0)
        if self.kind == "float64":
            return Fraction(2) ** max(_log2_floor(abs(value)) - 52, -1074)
        return Fraction(10) ** (_log10_floor(abs(value)) - self.digits + 1)

    def interval(
        self, text: str, value: Fraction, size: Fraction = Fraction(0)
    ) -> tuple[Fraction, Fraction]:
        """Return the least and largest number that may print as `text`, ends included.

        Half a unit to each side of its `value` >= 0, wider by NOISE of the value, or of `size` if
        that is more; below 1 with 3 significant digits the unit is 0.001, above it is 0.01. In a
        column of decimals a number with fewer of them than the others stands for as many numbers
        as it says itself. In one that is rounded to one side the number is one of the ends.
        """
        unit = self.unit(value)
        if self.kind == "decimals":
            unit = max(unit, own_place(text))
        noise = NOISE * max(abs(value), size) or _ZERO
        if self.kind == "significant" and self.digits in _FLOAT32_DIGITS:
            noise += abs(value) / (1 << 24)  # float32 in full looks so
        if self.rounding == "down":
            return value, value + unit + noise
        if self.rounding == "up":
            return value - unit - noise, value
        below = unit
        if self.kind == "significant" and value == 10 ** (self.digits - 1) * unit:
            below = unit / 10  # a power of ten: below it numbers have one more decimal
        return value - below / 2 - noise, value + unit / 2 + noise

    def down(self, value: Fraction) -> str:
        """Return the largest number that the column can print and that is at most `value` >= 0."""
        return self._one_side(value, up=False)

    def up(self, value: Fraction) -> str:
        """Return the least number that the column can print and that is at least `value` >= 0."""
        return self._one_side(value, up=True)

    def _one_side(self, value: Fraction, *, up: bool) -> str:
        if self.kind == "float64":
            return repr(json_up(value) if up else json_down(value))
        unit = self.unit(value)
        if not unit:
            return "0.0"
        places = 0 if unit >= 1 else _log10_floor(1 / unit)
        steps = -(-value // unit) if up else value // unit
        text = str(int(steps * unit * 10**places)).rjust(places + 1, "0")
        return f"{text[:-places]}.{text[-places:]}" if places else text


def own_place(text: str) -> Fraction:
    """Return the last place that a printed decimal itself shows."""
    found = _DECIMAL.fullmatch(text)
    if not found:
        return Fraction(0)
    decimals = len(found[1] or found[2] or "")
    return Fraction(10) ** (int(found[3] or 0) - decimals)


@dataclass(slots=True)
class FormatSurvey:
    """What the numbers of a column look like, so far."""

    decimals: Counter[int] = field(default_factory=Counter)
    zeros: Counter[int] = field(default_factory=Counter)
    significant: Counter[int] = field(default_factory=Counter)

    def add(self, texts: Iterable[str]) -> None:
        """Take numbers in; what is no decimal, and zeros, are passed over."""
        counted = Counter(texts)
        # A sample of a long column says as much.
        step = 1 + len(counted) // _SAMPLED
        for text, times in islice(counted.items(), 0, None, step):
            found = _DECIMAL.fullmatch(text)
            if not found or len(text) > MAX_DIGITS:
                continue
            mantissa = re.split("[eE]", text, maxsplit=1)[0].lstrip("+-")
            digits = mantissa.replace(".", "").lstrip("0")
            decimals = len(found[1] or found[2] or "")
            self.decimals[decimals if found[3] is None else -1] += times
            if found[3] is None and text.endswith("0"):
                self.zeros[decimals] += times
            if not digits:
                continue  # zero shows no significant digit
            if "." in mantissa:
                digits = digits.rstrip("0") or digits[:1]
            self.significant[min(len(digits), _FLOAT64_DIGITS)] += times

    def format(self, rounding: str = "nearest") -> Format:
        """Return how the column prints, by its majority: one odd row changes nothing.

        Decimals where all numbers have as many of them, or nearly all have and (in a long column)
        the last is a zero as often as it should be: numbers of significant digits lose their zeros
        at the end. Otherwise the most common number of significant digits.
        """
        total = self.decimals.total()
        if not total:
            return Format("float64", 17, rounding)
        decimals, times = self.decimals.most_common(1)[0]
        fixed = 10 * times >= 9 * total and (times < _FEW or 50 * self.zeros[decimals] >= times)
        if 0 <= decimals < _FLOAT64_DIGITS and (times == total or fixed):
            return Format("decimals", decimals, rounding)
        if not self.significant:
            return Format("decimals", max(decimals, 0), rounding)
        # Of equally common ones the coarser.
        digits = max(sorted(self.significant), key=lambda d: self.significant[d])
        if digits >= _FLOAT64_DIGITS:
            return Format("float64", 17, rounding)
        return Format("significant", digits, rounding)


def _log10_floor(value: Fraction) -> int:
    top, bottom = value.numerator, value.denominator
    guess = int((top.bit_length() - bottom.bit_length()) * 0.30103)
    while not _reaches(top, bottom, guess):
        guess -= 1
    while _reaches(top, bottom, guess + 1):
        guess += 1
    return guess


def _reaches(top: int, bottom: int, power: int) -> bool:
    """Return whether top/bottom >= 10^power."""
    return bool(top >= bottom * 10**power if power >= 0 else top * 10**-power >= bottom)


def _log2_floor(value: Fraction) -> int:
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    while Fraction(2) ** guess > value:
        guess -= 1
    while Fraction(2) ** (guess + 1) <= value:
        guess += 1
    return guess
