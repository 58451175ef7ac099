"""The public and private keys of a center."""

from __future__ import annotations

from pipelines.center.center import LOCAL, Center
from pipelines.center.local_policy import make_local_policy
from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.privatekey import (
    KEY_USES,
    PrivateKey,
    key_from_uri,
    load_key,
    load_or_create,
)
from pipelines.evidence.publickey import PublicKey, load_public_key
from pipelines.log.notekey import ED25519, NoteKey

STATEMENTS = "statements"


def public_keys(center: Center) -> dict[str, PublicKey]:
    """Return a center's public keys by use; raises `KeyFileError` without one for statements."""
    paths = {use: center.key_folder / f"{use}.pub" for use in KEY_USES}
    paths |= {use: source.public for use, source in center.key_sources}
    return {
        use: load_public_key(path)
        for use, path in sorted(paths.items())
        if use == "statements" or path.exists()
    }


def log_key(center: Center) -> NoteKey:
    """Return the key of the center's log; raises `KeyFileError` for a center without one."""
    return NoteKey.of(center.origin, ED25519, _required(center, "log"))


def center_key(center: Center, use: str = STATEMENTS) -> PrivateKey:
    """Load a private key of a center; the implicit center's key and policy are made on first use.

    Raises `KeyFileError`.
    """
    for name, source in center.key_sources:
        if name == use:
            return key_from_uri(source.uri, load_public_key(source.public))
    if center.id == LOCAL:
        key = load_or_create(center.key_folder, use)
        if center.policy is None:
            make_local_policy(center)
        return key
    return load_key(center.key_folder, use)


def _required(center: Center, use: str) -> PublicKey:
    found = public_keys(center).get(use)
    if found is None:
        raise KeyFileError(
            f"center {center.id} has no key for its {use}",
            got=f"no {use}.pub in {center.key_folder}",
            todo="`samebits center init` makes the keys of a center",
        )
    return found
