"""RPM packages: the signature header of the shipped package in place of ours.

Signing a package changes its signature header and nothing else. Of that header, digests and sizes
are made anew from our bytes, reserved space is zeros, and only index and signatures are taken.
Signatures are over the main header, which has the digest of the payload, or over header and
payload. Sources: rpm, docs/manual/format_v4.md and signatures_digests.md; the tag of SHA-256 is
273 in packages, whatever format_v4.md says.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from builders.core.digest import CHUNK
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.filled import rpm_checksum, rpm_fits
from pipelines.judge.signatures.left_out import RPM_LEAD, signature_header
from pipelines.judge.signatures.openpgp import signing_keys, verify_openpgp
from pipelines.judge.signatures.openpgp_packets import OpenPgpError
from pipelines.judge.signatures.rpm_header import (
    BINARY,
    INT32,
    INT64,
    MAX_SIGNATURE_DATA,
    SIGNATURES,
    STRING,
    STRINGS,
    RpmEntry,
    RpmHeader,
    RpmPackage,
    check_layout,
    read_package,
    region_trailer,
    signature_end,
)
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    SignatureFault,
    SignatureFormat,
    Signer,
    Uncovered,
    VerifiedSignatures,
    check_signers,
    unreadable,
)
from pipelines.judge.signatures.splice import Derived, Own, Piece, SpliceLimits, SplicePlan, Taken

_OVER_HEADER, _OVER_ALL = frozenset({267, 268, 278}), frozenset({1002, 1005})
_OPENPGP = 278
_SIGNED = _OVER_HEADER | _OVER_ALL
_FILE_SIGNATURES = frozenset({274, 275, 276, 277})
"""IMA signatures of files and fs-verity, with the lengths or the algorithm of them."""
_RESERVED = frozenset({999, 1008})
_SIZE, _LONG_SIZE, _MD5, _PAYLOAD_SIZE, _LONG_PAYLOAD_SIZE = 1000, 270, 1004, 1007, 271
_MD5_SIZE = 16
_SHA1, _SHA256, _SHA3 = 269, 273, 279
_HEADER_DIGESTS = {_SHA1: "sha1", _SHA256: "sha256", _SHA3: "sha3_256"}
_KINDS = {
    **dict.fromkeys({_SHA1, _SHA256, _SHA3}, STRING),
    **dict.fromkeys({_SIZE, _PAYLOAD_SIZE}, INT32),
    **dict.fromkeys({_LONG_SIZE, _LONG_PAYLOAD_SIZE}, INT64),
    **dict.fromkeys(_SIGNED | _RESERVED | {_MD5, SIGNATURES}, BINARY),
    _OPENPGP: STRINGS,
}
_ONLY_IN_SIGNATURES = range(256, 280)
_PAYLOAD_DIGEST, _PAYLOAD_ALGORITHM = 5092, 5093
_ALGORITHMS = {8: "sha256", 9: "sha384", 10: "sha512"}
_LAST_OF_V6, _LAST_OF_SIGNATURES = 999, 1008
_FORMAT = 5114


def _package(file: BinaryIO, whose: str) -> RpmPackage:
    """Read a package whose tags are all in the right header and known."""
    found = read_package(file, whose)
    header = found.signature
    for one in header.entries:
        if one.tag in _FILE_SIGNATURES:
            what = f"signatures of files or fs-verity (tag {one.tag}), which are not verified"
            raise BadSignatureError(SignatureFault.FILE_SIGNATURES, what)
        if one.tag not in _KINDS or (one.tag > _LAST_OF_V6 and _is_v6(found.main)):
            wrong = one.tag > _LAST_OF_SIGNATURES or one.tag in _KINDS
            fault = SignatureFault.WRONG_HEADER if wrong else SignatureFault.UNEXPECTED_ATTRIBUTE
            raise BadSignatureError(fault, f"tag {one.tag} in the signature header")
        alone = one.kind in {INT32, INT64, STRING}
        count = 1 if alone else _MD5_SIZE if one.tag == _MD5 else one.count
        if one.kind != _KINDS[one.tag] or one.count != count:
            raise unreadable(f"tag {one.tag} of type {one.kind}, {one.count} values")
    misplaced = [one.tag for one in found.main.entries if one.tag in _ONLY_IN_SIGNATURES]
    if misplaced:
        what = f"tag {misplaced[0]} of signatures in the main header"
        raise BadSignatureError(SignatureFault.WRONG_HEADER, what)
    check_layout(header)
    return found


def _is_v6(main: RpmHeader) -> bool:
    entry = main.find(_FORMAT)
    return entry is not None and main.value(entry) == struct.pack(">I", 6)


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how the rebuilt package gets the signature header of the shipped one."""
    theirs, own = _package(shipped, "shipped"), _package(rebuilt, "rebuilt")
    if not any(one.tag in _SIGNED for one in theirs.signature.entries):
        raise BadSignatureError(SignatureFault.MISSING, "the shipped package has no signature")
    if any(one.tag in _SIGNED for one in own.signature.entries):
        what = "the rebuilt package has a signature of its own"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    begin = own.main.start
    values = _Values(rebuilt, own)
    header = theirs.signature
    _check_sizes(theirs)
    if theirs.size - theirs.main.start != own.size - begin:
        what = (
            f"header and payload have {theirs.size - theirs.main.start} bytes in the shipped"
            f" package, {own.size - begin} in the rebuilt one"
        )
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    pieces: list[Piece] = [
        Own(offset=0, length=RPM_LEAD),
        Taken(offset=RPM_LEAD, length=header.data - RPM_LEAD, why="signature-index"),
    ]
    at = header.data
    for one in sorted(header.entries, key=lambda entry: entry.start):
        if one.start > at:
            pieces.append(_derived(bytes(one.start - at)))
        if one.tag in _SIGNED:
            pieces.append(Taken(offset=one.start, length=one.end - one.start, why="signature"))
        elif one.tag == _MD5:  # what is made has to have it
            pieces.append(_derived(header.value(one)))
        else:
            pieces.append(_derived(values.checked(one, header)))
        at = one.end
    if padding := signature_end(at) - at:
        pieces.append(_derived(bytes(padding)))
    pieces.append(Own(offset=begin, length=own.size - begin))
    return SplicePlan(pieces=tuple(pieces))


