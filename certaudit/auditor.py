"""Audits of files, folders and data frames: `certaudit audit`, and `audit` in Python."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path, PurePosixPath

from certaudit.auditing.curve import Reached, audit_curve
from certaudit.auditing.log import FileFinding, FileReport, Options, Rows, Sink, audit_source
from certaudit.auditing.mend import mended
from certaudit.auditing.parameters import Candidates
from certaudit.auditing.verdict import CAUSES, REASONS, VERDICTS, Verdict
from certaudit.claims import PARAMETERS, Source, Stated, parameter
from certaudit.errors import InputError
from certaudit.exact import Number
from certaudit.findings import BITS, STOPPED_EARLY
from certaudit.io.claims import (
    Broken,
    Skipped,
    check_rewrite,
    frame_source,
    rewrite,
    sources,
)

__all__ = ["Report", "audit", "audit_sources", "claim_objects", "make_options"]

_COUNTED = ("radii", "votes")
"""Kinds of files with a certified accuracy."""
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")


@dataclass(slots=True)
class Report:
    """What an audit found: a report for each file, and what was skipped.

    `claims` has an object for each row, if they were asked for.
    """

    files: list[FileReport] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    """Files that should have been audited and cannot be read."""
    claims: list[dict[str, object]] = field(default_factory=list)

    @property
    def verdicts(self) -> Counter[str]:
        """How many rows have each verdict."""
        return sum((file.verdicts for file in self.files), Counter())

    def summary(self) -> dict[str, object]:
        """Return the totals as plain JSON values."""
        verdicts = self.verdicts
        causes: Counter[str] = sum((file.causes for file in self.files), Counter())
        return {
            "files": len(self.files),
            "skipped": len(self.skipped),
            "broken": len(self.broken),
            "claims": sum(file.claims for file in self.files),
            **{verdict.value: verdicts[verdict.value] for verdict in VERDICTS},
            "by_cause": {c.value: causes[c.value] for c in CAUSES if causes[c.value]},
            "accuracy": self._accuracy(),
        }

    def _accuracy(self) -> dict[str, object]:
        files = [file for file in self.files if file.effect.rows and file.kind in _COUNTED]
        effects = [file.effect for file in files]
        found: dict[str, object] = {
            "right": sum(effect.right for effect in effects),
            "rows": sum(effect.rows for effect in effects),
            "open": sum(effect.open for effect in effects),
            "overclaimed": sum(effect.overclaimed for effect in effects),
        }
        for name, lose in (("grid_drop", "grid_drop"), ("worst_drop", "accuracy_drop")):
            largest: tuple[Fraction, dict[str, object]] | None = None
            for file in files:
                effect = file.effect
                lost = getattr(effect, lose)()
                share = Fraction(lost, effect.rows)
                if largest is None or share > largest[0]:
                    largest = (
                        share,
                        {
                            "rows": lost,
                            "of": effect.rows,
                            "file": file.name,
                            "radii": ", ".join(f"{r:g}" for r in effect.grid[:4]) + ", ...",
                        },
                    )
            found[name] = None if largest is None else largest[1]
        return found

    def as_json(self) -> dict[str, object]:
        """Return the whole report as plain JSON values."""
        return {
            "summary": self.summary(),
            "findings": [f.as_json(file.name) for file in self.files for f in file.findings],
            "files": [file.as_json() for file in self.files],
            "skipped": [{"file": skipped.name, "why": skipped.why} for skipped in self.skipped],
            "broken": [{"file": broken.name, "why": broken.why} for broken in self.broken],
            "claims": self.claims,
        }


def make_options(
    *, more_samples: Sequence[int] = (), more_failure_probs: Sequence[Number] = (), **stated: object
) -> Options:
    """Return options from parameters as people write them: exact numbers as text, words.

    `stated` are PARAMETERS; None is not stated. Raises InputError for a value outside its domain.
    """
    found: dict[str, Stated] = {}
    for name, value in stated.items():
        if value is not None:
            if name not in PARAMETERS:
                raise InputError(f"{name}: no such parameter")
            found[name] = Stated(parameter(name, value, ""), "option")
    sizes = [int(parameter("samples", value, "")) for value in more_samples]
    chances = [Fraction(parameter("failure_prob", value, "")) for value in more_failure_probs]
    return Options(found, Candidates().with_more(sizes, chances))


def audit(
    claims: object,
    *,
    columns: Mapping[str, str] | None = None,
    profile: str = "auto",
    keep_claims: bool = True,
    more_samples: Sequence[int] = (),
    more_failure_probs: Sequence[Number] = (),
    **stated: object,
) -> Report:
    """Return a verdict on every claim of a file, a folder or a data frame.

    `claims` is a path, or a data frame (pandas, polars) or mapping of column names to values.
    `columns` maps our column names to theirs ("radius": "r"). What files do not state can be stated
    here: sigma, samples, failure_prob, sides, norm, dimension, q, classes, alpha, values,
    guarantee, training_labels, vote, selection, rounding; exact numbers as text ("0.25").
    `more_samples`, `more_failure_probs` are tried too where the parameters are inferred.

    Raises InputError for what cannot be read, never for a single row.
    """
    options = make_options(
        more_samples=more_samples, more_failure_probs=more_failure_probs, **stated
    )
    if isinstance(claims, str | Path):
        found: Iterator[Source | Skipped | Broken] = sources(
            Path(claims), columns=columns, profile=profile
        )
    else:
        found = iter([frame_source(claims, columns=columns)])
    kept: list[dict[str, object]] = []
    sink = (lambda rows: kept.extend(claim_objects(rows))) if keep_claims else None
    report = audit_sources(found, options, sink)
    report.claims = kept
    return report


def audit_sources(
    found: Iterator[Source | Skipped | Broken],
    options: Options,
    sink: Sink | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Audit sources one after the other, curves after the logs they may have been made from."""
    report = Report()
    readable: list[Source] = []
    for item in found:
        if isinstance(item, Skipped):
            report.skipped.append(item)
        elif isinstance(item, Broken):
            report.broken.append(item)
        else:
            readable.append(item)
    logs = Counter(_stem(source.name) for source in readable if source.kind != "curve")
    # A curve of which several logs could be the log has none.
    curves = {_stem(s.name) for s in readable if s.kind == "curve" and logs[_stem(s.name)] == 1}
    reached: dict[str, Reached] = {}
    readable.sort(key=lambda source: source.kind == "curve")
    for done, source in enumerate(readable):
        if progress is not None:
            progress(done, len(readable))
        if source.kind != "curve" and _stem(source.name) in curves:
            reached[_stem(source.name)] = Reached()
        try:
            report.files.append(_audit_one(source, options, sink, reached))
        except InputError as error:
            if len(readable) == 1:
                raise
            report.broken.append(Broken(source.name, str(error).removeprefix(f"{source.name}: ")))
    _stopped_early(report.files)
    return report


