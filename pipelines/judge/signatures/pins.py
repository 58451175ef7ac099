"""What a recipe would pin for a file that is signed: all that is in its signatures, by its digest.

Nothing is verified here: whoever shows it verifies the file against what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from asn1crypto import cms
from cryptography.x509 import load_der_x509_certificate

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.der import check_der
from pipelines.judge.signatures.signature_format import FoundPins, unreadable
from pipelines.judge.signatures.signed_data import (
    COUNTERSIGNATURE,
    TIME_STAMPS,
    readable,
    signer_certificate,
)

_MOST = (16, 16, 64)
"""Signers, authorities of time stamps and other certificates that a recipe may pin."""


def pins_of(
    form: SignedFormat, signatures: Iterable[bytes], chains: Iterable[Sequence[bytes]] = ()
) -> FoundPins:
    """Return signers, other certificates and authorities of time stamps of CMS signatures.

    `chains` are certificates of signatures of another kind, that of the signer first.
    Raises `BadSignatureError`.
    """
    found = _Found()
    with readable():
        for der in signatures:
            _collect(der, found.signers, found)
        for chain in chains:
            found.signers[chain[0]] = None
            found.bag.update(dict.fromkeys(chain))
        names = {str(Digest.of(one)): _name(one) for one in found.bag}
    signers, stamps = (tuple(map(Digest.of, held)) for held in (found.signers, found.stamps))
    others = tuple(one for one in map(Digest.of, found.bag) if one not in {*signers, *stamps})
    counts = (len(signers), len(stamps), len(others))
    if not signers or any(n > most for n, most in zip(counts, _MOST, strict=True)):
        raise unreadable(f"{len(signers)} signers and {len(others)} other certificates")
    pinned = PinnedSignature(format=form, signers=signers, certificates=others, time_stamps=stamps)
    return FoundPins(pinned=pinned, names=names)


@dataclass(frozen=True)
class _Found:
    """Certificates as DER, in the order in which they were found."""

    signers: dict[bytes, None] = field(default_factory=dict)
    stamps: dict[bytes, None] = field(default_factory=dict)
    bag: dict[bytes, None] = field(default_factory=dict)


def _collect(der: bytes, signers: dict[bytes, None], found: _Found) -> None:
    """Add the certificates of a SignedData and of its time stamps; `signers` takes its signers."""
    check_der(der)
    data = cms.ContentInfo.load(der, strict=True)["content"]
    held = [one.dump() for one in data["certificates"]]
    found.bag.update(dict.fromkeys(held))
    for info in data["signer_infos"]:
        _collect_signer(info, held, signers, found)


def _collect_signer(
    info: Any, held: list[bytes], signers: dict[bytes, None], found: _Found
) -> None:
    signers[signer_certificate(held, info)] = None
    for attribute in info["unsigned_attrs"] or ():
        for value in attribute["values"]:
            if attribute["type"].native in TIME_STAMPS:
                _collect(value.dump(), found.stamps, found)
            elif attribute["type"].native == COUNTERSIGNATURE:
                _collect_signer(value, held, signers, found)


def _name(der: bytes) -> str:
    certificate = load_der_x509_certificate(der)
    until = certificate.not_valid_after_utc.date()
    return f"{certificate.subject.rfc4514_string():.256}, valid until {until}"
