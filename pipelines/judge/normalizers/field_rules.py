"""What a field has to look like, on both sides, before a byte of it is masked.

The jail says where fields are, and is not trusted: a rule reads the record around a field and
nothing else. So no answer of the jail can mask bytes that are not preceded by such a record, and
none can mask code, unless our own build has put the record of a field in front of it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO

from builders.core.digest import CHUNK
from builders.recipe.normalizers import NormalizerName
from pipelines.judge.normalizers.find_fields import FileField
from pipelines.judge.signatures.pe_checksum import PeChecksum

VERSIONS = dict.fromkeys(NormalizerName, 1)
"""Of each normalizer; raised when it masks other bytes than before."""
_Rule = Callable[[BinaryIO, FileField], bool]
_BLOCK = 512
_BUILD_ID_SIZES = {8, 16, 20, 32}  # of ld and lld: xxhash, MD5 and UUID, SHA-1, SHA-256


class _NoRecordError(Exception):
    """There is no such record around a field."""


def is_such_a_field(file: BinaryIO, field: FileField) -> bool:
    """Say whether the bytes at the place of a field look like one of that name."""
    rule = _RULES.get((field.normalizer, field.field))
    try:
        return rule is not None and rule(file, field)
    except (_NoRecordError, struct.error):  # the latter where the file ends before the record does
        return False


def _at(file: BinaryIO, offset: int, length: int) -> bytes:
    if offset < 0:
        return b""
    file.seek(offset)
    return file.read(length)


def _ar(start: int, length: int) -> _Rule:
    def rule(file: BinaryIO, field: FileField) -> bool:
        header = _at(file, field.offset - start, 60)
        digits = header[start : start + length].rstrip(b" ")
        return field.length == length and header[58:] == b"`\n" and digits.isdigit()

    return rule


def _tar(start: int, length: int) -> _Rule:
    def rule(file: BinaryIO, field: FileField) -> bool:
        block = _at(file, field.offset - start, _BLOCK)
        octal = set(block[start : start + length] + block[148:156]) <= set(b"01234567 \0")
        if field.length != length or block[257:262] != b"ustar" or not octal:
            return False
        total = sum(block[:148]) + 8 * ord(" ") + sum(block[156:])
        return block[148:156].strip(b" \0") == b"%06o" % total

    return rule


def _zip(magic: bytes, start: int) -> _Rule:
    def rule(file: BinaryIO, field: FileField) -> bool:
        record = _at(file, field.offset - start, start + 4)
        if field.length != 4 or not record.startswith(magic):
            return False
        at, on = struct.unpack_from("<HH", record, start)
        time = at >> 11 < 24 and (at >> 5 & 63) < 60 and (at & 31) < 30
        day = not on or ((on >> 5 & 15) in range(1, 13) and (on & 31) > 0)
        return time and day

    return rule


def _zip_time(file: BinaryIO, field: FileField) -> bool:
    return _zip(b"PK\x01\x02", 12)(file, field) or _zip(b"PK\x03\x04", 10)(file, field)


def _zip_extra(number: int) -> _Rule:
    def rule(file: BinaryIO, field: FileField) -> bool:
        kind, length, flags = struct.unpack("<HHB", _at(file, field.offset - 5 - 4 * number, 5))
        fits = kind == 0x5455 and length in {5, 9, 13} and length > 1 + 4 * number
        return field.length == 4 and fits and 0 < flags < 8

    return rule


def _pyc(file: BinaryIO, field: FileField) -> bool:
    head = _at(file, field.offset - 8, 17)
    known = field.start == field.offset - 8 and field.length == 4
    return known and head[2:8] == b"\r\n\0\0\0\0" and head[16:] == b"\xe3"


def _build_id(file: BinaryIO, field: FileField) -> bool:
    head = _at(file, field.offset - 16, 16)
    little, big = (struct.unpack_from(f"{order}III", head) for order in "<>")
    known = (4, field.length, 3) in {little, big} and head[12:] == b"GNU\0"
    return known and field.length in _BUILD_ID_SIZES


def _pe_header(file: BinaryIO, field: FileField) -> int:
    """Return the offset of the PE header of the file that a field is in."""
    (at,) = struct.unpack("<I", _at(file, field.start + 0x3C, 4))
    offset = field.start + int(at)
    kind = _at(file, offset + 24, 2)
    whole = _at(file, field.start, 2) == b"MZ" and _at(file, offset, 4) == b"PE\0\0"
    if not whole or kind not in {b"\x0b\x01", b"\x0b\x02"}:
        raise _NoRecordError
    return offset


def _pe_stamp(file: BinaryIO, field: FileField) -> bool:
    return field.length == 4 and field.offset == _pe_header(file, field) + 8


def _pe_copy(file: BinaryIO, field: FileField) -> bool:
    """Say whether it is the time stamp of the header once more."""
    stamp = _at(file, _pe_header(file, field) + 8, 4)
    return field.length == 4 and _at(file, field.offset, 4) == stamp


def _pe_checksum(file: BinaryIO, field: FileField) -> bool:
    """Say whether the checksum is that of the file."""
    if field.length != 4 or field.offset != _pe_header(file, field) + 24 + 64:
        return False
    found = PeChecksum()
    end = field.start + field.size
    for begin, until in ((field.start, field.offset), (field.offset + 4, end)):
        file.seek(begin)
        left = until - begin
        while left > 0 and (data := file.read(min(CHUNK, left))):
            found.add(data)
            left -= len(data)
        if until == field.offset:
            found.add(bytes(4))
    return _at(file, field.offset, 4) == struct.pack("<I", found.value() & 0xFFFFFFFF)


_RULES: dict[tuple[NormalizerName, str], _Rule] = {
    (NormalizerName.AR_TIMES, "modification-time"): _ar(16, 12),
    (NormalizerName.AR_OWNERS, "owner"): _ar(28, 6),
    (NormalizerName.AR_OWNERS, "group"): _ar(34, 6),
    (NormalizerName.TAR_TIMES, "modification-time"): _tar(136, 12),
    (NormalizerName.TAR_TIMES, "checksum"): _tar(148, 8),
    (NormalizerName.ZIP_TIMES, "modification-time"): _zip_time,
    (NormalizerName.ZIP_TIMES, "extra-modification-time"): _zip_extra(0),
    (NormalizerName.ZIP_TIMES, "extra-access-time"): _zip_extra(1),
    (NormalizerName.ZIP_TIMES, "extra-creation-time"): _zip_extra(2),
    (NormalizerName.PYC_TIME, "source-time"): _pyc,
    (NormalizerName.ELF_BUILD_ID, "build-id"): _build_id,
    (NormalizerName.PE_TIME_STAMP, "time-stamp"): _pe_stamp,
    (NormalizerName.PE_TIME_STAMP, "time-stamp-copy"): _pe_copy,
    (NormalizerName.PE_TIME_STAMP, "checksum"): _pe_checksum,
}
