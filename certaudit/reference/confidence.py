"""Clopper and Pearson (1934): what k of N samples prove about a vote share, in Fraction."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb

__all__ = ["binomial_tail", "bonferroni", "holm", "lower_bound"]


def binomial_tail(k: int, N: int, p: Fraction) -> Fraction:
    """P(Bin(N, p) >= k), term by term.

    Proof: `proofs/clopper-pearson.md`.
    """
    return sum(
        (comb(N, j) * p**j * (1 - p) ** (N - j) for j in range(max(k, 0), N + 1)), Fraction(0)
    )


def lower_bound(k: int, N: int, a: Fraction, digits: int = 30) -> Fraction:
    """The largest multiple of 10^-digits at which P(Bin(N, p) >= k) <= a: bisection.

    Proof: `proofs/clopper-pearson.md`.
    """
    low, high = 0, 10**digits
    if k <= 0:
        return Fraction(0)
    while high - low > 1:
        middle = (low + high) // 2
        enough = binomial_tail(k, N, Fraction(middle, 10**digits)) <= a
        low, high = (middle, high) if enough else (low, middle)
    return Fraction(low, 10**digits)


def bonferroni(tails: Sequence[Fraction], a: Fraction) -> list[bool]:
    """Which of m claims hold together but with probability a: tails at most a/m.

    Proof: `proofs/clopper-pearson.md`.
    """
    return [tail <= a / len(tails) for tail in tails]


def holm(tails: Sequence[Fraction], a: Fraction) -> list[bool]:
    """Holm (1979): the smallest tail against a/m, the next against a/(m-1), until one fails.

    Proof: `proofs/clopper-pearson.md`.
    """
    holds = [False] * len(tails)
    for step, place in enumerate(sorted(range(len(tails)), key=lambda i: tails[i])):
        if tails[place] > a / (len(tails) - step):
            break
        holds[place] = True
    return holds
