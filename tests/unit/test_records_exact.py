"""Records with the exact radius: closed types and cross-field rules, by model and checker alike."""

import copy
import json
from functools import lru_cache
from hashlib import sha256

import exact_support as support
import pytest

from certaudit import checker
from certaudit.errors import InputError, Untrusted
from certaudit.records import bundle as bundles
from certaudit.records.canonical import encode
from certaudit.records.evidence import prove_inclusion, read_evidence, read_inclusion
from certaudit.records.from_run import read_run
from certaudit.records.keys import generate
from certaudit.records.merkle import root
from certaudit.verifier import verify

KEY = generate("ed25519")
ONE = "0x1.0000000000000p+0"
KIND = "urn:certaudit:certificates:label-flip-exact:v1"
TYPE = "urn:certaudit:record:label-flip-exact:v1"


@lru_cache
def files():
    """Return run.json and certificates.jsonl: a constant vote, brackets, one with Chernoff."""
    arrays = support.points(3, n=20)
    run, lines, _ = support.slow_run(arrays, q="1/100", intercept=False)
    return support.written(run, lines), arrays


@lru_cache
def statement():
    return json.loads(read_run(*files()[0]).payload())


def lines():
    """Return the records: the first has a bracket, the second is constant."""
    records = [json.loads(line) for line in read_run(*files()[0]).lines.splitlines()]
    assert [record["constant"] for record in records] == [False, True, False, False]
    return records


def change(value, path, new):
    """Return a copy with the member at a path replaced; `...` removes it."""
    value = copy.deepcopy(value)
    inner = value
    for name in path[:-1]:
        inner = inner[name]
    if new is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new(inner[path[-1]]) if callable(new) else new
    return value


def issue(records, run, kind=KIND):
    """Sign records of a run, digests and the tree made to fit."""
    digest = sha256(encode(run)).hexdigest()
    encoded = [encode({**record, "run": digest}) for record in records]
    data = b"".join(line + b"\n" for line in encoded)
    made = copy.deepcopy(statement())
    made["predicate"] |= {
        "run": run,
        "tree": {
            "algorithm": "rfc6962-sha256",
            "root": root(encoded).hex(),
            "size": run["certified_points"],
        },
    }
    made["predicateType"] = kind
    made["subject"][0]["digest"]["sha256"] = sha256(data).hexdigest()
    return bundles.sign(encode(made), KEY), data


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


def run_value():
    return copy.deepcopy(statement()["predicate"]["run"])


def test_what_is_signed_of_a_run(tmp_path):
    unsigned = read_run(*files()[0])
    made = json.loads(unsigned.payload())
    assert made["predicateType"] == KIND
    assert encode(made) == unsigned.payload()
    first = lines()[0]
    assert first["type"] == TYPE
    assert first.keys() == {
        *("annotations", "constant", "decided", "engine", "evidence", "index", "label"),
        *("log_error", "p_lower", "prediction", "radius", "run", "t", "type"),
    }
    line = json.loads(files()[0][1].splitlines()[0])
    stated = line["radius"]["exact"]
    assert first["radius"]["exact"] == {name: str(value) for name, value in stated.items()}
    assert first["evidence"]["proved"] == {
        name: str(value) if isinstance(value, int) else value
        for name, value in line["evidence"]["proved"].items()
    }
    run = made["predicate"]["run"]
    assert run["guarantee"] == ["kl", "tight", "exact"]
    assert set(run["brackets"]) == {"closed", "open"}
    assert run["attacked_accuracy"].keys() == {"accuracy", "correct", "of"}
    bundle = bundles.sign(unsigned.payload(), KEY)
    assert read_evidence(bundle, unsigned.lines, KEY.public).records == lines()
    assert by_checker(bundle, unsigned.lines, tmp_path) == 0


def test_what_is_issued_here_is_accepted(tmp_path):
    bundle, data = issue(lines(), run_value())
    assert len(read_evidence(bundle, data, KEY.public).records) == 4
    assert by_checker(bundle, data, tmp_path) == 0


