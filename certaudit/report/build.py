"""Puts a report together: the summary as data, and the document that pages are set from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from certaudit import __version__
from certaudit.certify.summary import versions
from certaudit.errors import InputError
from certaudit.exact import parse_rational
from certaudit.io.files import RUN
from certaudit.report.context import Context
from certaudit.report.drawing import reached
from certaudit.report.runs import Material, run_subject
from certaudit.report.subjects import Claimed, audit_subject
from certaudit.report.summary import (
    FORMAT,
    Clause,
    Outcome,
    Series,
    Subject,
    Summary,
    Threshold,
)

__all__ = ["Report", "build"]


_CAUSES = {
    "printed-rounding": "were true, or may have been, before they were rounded to be printed",
    "float-noise": "are above what is proven by float errors",
    "wrong-parameters": "would hold under other parameters than those stated",
}


class Report:
    """A report: what it says as data, every claim behind it, and an exit code.

    `exit_code` is that of audits and verifications: 0 everything confirmed, 1 something refuted or
    unsupported, 2 something that could not be read, 3 something left open, 4 a signature or digest
    that is wrong, 5 nothing to decide.
    """

    def __init__(self, summary: Summary, claims: Sequence[Claimed], codes: frozenset[int]) -> None:
        self.summary, self.claims, self.codes = summary, tuple(claims), codes


def build(
    paths: Sequence[Path],
    context: Context,
    material: Material,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Report:
    """Return the report on run folders and audit results.

    Raises InputError for what is neither, and as run_subject and audit_subject do.
    """
    subjects, claims, codes = [], [], set()
    runs = [path for path in paths if path.is_dir()]
    if len(runs) != 1 and material != Material():
        raise InputError("a key and data belong to one run; there are none or several")
    for path in paths:
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
    summary = Summary(
        format=FORMAT,
        certaudit=__version__,
        outcome=_outcome(subjects, thresholds),
        context=context,
        subjects=tuple(subjects),
        thresholds=thresholds,
        clauses=_clauses(subjects, context),
        environment=versions() | _typesetters(),
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
        return {5}
    found = {1} if counts.refuted or counts.unsupported else set()
    found |= {2} if counts.malformed else set()
    return found | ({3} if counts.inconclusive else set()) or {0}


# Thresholds ------------------------------------------------------------------------------------


def _thresholds(subject: Subject, context: Context) -> list[Threshold]:
    """Return whether a subject reaches what was asked for, for each of its curves' files."""
    policy = context.policy
    if policy.radius is None or policy.accuracy is None:
        return []
    radius, share = float(parse_rational(policy.radius)), parse_rational(policy.accuracy)
    found = []
    for curve in subject.curves:
        bounds = {
            name: _best([s for s in curve.series if s.name == name], radius, whole=curve.whole)
            for name in ("claimed", "proven")
        }
        least, most = bounds["proven"]
        state = "not decided"
        if least >= share * curve.of:
            state = "met"
        elif most < share * curve.of:
            state = "not met"
        found.append(
            Threshold(
                subject=curve.title,
                radius=policy.radius,
                accuracy=policy.accuracy,
                claimed=bounds["claimed"][1],
                proven=least,
                of=curve.of,
                state=state,  # type: ignore[arg-type]
            )
        )
    return found


def _best(series: Sequence[Series], radius: float, *, whole: bool) -> tuple[int, int]:
    """Return the least and the most points that reach a radius by the best of some curves."""
    ends = [reached(each.points, radius, whole=whole) for each in series]
    return max((low for low, _ in ends), default=0), max((high for _, high in ends), default=0)


# What it comes to --------------------------------------------------------------------------------


def _outcome(subjects: Sequence[Subject], thresholds: Sequence[Threshold]) -> Outcome:
    """Return the verdict on everything: good only where nothing is open, wrong or unread."""
    counts = _counts(subjects)
    total = counts["claims"]
    failed = [check for s in subjects for check in s.checks if check.state == "failed"]
    distrust = [check for check in failed if check.step != "claims"]
    below = [each for each in thresholds if each.state == "not met"]
    several, sentences = len(subjects) > 1, list(_sentences(subjects))
    sentences += [f"Verification failed: {check.step}: {check.detail}." for check in distrust]
    sentences += _asked(thresholds)
    violated = [each.what for s in subjects for each in s.assumptions if each.state == "failed"]
    if violated:
        told = ", ".join(violated)
        sentences.append(f"Assumptions that do not hold, so that radii are about less: {told}.")
    sentences += [text for subject in subjects for text in _resting(subject, several=several)]
    wrong = counts["refuted"] + counts["unsupported"]
    if distrust or wrong or below:
        state = "bad"
    else:
        fine = total and counts["confirmed"] == total
        undecided = any(each.state == "not decided" for each in thresholds)
        resting = any(s.kind == "run" and s.chain[3].state != "proved" for s in subjects)
        state = "good" if fine and not (undecided or resting or violated) else "warn"
    return Outcome(state, _headline(total, counts, distrust=bool(distrust)), tuple(sentences))  # type: ignore[arg-type]


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


def _headline(total: int, counts: dict[str, int], *, distrust: bool) -> str:
    if distrust:
        return "This is not to be trusted: the verification failed"
    if not total:
        return "Nothing was claimed, and nothing decided"
    if counts["refuted"]:
        false = counts["refuted"]
        return f"{false:,} of {total:,} claims {'is' if false == 1 else 'are'} false"
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
        "refuted": "refuted: false, as is shown",
        "unsupported": "unsupported: the evidence proves less",
        "inconclusive": "inconclusive: not decided by the evidence",
        "malformed": "malformed: they cannot be read",
    }
    counts = _counts(subjects)
    told = [f"{counts[name]:,} {text}" for name, text in words.items() if counts[name]]
    if told:
        yield f"Of {counts['claims']:,} claims: {'; '.join(told)}."
    for cause, text in _CAUSES.items():
        number = sum(subject.verdicts.by_cause.get(cause, 0) for subject in subjects)
        if number:
            yield f"{number:,} of those that are not confirmed {text}."


def _counts(subjects: Sequence[Subject]) -> dict[str, int]:
    names = ("claims", "confirmed", "refuted", "unsupported", "inconclusive", "malformed")
    return {name: sum(getattr(s.verdicts, name) for s in subjects) for name in names}


def _resting(subject: Subject, *, several: bool) -> list[str]:
    """Return what of a subject was not derived here, and whether it is signed."""
    name, found = f"{subject.name}: " if several else "", []
    links = [link.name for link in subject.chain if link.state == "declared"]
    if links:
        told = ", ".join(links)
        found.append(f"{name}Taken from the files as they say, not derived here: {told}.")
    left = [check.step for check in subject.checks if check.state == "not checked"]
    left = [step for step in left if step not in ("claims", "signature")]
    if left:
        found.append(f"{name}Not checked in full: {', '.join(left)}.")
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
            "",
            "sections 8 to 11: what was measured, how, and what it does not cover",
            "",
        )
    )
    return tuple(found)
