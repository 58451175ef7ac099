"""What processes of the jail do for a graft, which applies their answers and looks at the result.

They plan it, verify signatures, and unpack and pack what is compressed in a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from pydantic import TypeAdapter

from builders.core.digest import chunks
from builders.jail.file_reader import JailLimits, Nothing, Reader, Scratch
from builders.packing.compress import PackingError, compressed
from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.apk import APK
from pipelines.judge.signatures.cab import CAB
from pipelines.judge.signatures.clamsign import CLAMSIGN
from pipelines.judge.signatures.clearsigned import CLEARSIGNED
from pipelines.judge.signatures.cvd import CVD
from pipelines.judge.signatures.jar import JAR
from pipelines.judge.signatures.kernel_module import KERNEL_MODULE
from pipelines.judge.signatures.msi import MSI
from pipelines.judge.signatures.nuget import NUGET
from pipelines.judge.signatures.pe import PE
from pipelines.judge.signatures.rauc import RAUC
from pipelines.judge.signatures.rpm import RPM
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    Refused,
    SignatureFormat,
    VerifiedSignatures,
    unreadable,
)
from pipelines.judge.signatures.signed_cdiff import CDIFF
from pipelines.judge.signatures.splice import PackedPlan, SplicePlan
from pipelines.judge.signatures.tuf import TUF

FORMATS: dict[SignedFormat, SignatureFormat] = {
    SignedFormat.APK: APK,
    SignedFormat.CAB: CAB,
    SignedFormat.CDIFF: CDIFF,
    SignedFormat.CLAMSIGN: CLAMSIGN,
    SignedFormat.CLEARSIGNED: CLEARSIGNED,
    SignedFormat.CVD: CVD,
    SignedFormat.JAR: JAR,
    SignedFormat.KERNEL_MODULE: KERNEL_MODULE,
    SignedFormat.MSI: MSI,
    SignedFormat.NUGET: NUGET,
    SignedFormat.PE: PE,
    SignedFormat.RAUC: RAUC,
    SignedFormat.RPM: RPM,
    SignedFormat.TUF: TUF,
}
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


def _unpack(files: Sequence[BinaryIO], pinned: PinnedSignature, _: Scratch) -> Nothing | Refused:
    file, out = files
    unpack = FORMATS[pinned.format].unpack
    try:
        if unpack is None:
            raise unreadable(f"a file of format {pinned.format}, which compresses nothing")
        unpack(file, out)
    except BadSignatureError as error:
        return error.refused
    out.flush()
    return Nothing()


def _pack(files: Sequence[BinaryIO], plan: PackedPlan, _: Scratch) -> Nothing:
    content, rebuilt, out = files
    for file in (content, rebuilt):
        file.seek(0)
    out.write(rebuilt.read(plan.begin))
    for piece in compressed(chunks(content), plan.packing):
        out.write(piece)
    out.flush()
    return Nothing()


PLAN = Reader(
    name="pipelines.judge.signatures.graft_readers:PLAN",
    read=_plan,
    parameters=PinnedSignature,
    result=TypeAdapter[SplicePlan | Refused](SplicePlan | Refused),
    limits=_LIMITS,
)
"""Says how a shipped file is made of a rebuilt one."""
VERIFY = Reader(
    name="pipelines.judge.signatures.graft_readers:VERIFY",
    read=_verify,
    parameters=PinnedSignature,
    result=TypeAdapter[VerifiedSignatures | Refused](VerifiedSignatures | Refused),
    limits=_LIMITS,
)
"""Verifies the signatures of a file."""
UNPACK = Reader(
    name="pipelines.judge.signatures.graft_readers:UNPACK",
    read=_unpack,
    parameters=PinnedSignature,
    result=TypeAdapter[Nothing | Refused](Nothing | Refused),
    limits=_LIMITS,
)
"""Writes what is compressed in a file to an output."""
PACK = Reader(
    name="pipelines.judge.signatures.graft_readers:PACK",
    read=_pack,
    parameters=PackedPlan,
    result=TypeAdapter[Nothing](Nothing),
    limits=_LIMITS,
    errors=(PackingError,),
)
"""Compresses content in place of the stream of a rebuilt file; is never given a shipped one."""
