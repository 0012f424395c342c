"""The sections of `bench.py` that call certaudit in this process: one job, one BLAS thread.

On one thread processor time is what a quiet machine would take, so that is what is compared.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import ParamSpec, TypeVar

import mpmath
import numpy as np
from numpy.typing import NDArray

from certaudit.certify.data import LabelledData
from certaudit.certify.features import Features
from certaudit.certify.label_flip import Certificate, certify_points, fit
from certaudit.certify.least_squares import LeastSquares
from certaudit.crosscheck import crosscheck
from certaudit.reference.algorithm1 import algorithm1
from certaudit.reference.least_squares import alpha_vector, normal_matrix, weights

P = ParamSpec("P")
T = TypeVar("T")
Floats = NDArray[np.float64]

ROUNDS = 5
POINTS = 128
PRODUCT_REPEATS = 10
REFERENCE_POINTS = 3
REFERENCE_DIGITS = 60
WEIGHT_DIGITS = 100
NEWTON_STEPS = 100

GROWTH_ROUNDS = 5
GROWTH_POINTS = 128
ROWS = (1000, 2000, 4000, 8000, 16000)
COLUMNS = (10, 20, 40, 80)
FIXED_ROWS, FIXED_COLUMNS = 4000, 20

PAPER_POINTS = 200
PAPER_ROUNDS = 3
PAPER_NOISE = ("0.3", "0.1", "0.01", "1e-4", "1e-6")

CONFIRMED_POINTS = 50


def timed(task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[float, T]:
    """Return the processor seconds that a call took, and its result."""
    start = time.process_time()
    result = task(*args, **kwargs)
    return time.process_time() - start, result


def certify(
    model: LeastSquares, data: LabelledData, rate: Fraction, indices: Sequence[int]
) -> list[Certificate]:
    """Return the certificates of test points, from alpha on, in this process."""
    return [found for _, _, found in certify_points(model, data, rate, indices)]


def sample(total: int, count: int) -> list[int]:
    """Return a fixed random sample of indices below `total`, sorted."""
    chosen = np.random.default_rng(0).choice(total, min(count, total), replace=False)
    return sorted(int(index) for index in chosen)


def fit_warm(
    data: LabelledData, q: str, *, ridge: str = "auto", scale: str = "standard", free: bool = True
) -> tuple[Fraction, Features, Fraction, LeastSquares]:
    """Return what `fit` does, the inverse that the first point needs included."""
    rate, features, chosen, model = fit(data, q=q, ridge=ridge, scale=scale, intercept=free)
    list(model.points([0]))
    return rate, features, chosen.value, model


def float_operator(train: Floats, ridge: Fraction) -> Floats:
    """Return M' = (X'X + ridge D)^-1 X' (k x n) in float64, the last column an intercept."""
    gram = train.T @ train
    diagonal = np.full(len(gram), float(ridge))
    diagonal[-1] = 0.0
    return np.asarray(np.linalg.solve(gram + np.diag(diagonal), train.T), dtype=np.float64)


def float_algorithm1(alpha: Floats, ones: NDArray[np.bool_], q: float) -> tuple[float, float, int]:
    """Return t*, ln B(t*) and the KL radius of one point, as research code has them.

    The papers' plain Newton iteration from t = 0, to a relative step of 1e-9.
    """
    zero = np.where(ones, q, 1 - q)
    one = 1 - zero
    t = 0.0
    for _ in range(NEWTON_STEPS):
        weighted = one * np.exp(-t * alpha)
        share = weighted / (zero + weighted)
        terms = alpha * share
        step = (0.5 - terms.sum()) / (alpha * terms * (1 - share)).sum()
        t -= step
        if not math.isfinite(t) or abs(step) <= 1e-9 * abs(t):
            break
    log_b = t / 2 + float(np.log(zero + one * np.exp(-t * alpha)).sum())
    if not log_b < -math.log(2):
        return t, log_b, 0
    bound = -(math.log(4) + log_b + math.log1p(-math.exp(log_b)))
    return t, log_b, math.floor(bound / (2 * (1 - 2 * q) * math.log((1 - q) / q)))


