"""Radii of label flips decided as statements: against the votes of all labellings, counted."""

import json
import zipfile
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pytest
from support import HALF, distance, index_of, vote_table

import certaudit
from certaudit import InputError, audit
from certaudit.certify.data import LabelledData
from certaudit.certify.label_flip import fit
from certaudit.io.evidence import AlphaVectors, read_evidence

RATES = ["1/10", "1/3", "3/8", "1/100", "49/100"]


def random_alpha(random, n):
    """Return dyadic numbers, with ties, zeros and both signs likely."""
    return [Fraction(random.randint(-6, 12), 16) for _ in range(n)]


def least_flips(table, labels, c):
    """Return the least number of flips after which the vote is not for c, None if there is none."""
    start = index_of(labels)
    lost = [distance(start, at) for at, share in enumerate(table) if (share > HALF) != bool(c)]
    return min(lost, default=None)


def winner_of(table, labels):
    return int(table[index_of(labels)] > HALF)


def flipped(labels, rows):
    return [1 - y if i in rows else y for i, y in enumerate(labels)]


def save_alpha(path, alphas, labels, **more):
    rows = np.array([[float(a) for a in alpha] for alpha in alphas])
    np.savez(path, alpha=rows, y_train=np.array(labels), **more)
    return path


def frame(rows, names=("index", "prediction", "radius")):
    return {name: [str(row[at]) for row in rows] for at, name in enumerate(names)}


def assert_is_the_truth(claim, table, labels, c, radius):
    """Hold a verdict against the votes of all labellings."""
    n, least = len(labels), least_flips(table, labels, c)
    if least is None or radius < least:
        if radius > n:
            assert claim["verdict"] == "unsupported"
            assert "CA130" in claim["findings"]
            return
        assert claim["verdict"] == "confirmed"
        assert claim["proved_radius"] == (n if least is None else least - 1)
        assert "counterexample" not in claim
        return
    assert claim["verdict"] == "refuted"
    rows = claim["counterexample"]["training_rows"]
    assert len(rows) == len(set(rows)) == claim["counterexample"]["flips"] == least <= radius
    assert winner_of(table, flipped(labels, rows)) != c
    assert claim["evidence"] == {
        "vote": c,
        "proved": least - 1 if least else None,
        "refuted_at": least,
        "by": claim["evidence"]["by"],
    }
    assert claim["proved_radius"] == (least - 1 if least else None)
    assert ("CA134" in claim["findings"]) == (least == 0)


@pytest.mark.parametrize("seed", range(6))
def test_verdicts_on_alphas_are_those_of_all_labellings(seed, tmp_path):
    random = Random(seed)
    for trial in range(4):
        n, q = random.randint(1, 7), Fraction(random.choice(RATES))
        labels = [random.randint(0, 1) for _ in range(n)]
        alphas = [random_alpha(random, n) for _ in range(3)]
        path = save_alpha(tmp_path / f"{trial}.npz", alphas, labels)
        rows = [(i, c, r) for i in range(3) for c in (0, 1) for r in range(n + 2)]
        found = audit(frame(rows), q=str(q), evidence=path)
        tables = [vote_table(alpha, q) for alpha in alphas]
        for (i, c, radius), claim in zip(rows, found.claims, strict=True):
            assert_is_the_truth(claim, tables[i], labels, c, radius)
        # Without a prediction the claim is about the winner.
        rows = [(i, r) for i in range(3) for r in range(n + 2)]
        found = audit(frame(rows, ("index", "radius")) | {"label": ["1"] * len(rows)}, q=str(q),
                      evidence=path)  # fmt: skip
        for (i, radius), claim in zip(rows, found.claims, strict=True):
            assert_is_the_truth(claim, tables[i], labels, winner_of(tables[i], labels), radius)


def test_rows_of_alpha_are_the_claims_that_index_says(tmp_path):
    labels, q = [1, 1, 0], Fraction(1, 10)
    alphas = [[Fraction(1, 2)] * 3, [Fraction(1), Fraction(0), Fraction(0)]]
    path = save_alpha(tmp_path / "e.npz", alphas, labels, index=np.array([7, 3]), other=np.ones(4))
    rows = [(7, 1, 1), (3, 1, 1), (7, 1, 2), (3, 1, 0), (5, 1, 0)]
    claims = audit(frame(rows), q=str(q), evidence=path).claims
    tables = {index: vote_table(alpha, q) for index, alpha in zip((7, 3), alphas, strict=True)}
    for (index, c, radius), claim in zip(rows[:4], claims, strict=False):
        assert_is_the_truth(claim, tables[index], labels, c, radius)
    # No alpha: as without evidence.
    assert claims[4]["verdict"] == "inconclusive"
    assert "evidence" not in claims[4]
    report = audit(frame(rows), q=str(q), evidence=path)
    assert report.files[0].by_evidence == 4
    assert report.as_json()["files"][0]["by_evidence"] == {"claims": 4, "disproved": 2}


