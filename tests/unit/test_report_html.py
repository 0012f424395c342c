"""The HTML of a report: one file, the same each time, in which texts stay texts."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from report_support import HOSTILE, SVG, sample

from certaudit.errors import InputError
from certaudit.report.blocks import Claims, Code, Column, Fact, Facts, Section, Table, visible
from certaudit.report.html import render_html

ROOT = Path(__file__).parents[2]
SAY = "from report_support import sample; from certaudit.report.html import render_html; "
SAY += "import certaudit, hashlib; print(certaudit.__file__); "
SAY += "print(hashlib.sha256(render_html(sample())).hexdigest())"


class Page(HTMLParser):
    """The elements of a page: names and attributes, and the text inside each."""

    def __init__(self, html):
        super().__init__()
        self.found, self._open = [], []
        self.feed(html.decode())

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])
        self._open.append(self.found[-1])

    def handle_endtag(self, tag):
        while self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        for element in self._open:
            element[2] += data

    def all(self, tag):
        return [(attributes, text) for name, attributes, text in self.found if name == tag]


def page(*blocks, **changes):
    document = replace(sample(), sections=(Section(1, "One", blocks),), **changes)
    return Page(render_html(document))


def packed(columns, rows):
    claims = Claims("All", columns, rows, len(rows), "")
    ((_, text),) = [s for s in page(claims).all("script") if s[0].get("type")]
    return json.loads(text)


def test_same_report_same_bytes_in_another_process_and_from_a_zip(tmp_path):
    archive = tmp_path / "certaudit.zip"
    with ZipFile(archive, "w") as file:
        for each in (ROOT / "certaudit").rglob("*"):
            if each.suffix == ".py" or each.parent.name == "templates":
                file.write(each, each.relative_to(ROOT))
    digests = set()
    for seed, package in (("1", ROOT), ("2", archive)):
        path = os.pathsep.join(map(str, (package, ROOT / "tests")))
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", SAY],
            cwd=tmp_path,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        where, digest = done.stdout.split()
        assert where.startswith(str(package))
        digests.add(digest)
    assert digests == {hashlib.sha256(render_html(sample())).hexdigest()}


def test_nothing_comes_from_elsewhere_and_the_policy_knows_what_is_inside():
    html = Page(render_html(sample()))
    for tag, attributes, _ in html.found:
        assert not {"src", "style", "action", "data", "srcset"} & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "#").startswith("#")
    ((_, style),) = html.all("style")
    assert not re.search(r"url\(|@import", style)
    ((script, code),) = [s for s in html.all("script") if not s[0]]
    assert script == {}
    (policy,) = [m["content"] for m, _ in html.all("meta") if "http-equiv" in m]
    digests = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, code)
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_hostile_text_stands_everywhere_as_it_is():
    everywhere = page(
        Facts((Fact(HOSTILE, HOSTILE),), HOSTILE),
        Code(HOSTILE),
        Table(HOSTILE, (Column(HOSTILE), Column("s", "state")), ((HOSTILE, HOSTILE),), HOSTILE),
        Claims(HOSTILE, (Column(HOSTILE, "state"),), ((HOSTILE,),), 7, HOSTILE),
        title=HOSTILE,
        subtitle=HOSTILE,
        version=HOSTILE,
        date=HOSTILE,
        responsible=HOSTILE,
    )
    shown = visible(HOSTILE)
    expected = {"title": 1, "h1": 1, "dt": 1, "dd": 4, "h3": 2, "code": 1, "caption": 1, "th": 2}
    expected |= {"td": 3, "p": 4, "option": 1, "label": 1}
    for tag, number in expected.items():
        assert sum(shown in text for _, text in everywhere.all(tag)) == number, tag
    assert len(everywhere.all("script")) == 2
    assert not everywhere.all("b")
    (controls,) = [a for a, _ in everywhere.all("div") if a.get("role") == "search"]
    assert controls["aria-label"] == f"Rows of: {shown}"


def test_what_cannot_be_seen_is_shown():
    text = "a\u202eb\u2066\u200b\xa0\x1b\ud800\u2028\n\té \\"
    assert visible(text) == "a\\u202eb\\u2066\\u200b\\xa0\\x1b\\ud800\\u2028\\n\\té \\"
    assert visible("a\n b\r\n", lines=True) == "a\n b\\r\n"
    assert page(Code(text)).all("code")[0][1] == visible(text, lines=True)
    assert visible(text) in page(Table("", (Column("a"),), ((text,),))).all("td")[0][1]


def test_what_was_not_stated_is_said():
    html = page(Facts((Fact("a", None), Fact("b", "1"))), date="2026-01-02")
    values = [text for _, text in html.all("dd")]
    # version, date, responsible; the three cards; the two facts
    assert values[:3] == ["certaudit 0.1.0", "2026-01-02", "NOT STATED"]
    assert values[5:] == ["NOT STATED", "NOT STATED", "1"]
    assert values[4].split(" ", 2) == ["73.45", "%", "exact, rounded down, proved"]


@pytest.mark.parametrize(
    ("word", "tone"),
    [
        *((word, "good") for word in ("confirmed", "proved", "checked", "met")),
        *((word, "bad") for word in ("unsupported", "refuted", "failed", "not met")),
        *((word, "warn") for word in ("inconclusive", "not checked", "declared", "open", "new")),
    ],
)
def test_states_are_told_apart(word, tone):
    html = page(Table("", (Column("s", "state"),), ((word,), ("",))))
    cells = [(a, text) for a, text in html.all("span") if text == word]
    assert cells == [({"class": tone}, word)]
    assert packed((Column("s", "state"),), ((word,),))[0]["tones"] == [tone]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("good", "Result: in order"),
        ("warn", "Result: with reservations"),
        ("bad", "Result: not in order"),
    ],
)
def test_banner_says_its_state_in_words(state, words):
    html = page(banner=replace(sample().banner, state=state))
    (said,) = [text for a, text in html.all("p") if a.get("class") == "state"]
    assert said.strip() == words


def test_numbers_are_ranked_exactly_and_what_is_none_not_at_all():
    cells = ("", "1.0", "9007199254740993", "1e400", "abc", "-2", "NaN", "1", "9007199254740992")
    (column,) = packed((Column("n", "number"),), tuple((cell,) for cell in cells))
    assert [column["values"][cell] for cell in column["cells"]] == list(cells)
    ranks = [column["ranks"][cell] for cell in column["cells"]]
    assert ranks == [None, 1, 3, 4, None, 0, None, 1, 2]


def test_texts_are_ranked_by_code_point_and_empty_ones_not_at_all():
    cells = ("b", "", "\U0001f600", "\uffee", "B", "10", "9")
    (column,) = packed((Column("t"),), tuple((cell,) for cell in cells))
    ranks = [column["ranks"][cell] for cell in column["cells"]]
    assert ranks == [3, None, 5, 4, 2, 0, 1]


def test_first_rows_stand_in_the_page_itself():
    claims = sample(40).sections[1].blocks[-1]
    html = page(claims)
    assert len(html.all("tr")) == 1 + 25
    texts = [text for _, text in html.all("p")]
    assert "Rows 1–25 of 40" in texts
    assert f"In all 45. {claims.note}" in texts
    (controls,) = [a for a, _ in html.all("div") if a.get("class") == "controls"]
    assert "hidden" in controls


def test_picture_is_named_and_its_prolog_dropped():
    figure = replace(sample().sections[1].blocks[0], svg=f'<?xml version="1.0"?>\n{SVG}\n')
    html = render_html(replace(sample(), sections=(Section(1, "One", (figure,)),)))
    assert f'role="img" aria-label="{figure.alt}">{SVG}</div>'.encode() in html


def test_what_cannot_be_seen_in_a_picture_is_shown():
    figure = replace(sample().sections[1].blocks[0], svg="<svg>\n<text>a\u202eb</text></svg>")
    assert page(figure).all("text") == [({}, "a\\u202eb")]


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("<script>1</script>", "element that does not draw: 'script'"),
        ("<SCRIPT>1</SCRIPT>", "'script'"),
        ("<foreignObject/>", "'foreignobject'"),
        ("<a><path/></a>", "'a'"),
        ("<use/>", "'use'"),
        ("<style>*{}</style>", "'style'"),
        ('<path onload="1"/>', "attribute 'onload'"),
        ('<path xlink:href="#a"/>', "attribute 'xlink:href'"),
        ('<path style="fill:red"/>', "attribute 'style'"),
        ("</svg><b>", "'b'"),
    ],
)
def test_pictures_only_draw(inside, message):
    figure = replace(sample().sections[1].blocks[0], svg=f"<svg>{inside}</svg>")
    with pytest.raises(InputError, match=re.escape(message)):
        page(figure)


@pytest.mark.parametrize("svg", ["", "<p>", "<svg>", "</svg>"])
def test_what_is_no_picture_is_refused(svg):
    figure = replace(sample().sections[1].blocks[0], svg=svg)
    with pytest.raises(InputError, match="no SVG document"):
        page(figure)


def test_jinja2_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(InputError, match=re.escape("pip install 'certaudit[report]'")):
        render_html(sample())
