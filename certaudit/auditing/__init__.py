"""Audits: claims in, verdicts out; no file access.

Not named `audit`: that is the function of the Python interface.
"""
