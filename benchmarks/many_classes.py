"""Section 13 of `bench.py`: all test points of sets with many classes, against the bare product.

From the fitted model (its enclosed inverse included) to VoteCertificate objects: every rival of
every point, points left to balls included.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from inprocess import float_operator, short
from threadpoolctl import threadpool_limits
from whole_sets import PRODUCT_ROWS, both, command, product, row

from certaudit.certify.blocks import AlphaBlocks
from certaudit.certify.data import LabelledData
from certaudit.certify.least_squares import LeastSquares
from certaudit.certify.multiclass import certify_votes, fit_classes
from certaudit.fast.tail import summarise
from certaudit.io.datasets import KEYS, read_data_set
from certaudit.noise import LabelFlip

if TYPE_CHECKING:
    from bench import Usage

NAMES = ("mnist10", "cifar10_kmeans")
VOTE = "plurality"
THREADS = (1, 2)
ROUNDS = 2
LARGEST = 1000
"""Test points of the digits that scikit-learn ships, where the shared sets are not there."""


def many_classes(run_measured: Callable[[list[str]], Usage], q: str) -> None:
    """Certify all test points of each set, all rivals: in process and from the command line."""
    with tempfile.TemporaryDirectory() as folder:
        for name, path in _sources(Path(folder)):
            _whole_set(run_measured, name, path, q)


def _sources(folder: Path) -> list[tuple[str, Path]]:
    shared = os.environ.get("CERTAUDIT_DATA")
    found = [(name, Path(shared or "", f"{name}.npz")) for name in NAMES]
    found = [(name, path) for name, path in found if shared and path.is_file()]
    if found:
        return found
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    path = folder / "digits.npz"
    parts = (x[:LARGEST], y[:LARGEST], x[LARGEST:], y[LARGEST:])
    np.savez(path, **dict(zip(KEYS, parts, strict=True)))
    return [("digits", path)]


def _whole_set(run_measured: Callable[[list[str]], Usage], name: str, path: Path, q: str) -> None:
    raw = read_data_set(path, label_column=None)
    data = LabelledData.check(*(raw.arrays[key] for key in KEYS))
    noise, features, ridge, model = fit_classes(
        data, q=q, vote=VOTE, ridge="auto", scale="standard", intercept=True
    )
    list(model.points([0]))
    operator = float_operator(features.train, ridge.value)
    (n, k), points = features.train.shape, len(data.y_test)
    pairs = points * (data.classes - 1)
    print(f"\n{name}: n = {n}, k = {k} with the intercept, {data.classes} classes, q = {q};")
    print(f"all {points} points, {pairs} pairs, {VOTE}; {ROUNDS} rounds in turn after one to warm")
    print(f"up: median (min to max); the product in blocks of {PRODUCT_ROWS} test points\n")
    print(f"{'':<32}{'wall (ms)':<28}{'processor (ms)':<28}x the product: wall, processor")
    for threads in THREADS:
        bare, proven, reasons = [], [], Counter[str]()
        with threadpool_limits(threads, user_api="blas"):
            for _ in range(ROUNDS + 1):
                seconds, _ = both(product, features.test, operator)
                bare.append(seconds)
                seconds, found = both(
                    lambda threads=threads: list(
                        certify_votes(model, data, noise, VOTE, range(points), jobs=threads)
                    )
                )
                proven.append(seconds)
                reasons = Counter(reason for _, reason in found if reason is not None)
        print(f"{threads} thread{'s' * (threads > 1)}")
        row("  float64 X_test @ M'", bare[1:], [])
        row("  certify_votes, warm", proven[1:], bare[1:])
    taken, peak = command(run_measured, [str(path)], q)
    row("certaudit certify, from nothing", taken, [])
    print(f"memory of that: {peak:.0f} MB; left to balls: {sum(reasons.values())} of {points}")
    _by_pairs(model, data, noise)


def _by_pairs(model: LeastSquares, data: LabelledData, noise: LabelFlip) -> None:
    """Print what the pass over alpha costs beside the pairs, for few rivals and for all."""
    blocks = AlphaBlocks(model)
    indices = range(min(blocks.step, len(data.y_test)))
    passes, whole = [], []
    with threadpool_limits(1, user_api="blas"):
        for _ in range(ROUNDS):
            start = time.process_time()
            block = blocks(indices, blocks.buffer())
            summarise(block.alpha, data.y_train, noise.classes, 2048)
            passes.append(time.process_time() - start)
            start = time.process_time()
            list(certify_votes(model, data, noise, VOTE, indices))
            whole.append(time.process_time() - start)
    one, all_of_it = statistics.median(passes), statistics.median(whole)
    print(
        f"a block of {len(indices)} points, one thread: alpha and the pass over it "
        f"{1e3 * one:.0f} ms, everything\nfor {noise.classes - 1} rivals each "
        f"{1e3 * all_of_it:.0f} ms: {short(all_of_it / one)} times the pass",
        flush=True,
    )
