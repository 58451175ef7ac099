"""OpenPGP signatures: those that count, and each way in which one must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.openpgp import verify_openpgp
from pipelines.judge.signatures.openpgp_packets import OpenPgpError, dearmored
from pipelines.judge.signatures.signature_format import BadSignatureError
from tests.judge.signatures.pgp_signing import (
    CREATED,
    PgpKey,
    Signature,
    armor,
    ed25519_key,
    mpi,
    packet,
    subpacket,
)

DATA = b"the bytes that are signed\n"
ADA, EVE = ed25519_key(), ed25519_key("Eve <eve@example.com>")
RSA = PgpKey(rsa.generate_private_key(public_exponent=65537, key_size=2048), 1)
SUBKEY = ed25519_key(created=CREATED + 1)
MODERN = PgpKey(ed25519.Ed25519PrivateKey.generate(), 27, version=6)


def pins(*signers: PgpKey, keys: tuple[str, ...] = ()) -> PinnedSignature:
    return PinnedSignature.model_validate(
        {
            "format": "rpm",
            "signers": [one.fingerprint for one in signers],
            "public_keys": keys or [one.armored for one in signers],
        }
    )


def verified(packets: bytes, pinned: PinnedSignature, data: bytes = DATA) -> Any:
    return verify_openpgp(packets, lambda h: h.update(data), pinned)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(ADA, id="Ed25519 of version 4"),
        pytest.param(MODERN, id="Ed25519 of version 6"),
        pytest.param(PgpKey(ed448.Ed448PrivateKey.generate(), 28), id="Ed448"),
        pytest.param(PgpKey(ec.generate_private_key(ec.SECP256R1()), 19), id="ECDSA"),
        pytest.param(RSA, id="RSA"),
        pytest.param(PgpKey(dsa.generate_private_key(1024), 17), id="DSA"),  # noqa: S505
        pytest.param(replace(ADA, certified_by=2), id="a key that signed itself with SHA-1"),
    ],
)
@pytest.mark.parametrize("digest", [8, 12])
def test_a_signature_by_a_pinned_key_verifies(key: PgpKey, digest: int) -> None:
    made = Signature(by=key, digest=digest).packet(DATA)
    (found,) = verified(made, pins(key))
    assert str(found.signer.certificate) == key.fingerprint
    assert isinstance(found.signer.certificate, Digest) is (key.version == 6)
    assert found.signer.subject == "Ada <ada@example.com>"
    assert found.signer.not_after is None
    bare = b"".join(made[one.offset :][: one.length] for one in found.uncovered)
    assert key.key_id in bare
    assert len(bare) < 40
    with pytest.raises(BadSignatureError, match="does not verify"):
        verified(made, pins(key), DATA + b" ")


def test_a_signature_of_version_3_verifies() -> None:
    made = Signature(by=RSA).former(DATA)
    (found,) = verified(made, pins(RSA))
    assert found.signer.certificate == RSA.fingerprint
    bare = b"".join(made[one.offset :][: one.length] for one in found.uncovered)
    assert b"\3\5" in bare
    assert bytes.fromhex(RSA.fingerprint[-16:]) in bare
    assert CREATED.to_bytes(4, "big") not in bare
    for altered in (DATA + b" ", DATA[1:]):
        with pytest.raises(BadSignatureError, match="does not verify"):
            verified(made, pins(RSA), altered)


def test_the_end_of_a_key_is_reported_and_decides_nothing() -> None:
    old = replace(ADA, key_expires=3600)
    (found,) = verified(Signature(by=old).packet(DATA), pins(old))
    assert found.signer.not_after == datetime.fromtimestamp(CREATED, UTC) + timedelta(hours=1)


def test_a_subkey_signs_and_is_reported_with_the_name_of_its_primary_key() -> None:
    block = armor(ADA.block(ADA.subkey(SUBKEY)))
    made = Signature(by=SUBKEY).packet(DATA)
    (found,) = verified(made, pins(SUBKEY, keys=(block,)))
    assert (found.signer.certificate, found.signer.subject) == (SUBKEY.fingerprint, ADA.user)
    for damaged in (ADA.subkey(SUBKEY, bound=False), ADA.subkey(SUBKEY, claimed=False)):
        with pytest.raises(BadSignatureError, match="is in no key of the recipe"):
            verified(made, pins(SUBKEY, keys=(armor(ADA.block(damaged)),)))


@pytest.mark.parametrize(
    "head",
    [
        lambda size: b"\x89" + size.to_bytes(2, "big"),
        lambda size: b"\x8a" + size.to_bytes(4, "big"),
        lambda size: bytes([0xC2, (size - 192 >> 8) + 192, size - 192 & 255]),
        lambda size: b"\xc2\xff" + size.to_bytes(4, "big"),
    ],
)
def test_a_packet_has_its_length_in_several_forms(head: Callable[[int], bytes]) -> None:
    body = Signature(by=RSA).body(DATA)
    made = head(len(body)) + body
    (found,) = verified(made, pins(RSA))
    assert found.uncovered[0].length == len(made) - len(body)
    with pytest.raises(BadSignatureError, match="cannot be read"):
        verified(head(len(body) + 1) + body, pins(RSA))


def test_a_small_packet_has_a_length_of_one_byte() -> None:
    body = Signature(by=ADA).body(DATA)
    for head in (b"\x88", b"\xc2"):
        (found,) = verified(head + bytes([len(body)]) + body, pins(ADA))
        assert found.uncovered[0].length == 2


def test_a_key_without_a_user_signs_itself() -> None:
    direct = Signature(by=ADA, kind=0x1F, more=subpacket(9, (60).to_bytes(4, "big")))
    block = packet(6, ADA.body) + direct.packet(ADA.framed)
    (found,) = verified(by()(), pins(ADA, keys=(armor(block),)))
    assert found.signer.subject == ""
    assert found.signer.not_after == datetime.fromtimestamp(CREATED + 60, UTC)


def test_the_first_user_id_that_a_key_signed_is_reported() -> None:
    other = packet(13, b"Eve <eve@example.com>") + packet(17, b"a photo")
    unsigned, certified = packet(6, ADA.body) + other, ADA.block()[len(packet(6, ADA.body)) :]
    encryption = packet(14, b"\4" + bytes(4) + b"\x12anything")
    block = armor(unsigned + certified + encryption)
    (found,) = verified(by()(), pins(ADA, keys=(block,)))
    assert found.signer.subject == ADA.user


def test_a_signature_of_somebody_else_on_a_key_makes_it_no_better() -> None:
    user = EVE.user.encode()
    about = ADA.framed + b"\xb4" + len(user).to_bytes(4, "big") + user
    block = packet(6, ADA.body) + packet(13, user) + Signature(by=EVE, kind=0x13).packet(about)
    with pytest.raises(BadSignatureError, match="is in no key of the recipe"):
        verified(by()(), pins(ADA, keys=(armor(block),)))


@pytest.mark.parametrize(("claimed_by", "kind"), [(EVE, 0x19), (SUBKEY, 0x18)])
def test_a_subkey_has_to_say_itself_that_it_belongs_to_a_key(claimed_by: PgpKey, kind: int) -> None:
    about = ADA.framed + SUBKEY.framed
    forged = subpacket(32, Signature(by=claimed_by, kind=kind).body(about))
    binding = Signature(by=ADA, kind=0x18, more=forged).packet(about)
    block = armor(ADA.block(packet(14, SUBKEY.body), binding))
    with pytest.raises(BadSignatureError, match="is in no key of the recipe"):
        verified(Signature(by=SUBKEY).packet(DATA), pins(SUBKEY, keys=(block,)))


def test_what_is_critical_and_known_is_taken() -> None:
    time = subpacket(2, CREATED.to_bytes(4, "big"), critical=True)
    assert verified(Signature(by=ADA, created=time).packet(DATA), pins(ADA))


def test_a_number_behind_a_signature_of_rsa_is_not_taken() -> None:
    with pytest.raises(BadSignatureError, match="at the end of a packet"):
        verified(Signature(by=RSA, rest=b"\0\0").packet(DATA), pins(RSA))


def test_two_signatures_are_both_verified() -> None:
    both = Signature(by=ADA).packet(DATA) + Signature(by=RSA).packet(DATA)
    found = verified(both, pins(ADA, RSA))
    assert {str(one.signer.certificate) for one in found} == {ADA.fingerprint, RSA.fingerprint}
    with pytest.raises(BadSignatureError, match=RSA.fingerprint):
        verified(both, pins(ADA))


def by(**fields: Any) -> Callable[[], bytes]:
    return lambda: Signature(**{"by": ADA, **fields}).packet(DATA)


NOTATION = subpacket(20, b"\x80\0\0\0\0\1\0\1xy", critical=True)
TRICKS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nothing": ("signature-missing", lambda: b""),
    "no packet": ("signature-unreadable", lambda: b"\0" * 20),
    "a packet that ends early": ("signature-unreadable", lambda: by()()[:-1]),
    "a packet of indeterminate length": (
        "signature-unreadable",
        lambda: bytes([0x8B]) + Signature(by=ADA).body(DATA),
    ),
    "a packet in parts": (
        "signature-unreadable",
        lambda: b"\xc2\xe0" + Signature(by=ADA).body(DATA),
    ),
    "a padding packet": ("data-in-slack", lambda: by()() + packet(21, b"anything")),
    "a marker packet": ("data-in-slack", lambda: packet(10, b"PGP") + by()()),
    "a user ID beside it": ("data-in-slack", lambda: by()() + packet(13, b"anything")),
    "version 3 with the fields of 4": ("signature-unreadable", by(version=3)),
    "version 3 with MD5": ("weak-digest", lambda: Signature(by=ADA, digest=1).former(DATA)),
    "version 3 over text": (
        "signature-unreadable",
        lambda: Signature(by=ADA, kind=1).former(DATA),
    ),
    "version 6 by a key of version 4": ("signature-unreadable", by(version=6)),
    "over text": ("signature-unreadable", by(kind=1)),
    "over a key": ("signature-unreadable", by(kind=0x13)),
    "MD5": ("weak-digest", by(digest=1)),
    "SHA-1": ("weak-digest", by(digest=2)),
    "another algorithm": ("signature-unreadable", by(algorithm=1)),
    "ML-DSA": ("signature-unreadable", by(algorithm=31)),
    "over other bytes": (
        "signed-other-bytes",
        lambda: Signature(by=ADA).packet(DATA + b"other"),
    ),
    "a signature that is wrong": ("signature-invalid", by(material=mpi(1) + mpi(2))),
    "another number behind it": ("signature-unreadable", by(rest=b"\0\0")),
    "a number with zeros in front": (
        "signature-unreadable",
        by(material=b"\0\x09\0\1" + mpi(2)),
    ),
    "a number that is too large": ("signature-unreadable", by(material=mpi(1 << 300) + mpi(2))),
    "another prefix of the digest": ("data-in-slack", by(prefix=b"\0\0")),
    "an unknown critical subpacket": (
        "unknown-critical",
        by(more=subpacket(99, b"x", critical=True)),
    ),
    "a critical notation": ("unknown-critical", by(more=NOTATION)),
    "a notation that is not signed": (
        "unexpected-attribute",
        by(unhashed=ADA.key_id + NOTATION),
    ),
    "a time that is not signed": (
        "unexpected-attribute",
        by(unhashed=subpacket(2, b"\0\0\0\0")),
    ),
    "the issuer twice": ("duplicate", by(unhashed=ADA.key_id * 2)),
    "another issuer beside the right one": ("unexpected-signer", by(unhashed=EVE.key_id)),
    "two fingerprints": ("unexpected-signer", by(unhashed=EVE.issuer)),
    "a key that is not pinned": ("unexpected-signer", by(by=EVE)),
    "a key that is not pinned and names one that is": (
        "signature-invalid",
        by(by=EVE, issuer=ADA.issuer, unhashed=b""),
    ),
    "the fingerprint of another key, and the right ID": (
        "unexpected-signer",
        by(issuer=EVE.issuer, unhashed=ADA.key_id),
    ),
    "no issuer": ("unexpected-signer", by(issuer=b"", unhashed=b"")),
    "no time": ("signature-unreadable", by(created=b"")),
    "two times": ("signature-unreadable", by(created=subpacket(2, b"\0\0\0\1") * 2)),
    "a time of five bytes": ("signature-unreadable", by(created=subpacket(2, bytes(5)))),
    "a subpacket without a type": ("signature-unreadable", by(unhashed=b"\0")),
    "more signatures than there may be": ("signature-unreadable", lambda: by()() * 65),
    "a subpacket beyond its area": ("signature-unreadable", by(unhashed=b"\x30\x10abc")),
    "a fingerprint of another version": (
        "signature-unreadable",
        by(issuer=subpacket(33, b"\6" + bytes.fromhex(ADA.fingerprint)), unhashed=b""),
    ),
}


@pytest.mark.parametrize("name", TRICKS)
def test_a_signature_that_must_not_count(name: str) -> None:
    fault, made = TRICKS[name]
    with pytest.raises(BadSignatureError) as error:
        verified(made(), pins(ADA))
    assert error.value.refused.fault == fault, error.value.refused


def test_a_salt_of_the_wrong_size_is_not_read() -> None:
    made = Signature(by=MODERN, digest=10).packet(DATA)
    with pytest.raises(BadSignatureError, match="a salt of 16 bytes"):
        verified(made, pins(MODERN))


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (armor(b""), "cannot be read"),
        (armor(packet(13, b"ada")), "no public key"),
        (armor(ADA.block() + EVE.block()), "two public keys"),
        (armor(packet(5, ADA.body)), "no public key"),
        (armor(replace(ADA, certified_by=0).block()), "is in no key of the recipe"),
        (armor(ADA.block() + packet(2, b"\4\x20")), "is revoked"),
        ("text\n" + ADA.armored, "exactly one ASCII armor"),
    ],
)
def test_a_key_that_must_not_be_used(block: str, why: str) -> None:
    with pytest.raises(BadSignatureError, match=why):
        verified(by()(), pins(ADA, keys=(block,)))


def test_an_armor_is_one_text_with_nothing_around_it() -> None:
    data = by()()
    good = armor(data, "SIGNATURE").encode()
    assert dearmored(good) == data
    assert dearmored(good.replace(b"\n", b"\r\n")) == data
    assert dearmored(good.replace(b"\n\n", b"\nComment: a\n\n", 1)) == data
    known = armor(b"123456789", "SIGNATURE").replace("\n-----END", "\n=Ic8C\n-----END")
    assert dearmored(known.encode()) == b"123456789", "with the checksum that CRC-24 is known by"
    lines = good.split(b"\n")
    for bad in (
        b"text\n" + good,
        good + b"text\n",
        good + good,
        good.replace(b"SIGNATURE", b"MESSAGE"),
        b"\n".join([*lines[:-2], b"=AAAA", *lines[-2:]]),
        b"\n".join([lines[0], b"Hash", *lines[1:]]),
        good.replace(b"\n\n", b"\n", 1),
        armor(b"ab", "SIGNATURE").replace("YWI=", "YWJ=").encode(),
        good.replace(lines[2][:1], b"%", 1),
    ):
        with pytest.raises(OpenPgpError):
            dearmored(bad)
