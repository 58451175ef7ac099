"""Private keys: files of our own by default, and by URI keys in a token or a cloud KMS.

A file key is three files: `<name>.key` (PKCS#8 PEM, mode 0600), `<name>.pub` (PEM, for cosign) and
`<name>.json` (securesystemslib's key JSON). Making one never replaces one: the private file appears
complete or not at all, and the public ones are written again from it whenever they are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from builders.core.escaping import escaped
from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.publickey import KeyUse, PublicKey, ed25519_key, unreadable_key
from pipelines.evidence.secretfile import read_secret_file
from pipelines.evidence.tokenuri import names_token, parse_token_uri
from pipelines.storage.files import create

KEY_USES: tuple[KeyUse, ...] = ("statements", "log", "witness")
"""Each use has a key of its own: one key cannot do the work of another."""


@dataclass(frozen=True, kw_only=True)
class PrivateKey:
    """A private key that signs, and its public part; its value is never shown."""

    public: PublicKey
    signer: Callable[[bytes], bytes] = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`; raises `KeyFileError` when the key does not sign."""
        try:
            return self.signer(message)
        except KeyFileError:
            raise
        except Exception as error:  # what a PKCS#11 module or a cloud raises is not documented
            raise KeyFileError(
                "the key does not sign", got=f"{type(error).__name__}: {error}"
            ) from error


def create_key(folder: Path, name: str) -> PrivateKey:
    """Make a new Ed25519 key in `folder`; raises `KeyFileError` when it exists already."""
    private = Ed25519PrivateKey.generate()
    path = _private_file(folder, name)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not create(path, pem):
            raise KeyFileError(
                f"key {name} exists already",
                got=path,
                expected="no such file",
                todo="Keys are never replaced: announce a new one under another name",
            )
    except OSError as error:
        raise unreadable_key(path, error) from error
    return load_key(folder, name)


def load_key(folder: Path, name: str) -> PrivateKey:
    """Read a key file; raises `KeyFileError` when it is missing, open to others, or no key."""
    path = _private_file(folder, name)
    try:
        private = load_pem_private_key(read_secret_file(path, "private key"), None)
    except OSError as error:
        raise unreadable_key(path, error) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            "a key file cannot be used", got=path, expected="an Ed25519 key as PKCS#8 PEM"
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError("a key file cannot be used", got=path, expected="an Ed25519 key")
    public = ed25519_key(private.public_key().public_bytes_raw())
    for suffix, data in ((".pub", public.to_pem()), (".json", public.to_json())):
        _publish(folder / f"{name}{suffix}", data)
    return PrivateKey(public=public, signer=private.sign)


def make_key_at(uri: str, file: Path) -> None:
    """Write the public part of a key in a token to the new `file`; a missing key is made first.

    Raises `KeyFileError`.
    """
    from pipelines.evidence.tokenkey import find_or_make_key  # noqa: PLC0415  # loads a C library

    public = find_or_make_key(parse_token_uri(uri))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unreadable_key(file, error) from error
    _publish(file, public.to_pem())


def load_or_create(folder: Path, name: str) -> PrivateKey:
    """Read a key file, or make it; of processes side by side one makes it and all read it."""
    if not _private_file(folder, name).exists():
        try:
            return create_key(folder, name)
        except KeyFileError:
            if not _private_file(folder, name).exists():
                raise
    return load_key(folder, name)


def key_from_uri(uri: str, public: PublicKey) -> PrivateKey:
    """Open a key elsewhere: `pkcs11:`, or `gcpkms:`, `awskms:`, ... as securesystemslib has.

    Raises `KeyFileError`.
    """
    if names_token(uri):
        from pipelines.evidence.tokenkey import TokenKey  # noqa: PLC0415  # loads a C library

        return PrivateKey(public=public, signer=TokenKey(parse_token_uri(uri), public).sign)
    from securesystemslib import signer as keys  # noqa: PLC0415  # half a second

    scheme, schemes = uri.partition(":")[0], keys.SIGNER_FOR_URI_SCHEME
    if scheme not in schemes:
        raise KeyFileError(
            "no signer for that key",
            got=ascii(uri[:80]),
            expected=f"one of {', '.join(f'{s}:' for s in sorted({'pkcs11', *schemes}))}",
        )
    try:
        signer = keys.Signer.from_priv_key_uri(uri, public.to_securesystemslib())
    except Exception as error:  # what a PKCS#11 module or a cloud raises is not documented
        raise KeyFileError(
            f"the key {scheme}: cannot be opened",
            got=f"{type(error).__name__}: {escaped(str(error))[:200]}",
            todo="Check the key's URI, and that its library is installed",
        ) from error
    return PrivateKey(
        public=public, signer=lambda message: bytes.fromhex(signer.sign(message).signature)
    )


def _private_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.key"


def _publish(path: Path, data: bytes) -> None:
    """Write a public file unless it is there with these bytes; other bytes are refused."""
    try:
        if not create(path, data, mode=0o644) and path.read_bytes() != data:
            raise KeyFileError(
                f"{path} is not the public part of the private key beside it",
                todo="Move it away; it is written again from the private key",
            )
    except PermissionError:
        return  # a signer that may only read its key; the public part is known without the file
    except OSError as error:
        raise unreadable_key(path, error) from error
