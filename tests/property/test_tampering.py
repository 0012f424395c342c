"""Whatever is changed in what was signed, neither reader takes it: 10^4 changes of each part."""

import base64
import json
import random
from functools import cache
from pathlib import Path

import pytest

from certaudit import checker
from certaudit.errors import InputError, Untrusted
from certaudit.records.evidence import read_evidence, read_inclusion
from certaudit.records.keys import load_public

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
CORPUS = Path(__file__).parents[1] / "corpus"
CHANGES, CHECKED_ALONE = 5_000, 500  # of each part, under each of the two algorithms
ED25519, P256, MULTI = "ed25519", "ecdsa-p256", "K classes"
CLASSES = CORPUS / "accept" / "classes"
KEYS = {name: GOLDEN / f"test-only-{name}.pub.pem" for name in (ED25519, P256)}
KEYS[MULTI] = CORPUS / "keys" / "test-only-ed25519.pub.pem"
"""Of two labels under each of the algorithms; of K classes under one."""
BUNDLES = {
    ED25519: (GOLDEN / "bundle.json").read_bytes(),
    P256: (GOLDEN / "bundle-ecdsa-p256.json").read_bytes(),
    MULTI: (CLASSES / "bundle.json").read_bytes(),
}
RECORDS = dict.fromkeys((ED25519, P256), (GOLDEN / "records.jsonl").read_bytes())
RECORDS[MULTI] = (CLASSES / "records.jsonl").read_bytes()
PROOFS = dict.fromkeys((ED25519, P256), json.loads((GOLDEN / "proof.json").read_bytes()))
PROOFS[MULTI] = json.loads((CORPUS / "accept" / "classes-proof" / "proof.json").read_bytes())
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def line(value):
    """Return a value as canonical JSON, and a newline."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"


# Changes of bytes, of base64 and of JSON values; a random number generator picks the place.


def flip_bit(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def insert(rng, data):
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes([rng.choice([rng.randrange(256), *b' \n\r\0"\\0{}'])]) + data[at:]


def remove(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice([1, 1, 2, 10, len(data)]) :]


def repeat(rng, data):
    at, size = rng.randrange(len(data)), rng.choice([1, 1, 2, 20, 500])
    return data[: at + size] + data[at:]


def swap(rng, data):
    a, b, c = sorted(rng.sample(range(len(data) + 1), 3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


BYTES = (flip_bit, flip_bit, insert, remove, repeat, swap)


def respell(rng, text):
    """Return other base64 of the same bytes, as a lenient reader takes it."""
    body = text.rstrip("=")
    pad = len(text) - len(body)
    kinds = [
        body + "=" * (pad + 1),
        text[:7] + "\n" + text[7:],
        text + "\n",
        text[:3] + "!" + text[3:],
    ]
    kinds += [text + "=" * 4, " " + text, text[:9] + "=" + text[9:]]
    if pad:
        spare = rng.randrange(1, 4**pad)
        kinds += [body, body[:-1] + DIGITS[DIGITS.index(body[-1]) | spare] + "=" * pad]
    if "+" in text or "/" in text:
        kinds.append(text.replace("+", "-").replace("/", "_"))
    return rng.choice(kinds)


def places(value, above=()):
    """Yield the members within a JSON value, as (object or list, name or position)."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in items:
        yield value, name
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*above, name))


def edit(rng, value):
    """Change a JSON value at one place."""
    holder, name = rng.choice(list(places(value)))
    old = holder[name]
    match old:
        case bool():
            new = not old
        case str() if old.isdigit() and len(old) < 9:
            new = str(int(old) + rng.choice([1, -1, 10]))
        case str():
            at = rng.randrange(len(old) + 1)
            new = old[:at] + rng.choice("01a-x") + old[at + rng.randrange(2) :]
        case list() if old:
            new = rng.choice([old[:-1], [*old, old[-1]], old[::-1], []])
        case _:
            new = rng.choice(["0", None, True, [], {}, {"a": "b"}])
    kind = rng.randrange(8)
    if kind == 0:
        del holder[name]
    elif kind == 1 and isinstance(holder, dict):
        holder[rng.choice(["more", "kl", "tight", "rivals", "annotations"])] = rng.choice(
            ["0", {}, None]
        )
    else:
        holder[name] = new


def edited(rng, value):
    """Return a JSON value changed at one place, canonical again."""
    copy = json.loads(json.dumps(value))
    edit(rng, copy)
    return line(copy)


def payload_changes(rng, algorithm):
    """Yield bundles whose payload is another, or spelled otherwise."""
    bundle = json.loads(BUNDLES[algorithm])
    envelope = bundle["dsseEnvelope"]
    text = envelope["payload"]
    payload = base64.b64decode(text)
    while True:
        kind = rng.randrange(10)
        if kind == 0:
            envelope["payload"] = respell(rng, text)
        elif kind < 4:
            envelope["payload"] = base64.b64encode(edited(rng, json.loads(payload))[:-1]).decode()
        else:
            changed = rng.choice(BYTES)(rng, payload)
            envelope["payload"] = base64.b64encode(changed).decode()
        yield line(bundle), RECORDS[algorithm]


