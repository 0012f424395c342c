"""Definition 1: the vote of a smoothed classifier, by enumeration, in exact fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import lcm

__all__ = ["MAX_ENUMERATED", "classify", "hard_vote", "noisy_score_vote", "soft_vote"]

MAX_ENUMERATED = 20
"""Most labels whose 2**n noisy versions are enumerated."""


def classify(alpha: Sequence[Fraction], labels: Sequence[int]) -> int:
    """The base classifier phi: 1 when alpha'y >= 1/2, else 0 (section 4.1)."""
    score = sum((a for a, y in zip(alpha, labels, strict=True) if y), Fraction(0))
    return int(score >= Fraction(1, 2))


def soft_vote(alpha: Sequence[Fraction], labels: Sequence[int], q: Fraction) -> Fraction:
    """G(mu, phi) = E[phi] for the least-squares phi: each label flipped with probability q.

    Straight from the definition, over all 2**n labellings.
    """
    total = Fraction(0)
    for noisy in product((0, 1), repeat=len(labels)):
        flips = sum(a != b for a, b in zip(noisy, labels, strict=True))
        if classify(alpha, noisy):
            total += q**flips * (1 - q) ** (len(labels) - flips)
    return total


def noisy_score_vote(alpha: Sequence[Fraction], labels: Sequence[int], q: Fraction) -> Fraction:
    """The same G(mu, phi), by counting labellings of each number of flips: for n up to 20.

    Raises ValueError for n > MAX_ENUMERATED.
    """
    n = len(labels)
    if n > MAX_ENUMERATED:
        raise ValueError(f"{n} labels are too many to enumerate (at most {MAX_ENUMERATED})")
    bottom = 2 * lcm(*(a.denominator for a in alpha), 1)
    # (score, flips) of every labelling, as integers over the common denominator.
    outcomes = [(0, 0)]
    for a, y in zip(alpha, labels, strict=True):
        step = int(a * bottom)
        kept, flipped = (step, 0) if y else (0, step)
        outcomes = [(s + kept, f) for s, f in outcomes] + [
            (s + flipped, f + 1) for s, f in outcomes
        ]
    counts = [0] * (n + 1)
    for score, flips in outcomes:
        counts[flips] += 2 * score >= bottom
    return sum(
        (count * q**flips * (1 - q) ** (n - flips) for flips, count in enumerate(counts)),
        Fraction(0),
    )


def hard_vote(share: Fraction) -> int:
    """g(mu, phi) = 1{G(mu, phi) >= 1/2}."""
    return int(share >= Fraction(1, 2))
