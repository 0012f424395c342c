"""The judge of claims under product noise: row by row what the exact engine says, and no more."""

import math
from decimal import Decimal
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from certaudit.auditing import product
from certaudit.auditing.product import ProductJudge, covers_plurality
from certaudit.auditing.verdict import CAUSES, REASONS, VERDICTS, Cause, Reason, Verdict
from certaudit.claims import Chunk
from certaudit.errors import InputError, Undecided
from certaudit.exact import exact, parse_rational
from certaudit.findings import BITS
from certaudit.noise import discrete, label_flip
from certaudit.rigorous.confidence import Sampled, proves
from certaudit.rigorous.radius import certified, kl_radius, sampled_radius, tight_radius
from certaudit.rigorous.threshold import exact_threshold, threshold

NOISES = [
    label_flip("0.1"),
    label_flip("0.000001"),
    label_flip("0.4999"),
    label_flip("3/8"),
    label_flip("0.1", 3),
    label_flip("0.3", 10),
    label_flip("0.6", 3),
    discrete("1/5", 3),  # a value is less likely kept than drawn otherwise
    discrete("0.3"),
    discrete("2/3", 4),
    discrete("1/2"),
    discrete("1/3", 3),
    discrete(0),
    discrete(1),
    discrete(0, 4),
    discrete(0, 3),
]
IDS = [str(noise) for noise in NOISES]
CLOSE = 1 - Fraction(1, 1 << 33)


def chunk(**columns):
    rows = len(next(iter(columns.values())))
    names = {name.replace("__", ":"): list(texts) for name, texts in columns.items()}
    return Chunk(np.arange(1, rows + 1), names)


def words(judged):
    return [VERDICTS[code] for code in judged.verdict]


def only(judge, **cells):
    """Judge one row; return verdict, reason, cause, codes of findings and the proved radius."""
    judged = judge.judge(chunk(**{name: [text] for name, text in cells.items()}))
    codes = {code for code, bit in BITS.items() if int(judged.findings[0]) & bit}
    return (
        VERDICTS[judged.verdict[0]],
        REASONS[judged.reason[0]],
        CAUSES[judged.cause[0]],
        codes,
        judged.proved[0],
    )


def verdict_of(judge, **cells):
    return only(judge, **cells)[0]


def written(value):
    """Return all decimals of a float64: repr may be on the other side of a threshold."""
    return str(Decimal(value))


def share_text(p, random):
    return random.choice([repr(float(p)), f"{float(p):.4f}", str(p)])


def random_log(random):
    size = random.choice([0.5, 1, 5, 50, 500])
    return random.choice([repr(-random.random() * size), f"{-random.random() * size:.3f}"])


def near_threshold(noise, random, *, log):
    """Return evidence a few ulps from what some radius asks for."""
    least = threshold(noise, random.randint(0, 30))
    if least is None or not least.compare(0):
        return "-1" if log else "0.75"
    value = least.log_error_down() if log else least.p_up()
    for _ in range(random.randint(0, 2)):
        value = math.nextafter(value, random.choice([-math.inf, math.inf]))
    if random.random() < 0.3:
        exactly = least.exact()
        if not log:
            return random.choice([str(exactly), str(exactly + Fraction(1, 10**40))])
    return repr(value)


def random_rows(noise, seed, rows, *, log):
    random = Random(seed)
    texts, radii = [], []
    for _ in range(rows):
        kind = random.random()
        if kind < 0.5:
            text = near_threshold(noise, random, log=log)
        elif log:
            text = random_log(random)
        else:
            p = 1 - Fraction(random.choice([1, 3, 7]), 10 ** random.randint(1, 22))
            text = random.choice([share_text(p, random), repr(random.random()), str(p)])
        if not log and Fraction(text) >= 1:
            text = "0.9"
        value = Fraction(text)
        given = {"log_error": value} if log else {"p": value}
        best = tight_radius(noise, cap=200, **given)
        radii.append(random.choice([best, best + 1, best + 2, max(best - 1, 0), 0, 1, 40]))
        texts.append(text)
    return texts, radii


def same(number, other):
    return number == other or (math.isnan(number) and math.isnan(other))


def wins(given):
    """Return whether evidence proves p > 1/2."""
    return certified(label_flip("0.1"), 0, **given)


def disagreements(noise, seed, rows=60, *, log, guarantee=None):
    """Return rows on which the judge says something else than the exact engine."""
    texts, radii = random_rows(noise, seed, rows, log=log)
    column = "log_error" if log else "p_lower"
    judge = ProductJudge(noise, guarantee=guarantee)
    judged = judge.judge(chunk(radius=[str(r) for r in radii], **{column: texts}))
    wrong = []
    for row, (text, radius) in enumerate(zip(texts, radii, strict=True)):
        value = Fraction(text)
        given = {"log_error": value} if log else {"p": value}
        holds = certified(noise, radius, **given)
        codes = int(judged.findings[row])
        right = words(judged)[row] is (Verdict.CONFIRMED if holds else Verdict.UNSUPPORTED)
        best = tight_radius(noise, cap=max(1024, 4 * max(radii)), **given)
        if noise.law.high != noise.law.low:
            right &= same(judged.proved[row], best if wins(given) else math.nan)
        if not holds:
            nearer = value / CLOSE if log else 1 - (1 - value) * CLOSE
            nearer = value * (2 - CLOSE) if log else nearer
            noisy = certified(noise, radius, **({"log_error": nearer} if log else {"p": nearer}))
            cause = Cause.FLOAT_NOISE if noisy else Cause.BEYOND_EVIDENCE
            right &= CAUSES[judged.cause[row]] is cause
            right &= same(judged.excess[row], radius - judged.proved[row])
        else:
            best_kl = kl_radius(noise, **given)
            right &= bool(codes & BITS["CA101"]) == (guarantee == "kl" and radius > best_kl)
            declared = best_kl if guarantee == "kl" else judged.proved[row]
            right &= bool(codes & BITS["CA117"]) == (declared > radius)
        if not right:
            wrong.append((text, radius))
    return wrong


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("noise", NOISES, ids=IDS)
def test_verdicts_are_those_of_the_exact_engine(noise, log):
    for seed, guarantee in enumerate((None, "kl", "tight")):
        assert disagreements(noise, seed, log=log, guarantee=guarantee) == []


