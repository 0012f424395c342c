"""What a report says of a run: its certificates decided as claims, its signature, its data."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from certaudit.auditor import audit_sources, claim_objects, make_options, open_evidence
from certaudit.certify.run import how_many_reach
from certaudit.errors import InputError
from certaudit.exact import parse_rational, percent
from certaudit.io.claims import sources
from certaudit.io.files import CERTIFICATES, RUN
from certaudit.records.bundle import BUNDLE, RECORDS
from certaudit.records.model import Brackets, Run
from certaudit.records.model import Curve as RunCurve
from certaudit.records.store import has, load_unsigned, read_file
from certaudit.report.audited import Audit, Claim, converted, verdicts_of
from certaudit.report.blocks import Basis, Fact, spelled
from certaudit.report.subjects import (
    Claimed,
    decided_check,
    findings_of,
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
from certaudit.verifier import Verification, verify

__all__ = ["Material", "run_subject"]

_MOST = 1 << 33
_STATES: dict[str, State] = {"checked": "proved", "failed": "failed", "not checked": "not checked"}
_LABEL_FREE: dict[str, State] = {
    "checked": "proved",
    "declared": "declared",
    "unknown": "not checked",
    "violated": "failed",
}
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
        statement="No r label flips change the vote where p is at least the threshold F^-1(r) of "
        "(2), which is the best that p alone can prove.",
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
    worst flips, too. With a key the signature is verified, and by the checker what was signed.

    Raises InputError for files that are not a run, or data that are not the run's.
    """
    run = load_unsigned(folder).run
    unused = material.data is not None and (run.multiclass or material.test is not None)
    if unused and material.key is None:
        raise InputError(
            f"{folder}: with --test, or of many classes, data are used to verify what is signed: "
            "a key is needed, too"
        )
    audit = _audit(folder, run, material)
    found = None
    if material.key is not None:
        found = verify(
            folder,
            key=material.key,
            data=material.data,
            test=material.test,
            sample=material.sample,
            seed=material.seed,
            progress=progress,
        )
    about = _About(folder, run, audit, found, material)
    name = folder.resolve().name
    refuted, more = refuted_claims(audit.claims)
    files = (RUN, CERTIFICATES, *(each for each in (RECORDS, BUNDLE) if has(folder / each)))
    subject = Subject(
        kind="run",
        name=name,
        about=about.line(),
        inputs=tuple(_input(folder / each) for each in files),
        audited=(),
        identification=about.identification(),
        domain=about.domain(),
        theorems=about.theorems(),
        assumptions=tuple(
            Assumption(each.what, each.value, _LABEL_FREE[each.label_free])
            for each in run.assumptions
        ),
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
        unread=(),
        not_covered=about.not_covered(),
        commands=about.commands(),
        environment=about.environment(),
        checks=about.checks(),
        chain=about.chain(),
    )
    return subject, Claimed(name, audit.claims), 0 if found is None else found.exit_code


def _input(path: Path) -> Input:
    data = read_file(path, _MOST)
    return Input(path.name, sha256(data).hexdigest(), len(data))


def _audit(folder: Path, run: Run, material: Material) -> Audit:
    """Return the audit of the run itself."""
    evidence = None
    if material.data is not None and not run.multiclass and material.test is None:
        evidence = open_evidence(
            material.data, label_column=run.label_column, positive=run.positive
        )
    kept: list[dict[str, object]] = []
    found = sources(folder)
    report = audit_sources(
        found, make_options(evidence=evidence), lambda rows: kept.extend(claim_objects(rows))
    )
    report.claims = kept
    if not report.files:
        raise InputError(f"{folder}: nothing in it can be decided")
    return converted(report.as_json())


