"""Canonical JSON: byte for byte RFC 8785, and no other spelling is read."""

import json
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from certaudit.errors import InputError
from certaudit.records.canonical import MAX_DEPTH, check_plain, decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ODD = st.text(st.sampled_from('\0\x08\t\n\x0b\f\r\x1f "/\\\x7f\x80\u2028\ufeff\U0001f600é'))
NAMES = st.text(st.characters(max_codepoint=127), max_size=6)
PLAIN = st.recursive(
    st.none() | st.booleans() | TEXT | ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    a: str
    b: dict[str, Any] | None

    def __post_init__(self):
        check_plain(self.b, depth=1)


def read(data, kind=Pair, limit=1000):
    return decode(data, kind, what="FILE", limit=limit)


@given(PLAIN)
def test_it_is_rfc_8785(value):
    data = encode(value)
    assert data == rfc8785.dumps(value)
    assert decode(data, Any, what="FILE", limit=1 << 20) == value


def test_every_character_of_one_byte_and_some_beyond():
    text = "".join(map(chr, range(0x300))) + "\u2028\ud7ff\ue000\uffff\U0001f600\U0010ffff"
    assert encode({text[:128]: text}) == rfc8785.dumps({text[:128]: text})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("\ud800", "lone surrogate"),
        (["x", {"a": "\udfff"}], "lone surrogate"),
        ({"é": "x"}, "not ASCII"),
        ({1: "x"}, "not ASCII"),
        (1, "number"),
        ([0.5], "number"),
        ({"a": float("nan")}, "number"),
        (b"x", "bytes"),
        ({"x"}, "set"),
    ],
)
def test_what_is_not_written(value, words):
    with pytest.raises(InputError, match=words):
        encode(value)


def test_depth():
    value = "x"
    for _ in range(MAX_DEPTH):
        value = [value]
    assert encode(value) == b"[" * MAX_DEPTH + b'"x"' + b"]" * MAX_DEPTH
    with pytest.raises(InputError, match="deeper than 16"):
        encode([value])


BAD = {
    "a member twice": (b'{"a":"x","a":"x","b":null}', "the member 'a' is there twice"),
    "twice inside": (b'{"a":"x","b":{"c":"1","c":"2"}}', "the member 'c' is there twice"),
    "twice by escape": (b'{"a":"x","\\u0061":"x","b":null}', "the member 'a' is there twice"),
    "integer": (b'{"a":1,"b":null}', "the number 1;"),
    "float": (b'{"a":"x","b":{"c":1.5e9}}', "the number 1.5e9;"),
    "long integer": (b'{"a":' + b"9" * 800 + b',"b":null}', "the number 999999999999999999999999;"),
    "NaN": (b'{"a":NaN,"b":null}', "holds NaN"),
    "infinity": (b'{"a":-Infinity,"b":null}', "holds -Infinity"),
    "space": (b'{"a": "x","b":null}', "not spelled as canonical JSON"),
    "order": (b'{"b":null,"a":"x"}', "not spelled as canonical JSON"),
    "escape": (b'{"a":"\\u0041","b":null}', "not spelled as canonical JSON"),
    "upper-case escape": (b'{"a":"\\u001F","b":null}', "not spelled as canonical JSON"),
    "escaped solidus": (b'{"a":"\\/","b":null}', "not spelled as canonical JSON"),
    "newline after": (b'{"a":"x","b":null}\n', "not spelled as canonical JSON"),
    "two values": (b'{"a":"x","b":null}{}', "more than one JSON value (byte 18)"),
    "mark": (b'\xef\xbb\xbf{"a":"x","b":null}', "not JSON"),
    "nothing": (b"", "not JSON"),
    "cut": (b'{"a":"x","b":nul', "not JSON"),
    "not UTF-8": (b'{"a":"\xff","b":null}', "is not UTF-8"),
    "surrogate bytes": (b'{"a":"\xed\xa0\x80","b":null}', "is not UTF-8"),
    "overlong": (b'{"a":"\xc0\x80","b":null}', "is not UTF-8"),
    "lone surrogate": (b'{"a":"\\ud800","b":null}', "lone surrogate"),
    "control character": (b'{"a":"\x01","b":null}', "not JSON"),
    "name": ('{"a":"x","b":{"é":"y"}}'.encode(), "not ASCII"),
    "unknown": (b'{"a":"x","b":null,"c":null}', "unknown field `c`"),
    "missing": (b'{"a":"x"}', "missing required field `b`"),
    "type": (b'{"a":true,"b":null}', "expected `str`, got `bool` - at `$.a`"),
    "list": (b"[]", "expected `object`, got `array`"),
    "deep": (b'{"a":"x","b":{"c":' + b"[" * 17 + b"]" * 17 + b"}}", "deeper than 16"),
    "very deep": (b'{"a":"x","b":{"c":' + b"[" * 200_000, "deeper than 16"),
    "long": (b'{"a":"' + b"x" * 2_000_000 + b'","b":null}', "longer than 1000000 bytes"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_read(case):
    data, words = BAD[case]
    with pytest.raises(InputError) as caught:
        read(data, limit=1_000_000)
    assert str(caught.value).startswith("FILE: ")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 200


@given(st.binary(max_size=40))
def test_noise_is_refused_or_canonical(data):
    try:
        value = decode(data, Any, what="FILE", limit=40)
    except InputError:
        return
    except Exception as error:
        raise AssertionError(repr(error)) from error
    # Where a type lets anything stand, numbers are the type's to refuse.
    assert json.loads(data) == value
