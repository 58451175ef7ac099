"""ClamAV's external signatures (.cvd.sign, .cdiff.sign): a file that signs the digest of another.

Each is a CMS SignedData without its content, in one line. It is verified over the digest that it
states; that this is the digest of a file is a matter of the manifest that it is read as. Nothing
rebuilds one. Source: libclamav_rust/src/codesign.rs of ClamAV.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import BinaryIO, NamedTuple, NoReturn

from asn1crypto import cms

from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.pins import pins_of
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    SignatureFormat,
    VerifiedSignatures,
    check_signers,
    unreadable,
)
from pipelines.judge.signatures.signed_data import readable, verify_signed_data
from pipelines.judge.signatures.splice import SpliceLimits

_MAX_FILE = 256 << 10
_FILE = re.compile(
    rb"#clamsign-1\.0\n(?P<least>\d{0,10}):(?P<most>\d{0,10}):pkcs7-pem:(?P<der>[A-Za-z0-9+/=]+)\n"
)


class ExternalSignature(NamedTuple):
    """What an external signature says."""

    least: str
    """The lowest level of ClamAV that it is for; empty for any."""
    most: str
    algorithm: str
    digest: bytes
    der: bytes


def read_clamsign(file: BinaryIO) -> ExternalSignature:
    """Return what an external signature says; raises `BadSignatureError`."""
    file.seek(0)
    found = _FILE.fullmatch(file.read(_MAX_FILE))
    if found is None:
        raise unreadable("no external signature of ClamAV, or one of several lines")
    try:
        der = base64.b64decode(found["der"], validate=True)
    except binascii.Error as error:
        raise unreadable(f"an external signature that is no base64: {error}") from error
    with readable():
        (info,) = cms.ContentInfo.load(der, strict=True)["content"]["signer_infos"]
        stated = [a for a in info["signed_attrs"] or () if a["type"].native == "message_digest"]
        if len(stated) != 1:
            raise unreadable("an external signature that states no digest, or several")
        digest = stated[0]["values"][0].native
        algorithm = info["digest_algorithm"]["algorithm"].native
    return ExternalSignature(
        found["least"].decode(), found["most"].decode(), algorithm, digest, der
    )


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> NoReturn:  # noqa: ARG001  # both of every format
    """Raise `BadSignatureError`, always: the file is nothing but a signature."""
    what = "an external signature, which no build can leave"
    raise BadSignatureError(SignatureFault.LAYOUT, what)


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify an external signature over the digest that it states."""
    found = read_clamsign(file)
    signed = verify_signed_data(found.der, pinned, detached=lambda _: found.digest)
    check_signers([signed.signer], pinned)
    return VerifiedSignatures(signers=(signed.signer,), uncovered=())


CLAMSIGN = SignatureFormat(
    plan=plan,
    verify=verify,
    limits=SpliceLimits(replaced=0, derived=0, taken=0),
    pins=lambda file: pins_of(SignedFormat.CLAMSIGN, [read_clamsign(file).der]),
)
