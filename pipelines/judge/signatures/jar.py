"""Signed jar archives.

Source: "JAR File Specification", Signed JAR File.
"""

from __future__ import annotations

from typing import BinaryIO

from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.jar_signature import (
    SIGNATURE_FILES,
    bytes_of_signature,
    has_signature,
    plan_jar,
    signature_blocks,
    verify_jar,
)
from pipelines.judge.signatures.pins import pins_of
from pipelines.judge.signatures.raw_zip import read_zip
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    SignatureFault,
    SignatureFormat,
    VerifiedSignatures,
    check_signers,
)
from pipelines.judge.signatures.splice import SpliceLimits, SplicePlan
from pipelines.judge.signatures.zip_pieces import ZipLimits


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how the rebuilt archive gets the signature files of the shipped one."""
    theirs, ours = read_zip(shipped, "shipped"), read_zip(rebuilt, "rebuilt")
    if not has_signature(theirs):
        raise BadSignatureError(SignatureFault.MISSING, "the shipped file has no signature")
    return plan_jar(shipped, theirs, rebuilt, ours)


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify every signature of an archive against the pinned signers."""
    archive = read_zip(file, "shipped")
    if archive.local_end != archive.directory:
        what = f"{archive.directory - archive.local_end} bytes after the last entry"
        raise BadSignatureError(SignatureFault.BETWEEN_ENTRIES, what)
    found = verify_jar(file, archive, pinned)
    check_signers(found.signers, pinned)
    return VerifiedSignatures(signers=found.signers, uncovered=tuple(bytes_of_signature(archive)))


def pins(file: BinaryIO) -> FoundPins:
    """Return what a recipe would pin for an archive; raises `BadSignatureError`."""
    archive = read_zip(file, "shipped")
    if not has_signature(archive):
        raise BadSignatureError(SignatureFault.MISSING, "the file has no signature")
    return pins_of(SignedFormat.JAR, signature_blocks(file, archive))


JAR = SignatureFormat(
    plan=plan,
    verify=verify,
    pins=pins,
    limits=SpliceLimits(
        replaced=0,
        derived=0,
        taken=8 << 20,
        zip=ZipLimits(taken=SIGNATURE_FILES, dropped=r"META-INF/MANIFEST\.MF"),
    ),
)
