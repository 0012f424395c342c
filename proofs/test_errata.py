"""The slips of the papers that no other proof shows, and that errata.md names tests that exist."""

import re
from fractions import Fraction
from pathlib import Path

import mpmath

from certaudit.reference.algorithm1 import algorithm1
from certaudit.reference.vote import hard_vote, soft_vote

ROOT = Path(__file__).parent.parent


def test_the_output_is_not_the_vote():
    """N = 1, alpha = 3/5, y = 1, q = 1/5: t* < 0, output 0; but G = 4/5 and the vote is 1."""
    alpha, labels, q = [Fraction(3, 5)], [1], Fraction(1, 5)
    with mpmath.workdps(30):
        output = algorithm1([mpmath.mpf(3) / 5], labels, q)
    assert output.prediction == 0
    assert output.radius == 0
    share = soft_vote(alpha, labels, q)
    assert share == Fraction(4, 5)
    assert hard_vote(share) == 1


def test_errata_name_tests_that_exist():
    text = (ROOT / "docs" / "errata.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", text))
    assert len(named) > 8
    sources = [
        path for folder in ("proofs", "tests") for path in (ROOT / folder).rglob("test_*.py")
    ]
    defined = {
        name
        for path in sources
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named <= defined
    for path in re.findall(r"`((?:proofs|docs)/[a-z0-9/-]+\.md)`", text):
        assert (ROOT / path).is_file()
