"""The command `figures`: what it writes, and what it refuses."""

import csv
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from certaudit.noise import label_flip
from certaudit.rigorous.radius import kl_radius, tight_radius
from certaudit.rigorous.ratio import kl_ratio

pytest.importorskip("matplotlib")

SMALL = ("figures", "thresholds", "--max-radius", "12", "-o")
SVG = "{http://www.w3.org/2000/svg}"


def refused(result, place):
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert place in result.err
    assert not result.out
    assert not list(Path().iterdir())


def test_svg(invoke):
    result = invoke(*SMALL, "f.svg", "--q", "0.1", "--q", "1/3")
    assert (result.code, result.out, result.err) == (0, "", "wrote f.svg\n")
    root = ET.parse("f.svg").getroot()  # noqa: S314  (ours)
    assert root.tag == f"{SVG}svg"
    # Text is drawn as outlines; matplotlib keeps it as comments.
    text = Path("f.svg").read_text(encoding="utf-8")
    for expected in (
        "label noise: q = 0.1, 1/3, 2 classes",
        "required vote share p",
        "certified radius (label flips)",
        "log error −ln(1 − p) (nats)",
        "KL bound (5)",
        "tight bound (2)",
    ):
        assert f"<!-- {expected} -->" in text or expected in text
    # Two curves a bound and panel.
    assert len(list(root.iter(f"{SVG}path"))) > 8


def test_png(invoke):
    assert invoke(*SMALL, "F.PNG", "--classes", "10").code == 0
    data = Path("F.PNG").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data.endswith(b"IEND\xaeB`\x82")
    assert len(data) > 20_000


@pytest.mark.parametrize("name", ["f.svg", "f.png", "f.csv"])
def test_same_bytes_every_time(invoke, run, name):
    assert invoke(*SMALL, name).code == 0
    first = Path(name).read_bytes()
    # Neither the process nor what its user has set for other figures makes a difference.
    Path("matplotlibrc").write_text("font.size: 30\nlines.linewidth: 9\n")
    assert run(*SMALL, name, env={"SOURCE_DATE_EPOCH": "1"}).code == 0
    assert Path(name).read_bytes() == first


def test_an_earlier_file_is_replaced_and_nothing_else_is_left(invoke):
    Path("f.svg").write_text("old")
    assert invoke(*SMALL, "f.svg").code == 0
    assert Path("f.svg").read_bytes().startswith(b"<?xml")
    assert [path.name for path in Path().iterdir()] == ["f.svg"]


def test_without_a_home_or_a_screen(run):
    result = run(*SMALL, "f.png", env={"HOME": "/nowhere", "MPLBACKEND": "TkAgg"})
    assert (result.code, result.err) == (0, "wrote f.png\n")
    assert not Path("/nowhere").exists()


def test_small_and_extreme_settings(invoke):
    for options in (
        ("--max-radius", "1", "--q", "1e-400"),
        ("--max-radius", "3", "--q", "0.123456789012345678"),
        ("--max-radius", "40", "--q", "0.4999999999"),
        ("--max-radius", "2000", *(x for q in ("1e-6", "0.1") for x in ("--q", q))),
    ):
        assert invoke("figures", "thresholds", *options, "-o", "f.svg").code == 0


def test_csv_is_on_the_safe_side(invoke):
    assert invoke(*SMALL, "f.csv", "--q", "0.1", "--q", "2/5", "--q", "0.1").code == 0
    with Path("f.csv").open(encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["q"] for row in rows] == ["1/10"] * 13 + ["2/5"] * 13
    for row in rows:
        r, noise = int(row["radius"]), label_flip(row["q"], int(row["classes"]))
        kl, tight = Fraction(row["log_error_kl"]), Fraction(row["log_error_tight"])
        assert kl_radius(noise, log_error=kl) == r
        assert tight_radius(noise, log_error=tight) == r
        if r:
            ratio = kl_ratio(noise, r).lower
            assert 0 <= ratio - Fraction(row["ratio"]) < Fraction(1, 10**14)
            # A little larger errors are refused.
            assert kl_radius(noise, log_error=kl + Fraction(1, 10**12)) == r - 1
            assert tight_radius(noise, log_error=tight + Fraction(1, 10**12)) == r - 1


def test_csv_needs_no_matplotlib(invoke, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert invoke(*SMALL, "f.csv").code == 0


def test_without_matplotlib(invoke, monkeypatch):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    refused(invoke(*SMALL, "f.svg"), "pip install 'certaudit[report]'")


@pytest.mark.parametrize("name", ["f", "f.pdf", "f.svg.gz", ".svg"])
def test_other_extensions(invoke, name):
    refused(invoke(*SMALL, name), "does not end in .svg, .png or .csv")


@pytest.mark.parametrize(
    ("options", "place"),
    [
        (("--q", "0.5"), "q: must lie strictly between 0 and 1/2"),
        (("--q", "0"), "q: must lie strictly"),
        (("--q", "0.1", "--q", "nan"), "q: 'nan' is not a number"),
        (("--classes", "3", "--q", "2/3"), "q: must lie strictly between 0 and 2/3"),
        (("--classes", "1"), "--classes"),
        (("--max-radius", "0"), "--max-radius"),
        (("--max-radius", "10001"), "--max-radius"),
        (tuple(x for k in range(1, 7) for x in ("--q", f"0.{k}"[:4])), "q: "),
        (tuple(x for k in range(1, 7) for x in ("--q", f"0.0{k}")), "at most 5"),
    ],
)
def test_bad_options(invoke, options, place):
    refused(invoke("figures", "thresholds", *options, "-o", "f.svg"), place)


def test_no_folder_to_write_to(invoke):
    refused(invoke(*SMALL, "nowhere/f.svg"), "nowhere/f.svg")


def test_help_loads_neither_matplotlib_nor_flint():
    code = (
        "import sys; from certaudit.cli.main import main; main(['figures', 'thresholds', '-h']);"
        "sys.exit('matplotlib' in sys.modules or 'flint' in sys.modules)"
    )

    assert (
        subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode
        == 0
    )
