"""Printed numbers: what may print so, the format of a column, and rounding to one side."""

import math
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest

from certaudit.auditing.printed import NOISE, Format, FormatSurvey, parse_printed
from certaudit.errors import InputError

STYLES = {
    "{:.4f}": Format("decimals", 4),
    "{:.2f}": Format("decimals", 2),
    "{:.0f}": Format("decimals", 0),
    "{:.3}": Format("significant", 3),
    "{:.3g}": Format("significant", 3),
    "{:.6g}": Format("significant", 6),
    "{:.2e}": Format("significant", 3),
    "{!r}": Format("float64", 17),
}


def numbers(random, many):
    """Return floats >= 0 of all magnitudes, powers of ten and halves of printed places too."""
    for _ in range(many):
        yield 10 ** random.uniform(-12, 6)
        yield random.random()
        yield float(f"{random.random():.4f}") + random.choice([0.0, 5e-5, 5e-4])
        power = 10.0 ** random.randint(-6, 4)
        yield random.choice([power, math.nextafter(power, 0), math.nextafter(power, 9e9),
                             power * (1 - 5e-4), power * (1 - 4e-4)])  # fmt: skip
    yield from (0.0, 1.0, 0.5, 1e-300, 1e300)


def outside(form, style, many=400):
    """Return the floats that are not in the interval of what is printed for them."""
    wrong = []
    for value in numbers(Random(7), many):
        text = style.format(value)
        low, high = form.interval(text, parse_printed(text))
        if not low <= Fraction(value) <= high:
            wrong.append((value, text))
    return wrong


@pytest.mark.parametrize("style", STYLES)
def test_what_is_printed_is_in_the_interval(style):
    assert outside(STYLES[style], style) == []


@pytest.mark.parametrize(("style", "wrong"), [
    ("{:.4f}", Format("significant", 5)),
    ("{:.3}", Format("significant", 4)),
    ("{:.4f}", Format("decimals", 4, "down")),
    ("{:.4f}", Format("decimals", 4, "up")),
])  # fmt: skip
def test_too_narrow_intervals_are_caught(style, wrong):
    assert outside(wrong, style)


@pytest.mark.parametrize("style", STYLES)
def test_the_intervals_are_narrow(style):
    form = STYLES[style]
    for value in numbers(Random(8), 200):
        text = style.format(value)
        printed = parse_printed(text)
        low, high = form.interval(text, printed)
        unit, noise = form.unit(printed), NOISE * printed or Fraction(1, 1 << 66)
        assert low >= printed - unit / 2 - noise
        assert high == printed + unit / 2 + noise
        if form.kind != "float64":
            for end in (low, high):
                # What is a tenth of a unit farther prints otherwise.
                beyond = end + (end - printed) / 5 - 2 * (noise if end > printed else -noise)
                other = style.format(Decimal(beyond.numerator) / Decimal(beyond.denominator))
                near = noise * 20 >= unit or not unit
                assert near or Fraction(Decimal(other)) != printed


def test_below_a_power_of_ten_the_unit_is_smaller():
    form = Format("significant", 3)
    low, high = form.interval("1.0", Fraction(1))
    assert low == Fraction("0.9995") - NOISE
    assert high == Fraction("1.005") + NOISE
    low, high = form.interval("0.999", Fraction("0.999"))
    assert low == Fraction("0.9985") - NOISE * Fraction("0.999")
    assert high == Fraction("0.9995") + NOISE * Fraction("0.999")


def test_the_noise_of_small_numbers_is_that_of_the_size():
    form = Format("decimals", 4)
    low, high = form.interval("0.0001", Fraction("0.0001"), Fraction(1, 2))
    assert (low, high) == (Fraction("0.00005") - NOISE / 2, Fraction("0.00015") + NOISE / 2)
    low, high = form.interval("2.0", Fraction(2), Fraction(1, 2))
    assert high == Fraction("2.05") + 2 * NOISE  # its own place, not the column's
    assert low == Fraction("1.95") - 2 * NOISE


def test_sides():
    value = Fraction("0.25")
    low, high = Format("decimals", 2, "down").interval("0.25", value)
    assert low == value
    assert high == Fraction("0.26") + NOISE * value
    low, high = Format("decimals", 2, "up").interval("0.25", value)
    assert high == value
    assert low == Fraction("0.24") - NOISE * value


# Formats of columns -------------------------------------------------------------------------------


def survey(texts):
    seen = FormatSurvey()
    seen.add(texts)
    return seen


def column(style, random, many):
    return [style.format(random.random() * random.choice([1, 1, 3])) for _ in range(many)]


RECOGNISED = [style for style in STYLES if style != "{:.0f}"]


@pytest.mark.parametrize("style", RECOGNISED)
@pytest.mark.parametrize("many", [30, 200, 3000])
def test_formats_are_recognised(style, many):
    for seed in range(20):
        texts = column(style, Random(seed), many)
        assert survey(texts).format() == STYLES[style]


def test_integers_have_no_decimals():
    assert survey(map(str, range(40))).format() == Format("decimals", 0)
    assert survey(["0.0"] * 40).format() == Format("decimals", 1)
    assert survey(["0"]).format() == Format("decimals", 0)
    assert survey([]).format("down") == Format("float64", 17, "down")
    assert survey(["nan", "inf", "x", ""]).format() == Format("float64", 17)


