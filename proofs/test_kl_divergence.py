"""(4) and its K-class form in B.3, from the definition."""

import pytest
import sympy


@pytest.mark.parametrize("classes", [2, 3, 4, 7, 10])
def test_one_flip(classes):
    """Sum over labels of rho_i log(rho_i/mu_i) is (1 - Kq/(K-1)) log((1-q)(K-1)/q)."""
    q = sympy.symbols("q", positive=True)
    K = classes
    mu = [1 - q] + [q / (K - 1)] * (K - 1)
    rho = [q / (K - 1), 1 - q] + [q / (K - 1)] * (K - 2)
    total = sum(r * sympy.log(r / m) for r, m in zip(rho, mu, strict=True))
    expected = (1 - K * q / (K - 1)) * sympy.log((1 - q) * (K - 1) / q)
    assert sympy.simplify(sympy.expand_log(total - expected, force=True)) == 0
    back = sum(m * sympy.log(m / r) for r, m in zip(rho, mu, strict=True))
    assert sympy.simplify(sympy.expand_log(back - expected, force=True)) == 0


def test_two_classes_are_equation_4():
    q = sympy.symbols("q", positive=True)
    general = (1 - 2 * q / (2 - 1)) * sympy.log((1 - q) * (2 - 1) / q)
    assert sympy.simplify(general - (1 - 2 * q) * sympy.log((1 - q) / q)) == 0


def test_both_factors_are_positive_below_the_limit():
    """0 < q < (K-1)/K: 1 - Kq/(K-1) > 0, and (1-q)(K-1)/q > 1 since (1-q)(K-1) - q > 0."""
    q, K = sympy.symbols("q K", positive=True)
    slope = 1 - K * q / (K - 1)
    excess = (1 - q) * (K - 1) - q
    assert sympy.simplify(slope * (K - 1) - excess) == 0
