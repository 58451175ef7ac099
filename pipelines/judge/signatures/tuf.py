"""Signed metadata of The Update Framework: ours with the vendor's list of signatures.

A signature is over the canonical JSON of what is signed; the rest of the text is ours. What the
build leaves has an empty list, or one by a key of no meaning. Which keys count does not come from
the repository: the recipe pins them. Source: specification 1.0, "File formats: general principles".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata
from tuf.api.serialization.json import CanonicalJSONSerializer, JSONDeserializer

from builders.core.digest import Digest
from builders.core.escaping import escaped
from builders.core.frozen_model import duplicate
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.filled import tuf_fits
from pipelines.judge.signatures.left_out import MAX_TUF, tuf_signatures
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    SignatureFault,
    SignatureFormat,
    Signer,
    VerifiedSignatures,
    check_signers,
    unreadable,
)
from pipelines.judge.signatures.splice import Own, Piece, SpliceLimits, SplicePlan, Taken

_MAX_SIGNATURES = 64 << 10

datetime.strptime("2000+0000", "%Y%z")  # imports a module at its first call; a jail has no files


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how our metadata gets the signatures of the shipped one."""
    (begin, end), (ours, after) = _place(shipped, "shipped"), _place(rebuilt, "rebuilt")
    shipped.seek(begin)
    rebuilt.seek(ours)
    theirs = shipped.read(end - begin)
    if not json.loads(theirs):
        raise BadSignatureError(SignatureFault.MISSING, "the shipped metadata is not signed")
    if theirs == rebuilt.read(after - ours):
        what = "the rebuilt metadata has the signatures of the shipped one"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    if begin != ours:
        what = f"the signatures are at {begin}, ours at {ours}"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    pieces: list[Piece] = [
        Own(offset=0, length=ours),
        Taken(offset=begin, length=end - begin, why="signature"),
    ]
    if after < (size := rebuilt.seek(0, 2)):
        pieces.append(Own(offset=after, length=size - after))
    return SplicePlan(pieces=tuple(pieces))


def _place(file: BinaryIO, whose: str) -> tuple[int, int]:
    places = tuf_signatures(file)
    if not places:
        raise unreadable(f"the {whose} file does not begin with signatures of metadata")
    return places[0]


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify each signature of metadata by one of the pinned keys."""
    _place(file, "signed")
    found = read_metadata(file)
    if not found.signatures:
        raise BadSignatureError(SignatureFault.MISSING, "the metadata is not signed")
    keys = dict(_keys(pinned))
    signed = CanonicalJSONSerializer().serialize(found.signed)
    signers = tuple(_signer(one, signed, keys) for one in found.signatures.values())
    check_signers(signers, pinned)
    return VerifiedSignatures(signers=signers, uncovered=())


def read_metadata(file: BinaryIO) -> Metadata[Any]:
    """Return metadata of any role; raises `BadSignatureError`.

    python-tuf takes a field that is there twice, as JSON does; here it is refused.
    """
    file.seek(0)
    data = file.read(MAX_TUF + 1)
    if len(data) > MAX_TUF:
        raise unreadable(f"more than {MAX_TUF} bytes of metadata")
    try:
        json.loads(data, object_pairs_hook=_check_names)
        found: Metadata[Any] = Metadata.from_bytes(data, JSONDeserializer())
    except (RepositoryError, ValueError, RecursionError) as error:
        raise unreadable(f"no metadata of TUF: {escaped(str(error)):.200}") from error
    return found


def _check_names(pairs: list[tuple[str, Any]]) -> None:
    if twice := duplicate(name for name, _ in pairs):
        raise ValueError(f"the field {twice!a:.100} is there twice")


def _keys(pinned: PinnedSignature) -> Iterator[tuple[Digest, SSlibKey]]:
    for der in pinned.pem_keys():
        try:
            yield Digest.of(der), SSlibKey.from_crypto(load_der_public_key(der))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise unreadable(f"a pinned key that cannot be read: {error!a:.200}") from error


def _signer(signature: Signature, signed: bytes, keys: dict[Digest, SSlibKey]) -> Signer:
    """Return whose a signature is; raises `BadSignatureError`."""
    known = False
    for pin, key in keys.items():
        named = key.keyid == signature.keyid
        try:
            key.verify_signature(
                Signature(key.keyid, signature.signature, signature.unrecognized_fields), signed
            )
        except UnverifiedSignatureError:
            known = known or named
            continue
        return Signer(certificate=pin, subject=f"{key.keytype} key {key.keyid}")
    if known:
        what = f"the signature of key {signature.keyid:.64} is not over this metadata"
        raise BadSignatureError(SignatureFault.INVALID, what)
    what = f"a signature by key {signature.keyid!a:.80}, which is not pinned"
    raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)


def pins(file: BinaryIO) -> FoundPins:
    """Raise `BadSignatureError`, always: metadata names its keys, and does not bring them."""
    place = _place(file, "shipped")
    file.seek(place[0])
    found = re.findall(rb'"keyid":\s*"([0-9a-f]{1,64})"', file.read(place[1] - place[0]))
    if not found:
        raise BadSignatureError(SignatureFault.MISSING, "the metadata is not signed")
    named = ", ".join(one.decode() for one in found[:4])
    what = f"signed by keys {named}; a recipe needs them, which root metadata has"
    raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)


TUF = SignatureFormat(
    plan=plan,
    verify=verify,
    limits=SpliceLimits(
        replaced=_MAX_SIGNATURES,
        derived=0,
        taken=_MAX_SIGNATURES,
        places=tuf_signatures,
        fits=tuf_fits,
    ),
    pins=pins,
)
