"""The files of source trees, kept in a folder by their digests while archives are read."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, cast

from builders.core.digest import CHUNK, Digest
from builders.core.errors import InputMismatchError


class SourceContents:
    """Contents by digest in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Make the new `folder`, and keep contents in it."""
        folder.mkdir(parents=True)
        self._folder = folder

    def path(self, digest: Digest) -> Path:
        """Return the path of a content, which need not be there."""
        return self._folder / digest.hex

    def output(self) -> AbstractContextManager[BinaryIO]:
        """Open an empty file beside the contents, for contents one behind the other."""
        return cast("AbstractContextManager[BinaryIO]", tempfile.TemporaryFile(dir=self._folder))

    def take(self, output: BinaryIO, written: Iterable[tuple[Digest, int]]) -> None:
        """Keep the contents in `output`, in the order and with the sizes in bytes of `written`.

        Raises `InputMismatchError` for a content that has another digest.
        """
        output.seek(0)
        for digest, size in written:
            hasher, left = hashlib.sha256(), size
            with self.path(digest).open("wb") as file:
                while piece := output.read(min(CHUNK, max(0, left))):
                    hasher.update(piece)
                    file.write(piece)
                    left -= len(piece)
            if left or hasher.hexdigest() != digest.hex:
                what = "a content of a source is not the one that was read"
                raise InputMismatchError(what, got=hasher.hexdigest(), expected=digest)

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
