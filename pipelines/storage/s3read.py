"""Reading from S3 as a stream that checks itself.

The last read of a content-addressed object raises `DamagedError` instead of ending when the bytes
that went by are not those that its name promises; a line that breaks off is never taken for an end.
"""

from __future__ import annotations

import hashlib
import io
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, cast

from botocore.exceptions import BotoCoreError

from builders.core.digest import CHUNK, Digest
from builders.core.errors import StoreError
from pipelines.storage.names import content_digest
from pipelines.storage.s3client import explained
from pipelines.storage.s3settings import S3Place
from pipelines.storage.store import check_content

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from botocore.response import StreamingBody


def checked(body: StreamingBody, key: str, size: int, place: S3Place) -> BinaryIO:
    """Return the `size` bytes of an object as a stream that checks their number and digest."""
    return cast("BinaryIO", io.BufferedReader(_Checked(body, key, size, place), CHUNK))


class _Checked(io.RawIOBase):
    """The raw stream: every byte that leaves it was counted and hashed."""

    def __init__(self, body: StreamingBody, key: str, size: int, place: S3Place) -> None:
        super().__init__()
        self._body, self._key, self._size, self._place = body, key, size, place
        self._hasher = hashlib.sha256() if content_digest(key) else None
        self._read = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read some bytes; raises `StoreError` for a broken line and `DamagedError` at the end."""
        view = memoryview(buffer).cast("B")
        with explained(f"cannot read {self._key}", self._place):
            piece = self._body.read(len(view))
        view[: len(piece)] = piece
        self._read += len(piece)
        if self._hasher:
            self._hasher.update(piece)
        if self._read >= self._size or not piece:
            self._end()
        return len(piece)

    def close(self) -> None:
        """Give the connection back."""
        if not self.closed:
            with suppress(BotoCoreError, OSError):
                self._body.close()
        super().close()

    def _end(self) -> None:
        if self._read != self._size:
            raise StoreError(
                f"cannot read {self._key} in the store {self._place}",
                got=f"{self._read} bytes",
                expected=f"{self._size} bytes",
                todo="Run again; if it stays so, look at the server",
            )
        if self._hasher:
            check_content(self._key, Digest(self._hasher.hexdigest()))