def side_by_side(name: str, data: LabelledData, q: str) -> None:
    """Section 2: certificates, bare alphas, float Algorithm 1 and the reference, in turn."""
    fit_seconds, (rate, features, ridge, model) = timed(fit_warm, data, q)
    operator_seconds, operator = timed(float_operator, features.train, ridge)
    indices = sample(len(data.y_test), POINTS)
    tests, ones, noise = features.test[indices], data.y_train == 1, float(rate)
    few = indices[:REFERENCE_POINTS]

    def solve_reference() -> list[tuple[mpmath.mpf, ...]]:
        with mpmath.workdps(WEIGHT_DIGITS):
            matrix = normal_matrix(rows, ridge, intercept=True)
            return list(weights(matrix, features.test[few].tolist()))

    rows, labels = features.train.tolist(), data.y_train.tolist()
    solve_seconds, solved = timed(solve_reference)

    def float_search() -> list[tuple[float, float, int]]:
        with np.errstate(all="ignore"):
            return [float_algorithm1(alpha, ones, noise) for alpha in tests @ operator]

    def product() -> None:
        for _ in range(PRODUCT_REPEATS):
            tests @ operator

    def reference(w: tuple[mpmath.mpf, ...]) -> None:
        with mpmath.workdps(WEIGHT_DIGITS):
            alpha = alpha_vector(rows, w)
        with mpmath.workdps(REFERENCE_DIGITS):
            algorithm1(alpha, labels, rate)

    points = len(indices)
    proven, bare, plain, slow = [], [], [], []
    for turn in range(ROUNDS):
        seconds, certificates = timed(certify, model, data, rate, indices)
        proven.append(seconds / points)
        bare.append(timed(product)[0] / points / PRODUCT_REPEATS)
        seconds, found = timed(float_search)
        plain.append(seconds / points)
        if turn < len(solved):
            slow.append(timed(reference, solved[turn])[0])

    n, k = features.train.shape
    print(f"\n{name}: n = {n}, k = {k} with the intercept, q = {q}; {points} test points,")
    print(f"processor time, medians of {ROUNDS} rounds in turn; one job, one BLAS thread")
    print(f"{'':<40} ms/point  certaudit is (rounds)")
    print(f"{'certaudit, proven':<40}{1e3 * statistics.median(proven):>9.3f}")
    _ratio("float64 X_test @ M' (alphas only)", proven, bare)
    _ratio("float Algorithm 1 (NumPy, plain Newton)", proven, plain)
    _ratio(f"mpmath reference, {REFERENCE_DIGITS} digits, {len(slow)} points", proven, slow)
    print(
        f"once, in seconds: certaudit fit {fit_seconds:.2f}, float M {operator_seconds:.2f}, "
        f"reference {solve_seconds:.1f}\n(mpmath on {mpmath.libmp.BACKEND} integers)"
    )
    _agreement(certificates, found, n)


def _ratio(name: str, proven: list[float], other: list[float]) -> None:
    """Print one row: the time of a point, and the median ratio of the rounds that both have."""
    ratios = sorted(a / b for a, b in zip(proven, other, strict=False))
    word = "slower"
    if statistics.median(ratios) < 1:
        word, ratios = "faster", sorted(1 / ratio for ratio in ratios)
    print(
        f"{name:<40}{1e3 * statistics.median(other):>9.3f}  {_short(statistics.median(ratios)):>5}"
        f" x {word} ({_short(ratios[0])} to {_short(ratios[-1])})"
    )


def _short(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.3g}"


def _agreement(
    certificates: list[Certificate], found: list[tuple[float, float, int]], n: int
) -> None:
    """Print how far the unproven floats are from what is proven."""
    failed = sum(not math.isfinite(log_b) for _, log_b, _ in found)
    pairs = [
        (certificate, t, log_b, min(radius, n))
        for certificate, (t, log_b, radius) in zip(certificates, found, strict=True)
        if certificate.log_error is not None and math.isfinite(log_b)
    ]
    radii = sum(certificate.kl_radius != radius for certificate, _, _, radius in pairs)
    signs = sum(certificate.prediction != int(t >= 0) for certificate, t, _, _ in pairs)
    furthest = max((abs((c.log_error or 0.0) - log_b) for c, _, log_b, _ in pairs), default=0.0)
    print(
        f"float Algorithm 1 diverged on {failed} points; on {len(pairs)} others radii differ: "
        f"{radii},\npredictions differ: {signs}, largest difference of ln B: {furthest:.1e} nats",
        flush=True,
    )


def growth(q: str) -> None:
    """Section 4: time for a certificate against n and against k, on synthetic data."""
    print(f"synthetic Gaussian data with an intercept, q = {q}, {GROWTH_POINTS} test points;")
    print(f"processor time, medians of {GROWTH_ROUNDS} rounds in turn; one job, one BLAS thread")
    _grow("n", [(n, FIXED_COLUMNS) for n in ROWS], q)
    _grow("k", [(FIXED_ROWS, k) for k in COLUMNS], q)


