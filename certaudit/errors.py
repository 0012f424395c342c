"""The errors that certaudit raises on purpose.

One small tree: bad input, evidence that is not to be trusted, and a question that a stated limit
left open.
A claim that turns out to be false is a result, never an exception.
"""

from __future__ import annotations


class CertauditError(Exception):
    """Root of every error raised on purpose; the text is one line for a person."""


class InputError(CertauditError, ValueError):
    """Input that cannot be read or lies outside its domain; the text names the place."""


class Untrusted(CertauditError):  # noqa: N818  (the word of exit code 4)
    """A signature, digest or Merkle check failed; the text says which one and of what."""


class Undecided(CertauditError):  # noqa: N818  (the word of the three-valued answers)
    """A comparison that stayed open at the largest precision allowed.

    Raised instead of guessing; the text says which comparison and which limit.
    """
