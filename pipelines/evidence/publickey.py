"""Public keys: PEM (SubjectPublicKeyInfo) as cosign reads it, or securesystemslib's key JSON.

Ed25519 is verified with `cryptography` alone; every other scheme goes through securesystemslib,
which takes half a second to import and so is imported only when it is needed.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from pydantic import AfterValidator, Field

from builders.core.digest import Digest, canonical_json
from builders.core.escaping import escaped
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.strictjson import malformed, printable, read_model

if TYPE_CHECKING:
    from securesystemslib.signer import Key

MAX_KEY_FILE = 64 << 10
KeyUse = Literal["statements", "log", "witness"]
"""What a key of a center is for."""
_ED25519 = "ed25519"
_PEM = b"-----BEGIN "
_FIELD = 2**255 - 19
_EIGHT = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = {0, 1, _EIGHT, _FIELD - _EIGHT, _FIELD - 1}
"""The y coordinates of the eight points of edwards25519 whose order divides eight."""
_HEX = re.compile(r"[0-9a-f]{64}")
_WHAT = "the public key"
Printable = Annotated[str, Field(min_length=1), AfterValidator(printable)]


class KeyValue(FrozenModel):
    """The key itself: hexadecimal for Ed25519 and PEM for everything else."""

    public: Annotated[str, Field(min_length=1)]


class PublicKey(FrozenModel):
    """A public key, with the fields of securesystemslib's key JSON."""

    keyid: Annotated[Printable, Field(max_length=256)]
    keytype: Printable
    scheme: Printable
    keyval: KeyValue

    @property
    def value(self) -> str:
        """The key itself."""
        return self.keyval.public

    @cached_property
    def material(self) -> str:
        """The key itself, encoded anew: one key counts once, whatever its name and encoding."""
        if self.keytype == _ED25519:
            return f"{_ED25519} {bytes.fromhex(self.value).hex()}"
        key = load_pem_public_key(self.value.encode())
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"spki {Digest.of(spki)}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether `signature` over `message` is of this key."""
        if (self.keytype, self.scheme) == (_ED25519, _ED25519):
            try:
                self._ed25519().verify(signature, message)
            except InvalidSignature:
                return False
            return True
        from securesystemslib.exceptions import UnverifiedSignatureError  # noqa: PLC0415
        from securesystemslib.signer import Signature  # noqa: PLC0415

        try:
            key = self.to_securesystemslib()
            key.verify_signature(Signature(self.keyid, signature.hex()), message)
        except UnverifiedSignatureError:
            return False
        except ValueError as error:
            raise _unusable(error) from error
        return True

    def to_json(self) -> bytes:
        """Return securesystemslib's key JSON, with the key id beside it."""
        return canonical_json(self.model_dump()) + b"\n"

    def to_pem(self) -> bytes:
        """Return the key as PEM (SubjectPublicKeyInfo, RFC 7468)."""
        if self.keytype != _ED25519:
            return self.value.encode()
        return self._ed25519().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def to_securesystemslib(self) -> Key:
        """Return it as a key of securesystemslib; raises `ValueError` for one that it refuses."""
        from securesystemslib.signer import Key  # noqa: PLC0415

        return Key.from_dict(self.keyid, self.model_dump(exclude={"keyid"}))

    def _ed25519(self) -> Ed25519PublicKey:
        return _opened_ed25519(self.value)


@lru_cache(maxsize=64)
def _opened_ed25519(value: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(value))


