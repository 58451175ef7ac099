"""Headers and certificate tables of PE files: the very rule that a file breaks is named.

The names of faults are shared by many rules; what is not caught by its own may be so by a later
one, by chance.
"""

from __future__ import annotations

import hashlib
import io
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from asn1crypto import algos, cms, core, tsp

from pipelines.judge.signatures.authenticode import without_padding
from pipelines.judge.signatures.der import der_header
from pipelines.judge.signatures.pe import plan, verify
from pipelines.judge.signatures.pe_image import read_pe
from pipelines.judge.signatures.signature_format import BadSignatureError, SignatureFault
from pipelines.judge.signatures.signed_data import verify_signed_data
from tests.judge.signatures.pe_tricks import (
    ADA,
    BOB,
    BY_ADA,
    CLOCK,
    OURS,
    TAG,
    altered,
    entry,
    pinned,
    table_of,
)
from tests.judge.signatures.signing import (
    ENTRY,
    IMAGE_DATA,
    INDIRECT_DATA,
    PE,
    SECTION,
    Signing,
    Vendor,
    certificate_entry,
    cms_of,
    image,
    signed,
    signer_info,
    value,
    with_table,
)

PLACED = "a certificate table at"
PLANNED = {
    "over its own entry": (struct.pack("<I", ENTRY), PLACED),
    "after its entry": (struct.pack("<I", ENTRY + 8), f"the shipped image has {ENTRY + 8} bytes"),
    "at an odd offset": (struct.pack("<I", len(OURS) + 4), PLACED),
    "beyond the end": (struct.pack("<II", len(OURS) + 3, 1 << 20), PLACED),
}
HEADERS = {
    "no MZ": (0, b"XZ"),
    "no PE": (PE, b"XE\0\0"),
    "four directories": (ENTRY - 36, b"\4\0\0\0"),
}


@pytest.mark.parametrize("name", PLANNED)
def test_a_table_out_of_place_is_named(name: str) -> None:
    entry, detail = PLANNED[name]
    shipped = bytearray(altered(ENTRY, entry)())
    (table,) = struct.unpack_from("<I", shipped, ENTRY)
    if name in {"over its own entry", "after its entry", "at an odd offset"}:
        struct.pack_into("<I", shipped, ENTRY + 4, len(shipped) - table)
    with pytest.raises(BadSignatureError, match=detail):
        plan(io.BytesIO(shipped), io.BytesIO(OURS))


@pytest.mark.parametrize("name", HEADERS)
def test_a_broken_header_is_named(name: str) -> None:
    with pytest.raises(BadSignatureError, match="is no PE file with a certificate directory"):
        read_pe(io.BytesIO(altered(*HEADERS[name])()), "shipped")


def test_five_directories_are_enough() -> None:
    assert read_pe(io.BytesIO(altered(ENTRY - 36, b"\5\0\0\0")()), "shipped").table


def test_a_signature_is_over_what_authenticode_signs() -> None:
    algorithm = algos.DigestAlgorithm({"algorithm": "sha256"}).dump()
    digest = core.OctetString(hashlib.sha256(image(OURS)).digest()).dump()
    content = value(0x30, IMAGE_DATA + value(0x30, algorithm + digest))
    made = cms_of(Signing(by=ADA), "1.3.6.1.4.1.311.2.1.25", content)
    with pytest.raises(BadSignatureError, match="a signature over 1"):
        verify(io.BytesIO(with_table(OURS, certificate_entry(made))), BY_ADA)


def test_there_are_at_most_16_directories() -> None:
    made = bytearray(OURS)
    struct.pack_into("<H", made, PE + 20, 112 + 17 * 8)
    struct.pack_into("<I", made, ENTRY - 36, 17)
    with pytest.raises(BadSignatureError, match="is no PE file with a certificate directory"):
        read_pe(io.BytesIO(made), "shipped")


