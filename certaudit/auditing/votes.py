"""Counts as evidence: what the columns with votes say together, and where they cannot be true."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from certaudit.auditing.rows import abstains
from certaudit.claims import Chunk, Source

__all__ = ["Votes", "class_counts", "read_votes", "same_samples"]

_WHOLE = re.compile(r"([+-]?)([0-9]{1,18})(?:\.0*)?")
_DIGITS = frozenset("0123456789")
_COLUMNS = ("count", "samples", "runner_up", "selection_count", "selection_samples")
_NEARLY = 9
"""For one row that differs so many may not, and the columns are still the same."""


@dataclass(slots=True)
class Votes:
    """What the votes of some rows are, and which rows they make unreadable or impossible."""

    unreadable: NDArray[np.bool_]
    impossible: NDArray[np.bool_]
    contradictory: NDArray[np.bool_]
    """Another class has more votes, in these samples or in those that chose the class."""
    given: NDArray[np.bool_]
    """Rows with votes for their class."""
    usable: NDArray[np.bool_]
    """Those of which the number of all votes is known."""


def class_counts(chunk: Chunk) -> list[str]:
    """Return the columns with counts for each class, in the order of the classes."""
    names = [name for name in chunk.columns if name.startswith("count:")]
    return sorted(names, key=lambda name: int(name.partition(":")[2]))


def read_votes(chunk: Chunk, stated: int | None) -> Votes | None:
    """Write votes for the predictions and their number to a chunk, as plain integers.

    Counts for each class give the votes for the prediction, or for the most voted class where
    there is no prediction. The samples are those of the row, else the `stated` ones, else all
    votes of the row. Impossible are: counts below 0, above the samples by themselves or together,
    and samples that are not the stated ones. None where there are no votes.
    """
    names = class_counts(chunk)
    if not names and not {"count", "runner_up"} & chunk.columns.keys():
        return None
    rows = len(chunk.lines)
    found = _nothing(chunk)
    numbers = {name: _integers(chunk, name, found) for name in (*_COLUMNS, *names)}
    count, has_count = numbers["count"]
    samples, has_samples = numbers["samples"]
    if stated is not None:
        found.impossible |= has_samples & (samples != stated)
        samples = np.where(has_samples, samples, stated)
        has_samples = np.ones(rows, np.bool_)
    if names:
        votes = np.stack([numbers[name][0] for name in names])
        for name in names:
            found.unreadable |= ~numbers[name][1]
        found.impossible |= (votes < 0).any(axis=0)
        total = np.maximum(votes, 0).sum(axis=0)
        samples = np.where(has_samples, samples, total)
        has_samples = np.ones(rows, np.bool_)
        chosen = _chosen(chunk, [name.partition(":")[2] for name in names], votes, found)
        mine = votes[np.maximum(chosen, 0), np.arange(rows)]
        mine = np.where(chosen < 0, 0, mine)
        found.impossible |= (total > samples) | (has_count & (count != mine))
        count, has_count = mine, np.ones(rows, np.bool_)
    others, has_others = numbers["runner_up"]
    selected, has_selected = numbers["selection_count"]
    choosing, has_choosing = numbers["selection_samples"]
    for value, has in numbers.values():
        found.impossible |= has & (value < 0)
    found.impossible |= has_count & has_samples & ((count > samples) | (samples < 1))
    found.impossible |= has_count & has_others & has_samples & (count + others > samples)
    found.impossible |= has_selected & has_choosing & (selected > choosing)
    # Where one class has more than half of the votes no other one wins.
    found.contradictory = has_others & has_samples & ~has_count & (2 * others > samples)
    # The class that was chosen had as many votes as any other: a part of them at least.
    few = (selected == 0) | (len(names) * selected < choosing) if names else selected == 0
    found.contradictory |= has_selected & has_choosing & few
    found.given, found.usable = has_count, has_count & has_samples
    if not has_count.any():
        return found
    _write(chunk, "count", count, has_count)
    if has_samples.any():
        _write(chunk, "samples", samples, has_samples)
    if names and "radius" not in chunk.columns:
        # What is claimed is that the class wins the vote.
        chunk.columns["radius"] = ["0"] * rows
    return found


def same_samples(source: Source, stated: int | None) -> bool:
    """Return whether the votes that chose each class are the votes that bound it.

    So it is where a file has counts for each class and no prediction; and so it looks where the
    votes of both are equal in nine of ten rows. Unanimous votes show nothing.
    """
    equal = different = 0
    for chunk in source.chunks():
        if class_counts(chunk) and "prediction" not in chunk.columns:
            return True
        if "selection_count" not in chunk.columns or read_votes(chunk, stated) is None:
            return False
        nothing = _nothing(chunk)
        count, has_count = _integers(chunk, "count", nothing)
        samples, has_samples = _integers(chunk, "samples", nothing)
        chosen, has_chosen = _integers(chunk, "selection_count", nothing)
        informative = has_count & has_chosen & ~(has_samples & (count == samples))
        equal += int((informative & (count == chosen)).sum())
        different += int((informative & (count != chosen)).sum())
    return equal > 0 and equal >= _NEARLY * different


def _nothing(chunk: Chunk) -> Votes:
    return Votes(*(np.zeros(len(chunk.lines), np.bool_) for _ in range(5)))


def _integers(chunk: Chunk, name: str, found: Votes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return a column as integers and where it says something; mark what is no integer."""
    rows = len(chunk.lines)
    values, given = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    texts = chunk.columns.get(name)
    if texts is None:
        return values, given
    if set("".join(texts)) <= _DIGITS and all(0 < len(text) <= 18 for text in texts):
        return np.array(texts, dtype=np.int64), np.ones(rows, np.bool_)
    for row, text in enumerate(texts):
        if not text:
            continue
        match = _WHOLE.fullmatch(text)
        if match is None:
            found.unreadable[row] = True
            continue
        given[row] = True
        values[row] = int(match[2]) * (-1 if match[1] == "-" else 1)
    return values, given


def _chosen(
    chunk: Chunk, classes: list[str], votes: NDArray[np.int64], found: Votes
) -> NDArray[np.int64]:
    """Return the place of each row's class, -1 for abstentions; mark what is no class."""
    predictions = chunk.columns.get("prediction")
    if predictions is None:
        chosen: NDArray[np.int64] = np.argmax(votes, axis=0).astype(np.int64)
        chunk.columns["prediction"] = [classes[at] for at in chosen.tolist()]
        return chosen
    places = {name: at for at, name in enumerate(classes)}
    chosen = np.full(len(predictions), -1, dtype=np.int64)
    for row, text in enumerate(predictions):
        match = _WHOLE.fullmatch(text)
        name = str(int(match[2])) if match and match[1] != "-" else text
        if name in places:
            chosen[row] = places[name]
        elif not abstains(text):
            found.unreadable[row] = True
    return chosen


def _write(chunk: Chunk, name: str, values: NDArray[np.int64], given: NDArray[np.bool_]) -> None:
    pairs = zip(values.tolist(), given.tolist(), strict=True)
    chunk.columns[name] = [str(value) if there else "" for value, there in pairs]
