"""Badges and the strip: a word and a sign, readable colors, and no markup of others."""

from __future__ import annotations

import pytest

from pipelines.portal.badges import COLORS, badge, release_badge, vendor_badge
from pipelines.portal.counts import Counts
from pipelines.portal.standing import Standing
from tests.portal.lines import line, parsed


def words(drawn: bytes) -> str:
    return parsed(drawn).attrib["aria-label"]


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        ("confirmed", "rebuilt: confirmed by 2"),
        ("different", "rebuilt: different"),
        ("suspect", "rebuilt: suspect"),
        ("unchecked", "rebuilt: not checked"),
    ],
)
def test_the_badge_of_a_release_says_its_standing(standing: str, expected: str) -> None:
    drawn = release_badge(line(standing=standing))
    assert words(drawn) == expected
    texts = [element.text for element in parsed(drawn).iter() if element.text]
    assert any(text.endswith(expected.removeprefix("rebuilt: ")) for text in texts)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(confirmed=3, different=1, suspect=2), "2 of 6 suspect"),
        (Counts(confirmed=3, different=1, unchecked=2), "1 of 6 different"),
        (Counts(confirmed=3, unchecked=2), "3 of 5 confirmed"),
        (Counts(unchecked=2), "not checked"),
        (Counts(), "not checked"),
    ],
)
def test_the_badge_of_a_vendor_says_what_is_worst(counts: Counts, expected: str) -> None:
    assert words(vendor_badge(counts)) == f"rebuilt: {expected}"


def test_text_of_others_stays_text() -> None:
    hostile = '"/><script>alert(1)</script>\u202e&'
    drawn = badge(Standing.SUSPECT, hostile)
    assert not [element for element in parsed(drawn).iter() if "script" in element.tag]
    assert "\u202e" not in drawn.decode()


@pytest.mark.parametrize("standing", Standing)
def test_white_text_can_be_read_on_each_color(standing: Standing) -> None:
    assert 1.05 / (luminance(COLORS[standing]) + 0.05) >= 4.5


def luminance(color: str) -> float:
    """Return the relative luminance of a color, as WCAG 2 defines it."""
    parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
