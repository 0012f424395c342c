"""Balls: bridges that lose nothing, comparisons that never guess."""

from fractions import Fraction

import pytest
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st

from certaudit.errors import Undecided
from certaudit.rigorous import balls
from certaudit.rigorous.balls import decide, from_ball, order, to_ball, upper_bound


@given(st.fractions(), st.integers(2, 300))
def test_a_ball_contains_its_rational_at_any_precision(value, bits):
    with ctx.workprec(bits):
        ball = to_ball(value)
    enclosure = from_ball(ball)
    assert enclosure.lower <= value <= enclosure.upper
    assert enclosure.rad <= abs(value) / 2 ** (bits - 2)


@given(st.integers(-(2**90), 2**90), st.integers(0, 2**20), st.integers(-50, 50))
def test_bridges_are_exact_whatever_the_precision(mid, rad, exponent):
    with ctx.workprec(200):
        ball = arb((mid, exponent), (rad, exponent))
    with ctx.workprec(10):
        enclosure = from_ball(ball)
        top = upper_bound(ball)
    assert enclosure.mid == mid * Fraction(2) ** exponent
    assert enclosure.rad >= rad * Fraction(2) ** exponent
    assert top == enclosure.upper


def test_order_says_when_it_does_not_know():
    wide = arb(1, 0.5)
    assert order(wide, arb(2)) == -1
    assert order(arb(2), wide) == 1
    assert order(wide, arb(1)) is None
    assert order(arb(1), arb(1)) is None  # equality is for integers to decide
    assert order(arb("nan"), arb(1)) is None
    assert not wide < arb(1) and not wide >= arb(1)  # noqa: PT018  (why a helper is needed)


def test_decide_raises_the_precision_until_it_knows():
    seen = []

    def question():
        seen.append(ctx.prec)
        return ctx.prec if ctx.prec >= 500 else None

    before = ctx.prec
    assert decide(question, "x", bits=64) == 512
    assert seen == [64, 128, 256, 512]
    assert ctx.prec == before


def test_decide_gives_up_aloud(monkeypatch):
    monkeypatch.setattr(balls, "MAX_BITS", 1024)
    with pytest.raises(Undecided, match="whether pi is pi: not decided at 1024 bits"):
        decide(lambda: order(arb.pi(), arb.pi()), "whether pi is pi")


def test_false_is_an_answer():
    assert decide(lambda: False, "x") is False


@pytest.mark.parametrize("ball", [arb("inf"), arb("nan"), arb(0, float("inf"))])
def test_infinite_balls_are_refused(ball):
    with pytest.raises(Undecided):
        from_ball(ball)
