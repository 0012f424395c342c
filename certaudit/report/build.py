"""Puts a report together: the summary as data, and the document that pages are set from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from certaudit import __version__
from certaudit.certify.summary import versions
from certaudit.errors import InputError
from certaudit.exact import parse_rational
from certaudit.io.files import RUN
from certaudit.report.context import Context
from certaudit.report.drawing import reached
from certaudit.report.runs import TRUST, Material, run_subject
from certaudit.report.subjects import Claimed, audit_subject, number
from certaudit.report.summary import (
    FORMAT,
    Clause,
    Input,
    Outcome,
    Series,
    Subject,
    Summary,
    Threshold,
)

__all__ = ["Report", "build"]


_DERIVED = ("CA101", "CA102", "CA103", "CA105")
"""Findings of rows that may be true, and do not follow from their own numbers."""
_WORDS = {
    "data": "the data",
    "alpha": "the weights of the training labels (alpha)",
    "p": "the bounds on the vote share (p)",
    "log_error": "the bounds on the vote share",
    "votes": "the votes",
    "files": "the files",
    "radius": "the radii",
    "radius.exact": "exact radii by the independent checker",
    "unsmoothed": "accuracy without noise",
    "other records": "records outside the sample",
}
"""What links and steps are called on the first page."""
_CAUSES = {
    "printed-rounding": "were true, or may have been, before they were rounded to be printed",
    "float-noise": "are above what is proven by float errors",
    "wrong-parameters": "would hold under other parameters than those stated",
}


class Report:
    """A report: what it says as data, every claim behind it, and exit codes.

    `codes` are exit codes as of audits and verifications, of which the worst counts: 0 everything
    confirmed, 1 something refuted or unsupported, or what is asked for not met, 2 something that
    could not be read, 3 something left open, 4 a signature or digest that is wrong, 5 nothing to
    decide.
    """

    def __init__(self, summary: Summary, claims: Sequence[Claimed], codes: frozenset[int]) -> None:
        self.summary, self.claims, self.codes = summary, tuple(claims), codes


def build(
    paths: Sequence[Path],
    context: Context,
    material: Material,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    *,
    context_file: Input | None = None,
) -> Report:
    """Return the report on run folders and audit results.

    Raises InputError for what is neither, and as run_subject and audit_subject do.
    """
    subjects, claims, codes = [], [], set()
    runs = [path for path in paths if path.is_dir()]
    if len(runs) != 1 and material != Material():
        raise InputError("a key and data belong to one run; there are none or several")
    for path in paths:
        if [each.resolve() for each in paths].count(path.resolve()) > 1:
            raise InputError(f"{path}: is given twice")
        if path.is_dir():
            if not (path / RUN).exists():
                raise InputError(
                    f"{path}: is not a run (no {RUN}); of a folder of logs: "
                    f"certaudit audit {path} --format json -o audit.json, and then report on that"
                )
            subject, claimed, code = run_subject(path, material, progress)
            codes |= {code} - {0}
        else:
            subject, claimed = audit_subject(path)
        codes |= _codes(subject)
        subjects.append(subject)
        claims.append(claimed)
    thresholds = tuple(each for subject in subjects for each in _thresholds(subject, context))
    codes |= {1} if any(each.state == "not met" for each in thresholds) else set()
    if any(each.state == "not decided" for each in thresholds) or _weaker(subjects):
        codes |= {3}
    summary = Summary(
        format=FORMAT,
        certaudit=__version__,
        outcome=_outcome(subjects, thresholds),
        context=context,
        subjects=tuple(subjects),
        thresholds=thresholds,
        clauses=_clauses(subjects, context),
        environment=versions() | _typesetters(),
        context_file=context_file,
    )
    return Report(summary, claims, frozenset(codes))


def _typesetters() -> dict[str, str]:
    """Return the versions of what sets pages, where it is there: their bytes depend on it."""
    found = {}
    for name in ("jinja2", "typst"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _codes(subject: Subject) -> set[int]:
    """Return the exit codes that an audit with these verdicts has."""
    counts = subject.verdicts
    if not counts.claims:
        return {2} if subject.broken else {5}
    found = {1} if counts.refuted or counts.unsupported else set()
    found |= {2} if counts.malformed or subject.broken else set()
    return found | ({3} if counts.inconclusive else set()) or {0}


# Thresholds ------------------------------------------------------------------------------------


def _thresholds(subject: Subject, context: Context) -> list[Threshold]:
    """Return whether a subject reaches what was asked for, for each of its curves' files."""
    policy = context.policy
    if policy.radius is None or policy.accuracy is None:
        return []
    radius, share = parse_rational(policy.radius), parse_rational(policy.accuracy)
    found = []
    for curve in subject.curves:
        bounds = {
            name: _best([s for s in curve.series if s.name == name], radius, whole=curve.whole)
            for name in ("claimed", "proven")
        }
        least, most = bounds["proven"]
        attacked = [s for s in curve.series if s.name == "under attack" and s.depth == "proved"]
        if attacked:  # no certificate can be true of more
            most = _best(attacked, radius, whole=curve.whole)[1]
        elif subject.verdicts.inconclusive:  # some of these may be true
            most = max(most, bounds["claimed"][1])
        most += curve.open
        state: Literal["met", "not met", "not decided"] = "not decided"
        if least >= share * curve.of and curve.right:
            state = "met"
        elif most < share * curve.of:
            state = "not met"
        found.append(
            Threshold(
                subject=curve.title,
                radius=policy.radius,
                unit=curve.unit,
                accuracy=policy.accuracy,
                claimed=bounds["claimed"][0],
                proven=least,
                of=curve.of,
                state=state,
            )
        )
    if not found:
        nothing = Threshold(
            subject=subject.name,
            radius=policy.radius,
            unit="",
            accuracy=policy.accuracy,
            claimed=None,
            proven=None,
            of=0,
            state="not decided",
        )
        found.append(nothing)
    return found


