"""The versions of a product in their order, and where a later one failed."""

from __future__ import annotations

import pytest

from pipelines.portal.pages.product import by_version, product_page
from pipelines.portal.rendering import html
from pipelines.portal.strip import SHOWN, strip_image
from tests.portal.lines import line, parsed


def versions(*pairs: tuple[str, str]) -> list[str]:
    found = product_page([line(f"debian/netbase@{v}", standing) for v, standing in pairs])
    return [row.version for row in found.versions]


def test_versions_are_in_the_order_of_debian() -> None:
    found = versions(*((v, "confirmed") for v in ("6.10", "6.4", "1:1.0", "6.4~rc1", "6.5")))
    assert found == ["6.4~rc1", "6.4", "6.5", "6.10", "1:1.0"]


def test_what_debian_cannot_compare_comes_first() -> None:
    found = versions(("6.4", "confirmed"), ("6.4!b", "confirmed"), ("6.4!a", "confirmed"))
    assert found == ["6.4!a", "6.4!b", "6.4"]


@pytest.mark.parametrize(
    ("standings", "expected"),
    [
        (("confirmed", "different"), [("1", "2")]),
        (("confirmed", "unchecked", "suspect"), [("1", "3")]),
        (("different", "confirmed"), []),
        (("different", "suspect"), []),
        (("confirmed", "unchecked"), []),
        (("unchecked", "different"), []),
        (("confirmed", "different", "confirmed", "suspect"), [("3", "4"), ("1", "2")]),
    ],
)
def test_a_regression_is_a_failure_after_a_confirmed_version(
    standings: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    lines = [line(f"acme/tool@{n}", standing) for n, standing in enumerate(standings, 1)]
    found = product_page(lines).regressions
    assert [(one.before.version, one.after.version) for one in found] == expected


def test_of_many_versions_the_highest_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.portal.pages.product.SHOWN", 2)
    page = product_page([line(f"acme/tool@{n}") for n in (1, 2, 10)])
    assert [row.version for row in page.versions] == ["2", "10"]
    assert (page.all_versions, page.counts.total) == (3, 3)
    assert "and 1 more" in html(page, "en").decode()


def test_the_strip_says_each_standing_in_words_and_with_a_sign() -> None:
    lines = by_version(
        line(f"acme/tool@{n}", standing)
        for n, standing in enumerate(("confirmed", "different", "suspect", "unchecked"))
    )
    drawn = parsed(strip_image(lines))
    texts = [
        "".join(element.itertext()) for element in drawn.iter() if element.tag.endswith("text")
    ]
    assert texts[1::2] == ["✔ confirmed", "≠ different", "! suspect", "\N{EN DASH} not checked"]
    assert drawn.attrib["aria-label"].startswith("0 confirmed; 1 different; ")


def test_a_long_strip_shows_the_newest_versions() -> None:
    lines = [line(f"acme/tool@{n}") for n in range(SHOWN + 5)]
    drawn = strip_image(by_version(lines)).decode()
    assert f">{SHOWN + 4}<" in drawn
    assert ">4<" not in drawn
