"""Certificates are theorems: on tiny data no set of flips contradicts one, by brute force."""

from fractions import Fraction
from random import Random

import numpy as np
import pytest
from flint import ctx
from support import (
    HALF,
    NOISE,
    distance,
    index_of,
    labelling,
    random_rational_rows,
    vote_table,
)

from certaudit.certify import label_flip
from certaudit.certify.data import LabelledData
from certaudit.certify.label_flip import Certificate, certify_points, fit
from certaudit.exact import Enclosure
from certaudit.reference.vote import noisy_score_vote, soft_vote
from certaudit.rigorous import radius as rigorous_radius
from certaudit.rigorous.balls import to_ball

BOTH = ("kl", "tight")


def contradictions(certificate: Certificate, table: list[Fraction], labels) -> list[str]:
    """Return what the exact votes of all 2^n label vectors say against a certificate."""
    wrong = []
    here = index_of(labels)
    share = table[here]
    winner = int(share >= HALF)
    p = share if certificate.prediction == 1 else 1 - share
    if certificate.decided and certificate.prediction != winner:
        wrong.append("not the vote winner")
    if Fraction(certificate.p_lower) > p:
        wrong.append("p_lower above p")
    if certificate.log_error is not None and p < 1:
        with ctx.workprec(100):
            error = to_ball(1 - p).log()
            if not error <= to_ball(Fraction(certificate.log_error)):
                wrong.append("log_error below ln(1 - p)")
    reach = max(certificate.radii().values()) if certificate.decided else -1
    for other, there in enumerate(table):
        if distance(here, other) <= reach and int(there >= HALF) != certificate.prediction:
            wrong.append(f"{distance(here, other)} flips change the vote")
            break
    return wrong


def random_case(seed):
    """Return checked tiny data and options: ties, repeated rows and one-class sets are likely."""
    random = Random(seed)
    n, k, m = random.randint(1, 7), random.randint(1, 3), 3
    rows = random_rational_rows(random, n + m, k)
    labels = random.choice(
        [[random.randint(0, 1) for _ in range(n)], [0] * n, [1] * n, [i % 2 for i in range(n)]]
    )
    data = LabelledData.check(rows[:n], labels, rows[n:], [0] * m)
    options = {
        "q": random.choice(NOISE),
        "ridge": random.choice(["auto", "1/10", "1", "1e-6", "20"]),
        "scale": random.choice(["none", "standard"]),
        "intercept": random.random() < 0.6,
    }
    return data, options


def run_case(seed):
    """Yield (certificate, contradictions) for a random case; () where it cannot be fitted."""
    data, options = random_case(seed)
    try:
        rate, _, _, model = fit(data, **options)
    except label_flip.InputError:
        return
    labels = data.y_train.tolist()
    for point, _, certificate in certify_points(model, data, rate, range(3), guarantees=BOTH):
        table = vote_table(model.exact_alpha(point.index), rate)
        yield certificate, contradictions(certificate, table, labels)


@pytest.mark.parametrize("block", range(12))
def test_no_flip_contradicts_a_certificate(block):
    seen = decided = certified = constant = 0
    for seed in range(100 * block, 100 * block + 100):
        for certificate, wrong in run_case(seed):
            assert wrong == [], f"seed {seed}: {certificate}"
            seen += 1
            decided += certificate.decided
            certified += certificate.kl_radius > 0
            constant += certificate.constant
    # The test has to be about something.
    assert seen > 200
    assert decided > 50
    assert certified > 20
    assert constant > 5


def test_every_label_vector_of_one_instance():
    """All 2^6 training label vectors, each certified on its own."""
    rows = random_rational_rows(Random(5), 8, 2)
    for index in range(64):
        data = LabelledData.check(rows[:6], labelling(index, 6), rows[6:], [0, 1])
        rate, _, _, model = fit(data, q="1/50", ridge="auto", scale="none", intercept=True)
        for point, _, certificate in certify_points(model, data, rate, range(2), guarantees=BOTH):
            table = vote_table(model.exact_alpha(point.index), rate)
            assert contradictions(certificate, table, labelling(index, 6)) == []


@pytest.mark.parametrize("seed", range(6))
def test_three_ways_to_the_vote_agree(seed):
    random = Random(seed)
    n = random.randint(1, 6)
    alpha = [Fraction(random.randint(-9, 9), random.choice([4, 6, 10])) for _ in range(n)]
    q = random.choice(NOISE)
    table = vote_table(alpha, q)
    for index in range(1 << n):
        labels = labelling(index, n)
        assert table[index] == soft_vote(alpha, labels, q) == noisy_score_vote(alpha, labels, q)


# Wrong variants: each is a bug somebody could write, and the brute force above has to see it.


def sure_of_everything(_log_error):
    """Decide by the sign of the mean, as the papers' output does."""
    return True


def too_large(noise, *, log_error, cap):
    """(5) with a factor forgotten: four times the radius, and two more."""
    return min(4 * rigorous_radius.kl_radius(noise, log_error=log_error) + 2, cap)


def one_too_many(noise, *, log_error, cap):
    """(2) compared with the threshold of the radius before."""
    return min(rigorous_radius.tight_radius(noise, log_error=log_error) + 1, cap)


def wrong_tail(t, zeros, ones, q, *, alpha_error=Fraction(0)):
    """The classes of the labels exchanged in (6)."""
    return label_flip.rigorous_bound(t, ones, zeros, q, alpha_error=alpha_error)


def rounded_down(t, zeros, ones, q, *, alpha_error=Fraction(0)):
    """The lower end of a wide enclosure taken for the upper one."""
    bound = label_flip.rigorous_bound(t, zeros, ones, q, alpha_error=alpha_error)
    low = bound.lower - Fraction(1, 4)
    return Enclosure(int(low * 2**60) - 1, -60, 0, 0)


MUTANTS = {
    "radius too large": ("kl_radius", too_large),
    "tight radius one too large": ("tight_radius", one_too_many),
    "always decided": ("is_majority", sure_of_everything),
    "label classes exchanged": ("log_error_bound", wrong_tail),
    "rounded the wrong way": ("log_error_bound", rounded_down),
    "constant from the sum of all alphas": (
        "is_constant",
        lambda model, point: sum(model.exact_alpha(point.index)) < HALF,
    ),
    "constant when zero flips suffice": (
        "is_constant",
        lambda _, point: float(np.abs(point.alpha).max()) < 0.5,
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_variants_are_caught(name, monkeypatch):
    attribute, variant = MUTANTS[name]
    monkeypatch.setattr(label_flip, "rigorous_bound", label_flip.log_error_bound, raising=False)
    monkeypatch.setattr(label_flip, attribute, variant)
    assert any(wrong for seed in range(400) for _, wrong in run_case(seed))
