"""Signatures of NuGet packages.

A package is a zip archive. Its last entry, `.signature.p7s`, holds the signature of its author or
of a repository, over the digest of the archive as it is without that entry. A repository may
countersign that of the author. Both records of the entry have to be as NuGet writes them, so only
the time in them is taken over. Source: NuGet, "Package Signatures Technical Details" and
"Repository Signatures and Countersignatures Technical Specification".
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import zlib
from functools import partial
from typing import Any, BinaryIO

from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.authenticode import pieces_of, verify_each
from pipelines.judge.signatures.der import der_header
from pipelines.judge.signatures.pins import pins_of
from pipelines.judge.signatures.raw_zip import END_SIZE, RawZip, ZipEntry, read_zip
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    SignatureFault,
    SignatureFormat,
    Uncovered,
    VerifiedSignatures,
    unreadable,
)
from pipelines.judge.signatures.signed_data import (
    SignedData,
    readable,
    verify_signed_data,
)
from pipelines.judge.signatures.splice import SpliceLimits, SplicePlan
from pipelines.judge.signatures.zip_pieces import ZipLimits
from pipelines.judge.signatures.zip_plan import SignatureFiles, plan_zip

_NAME = b".signature.p7s"
_MAX_SIGNATURE = 256 << 10
_DATA = "1.2.840.113549.1.7.1"
_COMMITMENT = "1.2.840.113549.1.9.16.2.16"
_AUTHOR, _REPOSITORY = (
    bytes.fromhex("300d060b2a864886f70d0109100601"),
    bytes.fromhex("300d060b2a864886f70d0109100602"),
)
"""What a signer commits to: proof of origin, proof of receipt."""
_SERVICE_INDEX = "1.3.6.1.4.1.311.84.2.1.1.1"
_DIGESTS = {b"1": "sha256", b"2": "sha384", b"3": "sha512"}
_CONTENT = re.compile(
    rb"Version:1\n\n2\.16\.840\.1\.101\.3\.4\.2\.([123])-Hash:([A-Za-z0-9+/]+={0,2})\n\n"
)


def _signed_package(file: BinaryIO) -> tuple[RawZip, ZipEntry, bytes]:
    """Return the archive, its entry with the signature, and that as DER."""
    archive = read_zip(file, "shipped")
    found = [one for one in archive.entries if one.name == _NAME]
    if not found:
        raise BadSignatureError(SignatureFault.MISSING, "the shipped package has no signature")
    (entry,) = found
    if (entry.end, entry.record_end) != (archive.directory, archive.end):
        what = "the signature is not the last entry of the shipped package"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    if entry.packed > _MAX_SIGNATURE:
        raise unreadable(f"a signature of {entry.packed} bytes, at most {_MAX_SIGNATURE}")
    data = b"".join(pieces_of(file, entry.data, entry.data + entry.packed))
    local = b"".join(pieces_of(file, entry.start, entry.data))
    record = b"".join(pieces_of(file, entry.record, entry.record_end))
    shared = _shared(local[10:14], data)
    if local != b"PK\3\4" + shared + bytes(2) + _NAME or record != (
        b"PK\1\2\x14\0" + shared + bytes(12) + struct.pack("<I", entry.start) + _NAME
    ):
        what = "records of the signature that NuGet does not write"
        raise BadSignatureError(SignatureFault.LOCAL_HEADER, what)
    with readable():
        size = der_header(data)[1]
    if size < len(data):
        raise BadSignatureError(SignatureFault.SLACK, f"{len(data) - size} bytes after a PKCS #7")
    return archive, entry, data


def _shared(time: bytes, data: bytes) -> bytes:
    """Return the fields that both records of the entry have, from the version on."""
    sizes = struct.pack("<III", zlib.crc32(data), len(data), len(data))
    return b"\x14\0" + bytes(4) + time + sizes + struct.pack("<H", len(_NAME))


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how the rebuilt package gets the signature of the shipped one."""
    archive, _, _ = _signed_package(shipped)
    files = SignatureFiles(taken=_NAME.__eq__)
    return plan_zip(shipped, archive, read_zip(rebuilt, "rebuilt"), files)


def pins(file: BinaryIO) -> FoundPins:
    """Return what a recipe would pin for a signed package."""
    return pins_of(SignedFormat.NUGET, [_signed_package(file)[2]])


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify the signature of a package, and its countersignature, against the pinned signers."""
    archive, entry, der = _signed_package(file)

    def verify_one(data: bytes) -> SignedData:
        signed = verify_signed_data(data, pinned, countersigned=True)
        with readable():
            _check_content(signed, partial(_digest, file, archive, entry))
            _check_roles(signed)
        return signed

    verified = verify_each([(entry.data, der)], pinned, verify_one)
    times = [
        Uncovered(offset=at, length=4, why="time") for at in (entry.start + 10, entry.record + 12)
    ]
    uncovered = (times[0], *verified.uncovered, times[1])
    return verified.model_copy(update={"uncovered": uncovered})


def _check_content(signed: SignedData, digest: Any) -> None:
    if signed.content_type != _DATA:
        raise unreadable(f"a signature over {signed.content_type}")
    text = signed.content[der_header(signed.content)[0] :]
    if not (said := _CONTENT.fullmatch(text)):
        raise unreadable(f"a signature over {ascii(text)[:200]}")
    algorithm = _DIGESTS[said[1]]
    if base64.b64decode(said[2], validate=True) != digest(algorithm):
        what = f"it signs {algorithm} {said[2].decode()}, the package has another"
        raise BadSignatureError(SignatureFault.SIGNED_OTHER_BYTES, what)


def _check_roles(signed: SignedData) -> None:
    """Require that author and repository sign as what they are."""
    _check_role(signed.attributes, {_AUTHOR} if signed.countersigner else {_AUTHOR, _REPOSITORY})
    if signed.countersigner:
        _check_role(signed.counter_attributes, {_REPOSITORY})


def _check_role(attributes: dict[str, Any], roles: set[bytes]) -> None:
    role = [one.dump() for one in attributes.get(_COMMITMENT, ())]
    needed = {"signing_certificate_v2", *([_SERVICE_INDEX] if role == [_REPOSITORY] else ())}
    if len(role) != 1 or role[0] not in roles or not needed <= attributes.keys():
        what = "a signer that does not say whether it is the author or a repository"
        raise BadSignatureError(SignatureFault.INVALID, what)


def _digest(file: BinaryIO, archive: RawZip, entry: ZipEntry, algorithm: str) -> bytes:
    """Return the digest of the package as it is without its signature."""
    digest = hashlib.new(algorithm)
    for begin, end in ((0, entry.start), (archive.directory, entry.record)):
        for data in pieces_of(file, begin, end):
            digest.update(data)
    (last,) = pieces_of(file, archive.end, archive.end + END_SIZE)
    count = len(archive.entries) - 1
    size = entry.record - archive.directory
    digest.update(last[:8] + struct.pack("<HHII", count, count, size, entry.start) + last[20:])
    return digest.digest()


NUGET = SignatureFormat(
    plan=plan,
    verify=verify,
    limits=SpliceLimits(
        replaced=0,
        derived=0,
        taken=_MAX_SIGNATURE + 1024,
        zip=ZipLimits(taken=r"\.signature\.p7s"),
    ),
    pins=pins,
)
