"""Verify signed certificates: who signed them, that nothing was changed, that they are true.

Signature, form and Merkle tree are checked here with libraries (OpenSSL by way of cryptography,
msgspec); the mathematics by `certaudit.checker`, which shares no code with what made the records.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certaudit import checker
from certaudit.errors import InputError, Untrusted
from certaudit.records.bundle import BUNDLE
from certaudit.records.evidence import read_evidence, read_inclusion
from certaudit.records.keys import PublicKey, load_public
from certaudit.records.model import MAX_PROOF, Bundle
from certaudit.records.store import load_evidence, read_file
from certaudit.records.timestamp import stamped_at

__all__ = ["Step", "Verification", "verify"]


_SPELLED = {"ecdsa-p256": "ECDSA P-256", "ed25519": "Ed25519"}


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, "checked", "failed" or "not checked", and what was seen or why not."""

    name: str
    state: str
    detail: str


@dataclass(frozen=True)
class Verification:
    """What verifying came to: each step, remarks, and the exit code of the command.

    `exit_code` is 0 when nothing failed: what the files given do not allow to check, without
    the data every bound, stands in `left`. 1 for a false statement, 2 for something that cannot
    be read, 3 for a comparison left open (or anything left, where everything was required), 4
    for what is not to be trusted.
    """

    steps: tuple[Step, ...]
    remarks: tuple[str, ...]
    exit_code: int

    def __bool__(self) -> bool:
        raise TypeError("a verification has three states; ask for its exit_code, or its steps")

    @property
    def failed(self) -> tuple[Step, ...]:
        """The steps that failed."""
        return tuple(step for step in self.steps if step.state == checker.FAILED)

    @property
    def left(self) -> tuple[Step, ...]:
        """The steps that were not checked."""
        return tuple(step for step in self.steps if step.state == checker.NOT_CHECKED)

    def as_json(self) -> dict[str, object]:
        """Return the verification as plain JSON values."""
        steps = [
            {"step": step.name, "state": step.state, "detail": step.detail} for step in self.steps
        ]
        last = checker.conclusion(self.failed, [step.name for step in self.left])
        ending = {"conclusion": last, "exit_code": self.exit_code}
        return {"steps": steps, "remarks": list(self.remarks), **ending}


def verify(
    run: str | Path,
    *,
    key: str | Path,
    data: str | Path | None = None,
    test: str | Path | None = None,
    sample: int | None = None,
    seed: str = "",
    tsa_ca: str | Path | None = None,
    require_all: bool = False,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Verification:
    """Verify a signed run folder, or the proof of one record, under an issuer's public key.

    `key` is a PEM public key, P-256 or Ed25519. With `data` (.npz or CSV, for a CSV with the
    test rows apart `test`) alpha is derived again and every log_error with it; `sample` takes so
    many records only, drawn by `seed`. `tsa_ca` holds the certificates under which a time stamp
    is verified, by openssl. `progress` is called with (step, done, total).

    Nothing that was signed by another key, or changed, is ever said to be checked.

    Raises InputError for a key, bundle, proof or record that cannot be read.
    """
    if sample is not None and (sample < 1 or not seed):
        raise InputError("sample: a number from 1, and a seed that the issuer did not know")
    report = checker.Report()
    public = load_public(Path(key))
    folder = Path(run)
    if test is not None and data is None:
        raise InputError("test: belongs to data")
    if data is not None and Path(data).is_dir():
        raise InputError(
            f"{data}: a folder, and the checker reads .npz or CSV: put its four .npy files into "
            "one, `python -m zipfile -c data.npz *.npy`; the digests stay the same"
        )
    if tsa_ca is not None and not Path(tsa_ca).is_file():
        raise InputError(f"{tsa_ca}: no such file of certificates")
    try:
        found, bundle = _evidence(folder, public, report)
    except Untrusted as error:
        report.add("trust", checker.FAILED, str(error), checker.UNTRUSTED)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from None
    else:
        _time_stamp(bundle, tsa_ca, report)
        if found.complete:
            checker.compare_files(folder, found, report)
        try:
            checker.check_mathematics(
                found,
                report,
                data=None if data is None else Path(data),
                test=None if test is None else Path(test),
                sample=sample,
                seed=seed,
                progress=progress,
            )
        except checker.Bad as error:
            report.add("format", checker.FAILED, str(error), error.code)
    steps = tuple(Step(name, state, detail) for name, state, detail, _ in report.steps)
    return Verification(steps, tuple(report.remarks), report.exit_code(require_all=require_all))


def _evidence(
    path: Path, key: PublicKey, report: checker.Report
) -> tuple[checker.Evidence, Bundle]:
    """Return what was signed, every step up to the tree checked.

    Raises Untrusted and InputError, as read_evidence and read_inclusion do.
    """
    if path.is_dir():
        if not (path / BUNDLE).exists():
            raise Untrusted(f"{path}: no {BUNDLE}, so nothing is signed")
        evidence = read_evidence(*load_evidence(path), key)
        records = evidence.records
        files = (checker.CHECKED, "records.jsonl has the SHA-256 that was signed")
        run, bundle, statement = evidence.run, evidence.bundle, evidence.statement
        tree = checker.tree_text(len(records), run)
    else:
        proof = read_inclusion(read_file(path, MAX_PROOF), key, what=path.name)
        records = [proof.record]
        files = (checker.NOT_CHECKED, "a proof has one record, not the file")
        run, bundle, statement = proof.run, proof.bundle, proof.statement
        tree = f"line {proof.leaf} of {statement.predicate.tree.size}"
    report.add("signature", checker.CHECKED, _SPELLED[key.algorithm])
    report.remarks.append(f"key {key.fingerprint}")
    report.add("statement", checker.CHECKED, "in-toto v1, canonical, every member known")
    report.add("records", *files)
    report.add("tree", checker.CHECKED, tree)
    root = statement.predicate.tree.root
    return checker.Evidence(run, records, path.is_dir(), root), bundle


def _time_stamp(bundle: Bundle, ca: str | Path | None, report: checker.Report) -> None:
    """Check a time stamp (RFC 3161) over the signature with openssl."""
    name = "time stamp"
    if bundle.timestamp is None:
        if ca is not None:
            report.add(name, checker.FAILED, "there is none", checker.UNTRUSTED)
        return
    openssl = shutil.which("openssl")
    if ca is None or openssl is None:
        missing = "no --tsa-ca to verify it under" if ca is None else "there is no openssl"
        report.add(name, checker.NOT_CHECKED, missing)
        return
    with tempfile.TemporaryDirectory() as folder:
        token, signature = Path(folder, "token"), Path(folder, "signature")
        token.write_bytes(bundle.timestamp)
        signature.write_bytes(bundle.signature)
        arguments = ["-verify", "-data", signature, "-in", token, "-CAfile", Path(ca)]
        verified = _openssl(openssl, arguments)
    if verified != 0:
        report.add(name, checker.FAILED, f"not one under {ca}", checker.UNTRUSTED)
        return
    try:
        # From the stamp itself: the text around it in a response is nobody's word.
        at = stamped_at(bundle.timestamp, bundle.signature)
    except InputError as error:
        report.add(name, checker.FAILED, f"it {error}", checker.MALFORMED)
    else:
        report.add(name, checker.CHECKED, f"the signature existed at {at}, says the authority")


def _openssl(openssl: str, arguments: list[Any]) -> int:
    done = subprocess.run(  # noqa: S603  (a fixed command on files of ours)
        [openssl, "ts", *arguments], capture_output=True, check=False
    )
    return done.returncode
