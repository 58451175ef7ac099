"""Pieces of a compressed file: none is empty, and what is not read at once is kept."""

from __future__ import annotations

import gzip
import io
import lzma

import pytest

from pipelines.judge.signatures import unpacked as unpacked_module
from pipelines.judge.signatures.unpacked import PieceReader, compressed_as, unpacked


@pytest.mark.parametrize("packed", [gzip.compress(b"ab" * 99, mtime=0), lzma.compress(b"ab" * 99)])
def test_no_piece_is_empty(monkeypatch: pytest.MonkeyPatch, packed: bytes) -> None:
    monkeypatch.setattr(unpacked_module, "CHUNK", 1)
    file = io.BytesIO(packed)
    name = compressed_as(file)
    assert name is not None
    pieces = list(unpacked(file, name))
    assert all(pieces)
    assert b"".join(pieces) == b"ab" * 99


def test_pieces_are_read_in_parts() -> None:
    reader = PieceReader(iter([b"abc", b"d"]))
    assert [reader.read(2) for _ in range(4)] == [b"ab", b"c", b"d", b""]
