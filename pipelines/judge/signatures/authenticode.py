"""Authenticode: a SignedData over the digest of a file, and over those of its pages.

Source: Microsoft, "Windows Authenticode Portable Executable Signature Format" (2008).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from asn1crypto import cms, core

from builders.core.digest import CHUNK
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.der import Value, children, der_header
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    Signer,
    Uncovered,
    VerifiedSignatures,
    check_signers,
    unreadable,
)
from pipelines.judge.signatures.signed_data import (
    DigestOf,
    SignedData,
    digest_algorithm,
    readable,
    verify_signed_data,
)

_INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
PE_IMAGE_DATA = frozenset({"1.3.6.1.4.1.311.2.1.15", "1.3.6.1.4.1.311.2.1.21"})
"""SPC_PE_IMAGE_DATAOBJ, and what older versions of sbsign write in its place."""
CAB_DATA = frozenset({"1.3.6.1.4.1.311.2.1.25"})
_PAGE_HASHES = {"1.3.6.1.4.1.311.2.3.1": "sha1", "1.3.6.1.4.1.311.2.3.2": "sha256"}
_PAGE_HASH_CLASS = bytes.fromhex("a6b586d5b4a12466ae05a217da8e60d6")
_SEQUENCE, _SET, _BITS, _BYTES, _FILE, _MONIKER = 0x30, 0x31, 0x03, 0x04, 0xA0, 0xA1
_PADDING = 8
"""A signature is followed by zeros up to a multiple of this, which some tools count as its own."""


class _DigestInfo(core.Sequence):  # type: ignore[misc]
    _fields = [("algorithm", cms.DigestAlgorithm), ("digest", core.OctetString)]  # noqa: RUF012


class _TypeAndValue(core.Sequence):  # type: ignore[misc]
    _fields = [("type", core.ObjectIdentifier), ("value", core.Any)]  # noqa: RUF012


class _IndirectData(core.Sequence):  # type: ignore[misc]
    """SpcIndirectDataContent."""

    _fields = [("data", _TypeAndValue), ("message_digest", _DigestInfo)]  # noqa: RUF012


def verify_authenticode(
    der: bytes,
    pinned: PinnedSignature,
    *,
    about: Iterable[str],
    digest: DigestOf,
    page_hashes: Callable[[], bytes] | None = None,
) -> SignedData:
    """Verify one signature over a file of one of the types `about`.

    `digest` returns that of the file, by algorithm; `page_hashes` the SHA-256 of its pages, in the
    form that is signed. Raises `BadSignatureError`.
    """
    signed = verify_signed_data(der, pinned)
    if signed.content_type != _INDIRECT_DATA:
        raise unreadable(f"a signature over {signed.content_type}")
    with readable():
        _check_content(_IndirectData.load(signed.content, strict=True), about, digest, page_hashes)
    return signed


def _check_content(
    content: Any,
    about: Iterable[str],
    digest: DigestOf,
    page_hashes: Callable[[], bytes] | None,
) -> None:
    """Require that the signed content names the digest of the file, and those of its pages."""
    data, info = content["data"], content["message_digest"]
    if data["type"].dotted not in set(about):
        raise unreadable(f"a signature about {data['type'].dotted}")
    algorithm = info["algorithm"]["algorithm"].native
    digest_algorithm(algorithm)
    if info["digest"].native != digest(algorithm):
        what = f"it signs {algorithm} {info['digest'].native.hex()}, the file has another"
        raise BadSignatureError(SignatureFault.SIGNED_OTHER_BYTES, what)
    if page_hashes is None:
        return
    for hashed_by, hashes in _page_hashes(data["value"].dump()):
        digest_algorithm(hashed_by)
        if hashes != page_hashes():
            what = "it signs page hashes, the pages of the file have others"
            raise BadSignatureError(SignatureFault.PAGE_HASHES, what)


def _page_hashes(image_data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield algorithm and page hashes of a SpcPeImageData; raises `BadSignatureError`.

    They are in a moniker: the digests of pages in an octet string, in a set, in an attribute, in a
    set, in an octet string. All other monikers are refused: nobody knows what they say.
    """
    for part in _inside(image_data, 0, len(image_data), _SEQUENCE):
        if part.tag == _BITS:
            continue
        if part.tag != _FILE:
            raise unreadable(f"a description of an image with a field of tag {part.tag:#x}")
        (name,) = children(image_data, part.begin, part.end)
        if name.tag != _MONIKER:
            continue
        kind, data = children(image_data, name.begin, name.end)
        if (kind.tag, data.tag) != (_BYTES, _BYTES):
            raise unreadable("a moniker with other fields than class and data")
        if image_data[kind.begin : kind.end] != _PAGE_HASH_CLASS:
            raise unreadable(f"a moniker of class {image_data[kind.begin : kind.end].hex():.64}")
        yield from _serialized(image_data[data.begin : data.end])