def one(evidence, row, **stated):
    (claim,) = audit({name: [text] for name, text in row.items()}, evidence=evidence,
                     **{"q": "1/10", **stated}).claims  # fmt: skip
    return claim


@pytest.fixture
def four(tmp_path):
    """Seven labels 1 of equal weight: four flips change the vote, three do not."""
    return save_alpha(tmp_path / "e.npz", [[Fraction(1, 7) + Fraction(0)] * 7], [1] * 7)


def test_what_the_row_gives_is_its_derivation_only(four):
    row = {"index": "0", "label": "1", "prediction": "1"}
    # ln(1 - p) <= -3: neither guarantee gives 3 flips, and the statement is true.
    claim = one(four, {**row, "radius": "3", "log_error": "-3"}, guarantee="kl")
    assert (claim["verdict"], claim["findings"]) == ("confirmed", ["CA101", "CA138"])
    assert claim["proved_radius"] == 3
    without = audit({k: [v] for k, v in {**row, "radius": "3", "log_error": "-3"}.items()},
                    q="1/10", guarantee="kl").claims[0]  # fmt: skip
    assert (without["verdict"], without["findings"]) == ("unsupported", ["CA101"])
    # What the row supports itself is no finding.
    claim = one(four, {**row, "radius": "1", "log_error": "-6"}, guarantee="tight")
    assert claim["verdict"] == "confirmed"
    assert "CA138" not in claim["findings"]
    # A bound that would prove what is refuted is false.
    for name, text, code in (("log_error", "-100", "CA103"), ("p_lower", "0.99999999", "CA102")):
        claim = one(four, {**row, "radius": "4", name: text})
        assert claim["verdict"] == "refuted"
        assert code in claim["findings"]
        assert claim["excess"] == {"absolute": 1.0, "printed_units": 1.0,
                                   "ulps": 1 / np.spacing(4.0)}  # fmt: skip
        claim = one(four, {**row, "radius": "3", name: text})
        assert claim["verdict"] == "confirmed"
        assert code in claim["findings"]
    # What is wrong between the numbers of a row stays a finding.
    claim = one(four, {**row, "radius": "3", "p_lower": "0.999", "log_error": "-1"})
    assert claim["verdict"] == "confirmed"
    assert {"CA102", "CA138"} <= set(claim["findings"])
    claim = one(four, {**row, "radius": "2", "prediction": "1", "log_error": "0.5"})
    assert (claim["verdict"], set(claim["findings"])) == ("confirmed", {
        "CA101", "CA103", "CA117", "CA138",
    })  # fmt: skip


def test_votes_of_samples_are_a_derivation_too(four):
    row = {"index": "0", "prediction": "1", "count": "600", "samples": "1000"}
    claim = one(four, {**row, "radius": "3"}, failure_prob="0.001")
    assert (claim["verdict"], claim["findings"]) == ("confirmed", ["CA101", "CA129", "CA138"])
    # No failure probability: the votes prove nothing, which speaks against nothing.
    claim = one(four, {**row, "radius": "3"})
    assert (claim["verdict"], claim["findings"]) == ("confirmed", [])
    claim = one(four, {**row, "count": "1001", "radius": "3"}, failure_prob="0.001")
    assert (claim["verdict"], claim["findings"]) == ("confirmed", ["CA105", "CA138"])
    claim = one(four, {"index": "0", "prediction": "1", "radius": "4", "samples": "10",
                       "p_lower": "0.9999999"}, failure_prob="0.001")  # fmt: skip
    assert claim["verdict"] == "refuted"
    assert claim["counterexample"]["flips"] == 4


