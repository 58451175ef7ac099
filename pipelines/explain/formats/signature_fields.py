"""Detached signatures: who signed, and when. OpenPGP (RFC 9580) and CMS, alias PKCS #7 (RFC 5652).

Nothing is verified here: the judge does that, against pinned signers.
"""

from __future__ import annotations

from collections.abc import Iterator

from asn1crypto import cms

from pipelines.explain.format_fields import Content, Field, Format, time_text
from pipelines.judge.difference import FieldKind
from pipelines.judge.signatures.openpgp_packets import bodies, dearmored, packets, read_signature

_ARMOR = b"-----BEGIN PGP SIGNATURE-----"
_SIGNED_DATA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
_SIGNATURE, _CREATED, _KEY_ID, _FINGERPRINT = 2, 2, 16, 33
_MOST = 1 << 20


def _matches(head: bytes) -> bool:
    return head.startswith(_ARMOR) or (head[:1] == b"\x30" and _SIGNED_DATA in head[:24])


def _fields(content: Content) -> Iterator[Field]:
    data = content.bytes(0, _MOST)
    signers = _openpgp(data) if data.startswith(_ARMOR) else _cms(data)
    for signer, time in signers:
        yield Field(name="signer", value=signer, kind=FieldKind.PRODUCER)
        yield Field(name="time of signing", value=time, kind=FieldKind.SETTING)
    yield Field(name="signature", size=content.size, kind=FieldKind.DERIVED, value=None)


def _openpgp(data: bytes) -> Iterator[tuple[str, str | None]]:
    binary = dearmored(data)
    for tag, body in bodies(binary, packets(binary)):
        if tag == _SIGNATURE:
            found = read_signature(body)
            ids = [value[1:] for value in found.values(_FINGERPRINT)] or found.values(_KEY_ID)
            times = [int.from_bytes(value, "big") for value in found.values(_CREATED)]
            key = f"OpenPGP key {ids[0].hex()}" if ids else "an OpenPGP key without a name"
            yield key, time_text(times[0]) if times else None


def _cms(data: bytes) -> Iterator[tuple[str, str | None]]:
    for info in cms.ContentInfo.load(data)["content"]["signer_infos"]:
        sid, name = info["sid"].chosen, "a key by its identifier"
        if info["sid"].name == "issuer_and_serial_number":
            name = f"{sid['issuer'].human_friendly}, serial {sid['serial_number'].native:x}"
        attributes = {a["type"].native: a["values"][0].native for a in info["signed_attrs"] or ()}
        time = attributes.get("signing_time")
        yield name, None if time is None else str(time)


SIGNATURE = Format(name="signature", matches=_matches, fields=_fields, alone=True)
