"""The float bounds of a pair's ln B(t) contain it, are narrow, and wrong variants are seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

import mpmath
import numpy as np
import pytest

from certaudit.certify.search import pair_t
from certaudit.exact import Enclosure, round_up
from certaudit.fast import pairs as module
from certaudit.fast import tail
from certaudit.fast.pairs import Pairs, log_sum
from certaudit.noise import LabelFlip
from certaudit.rigorous.balls import from_ball, working_precision
from certaudit.rigorous.pairs import log_pairs

FARTHEST = module._TOO_WIDE / tail._HALF
"""The largest tau for which there are bounds."""
CLASSES = [2, 3, 5, 10, 100]


def noises(classes):
    border = Fraction(classes - 1, classes)
    return [
        Fraction(1, 10),
        border / 2,
        Fraction(1, 100),
        Fraction(1, 10**8),
        Fraction(1, 10**250),
        border - Fraction(1, 1000),
        border - Fraction(1, 10**12),
        Fraction(1, 10**400),
    ]


@dataclass(frozen=True)
class Case:
    """Alphas of some test points, labels, noise, number of bins; `seed` chooses what is tried."""

    alpha: np.ndarray
    labels: np.ndarray
    noise: LabelFlip
    bins: int
    seed: int

    def by_class(self, row):
        alpha = self.alpha[row]
        return [alpha[self.labels == c].tolist() for c in range(self.noise.classes)]


def enclosed(t: Fraction, case, row, winner, rival) -> Enclosure:
    """Return ln B(t) from the rigorous engine, 2^-100 wide or so."""
    with working_precision(192):
        return from_ball(log_pairs(t, case.by_class(row), winner, [rival], case.noise)[0])


def transcribed(t, alpha, labels, winner, rival, noise):
    """Return ln B(t) by mpmath, from the law of each noisy label as it is written."""
    q = mpmath.mpf(noise.q.numerator) / noise.q.denominator
    others = noise.classes - 1
    total = mpmath.mpf(0)
    for value, label in zip(alpha, labels, strict=True):
        z, mean = mpmath.mpf(t) * mpmath.mpf(value), mpmath.mpf(0)
        for noisy in range(noise.classes):
            share = 1 - q if noisy == label else q / others
            mean += share * mpmath.exp(-z * ((noisy == winner) - (noisy == rival)))
        total += mpmath.log(mean)
    return total


# Alphas: ordinary ones, and those on which a float computation could stumble.


def ordinary(generator, n, _bins):
    return generator.normal(0.5, 3, n) / n


def equal(generator, n, _bins):
    return np.full(n, generator.normal())


def tied(generator, n, _bins):
    return generator.integers(-2, 3, n) / 8


def heavy(generator, n, _bins):
    alpha = generator.normal(size=n) * 10.0 ** -generator.integers(2, 13)
    alpha[generator.integers(n)] = generator.choice([-1.0, 1.0])
    return alpha


def sparse(generator, n, _bins):
    return np.where(generator.uniform(size=n) < 0.8, 0.0, generator.standard_cauchy(n))


def all_sizes(generator, n, _bins):
    return generator.choice([-1.0, 1.0], n) * 10.0 ** generator.uniform(-200, 200, n)


def tiny_or_not(generator, n, _bins):
    return generator.choice([5e-324, -5e-324, 2.0**-1022, -1e-310, 0.0, 0.25, -1.0], n)


def on_a_grid(generator, positions):
    """Return alphas at these positions: where they reach bins - 2, the scale is a power of two."""
    return np.ldexp(positions.astype(np.float64), int(generator.integers(-40, 41)))


def positions_of(generator, n, bins, step=1, least=None):
    """Return whole positions, the first and the last bin among them, `step` bins apart."""
    first = -step * int(generator.integers(0, bins // step)) if least is None else least
    positions = first + step * generator.integers(0, (bins - 2) // step + 1, n)
    return np.concatenate([positions, [first, first + bins - 2]])[:n]


def on_edges(generator, n, bins):
    return on_a_grid(generator, positions_of(generator, n, bins))


def beside_edges(generator, n, bins):
    alpha = on_edges(generator, n, bins)
    return np.nextafter(alpha, generator.choice([-np.inf, np.inf], n))


def at_ends_of_groups(generator, n, bins):
    """Return alphas 16 bins from the middles of their groups: the remainder is largest."""
    return on_a_grid(generator, positions_of(generator, n, bins, tail.GROUP))


def around_zero(generator, n, _bins):
    """Return alphas 16 bins before the middle of a group at 0: the sixth cumulants are largest."""
    positions = np.where(generator.uniform(size=n) < 0.9, -tail._HALF, 15.0)
    positions[:2] = [46.0, -tail._HALF][: len(positions)]
    return on_a_grid(generator, positions)


def in_middles_of_bins(generator, n, bins):
    return on_a_grid(generator, positions_of(generator, n, bins // 2) + 0.5)


def late_in_a_group(generator, n, _bins):
    """Return alphas in the last bin of a group: its middle may have a far smaller variance."""
    positions = np.full(n, 15.5)
    positions[:2] = [46.0, -tail._HALF][: len(positions)]
    return on_a_grid(generator, positions)


KINDS = [
    ordinary,
    equal,
    tied,
    heavy,
    sparse,
    all_sizes,
    tiny_or_not,
    on_edges,
    beside_edges,
    at_ends_of_groups,
    around_zero,
    in_middles_of_bins,
    late_in_a_group,
]


def random_case(seed, most=1000):
    random, generator = Random(seed), np.random.default_rng(seed)
    n = random.choice([1, 2, 3, random.randint(4, 60), random.randint(61, most)])
    classes = random.choice(CLASSES)
    kind = KINDS[seed % len(KINDS)]
    bins = random.choice([64, 2048, 2048, 8192])
    if kind in {around_zero, late_in_a_group}:
        bins = 64  # the groups stand where they are meant to
    alpha = np.array([kind(generator, n, bins) for _ in range(2)])
    if random.random() < 0.3:
        with np.errstate(over="ignore", under="ignore"):
            scaled = alpha * 10.0 ** random.uniform(-200, 200)
        alpha = scaled if np.isfinite(scaled).all() else alpha
    # Few classes may have all the labels: any may be empty, the winner and the rival too.
    seen = generator.choice(classes, random.choice([1, 2, 3, classes]))
    labels = generator.choice(seen, n).astype(np.int64)
    return Case(
        alpha, labels, LabelFlip(random.choice(noises(classes)), classes), bins, seed
    )  # fmt: skip


def tries(case, pairs):
    """Yield tau of all kinds: 0, tiny, near the minimum, random ones, the last and beyond it."""
    random, number = Random(case.seed), len(pairs.scale)
    yield np.zeros(number)
    yield np.full(number, 2.0 ** -random.randint(40, 59))
    with np.errstate(all="ignore"):
        yield module.minimise_pairs(pairs, np.zeros(number), 2.0**-32)[0]
    sizes = [random.uniform(0, FARTHEST), FARTHEST * 10.0 ** -random.uniform(0, 9)]
    yield tail._short(np.full(number, random.choice(sizes)))
    yield np.full(number, FARTHEST)
    yield np.full(number, random.choice([2.0**-62, 1.0, 3e5, 2.0**300, -(2.0**-7), np.nan]))


def moved(alpha, place, distance):
    """Return alpha with one entry moved both ways, and how far it was."""
    found = []
    for side in (-1, 1):
        other = alpha.copy()
        other[place] += side * distance
        if np.isfinite(other[place]):
            away = abs(Fraction(float(other[place])) - Fraction(float(alpha[place])))
            found.append((other, away))
    return found


def some_pairs(case):
    """Return a winner and a rival for each test point, classes with labels if there are any."""
    random, classes = Random(case.seed + 7), case.noise.classes
    found = []
    for _ in case.alpha:
        seen = sorted(set(case.labels.tolist()))
        winner = random.choice(seen)
        rival = random.choice([c for c in seen if c != winner] or [(winner + 1) % classes])
        found.append(random.choice([(winner, rival)] * 3 + [(rival, winner)]))
    return np.array(found).T


def violations(case, *, errors=False):
    """Return where the bounds do not contain ln B(t), and where there are none but should be."""
    summary = tail.summarise(case.alpha, case.labels, case.noise.classes, case.bins)
    winner, rival = some_pairs(case)
    pairs = Pairs.of(summary, case.noise, np.arange(len(case.alpha)), winner, rival)
    possible = summary.used & (case.noise.q / (case.noise.classes - 1) >= module._RAREST)
    random = Random(case.seed + 1)
    wrong, seen = [], 0
    for tau in tries(case, pairs):
        rows, distance = [], np.zeros(len(tau))
        for row, (alpha, size) in enumerate(zip(case.alpha, tau.tolist(), strict=True)):
            others = [(alpha, Fraction(0))]
            if errors and tail._TOO_SMALL < size <= FARTHEST:
                reach = 10.0 ** -random.uniform(0, 12) / (size * summary.scale[row])
                of_pair = np.flatnonzero((case.labels == winner[row]) | (case.labels == rival[row]))
                place = random.choice(of_pair.tolist() or [0])
                others += moved(alpha, place, reach)
                distance[row] = round_up(max(d for _, d in others))
            rows.append(others)
        with np.errstate(all="ignore"):
            found = module.bracket_pairs(pairs, tau, distance)
        for row, others in enumerate(rows):
            lower, upper, size = found.lower[row], found.upper[row], tau[row]
            if not (np.isfinite(lower) and np.isfinite(upper)):
                due = possible[row] and tail._TOO_SMALL < size <= FARTHEST
                if due or np.isfinite(lower) or np.isfinite(upper):
                    wrong.append((case.seed, row, "no bounds"))
                continue
            t = Fraction(float(size)) * Fraction(float(summary.scale[row]))
            for alpha, _ in others:
                own = replace(case, alpha=alpha[None])
                right = enclosed(t, own, 0, int(winner[row]), int(rival[row]))
                seen += len(alpha)
                if not Fraction(float(lower)) <= right.lower:
                    wrong.append((case.seed, row, "lower"))
                if not right.upper <= Fraction(float(upper)):
                    wrong.append((case.seed, row, "upper"))
    return wrong, seen


@pytest.mark.parametrize("block", range(8))
def test_the_bounds_contain_ln_b(block):
    total = 0
    for seed in range(52 * block, 52 * block + 52):
        wrong, seen = violations(random_case(seed))
        assert wrong == []
        total += seen
    assert total > 20_000


@pytest.mark.parametrize("block", range(3))
def test_the_bounds_contain_ln_b_of_every_alpha_within_the_error(block):
    total = 0
    for seed in range(39 * block, 39 * block + 39):
        wrong, seen = violations(random_case(1000 + seed, most=200), errors=True)
        assert wrong == []
        total += seen
    assert total > 5_000


@pytest.mark.parametrize("classes", CLASSES)
def test_the_bounds_contain_what_mpmath_says(classes):
    """A second opinion: every outcome of every noisy label is summed, nothing is simplified."""
    generator = np.random.default_rng(classes)
    labels = generator.integers(0, classes, 12)
    alpha = np.array([generator.normal(0, 1, 12), np.round(generator.normal(0, 2, 12)) / 4])
    for q in noises(classes)[:7]:
        noise = LabelFlip(q, classes)
        summary = tail.summarise(alpha, labels, classes, 2048)
        winner, rival = np.array([0, classes - 1]), np.array([1, 0])
        pairs = Pairs.of(summary, noise, np.arange(2), winner, rival)
        for tau in (2.0**-50, 2.0**-9, 3 * 2.0**-8, FARTHEST):
            with np.errstate(all="ignore"):
                found = module.bracket_pairs(pairs, np.full(2, tau), np.zeros(2))
            with mpmath.workdps(120):
                for row in range(2):
                    right = transcribed(
                        mpmath.mpf(tau) * summary.scale[row].item(), alpha[row].tolist(),
                        labels.tolist(), int(winner[row]), int(rival[row]), noise,
                    )  # fmt: skip
                    assert found.lower[row].item() <= right <= found.upper[row].item()


@pytest.mark.parametrize("n", [16384, 16385, 40000])
def test_more_training_points_than_are_sorted_at_once(n):
    generator = np.random.default_rng(n)
    alpha = np.array([ordinary(generator, n, 2048), on_edges(generator, n, 2048)])
    labels = generator.integers(0, 3, n)
    case = Case(alpha, labels, LabelFlip(Fraction(1, 10), 3), 2048, n)
    wrong, seen = violations(case)
    assert wrong == []
    assert seen >= 8 * n


def test_a_thousand_classes():
    """As many cells as there may be, a third of the classes without a label."""
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 650, 1500)
    alpha = generator.normal(0.1, 1, (2, 1500)) / 1500
    case = Case(alpha, labels, LabelFlip(Fraction(1, 3), 1000), 2048, 4)
    wrong, seen = violations(case)
    assert wrong == []
    assert seen >= 12_000


@pytest.mark.parametrize("q", [Fraction(1, 1 << 900), Fraction(1, 10**250), Fraction(2, 5)])
@pytest.mark.parametrize("classes", [2, 3])
def test_arguments_beyond_the_end_of_exp(classes, q):
    """Up to 3000: e^-700 stands for less, squares are flushed, and only a rare flip is left."""
    generator = np.random.default_rng(classes)
    alpha = np.array([all_sizes(generator, 60, 0), generator.uniform(-1, 1, 60)])
    alpha[0] /= np.abs(alpha[0]).max()
    noise = LabelFlip(q * (classes - 1), classes) if q < Fraction(1, 9) else LabelFlip(q, classes)
    case = Case(alpha, generator.integers(0, classes, 60), noise, 1 << 17, classes)
    summary = tail.summarise(alpha, case.labels, classes, case.bins)
    largest = FARTHEST * np.abs(summary.middles()).max(axis=(1, 2))
    assert (largest > 1400).all()
    wrong, seen = violations(case)
    assert wrong == []
    assert seen >= 600


def test_a_pair_is_what_it_is_alone():
    """The bounds of a pair do not depend on those beside it, nor on the other test points."""
    case = ordinary_case(3)
    summary = tail.summarise(case.alpha, case.labels, 5, 2048)
    points = np.array([0, 1, 1, 3, 2, 0])
    winner, rival = np.array([0, 1, 1, 4, 2, 3]), np.array([1, 0, 2, 0, 4, 2])
    tau = tail._short(np.linspace(0.001, 0.02, 6))
    together = module.bracket_pairs(
        Pairs.of(summary, case.noise, points, winner, rival), tau, np.zeros(6)
    )
    for place in range(6):
        own = slice(place, place + 1)
        one = tail.summarise(case.alpha[points[own]], case.labels, 5, 2048)
        pair = Pairs.of(one, case.noise, np.zeros(1, dtype=np.int64), winner[own], rival[own])
        alone = module.bracket_pairs(pair, tau[own], np.zeros(1))
        assert (alone.lower[0], alone.upper[0]) == (together.lower[place], together.upper[place])


def test_no_summary_and_no_bounds_is_said():
    labels = np.array([0, 1, 2])
    alpha = np.array([[0.0, 0.0, -0.0], [1e-300, 0.0, 0.0], [np.nan, 1.0, 2.0], [1e290, 1.0, 0.0]])
    summary = tail.summarise(alpha, labels, 3, 64)
    points = np.arange(4)
    pairs = Pairs.of(summary, LabelFlip(Fraction(1, 10), 3), points, 0 * points, 0 * points + 1)
    found = module.bracket_pairs(pairs, np.full(4, 2.0**-6), np.zeros(4))
    assert (found.lower == -np.inf).all()
    assert (found.upper == np.inf).all()


@pytest.mark.parametrize(
    ("q", "tau", "bounded"),
    [
        (Fraction(1, 1 << 900), 2.0**-7, True),
        (Fraction(1, (1 << 900) + 1), 2.0**-7, True),  # the float nearest is 2^-900
        (Fraction(1, 1 << 901), 2.0**-7, False),
        (Fraction(1, 10**1000), 2.0**-7, False),
        (Fraction(1, 10), FARTHEST, True),
        (Fraction(1, 10), FARTHEST + 2.0**-33, False),
        (Fraction(1, 10), 0.0, True),
        (Fraction(1, 10), -0.0, True),
        (Fraction(1, 10), 2.0**-60, False),
        (Fraction(1, 10), -(2.0**-7), False),
        (Fraction(1, 10), np.inf, False),
        (Fraction(1, 10), np.nan, False),
    ],
)
def test_where_there_are_bounds(q, tau, bounded):
    summary = tail.summarise(np.array([[0.5, -0.25, 0.75]]), np.array([0, 1, 1]), 2, 64)
    zero = np.zeros(1, dtype=np.int64)
    with np.errstate(all="ignore"):
        pairs = Pairs.of(summary, LabelFlip(q), zero, zero + 1, zero)
        found = module.bracket_pairs(pairs, np.array([tau]), np.zeros(1))
    assert np.isfinite(found.lower[0]) == np.isfinite(found.upper[0]) == bounded


def test_arguments_too_large_have_no_bounds():
    """2^20 is where L ends; with 2^26 bins and more it would be reached."""
    pairs = Pairs.of(
        tail.summarise(np.array([[0.5, -0.25]]), np.array([0, 1]), 2, 64),
        LabelFlip(Fraction(1, 10)),
        *np.array([[0], [0], [1]]),
    )
    far = replace(pairs, middle=pairs.middle + 2.0**27)
    assert np.isfinite(module.bracket_pairs(pairs, np.array([2.0**-7]), np.zeros(1)).upper[0])
    assert module.bracket_pairs(far, np.array([2.0**-7]), np.zeros(1)).upper[0] == np.inf


def ordinary_case(seed, n=2000, classes=5):
    """Return a case in which class c is the leader of test point c of the first four."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, n)
    lead = labels == np.arange(4)[:, None] % classes
    alpha = (4 * generator.normal(0, 1, (4, n)) + 2 * lead) / n
    q = noises(classes)[(0, 1, 2)[seed % 3]]
    return Case(alpha, labels, LabelFlip(q, classes), 2048, seed)


