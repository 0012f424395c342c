"""Certificates of many classes against enumeration, the reference, and the other engine."""

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from multiclass_support import Case, deep_cases, random_cases
from support import HALF

from certaudit import certify_label_flip, certify_multiclass
from certaudit.certify import fast_votes
from certaudit.certify.data import LabelledData
from certaudit.certify.multiclass import VOTES, certify_classes, fit_classes
from certaudit.errors import InputError
from certaudit.fast.radius import Radii
from certaudit.noise import LabelFlip
from certaudit.reference.multiclass import log_pair_chernoff
from certaudit.rigorous.balls import order, to_ball, working_precision
from certaudit.rigorous.pairs import log_pair_bounds, log_sum_bound
from certaudit.rigorous.radius import is_majority, kl_radius, tight_radius

ENGINES = ["fast", "rigorous"]
PLAIN = {"scale": "none", "intercept": False, "ridge": "0"}


def certify_case(case, **options):
    """Certify a Case: with the identity for a design, alpha is the test row.

    Only the order of scores matters, so that alpha may be multiplied to be whole.
    """
    row = [float(a) for a in whole(case)]
    run = certify_multiclass(
        np.eye(len(row)),
        case.labels,
        [row],
        [0],
        q=case.q,
        classes=case.classes,
        guarantee="all",
        **{**PLAIN, **options},
    )
    return run.certificates[0]


def scores_of(case):
    scores = [Fraction(0)] * case.classes
    for a, y in zip(case.alpha, case.labels, strict=True):
        scores[y] += a
    return scores


def proves(log_error, error):
    """Return whether log_error >= ln(error), error being exact."""
    if error == 0:
        return True
    with working_precision(200):
        return order(to_ball(Fraction(log_error)), to_ball(error).log()) == 1 or log_error == 0


def whole(case):
    """Return alpha as certify_case has it."""
    bottom = int(np.lcm.reduce([a.denominator for a in case.alpha]))
    return [a * bottom for a in case.alpha]


def unproven(case, vote, certificate):
    """Return what the numbers of a certificate do not prove of each other, and of alpha."""
    wrong, noise = [], LabelFlip(case.q, case.classes)
    by_class = [[] for _ in range(case.classes)]
    for a, y in zip(whole(case), case.labels, strict=True):
        by_class[y].append(float(a))
    for rival in certificate.rivals:
        bounds = log_pair_bounds(rival.t, by_class, certificate.prediction, [rival.rival], noise)
        if rival.log_error < min(bounds[0].lower, 0):
            wrong.append(f"log_error against {rival.rival} is below ln B")
    logs = [Fraction(rival.log_error) for rival in certificate.rivals]
    total = Fraction(certificate.log_error)
    if total < 0 and (
        total != max(logs) if vote == "pairwise" else total < log_sum_bound(logs).lower
    ):
        wrong.append("log_error: not what the rivals come to")
    exact = {"kl": kl_radius, "tight": tight_radius}
    for name, radius in certificate.radii().items():
        if radius > exact[name](noise, log_error=total, cap=len(case.alpha)):
            wrong.append(f"radius {name}: more than log_error proves")
    return wrong


def untruths(case, vote, certificate):
    """Return what a certificate says that enumeration contradicts, or that is unproven."""
    tables, i, wrong = case.tables, certificate.prediction, unproven(case, vote, certificate)
    for rival in certificate.rivals:
        share = tables.share(tables.pair[i, rival.rival], case.labels)
        if not proves(rival.log_error, 1 - share):
            wrong += [f"log_error against {rival.rival}"]
    error = tables.error(i, vote, case.labels)
    if not proves(certificate.log_error, error) or Fraction(certificate.p_lower) > 1 - error:
        wrong.append("log_error, or p_lower")
    holds = tables.holds(i, vote)
    if certificate.decided and not holds[tables.index(case.labels)]:
        wrong.append("another class wins")
    far = tables.distances(case.labels)
    for name, radius in certificate.radii().items():
        if radius and not holds[far <= radius].all():
            wrong.append(f"radius {name}: {radius} flips change the vote")
    scores = scores_of(case)
    if i != max(range(case.classes), key=lambda c: (scores[c], c)):
        wrong.append("prediction: not the largest mean")
    return wrong


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("vote", VOTES)
def test_enumeration_contradicts_nothing(vote, seed):
    """600 instances a vote, up to 8 labels of 3 classes, 100 of 2 and of 4; every labelling."""
    cases = [*random_cases(seed, 150), *random_cases(seed, 25, 2), *random_cases(seed, 25, 4, 6)]
    seen = {"decided": 0, "ties": 0, "radius": 0}
    for number, case in enumerate(cases):
        found = certify_case(case, vote=vote)
        assert untruths(case, vote, found) == []
        seen["decided"] += found.decided
        seen["radius"] += found.kl_radius >= 1
        second, first = sorted(scores_of(case))[-2:]
        seen["ties"] += first == second
        if number % 3 == 0:
            slow = certify_case(case, vote=vote, engine="rigorous")
            assert untruths(case, vote, slow) == []
            assert (slow.prediction, slow.decided, slow.radii()) == (
                found.prediction,
                found.decided,
                found.radii(),
            )
    assert all(seen.values()), seen


