"""What a report says, as data: the JSON of `certaudit report`, and what pages are made of.

Numbers are text where their spelling matters. Each fact that is a number has a basis: by which
guarantee, rounded to which side, checked how far.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from certaudit.report.blocks import Fact
from certaudit.report.context import Context

__all__ = [
    "FORMAT",
    "Assumption",
    "Check",
    "Clause",
    "Count",
    "Counterexample",
    "Curve",
    "FileResult",
    "Finding",
    "Input",
    "Link",
    "Outcome",
    "Overclaim",
    "Point",
    "Refuted",
    "Series",
    "State",
    "Subject",
    "Summary",
    "Theorem",
    "Threshold",
    "Verdicts",
    "encode",
    "json_schema",
]

FORMAT: Final = 1
"""Changes when a member changes its meaning."""

State: TypeAlias = Literal["proved", "declared", "not checked", "failed"]
"""Of a step: derived here from what is named; somebody's word; neither; contradicted."""


Count: TypeAlias = Annotated[int, Meta(ge=0)]


class _Closed(Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON object without other members."""


class Input(_Closed, frozen=True):
    """A file that the report was made from, or that an audit read."""

    name: str
    sha256: str | None
    bytes: int | None


class Verdicts(_Closed, frozen=True):
    """How many claims have each verdict; `abstained` rows claim nothing and are not in `claims`."""

    claims: Count
    confirmed: Count
    refuted: Count
    unsupported: Count
    inconclusive: Count
    malformed: Count
    abstained: Count
    by_cause: dict[str, Count]


class Check(_Closed, frozen=True):
    """A step of the verification: what was checked, to what end."""

    step: str
    state: State
    detail: str


class Link(_Closed, frozen=True):
    """A link of the chain from data to signature: what it is, its state, and what that rests on."""

    name: str
    state: State
    detail: str


class Theorem(_Closed, frozen=True):
    """What makes a guarantee true: statement, source, and where its proof is."""

    guarantee: str
    statement: str
    source: str
    proof: str


class Assumption(_Closed, frozen=True):
    """What is taken as fixed, and whether that was checked."""

    what: str
    value: str
    state: State


class Point(_Closed, frozen=True):
    """How many of the points (or rows) reach a radius."""

    radius: float
    count: int


class Series(_Closed, frozen=True):
    """A curve: the number that reaches each radius, constant between two radii.

    `name` is "claimed", "proven" or "under attack" (an upper bound on what any true certificate
    can reach).
    """

    name: Literal["claimed", "proven", "under attack"]
    guarantee: str
    side: Literal["down", "up", "exact", "as printed"]
    depth: State
    points: tuple[Point, ...]


class Curve(_Closed, frozen=True):
    """Certified accuracy against radius: of how many, in which unit, claimed and proven.

    Of `open` more nothing is known to be proven. `right` says that those counted are known to be
    classified right. `whole` says that every change of the curve is there; else counts are known at
    these radii only. `of_training` is how many training labels there are, where the radius counts
    them.
    """

    title: str
    unit: str
    what: str
    of: int
    open: int
    right: bool
    whole: bool
    of_training: int | None
    series: tuple[Series, ...]


class Overclaim(_Closed, frozen=True):
    """A claim that says more than is proven."""

    file: str
    line: int
    index: str
    verdict: str
    cause: str
    claimed: str
    proven: str
    excess: str
    printed_units: str


class Counterexample(_Closed, frozen=True):
    """Flips that change the vote; `smallest` if it is proven that no fewer do."""

    flips: int
    smallest: bool
    training_rows: tuple[int, ...]


class Refuted(_Closed, frozen=True):
    """A claim that is false, why, and what shows it."""

    file: str
    line: int
    index: str
    claimed: str
    proven: str
    reason: str
    counterexample: Counterexample | None


class Finding(_Closed, frozen=True):
    """Something a reader should know: a stable code, in how many rows, where first."""

    code: str
    name: str
    file: str
    rows: int
    message: str


class FileResult(_Closed, frozen=True):
    """What an audit found in one file."""

    file: str
    verdicts: Verdicts
    parameters: str
    inferred: tuple[str, ...]
    rows: int
    lost: int
    """The most rows that a radius of the audit's grid loses from claimed to proven."""
    lost_anywhere: int
    """The most that any radius loses."""


class Threshold(_Closed, frozen=True):
    """An accuracy that was asked for at a radius before the numbers were known.

    `claimed` and `proven` are how many of `of` reach it; `proven` errs downward, and `state` is
    "not decided" where the numbers do not settle it.
    """

    subject: str
    radius: str
    unit: str
    accuracy: str
    claimed: int | None
    proven: int | None
    of: int
    state: Literal["met", "not met", "not decided"]


class Clause(_Closed, frozen=True):
    """A clause of a standard or law that parts of the report support; never more than that."""

    document: str
    clause: str
    about: str
    supports: str
    missing: str


class Subject(_Closed, frozen=True):
    """A run or an audit that the report is about."""

    kind: Literal["run", "audit"]
    name: str
    about: str
    inputs: tuple[Input, ...]
    audited: tuple[Input, ...]
    identification: tuple[Fact, ...]
    domain: tuple[Fact, ...]
    theorems: tuple[Theorem, ...]
    assumptions: tuple[Assumption, ...]
    method: tuple[Fact, ...]
    sampling: tuple[Fact, ...]
    results: tuple[Fact, ...]
    verdicts: Verdicts
    files: tuple[FileResult, ...]
    curves: tuple[Curve, ...]
    worst: tuple[Overclaim, ...]
    refuted: tuple[Refuted, ...]
    refuted_left_out: int
    findings: tuple[Finding, ...]
    unread: tuple[str, ...]
    not_covered: tuple[str, ...]
    commands: tuple[str, ...]
    environment: tuple[Fact, ...]
    checks: tuple[Check, ...]
    chain: tuple[Link, ...]
    remarks: tuple[str, ...]
    adversary: tuple[str, ...]
    broken: int
    """Files that should have been audited and could not be read."""


class Outcome(_Closed, frozen=True):
    """What the report comes to."""

    state: Literal["good", "warn", "bad"]
    headline: str
    sentences: tuple[str, ...]


class Summary(_Closed, frozen=True, tag_field="kind", tag="certaudit-report"):
    """A report as JSON."""

    format: int
    certaudit: str
    outcome: Outcome
    context: Context
    subjects: tuple[Subject, ...]
    thresholds: tuple[Threshold, ...]
    clauses: tuple[Clause, ...]
    environment: dict[str, str]
    context_file: Input | None


def encode(summary: Summary) -> bytes:
    """Return the report as JSON: the same bytes for the same report."""
    return msgspec.json.format(msgspec.json.encode(summary), indent=1) + b"\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a report: docs/schema/report.schema.json."""
    (found,), parts = msgspec.json.schema_components((Summary,), ref_template="#/$defs/{name}")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**head, "title": "A report of certaudit", **found, "$defs": parts}
