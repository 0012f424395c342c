"""`certaudit audit` as people run it: verdicts, effects, exit codes, reports, mended logs."""

import json
import os
import random
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest

import certaudit
from certaudit import InputError, gaussian, label_flip
from certaudit.auditing.verdict import Verdict
from certaudit.findings import BITS, CATALOGUE
from certaudit.testing import assert_not_above

PARAMETERS = ("--samples", "1000", "--failure-prob", "0.001")
HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime"


def quantile(count, samples, chance):
    """Return Phi^-1 of the Clopper-Pearson lower bound, by bisection at 40 digits."""
    with mpmath.workdps(40):
        low, high = mpmath.mpf(0), mpmath.mpf(1)
        for _ in range(100):
            middle = (low + high) / 2
            tail = mpmath.betainc(count, samples - count + 1, 0, middle, regularized=True)
            low, high = (middle, high) if tail <= chance else (low, middle)
        return mpmath.sqrt(2) * mpmath.erfinv(2 * low - 1)


@pytest.fixture(scope="module")
def radii():
    """Radii of all counts above 520 of 1,000, sigma 1/4, a = 1/1000."""
    return {k: float(quantile(k, 1000, mpmath.mpf("0.001"))) / 4 for k in range(560, 1001, 4)}


def log(radii, form="{:.4f}", rows=120, seed=3):
    """Return the lines of a log as Cohen's code writes it, some rows abstaining."""
    chosen = random.Random(seed)
    lines = [HEADER]
    for index in range(rows):
        label, guess = chosen.randrange(10), chosen.randrange(10)
        if index % 10 == 9:
            lines.append(f"{index}\t{label}\t-1\t0.0\t0\t0:00:01")
            continue
        guess = label if chosen.random() < 0.7 else guess
        text = form.format(chosen.choice(list(radii.values())))
        lines.append(f"{index}\t{label}\t{guess}\t{text}\t{int(label == guess)}\t0:00:01")
    return lines


def write(lines, name="sigma_0.25.tsv"):
    Path(name).write_text("\n".join(lines) + "\n")
    return name


def report(invoke, *arguments):
    done = invoke("audit", *arguments, "--format", "json")
    assert done.err == ""
    return done.code, json.loads(done.out)


def test_the_headline_is_the_effect(radii, invoke):
    name = write(log(radii, "{:.3}"))
    done = invoke("audit", name, *PARAMETERS)
    assert (done.code, done.err) == (1, "")
    first = " ".join(done.out.split("\n\n")[0].split())
    assert re.match(r"\d+ of 108 claims are printed up to 0\.0\d+ above what was proven; ", first)
    assert "Certified accuracy at the radii 0, 0.25, 0.5, 0.75, ..." in first
    assert "(abstained)" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())
    _, found = report(invoke, name, *PARAMETERS)
    summary = found["summary"]
    verdicts = Counter(claim["verdict"] for claim in found["claims"])
    assert summary["abstained"] == verdicts["abstained"] == 12
    assert summary["claims"] == 108
    for verdict in Verdict:
        assert summary[verdict.value] == verdicts[verdict.value]
    assert first.startswith(f"{summary['unsupported']} of 108")


def test_what_is_proved_is_proved_by_every_count_that_prints_so(radii, invoke):
    name = write(log(radii))
    _, found = report(invoke, name, *PARAMETERS)
    all_counts = [float(quantile(k, 1000, mpmath.mpf("0.001"))) / 4 for k in range(540, 1001)]
    assert {claim["verdict"] for claim in found["claims"]} >= {"confirmed", "unsupported"}
    for claim in found["claims"]:
        if claim["verdict"] == "abstained":
            continue
        claimed = claim["claimed_radius"]
        same = [r for r in all_counts if abs(r - claimed) < 0.5e-4 - 1e-9 and r > 0]
        assert same
        if claim["verdict"] == "confirmed":
            assert min(same) >= claimed
        elif claim["verdict"] == "unsupported":
            assert max(same) < claimed
            assert claim["cause"] == "printed-rounding"
        else:
            assert min(same) < claimed <= max(same)
        assert claim["proved_radius"] == pytest.approx(min(same), rel=1e-9)
        assert claim["proved_radius"] <= min(same) + 1e-15


