"""Section 8 of `bench.py`: Clopper-Pearson decisions, fast, in balls and in scipy's floats."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from random import Random

from scipy.stats import beta, binom

from certaudit.fast import confidence as fast
from certaudit.rigorous import confidence as rigorous
from certaudit.rigorous.confidence import Sampled

ROUNDS = 3
CASES = 200
CHANCE = Fraction(1, 1000)


def cases(samples: int) -> list[tuple[Sampled, Fraction]]:
    """Return votes of all sizes, each with a share within 10^-4 of its bound: a printed claim."""
    random = Random(samples)  # noqa: S311
    found = []
    for _ in range(CASES):
        count = random.randint(samples // 2, samples)
        bound = float(beta.ppf(float(CHANCE), count, samples - count + 1))
        share = round(bound + random.uniform(-1, 1) * 1e-4, 6)
        found.append((Sampled(count, samples, CHANCE), Fraction(str(min(share, 0.999999)))))
    return found


def microseconds(task: Callable[[], object]) -> float:
    """Return the median processor time of a task, in microseconds a case."""
    found = []
    for _ in range(ROUNDS):
        start = time.process_time()
        task()
        found.append(time.process_time() - start)
    return 1e6 * statistics.median(found) / CASES


def votes() -> None:
    """Print the cost of a decision for N samples, and how often the fast engine passes it on."""
    print(f"{CASES} claims within 10^-4 of what k of N votes prove, k from N/2 to N, a = 0.001;")
    print("microseconds a decision, the median of 3 runs\n")
    print("              fast      balls   scipy (floats)   left to balls   scipy differs")
    for samples in (10**3, 10**5, 10**7):
        claims = cases(samples)
        quick = [fast.quick_sign(claim, share) for claim, share in claims]
        right = [rigorous.tail_sign(claim, share) for claim, share in claims]
        floats = [
            binom.sf(claim.count - 1, claim.samples, float(share)) <= float(CHANCE)
            for claim, share in claims
        ]
        times = [
            microseconds(lambda claims=claims: [fast.proves(*claim) for claim in claims]),
            microseconds(lambda claims=claims: [rigorous.proves(*claim) for claim in claims]),
            microseconds(
                lambda claims=claims: [
                    binom.sf(claim.count - 1, claim.samples, float(share))
                    for claim, share in claims
                ]
            ),
        ]
        differs = sum(f != (r <= 0) for f, r in zip(floats, right, strict=True))
        print(
            f"N = 10^{len(str(samples)) - 1:<4} {times[0]:>9.0f}  {times[1]:>9.0f}"
            f"  {times[2]:>15.0f}  {quick.count(None):>14}  {differs:>14}",
            flush=True,
        )
