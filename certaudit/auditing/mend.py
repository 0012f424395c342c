"""The numbers that a log may print: what is proved, rounded down in the log's own format."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from certaudit.auditing.gaussian import KEY_COLUMNS, GaussianJudge, Key
from certaudit.auditing.log import Rows
from certaudit.auditing.verdict import REASONS, Reason, Verdict
from certaudit.findings import BITS, LOG_ERROR_OVERSTATED, P_OVERSTATED

__all__ = ["mended"]

_OTHER = BITS[P_OVERSTATED.code] | BITS[LOG_ERROR_OVERSTATED.code]
_WRONG = (Verdict.REFUTED, Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE)


def mended(rows: Rows) -> tuple[dict[int, dict[str, str]], int]:
    """Return what to write into which columns of which lines, and how many rows stay unconfirmed.

    A row of which nothing is proved becomes an abstention.
    """
    changes: dict[int, dict[str, str]] = {}
    judged, chunk = rows.judged, rows.chunk
    wrong = np.logical_or.reduce([judged.is_(verdict) for verdict in _WRONG])
    left = int(judged.is_(Verdict.MALFORMED).sum())
    for row in np.flatnonzero(wrong).tolist():
        found = _of_row(rows, row)
        if not found:
            left += 1
            continue
        if found.get("radius") == "":
            form = getattr(rows.judge, "setting", None)
            found["radius"] = "0" if form is None else form.formats["radius"].down(Fraction(0))
            if "prediction" in chunk.columns:
                found["prediction"] = "-1"
            if "correct" in chunk.columns:
                found["correct"] = "0"
        changes[int(chunk.lines[row])] = found
    return changes, left


def _of_row(rows: Rows, row: int) -> dict[str, str] | None:
    """Return what a row may print, None where that is open."""
    judged, chunk = rows.judged, rows.chunk
    reason = REASONS[judged.reason[row]]
    if reason in (Reason.CONTRADICTS_ITSELF, Reason.IMPOSSIBLE, Reason.SAME_SAMPLES):
        return None
    if isinstance(rows.judge, GaussianJudge):
        key = Key(*(chunk.columns.get(name, [""] * (row + 1))[row] for name in KEY_COLUMNS))
        return rows.judge.mend(key)
    if judged.is_(Verdict.INCONCLUSIVE)[row] or int(judged.findings[row]) & _OTHER:
        return None  # not decided, or it is not the radius that is wrong
    proved, claimed = float(judged.proved[row]), float(judged.claimed[row])
    if math.isnan(proved):
        return {"radius": ""}
    return {"radius": str(int(proved))} if proved < claimed else None
