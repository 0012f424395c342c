"""How many label flips a prediction stands, exactly: brackets for the test points of a run.

The engines decide on alphas that are known to within an error; here it is found out which alphas,
for which class, and what of a bracket a checker can verify by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from itertools import groupby

import numpy as np
from flint import arb

from certaudit.certify.blocks import AlphaBlocks
from certaudit.certify.data import Floats, Labels
from certaudit.certify.least_squares import LeastSquares
from certaudit.errors import Undecided
from certaudit.exact import round_up
from certaudit.fast import flips as fast
from certaudit.fast.tail import NoiseLogs, minimise, summarise
from certaudit.rigorous import flips as rigorous
from certaudit.rigorous.balls import from_ball, order, to_ball, working_precision
from certaudit.rigorous.flips import (
    MAX_ENUMERATED,
    Alphas,
    Bracket,
    Side,
    ends,
    supports,
    worst_order,
)
from certaudit.rigorous.tail import log_error_bound

__all__ = [
    "bracket_from_alpha",
    "bracket_of_point",
    "side_of_vote",
    "unsmoothed_brackets",
]

_ACCURACIES = (128, 1024)
"""Bits at which alphas are enclosed where floats have no error bound."""
_BINS = 8192
"""Into which alphas are sorted for Chernoff's bound."""
_LOG_HALF = -0.6931471805599454
"""Just below ln 1/2."""


def bracket_of_point(
    model: LeastSquares, index: int, labels: Labels, q: Fraction, prediction: int
) -> tuple[Bracket, Alphas]:
    """Return the bracket of a test point, from alphas in balls or of few labels as rationals.

    And the alphas by whose order the flips are the worst ones. The bracket is that of the winner of
    the vote where that is proven, else of `prediction`. With no alphas that are known well enough
    nothing is proven.

    Proof: `proofs/flips.md`.
    """
    if len(labels) <= MAX_ENUMERATED:
        # Ties of real numbers are then decided, too.
        exact = model.exact_alpha(index)
        found = rigorous.bracket(exact, labels, q, prediction)
        if found.refuted_at == 0:
            found = rigorous.bracket(exact, labels, q, 1 - prediction)
        return _with_checks(found, exact, labels, q), exact
    found = Bracket(prediction, -1, None, None, None)
    alpha: Floats = np.zeros(len(labels))
    for accuracy in _ACCURACIES:
        try:
            near, error = _from_balls(model.alpha_balls(index, accuracy))
        except Undecided:
            break
        if error is not None:
            alpha = near
            found = bracket_from_alpha(alpha, error, labels, q, prediction)
            if found.proved >= 0:
                break
    return found, alpha


def _with_checks(found: Bracket, exact: Sequence[Fraction], labels: Labels, q: Fraction) -> Bracket:
    """Return a bracket of rational alphas with what a checker can verify, by Chernoff's bound."""
    alpha = np.array([round_up(value) for value in exact])
    if not np.isfinite(alpha).all():
        return found
    near = zip(exact, alpha.tolist(), strict=True)
    error = sum((abs(value - Fraction(other)) for value, other in near), Fraction(0))
    return _with_chernoff(found, _Chernoff(alpha, error, labels, q, found.prediction))


def _from_balls(balls: list[arb]) -> tuple[Floats, Fraction | None]:
    """Return floats near balls, and a bound on their l1 distance from anything in these."""
    middle = np.array([float(ball.mid()) for ball in balls])
    if not np.isfinite(middle).all():
        return middle, None
    error = Fraction(0)
    for ball, value in zip(balls, middle.tolist(), strict=True):
        enclosure = from_ball(ball)
        error += max(abs(enclosure.upper - Fraction(value)), abs(enclosure.lower - Fraction(value)))
    return middle, error


def bracket_from_alpha(
    alpha: Floats,
    error: Fraction,
    labels: Labels,
    q: Fraction,
    prediction: int,
    *,
    engine: str = "fast",
) -> Bracket:
    """Return the bracket for alphas within `error` of these, in l1 distance.

    It is that of the winner of the vote where that is proven, else of `prediction`. Where
    Chernoff's bound gives a checker more than Berry and Esseen, its parameter is there.

    Proof: `proofs/flips.md`.
    """
    decide: Callable[..., Bracket] = fast.bracket if engine == "fast" else rigorous.bracket
    found = decide(alpha, labels, q, prediction, alpha_error=error)
    if found.refuted_at == 0:
        other = decide(alpha, labels, q, 1 - prediction, alpha_error=error)
        found = other if other.proved >= 0 else found
    return _with_chernoff(found, _Chernoff(alpha, error, labels, q, found.prediction))


