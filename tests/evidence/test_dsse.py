"""Envelopes: what is signed, what is read, and who counts as a signer."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from securesystemslib.dsse import Envelope as Theirs
from securesystemslib.signer import CryptoSigner

from builders.core.digest import canonical_json
from pipelines.evidence.dsse import (
    PAYLOAD_TYPE,
    Envelope,
    Signature,
    envelope_of,
    pae,
    sign_envelope,
    verify_envelope,
)
from pipelines.evidence.errors import MalformedError, SignatureError
from pipelines.evidence.privatekey import PrivateKey, create_key
from pipelines.evidence.publickey import read_public_key

PAYLOAD = b'{"a":1}'


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> list[PrivateKey]:
    folder = tmp_path_factory.mktemp("keys")
    return [create_key(folder, name) for name in ("statements", "log", "witness")]


def test_the_encoding_is_that_of_the_format() -> None:
    """The test vector of DSSE's protocol document."""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_count_bytes() -> None:
    assert pae("é", "ü".encode()) == "DSSEv1 2 é 2 ü".encode()


def test_round_trip(ours: list[PrivateKey]) -> None:
    data = sign_envelope(PAYLOAD, *ours[:2]).to_bytes()
    assert Envelope.from_bytes(data).to_bytes() == data


def test_securesystemslib_reads_and_verifies_ours(ours: list[PrivateKey]) -> None:
    theirs = Theirs.from_dict(sign_envelope(PAYLOAD, ours[0]).to_dict())
    assert theirs.pae() == sign_envelope(PAYLOAD, ours[0]).pae()
    key = ours[0].public.to_securesystemslib()
    assert theirs.verify([key], 1) == {key.keyid: key}


def test_we_read_and_verify_securesystemslibs() -> None:
    signer = CryptoSigner.generate_ed25519()
    theirs = Theirs(PAYLOAD, PAYLOAD_TYPE, {})
    theirs.sign(signer)
    envelope = Envelope.from_bytes(json.dumps(theirs.to_dict()).encode())
    key = read_public_key(
        json.dumps({"keyid": signer.public_key.keyid, **signer.public_key.to_dict()}).encode()
    )
    assert verify_envelope(envelope, [key]) == (key,)


@pytest.mark.parametrize("make", ["generate_ecdsa", "generate_rsa"])
def test_other_schemes_are_verified_too(make: str, tmp_path: Path) -> None:
    signer = getattr(CryptoSigner, make)()
    message = pae(PAYLOAD_TYPE, PAYLOAD)
    key = read_public_key(signer.public_key.keyval["public"].encode())
    made = Signature(keyid=key.keyid, sig=bytes.fromhex(signer.sign(message).signature))
    envelope = Envelope(payload=PAYLOAD, signatures=(made,))
    assert verify_envelope(envelope, [key]) == (key,)
    assert read_public_key(key.to_json()) == key
    with pytest.raises(SignatureError):
        verify_envelope(Envelope(payload=b"{}", signatures=(made,)), [key])


def test_a_key_id_is_only_a_hint(ours: list[PrivateKey]) -> None:
    (made,) = sign_envelope(PAYLOAD, ours[0]).signatures
    public = [key.public for key in ours]
    for keyid in ("", "somebody"):
        envelope = Envelope(payload=PAYLOAD, signatures=(Signature(keyid=keyid, sig=made.sig),))
        assert verify_envelope(envelope, public) == (ours[0].public,)
    lie = Signature(keyid=ours[1].public.keyid, sig=made.sig)
    with pytest.raises(SignatureError):
        verify_envelope(Envelope(payload=PAYLOAD, signatures=(lie,)), public)


def test_a_threshold_counts_different_keys(ours: list[PrivateKey]) -> None:
    public = [key.public for key in ours]
    assert len(verify_envelope(sign_envelope(PAYLOAD, *ours[:2]), public, threshold=2)) == 2
    (made,) = sign_envelope(PAYLOAD, ours[0]).signatures
    twice = tuple(Signature(keyid=name, sig=made.sig) for name in ("", made.keyid))
    with pytest.raises(SignatureError, match="1 good signatures"):
        verify_envelope(Envelope(payload=PAYLOAD, signatures=twice), public, threshold=2)


@pytest.mark.parametrize("threshold", [-1, 0, 2])
def test_a_threshold_that_verifies_anything_or_nothing_is_refused(
    ours: list[PrivateKey], threshold: int
) -> None:
    with pytest.raises(SignatureError, match="cannot be verified"):
        verify_envelope(sign_envelope(PAYLOAD, ours[0]), [ours[0].public] * 2, threshold=threshold)


