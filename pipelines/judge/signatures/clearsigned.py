"""Clear-signed text: .dsc and .changes of Debian, InRelease, release notes (RFC 9580, 7).

The text is ours and the signatures are theirs. The frame around them, the header with the names of
digests and the dashes in front of lines follow from both, so they are made anew. Nothing may stand
outside of the frame, and there is one frame.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.filled import clearsigned_fits
from pipelines.judge.signatures.left_out import dashed_lines
from pipelines.judge.signatures.openpgp import TEXT, signing_keys, verify_openpgp
from pipelines.judge.signatures.openpgp_packets import (
    OpenPgpError,
    dearmored,
    packets,
    read_signature,
)
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    SignatureFault,
    SignatureFormat,
    Uncovered,
    VerifiedSignatures,
    check_signers,
    unreadable,
)
from pipelines.judge.signatures.splice import Derived, Own, Piece, SpliceLimits, SplicePlan, Taken

_MAX_TEXT = 64 << 20
_MAX_ARMOR = 32 << 10
_MAX_DERIVED = 4 << 10
_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----\n"
_ARMOR = b"-----BEGIN PGP SIGNATURE-----\n"
_END = b"-----END PGP SIGNATURE-----\n"
_HEADERS = re.compile(rb"(?:[A-Za-z-]+: [^\n]*\n)*\n")
_HASHES = re.compile(rb"(?:Hash: [A-Z0-9-]+(?:, ?[A-Z0-9-]+)*\n)+")
_SIGNATURE = 2
_CHECKSUM = re.compile(rb"(?:=[A-Za-z0-9+/]{4}\n)?")
_DIGESTS = {8: b"SHA256", 9: b"SHA384", 10: b"SHA512", 12: b"SHA3-256", 14: b"SHA3-512"}
_ESCAPED = (b"-", b"From ")
"""What lines begin with that have a dash and a space in front; the second is GnuPG's own."""


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """The parts of a clear-signed text."""

    headers: bytes
    """Lines of names of digests."""
    text: bytes
    """As it is there, with dashes in front of some lines."""
    armor: int
    """Offset of the signatures' armor, which the file ends with."""
    body: bytes
    """What is in it."""


def _frame(file: BinaryIO) -> _Frame:
    data = _read(file)
    if not data.startswith(_BEGIN):
        if b"\n" + _BEGIN in data:
            raise BadSignatureError(SignatureFault.OUTSIDE_FRAME, "text before the frame")
        raise BadSignatureError(SignatureFault.MISSING, "the shipped text is not clear-signed")
    headers = _HEADERS.match(data, len(_BEGIN))
    armor = data.find(b"\n" + _ARMOR, headers.end() - 1 if headers else 0) + 1
    end = data.find(b"\n" + _END, armor) + 1
    if headers is None or not armor or not end:
        raise unreadable("a frame that is not complete")
    after = data[end + len(_END) :]
    if after.lstrip().startswith(_BEGIN):
        raise BadSignatureError(SignatureFault.DUPLICATE, "a second frame")
    if after:
        what = f"{len(after)} bytes after the frame"
        raise BadSignatureError(SignatureFault.OUTSIDE_FRAME, what)
    return _Frame(
        headers=data[len(_BEGIN) : headers.end() - 1],
        text=data[headers.end() : armor],
        armor=armor,
        body=data[armor + len(_ARMOR) : end],
    )


