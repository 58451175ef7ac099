"""Pages as files: what is escaped, how they link, and how times are shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.portal.rendering import environment, page_context, time_element
from pipelines.portal.translation import LANGUAGES

HOSTILE = "<script>alert(1)</script>\u202egpj.exe\x1b[31m\n\"'&amp;"
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt;\\u202egpj.exe\\x1b[31m"


@pytest.mark.parametrize(
    "template",
    [
        "{{ text }}",
        "{% trans name=text %}The file {{ name }}{% endtrans %}",
        "{% trans n=2, name=text %}{{ name }}{% pluralize %}{{ name }} {{ n }}{% endtrans %}",
        "{% macro shown(t) %}<b>{{ t }}</b>{% endmacro %}{{ shown(text) }}",
        '<a title="{{ text }}">x</a>',
        "{{ _('File') }} {{ text }}",
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_others_wrote_is_text(template: str, language: str) -> None:
    shown = environment(language).from_string(template).render(text=HOSTILE)
    assert SHOWN in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "<script" not in shown


@pytest.mark.parametrize(
    ("path", "to", "language", "expected"),
    [
        ("", "", "en", "./"),
        ("", "", "de", "index.de.html"),
        ("a/b/", "", "en", "../../"),
        ("a/b/", "releases/x/1%3A2+b/", "en", "../../releases/x/1%253A2+b/"),
        ("a/", "releases/x/", "de", "../releases/x/index.de.html"),
        ("a/", "files/0f.json", "de", "../files/0f.json"),
        ("a/", "centers/one/#keys", "de", "../centers/one/index.de.html#keys"),
    ],
)
def test_links_are_relative(path: str, to: str, language: str, expected: str) -> None:
    assert page_context(path, language)["url"](to) == expected


def test_a_time_is_an_element_in_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    expected = '<time datetime="2026-01-02T03:04:05Z">2026-01-02 03:04 UTC</time>'
    assert str(time_element(moment)) == expected
