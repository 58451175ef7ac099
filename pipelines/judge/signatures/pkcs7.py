"""Where the parts of a PKCS #7 with one signer are, and that there are no others (RFC 5652).

What no signature covers could hold anything: parameters of an algorithm, a version of a megabyte, a
field more than there is. All of it is fixed here, so that only certificates, time stamps and
countersignatures are left to hold bytes, and those are pinned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.judge.signatures.der import Value, children
from pipelines.judge.signatures.signature_format import BadSignatureError, SignatureFault

_NUMBER, _BYTES, _NAME, _SEQUENCE, _SET, _FIRST, _SECOND = 0x02, 0x04, 0x06, 0x30, 0x31, 0xA0, 0xA1
_NULL = b"\x05\x00"
_VERSIONS = frozenset({b"\x01", b"\x03", b"\x04", b"\x05"})
_COUNTERSIGNATURE = bytes.fromhex("2a864886f70d010906")


@dataclass(frozen=True, kw_only=True)
class SignerParts:
    """The parts of a SignerInfo."""

    digest: bytes
    """The name of its digest algorithm."""
    signed_attributes: Value | None
    signature: Value
    countersigners: tuple[SignerParts, ...]
    stamps: tuple[Value, ...]
    """Values of other attributes that are not signed."""


@dataclass(frozen=True, kw_only=True)
class Pkcs7:
    """The parts of a SignedData with one signer."""

    content: Value | None
    """Absent in a detached signature."""
    certificates: tuple[Value, ...]
    signer: SignerParts

    def uncovered(self, size: int) -> Iterator[tuple[int, int, str]]:
        """Yield begin, end and kind of all that no signature covers, of `size` bytes in all."""
        signers = (self.signer, *self.signer.countersigners)
        covered = [one for s in signers for one in (s.signed_attributes, s.signature)]
        held = [
            *((one.begin, one.end, "") for one in (self.content, *covered) if one),
            *((one.start, one.end, "certificate") for one in self.certificates),
            *((one.start, one.end, "time-stamp") for s in signers for one in s.stamps),
        ]
        at = 0
        for begin, end, why in [*sorted(held), (size, size, "")]:
            if begin > at:
                yield at, begin, "structure"
            if why:
                yield begin, end, why
            at = end


def read_pkcs7(der: bytes) -> Pkcs7:
    """Return the parts; raises `BadSignatureError` where there are others, and `DerError`."""
    (outer,) = _fields(der, Value(0, 0, 0, len(der)), _SEQUENCE)
    _, wrapped = _fields(der, outer, _NAME, _FIRST)
    (data,) = _fields(der, wrapped, _SEQUENCE)
    version, digests, about, bag, infos = _fields(der, data, _NUMBER, _SET, _SEQUENCE, _FIRST, _SET)
    (info,) = _fields(der, infos, _SEQUENCE)
    (listed,) = _fields(der, digests, _SEQUENCE)
    signer = _signer(der, info)
    _check_version(der, version)
    if _algorithm(der, listed) != signer.digest:
        raise _other("a digest algorithm that its signer does not use")
    return Pkcs7(
        content=_content(der, about),
        certificates=tuple(children(der, bag.begin, bag.end)),
        signer=signer,
    )


def _content(der: bytes, about: Value) -> Value | None:
    if len(children(der, about.begin, about.end)) == 1:
        _fields(der, about, _NAME)
        return None
    _, wrapped = _fields(der, about, _NAME, _FIRST)
    (content,) = children(der, wrapped.begin, wrapped.end)
    if content.tag not in {_BYTES, _SEQUENCE}:
        raise _other(f"content of tag {content.tag:#x}")
    return content


def _signer(der: bytes, info: Value) -> SignerParts:
    there = {one.tag for one in children(der, info.begin, info.end)}
    signed, unsigned = ([tag] * (tag in there) for tag in (_FIRST, _SECOND))
    found = _fields(der, info, _NUMBER, _SEQUENCE, _SEQUENCE, *signed, _SEQUENCE, _BYTES, *unsigned)
    lists = [one for one in found if one.tag in {_FIRST, _SECOND}]
    number, _, digest = found[:3]
    algorithm, signature = found[3 + len(signed) :][:2]
    _check_version(der, number)
    _algorithm(der, algorithm)
    if any(one.begin == one.end for one in lists):
        raise _other("an empty list of attributes")
    attributes = [
        one for field in lists[len(signed) :] for one in children(der, field.begin, field.end)
    ]
    countersigners: list[SignerParts] = []
    stamps: list[Value] = []
    for attribute in attributes:
        name, held = _fields(der, attribute, _NAME, _SET)
        values = children(der, held.begin, held.end)
        if der[name.begin : name.end] == _COUNTERSIGNATURE:
            countersigners += [_signer(der, one) for one in values]
        else:
            stamps += values
    return SignerParts(
        digest=_algorithm(der, digest),
        signed_attributes=lists[0] if signed else None,
        signature=signature,
        countersigners=tuple(countersigners),
        stamps=tuple(stamps),
    )


def _fields(der: bytes, value: Value, *tags: int) -> list[Value]:
    found = children(der, value.begin, value.end)
    if [one.tag for one in found] != list(tags):
        got = bytes(one.tag for one in found[:16]).hex()
        raise _other(f"fields {got}, not {bytes(tags).hex()}")
    return found


def _check_version(der: bytes, value: Value) -> None:
    if der[value.begin : value.end] not in _VERSIONS:
        raise _other("a version that there is not")


def _algorithm(der: bytes, value: Value) -> bytes:
    """Return the name of an algorithm, which may have no parameter but NULL."""
    name = children(der, value.begin, value.end)[0]
    if name.tag != _NAME or der[name.end : value.end] not in {b"", _NULL}:
        raise _other("an algorithm with parameters")
    return der[name.begin : name.end]


def _other(what: str) -> BadSignatureError:
    return BadSignatureError(SignatureFault.SLACK, f"a PKCS #7 with {what}")
