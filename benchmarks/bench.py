"""Times and ratios of certaudit, measured side by side in one run; nothing here is a test.

    python benchmarks/bench.py [--full] [--only SECTION ...] [--plot FILE]

Data sets come from the folder $CERTAUDIT_DATA (mnist17.npz, imdb.npz, spambase_log.npz), and
the breast cancer data of the package stands in for mnist17; published logs come from the folder
$CERTAUDIT_CORPORA. This module runs the command line in processes of its own, as a user would;
the others, one a theme, call certaudit in this process. Other use of the machine shows in the load
average beside each section: --only repeats a section.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certaudit.certify.data import LabelledData

SECTIONS = {
    1: "certaudit certify, from the command line",
    2: "what a proof costs: the same points by other means",
    3: "start-up",
    4: "how the cost of a certificate and of a run grows",
    5: "the papers' setting: median KL radius",
    6: "confirmation by the reference (--full)",
    7: "tight thresholds",
    8: "Clopper-Pearson decisions",
    9: "audits",
    10: "signed records",
    11: "whole test sets against the bare product",
    12: "where the time of the fast engine goes",
    13: "many classes: whole test sets against the bare product",
    14: "exact radii: brackets and attacks",
}
NAMES = ("mnist17", "spambase_log", "imdb")
MAIN = NAMES[0]
Q = "0.1"
CERTIFY_RUNS = 3
STARTUP_RUNS = 15
SAMPLE_SECONDS = 0.05

USER_ENVIRONMENT = dict(os.environ)
"""What the command line runs with: this process limits its own BLAS threads later on."""


@dataclass(frozen=True)
class Source:
    """A data set: a file, and for CSV its label column and positive label."""

    name: str
    path: Path
    label_column: str | None = None
    positive: str | None = None

    def options(self) -> list[str]:
        """Return the DATA argument of a certaudit command, with its options."""
        given = [str(self.path)]
        if self.label_column is not None:
            given += ["--label-column", self.label_column]
        if self.positive is not None:
            given += ["--positive", self.positive]
        return given

    def load(self) -> LabelledData:
        """Return the data set, checked."""
        from certaudit.certify.data import LabelledData
        from certaudit.io.datasets import KEYS, read_data_set

        raw = read_data_set(self.path, label_column=self.label_column)
        return LabelledData.check(*(raw.arrays[key] for key in KEYS), positive=self.positive)


def find_sources() -> tuple[dict[str, Source], list[str]]:
    """Return the data sets by name, mnist17 or its stand-in first, and what is missing."""
    folder = os.environ.get("CERTAUDIT_DATA")
    found: dict[str, Source] = {}
    missing = []
    for name in NAMES:
        path = Path(folder or "", f"{name}.npz")
        if folder and path.is_file():
            found[name] = Source(name, path)
        else:
            missing.append(name)
    if MAIN not in found:
        shipped = Path(str(files("certaudit").joinpath("data", "breast_cancer.csv")))
        found = {
            "breast_cancer": Source("breast_cancer", shipped, "diagnosis", "malignant"),
            **found,
        }
    return found, missing


def machine() -> list[str]:
    """Return lines that name the machine and what runs on it."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = ("certaudit", "numpy", "python-flint", "mpmath")
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    return [
        f"{model}, {usable} cores, {platform.system()} {platform.release()}, {_load()}",
        f"Python {platform.python_version()}, {versions}",
    ]


def _load() -> str:
    """Return the load average of the last minute: whether others used the machine."""
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


@dataclass(frozen=True)
class Usage:
    """What one command used: seconds of wall and processor time, megabytes (0: unknown)."""

    wall: float
    processor: float
    largest_process: float
    tree: float
    code: int


