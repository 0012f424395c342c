"""Write the corpus: accept/, refute/, malformed/ and untrusted/, one folder a case.

    python tests/corpus/generate.py [FOLDER]     writes data, keys and every case: the same bytes
    python tests/corpus/generate.py --certify    makes the runs below accept/ again, first

The runs (run.json and certificates.jsonl of the accept cases in RUNS, MULTI_RUNS and EXACT_RUNS)
are what `certaudit certify` wrote. All else follows from them: signatures are Ed25519 or
deterministic ECDSA (RFC 6979), by keys that are for tests only. A refute case is an accept case
with one false statement, signed. Attacks are not signed.

case.json of a case: `base` (its files, less those in `leave_out`, stand below those of the case),
`run` (the proof, where it is not the folder), `key`, `data`, `test`, `arguments`, and `says`: text
that both checkers print. The test takes the folders that are there: a new case needs no code.
"""

from __future__ import annotations

import argparse
import base64
import copy
import io
import json
import math
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from certaudit.records.bundle import pae, with_timestamp
from certaudit.records.bundle import read_bundle as parse_bundle
from certaudit.records.evidence import prove_inclusion
from certaudit.records.from_run import read_run
from certaudit.records.merkle import audit_path, root
from certaudit.reference.least_squares import exact_alpha
from certaudit.reference.multiclass import classify, log_pair_chernoff

HERE = Path(__file__).parent
KINDS = ("accept", "refute", "malformed", "untrusted")
Json = Any


# ------------------------------------------------------------------------------ data and keys


def digits(seed: str, count: int) -> list[float]:
    """Return numbers from -1.50 to 1.49 with two decimals, the same everywhere."""
    out = []
    for i in range(count):
        number = int.from_bytes(sha256(f"{seed} {i}".encode()).digest()[:8])
        out.append((number % 300 - 150) / 100)
    return out


def arrays(seed: str, train: int, tests: Sequence[float], columns: int) -> dict[str, Any]:
    """Return two clusters around -1 and 1, and test rows around the places given."""
    noise = np.array(digits(seed, (train + len(tests)) * columns)).reshape(-1, columns) / 4
    labels = np.array([*(np.arange(train) % 2), *(place > 0 for place in tests)], dtype=np.int64)
    places = np.array([*(2 * labels[:train] - 1), *tests])
    rows = (places[:, None] + noise).round(2)
    return {
        "X_train": rows[:train],
        "y_train": labels[:train],
        "X_test": rows[train:],
        "y_test": labels[train:],
    }


def three_clusters(seed: str, train: int, tests: Sequence[tuple[float, float, int]]) -> Json:
    """Return clusters of three classes around the corners of a triangle, and test rows."""
    corners = [(1.0, 0.0), (-0.5, 0.87), (-0.5, -0.87)]
    noise = np.array(digits(seed, 2 * train)).reshape(-1, 2) / 4
    return {
        "X_train": (np.array([corners[i % 3] for i in range(train)]) + noise).round(2),
        "y_train": np.arange(train, dtype=np.int64) % 3,
        "X_test": np.array([[x, y] for x, y, _ in tests]),
        "y_test": np.array([label for _, _, label in tests], dtype=np.int64),
    }


def npz(data: dict[str, Any]) -> bytes:
    """Return an .npz file, the same bytes at any time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in data.items():
            one = io.BytesIO()
            np.lib.format.write_array(one, np.ascontiguousarray(array), version=(1, 0))
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), one.getvalue())
    return file.getvalue()


def damaged(data: bytes) -> dict[str, bytes]:
    """Return .npz files whose directory says of the first array what cannot be."""
    at, files = data.index(b"PK\1\2"), {"damaged-cut.npz": data[: len(data) // 2]}
    for name, field, value in (
        ("version", 6, b"\xc8\0"),
        ("encrypted", 8, b"\1\0"),
        ("strongly-encrypted", 8, b"\x41\0"),
        ("patched", 8, b"\x20\0"),
        ("method", 10, b"\x63\0"),
        ("checksum", 16, b"\0\0\0\0"),
        ("size", 20, b"\0\0\x20\0\0\0\x20\0"),
        ("place", 42, b"\xff\xff\0\0"),
    ):
        start = at + field
        files[f"damaged-{name}.npz"] = data[:start] + value + data[start + len(value) :]
    return files


def table(rows: Any, labels: Sequence[str]) -> bytes:
    """Return a CSV file, the label in the middle."""
    lines = ["width,kind,height"]
    lines += [f"{a!r},{y},{b!r}" for (a, b), y in zip(rows.tolist(), labels, strict=True)]
    return ("\n".join(lines) + "\n").encode()


def data_files() -> dict[str, bytes]:
    """Return the data sets by name."""
    points = arrays("points", 48, [1, -0.04, -0.9], 2)
    near = copy.deepcopy(points)
    near["X_test"][1] = [0.04, 0.02]  # so small that no labelling reaches 1/2
    wide = arrays("wide", 32, [1, -1, 0.1], 3)
    wide["X_train"][:, 1] = wide["X_test"][:, 1] = 2.5
    many = arrays("many", 240, [1, -0.1, -1], 2)
    many |= {k: many[k].astype(np.int8) for k in ("y_train", "y_test")}
    single = {k: v.astype(np.float32 if k[0] == "X" else np.int8) for k, v in points.items()}
    signs = arrays("signs", 40, [1, -1, 0.2, -0.2], 2)
    signs = {k: 2 * v - 1 if k[0] == "y" else v for k, v in signs.items()}
    hard = arrays("hard", 12, [0.1, -0.2, 0.3], 2)
    hard["y_train"][:4] ^= 1
    tests = [(1.0, 0.1, 0), (-0.4, -0.8, 2), (0.3, 0.45, 0), (0.02, 0.01, 1)]
    classes = three_clusters("classes", 45, tests)
    flowers = arrays("flowers", 40, [0.5, -1, 1, -0.8, 0.05], 2)
    rows = np.concatenate([flowers["X_train"], flowers["X_test"]])
    kinds = ["lily" if y else "rose" for y in [*flowers["y_train"], *flowers["y_test"]]]
    other = copy.deepcopy(points)
    other["X_train"][3, 1] += 0.01
    relabelled = copy.deepcopy(points)
    relabelled["y_train"][5] ^= 1
    return {
        "points.npz": npz(points),
        "points-other.npz": npz(other),
        "points-relabelled.npz": npz(relabelled),
        "near.npz": npz(near),
        "many.npz": npz(many),
        "wide.npz": npz(wide),
        "single.npz": npz(single),
        "signs.npz": npz(signs),
        "hard.npz": npz(hard),
        "classes.npz": npz(classes),
        **damaged(npz(points)),
        "flowers.csv": table(rows, kinds),
        "flowers-train.csv": table(rows[:40], kinds[:40]),
        "flowers-test.csv": table(rows[40:], kinds[40:]),
    }


ED = ed25519.Ed25519PrivateKey.from_private_bytes(sha256(b"corpus, test only, 1").digest())
ED_OTHER = ed25519.Ed25519PrivateKey.from_private_bytes(sha256(b"corpus, test only, 2").digest())
EC = ec.derive_private_key(int.from_bytes(sha256(b"corpus, test only, 3").digest()), ec.SECP256R1())
P384 = ec.derive_private_key(
    int.from_bytes(sha256(b"corpus, test only, 4").digest()), ec.SECP384R1()
)
RSA_PUB = b"""-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDWeUvbqPWMOjvTavsMbIoKiCi9
n957kixewdzFYCBxZ6s00/WNw7h4rrPhwOxBzskt4mil2ANrQmcIlnkiK1VI3Tvw
gO4/zCO35REBk4IMPsRMdjOTY+V+h7HNOeeei+XucNdTcOu8p+1MkMztgxi9rUv4
VZa2pmTCDuQ9/t9NBwIDAQAB
-----END PUBLIC KEY-----
"""


def spki(key: Any) -> bytes:
    """Return a public key as DER."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der: bytes = key.public_key().public_bytes(serialization.Encoding.DER, form)
    return der


def pem(key: Any) -> bytes:
    """Return a public key as PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    text: bytes = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    return text


def armour(der: bytes, label: str = "PUBLIC KEY") -> bytes:
    """Return DER as PEM."""
    text = base64.b64encode(der).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def key_files() -> dict[str, bytes]:
    """Return the keys by name; every one is for tests only."""
    private = ED.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    point = EC.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    off = bytearray(spki(EC))
    off[-1] ^= 1
    good = pem(ED)
    return {
        "test-only-ed25519.pub.pem": good,
        "test-only-other.pub.pem": pem(ED_OTHER),
        "test-only-ecdsa.pub.pem": pem(EC),
        "test-only-p384.pub.pem": pem(P384),
        "test-only-rsa.pub.pem": RSA_PUB,
        "test-only-ed25519.pem": private,
        "test-only-compressed.pub.pem": armour(head + point),
        "test-only-off-curve.pub.pem": armour(bytes(off)),
        "test-only-short.pub.pem": armour(spki(ED)[:-1]),
        "test-only-certificate.pem": armour(spki(ED), "CERTIFICATE"),
        "test-only-two.pub.pem": good + pem(ED_OTHER),
        "test-only-text-around.pub.pem": b"a key\n" + good,
        "test-only-cut.pub.pem": good[:60],
        "test-only-empty.pub.pem": b"",
        "test-only-note.pub.pem": b"the key is under the mat\n",
        "test-only-not-base64.pub.pem": good.replace(b"MCow", b"M#ow"),
        "test-only-der.pub.pem": spki(ED),
    }


def signature_of(key: Any, message: bytes) -> bytes:
    """Sign, deterministically."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    made: bytes = key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    return made


# ------------------------------------------------------------------------------ signed runs


def encode(value: Json) -> bytes:
    """Return canonical JSON of a value without numbers."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def b64(data: bytes) -> str:
    """Return base64 text."""
    return base64.b64encode(data).decode()


VOTES = ("pairwise", "plurality")
PREDICATES = {
    False: "urn:certaudit:certificates:label-flip:v1",
    True: "urn:certaudit:certificates:label-flip-multiclass:v1",
}
EXACT_PREDICATE = "urn:certaudit:certificates:label-flip-exact:v1"
"""The type of a statement, by whether its run has one of VOTES."""


class Signed:
    """A signed run as values that may be changed, and signed again."""

    def __init__(self, run: Json, records: list[Json], key: Any = ED, notes: Json = None) -> None:
        self.run, self.records, self.key = run, records, key
        self.notes = {} if notes is None else notes
        self.multi = run["vote"] in VOTES  # whatever becomes of the vote
        self.kind = EXACT_PREDICATE if "exact" in run["guarantee"] else PREDICATES[self.multi]

    @classmethod
    def read(cls, name: str, key: Any = ED, notes: Json = None) -> Signed:
        """Return a run as `certaudit certify` wrote it, ready to be signed."""
        folder = HERE / "accept" / name
        names = ("run.json", "certificates.jsonl")
        unsigned = read_run(*((folder / file).read_bytes() for file in names))
        run = json.loads(unsigned.payload())["predicate"]["run"]
        return cls(run, [json.loads(line) for line in unsigned.lines.splitlines()], key, notes)

    def copy(self) -> Signed:
        """Return one that may be changed."""
        return Signed(*copy.deepcopy((self.run, self.records)), self.key, copy.deepcopy(self.notes))

    def named(self) -> Signed:
        """Let the records name their run."""
        digest = sha256(encode(self.run)).hexdigest()
        for record in self.records:
            record["run"] = digest
        return self

    def lines(self) -> list[bytes]:
        """Return the lines of records.jsonl."""
        return [encode(record) for record in self.records]

    def statement(self, lines: Sequence[bytes] | None = None, content: bytes | None = None) -> Json:
        """Return what is to be signed."""
        lines = self.lines() if lines is None else lines
        content = b"".join(line + b"\n" for line in lines) if content is None else content
        tree = {"algorithm": "rfc6962-sha256", "root": root(lines).hex(), "size": str(len(lines))}
        subject = [{"digest": {"sha256": sha256(content).hexdigest()}, "name": "records.jsonl"}]
        for name in ("X_test", "X_train", "y_test", "y_train"):
            digest = self.run["data"][name]["sha256"] if name in self.run.get("data", {}) else ""
            subject.append({"digest": {"sha256": digest}, "name": name})
        return {
            "_type": "https://in-toto.io/Statement/v1",
            "predicate": {"annotations": self.notes, "run": self.run, "tree": tree},
            "predicateType": self.kind,
            "subject": subject,
        }

    def bundle(self, payload: bytes | None = None) -> Json:
        """Return a bundle over a payload, the statement if none is given."""
        payload = encode(self.statement()) if payload is None else payload
        return {
            "dsseEnvelope": {
                "payload": b64(payload),
                "payloadType": "application/vnd.in-toto+json",
                "signatures": [{"sig": b64(signature_of(self.key, pae(payload)))}],
            },
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "publicKey": {"hint": b64(sha256(spki(self.key)).digest())},
                "tlogEntries": [],
            },
        }

    def files(self, content: bytes | None = None) -> dict[str, bytes]:
        """Return bundle.json and records.jsonl; `content`: other bytes of the latter, signed."""
        if content is None:
            lines = self.lines()
            content = b"".join(line + b"\n" for line in lines)
        else:
            lines = content.split(b"\n")[:-1] or [content]
        payload = encode(self.statement(lines, content))
        return {"bundle.json": encode(self.bundle(payload)) + b"\n", "records.jsonl": content}

    def proof(self, leaf: int) -> Json:
        """Return the proof of a record as a value."""
        path = [node.hex() for node in audit_path(self.lines(), leaf)]
        return {
            "bundle": self.bundle(),
            "leaf": str(leaf),
            "path": path,
            "record": self.records[leaf],
            "type": "urn:certaudit:inclusion:v1",
        }


# ---------------------------------------------------------------- the mathematics, once more


class Truth:
    """What is true of a run, by exact fractions and 60 digits (equation 6, section 4.1)."""

    def __init__(self, run: Json, data: dict[str, Any]) -> None:
        positive, self.classes = run["positive"], int(run["noise_model"]["classes"])
        labels = {k: self.numbers(data[k], positive) for k in ("y_train", "y_test")}
        self.y_train, self.y_test = labels["y_train"], labels["y_test"]
        kept = [j for j in range(data["X_train"].shape[1]) if str(j) not in run["scale"]["dropped"]]
        both = [np.asarray(data[k], dtype=float)[:, kept] for k in ("X_train", "X_test")]
        if run["scale"]["rule"] == "standard":
            mean, size = (
                np.array([float.fromhex(x) for x in run["scale"][k]]) for k in ("mean", "deviation")
            )
            both = [(x - mean) / size for x in both]
        if run["intercept"]:
            both = [np.hstack([x, np.ones((len(x), 1))]) for x in both]
        ridge, q = run["ridge"]["value"], Fraction(run["noise_model"]["q"])
        value = Fraction(float.fromhex(ridge)) if "0x" in ridge else Fraction(ridge)
        train, test = (x.tolist() for x in both)
        self.alpha = exact_alpha(train, test, value, intercept=run["intercept"])
        self.q = q

    @staticmethod
    def numbers(array: Any, positive: str | None) -> list[int]:
        """Return labels as numbers of classes."""
        return [int(y) if positive is None else int(str(y) == positive) for y in array]

    def log_bound(self, at: int, t: str) -> Any:
        """Return ln B(t) of (6) for a test point."""
        with mpmath.workdps(60):
            s, q = mpmath.mpf(float.fromhex(t)), mpmath.mpf(self.q.numerator) / self.q.denominator
            total = s / 2
            for a, y in zip(self.alpha[at], self.y_train, strict=True):
                e = mpmath.exp(-s * a.numerator / a.denominator)
                total += mpmath.log(q + (1 - q) * e if y else (1 - q) + q * e)
            return total

    def pair_bound(self, at: int, pair: tuple[int, int], t: str) -> Any:
        """Return ln B_ib(t) of B.2 for a test point."""
        numbers = [mpmath.mpf(a.numerator) / a.denominator for a in self.alpha[at]]
        witness = mpmath.mpf(float.fromhex(t))
        return log_pair_chernoff(witness, numbers, self.y_train, *pair, self.q, self.classes)

    def unsmoothed(self, records: Sequence[Json]) -> int:
        """Return how many labels of records the same classifier gets right at q = 0."""
        hits = 0
        if records and "rivals" in records[0]:
            for record in records:
                found = classify(self.alpha[int(record["index"])], self.y_train, self.classes)
                hits += str(found) == record["label"]
            return hits
        for record in records:
            pairs = zip(self.alpha[int(record["index"])], self.y_train, strict=True)
            hits += (2 * sum(a for a, y in pairs if y) >= 1) == (record["label"] == "1")
        return hits


def first_above(value: Any) -> str:
    """Return the smallest float64 above a real."""
    number = float(value)
    while mpmath.mpf(number) <= value:
        number = math.nextafter(number, math.inf)
    while mpmath.mpf(math.nextafter(number, -math.inf)) > value:
        number = math.nextafter(number, -math.inf)
    return number.hex()


def last_below(value: Any) -> str:
    """Return the largest float64 below a real."""
    return (-float.fromhex(first_above(-value)) + 0.0).hex()


def share(hits: int, total: int) -> str:
    """Return an accuracy as run.json has it."""
    return (hits * 10**6 // total / 10**6).hex()


def refigure(signed: Signed, truth: Truth | None = None) -> Signed:
    """Derive the accuracies of a run from its records again."""
    run, records = signed.run, signed.records
    total = len(records)
    right = [r for r in records if r["label"] == r["prediction"]]
    proven = [r for r in right if r["decided"]]
    counts = {"clean": len(right), "decided": len(proven)}
    classes = int(run["noise_model"]["classes"])
    each = [sum(r["label"] == str(c) for r in records) for c in range(classes)]
    if run["vote"] in VOTES:
        run["accuracy"]["constant"] = [share(count, total) for count in each]
        run["vacuous"] = vacuous(records)
    else:
        counts |= {"constant_0": each[0], "constant_1": each[1]}
    if truth is not None:
        counts["unsmoothed"] = truth.unsmoothed(records)
    for name, count in counts.items():
        run["accuracy"][name] = share(count, total)
    if "brackets" in run:
        refigure_exact(run, right, records)
    for name in run["certified_accuracy"]:
        radii = [r["radius"][name] for r in proven if name in r["radius"]]
        radii = [int(r["proved"] if name == "exact" else r) for r in radii]
        reached = [sum(x >= r for x in radii) for r in range(max(radii, default=0) + 1)]
        run["certified_accuracy"][name] = {
            "correct": [str(c) for c in reached],
            "of": str(total),
            "accuracy": [share(c, total) for c in reached],
        }
    return signed.named()


def refigure_exact(run: Json, right: Sequence[Json], records: Sequence[Json]) -> None:
    """Derive what only a run with the exact radius has from its records again."""
    total, n = len(records), int(run["training_points"])
    ends = [r["radius"]["exact"]["refuted_at"] for r in right]
    last = max((int(end) for end in ends if end is not None), default=0)
    counts = [sum(end is None or int(end) > r for end in ends) for r in range(last + 1)]
    run["attacked_accuracy"] = {
        "correct": [str(c) for c in counts],
        "of": str(total),
        "accuracy": [(math.ceil(Fraction(c * 10**6, total)) / 10**6).hex() for c in counts],
    }
    closed = 0
    for record in records:
        proved, end = (record["radius"]["exact"][k] for k in ("proved", "refuted_at"))
        width = (n + 1 if end is None else int(end)) - int(proved)
        closed += record["decided"] and width == 1
    run["brackets"] = {"closed": str(closed), "open": str(total - closed)}


def vacuous(records: Sequence[Json]) -> Json:
    """Return for how many records the rivals' bounds prove no winner of either vote."""
    found = dict.fromkeys(VOTES, 0)
    with mpmath.workdps(60):
        for record in records:
            errors = [mpmath.exp(float.fromhex(r["log_error"])) for r in record["rivals"]]
            found["pairwise"] += bool(2 * max(errors) >= 1)
            found["plurality"] += bool(2 * mpmath.fsum(errors) >= 1)
    return {name: str(count) for name, count in found.items()}


