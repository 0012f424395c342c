"""Audit results, read closed and held against themselves: what `audit --format json` writes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from certaudit.auditing.verdict import Reason
from certaudit.claims import PARAMETERS, parameter
from certaudit.errors import InputError
from certaudit.exact import json_down, parse_rational
from certaudit.records.store import read_file
from certaudit.report.summary import Count, Verdicts

__all__ = [
    "Audit",
    "AuditedFile",
    "Claim",
    "FindingRow",
    "by_file",
    "converted",
    "radii_of",
    "read_audit",
    "verdicts_of",
]

_MAX_AUDIT: Final = 4 << 30
Size: TypeAlias = Annotated[float, Meta(ge=0)]
VerdictName: TypeAlias = Literal[
    "confirmed", "refuted", "unsupported", "inconclusive", "malformed", "abstained"
]


_COUNTED: Final = ("confirmed", "refuted", "unsupported", "inconclusive", "malformed", "abstained")


class _Closed(Struct, frozen=True, forbid_unknown_fields=True):
    """An object of the report of an audit: docs/format.md."""


class Excess(_Closed, frozen=True):
    """How much is claimed too much, at most."""

    absolute: Size
    printed_units: Size | None = None
    ulps: Size | None = None


class Known(_Closed, frozen=True):
    """What evidence given apart says of a vote."""

    vote: Count
    proved: Count | None
    refuted_at: Count | None
    by: str | None


class Flips(_Closed, frozen=True):
    """Labels whose flips refute a claim."""

    flips: Count
    training_rows: tuple[Count, ...]

    def __post_init__(self) -> None:
        if not self.flips == len(self.training_rows) == len(set(self.training_rows)):
            raise ValueError("a counterexample does not list as many rows as it has flips")


class Claim(_Closed, frozen=True):
    """A claim and its verdict."""

    file: str
    line: Count
    verdict: VerdictName
    findings: tuple[str, ...]
    index: int | float | str | None = None
    label: int | float | str | None = None
    prediction: int | float | str | None = None
    reason: str | None = None
    cause: str | None = None
    claimed_radius: int | float | str | None = None
    proved_radius: float | None = None
    claimed: int | float | str | None = None
    proved: float | None = None
    excess: Excess | None = None
    evidence: Known | None = None
    counterexample: Flips | None = None

    @property
    def says(self) -> int | float | str | None:
        """What is claimed: a radius, else a bound or a share."""
        return self.claimed if self.claimed_radius is None else self.claimed_radius

    @property
    def holds(self) -> float | None:
        """What is proven instead, None where it is not known."""
        return self.proved if self.proved_radius is None else self.proved_radius


class GridPoint(_Closed, frozen=True):
    """How many rows reach a radius, claimed and proven."""

    radius: Size
    claimed: Count
    proved: Count


class Average(_Closed, frozen=True):
    """The average radius."""

    claimed: float | None
    proved: float | None


class Accuracy(_Closed, frozen=True):
    """What overclaims change of certified accuracy."""

    rows: Count
    right: Count
    open: Count
    overclaimed: Count
    largest_excess: Size | None
    grid_drop_rows: Count
    worst_drop_rows: Count
    certified: tuple[GridPoint, ...]
    average_radius: Average


class ByEvidence(_Closed, frozen=True):
    """How many claims evidence was about, and how many it disproved."""

    claims: Count
    disproved: Count


class AuditedFile(Verdicts, frozen=True):
    """What was found in one file."""

    file: str
    kind: Literal["radii", "shares", "votes", "curve"]
    parameters: dict[str, Any]
    inferred: tuple[str, ...]
    formats: dict[str, str]
    accuracy: Accuracy
    by_evidence: ByEvidence | None = None
    knows_right: bool | None = None
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    bytes: Count | None = None


class FindingRow(Struct, frozen=True):
    """A finding in a file; what else is told of it differs from finding to finding."""

    code: str
    name: str
    file: str
    rows: Count
    line: Count
    message: str


class Unread(_Closed, frozen=True):
    """A file that was not audited, and why."""

    file: str
    why: str


class Totals(Verdicts, frozen=True):
    """The sums over all files."""

    files: Count
    skipped: Count
    broken: Count
    accuracy: dict[str, Any]


class Audit(_Closed, frozen=True):
    """The whole report of an audit."""

    claims: tuple[Claim, ...]
    summary: Totals
    findings: tuple[FindingRow, ...]
    files: tuple[AuditedFile, ...]
    skipped: tuple[Unread, ...]
    broken: tuple[Unread, ...]
    certaudit: str | None = None
    format: Literal[1] | None = None
    command: str | None = None


def read_audit(path: Path) -> tuple[Audit, bytes]:
    """Return what `audit --format json` wrote, and its bytes.

    Raises InputError for what it did not write, and where the counts are not those of the claims.
    """
    data = read_file(path, _MAX_AUDIT)
    try:
        found = msgspec.json.decode(data, type=Audit)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        told = f"{path}: is not a report of certaudit audit --format json ({error})"
        raise InputError(told) from None
    try:
        _check(found)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return found, data


def converted(report: dict[str, object]) -> Audit:
    """Return an audit that was made here, as if it had been read."""
    found = msgspec.convert(report, Audit)
    _check(found)
    return found


def by_file(audit: Audit) -> dict[str, list[Claim]]:
    """Return the claims of each file that has any, in their order."""
    claims: dict[str, list[Claim]] = {}
    for claim in audit.claims:
        claims.setdefault(claim.file, []).append(claim)
    return claims


def verdicts_of(counted: AuditedFile | Totals) -> Verdicts:
    """Return the counts of a file, or of all."""
    return Verdicts(**{name: getattr(counted, name) for name in Verdicts.__struct_fields__})


# What is proven of rows that nothing decided is not known: they are in no curve.
_OPEN = frozenset(
    reason.value
    for reason in (Reason.NOT_DECIDED_HERE, Reason.NO_EVIDENCE, Reason.LIMIT, Reason.SAME_SAMPLES)
)


def radii_of(
    claims: Iterable[Claim], *, right: bool, downward: bool = False
) -> list[tuple[float, float]] | None:
    """Return claimed and proven radius of rows that certified accuracy counts; -1: not proven.

    `right` leaves out rows whose prediction is not their label. Radii are to nearest, as audits
    count them; `downward` they and their decimal spellings are not above. None where a radius is no
    number.
    """
    found = []
    for claim in claims:
        silent = claim.verdict in ("abstained", "malformed")
        undecided = claim.verdict == "inconclusive" and claim.reason in _OPEN
        if silent or undecided or (right and claim.label != claim.prediction):
            continue
        claimed = _number(claim.claimed_radius, downward=downward)
        if claimed is None:
            return None
        held = -1.0 if claim.proved_radius is None else claim.proved_radius
        if downward:
            held = json_down(Fraction(held))
        found.append((claimed, claimed if claim.verdict == "confirmed" else min(claimed, held)))
    return found


def _number(value: float | str | None, *, downward: bool = False) -> float | None:
    """Return a number that a row claims, infinity too; None where it is not one."""
    if isinstance(value, str):
        if value.strip().lower().lstrip("+") in ("inf", "infinity"):
            return math.inf
        try:
            exact = parse_rational(value)
            return json_down(exact) if downward else float(exact)
        except (InputError, OverflowError):
            return None
    if value is None:
        return None
    try:
        return json_down(Fraction(repr(value))) if downward else float(value)
    except OverflowError:
        return math.inf


def _check(audit: Audit) -> None:
    """Hold what is summed up against the claims: a count that is wrong would be believed."""
    claims, listed = by_file(audit), Counter(file.file for file in audit.files)
    for name in sorted({*claims, *listed}):
        if listed[name] != 1:
            raise InputError(f"{name!r}: is among the files {listed[name]} times")
    for file in audit.files:
        try:
            _check_file(file, claims.get(file.file, []))
        except InputError as error:
            raise InputError(f"{file.file!r}: {error}") from None
    _check_sums(audit)


def _check_sums(audit: Audit) -> None:
    """Hold the summary against the files."""
    for verdict in (*_COUNTED, "claims"):
        total = sum(getattr(file, verdict) for file in audit.files)
        if getattr(audit.summary, verdict) != total:
            raise InputError(f"summary: {verdict} is not the sum over the files")
    causes: Counter[str] = sum((Counter(file.by_cause) for file in audit.files), Counter())
    if Counter(audit.summary.by_cause) != causes:
        raise InputError("summary: by_cause is not the sum over the files")
    for name in ("files", "skipped", "broken"):
        if getattr(audit.summary, name) != len(getattr(audit, name)):
            raise InputError(f"summary: {name} is not how many are listed")


def _check_file(file: AuditedFile, claims: list[Claim]) -> None:
    """Hold the counts of a file against its claims, and these against themselves."""
    seen = Counter(claim.verdict for claim in claims)
    for verdict in _COUNTED:
        says = getattr(file, verdict)
        if says != seen[verdict]:
            raise InputError(f"says {says} {verdict}, but lists {seen[verdict]}")
    if file.claims != len(claims) - file.abstained:
        raise InputError("claims is not the sum of the verdicts")
    if len({claim.line for claim in claims}) != len(claims):
        raise InputError("lists a line twice")
    causes = Counter(claim.cause for claim in claims if claim.cause)
    if Counter(file.by_cause) != causes:
        raise InputError("by_cause does not count the causes listed")
    _check_parameters(file.parameters)
    if file.by_evidence is not None and file.by_evidence.claims > file.claims:
        raise InputError("by_evidence: is about more claims than there are")
    if file.kind == "shares" and any(claim.claimed_radius is not None for claim in claims):
        raise InputError("kind: shares, and there are radii")
    if file.kind in ("radii", "votes"):
        _check_radii(file, claims)


def _check_parameters(parameters: dict[str, Any]) -> None:
    """Refuse parameters that are none, or outside their domain."""
    for name, value in parameters.items():
        if name in PARAMETERS and not isinstance(value, dict):
            parameter(name, value, "parameters: ")
        elif name not in ("noise_model", "evidence"):
            raise InputError(f"parameters: {name!r} is none")
        elif not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise InputError(f"parameters: {name}: has no name")


def _check_radii(file: AuditedFile, claims: list[Claim]) -> None:
    """Hold verdicts against what is proven, and certified accuracy against both."""
    for claim in claims:
        claimed, held = _number(claim.claimed_radius), claim.proved_radius
        if claimed is None or held is None:
            continue
        # Claims are decided exactly; what is proved is the lower end of an enclosure.
        if claim.verdict == "confirmed" and held < claimed * (1 - 2.0**-30):
            raise InputError(f"line {claim.line}: is confirmed, and less is proved")
        if claim.verdict == "unsupported" and held >= claimed and not claim.findings:
            raise InputError(f"line {claim.line}: is unsupported, and as much is proved")
    rows = radii_of(claims, right=False)
    if rows is None:
        return
    if file.accuracy.rows != len(claims):
        raise InputError("accuracy: rows is not how many are listed")
    unknown = sum(c.verdict == "inconclusive" and c.reason in _OPEN for c in claims)
    if file.accuracy.open != unknown:
        raise InputError("accuracy: open is not how many nothing decided")
    _check_grid(file, rows)


def _check_grid(file: AuditedFile, rows: list[tuple[float, float]]) -> None:
    """Hold certified accuracy, as the audit counted it, against the rows."""
    before = len(rows)
    for point in file.accuracy.certified:
        claimed = sum(told >= point.radius for told, _ in rows)
        proved = sum(held >= point.radius for _, held in rows)
        if point.claimed > min(claimed, before) or point.proved > min(proved, point.claimed):
            raise InputError(f"accuracy: more rows reach radius {point.radius:g} than are listed")
        before = point.claimed
    lost = max((p.claimed - p.proved for p in file.accuracy.certified), default=0)
    if file.accuracy.grid_drop_rows != lost or file.accuracy.worst_drop_rows < lost:
        raise InputError("accuracy: what is lost is not what the counts lose")
