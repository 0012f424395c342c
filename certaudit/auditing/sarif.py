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
from certaudit.findings import CATALOGUE

__all__ = ["MAX_RESULTS", "sarif"]

MAX_RESULTS = 5_000
"""Results written at most: more are not shown by code scanning."""
_LEVELS = {
    Verdict.REFUTED: "error",
    Verdict.UNSUPPORTED: "error",
    Verdict.INCONCLUSIVE: "warning",
    Verdict.MALFORMED: "error",
}
_SAYS = {
    Verdict.REFUTED: "are refuted: no outcome of the sampling allows them",
    Verdict.UNSUPPORTED: "are unsupported: the evidence proves less",
    Verdict.INCONCLUSIVE: "are inconclusive",
    Verdict.MALFORMED: "cannot be read",
}


def sarif(files: Sequence[FileReport]) -> dict[str, object]:
    """Return the log of one run; the verdicts first where more than 5,000 results are left out."""
    results = [*_verdicts(files), *_findings(files)]
    left_out = max(0, len(results) - MAX_RESULTS)
    rules = [
        {
            "id": f"verdict-{verdict.value}",
            "name": verdict.value,
            "shortDescription": {"text": f"claims that {_SAYS[verdict]}"},
        }
        for verdict in _LEVELS
    ] + [
        {
            "id": kind.code,
            "name": kind.name,
            "shortDescription": {"text": kind.summary},
            "fullDescription": {"text": kind.explanation},
        }
        for kind in CATALOGUE.values()
        if kind.code < "CA2"
    ]
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
                text = f"{rows} of {file.claims} claims {_SAYS[verdict]}"
                line = file.first_lines.get(verdict.value, 0)
                yield _result(f"verdict-{verdict.value}", level, file.name, line, text)


def _findings(files: Sequence[FileReport]) -> Iterator[dict[str, object]]:
    for file in files:
        for finding in file.findings:
            rows = f"{finding.rows} rows: " if finding.rows else ""
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
