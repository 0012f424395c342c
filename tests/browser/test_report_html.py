"""Reports as a browser shows them: nothing is fetched, long tables work, all can be read."""

import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from random import Random

import pytest
from report_support import HOSTILE, sample
from report_support import LONG as LONG_WORD

from certaudit.report.blocks import Claims, Column, Section, visible

ROWS = 10_000
STATES = ("confirmed", "refuted", "unsupported", "inconclusive", "")
COLUMNS = (
    Column("file"),
    Column("line", "number"),
    Column("excess", "number"),
    Column("verdict", "state"),
    Column("digest", "code"),
)
NUMBERS = (
    "", "0", "-0.0", "1", "1.0", "1e0", "-1", "10", "9", "1.2e-04", "-3E+2", "1e-400", "1e400",
    "9007199254740993", "9007199254740992", "0.1000000000000000000001", "0.1", "abc", "NaN",
)  # fmt: skip


def awkward():
    """Return claims whose order is easily got wrong."""
    random = Random(5)
    rows = tuple(
        (
            random.choice(("a.tsv", "A.tsv", "b.tsv", "ä.tsv", "a.tsv2", HOSTILE, "")),
            str(row + 2),
            random.choice(NUMBERS) if random.random() < 0.5 else f"{random.gauss(0, 9):.3g}",
            random.choice(STATES),
            random.choice(("", f"{random.getrandbits(64):016x}")),
        )
        for row in range(ROWS)
    )
    return Claims("Every claim", COLUMNS, rows, ROWS + 5, "The five others are elsewhere.")


CLAIMS = awkward()
LONG = replace(sample(), sections=(Section(1, "Claims", (CLAIMS,)),))
SHOWN = [tuple(visible(cell) for cell in row) for row in CLAIMS.rows]


def key(kind, text):
    if kind != "number":
        return text or None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return None if number.is_nan() else number


def by(rows, place, *, falling=False):
    """Return rows sorted as Python sorts, those without a key last."""
    kind = COLUMNS[place].kind
    keyed = [row for row in rows if key(kind, row[place]) is not None]
    rest = [row for row in rows if key(kind, row[place]) is None]
    return sorted(keyed, key=lambda row: key(kind, row[place]), reverse=falling) + rest


def page(browser):
    """Return the rows that are shown."""
    script = """return [...document.querySelectorAll(".claims tbody tr")].map(
        (row) => [...row.cells].map((cell) => cell.textContent))"""
    return [tuple(row) for row in browser.execute_script(script)]


def pages(browser):
    """Return the rows of this page and all that follow."""
    script = """
        const rows = [], next = document.querySelector(".claims .next");
        for (;;) {
          for (const row of document.querySelectorAll(".claims tbody tr"))
            rows.push([...row.cells].map((cell) => cell.textContent));
          if (next.ariaDisabled === "true") return rows;
          next.click();
        }"""
    return [tuple(row) for row in browser.execute_script(script)]


def find(browser, selector):
    return browser.find_elements("css selector", selector)


def status(browser):
    return find(browser, ".claims .status")[0].text


def sort(browser, place):
    find(browser, ".claims th button")[place].click()


def sorted_by(browser):
    return [head.get_attribute("aria-sort") for head in find(browser, ".claims th")]


def search(browser, text):
    from selenium.webdriver import Keys

    field = find(browser, ".claims input")[0]
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(text or Keys.BACKSPACE)


def choose(browser, text):
    """Choose an option of the first select by what it says."""
    (option,) = (o for o in find(browser, ".claims select option") if o.text == text)
    option.click()


def emulate(browser, *, media="", scheme="light"):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def narrow(browser, width):
    size = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def displayed(browser, selector):
    return [element.is_displayed() for element in find(browser, selector)]


# What it asks for, and what is in it -------------------------------------------------------------


def test_nothing_is_fetched_and_nothing_is_blocked(browser, show):
    file = show(sample(300))
    sort(browser, 3)
    search(browser, "log")
    find(browser, ".claims .next")[0].click()
    messages = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    asked = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    # The browser's own first page may still be busy.
    ours = [each for each in asked if not each["documentURL"].startswith("chrome")]
    assert [each["request"]["url"] for each in ours] == [file.as_uri()]
    assert browser.get_log("browser") == []


