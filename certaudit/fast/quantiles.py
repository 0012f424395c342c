"""All radii that N votes can prove at a level a: Clopper-Pearson bounds, enclosed in float64.

A float64 solver guesses, exact decisions on both sides of the guess prove. What a count proves is
asked for again and again in a log of a hundred thousand rows, so every enclosure is made once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import numpy as np
from flint import arb
from numpy.typing import NDArray

from certaudit.errors import Undecided
from certaudit.exact import round_down, round_up
from certaudit.fast.confidence import series_bounds, tail_sign
from certaudit.noise import Gaussian
from certaudit.rigorous.balls import from_ball, to_ball, working_precision
from certaudit.rigorous.confidence import GaussianShare, Sampled, lower_bound, mass

__all__ = ["Quantiles", "quantiles"]

_ONE = Gaussian(Fraction(1))
_HALF = Fraction(1, 2)
_REACH = 2.0**-34
"""How far on both sides of the guess the first decisions are made, relative to the odds."""
_CELLS = 1 << 21
"""Terms of tails that are summed at once."""
_KNOTS = 32
_KEPT = 1 << 20
"""Answers that are kept."""
_LONGEST = 1 << 18
"""Tails of more terms are not guessed here."""


@lru_cache(maxsize=256)
def quantiles(samples: int, failure_prob: Fraction) -> Quantiles:
    """Return the one Quantiles of these samples and this failure probability.

    Proof: `proofs/quantiles.md`.
    """
    return Quantiles(samples, failure_prob)


class Quantiles:
    """What `count` of `samples` votes prove, for every count, as float64 enclosures.

    `share(count)` is the Clopper-Pearson lower bound p at level `failure_prob`, `radius(count)`
    the quantile Phi^-1(p), which is the radius in units of sigma; -inf for a count of 0.

    Raises InputError as Sampled does.
    """

    def __init__(self, samples: int, failure_prob: Fraction) -> None:
        checked = Sampled(0, samples, failure_prob)
        self.samples, self.failure_prob = checked.samples, checked.failure_prob
        self._shares: dict[int, tuple[Fraction, Fraction]] = {0: (Fraction(0), Fraction(0))}
        self._radii: dict[int, tuple[float, float]] = {0: (-math.inf, -math.inf)}
        self._firsts: dict[Fraction, int] = {}
        self._first_shares: dict[Fraction, int] = {}

    def share(self, count: int) -> tuple[Fraction, Fraction]:
        """Return rationals around the lower bound of the share that `count` votes prove.

        The first is proven by the votes, the second is not below what they prove.

        Proof: `proofs/quantiles.md`.
        """
        if count not in self._shares:
            self._prove(np.array([count]))
        return self._shares[count]

    def radius(self, count: int) -> tuple[float, float]:
        """Return float64 numbers around Phi^-1 of the share that `count` votes prove.

        Proof: `proofs/quantiles.md`.
        """
        found = self._radii.get(count)
        if found is None:
            found = self._radii[count] = _quantile(*self.share(count))
        return found

    def prepare(self, counts: NDArray[np.int64]) -> None:
        """Make the enclosures of many counts at once; faster than one by one.

        Proof: `proofs/quantiles.md`.
        """
        wanted = [int(k) for k in np.unique(counts) if int(k) not in self._shares]
        if wanted:
            self._prove(np.array(wanted))

    def reaches(self, count: int, target: Fraction) -> bool:
        """Return whether `count` votes prove a radius of `target` times sigma; exact.

        Raises Undecided as tail_sign does.

        Proof: `proofs/quantiles.md`.
        """
        low, high = self.radius(count)
        if count == 0 or high < target:  # Python compares float and Fraction exactly
            return False
        return target <= low or self._decide(count, target)

    def _decide(self, count: int, target: Fraction) -> bool:
        claim = Sampled(count, self.samples, self.failure_prob)
        if target > 0:
            return tail_sign(claim, GaussianShare(_ONE, target)) <= 0
        if target == 0:
            return tail_sign(claim, _HALF) <= 0
        if tail_sign(claim, _HALF) <= 0:
            return True
        # Phi(-x) = 1 - Phi(x): a bracket around it in rationals, as narrow as it takes.
        for bits in (128, 512, 2048):
            with working_precision(bits):
                ball = from_ball((to_ball(-target) / arb(2).sqrt()).erfc() / 2)
            if tail_sign(claim, ball.upper) <= 0:
                return True
            if ball.lower > 0 and tail_sign(claim, ball.lower) > 0:
                return False
        raise Undecided(f"{count} of {self.samples} votes: not decided at 2,048 bits")

    def proves(self, count: int, share: Fraction) -> bool:
        """Return whether `count` votes prove a share above `share` in [0, 1); exact.

        Raises Undecided as tail_sign does.

        Proof: `proofs/quantiles.md`.
        """
        if count == 0:
            return False
        known = self._shares.get(count)
        if known is not None and not known[0] < share <= known[1]:
            return share <= known[0]
        return tail_sign(Sampled(count, self.samples, self.failure_prob), share) <= 0

    def first_shares(self, shares: list[Fraction]) -> list[int]:
        """Return the least count that proves each share in (0, 1); samples + 1 where none does.

        Raises Undecided as tail_sign does.

        Proof: `proofs/quantiles.md`.
        """
        new = sorted({share for share in shares if share not in self._first_shares})
        if len(self._first_shares) + len(new) > _KEPT:
            self._first_shares.clear()
            new = sorted(set(shares))
        for start in range(0, len(new), 1 << 10):
            part = new[start : start + (1 << 10)]
            guesses = self._guess_counts(
                np.array([max(round_down(share), 1e-300) for share in part]),
                np.array([max(round_down(1 - share), 1e-300) for share in part]),
            )
            self.prepare(guesses)
            for share, guess in zip(part, guesses, strict=True):
                least = self._walk(lambda k, p=share: self.proves(k, p), int(guess))  # type: ignore[misc]
                self._first_shares[share] = least
        return [self._first_shares[share] for share in shares]

    def first(self, target: Fraction) -> int:
        """Return the least count that proves a radius of `target` times sigma; samples + 1: none.

        Raises Undecided as tail_sign does.

        Proof: `proofs/quantiles.md`.
        """
        found = self._firsts.get(target)
        return self.firsts([target])[0] if found is None else found

    def firsts(self, targets: list[Fraction]) -> list[int]:
        """Return the least count for each of many targets, as `first` does; they are kept.

        Proof: `proofs/quantiles.md`.
        """
        new = sorted({target for target in targets if target not in self._firsts})
        if len(self._firsts) + len(new) > _KEPT:
            self._firsts.clear()
            new = sorted(set(targets))
        most = self.radius(self.samples)[1]
        while new and new[-1] > most:
            self._firsts[new.pop()] = self.samples + 1
        for start in range(0, len(new), 1 << 10):
            part = new[start : start + (1 << 10)]
            self._firsts.update(zip(part, self._search(part), strict=True))
        return [self._firsts[target] for target in targets]

    def _search(self, targets: list[Fraction]) -> list[int]:
        n = self.samples
        near = [max(-38.0, min(38.0, round_down(target))) / math.sqrt(2) for target in targets]
        guesses = self._guess_counts(
            np.array([0.5 * math.erfc(-t) for t in near]),
            np.array([0.5 * math.erfc(t) for t in near]),
        )
        both = np.concatenate([guesses, guesses - 1])
        self.prepare(both[(both >= 1) & (both <= n)])
        return [
            self._walk(lambda k, t=target: self.reaches(k, t), int(guess))  # type: ignore[misc]
            for target, guess in zip(targets, guesses, strict=True)
        ]

    def _walk(self, holds: Callable[[int], bool], guess: int) -> int:
        """Return the least count for which a rising predicate holds, outward from a guess."""
        n = self.samples
        low, high, step = 0, n + 1, 1  # it does not hold at 0; at n + 1 by convention
        at = min(max(guess, 1), n)
        while high - low > 1:
            if holds(at):
                high = at
                following = at - step
            else:
                low = at
                following = at + step
            step *= 2
            at = following if low < following < high else (low + high) // 2
            if high == n + 1 and low < n and following > n:
                at = n
        return high

    def _guess_counts(
        self, share: NDArray[np.float64], rest: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Return about the least counts that prove shares; nothing rests on it."""
        n = self.samples
        share, rest = np.clip(share, 1e-300, 1), np.clip(rest, 1e-300, 1)
        spread = np.sqrt(n * share * rest)
        goal = math.log(self.failure_prob.numerator) - math.log(self.failure_prob.denominator)
        z = math.sqrt(max(0.0, -2 * goal)) * 0.9
        counts = np.clip(n * share + z * spread, 1, n)
        for _ in range(6):
            whole = np.clip(np.rint(counts), 1, n)
            tail = self._log_tails(whole, share, rest)
            ratio = np.clip((n - whole) / (whole + 1) * (share / rest), 1e-12, 1 - 1e-9)
            # The tail falls by about this factor a count.
            slope = np.minimum(np.log(ratio), -1e-9)
            hazard = np.minimum(slope, -(whole - n * share) / np.maximum(spread**2, 1e-9))
            step = (goal - tail) / np.minimum(hazard, -1e-9)
            counts = np.clip(whole + np.clip(step, -4 * spread - 4, 4 * spread + 4), 1, n)
            if np.all(np.abs(counts - whole) < 1):
                break
        return np.clip(np.ceil(counts - 1e-6), 1, n).astype(np.int64)

    def _log_tails(
        self, counts: NDArray[np.float64], share: NDArray[np.float64], rest: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return about ln P(Bin(n, share) >= count); nothing rests on it."""
        n = self.samples
        odds = share / rest
        log_mass = np.array(
            [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in counts]
        )
        log_mass += counts * np.log(share) + (n - counts) * np.log(rest)
        spread = math.sqrt(n * max(1 / n, float(np.max(share * rest))))
        length = int(min(_LONGEST, n, 12 * spread + 64))
        total = np.ones_like(counts)
        last = np.ones_like(counts)
        block = max(1, min(length, _CELLS // max(1, len(counts))))
        for start in range(0, length, block):
            steps = np.arange(start, min(start + block, length), dtype=np.float64)
            at = counts[:, None] + steps[None, :]
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                ratios = np.maximum(n - at, 0.0) / (at + 1) * odds[:, None]
                terms = last[:, None] * np.multiply.accumulate(ratios, axis=1)
                total += terms.sum(axis=1)
            last = terms[:, -1]
            if not np.any(last > 1e-17 * total):
                break
        return np.asarray(log_mass + np.log(total))

    def _prove(self, counts: NDArray[np.int64]) -> None:
        """Enclose the shares that counts prove: guesses, then decisions on both sides."""
        for start in range(0, len(counts), 1 << 10):
            part = counts[start : start + (1 << 10)]
            for k, odds in zip(part.tolist(), self._guess_odds(part), strict=True):
                self._shares[k] = self._enclose(k, odds)

    def _enclose(self, count: int, log_odds: float) -> tuple[Fraction, Fraction]:
        """Return rationals around the share at which the tail is failure_prob.

        One tail at a guess u of its log odds, and how fast the tail grows there: d ln P(>= k)/du =
        k (1 - p)/S, S the sum of P(= j)/P(= k), which grows by a factor of at most
        exp((n - k) reach) within `reach` of u.
        """
        claim = Sampled(count, self.samples, self.failure_prob)
        found = self._tail_at(count, log_odds) if math.isfinite(log_odds) else None
        if found is not None:
            gap, slope = found
            # exp(-x) >= 1 - x; 2^-40 covers the few operations in float64.
            least = slope * (1 - (self.samples - count + 2) * _REACH) * (1 - 2.0**-40)
            reach = gap / least * (1 + 2.0**-40) if least > 0 else math.inf
            if reach < _REACH:
                return _proven_shares(Fraction(log_odds), Fraction(reach))
        reach = _REACH
        while reach < 2.0**-3 and math.isfinite(log_odds):
            low, high = _share(log_odds - reach), _share(log_odds + reach)
            if 0 < low < high < 1 and tail_sign(claim, low) <= 0 <= tail_sign(claim, high):
                return low, high
            reach *= 2.0**8
        enclosure = lower_bound(count, self.samples, self.failure_prob)
        return enclosure.lower, enclosure.upper

    def _tail_at(self, count: int, log_odds: float) -> tuple[float, float] | None:
        """Return an upper bound on |ln(tail/failure_prob)| at log odds, a lower one on its slope.

        None where these are not found in float64.
        """
        k, n = count, self.samples
        with working_precision(96 + 2 * n.bit_length()):
            odds = to_ball(Fraction(log_odds)).exp()
            share, rest = odds / (1 + odds), 1 / (1 + odds)
            bounds = series_bounds(k, n, odds)
            if bounds is None:
                return None
            mass_ball = mass(k, n, share, rest) / to_ball(self.failure_prob)
            # Close to 1, and so far from the edge of float64, or of no use here.
            tail = mass_ball * arb(bounds[0]).union(arb(bounds[1]))
            if not (tail > 0.5 and tail < 2):
                return None
            gap = round_up(from_ball(abs(tail.log())).upper)
            slope = round_down(from_ball(k * rest / bounds[1]).lower)
        return (gap, slope) if slope > 0 else None

    def _guess_odds(self, counts: NDArray[np.int64]) -> list[float]:
        """Return about the log odds of the shares that counts prove; nothing rests on them."""
        n, chance = self.samples, self.failure_prob
        if chance > Fraction(1, 4) or n > 10**8:
            return [math.nan] * len(counts)
        goal = math.log(chance.numerator) - math.log(chance.denominator)
        k = counts.astype(np.float64)
        u = self._wilson(k, goal)
        if len(counts) > 4 * _KNOTS:
            # Wilson's bound errs smoothly: by how much is seen at a few counts.
            some = counts[np.unique(np.linspace(0, len(counts) - 1, _KNOTS).astype(np.int64))]
            knots = some.astype(np.float64)
            errors = np.array(self._guess_odds(some)) - self._wilson(knots, goal)
            u = u + np.interp(
                np.log((k + 1) / (n - k + 1)), np.log((knots + 1) / (n - knots + 1)), errors
            )
        for _ in range(12):
            share, rest = 1 / (1 + np.exp(-u)), 1 / (1 + np.exp(u))
            tail = self._log_tails(k, share, rest)
            log_mass = np.array(
                [math.lgamma(n + 1) - math.lgamma(j + 1) - math.lgamma(n - j + 1) for j in k]
            )
            log_mass += k * np.log(share) + (n - k) * np.log(rest)
            slope = np.exp(np.clip(log_mass - tail, -700, 0)) * k * rest
            step = (goal - tail) / slope
            u = u + np.clip(step, -2, 2)
            if np.all(np.abs(step) < 1e-11):
                break
        return [float(value) for value in u]

    def _wilson(self, counts: NDArray[np.float64], goal: float) -> NDArray[np.float64]:
        """Return the log odds of Wilson's bound; of the bound itself where all votes agree."""
        n, z = self.samples, math.sqrt(-2 * goal) * 0.9
        centre = (counts + z * z / 2) / (n + z * z)
        half = z / (n + z * z) * np.sqrt(counts * (n - counts) / n + z * z / 4)
        share = np.clip(centre - half, 0.5 * math.exp(max(goal, -600)) / n, 1 - 0.5 / n)
        u = np.log(share) - np.log1p(-share)
        return np.where(counts == n, goal / n - math.log(-math.expm1(goal / n)), u)


def _proven_shares(log_odds: Fraction, reach: Fraction) -> tuple[Fraction, Fraction]:
    """Return rationals below and above all shares whose log odds are within `reach`."""
    with working_precision(128):
        if log_odds < 0:
            low, high = (
                1 / (1 + (-to_ball(u)).exp()) for u in (log_odds - reach, log_odds + reach)
            )
            return Fraction(round_down(from_ball(low).lower)), Fraction(
                round_up(from_ball(high).upper)
            )
        low, high = (1 / (1 + to_ball(u).exp()) for u in (log_odds + reach, log_odds - reach))
        return 1 - Fraction(round_up(from_ball(high).upper)), 1 - Fraction(
            round_down(from_ball(low).lower)
        )


def _share(log_odds: float) -> Fraction:
    """Return a rational near the share with these log odds, its distance from 1 as precise."""
    if log_odds < 0:
        odds = math.exp(log_odds)
        return Fraction(odds / (1 + odds))
    odds = math.exp(-log_odds)
    return 1 - Fraction(odds / (1 + odds))


def _quantile(low: Fraction, high: Fraction) -> tuple[float, float]:
    """Return float64 numbers around Phi^-1 of an interval of shares."""
    with working_precision(96):
        bottom, top = _normal_quantile(low), _normal_quantile(high)
        return round_down(from_ball(bottom).lower), round_up(from_ball(top).upper)


def _normal_quantile(share: Fraction) -> arb:
    """Return Phi^-1(share) as a ball, 0 < share < 1."""
    if share < _HALF:
        return -arb(2).sqrt() * (2 * to_ball(share)).erfcinv()
    return arb(2).sqrt() * (2 * to_ball(1 - share)).erfcinv()
