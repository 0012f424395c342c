"""Exact radii of whole runs, and attacks: by brute force, and both engines on real data."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from random import Random

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from support import HALF, distance, index_of, random_rational_rows, vote_table

from certaudit.certify.attack import attack_label_flip
from certaudit.certify.data import LabelledData
from certaudit.certify.flips import bracket_from_alpha, bracket_of_point, unsmoothed_brackets
from certaudit.certify.label_flip import certify_data, fit
from certaudit.certify.least_squares import LeastSquares
from certaudit.errors import CertauditError, InputError
from certaudit.fast import flips as fast
from certaudit.reference import flips as reference
from certaudit.rigorous import flips as rigorous
from certaudit.rigorous.flips import Bracket, Side, vote_winner

PLAIN = {"scale": "none", "intercept": False}
NOISE = ["0.499", "0.4", "0.3", "0.1", "0.01", "1e-8"]


def checked(rows, labels, tests, targets=None):
    return LabelledData.check(rows, labels, tests, [0] * len(tests) if targets is None else targets)


def fitted(data, **options):
    return fit(data, **{"ridge": "auto", "scale": "standard", "intercept": True, **options})


def brute_radius(alpha, labels, q):
    """Return the winner of the vote, and the most flips that no set of changes it: by trying all.

    The shares of all labellings are computed by a recursion of their own.
    """
    table, start, n = vote_table(alpha, q), index_of(labels), len(labels)
    won = [share > HALF for share in table]
    changing = [distance(start, other) for other in range(1 << n) if won[other] != won[start]]
    return int(won[start]), min(changing, default=n + 1) - 1


def small(random, n):
    k = random.randint(1, 2)
    rows = random_rational_rows(random, n, k)
    labels = [random.randint(0, 1) for _ in range(n)]
    return checked(rows, labels, random_rational_rows(random, 2, k), [0, 1])


@pytest.mark.parametrize("engine", ["fast", "rigorous"])
@pytest.mark.parametrize("seed", range(25))
def test_every_set_of_flips_of_small_data(seed, engine):
    random = Random(seed)
    data = small(random, random.randint(2, 8))
    n = len(data.y_train)
    for intercept in (False, True):
        options = {"q": random.choice(NOISE), "ridge": random.choice(["0.5", "3", "1/3"])}
        options |= {"scale": "none", "intercept": intercept}
        run = certify_data(data, guarantee="all", engine=engine, **options)
        rate, _, _, model = fitted(data, **options)
        for c in run.certificates:
            alpha = model.exact_alpha(c.index)
            winner, radius = brute_radius(alpha, data.y_train.tolist(), rate)
            assert c.decided
            assert c.prediction == winner
            assert (c.exact.proved, c.exact.refuted_at) == (
                radius,
                None if radius == n else radius + 1,
            )
            assert c.kl_radius <= radius
            assert c.tight_radius <= radius
            assert c.as_json()["radius"]["exact"]["proved"] == radius
            assert radius == reference.exact_radius(alpha, data.y_train.tolist(), rate, winner)
        assert run.closed() == len(run.certificates)


def test_the_vote_may_not_be_the_sign_of_the_mean():
    # The design's instance: the papers' output is 0, the vote 1 with a share of 4/5.
    data = checked([[1.0]], [1], [[0.6]])
    options = {"q": "0.2", "ridge": "0", **PLAIN}
    kl = certify_data(data, **options).certificates[0]
    assert (kl.prediction, kl.mean_prediction, kl.decided) == (0, 0, False)
    exact = certify_data(data, guarantee="exact", **options).certificates[0]
    assert (exact.prediction, exact.mean_prediction, exact.decided) == (1, 0, True)
    assert (exact.t, exact.log_error, exact.p_lower, exact.kl_radius) == (0.0, 0.0, 0.0, 0)
    assert (exact.exact.proved, exact.exact.refuted_at) == (0, 1)


def bunch(points, seed=0):
    """Return real data: some rows of the breast cancer set, with an own split."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    train, test = order[:points], order[points : points + 40]
    return checked(x[train], y[train], x[test], y[test])


@pytest.mark.parametrize("q", ["0.1", "0.01"])
@pytest.mark.parametrize("points", [30, 200])
def test_engines_bracket_the_same_radii(points, q):
    data = bunch(points)
    quick = certify_data(data, q=q, guarantee="all", limit=3)
    slow = certify_data(data, q=q, guarantee="all", limit=3, engine="rigorous")
    for one, other in zip(quick.certificates, slow.certificates, strict=True):
        assert one.prediction == other.prediction
        low = max(one.exact.proved, other.exact.proved)
        high = [b for b in (one.exact.refuted_at, other.exact.refuted_at) if b is not None]
        assert all(low < b for b in high)
    assert quick.closed() >= 2