@pytest.mark.parametrize("vote", VOTES)
@pytest.mark.parametrize("engine", ENGINES)
def test_radii_of_several_flips_against_every_labelling(engine, vote):
    found = [(case, certify_case(case, vote=vote, engine=engine)) for case in deep_cases(3, 4)]
    for case, certificate in found:
        assert untruths(case, vote, certificate) == []
    assert max(c.kl_radius for _, c in found) >= 1
    assert max(c.tight_radius for _, c in found) >= 2


def random_data(seed, n, k, classes, m, spread=1.0):
    """Return clusters in k dimensions, as LabelledData."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(classes, k)) * spread
    labels = random.integers(0, classes, n)
    targets = random.integers(0, classes, m)
    rows = centres[labels] + random.normal(size=(n, k))
    tests = centres[targets] + random.normal(size=(m, k))
    return LabelledData.check(rows, labels, tests, targets, classes=classes)


NOISE = ["0.01", "0.1", "0.4", "1e-12", "1e-200"]


@pytest.mark.parametrize("q", ["0.1", "0.4", "1e-6", "0.49"])
@pytest.mark.parametrize("ridge", ["auto", "1/3"])
def test_two_classes_with_an_intercept_are_the_two_label_classifier(q, ridge):
    """The same radii, the same bounds at half the t."""
    data = random_data(1, 240, 3, 2, 60)
    arrays = (data.x_train, data.y_train, data.x_test, data.y_test)
    for engine in ENGINES:
        options = {"q": q, "ridge": ridge, "guarantee": "tight", "engine": engine}
        two = certify_label_flip(*arrays, **options).certificates
        for vote in VOTES:
            many = certify_multiclass(*arrays, vote=vote, **options).certificates
            for a, b in zip(two, many, strict=True):
                assert (a.prediction, a.decided, a.radii()) == (b.prediction, b.decided, b.radii())
                assert b.log_error == pytest.approx(a.log_error, abs=0.011)
                assert abs(a.t) / 2 == pytest.approx(b.rivals[0].t, rel=1e-3)
                assert b.rivals[0].rival == 1 - b.prediction


def test_without_an_intercept_two_classes_are_another_classifier():
    """alpha = (1/8, 1/4), labels 0 and 1: alpha'y < 1/2 always, but the scores are compared."""
    case = Case((Fraction(1, 8), Fraction(1, 4)), (0, 1), Fraction(1, 100), 2)
    assert certify_case(case).prediction == 1
    two = certify_label_flip(np.eye(2), case.labels, [[0.125, 0.25]], [0], q=case.q, **PLAIN)
    assert two.certificates[0].prediction == 0
    assert two.certificates[0].constant


@pytest.mark.parametrize("classes", [3, 5, 12])
@pytest.mark.parametrize("q", NOISE)
@pytest.mark.parametrize("vote", VOTES)
def test_both_engines_certify_the_same(vote, q, classes):
    data = random_data(classes, 400, 6, classes, 24, spread=1.5)
    runs = [
        certify_classes(data, q=q, vote=vote, guarantee="all", engine=engine) for engine in ENGINES
    ]
    for a, b in zip(*(run.certificates for run in runs), strict=True):
        assert (a.prediction, a.decided, a.radii()) == (b.prediction, b.decided, b.radii())
        assert b.log_error - 1e-6 <= a.log_error <= b.log_error + 0.011
        worst = max(rival.log_error for rival in a.rivals)
        assert a.log_error == worst if vote == "pairwise" else a.log_error >= worst


