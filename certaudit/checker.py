"""Check a signed run of certaudit, and the mathematics in it, with nothing but Python 3.11.

    python3 -I checker.py RUN --key key.pub.pem [--data DATA [--test FILE]]
                          [--sample N --seed S] [--require-all]
    python3 -I checker.py ATTACK --data DATA [--test FILE] [--require-all]

RUN is a run folder (bundle.json, records.jsonl, run.json, certificates.jsonl) or the proof of
one record; ATTACK a file of `certaudit attack`, which nobody signs: all of it is derived again.
One file, the standard library only; it shares no code with what made the records,
and no float decides anything. Each step is `checked`, `failed` or `not checked`, and why.
Exit codes: 0 nothing failed, 1 a false statement, 2 unreadable, 3 left open (with --require-all:
something was not checked), 4 not trusted (no key, signature, digest, tree, files that differ).
"""

from __future__ import annotations

import argparse
import ast
import base64
import csv
import hashlib
import io
import json
import math
import os
import re
import struct
import sys
import textwrap
import zipfile
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, partial
from itertools import accumulate
from operator import mul, ne
from pathlib import Path
from typing import Any

CHECKED, FAILED, NOT_CHECKED = "checked", "failed", "not checked"
REFUTED, MALFORMED, OPEN, UNTRUSTED = 1, 2, 3, 4
MAX_FILE, MAX_LINE, MAX_RECORDS, MAX_DEPTH = 1 << 24, 1 << 16, 10**7, 16
MAX_ARRAY = 1 << 34
MAX_EXPONENT = 10_000
MULTI_LINE = 1 << 17
PAYLOAD_TYPE = "application/vnd.in-toto+json"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:certaudit:certificates:label-flip:v1"
RECORD_TYPE = "urn:certaudit:record:label-flip:v1"
MULTI_PREDICATE_TYPE = "urn:certaudit:certificates:label-flip-multiclass:v1"
MULTI_RECORD_TYPE = "urn:certaudit:record:label-flip-multiclass:v1"
EXACT_PREDICATE_TYPE = "urn:certaudit:certificates:label-flip-exact:v1"
EXACT_RECORD_TYPE = "urn:certaudit:record:label-flip-exact:v1"
INCLUSION_TYPE = "urn:certaudit:inclusion:v1"
ATTACK_TYPE = "urn:certaudit:attack:label-flip:v1"
ARRAYS = ("X_test", "X_train", "y_test", "y_train")
VERSIONS = ("certaudit", "python", "numpy", "python-flint", "flint")
ACCURACIES = ("clean", "decided", "unsmoothed", "constant_0", "constant_1")
SIGNED_ONLY = ("type", "run", "engine", "annotations")
VOTES = ("pairwise", "plurality")
COUNTED = ("training_points", "test_points", "certified_points", "feature_columns")
ESCALATED = ("points", "undecided", "loose", "failed")
NUMBERS = {"format", "classes", "dropped", "shape", "correct", "of", "accuracy", "kl", "tight"}
NUMBERS |= {"index", "prediction", "label", "log_error", "p_lower"}
NUMBERS |= {*COUNTED, *ACCURACIES, *ESCALATED, "constant", "class", *VOTES}
NUMBERS |= {"proved", "refuted_at", "flips", "closed", "open", "from", "to"}
"""Members of run.json, certificates.jsonl and attack files that hold numbers."""
PI = Fraction(314159265358979323846264338327950288419716939937510582097494, 10**59)
"""Less than pi, by less than 10^-59."""


class Bad(Exception):  # noqa: N818  (not always an error of the program)
    """What ends a check at once: an exit code and one line."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Open(Exception):  # noqa: N818
    """A comparison that stayed open at the largest precision."""


@dataclass
class Report:
    """The steps so far: name, state, what was seen, exit code of a failure."""

    steps: list[tuple[str, str, str, int]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, step: str, state: str, text: str, code: int = 0) -> None:
        """Note the state of a step."""
        self.steps.append((step, state, text, code))

    def left(self) -> list[str]:
        """Return the steps that were not checked."""
        return [name for name, state, _, _ in self.steps if state == NOT_CHECKED]

    def exit_code(self, *, require_all: bool) -> int:
        """Return the exit code: 4 > 2 > 1 > 3 > 0."""
        codes = {code for _, state, _, code in self.steps if state == FAILED}
        for code in (UNTRUSTED, MALFORMED, REFUTED):
            if code in codes:
                return code
        # What the files would have allowed, but the precision did not, is never called fine.
        stuck = any(s == NOT_CHECKED and code == OPEN for _, s, _, code in self.steps)
        return OPEN if stuck or (require_all and self.left()) else 0


# Canonical JSON (RFC 8785, without numbers), plain JSON, and closed shapes.


def canonical(value: object) -> bytes:
    """Return the canonical bytes of a value without numbers whose member names are ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def read_canonical(data: bytes, what: str) -> Any:
    """Return the value of canonical JSON; every other spelling of it is refused."""

    def number(text: str) -> object:
        raise Bad(MALFORMED, f"{what}: the number {text[:20]} (numbers are strings here)")

    try:
        text = data.decode()
        value = json.loads(text, parse_int=number, parse_float=number, parse_constant=number)
        again = canonical(value)
    except RecursionError:
        raise Bad(MALFORMED, f"{what}: nested too deeply") from None
    except ValueError as error:
        raise Bad(MALFORMED, f"{what}: not JSON ({str(error)[:80]})") from None
    if again != data:
        raise Bad(MALFORMED, f"{what}: not canonical JSON (RFC 8785)")
    return value


class Number(str):
    """A JSON number as text, integers in decimal, others as binary64: not the same in quotes."""

    __slots__ = ()


