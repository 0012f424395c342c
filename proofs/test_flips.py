"""The exchange lemma over all sets of flips; enclosures of the vote share; Vaaler's inequality."""

# ruff: noqa: N803  (P, J and N, as in the entries)

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise, product
from math import factorial
from random import Random

import mpmath
import numpy as np
import pytest
import sympy
from flint import arb, ctx, fmpq, fmpq_poly, fmpz_poly

from certaudit.reference import flips
from certaudit.reference.radius import number
from certaudit.reference.vote import classify

HALF = Fraction(1, 2)
NOISE = [Fraction(*q) for q in ((1, 10), (1, 3), (3, 8), (49, 100), (1, 100), (2, 5), (1, 500))]
PRECISE = Fraction(1, 10**15)  # more than mpmath is off by at the precisions used here


# Every label vector, every set of flips


@dataclass
class Batch:
    """Instances of n labels with one noise; scores compare 2 weights'y with bottoms.

    weights: int64 (instances, n); bottoms: int64 (instances,); alpha = weights/bottoms.
    """

    weights: np.ndarray
    bottoms: np.ndarray
    q: Fraction

    def alpha(self, i):
        """Return the alpha vector of instance i."""
        bottom = int(self.bottoms[i])
        return [Fraction(int(w), bottom) for w in self.weights[i]]


def bits(n):
    """Return the label vectors 0 .. 2^n - 1 as rows of bits, label 0 first."""
    return np.arange(1 << n)[:, None] >> np.arange(n) & 1


def shares(batch, c, *, strict=True):
    """Return, for each instance and label vector, q.denominator^n times the share of class c.

    int64: the denominator to the power of n is below 2^63. Class 0 gets S < 1/2 (`strict`).
    """
    n = batch.weights.shape[1]
    a, b = batch.q.numerator, batch.q.denominator
    assert b**n < 1 << 63
    twice = 2 * batch.weights @ bits(n).T
    bottoms = batch.bottoms[:, None]
    wins = twice >= bottoms if c else (twice < bottoms if strict else twice <= bottoms)
    table, places = wins.astype(np.int64), np.arange(1 << n)
    for i in range(n):  # the noise of one label after another
        table = (b - a) * table + a * table[:, places ^ 1 << i]
    return table


def top_sets(batch, c, rank):
    """Return the flips of the first r supports as bit sets, r = 0 .. n: (instances, 2^n, n + 1).

    And the number of positive supports. `rank` makes of supports what is sorted, smallest first.
    """
    n = batch.weights.shape[1]
    s = (2 * c - 1) * (2 * bits(n) - 1) * batch.weights[:, None, :]
    order = np.argsort(rank(s), axis=2, kind="stable")
    sets = np.zeros((*s.shape[:2], n + 1), dtype=np.int64)
    np.cumsum(1 << order, axis=2, out=sets[:, :, 1:])
    return sets, (s > 0).sum(axis=2)


def failures(batch, *, rank=np.negative, cap=True, strict=True):
    """Return how often each claim is false, over both classes, label vectors and numbers of flips.

    exactly: the r first supports leave the least share of all sets of r. at most: the first
    min(r, positive) leave the least of all sets of at most r. monotone: that share falls in r.
    radius: the last r at which they leave more than 1/2 is that of all sets. Wrong variants:
    `rank`, without the `cap` at the positive supports, and ties for class 0 (not `strict`).
    """
    n = batch.weights.shape[1]
    whole, places = batch.q.denominator**n, np.arange(1 << n)
    found = dict.fromkeys(("exactly", "at most", "monotone", "radius"), 0)
    for c in (0, 1):
        table, claimed = shares(batch, c), shares(batch, c, strict=strict)
        assert (table != whole - table).all()  # no share is 1/2
        least = np.full((n + 1, *table.shape), whole)
        for flipped in places:  # all sets of flips
            r = flipped.bit_count()
            np.minimum(least[r], table[:, places ^ flipped], out=least[r])
        within = np.minimum.accumulate(least, axis=0)
        sets, positive = top_sets(batch, c, rank)
        radius, true_radius = np.full(table.shape, -1), np.full(table.shape, -1)
        before = None
        for r in range(n + 1):
            exactly = np.take_along_axis(claimed, places ^ sets[:, :, r], axis=1)
            count = np.minimum(r, positive) if cap else np.full_like(positive, r)
            worst = np.take_along_axis(sets, count[:, :, None], axis=2)[:, :, 0]
            share = np.take_along_axis(claimed, places ^ worst, axis=1)
            found["exactly"] += int((exactly != least[r]).sum())
            found["at most"] += int((share != within[r]).sum())
            found["monotone"] += 0 if before is None else int((share > before).sum())
            radius[share > whole - share] = r
            true_radius[within[r] > whole - within[r]] = r
            before = share
        found["radius"] += int((radius != true_radius).sum())
    return found


