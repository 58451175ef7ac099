"""Clear-signed texts that must not pass, and what each is called."""

from __future__ import annotations

import base64
from collections.abc import Callable

from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.openpgp_packets import _crc
from tests.judge.signatures.pgp_signing import Signature, subpacket
from tests.judge.signatures.planted import Planted
from tests.judge.signatures.texts import ADA, BOB, DSC, EVE, GOOD, canonical, escaped, pinned

BY_ADA = pinned(ADA)
WHOLE = GOOD.whole()
CHECKSUM = b"=" + base64.b64encode(_crc(GOOD.data)) + b"\n"
OTHER = DSC.replace(b"hello", b"trojan")
_SIGNATURE = WHOLE[WHOLE.index(b"-----BEGIN PGP SIGNATURE") :]
_COMMENT = subpacket(20, b"\x80\0\0\0\0\1\0\1ab")


def planted(
    fault: str,
    shipped: bytes | Callable[[], bytes] | None = None,
    *,
    ours: bytes = DSC,
    pins: PinnedSignature = BY_ADA,
    **changes: object,
) -> Planted:
    if shipped is None:
        made: Callable[[], bytes] = lambda: GOOD.but(**changes).whole()  # noqa: E731
    else:
        made = shipped if callable(shipped) else lambda: shipped
    return Planted(fault=fault, shipped=made, pins=pins, ours=ours)


def changed(before: bytes, after: bytes) -> bytes:
    assert before in WHOLE
    return WHOLE.replace(before, after, 1)


