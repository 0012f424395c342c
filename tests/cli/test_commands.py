"""Every command's output, endings and exit codes."""

import itertools
import json
import os
import pty
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import mpmath
import pytest

import certaudit
from certaudit.cli.exit_codes import Exit, worst
from certaudit.errors import CertauditError, InputError, Undecided
from certaudit.findings import CATALOGUE

ROOT = Path(certaudit.__file__).parent.parent
COMMANDS = {
    "": ["demo", "certify", "radius", "crosscheck", "explain"],
    "demo": ["--output"],
    "certify": [
        *("DATA", "--output", "--q", "--guarantee", "--ridge", "--scale", "--no-intercept"),
        *("--limit", "--jobs", "--label-column", "--positive", "--test"),
    ],
    "radius": ["label-flip"],
    "radius label-flip": ["--q", "--classes", "--p", "--log-error", "--format"],
    "crosscheck": ["DATA", "--q", "--ridge", "--sample", "--seed", "--digits", "--format"],
    "explain": ["CODE"],
}
RADIUS = ("radius", "label-flip")


# Help and version.


def test_version(run):
    result = run("--version")
    assert (result.code, result.out, result.err) == (
        *(0, f"certaudit, version {certaudit.__version__}\n", ""),
    )


def test_launcher_of_a_checkout():
    command = [sys.executable, ROOT / "cli.py", "--version"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout == f"certaudit, version {certaudit.__version__}\n"


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", [None, "80", "200"])
def test_help(columns, command, flag, invoke, monkeypatch):
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    result = invoke(*command.split(), flag)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage: {' '.join(['certaudit', *command.split()])} [OPTIONS]")
    assert max(map(len, result.out.splitlines())) <= 80
    for word in COMMANDS[command]:
        assert word in result.out


def test_help_loads_no_engine():
    code = (
        "import sys; from certaudit.cli.main import main; main(['certify', '--help']);"
        "print(sorted({'numpy', 'flint', 'mpmath', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["", "radius"])
def test_without_arguments_the_help_is_on_stderr(command, run, invoke):
    result = run(*command.split())
    assert (result.code, result.out) == (2, "")
    assert result.err == invoke(*command.split(), "--help").out


# Findings.


def test_explain_lists_every_finding(invoke):
    result = invoke("explain")
    assert (result.code, result.err) == (0, "")
    text = " ".join(result.out.split())
    for kind in CATALOGUE.values():
        assert f"{kind.code} {kind.name}" in text


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=CATALOGUE)
def test_explain(kind, invoke):
    spellings = (kind.code, kind.name, kind.code.lower(), f" {kind.name.upper()} ")
    results = {invoke("explain", spelling) for spelling in spellings}
    (result,) = results
    assert (result.code, result.err) == (0, "")
    title, text = result.out.split("\n\n", 1)
    assert " ".join(title.split()) == f"{kind.code} {kind.name}: {kind.summary}"
    assert " ".join(text.split()) == kind.explanation


def test_explain_an_unknown_code_names_those_there_are(invoke):
    result = invoke("explain", "CA000")
    assert (result.code, result.out) == (2, "")
    assert all(code in result.err for code in CATALOGUE)


# The radius.


@pytest.mark.parametrize(
    ("options", "radius"),
    {
        "--q 3/8 --p 9/10": 4,  # a tie
        f"--q 3/8 --p {Fraction(9, 10) - Fraction(1, 10**300)}": 3,
        "--q 0.375 --p 0.9": 4,
        "--q 0x1.8p-2 --p 9e-1": 4,
        "--q 0.1 --log-error=-260": 73,
        "--q 0.1 --log-error -260": 73,
        "--q 0.1 --p 0.99": 0,
        "--q 0.1 --p 1/2": 0,
        "--q 0.1 --p 0": 0,
        "--q 0.1 --log-error 0": 0,
        "--q 0.1 --log-error 7": 0,
        "--q 0.5 --p 0.999 --classes 3": 15,
        f"--q 0.1 --p {1 - Fraction(1, 2**54)}": 10,
    }.items(),
    ids=lambda value: str(value)[:30],
)
def test_radius(options, radius, invoke):
    result = invoke(*RADIUS, *options.split())
    assert (result.code, result.err) == (0, "")
    assert ["kl", str(radius)] in [line.split() for line in result.out.splitlines()]
    result = invoke(*RADIUS, *options.split(), "--format", "json")
    found = json.loads(result.out)["radius"]
    assert found["kl"] == radius <= found["tight"] <= max(3 * radius, 6)


def test_radius_json(run):
    result = run(*RADIUS, "--q", "3/8", "--p", "9e-1", "--format", "json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == {
        "noise_model": {"name": "label-flip", "q": "3/8", "classes": 2},
        "p": "9/10",
        "radius": {"kl": 4, "tight": 6},
        "flags": [],
    }
    result = run(*RADIUS, "--q=1/3", "--classes=5", "--log-error=-2.50", "--format=json")
    document = json.loads(result.out)
    assert document.pop("radius").keys() == {"kl", "tight"}
    assert document == {
        "flags": [],
        "noise_model": {"name": "label-flip", "q": "1/3", "classes": 5},
        "log_error": "-5/2",
    }


def long_radius():
    """Equation (5) for q = 0.1 and ln(1 - p) = -1e10000, where ln 4p = ln 4 to all digits."""
    with mpmath.workdps(10_100):
        tenth = mpmath.mpf(1) / 10
        divergence = (1 - 2 * tenth) * mpmath.log((1 - tenth) / tenth)
        return int((mpmath.mpf(10) ** 10_000 - mpmath.log(4)) / (2 * divergence))


def test_numbers_of_more_than_4300_digits_are_printed(run):
    result = run(*RADIUS, "--q", "0.1", "--log-error=-1e10000", "--format", "json")
    assert (result.code, result.err) == (0, "")
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(20_000)
    try:
        assert json.loads(result.out)["radius"] == {
            "kl": long_radius(),
            "tight": long_radius(),
        }
        assert json.loads(result.out)["flags"] == ["beyond-max"]
        assert json.loads(result.out)["log_error"] == "-1e10000"
        digits = str(long_radius())
    finally:
        sys.set_int_max_str_digits(before)
    result = run(*RADIUS, "--q", "0.1", "--log-error=-1e10000")
    assert (result.code, result.err) == (0, "")
    assert digits in "".join(re.findall("[0-9]", result.out.split("kl", 1)[1].split("tight")[0]))


def test_crosscheck_prints_long_fractions(invoke, arrays, save):
    name = save(arrays(train=12, test=2))
    options = ("--q", "1e-1000", "--format", "json")
    result = invoke("crosscheck", name, *options)
    assert (result.code, result.err) == (0, "")
    shares = [point["vote_share"] for point in json.loads(result.out)["points"]]
    assert max(map(len, shares)) > 10_000


# Crosscheck.


def own_vote_share(data, row, ridge, q):
    """Definition 1 for two columns and no intercept: over every noisy labelling, in fractions."""
    x = [[Fraction(value) for value in values] for values in data["X_train"].tolist()]
    a, b, d = (
        sum((r[i] * r[j] for r in x), ridge if i == j else Fraction(0))
        for i, j in ((0, 0), (0, 1), (1, 1))
    )
    u, v = map(Fraction, row)
    bottom = a * d - b * b
    alpha = [(r[0] * (d * u - b * v) + r[1] * (a * v - b * u)) / bottom for r in x]
    labels = data["y_train"].tolist()
    total = Fraction(0)
    for noisy in itertools.product((0, 1), repeat=len(labels)):
        if sum(itertools.compress(alpha, noisy)) >= Fraction(1, 2):
            flips = sum(y != z for y, z in zip(labels, noisy, strict=True))
            total += q**flips * (1 - q) ** (len(labels) - flips)
    return total


def test_crosscheck_shows_the_exact_vote(run, arrays, save):
    data = arrays(train=12, test=4, columns=2)
    name = save(data)
    plain = ("crosscheck", name, "--q=1/10", "--scale=none", "--no-intercept", "--ridge=1/2")
    result = run(*plain, "--format", "json", "--seed", "3")
    assert (result.code, result.err) == (0, "")
    document = json.loads(result.out)
    assert set(document) == {"digits", "seed", "contradictions", "points"}
    assert (document["digits"], document["seed"], document["contradictions"]) == (60, 3, 0)
    assert [point["index"] for point in document["points"]] == [0, 1, 2, 3]
    text = run(*plain)
    assert (text.code, text.err) == (0, "")
    assert text.out.splitlines()[-1] == "4 points compared, 0 contradictions"
    for point, row in zip(document["points"], data["X_test"].tolist(), strict=True):
        share = own_vote_share(data, row, Fraction(1, 2), Fraction(1, 10))
        assert Fraction(point["vote_share"]) == share
        assert f"{float(share):.12g}" in text.out
        rigorous, reference = point["rigorous"], point["reference"]
        vote = int(share >= Fraction(1, 2))
        assert not rigorous["decided"] or rigorous["prediction"] == vote
        assert rigorous["radius"]["kl"] <= reference["radius"]["kl"]
        if not rigorous["constant"]:
            winner = share if rigorous["prediction"] else 1 - share
            assert Fraction(rigorous["p_lower"]) <= winner
            assert mpmath.mpf(reference["log_error"]) <= mpmath.mpf(rigorous["log_error"])
    assert any(point["rigorous"]["decided"] for point in document["points"])


@pytest.mark.parametrize("digits", [20, 60, 300])
def test_crosscheck_prints_the_digits_asked_for(digits, invoke, arrays, save):
    name = save(arrays(test=2))
    options = ("--q", "0.1", "--format", "json", "--digits", digits)
    for point in json.loads(invoke("crosscheck", name, *options).out)["points"]:
        printed = sum(map(str.isdigit, point["reference"]["log_error"]))
        assert digits - 5 <= printed <= digits + 5


def test_crosscheck_sample_and_seed(invoke, arrays, save):
    name = save(arrays(test=30))

    def indices(*options):
        result = invoke("crosscheck", name, "--q", "0.1", "--format", "json", *options)
        return [point["index"] for point in json.loads(result.out)["points"]]

    assert indices() == indices("--sample", 5, "--seed", 0)
    assert len(indices("--sample", 7)) == 7
    assert indices() != indices("--seed", 1)
    assert indices("--sample", 10**30) == list(range(30))


def test_crosscheck_ends_with_1_on_a_contradiction(invoke, arrays, save, monkeypatch):
    name = save(arrays(test=3))
    monkeypatch.setattr("certaudit.crosscheck.majority.kl_radius_from_log_error", lambda *_: -1)
    result = invoke("crosscheck", name, "--q", "0.1")
    assert (result.code, result.err) == (1, "")
    assert result.out.count("CONTRADICTION: the radius exceeds the reference's") == 3
    assert result.out.splitlines()[-1] == "3 points compared, 3 contradictions"
    result = invoke("crosscheck", name, "--q", "0.1", "--format", "json")
    assert result.code == 1
    assert json.loads(result.out)["contradictions"] == 3


# The demo.


@pytest.mark.parametrize("options", [(), ("-o", "other/place")])
def test_demo(options, run, tree):
    result = run("demo", *options)
    folder = options[-1] if options else "certaudit-demo"
    assert result.code == 0
    wrote = f"{folder}/breast_cancer.csv, {folder}/run/run.json and"
    first, second, third, *reports = result.err.splitlines()
    assert first == f"wrote {wrote} {folder}/run/certificates.jsonl"
    assert second.startswith(f"wrote {folder}/run/records.jsonl and {folder}/run/bundle.json: 113")
    assert third == f"wrote {folder}/evidence.zip: 7 files"
    told = "All 339 claims are confirmed"
    assert reports == [f"wrote {folder}/report.{style}: {told}" for style in ("html", "pdf")]
    last = " ".join(result.out.split("\n\n")[-1].split())
    assert last == f"Open {folder}/report.html, or report.pdf beside it."
    # Of exact radii a checker verifies a part, and says which.
    assert result.out.splitlines().count("verified, but not checked: radius.exact") == 2
    assert "All 339 claims are confirmed." in result.out
    assert "3 points compared, 0 contradictions" in result.out
    before = tree(folder)
    assert {Path(path).name for path in before} == {
        *("breast_cancer.csv", "run", "run.json", "certificates.jsonl"),
        *("records.jsonl", "bundle.json", "demo-key.pem", "demo-key.pub.pem", "evidence.zip"),
        *("report.html", "report.pdf"),
    }
    data = (Path(certaudit.__file__).parent / "data" / "breast_cancer.csv").read_bytes()
    assert before[f"{folder}/breast_cancer.csv"] == data
    again = run("demo", *options)
    made = f"$ certaudit keygen -o {folder}/demo-key.pem --no-passphrase\n"
    assert (again.code, again.out) == (0, result.out.replace(made, ""))
    # ECDSA draws numbers, and reports name the bundle by its digest.
    files = ("run/bundle.json", "evidence.zip", "report.html", "report.pdf")
    signed = {f"{folder}/{file}" for file in files}
    after = tree(folder)
    assert {path for path in before if before[path] != after[path]} <= signed
    assert set(before) == set(after)


@pytest.mark.parametrize("module", ["jinja2", "typst"])
def test_demo_without_reports(invoke, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    done = invoke("demo")
    assert done.code == 0
    (line,) = (text for text in done.out.split("\n\n") if text.startswith("No evidence report"))
    assert "certaudit[report]" in line
    assert not Path("certaudit-demo/report.html").exists()


def test_demo_takes_back_its_own_signature_only(run, tree):
    assert run("demo").code == 0
    Path("certaudit-demo/demo-key.pem").unlink()
    Path("certaudit-demo/demo-key.pub.pem").unlink()
    before = tree("certaudit-demo")
    result = run("demo")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "is a signed run" in result.err
    assert tree("certaudit-demo") == before


def test_demo_prints_the_command_it_ran(run):
    first = run("demo", "-o", "my demo")
    (command,) = re.findall(r"\$ certaudit (certify .*?)\n\n", first.out, re.DOTALL)
    script = f'"$@" {" ".join(command.split())}'
    written = Path("my demo/run/certificates.jsonl").read_bytes()
    Path("my demo/run").rename("earlier")  # signed: certify would leave it alone
    program = ["sh", "-c", script, "sh", sys.executable, "-m", "certaudit"]
    done = subprocess.run(program, capture_output=True, check=False)
    assert (done.returncode, done.stderr.startswith(b"wrote ")) == (0, True)
    assert Path("my demo/run/certificates.jsonl").read_bytes() == written


def test_demo_goes_elsewhere_when_this_folder_is_taken(run, tmp_path):
    Path("certaudit-demo").write_bytes(b"mine")
    Path("elsewhere").mkdir()
    result = run("demo", env={"TMPDIR": str(tmp_path / "elsewhere")})
    assert result.code == 0
    assert Path("certaudit-demo").read_bytes() == b"mine"
    (folder,) = Path("elsewhere").iterdir()
    assert (folder / "run" / "run.json").exists()
    assert str(folder) in result.err


def test_demo_runs_without_any_environment(tmp_path):
    command = [sys.executable, "-m", "certaudit", "demo"]
    done = subprocess.run(command, env={}, capture_output=True, check=False)
    assert done.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"certaudit-demo"}


# What is printed: width, colours, odd names.

PRINTING = {
    "certify": ("certify", "d.npz", "-o", "run", "--q", "0.1"),
    "certify, long numbers": (
        *("certify", "d.npz", "-o", "run", "--q", f"{10**400}/{3 * 10**400 + 1}"),
        *("--ridge", "1e-400"),
    ),
    "crosscheck": ("crosscheck", "d.npz", "--q", "0.1"),
    "crosscheck json": ("crosscheck", "small.npz", "--q", "1e-9", "--format", "json"),
    "crosscheck, exact votes": ("crosscheck", "small.npz", "--q", "1e-9"),
    "crosscheck, constant": (
        *("crosscheck", "d.npz", "--q", "1e-300", "--no-intercept", "--ridge", "1e9"),
    ),
    "radius": (*RADIUS, "--q", "0.1", "--log-error=-1e9"),
    "explain": ("explain",),
    "explain CA201": ("explain", "CA201"),
    "demo": ("demo",),
}


@pytest.fixture
def printing(arrays, save):
    """Write what the commands of PRINTING read."""
    save(arrays())
    save(arrays(train=12, test=3), "small.npz")
    return PRINTING


@pytest.mark.parametrize("columns", [None, "80", "200"])
@pytest.mark.parametrize("name", PRINTING)
def test_output_fits_80_columns_and_is_plain(name, columns, printing, invoke, monkeypatch):
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    result = invoke(*printing[name])
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines
    assert "\x1b" not in result.out + result.err
    if "json" not in name:
        assert max(map(len, lines)) <= 80
        assert "…" not in result.out  # nothing is cut


@pytest.mark.parametrize("columns", ["0", "1", "20", "abc", "-1"])
def test_a_narrow_terminal_loses_no_number(columns, run, arrays, save):
    name = save(arrays())
    command = ("crosscheck", name, "--q", "0.1", "--sample", "1")
    wide = run(*command)
    narrow = run(*command, env={"COLUMNS": columns})
    assert (narrow.code, narrow.err) == (0, "")
    if columns in ("1", "20"):
        assert narrow.out.strip()
    else:
        assert narrow.out == wide.out


@pytest.mark.parametrize("extra", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_no_escape_sequences_where_there_is_no_terminal(extra, run, arrays, save):
    name = save(arrays())
    result = run(
        "certify", name, "-o", "run", "--q", "0.1", env={"TERM": "xterm-256color", **extra}
    )
    assert result.code == 0
    assert result.err == "wrote run/run.json and run/certificates.jsonl\n"
    assert "\x1b" not in result.out


def on_terminal(*command, env):
    """Run a command whose output and errors go to a terminal; return the code and the text."""
    master, slave = pty.openpty()
    arguments = [sys.executable, "-m", "certaudit", *command]
    with subprocess.Popen(
        arguments, stdout=slave, stderr=slave, env={**os.environ, **env}
    ) as process:
        os.close(slave)
        seen = b""
        try:
            while chunk := os.read(master, 4096):
                seen += chunk
        except OSError:  # Linux says EIO at the end
            pass
    os.close(master)
    return process.returncode, seen.decode()


def test_no_color_is_honoured_on_a_terminal(arrays, save):
    name = save(arrays(train=100, test=50))
    command = ("certify", name, "-o", "run", "--q", "0.1")
    terminal = {"TERM": "xterm-256color"}
    code, plain = on_terminal(*command, env={**terminal, "NO_COLOR": "1"})
    assert code == 0
    codes = {
        number for match in re.findall(r"\x1b\[([0-9;]*)m", plain) for number in match.split(";")
    }
    assert codes <= {"", "0", "1", "2"}  # bold and faint, no colour
    code, dumb = on_terminal(*command, env={"TERM": "dumb"})
    assert code == 0
    assert "\x1b" not in dumb


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
@pytest.mark.parametrize(
    "name", ["données.npz", "数据.npz", "a\udcffb.npz", "[red]x.npz", "new\nline.npz"]
)
def test_odd_file_names_are_no_reason_to_crash(name, encoding, run, npz):
    Path(name).write_bytes(npz())
    environment = {"PYTHONIOENCODING": encoding}
    result = run("certify", name, "-o", "run", "--q", "0.1", env=environment)
    assert result.code == 0
    assert json.loads(Path("run/run.json").read_text("ascii"))["source"] == name
    result = run("certify", f"{name}x", "-o", "run", "--q", "0.1", env=environment)
    assert (result.code, result.err.count("\n"), result.out) == (2, 1, "")


# A reader that leaves, and streams that are not there.

LEAVING = {
    "help": (("--help",), 0),
    "version": (("--version",), 0),
    "certify help": (("certify", "--help"), 0),
    "radius json": ((*RADIUS, "--q", "0.1", "--p", "0.99", "--format", "json"), 0),
    "explain": (("explain",), 0),
    "certify": (("certify", "d.npz", "-o", "run", "--q", "0.1"), 0),
    "crosscheck": (("crosscheck", "d.npz", "--q", "0.1"), 0),
    "crosscheck json": (("crosscheck", "d.npz", "--q", "0.1", "--format", "json"), 0),
    "demo": (("demo",), 0),
    "bad input": (("certify", "nothing.npz", "-o", "run", "--q", "0.1"), 2),
    "no arguments": ((), 2),
}


def prose(text):
    """Say whether stderr holds what a good run says there, or one line of a bad one."""
    return re.fullmatch(r"((wrote|certaudit: |Usage: )[^\0]*)?", text) and "Traceback" not in text


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(("command", "code"), LEAVING.values(), ids=LEAVING)
def test_a_closed_pipe_is_silent(command, code, stream, run, arrays, save):
    save(arrays())
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = run(*command, **{stream: writer})
    finally:
        os.close(writer)
    assert result.code == code
    assert prose(result.err)
    assert Path("run").exists() == (command[:2] == ("certify", "d.npz"))


def test_a_reader_that_leaves_after_a_line():
    command = [sys.executable, "-m", "certaudit", "demo", "-o", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"$ certaudit certify demo/breast_cancer.csv")
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err.count(b"\n")) == (0, 5)
    assert all(line.startswith(b"wrote ") for line in err.splitlines())


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("name", ["help", "radius json", "explain", "certify", "bad input"])
def test_streams_that_are_not_open(name, closed, arrays, save):
    command, code = LEAVING[name]
    save(arrays())
    program = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "certaudit", *command]
    done = subprocess.run(program, capture_output=True, check=False)
    assert done.returncode == code
    assert prose(done.stderr.decode())
    assert Path("run").exists() == (command[:2] == ("certify", "d.npz"))


