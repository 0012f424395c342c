"""`certaudit report` as people run it: files, exit codes, what is refused before any work."""

import json
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from certaudit.cli.main import main

pytest.importorskip("jinja2")
pytest.importorskip("typst")

DATA = str(files("certaudit").joinpath("data", "breast_cancer.csv"))
LABELS = ("--label-column", "diagnosis", "--positive", "malignant")
STYLES = ("html", "pdf", "json")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of ten points, without and with a signature: `plain` and `signed`."""
    folder = tmp_path_factory.mktemp("runs")
    options = ("--q", "0.1", "--limit", "10", "--guarantee", "all")
    for name in ("plain", "signed"):
        assert main(["certify", DATA, *LABELS, *options, "-o", str(folder / name)]) == 0
    assert main(["keygen", "-o", str(folder / "key.pem"), "--no-passphrase"]) == 0
    assert main(["sign", str(folder / "signed"), "--key", str(folder / "key.pem")]) == 0
    return folder


@pytest.fixture
def made(runs):
    """Copies of them in the test's folder."""
    shutil.copytree(runs, ".", dirs_exist_ok=True)


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("style", STYLES)
def test_the_same_files_give_the_same_bytes(invoke, run, style):
    options = ("--data", DATA, "--key", "key.pub.pem")
    done = invoke("report", "signed", "-o", f"one.{style}", *options)
    assert (done.code, done.out) == (0, "")
    assert done.err == f"wrote one.{style}: All 30 claims are confirmed\n"
    Path(f"two.{style}").write_bytes(b"an old one")
    again = run("report", "signed", "-o", f"two.{style}", *options, env={"TZ": "Asia/Tokyo"})
    assert again.code == 0
    assert Path(f"one.{style}").read_bytes() == Path(f"two.{style}").read_bytes()
    head = {"html": b"<!doctype html>", "pdf": b"%PDF-", "json": b"{"}[style]
    assert Path(f"one.{style}").read_bytes().lower().startswith(head.lower())


@pytest.mark.usefixtures("made")
def test_the_pdf_carries_the_json(invoke):
    from pypdf import PdfReader

    for style in ("pdf", "json"):
        assert invoke("report", "plain", "-o", f"r.{style}", "--data", DATA).code == 0
    (attached,) = PdfReader("r.pdf").attachments["report.json"]
    assert attached == Path("r.json").read_bytes()


@pytest.mark.usefixtures("made")
def test_exit_codes(invoke):
    assert invoke("report", "plain", "-o", "r.json").code == 3  # exact radii need the data
    assert invoke("report", "plain", "-o", "r.json", "--data", DATA).code == 0
    done = invoke("report", "plain", "-o", "r.json", "--data", DATA, "--key", "key.pub.pem")
    assert done.code == 4  # it is not signed
    assert "not to be trusted" in done.err
    assert json.loads(Path("r.json").read_text())["outcome"]["state"] == "bad"
    lines = Path("plain/certificates.jsonl").read_text().splitlines()
    row = json.loads(lines[2])
    row["radius"]["exact"] = {"proved": 300, "refuted_at": None}
    row["evidence"]["refuted"] = None
    lines[2] = json.dumps(row)
    Path("plain/certificates.jsonl").write_text("\n".join(lines) + "\n")
    assert invoke("report", "plain", "-o", "r.json", "--data", DATA).code == 1
    found = json.loads(Path("r.json").read_text())
    assert len(found["subjects"][0]["refuted"]) == 1
    Path("empty.tsv").write_text("idx\tlabel\tpredict\tradius\tcorrect\ttime\n")
    assert invoke("audit", "empty.tsv", "--format", "json", "-o", "a.json").code == 5
    assert invoke("report", "a.json", "-o", "r.html").code == 5


@pytest.mark.usefixtures("made")
def test_a_sample_is_said_to_be_one(invoke):
    options = ("--data", DATA, "--key", "key.pub.pem", "--sample", "2", "--seed", "s")
    assert invoke("report", "signed", "-o", "r.json", *options).code == 0
    text = Path("r.json").read_text()
    assert "other records" in text
    assert '"8, not in the sample"' in text