def pairs_of(case, bins=2048):
    """Return the pairs of the leaders of an ordinary case and the next class."""
    summary = tail.summarise(case.alpha, case.labels, case.noise.classes, bins)
    points = np.arange(len(case.alpha))
    winner = points % case.noise.classes
    return Pairs.of(summary, case.noise, points, winner, (winner + 1) % case.noise.classes)


@pytest.mark.parametrize("seed", range(9))
def test_the_bounds_are_narrow_on_ordinary_data(seed):
    """Narrower than n tau^2/8, the chords with their growth, and a little."""
    case = ordinary_case(seed, classes=CLASSES[seed % 4])
    n = len(case.labels)
    pairs = pairs_of(case)
    tau, found = module.minimise_pairs(pairs, np.zeros(4), 2.0**-32)
    assert (found.upper < 0).all()
    assert found.upper.min() < -1
    assert (found.lower < found.upper).all()
    assert (found.upper - found.lower < n * tau**2 / 8 + 1e-7).all()
    # And narrower than it takes to be kept.
    assert (found.upper - found.lower < 0.01).all()
    for row in range(4):
        t = Fraction(float(tau[row])) * Fraction(float(pairs.scale[row]))
        classes = case.noise.classes
        right = enclosed(t, case, row, row % classes, (row + 1) % classes)
        # `upper` pays for chords only, and for little else.
        assert found.upper[row] - float(right.upper) < n * tau[row] ** 2 / 8 + 1e-7


