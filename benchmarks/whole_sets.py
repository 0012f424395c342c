"""Section 11 of `bench.py`: all test points certified, against the product that gives their alphas.

From the fitted model (its enclosed inverse included) to Certificate objects, points left to balls
included. Nothing is kept between calls: each makes its tables of radii and its blocks again.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numpy as np
from inprocess import Floats, certify, fit_warm, float_operator, short, timed
from threadpoolctl import threadpool_limits

from certaudit.certify.data import LabelledData
from certaudit.certify.fast import screen
from certaudit.certify.label_flip import certify_model
from certaudit.certify.least_squares import LeastSquares
from certaudit.certify.run import REASONS

if TYPE_CHECKING:
    from bench import Source, Usage

P = ParamSpec("P")
T = TypeVar("T")

ROUNDS = 7
THREADS = (1, 2)
COLD_RUNS = 3
NOISE = ("0.4", "0.1", "0.01", "1e-4", "1e-8")
NOISE_ROUNDS = 3
WIDTH = 28
PRODUCT_BYTES, PRODUCT_ROWS = 2e9, 2048


def whole_set(run_measured: Callable[[list[str]], Usage], source: Source, q: str) -> None:
    """Certify all test points of a data set: warm, cold, and for several q."""
    data = source.load()
    rate, features, ridge, model = fit_warm(data, q)
    operator = float_operator(features.train, ridge)
    (n, k), points = features.train.shape, len(data.y_test)
    print(f"\n{source.name}: n = {n}, k = {k} with the intercept, q = {q}; all {points} points;")
    print(f"{ROUNDS} rounds in turn after one to warm up: median (min to max)")
    if len(features.test) * n * 8 > PRODUCT_BYTES:
        print(f"the product in blocks of {PRODUCT_ROWS:,} test points: whole it exceeds 2 GB")
    print(
        f"\n{'':<32}{'wall (ms)':<{WIDTH}}{'processor (ms)':<{WIDTH}}x the product: wall, processor"
    )
    for threads in THREADS:
        bare, proven, reasons = _warm(model, data, rate, features.test, operator, threads)
        print(f"{threads} thread{'s' * (threads > 1)}")
        row("  float64 X_test @ M'", bare, [])
        row("  certify_model, warm", proven, bare)
        row("  certify_model, first call", _cold(source, q, threads), [])
    row("certaudit certify, from nothing", command(run_measured, source.options(), q)[0], [])
    print(f"first call: in a new process, from the fitted model; {COLD_RUNS} processes. From")
    print(f"nothing: start, file, fit and output included, default --jobs; {COLD_RUNS} runs")
    print(f"left to balls: {sum(reasons.values())} of {points} ({_named(reasons)})\n")
    _by_noise(data)


def _clock() -> tuple[float, float]:
    """Return wall time, and processor time of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used)


def both(task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[tuple[float, float], T]:
    """Return the wall and processor seconds that a call took, and its result."""
    before = _clock()
    result = task(*args, **kwargs)
    after = _clock()
    return (after[0] - before[0], after[1] - before[1]), result


def product(test: Floats, operator: Floats) -> None:
    """Compute all alphas in float64, into memory that is allocated for them."""
    whole = len(test) * operator.shape[1] * 8 <= PRODUCT_BYTES
    step = len(test) if whole else PRODUCT_ROWS
    for start in range(0, len(test), step):
        test[start : start + step] @ operator


def _warm(
    model: LeastSquares,
    data: LabelledData,
    rate: Fraction,
    test: Floats,
    operator: Floats,
    threads: int,
) -> tuple[list[tuple[float, float]], list[tuple[float, float]], Counter[str]]:
    """Return wall and processor time of the product and of certifying, and who went to balls."""
    indices = range(len(data.y_test))
    bare, proven, found = [], [], []
    with threadpool_limits(threads, user_api="blas"):
        for _ in range(ROUNDS + 1):
            seconds, _ = both(product, test, operator)
            bare.append(seconds)
            seconds, found = both(
                lambda: list(certify_model(model, data, rate, indices, jobs=threads))
            )
            proven.append(seconds)
    return bare[1:], proven[1:], Counter(reason for _, reason in found if reason is not None)


def _first_call(source: Source, q: str, threads: int) -> tuple[float, float]:
    """Return wall and processor time of a process's first call."""
    data = source.load()
    rate, _, _, model = fit_warm(data, q)
    indices = range(len(data.y_test))
    return both(lambda: list(certify_model(model, data, rate, indices, jobs=threads)))[0]


def _cold(source: Source, q: str, threads: int) -> list[tuple[float, float]]:
    found = []
    for _ in range(COLD_RUNS):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found.append(pool.submit(_first_call, source, q, threads).result())
    return found


def command(
    run_measured: Callable[[list[str]], Usage], options: list[str], q: str
) -> tuple[list[tuple[float, float]], float]:
    """Return wall and processor time of `certaudit certify`, a few times, and the most memory."""
    found, most = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "certaudit", "certify", *options]
        line += ["--q", q, "-o", str(Path(folder, "run"))]
        for _ in range(COLD_RUNS):
            usage = run_measured(line)
            if usage.code:
                raise SystemExit(f"certaudit certify failed with exit code {usage.code}")
            found.append((usage.wall, usage.processor))
            most = max(most, usage.tree)
    return found, most


def row(name: str, taken: list[tuple[float, float]], bare: list[tuple[float, float]]) -> None:
    """Print the times, and the ratios of the rounds to those of the product."""
    cells = [_spread([1e3 * value for value in values]) for values in zip(*taken, strict=True)]
    ratios = [
        [a / b for a, b in zip(*pair, strict=True)] for pair in zip(taken, bare, strict=False)
    ]
    cells += [_spread(list(values)) for values in zip(*ratios, strict=True)]
    print(f"{name:<32}" + "".join(f"{cell:<{WIDTH}}" for cell in cells).rstrip(), flush=True)


def _spread(values: list[float]) -> str:
    return f"{short(statistics.median(values))} ({short(min(values))} to {short(max(values))})"


def _named(reasons: Counter[str]) -> str:
    return ", ".join(f"{name} {reasons[name]}" for name in REASONS)


def _by_noise(data: LabelledData) -> None:
    """Print what a point costs and how wide its bounds are, by noise."""
    points = len(data.y_test)
    print(f"one thread, processor time, medians of {NOISE_ROUNDS} rounds in turn; width: upper")
    print("bound minus lower bound of ln B(t), in nats, points left to balls included\n")
    print("      q   ms/point   to balls     rate   width: median   largest")
    fits = [fit_warm(data, q) for q in NOISE]
    seconds: list[list[float]] = [[] for _ in fits]
    for _ in range(NOISE_ROUNDS):
        for (rate, _, _, model), taken in zip(fits, seconds, strict=True):
            taken.append(timed(certify, model, data, rate, range(points))[0])
    for q, (rate, _, _, model), taken in zip(NOISE, fits, seconds, strict=True):
        found = list(screen(model, data.y_train, rate, range(points), ("kl",)))
        reasons = Counter(one.reason for one in found if one.reason is not None)
        widths = np.array([one.upper - one.lower for one in found if not one.constant])
        widths = widths[np.isfinite(widths)]
        middle, largest = (np.median(widths), widths.max()) if len(widths) else (0.0, 0.0)
        count = sum(reasons.values())
        print(
            f"{q:>7}   {1e3 * statistics.median(taken) / points:>8.3f}   {count:>8}"
            f"   {count / points:>6.2%}   {middle:>13.1e}   {largest:>7.1e}"
            + (f"   ({_named(reasons)})" if count else ""),
            flush=True,
        )