def test_a_log_that_is_written_again_is_confirmed(radii, invoke):
    for form, seed in (("{:.4f}", 1), ("{:.3}", 2), ("{!r}", 3)):
        name = write(log(radii, form, seed=seed))
        done = invoke("audit", name, *PARAMETERS, "--fix", "fixed_sigma_0.25.tsv")
        assert "rewritten with what is proved" in done.err
        code, found = report(invoke, "fixed_sigma_0.25.tsv")
        assert code == 0
        assert found["summary"]["confirmed"] == found["summary"]["claims"] == 108
        before, after = Path(name).read_text(), Path("fixed_sigma_0.25.tsv").read_text()
        for old, new in zip(before.splitlines()[1:], after.splitlines()[1:], strict=True):
            was, now = old.split("\t"), new.split("\t")
            assert float(now.pop(3)) <= float(was.pop(3))
            assert was == now
        # Said without the manifest, the same log is not confirmed: nearest is assumed.
        Path("fixed_sigma_0.25.tsv.manifest.json").unlink()
        if form != "{!r}":
            assert report(invoke, "fixed_sigma_0.25.tsv", *PARAMETERS)[0] in (1, 3)


def test_rows_of_which_nothing_is_proved_abstain_when_written_again(radii, invoke):
    lines = log(radii)
    lines[1] = "0\t3\t3\t9.0000\t1\t0:00:01"
    name = write(lines)
    assert report(invoke, name, *PARAMETERS)[1]["claims"][0]["verdict"] == "refuted"
    invoke("audit", name, *PARAMETERS, "--fix", "fixed_sigma_0.25.tsv")
    assert (
        Path("fixed_sigma_0.25.tsv").read_text().splitlines()[1] == "0\t3\t-1\t0.0000\t0\t0:00:01"
    )
    code, found = report(invoke, "fixed_sigma_0.25.tsv")
    assert (code, found["summary"]["abstained"]) == (0, 13)


def test_stated_parameters_are_claims(radii, invoke):
    name = write(log(radii))
    code, found = report(invoke, name)
    (file,) = found["files"]
    assert file["parameters"] == {"sigma": "1/4", "samples": 1000, "failure_prob": "1/1000"}
    assert file["inferred"] == ["samples", "failure_prob"]
    assert {"CA115"} <= {finding["code"] for finding in found["findings"]}
    code, wrong = report(invoke, name, "--samples", "1000", "--failure-prob", "0.01")
    assert code == 1
    (finding,) = [f for f in wrong["findings"] if f["code"] == "CA118"]
    assert (finding["stated_failure_prob"], finding["inferred_failure_prob"]) == ("1/100", "1/1000")
    causes = Counter(claim.get("cause") for claim in wrong["claims"])
    assert finding["rows"] == causes["wrong-parameters"] > 10
    assert wrong["files"][0]["parameters"]["failure_prob"] == "1/100"
    assert wrong["files"][0]["inferred"] == []


def test_parameters_that_nobody_would_guess_are_tried_when_named(invoke):
    radii = {k: float(quantile(k, 777, mpmath.mpf("0.03"))) / 4 for k in range(440, 778, 3)}
    name = write(log(radii))
    _, found = report(invoke, name)
    assert "samples" not in found["files"][0]["parameters"] or any(
        finding["code"] in ("CA132", "CA119") for finding in found["findings"]
    )
    _, found = report(invoke, name, "--try-samples", "777", "--try-failure-prob", "0.03")
    assert found["files"][0]["parameters"] == {
        "sigma": "1/4", "samples": 777, "failure_prob": "3/100",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["0\t1\t1\t0.5\t1\t0:1"], 3),
        (["0\t1\t-1\t0.0\t0\t0:1"], 5),
        ([], 5),
        (["0\t1\t1\t9.5\t1\t0:1"], 1),
        (["0\t1\t1\tx\t1\t0:1"], 2),
        (["0\t1\t1\tx\t1\t0:1", "1\t1\t1\t9.5\t1\t0:1"], 2),
        (["0\t1\t1\t9.5\t1\t0:1", "1\t1\t1\t0.51\t1\t0:1"], 1),
        (["0\t1\t1"], 2),
    ],
)
def test_exit_codes(lines, code, invoke):
    name = write([HEADER, *lines])
    done = invoke("audit", name, "--samples", "100000", "--failure-prob", "0.001")
    assert (done.code, done.err) == (code, "")