def test_what_is_no_claim_about_flips_stays_as_it_is(four):
    def verdict(**row):
        found = one(four, {"index": "0", "prediction": "1", **row})
        assert "counterexample" not in found
        return found["verdict"]

    assert verdict(radius="3.5") == "malformed"
    assert verdict(radius="-1") == "malformed"
    assert verdict(radius="") == "malformed"
    assert verdict(radius="9", log_error="x") == "malformed"
    assert verdict(radius="9", prediction="-1") == "abstained"
    assert verdict(radius="9", decided="0") == "abstained"
    assert verdict(radius="1", prediction="7") == "inconclusive"
    assert verdict(index="0.5", radius="1") == "malformed"
    # The flags contradict each other: it is open for which class the radius was meant.
    assert verdict(radius="1", label="0", correct="1") == "inconclusive"
    assert one(four, {"index": "0", "prediction": "1.0", "radius": "inf"})["verdict"] == "refuted"
    (claim,) = audit({"radius": ["3"], "log_error": ["-1"]}, q="1/10", evidence=four).claims
    assert claim["verdict"] == "unsupported"


def test_a_constant_vote(tmp_path):
    path = save_alpha(tmp_path / "e.npz", [[Fraction(1, 16)] * 4], [1] * 4)
    assert one(path, {"index": "0", "prediction": "0", "radius": "4"})["verdict"] == "confirmed"
    claim = one(path, {"index": "0", "prediction": "1", "radius": "0"})
    assert (claim["verdict"], claim["evidence"]["refuted_at"]) == ("refuted", 0)
    assert claim["counterexample"] == {"flips": 0, "training_rows": []}
    assert claim["reason"] == "the vote is for the other class, without any flip"


def test_a_declared_margin_leaves_open_what_it_may_change(four):
    def verdict(radius, margin):
        row = {"index": "0", "prediction": "1", "radius": str(radius)}
        return one(four, row, alpha_margin=margin)["verdict"]

    assert [verdict(r, "0") for r in (3, 4)] == ["confirmed", "refuted"]
    assert [verdict(r, "1e-9") for r in (3, 4)] == ["confirmed", "refuted"]
    assert [verdict(r, "1/10") for r in (3, 4)] == ["inconclusive"] * 2
    claim = one(four, {"index": "0", "prediction": "1", "radius": "4"}, alpha_margin="1/10")
    assert claim["reason"] == "the evidence proves fewer flips and refutes only more"
    assert (claim["proved_radius"], claim["evidence"]["refuted_at"]) == (2, 5)
    assert claim["excess"]["absolute"] == 2
    assert [verdict(r, "1000") for r in (0, 7)] == ["inconclusive"] * 2


def test_claimed_against_proven(four):
    rows = [(0, 1, 1, r) for r in (1, 3, 5, 6)]
    report = audit(frame(rows, ("index", "label", "prediction", "radius")), q="1/10", evidence=four)
    accuracy = report.files[0].effect.as_json()
    assert (accuracy["right"], accuracy["open"], accuracy["overclaimed"]) == (4, 0, 2)
    at_five = next(point for point in accuracy["certified"] if point["radius"] == 5)
    assert (at_five["claimed"], at_five["proved"]) == (2, 0)
    assert accuracy["average_radius"] == {"claimed": 3.75, "proved": 2.5}


# ------------------------------------------------------------------------------------ data sets


def tiny(seed, n=8, m=5):
    """Return a small data set; all its numbers are small dyadic ones."""
    random = Random(seed)
    rows = np.array([[random.randint(-8, 8) / 4 for _ in range(2)] for _ in range(n + m)])
    labels = np.array([int(x[0] + random.randint(-2, 2) / 4 > 0) for x in rows])
    labels[:2] = 0, 1
    return {"X_train": rows[:n], "y_train": labels[:n], "X_test": rows[n:], "y_test": labels[n:]}


def exact_tables(data, q, *, ridge="auto", scale="standard", intercept=True):
    """Return the votes of all labellings for each test point, from alphas as rationals."""
    checked = LabelledData.check(*(data[key] for key in data))
    *_, model = fit(checked, q=q, ridge=ridge, scale=scale, intercept=intercept)
    return [vote_table(model.exact_alpha(i), q) for i in range(len(data["y_test"]))]


