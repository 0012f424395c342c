"""A folder of .npy files: the same certificates as the .npz of its arrays, in bounded memory."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from certaudit import certify_label_flip
from certaudit.certify import data as checked_data
from certaudit.certify import features as prepared
from certaudit.certify.data import LabelledData, digest
from certaudit.certify.label_flip import certify_data
from certaudit.errors import InputError
from certaudit.io.datasets import KEYS, read_data_set

CERTIFY = ("certify", "d", "-o", "run", "--q", "0.1")
NEEDED = "X_train.npy, y_train.npy, X_test.npy, y_test.npy"
MEASURED = """
import re, sys
from pathlib import Path
if len(sys.argv) > 2:
    from certaudit.cli.main import main
    assert main(sys.argv[1:]) == 0
else:
    from certaudit.certify.data import LabelledData
    from certaudit.certify.features import prepare
    from certaudit.io.datasets import read_data_set
    data = LabelledData.check(*read_data_set(Path(sys.argv[1])).arrays.values())
    features = prepare(data.x_train, data.x_test, scale="standard", intercept=True)
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.fixture
def folder():
    """Write arrays as .npy files into a folder and return its name."""

    def folder(data, name="d"):
        Path(name).mkdir(exist_ok=True)
        for key, array in data.items():
            np.save(f"{name}/{key}.npy", array)
        return name

    return folder


def lines(run="run"):
    return Path(run, "certificates.jsonl").read_bytes()


def summary(run="run"):
    return json.loads(Path(run, "run.json").read_text("ascii"))


def mapped(data):
    return {key: np.load(f"d/{key}.npy", mmap_mode="r") for key in data}


GIVEN = {
    "as it is": lambda x: x,
    "float32": lambda x: x.astype(np.float32),
    "float16": lambda x: x.astype(np.float16),
    "long double": lambda x: x.astype(np.longdouble),
    "big-endian": lambda x: x.astype(">f8"),
    "integers": lambda x: (100 * x).astype(np.int64),
    "bytes": lambda x: (x > 0).astype(np.uint8),
    "booleans": lambda x: x > 0,
    "Fortran order": np.asfortranarray,
    "Fortran order, float32": lambda x: np.asfortranarray(x, dtype=np.float32),
}


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize(
    "options", [(), ("--scale", "none"), ("--scale", "none", "--no-intercept")]
)
def test_the_certificates_are_those_of_the_npz(given, options, invoke, arrays, save, folder):
    data = arrays()
    for key in ("X_train", "X_test"):
        data[key] = GIVEN[given](data[key])
    one, other = save(data), folder(data)
    for place in (one, other):
        result = invoke("certify", place, "-o", f"{place}-run", "--q", "0.1", *options)
        assert result.code == 0, result.err
    assert lines("d-run") == lines("d.npz-run")
    old, new = summary("d.npz-run"), summary("d-run")
    assert (old.pop("source"), new.pop("source")) == ("d.npz", "d")
    assert old == new
    for key, array in data.items():
        assert new["data"][key]["sha256"] == hashlib.sha256(old_bytes(array)).hexdigest()


def test_labels_as_text_are_mapped_too(invoke, arrays, save, folder):
    data = arrays()
    for key in ("y_train", "y_test"):
        data[key] = np.where(data[key] == 1, "yes", "no")
    for place in (save(data), folder(data)):
        options = ("-o", f"{place}-run", "--q", "0.1", "--positive", "yes")
        assert invoke("certify", place, *options).code == 0
    assert lines("d-run") == lines("d.npz-run")
    assert summary("d-run")["data"] == summary("d.npz-run")["data"]


def test_worker_processes_and_links_see_the_same(invoke, run, arrays, folder):
    folder(arrays(), "real")
    Path("d").mkdir()
    for key in KEYS:
        Path(f"d/{key}.npy").symlink_to(f"../real/{key}.npy")
    Path("d/notes.txt").write_bytes(b"of no interest")
    Path("link").symlink_to("d")
    assert invoke(*CERTIFY).code == 0
    done = run("certify", "link", "-o", "other", "--q", "0.1", "--jobs", "2")
    assert done.code == 0, done.err
    assert lines("other") == lines()
    assert summary("other")["source"] == "link"