def test_the_policy_blocks_what_was_not_written_with_it(browser, show):
    show(sample())
    blocked = browser.execute_async_script("""
        const done = arguments[0], found = [];
        document.addEventListener("securitypolicyviolation", (e) => {
          found.push(e.effectiveDirective);
          if (found.length === 3) done(found.sort());
        });
        const script = document.createElement("script");
        script.textContent = "window.stolen = 1";
        const style = document.createElement("style");
        style.textContent = "body {display: none}";
        const image = document.createElement("img");
        image.src = "http://127.0.0.1:9/image.png";
        document.body.append(script, style, image);
    """)
    assert blocked == ["img-src", "script-src-elem", "style-src-elem"]
    assert browser.execute_script("return window.stolen") is None
    browser.get_log("browser")


def test_hostile_text_is_text(browser, show):
    show(sample(300))
    hostile = visible(HOSTILE)
    texts = {
        "h1": f"Evidence report: {hostile}",
        ".banner p:last-child": hostile,
        ".facts dd": hostile,
        ".tone.bad": f"Problem: {hostile}",
        "li:nth-child(2):not(nav *)": hostile,
        ".claims tbody tr:nth-child(2) td:last-child": hostile,
    }
    for selector, text in texts.items():
        assert find(browser, selector)[0].get_property("textContent") == text, selector
    code = find(browser, "pre code")[0].get_property("textContent")
    assert code.split("\n")[0] == f"certaudit audit '{hostile}'"
    assert browser.title == f"Evidence report: {hostile}"
    assert not find(browser, "b")
    kinds = [script.get_attribute("type") for script in find(browser, "script")]
    assert sorted(kinds) == ["", "application/json"]


# Long tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 2, 3])
def test_every_row_is_sorted_as_python_sorts_it(browser, show, place):
    show(LONG)
    sort(browser, place)
    assert pages(browser) == by(SHOWN, place)
    sort(browser, place)
    assert pages(browser) == by(SHOWN, place, falling=True)


def test_sorting_goes_up_down_and_back_to_the_order_of_the_source(browser, show):
    show(LONG)
    assert page(browser) == SHOWN[:100]
    assert sorted_by(browser) == ["none"] * 5
    sort(browser, 1)
    sort(browser, 2)
    assert sorted_by(browser) == ["none", "none", "ascending", "none", "none"]
    assert status(browser) == "Rows 1–100 of 10,000, by excess (ascending)"
    sort(browser, 2)
    assert sorted_by(browser)[2] == "descending"
    assert status(browser) == "Rows 1–100 of 10,000, by excess (descending)"
    sort(browser, 2)
    assert sorted_by(browser) == ["none"] * 5
    assert page(browser) == SHOWN[:100]


def test_rows_that_are_alike_stay_in_their_order(browser, show):
    show(LONG)
    sort(browser, 2)
    sort(browser, 2)
    sort(browser, 3)
    assert pages(browser) == by(by(SHOWN, 2, falling=True), 3)


def test_search_looks_into_all_columns_whatever_the_case(browser, show):
    show(LONG)
    for text in ("CONFIRMED", "ä.tsv", "1e", "alert(1)", "ff0"):
        search(browser, text)
        wanted = [row for row in SHOWN if any(text.lower() in cell.lower() for cell in row)]
        assert page(browser) == wanted[:100], text
        rows = f"Rows 1–{min(len(wanted), 100)} of {len(wanted):,} that match, of 10,000"
        assert status(browser) == rows
    search(browser, "nowhere")
    assert page(browser) == []
    assert status(browser) == "No rows that match, of 10,000"
    assert not any(displayed(browser, ".claims .pager"))


def test_states_are_chosen_together_with_search_and_order(browser, show):
    show(LONG)
    counts = sorted(Counter(row[3] for row in SHOWN).items())
    options = [option.text for option in find(browser, ".claims select option")]
    assert options == ["all (10,000)", *(f"{s or '(empty)'} ({n:,})" for s, n in counts)]
    for state, number in counts:
        choose(browser, f"{state or '(empty)'} ({number:,})")
        assert page(browser) == [row for row in SHOWN if row[3] == state][:100]
    choose(browser, f"refuted ({dict(counts)['refuted']:,})")
    search(browser, "b.tsv")
    sort(browser, 2)
    wanted = [row for row in SHOWN if row[3] == "refuted" and row[0] == "b.tsv"]
    assert pages(browser) == by(wanted, 2)
    choose(browser, "all (10,000)")
    search(browser, "")  # everything is back, in the order that was chosen
    assert page(browser) == by(SHOWN, 2)[:100]


