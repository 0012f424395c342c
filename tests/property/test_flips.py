"""Brackets of the exact radius against brute force, exact laws, and every alpha they allow."""

import math
from bisect import bisect_left, bisect_right
from fractions import Fraction
from random import Random

import mpmath
import numpy as np
import pytest
from flint import fmpz_poly
from support import HALF

from certaudit.errors import InputError
from certaudit.fast import flips as fast
from certaudit.reference import flips as reference
from certaudit.reference.radius import number
from certaudit.reference.tail import log_chernoff
from certaudit.rigorous import flips as rigorous

METHODS = {"constant", "no-noise", "enumeration", "chernoff", "berry-esseen", "fourier", "lattice"}
ENGINES = {"fast": fast.bracket, "rigorous": rigorous.bracket}
NOISE = [
    *(Fraction(a, b) for a, b in ((1, 10), (1, 3), (1, 100), (3, 8), (9, 20))),
    Fraction(4999, 10_000),
    Fraction(1, 10**12),
]

# The truth


def winners(alpha, q):
    """Return the class that every one of the 2^n label vectors is given, label i at bit i.

    Exact: integers over common denominators. No share is 1/2.
    """
    n = len(alpha)
    bottom = math.lcm(2, *(a.denominator for a in alpha))
    scores = np.array([0], dtype=object)
    for a in alpha:
        scores = np.concatenate([scores, scores + int(a * bottom)])
    table = np.array([int(score >= bottom // 2) for score in scores], dtype=object)
    places = np.arange(1 << n)
    for i in range(n):
        table = (q.denominator - q.numerator) * table + q.numerator * table[places ^ 1 << i]
    return (2 * table > q.denominator**n).astype(np.int64)


def brute_radius(won, place, prediction):
    """Return the largest r such that no set of at most r flips takes the vote from `prediction`.

    -1 where the vote is not for it, n where no set does.
    """
    other = np.flatnonzero(won != prediction) ^ place
    n = len(won).bit_length() - 1
    return min((int(x).bit_count() for x in other), default=n + 1) - 1


def lattice_radius(steps, unit, labels, q, prediction):
    """Return the same for alpha = steps * unit, from the law of the sum after worst flips."""
    alpha = [unit * k for k in steps]
    order = reference.worst_flips(alpha, labels, prediction, len(labels))

    def holds(r):
        a, b = q.numerator, q.denominator
        law, low = fmpz_poly([1]), 0
        kinds = {}
        for k, y in zip(steps, reference.flip(labels, order[:r]), strict=True):
            kinds[k, y] = kinds.get((k, y), 0) + 1
        for (k, y), count in kinds.items():
            one, zero = (b - a, a) if y else (a, b - a)
            ends = (zero, one) if k >= 0 else (one, zero)
            gap = [0] * (abs(k) - 1)
            law *= fmpz_poly([ends[0], *gap, ends[1]] if k else [b]) ** count
            low += min(k, 0) * count
        first = max(math.ceil(HALF / unit) - low, 0)
        share = Fraction(sum(map(int, law.coeffs()[first:])), b ** len(labels))
        return (share > HALF) == (prediction == 1)

    if not holds(0):
        return -1
    low, high = 0, len(order) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low if low < len(order) else len(labels)


# What a bracket says


def untruths(found, radius, n):
    """Return what a bracket says that is not so, given the true radius."""
    wrong = []
    if not -1 <= found.proved <= radius:
        wrong.append(f"proved {found.proved}, the radius is {radius}")
    if found.refuted_at is not None and not radius < found.refuted_at <= n:
        wrong.append(f"refuted at {found.refuted_at}, the radius is {radius}")
    if (found.proof is None) != (found.proved == -1):
        wrong.append("a proof, or none, that there should not be")
    if (found.refutation is None) != (found.refuted_at is None):
        wrong.append("a refutation, or none, that there should not be")
    if found.proof is not None and found.proof.flips is not None:
        wrong += [f"{found.proof}"] * (not 0 <= found.proof.flips <= found.proved)
    if found.refutation is not None and found.refutation.flips is not None:
        wrong += [f"{found.refutation}"] * (not found.refuted_at <= found.refutation.flips <= n)
    return wrong


def is_closed(found, n):
    """Return whether nothing is left open."""
    if found.refuted_at is None:
        return found.proved == n
    return found.refuted_at == found.proved + 1


def unchecked(found, alpha, labels, q, error):
    """Return the sides whose evidence does not show what it is said to show."""
    wrong = []
    for side, proves in ((found.proof, True), (found.refutation, False)):
        if side is None:
            continue
        known = side.by in METHODS
        fits = (side.check is None) == (side.flips is None)
        fits = fits and (side.t is not None) == (side.check == "chernoff")
        holds = side.check is None or shows(side, proves, alpha, labels, q, found.prediction, error)
        if not (known and fits and holds):
            wrong.append(side)
    return wrong


def shows(side, proves, alpha, labels, q, c, error):
    """Return whether the evidence of a side holds, by the reference's own arithmetic."""
    order = reference.worst_flips(alpha, labels, c, len(labels))
    if not proves and side.flips > len(order):
        return False
    after = reference.flip(labels, order[: side.flips])
    with mpmath.workdps(40):
        if side.check == "berry-esseen":
            if proves:
                return reference.berry_esseen(alpha, after, q, c, error)[1] < 0.5
            return reference.berry_esseen(alpha, after, q, c, -error)[0] > 0.5
        if side.check == "no-noise":
            margin = reference.hard_margin(alpha, after, c)
            margin += (-error if proves else error) if error else 0
            holds = margin >= 0 if c == 1 else margin > 0
            return (1 - q) ** len(labels) > HALF and holds == proves
        if side.check == "chernoff":
            winner = c if proves else 1 - c
            values = [number(a) for a in alpha]
            log = log_chernoff(number(side.t), values, after, q) + abs(number(side.t)) * number(
                error
            )
            return (side.t > 0) == (winner == 1) and log < -mpmath.log(2)
    return False


def complaints(found, radius, alpha, labels, q, error=Fraction(0)):
    """Return all that is wrong with a bracket."""
    return untruths(found, radius, len(labels)) + unchecked(found, alpha, labels, q, error)


# Instances


def small_alpha(random):
    """Return up to 12 floats: ties at 1/2, equal and zero supports, both signs, sizes apart."""
    n = random.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12])
    kind = random.randrange(6)
    if kind == 0:
        alpha = [random.randint(-4, 6) / 8 for _ in range(n)]
    elif kind == 1:
        alpha = [random.gauss(1 / n, 1 / n) for _ in range(n)]
    elif kind == 2:  # one heavy label
        alpha = [random.gauss(0, 0.1) for _ in range(n - 1)] + [random.choice([-10.0, 10.0])]
    elif kind == 3:  # the sum of some is next to 1/2, or there
        alpha = [random.randint(1, 9) / 16 for _ in range(n - 1)]
        some = sum(a for a in alpha if random.random() < 0.5)
        alpha.append(math.nextafter(0.5 - some, random.choice([-9, 9, 0.5 - some])))
    elif kind == 4:
        alpha = [1 / n] * n
    else:
        alpha = [random.choice([0.0, 1e-3, 0.25, 0.5, 1.0, -1.0]) for _ in range(n)]
    return np.array(alpha)


def exactly(alpha):
    return [Fraction(float(a)) for a in alpha]


def labels_of(place, n):
    return [place >> i & 1 for i in range(n)]


def cases(seed, count):
    """Yield alpha, q, the class of every label vector, and some of these."""
    random = Random(seed)
    for _ in range(count):
        alpha, q = small_alpha(random), random.choice(NOISE)
        n = len(alpha)
        yield alpha, q, winners(exactly(alpha), q), random.choices(range(1 << n), k=4)


def switch_off(monkeypatch, *methods):
    """Take methods away, so that others must decide: small instances are otherwise enumerated.

    And frequencies that would seldom close what fewer leave open: a matter of time only.
    """
    monkeypatch.setattr(rigorous, "_LEVELS", (31, 127))
    monkeypatch.setattr(fast, "_LEVELS", (31, 255))
    if "enumeration" in methods:
        monkeypatch.setattr(rigorous, "MAX_ENUMERATED", 0)
        monkeypatch.setattr(fast, "MAX_ENUMERATED", 0)
    if "lattice" in methods:
        monkeypatch.setattr(rigorous, "_LONGEST", 0)


# Tests


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(12))
def test_enumeration_closes_every_small_bracket(engine, seed):
    for alpha, q, won, places in cases(seed, 12):
        n = len(alpha)
        for place in places:
            labels = labels_of(place, n)
            for c in (0, 1):
                found = ENGINES[engine](alpha, labels, q, c)
                radius = brute_radius(won, place, c)
                assert complaints(found, radius, exactly(alpha), labels, q) == []
                assert found.prediction == c
                assert is_closed(found, n)
                assert (found.proved == -1) == (found.refuted_at == 0) == (won[place] != c)


