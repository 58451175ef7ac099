"""The vault: the center's own copy of every input, by digest. Rebuilds read it, not the network.

A digest is checked when bytes enter the vault, and again each time they are read.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from builders.core.digest import CHUNK, Digest, chunks, digest_file
from builders.core.errors import InputMismatchError, InputUnavailableError

PREFIX = "private/vault/sha256/"
_IN_MEMORY = 16 << 20


class ByteStore(Protocol):
    """What the vault needs of a store: named objects that are written once."""

    def has(self, key: str) -> bool:
        """Say whether an object of that name exists."""

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading; raises `NotFoundError`."""

    def put_file(self, key: str, path: Path) -> None:
        """Store a file under a name that its content determines; an existing one is left alone."""

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below `prefix`, sorted."""


class Vault:
    """Inputs by digest, in any `ByteStore`."""

    def __init__(self, store: ByteStore) -> None:
        """Keep inputs in `store` under `private/vault/sha256/<aa>/<hex>`."""
        self.store = store

    @staticmethod
    def key(digest: Digest) -> str:
        """Return the object name of `digest`."""
        return f"{PREFIX}{digest.hex[:2]}/{digest.hex}"

    def has(self, digest: Digest) -> bool:
        """Say whether the vault holds `digest`."""
        return self.store.has(self.key(digest))

    def add(self, path: Path, expected: Digest, *, what: str) -> None:
        """Add the file at `path`; raises `InputMismatchError` if its digest is not `expected`."""
        got = digest_file(path)
        if got != expected:
            raise InputMismatchError(
                f"{what} is not the pinned file",
                got=f"sha256 {got}",
                expected=expected,
                todo="Other bytes are served under that name: find out why before changing the pin",
            )
        self.store.put_file(self.key(expected), path)

    @contextmanager
    def open(self, digest: Digest) -> Iterator[BinaryIO]:
        """Open the bytes of `digest`, unchecked; raises `InputUnavailableError`.

        The stream is seekable, as archive readers need it: what a store can only send from its
        start to its end is copied to a temporary file first.
        """
        with self._stream(digest) as stream:
            if stream.seekable():
                yield stream
                return
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
                shutil.copyfileobj(stream, copy, CHUNK)
                copy.seek(0)
                yield copy  # type: ignore[misc]  # it is a BinaryIO in all but its type

    def _stream(self, digest: Digest) -> BinaryIO:
        if not self.has(digest):
            raise InputUnavailableError(
                "the vault has no such input",
                got=f"sha256 {digest}",
                todo="Fetch it, or import it with `samebits vault import`",
            )
        return self.store.open(self.key(digest))

    def pieces(self, digest: Digest) -> Iterator[bytes]:
        """Yield the bytes of `digest`, and check them.

        Raises `InputUnavailableError`, and `InputMismatchError` after the last piece.
        """
        hasher = hashlib.sha256()
        with self._stream(digest) as stream:
            for piece in chunks(stream):
                hasher.update(piece)
                yield piece
        if hasher.hexdigest() != digest.hex:
            raise InputMismatchError(
                "the vault's own copy is damaged",
                got=f"sha256 {hasher.hexdigest()}",
                expected=digest,
                todo=f"Delete {self.key(digest)} in the store and fetch it again",
            )

    def stage(self, digest: Digest, target: Path) -> None:
        """Copy the bytes of `digest` to the new file `target`, which is whole or not there.

        Raises as `pieces` does.
        """
        partial = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with partial.open("xb") as out:
                for piece in self.pieces(digest):
                    out.write(piece)
            target.hardlink_to(partial)
        finally:
            partial.unlink(missing_ok=True)

    def verify(self, digest: Digest) -> int:
        """Read the bytes of `digest`, and return their size; raises as `pieces` does."""
        return sum(len(piece) for piece in self.pieces(digest))

    def digests(self) -> Iterator[Digest]:
        """Yield the digest of every input held."""
        for key in self.store.list(PREFIX):
            try:
                digest = Digest(key.rpartition("/")[2])
            except ValueError:
                continue  # not a file of the vault
            if key == self.key(digest):
                yield digest
