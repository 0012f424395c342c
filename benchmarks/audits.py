"""Section 9 of `bench.py`: `certaudit audit` from the command line, and what one decision costs."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta, norm

from certaudit.fast.quantiles import Quantiles

if TYPE_CHECKING:
    from bench import Usage

COMMAND = [sys.executable, "-m", "certaudit", "audit"]


def audits(run: Callable[[list[str]], Usage], *, full: bool) -> None:
    """Print times and memory of audits; `--full` adds ten million rows."""
    print("                                        rows   wall s   processor s   peak MB")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        claims = label_flips(folder, 10**6)
        row("label flips, CSV: radius, log_error", 10**6, run([*COMMAND, str(claims)]))
        log = gaussian_log(folder, 10**6)
        row("Cohen-style log, sigma in its name", 10**6, run([*COMMAND, str(log)]))
        if full:
            log = gaussian_log(folder, 10**7)
            row("Cohen-style log, sigma in its name", 10**7, run([*COMMAND, str(log)]))
    corpora = os.environ.get("CERTAUDIT_CORPORA")
    if corpora:
        stated = ["--samples", "100000", "--failure-prob", "0.001"]
        row("published logs, nothing stated", None, run([*COMMAND, corpora]))
        row("published logs, N and a stated", None, run([*COMMAND, corpora, *stated]))
    else:
        print("published logs: skipped, CERTAUDIT_CORPORA is not set")
    one_count()


def row(what: str, rows: int | None, usage: Usage) -> None:
    """Print a line of the table."""
    number = "" if rows is None else f"{rows:,}"
    ended = "" if usage.code in (0, 1, 3) else f"   exit {usage.code}"
    print(
        f"{what:<34} {number:>10} {usage.wall:>8.1f} {usage.processor:>13.1f} "
        f"{usage.largest_process:>9.0f}{ended}",
        flush=True,
    )


def label_flips(folder: Path, rows: int) -> Path:
    """Write claims of the two-label problem at q = 0.1, one in a hundred too large."""
    random = np.random.default_rng(1)
    log_error = -random.exponential(60, rows) - 0.7
    radius = np.floor(-log_error / 2.2 * random.uniform(0.3, 1.05, rows)).astype(np.int64)
    prediction = random.integers(0, 2, rows)
    label = np.where(random.random(rows) < 0.9, prediction, 1 - prediction)
    path = folder / "claims.csv"
    columns = zip(
        label.tolist(), prediction.tolist(), radius.tolist(), log_error.tolist(), strict=True
    )
    with path.open("w", encoding="ascii") as file:
        file.write("index,label,prediction,radius,log_error\n")
        file.writelines(f"{n},{a},{b},{r},{x!r}\n" for n, (a, b, r, x) in enumerate(columns))
    model = {"name": "label-flip", "q": "1/10", "classes": 2}
    manifest = {"certaudit-claims": 1, "noise_model": model, "guarantee": "tight"}
    path.with_name("claims.csv.manifest.json").write_text(json.dumps(manifest), encoding="ascii")
    return path


def gaussian_log(folder: Path, rows: int) -> Path:
    """Write a log as Cohen's code does: sigma 1/4, N = 100000, a = 0.001, four decimals."""
    random, samples = np.random.default_rng(2), 100_000
    counts = np.arange(samples + 1)
    bounds = beta.ppf(0.001, np.maximum(counts, 1), samples - counts + 1.0)
    bounds[-1] = 0.001 ** (1 / samples)
    radii = norm.ppf(bounds) / 4
    path = folder / f"sigma_0.25_{rows}"
    with path.open("w", encoding="ascii") as file:
        file.write("idx\tlabel\tpredict\tradius\tcorrect\ttime\n")
        for start in range(0, rows, 10**5):
            part = min(10**5, rows - start)
            share = random.beta(4, 1, part) * 0.6 + 0.4
            share[random.random(part) < 0.2] = 1
            votes = random.binomial(samples, share)
            label, guess = random.integers(0, 10, (2, part))
            guess = np.where(random.random(part) < 0.8, label, guess)
            for n in range(part):
                a, b, radius = label[n], guess[n], radii[votes[n]]
                if bounds[votes[n]] <= 0.5:
                    b, radius = -1, 0.0
                file.write(f"{start + n}\t{a}\t{b}\t{radius:.4f}\t{int(a == b)}\t0:00:14.1\n")
    return path


def one_count() -> None:
    """Print what an enclosure of a count's radius costs, next to scipy's float."""
    print("\nmicroseconds to enclose what one count proves (1,000 counts, a = 0.001)\n")
    print("              enclosed   scipy (float)")
    for samples in (10**3, 10**5, 10**7):
        counts = np.unique(np.linspace(samples // 2, samples, 1_000).astype(np.int64))
        begin = time.process_time()
        found = Quantiles(samples, Fraction(1, 1000))
        found.prepare(counts)
        for count in counts.tolist():
            found.radius(count)
        ours = time.process_time() - begin
        begin = time.process_time()
        for count in counts.tolist():
            norm.ppf(beta.ppf(0.001, count, samples - count + 1))
        theirs = time.process_time() - begin
        each = 1e6 / len(counts)
        print(f"N = 10^{len(str(samples)) - 1:<6} {ours * each:>9.0f} {theirs * each:>15.0f}")
