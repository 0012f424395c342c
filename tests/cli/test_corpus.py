"""Every case of tests/corpus, by `certaudit verify` and by checker.py alone: the same exit code."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

CORPUS = Path(__file__).parents[1] / "corpus"
CODES = {"accept": 0, "refute": 1, "malformed": 2, "untrusted": 4}
CASES = sorted(path.parent for path in CORPUS.glob("*/*/why.txt"))
CHECKER = Path(str(files("certaudit").joinpath("checker.py")))
NOTES = {"why.txt", "case.json"}
TRACEBACK = re.compile(r"Traceback|internal error|File \"|Error\b.*\bline\b")
DRIVER = """
import contextlib, importlib.util, io, json, sys
assert sys.flags.isolated and sys.flags.no_site
for name in ("numpy", "flint", "msgspec", "cryptography", "click", "certaudit"):
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit(f"{name} is there")
spec = importlib.util.spec_from_file_location("checker", sys.argv[1])
checker = sys.modules["checker"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checker)
done = []
for arguments in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = checker.main(arguments)
        except SystemExit as ending:
            code = ending.code
    done.append([code, out.getvalue(), err.getvalue()])
json.dump(done, sys.stdout)
"""
ALONE = [sys.executable, "-I", "-S"]


def case_name(case):
    return f"{case.parent.name}/{case.name}"


@dataclass(frozen=True)
class Ending:
    """How a checker ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def text(self):
        """All it said, in one line."""
        return " ".join(f"{self.out} {self.err}".split())

    def says(self, words):
        """Return whether it said something, wherever its lines were broken."""
        return "".join(words.split()) in "".join(self.text.split())


def lay_out(case, place):
    """Put the files of a case, and below them those of its base, into a folder."""
    settings = json.loads((case / "case.json").read_text())
    place.mkdir(parents=True)
    for source in [CORPUS / settings["base"]] if "base" in settings else []:
        for path in source.iterdir():
            if path.name not in {*NOTES, *settings.get("leave_out", ())}:
                shutil.copyfile(path, place / path.name)
    for path in case.iterdir():
        if path.name not in NOTES:
            shutil.copyfile(path, place / path.name)
    return settings


def arguments_of(settings, place):
    """Return the arguments of either checker for a case."""
    arguments = [str(place / settings.get("run", "."))]
    key = settings.get("key", "test-only-ed25519.pub.pem")
    if key is not None:
        arguments += ["--key", str(CORPUS / "keys" / key)]
    for name in ("data", "test"):
        if name in settings:
            arguments += [f"--{name}", str(CORPUS / "data" / settings[name])]
    return arguments + settings.get("arguments", [])


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    """Lay out every case; return its settings and arguments by name."""
    top, found = tmp_path_factory.mktemp("corpus"), {}
    for case in CASES:
        settings = lay_out(case, top / case_name(case))
        found[case_name(case)] = settings, arguments_of(settings, top / case_name(case))
    return found