def _read(file: BinaryIO) -> bytes:
    file.seek(0)
    data = file.read(_MAX_TEXT + 1)
    if len(data) > _MAX_TEXT:
        raise unreadable(f"a text of more than {_MAX_TEXT} bytes")
    return data


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how the rebuilt text gets the frame of the shipped one."""
    frame, own = _frame(shipped), _read(rebuilt)
    if own.startswith(_BEGIN):
        what = "the rebuilt text is clear-signed already"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    if not _HASHES.fullmatch(frame.headers):
        raise _no_digests(frame.headers)
    pieces: list[Piece] = [Derived(data=(_BEGIN + frame.headers + b"\n").hex())]
    pieces += _text(frame.text, own)
    pieces += [
        Derived(data=_ARMOR.hex()),
        Taken(offset=frame.armor + len(_ARMOR), length=len(frame.body), why="signature"),
        Derived(data=_END.hex()),
    ]
    return SplicePlan(pieces=tuple(pieces))


def _text(theirs: bytes, own: bytes) -> Iterator[Piece]:
    """Yield our text with dashes in front of the lines that have them in the shipped one.

    The line feed in front of an armor may be no part of our text, and `debsign` adds an empty line.
    """
    at = begin = 0
    ours = own.split(b"\n")
    lines = theirs.split(b"\n")
    for line, mine in zip(lines, ours, strict=False):
        if line != mine:
            if line != b"- " + mine or not mine.startswith(_ESCAPED):
                raise BadSignatureError(
                    SignatureFault.UNLIKE, f"a line that is not ours: {line!a:.200}"
                )
            if at > begin:
                yield Own(offset=begin, length=at - begin)
            yield Derived(data=b"- ".hex())
            begin = at
        at += len(mine) + 1
    if len(own) > begin:
        yield Own(offset=begin, length=len(own) - begin)
    added = lines[len(ours) :]
    if len(ours) > len(lines) or len(added) > 1:
        what = f"{len(lines) - 1} lines, ours has {len(ours) - 1}"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    if added:
        yield Derived(data=b"\n".hex())


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify all signatures of a clear-signed text against the pinned signers."""
    frame = _frame(file)
    try:
        data = dearmored(_ARMOR + frame.body + _END)
        found = [data[one.begin : one.end] for one in packets(data) if one.tag == _SIGNATURE]
        digests = {read_signature(one).digest for one in found}
    except OpenPgpError as error:
        raise unreadable(f"an armor that cannot be read: {error}") from error
    if not _is_filled(frame.body, data):
        what = "an armor with headers, or with lines that are not filled"
        raise BadSignatureError(SignatureFault.SLACK, what)
    text = _canonical(frame.text)
    verified = verify_openpgp(data, lambda digest: digest.update(text), pinned, kind=TEXT)
    _check_headers(frame.headers, digests)
    signers = [one.signer for one in verified]
    check_signers(signers, pinned)
    base = frame.armor + len(_ARMOR) + 1
    width = _width(frame.body) + 1
    uncovered = [_armored(bare, base, width) for one in verified for bare in one.uncovered]
    return VerifiedSignatures(signers=tuple(signers), uncovered=tuple(uncovered))


def pins(file: BinaryIO) -> FoundPins:
    """Raise `BadSignatureError`, always: it names the keys, which a text does not bring."""
    try:
        frame = _frame(file)
        keys = list(signing_keys(dearmored(_ARMOR + frame.body + _END)))
    except OpenPgpError as error:
        raise unreadable(f"an armor that cannot be read: {error}") from error
    except BadSignatureError as error:
        if error.refused.fault is SignatureFault.MISSING:
            raise unreadable(error.refused.detail) from error
        raise
    what = f"signed by OpenPGP key {', '.join(keys)}; a recipe needs the public key"
    raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)


def _width(body: bytes) -> int:
    """Return how long the lines of an armor are, behind the empty one."""
    return len(body.split(b"\n", 2)[1])


def _is_filled(body: bytes, data: bytes) -> bool:
    """Say whether an armor holds packets and a checksum, in lines of one length, and no more."""
    text, width = base64.b64encode(data), max(1, _width(body))
    lines = b"".join(text[at : at + width] + b"\n" for at in range(0, len(text), width))
    return bool(_CHECKSUM.fullmatch(body.removeprefix(b"\n" + lines)))


def _armored(bare: Uncovered, base: int, line: int) -> Uncovered:
    """Return where bytes of the packets are in the text, whole groups of four letters."""
    begin, end = (
        base + letters // (line - 1) * line + letters % (line - 1)
        for letters in (bare.offset // 3 * 4, -(-(bare.offset + bare.length) // 3) * 4)
    )
    return bare.model_copy(update={"offset": begin, "length": end - begin})


def _check_headers(headers: bytes, digests: set[int]) -> None:
    """Require that the headers name the digests of the signatures, and nothing else."""
    names = {_DIGESTS.get(one, b"") for one in digests}
    named = re.split(rb", ?|\nHash: ", headers.removeprefix(b"Hash: ").removesuffix(b"\n"))
    if not _HASHES.fullmatch(headers) or len(named) != len(names) or {*named} != names:
        raise _no_digests(headers)


def _no_digests(headers: bytes) -> BadSignatureError:
    what = f"headers that are not the digests of the signatures: {headers!a:.200}"
    return BadSignatureError(SignatureFault.SLACK, what)


def _canonical(text: bytes) -> bytes:
    """Return what is signed: no dashes, no blanks at the end of a line, CR LF between lines."""
    lines = text.removesuffix(b"\n").split(b"\n")
    if any(line.startswith(b"-") and not line.startswith(b"- ") for line in lines):
        raise unreadable("a line that begins with a dash that is not escaped")
    return b"\r\n".join(line.removeprefix(b"- ").rstrip(b" \t\r") for line in lines)


CLEARSIGNED = SignatureFormat(
    pins=pins,
    plan=plan,
    verify=verify,
    limits=SpliceLimits(
        replaced=0,
        derived=_MAX_DERIVED,
        taken=_MAX_ARMOR,
        places=dashed_lines,
        fits=clearsigned_fits,
    ),
)
