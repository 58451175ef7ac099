"""DER: the size of a value, and a check that leaves no byte outside of one (X.690)."""

from __future__ import annotations

import re
from typing import NamedTuple

_MAX_DEPTH = 32
_CONSTRUCTED = 0x20
_INTEGER, _OBJECT_IDENTIFIER = 0x02, 0x06
_PADDED = re.compile(rb"[\x00-\x7f]\x80")
"""An arc of an object identifier that begins with zeros."""


class DerError(ValueError):
    """Bytes that are not DER."""


class Value(NamedTuple):
    """Where a value is, in bytes from the start of the data."""

    tag: int
    start: int
    """Of its tag."""
    begin: int
    """Of its content."""
    end: int


def children(data: bytes, begin: int, end: int) -> list[Value]:
    """Return the values between `begin` and `end`; raises `DerError`."""
    found = []
    while begin < end:
        start, (begin, after) = begin, der_header(data, begin)
        if after > end:
            raise DerError("a value that is longer than the one around it")
        found.append(Value(data[start], start, begin, after))
        begin = after
    return found


def der_header(data: bytes, at: int = 0) -> tuple[int, int]:
    """Return where the content of the value at `at` begins and ends; raises `DerError`."""
    if len(data) - at < 2 or data[at] & 0x1F == 0x1F:
        raise DerError("a value that ends early, or a tag of several bytes")
    first = data[at + 1]
    if first < 0x80:
        return at + 2, at + 2 + first
    count = first & 0x7F
    begin = at + 2 + count
    length = int.from_bytes(data[at + 2 : begin], "big")
    if not 1 <= count <= 4 or begin > len(data) or length < max(0x80, 1 << 8 * (count - 1)):
        raise DerError("a length that is indefinite, or longer than it need be")
    return begin, begin + length


def check_der(data: bytes) -> None:
    """Require one DER value, each part of which fills the one around it; raises `DerError`."""
    if len(children(data, 0, len(data))) != 1:
        raise DerError("bytes after the value")
    _check(data, 0, len(data), _MAX_DEPTH)


def _check(data: bytes, at: int, end: int, depth: int) -> None:
    if not depth:
        raise DerError(f"values more than {_MAX_DEPTH} deep")
    for value in children(data, at, end):
        content = data[value.begin : value.end]
        if value.tag & _CONSTRUCTED:
            _check(data, value.begin, value.end, depth - 1)
        elif value.tag == _INTEGER and not _is_minimal(content):
            raise DerError("an integer that is longer than it need be")
        elif value.tag == _OBJECT_IDENTIFIER and (
            content[-1:] >= b"\x80" or b"\x80" in content[:1] or _PADDED.search(content)
        ):
            raise DerError("an object identifier that is longer than it need be")


def _is_minimal(integer: bytes) -> bool:
    first = integer[:2]
    return len(first) == 1 or not (first < b"\x00\x80" or first >= b"\xff\x80")