def test_this_folder_has_a_name(invoke, arrays, folder, monkeypatch):
    monkeypatch.chdir(folder(arrays()))
    assert invoke("certify", ".", "-o", "../run", "--q", "0.1").code == 0
    assert summary("../run")["source"] == "d"


def test_crosscheck_reads_folders(invoke, arrays, folder):
    data = arrays(train=12)
    result = invoke("crosscheck", folder(data), "--q", "0.1", "--sample", "2")
    assert result.code == 0, result.err


def test_arrays_are_mapped_and_no_copy_is_made(arrays, folder):
    folder(arrays())
    raw = read_data_set(Path("d")).arrays
    assert all(isinstance(array, np.memmap) for array in raw.values())
    data = LabelledData.check(*raw.values())
    assert np.shares_memory(data.x_train, raw["X_train"])
    assert np.shares_memory(data.x_test, raw["X_test"])
    design = prepared.prepare(data.x_train, data.x_test, scale="none", intercept=False)
    assert np.shares_memory(design.train, raw["X_train"])


def test_other_arrays_are_copied(arrays):
    raw = arrays()
    data = LabelledData.check(*raw.values())
    assert not any(np.shares_memory(data.x_train, array) for array in raw.values())
    assert data.x_train.dtype == np.float64


def test_the_api_takes_mapped_arrays(arrays, folder):
    data = arrays()
    folder(data)
    run = certify_label_flip(*data.values(), q="0.1")
    again = certify_label_flip(*mapped(data).values(), q="0.1", guarantee="kl")
    assert run.certificates == again.certificates
    assert run.data.digests == again.data.digests
    assert run.features.scale == again.features.scale


def test_verify_names_what_it_reads_instead(invoke, run, arrays, folder, monkeypatch):
    monkeypatch.setenv("CERTAUDIT_PASSPHRASE", "of a test")
    folder(arrays())
    assert invoke(*CERTIFY).code == 0
    assert invoke("keygen", "-o", "key.pem").code == 0
    assert invoke("sign", "run", "--key", "key.pem").code == 0
    verify = ("verify", "run", "--key", "key.pub.pem", "--data")
    result = run(*verify, "d")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("certaudit: d: a folder, and the checker reads .npz or CSV: ")
    assert result.err.count("\n") == 1
    # What the line says to do works.
    members = [f"{key}.npy" for key in KEYS]
    subprocess.run([sys.executable, "-m", "zipfile", "-c", "d.npz", *members], cwd="d", check=True)
    assert invoke(*verify, "d/d.npz", "--require-all").code == 0


# ------------------------------------------------------------------------------------ bad input


def cut(data):
    return data[:-1]


