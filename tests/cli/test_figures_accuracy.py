"""The command `figures accuracy`: its numbers, its pictures, and what it refuses."""

import csv
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import certaudit
from certaudit import certify_label_flip
from certaudit.certify.flips import unsmoothed_brackets
from certaudit.certify.label_flip import certify_data, fit
from certaudit.cli.options import load
from certaudit.report import accuracy
from certaudit.report.accuracy import AccuracyCurves, accuracy_curves, draw_accuracy

pytest.importorskip("matplotlib")

BREAST_CANCER = Path(certaudit.__file__).parent / "data" / "breast_cancer.csv"
DIAGNOSIS = ("--label-column", "diagnosis", "--positive", "malignant")
SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("X_train", "y_train", "X_test", "y_test")


def command(*options):
    return ("figures", "accuracy", "d.npz", "--q", "0.1", *options)


def rows_of(name):
    with Path(name).open(encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))


def numbers(rows, name):
    return [int(row[name]) for row in rows]


def at_least(radii, r):
    return sum(radius >= r for radius in radii)


def expected(run, model, r):
    """Count by definition, from the certificates, one number of flips at a time."""
    right = [c for c in run.certificates if c.decided and c.prediction == c.label]
    brackets = unsmoothed_brackets(model, run.data.y_train, range(len(run.certificates)))
    predicted = [c for c in run.certificates if c.prediction == c.label]
    return {
        "kl": at_least([c.kl_radius for c in right], r),
        "tight": at_least([c.tight_radius for c in right], r),
        "exact": at_least([c.exact.proved for c in right], r),
        "attack": sum(c.exact.refuted_at is None or c.exact.refuted_at > r for c in predicted),
        "unsmoothed": at_least(
            [
                proved
                for c, (prediction, proved, _) in zip(run.certificates, brackets, strict=True)
                if prediction == c.label
            ],
            r,
        ),
        "smoothed": len(predicted),
        "of": len(run.certificates),
        "training_points": len(run.data.y_train),
    }


def test_csv_says_what_the_certificates_say(invoke):
    options = ("--limit", "6", "--ridge", "1/2", "--scale", "none", "--no-intercept")
    qs = ("--q", "0.1", "--q", "1/3", "--q", "0.1")
    result = invoke("figures", "accuracy", BREAST_CANCER, *DIAGNOSIS, *qs, *options, "-o", "f.csv")
    assert (result.code, result.out, result.err) == (0, "", "wrote f.csv\n")
    rows = rows_of("f.csv")
    assert list(dict.fromkeys(row["q"] for row in rows)) == ["1/10", "1/3"]
    data, _ = load(BREAST_CANCER, "diagnosis", "malignant", None)
    chosen = {"ridge": "1/2", "scale": "none", "intercept": False}
    for q in ("1/10", "1/3"):
        run = certify_data(data, q=q, guarantee="all", limit=6, **chosen)
        *_, model = fit(data, q=q, **chosen)
        mine = [row for row in rows if row["q"] == q]
        assert numbers(mine, "radius") == list(range(len(mine)))
        for r, row in enumerate(mine):
            found = expected(run, model, r)
            assert {name: int(row[name]) for name in found} == found
            assert int(row["constant"]) == max(run.of_class())
        # Beyond the last row nothing changes, and it is not there for nothing.
        last, before = (expected(run, model, len(mine) + step) for step in (-1, -2))
        for beyond in (0, 1, 50):
            assert expected(run, model, len(mine) + beyond) == last
        assert last != before


def test_curves_are_in_order(arrays, save, invoke):
    save(arrays(train=12, test=20))
    assert invoke(*command("--q", "0.4", "-o", "f.csv")).code == 0
    for row in rows_of("f.csv"):
        kl, tight, exact, attack = (int(row[n]) for n in ("kl", "tight", "exact", "attack"))
        assert 0 <= kl <= tight <= exact <= attack <= int(row["smoothed"]) <= int(row["of"])


def test_a_constant_vote_stands_everything():
    # No feature, no intercept: the score is 0 whatever the labels, the vote 0.
    zeros = np.zeros((5, 1))
    labels = np.array([0, 1, 0, 1, 1])
    run = certify_label_flip(
        zeros, labels, zeros, labels, q="0.1", ridge=1, scale="none", intercept=False,
        guarantee="all",
    )  # fmt: skip
    curves = accuracy_curves(run)
    for name in accuracy.COLUMNS:
        assert curves.curve(name) == (2,)
    assert (curves.of, curves.smoothed, curves.constant) == (5, 2, 3)


def test_svg(arrays, save, invoke):
    save(arrays(train=12), "a $x$ name.npz")
    result = invoke(
        "figures", "accuracy", "a $x$ name.npz", "--q", "0.1", "--q", "2/7", "-o", "f.svg"
    )
    assert (result.code, result.out, result.err) == (0, "", "wrote f.svg\n")
    assert ET.parse("f.svg").getroot().tag == f"{SVG}svg"  # noqa: S314  (ours)
    # Text is drawn as outlines; matplotlib keeps it as comments.
    text = Path("f.svg").read_text(encoding="utf-8")
    for part in (
        "q = 0.1",
        "q = 2/7",
        "label flips",
        "% of the training labels",
        "right, of test points (%)",
        "KL bound (5)",
        "tight bound (2)",
        "exact radius, proved",
        "worst flips: not refuted",
        "without noise (q = 0)",
        "smoothed, no attack",
        "best constant class",
    ):
        assert f"<!-- {part} -->" in text
    assert "10 test points, 12 training labels" in text
    assert not re.search(r"<dc:date>|[^.]20\d\d-\d\d", text)


