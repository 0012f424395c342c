"""Records of K classes: closed types and cross-field rules; the two kinds are never mixed."""

import base64
import copy
import json
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest

from certaudit import checker
from certaudit.auditor import audit
from certaudit.errors import InputError
from certaudit.noise import LabelFlip
from certaudit.records import bundle as bundles
from certaudit.records.canonical import encode
from certaudit.records.evidence import prove_inclusion, read_evidence, read_inclusion
from certaudit.records.from_run import read_run
from certaudit.records.keys import generate
from certaudit.records.merkle import audit_path, root
from certaudit.records.model import MAX_LINE_MULTICLASS, RECORD_TYPE
from certaudit.rigorous.radius import tight_radius
from certaudit.verifier import verify

CORPUS = Path(__file__).parents[1] / "corpus"
FOLDER = CORPUS / "accept" / "classes"
FILES = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
RUN, CERTIFICATES = FILES["run.json"], FILES["certificates.jsonl"]
RECORDS, BUNDLE = FILES["records.jsonl"], FILES["bundle.json"]
TWO = {path.name: path.read_bytes() for path in (CORPUS / "accept" / "three-points").iterdir()}
KEY = generate("ed25519")
ONE, MINUS = "0x1.0000000000000p+0", "-0x1.0000000000000p+0"


def payload(files=FILES):
    return json.loads(base64.b64decode(json.loads(files["bundle.json"])["dsseEnvelope"]["payload"]))


def lines(files=FILES):
    return [json.loads(line) for line in files["records.jsonl"].splitlines()]


STATEMENT = payload()
MULTI, NARROW = STATEMENT["predicateType"], payload(TWO)["predicateType"]


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


def issue(records, run, kind=MULTI):
    """Sign records of a run, digests and the tree made to fit."""
    digest = sha256(encode(run)).hexdigest()
    encoded = [encode({**record, "run": digest}) for record in records]
    data = b"".join(line + b"\n" for line in encoded)
    statement = copy.deepcopy(STATEMENT)
    statement["predicate"] |= {
        "run": run,
        "tree": {
            "algorithm": "rfc6962-sha256",
            "root": root(encoded).hex(),
            "size": run["certified_points"],
        },
    }
    statement["predicateType"] = kind
    names = ("X_test", "X_train", "y_test", "y_train")
    digests = [sha256(data).hexdigest(), *(run["data"][name]["sha256"] for name in names)]
    for subject, each in zip(statement["subject"], digests, strict=True):
        subject["digest"]["sha256"] = each
    return bundles.sign(encode(statement), KEY), data


def by_checker(bundle, data, folder):
    """Return what the checker says of a signed run up to its tree."""
    (folder / "bundle.json").write_bytes(bundle)
    (folder / "records.jsonl").write_bytes(data)
    (folder / "key.pub.pem").write_bytes(KEY.public.pem)
    try:
        checker.evidence(folder, folder / "key.pub.pem", checker.Report())
    except checker.Bad as error:
        return error.code
    return 0


def refused(bundle, data, folder):
    """Return why the model refuses; the checker has to find it malformed, too."""
    with pytest.raises(InputError) as caught:
        read_evidence(bundle, data, KEY.public)
    assert by_checker(bundle, data, folder) == checker.MALFORMED
    return str(caught.value)


RUN_VALUE = STATEMENT["predicate"]["run"]


def test_what_is_signed_of_a_run():
    unsigned = read_run(RUN, CERTIFICATES)
    assert unsigned.lines == RECORDS
    assert encode(STATEMENT) == unsigned.payload()
    assert MULTI == "urn:certaudit:certificates:label-flip-multiclass:v1"
    first = lines()[0]
    assert first["type"] == "urn:certaudit:record:label-flip-multiclass:v1"
    assert list(first) == sorted(first)
    assert first.keys() == {
        *("annotations", "decided", "engine", "index", "label", "log_error", "p_lower"),
        *("prediction", "radius", "rivals", "run", "type"),
    }
    assert first["rivals"][0].keys() == {"class", "log_error", "t"}
    again = bundles.sign(unsigned.payload(), KEY)
    assert read_evidence(again, RECORDS, KEY.public).records == lines()
    for row in range(4):
        found = read_inclusion(prove_inclusion(again, RECORDS, row), KEY.public)
        assert found.record == lines()[row]
        assert found.run == RUN_VALUE


