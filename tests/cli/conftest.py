"""The command as people run it: in a process of its own, or through `main` where that is enough."""

import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from certaudit.cli.main import main

_SETTINGS = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch, tmp_path):
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run():
    """Run the real command in a process of its own, in the test's folder."""

    def run(*arguments, env=None, **options):
        done = subprocess.run(
            [sys.executable, "-m", "certaudit", *arguments],
            env=None if env is None else {**os.environ, **env},
            check=False,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )
        return Result(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())

    return run


@pytest.fixture
def invoke(capsys):
    """Run the command in this process: the same arguments, much faster."""

    def invoke(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return invoke


@pytest.fixture
def tree():
    """Return what lies below a folder: path and bytes of files, None for folders."""

    def tree(folder="."):
        paths = sorted(Path(folder).rglob("*"))
        return {str(path): path.read_bytes() if path.is_file() else None for path in paths}

    return tree


def _arrays(train=40, test=10, columns=3, seed=0):
    """Return a small data set: features with two decimals, labels that a line nearly separates."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(train + test, columns)).round(2)
    scores = rows @ np.arange(1, columns + 1) + rng.normal(size=train + test) / 2
    labels = (scores > 0).astype(np.int64)
    return {
        "X_train": rows[:train],
        "y_train": labels[:train],
        "X_test": rows[train:],
        "y_test": labels[train:],
    }


@pytest.fixture
def arrays():
    """Make the four arrays of a data set: arrays(train=40, test=10, columns=3, seed=0)."""
    return _arrays


@pytest.fixture
def npz():
    """Make the bytes of an .npz file; a change is an array, a function of the array, or None."""

    def npz(**changes):
        data = _arrays()
        for name, change in changes.items():
            data[name] = change(data[name]) if callable(change) else change
        file = io.BytesIO()
        np.savez(file, **{name: array for name, array in data.items() if array is not None})
        return file.getvalue()

    return npz


@pytest.fixture
def save():
    """Write arrays as an .npz file and return its name."""

    def save(data, name="d.npz"):
        np.savez(name, **data)
        return name

    return save


@pytest.fixture
def csv():
    """Make the text of a CSV file: the label first, features as float64 prints them."""

    def csv(features, labels):
        names = ["label", *(f"x{j}" for j in range(features.shape[1]))]
        lines = [names, *([y, *x] for y, x in zip(labels.tolist(), features.tolist(), strict=True))]
        return "".join(",".join(map(str, line)) + "\n" for line in lines)

    return csv
