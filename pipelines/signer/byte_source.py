"""The bytes that a report is about, read from the store and the vault, and hashed again."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

from builders.core.digest import Digest, chunks
from builders.core.enums import Role
from builders.core.errors import InputMismatchError, InputUnavailableError, NotFoundError
from builders.inputs.collect import input_name
from builders.inputs.input_file import InputFile
from builders.inputs.vault import ByteStore, Vault
from builders.locators.dsc import MAX_DSC_BYTES, companions
from builders.recipe.recipe import Input
from pipelines.evidence.errors import RefusedError
from pipelines.judge.copied import ContentsCache
from pipelines.storage.names import Visibility, cas


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The size in bytes and the keyed digest of an object that was read."""

    size: int
    hmac: Digest


@dataclass(frozen=True)
class ByteSource:
    """Outputs, logs and inputs of one center by digest; all are hashed before they are used."""

    store: ByteStore
    """Of outputs and logs."""
    vault: Vault
    """Of inputs and shipped files."""
    cache: ContentsCache | None = None
    """The contents of inputs that were hashed before."""

    def measure(self, digest: Digest, *, check: str, what: str, key: bytes = b"") -> Measured:
        """Measure an object of the private evidence; raises `RefusedError` when it is not there.

        `key` is that of the keyed digest. `what` names the object in messages.
        """
        plain, keyed, size = hashlib.sha256(), hmac.new(key, digestmod=hashlib.sha256), 0
        try:
            with self.store.open(cas(Visibility.PRIVATE, digest)) as stream:
                for piece in chunks(stream):
                    plain.update(piece)
                    keyed.update(piece)
                    size += len(piece)
        except NotFoundError as error:
            raise RefusedError(
                check, f"{what} is not in the store", got=f"sha256 {digest}", expected="its bytes"
            ) from error
        found = Digest(plain.hexdigest())
        if found != digest:
            raise RefusedError(
                check,
                f"{what} has other bytes in the store",
                got=f"sha256 {found}",
                expected=digest,
            )
        return Measured(size=size, hmac=Digest(keyed.hexdigest()))

    def vaulted_size(self, digest: Digest, *, check: str, what: str) -> int:
        """Hash an object of the vault and return its size in bytes; raises `RefusedError`."""
        try:
            return self.vault.verify(digest)
        except InputUnavailableError as error:
            raise RefusedError(
                check, f"{what} is not in the vault", got=f"sha256 {digest}", expected="its bytes"
            ) from error
        except InputMismatchError as error:
            raise RefusedError(
                check, f"{what} has other bytes in the vault", got=error.got, expected=digest
            ) from error

    def open_vaulted(self, digest: Digest) -> AbstractContextManager[BinaryIO]:
        """Open an object of the vault that has been hashed already."""
        return self.vault.open(digest)

    def input_files(self, item: Input) -> Iterator[InputFile]:
        """Yield the files of an input, each hashed unless its contents are cached already."""
        name = input_name(item)
        yield self._input_file(item.role, name, item.sha256)
        if item.role is not Role.SOURCE or not name.endswith(".dsc"):
            return
        with self.open_vaulted(item.sha256) as stream:
            dsc = stream.read(MAX_DSC_BYTES + 1)
        try:
            found = companions(dsc, what=name)
        except InputMismatchError as error:
            raise RefusedError(
                "input-bytes", "a source package cannot be read", got=error
            ) from error
        for companion in found:
            yield self._input_file(item.role, companion.name, companion.sha256)

    def _input_file(self, role: Role, name: str, digest: Digest) -> InputFile:
        if self.cache is None or self.cache.get(digest) is None:
            self.vaulted_size(digest, check="input-bytes", what=f"input {name}")
        return InputFile(role=role, name=name, sha256=digest)
