"""The float enclosures of votes after worst flips: each part against Arb or exact laws.

What is checked of the module is checked of wrong variants of it, too: these have to be seen.
"""

import inspect
import math
import sys
from dataclasses import replace
from fractions import Fraction
from functools import cache
from random import Random
from types import ModuleType

import numpy as np
import pytest
from flint import acb, arb, arb_poly, ctx, fmpq

from certaudit.fast import flips as fast
from certaudit.fast.elementary import TURN_ERROR
from certaudit.reference import flips as reference
from certaudit.rigorous import flips as rigorous

BITS = 160
NOISE = [Fraction(a, b) for a, b in ((1, 10), (1, 3), (1, 100), (9, 20), (4999, 10_000))]
RARE = [Fraction(1, 1000), Fraction(1, 10**9), Fraction(1, 2**499)]
NEAR_HALF = Fraction(1, 2) - Fraction(1, 2**70)
HALF = Fraction(1, 2)


def ball(value):
    value = Fraction(value)
    return arb(fmpq(value.numerator, value.denominator))


# The truth


def shares(steps, unit, labels, q, c, flips):
    """Return P(M >= 0) and P(M > 0) after so many worst flips, alpha = steps * unit."""
    moves, base = {}, 0
    for at, s in enumerate(sorted(supports(steps, labels, c), reverse=True)):
        move = s if at < flips else -s
        base += min(move, 0) - (s if at < flips else 0)
        moves[move] = moves.get(move, 0) + 1
    base += (2 * c - 1) * sum(k for k, y in zip(steps, labels, strict=True) if y)
    law = arb_poly([1])
    for move, count in moves.items():
        keep, flip = ball(1 - q), ball(q)
        first, last = (keep, flip) if move > 0 else (flip, keep)
        if move:
            law *= arb_poly([first, *[0] * (abs(move) - 1), last]) ** count
    chances = law.coeffs()
    edge = Fraction(2 * c - 1, 2) / unit - base
    return tuple(
        sum(chances[max(first, 0) :], arb(0)) for first in (math.ceil(edge), math.floor(edge) + 1)
    )


def supports(steps, labels, c):
    return [(2 * c - 1) * (2 * y - 1) * k for k, y in zip(steps, labels, strict=True)]


@cache
def vote(steps, unit, labels, q, c, flips):
    """Return 1 where the vote is for c after so many worst flips, -1 where it is not."""
    with ctx.workprec(BITS):
        share = shares(steps, unit, labels, q, c, flips)[1 - c]
        assert share > 0.5 or share < 0.5
        return 1 if share > 0.5 else -1


# Instances: steps, unit, labels, q; exact as floats


def lattices(seed, count, sizes=(25, 30, 40, 60)):
    """Yield alphas of a few kinds: of both signs, equal, heavy, none negative, none positive."""
    random = Random(seed)
    for place in range(count):
        n, kind = random.choice(sizes), place % 6
        if kind == 0:
            steps = [round(random.gauss(128 / n, 384 / n)) for _ in range(n)]
        elif kind == 1:
            steps = [random.randint(-4, 8) for _ in range(n)]
        elif kind == 2:
            steps = [1] * n
        elif kind == 3:
            steps = [random.randint(0, 3) for _ in range(n - 1)] + [random.choice([60, -60])]
        elif kind == 4:
            steps = [-random.randint(0, 5) for _ in range(n)]
        else:
            steps = [round(4 * random.expovariate(1) ** 2) for _ in range(n)]
        bias = random.choice([0, 0.2, 0.5, 0.9, 1])
        labels = tuple(int(random.random() < bias) for _ in range(n))
        # A score of 1/2 is a likely one.
        near = max(abs(sum(steps)) * random.choice([1, 2]), 1)
        unit = Fraction(1, 1 << near.bit_length())
        yield tuple(steps), unit, labels, random.choice([*NOISE, *RARE[:2]])


