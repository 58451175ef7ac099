"""MSI packages, which are recognised and never given a signature.

Signing writes the compound file anew: where its parts are is up to the tool that signed it, and no
tool's layout is reproduced here yet. Source: Microsoft, "Compound File Binary File Format".
"""

from __future__ import annotations

from typing import BinaryIO

from builders.core.digest import chunks
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    SignatureFault,
    SignatureFormat,
    VerifiedSignatures,
    unreadable,
)
from pipelines.judge.signatures.splice import SpliceLimits, SplicePlan

_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
_STREAM = "\x05DigitalSignature".encode("utf-16-le")
"""The name of the stream that holds the signature."""


def _refuse(file: BinaryIO, whose: str) -> BadSignatureError:
    """Return why a package gets no signature."""
    file.seek(0)
    if file.read(len(_MAGIC)) != _MAGIC:
        return unreadable(f"the {whose} file is no compound file")
    before = b""
    for data in chunks(file):
        if _STREAM in before + data:
            what = "an MSI is laid out anew by what signs it, which cannot be reproduced yet"
            return BadSignatureError(SignatureFault.LAYOUT, what)
        before = data[-len(_STREAM) :]
    return BadSignatureError(SignatureFault.MISSING, f"the {whose} package has no signature")


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Raise `BadSignatureError`."""
    rebuilt.seek(0)
    if rebuilt.read(len(_MAGIC)) != _MAGIC:
        raise unreadable("the rebuilt file is no compound file")
    raise _refuse(shipped, "shipped")


def verify(file: BinaryIO, _: PinnedSignature) -> VerifiedSignatures:
    """Raise `BadSignatureError`."""
    raise _refuse(file, "shipped")


def pins(file: BinaryIO) -> FoundPins:
    """Raise `BadSignatureError`."""
    raise _refuse(file, "shipped")


MSI = SignatureFormat(
    plan=plan, verify=verify, limits=SpliceLimits(replaced=0, derived=0, taken=0), pins=pins
)
