"""The KL radius (5), B.3 of label-flip smoothing, decided exactly.

Balls decide the floor; where the bound is an integer, integers do.
"""

from __future__ import annotations

from fractions import Fraction

from flint import arb, fmpz

from certaudit.errors import InputError
from certaudit.exact import Number, as_rational
from certaudit.rigorous.balls import decide, order, to_ball

__all__ = ["check_label_noise", "divergence", "is_majority", "kl_radius"]

_LN2 = "whether the log error is below -ln 2"
_FLOOR = "the floor of the KL radius"


def check_label_noise(q: Number, classes: int = 2) -> Fraction:
    """Return q as a rational with 0 < q < (classes - 1)/classes.

    q is the probability with which each label is replaced, by one of the other
    `classes - 1` labels uniformly (section 4 and B.2 of Rosenfeld et al.).

    Raises InputError for q outside that range, a float q, or fewer than 2 classes.

    Proof: `proofs/kl-divergence.md`.
    """
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 2:
        raise InputError("classes: at least 2 classes are needed")
    rational = as_rational(q, "q")
    if not 0 < rational < Fraction(classes - 1, classes):
        limit = Fraction(classes - 1, classes)
        raise InputError(f"q: must lie strictly between 0 and {limit}")
    return rational


def _slope_and_odds(q: Fraction, classes: int) -> tuple[Fraction, Fraction]:
    """Return (1 - Kq/(K-1), (1-q)(K-1)/q): the two factors of (4), B.3 before the log."""
    return 1 - classes * q / (classes - 1), (1 - q) * (classes - 1) / q


def divergence(q: Number, classes: int = 2) -> arb:
    """Return an enclosure of the KL divergence of one flip, in nats: (4) and B.3 at r = 1.

    (1 - Kq/(K-1)) ln((1-q)(K-1)/q), at the current precision of flint. Positive.

    Raises InputError as check_label_noise does.

    Proof: `proofs/kl-divergence.md`.
    """
    slope, odds = _slope_and_odds(check_label_noise(q, classes), classes)
    return to_ball(slope) * to_ball(odds).log()


def is_majority(log_error: Number) -> bool:
    """Return whether `log_error` < -ln 2, that is whether it proves p > 1/2; exact.

    `log_error` is a rational upper bound on ln(1 - p). There is no tie: -ln 2 is irrational.

    Raises InputError for a float.

    Proof: `proofs/kl-radius.md`.
    """
    bound = as_rational(log_error, "log_error")
    if bound >= 0:
        return False
    return decide(lambda: order(to_ball(bound), -arb(2).log()), _LN2) == -1


def kl_radius(
    q: Number,
    *,
    p: Number | None = None,
    log_error: Number | None = None,
    classes: int = 2,
    cap: int | None = None,
) -> int:
    """Return the KL radius (5), B.3: the number of label flips that cannot change the vote.

    Give either `p`, a lower bound on the vote share of the predicted class, or `log_error`,
    an upper bound on ln(1 - p); both exact. The radius is the largest integer r with
    2 r D <= -ln(4 p (1 - p)), D = divergence(q, classes), 0 when p <= 1/2, and at most `cap`
    (the number of labels) where that is given. It never errs upward: equality is decided
    in integers, and at equality the radius holds for both classes.

    Raises InputError for floats, q out of range, p outside [0, 1), both or neither given;
    Undecided for p within 2^-500000 or so of 1/2, or of a tie that is none.

    Proof: `proofs/kl-radius.md`.
    """
    rate = check_label_noise(q, classes)
    if (p is None) == (log_error is None):
        raise InputError("give either p or log_error")
    if cap is not None and cap < 0:
        raise InputError("cap: must not be negative")
    if p is not None:
        radius = _radius_from_share(as_rational(p, "p"), rate, classes)
    else:
        radius = _radius_from_log_error(as_rational(log_error, "log_error"), rate, classes)
    return radius if cap is None else min(radius, cap)


def _radius_from_share(p: Fraction, q: Fraction, classes: int) -> int:
    if not 0 <= p < 1:
        raise InputError(
            "p: must lie in [0, 1); a p that is printed as 1 has lost the radius, "
            "give log_error instead"
        )
    if p <= Fraction(1, 2):
        return 0
    slope, odds = _slope_and_odds(q, classes)
    ratio = 1 / (4 * p * (1 - p))

    def radius() -> int | None:
        limit = to_ball(ratio).log() / (2 * to_ball(slope) * to_ball(odds).log())
        whole = _floor(limit)
        if whole is None and limit.is_finite():
            # Balls never decide a tie: ask the integers whether this is one.
            nearest = _nearest(limit)
            if _is_power(ratio, odds, 2 * slope * nearest):
                return nearest
        return whole

    return decide(radius, _FLOOR)


def _radius_from_log_error(log_error: Fraction, q: Fraction, classes: int) -> int:
    if not is_majority(log_error):
        return 0
    slope, odds = _slope_and_odds(q, classes)

    def radius() -> int | None:
        """-ln(4 p (1 - p)) at p = 1 - exp(log_error); no ties, `proofs/kl-radius.md`."""
        error = to_ball(log_error)
        margin = -arb(4).log() - error - (-error.exp()).log1p()
        return _floor(margin / (2 * to_ball(slope) * to_ball(odds).log()))

    return decide(radius, _FLOOR)


def _floor(ball: arb) -> int | None:
    """Return the floor of every number in the ball, None where they differ."""
    whole = ball.floor().unique_fmpz() if ball.is_finite() else None
    return None if whole is None else int(whole)


def _nearest(ball: arb) -> int:
    """Return the integer nearest to the midpoint of a finite ball."""
    mantissa, exponent = ball.mid().man_exp()
    value = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return round(value)


def _is_power(u: Fraction, v: Fraction, exponent: Fraction) -> bool:
    """Return whether u = v**exponent, for u, v > 1 and exponent > 0; exact.

    With exponent = a/b in lowest terms u**b = v**a holds iff v = w**b and u = w**a for one
    rational w (unique factorisation), so no large power is ever formed.
    """
    a, b = exponent.numerator, exponent.denominator
    size = max(u.numerator, u.denominator, v.numerator, v.denominator).bit_length()
    if exponent <= 0 or max(a, b) > size:
        return False
    top, bottom = _root(v.numerator, b), _root(v.denominator, b)
    return top is not None and bottom is not None and Fraction(top, bottom) ** a == u


def _root(n: int, degree: int) -> int | None:
    """Return the integer n**(1/degree), None where that is no integer."""
    root = int(fmpz(n).root(degree))
    return root if root**degree == n else None