@pytest.mark.parametrize("kind", [around_zero, in_middles_of_bins, late_in_a_group])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_bounds_are_as_narrow_as_they_can_be(classes, kind):
    """At the end of the range: chords, a remainder of 20 rho^6/720 times the growth, no more."""
    generator = np.random.default_rng(classes)
    case = Case(
        kind(generator, 500, 64)[None], generator.integers(0, classes, 500),
        LabelFlip(Fraction(1, 4), classes), 64, 1,
    )  # fmt: skip
    pairs = Pairs.of(
        tail.summarise(case.alpha, case.labels, classes, 64), case.noise, *np.array([[0], [0], [1]])
    )
    for tau in (2.0**-20, 2.0**-8, FARTHEST):
        found = module.bracket_pairs(pairs, np.array([tau]), np.zeros(1))
        growth = 1 / (1 - 2 * tail._HALF * tau)
        each = tau**2 / 8 * growth + 2 * 20 / 720 * (tail._HALF * tau) ** 6 * growth
        assert found.upper[0] - found.lower[0] <= 500 * (each + 2.0**-37 + 2 * tau * 2.0**-27)


def test_more_bins_are_narrower():
    case = ordinary_case(0)
    widths = []
    for bins in (2048, 8192, 32768):
        _, found = module.minimise_pairs(pairs_of(case, bins), np.zeros(4), 2.0**-32)
        widths.append(float((found.upper - found.lower).max()))
    assert widths[0] > 4 * widths[1] > 4 * widths[2]


