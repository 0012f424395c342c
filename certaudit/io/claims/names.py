"""What the names of files and folders state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from certaudit.claims import Stated, parameter
from certaudit.exact import parse_rational
from certaudit.io.claims.common import Place, Statements

__all__ = ["LOG_NAME", "folders", "from_name", "parameters", "printable", "stem"]

_SIGMA = re.compile(
    r"(?<![a-z])(sigma|sig|std|noise(?:_sd|_std|_sigma)?)[_=-]?([0-9]+(?:\.[0-9]+)?)(?![0-9a-z]|\.[0-9])",
    re.IGNORECASE | re.ASCII,
)
LOG_NAME = re.compile(
    r"(?P<disttype>[A-Za-z][A-Za-z0-9-]*?)-(?P<k>None|[0-9]+)-(?P<std>[0-9.]+)-(?P<N>[0-9]+)"
    r"-(?P<alpha>[0-9.]+(?:e-[0-9]+)?)(?P<more>-[^/]*)?"
)


def printable(name: str) -> str:
    """Return a file name as it can be shown: it may hold any bytes."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
        for each in name
    )


def folders(path: Path) -> Iterator[str]:
    """Return the names of the folders in a path, nearest first."""
    return (part for part in reversed(path.parts) if part not in {"..", path.anchor})


def stem(path: Path) -> str:
    """Return the name of a file without ".txt"."""
    return path.name.removesuffix(".txt")


def from_name(place: Place) -> Statements:
    """Return sigma as the file's name says it, else the nearest folder's."""
    for part, origin in chain([(place.path.name, "file name")], ((p, "path") for p in place.near)):
        if (text := _sigma_in(part)) is not None:
            return {"sigma": Stated(parse_rational(text, str(place.path)), origin)}
    return {}


def _sigma_in(part: str) -> str | None:
    """Return the sigma in a name: sigma_0.25, noise_1.00_0, sig05 (0.5); 0.00 is none."""
    found = []
    for match in _SIGMA.finditer(part):
        word, digits = match[1].lower(), match[2]
        if len(digits) > 12 or not digits.strip("0."):
            continue
        if "." not in digits and len(digits) > 1:
            if not digits.startswith("0"):
                continue  # noise_25 may be 0.25, 25/255 or 25: it states nothing
            digits = f"0.{digits[1:]}"
        # noise_ is often what the classifier was trained with, sigma_ what was certified.
        found.append((word.startswith("noise"), digits))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def parameters(found: Mapping[str, str], origin: str, what: str) -> Statements:
    """Return what the parameters of a probability log (or its name) state."""
    stated = {}
    if "disttype" in found:
        stated["noise"] = Stated(parameter("noise", found["disttype"], f"{what}: "), origin)
    for theirs, ours in (("std", "sigma"), ("N", "samples"), ("alpha", "failure_prob")):
        if theirs in found:
            stated[ours] = Stated(parameter(ours, found[theirs], f"{what}: "), origin)
    if "alpha" in found:
        stated["sides"] = Stated(2, origin)
    return stated