TRICKS: dict[str, Planted] = {
    "not signed": planted("signature-missing", DSC),
    "an empty file": planted("signature-missing", b""),
    "text before the frame": planted("text-outside-frame", before=b"Source: trojan\n\n"),
    "an empty line before the frame": planted("text-outside-frame", before=b"\n"),
    "text after the frame": planted("text-outside-frame", after=b"Source: trojan\n"),
    "a byte after the frame": planted("text-outside-frame", after=b"\0"),
    "an empty line after the frame": planted("text-outside-frame", after=b"\n"),
    "two frames": planted("duplicate", after=WHOLE),
    "two frames with a line between": planted("duplicate", after=b"\n" + WHOLE),
    "a frame in a frame": planted(
        "bytes-differ", lambda: GOOD.but(text=WHOLE, signed=WHOLE).whole()
    ),
    "a second signature block": planted("text-outside-frame", after=_SIGNATURE),
    "a frame without an end": planted("signature-unreadable", WHOLE[:-20]),
    "a frame without a signature": planted(
        "signature-unreadable", WHOLE[: WHOLE.index(b"-----BEGIN PGP SIGNATURE")]
    ),
    "a signature that does not begin": planted(
        "signature-unreadable", changed(b"-----BEGIN PGP SIGNATURE-----\n", b"")
    ),
    "a carriage return behind the checksum": planted(
        "data-in-slack", checksum=CHECKSUM.replace(b"\n", b"\r\n")
    ),
    "a header that only looks like one of a digest": planted(
        "data-in-slack", headers=b"Hosh: SHA512\n"
    ),
    "no empty line behind the headers": planted(
        "signature-unreadable", headers=b"Hash: SHA512\n\0"
    ),
    "lines that end with CR LF": planted("signature-missing", WHOLE.replace(b"\n", b"\r\n")),
    "a text with CR LF": planted("bytes-differ", shown=escaped(DSC.replace(b"\n", b"\r\n"))),
    "blanks at the end of a line": planted(
        "bytes-differ", changed(b"Source: hello\n", b"Source: hello  \n")
    ),
    "a tab at the end of a line": planted(
        "bytes-differ", changed(b"Source: hello\n", b"Source: hello\t\n")
    ),
    "no blanks where ours has some": planted(
        "bytes-differ", changed(b"hello.tar \n", b"hello.tar\n")
    ),
    "a line more": planted("bytes-differ", changed(b"Files:\n", b"Files:\nBinary: evil\n")),
    "a line less": planted("bytes-differ", changed(b"Files:\n", b"")),
    "another line": planted("bytes-differ", changed(b"quilt", b"quils")),
    "two empty lines at the end": planted("layout", shown=escaped(DSC) + b"\n\n"),
    "an empty line that is not signed": planted("signed-other-bytes", shown=escaped(DSC) + b"\n"),
    "other text, signed": planted("bytes-differ", text=OTHER),
    "the signature of other text": planted("signed-other-bytes", signed=OTHER),
    "a dash that is not escaped": planted(
        "signature-unreadable", shown=escaped(DSC).replace(b"- -dash", b"-dash")
    ),
    "a dash where none is needed": planted(
        "bytes-differ", shown=escaped(DSC).replace(b"Files", b"- Files")
    ),
    "a line with two escapes": planted(
        "bytes-differ", shown=escaped(DSC).replace(b"- -dash", b"- - -dash")
    ),
    "no header": planted("data-in-slack", headers=b""),
    "another digest in the header": planted("data-in-slack", headers=b"Hash: SHA256\n"),
    "a second digest in the header": planted("data-in-slack", headers=b"Hash: SHA512, SHA256\n"),
    "the header twice": planted("data-in-slack", headers=b"Hash: SHA512\n" * 2),
    "a comment in the headers": planted(
        "data-in-slack", headers=b"Hash: SHA512\nComment: payload\n"
    ),
    "a text that is said not to be escaped": planted(
        "data-in-slack", headers=b"Hash: SHA512\nNotDashEscaped: You need GnuPG\n"
    ),
    "a blank behind the header": planted("data-in-slack", headers=b"Hash: SHA512 \n"),
    "a header of the armor": planted("data-in-slack", armor_headers=b"Comment: payload\n"),
    "a version of the armor": planted("data-in-slack", armor_headers=b"Version: GnuPG v2\n"),
    "lines of one letter": planted("signature-unreadable", width=77),
    "a broken line of the armor": planted("data-in-slack", lambda: _rewrapped(WHOLE)),
    "a wrong checksum of the armor": planted("signature-unreadable", checksum=b"=AAAA\n"),
    "an armor of nothing": planted("signature-unreadable", packets=b""),
    "an armor of a key": planted("data-in-slack", lambda: _with(ADA.block())),
    "a packet more": planted("data-in-slack", more=b"\xcd\3ada"),
    "bytes that are no packet": planted("signature-unreadable", more=b"\0payload"),
    "a subpacket that is not signed": planted("unexpected-attribute", unhashed=_COMMENT),
    "a signature over bytes": planted("signature-unreadable", kind=0),
    "a signature alone": planted("signature-unreadable", kind=2),
    "SHA-1": planted("weak-digest", digest=2),
    "MD5": planted("weak-digest", digest=1),
    "another signer": planted("unexpected-signer", by=(EVE,)),
    "a second signer": planted("unexpected-signer", by=(ADA, EVE)),
    "the second signature dropped": planted("missing-signer", pins=pinned(ADA, BOB)),
    "one signer twice": planted("duplicate", by=(ADA, ADA)),
    "one signer twice for two": planted("missing-signer", by=(ADA, ADA), pins=pinned(ADA, BOB)),
    "another key by the name of the pinned one": planted(
        "signature-invalid", lambda: _with(_forged())
    ),
    "ours is signed": planted("rebuilt-is-signed", ours=WHOLE),
    "ours is empty": planted("bytes-differ", ours=b""),
    "ours is shorter": planted("bytes-differ", ours=DSC[: -len(b"From here on\n")]),
    "ours is longer": planted("bytes-differ", ours=DSC + b"more\n"),
    "ours has an empty line more": planted("layout", ours=DSC + b"\n"),
    "ours is another text": planted("bytes-differ", ours=OTHER),
    "ours ends within a line": planted("bytes-differ", ours=DSC[:-4]),
}


def _with(packets: bytes) -> bytes:
    return GOOD.but(packets=packets).whole()


def _rewrapped(whole: bytes) -> bytes:
    head, _, armor = whole.partition(b"-----BEGIN PGP SIGNATURE-----\n\n")
    return (
        head + b"-----BEGIN PGP SIGNATURE-----\n\n" + armor[:64] + armor[64:90] + b"\n" + armor[90:]
    )


def _forged() -> bytes:
    """Return a signature by one key that names another."""
    about = canonical(DSC)
    return Signature(by=EVE, kind=1, digest=10, issuer=ADA.issuer, unhashed=ADA.key_id).packet(
        about
    )
