"""DER: the size of a value, and a check that leaves no byte outside of one (X.690)."""

from __future__ import annotations

_MAX_DEPTH = 32
_CONSTRUCTED = 0x20


class DerError(ValueError):
    """Bytes that are not DER."""


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
    _check(data, 0, len(data), _MAX_DEPTH, single=True)


def _check(data: bytes, at: int, end: int, depth: int, *, single: bool = False) -> None:
    if not depth:
        raise DerError(f"values more than {_MAX_DEPTH} deep")
    while at < end:
        begin, after = der_header(data, at)
        if after > end:
            raise DerError("a value that is longer than the one around it")
        if data[at] & _CONSTRUCTED:
            _check(data, begin, after, depth - 1)
        at = after
        if single and at != end:
            raise DerError("bytes after the value")
