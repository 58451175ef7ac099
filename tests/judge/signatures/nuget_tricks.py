"""Signed NuGet packages that must not pass, and what each is called."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from asn1crypto import core, tsp

from builders.recipe.signature import SignedFormat
from tests.judge.signatures.pe_tricks import ADA, BOB, CLOCK, EVE, ROOT, TAG, Trick
from tests.judge.signatures.pe_tricks import pinned as pinned_for
from tests.judge.signatures.signing import Signing, Vendor, cms_of, signer_info, value

NAME = b".signature.p7s"
LOCAL, RECORD = 30 + len(NAME), 46 + len(NAME)
TIME = 0x5C215000
_OIDS = {f"sha{size}": f"2.16.840.1.101.3.4.2.{n}" for n, size in enumerate((256, 384, 512), 1)}
COMMITMENT, INDEX = "1.2.840.113549.1.9.16.2.16", "1.3.6.1.4.1.311.84.2.1.1.1"
AUTHOR, REPOSITORY = "1.2.840.113549.1.9.16.6.1", "1.2.840.113549.1.9.16.6.2"
pinned = partial(pinned_for, form=SignedFormat.NUGET)


def package(**contents: bytes) -> bytes:
    """Return an unsigned package."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


def _attribute(kind: str, der: bytes) -> dict[str, Any]:
    return {"type": kind, "values": [core.Any.load(der)]}


