"""The worst label flips of the smoothed two-label classifier: by enumeration and in mpmath.

S = alpha'y over noisy labels y; the vote is for 1 iff P(S >= 1/2) > 1/2, else for 0. Seen from
class c the margin is M = (2c-1)(S - 1/2): class 1 has the share P(M >= 0), class 0 has P(M > 0).
Slow and readable; Fractions where the answer is exact, mpmath at its current precision elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import combinations

import mpmath
from mpmath import mpc, mpf

from certaudit.reference.radius import number
from certaudit.reference.vote import classify, noisy_score_vote

__all__ = [
    "BERRY_ESSEEN",
    "bernstein_tail",
    "berry_esseen",
    "brute_force_radius",
    "characteristic",
    "deviation",
    "exact_radius",
    "fejer",
    "flip",
    "fourier",
    "hard_margin",
    "lyapunov",
    "margin_law",
    "mean_margin",
    "sawtooth_coefficient",
    "supports",
    "unsmoothed_radius",
    "vote_share",
    "winner",
    "worst_flips",
]

HALF = Fraction(1, 2)
BERRY_ESSEEN = Fraction(56, 100)
"""Shevtsova's constant (2010) for summands of different laws."""


# The adversary


def supports(alpha: Sequence[Fraction], labels: Sequence[int], c: int) -> list[Fraction]:
    """s_i = (2c-1)(2y_i-1) alpha_i: what the margin of class c loses when label i is flipped.

    Proof: `proofs/exchange.md`.
    """
    return [(2 * c - 1) * (2 * y - 1) * a for a, y in zip(alpha, labels, strict=True)]


def worst_flips(
    alpha: Sequence[Fraction], labels: Sequence[int], c: int, r: int
) -> tuple[int, ...]:
    """The worst set of at most r flips: the largest positive supports; ties to the lower index.

    Proof: `proofs/exchange.md`.
    """
    s = supports(alpha, labels, c)
    positive = [i for i in range(len(s)) if s[i] > 0]
    return tuple(sorted(positive, key=lambda i: (-s[i], i))[:r])


def flip(labels: Sequence[int], flips: Collection[int]) -> list[int]:
    """The labels after the flips at these indices.

    Proof: `proofs/exchange.md`.
    """
    return [1 - y if i in flips else y for i, y in enumerate(labels)]


# Votes and radii, exactly


def vote_share(
    alpha: Sequence[Fraction],
    labels: Sequence[int],
    q: Fraction,
    c: int,
    flips: Collection[int] = (),
) -> Fraction:
    """The share of noisy labellings that vote for c, after the flips: by enumeration.

    Raises ValueError for more than 20 labels.

    Proof: `proofs/small-votes.md`.
    """
    share = noisy_score_vote(alpha, flip(labels, flips), q)
    return share if c == 1 else 1 - share


def winner(
    alpha: Sequence[Fraction], labels: Sequence[int], q: Fraction, flips: Collection[int] = ()
) -> int:
    """The vote after the flips; no share is 1/2 (0 <= q < 1/2, rational).

    Raises ValueError for more than 20 labels.

    Proof: `proofs/small-votes.md`.
    """
    return int(vote_share(alpha, labels, q, 1, flips) > HALF)


def exact_radius(alpha: Sequence[Fraction], labels: Sequence[int], q: Fraction, c: int) -> int:
    """The most flips that never take the vote from c, by worst flips; -1: it is not for c.

    n where no flips change it. Raises ValueError for more than 20 labels.

    Proof: `proofs/exchange.md`.
    """
    order = worst_flips(alpha, labels, c, len(labels))
    for r in range(len(order) + 1):
        if winner(alpha, labels, q, order[:r]) != c:
            return r - 1
    return len(labels)


def brute_force_radius(
    alpha: Sequence[Fraction], labels: Sequence[int], q: Fraction, c: int
) -> int:
    """The same from the definition, over all sets of flips.

    Proof: `proofs/exchange.md`.
    """
    n = len(labels)
    for r in range(n + 1):
        if any(winner(alpha, labels, q, flips) != c for flips in combinations(range(n), r)):
            return r - 1
    return n


def hard_margin(alpha: Sequence[Fraction], labels: Sequence[int], c: int) -> Fraction:
    """m0 = (2c-1)(alpha'y - 1/2): the margin of the labels as they are.

    Proof: `proofs/exchange.md`.
    """
    score = sum((a for a, y in zip(alpha, labels, strict=True) if y), Fraction(0))
    return (2 * c - 1) * (score - HALF)


def unsmoothed_radius(alpha: Sequence[Fraction], labels: Sequence[int], c: int) -> int:
    """The radius at q = 0, by one sort; -1: phi is not c; n where no flips change it.

    Class 1 holds while the margin is >= 0, class 0 while it is > 0.

    Proof: `proofs/exchange.md`.
    """
    if classify(alpha, labels) != c:
        return -1
    margin = hard_margin(alpha, labels, c)
    s = supports(alpha, labels, c)
    for r, i in enumerate(worst_flips(alpha, labels, c, len(labels))):
        margin -= s[i]
        if margin < 0 or (margin == 0 and c == 0):
            return r
    return len(labels)


def margin_law(
    alpha: Sequence[Fraction], labels: Sequence[int], q: Fraction, c: int
) -> dict[Fraction, Fraction]:
    """The law of M = m0 - sum_i F_i s_i, F_i = 1 with probability q: value to probability.

    Proof: `proofs/small-votes.md`.
    """
    law = {hard_margin(alpha, labels, c): Fraction(1)}
    for s in supports(alpha, labels, c):
        moved: dict[Fraction, Fraction] = {}
        for value, mass in law.items():
            moved[value] = moved.get(value, Fraction(0)) + (1 - q) * mass
            moved[value - s] = moved.get(value - s, Fraction(0)) + q * mass
        law = moved
    return law


