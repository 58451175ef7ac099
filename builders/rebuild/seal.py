"""The seal: a commitment to what was built, made before any shipped file is opened.

SHA-256 of the canonical JSON (RFC 8785) list of {name, size, hmac} over outputs and by-products,
sorted by name, where hmac is HMAC-SHA256 (RFC 2104) of the file under a key of this run. A center
that has built the same bytes can recompute it; one that only knows a published digest cannot. The
key of a private release is made with its secret too, so that nobody can check a guess at its files;
its entries have keyed digests for names, so that they can be published without telling any.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from builders.core.digest import Digest, canonical_plain_json, keyed_digest
from builders.core.frozen_model import FrozenModel


class SealedFile(FrozenModel):
    """One entry of the seal."""

    name: str
    size: int
    hmac: Digest


class Seal(FrozenModel):
    """The digest that is committed to, and its entries, by the names of the files."""

    digest: Digest
    files: tuple[SealedFile, ...]


def seal_key(center: str, run: str, secret: bytes = b"") -> bytes:
    """Return the key: the canonical JSON of [center id, run id], which keeps the two apart.

    With the `secret` of a private release it is the HMAC-SHA256 of that under the secret.
    """
    public = canonical_plain_json([center, run])
    return hmac.digest(secret, public, hashlib.sha256) if secret else public


def seal_files(paths: Iterable[Path], *, center: str, run: str, secret: bytes = b"") -> Seal:
    """Seal the files at `paths` under their own names; `secret` is that of a private release."""
    key = seal_key(center, run, secret)
    files = tuple(
        SealedFile(name=path.name, size=path.stat().st_size, hmac=keyed_digest(key, path))
        for path in sorted(paths, key=lambda p: p.name)
    )
    return Seal(digest=seal_digest(hide_names(files, key) if secret else files), files=files)


def hide_names(files: Iterable[SealedFile], key: bytes) -> tuple[SealedFile, ...]:
    """Return entries as they are sealed of a private release, whose seal key is `key`."""
    hidden = (f.model_copy(update={"name": hidden_name(f.name, key)}) for f in files)
    return tuple(sorted(hidden, key=lambda file: file.name))


def hidden_name(name: str, key: bytes) -> str:
    """Return the HMAC-SHA256 of a name."""
    return hmac.digest(key, name.encode(), hashlib.sha256).hex()


def seal_digest(files: Iterable[SealedFile]) -> Digest:
    """Return the digest of a seal's entries, which are sorted by name."""
    return Digest.of(canonical_plain_json([file.model_dump(mode="json") for file in files]))
