"""Records, statements and bundles: closed types, cross-field rules, and the files of version 1."""

import base64
import copy
import json
from hashlib import sha256
from pathlib import Path

import pytest

from certaudit.errors import InputError, Untrusted
from certaudit.records import bundle as bundles
from certaudit.records.canonical import encode
from certaudit.records.evidence import (
    prove_inclusion,
    read_evidence,
    read_inclusion,
    read_unverified,
)
from certaudit.records.from_run import read_run
from certaudit.records.keys import generate, load_public, parse_public
from certaudit.records.merkle import root
from certaudit.records.model import json_schema
from certaudit.records.timestamp import check_response

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "v1"
FILES = {path.name: path.read_bytes() for path in GOLDEN.iterdir()}
PUBLIC = parse_public(FILES["test-only-ed25519.pub.pem"], "KEY")
RUN, CERTIFICATES = FILES["run.json"], FILES["certificates.jsonl"]
RECORDS, BUNDLE = FILES["records.jsonl"], FILES["bundle.json"]
OTHER = generate("ed25519")
LONG = "x" * (64 << 10)


def lines():
    return [json.loads(line) for line in RECORDS.splitlines()]


def payload():
    return json.loads(base64.b64decode(json.loads(BUNDLE)["dsseEnvelope"]["payload"]))


def change(value, path, new):
    """Return a copy with the member at a path replaced; `...` removes it."""
    value = copy.deepcopy(value)
    inner = value
    for name in path[:-1]:
        inner = inner[name]
    if new is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return value


def signed(statement, records, key=OTHER):
    """Sign whatever it is, as an issuer with a bad program would."""
    data = statement if isinstance(statement, bytes) else encode(statement)
    return bundles.sign(data, key), records


def issue(records, run=None):
    """Sign records (plain objects), digests and the tree made to fit."""
    statement = payload()
    if run is not None:
        statement["predicate"]["run"] = run
        records = [{**r, "run": sha256(encode(run)).hexdigest()} for r in records]
    encoded = [encode(record) for record in records]
    data = b"".join(line + b"\n" for line in encoded)
    statement["subject"][0]["digest"]["sha256"] = sha256(data).hexdigest()
    statement["predicate"]["tree"]["root"] = root(encoded).hex()
    return signed(statement, data)


def refused(bundle, records, key=OTHER.public):
    with pytest.raises((InputError, Untrusted)) as caught:
        read_evidence(bundle, records, key)
    return caught.value


# ------------------------------------------------------------------------ version 1


def test_the_records_and_the_payload_of_version_1_are_made_again():
    unsigned = read_run(RUN, CERTIFICATES)
    assert unsigned.lines == RECORDS
    made = unsigned.payload({"purpose": "test"})
    for name in ("bundle.json", "bundle-ecdsa-p256.json", "bundle-timestamp.json"):
        assert bundles.read_bundle(FILES[name]).payload == made
    assert encode(payload()) == made
    assert prove_inclusion(BUNDLE, RECORDS, 2) == FILES["proof.json"]


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("bundle.json", "ed25519"),
        ("bundle-timestamp.json", "ed25519"),
        ("bundle-ecdsa-p256.json", "ecdsa-p256"),
    ],
)
def test_the_files_of_version_1_verify(name, algorithm):
    key = load_public(GOLDEN / f"test-only-{algorithm}.pub.pem")
    evidence = read_evidence(FILES[name], RECORDS, key)
    assert evidence.records == lines()
    assert evidence.run == payload()["predicate"]["run"]
    assert evidence.run_digest == sha256(encode(evidence.run)).hexdigest()
    assert {r["run"] for r in evidence.records} == {evidence.run_digest}
    assert evidence.statement.predicate.annotations == {"purpose": "test"}
    assert (evidence.timestamp is not None) == ("timestamp" in name)
    assert [(r["decided"], r["constant"]) for r in evidence.records][:3] == [
        *((True, True), (True, False), (False, False)),
    ]


