"""Values of GLib's serialization format GVariant, taken apart by their type.

A type is text: `y`, `u` and `t` are numbers of 1, 4 and 8 bytes, `s` is text, `v` a value with its
type, `a` an array of what follows, and `(...)` and `{...}` are tuples. A value that has not the
only form of its type is refused. Source: "GVariant Specification" 1.0, chapter 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from pipelines.judge.updates.delta_io import unreadable
from pipelines.judge.updates.update_fault import UpdateError

_NUMBERS = {"y": 1, "u": 4, "t": 8}
_ALIGNED = {**_NUMBERS, "s": 1, "v": 8}


def items(kind: str, data: bytes) -> Iterator[bytes]:
    """Yield the elements of an array, of type `kind`; raises `UpdateError`."""
    size = _size(kind)
    if size:
        if len(data) % size:
            raise _broken(f"a{kind}")
        yield from (data[at : at + size] for at in range(0, len(data), size))
    else:
        width = _width(len(data))
        last = int.from_bytes(data[-width:], "little")
        count, rest = divmod(len(data) - last, width)
        if rest:
            raise _broken(f"a{kind}")
        ends = [_offset(data, last + width * number, width) for number in range(count)]
        yield from _cut([kind] * count, data[:last], ends)


def fields(kind: str, data: bytes) -> list[bytes]:
    """Return the parts of a tuple; raises `UpdateError`."""
    parts = parts_of(kind)
    width = _width(len(data))
    own = [part for part in parts[:-1] if not _size(part)]
    limit = len(data) - width * len(own)
    if limit < 0 or _size(kind) not in {0, len(data)}:
        raise _broken(kind)
    offsets = (
        _offset(data, len(data) - width * number, width) for number in range(1, len(own) + 1)
    )
    ends: list[int | None] = [None if _size(part) else next(offsets) for part in parts[:-1]]
    ends.append(None if _size(parts[-1]) else limit)
    return list(_cut(parts, data[:limit], ends, padded=bool(_size(kind))))


def text(data: bytes) -> str:
    """Return a text; raises `UpdateError`."""
    if not data.endswith(b"\0") or b"\0" in data[:-1]:
        raise _broken("s")
    try:
        return data[:-1].decode()
    except UnicodeDecodeError as error:
        raise _broken("s") from error


def variant(data: bytes) -> tuple[bytes, bytes]:
    """Return the type and the bytes of a value that says its type."""
    value, _, kind = data.rpartition(b"\0")
    return kind, value


def offset_bytes(offset: int, size: int) -> bytes:
    """Return where a part ends, of a tuple whose parts have `size` bytes and one such offset."""
    width = next(one for one in (1, 2, 4, 8) if size + one < 1 << 8 * one)
    return offset.to_bytes(width, "little")


def _cut(
    parts: list[str], data: bytes, ends: list[int | None] | list[int], *, padded: bool = False
) -> Iterator[bytes]:
    """Yield the parts that fill the data, or, of what is padded, have zeros behind them."""
    at = 0
    for part, end in zip(parts, ends, strict=True):
        start = at + -at % _alignment(part)
        stop = start + _size(part) if end is None else end
        if not start <= stop <= len(data) or any(data[at:start]):
            raise _broken(part)
        yield data[start:stop]
        at = stop
    if any(data[at:]) or (at != len(data) and not padded):
        raise _broken("".join(parts))


def _offset(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width], "little")


def _width(size: int) -> int:
    """Return the bytes of one offset in a container of so many bytes."""
    return 1 if size < 1 << 8 else 2 if size < 1 << 16 else 4 if size < 1 << 32 else 8


@cache
def parts_of(kind: str) -> list[str]:
    """Return the types of the parts of a tuple."""
    found, at = [], 1
    while at < len(kind) - 1:
        end = _end(kind, at)
        found.append(kind[at:end])
        at = end
    return found


def _end(kind: str, at: int) -> int:
    while kind[at] == "a":
        at += 1
    depth = 0
    while True:
        depth += (kind[at] in "({") - (kind[at] in ")}")
        at += 1
        if not depth:
            return at


@cache
def _alignment(kind: str) -> int:
    if kind[0] == "a":
        return _alignment(kind[1:])
    if kind[0] in "({":
        return max(_alignment(part) for part in parts_of(kind))
    return _ALIGNED[kind]


@cache
def _size(kind: str) -> int:
    """Return the bytes of a value, 0 for a type whose values have different sizes."""
    if kind[0] not in "({":
        return _NUMBERS.get(kind, 0)
    at = 0
    for part in parts_of(kind):
        size = _size(part)
        if not size:
            return 0
        at += -at % _alignment(part) + size
    return at + -at % _alignment(kind)


def _broken(kind: str) -> UpdateError:
    return unreadable(f"a broken value of type {kind[:20]}")
