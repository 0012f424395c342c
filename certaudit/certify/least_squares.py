"""The least-squares classifier over the reals: alpha = X (X'X + ridge D)^-1 h, enclosed.

X'X is computed exactly in integers, the k x k system is solved in balls, and alpha is a
float64 product with a proven error bound; where that is too wide, balls, and where balls
cannot decide, rationals. No n x m array is ever formed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq, fmpq_mat, fmpz, fmpz_mat
from numpy.typing import NDArray

from certaudit.certify.data import Floats, Labels
from certaudit.errors import InputError, Undecided
from certaudit.exact import Enclosure, round_up
from certaudit.rigorous.balls import from_ball, to_ball, upper_bound, working_precision

__all__ = ["FloatSolver", "LeastSquares", "SolvedPoint", "integer_columns"]

_UNIT = Fraction(1, 1 << 53)
_ACCURACY = 80
"""Bits to which the inverse is enclosed for the float product; more where that fails."""
_MAX_SOLVE_BITS = 1 << 18
_BLOCK_ENTRIES = 1 << 18
_ALPHA_ENTRIES = 1 << 22
_LIMB = 21
"""Bits of the integers whose products, summed over 2^11 rows, are exact in float64."""
_EXACT_ROWS = 1 << 11
_MOST_LIMBS = 6
"""Limbs of an entry, at most: sums of 2^7 times as many products below 2^53 stay in int64."""
_FAR_EXPONENT = 1 << 20
"""Beyond the exponent of any float."""
_MODERATE_EXPONENT = 800
"""Of two, the most that a column is scaled by: what it is made of stays normal."""
# Products and sums below the normal range may be flushed to zero, inputs too: each of the k terms
# then loses at most 2^-1022 (1 + |x| + |w|).
_FLUSH = Fraction(1, 1 << 1020)


@dataclass(frozen=True, slots=True)
class SolvedPoint:
    """One test point: its alpha and the two sums that decide the sign of a mean score.

    `alpha` holds n float64 values whose l1 distance from the true alpha is at most
    `alpha_error` (None: the float product failed, use balls). `scores` enclose the score of each
    class, the sum of the alphas of its training points, `alpha_sum` the sum of alpha.
    """

    index: int
    alpha: Floats
    alpha_error: Fraction | None
    scores: tuple[Enclosure, ...]
    alpha_sum: Enclosure

    @property
    def label_score(self) -> Enclosure:
        """The enclosure of alpha'y, two labels: the score of class 1."""
        return self.scores[1]


@dataclass(frozen=True, slots=True)
class FloatSolver:
    """The inverse of A = X'X + ridge D in float64, and errors of its products, all upper bounds.

    `inverse` W is k x k: for a test row h the product h W, in floats, is off from w = A^-1 h by at
    most |h| @ `inverse_error` in the norm sum_j norms_j |w_j|, `norms` being the l1 norms of the
    columns of X: that bounds the l1 error of X w. `scores` (k x s) times h are the s sums of class
    scores that were asked for, off by at most |h| @ `score_error`. `gamma` is gamma_k.
    """

    inverse: Floats
    inverse_error: Floats
    scores: Floats
    score_error: Floats
    norms: Floats
    gamma: float


def integer_columns(rows: Floats) -> tuple[NDArray[Any], list[int]]:
    """Return integers N (object or int64) and exponents e with rows[:, j] = N[:, j] 2**e[j].

    Exact for every finite float64, subnormal numbers included.

    Proof: `proofs/gram.md`.
    """
    fraction, exponent = np.frexp(rows)
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    exponent = exponent.astype(np.int64) - 53
    lowest_bit = (mantissa & -mantissa).astype(np.float64)
    zeros = np.frexp(np.where(lowest_bit == 0, 1.0, lowest_bit))[1].astype(np.int64) - 1
    mantissa >>= zeros
    exponent += zeros
    nonzero = mantissa != 0
    columns = np.where(nonzero, exponent, np.iinfo(np.int64).max).min(axis=0)
    columns[~nonzero.any(axis=0)] = 0
    shift = np.where(nonzero, exponent - columns, 0)
    bits = np.frexp(np.abs(mantissa).astype(np.float64))[1] + shift
    if bits.size and int(bits.max()) > 62:
        return mantissa.astype(object) << shift.astype(object), columns.tolist()
    return mantissa << shift, columns.tolist()


