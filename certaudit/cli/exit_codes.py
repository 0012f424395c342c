"""Exit codes, and which one wins when several apply."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

__all__ = ["Exit", "worst"]


class Exit(IntEnum):
    """What the exit code of a command says."""

    CONFIRMED = 0
    REFUTED = 1
    """Something was refuted or unsupported; engines contradict each other."""
    USAGE = 2
    """Usage, or input that cannot be read."""
    INCONCLUSIVE = 3
    UNVERIFIED = 4
    """A signature or Merkle check failed, or no key was given to check against."""
    NOTHING = 5
    """Nothing was decided."""
    INTERNAL = 70
    INTERRUPTED = 130


_PRECEDENCE = (
    Exit.INTERRUPTED,
    Exit.INTERNAL,
    Exit.UNVERIFIED,
    Exit.USAGE,
    Exit.REFUTED,
    Exit.INCONCLUSIVE,
    Exit.NOTHING,
    Exit.CONFIRMED,
)


def worst(codes: Iterable[Exit]) -> Exit:
    """Return the code that wins: 130, then 70 > 4 > 2 > 1 > 3 > 5 > 0; of nothing, 5."""
    return min(codes, key=_PRECEDENCE.index, default=Exit.NOTHING)
