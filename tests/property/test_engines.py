"""Both engines say the same, and what the fast one says is true."""

import math
from collections import Counter
from contextlib import suppress
from fractions import Fraction
from random import Random

import mpmath
import numpy as np
import pytest
from support import HALF, distance, index_of, random_rational_rows, vote_table
from threadpoolctl import threadpool_info

from certaudit.certify import fast, label_flip, workers
from certaudit.certify.blocks import AlphaBlock
from certaudit.certify.data import LabelledData
from certaudit.certify.fast import screen
from certaudit.certify.label_flip import certify_data, certify_label_flip, fit
from certaudit.certify.run import REASONS
from certaudit.errors import InputError
from certaudit.fast.radius import Radii
from certaudit.noise import LabelFlip
from certaudit.rigorous.balls import from_ball, to_ball, working_precision
from certaudit.rigorous.radius import is_majority, kl_radius, tight_radius
from certaudit.rigorous.tail import log_chernoff

PLAIN = {"scale": "none", "intercept": False}
NOISE = ["0.499", "0.4", "0.25", "0.1", "0.01", "1e-8", "1e-50", "1e-300"]
SAME = ("prediction", "label", "decided", "constant", "kl_radius", "tight_radius")
SAME += ("unsmoothed", "mean_prediction")


def checked(rows, labels, tests, targets=None):
    return LabelledData.check(rows, labels, tests, [0] * len(tests) if targets is None else targets)


def fitted(data, options):
    """Return what fit does, with the defaults of certify_data."""
    return fit(data, **{"ridge": "auto", "scale": "standard", "intercept": True, **options})


def bound_in_balls(model, data, certificate, q):
    """Return an enclosure of ln B at the t of a certificate, from rational alphas."""
    with working_precision(256):
        alpha = [to_ball(a) for a in model.exact_alpha(certificate.index)]
        zeros = [a for a, y in zip(alpha, data.y_train, strict=True) if y == 0]
        ones = [a for a, y in zip(alpha, data.y_train, strict=True) if y == 1]
        return from_ball(log_chernoff(certificate.t, zeros, ones, q))


def untruths(data, options, run):
    """Return what a run says that is not so: bounds, signs of t, radii that x does not prove."""
    rate, _, _, model = fitted(data, options)
    noise, n, wrong = LabelFlip(rate), len(data.y_train), []
    for c in run.certificates:
        zeros, score = model.exact_scores(c.index)
        total = zeros + score
        mean = (1 - 2 * rate) * score + rate * total
        if (c.mean_prediction, c.unsmoothed) != (int(mean >= HALF), int(score >= HALF)):
            wrong.append(f"{c}: the mean or the score is on the other side")
        reach = sum((max(a, Fraction(0)) for a in model.exact_alpha(c.index)), Fraction(0))
        if c.constant != (reach < HALF):
            wrong.append(f"{c}: constant, or not")
        if c.constant:
            if (c.kl_radius, c.tight_radius, c.decided, c.prediction) != (n, n, True, 0):
                wrong.append(f"{c}: constant votes hold for every labelling")
            continue
        if c.t * (1 if c.prediction else -1) < 0:
            wrong.append(f"{c}: t points the other way")
        x = Fraction(c.log_error)
        # ln(1 - p) <= 0 is true of any p, whatever ln B(t) is.
        if x > 0 or (x < 0 and x < bound_in_balls(model, data, c, rate).lower):
            wrong.append(f"{c}: log_error is below ln B(t)")
        radii = (kl_radius(noise, log_error=x, cap=n), tight_radius(noise, log_error=x, cap=n))
        if c.decided != is_majority(x) or (c.kl_radius, c.tight_radius) != radii:
            wrong.append(f"{c}: its log_error proves {radii}")
    return wrong


def differences(quick, slow):
    """Return where two runs, fast and rigorous, say different things."""
    wrong = []
    for one, other in zip(quick.certificates, slow.certificates, strict=True):
        wrong += [
            f"{name}: {one} {other}" for name in SAME if getattr(one, name) != getattr(other, name)
        ]
        if None in (one.log_error, other.log_error):
            continue  # `constant` is compared above
        if not abs(one.log_error - other.log_error) <= fast.LOOSE + 1e-6:
            wrong.append(f"log_error: {one} {other}")
    return wrong