def _grow(letter: str, shapes: list[tuple[int, int]], q: str) -> None:
    data = [_synthetic(n, k) for n, k in shapes]
    fits = [timed(fit_warm, one, q) for one in data]
    seconds: list[list[float]] = [[] for _ in shapes]
    for _ in range(GROWTH_ROUNDS):
        for place, (one, (_, (rate, _, _, model))) in enumerate(zip(data, fits, strict=True)):
            spent, _ = timed(certify, model, one, rate, range(GROWTH_POINTS))
            seconds[place].append(spent / GROWTH_POINTS)
    times = [statistics.median(values) for values in seconds]
    sizes = [n if letter == "n" else k for n, k in shapes]
    fixed = f"k = {shapes[0][1]}" if letter == "n" else f"n = {shapes[0][0]}"
    print(f"\n{fixed:>10}  fit (s)  ms/point (min to max)")
    for size, once, middle, values in zip(sizes, fits, times, seconds, strict=True):
        print(
            f"{letter} = {size:>6}  {once[0]:>7.3f}  {1e3 * middle:>8.3f}"
            f" ({1e3 * min(values):.3f} to {1e3 * max(values):.3f})"
        )
    point, whole = _exponent(sizes, times), _exponent(sizes, [once for once, _ in fits])
    print(
        f"time a point ~ {letter}^{point:.2f}, fit ~ {letter}^{whole:.2f} "
        "(least squares of the logarithms)",
        flush=True,
    )


def _synthetic(n: int, k: int) -> LabelledData:
    random = np.random.default_rng(0)
    rows = random.standard_normal((n + GROWTH_POINTS, k))
    scores = rows @ random.standard_normal(k) / math.sqrt(k)
    labels = (scores + random.standard_normal(len(rows)) / 2 >= 0).astype(np.int64)
    return LabelledData.check(rows[:n], labels[:n], rows[n:], labels[n:])


def _exponent(sizes: list[int], values: list[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def papers_setting(data: LabelledData) -> None:
    """Section 5: the numbers to hold against the papers' figures."""
    indices = sample(len(data.y_test), PAPER_POINTS)
    print(f"mnist17, ridge paper, scale none, no intercept; {len(indices)} random test points")
    print("(numpy default_rng(0)); radius: over the points classified right; processor")
    print(f"time: median of {PAPER_ROUNDS} rounds in turn; one job, one BLAS thread\n")
    print("      q   ridge       right  proven  median KL radius   largest   ms/point")
    fits = [fit_warm(data, q, ridge="paper", scale="none", free=False) for q in PAPER_NOISE]
    seconds: list[list[float]] = [[] for _ in fits]
    results: list[list[Certificate]] = [[] for _ in fits]
    for _ in range(PAPER_ROUNDS):
        for place, (rate, _, _, model) in enumerate(fits):
            spent, results[place] = timed(certify, model, data, rate, indices)
            seconds[place].append(spent / len(indices))
    for q, (_, _, ridge, _), found, times in zip(PAPER_NOISE, fits, results, seconds, strict=True):
        right = [c for c in found if c.prediction == c.label]
        radii = [c.kl_radius for c in right]
        print(
            f"{q:>7}   {float(ridge):<10.4g}  {len(right):>5}  {sum(c.decided for c in right):>6}"
            f"  {statistics.median(radii):>16g}  {max(radii):>8}"
            f"   {1e3 * statistics.median(times):>8.2f}",
            flush=True,
        )


def confirmation_header(q: str) -> None:
    """Print what the rows of section 6 say."""
    print("random certificates (numpy default_rng(0)) against the mpmath reference at")
    print(f"{REFERENCE_DIGITS} digits, q = {q}; width: largest of the enclosures of ln B(t); gap:")
    print("largest distance of ln B(t) from its minimum over t, in nats; wall time of the")
    print("whole comparison, most of it the reference's\n")
    print("                points  contradictions     width       gap    wall (s)")


def confirm(name: str, data: LabelledData, q: str) -> None:
    """Section 6: one row for a data set."""
    indices = sample(len(data.y_test), CONFIRMED_POINTS)
    seconds, compared = timed(lambda: list(crosscheck(data, indices, q=q, digits=REFERENCE_DIGITS)))
    wrong = [(c.certificate.index, text) for c in compared for text in c.contradictions]
    width = max((c.width for c in compared if c.width is not None), default=0.0)
    gap = max((c.gap for c in compared if c.gap is not None), default=0.0)
    print(
        f"{name:<15} {len(compared):>6}  {len({index for index, _ in wrong}):>14}"
        f"  {width:>8.1e}  {gap:>8.1e}  {seconds:>10.0f}",
        flush=True,
    )
    for index, text in wrong:
        print(f"  point {index}: {text}")
