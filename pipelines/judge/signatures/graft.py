"""The graft: our bytes with the vendor's signature, and whether that is the shipped file.

The jail reads the files and answers with a splice plan; the plan is applied here, to our bytes. The
file that it makes counts if it has the digest of the shipped one and if that, read by another
process of the jail, carries valid signatures by all pinned signers and by nobody else. Planning,
hashing and verifying go on side by side, as neither needs what the others find.
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, TypeVar

from builders.core.digest import CHUNK, Digest, digest_stream
from builders.jail.errors import JailFailedError
from builders.jail.file_reader import Jail
from builders.packing.compress import PackingError
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.graft_readers import FORMATS, PACK, PLAN, UNPACK, VERIFY
from pipelines.judge.signatures.side_by_side import side_by_side
from pipelines.judge.signatures.signature_format import (
    MAX_CARRIED,
    MAX_DETAIL,
    BadSignatureError,
    CarriedRange,
    Graft,
    Refused,
    SignatureFault,
    Uncovered,
)
from pipelines.judge.signatures.splice import (
    Own,
    PackedPlan,
    SpliceError,
    SplicePlan,
    Taken,
    check_fit,
    splice,
)

T = TypeVar("T")

Alike = Callable[[BinaryIO, Sequence[Uncovered]], bool]
"""Says whether a file with a signature may stand for the shipped one, of which the signature does
not cover some bytes."""


def graft(
    jail: Jail,
    shipped: BinaryIO,
    rebuilt: BinaryIO,
    pinned: PinnedSignature,
    out: BinaryIO,
    *,
    digest: Digest | None = None,
    alike: Alike | None = None,
) -> Graft | Refused:
    """Put the signature of `shipped` onto `rebuilt`.

    What that makes is written to `out`, an empty file, unless it is the shipped one. `digest` is
    that of `shipped`, of a caller that knows it. `alike` may take a file that is not the shipped
    one, whose signatures have verified over the shipped one. Raises `JailUnavailableError`; a jail
    that fails on these files is a `Refused`.
    """
    try:
        return _graft(jail, shipped, rebuilt, pinned, out, digest, alike)
    except BadSignatureError as error:
        return error.refused
    except (JailFailedError, PackingError) as error:
        return Refused(fault=SignatureFault.UNREADABLE, detail=str(error)[:MAX_DETAIL])
    except SpliceError as error:
        return Refused(fault=SignatureFault.UNREADABLE, detail=f"a plan that does not fit: {error}")


def _graft(
    jail: Jail,
    shipped: BinaryIO,
    rebuilt: BinaryIO,
    pinned: PinnedSignature,
    out: BinaryIO,
    digest: Digest | None,
    alike: Alike | None,
) -> Graft:
    limits = FORMATS[pinned.format].limits
    with (
        tempfile.TemporaryFile() as content,
        tempfile.TemporaryFile() as packed,
        side_by_side() as started,
    ):
        verifying = started(lambda file: jail.run(VERIFY, [file], pinned), shipped)
        hashing = started(lambda file: digest or _sha256_of(file), shipped)
        # The shipped file is what is made, most often.
        summing = started(limits.checksum, shipped) if limits.checksum_is_digest else None
        plan = _read(jail.run(PLAN, [shipped, rebuilt], pinned))
        inside: tuple[Taken, ...] = ()
        contents: tuple[Digest, ...] = ()
        if plan.inside is not None:
            inside, contents = _packed(jail, shipped, rebuilt, plan.inside, pinned, content, packed)
            own = [p.offset + p.length for p in plan.pieces if isinstance(p, Own)]
            if packed.seek(0, 2) != max(own, default=0):
                raise _unlike()
            rebuilt = packed
        made = splice(plan, rebuilt, shipped, out if alike else None, limits)
        same = made.sha256 == hashing()
        file = shipped if same else out
        if not same and alike is None:
            splice(plan, rebuilt, shipped, out, limits)
        check_fit(plan, rebuilt, file, limits)
        if not same and alike is None:
            raise _unlike()
        checksum = summing() if summing and same else limits.checksum(file)
        if checksum is None or (same and not checksum.is_in(shipped)):
            raise _stale()
        if not same:
            checksum.put_in(out)
            made = made.model_copy(update={"sha256": _sha256_of(out)})
        verified = _read(verifying())
        uncovered = _in_order(verified.uncovered)
        if {signer.certificate for signer in verified.signers} != set(pinned.signers):
            detail = "the signatures are not by exactly the pinned signers"
            raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, detail)
        if not same and alike is not None and not alike(out, uncovered):
            raise _unlike()
        carried = (
            *_carried(uncovered, made.taken, file),
            *_carried(uncovered, inside, content, inside=True),
        )
        if len(carried) > MAX_CARRIED:
            detail = f"{len(carried)} ranges that no signature covers, at most {MAX_CARRIED}"
            raise BadSignatureError(SignatureFault.UNREADABLE, detail)
        return Graft(
            format=pinned.format,
            sha256=made.sha256,
            size=made.size,
            signers=verified.signers,
            taken=sum(piece.length for piece in (*made.taken, *inside)),
            signature=_sha256(
                *((file, piece.offset, piece.length) for piece in made.taken),
                *((content, piece.offset, piece.length) for piece in inside),
            ),
            carried=carried,
            contents=contents,
            packing=str(plan.inside.packing)[:MAX_DETAIL] if plan.inside else None,
        )


def _packed(
    jail: Jail,
    shipped: BinaryIO,
    rebuilt: BinaryIO,
    plan: PackedPlan,
    pinned: PinnedSignature,
    content: BinaryIO,
    packed: BinaryIO,
) -> tuple[tuple[Taken, ...], tuple[Digest, Digest]]:
    """Write what is compressed in the file to `content`, and the file with it to `packed`.

    Returns what was taken, and the digests of our content without and with the signature.

    Our file is unpacked, and the content packed again, by processes that are never given the
    shipped file: they know no more of it than the plan takes, and cannot answer with a copy of it.
    """
    limits = FORMATS[pinned.format].limits.inside
    if limits is None:
        raise SpliceError("a plan for what is compressed, of a format that compresses nothing")
    with tempfile.TemporaryFile() as ours, tempfile.TemporaryFile() as theirs:
        for file, unpacked in ((rebuilt, ours), (shipped, theirs)):
            _read(jail.run(UNPACK, [file], pinned, outputs=[unpacked]))
        inner = SplicePlan(pieces=plan.pieces)
        made = splice(inner, ours, theirs, content, limits)
        check_fit(inner, ours, content, limits)
        checksum = limits.checksum(content)
        if checksum is None or not checksum.is_in(content):
            raise _stale()
        ours.seek(0)
        unsigned = digest_stream(ours)
    jail.run(PACK, [content, rebuilt], plan, outputs=[packed])
    return made.taken, (unsigned, made.sha256)


def _read(answer: T | Refused) -> T:
    """Return what a reader said; raises `BadSignatureError` if it refused the file."""
    if isinstance(answer, Refused):
        raise BadSignatureError(answer.fault, answer.detail)
    return answer


def _unlike() -> BadSignatureError:
    detail = "our bytes with the signature of the shipped file are not the shipped file"
    return BadSignatureError(SignatureFault.UNLIKE, detail)


def _stale() -> BadSignatureError:
    detail = "the checksum in the shipped file is not that of our bytes"
    return BadSignatureError(SignatureFault.DIGEST, detail)


def _sha256_of(file: BinaryIO) -> Digest:
    file.seek(0)
    return digest_stream(file)


def _carried(
    uncovered: Iterable[Uncovered],
    taken: Sequence[Taken],
    out: BinaryIO,
    *,
    inside: bool = False,
) -> Iterator[CarriedRange]:
    """Yield what was taken from the shipped file and no signature covers.

    Both come in order, and neither has a byte twice: so each byte is hashed once at most.
    """
    ranges = list(_joined(taken))
    first = 0
    for bare in uncovered:
        if bare.inside is not inside:
            continue
        end = bare.offset + bare.length
        while first < len(ranges) and ranges[first][1] <= bare.offset:
            first += 1
        for number in range(first, len(ranges)):
            begin = max(bare.offset, ranges[number][0])
            length = min(end, ranges[number][1]) - begin
            if length <= 0:
                break
            sha256 = _sha256((out, begin, length))
            yield CarriedRange(
                offset=begin, length=length, sha256=sha256, why=bare.why, inside=inside
            )


def _joined(taken: Sequence[Taken]) -> Iterator[tuple[int, int]]:
    """Yield begin and end of what was taken, of pieces that follow on each other as one."""
    at: tuple[int, int] | None = None
    for piece in taken:
        if at is not None and at[1] == piece.offset:
            at = at[0], at[1] + piece.length
            continue
        if at is not None:
            yield at
        at = piece.offset, piece.offset + piece.length
    if at is not None:
        yield at


def _in_order(uncovered: Iterable[Uncovered]) -> tuple[Uncovered, ...]:
    """Sort ranges by where they begin; raises `BadSignatureError` if two have a byte in common."""
    ranges = sorted(uncovered, key=lambda one: (one.inside, one.offset))
    for one, after in itertools.pairwise(ranges):
        if one.inside is after.inside and one.offset + one.length > after.offset:
            detail = f"bytes {after.offset} that a signature does not cover are listed twice"
            raise BadSignatureError(SignatureFault.UNREADABLE, detail)
    return tuple(ranges)


def _sha256(*parts: tuple[BinaryIO, int, int]) -> Digest:
    """Hash parts of files, one after the other: each with its offset and length."""
    digest = hashlib.sha256()
    for file, offset, length in parts:
        file.seek(offset)
        left = length
        while data := file.read(min(CHUNK, left)):
            digest.update(data)
            left -= len(data)
    return Digest(digest.hexdigest())
