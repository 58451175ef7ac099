"""EQUIVALENT: whether two files are the same but for fields that a recipe lets be masked.

Where they differ is found here. What is there is said by two processes of the jail, each of which
sees one of the files: the one that sees ours cannot be deceived by the shipped file. They have to
agree, each field has to look like one on both sides, and replaying the ledger over our bytes has
to give the shipped file.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Sequence
from typing import BinaryIO

from builders.core.digest import CHUNK, Digest, digest_stream
from builders.jail.errors import JailFailedError
from builders.jail.file_reader import Jail
from builders.recipe.normalizers import MAX_MASKED, DeclaredNormalizer, NormalizerName
from pipelines.judge.normalizers.field_rules import VERSIONS, is_such_a_field
from pipelines.judge.normalizers.find_fields import FIELDS, AskedFields, FileField
from pipelines.judge.normalizers.ledger import (
    MAX_DETAIL,
    LedgerLine,
    MaskFault,
    MaskLedger,
    NotMasked,
    replay,
)
from pipelines.judge.signatures.signature_format import Uncovered

MAX_BYTES = 4 << 10
SHARE = 1000
"""By default at most 4 KiB and one in a thousand bytes of a file are masked."""
_BLOCK = 64


class _NotMaskedError(Exception):
    def __init__(self, fault: MaskFault, detail: str) -> None:
        super().__init__(detail)
        self.refused = NotMasked(fault=fault, detail=detail[:MAX_DETAIL])


def mask(
    jail: Jail,
    shipped: BinaryIO,
    rebuilt: BinaryIO,
    declared: Sequence[DeclaredNormalizer],
    *,
    unsigned: Sequence[Uncovered] | None = None,
) -> MaskLedger | NotMasked:
    """Return the ledger by which `rebuilt` becomes `shipped`, which is another file.

    `unsigned` are the bytes that a verified signature does not cover; None where there is none.
    Raises `JailUnavailableError`; a jail that fails on one of the files is a `NotMasked`.
    """
    try:
        return _mask(jail, shipped, rebuilt, declared, unsigned)
    except _NotMaskedError as error:
        return error.refused
    except JailFailedError as error:
        return NotMasked(fault=MaskFault.UNREADABLE, detail=str(error)[:MAX_DETAIL])


def _mask(
    jail: Jail,
    shipped: BinaryIO,
    rebuilt: BinaryIO,
    declared: Sequence[DeclaredNormalizer],
    unsigned: Sequence[Uncovered] | None,
) -> MaskLedger | NotMasked:
    asked = AskedFields(at=_differences(shipped, rebuilt))
    ours = jail.run(FIELDS, [rebuilt], asked)
    if isinstance(ours, NotMasked):
        return ours
    theirs = jail.run(FIELDS, [shipped], asked)
    if isinstance(theirs, NotMasked):
        return theirs
    if ours != theirs:
        what = "bytes that differ are in other fields of the shipped file than of the rebuilt one"
        raise _NotMaskedError(MaskFault.NOT_ALIKE, what)
    reasons = {one.name: one.reason for one in declared}
    _check(ours, asked.at, reasons, shipped, rebuilt)
    _check_amount(ours, declared, shipped.seek(0, 2))
    lines = tuple(
        _line(field, shipped, rebuilt, reasons[field.normalizer], signed=_signed(field, unsigned))
        for field in ours
    )
    sha256, size = replay(lines, rebuilt)
    shipped.seek(0)
    if sha256 != digest_stream(shipped):
        what = "the rebuilt file with the masked bytes of the shipped one is not the shipped file"
        raise _NotMaskedError(MaskFault.UNLIKE, what)
    return MaskLedger(sha256=sha256, size=size, lines=lines)


def _differences(shipped: BinaryIO, rebuilt: BinaryIO) -> tuple[int, ...]:
    """Return the offsets at which two files differ, in order."""
    sizes = shipped.seek(0, 2), rebuilt.seek(0, 2)
    if sizes[0] != sizes[1]:
        what = f"{sizes[0]} bytes shipped, {sizes[1]} rebuilt: a normalizer adds and removes none"
        raise _NotMaskedError(MaskFault.SIZES, what)
    shipped.seek(0)
    rebuilt.seek(0)
    found: list[int] = []
    for at in range(0, sizes[0], CHUNK):
        ones, others = shipped.read(CHUNK), rebuilt.read(CHUNK)
        if ones == others:
            continue
        for block in range(0, len(ones), _BLOCK):
            one, other = ones[block : block + _BLOCK], others[block : block + _BLOCK]
            if one != other:
                found += [
                    at + block + i
                    for i, (a, b) in enumerate(zip(one, other, strict=True))
                    if a != b
                ]
            if len(found) > MAX_MASKED:
                what = f"more than {MAX_MASKED} bytes differ, which no recipe may mask"
                raise _NotMaskedError(MaskFault.TOO_MUCH, what)
    return tuple(found)


def _check(
    fields: Sequence[FileField],
    differing: Sequence[int],
    declared: Container[NormalizerName],
    shipped: BinaryIO,
    rebuilt: BinaryIO,
) -> None:
    """Require fields in order that are declared, look like such, and cover all that differs."""
    at, covered, size = 0, 0, shipped.seek(0, 2)
    for field in fields:
        end = field.offset + field.length
        what = f"the {field.length} bytes at {field.offset}"
        if field.normalizer not in declared:
            detail = f"{what} are in {field.field}, which {field.normalizer} would mask"
            raise _NotMaskedError(MaskFault.UNDECLARED, detail)
        alike = is_such_a_field(rebuilt, field) and is_such_a_field(shipped, field)
        if not at <= field.offset < end <= size or not alike:
            raise _NotMaskedError(MaskFault.NO_SUCH_FIELD, f"{what} are no {field.field}")
        within = bisect_left(differing, end) - bisect_left(differing, field.offset)
        if not within:
            raise _NotMaskedError(MaskFault.NO_SUCH_FIELD, f"{what} are the same on both sides")
        at, covered = end, covered + within
    if left := len(differing) - covered:
        raise _NotMaskedError(MaskFault.UNLIKE, f"{left} bytes differ that are in no field")


def _check_amount(
    fields: Sequence[FileField], declared: Sequence[DeclaredNormalizer], size: int
) -> None:
    """Require that no more is masked than a recipe says, or by default."""
    own = {one.name: one.bytes for one in declared if one.bytes is not None}
    limits = [(f"of {name}", {name}, most) for name, most in own.items()]
    others = {one.name for one in declared} - set(own)
    limits.append(("without a limit of their own", others, min(MAX_BYTES, size // SHARE)))
    limits.append(("in all", {one.name for one in declared}, MAX_MASKED))
    for what, names, most in limits:
        found = sum(field.length for field in fields if field.normalizer in names)
        if found > most:
            detail = f"{found} bytes to be masked {what}, at most {most} of {size}"
            raise _NotMaskedError(MaskFault.TOO_MUCH, detail)


def _signed(field: FileField, unsigned: Sequence[Uncovered] | None) -> bool:
    end = field.offset + field.length
    return unsigned is not None and not any(
        part.offset < end and field.offset < part.offset + part.length for part in unsigned
    )


def _line(
    field: FileField, shipped: BinaryIO, rebuilt: BinaryIO, reason: str, *, signed: bool
) -> LedgerLine:
    theirs, ours = (_read(file, field) for file in (shipped, rebuilt))
    return LedgerLine(
        **field.only("normalizer", "members", "field", "offset", "length"),
        version=VERSIONS[field.normalizer],
        shipped=Digest.of(theirs),
        rebuilt=Digest.of(ours),
        data=theirs.hex(),
        reason=reason,
        signed=signed,
    )


def _read(file: BinaryIO, field: FileField) -> bytes:
    file.seek(field.offset)
    return file.read(field.length)
