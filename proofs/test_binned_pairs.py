"""Binned pairs: cumulants of -1, 0 and 1, their bounds, and the budgets of rounding errors."""

from fractions import Fraction
from itertools import combinations_with_replacement, product
from math import factorial

import pytest
import sympy
from flint import arb, ctx

from certaudit.certify import fast
from certaudit.fast import elementary, pairs, tail
from certaudit.noise import MAX_CLASSES

U = Fraction(1, 1 << 53)
"""Half the distance of 1 to the next float."""
RHO = Fraction(pairs._TOO_WIDE)
TAYLOR = [RHO**k / factorial(k) for k in range(7)]

mu, s = sympy.symbols("mu s", real=True)
"""Mean and mean square of X = -1, 0, 1 under the tilted law."""
CUMULANTS = {
    1: mu,
    2: s - mu**2,
    3: mu * (1 - 3 * s + 2 * mu**2),
    4: s - 4 * mu**2 - 3 * s * s + 6 * mu**2 * (2 * s - mu**2),
    5: mu * (1 - 15 * s + 20 * mu**2 + 30 * s * s + 12 * mu**2 * (2 * mu**2 - 5 * s)),
    6: s - 16 * mu**2 - 15 * s**2 + 150 * mu**2 * s - 120 * mu**4
       + 30 * s**3 - 270 * mu**2 * s**2 + 360 * mu**4 * s - 120 * mu**6,
}  # fmt: skip
p, m, o = sympy.symbols("p m o")
"""Probabilities of 1, -1 and 0: p + m + o = 1."""


def test_the_derivatives_are_cumulants():
    """With mu' = s - mu^2 and s' = mu (1 - s), each is the derivative of the one before."""
    z = sympy.symbols("z", real=True)
    favour, still, against = sympy.symbols("f n a", positive=True)
    up, down = against * sympy.exp(z), favour * sympy.exp(-z)
    total = up + still + down
    mean, square = (up - down) / total, (up + down) / total
    assert sympy.simplify(sympy.diff(sympy.log(total), z) - mean) == 0
    assert sympy.simplify(sympy.diff(mean, z) - (square - mean**2)) == 0
    assert sympy.simplify(sympy.diff(square, z) - mean * (1 - square)) == 0
    for k in range(1, 6):
        slope = sympy.diff(CUMULANTS[k], mu) * (s - mu**2)
        slope += sympy.diff(CUMULANTS[k], s) * mu * (1 - s)
        assert sympy.expand(slope - CUMULANTS[k + 1]) == 0


def homogeneous(expression, degree):
    """Return a polynomial in mu and s as one in p, m, o, all terms of one degree, p + m + o = 1."""
    one = p + m + o
    found = sympy.Poly(sympy.expand(expression.subs({mu: p - m, s: p + m})), p, m)
    terms = (c * p**a * m**b * one ** (degree - a - b) for (a, b), c in found.terms())
    return sympy.Poly(sympy.expand(sum(terms)), p, m, o)


def test_the_variance_without_cancellation():
    """What the code adds: (p + m) o + 4 p m, which is s - mu^2."""
    right = homogeneous(CUMULANTS[2], 2)
    assert sympy.expand(right.as_expr() - ((p + m) * o + 4 * p * m)) == 0


@pytest.mark.parametrize(
    ("k", "most", "times"), [(3, 2, 0), (6, pairs._SIXTH, 30)], ids=["third", "sixth"]
)
def test_cumulants_are_at_most_a_multiple_of_the_variance(k, most, times):
    """Polya: multiplied by (p + m + o)^times, only coefficients >= 0 are left, so it is >= 0."""
    one = sympy.Poly(p + m + o, p, m, o)
    for sign in (1, -1):
        bound = sympy.Integer(int(most)) * CUMULANTS[2] + sign * CUMULANTS[k]
        assert min((homogeneous(bound, k) * one**times).coeffs()) >= 0


def test_how_far_the_sixth_constant_is_from_least():
    """Fair signs, -1 and 1, need 16."""
    fair = {mu: 0, s: 1}
    assert CUMULANTS[6].subs(fair) == 16 * CUMULANTS[2].subs(fair)
    assert pairs._SIXTH == 20


