"""The checksum of a PE file, which covers all of it but itself: Microsoft, "PE Format"."""

from __future__ import annotations

_STEP = 1 << 14
"""Bytes of one number, with which adding is quickest."""


class PeChecksum:
    """The checksum of the optional header: a 16-bit one's complement sum, and the length."""

    def __init__(self) -> None:
        """Start with no bytes."""
        self._sum = self._size = 0
        self._odd = b""

    def add(self, data: bytes | bytearray) -> None:
        """Count the next bytes of the file, of which the checksum itself is zero."""
        self._size += len(data)
        data = self._odd + data
        whole = len(data) & ~1
        # The sum of 16-bit words modulo 0xffff is that of the numbers that they make.
        numbers = (
            int.from_bytes(data[at : min(at + _STEP, whole)], "little")
            for at in range(0, whole, _STEP)
        )
        self._sum += sum(numbers)
        self._odd = bytes(data[whole:])

    def value(self) -> int:
        """Return the checksum of what was counted."""
        rest = int.from_bytes(self._odd, "little")
        total = (self._sum + rest) % 0xFFFF
        return (total or 0xFFFF) + self._size
