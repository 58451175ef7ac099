"""Headers of RPM packages at the edges of what is read, and values that follow from our bytes."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace

import pytest

from pipelines.judge.signatures.openpgp import verify_openpgp
from pipelines.judge.signatures.rpm import pins, verify
from pipelines.judge.signatures.rpm_header import read_header
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft, Refused
from tests.judge.signatures.pgp_signing import Signature
from tests.judge.signatures.rpm_signing import (
    INT32,
    LEAD,
    MAGIC,
    MD5,
    PAYLOAD_DIGEST,
    PAYLOAD_SIZE,
    RSA,
    STRING,
    STRINGS,
    Entry,
    Rpm,
    header,
    patched,
)
from tests.judge.signatures.rpm_tricks import ADA, BY_ADA, GOOD, OURS, RPM, with_main
from tests.judge.signatures.test_rpm import grafted

_DIGEST = hashlib.sha256(RPM.payload).hexdigest().encode() + b"\0"


def with_digest(kind: int) -> Rpm:
    """Return a package that names no algorithm beside the digest of its payload."""
    entry = Entry(PAYLOAD_DIGEST, kind, _DIGEST)
    return replace(RPM, digested=False, entries=(*RPM.entries, entry))


@pytest.mark.parametrize(
    "rpm",
    [
        with_main(Entry.number(5114, 4)),
        with_main(*(Entry.text(2000 + number, "x") for number in range(40))),
        with_main(Entry(2000, 9, b"x\0")),
        with_digest(STRINGS),
    ],
    ids=["of format 4 that says so", "many tags", "translated text", "no algorithm"],
)
def test_a_main_header_that_is_read(rpm: Rpm) -> None:
    assert isinstance(grafted(rpm.signed(rpm.by(ADA)), BY_ADA, rpm.file()), Graft)


@pytest.mark.parametrize(
    ("rpm", "fault"),
    [
        (with_digest(STRING), "digest-differs"),
        (with_main(Entry(2000, STRINGS, b"x\0", 1000)), "entry-outside"),
    ],
    ids=["another kind of digest", "texts that do not end"],
)
def test_a_main_header_that_is_refused(rpm: Rpm, fault: str) -> None:
    found = grafted(rpm.signed(rpm.by(ADA)), BY_ADA, rpm.file())
    assert isinstance(found, Refused)
    assert found.fault == fault


@pytest.mark.parametrize(
    "shipped",
    [
        LEAD + MAGIC,
        patched(GOOD, 96 + 3, b"\2"),
        RPM.signed(RPM.by(ADA), Entry(PAYLOAD_SIZE, INT32, bytes(8), 2), drop=(PAYLOAD_SIZE,)),
    ],
    ids=["cut off", "another version", "two sizes"],
)
def test_a_signature_header_that_is_not_read(shipped: bytes) -> None:
    found = grafted(shipped, BY_ADA)
    assert isinstance(found, Refused)
    assert found.fault == "signature-unreadable"


def test_a_header_has_the_most_bytes_and_the_fewest_tags() -> None:
    large = header(62, [Entry.binary(1008, bytes((256 << 10) - 16))])
    assert len(read_header(io.BytesIO(large), 0, 62).entries) == 2
    assert len(read_header(io.BytesIO(header(62, [])), 0, 62).entries) == 1
    larger = header(62, [Entry.binary(1008, bytes((256 << 10) - 15))])
    with pytest.raises(BadSignatureError, match=r"a header of 2 entries and 262145 bytes"):
        read_header(io.BytesIO(larger), 0, 62)


def test_digests_of_the_shipped_package_that_ours_has_not_are_made() -> None:
    ours = RPM.file([RPM.digests[PAYLOAD_SIZE]])
    assert isinstance(grafted(GOOD, BY_ADA, ours), Graft)


def test_a_package_that_is_verified_alone_needs_no_right_md5() -> None:
    stale = Rpm(payload=b"other").digests[MD5]
    assert verify(io.BytesIO(RPM.signed(RPM.by(ADA), stale, drop=(MD5,))), BY_ADA).signers


def test_what_a_signature_does_not_cover_is_found_where_it_is() -> None:
    packet = Signature(by=ADA).packet(RPM.main)
    (found,) = verify_openpgp(packet, lambda h: h.update(RPM.main), BY_ADA)
    at = GOOD.index(packet)
    expected = {(at + one.offset, one.length) for one in found.uncovered}
    bare = verify(io.BytesIO(GOOD), BY_ADA).uncovered
    assert {(one.offset, one.length) for one in bare if one.offset >= at} >= expected


def test_a_package_with_a_broken_signature_names_no_key() -> None:
    with pytest.raises(BadSignatureError) as error:
        pins(io.BytesIO(RPM.signed(Entry.binary(RSA, b"\0"))))
    assert error.value.refused.fault == "signature-unreadable"
    assert isinstance(grafted(GOOD, BY_ADA, OURS), Graft)
