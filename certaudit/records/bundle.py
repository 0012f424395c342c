"""Statements and bundles: what is signed over a run, and the file that carries the signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from certaudit.errors import InputError, Untrusted
from certaudit.records.canonical import decode, encode
from certaudit.records.keys import PrivateKey, PublicKey
from certaudit.records.model import (
    BUNDLE_TYPE,
    MAX_BUNDLE,
    PAYLOAD_TYPE,
    STATEMENT_TYPE,
    Bundle,
    Envelope,
    Material,
    Predicate,
    PublicKeyHint,
    Run,
    Signature,
    Stamp,
    Stamps,
    Statement,
    Tree,
    predicate_type,
    subjects,
)

__all__ = [
    "BUNDLE",
    "RECORDS",
    "Bundle",
    "attach",
    "object_line",
    "pae",
    "read_bundle",
    "sign",
    "statement",
    "with_timestamp",
]

RECORDS = "records.jsonl"
BUNDLE = "bundle.json"
_MAX_SIGNATURE = 1 << 10


def statement(
    run: Run, *, records_sha256: str, root: bytes, size: int, annotations: Mapping[str, Any]
) -> bytes:
    """Return the payload that is signed: an in-toto Statement about records.jsonl and the data.

    Raises InputError for annotations that hold numbers or are nested too deep, and for a
    payload that does not fit into a bundle.
    """
    tree = Tree("rfc6962-sha256", root.hex(), str(size))
    payload = encode(
        Statement(
            STATEMENT_TYPE,
            Predicate(dict(annotations), run, tree),
            predicate_type(run),
            subjects(records_sha256, run),
        )
    )
    if len(payload) > MAX_BUNDLE // 4 * 3 - (64 << 10):
        raise InputError("the run is too large for a bundle of 16 MiB")
    return payload


def pae(payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding of a payload: the bytes that are signed."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, key: PrivateKey) -> bytes:
    """Return bundle.json: a payload and the key's signature over it."""
    return _bundle(payload, key.sign(pae(payload)), key.public)


def attach(payload: bytes, signature: bytes, key: PublicKey) -> bytes:
    """Return bundle.json for a signature that was made elsewhere over pae(payload).

    ECDSA: DER, or 64 bytes r, s. Ed25519: 64 bytes.

    Raises Untrusted where it is not this key's signature over this payload.
    """
    found = key.find(signature, pae(payload))
    if found is None:
        raise Untrusted(
            f"the signature ({len(signature)} bytes) is not that of the {key.algorithm} key "
            f"{key.fingerprint[:16]}... over this run and these annotations"
        )
    return _bundle(payload, found, key)


def _bundle(payload: bytes, signature: bytes, key: PublicKey) -> bytes:
    envelope = Envelope(payload, PAYLOAD_TYPE, (Signature(signature),))
    return object_line(Bundle(envelope, BUNDLE_TYPE, Material(PublicKeyHint(key.hint), ())))


def object_line(document: msgspec.Struct) -> bytes:
    """Return a document as it stands in a file: canonical, and a newline."""
    return encode(document) + b"\n"


def read_bundle(data: bytes, what: str = BUNDLE) -> Bundle:
    """Return a bundle as it was received; nothing in it is verified yet, or even looked at.

    Raises InputError for what is not the canonical spelling of one.
    """
    if not data.endswith(b"\n"):
        raise InputError(f"{what}: does not end with a newline")
    found = decode(data[:-1], Bundle, what=what, limit=MAX_BUNDLE)
    if len(found.signature) > _MAX_SIGNATURE:
        raise InputError(f"{what}: its signature is too long")
    return found


def with_timestamp(bundle: Bundle, response: bytes) -> bytes:
    """Return bundle.json with an RFC 3161 response over its signature.

    Raises InputError where it would become too long.
    """
    stamps = Stamps((Stamp(response),))
    material = msgspec.structs.replace(bundle.material, timestamps=stamps)
    data = object_line(msgspec.structs.replace(bundle, material=material))
    if len(data) > MAX_BUNDLE:
        raise InputError("the bundle with its time stamp is longer than 16 MiB")
    return data