@pytest.fixture(scope="module")
def alone(laid_out):
    """Run checker.py over every case, in a Python without any installed package."""
    todo = json.dumps([arguments for _, arguments in laid_out.values()])
    done = subprocess.run(
        [*ALONE, "-c", DRIVER, str(CHECKER)],
        input=todo,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    endings = (Ending(*each) for each in json.loads(done.stdout))
    return dict(zip(laid_out, endings, strict=True))


def check(ending, kind, settings):
    """Check an exit code, and that what is said says something."""
    assert ending.code == CODES[kind], ending.text
    assert not TRACEBACK.search(ending.out + ending.err), ending.text
    assert ending.says(settings.get("says", "")), ending.text
    last = ending.out.splitlines()[-1:]
    if kind == "accept":
        assert ending.err == ""
        assert " failed " not in ending.out
    elif last:
        assert last == ["NOT VERIFIED"]
    else:
        assert re.fullmatch(r"certaudit: .{12,}\n", ending.err), ending.err


def test_there_are_cases_of_every_kind():
    counts = {kind: sum(case.parent.name == kind for case in CASES) for kind in CODES}
    assert len(CASES) >= 200
    assert min(counts.values()) >= 30, counts
    for case in CASES:
        assert re.fullmatch(r"[^\n]{6,}\.\n", (case / "why.txt").read_text()), case
        assert sum(path.stat().st_size for path in case.iterdir()) < 16 << 10, case


def test_every_refuted_case_is_an_accepted_one_changed():
    for case in CASES:
        settings = json.loads((case / "case.json").read_text())
        if case.parent.name == "refute":
            assert settings["base"].startswith("accept/"), case
        assert not settings.keys() - {
            *("base", "leave_out", "run", "key", "data", "test", "arguments", "says")
        }


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_verify(case, laid_out, invoke):
    settings, arguments = laid_out[case_name(case)]
    done = invoke("verify", *arguments)
    check(Ending(done.code, done.out, done.err), case.parent.name, settings)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_checker_alone(case, laid_out, alone):
    check(alone[case_name(case)], case.parent.name, laid_out[case_name(case)][0])


@pytest.mark.parametrize("kind", CODES)
def test_the_command_line_of_the_checker(kind, laid_out):
    case = next(case_name(case) for case in CASES if case.parent.name == kind)
    command = [*ALONE, str(CHECKER), *laid_out[case][1]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    check(Ending(done.returncode, done.stdout, done.stderr), kind, laid_out[case][0])


def test_what_is_refuted_names_its_record(laid_out, alone):
    """A reader finds the record: its index stands in the message, unless the run is wrong."""
    for name in laid_out:
        if name.startswith("refute/"):
            assert re.search(r"index \d+: |figures", alone[name].text), alone[name].text


def test_malformed_cases_are_told_apart(laid_out, alone):
    """What is wrong in another place is said in other words, by most messages."""
    said = defaultdict(list)
    for name in laid_out:
        if name.startswith("malformed/"):
            failed = alone[name].text.partition("failed")[2]
            said[re.sub(r"\S*(malformed|keys)/\S+|[0-9a-f]{64}", "", failed)].append(name)
    assert len(said) > sum(map(len, said.values())) / 2
    assert max(map(len, said.values())) <= 8, max(said.values(), key=len)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bundle.json", b"[" * 100_000 + b"]" * 100_000 + b"\n"),
        ("bundle.json", b'{"a":' * 100_000 + b"0" + b"}" * 100_000 + b"\n"),
        ("bundle.json", b'"' + b"a" * (17 << 20) + b'"\n'),
        ("bundle.json", b"1" * 100_000 + b"\n"),
        ("records.jsonl", b"[" * 100_000 + b"\n"),
    ],
    ids=["lists", "objects", "long", "number", "records"],
)
def test_what_is_too_large_to_keep_as_a_case(name, data, laid_out, invoke, tmp_path):
    arguments = list(laid_out["accept/three-points"][1])
    shutil.copytree(arguments[0], tmp_path / "run")
    (tmp_path / "run" / name).write_bytes(data)
    arguments[0] = str(tmp_path / "run")
    kind = "untrusted" if name == "records.jsonl" else "malformed"
    done = invoke("verify", *arguments)
    check(Ending(done.code, done.out, done.err), kind, {})
    done = subprocess.run([*ALONE, str(CHECKER), *arguments], capture_output=True, check=False)
    check(Ending(done.returncode, done.stdout.decode(), done.stderr.decode()), kind, {})


def test_the_generator_writes_what_is_here():
    """Every case follows from the runs, the same bytes anywhere."""
    spec = importlib.util.spec_from_file_location("generate", CORPUS / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    made = generate.whole() | {f"data/{n}": d for n, d in generate.data_files().items()}
    here = {
        str(path.relative_to(CORPUS)): path.read_bytes()
        for kind in (*CODES, "keys", "data")
        for path in (CORPUS / kind).rglob("*")
        if path.is_file()
    }
    assert {n for n in here | made if here.get(n) != made.get(n)} == set()