class _About:
    """The parts of what is said of a run."""

    def __init__(
        self,
        folder: Path,
        run: Run,
        audit: Audit,
        verification: Verification | None,
        material: Material,
    ) -> None:
        self.folder, self.run, self.audit = folder, run, audit
        self.verification, self.material = verification, material
        self.n, self.points = int(run.training_points), int(run.certified_points)
        self.steps = {} if verification is None else {s.name: s for s in verification.steps}
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
        ridge = f"{float(parse_rational(run.ridge.value)):.6g} (rule {run.ridge.rule})"
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
        if self.run.vote == "plurality":
            names.append("plurality")
        if self.evidence and "exact" not in names:
            names.append("exact")
        return tuple(_THEOREMS[name] for name in names)

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
        names = ("signature", "records", "radii", "data", "alpha", "log_error")
        done = all(self.state(name) == "proved" for name in names)
        return done and self.material.sample is None

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
            series.append(Series("claimed", guarantee, "exact", "declared", _points(claimed)))
            state = self.rests(guarantee)
            series.append(Series("proven", guarantee, "down", state, _points(proven)))
        attacked = self._attacked()
        if attacked is not None:
            series.append(attacked)
        return Curve(
            title=self.folder.resolve().name,
            unit="label flips",
            what="Test points that are right and reach a radius",
            of=self.points,
            whole=True,
            of_training=self.n,
            series=tuple(series),
        )

    def _attacked(self) -> Series | None:
        """Return how many points the worst flips leave: from evidence, else what the run says."""
        claims = self.right(self.strongest())
        if self.evidence and claims and all(claim.evidence is not None for claim in claims):
            ends = [c.evidence.refuted_at for c in claims if c.evidence is not None]
            # After so many flips and fewer than refuted_at nothing shows a change.
            last = [self.n if end is None else end - 1 for end in ends]
            return Series("under attack", self.strongest(), "up", "proved", _points(last))
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
        run, strongest = self.run, self.strongest()
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
        _, proven = self.radii(strongest)
        proved = Basis(strongest, "down", self.rests(strongest))
        number = percent(len(proven), self.points)
        facts.append(Fact("right and proven to be the vote", number, proved))
        for guarantee in run.guarantee:
            claimed, proven = self.radii(guarantee)
            # The lower one in the middle: half of the points, or more, stand so many flips.
            place = (len(claimed) - 1) // 2 - (len(claimed) - len(proven))
            if place >= 0:
                told = Basis(guarantee, "down", self.rests(guarantee))
                median = f"{sorted(proven)[place]:,} flips"
                facts.append(Fact(f"median radius, {spelled(guarantee)}", median, told))
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
        return tuple(found)

    # How far it was checked ----------------------------------------------------------------------

    def checks(self) -> tuple[Check, ...]:
        """Return every step: of the verification, and of the audit."""
        found = [decided_check(self.audit)]
        if self.evidence:
            text = (
                "the arrays are those of run.json; radii decided by the worst flips of these data"
            )
            found.append(Check("evidence", "proved", text))
        if self.verification is not None:
            found += [
                Check(step.name, _STATES[step.state], step.detail)
                for step in self.verification.steps
            ]
        else:
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
        links = [
            Link("data", self.state("data"), self._detail("data", "named by SHA-256 in run.json")),
            Link("alpha", alpha, self._detail("alpha", given)),
        ]
        error = self.state("log_error")
        if error == "proved" and self.material.sample is not None:
            error = "declared"
        links.append(Link("p", error, self._detail("log_error", "bounds on ln(1 - p) as stated")))
        state = radius_state(self.audit)
        if state == "proved" and not self.evidence and not self.derived():
            state = "declared"
        links.append(Link("radius", state, decided_check(self.audit).detail))
        signed = [self.state(name) for name in ("signature", "tree", "records")]
        failed = self.verification is not None and bool(self.verification.failed)
        whole: State = "proved" if set(signed) == {"proved"} else "not checked"
        links.append(
            Link(
                "signature",
                "failed" if failed else whole,
                self._detail("signature", self._unsigned()),
            )
        )
        return tuple(links)

    def _detail(self, step: str, otherwise: str) -> str:
        found = self.steps.get(step)
        return otherwise if found is None else found.detail


def _option(run: Run) -> str:
    """Return the --guarantee that gives the guarantees of a run."""
    if run.exact:
        return "all" if "tight" in run.guarantee else "exact"
    return "tight" if "tight" in run.guarantee else "kl"


def _points(radii: Sequence[int]) -> tuple[Point, ...]:
    """Return how many radii reach each radius, at the last radius of every level."""
    counts = how_many_reach(list(radii)) if radii else [0]
    return tuple(
        Point(float(r), count)
        for r, count in enumerate(counts)
        if r + 1 == len(counts) or counts[r + 1] != count
    )


def _percent(text: str) -> str:
    """Return a share that was rounded down, as text in hexadecimal, in percent."""
    return percent(int(parse_rational(repr(float.fromhex(text))) * 1_000_000), 1_000_000)