BAD_RECORDS = {
    "label": (["label"], "3", "none of the run's classes"),
    "prediction": (["prediction"], "3", "none of the run's classes"),
    "label in front": (["label"], "00", "$.label"),
    "own rival": (["prediction"], "1", "not the other classes, in ascending order"),
    "no rivals": (["rivals"], [], "length >= 1"),
    "a rival less": (["rivals"], lines()[0]["rivals"][:1], "not the other classes"),
    "a rival twice": (["rivals"], [lines()[0]["rivals"][0]] * 2, "not the other classes"),
    "rivals fall": (["rivals"], lines()[0]["rivals"][::-1], "not the other classes"),
    "rival beyond": (["rivals", 1, "class"], "3", "not the other classes"),
    "t negative": (["rivals", 0, "t"], MINUS, "t: is negative"),
    "t null": (["rivals", 0, "t"], None, "$.rivals[0].t"),
    "t spelling": (["rivals", 0, "t"], "0x1p+0", "$.rivals[0].t"),
    "t infinite": (["rivals", 0, "t"], "0x1.0000000000000p+1024", "is not a binary64"),
    "rival above 0": (["rivals", 0, "log_error"], ONE, "log_error: is above 0"),
    "rival ball": (["rivals", 0, "log_error"], ["-1", "0", "0", "0"], "$.rivals[0].log_error"),
    "rival unknown": (["rivals", 0, "x"], "1", "unknown field `x`"),
    "above 0": (["log_error"], ONE, "log_error: is above 0"),
    "a ball": (["log_error"], ["-1", "0", "0", "0"], "$.log_error"),
    "null": (["log_error"], None, "$.log_error"),
    "not a binary64": (["log_error"], "-0x1.0000000000000p+1024", "is not a binary64"),
    "p_lower": (["p_lower"], "0x1.0000000000000p+1024", "is not a binary64"),
    "constant": (["constant"], False, "unknown field `constant`"),
    "t of two labels": (["t"], ONE, "unknown field `t`"),
    "type": (["type"], RECORD_TYPE, "invalid value"),
    "undecided": (["decided"], False, "a radius is not 0"),
    "radius": (["radius", "kl"], "46", "beyond the training set"),
    "annotations": (["annotations"], [], "$.annotations"),
}


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_a_bad_record_is_refused_although_it_is_signed(case, tmp_path):
    path, new, words = BAD_RECORDS[case]
    bundle, data = issue(change(lines(), [0, *path], new), RUN_VALUE)
    assert words in refused(bundle, data, tmp_path)


BAD_RUNS = {
    "majority": (["vote"], "majority", "classifier: 'one-hot least squares' has no majority vote"),
    "vote": (["vote"], "borda", "invalid enum value"),
    "classifier": (["classifier"], "least squares", "has no plurality vote"),
    "one class": (["noise_model", "classes"], "1", "classes: must be 2 to 1000"),
    "too many": (["noise_model", "classes"], "1001", "classes: must be 2 to 1000"),
    "another number": (["noise_model", "classes"], "4", "has a share for each class"),
    "two thirds": (["noise_model", "q"], "2/3", "q: must lie strictly between 0 and 2/3"),
    "q": (["noise_model", "q"], "9/10", "q: must lie strictly between 0 and 2/3"),
    "vacuous": (["vacuous"], ..., "vacuous: is missing"),
    "vacuous one": (["vacuous", "pairwise"], ..., "missing required field `pairwise`"),
    "vacuous more": (["vacuous", "pairwise"], "5", "more points than certified_points"),
    "vacuous null": (["vacuous"], None, "$.predicate.run.vacuous"),
    "constant": (["accuracy", "constant"], ..., "has a share for each class"),
    "constant short": (["accuracy", "constant"], [ONE], "has a share for each class"),
    "constant spelling": (["accuracy", "constant"], ["0x1p+0"] * 3, "accuracy.constant[0]"),
    "constant infinite": (
        ["accuracy", "constant"],
        ["0x1.0000000000000p+1024"] * 3,
        "is not a binary64",
    ),
    "constant_0": (["accuracy", "constant_0"], ONE, "constant, and nothing else"),
    "positive": (["positive"], "1", "positive: belongs to 2 classes"),
    "an empty positive": (["positive"], "", "positive: belongs to 2 classes"),
}