def test_the_summands_are_no_larger_than_their_argument():
    """They are 0 at z = 0, the three probabilities being 1 together, and |mean| <= 1."""
    q, K = sympy.symbols("q K")
    flip = q / (K - 1)
    for law in (
        (1 - q, q * (K - 2) / (K - 1), flip),
        (flip, 1 - 2 * flip, flip),
    ):
        assert sympy.simplify(sum(law) - 1) == 0
    # 1 - mean = o + 2 m >= 0, and the same with the signs exchanged.
    assert sympy.expand((p + m + o) - (p - m) - (o + 2 * m)) == 0
    # Divided by the coefficient of flip: what balls use.
    assert sympy.simplify((K - 2) * flip - q * (K - 2) / (K - 1)) == 0
    assert sympy.simplify((1 / flip - 2) * flip - (1 - 2 * flip)) == 0


def test_growth_inside_a_group():
    """(1 - 2x) e^(2x) falls from 1 for x >= 0: e^(2x) <= 1/(1 - 2x) below 1/2."""
    x = sympy.symbols("x", real=True)
    falling = (1 - 2 * x) * sympy.exp(2 * x)
    assert falling.subs(x, 0) == 1
    assert sympy.simplify(sympy.diff(falling, x) + 4 * x * sympy.exp(2 * x)) == 0
    assert 2 * RHO < 1
    assert tail._HALF * Fraction(3, 128) == RHO


def triangle(expression):
    """Return a bound of a polynomial where |mu| <= 1 and 0 <= s <= 1: its coefficients' sizes."""
    return sum(abs(c) for c in sympy.Poly(sympy.expand(expression), mu, s).coeffs())


def test_the_budget_of_rounding_errors():
    """What `rounding` has to cover, in units of u: of n, of n largest, for classes and groups."""
    exp, log = (Fraction(error) / U for error in (elementary.EXP_ERROR, elementary.LOG_ERROR))
    # A relative error of e is one of z; and a share is off by `share` relative to itself besides:
    # its coefficient and two products, the same of the sum and two additions, 1/total, a product.
    move, share = exp * Fraction(101, 100), 10
    sizes = {1: 1, 2: 1, 3: 2, 4: triangle(CUMULANTS[4]), 5: triangle(CUMULANTS[5]), 6: 20}
    # g: e^|z| is taken out; ln of the sum.
    value = 2 * move + share + log + 1
    # Mean and square: of at most 1, after one more addition. The variance: products of shares.
    errors = {1: move + share + 1, 2: move * sizes[3] + 2 * share + 3}
    for k in (3, 4, 5):
        slopes = sum(triangle(sympy.diff(CUMULANTS[k], x)) for x in (mu, s)) * (share + 1)
        # Each of at most 12 operations has a result below the sum of all coefficients.
        errors[k] = move * sizes[k + 1] + slopes + 12 * triangle(CUMULANTS[k])
    terms = sum(TAYLOR[k] * int(sizes[k]) for k in range(1, 6))
    derivatives = sum(TAYLOR[k] * Fraction(int(100 * errors[k]) + 1, 100) for k in range(1, 6))
    assert terms < Fraction(54, 100)
    assert value < 800
    assert derivatives < 260
    moments = (2 * 34 + 1) * terms
    coefficients = Fraction(61, 10) * terms
    additions = 7
    of_n = value + derivatives + moments + coefficients + additions * terms
    of_largest = Fraction(81, 10) + 1 + additions  # 2^-51 of ln, at most 2 largest: 4 u each
    allowed = Fraction(pairs._ROUNDING) / U
    assert of_n < 1200 < 2 * allowed / 13
    assert of_largest < 17 < 2 * allowed / 900
    # For each class: an addition of moments, 1.01 (K + 2) in all. For each of the products of a
    # sum: 1.01 (largest + terms).
    each = Fraction(1, 1 << 50) / U
    assert Fraction(101, 100) * terms < each / 14
    assert Fraction(101, 100) * max(terms, 1) < 2 * each / 15
    # The two classes too many, of 1.01 (K + 2): among what is left of the first.
    assert of_n + Fraction(202, 100) * terms < 1200