def attributes(by: Vendor, role: str = AUTHOR) -> tuple[dict[str, Any], ...]:
    """Return the signed attributes that NuGet asks for."""
    ess = value(0x30, value(0x30, value(0x30, value(0x04, hashlib.sha256(by.der).digest()))))
    commitment = value(0x30, core.ObjectIdentifier(role).dump())
    url = core.IA5String("https://packages.example/index.json").dump()
    return (
        _attribute(COMMITMENT, commitment),
        {"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2.load(ess)]},
        *([_attribute(INDEX, url)] if role == REPOSITORY else ()),
    )


def with_entry(
    unsigned: bytes, data: bytes, *, local: bytes | None = None, record: bytes | None = None
) -> bytes:
    """Return a package with an entry for its signature, as NuGet appends it."""
    count, size, at = struct.unpack("<HII", unsigned[-12:-2])
    shared = b"\x14\0" + bytes(4) + struct.pack("<I", TIME)
    shared += struct.pack("<IIIH", zlib.crc32(data), len(data), len(data), len(NAME))
    local = local or b"PK\3\4" + shared + bytes(2) + NAME
    record = record or b"PK\1\2\x14\0" + shared + bytes(12) + struct.pack("<I", at) + NAME
    end = struct.pack(
        "<HHIIH", count + 1, count + 1, size + len(record), at + len(local) + len(data), 0
    )
    directory = unsigned[at : at + size] + record
    return unsigned[:at] + local + data + directory + b"PK\5\6" + bytes(4) + end


def content(unsigned: bytes, algorithm: str = "sha256") -> bytes:
    """Return what is signed of a package."""
    digest = base64.b64encode(hashlib.new(algorithm, unsigned).digest()).decode()
    return f"Version:1\n\n{_OIDS[algorithm]}-Hash:{digest}\n\n".encode()


def signature(text: bytes, **fields: Any) -> bytes:
    """Return a signature over a text, by ada as the author unless `fields` say otherwise."""
    by = fields.get("by", ADA)
    given = {"by": by, "signed_attributes": attributes(by), **fields}
    given.setdefault("stamp_attribute", "signature_time_stamp_token")
    return cms_of(Signing(**given), "data", value(0x04, text))


def signed(unsigned: bytes, **fields: Any) -> bytes:
    return with_entry(unsigned, signature(content(unsigned), **fields))


def countersigned(by: Vendor = BOB, **fields: Any) -> dict[str, Any]:
    """Return the fields of a signature of ada's that a repository countersigns."""
    given = {"by": by, "signed_attributes": attributes(by, REPOSITORY), **fields}
    given.setdefault("stamp_attribute", "signature_time_stamp_token")
    return {"countersigned": Signing(**given), "certificates": (by.der,)}


OURS = package(**{"a.nuspec": b"<package/>", "lib/a.dll": b"MZ" * 99})
OTHER = package(**{"a.nuspec": b"<package/>", "lib/a.dll": b"MZ" * 98})
BY_ADA, BY_BOTH = pinned(ADA), pinned(ADA, BOB)
_DER = signature(content(OURS))
_GOOD = with_entry(OURS, _DER)
_BOTH = signed(OURS, **countersigned())
_AT = struct.unpack("<I", OURS[-6:-2])[0]
_RECORD_AT = len(_GOOD) - 22 - RECORD


def by(**fields: Any) -> Callable[[], bytes]:
    return lambda: signed(OURS, **fields)


def over(text: bytes) -> Callable[[], bytes]:
    return lambda: with_entry(OURS, signature(text))


def carrying(data: bytes) -> Callable[[], bytes]:
    return lambda: with_entry(OURS, data)


def altered(*edits: tuple[int, bytes]) -> Callable[[], bytes]:
    def make() -> bytes:
        made = bytearray(_GOOD)
        for at, data in edits:
            made[at : at + len(data)] = data
        return bytes(made)

    return make


def trick(fault: str, shipped: Callable[[], bytes], **fields: Any) -> Trick:
    return Trick(**{"fault": fault, "shipped": shipped, "pins": BY_ADA, "ours": OURS, **fields})


def both(fault: str, **fields: Any) -> Trick:
    return trick(fault, by(**fields), pins=BY_BOTH)


def _compressed() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(_DER) + packer.flush()
    sizes = struct.pack("<IIIIH", TIME, zlib.crc32(_DER), len(data), len(_DER), len(NAME))
    shared = b"\x14\0\0\0\x08\0" + sizes
    local = b"PK\3\4" + shared + bytes(2) + NAME
    record = b"PK\1\2\x14\0" + shared + bytes(12) + struct.pack("<I", _AT) + NAME
    return with_entry(OURS, data, local=local, record=record)


def _first() -> bytes:
    """Return a package whose signature is its first entry."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(NAME.decode()), _DER)
        archive.writestr(zipfile.ZipInfo("a.nuspec"), b"<package/>")
    return out.getvalue()


def _longer(data: bytes) -> Callable[[], bytes]:
    """Return how to make a package with bytes between the signature and the directory."""

    def make() -> bytes:
        at = _AT + LOCAL + len(_DER)
        end = bytearray(_GOOD[at:])
        struct.pack_into("<I", end, len(end) - 6, at + len(data))
        return _GOOD[:at] + data + bytes(end)

    return make


_OTHER_COUNTER = {
    "type": "counter_signature",
    "values": [signer_info(countersigned()["countersigned"], None, b"another signature")],
}
_TWO_ROLES = {
    "type": COMMITMENT,
    "values": [attributes(ADA, role)[0]["values"][0] for role in (AUTHOR, REPOSITORY)],
}
_WRONG = replace(countersigned()["countersigned"], signature=EVE.sign(b"x", "sha256"))
TRICKS: dict[str, Trick] = {
    "not signed": trick("signature-missing", lambda: OURS),
    "no archive": trick("signature-unreadable", lambda: b"#!/bin/sh\n" * 9),
    "an empty file": trick("signature-unreadable", lambda: b""),
    "a signature that is compressed": trick("local-header-differs", _compressed),
    "a signature that is the first entry": trick("layout", _first),
    "bytes after the signature": trick("layout", _longer(b"payload")),
    "a comment of the archive": trick("zip-comment", lambda: _GOOD[:-2] + b"\x04\0evil"),
    "bytes after the archive": trick("zip-comment", lambda: _GOOD + b"payload"),
    "bytes before the archive": trick("data-between-entries", lambda: b"MZ" + _GOOD),
    "a signature by another name": trick(
        "signature-missing", lambda: _GOOD.replace(NAME, b".Signature.p7s")
    ),
    "a name that is UTF-8": trick(
        "local-header-differs", altered((_AT + 7, b"\x08"), (_RECORD_AT + 9, b"\x08"))
    ),
    "another version in the header": trick("local-header-differs", altered((_AT + 4, b"\x0a"))),
    "another version in the directory": trick(
        "local-header-differs", altered((_RECORD_AT + 4, b"\x2d"))
    ),
    "attributes of a file": trick(
        "local-header-differs", altered((_RECORD_AT + 38, b"\0\0\xa4\x81"))
    ),
    "another time in the directory": trick(
        "local-header-differs", altered((_RECORD_AT + 12, b"\1\2\3\4"))
    ),
    "a stale checksum": trick(
        "local-header-differs", altered((_AT + 14, b"evil"), (_RECORD_AT + 16, b"evil"))
    ),
    "a signature of a megabyte": trick("signature-unreadable", carrying(bytes(1 << 20))),
    "the most bytes that a signature may have, all zeros": trick(
        "data-in-slack", carrying(bytes(256 << 10))
    ),
    "bytes that count as the signature": trick("data-in-slack", carrying(_DER + b"payload")),
    "a zero that counts as the signature": trick("data-in-slack", carrying(_DER + b"\0")),
    "a signature that is text": trick("signature-unreadable", carrying(b"no signature")),
    "an empty signature": trick("signature-unreadable", carrying(b"")),
    "the signature of another package": trick(
        "signed-other-bytes", lambda: with_entry(OURS, signature(content(OTHER)))
    ),
    "other bytes, signed": trick("bytes-differ", lambda: signed(OTHER)),
    "another version of the text": trick(
        "signature-unreadable", over(content(OURS).replace(b"Version:1", b"Version:2"))
    ),
    "more text": trick("signature-unreadable", over(content(OURS) + b"more:1\n\n")),
    "text of another algorithm": trick(
        "signature-unreadable", over(content(OURS).replace(b".4.2.1", b".4.2.4"))
    ),
    "a digest of another algorithm": trick(
        "signed-other-bytes", over(content(OURS).replace(b".4.2.1", b".4.2.3"))
    ),
    "text in a value of another type": trick(
        "data-in-slack",
        carrying(
            cms_of(
                Signing(by=ADA, signed_attributes=attributes(ADA)),
                "data",
                value(0x0C, content(OURS)),
            )
        ),
    ),
    "no text": trick("signature-unreadable", over(b"")),
    "MD5": trick("weak-digest", by(algorithm="md5")),
    "SHA-1": trick("weak-digest", by(algorithm="sha1")),
    "another signer": trick("unexpected-signer", by(by=EVE)),
    "a signature by another key": trick(
        "signature-invalid", by(signature=EVE.sign(b"x", "sha256"))
    ),
    "the certificate of another": trick("signature-invalid", by(signed_attributes=attributes(EVE))),
    "no role": trick("signature-invalid", by(signed_attributes=attributes(ADA)[1:])),
    "two roles": trick(
        "signature-invalid", by(signed_attributes=(_TWO_ROLES, *attributes(ADA)[1:]))
    ),
    "no certificate among what is signed": trick(
        "signature-invalid", by(signed_attributes=attributes(ADA)[:1])
    ),
    "a repository without an address": trick(
        "signature-invalid", by(signed_attributes=attributes(ADA, REPOSITORY)[:2])
    ),
    "a certificate that nobody lists": trick("unknown-certificate", by(certificates=(ROOT.der,))),
    "a tag in an unauthenticated attribute": trick("unexpected-attribute", by(attributes=(TAG,))),
    "a time stamp that nobody declares": trick("unexpected-attribute", by(stamped_by=CLOCK)),
    "a time stamp of another signature": trick(
        "time-stamp-invalid",
        by(stamped_by=CLOCK, stamped=b"x"),
        pins=pinned(ADA, time_stamps=(CLOCK,)),
    ),
    "a countersignature that nobody pins": trick(
        "unexpected-signer", by(**countersigned()), pins=pinned(ADA, certificates=(BOB,))
    ),
    "the countersignature dropped": trick("missing-signer", by(), pins=BY_BOTH),
    "a countersignature by another": both("unknown-certificate", **countersigned(EVE)),
    "a countersignature by another key": both(
        "signature-invalid", countersigned=_WRONG, certificates=(BOB.der,)
    ),
    "a countersignature of another signature": both(
        "signature-invalid",
        attributes=(_OTHER_COUNTER,),
        certificates=(BOB.der,),
    ),
    "two countersignatures": both(
        "unexpected-attribute", **countersigned(), attributes=(_OTHER_COUNTER,)
    ),
    "a countersignature without its certificate": both(
        "signature-unreadable", countersigned=countersigned()["countersigned"]
    ),
    "the author as the repository": both(
        "signature-invalid",
        **countersigned(signed_attributes=attributes(BOB, AUTHOR)),
    ),
    "the repository as the author": both(
        "signature-invalid", **countersigned(), signed_attributes=attributes(ADA, REPOSITORY)
    ),
    "the author countersigns itself": both("duplicate", **countersigned(ADA)),
    "a countersignature of a countersignature": both(
        "unexpected-attribute",
        **countersigned(countersigned=countersigned()["countersigned"]),
    ),
    "a time stamp in a countersignature": both(
        "unexpected-attribute", **countersigned(stamped_by=CLOCK)
    ),
    "ours is signed already": trick("rebuilt-is-signed", by(), ours=_GOOD),
    "ours is no archive": trick("signature-unreadable", by(), ours=b"#!/bin/sh\n" * 9),
    "ours is another package": trick("bytes-differ", by(), ours=OTHER),
    "ours has an entry more": trick(
        "layout",
        by(),
        ours=package(**{"a.nuspec": b"<package/>", "lib/a.dll": b"MZ" * 99, "b": b""}),
    ),
    "ours has another name": trick(
        "layout", by(), ours=package(**{"a.nuspec": b"<package/>", "lib/b.dll": b"MZ" * 99})
    ),
}
