"""What stands around the members of an `ar` archive, a `.deb` or a static library: ar(5)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from builders.archives.ar import MAGIC
from pipelines.explain.format_fields import Content, Field, Format, time_text
from pipelines.judge.difference import FieldKind

_HEADER = 60


def _fields(content: Content) -> Iterator[Field]:
    at = len(MAGIC)
    yield Field(name="magic", size=at)
    while head := content.bytes(at, _HEADER):
        name = head[:16].rstrip(b" ").rstrip(b"/").decode("utf-8", "backslashreplace")
        yield Field(
            name="header", member=name, at=at, size=_HEADER, parts=partial(_header, head, name, at)
        )
        size = int(head[48:58])
        at += _HEADER + size
        if size % 2:
            yield Field(name="padding", member=name, at=at, size=1)
            at += 1


def _header(head: bytes, name: str, at: int) -> Iterator[Field]:
    def part(what: str, start: int, end: int, kind: FieldKind = FieldKind.SETTING) -> Field:
        text = head[start:end].decode("latin-1").strip()
        if what == "mtime" and text.isdecimal():
            text = time_text(int(text))
        size = end - start
        return Field(name=what, at=at + start, size=size, value=text, kind=kind, member=name)

    yield part("mtime", 16, 28)
    yield part("owner", 28, 34)
    yield part("group", 34, 40)
    yield part("mode", 40, 48)
    yield part("size", 48, 58, FieldKind.DERIVED)


AR = Format(name="ar", matches=lambda head: head.startswith(MAGIC), fields=_fields, archive=True)
