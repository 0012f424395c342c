"""Signed runs are accepted by verifiers that are not ours, and changed ones refused.

The openssl commands are those of docs/verify.md, taken from it.
"""

import base64
import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from foreign.tsa import make_tsa

HERE = Path(__file__).parent
DOC = (HERE.parents[1] / "docs" / "verify.md").read_text(encoding="utf-8")
INSTALL = "npm ci --ignore-scripts --prefix tests/foreign"
ALGORITHMS = ("p256", "ed25519")

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("openssl", "bash", "sha256sum")),
    reason="docs/verify.md needs openssl, bash and sha256sum: install them",
)


@dataclass(frozen=True)
class Folder:
    """An auditor's folder: copies of a signed run, and the commands of docs/verify.md in it."""

    path: Path
    algorithm: str

    def run(self, section: int, block: int = 0) -> tuple[bool, str]:
        """Run a block of the page; return whether it succeeded, and what it printed."""
        commands, _ = _block(section, block)
        if section == 2:
            commands, _ = self.signature_block()
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", commands],
            cwd=self.path,
            env={**os.environ, "PATH": f"{self.path / 'bin'}{os.pathsep}{os.environ['PATH']}"},
            check=False,
            capture_output=True,
            text=True,
        )
        return done.returncode == 0, done.stdout

    def signature_block(self) -> tuple[str, str]:
        return _block(2, ALGORITHMS.index(self.algorithm))

    def shows_what_the_page_shows(self, section: int, block: int = 0) -> bool:
        expected = self.signature_block()[1] if section == 2 else _block(section, block)[1]
        return self.run(section, block) == (True, expected)

    def bundle(self) -> dict:
        return json.loads((self.path / "bundle.json").read_bytes())

    def write_bundle(self, bundle: dict) -> None:
        text = json.dumps(bundle, sort_keys=True, separators=(",", ":"))
        (self.path / "bundle.json").write_text(text + "\n")

    def edit(self, name: str, old: bytes, new: bytes) -> None:
        data = (self.path / name).read_bytes()
        assert old in data
        (self.path / name).write_bytes(data.replace(old, new, 1))


def _block(section: int, number: int) -> tuple[str, str]:
    """Return the commands of a numbered section's block, and what the page says they print."""
    (text,) = re.findall(
        rf"^\*\*{section}\. (.*?)(?=^\*\*\d\. |^## )", DOC, re.DOTALL | re.MULTILINE
    )
    lines = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[number].splitlines()
    commands = [line for line in lines if not line.startswith("#> ")]
    shown = [line[3:] for line in lines if line.startswith("#> ")]
    assert shown
    return "\n".join(commands), "\n".join(shown) + "\n"


def _certaudit(folder: Path, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "certaudit", *map(str, arguments)],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A small certified run, signed with each algorithm: folders with RUN, keys and data."""
    base = tmp_path_factory.mktemp("signed")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(35, 3)).round(2)
    labels = (rows @ [1, 2, 3] + rng.normal(size=35) / 2 > 0).astype(np.int64)
    arrays = {
        "X_train": rows[:30],
        "y_train": labels[:30],
        "X_test": rows[30:],
        "y_test": labels[30:],
    }
    np.savez(base / "data.npz", **arrays)
    _certaudit(base, "certify", "data.npz", "--q", "1/10", "-o", "run")
    for algorithm in ALGORITHMS:
        folder = base / algorithm
        folder.mkdir()
        shutil.copy(base / "data.npz", folder)
        shutil.copytree(base / "run", folder / "run")
        which = ("--algorithm", "ed25519") if algorithm == "ed25519" else ()
        for name in ("key.pem", "other.pem"):
            _certaudit(folder, "keygen", "-o", name, "--no-passphrase", *which)
        _certaudit(folder, "sign", "run", "--key", "key.pem")
    return base


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return make_tsa(tmp_path_factory.mktemp("authority") / "tsa")


@pytest.fixture(scope="module")
def stamped(signed, authority):
    """The same with a time stamp, in RUN's sibling."""
    for algorithm in ALGORITHMS:
        folder = signed / algorithm
        shutil.copytree(folder / "run", folder / "stamped")
        _certaudit(folder, "timestamp", "stamped", "--signature-out", "signature.bin")
        response = authority.stamp((folder / "signature.bin").read_bytes())
        (folder / "response.tsr").write_bytes(response)
        _certaudit(folder, "timestamp", "stamped", "--attach", "response.tsr")
    return signed


