"""Appendix B: more than two classes. Votes by enumeration, B.2 for a pair, B.3 as its sum.

Scores s_c = sum of alpha_j over the noisy labels j that are c; noise replaces a label with
probability q by another one of the K classes, uniformly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Literal

import mpmath
from mpmath import mpf

from certaudit.reference.radius import kl_radius_from_log_error, number
from certaudit.reference.threshold import ratio_regions, threshold

__all__ = [
    "Certificate",
    "Rival",
    "candidate",
    "certificate",
    "classify",
    "flip_divergence",
    "hard_vote",
    "log_pair_chernoff",
    "log_pair_chernoff_slope",
    "noisy_labellings",
    "optimal_pair_t",
    "pair_law",
    "pair_share",
    "pairwise_log_error",
    "pairwise_winner",
    "plurality_log_error",
    "plurality_share",
    "plurality_winner",
    "rivals",
    "scores",
    "soft_votes",
    "tight_radius_from_log_error",
]

Vote = Literal["pairwise", "plurality"]
HALF = Fraction(1, 2)

# B.1: votes


def scores(alpha: Sequence[Fraction], labels: Sequence[int], K: int) -> list[Fraction]:
    """alpha'Y_c for every class c, Y the one-hot labels (B.2).

    Proof: `proofs/votes.md`.
    """
    result = [Fraction(0)] * K
    for a, y in zip(alpha, labels, strict=True):
        result[y] += a
    return result


def classify(alpha: Sequence[Fraction], labels: Sequence[int], K: int) -> int:
    """The base classifier phi = arg max_c alpha'Y_c (B.2); of equal scores the higher class.

    B.2 does not say who wins ties; with two labels 1 does.

    Proof: `proofs/votes.md`.
    """
    result = scores(alpha, labels, K)
    return max(range(K), key=lambda c: (result[c], c))


def noisy_labellings(
    labels: Sequence[int], q: Fraction, K: int
) -> Iterator[tuple[tuple[int, ...], Fraction]]:
    """Every labelling with its probability under the noise of B.2.

    Proof: `proofs/votes.md`.
    """
    for noisy in product(range(K), repeat=len(labels)):
        flips = sum(a != b for a, b in zip(noisy, labels, strict=True))
        yield noisy, (1 - q) ** (len(labels) - flips) * (q / (K - 1)) ** flips


def soft_votes(
    alpha: Sequence[Fraction], labels: Sequence[int], q: Fraction, K: int
) -> list[Fraction]:
    """G(mu, phi, c) = E[1{phi = c}] for every class c (B.1).

    Proof: `proofs/votes.md`.
    """
    result = [Fraction(0)] * K
    for noisy, probability in noisy_labellings(labels, q, K):
        result[classify(alpha, noisy, K)] += probability
    return result


def hard_vote(votes: Sequence[Fraction]) -> int:
    """g(mu, phi) = arg max_c G(mu, phi, c) (B.1); of equal votes the higher class.

    Proof: `proofs/votes.md`.
    """
    return max(range(len(votes)), key=lambda c: (votes[c], c))


def plurality_share(
    alpha: Sequence[Fraction], labels: Sequence[int], i: int, q: Fraction, K: int
) -> Fraction:
    """P(s_i > s_b for all b != i): G(mu, phi, i) with ties against i, a lower bound on it.

    Proof: `proofs/votes.md`.
    """
    total = Fraction(0)
    for noisy, probability in noisy_labellings(labels, q, K):
        s = scores(alpha, noisy, K)
        if all(s[i] > s[b] for b in range(K) if b != i):
            total += probability
    return total


def plurality_winner(
    alpha: Sequence[Fraction], labels: Sequence[int], q: Fraction, K: int
) -> int | None:
    """The class with more than half of the plurality votes, ties against it; or none.

    Proof: `proofs/votes.md`.
    """
    for i in range(K):
        if plurality_share(alpha, labels, i, q, K) > HALF:
            return i
    return None


def pair_share(
    alpha: Sequence[Fraction], labels: Sequence[int], i: int, b: int, q: Fraction, K: int
) -> Fraction:
    """P(s_i > s_b), the probability that B.2 bounds from below; ties against i.

    Proof: `proofs/votes.md`.
    """
    total = Fraction(0)
    for noisy, probability in noisy_labellings(labels, q, K):
        s = scores(alpha, noisy, K)
        if s[i] > s[b]:
            total += probability
    return total


def pairwise_winner(
    alpha: Sequence[Fraction], labels: Sequence[int], q: Fraction, K: int
) -> int | None:
    """The class that beats every other, P(s_i > s_b) > 1/2 for all b; or none.

    Proof: `proofs/votes.md`.
    """
    for i in range(K):
        if all(pair_share(alpha, labels, i, b, q, K) > HALF for b in range(K) if b != i):
            return i
    return None


# B.2: the Chernoff bound of a pair


def pair_law(label: int, i: int, b: int, q: Fraction, K: int) -> dict[int, Fraction]:
    """The law of Y_ji - Y_jb, three values, for a label y_j (B.2).

    Proof: `proofs/pair-chernoff.md`.
    """
    other = q / (K - 1)
    up = 1 - q if label == i else other
    down = 1 - q if label == b else other
    return {1: up, 0: 1 - up - down, -1: down}


def log_pair_chernoff(
    t: mpf, alpha: Sequence[mpf], labels: Sequence[int], i: int, b: int, q: Fraction, K: int
) -> mpf:
    """B.2: ln B_ib(t) = sum_j ln E exp(-t alpha_j (Y_ji - Y_jb)) >= ln P(s_i <= s_b), t >= 0.

    Proof: `proofs/pair-chernoff.md`.
    """
    laws = [{d: number(mass) for d, mass in pair_law(y, i, b, q, K).items()} for y in range(K)]
    total = mpf(0)
    for a, y in zip(alpha, labels, strict=True):
        e = mpmath.exp(-t * a)
        total += mpmath.log(laws[y][1] * e + laws[y][0] + laws[y][-1] / e)
    return total


def log_pair_chernoff_slope(
    t: mpf, alpha: Sequence[mpf], labels: Sequence[int], i: int, b: int, q: Fraction, K: int
) -> tuple[mpf, mpf]:
    """The first two derivatives of ln B_ib at t: minus the tilted mean, the tilted variance.

    Proof: `proofs/pair-chernoff.md`.
    """
    slope, curvature = mpf(0), mpf(0)
    for a, y in zip(alpha, labels, strict=True):
        law = pair_law(y, i, b, q, K)
        up, middle, down = (number(law[d]) * mpmath.exp(-t * a * d) for d in (1, 0, -1))
        mean = (up - down) / (up + middle + down)
        square = (up + down) / (up + middle + down)
        slope -= a * mean
        curvature += a * a * (square - mean * mean)
    return slope, curvature


def optimal_pair_t(
    alpha: Sequence[mpf], labels: Sequence[int], i: int, b: int, q: Fraction, K: int
) -> mpf:
    """The t >= 0 at which ln B_ib is least, by Newton's method inside a bracket.

    0 where the slope at 0 is not negative: then no t > 0 gives less than ln B_ib(0) = 0.
    Otherwise there is a minimum, as ln B_ib grows without end.

    Proof: `proofs/pair-chernoff.md`.
    """
    low, high = mpf(0), mpmath.inf
    if log_pair_chernoff_slope(low, alpha, labels, i, b, q, K)[0] >= 0:
        return low
    t = 1 / max(abs(a) for a in alpha)
    for _ in range(200):
        slope, curvature = log_pair_chernoff_slope(t, alpha, labels, i, b, q, K)
        low, high = (t, high) if slope < 0 else (low, t)
        step = t - slope / curvature if curvature > 0 else mpmath.inf
        if abs(step - t) <= t * mpf(10) ** -12:
            break
        if not low < step < high:
            step = 4 * t if mpmath.isinf(high) else (low + high) / 2
        t = step
    return t


def candidate(alpha: Sequence[Fraction], labels: Sequence[int], K: int) -> int:
    """The only class that B.2 can prove: that of the largest E s_c = largest unsmoothed score.

    B.2 tries every class. Of equal scores the higher class: nothing is proven for it then.

    Proof: `proofs/pair-chernoff.md`.
    """
    return classify(alpha, labels, K)


@dataclass(frozen=True, slots=True)
class Rival:
    """A class b, the t for it, and ln B_ib(t)."""

    rival: int
    t: mpf
    log_error: mpf


def rivals(
    alpha: Sequence[Fraction], labels: Sequence[int], i: int, q: Fraction, K: int
) -> tuple[Rival, ...]:
    """B.2 for every pair of class i with another one.

    Proof: `proofs/pair-chernoff.md`.
    """
    numbers = [number(a) for a in alpha]
    found = []
    for b in range(K):
        if b != i:
            t = optimal_pair_t(numbers, labels, i, b, q, K)
            found.append(Rival(b, t, log_pair_chernoff(t, numbers, labels, i, b, q, K)))
    return tuple(found)


def pairwise_log_error(log_errors: Sequence[mpf]) -> mpf:
    """The largest bound: that of the worst pair (B.2, "worst-case choice of i'").

    Proof: `proofs/votes.md`.
    """
    return max(log_errors)


def plurality_log_error(log_errors: Sequence[mpf]) -> mpf:
    """The ln of the sum of the bounds, at most 0.

    P(s_i <= s_b for some b) <= sum_b P(s_i <= s_b). Not in B.2, whose pairs do not bound G of B.1.

    Proof: `proofs/votes.md`.
    """
    return min(mpmath.log(mpmath.fsum(mpmath.exp(x) for x in log_errors)), mpf(0))


# B.3: radii


def flip_divergence(q: Fraction, K: int) -> mpf:
    """B.3: the sum over K labels of rho_i(j) log(rho_i(j)/mu_i(j)), for one changed label.

    Proof: `proofs/votes.md`.
    """
    mu = [1 - q] + [q / (K - 1)] * (K - 1)
    rho = [q / (K - 1), 1 - q] + [q / (K - 1)] * (K - 2)
    return mpmath.fsum(number(r) * mpmath.log(number(r / m)) for r, m in zip(rho, mu, strict=True))


def tight_radius_from_log_error(log_error: mpf, q: Fraction, K: int, limit: int) -> int:
    """F of (2) for K labels at p = 1 - exp(log_error), at most `limit`: strictly above F^-1(r).

    Proof: `proofs/votes.md`.
    """
    if log_error >= -mpmath.log(2):
        return 0
    best = 0
    for r in range(1, limit + 1):
        least = threshold(ratio_regions(1 - q, K, r))
        if least is None or number(1 - least) <= mpmath.exp(log_error):
            break
        best = r
    return best


@dataclass(frozen=True, slots=True)
class Certificate:
    """What B.2 and B.3 say about a point; nothing (radii 0) unless `decided`."""

    prediction: int
    rivals: tuple[Rival, ...]
    log_error: mpf
    decided: bool
    kl_radius: int
    tight_radius: int


def certificate(
    alpha: Sequence[Fraction], labels: Sequence[int], q: Fraction, K: int, vote: Vote
) -> Certificate:
    """B.2 and B.3 for one alpha, corrected: the vote that the bounds speak of, radii at most n.

    Proof: `proofs/votes.md`.
    """
    i = candidate(alpha, labels, K)
    found = rivals(alpha, labels, i, q, K)
    combine = pairwise_log_error if vote == "pairwise" else plurality_log_error
    log_error = combine([rival.log_error for rival in found])
    return Certificate(
        prediction=i,
        rivals=found,
        log_error=log_error,
        decided=log_error < -mpmath.log(2),
        kl_radius=min(kl_radius_from_log_error(log_error, q, K), len(labels)),
        tight_radius=tight_radius_from_log_error(log_error, q, K, len(labels)),
    )