@pytest.mark.parametrize("log", [True, False])
def test_wrong_rounding_is_caught(monkeypatch, log):
    down, up = product._down, product._up
    monkeypatch.setattr(product, "_down", up)
    monkeypatch.setattr(product, "_up", down)
    found = [disagreements(noise, 7, log=log) for noise in NOISES[:4]]
    assert any(found)


@pytest.mark.parametrize("shift", [-1, 1])
@pytest.mark.parametrize("log", [True, False])
def test_wrong_thresholds_are_caught(monkeypatch, log, shift):
    name = "_tight_log_steps" if log else "_tight_share_steps"
    honest = getattr(product, name)

    def moved(noise):
        def steps(start, stop):
            for low, high in honest(noise)(start, stop):
                for _ in range(3):
                    low = math.nextafter(low, shift * math.inf)  # noqa: PLW2901
                    high = math.nextafter(high, shift * math.inf)  # noqa: PLW2901
                yield low, high

        return steps

    monkeypatch.setattr(product, name, moved)
    assert any(disagreements(noise, 8, log=log) for noise in NOISES[:4])


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("noise", NOISES[:8], ids=IDS[:8])
def test_ladders_enclose_what_they_stand_for(noise, log):
    judge = ProductJudge(noise)
    for ladder in (judge._tight[log], judge._kl_ladder[log]):
        ladder.grow(40, math.inf)
        assert (ladder.low <= ladder.high).all()
    ladder = judge._tight[log]
    for radius in range(41):
        least = threshold(noise, radius)
        for end, sign in ((ladder.low[radius], -1), (ladder.high[radius], 1)):
            if log:
                assert least.compare_log(-exact(float(end))) == sign
            else:
                assert -sign * least.compare(1 - exact(float(end))) <= 0
    ladder = judge._kl_ladder[log]
    for radius in range(1, 41):
        for end, holds in ((ladder.low[radius], False), (ladder.high[radius], True)):
            value = exact(float(end))
            if not log and value >= 1:
                continue
            given = {"log_error": -value} if log else {"p": value}
            outside = kl_radius(noise, **given) >= radius
            assert outside is holds or value == exact(float(ladder.low[radius]))


# -- ties, saturation ------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [label_flip("3/8"), label_flip("1/4"), discrete("0.3")])
def test_a_tie_certifies_two_values(noise):
    for radius in range(1, 8):
        text = str(exact_threshold(noise, radius))
        verdict, _, _, _, proved = only(ProductJudge(noise), radius=str(radius), p_lower=text)
        assert verdict is Verdict.CONFIRMED
        assert proved == radius


@pytest.mark.parametrize("noise", [label_flip("1/4", 3), label_flip("0.3", 10), discrete("2/3", 4)])
def test_a_tie_does_not_certify_more_values(noise):
    for radius in range(1, 8):
        value = exact_threshold(noise, radius)
        judge = ProductJudge(noise)
        verdict, reason, cause, codes, proved = only(judge, radius=str(radius), p_lower=str(value))
        assert verdict is Verdict.UNSUPPORTED
        assert (reason, cause) == (Reason.LESS_IS_PROVED, Cause.FLOAT_NOISE)
        assert codes == {"CA101"}
        assert proved == radius - 1
        above = str(value + Fraction(1, 10**60))
        assert verdict_of(judge, radius=str(radius), p_lower=above) is Verdict.CONFIRMED


def test_one_half_wins_no_vote():
    for noise in NOISES:
        for text in ("0.5", "1/2", "0.2", "0"):
            verdict, _, _, codes, proved = only(ProductJudge(noise), radius="0", p_lower=text)
            assert verdict is Verdict.UNSUPPORTED
            assert codes == {"CA134"}
            assert math.isnan(proved)
        text = "-0.69314718055994530941"  # above -ln 2 by less than 10^-20
        assert verdict_of(ProductJudge(noise), radius="0", log_error=text) is Verdict.UNSUPPORTED
        text = "-0.69314718055994530942"
        assert verdict_of(ProductJudge(noise), radius="0", log_error=text) is Verdict.CONFIRMED


@pytest.mark.parametrize("text", [
    "1", "1.0", "+1", "10e-1", "2/2", "1.", "1.0e+00", "0x1.000p0", "1." + 16 * "0", "1." + 30 * "0"
])  # fmt: skip
def test_a_saturated_share_stands_for_a_finite_one(text):
    noise, judge = label_flip("0.1"), ProductJudge(label_flip("0.1"))
    best = tight_radius(noise, p=1 - Fraction(1, 1 << 54))
    verdict, _, _, codes, proved = only(judge, radius=str(best), p_lower=text)
    assert (verdict, codes, proved) == (Verdict.CONFIRMED, {"CA104"}, best)
    verdict, _, _, codes, proved = only(judge, radius=str(best + 1), p_lower=text)
    assert (verdict, codes, proved) == (Verdict.UNSUPPORTED, {"CA101", "CA104"}, best)
    verdict, _, _, codes, _ = only(judge, radius="3", p_lower=text, log_error="-38")
    assert (verdict, codes - {"CA117"}) == (Verdict.CONFIRMED, {"CA104"})