def balanced(n, zeros, places=10**11):
    """Yield equal alphas with a share of class 1 next to 1/2 and S = 1/2 likely: q on both sides.

    Any part that an enclosure of this share lacks is missed.
    """
    steps, unit, labels = (1,) * n, Fraction(1, 32), (0,) * zeros + (1,) * (n - zeros)
    low, high = 1, places // 2 - 1
    if vote(steps, unit, labels, Fraction(low, places), 1, 0) == vote(
        steps, unit, labels, Fraction(high, places), 1, 0
    ):
        return
    first = vote(steps, unit, labels, Fraction(low, places), 1, 0)
    while high - low > 1:
        middle = (low + high) // 2
        if vote(steps, unit, labels, Fraction(middle, places), 1, 0) == first:
            low = middle
        else:
            high = middle
    for q in (low, high):
        yield steps, unit, labels, Fraction(q, places)


def hard():
    """Yield instances at which decisions are closest."""
    for n, zeros in ((26, 0), (28, 2), (31, 5), (60, 30)):
        yield from balanced(n, zeros)
    # A heavy label moves the mean far from the median; its noise alone decides.
    for q in (Fraction(9, 20), Fraction(1, 5)):
        for side in (1, -1):
            steps = (1,) * 30 + (side * 200,)
            for ones in ((1,) * 31, (1,) * 30 + (0,), (0,) * 30 + (1,)):
                score = sum(k for k, y in zip(steps, ones, strict=True) if y)
                for unit in (Fraction(1, 1 << max(abs(score) - 1, 1).bit_length()), Fraction(1, 8)):
                    yield steps, unit, ones, q


def floats(steps, unit):
    alpha = np.array([float(unit * k) for k in steps])
    assert [Fraction(a) for a in alpha.tolist()] == [unit * k for k in steps]
    return alpha


def ugly(seed):
    """Return alphas of any size: float sums of these are rounded."""
    generator = np.random.default_rng(seed)
    n = int(generator.integers(25, 400))
    alpha = generator.normal(1, 3, n) * 10.0 ** generator.uniform(-(seed % 9), 0, n)
    power = int(generator.choice([0, 0, -880, -300, 300, 890]))
    labels = (generator.random(n) < generator.random()).astype(np.int64)
    return np.ldexp(alpha, power), labels


# What is checked: each yields what is wrong


def wrong_votes(module):
    """Float sums are within their error, bounds are upper bounds."""
    for seed in range(24):
        alpha, labels = ugly(seed)
        for c, q in ((0, NOISE[seed % 5]), (1, RARE[seed % 3]), (seed % 2, NEAR_HALF)):
            allowed = Fraction(1, 10 ** (seed % 20)) if seed % 3 else Fraction(0)
            found = module._votes(alpha, labels, q, c, allowed)
            scale = Fraction(2) ** -math.frexp(np.abs(alpha).max())[1]
            exact = sorted((Fraction(a) * scale for a in supports(alpha, labels, c)), reverse=True)
            start = (2 * c - 1) * (
                sum((Fraction(a) for a in alpha[labels == 1].tolist()), Fraction(0)) - HALF
            )
            left, taken, total = Fraction(found.error) - allowed * scale, Fraction(0), sum(exact)
            far = [abs(Fraction(found.start) - start * scale)]
            for r in range(found.positive + 1):
                mean = start * scale - q * total - (1 - 2 * q) * taken
                far.append(abs(Fraction(float(found.means[r])) - mean))
                margin = Fraction(float((found.start - found.taken)[r]))
                far.append(abs(margin - start * scale + taken))
                taken += exact[r] if r < found.positive else 0
            if not max(far) <= left:
                yield "error"
            squares, cubes = sum(s * s for s in exact), sum(abs(s) ** 3 for s in exact)
            with ctx.workprec(BITS):
                spread = ball(q * (1 - q))
                distance = ball(reference.BERRY_ESSEEN * (q * q + (1 - q) ** 2) * cubes)
                distance /= (spread * ball(squares)).sqrt() * ball(squares)
                upper = [
                    (found.variance, spread * ball(squares)),
                    (found.bound, ball((1 - q) * max(map(abs, exact)))),
                    (found.distance, distance),
                ]
                for value, least in upper:
                    if not least <= arb(value) <= least * (1 + arb(2) ** -18):
                        yield "bounds"