def test_options_change_the_exit_code_and_no_verdict(radii, invoke):
    name = write(log(radii))
    verdicts = report(invoke, name, *PARAMETERS)[1]["summary"]
    assert verdicts["unsupported"] > 0
    for options, code in (
        (("--exit-zero",), 0),
        (("--fail-on", "refuted"), 0),
        (("--fail-on", "refuted", "--fail-on", "unsupported"), 1),
        (("--max-excess", "0.0001"), 0),
        (("--max-excess", "1e-9"), 1),
    ):
        done, found = report(invoke, name, *PARAMETERS, *options)
        assert done == code, options
        assert found["summary"] == verdicts
    empty = write([HEADER], "empty_sigma_0.5")
    assert invoke("audit", empty).code == 5
    assert invoke("audit", empty, "--allow-empty").code == 0
    # What could not be read is not waved through by naming other verdicts.
    broken = write([HEADER, "0\t1\t1"], "broken_sigma_0.5")
    assert invoke("audit", broken).code == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--samples", "0"), "samples: must be a positive integer"),
        (("--samples", "1.5"), "samples: must be a positive integer"),
        (("--failure-prob", "2"), "failure_prob: must be less than 1"),
        (("--sigma", "-1"), "sigma: must be positive"),
        (("--norm", "l7"), "norm: must be l2 or linf"),
        (("--column", "radius"), "write NAME=HEADER"),
        (("--column", "radius=x"), "is not there"),
        (("--max-excess", "-1"), "must not be negative"),
        (("-o", "x.txt"), "-o needs --format"),
        (("--profile", "other"), "profile"),
    ],
)
def test_wrong_options_are_one_line(arguments, text, radii, invoke):
    name = write(log(radii))
    done = invoke("audit", name, *arguments)
    assert (done.code, done.out) == (2, "")
    assert text in done.err
    assert done.err.count("\n") == 1
    assert not Path("x.txt").exists()


def test_one_broken_file_does_not_stop_the_folder(radii, invoke):
    Path("logs").mkdir()
    write(log(radii), "logs/a_sigma_0.25")
    write(log(radii, seed=5), "logs/b_sigma_0.25")
    Path("logs/b_sigma_0.25.manifest.json").write_text("{}")
    Path("logs/LICENSE").write_text("Do what you like.\n")
    done = invoke("audit", "logs", *PARAMETERS)
    assert done.code == 2
    assert "manifest" in done.err
    found = json.loads(invoke("audit", "logs", *PARAMETERS, "--format", "json").out)
    assert [file["file"] for file in found["files"]] == ["a_sigma_0.25"]
    assert [broken["file"] for broken in found["broken"]] == ["b_sigma_0.25"]
    assert "LICENSE" in [skipped["file"] for skipped in found["skipped"]]


