"""JSON read strictly: no key twice, no NaN, and the numbers of claims as they are written."""

from __future__ import annotations

import errno
import json
from collections.abc import Sequence
from pathlib import Path

from certaudit.errors import InputError
from certaudit.io.claims.blocks import Block
from certaudit.io.claims.common import Malformed, Record, Span, bare, named, text_of, why

__all__ = [
    "json_file",
    "json_object",
    "no_constant",
    "objects_at_once",
    "once",
    "parse_json",
    "value_spans",
]

_MAX_DEPTH = 8


def json_file(path: Path, most: int) -> object | None:
    """Return the content of a JSON file, None where there is no such file."""
    try:
        if not path.is_file():
            return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # such a file cannot be there
            return None
        raise InputError(f"{path}: {error.strerror}") from None
    with named(path), path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise InputError(f"{path}: has more than {most} bytes")
    return parse_json(data, str(path))


def parse_json(data: bytes | str, what: str) -> object:
    """Return what JSON says; a key that is there twice is refused."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        content: object = json.loads(text, object_pairs_hook=once, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what}: not JSON ({why(error)})") from None
    return {} if content is None else content


def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON; a key that is there twice is refused with a ValueError."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def no_constant(name: str) -> object:
    """Refuse NaN and Infinity, which Python reads, with a ValueError."""
    raise ValueError(f"{name} is not a number of JSON")


_DECODER = json.JSONDecoder(
    parse_float=str, parse_int=str, parse_constant=no_constant, object_pairs_hook=once
)
_QUICK = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=no_constant)


def json_object(line: str) -> Record:
    """Return the object of a line, its numbers as they are written."""
    try:
        found: object = _DECODER.decode(bare(line))
    except RecursionError:
        raise Malformed(f"nested deeper than {_MAX_DEPTH}") from None
    except ValueError as error:
        raise Malformed(f"not JSON ({why(error)})") from None
    if not isinstance(found, dict):
        raise Malformed("not an object")
    if line.count("{") + line.count("[") > _MAX_DEPTH and _depth(found) > _MAX_DEPTH:
        raise Malformed(f"nested deeper than {_MAX_DEPTH}")
    return found


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [x for item in level for x in (item.values() if isinstance(item, dict) else item)]
    return depth


def value_spans(line: str) -> dict[str, Span]:
    """Return where the values of an object stand that json_object reads."""
    spans: dict[str, Span] = {}
    at = _past_blanks(line, line.index("{") + 1)
    while line[at] != "}":
        key, at = _QUICK.raw_decode(line, at)
        at = _past_blanks(line, line.index(":", at) + 1)
        _, end = _QUICK.raw_decode(line, at)
        spans[key] = (at, end)
        at = _past_blanks(line, end)
        if line[at] == ",":
            at = _past_blanks(line, at + 1)
    return spans


def _past_blanks(line: str, at: int) -> int:
    while line[at] in " \t\r\n":
        at += 1
    return at


def objects_at_once(block: Block, nested: Sequence[str] = ()) -> list[Record] | None:
    """Return the objects of lines that hold one each, read all at once, or None.

    Nothing in them is nested but objects in the values of the keys `nested`, and in these.

    There are as many braces as objects, so none is in a text. A line begins with a brace and ends
    with one, and no object goes on after a comma with a brace; so there is no less than an object
    a line, and, as many as there are, no more. As many colons as keys: none is in a text, and no
    key was there twice.
    """
    text, count = text_of(block.data), block.size
    if "\r" in text:
        text = text.replace("\r\n", "\n").removesuffix("\r")
    ends = text.count("}\n") == count - 1 == text.count("\n{")
    if not ends or "[" in text or not text.startswith("{") or not text.endswith("}"):
        return None
    try:
        records: list[Record] = _QUICK.decode("[" + text.replace("\n", ",") + "]")
    except (ValueError, RecursionError):
        return None
    found = list(records)
    for key in nested:
        outer = [inner for each in records if isinstance(inner := each.get(key), dict)]
        found += outer
        found += [inner for each in outer for inner in each.values() if isinstance(inner, dict)]
    braces = text.count("{") == text.count("}") == len(found)
    colons = text.count(":") == sum(map(len, found))
    return records if len(records) == count and braces and colons else None