@pytest.mark.parametrize("block", range(4))
def test_the_search_ends_where_the_rigorous_one_does(block):
    """ln B at its t is at most 1e-5 nats above ln B at the t of the rigorous engine."""
    compared = 0
    for seed in range(6 * block, 6 * block + 6):
        random = Random(seed)
        classes = random.choice(CLASSES[:4])
        case = ordinary_case(seed, n=random.choice([40, 200, 1000]), classes=classes)
        pairs = pairs_of(case)
        with np.errstate(all="ignore"):
            tau, found = module.minimise_pairs(pairs, np.zeros(4), 2.0**-32)
        assert (tau >= 0).all()
        for row, alpha in enumerate(case.alpha):
            winner, rival = row % classes, (row + 1) % classes
            if not np.isfinite(found.upper[row]):
                continue
            best = pair_t(alpha, case.labels, winner, rival, case.noise)
            assert (best == 0) == (tau[row] == 0)
            least = enclosed(Fraction(best), case, row, winner, rival)
            t = Fraction(float(tau[row])) * Fraction(float(pairs.scale[row]))
            ours = enclosed(t, case, row, winner, rival)
            assert ours.upper <= least.lower + Fraction(1, 10**5)
            compared += 1
    assert compared >= 16


def test_the_search_stays_at_zero_where_the_minimum_is():
    """The other way round ln B only rises."""
    case = ordinary_case(1)
    summary = tail.summarise(case.alpha, case.labels, 5, 2048)
    points = np.arange(4)
    pairs = Pairs.of(summary, case.noise, points, points + 1, points)
    tau, found = module.minimise_pairs(pairs, np.zeros(4), 2.0**-32)
    assert (tau == 0).all()
    assert (found.lower <= 0).all()
    assert (found.upper >= 0).all()
    assert (found.upper < 1e-8).all()


