"""The numbers that a log may print: what is proved, rounded down in the log's own format."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from certaudit.auditing.gaussian import KEY_COLUMNS, GaussianJudge, Key
from certaudit.auditing.log import Rows
from certaudit.auditing.verdict import Reason, Verdict

__all__ = ["mended"]

_WRONG = (Verdict.REFUTED, Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE)


def mended(rows: Rows) -> tuple[dict[int, dict[str, str]], int]:
    """Return what to write into which columns of which lines, and how many rows stay unconfirmed.

    A row of which nothing is proved becomes an abstention.
    """
    changes: dict[int, dict[str, str]] = {}
    left = 0
    judged, chunk = rows.judged, rows.chunk
    wrong = np.logical_or.reduce([judged.is_(verdict) for verdict in _WRONG])
    for row in np.flatnonzero(wrong).tolist():
        if judged.reason[row] == Reason.CONTRADICTS_ITSELF.code:
            left += 1
            continue
        if isinstance(rows.judge, GaussianJudge):
            key = Key(*(chunk.columns.get(name, [""] * (row + 1))[row] for name in KEY_COLUMNS))
            found = rows.judge.mend(key)
        else:
            proved = float(judged.proved[row])
            found = {"radius": str(int(proved))} if proved >= 0 else None
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
