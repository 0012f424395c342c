"""Verdicts on printed radii: those of the definition, by mpmath over all counts; nothing above."""

from decimal import Decimal
from fractions import Fraction
from functools import cache
from random import Random

import mpmath
import pytest
from scipy.stats import beta

from certaudit.auditing.gaussian import GaussianJudge, Key, Scale, Setting
from certaudit.auditing.printed import Format
from certaudit.auditing.verdict import Cause, Reason, Verdict
from certaudit.findings import (
    BITS,
    COUNT_IMPOSSIBLE,
    INFINITE_RADIUS,
    NEGATIVE_RADIUS,
    P_SATURATED,
    RADIUS_ROUNDED_UP,
    UNDER_CLAIM,
)

CONFIRMED, REFUTED = Verdict.CONFIRMED, Verdict.REFUTED
UNSUPPORTED, INCONCLUSIVE = Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE
FULL = Format("float64", 17)
DPS = 60


@cache
def bound(count, samples, chance):
    """Return the Clopper-Pearson lower bound by mpmath: Newton's method on the tail itself."""
    with mpmath.workdps(DPS):
        if not count:
            return mpmath.mpf(0)
        a = mpmath.mpf(chance.numerator) / chance.denominator
        p = mpmath.mpf(float(beta.ppf(float(chance), count, samples - count + 1)))
        for _ in range(4):
            odds, term, total = p / (1 - p), mpmath.mpf(1), mpmath.mpf(1)
            for j in range(count, samples):
                term *= odds * (samples - j) / (j + 1)
                total += term
            mass = mpmath.binomial(samples, count) * p**count * (1 - p) ** (samples - count)
            p -= (mass * total - a) * p / (count * mass)
        return p


@cache
def quantile(count, samples, chance):
    with mpmath.workdps(DPS):
        p = bound(count, samples, chance)
        return mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1) if count else -mpmath.inf


def decimal(number):
    return Decimal(mpmath.nstr(number, 45, min_fixed=-mpmath.inf, max_fixed=mpmath.inf))


def printed(number, form):
    """Return the number that is printed for an mpf."""
    style = f".{form.digits}f" if form.kind == "decimals" else f".{form.digits - 1}e"
    return Fraction(Decimal(format(decimal(number), style)))


def text_of(value, form):
    places = form.digits if form.kind == "decimals" else 12
    text = f"{Decimal(value.numerator) / Decimal(value.denominator):.{places}f}"
    return text if form.kind == "decimals" else (text.rstrip("0").rstrip(".") or "0")


class Force:
    """All counts, their radii and bounds; verdicts by the definition."""

    def __init__(self, setting):
        self.setting, self.n = setting, setting.samples
        level = setting.failure_prob / setting.sides
        counts = range(self.n + 1)
        with mpmath.workdps(DPS):
            unit = mpmath.mpf(setting.scale.sigma.numerator) / setting.scale.sigma.denominator
            unit /= mpmath.sqrt(setting.scale.dimension)
            self.radii = [unit * quantile(k, self.n, level) for k in counts]
            self.lower = [bound(k, self.n, level) for k in counts]
            self.upper = [1 - self.lower[self.n - k] for k in counts]
        form = setting.formats
        self.shown = [printed(r, form["radius"]) if r >= 0 else None for r in self.radii]
        self.shown_lower = [printed(p, form["p_lower"]) for p in self.lower]
        self.shown_upper = [printed(p, form["p_upper"]) for p in self.upper]

    def at_least(self, k, value):
        with mpmath.workdps(DPS):
            return self.radii[k] * value.denominator >= value.numerator

    def radius(self, value, counts=None):
        """Return verdict, cause and the counts behind a printed radius."""
        among = range(self.n + 1) if counts is None else counts
        behind = [k for k in among if self.shown[k] == value]
        if not behind and counts is None:
            low, _ = self.setting.formats["radius"].interval("", value)
            every = not self.at_least(self.n, low)
            return (REFUTED if every else UNSUPPORTED), Cause.BEYOND_EVIDENCE, behind
        behind = behind or list(counts)
        proving = [k for k in behind if self.radii[k] >= 0 and self.at_least(k, value)]
        if len(proving) == len(behind):
            return CONFIRMED, Cause.NONE, behind
        return (INCONCLUSIVE if proving else UNSUPPORTED), Cause.PRINTED_ROUNDING, behind