def test_a_curve_is_held_against_its_log(radii, invoke):
    lines = log(radii)
    write(lines, "sigma_0.25")
    right = [float(line.split("\t")[3]) for line in lines[1:] if line.split("\t")[4] == "1"]
    points = [n / 20 for n in range(20)]
    curve = [f"{r:.2f}\t{sum(x >= r for x in right) / 120:.5f}" for r in points]
    write(curve, "sigma_0.25_acc")
    Path("logs").mkdir()
    for name in ("sigma_0.25", "sigma_0.25_acc"):
        Path(name).rename(Path("logs") / name)
    _, found = report(invoke, "logs", *PARAMETERS)
    claims = [claim for claim in found["claims"] if claim["file"] == "sigma_0.25_acc"]
    assert {claim["verdict"] for claim in claims} <= {"confirmed", "unsupported"}
    assert all("CA127" not in claim["findings"] for claim in claims)
    higher = [*curve[:3], curve[3].split("\t")[0] + "\t" + curve[2].split("\t")[1], *curve[4:]]
    write(higher, "logs/sigma_0.25_acc")
    _, found = report(invoke, "logs", *PARAMETERS)
    claims = [claim for claim in found["claims"] if claim["file"] == "sigma_0.25_acc"]
    assert higher[3] != curve[3]
    assert claims[3]["verdict"] == "unsupported"
    assert "CA127" in claims[3]["findings"]
    rising = ["0.00\t0.50000", "0.10\t0.60000", "5.00\t0.10000"]
    write(rising, "alone_sigma_0.25_acc")
    _, found = report(invoke, "alone_sigma_0.25_acc", *PARAMETERS)
    assert [c["verdict"] for c in found["claims"]] == ["inconclusive", "refuted", "refuted"]


