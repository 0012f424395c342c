"""Exact scalars: what is read, what is refused, and on which side rounding errs."""

import math
import sys
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certaudit.errors import InputError
from certaudit.exact import (
    Enclosure,
    as_rational,
    compare,
    exact,
    format_rational,
    json_down,
    json_up,
    parse_rational,
    percent,
    round_down,
    round_up,
)

READ = {
    "0.1": Fraction(1, 10),
    "1/3": Fraction(1, 3),
    "-2/6": Fraction(-1, 3),
    "1e-4": Fraction(1, 10_000),
    "1E+2": Fraction(100),
    ".5": Fraction(1, 2),
    "5.": Fraction(5),
    "+7": Fraction(7),
    " 0.25 ": Fraction(1, 4),
    "0x1.99999999999ap-4": Fraction(0x199999999999A, 1 << 52),
    "0x1p-3": Fraction(1, 8),
    "-0X.8": Fraction(-1, 2),
    "0xf": Fraction(15),
    "1e-10000": Fraction(1, 10**10_000),
    "0": Fraction(0),
    "-0.0": Fraction(0),
    "9" * 1000: Fraction(10**1000 - 1),
}

REFUSED = [
    "", " ", ".", "+", "e5", "0x", "0x.", "1e", "nan", "inf", "-Infinity",
    "1_000", "1/0", "0/0", "1/-2",
    "1//2",
    "1/2/3", "0.1/2", "1 2", "0b1", "1e-999999999", "1e10001", "0x1p20000", "9" * 1001,
    "0." + "0" * 1000 + "1", "0." + "0" * 900 + "1e-9500",
    "0x." + "0" * 900 + "1p-9000", "1" * 1001 + "/3", "٣", "1.5.2", "--1", "1e5.0",
    "1e" + "9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), READ.items(), ids=[t[:20] for t in READ])
def test_reads_exactly(text, value):
    assert parse_rational(text) == value


@pytest.mark.parametrize("text", REFUSED, ids=lambda v: v[:20] or "empty")
def test_refuses_in_one_line_that_names_the_number(text):
    with pytest.raises(InputError) as caught:
        parse_rational(text, "q")
    message = str(caught.value)
    assert message.startswith("q: ")
    assert "\n" not in message
    assert len(message) < 140


def test_decimal_text_is_not_the_float():
    assert parse_rational("0.1") != exact(0.1)
    assert exact(0.1) == Fraction(0.1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_exact_refuses_non_finite(value):
    with pytest.raises(InputError):
        exact(value)


def test_a_float_is_refused_with_both_cures():
    with pytest.raises(InputError, match=r"'0\.1'.*exact\(0\.1\)"):
        as_rational(0.1, "q")


@pytest.mark.parametrize("value", [True, None, 1j, [1]])
def test_other_types_are_refused(value):
    with pytest.raises(InputError):
        as_rational(value)


rationals = st.fractions() | st.builds(
    lambda m, e: Fraction(m) * Fraction(10) ** e,
    st.integers(-(10**30), 10**30),
    st.integers(-5000, 5000),
)
dyadics = st.builds(
    lambda m, e: Fraction(m) * Fraction(2) ** e,
    st.integers(-(2**60), 2**60),
    st.integers(-1100, 1100),
)


@given(rationals | dyadics)
def test_format_is_read_back(value):
    text = format_rational(value)
    assert parse_rational(text) == value
    assert len(text) < 4300 or sys.get_int_max_str_digits() == 0


def test_unprintable_numbers_are_refused_not_rounded():
    with pytest.raises(InputError):
        format_rational(Fraction(1, 3**9000))


@given(rationals | dyadics)
def test_rounding_is_outward_and_tight(value):
    low, high = round_down(value), round_up(value)
    assert low == -math.inf or Fraction(low) <= value
    assert high == math.inf or Fraction(high) >= value
    if math.isfinite(low) and math.isfinite(high):
        assert high == low or high == math.nextafter(low, math.inf)
        assert (high == low) == (Fraction(low) == value)


@given(rationals | dyadics)
def test_json_numbers_are_safe_in_binary_and_in_decimal(value):
    for number, sign in ((json_down(value), 1), (json_up(value), -1)):
        if math.isfinite(number):
            assert sign * (value - Fraction(number)) >= 0
            assert sign * (value - Fraction(repr(number))) >= 0
            assert repr(number) != "-0.0" or sign == 1
    if math.isfinite(round_down(value)) and round_down(value) > -sys.float_info.max:
        two_below = math.nextafter(math.nextafter(round_down(value), -math.inf), -math.inf)
        assert json_down(value) >= two_below


def test_nearest_rounding_would_be_unsafe():
    """The variant that prints the nearest float64: a decimal reader sees more than was proven."""
    tenth = exact(0.1)  # a little above 1/10
    assert Fraction(repr(float(Fraction(1, 3)))) < Fraction(1, 3)
    assert json_up(Fraction(1, 3)) > 1 / 3
    assert json_down(tenth) <= 0.1


def ball(mid, rad):
    return Enclosure(
        mid.numerator,
        1 - mid.denominator.bit_length(),
        rad.numerator,
        1 - rad.denominator.bit_length(),
    )


def test_compare_is_three_valued():
    one = ball(Fraction(1), Fraction(1, 4))
    assert compare(one, 2) == -1
    assert compare(2, one) == 1
    assert compare(one, Fraction(5, 4)) is None
    assert compare(one, 1) is None
    assert compare(one, one) is None
    assert compare(ball(Fraction(1), Fraction(0)), 1) == 0
    assert compare(Fraction(1, 3), Fraction(2, 6)) == 0


mantissas = st.integers(-(2**200), 2**200)
exponents = st.integers(-2000, 2000)


@given(mantissas, exponents, st.integers(0, 2**40), exponents)
def test_enclosures_survive_the_wire(mid, mid_exponent, rad, rad_exponent):
    enclosure = Enclosure(mid, mid_exponent, rad, rad_exponent)
    assert Enclosure.from_wire(enclosure.to_wire()) == enclosure
    assert enclosure.lower <= enclosure.mid <= enclosure.upper


@pytest.mark.parametrize(
    "fields",
    [
        None, [], ["1", "0", "0"], ["1", "0", "0", "0", "0"], [1, 0, 0, 0], ["01", "0", "0", "0"],
        ["+1", "0", "0", "0"], ["-0", "0", "0", "0"], [" 1", "0", "0", "0"], ["1", "0", "-1", "0"],
        ["1.0", "0", "0", "0"], ["1", "1048577", "0", "0"], ["1", "0", "0", "-1048577"],
        ["9" * 5000, "0", "0", "0"], ["٣", "0", "0", "0"], ["1\n", "0", "0", "0"],
    ],
)  # fmt: skip
def test_other_wire_forms_are_refused(fields):
    with pytest.raises(InputError):
        Enclosure.from_wire(fields)


@given(st.integers(1, 10**6).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_percent_is_on_its_side(pair):
    count, of = pair
    low, high = (Fraction(Decimal(percent(count, of, up=side)[:-2])) for side in (False, True))
    assert low <= Fraction(100 * count, of) <= high
    assert high - low <= Fraction(1, 100)
