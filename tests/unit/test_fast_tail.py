"""The fast bounds of ln B(t) contain it, are narrow, and wrong variants of them are seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from certaudit.certify.search import chernoff_t
from certaudit.exact import Enclosure, round_up
from certaudit.fast import tail
from certaudit.rigorous.balls import from_ball, to_ball, working_precision
from certaudit.rigorous.tail import log_chernoff

NOISE = [
    Fraction(499, 1000),
    Fraction(2, 5),
    Fraction(1, 10),
    Fraction(1, 100),
    Fraction(1, 10**8),
    Fraction(1, 10**300),
    Fraction(1, 2) - Fraction(1, 10**60),
    Fraction(1, 10**5000),
]
FARTHEST = tail._TOO_WIDE / tail._HALF
"""The largest |tau| for which there are bounds."""


@dataclass(frozen=True)
class Case:
    """Alphas of some test points, labels, noise, number of bins; `seed` chooses what is tried."""

    alpha: np.ndarray
    labels: np.ndarray
    q: Fraction
    bins: int
    seed: int


def split(alpha, labels):
    return alpha[labels == 0].tolist(), alpha[labels == 1].tolist()


def enclosed(t: Fraction, alpha, labels, q) -> Enclosure:
    """Return ln B(t) from the rigorous engine, 2^-100 wide or so."""
    with working_precision(192):
        return from_ball(log_chernoff(t, *split(alpha, labels), q))


def logits(noise):
    return np.array([-noise.logit, noise.logit])[:, None]


# Alphas: ordinary ones, and those on which a float computation could stumble.


def ordinary(generator, n, _bins):
    return generator.normal(0.5, 3, n) / n


def equal(generator, n, _bins):
    return np.full(n, generator.normal())


def one_sign(generator, n, _bins):
    return np.abs(generator.normal(size=n)) * generator.choice([-1.0, 1.0])


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


def positions_of(generator, n, bins, step=1):
    """Return whole positions, the first and the last bin among them, `step` bins apart."""
    first = -step * int(generator.integers(0, bins // step))
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


def in_middles_of_bins(generator, n, bins):
    return on_a_grid(generator, positions_of(generator, n, bins // 2) + 0.5)


KINDS = [
    ordinary,
    equal,
    one_sign,
    heavy,
    sparse,
    all_sizes,
    tiny_or_not,
    on_edges,
    beside_edges,
    at_ends_of_groups,
    in_middles_of_bins,
]


def random_case(seed, most=1500):
    random, generator = Random(seed), np.random.default_rng(seed)
    n = random.choice([1, 2, 3, random.randint(4, 60), random.randint(61, most)])
    bins = random.choice([64, 2048, 2048, 65536])
    alpha = np.array([KINDS[seed % len(KINDS)](generator, n, bins) for _ in range(2)])
    if random.random() < 0.3:
        with np.errstate(over="ignore", under="ignore"):
            scaled = alpha * 10.0 ** random.uniform(-200, 200)
        alpha = scaled if np.isfinite(scaled).all() else alpha
    ones = random.choice([0.0, 0.1, 0.5, 0.9, 1.0])
    labels = (generator.uniform(size=n) < ones).astype(np.int64)
    return Case(alpha, labels, random.choice(NOISE), bins, seed)


def tries(case, summary, noise):
    """Yield tau of all kinds: 0, tiny, near both minima, random ones, the last and beyond it."""
    random, points = Random(case.seed), len(case.alpha)
    free = np.zeros(points)
    yield np.zeros(points)
    yield np.full(points, random.choice([-1, 1]) * 2.0 ** -random.randint(40, 59))
    for direction in (-1.0, 1.0):
        with np.errstate(all="ignore"):
            yield tail.minimise(summary, np.full(points, direction), noise, free)[0]
    sizes = [random.uniform(0, FARTHEST), FARTHEST * 10.0 ** -random.uniform(0, 9)]
    yield tail._short(np.array([random.choice(sizes) * random.choice([-1, 1])] * points))
    yield np.full(points, random.choice([-1, 1]) * FARTHEST)
    yield np.full(points, random.choice([2.0**-62, 1.0, -3e5, 2.0**300, -(2.0**-900)]))


def moved(alpha, tau, distance):
    """Return alpha with the one that ln B depends on most moved both ways, and how far it was."""
    found = []
    place = int(np.argmin(alpha * np.sign(tau)))
    for side in (-1, 1):
        other = alpha.copy()
        other[place] += side * distance
        if np.isfinite(other[place]):
            found.append(
                (other, abs(Fraction(float(other[place])) - Fraction(float(alpha[place]))))
            )
    return found


def violations(case, *, errors=False):
    """Return where the bounds do not contain ln B(t), and where there are none but should be."""
    summary = tail.summarise(case.alpha, case.labels, 2, case.bins)
    noise = tail.NoiseLogs.of(case.q)
    random = Random(case.seed + 1)
    wrong, seen = [], 0
    for tau in tries(case, summary, noise):
        rows = []
        distance = np.zeros(len(tau))
        for row, (alpha, size) in enumerate(zip(case.alpha, tau.tolist(), strict=True)):
            others = [(alpha, Fraction(0))]
            if errors and tail._TOO_SMALL < abs(size) <= FARTHEST:
                reach = 10.0 ** -random.uniform(0, 12) / abs(size * summary.scale[row])
                others += moved(alpha, size, reach)
                distance[row] = round_up(max(d for _, d in others))
            rows.append(others)
        with np.errstate(all="ignore"):
            found = tail.bracket(summary, tau, noise, distance)
        for row, others in enumerate(rows):
            lower, upper, size = found.lower[row], found.upper[row], abs(tau[row])
            if not (np.isfinite(lower) and np.isfinite(upper)):
                due = summary.used[row] and tail._TOO_SMALL < size <= FARTHEST
                if due or np.isfinite(lower) or np.isfinite(upper):
                    wrong.append((case.seed, row, "no bounds"))
                continue
            t = Fraction(float(tau[row])) * Fraction(float(summary.scale[row]))
            for alpha, _ in others:
                right = enclosed(t, alpha, case.labels, case.q)
                seen += len(alpha)
                if (
                    not Fraction(float(lower))
                    <= right.lower
                    <= right.upper
                    <= Fraction(float(upper))
                ):
                    wrong.append((case.seed, row, float(tau[row])))
    return wrong, seen


@pytest.mark.parametrize("block", range(10))
def test_the_bounds_contain_ln_b(block):
    total = 0
    for seed in range(66 * block, 66 * block + 66):
        wrong, seen = violations(random_case(seed))
        assert wrong == []
        total += seen
    assert total > 40_000


@pytest.mark.parametrize("block", range(4))
def test_the_bounds_contain_ln_b_of_every_alpha_within_the_error(block):
    total = 0
    for seed in range(44 * block, 44 * block + 44):
        wrong, seen = violations(random_case(1000 + seed, most=300), errors=True)
        assert wrong == []
        total += seen
    assert total > 10_000


@pytest.mark.parametrize("n", [16384, 16385, 40000])
def test_more_training_points_than_are_sorted_at_once(n):
    generator = np.random.default_rng(n)
    alpha = np.array([ordinary(generator, n, 2048), on_edges(generator, n, 2048)])
    labels = (generator.uniform(size=n) < 0.3).astype(np.int64)
    wrong, seen = violations(Case(alpha, labels, Fraction(1, 10), 2048, n))
    assert wrong == []
    assert seen >= 10 * n


def test_more_test_points_than_are_sorted_at_once():
    """Every row of a block is what it is alone; rows without a summary disturb no other."""
    generator = np.random.default_rng(3)
    alpha = np.array([ordinary(generator, 40, 64) for _ in range(37)])
    alpha[5], alpha[17] = 0.0, np.nan
    alpha[20, 3], alpha[21, 4], alpha[36] = np.inf, 1e300, 1e-300
    labels = generator.integers(0, 2, 40)
    together = tail.summarise(alpha, labels, 2, 64)
    assert np.flatnonzero(~together.used).tolist() == [5, 17, 20, 21, 36]
    for row in np.flatnonzero(together.used):
        alone = tail.summarise(alpha[row : row + 1], labels, 2, 64)
        assert (alone.moments[0] == together.moments[row]).all()
        assert (alone.scale[0], alone.first[0]) == (together.scale[row], together.first[row])
    found = tail.bracket(together, np.full(37, 2.0**-7), tail.NoiseLogs.of(NOISE[2]), np.zeros(37))
    assert (np.isfinite(found.upper) == together.used).all()
    assert (np.isfinite(found.lower) == together.used).all()


@pytest.mark.parametrize("seed", range(3 * len(KINDS)))
def test_counts_are_exact_and_positions_as_close_as_stated(seed):
    """The masses of a group are its points, their first moment the sum of rounded positions."""
    case = random_case(seed, most=200)
    summary = tail.summarise(case.alpha, case.labels, 2, case.bins)
    assert summary.counts.tolist() == [(case.labels == 0).sum(), (case.labels == 1).sum()]
    rounding = Fraction(summary.rounding)
    for row in np.flatnonzero(summary.used):
        first, scale = int(summary.first[row]), Fraction(float(summary.scale[row]))
        groups = {}
        for value, label in zip(case.alpha[row].tolist(), case.labels.tolist(), strict=True):
            exact = Fraction(value) * scale - first
            places = {int(exact + side * rounding) // tail.GROUP for side in (-1, 0, 1)}
            if len(places) > 1 or not 0 <= exact < case.bins:
                break  # beside an edge of a group, or of all: it may be in either
            group = places.pop()
            count, moment = groups.get((label, group), (0, Fraction(0)))
            middle = group * tail.GROUP + tail._HALF
            groups[label, group] = count + 1, moment + exact - middle
        else:
            found = summary.moments[row]
            assert found[..., 0].sum() == len(case.labels)
            for (label, group), (count, moment) in groups.items():
                assert found[label, group, 0] == count
                away = abs(Fraction(float(found[label, group, 1])) - moment)
                assert away <= count * (rounding + Fraction(1, 2**44))


def test_no_summary_and_no_bounds_is_said():
    labels = np.array([0, 1, 1])
    alpha = np.array([[0.0, 0.0, -0.0], [1e-300, 0.0, 0.0], [np.nan, 1.0, 2.0], [1e290, 1.0, 0.0]])
    summary = tail.summarise(alpha, labels, 2, 64)
    assert not summary.used.any()
    found = tail.bracket(summary, np.full(4, 2.0**-6), tail.NoiseLogs.of(NOISE[2]), np.zeros(4))
    assert (found.lower == -np.inf).all()
    assert (found.upper == np.inf).all()


def test_noise_so_small_that_nothing_is_said():
    q = Fraction(1, 2 ** (1 << 21))
    summary = tail.summarise(np.array([[0.5, -0.25]]), np.array([0, 1]), 2, 64)
    found = tail.bracket(summary, np.array([2.0**-6]), tail.NoiseLogs.of(q), np.zeros(1))
    assert (found.lower[0], found.upper[0]) == (-np.inf, np.inf)


@pytest.mark.parametrize("q", [*NOISE, Fraction(1, 2 ** (1 << 16))])
def test_logarithms_of_the_noise(q):
    found = tail.NoiseLogs.of(q)
    with working_precision(17000):
        flip, keep = to_ball(q).log(), to_ball(1 - q).log()
        right = flip, keep, keep - flip
        for value, ball in zip((found.log_flip, found.log_keep, found.logit), right, strict=True):
            assert abs(value - ball) <= abs(ball) * 2.0**-51 + 2.0**-100


def ordinary_case(seed, n=3000):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n)
    sides = 1 - 2 * generator.integers(0, 2, (4, 1))
    alpha = (4 * generator.normal(0, 1, (4, n)) + sides * (2 * labels - 1)) / n
    return Case(alpha, labels, NOISE[1 + seed % 3], 2048, seed)


def mean_directions(case):
    """Return the side of t = 0 on which each point's bound is below 1."""
    shares = np.where(case.labels == 1, float(1 - case.q), float(case.q))
    return np.where(case.alpha @ shares >= 0.5, 1.0, -1.0)