def compared(data, **options):
    """Return the fast run, after comparing it with the rigorous one and with exact numbers."""
    quick = certify_data(data, guarantee="tight", engine="fast", **options)
    slow = certify_data(data, guarantee="tight", engine="rigorous", **options)
    assert differences(quick, slow) == []
    assert untruths(data, options, quick) == []
    assert tuple(quick.escalated) == REASONS
    assert (quick.engine, slow.engine, slow.escalated) == ("fast", "rigorous", {})
    return quick


def reasons(data, **options):
    """Return why each test point is not decided by floats, None where it is."""
    rate, _, _, model = fitted(data, options)
    found = screen(model, data.y_train, rate, range(len(data.x_test)), ("kl", "tight"))
    return [point.reason for point in found]


def random_case(seed):
    """Return checked data and options: ties, duplicates and one-class sets are likely."""
    random, numbers = Random(seed), np.random.default_rng(seed)
    n, k, m = random.choice([1, 2, 5, 12, 40]), random.randint(1, 4), 4
    rows = (
        random_rational_rows(random, n + m, k)
        if seed % 3
        else numbers.normal(size=(n + m, k)) * 10.0 ** numbers.integers(-4, 5, size=k)
    )
    labels = random.choice(
        [
            numbers.integers(0, 2, n),
            np.zeros(n, int),
            np.ones(n, int),
            (rows[:n, 0] > 0).astype(int),
        ]
    )
    options = {
        "q": random.choice(NOISE),
        "ridge": random.choice(["auto", "1/10", "1", "1e-6", "20"]),
        "scale": random.choice(["none", "standard"]),
        "intercept": random.random() < 0.6,
    }
    return checked(rows[:n], labels, rows[n:]), options


def usable(seeds):
    """Yield (seed, data, options) of the cases that can be fitted."""
    for seed in seeds:
        data, options = random_case(seed)
        try:
            fit(data, **options)
        except InputError:
            continue
        yield seed, data, options


@pytest.mark.parametrize("start", range(0, 240, 40))
def test_engines_agree_on_random_data(start):
    seen = Counter()
    for _, data, options in usable(range(start, start + 40)):
        run = compared(data, **options)
        seen["points"] += len(run.certificates)
        seen["by floats"] += len(run.certificates) - sum(run.escalated.values())
        seen["constant"] += sum(c.constant for c in run.certificates)
        seen["decided"] += sum(c.decided and not c.constant for c in run.certificates)
        seen["certified"] += sum(c.kl_radius > 0 for c in run.certificates if not c.constant)
    assert seen["points"] > 100
    assert seen["by floats"] > 0.8 * seen["points"]
    assert min(seen["constant"], seen["decided"], seen["certified"]) > 10


@pytest.mark.parametrize("start", range(0, 120, 40))
def test_engines_agree_on_ill_conditioned_data(start):
    """Nearly equal columns: errors of alpha from negligible to useless."""
    seen = Counter()
    for seed in range(start, start + 40):
        random = np.random.default_rng(seed)
        n, k = int(random.integers(2, 30)), int(random.integers(2, 5))
        rows = random.normal(size=(n + 4, k))
        rows[:, -1] = rows[:, 0] + rows[:, -1] * 10.0 ** -random.integers(1, 15)
        rows *= 10.0 ** random.integers(-8, 8)
        data = checked(rows[:n], random.integers(0, 2, n), rows[n:])
        options = {"ridge": str(random.choice(["1e-30", "1e-12", "1", "0"])), "scale": "none"}
        with suppress(InputError):
            run = compared(data, q=str(random.choice(NOISE)), intercept=bool(seed % 2), **options)
            seen.update({"points": 4, **run.escalated})
    assert seen["points"] > 100
    assert seen["failed"] > 10
    assert seen["undecided"] + seen["loose"] > 5
    assert seen["points"] > 1.5 * sum(seen[reason] for reason in REASONS)