def test_a_certificate_of_ten_bytes_is_read_as_one() -> None:
    shipped = table_of(struct.pack("<IHH", 10, 0x0200, 2), b"\x30\0")()
    with pytest.raises(BadSignatureError, match="a PKCS #7 that cannot be read"):
        verify(io.BytesIO(shipped), BY_ADA)
    for table in (struct.pack("<IHH", 9, 0x0200, 2) + b"\x30", entry() + bytes(9)):
        with pytest.raises(BadSignatureError, match="ends within a certificate"):
            verify(io.BytesIO(table_of(table)()), BY_ADA)


def test_a_certificate_ends_within_its_table() -> None:
    for length in (9, struct.unpack("<I", entry()[:4])[0] + 8):
        with pytest.raises(BadSignatureError, match=f"a certificate of {length} bytes"):
            verify(io.BytesIO(table_of(entry(), entry(length=length))()), BY_ADA)


def test_the_end_of_an_image_is_where_its_table_begins_or_that_of_the_file() -> None:
    assert read_pe(io.BytesIO(OURS), "rebuilt").end == len(OURS)
    assert read_pe(io.BytesIO(with_table(OURS, entry())), "shipped").end == -(-len(OURS) // 8) * 8


def test_a_file_may_end_with_the_header_of_its_last_section() -> None:
    assert len(read_pe(io.BytesIO(OURS[: SECTION + 40]), "rebuilt").sections) == 1
    assert read_pe(io.BytesIO(OURS[: SECTION + 39]), "rebuilt").sections == ()


def test_directories_are_within_their_header() -> None:
    made = bytearray(OURS)
    struct.pack_into("<H", made, PE + 20, 112 + 8)
    with pytest.raises(BadSignatureError, match="directories outside of its header"):
        read_pe(io.BytesIO(made), "shipped")


def test_content_is_either_within_a_signature_or_apart_from_it() -> None:
    def apart(algorithm: str) -> bytes:
        return hashlib.new(algorithm, b"text").digest()

    within = cms_of(Signing(by=ADA), "data", value(0x04, b"text"))
    assert verify_signed_data(within, BY_ADA).signer.certificate == ADA.pin
    with pytest.raises(BadSignatureError, match="content apart"):
        verify_signed_data(within, BY_ADA, detached=apart)


def test_a_table_of_two_mebibytes_is_planned_and_no_larger_one() -> None:
    plan(io.BytesIO(with_table(OURS, bytes(2 << 20))), io.BytesIO(OURS))
    with pytest.raises(BadSignatureError, match="at most 2097152"):
        plan(io.BytesIO(with_table(OURS, bytes((2 << 20) + 8))), io.BytesIO(OURS))


@pytest.mark.parametrize("own", [(0, 8), (8, 0)])
def test_a_rebuilt_file_with_half_an_entry_is_signed(own: tuple[int, int]) -> None:
    ours = bytearray(OURS)
    struct.pack_into("<II", ours, ENTRY, *own)
    with pytest.raises(BadSignatureError) as caught:
        plan(io.BytesIO(signed(OURS, Signing(by=ADA))), io.BytesIO(ours))
    assert caught.value.refused.fault is SignatureFault.REBUILT_IS_SIGNED


def test_the_padding_of_a_pkcs7_is_at_most_seven_zeros() -> None:
    assert without_padding(b"\x05\0" + bytes(7)) == b"\x05\0"
    for slack in (bytes(8), b"\1"):
        with pytest.raises(BadSignatureError, match="not the padding of it"):
            without_padding(b"\x05\0" + slack)
    with pytest.raises(BadSignatureError, match="longer than its place"):
        without_padding(b"\x04\x05\0")


def test_a_strong_signature_over_a_weak_digest_of_the_file_is_weak() -> None:
    algorithm = algos.DigestAlgorithm({"algorithm": "sha1"}).dump()
    digest = hashlib.new("sha1", image(OURS)).digest()  # noqa: S324  # what is tested
    info = value(0x30, algorithm + core.OctetString(digest).dump())
    made = cms_of(Signing(by=ADA), INDIRECT_DATA, value(0x30, IMAGE_DATA + info))
    assert fault(certificate_entry(made)) is SignatureFault.WEAK_DIGEST


def test_a_time_stamp_over_a_weak_digest_of_the_signature_is_weak() -> None:
    assert fault(stamped("sha256")) is None
    assert fault(stamped("sha1")) is SignatureFault.WEAK_DIGEST


def test_a_signed_attribute_that_is_there_twice_is_unreadable() -> None:
    times = [datetime(2020, month, 1, tzinfo=UTC) for month in (1, 2)]
    made = [{"type": "signing_time", "values": [cms.Time({"utc_time": time})]} for time in times]
    assert fault(by(made[0])) is None
    assert fault(by(*made)) is SignatureFault.UNREADABLE


def test_a_signer_who_signs_the_digest_of_another_certificate_is_not_he() -> None:
    assert fault(by(naming(ADA.der))) is None
    assert fault(by(naming(CLOCK.der))) is SignatureFault.INVALID


def test_a_program_is_not_countersigned() -> None:
    made = Signing(by=ADA, countersigned=Signing(by=BOB)).pkcs7(OURS)
    with pytest.raises(BadSignatureError) as caught:
        verify(io.BytesIO(with_table(OURS, certificate_entry(made))), pinned(ADA, BOB))
    assert caught.value.refused.fault is SignatureFault.UNEXPECTED_ATTRIBUTE


def test_an_elliptic_signature_by_another_key_is_invalid() -> None:
    other = Vendor.named("bob", elliptic=True)
    made = Signing(by=BOB, signature=other.sign(b"x", "sha256")).pkcs7(OURS)
    assert fault(certificate_entry(made)) is SignatureFault.INVALID


@pytest.mark.parametrize("more", ["a second stamp", "a second value", "attributes of the stamp"])
def test_there_is_one_time_stamp_and_nothing_beside_it(more: str) -> None:
    assert fault(stamped("sha256", more)) is SignatureFault.UNEXPECTED_ATTRIBUTE


def by(*attributes: dict[str, Any]) -> bytes:
    return certificate_entry(Signing(by=ADA, signed_attributes=attributes).pkcs7(OURS))


def naming(certificate: bytes) -> dict[str, Any]:
    """Return the signed attribute that names a certificate by its digest."""
    digest = hashlib.sha256(certificate).digest()
    named = tsp.ESSCertIDv2({"hash_algorithm": {"algorithm": "sha256"}, "cert_hash": digest})
    return {
        "type": "signing_certificate_v2",
        "values": [tsp.SigningCertificateV2({"certs": [named]})],
    }


def stamped(algorithm: str, more: str = "") -> bytes:
    """Return a certificate entry whose stamp is over a digest by `algorithm`."""
    info = algos.DigestAlgorithm({"algorithm": "sha256"}).dump()
    digest = hashlib.sha256(image(OURS)).digest()
    content = value(0x30, IMAGE_DATA + value(0x30, info + core.OctetString(digest).dump()))
    message = content[der_header(content)[0] :]
    signature = signer_info(Signing(by=ADA), INDIRECT_DATA, message)["signature"]
    about = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3",
            "message_imprint": {
                "hash_algorithm": {"algorithm": algorithm},
                "hashed_message": hashlib.new(algorithm, signature).digest(),
            },
            "serial_number": 1,
            "gen_time": datetime(2020, 6, 1, tzinfo=UTC),
        }
    )
    clock = Signing(by=CLOCK, attributes=(TAG,) if more == "attributes of the stamp" else ())
    token = cms.ContentInfo.load(cms_of(clock, "tst_info", value(0x04, about.dump())))
    values = [token] * (2 if more == "a second value" else 1)
    attribute = {"type": "microsoft_time_stamp_token", "values": values}
    second = {"type": "signature_time_stamp_token", "values": [token]}
    signing = Signing(
        by=ADA, attributes=(attribute, second) if more == "a second stamp" else (attribute,)
    )
    return certificate_entry(cms_of(signing, INDIRECT_DATA, content))


def fault(table: bytes) -> SignatureFault | None:
    """Return why a file with this certificate table does not verify."""
    pins = pinned(BOB if BOB.der in table else ADA, time_stamps=(CLOCK,))
    try:
        verify(io.BytesIO(with_table(OURS, table)), pins)
    except BadSignatureError as error:
        return error.refused.fault
    return None