def read_plain(data: bytes, what: str, code: int = UNTRUSTED) -> Any:
    """Return plain JSON with the text of its numbers, each where a number belongs."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for name, value in pairs:
            for leaf in value if isinstance(value, list) else [value]:
                if isinstance(leaf, str) and isinstance(leaf, Number) != (name in NUMBERS):
                    raise ValueError(f"{name}: a number as text, or text as a number")
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a member twice")
        return dict(pairs)

    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=once,
            parse_int=Number,
            parse_float=lambda text: Number(float(text).hex()),
            parse_constant=Number,
        )
    except (ValueError, RecursionError) as error:
        text = "the JSON that was signed" if code == UNTRUSTED else "JSON that is known"
        raise Bad(code, f"{what}: not {text} ({str(error)[:80]})") from None


INTEGER = re.compile(r"0|[1-9][0-9]{0,14}")
DIGEST = re.compile(r"[0-9a-f]{64}")
TEXT = re.compile(r"(?s).*")
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
BIT = re.compile(r"[01]")
CLASSES = re.compile(r"[2-9]|[1-9][0-9]{1,2}|1000")
FLOAT = re.compile(r"-?0x[01]\.[0-9a-f]{1,13}p[+-][0-9]{1,4}")
RATIONAL = re.compile(r"(?:0|-?[1-9][0-9]{0,999})(?:/[1-9][0-9]{0,999}|e-?[1-9][0-9]{0,4})?")
DYADIC = re.compile(r"0x([1-9a-f][0-9a-f]{0,999})p(0|-?[1-9][0-9]{0,4})")
PLAIN = re.compile(r"[+-]?[0-9.]{1,1000}(?:[eE][+-]?[0-9]{1,4}|/[0-9]{1,1000})?")
WIRE = re.compile(r"0|-?[1-9][0-9]{0,3998}")


def binary64(text: object, where: str) -> Fraction:
    """Return the value of a float64 in its one hexadecimal spelling."""
    if isinstance(text, str) and FLOAT.fullmatch(text):
        number = math.inf
        with suppress(OverflowError):
            number = float.fromhex(text)
        if math.isfinite(number) and number.hex() == text:
            return Fraction(number)
    raise Bad(MALFORMED, f"{where}: {str(text)[:40]!r} is not a canonical binary64")


def rational(text: object, where: str) -> Fraction:
    """Return an exact number: "p/q" in lowest terms, or one too long for that as m e, 0x m p."""
    if isinstance(text, str) and RATIONAL.fullmatch(text):
        digits, e, exponent = text.partition("e")
        value = Fraction(digits)
        if not e and str(value) == text:
            return value
        if e and abs(int(exponent)) <= MAX_EXPONENT:
            value *= Fraction(10) ** int(exponent)
            if max(value.numerator, value.denominator) >= 10**1000 and digits[-1] != "0":
                return value
    found = DYADIC.fullmatch(text) if isinstance(text, str) else None
    if found and abs(int(found[2])) <= MAX_EXPONENT:
        value = int(found[1], 16) * Fraction(2) ** int(found[2])
        rest = value.numerator
        while rest % 10 == 0:
            rest //= 10  # what would stand before the e, were it an integer
        short = value.denominator == 1 and rest < 10**1000
        if int(found[1], 16) % 2 and not short and max(value.as_integer_ratio()) >= 10**1000:
            return value
    raise Bad(
        MALFORMED, f"{where}: {str(text)[:40]!r} is not an exact number as it is spelled here"
    )


def ridge_value(text: object, where: str) -> Fraction:
    """Return a ridge: a binary64 where one holds it, else an exact number."""
    is_float = isinstance(text, str) and FLOAT.fullmatch(text)
    value = binary64(text, where) if is_float else rational(text, where)
    number = math.inf
    with suppress(OverflowError):
        number = float(value)
    if value < 0 or (number == value and number.hex() != text):
        raise Bad(MALFORMED, f"{where}: negative, or not spelled as the format says")
    return value


def upper_end(value: object, where: str) -> Fraction:
    """Return a bound from above: a binary64, or the upper end of a ball of four integers."""
    if not isinstance(value, list):
        return binary64(value, where)
    if len(value) != 4 or not all(isinstance(v, str) and WIRE.fullmatch(v) for v in value):
        raise Bad(MALFORMED, f"{where}: a ball is a list of four integers")
    middle, exponent, radius, shift = map(int, value)
    if radius < 0 or max(abs(exponent), abs(shift)) > 1 << 16:
        raise Bad(MALFORMED, f"{where}: a ball with a negative radius, or beyond the limits")
    return middle * Fraction(2) ** exponent + radius * Fraction(2) ** shift


def annotations_in(around: int) -> Callable[[object, str], None]:
    """Return a shape: an object within the limits, that many levels around it; not read here."""

    def hold(value: object, where: str, depth: int) -> None:
        if isinstance(value, (dict, list)):
            if depth >= MAX_DEPTH or not all(
                map(str.isascii, value if type(value) is dict else ())
            ):
                raise Bad(MALFORMED, f"{where}: nested too deeply, or a name that is not ASCII")
            for item in value.values() if isinstance(value, dict) else value:
                hold(item, where, depth + 1)

    def fit_object(value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise Bad(MALFORMED, f"{where}: not an object")
        hold(value, where, around)

    return fit_object


def log_bound(value: object, where: str) -> None:
    """Refuse what is no binary64 up to 0: a bound on the logarithm of a probability."""
    if binary64(value, where) > 0:
        raise Bad(MALFORMED, f"{where}: above 0")


def witness(value: object, where: str) -> None:
    """Refuse what is no binary64 from 0."""
    if binary64(value, where) < 0:
        raise Bad(MALFORMED, f"{where}: negative")


def flag(value: object, where: str) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool):
        raise Bad(MALFORMED, f"{where}: neither true nor false")


def fit(value: Any, shape: Any, where: str) -> None:  # noqa: C901, PLR0912
    """Refuse a value that is not of a shape, naming the place: nothing unknown is let through.

    Shapes: a literal, a pattern, (None, shape), [shape], {name: shape} with "name?" where it may
    be missing and "*" for any name, or a function that raises.
    """
    match shape:
        case str():
            if value != shape:
                raise Bad(MALFORMED, f"{where}: {str(value)[:60]!r}, where {shape!r} is known")
        case re.Pattern():
            if not isinstance(value, str) or not shape.fullmatch(value):
                raise Bad(MALFORMED, f"{where}: {str(value)[:60]!r} is not what belongs there")
        case dict():
            if not isinstance(value, dict):
                raise Bad(MALFORMED, f"{where}: not an object")
            for name, inner in value.items():
                known = shape.get(name, shape.get(f"{name}?", shape.get("*")))
                if known is None or not name.isascii() or ("*" not in shape and "?" in name):
                    raise Bad(MALFORMED, f"{where}: unknown member {name[:40]!r}")
                fit(inner, known, f"{where}.{name[:40]}")
            for name in shape:
                if name not in value and name != "*" and not name.endswith("?"):
                    raise Bad(MALFORMED, f"{where}: no member {name!r}")
        case list():
            if not isinstance(value, list) or (not shape and value):
                raise Bad(MALFORMED, f"{where}: not a list that is known")
            for at, item in enumerate(value):
                fit(item, shape[0], f"{where}[{at}]")
        case (None, inner):
            if value is not None:
                fit(value, inner, where)
        case _:
            shape(value, where)


RUN_SHAPE: dict[str, Any] = {
    **dict.fromkeys(("certaudit", "engine", "source"), TEXT),
    "format": "1",
    "classifier": "least squares",
    "vote": "majority",
    "intercept": flag,
    "noise_model": {"name": "label-flip", "q": rational, "classes": "2"},
    "guarantee": [re.compile("kl|tight")],
    "ridge": {"rule": re.compile("auto|paper|given"), "value": ridge_value},
    "scale": {
        "rule": re.compile("standard|none"),
        "dropped": [INTEGER],
        "mean": [binary64],
        "deviation": [binary64],
    },
    "assumptions": [
        {
            "what": TEXT,
            "value": TEXT,
            "label_free": re.compile("checked|declared|unknown|violated"),
        }
    ],
    **dict.fromkeys(("label_column", "positive"), (None, TEXT)),
    **dict.fromkeys(COUNTED, INTEGER),
    "data": {name: {"sha256": DIGEST, "dtype": TEXT, "shape": [INTEGER]} for name in ARRAYS},
    "versions": dict.fromkeys(VERSIONS, TEXT),
    "accuracy": dict.fromkeys(ACCURACIES, binary64),
    "certified_accuracy": {"*": {"correct": [INTEGER], "of": INTEGER, "accuracy": [binary64]}},
    "findings": [{"code": TEXT, "name": TEXT, "message": TEXT}],
    "escalated?": dict.fromkeys(ESCALATED, INTEGER),
}
MULTI_RUN_SHAPE = {
    **RUN_SHAPE,
    "classifier": "one-hot least squares",
    "vote": re.compile("|".join(VOTES)),
    "noise_model": {**RUN_SHAPE["noise_model"], "classes": CLASSES},
    "accuracy": {**dict.fromkeys(ACCURACIES[:3], binary64), "constant": [binary64]},
    "vacuous": dict.fromkeys(VOTES, INTEGER),
}
BRACKETS = {"closed": INTEGER, "open": INTEGER}
EXACT_RUN_SHAPE = {
    **RUN_SHAPE,
    "guarantee": [re.compile("kl|tight|exact")],
    "attacked_accuracy": RUN_SHAPE["certified_accuracy"]["*"],
    "brackets": BRACKETS,
}
TREE_SHAPE = {"algorithm": "rfc6962-sha256", "root": DIGEST, "size": INTEGER}
STATEMENT_SHAPES = {
    kind: {
        "_type": STATEMENT_TYPE,
        "predicate": {"annotations": annotations_in(2), "run": run, "tree": TREE_SHAPE},
        "predicateType": kind,
        "subject": [{"digest": {"sha256": DIGEST}, "name": TEXT}],
    }
    for kind, run in (
        (PREDICATE_TYPE, RUN_SHAPE),
        (MULTI_PREDICATE_TYPE, MULTI_RUN_SHAPE),
        (EXACT_PREDICATE_TYPE, EXACT_RUN_SHAPE),
    )
}
STATEMENT_SHAPE, MULTI_STATEMENT_SHAPE, EXACT_STATEMENT_SHAPE = STATEMENT_SHAPES.values()
BUNDLE_SHAPE = {
    "dsseEnvelope": {
        "payload": BASE64,
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": BASE64}],
    },
    "mediaType": MEDIA_TYPE,
    "verificationMaterial": {
        "publicKey": {"hint": BASE64},
        "tlogEntries": [],
        "timestampVerificationData?": {"rfc3161Timestamps": [{"signedTimestamp": BASE64}]},
    },
}
SHARED_SHAPE = {
    "run": DIGEST,
    "engine": TEXT,
    "annotations": annotations_in(1),
    "index": INTEGER,
    "decided": flag,
    "p_lower": binary64,
    "radius": {"*": INTEGER},
}
RECORD_SHAPE = {
    **SHARED_SHAPE,
    "type": RECORD_TYPE,
    "label": BIT,
    "prediction": BIT,
    "constant": flag,
    "t": (None, binary64),
    "log_error": (None, upper_end),
}
MULTI_RECORD_SHAPE = {
    **SHARED_SHAPE,
    "type": MULTI_RECORD_TYPE,
    "label": INTEGER,
    "prediction": INTEGER,
    "log_error": log_bound,
    "rivals": [{"class": INTEGER, "log_error": log_bound, "t": witness}],
}


METHOD = re.compile("constant|no-noise|enumeration|chernoff|berry-esseen|fourier|lattice")
CHECK = re.compile("no-noise|chernoff|berry-esseen")
PROOF_SHAPE = {"by": METHOD, "check": (None, CHECK), "t": (None, binary64)}
SIDE_SHAPE = (None, {**PROOF_SHAPE, "flips": (None, INTEGER)})
EXACT_RECORD_SHAPE = {
    **RECORD_SHAPE,
    "type": EXACT_RECORD_TYPE,
    "radius": {"exact": {"proved": INTEGER, "refuted_at": (None, INTEGER)}, "*": INTEGER},
    "evidence": {"proved": SIDE_SHAPE, "refuted": SIDE_SHAPE},
}
ATTACK_SHAPE = {
    "type": ATTACK_TYPE,
    **{name: RUN_SHAPE[name] for name in ("certaudit", "noise_model", "classifier", "vote")},
    **{name: RUN_SHAPE[name] for name in ("ridge", "intercept", "scale", "source")},
    **{name: RUN_SHAPE[name] for name in ("label_column", "positive", "training_points", "data")},
    "index": INTEGER,
    "label": BIT,
    "prediction": BIT,
    "holds_for": re.compile("pipeline|fixed ridge"),
    "ridge_after": (None, ridge_value),
    "radius": {"proved": INTEGER, "refuted_at": INTEGER},
    "flips": [{"index": INTEGER, "from": BIT, "to": BIT}],
    "before": PROOF_SHAPE,
    "after": PROOF_SHAPE,
}
RECORD_SHAPES = {
    str(shape["type"]): shape for shape in (RECORD_SHAPE, MULTI_RECORD_SHAPE, EXACT_RECORD_SHAPE)
}


def record_shape(kind: object) -> dict[str, Any]:
    """Return the shape of a record of a type, that of two labels for what is no type."""
    return RECORD_SHAPES.get(str(kind), RECORD_SHAPE)


def is_exact(run: dict[str, Any]) -> bool:
    """Return whether a run is of the third kind: two labels, and the exact radius."""
    return "exact" in run.get("guarantee", ())


# Signatures: ECDSA on P-256 with SHA-256, and Ed25519.

P256_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
P256_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
P256_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
ED_PREFIX = bytes.fromhex("302a300506032b6570032100")
ED_P, ED_L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
Point = tuple[int, int, int, int]
ED_D = -121665 * pow(121666, -1, ED_P) % ED_P


def read_key(data: bytes, what: str) -> bytes:
    """Return the SubjectPublicKeyInfo (DER) of a PEM public key, P-256 or Ed25519."""
    found = re.fullmatch(
        rb"-----BEGIN PUBLIC KEY-----\n((?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/=]{1,64}\n)"
        rb"-----END PUBLIC KEY-----",
        data.replace(b"\r\n", b"\n").strip(),
    )
    if not found:
        other = re.search(rb"-----BEGIN ([A-Z ]+)-----", data)
        seen = f"a {other[1].decode().lower()}" if other else "no PEM file"
        raise Bad(MALFORMED, f"{what}: {seen}, not a PEM public key")
    der = decode64(b"".join(found[1].split()).decode(), what)
    if der.startswith(P256_PREFIX) and len(der) == 91:
        x, y = (int.from_bytes(der[a : a + 32]) for a in (27, 59))
        if max(x, y) < P256_P and (y * y - x**3 + 3 * x - P256_B) % P256_P == 0:
            return der
    point = ed_point(der[12:]) if der.startswith(ED_PREFIX) and len(der) == 44 else None
    # Under a point of small order one signature holds for every message.
    if point is not None and ed_times(point, 8)[0] % ED_P:
        return der
    raise Bad(MALFORMED, f"{what}: not a key on P-256 or Ed25519")


def decode64(text: str, what: str) -> bytes:
    """Return what base64 text stands for; other spellings of the same bytes are refused."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Bad(MALFORMED, f"{what}: not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Bad(MALFORMED, f"{what}: not the canonical base64")
    return data


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether a signature over a message verifies under a key that read_key returned."""
    if key.startswith(ED_PREFIX):
        return ed25519(key[12:], message, signature)
    found = der_pair(signature)
    if found is None or not all(0 < value < P256_N for value in found):
        return False
    r, s = found
    inverse = pow(s, -1, P256_N)
    digest = int.from_bytes(hashlib.sha256(message).digest())
    point = (int.from_bytes(key[27:59]), int.from_bytes(key[59:91]))
    total = p256_sum((P256_G, digest * inverse % P256_N), (point, r * inverse % P256_N))
    return total is not None and total % P256_N == r


def der_pair(data: bytes) -> tuple[int, int] | None:
    """Return the two integers of a DER sequence in its only spelling."""
    values, at = [], 2
    if len(data) < 8 or len(data) > 72 or data[0] != 0x30 or data[1] != len(data) - 2:
        return None
    for _ in range(2):
        if at + 2 > len(data) or data[at] != 2 or at + 2 + data[at + 1] > len(data):
            return None
        body = data[at + 2 : at + 2 + data[at + 1]]
        if not body or body[0] > 127 or (body[0] == 0 and (len(body) < 2 or body[1] < 128)):
            return None
        values.append(int.from_bytes(body))
        at += 2 + len(body)
    return (values[0], values[1]) if at == len(data) else None


def p256_sum(*terms: tuple[tuple[int, int], int]) -> int | None:
    """Return the affine x of a sum of multiples of points, None for the neutral element."""
    total = (0, 1, 0)
    for bit in range(255, -1, -1):
        total = p256_double(total)
        for (x, y), factor in terms:
            if factor >> bit & 1:
                total = p256_add(total, x, y)
    x, _, z = total
    return None if z == 0 else x * pow(z, -2, P256_P) % P256_P


def p256_double(point: tuple[int, int, int]) -> tuple[int, int, int]:
    """Double a point in Jacobian coordinates (a = -3)."""
    x, y, z = point
    if z == 0 or y == 0:
        return (0, 1, 0)
    square = y * y % P256_P
    cross = 4 * x * square % P256_P
    slope = 3 * (x - z * z) * (x + z * z) % P256_P
    new = (slope * slope - 2 * cross) % P256_P
    return new, (slope * (cross - new) - 8 * square * square) % P256_P, 2 * y * z % P256_P


def p256_add(point: tuple[int, int, int], x: int, y: int) -> tuple[int, int, int]:
    """Add an affine point to one in Jacobian coordinates."""
    x1, y1, z1 = point
    if z1 == 0:
        return (x, y, 1)
    step = (x * z1 * z1 - x1) % P256_P
    rise = (y * z1**3 - y1) % P256_P
    if step == 0:
        return p256_double(point) if rise == 0 else (0, 1, 0)
    square = step * step % P256_P
    cube, base = step * square % P256_P, x1 * square % P256_P
    new = (rise * rise - cube - 2 * base) % P256_P
    return new, (rise * (base - new) - y1 * cube) % P256_P, z1 * step % P256_P


def ed_point(data: bytes) -> Point | None:
    """Return the point that 32 bytes encode (RFC 8032, 5.1.3), None if they encode none."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= ED_P:
        return None
    square = (y * y - 1) * pow(ED_D * y * y + 1, -1, ED_P) % ED_P
    x = pow(square, (ED_P + 3) // 8, ED_P)
    if (x * x - square) % ED_P:
        x = x * pow(2, (ED_P - 1) // 4, ED_P) % ED_P
    if (x * x - square) % ED_P or (x == 0 and sign):
        return None
    x = ED_P - x if x & 1 != sign else x
    return (x, y, 1, x * y % ED_P)


def ed_add(p: Point, q: Point) -> Point:
    """Add points in extended coordinates; complete, so for doubling too."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % ED_P
    b = (p[1] + p[0]) * (q[1] + q[0]) % ED_P
    c, d = 2 * p[3] * q[3] * ED_D % ED_P, 2 * p[2] * q[2] % ED_P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % ED_P, g * h % ED_P, f * g % ED_P, e * h % ED_P)


def ed_times(point: Point, factor: int) -> Point:
    """Return a multiple of a point."""
    total = (0, 1, 1, 0)
    for bit in range(factor.bit_length() - 1, -1, -1):
        total = ed_add(total, total)
        if factor >> bit & 1:
            total = ed_add(total, point)
    return total


def ed25519(key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether an Ed25519 signature verifies (RFC 8032, 5.1.7, without cofactor)."""
    point, base = ed_point(key), ed_point(bytes([0x58]) + bytes([0x66]) * 31)
    if len(signature) != 64 or point is None or base is None:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= ED_L or ed_point(signature[:32]) is None:
        return False
    hashed = hashlib.sha512(signature[:32] + key + message).digest()
    h = int.from_bytes(hashed, "little") % ED_L
    x, y, z, _ = ed_add(ed_times(base, s), ed_times((-point[0] % ED_P, *point[1:3], -point[3]), h))
    x, y = x * pow(z, -1, ED_P) % ED_P, y * pow(z, -1, ED_P) % ED_P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# Evidence: bundle, signature, statement, records, tree.


def leaf_hash(line: bytes) -> bytes:
    """Return the hash of a leaf (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\0" + line).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of the tree of RFC 6962 over leaf hashes, at least one."""
    level = list(leaves)
    while len(level) > 1:
        # A node without a sibling goes up as it is: the same tree as the RFC's recursion.
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = [level[-1]] if len(level) % 2 else []
        level = [hashlib.sha256(b"\1" + a + b).digest() for a, b in pairs] + odd
    return level[0]


def path_root(leaf: bytes, at: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root to which an audit path leads, None where its length is not the one."""
    rest, last, node = list(path), size - 1, leaf
    while last:
        if at % 2 or at < last:
            if not rest:
                return None
            sibling = rest.pop(0)
            pair = sibling + node if at % 2 else node + sibling
            node = hashlib.sha256(b"\1" + pair).digest()
        at, last = at // 2, last // 2
    return None if rest else node


@dataclass(frozen=True)
class Evidence:
    """What was signed: the run, its records (all, or one), whether all of them are there."""

    run: dict[str, Any]
    records: list[dict[str, Any]]
    complete: bool
    root: str = ""


def read_bytes(path: Path, limit: int) -> bytes:
    """Return a file's bytes, at most `limit`."""
    try:
        if path.exists() and not path.is_file():
            raise Bad(MALFORMED, f"{path}: not a file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise Bad(MALFORMED, f"{path}: {error.strerror or error}") from None
    if len(data) > limit:
        raise Bad(MALFORMED, f"{path}: more than {limit} bytes")
    return data


def object_line(data: bytes, what: str) -> bytes:
    """Return the one line of a file."""
    if not data.endswith(b"\n") or data.count(b"\n") != 1:
        raise Bad(MALFORMED, f"{what}: not one line with a newline at its end (truncated?)")
    return data[:-1]


def evidence(path: Path, key_file: Path, report: Report) -> Evidence:
    """Check a run folder or a proof of inclusion up to its tree; Bad where anything is wrong."""
    if not path.exists():
        raise Bad(MALFORMED, f"{path}: no such run folder or proof")
    key = read_key(read_bytes(key_file, 1 << 14), str(key_file))
    if not path.is_dir():
        data = object_line(read_bytes(path, MAX_FILE + MULTI_LINE + MAX_LINE), path.name)
        proof = read_canonical(data, path.name)
        shape = {"bundle": BUNDLE_SHAPE, "leaf": INTEGER, "path": [DIGEST]}
        record = proof.get("record") if isinstance(proof, dict) else None
        kind = record.get("type") if isinstance(record, dict) else None
        inner = {**record_shape(kind), "annotations": annotations_in(2)}
        fit(proof, {**shape, "record": inner, "type": INCLUSION_TYPE}, "proof")
        statement = signed_statement(proof["bundle"], key, report)
        check_inclusion(proof, statement)
        line = canonical(proof["record"])
        records = record_list([line], statement, int(proof["leaf"]), complete=False)
        report.add("records", NOT_CHECKED, "a proof has one record, not the file")
        report.add("tree", CHECKED, f"line {proof['leaf']} of {tree_of(statement)['size']}")
        return Evidence(
            statement["predicate"]["run"], records, complete=False, root=tree_of(statement)["root"]
        )
    name = path / "bundle.json"
    if not name.exists():
        raise Bad(UNTRUSTED, f"{path}: no bundle.json, so nothing is signed")
    data = object_line(read_bytes(name, MAX_FILE), "bundle.json")
    bundle = read_canonical(data, "bundle.json")
    fit(bundle, BUNDLE_SHAPE, "bundle")
    statement = signed_statement(bundle, key, report)
    content = read_bytes(path / "records.jsonl", MAX_ARRAY)
    if hashlib.sha256(content).hexdigest() != statement["subject"][0]["digest"]["sha256"]:
        raise Bad(UNTRUSTED, "records.jsonl: not the file that was signed (its SHA-256 differs)")
    lines = content.split(b"\n")
    if lines.pop() or not lines:
        raise Bad(MALFORMED, "records.jsonl: empty, or no newline at its end")
    if len(lines) > MAX_RECORDS:
        raise Bad(MALFORMED, f"records.jsonl: more than {MAX_RECORDS} records")
    report.add("records", CHECKED, "records.jsonl has the SHA-256 that was signed")
    tree = tree_of(statement)
    if str(len(lines)) != tree["size"]:
        raise Bad(UNTRUSTED, f"records.jsonl: {len(lines)} records, signed are {tree['size']}")
    if merkle_root([leaf_hash(line) for line in lines]).hex() != tree["root"]:
        raise Bad(UNTRUSTED, "records.jsonl: another Merkle root than the one signed")
    records = record_list(lines, statement, complete=True)
    run = statement["predicate"]["run"]
    report.add("tree", CHECKED, tree_text(len(lines), run))
    return Evidence(run, records, complete=True, root=tree["root"])


def tree_text(size: int, run: dict[str, Any]) -> str:
    """Return what the tree is over."""
    return f"RFC 6962 root; the first {size} of {run['test_points']} test rows"


def tree_of(statement: dict[str, Any]) -> dict[str, str]:
    """Return the signed tree head."""
    tree: dict[str, str] = statement["predicate"]["tree"]
    return tree


def signed_statement(bundle: dict[str, Any], key: bytes, report: Report) -> dict[str, Any]:
    """Return the statement of a bundle; its signature is checked before its payload is read."""
    envelope, material = bundle["dsseEnvelope"], bundle["verificationMaterial"]
    if len(envelope["signatures"]) != 1:
        raise Bad(MALFORMED, "bundle: exactly one signature belongs there")
    payload = decode64(envelope["payload"], "bundle: payload")
    signature = decode64(envelope["signatures"][0]["sig"], "bundle: sig")
    fingerprint = hashlib.sha256(key).digest()
    hint = decode64(material["publicKey"]["hint"], "bundle: hint")
    if len(hint) != 32 or len(signature) > 1024:
        raise Bad(MALFORMED, "bundle: the hint is not a SHA-256, or the signature too long")
    if hint != fingerprint:
        seen = f"{hint.hex()}, not {fingerprint.hex()}"
        raise Bad(UNTRUSTED, f"signature: made with another key than the one given ({seen})")
    message = b"DSSEv1 %d %s %d " % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload))
    if not is_signed(key, message + payload, signature):
        raise Bad(UNTRUSTED, "signature: wrong (the statement was changed, or another key)")
    kind = "Ed25519" if key.startswith(ED_PREFIX) else "ECDSA P-256"
    report.add("signature", CHECKED, kind)
    report.remarks.append(f"key {fingerprint.hex()}")
    statement: dict[str, Any] = read_canonical(payload, "statement")
    named = statement.get("predicateType") if isinstance(statement, dict) else None
    fit(statement, STATEMENT_SHAPES.get(str(named), STATEMENT_SHAPE), "statement")
    stamps = material.get("timestampVerificationData", {}).get("rfc3161Timestamps", [])
    if "timestampVerificationData" in material:
        if len(stamps) != 1:
            raise Bad(MALFORMED, "bundle: at most one time stamp belongs there")
        decode64(stamps[0]["signedTimestamp"], "bundle: signedTimestamp")
        report.add("time stamp", NOT_CHECKED, "use openssl ts -verify (docs/verify.md)")
    check_statement(statement)
    report.add("statement", CHECKED, "in-toto v1, canonical, every member known")
    return statement


def check_statement(statement: dict[str, Any]) -> None:
    """Refuse a statement whose parts do not belong together."""
    run, subjects = statement["predicate"]["run"], statement["subject"]
    named = [(item["name"], item["digest"]["sha256"]) for item in subjects]
    data = [(name, run["data"][name]["sha256"]) for name in ARRAYS]
    if [name for name, _ in named] != ["records.jsonl", *ARRAYS] or named[1:] != data:
        raise Bad(MALFORMED, "statement: its subjects are not records.jsonl and the run's data")
    last = ["exact"] * (statement["predicateType"] == EXACT_PREDICATE_TYPE)
    if run["guarantee"] not in (["kl", *last], ["kl", "tight", *last]):
        raise Bad(MALFORMED, "statement: the guarantees are not kl, or kl and tight, of its type")
    _, m, certified, k = (int(run[name]) for name in COUNTED)
    if not 1 <= certified <= m:
        raise Bad(MALFORMED, "statement: numbers of points that cannot be")
    check_model(run, m, k)
    curves = [*run["certified_accuracy"].values(), *([run["attacked_accuracy"]] if last else [])]
    if set(run["certified_accuracy"]) != set(run["guarantee"]) or any(
        curve["of"] != run["certified_points"] or len(curve["correct"]) != len(curve["accuracy"])
        for curve in curves
    ):
        raise Bad(MALFORMED, "statement: certified_accuracy is not of the run's guarantees")
    if last and sum(map(int, run["brackets"].values())) != certified:
        raise Bad(MALFORMED, "statement: brackets are not one for each certified point")
    escalated = run.get("escalated", dict.fromkeys(ESCALATED, "0"))
    points, *reasons = (int(escalated[name]) for name in ESCALATED)
    if not sum(reasons) == points <= certified or ("escalated" in run and run["engine"] != "fast"):
        raise Bad(MALFORMED, "statement: escalated is no sum, above certified, or not of fast")
    if run["vote"] in VOTES:
        check_classes(run)
    if tree_of(statement)["size"] != str(certified):
        raise Bad(MALFORMED, "statement: the tree's size is not the number of certified points")


def check_model(run: dict[str, Any], m: int, k: int) -> None:
    """Refuse noise, arrays and columns that do not belong together, m test rows, k columns."""
    classes, n = int(run["noise_model"]["classes"]), int(run["training_points"])
    if not 0 < rational(run["noise_model"]["q"], "q") * classes < classes - 1:
        raise Bad(MALFORMED, f"statement: q is not in (0, {classes - 1}/{classes})")
    shapes = [[int(size) for size in run["data"][name]["shape"]] for name in ARRAYS]
    dropped, scale = [int(j) for j in run["scale"]["dropped"]], run["scale"]
    d = k + len(dropped)
    if shapes != [[m, d], [n, d], [m], [n]] or n < 1 or d < 1:
        raise Bad(MALFORMED, "statement: numbers of points and columns that cannot be")
    if dropped != sorted(set(dropped)) or (dropped and dropped[-1] >= d):
        raise Bad(MALFORMED, "statement: columns dropped that are not there, or twice")
    means = k if scale["rule"] == "standard" else 0
    if len(scale["mean"]) != means or len(scale["deviation"]) != means:
        raise Bad(MALFORMED, "statement: means and deviations that are not those of the columns")
    if any(binary64(text, "deviation") <= 0 for text in scale["deviation"]):
        raise Bad(MALFORMED, "statement: a deviation that is not positive")
    if (scale["rule"] == "none" and dropped) or (k == 0 and not run["intercept"]):
        raise Bad(MALFORMED, "statement: columns dropped without scaling, or none left")


def check_classes(run: dict[str, Any]) -> None:
    """Refuse a multi-class run whose parts do not belong together."""
    classes = int(run["noise_model"]["classes"])
    if len(run["accuracy"]["constant"]) != classes:
        raise Bad(MALFORMED, "statement: constant is not one accuracy for each class")
    if run["positive"] is not None and classes != 2:
        raise Bad(MALFORMED, "statement: one label is called positive, of more than two classes")
    if max(map(int, run["vacuous"].values())) > int(run["certified_points"]):
        raise Bad(MALFORMED, "statement: more vacuous points than certified")


def record_list(
    lines: Sequence[bytes], statement: dict[str, Any], first: int = 0, *, complete: bool
) -> list[dict[str, Any]]:
    """Return the records of canonical lines; refuse any that is not one of this run's."""
    run = statement["predicate"]["run"]
    digest = hashlib.sha256(canonical(run)).hexdigest()
    n, records = int(run["training_points"]), []
    multi = run["vote"] in VOTES
    classes = [str(c) for c in range(int(run["noise_model"]["classes"]))]
    kind = MULTI_RECORD_TYPE if multi else EXACT_RECORD_TYPE if is_exact(run) else RECORD_TYPE
    shape, limit = record_shape(kind), MULTI_LINE if multi else MAX_LINE
    for at, line in enumerate(lines, first):
        where = f"records.jsonl, line {at + 1}" if complete else "record"
        if len(line) > limit:
            raise Bad(MALFORMED, f"{where}: longer than {limit} bytes")
        record = read_canonical(line, where)
        fit(record, shape, where)
        if record["run"] != digest:
            raise Bad(MALFORMED, f"{where}: a record of another run")
        if record["index"] != str(at):  # who may leave rows out may choose them
            raise Bad(MALFORMED, f"{where}: index {record['index']} where row {at} belongs")
        if list(record["radius"]) != sorted(run["guarantee"]):
            raise Bad(MALFORMED, f"{where}: its radii are not those of the run's guarantees")
        if multi:
            check_rivals(record, classes, where)
        elif not record["constant"] == (record["t"] is None) == (record["log_error"] is None):
            raise Bad(MALFORMED, f"{where}: t and log_error belong to what is not constant")
        if is_exact(run):
            check_bracket(record, n, where)
        radii = [proved_radius(radius) for radius in record["radius"].values()]
        if max(radii) > n or (any(radii) and not record["decided"]):
            raise Bad(MALFORMED, f"{where}: a radius above n, or one without a proven winner")
        records.append(record)
    return records


def check_rivals(record: dict[str, Any], classes: Sequence[str], where: str) -> None:
    """Refuse a record that is not about the classes of its run, each rival once, in order."""
    if not {record["label"], record["prediction"]} <= set(classes):
        raise Bad(MALFORMED, f"{where}: a label that is none of the run's classes")
    others = [name for name in classes if name != record["prediction"]]
    if [rival["class"] for rival in record["rivals"]] != others:
        raise Bad(MALFORMED, f"{where}: its rivals are not the other classes, ascending")


def proved_radius(radius: Any) -> int:
    """Return how many flips are said not to change the vote; of a bracket its lower end."""
    return int(radius["proved"] if isinstance(radius, dict) else radius)


def check_bracket(record: dict[str, Any], n: int, where: str) -> None:
    """Refuse a bracket of the exact radius whose parts do not belong together."""
    evidence, stated = record["evidence"], record["radius"]["exact"]
    proved, refuted = int(stated["proved"]), stated["refuted_at"]
    late = n + 1 if refuted is None else int(refuted)
    sides = [evidence["proved"], evidence["refuted"]]
    there = [
        (side, ends) for side, ends in zip(sides, ((0, proved), (late, n)), strict=True) if side
    ]
    for text, holds in (
        ("a bracket within 0 and n", proved < late and (refuted is None or late <= n)),
        ("radii up to the exact one", max(map(proved_radius, record["radius"].values())) <= proved),
        (
            "evidence for what is said",
            [*map(bool, sides)] == [record["decided"], refuted is not None],
        ),
        ("flips for a check", all((s["flips"] is None) == (s["check"] is None) for s, _ in there)),
        ("t for chernoff", all((s["t"] is None) == (s["check"] != "chernoff") for s, _ in there)),
        ("flips within what is said", all(x <= int(s["flips"] or x) <= y for s, (x, y) in there)),
        ("constant by that", all((s["by"] == "constant") == record["constant"] for s, _ in there)),
        (
            "constant for good",
            not record["constant"] or (proved == n and not any(s["check"] for s, _ in there)),
        ),
    ):
        if not holds:
            raise Bad(MALFORMED, f"{where}: not {text}")


def check_inclusion(proof: dict[str, Any], statement: dict[str, Any]) -> None:
    """Refuse a record that is not the leaf of the signed tree that its proof names."""
    tree, leaf = tree_of(statement), leaf_hash(canonical(proof["record"]))
    at, path = int(proof["leaf"]), [bytes.fromhex(node) for node in proof["path"]]
    if at >= int(tree["size"]):
        raise Bad(MALFORMED, "proof: its leaf lies outside the signed tree")
    found = path_root(leaf, at, int(tree["size"]), path)
    if found is None or found.hex() != tree["root"]:
        raise Bad(UNTRUSTED, "proof: the path does not lead from this record to the signed root")


# Interval arithmetic on integers: a real lies between two of them, in units of 2^-p.


@lru_cache(maxsize=64)
def ln2(p: int) -> int:
    """Return floor(2^p ln 2) or one less: ln 2 = 2 atanh(1/3), with 32 bits to spare."""
    term, total, k = (2 << (p + 32)) // 3, 0, 1
    while term:
        total += term // k
        term, k = term // 9, k + 2
    return total >> 32


@lru_cache(maxsize=16)
def exp_table(p: int) -> list[int]:
    """Return floor(2^p e^(i/256)) or one less, i = 0 to 255: Taylor, with 32 bits to spare."""
    table = []
    for i in range(256):
        total, term, j = 0, 1 << (p + 32), 1
        while term:
            total, term, j = total + term, term * i // (256 * j), j + 1
        table.append(total >> 32)
    return table


def exp_parts(x: int, p: int) -> tuple[int, int]:
    """Return (m, k): e^(x 2^-p) lies between (m - p) 2^(k-p) and (m + p) 2^(k-p), for p >= 64.

    r = x - k ln 2 in [0, 0.7) is off by less than 1.1 units (ln 2 has as many more bits as k).
    e^r = e^(i/256) e^s with s < 2^-8: at most p/8 terms of Taylor's sum, each cut off by less than
    1.5 units, and less than 3 for the rest; times e^(i/256) < 2.01, itself off by less than 2.
    In all less than 2.01 (0.19 p + 3) + 6 = 0.38 p + 13 units. And 2^p - p < m < 2^(p+1) + p.
    """
    extra = max(64, -(-x.bit_length() // 64) * 64)
    scale = ln2(p + extra)
    k = (x << extra) // scale
    r = ((x << extra) - k * scale) >> extra
    i = r >> (p - 8)
    s = r - (i << (p - 8))
    total, term, j = (1 << p) + s, s, 2
    while term:
        term = (term * s >> p) // j
        total, j = total + term, j + 1
    return total * exp_table(p)[i] >> p, k


def exp_between(x: int, p: int, width: int = 0) -> tuple[int, int]:
    """Return bounds of e^(y 2^-p), for y from x to x + width, width at most 2; p >= 64."""
    m, k = exp_parts(x, p)
    low, high = m - p, m + p + 5 * width  # e^(width 2^-p) < 1 + 1.1 width 2^-p, and m < 2^(p+2)
    return (low << k, high << k) if k >= 0 else (low >> -k, -(-high >> -k))


def log_between(number: int, p: int) -> tuple[int, int]:
    """Return bounds of ln(number), number a positive integer: guessed, then proven by e^x."""
    e = number.bit_length() - 1
    one, exact = 1 << p, e <= p or not number & ((1 << (e - p)) - 1)
    low = number << (p - e) if e <= p else number >> (e - p)
    high = low if exact else low + 1
    x = int(math.log(low / one) * (1 << 60)) << (p - 60)
    for _ in range(p.bit_length() - 4):
        y = exp_between(x, p)[0]
        x += ((low - y) << (p + 1)) // (low + y)
    width = 4 * p
    while exp_between(x - width, p)[1] > low or exp_between(x + width, p)[0] < high:
        width *= 2
    return x - width + e * ln2(p), x + width + e * (ln2(p) + 2)


@lru_cache(maxsize=64)
def log_ratio(value: Fraction, p: int) -> tuple[int, int]:
    """Return bounds of the logarithm of a positive rational."""
    (a, b), (c, d) = log_between(value.numerator, p), log_between(value.denominator, p)
    return a - d, b - c


def decide(question: Callable[[int], bool | None], most: int = 1 << 14) -> bool:
    """Return the answer at the first precision that gives one; Open where none up to `most`."""
    bits = 96
    while bits <= most:
        answer = question(bits)
        if answer is not None:
            return answer
        bits *= 2
    raise Open(f"open at {most} bits")


def order(low: int, high: int) -> bool | None:
    """Return whether what lies between the two is at most 0, None where that is not known."""
    return True if high <= 0 else False if low > 0 else None


# Radii, from a bound on ln(1 - p).


def error_between(log_error: Fraction, p: int) -> tuple[int, int]:
    """Return bounds of e^log_error, log_error <= 0."""
    return exp_between((log_error.numerator << p) // log_error.denominator, p, 1)


def is_share(log_error: Fraction, p_lower: Fraction) -> bool:
    """Return whether p_lower <= 1 - e^log_error."""

    def ask(p: int) -> bool | None:
        low, high = error_between(log_error, p)
        rest = ((1 - p_lower).numerator << p) // (1 - p_lower).denominator
        return order(low - rest - 1, high - rest)

    return p_lower == 0 or (log_error < 0 and p_lower < 1 and decide(ask))


def is_majority(log_error: Fraction) -> bool:
    """Return whether e^log_error < 1/2; equality cannot be, e^x being transcendental."""

    def ask(p: int) -> bool | None:
        high = (log_error.numerator << p) // log_error.denominator + 1 + ln2(p) + 2
        return order(high - 4, high)

    return decide(ask)


def is_sum(logs: Sequence[Fraction], halvings: int = 0) -> bool:
    """Return whether the sum of e^x over some x <= 0 is at most 2^-halvings; two x at least.

    The two are never equal: rational exponents, not all 0, give a transcendental sum.
    """

    def ask(p: int) -> bool | None:
        ends = zip(*(error_between(x, p) for x in logs), strict=True)
        low, high = (sum(end) - (1 << (p - halvings)) for end in ends)
        return order(low, high)

    return decide(ask)


def is_total(vote: str, log_error: Fraction, logs: Sequence[Fraction]) -> bool:
    """Return whether log_error is the largest of its rivals', for plurality >= ln(sum of e^x).

    The errors add up, and to no more than 1: 0 always holds.
    """
    if vote == "pairwise":
        return log_error == max(logs)
    if log_error == 0 or len(logs) == 1:
        return logs[0] <= log_error
    return max(logs) < log_error and is_sum([x - log_error for x in logs])


def is_kl(log_error: Fraction, q: Fraction, r: int, classes: int = 2) -> bool:
    """Return whether r flips are within (5), B.3: r 2 D <= -ln(4 p (1-p)).

    D = (a - b) ln(a/b), a = 1 - q the probability of a label's own class, b = q/(K-1) of another.
    """
    own, other = 1 - q, q / (classes - 1)

    def ask(p: int) -> bool | None:
        low, high = error_between(log_error, p)
        one = 1 << p
        if high < 1 << (p // 2):  # -x - x^2 <= ln(1 - x) <= -x for x <= 1/2
            rest = (-high - (high * high >> p) - 1, -low)
        elif high < one:
            shift = p * ln2(p)
            rest = (log_between(one - high, p)[0], log_between(one - low, p)[1])
            rest = (rest[0] - shift - 2 * p, rest[1] - shift)
        else:
            return None
        base = (log_error.numerator << p) // log_error.denominator + 2 * ln2(p)
        a, b = (2 * r * (own - other)).as_integer_ratio()
        cost = log_ratio(own / other, p)
        return order(base + rest[0] + a * cost[0] // b, base + rest[1] - (-a * cost[1] // b) + 5)

    return decide(ask)


@lru_cache(maxsize=1 << 14)
def log_tail(q: Fraction, r: int, p: int) -> tuple[int, int] | None:
    """Return bounds of ln(1 - F^-1(r)), two labels, F of (2); None where p is not enough.

    The r labels that differ decide. With j of them noised to one side the adversary's law has
    R_j = C(r,j) q^j (1-q)^(r-j), the true one k^(r-2j) R_j, k = q/(1-q): it is worst to lose the
    classes j < m and a part of m, together 1/2 under R. So 1 - F^-1(r) is
    k^(r-2m) (1/2 - sum_(j<m) R_j + sum_(j<m) R_j k^(2(m-j))), m the median of R.
    """
    a, c = q.numerator, q.denominator - q.numerator
    w = p + 32 + 2 * r.bit_length() + -(-3 * r * a // (2 * c))  # (1-q)^-r < 2^(1.5 r a/c)
    if r * (a + c).bit_length() > 1 << 24 or r * w > 1 << 32:
        raise Open("the tight threshold of a radius this large is not derived here")
    half = 1 << (w - 1)
    low = (c**r << w) // (a + c) ** r
    high, lost, lost_high, rest, rest_high, m = low + 1, 0, 0, 0, 0, 0
    while lost + low < half:
        if lost_high + high >= half:
            return None
        lost, lost_high = lost + low, lost_high + high
        rest, rest_high = (
            (rest + low) * a * a // (c * c),
            -(-(rest_high + high) * a * a // (c * c)),
        )
        low, high = (
            low * (r - m) * a // ((m + 1) * c),
            -(-high * (r - m) * a // ((m + 1) * c)),
        )
        m += 1
    if half - lost_high + rest <= 0:
        return None
    shift, odds = w * ln2(p), log_ratio(q / (1 - q), p)
    return (
        log_between(half - lost_high + rest, p)[0] - shift - 2 * w + (r - 2 * m) * odds[0],
        log_between(half - lost + rest_high, p)[1] - shift + (r - 2 * m) * odds[1],
    )


@lru_cache(maxsize=64)
def tail_ratio(q: Fraction, r: int, classes: int) -> tuple[int, int]:
    """Return 1 - F^-1(r) as numerator and denominator, K labels, F of (2), in integers.

    A label that differs is noised to the class that the adversary gave it, to another one, or to
    its true class: in N of his cases high, rest, low, in truth low, rest, high. With 0, 1, 2 for
    these and k their sum, theirs_k is the coefficient of x^k in (high + rest x + low x^2)^r and
    ours_k that in (low + rest x + high x^2)^r, of N^r. ours/theirs = (high/low)^(k-r) rises: it is
    worst to lose k = 0, 1, ..., the last in part, together half of theirs. That is 1 - F^-1(r) of
    ours.
    """
    a, b = q.as_integer_ratio()
    high, rest, low, whole = (b - a) * (classes - 1), (classes - 2) * a, a, b * (classes - 1)
    size, steps = r * whole.bit_length(), r * (rest + 2 * low) // whole  # the mean of k
    if size > 1 << 22 or size * (steps + 1) > 1 << 33:
        raise Open("the tight threshold of a radius this large is not derived here")
    theirs, ours, theirs_before, ours_before = high**r, low**r, 0, 0
    half, lost = whole**r, 0  # `half` and all that is held against it are doubled
    for k in range(1, 2 * r + 1):
        if 2 * theirs >= half:
            break
        half, lost = half - 2 * theirs, lost + ours
        s, d = rest * (r - k + 1), 2 * r - k + 2
        theirs, theirs_before = (s * theirs + low * d * theirs_before) // (high * k), theirs
        ours, ours_before = (s * ours + high * d * ours_before) // (low * k), ours
    return 2 * theirs * lost + half * ours, 2 * theirs * whole**r


def is_tight(log_error: Fraction, q: Fraction, r: int, classes: int = 2) -> bool:
    """Return whether r flips are within (2): 1 - p < 1 - F^-1(r), both on the scale of ln.

    They are never equal, F^-1(r) being rational: so both classes' votes stay, whoever wins ties.
    """

    def ask(p: int) -> bool | None:
        if classes == 2:
            found = log_tail(q, r, p)
        else:
            (a, b), (c, d) = (log_between(x, p) for x in tail_ratio(q, r, classes))
            found = (a - d, b - c)
        if found is None:
            return None
        low, high = found
        x = (log_error.numerator << p) // log_error.denominator
        return order(x - high, x + 1 - low)

    return decide(ask)


@lru_cache(maxsize=64)
def is_quiet(q: Fraction, n: int) -> bool:
    """Return whether (1 - q)^n > 1/2: the labels as they are, without noise, decide the vote."""

    def ask(p: int) -> bool | None:
        low, high = log_ratio(1 - q, p)
        return order(-n * high - ln2(p) - 2, -n * low - ln2(p))

    return decide(ask)


def normal_between(z: int, p: int) -> tuple[int, int]:
    """Return bounds of 2^p (Phi(z 2^-p) - 1/2), z >= 0, p from 64 to 150.

    It is e^(-z^2/2)/sqrt(2 pi) times the sum of z^(2k+1)/(1 3 5 ... (2k+1)): all summands are
    positive, and from (2k+3) > 2 z^2 on each is less than half of the one before.
    """
    low = high = total = total_high = min(z, 8 << p)
    square, k = low * low, 0
    while high > 1 or (2 * k + 3) << (2 * p) <= 2 * square:
        k += 1
        low = low * square // ((2 * k + 1) << (2 * p))
        high = -(-high * square // ((2 * k + 1) << (2 * p)))
        total, total_high = total + low, total_high + high
    small, large = exp_between(-(square >> (p + 1)) - 1, p, 1)
    twice, ten = 2 * PI.numerator << 2 * p, PI.denominator
    least, most = math.isqrt(twice // ten), math.isqrt((twice + (4 << 2 * p)) // ten + 1) + 1
    below, above = small * total // most, -(-large * (total_high + 1) // least)
    return below, above if z <= 8 << p else 1 << (p - 1)


class Law:
    """The score S of one test point, a sum over noisy labels of alphas a, against 1/2.

    The alphas are integers in units of 2^-unit, off by at most `error` in all, for any labels. A
    lead D is q's denominator times the mean of S - 1/2, or for class 0 of 1/2 - S, in these units.
    Berry and Esseen (0.56: Shevtsova 2010): the chance that it is lost is at most Phi(-z) + beta,
    z = D/sqrt(deviation), beta = 0.56 sum E|X - EX|^3 / deviation^(3/2). Where the noise is too
    rare to matter (`quiet`) q is taken as 0, and D itself decides.
    """

    def __init__(self, a: list[int], unit: int, error: int, q: Fraction, *, last: bool) -> None:
        self.quiet = False
        with suppress(Open):
            self.quiet = is_quiet(q, len(a))
        top, self.whole = (0, 1) if self.quiet else q.as_integer_ratio()
        own = self.whole - top
        self.a, self.top, self.step = a, top, own - top
        self.half, self.error = self.whole << (unit - 1), self.whole * error
        self.slack = Fraction(2 * error, 1 << unit)
        self.exact = self.quiet and last  # units so small that what is within the error is 0
        squares, cubes = sum(v * v for v in a), sum(abs(v) ** 3 for v in a)
        self.bits = 128
        self.deviation, self.beta = top * own * squares, (0, 0)
        if self.deviation:
            part = 14 * (top * top + own * own) * cubes
            under = (25 * self.whole * squares) ** 2 * self.deviation
            root = math.isqrt((part * part << 2 * self.bits) // under)
            self.beta = root, root + 1

    def lead(self, labels: Sequence[int], prediction: int) -> int:
        """Return the lead of a class, for labels without error."""
        ones = sum(v for v, label in zip(self.a, labels, strict=True) if label)
        return (2 * prediction - 1) * (self.step * ones + self.top * sum(self.a) - self.half)

    def holds(self, lead: int, winner: int) -> bool:
        """Return whether a lead of a class is proven to make it the winner."""
        if self.quiet:
            return lead > self.error or (self.exact and winner == 1 and lead >= -self.error)
        return self.deviation > 0 and self.normal(lead - self.error)[0] > self.beta[1]

    def fails(self, lead: int) -> bool:
        """Return whether Berry-Esseen proves nothing of a lead, by more than alphas are off."""
        near = self.beta[0] - (self.beta[0] >> 32)
        return not self.deviation or self.normal(lead + self.error)[1] < near

    def normal(self, lead: int) -> tuple[int, int]:
        """Return bounds of 2^bits (Phi(z) - 1/2) for a lead, (0, 0) where it is none."""
        if lead <= 0:
            return 0, 0
        root, p = math.isqrt(self.deviation), self.bits
        low, high = (lead << p) // (root + 1), (lead << p) // max(root, 1) + 1
        return normal_between(low, p)[0], normal_between(high, p)[1]


Known = tuple[dict[str, Any], int, int | None]
"""A record, how many flips were shown not to change its vote, and how many to change it."""


def unless(holds: Callable[[], bool], text: str) -> Iterator[str | Open]:
    """Yield a text unless something holds, the reason where that stays open."""
    try:
        if not holds():
            yield text
    except Open as error:
        yield error


def false_statements(run: dict[str, Any], record: dict[str, Any]) -> Iterator[str | Open]:
    """Yield what is false in a record, its constant vote and its log_errors from data as given."""
    q, n = Fraction(rational(run["noise_model"]["q"], "q")), int(run["training_points"])
    share, classes = binary64(record["p_lower"], "p_lower"), int(run["noise_model"]["classes"])
    if record.get("constant"):
        yield from false_constant(run, record)
        return
    bound = upper_end(record["log_error"], "log_error")
    if bound > 0 or share < 0:
        yield "log_error above 0, or p_lower below it: no bound on a probability"
        return
    if "rivals" in record:
        vote, logs = run["vote"], rival_bounds(record)
        text = f"log_error: not what its rivals' come to, {vote}"
        yield from unless(lambda: is_total(vote, bound, logs), text)
    text = f"p_lower {record['p_lower']} is more than log_error proves"
    yield from unless(lambda: is_share(bound, share), text)
    text = f"decided: {record['decided']}, but log_error says otherwise"
    if "evidence" in record and record["decided"]:  # by log_error, or by the evidence
        text = "radius: more flips than a log_error proves that proves no winner"
        weak = any(int(x) for name, x in record["radius"].items() if name != "exact")
        yield from unless(lambda: not weak or is_majority(bound), text)
    else:
        yield from unless(lambda: is_majority(bound) == record["decided"], text)
    checks = {side["check"] for side in record.get("evidence", {}).values() if side is not None}
    text = "evidence: no-noise, but there is too much for that"
    yield from unless(lambda: "no-noise" not in checks or is_quiet(q, n), text)
    if "t" in record and record["decided"] and t_bounds(record) != record["prediction"] and bound:
        yield "prediction: t bounds the other vote"
    within = {"kl": is_kl, "tight": is_tight}
    for name, flips in record["radius"].items():
        if name in within and 0 < int(flips) <= n:
            holds = partial(within[name], bound, q, int(flips), classes)
            yield from unless(holds, f"radius.{name}: {flips} flips are more than log_error proves")


def false_constant(run: dict[str, Any], record: dict[str, Any]) -> Iterator[str]:
    """Yield what is false in a record that says that its vote is constant."""
    share = binary64(record["p_lower"], "p_lower")
    if run["intercept"]:
        yield "constant: with an intercept no vote is"
    if record["prediction"] != "0" or not record["decided"] or not 0 <= share <= 1:
        yield "constant: such a vote is for 0, proven, with p = 1"


def t_bounds(record: dict[str, Any]) -> str:
    """Return the label whose vote share t bounds, by its sign."""
    return "1" if binary64(record["t"], "t") > 0 else "0"


def rival_bounds(record: dict[str, Any]) -> list[Fraction]:
    """Return the log_error of each rival."""
    return [binary64(rival["log_error"], "log_error") for rival in record["rivals"]]


# Data: arrays as they were given, exact.

CODES = {"f2": "e", "f4": "f", "f8": "d", "b1": "?"}
CODES |= {"i1": "b", "i2": "h", "i4": "i", "i8": "q"}
CODES |= {"u1": "B", "u2": "H", "u4": "I", "u8": "Q"}
"""Types of numbers, as .npy files and as struct call them."""


@dataclass(frozen=True)
class Array:
    """Values in C order, and what identifies the array as it was given."""

    values: list[Any]
    shape: list[int]
    dtype: str
    sha256: str


def make_array(raw: bytes, dtype: str, shape: Sequence[int], where: str) -> Array:
    """Return the array of C-ordered little-endian bytes."""
    kind, count = dtype[1:], math.prod(shape)
    size = int(kind[1:]) * (4 if kind[0] == "U" else 1)
    if len(raw) != size * count:
        raise Bad(MALFORMED, f"{where}: {len(raw)} bytes, {size * count} expected")
    if kind[0] == "U":
        cells = (raw[at : at + size] for at in range(0, len(raw), size or 1))
        values: list[Any] = [cell.decode("utf-32-le").rstrip("\0") for cell in cells]
    else:
        values = list(struct.unpack(f"<{count}{CODES[kind]}", raw))
    if len(values) != count:
        raise Bad(MALFORMED, f"{where}: text of no length")
    return Array(values, list(shape), dtype, hashlib.sha256(raw).hexdigest())


def read_npy(data: bytes, signed: dict[str, Any], where: str) -> Array:
    """Return the array of a .npy file, whatever its order, if it is of the type that was signed."""
    start = 10 if data[6:7] == b"\1" else 12
    end = start + int.from_bytes(data[8:start], "little")
    if end > 10_000:
        raise ValueError(f"{where} has a header of {end} bytes")
    header = ast.literal_eval(data[start:end].decode())
    dtype, fortran, shape = (header[k] for k in ("descr", "fortran_order", "shape"))
    if data[:6] != b"\x93NUMPY" or not all(type(size) is int for size in shape):
        raise ValueError(f"{where} is not a .npy file")
    name = dtype if dtype[0] == "|" else f"<{dtype[1:]}"
    if name != signed["dtype"] or [str(size) for size in shape] != signed["shape"]:
        raise Bad(UNTRUSTED, f"{where} is not the array that was signed (its type or shape)")
    if dtype[1:] not in CODES and not re.fullmatch("[<>]U[0-9]{1,5}", dtype):
        raise Open(f"{where}: arrays of dtype {dtype} are not read here")
    raw, size = data[end:], int(dtype[2:])
    if dtype[0] == ">":
        unit = 4 if dtype[1] == "U" else size
        raw = b"".join(raw[at : at + unit][::-1] for at in range(0, len(raw), unit))
    if fortran and len(shape) == 2:
        size *= 4 if dtype[1] == "U" else 1
        cells = [raw[at : at + size] for at in range(0, len(raw), size)]
        rows, columns = shape
        raw = b"".join(cells[j * rows + i] for i in range(rows) for j in range(columns))
    return make_array(raw, name, shape, where)


def read_npz(path: Path, run: dict[str, Any]) -> dict[str, Array]:
    """Return the four arrays of an .npz file."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name, signed in run["data"].items():
            cells = math.prod(map(int, signed["shape"])) * int(signed["dtype"][2:])
            size = archive.getinfo(f"{name}.npy").file_size
            if size > min(4 * cells + MAX_LINE, MAX_ARRAY):
                raise Bad(
                    UNTRUSTED, f"{path}: {name} is not the array that was signed ({size} bytes)"
                )
            arrays[name] = read_npy(archive.read(f"{name}.npy"), signed, f"{path}: {name}")
    return arrays


def read_csv(path: Path, column: str, name: str, *, whole: bool) -> dict[str, Array]:
    """Return the arrays X_name and y_name of a CSV file, or of its part of that name."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        head, *rows = (row for row in csv.reader(file, strict=True) if row)
    if head.count(column) != 1 or any(len(row) != len(head) for row in rows):
        raise Bad(MALFORMED, f"{path}: not one column {column!r}, or rows of different length")
    at = head.index(column)
    every = [row[at].strip() for row in rows]
    if not whole:  # every fifth row is a test row
        keep = [(i % 5 == 4) == (name == "test") for i in range(len(rows))]
        rows = [row for row, kept in zip(rows, keep, strict=True) if kept]
    texts = [row[at].strip() for row in rows]
    flat = [float(v.strip()) for row in rows for i, v in enumerate(row) if i != at]
    shape = [len(rows), len(head) - 1]
    features = make_array(struct.pack(f"<{len(flat)}d", *flat), "<f8", shape, str(path))
    if all(re.fullmatch("-?[0-9]{1,9}", text) for text in every):
        raw, dtype = struct.pack(f"<{len(texts)}q", *map(int, texts)), "<i8"
    else:
        size = max(map(len, every))
        raw, dtype = "".join(t.ljust(size, "\0") for t in texts).encode("utf-32-le"), f"<U{size}"
    labels = make_array(raw, dtype, shape[:1], str(path))
    return {f"X_{name}": features, f"y_{name}": labels}


def read_data(path: Path, test: Path | None, run: dict[str, Any]) -> dict[str, Array]:
    """Return the arrays of a data file, which have to be those whose digests were signed."""
    column = run["label_column"]
    if not all(place.is_file() for place in (path, test or path)):
        raise Bad(MALFORMED, f"{path}: no such file, or not a regular one (or --test is not)")
    try:
        if column is None and test is not None:
            raise Bad(MALFORMED, "--test is for CSV data; this run is of an .npz file")
        if column is None:
            arrays = read_npz(path, run)
        else:
            arrays = read_csv(path, column, "train", whole=test is not None)
            arrays |= read_csv(test or path, column, "test", whole=test is not None)
    except (Bad, Open, MemoryError):
        raise
    except Exception as error:  # whatever the readers of the library say of broken files
        raise Bad(MALFORMED, f"{path}: cannot be read ({str(error)[:80]})") from None
    for name, array in arrays.items():
        shape = [str(size) for size in array.shape]
        if run["data"][name] != {"sha256": array.sha256, "dtype": array.dtype, "shape": shape}:
            raise Bad(UNTRUSTED, f"{path}: {name} is not the array that was signed")
    return arrays


def class_numbers(array: Array, positive: str | None, classes: int = 2) -> list[int]:
    """Return labels as numbers of classes; `positive` names the label that becomes 1, others 0."""
    if positive is None:
        if not set(array.values) <= set(range(classes)):
            known = "0 and 1" if classes == 2 else f"0 to {classes - 1}"
            raise Bad(MALFORMED, f"labels other than {known}, and no label is called positive")
        return [int(value) for value in array.values]
    if array.dtype[1] == "U":
        return [int(value == positive) for value in array.values]
    try:
        wanted = Fraction(positive if PLAIN.fullmatch(positive) else "")
    except (ValueError, ZeroDivisionError):
        raise Open(f"labels are numbers, and {positive[:40]!r} is not one read here") from None
    if not all(map(math.isfinite, array.values)):
        raise Bad(MALFORMED, "data: a label that is not finite")
    return [int(Fraction(repr(value + 0)) == wanted) for value in array.values]


def times(
    one: tuple[int, int, int, int], other: tuple[int, int, int, int], p: int
) -> tuple[int, int, int, int]:
    """Return the product of [low, high] 2^(e-p) and another, cut to p + 1 bits, and x added."""
    low, high, e = one[0] * other[0], one[1] * other[1], one[2] + other[2]
    down = low.bit_length() - p - 1
    return low >> down, -(-high >> down), e + down - p, one[3] + other[3]


@dataclass(frozen=True)
class Bracket:
    """What is proven of the worst flips of a test point's labels.

    So many do not change the vote (-1: nor none), so many do (None: unknown); the law of the
    score, the leads after 0, 1, ... worst flips, these in order, how many could there be.
    """

    proved: int
    refuted: int | None
    law: Law
    leads: list[int]
    order: list[int]
    most: int


class Classifier:
    """alpha = X (X'X + ridge D)^-1 h over the reals, from the arrays.

    Column j of train and test is N_j 2^-S_j, N_j integers. With u_j = w_j 2^-S_j the normal
    equations are M u = g in integers: M = b X'X + a diag(4^S_j) where penalised, ridge = a/b,
    g_j = b h_j 2^S_j, and alpha_i = sum_j N_ij u_j. They are solved by an approximate inverse C
    of M and exact residuals: if |I - C M| <= 1/2 (row sums), then |u - x| <= 2 |C (g - M x)|.
    """

    def __init__(self, run: dict[str, Any], arrays: dict[str, Array]) -> None:
        self.n = int(run["training_points"])
        classes = int(run["noise_model"]["classes"])
        self.labels, self.test_labels = (
            class_numbers(arrays[name], run["positive"], classes) for name in ("y_train", "y_test")
        )
        if run["positive"] is not None and not any(self.labels + self.test_labels):
            raise Bad(MALFORMED, "data: the label that is called positive does not occur")
        columns = list(design(run["scale"], arrays["X_train"], arrays["X_test"]))
        if run["intercept"]:
            columns.append([1.0] * (self.n + len(self.test_labels)))
        exact = [integers(column) for column in columns]
        shifts = [shift for _, shift in exact]
        rows = list(zip(*(column for column, _ in exact), strict=True))
        self.rows, self.test = rows[: self.n], rows[self.n :]
        k, ridge = len(columns), ridge_value(run["ridge"]["value"], "ridge")
        self.b = ridge.denominator
        matrix = [[self.b * v for v in row] for row in gram(self.rows, k)]
        for j in range(k - int(run["intercept"])):
            matrix[j][j] += ridge.numerator << (2 * shifts[j])
        sizes = [matrix[j][j].bit_length() for j in range(k)]
        # det M <= the product of its diagonal (Hadamard): alphas are integers over det M.
        self.separation = 2 + sum(sizes)
        self.reach = max(sum(map(abs, row)) for row in self.rows)
        self.of_class: list[list[int]] = [[] for _ in range(classes)]
        for at, label in enumerate(self.labels):
            self.of_class[label].append(at)
        # w'u with w = sums[c] is the score of class c: the sum of alpha over its labels.
        self.sums = [
            [sum(column) for column in zip(*(self.rows[at] for at in places), strict=True)]
            or [0] * k
            for places in self.of_class
        ]
        self.sum_all = [sum(column) for column in zip(*self.rows, strict=True)]
        # Scaled to a diagonal near 1, in units of 2^-unit: for M 2^-(half_i + half_j), u 2^half.
        self.half = [size // 2 for size in sizes]
        self.unit = 2 * max(self.half)
        self.scaled = [
            [v << (self.unit - self.half[i] - self.half[j]) for j, v in enumerate(row)]
            for i, row in enumerate(matrix)
        ]
        self.inverse, self.bits = self.invert()
        self.solved: dict[tuple[int, int], list[int]] = {}  # of one test point, by bits
        self.kept: tuple[int, int, int, list[int]] = (-1, 0, 0, [])  # the last alpha
        self.factors: tuple[object, dict[object, Any]] = (None, {})  # the last products

    def invert(self) -> tuple[list[list[int]], int]:
        """Return C 2^bits for the scaled M, proven to be near its inverse: |I - C M| <= 1/2."""
        for bits in (96, 384, 1536, 6144):
            rough = [[(v << bits) >> self.unit for v in row] for row in self.scaled]
            inverse, far = gauss_jordan(rough, bits), []
            for i, row in enumerate(inverse):
                # M is symmetric: its rows are its columns.
                entries = [sum(map(mul, row, column)) for column in self.scaled]
                entries[i] -= 1 << (bits + self.unit)
                far.append(sum(map(abs, entries)))
            if far and max(far) << 8 <= 1 << (bits + self.unit):
                return inverse, bits
        raise Open("X'X + ridge is singular, or too ill-conditioned for this check")

    def solve(self, at: int, bits: int) -> list[int]:
        """Return x: |u_j 2^(half_j) - x_j 2^-bits| <= 2 * 2^-bits for test point `at`."""
        if (at, bits) not in self.solved:
            self.solved = {key: x for key, x in self.solved.items() if key[0] == at}
            self.solved[at, bits] = self.settle(at, bits)
        return self.solved[at, bits]

    def settle(self, at: int, bits: int) -> list[int]:
        """Return the same, computed."""
        right = [
            (self.b * h << (bits + self.unit - self.half[j])) for j, h in enumerate(self.test[at])
        ]
        x, down = [0] * len(right), self.unit + self.bits
        for _ in range(bits + self.bits + max(map(int.bit_length, right))):
            rest = [g - sum(map(mul, row, x)) for g, row in zip(right, self.scaled, strict=True)]
            step = [sum(map(mul, row, rest)) for row in self.inverse]
            if max(map(abs, step)) <= 1 << down:
                return x
            x = [a + ((b + (1 << (down - 1))) >> down) for a, b in zip(x, step, strict=True)]
        raise Open("the solution does not settle")

    def scores(self, at: int, factor: Fraction, p: int) -> tuple[Iterator[int], int]:
        """Return factor * alpha_i in units of 2^-P, each off by at most 2 * reach, and P - p."""
        extra = self.reach.bit_length() + 2
        size = factor.numerator.bit_length() - factor.denominator.bit_length() + 1
        bits = max(p + extra + max(size, 0) + 3, 8)
        down = bits - p - extra
        u = [
            factor.numerator * x // (factor.denominator << (down + half))
            for x, half in zip(self.solve(at, bits), self.half, strict=True)
        ]
        return (sum(map(mul, row, u)) for row in self.rows), extra

    def exponents(self, at: int, t: Fraction, p: int, label: int) -> Iterator[int]:
        """Yield x of each label of a class: -t alpha 2^p lies between x - 1 and x + 2."""
        size = t.numerator.bit_length() - t.denominator.bit_length() + 1
        bits = p + 64 * max(1, -(-size // 64))  # |t| 2^p <= 2^bits, and 2 reach < 2^(extra - 1)
        found, extra = self.alphas(at, bits)
        a, b = -t.numerator, t.denominator << (bits - p + extra)
        return (a * found[j] // b for j in self.of_class[label])

    def alphas(self, at: int, bits: int) -> tuple[list[int], int]:
        """Return all alpha_i in units of 2^-(bits + extra), off by at most 2 * reach, and extra."""
        if self.kept[:2] != (at, bits):
            found, extra = self.scores(at, Fraction(1), bits)
            self.kept = (at, bits, extra, list(found))
        return self.kept[3], self.kept[2]

    def product(
        self, at: int, t: Fraction, p: int, label: int, weights: tuple[int, ...]
    ) -> tuple[int, int, int, int]:
        """Return (low, high, e, x) of the labels of a class, kept for other rivals of this t.

        The product of w_0 + w_1 e^(-t alpha) + ... lies between low and high, times 2^(e-p); x is
        the sum of their exponents.
        """
        if self.factors[0] != (at, t, p):
            self.factors = ((at, t, p), {})
        if (label, weights) not in self.factors[1]:
            found = (1 << p, 1 << p, 0, 0)
            *rest, last = weights
            for x in self.exponents(at, t, p, label):
                m, k = exp_parts(x, p)
                m_low, m_high = m - p - 8, m + p + 16
                # For k > 0 the factor is divided by 2^k as often as e^(-t alpha) is multiplied.
                low = high = last << p
                down, up, lift = p - min(k, 0), max(k, 0), 0
                for w in reversed(rest):
                    lift += up
                    low = (low * m_low >> down) + (w << p >> lift)
                    high = -(-high * m_high >> down) + (w << p >> lift) + 1
                found = times(found, (low, high, lift, x), p)
            self.factors[1][label, weights] = found
        product: tuple[int, int, int, int] = self.factors[1][label, weights]
        return product

    def is_bounded(
        self,
        at: int,
        q: Fraction,
        t: Fraction,
        bound: Fraction,
        pair: tuple[int, int] | None = None,
    ) -> bool:
        """Return whether ln B(t) of (6) is at most `bound`, for test point `at`.

        With a pair (i, b) of classes ln B_ib(t) of B.2. With e = e^(-t alpha) a label Y gives the
        mean of e^Y = (w_0 + w_1 e)/N; for a pair that of e^(Y_i - Y_b) = (w_0 + w_1 e + w_2 e^2)/(N
        e), w_1 for the other classes.
        """
        a, whole = q.as_integer_ratio()
        own, start, rise = whole - a, t / 2 - bound, 0
        weights: list[tuple[int, ...]] = [(own, a), (a, own)]
        if pair is not None:
            others = len(self.sums) - 1
            own, whole, start, rise = own * others, whole * others, -bound, 1
            weights = [(a, whole - 2 * a, a)] * len(self.sums)
            weights[pair[0]] = (a, whole - own - a, own)
            weights[pair[1]] = (own, whole - own - a, a)

        def ask(p: int) -> bool | None:
            found = (1 << p, 1 << p, 0, 0)
            for label, each in enumerate(weights):
                found = times(found, self.product(at, t, p, label, each), p)
            low, high, e, total = found
            e, (logs, logs_high) = e - p, log_between(whole, p)
            offset = (start.numerator << p) // start.denominator - rise * total
            power = sorted((e * ln2(p), e * (ln2(p) + 2)))
            return order(
                log_between(low, p)[0] + power[0] + offset - self.n * (logs_high + 2 * rise),
                log_between(high, p)[1] + power[1] + offset + 1 - self.n * (logs - rise),
            )

        return t == 0 <= bound or decide(ask, most=1 << 12)

    def largest(self, at: int) -> int:
        """Return the class of the largest score without noise, exactly; the last where equal."""
        best = 0
        for c in range(1, len(self.sums)):
            ahead = [x - y for x, y in zip(self.sums[c], self.sums[best], strict=True)]
            if self.sign(at, ahead, 0) >= 0:
                best = c
        return best

    def sign(self, at: int, weights: Sequence[int], total: int) -> int:
        """Return the sign of sum_j weights_j u_j - total/2, exactly, for test point `at`."""
        top, bits = max(self.half), 128
        lift = [top - half for half in self.half]
        error = sum(2 * abs(w) << up for w, up in zip(weights, lift, strict=True))
        while True:
            terms = zip(weights, self.solve(at, bits), lift, strict=True)
            value = sum(w * x << up for w, x, up in terms) - (total << (bits + top - 1))
            if abs(value) > error:
                return 1 if value > 0 else -1
            if bits + top > self.separation + (2 * error).bit_length():
                return 0  # anything but 0 would be at least 1 / (2 det M)
            bits *= 2

    def is_constant(self, at: int) -> bool:
        """Return whether the sum of max(alpha_i, 0) is < 1/2, exactly: no labelling reaches it."""
        p = 64
        while True:
            found, extra = self.scores(at, Fraction(1), p)
            value = sum(max(x, 0) for x in found) - (1 << (p + extra - 1))
            error = 2 * self.reach * self.n
            if abs(value) > error:
                return value < 0
            if p + extra > self.separation + (2 * error).bit_length():
                return False
            p *= 2

    def relabelled(self, flips: Iterable[int]) -> Classifier:
        """Return the same with the labels of some rows, of two classes, flipped: alpha stays."""
        other = copy(self)
        other.labels, other.factors = list(self.labels), (None, {})
        other.sums = [list(line) for line in self.sums]
        for at in flips:
            old = self.labels[at]
            other.labels[at] = 1 - old
            for sums, sign in ((other.sums[old], -1), (other.sums[1 - old], 1)):
                sums[:] = [x + sign * y for x, y in zip(sums, self.rows[at], strict=True)]
        other.of_class = [[i for i, y in enumerate(other.labels) if y == c] for c in (0, 1)]
        return other

    def bracket(self, at: int, q: Fraction, winner: int, bits: int = 160) -> Bracket:
        """Return what is proven here of the worst flips: of the largest supports.

        The alphas known here give their order; what they are off by is made good in the law.
        """
        found, extra = self.alphas(at, bits)
        error, signs = 2 * self.reach * self.n, (1 - 2 * winner, 2 * winner - 1)
        last = bits + extra > self.separation + (8 * error).bit_length()
        law = Law(found, bits + extra, error, q, last=last)
        supports = [signs[label] * v for v, label in zip(found, self.labels, strict=True)]
        order = sorted((i for i, s in enumerate(supports) if s > 0), key=lambda i: -supports[i])
        steps = (-law.step * supports[i] for i in order)
        leads = list(accumulate(steps, initial=law.lead(self.labels, winner)))
        held = bisect_left(leads, 1, key=lambda lead: not law.holds(lead, winner))
        lost = bisect_left(leads, 1, key=lambda lead: law.holds(-lead, 1 - winner))
        if law.quiet and held < lost and not last:
            return self.bracket(at, q, winner, 2 * bits)
        most = sum(s > -2 * self.reach for s in supports)
        end, start = None if lost == len(leads) else lost, held - 1
        return Bracket(self.n if held == len(leads) else start, end, law, leads, order, most)

    def wins(self, at: int, q: Fraction, t: Fraction, winner: int, slack: Fraction) -> bool:
        """Return whether (6) at t, less |t| times a slack, proves that a class wins the vote."""
        half = Fraction(-ln2(128) - 2, 1 << 128)
        if t == 0 or (t > 0) != (winner == 1):
            return False
        if self.is_bounded(at, q, t, half - abs(t) * slack):
            return True
        if self.is_bounded(at, q, t, half + abs(t) * slack + Fraction(1, 1 << 96)):
            raise Open("ln B(t) is as near to ln 1/2 as can be told here")
        return False

    def false_sides(
        self, record: dict[str, Any], q: Fraction, known: list[Known]
    ) -> Iterator[str | Open]:
        """Yield what is false in a bracket and its evidence; note how much of it is known."""
        if record["constant"]:  # which is asked elsewhere
            known.append((record, self.n, None))
            return
        try:
            found = self.bracket(int(record["index"]), q, int(record["prediction"]))
        except Open as error:
            yield error
            known.append((record, -1, None))
            return
        proved, refuted, radius = found.proved, found.refuted, record["radius"]
        bound = upper_end(record["log_error"], "log_error")
        with suppress(Open):
            if record["decided"] and bound < 0 and is_majority(bound):
                proved = max(proved, *(int(radius[g]) for g in radius if g != "exact"))
        for name, side in record["evidence"].items():
            if side is None or side["check"] is None:
                continue
            wrong, flips = list(self.false_evidence(record, name, q, found)), int(side["flips"])
            yield from wrong
            if not wrong and name == "proved":
                proved = max(proved, flips)
            elif not wrong:
                refuted = flips if refuted is None else min(flips, refuted)
        stated = radius["exact"]
        if record["decided"] and refuted is not None and refuted <= int(stated["proved"]):
            yield f"radius.exact: {refuted} flips change the vote, proved are {stated['proved']}"
        if stated["refuted_at"] is not None and int(stated["refuted_at"]) <= proved:
            yield f"radius.exact: {proved} flips do not change it, refuted {stated['refuted_at']}"
        known.append((record, proved, refuted))

    def false_evidence(
        self, record: dict[str, Any], name: str, q: Fraction, found: Bracket
    ) -> Iterator[str | Open]:
        """Yield why the evidence of a side does not show what it says, nothing where it does."""
        side, good, winner = record["evidence"][name], name == "proved", int(record["prediction"])
        flips, winner = int(side["flips"]), winner if good else 1 - winner
        lead = found.leads[min(flips, len(found.leads) - 1)] * (1 if good else -1)
        if not good and flips > found.most:
            yield f"evidence.{name}: fewer than {flips} labels speak for the prediction"
        elif side["check"] == "chernoff":
            other, at = self.relabelled(found.order[:flips]), int(record["index"])
            shows = partial(other.wins, at, q, binary64(side["t"], "t"), winner, found.law.slack)
            yield from unless(shows, f"evidence.{name}: chernoff does not show it for {flips}")
        elif not found.law.holds(lead, winner):
            if found.law.fails(lead):
                yield f"evidence.{name}: {side['check']} does not show it for {flips}"
            else:
                yield Open(f"evidence.{name}: as near to what Berry-Esseen shows as can be told")

    def false_statements(self, run: dict[str, Any], record: dict[str, Any]) -> Iterator[str | Open]:
        """Yield what the data show to be false in a record."""
        at, q = int(record["index"]), rational(run["noise_model"]["q"], "q")
        if int(record["label"]) != self.test_labels[at]:
            yield "label: the data have another"
        if "rivals" in record:
            yield from self.false_rivals(record, at, q)
            return
        if record["constant"]:
            yield from unless(partial(self.is_constant, at), "constant: some labelling changes it")
            return
        t, bound = binary64(record["t"], "t"), upper_end(record["log_error"], "log_error")
        # ln(1 - p) <= 0 needs no witness: near a tie ln B(t) may be above 0.
        if bound < 0:
            holds = partial(self.is_bounded, at, q, t, bound)
            yield from unless(holds, "log_error: ln B(t) is above it")
        a, b = q.as_integer_ratio()
        mean = [(b - 2 * a) * x + a * y for x, y in zip(self.sums[1], self.sum_all, strict=True)]
        if not record["decided"]:
            one = record["prediction"] == "1"
            text = "prediction: not the sign of the mean score"
            yield from unless(lambda: (self.sign(at, mean, b) >= 0) == one, text)

    def false_rivals(self, record: dict[str, Any], at: int, q: Fraction) -> Iterator[str | Open]:
        """Yield what the data show to be false of the classes in a record."""
        winner = int(record["prediction"])
        # Rivals of one t after the other: they share most factors.
        for rival in sorted(record["rivals"], key=lambda rival: binary64(rival["t"], "t")):
            t, bound = binary64(rival["t"], "t"), binary64(rival["log_error"], "log_error")
            pair = (winner, int(rival["class"]))
            if bound < 0:
                holds = partial(self.is_bounded, at, q, t, bound, pair)
                yield from unless(holds, f"log_error: ln B(t) of rival {pair[1]} is above it")
        if not record["decided"]:
            text = "prediction: not the class of the largest score without noise"
            yield from unless(lambda: self.largest(at) == winner, text)

    def unsmoothed(self, record: dict[str, Any]) -> bool:
        """Return whether the same classifier gives the label of a record at q = 0."""
        at, label = int(record["index"]), int(record["label"])
        if "rivals" in record:
            return self.largest(at) == label
        return (self.sign(at, self.sums[1], 1) >= 0) == (label == 1)


def design(scale: dict[str, Any], train: Array, test: Array) -> Iterator[list[float]]:
    """Yield the columns, training rows first: fl(fl(x - mean) / deviation), or as they are."""
    values, d = [*train.values, *test.values], train.shape[1]
    if "U" in train.dtype + test.dtype:
        raise Bad(MALFORMED, "data: features that are text")
    kept = [j for j in range(d) if str(j) not in scale["dropped"]]
    for at, j in enumerate(kept):
        column = [float(v) for v in values[j::d]]
        if any(map(ne, column, values[j::d])):
            raise Bad(MALFORMED, f"data: column {j} is not exact in float64, or not finite")
        if scale["rule"] == "standard":
            mean, deviation = (float.fromhex(scale[name][at]) for name in ("mean", "deviation"))
            column = [(v - mean) / deviation for v in column]
        if not all(map(math.isfinite, column)):
            raise Bad(MALFORMED, f"data: column {j} is not finite once it is scaled")
        yield column


def integers(column: Sequence[float]) -> tuple[list[int], int]:
    """Return N and S >= 0 with column = N 2^-S, exactly."""
    ratios = [value.as_integer_ratio() for value in column]
    shift = max(bottom for _, bottom in ratios).bit_length() - 1
    return [top << (shift + 1 - bottom.bit_length()) for top, bottom in ratios], shift


def gram(rows: Sequence[Sequence[int]], k: int) -> list[list[int]]:
    """Return N'N, exactly: each row packed into one integer, so that k products cost one."""
    width = 2 + max(sum(v * v for v in column) for column in zip(*rows, strict=True)).bit_length()
    packed = [sum(v << (width * j) for j, v in enumerate(row)) for row in rows]
    mask, half, found = (1 << width) - 1, 1 << (width - 1), []
    for column in zip(*rows, strict=True):
        total, line = sum(map(mul, column, packed)), []
        for _ in range(k):
            digit = total & mask
            digit -= (digit >= half) << width
            line.append(digit)
            total = (total - digit) >> width
        found.append(line)
    return found


def gauss_jordan(matrix: list[list[int]], bits: int) -> list[list[int]]:
    """Return roughly the inverse, in units of 2^-bits; nothing rests on its accuracy."""
    k, one = len(matrix), 1 << bits
    rows = [row + [one * (i == j) for j in range(k)] for i, row in enumerate(matrix)]
    for j in range(k):
        pivot = rows[j][j]
        if pivot < 1 << (bits // 4):
            return []
        rows[j] = [(v << bits) // pivot for v in rows[j]]
        for i in range(k):
            if i != j and rows[i][j]:
                factor, source = rows[i][j], rows[j]
                rows[i] = [a - (factor * b >> bits) for a, b in zip(rows[i], source, strict=True)]
    return [row[k:] for row in rows]


# The whole check.


def compare_files(folder: Path, found: Evidence, report: Report) -> None:
    """Hold run.json and certificates.jsonl, which people read, against what was signed."""
    for name in ("run.json", "certificates.jsonl"):
        if not os.path.lexists(folder / name):
            report.add(name, NOT_CHECKED, "there is no such file")
            continue
        try:
            data = read_bytes(folder / name, MAX_FILE if name == "run.json" else MAX_ARRAY)
            if name == "run.json":
                same_run(read_plain(data, name), found.run)
            else:
                same_records(data, found.records)
        except Bad as error:
            report.add(name, FAILED, str(error), error.code)
        else:
            report.add(name, CHECKED, "says what was signed")


def same_run(read: Any, signed: dict[str, Any]) -> None:
    """Refuse a run.json that is not the one signed, naming the first member that differs."""
    if read != signed:
        names = sorted({*read, *signed}) if isinstance(read, dict) else ["all"]
        at = next((n for n in names if n == "all" or read.get(n, 0) != signed.get(n, 0)), "")
        raise Bad(UNTRUSTED, f"run.json: {at[:40]!r} is not as signed")


def same_records(data: bytes, records: Sequence[dict[str, Any]]) -> None:
    """Refuse certificates that are not the signed records, naming the first line that differs."""
    lines = data.split(b"\n")
    if lines.pop() or len(lines) != len(records):
        raise Bad(UNTRUSTED, f"certificates.jsonl: not {len(records)} lines")
    for at, (line, record) in enumerate(zip(lines, records, strict=True)):
        read = read_plain(line, f"certificates.jsonl, line {at + 1}")
        signed = {name: value for name, value in record.items() if name not in SIGNED_ONLY}
        if isinstance(signed["log_error"], list) and isinstance(read, dict):
            stated = str(read.get("log_error"))
            if FLOAT.fullmatch(stated) and binary64(stated, "log_error") >= upper_end(
                signed["log_error"], "log_error"
            ):
                signed["log_error"] = stated
        if read != signed:
            raise Bad(UNTRUSTED, f"certificates.jsonl, line {at + 1}: not the signed record")


def check_figures(found: Evidence, unsmoothed: int | None, report: Report) -> None:
    """Derive the accuracies of the run from its records."""
    run, records, total = found.run, found.records, len(found.records)

    def share(hits: int) -> str:
        return (hits * 10**6 // total / 10**6).hex()

    right = [r for r in records if r["prediction"] == r["label"]]
    proven = [r for r in right if r["decided"]]
    labels = Counter(record["label"] for record in records)
    each = [share(labels[str(c)]) for c in range(int(run["noise_model"]["classes"]))]
    stated: dict[str, Any] = {"clean": share(len(right)), "decided": share(len(proven))}
    if unsmoothed is not None:
        stated["unsmoothed"] = share(unsmoothed)
    multi = run["vote"] in VOTES
    stated |= {"constant": each} if multi else {"constant_0": each[0], "constant_1": each[1]}
    wrong = [name for name, value in stated.items() if run["accuracy"][name] != value]
    wrong += ["vacuous"] if multi and not is_vacuous(run["vacuous"], records, report) else []
    figures = exact_figures(run, right, records) if is_exact(run) else {}
    wrong += [name for name, value in figures.items() if run[name] != value]
    for name, curve in run["certified_accuracy"].items():
        radii = sorted((proved_radius(record["radius"][name]) for record in proven), reverse=True)
        counts, reach = [], len(radii)
        if len(curve["correct"]) != (radii[0] + 1 if radii else 1):
            wrong.append(f"certified_accuracy.{name}")
            continue
        for r in range(len(curve["correct"])):
            while reach and radii[reach - 1] < r:
                reach -= 1
            counts.append(reach)
        counted = {"correct": [str(c) for c in counts], "of": str(total)}
        if curve != {**counted, "accuracy": [share(c) for c in counts]}:
            wrong.append(f"certified_accuracy.{name}")
    if wrong:
        report.add("figures", FAILED, f"{', '.join(wrong)}: not what the records give", REFUTED)
    else:
        report.add("figures", CHECKED, "accuracies follow from the records")
    if unsmoothed is None:
        report.add("unsmoothed", NOT_CHECKED, "that accuracy needs all records and the data")


def exact_figures(
    run: dict[str, Any], right: Sequence[dict[str, Any]], records: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the brackets that are closed, and how many right points no attack is shown for."""
    total, closed, last = len(records), 0, int(run["training_points"])
    for record in records:
        stated, decided = record["radius"]["exact"], record["decided"]
        proved, end = int(stated["proved"]), stated["refuted_at"]
        closed += decided and (proved == last if end is None else proved + 1 == int(end))
    ends = [record["radius"]["exact"]["refuted_at"] for record in right]
    late = sorted(int(end) for end in ends if end is not None)
    counts = [len(right) - bisect_right(late, r) for r in range(late[-1] + 1 if late else 1)]
    shares = [(-(-count * 10**6 // total) / 10**6).hex() for count in counts]
    curve = {"correct": [str(c) for c in counts], "of": str(total), "accuracy": shares}
    brackets = {"closed": str(closed), "open": str(total - closed)}
    return {"attacked_accuracy": curve, "brackets": brackets}


def is_vacuous(stated: dict[str, str], records: Sequence[dict[str, Any]], report: Report) -> bool:
    """Return whether the rivals' bounds prove no winner of either vote for as many records."""
    found = dict.fromkeys(VOTES, 0)
    try:
        for record in records:
            logs = rival_bounds(record)
            beaten = all(map(is_majority, logs))
            found["pairwise"] += not beaten
            found["plurality"] += not (beaten and (len(logs) == 1 or is_sum(logs, 1)))
    except Open as error:
        report.add("vacuous", NOT_CHECKED, str(error), OPEN)
        return True
    return stated == {name: str(count) for name, count in found.items()}


def check_each(
    step: str,
    records: Sequence[dict[str, Any]],
    question: Callable[[dict[str, Any]], Iterator[str | Open]],
    report: Report,
    progress: Callable[[str, int, int], None],
) -> None:
    """Ask the same of each record; failures are named, the first five of them."""
    false, stuck = [], []
    for done, record in enumerate(records):
        progress(step, done, len(records))
        answers = list(question(record))
        texts = [f"index {record['index']}: {answer}" for answer in answers]
        wrong = [text for text, a in zip(texts, answers, strict=True) if isinstance(a, str)]
        # What stays open beside what is false does not hide it.
        false += wrong[:1]
        stuck += [] if wrong else texts[:1]
    for text in false[:5]:
        report.add(step, FAILED, text, REFUTED)
    if len(false) > 5:
        report.add(step, FAILED, f"and {len(false) - 5} more of {len(records)} records", REFUTED)
    for text in stuck[:5]:
        report.add(step, NOT_CHECKED, text, OPEN)
    if not false and not stuck:
        report.add(step, CHECKED, f"{len(records)} record{'s' * (len(records) != 1)}")


def pick(records: Sequence[Any], sample: int | None, seed: str) -> list[Any]:
    """Return the records to derive again: all, or as many as asked, drawn by SHA-256 of a seed."""
    places = range(len(records))
    drawn = sorted(
        places,
        key=lambda i: hashlib.sha256(f"{seed} {i}".encode(errors="surrogateescape")).digest(),
    )
    return [records[i] for i in sorted(drawn[:sample])]


def at_most_false(total: int, sample: int) -> int:
    """Return how many of `total` may be false, 95 % sure, where a sample drawn at random is true.

    If more were, it would have met one with a probability of at least 95 % (hypergeometric).
    """
    chance, most = 1 << 128, 0
    while 20 * chance > 1 << 128:  # the chance, rounded up, to meet none of `most` false ones
        chance = -(-chance * (total - most - sample) // (total - most))
        most += 1
    return most - 1


def check_derived(
    classifier: Classifier,
    run: dict[str, Any],
    records: Sequence[dict[str, Any]],
    report: Report,
    progress: Callable[[str, int, int], None],
) -> None:
    """Ask what only the data show; of exact radii how much of them is shown."""
    known: list[Known] = []
    sides: dict[str, list[str | Open]] = {}
    exact, q = is_exact(run), rational(run["noise_model"]["q"], "q")

    def ask(record: dict[str, Any]) -> Iterator[str | Open]:
        yield from classifier.false_statements(run, record)
        if exact:  # for the next step: it needs the same alphas
            sides[record["index"]] = list(classifier.false_sides(record, q, known))

    check_each("log_error", records, ask, report, progress)
    if exact:
        check_each("evidence", records, lambda r: iter(sides[r["index"]]), report, progress)
        report.add("radius.exact", *known_text(known))


def known_text(known: Sequence[Known]) -> tuple[str, str]:
    """Return the state of the exact radii, and how far each side of them was checked."""
    proved = [
        (int(record["radius"]["exact"]["proved"]), reached)
        for record, reached, _ in known
        if record["decided"]
    ]
    refuted = [
        (int(record["radius"]["exact"]["refuted_at"]), reached)
        for record, _, reached in known
        if record["radius"]["exact"]["refuted_at"] is not None
    ]
    held = sum(reached >= stated for stated, reached in proved)
    found = sum(reached is not None and reached <= stated for stated, reached in refuted)
    if held == len(proved) and found == len(refuted):
        return CHECKED, f"proved {held}, refuted {found}: both sides of every bracket"
    winners = sum(reached < 0 for _, reached in proved)
    flips = (sum(stated for stated, _ in proved), sum(max(min(p), 0) for p in proved))
    late = [reached - stated for stated, reached in refuted if reached is not None]
    return NOT_CHECKED, (
        f"proved: checked in full for {held} of {len(proved)}, {flips[1]} of {flips[0]} flips in "
        f"all, no winner for {winners}; refuted_at: in full for {found} of {len(refuted)}, for "
        f"{len(late) - found} only after {sum(max(x, 0) for x in late)} flips more in all, for "
        f"{len(refuted) - len(late)} not at all; the rest is not checked"
    )


def sample_remark(total: int, sample: int, seed: str, report: Report) -> str:
    """Return what a sample proves of all: nothing, unless all of it was derived again and held."""
    text = f"sample of {sample} from {total} records, seed {seed!r}: "
    done = {name for name, state, _, _ in report.steps if state == CHECKED}
    if not {"radii", "log_error"} <= done or any(code for _, _, _, code in report.steps):
        return text + "nothing follows for the others, as not all of it was derived and held"
    most = at_most_false(total, sample)
    percent = -(-1000 * most // total) / 10
    part = " in what is checked" if "radius.exact" in report.left() else ""
    return (
        f"{text}you can be 95 % sure that at most {most} ({percent} %) are false{part}: of more, "
        "such a sample would have met one so often (if the issuer could not foresee the seed)"
    )


def check_mathematics(
    found: Evidence,
    report: Report,
    *,
    data: Path | None,
    test: Path | None = None,
    sample: int | None = None,
    seed: str = "",
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> None:
    """Derive again what the records say: radii from log_error, log_error from the data."""
    run, records = found.run, pick(found.records, sample, f"{seed} {found.root}")
    q, n, source = run["noise_model"]["q"], run["training_points"], run["source"]
    q = q if len(q) <= 40 else f"{q[:40]}... ({len(q)} characters)"
    votes = f"{run['noise_model']['classes']} classes, {run['vote']} vote, "
    votes = votes if run["vote"] in VOTES else ""
    report.remarks.append(f"about: flips of {n} training labels, {votes}q = {q}, {source[:60]!a}")
    report.remarks.append(ISSUER)
    check_each("radii", records, lambda r: false_statements(run, r), report, progress)
    unsmoothed = None
    exact = ["radius.exact"] * is_exact(run)
    if data is None:
        for step in ("alpha", "log_error", *exact):
            report.add(step, NOT_CHECKED, "no --data")
    else:
        try:
            arrays = read_data(data, test, run)
            report.add("data", CHECKED, "the arrays have the digests that were signed")
            classifier = Classifier(run, arrays)
            report.add("alpha", CHECKED, "derived again: exact X'X, residuals of the solution")
            check_derived(classifier, run, records, report, progress)
            if found.complete and len(records) == len(found.records):
                unsmoothed = sum(map(classifier.unsmoothed, records))
        except Open as error:
            done = [name for name, _, _, _ in report.steps]
            for step in ("data", "alpha", "log_error", *exact):
                if step not in done:
                    report.add(step, NOT_CHECKED, str(error), OPEN)
        except Bad as error:
            report.add("data", FAILED, str(error), error.code)
    if found.complete:
        check_figures(found, unsmoothed, report)
    else:
        report.add("figures", NOT_CHECKED, "accuracies in the run need all records")
    total = len(found.records)
    if len(records) < total:
        report.add("other records", NOT_CHECKED, f"{total - len(records)}, not in the sample")
        report.remarks.append(sample_remark(total, len(records), seed, report))


# Attack files.


def is_attack(path: Path) -> bool:
    """Return whether a path is of a file that calls itself an attack, in its first line or two."""
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                return f'"{ATTACK_TYPE[:21]}'.encode() in file.read(256)
    return False


def read_attack(data: bytes, what: str) -> dict[str, Any]:
    """Return an attack file with its numbers as text; Bad for all but its one spelling."""
    attack: dict[str, Any] = read_plain(data, what, MALFORMED)
    fit(attack, ATTACK_SHAPE, "attack")
    if f"{json.dumps(json.loads(data), indent=1)}\n".encode() != data:
        raise Bad(MALFORMED, f"{what}: not spelled as certaudit attack writes it")
    shape, n, flips = (
        attack["data"]["X_test"]["shape"],
        int(attack["training_points"]),
        attack["flips"],
    )
    m, d = (int(size) for size in shape) if len(shape) == 2 else (0, 0)
    check_model(attack, m, d - len(attack["scale"]["dropped"]))
    proved, refuted = (int(attack["radius"][name]) for name in ("proved", "refuted_at"))
    paper, whole = attack["ridge"]["rule"] == "paper", attack["holds_for"] == "pipeline"
    again = attack["ridge_after"] is not None
    proofs = [attack[step] for step in REPLAYED]
    for text, holds in (
        ("its members in this order", [*attack] == [*ATTACK_SHAPE]),
        ("its radius in this order", [*attack["radius"]] == [*ATTACK_SHAPE["radius"]]),
        ("a test row that is there", int(attack["index"]) < m),
        ("training rows that are there", all(int(flip["index"]) < n for flip in flips)),
        ("flips, each row once", 0 < len(flips) == len({flip["index"] for flip in flips})),
        ("another label for each", all(flip["from"] != flip["to"] for flip in flips)),
        ("proved < refuted_at <= training_points", proved < refuted <= n),
        (
            "t for chernoff alone",
            all((x["t"] is None) == (x["check"] != "chernoff") for x in proofs),
        ),
        ("ridge_after and holds_for of its rule", again == (paper and whole) and (paper or whole)),
    ):
        if not holds:
            raise Bad(MALFORMED, f"attack: not {text}")
    return attack


def check_attack(attack: dict[str, Any], data: Path, test: Path | None, report: Report) -> None:
    """Replay an attack: who wins the vote with the labels as they are, who with those flipped."""
    report.add("format", CHECKED, "an attack file, every member known")
    report.remarks.append("nothing is signed: what was checked follows from the file and the data")
    q, source = attack["noise_model"]["q"], attack["source"]
    flips, holds, rule = attack["flips"], attack["holds_for"], attack["ridge"]["rule"]
    text = f"about: {len(flips)} flips of {attack['training_points']} training labels, "
    report.remarks.append(f"{text}test row {attack['index']}, q = {q[:40]}, {source[:60]!a}")
    text = f"taken from the file: scaling, q, the ridge by its rule ({rule}), before and after"
    report.remarks.append(f"{text} the flips; it holds for: {holds}")
    at, winner = int(attack["index"]), int(attack["prediction"])
    try:
        arrays = read_data(data, test, attack)
        report.add("data", CHECKED, "the arrays have the digests that the file names")
        classifier = Classifier(attack, arrays)
        report.add("alpha", CHECKED, "derived: exact X'X, residuals of the solution")
        check_labels(attack, classifier, report)
        stands = check_vote(report, "before", attack, classifier, winner)
        after = classifier
        if attack["ridge_after"] is not None:
            value = {**attack["ridge"], "value": attack["ridge_after"]}
            after = Classifier({**attack, "ridge": value}, arrays)
        other = after.relabelled(int(flip["index"]) for flip in flips)
        changed = check_vote(report, "after", attack, other, 1 - winner)
        at_most = len(flips) if changed and attack["ridge_after"] is None else None
        found = classifier.bracket(at, rational(q, "q"), winner)
        held = max(found.proved, 0) if stands else found.proved
        ends = [end for end in (found.refuted, at_most) if end is not None]
        check_radius(report, attack, held, min(ends, default=None))
    except Open as error:
        report.add("radius", NOT_CHECKED, str(error), OPEN)
    except Bad as error:
        report.add("data", FAILED, str(error), error.code)


REPLAYED = ("before", "after")
"""The votes that an attack is about."""


def check_labels(attack: dict[str, Any], classifier: Classifier, report: Report) -> None:
    """Hold the labels that an attack names against the data."""
    wrong = [
        f"training row {flip['index']} has another label"
        for flip in attack["flips"]
        if int(flip["from"]) != classifier.labels[int(flip["index"])]
    ]
    if int(attack["label"]) != classifier.test_labels[int(attack["index"])]:
        wrong.append("the test row has another label")
    text = (
        f"index {attack['index']}: {wrong[0]}"
        if wrong
        else "each flip starts from the data's label"
    )
    report.add("labels", FAILED if wrong else CHECKED, text, REFUTED if wrong else 0)


def check_vote(
    report: Report, step: str, attack: dict[str, Any], classifier: Classifier, winner: int
) -> bool:
    """Check that a class wins the vote with a classifier's labels; return whether it is shown."""
    at, q, proof = int(attack["index"]), rational(attack["noise_model"]["q"], "q"), attack[step]
    found = classifier.bracket(at, q, winner)
    law, lead = found.law, found.leads[0]
    state, text, code = NOT_CHECKED, f"by {proof['by']}, which cannot be checked here", 0
    if proof["check"] == "chernoff":
        try:
            shown = classifier.wins(at, q, binary64(proof["t"], "t"), winner, Fraction(0))
            text = "ln B(t) is below ln 1/2" if shown else "ln B(t) is not below ln 1/2 for it"
            state, code = (CHECKED, 0) if shown else (FAILED, REFUTED)
        except Open as error:
            text, code = str(error), OPEN
    if state != CHECKED and law.holds(lead, winner):
        state, code = CHECKED, 0
        text = "as without noise" if law.quiet else "by Berry-Esseen"
    elif law.holds(-lead, 1 - winner):
        state, text, code = FAILED, "the other class wins this vote", REFUTED
    elif state == NOT_CHECKED and proof["check"] == "berry-esseen" and law.fails(lead):
        state, text, code = FAILED, "Berry-Esseen does not show it", REFUTED
    elif proof["check"] == "no-noise" and not law.quiet:
        state, text, code = FAILED, "there is too much noise for what is said", REFUTED
    report.add(step, state, f"index {at}: class {winner} as the winner: {text}", code)
    return state == CHECKED


def check_radius(report: Report, attack: dict[str, Any], held: int, least: int | None) -> None:
    """Hold the radii of an attack against how many flips are shown to change nothing, or the vote.

    `held` is -1 where the vote is not shown, `least` None where no flips are; at its ridge.
    """
    proved, refuted = (int(radius) for radius in attack["radius"].values())
    stated = f"{proved} proved, refuted at {refuted}"
    shown = f"{held} flips do not change it" if held >= 0 else "the vote is not shown"
    shown += f", {least} do" if least is not None else ", none are shown to"
    if refuted <= held or (least is not None and least <= proved):
        text = f"index {attack['index']}: {stated}, but {shown}"
        report.add("radius", FAILED, text, REFUTED)
    elif held >= proved and least is not None and least <= refuted:
        report.add("radius", CHECKED, f"{stated}: at this ridge, the worst flips")
    else:
        report.add("radius", NOT_CHECKED, f"{stated}; checked: {shown} (at this ridge)")


ISSUER = (
    "the issuer's word, not derived here: that features, scaling, ridge, q and split read no label,"
    " what data these are and how they were chosen, findings, source, engine, versions"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what the command line names; print each step; return the exit code."""
    sys.set_int_max_str_digits(1 << 17)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run, proof or attack file")
    parser.add_argument("--key", type=Path, help="the issuer's public key (PEM)")
    parser.add_argument("--data", type=Path, help="the data set, .npz or CSV")
    parser.add_argument("--test", type=Path, help="the CSV with the test rows")
    parser.add_argument("--sample", type=int, help="derive only so many records again")
    parser.add_argument("--seed", default="", help="what draws them; choose it yourself")
    parser.add_argument("--require-all", action="store_true", help="exit 3 if a step is left")
    options = parser.parse_args(arguments)
    if options.sample is None and options.seed:
        parser.error("--seed belongs to --sample")
    if options.sample is not None and (options.sample < 1 or not options.seed):
        parser.error("--sample takes a number from 1, and a --seed")
    if options.test and not options.data:
        parser.error("--test belongs to --data")
    try:
        report = check(options)
        steps = [(name, state, text) for name, state, text, _ in report.steps]
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        print("\n".join(report_lines(steps, report.remarks)), flush=True)
        return report.exit_code(require_all=options.require_all)
    except KeyboardInterrupt:
        return 130
    except (MemoryError, Exception) as error:  # never let a defect look like a verdict
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"checker: {type(error).__name__}: {str(error)[:200]!a}", file=sys.stderr)
        return 70


def check(options: argparse.Namespace) -> Report:
    """Return all steps; what ends a check at once is the last of them."""
    report = Report()
    try:
        if is_attack(options.run):
            if options.key or options.sample or not options.data:
                raise Bad(MALFORMED, "an attack file is not signed: --data, no --key, no --sample")
            attack = read_attack(read_bytes(options.run, MAX_FILE), options.run.name)
            check_attack(attack, options.data, options.test, report)
            return report
        if options.key is None:
            raise Bad(UNTRUSTED, "no --key: whose signature should this be? No key is trusted here")
        found = evidence(options.run, options.key, report)
        if found.complete:
            compare_files(options.run, found, report)
        check_mathematics(
            *(found, report),
            data=options.data,
            test=options.test,
            sample=options.sample,
            seed=options.seed,
            progress=show_progress if sys.stderr.isatty() else lambda *_: None,
        )
    except Bad as error:
        report.add("trust" if error.code == UNTRUSTED else "format", FAILED, str(error), error.code)
    except OSError as error:
        text = f"{error.filename}: {error.strerror}"
        report.add("format", FAILED, text, MALFORMED)
    return report


def show_progress(step: str, done: int, total: int) -> None:
    """Say on a terminal how far a step is."""
    if done % 16 == 0:
        print(f"\r{step}: {done} of {total} ", end="\r", file=sys.stderr, flush=True)


def conclusion(failed: Sequence[object], left: Sequence[str]) -> str:
    """Return in one line what the steps come to."""
    if failed:
        return "NOT VERIFIED"
    missing = ", ".join(dict.fromkeys(left))
    return f"verified, but not checked: {missing}" if left else "verified: every step was checked"


def report_lines(steps: Sequence[tuple[str, str, str]], remarks: Sequence[str]) -> list[str]:
    """Return each step, wrapped to 79 columns, the remarks and the conclusion."""
    lines = []
    for name, state, text in steps:
        shown = "".join(c if c.isprintable() else "?" for c in text)
        head = f"{state:<12} {name:<18} "
        lines += textwrap.wrap(head + shown, 79, subsequent_indent=" " * len(head))
    for remark in remarks:
        shown = "".join(c if c.isprintable() else "?" for c in remark)
        lines += textwrap.wrap(shown, 79, subsequent_indent="  ")  # no step can be faked
    failed = [name for name, state, _ in steps if state == FAILED]
    left = [name for name, state, _ in steps if state == NOT_CHECKED]
    return lines + textwrap.wrap(conclusion(failed, left), 79)


if __name__ == "__main__":
    sys.exit(main())
