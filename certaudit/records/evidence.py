"""Verifying what was signed, in an order in which nothing unsigned is trusted or parsed early."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec

from certaudit.errors import InputError, Untrusted
from certaudit.records.bundle import BUNDLE, RECORDS, object_line, pae, read_bundle
from certaudit.records.canonical import decode, decoder, encode
from certaudit.records.keys import PublicKey
from certaudit.records.merkle import Tree, audit_path, path_leads_to
from certaudit.records.model import (
    INCLUSION_TYPE,
    MAX_BUNDLE,
    MAX_PROOF,
    MAX_RECORDS,
    Bundle,
    InclusionProof,
    Series,
    Statement,
    run_digest,
)

__all__ = [
    "Evidence",
    "Inclusion",
    "prove_inclusion",
    "read_evidence",
    "read_inclusion",
    "read_unverified",
]


@dataclass(frozen=True)
class Evidence:
    """What a key signed: the statement, its run and its records as plain JSON values."""

    bundle: Bundle
    statement: Statement
    run: dict[str, Any] = field(repr=False)
    run_digest: str
    records: list[dict[str, Any]] = field(repr=False)

    @property
    def timestamp(self) -> bytes | None:
        """The RFC 3161 response (DER) of the bundle; it is not verified here."""
        return self.bundle.timestamp


@dataclass(frozen=True)
class Inclusion:
    """What a key signed of one record: the statement, its run, the record and its line."""

    bundle: Bundle
    statement: Statement
    run: dict[str, Any] = field(repr=False)
    run_digest: str
    record: dict[str, Any]
    leaf: int

    @property
    def timestamp(self) -> bytes | None:
        """The RFC 3161 response (DER) of the bundle; it is not verified here."""
        return self.bundle.timestamp


def read_evidence(bundle: bytes, records: bytes, key: PublicKey) -> Evidence:
    """Return what bundle.json and records.jsonl say, once it is proven that `key` signed it.

    In this order: limits, the bundle's form, its key, the signature over the payload as it was
    received, the payload's form, the digest of the records, each record's form, the tree.

    Raises Untrusted where a signature, digest or Merkle check fails, InputError for whatever is
    not well-formed.
    """
    return _read(bundle, records, key)


def read_unverified(bundle: bytes, records: bytes) -> Evidence:
    """Return what read_evidence does, without a key: whoever signed it, it fits together.

    Raises Untrusted where a digest or the Merkle root differs, InputError as read_evidence does.
    """
    return _read(bundle, records, None)


def _read(bundle: bytes, records: bytes, key: PublicKey | None) -> Evidence:
    parsed, statement = _statement(read_bundle(bundle), key, BUNDLE)
    if sha256(records).hexdigest() != statement.records_sha256:
        raise Untrusted(f"{RECORDS}: is not the file that was signed (its SHA-256 differs)")
    run = statement.predicate.run
    digest = run_digest(run)
    series, tree, found = Series(run, digest), Tree(), []
    read, plain = decoder(series.kind, limit=series.limit), msgspec.json.Decoder().decode
    for number, line in _lines(records):
        what = f"{RECORDS} line {number}"
        series.add(read(line, what), what)
        tree.add(line)
        found.append(plain(line))
    series.end(RECORDS)
    if tree.root().hex() != statement.predicate.tree.root:
        raise Untrusted(f"{RECORDS}: its Merkle root is not the one that was signed")
    return Evidence(parsed, statement, plain(encode(run)), digest, found)


def _statement(bundle: Bundle, key: PublicKey | None, what: str) -> tuple[Bundle, Statement]:
    """Return the statement of a bundle; its payload is parsed only once the signature is right."""
    if key is not None:
        if bundle.hint != key.hint:
            raise Untrusted(
                f"{what}: was signed with another key: {bundle.hint.hex()}, "
                f"the one given is {key.fingerprint}"
            )
        if not key.verifies(bundle.signature, pae(bundle.payload)):
            raise Untrusted(f"{what}: the signature is not that of the key over this payload")
    payload = decode(bundle.payload, Statement, what=f"{what}: payload", limit=MAX_BUNDLE)
    return bundle, payload


def _lines(records: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of records.jsonl, from 1, without their newlines."""
    if not records.endswith(b"\n"):
        raise InputError(f"{RECORDS}: does not end with a newline")
    start, number = 0, 0
    while start < len(records):
        number += 1
        if number > MAX_RECORDS:
            raise InputError(f"{RECORDS}: has more than {MAX_RECORDS} lines")
        end = records.index(b"\n", start)
        yield number, records[start:end]
        start = end + 1


def read_inclusion(proof: bytes, key: PublicKey, *, what: str = "proof") -> Inclusion:
    """Return the record of an inclusion proof, once it is proven to be one that `key` signed.

    Raises Untrusted where the signature or the audit path fails, InputError for whatever is not
    well-formed.
    """
    if not proof.endswith(b"\n"):
        raise InputError(f"{what}: does not end with a newline")
    found = decode(proof[:-1], InclusionProof, what=what, limit=MAX_PROOF)
    bundle, statement = _statement(found.bundle, key, f"{what}: bundle")
    run, line = statement.predicate.run, encode(found.record)
    digest, tree, leaf = run_digest(run), statement.predicate.tree, int(found.leaf)
    series = Series(run, digest, leaf)
    if len(line) > series.limit:
        raise InputError(f"{what}: its record is longer than {series.limit} bytes")
    if leaf >= int(tree.size):
        raise InputError(f"{what}: leaf {leaf} is beyond the {tree.size} records signed")
    path = [bytes.fromhex(text) for text in found.path]
    expected = bytes.fromhex(tree.root)
    if not path_leads_to(expected, leaf=line, index=leaf, size=int(tree.size), path=path):
        raise Untrusted(f"{what}: its path does not lead from this record to the signed root")
    series.add(found.record, what)
    plain = msgspec.json.decode
    return Inclusion(bundle, statement, plain(encode(run)), digest, plain(line), leaf)


def prove_inclusion(bundle: bytes, records: bytes, row: int) -> bytes:
    """Return the proof, as a file, that the record of a row of the test set was signed.

    Needs no key: whoever reads the proof verifies the signature in it.

    Raises InputError where no record is of that row, and as read_unverified does; Untrusted
    where bundle and records do not belong together.
    """
    evidence = read_unverified(bundle, records)
    indices = [int(record["index"]) for record in evidence.records]
    if row not in indices:
        raise InputError(f"no record is of row {row} of the test set")
    leaf = indices.index(row)
    lines = records.split(b"\n")[:-1]
    path = tuple(node.hex() for node in audit_path(lines, leaf))
    series = Series(evidence.statement.predicate.run, evidence.run_digest)
    what = f"{RECORDS} line {leaf + 1}"
    record = decode(lines[leaf], series.kind, what=what, limit=series.limit)
    proof = InclusionProof(evidence.bundle, str(leaf), path, record, INCLUSION_TYPE)
    return object_line(proof)
