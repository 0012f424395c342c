"""Small multi-class instances and, by exact enumeration, every vote of every labelling of them."""

# ruff: noqa: N806  (K classes, as in the papers)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import lcm
from random import Random

import numpy as np

NOISE = (
    Fraction(1, 1000),
    Fraction(1, 100),
    Fraction(1, 50),
    Fraction(1, 20),
    Fraction(1, 10),
    Fraction(1, 5),
    Fraction(2, 5),
    Fraction(12, 25),
    Fraction(3, 5),
)
"""Below (K-1)/K, if barely, for K = 3; small enough that radii 1 and 2 occur, and near uniform."""


@dataclass(frozen=True)
class Tables:
    """Exact shares of all K^n labellings, as integers over `whole`; label 0 varies slowest.

    pair[i, b] is P(s_i > s_b), sole[i] P(s_i > all others), plain[c] P(phi = c), phi the arg max
    with ties to the higher class.
    """

    labellings: np.ndarray
    whole: int
    pair: dict[tuple[int, int], np.ndarray]
    sole: list[np.ndarray]
    plain: list[np.ndarray]

    def index(self, labels) -> int:
        """Return the place of a labelling."""
        place = 0
        for y in labels:
            place = place * len(self.sole) + int(y)
        return place

    def share(self, table: np.ndarray, labels) -> Fraction:
        """Return a share of one labelling."""
        return Fraction(int(table[self.index(labels)]), self.whole)

    def distances(self, labels) -> np.ndarray:
        """Return the number of labels in which each labelling differs from this one."""
        return (self.labellings != np.array(labels)).sum(axis=1)

    def holds(self, i: int, vote: str) -> np.ndarray:
        """Return for which labellings class i has the vote."""
        if vote == "plurality":
            return 2 * self.sole[i] > self.whole
        beaten = [2 * self.pair[i, b] > self.whole for b in range(len(self.sole)) if b != i]
        return np.logical_and.reduce(beaten)

    def error(self, i: int, vote: str, labels) -> Fraction:
        """Return 1 - share of class i: of the plurality, or of the pair that is worst for it."""
        if vote == "plurality":
            return 1 - self.share(self.sole[i], labels)
        rivals = (b for b in range(len(self.sole)) if b != i)
        return max(1 - self.share(self.pair[i, b], labels) for b in rivals)


@dataclass(frozen=True)
class Case:
    """One test point: its alphas, the labels, the noise, the number of classes."""

    alpha: tuple[Fraction, ...]
    labels: tuple[int, ...]
    q: Fraction
    classes: int

    @cached_property
    def tables(self) -> Tables:
        """Return the exact shares."""
        return share_tables(self.alpha, self.q, self.classes)


def share_tables(alpha, q: Fraction, classes: int) -> Tables:
    """Enumerate all noisy labellings of all labellings, in integers.

    Noise acts on each label by itself: what a labelling gets from the noise of one label is
    (A - B) times its own value plus B times the sum over that label, A = 1 - q, B = q/(K-1).
    """
    K, n = classes, len(alpha)
    labellings = np.array(list(product(range(K), repeat=n)), dtype=np.int8).reshape(K**n, n)
    bottom = lcm(*(a.denominator for a in alpha), 1)
    weights = [int(a * bottom) for a in alpha]
    # Python's integers where 64 bits do not hold a score, or twice a share.
    score = np.zeros((K**n, K), dtype=np.int64 if sum(map(abs, weights)) < 2**62 else object)
    for j, weight in enumerate(weights):
        score[np.arange(K**n), labellings[:, j]] += weight

    unit = lcm(q.denominator, (q / (K - 1)).denominator)
    keep, other = int((1 - q) * unit), int(q / (K - 1) * unit)
    whole = unit**n
    integers = np.int64 if whole < 2**61 else object

    def smoothed(outcome: np.ndarray) -> np.ndarray:
        table = outcome.astype(np.int64).astype(integers).reshape((K,) * n)
        for axis in range(n):
            table = (keep - other) * table + other * table.sum(axis=axis, keepdims=True)
        return table.reshape(K**n)

    top = score.max(axis=1)
    alone = (score == top[:, None]).sum(axis=1) == 1
    chosen = K - 1 - np.argmax(score[:, ::-1], axis=1)
    return Tables(
        labellings,
        whole,
        {(i, b): smoothed(score[:, i] > score[:, b]) for i in range(K) for b in range(K) if i != b},
        [smoothed((score[:, i] == top) & alone) for i in range(K)],
        [smoothed(chosen == c) for c in range(K)],
    )


def random_cases(seed: int, count: int, classes: int = 3, most: int = 8) -> Iterator[Case]:
    """Yield small instances; ties, repeated alphas and labels that agree are likely."""
    random = Random(seed)
    for _ in range(count):
        n = random.randint(1, most)
        bottom = random.choice([1, 2, 6, 10])
        alpha = random.choice(
            [
                [random.randint(-9, 9) for _ in range(n)],
                [random.randint(1, 9) for _ in range(n)],
                [random.choice([1, 1, 2]) for _ in range(n)],
                [random.randint(4, 6) for _ in range(n)],
            ]
        )
        main = random.randrange(classes)
        blur = random.choice([0, 0, 0.1, 0.3, 1])
        labels = [random.randrange(classes) if random.random() < blur else main for _ in range(n)]
        q = random.choice([q for q in NOISE if q < Fraction(classes - 1, classes)])
        yield Case(tuple(Fraction(a, bottom) for a in alpha), tuple(labels), q, classes)


def deep_cases(seed: int, count: int) -> Iterator[Case]:
    """Yield instances with nine labels that agree, three classes and very little noise."""
    random = Random(seed)
    for _ in range(count):
        alpha = [Fraction(random.randint(20, 22), 7) for _ in range(9)]
        yield Case(tuple(alpha), (random.randrange(3),) * 9, Fraction(1, 10**12), 3)