@pytest.mark.parametrize("seed", range(12))
def test_two_classes_are_the_two_label_bound_with_t_halved(seed):
    """Where the alphas sum to 1, "s_1 <= s_0" is "s_1 <= 1/2": the brackets overlap."""
    random, generator = Random(seed), np.random.default_rng(seed)
    n = random.choice([2, 40, 700])
    # Multiples of 2^-20 below 8, and what is missing from 1: a sum that is exactly 1.
    alpha = np.round(generator.normal(1 / n, 0.1, (3, n)) * 2**20) / 2**20
    alpha[:, 0] += 1 - alpha.sum(axis=1)
    assert (alpha.sum(axis=1) == 1).all()
    labels = generator.integers(0, 2, n)
    q = noises(2)[seed % 7]
    summary = tail.summarise(alpha, labels, 2, 2048)
    points, zero = np.arange(3), np.zeros(3)
    one_wins = np.array([seed % 2, 1, 0])
    pairs = Pairs.of(summary, LabelFlip(q), points, one_wins, 1 - one_wins)
    sides = np.where(one_wins == 1, 1.0, -1.0)
    for tau in (0.0, 2.0**-30, 2.0**-12, 5 * 2.0**-10, FARTHEST):
        with np.errstate(all="ignore"):
            ours = module.bracket_pairs(pairs, np.full(3, tau), zero)
            theirs = tail.bracket(summary, 2 * tau * sides, tail.NoiseLogs.of(q), zero)
        assert np.isfinite([*ours.lower, *ours.upper, *theirs.lower, *theirs.upper]).all()
        assert (ours.lower <= theirs.upper).all()
        assert (theirs.lower <= ours.upper).all()
        width = n * tau**2 / 8 + n * tau * 1e-7 + n * 1e-7
        assert (np.abs(ours.upper - theirs.upper) <= width).all()


