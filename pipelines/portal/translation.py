"""The languages of the pages: texts are written in English, catalogs (gettext) translate them.

All `.po` files of a language below `locale` are one catalog; a page has a file of its own there.
"""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = {"en": "English", "de": "Deutsch"}
"""By code, each in its own language; the first is that of the texts themselves."""
ENGLISH = "en"
LOCALE = Path(__file__).parent / "locale"


def translatable(text: str) -> str:
    """Return the text; marks it for the catalogs where a template translates it as a variable."""
    return text


def catalog_files(language: str) -> list[Path]:
    """Return the files of a language; none for English."""
    return sorted((LOCALE / language).glob("*.po"))


def catalogs(language: str) -> dict[Path, Catalog]:
    """Return the catalogs of a language by their files."""
    found = {}
    for path in catalog_files(language):
        with path.open("rb") as stream:
            found[path] = read_po(stream, locale=language)
    return found


@cache
def translations(language: str) -> NullTranslations:
    """Return what translates into a language."""
    merged = Catalog(locale=language)
    for catalog in catalogs(language).values():
        for message in catalog:
            if message.id and message.string:
                merged[message.id] = message
    compiled = BytesIO()
    write_mo(compiled, merged)
    compiled.seek(0)
    return GNUTranslations(compiled)
