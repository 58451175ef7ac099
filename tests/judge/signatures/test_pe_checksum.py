"""The checksum of PE files, beside one that adds up words as the format says."""

from __future__ import annotations

import random

import pytest

from pipelines.judge.signatures.pe_checksum import PeChecksum


def added(data: bytes) -> int:
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2], "little")
        total = (total & 0xFFFF) + (total >> 16)
    return total + len(data)


@pytest.mark.parametrize("size", [2, 3, 511, 512, 513, 514, 1023, 16383, 16386, 70001])
@pytest.mark.parametrize("fill", [None, 0xFF])
def test_it_is_the_sum_of_the_words_whatever_the_pieces_are(size: int, fill: int | None) -> None:
    chance = random.Random(size)  # noqa: S311
    data = bytes([fill]) * size if fill else chance.randbytes(size)
    cuts = sorted(chance.randrange(size) for _ in range(3))
    checksum = PeChecksum()
    for begin, end in zip([0, *cuts], [*cuts, size], strict=True):
        checksum.add(data[begin:end])
    assert checksum.value() == added(data)
