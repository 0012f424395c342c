"""The fast tails: never another answer than the rigorous engine's, and bounds that hold."""

from fractions import Fraction
from random import Random

import numpy as np
import pytest

from certaudit.errors import InputError
from certaudit.fast import confidence as fast
from certaudit.noise import discrete, gaussian, label_flip
from certaudit.rigorous import confidence as rigorous
from certaudit.rigorous.balls import from_ball, to_ball, working_precision
from certaudit.rigorous.confidence import GaussianShare, Sampled
from certaudit.rigorous.threshold import threshold

SIZES = (1, 2, 3, 10, 100, 1000, 10**5, 10**6)


def random_claim(random):
    """Return votes and a share: near the bound at every distance, or anywhere; both tails."""
    samples = random.choice(SIZES)
    count = random.choice([0, 1, samples - 1, samples, random.randint(0, samples)])
    count = min(max(count, 0), samples)
    chance = random.choice([Fraction(1, 2), Fraction(1, 1000), Fraction(999, 1000),
                            Fraction(1, 10**12), Fraction(1, 3)])  # fmt: skip
    claim = Sampled(count, samples, chance)
    if count and random.random() < 0.7:
        bound = rigorous.lower_bound(count, samples, chance).mid
        away = Fraction(random.choice([-1, 1]), 10 ** random.randint(1, 15))
        share = bound + away * min(bound, 1 - bound)
    else:
        share = random.choice([Fraction(random.randint(0, 1000), 1000), Fraction(1, 10**300),
                               1 - Fraction(1, 10**300), Fraction(random.random())])  # fmt: skip
    return claim, share


def disagreements(sign, seeds, size=120):
    """Return the claims on which an implementation says another sign than the rigorous engine."""
    wrong = []
    for seed in seeds:
        random = Random(seed)
        for _ in range(size):
            claim, share = random_claim(random)
            found = sign(claim, share)
            if found is not None and found != rigorous.tail_sign(claim, share):
                wrong.append((claim, share))
    return wrong


@pytest.mark.parametrize("block", range(8))
def test_what_is_decided_quickly_is_what_the_rigorous_engine_decides(block):
    assert disagreements(fast.quick_sign, range(4 * block, 4 * block + 4)) == []


def test_nearly_all_is_decided_quickly():
    open_, seen = 0, 0
    for seed in range(6):
        random = Random(1000 + seed)
        for _ in range(100):
            claim, share = random_claim(random)
            if 0 < share < 1 and claim.count:
                seen += 1
                open_ += fast.quick_sign(claim, share) is None
    assert seen > 300
    assert open_ < seen / 4  # those within 10^-12 of the bound


def test_the_rest_is_decided_by_balls():
    claim = Sampled(3, 3, Fraction(1, 8))
    assert fast.quick_sign(claim, Fraction(1, 2)) is None
    assert fast.tail_sign(claim, Fraction(1, 2)) == 0
    assert fast.proves(claim, Fraction(1, 2))
    assert not fast.proves(claim, Fraction(1, 2) + Fraction(1, 10**40))
    for share in (Fraction(0), Fraction(1), 0, 1):
        assert fast.tail_sign(claim, share) == rigorous.tail_sign(claim, share)
    with pytest.raises(InputError):
        fast.tail_sign(claim, Fraction(3, 2))


@pytest.mark.parametrize("count", [990, 999, 1000])
def test_thresholds_and_gaussian_radii_are_shares_too(count):
    claim = Sampled(count, 1000, Fraction(1, 1000))
    shares = [threshold(label_flip("0.1"), r) for r in range(6)]
    shares += [threshold(discrete(0, 3), 1)]
    shares += [GaussianShare(gaussian("0.5"), Fraction(r, 7)) for r in range(1, 12)]
    for share in shares:
        assert fast.proves(claim, share) == rigorous.proves(claim, share)


def series_cases(number):
    random = Random(5)
    for _ in range(number):
        samples = random.choice(SIZES[2:])
        share = Fraction(random.random()) ** random.choice([1, 1, 3])
        share = min(max(share, Fraction(1, 10**9)), 1 - Fraction(1, 10**9))
        mean = int(samples * share)
        count = min(samples, mean + random.randint(0, 3 + int(5 * samples**0.5)))
        yield count, samples, share


def outside(bounds, number=400):
    """Return the sums that an implementation's bounds do not contain, or contain too loosely."""
    wrong = []
    for count, samples, share in series_cases(number):
        with working_precision(160):
            odds = to_ball(share / (1 - share))
            found = bounds(count, samples, odds)
            if found is None:
                continue
            right = from_ball(rigorous._series(count, samples, odds))
        low, high = map(Fraction, found)
        if not low <= right.lower <= right.upper <= high or high - low > right.mid / 10**7:
            wrong.append((count, samples, share))
    return wrong


def test_the_bounds_contain_the_sum():
    assert outside(fast.series_bounds, 2000) == []


def shifted(count, samples, odds):
    return fast.series_bounds(count + 1, samples, odds) if count < samples else (1.0, 1.0)


def without_the_slack(count, samples, odds):
    found = fast.series_bounds(count, samples, odds)
    return None if found is None else (sum(found) / 2, sum(found) / 2)


def without_the_first(count, samples, odds):
    found = fast.series_bounds(count, samples, odds)
    return None if found is None else (found[0] - 1, found[1] - 1)


def odds_rounded_to_float32(count, samples, odds):
    return fast.series_bounds(
        count, samples, to_ball(Fraction(float(np.float32(float(odds.mid())))))
    )


@pytest.mark.parametrize(
    "variant", [shifted, without_the_slack, without_the_first, odds_rounded_to_float32]
)
def test_wrong_bounds_are_caught(variant):
    assert outside(variant)


@pytest.mark.parametrize("name", ["side", "one more", "other chance"])
def test_wrong_signs_are_caught(name):
    def wrong(claim, share):
        if name == "side":
            found = fast.quick_sign(claim, share)
            return None if found is None else -found
        if name == "other chance":
            chance = claim.failure_prob * Fraction(101, 100)
            return fast.quick_sign(
                Sampled(claim.count, claim.samples, min(chance, 1 - chance / 9)), share
            )
        more = Sampled(min(claim.count + 1, claim.samples), claim.samples, claim.failure_prob)
        return fast.quick_sign(more, share)

    assert disagreements(wrong, range(2))


def test_shares_that_are_1_to_all_digits_cost_nothing():
    claim = Sampled(5, 5, 1 - Fraction(1, 10**60))
    for share in (
        threshold(label_flip("1e-10000"), 10**6),
        GaussianShare(gaussian(1), Fraction(10**5)),
    ):
        assert fast.tail_sign(claim, share) == 1


def test_sums_that_overflow_have_no_bounds():
    with working_precision(100):
        assert fast.series_bounds(0, 1000, to_ball(Fraction(10**10))) is None
