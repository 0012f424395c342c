"""Binned tails: derivatives of ln(1 + e^z), chords, and the budgets of rounding errors."""

from fractions import Fraction
from itertools import product
from math import factorial

import numpy as np
import sympy
from flint import arb, ctx

from certaudit.fast import elementary, tail

U = Fraction(1, 1 << 53)
"""Half the distance of 1 to the next float."""

z, v, p, x = sympy.symbols("z v p x", real=True)
s = 1 / (1 + sympy.exp(-z))
DERIVATIVES = {
    2: v,
    3: v * (1 - 2 * p),
    4: v * (1 - 6 * v),
    5: v * (1 - 2 * p) * (1 - 12 * v),
    6: v * (1 - 30 * v + 120 * v**2),
}


def test_the_summands():
    """They are a constant and S(z) = ln(1 + e^z) at a shifted -u, lambda = ln((1-q)/q)."""
    q, e = sympy.symbols("q e", positive=True)
    odds = (1 - q) / q  # e^lambda
    assert sympy.simplify((1 - q) + q * e - (1 - q) * (1 + e / odds)) == 0
    assert sympy.simplify(q + (1 - q) * e - q * (1 + e * odds)) == 0


def test_derivatives_are_polynomials_in_p_and_v():
    found = sympy.log(1 + sympy.exp(z))
    assert sympy.simplify(sympy.diff(found, z) - s) == 0
    for order, formula in DERIVATIVES.items():
        right = sympy.diff(found, z, order)
        wrong = right - formula.subs(v, p * (1 - p)).subs(p, s)
        assert sympy.simplify(wrong.rewrite(sympy.exp)) == 0


def largest(expression, symbol, low, high):
    """Return the largest |polynomial| on an interval: at its ends or where its slope is 0."""
    slope = sympy.Poly(sympy.diff(expression, symbol), symbol)
    inner = [r for r in slope.real_roots() if low <= r <= high] if slope.degree() > 0 else []
    return max(abs(expression.subs(symbol, r)) for r in (*inner, low, high))


def test_bounds_of_the_derivatives():
    """With v = p(1-p) in [0, 1/4]: |v'| <= v, |S6| <= v, and all from the second on <= 1/4."""
    quarter = sympy.Rational(1, 4)
    for factor, most in ((1 - 6 * v, 1), (1 - 12 * v, 2), (1 - 30 * v + 120 * v**2, 1)):
        assert largest(factor, v, 0, quarter) == most
    assert largest(1 - 2 * p, p, 0, 1) == 1
    for formula in DERIVATIVES.values():
        assert largest(sympy.expand(formula.subs(v, p * (1 - p))), p, 0, 1) <= quarter


def test_growth_inside_a_group():
    """(1 - x) e^x falls from 1 for x >= 0: e^x <= 1/(1 - x) below 1."""
    falling = (1 - x) * sympy.exp(x)
    assert falling.subs(x, 0) == 1
    assert sympy.simplify(sympy.diff(falling, x) + x * sympy.exp(x)) == 0


def test_the_excess_of_a_chord():
    """On a bin of width 1: chord - f = f''(xi) o (1 - o)/2, and o (1 - o)/2 <= 1/8."""
    o = sympy.symbols("o", real=True)
    assert largest(o * (1 - o) / 2, o, 0, 1) == sympy.Rational(1, 8)
    a, b, c = sympy.symbols("a b c")
    f = a + b * o + c * o**2
    chord = (1 - o) * f.subs(o, 0) + o * f.subs(o, 1)
    assert sympy.expand(chord - f - 2 * c * o * (1 - o) / 2) == 0


def test_chords_are_masses_on_edges():
    """N - F on the left edge and F on the right: their moments about the middle, exactly."""
    half = tail.GROUP // 2
    for bin_ in range(tail.GROUP):
        for k in range(tail._ORDER + 1):
            left, right = (bin_ - half) ** k, (bin_ + 1 - half) ** k
            assert tail._CHORDS[bin_, k] == left
            assert tail._CHORDS[tail.GROUP + bin_, k] == right - left
            assert k == 0 or abs(right - left) <= half**k


