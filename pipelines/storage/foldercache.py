"""Rows by digest in a folder: what is inside an input is found once. Losing one costs a look."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from builders.core.digest import Digest


class FolderCache:
    """A `ContentsCache` below one folder."""

    def __init__(self, folder: Path) -> None:
        """Keep rows in `folder`, which is made when needed."""
        self._folder = folder

    def get(self, digest: Digest) -> bytes | None:
        """Return the row that was put, or None."""
        try:
            return (self._folder / digest.hex).read_bytes()
        except OSError:
            return None

    def put(self, digest: Digest, row: bytes) -> None:
        """Keep a row, if this user may write there."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as partial:
                partial.write(row)
            Path(partial.name).replace(self._folder / digest.hex)
