"""Audit results, read closed and held against themselves: what `audit --format json` writes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from certaudit.errors import InputError
from certaudit.records.store import read_file
from certaudit.report.summary import Verdicts

__all__ = ["Audit", "AuditedFile", "Claim", "FindingRow", "converted", "read_audit", "verdicts_of"]

MAX_AUDIT: Final = 4 << 30
VerdictName: TypeAlias = Literal[
    "confirmed", "refuted", "unsupported", "inconclusive", "malformed", "abstained"
]


_COUNTED: Final = ("confirmed", "refuted", "unsupported", "inconclusive", "malformed", "abstained")


class _Closed(Struct, frozen=True, forbid_unknown_fields=True):
    """An object of the report of an audit: docs/format.md."""


class Excess(_Closed, frozen=True):
    """How much is claimed too much, at most."""

    absolute: float
    printed_units: float | None = None
    ulps: float | None = None


class Known(_Closed, frozen=True):
    """What evidence given apart says of a vote."""

    vote: int
    proved: int | None
    refuted_at: int | None
    by: str | None


class Flips(_Closed, frozen=True):
    """Labels whose flips refute a claim."""

    flips: int
    training_rows: tuple[int, ...]


class Claim(_Closed, frozen=True):
    """A claim and its verdict."""

    file: str
    line: int
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

    radius: float
    claimed: int
    proved: int


class Average(_Closed, frozen=True):
    """The average radius."""

    claimed: float | None
    proved: float | None


class Accuracy(_Closed, frozen=True):
    """What overclaims change of certified accuracy."""

    rows: int
    right: int
    open: int
    overclaimed: int
    largest_excess: float | None
    grid_drop_rows: int
    worst_drop_rows: int
    certified: tuple[GridPoint, ...]
    average_radius: Average


class ByEvidence(_Closed, frozen=True):
    """How many claims evidence was about, and how many it disproved."""

    claims: int
    disproved: int


class AuditedFile(Verdicts, frozen=True):
    """What was found in one file."""

    file: str
    kind: str
    parameters: dict[str, Any]
    inferred: tuple[str, ...]
    formats: dict[str, str]
    accuracy: Accuracy
    by_evidence: ByEvidence | None = None
    sha256: str | None = None
    bytes: int | None = None


class FindingRow(Struct, frozen=True):
    """A finding in a file; what else is told of it differs from finding to finding."""

    code: str
    name: str
    file: str
    rows: int
    line: int
    message: str


class Unread(_Closed, frozen=True):
    """A file that was not audited, and why."""

    file: str
    why: str


class Totals(Verdicts, frozen=True):
    """The sums over all files."""

    files: int
    skipped: int
    broken: int
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
    data = read_file(path, MAX_AUDIT)
    try:
        found = msgspec.json.decode(data, type=Audit)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = f"{str(error)[:1].lower()}{str(error)[1:]}"
        raise InputError(
            f"{path}: is not a report of certaudit audit --format json ({text})"
        ) from None
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


def verdicts_of(counted: AuditedFile | Totals) -> Verdicts:
    """Return the counts of a file, or of all."""
    names = [name for name in Verdicts.__struct_fields__ if name != "by_cause"]
    counts = {name: getattr(counted, name) for name in names}
    return Verdicts(**counts, by_cause=counted.by_cause)


def _check(audit: Audit) -> None:
    """Hold the sums against the claims: a count that is wrong would be believed."""
    _check_files(audit)
    for verdict in (*_COUNTED, "claims"):
        total = sum(getattr(file, verdict) for file in audit.files)
        if getattr(audit.summary, verdict) != total:
            raise InputError(f"summary: {verdict} is not the sum over the files")
    for name in ("files", "skipped", "broken"):
        if getattr(audit.summary, name) != len(getattr(audit, name)):
            raise InputError(f"summary: {name} is not how many are listed")


def _check_files(audit: Audit) -> None:
    """Hold the counts of each file against its claims."""
    seen: dict[str, Counter[str]] = {}
    for claim in audit.claims:
        seen.setdefault(claim.file, Counter())[claim.verdict] += 1
    names = _COUNTED
    told: dict[str, Counter[str]] = {}
    for file in audit.files:
        told.setdefault(file.file, Counter()).update({n: getattr(file, n) for n in names})
        if file.claims != sum(getattr(file, n) for n in names if n != "abstained"):
            raise InputError(f"{file.file!r}: claims is not the sum of the verdicts")
    for name in sorted({*seen, *told}):
        for verdict in names:
            says, lists = told.get(name, Counter())[verdict], seen.get(name, Counter())[verdict]
            if says != lists:
                raise InputError(f"{name!r}: says {says} {verdict}, but lists {lists}")
