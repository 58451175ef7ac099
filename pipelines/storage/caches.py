"""Caches in local folders: of the inputs in a remote store, and of what inputs contain."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from builders.core.digest import Digest, chunks
from builders.core.errors import NotFoundError, StoreError
from builders.inputs.vault import ByteStore
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.outbox import merged


class CachingStore:
    """A `ByteStore` of content-addressed objects in a remote store, with copies in a folder.

    An object that was stored or read once is in the folder too, so that a rebuild neither
    downloads it again nor fails when the remote store does not answer.
    """

    def __init__(self, folder: Path, remote: ByteStore) -> None:
        """Keep copies in `folder`, which is made when needed."""
        self._local = DirectoryStore(folder)
        self._remote = remote

    def has(self, key: str) -> bool:
        """Say whether an object is in the folder or in the remote store; False if that is away."""
        if self._local.has(key):
            return True
        try:
            return self._remote.has(key)
        except StoreError:
            return False

    def open(self, key: str) -> BinaryIO:
        """Open the copy, made now if there is none; raises `NotFoundError`, `DamagedError`."""
        with suppress(NotFoundError):
            return self._local.open(key)
        with tempfile.TemporaryDirectory(prefix="samebits-") as folder:
            path = Path(folder) / "copy"
            with self._remote.open(key) as stream, path.open("xb") as out:
                for piece in chunks(stream):
                    out.write(piece)
            self._local.put_file(key, path)
        return self._local.open(key)

    def put_file(self, key: str, path: Path) -> None:
        """Store a file in the folder and in the remote store."""
        self._local.put_file(key, path)
        self._remote.put_file(key, path)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below `prefix` in either of them, each once and in order."""
        return merged(self._local.list(prefix), self._remote.list(prefix))


class FolderCache:
    """A `ContentsCache`: one file for each digest; a lost file is a cache miss."""

    def __init__(self, folder: Path) -> None:
        """Keep the files in `folder`, which is made when needed."""
        self._folder = folder

    def get(self, digest: Digest) -> bytes | None:
        """Return what was stored for `digest`, or None."""
        try:
            return (self._folder / digest.hex).read_bytes()
        except OSError:
            return None

    def put(self, digest: Digest, row: bytes) -> None:
        """Store `row` for `digest`, if this user may write there."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as partial:
                partial.write(row)
            Path(partial.name).replace(self._folder / digest.hex)