def load_public_key(path: Path) -> PublicKey:
    """Read a public key file; raises `KeyFileError` or `MalformedError`."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_KEY_FILE + 1)
    except OSError as error:
        raise unreadable_key(path, error) from error
    return read_public_key(data)


def read_public_key(data: bytes) -> PublicKey:
    """Read a public key of either form; raises `MalformedError` or `KeyFileError`."""
    if len(data) > MAX_KEY_FILE:
        raise malformed(_WHAT, got=f"{len(data)} bytes", expected=f"at most {MAX_KEY_FILE} bytes")
    if not data.lstrip().startswith(b"{"):
        return _from_pem(data)
    key = read_model(data, PublicKey, what=_WHAT, limit=MAX_KEY_FILE)
    if key.keytype == _ED25519:
        _check_ed25519(key)
    else:
        _check_other(key)
    return key


def ed25519_key(raw: bytes) -> PublicKey:
    """Return the Ed25519 key of 32 bytes (RFC 8032), under securesystemslib's default key id."""
    key = {"keytype": _ED25519, "scheme": _ED25519, "keyval": {"public": raw.hex()}}
    return PublicKey.model_validate({"keyid": Digest.of(canonical_json(key)).hex, **key})


def check_point(raw: bytes) -> None:
    """Refuse 32 bytes that are no honest Ed25519 key; raises `MalformedError`.

    A point of small order verifies what anybody signs, and a coordinate that is not reduced is a
    second encoding of another key. The libraries accept both.
    """
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _FIELD or y in _SMALL_ORDER:
        raise malformed(_WHAT, got=raw.hex(), expected="an Ed25519 point that has a private key")


def unreadable_key(path: Path, error: OSError) -> KeyFileError:
    """Return the error for a key file that the system does not let us read or write."""
    return KeyFileError(
        f"the key file {path} cannot be used",
        got=error.strerror or type(error).__name__,
        todo="`samebits center init` makes the keys of a new center; put those of an older one "
        "back from their copy",
    )


def _check_ed25519(key: PublicKey) -> None:
    if not _HEX.fullmatch(key.value):
        raise malformed(_WHAT, got="another value", expected="64 lower-case hex digits")
    check_point(bytes.fromhex(key.value))
    expected = ed25519_key(bytes.fromhex(key.value))
    if key != expected:
        raise malformed(
            _WHAT,
            got=f"key id {key.keyid!a:.80} and scheme {key.scheme!a:.40}",
            expected=f"key id {expected.keyid} and scheme ed25519",
        )


def _check_other(key: PublicKey) -> None:
    from securesystemslib.signer import KEY_FOR_TYPE_AND_SCHEME  # noqa: PLC0415

    if (key.keytype, key.scheme) not in KEY_FOR_TYPE_AND_SCHEME:
        raise malformed(
            _WHAT,
            got=f"{key.keytype!a:.40} and {key.scheme!a:.40}",
            expected="a key type and scheme that securesystemslib knows",
        )
    found = _from_pem(key.value.encode())
    if (key.keytype, key.value.strip()) != (found.keytype, found.value.strip()):
        # One key in two spellings would count as two.
        raise malformed(
            _WHAT,
            got=f"key type {key.keytype!a:.40} and another spelling of the key",
            expected=f"key type {found.keytype} and the PEM that cryptography writes",
        )


def _from_pem(data: bytes) -> PublicKey:
    if not data.strip().startswith(_PEM) or data.count(_PEM) != 1:
        # PEM libraries look for a key anywhere in a file: in a bundle they would find the one in it
        raise malformed(_WHAT, got="something else", expected="one PEM block, or key JSON")
    try:
        key = load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise malformed(
            _WHAT, got="something else", expected="PEM with a SubjectPublicKeyInfo, or key JSON"
        ) from error
    if isinstance(key, Ed25519PublicKey):
        check_point(raw := key.public_bytes_raw())
        return ed25519_key(raw)
    from securesystemslib.signer import SSlibKey  # noqa: PLC0415

    try:
        found = SSlibKey.from_crypto(key)
    except ValueError as error:
        raise _unusable(error) from error
    return PublicKey.model_validate({"keyid": found.keyid, **found.to_dict()})


def _unusable(error: Exception) -> KeyFileError:
    return KeyFileError(
        "this kind of public key cannot be used",
        got=escaped(str(error))[:200],
        expected="Ed25519, ECDSA or RSA",
    )