@pytest.mark.parametrize(
    "command", ["explain", "--help", "radius label-flip --q 0.1 --p 0.9 --format json"]
)
def test_a_full_disk_is_one_line(command, run):
    with Path("/dev/full").open("wb") as full:
        result = run(*command.split(), stdout=full)
    assert result.code == 70
    assert re.fullmatch(r"certaudit: .*No space left on device\n", result.err)


# Exit codes.

PRECEDENCE = [130, 70, 4, 2, 1, 3, 5, 0]


def test_exit_codes():
    assert sorted(Exit) == sorted(PRECEDENCE)
    assert worst([]) == 5
    assert worst(Exit) == 130
    assert worst(iter(reversed(list(map(Exit, PRECEDENCE[2:]))))) == 4


@pytest.mark.parametrize("pair", list(itertools.product(PRECEDENCE, repeat=2)), ids=str)
def test_the_worse_exit_code_wins(pair):
    assert worst(map(Exit, pair)) == min(pair, key=PRECEDENCE.index)


ENDINGS = {
    "memory": (MemoryError(), 70, "certaudit: out of memory\n"),
    "surprise": (
        ZeroDivisionError("x\ny"),
        70,
        "certaudit: internal error: ZeroDivisionError: x y\n",
    ),
    "recursion": (RecursionError("deep"), 70, "certaudit: internal error: RecursionError: deep\n"),
    "own": (CertauditError("a bug"), 70, "certaudit: a bug\n"),
    "undecided": (Undecided("x < y\n at 9 bits"), 3, "certaudit: x < y at 9 bits\n"),
    "input": (InputError("d.npz: odd"), 2, "certaudit: d.npz: odd\n"),
    "interrupt": (KeyboardInterrupt(), 130, "certaudit: interrupted\n"),
}


@pytest.mark.parametrize(("error", "code", "line"), ENDINGS.values(), ids=ENDINGS)
def test_how_a_command_ends(error, code, line, invoke, arrays, save, monkeypatch):
    def fail(*_, **__):
        raise error

    name = save(arrays())
    monkeypatch.setattr("certaudit.certify.label_flip.certify_points", fail)
    result = invoke("certify", name, "-o", "run", "--q", "0.1")
    assert (result.code, result.out) == (code, "")
    unexpected = "internal error" in line
    assert result.err.endswith(line) if unexpected else result.err == line
    assert ("Traceback" in result.err) == unexpected
    assert not Path("run").exists()