@pytest.mark.parametrize("seed", range(4))
def test_the_winner_of_the_vote(seed):
    for alpha, q, won, places in cases(seed, 20):
        for place in places:
            winner, method = rigorous.vote_winner(alpha, labels_of(place, len(alpha)), q)
            assert winner == won[place]
            assert method in METHODS


@pytest.mark.parametrize("seed", range(4))
def test_the_worst_order_is_that_of_the_reference(seed):
    for alpha, _, _, places in cases(seed, 40):
        for place in places:
            labels = labels_of(place, len(alpha))
            for c in (0, 1):
                order = rigorous.worst_order(alpha, labels, c)
                expected = reference.worst_flips(exactly(alpha), labels, c, len(labels))
                assert tuple(order.tolist()) == expected


OFF = [("enumeration",), ("enumeration", "lattice")]


def brackets_without(engine, seeds, count=6):
    """Yield brackets and what is wrong with them, over many small instances."""
    for seed in seeds:
        for alpha, q, won, places in cases(1000 + seed, count):
            for place in places[:2]:
                labels = labels_of(place, len(alpha))
                for c in (0, 1):
                    found = ENGINES[engine](alpha, labels, q, c)
                    radius = brute_radius(won, place, c)
                    yield found, complaints(found, radius, exactly(alpha), labels, q)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("off", OFF)
