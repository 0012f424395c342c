"""What counts prove, as float64 enclosures: around the truth, narrow; least counts right."""

import math
from fractions import Fraction
from random import Random

import mpmath
import numpy as np
import pytest

from certaudit.errors import InputError
from certaudit.fast import quantiles as module
from certaudit.fast.quantiles import Quantiles, quantiles
from certaudit.noise import Gaussian
from certaudit.reference import confidence as reference
from certaudit.rigorous import confidence as rigorous
from certaudit.rigorous.confidence import GaussianShare, Sampled

CHANCES = (Fraction(1, 1000), Fraction(1, 20), Fraction(1, 10**12), Fraction(99, 100),
           Fraction(1, 2), Fraction(1, 4), Fraction(1, 3), Fraction(1, 10**6))  # fmt: skip
ONE = Gaussian(Fraction(1))
HALF = Fraction(1, 2)


def counts_of(samples, random, more=4):
    ends = {1, 2, 3, samples // 2, samples - 2, samples - 1, samples}
    ends |= {random.randint(1, samples) for _ in range(more)}
    return sorted(k for k in ends if 1 <= k <= samples)


def quantile(share, digits=60):
    """Return Phi^-1 by mpmath, its argument kept away from 1."""
    with mpmath.workdps(digits + 400 * (not float(share) > 1e-100)):
        small = min(share, 1 - share)
        x = mpmath.mpf(small.numerator) / small.denominator
        if small < Fraction(1, 10**30):
            t = mpmath.sqrt(-2 * mpmath.log(x))
            root = mpmath.findroot(lambda z: mpmath.log(mpmath.erfc(z / mpmath.sqrt(2)) / (2 * x)),
                                   t)  # fmt: skip
        else:
            with mpmath.workdps(digits + 40):
                root = mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * x)
        return root if share > HALF else -root


def as_fraction(number):
    """Return an mpf as it is."""
    sign, mantissa, exponent, _ = number._mpf_
    return Fraction((-1) ** sign * int(mantissa)) * Fraction(2) ** int(exponent)


def misses(found, counts, width=Fraction(1, 10**7)):
    """Return the counts whose enclosures miss the truth, or are wide."""
    n, chance = found.samples, found.failure_prob
    wrong = []
    for k in counts:
        low, high = found.share(k)
        claim = Sampled(k, n, chance)
        exact = rigorous.tail_sign(claim, low) <= 0 <= rigorous.tail_sign(claim, high)
        truth = rigorous.lower_bound(k, n, chance)
        near = 0 < low <= truth.upper and truth.lower <= high < 1
        narrow = high - low <= width * min(low, 1 - low)
        bottom, top = map(Fraction, found.radius(k))
        slack = Fraction(1, 10**45)
        around = (
            bottom <= as_fraction(quantile(low)) + slack
            and as_fraction(quantile(high)) - slack <= top
        )
        if not (exact and near and narrow and around and top - bottom < width):
            wrong.append(k)
    return wrong


@pytest.mark.parametrize("samples", [1, 2, 3, 10, 17, 100, 1000, 10**4, 10**5])
@pytest.mark.parametrize("chance", CHANCES)
def test_the_enclosures_contain_the_truth(samples, chance):
    random = Random(samples)
    assert misses(Quantiles(samples, chance), counts_of(samples, random)) == []