@pytest.mark.parametrize("q", NOISE)
@pytest.mark.parametrize("intercept", [False, True])
def test_engines_agree_on_larger_data(q, intercept):
    """Radii from 0 to some dozens."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 300)
    rows = random.normal(size=(320, 3)) + 0.6 * np.append(labels, [0, 1] * 10)[:, None]
    data = checked(rows[:300], labels, rows[300:], [0, 1] * 10)
    run = compared(data, q=q, intercept=intercept)
    if q == "0.1" and intercept:
        assert len({c.tight_radius for c in run.certificates}) > 3
    if q != "1e-300":
        assert sum(run.escalated.values()) < 3


AWKWARD = {
    "one column of ones": (np.ones((9, 1)), [1] * 9, [[1.0], [0.2], [-3.0]], PLAIN),
    "one class": (np.arange(8.0)[:, None], [0] * 8, [[1.0], [50.0]], {"scale": "none"}),
    "one point": ([[2.0]], [1], [[2.0], [1.0], [0.5], [-1.0]], PLAIN),
    "duplicates": (np.repeat(np.eye(3), 4, 0), [0, 1, 1, 1] * 3, np.eye(3) - 0.25, {}),
    "few rows": (np.vander([1.0, 2.0], 5), [0, 1], np.vander([1.5, 9.0], 5), {"ridge": "1/7"}),
    "units": (
        np.array([[1e9, 1e-9], [2e9, 1e-9], [1e9, -3e-9], [0, 2e-9]]),
        [0, 1, 1, 0],
        [[1e9, 1e-9], [-5e9, 1e-10]],
        {"scale": "none", "ridge": "1e-30"},
    ),
    "near duplicates": (
        np.array([[1.0, 1.0], [2.0, 2.0 + 2**-20], [3.0, 3.0], [4.0, 4.0 - 2**-20]]),
        [0, 1, 1, 0],
        [[1.0, 1.0], [1.0, 2.0]],
        {**PLAIN, "ridge": "0"},
    ),
    "hopeless": (
        np.array([[1.0, 1.0], [1.0, 1.0 + 2**-52], [3.0, 3.0], [4.0, 4.0 - 2**-50]]),
        [0, 1, 1, 0],
        [[1.0, 0.0], [0.3, 0.7]],
        {**PLAIN, "ridge": "0"},
    ),
    "huge": (
        np.array([[1e200, 1.0], [-1e200, 2.0], [3e199, 0.5]]),
        [1, 0, 0],
        [[1e200, 3.0]],
        PLAIN,
    ),
    "subnormal": ([[5e-324, 1.0], [1e-310, 2.0], [0.0, -1.0]], [0, 1, 1], [[1e-320, 1.0]], PLAIN),
    "minus zero": ([[-0.0, 1.0], [0.0, -1.0]], [0, 1], [[-0.0, -0.0], [-0.0, 1.0]], PLAIN),
    "ties": (
        np.eye(2),
        [1, 0],
        [[0.5, 0.5], [0.5, 0.5 - 2**-50], [0.25, 0.25], [0.75, -0.25]],
        {**PLAIN, "ridge": "0"},
    ),
    "tiny alphas": (
        np.eye(2),
        [0, 0],
        [[1e-17, 0.55], [-1e-300, 0.55]],
        {**PLAIN, "ridge": "1/10"},
    ),
}


@pytest.mark.parametrize("q", ["0.499", "0.25", "0.01", "1e-300"])
@pytest.mark.parametrize("name", AWKWARD)
def test_engines_agree_on_awkward_data(name, q):
    rows, labels, tests, options = AWKWARD[name]
    compared(checked(rows, labels, tests), q=q, **{"ridge": "1", **options})


def flips_against(c, table, labels):
    """Return whether the exact votes of all label vectors contradict a certificate."""
    here, reach = index_of(labels), max(c.kl_radius, c.tight_radius) if c.decided else -1
    share = table[here] if c.prediction else 1 - table[here]
    return Fraction(c.p_lower) > share or any(
        distance(here, other) <= reach and int(there >= HALF) != c.prediction
        for other, there in enumerate(table)
    )


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_no_flip_contradicts_the_fast_engine(start):
    seen = certified = 0
    for seed, data, options in usable(range(1000 + start, 1100 + start)):
        if len(data.y_train) > 5:
            continue
        run = certify_data(data, guarantee="tight", **options)
        rate, _, _, model = fitted(data, options)
        for c in run.certificates:
            table = vote_table(model.exact_alpha(c.index), rate)
            assert not flips_against(c, table, data.y_train.tolist()), f"seed {seed}: {c}"
            seen, certified = seen + 1, certified + (c.kl_radius > 0)
    assert seen > 100
    assert certified > 20


# Why a point is handed on.


def test_a_tie_of_the_mean_is_handed_on():
    data = checked(np.eye(2), [1, 0], [[0.5, 0.5], [0.75, 0.5], [0.5, 0.25]])
    options = {**PLAIN, "ridge": "0", "q": "1/4"}
    assert reasons(data, **options) == ["failed", None, "failed"]  # the third: score 1/2
    assert compared(data, **options).escalated == {"undecided": 0, "loose": 0, "failed": 2}


def test_hopeless_conditioning_is_handed_on():
    rows, labels, tests, options = AWKWARD["hopeless"]
    data = checked(rows, labels, tests)
    assert reasons(data, q="1/4", **options) == ["failed", "failed"]
    assert compared(data, q="1/4", **options).escalated["failed"] == 2


def test_a_monster_among_the_alphas_is_handed_on():
    """One alpha far above the others: these share few bins, and their places in them matter."""
    n = 500
    column = np.append(np.linspace(0.5, 1.5, n), 0.0)
    rows = np.stack([column, np.eye(n + 1)[n]], axis=1)
    # alpha: the second entry of the test row for the last point, the others in proportion.
    tests = [[column @ column / column.sum(), monster] for monster in (2.5, 0.5, 500.0)]
    data = checked(rows, [1] * (n + 1), tests)
    options = {**PLAIN, "ridge": "0", "q": "0.3"}
    assert reasons(data, **options) == ["loose", None, "failed"]
    quick = certify_data(data, guarantee="tight", **options)
    assert quick.escalated == {"undecided": 0, "loose": 1, "failed": 1}
    slow = certify_data(data, guarantee="tight", engine="rigorous", **options)
    assert quick.certificates[0] == slow.certificates[0]
    assert differences(quick, slow) == []


def noise_at_level(n, radius, kl):
    """Return q for which n equal alphas, every label 1, prove exactly the level of a radius."""

    def excess(q):
        # Minimal at t = n ln((1-q)/q): n/2 ln(4 q (1-q)).
        bound = n * mpmath.log(4 * q * (1 - q)) / 2
        if kl:
            y = mpmath.exp(-2 * radius * (1 - 2 * q) * mpmath.log((1 - q) / q))
            return bound - mpmath.log(y / (2 * (1 + mpmath.sqrt(1 - y))))
        # One flip: 1 - F^-1(1) = q / (2 (1-q)).
        return bound - mpmath.log(q / (2 * (1 - q)))

    with mpmath.workdps(40):
        low, high = mpmath.mpf("0.01"), mpmath.mpf("0.49")
        assert excess(low) < 0 < excess(high)
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle) < 0 else (low, middle)
        return Fraction(float(low))


@pytest.mark.parametrize("kl", [True, False])
def test_a_bound_at_a_level_is_handed_on(kl):
    n = 7 if kl else 5
    q = noise_at_level(n, 1, kl)
    data = checked(np.ones((n, 1)), [1] * n, [[1.0]])
    options = {**PLAIN, "ridge": "0"}
    assert reasons(data, q=q, **options) == ["undecided"]
    assert certify_data(data, guarantee="tight", q=q, **options).escalated["undecided"] == 1
    for nudge in (Fraction(1, 10**5), -Fraction(1, 10**5)):
        assert reasons(data, q=q + nudge, **options) == [None]
        assert compared(data, q=q + nudge, **options).escalated["undecided"] == 0


def test_coarse_bins_leave_more_open_and_change_nothing(monkeypatch):
    """Wide brackets: another level is inside, or they are wider than is kept."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 60)
    rows = random.normal(size=(150, 3)) + 0.7 * np.append(labels, [0, 1] * 45)[:, None]
    data = checked(rows[:60], labels, rows[60:])
    fine = certify_data(data, guarantee="tight", q="0.3")
    assert fine.escalated["undecided"] == 0
    monkeypatch.setattr(fast, "_BINS", (64,))
    monkeypatch.setattr(fast, "LOOSE", 0.5)
    coarse = certify_data(data, guarantee="tight", q="0.3")
    assert coarse.escalated["undecided"] > 2
    assert sum(coarse.escalated.values()) < 80
    for one, other in zip(fine.certificates, coarse.certificates, strict=True):
        assert all(getattr(one, name) == getattr(other, name) for name in SAME)
    monkeypatch.setattr(fast, "LOOSE", 1e-9)
    tight = certify_data(data, guarantee="tight", q="0.3")
    assert tight.escalated["loose"] > 20


