"""`certaudit audit --evidence` as people run it: verdicts, flips, exit codes, unfit evidence."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support import HALF, index_of, vote_table

from certaudit.certify.data import LabelledData
from certaudit.certify.label_flip import fit

Q = ("--q", "1/10")


def report(invoke, *arguments):
    done = invoke("audit", *arguments, "--format", "json")
    assert done.err == ""
    return done.code, json.loads(done.out)


def write(rows, name="claims.csv", header="index,label,prediction,radius"):
    Path(name).write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return name


@pytest.fixture
def four():
    """Seven labels 1 of equal weight: four flips change the vote, three do not."""
    np.savez("e.npz", alpha=np.full((3, 7), 1 / 7), y_train=np.ones(7, dtype=np.int64))
    return "e.npz"


def fits(done):
    return all(len(line) <= 80 for line in done.out.splitlines())


def test_a_claim_is_refuted_by_flips(four, invoke):
    write([(0, 1, 1, 3), (1, 1, 1, 4), (2, 1, 0, 0)])
    done = invoke("audit", "claims.csv", *Q, "--evidence", four)
    assert (done.code, done.err) == (1, "")
    assert fits(done)
    lines = done.out.splitlines()
    assert lines[0] == "2 of 3 claims are refuted: flips of labels change the vote."
    assert "The evidence is about 3 of 3 claims." in lines
    (shown,) = (line.split() for line in lines if "claims.csv:3" in line)
    assert shown == ["claims.csv:3", "1", "4", "4", "0,", "1,", "2,", "3"]
    assert any("claims.csv:4" in line and "the vote is lost" in line for line in lines)
    assert "file=e.npz alpha_margin=0 alpha_margin_is=default" in done.out
    code, found = report(invoke, "claims.csv", *Q, "--evidence", four)
    assert code == 1
    assert [claim["verdict"] for claim in found["claims"]] == ["confirmed", "refuted", "refuted"]
    assert found["claims"][1]["counterexample"] == {"flips": 4, "training_rows": [0, 1, 2, 3]}
    assert found["claims"][0]["evidence"]["proved"] == 3
    (file,) = found["files"]
    assert file["by_evidence"] == {"claims": 3, "disproved": 2}
    assert file["parameters"]["evidence"] == {
        "name": "alpha", "file": "e.npz", "alpha_margin": "0",
        "alpha_margin_is": "default",
    }  # fmt: skip
    # Without evidence nothing of this is there, and nothing is decided.
    code, found = report(invoke, "claims.csv", *Q)
    assert code == 3
    assert "by_evidence" not in found["files"][0]
    assert not any("evidence" in claim for claim in found["claims"])


def test_many_counterexamples_and_many_flips(invoke):
    np.savez("e.npz", alpha=np.full((12, 31), 1 / 31), y_train=np.ones(31, dtype=np.int64))
    write([(i, 1, 1, 31) for i in range(12)])
    done = invoke("audit", "claims.csv", *Q, "--evidence", "e.npz")
    assert fits(done)
    assert "0, 1, 2, 3, 4, ..." in done.out
    assert "and 7 more; all flips are in --format json." in done.out
    _, found = report(invoke, "claims.csv", *Q, "--evidence", "e.npz")
    flips = found["claims"][0]["counterexample"]
    assert len(flips["training_rows"]) == flips["flips"] > 5


def test_a_name_too_long_for_the_table(four, invoke):
    name = write([(0, 1, 1, 4)], "a" * 100 + ".csv")
    done = invoke("audit", name, *Q, "--evidence", four)
    assert fits(done)
    assert "a.csv:2" in done.out


def test_sarif_tells_of_counterexamples(four, invoke):
    write([(0, 1, 1, 3), (1, 1, 1, 4)])
    done = invoke("audit", "claims.csv", *Q, "--evidence", four, "--format", "sarif")
    (run,) = json.loads(done.out)["runs"]
    texts = {result["ruleId"]: result["message"]["text"] for result in run["results"]}
    assert texts["verdict-refuted"].endswith("; 1 by flips of labels that change the vote")
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert rules >= texts.keys() | {"CA138", "CA201"}


def test_a_margin_and_exit_codes(four, invoke):
    write([(0, 1, 1, 4)])
    options = ("claims.csv", *Q, "--evidence", four)
    assert invoke("audit", *options).code == 1
    done = invoke("audit", *options, "--alpha-margin", "1/4")
    assert done.code == 3
    assert "inconclusive" in done.out
    assert "alpha_margin=1/4 alpha_margin_is=declared" in " ".join(done.out.split())
    write([(0, 1, 1, 3)])
    assert invoke("audit", *options).code == 0
    assert invoke("audit", *options, "--alpha-margin", "1/4").code == 3


# ------------------------------------------------------------------------------------- data sets


def tables(data, q=Fraction(1, 10), **choice):
    """Return the votes of all labellings for each test point, from alphas as rationals."""
    choice = {"ridge": "auto", "scale": "standard", "intercept": True} | choice
    *_, model = fit(LabelledData.check(*data.values()), q=q, **choice)
    return [vote_table(model.exact_alpha(i), q) for i in range(len(data["y_test"]))]


@pytest.mark.parametrize(
    ("options", "choice"),
    [
        ((), {}),
        (("--ridge", "3/2", "--scale", "none"), {"ridge": "3/2", "scale": "none"}),
        (("--no-intercept", "--ridge", "paper"), {"intercept": False, "ridge": "paper"}),
    ],
)
def test_radii_over_a_data_set(options, choice, arrays, save, invoke):
    data = arrays(train=9, test=6, columns=2, seed=4)
    evidence, labels = save(data), data["y_train"].tolist()
    rows = [(i, data["y_test"][i], c, r) for i in range(6) for c in (0, 1) for r in range(10)]
    name = write(rows)
    code, found = report(invoke, name, *Q, "--evidence", evidence, *options)
    assert code == 1
    refuted = 0
    for (i, _, c, _), claim, table in zip(
        rows, found["claims"], np.repeat(tables(data, **choice), 20, axis=0), strict=True
    ):
        if claim["verdict"] == "confirmed":
            continue
        refuted += 1
        assert claim["verdict"] == "refuted"
        flips = claim["counterexample"]["training_rows"]
        assert len(flips) <= claim["claimed_radius"]
        changed = [1 - y if row in flips else y for row, y in enumerate(labels)]
        assert (table[index_of(changed)] > HALF) != bool(c), i
    assert 6 <= refuted < len(rows)
    done = invoke("audit", name, *Q, "--evidence", evidence, *options)
    assert fits(done)
    assert ("CA201" in done.out) == ("paper" in options)
    assert "alpha_margin=1/1073741824" in done.out


def certified(invoke, data, save, *options, name="run"):
    evidence = save(data)
    assert invoke("certify", evidence, *Q, "--guarantee", "tight", *options, "-o", name).code == 0
    return evidence


def claims_of(found, part):
    return [claim for claim in found["claims"] if claim["file"].endswith(part)]


@pytest.mark.parametrize(
    "options", [(), ("--scale", "none", "--ridge", "1/3"), ("--ridge", "paper", "--no-intercept")]
)
def test_runs_of_ours_state_their_classifier(options, arrays, save, invoke):
    evidence = certified(invoke, arrays(train=20, seed=2), save, *options)
    code, found = report(invoke, "run", "--evidence", evidence)
    assert code == 0
    assert found["summary"]["confirmed"] == found["summary"]["claims"] > 0
    run = json.loads(Path("run/run.json").read_text())
    for file in found["files"]:
        told = file["parameters"]["evidence"]
        assert told["classifier"] == "run.json"
        assert told["ridge"] == run["ridge"]
        assert (told["scale"], told["intercept"]) == (run["scale"]["rule"], run["intercept"])
        assert told["alpha_margin"] == "0"
        assert file["by_evidence"]["claims"] == file["claims"]
    # A radius as large as the exact one is true, though its derivation gives less.
    path = Path("run/certificates.jsonl")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    claims = claims_of(found, "[kl]")
    where = next(
        at
        for at, claim in enumerate(claims)
        if claim["verdict"] == "confirmed" and claim["evidence"]["refuted_at"]
    )
    most = claims[where]["evidence"]["proved"]
    chosen = [record["index"] for record in records].index(claims[where]["index"])
    assert most > records[chosen]["radius"]["tight"]
    least = claims[where]["evidence"]["refuted_at"]
    for radius, verdict in ((most, "confirmed"), (least, "refuted")):
        records[chosen]["radius"]["kl"] = radius
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        _, again = report(invoke, "run", "--evidence", evidence)
        claim = claims_of(again, "[kl]")[where]
        assert claim["verdict"] == verdict
        assert "CA101" in claim["findings"]
        assert ("CA138" in claim["findings"]) == (verdict == "confirmed")
        assert ("counterexample" in claim) == (verdict == "refuted")
        assert report(invoke, "run")[1]["summary"]["unsupported"] == 1


def test_constant_votes_of_our_runs_are_decided(arrays, save, invoke):
    data = arrays(train=30, test=8, columns=2, seed=1)
    data["X_test"] = np.vstack([data["X_test"], np.full((2, 2), 2.0**-20)])
    data["y_test"] = np.append(data["y_test"], [0, 0])
    options = ("--no-intercept", "--scale", "none")
    evidence = certified(invoke, data, save, *options)
    code, found = report(invoke, "run")
    lines = Path("run/certificates.jsonl").read_text().splitlines()
    constant = sum(json.loads(line)["constant"] for line in lines)
    assert (code, found["summary"]["inconclusive"]) == (3, 2 * constant)
    assert constant >= 2
    code, found = report(invoke, "run", "--evidence", evidence)
    assert (code, found["summary"]["inconclusive"]) == (0, 0)
    last = claims_of(found, "[tight]")[-1]
    assert last["evidence"] == {"vote": 0, "proved": 30, "refuted_at": None, "by": "constant"}
    assert last["findings"] == []


def test_evidence_that_is_not_that_of_the_run(arrays, save, invoke):
    data = arrays(seed=2)
    certified(invoke, data, save)
    one = data["X_train"].copy()
    one[3, 1] += 0.5
    for change, name in (
        ({"X_train": one}, "X_train"),
        ({"y_train": 1 - data["y_train"]}, "y_train"),
        ({"X_test": data["X_test"][::-1]}, "X_test"),
        ({"y_test": 1 - data["y_test"]}, "y_test"),
    ):
        other = save({**data, **change}, "other.npz")
        done = invoke("audit", "run/certificates.jsonl", "--evidence", other)
        assert done.code == 2
        assert f"{name} of other.npz is not that of the run" in done.err
    for options in (("--ridge", "1/7"), ("--scale", "none"), ("--no-intercept",)):
        done = invoke("audit", "run/certificates.jsonl", "--evidence", "d.npz", *options)
        assert done.code == 2
        assert "run.json says another one" in done.err
    assert invoke("audit", "run", "--evidence", "d.npz", "--ridge", "auto").code == 0
    # Alpha vectors with another number of training labels.
    np.savez("e.npz", alpha=np.ones((1, 3)), y_train=np.array([0, 1, 1]))
    done = invoke("audit", "run/certificates.jsonl", "--evidence", "e.npz")
    assert done.code == 2
    assert "has 40 training labels, e.npz has 3" in done.err


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("vote", "plurality", "majority vote"),
        ("classifier", "one-hot least squares", "least squares"),
        ("ridge", None, "must be objects"),
        ("ridge", {"rule": "auto"}, "must have a value"),
        ("ridge", {"rule": "auto", "value": "x"}, "ridge"),
        ("scale", {"rule": "all"}, "scale"),
        (
            "scale",
            {"rule": "standard", "mean": [], "deviation": [], "dropped": []},
            "not scaled as",
        ),
        ("intercept", 1, "true or false"),
        ("data", None, "not that of the run"),
    ],
)
def test_a_run_json_that_was_tampered_with(name, value, message, arrays, save, invoke):
    evidence = certified(invoke, arrays(seed=2), save)
    path = Path("run/run.json")
    run = json.loads(path.read_text())
    path.write_text(json.dumps({**run, name: value}))
    done = invoke("audit", "run/certificates.jsonl", "--evidence", evidence)
    assert done.code == 2
    assert message in done.err
    assert done.out == ""
    assert len(done.err.splitlines()) == 1


# ------------------------------------------------------------------------------- files and options


def test_evidence_in_the_folder_that_is_audited(four, invoke):
    Path("logs").mkdir()
    Path(four).rename("logs/e.npz")
    write([(0, 1, 1, 3)], "logs/claims.csv")
    code, found = report(invoke, "logs", *Q, "--evidence", "logs/e.npz")
    assert code == 0
    assert found["skipped"] == [{"file": "e.npz", "why": "the evidence"}]
    assert found["broken"] == []
    assert report(invoke, "logs", *Q, "--evidence", "./logs/../logs/e.npz")[0] == 0


def test_a_folder_with_claims_of_another_kind(four, invoke):
    Path("logs").mkdir()
    write([(0, 1, 1, 3)], "logs/a.csv")
    Path("logs/a.csv.manifest.json").write_text(
        json.dumps({"certaudit-claims": 1,
                    "noise_model": {"name": "label-flip", "q": "1/10", "classes": 2}})
    )  # fmt: skip
    write([(0, 1, 1, 3)], "logs/b_sigma_0.25.csv")
    done = invoke("audit", "logs", "--evidence", four)
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert line.startswith("certaudit: b_sigma_0.25.csv: e.npz decides label flips of two labels")


def test_nothing_is_written_over_the_evidence(four, invoke, tree):
    write([(0, 1, 1, 3)])
    before = tree()
    options = ("audit", "claims.csv", *Q, "--evidence", four)
    for more in (("--format", "json", "-o", four), ("--fix", four), ("--fix", f"./{four}")):
        assert invoke(*options, *more).code == 2
    assert tree() == before


def test_a_log_written_again_claims_what_the_evidence_proves(four, invoke):
    write([(0, 1, 1, 6), (1, 1, 1, 2), (2, 1, 0, 1)])
    options = (*Q, "--evidence", four)
    assert invoke("audit", "claims.csv", *options, "--fix", "fixed.csv").code == 1
    text = Path("fixed.csv").read_text()
    assert text.splitlines()[1:] == ["0,1,1,3", "1,1,1,2", "2,1,-1,0"]
    code, found = report(invoke, "fixed.csv", "--evidence", four)
    assert code == 0
    assert [c["verdict"] for c in found["claims"]] == ["confirmed", "confirmed", "abstained"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--ridge", "auto"), "ridge says nothing without evidence"),
        (("--no-intercept",), "intercept says nothing without evidence"),
        (("--alpha-margin", "0"), "alpha_margin says nothing without evidence"),
        (("--evidence", "no.npz"), "no.npz: No such file"),
        (("--evidence", "."), "not a regular file"),
        (("--evidence", "claims.csv"), "claims.csv: not a readable .npz file"),
        (("--evidence", "e.npz", "--scale", "none"), "says nothing of alpha vectors"),
        (("--evidence", "e.npz", "--alpha-margin", "x"), "alpha_margin"),
        (("--evidence", "e.npz", "--classes", "3"), "3 classes"),
    ],
)
@pytest.mark.usefixtures("four")
def test_evidence_that_cannot_be_used_is_one_line(options, message, invoke):
    write([(0, 1, 1, 3)])
    done = invoke("audit", "claims.csv", *Q, *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1