# ln sum exp


def exact_log_sum(row):
    with mpmath.workdps(60):
        return mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(x)) for x in row))


def rows_to_add():
    generator = np.random.default_rng(11)
    for m in (1, 2, 3, 9, 99, 999):
        yield generator.normal(-20, 5, m)
        yield generator.normal(0, 400, m)
        yield np.full(m, -float(generator.integers(0, 50)))
        yield -(10.0 ** generator.uniform(-300, 15, m))
        yield np.where(generator.uniform(size=m) < 0.5, -np.inf, generator.normal(size=m))
        yield np.nextafter(np.full(m, -np.log(2 * m)), generator.choice([-1.0, 1.0], m))


def test_log_sum_contains_the_sum_and_is_narrow():
    for row in rows_to_add():
        if not np.isfinite(row).any():
            continue
        low, high = log_sum(row[None])
        right = exact_log_sum(row[np.isfinite(row)].tolist())
        assert low[0] <= right <= high[0]
        assert high[0] - low[0] < 2.0**-41 + (len(row) + abs(row.max())) * 2.0**-48


def test_log_sum_row_by_row_and_what_has_no_bounds():
    values = np.array([[-1.0, -2.0], [-np.inf, -3.0], [0.0, np.nan], [np.inf, 0.0]])
    values = np.vstack([values, [[-np.inf, -np.inf], [1e308, -1e308]]])
    low, high = log_sum(values)
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [False, False, *[True] * 3, False]
    assert low[1] <= -3 <= high[1]
    alone = log_sum(values[:1])
    assert (alone[0][0], alone[1][0]) == (low[0], high[0])