def test_wide_points_get_more_bins(monkeypatch):
    """What 64 bins leave loose is decided with 4096."""
    random = np.random.default_rng(3)
    data = checked(random.normal(size=(200, 4)), [0, 1] * 100, random.normal(size=(9, 4)))
    monkeypatch.setattr(fast, "_BINS", (64,))
    assert set(reasons(data, q="1e-8")) != {None}
    monkeypatch.setattr(fast, "_BINS", (64, 4096))
    assert set(reasons(data, q="1e-8")) == {None}


def test_a_search_that_did_not_arrive_is_handed_on(monkeypatch):
    data = checked(np.eye(3), [1, 1, 0], [[0.4, 0.3, 0.3]])
    options = {**PLAIN, "ridge": "0", "q": "0.1"}
    assert reasons(data, **options) == [None]
    monkeypatch.setattr(fast, "NEAR", -1.0)
    assert reasons(data, **options) == ["undecided"]


def mixed():
    """Return data of which floats decide some points and leave others open."""
    random = np.random.default_rng(8)
    rows = np.vstack([np.eye(6), random.normal(size=(20, 6))])
    tests = np.vstack([random.normal(size=(150, 6)), np.zeros((3, 6))])
    return checked(rows, random.integers(0, 2, 26), tests)


def test_threads_and_processes_change_nothing(monkeypatch):
    monkeypatch.setattr(fast, "LOOSE", 1e-8)  # some are kept, some are not
    data, options = mixed(), {**PLAIN, "q": "0.2", "guarantee": "tight"}
    one = certify_data(data, jobs=1, **options)
    assert 0 < sum(one.escalated.values()) < 153
    two = certify_data(data, jobs=2, **options)
    assert two.certificates == one.certificates
    assert two.escalated == one.escalated
    monkeypatch.setattr(label_flip, "_PARALLEL", 1)
    spawned = certify_data(data, jobs=2, **options)
    assert spawned.certificates == one.certificates