def test_no_keys_verify_nothing(ours: list[PrivateKey]) -> None:
    with pytest.raises(SignatureError, match="0 keys"):
        verify_envelope(sign_envelope(PAYLOAD, ours[0]), [])


def test_altered_envelopes_are_refused(ours: list[PrivateKey]) -> None:
    envelope = sign_envelope(PAYLOAD, ours[0])
    (made,) = envelope.signatures
    flipped = made.sig[:-1] + bytes([made.sig[-1] ^ 1])
    altered = [
        Envelope(payload=PAYLOAD + b" ", signatures=envelope.signatures),
        Envelope(payload=PAYLOAD, payload_type="text/plain", signatures=envelope.signatures),
        Envelope(payload=PAYLOAD, signatures=(Signature(keyid=made.keyid, sig=flipped),)),
        Envelope(payload=PAYLOAD, signatures=(Signature(keyid=made.keyid, sig=made.sig[:-1]),)),
    ]
    for bad in altered:
        with pytest.raises(SignatureError, match="not signed by the known keys"):
            verify_envelope(bad, [ours[0].public])
    with pytest.raises(SignatureError):
        verify_envelope(envelope, [ours[1].public])


def _plain(**changes: object) -> bytes:
    sig = {"keyid": "k", "sig": base64.b64encode(b"s").decode()}
    data: dict[str, object] = {
        "payload": base64.b64encode(b"ab").decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [sig],
    }
    data.update(changes)
    return json.dumps({k: v for k, v in data.items() if v is not ...}).encode()


BROKEN = {
    "loose-base64": _plain(payload="YWJ="),
    "base64-without-padding": _plain(payload="YWI"),
    "url-safe-base64": _plain(payload="-_-_"),
    "base64-with-spaces": _plain(payload="YW I="),
    "payload-of-another-type": _plain(payload=1),
    "other-payload-type": _plain(payloadType="application/json"),
    "no-payload": _plain(payload=...),
    "unknown-field": _plain(more=1),
    "type-under-another-name": _plain(payloadType=..., payload_type=PAYLOAD_TYPE),
    "type-under-two-names": _plain(payload_type=PAYLOAD_TYPE),
    "signature-no-base64": _plain(signatures=[{"sig": 1}]),
    "signature-missing": _plain(signatures=[{"keyid": "k"}]),
    "no-signatures": _plain(signatures=[]),
    "signatures-no-list": _plain(signatures={}),
    "signatures-a-number": _plain(signatures=1),
    "too-many-signatures": _plain(signatures=[{"keyid": str(n), "sig": "YQ=="} for n in range(65)]),
    "one-key-twice": _plain(signatures=[{"sig": "YQ=="}, {"sig": "YWI="}]),
    "signature-no-object": _plain(signatures=["YQ=="]),
    "signature-empty": _plain(signatures=[{"sig": ""}]),
    "signature-huge": _plain(signatures=[{"sig": "YWFh" * 6000}]),
    "signature-with-certificate": _plain(signatures=[{"sig": "YQ==", "cert": "x"}]),
    "key-id-number": _plain(signatures=[{"sig": "YQ==", "keyid": 1}]),
    "key-id-with-escape": _plain(signatures=[{"sig": "YQ==", "keyid": "\x1b[31m"}]),
    "key-id-huge": _plain(signatures=[{"sig": "YQ==", "keyid": "k" * 257}]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_envelopes_are_refused(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        Envelope.from_bytes(BROKEN[name])
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_the_plain_envelope_of_these_tests_is_fine() -> None:
    assert Envelope.from_bytes(_plain()).payload == b"ab"


@pytest.mark.parametrize("sig", [b"", bytes(1 << 15)], ids=["no signature", "a long one"])
def test_a_signature_out_of_bounds_is_refused_as_it_is_made(sig: bytes) -> None:
    with pytest.raises(MalformedError, match="the envelope"):
        envelope_of(b"{}", [("key", sig)])


def test_of_many_wrong_signatures_the_first_is_enough() -> None:
    data = canonical_json({"payload": "e30=", "payloadType": PAYLOAD_TYPE, "signatures": [1] * 64})
    with pytest.raises(MalformedError, match=r"signatures\.0 1 \(and 1 more\);"):
        Envelope.from_bytes(data)


def test_an_envelope_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.evidence.dsse.MAX_ENVELOPE", 10)
    with pytest.raises(MalformedError, match="at most 10 bytes"):
        Envelope.from_bytes(_plain())