@pytest.mark.parametrize("name", ["f.svg", "f.png", "f.csv"])
def test_same_bytes_every_time(name, arrays, save, invoke, run):
    save(arrays(train=12))
    assert invoke(*command("-o", name)).code == 0
    first = Path(name).read_bytes()
    # Neither the process, its threads nor what its user has set for other figures matters.
    Path("matplotlibrc").write_text("font.size: 30\nlines.linewidth: 9\n")
    away = {"HOME": "/nowhere", "MPLBACKEND": "TkAgg", "SOURCE_DATE_EPOCH": "1"}
    assert run(*command("--jobs", "2", "-o", name), env=away).code == 0
    assert Path(name).read_bytes() == first
    assert not Path("/nowhere").exists()


def test_panels_have_room():
    falling = tuple(range(10, -1, -1))
    one = AccuracyCurves(
        certaudit.exact(0.25), 40, 10, falling, falling, falling, falling, falling, 10, 5
    )
    sizes = []
    for count in (1, 3, 4):
        data = draw_accuracy([one] * count, "png", "a name 名 longer than what has room in a title")
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        sizes.append((int.from_bytes(data[16:20]), int.from_bytes(data[20:24])))
    (_, low), (wide, same), (narrow, high) = sizes
    assert low == same
    assert high > 1.8 * low
    assert narrow < wide


def test_csv_needs_no_matplotlib_and_has_any_number_of_q(arrays, save, invoke, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    save(arrays(train=12))
    qs = [part for k in range(2, 7) for part in ("--q", f"0.{k}" if k < 5 else f"0.0{k}")]
    assert invoke(*command(*qs, "-o", "f.csv")).code == 0
    assert len({row["q"] for row in rows_of("f.csv")}) == 6


def test_steps_err_to_the_safe_side(monkeypatch):
    monkeypatch.setattr(accuracy, "_STEPS", 3)
    falling = (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
    # Steps of four numbers of flips: the least that is certified, the most that is not refuted.
    assert accuracy._steps(falling, 9, min) == ([0, 1, 5, 9, 10], [9, 5, 1, 0, 0])
    assert accuracy._steps(falling, 9, max) == ([0, 1, 5, 9, 10], [9, 8, 4, 0, 0])
    # Another panel's axis may be longer.
    assert accuracy._steps((4, 3, 3), 11, min) == ([0, 1, 12], [4, 3, 3])


def test_the_axis_ends_where_hardly_anything_is_left():
    falling = tuple(range(1000, 3, -1)) + (4,) * 20 + (1,)
    flat = (0,) * len(falling)
    curves = AccuracyCurves(
        certaudit.exact(0.25), 2000, 1000, flat, flat, falling, falling, falling, 1000, 500
    )
    # Five of a thousand points are half a percent.
    assert falling[accuracy._last_shown(curves)] == 6
    assert falling[accuracy._last_shown(curves) - 1] == 7


def refused(result, place, files):
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert place in result.err
    assert not result.out
    assert sorted(path.name for path in Path().iterdir()) == files


@pytest.mark.parametrize(
    ("options", "place"),
    [
        (("-o", "f.pdf"), "does not end in .svg, .png or .csv"),
        (("-o", "f"), "does not end in .svg, .png or .csv"),
        (("-o", "nowhere/f.svg"), "nowhere/f.svg: "),
        (("-o", "f.svg", "--q", "0.5"), "q: must lie strictly between 0 and 1/2"),
        (("-o", "f.svg", "--q", "0"), "q: must lie strictly"),
        (("-o", "f.svg", "--q", "nan"), "q: 'nan' is not a number"),
        (("-o", "f.svg", *(x for k in (1, 2, 3, 4) for x in ("--q", f"0.0{k}"))), "at most 4"),
        (("-o", "f.svg", "--ridge", "-1"), "ridge: "),
        (("-o", "f.svg", "--limit", "0"), "--limit"),
        (("-o", "f.svg", "--jobs", "0"), "--jobs"),
        (("-o", "f.svg", "--label-column", "x"), "d.npz: "),
        ((), "--output"),
    ],
)
def test_bad_options(options, place, arrays, save, invoke):
    save(arrays(train=12))
    refused(invoke(*command(*options)), place, ["d.npz"])


def test_no_q(arrays, save, invoke):
    save(arrays(train=12))
    refused(invoke("figures", "accuracy", "d.npz", "-o", "f.svg"), "--q", ["d.npz"])


def test_no_data(invoke):
    refused(invoke(*command("-o", "f.svg")), "d.npz: ", [])


def test_three_classes(arrays, save, invoke):
    data = arrays(train=12)
    data["y_train"][0] = 2
    save(data)
    refused(invoke(*command("-o", "f.csv")), "labels: 0 and 1 are expected here", ["d.npz"])


def test_without_matplotlib(arrays, save, invoke, monkeypatch):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    save(arrays(train=12))
    refused(invoke(*command("-o", "f.svg")), "pip install 'certaudit[report]'", ["d.npz"])


def test_help_loads_neither_matplotlib_nor_flint():
    code = (
        "import sys; from certaudit.cli.main import main; main(['figures', 'accuracy', '-h']);"
        "sys.exit('matplotlib' in sys.modules or 'flint' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == 0
    assert b"--q Q" in done.stdout
