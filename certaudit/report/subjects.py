"""What a report says of an audit: verdicts, claimed against proven, the worst, what is false."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from certaudit.errors import InputError
from certaudit.exact import parse_rational, percent
from certaudit.report.audited import (
    Audit,
    AuditedFile,
    Claim,
    FindingRow,
    by_file,
    radii_of,
    read_audit,
    verdicts_of,
)
from certaudit.report.blocks import Basis, Fact, spelled
from certaudit.report.summary import (
    Assumption,
    Check,
    Counterexample,
    Curve,
    FileResult,
    Finding,
    Input,
    Link,
    Overclaim,
    Point,
    Refuted,
    Series,
    State,
    Subject,
    Theorem,
)

__all__ = [
    "Claimed",
    "adversary_of",
    "audit_subject",
    "capped",
    "decided_check",
    "depth_of_radii",
    "down",
    "file_results",
    "findings_of",
    "number",
    "points_of",
    "radius_state",
    "refuted_claims",
    "up",
    "worst_claims",
]

_WORST = 20
_SPELLED = 40
_REFUTED = 500
_FAILING = ("refuted", "unsupported")

Radii: TypeAlias = list[tuple[float, float]]
"""Claimed and proven radii of rows; -1: not proven."""
_THEOREMS = {
    "gaussian": Theorem(
        guarantee="gaussian",
        statement="Where the noisy classifier gives a class at least the share p > 1/2 of its "
        "votes under Gaussian noise of deviation sigma, no perturbation of l2 norm "
        "below sigma Phi^-1(p) changes the vote.",
        source="Cohen, Rosenfeld, Kolter (ICML 2019), Theorem 1; Rosenfeld et al. (ICML 2020), "
        "Example 1",
        proof="proofs/gaussian-radius.md, proofs/audit-gaussian.md",
    ),
    "sampled": Theorem(
        guarantee="sampled",
        statement="k of N votes prove a share above p at failure probability a iff P(Bin(N, p) >= "
        "k) <= a.",
        source="Clopper, Pearson (1934)",
        proof="proofs/clopper-pearson.md, proofs/quantiles.md",
    ),
    "label-flip": Theorem(
        guarantee="label-flip",
        statement="With the share p of the vote under label noise q, no r labels that anybody "
        "changes change the vote where r is at most the KL radius (5), or where p is above the "
        "tight threshold F^-1(r) of (2); of two labels where it is at least that.",
        source="Rosenfeld et al. (ICML 2020), equations (2), (5), B.3; Lee et al. (NeurIPS 2019)",
        proof="proofs/kl-radius.md, proofs/tight-radius.md, proofs/audit-product.md",
    ),
    "discrete": Theorem(
        guarantee="discrete",
        statement="With the share p of the vote under discrete noise, no r changed coordinates "
        "change it where p is above the tight threshold F^-1(r).",
        source="Lee et al. (NeurIPS 2019)",
        proof="proofs/tight-radius.md, proofs/tight-threshold.md, proofs/audit-product.md",
    ),
    "evidence": Theorem(
        guarantee="evidence",
        statement="Of all sets of at most r label flips the largest positive supports leave the "
        "least vote: so many flips are proved not to change it, and so many are shown "
        "that do.",
        source="Beyond the papers",
        proof="proofs/exchange.md, proofs/fast-flips.md",
    ),
}


class Claimed:
    """The claims of a subject in the order of their importance: what is false first."""

    _ORDER = ("refuted", "unsupported", "malformed", "inconclusive", "confirmed", "abstained")

    def __init__(self, name: str, claims: Sequence[Claim]) -> None:
        self.name, self.total = name, len(claims)
        place = {verdict: at for at, verdict in enumerate(self._ORDER)}
        self.claims = sorted(claims, key=lambda c: (place[c.verdict], -_size(c)))


def _size(claim: Claim) -> float:
    return claim.excess.absolute if claim.excess is not None else 0.0


def down(value: float | Fraction | None, digits: int = 6) -> str:
    """Return a number with so many digits, rounded down; empty where there is none."""
    return _rounded(value, digits, ROUND_FLOOR)


def up(value: float | Fraction | None, digits: int = 2) -> str:
    """Return a number with so many digits, rounded up; empty where there is none."""
    return _rounded(value, digits, ROUND_CEILING)


def _rounded(value: float | Fraction | None, digits: int, mode: str) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    exact = Fraction(value)
    if exact.denominator == 1 and abs(exact) < 10**12:
        return str(exact.numerator)
    context = Context(prec=digits, rounding=mode)
    found = context.divide(Decimal(exact.numerator), Decimal(exact.denominator))
    text = f"{found:f}" if -6 < found.adjusted() < 12 else f"{found:e}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def number(count: int, what: str) -> str:
    """Return a number of things: 1 file, 2 files."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def spell(value: object) -> str:
    """Return what a row says as it is; empty where it says nothing."""
    if value is None:
        return ""
    text = repr(value) if isinstance(value, float) else str(value)
    return text if len(text) <= _SPELLED else f"{text[:_SPELLED]}... ({len(text)} characters)"


