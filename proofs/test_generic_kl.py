"""(3): the generic KL bound holds strictly, and with "<=" it is false."""

from fractions import Fraction
from itertools import product

import mpmath
import sympy

from certaudit.reference.radius import generic_bound, number
from certaudit.reference.vote import hard_vote

HALF = Fraction(1, 2)


def kl(rho, mu):
    """KL(rho || mu) in nats, mu > 0, at the current precision."""
    return mpmath.fsum(
        number(r) * mpmath.log(number(r / m)) for r, m in zip(rho, mu, strict=True) if r
    )


def vote(measure, phi):
    return sum((m for m, f in zip(measure, phi, strict=True) if f), Fraction(0))


def test_the_bound_is_the_divergence_to_one_half():
    """KL(Bern(1/2) || Bern(p)) = -1/2 log(4 p (1-p))."""
    p = sympy.symbols("p", positive=True)
    half = sympy.Rational(1, 2)
    divergence = half * sympy.log(half / p) + half * sympy.log(half / (1 - p))
    bound = -half * sympy.log(4 * p * (1 - p))
    assert sympy.simplify(sympy.expand_log(divergence - bound, force=True)) == 0


def test_the_divergence_falls_towards_p():
    """d/dx KL(Bern(x) || Bern(p)) = log(x(1-p)/((1-x)p)), negative exactly for x < p."""
    x, p = sympy.symbols("x p", positive=True)
    divergence = x * sympy.log(x / p) + (1 - x) * sympy.log((1 - x) / (1 - p))
    slope = sympy.diff(divergence, x)
    expected = sympy.log(x) + sympy.log(1 - p) - sympy.log(1 - x) - sympy.log(p)
    assert sympy.simplify(sympy.expand_log(slope, force=True) - expected) == 0


def test_with_equality_it_is_false():
    """X = {0, 1}, mu = (.9, .1), rho = (.5, .5), phi(x) = x: d = f(p), and the vote changes."""
    mu, rho, phi = (Fraction(9, 10), Fraction(1, 10)), (HALF, HALF), (0, 1)
    p = vote(mu, (1, 0))  # the share of the winner, class 0
    # 2 d = log(.25/.09) and 2 f(p) = -log(.36): the same number, as .25/.09 = 1/.36.
    assert rho[0] * rho[1] / (mu[0] * mu[1]) == 1 / (4 * p * (1 - p))
    assert hard_vote(vote(mu, phi)) == 0
    assert hard_vote(vote(rho, phi)) == 1


def test_strictly_it_holds_for_all_small_measures():
    """All pairs of positive measures on 3 points with denominator 7, all 8 phi, both classes."""
    weights = [w for w in product(range(1, 6), repeat=3) if sum(w) == 7]
    measures = [tuple(Fraction(w, 7) for w in triple) for triple in weights]
    functions = list(product((0, 1), repeat=3))
    changed = 0
    with mpmath.workdps(40):
        for mu, rho in product(measures, repeat=2):
            distance = kl(rho, mu)
            for phi in functions:
                share = vote(mu, phi)
                if hard_vote(share) != hard_vote(vote(rho, phi)):
                    changed += 1
                    bound = generic_bound(max(share, 1 - share))
                    assert distance > bound - mpmath.mpf(10) ** -30
    assert changed > 100