def test_other_methods_say_nothing_false(engine, off, monkeypatch):
    """Small instances without enumeration: every method is held against brute force."""
    switch_off(monkeypatch, *off)
    used = set()
    for found, wrong in brackets_without(engine, range(4)):
        assert wrong == []
        used |= {side.by for side in (found.proof, found.refutation) if side is not None}
    assert used >= {"constant", "no-noise", "berry-esseen", "fourier"}
    assert engine == "fast" or ("lattice" in used) == ("lattice" not in off)


def nearby(random, alpha, error):
    """Return alphas within `error` in l1 distance: spread out, or all of it at one label."""
    n = len(alpha)
    moves = [Fraction(random.randint(-9, 9)) for _ in range(n)]
    if random.random() < 0.5:
        moves = [Fraction(0)] * n
        moves[random.randrange(n)] = Fraction(random.choice([-1, 1]))
    total = sum(map(abs, moves))
    return [a + error * m / total if total else a for a, m in zip(alpha, moves, strict=True)]


def complaints_of_neighbours(engine, count):
    """Yield what is wrong with brackets that hold for every alpha within an error."""
    random = Random(5)
    for _ in range(count):
        alpha, q = small_alpha(random)[:7], random.choice(NOISE)
        n, exact = len(alpha), exactly(alpha)
        place = random.randrange(1 << n)
        # What takes a score to 1/2, exactly: some alphas tie where the given one does not.
        labels = labels_of(place, n)
        gap = abs(sum(a for a, y in zip(exact, labels, strict=True) if y) - HALF)
        error = random.choice([gap, gap, *(Fraction(1, d) for d in (8, 16, 1000, 10**9))])
        found = {}
        for chosen in {place, *random.choices(range(1 << n), k=2)}:
            labels = labels_of(chosen, n)
            for c in (0, 1):
                one = ENGINES[engine](alpha, labels, q, c, alpha_error=error)
                found[chosen, c] = one
                yield from unchecked(one, exact, labels, q, error)
        for _ in range(5):
            won = winners(nearby(random, exact, error), q)
            for (chosen, c), one in found.items():
                yield from untruths(one, brute_radius(won, chosen, c), n)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("off", [(), *OFF])
def test_what_is_said_holds_for_every_alpha_allowed(engine, off, monkeypatch):
    switch_off(monkeypatch, *off)
    assert list(complaints_of_neighbours(engine, 12 if off else 60)) == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(18))
