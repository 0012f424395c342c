"""The register of proofs: which entry stands behind which public bound, for which source.

An entry is a Markdown file here. Its head, TOML between two lines "+++", says what is claimed,
on which side the bound may err, what is assumed, how it is checked, and for which functions, with
the sha256 of the source each was written for. A public bound names its entry in the last line of
its docstring: "Proof: `proofs/NAME.md`.".

    python proofs/register.py            what is missing, stale or unchecked (exit 1 if anything)
    python proofs/register.py --affirm NAME   "I have read NAME.md against the code of today"
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent

MODULES = (
    "certaudit.exact",
    "certaudit.rigorous.balls",
    "certaudit.noise",
    "certaudit.rigorous.radius",
    "certaudit.rigorous.ratio",
    "certaudit.rigorous.threshold",
    "certaudit.rigorous.confidence",
    "certaudit.fast.confidence",
    "certaudit.fast.quantiles",
    "certaudit.fast.radius",
    "certaudit.fast.elementary",
    "certaudit.fast.flips",
    "certaudit.fast.pairs",
    "certaudit.fast.tail",
    "certaudit.auditing.product",
    "certaudit.rigorous.pairs",
    "certaudit.rigorous.flips",
    "certaudit.rigorous.tail",
    "certaudit.certify.blocks",
    "certaudit.certify.fast",
    "certaudit.certify.fast_votes",
    "certaudit.certify.attack",
    "certaudit.certify.flips",
    "certaudit.certify.multiclass",
    "certaudit.certify.run",
    "certaudit.certify.least_squares",
    "certaudit.certify.label_flip",
    "certaudit.certify.ridge",
    "certaudit.certify.search",
    "certaudit.reference.multiclass",
    "certaudit.reference.flips",
    "certaudit.reference.radius",
    "certaudit.reference.tail",
    "certaudit.reference.threshold",
    "certaudit.reference.confidence",
    "certaudit.tables",
)
"""Every public function in these, and every public method of CLASSES, needs an entry."""
CLASSES = ("LeastSquares", "Quantiles", "Threshold", "Table")

HOW = ("symbolic", "exhaustive", "machine-checked", "cited", "argument", "property")
_NAMED = re.compile(r"Proof: `proofs/([a-z0-9-]+)\.md`\.")


@dataclass(frozen=True)
class Entry:
    """One proof: the head of its file, and its text."""

    name: str
    claim: str
    side: str
    assumptions: list[str]
    checks: list[str]
    functions: dict[str, str]
    text: str


def load(path: Path) -> Entry:
    """Read an entry; raise ValueError, KeyError or TOMLDecodeError where its head is unfit."""
    _, head, text = path.read_text(encoding="utf-8").split("+++\n", 2)
    fields = tomllib.loads(head)
    entry = Entry(path.stem, text=text, **fields)
    for check in entry.checks:
        how, _, _ = check.partition(": ")
        if how not in HOW:
            raise ValueError(f"{path.name}: a check starts with one of {', '.join(HOW)}")
    return entry


def entries() -> dict[str, Entry]:
    """Return all entries by name."""
    return {path.stem: load(path) for path in sorted(FOLDER.glob("*.md")) if path.stem != "README"}


def resolve(name: str) -> Any:  # noqa: ANN401  (a function, a class or a module)
    """Return the function that "package.module:qualified.name" names, "package.module:" whole."""
    module, _, qualified = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in filter(None, qualified.split(".")):
        found = getattr(found, part)
    return found


def source_hash(name: str) -> str:
    """Return the sha256 of a function's source, as it is written, docstring and comments too."""
    return hashlib.sha256(inspect.getsource(resolve(name)).encode()).hexdigest()


def public_bounds() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the name and the function of everything public that needs an entry."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", None) != module_name:
                continue
            if inspect.isfunction(value):
                yield f"{module_name}:{name}", value
            elif name in CLASSES:
                for method, function in vars(value).items():
                    if not method.startswith("_") and inspect.isfunction(function):
                        yield f"{module_name}:{name}.{method}", function


def named_entry(function: Callable[..., Any]) -> str | None:
    """Return the entry that a docstring names, None where it names none."""
    match = _NAMED.search(function.__doc__ or "")
    return match.group(1) if match else None


def problems() -> list[str]:
    """Return what is missing, stale or unchecked, a line each."""
    found = []
    known = entries()
    for name, function in public_bounds():
        entry = named_entry(function)
        if entry is None:
            found.append(f"{name}: names no proof")
        elif entry not in known:
            found.append(f"{name}: proofs/{entry}.md does not exist")
        elif name not in known[entry].functions:
            found.append(f"{name}: not among the functions of proofs/{entry}.md")
    for entry_name, entry in known.items():
        for name, written_for in entry.functions.items():
            try:
                if source_hash(name) != written_for:
                    found.append(f"{entry_name}.md: {name} has changed since it was proven")
            except (ImportError, AttributeError, TypeError):
                found.append(f"{entry_name}.md: there is no {name}")
        found += [f"{entry_name}.md: {text}" for text in _unfit_checks(entry)]
    return found


def _unfit_checks(entry: Entry) -> Iterator[str]:
    if not entry.functions:
        yield "stands behind no function"
    if not entry.checks:
        yield "is not checked"
    for check in entry.checks:
        how, _, what = check.partition(": ")
        if how in ("cited", "argument"):
            continue
        file, _, test = what.partition("::")
        path = ROOT / file
        if not path.is_file() or test not in _functions(path):
            yield f"there is no test {what}"


def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def affirm(name: str) -> None:
    """Write today's hashes into an entry."""
    path = FOLDER / f"{name}.md"
    text = path.read_text(encoding="utf-8")
    for function in load(path).functions:
        line = re.compile(rf'^"{re.escape(function)}" = ".*"$', re.MULTILINE)
        text = line.sub(f'"{function}" = "{source_hash(function)}"', text)
    path.write_text(text, encoding="utf-8")


def main() -> int:
    """Print the state of the register, or affirm entries."""
    parser = argparse.ArgumentParser(description="The register of proofs.")
    parser.add_argument("--affirm", nargs="+", metavar="NAME", default=[])
    for name in parser.parse_args().affirm:
        affirm(name)
    found = problems()
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.stdout.write(f"{len(entries())} entries, {len(found)} problems\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
