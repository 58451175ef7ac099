"""The bytes that a report is about, read again from the store and hashed again."""

from __future__ import annotations

import hashlib
import hmac
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

from builders.core.digest import Digest, chunks
from builders.core.errors import InputMismatchError, InputUnavailableError, NotFoundError
from builders.inputs.vault import ByteStore, Vault
from pipelines.evidence.errors import RefusedError
from pipelines.storage.names import Visibility, cas


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was found by reading an object through: size in bytes, plain and keyed digest."""

    sha256: Digest
    size: int
    hmac: Digest


class ByteSource:
    """Outputs, logs and inputs of one center by digest; nothing is believed, all is hashed."""

    def __init__(self, store: ByteStore, vault: Vault) -> None:
        """Read evidence in `store`, shipped files and inputs in `vault`."""
        self._store = store
        self._vault = vault

    def evidence(self, digest: Digest, *, check: str, what: str, key: bytes = b"") -> Measured:
        """Measure an object of the private evidence; raises `RefusedError` when it is not there.

        `key` is that of the keyed digest. `what` names the object in messages.
        """
        name = cas(Visibility.PRIVATE, digest)
        plain, keyed, size = hashlib.sha256(), hmac.new(key, digestmod=hashlib.sha256), 0
        try:
            with self._store.open(name) as stream:
                for piece in chunks(stream):
                    plain.update(piece)
                    keyed.update(piece)
                    size += len(piece)
        except NotFoundError as error:
            raise RefusedError(
                f"{what} is not in the store",
                check=check,
                got=f"sha256 {digest}",
                expected="bytes to hash",
            ) from error
        found = Digest(plain.hexdigest())
        if found != digest:
            raise RefusedError(
                f"{what} has other bytes in the store",
                check=check,
                got=f"sha256 {found}",
                expected=digest,
            )
        return Measured(sha256=found, size=size, hmac=Digest(keyed.hexdigest()))

    def vaulted(self, digest: Digest, *, check: str, what: str) -> int:
        """Hash an object of the vault and return its size in bytes; raises `RefusedError`."""
        try:
            return self._vault.verify(digest)
        except InputUnavailableError as error:
            raise RefusedError(
                f"{what} is not in the vault",
                check=check,
                got=f"sha256 {digest}",
                expected="bytes to hash",
            ) from error
        except InputMismatchError as error:
            raise RefusedError(
                f"{what} has other bytes in the vault",
                check=check,
                got=error.got,
                expected=digest,
            ) from error

    def opener(self, digest: Digest) -> AbstractContextManager[BinaryIO]:
        """Open an object of the vault, unchecked: `vaulted` has checked it."""
        return self._vault.open(digest)