def test_lattices_of_many_labels(engine, seed, monkeypatch):
    """30 to 200 labels, alphas that are multiples of a unit: exact laws by integer polynomials."""
    monkeypatch.setattr(fast, "_LEVELS", (255, 1023))
    random = Random(seed)
    n = random.choice([30, 60, 120, 200])
    if seed % 3 == 2:  # of many sizes, as those of a data set are
        unit = Fraction(1, 1024)
        steps = [round(random.gauss(1024 / n, 3000 / n)) for _ in range(n)]
    else:
        unit, most = Fraction(1, random.choice([16, 64, 256])), random.choice([1, 2, 8])
        steps = [random.randint(-most, 2 * most) if seed % 3 else most for _ in range(n)]
    q = random.choice(NOISE)
    bias = random.random()
    labels = [int(random.random() < bias) for _ in range(n)]
    alpha = np.array([float(unit * k) for k in steps])
    for c in (0, 1):
        found = ENGINES[engine](alpha, labels, q, c)
        radius = lattice_radius(steps, unit, labels, q, c)
        assert complaints(found, radius, exactly(alpha), labels, q) == []
        assert is_closed(found, n) or engine == "fast"
        # Ties and little noise aside, floats leave at most two numbers of flips open.
        assert seed % 3 != 2 or q < Fraction(1, 20) or radius - found.proved <= 2


def test_the_lattice_radius_by_brute_force():
    random = Random(3)
    for _ in range(30):
        n, unit = random.randint(1, 7), Fraction(1, 8)
        steps = [random.randint(-3, 5) for _ in range(n)]
        q, place = random.choice(NOISE), random.randrange(1 << n)
        won = winners([unit * k for k in steps], q)
        for c in (0, 1):
            radius = lattice_radius(steps, unit, labels_of(place, n), q, c)
            assert radius == brute_radius(won, place, c)


EXTREMES = {
    "zeros": [0.0] * 5,
    "zeros, many": [0.0] * 40,
    "one zero": [0.0],
    "one": [1.0],
    "one half": [0.5],
    "next to one half": [math.nextafter(0.5, 0.0)],
    "one negative": [-1.0],
    "huge": [1e308, 0.25, 0.25, -0.5],
    "huge, both signs": [1e308, -1e308, 0.5],
    "huge cubes": [1e200, 1e-200, -1e150, 0.5],
    "denormals": [5e-324, -5e-324, 5e-324],
    "denormals and one half": [5e-324, 0.5, -5e-324],
    "a half less a denormal": [0.5, -5e-324],
    "tiny": [1e-300] * 6,
}
"""Up to 12 labels."""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [name for name, alpha in EXTREMES.items() if len(alpha) < 12])
@pytest.mark.parametrize("off", [(), OFF[1]])
def test_extreme_alphas(engine, name, off, monkeypatch):
    switch_off(monkeypatch, *off)
    alpha = np.array(EXTREMES[name])
    n = len(alpha)
    for q in NOISE[1::2] if off else NOISE:
        won = winners(exactly(alpha), q)
        for place in range(0, 1 << n, 5 if off and n > 2 else 1):
            labels = labels_of(place, n)
            for c in (0, 1):
                found = ENGINES[engine](alpha, labels, q, c)
                radius = brute_radius(won, place, c)
                assert complaints(found, radius, exactly(alpha), labels, q) == []
                assert off or is_closed(found, n)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("alpha", "labels", "radii"),
    [
        ([0.0] * 40, [0, 1] * 20, (40, -1)),
        ([1e-300] * 40, [1] * 40, (40, -1)),
        ([5e-324] * 40, [1] * 40, (40, -1)),
        ([1e300] + [1e-3] * 39, [1] * 40, (-1, 0)),  # the one heavy label is the vote
        ([1e300] + [1e-3] * 39, [0] * 40, (0, -1)),
        ([-1e300] + [1e-3] * 39, [1] * 40, (40, -1)),
        ([-1e300] + [1e-3] * 39, [0] * 40, (40, -1)),
        ([1e300] + [5e-324] * 39, [1] * 40, (-1, 0)),
    ],
)
def test_extreme_alphas_of_many_labels(engine, alpha, labels, radii, monkeypatch):
    """Nothing false; what floats alone cannot do may stay open."""
    switch_off(monkeypatch)
    for q in (Fraction(1, 10), Fraction(4999, 10_000), Fraction(1, 10**12)):
        for c, radius in enumerate(radii):
            found = ENGINES[engine](np.array(alpha), labels, q, c)
            assert complaints(found, radius, exactly(alpha), labels, q) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_refusals(engine):
    good = ([0.5, 0.25], [1, 0], Fraction(1, 10), 1)
    bad = [
        ([0.5, math.nan], *good[1:]),
        ([0.5, math.inf], *good[1:]),
        (good[0], [1, 2], *good[2:]),
        (good[0], [1], *good[2:]),
        ([], [], *good[2:]),
        (*good[:2], Fraction(1, 2), 1),
        (*good[:2], Fraction(0), 1),
    ]
    for alpha, labels, q, c in bad:
        with pytest.raises(InputError):
            ENGINES[engine](np.array(alpha), np.array(labels), q, c)
    with pytest.raises(InputError):
        ENGINES[engine](np.array(good[0]), *good[1:], alpha_error=Fraction(-1))


