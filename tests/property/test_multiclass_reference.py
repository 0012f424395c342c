"""The multi-class reference against every labelling of tiny data, exactly."""

# ruff: noqa: N803, N806  (K classes, as in the papers)

from collections import Counter
from dataclasses import astuple
from fractions import Fraction
from itertools import chain

import mpmath
import numpy as np
import pytest
from multiclass_support import NOISE, Case, deep_cases, random_cases
from support import HALF

from certaudit.reference import multiclass as reference
from certaudit.reference.radius import kl_divergence, kl_radius
from certaudit.reference.threshold import certified_radius

VOTES = ("pairwise", "plurality")


@pytest.fixture(autouse=True)
def _digits():
    with mpmath.workdps(25):
        yield


def contradictions(case: Case, certificate: reference.Certificate, vote: str) -> list[str]:
    """Return what the exact shares of all labellings say against a certificate."""
    wrong = []
    tables, i = case.tables, certificate.prediction
    error = tables.error(i, vote, case.labels)
    if error > just_above(mpmath.exp(certificate.log_error)):
        wrong.append("log_error below ln(1 - share)")
    for rival in certificate.rivals:
        pair = 1 - tables.share(tables.pair[i, rival.rival], case.labels)
        if pair > just_above(mpmath.exp(rival.log_error)):
            wrong.append("a pair bound below ln P(s_i <= s_b)")
    holds = tables.holds(i, vote)
    if certificate.decided and not holds[tables.index(case.labels)]:
        wrong.append("not the vote winner")
    if certificate.decided:
        lost = tables.distances(case.labels)[~holds]
        for name, radius in radii(certificate).items():
            if (lost <= radius).any():
                wrong.append(f"{name}: {lost.min()} changes lose the vote")
    return wrong