@pytest.mark.parametrize(("text", "places"), [
    ("1.00", 2), ("1.000", 3), ("1.0000", 4), ("+01.00", 2), ("1.000e+00", 3), ("100e-2", 2),
    ("10.000e-1", 4), ("1." + 15 * "0", 15),
])  # fmt: skip
def test_a_share_rounded_to_1_stands_for_what_rounds_so(text, places):
    noise, judge = label_flip("0.1"), ProductJudge(label_flip("0.1"))
    share = 1 - Fraction(1, 2 * 10**places)
    best = tight_radius(noise, p=share)
    verdict, _, _, codes, proved = only(judge, radius=str(best), p_lower=text)
    assert (verdict, codes, proved) == (Verdict.CONFIRMED, {"CA104"}, best)
    verdict, _, _, codes, proved = only(judge, radius=str(best + 1), p_lower=text)
    assert (verdict, codes, proved) == (Verdict.UNSUPPORTED, {"CA101", "CA104"}, best)
    # As a claim, beside log_error or votes.
    edge = math.log(2 * 10**places)
    for log_error, right in ((-edge - 1e-9, True), (-edge + 1e-9, False)):
        cells = {"radius": "0", "p_lower": text, "log_error": repr(log_error)}
        verdict, _, _, codes, _ = only(judge, **cells)
        assert verdict is (Verdict.CONFIRMED if right else Verdict.UNSUPPORTED)
        assert codes - {"CA117"} == ({"CA104"} if right else {"CA104", "CA102"})
    chance = Fraction(1, 10)
    for samples in (10, 10**places, 5 * 10**places):
        if samples < 10**9:
            judge = ProductJudge(noise, samples=samples, failure_prob=chance)
            verdict = verdict_of(judge, radius="0", p_lower=text, count=str(samples))
            right = proves(Sampled(samples, samples, chance), share)
            assert verdict is (Verdict.CONFIRMED if right else Verdict.UNSUPPORTED)


def test_a_saturated_share_is_checked_against_log_error():
    judge = ProductJudge(label_flip("0.1"))
    for log_error, right in (("-1", False), ("-37.4", False), ("-37.4299477502370467085305", False),
                             ("-37.4299477502370467085306", True), ("-37.5", True), ("-50", True),
                             ("0", False), ("-1e400", True)):  # fmt: skip
        for text in ("1", "1.0", "1/1"):
            cells = {"radius": "0", "p_lower": text, "log_error": log_error}
            verdict, _, _, codes, _ = only(judge, **cells)
            assert verdict is (Verdict.CONFIRMED if right else Verdict.UNSUPPORTED)
            assert "CA104" in codes
            assert ("CA102" in codes) is not right
        holds = product._below("1.0", log_error, Fraction(1))
        assert holds is right
    # Nearer to 1 than every float but 1, and no 1.
    cells = {"radius": "0", "p_lower": "0." + 25 * "9"}
    assert verdict_of(judge, **cells, log_error="-50") is Verdict.UNSUPPORTED
    assert verdict_of(judge, **cells, log_error="-60") is Verdict.CONFIRMED


def test_what_is_no_share():
    judge = ProductJudge(label_flip("0.1"))
    for text in ("1.0000000000000000000001", "1.5", "2", "1e400"):
        verdict, reason, _, codes, _ = only(judge, radius="1", p_lower=text)
        assert (verdict, reason, codes) == (Verdict.REFUTED, Reason.IMPOSSIBLE, {"CA102"})
    verdict, reason, _, codes, _ = only(judge, radius="1", p_lower="-0.1")
    assert (verdict, reason) == (Verdict.UNSUPPORTED, Reason.LESS_IS_PROVED)
    assert "CA102" in codes
    verdict, reason, _, codes, _ = only(judge, radius="1", log_error="1e-300")
    assert (verdict, reason) == (Verdict.UNSUPPORTED, Reason.LESS_IS_PROVED)
    assert "CA103" in codes


# -- p_lower next to log_error ---------------------------------------------------------------------


def test_p_lower_is_checked_against_log_error():
    random = Random(5)
    logs, shares, expected = [], [], []
    for _ in range(400):
        log_error = -random.choice([0.7, 1, 5, 20, 37, 39, 60, 800]) * (1 + random.random() / 9)
        share = -math.expm1(log_error)
        for _ in range(random.randint(0, 3)):
            share = math.nextafter(share, random.choice([0, 1]))
        if share >= 1:
            share = 1 - 2.0**-53
        logs.append(repr(log_error))
        shares.append(repr(share))
        expected.append(product._below(shares[-1], logs[-1], Fraction(1)))
    judge = ProductJudge(label_flip("0.1"))
    judged = judge.judge(chunk(radius=["0"] * 400, log_error=logs, p_lower=shares))
    assert {True, False} == set(expected)
    for row, right in enumerate(expected):
        assert words(judged)[row] is (Verdict.CONFIRMED if right else Verdict.UNSUPPORTED)
        assert bool(int(judged.findings[row]) & BITS["CA102"]) is not right
        if not right:
            assert CAUSES[judged.cause[row]] is Cause.FLOAT_NOISE
    cells = {"radius": "0", "log_error": "-1"}
    *_, cause, codes, _ = only(judge, **cells, p_lower="0.7")
    assert (cause, codes - {"CA117"}) == (Cause.BEYOND_EVIDENCE, {"CA102"})


def test_log_error_decides_before_p_lower():
    noise, judge = label_flip("0.1"), ProductJudge(label_flip("0.1"))
    best = tight_radius(noise, log_error="-9")
    low = {"log_error": "-9", "p_lower": "0.6"}
    assert verdict_of(judge, radius=str(best), **low) is Verdict.CONFIRMED
    high = {"log_error": "-0.8", "p_lower": "0.9999"}
    assert verdict_of(judge, radius=str(best - 1), **high) is Verdict.UNSUPPORTED


# -- votes -----------------------------------------------------------------------------------------


def test_votes_at_equality():
    judge = ProductJudge(label_flip("0.1"), samples=3, failure_prob=Fraction(1, 8))
    assert verdict_of(judge, radius="0", count="3") is Verdict.CONFIRMED
    judge = ProductJudge(label_flip("0.1"), samples=3, failure_prob=Fraction(1, 4), sides=2)
    assert verdict_of(judge, radius="0", count="3") is Verdict.CONFIRMED
    judge = ProductJudge(label_flip("0.1"), samples=3, failure_prob=Fraction(1, 8) - CLOSE / 10**9)
    verdict, reason, _, codes, _ = only(judge, radius="0", count="3")
    assert (verdict, reason) == (Verdict.REFUTED, Reason.BEYOND_EVERY_OUTCOME)
    assert codes == {"CA129", "CA134"}


