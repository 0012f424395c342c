"""Section 12 of `bench.py`: where the time of the fast engine goes.

The engine itself is run, with a timer around each of its parts.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from inprocess import MOST_POINTS, ROUNDS, certify, fit_warm, timed

from certaudit.certify import fast, label_flip
from certaudit.certify.blocks import AlphaBlocks
from certaudit.certify.data import LabelledData
from certaudit.fast import tail

PARTS: tuple[tuple[str, Any, str], ...] = (
    ("inverse and its errors, in floats", AlphaBlocks, "__init__"),
    ("product: alpha and its errors", AlphaBlocks, "__call__"),
    ("sort into bins", fast, "summarise"),
    ("search for t", tail, "_rough"),
    ("bounds, Newton steps included", tail, "bracket"),
    ("points left to balls", label_flip, "certify_points"),
)
REST = "radii and certificates (the difference)"


def profile(name: str, data: LabelledData, q: str) -> None:
    """Print processor time a point and share of each part, one thread."""
    rate, _, _, model = fit_warm(data, q)
    points = min(MOST_POINTS, len(data.y_test))
    rounds: dict[str, list[float]] = defaultdict(list)
    alone, together = [], []
    for _ in range(ROUNDS):
        alone.append(timed(certify, model, data, rate, range(points))[0])
        spent: dict[str, float] = dict.fromkeys((part for part, _, _ in PARTS), 0.0)
        with ExitStack() as stack:
            for part, place, attribute in PARTS:
                timer = _timer(getattr(place, attribute), spent, part)
                stack.enter_context(patch.object(place, attribute, timer))
            total, _ = timed(certify, model, data, rate, range(points))
        together.append(total)
        spent[REST] = total - sum(spent.values())
        for part, seconds in spent.items():
            rounds[part].append(seconds)
    print(f"\n{name}: q = {q}, {points} test points; processor time, medians of {ROUNDS} rounds;")
    print("one job, one BLAS thread\n")
    print(f"{'':<42}microseconds/point   share")
    whole = statistics.median(together)
    for part, values in rounds.items():
        middle = statistics.median(values)
        print(f"{part:<42}{1e6 * middle / points:>18.1f}   {middle / whole:>5.1%}")
    print(f"{'all':<42}{1e6 * whole / points:>18.1f}")
    print(f"{'all, without the timers':<42}{1e6 * statistics.median(alone) / points:>18.1f}")


def _timer(function: Callable[..., Any], spent: dict[str, float], part: str) -> Callable[..., Any]:
    """Return the same function; it adds the processor seconds of its calls to its part."""

    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (passed on as they are)
        start = time.process_time()
        result = function(*args, **kwargs)
        if isinstance(result, Iterator):  # it works when it is asked
            result = list(result)
        spent[part] += time.process_time() - start
        return result

    return call