@pytest.mark.parametrize("q", ["0.3", "0.1", "0.01"])
def test_every_radius_of_every_guarantee_is_below_what_is_refuted(q):
    """A test of the whole system: a wrong bound anywhere would end above some `refuted_at`."""
    data = bunch(450, seed=1)
    run = certify_data(data, q=q, guarantee="all")
    refuted = 0
    for c in run.certificates:
        radii = c.radii()
        assert radii["kl"] <= radii["tight"] <= radii["exact"]
        if c.exact.refuted_at is not None:
            refuted += 1
            assert radii["exact"] < c.exact.refuted_at
    assert refuted >= 35
    assert run.closed() >= 35


def test_a_contradiction_between_guarantees_ends_the_run(monkeypatch):
    data = bunch(400)
    wrong = Bracket(0, 0, 1, Side("fourier"), Side("fourier"))

    def refute(*arguments):
        return replace(wrong, prediction=arguments[-1])

    monkeypatch.setattr("certaudit.certify.fast.bracket_from_alpha", refute)
    with pytest.raises(CertauditError, match=r"internal error: test point .* proven were"):
        certify_data(data, q="0.1", guarantee="exact")


def test_larger_radii_of_other_guarantees_are_kept(monkeypatch):
    data = bunch(60)

    def nothing(*arguments):
        return Bracket(arguments[-1], -1, None, None, None)

    monkeypatch.setattr("certaudit.certify.fast.bracket_from_alpha", nothing)
    for c in certify_data(data, q="0.1", guarantee="all").certificates:
        assert c.decided == (c.exact.proved >= 0)
        assert max(c.exact.proved, 0) == c.tight_radius
        assert (c.exact.proof is None) == (not c.decided)


def test_counts_under_attack():
    data = bunch(120)
    run = certify_data(data, q="0.1", guarantee="exact")
    left, certified = run.attacked_counts(), run.certified_counts("exact")
    right = [c for c in run.certificates if c.prediction == c.label]
    for r, count in enumerate(left):
        assert count == sum(c.exact.refuted_at is None or c.exact.refuted_at > r for c in right)
    assert left == sorted(left, reverse=True)
    assert left[0] == len(right)
    assert left[-1] == sum(c.exact.refuted_at is None for c in right)
    for r, count in enumerate(certified):
        assert count <= left[min(r, len(left) - 1)]


@pytest.mark.parametrize("seed", range(12))
def test_without_noise_one_sort_is_enough(seed):
    random = Random(seed)
    data = small(random, random.randint(2, 8))
    _, _, _, model = fitted(data, q="0.1", ridge="1/3", **PLAIN)
    labels = data.y_train.tolist()
    for index, (prediction, proved, refuted_at) in enumerate(
        unsmoothed_brackets(model, data.y_train, range(2))
    ):
        alpha = model.exact_alpha(index)
        assert prediction == int(sum(a for a, y in zip(alpha, labels, strict=True) if y) >= HALF)
        radius = reference.unsmoothed_radius(alpha, labels, prediction)
        assert (proved, refuted_at) == (radius, None if radius == len(labels) else radius + 1)


def test_without_noise_on_real_data():
    data = bunch(300)
    _, _, _, model = fitted(data, q="0.1")
    found = list(unsmoothed_brackets(model, data.y_train, range(10)))
    for index, (prediction, proved, refuted_at) in enumerate(found):
        alpha = model.exact_alpha(index)
        radius = reference.unsmoothed_radius(alpha, data.y_train.tolist(), prediction)
        assert (proved, refuted_at) == (radius, radius + 1)


def test_points_without_float_alphas_are_bracketed_from_balls():
    generator = np.random.default_rng(5)
    rows = generator.normal(size=(40, 3))
    rows[:, 1] = rows[:, 0] * (1 + 1e-13)  # nearly the same column twice
    rows[:, 2] *= 1e200
    data = checked(rows, (rows[:, 0] > 0).astype(int), rows[:3])
    options = {"q": "0.1", "ridge": "1e-30", **PLAIN}
    run = certify_data(data, guarantee="exact", **options)
    rate, _, _, model = fitted(data, **options)
    for c in run.certificates:
        alpha = model.exact_alpha(c.index)
        bracket, _ = bracket_of_point(model, c.index, data.y_train, rate, c.prediction)
        assert c.exact.proved >= 0
        assert bracket.proved >= 0
        for flips, holds in ((c.exact.proved, True), (c.exact.refuted_at, False)):
            if flips is None:
                continue
            worst = reference.worst_flips(alpha, data.y_train.tolist(), c.prediction, flips)
            labels = reference.flip(data.y_train.tolist(), worst)
            winner, _ = vote_winner(alpha, labels, rate)
            assert winner in ({c.prediction} if holds else {1 - c.prediction, None})