@pytest.mark.parametrize("seed", range(8))
def test_the_bounds_are_narrow_on_ordinary_data(seed):
    """Narrower than 2 n tau^2/32, twice what chords of 2048 bins cost at most, and a little."""
    case = ordinary_case(seed)
    n = len(case.labels)
    summary = tail.summarise(case.alpha, case.labels, 2, 2048)
    tau, found = tail.minimise(
        summary, mean_directions(case), tail.NoiseLogs.of(case.q), np.zeros(4)
    )
    assert (found.upper < 0).all()
    assert found.upper.min() < -1
    assert (found.lower < found.upper).all()
    assert (found.upper - found.lower < n * tau**2 / 16 + 1e-7).all()
    # And far narrower than it takes to decide a radius.
    assert (found.upper - found.lower < 0.02).all()


def test_more_bins_are_narrower():
    case = ordinary_case(0)
    widths = []
    for bins in (2048, 8192, 32768, 65536):
        summary = tail.summarise(case.alpha, case.labels, 2, bins)
        _, found = tail.minimise(
            summary, mean_directions(case), tail.NoiseLogs.of(case.q), np.zeros(4)
        )
        widths.append(float((found.upper - found.lower).max()))
    assert widths[0] > 4 * widths[1] > 16 * widths[2]


