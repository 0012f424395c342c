"""Verdicts, causes and reasons: what an audit says of a claim."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

__all__ = ["CAUSES", "REASONS", "VERDICTS", "Cause", "Judged", "Reason", "Verdict"]


class _Word(Enum):
    """A word that is no truth value: `if verdict:` would take every verdict for a good one."""

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not a truth value; compare it: `is`")

    @property
    def code(self) -> int:
        """The number of the word in arrays."""
        return _CODES[self]


class Verdict(_Word):
    """What is decided of a claim."""

    CONFIRMED = "confirmed"
    """Proved by the evidence given."""
    REFUTED = "refuted"
    """Disproved: by a counterexample, since no outcome of the sampling allows it, or by itself."""
    UNSUPPORTED = "unsupported"
    """The evidence proves less."""
    INCONCLUSIVE = "inconclusive"
    """The evidence is compatible with both, or a limit was reached."""
    MALFORMED = "malformed"
    """The row cannot be read as a claim."""
    ABSTAINED = "abstained"
    """The row claims nothing; counted apart."""


class Cause(_Word):
    """Why a claim is not confirmed, where the cause is known."""

    NONE = ""
    PRINTED_ROUNDING = "printed-rounding"
    """The number was true before it was rounded up to be printed."""
    FLOAT_NOISE = "float-noise"
    """It is above what is proven by no more than the errors of float64 arithmetic."""
    WRONG_PARAMETERS = "wrong-parameters"
    """It would hold under other parameters than the ones stated."""
    BEYOND_EVIDENCE = "beyond-evidence"
    """It says more than the evidence proves."""


class Reason(_Word):
    """The sentence behind a verdict."""

    PROVED = "the evidence proves it"
    NOTHING_CLAIMED = "the row abstains"
    NO_COUNT_PROVES = "no count whose number prints so proves it"
    SOME_COUNTS_PROVE = "some of the counts whose number prints so prove it, others do not"
    BEYOND_EVERY_OUTCOME = "no outcome of the sampling allows it, not even all votes for the class"
    NOT_ATTAINABLE = "there is no count whose number prints so"
    LESS_IS_PROVED = "the evidence proves less"
    CONTRADICTS_ITSELF = "the columns of the row contradict each other"
    NO_EVIDENCE = "the row has no evidence for it, and no parameters explain it"
    NOT_DECIDED_HERE = "certificates of this kind are not decided"
    SAME_SAMPLES = "the class was chosen by the votes that bound it; state the number of classes"
    LIMIT = "a limit was reached before it was decided"
    UNREADABLE = "the row cannot be read as a claim"
    IMPOSSIBLE = "it is false whatever the evidence"
    COUNTEREXAMPLE = "so many flips of labels, or fewer, change the vote: they are shown"
    OTHER_CLASS = "the vote is for the other class, without any flip"
    OPEN_BRACKET = "the evidence proves fewer flips and refutes only more"


_CODES = {word: n for words in (Verdict, Cause, Reason) for n, word in enumerate(words)}
VERDICTS, CAUSES, REASONS = tuple(Verdict), tuple(Cause), tuple(Reason)


@dataclass(slots=True)
class Judged:
    """Verdicts on rows, as equally long arrays.

    `verdict`, `cause`, `reason` hold codes; `findings` bits of `certaudit.findings.BITS`. `proved`
    is the largest radius (or bound) that the evidence is known to prove, rounded down to float64,
    NaN where nothing is proved, not even that the class wins the vote; `claimed` the claim, to
    nearest (for sums and curves), NaN where there is none. `excess` is an upper bound on how far
    the claim is above what is proved, 0 where it is confirmed, NaN where it is another thing that
    is wrong; `unit` the last printed place of the claim (0: not known).
    """

    verdict: NDArray[np.uint8]
    cause: NDArray[np.uint8]
    reason: NDArray[np.uint8]
    findings: NDArray[np.uint64]
    claimed: NDArray[np.float64]
    proved: NDArray[np.float64]
    excess: NDArray[np.float64]
    unit: NDArray[np.float64]

    @classmethod
    def blank(cls, rows: int) -> Judged:
        """Return arrays for `rows` rows: never confirmed by default."""
        nan = np.full(rows, np.nan)
        return cls(
            np.full(rows, Verdict.INCONCLUSIVE.code, np.uint8),
            np.zeros(rows, np.uint8),
            np.full(rows, Reason.NO_EVIDENCE.code, np.uint8),
            np.zeros(rows, np.uint64),
            nan.copy(),
            nan.copy(),
            nan.copy(),
            np.zeros(rows),
        )

    def put(
        self,
        rows: NDArray[np.bool_] | NDArray[np.intp] | int | slice,
        verdict: Verdict,
        reason: Reason,
        cause: Cause = Cause.NONE,
    ) -> None:
        """Write a verdict, its reason and its cause to some rows."""
        self.verdict[rows] = verdict.code
        self.reason[rows] = reason.code
        self.cause[rows] = cause.code

    def is_(self, verdict: Verdict) -> NDArray[np.bool_]:
        """Return which rows have a verdict."""
        return np.equal(self.verdict, verdict.code)
