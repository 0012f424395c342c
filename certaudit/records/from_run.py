"""From run.json and certificates.jsonl, read strictly, to what is signed over them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NoReturn

import msgspec

from certaudit.errors import InputError
from certaudit.records.bundle import statement
from certaudit.records.canonical import decode, decoder, parse_strict
from certaudit.records.merkle import Tree
from certaudit.records.model import (
    EXACT_RECORD_TYPE,
    MAX_BUNDLE,
    MAX_RECORDS,
    MULTICLASS_RECORD_TYPE,
    RECORD_TYPE,
    Run,
    Series,
    run_digest,
)

__all__ = ["Unsigned", "read_run"]

# The members of run.json whose values, or the values in whose lists, are numbers.
_NUMBERS = frozenset(
    {
        *("format", "classes", "dropped", "shape", "correct", "of", "accuracy"),
        *("training_points", "feature_columns", "test_points", "certified_points"),
        *("clean", "decided", "unsmoothed", "constant_0", "constant_1", "constant"),
        *("pairwise", "plurality"),
        *("points", "undecided", "loose", "failed"),
        *("closed", "open"),
    }
)


@dataclass(frozen=True)
class Unsigned:
    """A run and its records, ready to be signed; `lines` is what records.jsonl will hold."""

    run: Run
    lines: bytes = field(repr=False)
    root: bytes
    size: int

    def payload(self, annotations: Mapping[str, Any] | None = None) -> bytes:
        """Return the statement to sign: the same bytes for the same run and annotations.

        Raises InputError as bundle.statement does.
        """
        return statement(
            self.run,
            records_sha256=sha256(self.lines).hexdigest(),
            root=self.root,
            size=self.size,
            annotations=annotations or {},
        )


class _TwoLabels(msgspec.Struct, forbid_unknown_fields=True):
    """How a line of certificates.jsonl of two labels begins, in its order."""

    index: int
    prediction: int
    label: int
    decided: bool
    constant: bool
    t: str | None
    log_error: float | None
    p_lower: float

    def members(self) -> dict[str, object]:
        """Return the members of the record that it has of its own kind."""
        bound = self.log_error
        found = {"type": RECORD_TYPE, "constant": self.constant, "t": self.t}
        return {**found, "log_error": None if bound is None else bound.hex()}


class _Certificate(_TwoLabels, forbid_unknown_fields=True):
    """A line of certificates.jsonl, in its order."""

    radius: dict[str, int]


class _Side(msgspec.Struct, forbid_unknown_fields=True):
    """How one end of a bracket was proven, in its order."""

    by: str
    flips: int | None
    check: str | None
    t: str | None


class _Sides(msgspec.Struct, forbid_unknown_fields=True):
    """How both were."""

    proved: _Side | None
    refuted: _Side | None


class _ExactBracket(msgspec.Struct, forbid_unknown_fields=True):
    """The exact radius, in its order."""

    proved: int
    refuted_at: int | None


class _ExactCertificate(_TwoLabels, forbid_unknown_fields=True):
    """A line of certificates.jsonl of a run with the exact radius, in its order."""

    radius: dict[str, int | _ExactBracket]
    evidence: _Sides

    def members(self) -> dict[str, object]:
        """Return the members of the record that it has of its own kind."""
        evidence = _whole_numbers(msgspec.to_builtins(self.evidence))
        return {**super().members(), "type": EXACT_RECORD_TYPE, "evidence": evidence}


class _Rival(msgspec.Struct, forbid_unknown_fields=True, rename={"class_": "class"}):
    """A rival in a line of certificates.jsonl, in its order."""

    class_: int
    t: str
    log_error: float


class _MulticlassCertificate(msgspec.Struct, forbid_unknown_fields=True):
    """A line of certificates.jsonl of a multi-class run, in its order."""

    index: int
    prediction: int
    label: int
    decided: bool
    rivals: list[_Rival]
    log_error: float
    p_lower: float
    radius: dict[str, int]

    def members(self) -> dict[str, object]:
        """Return the members of the record that it has of its own kind."""
        rivals = [
            {"class": str(each.class_), "t": each.t, "log_error": each.log_error.hex()}
            for each in self.rivals
        ]
        found = {"type": MULTICLASS_RECORD_TYPE, "log_error": self.log_error.hex()}
        return {**found, "rivals": rivals}


def read_run(
    run: bytes,
    certificates: bytes,
    *,
    run_name: str = "run.json",
    certificates_name: str = "certificates.jsonl",
) -> Unsigned:
    """Return the run and records that the two files of a run folder hold.

    They have to be spelled as `certaudit certify` writes them: what is signed is then all that
    they say. Numbers become exact text: integers in decimal, float64 in hexadecimal.

    Raises InputError, naming file and line: not JSON, duplicate, unknown or missing members, NaN,
    wrong types, another spelling, and whatever the model refuses.
    """
    parsed = _read_run_json(run, run_name)
    digest = run_digest(parsed)
    series, tree = Series(parsed, digest), Tree()
    shape: type[_Certificate | _ExactCertificate | _MulticlassCertificate] = _Certificate
    if parsed.exact:
        shape = _ExactCertificate
    elif parsed.multiclass:
        shape = _MulticlassCertificate
    read = msgspec.json.Decoder(shape).decode
    check = decoder(series.kind, limit=series.limit)
    write, spell = msgspec.json.Encoder(order="sorted").encode, json.JSONEncoder(allow_nan=False)
    if not certificates.endswith(b"\n"):
        raise InputError(f"{certificates_name}: does not end with a newline")
    source, lines = certificates.split(b"\n")[:-1], []
    if len(source) > MAX_RECORDS:
        raise InputError(f"{certificates_name}: has more than {MAX_RECORDS} lines")
    for number, text in enumerate(source, 1):
        what = f"{certificates_name} line {number}"
        try:
            found = read(text)
            same = spell.encode(msgspec.to_builtins(found)).encode() == text
        except (ValueError, RecursionError) as error:
            raise InputError(f"{what}: {_reason(error)}") from None
        if not same:
            _differs(text, what)
        line = write(
            {
                **found.members(),
                "run": digest,
                "index": str(found.index),
                "label": str(found.label),
                "prediction": str(found.prediction),
                "decided": found.decided,
                "p_lower": found.p_lower.hex(),
                "radius": _whole_numbers(msgspec.to_builtins(found.radius)),
                "engine": parsed.engine,
                "annotations": {},
            }
        )
        # Read as a verifier will read it: what is refused there is never signed.
        series.add(check(line, what), what)
        tree.add(line)
        lines.append(line)
    series.end(certificates_name)
    return Unsigned(parsed, b"\n".join(lines) + b"\n", tree.root(), tree.size)


def _whole_numbers(value: object) -> object:
    """Return a JSON value with integers as text."""
    if isinstance(value, dict):
        return {name: _whole_numbers(each) for name, each in value.items()}
    return str(value) if isinstance(value, int) else value


def _read_run_json(data: bytes, what: str) -> Run:
    if len(data) > MAX_BUNDLE:
        raise InputError(f"{what}: is longer than {MAX_BUNDLE} bytes")
    try:
        content = parse_strict(data, numbers=True)
        if (json.dumps(content, allow_nan=False, indent=1) + "\n").encode() != data:
            raise InputError("is not spelled as certaudit certify writes it")
        text = msgspec.json.encode(_texts(content, ""), order="sorted")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what}: {_reason(error)}") from None
    return decode(text, Run, what=what, limit=MAX_BUNDLE)


def _texts(value: Any, member: str) -> Any:  # noqa: ANN401  (JSON)
    """Return a JSON value with numbers as text, where numbers belong, and only there."""
    if isinstance(value, dict):
        return {name: _texts(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_texts(each, member) for each in value]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number != (member in _NUMBERS):
        raise InputError(f"{member!r} is {'' if number else 'not '}a number")
    if not number:
        return value
    return value.hex() if isinstance(value, float) else str(value)


def _differs(text: bytes, what: str) -> NoReturn:
    """Raise InputError with the reason why a line is not what certify would write."""
    try:
        parse_strict(text, numbers=True)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None
    raise InputError(f"{what}: is not spelled as certaudit certify writes it")


def _reason(error: Exception) -> str:
    """Return what an error of a reader says, in one line."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, UnicodeEncodeError):
        return "text holds a lone surrogate, which is no character"
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8"
    if isinstance(error, RecursionError):
        return "is nested too deep"
    if isinstance(error, msgspec.ValidationError):
        return f"{str(error)[:1].lower()}{str(error)[1:]}"
    return f"is not JSON as certaudit writes it ({error})"
