"""Stated parameters are claims too: which sigma, samples and failure probability explain a log.

The largest radius that N votes allow is sigma Phi^-1(a^(1/N)), and only N + 1 radii exist at all: a
log of some hundred rows gives its parameters away.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from certaudit.auditing.gaussian import GaussianJudge, Key, Scale, Setting, gaussian_judge
from certaudit.auditing.printed import parse_printed
from certaudit.errors import InputError
from certaudit.exact import format_rational
from certaudit.fast.quantiles import quantiles

__all__ = ["DIMENSIONS", "FAILURE_PROBS", "SAMPLES", "Candidates", "Parameters", "explaining"]

T = TypeVar("T")

SAMPLES = (100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000)
"""The numbers of samples that are tried, in this order."""
FAILURE_PROBS = tuple(
    Fraction(text) for text in ("1/1000", "1/100", "1/20", "1/200", "1/2000", "1/10000")
)
"""The failure probabilities that are tried for each of them, in this order."""
_PLACES = 3
DIMENSIONS = (784, 3_072, 12_288, 150_528, 196_608)
"""For l-infinity radii: MNIST, CIFAR-10 (3 32^2; padded to 64^2), ImageNet (3 224^2, 3 256^2)."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the numbers of a sampled Gaussian log depend on; None where it is not known."""

    sigma: Fraction | None = None
    samples: int | None = None
    failure_prob: Fraction | None = None
    dimension: int | None = 1

    def as_json(self) -> dict[str, object]:
        """Return the known ones as plain JSON values, rationals as "p/q"."""
        found: dict[str, object] = {}
        if self.sigma is not None:
            found["sigma"] = format_rational(self.sigma)
        if self.samples is not None:
            found["samples"] = self.samples
        if self.failure_prob is not None:
            found["failure_prob"] = format_rational(self.failure_prob)
        if self.dimension not in (None, 1):
            found["dimension"] = self.dimension
        return found

    def setting(self, base: Setting) -> Setting:
        """Return a setting with these parameters."""
        known = self.sigma is not None and self.dimension is not None
        scale = Scale(self.sigma, self.dimension) if known else None  # type: ignore[arg-type]
        return replace(base, scale=scale, samples=self.samples, failure_prob=self.failure_prob)


@dataclass(frozen=True, slots=True)
class Candidates:
    """What is tried: the usual values, after what the caller adds."""

    samples: tuple[int, ...] = SAMPLES
    failure_probs: tuple[Fraction, ...] = FAILURE_PROBS

    def with_more(self, samples: Sequence[int], failure_probs: Sequence[Fraction]) -> Candidates:
        """Return these and more: samples in rising order, failure probabilities in front."""
        more = tuple(a for a in failure_probs if a not in self.failure_probs)
        return Candidates(tuple(sorted({*self.samples, *samples})), more + self.failure_probs)


def explaining(
    keys: Sequence[Key],
    base: Setting,
    stated: Parameters,
    candidates: Candidates,
    *,
    free: Sequence[str] = (),
    spare: int = 0,
) -> Iterator[Parameters]:
    """Yield the parameters that explain every row, in the order in which they are tried.

    What is None in `stated`, or named in `free`, is looked for; a stated value that is free is
    tried first. `keys` are the different rows, those with the largest radii first; `spare` of them
    may stay unexplained.
    """
    sizes = _options(stated.samples, candidates.samples, free="samples" in free)
    chances = _options(stated.failure_prob, candidates.failure_probs, free="failure_prob" in free)
    dimensions = _options(stated.dimension, DIMENSIONS, free=False)
    shares = [key._replace(radius="") for key in keys if key.p_lower or key.p_upper]
    radii = [key for key in keys if key.radius or not (key.p_lower or key.p_upper)]
    for samples in sizes:
        for chance in chances:
            known = Parameters(None, samples, chance)
            # Bounds on shares do not depend on sigma: they settle most pairs at once.
            if shares and not _explains(gaussian_judge(known.setting(base)), shares, spare):
                continue
            for dimension in dimensions:
                where = (base, stated, known, dimension)
                for sigma in _sigmas(keys, *where, free="sigma" in free, spare=spare):
                    found = Parameters(sigma, samples, chance, dimension)
                    if _explains(gaussian_judge(found.setting(base)), radii, spare):
                        yield found


def _options(stated: T | None, usual: tuple[T, ...], *, free: bool) -> tuple[T, ...]:
    if stated is None:
        return usual
    return (stated, *(value for value in usual if value != stated)) if free else (stated,)


def _sigmas(
    keys: Sequence[Key],
    base: Setting,
    stated: Parameters,
    known: Parameters,
    dimension: int,
    *,
    free: bool,
    spare: int,
) -> Iterator[Fraction | None]:
    """Yield sigmas to try: the stated one, then the ones that the largest radius asks for.

    Where rows may be left out, the largest of the others asks as well: one absurd radius is the
    largest one of some sigma.
    """
    if stated.sigma is not None:
        yield stated.sigma
        if not free:
            return
    largest = dict.fromkeys((_largest(keys), _largest(keys[spare:])))
    if list(largest) == [None] or not base.decided:
        if stated.sigma is None:
            yield None
        return
    assert known.samples is not None  # noqa: S101  (made with both)
    assert known.failure_prob is not None  # noqa: S101
    found = quantiles(known.samples, known.failure_prob / base.sides)
    low, high = found.radius(found.samples)
    if low <= 0:
        return
    unit = Scale(Fraction(1), dimension)
    for printed in largest:
        if printed is None:
            continue
        least, most = base.formats["radius"].interval(*printed)
        first, last = unit.targets(least)[0] / Fraction(high), unit.targets(most)[1] / Fraction(low)
        guess = _shortest(first, last) if 0 < first <= last else None
        if guess is not None and guess != stated.sigma:
            yield guess


def _largest(keys: Sequence[Key]) -> tuple[str, Fraction] | None:
    best: tuple[str, Fraction] | None = None
    for key in keys:
        try:
            value = parse_printed(key.radius) if key.radius else None
        except InputError:
            continue
        if value is not None and value > 0 and (best is None or value > best[1]):
            best = key.radius, value
    return best


def _shortest(low: Fraction, high: Fraction) -> Fraction | None:
    """Return the decimal with the fewest places in an interval, at most three: so is sigma chosen.

    None where there is no such decimal.
    """
    for places in range(_PLACES + 1):
        whole = math.ceil(low * 10**places)
        if whole <= high * 10**places:
            return Fraction(whole, 10**places)
    return None


def _explains(judge: GaussianJudge, keys: Sequence[Key], spare: int) -> bool:
    """Return whether all rows but `spare` are explained; wrong guesses fall after a few of them."""
    start, size = 0, 1
    while start < len(keys):
        block = keys[start : start + size]
        spare -= judge.explain(block).count(False)
        if spare < 0:
            return False
        start += size
        size *= 4
    return True