# Without noise


@pytest.mark.parametrize("seed", range(6))
def test_without_noise_one_sort_decides(seed):
    random = Random(seed)
    for _ in range(40):
        alpha = small_alpha(random)
        n = len(alpha)
        place = random.randrange(1 << n)
        labels, exact = labels_of(place, n), exactly(alpha)
        for c in (0, 1):
            radius = reference.unsmoothed_radius(exact, labels, c)
            proved, refuted_at = rigorous.unsmoothed_bracket(alpha, labels, c)
            assert proved == radius
            assert refuted_at == (None if radius == n else radius + 1)
            error = random.choice([Fraction(1, 8), Fraction(1, 1000)])
            proved, refuted_at = rigorous.unsmoothed_bracket(alpha, labels, c, alpha_error=error)
            for _ in range(4):
                near = nearby(random, exact, error)
                radius = reference.unsmoothed_radius(near, labels, c)
                assert proved <= radius
                assert refuted_at is None or radius < refuted_at


# Wrong variants


def without_error(*arguments):
    """Check input, and forget the error of alpha."""
    rate, labels, _ = rigorous_checked(*arguments)
    return rate, labels, Fraction(0)


def without_window(weights):
    """Return Vaaler's weights without those of the error, that is without even frequencies."""

    def found(level):
        if isinstance(weights(level), tuple):
            odd, even = weights(level)
            return odd, [0 * w for w in even]
        return weights(level) * (np.arange(level + 1) % 2)

    return found


rigorous_checked = rigorous.checked
WRONG = {
    "a constant of Berry and Esseen that is too small": (
        (rigorous, "BERRY_ESSEEN", Fraction(1, 50)),
        (fast, "BERRY_ESSEEN", Fraction(1, 50)),
    ),
    "noise always flips none": (
        (rigorous.Votes, "_mostly_unflipped", True),
        (fast, "_mostly_unflipped", lambda *_: True),
    ),
    "the error of a Fourier series is its mean": (
        (rigorous, "_weights", without_window(rigorous._weights)),
        (fast, "_weights", without_window(fast._weights)),
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", WRONG)
def test_wrong_variants_are_caught(engine, name, monkeypatch):
    switch_off(monkeypatch, "enumeration", "lattice")
    for owner, attribute, value in WRONG[name]:
        monkeypatch.setattr(owner, attribute, value)
    assert any(wrong for _, wrong in brackets_without(engine, range(4)))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("off", [(), OFF[1]])
def test_a_forgotten_error_of_alpha_is_caught(engine, off, monkeypatch):
    switch_off(monkeypatch, *off)
    for module in (rigorous, fast):
        monkeypatch.setattr(module, "checked", without_error)
    assert any(complaints_of_neighbours(engine, 60))


@pytest.mark.parametrize(
    ("name", "other"), [("bisect_left", bisect_right), ("bisect_right", bisect_left)]
)
def test_wrong_ties_are_caught(name, other, monkeypatch):
    """Each class has its own: S = 1/2 is a vote for 1."""
    monkeypatch.setattr(rigorous, name, other)
    wrong = []
    for alpha, q, won, places in cases(0, 40):
        labels = labels_of(places[0], len(alpha))
        for c in (0, 1):
            found = rigorous.bracket(alpha, labels, q, c)
            wrong += untruths(found, brute_radius(won, places[0], c), len(alpha))
    assert wrong