@pytest.mark.parametrize("vote", ["plurality", "pairwise"])
@pytest.mark.parametrize("case", BAD_RUNS)
def test_a_bad_run_is_refused_although_it_is_signed(case, vote, tmp_path):
    path, new, words = BAD_RUNS[case]
    run = change(change(RUN_VALUE, ["vote"], vote), path, new)
    words = words.replace("no plurality", f"no {vote}")
    assert words in refused(*issue(lines(), run), tmp_path)


TWO_RUN = payload(TWO)["predicate"]["run"]
BAD_TWO = {
    "plurality": (["vote"], "plurality", "classifier: 'least squares' has no plurality vote"),
    "one-hot": (["classifier"], "one-hot least squares", "has no majority vote"),
    "classes": (["noise_model", "classes"], "3", "the majority vote is one of 2 classes"),
    "constant_1": (["accuracy", "constant_1"], ..., "constant_0 and constant_1"),
    "constant": (["accuracy", "constant"], [ONE, ONE], "constant_0 and constant_1"),
    "vacuous": (["vacuous"], {"pairwise": "0", "plurality": "0"}, "vacuous: does not belong"),
}


@pytest.mark.parametrize("case", BAD_TWO)
def test_a_run_of_two_labels_has_nothing_of_the_other_kind(case, tmp_path):
    path, new, words = BAD_TWO[case]
    bundle, data = issue(lines(TWO), change(TWO_RUN, path, new), NARROW)
    assert words in refused(bundle, data, tmp_path)


def test_the_two_kinds_are_not_mixed(tmp_path):
    """Records, runs and statements: each of the other kind is refused, whoever signed it."""
    bundle, data = issue(lines(TWO), TWO_RUN, NARROW)
    assert by_checker(bundle, data, tmp_path) == 0
    assert read_evidence(bundle, data, KEY.public).records
    three = change(RUN_VALUE, ["certified_points"], "3")
    three = change(three, ["vacuous"], {"pairwise": "0", "plurality": "0"})
    for name in ("kl", "tight"):
        three["certified_accuracy"][name]["of"] = "3"
    for records, run, kind, words in (
        (lines(TWO), three, MULTI, "unknown field `constant`"),
        (lines()[:3], TWO_RUN, NARROW, "unknown field `rivals`"),
        (lines()[:3], three, NARROW, "predicateType: is not that of the run's kind"),
        (lines(TWO), TWO_RUN, MULTI, "predicateType: is not that of the run's kind"),
    ):
        assert words in refused(*issue(records, run, kind), tmp_path)
    bundle, data = issue(lines()[:3], three)
    assert read_evidence(bundle, data, KEY.public).records


def test_a_proof_of_the_other_kind(tmp_path):
    """A record that is proven to be in the tree, and is none of its run's kind."""
    bundle, data = issue(lines()[:3], TWO_RUN, NARROW)
    line = data.splitlines()
    path = [node.hex() for node in audit_path(line, 0)]
    proof = {
        "bundle": json.loads(bundle),
        "leaf": "0",
        "path": path,
        "record": json.loads(line[0]),
        "type": "urn:certaudit:inclusion:v1",
    }
    with pytest.raises(InputError, match="another kind than its run"):
        read_inclusion(encode(proof) + b"\n", KEY.public)
    place = tmp_path / "proof.json"
    place.write_bytes(encode(proof) + b"\n")
    (tmp_path / "key.pub.pem").write_bytes(KEY.public.pem)
    with pytest.raises(checker.Bad) as caught:
        checker.evidence(place, tmp_path / "key.pub.pem", checker.Report())
    assert caught.value.code == checker.MALFORMED