@pytest.fixture(scope="session")
def sigstore():
    """The folder node_modules with Sigstore's verifier, in a cache of the user's."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip(
            f"SIGSTORE'S VERIFIER WAS NOT RUN: no node and npm. Install them; then: {INSTALL}"
        )
    if (HERE / "node_modules" / "@sigstore" / "verify").is_dir():
        return HERE / "node_modules"
    lock = (HERE / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "certaudit-tests"
    installed = cache / f"npm-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not installed.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fresh = Path(folder, "npm")
            _install(fresh)
            with contextlib.suppress(OSError):  # another process was faster
                fresh.rename(installed)
    return installed / "node_modules"


def _install(folder: Path) -> None:
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0"]
    try:
        done = subprocess.run(
            command, cwd=folder, check=False, capture_output=True, text=True, timeout=20
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"SIGSTORE'S VERIFIER WAS NOT RUN: npm did not answer in time. Run: {INSTALL}")
    if "EINTEGRITY" in done.stderr:
        pytest.fail(done.stderr)
    if done.returncode:
        (said,) = re.findall(r"npm error code (\w+)", done.stderr)[:1] or ["for no given reason"]
        pytest.skip(f"SIGSTORE'S VERIFIER WAS NOT RUN: npm failed ({said}). Run: {INSTALL}")


def _folder(path: Path, source: Path, run: str) -> Folder:
    for name in ("records.jsonl", "bundle.json", "run.json"):
        shutil.copy(source / run / name, path)
    for name in ("key.pub.pem", "data.npz"):
        shutil.copy(source / name, path)
    (path / "bin").mkdir()
    python = path / "bin" / "python3"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    return Folder(path, source.name)


@pytest.fixture(params=ALGORITHMS)
def folder(request, signed, tmp_path):
    return _folder(tmp_path, signed / request.param, "run")


@pytest.fixture(params=ALGORITHMS)
def stamped_folder(request, stamped, authority, tmp_path):
    made = _folder(tmp_path, stamped / request.param, "stamped")
    shutil.copy(authority.ca, tmp_path / "ca.pem")
    return made


def _use_sigstore(folder: Folder, modules: Path) -> None:
    shutil.copy(HERE / "verify.mjs", folder.path)
    (folder.path / "node_modules").symlink_to(modules, target_is_directory=True)


def _sigstore_error(folder: Folder) -> str | None:
    done = subprocess.run(
        ["node", "verify.mjs"], cwd=folder.path, check=False, capture_output=True, text=True
    )
    if done.returncode == 0:
        return None
    return re.findall(r"code: '(\w+)'", done.stderr)[0]


def _fingerprint(folder: Folder) -> str:
    """Return the key's SHA-256, as the page's first command prints it."""
    (command,) = re.findall(r"^```sh\n(openssl pkey .*)\n```", DOC, re.MULTILINE)
    done = subprocess.run(["bash", "-c", command], cwd=folder.path, check=True, capture_output=True)
    return done.stdout.split()[0].decode()


def _flip(data: bytes) -> bytes:
    """Change the last byte: of a signature's last number, or of a statement's text."""
    return data[:-1] + bytes([data[-1] ^ 1])


def _change_payload(folder):
    bundle = folder.bundle()
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    changed = payload.replace(b'"name":"records.jsonl"', b'"name":"records.jsonL"')
    assert changed != payload
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(changed).decode()
    folder.write_bundle(bundle)


def _change_signature(folder):
    bundle = folder.bundle()
    (signature,) = bundle["dsseEnvelope"]["signatures"]
    signature["sig"] = base64.b64encode(_flip(base64.b64decode(signature["sig"]))).decode()
    folder.write_bundle(bundle)


def _change_key(folder, signed):
    shutil.copy(signed / folder.algorithm / "other.pub.pem", folder.path / "key.pub.pem")


def test_the_page_holds_for_a_signed_run(folder):
    assert folder.shows_what_the_page_shows(1)
    assert folder.shows_what_the_page_shows(2)
    assert folder.shows_what_the_page_shows(3)
    assert folder.shows_what_the_page_shows(3, 1)
    assert folder.shows_what_the_page_shows(4)


def test_the_hint_is_the_digest_of_the_key(folder):
    hint = folder.bundle()["verificationMaterial"]["publicKey"]["hint"]
    assert base64.b64decode(hint).hex() == _fingerprint(folder)


def test_the_fingerprint_printed_is_the_one_on_the_page(folder, signed):
    key = signed / folder.algorithm / "key.pem"
    printed = _certaudit(folder.path, "sign", signed / folder.algorithm / "run", "--key", key)
    assert printed.split() == [_fingerprint(folder)]


def test_openssl_can_sign(folder, signed):
    source = signed / folder.algorithm
    shutil.copytree(source / "run", folder.path / "run")
    (folder.path / "run" / "bundle.json").unlink()
    _certaudit(folder.path, "sign", "run", "--pae-out", "pae")
    sign = {
        "p256": "dgst -sha256 -sign key.pem -out sig pae",
        "ed25519": "pkeyutl -sign -inkey key.pem -rawin -in pae -out sig",
    }
    shutil.copy(source / "key.pem", folder.path)
    command = ["openssl", *sign[folder.algorithm].split()]
    subprocess.run(command, cwd=folder.path, check=True, capture_output=True)
    _certaudit(folder.path, "sign", "run", "--signature", "sig", "--key", "key.pub.pem")
    shutil.copy(folder.path / "run" / "bundle.json", folder.path)
    assert folder.run(1)[0]
    assert folder.shows_what_the_page_shows(2)


def test_a_proof_of_inclusion_follows_rfc_9162(folder, signed):
    assert folder.run(1)[0]
    tree = json.loads((folder.path / "payload.json").read_bytes())["predicate"]["tree"]
    for line in (folder.path / "records.jsonl").read_bytes().splitlines():
        record = json.loads(line)
        run = signed / folder.algorithm / "run"
        arguments = (run, "--index", record["index"], "-o", "proof.json")
        _certaudit(folder.path, "prove-inclusion", *arguments)
        proof = json.loads((folder.path / "proof.json").read_bytes())
        assert proof["record"] == record
        node, fn, sn = (
            hashlib.sha256(b"\0" + line).digest(),
            int(proof["leaf"]),
            int(tree["size"]) - 1,
        )
        for sibling in map(bytes.fromhex, proof["path"]):  # RFC 9162, section 2.1.3.2
            assert sn
            if fn & 1 or fn == sn:
                node = hashlib.sha256(b"\1" + sibling + node).digest()
                while fn and not fn & 1:
                    fn, sn = fn >> 1, sn >> 1
            else:
                node = hashlib.sha256(b"\1" + node + sibling).digest()
            fn, sn = fn >> 1, sn >> 1
        assert (sn, node.hex()) == (0, tree["root"])


def test_openssl_refuses_what_was_not_signed(folder, signed):
    original = folder.bundle()
    for change in (_change_payload, _change_signature):
        change(folder)
        assert folder.run(1)[0]
        accepted, printed = folder.run(2)
        assert not accepted
        assert printed != folder.signature_block()[1]
        folder.write_bundle(original)
    assert folder.run(1)[0]
    assert folder.run(2)[0]
    _change_key(folder, signed)
    accepted, printed = folder.run(2)
    assert not accepted
    assert printed != folder.signature_block()[1]


def test_other_records_and_data_are_noticed(folder):
    assert folder.run(1)[0]
    assert folder.run(3)[0]
    folder.edit("records.jsonl", b'"decided":true', b'"decided":True')
    assert not folder.run(3)[0]
    data = dict(np.load(folder.path / "data.npz"))
    data["y_train"][0] ^= 1
    np.savez(folder.path / "data.npz", **data)
    assert not folder.run(3, 1)[0]


def test_another_record_or_run_is_not_in_the_tree(folder):
    assert folder.run(1)[0]
    folder.edit("records.jsonl", b'"index":"1"', b'"index":"9"')
    assert folder.run(4)[1] == "run.json: True, run of all records: True, tree: False\n"
    folder.edit("records.jsonl", b'"run":"', b'"run":"0')
    folder.edit("run.json", b'"label-flip"', b'"label-flap"')
    assert folder.run(4)[1] == "run.json: False, run of all records: False, tree: False\n"


def test_sigstore_accepts_a_signed_run(folder, sigstore):
    _use_sigstore(folder, sigstore)
    assert folder.shows_what_the_page_shows(5)


def test_sigstore_refuses_what_was_not_signed(folder, signed, sigstore):
    _use_sigstore(folder, sigstore)
    original = folder.bundle()
    for change in (_change_payload, _change_signature):
        change(folder)
        assert _sigstore_error(folder) == "SIGNATURE_ERROR"
        folder.write_bundle(original)
    assert _sigstore_error(folder) is None
    _change_key(folder, signed)
    assert _sigstore_error(folder) == "PUBLIC_KEY_ERROR"
    # with another key's hint it is the signature that fails
    digest = bytes.fromhex(_fingerprint(folder))
    original["verificationMaterial"]["publicKey"]["hint"] = base64.b64encode(digest).decode()
    folder.write_bundle(original)
    assert _sigstore_error(folder) == "SIGNATURE_ERROR"


def test_openssl_accepts_the_time_stamp(stamped_folder):
    for section in (1, 2, 7):
        assert stamped_folder.shows_what_the_page_shows(section)


def test_sigstore_accepts_the_time_stamp(stamped_folder, sigstore):
    assert stamped_folder.run(1)[0]
    assert stamped_folder.run(7)[0]
    _use_sigstore(stamped_folder, sigstore)
    expected = _block(5, 0)[1].replace("0", "1")
    assert stamped_folder.run(5) == (True, expected)


def _stamp_something_else(folder, authority):
    bundle = folder.bundle()
    stamps = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    other = authority.stamp(b"another signature")
    stamps[0]["signedTimestamp"] = base64.b64encode(other).decode()
    folder.write_bundle(bundle)


def test_openssl_refuses_other_time_stamps(stamped_folder, authority, tmp_path):
    assert stamped_folder.run(1)[0]
    shutil.copy(make_tsa(tmp_path / "other").ca, stamped_folder.path / "ca.pem")
    assert not stamped_folder.run(7)[0]
    shutil.copy(authority.ca, stamped_folder.path / "ca.pem")
    assert stamped_folder.run(7)[0]
    _stamp_something_else(stamped_folder, authority)
    assert stamped_folder.run(1)[0]
    assert stamped_folder.run(2)[0]
    assert not stamped_folder.run(7)[0]


def test_sigstore_refuses_other_time_stamps(stamped_folder, authority, sigstore, tmp_path):
    _use_sigstore(stamped_folder, sigstore)
    other = make_tsa(tmp_path / "other")
    shutil.copy(other.ca, stamped_folder.path / "ca.pem")
    shutil.copy(other.certificate, stamped_folder.path / "tsa.pem")
    assert _sigstore_error(stamped_folder) == "TIMESTAMP_ERROR"
    shutil.copy(authority.ca, stamped_folder.path / "ca.pem")
    shutil.copy(authority.certificate, stamped_folder.path / "tsa.pem")
    assert _sigstore_error(stamped_folder) is None
    _stamp_something_else(stamped_folder, authority)
    assert _sigstore_error(stamped_folder) == "TIMESTAMP_ERROR"


def test_the_versions_are_pinned_and_name_no_host():
    wanted = json.loads((HERE / "package.json").read_bytes())["dependencies"]
    lock = (HERE / "package-lock.json").read_text()
    packages = json.loads(lock)["packages"]
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version
        assert f"`{name}` {version}" in DOC
    assert all(re.match("sha512-", p["integrity"]) for name, p in packages.items() if name)
    assert "resolved" not in lock
    assert "://" not in lock


def test_a_report_is_signed_as_its_page_says(tmp_path):
    page = (HERE.parents[1] / "docs" / "report.md").read_text(encoding="utf-8")
    sign, check = re.findall(r"^\$ (openssl .*)$", page, re.MULTILINE)
    (told,) = re.findall(r"^\$ openssl dgst .*-verify.*\n(.*)$", page, re.MULTILINE)
    command = [sys.executable, "-m", "certaudit", "keygen", "-o", "key.pem", "--no-passphrase"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    report = tmp_path / "report.pdf"
    report.write_bytes(b"%PDF-1.7")

    def run(line):
        done = subprocess.run(
            shlex.split(line), cwd=tmp_path, capture_output=True, check=False, text=True
        )
        return done.returncode, done.stdout

    assert run(sign)[0] == 0
    assert run(check) == (0, told + "\n")
    report.write_bytes(b"%PDF-1.6")
    assert run(check)[0] == 1
