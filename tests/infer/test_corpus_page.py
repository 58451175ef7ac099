"""The page of a corpus run: what a browser makes of it, and what it must never do."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import product

import pytest

from builders.core.escaping import escaped
from infra.bench.corpus import STATUSES, Row, figures
from infra.bench.corpuspage import COLORS, GROUND, page

HOSTILE = "</td><img src=x onerror=alert(1)><script>\"'&\n\x1b[2J \u202egnp.exe"
ROWS = [
    Row(
        purl="pkg:pypi/a@1",
        status="identical",
        reason="same SHA-256",
        tries=2,
        seconds=3.25,
        bits=44.6,
        scalars=("image python-wheel", "clock 2022-06-01T10:00:20Z"),
    ),
    Row(purl="pkg:pypi/b@1", status="identical", reason="same SHA-256", tries=1, seconds=2),
    Row(
        purl=f"pkg:pypi/{HOSTILE}@1",
        status="different",
        reason="the bytes differ",
        causes=("modes", HOSTILE),
        details=("modes: tool/run.sh", f"unexplained: {HOSTILE}"),
    ),
    Row(
        purl="pkg:pypi/c@1",
        status="not available",
        reason=f"c: {HOSTILE}",
        notes=("the vendor has yanked this release", HOSTILE),
    ),
]
ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "p", "strong", "table",
    "caption", "thead", "tbody", "tr", "th", "td", "span", "b",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "name", "content", "http-equiv", "class", "role", "scope", "style",
    "data-name",
}  # fmt: skip


class Read(HTMLParser):
    """What a browser sees: elements, their attributes, and text, cell by cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[list[str]] = []
        self.inside = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.cells.append([])
        elif tag in {"th", "td"}:
            self.cells[-1].append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in {"th", "td"}

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.cells[-1][-1] += data


def shown(*rows: Row, title: str = "Rebuilt") -> str:
    return page(figures(rows), title=title)


def read(*rows: Row, title: str = "Rebuilt") -> Read:
    return Read(shown(*rows, title=title))


def test_a_row_says_what_was_found_and_why() -> None:
    cells = read(*ROWS).cells
    assert ["release", "result", "why", "tries", "seconds", "bits"] in cells
    why = "image python-wheelclock 2022-06-01T10:00:20Z"
    assert ["pkg:pypi/a@1", "identical", why, "2", "3.2", "44.6"] in cells
    assert ["pkg:pypi/b@1", "identical", "nothing had to be inferred", "1", "2.0", "0"] in cells


def test_the_charts_are_tables_whose_figures_can_be_read() -> None:
    text = shown(*ROWS)
    cells = Read(text).cells
    assert cells[: len(STATUSES)] == [
        ["identical", "", "2"],
        ["equivalent", "", "0"],
        ["different", "", "1"],
        ["build failed", "", "0"],
        ["not available", "", "1"],
    ]
    assert ["modes", "", "1"] in cells
    assert 'style="width: 50.0%; --bar: var(--different)"' in text


def test_the_shares_are_said_in_words() -> None:
    text = shown(*ROWS)
    assert "4 releases, 3 of them fetched." in text
    assert "<strong>66.7\u00a0%</strong> of those are bit for bit identical" in text
    nothing = shown(ROWS[-1])
    assert "1 release, 0 of them fetched.</p>" in nothing
    assert "None" not in nothing
    assert "Causes that remain" not in nothing


def test_words_of_others_are_text_and_nothing_else() -> None:
    found = read(*ROWS, title=HOSTILE)
    assert {tag for tag, _ in found.elements} <= ELEMENTS
    assert {name for _, attrs in found.elements for name in attrs} <= ATTRIBUTES
    plain = escaped(HOSTILE)
    (row,) = [cells for cells in found.cells if cells[0].startswith("pkg:pypi/<")]
    assert row[:3] == [
        f"pkg:pypi/{plain}@1",
        "different",
        f"modes: tool/run.shunexplained: {plain}",
    ]
    assert [plain, "", "1"] in found.cells
    assert [
        *("pkg:pypi/c@1", "not available"),
        f"c: {plain}note: the vendor has yanked this releasenote: {plain}",
        *("0", "0.0", "0"),
    ] in found.cells


def test_nothing_is_fetched_and_nothing_runs() -> None:
    text = shown(ROWS[0])
    assert not any(word in text for word in ("://", "url(", "@import", "src=", "href=", "<script"))
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in text


def test_who_hears_the_page_hears_a_table() -> None:
    text = shown(*ROWS)
    elements = Read(text).elements
    headers = [attrs for tag, attrs in elements if tag == "th"]
    assert {attrs.get("scope") for attrs in headers} == {"row", "col"}
    tables = [attrs for tag, attrs in elements if tag == "table"]
    assert len(tables) == text.count("<caption>") == 3
    for tag, role in (("thead", "rowgroup"), ("td", "cell"), ("tr", "row")):  # laid out as cards
        assert f'<{tag} role="{role}"' in text
    assert '<html lang="en">' in text
    assert "<title>Rebuilt</title>" in text
    assert text.count("<h1>") == 1


@pytest.mark.parametrize(("name", "dark"), list(product(COLORS, (False, True))))
def test_every_color_can_be_told_from_its_ground(name: str, dark: bool) -> None:
    """At least 4.5 to 1, by the contrast ratio of WCAG 2."""
    one, other = _light(COLORS[name][dark]), _light(GROUND[dark])
    assert (max(one, other) + 0.05) / (min(one, other) + 0.05) >= 4.5
    assert f"--{name}: {COLORS[name][dark]};" in shown()


def test_every_result_has_a_color() -> None:
    assert {status.replace(" ", "-") for status in STATUSES} <= set(COLORS)


def _light(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    lines = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * lines[0] + 0.7152 * lines[1] + 0.0722 * lines[2]