@pytest.mark.parametrize("samples", [10**6, 10**7])
def test_the_enclosures_contain_the_truth_for_many_samples(samples):
    counts = [1, samples // 2 + 1, samples - 1000, samples - 1, samples]
    found = Quantiles(samples, Fraction(1, 1000))
    assert misses(found, counts, Fraction(1, 10**5)) == []


def test_the_enclosures_of_many_counts_at_once_contain_the_truth():
    found = Quantiles(2000, Fraction(1, 1000))
    found.prepare(np.arange(1, 2001))
    random = Random(8)
    assert misses(found, sorted(random.sample(range(1, 2001), 60))) == []
    one = Quantiles(2000, Fraction(1, 1000))
    for k in random.sample(range(1, 2001), 40):
        low, high = found.share(k)
        other = one.share(k)
        assert max(low, other[0]) <= min(high, other[1])


@pytest.mark.parametrize("samples", [1, 3, 10, 25])
@pytest.mark.parametrize("chance", CHANCES[:5])
def test_the_reference_says_the_same(samples, chance):
    found = Quantiles(samples, chance)
    for k in range(1, samples + 1):
        low, high = found.share(k)
        right = reference.lower_bound(k, samples, chance)
        assert low <= right + Fraction(1, 10**30)
        assert right <= high
        assert reference.binomial_tail(k, samples, low) <= chance
        assert reference.binomial_tail(k, samples, high) >= chance


def test_radii_rise_and_no_vote_proves_nothing():
    found = Quantiles(300, Fraction(1, 100))
    assert found.share(0) == (0, 0)
    assert found.radius(0) == (-math.inf, -math.inf)
    for k in range(300):
        assert found.radius(k)[1] < found.radius(k + 1)[0]
        assert found.share(k)[1] < found.share(k + 1)[0]


# Least counts -------------------------------------------------------------------------------------


def least_by_force(samples, holds):
    """Return the least count for which something holds, every count asked."""
    return next((k for k in range(1, samples + 1) if holds(k)), samples + 1)


def reaches_by_force(count, samples, chance, target):
    """Decide a radius by the rigorous engine, or by mpmath below 0."""
    if target > 0:
        return rigorous.tail_sign(Sampled(count, samples, chance),
                                  GaussianShare(ONE, target)) <= 0  # fmt: skip
    if target == 0:
        return reference.binomial_tail(count, samples, HALF) <= chance
    if target < -30:
        return True  # one vote of so few proves a share above 10^-15
    with mpmath.workdps(80):
        share = as_fraction(mpmath.erfc(-mpmath.mpf(target.numerator) / target.denominator
                                        / mpmath.sqrt(2)) / 2)  # fmt: skip
    sign = [reference.binomial_tail(count, samples, share * (1 + Fraction(d, 10**60))) <= chance
            for d in (-1, 1)]  # fmt: skip
    assert sign[0] == sign[1]
    return sign[0]


TARGETS = [Fraction(n, 7) for n in range(-14, 18)]
TARGETS += [Fraction(text) for text in ("1e-9", "-1e-9", "1e-300", "-1e-30", "40", "-40", "1e6",
                                        "-1e6", "-5.5", "3.25", "0.6744897501960817")]  # fmt: skip
SHARES = [Fraction(n, 24) for n in range(1, 24)]
SHARES += [Fraction(1, 10**9), 1 - Fraction(1, 10**9), Fraction(1, 10**300), HALF,
           1 - Fraction(1, 10**300), Fraction(0.3), HALF + Fraction(1, 10**40)]  # fmt: skip


def wrong_answers(found):
    """Return the questions that are answered otherwise than by looking at every count."""
    n, chance = found.samples, found.failure_prob
    wrong = []
    firsts = found.firsts(TARGETS)
    for target, first in zip(TARGETS, firsts, strict=True):
        held = [reaches_by_force(k, n, chance, target) for k in range(1, n + 1)]
        least = least_by_force(n, lambda k, held=held: held[k - 1])
        if first != least or found.first(target) != least:
            wrong.append(("first", target))
        if [found.reaches(k, target) for k in range(n + 1)] != [False, *held]:
            wrong.append(("reaches", target))
    for share, first in zip(SHARES, found.first_shares(SHARES), strict=True):
        held = [reference.binomial_tail(k, n, share) <= chance for k in range(1, n + 1)]
        if first != least_by_force(n, lambda k, held=held: held[k - 1]):
            wrong.append(("first_shares", share))
        if [found.proves(k, share) for k in range(n + 1)] != [False, *held]:
            wrong.append(("proves", share))
    return wrong


@pytest.mark.parametrize("chance", [Fraction(1, 8), Fraction(1, 1000), Fraction(9, 10)])
@pytest.mark.parametrize("samples", [1, 2, 3, 5, 12])
def test_least_counts_are_those_found_by_force(samples, chance):
    assert wrong_answers(Quantiles(samples, chance)) == []


def test_least_counts_are_those_found_by_force_of_more_samples():
    assert wrong_answers(Quantiles(24, Fraction(1, 2**24))) == []


@pytest.mark.parametrize(("samples", "chance", "least"), [
    (3, Fraction(1, 8), 3),
    (3, HALF, 2),  # P(Bin(3, 1/2) >= 2) = 1/2
    (1, HALF, 1),
    (30, Fraction(1, 2**30), 30),
    (40, Fraction(41, 2**40), 39),
    (40, Fraction(41, 2**40) - Fraction(1, 10**40), 40),
    (10**5, Fraction(1, 2**100), None),
])  # fmt: skip
def test_ties_prove(samples, chance, least):
    found = Quantiles(samples, chance)
    if least is None:
        least = least_large(samples, chance)
    assert found.first(Fraction(0)) == least
    assert found.first_shares([HALF]) == [least]
    assert found.reaches(least, Fraction(0))
    assert found.proves(least, HALF)
    if least > 1:
        assert not found.reaches(least - 1, Fraction(0))
        assert not found.proves(least - 1, HALF)


def test_just_below_0():
    found = Quantiles(3, Fraction(1, 8))
    assert found.first(Fraction(-1, 10**300)) == found.first(Fraction(0)) == 3
    assert found.first(Fraction(1, 10**300)) == 4


def least_large(samples, chance):
    low, high = 0, samples + 1
    while high - low > 1:
        k = (low + high) // 2
        proves = rigorous.tail_sign(Sampled(k, samples, chance), HALF) <= 0
        low, high = (low, k) if proves else (k, high)
    return high


@pytest.mark.parametrize("samples", [1000, 10**5])
def test_least_counts_of_many_targets(samples):
    random = Random(samples)
    found = Quantiles(samples, Fraction(1, 1000))
    most = found.radius(samples)[1]
    targets = [Fraction(random.uniform(-3, 1.05 * most)) for _ in range(150)]
    targets += [Fraction(round(random.uniform(0, most), 3)) for _ in range(50)]
    for target, first in zip(targets, found.firsts(targets), strict=True):
        assert first == samples + 1 or found.radius(first)[1] >= target
        assert first == 1 or found.radius(first - 1)[0] < target
        for k in (first - 1, first):
            if 1 <= k <= samples and target > 0:
                claim = Sampled(k, samples, Fraction(1, 1000))
                proved = rigorous.tail_sign(claim, GaussianShare(ONE, target)) <= 0
                assert proved == (k == first)


def test_least_counts_of_many_shares():
    random = Random(3)
    found = Quantiles(10**4, Fraction(1, 1000))
    shares = [Fraction(random.random()) for _ in range(100)]
    shares += [1 - Fraction(random.random()) ** 9 for _ in range(40)]
    shares = [share for share in shares if 0 < share < 1]
    for share, first in zip(shares, found.first_shares(shares), strict=True):
        for k in (first - 1, first):
            if 1 <= k <= 10**4:
                claim = Sampled(k, 10**4, Fraction(1, 1000))
                assert (rigorous.tail_sign(claim, share) <= 0) == (k == first)


def test_targets_at_the_ends_of_the_enclosures():
    found = Quantiles(100, Fraction(1, 100))
    for k in (1, 40, 77, 99, 100):
        low, high = map(Fraction, found.radius(k))
        assert found.first(low) == k
        assert found.first(high + Fraction(1, 10**20)) == k + 1
        low, high = found.share(k)
        assert found.first_shares([low]) == [k]
        assert found.first_shares([high + Fraction(1, 10**30)]) == [k + 1]


def test_answers_that_are_not_kept_are_found_again(monkeypatch):
    monkeypatch.setattr(module, "_KEPT", 10)
    found, other = Quantiles(50, Fraction(1, 100)), Quantiles(50, Fraction(1, 100))
    for start in range(0, 40, 8):
        targets = [Fraction(n, 20) for n in range(start, start + 9)]
        assert found.firsts(targets) == [other.first(target) for target in targets]
        shares = [Fraction(n, 60) for n in range(start + 1, start + 9)]
        assert found.first_shares(shares) == [other.first_shares([s])[0] for s in shares]


def test_one_for_all():
    assert quantiles(100, Fraction(1, 100)) is quantiles(100, Fraction(1, 100))
    for samples, chance in ((0, HALF), (10**9 + 1, HALF), (5, Fraction(0)), (5, Fraction(1))):
        with pytest.raises(InputError):
            Quantiles(samples, chance)


# Deliberately wrong variants ----------------------------------------------------------------------


class Halved(Quantiles):
    """The gap is taken for half of what it is: the reach is halved."""

    def _tail_at(self, count, log_odds):
        found = super()._tail_at(count, log_odds)
        return found and (found[0] / 2, found[1])


class Steep(Quantiles):
    """The slope is bounded from the wrong side: as if the tail were P(= k) alone."""

    def _tail_at(self, count, log_odds):
        found = super()._tail_at(count, log_odds)
        return found and (found[0], count / (1 + math.exp(log_odds)))


class Trusting(Quantiles):
    """The guess is taken for the truth."""

    def _tail_at(self, count, log_odds):
        found = super()._tail_at(count, log_odds)
        return found and (0.0, found[1])


def coarse(kind):
    """Return a kind of Quantiles whose guesses are good to 10^-11 only, so that reach matters."""

    class Coarse(kind):
        def _guess_odds(self, counts):
            return [u + 1e-11 * (-1) ** k
                    for u, k in zip(super()._guess_odds(counts), counts.tolist(), strict=True)]  # fmt: skip  # noqa: E501

    return Coarse


WHERE = [(100, 60), (100, 99), (1000, 700), (10**4, 9000), (10**5, 60_000)]


def missed(kind):
    return [(n, k) for n, k in WHERE if misses(kind(n, Fraction(1, 1000)), [k])]


def test_poor_guesses_are_enclosed_as_well():
    assert missed(coarse(Quantiles)) == []


@pytest.mark.parametrize("kind", [Halved, Steep, Trusting])
def test_wrong_enclosures_are_caught(kind):
    assert missed(coarse(kind))


@pytest.mark.parametrize("name", ["walk", "strict", "other"])
def test_wrong_least_counts_are_caught(name, monkeypatch):
    found = Quantiles(3, Fraction(1, 8))
    if name == "walk":
        monkeypatch.setattr(found, "_walk", lambda _holds, guess: guess)
    elif name == "strict":
        monkeypatch.setattr(module, "tail_sign", lambda c, s: rigorous.tail_sign(c, s) or 1)
    else:
        found.failure_prob = Fraction(1, 9)
        found.share(1)
        found.failure_prob = Fraction(1, 8)
        found._shares.update({k: Quantiles(3, Fraction(1, 9)).share(k) for k in (1, 2, 3)})
    assert wrong_answers(found)


def test_poor_guesses_of_counts_cost_time_only(monkeypatch):
    for guess in (1, 8, 15):
        found = Quantiles(15, Fraction(1, 100))
        monkeypatch.setattr(
            found, "_guess_counts", lambda share, _rest, g=guess: np.full(len(share), g)
        )
        assert wrong_answers(found) == []