@pytest.mark.parametrize("seed", range(20))
def test_attacks_on_small_data_are_smallest_and_change_the_vote(seed):
    random = Random(100 + seed)
    data = small(random, random.randint(3, 8))
    q, labels = random.choice(["0.4", "0.1", "0.01"]), data.y_train.tolist()
    options = {"q": q, "ridge": "1/2", **PLAIN}
    rate, _, _, model = fitted(data, **options)
    for index in range(2):
        alpha, found = model.exact_alpha(index), attack_label_flip(data, index, **options)
        winner, radius = brute_radius(alpha, labels, rate)
        assert found.bracket.prediction == winner
        if radius == len(labels):
            assert found.flips == ()
            assert found.bracket.refuted_at is None
            continue
        assert len(found.flips) == radius + 1 == len(set(found.flips))
        flipped = [1 - y if i in found.flips else y for i, y in enumerate(labels)]
        assert (vote_table(alpha, rate)[index_of(flipped)] > HALF) != bool(winner)
        assert found.holds_for == "pipeline"
        assert found.after is not None
        # Nothing smaller: no set of `radius` flips at all.
        table = vote_table(alpha, rate)
        for few in combinations(range(len(labels)), radius):
            other = [1 - y if i in few else y for i, y in enumerate(labels)]
            assert (table[index_of(other)] > HALF) == bool(winner)


@pytest.mark.parametrize("ridge", ["auto", "paper"])
def test_attacks_on_real_data_are_replayed_in_balls(ridge):
    data = bunch(200)
    rate, features, chosen, model = fitted(data, q="0.1", ridge=ridge)
    for index in range(8):
        found = attack_label_flip(data, index, q="0.1", ridge=ridge)
        labels = data.y_train.copy()
        labels[list(found.flips)] = 1 - labels[list(found.flips)]
        point = next(iter(model.points([index])))
        before, _ = vote_winner(point.alpha, data.y_train, rate, alpha_error=point.alpha_error)
        after, _ = vote_winner(point.alpha, labels, rate, alpha_error=point.alpha_error)
        assert (before, after) == (found.bracket.prediction, 1 - found.bracket.prediction)
        assert (found.ridge_after is not None) == (
            ridge == "paper" and found.holds_for == "pipeline"
        )
        if found.ridge_after is not None:
            assert found.ridge_after.value != chosen.value
            again = LeastSquares(
                features.train, features.test, labels, found.ridge_after.value, intercept=True
            )
            point = next(iter(again.points([index])))
            after, _ = vote_winner(point.alpha, labels, rate, alpha_error=point.alpha_error)
            assert after == 1 - found.bracket.prediction


@pytest.mark.parametrize("index", [-1, 40, 10**30])
def test_an_index_that_is_no_test_point(index):
    with pytest.raises(InputError, match="index"):
        attack_label_flip(bunch(30), index, q="0.1")


def test_chernoff_takes_over_where_berry_and_esseen_prove_nothing():
    # Little noise on few labels that weigh much: the error of the normal law is beyond 1/2.
    generator = np.random.default_rng(0)
    alpha, labels = generator.normal(size=60) ** 3, np.ones(60, dtype=np.int64)
    alpha *= 4 / alpha.sum()
    found = bracket_from_alpha(alpha, Fraction(0), labels, Fraction(1, 50), 1)
    for side, edge in ((found.proof, found.proved), (found.refutation, found.refuted_at)):
        assert side.check == "chernoff"
        assert side.t is not None
        assert (side.flips <= edge) if side is found.proof else (side.flips >= edge)


def test_a_checker_gets_the_stronger_of_its_bounds():
    # Heavy tails and little noise: Berry and Esseen prove something, Chernoff's bound more.
    generator, stronger = np.random.default_rng(1), 0
    for _ in range(20):
        alpha = np.abs(generator.normal(size=200)) ** 1.5
        alpha *= 4 / alpha.sum()
        labels, q = np.ones(200, dtype=np.int64), Fraction(1, 15)
        plain = {"fast": fast.bracket, "rigorous": rigorous.bracket}
        for engine, decide in plain.items():
            before = decide(alpha, labels, q, 1)
            after = bracket_from_alpha(alpha, Fraction(0), labels, q, 1, engine=engine)
            assert (before.proved, before.refuted_at) == (after.proved, after.refuted_at)
            assert before.proof.check in ("berry-esseen", None)
            least = -1 if before.proof.flips is None else before.proof.flips
            assert least <= after.proof.flips <= after.proved
            stronger += before.proof.check is not None and after.proof.check == "chernoff"
            most = 201 if before.refutation.flips is None else before.refutation.flips
            assert after.refuted_at <= after.refutation.flips <= most
    assert stronger


@pytest.mark.parametrize("engine", ["fast", "rigorous"])
def test_both_engines_say_what_berry_and_esseen_prove(engine):
    data = bunch(300)
    for c in certify_data(data, q="0.1", guarantee="exact", limit=3, engine=engine).certificates:
        sides = (c.exact.proof, c.exact.refutation)
        assert [side.check for side in sides] == ["berry-esseen"] * 2
        assert c.exact.proved - 5 <= sides[0].flips <= c.exact.proved
        assert c.exact.refuted_at <= sides[1].flips <= c.exact.refuted_at + 5