def test_a_whole_folder_is_verified(tmp_path):
    (run, certificates), arrays = files()
    unsigned = read_run(run, certificates)
    (tmp_path / "run.json").write_bytes(run)
    (tmp_path / "certificates.jsonl").write_bytes(certificates)
    (tmp_path / "records.jsonl").write_bytes(unsigned.lines)
    (tmp_path / "bundle.json").write_bytes(bundles.sign(unsigned.payload(), KEY))
    (tmp_path / "key.pub.pem").write_bytes(KEY.public.pem)
    data = tmp_path.parent / f"{tmp_path.name}.npz"
    support.np.savez(data, **arrays)
    found = verify(tmp_path, key=tmp_path / "key.pub.pem", data=data, require_all=True)
    assert found.exit_code == 0, found.as_json()
    for old, new in ((b'"flips": ', b'"flips": 1'), (b'"refuted_at": ', b'"refuted_at": 1')):
        (tmp_path / "certificates.jsonl").write_bytes(certificates.replace(old, new, 1))
        assert verify(tmp_path, key=tmp_path / "key.pub.pem").exit_code == 4


def side(by="fourier", flips=None, check=None, t=None):
    return {"by": by, "flips": flips, "check": check, "t": t}


EXACT, PROOF, REFUTATION = ("radius", "exact"), ("evidence", "proved"), ("evidence", "refuted")
BAD = {
    "unknown": (0, ["more"], "x", "unknown"),
    "no evidence": (0, ["evidence"], ..., "evidence"),
    "no exact": (0, ["radius", "exact"], ..., "exact"),
    "exact as text": (0, ["radius", "exact"], "5", "radius.exact"),
    "proved a fraction": (0, [*EXACT, "proved"], "5/1", "proved"),
    "proved null": (0, [*EXACT, "proved"], None, "proved"),
    "proved negative": (0, [*EXACT, "proved"], "-1", "proved"),
    "proved zeros": (0, [*EXACT, "proved"], "05", "proved"),
    "proved is refuted": (0, [*EXACT, "proved"], "6", "refuted_at is not above proved"),
    "refuted is proved": (0, [*EXACT, "refuted_at"], "5", "refuted_at is not above proved"),
    "refuted below": (0, [*EXACT, "refuted_at"], "0", "refuted_at is not above proved"),
    "refuted above n": (0, [*EXACT, "refuted_at"], "21", "flips is below refuted_at"),
    "bracket unknown": (0, [*EXACT, "more"], "1", "unknown"),
    "no refuted_at": (0, [*EXACT, "refuted_at"], ..., "refuted_at"),
    "kl above proved": (0, ["radius", "kl"], "6", "above the exact one"),
    "tight above proved": (0, ["radius", "tight"], "6", "above the exact one"),
    "no kl": (0, ["radius", "kl"], ..., "kl"),
    "no tight": (0, ["radius", "tight"], ..., "not the guarantees of the run"),
    "undecided with a radius": (0, ["decided"], False, "although nothing is decided"),
    "no proof": (0, [*PROOF], None, "belongs to what is decided"),
    "no refutation": (0, [*REFUTATION], None, "evidence.refuted: is null"),
    "a refutation of nothing": (0, [*EXACT, "refuted_at"], None, "evidence.refuted: is null"),
    "proof missing": (0, [*PROOF], ..., "proved"),
    "side unknown": (0, [*PROOF, "more"], "x", "unknown"),
    "by what": (0, [*PROOF, "by"], "magic", "by"),
    "check what": (0, [*PROOF, "check"], "fourier", "check"),
    "check enumeration": (0, [*PROOF, "check"], "enumeration", "check"),
    "by constant": (0, [*PROOF], side("constant"), "belongs to a constant vote"),
    "refuted by constant": (0, [*REFUTATION], side("constant"), "belongs to a constant vote"),
    "flips without a check": (0, [*PROOF], side("fourier", "3"), "flips: belongs to a check"),
    "a check without flips": (0, [*PROOF], side("fourier", None, "chernoff", ONE), "flips"),
    "t without chernoff": (0, [*PROOF], side("fourier", "3", "berry-esseen", ONE), "t: belongs"),
    "chernoff without t": (0, [*PROOF], side("fourier", "3", "chernoff"), "t: belongs"),
    "t alone": (0, [*PROOF], side("fourier", None, None, ONE), "t: belongs"),
    "t spelled": (0, [*PROOF], side("fourier", "3", "chernoff", "0x1p+0"), "t"),
    "t no float": (0, [*PROOF], side("fourier", "3", "chernoff", ONE[:-3] + "p+9999"), "binary64"),
    "flips above proved": (0, [*PROOF, "flips"], "6", "flips is above what is proved"),
    "flips below refuted": (0, [*REFUTATION, "flips"], "5", "flips is below refuted_at"),
    "flips above n": (0, [*REFUTATION, "flips"], "21", "beyond the training set"),
    "flips a list": (0, [*PROOF, "flips"], ["3"], "flips"),
    "constant, less": (1, [*EXACT, "proved"], "19", "above the exact one"),
    "constant, by another": (1, [*PROOF, "by"], "no-noise", "proved by that"),
    "constant, refuted": (1, [*REFUTATION], side(), "evidence.refuted: is null"),
    "constant, checked": (1, [*PROOF], side("constant", "20", "no-noise"), "proved by that"),
    "constant, undecided": (1, ["decided"], False, "although nothing is decided"),
    "t of a constant": (1, ["t"], ONE, "null when, and only when"),
    "log_error null": (0, ["log_error"], None, "null when, and only when"),
    "another type": (0, ["type"], "urn:certaudit:record:label-flip:v1", "type"),
    "type v2": (0, ["type"], "urn:certaudit:record:label-flip-exact:v2", "type"),
    "label 2": (0, ["label"], "2", "label"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_is_refused_although_it_is_signed(case, tmp_path):
    at, path, new, words = BAD[case]
    records = lines()
    assert records[0]["radius"] == {
        "kl": "2",
        "tight": "4",
        "exact": {"proved": "5", "refuted_at": "6"},
    }
    records[at] = change(records[at], path, new)
    said = refused(*issue(records, run_value()), tmp_path)
    assert words in said or case in {"another type", "type v2"}, said


def test_a_constant_vote_is_for_every_labelling(tmp_path):
    records = lines()
    for name in ("kl", "tight"):
        records[1]["radius"][name] = "19"
    records[1]["radius"]["exact"]["proved"] = "19"
    assert "some flips could change" in refused(*issue(records, run_value()), tmp_path)


ALLOWED = {
    "less is proved": lambda r: r["radius"]["exact"].update(proved="4"),
    "nothing is refuted": lambda r: (
        r["radius"]["exact"].update(refuted_at=None),
        r["evidence"].update(refuted=None),
    ),
    "no check": lambda r: r["evidence"].update(proved=side(), refuted=side()),
    "undecided": lambda r: (
        r.update(decided=False, radius={"kl": "0", "tight": "0", "exact": r["radius"]["exact"]}),
        r["radius"]["exact"].update(proved="0"),
        r["evidence"].update(proved=None),
    ),
    "chernoff": lambda r: r["evidence"].update(proved=side("fourier", "0", "chernoff", f"-{ONE}")),
    "no winner by log_error": lambda r: (
        r.update(log_error="0x0.0p+0", t="0x0.0p+0", p_lower="0x0.0p+0"),
        r["radius"].update(kl="0", tight="0"),
    ),
    "a ball": lambda r: r.update(log_error=["-1", "0", "1", "-3"]),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_the_format_allows(case, tmp_path):
    records = lines()
    ALLOWED[case](records[0])
    if case == "less is proved":
        records[0]["evidence"]["proved"]["flips"] = "4"
    bundle, data = issue(records, run_value())
    assert len(read_evidence(bundle, data, KEY.public).records) == 4
    assert by_checker(bundle, data, tmp_path) == 0


CURVE = {"correct": ["1"], "of": "4", "accuracy": [ONE]}
BAD_RUNS = {
    "no exact curve": (["certified_accuracy", "exact"], ..., "not those of the run"),
    "no attacked_accuracy": (["attacked_accuracy"], ..., "belong to the exact radius"),
    "no brackets": (["brackets"], ..., "belong to the exact radius"),
    "brackets, fewer": (["brackets", "open"], "3", "not one for each"),
    "brackets, more": (["brackets", "closed"], "5", "not one for each"),
    "brackets unknown": (["brackets", "more"], "0", "unknown"),
    "brackets null": (["brackets"], None, "brackets"),
    "attacked of": (["attacked_accuracy", "of"], "5", "of is not certified_points"),
    "attacked uneven": (["attacked_accuracy", "accuracy"], [ONE], "differ in number"),
    "attacked unknown": (["attacked_accuracy", "more"], ONE, "unknown"),
    "guarantee exact alone": (["guarantee"], ["exact"], "guarantee: must be"),
    "guarantee order": (["guarantee"], ["kl", "exact", "tight"], "guarantee: must be"),
    "guarantee twice": (["guarantee"], ["kl", "tight", "exact", "exact"], "guarantee: must be"),
    "guarantee without tight": (["guarantee"], ["kl", "exact"], "not those of the run"),
    "guarantee without exact": (["guarantee"], ["kl", "tight"], "certified_accuracy"),
    "vote": (["vote"], "plurality", ""),
    "classes": (["noise_model", "classes"], "3", ""),
    "vacuous": (["vacuous"], {"pairwise": "0", "plurality": "0"}, ""),
}


@pytest.mark.parametrize("case", BAD_RUNS)
def test_a_bad_run_is_refused_although_it_is_signed(case, tmp_path):
    path, new, words = BAD_RUNS[case]
    said = refused(*issue(lines(), change(run_value(), path, new)), tmp_path)
    assert words in said


def test_the_kinds_are_not_mixed(tmp_path):
    for kind in ("label-flip", "label-flip-multiclass"):
        other = f"urn:certaudit:certificates:{kind}:v1"
        refused(*issue(lines(), run_value(), other), tmp_path)
    # A run of two labels, without the exact radius.
    run = run_value()
    for name in ("attacked_accuracy", "brackets"):
        del run[name]
    del run["certified_accuracy"]["exact"]
    run["guarantee"] = ["kl", "tight"]
    refused(*issue(lines(), run), tmp_path)
    plain = "urn:certaudit:certificates:label-flip:v1"
    assert "evidence" in refused(*issue(lines(), run, plain), tmp_path)
    for name, value in (("brackets", {"closed": "4", "open": "0"}), ("attacked_accuracy", CURVE)):
        more = {**run, name: value}
        assert "belong to the exact" in refused(*issue(lines(), more, plain), tmp_path)
    more = copy.deepcopy(run)
    more["certified_accuracy"]["exact"] = CURVE
    refused(*issue(lines(), more, plain), tmp_path)


def test_a_proof_of_one_record(tmp_path):
    unsigned = read_run(*files()[0])
    bundle = bundles.sign(unsigned.payload(), KEY)
    (tmp_path / "key.pub.pem").write_bytes(KEY.public.pem)
    data = tmp_path / "data.npz"
    support.np.savez(data, **files()[1])
    for leaf in (0, 1):
        proof = prove_inclusion(bundle, unsigned.lines, leaf)
        assert read_inclusion(proof, KEY.public).record == lines()[leaf]
        (tmp_path / "proof.json").write_bytes(proof)
        found = verify(tmp_path / "proof.json", key=tmp_path / "key.pub.pem", data=data)
        assert found.exit_code == 0, found.as_json()
        assert "radius.exact" not in [step.name for step in found.left]
        for old, new in ((b'"proved":"', b'"proved":"1'), (b"exact:v1", b"exact:v2")):
            (tmp_path / "proof.json").write_bytes(proof.replace(old, new, 1))
            with pytest.raises((InputError, Untrusted)):
                read_inclusion((tmp_path / "proof.json").read_bytes(), KEY.public)


FOLDERS = {
    "order of members": lambda line: line.replace(
        '"decided": true, "constant": false', '"constant": false, "decided": true'
    ),
    "order of a bracket": lambda line: line.replace(
        '"proved": 5, "refuted_at": 6', '"refuted_at": 6, "proved": 5'
    ),
    "text for a number": lambda line: line.replace('"proved": 5', '"proved": "5"'),
    "float": lambda line: line.replace('"proved": 5', '"proved": 5.0'),
    "float of kl": lambda line: line.replace('"kl": 2', '"kl": 2.0'),
    "true": lambda line: line.replace('"refuted_at": 6', '"refuted_at": true'),
    "unknown": lambda line: line.replace('"flips": 5', '"flips": 5, "more": 1'),
    "no evidence": lambda line: line.partition(', "evidence"')[0] + "}",
    "bracket for kl": lambda line: line.replace('"kl": 2', '"kl": {"proved": 2, "refuted_at": 6}'),
    "number for exact": lambda line: line.replace('{"proved": 5, "refuted_at": 6}', "5"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_bad_run_folder(case):
    run, certificates = files()[0]
    first, newline, rest = certificates.decode().partition("\n")
    changed = FOLDERS[case](first)
    assert changed != first
    with pytest.raises(InputError, match=r"certificates\.jsonl line 1"):
        read_run(run, (changed + newline + rest).encode())


def test_numbers_of_a_run_as_text():
    run, certificates = files()[0]
    for old, new in ((b'"closed": 4', b'"closed": "4"'), (b'"open": 0', b'"open": 0.0')):
        assert old in run
        with pytest.raises(InputError, match=r"run\.json"):
            read_run(run.replace(old, new), certificates)
