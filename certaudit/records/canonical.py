"""Canonical JSON (RFC 8785) without numbers: written one way, and read only when written so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import msgspec

from certaudit.errors import InputError

__all__ = ["MAX_DEPTH", "check_plain", "decode", "decoder", "encode", "parse_strict"]

MAX_DEPTH = 16
"""Most levels of objects and lists in a document, the outermost one counted."""

T = TypeVar("T")

# Members sorted by name, no spaces, the shortest escapes: RFC 8785, as long as there are no
# numbers and all names are ASCII (it sorts UTF-16 code units, msgspec bytes).
_ENCODER = msgspec.json.Encoder(order="sorted")


def encode(value: object) -> bytes:
    """Return the canonical bytes of a document, without a newline.

    It is one of the model, or made of text, booleans, null, lists and objects.

    Raises InputError for numbers, names that are not ASCII, lone surrogates and other types.
    """
    try:
        if not isinstance(value, msgspec.Struct):
            check_plain(value)
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        raise InputError("text holds a lone surrogate, which is no character") from None


def check_plain(value: object, *, depth: int = 0) -> None:
    """Refuse what has no place in a canonical document; `depth` levels are around `value`.

    Raises InputError for numbers, names that are not ASCII, more than MAX_DEPTH levels, and
    types that JSON does not have.
    """
    if value is None or isinstance(value, (str, bool)):
        return
    if isinstance(value, (int, float)):
        raise InputError("holds a number; numbers are written as text")
    if not isinstance(value, (dict, list, tuple)):
        raise InputError(f"{type(value).__name__} is nothing that JSON has")
    if depth >= MAX_DEPTH:
        raise InputError(f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for name, member in value.items():
            if not isinstance(name, str) or not name.isascii():
                raise InputError(f"the member {name!a} has a name that is not ASCII")
            check_plain(member, depth=depth + 1)
    else:
        for member in value:
            check_plain(member, depth=depth + 1)


def decode(data: bytes, kind: type[T], *, what: str, limit: int) -> T:
    """Return the document of type `kind` that `data` is the canonical spelling of.

    `what` names the document in messages, `limit` is the most bytes that are read. A type with
    members in which anything may stand has to call check_plain on them itself.

    Raises InputError for anything else: duplicate, unknown or missing members, numbers, NaN,
    another spelling of the same values, bytes around the document, text that is not UTF-8,
    too long, too deep, values that break a rule of the type.
    """
    return decoder(kind, limit=limit)(data, what)


def decoder(kind: type[T], *, limit: int) -> Callable[[bytes, str], T]:
    """Return a function (data, what) that decodes many documents of one type, as `decode` does."""
    read = msgspec.json.Decoder(kind).decode
    write = _ENCODER.encode

    def decode(data: bytes, what: str) -> T:
        if len(data) > limit:
            raise InputError(f"{what}: is longer than {limit} bytes")
        try:
            value = read(data)
            # Whatever the reader forgives (spaces, order, escapes, a member twice) shows here.
            if write(value) == data:
                return value
        except (ValueError, RecursionError) as error:
            _refuse(data, what, error)
        _refuse(data, what, None)

    return decode


def _refuse(data: bytes, what: str, error: Exception | None) -> NoReturn:
    """Raise InputError with the plainest reason why `data` is not read."""
    reason = _fault(data)
    if reason is None and isinstance(error, msgspec.ValidationError):
        reason = _in_words(str(error))
    if reason is None:
        reason = "is not spelled as canonical JSON (RFC 8785) spells it"
    raise InputError(f"{what}: {reason}")


def _fault(data: bytes) -> str | None:
    """Return what is wrong with a document whatever its type, if anything is."""
    try:
        value = parse_strict(data, numbers=False)
        check_plain(value)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return "text holds a lone surrogate, which is no character"
    except InputError as error:
        return str(error)
    return None


def parse_strict(data: bytes, *, numbers: bool) -> object:
    """Return the JSON value that UTF-8 text writes; slow, with plain messages.

    Raises InputError for what is not JSON, duplicate members, NaN and infinities, and for
    numbers where there may be none.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"the member {twice!a} is there twice")
        return members

    def constant(name: str) -> NoReturn:
        raise InputError(f"holds {name}, which is not JSON")

    def number(text: str) -> NoReturn:
        raise InputError(f"holds the number {text[:24]}; numbers are written as text")

    hooks: dict[str, Any] = {} if numbers else {"parse_int": number, "parse_float": number}
    try:
        text = data.decode("utf-8")
        found: object = json.loads(text, object_pairs_hook=unique, parse_constant=constant, **hooks)
    except UnicodeDecodeError:
        raise InputError("is not UTF-8") from None
    except RecursionError:
        raise InputError(f"is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            raise InputError(f"holds more than one JSON value (byte {error.pos})") from None
        raise InputError(f"is not JSON: {error.msg} (byte {error.pos})") from None
    return found


def _in_words(message: str) -> str:
    """Return msgspec's message without its regular expressions."""
    if "matching regex" in message:
        _, _, place = message.rpartition(" - at ")
        return f"a value is not spelled as the format says - at {place or '`$`'}"
    return message[:1].lower() + message[1:]