def make(form, samples, sigma="0.5", chance="1/1000", dimension=1, sides=1, shares=None, **more):
    shares = shares or Format("decimals", 4)
    return Setting(
        {"radius": form, "p_lower": shares, "p_upper": shares},
        Scale(Fraction(sigma), dimension), samples, Fraction(chance), sides, **more,
    )  # fmt: skip


def decided_otherwise(judge, force, most=None):
    """Return the printable radii on which a judge and the definition differ."""
    form = force.setting.formats["radius"]
    wrong, value = [], Fraction(0)
    top = Fraction(decimal(force.radii[-1]))
    end = top + 3 * form.unit(top)
    step = max(1, int(end / form.unit(top)) // (most or 10**9))
    while value <= end:
        text = text_of(value, form)
        outcome = judge.outcome(Key(text))
        verdict, cause, behind = force.radius(value)
        same = outcome.verdict is verdict and outcome.cause is cause
        if behind and same:
            least = decimal(force.radii[behind[0]])
            proved = Fraction(outcome.proved)
            same = 0 <= least - Decimal(outcome.proved) < Decimal("1e-9") or proved == 0
            same = same and proved + Fraction(outcome.excess) >= (
                value if verdict is not CONFIRMED else 0)  # fmt: skip
        if not same:
            wrong.append((text, outcome, verdict, cause))
        unit = form.unit(value) or Fraction(1, 10**form.digits)
        value += unit * (step if value > 5 * unit else 1)
    return wrong


CASES = [
    (make(Format("decimals", 2), 20), None),
    (make(Format("decimals", 3), 20, chance="1/20"), None),
    (make(Format("decimals", 2), 100), None),
    (make(Format("decimals", 3), 50, sigma="1", chance="1/100"), 700),
    (make(Format("decimals", 2), 200, sigma="0.12"), None),
    (make(Format("significant", 2), 100, sigma="0.25"), None),
    (make(Format("significant", 3), 60, sigma="1"), 700),
    (make(Format("decimals", 4), 40, sigma="0.5", dimension=784), None),
    (make(Format("decimals", 4), 40, sigma="1/3", dimension=3072), None),
    (make(Format("decimals", 3), 70, sigma="1", dimension=2), 500),
    (make(Format("decimals", 1), 150, sigma="2"), None),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_verdicts_are_those_of_the_definition(case):
    setting, most = CASES[case]
    assert decided_otherwise(GaussianJudge(setting), Force(setting), most) == []


@pytest.mark.parametrize("wrong", [
    {"samples": 99}, {"samples": 101}, {"chance": "1/1001"}, {"sigma": "0.501"}, {"dimension": 2},
    {"form": Format("decimals", 2, "down")}, {"sides": 2},
])  # fmt: skip
def test_wrong_judges_are_caught(wrong):
    right = {"form": Format("decimals", 2), "samples": 100}
    judge = GaussianJudge(make(**(right | wrong)))
    assert decided_otherwise(judge, Force(make(**right)))


def test_the_first_match_is_the_strongest():
    setting = make(Format("decimals", 2), 1000)
    seen = {GaussianJudge(setting).outcome(Key(f"{n / 100:.2f}")).verdict for n in range(150)}
    assert seen == {CONFIRMED, REFUTED, UNSUPPORTED, INCONCLUSIVE}


def shares_by_force(force, lower, upper):
    """Return the verdict on printed bounds of a share, and the counts behind them."""
    counts = range(force.n + 1)
    behind = [k for k in counts
              if (lower is None or force.shown_lower[k] == lower)
              and (upper is None or force.shown_upper[k] == upper)]  # fmt: skip
    if not behind:
        return UNSUPPORTED, behind
    with mpmath.workdps(DPS):
        tests = []
        if lower is not None:
            tests.append([force.lower[k] * lower.denominator >= lower.numerator for k in behind])
        if upper is not None:
            tests.append([force.upper[k] * upper.denominator <= upper.numerator for k in behind])
    worst = [
        CONFIRMED if all(held) else INCONCLUSIVE if any(held) else UNSUPPORTED for held in tests
    ]
    order = [UNSUPPORTED, INCONCLUSIVE, CONFIRMED]
    return min(worst, key=order.index), behind


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("digits", [2, 4])
def test_printed_bounds_on_shares(sides, digits):
    form = Format("decimals", digits)
    setting = make(Format("decimals", 3), 80, sides=sides, shares=form)
    force, judge = Force(setting), GaussianJudge(setting)
    random = Random(sides)
    unit = Fraction(1, 10**digits)
    for k in range(81):
        lower = force.shown_lower[k] + unit * random.choice([0, 0, 0, 1, -1])
        upper = force.shown_upper[k] + unit * random.choice([0, 0, 0, 1, -1])
        lower, upper = min(max(lower, Fraction(0)), Fraction(1)), min(upper, Fraction(1))
        for low, high in ((lower, None), (None, upper), (lower, upper)):
            key = Key(
                p_lower="" if low is None else text_of(low, form),
                p_upper="" if high is None else text_of(high, form),
            )
            verdict, _ = shares_by_force(force, low, high)
            assert judge.outcome(key).verdict is verdict, key


def test_radii_beside_bounds():
    form = Format("decimals", 3)
    setting = make(form, 90, shares=Format("decimals", 3))
    force, judge = Force(setting), GaussianJudge(setting)
    order = [REFUTED, UNSUPPORTED, INCONCLUSIVE, CONFIRMED]
    for k in range(55, 91):
        for away in (-2, -1, 0, 1, 2, 30):
            value = force.shown[k]
            if value is None or value + away * form.unit(value) < 0:
                continue
            value += away * form.unit(value)
            lower = force.shown_lower[k]
            of_share, behind = shares_by_force(force, lower, None)
            alone, _, _ = force.radius(value)
            of_radius = REFUTED if alone is REFUTED else force.radius(value, behind)[0]
            outcome = judge.outcome(Key(text_of(value, form), text_of(lower, form)))
            assert outcome.verdict is min(of_share, of_radius, key=order.index)


def test_counts_given():
    form = Format("decimals", 4)
    setting = make(form, 100)
    force, judge = Force(setting), GaussianJudge(setting)
    for k in range(101):
        if force.radii[k] < 0:
            assert judge.outcome(Key("0.0", votes=str(k))).verdict is UNSUPPORTED
            continue
        down = form.down(Fraction(decimal(force.radii[k])))
        up = form.up(Fraction(decimal(force.radii[k])))
        right = judge.outcome(Key(down, votes=str(k), samples="100"))
        assert right.verdict is CONFIRMED
        assert Fraction(right.proved) <= Fraction(decimal(force.radii[k]))
        assert judge.outcome(Key(up, votes=str(k))).verdict in (UNSUPPORTED, REFUTED)
        assert judge.outcome(Key("0.0000", votes=str(k))).verdict is CONFIRMED
    under = judge.outcome(Key("0.1", votes="100"))
    assert under.findings == BITS[UNDER_CLAIM.code]
    for votes, samples in (("101", ""), ("-1", ""), ("5", "4"), ("0", "0"), ("1", "-7")):
        wrong = judge.outcome(Key("0.1", votes=votes, samples=samples))
        assert (wrong.verdict, wrong.reason) == (UNSUPPORTED, Reason.IMPOSSIBLE)
        assert wrong.findings == BITS[COUNT_IMPOSSIBLE.code]


def test_a_share_as_evidence_without_votes():
    forms = {"radius": Format("decimals", 4), "p_lower": FULL, "p_upper": FULL}
    judge = GaussianJudge(Setting(forms, Scale(Fraction(1, 2)), p_is_exact=True))
    with mpmath.workdps(DPS):
        for share in ("0.6", "0.75", "0.9", "0.99", "0.999999"):
            right = Fraction(decimal(mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(share) - 1) / 2))
            form = forms["radius"]
            outcome = judge.outcome(Key(form.down(right), share))
            assert outcome.verdict is CONFIRMED
            assert 0 <= right - Fraction(outcome.proved) < Fraction(1, 10**12)
            assert judge.outcome(Key(form.up(right), share)).verdict is UNSUPPORTED
    assert judge.outcome(Key("0.0", "0.5")).verdict is not REFUTED
    assert judge.outcome(Key("0.1", "0.5")).verdict is UNSUPPORTED
    one = judge.outcome(Key("9.0", "1.0"))
    assert one.verdict is not CONFIRMED
    assert one.findings & BITS[P_SATURATED.code]
    assert judge.outcome(Key("0.1")).verdict is INCONCLUSIVE


def test_printed_shares_as_evidence_stand_for_intervals():
    forms = dict.fromkeys(("radius", "p_lower", "p_upper"), Format("decimals", 3))
    judge = GaussianJudge(Setting(forms, Scale(Fraction(1))))
    # Phi^-1(0.8995) = 1.2787, Phi^-1(0.9005) = 1.2844
    assert judge.outcome(Key("1.278", "0.900")).verdict is CONFIRMED
    assert judge.outcome(Key("1.279", "0.900")).verdict is INCONCLUSIVE
    assert judge.outcome(Key("1.284", "0.900")).verdict is INCONCLUSIVE
    assert judge.outcome(Key("1.285", "0.900")).verdict is UNSUPPORTED


BAD = ["nan", "-inf", "-0.5", "-1e-9", "x", "1_0", "0x1p3", "1/3", "1e999999999", "1e10001",
       "\u0663", "9" * 2000, " ", "0.1.2"]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_what_cannot_be_read_is_malformed(text):
    judge = GaussianJudge(make(Format("decimals", 3), 100))
    assert judge.outcome(Key(text)).verdict is Verdict.MALFORMED
    assert judge.outcome(Key("0.5", text)).verdict is Verdict.MALFORMED
    assert judge.outcome(Key("0.5", "", text)).verdict is Verdict.MALFORMED
    assert judge.outcome(Key(p_lower="0.5", p_upper=text)).verdict is Verdict.MALFORMED
    assert judge.outcome(Key("0.1", votes=text)).verdict is not CONFIRMED
    assert judge.outcome(Key("0.1", votes="99", samples=text)).verdict is not CONFIRMED
    assert judge.mend(Key(text)) is None
    assert isinstance(judge.explains(Key(text)), bool)


def test_infinite_and_huge_radii_are_refuted():
    judge = GaussianJudge(make(Format("decimals", 3), 100))
    for text in ("inf", "Infinity", "1e10000", "99"):
        assert judge.outcome(Key(text)).verdict is REFUTED
    assert judge.outcome(Key("inf")).findings == BITS[INFINITE_RADIUS.code]
    assert judge.outcome(Key("-1")).findings == BITS[NEGATIVE_RADIUS.code]
    assert judge.outcome(Key("1e-10000")).verdict is not REFUTED
    assert judge.outcome(Key(p_lower="1.5")).verdict is Verdict.MALFORMED


# Mutations ----------------------------------------------------------------------------------------


def not_confirmed(setting, key):
    return GaussianJudge(setting).outcome(key).verdict is not CONFIRMED


KINDS = ("radius", "radius, count", "p_lower, count", "p_upper, count", "radius, p_lower")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_beyond_its_evidence_stays_confirmed(kind):  # noqa: C901
    form = Format("decimals", 5)
    setting = make(form, 100, shares=FULL)
    force, judge = Force(setting), GaussianJudge(setting)
    kept = 0
    for k in range(70, 101):
        radius = Fraction(decimal(force.radii[k]))
        lower, upper = (Fraction(decimal(side[k])) for side in (force.lower, force.upper))
        down = form.down(radius)
        mutants = []
        if kind == "radius":
            key = Key(down)
            more = str(Decimal(down) + Decimal("0.00001"))
            mutants = [(setting, Key(more))]
        elif kind == "radius, count":
            key = Key(down, votes=str(k), samples="100")
            more = form.up(radius)
            mutants = [(setting, key._replace(radius=more))]
        elif kind == "p_lower, count":
            key = Key(p_lower=FULL.down(lower), votes=str(k), samples="100")
            mutants = [(setting, key._replace(p_lower=FULL.up(lower)))]
        elif kind == "p_upper, count":
            key = Key(p_upper=FULL.up(upper), votes=str(k), samples="100")
            if k < 100:
                mutants = [(setting, key._replace(p_upper=FULL.down(upper)))]
        else:
            key = Key(down, FULL.down(lower))
            mutants = [(setting, key._replace(radius=form.up(radius))),
                       (setting, key._replace(p_lower=FULL.up(lower)))]  # fmt: skip
        tight = Setting(setting.formats, setting.scale, 100, Fraction(1, 2000))
        if "count" in kind and "upper" not in kind:
            mutants += [(setting, key._replace(votes=str(k - 1))),
                        (setting, key._replace(samples="101")), (tight, key)]  # fmt: skip
        elif "upper" in kind and k < 100:
            mutants += [(setting, key._replace(votes=str(k + 1))), (tight, key)]
        if not_confirmed(setting, key):
            assert kind == "radius"  # its lower end is not in its own interval
            continue
        kept += 1
        assert judge.outcome(key).reason is Reason.PROVED
        for place, (other, mutant) in enumerate(mutants):
            assert not_confirmed(other, mutant), (place, key, mutant)
    assert kept >= 10


# Mending ------------------------------------------------------------------------------------------


def sided(setting):
    up = {name: Format(form.kind, form.digits, "up" if name == "p_upper" else "down")
          for name, form in setting.formats.items()}  # fmt: skip
    return GaussianJudge(Setting(up, setting.scale, setting.samples, setting.failure_prob))


@pytest.mark.parametrize("shares", [Format("decimals", 4), Format("significant", 3), FULL], ids=str)
def test_what_is_mended_is_confirmed(shares):
    form = Format("decimals", 3)
    setting = make(form, 100, shares=shares)
    force, judge, again = Force(setting), GaussianJudge(setting), sided(setting)
    seen = 0
    for k in range(101):
        lower, upper = (Fraction(decimal(side[k])) for side in (force.lower, force.upper))
        radius = Fraction(decimal(force.radii[k])) if k else Fraction(-1)
        up = form.up(radius) if radius >= 0 else "0.3"
        keys = [
            Key(up, votes=str(k), samples="100"), Key(up),
            Key(p_lower=shares.up(lower), votes=str(k)), Key(p_upper=shares.down(upper), votes=str(k)),  # noqa: E501
            Key(up, shares.down(lower), shares.up(upper), str(k), "100"),
        ]  # fmt: skip
        for key in keys:
            found = judge.mend(key)
            if not found:
                continue
            mended = Key(*({"radius": key.radius, "p_lower": key.p_lower, "p_upper": key.p_upper,
                            "votes": key.votes, "samples": key.samples} | found).values())  # fmt: skip  # noqa: E501
            if found.get("radius") == "":
                assert radius <= 0 or not key.votes
                continue
            seen += 1
            assert again.outcome(mended).verdict is CONFIRMED, (key, mended)
    assert seen > 100


def test_causes_and_findings_of_rounding():
    setting = make(Format("decimals", 2), 100)
    judge = GaussianJudge(setting)
    up = next(o for o in (judge.outcome(Key(f"{n / 100:.2f}")) for n in range(80))
              if o.cause is Cause.PRINTED_ROUNDING and o.verdict is UNSUPPORTED)  # fmt: skip
    assert up.findings == BITS[RADIUS_ROUNDED_UP.code]
    assert 0 < up.excess < up.unit