@pytest.mark.parametrize("block", range(4))
def test_the_search_ends_where_the_rigorous_one_does(block):
    """ln B at its t is at most 1e-5 nats above ln B at the t of the rigorous engine."""
    compared = 0
    for seed in range(8 * block, 8 * block + 8):
        case = ordinary_case(seed, n=Random(seed).choice([20, 200, 1000]))
        summary = tail.summarise(case.alpha, case.labels, 2, 2048)
        directions = mean_directions(case)
        with np.errstate(all="ignore"):
            tau, found = tail.minimise(
                summary, directions, tail.NoiseLogs.of(case.q), np.zeros(len(directions))
            )
        for row, alpha in enumerate(case.alpha):
            assert tau[row] * directions[row] >= 0
            if not np.isfinite(found.upper[row]):
                continue
            best = chernoff_t(alpha, case.labels, case.q, int(directions[row]))
            least = enclosed(Fraction(best), alpha, case.labels, case.q)
            t = Fraction(float(tau[row])) * Fraction(float(summary.scale[row]))
            ours = enclosed(t, alpha, case.labels, case.q)
            assert ours.upper <= least.lower + Fraction(1, 10**5)
            compared += 1
    assert compared >= 16


def test_the_search_stays_at_zero_where_the_minimum_is():
    """Both directions are asked for: on the wrong side of the mean ln B only rises."""
    case = ordinary_case(1)
    summary = tail.summarise(case.alpha, case.labels, 2, 2048)
    tau, found = tail.minimise(
        summary, -mean_directions(case), tail.NoiseLogs.of(case.q), np.zeros(4)
    )
    assert (tau == 0).all()
    assert (found.lower <= 0).all()
    assert (found.upper >= 0).all()
    assert (found.upper < 1e-8).all()


