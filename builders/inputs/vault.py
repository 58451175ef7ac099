"""The center's own copy of every input, by digest. Rebuilds read the vault, never the network.

Bytes enter only after their digest was checked while they streamed by, and are checked again every
time they leave.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from builders.core.digest import Digest, chunks, digest_file
from builders.core.errors import InputMismatchError, InputUnavailableError

PREFIX = "private/vault/sha256/"


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
        self._store = store

    @staticmethod
    def key(digest: Digest) -> str:
        """Return the object name of `digest`."""
        return f"{PREFIX}{digest.hex[:2]}/{digest.hex}"

    def has(self, digest: Digest) -> bool:
        """Say whether the vault holds `digest`."""
        return self._store.has(self.key(digest))

    def add(self, path: Path, expected: Digest, *, what: str) -> None:
        """Take in the file at `path`; raises `InputMismatchError` when it is not `expected`."""
        got = digest_file(path)
        if got != expected:
            raise InputMismatchError(
                f"{what} is not the pinned file",
                got=f"sha256 {got}",
                expected=expected,
                todo="Other bytes are served under that name: find out why before changing the pin",
            )
        self._store.put_file(self.key(expected), path)

    @contextmanager
    def open(self, digest: Digest) -> Iterator[BinaryIO]:
        """Open the bytes of `digest` for reading, unchecked; raises `InputUnavailableError`."""
        if not self.has(digest):
            raise InputUnavailableError(
                "the vault has no such input",
                got=f"sha256 {digest}",
                todo="Fetch it, or bring it with `samebits vault import`",
            )
        with self._store.open(self.key(digest)) as stream:
            yield stream

    def stage(self, digest: Digest, target: Path) -> None:
        """Copy the bytes of `digest` to the new file `target`, checked on the way."""
        hasher = hashlib.sha256()
        with self.open(digest) as stream, target.open("xb") as out:
            for piece in chunks(stream):
                hasher.update(piece)
                out.write(piece)
        try:
            self._compare(hasher.hexdigest(), digest)
        except InputMismatchError:
            target.unlink()
            raise

    def verify(self, digest: Digest) -> int:
        """Read the bytes of `digest` through, and return their size; raises as `stage` does."""
        hasher, size = hashlib.sha256(), 0
        with self.open(digest) as stream:
            for piece in chunks(stream):
                hasher.update(piece)
                size += len(piece)
        self._compare(hasher.hexdigest(), digest)
        return size

    def digests(self) -> Iterator[Digest]:
        """Yield the digest of every input held."""
        for key in self._store.list(PREFIX):
            try:
                digest = Digest(key.rpartition("/")[2])
            except ValueError:
                continue  # somebody else's file: the vault has no name for it
            if key == self.key(digest):
                yield digest

    def _compare(self, got: str, expected: Digest) -> None:
        if got != expected.hex:
            raise InputMismatchError(
                "the vault's own copy is damaged",
                got=f"sha256 {got}",
                expected=expected,
                todo=f"Delete {self.key(expected)} in the store and fetch it again",
            )
