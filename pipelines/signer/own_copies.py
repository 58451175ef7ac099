"""The signer's own copies of what it reads: each is hashed while it is copied, once.

Whoever can write to the store could give one file to be hashed and another to be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from builders.core.digest import Digest
from builders.inputs.vault import Vault
from pipelines.storage.files import write_error


@contextmanager
def own_copies(vault: Vault, scratch: Path | None) -> Iterator[OwnCopies]:
    """Copy what is opened of `vault` into a new folder in `scratch`, which is removed at the end.

    None is the folder of temporary files. Raises `InfrastructureError`.
    """
    try:
        folder = TemporaryDirectory(dir=scratch, prefix="signer-")
    except OSError as error:
        raise write_error(scratch or Path("TMPDIR"), error) from error
    with folder:
        yield OwnCopies(vault, Path(folder.name))


class OwnCopies(Vault):
    """A vault whose objects are copied when they are first opened, and read from that copy."""

    def __init__(self, vault: Vault, folder: Path) -> None:
        """Copy from `vault` into `folder`, which nobody else can write to."""
        super().__init__(vault.store)
        self._folder = folder

    @contextmanager
    def open(self, digest: Digest) -> Iterator[BinaryIO]:
        """Open the copy of `digest`.

        Raises `InputUnavailableError`, `InputMismatchError` for other bytes, and
        `InfrastructureError` where there is no room.
        """
        copy = self._folder / digest.hex
        if not copy.exists():
            try:
                self.stage(digest, copy)
            except OSError as error:
                copy.unlink(missing_ok=True)
                raise write_error(copy, error) from error
        with copy.open("rb") as stream:
            yield stream