@pytest.mark.parametrize("seed", range(4))
def test_verdicts_on_a_data_set_are_those_of_all_labellings(seed, tmp_path):
    data, q = tiny(seed), Fraction("1/10")
    np.savez(tmp_path / "d.npz", **data)
    labels = data["y_train"].tolist()
    for choice in ({}, {"ridge": "2", "scale": "none", "intercept": False}, {"ridge": "paper"}):
        tables = exact_tables(data, q, **choice)
        radii = range(len(labels) + 1)
        rows = [(i, int(data["y_test"][i]), c, r)
                for i in range(len(tables)) for c in (0, 1) for r in radii]  # fmt: skip
        names = ("index", "label", "prediction", "radius")
        report = audit(frame(rows, names), q=q, evidence=tmp_path / "d.npz", **choice)
        for (i, _, c, radius), claim in zip(rows, report.claims, strict=True):
            assert_is_the_truth(claim, tables[i], labels, c, radius)
        told = report.files[0].parameters["evidence"]
        assert told["ridge"]["rule"] == {"2": "given"}.get(
            choice.get("ridge"), choice.get("ridge", "auto")
        )
        assert (told["scale"], told["intercept"]) == (
            choice.get("scale", "standard"), choice.get("intercept", True),
        )  # fmt: skip
        assert (told["alpha_margin"], told["alpha_margin_is"]) == ("1/1073741824", "default")
        codes = {finding.kind.code for finding in report.files[0].findings}
        assert ("CA201" in codes) == ("paper" in choice.values())


def test_a_margin_makes_the_refutation_of_floats_inconclusive(tmp_path):
    data, q = tiny(1), Fraction("1/10")
    np.savez(tmp_path / "d.npz", **data)
    (table, *_) = exact_tables(data, q)
    labels = data["y_train"].tolist()
    c = winner_of(table, labels)
    least = least_flips(table, labels, c)
    row = {"index": "0", "prediction": str(c), "radius": str(least)}
    assert one(tmp_path / "d.npz", row)["verdict"] == "refuted"
    claim = one(tmp_path / "d.npz", row, alpha_margin="100")
    assert claim["verdict"] == "inconclusive"
    told = audit({k: [v] for k, v in row.items()}, q="1/10", evidence=tmp_path / "d.npz",
                 alpha_margin="100").files[0].parameters["evidence"]  # fmt: skip
    assert (told["alpha_margin"], told["alpha_margin_is"]) == ("100", "declared")


def test_alphas_that_floats_do_not_bound_come_from_balls(tmp_path, monkeypatch):
    data, q = tiny(2), Fraction("1/10")
    np.savez(tmp_path / "d.npz", **data)
    blocks = certaudit.auditor.AlphaBlocks

    class Unbounded(blocks):
        def __call__(self, indices, buffer):
            block = super().__call__(indices, buffer)
            block.alpha_error[:] = np.inf
            return block

    monkeypatch.setattr(certaudit.auditor, "AlphaBlocks", Unbounded)
    labels, tables = data["y_train"].tolist(), exact_tables(data, q)
    rows = [(i, c, r) for i in range(len(tables)) for c in (0, 1) for r in range(len(labels) + 1)]
    claims = audit(frame(rows), q="1/10", evidence=tmp_path / "d.npz").claims
    for (i, c, radius), claim in zip(rows, claims, strict=True):
        assert_is_the_truth(claim, tables[i], labels, c, radius)


def test_alphas_that_nothing_bounds_decide_nothing(tmp_path, monkeypatch):
    np.savez(tmp_path / "d.npz", **tiny(2))
    unknown = certaudit.auditor.Vector(0, np.zeros(0), None)
    monkeypatch.setattr(certaudit.auditor._Solved, "__call__", lambda *_: iter([unknown]))
    claim = one(tmp_path / "d.npz", {"index": "0", "prediction": "1", "radius": "0"})
    assert claim["verdict"] == "inconclusive"
    assert claim["evidence"]["proved"] is None


# ---------------------------------------------------------------------------------- contradictions