def _derived(data: bytes) -> Derived:
    return Derived(data=data.hex())


def _check_sizes(package: RpmPackage) -> None:
    """Require that a package ends where it says, if it says so."""
    found = package.size - package.main.start
    for tag, form in ((_SIZE, ">I"), (_LONG_SIZE, ">Q")):
        if entry := package.signature.find(tag):
            (said,) = struct.unpack(form, package.signature.value(entry))
            if said < found:
                what = f"{found - said} bytes after the end of the payload"
                raise BadSignatureError(SignatureFault.TRAILING, what)
            if said > found:
                what = f"it says {said} bytes of header and payload, and has {found}"
                raise BadSignatureError(SignatureFault.DIGEST, what)


class _Bytes:
    """Feeds header and payload of a package to hashes."""

    def __init__(self, file: BinaryIO, package: RpmPackage) -> None:
        self._file, self._package = file, package

    def header(self, digest: Any) -> None:
        digest.update(self._package.main.raw)

    def payload(self, digest: Any) -> None:
        self._file.seek(self._package.payload)
        while data := self._file.read(CHUNK):
            digest.update(data)

    def all(self, digest: Any) -> None:
        self.header(digest)
        self.payload(digest)


def _hash(algorithm: str, feed: Callable[[Any], None]) -> Any:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    feed(digest)
    return digest


