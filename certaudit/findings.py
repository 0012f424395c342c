"""Findings: things worth knowing about a run or a claim, with stable codes, as linters have.

A finding never changes a verdict. Codes are never reused: CA1xx are about claims,
CA2xx about how certificates were made.
"""

from __future__ import annotations

from dataclasses import dataclass

from certaudit.errors import InputError

__all__ = ["CATALOGUE", "Finding", "Kind", "explain"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding: its code, its name, what it means and what to do."""

    code: str
    name: str
    summary: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding in one place: the kind, and a line that says what was seen."""

    kind: Kind
    message: str

    def as_json(self) -> dict[str, str]:
        """Return the finding as plain JSON values."""
        return {"code": self.kind.code, "name": self.kind.name, "message": self.message}


RIDGE_READS_LABELS = Kind(
    "CA201",
    "ridge-reads-labels",
    "the ridge was computed from the training labels",
    "The paper's rule (1+q) s^2 k/(2n) cond(X'X) takes s^2 from the residuals, that is from the "
    "labels an adversary may flip. Flips then move the ridge, the classifier is no longer linear "
    "in the labels, and the certificate holds for the classifier at this fixed ridge only, not for "
    "the pipeline that chooses it. Use --ridge auto, which reads no labels, or a number fixed "
    "beforehand. An instance where one flip changes the vote against a certified radius of 1: two "
    "columns, ones and 0.00001 (1, -1, 1, ...), 16 rows, all labels 1 (proofs/ridge-gap.md).",
)
NO_BETTER_THAN_CONSTANT = Kind(
    "CA202",
    "no-better-than-constant",
    "the classifier is no more accurate than one that always gives the same class",
    "A constant classifier reads no labels and so cannot be changed by flipping any number of "
    "them. A certified radius is worth something only next to an accuracy that such a classifier "
    "does not reach. Better features, an intercept, a smaller q or another ridge may help.",
)
ONE_CLASS = Kind(
    "CA203",
    "one-class",
    "all training labels are the same",
    "The certificates are true, but the classifier has seen one class only. Check how the labels "
    "were read (--positive, --label-column) and how the rows were split.",
)
NOTHING_DECIDED = Kind(
    "CA204",
    "nothing-decided",
    "for no test point was the vote winner proven",
    "The Chernoff bound was below 1/2 for no test point, so every radius is 0. The noise q is "
    "probably too large for the number of training points and the margin of the classifier.",
)

CATALOGUE: dict[str, Kind] = {
    kind.code: kind
    for kind in (RIDGE_READS_LABELS, NO_BETTER_THAN_CONSTANT, ONE_CLASS, NOTHING_DECIDED)
}


def explain(code: str) -> Kind:
    """Return the kind of finding with this code ("CA201") or name ("ridge-reads-labels").

    Raises InputError for an unknown one.
    """
    wanted = code.strip().lower()
    for kind in CATALOGUE.values():
        if wanted in (kind.code.lower(), kind.name):
            return kind
    known = ", ".join(CATALOGUE)
    raise InputError(f"no finding has the code or name {code[:40]!r}; there are {known}")
