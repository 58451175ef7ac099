"""zlib-ng unpacks what zlib unpacks, to the same bytes, and refuses the rest in the same words."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from builders.archives.compressed import ZlibDecompressor, ZlibError

KINDS = {"deflate": -15, "zlib": 15, "gzip": 31}


def unpacked(stream: Any, data: bytes, *, step: int, most: int) -> tuple[bytes, str, bool]:
    """Return what a stream gives up to its end or its fault, the fault, and whether it ended."""
    found, at, left = b"", 0, b""
    try:
        while not stream.eof and (left or at < len(data)):
            if not left:
                left, at = data[at : at + step], at + step
            found += stream.decompress(left, most)
            left = stream.unconsumed_tail
    except (zlib.error, ZlibError) as error:
        return found, str(error), False
    return found, "", stream.eof


class Steps:
    """A `ZlibDecompressor` with the interface of zlib."""

    def __init__(self, wbits: int) -> None:
        self._stream = ZlibDecompressor(wbits)
        self.unconsumed_tail = b""

    @property
    def eof(self) -> bool:
        return self._stream.eof

    def decompress(self, data: bytes, most: int) -> bytes:
        found = self._stream.decompress(data, most)
        while not self._stream.needs_input and not self._stream.eof:
            found += self._stream.decompress(b"", most)
        return found


def damaged(data: bytes, chance: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    return bytes(found[: chance.randint(len(found) // 2, len(found))])


def streams(wbits: int, chance: random.Random) -> Iterator[bytes]:
    text = b"".join(b"line %d\n" % chance.randrange(100) for _ in range(2000))
    for data in (b"", text, chance.randbytes(3000), bytes(200_000)):
        for level, strategy in (
            (0, 0),
            (1, 0),
            (6, 0),
            (9, zlib.Z_FIXED),
            (9, zlib.Z_HUFFMAN_ONLY),
        ):
            packer = zlib.compressobj(level, zlib.DEFLATED, wbits, 8, strategy)
            yield packer.compress(data) + packer.flush()


@pytest.mark.parametrize("kind", KINDS)
def test_it_takes_and_refuses_what_zlib_does(kind: str) -> None:
    chance, ends = random.Random(5), set()  # noqa: S311  # no secret
    for sound in streams(KINDS[kind], chance):
        for data in (sound, *(damaged(sound, chance) for _ in range(60))):
            step = chance.choice((50, 300, 1 << 16))
            ours = unpacked(Steps(KINDS[kind]), data, step=step, most=1 << 18)
            theirs = unpacked(zlib.decompressobj(KINDS[kind]), data, step=step, most=1 << 18)
            assert ours == theirs
            ends.add(ours[1:])
    assert len(ends) > 5, "sound ones, those that end early, and faults of several kinds"