def signature_changes(rng, algorithm):
    """Yield bundles whose signature is another, or spelled otherwise."""
    bundle = json.loads(BUNDLES[algorithm])
    one = bundle["dsseEnvelope"]["signatures"][0]
    text = one["sig"]
    while True:
        if rng.randrange(6) == 0:
            one["sig"] = respell(rng, text)
        else:
            changed = rng.choice(BYTES)(rng, base64.b64decode(text))
            one["sig"] = base64.b64encode(changed).decode()
        yield line(bundle), RECORDS[algorithm]


def records_changes(rng, algorithm):
    """Yield records that are others, or spelled otherwise, or in another order."""
    content = RECORDS[algorithm]
    lines = content.splitlines(keepends=True)
    while True:
        kind = rng.randrange(10)
        if kind < 3:
            found = list(lines)
            at = rng.randrange(len(lines))
            found[at] = edited(rng, json.loads(lines[at]))
        elif kind == 3:
            found = rng.choices(lines, k=rng.randrange(len(lines) + 3))
        elif kind == 4:
            found = rng.sample(lines, len(lines))
        else:
            found = [rng.choice(BYTES)(rng, content)]
        yield BUNDLES[algorithm], b"".join(found)


def proof_changes(rng, algorithm):
    """Yield proofs that are others, or spelled otherwise."""
    proof = {**PROOFS[algorithm], "bundle": json.loads(BUNDLES[algorithm])}
    whole = line(proof)
    while True:
        kind = rng.randrange(10)
        if kind < 2:
            inner = json.loads(line(proof))
            value = inner["bundle"]["verificationMaterial"]["publicKey"]
            value["hint"] = respell(rng, value["hint"])
            yield line(inner), None
        elif kind < 6:
            part = rng.choice(["record", "record", "path", "leaf", "type"])
            holder = {part: proof[part]}
            changed = json.loads(edited(rng, holder))
            rest = {name: value for name, value in proof.items() if name != part}
            yield line({**rest, **changed}), None
        else:
            yield rng.choice(BYTES)(rng, whole), None


PARTS = {
    "payload": payload_changes,
    "signature": signature_changes,
    "records": records_changes,
    "proof": proof_changes,
}


def whole(part, algorithm):
    """Return what a part's changes start from."""
    if part == "proof":
        return line({**PROOFS[algorithm], "bundle": json.loads(BUNDLES[algorithm])}), None
    return BUNDLES[algorithm], RECORDS[algorithm]


def changes(part, algorithm, count):
    """Return `count` changes of a part: what is read, never what was signed."""
    rng = random.Random(f"{part} {algorithm}")
    start, made, found = whole(part, algorithm), PARTS[part](rng, algorithm), []
    while len(found) < count:
        one = next(made)
        if one != start:
            found.append(one)
    return found


def by_records(first, second, key):
    """Return the exit code that the library's readers come to."""
    try:
        read_inclusion(first, key) if second is None else read_evidence(first, second, key)
    except InputError:
        return checker.MALFORMED
    except Untrusted:
        return checker.UNTRUSTED
    return 0


def by_checker(first, second, key, folder):
    """Return the exit code that the checker comes to."""
    path = folder / "proof.json"
    if second is None:
        path.write_bytes(first)
    else:
        path = folder
        (folder / "bundle.json").write_bytes(first)
        (folder / "records.jsonl").write_bytes(second)
    try:
        checker.evidence(path, key, checker.Report())
    except checker.Bad as error:
        return error.code
    return 0


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize("part", PARTS)
def test_nothing_changed_is_taken(part, algorithm):
    key = load_public(KEYS[algorithm])
    assert by_records(*whole(part, algorithm), key) == 0
    made = changes(part, algorithm, CHANGES)
    assert len({*made}) > CHANGES // 20
    taken = [one for one in made if by_records(*one, key) == 0]
    assert not taken


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize("part", PARTS)
def test_nor_by_the_checker(part, algorithm, tmp_path, monkeypatch):
    """It comes to the same exit code, of a run; the steps of a proof have another order there.

    Its signatures are slow: the same one is verified once.
    """
    monkeypatch.setattr(checker, "is_signed", cache(checker.is_signed))
    key, path = load_public(KEYS[algorithm]), KEYS[algorithm]
    assert by_checker(*whole(part, algorithm), path, tmp_path) == 0
    others = []
    for one in changes(part, algorithm, CHECKED_ALONE):
        code = by_checker(*one, path, tmp_path)
        assert code != 0, one
        if part != "proof" and code != by_records(*one, key):
            others.append((code, one))
    assert not others, others[0]
