"""The graft: our bytes with the vendor's signature, and whether that is the shipped file.

The jail reads the files and answers with a splice plan; the plan is applied here, to our bytes. The
file that it makes counts if it has the digest of the shipped one and if that, read by another
process of the jail, carries valid signatures by all pinned signers and by nobody else. Planning,
hashing and verifying go on side by side, as neither needs what the others find.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydantic import TypeAdapter

from builders.core.digest import CHUNK, Digest, digest_file
from builders.jail.errors import JailFailedError
from builders.jail.file_reader import Jail, JailLimits, Reader, Scratch
from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.apk import APK
from pipelines.judge.signatures.cab import CAB
from pipelines.judge.signatures.jar import JAR
from pipelines.judge.signatures.msi import MSI
from pipelines.judge.signatures.pe import PE
from pipelines.judge.signatures.rauc import RAUC
from pipelines.judge.signatures.rpm import RPM
from pipelines.judge.signatures.signature_format import (
    MAX_DETAIL,
    BadSignatureError,
    CarriedRange,
    Graft,
    Refused,
    SignatureFault,
    SignatureFormat,
    Uncovered,
    VerifiedSignatures,
)
from pipelines.judge.signatures.splice import (
    SpliceError,
    SplicePlan,
    Taken,
    splice,
)

FORMATS: dict[SignedFormat, SignatureFormat] = {
    SignedFormat.APK: APK,
    SignedFormat.CAB: CAB,
    SignedFormat.JAR: JAR,
    SignedFormat.MSI: MSI,
    SignedFormat.PE: PE,
    SignedFormat.RAUC: RAUC,
    SignedFormat.RPM: RPM,
}
T = TypeVar("T")
_LIMITS = JailLimits(seconds=120, answer=16 << 20)


def _plan(files: Sequence[BinaryIO], pinned: PinnedSignature, _: Scratch) -> SplicePlan | Refused:
    shipped, rebuilt = files
    try:
        return FORMATS[pinned.format].plan(shipped, rebuilt)
    except BadSignatureError as error:
        return error.refused


def _verify(
    files: Sequence[BinaryIO], pinned: PinnedSignature, _: Scratch
) -> VerifiedSignatures | Refused:
    (file,) = files
    try:
        return FORMATS[pinned.format].verify(file, pinned)
    except BadSignatureError as error:
        return error.refused


PLAN = Reader(
    name="pipelines.judge.signatures.graft:PLAN",
    read=_plan,
    parameters=PinnedSignature,
    result=TypeAdapter[SplicePlan | Refused](SplicePlan | Refused),
    limits=_LIMITS,
)
"""Says how a shipped file is made of a rebuilt one."""
VERIFY = Reader(
    name="pipelines.judge.signatures.graft:VERIFY",
    read=_verify,
    parameters=PinnedSignature,
    result=TypeAdapter[VerifiedSignatures | Refused](VerifiedSignatures | Refused),
    limits=_LIMITS,
)
"""Verifies the signatures of a file."""


def graft(
    jail: Jail, shipped: BinaryIO, rebuilt: BinaryIO, pinned: PinnedSignature, out: BinaryIO
) -> Graft | Refused:
    """Put the signature of `shipped` onto `rebuilt`, in `out`, an empty file.

    Raises `JailUnavailableError`; a jail that fails on these files is a `Refused`.
    """
    try:
        return _graft(jail, shipped, rebuilt, pinned, out)
    except JailFailedError as error:
        return Refused(fault=SignatureFault.UNREADABLE, detail=str(error)[:MAX_DETAIL])
    except SpliceError as error:
        return Refused(fault=SignatureFault.UNREADABLE, detail=f"a plan that does not fit: {error}")


def _graft(
    jail: Jail, shipped: BinaryIO, rebuilt: BinaryIO, pinned: PinnedSignature, out: BinaryIO
) -> Graft | Refused:
    with _side_by_side(shipped) as started:
        verifying = started(lambda: jail.run(VERIFY, [shipped], pinned))
        hashing = started(lambda: _digest(shipped))
        plan = jail.run(PLAN, [shipped, rebuilt], pinned)
        if isinstance(plan, Refused):
            return plan
        made = splice(plan, rebuilt, shipped, out, FORMATS[pinned.format].limits)
        if made.sha256 != hashing():
            detail = "our bytes with the signature of the shipped file are not the shipped file"
            return Refused(fault=SignatureFault.UNLIKE, detail=detail)
        verified = verifying()
    if isinstance(verified, Refused):
        return verified
    if {signer.certificate for signer in verified.signers} != set(pinned.signers):
        detail = "the signatures are not by exactly the pinned signers"
        return Refused(fault=SignatureFault.UNEXPECTED_SIGNER, detail=detail)
    return Graft(
        format=pinned.format,
        sha256=made.sha256,
        size=made.size,
        signers=verified.signers,
        taken=sum(piece.length for piece in made.taken),
        carried=tuple(_carried(verified.uncovered, made.taken, out)),
    )


@contextmanager
def _side_by_side(file: BinaryIO) -> Iterator[Callable[[Callable[[], T]], Callable[[], T]]]:
    """Yield what starts work on `file`, and returns what waits for its result.

    A file in memory has one position: work on it is done when its result is asked for.
    """
    try:
        file.fileno()
    except OSError:
        yield lambda work: work
        return
    with ThreadPoolExecutor(2) as pool:
        yield lambda work: pool.submit(work).result


def _digest(file: BinaryIO) -> Digest:
    """Hash a file, and leave its position alone if it has a descriptor."""
    try:
        return digest_file(Path(f"/proc/self/fd/{file.fileno()}"))
    except OSError:
        return Digest(_sha256(file))


def _carried(
    uncovered: Iterable[Uncovered], taken: Sequence[Taken], out: BinaryIO
) -> Iterator[CarriedRange]:
    """Yield what was taken from the shipped file and no signature covers."""
    for bare in uncovered:
        for piece in taken:
            begin = max(bare.offset, piece.offset)
            length = min(bare.offset + bare.length, piece.offset + piece.length) - begin
            if length > 0:
                sha256 = Digest(_sha256(out, begin, length))
                yield CarriedRange(offset=begin, length=length, sha256=sha256, why=bare.why)


def _sha256(file: BinaryIO, offset: int = 0, length: int | None = None) -> str:
    digest = hashlib.sha256()
    file.seek(offset)
    left = length
    while data := file.read(CHUNK if left is None else min(CHUNK, left)):
        digest.update(data)
        left = None if left is None else left - len(data)
    return digest.hexdigest()
