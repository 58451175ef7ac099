"""OpenPGP at the edges of what is read: lengths, kinds of signatures on keys, and kinds of keys."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519

from pipelines.judge.signatures.openpgp_packets import OpenPgpError, dearmored
from pipelines.judge.signatures.signature_format import BadSignatureError
from tests.judge.signatures.pgp_signing import PgpKey, Signature, armor, mpi, packet, subpacket
from tests.judge.signatures.test_openpgp import ADA, DATA, EVE, MODERN, RSA, SUBKEY, pins, verified

UNKNOWN_KEY = "is in no key of the recipe"
PRIMARY = packet(6, ADA.body)


def user(name: str = ADA.user) -> tuple[bytes, bytes]:
    """Return the packet of a user ID, and what a signature on it is over."""
    data = name.encode()
    return packet(13, data), ADA.framed + b"\xb4" + len(data).to_bytes(4, "big") + data


USER, ABOUT_USER = user()
OWN = Signature(by=ADA, kind=0x13).packet(ABOUT_USER)
BY_EVE = Signature(by=EVE, kind=0x13).packet(ABOUT_USER)
REVOKED = packet(2, b"\4\x20")


def bound(kind: int, about: bytes = ADA.framed + SUBKEY.framed) -> bytes:
    """Return a subkey with a signature of Ada of this kind, and its own in that."""
    own = Signature(by=SUBKEY, kind=0x19).body(about)
    binding = Signature(by=ADA, kind=kind, more=subpacket(32, own)).packet(about)
    return packet(14, SUBKEY.body) + binding


def signer(*parts: bytes, by: PgpKey = ADA) -> Any:
    """Verify a signature by a key of a block that has these packets."""
    (found,) = verified(Signature(by=by).packet(DATA), pins(by, keys=(armor(b"".join(parts)),)))
    return found.signer


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ((PRIMARY, USER, packet(2, b""), OWN), ADA.user),
        ((PRIMARY, USER, BY_EVE, OWN), ADA.user),
        ((PRIMARY, USER, OWN, user("Bob")[0], Signature(by=ADA, kind=0x10).packet(user("Bob")[1])),
         ADA.user),
        ((PRIMARY, user("Eve")[0], Signature(by=ADA, kind=0x1F).packet(ADA.framed)), ""),
    ],
)  # fmt: skip
def test_what_a_key_signed_of_itself_is_found_among_the_rest(
    parts: tuple[bytes, ...], name: str
) -> None:
    assert signer(*parts).subject == name


def test_a_subkey_that_is_revoked_revokes_no_other() -> None:
    other = packet(14, EVE.body) + packet(2, b"\4\x28")
    assert signer(ADA.block(other, ADA.subkey(SUBKEY)), by=SUBKEY).subject == ADA.user


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ((PRIMARY, REVOKED, USER, OWN), "is revoked"),
        ((PRIMARY, USER, Signature(by=ADA, kind=0).packet(ABOUT_USER)), UNKNOWN_KEY),
        ((PRIMARY, USER, Signature(by=ADA, kind=0x18).packet(ABOUT_USER)), UNKNOWN_KEY),
        ((PRIMARY, packet(17, b"photo"), Signature(by=ADA, kind=0x13).packet(b"")), UNKNOWN_KEY),
        ((replace(ADA, certified_by=1).block(),), UNKNOWN_KEY),
    ],
)
def test_a_key_does_not_count_that_signed_something_else(
    parts: tuple[bytes, ...], why: str
) -> None:
    with pytest.raises(BadSignatureError, match=why):
        signer(*parts)


@pytest.mark.parametrize(
    "subkey", [bound(0), bound(0x13), bound(0x1F), bound(0x1F, ADA.framed)], ids=str
)
def test_a_subkey_is_bound_by_one_kind_of_signature_alone(subkey: bytes) -> None:
    assert signer(ADA.block(bound(0x18)), by=SUBKEY)
    with pytest.raises(BadSignatureError, match=UNKNOWN_KEY):
        signer(ADA.block(subkey), by=SUBKEY)


class Longer(PgpKey):
    """A key with something behind its numbers."""

    @property
    def material(self) -> bytes:
        return super().material + b"\0\0"


class Curve(PgpKey):
    """A key on a curve that does not belong to its algorithm."""

    oid, point = bytes.fromhex("2b06010401da470f01"), b"\x40"

    @property
    def material(self) -> bytes:
        raw = self.key.public_key().public_bytes_raw()
        return bytes([len(self.oid)]) + self.oid + mpi(int.from_bytes(self.point + raw, "big"))

    def signed(self, digest: bytes, of: Any) -> bytes:
        return super().signed(digest, of) if self.algorithm == 22 else bytes(self.key.sign(digest))


class OtherCurve(Curve):
    oid = bytes.fromhex("2a8648ce3d030107")


class UnknownCurve(Curve):
    oid = bytes.fromhex("2b240303020801010d")


class OtherPoint(Curve):
    point = b"\x41"


class EllipticAsEdwards(PgpKey):
    """A key on P-256 with the number of EdDSA."""

    @property
    def material(self) -> bytes:
        return replace(self, algorithm=19).material if self.algorithm == 22 else super().material

    def signed(self, digest: bytes, of: Any) -> bytes:
        return PgpKey(self.key, 19).signed(digest, of)


ED, P256 = ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    "key",
    [
        Longer(RSA.key, 1),
        Longer(dsa.generate_private_key(1024), 17),  # noqa: S505
        Longer(P256, 19),
        OtherCurve(ED, 22),
        OtherPoint(ED, 22),
        Curve(ED, 19),
        UnknownCurve(ED, 22),
        UnknownCurve(ED, 19),
        EllipticAsEdwards(P256, 22),
        PgpKey(ed448.Ed448PrivateKey.generate(), 25),
        PgpKey(ED, 31),
    ],
    ids=lambda key: f"{type(key).__name__} {key.algorithm}",
)
def test_a_key_of_another_kind_signs_nothing(key: PgpKey) -> None:
    with pytest.raises(BadSignatureError, match=UNKNOWN_KEY):
        verified(Signature(by=key).packet(DATA), pins(key))


@pytest.mark.parametrize(
    ("body", "why"),
    [(b"\5" + ADA.body[1:], "a key of version 5"), (MODERN.body + b"\0", "at the end of a packet")],
    ids=["version", "end"],
)
def test_a_key_that_is_not_read_is_named(body: bytes, why: str) -> None:
    with pytest.raises(BadSignatureError, match=why):
        signer(packet(6, body))


def padded(size: int) -> bytes:
    """Return the body of a signature with so many bytes, by a subpacket that nobody knows."""
    for extra in count():
        body = Signature(by=ADA, more=subpacket(99, bytes(extra))).body(DATA)
        if len(body) == size:
            return body
        if len(body) > size:
            pytest.fail("no such size")
    raise AssertionError


LONG = Signature(by=ADA, more=subpacket(99, bytes(8300))).body(DATA)
TWO_BYTES = len(LONG) - 192 - (32 << 8)


@pytest.mark.parametrize(
    "made",
    [
        bytes([0xC2, 191]) + padded(191),
        bytes([0xC2, 194, 7]) + padded((2 << 8) + 7 + 192),
        b"\xc2\xff" + len(LONG).to_bytes(4, "big") + LONG,
    ],
)
def test_a_packet_and_its_subpackets_have_any_size(made: bytes) -> None:
    assert len(verified(made, pins(ADA))) == 1


BODY = Signature(by=ADA).body(DATA)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (bytes([0x08, len(BODY)]) + BODY, "begin no packet"),
        (b"\x8b" + len(BODY).to_bytes(8, "big") + BODY, "indeterminate length"),
        (b"\xc2\xfe" + len(BODY).to_bytes(4, "big") + BODY, "in parts"),
        (bytes([0xC2, 224, TWO_BYTES]) + LONG, "in parts"),
        (packet(2, b"\5" + BODY[1:]), "a signature of version 5"),
        (packet(2, Signature(by=PgpKey(P256, 19), rest=b"\0\0").body(DATA)), "at the end of"),
    ],
)
def test_a_packet_that_is_not_read_is_named(made: bytes, why: str) -> None:
    with pytest.raises(BadSignatureError, match=why):
        verified(made, pins(ADA, PgpKey(P256, 19)))


def test_as_many_signatures_as_there_may_be() -> None:
    assert len(verified(Signature(by=ADA).packet(DATA) * 64, pins(ADA))) == 64


def test_a_number_of_rsa_has_the_size_of_its_key() -> None:
    with pytest.raises(BadSignatureError, match="does not verify"):
        verified(Signature(by=RSA, material=mpi(1 << 2100)).packet(DATA), pins(RSA))
    signed = ((data, Signature(by=RSA).packet(data)) for data in map(b"%d".__mod__, range(4000)))
    data, made = next(one for one in signed if len(one[1]) < len(Signature(by=RSA).packet(DATA)))
    assert verified(made, pins(RSA), data)


@pytest.mark.parametrize("letters", ["YWI", "Y=I="])
def test_an_armor_holds_base64(letters: str) -> None:
    with pytest.raises(OpenPgpError):
        dearmored(armor(b"ab", "SIGNATURE").replace("YWI=", letters).encode())