# --------------------------------------------------------------------------- many classes


def many(classes, log_error="-0x1.4ce7935a1ff0bp-1022", t="0x1.4ce7935a1ff0bp+1023"):
    """Return a run of so many classes with one record, its bounds spelled as long as can be."""
    run = change(RUN_VALUE, ["noise_model", "classes"], str(classes))
    run["accuracy"]["constant"] = [ONE] * classes
    run |= {"certified_points": "1", "vacuous": {"pairwise": "1", "plurality": "1"}}
    for curve in run["certified_accuracy"].values():
        curve["of"] = "1"
    if "escalated" in run:
        run["escalated"] = dict.fromkeys(run["escalated"], "0")
    rivals = [{"class": str(c), "log_error": log_error, "t": t} for c in range(1, classes)]
    none = {"kl": "0", "tight": "0"}
    return run, {**lines()[0], "rivals": rivals, "decided": False, "radius": none}


def test_a_thousand_classes_fit_into_a_line(tmp_path):
    run, record = many(1000)
    assert 64 << 10 < len(encode(record)) < MAX_LINE_MULTICLASS - (32 << 10)
    bundle, data = issue([record], run)
    assert by_checker(bundle, data, tmp_path) == 0
    assert len(read_evidence(bundle, data, KEY.public).records[0]["rivals"]) == 999
    proof = prove_inclusion(bundle, data, 0)
    assert read_inclusion(proof, KEY.public).record["index"] == "0"
    place = tmp_path / "proof.json"
    place.write_bytes(proof)
    found = checker.evidence(place, tmp_path / "key.pub.pem", checker.Report())
    assert not found.complete


def test_a_line_that_is_too_long(tmp_path):
    run, record = many(3)
    record["annotations"] = {"a": "x" * (MAX_LINE_MULTICLASS - 10)}
    assert "is longer than 131072 bytes" in refused(*issue([record], run), tmp_path)
    record["annotations"] = {"a": "x" * (100 << 10)}
    bundle, data = issue([record], run)
    assert read_evidence(bundle, data, KEY.public).records
    assert by_checker(bundle, data, tmp_path) == 0
    # Of two labels a line is as short as ever.
    records = change(lines(TWO), [0, "annotations"], {"a": "x" * (64 << 10)})
    assert "is longer than 65536 bytes" in refused(*issue(records, TWO_RUN, NARROW), tmp_path)


# --------------------------------------------------------------------- from run folders

