"""Say what the catalogs of the pages lack, or add it to them.

    .venv/bin/python infra/translations.py            lists what is missing, empty or not used
    .venv/bin/python infra/translations.py --update   adds what is missing to `new.po`, untranslated

A text belongs into the catalog of its page, `pipelines/portal/locale/<language>/<page>.po`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from pipelines.portal.translation import ENGLISH, LANGUAGES, LOCALE, catalogs

_CHECKOUT = Path(__file__).resolve().parents[1]
SOURCES = ("pipelines/portal", "pipelines/review")
"""Folders of templates, and of modules that mark texts."""
_METHODS = [("**.py", "python"), ("**.j2", "jinja2.ext:babel_extract")]
_OPTIONS: dict[str, dict[str, Any]] = {"**.j2": {"trimmed": "true", "silent": "false"}}
_KEYWORDS: dict[str, Any] = {"translatable": None, "_": None, "gettext": None, "ngettext": (1, 2)}
_PLACEHOLDER = re.compile(r"%\(\w+\)s")
Text = str | tuple[str, ...]
"""A text, or its singular and plural."""


def used() -> dict[Text, str]:
    """Return the texts of templates and modules, each with a place that has it."""
    found: dict[Text, str] = {}
    for source in SOURCES:
        extracted = extract_from_dir(
            _CHECKOUT / source, _METHODS, _OPTIONS, keywords=_KEYWORDS, strip_comment_tags=True
        )
        for file, line, text, *_ in extracted:
            found.setdefault(text, f"{source}/{file}:{line}")
    return found


def faults(language: str) -> Iterator[str]:
    """Yield what is wrong with the catalogs of a language, in one line each."""
    texts = used()
    seen: dict[Text, str] = {}
    for path, catalog in catalogs(language).items():
        for message in filter(lambda one: one.id, catalog):
            text = _text(message)
            if text in seen:
                yield f"{path.name}: {seen[text]} has it too: {text!r}"
            seen[text] = path.name
            yield from (f"{path.name}: {fault}: {text!r}" for fault in _faults(message, text))
            if text not in texts:
                yield f"{path.name}: no page has it: {text!r}"
    for text in texts.keys() - seen.keys():
        yield f"{texts[text]}: not translated: {text!r}"


def _text(message: Message) -> Text:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def _faults(message: Message, text: Text) -> Iterator[str]:
    sources = (text,) if isinstance(text, str) else text
    found = message.string or ""
    translated = (found,) if isinstance(found, str) else tuple(found)
    if not all(translated):
        yield "empty"
    elif message.fuzzy:
        yield "fuzzy"
    elif any(_placeholders(one) != _placeholders(sources[-1]) for one in translated):
        yield "other placeholders"


def _placeholders(text: str) -> set[str]:
    return set(_PLACEHOLDER.findall(text))


def update(language: str) -> int:
    """Add the texts that no catalog of the language has to its `new.po`; returns how many."""
    known = {_text(message) for catalog in catalogs(language).values() for message in catalog}
    target = LOCALE / language / "new.po"
    catalog = catalogs(language).get(target, Catalog(locale=language))
    missing = [text for text in used() if text not in known]
    for text in missing:
        catalog.add(text)
    if missing:
        with target.open("wb") as stream:
            write_po(stream, catalog, omit_header=False, width=100)
    return len(missing)


def main(arguments: list[str]) -> int:
    """List or update the catalogs of every language."""
    found = 0
    for language in filter(lambda code: code != ENGLISH, LANGUAGES):
        if arguments == ["--update"]:
            print(f"{language}: {update(language)} texts added")
            continue
        for fault in faults(language):
            print(f"{language}: {fault}")
            found += 1
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
