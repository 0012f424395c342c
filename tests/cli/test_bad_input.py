"""Bad input: exit code 2, one line on stderr that names the place, and nothing else at all."""

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

BIG = 2**53
CSV = "a,b,y\n" + "".join(f"{i * i % 7},{i}.5,{i % 2}\n" for i in range(10))
FAR = CSV.encode() + b"1,2.5,0\n" * 4000 + b"1,"
OLD_RUN = {"run/run.json": b'{"certaudit": "0.0.1"}\n', "run/certificates.jsonl": b"old\n"}


@dataclass(frozen=True)
class Bad:
    """A command line, the files it finds, and what the message has to name."""

    argv: tuple
    place: str
    files: dict = field(default_factory=dict)


def npz(**changes):
    """Name the changes to a good .npz; the fixture of this name makes it."""
    return changes


def put(row, column, value):
    """Change one entry; the dtype becomes that of the value where it has to."""

    def change(array):
        kind = np.asarray(value).dtype
        changed = array.astype(kind if kind != np.float64 else np.result_type(array, kind))
        changed[(row, column) if array.ndim == 2 else row] = value
        return changed

    return change


def column(*, train, other):
    """Return y_train and y_test as they are given, in turn."""
    return {"y_train": np.resize(train, 40), "y_test": np.resize(other, 10)}


def archive(**members):
    """Make an .npz whose members hold these bytes, good ones for the rest."""
    good = {"X_train": np.ones((4, 2)), "y_train": np.ones(4), "X_test": np.ones((1, 2))}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        for name, array in {**good, "y_test": np.ones(1)}.items():
            member = io.BytesIO()
            np.save(member, array)
            out.writestr(f"{name}.npy", members.get(name, member.getvalue()))
    return file.getvalue()


def header(*shape):
    """Make a .npy file that promises an array of this shape and holds none of it."""
    file = io.BytesIO()
    promise = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, promise)
    return file.getvalue()


def corrupt(data):
    """Flip a byte of the first array's values."""
    at = data.index(b"\x93NUMPY") + 200
    return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


