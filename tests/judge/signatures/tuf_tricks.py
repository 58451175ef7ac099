"""Signed metadata of The Update Framework that must not pass, and what each is called."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature, SignedFormat
from tests.judge.signatures.planted import Planted
from tests.judge.updates.tuf_repository import EVE, RELEASES, SNAPSHOT, TARGETS, pinned, written

THIRD = RELEASES[2]
OURS, SHIPPED = written(THIRD.targets), written(THIRD.targets, TARGETS)
PINS = pinned(TARGETS)
SIGNATURE = json.loads(SHIPPED)["signatures"][0]["sig"].encode()
FORGED = SIGNATURE[:-1] + (b"0" if SIGNATURE[-1:] != b"0" else b"1")


def planted(
    fault: str,
    shipped: Callable[[], bytes],
    ours: bytes = OURS,
    pins: PinnedSignature = PINS,
) -> Planted:
    return Planted(fault=fault, shipped=shipped, pins=pins, ours=ours)


def by_key(der: bytes) -> PinnedSignature:
    """Pin a key, by what may be none."""
    text = base64.b64encode(der).decode()
    return PinnedSignature(
        format=SignedFormat.TUF,
        signers=(Digest.of(der),),
        public_keys=(f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n",),
    )


UNKNOWN_KEY = bytes.fromhex("300c300506032a0304030300ada0")
"""A key of the algorithm 1.2.3.4."""
EXCHANGED = x25519.X25519PrivateKey.generate().public_key()
NO_SIGNING_KEY = EXCHANGED.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
CUT_OFF = b'{"signatures": [{"keyid": "00", "sig": "00"}]'


def metadata(signed: bytes) -> Planted:
    """Return what looks like metadata, signed and not."""
    lists = b'[{"keyid": "00", "sig": "00"}]', b"[]"
    theirs, ours = (b'{"signatures": ' + one + b', "signed": ' + signed + b"}" for one in lists)
    return planted("signature-unreadable", lambda: theirs, ours)


TRICKS: dict[str, Planted] = {
    "metadata of no role": metadata(b'{"_type": "x"}'),
    "metadata without its fields": metadata(b'{"_type": "targets"}'),
    "metadata that is nested too deep": metadata(b"[" * 100_000 + b"]" * 100_000),
    "metadata that ends behind its signatures": planted(
        "signature-unreadable", lambda: CUT_OFF, b'{"signatures": []'
    ),
    "a pinned key that is none": planted(
        "signature-unreadable", lambda: SHIPPED, OURS, by_key(b"no key")
    ),
    "a pinned key of an unknown algorithm": planted(
        "signature-unreadable", lambda: SHIPPED, OURS, by_key(UNKNOWN_KEY)
    ),
    "a pinned key that signs nothing": planted(
        "signature-unreadable", lambda: SHIPPED, OURS, by_key(NO_SIGNING_KEY)
    ),
    "a signature of an odd length": planted(
        "signature-invalid", lambda: SHIPPED.replace(SIGNATURE, SIGNATURE[:-1])
    ),
    "a signature with another bit, of two keys": planted(
        "signature-invalid",
        lambda: SHIPPED.replace(SIGNATURE, FORGED),
        OURS,
        pinned(TARGETS, SNAPSHOT),
    ),
    "not signed": planted("signature-missing", lambda: OURS, written(THIRD.targets, EVE)),
    "neither is signed": planted("signature-missing", lambda: OURS, OURS.replace(b"10%", b"99%")),
    "a number that is not whole": metadata(
        json.dumps({**json.loads(SHIPPED)["signed"], "more": 1.5}).encode()
    ),
    "signed by another key": planted("unexpected-signer", lambda: written(THIRD.targets, EVE)),
    "signed by another key too": planted(
        "unexpected-signer", lambda: written(THIRD.targets, TARGETS, EVE)
    ),
    "a pinned key that did not sign": planted(
        "missing-signer", lambda: SHIPPED, OURS, pinned(TARGETS, SNAPSHOT)
    ),
    "a signature with another bit": planted(
        "signature-invalid", lambda: SHIPPED.replace(SIGNATURE, FORGED)
    ),
    "an empty signature": planted("signature-invalid", lambda: SHIPPED.replace(SIGNATURE, b"")),
    "another claim": planted("bytes-differ", lambda: SHIPPED.replace(b"10%", b"99%"), OURS),
    "another claim in ours": planted("bytes-differ", lambda: SHIPPED, OURS.replace(b"10%", b"99%")),
    "another claim in both": planted(
        "signature-invalid", lambda: SHIPPED.replace(b"10%", b"99%"), OURS.replace(b"10%", b"99%")
    ),
    "a field that is there twice in both": planted(
        "signature-unreadable",
        lambda: SHIPPED.replace(b'"version": 3', b'"version": 9, "version": 3'),
        OURS.replace(b'"version": 3', b'"version": 9, "version": 3'),
    ),
    "data in the list of signatures": planted(
        "signature-unreadable", lambda: SHIPPED.replace(b'"sig":', b'"payload": "x", "sig":')
    ),
    "no list of signatures": planted(
        "signature-unreadable", lambda: json.dumps(json.loads(SHIPPED)["signed"]).encode()
    ),
    "bytes at the end": planted("bytes-differ", lambda: SHIPPED + b" ", OURS),
    "ours is signed": planted("rebuilt-is-signed", lambda: SHIPPED, SHIPPED),
    "ours has its signatures last": planted(
        "layout",
        lambda: SHIPPED,
        b'{"signed": ' + json.dumps(json.loads(OURS)["signed"]).encode() + b', "signatures": []}',
    ),
    "no metadata": planted("signature-unreadable", lambda: b"PK\3\4" * 99, OURS),
    "ours is no metadata": planted("signature-unreadable", lambda: SHIPPED, b""),
}
