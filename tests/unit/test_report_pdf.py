"""The PDF: archival, tagged, the same bytes everywhere, with every text as it was given."""

import dataclasses
import os
import re
import subprocess
import sys
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pypdf import PdfReader
from report_support import HOSTILE, LONG, SVG, claims, sample

import certaudit
from certaudit.errors import InputError
from certaudit.report import pdf
from certaudit.report.blocks import (
    Basis,
    Claims,
    Code,
    Column,
    Fact,
    Facts,
    Figure,
    Items,
    Paragraph,
    Section,
    Table,
    visible,
)
from certaudit.report.pdf import render_pdf

EMPTY = dataclasses.replace(sample().banner, figures=(), sentences=())
SUMMARY = '{"a": "\u00e9\x00\u202e\U0001f600 #import",\r\n"b": [1]}\n'.encode()
UNDRAWN = "中文 😀 שלום e\u0301 \u200b"
ESCAPED = r"\u4e2d\u6587 \U0001f600 \u05e9\u05dc\u05d5\u05dd e\u0301 \u200b"
DRAWN = "".join(c for c in map(chr, range(0x3000)) if c.isprintable() and not pdf._UNDRAWN.match(c))
XMP = {
    "pdfaid": "http://www.aiim.org/pdfa/ns/id/",
    "pdfuaid": "http://www.aiim.org/pdfua/ns/id/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
}


def with_blocks(*blocks, **changes):
    section = Section(1, "Only section", blocks)
    return dataclasses.replace(sample(), sections=(section,), **changes)


def read(document):
    return PdfReader(BytesIO(render_pdf(document, SUMMARY)), strict=True)


def squeezed(text):
    return "".join(text.split())


def text_of(reader):
    """Return the text of all pages without spaces and line ends, which typesetting moves."""
    return squeezed("".join(page.extract_text() for page in reader.pages))


def xmp(reader, name):
    root = ET.fromstring(reader.trailer["/Root"]["/Metadata"].get_data())  # noqa: S314
    return squeezed("".join(root.find(f".//{name}", XMP).itertext()))


@pytest.fixture(scope="module")
def made():
    return read(sample())


def test_the_file_says_what_it_is(made):
    root = made.trailer["/Root"]
    assert xmp(made, "pdfaid:part") == "3"
    assert xmp(made, "pdfaid:conformance") == "A"
    assert xmp(made, "pdfuaid:part") == "1"
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert xmp(made, "dc:language") == "en"
    assert made.metadata.title == visible(sample().title)
    assert xmp(made, "dc:title") == squeezed(made.metadata.title)
    assert [entry.title for entry in made.outline] == [
        "1 Identification",
        "8 Results",
        "12 Reproduction",
    ]


def test_the_summary_is_attached_byte_for_byte(made):
    assert dict(made.attachments) == {"report.json": [SUMMARY]}
    (file,) = (entry.get_object() for entry in made.trailer["/Root"]["/AF"])
    assert file["/AFRelationship"] == "/Data"
    assert file["/Desc"]
    assert file["/EF"]["/F"].get_object()["/Subtype"] == "/application/json"


def test_texts_are_printed_as_they_are(made):
    text = text_of(made)
    # Title, system, tone, step, why, command, item, and a sentence of the banner.
    assert text.count(squeezed(visible(HOSTILE))) == 8
    assert text.count(squeezed(LONG)) == 3
    assert "digest" in text
    assert "4ff124cc88be8e255a7d68dbf76ba927" * 2 in text


def test_nothing_that_was_given_is_missing(made):
    text = text_of(made)
    for words in (
        "Result: not in order",
        "2 of 113 claims are refuted",
        "73.45 %certified accuracy at 20 flips exact, rounded down, proved",
        "NOT STATED policy radius",
        "OperatorNOT STATED",
        "Points113exact, declared",
        "Problem: </script>",
        "Caution: Not everything",
        "Counts; proven ones rounded down.",
        "certaudit 0.1.0Page 4 of 4",
    ):
        assert squeezed(words) in text
    alts = [thing.get("/Alt") for thing in structure(made)]
    assert "A falling line: 104 at 0." in alts
    kinds = {thing.get("/S") for thing in structure(made)}
    assert {"/H1", "/Table", "/TH", "/TD", "/Figure", "/Caption", "/L", "/P"} <= kinds


def structure(reader):
    waiting = [reader.trailer["/Root"]["/StructTreeRoot"]]
    while waiting:
        thing = waiting.pop().get_object()
        if isinstance(thing, dict):
            yield thing
            kids = thing.get("/K", [])
            waiting += kids if isinstance(kids, list) else [kids]


RENDER = """
import os, sys
from report_support import sample
from certaudit.report.pdf import render_pdf
here = render_pdf(sample(), b"{}")
os.mkdir("folder")
os.chdir("folder")
os.rmdir("../folder")
nowhere = render_pdf(sample(), b"{}")
sys.stdout.buffer.write(here + nowhere)
"""


