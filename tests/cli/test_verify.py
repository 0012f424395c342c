"""What `verify` says: time stamps, samples, what was left, and text that an issuer chose."""

import base64
import json
import os
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

import certaudit
from certaudit import checker
from certaudit.cli.main import main
from certaudit.errors import InputError, Untrusted
from certaudit.exact import format_rational, parse_rational
from certaudit.records import bundle, keys
from certaudit.records.evidence import read_evidence
from certaudit.records.from_run import read_run
from certaudit.records.timestamp import stamped_at

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
DATA = GOLDEN / "data.npz"
ED = GOLDEN / "test-only-ed25519.pub.pem"
CHECKER = Path(certaudit.__file__).with_name("checker.py")


@pytest.fixture
def signed(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("run.json", "certificates.jsonl", "records.jsonl", "bundle.json"):
        shutil.copy(GOLDEN / name, folder / name)
    return folder


def verify(*arguments, capsys):
    capsys.readouterr()
    code = main(["verify", *map(str, arguments)])
    return code, capsys.readouterr()


def alone(*arguments):
    command = [sys.executable, "-I", "-S", CHECKER, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_both_say_the_same(signed, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for more in ((), ("--data", DATA), ("--require-all",), ("--sample", "1", "--seed", "s")):
        code, printed = verify(signed, "--key", ED, *more, capsys=capsys)
        done = alone(signed, "--key", ED, *more)
        assert (code, printed.out) == (done.returncode, done.stdout), more


def test_the_interface_for_python(signed):
    found = certaudit.verify(signed, key=ED)
    assert found.exit_code == 0
    assert {step.name for step in found.left} == {"alpha", "log_error", "unsmoothed"}
    assert found.failed == ()
    with pytest.raises(TypeError, match="three states"):
        bool(found)
    assert certaudit.verify(signed, key=ED, require_all=True).exit_code == 3
    assert certaudit.verify(signed, key=ED, data=DATA, require_all=True).exit_code == 0
    (signed / "records.jsonl").write_bytes(b"{}\n")
    found = certaudit.verify(signed, key=ED)
    assert (found.exit_code, found.failed[0].name) == (4, "trust")
    with pytest.raises(InputError, match="sample"):
        certaudit.verify(signed, key=ED, sample=3)


def test_json(signed, capsys):
    code, printed = verify(signed, "--key", ED, "--format", "json", capsys=capsys)
    found = json.loads(printed.out)
    assert (code, found["exit_code"]) == (0, 0)
    assert found["conclusion"] == "verified, but not checked: alpha, log_error, unsmoothed"
    assert {step["state"] for step in found["steps"]} == {"checked", "not checked"}


def test_a_sample_speaks_for_the_others_only_with_the_data(signed, capsys):
    sample = ("--sample", "2", "--seed", "mine")
    code, printed = verify(signed, "--key", ED, *sample, capsys=capsys)
    words = " ".join(printed.out.split())
    assert (code, "nothing follows for the others" in words) == (0, True)
    assert "sure" not in words
    code, printed = verify(signed, "--key", ED, "--data", DATA, *sample, capsys=capsys)
    words = " ".join(printed.out.split())
    assert (code, "95 % sure that at most" in words) == (0, True)
    assert words.endswith("verified, but not checked: unsmoothed, other records")


def test_the_draw_depends_on_what_was_signed():
    drawn = [checker.pick(range(1000), 5, f"seed {root}") for root in ("aa", "ab")]
    assert drawn[0] != drawn[1]


def test_what_an_issuer_wrote_is_not_printed_as_it_is(signed, capsys):
    """Nor can it draw steps: CSI sequences, and lines padded to the width."""
    run = json.loads((GOLDEN / "run.json").read_text())
    evil = "\x1b[2J\x1b[Hchecked      log_error" + " " * 60 + "checked      alpha   "
    run["assumptions"] = [{"what": evil, "value": evil, "label_free": "checked"}]
    run["source"] = run["engine"] = run["findings"] = evil
    run["findings"] = [{"code": "CA201", "name": evil, "message": evil}]
    content = (json.dumps(run, indent=1) + "\n").encode()
    unsigned = read_run(content, (GOLDEN / "certificates.jsonl").read_bytes())
    private = keys.generate("ed25519")
    (signed / "run.json").write_bytes(content)
    (signed / "records.jsonl").write_bytes(unsigned.lines)
    (signed / "bundle.json").write_bytes(bundle.sign(unsigned.payload({}), private))
    key = signed.parent / "key.pub.pem"
    key.write_bytes(private.public.pem)
    code, printed = verify(signed, "--key", key, capsys=capsys)
    for out in (printed.out, alone(signed, "--key", key).stdout):
        assert "\x1b" not in out
        assert not any(line.startswith("checked      log_error") for line in out.splitlines())
        assert "not checked  log_error" in out
    assert code == 0


def test_a_proof_says_that_accuracies_were_not_checked(capsys):
    code, printed = verify(GOLDEN / "proof.json", "--key", ED, "--data", DATA, capsys=capsys)
    assert code == 0
    assert printed.out.splitlines()[-1] == "verified, but not checked: records, figures"
    code, _ = verify(GOLDEN / "proof.json", "--key", ED, "--require-all", capsys=capsys)
    assert code == 3


needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="NO OPENSSL: time stamps were not verified"
)


@needs_openssl
def test_the_date_is_that_of_the_stamp(signed, capsys):
    """A response has a status text that nobody signed, and openssl prints it line by line."""
    shutil.copy(GOLDEN / "bundle-timestamp.json", signed / "bundle.json")
    stamped = bundle.read_bundle((signed / "bundle.json").read_bytes())
    true = stamped_at(stamped.timestamp, stamped.signature)
    forged = with_status_text(stamped.timestamp, b"x\nTime stamp: Jan  1 00:00:00 2015 GMT")
    content = json.loads((signed / "bundle.json").read_text())
    material = content["verificationMaterial"]["timestampVerificationData"]
    material["rfc3161Timestamps"][0]["signedTimestamp"] = base64.b64encode(forged).decode()
    ca = ("--tsa-ca", GOLDEN / "test-only-tsa.pem")
    for data in (None, (json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n")):
        if data is not None:
            (signed / "bundle.json").write_text(data)
        code, printed = verify(signed, "--key", ED, *ca, capsys=capsys)
        words = " ".join(printed.out.split())
        assert "2015" not in words
        assert f"time stamp the signature existed at {true}" in words
        assert code == 0


@needs_openssl
def test_a_stamp_of_another_authority(signed, capsys):
    shutil.copy(GOLDEN / "bundle-timestamp.json", signed / "bundle.json")
    other = signed.parent / "other.pem"
    other.write_bytes(ED.read_bytes())
    code, printed = verify(signed, "--key", ED, "--tsa-ca", other, capsys=capsys)
    assert (code, "NOT VERIFIED" in printed.out) == (4, True)
    code, printed = verify(signed, "--key", ED, capsys=capsys)
    assert (code, "not checked  time stamp" in printed.out) == (0, True)


def with_status_text(response, text):
    """Return a response (DER) with a statusString before its stamp."""

    def element(tag, content):
        size = len(content)
        length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
        return bytes([tag]) + length + content

    assert response[:2] == b"\x30\x82"
    assert response[4:9] == b"\x30\x03\x02\x01\x00"
    status = element(0x30, b"\x02\x01\x00" + element(0x30, element(0x0C, text)))
    return element(0x30, status + response[9:])


# Keys under which a signature binds nobody, or that are spelled twice.

SMALL_ORDER = ["00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f"]
SMALL_ORDER += ["26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"]
SMALL_ORDER += ["c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"]
NOT_CANONICAL = ["ed" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f", "ff" * 32]


@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize("point", SMALL_ORDER + NOT_CANONICAL)
def test_a_point_that_is_nobodys_key(point, sign, tmp_path, signed, capsys):
    raw = bytearray.fromhex(point)
    raw[31] |= sign
    body = base64.b64encode(checker.ED_PREFIX + raw).decode()
    pem = tmp_path / "key.pub.pem"
    pem.write_text(f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    code, _ = verify(signed, "--key", pem, capsys=capsys)
    assert (code, alone(signed, "--key", pem).returncode) == (2, 2)


def test_a_key_is_spelled_one_way(tmp_path, signed, capsys):
    lines = (GOLDEN / "test-only-ecdsa-p256.pub.pem").read_text().splitlines()
    odd = tmp_path / "key.pub.pem"
    shutil.copy(GOLDEN / "bundle-ecdsa-p256.json", signed / "bundle.json")
    body = "".join(lines[1:-1])
    for middle, wanted in (
        (lines[1:-1], 0),
        ([body], 2),
        ([body[i : i + 10] for i in range(0, len(body), 10)], 2),
    ):
        odd.write_text("\n".join([lines[0], *middle, lines[-1]]) + "\n")
        code, _ = verify(signed, "--key", odd, capsys=capsys)
        assert (code, alone(signed, "--key", odd).returncode) == (wanted, wanted)


@pytest.mark.parametrize(("depth", "fits"), [(13, True), (14, True), (15, False), (16, False)])
def test_annotations_have_the_same_limit_in_both(depth, fits, signed, capsys):
    """`depth` levels in all; in a statement two are around them."""
    inner = json.loads("[" * (depth - 1) + "]" * (depth - 1))
    unsigned = read_run(*((GOLDEN / n).read_bytes() for n in ("run.json", "certificates.jsonl")))
    private = keys.load_private(copy_key(signed.parent), bytes)
    try:
        payload = unsigned.payload({"a": inner})
    except InputError:
        assert not fits
        return
    assert fits
    (signed / "bundle.json").write_bytes(bundle.sign(payload, private))
    code, _ = verify(signed, "--key", ED, capsys=capsys)
    assert (code, alone(signed, "--key", ED).returncode) == (0, 0)


def copy_key(folder):
    path = folder / "key.pem"
    path.touch(0o600)
    path.write_bytes((GOLDEN / "test-only-ed25519.pem").read_bytes())
    return path


def test_untrusted_is_an_error_of_its_own():
    key = keys.load_public(GOLDEN / "test-only-ecdsa-p256.pub.pem")
    assert sha256(key.der).hexdigest() == key.fingerprint
    contents = [(GOLDEN / name).read_bytes() for name in ("bundle.json", "records.jsonl")]
    with pytest.raises(Untrusted, match="another key"):
        read_evidence(*contents, key)


# What is odd about the files, not about what they say.


def both(*arguments, capsys):
    """Return the exit codes of both; neither may end in a traceback."""
    capsys.readouterr()
    code = main(["verify", *map(str, arguments)])
    said = capsys.readouterr()
    done = alone(*arguments)
    for text in (said.out, said.err, done.stdout, done.stderr):
        assert "Traceback" not in text
    return code, done.returncode


def test_odd_places(signed, capsys, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for arguments, code in (
        ((signed, "--key", ED, "--data", pipe), 2),
        ((signed, "--key", ED, "--data", tmp_path), 2),
        ((signed, "--key", pipe), 2),
        ((tmp_path / ("x" * 300), "--key", ED), 2),
        ((signed, "--key", ED, "--test", DATA), 2),
        ((signed, "--key", ED, "--data", DATA, "--test", DATA), 2),
        ((signed, "--key", ED, "--seed", "s"), 2),
        ((signed, "--key", ED, "--sample", "1"), 2),
        ((signed, "--key", ED, "--sample", "1", "--seed", "\udcff"), 0),
    ):
        assert both(*arguments, capsys=capsys) == (code, code), arguments


def test_a_damaged_member_of_any_compression(signed, capsys, tmp_path):
    with zipfile.ZipFile(DATA) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = tmp_path / "odd.npz"
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        content = bytearray(path.read_bytes())
        place = content.index(b"X_test.npy") + 40
        content[place : place + 20] = bytes(20)
        path.write_bytes(content)
        assert both(signed, "--key", ED, "--data", path, capsys=capsys) in ((2, 2), (4, 4))


def test_the_checker_on_a_full_disk_and_in_ascii(signed):
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-I", "-S", CHECKER, signed, "--key", ED],
                stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
        assert (done.returncode, done.stderr.count("\n")) == (70, 1)
    program = "import sys, io, runpy; sys.stdout.reconfigure(encoding='ascii'); "
    program += "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    odd = signed.rename(signed.with_name("\u00e9"))
    (odd / "records.jsonl").unlink()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, CHECKER, odd, "--key", ED],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "")


def test_a_radius_that_would_take_for_ever_is_left_open():
    record = {
        "constant": False, "decided": True, "prediction": "1", "t": "0x1.0000000000000p+9",
        "log_error": ["-1", "60", "0", "0"], "p_lower": "0x1.0000000000000p-1",
        "radius": {"kl": "0", "tight": "150000"},
    }  # fmt: skip
    noise = {"q": "49/100", "classes": "2"}
    run = {"noise_model": noise, "training_points": "200000", "intercept": True}
    (left,) = checker.false_statements(run, record)
    assert isinstance(left, checker.Open)
    assert "this large" in str(left)


def test_pack_packs_nothing_that_is_false(signed, invoke):
    lines = (GOLDEN / "certificates.jsonl").read_bytes().splitlines(keepends=True)
    second = json.loads(lines[1])
    second["radius"]["kl"] += 1
    lines[1] = (json.dumps(second) + "\n").encode()
    unsigned = read_run((GOLDEN / "run.json").read_bytes(), b"".join(lines))
    private = keys.generate("ed25519")
    (signed / "certificates.jsonl").write_bytes(b"".join(lines))
    (signed / "records.jsonl").write_bytes(unsigned.lines)
    (signed / "bundle.json").write_bytes(bundle.sign(unsigned.payload({}), private))
    Path("key.pub.pem").write_bytes(private.public.pem)
    done = invoke("pack", signed, "--key", "key.pub.pem", "-o", "e.zip")
    assert (done.code, Path("e.zip").exists()) == (1, False)
    assert "radius.kl" in done.err


def test_nothing_is_written_over_the_evidence(signed, invoke):
    before = {path.name: path.read_bytes() for path in signed.iterdir()}
    for command in (
        ("pack", signed, "--key", ED, "-o", signed / "bundle.json"),
        ("prove-inclusion", signed, "--index", "0", "-o", signed / "records.jsonl"),
        ("sign", signed, "--pae-out", signed / "run.json"),
        ("timestamp", signed, "--signature-out", signed / "certificates.jsonl"),
        ("pack", signed, "--key", ED, "-o", ED),
    ):
        done = invoke(*command)
        assert (done.code, "it is left alone" in done.err) == (2, True), command
    assert {path.name: path.read_bytes() for path in signed.iterdir()} == before


def test_no_terminal_no_passphrase(tmp_path):
    command = [sys.executable, "-m", "certaudit", "keygen", "-o", "k.pem"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        start_new_session=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--passphrase-file" in done.stderr
    assert not list(tmp_path.glob("k*"))


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("9" * 1000, True), ("9" * 999 + "/1" + "0" * 999, True), ("1/" + "9" * 1000, True),
        ("9e999", False), ("9" + "0" * 999, True), ("1e1000", True), ("0x1p3321", False),
        (str(2**3321), True), ("0x1p-3321", False), (f"0x{5**1100:x}p1100", False),
        ("0x1p-5000", True), ("1e-1000", True), ("2e-1000", False), ("2e-1001", True),
        ("1/1" + "0" * 999, True),
    ],
)  # fmt: skip
def test_long_numbers_have_one_spelling_in_all_three(text, reads):
    """The library's writer, its reader of exact numbers, and the checker."""
    try:
        value = checker.rational(text, "q")
    except checker.Bad:
        value = None
    assert (value is not None) == reads
    written = format_rational(parse_rational(text))
    assert (written == text) == reads


def test_an_issuer_cannot_write_lines_of_the_report(signed, capsys):
    for padding in range(20, 70):
        remark = "about: " + "x" * padding + " checked      log_error          5 records"
        lines = checker.report_lines([("radii", "checked", "5 records")], [remark])
        assert not any(line.startswith("checked      log") for line in lines)
    run = json.loads((GOLDEN / "run.json").read_text())
    assert run["noise_model"]["q"] == "1/10"
    _, printed = verify(signed, "--key", ED, capsys=capsys)
    assert "q = 1/10, 'data.npz'" in printed.out


@needs_openssl
def test_a_response_that_openssl_prints_raw(signed, capsys):
    content = json.loads((GOLDEN / "bundle-timestamp.json").read_text())
    material = content["verificationMaterial"]["timestampVerificationData"]
    rejected = bytes.fromhex("300a300802010230030c01ff")
    material["rfc3161Timestamps"][0]["signedTimestamp"] = base64.b64encode(rejected).decode()
    text = json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n"
    (signed / "bundle.json").write_text(text)
    ca = ("--tsa-ca", GOLDEN / "test-only-tsa.pem")
    code, printed = verify(signed, "--key", ED, *ca, capsys=capsys)
    assert (code, "NOT VERIFIED" in printed.out) == (4, True)
