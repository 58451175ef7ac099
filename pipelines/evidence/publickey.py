"""Public keys: PEM (SubjectPublicKeyInfo) as cosign reads it, or securesystemslib's key JSON.

Ed25519 is verified with `cryptography` alone, which starts ten times faster than securesystemslib;
every other scheme goes through securesystemslib. Neither is imported before it is needed.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

from builders.core.digest import Digest, canonical_json
from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.strictjson import malformed, read_object

MAX_KEY_FILE = 64 << 10
_ED25519 = "ed25519"
_ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")
"""SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410)."""
_PEM = b"-----BEGIN "
_PLAIN_ED25519 = re.compile(
    rb"-----BEGIN PUBLIC KEY-----\n(MCowBQYDK2VwAyEA[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)\n"
    rb"-----END PUBLIC KEY-----\n?"
)
_WHAT = "the public key"
_FIELDS = {"keyid", "keytype", "scheme", "keyval"}


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """A public key; `value` is hexadecimal for Ed25519 and PEM for everything else."""

    keyid: str
    keytype: str
    scheme: str
    value: str

    @property
    def material(self) -> str:
        """The key itself, whatever it is called: one key counts once."""
        return f"{self.keytype} {self.value.strip()}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether `signature` over `message` is of this key."""
        if (self.keytype, self.scheme) == (_ED25519, _ED25519):
            return self._verifies_ed25519(signature, message)
        from securesystemslib.exceptions import (  # noqa: PLC0415  # half a second
            UnverifiedSignatureError,
        )
        from securesystemslib.signer import Key, Signature  # noqa: PLC0415

        try:
            key = Key.from_dict(self.keyid, self._plain())
            key.verify_signature(Signature(self.keyid, signature.hex()), message)
        except UnverifiedSignatureError:
            return False
        except ValueError as error:
            raise _unusable(error) from error
        return True

    def to_json(self) -> bytes:
        """Return securesystemslib's key JSON, with the key id beside it."""
        return canonical_json({"keyid": self.keyid, **self._plain()}) + b"\n"

    def to_pem(self) -> bytes:
        """Return the key as PEM (SubjectPublicKeyInfo, RFC 7468)."""
        if self.keytype != _ED25519:
            return self.value.encode()
        from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415
            ed25519,
        )
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            Encoding,
            PublicFormat,
        )

        key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.value))
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def _plain(self) -> dict[str, Any]:
        return {
            "keytype": self.keytype,
            "scheme": self.scheme,
            "keyval": {"public": self.value},
        }

    def _verifies_ed25519(self, signature: bytes, message: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415
            ed25519,
        )

        key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.value))
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def read_public_key(data: bytes) -> PublicKey:
    """Read a public key file of either form; raises `MalformedError` or `KeyFileError`."""
    if len(data) > MAX_KEY_FILE:
        raise malformed(_WHAT, got=f"{len(data)} bytes", expected=f"at most {MAX_KEY_FILE} bytes")
    if data.lstrip().startswith(b"{"):
        return _from_json(read_object(data, what=_WHAT, limit=MAX_KEY_FILE))
    return _from_pem(data)


def ed25519_key(raw: bytes) -> PublicKey:
    """Return the Ed25519 key of 32 bytes (RFC 8032), under securesystemslib's default key id."""
    value = raw.hex()
    plain = {"keytype": _ED25519, "scheme": _ED25519, "keyval": {"public": value}}
    keyid = Digest.of(canonical_json(plain)).hex
    return PublicKey(keyid=keyid, keytype=_ED25519, scheme=_ED25519, value=value)


def _from_json(data: dict[str, Any]) -> PublicKey:
    keyval = data.get("keyval")
    texts = [data.get(name) for name in ("keyid", "keytype", "scheme")]
    if data.keys() != _FIELDS or not isinstance(keyval, dict) or keyval.keys() != {"public"}:
        raise malformed(_WHAT, got="other fields", expected=f"{', '.join(sorted(_FIELDS))}")
    keyid, keytype, scheme, value = (
        t if isinstance(t, str) and t.isprintable() else "" for t in (*texts, None)
    )
    value = keyval["public"] if isinstance(keyval["public"], str) else ""
    if not (keyid and keytype and scheme and value) or len(keyid) > 256:
        raise malformed(_WHAT, got="an empty or odd field", expected="text in every field")
    key = PublicKey(keyid=keyid, keytype=keytype, scheme=scheme, value=value)
    if keytype == _ED25519:
        _check_ed25519(key)
    else:
        _check_other(key)
    return key


def _check_ed25519(key: PublicKey) -> None:
    try:
        raw = bytes.fromhex(key.value)
    except ValueError as error:
        raise malformed(_WHAT, got="another value", expected="64 hex digits") from error
    if len(raw) != 32 or raw.hex() != key.value:
        raise malformed(_WHAT, got="another value", expected="64 lower-case hex digits")
    expected = ed25519_key(raw)
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
    _from_pem(key.value.encode())


def _from_pem(data: bytes) -> PublicKey:
    if plain := _PLAIN_ED25519.fullmatch(data):  # as we write them: no need of a PEM library
        return ed25519_key(base64.b64decode(plain[1])[len(_ED25519_PREFIX) :])
    if not data.strip().startswith(_PEM) or data.count(_PEM) != 1:
        # PEM libraries look for a key anywhere in a file: in a bundle they would find the one in it
        raise malformed(_WHAT, got="something else", expected="one PEM block, or key JSON")
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
        load_pem_public_key,
    )

    try:
        key = load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise malformed(
            _WHAT, got="something else", expected="PEM with a SubjectPublicKeyInfo, or key JSON"
        ) from error
    if isinstance(key, ed25519.Ed25519PublicKey):
        return ed25519_key(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    from securesystemslib.signer import SSlibKey  # noqa: PLC0415

    try:
        found = SSlibKey.from_crypto(key)
    except ValueError as error:
        raise _unusable(error) from error
    return PublicKey(
        keyid=found.keyid,
        keytype=found.keytype,
        scheme=found.scheme,
        value=found.keyval["public"],
    )


def _unusable(error: Exception) -> KeyFileError:
    return KeyFileError(
        "this kind of public key cannot be used",
        got=ascii(str(error))[1:-1][:200],
        expected="Ed25519, ECDSA or RSA",
    )