@pytest.mark.parametrize("noise", NOISES[:10], ids=IDS[:10])
@pytest.mark.parametrize(("samples", "chance"), [(200, Fraction(1, 20)), (5000, Fraction(1, 1000))])
def test_votes_are_judged_as_the_exact_engine_does(noise, samples, chance):
    random = Random(samples)
    counts = [random.randint(samples // 2, samples) for _ in range(40)] + [samples, 0, 1]
    best = [sampled_radius(noise, Sampled(k, samples, chance), cap=500) for k in counts]
    most = best[-3]
    radii = [max(b + random.randint(-1, 1), 0) for b in best]
    judge = ProductJudge(noise, samples=samples, failure_prob=chance, guarantee="kl")
    judged = judge.judge(chunk(radius=[str(r) for r in radii], count=[str(k) for k in counts]))
    for row, (count, radius) in enumerate(zip(counts, radii, strict=True)):
        claim = Sampled(count, samples, chance)
        least = threshold(noise, radius)
        holds = least is not None and proves(claim, least)
        if holds:
            right = Verdict.CONFIRMED
        else:
            right = Verdict.REFUTED if radius > most else Verdict.UNSUPPORTED
        assert words(judged)[row] is right
        if proves(claim, Fraction(1, 2)):
            assert min(judged.proved[row], 500) == best[row]
        else:
            assert math.isnan(judged.proved[row])
    assert Verdict.CONFIRMED in words(judged)


def test_samples_by_row_and_evidence_that_is_missing():
    judge = ProductJudge(label_flip("0.1"), failure_prob=Fraction(1, 1000))
    cells = {"radius": "1", "count": "1000", "samples": "1000"}
    assert verdict_of(judge, **cells) is Verdict.CONFIRMED
    for bare in ({"radius": "2"}, {"radius": "2", "count": "900"}, {"radius": "2", "p_lower": ""}):
        verdict, reason, *_ = only(judge, **bare)
        assert (verdict, reason) == (Verdict.INCONCLUSIVE, Reason.NO_EVIDENCE)
    # Without a failure probability votes prove nothing.
    assert verdict_of(ProductJudge(label_flip("0.1")), **cells) is Verdict.INCONCLUSIVE


def test_impossible_counts():
    judge = ProductJudge(label_flip("0.1"), samples=100, failure_prob=Fraction(1, 1000))
    for text in ("101", "-1", "7.5", "1e30"):
        verdict, reason, _, codes, _ = only(judge, radius="0", count=text)
        assert (verdict, reason, codes) == (Verdict.UNSUPPORTED, Reason.IMPOSSIBLE, {"CA105"})
    for text in ("nan", "inf", "many", "1e999999999"):
        assert verdict_of(judge, radius="0", count=text) is Verdict.MALFORMED
    cells = {"radius": "0", "count": "5", "samples": "0"}
    assert verdict_of(judge, **cells) is Verdict.UNSUPPORTED
    cells = {"radius": "0", "count": "5", "samples": "10000000000"}
    assert verdict_of(judge, **cells) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("column", ["p_lower", "log_error"])
def test_bounds_are_checked_against_votes(column):
    chance = Fraction(1, 1000)
    judge = ProductJudge(label_flip("0.1"), samples=1000, failure_prob=chance)
    code = {"p_lower": "CA102", "log_error": "CA103"}[column]
    for count in (600, 900, 999, 1000):
        claim = Sampled(count, 1000, chance)
        low, high = 0.0, 1.0
        while math.nextafter(low, 1) < high:
            middle = (low + high) / 2
            low, high = (middle, high) if proves(claim, exact(middle)) else (low, middle)
        good, bad, far = low, high, high + 1e-6
        if column == "log_error":
            good, bad, far = (math.log1p(-x) for x in (low * (1 - 1e-14), high * (1 + 1e-14), far))
            if count == 1000:
                far = -50.0
        cells = {"radius": "0", "count": str(count)}
        verdict, _, _, codes, _ = only(judge, **cells, **{column: repr(good)})
        assert verdict is Verdict.CONFIRMED
        assert code not in codes
        for value, cause in ((bad, Cause.FLOAT_NOISE), (far, Cause.BEYOND_EVIDENCE)):
            found = only(judge, **cells, **{column: repr(value)})
            assert found[:3] == (Verdict.UNSUPPORTED, Reason.LESS_IS_PROVED, cause)
            assert code in found[3]
    for text, good in (("0", True), ("1" if column == "p_lower" else "-1e300", False)):
        verdict = verdict_of(judge, radius="0", count="900", **{column: text})
        assert verdict is (Verdict.CONFIRMED if good else Verdict.UNSUPPORTED)


def test_votes_decide_before_numbers():
    judge = ProductJudge(label_flip("0.1"), samples=100, failure_prob=Fraction(1, 1000))
    strong = {"log_error": "-50", "p_lower": "0.99"}
    verdict, _, _, codes, proved = only(judge, radius="9", count="60", **strong)
    assert verdict is Verdict.REFUTED
    assert {"CA101", "CA102", "CA103", "CA129"} <= codes
    assert math.isnan(proved)


def test_numbers_beside_votes_that_cannot_be_used_prove_nothing():
    judge = ProductJudge(label_flip("0.1"), samples=1000)
    numbers = {"p_lower": "0.9", "log_error": "-50"}
    for more in ({}, {"p_lower": "0.99"}, {"log_error": "-50"}, numbers, {"p_lower": "0.990000"}):
        verdict, reason, _, codes, proved = only(judge, radius="1", count="990", **more)
        assert (verdict, reason) == (Verdict.INCONCLUSIVE, Reason.NO_EVIDENCE)
        assert codes == set()
        assert math.isnan(proved)
        # Without a count there are no votes.
        if more:
            assert verdict_of(judge, radius="1", count="", **more) is not Verdict.INCONCLUSIVE
    for share in ("0.9900000000000000000001", "0.9900000001", "0.991", "1", "1.00"):
        found = only(judge, radius="1", count="990", p_lower=share)
        assert found[:3] == (Verdict.UNSUPPORTED, Reason.LESS_IS_PROVED, Cause.BEYOND_EVIDENCE)
        assert "CA102" in found[3]
        assert math.isnan(found[4])
        right = Verdict.INCONCLUSIVE
        assert verdict_of(judge, radius="1", count="1000", p_lower=share) is right
    for count in ("1001", "-1", "7.5"):
        verdict, reason, _, codes, proved = only(judge, radius="1", count=count, **numbers)
        assert (verdict, reason) == (Verdict.UNSUPPORTED, Reason.IMPOSSIBLE)
        assert codes == {"CA105"}
        assert math.isnan(proved)
    # Nor where the number of samples is not known, or too large.
    judge = ProductJudge(label_flip("0.1"), failure_prob=Fraction(1, 1000))
    for samples in ("", "10000000000"):
        cells = {"radius": "1", "count": "990", "samples": samples}
        verdict, _, _, _, proved = only(judge, **cells, **numbers)
        assert verdict is Verdict.INCONCLUSIVE
        assert math.isnan(proved)


# -- p_upper, and what is wrong besides the radius -------------------------------------------------


def test_p_upper_is_not_below_p_lower():
    judge = ProductJudge(label_flip("0.1"))
    for lower, upper, right in (
        ("0.9", "0.9", True),
        ("0.9", "0.90", True),
        ("0.9", "9/10", True),
        ("0.9", "0.9000000000000000000001", True),
        ("0.9", "0.8999999999999999999999", False),
        ("0.9", "0.5", False),
        ("0.9", "1.5", True),
        ("0.9", "1e400", True),
        ("0.9", "-1", False),
        ("0.9", "", True),
        ("1.0", "1.0", True),
        ("1.0", "0.99999999999999999", True),
        ("1.0", "0.9999999999999999", False),
        ("1.000", "0.9996", True),
        ("1.000", "0.9994", False),
    ):
        cells = {"radius": "0", "p_lower": lower, "p_upper": upper}
        verdict, reason, _, codes, proved = only(judge, **cells)
        assert ("CA133" in codes) is not right
        if right:
            assert verdict is Verdict.CONFIRMED
        else:
            assert (verdict, reason) == (Verdict.INCONCLUSIVE, Reason.CONTRADICTS_ITSELF)
            assert math.isnan(proved)
    cells = {"radius": "40", "p_lower": "0.9", "p_upper": "0.8"}
    verdict, _, _, codes, _ = only(judge, **cells)  # worse stays
    assert verdict is Verdict.UNSUPPORTED
    assert {"CA101", "CA133"} <= codes
    for text in ("nan", "many", "0.9\N{NO-BREAK SPACE}"):
        verdict = verdict_of(judge, radius="0", p_lower="0.9", p_upper=text)
        assert verdict is Verdict.MALFORMED
    for text, right in (("-1e-400", Verdict.INCONCLUSIVE), ("0", Verdict.CONFIRMED)):
        assert verdict_of(judge, radius="0", log_error="-9", p_upper=text) is right


def test_random_p_upper_is_compared_exactly():
    random = Random(4)
    lower, upper, right = [], [], []
    for _ in range(300):
        share = random.uniform(0.6, 0.99)
        near = random.choice([-1, 0, 1]) * Fraction(1, 10 ** random.randint(1, 30))
        lower.append(repr(share))
        upper.append(str(Fraction(repr(share)) + near))
        right.append(near >= 0)
    judge = ProductJudge(label_flip("0.1"))
    found = words(judge.judge(chunk(radius=["0"] * 300, p_lower=lower, p_upper=upper)))
    assert [word is Verdict.CONFIRMED for word in found] == right


def test_an_excess_of_nothing_is_none():
    judge = ProductJudge(label_flip("0.1"), samples=1000, failure_prob=Fraction(1, 1000))

    def excess(**cells):
        judged = judge.judge(chunk(**{name: [text] for name, text in cells.items()}))
        return VERDICTS[judged.verdict[0]], float(judged.excess[0])

    assert excess(radius="0", log_error="-9") == (Verdict.CONFIRMED, 0)
    verdict, found = excess(radius="9", log_error="-9")
    assert verdict is Verdict.UNSUPPORTED
    assert found == 9 - tight_radius(label_flip("0.1"), log_error=-9)
    for cells in (
        {"log_error": "-9", "p_lower": "0.99999"},
        {"log_error": "-0.1"},
        {"count": "1000", "log_error": "-50"},
        {"count": "1000", "p_lower": "1"},
        {"count": "1001", "p_lower": "0.9"},
        {"p_lower": "0.9", "p_upper": "0.8"},
        {},
    ):
        verdict, found = excess(radius="0", **cells)
        assert verdict is not Verdict.CONFIRMED
        assert math.isnan(found)


def test_only_ascii_writes_numbers():
    judge = ProductJudge(label_flip("0.1"), samples=100, failure_prob=Fraction(1, 1000))
    plain = {"radius": "0", "p_lower": "0.5", "log_error": "-0.5", "count": "100", "p_upper": "0.9"}
    assert verdict_of(judge, **plain) is Verdict.CONFIRMED
    for name, text in plain.items():
        for digits in ("٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"):
            other = "".join(digits[int(c)] if c.isdigit() else c for c in text)
            assert verdict_of(judge, **(plain | {name: other})) is Verdict.MALFORMED
        for other in (text + "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}" + text, text + "²"):
            assert verdict_of(judge, **(plain | {name: other})) is Verdict.MALFORMED
    for text in ("--inf", "+-inf", "-+inf"):
        assert verdict_of(judge, radius=text, log_error="-9") is Verdict.MALFORMED


# -- rows that cannot be read ----------------------------------------------------------------------

BAD_RADII = {
    "": Verdict.MALFORMED,
    "seven": Verdict.MALFORMED,
    "7.5": Verdict.MALFORMED,
    "nan": Verdict.MALFORMED,
    "-3": Verdict.MALFORMED,
    "-inf": Verdict.MALFORMED,
    "1_0": Verdict.MALFORMED,
    "٣": Verdict.MALFORMED,
    "1e999999999": Verdict.MALFORMED,
    "9" * 1001: Verdict.MALFORMED,
    "inf": Verdict.REFUTED,
    "+Infinity": Verdict.REFUTED,
    "7": Verdict.CONFIRMED,
    "7.0": Verdict.CONFIRMED,
    "7.000e0": Verdict.CONFIRMED,
    "70e-1": Verdict.CONFIRMED,
}
BAD_EVIDENCE = (
    ".", "e", "--5", "nan", "-inf", "1_0", "-1e99999", "0e999999999", "1e-999999999", "٣",
    "0." + "1" * 1001, "1/0", "5e", "0x", "'; drop", "-" * 400,
)  # fmt: skip


def test_bad_rows_are_malformed_and_affect_no_other():
    judge = ProductJudge(label_flip("0.1"))
    radii, logs, right = ["7"], ["-30"], [Verdict.CONFIRMED]
    for text, verdict in BAD_RADII.items():
        radii += [text, "7"]
        logs += ["-30", "-30"]
        right += [verdict, Verdict.CONFIRMED]
    for text in BAD_EVIDENCE:
        radii += ["7", "7"]
        logs += [text, "-0.9"]
        right += [Verdict.MALFORMED, Verdict.UNSUPPORTED]
    assert words(judge.judge(chunk(radius=radii, log_error=logs))) == right
    alone = [verdict_of(judge, radius=r, log_error=e) for r, e in zip(radii, logs, strict=True)]
    assert alone == right
    for text in BAD_EVIDENCE:
        assert verdict_of(judge, radius="0", p_lower=text) is Verdict.MALFORMED
    assert only(judge, radius="-3", log_error="-9")[3] == {"CA122"}
    assert only(judge, radius="inf", log_error="-9")[1:4:2] == (Reason.IMPOSSIBLE, {"CA125"})
    assert only(judge, radius="nan", log_error="-9")[3] == {"CA125"}


def test_spellings_of_evidence():
    judge = ProductJudge(label_flip("0.1"))
    for text in (
        "-30",
        "-30.",
        "-3e1",
        "-60/2",
        "-0x1.ep4",
        "-030.00",
        "-1e400",
        "-30" + "0" * 400,
    ):
        assert verdict_of(judge, radius="7", log_error=text) is Verdict.CONFIRMED
    for text in ("0", "-0.0", "-1e-400", "1e-400", "-.5"):
        assert verdict_of(judge, radius="0", log_error=text) is Verdict.UNSUPPORTED
    both = {"radius": "0", "log_error": "-5."}
    assert verdict_of(judge, **both, p_lower=".9") is Verdict.CONFIRMED
    assert verdict_of(judge, **both, p_lower="9/10") is Verdict.CONFIRMED
    assert verdict_of(judge, **both, p_lower="1e-400") is Verdict.CONFIRMED


def test_columns_are_read_as_the_exact_reader_does():
    random = Random(3)
    texts = ["1e308", "1e309", "-1e309", "2e-308", "1e10000", "1e10001", "0" * 1002, "0" * 1001]
    texts += ["".join(random.choices("0123456789+-.eE", k=random.randint(1, 7)))
              for _ in range(3000)]  # fmt: skip
    texts += [f"{random.uniform(-1, 1)!r}{random.randint(0, 10**9)}" for _ in range(300)]
    expected = []
    for text in texts:
        try:
            expected.append(parse_rational(text))
        except InputError:
            expected.append(None)
    assert any(value is None for value in expected)
    plain = [k for k, value in enumerate(expected) if value is not None]
    for rows in (range(len(texts)), plain):
        column = product._Column.read([texts[k] for k in rows])
        for place, k in enumerate(rows):
            value = expected[k]
            assert column.given[place] == (value is not None)
            assert column.unreadable[place] == (value is None)
            if value is None:
                continue
            nearest = float(column.values[place])
            below = math.nextafter(nearest, -math.inf)
            above = math.nextafter(nearest, math.inf)
            assert below == -math.inf or Fraction(below) < value
            assert above == math.inf or value < Fraction(above)


def test_an_empty_chunk():
    judged = ProductJudge(label_flip("0.1")).judge(chunk(radius=[], log_error=[]))
    assert len(judged.verdict) == 0


# -- what bounds a radius --------------------------------------------------------------------------


def test_no_radius_beyond_the_training_labels():
    judge = ProductJudge(label_flip("0.1"), training_labels=10)
    verdict, _, _, codes, proved = only(judge, radius="10", log_error="-90")
    assert (verdict, codes, proved) == (Verdict.CONFIRMED, set(), 10)
    for log_error in ("-90", "-0.8", ""):
        verdict, reason, _, codes, _ = only(judge, radius="11", log_error=log_error)
        assert (verdict, reason) == (Verdict.UNSUPPORTED, Reason.IMPOSSIBLE)
        assert "CA130" in codes


def test_more_training_labels_than_are_counted():
    judge = ProductJudge(label_flip("0.1"), training_labels=10**25)
    for text in ("1" + "0" * 30, "4611686018427387903"):
        for cells in ({"constant": "1"}, {"log_error": "-1e40"}):
            assert verdict_of(judge, radius=text, **cells) is not Verdict.CONFIRMED


def test_constant_votes():
    cells = {"radius": "10", "constant": "1", "log_error": "", "p_lower": "1"}
    judge = ProductJudge(label_flip("0.1"), training_labels=10)
    # That a vote is constant follows from alpha; that a row says so proves nothing.
    assert verdict_of(judge, **cells) is Verdict.INCONCLUSIVE
    assert verdict_of(judge, **(cells | {"radius": "11"})) is Verdict.UNSUPPORTED
    assert verdict_of(judge, **(cells | {"constant": "perhaps"})) is Verdict.MALFORMED
    assert verdict_of(judge, **(cells | {"constant": "0"})) is Verdict.CONFIRMED  # by p
    verdict, reason, *_ = only(ProductJudge(label_flip("0.1")), **cells)
    assert (verdict, reason) == (Verdict.INCONCLUSIVE, Reason.NOT_DECIDED_HERE)


def test_radii_out_of_reach():
    judge = ProductJudge(label_flip("0.1"))
    for radius in ("1000001", "4611686018427387904", "1" + "0" * 30, "1e5000"):
        cells = {"radius": radius, "log_error": "-1e9"}
        verdict, reason, *_ = only(judge, **cells)
        assert (verdict, reason) == (Verdict.INCONCLUSIVE, Reason.LIMIT)
        # What less than a million asks for is not there.
        assert verdict_of(judge, radius=radius, log_error="-5") is Verdict.UNSUPPORTED
    judge = ProductJudge(discrete("1/2"))
    for radius, right in (("1000000", Verdict.CONFIRMED), ("1000001", Verdict.INCONCLUSIVE),
                          ("inf", Verdict.INCONCLUSIVE)):  # fmt: skip
        assert verdict_of(judge, radius=radius, p_lower="0.51") is right


def test_radii_beyond_the_listed_thresholds(monkeypatch):
    monkeypatch.setattr(product, "_MOST_LISTED", 20)
    noise = label_flip("0.4")
    judge = ProductJudge(noise)
    for column, text in (("log_error", "-30"), ("p_lower", "0.9999999999")):
        given = {"log_error": "-30"} if column == "log_error" else {"p": text}
        best = tight_radius(noise, **given)
        assert best > 60
        assert verdict_of(judge, radius=str(best), **{column: text}) is Verdict.CONFIRMED
        assert verdict_of(judge, radius=str(best + 1), **{column: text}) is Verdict.UNSUPPORTED


def test_a_limit_is_inconclusive(monkeypatch):
    def never(*_args, **_more):
        raise Undecided("a limit")

    noise = label_flip("3/8")
    tie = str(exact_threshold(noise, 3))
    monkeypatch.setattr(product, "certified", never)
    verdict, reason, *_ = only(ProductJudge(noise), radius="3", p_lower=tie)
    assert (verdict, reason) == (Verdict.INCONCLUSIVE, Reason.LIMIT)
    monkeypatch.setattr(product, "proves", never)
    judge = ProductJudge(noise, samples=100, failure_prob=Fraction(1, 10))
    assert verdict_of(judge, radius="0", count="90") is Verdict.INCONCLUSIVE
    monkeypatch.setattr(product, "thresholds", never)
    assert verdict_of(ProductJudge(noise), radius="3", p_lower="0.99") is Verdict.INCONCLUSIVE


# -- pairwise bounds for the plurality vote --------------------------------------------------------


def test_which_pairwise_radii_cover_the_plurality_vote():
    for noise, radius, right in (
        (label_flip("0.1", 3), 1, True),
        (label_flip("0.1", 3), 0, False),
        (label_flip("0.2", 10), 5, True),
        (label_flip("0.62", 3), 1, False),
        (label_flip("0.1"), 0, True),
    ):
        assert covers_plurality(noise, radius) is right
    for noise in (label_flip("0.3", 10), label_flip("0.5", 3), label_flip("0.62", 3)):
        q, classes = noise.q, noise.classes
        for radius in range(1, 30):
            step = (1 - classes * q / (classes - 1)) * Fraction(
                math.log((1 - q) * (classes - 1) / q)
            )
            error = (1 - math.sqrt(1 - math.exp(-2 * radius * step))) / 2
            slack = 1 - float(exact_threshold(noise, radius)) - (classes - 1) * error
            if abs(slack) > 1e-9:
                assert covers_plurality(noise, radius) is (slack > 0)


def test_pairwise_bounds_of_the_plurality_vote():
    noise = label_flip("0.62", 3)
    cells = {"radius": "1", "log_error": "-30"}
    assert verdict_of(ProductJudge(noise), **cells) is Verdict.CONFIRMED
    judge = ProductJudge(noise, pairwise_bound=True, vote="pairwise")
    assert verdict_of(judge, **cells) is Verdict.CONFIRMED
    judge = ProductJudge(noise, pairwise_bound=True, vote="plurality")
    # Radius 1 is not covered itself; the KL radius is, and proves it.
    assert covers_plurality(noise, 1) is False
    best = kl_radius(noise, log_error="-30")
    assert covers_plurality(noise, best) is True
    assert only(judge, **cells)[::4] == (Verdict.CONFIRMED, 1)
    cells = {"radius": "0", "log_error": "-30"}
    assert only(judge, **cells)[::4] == (Verdict.CONFIRMED, 0)
    cells = {"radius": "0", "log_error": "-0.7"}
    assert kl_radius(noise, log_error="-0.7") == 0
    verdict, _, _, codes, proved = only(judge, **cells)
    assert (verdict, "CA114" in codes) == (Verdict.INCONCLUSIVE, True)
    assert math.isnan(proved)
    noise = label_flip("0.1", 3)
    judge = ProductJudge(noise, pairwise_bound=True)
    best = kl_radius(noise, log_error="-30")
    assert tight_radius(noise, log_error="-30") > best
    cells = {"log_error": "-30"}
    assert verdict_of(judge, radius=str(best), **cells) is Verdict.CONFIRMED
    # e(r) is the error of a pair at the KL radius: beyond it nothing is covered.
    assert verdict_of(judge, radius=str(best + 1), **cells) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("noise", [label_flip("0.62", 3), label_flip("0.3", 10), NOISES[4]])
def test_a_covered_radius_covers_every_smaller_one(noise):
    random = Random(6)
    judge = ProductJudge(noise, pairwise_bound=True)
    radii, logs, right = [], [], []
    for _ in range(80):
        log_error = repr(-random.choice([0.8, 1, 2, 4, 12]) * (1 + random.random()))
        best = min(kl_radius(noise, log_error=log_error), 200)
        radius = random.randint(0, max(1, min(best, 6)))
        radii.append(str(radius))
        logs.append(log_error)
        covered = [covers_plurality(noise, other) for other in range(radius, best + 1)]
        # Once covered, all larger ones are in these.
        assert covered == sorted(covered)
        right.append(any(covered))
    judged = judge.judge(chunk(radius=radii, log_error=logs))
    assert {True, False} == set(right)
    for row, holds in enumerate(right):
        assert (words(judged)[row] is Verdict.CONFIRMED) is holds
        assert same(judged.proved[row], float(radii[row]) if holds else math.nan)


def test_covered_radii_are_sought_between(monkeypatch):
    judge = ProductJudge(label_flip("0.62", 3), pairwise_bound=True)
    monkeypatch.setattr(judge, "covers", lambda radius: radius == 10)
    assert judge.covered([(0, 20), (3, 9), (10, 30), (11, 40), (2, 11), (5, 10)]) == [
        True, False, True, False, True, True
    ]  # fmt: skip
    monkeypatch.setattr(judge, "covers", lambda _radius: None)
    assert judge.covered([(0, 20)]) == [False]
    assert judge.covered([]) == []


# -- mutations: a true claim pushed beyond its evidence --------------------------------------------


@pytest.mark.parametrize("noise", NOISES[:10], ids=IDS[:10])
def test_no_claim_pushed_beyond_its_evidence_stays_confirmed(noise):
    random = Random(11)
    judge = ProductJudge(noise)
    for _ in range(15):
        radius = random.randint(1, 25)
        least = threshold(noise, radius)
        edge = least.log_error_down()
        weaker = math.nextafter(edge, 0)
        cells = {"radius": str(radius), "log_error": written(edge)}
        assert verdict_of(judge, **cells) is Verdict.CONFIRMED
        for text in (written(weaker), weaker.hex(), written(weaker) + "0000000000000000000"):
            verdict = verdict_of(judge, radius=str(radius), log_error=text)
            assert verdict is Verdict.UNSUPPORTED
        best = tight_radius(noise, log_error=exact(edge))
        beyond = {"radius": str(best + 1), "log_error": written(edge)}
        assert verdict_of(judge, **beyond) is Verdict.UNSUPPORTED
        share = least.p_up()
        if share == 1:
            continue
        if certified(noise, radius, p=exact(share)):
            cells = {"radius": str(radius), "p_lower": written(share)}
            assert verdict_of(judge, **cells) is Verdict.CONFIRMED
        lower = math.nextafter(share, 0)
        if exact(lower) != least.exact():
            cells = {"radius": str(radius), "p_lower": written(lower)}
            assert verdict_of(judge, **cells) is Verdict.UNSUPPORTED


@pytest.mark.parametrize("noise", NOISES[:6], ids=IDS[:6])
def test_no_votes_pushed_beyond_what_they_prove_stay_confirmed(noise):
    random = Random(12)
    seen = 0
    for _ in range(12):
        samples = random.choice([50, 300, 1000])
        chance = Fraction(1, random.choice([20, 1000, 7]))
        radius = random.randint(0, 3)
        least = threshold(noise, radius)
        if not proves(Sampled(samples, samples, chance), least):
            continue
        seen += 1
        low, high = 0, samples
        while high - low > 1:
            middle = (low + high) // 2
            holds = proves(Sampled(middle, samples, chance), least)
            low, high = (low, middle) if holds else (middle, high)

        def judged(count, samples, chance, radius):
            judge = ProductJudge(noise, samples=samples, failure_prob=chance)
            return verdict_of(judge, radius=str(radius), count=str(count))

        confirmed = Verdict.CONFIRMED
        assert judged(high, samples, chance, radius) is confirmed
        assert judged(high - 1, samples, chance, radius) is not confirmed
        most = sampled_radius(noise, Sampled(high, samples, chance))
        assert judged(high, samples, chance, most + 1) is not confirmed
        larger = samples
        while proves(Sampled(high, larger, chance), least):
            larger += 1
        assert judged(high, larger, chance, radius) is not confirmed
        smaller = chance
        while proves(Sampled(high, samples, smaller), least):
            smaller *= Fraction(9, 10)
        assert judged(high, samples, smaller, radius) is not confirmed
    assert seen > 2 or noise.q < Fraction(1, 100)


@pytest.mark.parametrize("more", [
    {"guarantee": "gaussian"}, {"vote": "majority"}, {"sides": 3}, {"training_labels": -1},
    {"samples": 0}, {"failure_prob": Fraction(1)}, {"failure_prob": 0.001},
])  # fmt: skip
def test_bad_parameters_are_refused(more):
    with pytest.raises(InputError):
        ProductJudge(label_flip("0.1"), **more)


def test_full_caches_start_anew(monkeypatch):
    monkeypatch.setattr(product, "_CACHED", 4)
    assert disagreements(label_flip("3/8"), 3, log=False) == []
    judge = ProductJudge(label_flip("0.1"), samples=500, failure_prob=Fraction(1, 100))
    counts = list(range(250, 501))
    judged = judge.judge(chunk(radius=["1"] * len(counts), count=[str(k) for k in counts]))
    best = sampled_radius(label_flip("0.1"), Sampled(500, 500, Fraction(1, 100)))
    assert judged.proved[-1] == best
    assert len(judge._cache) <= 4
    assert len(judge.radii) <= 4
