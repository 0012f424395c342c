"""`certaudit explain`: what a finding means."""

from __future__ import annotations

import click

from certaudit.cli.output import show, table

__all__ = ["explain"]


@click.command(short_help="Say what a finding means.")
@click.argument("code", required=False)
def explain(code: str | None) -> int:
    """Say what a finding means and what to do, by CODE or name; list them all without one."""
    from certaudit.findings import CATALOGUE
    from certaudit.findings import explain as look_up

    if code is None:
        listing = table("code", "name", "meaning")
        for kind in CATALOGUE.values():
            listing.add_row(kind.code, kind.name, kind.summary)
        show(listing)
        return 0
    kind = look_up(code)
    show(f"{kind.code} {kind.name}: {kind.summary}\n", kind.explanation)
    return 0
