"""A report as one HTML page, which needs nothing else and asks nobody for anything.

Texts are escaped by the template, in one place; whatever cannot be seen in them is made visible.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from html.parser import HTMLParser
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from certaudit.errors import InputError
from certaudit.report.blocks import NOT_STATED, RESULTS, TONES, Claims, Document, tone_of, visible

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["check_jinja2", "render_html"]

_DRAWN = frozenset({"svg", "g", "path", "line", "polyline", "polygon", "rect", "circle", "ellipse",
                    "text", "tspan", "title", "desc"})  # fmt: skip
"""What a picture consists of."""


def check_jinja2() -> None:
    """Refuse to write HTML, before any work is done, where jinja2 is not installed.

    Raises InputError, saying how to install it.
    """
    try:
        import jinja2  # noqa: F401
    except ImportError:
        message = "an HTML report needs jinja2: pip install 'certaudit[report]'"
        raise InputError(message) from None


def render_html(document: Document) -> bytes:
    """Return the report as one HTML file in UTF-8: the same bytes for the same document.

    The pictures are put into the page as they are, and have to be ours.

    Raises InputError where jinja2 is not installed, and for a picture with anything but shapes.
    """
    check_jinja2()
    style, script = _file("report.css"), _file("report.js")
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    environment = _environment()
    page = environment.get_template("report.html.jinja").render(
        document=document,
        NOT_STATED=NOT_STATED,
        RESULTS=RESULTS,
        TONES=TONES,
        policy=policy,
        style=environment.filters["trusted"](style),
        script=environment.filters["trusted"](script),
    )
    return page.encode()


def _environment() -> Environment:
    """Return the template, and how texts get into it.

    Every value is made visible, then escaped; only what is marked as trusted is left as it is.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined
    from markupsafe import Markup, escape

    def shown(value: object) -> object:
        return visible(value) if isinstance(value, str) and type(value) is not Markup else value

    environment = Environment(
        loader=DictLoader({"report.html.jinja": _file("report.html.jinja")}),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["trusted"] = Markup
    environment.filters["lines"] = lambda text: escape(visible(text, lines=True))
    environment.filters["packed"] = lambda claims: Markup(_json(_packed(claims)))  # noqa: S704
    environment.filters["drawn"] = lambda svg: Markup(_checked(svg))  # noqa: S704
    environment.filters["counted"] = _counted
    environment.filters["tone"] = tone_of
    environment.tests["a"] = lambda block, kind: type(block).__name__ == kind
    return environment


def _file(name: str) -> str:
    """Return a file of the templates, wherever they are installed."""
    return (files("certaudit.report") / "templates" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return what a content security policy calls this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: object) -> str:
    """Return JSON that stands in a script element without ending it."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _packed(claims: Claims) -> list[dict[str, Any]]:
    """Return the columns for the page's script: the distinct values, and which one each cell is.

    `ranks` says how values are ordered, so that sorting is exact and compares small integers only:
    numbers as numbers, texts by code point; null, for what is empty or no number, comes last.
    """
    packed: list[dict[str, Any]] = []
    for place, column in enumerate(claims.columns):
        cells = [visible(row[place]) for row in claims.rows]
        values = sorted(set(cells))
        where = {value: number for number, value in enumerate(values)}
        keys = (
            map(_number, values) if column.kind == "number" else [text or None for text in values]
        )
        found: dict[str, Any] = {
            "values": values,
            "ranks": _ranks(list(keys)),
            "cells": [where[cell] for cell in cells],
        }
        if column.kind == "state":
            found["tones"] = [tone_of(value) for value in values]
        packed.append(found)
    return packed


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return None if number.is_nan() else number


def _ranks(keys: Sequence[Any]) -> list[int | None]:
    """Return the place of each key among the distinct ones; None has none."""
    ranks = {key: rank for rank, key in enumerate(sorted({k for k in keys if k is not None}))}
    return [ranks.get(key) for key in keys]


def _counted(claims: Claims, place: int) -> list[tuple[str, int]]:
    """Return the distinct values of a column, as _packed has them, and how often they occur."""
    return sorted(Counter(visible(row[place]) for row in claims.rows).items())


class _Drawing(HTMLParser):
    """Reads a picture as a browser does, and refuses all that does not only draw."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if tag not in _DRAWN:
            raise InputError(f"a picture of the report has an element that does not draw: {tag!r}")
        for name in names:
            if name.startswith("on") or name == "style" or name.endswith("href"):
                raise InputError(f"a picture of the report has an attribute {name!r}")


def _checked(svg: str) -> str:
    """Return the svg element of a picture.

    Raises InputError if there is none, or anything in it that may run, load or point elsewhere.
    """
    start, end = svg.find("<svg"), svg.rfind("</svg>")
    if start < 0 or end < 0:
        raise InputError("a picture of the report is no SVG document")
    element = svg[start : end + len("</svg>")]
    _Drawing().feed(element)
    return visible(element, lines=True)
