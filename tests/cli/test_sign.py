"""Keys, signing, time stamps, proofs and packing, as people run them."""

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from certaudit.cli.exit_codes import Exit
from certaudit.records.keys import load_private, load_public

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
MADE = {"records.jsonl", "bundle.json"}
WORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Stand in a folder with an unsigned run and the keys for tests, as their owner."""
    monkeypatch.delenv("CERTAUDIT_PASSPHRASE", raising=False)
    Path("run").mkdir()
    for name in ("run.json", "certificates.jsonl"):
        shutil.copyfile(GOLDEN / name, Path("run") / name)
    for path in GOLDEN.glob("test-only-*.pem"):
        place = Path(path.name.removeprefix("test-only-"))
        shutil.copyfile(path, place)
        place.chmod(0o600)
    return tmp_path


@pytest.fixture
def signed():
    """Sign the run as the files of version 1 are."""
    for name in MADE:
        shutil.copyfile(GOLDEN / name, Path("run") / name)


def refuses(result, words, code=Exit.USAGE):
    """Check that a command ended with one line on stderr that says so."""
    assert (result.code, result.out) == (code, "")
    assert result.err.count("\n") == 1
    assert result.err.startswith("certaudit: ")
    assert words in result.err


# --------------------------------------------------------------------------- keygen


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ed25519"])
def test_keygen(invoke, algorithm):
    Path("word").write_text(WORD + "\n")
    made = invoke("keygen", "-o", "k.pem", "--algorithm", algorithm, "--passphrase-file", "word")
    assert (made.code, made.err) == (0, "wrote k.pem and k.pub.pem\n")
    public = load_public(Path("k.pub.pem"))
    assert made.out == f"{public.fingerprint}\n"
    assert public.algorithm == algorithm
    assert stat.S_IMODE(Path("k.pem").stat().st_mode) == 0o600
    private = load_private(Path("k.pem"), WORD.encode)
    assert private.public.fingerprint == public.fingerprint
    done = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", "k.pub.pem", "-outform", "DER"],
        capture_output=True,
        check=True,
    )
    assert sha256(done.stdout).hexdigest() == public.fingerprint
    again = invoke("keygen", "-o", "k.pem", "--no-passphrase")
    refuses(again, "k.pem: is there already; a key is never overwritten")


def test_keygen_asks_twice(monkeypatch, invoke):
    answers = iter([WORD, "other", WORD, WORD])
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: next(answers))
    monkeypatch.setattr("certaudit.cli.keygen._somebody_to_ask", lambda: True)
    assert invoke("keygen", "-o", "k.pem").code == 0
    assert next(answers, None) is None
    assert load_private(Path("k.pem"), WORD.encode)


def test_keygen_in_the_environment(monkeypatch, invoke):
    monkeypatch.setenv("CERTAUDIT_PASSPHRASE", WORD)
    assert invoke("keygen", "-o", "k.pem").code == 0
    assert invoke("sign", "run", "--key", "k.pem").code == 0
    monkeypatch.setenv("CERTAUDIT_PASSPHRASE", "wrong")
    refuses(invoke("sign", "run", "--key", "k.pem"), "k.pem: the passphrase is wrong")
    monkeypatch.setenv("CERTAUDIT_PASSPHRASE", "")
    refuses(invoke("sign", "run", "--key", "k.pem"), "CERTAUDIT_PASSPHRASE: holds no passphrase")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "word: No such file"),
        (b"", "word: holds no passphrase"),
        (b"\n", "word: holds no passphrase"),
        (b"a\nb\n", "a passphrase is one line"),
        (b"a" * 2000, "at most 1024 bytes"),
    ],
)
def test_keygen_passphrase_files(invoke, content, words):
    if content is not None:
        Path("word").write_bytes(content)
    refuses(invoke("keygen", "-o", "k.pem", "--passphrase-file", "word"), words)
    assert not Path("k.pem").exists()


def test_keygen_usage(invoke):
    arguments = ("--no-passphrase", "--passphrase-file", "word")
    refuses(invoke("keygen", "-o", "k.pem", *arguments), "exclude each other")
    refuses(invoke("keygen", "-o", "no/k.pem", "--no-passphrase"), "no/k.pem: No such file")
    refuses(invoke("keygen", "-o", "k.pem", "--algorithm", "rsa"), "'rsa'")
    Path("p.pub.pem").write_text("mine")
    refuses(invoke("keygen", "-o", "p.pem", "--no-passphrase"), "p.pub.pem: is there already")
    assert not Path("p.pem").exists()


def test_without_a_terminal_nobody_is_asked(run):
    done = run("keygen", "-o", "k.pem", stdin=subprocess.DEVNULL)
    assert done.code != 0
    assert not Path("k.pem").exists()


# ----------------------------------------------------------------------------- sign


def test_sign_makes_the_files_of_version_1(invoke, tree):
    before = tree("run")
    done = invoke("sign", "run", "--key", "ed25519.pem", "--annotation", "purpose=test")
    assert done.code == 0
    assert done.out == f"{load_public(Path('ed25519.pub.pem')).fingerprint}\n"
    assert "5 records, Merkle root 24d3109c" in done.err
    after = tree("run")
    assert {Path(name).name for name in after.keys() - before.keys()} == MADE
    for name in MADE:
        assert Path("run", name).read_bytes() == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ed25519"])
def test_sign_with_a_key_kept_elsewhere(invoke, algorithm, tree):
    before = tree("run")
    assert invoke("sign", "run", "--pae-out", "pae", "--annotation", "a=b=c").code == 0
    assert tree("run") == before
    private = load_private(Path(f"{algorithm}.pem"), bytes)
    der = private.sign(Path("pae").read_bytes())
    forms = [der]
    if algorithm == "ecdsa-p256":
        forms.append(b"".join(n.to_bytes(32, "big") for n in decode_dss_signature(der)))
    for form in forms:
        Path("sig").write_bytes(form)
        options = ("--signature", "sig", "--key", f"{algorithm}.pub.pem")
        wrong = invoke("sign", "run", *options)
        refuses(wrong, "over this run and these annotations", Exit.UNVERIFIED)
        done = invoke("sign", "run", *options, "--annotation", "a=b=c")
        assert done.code == 0
        assert invoke("prove-inclusion", "run", "--index", "0", "-o", "p").code == 0


def test_openssl_signs_as_well(invoke):
    assert invoke("sign", "run", "--pae-out", "pae").code == 0
    command = ["openssl", "dgst", "-sha256", "-sign", "ecdsa-p256.pem", "-out", "sig", "pae"]
    subprocess.run(command, check=True)
    options = ("--signature", "sig", "--key", "ecdsa-p256.pub.pem")
    assert invoke("sign", "run", *options).code == 0


KEY = ("--key", "ed25519.pem")
BAD = {
    "no run": (("nothing", *KEY), "nothing: is not a run folder"),
    "a file": (("ed25519.pem", *KEY), "is not a run folder"),
    "no key": (("run",), "--key KEY is needed, or --pae-out FILE"),
    "key not there": (("run", "--key", "none.pem"), "none.pem: No such file"),
    "public key": (("run", "--key", "ed25519.pub.pem"), "is a public key, not the private key"),
    "private key": (
        ("run", "--key", "ed25519.pem", "--signature", "ed25519.pub.pem"),
        "is a private key; give the public one",
    ),
    "a certificate": (("run", "--key", "tsa.pem"), "is a certificate, not the private key"),
    "no PEM": (("run", "--key", "run/run.json"), "is not a PEM file"),
    "annotation": (("run", *KEY, "--annotation", "x"), "is not NAME=TEXT"),
    "annotation without a name": (("run", *KEY, "--annotation", "=x"), "is not NAME=TEXT"),
    "annotation not ASCII": (("run", *KEY, "--annotation", "é=x"), "NAME in ASCII"),
    "annotation twice": (
        ("run", *KEY, "--annotation", "a=x", "--annotation", "a=y"),
        "'a' is given twice",
    ),
    "both": (("run", *KEY, "--pae-out", "x"), "--pae-out takes neither"),
    "signature not there": (
        ("run", "--key", "ed25519.pub.pem", "--signature", "none"),
        "none: No such file",
    ),
    "signature too long": (
        ("run", "--key", "ed25519.pub.pem", "--signature", "run/run.json"),
        "is longer than 1024 bytes",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_sign_refuses(invoke, tree, case):
    Path("run/run.json").chmod(0o600)
    before = tree()
    arguments, words = BAD[case]
    refuses(invoke("sign", *arguments), words)
    assert tree() == before


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("run.json", b'"vote"', b'"vOte"', "run/run.json: object contains unknown field `vOte`"),
        ("run.json", b'"1/10"', b'"1/2"', "strictly between 0 and 1/2"),
        ("certificates.jsonl", b"0x1", b"0x01", "run/certificates.jsonl line 2: "),
        ("certificates.jsonl", b'"kl": 2,', b'"kl": 2.0,', "run/certificates.jsonl line 2: "),
    ],
)
def test_sign_refuses_a_bad_run(invoke, name, old, new, words):
    place = Path("run", name)
    place.write_bytes(place.read_bytes().replace(old, new, 1))
    refuses(invoke("sign", "run", *KEY), words)
    assert not Path("run/bundle.json").exists()


def test_a_key_that_others_may_read(invoke):
    Path("ed25519.pem").chmod(0o644)
    refuses(invoke("sign", "run", *KEY), "others than its owner may use it (mode 0644)")


@pytest.mark.usefixtures("signed")
def test_signing_again(invoke):
    assert invoke("sign", "run", "--key", "ecdsa-p256.pem").code == 0
    shutil.copyfile(GOLDEN / "bundle-timestamp.json", "run/bundle.json")
    before = Path("run/bundle.json").read_bytes()
    refuses(invoke("sign", "run", *KEY), "carries a time stamp")
    assert Path("run/bundle.json").read_bytes() == before
    Path("run/bundle.json").write_text("{}\n")
    refuses(invoke("sign", "run", *KEY), "it is left alone: move it away to sign")
    assert Path("run/bundle.json").read_text() == "{}\n"


@pytest.mark.usefixtures("signed")
def test_a_signed_run_is_not_written_over(invoke):
    shutil.copyfile(GOLDEN / "data.npz", "data.npz")
    refuses(invoke("certify", "data.npz", "-o", "run", "--q", "0.1"), "it is left alone")


# ------------------------------------------------------------------------- timestamp


@pytest.mark.usefixtures("signed")
def test_timestamp(invoke):
    assert invoke("timestamp", "run", "--signature-out", "sig").code == 0
    assert len(Path("sig").read_bytes()) == 64
    done = invoke("timestamp", "run", "--attach", GOLDEN / "timestamp.tsr")
    assert done.code == 0
    assert "certaudit verify --tsa-ca" in done.err
    expected = (GOLDEN / "bundle-timestamp.json").read_bytes()
    assert Path("run/bundle.json").read_bytes() == expected
    again = invoke("timestamp", "run", "--attach", GOLDEN / "timestamp.tsr")
    refuses(again, "carries a time stamp already")
    command = ["openssl", "ts", "-verify", "-data", "sig", "-in", GOLDEN / "timestamp.tsr"]
    subprocess.run([*command, "-CAfile", "tsa.pem"], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run",), "give --signature-out FILE or --attach RESPONSE"),
        (("run", "--attach", "a", "--signature-out", "b"), "give --signature-out FILE or"),
        (("run", "--attach", "none"), "none: No such file"),
        (("run", "--attach", "tsa.pem"), "tsa.pem: is not a DER time stamp response"),
        (("other", "--signature-out", "x"), "other: is not signed (no bundle.json)"),
        (("none", "--signature-out", "x"), "none/bundle.json: No such file"),
    ],
)
@pytest.mark.usefixtures("signed")
def test_timestamp_refuses(invoke, tree, arguments, words):
    Path("other").mkdir()
    before = tree()
    refuses(invoke("timestamp", *arguments), words)
    assert tree() == before


def test_a_stamp_of_another_signature(invoke):
    assert invoke("sign", "run", "--key", "ecdsa-p256.pem").code == 0
    done = invoke("timestamp", "run", "--attach", GOLDEN / "timestamp.tsr")
    refuses(done, "timestamp.tsr: stamps other bytes than this signature")


# ------------------------------------------------------------------- prove-inclusion


@pytest.mark.usefixtures("signed")
def test_prove_inclusion(invoke):
    done = invoke("prove-inclusion", "run", "--index", "2", "-o", "proof.json")
    assert (done.code, done.out, done.err) == (0, "", "wrote proof.json\n")
    assert Path("proof.json").read_bytes() == (GOLDEN / "proof.json").read_bytes()


@pytest.mark.usefixtures("signed")
def test_prove_inclusion_refuses(invoke):
    arguments = ("prove-inclusion", "run", "-o", "p", "--index")
    refuses(invoke(*arguments, "5"), "no record is of row 5")
    refuses(invoke(*arguments, "-1"), "--index")
    records = Path("run/records.jsonl")
    records.write_bytes(records.read_bytes().replace(b'"24"', b'"23"', 1))
    refuses(invoke(*arguments, "2"), "is not the file that was signed", Exit.UNVERIFIED)
    records.unlink()
    refuses(invoke(*arguments, "2"), "run/records.jsonl: No such file")
    assert not Path("p").exists()


# ------------------------------------------------------------------------------ pack


def contents(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(archive.namelist())
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.usefixtures("signed")
def test_pack(invoke):
    shutil.copyfile(GOLDEN / "bundle-timestamp.json", "run/bundle.json")
    Path("note.txt").write_text("a note")
    options = ("--key", "ed25519.pub.pem", "--attach", "note.txt")
    done = invoke("pack", "run", *options, "-o", "a.zip")
    assert done.code == 0
    fingerprint = load_public(Path("ed25519.pub.pem")).fingerprint
    assert done.out == f"{fingerprint}\n"
    found = contents("a.zip")
    text = found["READ-ME-FIRST.txt"].decode("ascii")
    assert found.keys() == {
        *("READ-ME-FIRST.txt", "attachments/note.txt", "bundle.json", "certificates.jsonl"),
        *("checker.py", "key.pub.pem", "records.jsonl", "run.json", "timestamp.tsr"),
    }
    for name in ("run.json", "certificates.jsonl", "records.jsonl", "bundle.json"):
        assert found[name] == Path("run", name).read_bytes()
    assert found["checker.py"] == files("certaudit").joinpath("checker.py").read_bytes()
    assert found["timestamp.tsr"] == (GOLDEN / "timestamp.tsr").read_bytes()
    for name, data in found.items():
        assert name == "READ-ME-FIRST.txt" or f"{sha256(data).hexdigest()}  {name}\n" in text
    assert fingerprint in text
    assert "python3 -I checker.py . --key key.pub.pem\n" in text
    assert "attachments/ are not signed" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    # Another time, another place, other dates of the files: the same bytes.
    for path in Path("run").iterdir():
        os.utime(path, (0, 0))
    assert invoke("pack", "run", *options, "-o", "b.zip").code == 0
    assert Path("a.zip").read_bytes() == Path("b.zip").read_bytes()


@pytest.mark.usefixtures("signed")
def test_the_pack_is_checked_by_what_is_in_it(invoke):
    assert invoke("pack", "run", "--key", "ed25519.pub.pem", "-o", "a.zip").code == 0
    found = contents("a.zip")
    assert "attachments" not in found["READ-ME-FIRST.txt"].decode().partition("SHA-256 of each")[0]
    assert "timestamp.tsr" not in found
    with zipfile.ZipFile("a.zip") as archive:
        archive.extractall("there")
    command = [sys.executable, "-I", "checker.py", ".", "--key", "key.pub.pem"]
    done = subprocess.run(command, cwd="there", capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("signed")
def test_pack_refuses(invoke, tree):
    Path("d").mkdir()
    Path("d/note").write_text("a")
    Path("note").write_text("b")
    key = ("--key", "ed25519.pub.pem")
    before = tree()
    for options, words, code in (
        (("--key", "ecdsa-p256.pub.pem"), "was signed with another key", Exit.UNVERIFIED),
        (("--key", "ed25519.pem"), "is a private key; give the public one", Exit.USAGE),
        ((*key, "--attach", "note", "--attach", "d/note"), "have the name 'note'", Exit.USAGE),
        ((*key, "--attach", "none"), "none: No such file", Exit.USAGE),
        ((*key, "--attach", "d"), "d: ", Exit.USAGE),
    ):
        refuses(invoke("pack", "run", *options, "-o", "a.zip"), words, code)
    assert tree() == before


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (
            "run.json",
            b'"data.npz"',
            b'"other.npz"',
            "run.json: 'source' is not as signed; nothing is packed",
        ),
        (
            *("certificates.jsonl", b'"kl": 2,', b'"kl": 3,'),
            "certificates.jsonl, line 2: not the signed record; nothing is packed",
        ),
        ("records.jsonl", b'"kl":"2"', b'"kl":"3"', "is not the file that was signed"),
    ],
)
@pytest.mark.usefixtures("signed")
def test_pack_refuses_what_is_not_signed(invoke, name, old, new, words):
    place = Path("run", name)
    changed = place.read_bytes().replace(old, new, 1)
    assert changed != place.read_bytes()
    place.write_bytes(changed)
    done = invoke("pack", "run", "--key", "ed25519.pub.pem", "-o", "a.zip")
    refuses(done, words, Exit.UNVERIFIED)
    assert not Path("a.zip").exists()


# --------------------------------------------------------------------------- together


def test_from_certify_to_the_pack(invoke):
    shutil.copyfile(GOLDEN / "data.npz", "data.npz")
    assert invoke("certify", "data.npz", "-o", "new", "--q", "0.3").code == 0
    assert invoke("keygen", "-o", "k.pem", "--no-passphrase").code == 0
    assert invoke("sign", "new", "--key", "k.pem").code == 0
    assert invoke("pack", "new", "--key", "k.pub.pem", "-o", "a.zip").code == 0
    record = json.loads(io.BytesIO(contents("a.zip")["records.jsonl"]).readline())
    assert record["radius"].keys() == {"kl"}
    assert "tight" not in json.loads(contents("a.zip")["run.json"])["certified_accuracy"]


def test_help_loads_neither_cryptography_nor_msgspec():
    code = (
        "import sys, certaudit.cli.main as m; m.main(['--help']); "
        "sys.exit(bool({'cryptography', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