def test_the_sixth_moment():
    """Five terms and a remainder with M6, which is at most 256 M4 for masses within 16 bins."""
    assert [factorial(k) for k in range(2, 7)] == [2, 6, 24, 120, 720]
    assert tail._ORDER == 5
    places = range(-tail._HALF, tail._HALF + 1)
    assert len(places) == tail.GROUP + 1
    assert all(d**6 <= tail._HALF**2 * d**4 for d in places)


def test_the_budget_of_rounding_errors():
    """What `rounding` has to cover, in units of u: of n, of n largest, of t; m sums of products."""
    rho = Fraction(tail._TOO_WIDE)
    taylor = [rho**k / factorial(k) for k in range(7)]
    # |S'| <= 1, the others <= 1/4: what a relative error of all terms but the first costs.
    terms = taylor[1] + sum(taylor[2:6]) / 4
    assert terms < Fraction(85, 100)
    # Errors of the computed S, S', ..., S5, without u (largest + 1) of the first.
    exp, log = (Fraction(error) / U for error in (elementary.EXP_ERROR, elementary.LOG_ERROR))
    first = exp / 2 + log + 1
    share = exp / 4 + 3
    variance = (exp + 6) / 4
    third = (exp + 6) / 10 + (2 * share + 1) / 4 + 1
    fourth = (exp + 6) / 8 + (6 * variance + 3) / 4 + 1
    fifth = 2 * third + (12 * variance + 5) / 10 + 1
    assert (first, share, variance) <= (385, 67, 66)
    values = first + 1
    for error, factor in zip((share, variance, third, fourth, fifth), taylor[1:6], strict=True):
        values += error * factor
    moments = (2 * 34 + 1) * terms
    coefficients = Fraction(61, 10) * terms  # tau^5: four roundings, a division, a product
    additions = 9
    of_n = values + moments + coefficients + Fraction(41, 10) * Fraction(7, 10)
    of_n += additions * Fraction(23, 10) + 2
    of_largest = 4 + 1 + Fraction(41, 10) + 2 * additions
    of_t = Fraction(additions, 2)
    allowed = Fraction(tail._ROUNDING) / U
    assert of_n < 600 < 2 * allowed
    assert of_largest < 28 < 2 * allowed
    assert of_t < 5 < allowed
    # For each of the m products of a sum: 1.01 (largest + 1.6) of n.
    each = Fraction(1, 1 << 51) / U
    assert Fraction(101, 100) * Fraction(16, 10) < 2 * each
    assert Fraction(101, 100) < 2 * each


def test_what_covers_the_rounding_of_the_remainder():
    """An argument up to 2^20 moves v; powers, and sums of 2^20 products: below 2^-20 in all."""
    shift = 4 * U * Fraction(tail._TOO_LARGE)
    total = 2 * shift + 300 * U + Fraction(1, 1 << 48) + 2 * (1 << 20) * U
    assert 4 * total < Fraction(tail._UP) - 1


def test_the_constants_of_exp():
    """32 bits, the rest of ln 2, reciprocals of factorials; log2 e off by less than u."""
    high, low = Fraction(elementary._LN2_HIGH), Fraction(elementary._LN2_LOW)
    assert (high * (1 << 32)).denominator == 1
    assert high.numerator.bit_length() <= 32
    with ctx.workprec(200):
        log2 = arb(2).log()
        assert abs(log2 - elementary._LN2_HIGH - elementary._LN2_LOW) < arb(2) ** -86
        assert abs(log2 - elementary._LN2) < arb(2) ** -54
        assert abs(1 / log2 - elementary._LOG2_E) * log2 < arb(2) ** -53
        # The number of halvings changes beyond HIGH/2 and ends at 1010.
        assert log2 / 2 * (1 - arb(2) ** -51) > elementary._LN2_HIGH / 2
        assert elementary.MOST / log2 < 1010
    assert 0 < low < Fraction(1, 1 << 32)
    degrees = range(11, -1, -1)
    assert [Fraction(1, factorial(k)) for k in degrees] == [
        Fraction(1, round(1 / term)) for term in elementary._EXP_TERMS
    ]
    for term, k in zip(elementary._EXP_TERMS, degrees, strict=True):
        assert abs(Fraction(term) * factorial(k) - 1) <= U


