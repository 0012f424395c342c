"""`certaudit attack`: the counterexample is one, there whole or not at all."""

import json
from pathlib import Path

import numpy as np
import pytest

from certaudit.certify.data import LabelledData
from certaudit.certify.label_flip import fit
from certaudit.rigorous.flips import Bracket, Side, vote_winner

MEMBERS = [
    *("type", "certaudit", "noise_model", "classifier", "vote", "ridge", "intercept", "scale"),
    *("source", "label_column", "positive", "training_points", "data", "index", "label"),
    *("prediction", "holds_for", "ridge_after", "radius", "flips", "before", "after"),
]


@pytest.fixture
def data(tmp_path):
    generator = np.random.default_rng(4)
    rows = generator.normal(size=(130, 3)).round(3)
    labels = (rows[:, 0] + 0.3 * generator.normal(size=130) > 0).astype(np.int64)
    arrays = {"X_train": rows[:120], "y_train": labels[:120]}
    arrays |= {"X_test": rows[120:], "y_test": labels[120:]}
    np.savez(tmp_path / "data.npz", **arrays)
    return arrays


def attacked(data, found, **options):
    """Return the winner of the vote before the flips of a counterexample, and after them."""
    checked = LabelledData.check(*data.values())
    given = {"ridge": "auto", "scale": "standard", "intercept": True, **options}
    rate, _, _, model = fit(checked, q="0.1", **given)
    point = next(iter(model.points([found["index"]])))
    labels = data["y_train"].copy()
    for flip in found["flips"]:
        assert labels[flip["index"]] == flip["from"] == 1 - flip["to"]
        labels[flip["index"]] = flip["to"]
    votes = (
        vote_winner(point.alpha, each, rate, alpha_error=point.alpha_error)[0]
        for each in (data["y_train"], labels)
    )
    return tuple(votes)


@pytest.mark.parametrize("index", range(4))
def test_the_flips_change_the_vote(data, index, invoke):
    result = invoke("attack", "data.npz", "--q", "0.1", "--index", index)
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    assert list(found) == MEMBERS
    assert attacked(data, found) == (found["prediction"], 1 - found["prediction"])
    assert len(found["flips"]) == found["radius"]["refuted_at"]
    assert found["radius"]["proved"] == found["radius"]["refuted_at"] - 1
    assert (found["holds_for"], found["ridge_after"]) == ("pipeline", None)
    assert (found["label"], found["source"]) == (int(data["y_test"][index]), "data.npz")
    assert found["training_points"] == 120
    for side in ("before", "after"):
        assert list(found[side]) == ["by", "check", "t"]


@pytest.mark.usefixtures("data")
def test_a_file_and_a_page(invoke):
    result = invoke("attack", "data.npz", "--q", "0.1", "--index", "0", "-o", "attack.json")
    assert (result.code, result.err) == (0, "wrote attack.json\n")
    assert all(len(line) <= 80 for line in result.out.splitlines())
    text = Path("attack.json").read_text("ascii")
    found = json.loads(text)
    assert text == json.dumps(found, indent=1) + "\n"
    count = len(found["flips"])
    assert f"{count} of 120 training labels" in result.out
    assert f"no {count - 1} change it: there is no smaller set" in result.out
    assert str(found["flips"][0]["index"]) in result.out
    same = invoke("attack", "data.npz", "--q", "0.1", "--index", "0")
    assert json.loads(same.out) == found


def test_the_papers_ridge_is_computed_again(data, invoke):
    options = ("--q", "0.1", "--index", "1", "--ridge", "paper")
    found = json.loads(invoke("attack", "data.npz", *options).out)
    assert found["ridge"]["rule"] == "paper"
    assert attacked(data, found, ridge="paper") == (found["prediction"], 1 - found["prediction"])
    assert found["holds_for"] == "pipeline"
    assert found["ridge_after"] not in (None, found["ridge"]["value"])
    page = invoke("attack", "data.npz", *options, "-o", "attack.json").out
    assert "with the ridge of the flipped labels" in " ".join(page.split())


@pytest.mark.usefixtures("data")
def test_what_is_not_proven_with_the_other_ridge_holds_for_this_one_only(invoke, monkeypatch):
    monkeypatch.setattr("certaudit.certify.attack._with_its_ridge", lambda *_: None)
    options = ("--q", "0.1", "--index", "1", "--ridge", "paper")
    found = json.loads(invoke("attack", "data.npz", *options).out)
    assert (found["holds_for"], found["ridge_after"]) == ("fixed ridge", None)
    assert "this ridge only" in invoke("attack", "data.npz", *options, "-o", "a.json").out


def test_a_vote_that_nothing_changes(invoke):
    rows = np.array([[1.0], [2.0], [1.0]])
    np.savez("data.npz", X_train=rows, y_train=[0, 1, 0], X_test=[[0.001]], y_test=[0])
    options = ("--scale", "none", "--no-intercept", "--ridge", "1")
    result = invoke("attack", "data.npz", "--q", "0.1", "--index", "0", *options, "-o", "a.json")
    assert (result.code, result.out) == (0, "")
    assert result.err == "no set of label flips changes this vote: proven, so nothing is written\n"
    assert not Path("a.json").exists()


