"""Private keys: files of our own by default, anything securesystemslib has a signer for by URI.

A file key is three files: `<name>.key` (PKCS#8 PEM, mode 0600), `<name>.pub` (PEM, for cosign) and
`<name>.json` (securesystemslib's key JSON). Making one never replaces one: the private file appears
complete or not at all, and the public ones are written again from it whenever they are missing.
"""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.publickey import MAX_KEY_FILE, PublicKey, ed25519_key, read_public_key

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

KEY_NAMES = ("statements", "log", "witness")
"""A key for each use: who holds one cannot do the work of another."""


@dataclass(frozen=True, kw_only=True)
class PrivateKey:
    """A private key that signs, and its public part; its value is never shown."""

    public: PublicKey
    signer: Signer

    def __repr__(self) -> str:
        """Return the public part alone."""
        return f"PrivateKey({self.public.keyid})"

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`; raises `KeyFileError` when the key does not sign."""
        try:
            return bytes.fromhex(self.signer.sign(message).signature)
        except Exception as error:  # what a module or a cloud raises is nowhere documented
            raise KeyFileError(
                "the key does not sign", got=f"{type(error).__name__}: {error}"
            ) from error


def create_key(folder: Path, name: str) -> PrivateKey:
    """Make a new Ed25519 key in `folder`; raises `KeyFileError` when it exists already."""
    from securesystemslib.signer import CryptoSigner  # noqa: PLC0415  # half a second

    signer = CryptoSigner.generate_ed25519()
    private = _private_file(folder, name)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _create(private, signer.private_bytes, mode=0o600):
            raise KeyFileError(
                f"key {name} exists already",
                got=private,
                expected="no such file",
                todo="Keys are never replaced: announce a new one under another name",
            )
    except OSError as error:
        raise _broken(private, error) from error
    return load_key(folder, name)


def load_key(folder: Path, name: str) -> PrivateKey:
    """Read a key file; raises `KeyFileError` when it is missing, open to others, or no key."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )
    from securesystemslib.signer import CryptoSigner  # noqa: PLC0415

    path = _private_file(folder, name)
    try:
        private = load_pem_private_key(_read_private(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            "a key file cannot be used", got=path, expected="an Ed25519 key as PKCS#8 PEM"
        ) from error
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise KeyFileError("a key file cannot be used", got=path, expected="an Ed25519 key")
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public = ed25519_key(raw)
    for suffix, data in ((".pub", public.to_pem()), (".json", public.to_json())):
        _publish(folder / f"{name}{suffix}", data)
    return PrivateKey(public=public, signer=CryptoSigner(private))


def load_or_create(folder: Path, name: str) -> PrivateKey:
    """Read a key file, or make it; of processes side by side one makes it and all read it."""
    if not _private_file(folder, name).exists():
        try:
            return create_key(folder, name)
        except KeyFileError:
            if not _private_file(folder, name).exists():
                raise
    return load_key(folder, name)


def key_from_uri(uri: str, public: bytes) -> PrivateKey:
    """Open a key that lives elsewhere (`hsm:`, `gcpkms:`, `awskms:`, ... as securesystemslib has).

    `public` is its public key file. Raises `KeyFileError`.
    """
    from securesystemslib.signer import (  # noqa: PLC0415
        SIGNER_FOR_URI_SCHEME,
        Key,
        Signer,
    )

    key = read_public_key(public)
    scheme = uri.partition(":")[0]
    if scheme not in SIGNER_FOR_URI_SCHEME:
        raise KeyFileError(
            "no signer for that key",
            got=ascii(uri[:80]),
            expected=f"one of {', '.join(f'{s}:' for s in sorted(SIGNER_FOR_URI_SCHEME))}",
        )
    plain: dict[str, Any] = {
        "keytype": key.keytype,
        "scheme": key.scheme,
        "keyval": {"public": key.value},
    }
    try:
        signer = Signer.from_priv_key_uri(uri, Key.from_dict(key.keyid, plain))
    except Exception as error:  # what a module or a cloud raises is nowhere documented
        raise KeyFileError(
            f"the key {scheme}: cannot be opened",
            got=f"{type(error).__name__}: {ascii(str(error))[1:-1][:200]}",
            todo="Check the key's URI, and that its library is installed",
        ) from error
    return PrivateKey(public=key, signer=signer)


def read_public_file(path: Path) -> bytes:
    """Return the bytes of a public key file; raises `KeyFileError`."""
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_KEY_FILE + 1)
    except OSError as error:
        raise _broken(path, error) from error


def _private_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.key"


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            data = stream.read(MAX_KEY_FILE + 1)
    except OSError as error:
        raise _broken(path, error) from error
    if mode & 0o077:
        raise KeyFileError(
            f"the private key {path} is open to others",
            got=f"mode {mode:04o}",
            expected="mode 0600",
            todo="Find out who could read it, and make a new key",
        )
    if len(data) > MAX_KEY_FILE:
        raise KeyFileError(
            "a key file cannot be used", got="more", expected=f"{MAX_KEY_FILE} bytes"
        )
    return data


def _publish(path: Path, data: bytes) -> None:
    """Write a public file unless it is there with these bytes; other bytes are refused."""
    try:
        if not _create(path, data, mode=0o644) and path.read_bytes() != data:
            raise KeyFileError(
                f"{path} is not the public part of the private key beside it",
                todo="Move it away; it is written again from the private key",
            )
    except PermissionError:
        return  # a signer that may only read its key; the public part is known without the file
    except OSError as error:
        raise _broken(path, error) from error


def _create(path: Path, data: bytes, *, mode: int) -> bool:
    """Create a file complete and durable, or not at all; False when one is there."""
    if path.exists():
        return False
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(path).hardlink_to(partial)
    except FileExistsError:
        return False
    finally:
        Path(partial).unlink()
    return True


def _broken(path: Path, error: OSError) -> KeyFileError:
    return KeyFileError(
        f"the key file {path} cannot be used",
        got=error.strerror or type(error).__name__,
        todo="`samebits center init` makes the keys of a center",
    )