# ------------------------------------------------------------------------------- the cases

RUNS: dict[str, dict[str, Any]] = {
    "three-points": {"data": "points.npz", "q": "0.1"},
    "q-two-fifths": {"data": "many.npz", "q": "0.4"},
    "q-third": {"data": "many.npz", "q": "1/3"},
    "q-hundredth": {"data": "points.npz", "q": "0.01"},
    "q-tiny": {"data": "points.npz", "q": "1e-8"},
    "q-near-half": {"data": "points.npz", "q": "0.49"},
    "kl-only": {"data": "points.npz", "q": "0.1", "guarantee": "kl"},
    "no-scale": {"data": "points.npz", "q": "1/7", "scale": "none"},
    "constant-vote": {"data": "near.npz", "q": "0.1", "intercept": False, "scale": "none"},
    "no-intercept": {"data": "near.npz", "q": "0.2", "intercept": False, "ridge": "1/3"},
    "ridge-paper": {"data": "points.npz", "q": "0.05", "ridge": "paper"},
    "ridge-number": {"data": "points.npz", "q": "0.1", "ridge": "0.5"},
    "ridge-zero": {"data": "points.npz", "q": "0.1", "ridge": "0"},
    "column-dropped": {"data": "wide.npz", "q": "0.1"},
    "float32": {"data": "single.npz", "q": "0.2", "guarantee": "kl"},
    "positive": {"data": "signs.npz", "q": "0.15", "positive": "1"},
    "undecided": {"data": "hard.npz", "q": "0.3"},
    "text-labels": {
        "data": "flowers.csv",
        "q": "0.1",
        "label_column": "kind",
        "positive": "lily",
    },
    "test-apart": {
        "data": "flowers-train.csv",
        "test": "flowers-test.csv",
        "q": "0.02",
        "label_column": "kind",
        "positive": "rose",
        "ridge": "1",
    },
    "one-point": {"data": "points.npz", "q": "0.1", "limit": 1, "guarantee": "kl"},
}
MULTI_RUNS: dict[str, dict[str, Any]] = {
    "classes": {"data": "classes.npz", "q": "0.1", "vote": "plurality"},
    "classes-pairwise": {"data": "classes.npz", "q": "1/5", "vote": "pairwise", "ridge": "1/3"},
    "classes-uniform": {
        "data": "classes.npz",
        "q": "0.6",
        "vote": "pairwise",
        "guarantee": "kl",
        "intercept": False,
        "scale": "none",
    },
    "classes-five": {"data": "classes.npz", "q": "0.01", "vote": "plurality", "classes": 5},
    "classes-two": {"data": "points.npz", "q": "0.1", "vote": "plurality"},
    "classes-positive": {"data": "signs.npz", "q": "0.15", "vote": "pairwise", "positive": "1"},
}
EXACT_RUNS: dict[str, dict[str, Any]] = {
    "exact": {"data": "points.npz", "q": "0.1"},
    "exact-rare": {"data": "points.npz", "q": "0.01"},
    "exact-kl": {"data": "points.npz", "q": "1/3", "guarantee": "exact"},
    "exact-constant": {
        "data": "near.npz",
        "q": "0.01",
        "intercept": False,
        "scale": "none",
        "limit": 1,
    },
    "exact-few": {"data": "hard.npz", "q": "0.3"},
}
VERSIONS = {
    "certaudit": "1.0.0",
    "python": "3.11.0",
    "numpy": "2.0.0",
    "python-flint": "0.8.0",
    "flint": "3.2.1",
}


def certify() -> None:
    """Make the runs again; what computed them is left out, for the same bytes everywhere."""
    from certaudit.cli.certify import certify_to_folder

    for name, options in (RUNS | MULTI_RUNS | EXACT_RUNS).items():
        chosen = {"guarantee": "all" if name in EXACT_RUNS else "tight", **options}
        data, test = HERE / "data" / chosen.pop("data"), chosen.pop("test", None)
        with tempfile.TemporaryDirectory() as place:
            run = Path(place, "run")
            certify_to_folder(data, run, test_file=test and HERE / "data" / test, jobs=1, **chosen)
            summary = json.loads((run / "run.json").read_bytes())
            summary |= {"certaudit": VERSIONS["certaudit"], "versions": VERSIONS}
            folder = HERE / "accept" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "run.json").write_text(json.dumps(summary, indent=1) + "\n")
            shutil.copyfile(run / "certificates.jsonl", folder / "certificates.jsonl")


class Corpus:
    """The cases so far, by kind/name: their files."""

    def __init__(self) -> None:
        self.cases: dict[str, dict[str, bytes]] = {}

    def add(self, name: str, why: str, files: dict[str, bytes] | None = None, **case: Any) -> None:
        """Add a case: why.txt, case.json and its files."""
        assert name not in self.cases, name
        assert "\n" not in why, name
        text = json.dumps({k: v for k, v in case.items() if v != []}, indent=1)
        notes = {"why.txt": f"{why}\n".encode(), "case.json": f"{text}\n".encode()}
        self.cases[name] = {**notes, **(files or {})}


READ = ["run.json", "certificates.jsonl"]  # what people read; left out where records change


def accept(corpus: Corpus) -> dict[str, Signed]:
    """Add what has to be accepted; return the runs."""
    runs = {}
    for name, options in RUNS.items():
        key = EC if name in ("ridge-number", "text-labels") else ED
        signed = runs[name] = Signed.read(name, key)
        folder = HERE / "accept" / name
        read = {file: (folder / file).read_bytes() for file in READ}
        said = ", ".join(f"{k} {v}" for k, v in options.items())
        settings = {"data": options["data"], "arguments": ["--require-all"], "says": "every step"}
        if "test" in options:
            settings["test"] = options["test"]
        if key is EC:
            settings["key"] = "test-only-ecdsa.pub.pem"
        corpus.add(f"accept/{name}", f"A run: {said}.", {**read, **signed.files()}, **settings)
    three = runs["three-points"]
    base = {"base": "accept/three-points", "data": "points.npz"}
    bare = {**base, "leave_out": READ}
    corpus.add(
        "accept/without-data",
        "No data given: log_error is taken as signed.",
        None,
        base="accept/three-points",
        says="not checked: alpha, log_error",
    )
    corpus.add(
        "accept/without-what-people-read",
        "run.json and certificates.jsonl are missing.",
        None,
        **bare,
        says="there is no such file",
    )
    corpus.add(
        "accept/sample",
        "One record, drawn by a seed, is derived again.",
        None,
        **base,
        arguments=["--sample", "1", "--seed", "a"],
        says="sample of 1 from 3 records",
    )
    for leaf, name in enumerate(("first", "second", "third")):
        lines = b"".join(line + b"\n" for line in three.lines())
        made = prove_inclusion(encode(three.bundle()) + b"\n", lines, leaf)
        assert made == encode(three.proof(leaf)) + b"\n"
        corpus.add(
            f"accept/proof-{name}",
            f"The {name} record alone, with its path.",
            {"proof.json": made},
            run="proof.json",
            data="points.npz",
            says="of 3",
        )
    one = runs["one-point"]
    corpus.add(
        "accept/proof-of-the-only-one",
        "The only record: its path is empty.",
        {"proof.json": encode(one.proof(0)) + b"\n"},
        run="proof.json",
        data="points.npz",
        says="line 0 of 1",
    )
    terse = runs["terse"] = one.copy()
    terse.run |= {"assumptions": one.run["assumptions"][:1], "findings": []}
    why = "No findings, and one assumption: what a run tells is not derived again."
    corpus.add(
        "accept/terse", why, terse.named().files(), data="points.npz", says="the issuer's word"
    )
    two = runs["ridge-number"]
    corpus.add(
        "accept/proof-ecdsa",
        "A proof that is signed with ECDSA.",
        {"proof.json": encode(two.proof(1)) + b"\n"},
        run="proof.json",
        data="points.npz",
        key="test-only-ecdsa.pub.pem",
    )

    accept_more(corpus, three, base)
    runs["fast"] = accept_fast(corpus, three, base)
    return runs


def accept_fast(corpus: Corpus, three: Signed, base: dict[str, Any]) -> Signed:
    """Add runs by the fast engine; return one that left points to balls."""
    run = json.loads((HERE / "accept" / "three-points" / "run.json").read_bytes())
    left = {"points": 2, "undecided": 1, "loose": 0, "failed": 1}
    zero = dict.fromkeys(left, 0)

    def read(told: Json) -> dict[str, bytes]:
        told = {} if told is Gone else {"escalated": told}
        text = json.dumps({**run, "engine": "fast", **told}, indent=1)
        return {"run.json": f"{text}\n".encode()}

    def add(name: str, why: str, told: Json) -> Signed:
        signed = three.copy()
        signed.run["engine"] = "fast"
        if told is not Gone:
            signed.run["escalated"] = {reason: str(count) for reason, count in told.items()}
        for record in signed.records:
            record["engine"] = "fast"
        files = {**signed.named().files(), **read(told)}
        corpus.add(f"accept/{name}", why, files, **base, arguments=["--require-all"],
                   says="every step")  # fmt: skip
        return signed

    add("fast-none", "The fast engine, which left no point to balls.", zero)
    why = "The fast engine, which left every point to balls."
    add("fast-all", why, {**zero, "points": 3, "loose": 3})
    add("fast-untold", "The fast engine; what it left to balls is not told.", Gone)
    for name, value in (
        *(("gone", Gone), ("null", None), ("fewer", {**left, "points": 1})),
        *(("text", {**left, "points": "2"}), ("float", {**left, "points": 2.0})),
        *(("more", {**left, "slow": 0}), ("negative", {**left, "points": -2})),
    ):
        why = f"escalated of run.json was edited: {name}."
        corpus.add(f"untrusted/run-escalated-{name}", why, read(value), base="accept/fast",
                   says="run.json")  # fmt: skip
    return add("fast", "The fast engine, which left two points to balls.", left)


def accept_more(corpus: Corpus, three: Signed, base: dict[str, Any]) -> None:
    """Add what is true although `certify` would not say it."""
    bare = {**base, "leave_out": READ}

    def weaker(name: str, why: str, change: Callable[[Json], object], **more: Any) -> None:
        signed = three.copy()
        change(signed.records[strong(three)])
        corpus.add(f"accept/{name}", why, refigure(signed).files(), **bare, **more)

    def lower(guarantee: str) -> Callable[[Json], None]:
        def change(record: Json) -> None:
            record["radius"][guarantee] = str(int(record["radius"][guarantee]) - 1)

        return change

    weaker("weaker-kl", "A radius smaller than the largest one is true.", lower("kl"))
    weaker("weaker-tight", "Likewise, the tight one.", lower("tight"))
    weaker("weaker-p-lower", "0 is below every p.", lambda r: r.update(p_lower="0x0.0p+0"))
    weaker("other-engine", "Which engine decided is only told.", lambda r: r.update(engine="mine"))
    weaker(
        "engine-is-any-text",
        "Quotes, controls and \u00e9 have one spelling.",
        lambda r: r.update(engine='"\\/\b\f\n\r\t\x01\x1f\x7f\u00e9\u2028\U0001f600'),
    )
    weaker(
        "record-annotations",
        "Annotations of a record: text, lists, true, null.",
        lambda r: r.update(annotations={"a": ["b", None, True, {"c": {}}], "Z": "\u00fc"}),
    )

    def balled(record: Json) -> None:
        a, b = Fraction(float.fromhex(record["log_error"])).as_integer_ratio()
        record["log_error"] = [
            str(4 * a - 1),
            str(-2 - (b.bit_length() - 1)),
            "1",
            str(-2 - (b.bit_length() - 1)),
        ]

    weaker("log-error-as-ball", "A ball whose upper end is the bound.", balled)
    ball = three.copy()
    for record in ball.records:
        balled(record)
    files = ball.files()
    name, why = "accept/every-log-error-as-ball", "What people read has the upper ends of balls."
    corpus.add(name, why, files, **base, arguments=["--require-all"], says="every step")
    lines = (HERE / "accept" / "three-points" / "certificates.jsonl").read_text()
    old = repr(json.loads(lines.splitlines()[0])["log_error"])
    for what, new in (
        *(("nan", "NaN"), ("infinity", "Infinity"), ("minus-infinity", "-Infinity")),
        *(("overflow", "1e999"), ("long", "1" + "0" * 400), ("null", "null"), ("text", '"x"')),
        *(("true", "true"), ("list", "[]"), ("lower", "-99.5")),
    ):
        assert lines.count(old) == 1
        text = {"certificates.jsonl": lines.replace(old, new).encode()}
        why = f"log_error is a ball, and {what} in what people read."
        corpus.add(f"untrusted/ball-read-as-{what}", why, text, base=name,
                   says="certificates.jsonl")  # fmt: skip
    notes = {"note": "any text", "list": [[], {}, False, None], "deep": nested(10)}
    signed = Signed(three.run, three.records, ED, notes)
    corpus.add(
        "accept/annotations",
        "Whatever stands in annotations means nothing.",
        signed.files(),
        **base,
    )
    stamped = parse_bundle(encode(three.bundle()) + b"\n")
    corpus.add(
        "accept/time-stamp",
        "A time stamp that nobody asked to verify.",
        {"bundle.json": with_timestamp(stamped, b"any bytes")},
        **base,
        says="time stamp",
    )
    for file in ("other-file.txt", "records.jsonl.bak"):
        corpus.add(
            f"accept/{file.partition('.')[0]}-beside",
            f"{file} lies in the folder, unread.",
            {file: b"something\n"},
            **base,
        )