# Berry-Esseen


def mean_margin(alpha: Sequence[Fraction], labels: Sequence[int], q: Fraction, c: int) -> Fraction:
    """E M = m0 - q sum_i s_i.

    Proof: `proofs/berry-esseen.md`.
    """
    return hard_margin(alpha, labels, c) - q * sum(supports(alpha, labels, c), Fraction(0))


def deviation(alpha: Sequence[Fraction], q: Fraction) -> mpf:
    """The standard deviation of M, (q(1-q) sum_i alpha_i^2)^(1/2): no label matters.

    Proof: `proofs/berry-esseen.md`.
    """
    return mpmath.sqrt(number(q * (1 - q) * sum((a * a for a in alpha), Fraction(0))))


def lyapunov(alpha: Sequence[Fraction], q: Fraction) -> mpf:
    """L: the third absolute central moments, summed, over the deviation cubed.

    Each is q(1-q)(q^2 + (1-q)^2)|alpha_i|^3. Raises ZeroDivisionError where alpha is 0 or q is.

    Proof: `proofs/berry-esseen.md`.
    """
    third = q * (1 - q) * (q * q + (1 - q) ** 2) * sum((abs(a) ** 3 for a in alpha), Fraction(0))
    return number(third) / deviation(alpha, q) ** 3


def berry_esseen(
    alpha: Sequence[Fraction],
    labels: Sequence[int],
    q: Fraction,
    c: int,
    x: Fraction = Fraction(0),
) -> tuple[mpf, mpf]:
    """An interval with both P(M < x) and P(M <= x): Phi((x - E M)/sd) -+ 0.5600 L.

    Raises ZeroDivisionError where alpha is 0 or q is.

    Proof: `proofs/berry-esseen.md`.
    """
    error = number(BERRY_ESSEEN) * lyapunov(alpha, q)
    normal = mpmath.ncdf(number(x - mean_margin(alpha, labels, q, c)) / deviation(alpha, q))
    return max(normal - error, mpf(0)), min(normal + error, mpf(1))


# Fourier


def sawtooth_coefficient(u: Fraction) -> mpf:
    """Vaaler's Phi(u) = pi u (1-u) cot(pi u) + u, 0 < u < 1.

    Proof: `proofs/band-limited.md`.
    """
    x = number(u)
    return mpmath.pi * x * (1 - x) * mpmath.cot(mpmath.pi * x) + x


def characteristic(
    alpha: Sequence[Fraction], labels: Sequence[int], q: Fraction, c: int, t: mpf
) -> mpc:
    """f(t) = E e^(itM) = e^(it m0) prod_i (1-q + q e^(-it s_i)).

    Proof: `proofs/band-limited.md`.
    """
    product = mpmath.expj(t * number(hard_margin(alpha, labels, c)))
    for s in supports(alpha, labels, c):
        product *= number(1 - q) + number(q) * mpmath.expj(-t * number(s))
    return product


def bernstein_tail(alpha: Sequence[Fraction], q: Fraction, x: Fraction) -> mpf:
    """Bernstein: P(M - E M >= x) <= exp(-x^2/(2(V + max|alpha| x/3))), so too below; x > 0.

    1 for x <= 0. V = q(1-q) sum_i alpha_i^2.

    Proof: `proofs/band-limited.md`.
    """
    if x <= 0:
        return mpf(1)
    variance = q * (1 - q) * sum((a * a for a in alpha), Fraction(0))
    largest = max((abs(a) for a in alpha), default=Fraction(0))
    if largest == 0:
        return mpf(0)
    return mpmath.exp(-number(x * x / (2 * (variance + largest * x / 3))))


def fejer(values: Sequence[mpf], J: int) -> mpf:
    """(1/(J+1)) (1 + 2 sum of (1 - j/(J+1)) Re f(t_j) over even j <= J): the half width.

    Values are Re f(t_j) for j = 0 .. J.

    Proof: `proofs/band-limited.md`.
    """
    total = mpf(1)
    for j in range(2, J + 1, 2):
        total += 2 * number(1 - Fraction(j, J + 1)) * values[j]
    return total / (J + 1)


def fourier(
    alpha: Sequence[Fraction],
    labels: Sequence[int],
    q: Fraction,
    c: int,
    P: Fraction,
    J: int,
    x: Fraction = Fraction(0),
) -> tuple[mpf, mpf]:
    """An interval with both P(M >= x) and P(M > x): J harmonics of a square wave of period P.

    With M moved by -x: 1/2 + (2/pi) sum over odd j <= J of Phi(j/(J+1)) Im f(t_j)/j, t_j =
    2 pi j/P, encloses P(M mod P in [0, P/2)) to within `fejer`, which is P(M >= 0) but for the
    tails beyond -P/2 and P/2.

    Proof: `proofs/band-limited.md`.
    """
    f = []
    for j in range(J + 1):
        t = 2 * mpmath.pi * j / number(P)
        f.append(characteristic(alpha, labels, q, c, t) * mpmath.expj(-t * number(x)))
    middle = mpf(1) / 2
    for j in range(1, J + 1, 2):
        middle += 2 / mpmath.pi * sawtooth_coefficient(Fraction(j, J + 1)) * f[j].imag / j
    mean = mean_margin(alpha, labels, q, c) - x
    tails = bernstein_tail(alpha, q, P / 2 - mean) + bernstein_tail(alpha, q, P / 2 + mean)
    error = fejer([value.real for value in f], J) + tails
    return max(middle - error, mpf(0)), min(middle + error, mpf(1))