def test_progress_counts_every_point_once():
    data, calls = mixed(), []
    run = certify_data(data, q="0.2", limit=100, jobs=2, progress=lambda *done: calls.append(done))
    assert calls == [(done, 100) for done in range(1, 101)]
    assert [c.index for c in run.certificates] == list(range(100))


def test_an_unknown_engine_is_refused():
    with pytest.raises(InputError, match="engine"):
        certify_data(mixed(), q="0.2", engine="quick")


def test_what_is_written_is_above_the_bound_however_it_is_read():
    data = mixed()
    options = {**PLAIN, "q": "0.2", "ridge": "1"}
    rate, _, _, model = fitted(data, options)
    run, seen = certify_data(data, **options), 0
    for point in screen(model, data.y_train, rate, range(150), ("kl",)):
        if point.reason is None and not point.constant:
            c, seen = run.certificates[point.index], seen + 1
            assert (c.t, c.kl_radius) == (point.t, point.radii.get("kl", 0))
            assert c.log_error == point.log_error
            upper = min(Fraction(point.upper), Fraction(0))
            assert upper <= Fraction(c.log_error) <= upper + Fraction(1, 2**40)
            assert Fraction(repr(c.log_error)) >= upper
    assert seen > 50


@pytest.mark.parametrize("q", ["0.1", "0.4999999", "0.49999999", "0.4" + "9" * 15])
def test_the_radius_is_that_of_the_number_written(q):
    """Bounds at a level, a float below it, and so on, whatever is added for the search."""
    noise = LabelFlip(Fraction(q))
    table = Radii(noise, "kl", 50)
    near, seen = min(fast.NEAR, table.step / 4096), 0
    sign = np.ones(1, dtype=np.int8)
    above = np.ones((1, 2))
    block = AlphaBlock([0], np.zeros((1, 1)), np.zeros(1), above, 0 * above, sign)
    for r in range(50):
        x = table.level(r)[1]
        for _ in range(8):
            end = np.full(1, x)
            found = fast._Found([1.0], end.tolist(), end.tolist(), [0.0])
            point = fast._decide(0, 0, block, found, {"kl": table}, near)
            if point.reason is None:
                seen += 1
                written = Fraction(point.log_error)
                assert written > Fraction(x)
                if is_majority(written):
                    assert point.radii == {"kl": kl_radius(noise, log_error=written, cap=50)}
                else:
                    assert point.radii == {}
            x = math.nextafter(x, -math.inf)
    assert seen > 50 or q == "0.1"


