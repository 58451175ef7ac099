"""What a recipe would pin for a signed file, read in the jail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from pydantic import TypeAdapter

from builders.core.frozen_model import FrozenModel
from builders.jail.file_reader import JailLimits, Reader, Scratch
from builders.recipe.signature import SignedFormat
from pipelines.judge.signatures.graft_readers import FORMATS
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    Refused,
    SignatureFault,
    VerifiedSignatures,
)


class FormatChoice(FrozenModel):
    """The format that a file is read as; None tries them all."""

    format: SignedFormat | None = None


class ShownSignature(FrozenModel):
    """What is in the signatures of a file, and whether they verify."""

    found: FoundPins
    verified: VerifiedSignatures | Refused


def _show(files: Sequence[BinaryIO], choice: FormatChoice, _: Scratch) -> ShownSignature | Refused:
    (file,) = files
    faults: list[Refused] = []
    for name in [choice.format] if choice.format else FORMATS:
        form = FORMATS[name]
        try:
            found = form.pins(file)
        except BadSignatureError as error:
            faults.append(error.refused)
            continue
        try:
            return ShownSignature(found=found, verified=form.verify(file, found.pinned))
        except BadSignatureError as error:
            return ShownSignature(found=found, verified=error.refused)
    telling = (one for one in faults if one.fault is not SignatureFault.UNREADABLE)
    unknown = Refused(fault=SignatureFault.UNREADABLE, detail="a file of no known signed format")
    return next(telling, faults[0] if choice.format else unknown)


SHOW = Reader(
    name="pipelines.judge.signatures.shown:SHOW",
    read=_show,
    parameters=FormatChoice,
    result=TypeAdapter[ShownSignature | Refused](ShownSignature | Refused),
    limits=JailLimits(seconds=120, answer=16 << 20),
)
"""Says what a recipe would pin for a file."""