def test_pages_turn_both_ways_and_end(browser, show):
    show(LONG)
    previous, following = find(browser, ".claims .previous"), find(browser, ".claims .next")
    assert previous[0].get_attribute("aria-disabled") == "true"
    previous[0].click()
    assert status(browser) == "Rows 1–100 of 10,000"
    following[1].click()  # the one below leads to the first row of the next page
    assert status(browser) == "Rows 101–200 of 10,000"
    assert page(browser) == SHOWN[100:200]
    assert browser.switch_to.active_element == following[0]
    assert (
        browser.execute_script("return arguments[0].getBoundingClientRect().top", following[0]) > 0
    )
    previous[0].click()
    assert page(browser) == SHOWN[:100]
    assert len(pages(browser)) == ROWS
    assert status(browser) == "Rows 9,901–10,000 of 10,000"
    following[0].click()
    assert status(browser) == "Rows 9,901–10,000 of 10,000"
    sort(browser, 1)
    assert status(browser) == "Rows 1–100 of 10,000, by line (ascending)"


def test_keys_are_enough(browser, show):
    from selenium.webdriver import ActionChains, Keys

    def press(key):
        ActionChains(browser).send_keys(key).perform()
        return browser.switch_to.active_element

    show(LONG)
    assert press(Keys.TAB).text == "Skip to the result"
    assert press(Keys.ENTER).get_attribute("id") == "main"
    reached = [press(Keys.TAB) for _ in range(9)]
    names = [element.accessible_name for element in reached]
    assert names[2:6] == ["Search all columns", "verdict", "Previous rows", "Next rows"]
    assert names[6:] == ["Every claim", "file", "line"]
    press(Keys.ENTER)
    assert sorted_by(browser)[1] == "ascending"
    press(Keys.SPACE)
    assert sorted_by(browser)[1] == "descending"
    assert page(browser) == SHOWN[:-101:-1]
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.execute_script(outline) == "solid"


def test_first_rows_are_there_without_scripts(browser, show):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    show(LONG)
    assert page(browser) == SHOWN[:25]
    assert status(browser) == "Rows 1–25 of 10,000"
    assert not any(displayed(browser, ".claims :is(.controls, .pager, input, select, button)"))
    assert all(displayed(browser, "nav a"))
    assert "In all 10,005. The five others are elsewhere." in find(browser, ".claims")[0].text


def test_a_report_without_claims_needs_no_script_to_run(browser, show):
    empty = replace(CLAIMS, rows=(), total=0, note="")
    show(replace(LONG, sections=(Section(1, "None", (empty,)), Section(2, "Nothing", ()))))
    assert status(browser) == "No rows"
    assert browser.get_log("browser") == []


# What people see ---------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_screen(browser, show, width):
    narrow(browser, width)
    long = Claims("Long", (Column(LONG_WORD, "state"), Column("b")), ((LONG_WORD, "c"),), 1, "")
    document = sample(300)
    show(replace(document, sections=(*document.sections, Section(13, LONG_WORD, (long,)))))
    assert browser.execute_script("return innerWidth") == width
    beyond = """
        const wide = document.documentElement.clientWidth + 0.5;
        return [...document.body.querySelectorAll(":not(.scroll *, .unseen, svg *)")]
          .filter((e) => e.getBoundingClientRect().right > wide)
          .map((e) => e.outerHTML.slice(0, 99));"""
    assert browser.execute_script(beyond) == []
    scrolls = "return [document.documentElement.scrollWidth, document.body.scrollWidth]"
    assert max(browser.execute_script(scrolls)) <= width


def test_long_tables_scroll_inside_their_box_on_a_phone(browser, show):
    narrow(browser, 360)
    show(sample(300))
    script = """const box = document.querySelector(".claims .scroll");
        return [box.scrollWidth > box.clientWidth, getComputedStyle(box).overflowX, box.tabIndex]"""
    assert browser.execute_script(script) == [True, "auto", 0]


def test_contents_are_open_beside_the_text_and_a_line_above_it_on_a_phone(browser, show):
    show(sample())
    assert all(displayed(browser, "nav a"))
    assert find(browser, "nav")[0].rect["x"] < find(browser, "#section-1")[0].rect["x"]
    for link in find(browser, "nav a"):
        (section,) = find(browser, link.get_dom_attribute("href"))
        assert link.text.split() == section.find_element("css selector", "h2").text.split()
    browser.execute_script("scrollTo(0, 900)")
    top = browser.execute_script("return document.querySelector('nav').getBoundingClientRect().top")
    assert 0 < top < 100  # they stay where they are seen
    narrow(browser, 360)
    browser.refresh()
    assert not any(displayed(browser, "nav a"))
    find(browser, "nav summary")[0].click()
    assert all(displayed(browser, "nav a"))