def header(*shape, descr="<f8", data=b""):
    """Make a .npy file that promises an array of this shape and holds `data`."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + data


def link(target):
    def make(path):
        path.unlink()
        path.symlink_to(target)

    return make


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def become_folder(path):
    path.unlink()
    path.mkdir()


BAD = {  # a member, what becomes of it (its bytes, or what is done to it), what is named
    "missing": ("X_test", Path.unlink, f"d: no file X_test.npy (needed: {NEEDED})"),
    "empty": ("y_train", b"", "d/y_train.npy: not an .npy file"),
    "cut to 3 bytes": ("X_train", lambda data: data[:3], "d/X_train.npy: not an .npy file"),
    "cut in the header": ("X_train", lambda data: data[:40], "d/X_train.npy: cannot be read"),
    "last byte missing": ("X_train", cut, "d/X_train.npy: cannot be read (mmap length"),
    "text": ("y_test", b"hello, world\n" * 9, "d/y_test.npy: not an .npy file"),
    "pickle": ("y_test", b"\x80\x04K\x01.", "d/y_test.npy: not an .npy file"),
    "zip": ("X_test", b"PK\x03\x04" + bytes(99), "d/X_test.npy: not an .npy file"),
    "object dtype": ("y_train", header(40, descr="|O", data=bytes(320)), "d/y_train.npy: cannot"),
    "header is code": ("X_test", b"\x93NUMPY\x01\x00\x08\x00exit(9)\n", "d/X_test.npy: cannot"),
    "version 9": ("X_test", b"\x93NUMPY\x09\x00" + bytes(99), "d/X_test.npy: cannot be read"),
    "negative shape": ("X_train", header(-3, -2, data=bytes(48)), "d/X_train.npy: cannot be read"),
    "more than the file": ("X_train", header(10**12, 3), "d/X_train.npy: cannot be read"),
    "size wraps to 0": ("X_train", header(2**62, 4), "d/X_train.npy: cannot be read"),
    "beyond int64": ("X_train", header(2**64, 2), "d/X_train.npy: cannot be read"),
    "a scalar": (
        "X_train",
        header(data=bytes(8)),
        "X_train: expected 2 dimension(s), got shape ()",
    ),
    "no rows": ("X_train", header(0, 3), "X_train has 0 rows but y_train has 40 labels"),
    "no columns": ("X_train", header(40, 0), "X_train has 0 columns but X_test has 3"),
    "text features": ("X_train", header(40, 3, descr="<U0"), "X_train: dtype <U0 is not a float"),
    "text labels": ("y_train", header(40, descr="|S0"), "y_train: labels of dtype |S0"),
    "complex": ("X_test", header(10, 3, descr="<c8", data=bytes(240)), "X_test: dtype complex64"),
    "symlink loop": ("X_train", link("X_train.npy"), "d/X_train.npy: Too many levels"),
    "broken link": ("X_train", link("nowhere"), "d/X_train.npy: No such file"),
    "a pipe": ("y_train", pipe, "d/y_train.npy: not a regular file"),
    "a folder": ("y_train", become_folder, "d/y_train.npy: not a regular file"),
}


def is_one_line(result, place):
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("certaudit: ")
    assert result.err[:-1].isprintable()
    assert place in result.err
    assert not Path("run").exists()


@pytest.mark.parametrize(
    "command", [CERTIFY, ("crosscheck", "d", "--q", "0.1")], ids=lambda c: c[0]
)
@pytest.mark.parametrize("name", BAD)
def test_bad_members(name, command, invoke, arrays, folder):
    key, change, place = BAD[name]
    path = Path(folder(arrays()), f"{key}.npy")
    if isinstance(change, bytes):
        path.write_bytes(change)
    elif change is cut or change.__name__ == "<lambda>":
        path.write_bytes(change(path.read_bytes()))
    else:
        change(path)
    is_one_line(invoke(*command), place)


def test_empty_sets(invoke, arrays, folder):
    data = arrays()
    folder({**data, "X_train": data["X_train"][:0], "y_train": data["y_train"][:0]})
    is_one_line(invoke(*CERTIFY), "d: X_train is empty")
    folder({**data, "X_train": data["X_train"][:, :0], "X_test": data["X_test"][:, :0]})
    is_one_line(invoke(*CERTIFY), "d: X_train has no columns")


def test_folders_that_are_none(invoke, arrays, folder):
    Path("d").mkdir()
    is_one_line(invoke(*CERTIFY), f"d: not a regular file, nor a folder with {NEEDED}")
    folder({"X_train": np.ones((3, 2))})
    missing = "y_train.npy, X_test.npy, y_test.npy"
    is_one_line(invoke(*CERTIFY), f"d: no file {missing} (needed: {NEEDED})")
    Path("loop").symlink_to("loop")
    is_one_line(invoke("certify", "loop", *CERTIFY[2:]), "loop: Too many levels of symbolic links")
    folder(arrays())
    for options in (
        ("--label-column", "y"),
        ("--test", "d"),
        ("--label-column", "y", "--test", "d"),
    ):
        is_one_line(invoke(*CERTIFY, *options), "d: --label-column and --test are for CSV files")
    Path("t.csv").write_text("a,y\n" + "1,0\n2,1\n" * 5, encoding="ascii")
    command = ("certify", "t.csv", *CERTIFY[2:], "--label-column", "y", "--test", "d")
    is_one_line(invoke(*command), "d: Is a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable(invoke, arrays, folder):
    path = Path(folder(arrays()))
    (path / "X_test.npy").chmod(0)
    is_one_line(invoke(*CERTIFY), "d/X_test.npy: Permission denied")
    path.chmod(0o300)
    is_one_line(invoke(*CERTIFY), "'d' is not readable")
    with pytest.raises(InputError, match=r"^d: Permission denied$"):
        read_data_set(path)
    path.chmod(0o600)
    is_one_line(invoke(*CERTIFY), "d/X_train.npy: Permission denied")
    path.chmod(0o700)


@pytest.mark.parametrize(
    ("key", "row", "column", "value", "place"),
    [
        ("X_train", 39, 1, np.nan, "X_train[39, 1] is nan"),
        ("X_train", 0, 0, -np.inf, "X_train[0, 0] is -inf"),
        ("X_test", 9, 2, np.inf, "X_test[9, 2] is inf"),
        ("X_train", 17, 2, 2**53 + 1, "X_train[17, 2] is not exactly representable"),
        ("X_train", 39, 0, 2**63 - 1, "X_train[39, 0] is not exactly representable"),
        ("X_train", 0, 1, 1.7e308, "X_train: column 1 cannot be standardised"),
        ("X_test", 9, 1, 1.7e308, "X_test: column 1 cannot be standardised"),
    ],
)
@pytest.mark.parametrize("entries", [1, 7, 10**6])
def test_bad_values_are_named_in_every_block(
    key, row, column, value, place, entries, invoke, arrays, folder, monkeypatch
):
    monkeypatch.setattr(checked_data, "_BLOCK_ENTRIES", entries)
    data = arrays()
    data[key] = data[key].astype(np.asarray(value).dtype)
    data["X_train"] = data["X_train"] / 10 if value == 1.7e308 else data["X_train"]
    data[key][row, column] = value
    folder(data)
    is_one_line(invoke(*CERTIFY), place)


@pytest.mark.parametrize("key", KEYS)
def test_a_file_that_changes_meanwhile_is_noticed(key, invoke, arrays, folder, monkeypatch):
    folder(arrays())

    def certify_and_write(*arguments, **options):
        found = certify_data(*arguments, **options)
        array = np.load(f"d/{key}.npy", mmap_mode="r+")
        array[-1] += 1
        array.flush()
        return found

    monkeypatch.setattr("certaudit.certify.label_flip.certify_data", certify_and_write)
    is_one_line(invoke(*CERTIFY), f"d: {key} has changed while it was in use")


# ------------------------------------------------------- the bits of the formulas without blocks


def old_bytes(array):
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()


def old_design(x_train, x_test):
    """Standardise whole arrays at once, as NumPy users do."""
    x_train, x_test = x_train.astype(np.float64), x_test.astype(np.float64)
    kept = np.flatnonzero(x_train.max(axis=0) != x_train.min(axis=0))
    train, test = x_train[:, kept], x_test[:, kept]
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    rows = [
        np.ascontiguousarray(np.hstack([(x - mean) / deviation, np.ones((len(x), 1))]))
        for x in (train, test)
    ]
    return mean, deviation, kept, rows


def same_bits(found, wanted):
    wanted = np.asarray(wanted, dtype=np.float64)
    assert found.dtype == np.float64
    assert found.shape == wanted.shape
    assert found.tobytes() == wanted.tobytes()


KINDS = (np.float64, np.float32, np.float16, np.longdouble, ">f4", np.int64, np.uint8, bool)
SHAPES = [(1, 4), (2, 1), (2, 9), (3, 40), (8, 2), (129, 3), (1000, 1), (1025, 17), (70_001, 6)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layout", ["C", "F", "every other", "mapped"])
@pytest.mark.parametrize("block", [11, None])
def test_bits_do_not_depend_on_blocks(shape, layout, block, tmp_path, monkeypatch):
    if block is not None:
        # At most a hundred blocks: a row or a column each is what matters, not how many.
        block = max(block, shape[0] * shape[1] // 100)
        monkeypatch.setattr(checked_data, "_BLOCK_ENTRIES", block)
        monkeypatch.setattr(prepared, "_COLUMN_ENTRIES", block)
    rng = np.random.default_rng(shape)
    for kind in KINDS:
        values = rng.normal(size=shape) * rng.choice([1e-3, 1.0, 30.0], size=shape[1])
        values[:, shape[1] // 2 :: 5] = 0.25  # columns that are dropped
        x = (100 * values).astype(kind) if np.dtype(kind).kind in "iu" else values.astype(kind)
        if layout == "every other":
            x = np.repeat(x, 2, axis=1)[:, ::2]
        elif layout == "mapped":
            np.save(tmp_path / "x.npy", x)
            x = np.load(tmp_path / "x.npy", mmap_mode="r")
        else:
            x = np.asarray(x, order=layout)
        labels = np.arange(shape[0]) % 2
        data = LabelledData.check(x, labels, x[:1], labels[:1])
        found = prepared.prepare(data.x_train, data.x_test, scale="standard", intercept=True)
        mean, deviation, kept, (train, test) = old_design(np.asarray(x), np.asarray(x[:1]))
        same_bits(np.asarray(found.scale.mean), mean)
        same_bits(np.asarray(found.scale.deviation), deviation)
        assert sorted({*kept.tolist(), *found.scale.dropped}) == list(range(shape[1]))
        same_bits(found.train, train)
        same_bits(found.test, test)
        assert found.train.flags.c_contiguous
        plain = prepared.prepare(data.x_train, data.x_test, scale="none", intercept=True)
        same_bits(plain.train, np.hstack([np.asarray(x, np.float64), np.ones((len(x), 1))]))
        assert data.digests["X_train"].sha256 == hashlib.sha256(old_bytes(x)).hexdigest()
        assert data.digests["X_train"].dtype == x.dtype.newbyteorder("<").str


def test_digests_of_any_array(monkeypatch):
    monkeypatch.setattr(checked_data, "_BLOCK_ENTRIES", 3)
    odd = [
        np.float64(3),
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.array(["ä", "bc"]),
        np.ones((3, 4, 5)),
    ]
    for array in (
        *map(np.asarray, odd),
        np.arange(20, dtype=">i4")[::2],
        np.array([b"a", b"\xff"]),
    ):
        found = digest(array)
        assert found.sha256 == hashlib.sha256(old_bytes(array)).hexdigest()
        assert found.shape == array.shape


# --------------------------------------------------------------------------------------- memory


def large(rows, columns):
    """Write a folder with so many training points, float32, block by block."""
    name, rng = f"n{rows}", np.random.default_rng(0)
    Path(name).mkdir()
    for part, count in (("train", rows), ("test", 4)):
        x = rng.standard_normal((count, columns), dtype=np.float32)
        np.save(f"{name}/X_{part}.npy", x)
        np.save(f"{name}/y_{part}.npy", (x.sum(axis=1) > 0).astype(np.uint8))
    return name


def peak(*arguments):
    """Return the most memory that a process took, in bytes, the files that it mapped included."""
    command = [sys.executable, "-c", MEASURED, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) * 1024


needs_status = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="nothing here tells the peak of a process"
)


@needs_status
def test_memory_of_the_design_of_a_million_points():
    small, n, d = large(1000, 5), 10**6, 5
    design, file = 8 * n * (d + 1), 4 * n * d
    growth = peak(large(n, d)) - peak(small)
    # Labels and the temporaries of a column or a block; a float64 copy would be 5/6 of a design.
    assert growth < 1.6 * design + file


@needs_status
def test_memory_of_a_run():
    few, many, d = 140_000, 240_000, 20  # from 131,072 on, a block of alphas takes 64 MB
    peaks = [
        peak("certify", large(n, d), "-o", f"run{n}", "--q", "0.1", "--limit", "3", "--jobs", "1")
        for n in (few, many)
    ]
    design, file = 8 * (many - few) * (d + 1), 4 * (many - few) * d
    # The design, a temporary of its size, and at most a dozen vectors as long as the labels.
    assert peaks[1] - peaks[0] < 3.5 * design + file