def _best(series: Sequence[Series], radius: Fraction, *, whole: bool) -> tuple[int, int]:
    """Return the least and the most points that reach a radius by the best of some curves."""
    ends = [reached(each.points, radius, whole=whole) for each in series]
    return max((low for low, _ in ends), default=0), max((high for _, high in ends), default=0)


# What it comes to --------------------------------------------------------------------------------


def _outcome(subjects: Sequence[Subject], thresholds: Sequence[Threshold]) -> Outcome:
    """Return the verdict on everything: good only where nothing is open, wrong or unread."""
    counts = _counts(subjects)
    total = counts["claims"]
    failed = [c for s in subjects for c in s.checks if c.state == "failed" and c.step != "claims"]
    distrust = [check for check in failed if check.step in TRUST]
    several, sentences = len(subjects) > 1, list(_sentences(subjects))
    sentences += [f"Verification failed: {check.step}: {check.detail}." for check in failed]
    broken = sum(subject.broken for subject in subjects)
    if broken:
        sentences.append(f"{number(broken, 'file')} that should have been read could not be.")
    sentences += _asked(thresholds)
    weaker = _weaker(subjects)
    sentences += weaker
    sentences += [text for subject in subjects for text in _resting(subject, several=several)]
    wrong = counts["refuted"] + counts["unsupported"]
    below = any(each.state == "not met" for each in thresholds)
    state: Literal["good", "warn", "bad"] = "warn"
    if failed or wrong or below:
        state = "bad"
    elif total and counts["confirmed"] == total and not (broken or weaker):
        undecided = any(each.state == "not decided" for each in thresholds)
        # A signature proves who says so, not that it is true: the other links have to be proved.
        resting = any(link.state != "proved" for s in subjects for link in s.chain[:-1])
        empty = any(not subject.verdicts.claims for subject in subjects)
        state = "warn" if undecided or resting or empty else "good"
    headline = _headline(total, counts)
    if distrust:
        headline = "This is not to be trusted: the verification failed"
    elif failed and not wrong:
        headline = "The verification found a false statement"
    elif below and not wrong:
        headline = "The accuracy that was asked for is not proven"
    return Outcome(state, headline, tuple(sentences))


def _weaker(subjects: Sequence[Subject]) -> list[str]:
    """Return why what is confirmed is about less, or true for other reasons than those given."""
    found = []
    violated = [each.what for s in subjects for each in s.assumptions if each.state == "failed"]
    if violated:
        told = ", ".join(violated)
        found.append(f"Assumptions that do not hold, so that radii are about less: {told}.")
    codes = [f.code for s in subjects if s.kind == "run" for f in s.findings if f.code in _DERIVED]
    if codes:
        told = ", ".join(codes)
        found.append(f"Some numbers do not follow from what they are derived from: {told}.")
    return found


def _asked(thresholds: Sequence[Threshold]) -> list[str]:
    """Return whether what was asked for is proven, in a sentence."""
    if not thresholds:
        return []
    one = thresholds[0]
    asked = f"The certified accuracy asked for, {one.accuracy} at radius {one.radius}"
    met = sum(each.state == "met" for each in thresholds)
    open_ = sum(each.state == "not decided" for each in thresholds)
    if len(thresholds) == 1:
        words = {"met": "is met", "not met": "is NOT met", "not decided": "is not decided"}
        return [f"{asked}, {words[one.state]} by what is proven."]
    words_open = f", not decided of {open_:,}" if open_ else ""
    return [f"{asked}, is met by what is proven of {met:,} of {len(thresholds):,}{words_open}."]


