"""Verify signed certificates: who signed them, that nothing was changed, that they are true.

Signature, form and Merkle tree are checked here with libraries (OpenSSL by way of cryptography,
msgspec); the mathematics by `certaudit.checker`, which shares no code with what made the records.
An attack is not signed: it is replayed, and needs no key.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from certaudit import checker
from certaudit.certify.data import LabelledData
from certaudit.certify.label_flip import fit
from certaudit.errors import InputError, Undecided, Untrusted
from certaudit.io.datasets import KEYS, read_data_set
from certaudit.records.bundle import BUNDLE
from certaudit.records.canonical import encode
from certaudit.records.evidence import read_evidence, read_inclusion, read_unverified
from certaudit.records.keys import PublicKey, load_public
from certaudit.records.model import MAX_BUNDLE, MAX_PROOF, Bundle
from certaudit.records.store import load_evidence, load_unsigned, read_file
from certaudit.records.timestamp import stamped_at
from certaudit.rigorous.flips import MAX_ENUMERATED, Bracket, bracket, vote_winner

__all__ = ["Step", "Verification", "check_statements", "verify"]


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
    key: str | Path | None,
    data: str | Path | None = None,
    test: str | Path | None = None,
    sample: int | None = None,
    seed: str = "",
    tsa_ca: str | Path | None = None,
    require_all: bool = False,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Verification:
    """Verify a signed run folder, or the proof of one record, under an issuer's public key.

    Or replay an attack file on its `data`: exactly then `key` is None. What the checker leaves
    open of it the rigorous engine decides.

    `key` is a PEM public key, P-256 or Ed25519. With `data` (.npz or CSV, for a CSV with the
    test rows apart `test`) alpha is derived again and every log_error with it; `sample` takes so
    many records only, drawn by `seed`. `tsa_ca` holds the certificates under which a time stamp
    is verified, by openssl. `progress` is called with (step, done, total).

    Nothing that was signed by another key, or changed, is ever said to be checked.

    Raises InputError for a key, bundle, proof, record or attack that cannot be read, and
    Untrusted where something signed is to be verified without a key.
    """
    if sample is not None and (sample < 1 or not seed):
        raise InputError("sample: a number from 1, and a seed that the issuer did not know")
    report, folder, files = checker.Report(), Path(run), _data_files(data, test)
    if checker.is_attack(folder):
        if key is not None or sample is not None or tsa_ca is not None:
            raise InputError(f"{folder}: an attack is not signed: no key, sample or tsa_ca")
        _replay(folder, files, report)
    elif key is None:
        raise Untrusted("no key: whose signature should this be? No key is trusted by default")
    else:
        public = load_public(Path(key))
        found = _signed(folder, public, tsa_ca, report)
        if found is not None:
            _mathematics(found, report, files, sample, seed, progress)
    steps = tuple(Step(name, state, detail) for name, state, detail, _ in report.steps)
    return Verification(steps, tuple(report.remarks), report.exit_code(require_all=require_all))


def check_statements(
    folder: Path,
    *,
    data: Path | None = None,
    test: Path | None = None,
    sample: int | None = None,
    seed: str = "",
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Verification:
    """Let the checker derive again what a run folder says, whoever made it: no key, no trust.

    Records beside it that say something else are a failure, too. `data`, `test`, `sample` and
    `seed` are those of verify.

    Raises InputError for what is not a run.
    """
    report = checker.Report()
    unsigned = load_unsigned(folder)
    plain = msgspec.json.Decoder().decode
    records = [plain(line) for line in unsigned.lines.splitlines()]
    run, root = plain(encode(unsigned.run)), unsigned.root.hex()
    found = checker.Evidence(run, records, complete=True, root=root)
    if (folder / BUNDLE).exists():
        beside = read_unverified(*load_evidence(folder))
        if (beside.run, beside.records) != (found.run, found.records):
            text = f"{BUNDLE} and its records say something else than run.json or the certificates"
            report.add("records", checker.FAILED, text, checker.UNTRUSTED)
    _mathematics(found, report, _data_files(data, test), sample, seed, progress)
    steps = tuple(Step(name, state, detail) for name, state, detail, _ in report.steps)
    return Verification(steps, tuple(report.remarks), report.exit_code(require_all=False))


def _data_files(
    data: str | Path | None, test: str | Path | None
) -> tuple[Path | None, Path | None]:
    """Return the places of data and test rows; InputError for what the checker does not read."""
    if test is not None and data is None:
        raise InputError("test: belongs to data")
    if data is not None and Path(data).is_dir():
        raise InputError(
            f"{data}: a folder, and the checker reads .npz or CSV: put its four .npy files into "
            "one, `python -m zipfile -c data.npz *.npy`; the digests stay the same"
        )
    return None if data is None else Path(data), None if test is None else Path(test)


def _signed(
    folder: Path, key: PublicKey, tsa_ca: str | Path | None, report: checker.Report
) -> checker.Evidence | None:
    """Return what was signed, None where it is not to be trusted."""
    if tsa_ca is not None and not Path(tsa_ca).is_file():
        raise InputError(f"{tsa_ca}: no such file of certificates")
    try:
        found, bundle = _evidence(folder, key, report)
    except Untrusted as error:
        report.add("trust", checker.FAILED, str(error), checker.UNTRUSTED)
        return None
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from None
    _time_stamp(bundle, tsa_ca, report)
    if found.complete:
        checker.compare_files(folder, found, report)
    return found


def _mathematics(
    found: checker.Evidence,
    report: checker.Report,
    files: tuple[Path | None, Path | None],
    sample: int | None,
    seed: str,
    progress: Callable[[str, int, int], None],
) -> None:
    """Let the checker derive again what the records say."""
    data, test = files
    try:
        checker.check_mathematics(
            *(found, report),
            data=data,
            test=test,
            sample=sample,
            seed=seed,
            progress=progress,
        )
    except checker.Bad as error:
        report.add("format", checker.FAILED, str(error), error.code)


def _replay(
    path: Path,
    files: tuple[Path | None, Path | None],
    report: checker.Report,
) -> None:
    """Check an attack by the checker, and what it leaves by the rigorous engine.

    Raises InputError for what is not an attack file.
    """
    data, test = files
    if data is None:
        raise InputError(f"{path}: an attack is replayed on its data, which is not given")
    try:
        attack = checker.read_attack(read_file(path, MAX_BUNDLE), path.name)
    except checker.Bad as error:
        raise InputError(str(error)) from None
    checker.check_attack(attack, data, test, report)
    failed = any(state == checker.FAILED for _, state, _, _ in report.steps)
    left = tuple(dict.fromkeys(report.left()))
    if failed or not left:
        return
    by_name: dict[str, Step] = {}
    with suppress(Undecided):
        for step in _InBalls(attack, data, test).steps(left):
            by_name[step.name] = step
    for at, (name, state, _, code) in enumerate(report.steps):
        if state == checker.NOT_CHECKED and name in by_name:
            step = by_name[name]
            codes = {checker.FAILED: checker.REFUTED, checker.NOT_CHECKED: code}
            report.steps[at] = (name, step.state, step.detail, codes.get(step.state, 0))


class _InBalls:
    """What the rigorous engine says of an attack, a file with its numbers as text."""

    def __init__(self, attack: dict[str, Any], data: Path, test: Path | None) -> None:
        raw = read_data_set(data, label_column=attack["label_column"], test=test)
        arrays = (raw.arrays[name] for name in KEYS)
        self._data = LabelledData.check(*arrays, positive=attack["positive"])
        self._attack, self._index = attack, int(attack["index"])
        self._winner = int(attack["prediction"])

    def steps(self, left: Collection[str]) -> Iterator[Step]:
        """Yield the steps of these names that are decided, to take the place of what is there.

        Raises Undecided where alpha is not known well enough.
        """
        attack, labels = self._attack, self._data.y_train
        rate, alpha, error = self._alpha(attack["ridge"]["value"])
        if "before" in left:
            yield from _vote(
                "before", self._winner, vote_winner(alpha, labels, rate, alpha_error=error)
            )
        if "radius" in left:
            found = bracket(alpha, labels, rate, self._winner, alpha_error=error)
            yield from self._radius(found)
        if "after" in left:
            labels = labels.copy()
            flips = [int(flip["index"]) for flip in attack["flips"]]
            labels[flips] = 1 - labels[flips]
            if attack["ridge_after"] is not None:
                rate, alpha, error = self._alpha(attack["ridge_after"])
            yield from _vote(
                "after", 1 - self._winner, vote_winner(alpha, labels, rate, alpha_error=error)
            )

    def _radius(self, found: Bracket) -> Iterator[Step]:
        proved, end = (int(self._attack["radius"][name]) for name in ("proved", "refuted_at"))
        last = len(self._data.y_train) + 1 if found.refuted_at is None else found.refuted_at
        if found.proved >= end or last <= proved:
            does = "none do" if found.refuted_at is None else f"{last} do"
            text = f"{found.proved} flips do not change the vote, {does}: by the rigorous engine"
            yield Step("radius", checker.FAILED, text)
        elif proved <= found.proved and last <= end:
            text = f"proved {proved}, refuted at {end}: by the rigorous engine"
            yield Step("radius", checker.CHECKED, text)

    def _alpha(self, ridge: str) -> tuple[Fraction, Any, Fraction]:
        """Return the noise, and alpha at a ridge with a bound on its l1 error."""
        given = self._attack
        rate, features, _, model = fit(
            self._data,
            q=given["noise_model"]["q"],
            ridge=ridge,
            scale=given["scale"]["rule"],
            intercept=given["intercept"],
        )
        own = features.scale.as_json()
        if {**own, "dropped": [str(column) for column in features.scale.dropped]} != given["scale"]:
            raise Undecided("the scaling is not the one that the data give")
        if len(self._data.y_train) <= MAX_ENUMERATED:
            return rate, model.exact_alpha(self._index), Fraction(0)
        point = next(iter(model.points([self._index])))
        if point.alpha_error is None:
            raise Undecided("alpha has no bound on its error")
        return rate, point.alpha, point.alpha_error


def _vote(name: str, expected: int, found: tuple[int | None, str | None]) -> Iterator[Step]:
    """Yield the step that a vote decides, if it does."""
    winner, method = found
    if winner is not None:
        state = checker.CHECKED if winner == expected else checker.FAILED
        yield Step(name, state, f"the vote is {winner}: by {method}, by the rigorous engine")


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
