"""The README shows what the program prints, and names the commands that there are."""

import os
import re
import subprocess
import sys
from functools import partial
from importlib.resources import files
from pathlib import Path

import pytest

from certaudit.cli.main import app, main

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_output_shown_is_the_output(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    data = files("certaudit").joinpath("data", "breast_cancer.csv").read_bytes()
    Path("certaudit/data").mkdir(parents=True)
    Path("certaudit/data/breast_cancer.csv").write_bytes(data)
    (command,) = re.findall(
        r"^\$ certaudit (certify certaudit/.*)$", README.replace("\\\n", ""), re.MULTILINE
    )
    (shown,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    assert main(command.split()) == 0
    printed = capsys.readouterr().out
    assert [line.rstrip() for line in printed.strip("\n").splitlines()] == shown.splitlines()
    assert sorted(path.name for path in Path("run").iterdir()) == ["certificates.jsonl", "run.json"]


def test_the_audit_shown_is_the_audit(monkeypatch, capsys):
    folder = os.environ.get("CERTAUDIT_CORPORA")
    if not folder:
        pytest.skip("CERTAUDIT_CORPORA does not name the folder of published certificates")
    (block,) = re.findall(r"```console\n\$ certaudit (audit .*?)```", README, re.DOTALL)
    command, _, shown = block.partition("\n")
    (log,) = Path(folder).rglob(command.split()[1])
    monkeypatch.chdir(log.parent)
    monkeypatch.setenv("COLUMNS", "80")
    main(command.split())
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert printed[: len(shown.splitlines())] == shown.splitlines()


def test_the_verification_shown_is_the_verification(tmp_path, monkeypatch, capsys):
    (block,) = re.findall(r"```console\n(\$ certaudit keygen .*?)```", README, re.DOTALL)
    (made,) = re.findall(
        r"^\$ certaudit (certify certaudit/.*)$", README.replace("\\\n", ""), re.MULTILINE
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("CERTAUDIT_PASSPHRASE", "of a test")
    data = files("certaudit").joinpath("data", "breast_cancer.csv").read_bytes()
    Path("certaudit/data").mkdir(parents=True)
    Path("certaudit/data/breast_cancer.csv").write_bytes(data)
    commands = re.findall(r"^\$ certaudit (.*)$", block, re.MULTILINE)
    for command in (made, *commands):
        capsys.readouterr()
        assert main(command.split()) == 0
    printed = capsys.readouterr().out.splitlines()
    shown = [line for line in block.splitlines() if not line.startswith("$")]
    differing = [line for line, other in zip(shown, printed, strict=True) if line != other]
    assert [line[:4] for line in differing] == ["key "]
    command, told = re.findall(r"^\$ certaudit (report run .*)\n(.*)$", README, re.MULTILINE)[0]
    pytest.importorskip("jinja2")
    capsys.readouterr()
    assert main(command.split()) == 0
    assert capsys.readouterr().err.splitlines() == [told]


def test_the_attack_shown_is_the_attack(tmp_path, monkeypatch, capsys):
    (block,) = re.findall(r"```console\n\$ certaudit (attack .*?)```", README, re.DOTALL)
    command, _, shown = block.partition("\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    data = files("certaudit").joinpath("data", "breast_cancer.csv").read_bytes()
    Path("certaudit/data").mkdir(parents=True)
    Path("certaudit/data/breast_cancer.csv").write_bytes(data)
    assert main(command.split()) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in printed if line] == [line for line in shown.splitlines() if line]
    (replay,) = re.findall(r"`certaudit (verify attack.json .*?)`", README)[:1]
    assert main(replay.split()) == 0
    assert "verified: every step was checked" in capsys.readouterr().out


def test_the_table_of_commands_is_complete():
    assert set(re.findall(r"^\| `certaudit ([a-z-]+)", README, re.MULTILINE)) == set(app.commands)


def test_nothing_was_left_to_fill_in():
    assert "@@" not in README


def test_the_python_example_runs_in_a_fresh_process(tmp_path):
    _, example, _ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    data = (
        "import numpy as np\n"
        "X = np.random.default_rng(0).normal(size=(50, 3)); y = (X[:, 0] > 0).astype(int)\n"
        "X_train, y_train, X_test, y_test = X[:40], y[:40], X[40:], y[40:]\n"
    )
    checks = "assert exact(0.5) * 2 == 1\nimport certaudit.exact\nassert callable(exact)\n"
    script = tmp_path / "example.py"
    script.write_text(data + example + checks + "from certaudit import exact\nexact(0.1)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_estimator_shown_runs_on_real_digits():
    datasets = pytest.importorskip("sklearn.datasets")
    example, *_ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    x, y = datasets.load_digits(return_X_y=True)
    names = {"X_train": x[:900], "y_train": y[:900], "X_test": x[900:950], "y_test": y[900:950]}
    names |= {
        "make_pipeline": pytest.importorskip("sklearn.pipeline").make_pipeline,
        "StandardScaler": pytest.importorskip("sklearn.preprocessing").StandardScaler,
        "PCA": partial(pytest.importorskip("sklearn.decomposition").PCA, random_state=0),
    }
    exec(example, names)  # noqa: S102
    assert names["found"].decided.sum() > 30
    assert names["found"].radius["tight"].max() > 5


def test_the_values_shown_are_the_values():
    *_, example = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    seen = 0
    for line in example.splitlines():
        code, _, shown = line.partition("# ")
        if shown and not code.startswith("flips ="):
            assert str(eval(code.strip(), names)) == shown.split(" (")[0], line  # noqa: S307
            seen += 1
        else:
            exec(line, names)  # noqa: S102
    assert seen == 7


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (Path(__file__).parents[2] / target).exists(), target