def wrong_tails(module):
    """Bernstein's bound is at most exp(-log) at the reach, and at most what is wrapped."""
    for seed in range(12):
        alpha, labels = ugly(seed)
        for q in (NOISE[seed % 5], RARE[seed % 3]):
            votes = module._votes(alpha, labels, q, 1, Fraction(1, 10**6))
            sizes = [Fraction(s) for s in votes.ordered.tolist()]
            with ctx.workprec(BITS):
                variance = ball(q * (1 - q) * sum(s * s for s in sizes))
                bound = ball((1 - q) * max(map(abs, sizes)))
                for log in (module._LN2, 1e-6, 1.0, 15.0, 700.0):
                    x = arb(votes.reach(log))
                    power = x * x / (2 * (variance + bound * x / 3))
                    if not arb(log) < power < arb(log) * (1 + arb(2) ** -17):
                        yield "reach"
                series = module._Series(votes)
                period = series.period
                # A vote that is certain is open if the margin may be elsewhere.
                certain = module._Series(votes)
                certain._wrapped = lambda means: np.full(len(means), 0.9)
                if abs(votes.start) < 1000 * period and any(certain.signs(range(1))):
                    yield "wrapped is left out"
                means = np.array([0.0, 0.1, -0.3, 0.49, 0.4999999, -0.5, 0.51, 3.0]) * period
                wrapped = series._wrapped(means)
                for mean, value in zip(means.tolist(), wrapped.tolist(), strict=True):
                    x = arb(period) / 2 - abs(arb(mean)) - arb(votes.error)
                    true = arb(2)
                    if x > 0:
                        true *= (-x * x / (2 * (variance + bound * x / 3))).exp()
                    if not arb(value) >= true:
                        yield "wrapped"
    with ctx.workprec(BITS):
        close = arb(2).log() < arb(module._LN2) < arb(2).log() + arb(2) ** -52
    if not close:
        yield "ln 2"


def wrong_weights(module, level=31):
    """Weights are Vaaler's, at least, and as close as stated."""
    found = module._weights(level)
    if not (len(found) == level + 1 and found[0] == 0):
        yield "no frequency 0"
    with ctx.workprec(100):
        for j in range(1, level + 1):
            u = ball(Fraction(j, level + 1))
            true = 2 * (1 - u) / (level + 1)
            if j % 2:
                true = 2 * (u * (1 - u) * u.cot_pi() + u / arb.pi()) / j
            if not true < arb(float(found[j])) < true * (1 + arb(2) ** -30) + arb(2) ** -46:
                yield f"weight {j}"


def true_modulus(votes, period, j):
    q, found = votes.q, arb(1)
    for s in votes.ordered.tolist():
        found *= (
            ball(1 - q) ** 2
            + ball(q) ** 2
            + 2 * ball(q * (1 - q)) * (2 * j * arb(s) / arb(period)).cos_pi()
        )
    return found.sqrt()