@pytest.mark.usefixtures("data")
def test_what_stays_open_exits_3(invoke, monkeypatch):
    def open_bracket(*arguments):
        return Bracket(arguments[-1].mean_prediction, 4, None, Side("fourier"), None), None

    monkeypatch.setattr("certaudit.certify.attack._bracket", open_bracket)
    result = invoke("attack", "data.npz", "--q", "0.1", "--index", "0", "-o", "a.json")
    assert (result.code, result.out) == (3, "")
    assert result.err == (
        "no counterexample is proven; 4 flips are proven not to change the vote\n"
    )
    assert not Path("a.json").exists()


@pytest.mark.usefixtures("data")
def test_no_counterexample_to_a_vote_that_is_not_proven(invoke, monkeypatch):
    def lost(*arguments):
        return Bracket(arguments[-1].mean_prediction, -1, 2, None, Side("fourier")), np.ones(120)

    monkeypatch.setattr("certaudit.certify.attack._bracket", lost)
    result = invoke("attack", "data.npz", "--q", "0.1", "--index", "0", "-o", "a.json")
    assert (result.code, result.out) == (3, "")
    assert result.err == "no counterexample is proven; not even the vote is proven\n"
    assert not Path("a.json").exists()


@pytest.mark.usefixtures("data")
def test_only_an_attack_is_replaced(invoke):
    before = Path("data.npz").read_bytes()
    options = ("--q", "0.1", "--index", "0", "-o")
    result = invoke("attack", "data.npz", *options, "data.npz")
    assert (result.code, result.out) == (2, "")
    assert "data.npz: exists, and is not an attack" in result.err
    assert Path("data.npz").read_bytes() == before
    assert invoke("attack", "data.npz", *options, "a.json").code == 0
    written = Path("a.json").read_bytes()
    assert invoke("attack", "data.npz", *options, "a.json").code == 0
    assert Path("a.json").read_bytes() == written


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--q", "0.1", "--index", "10"), "index: 10 is not one of the test points 0..9"),
        (("--q", "0", "--index", "0"), "q: must lie strictly between 0 and 1/2"),
        (("--q", "0.6", "--index", "0"), "q: must lie strictly between 0 and 1/2"),
        (("--q", "0.1", "--index", "-1"), "'--index'"),
        (("--q", "0.1"), "'--index'"),
        (("--q", "0.1", "--index", "0", "--ridge", "-1"), "ridge: must not be negative"),
    ],
)
def test_bad_input_is_one_line(options, text, invoke):
    result = invoke("attack", "data.npz", *options, "-o", "a.json")
    assert result.code == 2
    assert text in result.err
    assert not Path("a.json").exists()


def test_three_classes_are_refused(invoke):
    rows = np.arange(12.0).reshape(6, 2)
    np.savez("three.npz", X_train=rows, y_train=[0, 1, 2] * 2, X_test=rows[:1], y_test=[0])
    result = invoke("attack", "three.npz", "--q", "0.1", "--index", "0")
    assert result.code == 2
    assert "labels: 0 and 1 are expected here" in result.err
    assert invoke("certify", "three.npz", "--q", "0.1", "--guarantee", "exact", "-o", "r").code == 2
    assert invoke("certify", "three.npz", "--q", "0.1", "--guarantee", "all", "-o", "r").code == 0
    summary = json.loads(Path("r", "run.json").read_text())
    assert summary["guarantee"] == ["kl", "tight"]


@pytest.mark.usefixtures("data")
def test_certify_writes_brackets_and_shows_them(invoke):
    result = invoke("certify", "data.npz", "--q", "0.1", "--guarantee", "all", "-o", "run")
    assert result.code == 0
    assert all(len(line) <= 80 for line in result.out.splitlines())
    assert "under attack" in result.out
    assert "exact radius known for 10 of 10 points" in result.out
    summary = json.loads(Path("run", "run.json").read_text())
    assert summary["guarantee"] == ["kl", "tight", "exact"]
    assert summary["brackets"] == {"closed": 10, "open": 0}
    lines = list(map(json.loads, Path("run", "certificates.jsonl").read_text().splitlines()))
    right = [line for line in lines if line["label"] == line["prediction"]]
    for r, correct in enumerate(summary["attacked_accuracy"]["correct"]):
        assert correct == sum(line["radius"]["exact"]["refuted_at"] > r for line in right)
    for r, correct in enumerate(summary["certified_accuracy"]["exact"]["correct"]):
        assert correct == sum(line["radius"]["exact"]["proved"] >= r for line in right)
    for line in lines:
        assert list(line)[-1] == "evidence"
        assert list(line["radius"]) == ["kl", "tight", "exact"]
        for side in line["evidence"].values():
            assert list(side) == ["by", "flips", "check", "t"]
