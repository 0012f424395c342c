"""What run.json says of a run: every choice, every assumption, digests, versions, accuracies."""

from __future__ import annotations

import platform
from typing import TypeAlias

import flint
import numpy as np

from certaudit import __version__
from certaudit.certify.label_flip import LabelFlipRun
from certaudit.certify.multiclass import MulticlassRun
from certaudit.certify.run import share_down, share_up
from certaudit.exact import format_rational

__all__ = ["AnyRun", "assumptions", "run_summary", "versions"]

AnyRun: TypeAlias = LabelFlipRun | MulticlassRun


def run_summary(
    run: AnyRun, *, source: str, split: str, label_column: str | None = None
) -> dict[str, object]:
    """Return run.json as plain JSON values.

    `source` names the data, `label_column` the labels of a CSV; `split` says in words how rows
    became training and test rows.
    """
    total = len(run.certificates)
    counts = {name: run.certified_counts(name) for name in run.guarantees}
    many = isinstance(run, MulticlassRun)
    summary: dict[str, object] = {
        "certaudit": __version__,
        "format": 1,
        "noise_model": {
            "name": "label-flip",
            "q": format_rational(run.q),
            "classes": run.classes,
        },
        "classifier": "one-hot least squares" if many else "least squares",
        "vote": run.vote,
        "guarantee": list(run.guarantees),
        "engine": run.engine,
        "ridge": run.ridge.as_json(),
        "intercept": run.features.intercept,
        "scale": run.features.scale.as_json(),
        "assumptions": assumptions(run, split),
        "source": source,
        "label_column": label_column,
        "positive": run.data.positive,
        "training_points": len(run.data.y_train),
        "feature_columns": run.features.columns,
        "test_points": len(run.data.y_test),
        "certified_points": total,
        "data": {name: digest.as_json() for name, digest in run.data.digests.items()},
        "versions": versions(),
        "accuracy": run.accuracy(),
        **({"vacuous": run.vacuous()} if isinstance(run, MulticlassRun) else {}),
        "certified_accuracy": {
            name: {
                "correct": correct,
                "of": total,
                "accuracy": [share_down(count, total) for count in correct],
            }
            for name, correct in counts.items()
        },
        **_exact(run),
        "findings": [finding.as_json() for finding in run.findings()],
    }
    if run.engine == "fast":
        summary["escalated"] = {"points": sum(run.escalated.values()), **run.escalated}
    return summary


def _exact(run: AnyRun) -> dict[str, object]:
    """Return what a run with brackets of exact radii has besides: counts rounded up, and how many.

    Proof: `proofs/certificate.md`.
    """
    if not isinstance(run, LabelFlipRun) or "exact" not in run.guarantees:
        return {}
    total, correct, closed = len(run.certificates), run.attacked_counts(), run.closed()
    accuracy = [share_up(count, total) for count in correct]
    return {
        "attacked_accuracy": {"correct": correct, "of": total, "accuracy": accuracy},
        "brackets": {"closed": closed, "open": total - closed},
    }


def assumptions(run: AnyRun, split: str) -> list[dict[str, str]]:
    """Return what the certificates take as fixed, and whether it is known to read no label.

    `label_free` is "checked" (certaudit computes it without labels), "declared" (a value given
    by the user), "unknown", or "violated" (it does read the training labels).
    """
    ridge = "violated" if run.ridge.reads_labels else "checked"
    if run.ridge.rule == "given":
        ridge = "declared"
    own_split = not split.startswith("given")
    rows = [
        ("features", "the arrays given, unchanged when labels are flipped", "unknown"),
        ("scaling", run.features.scale.rule, "checked"),
        ("ridge", run.ridge.rule, ridge),
        ("q", format_rational(run.q), "declared"),
        ("classes", str(run.classes), _classes_state(run)),
        ("split", split, "checked" if own_split else "unknown"),
        (
            "order",
            "the split follows the order of rows" if own_split else "rows may come in any order",
            "unknown" if own_split else "checked",
        ),
    ]
    return [{"what": what, "value": value, "label_free": state} for what, value, state in rows]


def _classes_state(run: AnyRun) -> str:
    """Return whether the number of classes is known to read no label.

    Where nobody declared it, it is that of the labels seen: a flip to a class beyond these is not
    covered.
    """
    return "declared" if run.data.positive is not None or run.data.declared else "unknown"


def versions() -> dict[str, str]:
    """Return the versions of what computed the run."""
    return {
        "certaudit": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "python-flint": flint.__version__,
        "flint": flint.__FLINT_VERSION__,
    }
