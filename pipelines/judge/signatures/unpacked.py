"""One compressed stream that is a whole file: its content, and the parameters that give it again.

Nothing is read beyond the stream: a second one, padding or anything else after it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from builders.archives.compressed import (
    DECOMPRESSION_ERRORS,
    Compression,
    compression,
    decompressor,
)
from builders.core.digest import CHUNK
from builders.packing import GzipPacking, XzPacking
from pipelines.judge.packing import Deadline, UnknownPackingError, read_gzip, read_xz
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    unreadable,
)

_SECONDS = 60
_PACKINGS: dict[str, Callable[[BinaryIO, BinaryIO, Deadline], GzipPacking | XzPacking]] = {
    "gzip": read_gzip,
    "xz": read_xz,
}


def compressed_as(file: BinaryIO, at: int = 0) -> Compression | None:
    """Return how the stream at `at` is compressed."""
    file.seek(at)
    return compression(file.read(16))


def unpacked(file: BinaryIO, name: Compression, at: int = 0) -> Iterator[bytes]:
    """Yield the content of the stream from `at` to the end; raises `BadSignatureError`."""
    file.seek(at)
    frame = decompressor(name)()
    while not frame.eof:
        data = file.read(CHUNK) if frame.needs_input else b""
        if frame.needs_input and not data:
            raise unreadable(f"a {name} stream that ends early")
        try:
            piece = frame.decompress(data, CHUNK)
        except DECOMPRESSION_ERRORS as error:
            raise unreadable(f"a broken {name} stream: {error!a:.200}") from error
        if piece:
            yield piece
    if left := len(frame.unused_data) + len(file.read(CHUNK)):
        what = f"{left} bytes or more after the {name} stream"
        raise BadSignatureError(SignatureFault.TRAILING, what)


class PieceReader:
    """Pieces of bytes as something that can be read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """Read `pieces`, none of which is empty."""
        self._pieces = pieces
        self._left = b""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""
        self._left = self._left or next(self._pieces, b"")
        found, self._left = self._left[:size], self._left[size:]
        return found


def packing_of(file: BinaryIO, name: Compression, content: BinaryIO) -> GzipPacking | XzPacking:
    """Return the parameters that pack `content` into `file`; raises `BadSignatureError`."""
    read = _PACKINGS.get(name)
    if read is None:
        what = f"the shipped file is {name}, which cannot be made again"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    try:
        return read(file, content, Deadline(_SECONDS))
    except UnknownPackingError as error:
        what = f"the shipped file is {name} that cannot be made again: {error}"
        raise BadSignatureError(SignatureFault.LAYOUT, what) from error
