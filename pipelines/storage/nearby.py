"""Inputs beside the engine, although the store is far away.

The vault of a center whose store is in S3: what was put or read once is also in a folder here, so
that a rebuild reads no gigabytes over the line, and goes on when the store does not answer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from builders.core.digest import chunks
from builders.core.errors import NotFoundError, StoreError
from builders.inputs.vault import ByteStore
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.outbox import merged


class NearbyStore:
    """A `ByteStore` of content-addressed objects in `store`, with copies in a folder."""

    def __init__(self, folder: Path, store: ByteStore) -> None:
        """Keep copies in `folder`; nothing is made yet."""
        self._near = DirectoryStore(folder)
        self._store = store

    def has(self, key: str) -> bool:
        """Say whether an object is here or in the store; one out of reach is not there."""
        if self._near.has(key):
            return True
        try:
            return self._store.has(key)
        except StoreError:
            return False

    def open(self, key: str) -> BinaryIO:
        """Open the copy, made now if there is none; raises `NotFoundError`, `DamagedError`."""
        with suppress(NotFoundError):
            return self._near.open(key)
        with tempfile.TemporaryDirectory(prefix="samebits-") as folder:
            path = Path(folder) / "copy"
            with self._store.open(key) as stream, path.open("xb") as out:
                for piece in chunks(stream):
                    out.write(piece)
            self._near.put_file(key, path)
        return self._near.open(key)

    def put_file(self, key: str, path: Path) -> None:
        """Store a file, here and there."""
        self._near.put_file(key, path)
        self._store.put_file(key, path)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below `prefix`, here or there, each once and in order."""
        return merged(self._near.list(prefix), self._store.list(prefix))
