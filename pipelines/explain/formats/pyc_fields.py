"""Compiled Python: the header of a `.pyc` (PEP 552), and the code below it."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.explain.format_fields import Content, Field, Format, time_text
from pipelines.judge.difference import FieldKind

_HEADER = 16
_VERSIONS = (
    (3390, 3399, "3.7"), (3400, 3419, "3.8"), (3420, 3429, "3.9"), (3430, 3449, "3.10"),
    (3450, 3499, "3.11"), (3500, 3549, "3.12"), (3550, 3599, "3.13"), (3600, 3649, "3.14"),
    (3650, 3699, "3.15"),
)  # fmt: skip
"""The numbers that each Python gives to its byte code, as importlib/_bootstrap_external.py says."""


def _version(head: bytes) -> str | None:
    number = int.from_bytes(head[:2], "little")
    found = (name for low, high, name in _VERSIONS if low <= number <= high)
    return next(found, None)


def _matches(head: bytes) -> bool:
    return head[2:4] == b"\r\n" and len(head) > _HEADER and _version(head) is not None


def _fields(content: Content) -> Iterator[Field]:
    head = content.bytes(0, _HEADER)
    flags = int.from_bytes(head[4:8], "little")
    magic = f"Python {_version(head)} ({int.from_bytes(head[:2], 'little')})"
    yield Field(name="byte code", size=4, value=magic, kind=FieldKind.PRODUCER)
    how = {0: "by the time of the source", 1: "never", 3: "by the hash of the source"}
    setting = how.get(flags, f"{flags:#x}")
    yield Field(name="validation", at=4, size=4, value=setting, kind=FieldKind.SETTING)
    if flags & 1:
        value = head[8:].hex()
        yield Field(name="hash of the source", at=8, size=8, value=value, kind=FieldKind.DERIVED)
    else:
        time = time_text(int.from_bytes(head[8:12], "little"))
        size = str(int.from_bytes(head[12:], "little"))
        yield Field(name="mtime of the source", at=8, size=4, value=time, kind=FieldKind.SETTING)
        yield Field(name="size of the source", at=12, size=4, value=size, kind=FieldKind.DERIVED)


PYC = Format(name="pyc", matches=_matches, fields=_fields)