# What all subjects have in common ----------------------------------------------------------------


def worst_claims(claims: Iterable[Claim]) -> tuple[Overclaim, ...]:
    """Return the claims that say most too much, the largest first."""
    failing = [claim for claim in claims if claim.verdict in _FAILING]
    # What is false without a size (the vote is lost) is worse than any size.
    failing.sort(key=lambda c: -math.inf if c.verdict == "refuted" and not c.excess else -_size(c))
    return tuple(
        Overclaim(
            claim.file,
            claim.line,
            spell(claim.index),
            claim.verdict,
            claim.cause or "",
            spell(claim.says),
            down(claim.holds),
            up(claim.excess.absolute) if claim.excess else "",
            up(claim.excess.printed_units) if claim.excess else "",
        )
        for claim in failing[:_WORST]
    )


def refuted_claims(claims: Iterable[Claim]) -> tuple[tuple[Refuted, ...], int]:
    """Return the claims that are false with what shows it, and how many more there are."""
    false = [claim for claim in claims if claim.verdict == "refuted"]
    found = tuple(
        Refuted(
            claim.file,
            claim.line,
            spell(claim.index),
            spell(claim.says),
            down(claim.holds),
            claim.reason or "",
            _counterexample(claim),
        )
        for claim in false[:_REFUTED]
    )
    return found, len(false) - len(found)


def _counterexample(claim: Claim) -> Counterexample | None:
    shown, known = claim.counterexample, claim.evidence
    if shown is None:
        return None
    least = 0 if known is None or known.proved is None else known.proved + 1
    return Counterexample(shown.flips, shown.flips == least, shown.training_rows)


def findings_of(audit: Audit) -> tuple[Finding, ...]:
    """Return the findings of all files, one for each code: the rows summed, the first place."""
    grouped: dict[str, list[FindingRow]] = {}
    for finding in audit.findings:
        grouped.setdefault(finding.code, []).append(finding)
    found = []
    for code in sorted(grouped):
        first, files = grouped[code][0], len({each.file for each in grouped[code]})
        where = first.file + (f":{first.line}" if first.line else "")
        where += f" and {files - 1} more files" if files > 1 else ""
        rows = sum(each.rows for each in grouped[code])
        found.append(Finding(code, first.name, where, rows, first.message))
    return tuple(found)


def lost_anywhere(file: AuditedFile, rows: Radii | None) -> int:
    """Return the most rows that a radius loses from claimed to proven: from the rows, if known."""
    if rows is None:
        return file.accuracy.worst_drop_rows
    ends = sorted({told for told, _ in rows})
    told, held = sorted(t for t, _ in rows), sorted(h for _, h in rows)
    # A row with claim c and proof p < c loses every radius above p, up to c.
    lost = (bisect_left(held, end) - bisect_left(told, end) for end in ends)
    return max(lost, default=0)


def file_results(audit: Audit, rows: Mapping[str, Radii | None]) -> tuple[FileResult, ...]:
    """Return what was found in each file, those that lose most first."""
    found = [
        FileResult(
            file.file,
            verdicts_of(file),
            ", ".join(f"{k} {_word(v)}" for k, v in file.parameters.items()) or "none",
            file.inferred,
            file.accuracy.rows,
            file.accuracy.grid_drop_rows,
            lost_anywhere(file, rows[file.file]),
        )
        for file in audit.files
    ]
    return tuple(sorted(found, key=lambda file: -_lost(file.lost, file.rows)))


