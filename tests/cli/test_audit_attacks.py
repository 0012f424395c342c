"""Ways to have a false claim confirmed, or a proven one refused, that were tried and found."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import certaudit
from certaudit import InputError
from certaudit.cli.main import main

G = {"sigma": "0.5", "failure_prob": "0.001"}


def audit(text, name="claims.csv", **stated):
    Path(name).write_text(text)
    return certaudit.audit(name, **stated)


def verdicts(report):
    return [claim["verdict"] for claim in report.claims]


def codes(report):
    return {finding.kind.code for file in report.files for finding in file.findings}


RUNNER_UP = "index,prediction,radius,count,runner_up,samples\n"


@pytest.mark.parametrize(
    "other", ["990.0", "9.9e2", "+990", "990", "²", "٣", "9" * 5000, "x", "-1"]
)
def test_the_runner_up_is_not_the_winner(other):
    report = audit(f"{RUNNER_UP}0,1,0.9,10,{other},1000\n", **G)
    assert verdicts(report)[0] in ("unsupported", "malformed")
    report = audit(f"{RUNNER_UP}0,1,0.9,990,{other},1000\n", **G)
    assert (verdicts(report)[0] == "confirmed") == (other == "")


@pytest.mark.parametrize("other", ["5", "5.0", "+5", ""])
def test_other_spellings_of_integers_are_read(other):
    assert verdicts(audit(f"{RUNNER_UP}0,1,0.9,990,{other},1000\n", **G)) == ["confirmed"]
    assert verdicts(audit(f"{RUNNER_UP}0,1,0.9,990.0,{other},1000\n", **G)) == ["confirmed"]


def test_the_samples_of_a_row_are_the_samples():
    head = "index,prediction,radius,samples,count:0,count:1\n"
    rows = "0,0,0.9,2000,990,5\n1,0,0.9,100,990,10\n2,0,0.9,1000,990,10\n3,0,0.9,1000,5,990.0\n"
    report = audit(head + rows, **G)
    assert verdicts(report) == ["unsupported", "unsupported", "confirmed", "unsupported"]
    assert "CA105" in codes(report)
    # What is stated and what the row says have to be the same.
    report = audit(head + rows, samples=2000, **G)
    assert verdicts(report) == ["unsupported"] * 4
    assert verdicts(audit(head + "0,0,3,1000000,1000000,0\n", q="0.1", samples=100,
                          failure_prob="0.001")) == ["unsupported"]  # fmt: skip


def test_the_most_voted_class_is_not_bounded_by_the_votes_that_chose_it():
    # With true shares of 1/2 one class or the other has 550 votes with a chance of 0.0017.
    text = "index,count:0,count:1\n0,550,450\n1,560,440\n"
    report = audit(text, samples=1000, failure_prob="0.001")
    assert verdicts(report) == ["unsupported", "confirmed"]
    assert "CA116" in codes(report)
    ten = "index," + ",".join(f"count:{k}" for k in range(10)) + "\n"
    rows = ten + "0,556,444" + ",0" * 8 + "\n"
    assert verdicts(audit(rows, samples=1000, failure_prob="0.001")) == ["unsupported"]
    # The columns are as many classes as are stated, or more.
    report = audit(rows, samples=1000, failure_prob="0.001", selection="same", classes=2)
    assert verdicts(report) == ["unsupported"]


def test_votes_that_chose_the_class_are_recognised_by_their_numbers():
    head = "index,prediction,radius,count,samples,selection_count,selection_samples\n"
    same = "".join(f"{n},1,0.5,{900 + n},1000,{900 + n}.0,1000\n" for n in range(20))
    report = audit(head + same, **G)
    assert set(verdicts(report)) == {"inconclusive"}
    assert all(claim["proved_radius"] is None for claim in report.claims)
    assert report.files[0].effect.as_json()["certified"] == []
    assert verdicts(audit(head + same, selection="same", classes=10, **G)) == ["confirmed"] * 20
    other = "".join(f"{n},1,0.5,{900 + n},1000,{90 + n % 3},100\n" for n in range(20))
    assert set(verdicts(audit(head + other, **G))) == {"confirmed"}
    assert verdicts(audit(head + "0,1,0.5,900,1000,200,100\n", **G)) == ["unsupported"]
    # Nothing to divide: the radius alone does not say at which level it was computed.
    report = audit("index,prediction,radius\n0,1,1.1449\n", selection="same", classes=10,
                   samples=100_000, rounding="down", **G)  # fmt: skip
    assert verdicts(report) == ["inconclusive"]


def test_votes_without_a_failure_probability_prove_nothing():
    head = "idx,predict,radius,p_lower,count,samples\n"
    report = audit(head + "0,3,0.8,0.99,10,1000\n1,3,0.8,0.99,1010,1000\n", sigma="0.5")
    assert verdicts(report) == ["inconclusive", "unsupported"]
    assert {"CA105", "CA115"} <= codes(report)
    flips = "index,prediction,radius,log_error,count,samples\n0,1,5,-50,3,1000\n"
    assert verdicts(audit(flips, q="0.1")) == ["inconclusive"]


def test_bounds_in_the_wrong_order_are_no_evidence():
    head = "index,prediction,radius,p_lower,p_upper\n"
    report = audit(head + "0,1,0.8,0.99,0.10\n1,1,0.8,0.99,nan\n", sigma="0.5",
                   guarantee="gaussian")  # fmt: skip
    assert verdicts(report) == ["inconclusive", "malformed"]
    assert verdicts(audit(head + "0,1,1,.999,.1\n", q="0.1")) == ["inconclusive"]


def test_p_that_was_rounded_to_one_is_not_nearly_one():
    head = "idx,predict,radius,p_lower\n"
    text = head + "0,3,4.0000,1.000\n1,3,1.6000,1.000\n2,3,4.0000,1.0\n"
    report = audit(text, sigma="0.5", guarantee="gaussian")
    assert verdicts(report) == ["inconclusive", "confirmed", "confirmed"]
    assert report.claims[0]["proved_radius"] == pytest.approx(1.6453, abs=1e-3)
    flips = "index,prediction,radius,p_lower\n0,1,5,1.000\n1,1,5,1.0\n"
    assert verdicts(audit(flips, q="0.1")) == ["unsupported", "confirmed"]


def test_p_that_is_one_is_held_against_the_log_error():
    head = "index,prediction,radius,log_error,p_lower\n"
    report = audit(head + "0,1,0,-1,1.0\n1,1,0,-1,0.99\n2,1,0,-1,0.63\n", q="0.1")
    assert verdicts(report) == ["unsupported", "unsupported", "confirmed"]


def test_a_vote_that_is_not_won_is_not_proven_at_radius_0():
    head = "index,label,prediction,radius,count,samples\n"
    lost = "".join(f"{n},1,1,0.0,400,1000\n" for n in range(5))
    won = "".join(f"{n},1,1,0.5,990,1000\n" for n in range(5, 10))
    Path("logs").mkdir()
    Path("logs/log").write_text(head + lost + won)
    Path("logs/log_acc").write_text("0.00\t1.00000\n0.25\t0.50000\n")
    report = certaudit.audit("logs", **G)
    curve = [claim for claim in report.claims if claim["file"] == "log_acc"]
    assert [claim["verdict"] for claim in curve] == ["unsupported", "confirmed"]
    effect = report.files[0].effect
    assert (effect.overclaimed, effect.grid_drop(), effect.accuracy_drop()) == (5, 5, 5)
    flips = "index,label,prediction,radius,log_error\n" + "0,1,1,0,-0.1\n1,1,1,3,-0.3\n"
    report = audit(flips, q="0.1")
    assert report.files[0].effect.as_json()["certified"][0]["proved"] == 0


def test_curves_need_to_know_which_rows_are_right():
    Path("logs").mkdir()
    Path("logs/log.csv").write_text("idx,predict,radius,count,samples\n0,1,0.5,990,1000\n")
    Path("logs/log_acc.csv").write_text("radius,accuracy\n0.25,1.0\n")
    report = certaudit.audit("logs", **G)
    assert [c["verdict"] for c in report.claims if c["file"] == "log_acc.csv"] == ["inconclusive"]
    labelled = "idx,label,predict,radius,count,samples\n0,1,1,0.5,990,1000\n"
    Path("logs/log.csv").write_text(labelled)
    report = certaudit.audit("logs", **G)
    assert [c["verdict"] for c in report.claims if c["file"] == "log_acc.csv"] == ["confirmed"]
    Path("down_acc").write_text("1.0\t0.2\n0.5\t0.5\n0\t0.9\n")
    Path("down_acc.csv").write_text("radius,accuracy\n1.0,0.2\n0.5,0.5\n0,0.9\n")
    assert set(verdicts(certaudit.audit("down_acc.csv"))) == {"inconclusive"}


def test_contradictory_flags_prove_nothing():
    head = "index,label,prediction,correct,radius,count,samples\n"
    report = audit(head + "0,1,2,1,0.5,990,1000\n", **G)
    assert verdicts(report) == ["inconclusive"]
    assert report.claims[0]["proved_radius"] is None
    assert report.files[0].effect.as_json()["certified"][0]["proved"] == 0


@pytest.mark.parametrize("text", ["", "nan", "None"])
def test_a_row_without_a_radius_or_a_class_is_malformed(text):
    head = "index,label,prediction,radius,count,samples\n"
    assert verdicts(audit(head + f"0,1,1,{text},990,1000\n", **G)) == ["malformed"]
    assert verdicts(audit(head + f"0,1,{text},0.5,990,1000\n", **G)) == ["malformed"]


@pytest.mark.parametrize(
    "stated",
    [
        {"q": "0.1", "sigma": "0.5"},
        {"sigma": "0.5", "dimension": 3072},
        {"noise": "gaussian", "sigma": "0.5", "q": "0.1"},
    ],
)
def test_options_that_contradict_are_refused(stated):
    with pytest.raises(InputError):
        audit("index,prediction,radius,p_lower\n0,1,1,0.99\n", **stated)
    with pytest.raises(InputError, match="norm"):
        audit("index,prediction,linf_radius\n0,1,0.01\n", sigma="0.5", norm="l2")


@pytest.mark.parametrize("claims", [None, 5, [1, 2], {"radius": 5}, {"radius": [10**5000]}])
def test_what_is_no_table_is_refused(claims):
    before = sys.get_int_max_str_digits()  # the command line raises it for its process
    sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)
    try:
        with pytest.raises(InputError):
            certaudit.audit(claims, **G)
    finally:
        sys.set_int_max_str_digits(before)


def exit_code(*arguments):
    return main(["audit", *map(str, arguments)])


def test_an_excess_of_nothing_is_not_small(capsys):
    flips = "index,prediction,radius,log_error,p_lower\n0,1,1,-5,0.99999\n"
    Path("a.csv").write_text(flips)
    assert exit_code("a.csv", "--q", "0.1", "--max-excess", "0") == 1
    Path("b.csv").write_text("index,label,prediction,correct,radius,log_error\n0,1,1,0,1,-5\n")
    assert exit_code("b.csv", "--q", "0.1", "--max-excess", "0") == 3
    capsys.readouterr()


def test_a_file_in_a_folder_that_cannot_be_read_is_not_passed_over(capsys):
    Path("logs").mkdir()
    Path("logs/good.csv").write_text("index,prediction,radius,log_error\n0,1,1,-50\n")
    assert exit_code("logs", "--q", "0.1") == 0
    bad = "index,prediction,radius,log_error\n0,1,100,-5\n"
    for name, data in (
        ("cr.csv", bad.replace("\n", "\r").encode()),
        ("utf16.csv", bad.encode("utf-16")),
        ("long.csv", b"#" * 70_000 + b"\n" + bad.encode()),
        ("other.csv", b"\0\1\2\3" * 100),
    ):
        Path("logs", name).write_bytes(data)
        assert exit_code("logs", "--q", "0.1") == 2, name
        Path("logs", name).unlink()
    Path("logs/nul.csv").write_bytes(bad.encode() + b"1,1,1,-50\0\n")
    assert exit_code("logs", "--q", "0.1") == 2
    assert "1 row cannot be read" in capsys.readouterr().out


def test_a_closed_pipe_does_not_hide_the_verdict():
    rows = "".join(f"{n},1,100,-5\n" for n in range(20_000))
    Path("a.csv").write_text("index,prediction,radius,log_error\n" + rows)
    for style in ("json", "sarif"):
        command = [sys.executable, "-m", "certaudit", "audit", "a.csv", "--q", "0.1"]
        process = subprocess.Popen(
            [*command, "--format", style], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        process.stdout.read(1)
        process.stdout.close()
        errors = process.stderr.read()
        process.stderr.close()
        assert (process.wait(), errors) == (1, b"")


def test_nothing_is_printed_of_a_file_that_cannot_be_read(capsys):
    Path("x.csv").write_text("what is this\n")
    assert exit_code("x.csv", "--format", "json") == 2
    assert capsys.readouterr().out == ""


FIX = ("index", "label", "prediction", "radius", "log_error")


def fixed(text, *options):
    Path("a.csv").write_text(text)
    for old in ("b.csv", "b.csv.manifest.json"):
        Path(old).unlink(missing_ok=True)
    exit_code("a.csv", *options, "--fix", "b.csv")
    return Path("b.csv").read_text().splitlines()[1:]


def test_what_is_written_again_is_proved_or_abstains(capsys):
    head = ",".join(FIX) + "\n"
    rows = "0,1,1,0,-0.1\n1,1,1,3,-0.3\n2,1,1,4,-5\n3,1,1,1,-5\n"
    assert fixed(head + rows, "--q", "0.1") == [
        "0,1,-1,0,-0.1", "1,1,-1,0,-0.3", "2,1,1,1,-5", "3,1,1,1,-5",
    ]  # fmt: skip
    assert exit_code("b.csv") == 0
    # An overstated p is not mended by a larger radius.
    head = "index,prediction,radius,p_lower,count,samples\n"
    rows = fixed(head + "0,1,1,0.9999,9999,10000\n", "--q", "0.1", "--failure-prob", "0.001")
    assert rows == ["0,1,1,0.9999,9999,10000"]
    assert "1 unconfirmed" in capsys.readouterr().err
    rows = fixed(head + "0,1,1,0.5,9999,10000\n", "--q", "0.1", "--selection", "same")
    assert rows == ["0,1,1,0.5,9999,10000"]


def test_what_was_inferred_is_not_stated_afterwards():
    rows = "".join(f"{n}\t1\t1\t{r}\t1\t0:1\n" for n, r in enumerate(("0.9529", "0.6", "0.41")))
    Path("sigma_0.25").write_text("idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + rows)
    exit_code("sigma_0.25", "--samples", "100000", "--fix", "fixed_sigma_0.25")
    manifest = json.loads(Path("fixed_sigma_0.25.manifest.json").read_text())
    assert "failure_prob" not in manifest
    assert manifest["samples"] == 100_000
    assert manifest["annotations"]["inferred"] == {"failure_prob": "1/1000"}
    report = certaudit.audit("fixed_sigma_0.25")
    assert "failure_prob" in report.files[0].inferred
    assert "CA137" in codes(report)


def test_noise_that_is_not_decided_is_not_written_again(capsys):
    Path("orig-rad-laplace-None-0.5-1000-0.001.txt").write_text("0 0.4\n10 0.5\n")
    name = "orig-rad-laplace-None-0.5-1000-0.001.txt"
    assert set(verdicts(certaudit.audit(name))) == {"inconclusive"}
    assert exit_code(name, "--fix", "orig-rad-gaussian-None-0.5-1000-0.001.txt") == 2
    assert "laplace" in capsys.readouterr().err
    assert not Path("orig-rad-gaussian-None-0.5-1000-0.001.txt").exists()


def test_a_log_error_is_evidence_whatever_the_radii_look_like():
    head = "index,prediction,radius,log_error\n"
    report = audit(head + "0,1,0.5,-1.9\n1,1,0.52,-1.9\n", sigma="0.5")
    assert verdicts(report) == ["confirmed", "unsupported"]
    assert report.files[0].inferred == []


def test_the_pairwise_bound_covers_smaller_radii_too():
    head = "index,prediction,radius,log_error\n"
    stated = {"q": "0.1", "classes": 3, "vote": "plurality", "bound": "pairwise"}
    report = audit(head + "0,1,0,-100\n1,1,1,-100\n2,1,10,-100\n", guarantee="kl", **stated)
    assert verdicts(report) == ["confirmed"] * 3


def test_stated_parameters_stay_in_the_verdicts():
    share = Fraction(1, 1000)
    radii = [f"{0.5 * r:.4f}" for r in (0.1, 0.7, 1.3, 2.1)]
    lines = "".join(f"{n}\t1\t1\t{r}\t1\t0:1\n" for n, r in enumerate(radii))
    Path("sigma_0.5").write_text("idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + lines)
    report = certaudit.audit("sigma_0.5", samples=500, failure_prob=share)
    parameters = report.files[0].parameters
    assert (parameters["samples"], parameters["failure_prob"]) == (500, "1/1000")
    assert parameters["sigma"] == "1/2"


@pytest.mark.parametrize("radius", ["1e-9999", "1e9999", "0." + "3" * 900])
def test_absurd_numbers_take_no_time_worth_mentioning(radius):
    rows = "".join(f"{n},1,{radius}\n" for n in range(20))
    report = audit("index,prediction,radius\n" + rows, samples=1000, **G)
    assert "confirmed" not in verdicts(report)


# ------------------------------------------------------------------------- a second attack


def test_votes_of_an_unknown_number_prove_nothing():
    head = "index,prediction,radius,p_lower,count,samples\n"
    assert verdicts(audit(head + "0,1,0.9,0.999,10,\n1,1,0.9,0.97,990,1000\n", **G)) == [
        "inconclusive", "confirmed",
    ]  # fmt: skip
    report = audit("index,prediction,radius,count\n0,1,0.5,99\n", sigma="0.5")
    assert verdicts(report) == ["inconclusive"]
    assert report.files[0].inferred == []


def test_a_curve_is_held_against_its_own_log(capsys):
    row = "{},1,{},0.5,990,1000\n"
    head = "index,label,prediction,radius,count,samples\n"
    half = head + "".join(row.format(n, 1 + n % 2) for n in range(10))
    whole = head + "".join(row.format(n, 1) for n in range(10))
    for folder, text in (("A", half), ("B", whole)):
        Path(folder).mkdir()
        Path(folder, "log.csv").write_text(text)
    Path("A/log_acc.csv").write_text("radius,accuracy\n0.25,1.0\n")
    stated = ("--sigma", "0.5", "--failure-prob", "0.001")
    assert exit_code("A", *stated) == 1
    assert exit_code("A", "B", *stated) == 1
    capsys.readouterr()
    exit_code("A", "B", *stated, "--format", "json")
    found = json.loads(capsys.readouterr().out)
    assert {file["file"] for file in found["files"]} == {"A/log.csv", "A/log_acc.csv", "B/log.csv"}
    # Of two logs that could be its own a curve has none.
    Path("A/log.txt").write_text(whole)
    assert exit_code("A", *stated) == 3
    capsys.readouterr()


def test_class_counts_that_chose_the_class_do_not_bound_it():
    head = "index,prediction,radius,count:0,count:1,selection_count,selection_samples\n"
    same = "".join(f"{n},0,0.5,{900 + n},{100 - n},{900 + n},1000\n" for n in range(20))
    assert "CA116" in codes(audit(head + same, **G))
    counts = np.array([[550, 450], [450, 550]])
    np.savez("votes.npz", counts=counts, selection_counts=counts)
    report = certaudit.audit("votes.npz", failure_prob="0.001", samples=1000)
    assert set(verdicts(report)) == {"unsupported"}
    one = "index,prediction,radius,count,samples,selection_count,selection_samples\n"
    assert verdicts(audit(one + "0,1,0.5,900,1000,900,1000\n", **G)) == ["inconclusive"]
    assert verdicts(audit(one + "0,1,0.5,900,1000,900,2000\n", **G)) == ["inconclusive"]
    # A class that the choosing votes did not choose.
    assert verdicts(audit(one + "0,1,0.5,990,1000,0,100\n", **G)) == ["inconclusive"]
    assert verdicts(audit(head + "0,0,0.5,900,100,40,100\n", **G)) == ["inconclusive"]
    assert verdicts(audit(head + "0,0,0.5,900,100,60,100\n", **G)) == ["confirmed"]


def test_bounds_on_pairs_are_none_on_the_vote_of_all():
    pairs = {"bound": "pairwise", "classes": 3}
    head = "index,prediction,radius,p_lower\n"
    for vote, verdict in (("plurality", "inconclusive"), ("pairwise", "confirmed")):
        report = audit(
            head + "0,1,0.3,0.95\n", sigma="0.5", guarantee="gaussian", vote=vote, **pairs
        )
        assert verdicts(report) == [verdict]
        flips = {"q": "0.1", "guarantee": "kl", "vote": vote, **pairs}
        assert verdicts(audit("index,prediction,radius,log_error\n0,1,1,-5\n", **flips)) == [
            verdict
        ]
    assert verdicts(audit(head + "0,1,0.3,0.95\n", sigma="0.5", guarantee="gaussian", **pairs)) == [
        "inconclusive"
    ]


def test_a_sampled_bound_is_not_above_what_all_votes_prove():
    head = "index,prediction,radius,{},samples\n0,1,2,{},100\n"
    stated = {"q": "0.1", "failure_prob": "0.001"}
    for name, value in (("p_lower", "0.9999999"), ("log_error", "-50")):
        assert verdicts(audit(head.format(name, value), **stated)) == ["refuted"]
        # Nobody says how often it is false.
        assert verdicts(audit(head.format(name, value), q="0.1")) == ["inconclusive"]
        assert verdicts(audit(head.format(name, value), sigma="0.9")) == ["inconclusive"]


def test_columns_that_contradict_the_claim_are_looked_at():
    head = "index,prediction,radius,log_error,p_upper\n0,1,5,-50,0.10\n"
    assert verdicts(audit(head, q="0.1")) == ["inconclusive"]
    head = "index,prediction,radius,p_lower,runner_up,samples\n0,1,0.5,0.99,900,1000\n"
    assert verdicts(audit(head, sigma="0.5", guarantee="gaussian")) == ["inconclusive"]
    with pytest.raises(InputError, match="norm"):
        audit("index,prediction,linf_radius,log_error\n0,1,3,-50\n", q="0.1")


def test_what_abstentions_print_does_not_say_how_claims_do():
    head = "index,prediction,radius,p_lower\n0,1,1.163,0.99\n"
    silent = "".join(f"{n},-1,0.0,0.3{n:016d}\n" for n in range(1, 30))
    assert verdicts(audit(head + silent, sigma="0.5"))[0] != "confirmed"


@pytest.mark.parametrize(("text", "verdict"), [
    ("1.0", "confirmed"), ("1", "confirmed"),
    ("1.000", "inconclusive"), ("1.000e0", "inconclusive"),
])  # fmt: skip
def test_one_is_as_close_to_one_as_it_is_printed(text, verdict):
    head = "index,prediction,radius,p_lower\n"
    report = audit(head + f"0,1,2.0,{text}\n", sigma="0.5", guarantee="gaussian")
    assert verdicts(report) == [verdict]


def test_rows_in_captured_output_are_not_dropped():
    line = "j: {}\t1\t1\t{}\t1\tx\n"
    text = "boot\nj: idx\tlabel\tpredict\tradius\tcorrect\ttime\nj: pA: 0.99\n"
    text += line.format("0", "0.9") + line.format("1.0", "90") + line.format("+4", "90")
    text += "j: pA: 0.99\nj: restart\n" + line.format("5", "0.9")
    report = audit(text, "stdout.txt", sigma="0.5", guarantee="gaussian")
    assert sorted(verdicts(report)) == ["confirmed", "inconclusive", "malformed", "malformed"]
    beginning = text.partition("\n")[2]
    assert len(audit(beginning, "stdout.txt", sigma="0.5", guarantee="gaussian").claims) == 4


def test_a_log_error_beside_a_one_is_no_contradiction():
    head = "index,prediction,radius,log_error,p_lower\n0,1,1,-50,1.0\n"
    assert verdicts(audit(head, sigma="0.5", guarantee="gaussian")) == ["confirmed"]


def test_a_report_does_not_replace_what_it_is_about(capsys):
    text = "index,prediction,radius,log_error\n0,1,1,-50\n"
    for name in ("a.csv", "b.csv", "b.csv.manifest.json"):
        Path("a.csv").write_text(text)
        options = ("--q", "0.1", "--format", "json", "-o", name, "--fix", "b.csv")
        assert exit_code("a.csv", *options) == 2
        assert Path("a.csv").read_text() == text
    Path("logs").mkdir()
    Path("logs/a.csv").write_text(text)
    assert exit_code("logs", "--q", "0.1", "--format", "json", "-o", "logs/a.csv") == 2
    for _ in range(2):
        assert exit_code("logs", "--q", "0.1", "--format", "json", "-o", "logs/out.json") == 0
    assert Path("logs/a.csv").read_text() == text
    capsys.readouterr()


def test_what_is_refused_stays_refused_without_a_failure_probability():
    head = "index,prediction,radius,p_lower,count,samples\n"
    rows = (
        "0,1,x,0.97,990,1000\n1,1,inf,0.97,990,1000\n2,1,1,0.999,990,1000\n3,1,x,0.97,1001,1000\n"
    )
    assert verdicts(audit(head + rows, q="0.1")) == [
        "malformed", "refuted", "unsupported", "malformed",
    ]  # fmt: skip
    assert verdicts(audit(head + rows, sigma="0.5"))[:2] == ["malformed", "refuted"]


def test_p_that_was_rounded_to_one_is_held_against_its_samples_as_it_was_printed():
    head = "index,prediction,radius,p_lower,samples\n"
    stated = {"q": "0.1", "failure_prob": "0.001"}
    # All of 100,000 votes prove 0.99993: more than the 0.9995 that prints as 1.000, less than 1.0.
    assert verdicts(audit(head + "0,1,1,1.000,100000\n", **stated)) == ["confirmed"]
    assert verdicts(audit(head + "0,1,1,1.0,100000\n", **stated)) == ["refuted"]
    assert verdicts(audit(head + "0,1,1,1.000,100\n", **stated)) == ["refuted"]
