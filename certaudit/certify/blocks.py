"""alpha of many test points at once, in float64, with a proven l1 error for each.

The k x k inverse is enclosed once, in balls; from then on a block of test points costs three float
products. What floats cannot decide of a point is left open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from certaudit.certify.data import Floats
from certaudit.certify.least_squares import LeastSquares
from certaudit.exact import round_up

__all__ = ["AlphaBlock", "AlphaBlocks", "Signs"]

Signs = NDArray[np.int8]

_BLOCK = 64
_ENTRIES = 1 << 23
"""Most entries of alpha in a block: 64 MB."""
_MODERATE = 2.0**300
"""Magnitudes up to which no product overflows, and flushed ones do not matter."""
_FLUSH = 2.0**-300
_UP = 1.0 + 2.0**-30
"""Covers the rounding of the few sums and products of numbers >= 0 that make up an error."""


@dataclass(frozen=True)
class AlphaBlock:
    """A block of b test points: `alpha` (b x n) and what is decided about each.

    `alpha_error` bounds the l1 distance from the true alpha (infinite: no bound). `scores` are off
    by at most `score_error` (b x s): of each class, or, where q was given, E[alpha'y] over noisy
    labels and alpha'y. Then `mean_sign` and `label_sign` are the signs of these less 1/2, and
    `reach_sign` that of sum_i max(alpha_i, 0) - 1/2: each 1 or -1 where it is proven, 0 where it
    is open.
    """

    indices: Sequence[int]
    alpha: Floats
    alpha_error: Floats
    scores: Floats
    score_error: Floats
    reach_sign: Signs

    @cached_property
    def mean_sign(self) -> Signs:
        """Two labels: the sign of E[alpha'y] - 1/2."""
        return _sign(self.scores[:, 0] - 0.5, self.score_error[:, 0])

    @cached_property
    def label_sign(self) -> Signs:
        """Two labels: the sign of alpha'y - 1/2."""
        return _sign(self.scores[:, 1] - 0.5, self.score_error[:, 1])


class AlphaBlocks:
    """The blocks of the test points of a fitted classifier: `step` points each.

    With q the scores are those of two labels under this noise, without it those of the classes.

    Raises Undecided where X'X + ridge is not inverted at 2^18 bits.
    """

    def __init__(self, model: LeastSquares, q: Fraction | None = None) -> None:
        # A noisy label i is 1 with probability q + (1 - 2q) y_i.
        wanted = None if q is None else [[q, 1 - q], [Fraction(0), Fraction(1)]]
        self._model, self._solver, self._two = model, model.float_solver(wanted), q is not None
        n = len(model.train)
        # A product with rows that are stored one after the other is a quarter faster.
        design = model.train.T
        self._design = np.ascontiguousarray(design) if design.size <= _ENTRIES else design
        self._gamma_n = round_up(Fraction(n, (1 << 53) - n))
        self.step = max(1, min(_BLOCK, _ENTRIES // n))
        solver = self._solver
        sizes = (solver.inverse, solver.inverse_error, solver.scores, solver.score_error)
        # nan and infinity fail the comparison.
        largest = np.max([np.abs(part).max() for part in (*sizes, solver.norms)])
        self._moderate = bool(largest < _MODERATE)

    def buffer(self) -> Floats:
        """Return room for the alphas of a block."""
        return np.empty((self.step, len(self._model.train)))

    def __call__(self, indices: Sequence[int], buffer: Floats) -> AlphaBlock:
        """Return the block of the test points with these indices, all of one index // step.

        Its alphas are in `buffer`, until that is used again.

        Proof: `proofs/alpha-blocks.md`.
        """
        model, solver = self._model, self._solver
        places = [index % self.step for index in indices]
        # BLAS may round otherwise in a product of another shape: every block has the same one, and
        # a point always the same row in it, so that its alpha does not depend on its company.
        tests = np.zeros((self.step, len(solver.norms)))
        tests[places] = model.test[list(indices)]
        with np.errstate(over="ignore", invalid="ignore"):
            weights = tests @ solver.inverse
            scores = tests @ solver.scores
            sizes = np.abs(tests)
            errors = sizes @ solver.inverse_error + solver.gamma * (np.abs(weights) @ solver.norms)
            errors = errors * _UP + _FLUSH
            score_errors = (sizes @ solver.score_error) * _UP + _FLUSH
            fit = (sizes.max(axis=1) < _MODERATE) & (np.abs(weights).max(axis=1) < _MODERATE)
            fit &= self._moderate & (errors < _MODERATE)
            weights[~fit] = 0.0
            alpha = np.matmul(weights, self._design, out=buffer)
        errors[~fit] = np.inf
        score_errors[~fit] = np.inf
        if places != list(range(self.step)):
            alpha, errors = alpha[places], errors[places]
            scores, score_errors = scores[places], score_errors[places]
        return AlphaBlock(
            indices,
            alpha,
            errors,
            scores,
            score_errors,
            self._reach(alpha, errors),
        )

    def _reach(self, alpha: Floats, errors: Floats) -> Signs:
        if self._model.intercept or not self._two:
            # The alphas sum to 1, so the positive ones to no less. (Of no use to many classes.)
            return np.ones(len(alpha), dtype=np.int8)
        reach = np.array([float(np.maximum(row, 0.0).sum()) for row in alpha])
        return _sign(reach - 0.5, (errors + self._gamma_n * reach) * _UP)


def _sign(values: Floats, errors: Floats) -> Signs:
    """Return 1 or -1 where numbers with these errors have that sign, 0 where it is open."""
    return (values > errors).astype(np.int8) - (values < -errors).astype(np.int8)
