"""SARIF 2.1.0: the findings of an audit in the form that code scanning reads.

Grouped by file and finding, since a log of ten thousand wrong rows is one thing to mend.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from certaudit import __version__
from certaudit.auditing.log import FileReport
from certaudit.auditing.verdict import Verdict
from certaudit.findings import CATALOGUE, RIDGE_READS_LABELS

__all__ = ["MAX_RESULTS", "sarif"]

MAX_RESULTS = 5_000
"""Results written at most: more are not shown by code scanning."""
_LEVELS = {
    Verdict.REFUTED: "error",
    Verdict.UNSUPPORTED: "error",
    Verdict.INCONCLUSIVE: "warning",
    Verdict.MALFORMED: "error",
}
_UNREADABLE = "unreadable-file"
_SAYS = {
    Verdict.REFUTED: "refuted, by a counterexample or since no outcome of the sampling allows it",
    Verdict.UNSUPPORTED: "unsupported, the evidence proves less",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.MALFORMED: "malformed, the row cannot be read",
}


def sarif(files: Sequence[FileReport], broken: Sequence[tuple[str, str]] = ()) -> dict[str, object]:
    """Return the log of one run; the verdicts first where more than 5,000 results are left out.

    `broken` are files that cannot be read, and why.
    """
    results = [_result(_UNREADABLE, "error", name, 0, why) for name, why in broken]
    results += [*_verdicts(files), *_findings(files)]
    left_out = max(0, len(results) - MAX_RESULTS)
    rules = (
        [
            {
                "id": f"verdict-{verdict.value}",
                "name": verdict.value,
                "shortDescription": {"text": _SAYS[verdict]},
            }
            for verdict in _LEVELS
        ]
        + [
            {
                "id": _UNREADABLE,
                "name": "unreadable",
                "shortDescription": {"text": "files that cannot be read"},
            }
        ]
        + [
            {
                "id": kind.code,
                "name": kind.name,
                "shortDescription": {"text": kind.summary},
                "fullDescription": {"text": kind.explanation},
            }
            for kind in CATALOGUE.values()
            if kind.code < "CA2" or kind is RIDGE_READS_LABELS
        ]
    )
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": "certaudit", "version": __version__, "rules": rules}
                },
                "results": results[:MAX_RESULTS],
                "properties": {"resultsLeftOut": left_out},
                "columnKind": "unicodeCodePoints",
            }
        ],
    }  # fmt: skip


def _verdicts(files: Sequence[FileReport]) -> Iterator[dict[str, object]]:
    for file in files:
        for verdict, level in _LEVELS.items():
            rows = file.verdicts[verdict.value]
            if rows:
                text = f"{rows} of {file.claims} claims: {_SAYS[verdict]}"
                if verdict is Verdict.REFUTED and file.disproved:
                    text += f"; {file.disproved} by flips of labels that change the vote"
                line = file.first_lines.get(verdict.value, 0)
                yield _result(f"verdict-{verdict.value}", level, file.name, line, text)


def _findings(files: Sequence[FileReport]) -> Iterator[dict[str, object]]:
    for file in files:
        for finding in file.findings:
            rows = f"rows: {finding.rows}; " if finding.rows else ""
            text = rows + finding.message
            yield _result(finding.kind.code, "note", file.name, finding.line, text)


def _result(rule: str, level: str, file: str, line: int, text: str) -> dict[str, object]:
    """Return a result; its fingerprint names rule and file, so that it stays when rows change."""
    place: dict[str, object] = {"artifactLocation": {"uri": quote(file)}}
    if line > 0:
        place["region"] = {"startLine": line}
    mark = hashlib.sha256(f"{rule}\0{file}".encode("utf-8", "surrogateescape")).hexdigest()
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"certauditFinding/v1": mark},
    }