@pytest.mark.parametrize(
    ("row", "stated", "message"),
    [
        ({}, {"q": None, "sigma": "1"}, "decides label flips of two labels"),
        ({}, {"classes": 3}, "3 classes"),
        ({}, {"q": "1/2"}, "0 < q < 1/2"),
        ({}, {"q": "0"}, "0 < q < 1/2"),
        ({}, {"training_labels": 9}, "has 9 training labels, d.npz has 8"),
        ({"index": "5"}, {}, "line 1: index 5: the evidence has test points 0 to 4"),
        ({"index": "-1"}, {}, "index -1"),
        ({"label": "other"}, {}, "not the same test set"),
        ({}, {"ridge": "-1"}, "must not be negative"),
        ({}, {"ridge": "big"}, "ridge"),
        ({}, {"scale": "all"}, "scale: must be standard or none"),
        ({}, {"intercept": "perhaps"}, "intercept: must be yes or no"),
        ({}, {"alpha_margin": "-1"}, "must not be negative"),
        ({}, {"alpha_margin": 0.5}, "ambiguous"),
    ],
)  # fmt: skip
def test_claims_that_contradict_a_data_set(row, stated, message, tmp_path):
    data = tiny(0)
    np.savez(tmp_path / "d.npz", **data)
    label = int(data["y_test"][0])
    told = {"index": "0", "label": str(label), "prediction": "1", "radius": "0", **row}
    if told["label"] == "other":
        told["label"] = str(1 - label)
    with pytest.raises(InputError, match=message):
        one(tmp_path / "d.npz", told, **stated)


def test_options_of_a_classifier_need_a_data_set(four):
    row = {"index": "0", "prediction": "1", "radius": "0"}
    for stated in ({"ridge": "auto"}, {"scale": "none"}, {"intercept": False}):
        with pytest.raises(InputError, match="says nothing of alpha vectors"):
            one(four, row, **stated)
    for stated in ({"ridge": "1"}, {"alpha_margin": "0"}, {"intercept": True}):
        with pytest.raises(InputError, match="says nothing without evidence"):
            one(None, row, **stated)


def broken_archives(folder):
    """Yield evidence that cannot be used, and what is said of it."""
    good = {"alpha": np.full((2, 3), 0.5), "y_train": np.array([0, 1, 1])}
    changes = [
        ({"alpha": None}, "neither alpha vectors"),
        ({"y_train": None}, "no array y_train"),
        ({"alpha": np.full((2, 3), 1)}, "dtype int64: must be float64"),
        ({"alpha": np.full((2, 3), 1, np.longdouble)}, "must be float64"),
        ({"alpha": np.full(3, 0.5)}, "shape"),
        ({"alpha": np.empty((0, 3))}, "shape"),
        ({"alpha": np.array([[0.5, np.nan, 0], [0, 0, 0]])}, r"alpha\[0, 1\] is nan"),
        ({"alpha": np.array([[0.5, 0.5, 0], [0, 0, np.inf]])}, r"alpha\[1, 2\] is inf"),
        ({"alpha": np.array([[object()]])}, "cannot be read"),
        ({"y_train": np.array([0, 1])}, "not a label each"),
        ({"y_train": np.array([[0, 1, 1]])}, "not a label each"),
        ({"y_train": np.array([0, 1, 2])}, "must be 0 or 1"),
        ({"y_train": np.array([0, 1, 0.5])}, "must be 0 or 1"),
        ({"y_train": np.array([0, 1, np.nan])}, "must be 0 or 1"),
        ({"y_train": np.array(["0", "1", "1"])}, "must be 0 or 1"),
        ({"index": np.array([0])}, "index: must be an integer for each"),
        ({"index": np.array([0.0, 1.0])}, "index: must be an integer for each"),
        ({"index": np.array([0, -1])}, "must not be negative"),
        ({"index": np.array([0, 2**63], np.uint64)}, "above 2"),
        ({"index": np.array([4, 4])}, "4 is there twice"),
        ({"X_train": np.ones((3, 1))}, "which one is the evidence"),
        ({"alpha": None, "X_train": np.ones((3, 1))}, "no array X_test, y_test"),
        ({"alpha": None, "X_train": np.ones((3, 1)), "X_test": np.ones((2, 1)),
          "y_test": np.array([0, 2])}, "3 classes; two are decided"),
        ({"alpha": None, "X_train": np.full((3, 1), np.nan), "X_test": np.ones((2, 1)),
          "y_test": np.array([0, 1])}, "must be finite"),
    ]  # fmt: skip
    for at, (change, message) in enumerate(changes):
        arrays = {name: array for name, array in {**good, **change}.items() if array is not None}
        np.savez(folder / f"{at}.npz", **arrays)
        yield folder / f"{at}.npz", message
    np.savez(folder / "whole.npz", **good)
    data = (folder / "whole.npz").read_bytes()
    for name, content in (("cut", data[:-30]), ("text", b"alpha\n"), ("empty", b"")):
        (folder / f"{name}.npz").write_bytes(content)
        yield folder / f"{name}.npz", "not a readable"
    yield folder / "missing.npz", "No such file"
    yield folder, "not a regular file"
    with zipfile.ZipFile(folder / "twice.npz", "w") as archive:
        archive.writestr("alpha.npy", b"")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("alpha.npy", b"")
    yield folder / "twice.npz", "the same name"
    flip = data.index(b"\x93NUMPY")
    (folder / "bits.npz").write_bytes(data[:flip] + b"\x92" + data[flip + 1 :])
    yield folder / "bits.npz", "cannot be read"


