"""Manifests of jar archives: attributes, and the bytes of each section, which are what is signed.

Source: "JAR File Specification", Manifest Specification. Readers disagree about names that are
twice, stray bytes and empty lines, so here there are none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    unreadable,
)

_MAX_SECTIONS = 200_000
_SECTION = re.compile(rb"((?:[^\r\n\0]+\r?\n)+)(?:\r?\n|\Z)")
_CONTINUED = re.compile(rb"\r?\n ")
_LINE = re.compile(r"\r?\n")
_ATTRIBUTE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,69}): (.*)")


@dataclass(frozen=True, kw_only=True)
class ManifestSection:
    """A section of a manifest, its end included."""

    attributes: dict[str, str]
    """Values by their name in lower case."""
    raw: bytes


@dataclass(frozen=True, kw_only=True)
class JarManifest:
    """The main section, and those of entries by the name of the entry."""

    main: ManifestSection
    entries: dict[bytes, ManifestSection]


def read_manifest(data: bytes, what: str) -> JarManifest:
    """Return the sections of a manifest; raises `BadSignatureError`."""
    main: ManifestSection | None = None
    entries: dict[bytes, ManifestSection] = {}
    at = 0
    while at < len(data):
        match = _SECTION.match(data, at)
        if not match:
            raise unreadable(f"{what} has a line that ends in no line end, or no section end")
        section = ManifestSection(attributes=_attributes(match[1], what), raw=match[0])
        at = match.end()
        if main is None:
            main = section
            continue
        name = section.attributes.get("name")
        if name is None:
            raise unreadable(f"{what} has a section without a name")
        key = name.encode()
        if key in entries:
            raise BadSignatureError(SignatureFault.DUPLICATE_NAME, f"{what} names {name!a:.200}")
        if len(entries) == _MAX_SECTIONS:
            raise unreadable(f"{what} has more than {_MAX_SECTIONS} sections")
        entries[key] = section
    if main is None or "name" in main.attributes:
        raise unreadable(f"{what} has no main section")
    return JarManifest(main=main, entries=entries)


def _attributes(lines: bytes, what: str) -> dict[str, str]:
    try:
        text = _CONTINUED.sub(b"", lines).decode()
    except UnicodeDecodeError as error:
        raise unreadable(f"{what} is not UTF-8") from error
    found: dict[str, str] = {}
    for line in _LINE.split(text)[:-1]:
        match = _ATTRIBUTE.fullmatch(line)
        if not match or match[1].lower() in found:
            raise unreadable(f"{what} has a line that is no attribute, or one twice: {line!a:.80}")
        found[match[1].lower()] = match[2]
    return found
