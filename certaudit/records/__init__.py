"""Signed records: the canonical form of a run's certificates, one signature over all of them."""
