"""Spread independent test points over processes or threads, in order, memory bounded."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import wait
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from certaudit.errors import CertauditError

__all__ = ["one_blas_thread", "run_in_order", "run_in_threads"]

X = TypeVar("X")
Y = TypeVar("Y")
Z = TypeVar("Z")

_AHEAD = 16
"""Points in flight for each process: enough to keep it busy, few enough to bound memory."""

_BLOCKS_AHEAD = 2
"""Blocks in flight for each thread."""

_task: Callable[[Any, Any], Any]


def run_in_order(
    task: Callable[[X, Y], Z], items: Iterable[tuple[X, Y]], jobs: int
) -> Iterator[tuple[X, Y, Z]]:
    """Yield (x, y, task(x, y)) for each item, in order; with jobs > 1 in that many processes.

    `task` is sent to each process once. Processes are spawned, so a script that asks for more
    than one job needs the usual `if __name__ == "__main__"`.
    """
    if jobs == 1:
        for x, y in items:
            yield x, y, task(x, y)
        return
    pool = ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_start, initargs=(task,)
    )
    # It lets interrupts through again when it starts: before they are held back.
    resource_tracker.ensure_running()
    waiting: deque[tuple[X, Y, Future[Any]]] = deque()
    try:
        # A pool that breaks says so at either end of a task.
        for x, y in items:
            with _interrupts_held_back():
                future = pool.submit(_call, x, y)
            waiting.append((x, y, future))
            if len(waiting) >= _AHEAD * jobs:
                first, second, result = waiting.popleft()
                yield first, second, result.result()
        while waiting:
            first, second, result = waiting.popleft()
            yield first, second, result.result()
    except BrokenProcessPool:
        raise CertauditError(
            "a worker process ended before its time (killed, or out of memory; in a script of "
            'your own, is there an `if __name__ == "__main__"`?): try one job'
        ) from None
    finally:
        with _interrupts_held_back():
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold Ctrl-C back for a moment: a process that is started meanwhile never sees it.

    A terminal sends it to workers too, and one that is still importing would print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(task: Callable[[Any, Any], Any]) -> None:
    global _task  # noqa: PLW0603  (a process has one task; sending it with every item costs more)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops the pool
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _task = task


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it ended."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _call(x: object, y: object) -> object:
    return _task(x, y)


_one_at_a_time = threading.Lock()
_held: list[threadpool_limits] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread: those of its own would wait for each other, and spin meanwhile.

    The limit is the process's, so the first who asks sets it and the last who leaves lifts it.
    """
    with _one_at_a_time:
        _held.append(_held[0] if _held else threadpool_limits(1, user_api="blas"))
    try:
        yield
    finally:
        with _one_at_a_time:
            limit = _held.pop()
            if not _held:
                limit.restore_original_limits()


def run_in_threads(work: Callable[[X], Y], blocks: Iterable[X], threads: int) -> Iterator[Y]:
    """Yield work(block) for each block, in order, in so many threads."""
    if threads == 1:
        yield from map(work, blocks)
        return
    waiting: deque[Future[Y]] = deque()
    with one_blas_thread(), ThreadPoolExecutor(threads) as pool:
        try:
            for block in blocks:
                waiting.append(pool.submit(work, block))
                if len(waiting) >= _BLOCKS_AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