def _lost(lost: int, rows: int) -> Fraction:
    return Fraction(lost, max(rows, 1))


def _word(value: object) -> str:
    """Return a parameter in words."""
    if isinstance(value, Mapping):
        parts = (f"{k} {_word(v)}" for k, v in value.items() if k != "name")
        return " ".join([str(value.get("name", "")), *parts]).strip()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def radius_state(audit: Audit) -> State:
    """Return "proved" if every claim is, "failed" if one is refuted or unsupported."""
    summary = audit.summary
    if summary.refuted or summary.unsupported or summary.malformed or audit.broken:
        return "failed"
    return "proved" if summary.claims and summary.confirmed == summary.claims else "not checked"


def capped(state: State) -> State:
    """Return a state that is at most somebody's word."""
    return "declared" if state == "proved" else state


def depth_of_radii(subject: Subject) -> State:
    """Return the state of the radii of a subject, all together."""
    return next(link.state for link in subject.chain if link.name == "radius")


def decided_check(audit: Audit, state: State | None = None) -> Check:
    """Return how many claims were decided, as a step; `state` where they rest on less."""
    counts = audit.summary
    words = [
        f"{getattr(counts, name):,} {name}"
        for name in ("confirmed", "refuted", "unsupported", "inconclusive", "malformed")
        if getattr(counts, name)
    ]
    detail = f"{counts.claims:,} decided: {', '.join(words) or 'none'}"
    return Check("claims", state or radius_state(audit), detail)


# An audit ----------------------------------------------------------------------------------------


