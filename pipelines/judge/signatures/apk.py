"""Android packages: signatures of version 1, 2, 3 and 3.1.

Our entries stay as they are, but for the alignment of their contents: a package that apksigner
aligns anew has fields that state an alignment, one that zipalign aligned has zeros, and which of
both is tried for each entry. Each version that is there has to verify over our bytes and be by the
pinned signers. Source: Android, "APK signing".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.apk_block import (
    V2,
    V3,
    V31,
    VERSIONS,
    BlockField,
    Signed,
    SigningBlock,
    read_block,
    read_signers,
)
from pipelines.judge.signatures.apk_signer import (
    LINEAGE,
    ROTATION,
    STRIPPING,
    ApkSigner,
    lineage_certificates,
    verify_signer,
)
from pipelines.judge.signatures.jar_signature import (
    SIGNATURE_FILES,
    JarSignature,
    bytes_of_signature,
    has_signature,
    plan_jar,
    signature_blocks,
    verify_jar,
)
from pipelines.judge.signatures.pins import pins_of
from pipelines.judge.signatures.raw_zip import END_SIZE, RawZip, read_zip
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    SignatureFault,
    SignatureFormat,
    Signer,
    Uncovered,
    VerifiedSignatures,
    check_signers,
)
from pipelines.judge.signatures.splice import SpliceLimits, SplicePlan
from pipelines.judge.signatures.zip_pieces import ZipLimits

_CHUNK = 1 << 20
_PAGE = 4096
_KNOWN = {
    V2: frozenset({STRIPPING}),
    V3: frozenset({LINEAGE, ROTATION}),
    V31: frozenset({LINEAGE}),
}
"""Attributes of signers, by the version that they sign with."""


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how the rebuilt package gets the signatures of the shipped one."""
    theirs, ours = read_zip(shipped, "shipped"), read_zip(rebuilt, "rebuilt")
    block = read_block(shipped, theirs)
    if block is None and not has_signature(theirs):
        raise BadSignatureError(SignatureFault.MISSING, "the shipped file has no signature")
    if read_block(rebuilt, ours) is not None:
        what = "the rebuilt file has a signing block of its own"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    return plan_jar(shipped, theirs, rebuilt, ours, block=block.start if block else None)


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify every signature of a package against the pinned signers."""
    archive = read_zip(file, "shipped")
    block = read_block(file, archive)
    _check_gap(file, archive, block)
    digests: dict[str, bytes] = {}

    def digest(algorithm: str) -> bytes:
        if algorithm not in digests:
            digests[algorithm] = _digest(file, archive, block, algorithm)
        return digests[algorithm]

    signed = {
        version: read_signers(version, value)
        for version, value in (block.values if block else {}).items()
    }
    found = {
        version: [verify_signer(one, digest, pinned, known=_KNOWN[version]) for one in signers]
        for version, signers in signed.items()
    }
    first: JarSignature | None = None
    if has_signature(archive):
        first = verify_jar(file, archive, pinned, weak=bool(found))
    if not found and first is None:
        raise BadSignatureError(SignatureFault.MISSING, "the file has no signature")
    _check_versions(found, first)
    signers: dict[object, Signer] = {}
    for one in (*(first.signers if first else ()), *(s.signer for f in found.values() for s in f)):
        signers.setdefault(one.certificate, one)
    check_signers(tuple(signers.values()), pinned)
    bare = list(_bytes_of_block(block, signed)) if block and found else bytes_of_signature(archive)
    return VerifiedSignatures(signers=tuple(signers.values()), uncovered=tuple(bare))


def _check_gap(file: BinaryIO, archive: RawZip, block: SigningBlock | None) -> None:
    """Require that between entries and directory there is a signing block at most."""
    begin = archive.local_end
    end = block.start if block else archive.directory
    file.seek(begin)
    if end > begin and (end - begin >= _PAGE or block is None or any(file.read(end - begin))):
        what = f"{end - begin} bytes after the last entry"
        raise BadSignatureError(SignatureFault.BETWEEN_ENTRIES, what)


def _check_versions(found: dict[int, list[ApkSigner]], first: JarSignature | None) -> None:
    """Require that no version is missing that another one names, and that all are by one vendor."""
    by_version: dict[str, list[object]] = {
        VERSIONS[version]: [one.certificate for one in signers]
        for version, signers in found.items()
    }
    if first:
        by_version["v1"] = [one.certificate for one in first.signers]
    for name, by in by_version.items():
        if not by:
            raise BadSignatureError(SignatureFault.MISSING, f"{name} has no signer")
        if len(set(by)) < len(by) or (len(by) > 1 and name not in ("v1", "v2")):
            raise BadSignatureError(SignatureFault.DUPLICATE, f"{name} has {len(by)} signers")
    old, third, latest = (found.get(version, []) for version in (V2, V3, V31))
    named = {version for version in (2, 3) if first and version in first.schemes}
    stripped = (
        (2 in named and not old)
        or (3 in named and not third)
        or (any(one.protected for one in old) and not third)
        or [one.rotated_from for one in third if one.rotated_from is not None]
        != [one.versions[0] for one in latest if one.versions]
    )
    if stripped:
        what = f"of the signatures that are named, there are {', '.join(by_version)} only"
        raise BadSignatureError(SignatureFault.STRIPPED, what)
    oldest = [set(by_version[name]) for name in ("v1", "v2") if name in by_version]
    if any(by != oldest[0] for by in oldest):
        raise BadSignatureError(SignatureFault.MISSING_SIGNER, "v1 and v2 are by other signers")
    before = {V3: oldest[:1], V31: [set(by_version[VERSIONS[V3]])] if third else []}
    for version in (V3, V31):
        for signer in found.get(version, ()):
            if any(not by <= signer.ancestors for by in before[version]):
                what = f"none from the signers of an older version to that of {VERSIONS[version]}"
                raise BadSignatureError(SignatureFault.LINEAGE, what)


def _bytes_of_block(block: SigningBlock, signed: dict[int, list[Signed]]) -> Iterator[Uncovered]:
    """Yield what of a signing block is neither signed nor a signature."""
    held: list[BlockField] = [
        field
        for signers in signed.values()
        for one in signers
        for field in (one.data, *(signature for _, signature in one.signatures))
    ]
    at = block.start
    for begin, size in [*sorted((one.at, len(one)) for one in held), (block.end, 0)]:
        if begin > at:
            yield Uncovered(offset=at, length=begin - at, why="signing-block")
        at = begin + size


def _digest(file: BinaryIO, archive: RawZip, block: SigningBlock | None, algorithm: str) -> bytes:
    """Return the digest of a package without its signing block, in chunks of 1 MiB."""
    entries_end = block.start if block else archive.directory
    file.seek(archive.end)
    end = bytearray(file.read(END_SIZE))
    end[16:20] = entries_end.to_bytes(4, "little")
    chunks = []
    for start, stop in ((0, entries_end), (archive.directory, archive.end)):
        file.seek(start)
        sizes = (min(_CHUNK, stop - at) for at in range(start, stop, _CHUNK))
        chunks += [_chunk(file.read(size), algorithm) for size in sizes]
    chunks.append(_chunk(bytes(end), algorithm))
    head = b"\x5a" + len(chunks).to_bytes(4, "little")
    return hashlib.new(algorithm, head + b"".join(chunks)).digest()


def _chunk(data: bytes, algorithm: str) -> bytes:
    digest = hashlib.new(algorithm, b"\xa5" + len(data).to_bytes(4, "little"))
    digest.update(data)
    return digest.digest()


def pins(file: BinaryIO) -> FoundPins:
    """Return what a recipe would pin for a package; raises `BadSignatureError`."""
    archive = read_zip(file, "shipped")
    block = read_block(file, archive)
    signed = [
        one
        for version, value in (block.values if block else {}).items()
        for one in read_signers(version, value)
    ]
    chains = [(*one.certificates, *lineage_certificates(one)) for one in signed]
    if not chains and not has_signature(archive):
        raise BadSignatureError(SignatureFault.MISSING, "the file has no signature")
    return pins_of(SignedFormat.APK, signature_blocks(file, archive), filter(None, chains))


APK = SignatureFormat(
    plan=plan,
    verify=verify,
    pins=pins,
    limits=SpliceLimits(
        replaced=0,
        derived=0,
        taken=8 << 20,
        zip=ZipLimits(taken=SIGNATURE_FILES, dropped=r"META-INF/MANIFEST\.MF", block=True),
    ),
)
