"""The wheel, installed alone and read-only, with no network, no HOME and no place to write."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
NEEDED = ("certaudit", "pyproject.toml", "README.md", "LICENSE")


class Installed(NamedTuple):
    version: str
    sources: list[str]  # the files of the checkout that the wheel was built from
    wheel: list[str]  # the files in the wheel
    command: Path
    temporary: Path


def run(*command, **options):
    words = [str(part) for part in command]
    done = subprocess.run(words, capture_output=True, check=False, encoding="utf-8", **options)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


def pip(*arguments):
    run(sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", *arguments)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("wheel")
    source, venv = folder / "source", folder / "venv"
    sources = copy_checkout(source)

    pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", folder, source)
    (wheel,) = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    pip("--python", venv / "bin" / "python", "install", "--no-deps", "--no-index", wheel)

    (site,) = venv.glob("lib/python*/site-packages")
    (dist_info,) = site.glob("certaudit-*.dist-info")
    certaudit = metadata.Distribution.at(dist_info)
    link_dependencies(certaudit, site)
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    (folder / "temporary").mkdir()
    set_writable(venv, yes=False)
    yield Installed(
        certaudit.version, sources, names, venv / "bin" / "certaudit", folder / "temporary"
    )
    set_writable(venv, yes=True)


def copy_checkout(target: Path) -> list[str]:
    """Copy the files that git tracks; without git, those that the wheel is built from."""
    try:
        listing = run("git", "ls-files", "-z", cwd=ROOT).stdout.split("\0")
    except (OSError, AssertionError):
        listing = []
    names = [name for name in listing if (ROOT / name).is_file()]
    if "pyproject.toml" not in names:
        paths = [path for name in NEEDED for path in [ROOT / name, *(ROOT / name).rglob("*")]]
        names = [str(path.relative_to(ROOT)) for path in paths if path.is_file()]
        names = [name for name in names if "__pycache__" not in name]
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name)
    return names


def link_dependencies(distribution: metadata.Distribution, site: Path) -> None:
    """Link what a distribution needs, and nothing else, into site from where we run."""
    for line in distribution.requires or ():
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        needed = metadata.distribution(requirement.name)
        assert needed.version in requirement.specifier, f"{line}: {needed.version} is installed"
        tops = {file.parts[0] for file in needed.files or ()} - {"..", "__pycache__"}
        for top in tops:
            if not (site / top).exists():
                (site / top).symlink_to(needed.locate_file(top))
        link_dependencies(needed, site)


def set_writable(top: Path, *, yes: bool) -> None:
    """Allow or forbid writing below a folder; links are not followed."""
    for path in [top, *top.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o200 if yes else mode & ~0o222)


def test_the_wheel_holds_the_package_and_nothing_else(installed):
    information = f"certaudit-{installed.version}.dist-info/"
    package = {name for name in installed.wheel if not name.startswith(information)}
    assert package == {name for name in installed.sources if name.startswith("certaudit/")}
    assert {
        "certaudit/py.typed",
        "certaudit/data/breast_cancer.csv",
        "certaudit/data/README.md",
    } <= package
    assert f"{information}licenses/LICENSE" in installed.wheel
    assert not {name for name in installed.wheel if name.startswith(("cli.py", "tests", "proofs"))}


def test_version(installed):
    done = run(installed.command, "--version", env={})
    assert installed.version in done.stdout


def test_the_demo_runs_where_nothing_can_be_written(installed, tmp_path):
    # Root may write into a read-only folder, but not into /proc.
    proc = Path("/proc")
    here = proc if os.geteuid() == 0 and proc.is_dir() else tmp_path
    tmp_path.chmod(0o500)
    environment = {"PATH": os.defpath, "TMPDIR": str(installed.temporary)}
    done = run(installed.command, "demo", cwd=here, env=environment)

    assert re.search(
        r"label flips +of training set +KL +tight +exact +share +under attack", done.stdout
    )
    assert "0 contradictions" in done.stdout
    (folder,) = installed.temporary.glob("certaudit-demo-*")
    assert f"this folder cannot be written to; using {folder}" in done.stderr
    written = ["breast_cancer.csv", "run/run.json", "run/certificates.jsonl"]
    for name in written:
        assert f"{folder}/{name}" in done.stderr
        assert (folder / name).stat().st_size > 0
