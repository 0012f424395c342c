"""`certaudit table` and `certaudit radius` for every noise model, as people run them."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

from certaudit import discrete, label_flip, load_table, threshold
from certaudit.tables import COLUMNS, build_rows

LABELS = ("table", "label-flip", "--q", "0.1", "--max-radius")
SHARED = Path(__file__).parents[3] / "shared/corpora/guanghelee+Randomized_Smoothing"
PUBLISHED = {
    **{f"MNIST_exp/main/thresholds/mnist/{a}.txt": (a, 2) for a in
       ("0.72", "0.76", "0.8", "0.84", "0.88", "0.92", "0.96")},
    **{f"ImageNet_exp/main/thresholds/imagenet/{a}.txt": (a, 256) for a in
       ("0.1", "0.2", "0.3", "0.4", "0.5")},
}  # fmt: skip


def test_a_table_on_standard_output_is_the_table_in_a_file(run, tree):
    printed = run(*LABELS, "50")
    assert (printed.code, printed.err) == (0, "")
    assert printed.out.splitlines()[0] == ",".join(COLUMNS)
    written = run(*LABELS, "50", "-o", "t.csv")
    assert (written.code, written.out) == (0, "")
    assert set(tree()) == {"t.csv", "MANIFEST.json"}
    assert Path("t.csv").read_text() == printed.out
    assert load_table("t.csv").rows == tuple(build_rows(label_flip("0.1"), 50))
    assert load_table("t.csv").noise == label_flip("0.1")


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_a_table_that_was_written_checks_without_saying_what_it_is(suffix, invoke):
    for kind, options in (
        ("label-flip", ["--q", "1/3", "--classes", "4"]),
        ("discrete", ["--alpha", "0", "--values", "3"]),
    ):
        name = f"{kind}{suffix}"
        made = invoke("table", kind, *options, "--max-radius", "12", "--digits", "9", "-o", name)
        assert made.code == 0
        checked = invoke("table", "check", name)
        assert (checked.code, checked.err) == (0, "")
        assert "radius 0 to 12 checked: 0 entries wrong, 0 loose" in checked.out


def test_none_is_said_where_no_threshold_exists(invoke):
    result = invoke("table", "discrete", "--alpha", "1", "--values", "2", "--max-radius", "1")
    assert result.out.splitlines()[1:] == [
        "0,0.5,-0.6931471805599454,0.50000000000000000000",
        "1,none,none,none",
    ]


def test_a_wrong_entry_is_exit_1_and_named(invoke):
    invoke(*LABELS, "9", "-o", "t.csv")
    text = Path("t.csv").read_text()
    decimal = threshold(label_flip("0.1"), 3).p_decimal()
    Path("t.csv").write_text(text.replace(decimal, decimal[:-1] + "0"))
    refused = invoke("table", "check", "t.csv")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "certaudit: t.csv: its sha256 is not the one in MANIFEST.json\n"
    result = invoke("table", "check", "t.csv", "label-flip", "--q", "0.1")
    assert (result.code, result.err) == (1, "")
    assert "unsafe" in result.out
    assert "p_decimal" in result.out
    assert "1 entry wrong" in result.out
    document = invoke("table", "check", "t.csv", "label-flip", "--q=0.1", "--format", "json")
    assert document.code == 1
    (difference,) = json.loads(document.out)["differences"]
    assert (difference["line"], difference["radius"], difference["side"]) == (5, 3, "unsafe")
    assert Fraction(difference["excess"]) < 0


def test_a_foreign_table_with_a_column_map(invoke):
    rows = ["n;flips;needed"]
    rows += [f"x;{r};{threshold(label_flip('0.2'), r).p_decimal(12)}" for r in range(1, 20)]
    Path("t.csv").write_text("\n".join(rows) + "\n")
    check = ("table", "check", "t.csv", "label-flip", "--q", "0.2")
    assert invoke(*check).code == 2
    mapped = ("--column", "radius=flips", "--column", "p=needed")
    assert invoke(*check, *mapped).code == 0
    assert invoke(*check[:-1], "0.21", *mapped).code == 1


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published tables are not here")
@pytest.mark.parametrize(("name", "parameters"), PUBLISHED.items(), ids=PUBLISHED)
def test_the_published_tables_are_right_to_all_digits(name, parameters, invoke):
    """Twelve tables of Lee et al.; 22 exactly representable entries are printed a unit high."""
    alpha, values = parameters
    options = ("--alpha", alpha, "--values", str(values), "--format", "json")
    result = invoke("table", "check", SHARED / name, "discrete", *options)
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    assert found["wrong"] == 0
    expected = 16 if alpha == "0.8" else int(values == 2)
    assert len(found["differences"]) == expected
    for difference in found["differences"]:
        assert difference["side"] == "within err"
        exact = threshold(discrete(alpha, values), difference["radius"]).exact()
        assert Fraction(difference["right"]) == exact
        assert Fraction(difference["excess"]) == Fraction(1, 10**20)


BAD = {
    "q of one half": ("table", "label-flip", "--q", "0.5", "--max-radius", "3"),
    "q not a number": ("table", "label-flip", "--q", "x", "--max-radius", "3"),
    "alpha above 1": ("table", "discrete", "--alpha=1.1", "--values=2", "--max-radius=3"),
    "alpha below 0": ("table", "discrete", "--alpha=-0.1", "--values=2", "--max-radius=3"),
    "one value": ("table", "discrete", "--alpha=0.5", "--values=1", "--max-radius=3"),
    "negative radius": ("table", "label-flip", "--q=0.1", "--max-radius=-1"),
    "absurd radius": ("table", "label-flip", "--q=0.1", "--max-radius=1000001"),
    "no digits": ("table", "label-flip", "--q=0.1", "--max-radius=1", "--digits=0"),
    "unknown suffix": ("table", "label-flip", "--q=0.1", "--max-radius=1", "-o", "t.txt"),
    "no folder": ("table", "label-flip", "--q=0.1", "--max-radius=1", "-o", "no/t.csv"),
    "no file": ("table", "check", "no.csv", "label-flip", "--q=0.1"),
    "a folder": ("table", "check", ".", "label-flip", "--q=0.1"),
    "no noise": ("table", "check", "t.csv"),
    "q for discrete": ("table", "check", "t.csv", "discrete", "--q=0.1"),
    "q without a model": ("table", "check", "t.csv", "--q=0.1"),
    "alpha missing": ("table", "check", "t.csv", "discrete", "--values=2"),
    "q missing": ("table", "check", "t.csv", "label-flip"),
    "column unknown": ("table", "check", "t.csv", "label-flip", "--q=.1", "--column", "a=b"),
    "column alone": ("table", "check", "t.csv", "label-flip", "--q=.1", "--column", "p=p"),
    "column twice": ("table", "check", "t.csv", "label-flip", "--q=.1", "--column", "p=p",
                     "--column", "p=q"),
    "column not there": ("table", "check", "t.csv", "label-flip", "--q=.1", "--column", "p=x",
                         "--column", "radius=radius"),
    "gaussian p of 1": ("radius", "gaussian", "--sigma=1", "--p=1"),
    "sigma 0": ("radius", "gaussian", "--sigma=0", "--p=0.9"),
    "sparse p above 1": ("radius", "sparse", "--p-plus=1.5", "--p-minus=0.1", "--p=0.9"),
    "sparse p of 1": ("radius", "sparse", "--p-plus=0.5", "--p-minus=0.1", "--p=1"),
    "sparse without p": ("radius", "sparse", "--p-plus=0.5", "--p-minus=0.1"),
    "p above 1": ("radius", "discrete", "--alpha=0.5", "--values=4", "--p=1.01"),
    "both": ("radius", "discrete", "--alpha=0.5", "--values=4", "--p=0.9", "--log-error=-3"),
    "neither": ("radius", "discrete", "--alpha=0.5", "--values=4"),
}  # fmt: skip


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_exit_2(arguments, invoke, tree):
    Path("t.csv").write_text(",".join(COLUMNS) + "\n0,0.5,-0.7,0.5\n")
    before = tree()
    result = invoke(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.strip().splitlines()[-1].strip()
    assert "Traceback" not in result.err
    assert tree() == before


@pytest.mark.parametrize(
    ("options", "kl", "tight"),
    [
        ("--alpha 0.9 --values 2 --log-error -260", 73, 145),
        ("--alpha 0.1 --values 2 --log-error -260", 73, 145),
        ("--alpha 1/2 --values 3 --p 3/4", 0, 0),
        ("--alpha 1/2 --values 3 --p 0.7500000001", 0, 1),
        ("--alpha 1 --values 2 --p 0.9", 0, 0),
        ("--alpha 0 --values 30 --p 0.9", 0, 14),
        ("--alpha 0.2 --values 256 --p 0.4", 0, 0),
        ("--alpha 0.5 --values 2 --p 0.6", 1_000_000, 1_000_000),
    ],
)
def test_radius_discrete(options, kl, tight, invoke):
    result = invoke("radius", "discrete", *options.split(), "--format", "json")
    assert json.loads(result.out)["radius"] == {"kl": kl, "tight": tight}
    assert json.loads(result.out)["flags"] == (["beyond-max"] if tight == 10**6 else [])
    result = invoke("radius", "discrete", *options.split())
    assert (result.code, result.err) == (0, "")
    assert ["tight", str(tight)] in [line.split() for line in result.out.splitlines()]
    assert ("at least" in result.out) is (tight == 10**6)


def test_radius_gaussian(invoke):
    result = invoke("radius", "gaussian", "--sigma", "0.5", "--p", "0.99")
    assert "1.163173937020420" in result.out
    result = invoke("radius", "gaussian", "--sigma=0.5", "--p=0.99", "--format=json")
    document = json.loads(result.out)
    assert document["radius"]["gaussian"] < 1.1631739370204206
    assert len(document["enclosure"]) == 4
    assert "p <= 1/2" in invoke("radius", "gaussian", "--sigma=1", "--p=0.5").out


def test_radius_sparse(invoke):
    options = ("radius", "sparse", "--p-plus", "0.01", "--p-minus", "0.6", "--p")
    result = invoke(*options, "0.9", "--format", "json")
    pairs = json.loads(result.out)["radius"]["tight"]
    assert pairs == [{"added": 1, "deleted": 1}, {"added": 0, "deleted": 3}]
    result = invoke(*options, "0.9")
    assert [line.split() for line in result.out.splitlines()[3:5]] == [["1", "1"], ["0", "3"]]
    assert "(limit)" in invoke(*options, "0.99999", "--limit", "2").out
    assert "p <= 1/2" in invoke(*options, "0.5").out


def test_an_interrupted_table_leaves_nothing(tree):
    command = [sys.executable, "-m", "certaudit", *LABELS, "1000000", "-o", "t.csv"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ})
    deadline = time.monotonic() + 60
    while not list(Path().glob(".t.csv.*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert tree() == {}


def test_a_reader_who_leaves_is_no_error():
    command = f"{sys.executable} -m certaudit {' '.join(LABELS)} 20000 | head -2"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], check=False,
                          capture_output=True, timeout=60)  # fmt: skip
    assert done.stderr == b""
    assert len(done.stdout.splitlines()) == 2