class _Values:
    """What the tags that are no signatures have to say of a package."""

    def __init__(self, file: BinaryIO, package: RpmPackage) -> None:
        self._package, self._bytes = package, _Bytes(file, package)

    def checked(self, entry: RpmEntry, header: RpmHeader) -> bytes:
        """Return the value that a tag has to have; raises `BadSignatureError` if it has not."""
        value = self._value(entry, len(header.entries))
        if value != header.value(entry):
            fault = SignatureFault.SLACK if entry.tag in _RESERVED else SignatureFault.DIGEST
            raise BadSignatureError(fault, f"tag {entry.tag} has not the value of our bytes")
        return value

    def _value(self, entry: RpmEntry, count: int) -> bytes:
        tag, size = entry.tag, self._package.size - self._package.main.start
        if tag in _HEADER_DIGESTS:
            found = _hash(_HEADER_DIGESTS[tag], self._bytes.header)
            return bytes(found.hexdigest().encode() + b"\0")
        if tag in {_SIZE, _LONG_SIZE}:
            return size.to_bytes(4 if tag == _SIZE else 8, "big")
        if tag in _RESERVED:
            return bytes(entry.count)
        if tag == SIGNATURES:
            return region_trailer(SIGNATURES, count)
        own = self._package.signature.find(tag)
        return self._package.signature.value(own) if own else b""


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify every signature in the signature header, and each digest that the package has."""
    package = _package(file, "signed")
    _check_sizes(package)
    header, values, content = package.signature, _Values(file, package), _Bytes(file, package)
    signers: dict[str, Signer] = {}
    over_all: set[str] = set()
    uncovered = [
        Uncovered(offset=0, length=RPM_LEAD, why="lead"),
        Uncovered(offset=RPM_LEAD, length=header.data - RPM_LEAD, why="structure"),
    ]
    for one in sorted(header.entries, key=lambda entry: entry.start):
        if one.tag not in _SIGNED:
            values.checked(one, header)  # not the MD5: it counts in a file that is made, alone
            uncovered.append(Uncovered(offset=one.start, length=one.end - one.start, why="digest"))
            continue
        feed = content.all if one.tag in _OVER_ALL else content.header
        by: list[Signer] = []
        for at, data, width in _packets(one, header.value(one)):
            for found in verify_openpgp(data, feed, pinned):
                by.append(found.signer)
                uncovered += [_placed(part, at, width) for part in found.uncovered]
        names = [str(signer.certificate) for signer in by]
        if len(names) > len(set(names)):
            what = f"two signatures by one key in tag {one.tag}"
            raise BadSignatureError(SignatureFault.DUPLICATE, what)
        signers.update(zip(names, by, strict=True))
        if one.tag in _OVER_ALL:
            over_all.update(names)
    check_signers(list(signers.values()), pinned)
    if not _check_payload(package, content) and set(signers) - over_all:
        what = "the main header has no digest of the payload, and a signature is over it alone"
        raise BadSignatureError(SignatureFault.NOT_COVERED, what)
    return VerifiedSignatures(signers=tuple(signers.values()), uncovered=tuple(uncovered))


def _packets(entry: RpmEntry, value: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield offset and bytes of OpenPGP packets, and how many characters stand for three bytes."""
    if entry.tag != _OPENPGP:
        yield entry.start, value, 3
        return
    at = entry.start
    for text in value[:-1].split(b"\0"):
        try:
            data = base64.b64decode(text, validate=True)
        except ValueError as error:
            raise unreadable(f"tag {_OPENPGP}, which is no base64") from error
        if base64.b64encode(data) != text:
            raise BadSignatureError(SignatureFault.SLACK, f"bits at the end of tag {_OPENPGP}")
        yield at, data, 4
        at += len(text) + 1


def _placed(part: Uncovered, at: int, width: int) -> Uncovered:
    """Return where in the file bytes of a packet are, of which `width` characters hold three."""
    begin, end = part.offset, part.offset + part.length
    if width != 3:
        begin, end = begin // 3 * width, -(-end // 3) * width
    return Uncovered(offset=at + begin, length=end - begin, why=part.why)


def _check_payload(package: RpmPackage, content: _Bytes) -> bool:
    """Say whether the main header has the digest of the payload; raises if it has another."""
    entry, named = package.main.find(_PAYLOAD_DIGEST), package.main.find(_PAYLOAD_ALGORITHM)
    if entry is None:
        return False
    number = struct.unpack(">I", package.main.value(named)[:4])[0] if named else 8
    if number not in _ALGORITHMS:
        what = f"a digest of the payload by algorithm {number}, expected SHA-2"
        raise BadSignatureError(SignatureFault.WEAK_DIGEST, what)
    found = _hash(_ALGORITHMS[number], content.payload).hexdigest().encode() + b"\0"
    if entry.kind != STRINGS or package.main.value(entry) != found:
        what = "the digest of the payload in the main header is not that of the payload"
        raise BadSignatureError(SignatureFault.DIGEST, what)
    return True


def pins(file: BinaryIO) -> FoundPins:
    """Raise `BadSignatureError`, always: it names the keys, which a package does not bring."""
    header = _package(file, "shipped").signature
    try:
        found = {
            name
            for one in header.entries
            if one.tag in _SIGNED
            for _, data, _ in _packets(one, header.value(one))
            for name in signing_keys(data)
        }
    except OpenPgpError as error:
        raise unreadable(str(error)) from error
    if not found:
        raise BadSignatureError(SignatureFault.MISSING, "the package has no signature")
    what = f"signed by OpenPGP key {', '.join(sorted(found))}; a recipe needs the public key"
    raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)


RPM = SignatureFormat(
    pins=pins,
    plan=plan,
    verify=verify,
    limits=SpliceLimits(
        replaced=MAX_SIGNATURE_DATA,
        derived=MAX_SIGNATURE_DATA,
        taken=MAX_SIGNATURE_DATA,
        places=signature_header,
        fits=rpm_fits,
        checksum=rpm_checksum,
        checksum_is_digest=True,
    ),
)