def nested(depth: int) -> Json:
    """Return lists in lists."""
    value: Json = "x"
    for _ in range(depth):
        value = [value]
    return value


def strong(signed: Signed) -> int:
    """Return the record with the largest kl radius that is not constant."""
    sizes = [int(r["radius"]["kl"]) if not r["constant"] else -1 for r in signed.records]
    return sizes.index(max(sizes))


def load(options: dict[str, Any]) -> Any:
    """Return the arrays of a run."""
    from certaudit.cli.options import load as load_data
    from certaudit.io.datasets import read_data_set

    test = options.get("test")
    places = (HERE / "data" / options["data"], test and HERE / "data" / test)
    load_data(places[0], options.get("label_column"), options.get("positive"), places[1])
    return read_data_set(places[0], label_column=options.get("label_column"), test=places[1]).arrays


def refute(corpus: Corpus, runs: dict[str, Signed]) -> None:
    """Add runs with one false statement each, signed."""
    for name, options in RUNS.items():
        base = runs[name]
        case = {"base": f"accept/{name}", "leave_out": READ, "data": options["data"]}
        if "test" in options:
            case["test"] = options["test"]
        if base.key is EC:
            case["key"] = "test-only-ecdsa.pub.pem"
        truth = Truth(base.run, load(options))
        Refutations(corpus, name, base, truth, case).add_all()


class Refutations:
    """The false statements that a run lends itself to."""

    def __init__(
        self, corpus: Corpus, name: str, base: Signed, truth: Truth, case: dict[str, Any]
    ) -> None:
        self.corpus, self.name, self.base, self.truth, self.case = corpus, name, base, truth, case
        self.at, self.n = strong(base), int(base.run["training_points"])
        self.record = base.records[self.at]

    def false(
        self,
        what: str,
        why: str,
        says: str,
        change: dict[str, Json],
        *,
        at: int | None = None,
        data: bool = False,
    ) -> None:
        """Add a case where members of a record are others; `data`: only the data show it."""
        signed = self.base.copy()
        for path, value in change.items():
            put(signed.records[self.at if at is None else at], path, value)
        refigure(signed, self.truth)
        self.write(what, why, says, signed, data=data)

    def false_run(
        self, what: str, why: str, says: str, path: str, value: Json, *, data: bool = False
    ) -> None:
        """Add a case where a member of the run is another."""
        signed = self.base.copy()
        put(signed.run, path, value)
        self.write(what, why, says, signed.named(), data=data)

    def write(self, what: str, why: str, says: str, signed: Signed, *, data: bool) -> None:
        """Add a case."""
        case = {k: v for k, v in self.case.items() if data or k not in ("data", "test")}
        self.corpus.add(f"refute/{self.name}-{what}", why, signed.files(), **case, says=says)

    def among(self, names: str) -> bool:
        """Return whether this run is one of some."""
        return self.name in names.split()

    def add_all(self) -> None:
        """Add them: each kind for the runs in which it has a ground of its own."""
        kl = "kl-only three-points q-two-fifths q-third q-hundredth q-tiny no-scale constant-vote"
        kl += " no-intercept ridge-paper float32 positive text-labels"
        tight = "three-points q-two-fifths q-third q-hundredth q-tiny no-intercept test-apart"
        for name, runs in (("kl", kl), ("tight", f"{tight} ridge-zero")):
            if self.among(runs):
                top = int(self.record["radius"][name])
                self.false(
                    f"{name}-one-too-high",
                    f"radius.{name} is {top + 1}, and {top} is the most that is true.",
                    f"radius.{name}",
                    {f"radius.{name}": str(top + 1)},
                )
        self.bounds()
        if self.among("three-points"):
            self.decided()
            self.whole_run()
        if self.among("no-intercept text-labels positive q-third"):
            self.false("prediction", "The other vote, which t does not bound.", "prediction",
                       {"prediction": str(1 - int(self.record["prediction"]))})  # fmt: skip
        if self.among("no-intercept three-points"):
            made = {"constant": True, "t": None, "log_error": None, "prediction": "0"}
            made["p_lower"] = "0x1.0000000000000p+0"
            why = "Said to be constant, and some labelling changes the vote."
            only_data = self.among("no-intercept")
            self.false("constant-claimed", why, "constant", made, data=only_data)
        if self.among("constant-vote"):
            self.constant()
        open_ones = [i for i, r in enumerate(self.base.records) if not r["decided"]]
        if self.among("three-points undecided q-near-half q-third"):
            self.undecided(open_ones[0])

    def bounds(self) -> None:
        """Add bounds that are off by as little as float64 allows."""
        t, text = self.record["t"], self.record["log_error"]
        with mpmath.workdps(60):
            above = first_above(1 - mpmath.exp(mpmath.mpf(float.fromhex(text))))
            low = last_below(self.truth.log_bound(self.at, t))
        zero = "0x0.0p+0"
        if self.among("three-points q-tiny q-two-fifths q-near-half constant-vote float32"):
            why = "p_lower is the first float64 above 1 - e^log_error."
            self.false("p-lower-too-high", why, "p_lower", {"p_lower": above})
        if not self.among("kl-only one-point ridge-number float32"):
            why = "log_error is the last float64 below ln B(t)."
            change = {"log_error": low, "p_lower": zero}
            self.false("log-error-too-low", why, "log_error", change, data=True)
        if self.among("three-points q-tiny text-labels"):
            why = "t is half as large again, and log_error that of the old one."
            other = (float.fromhex(t) * 1.5).hex()
            self.false("wrong-witness", why, "log_error", {"t": other}, data=True)
        if self.among("three-points float32 test-apart"):
            a, b = Fraction(float.fromhex(low)).as_integer_ratio()
            shift = str(1 - b.bit_length() - 3)
            ball = [str(8 * a - 4), shift, "3", shift]
            why = "The upper end of the ball is below ln B(t)."
            self.false("ball-too-low", why, "log_error", {"log_error": ball, "p_lower": zero},
                       data=True)  # fmt: skip
            a, b = Fraction(float.fromhex(text)).as_integer_ratio()
            ball = [str(a), str(1 - b.bit_length()), "1", "0"]
            why = "The middle of the ball proves it, its upper end does not."
            self.false("ball-too-wide", why, "log_error", {"log_error": ball})

    def decided(self) -> None:
        """Add what can be false of a record with a proven winner."""
        record, zero = self.record, dict.fromkeys(self.record["radius"], "0")
        t, other = float.fromhex(record["t"]), str(1 - int(record["label"]))
        one, tiny = "0x1.0000000000000p+", "0x0.0000000000001p-1022"
        for what, why, says, change in (
            ("prediction", "The other vote, which t does not bound.", "prediction",
             {"prediction": str(1 - int(record["prediction"]))}),
            ("not-decided", "The winner is proven, and not said to be.", "decided",
             {"decided": False, "radius": zero}),
            ("kl-all", "Said to survive any labelling.", "radius.kl", {"radius.kl": str(self.n)}),
            ("p-is-one", "p_lower is 1, of a vote that is not constant.", "p_lower",
             {"p_lower": f"{one}0"}),
            ("p-is-two", "p_lower is 2.", "p_lower", {"p_lower": f"{one}1"}),
            ("p-negative", "p_lower is negative.", "p_lower", {"p_lower": f"-{tiny}"}),
            ("log-error-positive", "log_error is above 0.", "log_error", {"log_error": tiny}),
            ("log-error-huge", "log_error is 2^1000.", "log_error", {"log_error": f"{one}1000"}),
            ("log-error-tiny", "log_error is -2^-1074: p is not above 1/2.", "p_lower",
             {"log_error": f"-{tiny}"}),
        ):  # fmt: skip
            self.false(what, why, says, change)
        for what, why, says, change in (
            ("t-tiny", "The witness is 2^-1074.", "log_error", {"t": tiny}),
            ("t-huge", "The witness is 2^40, of the right sign.", "log_error",
             {"t": math.copysign(2.0**40, t).hex()}),
            ("t-negated", "The witness bounds the other vote.", "prediction", {"t": (-t).hex()}),
            ("label", f"The label is {other}, the data have another.", "label", {"label": other}),
        ):  # fmt: skip
            self.false(what, why, says, change, data=True)

    def undecided(self, at: int) -> None:
        """Add what can be false of a record without a proven winner."""
        record = self.base.records[at]
        self.false("decided", "No winner is proven, and one is said to be.", "decided",
                   {"decided": True}, at=at)  # fmt: skip
        self.false("sign-of-mean", "Undecided: the prediction is not the mean score's sign.",
                   "prediction", {"prediction": str(1 - int(record["prediction"]))},
                   at=at, data=True)  # fmt: skip
        size = abs(float.fromhex(record["t"]))
        change = {
            "p_lower": "0x0.0p+0",
            "t": (size if record["prediction"] == "1" else -size).hex(),
        }
        with mpmath.workdps(60):
            half = -mpmath.log(2)
            near = {"above": (first_above(half), True), "below": (last_below(half), False)}
        for side, (text, said) in near.items():
            why = f"log_error is the float64 {side} -ln 2, and decided is {said}."
            change |= {"log_error": text, "decided": said}
            self.false(f"just-{side}-half", why, "decided", change, at=at)

    def constant(self) -> None:
        """Add what can be false of a constant vote."""
        at = next(i for i, r in enumerate(self.base.records) if r["constant"])
        zero = dict.fromkeys(self.base.records[at]["radius"], "0")
        for what, why, change in (
            ("for-1", "A constant vote is for 0.", {"prediction": "1"}),
            ("undecided", "A constant vote is proven.", {"decided": False, "radius": zero}),
            ("above-one", "p_lower is the float64 above 1.", {"p_lower": "0x1.0000000000001p+0"}),
            ("below-zero", "p_lower is below 0.", {"p_lower": "-0x0.0000000000001p-1022"}),
        ):
            self.false(what, why, "constant", change, at=at)

    def whole_run(self) -> None:
        """Add what can be false of a run."""
        run, total = self.base.run, len(self.base.records)
        for name in ("clean", "decided", "constant_0", "constant_1", "unsmoothed"):
            hits = round(float.fromhex(run["accuracy"][name]) * total)
            wrong = share(hits + 1 if hits < total else hits - 1, total)
            self.false_run(
                f"accuracy-{name}".replace("_", "-"),
                f"The accuracy {name} is off by one point.",
                name,
                f"accuracy.{name}",
                wrong,
                data=name == "unsmoothed",
            )
        ulp = math.nextafter(float.fromhex(run["accuracy"]["clean"]), 2).hex()
        why = "The accuracy clean is one ulp too high."
        self.false_run("accuracy-ulp", why, "clean", "accuracy.clean", ulp)
        for name in run["guarantee"]:
            where, curve = f"certified_accuracy.{name}", run["certified_accuracy"][name]
            counts = curve["correct"]
            for what, why, correct in (
                ("longer", "One point survives one flip more.", [*counts, "1"]),
                ("shorter", "The last radius is missing.", counts[:-1]),
                ("count", "A count is one too high.", [*counts[:-1], str(int(counts[-1]) + 1)]),
            ):
                shares = [share(int(c), total) for c in correct]
                change = {**curve, "correct": correct, "accuracy": shares}
                self.false_run(f"curve-{name}-{what}", why, where, where, change)
            shares = [*curve["accuracy"][:-1], share(1, 7)]
            change = {**curve, "accuracy": shares}
            why = "The last share is not that of its count."
            self.false_run(f"curve-{name}-share", why, where, where, change)
        for what, why, path, value in (
            ("other-q", "q is 9/20, the bounds are those of 1/10.", "noise_model.q", "9/20"),
            ("other-ridge", "The ridge is 1000.", "ridge.value", "0x1.f400000000000p+9"),
            ("other-deviation", "A deviation is 2^30.", "scale.deviation.0",
             "0x1.0000000000000p+30"),
        ):  # fmt: skip
            self.false_run(what, why, "log_error", path, value, data=True)
        signed = self.base.copy()
        top = signed.records[self.at]["radius"]
        top["kl"] = str(int(top["kl"]) + 1)
        refigure(signed)
        proof = {"proof.json": encode(signed.proof(self.at)) + b"\n"}
        self.corpus.add(
            f"refute/{self.name}-proof-kl",
            "The proof of a record whose kl is one too high.",
            proof,
            base=f"accept/{self.name}",
            run="proof.json",
            says="radius.kl",
        )
        self.corpus.add(
            f"refute/{self.name}-sample-kl",
            "A sample of all but one draws the false record.",
            signed.files(),
            **self.case,
            arguments=["--sample", str(total - 1), "--seed", "b"],
            says="radius.kl",
        )