def random_batch(seed, instances):
    """Return instances: ties in supports, zeros, both signs, scores at 1/2 and next to it."""
    random, numbers = Random(seed), np.random.default_rng(seed)
    n, q = seed % 7 + 1, NOISE[seed // 7 % len(NOISE)]
    size = random.choice([1, 2, 3, 10, 10**6])
    weights = numbers.integers(-size, size + 1, size=(instances, n))
    weights[numbers.random(weights.shape) < random.choice([0, 0.2])] = 0
    if random.random() < 0.5:
        weights = np.abs(weights) * np.where(numbers.random(weights.shape) < 0.1, -1, 1)
    # The score of some label vector is at 1/2, or next to it on either side.
    some = numbers.integers(0, 2, size=weights.shape)
    near = 2 * (weights * some).sum(axis=1) + numbers.integers(-1, 2, size=instances)
    anywhere = numbers.integers(1, 2 * size * n + 1, size=instances)
    return Batch(weights, np.where(near > 0, near, anywhere), q)


BATCHES = range(7 * len(NOISE) * 2)
INSTANCES = 400


@pytest.mark.parametrize("seed", BATCHES)
def test_the_exchange_lemma_over_all_sets_of_flips(seed):
    """All flips of all label vectors, both classes: the claims of `failures`, in integers."""
    assert set(failures(random_batch(seed, INSTANCES)).values()) == {0}


def test_there_are_enough_instances():
    """Of each kind that is asked for."""
    assert len(BATCHES) * INSTANCES >= 10**4
    ties = zeros = negative = at_half = next_to_half = 0
    for seed in BATCHES:
        batch = random_batch(seed, INSTANCES)
        size = np.sort(np.abs(batch.weights), axis=1)
        ties += int((np.diff(size, axis=1) == 0).any(axis=1).sum())
        zeros += int((batch.weights == 0).any(axis=1).sum())
        negative += int((batch.weights < 0).any(axis=1).sum())
        gap = np.abs(2 * batch.weights @ bits(batch.weights.shape[1]).T - batch.bottoms[:, None])
        at_half += int((gap == 0).any(axis=1).sum())
        next_to_half += int((gap == 1).any(axis=1).sum())
    assert min(ties, zeros, negative, at_half, next_to_half) > 2000


@pytest.mark.parametrize(
    ("wrong", "false"),
    [
        ({"cap": False}, {"at most", "monotone", "radius"}),  # negative supports flipped too
        ({"rank": lambda s: -np.abs(s)}, {"exactly", "at most", "radius"}),
        ({"rank": lambda s: s}, {"exactly", "at most", "radius"}),  # smallest first
        ({"strict": False}, {"exactly", "at most", "radius"}),  # S = 1/2 is a vote for 1
    ],
)
def test_wrong_variants_are_caught(wrong, false):
    total = dict.fromkeys(("exactly", "at most", "monotone", "radius"), 0)
    for seed in range(14):
        for claim, count in failures(random_batch(seed, INSTANCES), **wrong).items():
            total[claim] += count
    assert {claim for claim, count in total.items() if count} >= false


def test_flipping_a_negative_support_helps():
    """Alpha = (1, 1), y = (1, 0), q = 1/10: the second label speaks against class 1.

    Flipping the first takes the vote from 1; flipping both gives it back.
    """
    alpha, labels, q = [Fraction(1), Fraction(1)], (1, 0), Fraction(1, 10)
    assert flips.supports(alpha, labels, 1) == [1, -1]
    assert [flips.winner(alpha, labels, q, some) for some in ((), (0,), (0, 1))] == [1, 0, 1]
    assert flips.exact_radius(alpha, labels, q, 1) == 0
    assert flips.brute_force_radius(alpha, labels, q, 1) == 0


def test_the_exchange_of_two_labels():
    """(1-q)^2 >= q^2: flipping the larger support lowers the law of the pair's loss's negative.

    The loss of the pair is s_i with probability (1-q)^2 or q^2, s_j with the other; else the same.
    """
    q, u, v = sympy.symbols("q u v", positive=True)  # s_i = u, s_j = u + v
    assert sympy.expand((1 - q) ** 2 - q**2 - (1 - 2 * q)) == 0

    def law(flip_first):
        masses = {}
        first = {u: 1 - q, 0: q} if flip_first else {u: q, 0: 1 - q}
        second = {u + v: q, 0: 1 - q} if flip_first else {u + v: 1 - q, 0: q}
        for x, y in product(first, second):
            loss = sympy.expand(x + y)
            masses[loss] = masses.get(loss, 0) + first[x] * second[y]
        return masses

    one, other = law(flip_first=True), law(flip_first=False)
    assert sympy.expand(one[u] - (1 - q) ** 2) == sympy.expand(other[u] - q**2) == 0
    assert sympy.expand(one[u + v] - q**2) == sympy.expand(other[u + v] - (1 - q) ** 2) == 0
    for same in (sympy.Integer(0), 2 * u + v):
        assert sympy.expand(one[same] - other[same]) == 0


# The functions of the reference against the tables


@pytest.mark.parametrize("seed", range(40))
def test_the_reference_by_brute_force(seed):
    random = Random(seed)
    batch = random_batch(seed, 6)
    n = batch.weights.shape[1]
    for i in range(6 if n < 6 else 1):
        alpha, place = batch.alpha(i), random.randrange(1 << n)
        labels = [place >> j & 1 for j in range(n)]
        for c in (0, 1):
            table = shares(batch, c)[i]
            share = Fraction(int(table[place]), batch.q.denominator**n)
            assert flips.vote_share(alpha, labels, batch.q, c) == share
            law = flips.margin_law(alpha, labels, batch.q, c)
            assert share == sum(m for v, m in law.items() if v > 0 or (v == 0 and c == 1))
            radius = flips.brute_force_radius(alpha, labels, batch.q, c)
            assert flips.exact_radius(alpha, labels, batch.q, c) == radius
            some = random.sample(range(n), random.randint(0, n))
            moved = sum(1 << j for j in some)
            share = Fraction(int(table[place ^ moved]), batch.q.denominator**n)
            assert flips.vote_share(alpha, labels, batch.q, c, some) == share


@pytest.mark.parametrize("seed", range(60))
def test_the_radius_without_noise(seed):
    """One sort gives the radius of phi itself: enumeration at q = 0, and ties for class 1."""
    random = Random(seed)
    n = random.randint(1, 6)
    alpha = [Fraction(random.randint(-6, 8), random.choice([4, 8, 12])) for _ in range(n)]
    labels = [random.randint(0, 1) for _ in range(n)]
    for c in (0, 1):
        kept = [
            flipped.bit_count()
            for flipped in range(1 << n)
            if classify(alpha, [y ^ (flipped >> i & 1) for i, y in enumerate(labels)]) != c
        ]
        radius = min(kept, default=n + 1) - 1
        assert flips.unsmoothed_radius(alpha, labels, c) == radius
        assert flips.exact_radius(alpha, labels, Fraction(0), c) == radius


def test_ties_without_noise():
    """S = 1/2 is class 1: three labels with 1/4 each, two of them needed."""
    alpha = [Fraction(1, 4)] * 3
    assert flips.unsmoothed_radius(alpha, (1, 1, 1), 1) == 1
    assert flips.unsmoothed_radius(alpha, (0, 0, 0), 0) == 1
    assert flips.unsmoothed_radius(alpha, (1, 1, 0), 0) == -1


def test_ties_of_supports_go_to_the_lower_index():
    alpha = [Fraction(x) for x in (1, 2, 0, 2, -1, -3)]
    assert flips.worst_flips(alpha, (1, 1, 1, 1, 1, 0), 1, 6) == (5, 1, 3, 0)
    assert flips.worst_flips(alpha, (1, 1, 1, 1, 1, 0), 1, 2) == (5, 1)
    assert flips.worst_flips(alpha, (1, 1, 1, 1, 1, 0), 0, 6) == (4,)


def test_no_share_is_one_half():
    """At rational q < 1/2 (every batch is asked); at some irrational q between these two one is.

    Four labels 0 of alpha = 1/4: class 1 needs two of them flipped by noise.
    """
    alpha = [Fraction(1, 4)] * 4
    rates = [Fraction(38, 100), Fraction(39, 100)]
    low, high = (flips.vote_share(alpha, (0, 0, 0, 0), q, 1) for q in rates)
    assert low < HALF < high


def alpha_errors(random, n, size):
    """Return errors of alpha whose sizes sum to at most 1."""
    raw = [Fraction(random.randint(-9, 9)) for _ in range(n)]
    if random.random() < 0.5:
        raw = [x if i == random.randrange(n) else Fraction(0) for i, x in enumerate(raw)]
    total = sum(map(abs, raw))
    return [size * x / total for x in raw] if total else raw


@pytest.mark.parametrize("seed", range(40))
def test_what_an_error_of_alpha_costs(seed):
    """The vote of the true alpha, for every set of flips, from the worst flips of another one.

    Class 1 holds if P(M < eps) < 1/2, class 0 if P(M <= eps) < 1/2; neither follows from more.
    """
    random = Random(seed)
    n = random.randint(1, 5)
    q = random.choice(NOISE)
    alpha = [Fraction(random.randint(-4, 6), 8) for _ in range(n)]
    labels = [random.randint(0, 1) for _ in range(n)]
    eps = random.choice([Fraction(0), Fraction(1, 8), Fraction(1, 4), Fraction(1, 20)])
    proved = {0: -1, 1: -1}
    refuted = {0: n + 1, 1: n + 1}
    for c in (0, 1):
        order = flips.worst_flips(alpha, labels, c, n)
        laws = [
            flips.margin_law(alpha, flips.flip(labels, order[:r]), q, c)
            for r in range(len(order) + 1)
        ]
        for r, law in enumerate(laws):
            below = sum(m for v, m in law.items() if v < eps or (v == eps and c == 0))
            if below < HALF and proved[c] == r - 1:
                proved[c] = r if r < len(order) else n
            above = sum(m for v, m in law.items() if v > -eps or (v == -eps and c == 1))
            if above < HALF:
                refuted[c] = min(refuted[c], r)
    for _ in range(6):
        true = [a + e for a, e in zip(alpha, alpha_errors(random, n, eps), strict=True)]
        for c in (0, 1):
            assert proved[c] <= flips.brute_force_radius(true, labels, q, c) < refuted[c]


def test_a_tie_proves_nothing_for_class_0():
    """One label 1, alpha = 1/2: P(M < 0) = 0 for class 0, whose share is 1/10."""
    alpha, labels, q = [HALF], (1,), Fraction(1, 10)
    assert sum(m for v, m in flips.margin_law(alpha, labels, q, 0).items() if v < 0) == 0
    assert flips.vote_share(alpha, labels, q, 0) == q
    assert flips.winner(alpha, labels, q) == 1


# Enclosures of the share


def small_instance(seed, most=9):
    """Return alpha, labels, q, c: lattices, ties at 1/2, a heavy label, zeros, sizes apart."""
    random = Random(seed)
    n = 12 if seed % 25 == 0 else random.randint(1, most)
    kind = seed % 6
    if kind == 0:  # a lattice, ties likely
        alpha = [Fraction(random.randint(-4, 6), 8) for _ in range(n)]
    elif kind == 1:
        alpha = [Fraction(random.randint(-999, 1999), 1000 * n) for _ in range(n)]
    elif kind == 2:  # one heavy label
        alpha = [Fraction(random.randint(-9, 9), 100) for _ in range(n - 1)] + [Fraction(10)]
    elif kind == 3:  # large
        alpha = [Fraction(random.randint(-1000, 1000)) for _ in range(n)]
    elif kind == 4:  # small, or none
        alpha = [Fraction(random.randint(-1, 1), 10**6) for _ in range(n)]
    else:  # votes for 1 and ties at 1/2
        alpha = [Fraction(1, random.randint(1, 2 * n)) for _ in range(n)]
    labels = [random.randint(0, 1) for _ in range(n)]
    return alpha, labels, random.choice([*NOISE, Fraction(1, 10**6)]), random.randint(0, 1)


@cache
def share_bounds(seed):
    """Return P(M > 0) and P(M >= 0) of a small instance."""
    alpha, labels, q, c = small_instance(seed)
    law = flips.margin_law(alpha, labels, q, c)
    return (
        sum((m for v, m in law.items() if v > 0), Fraction(0)),
        sum((m for v, m in law.items() if v >= 0), Fraction(0)),
    )


def periods(seed):
    """Return periods from far too small to far too large."""
    alpha, labels, q, c = small_instance(seed)
    reach = abs(flips.mean_margin(alpha, labels, q, c)) + sum(map(abs, alpha)) / 3
    return [reach * Fraction(k, 10) for k in (1, 10, 19, 30, 100)] + [Fraction(1)]


def misses(seed, enclosure):
    """Return how many enclosures do not contain both shares."""
    low, high = share_bounds(seed)
    found, harmonics = 0, (seed % 3, 3 + seed % 4, 24 if seed % 4 else 9)
    with mpmath.workdps(25):
        for P, J in product(periods(seed), harmonics):
            below, above = enclosure(*small_instance(seed), P, J)
            found += not (below - number(PRECISE) <= number(low))
            found += not (number(high) <= above + number(PRECISE))
    return found


SEEDS = range(120)


def test_fourier_encloses_both_shares():
    """P(M > 0) and P(M >= 0), for periods from far too small on, and from no harmonics on."""
    assert sum(misses(seed, flips.fourier) for seed in SEEDS) == 0


def wrong_fourier(*, tails=1, window=1, smooth=True, even=2):
    """Return `flips.fourier` with one part changed."""

    def enclosure(alpha, labels, q, c, P, J):
        f = [
            flips.characteristic(alpha, labels, q, c, 2 * mpmath.pi * j / number(P))
            for j in range(J + 1)
        ]
        middle = mpmath.mpf(1) / 2
        for j in range(1, J + 1, 2):
            phi = flips.sawtooth_coefficient(Fraction(j, J + 1)) if smooth else 1
            middle += 2 / mpmath.pi * phi * f[j].imag / j
        half = mpmath.mpf(1)
        for j in range(even, J + 1, 2):
            half += 2 * (1 - mpmath.mpf(j) / (J + 1)) * f[j].real
        mean = flips.mean_margin(alpha, labels, q, c)
        error = window * half / (J + 1) + tails * (
            flips.bernstein_tail(alpha, q, P / 2 - mean)
            + flips.bernstein_tail(alpha, q, P / 2 + mean)
        )
        return max(middle - error, mpmath.mpf(0)), min(middle + error, mpmath.mpf(1))

    return enclosure


@pytest.mark.parametrize(
    "wrong", [{"tails": 0}, {"window": 0.9}, {"smooth": False}, {"even": 1}, {"window": 0}]
)
def test_wrong_enclosures_are_caught(wrong):
    assert sum(misses(seed, wrong_fourier()) for seed in range(6)) == 0  # nothing changed
    assert any(misses(seed, wrong_fourier(**wrong)) for seed in range(60))


def test_fourier_decides_what_berry_esseen_leaves_open():
    """60 labels, the share a little above 1/2: 400 harmonics leave less than 1/100."""
    random = Random(7)
    alpha = [Fraction(random.randint(500, 1500), 50_000) for _ in range(60)]
    labels, q = [1] * 31 + [0] * 29, Fraction(1, 10)
    with mpmath.workdps(25):
        low, high = flips.fourier(alpha, labels, q, 1, Fraction(8, 10), 400)
        below, above = flips.berry_esseen(alpha, labels, q, 1)
        assert high - low < 0.01
        assert 1 - above < low < high < 1 - below
        assert above - below > 0.1


@pytest.mark.parametrize("seed", range(30))
def test_fourier_elsewhere(seed):
    """Around x other than 0: where the error of alpha moves it."""
    random = Random(seed)
    alpha, labels, q, c = small_instance(seed, most=6)
    law = flips.margin_law(alpha, labels, q, c)
    reach = max(map(abs, law)) + 1
    for x in (*random.choices(list(law), k=3), Fraction(random.randint(-9, 9), 8)):
        above = sum((m for v, m in law.items() if v > x), Fraction(0))
        least = sum((m for v, m in law.items() if v >= x), Fraction(0))
        with mpmath.workdps(25):
            low, high = flips.fourier(alpha, labels, q, c, 4 * reach, 9, x)
            assert low - number(PRECISE) <= number(above)
            assert number(least) <= high + number(PRECISE)


def normal_misses(seed, constant=None):
    """Return how many Berry-Esseen intervals, at and off the points of the law, are false."""
    alpha, labels, q, c = small_instance(seed)
    if not any(alpha):
        return 0
    law = sorted(flips.margin_law(alpha, labels, q, c).items())
    some = {v for v, _ in law[:: max(1, len(law) // 12)]} | {Fraction(0)}
    found = 0
    with mpmath.workdps(25):
        for x in some:
            low, high = flips.berry_esseen(alpha, labels, q, c, x)
            if constant is not None:
                middle = mpmath.ncdf(
                    number(x - flips.mean_margin(alpha, labels, q, c)) / flips.deviation(alpha, q)
                )
                error = constant * flips.lyapunov(alpha, q)
                low, high = middle - error, middle + error
            under = sum((m for v, m in law if v < x), Fraction(0))
            up_to = sum((m for v, m in law if v <= x), Fraction(0))
            found += not (low - number(PRECISE) <= number(under))
            found += not (number(up_to) <= high + number(PRECISE))
    return found


def test_berry_esseen_encloses_both_tails():
    assert sum(normal_misses(seed) for seed in SEEDS) == 0


def test_a_constant_that_is_too_small_is_caught():
    """No constant below (10^1/2 + 3)/(6 (2 pi)^1/2) = 0.4097... is true for all laws."""
    assert any(normal_misses(seed, 0.3) for seed in range(60))


@pytest.mark.parametrize("seed", range(20))
def test_the_moments(seed):
    """Mean, variance and third absolute moments against the law; no label matters to the last."""
    alpha, labels, q, c = small_instance(seed, most=6)
    if not any(alpha):
        return
    law = flips.margin_law(alpha, labels, q, c)
    mean = sum(v * m for v, m in law.items())
    assert mean == flips.mean_margin(alpha, labels, q, c)
    variance = sum((v - mean) ** 2 * m for v, m in law.items())
    third = sum((q * abs(a * (1 - q)) ** 3 + (1 - q) * abs(a * q) ** 3 for a in alpha), Fraction(0))
    with mpmath.workdps(25):
        assert abs(flips.deviation(alpha, q) ** 2 - number(variance)) < number(variance) * PRECISE
        ratio = number(third) / number(variance) ** mpmath.mpf("1.5")
        assert abs(flips.lyapunov(alpha, q) - ratio) < ratio * PRECISE


@pytest.mark.parametrize("seed", range(20))
def test_bernstein(seed):
    """Both tails of the law, at its points."""
    alpha, labels, q, c = small_instance(seed, most=6)
    law = flips.margin_law(alpha, labels, q, c)
    mean = flips.mean_margin(alpha, labels, q, c)
    for value in law:
        x = abs(value - mean)
        bound = flips.bernstein_tail(alpha, q, x) + number(PRECISE)
        assert number(sum(m for v, m in law.items() if v - mean >= x)) <= bound
        assert number(sum(m for v, m in law.items() if mean - v >= x)) <= bound


def test_the_exponents_of_bernstein():
    """With lambda = x/(V + bx/3): -lambda x + lambda^2 V/(2(1 - lambda b/3)) is the exponent."""
    x, b, v = sympy.symbols("x b V", positive=True)
    at = x / (v + b * x / 3)
    exponent = -at * x + at**2 * v / (2 * (1 - at * b / 3))
    assert sympy.simplify(exponent + x**2 / (2 * (v + b * x / 3))) == 0
    assert sympy.simplify(1 - at * b / 3 - v / (v + b * x / 3)) == 0


def test_the_modulus_of_the_characteristic_function():
    """|1 - q + q e^(iu)|^2 = 1 - 4q(1-q) sin^2(u/2) = 1 - 2q(1-q)(1 - cos u) <= exp(...)."""
    q, u = sympy.symbols("q u", real=True)
    square = (1 - q + q * sympy.cos(u)) ** 2 + (q * sympy.sin(u)) ** 2
    assert sympy.simplify(square - (1 - 2 * q * (1 - q) * (1 - sympy.cos(u)))) == 0
    half = sympy.expand_trig(sympy.cos(2 * (u / 2))) - sympy.cos(u)
    assert sympy.simplify(half.rewrite(sympy.cos)) == 0
    for seed in range(12):
        alpha, labels, rate, c = small_instance(seed)
        for t in (mpmath.mpf(k) / 7 for k in (1, 5, 30, 200)):
            size = abs(flips.characteristic(alpha, labels, rate, c, t))
            spread = sum(1 - mpmath.cos(number(a) * t) for a in alpha)
            assert size <= mpmath.exp(-number(rate * (1 - rate)) * spread) * (1 + PRECISE)


# Vaaler's inequality


ORDER = 10


def ball(value):
    """Return a ball with a rational in it."""
    return arb(fmpq(value.numerator, value.denominator))


@cache
def vaaler_terms(J):
    """Return w = 2 pi j and what cos wx and sin wx have in Fejer/(2J+2) - psi*, j = 1 .. J."""
    N, terms = J + 1, []
    for j in range(1, N):
        u = ball(Fraction(j, N))
        phi = arb.pi() * u * (1 - u) * u.cot_pi() + u
        terms.append((2 * arb.pi() * j, (1 - u) / N, phi / (arb.pi() * j)))
    return terms


def above_sawtooth(J, low, high):
    """Return balls with D, D' and D'' on [low, high] within [0, 1].

    D = Fejer/(2J+2) + psi - psi*; at the ends psi is -1/2 at 0 and 1/2 at 1, what it tends to
    from inside. Taylor's formula about the middle, with all of the ORDER-th derivative bounded.
    """
    x, reach = ball((low + high) / 2), ball((high - low) / 2)
    at = [arb(0)] * ORDER
    largest = arb(0)
    for w, of_cos, of_sin in vaaler_terms(J):
        cos, sin = (w * x).cos(), (w * x).sin()
        even, odd = of_cos * cos + of_sin * sin, w * (of_sin * cos - of_cos * sin)
        for k in range(0, ORDER, 2):
            at[k], at[k + 1] = at[k] + even, at[k + 1] + odd
            even, odd = -w * w * even, -w * w * odd
        largest += w**ORDER * (abs(of_cos) + abs(of_sin))
    at[0] += x - arb(1) / 2 + arb(1) / (2 * (J + 1))
    at[1] += 1
    step, found = reach.union(-reach), []
    for i in range(3):
        total = largest.union(-largest) / factorial(ORDER - i)
        for k in reversed(range(i, ORDER)):
            total = at[k] / factorial(k - i) + step * total
        found.append(total)
    return found


def not_negative(J, low, high, contact, depth=0):
    """Return whether D >= 0 is shown on [low, high], within one of the J+1 intervals of [0, 1].

    D > 0 on a piece, or D'' > 0 from an end where D = D' = 0 (a contact), or D' > 0 from 0.
    """
    value, slope, curvature = above_sawtooth(J, low, high)
    if value > 0 or (low == 0 and slope > 0):
        return True
    if (low in contact or high in contact) and curvature > 0:
        return True
    if depth == 40:
        return False
    middle = (low + high) / 2
    return not_negative(J, low, middle, contact, depth + 1) and not_negative(
        J, middle, high, contact, depth + 1
    )


@pytest.mark.parametrize("J", [*range(33), 40, 63, 100])
def test_vaaler_for_all_x(J):
    """|psi* - psi| <= Fejer/(2J+2) on all of [0, 1], in balls.

    D(x) = Fejer/(2J+2) + psi - psi* >= 0 on (0, 1) is one side; x to 1 - x turns it into the
    other. It touches 0 twice at k/(J+1), 0 < k <= J, and starts from 0.
    """
    points = [Fraction(k, J + 1) for k in range(J + 2)]
    contact = set(points[1:-1])
    with ctx.workprec(100):
        for k in contact:
            value, slope, curvature = above_sawtooth(J, k, k)
            assert value.contains(0)
            assert slope.contains(0)
            assert abs(value) < 1e-20
            assert abs(slope) < 1e-20
            assert curvature > 0
        assert above_sawtooth(J, points[0], points[0])[0].contains(0)
        assert above_sawtooth(J, points[-1], points[-1])[0] > 0.99
        for low, high in pairwise(points):
            assert not_negative(J, low, high, contact)


def test_a_smaller_window_is_not_enough():
    """D less 1/1000 is negative somewhere: the check of all x would say so."""
    with ctx.workprec(100):
        for J in (1, 4, 15):
            first = Fraction(1, J + 1)
            assert above_sawtooth(J, first, first)[0] - arb("0.001") < 0


def root_power(j, N):
    """Return x^(j mod N): a power of the N-th root of unity, before reduction."""
    return fmpq_poly([0] * (j % N) + [1])


def test_the_contacts_are_exact():
    """The sums behind psi*(k/N) = psi(k/N) and psi*'(k/N) = 1, in the field of z = e^(2 pi i/N).

    cot(pi j/N) sin(2 pi jk/N) summed over 0 < j < N is N - 2k, cos(2 pi jk/N) sums to -1, for
    0 < k < N. There -i cot(pi j/N) = 1 - 2/(1 - z^j), and 1/(1 - z^j) = -(1/N) sum m z^(jm).
    """
    half = fmpq_poly([fmpq(1, 2)])
    for N in range(2, 33):
        modulus = fmpq_poly(fmpz_poly.cyclotomic(N))
        cot = {
            j: sum((fmpq(2 * m, N) * root_power(j * m, N) for m in range(N)), fmpq_poly([1]))
            for j in range(1, N)
        }
        for j in range(1, N):  # (1 - z^j) cot_j = -(1 + z^j)
            one, z = fmpq_poly([1]), root_power(j, N)
            assert ((one - z) * cot[j] + one + z) % modulus == 0
        for k in range(1, N):
            cot_sum = cos_sum = fmpq_poly([0])
            for j in range(1, N):
                up, down = root_power(j * k, N), root_power(-j * k, N)
                cot_sum += cot[j] * (up - down) * half
                cos_sum += (up + down) * half
            assert (cot_sum - (N - 2 * k)) % modulus == 0
            assert (cos_sum + 1) % modulus == 0


def test_the_square_wave():
    """1[0, 1/2) = 1/2 + psi(x - 1/2) - psi(x), and what halves a period apart leave."""

    def psi(x):
        return x - x.__floor__() - HALF

    for k in range(-40, 80):
        x = Fraction(k, 24)
        inside = int(x - x.__floor__() < HALF)
        assert inside == HALF + psi(x - HALF) - psi(x)
    for J in range(1, 30):  # the windows of both jumps: odd harmonics cancel, even ones double
        for j in range(1, J + 1):
            both = 1 + sympy.cos(sympy.pi * j)
            assert both == (0 if j % 2 else 2)
