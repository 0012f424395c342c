"""The columns of a file: what the names in a header stand for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from certaudit.claims import Note, Stated
from certaudit.errors import InputError
from certaudit.findings import UNKNOWN_COLUMN
from certaudit.io.claims.common import MAX_NOTES, Statements, bare, shown

__all__ = ["ALIASES", "SILENT", "Columns", "canonical", "choose", "kind_of", "of_class"]

ALIASES = {
    alias: name
    for name, aliases in {
        "index": "index idx id i",
        "label": "label y target true_label labels",
        "prediction": "prediction predict pred predicted",
        "correct": "correct",
        "decided": "decided",
        "radius": "radius l2_radius certified_radius linf_radius",
        "p_lower": "p_lower p_low prob_lb pabar pa_bar pa_lower pa p1low",
        "p_upper": "p_upper p_high p_up prob_ub pa_upper p1high",
        "log_error": "log_error",
        "count": "count counts na n_a count_a votes",
        "runner_up": "runner_up nb n_b count_b",
        "samples": "samples n num_samples",
        "selection_count": "selection_count",
        "selection_samples": "selection_samples n0 n_0",
        "accuracy": "accuracy acc certified_accuracy",
    }.items()
    for alias in aliases.split()
}
"""What the names in headers stand for (in lower case, with "_" for blanks and "-")."""
SILENT = frozenset({"time", "seconds", "annotations"})
"""What is not read, and not worth a note."""
_OF_CLASS = re.compile(r"(?:(?:count|class|votes)_|count:?)([0-9]{1,5})")


def of_class(name: str) -> str | None:
    """Return "count:K" for the ways to write so."""
    match = _OF_CLASS.fullmatch(name)
    return f"count:{int(match[1])}" if match else None


def canonical(name: str) -> str | None:
    """Return which of COLUMNS (or "count:K") a name in a header stands for."""
    key = re.sub(r"[ \t-]+", "_", bare(name).casefold())
    return ALIASES.get(key) or of_class(key)


class Columns(NamedTuple):
    """What each column of a header is, None where it is not read, and notes on those."""

    names: tuple[str | None, ...]
    notes: list[Note]
    kind: str | None
    stated: Statements


def choose(names: Sequence[str], columns: Mapping[str, str], what: str, line: int) -> Columns:
    """Return what each column of a header is; `columns` maps our names to theirs.

    Raises InputError where a column of `columns` is not there, for names that appear twice, and
    for two that mean the same where `columns` names neither.
    """
    chosen: dict[int, str] = {}
    for ours, theirs in columns.items():
        if names.count(theirs) != 1:
            there = "is there twice" if theirs in names else "is not there"
            raise InputError(f"{what}: the column {shown(theirs)} for {ours} {there}")
        if names.index(theirs) in chosen:
            raise InputError(f"{what}: the column {shown(theirs)} is to be two columns")
        chosen[names.index(theirs)] = ours
    taken = set(chosen.values())
    guesses: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        guess = None if at in chosen else canonical(name)
        if guess is not None and guess not in taken:
            guesses.setdefault(guess, []).append(at)
    if not taken | guesses.keys() <= {"radius", "accuracy"}:
        chosen = {at: ours for at, ours in chosen.items() if ours != "accuracy"}
        guesses.pop("accuracy", None)
    chosen |= {places[0]: guess for guess, places in guesses.items()}
    _check_single(names, chosen, guesses, what)
    notes = [
        Note(UNKNOWN_COLUMN, line, f"column {shown(name)}" if name else "a column without name")
        for at, name in enumerate(names)
        if at not in chosen and name.casefold() not in SILENT
    ]
    found = tuple(chosen.get(at) for at in range(len(names)))
    linf = any("linf" in names[at].casefold() for at, ours in chosen.items() if ours == "radius")
    stated = {"norm": Stated("linf", "file")} if linf else {}
    return Columns(found, notes[:MAX_NOTES], kind_of(found), stated)


def _check_single(
    names: Sequence[str], chosen: Mapping[int, str], guesses: Mapping[str, list[int]], what: str
) -> None:
    """Refuse two columns of one name, and two names that mean the same column."""
    often = Counter(map(str.casefold, names))
    for at, ours in chosen.items():
        if often[names[at].casefold()] > 1:
            raise InputError(f"{what}: two columns are called {shown(names[at])} ({ours})")
    for guess, places in guesses.items():
        if len(places) > 1:
            first, second = (shown(names[at]) for at in places[:2])
            raise InputError(
                f"{what}: the columns {first} and {second} could both be {guess}; "
                "name one with --column"
            )


def kind_of(names: Iterable[str | None]) -> str | None:
    """Return what a file with these columns holds, None where they are no evidence and no claim."""
    found = {"count" if name and name.startswith("count:") else name for name in names}
    if "accuracy" in found:
        return "curve" if "radius" in found else None
    if "radius" in found:
        return "radii"
    if found & {"p_lower", "p_upper", "log_error"}:
        return "shares"
    return "votes" if "count" in found else None