class Untrusted:
    """What nobody should trust: changed after it was signed, or signed by another."""

    def __init__(self, corpus: Corpus, runs: dict[str, Signed]) -> None:
        self.corpus, self.runs = corpus, runs
        self.three, self.other = runs["three-points"], runs["q-third"]
        self.payload = encode(self.three.statement())
        self.signature = ED.sign(pae(self.payload))
        self.content = self.three.files()["records.jsonl"]

    def add(self, name: str, why: str, files: dict[str, bytes] | None, **more: Any) -> None:
        """Add a case above a run that is accepted."""
        case = {"base": "accept/three-points", **more}
        self.corpus.add(f"untrusted/{name}", why, files, **case)

    def bundle(self, name: str, why: str, path: str, value: Json, says: str = "signature") -> None:
        """Add a case whose bundle is changed after it was signed."""
        bundle = self.three.bundle()
        put(bundle, path, b64(value) if isinstance(value, bytes) else value)
        self.add(name, why, {"bundle.json": encode(bundle) + b"\n"}, says=says)

    def add_all(self) -> None:
        """Add them."""
        self.payloads()
        self.signatures()
        self.keys()
        self.records()
        self.read_files()
        self.runs_read()
        self.certificates_read()
        self.proofs()
        self.data()

    def payloads(self) -> None:
        """Payloads that are not the one signed."""
        data, path = self.payload, "dsseEnvelope.payload"
        for name, at in (("first", 0), ("tenth", 9), ("last", len(data) - 1)):
            self.bundle(f"payload-{name}-bit", "A bit is flipped.", path, flipped(data, at))
        for old, new, what in (
            ('"kl","tight"', '"kl"', "guarantee"),
            ('"q":"1/10"', '"q":"1/11"', "q"),
            ('"intercept":true', '"intercept":false', "intercept"),
            ('"annotations":{}', '"annotations":{"a":"b"}', "annotations"),
            ('"size":"3"', '"size":"4"', "tree-size"),
            ('"label_column":null', '"label_column":"y"', "label-column"),
        ):
            changed = replacing(old.encode(), new.encode())(data)
            self.bundle(f"payload-{what}", f"Another {what} than was signed.", path, changed)
        for name, why, changed in (
            ("longer", "A space follows the payload.", data + b" "),
            ("shorter", "The payload lost its last byte.", data[:-1]),
            ("empty", "The payload is empty.", b""),
            ("of-another-run", "Another run's payload.", encode(self.other.statement())),
        ):
            self.bundle(f"payload-{name}", why, path, changed)

    def signatures(self) -> None:
        """Signatures that are not over this payload by this key."""
        sig, low = self.signature, 2**252 + 27742317777372353535851937790883648493
        for name, at in (("first", 0), ("middle", 31), ("s", 32), ("last", 63)):
            why = f"A bit of byte {at} of the signature is flipped."
            self.bundle(f"signature-{name}-bit", why, ONE_SIG, flipped(sig, at))
        more = (int.from_bytes(sig[32:], "little") + low).to_bytes(32, "little")
        another = ED.sign(pae(encode(self.other.statement())))
        for name, why, value in (
            ("s-plus-order", "s of the Ed25519 signature has its order added.", sig[:32] + more),
            ("zero", "The signature is 64 zero bytes.", bytes(64)),
            ("empty", "The signature is empty.", b""),
            ("shorter", "The signature has 63 bytes.", sig[:-1]),
            ("longer", "The signature has 65 bytes.", sig + b"\0"),
            ("of-payload", "Signed is the bare payload, without DSSE.", ED.sign(self.payload)),
            ("of-another-run", "The signature is that of another run.", another),
            ("by-another-key", "Another key's, under this hint.", ED_OTHER.sign(pae(self.payload))),
        ):
            self.bundle(f"signature-{name}", why, ONE_SIG, value)
        self.ecdsa(self.runs["ridge-number"])

    def ecdsa(self, signed: Signed) -> None:
        """Signatures of ECDSA that are spelled otherwise, or are none; n - s is one."""
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        bundle = signed.bundle()
        der = base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"])
        r, s = decode_dss_signature(der)
        pair, long = encode_dss_signature, bytes([0x30, 0x81, len(der) - 2]) + der[2:]
        padding = bytes([0x30, len(der) - 1, 2, der[3] + 1, 0]) + der[4:]
        for name, why, sig in (
            ("accept/ecdsa-other-s", "n - s is a signature where s is.", pair(r, order - s)),
            ("raw", "The signature is r and s, not DER.", r.to_bytes(32) + s.to_bytes(32)),
            ("long-length", "The signature spells its length with two bytes.", long),
            ("padded", "r of the signature has a zero in front.", padding),
            ("trailing", "A byte follows the signature.", der + b"\0"),
            ("r-zero", "r of the signature is 0.", pair(0, s)),
            ("s-zero", "s of the signature is 0.", pair(r, 0)),
            ("both-zero", "r and s of the signature are 0.", pair(0, 0)),
            ("s-plus-order", "s of the signature has n added.", pair(r, s + order)),
            ("r-is-order", "r of the signature is n.", pair(order, s)),
            ("bit", "A bit of the signature is flipped.", flipped(der, len(der) - 1)),
        ):
            put(bundle, ONE_SIG, b64(sig))
            case = {"base": "accept/ridge-number", "key": "test-only-ecdsa.pub.pem"}
            place = name if "/" in name else f"untrusted/ecdsa-{name}"
            self.corpus.add(place, why, {"bundle.json": encode(bundle) + b"\n"}, **case,
                            says="signature")  # fmt: skip

    def keys(self) -> None:
        """Keys that did not sign."""
        hint, another = sha256(spki(ED)).digest(), sha256(spki(ED_OTHER)).digest()
        says = "another key"
        self.bundle("hint-bit", "A bit of the hint is flipped.", HINT, flipped(hint, 5), says)
        self.bundle("hint-of-another-key", "The hint is another key's.", HINT, another, says)
        files = Signed(self.three.run, self.three.records, ED_OTHER).files()
        self.add("another-issuer", "All in order, and signed by somebody else.", files, says=says)
        key = "test-only-other.pub.pem"
        self.add("key-of-another", "The key given is not the issuer's.", None, key=key, says=says)
        key, why = "test-only-ecdsa.pub.pem", "An ECDSA key is given, Ed25519 signed."
        self.add("key-of-other-algorithm", why, None, key=key, says=says)
        bundle, why = self.three.bundle(), "The key and the hint are ECDSA's, the signature not."
        put(bundle, HINT, b64(sha256(spki(EC)).digest()))
        files = {"bundle.json": encode(bundle) + b"\n"}
        self.add("hint-and-key-of-other-algorithm", why, files, key=key, says="signature")
        why = "No key is given: nobody is trusted by default."
        self.add("no-key", why, None, key=None, says="no --key")
        self.add("no-bundle", "Nothing is signed.", None, leave_out=["bundle.json"],
                 says="bundle.json")  # fmt: skip
        files = {"bundle.json": self.other.files()["bundle.json"]}
        self.add("bundle-of-another-run", "Another run's bundle.", files, says="records.jsonl")

    def records(self) -> None:
        """Records that are not those signed."""
        first, second, third = self.content.splitlines(keepends=True)
        more, at = third.replace(b'"index":"2"', b'"index":"3"'), strong(self.three)
        strange, line = self.other.lines()[1] + b"\n", self.content.splitlines()[at]
        for name, why, data in (
            ("swapped", "Two records are swapped.", second + first + third),
            ("dropped", "The last record is missing.", first + second),
            ("first-dropped", "The first record is missing.", second + third),
            ("duplicated", "A record is there twice.", first + self.content),
            ("added", "A record follows the last.", self.content + more),
            ("of-another-run", "Another run's records.", self.other.files()["records.jsonl"]),
            ("one-of-another-run", "One is of another run.", first + strange + third),
            ("empty", "The file is empty.", b""),
            ("blank-line", "An empty line follows.", self.content + b"\n"),
            ("no-newline", "Its last newline is missing.", self.content[:-1]),
            ("crlf", "Lines end with CR LF.", self.content.replace(b"\n", b"\r\n")),
            ("bom", "A byte order mark stands first.", b"\xef\xbb\xbf" + self.content),
            ("space", "A space follows a colon.", self.content.replace(b":", b": ", 1)),
            ("truncated", "It ends within the second record.", self.content[:450]),
        ):
            self.add(f"records-{name}", why, {"records.jsonl": data}, says="records.jsonl")
        for member, value in (
            *(("label", "0"), ("prediction", "0"), ("radius.kl", "9"), ("radius.tight", "9")),
            *(("engine", "other"), ("t", ONE), ("log_error", f"-{ONE}"), ("p_lower", ONE)),
            *(("decided", False), ("constant", True), ("index", "9"), ("annotations.a", "b")),
        ):
            record = json.loads(line)
            put(record, member, value)
            data = replacing(line, encode(record))(self.content)
            name = member.replace("_", "-").replace(".", "-")
            why = f"{member} of a record was edited."
            self.add(f"record-{name}", why, {"records.jsonl": data}, says="records.jsonl")

    def read_files(self) -> None:
        """Copies for people to read that are cut, doubled or spelled otherwise."""
        folder = HERE / "accept" / "three-points"
        run, lines = (folder / "run.json").read_text(), (folder / "certificates.jsonl").read_text()
        clean = str(json.loads(run)["accuracy"]["clean"])
        line, q, one = f'"clean": {clean}', '"q": "1/10"', lines.splitlines(keepends=True)
        assert run.count(line) == run.count(q) == 1
        twice = run.replace(q, f'"q": "1/20", {q}')
        for name, why, text in (
            ("accuracy-as-text", "An accuracy is text.", run.replace(line, f'"clean": "{clean}"')),
            ("accuracy-nan", "An accuracy is NaN.", run.replace(line, '"clean": NaN')),
            ("member-twice", "q is there twice, the second as signed.", twice),
            ("cut", "run.json is cut off.", run[:200]),
            ("empty", "run.json is empty.", ""),
            ("deep", "run.json is 5,000 lists deep.", "[" * 5000 + "]" * 5000),
        ):
            self.add(f"run-{name}", why, {"run.json": text.encode()}, says="run.json")
        for name, why, text in (
            ("missing", "The last line is missing.", "".join(one[:-1])),
            ("swapped", "Two lines are swapped.", one[1] + one[0] + one[2]),
            ("twice", "A line is there twice.", lines + one[-1]),
            ("unended", "The last newline is missing.", lines[:-1]),
            ("list", "A line is a list.", "[]\n" + one[1] + one[2]),
        ):
            files = {"certificates.jsonl": text.encode()}
            self.add(f"certificates-{name}", why, files, says="certificates.jsonl")
        self.add("certificates-empty", "certificates.jsonl is empty.",
                 {"certificates.jsonl": b""}, says="certificates.jsonl")  # fmt: skip

    def runs_read(self) -> None:
        """Edits of each member of run.json."""
        run = json.loads((HERE / "accept" / "three-points" / "run.json").read_bytes())
        changes = {member.replace("_", "-"): (member, other(run[member])) for member in run}
        changes |= {
            "number-as-text": ("format", "1"),
            "float-for-integer": ("format", 1.0),
            "one-for-true": ("intercept", 1),
            "text-for-true": ("intercept", "true"),
            "unknown-member": ("more", "text"),
        }
        for name, (member, value) in changes.items():
            text = json.dumps({**run, member: value}, indent=1) + "\n"
            why = f"{member} of run.json was edited: {name}."
            self.add(f"run-{name}", why, {"run.json": text.encode()}, says="run.json")

    def certificates_read(self) -> None:
        """Edits of each member of a line of certificates.jsonl."""
        lines = (HERE / "accept" / "three-points" / "certificates.jsonl").read_text().splitlines()
        first = json.loads(lines[0])
        changes = {member.replace("_", "-"): (member, other(first[member])) for member in first}
        changes |= {
            "number-as-text": ("label", str(first["label"])),
            "one-for-true": ("decided", 1),
            "float-for-integer": ("radius", {**first["radius"], "kl": 1.0}),
            "kl": ("radius", {**first["radius"], "kl": first["radius"]["kl"] + 1}),
            "more-radii": ("radius", {**first["radius"], "exact": 9}),
            "unknown-member": ("more", True),
        }
        for name, (member, value) in changes.items():
            text = "\n".join([json.dumps({**first, member: value}), *lines[1:], ""])
            why = f"{member} of a certificate was edited: {name}."
            files = {"certificates.jsonl": text.encode()}
            self.add(f"certificate-{name}", why, files, says="certificates.jsonl")

    def proofs(self) -> None:
        """Proofs that prove nothing."""
        a, b, zero = self.three.proof(0), self.three.proof(1), "0" * 64
        path, record = a["path"], a["record"]
        strange = {**self.other.proof(0), "bundle": a["bundle"]}
        forged = Signed(self.three.run, self.three.records, ED_OTHER).proof(0)
        for name, why, proof in (
            ("other-path", "The path is that of another record.", {**a, "path": b["path"]}),
            ("other-leaf", "The leaf is that of another record.", {**a, "leaf": "1"}),
            ("other-record", "The record is another one of the run.", {**a, "record": b["record"]}),
            ("other-run", "Record and path are those of another run.", strange),
            ("path-shorter", "The path lacks its last digest.", {**a, "path": path[:-1]}),
            ("path-longer", "The path has one digest more.", {**a, "path": [*path, zero]}),
            ("path-empty", "The path is empty.", {**a, "path": []}),
            ("path-reversed", "The path is reversed.", {**a, "path": path[::-1]}),
            ("path-zero", "A digest of the path is zero.", {**a, "path": [zero, path[1]]}),
            ("engine", "The engine was edited.", {**a, "record": {**record, "engine": "more"}}),
            ("notes", "Noted later.", {**a, "record": {**record, "annotations": {"a": "b"}}}),
            ("another-issuer", "A proof by another issuer.", forged),
            ("no-key", "A proof, and no key.", a),
        ):
            says = {"another-issuer": "another key", "no-key": "no --key"}.get(name, "path")
            key = {"key": None} if name == "no-key" else {}
            files = {"proof.json": encode(proof) + b"\n"}
            self.corpus.add(f"untrusted/proof-{name}", why, files, run="proof.json", says=says,
                            **key)  # fmt: skip

    def data(self) -> None:
        """Data that are not those of the run."""
        for name, file, says in (
            ("value", "points-other.npz", "X_train"),
            ("label", "points-relabelled.npz", "y_train"),
            ("dtype", "single.npz", "X_"),
            ("set", "hard.npz", "X_"),
        ):
            self.add(f"data-other-{name}", f"{file} is given, another set.", None, data=file,
                     says=says)  # fmt: skip
        file, why = "flowers-train.csv", "The training rows are given as test rows, too."
        self.add("data-other-csv", why, None, base="accept/test-apart", data=file, test=file,
                 says="X_test")  # fmt: skip
        false = self.three.copy()
        false.records[0]["radius"]["kl"] = "9"
        why = "A false statement, and a copy for people that says otherwise: 4 goes before 1."
        self.add("false-and-edited", why, refigure(false).files(), says="certificates.jsonl")


def flipped(data: bytes, at: int) -> bytes:
    """Return bytes with the lowest bit of one of them flipped."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def other(value: Json) -> Json:
    """Return another value of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return math.nextafter(value, -9)
        case str():
            return f"-{value}"
        case list():
            return value[:-1] if value else [{"code": "a", "name": "b", "message": "c"}]
        case dict():
            return dict(list(value.items())[1:])
    return "x"