def test_what_covers_the_rounding_of_the_remainder():
    """Variances to a few hundred u, powers, sums of 3 2^20 products: below 2^-20 in all."""
    variance = 2 * Fraction(elementary.EXP_ERROR) * Fraction(101, 100) + 23 * U
    total = variance + 30 * U + 4 * (1 << 20) * U
    assert 4 * total < Fraction(pairs._UP) - 1


def test_an_error_of_the_fourth_moments_costs_nothing():
    """Of the remainder: 69 u and (K + 2) u of 16^4 N, N the points of a group."""
    worst = Fraction(pairs._SIXTH) * RHO**6 / 720 / (1 - 2 * RHO)
    assert worst * (70 + Fraction(101, 100) * (MAX_CLASSES + 2)) < 1


def test_what_the_end_of_exp_and_underflow_take():
    """Relative to a sum that is at least the rarest flip: below 2^-100."""
    with ctx.workprec(100):
        rarest = arb(pairs._RAREST)
        end = (-arb(elementary.MOST)).exp()
        # e stays e^-700; its square is flushed, or subnormal, from e^-708 on.
        assert end / rarest < arb(2) ** -100
        assert (-arb(708)).exp() / rarest < arb(2) ** -120
        assert (-arb(706)).exp() > arb(2) ** -1021


def test_the_budget_of_log_sum():
    """Of exp of differences, a sum, ln and an addition: in units of u, for m terms."""
    exp, log = (Fraction(error) / U for error in (elementary.EXP_ERROR, elementary.LOG_ERROR))
    # A difference d is off by u d, e^-d by u d e^-d <= u/e; m terms, each at most 1, total >= 1.
    of_terms = Fraction(101, 100) + Fraction(37, 100)
    logs = 14  # ln(2^20)
    constant = exp * Fraction(101, 100) + log + (4 + 2) * logs
    assert (arb(1 << 20)).log() < logs
    assert constant < 610
    assert constant < Fraction(1, 1 << 43) / U / Fraction(3, 2)
    assert of_terms < Fraction(1, 1 << 50) / U / 5
    # The largest: two additions, and what is taken away is itself rounded.
    assert Fraction(1, 1 << 50) / U > 2 * 3


def test_the_budget_of_log_normal():
    """Of k ln 2 and ln(1 + x), added: 18 u, and 3 u of the result; 2^-45 and 4 u are stated."""
    with ctx.workprec(200):
        constant = abs(arb(2).log() / elementary._LN2 - 1)
        product = Fraction(175, 100)
        assert constant + arb(2) ** -53 < arb(2) ** -53 * 175 / 100
    # |k| ln 2 <= |ln x| + ln 2; then one addition, of a result of at most |ln x| and errors.
    relative = product + Fraction(101, 100)
    absolute = 16 + product * Fraction(70, 100)
    assert relative < Fraction(1, 1 << 51) / U
    assert absolute < Fraction(elementary.LOG_ERROR) / U


def test_positions_of_many_classes():
    """(bins - 2)(1 + 5u) + 1, rounded, stays in its class; sums of a chunk have 53 bits."""
    sizes = (1, 30, 1000, 60_000, (1 << 26) - 1)
    for n, classes in product(sizes, (2, 3, 10, 100, MAX_CLASSES)):
        for bins in fast._BINS:
            cells = classes * bins
            assert cells <= 1 << 25
            chunk, bits = tail._layout(cells, n)
            assert bits >= 1
            step = Fraction(1, 1 << bits)
            assert (bins - 2) * (1 + 5 * U) + 1 + step / 2 + Fraction(1, 1 << 100) < bins
            assert cells <= 1 << (52 - bits)
            assert cells * min(chunk, n) / step <= 1 << 53
            assert bins * U * (1 + U) + step / 2 + Fraction(1, 1 << 100) <= step


def test_the_union_bound_and_the_largest():
    """Of any joint law of wins: P(not all) is at most the sum, at least the largest, of P(not b).

    Enough for each outcome: 1 where some pair is lost is at most the number of lost pairs.
    """
    for lost in combinations_with_replacement((0, 1), 4):
        assert max(lost) <= sum(lost)
        assert all(one <= max(lost) for one in lost)
