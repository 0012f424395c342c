"""The script behind docs/experiments.md: what it counts, rounds, replaces, and what is written."""

import importlib.util
import re
import statistics
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import certaudit
from certaudit import certify_label_flip, certify_multiclass
from certaudit.certify.data import LabelledData
from certaudit.certify.run import how_many_reach
from certaudit.io.datasets import KEYS, read_data_set

ROOT = Path(__file__).parent.parent.parent
BREAST_CANCER = Path(certaudit.__file__).parent / "data" / "breast_cancer.csv"
PAGE = ROOT / "docs" / "experiments.md"


def load():
    spec = importlib.util.spec_from_file_location(
        "experiments", ROOT / "scripts" / "experiments.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["experiments"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


experiments = load()


def two_labels():
    raw = read_data_set(BREAST_CANCER, label_column="diagnosis", test=None)
    return LabelledData.check(*(raw.arrays[key] for key in KEYS), positive="malignant")


@pytest.fixture(scope="module")
def one():
    return experiments.count(two_labels(), "0.1", "auto", "default", 1)


def three_classes(n=60, m=9):
    rng = np.random.default_rng(5)
    labels = np.arange(n + m) % 3
    rows = np.round(rng.normal(size=(n + m, 2)) + 2.5 * np.eye(3)[labels, :2], 2)
    return rows[:n], labels[:n], rows[n:], labels[n:]


@given(st.integers(1, 10**5).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_shares_err_to_their_side_by_less_than_a_hundredth(counts):
    part, of = counts
    share, unit = Fraction(100 * part, of), Fraction(1, 100)
    assert share - unit < Fraction(experiments.down(part, of)) <= share
    assert share <= Fraction(experiments.up(part, of)) < share + unit


def test_what_is_certified_is_rounded_down_and_what_an_attack_leaves_up(one):
    assert one.of == 113
    cell = experiments.shares(one, 20)
    assert cell == "24.77 / 60.17 / 73.45 / 73.46"  # of 28, 68, 83 and 83; 83/113 is 0.73451...


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(0, 5))
def test_medians_are_those_of_the_radii(radii, undecided):
    curve = [*how_many_reach(radii), 0]  # right, but not proven: not counted at 0 flips
    found = experiments.spelled_median(curve, len(radii) + undecided)
    assert float(found) == statistics.median([*radii, *[0] * undecided])


def test_without_points_there_is_no_median():
    assert experiments.spelled_median([0], 0) == "-"


def test_a_row_of_two_labels_against_an_independent_count(one):
    data = two_labels()
    arrays = (data.x_train, data.y_train, data.x_test, data.y_test)
    points = certify_label_flip(*arrays, q="0.1", guarantee="all").certificates
    right = [c for c in points if c.prediction == c.label]
    assert (one.labels, one.of, one.right) == (456, len(points), len(right))
    assert one.proven == sum(c.decided for c in right)
    assert one.constant == max(int((data.y_test == c).sum()) for c in (0, 1))
    for r in (0, 1, 20, 60, 456):
        certified = [c for c in right if c.decided]
        assert one.at("kl", r) == sum(c.kl_radius >= r for c in certified)
        assert one.at("tight", r) == sum(c.tight_radius >= r for c in certified)
        assert one.at("exact", r) == sum(c.exact.proved >= r for c in certified)
        assert one.at("attack", r) == sum(c.exact.refuted_at > r for c in right)
    assert one.closed == sum(c.exact.refuted_at == c.exact.proved + 1 for c in points)
    assert one.closed == 112
    rows = list(experiments.median_rows({"0.1": one}))
    assert rows[0] == ["0.1", "955.7", "92.03", "92.03", "14.5", "29", "53", "99.11"]
    assert [row[0] for row in rows[1:]] == ["0: no noise", "a constant class"]
    assert rows[2][2] == "62.83"
    for share, name in ((Fraction(1, 2), "kl"), (Fraction(1, 10), "exact")):
        last = one.last_above(name, share)
        assert one.at(name, last) > share * one.of >= one.at(name, last + 1)


def test_a_row_of_many_classes_against_an_independent_count():
    arrays = three_classes()
    one = experiments.count(LabelledData.check(*arrays), "0.05", "n/10", "raw", 1)
    options = {"ridge": "6", "scale": "none", "intercept": False, "guarantee": "all"}
    points = certify_multiclass(*arrays, q="0.05", **options).certificates
    right = [c for c in points if c.prediction == c.label]
    assert (one.ridge, one.right, one.closed) == (6, len(right), None)
    decided = [c for c in right if c.decided]
    assert sum(c.tight_radius >= 1 for c in decided) > 0
    for r in range(6):
        assert one.at("kl", r) == sum(c.kl_radius >= r for c in decided)
        assert one.at("tight", r) == sum(c.tight_radius >= r for c in decided)
    head = ["q", "ridge", *experiments.radius_heads(3)]
    assert {len(row) for row in experiments.median_rows({"0.05": one})} == {len(head)}


def test_bounds_alone_leave_the_exact_columns_empty():
    one = experiments.count(two_labels(), "0.1", "auto", "default", 1, "tight")
    assert experiments.radii_cells(one)[-3:] == ["14.5", "29", "-"]
    assert experiments.shares(one, 20) == "24.77 / 60.17 / - / -"


def test_steps_of_a_picture_are_not_above_the_curve(one):
    curve = (*range(1000, 0, -1), 0)
    made = replace(one, of=1000, curves={"kl": curve})
    starts, heights = experiments.steps(made, "kl", 900)
    assert len(starts) <= experiments.STEPS + 2
    for r in range(901):
        at = max(i for i, start in enumerate(starts) if start <= r)
        assert heights[at] <= 100 * curve[r] / 1000


def test_a_block_is_replaced_and_nothing_else():
    begin, end = experiments.markers("imdb")
    others = "\n".join(experiments.markers("mnist17"))
    page = f"# Title\n{others}\n{begin}\nold\n\n| old |\n{end}\nafter\n"
    found = experiments.replaced(page, "imdb", ["new \\1", "", "| new |", ""])
    assert found == f"# Title\n{others}\n{begin}\nnew \\1\n\n| new |\n{end}\nafter\n"
    assert experiments.replaced(found, "imdb", ["new \\1", "", "| new |"]) == found


@pytest.mark.parametrize("places", [0, 2])
def test_there_is_one_place_to_write_to(places):
    page = "\n".join(experiments.markers("imdb") * places) + "\n"
    with pytest.raises(ValueError, match=f"imdb: {places} places"):
        experiments.replaced(page, "imdb", [])


def test_one_command_writes_tables_and_pictures(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, size=40)
    rows = np.round(rng.normal(size=(40, 2)) + labels[:, None], 2)
    arrays = (rows[:24], labels[:24], rows[24:], labels[24:])
    np.savez(tmp_path / "small.npz", **dict(zip(KEYS, arrays, strict=True)))
    papers = (("0.1", "raw", "paper"), ("0.1", "raw, max(x, 0)", "0"))
    asked = experiments.Experiment(
        ("0.1", "1e-6"), (1, 2), ("0.1",), "0.1", (1, 3), papers, every=2, slow=("1e-6",)
    )
    monkeypatch.setitem(experiments.EXPERIMENTS, "small", asked)
    monkeypatch.setattr(experiments, "RIDGES", ("0", "paper", "auto"))
    begin, end = experiments.markers("small")
    page = tmp_path / "page.md"
    page.write_text(f"before\n{begin}\n{end}\nafter\n")
    command = ["experiments.py", str(tmp_path), "small", "--jobs", "1", "-o", str(page)]
    monkeypatch.setattr(sys, "argv", command)
    experiments.main()
    text = page.read_text()
    assert text.startswith(f"before\n{begin}\n24 training labels, 2 columns, 2 classes; every 2th")
    assert text.endswith(f"{end}\nafter\n")
    assert heads_of(text) == experiments.table_heads("small", 24, 2)
    found = [line for line in text.splitlines() if line.startswith("| 1e-6, every 10th point |")]
    assert len(found) == 2
    for name in re.findall(r"\]\((figures/.*?)\)", text):
        assert (tmp_path / name).read_bytes().startswith(b"<?xml")
    assert "ridge paper" in capsys.readouterr().out


def heads_of(text):
    """Return the cells of each line that a separator follows."""
    lines = text.splitlines()
    separated = (a for a, b in pairwise(lines) if re.fullmatch(r"\|[ |:-]+", b))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in separated]


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_the_page_has_what_the_script_writes(name):
    asked, page = experiments.EXPERIMENTS[name], PAGE.read_text(encoding="utf-8")
    begin, end = experiments.markers(name)
    (block,) = re.findall(f"(?s){re.escape(begin)}\n(.*?){re.escape(end)}\n", page)
    assert f"make experiments DATA=data NAME={name}" in page
    labels, classes = re.match(
        r"([\d,]+) training labels, \d+ columns, (\d+) classes", block
    ).groups()
    wanted = experiments.table_heads(name, int(labels.replace(",", "")), int(classes))
    assert heads_of(block) == wanted
    rows = [len(part.splitlines()) - 2 for part in block.split("\n\n") if part.startswith("|")]
    extra = len(asked.slow)
    expected = [len(asked.qs) + 2 + extra] * 2
    expected[1] -= classes != "2"  # no curve of q = 0 there
    assert rows[:3] == [*expected, len(asked.papers) + len(experiments.RIDGES)]
    for picture in re.findall(r"\]\((figures/.*?)\)", block):
        assert (PAGE.parent / picture).is_file()
    for q in asked.qs:
        assert f"\n| {q} | " in block
