"""Section 4.1: alpha = X (X'X + lambda D)^-1 h, in mpmath or, on small data, in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from operator import mul
from typing import TypeVar

import mpmath
from mpmath import mpf

from certaudit.reference.radius import number

__all__ = ["alpha_vector", "exact_alpha", "gram", "normal_matrix", "solve", "weights"]

F = TypeVar("F", Fraction, mpf)


def gram(rows: Sequence[Sequence[float]]) -> list[list[Fraction]]:
    """X'X exactly: every float64 is a dyadic rational, so columns are integers times 2^-e."""
    columns, scales = [], []
    for column in zip(*rows, strict=True):
        fractions = [Fraction(x) for x in column]
        scale = max(x.denominator for x in fractions)
        columns.append([int(x * scale) for x in fractions])
        scales.append(scale)
    k = len(columns)
    result = [[Fraction(0)] * k for _ in range(k)]
    for i in range(k):
        for j in range(i + 1):
            dot = Fraction(sum(map(mul, columns[i], columns[j])), scales[i] * scales[j])
            result[i][j] = result[j][i] = dot
    return result


def normal_matrix(
    rows: Sequence[Sequence[float]], ridge: Fraction, *, intercept: bool
) -> list[list[Fraction]]:
    """X'X + lambda D, D the identity but 0 for the intercept, the last column."""
    matrix = gram(rows)
    for i in range(len(matrix) - int(intercept)):
        matrix[i][i] += ridge
    return matrix


def solve(matrix: list[list[F]], right: list[list[F]]) -> list[list[F]]:
    """A^-1 B by Gauss-Jordan elimination with the largest pivot; B and the result are k x m.

    Raises ZeroDivisionError when a pivot vanishes.
    """
    k = len(matrix)
    work = [list(row) + list(extra) for row, extra in zip(matrix, right, strict=True)]
    for i in range(k):
        pivot = max(range(i, k), key=lambda row: abs(work[row][i]))
        work[i], work[pivot] = work[pivot], work[i]
        top = work[i]
        inverse = 1 / top[i]
        top[i:] = [value * inverse for value in top[i:]]
        for j in range(k):
            if j != i and work[j][i] != 0:
                factor = work[j][i]
                work[j][i:] = [a - factor * b for a, b in zip(work[j][i:], top[i:], strict=True)]
    return [row[k:] for row in work]


def exact_alpha(
    rows: Sequence[Sequence[float]],
    tests: Sequence[Sequence[float]],
    ridge: Fraction,
    *,
    intercept: bool,
) -> list[list[Fraction]]:
    """The alpha vector of each test row as fractions: for small data."""
    right = [[Fraction(x) for x in column] for column in zip(*tests, strict=True)]
    solved = solve(normal_matrix(rows, ridge, intercept=intercept), right)
    design = [[Fraction(x) for x in row] for row in rows]
    return [
        [sum(map(mul, row, w), Fraction(0)) for row in design] for w in zip(*solved, strict=True)
    ]


def weights(
    matrix: list[list[Fraction]], tests: Sequence[Sequence[float]]
) -> list[tuple[mpf, ...]]:
    """w^j = (X'X + lambda D)^-1 h(x_j) for each test row, at the current mpmath precision.

    Of its digits, those are lost that the condition number of the matrix takes away.
    """
    system = [[number(x) for x in row] for row in matrix]
    right = [[number(x) for x in column] for column in zip(*tests, strict=True)]
    return list(zip(*solve(system, right), strict=True))


def alpha_vector(rows: Sequence[Sequence[float]], w: Sequence[mpf]) -> list[mpf]:
    """Algorithm 1, step 1: alpha^j = M h(x_j) = X w^j, M = X (X'X + lambda D)^-1."""
    return [mpmath.fdot(row, w) for row in rows]