def test_the_same_document_is_the_same_bytes_anywhere(tmp_path):
    here = render_pdf(sample(), b"{}")
    assert render_pdf(sample(), b"{}") == here
    for name in ("main.typ", "document.json", "report.json"):
        (tmp_path / name).write_text("not this one")
    roots = (Path(certaudit.__file__).parents[1], Path(__file__).parents[1])
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(map(str, roots)),
        "HOME": str(tmp_path / "missing"),
        "TZ": "Pacific/Kiritimati",
        "SOURCE_DATE_EPOCH": "1700000000",
        "FONTCONFIG_FILE": str(tmp_path / "missing.conf"),
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
    }
    done = subprocess.run(
        [sys.executable, "-c", RENDER],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
    )
    assert done.stdout == here + here
    assert not done.stderr


def test_only_fonts_of_the_wheel_are_used():
    svg = SVG.replace("<text", '<text font-family="DejaVu Sans, sans-serif"')
    reader = read(with_blocks(Figure("a", "", svg, "alt"), Code("a")))
    fonts = {thing["/BaseFont"] for thing in objects(reader) if "/BaseFont" in thing}
    names = {font.partition("+")[2].partition("-")[0] for font in fonts}  # embedded have a "+"
    assert names == {"LibertinusSerif", "DejaVuSansMono"}


def objects(reader):
    found = (reader.get_object(number) for number in range(1, reader.trailer["/Size"]))
    return [thing for thing in found if isinstance(thing, dict)]


def test_the_date_is_the_stated_one():
    reader = read(with_blocks(date="2026-05-04"))
    assert "Date2026-05-04" in text_of(reader)
    assert reader.metadata["/CreationDate"] == "D:20260504000000Z"
    assert reader.metadata["/ModDate"] == "D:20260504000000Z"
    assert xmp(reader, "xmp:CreateDate") == "2026-05-04T00:00:00Z"
    assert "1970" not in reader.metadata.subject


def test_no_date_is_said_to_be_none(made):
    assert "DateNOTSTATED" in text_of(made)
    assert made.metadata["/CreationDate"] == "D:19700101000000Z"
    assert (
        made.metadata.subject == "breast_cancer.csv (date: NOT STATED; 1970-01-01 stands for none)"
    )


@pytest.mark.parametrize("date", ["2026-02-30", "May 2026", ""])
def test_what_is_no_date_is_refused(date):
    with pytest.raises(InputError, match="is no day YYYY-MM-DD"):
        render_pdf(with_blocks(date=date), b"")


def test_characters_without_a_glyph_are_escaped():
    column = Column(UNDRAWN)
    svg = SVG.replace(">0<", f">{UNDRAWN}<")
    row = Table(UNDRAWN, (column,), ((UNDRAWN,),), UNDRAWN)
    document = with_blocks(
        Paragraph(UNDRAWN),
        Paragraph(UNDRAWN, "warn"),
        Facts((Fact(UNDRAWN, UNDRAWN, Basis(UNDRAWN, "", "")),), UNDRAWN),
        Items((UNDRAWN,)),
        Code(UNDRAWN),
        Claims(UNDRAWN, (column,), ((UNDRAWN,),), 1, UNDRAWN),
        Figure("a", UNDRAWN, svg, UNDRAWN, row),
        title=UNDRAWN,
        subtitle=UNDRAWN,
        version=UNDRAWN,
        responsible=UNDRAWN,
    )
    reader = read(document)
    # 2 paragraphs, 4 of facts, item, code, 2 tables of 4, a figure's caption and text; 4 in the
    # head, and at the foot of each page.
    on_pages = len(reader.pages) + (len(reader.pages) - 1)
    assert text_of(reader).count(squeezed(ESCAPED)) == 22 + on_pages
    assert reader.metadata.title == ESCAPED
    assert ESCAPED in [thing.get("/Alt") for thing in structure(reader)]


def test_lines_end_where_they_ended_in_commands_only():
    reader = read(with_blocks(Paragraph("one\ntwo"), Code("three\nfour")))
    lines = "".join(page.extract_text() for page in reader.pages).splitlines()
    assert [line for line in lines if re.search("one|two|three|four", line)] == [
        r"one\ntwo",
        "three",
        "four",
    ]


def test_every_character_that_is_not_escaped_has_a_glyph():
    assert set("Žižek Ελλάδα България Việt ≤ ≥ ≠ ± × “q” – — … € → −") <= set(DRAWN)
    column = Column("a", "code")
    state = Column("b", "state")
    # Typst refuses the file if one is missing.
    reader = read(
        with_blocks(
            Paragraph(DRAWN),
            Facts((), DRAWN),
            Code(DRAWN),
            Table("", (column, state), ((DRAWN, DRAWN),)),
            Figure("a", "", SVG.replace(">0<", f">{DRAWN[97:]}<"), "alt"),
        )
    )
    found = set(text_of(reader))
    assert len(set(DRAWN) - found) < 12, set(DRAWN) - found  # ligatures, compatibility forms