def _serialized(data: bytes) -> Iterator[tuple[str, bytes]]:
    for attribute in _inside(data, 0, len(data), _SET):
        name, held = children(data, attribute.begin, attribute.end)
        dotted = core.ObjectIdentifier.load(data[name.start : name.end]).dotted
        (value,) = _inside(data, held.start, held.end, _SET)
        if dotted not in _PAGE_HASHES or value.tag != _BYTES:
            raise unreadable(f"page hashes of type {dotted}")
        yield _PAGE_HASHES[dotted], data[value.begin : value.end]


def _inside(data: bytes, begin: int, end: int, tag: int) -> list[Value]:
    """Return what is in the only value between `begin` and `end`."""
    (value,) = children(data, begin, end)
    if value.tag != tag:
        raise unreadable(f"a value of tag {value.tag:#x}, expected {tag:#x}")
    return children(data, value.begin, value.end)


def digest_of(file: BinaryIO, ranges: Iterable[tuple[int, int]], algorithm: str) -> bytes:
    """Return the digest of parts of a file, given by begin and end."""
    digest = hashlib.new(algorithm)
    for begin, end in ranges:
        for data in pieces_of(file, begin, end):
            digest.update(data)
    return digest.digest()


def pieces_of(file: BinaryIO, begin: int, end: int) -> Iterator[bytes]:
    """Yield the bytes between two offsets; raises `BadSignatureError` where there are fewer."""
    file.seek(begin)
    left = end - begin
    while left > 0:
        data = file.read(min(CHUNK, left))
        if not data:
            raise unreadable("the file ends early")
        yield data
        left -= len(data)


def without_padding(data: bytes) -> bytes:
    """Return the DER at the start of `data`; what follows has to be its padding.

    Raises `BadSignatureError`.
    """
    with readable():
        size = der_header(data)[1]
    if size > len(data):
        raise unreadable("a PKCS #7 that is longer than its place")
    slack = data[size:]
    if len(slack) >= _PADDING or any(slack):
        what = f"{len(slack)} bytes after a PKCS #7 that are not the padding of it"
        raise BadSignatureError(SignatureFault.SLACK, what)
    return data[:size]


def verify_each(
    signatures: Iterable[tuple[int, bytes]],
    pinned: PinnedSignature,
    verify: Callable[[bytes], SignedData],
) -> VerifiedSignatures:
    """Verify signatures, given with their offsets; each pinned signer has to sign exactly once.

    Raises `BadSignatureError`.
    """
    signers: list[Signer] = []
    uncovered: list[Uncovered] = []
    for at, der in signatures:
        found = verify(der)
        signers += [one for one in (found.signer, found.countersigner) if one]
        uncovered += [u.model_copy(update={"offset": at + u.offset}) for u in found.uncovered]
    check_signers(signers, pinned)
    return VerifiedSignatures(signers=tuple(signers), uncovered=tuple(uncovered))