REFUSED = {
    "nothing": (("-o", "r.html"), "name a run folder"),
    "no output": (("plain",), "-o FILE"),
    "another style": (("plain", "-o", "r.txt"), "does not end in"),
    "no style": (("plain", "-o", "r"), "does not end in"),
    "in the run": (("plain", "-o", "plain/r.html"), "is in plain"),
    "over the run": (("plain", "-o", "plain/run.json"), "is in plain"),
    "over an input": (("a.json", "-o", "a.json"), "left alone"),
    "over the key": (("signed", "--key", "k.json", "-o", "k.json"), "left alone"),
    "over the context": (("plain", "--context", "c.json", "-o", "c.json"), "left alone"),
    "no folder": (("plain", "-o", "no/r.html"), "cannot be written"),
    "a seed alone": (("plain", "-o", "r.html", "--seed", "s"), "--seed belongs"),
    "a sample without": (("plain", "-o", "r.html", "--sample", "2", "--seed", "s"), "--sample"),
    "test alone": (("plain", "-o", "r.html", "--test", "x"), "--test belongs"),
    "two runs and data": (("plain", "signed", "-o", "r.html", "--data", DATA), "one run"),
    "data of an audit": (("a.json", "-o", "r.html", "--data", DATA), "one run"),
    "no run": (("nothing", "-o", "r.html"), "nothing"),
    "a folder of logs": (("logs", "-o", "r.html"), "certaudit audit logs --format json"),
    "no audit": (("key.pem", "-o", "r.html"), "is not a report of certaudit audit"),
    "no context": (("plain", "-o", "r.html", "--context", "none.toml"), "none.toml"),
    "a wrong context": (("plain", "-o", "r.html", "--context", "bad.toml"), "bad.toml"),
    "no key": (("signed", "-o", "r.html", "--key", "none.pem"), "none.pem"),
    "no data": (("plain", "-o", "r.html", "--data", "none.csv"), "none.csv"),
    "other data": (("plain", "-o", "r.html", "--data", "other.csv"), ""),
}


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_is_written(invoke, tree, case):
    arguments, words = REFUSED[case]
    Path("a.json").write_text("{}")
    Path("k.json").write_bytes(Path("key.pub.pem").read_bytes())
    Path("c.json").write_text("")
    Path("bad.toml").write_text("[scop]\n")
    Path("logs").mkdir()
    Path("other.csv").write_text(Path(DATA).read_text().replace("17.99", "17.98", 1))
    before = tree()
    done = invoke("report", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert done.err.count("\n") <= 4
    assert tree() == before


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(("style", "module"), [("html", "jinja2"), ("pdf", "typst")])
def test_without_the_extra(invoke, monkeypatch, style, module):
    monkeypatch.setitem(sys.modules, module, None)
    done = invoke("report", "plain", "-o", f"r.{style}")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "certaudit[report]" in done.err
    assert not Path(f"r.{style}").exists()
    assert invoke("report", "plain", "-o", "r.json", "--data", DATA).code == 0


def test_the_template(invoke):
    done = invoke("report", "--template")
    assert (done.code, done.err) == (0, "")
    Path("c.toml").write_text(done.out)
    from certaudit.report.context import Context, read_context

    assert read_context(Path("c.toml")) == Context()


@pytest.mark.usefixtures("made")
def test_names_are_text(invoke):
    name = "<b>run\x1b[31m&amp;"
    Path("plain").rename(name)
    done = invoke("report", name, "-o", "r.html", "--data", DATA)
    assert done.code == 0
    text = Path("r.html").read_text()
    assert "<b>run" not in text
    assert "\x1b" not in text
    assert "\x1b" not in done.err


def test_help_loads_no_report():
    code = (
        "import sys; from certaudit.cli.main import main; main(['report', '--help']);"
        "sys.exit(any(name in sys.modules for name in ('jinja2', 'typst', 'numpy')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == 0
