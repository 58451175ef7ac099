"""Signatures by keys of ClamAV: RSA-PSS over SHA-256, and bare RSA over MD5, in letters.

Sources: libclamav/dsig.c of ClamAV; RFC 8017.
"""

from __future__ import annotations

import hashlib
import string

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    Signer,
    unreadable,
)

PinnedKeys = list[tuple[Digest, rsa.RSAPublicKey]]
_ENCODED, _SHA256 = 2047, 32
"""Bits of what is signed by RSA-PSS, and bytes of the digest."""
_DIGITS = string.ascii_lowercase + string.ascii_uppercase + string.digits + "+/"


def pinned_keys(pinned: PinnedSignature) -> PinnedKeys:
    """Return the RSA keys that are pinned, by their pins; raises `BadSignatureError`."""
    found = []
    for der in pinned.pem_keys():
        try:
            key = load_der_public_key(der)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise unreadable(f"a pinned key that cannot be read: {error!a:.200}") from error
        if isinstance(key, rsa.RSAPublicKey):
            found.append((Digest.of(der), key))
    return found


def _number(signature: bytes) -> int:
    """Return the number that a signature is: digits of 6 bits, the lowest one first."""
    return sum(_DIGITS.index(digit) << 6 * place for place, digit in enumerate(signature.decode()))


def _opened(signature: bytes, key: rsa.RSAPublicKey) -> int | None:
    """Return the number that a key has signed."""
    numbers, number = key.public_numbers(), _number(signature)
    return pow(number, numbers.e, numbers.n) if number < numbers.n else None


def _is_pss(opened: int, digest: bytes) -> bool:
    """Say whether a number is RSA-PSS over a SHA-256, as ClamAV encodes it (RFC 8017, 9.1).

    Its key has 2,047 bits, and it encodes for 2,048: no library takes all of its signatures.
    """
    if opened.bit_length() > _ENCODED:
        return False
    encoded = opened.to_bytes((_ENCODED + 7) // 8, "big")
    masked, seed = encoded[: -_SHA256 - 1], encoded[-_SHA256 - 1 : -1]
    rounds = range(-(-len(masked) // _SHA256))
    mask = b"".join(hashlib.sha256(seed + n.to_bytes(4, "big")).digest() for n in rounds)
    data = int.from_bytes(masked, "big") ^ int.from_bytes(mask[: len(masked)], "big")
    block = (data & (1 << 8 * len(masked) - 1) - 1).to_bytes(len(masked), "big")
    padding, salt = block[:-_SHA256], block[-_SHA256:]
    made = hashlib.sha256(bytes(8) + digest + salt).digest()
    ends = encoded[-1] == 0xBC and padding == b"\x01".rjust(len(padding), b"\0")
    return ends and seed == made


def signed_by_pss(signature: bytes, digest: bytes, keys: PinnedKeys) -> Signer | None:
    """Return by which of the keys an RSA-PSS signature over a SHA-256 is; None if by none."""
    for pin, key in keys:
        opened = _opened(signature, key)
        if opened is not None and _is_pss(opened, digest):
            return Signer(certificate=pin, subject=f"RSA key of {key.key_size} bits")
    return None


def signed_by_md5(signature: bytes, md5: bytes, keys: PinnedKeys) -> Signer:
    """Verify the signature of a header by one of the keys: bare RSA, without any padding."""
    for pin, key in keys:
        if _opened(signature, key) == int.from_bytes(md5, "big"):
            subject = f"RSA key of {key.key_size} bits"
            return Signer(certificate=pin, subject=subject, weak_digest="md5")
    raise BadSignatureError(SignatureFault.INVALID, "the header is signed by no pinned key")