COLOURS = """
    const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = (colour) => colour.slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
      .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
      for (let e = element; e; e = e.parentElement) {
        const colour = rgb(getComputedStyle(e).backgroundColor);
        if (colour.length === 3) return colour;
        if (colour[3] !== 0) throw new Error("half transparent: " + e.outerHTML.slice(0, 99));
      }
      throw new Error("nothing behind");
    };
    const all = [...document.body.querySelectorAll("*")].filter((e) => e.checkVisibility()
      && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
    return all.map((e) => {
      const style = getComputedStyle(e);
      const own = light(rgb(e instanceof SVGElement ? style.fill : style.color));
      const [low, high] = [own, light(behind(e))].sort((a, b) => a - b);
      return [(high + 0.05) / (low + 0.05), e.outerHTML.slice(0, 99)];
    });"""


@pytest.mark.parametrize("state", ["good", "warn", "bad"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(browser, show, scheme, state):
    emulate(browser, scheme=scheme)
    document = sample()
    show(replace(document, banner=replace(document.banner, state=state)))
    for details in find(browser, "figure details"):
        details.click()
    found = browser.execute_script(COLOURS)
    assert len(found) > 300
    assert [(ratio, what) for ratio, what in found if ratio < 4.5] == []


def test_dark_is_dark_in_pictures_too(browser, show):
    drawn = (
        '<svg viewBox="0 0 9 9"><path class="c0" fill="none" stroke="#0b2a5b"/>'
        '<text class="ink" fill="#222222">1</text><rect class="paper" fill="#ffffff"/>'
        '<rect class="f1" fill="#b3400e"/><rect class="good" fill="none" stroke="#17653a"/></svg>'
    )
    document = sample()
    figure = replace(document.sections[1].blocks[0], svg=drawn)
    show(replace(document, sections=(Section(1, "Picture", (figure,)),)))
    script = """const style = (s) => getComputedStyle(document.querySelector(s));
        return [style("body").backgroundColor, style("body").color,
          ...[".c0", ".ink", ".paper", ".f1", "rect.good"].flatMap(
            (s) => [style(".picture " + s).fill, style(".picture " + s).stroke])]"""
    light = browser.execute_script(script)
    emulate(browser, scheme="dark")
    dark = browser.execute_script(script)
    same = [a == b for a, b in zip(light, dark, strict=True)]
    #       body: both  c0: stroke   ink: fill    paper: fill  f1: fill     good: stroke
    assert same == [False, False, True, False, False, True, False, True, False, True, True, False]
    assert dark[6] == dark[0]  # the paper is the page
    assert light[3] == "rgb(11, 42, 91)"


def test_paper_has_no_controls_and_is_white(browser, show):
    show(sample(300))
    sort(browser, 3)
    emulate(browser, media="print", scheme="dark")
    gone = "nav, .skip, .controls, .pager, figure details"
    assert not any(displayed(browser, gone))
    style = "return getComputedStyle(document.body)[arguments[0]]"
    assert browser.execute_script(style, "backgroundColor") == "rgb(255, 255, 255)"
    assert status(browser) == "Rows 1–100 of 300, by verdict (ascending)"
    assert find(browser, ".claims th")[3].text == "verdict"
    emulate(browser)
    find(browser, "figure summary")[0].click()
    emulate(browser, media="print")
    assert displayed(browser, "figure details table") == [True]


def test_everything_has_a_name_and_a_place(browser, show):
    show(sample(300))
    find(browser, "figure summary")[0].click()
    levels = [int(e.tag_name[1]) for e in find(browser, "h1, h2, h3, h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert [len(find(browser, tag)) for tag in ("main", "body > header", "nav")] == [1, 1, 1]
    named = "input, select, button, summary, nav, table, section, [role=img], [role=group]"
    assert [e.tag_name for e in find(browser, named) if not e.accessible_name.strip()] == []
    heads = find(browser, "th")
    assert len(heads) == 3 + 3 + 3 + 8
    assert {head.get_attribute("scope") for head in heads} == {"col"}
    (picture,) = find(browser, "figure [role=img]")
    assert picture.accessible_name == "A falling line: 104 at 0."
    ids = [e.get_attribute("id") for e in find(browser, "[id]")]
    assert [name for name, number in Counter(ids).items() if number > 1] == []
    assert find(browser, "html")[0].get_attribute("lang") == "en"
    assert find(browser, ".claims .status")[0].aria_role == "status"