def test_a_wrong_log_sum_is_caught(monkeypatch):
    exp_minus = module.exp_minus
    for wrong in (
        lambda x: exp_minus(x) * (1 + 2.0**-30),
        lambda x: exp_minus(x).astype(np.float32),
        lambda x: exp_minus(np.minimum(x, 2.0)),
    ):
        monkeypatch.setattr(module, "exp_minus", wrong)
        with pytest.raises(AssertionError):
            test_log_sum_contains_the_sum_and_is_narrow()


# Wrong variants: each is a bug somebody could write, and `violations` has to see it.

BRACKET, SUMMARISE, OF = module.bracket_pairs, tail.summarise, Pairs.of


def variances(pairs, tau):
    """Return the variances of the summands at the middles of the groups."""
    z = tau[:, None, None] * pairs.middle
    up, down = pairs.against * np.exp(z), pairs.favour * np.exp(-z)
    total = up + down + pairs.still
    return (up + down) / total - ((up - down) / total) ** 2


def grown(tau):
    return 1 / (1 - 2 * np.minimum(tail._HALF * np.abs(tau), module._TOO_WIDE))


def parts(pairs, tau):
    """Return the remainder and the chords that are paid for."""
    fourth, mass = (
        np.einsum("bcg,bcg->b", variances(pairs, tau), pairs.moments[..., k]) for k in (4, 0)
    )
    remainder = tau**6 * module._SIXTH * tail._HALF**2 / 720 * fourth * grown(tau)
    return remainder, tau**2 / 8 * mass * grown(tau)


def narrowed(below, above):
    """Return a bracket whose ends are moved inward by functions of remainder, chords, growth."""

    def variant(pairs, tau, alpha_error):
        found = BRACKET(pairs, tau, alpha_error)
        with np.errstate(all="ignore"):
            remainder, chords = parts(pairs, tau)
            less, more = (f(remainder, chords, grown(tau)) for f in (below, above))
            return replace(found, lower=found.lower + less, upper=found.upper - more)

    return variant


def nothing(remainder, _chords, _growth):
    return 0 * remainder


def exchanged(pairs, tau, alpha_error):
    found = BRACKET(pairs, tau, alpha_error)
    finite = np.isfinite(found.upper)
    return replace(
        found,
        lower=np.where(finite, found.upper, -np.inf),
        upper=np.where(finite, found.lower, np.inf),
    )


def pairs_changed(**fields):
    """Return a Pairs.of whose result has fields changed by functions of it."""

    def variant(_cls, *arguments):
        pairs = OF(*arguments)
        return replace(pairs, **{name: change(pairs) for name, change in fields.items()})

    return classmethod(variant)


def with_others(change):
    """Return moments whose part for the other classes is changed."""

    def changed(pairs):
        own, rival = pairs.moments[:, 0], pairs.moments[:, 1]
        return np.stack([own, rival, change(own, rival, pairs.moments[:, 2])], axis=1)

    return changed


def divided_by_classes(pairs):
    """Probabilities of the noise that may also keep the label: flips divided by K."""
    return pairs.against * np.where(
        pairs.against < pairs.still + pairs.favour, 1 - 1 / pairs.classes, 1.0
    )


