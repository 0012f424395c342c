"""What only people can say of a report: the system, its purpose, thresholds fixed beforehand.

`context.toml` supplies it. Nothing in it is checked but its form; what it leaves out is printed as
NOT STATED. A name that is not known is refused: a slip of the pen must not become a gap.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct

from certaudit.errors import InputError
from certaudit.exact import parse_rational
from certaudit.records.store import read_file

__all__ = [
    "Context",
    "Data",
    "Identification",
    "Policy",
    "Scope",
    "Threat",
    "Validity",
    "read_context",
    "template",
]

_MAX_CONTEXT = 1 << 20
_MAX_TEXT = 4000
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class _Closed(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of context.toml; None is not stated."""


class Identification(_Closed, frozen=True):
    """What is certified, and who answers for it."""

    report: str | None = None
    date: str | None = None
    system: str | None = None
    model: str | None = None
    operator: str | None = None
    responsible: str | None = None


class Scope(_Closed, frozen=True):
    """What the system is for."""

    intended_purpose: str | None = None
    out_of_scope: str | None = None
    affected: str | None = None


class Threat(_Closed, frozen=True):
    """Against whom the certificates are to hold."""

    model: str | None = None
    budget: str | None = None


class Policy(_Closed, frozen=True):
    """What was asked for before the numbers were known: exact numbers as text."""

    radius: str | None = None
    accuracy: str | None = None
    fixed_on: str | None = None
    reason: str | None = None


class Data(_Closed, frozen=True):
    """Where the data come from."""

    origin: str | None = None
    selection: str | None = None


class Validity(_Closed, frozen=True):
    """How long the report is to be used, and what changed since the one before."""

    valid_until: str | None = None
    changes: tuple[str, ...] = ()


class Context(_Closed, frozen=True):
    """context.toml."""

    identification: Identification = Identification()
    scope: Scope = Scope()
    threat: Threat = Threat()
    policy: Policy = Policy()
    data: Data = Data()
    validity: Validity = Validity()


def template() -> str:
    """Return a context.toml in which every field is explained, and none is stated."""
    return files("certaudit").joinpath("report/templates/context.toml").read_text("utf-8")


def read_context(path: Path) -> Context:
    """Return what a context.toml states; empty text is not stated.

    Raises InputError, naming the place: not TOML, unknown names, other types, a date that is none,
    a radius or an accuracy that is no exact number, or one of these two without the other.
    """
    try:
        content = tomllib.loads(read_file(path, _MAX_CONTEXT).decode("utf-8"), parse_float=Decimal)
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not TOML: {error}") from None
    try:
        found = msgspec.convert(_stated(content), Context)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {str(error)[:1].lower()}{str(error)[1:]}") from None
    try:
        _check(found)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return found


def _stated(value: object) -> object:
    """Return TOML values with numbers and dates as text, and without what is empty."""
    if isinstance(value, dict):
        found = {name: _stated(each) for name, each in value.items()}
        return {name: each for name, each in found.items() if each is not None}
    if isinstance(value, list):
        return [each for each in map(_stated, value) if each is not None]
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool):
        return value  # refused: nothing is yes or no
    if isinstance(value, int | Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def _check(context: Context) -> None:
    for name, table in ((name, getattr(context, name)) for name in context.__struct_fields__):
        for field in table.__struct_fields__:
            told = getattr(table, field)
            texts = told if isinstance(told, tuple) else (told,)
            if any(text is not None and len(text) > _MAX_TEXT for text in texts):
                raise InputError(f"{name}.{field}: is longer than {_MAX_TEXT} characters")
    _check_dates(context)
    policy = context.policy
    if (policy.radius is None) != (policy.accuracy is None):
        raise InputError("policy: radius and accuracy belong together")
    if policy.radius is not None and parse_rational(policy.radius, "policy.radius") < 0:
        raise InputError("policy.radius: must not be negative")
    if policy.accuracy is not None:
        share = parse_rational(policy.accuracy, "policy.accuracy")
        if not Fraction(0) < share <= 1:
            raise InputError("policy.accuracy: must be a share, above 0 and at most 1")


def _check_dates(context: Context) -> None:
    for name, text in (
        ("identification.date", context.identification.date),
        ("policy.fixed_on", context.policy.fixed_on),
        ("validity.valid_until", context.validity.valid_until),
    ):
        if text is not None:
            _check_date(name, text)
    told, policy = context.identification.date, context.policy
    if told and policy.fixed_on and policy.fixed_on > told:
        raise InputError("policy.fixed_on: is after identification.date, not beforehand")
    if told and context.validity.valid_until and context.validity.valid_until < told:
        raise InputError("validity.valid_until: is before identification.date")


def _check_date(name: str, text: str) -> None:
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{name}: write YYYY-MM-DD") from None
