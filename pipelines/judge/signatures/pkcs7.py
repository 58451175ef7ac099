"""Where the parts of a PKCS #7 with one signer are, and that there are no others (RFC 5652).

What no signature covers could hold anything: parameters of an algorithm, a version of a megabyte, a
field more than there is. All of it is fixed here, so that only certificates and time stamps are
left to hold bytes, and those are pinned.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.judge.signatures.der import Value, children
from pipelines.judge.signatures.signature_format import BadSignatureError, SignatureFault

_NUMBER, _BYTES, _NAME, _SEQUENCE, _SET, _FIRST, _SECOND = 0x02, 0x04, 0x06, 0x30, 0x31, 0xA0, 0xA1
_NULL = b"\x05\x00"
_VERSIONS = frozenset({b"\x01", b"\x03", b"\x04", b"\x05"})


@dataclass(frozen=True, kw_only=True)
class Pkcs7:
    """The parts of a SignedData with one signer."""

    content: Value
    certificates: tuple[Value, ...]
    signed_attributes: Value
    signature: Value
    unsigned: tuple[Value, ...]
    """Values of attributes that are not signed."""


def read_pkcs7(der: bytes) -> Pkcs7:
    """Return the parts; raises `BadSignatureError` where there are others, and `DerError`."""
    (outer,) = _fields(der, Value(0, 0, 0, len(der)), _SEQUENCE)
    _, wrapped = _fields(der, outer, _NAME, _FIRST)
    (data,) = _fields(der, wrapped, _SEQUENCE)
    version, digests, about, bag, infos = _fields(der, data, _NUMBER, _SET, _SEQUENCE, _FIRST, _SET)
    (info,) = _fields(der, infos, _SEQUENCE)
    fields = [_NUMBER, _SEQUENCE, _SEQUENCE, _FIRST, _SEQUENCE, _BYTES]
    if len(children(der, info.begin, info.end)) > len(fields):
        fields.append(_SECOND)
    number, _, digest, signed, algorithm, signature, *unsigned = _fields(der, info, *fields)
    (listed,) = _fields(der, digests, _SEQUENCE)
    _, wrapped = _fields(der, about, _NAME, _FIRST)
    (content,) = children(der, wrapped.begin, wrapped.end)
    if any(der[one.begin : one.end] not in _VERSIONS for one in (version, number)):
        raise _other("a version that there is not")
    names = [_algorithm(der, one) for one in (listed, digest, algorithm)]
    if names[0] != names[1]:
        raise _other("a digest algorithm that its signer does not use")
    attributes = [one for field in unsigned for one in children(der, field.begin, field.end)]
    if unsigned and not attributes:
        raise _other("an empty list of attributes")
    sets = [_fields(der, one, _NAME, _SET)[1] for one in attributes]
    return Pkcs7(
        content=content,
        certificates=tuple(children(der, bag.begin, bag.end)),
        signed_attributes=signed,
        signature=signature,
        unsigned=tuple(one for held in sets for one in children(der, held.begin, held.end)),
    )


def _fields(der: bytes, value: Value, *tags: int) -> list[Value]:
    found = children(der, value.begin, value.end)
    if [one.tag for one in found] != list(tags):
        got = bytes(one.tag for one in found[:16]).hex()
        raise _other(f"fields {got}, not {bytes(tags).hex()}")
    return found


def _algorithm(der: bytes, value: Value) -> bytes:
    """Return the name of an algorithm, which may have no parameter but NULL."""
    name = children(der, value.begin, value.end)[0]
    if name.tag != _NAME or der[name.end : value.end] not in {b"", _NULL}:
        raise _other("an algorithm with parameters")
    return der[name.begin : name.end]


def _other(what: str) -> BadSignatureError:
    return BadSignatureError(SignatureFault.SLACK, f"a PKCS #7 with {what}")