def test_headings_of_a_table_are_repeated_and_rows_cut():
    table = claims(400)
    whole = dataclasses.replace(table, printed=400)
    reader = read(with_blocks(whole))
    heads = [re.search(r"verdict\s+claimed", page.extract_text()) for page in reader.pages]
    assert len(heads) > 5
    assert all(heads[1:])
    text = text_of(reader)
    assert "log-0.tsv4013990" in text
    assert squeezed("400 of 405 rows are printed, 5 are not.") in text

    cut = text_of(read(with_blocks(table)))
    assert "log-3.tsv26240" in cut
    assert "log-4.tsv27250" not in cut
    assert squeezed(f"25 of 405 rows are printed, 380 are not. {table.note}") in cut

    short = dataclasses.replace(claims(3), total=3, note="That is all.")
    assert "printed," not in text_of(read(with_blocks(short)))


def test_nothing_runs_out_of_its_place():
    wide = "ab12" * 64
    columns = tuple(Column(f"heading {n}", "code" if n % 2 else "text") for n in range(8))
    numbers = tuple(Column(f"certified {n}", "number") for n in range(8))
    reader = read(
        with_blocks(
            Paragraph(wide),
            Facts((Fact(wide, wide),)),
            Items((wide,)),
            Code(wide),
            Table(wide, columns, ((wide,) * 8,), wide),
            Table("numbers", numbers, (("1234567890" * 5,) * 8,)),
            Table("numbers", numbers, (("123456789.123456789",) * 8,)),
            title=wide,
        )
    )
    lines = [line for page in reader.pages for line in page.extract_text().splitlines()]
    assert max(len(line) for line in lines if " . . " not in line) < 130
    assert text_of(reader).count(wide) >= 6
    assert max(len(line) for line in lines if re.fullmatch("[ab12]+", line)) > 40
    places = [place for page in reader.pages for _, place in placed(page)]
    margin = 24 / 25.4 * 72
    assert min(places) > margin - 0.1
    assert max(places) < 595 - margin


def placed(page):
    """Return the texts of a page and how far from the left edge they begin, in points."""
    found = []

    def visit(text, cm, tm, _font, _size):
        if text.strip():
            found.append((text.strip(), cm[0] * tm[4] + cm[4]))

    page.extract_text(visitor_text=visit)
    return found


def test_short_columns_are_narrow_and_long_ones_share_the_rest():
    columns = (Column("n", "number"), Column("state", "state"), Column("a"), Column("b"))
    rows = (("12", "not checked", "short words " * 4, "long words " * 40),)
    (page,) = read(with_blocks(Table("t", columns, rows), banner=EMPTY)).pages
    at = dict(placed(page))
    assert at["12"] < at["state"] < 100 < at["a"] < 150
    assert at["b"] - at["a"] < 0.5 * (527 - at["b"])
    assert "not checked" in at

    row = ("certificates.jsonl [exact]", "47579", "a1" * 32)
    columns = (Column("file"), Column("bytes", "number"), Column("SHA-256", "code"))
    (page,) = read(with_blocks(Table("t", columns, (row,)), banner=EMPTY)).pages
    assert " ".join(row) in page.extract_text().splitlines()


def test_numbers_in_a_sentence_are_not_broken():
    assert pdf._words("at most 0.7345132743362832, exactly") == (
        "at most 0.7345132743362832, exactly"
    )
    assert len(pdf._words("digest " + "ab12" * 16)) > 4
    assert "".join(pdf._words(HOSTILE + LONG)) == visible(HOSTILE + LONG)


@pytest.mark.parametrize(
    ("word", "tone"),
    [
        ("confirmed", "good"),
        ("met", "good"),
        ("refuted", "bad"),
        ("unsupported", "bad"),
        ("not met", "bad"),
        ("not checked", "warn"),
        ("anything", "warn"),
    ],
)
def test_states_are_coloured(word, tone):
    assert pdf._cell(Column("state", "state"), word) == {"words": word, "tone": tone}


def test_what_is_empty_is_no_error():
    columns = (Column("a"), Column("b", "number"), Column("c", "state"))
    document = with_blocks(
        Table("none", columns, ()),
        Claims("none", columns, (), 3, "They are elsewhere."),
        Facts(()),
        Items(()),
        Code(""),
        Paragraph(""),
        banner=EMPTY,
    )
    assert "0of3rowsareprinted,3arenot." in text_of(read(document))
    assert len(read(dataclasses.replace(document, sections=())).pages) == 1


def test_the_template_asks_nobody():
    template = (files("certaudit.report") / "templates" / "report.typ").read_text()
    assert not re.search(r"#?\b(import|include)\b|@preview", template)


def test_without_typst_it_is_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(InputError, match=r"^a PDF report needs typst: pip install 'certaudit\[rep"):
        render_pdf(sample(), b"")