class LeastSquares:
    """The fitted classifier for a design matrix, fixed ridge and labels 0..classes-1.

    `train` is n x k and `test` m x k (float64, taken as exact); with `intercept` the last
    column is not penalised (D is 0 there). `labels` are the n training labels.

    Raises InputError for a rank-deficient design at ridge 0 (decided exactly), and where this
    thread flushes subnormal numbers to zero.
    """

    def __init__(
        self,
        train: Floats,
        test: Floats,
        labels: Labels,
        ridge: Fraction,
        *,
        intercept: bool,
        classes: int = 2,
    ) -> None:
        if not _keeps_subnormals():
            raise InputError(
                "this process flushes subnormal numbers to zero (a library built with -ffast-math "
                "does that to whoever loads it): X'X would not be exact"
            )
        self.train, self.test, self.ridge, self.intercept = train, test, ridge, intercept
        self._k, self.classes = train.shape[1], classes
        self._moments, self._sums, self._exponents = _exact_moments(train, labels, classes)
        if ridge == 0:
            rank = self._moments.rank()
            if rank < self._k:
                raise InputError(
                    f"ridge 0: the {self._k} columns (intercept included) have rank {rank}, "
                    "so least squares has no unique solution; give a ridge > 0"
                )
        # Powers of two that bring the diagonal near 1: exact, and balls lose little in the solve.
        self._scale = [-_half_log2(self._diagonal(j)) for j in range(self._k)]
        self._column_norms = _column_norms(train)
        self._inverses: dict[int, tuple[arb_mat, int]] = {}

    def _entry(self, i: int, j: int) -> Fraction:
        """Return entry (i, j) of X'X + ridge D, exactly."""
        value = Fraction(int(self._moments[i, j])) * _power(self._exponents[i] + self._exponents[j])
        penalised = i == j and not (self.intercept and i == self._k - 1)
        return value + self.ridge if penalised else value

    def _class_sum(self, i: int, c: int) -> Fraction:
        """Return the sum of column i over the training points of class c, exactly."""
        return Fraction(int(self._sums[i, c])) * _power(self._exponents[i])

    def _combined(self, weights: Sequence[Fraction]) -> list[Fraction]:
        """Return X'(sum_c weights_c Y_c), Y_c the indicators of class c, exactly."""
        used = [(c, weight) for c, weight in enumerate(weights) if weight]
        return [
            sum((weight * self._class_sum(i, c) for c, weight in used), Fraction(0))
            for i in range(self._k)
        ]

    def _unit(self, c: int) -> list[Fraction]:
        return [Fraction(int(c == other)) for other in range(self.classes)]

    def _diagonal(self, j: int) -> Fraction:
        return self._entry(j, j)

    def _inverse(self, accuracy: int) -> tuple[arb_mat, int]:
        """Return an enclosure of (S A S)^-1, A = X'X + ridge D, and the precision it took.

        S is the diagonal of 2^scale. Every radius is at most 2^-accuracy of the largest entry.
        """
        bits = 2 * max(accuracy, _ACCURACY)
        while accuracy not in self._inverses:
            if bits > _MAX_SOLVE_BITS:
                raise Undecided(
                    f"least squares: X'X + ridge is not inverted at {_MAX_SOLVE_BITS} bits"
                )
            with working_precision(bits), suppress(ZeroDivisionError):
                inverse = self._equilibrated().inv()
                if _is_accurate(inverse, accuracy):
                    self._inverses[accuracy] = inverse, bits
            bits *= 2
        return self._inverses[accuracy]

    def _equilibrated(self) -> arb_mat:
        k, scale = self._k, self._scale
        entries = [
            to_ball(self._entry(i, j) * _power(scale[i] + scale[j]))
            for i in range(k)
            for j in range(k)
        ]
        return arb_mat(k, k, entries)

    def _weights(self, indices: Sequence[int], accuracy: int) -> tuple[list[list[arb]], int]:
        """Return, for each test point, an enclosure of w = A^-1 h (k balls), and the precision."""
        inverse, bits = self._inverse(accuracy)
        k, scale = self._k, self._scale
        with working_precision(bits):
            factors = [to_ball(_power(exponent)) for exponent in scale]
            rows = self.test[list(indices)].tolist()
            inner = [[factors[i] * row[i] for row in rows] for i in range(k)]
            solved = inverse * arb_mat(inner)
            return [[factors[i] * solved[i, j] for i in range(k)] for j in range(len(rows))], bits

    def float_solver(self, combinations: Sequence[Sequence[Fraction]] | None) -> FloatSolver:
        """Return A^-1 in float64, and what bounds the error of its products with test rows.

        `combinations` are the sums of class scores wanted, by weights of the classes; None: each.

        Raises Undecided as score_balls does.

        Proof: `proofs/alpha-blocks.md`.
        """
        inverse, bits = self._inverse(_ACCURACY)
        k, scale = self._k, self._scale
        with working_precision(bits):
            factors = [to_ball(_power(exponent)) for exponent in scale]
            exact = [[factors[i] * factors[j] * inverse[i, j] for j in range(k)] for i in range(k)]
            moments = arb_mat(
                [
                    [to_ball(value) for value in self._combined(weights)]
                    for weights in combinations or map(self._unit, range(self.classes))
                ]
            ).transpose()
            sums = (arb_mat(exact) * moments).tolist()
            norms = [arb(norm) for norm in self._column_norms]
            return FloatSolver(
                *_rounded(exact, norms, k),
                *_rounded(sums, None, k),
                np.array(self._column_norms),
                round_up(_gamma(k)),
            )

    def points(self, indices: Sequence[int]) -> Iterator[SolvedPoint]:
        """Yield the test points with these indices, in order.

        Works in blocks: memory stays proportional to n and to k squared.

        Proof: `proofs/alpha.md`.
        """
        step = max(1, min(64, _ALPHA_ENTRIES // len(self.train)))
        for _, block in groupby(indices, key=lambda index: index // step):
            yield from self._block(list(block), step)

    def _block(self, indices: Sequence[int], step: int) -> Iterator[SolvedPoint]:
        balls, bits = self._weights(indices, _ACCURACY)
        scores = self._scores(balls, bits)
        # BLAS may round otherwise in a product of another shape: every block has the same one, and
        # a point always the same row in it, so that its alpha does not depend on its company.
        floats = np.zeros((step, self._k))
        for index, weights in zip(indices, balls, strict=True):
            floats[index % step] = [_to_float(weight) for weight in weights]
        with np.errstate(over="ignore", invalid="ignore"):
            product = floats @ self.train.T
        for index, weights, sums in zip(indices, balls, scores, strict=True):
            alpha, error = product[index % step], None
            if np.isfinite(alpha).all() and self._overflow_free(floats[index % step]):
                error = self._alpha_error(weights, floats[index % step].tolist(), bits)
            yield SolvedPoint(index, alpha, error, *sums)

    def _scores(
        self, balls: list[list[arb]], bits: int
    ) -> list[tuple[tuple[Enclosure, ...], Enclosure]]:
        """Return enclosures of each class's score w'X'Y_c and of sum alpha = w'X'1, for each w."""
        everyone = self._combined([Fraction(1)] * self.classes)
        with working_precision(bits):
            moments = arb_mat(
                [
                    [*(to_ball(self._class_sum(i, c)) for c in range(self.classes)), to_ball(total)]
                    for i, total in enumerate(everyone)
                ]
            )
            found = arb_mat(balls) * moments
            scored = [tuple(map(from_ball, row)) for row in found.tolist()]
            return [(row[:-1], row[-1]) for row in scored]

    def score_balls(self, index: int, accuracy: int) -> tuple[tuple[Enclosure, ...], Enclosure]:
        """Return enclosures of the class scores and of the sum of alpha; see alpha_balls.

        Raises Undecided when the system is not inverted within the precision limit.

        Proof: `proofs/alpha.md`.
        """
        return self._scores(*self._weights([index], accuracy))[0]

    def _overflow_free(self, weights: Floats) -> bool:
        return bool(np.isfinite(weights).all()) and math.isfinite(max(self._column_norms))

    def _alpha_error(self, balls: list[arb], floats: list[float], bits: int) -> Fraction:
        """Return a bound on sum_i |alpha_i - fl(x_i . w~)|, w~ the rounded weights.

        |alpha_i - fl(x_i . w~)| <= sum_j |x_ij| (|w_j - w~_j| + gamma_k |w~_j|) + flushed terms.
        """
        n, k = self.train.shape
        with working_precision(bits):
            growth = to_ball(_gamma(k))
            total = arb(0)
            for norm, ball, value in zip(self._column_norms, balls, floats, strict=True):
                total += arb(norm) * (abs(ball - value) + growth * abs(value))
            largest = Fraction(max(map(abs, floats))) + Fraction(max(self._column_norms))
            flushed: Fraction = _FLUSH * n * k * (1 + largest)
            return upper_bound(total) + flushed

    def alpha_balls(self, index: int, accuracy: int) -> list[arb]:
        """Return enclosures of the n alphas of one test point, the narrower the larger `accuracy`.

        `accuracy` is in bits, of the inverse of X'X + ridge D.

        Raises Undecided when the system is not inverted within the precision limit.

        Proof: `proofs/alpha.md`.
        """
        weights, bits = self._weights([index], accuracy)
        alphas: list[arb] = []
        with working_precision(bits):
            for block, exponents in self._integer_blocks():
                column = [
                    weight * to_ball(_power(exponent))
                    for weight, exponent in zip(weights[0], exponents, strict=True)
                ]
                alphas += (arb_mat(block) * arb_mat(self._k, 1, column)).entries()
        return alphas

    def exact_weights(self, index: int) -> list[Fraction]:
        """Return w = (X'X + ridge D)^-1 h of one test point as rationals.

        Proof: `proofs/alpha.md`.
        """
        k = self._k
        matrix = fmpq_mat(k, k, [_fmpq(self._entry(i, j)) for i in range(k) for j in range(k)])
        right = fmpq_mat(k, 1, [_fmpq(Fraction(value)) for value in self.test[index].tolist()])
        solved = matrix.solve(right)
        return [Fraction(int(w.p), int(w.q)) for w in solved.entries()]

    def exact_scores(self, index: int) -> list[Fraction]:
        """Return the score of each class, of one test point, as rationals; alpha sums to their sum.

        Proof: `proofs/alpha.md`.
        """
        weights = self.exact_weights(index)
        return [
            sum((w * self._class_sum(i, c) for i, w in enumerate(weights)), Fraction(0))
            for c in range(self.classes)
        ]

    def exact_alpha(self, index: int) -> list[Fraction]:
        """Return the n alphas of one test point as rationals: slow, for ties.

        Proof: `proofs/alpha.md`.
        """
        weights = self.exact_weights(index)
        alphas: list[Fraction] = []
        for block, exponents in self._integer_blocks():
            scaled = [w * _power(e) for w, e in zip(weights, exponents, strict=True)]
            bottom = math.lcm(*(value.denominator for value in scaled))
            column = fmpz_mat(self._k, 1, [int(value * bottom) for value in scaled])
            alphas += [Fraction(int(top), bottom) for top in (block * column).entries()]
        return alphas

    def _integer_blocks(self) -> Iterator[tuple[fmpz_mat, list[int]]]:
        for rows in _row_blocks(self.train):
            integers, exponents = integer_columns(rows)
            yield fmpz_mat(len(rows), self._k, integers.ravel().tolist()), exponents


def _keeps_subnormals() -> bool:
    """Return whether subnormal numbers are taken as they are, in arguments and in results."""
    least = np.array([5e-324, 2.0**-1022])
    return bool((least * np.array([1.0, 0.5]) != 0).all())


def _exact_moments(
    train: Floats, labels: Labels, classes: int
) -> tuple[fmpz_mat, fmpz_mat, list[int]]:
    """Return X'X and X'Y, Y the indicators of the classes, as integers, and column exponents.

    Entry (i, j) of X'X is to be taken times 2^(e_i + e_j), entry (i, c) of X'Y times 2^(e_i).
    """
    k = train.shape[1]
    gram, sums = fmpz_mat(k, k), fmpz_mat(k, classes)
    common, start = [0] * k, 0
    for rows in _row_blocks(train):
        indicators = labels[start : start + len(rows), None] == np.arange(classes)
        start += len(rows)
        part, part_sums, exponents = _gram(rows, indicators.astype(np.float64))
        lower = [min(pair) for pair in zip(common, exponents, strict=True)]
        gram = _shifted(gram, common, lower) + _shifted(part, exponents, lower)
        sums = _lifted(sums, common, lower) + _lifted(part_sums, exponents, lower)
        common = lower
    return gram, sums, common


def _gram(rows: Floats, targets: Floats) -> tuple[fmpz_mat, fmpz_mat, list[int]]:
    """Return rows'rows and rows'targets exactly, as integers and the exponents of the columns.

    `targets` are 0 and 1.
    """
    limbs = _limbs(rows)
    k, width = rows.shape[1], targets.shape[1]
    if limbs is None:
        integers, exponents = integer_columns(rows)
        matrix = fmpz_mat(len(rows), k, integers.ravel().tolist()).transpose()
        indicators = fmpz_mat(len(rows), width, targets.astype(np.int64).ravel().tolist())
        return matrix * matrix.transpose(), matrix * indicators, exponents
    parts, exponents = limbs
    count = len(parts)
    grams = np.zeros((2 * count - 1, k, k), dtype=np.int64)
    sums = np.zeros((count, k, width), dtype=np.int64)
    for start in range(0, len(rows), _EXACT_ROWS):
        few = slice(start, start + _EXACT_ROWS)
        wide = np.hstack([part[few] for part in parts])
        # Every partial sum is an integer below 2^53: exact in any order.
        product = (wide.T @ wide).astype(np.int64)
        sums += (wide.T @ targets[few]).astype(np.int64).reshape(sums.shape)
        for i in range(count):
            for j in range(count):
                grams[i + j] += product[i * k : (i + 1) * k, j * k : (j + 1) * k]
    return _joined(grams), _joined(sums), exponents


def _joined(parts: NDArray[np.int64]) -> fmpz_mat:
    """Return the matrix of which these are the digits to base 2^21, most significant first."""
    entries = parts[0].astype(object)
    for part in parts[1:]:
        entries = (entries << _LIMB) + part
    rows, columns = entries.shape
    return fmpz_mat(rows, columns, entries.ravel().tolist())


def _limbs(rows: Floats) -> tuple[list[Floats], list[int]] | None:
    """Return integers of at most 21 bits, most significant first, that make up each column.

    rows[:, j] = sum_l parts[l][:, j] 2^(21 (count - 1 - l)) 2^(exponents[j]), exactly. None where
    that takes more than _MOST_LIMBS parts.
    """
    exponents = np.frexp(rows)[1].astype(np.int64)
    nonzero = rows != 0
    top = np.where(nonzero, exponents, -_FAR_EXPONENT).max(axis=0)
    low = np.where(nonzero, exponents, _FAR_EXPONENT).min(axis=0) - 53
    top = np.where(nonzero.any(axis=0), top, 0)
    low = np.where(nonzero.any(axis=0), low, 0)
    count = max(1, -(-int((top - low).max()) // _LIMB))
    if count > _MOST_LIMBS or int(np.abs(top).max()) > _MODERATE_EXPONENT:
        return None
    parts, rest = [], np.ldexp(rows, (_LIMB - top).astype(np.int32))
    for _ in range(count):
        part = np.trunc(rest)  # not floor: the rest of a small negative number would be rounded
        parts.append(part)
        rest -= part
        rest *= 2.0**_LIMB
    return parts, [int(e) - _LIMB * count for e in top]


def _shifted(gram: fmpz_mat, exponents: list[int], lower: list[int]) -> fmpz_mat:
    """Return the same matrix for smaller column exponents."""
    shift = [old - new for old, new in zip(exponents, lower, strict=True)]
    if not any(shift):
        return gram
    size = range(len(shift))
    return fmpz_mat([[gram[i, j] << (shift[i] + shift[j]) for j in size] for i in size])


def _lifted(sums: fmpz_mat, exponents: list[int], lower: list[int]) -> fmpz_mat:
    """Return the same matrix for smaller exponents of its rows."""
    shift = [old - new for old, new in zip(exponents, lower, strict=True)]
    if not any(shift):
        return sums
    width = range(sums.ncols())
    return fmpz_mat([[sums[i, c] << by for c in width] for i, by in enumerate(shift)])


def _is_accurate(inverse: arb_mat, accuracy: int) -> bool:
    entries = inverse.entries()
    if not all(entry.is_finite() for entry in entries):
        return False
    # Balls of no width: their order is always known.
    size = max(entry.abs_upper() for entry in entries)
    spread = max(entry.rad() for entry in entries)
    return bool(spread * (1 << accuracy) <= size)


def _row_blocks(rows: Floats) -> Iterator[Floats]:
    step = max(1, _BLOCK_ENTRIES // rows.shape[1])
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _column_norms(rows: Floats) -> list[float]:
    """Return upper bounds on the l1 norms of the columns."""
    norms = []
    for column in rows.T:
        try:
            norms.append(math.nextafter(math.fsum(np.abs(column)), math.inf))
        except OverflowError:
            norms.append(math.inf)
    return norms


def _power(exponent: int) -> Fraction:
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def _half_log2(value: Fraction) -> int:
    """Return about half the binary logarithm of a positive number (0 for 0)."""
    if value == 0:
        return 0
    return (value.numerator.bit_length() - value.denominator.bit_length()) // 2


def _dot(x: list[arb], y: list[arb]) -> arb:
    total = arb(0)
    for a, b in zip(x, y, strict=True):
        total += a * b
    return total


def _gamma(terms: int) -> Fraction:
    """Return gamma_n, the relative error of a float sum of n products, in any order."""
    return terms * _UNIT / (1 - terms * _UNIT)


def _rounded(
    exact: list[list[arb]], weights: list[arb] | None, terms: int
) -> tuple[Floats, Floats]:
    """Return a matrix rounded to float64, and bounds on the errors of float products h @ it.

    `terms` is the number of its rows. The error of entry j is at most |h| @ errors[:, j]; with
    `weights` sum_j weights_j errors[:, j] is returned in its place.
    """
    floats = np.array([[_to_float(ball) for ball in row] for row in exact])
    growth = to_ball(_gamma(terms))
    errors = [
        [abs(ball - value) + growth * abs(value) for ball, value in zip(row, line, strict=True)]
        for row, line in zip(exact, floats.tolist(), strict=True)
    ]
    if weights is None:
        return floats, np.array([[_up(error) for error in row] for row in errors])
    return floats, np.array([_up(_dot(row, weights)) for row in errors])


def _up(ball: arb) -> float:
    """Return a float64 above a ball, infinite where it is not finite."""
    return round_up(upper_bound(ball)) if ball.is_finite() else math.inf


def _to_float(ball: arb) -> float:
    """Return a float64 near the midpoint; its distance from the ball is bounded by the caller."""
    return float(ball.mid())


def _fmpq(value: Fraction) -> fmpq:
    return fmpq(fmpz(value.numerator), fmpz(value.denominator))
