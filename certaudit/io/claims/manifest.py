"""What the manifest beside a file states."""

from __future__ import annotations

from pathlib import Path

from certaudit.claims import INTEGERS, Stated, parameter
from certaudit.errors import InputError
from certaudit.io.claims.common import Statements, bare, shown
from certaudit.io.claims.strict_json import json_file

__all__ = [
    "MANIFEST",
    "MARK",
    "MODELS",
    "PLAIN_KEYS",
    "manifest_content",
    "manifest_states",
    "merged",
    "model_states",
    "of_manifest",
    "stated_as",
]

MARK = "certaudit-claims"
"""The key of a manifest that says what it is; its value is 1."""
MANIFEST = ".manifest.json"
"""What the name of a manifest adds to that of its file."""
_MAX_MANIFEST = 1 << 20

MODELS = {
    "label-flip": ("q", "classes"),
    "discrete": ("alpha", "values"),
    "gaussian": ("sigma",),
}
"""The parameters of the noise models that are decided."""
PLAIN_KEYS = (
    "guarantee",
    "samples",
    "failure_prob",
    "sides",
    "norm",
    "dimension",
    "classes",
    "training_labels",
    "vote",
    "bound",
    "rounding",
    "selection",
)
"""The parameters that a manifest states as keys of its own."""


def of_manifest(path: Path) -> Statements:
    """Return what the manifest beside a file states, nothing where there is none.

    Raises InputError for a manifest that is unfit.
    """
    beside = path.with_name(path.name + MANIFEST)
    content = manifest_content(beside)
    return {} if content is None else manifest_states(content, str(beside))


def manifest_content(path: Path) -> object | None:
    """Return what JSON a manifest holds, None where there is none."""
    return json_file(path, _MAX_MANIFEST)


def manifest_states(content: object, what: str) -> Statements:
    """Return what the content of a manifest states.

    Raises InputError, its text beginning with `what`, for one that is unfit.
    """
    if not isinstance(content, dict) or not _is_one(content.get(MARK)):
        raise InputError(f'{what}: not a manifest (no "{MARK}": 1)')
    unknown = content.keys() - {MARK, "noise_model", "annotations", *PLAIN_KEYS}
    if unknown:
        raise InputError(f"{what}: unknown key {shown(min(unknown))}")
    stated = {}
    if "noise_model" in content:
        stated.update(model_states(content["noise_model"], what))
    for name in PLAIN_KEYS:
        if name in content:
            told = _stated(name, content[name], what)
            if stated.setdefault(name, told) != told:
                raise InputError(f"{what}: {name}: noise_model states another one")
    return stated


def _is_one(value: object) -> bool:
    return value == 1 and isinstance(value, int) and not isinstance(value, bool)


def model_states(model: object, what: str) -> Statements:
    """Return what a noise model states, as in a manifest."""
    if not isinstance(model, dict) or not isinstance(model.get("name"), str):
        raise InputError(f"{what}: noise_model: must be an object with a name")
    name = model["name"]
    if name not in MODELS:
        raise InputError(f"{what}: noise_model: {shown(name)} is none of {', '.join(MODELS)}")
    if model.keys() != {"name", *MODELS[name]}:
        raise InputError(f"{what}: noise_model: needs name, {', '.join(MODELS[name])}")
    stated = {"noise": Stated(name, "file")}
    for key in MODELS[name]:
        stated[key] = _stated(key, model[key], what)
    return stated


def _stated(name: str, value: object, what: str) -> Stated:
    if name in INTEGERS and isinstance(value, str):
        raise InputError(f"{what}: {name}: must be an integer, not text")
    return stated_as(name, value, what)


def stated_as(name: str, value: object, what: str) -> Stated:
    """Return a parameter as a file states it: text has no white space but blanks and tabs."""
    if isinstance(value, str):
        value = bare(value)
        if not value.isprintable():
            raise InputError(f"{what}: {name}: holds a character that cannot be printed")
    return Stated(parameter(name, value, f"{what}: "), "file")


def merged(path: Path, ours: Statements, manifest: Statements) -> Statements:
    """Return what a file and its manifest state; where both speak of the file they must agree."""
    for name, stated in manifest.items():
        if name in ours and ours[name].origin == "file" and ours[name].value != stated.value:
            raise InputError(f"{path}: its manifest states another {name} than the file")
    return {**ours, **manifest}