def test_the_budget_of_exp():
    """Remainder, Horner, argument: relative to exp(r) >= exp(-0.3466) > 0.707, below 2^-45."""
    r, least = Fraction(3466, 10000), Fraction(707, 1000)
    assert sum((-r) ** k / factorial(k) for k in range(8)) > least
    remainder = r**12 / factorial(12)
    size = [r**k / factorial(k) for k in range(12)]
    horner = U * (1 + sum((2 * k + 2) * size[k] for k in range(1, 12))) * Fraction(101, 100)
    argument = U / 2
    assert (remainder + horner) / least + argument < Fraction(elementary.EXP_ERROR) / 2


def test_the_budget_of_log():
    """Remainder, ratio, Horner, ln 2: below 2^-49, and 2^-45 is stated."""
    r = Fraction(1716, 10000)
    split = Fraction(elementary._SPLIT)
    assert split / (2 + split) < r
    assert (1 - split) / (3 + split) < r
    assert [Fraction(2, 2 * k + 1) for k in range(8, -1, -1)] == [
        Fraction(2, round(2 / term)) for term in elementary._LOG_TERMS
    ]
    remainder = 2 * r**19 / 19 / (1 - r * r)
    ratio = 3 * U * 2 * r / (1 - r * r)
    horner = sum((3 * k + 3 if k else 2) * 2 * r ** (2 * k + 1) / (2 * k + 1) for k in range(9))
    total = remainder + (ratio + U * horner) * Fraction(101, 100) + U
    assert total < Fraction(1, 1 << 49) < Fraction(elementary.LOG_ERROR)


def test_positions_stay_in_their_class():
    """(bins - 2)(1 + 5u) + 1, rounded up by half a grid step, is below bins, for all in range."""
    for n, classes in product((1, 30, 1000, 60_000, (1 << 26) - 1), (1, 2)):
        for bins in (32, 64, 2048, 65536, 1 << 24):
            chunk, bits = tail._layout(classes * bins, n)
            assert bits >= 1
            step = Fraction(1, 1 << bits)
            assert (bins - 2) * (1 + 5 * U) + 1 + step / 2 + Fraction(1, 1 << 100) < bins
            # Everything fits behind the point of numbers from 2^(52-bits), and sums in 53 bits.
            assert classes * bins <= 1 << (52 - bits)
            assert classes * bins * min(chunk, n) / step <= 1 << 53
            # Rounding of the product and of the sum, and what flushing takes: below a step.
            assert bins * U * (1 + U) + step / 2 + Fraction(1, 1 << 100) <= step


def test_numbers_of_bins_are_the_bits_of_positions():
    """The sum of 2^(52-bits) and a position, read as an integer: its bin stands above `bits`."""
    for cells in (32, 64, 4096, 131072):
        _, bits = tail._layout(cells, 1 << 25)
        base = 2.0 ** (52 - bits)
        own = int(np.float64(base).view(np.int64)) >> bits
        for cell in (0, 1, cells // 2, cells - 1):
            for offset in (0.0, 2.0**-bits, 0.5, 1 - 2.0**-bits):
                number = int(np.float64(base + cell + offset).view(np.int64)) >> bits
                assert number - own == cell


def test_products_with_tau_are_exact():
    """28 bits times an integer up to 2^24, 28 bits times 4: below 53 bits."""
    assert tail._TAU_BITS + 25 <= 53
    assert tail._TAU_BITS + 4 <= 53
    tau = tail._short(np.array([0.0123456789, -1 / 3, 2.0**-60 / 3, 0.0]))
    for value in tau.tolist():
        top = Fraction(value).numerator
        assert abs(top).bit_length() <= tail._TAU_BITS