# Wrong variants: each is a bug somebody could write, and `violations` has to see it.

BRACKET, SUMMARISE, NOISE_LOGS = tail.bracket, tail.summarise, tail.NoiseLogs.of
LEFT, POWERS = np.arange(tail.GROUP)[:, None] - float(tail._HALF), np.arange(tail._ORDER + 1)


def powers_at(place):
    """Return powers of the places in a group, and their derivatives."""
    return place**POWERS, POWERS * place ** np.maximum(POWERS - 1, 0)


def tangents(at):
    """Return what replaces the chords by tangents at a place in each bin: a lower bound."""
    value, slope = powers_at(LEFT + at)
    return np.vstack([value - at * slope, slope])


def masses_in_middles():
    value, _ = powers_at(LEFT + 0.5)
    return np.vstack([value, np.zeros_like(value)])


def shares(summary, tau, noise):
    z = logits(noise) - tau[:, None, None] * summary.middles()
    with np.errstate(all="ignore"):
        return 1 / (2 + np.exp(z) + np.exp(-z))


def growth(tau):
    return 1 / (1 - np.minimum(tail._HALF * np.abs(tau), tail._TOO_WIDE))


def remainder_times(factor):
    """Return a bracket with so many times the remainder of Taylor's formula less."""

    def variant(summary, tau, noise, alpha_error):
        found = BRACKET(summary, tau, noise, alpha_error)
        with np.errstate(all="ignore"):
            fourth = np.einsum("bcg,bcg->b", shares(summary, tau, noise), summary.moments[..., 4])
            less = factor * tau**6 * tail._HALF**2 / 720 * fourth * growth(tau)
            return replace(found, lower=found.lower + less, upper=found.upper - less)

    return variant


def lower_without_chords(summary, tau, noise, alpha_error):
    found = BRACKET(summary, tau, noise, alpha_error)
    with np.errstate(all="ignore"):
        mass = np.einsum("bcg,bcg->b", shares(summary, tau, noise), summary.moments[..., 0])
        return replace(found, lower=found.lower + tau**2 / 8 * mass * growth(tau))


def exchanged(summary, tau, noise, alpha_error):
    found = BRACKET(summary, tau, noise, alpha_error)
    finite = np.isfinite(found.upper)
    return replace(
        found,
        lower=np.where(finite, found.upper, -np.inf),
        upper=np.where(finite, found.lower, np.inf),
    )


def everything_subtracted(summary, tau, noise, alpha_error):
    """As much below the middle of the upper bound as it should be above."""
    found = BRACKET(summary, tau, noise, alpha_error)
    with np.errstate(all="ignore"):
        chords = lower_without_chords(summary, tau, noise, alpha_error).lower
        return replace(found, upper=np.where(np.isfinite(chords), chords, np.inf))