NPZ = {
    "key missing": (npz(X_test=None), "no array X_test"),
    "keys missing": (npz(y_train=None, y_test=None), "no array y_train, y_test"),
    "X 1-d": (npz(X_train=lambda x: x[:, 0]), "X_train: expected 2 dimension(s), got shape (40,)"),
    "X 3-d": (npz(X_test=lambda x: x[:, :, None]), "X_test: expected 2"),
    "X scalar": (npz(X_train=np.float64(1)), "X_train: expected 2"),
    "y 2-d": (npz(y_train=lambda y: y[:, None]), "y_train: expected 1 dimension(s), got shape"),
    "train rows differ": (npz(y_train=lambda y: y[1:]), "X_train has 40 rows but y_train has 39"),
    "test rows differ": (npz(X_test=lambda x: x[1:]), "X_test has 9 rows but y_test has 10"),
    "columns differ": (npz(X_test=lambda x: x[:, 1:]), "X_train has 3 columns but X_test has 2"),
    "no train rows": (npz(X_train=lambda x: x[:0], y_train=lambda y: y[:0]), "X_train is empty"),
    "no test rows": (npz(X_test=lambda x: x[:0], y_test=lambda y: y[:0]), "X_test is empty"),
    "no columns": (npz(X_train=lambda x: x[:, :0], X_test=lambda x: x[:, :0]), "no columns"),
    "nan in train": (npz(X_train=put(3, 1, np.nan)), "X_train[3, 1] is nan"),
    "inf in train": (npz(X_train=put(0, 2, np.inf)), "X_train[0, 2] is inf"),
    "nan in test": (npz(X_test=put(9, 0, np.nan)), "X_test[9, 0] is nan"),
    "-inf in test": (npz(X_test=put(4, 1, -np.inf)), "X_test[4, 1] is -inf"),
    "float16 inf": (npz(X_test=put(4, 1, np.float16("inf"))), "X_test[4, 1] is inf"),
    "column too large": (npz(X_train=put(0, 1, 1.7e308)), "X_train: column 1"),
    "column too small": (npz(X_train=lambda x: x * [1, 1, 1e-322]), "X_train: column 2"),
    "test too large": (
        npz(X_test=put(0, 0, 1.7e308), X_train=lambda x: x / 10),
        "X_test: column 0",
    ),
    "label negative": (npz(y_train=put(5, 0, -1)), "y_train[5] is -1"),
    "label negative, int8": (npz(y_test=put(0, 0, np.int8(-3))), "y_test[0] is -3"),
    "label fractional": (npz(y_train=put(2, 0, 0.5)), "y_train[2] is 0.5"),
    "label nan": (npz(y_test=put(1, 0, np.nan)), "y_test[1] is nan"),
    "label inf": (npz(y_train=put(7, 0, np.inf)), "y_train[7] is inf"),
    "label huge": (npz(y_train=put(7, 0, 1e30)), "y_train[7] is 1e+30"),
    "label beyond int64": (npz(y_train=put(7, 0, np.uint64(2**63))), "y_train[7] is 922337203685"),
    "strings as labels": (npz(**column(train=["a", "b"], other="a")), "--positive"),
    "complex features": (npz(X_train=lambda x: x + 0j), "X_train: dtype complex128"),
    "strings as features": (npz(X_test=lambda x: x.astype(str)), "X_test: dtype <U"),
    "dates as features": (npz(X_train=lambda x: x.astype("M8[s]")), "X_train: dtype datetime64"),
    "complex labels": (npz(y_train=lambda y: y + 0j), "y_train: labels of dtype complex128"),
    "object features": (npz(X_train=lambda x: x.astype(object)), "X_train cannot be read (Object"),
    "object labels": (npz(y_test=lambda y: y.astype(object)), "y_test cannot be read (Object"),
    "2**53 + 1": (npz(X_train=put(1, 2, BIG + 1)), "X_train[1, 2]"),
    "-2**53 - 1": (npz(X_test=put(3, 0, -BIG - 1)), "X_test[3, 0]"),
    "2**62 + 1": (npz(X_train=put(1, 2, 2**62 + 1)), "X_train[1, 2]"),
    "2**63 - 1": (npz(X_train=put(1, 2, 2**63 - 1)), "X_train[1, 2]"),
    "2**64 - 1": (npz(X_train=put(1, 2, np.uint64(2**64 - 1))), "X_train[1, 2]"),
    "truncated": (lambda data: data[: len(data) // 2], "d.npz"),
    "cut to 3 bytes": (lambda data: data[:3], "d.npz"),
    "last byte missing": (lambda data: data[:-1], "d.npz"),
    "corrupt member": (corrupt, "X_train cannot be read"),
    "member without header": (archive(X_test=b"hello"), "X_test"),
    "empty member": (archive(y_train=b""), "y_train"),
    "header of negative shape": (archive(X_train=header(-3, 2)), "X_train cannot be read"),
    "header larger than its data": (archive(X_train=header(10**12, 10)), "X_train"),
    "not a zip": (b"hello, world\n" * 9, "d.npz: not an .npz file"),
    "an .npy file": (header(0, 3), "d.npz: a single .npy array"),
    "an empty .npz": (b"", "d.npz: not an .npz file"),
    "a directory": (None, "d.npz: not a regular file"),
}

POSITIVE = {  # changes to the arrays, --positive, and what is named
    "never occurs": ({}, "7", "'7'"),
    "no such string": (column(train=["a", "b"], other="a"), "A", "'A'"),
    "not a number": ({}, "yes", "'yes'"),
    "nan label": ({"y_train": put(3, 0, np.nan)}, "1", "y_train[3]"),
    "complex labels": ({"y_train": lambda y: y + 0j}, "1", "y_train"),
    "dates as labels": ({"y_test": lambda y: y.astype("M8[s]")}, "1", "y_test"),
    "labels in fields": ({"y_train": lambda y: y.view([("a", "<i8")])}, "1", "y_train"),
    "bytes beyond ASCII": (column(train=[b"a", b"\xff"], other=b"a"), "a", "y_train"),
}

LABEL = ("--label-column", "y")
TABLES = {  # content, what is named, options
    "no --label-column": (CSV, "name its --label-column", ()),
    "column absent": (CSV, "no column 'z' (columns: a, b, y)", ("--label-column", "z")),
    "label column twice": (CSV.replace("a,b", "y,b"), "more than one column 'y'"),
    "ragged row": (CSV + "1,2\n", "d.csv, line 12: 2 fields where the header has 3"),
    "long row": (CSV + "1,2,0,1\n", "d.csv, line 12: 4 fields"),
    "empty cell": (CSV + "1,,0\n", "d.csv, line 12, column 'b'"),
    "empty label": (CSV + "1,2,\n", "d.csv, line 12: no label in column 'y'"),
    "nan cell": (CSV + "1,nan,0\n", "line 12, column 'b': 'nan'"),
    "inf cell": (CSV + "-inf,1,0\n", "line 12, column 'a': '-inf'"),
    "underscore": (CSV + "1_000,1,0\n", "line 12, column 'a': '1_000'"),
    "overflow": (CSV + "1,1e400,0\n", "line 12, column 'b': '1e400'"),
    "other digits": (CSV + "1,١,0\n", "line 12, column 'b'"),
    "comma as point": (CSV + '1,"1,5",0\n', "line 12, column 'b': '1,5'"),
    "not UTF-8": (CSV.encode() + b"1,\xe9,0\n", f"(byte {len(CSV) + 2})"),
    "not UTF-8, far below": (FAR + b"\xe9,0\n", f"(byte {len(FAR)})"),
    "UTF-16": (CSV.encode("utf-16"), "d.csv: "),
    "binary": (bytes(range(256)) * 9, "d.csv"),
    "only a header": ("a,b,y\n", "d.csv: a header but no rows"),
    "too few rows": ("a,b,y\n" + "1,2,0\n" * 4, "d.csv: 4 rows"),
    "no features": ("y\n" + "0\n1\n" * 5, "X_train has no columns"),
    "empty": ("", "d.csv: empty"),
    "blank lines": ("\n\n", "d.csv: empty"),
    "NUL in a number": (CSV + "1,2\0,0\n", "d.csv"),
    "NUL in a label": (CSV + "1,2,1\0\n", "d.csv", (*LABEL, "--positive", "1")),
    "open quote": (CSV + '1,"2,0\n', "d.csv: not readable as CSV"),
    "huge cell": (CSV + f"1,{'2' * 200_000},0\n", "d.csv: not readable as CSV"),
    "text labels": (CSV + "1,2,x\n", "--positive"),
    "fractional labels": (CSV + "1,2,0.5\n", "--positive"),
    "negative label": (CSV + "1,2,-1\n", "y_train[8] is -1"),
    "--positive absent": (CSV, "label '7' (--positive)", (*LABEL, "--positive", "7")),
    "control characters": (CSV.replace("a", "\a\x1b[31m"), "no column", ("--label-column", "z")),
    "--test missing": (CSV, "t.csv: No such file", (*LABEL, "--test", "t.csv")),
    "--test with other columns": (CSV, "e.csv: its columns", (*LABEL, "--test", "e.csv")),
    "--test without the label": (CSV, "f.csv: no column 'y'", (*LABEL, "--test", "f.csv")),
    "--test with a bad cell": (CSV, "g.csv, line 2, column 'a'", (*LABEL, "--test", "g.csv")),
}
TEST_FILES = {"e.csv": b"b,a,y\n1,2,0\n", "f.csv": b"a,b\n1,2\n", "g.csv": b"a,b,y\nx,2,0\n"}

NOISE = {
    **dict.fromkeys(("0", "0.5", "1", "-0.1", "1/2", "1e-9/1e-9", "nan", "inf", "abc", ""), "q: "),
    **dict.fromkeys(("1e-999999999", "0x1p-10001", "1/0", "1_0", "0,1", "٠.١", "1e", "."), "q: "),
    "0." + "1" * 5000: "5000 digits",
}
RIDGES = ("-1", "abc", "nan", "inf", "1/0", "", "-1e-9999", "1e10001", "AUTO")

MANY = {  # changes to the arrays, options of certify, and what is named
    "too many": ({"y_train": put(0, 0, 1000)}, "", "classes: 1001 "),
    "far too many, in test": ({"y_test": put(0, 0, 2**30)}, "", "classes: 1073741825 "),
    "more than there are": ({"y_train": put(2, 0, 3)}, "--classes 3", "y_train[2] is 3: of 3 "),
    "more, in test": ({"y_test": put(1, 0, 2)}, "--classes 2", "y_test[1] is 2: of 2 classes"),
    "negative": ({"y_test": put(1, 0, -1)}, "--classes 3", "y_test[1] is -1"),
    "not whole": ({"y_train": put(1, 0, 0.5)}, "--classes 3", "y_train[1] is 0.5"),
    "q at its limit": ({}, "--classes 4 --q 3/4", "q: must lie strictly between 0 and 3/4"),
    "q beyond, classes seen": ({"y_train": put(0, 0, 2)}, "--q 0.67", "between 0 and 2/3"),
    "q beyond, two labels": ({}, "--q 0.5", "q: must lie strictly between 0 and 1/2"),
    "q beyond, two labels, a vote": ({}, "--q 0.5 --vote pairwise", "between 0 and 1/2"),
    "one": ({}, "--classes 1", "--classes"),
    "no number": ({}, "--classes x", "--classes"),
    "over 1000": ({}, "--classes 1001", "classes: 1001, at most 1000"),
    "unknown vote": ({}, "--vote majority", "--vote"),
    "positive label, three": ({}, "--positive 1 --classes 3", "--positive"),
}
OPTIONS = {
    "certify": {
        "--limit 0": "--limit",
        "--limit -1": "--limit",
        "--limit x": "--limit",
        "--jobs 0": "--jobs",
        "--jobs 1.5": "--jobs",
        "--guarantee none": "--guarantee",
    },
    "crosscheck": {
        "--sample 0": "--sample",
        "--seed -1": "--seed",
        "--digits 19": "--digits",
        "--format xml": "--format",
    },
}
SHARED = {
    "--scale unit": "--scale",
    "--frob": "--frob",
    "d.npz": "unexpected extra argument (d.npz)",
    "--label-column y": "--label-column",
    "--test d.npz": "--test",
    "--ridge 0": "ridge 0: the 4 columns (intercept included) have rank 3",
    "--no-intercept --scale none --ridge 0": "the 3 columns (intercept included) have rank 2",
    "--scale": "--scale",
}
FLAT = npz(X_train=lambda x: x * [1, 1, 0] + x[:, :1] * [0, 0, 2])

RADIUS = {
    "neither": ("--q 0.1", "--p, --log-error"),
    "both": ("--q 0.1 --p 0.9 --log-error -3", "--p, --log-error"),
    "no q": ("--p 0.9", "--q"),
    "p 1": ("--q 0.1 --p 1", "p: "),
    "p 2": ("--q 0.1 --p 2", "p: "),
    "p negative": ("--q 0.1 --p -0.5", "p: "),
    "p nan": ("--q 0.1 --p nan", "--p: 'nan'"),
    "log-error nan": ("--q 0.1 --log-error nan", "--log-error: 'nan'"),
    "log-error too long": ("--q 0.1 --log-error=-1e99999", "--log-error: '-1e99999'"),
    "classes 1": ("--q 0.1 --p 0.9 --classes 1", "--classes"),
    "q at the limit of 3 classes": ("--q 2/3 --p 0.9 --classes 3", "q: "),
    "q spelled badly": ("--q 1_0 --p 0.9", "--q: '1_0'"),
    "format": ("--q 0.1 --p 0.9 --format xml", "--format"),
}

PLACES = {  # the run folder of certify: name, files, what is named
    "existing file": ("f", {"f": b"mine"}, "f: exists and is not a folder"),
    "folder without run.json": ("g", {"g/notes.txt": b"mine"}, "g: exists and is not a run"),
    "empty folder": ("g", {"g": None}, "g: exists and is not a run"),
    "foreign file": ("g", {"g/run.json": b"{}", "g/notes.txt": b"mine"}, "g: holds 'notes.txt'"),
    "foreign run.json": ("g", {"g/run.json": b'{"loss": 0.5}'}, "g: its run.json is not"),
    "run.json is no JSON": ("g", {"g/run.json": b"precious"}, "g: its run.json is not"),
    "foreign folder": ("g", {"g/run.json": b"{}", "g/old/a": b"mine"}, "g: holds 'old'"),
    "run.json is a folder": ("g", {"g/run.json/notes.txt": b"mine"}, "g: "),
    "certificates are a folder": ("g", {"g/run.json": b"{}", "g/certificates.jsonl/a": b""}, "g: "),
    "below a file": ("f/g", {"f": b"mine"}, "f/g: "),
    "far below a file": ("f/g/h/run", {"f": b"mine"}, "f/g/h/run: "),
    "name too long": ("r" * 300, {}, "r" * 300),
    "this folder": (".", {}, ".: exists and is not a run"),
    "empty name": ("", {}, ".: exists and is not a run"),
}
DEMO = {
    "output is a file": ("f", {"f": b"mine"}, "f"),
    "output below a file": ("f/g", {"f": b"mine"}, "f/g"),
    "foreign run folder": ("g", {"g/run/notes.txt": b"mine"}, "g/run: "),
    "run is a file": ("g", {"g/run": b"mine"}, "g/run: "),
    "data are a folder": ("g", {"g/breast_cancer.csv": None}, "g/breast_cancer.csv: "),
}


def both(name, data, options, place, files):
    """Give the same case for both commands that read data."""
    noise = () if "--q" in options else ("--q", "0.1")
    certify = ("certify", data, "-o", "run", *noise, *options)
    yield f"certify: {name}", Bad(certify, place, files)
    yield f"crosscheck: {name}", Bad(("crosscheck", data, *noise, *options), place, files)


def cases_of_data():
    for name, (content, place) in NPZ.items():
        yield from both(name, "d.npz", (), place, {"d.npz": content})
    for name, (content, label, place) in POSITIVE.items():
        options = ("--positive", label)
        yield from both(f"--positive {name}", "d.npz", options, place, {"d.npz": content})
    for name, (content, place, *options) in TABLES.items():
        text = content.encode() if isinstance(content, str) else content
        files = {"d.csv": text, **TEST_FILES}
        yield from both(f"csv {name}", "d.csv", *(options or [LABEL]), place, files)
    yield from both("missing file", "no.npz", (), "no.npz: No such file", {})
    yield from both("name too long", "n" * 300, (), "File name too long", {})


def cases_of_options():
    for q, place in NOISE.items():
        yield from both(f"q {q[:12]!r}", "d.npz", ("--q", q), place, {"d.npz": npz()})
        argv = ("radius", "label-flip", "--q", q, "--p", "0.9")
        yield f"radius: q {q[:12]!r}", Bad(argv, place)
    for ridge in RIDGES:
        options = ("--ridge", ridge)
        yield from both(f"ridge {ridge!r}", "d.npz", options, "ridge: ", {"d.npz": npz()})
    for option, place in SHARED.items():
        yield from both(option, "d.npz", tuple(option.split()), place, {"d.npz": FLAT})
    for command, options in OPTIONS.items():
        argv = (command, "d.npz", "--q", "0.1", *(("-o", "run") if command == "certify" else ()))
        for option, place in options.items():
            yield f"{command}: {option}", Bad((*argv, *option.split()), place, {"d.npz": npz()})
    for name, (options, place) in RADIUS.items():
        yield f"radius: {name}", Bad(("radius", "label-flip", *options.split()), place)


def cases_of_classes():
    for name, (changes, options, place) in MANY.items():
        yield from both(
            f"classes {name}", "d.npz", tuple(options.split()), place, {"d.npz": npz(**changes)}
        )


def cases_of_output():
    for name, (output, files, place) in PLACES.items():
        argv = ("certify", "d.npz", "-o", output, "--q", "0.1")
        yield f"certify: -o {name}", Bad(argv, place, {"d.npz": npz(), **files})
    for name, (output, files, place) in DEMO.items():
        yield f"demo: {name}", Bad(("demo", "-o", output), place, files)


OTHERS = {
    "certify: no -o": Bad(("certify", "d.npz", "--q", "0.1"), "-o", {"d.npz": npz()}),
    "certify: no q": Bad(("certify", "d.npz", "-o", "run"), "--q", {"d.npz": npz()}),
    "certify: no data": Bad(("certify", "-o", "run", "--q", "0.1"), "DATA"),
    "crosscheck: no data": Bad(("crosscheck", "--q", "0.1"), "DATA"),
    "explain: unknown code": Bad(("explain", "CA999"), "'CA999'"),
    "explain: nothing": Bad(("explain", ""), "''"),
    "explain: long code": Bad(("explain", "C" * 9999), f"'{'C' * 40}'"),
    "explain: two codes": Bad(("explain", "CA201", "CA202"), "CA202"),
    "explain: option": Bad(("explain", "--frob"), "--frob"),
    "demo: argument": Bad(("demo", "data"), "data"),
    "demo: option": Bad(("demo", "--frob"), "--frob"),
    "radius: unknown model": Bad(("radius", "poisson"), "poisson"),
    "unknown command": Bad(("frobnicate",), "frobnicate"),
    "unknown option": Bad(("--frob",), "--frob"),
}
LISTED = [*cases_of_data(), *cases_of_options(), *cases_of_output(), *cases_of_classes()]
LISTED += OTHERS.items()
CASES = dict(LISTED)
assert len(CASES) == len(LISTED)
IN_PROCESS_OF_THEIR_OWN = (
    "certify: key missing",
    "certify: nan in train",
    "crosscheck: label fractional",
    "certify: object features",
    "certify: corrupt member",
    "crosscheck: truncated",
    "certify: a directory",
    "certify: missing file",
    "certify: csv not UTF-8",
    "crosscheck: csv ragged row",
    "certify: q '0.5'",
    "certify: q '0.1111111111'",
    "crosscheck: ridge '-1'",
    "certify: --jobs 0",
    "certify: --ridge 0",
    "certify: -o foreign file",
    "certify: -o below a file",
    "radius: p 1",
    "demo: output is a file",
    "explain: unknown code",
    "unknown command",
)


def prepare(case, make):
    for name, content in {**OLD_RUN, **case.files}.items():
        path = Path(name)
        if content is None:
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            path.write_bytes(content(make()))
        else:
            path.write_bytes(make(**content) if isinstance(content, dict) else content)


def check(case, result, before, after):
    assert result.code == 2
    assert result.err.startswith("certaudit: ")
    assert result.err.endswith("\n")
    assert result.err[:-1].isprintable()  # one line, no control characters
    assert case.place in result.err
    assert result.out == ""
    assert after == before


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name, invoke, tree, npz):
    case = CASES[name]
    prepare(case, npz)
    before = tree()
    check(case, invoke(*case.argv), before, tree())


@pytest.mark.parametrize("name", IN_PROCESS_OF_THEIR_OWN)
def test_bad_input_in_a_process_of_its_own(name, run, tree, npz):
    case = CASES[name]
    prepare(case, npz)
    before = tree()
    check(case, run(*case.argv), before, tree())


def test_arrays_beyond_the_limit_are_not_read(invoke, tree, npz, monkeypatch):
    monkeypatch.setattr("certaudit.io.datasets.MAX_BYTES", 100)
    case = Bad(("certify", "d.npz", "-o", "run", "--q", "0.1"), "d.npz: X_train", {"d.npz": {}})
    prepare(case, npz)
    before = tree()
    check(case, invoke(*case.argv), before, tree())