def unsmoothed_brackets(
    model: LeastSquares, labels: Labels, indices: Sequence[int]
) -> Iterator[tuple[int, int, int | None]]:
    """Yield the prediction without noise (q = 0) of test points, and the bracket of its radius.

    So many flips do not change it, and so many do (None: nothing does). `indices` rise.

    Raises Undecided where X'X + ridge is not inverted at 2^18 bits.

    Proof: `proofs/exchange.md`.
    """
    blocks = AlphaBlocks(model, Fraction(1, 4))  # of any noise: only alpha'y is used
    buffer = blocks.buffer()
    for _, some in groupby(indices, key=lambda index: index // blocks.step):
        block = blocks(list(some), buffer)
        for row, index in enumerate(block.indices):
            sign, error = int(block.label_sign[row]), float(block.alpha_error[row])
            if sign and math.isfinite(error):
                prediction, alpha = int(sign > 0), block.alpha[row]
                bracket = fast.unsmoothed_bracket(
                    alpha, labels, prediction, alpha_error=Fraction(error)
                )
            else:
                exact = model.exact_alpha(index)
                prediction = int(model.exact_scores(index)[1] >= Fraction(1, 2))
                bracket = rigorous.unsmoothed_bracket(exact, labels, prediction)
            yield prediction, *bracket


def side_of_vote(
    alpha: Floats, error: Fraction, labels: Labels, q: Fraction, winner: int
) -> Side | None:
    """Return how the vote with these labels is proven to be for `winner`; None: it is not.

    With Chernoff's t where that is what a checker can verify.

    Proof: `proofs/flips.md`.
    """
    found, method = fast.vote_winner(alpha, labels, q, alpha_error=error)
    if found == winner and method in ("no-noise", "berry-esseen"):
        return Side(method, 0, method)
    chernoff = _Chernoff(alpha, error, labels, q, winner)
    t = chernoff.witness(0, winner)
    if t is not None and chernoff.is_proof(0, t):
        return Side(method or "chernoff", 0, "chernoff", t)
    return Side(method) if found == winner and method else None


class _Chernoff:
    """Chernoff's bound on the vote for `prediction` after so many worst flips."""

    def __init__(
        self, alpha: Floats, error: Fraction, labels: Labels, q: Fraction, prediction: int
    ) -> None:
        self.alpha, self.error, self.labels = alpha, error, labels
        self.q, self.prediction = q, prediction

    @cached_property
    def order(self) -> Labels:
        """The training points of positive support, the largest first."""
        return worst_order(self.alpha, self.labels, self.prediction)

    def scores(self) -> Floats:
        """Return about how many deviations the mean margin is above 0, after 0, 1, ... flips.

        Decides only which numbers of flips are tried.
        """
        q, side = float(self.q), 2 * self.prediction - 1
        taken = np.concatenate([[0.0], np.cumsum(np.abs(self.alpha[self.order]))])
        start = side * (self.alpha[self.labels == 1].sum() - 0.5)
        mean = start - q * supports(self.alpha, self.labels, self.prediction).sum()
        with np.errstate(all="ignore"):
            spread = math.sqrt(q * (1 - q)) * np.linalg.norm(self.alpha)
            return np.asarray((mean - (1 - 2 * q) * taken) / spread)

    def _flipped(self, flips: int) -> Labels:
        found = self.labels.copy()
        worst = self.order[:flips]
        found[worst] = 1 - found[worst]
        return found

    def witness(self, flips: int, winner: int) -> float | None:
        """Return a t that proves the vote for `winner` after so many worst flips, in floats."""
        summary = summarise(self.alpha[None, :], self._flipped(flips), 2, _BINS)
        direction, error = np.array([2.0 * winner - 1.0]), np.array([round_up(self.error)])
        with np.errstate(all="ignore"):
            tau, bounds = minimise(summary, direction, NoiseLogs.of(self.q), error)
        t = float(tau[0] * summary.scale[0])
        return t if bounds.upper[0] < _LOG_HALF and math.isfinite(t) else None

    def is_proof(self, flips: int, t: float) -> bool:
        """Return whether t proves that vote, in balls."""
        labels = self._flipped(flips)
        zeros, ones = self.alpha[labels == 0].tolist(), self.alpha[labels == 1].tolist()
        bound = log_error_bound(t, zeros, ones, self.q, alpha_error=self.error)
        with working_precision(128):
            return order(to_ball(bound.upper), arb(0.5).log()) == -1


def _with_chernoff(found: Bracket, chernoff: _Chernoff) -> Bracket:
    """Return the bracket with Chernoff's bounds where these give a checker more than it had."""
    proof, refutation = found.proof, found.refutation
    if found.proof == Side("constant") or found.refutation == Side("constant"):
        return found
    positive, scores = len(chernoff.order), chernoff.scores()
    if proof is not None:
        # Of a normal law it proves what is more than 1.18 deviations away.
        known = -1 if proof.flips is None else min(proof.flips, positive)
        most = min(found.proved, positive)
        if proof.check is None or np.count_nonzero(scores > 1) - 1 > known:
            flips, t = _farthest(lambda r: chernoff.witness(r, found.prediction), most, known)
            if t is not None and chernoff.is_proof(flips, t):
                proved, _ = ends(len(chernoff.labels), positive, flips, positive + 1)
                flips = min(proved, found.proved)
                proof = replace(proof, flips=flips, check="chernoff", t=t)
    if refutation is not None and found.refuted_at is not None:
        # The other way round: from the most flips there are down to the least.
        known = -1 if refutation.flips is None else positive - refutation.flips
        most = positive - found.refuted_at
        if refutation.check is None or np.count_nonzero(scores < -1) - 1 > known:
            left, t = _farthest(
                lambda r: chernoff.witness(positive - r, 1 - found.prediction), most, known
            )
            if t is not None and chernoff.is_proof(positive - left, t):
                refutation = replace(refutation, flips=positive - left, check="chernoff", t=t)
    return replace(found, proof=proof, refutation=refutation)


def _farthest(
    witness: Callable[[int], float | None], most: int, low: int
) -> tuple[int, float | None]:
    """Return the largest number above `low` up to `most` with a witness, and it, by bisection."""
    best: tuple[int, float | None] = (low, None)
    high, guess = most + 1, most
    while high - low > 1:
        t = witness(guess)
        if t is None:
            high = guess
        else:
            low, best = guess, (guess, t)
        guess = (low + high) // 2
    return best
