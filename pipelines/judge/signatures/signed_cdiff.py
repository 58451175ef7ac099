"""ClamAV's signed deltas (.cdiff): ours with a colon and the vendor's signature behind it.

The signature is RSA-PSS over the SHA-256 of all before its colon. Source: `script2cdiff` and
`read_dsig` in libclamav_rust/src/cdiff.rs of ClamAV.
"""

from __future__ import annotations

import hashlib
import re
from typing import BinaryIO

from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.clamav_keys import pinned_keys, signed_by_pss
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    SignatureFault,
    SignatureFormat,
    VerifiedSignatures,
    check_signers,
    unreadable,
)
from pipelines.judge.signatures.splice import Derived, Own, SpliceLimits, SplicePlan, Taken

_MAGIC, _COLON = b"ClamAV-Diff:", b":"
_MAX_SIGNATURE = 350
_SIGNATURE = re.compile(rb":([A-Za-z0-9+/]{1,350})\Z")


def _signature(file: BinaryIO, whose: str) -> tuple[int, bytes]:
    """Return where the colon of a signature is, and the signature; raises `BadSignatureError`."""
    file.seek(0)
    if file.read(len(_MAGIC)) != _MAGIC:
        raise unreadable(f"the {whose} file is no cdiff")
    size = file.seek(0, 2)
    begin = max(0, size - _MAX_SIGNATURE - len(_COLON))
    file.seek(begin)
    found = _SIGNATURE.search(file.read())
    if found is None:
        raise BadSignatureError(SignatureFault.MISSING, f"the {whose} cdiff is not signed")
    return begin + found.start(), found[1]


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how our delta gets the signature of the shipped one."""
    end, signature = _signature(shipped, "shipped")
    size = rebuilt.seek(0, 2)
    if size == shipped.seek(0, 2):
        what = "the rebuilt cdiff is as long as the shipped one with its signature"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    if size != end:
        what = f"{end} bytes before the signature, and ours has {size}"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    own, taken = Own(offset=0, length=size), end + len(_COLON)
    return SplicePlan(
        pieces=(
            own,
            Derived(data=_COLON.hex()),
            Taken(offset=taken, length=len(signature), why="signature"),
        )
    )


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify the signature of a delta by the pinned key."""
    end, signature = _signature(file, "signed")
    file.seek(0)
    digest = hashlib.sha256(file.read(end)).digest()
    signer = signed_by_pss(signature, digest, pinned_keys(pinned))
    if signer is None:
        raise BadSignatureError(SignatureFault.INVALID, "the cdiff is signed by no pinned key")
    check_signers([signer], pinned)
    return VerifiedSignatures(signers=(signer,), uncovered=())


def pins(file: BinaryIO) -> FoundPins:
    """Raise `BadSignatureError`, always: a delta does not say which key has signed it."""
    _signature(file, "shipped")
    what = "signed by a key of ClamAV; a recipe needs it, which its source code has"
    raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)


CDIFF = SignatureFormat(
    plan=plan,
    verify=verify,
    limits=SpliceLimits(replaced=0, derived=len(_COLON), taken=_MAX_SIGNATURE),
    pins=pins,
)