def test_the_proof_of_version_1_verifies():
    found = read_inclusion(FILES["proof.json"], PUBLIC)
    assert (found.record, found.leaf) == (lines()[2], 2)
    assert found.run == payload()["predicate"]["run"]
    assert found.timestamp is None


def test_the_schema_is_that_of_the_model():
    # To write it again: json.dumps(json_schema(), indent=1) and a newline.
    place = ROOT / "docs" / "schema" / "records.schema.json"
    assert place.read_text() == json.dumps(json_schema(), indent=1) + "\n"


def test_every_row_is_proved():
    for row in range(5):
        found = read_inclusion(prove_inclusion(BUNDLE, RECORDS, row), PUBLIC)
        assert found.record == lines()[row]
    with pytest.raises(InputError, match="no record is of row 5"):
        prove_inclusion(BUNDLE, RECORDS, 5)


# ------------------------------------------------------------------------- records

HEX = "0x1.8000000000000p+1"
BALL = ["-3", "-1", "1", "-60"]
BAD_RECORDS = {
    "unknown member": (1, ["more"], "x", "unknown field `more`"),
    "missing member": (1, ["engine"], ..., "missing required field `engine`"),
    "missing annotations": (1, ["annotations"], ..., "missing required field"),
    "another type": (1, ["type"], "urn:certaudit:record:label-flip:v2", "invalid value"),
    "run": (1, ["run"], "0" * 64, "line 2: is of another run"),
    "run in capitals": (1, ["run"], "A" * 64, "$.run"),
    "index falls": (1, ["index"], "0", "line 2: index 0 where row 1 belongs"),
    "index skips": (1, ["index"], "2", "line 2: index 2 where row 1 belongs"),
    "index beyond": (4, ["index"], "5", "line 5: index 5 is beyond the run's 5 test rows"),
    "index zero in front": (1, ["index"], "01", "$.index"),
    "index plus": (1, ["index"], "+1", "$.index"),
    "index minus zero": (0, ["index"], "-0", "$.index"),
    "index newline": (1, ["index"], "1\n", "$.index"),
    "index other digit": (1, ["index"], "\u0661", "$.index"),
    "index a number": (1, ["index"], 1, "holds the number 1"),
    "label": (1, ["label"], "2", "invalid enum value '2' - at `$.label`"),
    "decided as text": (1, ["decided"], "true", "expected `bool`"),
    "t not hexadecimal": (1, ["t"], "1.5", "$.t"),
    "t another spelling": (1, ["t"], "0x1.8p+1", "$.t"),
    "t capitals": (1, ["t"], HEX.upper(), "$.t"),
    "t nan": (1, ["t"], "nan", "$.t"),
    "t infinite": (1, ["t"], "0x1.0000000000000p+1024", "is not a binary64"),
    "t exponent": (1, ["t"], "0x1.0000000000000p-0", "is not a binary64"),
    "t subnormal as normal": (1, ["t"], "0x1.0000000000000p-1030", "is not a binary64"),
    "t newline": (1, ["t"], HEX + "\n", "$.t"),
    "t null": (1, ["t"], None, "null when, and only when"),
    "log_error null": (1, ["log_error"], None, "null when, and only when"),
    "constant with t": (0, ["t"], HEX, "null when, and only when"),
    "constant with log_error": (0, ["log_error"], BALL, "null when, and only when"),
    "constant false": (0, ["constant"], False, "null when, and only when"),
    "ball of three": (1, ["log_error"], BALL[:3], "length 4"),
    "ball minus zero": (1, ["log_error"], ["-0", "0", "0", "0"], "$.log_error[0]"),
    "ball negative radius": (1, ["log_error"], ["1", "0", "-1", "0"], "negative radius"),
    "ball exponent": (1, ["log_error"], ["1", "0", "1", "1048577"], "beyond the limit"),
    "ball too long": (1, ["log_error"], ["9" * 4000, "0", "0", "0"], "$.log_error[0]"),
    "p_lower null": (1, ["p_lower"], None, "expected `str`, got `null`"),
    "p_lower spelling": (1, ["p_lower"], "0x1p-1", "$.p_lower"),
    "radius negative": (1, ["radius", "kl"], "-1", "$.radius.kl"),
    "radius beyond": (1, ["radius", "tight"], "25", "a radius of 25 is beyond the training"),
    "radius without tight": (1, ["radius", "tight"], ..., "not the guarantees of the run"),
    "radius without kl": (1, ["radius", "kl"], ..., "missing required field `kl`"),
    "radius of more": (1, ["radius", "l2"], "1", "unknown field `l2`"),
    "undecided with radius": (2, ["radius", "tight"], "1", "although nothing is decided"),
    "annotation a number": (1, ["annotations", "a"], 1, "holds the number"),
    "annotation deep": (1, ["annotations", "a"], json.loads("[" * 15 + "]" * 15), "deeper"),
    "too long": (1, ["annotations", "a"], LONG, "line 2: is longer than 65536 bytes"),
    "engine": (1, ["engine"], None, "expected `str`"),
}


