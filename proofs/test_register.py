"""No public bound without a proof, no proof for code that has changed since."""

import pytest
import register


def test_every_public_bound_is_proven_for_the_code_of_today():
    assert register.problems() == []


def test_there_is_something_to_prove():
    assert len(list(register.public_bounds())) > 20
    assert len(register.entries()) >= 9


def bound_without_a_proof():
    """Return a number."""


def bound_with_an_unknown_proof():
    """Return a number.

    Proof: `proofs/no-such-entry.md`.
    """


def test_a_missing_proof_is_noticed(monkeypatch):
    extra = [("m:a", bound_without_a_proof), ("m:b", bound_with_an_unknown_proof)]
    monkeypatch.setattr(register, "public_bounds", lambda: iter(extra))
    assert [line for line in register.problems() if line.startswith("m:")] == [
        "m:a: names no proof",
        "m:b: proofs/no-such-entry.md does not exist",
    ]


def test_changed_code_is_noticed(monkeypatch):
    name = "certaudit.rigorous.radius:kl_radius"
    real = register.source_hash
    monkeypatch.setattr(register, "source_hash", lambda n: "0" * 64 if n == name else real(n))
    assert f"kl-radius.md: {name} has changed since it was proven" in register.problems()


def test_a_check_that_does_not_exist_is_noticed(monkeypatch):
    entry = register.entries()["kl-radius"]
    broken = register.Entry(
        "kl-radius", entry.claim, entry.side, [], ["exhaustive: proofs/none.py::test_x"],
        entry.functions, "",
    )  # fmt: skip
    monkeypatch.setattr(register, "entries", lambda: {"kl-radius": broken})
    assert "kl-radius.md: there is no test proofs/none.py::test_x" in register.problems()


def test_an_entry_without_a_kind_of_check_is_refused(tmp_path):
    path = tmp_path / "x.md"
    head = 'claim = ""\nside = ""\nassumptions = []\nchecks = ["trust me"]\n[functions]\n'
    path.write_text(f"+++\n{head}+++\n")
    with pytest.raises(ValueError, match="a check starts with one of"):
        register.load(path)