BAD_FILES = {
    "majority": (RUN.replace(b'"plurality",', b'"majority",'), CERTIFICATES, "run.json: classif"),
    "no vacuous": (RUN.replace(b'"vacuous"', b'"vacuum"'), CERTIFICATES, "run.json: "),
    "vacuous as text": (
        RUN.replace(b'"pairwise": 2', b'"pairwise": "2"'),
        *(CERTIFICATES, "run.json: 'pairwise' is not a number"),
    ),
    "constant as text": (
        RUN.replace(b'"constant": [\n   0.5', b'"constant": [\n   "0.5"'),
        *(CERTIFICATES, "run.json: 'constant' is not a number"),
    ),
    "two labels": (TWO["run.json"], CERTIFICATES, "line 1: object contains unknown field `rivals`"),
    "of two labels": (RUN, TWO["certificates.jsonl"], "line 1: object contains unknown field"),
    "no rivals": (RUN, CERTIFICATES.replace(b'"rivals"', b'"rival"', 1), "line 1: "),
    "class as text": (RUN, CERTIFICATES.replace(b'"class": 1', b'"class": "1"', 1), "line 1: "),
    "class twice": (
        RUN,
        CERTIFICATES.replace(b'"class": 1', b'"class": 1, "class": 1', 1),
        "line 1: the member 'class' is there twice",
    ),
    "rival unknown": (RUN, CERTIFICATES.replace(b'"class"', b'"x": 1, "class"', 1), "line 1: "),
    "rivals' order": (
        RUN,
        CERTIFICATES.replace(b'"class": 1', b'"class": 2', 1),
        "not the other classes",
    ),
    "t": (RUN, CERTIFICATES.replace(b'"t": "0x', b'"t": "-0x', 1), "line 1: t: is negative"),
    "integer": (RUN, CERTIFICATES.replace(b'"log_error": 0.0', b'"log_error": 0', 1), "line 4: "),
    "above 0": (RUN, CERTIFICATES.replace(b'"log_error": 0.0', b'"log_error": 0.5', 1), "line 4: "),
    "null": (RUN, CERTIFICATES.replace(b'"log_error": 0.0', b'"log_error": null', 1), "line 4: "),
    "spelling": (RUN, CERTIFICATES.replace(b'"t": ', b'"t":', 1), "line 1: is not spelled"),
    "NaN": (RUN, CERTIFICATES.replace(b'"p_lower": 0.0', b'"p_lower": NaN', 1), "line 4: "),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_run_folder(case):
    run, certificates, words = BAD_FILES[case]
    assert (run, certificates) != (RUN, CERTIFICATES)
    with pytest.raises(InputError) as caught:
        read_run(run, certificates)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["classes", "classes-pairwise", "classes-five", "classes-two"])
def test_a_whole_folder_is_verified(name):
    """By the verifier, which reads with this model, and with the checker's mathematics."""
    data = CORPUS / "data" / ("points.npz" if name == "classes-two" else "classes.npz")
    key = CORPUS / "keys" / "test-only-ed25519.pub.pem"
    found = verify(CORPUS / "accept" / name, key=key, data=data, require_all=True)
    assert (found.exit_code, found.left) == (0, ())


# --------------------------------------------------------------------------- audits


def audited(folder):
    """Return verdicts, parameters and findings of each file of an audit."""
    report = audit(folder)
    return [
        ({name: n for name, n in file.verdicts.items() if n}, file.parameters, file.findings)
        for file in report.files
    ]


@pytest.mark.parametrize("name", ["classes", "classes-pairwise", "classes-five", "classes-two"])
def test_a_run_folder_is_audited_with_its_classes(name):
    run = json.loads((CORPUS / "accept" / name / "run.json").read_bytes())
    found = audited(CORPUS / "accept" / name)
    assert len(found) == 2
    for verdicts, parameters, findings in found:
        assert verdicts.keys() <= {"confirmed", "abstained"}
        assert verdicts["confirmed"] == sum(r["decided"] for r in lines_of(name))
        assert not findings
        assert parameters["noise_model"]["classes"] == run["noise_model"]["classes"]
        assert parameters["vote"] == run["vote"]


def lines_of(name):
    text = (CORPUS / "accept" / name / "certificates.jsonl").read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def test_a_radius_that_only_two_classes_would_have_is_not_confirmed(tmp_path):
    """As many flips as two labels would stand at this log_error, and three classes do not."""
    certificates = lines_of("classes")
    bound = Fraction(certificates[0]["log_error"])
    most = {k: tight_radius(LabelFlip(Fraction(1, 10), k), log_error=bound) for k in (2, 3)}
    assert most[3] == certificates[0]["radius"]["tight"]
    assert most[2] != most[3]
    certificates[0]["radius"]["tight"] = most[3] + 1
    text = "".join(json.dumps(line) + "\n" for line in certificates)
    (tmp_path / "certificates.jsonl").write_text(text)
    (tmp_path / "run.json").write_bytes(RUN)
    assert audited(tmp_path)[1][0]["unsupported"] == 1
