"""The README shows what the program prints, and names the commands that there are."""

import re
from importlib.resources import files
from pathlib import Path

from certaudit.cli.main import app, main

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_output_shown_is_the_output(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    data = files("certaudit").joinpath("data", "breast_cancer.csv").read_bytes()
    Path("breast_cancer.csv").write_bytes(data)
    (command,) = re.findall(r"^\$ certaudit (certify .*)$", README, re.MULTILINE)
    (shown,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    assert main(command.split()) == 0
    printed = capsys.readouterr().out
    assert [line.rstrip() for line in printed.strip("\n").splitlines()] == shown.splitlines()
    assert sorted(path.name for path in Path("run").iterdir()) == ["certificates.jsonl", "run.json"]


def test_the_table_of_commands_is_complete():
    assert set(re.findall(r"^\| `certaudit ([a-z]+)", README, re.MULTILINE)) == set(app.commands)


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (Path(__file__).parents[2] / target).exists(), target