def test_evidence_that_cannot_be_used(tmp_path):
    seen = 0
    for path, message in broken_archives(tmp_path):
        with pytest.raises(InputError, match=message) as told:
            one(path, {"index": "0", "prediction": "1", "radius": "0"})
        assert str(path) in str(told.value)
        assert "\n" not in str(told.value)
        seen += 1
    assert seen == 31


def test_alphas_of_less_precision_are_taken_as_they_are(tmp_path):
    np.savez(tmp_path / "e.npz", alpha=np.full((1, 2), 0.1, ">f4"), y_train=np.array([True, False]))
    found = read_evidence(tmp_path / "e.npz")
    assert isinstance(found, AlphaVectors)
    assert found.alpha.dtype == np.float64
    assert found.alpha[0, 0] == float(np.float32(0.1))
    assert found.labels.tolist() == [1, 0]


# ------------------------------------------------------------------------------------ exact radii


def run_folder(folder, lines, **changes):
    run = {
        "certaudit": "0.1.0",
        "noise_model": {"name": "label-flip", "q": "1/10", "classes": 2},
        "vote": "majority",
        "guarantee": ["kl", "exact"],
        "training_points": 7,
        **changes,
    }
    Path(folder / "run.json").write_text(json.dumps(run))
    text = "".join(json.dumps(line) + "\n" for line in lines)
    Path(folder / "certificates.jsonl").write_text(text)
    return folder


def certificate(proved, refuted_at, log_error=-1.0, kl=0, **changes):
    side = {"by": "enumeration", "flips": proved, "check": None, "t": None}
    return {
        "index": 0, "prediction": 1, "label": 1, "decided": True, "constant": False, "t": "0x0p+0",
        "log_error": log_error, "p_lower": 0.0, "radius":
        {"kl": kl, "exact": {"proved": proved, "refuted_at": refuted_at}},
        "evidence": {"proved": side, "refuted": None}, **changes,
    }  # fmt: skip


def verdicts(folder, **options):
    found = audit(folder, **options).claims
    return [(c["file"].partition(" ")[2], c["verdict"], c["findings"]) for c in found]


def test_exact_radii_rest_on_alphas(four, tmp_path):
    folder = run_folder(tmp_path, [certificate(3, 4)])
    # Without alphas they are not decided, unless log_error proves them; nothing is found.
    without = verdicts(folder / "certificates.jsonl")
    assert without[1][:2] == ("[exact]", "inconclusive")
    assert "CA101" not in without[1][2]
    found = verdicts(folder / "certificates.jsonl", evidence=four)
    assert found[1] == ("[exact]", "confirmed", [])
    run_folder(tmp_path, [certificate(4, 5)])
    assert verdicts(folder / "certificates.jsonl", evidence=four)[1][1] == "refuted"
    run_folder(tmp_path, [certificate(2, 4)])
    assert verdicts(folder / "certificates.jsonl", evidence=four)[1] == (
        "[exact]", "confirmed", ["CA117"],
    )  # fmt: skip


def test_a_winner_that_only_the_exact_radius_proves(four, tmp_path):
    # ln(1 - p) <= 0 proves nothing: the vote is decided by the evidence of the exact radius.
    folder = run_folder(tmp_path, [certificate(3, 4, log_error=0.0)])
    without = verdicts(folder / "certificates.jsonl")
    assert [verdict for _, verdict, _ in without] == ["inconclusive"] * 2
    assert not any("CA134" in codes for *_, codes in without)
    found = verdicts(folder / "certificates.jsonl", evidence=four)
    assert [verdict for _, verdict, _ in found] == ["confirmed"] * 2
    assert not any("CA138" in codes for *_, codes in found)
    # A radius that the KL guarantee does not give is not excused so.
    folder = run_folder(tmp_path, [certificate(3, 4, log_error=0.0, kl=1)])
    assert verdicts(folder / "certificates.jsonl")[0][1] == "unsupported"


