"""Read other people's certificate files: logs, probability logs, curves, votes, CSV, JSON lines.

A reader recognises a file by its first bytes, says what the file, its name and its path state, and
streams the rows as text. It decides nothing, and parses no number of a claim. Logs can be written
again with other numbers.
"""

from certaudit.io.claims.common import MAX_FILE, MAX_LINE, ROWS, Broken, Skipped
from certaudit.io.claims.frames import frame_source
from certaudit.io.claims.rewriting import check_rewrite, rewrite
from certaudit.io.claims.tree import PROFILES, sources

__all__ = [
    "MAX_FILE",
    "MAX_LINE",
    "PROFILES",
    "ROWS",
    "Broken",
    "Skipped",
    "check_rewrite",
    "frame_source",
    "rewrite",
    "sources",
]
