"""The files of source trees, kept in a folder by their digests while archives are read."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from builders.core.digest import CHUNK, Digest, chunks


class SourceContents(AbstractContextManager["SourceContents"]):
    """Contents by digest in a folder of its own; a context manager, which closes its files."""

    def __init__(self, folder: Path) -> None:
        """Make the new `folder`, and keep contents in it."""
        folder.mkdir(parents=True)
        self._folder = folder
        self._current: BinaryIO | None = None

    def __exit__(self, *_: object) -> None:
        """Close the file that is being written, if there is one."""
        self._close()

    def path(self, digest: Digest) -> Path:
        """Return the path of a content, which need not be there."""
        return self._folder / digest.hex

    def begin(self) -> BinaryIO:
        """Return the file to which the next content is written; an unfinished one is replaced."""
        self._close()
        self._current = self._partial.open("wb")
        return self._current

    def finish(self, digest: Digest) -> None:
        """Keep what was written since `begin` as the content of that digest."""
        self._close()
        self._partial.replace(self.path(digest))

    def add(self, data: bytes) -> Digest:
        """Keep a small content, and return its digest."""
        digest = Digest.of(data)
        self.path(digest).write_bytes(data)
        return digest

    def add_stream(self, stream: BinaryIO) -> Digest:
        """Keep the rest of a stream, and return its digest."""
        hasher, copy = hashlib.sha256(), self.begin()
        for piece in chunks(stream):
            hasher.update(piece)
            copy.write(piece)
        digest = Digest(hasher.hexdigest())
        self.finish(digest)
        return digest

    def copy(self, digest: Digest, target: Path) -> None:
        """Copy a content to the new file `target`."""
        with self.path(digest).open("rb") as stream, target.open("xb") as out:
            shutil.copyfileobj(stream, out, CHUNK)

    def size(self, digest: Digest) -> int:
        """Return the bytes of a content."""
        return self.path(digest).stat().st_size

    def text(self, digest: Digest) -> str:
        """Return a small content as text: the target of a link."""
        return self.path(digest).read_text(encoding="utf-8")

    @property
    def _partial(self) -> Path:
        return self._folder / "partial"

    def _close(self) -> None:
        if self._current is not None:
            self._current.close()
            self._current = None
