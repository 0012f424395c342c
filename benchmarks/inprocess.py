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
from certaudit.certify.label_flip import Certificate, certify_model, fit
from certaudit.certify.least_squares import LeastSquares
from certaudit.crosscheck import crosscheck
from certaudit.reference.algorithm1 import algorithm1
from certaudit.reference.least_squares import alpha_vector, normal_matrix, weights

P = ParamSpec("P")
T = TypeVar("T")
Floats = NDArray[np.float64]

ROUNDS = 5
POINTS = 128
MOST_POINTS = 4096
REFERENCE_POINTS = 3
REFERENCE_DIGITS = 60
WEIGHT_DIGITS = 100
NEWTON_STEPS = 100

PAPER_POINTS = 200
PAPER_NOISE = ("0.3", "0.1", "0.01", "1e-4", "1e-6")

CONFIRMED_POINTS = 50


def timed(task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[float, T]:
    """Return the processor seconds that a call took, and its result."""
    start = time.process_time()
    result = task(*args, **kwargs)
    return time.process_time() - start, result


def certify(
    model: LeastSquares,
    data: LabelledData,
    rate: Fraction,
    indices: Sequence[int],
    *,
    engine: str = "fast",
) -> list[Certificate]:
    """Return the certificates of test points, from the fitted model on, in this process."""
    found = (one for one, _ in certify_model(model, data, rate, indices, engine=engine))
    return sorted(found, key=lambda certificate: certificate.index)


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
    """Section 2: both engines, bare alphas, float Algorithm 1 and the reference, in turn."""
    fit_seconds, (rate, features, ridge, model) = timed(fit_warm, data, q)
    operator_seconds, operator = timed(float_operator, features.train, ridge)
    # The fast engine takes neighbouring points together: a thin sample would pay for their company.
    many = range(min(MOST_POINTS, len(data.y_test)))
    indices = sample(len(many), POINTS)
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

    def reference(w: tuple[mpmath.mpf, ...]) -> None:
        with mpmath.workdps(WEIGHT_DIGITS):
            alpha = alpha_vector(rows, w)
        with mpmath.workdps(REFERENCE_DIGITS):
            algorithm1(alpha, labels, rate)

    screened, proven, bare, plain, slow = [], [], [], [], []
    for turn in range(ROUNDS):
        seconds, certificates = timed(certify, model, data, rate, many)
        screened.append(seconds / len(many))
        seconds, exact = timed(certify, model, data, rate, indices, engine="rigorous")
        proven.append(seconds / len(indices))
        bare.append(timed(np.matmul, features.test[: len(many)], operator)[0] / len(many))
        seconds, found = timed(float_search)
        plain.append(seconds / len(indices))
        if turn < len(solved):
            slow.append(timed(reference, solved[turn])[0])

    n, k = features.train.shape
    print(f"\n{name}: n = {n}, k = {k} with the intercept, q = {q}; processor time, medians of")
    print(f"{ROUNDS} rounds in turn; one job, one BLAS thread\n")
    print(f"{'':<41}points   ms/point  x the fast engine (rounds)")
    _ratio("fast engine, proven", len(many), screened, screened)
    _ratio("rigorous engine, proven", len(indices), proven, screened)
    _ratio("float64 X_test @ M' (alphas only)", len(many), bare, screened)
    _ratio("float Algorithm 1 (NumPy, plain Newton)", len(indices), plain, screened)
    _ratio(f"mpmath reference, {REFERENCE_DIGITS} digits", len(slow), slow, screened)
    print(
        f"once, in seconds: certaudit fit {fit_seconds:.2f}, float M {operator_seconds:.2f}, "
        f"reference {solve_seconds:.1f}\n(mpmath on {mpmath.libmp.BACKEND} integers)"
    )
    differ = sum(
        (one.prediction, one.decided, one.kl_radius)
        != (
            certificates[one.index].prediction,
            certificates[one.index].decided,
            certificates[one.index].kl_radius,
        )
        for one in exact
    )
    print(f"the engines differ on {differ} of {len(exact)} points")
    _agreement(exact, found, n)


def _ratio(name: str, points: int, taken: list[float], fast: list[float]) -> None:
    """Print one row: the time of a point, and its ratio to the fast engine's in the same round."""
    ratios = sorted(a / b for a, b in zip(taken, fast, strict=False))
    middle, low, high = (short(r) for r in (statistics.median(ratios), ratios[0], ratios[-1]))
    print(
        f"{name:<41}{points:>6}  {1e3 * statistics.median(taken):>9.3f}"
        f"  {middle:>8} ({low} to {high})"
    )


def short(ratio: float) -> str:
    """Return a number of three digits, or all digits before the point."""
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


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


def papers_setting(data: LabelledData) -> None:
    """Section 5: the numbers to hold against the papers' figures."""
    indices = sample(len(data.y_test), PAPER_POINTS)
    print(f"mnist17, ridge paper, scale none, no intercept; {len(indices)} random test points")
    print("(numpy default_rng(0)); radius: over the points classified right\n")
    print("      q   ridge       right  proven  median KL radius   largest")
    for q in PAPER_NOISE:
        rate, _, ridge, model = fit_warm(data, q, ridge="paper", scale="none", free=False)
        found = certify(model, data, rate, indices)
        right = [c for c in found if c.prediction == c.label]
        radii = [c.kl_radius for c in right]
        print(
            f"{q:>7}   {float(ridge):<10.4g}  {len(right):>5}  {sum(c.decided for c in right):>6}"
            f"  {statistics.median(radii):>16g}  {max(radii):>8}",
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