def _audit_one(
    source: Source, options: Options, sink: Sink | None, reached: dict[str, Reached]
) -> FileReport:
    if source.kind == "curve":
        curve = replace(source, stated={**source.stated, **options.stated})
        return audit_curve(curve, reached.get(_stem(source.name)), sink)
    return audit_source(source, options, _both(sink, reached.get(_stem(source.name))))


def _both(first: Sink | None, second: Sink | None) -> Sink | None:
    if first is None or second is None:
        return first or second

    def both(rows: Rows) -> None:
        first(rows)
        second(rows)

    return both


def _stem(name: str) -> str:
    """Return the name of a log without its suffix, or of the log that a curve belongs to."""
    path = PurePosixPath(name)
    known = path.suffix in (".csv", ".tsv", ".txt", ".jsonl", ".log")
    stem = path.name.removesuffix(path.suffix) if known else path.name
    return str(path.with_name(stem.removesuffix("_acc") or stem))


def _stopped_early(files: list[FileReport]) -> None:
    """Mark logs that end before others with the same step of indexes do."""
    furthest: dict[int, int] = {}
    for file in files:
        if file.step is not None and file.last is not None and file.step > 0:
            furthest[file.step] = max(furthest.get(file.step, 0), file.last)
    for file in files:
        if file.step is None or file.last is None:
            continue
        if file.last < (most := furthest.get(file.step, 0)):
            text = f"ends at index {file.last}; others with step {file.step} go on to {most}"
            file.findings.append(FileFinding(STOPPED_EARLY, 0, 0, text))