def not_divided(_cls, summary, noise, *arguments):
    """Flips with probability q each, K - 1 of them: as if there were two classes."""
    pairs = OF(summary, noise, *arguments)
    q = float(noise.q)
    flips = np.array([[q], [1 - q], [q]])
    return replace(pairs, against=flips, favour=flips[[1, 0, 2]])


def error_times(change):
    return lambda pairs, tau, error: BRACKET(pairs, tau, change(pairs, error))


def in_float32(function):
    return lambda x: function(x).astype(np.float32).astype(np.float64)


POWERS = np.arange(tail._ORDER + 1)
MUTANTS = {
    "favour and against swapped": (
        Pairs,
        "of",
        pairs_changed(favour=lambda p: p.against, against=lambda p: p.favour),
    ),
    "class and rival swapped": (
        Pairs,
        "of",
        pairs_changed(moments=lambda p: p.moments[:, [1, 0, 2]]),
    ),
    "flip not divided by K - 1": (Pairs, "of", classmethod(not_divided)),
    "flip divided by K": (Pairs, "of", pairs_changed(against=divided_by_classes)),
    "still forgotten": (Pairs, "of", pairs_changed(still=lambda p: 0 * p.still)),
    "others still as labels of the pair are": (
        Pairs,
        "of",
        pairs_changed(still=lambda p: p.still[[0, 1, 0]]),
    ),
    "others not reduced by the rival": (
        Pairs,
        "of",
        pairs_changed(moments=with_others(lambda _, rival, others: others + rival)),
    ),
    "others not reduced by the class": (
        Pairs,
        "of",
        pairs_changed(moments=with_others(lambda own, _, others: others + own)),
    ),
    "others forgotten": (
        Pairs,
        "of",
        pairs_changed(moments=with_others(lambda _own, _rival, others: 0 * others)),
    ),
    "middles one bin off": (Pairs, "of", pairs_changed(middle=lambda p: p.middle + 1)),
    "positions thought exact": (Pairs, "of", pairs_changed(rounding=lambda _: 0.0)),
    "fifth moment forgotten": (
        Pairs,
        "of",
        pairs_changed(moments=lambda p: p.moments * (POWERS < 5)),
    ),
    "fourth moment of the wrong sign": (
        Pairs,
        "of",
        pairs_changed(moments=lambda p: p.moments * np.where(POWERS == 4, -1, 1)),
    ),
    "sixth cumulant at most the variance": (module, "_SIXTH", 1.0),
    "chords not paid for below": (
        module,
        "bracket_pairs",
        narrowed(lambda _, chords, __: chords, nothing),
    ),
    "chords without growth": (
        module,
        "bracket_pairs",
        narrowed(lambda _, chords, growth: chords * (1 - 1 / growth), nothing),
    ),
    "remainder subtracted": (
        module,
        "bracket_pairs",
        narrowed(lambda r, *_: 2 * r, lambda r, *_: 2 * r),
    ),
    "chords subtracted above": (
        module,
        "bracket_pairs",
        narrowed(nothing, lambda _, chords, __: chords),
    ),
    "bounds exchanged": (module, "bracket_pairs", exchanged),
    "alpha error subtracted": (module, "bracket_pairs", error_times(lambda _, e: -e)),
    "alpha error ignored": (module, "bracket_pairs", error_times(lambda _, e: 0 * e)),
    "alpha error of tau, not t": (
        module,
        "bracket_pairs",
        error_times(lambda p, e: e / p.scale),
    ),
    "rounding subtracted": (module, "_ROUNDING", -module._ROUNDING),
    "exp in float32": (module, "exp_minus", in_float32(module.exp_minus)),
    "ln in float32": (module, "log_normal", in_float32(module.log_normal)),
}


def caught(case):
    """Return whether something is wrong with the bounds of a case; every other one has errors."""
    with np.errstate(all="ignore"):
        wrong, _ = violations(case, errors=case.seed % 2 == 1)
    return any(what != "no bounds" for _, _, what in wrong)


@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_variants_are_caught(name, monkeypatch):
    monkeypatch.setattr(*MUTANTS[name])
    assert any(caught(random_case(seed, most=200)) for seed in range(260))


@pytest.mark.parametrize("seed", range(300, 326))
def test_the_right_code_passes_where_wrong_variants_fail(seed):
    assert not caught(random_case(seed, most=200))
