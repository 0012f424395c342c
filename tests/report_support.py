"""A report with every kind of block, and text that tries to get out of its place."""

from __future__ import annotations

from certaudit.report.blocks import (
    Banner,
    Basis,
    Claims,
    Code,
    Column,
    Document,
    Fact,
    Facts,
    Figure,
    Items,
    Paragraph,
    Section,
    Table,
)

HOSTILE = '</script><script>alert(1)</script> #import "x" $1+1$ \\u{202e} {{ 7*7 }} &amp; <b>\u202e'
"""Would be markup in HTML, in Typst, in a template or in a terminal."""
LONG = "data/certify/imagenet/consistency/cohen/num_2/lbd_5.0/eta_0.1/noise_1.00" * 2

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 300" width="640" height="300">'
    '<path class="c0" d="M40 20H300V200H600" fill="none" stroke="#0b2a5b" stroke-width="2"/>'
    '<text class="ink" x="40" y="290" font-size="12" fill="#222222">0</text></svg>'
)


def claims(rows: int) -> Claims:
    """Return a table of so many claims, sorted by nothing."""
    verdicts = ("refuted", "unsupported", "inconclusive", "malformed", "confirmed", "abstained")
    columns = (
        Column("file"),
        Column("line", "number"),
        Column("index", "number"),
        Column("verdict", "state"),
        Column("claimed", "number"),
        Column("proven", "number"),
        Column("excess", "number"),
        Column("why"),
    )
    made = tuple(
        (
            f"log-{row % 7}.tsv",
            str(row + 2),
            str(row * 10),
            verdicts[row % 6],
            f"{(row * 7919) % 1000 / 500:.3f}",
            "" if row % 6 == 3 else f"{(row * 6007) % 1000 / 1000:.3f}",
            "" if row % 6 > 2 else "1.2e-04",
            HOSTILE if row == 1 else "printed-rounding: no count whose number prints so proves it",
        )
        for row in range(rows)
    )
    note = f"{rows:,} of {rows + 5:,} claims: the five others are in audit.json."
    return Claims("Every claim", columns, made, rows + 5, note)


def sample(rows: int = 40) -> Document:
    """Return a document with every kind of block."""
    basis = Basis("exact", "down", "proved")
    table = Table(
        "Certified accuracy: how many of 113 points",
        (Column("flips", "number"), Column("claimed", "number"), Column("proven", "number")),
        tuple((str(r), str(104 - r), str(104 - 2 * r)) for r in range(0, 40, 2)),
        "Counts; proven ones rounded down.",
    )
    sections = (
        Section(
            1,
            "Identification",
            (
                Facts(
                    (
                        Fact("System", HOSTILE),
                        Fact("Operator", None),
                        Fact("Data", LONG),
                        Fact("Points", "113", Basis("", "exact", "declared")),
                    ),
                    "What this is about",
                ),
                Paragraph("A paragraph, plain. " * 12),
                Paragraph(HOSTILE, "bad"),
                Paragraph("Not everything was checked.", "warn"),
            ),
        ),
        Section(
            8,
            "Results",
            (
                Figure("curve-1", "Certified accuracy", SVG, "A falling line: 104 at 0.", table),
                table,
                Table(
                    "Steps",
                    (Column("step"), Column("state", "state"), Column("digest", "code")),
                    (
                        ("signature", "proved", "4ff124cc88be8e255a7d68dbf76ba927" * 2),
                        ("alpha", "declared", ""),
                        ("radius", "not checked", HOSTILE),
                        ("tree", "failed", ""),
                    ),
                ),
                claims(rows),
            ),
        ),
        Section(
            12,
            "Reproduction",
            (Code(f"certaudit audit '{HOSTILE}'\nls {LONG}"), Items(("one", HOSTILE, LONG))),
        ),
    )
    banner = Banner(
        "bad",
        "2 of 113 claims are refuted",
        ("Of 113 claims 100 are confirmed, 11 unsupported, 2 refuted.", HOSTILE),
        (
            Fact("claims", "113", Basis("", "exact", "proved")),
            Fact("certified accuracy at 20 flips", "73.45 %", basis),
            Fact("policy radius", None),
        ),
    )
    return Document(
        f"Evidence report: {HOSTILE}", "breast_cancer.csv", "0.1.0", None, None, banner, sections
    )
