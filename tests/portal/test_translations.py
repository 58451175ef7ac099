"""The catalogs of the pages: complete, in each language."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import translations
from pipelines.portal import translation
from pipelines.portal.translation import ENGLISH, LANGUAGES

PLURAL = 'msgid "%(count)s release"\nmsgid_plural "%(count)s releases"\n'


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != ENGLISH])
def test_every_text_is_translated_and_each_translation_is_used(language: str) -> None:
    assert list(translations.faults(language)) == []


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ('msgid "Overview"\nmsgstr ""', "empty"),
        ('#, fuzzy\nmsgid "Overview"\nmsgstr "x"', "fuzzy"),
        ('msgid "Nobody has this"\nmsgstr "x"', "no page has it"),
        (PLURAL + 'msgstr[0] "x %(c)s"\nmsgstr[1] "x %(count)s"', "other placeholders"),
    ],
)
def test_a_bad_entry_is_found(
    entry: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "de").mkdir()
    header = 'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
    (tmp_path / "de" / "bad.po").write_text(header + entry + "\n")
    monkeypatch.setattr(translation, "LOCALE", tmp_path)
    found = list(translations.faults("de"))
    assert any(fault in line and "bad.po" in line for line in found)
    assert any("not translated" in line for line in found)
