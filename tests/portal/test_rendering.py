"""Pages as files: what is escaped, how they link, and how times are shown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment

from pipelines.portal import rendering
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


def test_templates_are_compiled_once_for_all_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "one.j2"
    source.write_text("{{ number }} of one")
    monkeypatch.setattr(rendering, "_CACHE", tmp_path / "__pycache__")
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    compiled: list[str] = []
    compiling = Environment.compile

    def compile_(self: Environment, source: str, *words: Any, **more: Any) -> Any:
        compiled.append(source)
        return compiling(self, source, *words, **more)

    monkeypatch.setattr(Environment, "compile", compile_)

    def rendered() -> str:
        """Render as a new process would."""
        rendering.environment.cache_clear()
        return rendering.environment("en", (tmp_path,)).get_template("one.j2").render(number=1)

    assert [rendered(), rendered()] == ["1 of one"] * 2
    assert len(compiled) == 1
    source.write_text("{{ number }} of two")
    assert [rendered(), rendered()] == ["1 of two"] * 2
    rendering._settings.cache_clear()
    monkeypatch.setattr(rendering, "version", lambda _: "another version of Jinja")
    assert [rendered(), rendered()] == ["1 of two"] * 2
    rendering._settings.cache_clear()
    monkeypatch.setattr(rendering, "catalog_files", lambda _: [source])
    assert [rendered(), rendered()] == ["1 of two"] * 2
    rendering._settings.cache_clear()
    rendering.environment.cache_clear()
    assert len(compiled) == 4


def test_a_text_without_variables_is_translated_when_its_template_is_compiled() -> None:
    compiled = environment("de").compile("{% trans %}none{% endtrans %}", raw=True)
    assert "'keine'" in compiled