# Wrong variants: each has to be seen by the comparisons above.


class UpperAlone(Radii):
    """The largest radius that the upper end proves, whatever the lower one says."""

    def decide(self, _lower, upper):
        return super().decide(upper, upper)


class LowerAlone(Radii):
    """The radius of the lower end."""

    def decide(self, lower, _upper):
        return super().decide(lower, lower)


def kept(found):
    """Keep what should be handed on."""

    def decide(*arguments):
        return fast.Screened(**{**fields(found(*arguments)), "reason": None})

    return decide


def fields(screened):
    return {name: getattr(screened, name) for name in fast.Screened.__slots__}


def upward(name):
    """Take an open sign for 1, and what the search says of alphas that contradict it for fine."""

    def change(found):
        def decide(row, place, block, bounds, *rest):
            signs = getattr(block, name)
            if signs[row] == 0:
                signs[row], bounds.gap[place] = 1, 0.0
            return found(row, place, block, bounds, *rest)

        return decide

    return change


def lower_written(found):
    """Write the lower bound of ln B(t)."""

    def decide(*arguments):
        point = fields(found(*arguments))
        return fast.Screened(**{**point, "log_error": min(point["lower"], 0.0)})

    return decide


def other_way(found):
    """The bounds belong to t, what is written to -t."""

    def decide(*arguments):
        point = fields(found(*arguments))
        return fast.Screened(**{**point, "t": -point["t"]})

    return decide


VARIANTS = {
    "upper end alone": ("Radii", lambda _: UpperAlone),
    "lower end alone": ("Radii", lambda _: LowerAlone),
    "kept": ("_decide", kept),
    "an open mean taken for 1": ("_decide", upward("mean_sign")),
    "an open score taken for 1": ("_decide", upward("label_sign")),
    "an open reach taken for 1": ("_decide", upward("reach_sign")),
    "lower end written": ("_decide", lower_written),
    "t the other way": ("_decide", other_way),
}


def variant_cases():
    """Yield data at ties, at levels of radii, and plain."""
    tie, tiny = {**PLAIN, "ridge": "0", "q": "1/4"}, 2.0**-56
    yield checked(np.eye(2), [1, 0], [[0.625, 0.125 - tiny], [0.625, 0.125]]), tie  # the mean
    yield checked(np.eye(2), [1, 0], [[0.5 - tiny * 4, 0.125], [0.5 - tiny * 4, 0.5]]), tie
    yield checked(np.eye(3), [0] * 3, [[0.25, 0.25 - tiny * 2, -0.25]]), tie  # the reach
    for n, kl in ((7, True), (5, False)):
        q = noise_at_level(n, 1, kl)
        for nudge in (0, Fraction(1, 10**9), -Fraction(1, 10**9)):
            yield (
                checked(np.ones((n, 1)), [1] * n, [[1.0]]),
                {**PLAIN, "ridge": "0", "q": q + nudge},
            )
    for _, data, options in usable(range(12)):
        yield data, options


