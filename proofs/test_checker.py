"""What proofs/checker.md rests on: the tail's formula, Halley's step, separation, the sample."""

import math
from fractions import Fraction
from itertools import product

import sympy

HALF = Fraction(1, 2)


def masses(q, r):
    """Return R_j and the true law k^(r-2j) R_j, j = 0 to r."""
    k = q / (1 - q)
    theirs = [math.comb(r, j) * q**j * (1 - q) ** (r - j) for j in range(r + 1)]
    return theirs, [k ** (r - 2 * j) * mass for j, mass in enumerate(theirs)]


def filled(q, r):
    """Return the least true mass of classes that hold half of the adversary's, in part or whole."""
    theirs, ours = masses(q, r)
    left, error = HALF, Fraction(0)
    for mass, cost in zip(theirs, ours, strict=True):  # cost/mass = k^(r-2j) rises with j
        part = min(Fraction(1), left / mass)
        left, error = left - part * mass, error + part * cost
    return error


def formula(q, r, m):
    theirs, _ = masses(q, r)
    k = q / (1 - q)
    lost = sum(theirs[:m], Fraction(0))
    rest = sum((mass * k ** (2 * (m - j)) for j, mass in enumerate(theirs[:m])), Fraction(0))
    return k ** (r - 2 * m) * (HALF - lost + rest)


def test_the_tail_is_its_formula_at_the_median_and_less_elsewhere():
    for numerator, denominator in ((1, 3), (1, 10), (49, 100), (2, 5), (1, 10**6), (249, 500)):
        q = Fraction(numerator, denominator)
        for r in range(22):
            theirs, _ = masses(q, r)
            median = next(m for m in range(r + 1) if sum(theirs[: m + 1]) >= HALF)
            assert 2 * median <= r
            values = [formula(q, r, m) for m in range(r + 1)]
            assert values[median] == filled(q, r) == max(values)
            assert all(value < values[median] for m, value in enumerate(values) if m != median)