def raw(value):
    """Return canonical bytes of anything, numbers too: what no issuer of ours would write."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_a_bad_record_is_refused_although_it_is_signed(case):
    line, path, new, words = BAD_RECORDS[case]
    encoded = [raw(r) for r in change(lines(), [line, *path], new)]
    data = b"".join(each + b"\n" for each in encoded)
    statement = payload()
    statement["subject"][0]["digest"]["sha256"] = sha256(data).hexdigest()
    statement["predicate"]["tree"]["root"] = root(encoded).hex()
    error = refused(*signed(statement, data))
    assert isinstance(error, InputError)
    assert words in str(error)
    assert f"records.jsonl line {line + 1}: " in str(error)


GOOD_RECORDS = {
    "a ball": (1, ["log_error"], BALL),
    "a long ball": (1, ["log_error"], ["9" * 3999, "-65536", "0", "0"]),
    "minus zero": (1, ["log_error"], "-0x0.0p+0"),
    "subnormal": (1, ["t"], "0x0.0000000000001p-1022"),
    "annotations": (1, ["annotations"], {"a": ["é\x7f\0", None, True, {"": "\U0001f600"}]}),
    "deep": (1, ["annotations", "a"], json.loads("[" * 14 + "]" * 14)),
}


@pytest.mark.parametrize("case", GOOD_RECORDS)
def test_what_the_format_allows(case):
    line, path, new = GOOD_RECORDS[case]
    records = change(lines(), [line, *path], new)
    bundle, data = issue(records)
    assert read_evidence(bundle, data, OTHER.public).records == records
    if case != "deep":
        proof = prove_inclusion(bundle, data, line)
        assert read_inclusion(proof, OTHER.public).record == records[line]


# ---------------------------------------------------------------------------- runs

CURVE = ["certified_accuracy", "kl"]
BAD_RUNS = {
    "unknown member": (["more"], "x", "unknown field `more`"),
    "missing member": (["label_column"], ..., "missing required field `label_column`"),
    "format": (["format"], "2", "invalid enum value"),
    "q a half": (["noise_model", "q"], "1/2", "strictly between 0 and 1/2"),
    "q zero": (["noise_model", "q"], "0", "strictly between 0 and 1/2"),
    "q negative": (["noise_model", "q"], "-1/10", "strictly between 0 and 1/2"),
    "q not lowest": (["noise_model", "q"], "2/20", "not in lowest terms"),
    "q a decimal": (["noise_model", "q"], "0.1", "$.predicate.run.noise_model.q"),
    "q by zero": (["noise_model", "q"], "1/0", "divides by zero"),
    "q exponent": (["noise_model", "q"], "1e-1", "not in lowest terms"),
    "classes": (["noise_model", "classes"], "3", "the majority vote is one of 2 classes"),
    "guarantee without kl": (["guarantee"], ["tight"], 'must be ["kl"] or ["kl", "tight"]'),
    "guarantee twice": (["guarantee"], ["kl", "kl"], 'must be ["kl"] or ["kl", "tight"]'),
    "guarantee less": (["guarantee"], ["kl"], "not those of the run"),
    "ridge negative": (["ridge", "value"], "-1/3", "must not be negative"),
    "ridge rational": (["ridge", "value"], "1/2", "not spelled as the format says"),
    "scale deviation": (["scale", "deviation"], [HEX], "one mean and deviation for each column"),
    "scale mean": (["scale", "mean"], ["0x1p+0"], "scale.mean"),
    "dropped": (["scale", "dropped"], ["1", "1"], "do not rise"),
    "dropped one": (["scale", "dropped"], ["1"], "not the columns of X_train"),
    "label_free": (["assumptions", 0, "label_free"], "yes", "invalid enum value"),
    "points": (["training_points"], "25", "shape of X_train"),
    "test points": (["test_points"], "6", "shape of X_test"),
    "certified": (["certified_points"], "6", "of is not certified_points"),
    "digest": (["data", "y_test", "sha256"], "0" * 63, "$.predicate.run.data.y_test.sha256"),
    "array": (["data", "y_test"], ..., "missing required field `y_test`"),
    "shape": (["data", "y_train", "shape"], ["24", "1"], "shape of y_train"),
    "accuracy": (["accuracy", "clean"], "1", "$.predicate.run.accuracy.clean"),
    "curve": ([*CURVE, "accuracy"], [], "differ in number"),
    "curve of": ([*CURVE, "of"], "4", "of is not certified_points"),
    "intercept": (["intercept"], "false", "expected `bool`"),
}


LEFT = {"points": "4", "undecided": "1", "loose": "2", "failed": "1"}
FAST = {**payload()["predicate"]["run"], "engine": "fast", "escalated": LEFT}
NONE_LEFT = dict.fromkeys(LEFT, "0")
BAD_FAST = {
    "null": (["escalated"], None, "expected `object`, got `null`"),
    "unknown": (["escalated", "slow"], "0", "unknown field `slow`"),
    "missing": (["escalated", "loose"], ..., "missing required field `loose`"),
    "negative": (["escalated", "loose"], "-2", "$.predicate.run.escalated.loose"),
    "float": (["escalated", "failed"], "1.0", "$.predicate.run.escalated.failed"),
    "sum": (["escalated", "points"], "5", "points is not the sum"),
    "more": (["escalated"], {**NONE_LEFT, "points": "6", "loose": "6"}, "more points than cert"),
    "engine": (["engine"], "rigorous", "belongs to the engine fast"),
}


@pytest.mark.parametrize("case", BAD_FAST)
def test_what_the_fast_engine_left_to_balls_is_told_rightly(case):
    path, new, words = BAD_FAST[case]
    error = refused(*issue(lines(), change(FAST, path, new)))
    assert isinstance(error, InputError)
    assert words in str(error)


@pytest.mark.parametrize(
    "left", [LEFT, NONE_LEFT, {**NONE_LEFT, "points": "5", "failed": "5"}, ...]
)
def test_what_the_fast_engine_left_to_balls_is_signed_or_not_there(left):
    run = change(FAST, ["escalated"], left)
    assert read_evidence(*issue(lines(), run), OTHER.public).run == run


@pytest.mark.parametrize("case", BAD_RUNS)
def test_a_bad_run_is_refused_although_it_is_signed(case):
    path, new, words = BAD_RUNS[case]
    error = refused(*issue(lines(), change(payload()["predicate"]["run"], path, new)))
    assert isinstance(error, InputError)
    assert str(error).startswith("bundle.json: payload: ")
    assert words in str(error)


BAD_STATEMENTS = {
    "type": (["_type"], "https://in-toto.io/Statement/v0.1", "invalid enum value"),
    "predicate type": (["predicateType"], "urn:x", "invalid enum value"),
    "unknown member": (["predicate", "x"], "y", "unknown field `x`"),
    "algorithm": (["predicate", "tree", "algorithm"], "sha256", "invalid enum value"),
    "size": (["predicate", "tree", "size"], "4", "its size is not the run's certified_points"),
    "subject name": (["subject", 1, "name"], "X_train", "subject: is not records.jsonl, X_test"),
    "subject digest": (["subject", 3, "digest", "sha256"], "0" * 64, "with the digests"),
    "a digest more": (["subject", 0, "digest", "sha512"], "0" * 128, "unknown field `sha512`"),
    "subjects": (["subject"], [], "length 5"),
    "annotations": (["predicate", "annotations"], [], "expected `object`"),
}


@pytest.mark.parametrize("case", BAD_STATEMENTS)
def test_a_bad_statement_is_refused_although_it_is_signed(case):
    path, new, words = BAD_STATEMENTS[case]
    error = refused(*signed(change(payload(), path, new), RECORDS))
    assert isinstance(error, InputError)
    assert words in str(error)


def test_a_payload_that_is_not_canonical_is_refused_although_it_is_signed():
    data = json.dumps(payload(), sort_keys=True).encode()
    assert "not spelled as canonical JSON" in str(refused(*signed(data, RECORDS)))
    assert "payload: is not JSON" in str(refused(*signed(b"{", RECORDS)))
    twice = b'{"_type":"a",' + encode(payload())[1:]
    assert "the member '_type' is there twice" in str(refused(*signed(twice, RECORDS)))


# ------------------------------------------------------------------ what is not trusted


def test_another_key():
    error = refused(BUNDLE, RECORDS)
    assert isinstance(error, Untrusted)
    assert PUBLIC.fingerprint in str(error)
    assert OTHER.public.fingerprint in str(error)
    # The right key is named, but another one signed.
    forged = bundles.sign(encode(payload()), OTHER)
    forged = forged.replace(base64.b64encode(OTHER.public.hint), base64.b64encode(PUBLIC.hint))
    error = refused(forged, RECORDS, PUBLIC)
    assert isinstance(error, Untrusted)
    assert "the signature is not that of the key" in str(error)


def test_the_payload_is_not_parsed_before_its_signature_is_right():
    envelope = json.loads(BUNDLE)
    for bad in (b"{", b"[" * 100_000, encode({**payload(), "x": "y"})):
        envelope["dsseEnvelope"]["payload"] = base64.b64encode(bad).decode()
        error = refused(encode(envelope) + b"\n", RECORDS, PUBLIC)
        assert isinstance(error, Untrusted)
        assert "the signature is not that" in str(error)


@pytest.mark.parametrize("at", range(0, len(RECORDS), 97))
def test_any_changed_byte_of_the_records(at):
    changed = bytearray(RECORDS)
    changed[at] ^= 1
    error = refused(BUNDLE, bytes(changed), PUBLIC)
    assert isinstance(error, Untrusted)
    assert "is not the file that was signed" in str(error)


@pytest.mark.parametrize("at", range(0, len(BUNDLE), 61))
def test_any_changed_byte_of_the_bundle(at):
    changed = bytearray(BUNDLE)
    changed[at] ^= 1
    refused(bytes(changed), RECORDS, PUBLIC)


def test_another_root():
    statement = change(payload(), ["predicate", "tree", "root"], "0" * 64)
    error = refused(*signed(statement, RECORDS))
    assert isinstance(error, Untrusted)
    assert "Merkle root" in str(error)
    with pytest.raises(Untrusted, match="Merkle root"):
        read_unverified(*signed(statement, RECORDS))


def test_records_too_few_or_without_an_end():
    for data, words in (
        (RECORDS[:-1], "does not end with a newline"),
        (RECORDS + b"\n", "line 6: is not JSON"),
        (b"".join(RECORDS.splitlines(keepends=True)[:4]), "holds 4 records, the run certified 5"),
        (b"", "does not end with a newline"),
        (RECORDS.replace(b"\n", b"\r\n"), "not spelled as canonical JSON"),
    ):
        statement = payload()
        statement["subject"][0]["digest"]["sha256"] = sha256(data).hexdigest()
        assert words in str(refused(*signed(statement, data)))


ENVELOPE = ["dsseEnvelope"]
MATERIAL = ["verificationMaterial"]
BAD_BUNDLES = {
    "media type": (["mediaType"], "x", "invalid enum value"),
    "payload type": ([*ENVELOPE, "payloadType"], "text/plain", "invalid enum value"),
    "no signature": ([*ENVELOPE, "signatures"], [], "length 1"),
    "two signatures": ([*ENVELOPE, "signatures"], [{"sig": "AA=="}] * 2, "length 1"),
    "keyid": ([*ENVELOPE, "signatures", 0, "keyid"], "x", "unknown field `keyid`"),
    "base64": ([*ENVELOPE, "signatures", 0, "sig"], "A", "base64"),
    "base64 of another spelling": ([*ENVELOPE, "signatures", 0, "sig"], "AB==", "canonical"),
    "long signature": ([*ENVELOPE, "signatures", 0, "sig"], "AAAA" * 400, "too long"),
    "hint": ([*MATERIAL, "publicKey", "hint"], "AAAA", "hint: is not a SHA-256"),
    "log": ([*MATERIAL, "tlogEntries"], [{}], "length 0"),
    "two stamps": (
        [*MATERIAL, "timestampVerificationData"],
        {"rfc3161Timestamps": [{"signedTimestamp": "AA=="}] * 2},
        "length 1",
    ),
    "no stamps": (
        [*MATERIAL, "timestampVerificationData"],
        {"rfc3161Timestamps": []},
        "length 1",
    ),
    "certificate": ([*MATERIAL, "certificate"], {}, "unknown field `certificate`"),
}


@pytest.mark.parametrize("case", BAD_BUNDLES)
def test_a_bad_bundle(case):
    path, new, words = BAD_BUNDLES[case]
    error = refused(raw(change(json.loads(BUNDLE), path, new)) + b"\n", RECORDS, PUBLIC)
    assert isinstance(error, InputError)
    assert words in str(error)


def test_a_bundle_of_another_form():
    for data, words in (
        (BUNDLE[:-1], "does not end with a newline"),
        (BUNDLE + b"\n", "not spelled as canonical JSON"),
        (b"\n", "not JSON"),
        (b"[" * (17 << 20) + b"\n", "longer than 16777216 bytes"),
    ):
        assert words in str(refused(data, RECORDS, PUBLIC))


BAD_PROOFS = {
    "leaf": (["leaf"], "1", Untrusted, "its path does not lead"),
    "leaf beyond": (["leaf"], "5", InputError, "leaf 5 is beyond the 5 records signed"),
    "path short": (["path"], [], Untrusted, "its path does not lead"),
    "path": (["path", 0], "0" * 64, Untrusted, "its path does not lead"),
    "path spelling": (["path", 0], "0" * 63, InputError, "$.path[0]"),
    "path long": (["path"], ["0" * 64] * 65, InputError, "length <= 64"),
    "record": (["record", "prediction"], "1", Untrusted, "its path does not lead"),
    "record open": (["record", "x"], "1", InputError, "unknown field `x`"),
    "record long": (["record", "annotations"], {"a": LONG}, InputError, "longer than 65536"),
    "type": (["type"], "urn:x", InputError, "invalid enum value"),
    "member": (["x"], "y", InputError, "unknown field `x`"),
    "deep": (
        ["record", "annotations", "a"],
        json.loads("[" * 14 + "]" * 14),
        *(InputError, "deeper than 16"),
    ),
}


@pytest.mark.parametrize("case", BAD_PROOFS)
def test_a_bad_proof(case):
    path, new, kind, words = BAD_PROOFS[case]
    proof = raw(change(json.loads(FILES["proof.json"]), path, new)) + b"\n"
    with pytest.raises(kind) as caught:
        read_inclusion(proof, PUBLIC)
    assert words in str(caught.value)


def test_a_proof_with_another_key():
    with pytest.raises(Untrusted, match="proof: bundle: was signed with another key"):
        read_inclusion(FILES["proof.json"], OTHER.public)
    with pytest.raises(InputError, match="does not end with a newline"):
        read_inclusion(FILES["proof.json"][:-1], PUBLIC)


# ------------------------------------------------------------------------ signatures


def test_pae():
    # The example of DSSE's protocol, with our payload type.
    assert bundles.pae(b"hello world") == (b"DSSEv1 28 application/vnd.in-toto+json 11 hello world")


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ed25519"])
def test_a_signature_made_elsewhere(algorithm):
    key = generate(algorithm)
    made = read_run(RUN, CERTIFICATES).payload()
    signature = key.sign(bundles.pae(made))
    bundle = bundles.attach(made, signature, key.public)
    assert read_evidence(bundle, RECORDS, key.public).bundle.signature == signature
    for bad, public in ((signature, OTHER.public), (signature[:-1], key.public), (b"", key.public)):
        with pytest.raises(Untrusted, match=r"the signature .* is not that of"):
            bundles.attach(made, bad, public)
    with pytest.raises(Untrusted, match="over this run and these annotations"):
        bundles.attach(read_run(RUN, CERTIFICATES).payload({"a": "b"}), signature, key.public)


def test_annotations_without_numbers():
    unsigned = read_run(RUN, CERTIFICATES)
    with pytest.raises(InputError, match="holds a number"):
        unsigned.payload({"a": 1})
    with pytest.raises(InputError, match="not ASCII"):
        unsigned.payload({"é": "x"})


# ------------------------------------------------------------------------ time stamps

STAMP = FILES["timestamp.tsr"]
SIGNATURE = bundles.read_bundle(BUNDLE).signature


def test_the_time_stamp():
    check_response(STAMP, SIGNATURE)
    bundle = bundles.with_timestamp(bundles.read_bundle(BUNDLE), STAMP)
    assert bundle == FILES["bundle-timestamp.json"]


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (b"", "not a DER time stamp response"),
        (STAMP[:-1], "ends too early"),
        (STAMP + b"\0", "bytes after"),
        (b"0\x80" + STAMP[2:] + b"\0\0", "not a DER time stamp response"),
        (bytes.fromhex("30053003020102"), "a refusal of the time stamp authority"),
        (bytes.fromhex("30053003020100"), "not a DER time stamp response"),
        (b"-----BEGIN", "not a DER time stamp response"),
        (bytes((1 << 20) + 1), "longer than"),
        (STAMP.replace(bytes.fromhex("2a864886f70d010702"), bytes(9), 1), "no signed data"),
        (
            STAMP.replace(bytes.fromhex("2a864886f70d0109100104"), bytes(11), 1),
            "signed data that are no time stamp",
        ),
        (STAMP.replace(bytes.fromhex("0609608648016503040201"), b"\6\x09" + bytes(9)), "SHA-256"),
    ],
)
def test_what_is_no_time_stamp_of_it(response, words):
    with pytest.raises(InputError, match=words):
        check_response(response, SIGNATURE)


def test_a_stamp_over_other_bytes():
    with pytest.raises(InputError, match="stamps other bytes than this signature"):
        check_response(STAMP, SIGNATURE + b"\0")


def test_any_cut_of_a_stamp_is_refused():
    for size in range(len(STAMP)):
        with pytest.raises(InputError):
            check_response(STAMP[:size], SIGNATURE)


# --------------------------------------------------------------------- from run folders

BAD_FILES = {
    "not JSON": (RUN + b"}", CERTIFICATES, "run.json: holds more than one JSON value"),
    "spelling": (RUN.replace(b" ", b"  ", 1), CERTIFICATES, "not spelled as certaudit certify"),
    "twice": (
        RUN.replace(b'"vote"', b'"vote": "x", "vote"'),
        *(CERTIFICATES, "run.json: the member 'vote' is there twice"),
    ),
    "unknown": (
        RUN.replace(b'"vote"', b'"extra": null,\n "vote"'),
        *(CERTIFICATES, "run.json: object contains unknown field `extra`"),
    ),
    "missing": (
        RUN.replace(b' "vote": "majority",\n', b""),
        *(CERTIFICATES, "run.json: object missing required field `vote`"),
    ),
    "number as text": (
        RUN.replace(b'"training_points": 24', b'"training_points": "24"'),
        *(CERTIFICATES, "run.json: 'training_points' is not a number"),
    ),
    "text as number": (
        RUN.replace(b'"source": "data.npz"', b'"source": 5'),
        *(CERTIFICATES, "run.json: 'source' is a number"),
    ),
    "float as integer": (
        RUN.replace(b'"training_points": 24', b'"training_points": 24.0'),
        *(CERTIFICATES, "$.training_points"),
    ),
    "NaN": (RUN.replace(b'"clean": 0.', b'"clean": NaN, "x": 0.'), CERTIFICATES, "holds NaN"),
    "infinite": (
        RUN.replace(b'"clean": 0.', b'"clean": 1e999, "x": 0.'),
        *(CERTIFICATES, "run.json: is not JSON as certaudit writes it"),
    ),
    "not UTF-8": (RUN.replace(b"data.npz", b"\xff"), CERTIFICATES, "run.json: is not UTF-8"),
    "surrogate": (
        RUN.replace(b"data.npz", b"\\ud800"),
        *(CERTIFICATES, "run.json: text holds a lone surrogate"),
    ),
    "deep": (b"[" * 100_000, CERTIFICATES, "run.json: is nested"),
    "fewer lines": (RUN, CERTIFICATES[: CERTIFICATES.index(b"\n") + 1], "holds 1 records"),
    "no end": (RUN, CERTIFICATES[:-1], "does not end with a newline"),
    "line spelling": (
        RUN,
        CERTIFICATES.replace(b'"label": 1', b'"label":1', 1),
        "certificates.jsonl line 1: is not spelled as certaudit certify writes it",
    ),
    "line twice": (
        RUN,
        CERTIFICATES.replace(b'"label": 1', b'"label": 1, "label": 1', 1),
        "certificates.jsonl line 1: the member 'label' is there twice",
    ),
    "line unknown": (
        RUN,
        CERTIFICATES.replace(b'"label": 1', b'"label": 1, "x": 1', 1),
        "line 1: object contains unknown field `x`",
    ),
    "line missing": (RUN, CERTIFICATES.replace(b'"label": 1, ', b"", 1), "missing required field"),
    "line bool": (RUN, CERTIFICATES.replace(b'"label": 1', b'"label": true', 1), "got `bool`"),
    "line float": (RUN, CERTIFICATES.replace(b'"index": 3', b'"index": 3.0', 1), "line 4: "),
    "line integer": (
        RUN,
        CERTIFICATES.replace(b'"p_lower": 1.0', b'"p_lower": 1', 1),
        "line 1: is not spelled",
    ),
    "line NaN": (
        RUN,
        CERTIFICATES.replace(b'"p_lower": 1.0', b'"p_lower": NaN', 1),
        "line 1: is not JSON",
    ),
    "line infinite": (RUN, CERTIFICATES.replace(b"1.0", b"1e999", 1), "line 1: "),
    "line t": (RUN, CERTIFICATES.replace(b'"t": "0x1', b'"t": "0x2', 1), "line 2: "),
    "line label": (RUN, CERTIFICATES.replace(b'"label": 1', b'"label": 2', 1), "line 1: invalid"),
    "line index": (RUN, CERTIFICATES.replace(b'"index": 1', b'"index": -1', 1), "line 2: "),
    "line rising": (
        RUN,
        CERTIFICATES.replace(b'"index": 1', b'"index": 0', 1),
        "index 0 where row 1 belongs",
    ),
    "line radius": (
        RUN,
        CERTIFICATES.replace(b'{"kl": 24, "tight": 24}', b'{"kl": 24}', 1),
        "certificates.jsonl line 1: its radii are not the guarantees of the run",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_run_folder(case):
    run, certificates, words = BAD_FILES[case]
    assert (run, certificates) != (RUN, CERTIFICATES)
    with pytest.raises(InputError) as caught:
        read_run(run, certificates)
    assert words in str(caught.value)
