"""What stands around the members of a tar: headers of ustar, GNU and pax (POSIX.1-2001)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builders.archives.tar import BLOCK, looks_like_tar
from pipelines.explain.format_fields import Content, Field, Format, Layout, Part, time_text
from pipelines.judge.difference import FieldKind

_WRITERS = {b"ustar\x0000": "ustar or pax", b"ustar  \0": "GNU", bytes(8): "v7"}
_EXTENDED = {
    b"g": "global pax header", b"x": "pax header", b"L": "GNU long name", b"K": "GNU long link",
}  # fmt: skip
_PATH = re.compile(rb"(?:\A|\n)\d+ path=([^\n]*)\n")
_MOST = 1 << 16
_PARTS: tuple[Part, ...] = (
    ("name", 0, 100, FieldKind.CONTENT),
    ("mode", 100, 108, FieldKind.SETTING),
    ("owner", 108, 116, FieldKind.SETTING),
    ("group", 116, 124, FieldKind.SETTING),
    ("size", 124, 136, FieldKind.DERIVED),
    ("mtime", 136, 148, FieldKind.SETTING),
    ("checksum", 148, 156, FieldKind.DERIVED),
    ("type", 156, 157, FieldKind.CONTENT),
    ("link target", 157, 257, FieldKind.CONTENT),
    ("form of the header", 257, 265, FieldKind.PRODUCER),
    ("name of the owner", 265, 297, FieldKind.SETTING),
    ("name of the group", 297, 329, FieldKind.SETTING),
    ("device", 329, 345, FieldKind.SETTING),
    ("folder", 345, 500, FieldKind.CONTENT),
)


def _fields(content: Content) -> Iterator[Field]:
    at, extended = 0, []
    while (head := content.bytes(at, BLOCK)) and head.strip(b"\0"):
        size = _number(head[124:136])
        whole = BLOCK + (size + -size % BLOCK if head[156:157] in b"\x0007LKxgS" else 0)
        if what := _EXTENDED.get(head[156:157]):
            extended.append((what, at, whole, size))
            at += whole
            continue
        folder = head[345:500] if head[257:263] == b"ustar\0" else b""
        member = b"/".join(filter(None, (_text(folder), _text(head[:100]))))
        for told, start, _, length in extended:
            data = content.bytes(start + BLOCK, min(length, _MOST))
            if told == "GNU long name":
                member = _text(data)
            elif told == "pax header" and (found := _PATH.search(data)):
                member = found[1]
        name = member.decode("utf-8", "backslashreplace")
        for told, start, space, length in extended:
            text = content.bytes(start + BLOCK, min(length, 200)).decode("utf-8", "replace")
            yield Field(
                name=told, member=name, at=start, size=space, value=text.rstrip("\0\n"),
                kind=FieldKind.PRODUCER,
            )  # fmt: skip
        yield Field(name="header", member=name, at=at, size=BLOCK, layout=_HEADER)
        if padding := -size % BLOCK and whole > BLOCK:
            yield Field(name="padding", member=name, at=at + BLOCK + size, size=padding)
        at, extended = at + whole, []
    end = content.size - at
    value = f"{end // BLOCK} blocks of zeros"
    yield Field(name="end", at=at, size=end, value=value, kind=FieldKind.SETTING)


def _value(what: str, raw: bytes) -> str:
    match what:
        case "form of the header":
            return _WRITERS.get(raw, raw.hex())
        case "mtime":
            return time_text(_number(raw))
        case "mode":
            return f"{_number(raw):04o}"
        case "owner" | "group" | "size":
            return str(_number(raw))
        case _:
            return _text(raw).decode("utf-8", "backslashreplace")


def _number(raw: bytes) -> int:
    if raw[0] & 0x80:
        return int.from_bytes(raw[1:])
    return int(raw.strip(b" \0") or b"0", 8)


def _text(raw: bytes) -> bytes:
    return raw.split(b"\0", 1)[0]


_HEADER = Layout(parts=_PARTS, value=_value)

TAR = Format(name="tar", matches=looks_like_tar, fields=_fields, archive=True)