def regions(numbers, r):
    """Return 1 - F^-1(r) by the recurrences of tail_ratio; `numbers` are high, rest, low."""
    high, rest, low = numbers
    theirs, ours = [high**r], [low**r]
    for k in range(1, 2 * r + 1):
        for masses_k, first, last in ((theirs, high, low), (ours, low, high)):
            before = masses_k[k - 2] if k > 1 else 0
            total = rest * (r - k + 1) * masses_k[k - 1] + last * (2 * r - k + 2) * before
            assert total % (first * k) == 0
            masses_k.append(total // (first * k))
    whole = (high + rest + low) ** r
    assert sum(theirs) == sum(ours) == whole
    assert theirs == ours[::-1]
    half, lost = whole, 0
    for mass, cost in zip(theirs, ours, strict=True):
        if 2 * mass >= half:
            return Fraction(2 * mass * lost + half * cost, 2 * mass * whole)
        half, lost = half - 2 * mass, lost + cost
    raise AssertionError("half of the mass is not reached")


def test_the_tail_of_k_classes_is_that_of_every_noisy_labelling():
    """Points one by one, by their likelihood ratio, until half of the adversary's mass is lost."""
    for k, q in product(
        (3, 4, 5), (Fraction(1, 10), Fraction(2, 5), Fraction(3, 5), Fraction(1, 99))
    ):
        a, b = q.as_integer_ratio()
        numbers = ((b - a) * (k - 1), (k - 2) * a, a)
        for r in range(5 if k == 3 else 4):
            points = []
            for noisy in product(range(k), repeat=r):  # the true class is 0, the adversary's 1
                masses_of = [
                    math.prod(
                        ((1 - q) if y == own else q / (k - 1) for y in noisy), start=Fraction(1)
                    )
                    for own in (1, 0)
                ]
                points.append((masses_of[1] / masses_of[0], *masses_of))
            left, error = HALF, Fraction(0)
            for _, mass, cost in sorted(points):
                part = min(Fraction(1), left / mass)
                left, error = left - part * mass, error + part * cost
            assert not left
            assert regions(numbers, r) == error


def test_the_factors_of_a_pair():
    """(w_0 + w_1 e + w_2 e^2)/(N e) is the mean of e^(Y_i - Y_b), for each label."""
    a, b, k = sympy.symbols("a b k", positive=True)
    e = sympy.symbols("e", positive=True)
    q, whole, own = a / b, b * (k - 1), (b - a) * (k - 1)
    keep, other = 1 - q, q / (k - 1)
    for (up, down), weights in (
        ((keep, other), (a, whole - own - a, own)),
        ((other, keep), (own, whole - own - a, a)),
        ((other, other), (a, whole - 2 * a, a)),
    ):
        mean = up * e + (1 - up - down) + down / e
        written = sum(w * e**i for i, w in enumerate(weights)) / (whole * e)
        assert sympy.simplify(mean - written) == 0


def test_half_of_the_mass_is_never_met():
    """Else the numerator of q would divide a power of that of 1 - q, and the other way round."""
    for b in range(3, 40):
        for a in range(1, (b + 1) // 2):
            for r in range(1, 14):
                parts = [math.comb(r, j) * a**j * (b - a) ** (r - j) for j in range(r + 1)]
                total = 0
                for part in parts:
                    total += part
                    assert 2 * total != b**r


def test_a_step_towards_ln_x_is_cubic():
    """With y = x e^d the step 2 (x - y)/(x + y) is -2 tanh(d/2) = -d + d^3/12 - ..."""
    d = sympy.symbols("d", real=True)
    step = 2 * (1 - sympy.exp(d)) / (1 + sympy.exp(d))
    assert sympy.simplify((step + 2 * sympy.tanh(d / 2)).rewrite(sympy.exp)) == 0
    assert sympy.expand(sympy.series(step, d, 0, 5).removeO() + d - d**3 / 12) == 0


def test_the_logarithm_next_to_one():
    """-x - x^2 <= ln(1 - x) <= -x: both differences vanish at 0 and have slopes of one sign."""
    x = sympy.symbols("x", nonnegative=True)
    lower = sympy.log(1 - x) + x + x**2
    assert sympy.simplify(sympy.diff(lower, x) - x * (1 - 2 * x) / (1 - x)) == 0  # x <= 1/2
    upper = -x - sympy.log(1 - x)
    assert sympy.simplify(sympy.diff(upper, x) - x / (1 - x)) == 0
    assert lower.subs(x, 0) == upper.subs(x, 0) == 0


def test_the_slack_of_exp_parts_is_enough():
    """2.01 (3 p/16 + 3) + 2.01 + 1 + 2.3 < 0.38 p + 13 < p from p = 64 on, both linear in p."""
    for p in (64, 10**9):
        stated = Fraction(38, 100) * p + 13
        assert Fraction(201, 100) * (Fraction(3, 16) * p + 4) + Fraction(33, 10) < stated < p
    assert sympy.exp(sympy.Rational(177, 256)) < sympy.Rational(201, 100)
    assert sympy.log(2) * 256 < 178  # the entries of the table that are used


def test_separation_on_every_small_system():
    """M u = g, M positive definite: w'u - c/2 is 0 or at least 1/(2 prod M_jj)."""
    span = (-2, -1, 0, 1, 2)
    for a, b, c in product((1, 2, 3, 5), span, (1, 2, 3)):
        determinant = a * c - b * b
        if determinant <= 0:
            continue
        assert determinant <= a * c
        for g, h, v, w, total in product((0, 1, 3), (-1, 2), span, (1, -2), (1, 2)):
            first = Fraction(c * g - b * h, determinant)
            second = Fraction(a * h - b * g, determinant)
            value = v * first + w * second - Fraction(total, 2)
            assert value == 0 or abs(value) >= Fraction(1, 2 * a * c)


def test_an_approximate_inverse_bounds_the_error():
    """|I - C M| <= 1/2 in row sums: |u - x| <= 2 |C (g - M x)|, on a grid of 2 x 2 systems."""
    eighths = [Fraction(i, 8) for i in (-3, 0, 2, 4)]
    for e in product(eighths, repeat=4):
        if max(abs(e[0]) + abs(e[1]), abs(e[2]) + abs(e[3])) > HALF:
            continue
        # Only C M = I - E matters: the error d solves (I - E) d = C (g - M x).
        for d in product((Fraction(-3), Fraction(0), Fraction(1, 2), Fraction(2)), repeat=2):
            seen = [d[0] - e[0] * d[0] - e[1] * d[1], d[1] - e[2] * d[0] - e[3] * d[1]]
            assert max(map(abs, d)) <= 2 * max(map(abs, seen))


def test_the_chance_to_meet_no_false_record():
    """The product of (T - s - i)/(T - i) is the hypergeometric probability of none."""
    for total in range(1, 25):
        for sample in range(1, total):
            chance = Fraction(1)
            for false in range(total - sample + 1):
                none = Fraction(math.comb(total - false, sample), math.comb(total, sample))
                assert chance == none
                chance *= Fraction(total - false - sample, total - false)
