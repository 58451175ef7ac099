"""The salt of a private release: the secret under which its digests are published.

A keyed digest is HMAC-SHA256 (RFC 2104) with the salt as key, over the 64 hexadecimal digits of the
SHA-256 in ASCII. Centers that share the salt publish the same keyed digests, so their findings can
still be joined; without the salt not even a guess can be checked.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, StoreConflictError, UsageError
from builders.inputs.vault import ByteStore
from pipelines.evidence.release_name import ReleaseName
from pipelines.storage.names import check_key, encode
from pipelines.storage.store import DamagedError, Store

SALT_BYTES = 32
Random = Callable[[int], bytes]


@dataclass(frozen=True, kw_only=True)
class Salt:
    """32 secret bytes; they are never shown by accident."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != SALT_BYTES:
            raise ValueError(f"a salt has {SALT_BYTES} bytes, got {len(self.secret)}")

    def keyed(self, digest: Digest) -> Digest:
        """Return the keyed digest that stands for `digest` in public."""
        return Digest(hmac.new(self.secret, digest.hex.encode(), hashlib.sha256).hexdigest())

    def to_text(self) -> str:
        """Return the secret as it is stored and carried: 64 hexadecimal digits and a newline."""
        return f"{self.secret.hex()}\n"

    @classmethod
    def parse(cls, text: str) -> Salt:
        """Read what `to_text` writes; raises `UsageError`, which does not repeat the text."""
        try:
            return cls(secret=bytes.fromhex(Digest(text.strip()).hex))
        except ValueError as error:
            raise UsageError(
                "not a salt", got=f"{len(text)} characters", expected="64 lower-case hex digits"
            ) from error


def salt_key(release: ReleaseName) -> str:
    """Return the name of a release's salt in the private prefix of a store."""
    return check_key("/".join(["private/salts", *map(encode, release.parts)]))


def read_salt(store: ByteStore, release: ReleaseName) -> Salt | None:
    """Return the salt of a release, None when it has none yet; raises `DamagedError`."""
    key = salt_key(release)
    try:
        with store.open(key) as stream:
            data = stream.read(256)
    except NotFoundError:
        return None
    try:
        return Salt.parse(data.decode("ascii"))
    except (UsageError, UnicodeDecodeError) as error:
        raise DamagedError(
            f"{key} is damaged",
            got=f"{len(data)} bytes",
            expected="64 hex digits",
            todo="Bring the salt from another center of this release",
        ) from error


def release_salt(store: Store, release: ReleaseName, random: Random = os.urandom) -> Salt:
    """Return the salt of a release; it is made on first use, and of racing makers one wins."""
    if (found := read_salt(store, release)) is not None:
        return found
    made = Salt(secret=random(SALT_BYTES))
    try:
        keep_salt(store, release, made)
    except StoreConflictError:
        if (found := read_salt(store, release)) is None:
            raise
        return found
    return made


def keep_salt(store: Store, release: ReleaseName, salt: Salt) -> None:
    """Take in the salt of another center; raises `StoreConflictError` when there is another one."""
    store.put_record(salt_key(release), salt.to_text().encode())
