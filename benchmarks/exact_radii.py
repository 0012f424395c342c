"""Section 14 of `bench.py`: brackets of exact radii, how narrow they are and what they cost.

The command line for a whole test set; a sample in this process, one thread, by engine; and the
flips of `attack`, each replayed by the rigorous engine.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inprocess import sample, short
from threadpoolctl import threadpool_limits

from certaudit.certify.attack import attack_label_flip
from certaudit.certify.label_flip import certify_model, fit
from certaudit.rigorous.flips import vote_winner

if TYPE_CHECKING:
    from bench import Source, Usage

    from certaudit.certify.data import LabelledData

SAMPLE = 200
RIGOROUS = 5
ATTACKS = 100


def exact_radii(run_measured: Callable[[list[str]], Usage], source: Source, q: str) -> None:
    """Bracket all test points of a set, a sample of them, and replay attacks."""
    print(f"\n{source.name}, q = {q}\n")
    _command_line(run_measured, source, q)
    data = source.load()
    with threadpool_limits(1, user_api="blas"):
        _engines(data, q)
        _attacks(data, q)


def _command_line(run_measured: Callable[[list[str]], Usage], source: Source, q: str) -> None:
    """Certify with every guarantee and with the cheapest one: what the brackets cost besides."""
    walls = {}
    with tempfile.TemporaryDirectory() as folder:
        for guarantee in ("kl", "all"):
            run = Path(folder, guarantee)
            command = [sys.executable, "-m", "certaudit", "certify", *source.options()]
            used = run_measured([*command, "--q", q, "--guarantee", guarantee, "-o", str(run)])
            if used.code:
                raise RuntimeError(f"certify --guarantee {guarantee} ended with {used.code}")
            walls[guarantee] = used
        lines = Path(folder, "all", "certificates.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    summary = _widths(
        [(r["radius"]["exact"]["proved"], r["radius"]["exact"]["refuted_at"]) for r in found]
    )
    used, plain = walls["all"], walls["kl"]
    print(
        f"certify --guarantee all, {len(found)} points: {used.wall:.1f} s wall, "
        f"{used.processor:.1f} s processor, {used.tree:.0f} MB"
    )
    print(f"certify --guarantee kl: {plain.wall:.1f} s wall, {plain.processor:.1f} s processor")
    print(f"widths of the brackets: {summary}")
    right = [r["radius"] for r in found if r["prediction"] == r["label"] and r["radius"]["kl"]]
    ratio = statistics.median(r["exact"]["proved"] / r["kl"] for r in right)
    medians = [
        statistics.median(r["kl"] for r in right),
        statistics.median(r["tight"] for r in right),
    ]
    exact = statistics.median(r["exact"]["proved"] for r in right)
    print(
        f"points right, of KL radius > 0: {len(right)}; median radius KL {medians[0]:g}, tight "
        f"{medians[1]:g}, exact {exact:g};\nmedian ratio exact / KL: {ratio:.3g}"
    )


def _widths(brackets: list[tuple[int, int | None]]) -> str:
    """Return how many brackets have which width; 1 is a radius that is known."""
    widths = Counter("none refuted" if high is None else high - low for low, high in brackets)
    return ", ".join(f"{width}: {count}" for width, count in sorted(widths.items(), key=str))


def _engines(data: LabelledData, q: str) -> None:
    rate, _, _, model = fit(data, q=q, ridge="auto", scale="standard", intercept=True)
    total = len(data.y_test)
    warm: dict[str, Any] = {"guarantees": ("kl", "exact")}
    list(certify_model(model, data, rate, [0], **warm))
    costs = {}
    for engine, count in (("fast", SAMPLE), ("rigorous", RIGOROUS)):
        places = sample(total, min(count, total))
        start = time.perf_counter()
        found = [c for c, _ in certify_model(model, data, rate, places, engine=engine, **warm)]
        costs[engine] = (time.perf_counter() - start) / len(places)
        brackets = [(c.exact.proved, c.exact.refuted_at) for c in found if c.exact is not None]
        closed = sum(high == low + 1 for low, high in brackets)
        print(
            f"{engine} engine, one thread, {len(places)} points: {1e3 * costs[engine]:.1f} ms a "
            f"point; closed {closed} ({100 * closed / len(places):.1f} %)"
        )
    print(f"rigorous / fast: {short(costs['rigorous'] / costs['fast'])}")


def _attacks(data: LabelledData, q: str) -> None:
    """Replay flips of `attack`: the rigorous engine is to find that the vote changes each time."""
    rate, _, _, model = fit(data, q=q, ridge="auto", scale="standard", intercept=True)
    places = sample(len(data.y_test), min(ATTACKS, len(data.y_test)))
    changed = none = 0
    start = time.perf_counter()
    for place in places:
        found = attack_label_flip(data, place, q=q)
        if found.bracket.refuted_at is None:
            none += 1
            continue
        labels = data.y_train.copy()
        labels[list(found.flips)] = 1 - labels[list(found.flips)]
        point = next(iter(model.points([place])))
        if point.alpha_error is None:
            raise RuntimeError(f"test point {place}: no error of alpha")
        winner, _ = vote_winner(point.alpha, labels, rate, alpha_error=point.alpha_error)
        changed += winner == 1 - found.bracket.prediction
    spent = (time.perf_counter() - start) / len(places)
    print(
        f"attack on {len(places)} random points: {len(places) - none} counterexamples, replayed in "
        f"balls the vote changes in {changed}; {spent:.1f} s each"
    )