def just_above(x: mpmath.mpf) -> Fraction:
    """Return a fraction above an mpf, by more than the rounding errors in it."""
    sign, mantissa, exponent, _ = x._mpf_
    value = (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return value * (1 + Fraction(1, 10**18))


def radii(certificate: reference.Certificate) -> dict[str, int]:
    return {"kl": certificate.kl_radius, "tight": certificate.tight_radius}


def judged(cases):
    """Yield (vote, certificate, contradictions) for every case and both votes."""
    for case in cases:
        for vote in VOTES:
            found = reference.certificate(case.alpha, case.labels, case.q, case.classes, vote)
            yield vote, found, contradictions(case, found, vote)


@pytest.mark.parametrize(
    ("classes", "count", "most", "decided"), [(3, 700, 8, 250), (4, 80, 6, 25), (2, 80, 8, 30)]
)
def test_no_labelling_contradicts_a_certificate(classes, count, most, decided):
    seen = Counter()
    for vote, found, wrong in judged(random_cases(classes, count, classes, most)):
        assert wrong == []
        seen[vote, "decided"] += found.decided
        for name, radius in radii(found).items():
            seen[vote, name, radius] += 1
    # The test has to be about something.
    for vote in VOTES:
        assert seen[vote, "decided"] >= decided
        if classes == 3:
            assert seen[vote, "kl", 1] >= 10
            assert seen[vote, "tight", 1] >= 50
            assert seen[vote, "tight", 2] >= 10


def test_no_labelling_contradicts_a_radius_of_two_or_more():
    """KL radii from B.2 stay below n/4 at three classes: 2 needs nine labels, and little noise."""
    seen = Counter()
    for vote, found, wrong in judged(deep_cases(1, 8)):
        assert wrong == []
        for name, radius in radii(found).items():
            seen[vote, name, radius] += 1
    for vote in VOTES:
        assert seen[vote, "kl", 2] >= 3
        assert seen[vote, "tight", 4] >= 3


def test_the_radii_of_the_exact_shares_hold():
    """B.3 and (2) from the shares themselves, not from Chernoff's bound: the sharper test."""
    seen = Counter()
    for case in chain(random_cases(11, 250), deep_cases(2, 3)):
        tables = case.tables
        for vote in VOTES:
            for i in range(case.classes):
                p = 1 - tables.error(i, vote, case.labels)
                if p <= HALF:
                    continue
                lost = tables.distances(case.labels)[~tables.holds(i, vote)]
                n = len(case.alpha)
                kl = min(kl_radius(p, case.q, case.classes), n) if p < 1 else n
                tight = certified_radius(p, 1 - case.q, case.classes, n)
                assert not (lost <= kl).any()
                assert not (lost <= tight).any()
                seen["kl", kl] += 1
                seen["tight", tight] += 1
                seen["exact"] += bool(lost.size and lost.min() == tight + 1)
    assert min(seen["kl", 1], seen["tight", 1], seen["tight", 2]) >= 20
    assert seen["kl", 2] >= 5
    assert seen["exact"] >= 50


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_enumeration_twice(classes):
    """Counting noisy labellings, and noise label by label, give the same shares and winners."""
    ties = 0
    for case in random_cases(100 + classes, 12, classes, 4):
        tables, K = case.tables, case.classes
        rest = (case.alpha, case.labels)
        for i in range(K):
            sole = reference.plurality_share(*rest, i, case.q, K)
            assert sole == tables.share(tables.sole[i], case.labels)
            for b in range(K):
                if b != i:
                    share = reference.pair_share(*rest, i, b, case.q, K)
                    assert share == tables.share(tables.pair[i, b], case.labels)
        votes = reference.soft_votes(*rest, case.q, K)
        assert votes == [tables.share(table, case.labels) for table in tables.plain]
        assert sum(votes) == 1
        for vote, winner in (
            ("pairwise", reference.pairwise_winner(*rest, case.q, K)),
            ("plurality", reference.plurality_winner(*rest, case.q, K)),
        ):
            place = tables.index(case.labels)
            holding = [i for i in range(K) if tables.holds(i, vote)[place]]
            assert holding == ([] if winner is None else [winner])
            decided = reference.certificate(*rest, case.q, K, vote)
            assert not decided.decided or decided.prediction == winner
        if reference.plurality_winner(*rest, case.q, K) is not None:
            assert reference.hard_vote(votes) == reference.plurality_winner(*rest, case.q, K)
        ties += sum(votes) != sum(reference.plurality_share(*rest, i, case.q, K) for i in range(K))
    assert ties


@pytest.mark.parametrize("classes", [2, 3, 4, 10])
def test_the_divergence_is_its_sum(classes):
    for q in NOISE:
        if q < Fraction(classes - 1, classes):
            closed = kl_divergence(1, q, classes)
            total = reference.flip_divergence(q, classes)
            assert abs(total - closed) <= abs(closed) * mpmath.mpf(10) ** -20


# Wrong variants: each is a bug somebody could write, and the brute force above has to see it.

good_law = reference.pair_law
good_t = reference.optimal_pair_t
good_radius = reference.kl_radius_from_log_error


def unconstrained_t(alpha, labels, i, b, q, K):
    """The minimum over all t, as B.2 has it: where it is negative it bounds the reverse."""
    return good_t(alpha, labels, i, b, q, K) or -good_t(alpha, labels, b, i, q, K)


def least_candidate(alpha, labels, K):
    """The class of the smallest score, for which that minimum is negative."""
    result = reference.scores(alpha, labels, K)
    return min(range(K), key=lambda c: result[c])


def undivided_noise(label, i, b, q, K):
    """A label that is not i becomes i with probability q, as with two labels."""
    law = good_law(label, i, b, q, K)
    if label == i:
        return law
    more = min(q - law[1], law[0])
    return {1: law[1] + more, 0: law[0] - more, -1: law[-1]}


def noise_divided_twice(label, i, b, q, K):
    """The noise replaces a label with probability q/(K-1) in all."""
    return good_law(label, i, b, q / (K - 1), K)


def no_union(log_errors):
    """The bound of the worst pair taken for one on the plurality."""
    return max(log_errors)


def divergence_of_two(log_error, q, _):
    """(5) where B.3 is due."""
    return good_radius(log_error, q, 2)


def one_too_many(log_error, q, K):
    return good_radius(log_error, q, K) + 1 if log_error < -1 else 0


MUTANTS = {
    "t negative": {"optimal_pair_t": unconstrained_t, "candidate": least_candidate},
    "q in place of q/(K-1)": {"pair_law": undivided_noise},
    "q/(K-1) in place of q": {"pair_law": noise_divided_twice},
    "no union bound": {"plurality_log_error": no_union},
    "divergence of two labels": {"kl_radius_from_log_error": divergence_of_two},
    "one change too many": {"kl_radius_from_log_error": one_too_many},
}


def mutant_cases():
    """Random ones, and ten classes with much noise: pair bounds are small, their sum is not."""
    yield from random_cases(3, 150, 3, 5)
    yield Case((Fraction(8), Fraction(6)), (0, 1), Fraction(41, 50), 10)
    for q in (Fraction(2, 5), Fraction(12, 25)):
        yield Case((Fraction(1),) * 4, (0,) * 4, q, 10)


@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_variants_are_caught(name, monkeypatch):
    for attribute, variant in MUTANTS[name].items():
        monkeypatch.setattr(reference, attribute, variant)
    assert any(wrong for _, _, wrong in judged(mutant_cases()))


def test_the_right_variant_is_not_caught():
    assert not any(wrong for _, _, wrong in judged(mutant_cases()))


def test_tables_do_not_overflow():
    """Shares beyond 64 bits are Python integers."""
    case = Case((Fraction(1),) * 4, (0, 1, 2, 0), Fraction(1, 10**12), 3)
    tables = case.tables
    assert tables.pair[0, 1].dtype == object
    share = tables.share(tables.pair[0, 1], case.labels)
    assert share == reference.pair_share(case.alpha, case.labels, 0, 1, case.q, 3)
    assert np.all(tables.pair[0, 1] <= tables.whole)
    # So are scores, those of alphas from data among them.
    large = Case(tuple(a * (2**80 + 1) / 3**50 for a in case.alpha), *astuple(case)[1:])
    assert np.all(large.tables.pair[0, 1] == tables.pair[0, 1])
