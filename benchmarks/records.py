"""Section 10 of `bench.py`: signing and verifying, in process and from the command line."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certaudit.cli.certify import certify_to_folder
from certaudit.records.bundle import sign
from certaudit.records.evidence import read_evidence
from certaudit.records.from_run import read_run
from certaudit.records.keys import generate, public_path, save

if TYPE_CHECKING:
    from bench import Source, Usage

COMMAND = [sys.executable, "-m", "certaudit"]
RECORDS = 10**5
ROUNDS = 5
FURTHER = 10


def records(run: Callable[[list[str]], Usage], sources: dict[str, Source], *, full: bool) -> None:
    """Print what signing and verifying cost; `--full` takes each data set, not the first only."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = folder / "key.pem"
        save(generate("ecdsa-p256"), key, None)
        many = enlarged(folder)
        in_process(many)
        row("certaudit sign", run([*COMMAND, "sign", str(many), "--key", str(key)]))
        public = ["--key", str(public_path(key))]
        row("certaudit verify", run([*COMMAND, "verify", str(many), *public]))
        row("checker.py", run([*checker(), str(many), *public]))
        for source in sources.values() if full else list(sources.values())[:1]:
            further(folder, source, key, run)


def checker() -> list[str]:
    """Return the command of the checker that stands alone."""
    return [sys.executable, "-I", "-S", str(files("certaudit").joinpath("checker.py"))]


def in_process(folder: Path) -> None:
    """Print the medians of signing and of verifying signature, form and root."""
    contents = [(folder / name).read_bytes() for name in ("run.json", "certificates.jsonl")]
    print(f"{RECORDS:,} records of the breast cancer data's run, repeated; medians of {ROUNDS}:")
    for algorithm in ("ecdsa-p256", "ed25519"):
        key = generate(algorithm)
        signing, verifying = [], []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            unsigned = read_run(*contents, run_name="run", certificates_name="certificates")
            bundle = sign(unsigned.payload({}), key)
            signed = time.perf_counter()
            read_evidence(bundle, unsigned.lines, key.public)
            verifying.append(time.perf_counter() - signed)
            signing.append(signed - begin)
        print(
            f"  {algorithm:<11} read, encoded, hashed, signed: {statistics.median(signing):.2f} s;"
            f" signature, canonical form and root verified: {statistics.median(verifying):.2f} s",
            flush=True,
        )
    print("from the command line, without the data:           wall s   processor s   peak MB")


def row(what: str, usage: Usage) -> None:
    """Print a line of the table."""
    ended = f"   exit {usage.code}" if usage.code else ""
    print(
        f"  {what:<48} {usage.wall:>6.1f} {usage.processor:>13.1f} "
        f"{usage.tree:>9.0f}{ended}",  # sampled: ru_maxrss starts at what this process has
        flush=True,
    )


def further(folder: Path, source: Source, key: Path, run: Callable[[list[str]], Usage]) -> None:
    """Print what the checker takes, with the data, for one record and for each further one."""
    place = folder / source.name
    csv = source.options()[1:]
    named = {csv[i].lstrip("-").replace("-", "_"): csv[i + 1] for i in range(0, len(csv), 2)}
    limit = FURTHER + 1
    certify_to_folder(source.path, place, q="0.1", guarantee="all", limit=limit, **named)
    run([*COMMAND, "sign", str(place), "--key", str(key)])
    command = [*checker(), str(place), "--key", str(public_path(key)), "--data", str(source.path)]
    usages = [run([*command, "--sample", str(n), "--seed", "x"]) for n in (1, limit)]
    if any(usage.code for usage in usages):
        print(f"{source.name}: the checker ended with {[usage.code for usage in usages]}")
        return
    each = (usages[1].wall - usages[0].wall) / FURTHER
    print(
        f"  checker.py with {source.name}: first record {usages[0].wall:.2f} s, each further one "
        f"{each:.2f} s, {usages[1].tree:.0f} MB",
        flush=True,
    )


def enlarged(folder: Path) -> Path:
    """Write a run with RECORDS certificates: those of the breast cancer data, over and over."""
    small, large = folder / "small", folder / "large"
    data = Path(str(files("certaudit").joinpath("data", "breast_cancer.csv")))
    certify_to_folder(
        data, small, q="0.1", label_column="diagnosis", positive="malignant", guarantee="all"
    )
    lines = (small / "certificates.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    repeated = [{**found[i % len(found)], "index": i} for i in range(RECORDS)]
    run = json.loads((small / "run.json").read_text())
    run["test_points"] = run["certified_points"] = RECORDS
    for name in ("X_test", "y_test"):
        run["data"][name]["shape"][0] = RECORDS
    figures(run, repeated)
    large.mkdir()
    (large / "run.json").write_text(json.dumps(run, indent=1) + "\n")
    (large / "certificates.jsonl").write_text("".join(json.dumps(line) + "\n" for line in repeated))
    return large


def figures(run: dict[str, Any], found: list[dict[str, Any]]) -> None:
    """Set the accuracies to those of the certificates."""

    def share(hits: int) -> float:
        return (hits * 10**6 // RECORDS) / 10**6

    right = [line for line in found if line["prediction"] == line["label"]]
    proven = [line for line in right if line["decided"]]
    ones = sum(line["label"] for line in found)
    run["accuracy"] |= {"clean": share(len(right)), "decided": share(len(proven))}
    run["accuracy"] |= {"constant_0": share(RECORDS - ones), "constant_1": share(ones)}
    for name, curve in run["certified_accuracy"].items():
        radii = [line["radius"][name] for line in proven]
        counts = [sum(radius >= r for radius in radii) for r in range(max(radii) + 1)]
        curve |= {"correct": counts, "of": RECORDS, "accuracy": [share(c) for c in counts]}