def _headline(total: int, counts: dict[str, int]) -> str:
    if not total:
        return "Nothing was claimed, and nothing decided"
    if counts["refuted"]:
        false = counts["refuted"]
        return f"{false:,} of {total:,} claims {'is' if false == 1 else 'are'} refuted"
    if counts["unsupported"]:
        more = counts["unsupported"]
        return f"{more:,} of {total:,} claims say more than is proven"
    if counts["confirmed"] == total:
        return f"All {total:,} claims are confirmed" if total > 1 else "The claim is confirmed"
    return f"{counts['confirmed']:,} of {total:,} claims are confirmed, the others are not decided"


def _sentences(subjects: Sequence[Subject]) -> Iterator[str]:
    """Yield the verdicts in a sentence, and causes where many claims have the same."""
    words = {
        "confirmed": "confirmed",
        "refuted": "refuted: disproved, as is shown",
        "unsupported": "unsupported: the evidence proves less",
        "inconclusive": "inconclusive: not decided by the evidence",
        "malformed": "malformed: they cannot be read",
    }
    counts = _counts(subjects)
    told = [f"{counts[name]:,} {text}" for name, text in words.items() if counts[name]]
    if told:
        yield f"Of {counts['claims']:,} claims: {'; '.join(told)}."
    for cause, text in _CAUSES.items():
        rows = sum(subject.verdicts.by_cause.get(cause, 0) for subject in subjects)
        if rows:
            yield f"{rows:,} of those that are not confirmed {text}."


def _counts(subjects: Sequence[Subject]) -> dict[str, int]:
    names = ("claims", "confirmed", "refuted", "unsupported", "inconclusive", "malformed")
    return {name: sum(getattr(s.verdicts, name) for s in subjects) for name in names}


def _resting(subject: Subject, *, several: bool) -> list[str]:
    """Return what of a subject was not derived here, and whether it is signed."""
    name, found = f"{subject.name}: " if several else "", []
    links = [link.name for link in subject.chain if link.state == "declared"]
    if links and subject.kind == "run":
        told = ", ".join(_WORDS.get(name, name) for name in links)
        found.append(f"{name}Taken from the files as they say, not derived here: {told}.")
    left = [check.step for check in subject.checks if check.state == "not checked"]
    left = [step for step in left if step not in ("claims", "signature", *links)]
    if left:
        told = ", ".join(_WORDS.get(step, step) for step in left)
        found.append(f"{name}Not checked in full: {told}.")
    if subject.kind == "audit":
        text = f"The verdicts are those that {subject.name} states; nothing was audited again here."
        found.append(text)
    last = subject.chain[-1]
    words = {"proved": "The signature is that of the key given.", "failed": ""}
    found.append(name + words.get(last.state, f"Signature: {last.detail}."))
    return [text for text in found if text != name]


# Clauses -----------------------------------------------------------------------------------------


def _clauses(subjects: Sequence[Subject], context: Context) -> tuple[Clause, ...]:
    """Return which clauses the report supports, and what it lacks for them."""
    told = context.identification
    missing = [
        word
        for word, value in (("a date", told.date), ("a responsible person", told.responsible))
        if value is None
    ]
    missing.append("the signature of that person under this report")
    act, iso = "EU AI Act", "ISO/IEC 24029-2:2023"
    found = [
        Clause(
            act,
            "Annex IV 2(g)",
            "test logs and reports, dated and signed by the responsible persons",
            "sections 1, 8, 12 and 14: results by claim, digests, the commands that give them",
            f"not in this report: {', '.join(missing)}",
        )
    ]
    if any("label flips" in curve.unit for s in subjects for curve in s.curves):
        found.append(
            Clause(
                act,
                "Article 15(5)",
                "names data poisoning",
                "sections 3, 4, 8 and 10: how many training labels may be changed, proven",
                "other kinds of poisoning, and other attacks (section 11)",
            )
        )
    for clause, about in (
        ("6.2.1.2", "whether a method is complete or incomplete"),
        ("6.2.1.3", "whether it is deterministic or not"),
        ("6.2.1.4", "whether it takes a glass or a closed box"),
        ("6.2.1.5", "whether it holds in real or in computer arithmetic"),
    ):
        found.append(Clause(iso, clause, about, "section 6", ""))
    found.append(
        Clause(
            "NIST AI RMF",
            "MEASURE 2.7",
            "not quoted here",
            "sections 8 to 11: what was measured, how, and what it does not cover",
            "",
        )
    )
    return tuple(found)
