"""Section 7 of `bench.py`: tight thresholds, against plain floats and the reference, in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from scipy.stats import binom

from certaudit.noise import LabelFlip, ProductNoise, discrete, label_flip, sparse
from certaudit.reference import threshold as reference
from certaudit.rigorous import threshold as rigorous
from certaudit.tables import build_rows

ROUNDS = 3
PUBLISHED = (
    *((alpha, 2, 20) for alpha in ("0.72", "0.76", "0.8", "0.84", "0.88", "0.92")),
    ("0.96", 2, 15),
    *zip(("0.1", "0.2", "0.3", "0.4", "0.5"), (256,) * 5, (7, 9, 6, 5, 4), strict=True),
)
"""alpha, values and last radius of the tables that Lee et al. publish."""


def seconds(task: Callable[[], object]) -> float:
    """Return the median processor time of a task, the caches of thresholds emptied before."""
    found = []
    for _ in range(ROUNDS):
        rigorous._cached_error.cache_clear()  # noqa: SLF001
        start = time.process_time()
        task()
        found.append(time.process_time() - start)
    return statistics.median(found)


def walk(noise: ProductNoise, last: int) -> Callable[[], object]:
    """Return a task: the enclosures of radius 0 to `last`."""
    return lambda: [None for _ in rigorous.thresholds(noise, 0, last + 1)]


def rows(noise: ProductNoise, last: int) -> Callable[[], object]:
    """Return a task: the rows of a table, all columns rounded."""
    return lambda: [None for _ in build_rows(noise, last)]


def in_floats(noise: LabelFlip, last: int) -> list[float]:
    """Return F^-1(r) as scipy's binomials give it, for two labels: one vectorised pass."""
    import numpy as np

    r = np.arange(last + 1)
    q = float(noise.q)
    m = binom.ppf(0.5, r, 1 - q)
    part = (0.5 - binom.cdf(m - 1, r, 1 - q)) / binom.pmf(m, r, 1 - q)
    return list(binom.cdf(m - 1, r, q) + part * binom.pmf(m, r, q))


def thresholds() -> None:
    """Print times of tables, of single thresholds, and ratios to floats and to the reference."""
    flips, ten = label_flip("0.1"), label_flip("0.1", 10)
    print("processor time, the median of 3 runs, nothing cached\n")
    print("                                                       enclosures   rows of a table")
    for name, noise, last in (
        ("two labels, q = 0.1, r <= 60,000", flips, 60_000),
        ("two labels, q = 0.49, r <= 1,000", label_flip("0.49"), 1_000),
        ("10 classes, q = 0.1, r <= 2,000", ten, 2_000),
    ):
        both = seconds(walk(noise, last)), seconds(rows(noise, last))
        print(f"{name:<52} {both[0]:>10.2f} s {both[1]:>14.2f} s", flush=True)

    def published() -> None:
        for alpha, values, last in PUBLISHED:
            list(build_rows(discrete(alpha, values), last))

    print(f"{'the 12 published tables (190 lines)':<52} {'':>12} {seconds(published):>14.3f} s\n")
    print("a single threshold of r = 1,000,000 (ms):")
    for q in ("1e-12", "0.1", "0.49", "0.499999"):
        times = [
            1e3 * seconds(lambda q=q, k=k: rigorous.threshold(label_flip(q, k), 1_000_000))
            for k in (2, 10)
        ]
        print(f"  q = {q:<9} two labels {times[0]:>8.2f}, 10 classes {times[1]:>8.2f}", flush=True)

    noise = sparse("0.01", "0.6")
    pairs = ", ".join(
        f"({added}, {deleted}) "
        f"{1e3 * seconds(lambda a=added, d=deleted: rigorous.sparse_threshold(noise, a, d)):.2f}"
        for added, deleted in ((400, 0), (200, 200), (0, 400))
    )
    print(f"sparse noise (0.01, 0.6), exact thresholds of pairs (ms): {pairs}")

    print("\nside by side, q = 0.1 (ratios of the enclosures):")
    last = 5_000
    proven, floats = seconds(walk(flips, last)), seconds(lambda: in_floats(flips, last))
    wrong = sum(p >= 1 for p in in_floats(flips, last))
    print(f"  r <= {last:,}: {proven / floats:.2f} times scipy's floats, of which {wrong} are 1.0")
    for noise, r in ((flips, 400), (ten, 100)):

        def enumerate_regions(noise: LabelFlip = noise, r: int = r) -> object:
            regions = reference.ratio_regions(1 - noise.q, noise.classes, r)
            return reference.threshold(regions)

        def enclose(noise: LabelFlip = noise, r: int = r) -> object:
            return rigorous.threshold(noise, r)

        ratio = seconds(enumerate_regions) / seconds(enclose)
        exact = seconds(lambda noise=noise, r=r: rigorous.exact_threshold(noise, r))
        print(
            f"  {noise.classes} classes, r = {r}: the reference takes {ratio:,.0f} times as long "
            f"as the enclosure, {seconds(enumerate_regions) / exact:,.0f} times as the rational"
        )