class Malformed:
    """What cannot be read, signed wherever it has to be to get so far."""

    def __init__(self, corpus: Corpus, runs: dict[str, Signed]) -> None:
        self.corpus, self.runs = corpus, runs
        self.one, self.three = runs["terse"], runs["three-points"]

    def add(self, name: str, why: str, files: dict[str, bytes] | None, **more: Any) -> None:
        """Add a case above a small run."""
        base = {"base": "accept/terse"}
        self.corpus.add(f"malformed/{name}", why, files, **{**base, **more})

    def bundle(self, name: str, why: str, path: str, value: Json) -> None:
        """Add a case whose bundle is changed after it was signed."""
        bundle = self.one.bundle()
        put(bundle, path, value)
        self.add(f"bundle-{name}", why, {"bundle.json": encode(bundle) + b"\n"})

    def bundle_bytes(self, name: str, why: str, change: Callable[[bytes], bytes]) -> None:
        """Add a case whose bundle.json is spelled otherwise."""
        self.add(f"bundle-{name}", why, {"bundle.json": change(self.one.files()["bundle.json"])})

    def payload(self, name: str, why: str, change: Callable[[bytes], bytes]) -> None:
        """Add a case whose payload is spelled otherwise, and signed."""
        bundle = self.one.bundle(change(encode(self.one.statement())))
        self.add(f"statement-{name}", why, {"bundle.json": encode(bundle) + b"\n"})

    def statement(self, name: str, why: str, path: str, value: Json) -> None:
        """Add a case whose statement is changed, and signed."""
        statement = copy.deepcopy(self.one.statement())
        put(statement, path, value)
        self.payload(name, why, lambda _: encode(statement))

    def run(self, name: str, why: str, path: str, value: Json, of: str = "terse") -> None:
        """Add a case whose run is changed, its records naming it, and signed."""
        signed = self.runs[of].copy()
        put(signed.run, path, value)
        above = {} if of == "terse" else {"base": f"accept/{of}", "leave_out": READ}
        self.add(f"run-{name}", why, signed.named().files(), **above)

    def record(self, name: str, why: str, path: str, value: Json, of: str = "terse") -> None:
        """Add a case where a record is changed, and signed; in longer runs, the second."""
        signed = self.runs[of].copy()
        put(signed.records[min(1, len(signed.records) - 1)], path, value)
        above = {} if of == "terse" else {"base": f"accept/{of}", "leave_out": READ}
        self.add(f"record-{name}", why, signed.files(), **above)

    def content(self, name: str, why: str, change: Callable[[bytes], bytes]) -> None:
        """Add a case whose records.jsonl is spelled otherwise, and signed."""
        data = change(self.one.files()["records.jsonl"])
        self.add(f"records-{name}", why, self.one.files(data))

    def proof(self, name: str, why: str, path: str, value: Json) -> None:
        """Add a proof that is changed."""
        proof = copy.deepcopy(self.three.proof(0))
        put(proof, path, value)
        self.proof_bytes(name, why, encode(proof) + b"\n")

    def proof_bytes(self, name: str, why: str, data: bytes) -> None:
        """Add a file that is no proof."""
        files = {"proof.json": data}
        self.corpus.add(f"malformed/proof-{name}", why, files, run="proof.json")

    def add_all(self) -> None:
        """Add them."""
        self.spellings()
        self.files()
        for add, cases in (
            (self.bundle, BUNDLES),
            (self.statement, STATEMENTS),
            (self.run, RUN_MEMBERS),
            (self.record, RECORD_MEMBERS),
            (self.proof, PROOFS),
        ):
            for name, why, path, *more in cases:
                add(name, why, path, *more)
        for name, why in BAD_KEYS:
            short, key = name.partition(".p")[0], f"test-only-{name}"
            self.add(f"key-{short}", why, None, key=key, says=key)

    def spellings(self) -> None:
        """JSON that is not canonical, of a bundle, a statement and a record."""
        for add, name, empty in (
            (self.bundle_bytes, b'"mediaType"', b'"tlogEntries":[]'),
            (self.payload, b'"predicateType"', b'"size":"1"'),
            (self.content, b'"p_lower"', b'"index":"0"'),
        ):
            wide = name[:2] + b"\\u%04x" % name[2] + name[3:]
            value, end = empty.split(b":")[0], b"" if add == self.payload else b"\n"
            for what, why, old, new in (
                ("space", "A space follows a colon.", name + b":", name + b": "),
                ("escape", "A letter is written as an escape.", name, wide),
                ("twice", "A member is there twice.", name + b":", name + b':"x",' + name + b":"),
                ("not-utf-8", "A byte is not UTF-8.", name, name[:3] + b"\xff" + name[3:]),
                ("surrogate", "Half a surrogate pair.", name + b':"', name + b':"\\ud800'),
                ("number", "A number stands where text belongs.", empty, value + b":0"),
                ("nan", "NaN stands where text belongs.", empty, value + b":NaN"),
            ):
                add(what, why, replacing(old, new))
            add("order", "The members are not in their order.", reorder)
            add("bom", "A byte order mark stands first.", lambda d: b"\xef\xbb\xbf" + d)
            add("truncated", "It ends early.", lambda d, end=end: d[: len(d) // 2] + end)

    def files(self) -> None:
        """Bytes that are no JSON, and files that are not there."""
        wide = b'"tlogEntries":' + b"9" * 10**4
        for name, why, change in (
            ("huge-number", "A number of 10,000 digits.", replacing(b'"tlogEntries":[]', wide)),
            ("no-newline", "No newline ends it.", lambda d: d[:-1]),
            ("two-newlines", "Two newlines end it.", lambda d: d + b"\n"),
            ("crlf", "CR LF ends it.", lambda d: d[:-1] + b"\r\n"),
            ("empty", "The file is empty.", lambda _: b""),
            ("newline-only", "It is a newline.", lambda _: b"\n"),
            ("cut-early", "It has one byte, and a newline.", lambda d: d[:1] + b"\n"),
            ("cut-late", "Its last bracket is missing.", lambda d: d[:-2] + b"\n"),
            ("deep", "It is 5,000 lists deep.", lambda _: b"[" * 5000 + b"]" * 5000 + b"\n"),
            ("unclosed", "8,000 lists begin, none ends.", lambda _: b"[" * 8000 + b"\n"),
            ("two-values", "Two objects in a line.", lambda d: d[:-1] + d),
            ("utf-16", "It is UTF-16.", lambda d: d[:200].decode().encode("utf-16-le") + b"\n"),
            ("nul", "A NUL follows.", lambda d: d[:-1] + b"\0\n"),
        ):
            self.bundle_bytes(name, why, change)
        notes = b'"annotations":{}'
        for depth in (20, 3000):
            nest = b'"annotations":{"a":' + b"[" * depth + b"]" * depth + b"}"
            why = f"Annotations {depth} levels deep."
            self.payload(f"{depth}-levels", why, replacing(notes, nest))
        nest = b'"annotations":{"a":' + b"[" * 15 + b"]" * 15 + b"}"
        self.content("17-levels", "Annotations of a record, too deep.", replacing(notes, nest))
        self.payload("newline", "A newline follows the payload.", lambda d: d + b"\n")
        self.payload("list", "The statement is in a list.", lambda d: b"[" + d + b"]")
        self.payload("nothing", "The payload is empty, and signed.", lambda _: b"")
        self.content("no-newline", "No newline ends the last record.", lambda d: d[:-1])
        self.content("crlf", "CR LF ends each record.", lambda d: d.replace(b"\n", b"\r\n"))
        self.content("blank", "An empty line follows.", lambda d: d + b"\n")
        self.content("empty", "There is no record, and that is signed.", lambda _: b"")
        self.add("no-records", "records.jsonl is missing.", None,
                 leave_out=["records.jsonl"], says="records.jsonl")  # fmt: skip
        data = encode(self.three.proof(0)) + b"\n"
        self.proof_bytes("space", "A proof with a space.", data.replace(b":", b": ", 1))
        self.proof_bytes("no-newline", "A proof without its newline.", data[:-1])
        self.proof_bytes("truncated", "A proof that ends early.", data[:700] + b"\n")
        self.proof_bytes("empty", "The proof is empty.", b"")
        self.proof_bytes("zip", "The proof is a ZIP file.", b"PK\3\4" + bytes(40))
        for file in data_files():
            if file == "damaged-size.npz":
                why = "The archive says that an array is larger than the one that was signed."
                more = {"base": "accept/terse", "data": file, "says": "data"}
                self.corpus.add("untrusted/data-size", why, None, **more)
            elif file.startswith("damaged-"):
                what = file.removeprefix("damaged-").removesuffix(".npz")
                self.add(f"data-{what}", f"The data file is damaged: {what}.", None, data=file,
                         says="data")  # fmt: skip
        self.add("data-missing", "The data file is not there.", None, data="missing.npz",
                 says="missing.npz")  # fmt: skip
        self.add("data-not-zip", "The data file is a CSV file.", None, data="flowers.csv",
                 says="flowers.csv")  # fmt: skip
        self.corpus.add("malformed/no-such-run", "There is no such folder.", {}, run="elsewhere",
                        says="elsewhere")  # fmt: skip


class Classes:
    """Runs of K classes: accepted, with one false statement, malformed, and changed."""

    def __init__(self, corpus: Corpus, two: Signed) -> None:
        self.corpus, self.two = corpus, two
        self.runs = {name: Signed.read(name) for name in MULTI_RUNS}
        self.truths = {n: Truth(r.run, load(MULTI_RUNS[n])) for n, r in self.runs.items()}

    def add(self, place: str, why: str, files: Any, of: str, says: str, *, data: bool) -> None:
        """Add a case above a run."""
        case: dict[str, Any] = {"base": f"accept/{of}", "leave_out": READ}
        if data:
            case["data"] = MULTI_RUNS[of]["data"]
        self.corpus.add(place, why, files, **case, says=says)

    def false(
        self, of: str, what: str, why: str, says: str, at: int, change: Json, *, data: bool = False
    ) -> None:
        """Add a case where members of a record are others; `data`: only the data show it."""
        signed = self.runs[of].copy()
        for path, value in change.items():
            put(signed.records[at], path, value)
        refigure(signed, self.truths[of])
        self.add(f"refute/{of}-{what}", why, signed.files(), of, says, data=data)

    def false_run(self, what: str, why: str, says: str, path: str, value: Json) -> None:
        """Add a case where a member of the run is another."""
        signed, data = self.runs["classes"].copy(), path.endswith("unsmoothed")
        put(signed.run, path, value)
        files = signed.named().files()
        self.add(f"refute/classes-{what}", why, files, "classes", says, data=data)

    def add_all(self) -> None:
        """Add them."""
        for name, options in MULTI_RUNS.items():
            folder, signed = HERE / "accept" / name, self.runs[name]
            read = {file: (folder / file).read_bytes() for file in READ}
            said = ", ".join(f"{k} {v}" for k, v in options.items())
            settings = {"data": options["data"], "arguments": ["--require-all"]}
            files = {**read, **signed.files()}
            self.corpus.add(f"accept/{name}", f"A run of K classes: {said}.", files, **settings,
                            says=f"{signed.run['vote']} vote")  # fmt: skip
        base, data = self.runs["classes"], {"data": "classes.npz"}
        for name, at in (("classes", 1), ("classes-two", 2)):
            proof = {"proof.json": encode(self.runs[name].proof(at)) + b"\n"}
            why = f"One record of {name} alone."
            self.corpus.add(f"accept/{name}-proof", why, proof, run="proof.json",
                            data=MULTI_RUNS[name]["data"], says="vote")  # fmt: skip
        weaker = base.copy()
        weaker.records[0].update(p_lower="0x0.0p+0", annotations={"a": "b"}, engine="mine")
        weaker.records[0]["radius"]["tight"] = "0"
        files = refigure(weaker).files()
        self.corpus.add("accept/classes-weaker", "Less than is proven, and true.", files,
                        base="accept/classes", leave_out=READ, **data, says="figures")  # fmt: skip
        self.refute()
        self.refute_rivals()
        self.malformed()
        for file, old, new in (
            ("run.json", b'"pairwise": 2', b'"pairwise": 1'),
            ("certificates.jsonl", b'"class": 1', b'"class": 0'),
        ):
            text = (HERE / "accept" / "classes" / file).read_bytes()
            self.corpus.add(f"untrusted/classes-{file.partition('.')[0]}-read",
                            f"{file} has another number than was signed.",
                            {file: replacing(old, new)(text)},
                            base="accept/classes", says=file)  # fmt: skip

    def refute(self) -> None:
        """Add what is false of a record, and of the figures."""
        for of in ("classes", "classes-pairwise", "classes-five"):
            record = self.runs[of].records[0]
            for name, radius in record["radius"].items():
                self.false(of, f"{name}-one-too-high", f"radius.{name} is one too high.",
                           f"radius.{name}", 0,
                           {f"radius.{name}": str(int(radius) + 1)})  # fmt: skip
            with mpmath.workdps(60):
                size = mpmath.exp(mpmath.mpf(float.fromhex(record["log_error"])))
                above = first_above(1 - size)
            why = "p_lower is the first float64 above 1 - e^log_error."
            self.false(of, "p-lower-too-high", why, "p_lower", 0, {"p_lower": above})
        zero = dict.fromkeys(self.runs["classes"].records[0]["radius"], "0")
        label = str((int(self.runs["classes"].records[0]["label"]) + 1) % 3)
        for what, why, says, change, data in (
            ("not-decided", "The winner is proven, and not said to be.", "decided",
             {"decided": False, "radius": zero}, False),
            ("p-negative", "p_lower is negative.", "p_lower",
             {"p_lower": "-0x0.0000000000001p-1022"}, False),
            ("p-is-one", "p_lower is 1.", "p_lower", {"p_lower": ONE}, False),
            ("label", "The data have another label.", "label", {"label": label}, True),
        ):  # fmt: skip
            self.false("classes", what, why, says, 0, change, data=data)
        for of in ("classes", "classes-pairwise", "classes-two"):
            records = self.runs[of].records
            at = next(i for i, record in enumerate(records) if not record["decided"])
            self.false(of, "decided", "No winner is proven, and one is said to be.", "decided",
                       at, {"decided": True})  # fmt: skip
            classes = int(self.runs[of].run["noise_model"]["classes"])
            other = (int(records[at]["prediction"]) + 1) % classes
            made = self.unbounded(other, classes)
            self.false(of, "not-the-largest", "Undecided, for a class of a smaller score.",
                       "prediction", at, made, data=True)  # fmt: skip
        run, total = self.runs["classes"].run, len(self.runs["classes"].records)
        for name in ("clean", "decided", "unsmoothed", "constant.0", "constant.2"):
            text = run["accuracy"][name] if "." not in name else run["accuracy"]["constant"][
                int(name[-1])]  # fmt: skip
            hits = round(float.fromhex(text) * total)
            wrong = share(hits + 1 if hits < total else hits - 1, total)
            what = f"accuracy-{name.replace('.', '-')}"
            self.false_run(what, f"The accuracy {name} is off by one point.",
                           name.partition(".")[0], f"accuracy.{name}", wrong)  # fmt: skip
        for vote, count in run["vacuous"].items():
            wrong = str(int(count) - 1) if int(count) else "1"
            self.false_run(f"vacuous-{vote}", f"The vacuous points of {vote} are off by one.",
                           "vacuous", f"vacuous.{vote}", wrong)  # fmt: skip
        self.false_run("curve", "A count is one too high.", "certified_accuracy",
                       "certified_accuracy.kl.correct.0",
                       lambda c: str(int(c) + 1))  # fmt: skip

    @staticmethod
    def unbounded(winner: int, classes: int) -> Json:
        """Return members of a record that bounds nothing, for a class."""
        zero = "0x0.0p+0"
        names = [str(c) for c in range(classes) if c != winner]
        rivals = [{"class": name, "log_error": zero, "t": zero} for name in names]
        return {"prediction": str(winner), "rivals": rivals, "log_error": zero, "p_lower": zero}

    def refute_rivals(self) -> None:
        """Add bounds of rivals that are not what they should be."""
        zero = "0x0.0p+0"
        for of in ("classes", "classes-pairwise", "classes-five", "classes-two"):
            signed, truth = self.runs[of], self.truths[of]
            record = signed.records[0]
            errors = [float.fromhex(rival["log_error"]) for rival in record["rivals"]]
            at = errors.index(max(errors))
            with mpmath.workdps(60):
                total = mpmath.log(mpmath.fsum(map(mpmath.exp, errors)))
                below = last_below(total)
            if signed.run["vote"] == "pairwise" or len(errors) == 1:
                below = math.nextafter(max(errors), -math.inf).hex()
            self.false(of, "log-error-below", "log_error is the last float64 below its rivals'.",
                       "log_error", 0, {"log_error": below, "p_lower": zero})  # fmt: skip
            pair = (int(record["prediction"]), int(record["rivals"][at]["class"]))
            with mpmath.workdps(60):
                low = last_below(truth.pair_bound(0, pair, record["rivals"][at]["t"]))
                errors[at] = float.fromhex(low)
                total = max(errors)
                if signed.run["vote"] == "plurality" and len(errors) > 1:
                    total = float.fromhex(first_above(
                        mpmath.log(mpmath.fsum(map(mpmath.exp, errors)))))  # fmt: skip
            change = {f"rivals.{at}.log_error": low, "log_error": total.hex(), "p_lower": zero}
            why = "A rival's log_error is the last float64 below ln B(t)."
            self.false(of, "rival-too-low", why, f"rival {pair[1]}", 0, change, data=True)
            t = (float.fromhex(record["rivals"][at]["t"]) * 1.5).hex()
            why = "A rival's t is half as large again, and log_error that of the old one."
            self.false(of, "wrong-witness", why, f"rival {pair[1]}", 0, {f"rivals.{at}.t": t},
                       data=True)  # fmt: skip
        record = self.runs["classes-pairwise"].records[0]
        above = math.nextafter(float.fromhex(record["log_error"]), 0).hex()
        self.false("classes-pairwise", "log-error-above", "log_error is above its largest rival's.",
                   "log_error", 0, {"log_error": above, "p_lower": zero})  # fmt: skip
        errors = [r["log_error"] for r in self.runs["classes"].records[0]["rivals"]]
        largest = max(errors, key=float.fromhex)
        self.false("classes", "log-error-largest", "log_error is that of one rival, for plurality.",
                   "log_error", 0, {"log_error": largest, "p_lower": zero})  # fmt: skip

    def malformed(self) -> None:
        """Add what the format of K classes does not have; most of it signed."""
        for name, why, path, value in MULTI_RECORD_MEMBERS:
            signed = self.runs["classes"].copy()
            put(signed.records[0], path, value)
            self.add(f"malformed/classes-record-{name}", why, signed.files(), "classes", "",
                     data=False)  # fmt: skip
        for name, why, path, value in MULTI_RUN_MEMBERS:
            signed = self.runs["classes"].copy()
            put(signed.run, path, value)
            self.add(f"malformed/classes-run-{name}", why, signed.named().files(), "classes", "",
                     data=False)  # fmt: skip
        wide = Signed(self.runs["classes"].run, self.two.records[:3]).copy()
        wide.records += wide.copy().records[:1]
        wide.records[3]["index"] = "3"
        self.add("malformed/classes-record-of-two-labels", "Records of two labels, in its run.",
                 wide.named().files(), "classes", "", data=False)  # fmt: skip
        narrow = Signed(self.two.run, self.runs["classes"].records[:3]).copy()
        files = narrow.named().files()
        self.corpus.add("malformed/record-of-classes", "Records of K classes, in a run of two.",
                        files, base="accept/three-points", leave_out=READ)  # fmt: skip
        for name, signed, base in (
            ("malformed/classes-statement-of-two-labels", self.runs["classes"], "classes"),
            ("malformed/statement-of-classes", self.two, "three-points"),
        ):
            statement = copy.deepcopy(signed.statement())
            statement["predicateType"] = PREDICATES[not signed.multi]
            bundle = signed.bundle(encode(statement))
            self.corpus.add(name, "The statement is of the other kind than its run.",
                            {"bundle.json": encode(bundle) + b"\n"}, base=f"accept/{base}",
                            leave_out=READ)  # fmt: skip
        proof = copy.deepcopy(self.runs["classes"].proof(0))
        proof["record"]["t"] = ONE
        self.corpus.add("malformed/classes-proof", "A proof, and an unknown member in its record.",
                        {"proof.json": encode(proof) + b"\n"}, run="proof.json")  # fmt: skip


class Exact:
    """Runs with the exact radius, and attacks: accepted, with one false statement, malformed."""

    def __init__(self, corpus: Corpus, two: Signed) -> None:
        self.corpus, self.two = corpus, two
        self.runs = {name: Signed.read(name) for name in EXACT_RUNS}
        self.truths = {n: Truth(r.run, load(EXACT_RUNS[n])) for n, r in self.runs.items()}

    def add(self, place: str, why: str, files: Any, of: str, says: str, *, data: bool) -> None:
        """Add a case above a run."""
        case: dict[str, Any] = {"base": f"accept/{of}", "leave_out": READ}
        if data:
            case["data"] = EXACT_RUNS[of]["data"]
        self.corpus.add(place, why, files, **case, says=says)

    def changed(
        self,
        place: str,
        why: str,
        says: str,
        change: dict[str, Json],
        *,
        at: int = 0,
        data: bool = True,
    ) -> None:
        """Add a case kind/run:name where members of a record are others, its figures fit."""
        kind, _, name = place.partition("/")
        of, _, what = name.partition(":")
        signed = self.runs[of].copy()
        for path, value in change.items():
            put(signed.records[at], path, value)
        refigure(signed, self.truths[of])
        self.add(f"{kind}/{of}-{what}", why, signed.files(), of, says, data=data)

    def add_all(self) -> None:
        """Add them."""
        for name, options in EXACT_RUNS.items():
            folder, signed = HERE / "accept" / name, self.runs[name]
            read = {file: (folder / file).read_bytes() for file in READ}
            said = ", ".join(f"{k} {v}" for k, v in options.items())
            whole = name in ("exact-rare", "exact-constant")
            settings = {"data": options["data"], "arguments": ["--require-all"] * whole}
            says = "both sides of every bracket" if whole else "the rest is not checked"
            self.corpus.add(f"accept/{name}", f"A run with the exact radius: {said}.",
                            {**read, **signed.files()}, **settings, says=says)  # fmt: skip
        proof = {"proof.json": encode(self.runs["exact"].proof(1)) + b"\n"}
        self.corpus.add("accept/exact-proof", "One record with the exact radius, alone.", proof,
                        run="proof.json", data="points.npz", says="radius.exact")  # fmt: skip
        self.corpus.add("accept/exact-without-data", "No data: the evidence is not looked at.",
                        None, base="accept/exact", says="radius.exact")  # fmt: skip
        self.records()
        self.figures()
        self.attacks()
        self.malformed()

    def records(self) -> None:
        """Add records that say less than is known, and false ones."""
        record = self.runs["exact-rare"].records[0]
        bracket = record["radius"]["exact"]
        proved, end = int(bracket["proved"]), int(bracket["refuted_at"])
        nothing = {"by": "fourier", "check": None, "flips": None, "t": None}
        one = {**nothing, "check": "berry-esseen"}
        bare = {"evidence.proved": nothing, "evidence.refuted": nothing}
        self.changed("accept/exact-rare:weaker", "A bracket that is wider, and true.",
                     "radius.exact", {**bare, "radius.exact.refuted_at": str(end + 1)})  # fmt: skip
        for what, why, says, change in (
            ("proved", "One flip more is said not to change the vote.", "flips change the vote",
             {**bare, "radius.exact": {"proved": str(proved + 1), "refuted_at": None},
              "evidence.refuted": None}),
            ("refuted", "One flip less is said to change the vote.", "flips do not change it",
             {**bare, "radius": {"kl": "0", "tight": "0",
                                 "exact": {"proved": "0", "refuted_at": str(end - 1)}}}),
            ("all", "No labelling is said to change the vote.", "flips change the vote",
             {**bare, "radius.exact": {"proved": "48", "refuted_at": None},
              "evidence.refuted": None}),
            ("other", "The other vote, by the evidence alone.", "radius.exact",
             {**bare, "prediction": str(1 - int(record["prediction"])), "log_error": "0x0.0p+0",
              "t": "0x0.0p+0", "p_lower": "0x0.0p+0",
              "radius": {"kl": "0", "tight": "0",
                         "exact": {"proved": "0", "refuted_at": None}},
              "evidence.refuted": None}),
        ):  # fmt: skip
            self.changed(f"refute/exact-rare:{what}", why, says, change)
        record = self.runs["exact"].records[0]
        proved, end = (int(record["radius"]["exact"][k]) for k in ("proved", "refuted_at"))
        noise = {**nothing, "check": "no-noise"}
        t = (40.0 if record["prediction"] == "1" else -40.0).hex()
        strong = {**nothing, "check": "chernoff"}
        for what, why, change, data in (
            ("no-noise", "Said to be proved without noise, of which there is too much.",
             {"evidence.proved": {**noise, "flips": "0"}}, False),
            ("proof", "Berry and Esseen do not prove the last flip.",
             {"evidence.proved": {**one, "flips": str(proved)}}, True),
            ("refutation", "Berry and Esseen do not prove that the first changes it.",
             {"evidence.refuted": {**one, "flips": str(end)}}, True),
            ("witness", "ln B(t) is not below ln 1/2.",
             {"evidence.proved": {**strong, "flips": str(proved), "t": t}}, True),
            ("witness-zero", "The witness is 0.",
             {"evidence.proved": {**strong, "flips": "0", "t": "0x0.0p+0"}}, True),
            ("witness-negated", "The witness bounds the other vote.",
             {"evidence.proved": {**strong, "flips": "0", "t": f"-{t}".replace("--", "")}}, True),
        ):  # fmt: skip
            self.changed(f"refute/exact:{what}", why, "evidence", change, data=data)
        self.changed("refute/exact:kl", "kl is 1, and log_error proves no winner.", "radius",
                     {"log_error": "0x0.0p+0", "p_lower": "0x0.0p+0", "t": "0x0.0p+0",
                      "radius.kl": "1", "radius.tight": "0"}, data=False)  # fmt: skip
        self.changed("refute/exact:not-decided", "The winner is proven, and not said to be.",
                     "decided",
                     {"decided": False, "evidence.proved": None, "radius.kl": "0",
                      "radius.tight": "0", "radius.exact.proved": "0"}, data=False)  # fmt: skip

    def figures(self) -> None:
        """Add figures that the records do not give."""
        base = self.runs["exact"]
        for what, why, path, value in (
            ("brackets", "A bracket more is said to be closed.", "brackets",
             lambda b: {"closed": str(int(b["closed"]) + (b["open"] != "0") * 2 - 1),
                        "open": str(int(b["open"]) - (b["open"] != "0") * 2 + 1)}),
            ("attacked-count", "An attack that is known is not counted.",
             "attacked_accuracy.correct.-1", lambda c: str(int(c) + 1)),
            ("attacked-share", "The share is rounded down.", "attacked_accuracy.accuracy.-1",
             (0.5).hex()),
            ("curve", "A count of the exact curve is one too high.",
             "certified_accuracy.exact.correct.0", lambda c: str(int(c) + 1)),
        ):  # fmt: skip
            signed = base.copy()
            put(signed.run, path, value)
            says = path.partition(".")[0]
            self.add(f"refute/exact-{what}", why, signed.named().files(), "exact", says, data=False)

    def attack(self, of: str, at: int, flips: int, check: str | None) -> Json:
        """Return an attack: the labels of largest support flipped, for a record."""
        run = json.loads((HERE / "accept" / of / "run.json").read_bytes())
        record, truth = self.runs[of].records[at], self.truths[of]
        winner, labels = int(record["prediction"]), truth.y_train
        sides = zip(truth.alpha[at], labels, strict=True)
        supports = [(2 * winner - 1) * (2 * y - 1) * a for a, y in sides]
        order = sorted(range(len(labels)), key=lambda i: (-supports[i], i))[:flips]
        names = ("certaudit", "noise_model", "classifier", "vote", "ridge", "intercept", "scale")
        more = ("source", "label_column", "positive", "training_points", "data")
        proof = {"by": check or "fourier", "check": check, "t": None}
        bracket = record["radius"]["exact"]
        return {
            "type": "urn:certaudit:attack:label-flip:v1",
            **{name: run[name] for name in (*names, *more)},
            "index": at,
            "label": int(record["label"]),
            "prediction": winner,
            "holds_for": "pipeline",
            "ridge_after": None,
            "radius": {name: int(bracket[name]) for name in ("proved", "refuted_at")},
            "flips": [{"index": i, "from": labels[i], "to": 1 - labels[i]} for i in order],
            "before": proof,
            "after": proof,
        }

    def attacks(self) -> None:
        """Add attacks that work, that do not, and that are none."""
        bracket = self.runs["exact-rare"].records[0]["radius"]["exact"]
        rare = self.attack("exact-rare", 0, int(bracket["refuted_at"]), "no-noise")
        end = int(self.runs["exact"].records[0]["radius"]["exact"]["refuted_at"])
        near = self.attack("exact", 0, end, None)
        far = self.attack("exact", 0, 20, "berry-esseen")
        both = {"run": "attack.json", "key": None, "data": "points.npz"}

        def add(name: str, why: str, value: Json, says: str, **more: Any) -> None:
            data = value if isinstance(value, bytes) else indented(value)
            self.corpus.add(name, why, {"attack.json": data}, **both, **more, says=says)

        add("accept/attack", "An attack without noise that matters.", rare, "every step",
            arguments=["--require-all"])  # fmt: skip
        add("accept/attack-more", "More flips than are needed.", far, "by Berry-Esseen")
        add("accept/attack-open", "A vote that the checker leaves.", near, "after")
        bare = {"by": "lattice", "check": None, "t": None}
        add("accept/attack-proof", "The checker has a proof, whatever is given.",
            {**far, "before": bare, "after": bare}, "by Berry-Esseen")  # fmt: skip
        first = rare["flips"][0]
        turned = {**first, "from": first["to"], "to": first["from"]}
        for what, why, of, change, says in (
            ("one-less", "One flip less changes nothing.", rare, {"flips": rare["flips"][:-1]},
             "the other class wins"),
            ("few", "Three flips change nothing.", far, {"flips": far["flips"][:3]},
             "the other class wins"),
            ("prediction", "The vote is for the other class from the start.", far,
             {"prediction": 1 - far["prediction"]}, "the other class wins"),
            ("label", "The data have another label.", rare, {"label": 1 - rare["label"]}, "label"),
            ("from", "A label that the data do not have.", rare,
             {"flips": [turned, *rare["flips"][1:]]}, "label"),
            ("radius", "One flip more is said to change nothing.", rare,
             {"radius": {"proved": rare["radius"]["refuted_at"],
                         "refuted_at": rare["radius"]["refuted_at"] + 1}}, "radius"),
            ("no-noise", "There is too much noise for that.", near,
             {"after": {"by": "no-noise", "check": "no-noise", "t": None}}, "noise"),
            ("witness", "ln B(t) is not below ln 1/2.", near,
             {"after": {"by": "chernoff", "check": "chernoff", "t": (3.0).hex()}}, "ln B(t)"),
        ):  # fmt: skip
            base = {"base": "accept/attack" if of is rare else "accept/attack-more"}
            add(f"refute/attack-{what}", why, {**of, **change}, says, **base)
        for what, why, path, value in ATTACK_MEMBERS:
            changed = copy.deepcopy(rare)
            put(changed, path, value)
            add(f"malformed/attack-{what}", why, changed, "")
        text = indented(rare)
        add("malformed/attack-compact", "An attack in one line.",
            json.dumps(rare).encode() + b"\n", "")  # fmt: skip
        add("malformed/attack-truncated", "An attack that ends early.", text[:-9], "")
        twice = replacing(b' "index": 0,', b' "index": 0,\n "index": 0,')(text)
        add("malformed/attack-twice", "A member twice.", twice, "")
        with_key = {**both, "key": "test-only-ed25519.pub.pem"}
        self.corpus.add("malformed/attack-key", "A key for what is not signed.",
                        {"attack.json": text}, **with_key)  # fmt: skip
        other = {**both, "data": "points-other.npz"}
        self.corpus.add("untrusted/attack-data", "An attack on other data.", {"attack.json": text},
                        **other, says="X_train")  # fmt: skip

    def malformed(self) -> None:
        """Add what the format of the exact radius does not have; signed."""
        for name, why, path, value in EXACT_RECORD_MEMBERS:
            of = "exact-constant" if name.startswith("constant") else "exact"
            signed = self.runs[of].copy()
            at = next(i for i, r in enumerate(signed.records) if r["constant"] == (of != "exact"))
            put(signed.records[at], path, value)
            self.add(f"malformed/exact-record-{name}", why, signed.files(), of, "", data=False)
        for name, why, path, value in EXACT_RUN_MEMBERS:
            signed = self.runs["exact"].copy()
            put(signed.run, path, value)
            self.add(f"malformed/exact-run-{name}", why, signed.named().files(), "exact", "",
                     data=False)  # fmt: skip
        for name, signed, kind, base in (
            ("exact-statement-of-two-labels", self.runs["exact"], PREDICATES[False], "exact"),
            ("statement-exact", self.two, EXACT_PREDICATE, "three-points"),
        ):
            statement = copy.deepcopy(signed.statement())
            statement["predicateType"] = kind
            bundle = signed.bundle(encode(statement))
            self.corpus.add(f"malformed/{name}", "The statement is of another kind than its run.",
                            {"bundle.json": encode(bundle) + b"\n"}, base=f"accept/{base}",
                            leave_out=READ)  # fmt: skip
        plain = Signed(self.runs["exact"].run, self.two.records).copy()
        self.add("malformed/exact-record-of-two-labels", "Records without evidence.",
                 plain.named().files(), "exact", "", data=False)  # fmt: skip


def indented(value: Json) -> bytes:
    """Return plain JSON as `certaudit attack` writes it."""
    return (json.dumps(value, indent=1) + "\n").encode()


def padded_bits(text: str) -> str:
    """Return base64 with bits set where only padding is, for the same bytes."""
    body = text.rstrip("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    assert body != text
    return body[:-1] + alphabet[alphabet.index(body[-1]) | 1] + "=" * (len(text) - len(body))


class Gone:
    """In place of a value: the member is left out."""


ONE_SIG = "dsseEnvelope.signatures.0.sig"
HINT = "verificationMaterial.publicKey.hint"
STAMPS = "verificationMaterial.timestampVerificationData"
BUNDLES: tuple[tuple[str, str, str, Json], ...] = (
    ("unknown", "An unknown member.", "more", "x"),
    ("missing", "No media type.", "mediaType", Gone),
    ("media-type", "A bundle of version 0.2.", "mediaType",
     "application/vnd.dev.sigstore.bundle.v0.2+json"),
    ("payload-type", "Another type of payload.", "dsseEnvelope.payloadType", "application/json"),
    ("envelope-unknown", "An unknown member of the envelope.", "dsseEnvelope.more", "x"),
    ("envelope-missing", "No payload.", "dsseEnvelope.payload", Gone),
    ("envelope-list", "The envelope is in a list.", "dsseEnvelope", lambda v: [v]),
    ("two-signatures", "Two signatures, both right.", "dsseEnvelope.signatures", lambda v: v * 2),
    ("no-signature", "An empty list of signatures.", "dsseEnvelope.signatures", []),
    ("keyid", "A signature with the name of a key.", "dsseEnvelope.signatures.0.keyid", ""),
    ("sig-null", "The signature is null.", ONE_SIG, None),
    ("sig-not-base64", "The signature is not base64.", ONE_SIG, lambda s: "!" + s[1:]),
    ("sig-unpadded", "Its base64 lacks the padding.", ONE_SIG, lambda s: s.rstrip("=")),
    ("sig-padding-bits", "Its base64 has bits in the padding.", ONE_SIG, padded_bits),
    ("sig-url-safe", "Its base64 is the one for URLs.", ONE_SIG, lambda s: "-_" + s[2:]),
    ("sig-newline", "Its base64 has a newline.", ONE_SIG, lambda s: s[:20] + "\n" + s[20:]),
    ("payload-space", "The base64 of the payload has a space.", "dsseEnvelope.payload",
     lambda s: s[:8] + " " + s[8:]),
    ("certificate", "A certificate beside the key.", "verificationMaterial.certificate", {}),
    ("tlog", "An entry of a transparency log.", "verificationMaterial.tlogEntries", [{}]),
    ("tlog-missing", "No list of log entries.", "verificationMaterial.tlogEntries", Gone),
    ("hint-missing", "No hint.", HINT, Gone),
    ("hint-padding-bits", "The base64 of the hint has bits in its padding.", HINT,
     padded_bits),
    ("stamps-unknown", "Time stamps of another kind.", STAMPS, {"other": []}),
    ("stamp-not-base64", "A time stamp that is not base64.", STAMPS,
     {"rfc3161Timestamps": [{"signedTimestamp": "a"}]}),
)  # fmt: skip
SUBJECT = "subject.0.digest.sha256"
STATEMENTS: tuple[tuple[str, str, str, Json], ...] = (
    ("unknown", "An unknown member.", "more", "x"),
    ("missing", "No subject.", "subject", Gone),
    ("type-v2", "An in-toto Statement of version 2.", "_type",
     "https://in-toto.io/Statement/v2"),
    ("predicate-v2", "Certificates of version 2.", "predicateType",
     "urn:certaudit:certificates:label-flip:v2"),
    ("predicate-other", "Certificates of another noise.", "predicateType",
     "urn:certaudit:certificates:gaussian:v1"),
    ("predicate-unknown", "An unknown member of the predicate.", "predicate.more", "x"),
    ("no-tree", "No tree of records.", "predicate.tree", Gone),
    ("no-annotations", "No annotations.", "predicate.annotations", Gone),
    ("annotations-text", "Annotations are text.", "predicate.annotations", "x"),
    ("annotations-number", "A number within annotations.", "predicate.annotations.a", [1]),
    ("annotations-name", "A name within annotations is not ASCII.",
     "predicate.annotations.\u00e4", "x"),
    ("tree-unknown", "An unknown member of the tree.", "predicate.tree.more", "x"),
    ("tree-algorithm", "Another tree.", "predicate.tree.algorithm", "rfc6962-sha512"),
    ("tree-root-upper", "The root in upper case.", "predicate.tree.root", str.upper),
    ("tree-root-short", "A root of 63 digits.", "predicate.tree.root", "a" * 63),
    ("tree-size", "The tree has another size than the run.", "predicate.tree.size", "4"),
    ("tree-size-zeros", "The size has a zero in front.", "predicate.tree.size", "01"),
    ("tree-size-negative", "The size is negative.", "predicate.tree.size", "-1"),
    ("tree-size-huge", "The size has 5,000 digits.", "predicate.tree.size", "9" * 5000),
    ("subject-order", "The subjects are in another order.", "subject", lambda v: v[::-1]),
    ("subject-missing", "A subject is missing.", "subject", lambda v: v[:-1]),
    ("subject-more", "A subject more.", "subject", lambda v: [*v, v[0]]),
    ("subject-name", "records.jsonl has another name.", "subject.0.name", "other.jsonl"),
    ("subject-digest", "X_train has another digest than in the run.", "subject.2.digest.sha256",
     "0" * 64),
    ("subject-sha512", "A digest more.", "subject.0.digest.sha512", "0" * 128),
    ("subject-upper", "A digest in upper case.", SUBJECT, str.upper),
)  # fmt: skip
CURVE = "certified_accuracy.kl"
ONE = "0x1.0000000000000p+0"
RUN_MEMBERS: tuple[tuple[str, ...] | tuple[Json, ...], ...] = (
    ("unknown", "An unknown member of the run.", "more", "x"),
    ("missing", "No intercept.", "intercept", Gone),
    ("format-2", "A run of format 2.", "format", "2"),
    ("q-half", "q is 1/2.", "noise_model.q", "1/2"),
    ("q-zero", "q is 0.", "noise_model.q", "0"),
    ("q-negative", "q is negative.", "noise_model.q", "-1/10"),
    ("q-not-lowest", "q is not in lowest terms.", "noise_model.q", "2/20"),
    ("q-decimal", "q is a decimal.", "noise_model.q", "0.1"),
    ("q-hexadecimal", "q is a binary64, which is for the ridge.", "noise_model.q",
     "0x1.0000000000000p-3"),
    ("q-exponent", "q is short enough for p/q.", "noise_model.q", "1e-1"),
    ("q-zeros", "q has a zero in front.", "noise_model.q", "01/10"),
    ("q-by-zero", "q divides by 0.", "noise_model.q", "1/0"),
    ("q-newline", "q ends with a newline.", "noise_model.q", "1/10\n"),
    ("q-nan", "q is nan.", "noise_model.q", "nan"),
    ("q-number", "q is a JSON number.", "noise_model.q", 0.1),
    ("noise-other", "Another noise.", "noise_model.name", "gaussian"),
    ("classes-3", "Three classes.", "noise_model.classes", "3"),
    ("classifier", "Another classifier.", "classifier", "logistic"),
    ("vote", "Another vote.", "vote", "plurality"),
    ("guarantee-empty", "No guarantee.", "guarantee", []),
    ("guarantee-tight", "The tight guarantee alone.", "guarantee", ["tight"]),
    ("guarantee-twice", "A guarantee twice.", "guarantee", ["kl", "kl"]),
    ("guarantee-unknown", "An unknown guarantee.", "guarantee", ["kl", "exact"]),
    ("guarantee-order", "The guarantees in another order.", "guarantee", ["tight", "kl"],
     "three-points"),
    ("ridge-negative", "The ridge is negative.", "ridge.value", f"-{ONE}"),
    ("ridge-far-below-0", "The ridge is far below 0.", "ridge.value", "-" + "9" * 400),
    ("ridge-minus-zero", "The ridge is -0.", "ridge.value", "-0x0.0p+0"),
    ("ridge-upper", "The ridge in upper case.", "ridge.value", "0x1.A000000000000p+0"),
    ("ridge-short", "The ridge without its zeros.", "ridge.value", "0x1.8p+0"),
    ("ridge-inf", "The ridge is inf.", "ridge.value", "inf"),
    ("ridge-overflow", "The ridge is 2^1024.", "ridge.value", "0x1.0000000000000p+1024"),
    ("ridge-integer", "A ridge that binary64 holds, as an integer.", "ridge.value", "2"),
    ("ridge-quotient", "A ridge that binary64 holds, as a quotient.", "ridge.value", "1/2"),
    ("ridge-not-lowest", "The ridge is not in lowest terms.", "ridge.value", "2/6"),
    ("ridge-rule", "Another rule for the ridge.", "ridge.rule", "best"),
    ("intercept-text", "The intercept is text.", "intercept", "true"),
    ("intercept-null", "The intercept is null.", "intercept", None),
    ("scale-rule", "Another scaling.", "scale.rule", "robust"),
    ("scale-mean-short", "A mean is missing.", "scale.mean", lambda v: v[:-1]),
    ("scale-deviation-long", "A deviation more.", "scale.deviation", lambda v: [*v, ONE]),
    ("scale-deviation-zero", "A deviation is 0.", "scale.deviation.0", "0x0.0p+0"),
    ("scale-none-with-means", "Means, and no scaling.", "scale.rule", "none"),
    ("scale-mean-spelling", "A mean without its zeros.", "scale.mean.0", "0x1.8p-3"),
    ("scale-dropped-text", "A dropped column that is no number.", "scale.dropped", ["x"]),
    ("scale-dropped-more", "A dropped column, with all kept.", "scale.dropped", ["1"]),
    ("scale-dropped-beyond", "A dropped column that is not there.", "scale.dropped", ["7"],
     "column-dropped"),
    ("scale-unknown", "An unknown member of the scale.", "scale.median", []),
    ("assumption-unknown", "An unknown member of an assumption.", "assumptions.0.sure", "x"),
    ("assumption-state", "An assumption that is sure.", "assumptions.0.label_free", "sure"),
    ("points-zeros", "A zero in front of a number.", "training_points", "048"),
    ("points-more", "More training points than rows.", "training_points", "49"),
    ("points-minus-zero", "-0 feature columns.", "feature_columns", "-0"),
    ("points-float", "A number of points with a point.", "test_points", "3.0"),
    ("certified-more", "More points certified than there are.", "certified_points", "4"),
    ("certified-none", "No point certified.", "certified_points", "0"),
    ("certified-two", "Two points certified, one record.", "certified_points", "2"),
    ("data-missing", "No y_test.", "data.y_test", Gone),
    ("data-more", "An array more.", "data.X", {"sha256": "", "dtype": "", "shape": []}),
    ("data-digest", "A digest of 62 digits.", "data.X_test.sha256", lambda v: v[2:]),
    ("data-shape", "A shape of three numbers.", "data.X_test.shape", lambda v: [*v, "1"]),
    ("data-shape-other", "Labels for more rows than there are.", "data.y_train.shape", ["49"]),
    ("versions-number", "A version is a number.", "versions.numpy", 2),
    ("versions-unknown", "A version of an unknown thing.", "versions.more", "2"),
    ("versions-missing", "No version of numpy.", "versions.numpy", Gone),
    ("accuracy-nan", "An accuracy is nan.", "accuracy.clean", "nan"),
    ("accuracy-missing", "An accuracy is missing.", "accuracy.clean", Gone),
    ("accuracy-unknown", "An unknown accuracy.", "accuracy.best", ONE),
    ("accuracy-spelling", "An accuracy without its zeros.", "accuracy.clean", "0x1p+0"),
    ("curve-missing", "No certified accuracy.", CURVE, Gone),
    ("curve-unknown", "An unknown member of a curve.", f"{CURVE}.best", "1"),
    ("curve-more", "A curve of a guarantee that is none.", "certified_accuracy.exact", {}),
    ("curve-of", "A curve of more points than certified.", f"{CURVE}.of", "2"),
    ("curve-uneven", "A count without its share.", f"{CURVE}.correct", lambda v: [*v, "0"]),
    ("finding-unknown", "An unknown member of a finding.", "findings",
     [{"code": "a", "name": "b", "message": "c", "d": "e"}]),
    ("source-null", "The source is null.", "source", None),
    ("escalated-null", "escalated is null.", "escalated", None, "fast"),
    ("escalated-list", "escalated is a list.", "escalated", ["2", "1", "0", "1"], "fast"),
    ("escalated-empty", "escalated is empty.", "escalated", {}, "fast"),
    ("escalated-missing", "A reason is missing.", "escalated.loose", Gone, "fast"),
    ("escalated-unknown", "An unknown reason.", "escalated.slow", "0", "fast"),
    ("escalated-number", "A JSON number of points.", "escalated.points", 2, "fast"),
    ("escalated-float", "A number of points with a point.", "escalated.points", "2.0", "fast"),
    ("escalated-binary64", "A number of points as binary64.", "escalated.failed", ONE, "fast"),
    ("escalated-negative", "A negative number of points.", "escalated.loose", "-1", "fast"),
    ("escalated-zeros", "A zero in front.", "escalated.failed", "01", "fast"),
    ("escalated-count-null", "A number of points is null.", "escalated.failed", None, "fast"),
    ("escalated-sum", "More points than reasons.", "escalated.points", "3", "fast"),
    ("escalated-more", "More points than were certified.", "escalated",
     {"points": "4", "undecided": "4", "loose": "0", "failed": "0"}, "fast"),
    ("escalated-rigorous", "Points that went to balls, by an engine of balls.", "engine",
     "rigorous", "fast"),
)  # fmt: skip
THREE = "three-points"
RECORD_MEMBERS: tuple[tuple[Json, ...], ...] = (
    ("unknown", "An unknown member of a record.", "more", "x"),
    ("missing", "No engine.", "engine", Gone),
    ("type-v2", "A record of version 2.", "type", "urn:certaudit:record:label-flip:v2"),
    ("type-other", "A record of another kind.", "type", "urn:certaudit:record:other:v1"),
    ("of-another-run", "A record that names another run.", "run", "0" * 64),
    ("index-twice", "An index twice.", "index", "0", THREE),
    ("index-falls", "The indices do not rise.", "index", "2", THREE),
    ("index-skips", "A row is left out: the first record is of row 1.", "index", "1"),
    ("index-beyond", "An index beyond the test set.", "index", "3"),
    ("index-zeros", "An index with a zero in front.", "index", "00"),
    ("index-negative", "A negative index.", "index", "-1"),
    ("index-minus-zero", "The index is -0.", "index", "-0"),
    ("index-arabic", "An index in Arabic-Indic digits.", "index", "\u0660"),
    ("label-2", "The label is 2.", "label", "2"),
    ("label-null", "The label is null.", "label", None),
    ("prediction-number", "The prediction is a number.", "prediction", 1),
    ("decided-text", "decided is text.", "decided", "true"),
    ("constant-null", "constant is null.", "constant", None),
    ("constant-with-t", "Constant, and yet a witness.", "constant", True),
    ("t-null", "Not constant, and no witness.", "t", None),
    ("log-error-null", "Not constant, and no log_error.", "log_error", None),
    ("t-inf", "The witness is inf.", "t", "inf"),
    ("t-upper", "The witness in upper case.", "t", "0X1.8000000000000P+1"),
    ("t-short", "The witness without its zeros.", "t", "0x1.8p+1"),
    ("t-long", "The witness with 14 digits.", "t", "0x1.80000000000000p+1"),
    ("t-exponent", "The witness' exponent has a zero.", "t", "0x1.8000000000000p+01"),
    ("t-overflow", "The witness is 2^1024.", "t", "0x1.0000000000000p+1024"),
    ("t-subnormal", "A subnormal that is spelled as normal.", "t", "0x1.0000000000000p-1074"),
    ("t-normal", "A normal number that is spelled as subnormal.", "t", "0x0.8000000000000p+1"),
    ("t-rational", "The witness is a fraction.", "t", "3/2"),
    ("t-decimal", "The witness is a decimal.", "t", "1.5"),
    ("p-lower-null", "p_lower is null.", "p_lower", None),
    ("p-lower-ball", "p_lower is a ball.", "p_lower", ["0", "0", "0", "0"]),
    ("ball-three", "A ball of three numbers.", "log_error", ["-1", "0", "0"]),
    ("ball-negative", "A ball with a negative radius.", "log_error", ["-1", "0", "-1", "0"]),
    ("ball-zeros", "A ball with a zero in front.", "log_error", ["-01", "0", "0", "0"]),
    ("ball-minus-zero", "A ball with -0.", "log_error", ["-0", "0", "0", "0"]),
    ("ball-number", "A ball with a number.", "log_error", [-1, "0", "0", "0"]),
    ("ball-exponent", "A ball with 2^(10^9).", "log_error", ["-1", "1000000000", "0", "0"]),
    ("ball-digits", "A ball with 5,000 digits.", "log_error", ["-" + "9" * 5000, "0", "0", "0"]),
    ("radius-more", "A radius of another guarantee.", "radius.exact", "1"),
    ("radius-tight", "A tight radius, in a run of kl alone.", "radius.tight", "0"),
    ("radius-fewer", "No tight radius.", "radius.tight", Gone, THREE),
    ("radius-empty", "No radius.", "radius", {}),
    ("radius-above-n", "A radius above the number of training points.", "radius.kl", "49"),
    ("radius-huge", "A radius of 5,000 digits.", "radius.kl", "9" * 5000),
    ("radius-negative", "A negative radius.", "radius.kl", "-1"),
    ("radius-number", "A radius that is a number.", "radius.kl", 1),
    ("radius-text", "The radii are a text.", "radius", "1"),
    ("radius-undecided", "Undecided, and a radius of 1.", "decided", False),
    ("engine-null", "The engine is null.", "engine", None),
    ("annotations-list", "Annotations are a list.", "annotations", []),
    ("annotations-number", "A number within annotations.", "annotations.a", 0),
    ("annotations-name", "A name within annotations is not ASCII.", "annotations.\u00e9", ""),
    ("constant-t", "A constant vote with a witness.", "t", ONE, "constant-vote"),
    ("constant-bound", "A constant vote with a log_error.", "log_error", f"-{ONE}",
     "constant-vote"),
)  # fmt: skip
MULTI_RECORD_MEMBERS: tuple[tuple[str, str, str, Json], ...] = (
    ("unknown", "An unknown member.", "more", "x"),
    ("t", "A witness that is no rival's.", "t", ONE),
    ("constant", "A constant vote, which K classes do not have.", "constant", False),
    ("type-v2", "A record of version 2.", "type",
     "urn:certaudit:record:label-flip-multiclass:v2"),
    ("type-two", "Called a record of two labels.", "type", "urn:certaudit:record:label-flip:v1"),
    ("label-3", "The label is beyond the classes.", "label", "3"),
    ("label-zeros", "The label has a zero in front.", "label", "00"),
    ("prediction-3", "The prediction is beyond the classes.", "prediction", "3"),
    ("prediction-other", "The prediction is one of the rivals.", "prediction",
     lambda c: str((int(c) + 1) % 3)),
    ("no-rivals", "No rivals.", "rivals", Gone),
    ("rivals-empty", "None of its rivals.", "rivals", []),
    ("rivals-fewer", "A rival is missing.", "rivals", lambda v: v[:1]),
    ("rivals-more", "A rival is there twice.", "rivals", lambda v: [*v, v[-1]]),
    ("rivals-order", "The rivals do not rise.", "rivals", lambda v: v[::-1]),
    ("rivals-own", "The prediction is its own rival.", "rivals.0.class",
     lambda c: str({0, 1, 2}.difference({int(c)}).pop())),
    ("rivals-text", "A rival is text.", "rivals.0", "1"),
    ("rival-beyond", "A rival beyond the classes.", "rivals.1.class", "3"),
    ("rival-number", "A rival's class is a number.", "rivals.0.class", 0),
    ("rival-unknown", "An unknown member of a rival.", "rivals.0.more", "x"),
    ("rival-no-t", "A rival without t.", "rivals.0.t", Gone),
    ("rival-t-null", "A rival's t is null.", "rivals.0.t", None),
    ("rival-t-negative", "A rival's t is negative.", "rivals.0.t", f"-{ONE}"),
    ("rival-t-spelling", "A rival's t without its zeros.", "rivals.0.t", "0x1p+0"),
    ("rival-above-0", "A rival's log_error is above 0.", "rivals.0.log_error", ONE),
    ("rival-ball", "A rival's log_error is a ball.", "rivals.0.log_error",
     ["-1", "0", "0", "0"]),
    ("above-0", "log_error is above 0.", "log_error", "0x0.0000000000001p-1022"),
    ("ball", "log_error is a ball.", "log_error", ["-1", "0", "0", "0"]),
    ("null", "log_error is null.", "log_error", None),
    ("radius-undecided", "Undecided, and a radius.", "decided", False),
    ("radius-above-n", "A radius above the number of labels.", "radius.kl", "46"),
)  # fmt: skip
MULTI_RUN_MEMBERS: tuple[tuple[str, str, str, Json], ...] = (
    ("vote-majority", "The majority vote.", "vote", "majority"),
    ("vote-other", "Another vote.", "vote", "borda"),
    ("classifier", "The classifier of two labels.", "classifier", "least squares"),
    ("classes-1", "One class.", "noise_model.classes", "1"),
    ("classes-2", "Two classes, accuracies of three.", "noise_model.classes", "2"),
    ("classes-1001", "More than 1,000 classes.", "noise_model.classes", "1001"),
    ("classes-zeros", "Classes with a zero in front.", "noise_model.classes", "03"),
    ("q-two-thirds", "q is 2/3.", "noise_model.q", "2/3"),
    ("q-zero", "q is 0.", "noise_model.q", "0"),
    ("no-vacuous", "No vacuous points.", "vacuous", Gone),
    ("vacuous-missing", "None of pairwise.", "vacuous.pairwise", Gone),
    ("vacuous-unknown", "Those of another vote.", "vacuous.borda", "0"),
    ("vacuous-more", "More than were certified.", "vacuous.plurality", "5"),
    ("vacuous-null", "The vacuous points are null.", "vacuous", None),
    ("constant-short", "A class without its share.", "accuracy.constant", lambda v: v[:-1]),
    ("constant-long", "A share more than classes.", "accuracy.constant", lambda v: [*v, v[0]]),
    ("constant-spelling", "A share without its zeros.", "accuracy.constant.0", "0x1p-1"),
    ("constant-0", "A share of two labels besides.", "accuracy.constant_0", ONE),
    ("no-constant", "No shares of the classes.", "accuracy.constant", Gone),
    ("positive", "A label called positive, of three.", "positive", "1"),
    ("unknown", "An unknown member.", "more", "x"),
)  # fmt: skip
NO_CHECK = {"by": "fourier", "check": None, "flips": None, "t": None}
EXACT_RECORD_MEMBERS: tuple[tuple[str, str, str, Json], ...] = (
    ("type-two", "Called a record without evidence.", "type",
     "urn:certaudit:record:label-flip:v1"),
    ("type-v2", "A record of version 2.", "type", "urn:certaudit:record:label-flip-exact:v2"),
    ("no-evidence", "No evidence.", "evidence", Gone),
    ("no-proof", "Decided, and no proof.", "evidence.proved", None),
    ("no-refutation", "Refuted by nothing.", "evidence.refuted", None),
    ("not-refuted", "A refutation, and nothing refuted.", "radius.exact.refuted_at", None),
    ("exact-text", "The bracket is a number.", "radius.exact", "1"),
    ("exact-unknown", "An unknown member of the bracket.", "radius.exact.more", "1"),
    ("no-exact", "No bracket.", "radius.exact", Gone),
    ("crossed", "Proved is what is refuted.", "radius.exact",
     lambda b: {**b, "proved": b["refuted_at"]}),
    ("kl-above", "kl is above what is proved.", "radius.kl", "47"),
    ("above-n", "Refuted above the number of labels.", "radius.exact.refuted_at", "49"),
    ("side-unknown", "An unknown member of a side.", "evidence.proved.more", "x"),
    ("by", "A method that is not known.", "evidence.proved.by", "magic"),
    ("check", "A check that is none.", "evidence.proved.check", "lattice"),
    ("by-constant", "Said to be constant by its proof alone.", "evidence.proved",
     {**NO_CHECK, "by": "constant"}),
    ("flips-alone", "Flips without a check.", "evidence.proved", {**NO_CHECK, "flips": "0"}),
    ("chernoff-no-t", "Chernoff without t.", "evidence.proved",
     {**NO_CHECK, "check": "chernoff", "flips": "0"}),
    ("t-alone", "t without Chernoff.", "evidence.proved", {**NO_CHECK, "t": ONE}),
    ("t-spelling", "t without its zeros.", "evidence.proved",
     {**NO_CHECK, "check": "chernoff", "flips": "0", "t": "0x1p+0"}),
    ("proof-beyond", "A check of more than is proved.", "evidence.proved",
     {**NO_CHECK, "check": "berry-esseen", "flips": "48"}),
    ("refutation-below", "A check of less than is refuted.", "evidence.refuted",
     {**NO_CHECK, "check": "berry-esseen", "flips": "0"}),
    ("refutation-beyond", "A check of more than there are.", "evidence.refuted",
     {**NO_CHECK, "check": "berry-esseen", "flips": "49"}),
    ("undecided", "Undecided, and its winner proved.", "decided", False),
    ("constant-fewer", "A constant vote that some flips change.", "radius",
     {"exact": {"proved": "47", "refuted_at": None}, "kl": "47", "tight": "47"}),
    ("constant-by", "A constant vote by another proof.", "evidence.proved.by", "lattice"),
    ("constant-checked", "A check of a constant vote.", "evidence.proved",
     {**NO_CHECK, "by": "constant", "check": "no-noise", "flips": "48"}),
)  # fmt: skip
EXACT_RUN_MEMBERS: tuple[tuple[str, str, str, Json], ...] = (
    ("no-brackets", "No brackets.", "brackets", Gone),
    ("brackets-more", "More brackets than points.", "brackets.open", "48"),
    ("brackets-unknown", "An unknown member of the brackets.", "brackets.more", "0"),
    ("no-attacked", "No attacked accuracy.", "attacked_accuracy", Gone),
    ("attacked-of", "The attacked accuracy of other points.", "attacked_accuracy.of", "48"),
    ("attacked-uneven", "A count without its share.", "attacked_accuracy.accuracy", []),
    ("no-curve", "No exact curve.", "certified_accuracy.exact", Gone),
    ("guarantee-order", "exact before tight.", "guarantee", ["kl", "exact", "tight"]),
    ("guarantee-alone", "exact without kl.", "guarantee", ["exact"]),
    ("guarantee-less", "Without exact among its guarantees.", "guarantee", ["kl", "tight"]),
    ("vote", "The vote of K classes.", "vote", "plurality"),
)
ATTACK_MEMBERS: tuple[tuple[str, str, str, Json], ...] = (
    ("unknown", "An unknown member.", "more", 0),
    ("missing", "No data.", "data", Gone),
    ("type-v2", "An attack of version 2.", "type", "urn:certaudit:attack:label-flip:v2"),
    ("index-text", "The test row is text.", "index", "0"),
    ("index-float", "The test row is a float.", "index", 0.0),
    ("index-beyond", "A test row that is not there.", "index", 3),
    ("no-flips", "No flips.", "flips", []),
    ("flip-twice", "A label is flipped twice.", "flips", lambda v: [*v, v[0]]),
    ("flip-beyond", "A training row that is not there.", "flips.0.index", 48),
    ("flip-none", "A label that stays.", "flips.0", {"index": 0, "from": 1, "to": 1}),
    ("q-half", "q is 1/2.", "noise_model.q", "1/2"),
    ("radius", "Proved is what is refuted.", "radius",
     lambda r: {"proved": r["refuted_at"], "refuted_at": r["refuted_at"]}),
    ("holds-for", "For a fixed ridge, which reads no label.", "holds_for", "fixed ridge"),
    ("ridge-after", "Another ridge, which reads no label.", "ridge_after", ONE),
    ("check", "Checked by a series.", "after.check", "fourier"),
    ("t", "t without Chernoff.", "before.t", ONE),
    ("shape", "Training points that the data do not have.", "training_points", 47),
)  # fmt: skip
PROOFS: tuple[tuple[str, str, str, Json], ...] = (
    ("unknown", "An unknown member of the proof.", "more", "x"),
    ("missing", "No path.", "path", Gone),
    ("type-v2", "A proof of version 2.", "type", "urn:certaudit:inclusion:v2"),
    ("leaf-zeros", "The leaf has a zero in front.", "leaf", "00"),
    ("leaf-number", "The leaf is a number.", "leaf", 0),
    ("leaf-negative", "The leaf is negative.", "leaf", "-1"),
    ("path-upper", "A digest of the path in upper case.", "path.0", str.upper),
    ("path-short", "A digest of the path lacks a digit.", "path.0", lambda s: s[1:]),
    ("path-text", "The path is a text.", "path", ""),
    ("no-bundle", "The bundle is null.", "bundle", None),
    ("bundle-unknown", "An unknown member of the bundle.", "bundle.more", "x"),
    ("record-unknown", "An unknown member of the record.", "record.more", "x"),
)
BAD_KEYS = (
    ("ed25519.pem", "A private key is given."),
    ("p384.pub.pem", "A key on P-384."),
    ("rsa.pub.pem", "An RSA key."),
    ("compressed.pub.pem", "A key on P-256 in its short form."),
    ("off-curve.pub.pem", "A point that is not on P-256."),
    ("short.pub.pem", "A key that lacks its last byte."),
    ("certificate.pem", "A certificate."),
    ("two.pub.pem", "Two keys in a file."),
    ("text-around.pub.pem", "Text before the key."),
    ("cut.pub.pem", "A key file that ends early."),
    ("empty.pub.pem", "An empty key file."),
    ("note.pub.pem", "A note instead of a key."),
    ("not-base64.pub.pem", "A key file that is not base64."),
    ("der.pub.pem", "A key that is not PEM."),
    ("missing.pub.pem", "A key file that is not there."),
)


def put(value: Json, path: str, new: Json) -> None:
    """Set the member at a path (a.b.0); `new` may be a function of what is there, or Gone."""
    *above, last = path.split(".")
    for name in above:
        value = value[int(name)] if isinstance(value, list) else value[name]
    at = int(last) if isinstance(value, list) else last
    if new is Gone:
        del value[at]
    else:
        value[at] = new(value[at]) if callable(new) else copy.deepcopy(new)


def replacing(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Return a function that replaces the first of some bytes, which have to be there."""

    def change(data: bytes) -> bytes:
        assert old in data, old
        return data.replace(old, new, 1)

    return change


def reorder(data: bytes) -> bytes:
    """Return a JSON line, or the first of several, with its members backwards."""
    line, newline, rest = data.partition(b"\n")
    value = dict(reversed(json.loads(line).items()))
    return json.dumps(value, separators=(",", ":")).encode() + newline + rest


def whole() -> dict[str, bytes]:
    """Return every file of the corpus by its place, from the runs below accept/."""
    corpus = Corpus()
    runs = accept(corpus)
    refute(corpus, runs)
    Untrusted(corpus, runs).add_all()
    Malformed(corpus, runs).add_all()
    Classes(corpus, runs["three-points"]).add_all()
    Exact(corpus, runs["three-points"]).add_all()
    files = {
        f"{name}/{file}": data for name, case in corpus.cases.items() for file, data in case.items()
    }
    return files | {f"keys/{name}": data for name, data in key_files().items()}


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write files below a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def main() -> int:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE)
    parser.add_argument("--certify", action="store_true", help="make the runs again, too")
    options = parser.parse_args()
    write(HERE, {f"data/{name}": data for name, data in data_files().items()})
    if options.certify:
        certify()
    files = whole()
    for kind in KINDS:
        shutil.rmtree(options.folder / kind, ignore_errors=True)
    write(options.folder, files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