def claim_objects(rows: Rows) -> Iterator[dict[str, object]]:
    """Yield an object for each row, with plain JSON values; malformed rows after the others."""
    chunk, judged = rows.chunk, rows.judged
    columns = chunk.columns
    names = [name for name in ("index", "label", "prediction") if name in columns]
    texts = columns.get("radius") or columns.get("p_lower") or columns.get("accuracy")
    proved_name = "proved_radius" if "radius" in columns else "proved"
    claimed_name = "claimed_radius" if "radius" in columns else "claimed"
    codes = list(BITS.items())
    for row in range(len(chunk.lines)):
        verdict = VERDICTS[judged.verdict[row]]
        bits = int(judged.findings[row])
        found: dict[str, object] = {"file": rows.source.name, "line": int(chunk.lines[row])}
        found |= {name: _plain(columns[name][row]) for name in names}
        found["verdict"] = verdict.value
        if verdict is not Verdict.CONFIRMED:
            found["reason"] = REASONS[judged.reason[row]].value
            found["cause"] = CAUSES[judged.cause[row]].value or None
        found["findings"] = [code for code, bit in codes if bits & bit] if bits else []
        found[claimed_name] = _plain(texts[row]) if texts else None
        proved = float(judged.proved[row])
        found[proved_name] = proved if math.isfinite(proved) else None
        if verdict not in (Verdict.CONFIRMED, Verdict.ABSTAINED, Verdict.MALFORMED):
            found["excess"] = _excess(
                float(judged.excess[row]), float(judged.unit[row]), float(judged.claimed[row])
            )
        yield found
    for line, why in chunk.malformed:
        yield {
            "file": rows.source.name,
            "line": line,
            "verdict": Verdict.MALFORMED.value,
            "reason": why,
            "cause": None,
            "findings": [],
        }


def _excess(excess: float, unit: float, claimed: float) -> dict[str, object] | None:
    if not math.isfinite(excess):
        return None
    found: dict[str, object] = {"absolute": excess}
    if unit:
        found["printed_units"] = excess / unit
    if math.isfinite(claimed) and claimed:
        found["ulps"] = excess / math.ulp(claimed)
    return found


def _plain(text: str) -> object:
    """Return a number where a text is one that JSON keeps as it is, else the text, cut."""
    if len(text) <= 24 and _NUMBER.fullmatch(text):
        if len(text) <= 15 and text.lstrip("-").isdigit():
            return int(text)
        value = float(text)
        if math.isfinite(value):
            return value
    return text if len(text) <= 40 else text[:37] + "..."


def fix_log(
    path: Path,
    output: Path,
    options: Options,
    *,
    columns: Mapping[str, str] | None = None,
    profile: str = "auto",
) -> tuple[int, int]:
    """Write a log again with what is proved, rounded down in its own format, and a manifest.

    Rows of which nothing is proved become abstentions; rows that cannot be read, or that nothing
    decides, stay as they are. The manifest beside `output` states that it is rounded down, and the
    parameters that were used. Returns how many rows were changed, and how many unconfirmed ones
    were left.

    Raises InputError for a file whose format cannot be written, and as audit does.
    """
    check_rewrite(path, output, columns)
    found = list(sources(path, columns=columns, profile=profile))
    source = found[0] if len(found) == 1 else None
    if not isinstance(source, Source) or source.kind == "curve":
        raise InputError(f"{path}: --fix writes one log of claims")
    changes: dict[int, dict[str, str]] = {}
    left = 0

    def take(rows: Rows) -> None:
        nonlocal left
        changed, kept = mended(rows)
        changes.update(changed)
        left += kept + len(rows.chunk.malformed)

    report = audit_source(source, options, take)
    if "noise" in report.parameters and source.kind != "shares":
        raise InputError(f"{path}: radii for {report.parameters['noise']} noise are not decided")
    manifest = _manifest(report, {**source.stated, **options.stated})
    rewrite(path, output, changes, manifest, columns=columns)
    return len(changes), left


def _manifest(report: FileReport, stated: Mapping[str, Stated]) -> dict[str, object]:
    """Return a manifest that states what was stated; what was inferred is told, and not stated."""
    known = dict(report.parameters)
    inferred = {name: known.pop(name) for name in report.inferred}
    for name in ("classes", "training_labels"):
        if name in stated:
            known[name] = stated[name].value
    known["rounding"] = "down"
    sigma = known.pop("sigma", None)
    if known.pop("noise", None) is None and sigma is not None:
        known["noise_model"] = {"name": "gaussian", "sigma": sigma}
    found: dict[str, object] = {"certaudit-claims": 1, **known}
    return found | {"annotations": {"inferred": inferred}} if inferred else found
