"""What a report says of a run: its certificates decided as claims, its signature, its data."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

from certaudit.auditor import audit_sources, claim_objects, make_options, open_evidence
from certaudit.certify.data import LabelledData
from certaudit.certify.run import fitted
from certaudit.claims import Source
from certaudit.errors import InputError
from certaudit.exact import parse_rational, percent
from certaudit.io.claims import sources
from certaudit.io.datasets import KEYS, read_data_set
from certaudit.io.files import CERTIFICATES, RUN, file_digest
from certaudit.records.bundle import BUNDLE, RECORDS
from certaudit.records.model import Brackets, Run
from certaudit.records.model import Curve as RunCurve
from certaudit.records.store import has, load_unsigned
from certaudit.report.audited import Audit, Claim, converted, verdicts_of
from certaudit.report.blocks import Basis, Fact, spelled
from certaudit.report.subjects import (
    Claimed,
    adversary_of,
    capped,
    decided_check,
    down,
    findings_of,
    points_of,
    radius_state,
    refuted_claims,
    worst_claims,
)
from certaudit.report.summary import (
    Assumption,
    Check,
    Curve,
    Finding,
    Input,
    Link,
    Point,
    Series,
    State,
    Subject,
    Theorem,
)
from certaudit.verifier import Verification, check_statements, verify

__all__ = ["TRUST", "Material", "run_subject"]

_SPLIT = "every fifth row"
"""How a split begins that no file of test rows made."""
_NEAR = Fraction(1, 10**6)
"""How far apart, relatively, floats that two machines choose by one rule may be."""
_STATES: dict[str, State] = {"checked": "proved", "failed": "failed", "not checked": "not checked"}
_LABEL_FREE: dict[str, State] = {
    "checked": "declared",
    "declared": "declared",
    "unknown": "not checked",
    "violated": "failed",
}
TRUST = (
    "trust",
    "signature",
    "statement",
    "records",
    "tree",
    RUN,
    CERTIFICATES,
    "data",
    "time stamp",
)
"""Steps of which a failure means that this is not what somebody signed, or of other data."""
_THEOREMS = {
    "kl": Theorem(
        guarantee="kl",
        statement="With the error ln(1 - p) of the vote bounded from above, no r label flips "
        "change it where r is at most the radius (5).",
        source="Rosenfeld et al. (ICML 2020), equations (5), (6), B.3",
        proof="proofs/chernoff.md, proofs/kl-radius.md, proofs/certificate.md",
    ),
    "tight": Theorem(
        guarantee="tight",
        statement="No r label flips change the vote where p is above the threshold F^-1(r) of "
        "(2); of two labels where it is at least that.",
        source="Rosenfeld et al. (ICML 2020), equation (2); Lee et al. (NeurIPS 2019)",
        proof="proofs/tight-threshold.md, proofs/tight-radius.md, proofs/certificate.md",
    ),
    "exact": Theorem(
        guarantee="exact",
        statement="Of all sets of at most r label flips, flipping the largest positive supports "
        "leaves the least vote. A radius is proved where the vote after these flips is "
        "enclosed on the right side, and refuted where it is enclosed on the other.",
        source="Beyond the papers",
        proof="proofs/exchange.md, proofs/band-limited.md, proofs/berry-esseen.md, proofs/flips.md",
    ),
    "pairwise": Theorem(
        guarantee="pairwise",
        statement="The class that beats each other class by a proven bound on the pair wins the "
        "pairwise vote; its radius is that of the worst pair.",
        source="Rosenfeld et al. (ICML 2020), B.2, B.3",
        proof="proofs/pair-chernoff.md, proofs/votes.md, proofs/multiclass.md",
    ),
    "plurality": Theorem(
        guarantee="plurality",
        statement="p is at least 1 less the sum of the pair errors; a radius of the plurality "
        "vote holds for the pairwise vote, too.",
        source="Rosenfeld et al. (ICML 2020), B.1 to B.3, corrected",
        proof="proofs/votes.md, proofs/multiclass.md",
    ),
}


@dataclass(frozen=True)
class Material:
    """What a run may be held against besides itself: a key, its data, how much of it."""

    key: Path | None = None
    data: Path | None = None
    test: Path | None = None
    sample: int | None = None
    seed: str = ""


def run_subject(
    folder: Path,
    material: Material,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> tuple[Subject, Claimed, int]:
    """Return what a report says of a run folder, its claims, and the exit code of verifying it.

    Every certificate is decided again from what its row says; with the data of two labels by the
    worst flips, too. The checker derives again what is said; with a key what was signed, once the
    signature is verified.

    Raises InputError for files that are not a run, or data that are not the run's.
    """
    run = load_unsigned(folder).run
    audit = _audit(folder, run, material)
    decide = partial(verify, key=material.key) if material.key is not None else check_statements
    found = decide(
        folder,
        data=material.data,
        test=material.test,
        sample=material.sample,
        seed=material.seed,
        progress=progress,
    )
    about = _About(folder, run, audit, found, material)
    states: dict[str, State] = {}
    if material.data is not None and about.state("data") == "proved":
        states = _design(run, material.data, material.test)
    name = folder.resolve().name
    refuted, more = refuted_claims(audit.claims)
    signed = (RECORDS, BUNDLE) if has(folder / BUNDLE) else ()
    files = (RUN, CERTIFICATES, *(each for each in signed if has(folder / each)))
    subject = Subject(
        kind="run",
        name=name,
        about=about.line(),
        inputs=(
            *(_input(folder / each) for each in files),
            *(_input(each) for each in (material.data, material.test, material.key) if each),
        ),
        audited=(),
        identification=about.identification(),
        domain=about.domain(),
        theorems=about.theorems(),
        assumptions=about.assumptions(states),
        method=about.method(),
        sampling=about.sampling(),
        results=about.results(),
        verdicts=verdicts_of(audit.summary),
        files=(),
        curves=(about.curve(),),
        worst=worst_claims(audit.claims),
        refuted=refuted,
        refuted_left_out=more,
        findings=about.findings(),
        unread=tuple(
            f"{entry.name}: is not of the run"
            for entry in sorted(folder.iterdir())
            if entry.name not in files
        ),
        broken=0,
        not_covered=about.not_covered(),
        commands=about.commands(),
        environment=about.environment(),
        checks=about.checks(),
        chain=about.chain(),
        remarks=found.remarks,
        adversary=adversary_of(["label-flip"]),
    )
    return subject, Claimed(name, audit.claims), found.exit_code


def _input(path: Path) -> Input:
    return Input(path.name, *file_digest(path))


def _audit(folder: Path, run: Run, material: Material) -> Audit:
    """Return the audit of the certificates, one source for each guarantee, and of nothing else."""
    evidence = None
    if material.data is not None and not run.multiclass and material.test is None:
        evidence = open_evidence(
            material.data, label_column=run.label_column, positive=run.positive
        )
    place = folder / CERTIFICATES
    found = [each for each in sources(folder) if isinstance(each, Source) and each.path == place]
    names = [f"{CERTIFICATES} [{guarantee}]" for guarantee in run.guarantee]
    if [source.name for source in found] not in (names, [CERTIFICATES]):
        raise InputError(f"{place}: is not read as the guarantees of {RUN}")
    kept: list[dict[str, object]] = []
    report = audit_sources(
        iter(found), make_options(evidence=evidence), lambda rows: kept.extend(claim_objects(rows))
    )
    if report.broken:
        raise InputError(f"{report.broken[0].name}: {report.broken[0].why}")
    for file in report.files:
        # Alpha vectors are not the data: nothing ties them to the digests.
        given = file.parameters.get("evidence")
        if isinstance(given, Mapping) and given.get("name") != "data-set":
            raise InputError(f"{material.data}: is not the data set of the run")
    report.claims = kept
    return converted(report.as_json())


def _design(run: Run, data: Path, test: Path | None) -> dict[str, State]:
    """Return whether the rules of a run give its ridge and scaling, computed from its data.

    Both are chosen in floats, which may differ a little from machine to machine. A ridge that was
    given may have been chosen by anything.
    """
    raw = read_data_set(data, label_column=run.label_column, test=test)
    checked = LabelledData.check(
        *(raw.arrays[key] for key in KEYS), positive=run.positive, classes=run.classes
    )
    rule = run.ridge.rule
    features, ridge, _ = fitted(
        checked,
        q=parse_rational(run.noise_model.q),
        ridge=run.ridge.value if rule == "given" else rule,
        scale=run.scale.rule,
        intercept=run.intercept,
        targets=range(run.classes) if run.multiclass else [1],
    )
    own = features.scale
    pairs = [(ridge.value, parse_rational(run.ridge.value))]
    for mine, told in ((own.mean, run.scale.mean), (own.deviation, run.scale.deviation)):
        both = zip(mine, told, strict=True)
        pairs += [(Fraction(value), parse_rational(text)) for value, text in both]
    near = [abs(x - y) <= abs(y) * _NEAR for x, y in pairs]
    same = [x == y for x, y in pairs]
    states: dict[bool, State] = {True: "declared", False: "failed"}
    return {
        "ridge": "proved" if same[0] and rule != "given" else states[near[0]],
        "scaling": "proved" if all(same[1:]) else states[all(near[1:])],
    }


class _About:
    """The parts of what is said of a run."""

    def __init__(
        self,
        folder: Path,
        run: Run,
        audit: Audit,
        verification: Verification,
        material: Material,
    ) -> None:
        self.folder, self.run, self.audit = folder, run, audit
        self.verification, self.material = verification, material
        self.n, self.points = int(run.training_points), int(run.certified_points)
        self.steps = {step.name: step for step in reversed(verification.steps)}
        self.evidence = any(file.by_evidence is not None for file in audit.files)
        self.by_guarantee = {
            str(file.parameters["guarantee"]): [c for c in audit.claims if c.file == file.file]
            for file in audit.files
        }

    # What it is ----------------------------------------------------------------------------------

    def line(self) -> str:
        """Return the run in a line."""
        run = self.run
        vote = f", {run.vote} vote of {run.classes} classes" if run.multiclass else ""
        return (
            f"label flips, q = {run.noise_model.q}{vote}: {self.points:,} test points, "
            f"{self.n:,} training labels, {run.source}"
        )

    def identification(self) -> tuple[Fact, ...]:
        """Return which data, by digest, and who made the run."""
        run = self.run
        facts = [Fact("source", run.source), Fact("made by", f"certaudit {run.certaudit}")]
        if run.label_column is not None:
            facts.append(Fact("label column", run.label_column))
        if run.positive is not None:
            facts.append(Fact("label that is class 1", run.positive))
        for name in ("x_train", "y_train", "x_test", "y_test"):
            array = getattr(run.data, name)
            shape = " x ".join(array.shape)
            facts.append(
                Fact(
                    f"{name[0].upper() if name[0] == 'x' else 'y'}{name[1:]}",
                    f"{array.sha256}, {array.dtype}, {shape}",
                    Basis("SHA-256", "exact", self.state("data")),
                )
            )
        return tuple(facts)

    def domain(self) -> tuple[Fact, ...]:
        """Return what is certified, of which classifier."""
        run, declared = self.run, Basis("", "exact", "declared")
        ridge = f"{down(parse_rational(run.ridge.value))} (rounded down, rule {run.ridge.rule})"
        kept = int(run.feature_columns)
        facts = [
            Fact(
                "property",
                "the prediction of the smoothed classifier for a test point does not change when "
                "at most so many training labels are changed",
            ),
            Fact(
                "smoothed classifier",
                "the class that most noisy labellings of the training set give, each label "
                "changed independently with probability q"
                if run.vote != "pairwise"
                else "the class that beats each other class under label noise of probability q",
            ),
            Fact("label noise q", run.noise_model.q, declared),
            Fact("classes", str(run.classes), declared),
            Fact(
                "base classifier",
                f"{run.classifier}, ridge {ridge}, "
                f"{'with' if run.intercept else 'without'} intercept, scaling {run.scale.rule}",
            ),
            Fact("training points", f"{self.n:,}", Basis("", "exact", self.state("data"))),
            Fact(
                "feature columns",
                f"{kept:,} used, {len(run.scale.dropped):,} constant ones left out",
                declared,
            ),
            Fact(
                "test points", f"{self.points:,} certified, of {int(run.test_points):,}", declared
            ),
        ]
        return tuple(facts)

    def theorems(self) -> tuple[Theorem, ...]:
        """Return what makes the guarantees true."""
        names: list[str] = list(self.run.guarantee)
        if self.run.multiclass:
            names.append(self.run.vote)
        if self.evidence and "exact" not in names:
            names.append("exact")
        return tuple(_THEOREMS[name] for name in names)

    def assumptions(self, states: Mapping[str, State]) -> tuple[Assumption, ...]:
        """Return what the run takes as fixed; `states` of what was derived from the data here."""
        found = []
        for each in self.run.assumptions:
            state = _LABEL_FREE[each.label_free]
            if state == "declared":
                state = states.get(each.what, state)
            if each.what == "ridge" and self.run.ridge.rule == "paper":
                state = "failed"  # it reads the labels, whatever the run says
            text = f"{each.value} ({each.label_free})"
            found.append(Assumption(each.what, text, state))
        told = {each.what for each in self.run.assumptions}
        if len(told) != len(found):
            raise InputError(f"{RUN}: assumptions: one stands there twice")
        for name in ("features", "scaling", "ridge"):
            if name not in told:
                failed = name == "ridge" and self.run.ridge.rule == "paper"
                text = "nothing is said of it"
                found.append(Assumption(name, text, "failed" if failed else "not checked"))
        return tuple(found)

    def method(self) -> tuple[Fact, ...]:
        """Return the kind of method, as ISO/IEC 24029-2 asks."""
        run = self.run
        complete = "incomplete: what is not certified is not thereby shown to be wrong"
        if isinstance(run.brackets, Brackets):
            closed = int(run.brackets.closed)
            complete = (
                f"sound; complete for {closed:,} of {self.points:,} points, whose exact radius is "
                "known: proved, and refuted one flip on"
            )
        return (
            Fact("complete or incomplete", complete),
            Fact("deterministic or not", "deterministic: no sampling, no failure probability"),
            Fact(
                "glass or closed box",
                "glass box: the training data and the classifier's weights for them are used",
            ),
            Fact(
                "real or computer arithmetic",
                "the classifier over the reals, on the arrays as "
                "they are; every decision in integers, balls or float64 with a proven error",
            ),
            Fact("multiplicity", "none: all claims hold together"),
            Fact("engine", run.engine),
        )

    def sampling(self) -> tuple[Fact, ...]:
        """Return which points were certified."""
        run = self.run
        first = (
            "all test rows"
            if run.certified_points == run.test_points
            else (f"the first {self.points:,} test rows of {int(run.test_points):,}")
        )
        split = next((each.value for each in run.assumptions if each.what == "split"), None)
        return (Fact("points certified", first), Fact("split", split))

    # What was found ------------------------------------------------------------------------------

    def strongest(self) -> str:
        """Return the guarantee that proves most."""
        return self.run.guarantee[-1]

    def depth(self, guarantee: str) -> State:
        """Return how far the radii of a guarantee, as they are claimed, were checked."""
        verdicts = {claim.verdict for claim in self.by_guarantee.get(guarantee, [])}
        if verdicts & {"refuted", "unsupported", "malformed"}:
            return "failed"
        return self.rests(guarantee) if "inconclusive" not in verdicts else "declared"

    def rests(self, guarantee: str) -> State:
        """Return whether what is proven of a guarantee was derived here, or rests on log_error."""
        claims = self.by_guarantee.get(guarantee, [])
        shown = all(c.evidence is not None for c in claims if c.verdict != "abstained")
        if self.evidence and shown:
            return "proved"
        return "proved" if self.derived() and guarantee != "exact" else "declared"

    def claimed(self, guarantee: str) -> list[int]:
        """Return the claimed radii of all points that are right, 0 where no winner is claimed."""
        return [
            int(claim.says or 0) if claim.verdict != "abstained" else 0
            for claim in self.by_guarantee.get(guarantee, [])
            if claim.label == claim.prediction
        ]

    def radii(self, guarantee: str) -> tuple[list[int], list[int]]:
        """Return what is claimed of the points that are right, and what of it is proven.

        Those of which not even the vote is proven are not in the second list.
        """
        claimed, proven = [], []
        for claim in self.right(guarantee):
            told, held = int(claim.says or 0), claim.holds
            claimed.append(told)
            if claim.verdict == "confirmed":
                proven.append(told)
            elif held is not None:
                proven.append(min(told, int(held)))
        return claimed, proven

    def derived(self) -> bool:
        """Return whether the checker derived every log_error again."""
        names = ("radii", "data", "alpha", "log_error")
        failed = bool(self.verification.failed) or self.material.sample is not None
        return not failed and all(self.state(name) == "proved" for name in names)

    def by(self, guarantee: str) -> str:
        """Return what proves the radii that are claimed by a guarantee."""
        own = self.derived() and guarantee != "exact"
        return "worst flips" if self.evidence and not own else guarantee

    def state(self, step: str) -> State:
        """Return how far a step of the verification came; the data also by what was audited."""
        if step == "data" and self.evidence:
            return "proved"
        found = self.steps.get(step)
        if found is None:
            return "declared" if step in ("data", "alpha", "log_error") else "not checked"
        if found.state == "not checked" and step in ("data", "alpha", "log_error"):
            return "declared"
        return _STATES[found.state]

    def right(self, guarantee: str) -> list[Claim]:
        """Return the claims about points that are classified right, and claim a winner."""
        silent = ("abstained", "malformed")
        return [
            claim
            for claim in self.by_guarantee.get(guarantee, [])
            if claim.label == claim.prediction and claim.verdict not in silent
        ]

    def curve(self) -> Curve:
        """Return certified accuracy of each guarantee, claimed and proven, and under attack."""
        series = []
        for guarantee in self.by_guarantee:
            claimed, proven = self.radii(guarantee)
            series.append(Series("claimed", guarantee, "exact", "declared", points_of(claimed)))
            if guarantee != "exact" or self.evidence:
                state = self.rests(guarantee)
                series.append(Series("proven", guarantee, "down", state, points_of(proven)))
        attacked = self._attacked()
        if attacked is not None:
            series.append(attacked)
        return Curve(
            title=self.folder.resolve().name,
            unit="label flips",
            what="Test points that are right and reach a radius",
            of=self.points,
            open=0,
            right=True,
            whole=True,
            of_training=self.n,
            series=tuple(series),
        )

    def _attacked(self) -> Series | None:
        """Return how many points the worst flips leave: from evidence, else what the run says."""
        claims = [
            claim
            for claim in self.by_guarantee.get(self.strongest(), [])
            if claim.label == claim.prediction
        ]
        if self.evidence:
            # After fewer flips than refuted_at nothing shows a change; without evidence never.
            known = (None if c.evidence is None else c.evidence.refuted_at for c in claims)
            last = [self.n if end is None else end - 1 for end in known if end != 0]
            return Series("under attack", self.strongest(), "up", "proved", points_of(last))
        told = self.run.attacked_accuracy
        if not isinstance(told, RunCurve):
            return None
        counts = [int(count) for count in told.correct]
        points = tuple(
            Point(float(r), count)
            for r, count in enumerate(counts)
            if r + 1 == len(counts) or counts[r + 1] != count
        )
        if counts[-1]:
            points = (*points[:-1], Point(float(self.n), counts[-1]))
        return Series("under attack", "exact", "up", "declared", points)

    def results(self) -> tuple[Fact, ...]:
        """Return accuracies and median radii."""
        run = self.run
        again = self.derived() and self.state("figures") == "proved"
        basis = Basis("", "down", "proved" if again else "declared")
        facts = [
            Fact("right, smoothed classifier", _percent(run.accuracy.clean), basis),
            Fact("right, without noise (q = 0)", _percent(run.accuracy.unsmoothed), basis),
        ]
        pair = [a for a in (run.accuracy.constant_0, run.accuracy.constant_1) if isinstance(a, str)]
        each = run.accuracy.constant if isinstance(run.accuracy.constant, tuple) else tuple(pair)
        best = max(each, key=float.fromhex)
        facts.append(
            Fact(f"right, always class {each.index(best)} (best constant)", _percent(best), basis)
        )
        # Without the data nothing shows an exact radius.
        known = [g for g in run.guarantee if g != "exact" or self.evidence][-1]
        _, proven = self.radii(known)
        proved = Basis(self.by(known), "down", self.rests(known))
        facts.append(
            Fact("right and proven to be the vote", percent(len(proven), self.points), proved)
        )
        for guarantee in run.guarantee:
            radii = sorted(self.claimed(guarantee))
            if radii:
                median = Fraction(radii[(len(radii) - 1) // 2] + radii[len(radii) // 2], 2)
                told = Basis(self.by(guarantee), "exact", self.depth(guarantee))
                name = f"median radius of the points classified right, {spelled(guarantee)}"
                whole, half = divmod(median, 1)
                flips = f"{whole}{'.5' if half else ''} flip{'' if median == 1 else 's'}"
                facts.append(Fact(name, flips, told))
        return tuple(facts)

    def findings(self) -> tuple[Finding, ...]:
        """Return what the run says of itself, and what the audit found."""
        own = tuple(Finding(f.code, f.name, RUN, 0, f.message) for f in self.run.findings)
        return own + findings_of(self.audit)

    def not_covered(self) -> tuple[str, ...]:
        """Return what nobody should read into the numbers."""
        run, found = self.run, []
        open_claims = self.audit.summary.inconclusive
        if open_claims:
            found.append(
                f"{open_claims:,} of {self.audit.summary.claims:,} claims that are not decided "
                "without the data (constant votes, exact radii)."
                if not self.evidence
                else f"{open_claims:,} claims that are not decided."
            )
        if not self.evidence and not self.derived():
            found.append(
                "Whether the bounds on ln(1 - p) are true: they were not derived from the data "
                "again here."
            )
        for each in run.assumptions:
            if each.label_free in ("unknown", "violated"):
                word = "is not known to be" if each.label_free == "unknown" else "is not"
                found.append(f"{each.what} ({each.value}): {word} free of the training labels.")
        if run.certified_points != run.test_points:
            found.append(f"Test rows beyond the first {self.points:,}.")
        found += [
            (
                "Changes of features, added or removed training points, changed test points: only "
                "labels are changed."
            ),
            "Another ridge, scaling or model choice that changed labels would lead to.",
            "The classifier as floats compute it in production: the statement is about the reals.",
            "Whether the test points are like those that the system will meet.",
        ]
        return tuple(found)

    def environment(self) -> tuple[Fact, ...]:
        """Return the versions that computed the run."""
        versions = self.run.versions
        names = ("certaudit", "python", "numpy", "python_flint", "flint")
        return tuple(Fact(name.replace("_", "-"), getattr(versions, name)) for name in names)

    def commands(self) -> tuple[str, ...]:
        """Return the commands that make the run again, and verify it."""
        run, data = self.run, self.run.source
        words = ["certaudit", "certify", data]
        if run.label_column is not None:
            words += ["--label-column", run.label_column]
        if run.positive is not None:
            words += ["--positive", run.positive]
        if any(e.what == "split" and _SPLIT not in e.value for e in run.assumptions):
            words += ["--test", "TEST"] if data.endswith(".csv") else []
        words += ["--q", run.noise_model.q, "--guarantee", _option(run)]
        if run.multiclass:
            words += ["--vote", run.vote, "--classes", str(run.classes)]
        rule = run.ridge.rule
        words += [] if rule == "auto" else ["--ridge", run.ridge.value if rule == "given" else rule]
        words += [] if run.scale.rule == "standard" else ["--scale", run.scale.rule]
        words += [] if run.intercept else ["--no-intercept"]
        words += [] if run.engine == "fast" else ["--engine", run.engine]
        if run.certified_points != run.test_points:
            words += ["--limit", run.certified_points]
        found = [shlex.join([*words, "-o", "run"])]
        if has(self.folder / BUNDLE):
            found.append(shlex.join(["certaudit", "verify", "run", "--key", "KEY", "--data", data]))
        return (*found, self._again())

    def _again(self) -> str:
        """Return the command that makes this report again."""
        told = self.material
        again = ["certaudit", "report", "run", "-o", "report.html"]
        if told.data is not None:
            again += ["--data", told.data.name]
        if told.test is not None:
            again += ["--test", told.test.name]
        if told.key is not None:
            again += ["--key", told.key.name]
        if told.sample is not None:
            again += ["--sample", str(told.sample), "--seed", told.seed]
        return shlex.join(again)

    # How far it was checked ----------------------------------------------------------------------

    def checks(self) -> tuple[Check, ...]:
        """Return every step: of the verification, and of the audit."""
        found = [decided_check(self.audit, self.radius())]
        if self.evidence:
            text = (
                "the arrays are those of run.json; radii decided by the worst flips of these data"
            )
            found.append(Check("evidence", "proved", text))
        found += [
            Check(step.name, _STATES[step.state], step.detail) for step in self.verification.steps
        ]
        if self.material.key is None:
            found.append(Check("signature", "not checked", self._unsigned()))
        return tuple(found)

    def _unsigned(self) -> str:
        if has(self.folder / BUNDLE):
            return "there is one; no key was given to verify it with"
        return "the run is not signed"

    def chain(self) -> tuple[Link, ...]:
        """Return the chain from the data to the signature."""
        given = "derived again from the data" if self.evidence else "as the run says"
        alpha = self.state("alpha")
        if self.evidence and alpha == "declared":
            alpha = "proved"
        named = "named by SHA-256 in run.json"
        named += ", whose digests the data given have" if self.evidence else ""
        failed = [step for step in self.verification.failed if step.name in TRUST]
        # What the checker derived is then of what was signed, and these files say something else.
        data, alpha = (capped(s) if failed else s for s in (self.state("data"), alpha))
        links = [
            Link("data", data, self._detail("data", named)),
            Link("alpha", alpha, self._detail("alpha", given)),
        ]
        error = self.state("log_error")
        if self.material.sample is not None or failed:
            error = capped(error)
        links.append(Link("p", error, self._detail("log_error", "bounds on ln(1 - p) as stated")))
        links.append(Link("radius", self.radius(), decided_check(self.audit).detail))
        names = ("signature", "tree", "records")
        whole: State = "not checked"
        if self.material.key is not None and {self.state(name) for name in names} == {"proved"}:
            whole = "proved"
        detail = failed[0].detail if failed else self._detail("signature", self._unsigned())
        links.append(Link("signature", "failed" if failed else whole, detail))
        return tuple(links)

    def radius(self) -> State:
        """Return how far the radii were checked, all guarantees together."""
        state = radius_state(self.audit)
        if self.state("radii") == "failed":
            return "failed"
        return state if self.evidence or self.derived() else capped(state)

    def _detail(self, step: str, otherwise: str) -> str:
        found = self.steps.get(step)
        return otherwise if found is None else found.detail


def _option(run: Run) -> str:
    """Return the --guarantee that gives the guarantees of a run."""
    if run.exact:
        return "all" if "tight" in run.guarantee else "exact"
    return "tight" if "tight" in run.guarantee else "kl"


def _percent(text: str) -> str:
    """Return a share that was rounded down, as text in hexadecimal, in percent."""
    if not 0 <= float.fromhex(text) <= 1:
        raise InputError(f"{RUN}: accuracy: {float.fromhex(text):g} is no share")
    return percent(int(parse_rational(repr(float.fromhex(text))) * 1_000_000), 1_000_000)
