"""Pieces of a compressed file: none is empty, and what is not read at once is kept."""

from __future__ import annotations

import gzip
import io
import lzma
from collections.abc import Callable

import pytest

from builders.core.digest import CHUNK
from pipelines.judge.signatures import unpacked as unpacked_module
from pipelines.judge.signatures.signature_format import BadSignatureError, SignatureFault
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


@pytest.mark.parametrize("size", [1, CHUNK], ids=["read alone", "read with the stream"])
@pytest.mark.parametrize("pack", [lambda data: gzip.compress(data, mtime=0), lzma.compress])
def test_a_byte_after_the_stream_is_refused(
    monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes], size: int
) -> None:
    monkeypatch.setattr(unpacked_module, "CHUNK", size)
    file = io.BytesIO(pack(b"ab") + b"x")
    name = compressed_as(file)
    assert name is not None
    with pytest.raises(BadSignatureError) as refused:
        list(unpacked(file, name))
    assert refused.value.refused.fault is SignatureFault.TRAILING


def test_pieces_are_read_in_parts() -> None:
    reader = PieceReader(iter([b"abc", b"d"]))
    assert [reader.read(2) for _ in range(4)] == [b"ab", b"c", b"d", b""]