def seen_through(data, options):
    quick = certify_data(data, guarantee="tight", engine="fast", **options)
    slow = certify_data(data, guarantee="tight", engine="rigorous", **options)
    return bool(differences(quick, slow) or untruths(data, options, quick))


def test_the_right_engine_passes_where_wrong_ones_are_caught():
    assert not any(seen_through(*case) for case in variant_cases())


@pytest.mark.parametrize("name", VARIANTS)
def test_wrong_variants_are_caught(name, monkeypatch):
    attribute, change = VARIANTS[name]
    monkeypatch.setattr(fast, attribute, change(getattr(fast, attribute)))
    assert any(seen_through(*case) for case in variant_cases())


KINKS = [
    [-3.139829911325195, -0.41467239910074816],
    [3.104176098241467, 0.7100102649851271],
    [-0.03656335770936882, -0.08743566954920029],
    [-0.9909731961455738, 0.7582421974604467],
]


def test_the_minimum_of_the_bound_is_not_that_of_ln_b():
    """Few alphas, tiny q: ln B has kinks, and is lower elsewhere by more than the search misses."""
    tests = [
        [-7.766698985430789, 20.0862642015789],
        [-6.490325027756757, 17.396425657675653],
        [-5.958347222872764, 16.27533308033961],
    ]
    data = checked(KINKS, [0, 1, 0, 1], tests, [1, 1, 1])
    options = {"q": "1e-12", "ridge": "1", "guarantee": "tight"}
    quick, slow = (certify_data(data, engine=engine, **options) for engine in ("fast", "rigorous"))
    assert [c.tight_radius for c in slow.certificates] == [1, 1, 1]
    assert [c.tight_radius for c in quick.certificates] == [1, 1, 1]
    assert quick.escalated["undecided"] == 3


@pytest.mark.parametrize("q", ["0.1", "1e-8", "1e-300"])
def test_what_is_proven_does_not_depend_on_the_company(q):
    """The same numbers, to the last bit, whichever points are asked for."""
    random = np.random.default_rng(11)
    rows, labels = random.normal(size=(300, 4)), random.integers(0, 2, 300)
    data = checked(rows.tolist(), labels.tolist(), random.normal(size=(130, 4)).tolist())
    whole = certify_data(data, q=q).certificates
    for limit in (1, 2, 3, 16, 17, 63, 64, 65, 100):
        assert certify_data(data, q=q, limit=limit).certificates == whole[:limit]
    rate, _, _, model = fitted(data, {"q": q})
    everyone = list(screen(model, data.y_train, rate, range(130), ("kl",)))
    chosen = [5, 9, 63, 64, 100, 129]
    assert list(screen(model, data.y_train, rate, chosen, ("kl",))) == [everyone[i] for i in chosen]


def test_blas_gets_its_threads_back():
    """Two who hold it to one thread and leave in the order they came."""

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    first, second = workers.one_blas_thread(), workers.one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(threads()) <= {1}
    second.__exit__(None, None, None)
    assert threads() == before


def test_a_mapped_file_that_changes_meanwhile_is_noticed(tmp_path):
    random = np.random.default_rng(2)
    np.save(tmp_path / "x.npy", random.normal(size=(40, 2)))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r+")
    labels = [0, 1] * 20

    def spoil(_done, _total):
        mapped[3, 1] = 7.0

    with pytest.raises(InputError, match="X_test has changed"):
        certify_label_flip(
            random.normal(size=(40, 2)), labels, mapped, labels, q="0.1", progress=spoil
        )


def test_choices_of_the_wrong_type():
    data = checked([[0.0], [1.0]], [0, 1], [[1.0]])
    for options, text in (
        ({"jobs": 1.5}, "jobs: must be an integer"),
        ({"limit": 10.0}, "limit: must be an integer"),
        ({"guarantee": ["kl"]}, "guarantee"),
        ({"engine": "quick"}, "engine: 'quick' is none of fast, rigorous"),
    ):
        with pytest.raises(InputError, match=text):
            certify_data(data, q="0.1", **options)
