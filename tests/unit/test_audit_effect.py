"""What overclaims change: certified accuracy and average radius, against brute force."""

from fractions import Fraction
from random import Random

import numpy as np
import pytest

from certaudit.auditing import effect as module
from certaudit.auditing.effect import Effect, compared
from certaudit.auditing.verdict import Cause, Judged, Reason, Verdict

GRID = np.arange(0, 9) / 4.0


def rows_of(random, many, values):
    """Return random rows as (verdict, claimed, proved, right)."""
    rows = []
    for _ in range(many):
        verdict = random.choice([Verdict.CONFIRMED, Verdict.UNSUPPORTED, Verdict.UNSUPPORTED,
                                 Verdict.REFUTED, Verdict.INCONCLUSIVE, Verdict.ABSTAINED,
                                 Verdict.MALFORMED])  # fmt: skip
        claimed = random.choice(values)
        proved = random.choice([random.choice(values), np.nan])
        if verdict is Verdict.CONFIRMED:
            proved = claimed + random.choice([0.0, 0.1])
        rows.append((verdict, claimed, proved, random.random() < 0.8))
    return rows


def judged_of(rows):
    judged = Judged.blank(len(rows))
    for n, (verdict, claimed, proved, _) in enumerate(rows):
        nothing = verdict is Verdict.INCONCLUSIVE and np.isnan(proved)
        judged.put(n, verdict, Reason.NO_EVIDENCE if nothing else Reason.PROVED, Cause.NONE)
        judged.claimed[n], judged.proved[n] = claimed, proved
        judged.excess[n] = 0.0 if verdict is Verdict.CONFIRMED else claimed - max(proved, 0.0)
    return judged


def pairs_by_force(rows):
    """Return claim and proof of each row that counts; -1 where nothing is proven."""
    pairs = []
    for verdict, claimed, proven, right in rows:
        proved = proven
        if verdict in (Verdict.ABSTAINED, Verdict.MALFORMED) or not right:
            continue
        if verdict is Verdict.INCONCLUSIVE and np.isnan(proved):
            continue
        if verdict is Verdict.CONFIRMED:
            proved = claimed
        elif np.isnan(proved):
            proved = -1.0
        pairs.append((claimed, min(claimed, proved)))
    return pairs


def lost_by_force(pairs):
    return max((sum(p < r <= c for c, p in pairs) for r, _ in pairs), default=0)


def made(rows, parts=3, grid=GRID):
    effect = Effect(grid)
    size = max(1, len(rows) // parts)
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        effect.add(judged_of(part), np.array([right for *_, right in part]))
    return effect


VALUES = ([0.0, 0.25, 0.5, 0.75, 1.0], [n / 100 for n in range(200)], [0.1, 0.3])


@pytest.mark.parametrize("values", VALUES, ids=len)
@pytest.mark.parametrize("group", [4, 50, 1 << 20])
def test_certified_accuracy_is_that_of_brute_force(values, group, monkeypatch):
    monkeypatch.setattr(module, "_GROUP", group)
    for seed in range(25):
        rows = rows_of(Random(seed), Random(seed).randint(0, 60), values)
        pairs, effect = pairs_by_force(rows), made(rows)
        right = lost_by_force(pairs)
        if group > 60:
            assert effect.accuracy_drop() == right
            assert effect.accuracy_drop() == right  # asking changes nothing
        assert effect.accuracy_drop() >= right
        assert effect.rows == len(rows)
        assert effect.right == len(pairs)
        assert effect.overclaimed == sum(p < c for c, p in pairs)
        found = effect.as_json()
        for entry in found["certified"]:
            r = entry["radius"]
            assert entry["claimed"] == sum(c >= r for c, _ in pairs)
            assert entry["proved"] == sum(p >= r for _, p in pairs)
        drops = [sum(c >= r for c, _ in pairs) - sum(p >= r for _, p in pairs) for r in GRID]
        assert found["grid_drop_rows"] == max(drops)
        assert found["grid_drop_rows"] <= found["worst_drop_rows"]


def test_values_that_float32_holds_are_put_together_without_loss(monkeypatch):
    monkeypatch.setattr(module, "_GROUP", 5)
    rows = rows_of(Random(3), 400, VALUES[0])
    assert made(rows, parts=40).accuracy_drop() == lost_by_force(pairs_by_force(rows))


def test_rounding_outward_is_seen(monkeypatch):
    monkeypatch.setattr(module, "_GROUP", 5)
    monkeypatch.setattr(module, "_float32", lambda values, _: values.astype(np.float16) + 0.0)
    short = 0
    for seed in range(30):
        random = Random(seed)
        rows = [(Verdict.UNSUPPORTED, c := 1 + random.random() / 1000, c - 1e-5, True)
                for _ in range(20)]  # fmt: skip
        short += made(rows).accuracy_drop() < lost_by_force(pairs_by_force(rows))
    assert short


@pytest.mark.parametrize("towards", [-np.inf, np.inf])
def test_float32_to_one_side(towards):
    values = np.array([0.1, 0.3, 1 / 3, 0.5, -1.0, 0.0, 1e-30, np.inf])
    found = module._float32(values, towards)
    assert np.all(found <= values if towards < 0 else found >= values)
    assert np.all(found.astype(np.float32) == found)


def test_average_radii_are_rounded_to_the_safe_side():
    for seed in range(30):
        rows = rows_of(Random(seed), 50, VALUES[1])
        pairs = pairs_by_force(rows)
        average = made(rows).as_json()["average_radius"]
        claimed = sum((Fraction(c) for c, _ in pairs), Fraction(0)) / len(rows)
        proved = sum((max(Fraction(p), Fraction(0)) for _, p in pairs), Fraction(0)) / len(rows)
        assert claimed <= Fraction(average["claimed"]) + Fraction(1, 10**12)
        assert Fraction(average["claimed"]) - claimed < Fraction(11, 10**5)
        assert Fraction(average["proved"]) <= proved + Fraction(1, 10**12)
        assert proved - Fraction(average["proved"]) < Fraction(11, 10**5)


def test_nothing_and_infinities():
    empty = Effect(GRID)
    assert (empty.accuracy_drop(), empty.grid_drop()) == (0, 0)
    assert empty.as_json()["average_radius"] == {"claimed": None, "proved": None}
    effect = made([(Verdict.REFUTED, np.inf, np.nan, True), (Verdict.CONFIRMED, 1.0, 1.0, True)])
    assert effect.accuracy_drop() == 1
    found = effect.as_json()
    assert found["largest_excess"] is None or found["largest_excess"] >= 0
    assert 0.5 <= found["average_radius"]["claimed"] <= 0.5001


def test_without_flags_every_row_counts():
    rows = rows_of(Random(1), 60, VALUES[1])
    claimed, proved, counted = compared(judged_of(rows), None)
    pairs = pairs_by_force([(*row[:3], True) for row in rows])
    assert list(zip(claimed.tolist(), proved.tolist(), strict=True)) == pairs
    assert counted.sum() == len(pairs)
