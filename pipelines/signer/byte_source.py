"""The bytes that evidence speaks of, from the store and the vault of one center."""

from __future__ import annotations

import hashlib
import hmac
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from builders.archives import SoughtFile
from builders.core.digest import Digest, chunks
from builders.core.enums import Role
from builders.core.errors import InputMismatchError, InputUnavailableError, NotFoundError
from builders.inputs.input_file import InputFile, input_name
from builders.inputs.vault import ByteStore, Vault
from builders.jail.file_reader import Jail
from builders.locators.dsc import companions
from builders.recipe.recipe import Input
from pipelines.evidence.errors import RefusedError
from pipelines.judge.copied import ContentsCache, row_key
from pipelines.storage.names import Visibility, cas


@dataclass(frozen=True)
class ByteSource:
    """Outputs, logs and inputs of one run by digest; all are hashed as they are read."""

    store: ByteStore
    """Of outputs and logs."""
    vault: Vault
    """Of inputs and shipped files: a signer's `OwnCopies`."""
    jail: Jail
    """Where inputs are read."""
    cache: ContentsCache | None = None
    """The contents of inputs that were hashed before."""
    measured: dict[tuple[Digest, bytes], tuple[int, Digest]] = field(default_factory=dict)
    """What `measure` has returned by digest and key: an object is read once."""
    read: dict[Digest, tuple[int, SoughtFile | None]] = field(default_factory=dict)
    """The same of `shipped`."""

    def measure(
        self, digest: Digest, *, check: str, what: str, key: bytes = b""
    ) -> tuple[int, Digest]:
        """Return the size in bytes and the keyed digest of an object of the private evidence.

        `key` is that of the keyed digest. `what` names the object in messages. Raises
        `RefusedError` when it is not there.
        """
        if (known := self.measured.get((digest, key))) is not None:
            return known
        plain, keyed, size = hashlib.sha256(), hmac.new(key, digestmod=hashlib.sha256), 0
        try:
            with self.store.open(cas(Visibility.PRIVATE, digest)) as stream:
                for piece in chunks(stream):
                    plain.update(piece)
                    keyed.update(piece)
                    size += len(piece)
        except NotFoundError as error:
            raise _absent(check, f"{what} is not in the store", digest) from error
        found = Digest(plain.hexdigest())
        if found != digest:
            what = f"{what} has other bytes in the store"
            raise RefusedError(check, what, got=f"sha256 {found}", expected=digest)
        self.measured[digest, key] = size, Digest(keyed.hexdigest())
        return self.measured[digest, key]

    def shipped(self, digest: Digest, name: str) -> tuple[int, SoughtFile | None]:
        """Hash a shipped file; return its size in bytes, and what to search for to find it.

        Raises `RefusedError`.
        """
        if digest not in self.read:
            size = 0

            def pieces() -> Iterator[bytes]:
                nonlocal size
                for piece in self.vault.pieces(digest):
                    size += len(piece)
                    yield piece

            with _vaulted(digest, check="shipped-bytes", what=f"shipped file {name}"):
                sought = SoughtFile.of(pieces(), digest)
            self.read[digest] = size, sought
        return self.read[digest]

    @contextmanager
    def shipped_file(self, name: str, sha256: Digest) -> Iterator[BinaryIO]:
        """Open a shipped file; raises `RefusedError`."""
        with (
            _vaulted(sha256, check="shipped-bytes", what=f"shipped file {name}"),
            self.vault.open(sha256) as stream,
        ):
            yield stream

    @contextmanager
    def output_file(self, name: str, sha256: Digest) -> Iterator[BinaryIO]:
        """Open a copy of an output that was measured; raises `RefusedError`."""
        digest = hashlib.sha256()
        with (
            self.store.open(cas(Visibility.PRIVATE, sha256)) as stream,
            tempfile.TemporaryFile() as copy,
        ):
            for piece in chunks(stream):
                digest.update(piece)
                copy.write(piece)
            if (got := digest.hexdigest()) != sha256.hex:
                what = f"output {name} has other bytes by now"
                raise RefusedError("output-bytes", what, got=f"sha256 {got}", expected=sha256)
            copy.seek(0)
            yield copy

    @contextmanager
    def base_file(self, sha256: Digest) -> Iterator[BinaryIO]:
        """Open an input of role base; raises `RefusedError`."""
        with self._input(sha256, "the base of an update") as stream:
            yield stream

    def input_files(self, item: Input, sought: Sequence[SoughtFile] = ()) -> Iterator[InputFile]:
        """Yield the files of an input, each hashed unless it was searched for `sought` before."""
        name = input_name(item)
        yield self._input_file(item.role, name, item.sha256, sought)
        if item.role is not Role.SOURCE or not name.endswith(".dsc"):
            return
        with self._input(item.sha256, name) as dsc:
            try:
                found = companions(dsc, self.jail, what=name)
            except InputMismatchError as error:
                what = "a source package cannot be read"
                raise RefusedError("input-bytes", what, got=error) from error
        for companion in found:
            yield self._input_file(item.role, companion.name, companion.sha256, sought)

    def _input_file(
        self, role: Role, name: str, digest: Digest, sought: Sequence[SoughtFile]
    ) -> InputFile:
        if self.cache is None or self.cache.get(row_key(digest, sought)) is None:
            with self._input(digest, name):
                pass  # a signer has copied and hashed it by now
        return InputFile(role=role, name=name, sha256=digest)

    @contextmanager
    def _input(self, digest: Digest, name: str) -> Iterator[BinaryIO]:
        with (
            _vaulted(digest, check="input-bytes", what=f"input {name}"),
            self.vault.open(digest) as stream,
        ):
            yield stream


@contextmanager
def _vaulted(digest: Digest, *, check: str, what: str) -> Iterator[None]:
    """Raise `RefusedError` for an object of the vault that is not there or has other bytes."""
    try:
        yield
    except InputUnavailableError as error:
        raise _absent(check, f"{what} is not in the vault", digest) from error
    except InputMismatchError as error:
        what = f"{what} has other bytes in the vault"
        raise RefusedError(check, what, got=error.got, expected=digest) from error


def _absent(check: str, what: str, digest: Digest) -> RefusedError:
    return RefusedError(check, what, got=f"sha256 {digest}", expected="its bytes")