def test_sarif_is_grouped_and_stable(radii, invoke):
    name = write(log(radii))
    first = json.loads(invoke("audit", name, *PARAMETERS, "--format", "sarif").out)
    assert first["version"] == "2.1.0"
    (run,) = first["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert len(rules) == len(run["tool"]["driver"]["rules"])
    for result in run["results"]:
        assert result["ruleId"] in rules
        assert result["level"] in ("error", "warning", "note")
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == name
        assert place.get("region", {"startLine": 1})["startLine"] >= 1
    marks = [r["partialFingerprints"]["certauditFinding/v1"] for r in run["results"]]
    assert len(set(marks)) == len(marks)
    lines = log(radii)
    write([*lines, "120\t1\t1\t9.0000\t1\t0:01"], name)
    again = json.loads(invoke("audit", name, *PARAMETERS, "--format", "sarif").out)
    assert set(marks) <= {
        r["partialFingerprints"]["certauditFinding/v1"] for r in again["runs"][0]["results"]
    }


def test_reports_appear_whole_or_not_at_all(radii, invoke):
    name = write(log(radii))
    for style in ("json", "sarif"):
        assert invoke("audit", name, "--format", style, "-o", "out.json").out == ""
        json.loads(Path("out.json").read_text())
        Path("out.json").unlink()
    missing = invoke("audit", name, "--format", "json", "-o", "no/out.json")
    assert (missing.code, missing.out) == (2, "")
    assert [path.name for path in Path().iterdir()] == [name]


def test_every_code_of_the_source_is_explained(invoke):
    root = Path(certaudit.__file__).parent
    named = set()
    for path in root.rglob("*.py"):
        named |= set(re.findall(r"\bCA[0-9]{3}\b", path.read_text(encoding="utf-8")))
    assert named == set(CATALOGUE)
    assert set(BITS) == {code for code in CATALOGUE if code < "CA2"}
    assert len(set(BITS.values())) == len(BITS)
    for code, kind in CATALOGUE.items():
        done = invoke("explain", code)
        assert done.code == 0
        assert kind.name in done.out
        assert len(kind.explanation) > 40


def test_a_run_of_ours_is_confirmed(run, invoke):
    data = Path(certaudit.__file__).parent / "data" / "breast_cancer.csv"
    certify = ("certify", data, "--label-column", "diagnosis", "--positive", "malignant")
    assert run(*map(str, certify), "--q", "0.1", "--guarantee", "tight", "-o", "run").code == 0
    code, found = report(invoke, "run")
    assert code == 0
    assert {file["file"] for file in found["files"]} == {
        "certificates.jsonl [kl]", "certificates.jsonl [tight]",
    }  # fmt: skip
    assert found["summary"]["confirmed"] == found["summary"]["claims"] > 200
    # One radius more is not.
    path = Path("run/certificates.jsonl")
    lines = path.read_text().splitlines()
    record = json.loads(lines[0])
    record["radius"]["tight"] += 1
    path.write_text("\n".join([json.dumps(record), *lines[1:]]) + "\n")
    code, found = report(invoke, "run")
    assert (code, found["summary"]["unsupported"]) == (1, 1)
    # Exact radii rest on alphas, which no file of a run holds.
    assert run(*map(str, certify), "--q", "0.1", "--guarantee", "all", "-o", "run").code == 0
    code, found = report(invoke, "run")
    assert code == 3
    assert len(found["files"]) == 3
    assert found["summary"]["refuted"] == found["summary"]["unsupported"] == 0
    inconclusive = [claim for claim in found["claims"] if claim["verdict"] != "confirmed"]
    # (And that the vote is won, where only they say so.)
    for claim in inconclusive:
        assert claim["file"].endswith("[exact]") or claim["claimed_radius"] == 0


def flips(rows):
    return "index,label,prediction,radius,log_error\n" + "".join(f"{row}\n" for row in rows)


def test_label_flip_claims_with_a_manifest(invoke):
    model = {"name": "label-flip", "q": "1/10", "classes": 2}
    Path("claims.csv").write_text(flips(["0,1,1,145,-260", "1,1,1,146,-260", "2,0,1,73,-260"]))
    Path("claims.csv.manifest.json").write_text(
        json.dumps({"certaudit-claims": 1, "noise_model": model, "guarantee": "kl"})
    )
    code, found = report(invoke, "claims.csv")
    assert code == 1
    assert [c["verdict"] for c in found["claims"]] == ["confirmed", "unsupported", "confirmed"]
    assert "CA101" in found["claims"][0]["findings"]
    assert [c["proved_radius"] for c in found["claims"]] == [145, 145, 145]
    Path("claims.csv.manifest.json").unlink()
    done = invoke("audit", "claims.csv")
    assert done.code == 2
    assert "--q" in done.err
    assert invoke("audit", "claims.csv", "--q", "0.1").code == 1


def test_frames_and_paths_give_the_same(radii):
    lines = log(radii)
    name = write(lines)
    rows = [line.split("\t") for line in lines]
    frame = {name: [row[at] for row in rows[1:]] for at, name in enumerate(rows[0])}
    stated = {"sigma": "0.25", "samples": 1000, "failure_prob": "0.001"}
    of_file, of_frame = certaudit.audit(name, **stated), certaudit.audit(frame, **stated)
    assert [c["verdict"] for c in of_file.claims] == [c["verdict"] for c in of_frame.claims]
    assert of_file.verdicts == of_frame.verdicts
    assert certaudit.audit(Path(name), keep_claims=False).claims == []
    with pytest.raises(InputError, match="no such parameter"):
        certaudit.audit(name, sigmas="1")
    with pytest.raises(InputError, match="ambiguous"):
        certaudit.audit(name, sigma=0.25)
    with pytest.raises(TypeError):
        bool(Verdict.CONFIRMED)


def test_assert_not_above():
    radii = np.array([0.5, 0.25, 0.0])
    counts = np.array([9990, 9000, 0])
    votes = {"samples": 10_000, "failure_prob": "0.001"}
    assert_not_above(gaussian("0.25"), radii, count=counts, **votes)
    with pytest.raises(
        AssertionError, match=r"1 of 3 above what is proven: radius 0\.9 at 1: 0\.3"
    ):
        assert_not_above(gaussian("0.25"), [0.5, 0.9, 0.0], count=counts, **votes)
    assert_not_above(label_flip("0.1"), [145, 144], log_error=[-260.0, "-260"])
    with pytest.raises(AssertionError, match="145 is proven"):
        assert_not_above(label_flip("0.1"), 146, log_error=-260.0)
    threshold = Fraction(2, 2) - Fraction(1, 1458)
    assert_not_above(label_flip("0.1"), 3, p=threshold)
    with pytest.raises(InputError, match="2 values for 1 radii"):
        assert_not_above(label_flip("0.1"), [3], p=["0.9", "0.8"])
    with pytest.raises(InputError, match="integer"):
        assert_not_above(label_flip("0.1"), 1.5, p="0.99")


# ---------------------------------------------------------------------- mutations of confirmed rows


def confirmed(invoke, text, *options, name="claims.csv"):
    Path(name).write_text(text)
    return [c["verdict"] == "confirmed" for c in report(invoke, name, *options)[1]["claims"]]


def test_pushed_beyond_their_evidence_no_claim_stays_confirmed(invoke):
    """Each mutation takes a claim that is just confirmed, and one thing of it too far."""
    votes = "index,label,prediction,radius,count,samples\n{}\n"
    gauss = ("--sigma", "0.25", "--failure-prob", "0.001")
    flip = ("--q", "0.1")
    best = float(quantile(990, 1000, mpmath.mpf("0.001"))) / 4
    just = f"{int(best * 10**4) / 10**4:.4f}"
    more = f"{int(best * 10**4) / 10**4 + 1e-4:.4f}"
    good = f"0,1,1,{just},990,1000"
    cases = [
        (votes, gauss, good, [f"0,1,1,{more},990,1000", f"0,1,1,{just},987,1000",
                              f"0,1,1,{just},990,1004", f"0,1,1,{just},1001,1000"]),
        (votes, ("--q", "0.1", "--failure-prob", "0.001"), "0,1,1,2,9999,10000",
         ["0,1,1,3,9999,10000", "0,1,1,2,9850,10000", "0,1,1,2,9999,11000"]),
        ("index,label,prediction,radius,log_error\n{}\n", flip, "0,1,1,145,-260",
         ["0,1,1,146,-260", "0,1,1,145,-259"]),
        ("index,radius,p_lower\n{}\n", ("--q", "1/4"), "0,1,0.8333333333333334",
         ["0,2,0.8333333333333334", "0,1,0.8333333333333332"]),
        ("index,label,prediction,correct,radius,log_error\n{}\n", flip, "0,1,1,1,145,-260",
         ["0,1,0,1,145,-260", "0,1,1,0,145,-260", "0,0,1,1,145,-260"]),
        ("index,label,prediction,count_0,count_1\n{}\n", ("--failure-prob", "0.001"),
         "0,1,1,400,600", ["0,1,0,400,600", "0,1,1,460,540"]),
    ]  # fmt: skip
    for frame, options, row, pushed in cases:
        assert confirmed(invoke, frame.format(row), *options) == [True], row
        for bad in pushed:
            assert confirmed(invoke, frame.format(bad), *options) == [False], bad
    # A smaller failure probability is a stronger claim.
    assert confirmed(invoke, votes.format(good), *gauss[:3], "0.0001") == [False]
    # The evidence itself, an ulp beyond what the votes prove.
    share = certaudit.lower_bound(990, 1000, "0.001").lower
    low = float(share) if Fraction(float(share)) <= share else np.nextafter(float(share), 0)
    shares = "index,p_lower,count,samples\n0,{!r},990,1000\n"
    assert confirmed(invoke, shares.format(float(low)), "--failure-prob", "0.001") == [True]
    above = float(np.nextafter(low, 1))
    assert confirmed(invoke, shares.format(above), "--failure-prob", "0.001") == [False]


# ---------------------------------------------------------------------------- published logs


def test_published_logs_have_the_verdicts_that_a_prototype_found():
    folder = os.environ.get("CERTAUDIT_CORPORA")
    if not folder:
        pytest.skip("CERTAUDIT_CORPORA does not name the folder of published certificates")
    verdicts, zero = Counter(), 0
    for name in ("Hadisalman+smoothing-adversarial", "jh-jeong+smoothing-consistency"):
        found = certaudit.audit(
            Path(folder) / name, samples=100_000, failure_prob="1/1000", keep_claims=False
        )
        logs = [f for f in found.files if f.kind == "radii" and not f.name.endswith("stdout.txt")]
        verdicts += sum((file.verdicts for file in logs), Counter())
        zero += sum(
            finding.rows for f in logs for finding in f.findings if finding.kind.code == "CA131"
        )
    assert zero == 4
    assert verdicts == {
        "abstained": 18_507, "unsupported": 95_324, "inconclusive": 102_806, "confirmed": 20_401,
    }  # fmt: skip
