"""What a signature format does, what it answers, and what a graft is.

Reports hold these values, so nothing here imports what reads signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, BinaryIO

from pydantic import AwareDatetime, Field

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel
from builders.recipe.signature import PinnedSignature, SignedFormat, SignerPin
from pipelines.judge.signatures.splice import Length, Offset, SpliceLimits, SplicePlan, Why

MAX_DETAIL = 500
"""The shipped file decides how much there is to say of it: a thousand certificates, for one."""


MAX_CARRIED = 10_000
"""Ranges of the shipped file in a statement on it."""


class SignatureFault(StrEnum):
    """Why a file is not ours with the pinned signature."""

    MISSING = "signature-missing"
    UNREADABLE = "signature-unreadable"
    REBUILT_IS_SIGNED = "rebuilt-is-signed"
    LAYOUT = "layout"
    UNLIKE = "bytes-differ"
    """Our bytes with the signature are not the shipped file."""
    SIGNED_OTHER_BYTES = "signed-other-bytes"
    PAGE_HASHES = "page-hashes-differ"
    """Digests of the pages of a program are not those of ours."""
    INVALID = "signature-invalid"
    UNEXPECTED_SIGNER = "unexpected-signer"
    MISSING_SIGNER = "missing-signer"
    UNKNOWN_CERTIFICATE = "unknown-certificate"
    DUPLICATE = "duplicate"
    """A signer or a certificate is there twice."""
    UNEXPECTED_ATTRIBUTE = "unexpected-attribute"
    TIME_STAMP = "time-stamp-invalid"
    SLACK = "data-in-slack"
    TRAILING = "trailing-bytes"
    WEAK_DIGEST = "weak-digest"
    UNKNOWN_CRITICAL = "unknown-critical"
    DIGEST = "digest-differs"
    """What a file says of its own digests or sizes is not what our bytes have."""
    NOT_COVERED = "bytes-not-covered"
    FILE_SIGNATURES = "file-signatures"
    ENCRYPTED = "encrypted"
    MANIFEST = "manifest-differs"
    ENTRY_OUTSIDE = "entry-outside"
    OVERLAP = "entries-overlap"
    REGION = "wrong-region"
    WRONG_HEADER = "tag-in-wrong-header"
    BETWEEN_ENTRIES = "data-between-entries"
    """Bytes of an archive that no entry holds."""
    DUPLICATE_BLOCK = "duplicate-block"
    DUPLICATE_NAME = "duplicate-name"
    LINEAGE = "lineage-invalid"
    LOCAL_HEADER = "local-header-differs"
    """An entry that is described in another way where it stands than in the directory."""
    MISSING_ENTRY = "missing-entry"
    STRIPPED = "signature-stripped"
    """A signature that another one names is not there."""
    UNKNOWN_BLOCK = "unknown-block"
    UNSIGNED_ENTRY = "unsigned-entry"
    ZIP64 = "zip64"
    ZIP_COMMENT = "zip-comment"
    OUTSIDE_FRAME = "text-outside-frame"
    EXTERNAL_MISSING = "external-signature-missing"
    """The recipe requires a signature in a file of its own, and there is none."""
    EXTERNAL_REFUSED = "external-signature-refused"
    """That signature is there, and does not count."""


class Refused(FrozenModel):
    """Why there is no plan, or why a signature does not count."""

    fault: SignatureFault
    detail: Annotated[str, Field(max_length=MAX_DETAIL)]


class BadSignatureError(Exception):
    """Raised inside of a format, and returned by it as a `Refused`."""

    def __init__(self, fault: SignatureFault, detail: str) -> None:
        """Keep both parts."""
        super().__init__(detail)
        self.refused = Refused(fault=fault, detail=detail[:MAX_DETAIL])


def unreadable(detail: str) -> BadSignatureError:
    """Return the error of a file or a signature that cannot be read."""
    return BadSignatureError(SignatureFault.UNREADABLE, detail)


class Signer(FrozenModel):
    """One signature that verified. Dates are reported and decide nothing."""

    certificate: SignerPin
    """SHA-256 of its DER; of OpenPGP, the fingerprint of the key."""
    subject: Annotated[str, Field(max_length=512)]
    not_before: AwareDatetime | None = None
    """None for a key that has no certificate."""
    not_after: AwareDatetime | None = None
    """None for one that does not expire, or has no certificate."""
    stamped_on: AwareDatetime | None = None
    """When a pinned time-stamp authority saw it."""
    weak_digest: Annotated[str, Field(pattern="^[a-z0-9]{1,16}$")] | None = None
    """The digest that it signs, if others can make two files of one: it proves little then."""


def check_signers(signers: Sequence[Signer], pinned: PinnedSignature) -> None:
    """Require one signature by each pinned signer; raises `BadSignatureError`."""
    missing = set(pinned.signers) - {signer.certificate for signer in signers}
    if missing:
        what = f"no signature of {', '.join(sorted(map(str, missing)))}"
        raise BadSignatureError(SignatureFault.MISSING_SIGNER, what)
    if len(signers) > len(set(pinned.signers)):
        what = f"{len(signers)} signatures by {len(set(pinned.signers))} signers"
        raise BadSignatureError(SignatureFault.DUPLICATE, what)


class Uncovered(FrozenModel):
    """Bytes of the signed file that the signature does not cover."""

    offset: Offset
    length: Length
    why: Why
    inside: bool = False
    """Whether they are of what is compressed in the file."""


class VerifiedSignatures(FrozenModel):
    """Signatures that are those pinned, and no others."""

    signers: tuple[Signer, ...]
    uncovered: Annotated[tuple[Uncovered, ...], Field(max_length=MAX_CARRIED)]


class FoundPins(FrozenModel):
    """What a recipe would pin for a file."""

    pinned: PinnedSignature
    names: dict[str, str]
    """Whose a pin is, by the pin."""


class CarriedRange(FrozenModel):
    """Bytes of the shipped file that are not ours, and that the signature does not cover."""

    offset: Offset
    length: Length
    sha256: Digest
    why: Why
    inside: bool = False
    """Whether they are of what is compressed in the file, and the offset is in that."""


class Graft(FrozenModel):
    """The vendor's signature on our bytes."""

    format: SignedFormat
    sha256: Digest
    """Of our bytes with the signature: that of the shipped file, unless more is masked."""
    size: Annotated[int, Field(ge=0)]
    signers: tuple[Signer, ...]
    taken: Annotated[int, Field(ge=0)]
    """How many bytes come from the shipped file."""
    signature: Digest
    """SHA-256 of these bytes, those of what is compressed last."""
    carried: tuple[CarriedRange, ...]
    """Those of them that no signature covers."""
    packing: Annotated[str, Field(max_length=MAX_DETAIL)] | None = None
    """How our unpacked bytes were compressed again, if the signature is inside."""
    contents: tuple[Digest, ...] = ()
    """SHA-256 of what is compressed in ours and in the shipped file: an input with one of them
    could have been copied and compressed."""


@dataclass(frozen=True, kw_only=True)
class SignatureFormat:
    """A format of signed files: how a signature gets onto a file, and what it then is worth."""

    plan: Callable[[BinaryIO, BinaryIO], SplicePlan]
    """Of the shipped and the rebuilt file; raises `BadSignatureError`."""
    verify: Callable[[BinaryIO, PinnedSignature], VerifiedSignatures]
    """Of the signed file; raises `BadSignatureError`."""
    limits: SpliceLimits
    pins: Callable[[BinaryIO], FoundPins]
    """What a recipe would pin for a file as it is; raises `BadSignatureError`."""
    unpack: Callable[[BinaryIO, BinaryIO], None] | None = None
    """Writes what is compressed in a file, where a plan can be inside; raises the same."""