def wrong_moduli(module):
    """Moduli are upper bounds of |f|, whatever the labels, and of some use."""
    for steps, unit, labels, q in [*lattices(7, 6), *lattices(8, 6, (200,))]:
        votes = module._votes(floats(steps, unit), labels, q, 1, Fraction(0))
        if votes is None:
            continue
        # Alphas in the middle between two cells are the worst ones.
        for shape in (None, 0.5):
            series = module._Series(votes)
            if shape is not None:
                period = math.ldexp(1.0, math.frexp(series.period)[1])
                cells = np.abs(np.trunc(votes.ordered / period * 8 * module._CELLS)) + shape
                ordered = np.minimum(cells, module._CELLS - shape) * period / (8 * module._CELLS)
                votes = replace(votes, ordered=ordered)
                series.votes, series.period = votes, period
            for level in (255, 4095):
                found = series._moduli(level)
                with ctx.workprec(80):
                    for j in {0, 1, 2, 3, level, level // 2, *range(1, level, level // 13)}:
                        true = true_modulus(votes, series.period, j)
                        if not true < arb(float(found[j])) * (1 + arb(2) ** -60):
                            yield f"modulus {j}"
                        if j == 0 and not found[0] < 1.01:
                            yield "useless"


def true_value(votes, period, j, flips):
    """Return f at the frequency j/P after so many worst flips, in balls."""
    keep, flip = ball(1 - votes.q), ball(votes.q)
    found = acb(2 * j * arb(votes.start) / arb(period)).exp_pi_i()
    for at, s in enumerate(votes.ordered.tolist()):
        power = acb(-2 * j * arb(s) / arb(period)).exp_pi_i()
        found *= flip + keep * power if at < flips else keep + flip * power
    return found


def wrong_values(module):
    """The characteristic function is as close as `sums` takes it to be."""
    for steps, unit, labels, q in lattices(9, 6):
        votes = module._votes(floats(steps, unit), labels, q, 1, Fraction(0))
        if votes is None:
            continue
        series = module._Series(votes)
        middle = min(max(votes.middle, 0), votes.positive)
        window = range(max(middle - 3, 0), min(middle + 3, votes.positive) + 1)
        values = module._Values(series, window)
        values.sums(40, module._weights(255))
        with ctx.workprec(100):
            for j in (1, 2, 3, 17, 40):
                stated = 1.02 * votes.n * (j * 2.0**-43 + 2.0**-50) + 2.0**-42
                stated += 2 * math.pi * j * votes.error / series.period
                for r in (window[0], middle, window[-1]):
                    true = true_value(votes, series.period, j, r)
                    value = values._found[j - 1][r - window[0]]
                    if not abs(acb(value.real, value.imag) - true) < stated:
                        yield f"f at {j}"
            true = [
                acb(-2 * arb(s) / arb(series.period)).exp_pi_i() for s in votes.ordered.tolist()
            ]
            for one, step in zip(true, series.steps.tolist(), strict=True):
                if not abs(acb(step.real, step.imag) - one) < 2.0**-44:
                    yield "step"


def wrong_enclosures(module, instances):
    """What the series alone says of numbers of flips, against the law, for both classes."""
    for steps, unit, labels, q in instances:
        for c in (0, 1):
            votes = module._votes(floats(steps, unit), labels, q, c, Fraction(0))
            if votes is None or votes.is_constant:
                continue
            middle = min(max(votes.middle, 0), votes.positive)
            window = range(max(middle - 2, 0), min(middle + 2, votes.positive) + 1)
            for r, sign in zip(window, module._Series(votes).signs(window), strict=True):
                if sign not in (0, vote(steps, unit, labels, q, c, r)):
                    yield f"sign {sign} at {r}"


def wrong_brackets(module, instances):
    """Brackets, what checkers are told, and the winner of the vote, against the law."""
    for steps, unit, labels, q in instances:
        alpha, n = floats(steps, unit), len(steps)
        winner = module.vote_winner(alpha, labels, q)[0]
        if winner is not None and vote(steps, unit, labels, q, winner, 0) != 1:
            yield "winner"
        for c in (0, 1):
            found = module.bracket(alpha, labels, q, c)
            most = sum(s > 0 for s in supports(steps, labels, c))
            sides = [(found.proved, 1), (found.refuted_at, -1)]
            for side, sign in ((found.proof, 1), (found.refutation, -1)):
                sides += [(side.flips, sign)] if side is not None else []
            for flips, sign in sides:
                if flips is None or flips < 0:
                    continue
                if vote(steps, unit, labels, q, c, min(flips, most)) != sign:
                    yield f"{flips} of {found}"
            if found.refuted_at is not None and not found.proved < found.refuted_at <= most:
                yield f"{found}"
            if found.proved > most and found.proved != n:
                yield f"{found}"


def wrong_neighbours(module):
    """With an error of alpha: the bracket holds for all alphas that are as near, both ways."""
    random = Random(4)
    for steps, unit, labels, q in lattices(11, 18, (25, 40)):
        off = random.randint(1, max(1, sum(map(abs, steps)) // 8))
        alpha, error = floats(steps, unit), off * unit
        for c in (0, 1):
            found = module.bracket(alpha, labels, q, c, alpha_error=error)
            plain = module.unsmoothed_bracket(alpha, labels, c, alpha_error=error)
            order = rigorous.worst_order(alpha, labels, c)
            # All of the error at one label: taken from the class, or given to it.
            for side in (1, -1):
                place = random.choice([i for i, y in enumerate(labels) if y] or [0])
                near = list(steps)
                near[place] += side * (2 * c - 1) * off
                near = tuple(near)
                most = sum(s > 0 for s in supports(near, labels, c))
                if found.proved >= 0:
                    least = min(found.proved, most)
                    if vote(near, unit, labels, q, c, least) != 1:
                        yield f"proved {found}"
                if found.refuted_at is not None:
                    after = np.array(labels)
                    after[order[: found.refuted_at]] ^= 1
                    if vote(near, unit, tuple(after.tolist()), q, c, 0) != -1:
                        yield f"refuted {found}"
                radius = reference.unsmoothed_radius([unit * k for k in near], labels, c)
                if not plain[0] <= radius:
                    yield f"unsmoothed {plain}"


# Tests


def fewer(module, monkeypatch):
    """Leave out the frequencies that take longest."""
    monkeypatch.setattr(module, "_LEVELS", (255, 1023))


@pytest.fixture(autouse=True)
def without_exact_laws(monkeypatch):
    """Let floats alone decide: what they leave open of a lattice is another module's."""
    monkeypatch.setattr(fast, "_LATTICE", 0)


def test_sums_and_bounds_of_votes():
    assert list(wrong_votes(fast)) == []


def test_tails(monkeypatch):
    fewer(fast, monkeypatch)
    assert list(wrong_tails(fast)) == []


def test_moduli_are_upper_bounds():
    assert list(wrong_moduli(fast)) == []


def test_values_are_as_close_as_stated():
    assert list(wrong_values(fast)) == []


@pytest.mark.parametrize("levels", [(31,), (255, 1023)])
def test_the_series_says_nothing_false(levels, monkeypatch):
    monkeypatch.setattr(fast, "_LEVELS", levels)
    assert list(wrong_enclosures(fast, hard())) == []
    assert list(wrong_enclosures(fast, lattices(0, 24))) == []


def test_any_period_is_sound(monkeypatch):
    """Short periods wrap, long ones need more frequencies: neither says what is not so."""
    for wrap, spreads in ((0.8, 0.0), (2.0, 0.0), (200.0, 9.0)):
        monkeypatch.setattr(fast, "_WRAP", wrap)
        monkeypatch.setattr(fast, "_SPREADS", spreads)
        monkeypatch.setattr(fast, "_LEVELS", (63,))
        assert list(wrong_enclosures(fast, hard())) == []


@pytest.mark.parametrize("small", [0.0, 0.5, 50.0])
def test_any_choice_of_frequencies_is_sound(small, monkeypatch):
    monkeypatch.setattr(fast, "_LEVELS", (127,))
    monkeypatch.setattr(fast, "_SMALL", small)
    assert list(wrong_enclosures(fast, [*hard(), *lattices(1, 12, (60,))])) == []


@pytest.mark.parametrize("seed", range(3))
def test_brackets_of_lattices(seed, monkeypatch):
    fewer(fast, monkeypatch)
    assert list(wrong_brackets(fast, lattices(20 + seed, 18))) == []
    assert list(wrong_brackets(fast, lattices(30 + seed, 4, (100, 400)))) == []


def test_brackets_of_hard_instances(monkeypatch):
    fewer(fast, monkeypatch)
    assert list(wrong_brackets(fast, hard())) == []


def test_brackets_with_an_error_of_alpha(monkeypatch):
    fewer(fast, monkeypatch)
    assert list(wrong_neighbours(fast)) == []


def test_a_vote_refuted_for_one_class_is_proven_for_the_other(monkeypatch):
    """What few frequencies decide more of them do not undo, where alpha has an error."""
    fewer(fast, monkeypatch)
    generator, refuted = np.random.default_rng(5), 0
    for _ in range(120):
        n = int(generator.integers(25, 70))
        alpha = generator.normal(1 / n, 3 / n, n)
        labels, q = generator.integers(0, 2, n), NOISE[int(generator.integers(4))]
        for c in (0, 1):
            error = Fraction(1, 1000)
            if fast.bracket(alpha, labels, q, c, alpha_error=error).refuted_at == 0:
                refuted += 1
                assert fast.bracket(alpha, labels, q, 1 - c, alpha_error=error).proved >= 0
    assert refuted > 20


@pytest.mark.parametrize("level", [3, 31, *fast._LEVELS])
def test_weights(level):
    assert list(wrong_weights(fast, level)) == []
    # What is off in all of them together is paid by 2^-29 of their sum.
    found = fast._weights(level)
    assert found[1] > 0.5
    assert (level + 1) * 2.0**-46 < 2.0**-31 * found.sum()


@pytest.mark.parametrize("level", [31, 1023, 16383])
def test_cosines_of_cells(level):
    cosine, sine, columns_cosine, columns_sine = fast._cosines(level)
    cells, turn = np.arange(fast._CELLS + 1), 8 * fast._CELLS
    random = Random(level)
    for j in (0, 1, level, *(random.randrange(level) for _ in range(4))):
        row, column = divmod(j, fast._STRIDE)
        found = cosine[row] * columns_cosine[:, column] - sine[row] * columns_sine[:, column]
        assert len(cells) == len(found)
        with ctx.workprec(80):
            for k in random.sample(range(len(cells)), 200):
                true = ball(Fraction(2 * j * k, turn)).cos_pi()
                assert abs(arb(float(found[k])) - true) < 2.0**-42


def test_constants_at_their_limits():
    """What proofs/fast-flips.md computes with them."""
    unit = Fraction(1, 2**53)
    up = Fraction(fast._UP) - 1
    most = fast._MOST
    assert unit == fast._UNIT
    assert most * unit / (1 - most * unit) * 2 + 100 * unit < up / 10
    levels = fast._LEVELS
    assert all(level & (level + 1) == 0 for level in levels)
    with ctx.workprec(BITS):
        step = arb(2).sqrt() * arb(TURN_ERROR) + 2 * arb.pi() * ball(unit) / 8
        assert step < arb(2) ** -44
        grown = (1 + step + arb(8).sqrt() * ball(unit)) ** max(levels)
        assert grown - 1 < max(levels) * arb(2) ** -43
        each = fast._MOST_PRODUCTS * (arb(2) ** -43 + arb(2) ** -50)
        assert each.exp() - 1 < each * arb(1.02)
    # Arguments of turned: j (1/2 + n/4), and what the matrix products may be off.
    assert fast._MOST_PRODUCTS < 2**40
    assert 4 * TURN_ERROR + 2.01 * (fast._CELLS + 3) * 2.0**-53 < 2.0**-31
    assert fast._MOST > fast.MAX_ENUMERATED
    # Rounding of sums of n numbers: what `error` holds is three times as much.
    assert 8 * (25 + 16) > 3 * (2.53 * 25 + 8.2)
    assert 8 > 3 * 2.53


@pytest.mark.parametrize("power", [-1060, -901, -900, -899, 899, 900, 901, 1000])
@pytest.mark.parametrize("q", [Fraction(1, 10), *RARE[2:], Fraction(1, 2**501), NEAR_HALF])
def test_limits_of_magnitudes(power, q):
    """No overflow, nothing that is no number; huge alphas vote as without 1/2."""
    n = 40
    alpha = np.ldexp(np.array([1.0 + (i % 3) / 2 for i in range(n)]), power)
    labels = np.array([1] * 30 + [0] * 10)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        found = [fast.bracket(alpha, labels, q, c) for c in (0, 1)]
        won = fast.vote_winner(alpha, labels, q)
    if power < 0:
        assert (found[0].proved, found[0].refuted_at) == (n, None)
        assert (found[1].proved, found[1].refuted_at) == (-1, 0)
        assert won[0] == 0
    else:
        # A noisy label of 40 with q near 1/2 is still far more than 1/2.
        assert found[1].proved >= 0
        assert found[0].refuted_at == 0
        assert won[0] == 1


def test_errors_of_alpha_of_any_size():
    alpha, labels = ugly(0)
    alpha = alpha / np.abs(alpha).sum()
    with np.errstate(all="raise", under="ignore"):
        before = None
        for power in (-5000, -1080, -300, -60, -20, -9, -6, -3, 0, 30, 900, 1020, 5000):
            error = Fraction(2) ** power
            found = fast.bracket(alpha, labels, NOISE[0], 0, alpha_error=error)
            plain = fast.unsmoothed_bracket(alpha, labels, 0, alpha_error=error)
            assert plain[0] <= len(alpha)
            if before is not None:
                assert found.proved <= before.proved
                assert before.refuted_at is None or (found.refuted_at or 999) >= before.refuted_at
            before = found
    assert (before.proved, before.refuted_at) == (-1, None)
    assert fast.vote_winner(alpha, labels, NOISE[0], alpha_error=Fraction(10) ** 400) == (
        None,
        None,
    )


@pytest.mark.parametrize("c", [0, 1])
@pytest.mark.parametrize("q", [*NOISE, *RARE, NEAR_HALF])
def test_no_positive_support_and_no_crossing(c, q, monkeypatch):
    """Nothing to flip: all is proven or all is refuted, none of both at the ends of the range."""
    fewer(fast, monkeypatch)
    n = 30
    for alpha in (np.full(n, -0.25), np.full(n, 1.0), np.array([1.0] + [0.0] * (n - 1))):
        for labels in ([0] * n, [1] * n):
            found = fast.bracket(alpha, labels, q, c)
            steps = tuple(int(a * 4) for a in alpha)
            instance = [(steps, Fraction(1, 4), tuple(labels), q)]
            assert list(wrong_brackets(fast, instance)) == []
            assert found.proved in range(-1, n + 1)


# Wrong variants


def variant(monkeypatch, *changes):
    """Return the module with some of its lines changed."""
    source = inspect.getsource(fast)
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    module = ModuleType("wrong_flips")
    monkeypatch.setitem(sys.modules, "wrong_flips", module)
    exec(compile(source, "wrong_flips", "exec"), module.__dict__)  # noqa: S102
    module._LATTICE = 0
    return module


SOME_FREQUENCIES = ("_SMALL = 0.05", "_SMALL = 30.0")
EARLY = ("_LEVELS = (255, 1023, 4095, 16383)", "_LEVELS = (31,)")
SERIES = {
    "the least error": [("1.0 / (level + 1) + rest", "rest"), EARLY],
    "no error of left out frequencies": [("+ rest[used] + wrapped", "+ wrapped"), SOME_FREQUENCIES],
    "the error has another sign": [
        ("error += weight * value.real", "error -= weight * value.real")
    ],
    "no window": [("error += weight * value.real", "pass")],
    "the main sum has another sign": [
        ("main += weight * value.imag", "main -= weight * value.imag")
    ],
    "flipped labels as they were": [
        ("[[1.0], flip + keep * between]", "[[1.0], keep + flip * between]")
    ],
    "labels kept as flipped": [
        ("(keep + flip * between)[::-1]", "(flip + keep * between)[::-1]"),
    ],
    "those before the window as they were": [
        ("np.prod(flip + keep * self._power[:low])", "np.prod(keep + flip * self._power[:low])"),
    ],
    "those after the window flipped": [
        ("np.prod(keep + flip * self._power[high:])", "np.prod(flip + keep * self._power[high:])"),
    ],
    "steps turn the other way": [
        ("np.conj(turned(self.votes.ordered", "(turned(self.votes.ordered")
    ],
}
OTHERS = {
    "a Berry-Esseen constant of 1/5": (
        wrong_brackets,
        [("float(BERRY_ESSEEN)", "0.2")],
    ),
    "Berry and Esseen without the constant's bound": (
        wrong_votes,
        [("float(BERRY_ESSEEN) * ratio * _UP", "float(BERRY_ESSEEN) * ratio")],
    ),
    "skewness forgotten": (wrong_votes, [("rate * rate + (1 - rate) ** 2", "(1 - rate) ** 2")]),
    "nothing wraps": (wrong_tails, [("+ rest[used] + wrapped", "+ rest[used]")]),
    "a sum of the Fourier series": (
        wrong_weights,
        [("share * (1 - share) * half_turn.real / half_turn.imag + share /", "1 /")],
    ),
    "Fejer's weights a little short": (
        wrong_weights,
        [("2 * (1 - share) / (level + 1))", "2 * (1 - share) / (level + 2))")],
    ),
    "no error": (wrong_neighbours, [("error = (given + n", "error = (n")]),
    "half of the error": (wrong_votes, [("given + n * 2.0**-1070", "given / 2")]),
    "no rounding": (wrong_votes, [("rounding = 8 *", "rounding = 0 *")]),
    "noise that never flips": (wrong_votes, [("rate * float(ordered.sum())", "0.0")]),
    "ln 2 rounded": (wrong_tails, [("_LN2 = 0.6931471805599454", "_LN2 = 0.6931471805599453")]),
    "no third of the bound": (wrong_tails, [("(third + math.sqrt", "(math.sqrt")]),
    "variance of a normal law": (wrong_tails, [("votes.bound * room / 3)", "0 * room / 3)")]),
    "one tail": (wrong_tails, [("return 2.0 * exp_minus", "return exp_minus")]),
    "distances from cells forgotten": (wrong_moduli, [("off * _UP + self", "0.0 * off + self")]),
    "cosines of half the angle": (wrong_moduli, [("turn = 8 * _CELLS", "turn = 16 * _CELLS")]),
    "q for q (1 - q)": (wrong_moduli, [("self.flip * self.keep * (1.0", "self.flip * (1.0")]),
    "powers are not multiplied": (
        wrong_values,
        [("self._power *= series.steps", "self._power = series.steps")],
    ),
    "no margin": (
        wrong_values,
        [("turned(np.array([j * (votes.start", "turned(np.array([0 * (votes.start")],
    ),
    "one flip too many": (wrong_brackets, [("values > beyond)) - 1", "values > beyond))")]),
    "refuted one early": (
        wrong_brackets,
        [("return low, self.positive + 1 -", "return low, self.positive -")],
    ),
    "constant for class 1, too": (
        wrong_brackets,
        [("return constant_bracket(prediction, votes.n)", "return constant_bracket(0, votes.n)")],
    ),
    "noise always flips none": (
        wrong_brackets,
        [("if not _mostly_unflipped(self.q, self.n):", "if False:")],
    ),
}


@pytest.mark.parametrize("name", SERIES)
def test_wrong_series_are_caught(name, monkeypatch):
    module = variant(monkeypatch, *SERIES[name])
    if module._LEVELS == fast._LEVELS:
        module._LEVELS = (255,)
    assert any(True for _ in wrong_enclosures(module, hard()))


@pytest.mark.parametrize("name", OTHERS)
def test_wrong_parts_are_caught(name, monkeypatch):
    check, changes = OTHERS[name]
    module = variant(monkeypatch, *changes)
    fewer(module, monkeypatch)
    if check is wrong_brackets:
        known = [((1,) * 30, Fraction(1, 128), (1,) * 30, Fraction(1, 10)), *hard()]
        assert any(True for _ in check(module, [*known, *lattices(20, 30)]))
    else:
        assert any(True for _ in check(module))


def test_a_variant_without_a_change_is_not_wrong(monkeypatch):
    module = variant(monkeypatch)
    fewer(module, monkeypatch)
    assert list(wrong_votes(module)) == []
    assert list(wrong_enclosures(module, list(hard())[:6])) == []