@pytest.mark.parametrize("vote", VOTES)
def test_every_number_written_is_proven_by_the_reference(vote):
    """At 60 digits, from the raw design: each rival's ln B(t), and what they come to."""
    data = random_data(8, 150, 4, 4, 12)
    run = certify_classes(data, q="0.1", vote=vote, guarantee="all")
    _, _, _, model = fit_classes(
        data, q="0.1", vote=vote, ridge="auto", scale="standard", intercept=True
    )
    labels, q, noise = data.y_train.tolist(), Fraction(1, 10), LabelFlip(Fraction(1, 10), 4)
    with mpmath.workdps(60):
        for c in run.certificates:
            alpha = [mpmath.mpf(a.numerator) / a.denominator for a in model.exact_alpha(c.index)]
            logs = []
            for rival in c.rivals:
                exact = log_pair_chernoff(
                    mpmath.mpf(rival.t), alpha, labels, c.prediction, rival.rival, q, 4
                )
                assert exact <= rival.log_error or rival.log_error == 0
                assert rival.log_error - exact < 0.02 or rival.log_error == 0
                logs.append(mpmath.mpf(rival.log_error))
            total = max(logs)
            if vote == "plurality":
                total = mpmath.log(mpmath.fsum(map(mpmath.exp, logs)))
            assert total <= c.log_error or c.log_error == 0
            proven = Fraction(c.log_error)
            assert c.decided == is_majority(proven)
            if c.decided:
                assert c.kl_radius == kl_radius(noise, log_error=proven, cap=150)
                assert c.tight_radius == tight_radius(noise, log_error=proven, cap=150)


def test_a_plurality_radius_holds_for_pairwise_and_vacuous_points_are_counted():
    data = random_data(5, 200, 3, 6, 80, spread=0.7)
    plurality, pairwise_run = (certify_classes(data, q="0.2", vote=vote) for vote in VOTES)
    for a, b in zip(plurality.certificates, pairwise_run.certificates, strict=True):
        assert a.kl_radius <= b.kl_radius
        assert a.decided <= b.decided
    for run in (plurality, pairwise_run):
        counts = run.vacuous()
        assert counts["plurality"] > counts["pairwise"] > 0
        undecided = sum(not c.decided for c in run.certificates)
        assert counts[run.vote] == undecided
    assert plurality.accuracy()["constant"] == [
        int(sum(data.y_test == c)) * 10**6 // 80 / 10**6 for c in range(6)
    ]


def test_classes_without_training_points_and_far_more_classes_than_points():
    data = random_data(3, 30, 3, 3, 10)
    arrays = (data.x_train, data.y_train, data.x_test, data.y_test)
    small = certify_multiclass(*arrays, q="0.01").certificates
    for classes in (4, 60, 1000):
        run = certify_multiclass(*arrays, q="0.01", classes=classes, guarantee="all")
        assert [f.kind.code for f in run.findings()] == ["CA206"]
        for a, b in zip(run.certificates, small, strict=True):
            assert a.prediction == b.prediction
            assert [rival.rival for rival in a.rivals] == [
                c for c in range(classes) if c != a.prediction
            ]
        slow = certify_multiclass(*arrays, q="0.01", classes=classes, engine="rigorous", limit=2)
        for a, b in zip(run.certificates, slow.certificates, strict=False):
            assert a.kl_radius == b.kl_radius


@pytest.mark.parametrize("engine", ENGINES)
def test_one_class_ties_and_rows_of_zeros(engine):
    options = {"q": "0.1", "classes": 3, "engine": engine}
    run = certify_multiclass(np.eye(4), [1] * 4, np.eye(4), [1] * 4, **options)
    assert next(f.kind.code for f in run.findings()) == "CA203"
    assert {c.prediction for c in run.certificates} == {1}
    run = certify_multiclass(
        np.eye(4), [0, 1, 1, 0], [[1, 1, 0, 0], [0, 0, 0, 0]], [0, 0], **PLAIN, **options
    )
    tie, nothing = run.certificates
    assert (tie.prediction, tie.decided, tie.kl_radius) == (1, False, 0)
    assert {rival.rival: rival.log_error for rival in tie.rivals}[0] == 0
    assert (nothing.prediction, nothing.decided) == (2, False)
    assert nothing.log_error == 0