ODD = ["nan", "inf", "-inf", "", "x", "0", "7", "0.1234567890123456789", "1e-5", "1e999999999",
       "9" * 2000, "0." + "1" * 900, "1_0", "\u0663", "0x1p3", "1/3", "1e5", "-1.5", "0.5", "1.",
       ".5", "1e-999999"]  # fmt: skip


@pytest.mark.parametrize("style", RECOGNISED)
def test_one_odd_row_changes_no_format(style):
    for seed in range(3):
        texts = column(style, Random(seed), 200)
        for odd in ODD:
            place = Random(odd).randrange(len(texts))
            assert survey([*texts[:place], odd, *texts[place:]]).format() == STYLES[style]


def test_a_column_is_surveyed_in_parts():
    texts = column("{:.4f}", Random(1), 100)
    seen = FormatSurvey()
    seen.add(texts[:50])
    seen.add(iter(texts[50:]))
    assert seen == survey(texts)


# To one side --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", STYLES.values(), ids=STYLES.keys())
def test_rounding_to_one_side(form):
    random = Random(4)
    for number in numbers(random, 300):
        if not 1e-290 < number < 1e17:
            continue
        value = Fraction(number) * (1 + Fraction(random.randint(0, 1), 10**20))
        unit = form.unit(value)
        down, up = form.down(value), form.up(value)
        low, high = parse_printed(down), parse_printed(up)
        assert low <= value <= high
        if form.kind == "float64":
            assert value - low <= 2 * unit
            assert high - value <= 2 * unit
            assert repr(float(down)) == down
            assert repr(float(up)) == up
        else:
            assert value < low + unit
            assert value > high - unit
            assert (low / unit).denominator == (high / unit).denominator == 1
            assert "e" not in down + up
        if form.kind == "decimals":
            for text in (down, up):
                assert len(text.partition(".")[2]) == form.digits
                assert f"{Decimal(text):.{form.digits}f}" == text
        if form.kind == "significant":
            for printed in (low, high):
                assert Fraction(f"{Decimal(form.down(printed)):.{form.digits - 1}e}") == printed
        assert parse_printed(form.down(low)) == low or form.kind == "float64"
        assert parse_printed(form.up(high)) == high or form.kind == "float64"


def test_zero_is_zero():
    assert Format("decimals", 4).down(Fraction(0)) == "0.0000"
    assert Format("decimals", 0).up(Fraction(0)) == "0"
    assert Format("significant", 3).down(Fraction(0)) == "0.0"
    assert Format("float64", 17).up(Fraction(0)) == "0.0"
    assert Format("decimals", 4).down(Fraction(1, 10**9)) == "0.0000"
    assert Format("decimals", 4).up(Fraction(1, 10**9)) == "0.0001"


def test_names():
    assert [str(form) for form in (STYLES["{:.4f}"], STYLES["{:.3}"], STYLES["{!r}"])] == [
        "4 decimals", "3 significant digits", "float64"
    ]  # fmt: skip


# Texts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "value"), [
    ("0.25", Fraction(1, 4)), ("-0.5", Fraction(-1, 2)), ("+1.", Fraction(1)), (".5", Fraction(1, 2)),  # noqa: E501
    ("1e-4", Fraction(1, 10**4)), ("2E3", Fraction(2000)), ("0", Fraction(0)), ("-0.0", Fraction(0)),  # noqa: E501
    ("007", Fraction(7)), ("0e99", Fraction(0)), ("1e10000", Fraction(10) ** 10000),
    ("inf", None), ("-inf", None), ("Infinity", None), ("+INF", None),
])  # fmt: skip
def test_numbers_are_read(text, value):
    assert parse_printed(text) == value


@pytest.mark.parametrize("text", [
    "nan", "NaN", "-nan", "", " ", ".", "-", "e5", "1e", "1_0", "1,5", "1/3", "0x1p3", "\u0663.\u0665",  # noqa: E501
    "\uff11", "\u00bd", "1e999999999", "1e999999", "1e-999999", "1e10001", "1e-10001", "9" * 1001,
    "0." + "1" * 1001, "inf.", "infin", "1 2", "1.2.3", "--1", "1e5.5", "0.5\n", "tensor(3)",
])  # fmt: skip
def test_what_is_no_number_is_refused(text):
    with pytest.raises(InputError):
        parse_printed(text)


def test_messages_are_short():
    with pytest.raises(InputError, match=r"\.\.\.' is not a number") as caught:
        parse_printed("x" * 10**6)
    assert len(str(caught.value)) < 100


def test_units_of_numbers_of_any_size():
    for form in STYLES.values():
        for exponent in (-9999, -400, 400, 9999):
            value = Fraction(10) ** exponent
            assert form.unit(value) > 0
    assert Format("significant", 3).unit(Fraction(10) ** 9999) == Fraction(10) ** 9997
    assert Format("float64", 17).unit(Fraction(1)) == Fraction(1, 2**52)
    assert Format("float64", 17).unit(Fraction(1) - Fraction(1, 2**60)) == Fraction(1, 2**53)