def audit_subject(path: Path) -> tuple[Subject, Claimed]:
    """Return what a report says of what `audit --format json` wrote, and all its claims.

    Raises InputError as read_audit does.
    """
    audit, data = read_audit(path)
    try:
        return _audit_subject(path.name, audit, data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _audit_subject(name: str, audit: Audit, data: bytes) -> tuple[Subject, Claimed]:
    claims = by_file(audit)
    rows = {file.file: _rows(file, claims.get(file.file, [])) for file in audit.files}
    refuted, more = refuted_claims(audit.claims)
    kinds = _kinds(audit)
    read = [Input(file.file, file.sha256, file.bytes) for file in audit.files]
    counts = audit.summary
    what = " and ".join(map(spelled, sorted(kinds)))
    about = f"{number(len(audit.files), 'audited file')}, {number(counts.claims, 'claim')}"
    about += f": {what} noise" if kinds else ""
    subject = Subject(
        kind="audit",
        name=name,
        about=about,
        inputs=(Input(name, sha256(data).hexdigest(), len(data)),),
        audited=tuple(dict.fromkeys(read)),
        identification=(
            Fact("audited by", None if audit.certaudit is None else f"certaudit {audit.certaudit}"),
            Fact("files", f"{len(audit.files):,} read, {len(audit.skipped):,} passed over"),
        ),
        domain=_domain(audit, kinds),
        theorems=tuple(
            _THEOREMS[kind]
            for kind in ("gaussian", "sampled", "label-flip", "discrete", "evidence")
            if kind in _needed(audit, kinds)
        ),
        assumptions=_assumptions(audit, kinds),
        method=_method(audit, kinds),
        sampling=_sampling(audit),
        results=_results(audit, rows),
        verdicts=verdicts_of(counts),
        files=file_results(audit, rows),
        curves=_curves(audit, rows),
        worst=worst_claims(audit.claims),
        refuted=refuted,
        refuted_left_out=more,
        findings=findings_of(audit),
        unread=tuple(f"{each.file}: {each.why}" for each in (*audit.broken, *audit.skipped)),
        not_covered=_not_covered(audit, kinds),
        commands=() if audit.command is None else (audit.command,),
        environment=(),
        checks=(
            decided_check(audit, capped(radius_state(audit))),
            Check(
                "result of the audit",
                "declared",
                "taken as the file says, whose sums are those of its claims; what was audited is "
                "not read again",
            ),
            Check("signature", "not checked", "the result of an audit is not signed"),
        ),
        chain=_chain(audit, kinds),
        remarks=(),
        adversary=adversary_of(kinds),
        broken=len(audit.broken),
    )
    return subject, Claimed(name, audit.claims)


def _kinds(audit: Audit) -> set[str]:
    """Return the kinds of noise that claims are about."""
    found = set()
    for file in audit.files:
        if not file.claims:
            continue
        told = file.parameters
        model = told.get("noise_model")
        if isinstance(model, Mapping) and "name" in model:
            found.add(str(model["name"]))
        elif "sigma" in told:
            found.add("gaussian")
        else:
            found.add(str(told.get("noise", "unknown")))
    return found


def _needed(audit: Audit, kinds: set[str]) -> set[str]:
    sampled = _sampled(audit)
    evidence = any(file.by_evidence is not None for file in audit.files)
    return kinds | ({"sampled"} if sampled else set()) | ({"evidence"} if evidence else set())


def _stated(audit: Audit, name: str) -> list[str]:
    """Return the values that a parameter has in any file."""
    return sorted({_word(f.parameters[name]) for f in audit.files if name in f.parameters})


def _domain(audit: Audit, kinds: set[str]) -> tuple[Fact, ...]:
    properties = {
        "gaussian": "no perturbation of the input below the radius (l2, or as stated) changes the "
        "prediction of the smoothed classifier",
        "label-flip": "no set of training labels, as many as the radius or fewer, changes the "
        "prediction of the smoothed classifier when it is changed",
        "discrete": "no set of input coordinates, as many as the radius or fewer, changes the "
        "prediction of the smoothed classifier when it is changed",
    }
    found = [
        Fact(
            f"property, {spelled(kind)} noise",
            properties.get(kind, "as the files claim; not decided here"),
        )
        for kind in sorted(kinds)
    ]
    for name in ("sigma", "noise_model", "norm", "dimension", "guarantee", "vote"):
        values = _stated(audit, name)
        if values:
            found.append(Fact(name.replace("_", " "), ", ".join(values)))
    rows = audit.summary.claims + audit.summary.abstained
    basis = Basis("", "exact", "declared")
    found.append(Fact("rows", f"{rows:,}", basis))
    return tuple(found)


def _sampled(audit: Audit) -> bool:
    """Return whether votes were counted, as far as the files say."""
    names = {name for file in audit.files for name in file.parameters}
    return bool(names & {"samples", "failure_prob"}) or any(f.kind == "votes" for f in audit.files)


def _decided_by(audit: Audit) -> tuple[bool, bool]:
    """Return whether claims were decided by the data, and whether any by votes or bounds."""
    by_data = sum(file.by_evidence.claims for file in audit.files if file.by_evidence)
    return by_data > 0, by_data < audit.summary.claims


_ADVERSARIES = {
    "label-flip": "changes as many training labels as the radius says, or fewer, for each test "
    "point those he likes; not features, not test points",
    "gaussian": "changes the input by less than the radius, for each test point as he likes; not "
    "the training data, not the model",
    "discrete": "changes as many coordinates of the input as the radius says, or fewer; not the "
    "training data, not the model",
}


def adversary_of(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return against whom claims about a kind of noise are made."""
    found = []
    for kind in sorted(kinds):
        who = _ADVERSARIES.get(kind, "is the one that the files mean: such claims are not decided")
        found.append(
            f"What is claimed under {spelled(kind)} noise is claimed against anybody who knows "
            f"everything, and {who}."
        )
    return tuple(found)


def _assumptions(audit: Audit, kinds: set[str]) -> tuple[Assumption, ...]:
    by_data, by_rows = _decided_by(audit)
    found = [Assumption("the files", "are what the implementation printed", "declared")]
    if by_rows and _sampled(audit):
        found += [
            Assumption("noise", "the samples were drawn from the noise that is stated", "declared"),
            Assumption("votes", "are independent, and none was left out or chosen", "declared"),
            Assumption("class", "was chosen by other samples than those that bound it", "declared"),
        ]
    if by_data:
        text = "are those of the classifier that the claims are about"
        found.append(Assumption("alphas", text, "declared"))
    if "label-flip" in kinds:
        text = "features, scaling and model choice read no training label"
        found.append(Assumption("label-free", text, "declared"))
    return tuple(found)


def _method(audit: Audit, kinds: set[str]) -> tuple[Fact, ...]:
    chance = _stated(audit, "failure_prob")
    sampled, (by_data, by_rows) = _sampled(audit), _decided_by(audit)
    complete, chances, boxes = [], [], []
    if by_data:
        complete.append(
            "claims decided by the data: complete where the report says what is refuted, since the "
            "worst flips are known"
        )
        chances.append("claims decided by the data: deterministic")
        boxes.append("claims decided by the data: glass box, alphas and labels are used")
    if by_rows:
        complete.append("incomplete: what is not certified is not thereby shown to be wrong")
        chances.append(
            "not deterministic: each claim may be false with the failure probability stated"
            if sampled
            else "deterministic as far as the files say: no sampling is stated"
        )
        boxes.append("closed box: what the rows say is used, the model is not looked into")
    facts = [
        Fact("complete or incomplete", "; ".join(complete) or None),
        Fact("deterministic or not", "; ".join(chances) or None),
        Fact("glass or closed box", "; ".join(boxes) or None),
        Fact(
            "real or computer arithmetic",
            "claims are decided over the reals, in integers and enclosures; what somebody's float "
            "classifier did is about that classifier",
        ),
        Fact("printed numbers", "stand for every number that prints so"),
    ]
    if chance:
        facts.append(Fact("failure probability of a claim", ", ".join(chance)))
    stated = [f for f in audit.files if f.kind != "curve" and "failure_prob" in f.parameters]
    tested = sum(f.claims + f.abstained for f in stated)
    if tested:
        # Which rows are confirmed depends on the samples, so every row counts.
        mean = sum(
            (
                parse_rational(_word(f.parameters["failure_prob"])) * (f.claims + f.abstained)
                for f in stated
            ),
            Fraction(0),
        )
        confirmed = sum(f.confirmed for f in stated)
        told = Basis(f"union bound over {tested:,} rows", "up", "declared")
        text = f"if the assumptions hold, the {confirmed:,} confirmed ones all do, except with "
        text += "probability "
        text += f"{up(mean)} at most" if mean < 1 else "1 at most: this says nothing"
        facts.append(Fact("multiplicity", text, told))
        expected = f"{up(mean, 4)} of the confirmed ones"
        facts.append(Fact("false claims to be expected, at most", expected, told))
    if "unknown" in kinds:
        facts.append(Fact("not decided", "claims of noise that is not known"))
    return tuple(facts)


def _sampling(audit: Audit) -> tuple[Fact, ...]:
    found = []
    for name, words in (("samples", "votes behind a claim"), ("selection", "class chosen by")):
        values = _stated(audit, name)
        if values:
            found.append(Fact(words, ", ".join(values)))
    inferred = sorted({name for file in audit.files for name in file.inferred})
    if inferred:
        files = sum(bool(file.inferred) for file in audit.files)
        words = f"{', '.join(inferred)} (in {files:,} files), from the numbers themselves"
        found.append(Fact("inferred", words))
    return tuple(found)


def _results(audit: Audit, known: Mapping[str, Radii | None]) -> tuple[Fact, ...]:
    files = [f for f in audit.files if f.accuracy.rows and f.kind in ("radii", "votes")]
    if not files:
        return ()
    basis, found = Basis("", "up", "declared"), []
    anywhere = {f.file: lost_anywhere(f, known[f.file]) for f in files}
    counted = {f.file: f.accuracy.grid_drop_rows for f in files}
    for name, lost in (
        ("certified accuracy lost where most is lost, any radius", anywhere),
        ("certified accuracy lost at 0, and at the radii of the audit", counted),
    ):
        falling = max(files, key=lambda f: _lost(lost[f.file], f.accuracy.rows))
        rows, of = lost[falling.file], falling.accuracy.rows
        found.append(Fact(name, f"{percent(rows, of, up=True)[:-2]} points", basis))
        if rows and len(files) > 1:
            found.append(Fact("most is lost so in", falling.file))
    left = sum(file.accuracy.open for file in files)
    if left:
        basis = Basis("", "exact", "not checked")
        found.append(Fact("rows that nothing decided, left out of curves", f"{left:,}", basis))
    return tuple(found)


def points_of(radii: Iterable[float]) -> tuple[Point, ...]:
    """Return how many of some radii reach each of them, ascending."""
    counts, found = Counter(radii), []
    left = counts.total()
    for radius in sorted(counts):
        found.append(Point(float(radius), left))
        left -= counts[radius]
    return tuple(found) or (Point(0.0, 0),)


def _curves(audit: Audit, rows: Mapping[str, Radii | None]) -> tuple[Curve, ...]:
    """Return the curves of all files, those that lose most at the radii of the audit first."""
    claims = by_file(audit)
    files = [f for f in audit.files if f.accuracy.rows and f.kind in ("radii", "votes")]
    files.sort(key=lambda f: -_lost(f.accuracy.grid_drop_rows, f.accuracy.rows))
    return tuple(_curve(file, claims.get(file.file, []), rows[file.file]) for file in files)


def _curve(file: AuditedFile, claims: Sequence[Claim], rows: Radii | None) -> Curve:
    """Return certified accuracy of a file, from its rows where they give what the audit counted."""
    units = {"label-flip": "label flips", "discrete": "changed coordinates"}
    model = file.parameters.get("noise_model")
    kind = str(model["name"]) if isinstance(model, Mapping) else "gaussian"
    guarantee = str(file.parameters.get("guarantee", kind))
    right = file.knows_right
    if right is None:  # of an audit that does not say so
        right = any(None not in (claim.label, claim.prediction) for claim in claims)
    if rows is None:
        grid = file.accuracy.certified
        claimed = tuple(Point(point.radius, point.claimed) for point in grid)
        proven = tuple(Point(point.radius, point.proved) for point in grid)
    else:
        claimed = points_of(told for told, _ in rows)
        proven = points_of(held for _, held in rows if held >= 0)
    return Curve(
        title=file.file,
        unit=units.get(kind, f"{file.parameters.get('norm', 'l2')} radius"),
        what="Rows that are right and reach a radius" if right else "Rows that reach a radius",
        of=file.accuracy.rows,
        open=file.accuracy.open,
        right=right,
        whole=rows is not None,
        of_training=None,
        series=(
            Series("claimed", guarantee, "as printed", "declared", claimed),
            Series("proven", guarantee, "down", "declared", proven),
        ),
    )


def _rows(file: AuditedFile, claims: Sequence[Claim]) -> Radii | None:
    """Return claimed and proven radii of the rows that the audit counted, if these are they."""
    if file.kind not in ("radii", "votes"):
        return None
    for right in (True, False):
        found = radii_of(claims, right=right)
        if found is None or any(math.isinf(told) for told, _ in found):
            return None
        if all(
            point.claimed == sum(told >= point.radius for told, _ in found)
            and point.proved == sum(held >= point.radius for _, held in found)
            for point in file.accuracy.certified
        ):
            return radii_of(claims, right=right, downward=True)
    return None


def _not_covered(audit: Audit, kinds: set[str]) -> tuple[str, ...]:
    counts, found = audit.summary, []
    if counts.inconclusive:
        found.append(f"{counts.inconclusive:,} claims that the evidence does not decide.")
    if counts.abstained:
        found.append(f"{counts.abstained:,} rows that abstain: they claim nothing.")
    if audit.broken:
        found.append(f"{len(audit.broken):,} files that should have been read and could not be.")
    if audit.skipped:
        found.append(f"{len(audit.skipped):,} files that are not claims, or not recognised.")
    found += [
        "Whether the implementation did what the files say: the model was not run.",
        "Other changes than those of the property: nothing is said of them.",
        "Whether the test points are like those that the system will meet.",
    ]
    if kinds - {"gaussian", "label-flip", "discrete"}:
        found.append("Claims of other noise than Gaussian, label flips and discrete.")
    return tuple(found)


def _chain(audit: Audit, kinds: set[str]) -> tuple[Link, ...]:
    hashed = bool(audit.files) and all(file.sha256 is not None for file in audit.files)
    words = "files named by SHA-256" if hashed else "no digests of the files"
    links = [Link("files", "declared" if hashed else "not checked", words)]
    evidence = any(file.by_evidence is not None for file in audit.files)
    if evidence:
        links.append(Link("alpha", "declared", "from the evidence given to the audit"))
    elif kinds == {"label-flip"}:
        links.append(Link("alpha", "not checked", "no evidence was given to the audit"))
    else:
        links.append(Link("votes", "declared", "counted by the implementation"))
    links += [
        Link("p", "declared", "what the rows print, as every number that prints so"),
        Link("radius", capped(radius_state(audit)), decided_check(audit).detail),
        Link("signature", "not checked", "the result of an audit is not signed"),
    ]
    return tuple(links)