def test_hopeless_conditioning_goes_to_balls_and_is_decided():
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 3))
    rows = np.hstack([rows, rows[:, :1] + 1e-13 * random.normal(size=(60, 1))])
    labels = (rows[:, 1] > 0).astype(int) + (rows[:, 2] > 0)
    arrays = (rows, labels, rows[:6], labels[:6])
    fast, slow = (
        certify_multiclass(*arrays, q="0.01", ridge="0", engine=engine) for engine in ENGINES
    )
    assert sum(fast.escalated.values()) == 6
    assert [c.radii() for c in fast.certificates] == [c.radii() for c in slow.certificates]
    assert any(c.decided for c in fast.certificates)


def test_results_do_not_depend_on_company_or_threads():
    data = random_data(2, 300, 4, 5, 130)
    whole = certify_classes(data, q="0.1", guarantee="all").certificates
    for limit in (1, 17, 64, 65):
        assert (
            certify_classes(data, q="0.1", guarantee="all", limit=limit).certificates
            == whole[:limit]
        )
    assert certify_classes(data, q="0.1", guarantee="all", jobs=2).certificates == whole


@pytest.mark.parametrize("vote", ["majority", "", "Plurality"])
def test_other_votes_are_refused(vote):
    with pytest.raises(InputError, match="vote: "):
        certify_classes(random_data(0, 10, 2, 3, 2), q="0.1", vote=vote)


def test_the_design_is_scaled_and_maps_are_watched(tmp_path):
    data = random_data(4, 50, 2, 3, 8)
    np.save(tmp_path / "x.npy", data.x_train)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r+")

    def spoil(_done, _total):
        mapped[3, 1] = 7.0

    arrays = (data.y_train, data.x_test, data.y_test)
    with pytest.raises(InputError, match="X_train has changed"):
        certify_multiclass(mapped, *arrays, q="0.1", progress=spoil)


def test_a_search_below_any_bound_goes_on_until_nothing_is_near(monkeypatch):
    """Whatever FAR is, rivals that matter have a t of their own: the total is the same."""
    data = random_data(9, 400, 6, 8, 30, spread=1.5)
    found = {}
    for far in (0.0, 32.0, 1e9):
        monkeypatch.setattr(fast_votes, "FAR", far)
        run = certify_classes(data, q="0.1", vote="pairwise")
        found[far] = [c.log_error for c in run.certificates]
    assert found[0.0] == pytest.approx(found[1e9], abs=1e-3)
    assert found[32.0] == pytest.approx(found[1e9], abs=1e-3)


class TwoLabels(Radii):
    """The divergence of two labels, whatever the number of classes."""

    def __init__(self, noise, guarantee, cap):
        super().__init__(LabelFlip(noise.q), guarantee, cap)


def largest(values):
    return values.max(axis=1), values.max(axis=1)


def unchecked(found):
    """Keep what should be handed on."""

    def decide(self, point, place, bounds):
        point = found(self, point, place, bounds)
        return replace(point, reason=None, radii={"kl": 1, "tight": 1})

    return decide


def lower_written(found):
    """Write the lower bounds of ln B(t)."""

    def decide(self, point, place, bounds):
        bounds.upper[place] = bounds.lower[place]
        return found(self, point, place, bounds)

    return decide


WRONG = {  # what is replaced, and by what
    "the sum is forgotten": ("log_sum", lambda _: largest),
    "two labels' radii": ("Radii", lambda _: TwoLabels),
    "_decide: kept": (None, unchecked),
    "_decide: lower end written": (None, lower_written),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_variants_are_caught(name, monkeypatch):
    what, change = WRONG[name]
    if what is None:
        monkeypatch.setattr(fast_votes._Screen, "_decide", change(fast_votes._Screen._decide))
    else:
        monkeypatch.setattr(fast_votes, what, change(getattr(fast_votes, what)))
    cases = [*random_cases(7, 150), *deep_cases(1, 1)]
    found = [(case, certify_case(case, vote="plurality")) for case in cases if case.q < HALF]
    assert any(untruths(case, "plurality", certificate) for case, certificate in found)
