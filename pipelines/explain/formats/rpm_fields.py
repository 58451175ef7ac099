"""RPM packages: the tags of both headers by their names, and how the payload was packed.

Source: rpm, `include/rpm/rpmtag.h` and docs/manual/tags.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pipelines.explain.format_fields import Content, Field, Format, time_text
from pipelines.judge.difference import FieldKind
from pipelines.judge.signatures.left_out import RPM_LEAD
from pipelines.judge.signatures.rpm_header import (
    I18N_STRINGS,
    INT16,
    INT32,
    INT64,
    STRING,
    STRINGS,
    RpmEntry,
    RpmHeader,
    read_package,
    signature_end,
)

_MAGIC = b"\xed\xab\xee\xdb"
_SHOWN = 5
_MAX_TEXT = 300
_WIDTHS = {INT16: 2, INT32: 4, INT64: 8}
_TEXTS = frozenset({STRING, STRINGS, I18N_STRINGS})
_TIMES = frozenset({1006, 1034, 1080})
_SIGNATURES = {
    62: "region", 267: "DSA signature of the header", 268: "RSA signature of the header",
    269: "SHA-1 of the header", 270: "size", 271: "payload size", 273: "SHA-256 of the header",
    274: "file signatures", 278: "OpenPGP signatures", 279: "SHA3-256 of the header",
    999: "reserved space", 1000: "size", 1002: "signature of header and payload", 1004: "MD5",
    1005: "signature of header and payload", 1007: "payload size", 1008: "reserved space",
}  # fmt: skip
_SIGNED = frozenset({267, 268, 278, 1002, 1005})
_PRODUCERS = {
    1007: "build host", 1011: "vendor", 1015: "packager", 1064: "rpm version", 1020: "URL",
}  # fmt: skip
_SETTINGS = {
    1002: "release", 1006: "build time", 1021: "operating system", 1022: "architecture",
    1034: "file times", 1030: "file modes", 1039: "file owners", 1040: "file groups",
    1044: "source package", 1080: "times of the changelog", 1094: "build cookie",
    1122: "compiler flags", 1124: "payload format", 1125: "payload compressor",
    1126: "payload compression", 1132: "platform", 1123: "distribution URL", 1010: "distribution",
    5062: "encoding", 5100: "module",
}  # fmt: skip
_DERIVED = {
    63: "region", 1009: "installed size", 1028: "file sizes", 1035: "file digests",
    1095: "file devices", 1096: "file inodes", 5009: "installed size", 5092: "payload digest",
    5093: "algorithm of the payload digest", 5097: "digest of the unpacked payload",
}  # fmt: skip
_CONTENT = {
    1000: "name", 1001: "version", 1003: "epoch", 1004: "summary", 1005: "description",
    1014: "licence", 1016: "group", 1023: "script before installation",
    1024: "script after installation", 1025: "script before removal",
    1026: "script after removal", 1036: "link targets", 1037: "file flags", 1047: "provides",
    1048: "kinds of requirements", 1049: "requires", 1050: "versions required",
    1054: "conflicts", 1090: "obsoletes", 1081: "authors of the changelog",
    1082: "texts of the changelog", 1116: "folders of files", 1117: "names of files",
    1118: "folders", 1141: "colours of files", 1112: "kinds of provides",
    1113: "versions provided",
}  # fmt: skip
_TAGS = (
    (_PRODUCERS, FieldKind.PRODUCER),
    (_SETTINGS, FieldKind.SETTING),
    (_DERIVED, FieldKind.DERIVED),
    (_CONTENT, FieldKind.CONTENT),
)


def _fields(content: Content) -> Iterator[Field]:
    package = read_package(content, "compared")
    signature, main = package.signature, package.main
    yield Field(name="lead", size=RPM_LEAD, kind=FieldKind.DERIVED)
    yield from _header("signature header", signature, signature_end(signature.end))
    yield from _header("header", main, main.end)
    how = (_text(main, tag) or "" for tag in (1125, 1126))
    yield Field(name="payload", at=main.end, size=content.size - main.end, value=" ".join(how))


def _header(name: str, header: RpmHeader, end: int) -> Iterator[Field]:
    kind = FieldKind.DERIVED
    at, size = header.start, end - header.start
    yield Field(name=name, at=at, size=size, kind=kind, parts=partial(_parts, name, header))


def _parts(name: str, header: RpmHeader) -> Iterator[Field]:
    size = header.data - header.start
    yield Field(name=f"index of the {name}", at=header.start, size=size, kind=FieldKind.DERIVED)
    for entry in header.entries:
        what, kind = _named(name, entry.tag)
        text = _text(header, entry.tag)
        yield Field(name=what, at=entry.start, size=entry.end - entry.start, value=text, kind=kind)


def _named(header: str, tag: int) -> tuple[str, FieldKind]:
    if header == "signature header":
        kind = FieldKind.PRODUCER if tag in _SIGNED else FieldKind.DERIVED
        return _SIGNATURES.get(tag, f"tag {tag} of the {header}"), kind
    for names, kind in _TAGS:
        if tag in names:
            return names[tag], kind
    return f"tag {tag}", FieldKind.CONTENT


def _text(header: RpmHeader, tag: int) -> str | None:
    """Return what a value says; None where it is bytes without a meaning of their own."""
    entry = header.find(tag)
    if entry is None:
        return None
    data = header.value(entry)
    if entry.kind in _TEXTS:
        texts = [part.decode("utf-8", "backslashreplace") for part in data[:-1].split(b"\0")]
        return _listed(texts)
    if entry.kind in _WIDTHS:
        return _numbers(entry, data)
    return data[:32].hex()


def _numbers(entry: RpmEntry, data: bytes) -> str:
    width = _WIDTHS[entry.kind]
    numbers = [int.from_bytes(data[at : at + width]) for at in range(0, len(data), width)]
    if entry.tag in _TIMES:
        first, last = time_text(min(numbers)), time_text(max(numbers))
        return first if first == last else f"{first} to {last}"
    return _listed([str(number) for number in numbers])


def _listed(texts: list[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN])[:_MAX_TEXT] + more


RPM = Format(name="RPM", matches=lambda head: head.startswith(_MAGIC), fields=_fields)