def changed(**fields):
    """Return a summarise whose result has fields changed by functions of them."""

    def variant(*arguments):
        summary = SUMMARISE(*arguments)
        return replace(
            summary, **{name: change(getattr(summary, name)) for name, change in fields.items()}
        )

    return variant


def labels_exchanged(alpha, labels, classes, bins):
    return SUMMARISE(alpha, 1 - labels, classes, bins)


def noise_with(change):
    return lambda q: change(NOISE_LOGS(q))


def in_float32(function):
    return lambda x: function(x).astype(np.float32).astype(np.float64)


def caught(case):
    """Return whether something is wrong with the bounds of a case; every other one has errors."""
    with np.errstate(all="ignore"):
        wrong, _ = violations(case, errors=case.seed % 2 == 1)
    return any(what != "no bounds" for _, _, what in wrong)


MUTANTS = {
    "tangents at left edges": ("_CHORDS", tangents(0.0)),
    "tangents in the middles of bins": ("_CHORDS", tangents(0.5)),
    "masses in the middles of bins": ("_CHORDS", masses_in_middles()),
    "edges of the bin before": (
        "_CHORDS",
        np.vstack([(LEFT - 1) ** POWERS, LEFT**POWERS - (LEFT - 1) ** POWERS]),
    ),
    "middles one bin off": ("summarise", changed(first=lambda first: first + 1)),
    "scale not the one of the bins": (
        "summarise",
        changed(scale=lambda scale: scale * (1 + 2.0**-24)),
    ),
    "bounds exchanged": ("bracket", exchanged),
    "everything subtracted": ("bracket", everything_subtracted),
    "alpha error subtracted": (
        "bracket",
        lambda summary, tau, noise, error: BRACKET(summary, tau, noise, -error),
    ),
    "alpha error ignored": (
        "bracket",
        lambda summary, tau, noise, error: BRACKET(summary, tau, noise, 0 * error),
    ),
    "alpha error of tau, not t": (
        "bracket",
        lambda summary, tau, noise, error: BRACKET(summary, tau, noise, error / summary.scale),
    ),
    "rounding subtracted": ("_ROUNDING", -tail._ROUNDING),
    "remainder dropped": ("bracket", remainder_times(1)),
    "remainder subtracted": ("bracket", remainder_times(2)),
    "chords not paid for below": ("bracket", lower_without_chords),
    "fifth moment forgotten": (
        "summarise",
        changed(moments=lambda moments: moments * (POWERS < 5)),
    ),
    "fourth moment of the wrong sign": (
        "summarise",
        changed(moments=lambda moments: moments * np.where(POWERS == 4, -1, 1)),
    ),
    "labels exchanged": ("summarise", labels_exchanged),
    "sign of the logit": ("NoiseLogs.of", noise_with(lambda n: replace(n, logit=-n.logit))),
    "flip and keep exchanged": (
        "NoiseLogs.of",
        noise_with(lambda n: replace(n, log_flip=n.log_keep, log_keep=n.log_flip)),
    ),
    "exp in float32": ("exp_minus", in_float32(tail.exp_minus)),
    "ln(1 + x) in float32": ("log1p_unit", in_float32(tail.log1p_unit)),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_variants_are_caught(name, monkeypatch):
    attribute, variant = MUTANTS[name]
    owner = tail.NoiseLogs if attribute == "NoiseLogs.of" else tail
    monkeypatch.setattr(owner, attribute.rpartition(".")[2], variant)
    assert any(caught(random_case(seed, most=200)) for seed in range(200))


@pytest.mark.parametrize("seed", range(200, 222))
def test_the_right_code_passes_where_wrong_variants_fail(seed):
    assert not caught(random_case(seed, most=200))


def test_positions_that_spill_into_the_next_class_are_caught(monkeypatch):
    """The range of a point takes all bins but two: with one, a far end leaves its class."""
    alpha, labels = np.array([[2047.0, -(2.0**-60), 5.0]]), np.array([0, 1, 1])
    q, tau = Fraction(1, 10), np.array([2.0**-6])
    noise = tail.NoiseLogs.of(q)

    def contained():
        summary = tail.summarise(alpha, labels, 2, 2048)
        bounds = tail.bracket(summary, tau, noise, np.zeros(1))
        exact = enclosed(Fraction(float(tau[0] * summary.scale[0])), alpha[0], labels, q)
        return bounds.lower[0] <= exact.lower and exact.upper <= bounds.upper[0]

    assert contained()
    grid = tail._grid
    monkeypatch.setattr(tail, "_grid", lambda part, bins: grid(part, bins + 1))
    assert not contained()