def run_measured(command: list[str]) -> Usage:
    """Run a command to its end, sampling the memory of its process tree from /proc."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=USER_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak, done = [0.0], threading.Event()

    def sample() -> None:
        while not done.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], _tree_megabytes(process.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        # wait4 counts this command and its descendants only; RUSAGE_CHILDREN would be the largest
        # of every command so far.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    finally:
        done.set()
        sampler.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1e6 if sys.platform == "darwin" else 1e6 / 1024
    return Usage(
        wall,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / unit,
        peak[0],
        process.returncode,
    )


def _tree_megabytes(root: int) -> float:
    """Return the sum of the resident memory of a process and its descendants, 0 if unknown."""
    total, waiting = 0, [root]
    while waiting:
        process = Path("/proc", str(waiting.pop()))
        try:
            total += int((process / "statm").read_text(encoding="ascii").split()[1])
            for children in process.glob("task/*/children"):
                waiting += map(int, children.read_text(encoding="ascii").split())
        except (OSError, IndexError, ValueError):
            continue  # it ended meanwhile
    return total * os.sysconf("SC_PAGE_SIZE") / 1e6


def command_line(sources: dict[str, Source], *, full: bool) -> None:
    """Section 1: whole runs of `certaudit certify`."""
    from certaudit.cli.options import available_cores

    print(f"q = {Q}, otherwise the defaults ({available_cores()} processes where it pays):")
    print("wall: every run; CPU and ms/point: the fastest run, start-up and fit included;")
    print("memory in MB, the most of all runs. process: largest process (ru_maxrss: a")
    print("maximum over processes, not a sum); tree: sum of RSS over the process tree,")
    print(
        f"sampled every {SAMPLE_SECONDS} s from /proc (pages that processes share count in each)\n"
    )
    print("                points           wall (s)  CPU (s)  ms/point  process     tree")
    for source in sources.values():
        _certify_rows(source, 2000 if source.name == "imdb" and not full else None)


def _certify_rows(source: Source, limit: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "certaudit", "certify", *source.options()]
        command += ["--q", Q, "-o", str(Path(folder, "run"))]
        if limit is not None:
            command += ["--limit", str(limit)]
        runs = [run_measured(command) for _ in range(CERTIFY_RUNS)]
        failed = [run.code for run in runs if run.code]
        if failed:
            print(f"{source.name}: certaudit certify failed with exit code {failed[0]}")
            return
        with Path(folder, "run", "certificates.jsonl").open(encoding="utf-8") as lines:
            points = sum(1 for _ in lines)
    fastest = min(runs, key=lambda run: run.wall)
    walls = " ".join(f"{run.wall:.3g}" for run in runs)
    tree = max(run.tree for run in runs)
    print(
        f"{source.name:<15} {points:>6}  {walls:>17}  {fastest.processor:>7.2f}"
        f"  {1e3 * fastest.wall / points:>8.2f}  {max(run.largest_process for run in runs):>7.0f}"
        f"  {format(tree, '.0f') if tree else 'unknown':>7}",
        flush=True,
    )


def start_up() -> None:
    """Section 3: how long a command takes before it does anything."""
    script = shutil.which("certaudit", path=str(Path(sys.executable).parent))
    launcher = [script] if script else [sys.executable, "-m", "certaudit"]
    commands = {
        "certaudit --help": [*launcher, "--help"],
        "python -c 'import certaudit'": [sys.executable, "-c", "import certaudit"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(STARTUP_RUNS + 1):
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(command, env=USER_ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
            seconds[name].append(time.perf_counter() - begin)
    print(f"{STARTUP_RUNS} runs of each in turn, after one to warm up (ms)\n")
    print("                                median       min       max")
    for name, values in seconds.items():
        warm = [1e3 * value for value in values[1:]]
        print(f"{name:<29} {statistics.median(warm):>8.1f}  {min(warm):>8.1f}  {max(warm):>8.1f}")
    extra = statistics.median(seconds["python -c 'import certaudit'"][1:])
    extra -= statistics.median(seconds["python -c pass"][1:])
    print(f"\nimport certaudit alone (difference of the medians): {1e3 * extra:.1f} ms", flush=True)


def main() -> None:
    """Print the machine, then the sections asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="all data sets, and section 6")
    parser.add_argument(
        "--only", type=int, nargs="+", choices=list(SECTIONS), help="sections to run"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="plot section 4: .svg or .png")
    arguments = parser.parse_args()
    full: bool = arguments.full
    chosen = arguments.only or [number for number in SECTIONS if full or number != 6]
    begin = time.perf_counter()
    print("\n".join(machine()))
    sources, missing = find_sources()
    if missing:
        place = os.environ.get("CERTAUDIT_DATA")
        print(f"not there: {', '.join(missing)} (CERTAUDIT_DATA is {place or 'not set'})")

    # Before NumPy is loaded here, the engines get one thread each.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["VECLIB_MAXIMUM_THREADS"] = "1"

    for number in chosen:
        print(f"\n{number}. {SECTIONS[number]}", flush=True)
        started = time.perf_counter()
        _section(number, sources, full=full, plot=arguments.plot)
        print(f"[{time.perf_counter() - started:.0f} s, {_load()}]", flush=True)
    print(f"\nall sections: {time.perf_counter() - begin:.0f} s")


def _section(number: int, sources: dict[str, Source], *, full: bool, plot: Path | None) -> None:
    if number == 1:
        command_line(sources, full=full)
    elif number == 3:
        start_up()
    elif number == 4:
        import growth

        growth.growth(Q, full=full, plot=plot)
    elif number == 7:
        import tight

        tight.thresholds()
    elif number == 8:
        import votes

        votes.votes()
    elif number == 9:
        import audits

        audits.audits(run_measured, full=full)
    elif number == 13:
        import many_classes

        many_classes.many_classes(run_measured, Q)
    elif number == 10:
        import records

        records.records(run_measured, sources, full=full)
    elif number == 14:
        import exact_radii

        exact_radii.exact_radii(run_measured, next(iter(sources.values())), Q)
    else:
        _engines(number, sources, full=full)


def _engines(number: int, sources: dict[str, Source], *, full: bool) -> None:
    """Run a section that needs the data sets in this process."""
    import inprocess

    chosen = list(sources.values()) if full else [next(iter(sources.values()))]
    if number == 2:
        for source in chosen:
            inprocess.side_by_side(source.name, source.load(), Q)
    elif number == 11:
        import whole_sets

        for source in chosen:
            whole_sets.whole_set(run_measured, source, Q)
    elif number == 12:
        import profile_fast

        for source in chosen:
            profile_fast.profile(source.name, source.load(), Q)
    elif number == 5 and MAIN in sources:
        inprocess.papers_setting(sources[MAIN].load())
    elif number == 5:
        print(f"skipped: {MAIN} is not there")
    else:
        inprocess.confirmation_header(Q)
        for source in sources.values():
            inprocess.confirm(source.name, source.load(), Q)


if __name__ == "__main__":
    main()
