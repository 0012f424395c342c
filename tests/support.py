"""What several tests share: exact votes of every labelling, small random instances."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from random import Random

import mpmath
import numpy as np

HALF = Fraction(1, 2)


def rational(x: mpmath.mpf) -> Fraction:
    """Return an mpf exactly."""
    sign, mantissa, exponent, _ = mpmath.mpf(x)._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def labelling(index: int, n: int) -> tuple[int, ...]:
    """Return the bits of index, label 0 first."""
    return tuple(index >> i & 1 for i in range(n))


def vote_table(alpha: list[Fraction], q: Fraction) -> list[Fraction]:
    """Return G of Definition 1 for every one of the 2^n label vectors, exactly.

    Noise acts on each label by itself, so the expectation is taken coordinate by coordinate: a
    different computation from the reference's, which counts noisy labellings.
    """
    n = len(alpha)
    table = []
    for index in range(1 << n):
        score = sum((a for i, a in enumerate(alpha) if index >> i & 1), Fraction(0))
        table.append(Fraction(int(score >= HALF)))
    for i in range(n):
        table = [(1 - q) * table[y] + q * table[y ^ (1 << i)] for y in range(1 << n)]
    return table


def index_of(labels: list[int] | tuple[int, ...]) -> int:
    return sum(int(y) << i for i, y in enumerate(labels))


def distance(a: int, b: int) -> int:
    return (a ^ b).bit_count()


def random_rational_rows(random: Random, n: int, k: int) -> np.ndarray:
    """Return small dyadic features: exact in float64, with ties and repeated rows likely."""
    return np.array([[random.randint(-8, 8) / 4 for _ in range(k)] for _ in range(n)])


NOISE = [
    Fraction(1, 10),
    Fraction(1, 3),
    Fraction(1, 100),
    Fraction(49, 100),
    Fraction(1, 10**12),
    Fraction(3, 8),
]


def all_functions(points: int):
    """Return every 0/1-valued function on that many points, as tuples."""
    return product((0, 1), repeat=points)