def test_exact_radii_are_for_two_labels(tmp_path):
    model = {"name": "label-flip", "q": "1/10", "classes": 3}
    folder = run_folder(tmp_path, [certificate(3, 4)], noise_model=model)
    broken = audit(folder).broken
    assert [item.why for item in broken] == ["guarantee 'exact' is for two labels"]


def test_counts_of_each_class_claim_that_the_class_wins(four):
    counts = {"index": ["0", "1"], "count_0": ["10", "10"], "count_1": ["990", "990"]}
    first, second = audit(counts, q="1/10", failure_prob="0.001", evidence=four).claims
    assert (first["verdict"], first["evidence"]["vote"]) == ("confirmed", 1)
    assert "evidence" not in second
    # The votes that chose the class bound it: without the number of classes they decide nothing.
    counts |= {"count_0": ["990", "990"], "count_1": ["10", "10"], "radius": ["0", "0"]}
    first, _ = audit(counts, q="1/10", evidence=four).claims
    assert (first["verdict"], first["evidence"]["refuted_at"]) == ("refuted", 0)
    assert first["counterexample"] == {"flips": 0, "training_rows": []}


@pytest.mark.parametrize("value", [1e308, 5e-324, 0.0])
def test_extreme_alphas(value, tmp_path):
    np.savez(tmp_path / "e.npz", alpha=np.full((1, 5), value), y_train=np.array([0, 1, 1, 0, 1]))
    claim = one(tmp_path / "e.npz", {"index": "0", "prediction": "0", "radius": "5"})
    # What overflows is not decided; what is tiny never reaches 1/2.
    assert claim["verdict"] == ("inconclusive" if value > 1 else "confirmed")


def test_a_margin_that_is_huge_decides_no_claim(tmp_path):
    np.savez(tmp_path / "e.npz", alpha=np.full((1, 5), 0.3), y_train=np.array([0, 1, 1, 0, 1]))
    for prediction in ("0", "1"):
        row = {"index": "0", "prediction": prediction, "radius": "0"}
        assert one(tmp_path / "e.npz", row, alpha_margin="1e400")["verdict"] == "inconclusive"


def test_answers_serve_all_files(four, tmp_path, monkeypatch):
    from certaudit.auditing import evidence

    asked, bracket = [], evidence.bracket

    def counted(*arguments, **more):
        asked.append(arguments[3])
        return bracket(*arguments, **more)

    monkeypatch.setattr(evidence, "bracket", counted)
    line = certificate(3, 4, radius={"kl": 0, "tight": 1, "exact": {"proved": 3, "refuted_at": 4}})
    run_folder(tmp_path, [line], guarantee=["kl", "tight", "exact"])
    assert [v for _, v, _ in verdicts(tmp_path / "certificates.jsonl", evidence=four)] == [
        "confirmed",
    ] * 3  # fmt: skip
    assert asked == [1]
    # The flips are asked for once more, where a later claim is refuted by them.
    asked.clear()
    line = certificate(5, 6)
    run_folder(tmp_path, [line])
    claims = audit(tmp_path / "certificates.jsonl", evidence=four).claims
    assert claims[1]["counterexample"]["flips"] == 4
    assert asked == [1, 1]


def test_ties_of_few_labels_are_decided_without_a_margin(tmp_path):
    # Alphas of 1/6 where the others have 1/2: floats do not tell 3/6 from 1/2.
    data = {"X_train": np.ones((6, 1)), "y_train": np.array([1, 1, 1, 1, 1, 0]),
            "X_test": np.ones((1, 1)), "y_test": np.array([1])}  # fmt: skip
    np.savez(tmp_path / "d.npz", **data)
    choice = {"ridge": "0", "scale": "none", "intercept": False}
    (table,) = exact_tables(data, Fraction(1, 10), **choice)
    labels = data["y_train"].tolist()
    rows = [(0, c, r) for c in (0, 1) for r in range(7)]
    claims = audit(frame(rows), q="1/10", evidence=tmp_path / "d.npz", alpha_margin="0",
                   **choice).claims  # fmt: skip
    for (_, c, radius), claim in zip(rows, claims, strict=True):
        assert_is_the_truth(claim, table, labels, c, radius)
