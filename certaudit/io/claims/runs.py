"""The folders that `certaudit certify` writes: certificates.jsonl, and run.json for the rest."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from certaudit.claims import Stated, parameter
from certaudit.errors import InputError
from certaudit.io.claims.common import (
    BOM,
    HEAD,
    Place,
    Reading,
    Record,
    Statements,
    lines_of,
    named,
)
from certaudit.io.claims.json_lines import beginning, by_guarantee
from certaudit.io.claims.manifest import model_states
from certaudit.io.claims.strict_json import json_file
from certaudit.io.files import RUN

__all__ = ["run_json", "run_readings"]

_MAX_RUN = 1 << 26


def run_json(path: Path) -> Record | None:
    """Return run.json if there is one and certaudit wrote it; other tools use the name too."""
    try:
        content = json_file(path, _MAX_RUN)
    except InputError:
        with suppress(OSError), path.open("rb") as file:
            if b'"certaudit"' in file.read(HEAD):
                raise
        return None
    return content if isinstance(content, dict) and "certaudit" in content else None


def run_readings(place: Place, run: Record) -> list[Reading]:
    """Return what the certificates of a run are: a source for each guarantee that it promises."""
    path = place.path
    beside = path.with_name(RUN)
    promised = run.get("guarantee")
    if not isinstance(promised, list) or not all(isinstance(name, str) for name in promised):
        raise InputError(f"{beside}: guarantee: must be a list of names")
    with named(path), path.open("rb") as file:
        head = file.read(HEAD)
    began = beginning(path, lines_of(head.removeprefix(BOM)))
    there = promised if not began.objects else began.guarantees or []
    guarantees = [name for name in promised if name in there]
    readings = by_guarantee(path, guarantees, began.stated, began.skip, began.objects)
    told = _run_states(run, beside)
    return [replace(each, fixed={**told, **each.fixed}, run=run) for each in readings]


def _run_states(run: Record, path: Path) -> Statements:
    stated = model_states(run.get("noise_model"), str(path))
    if "training_points" in run:
        number = parameter("training_labels", run["training_points"], f"{path}: ")
        stated["training_labels"] = Stated(number, "file")
    vote = run.get("vote")
    if vote is not None:
        vote = "plurality" if vote == "majority" else vote  # of two labels they are the same
        stated["vote"] = Stated(parameter("vote", vote, f"{path}: "), "file")
    return stated
