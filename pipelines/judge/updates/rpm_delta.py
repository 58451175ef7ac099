"""Deltas of RPM packages: version 3 of deltarpm, both kinds.

A standard delta is a package whose header is that of the target and whose payload says how the
archive of the target is made of files of the base. One of packages alone makes header and archive
of the target of those of the base. The archive is then compressed as the target was: by gzip,
bzip2, xz and zstd, or not. Refused by name: versions 1 and 2; payloads that are no cpio archive or
compressed by lzma; targets compressed by lzma, by gzip for rsync, by zstd with threads, or by xz
at level 9. Source: deltarpm 3.6.5, README, `readdeltarpm.c` and `applydeltarpm.c`.
"""

from __future__ import annotations

import hashlib
import io
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

from builders.archives.compressed import compression
from builders.core.digest import CHUNK
from builders.packing.compress import PackingError
from pipelines.judge.signatures.rpm_header import RpmHeader, RpmPackage, read_package
from pipelines.judge.signatures.signature_format import BadSignatureError
from pipelines.judge.updates.delta_format import DeltaFormat, DeltaLimits
from pipelines.judge.updates.delta_io import (
    Base,
    BoundedOutput,
    PackedPart,
    byte_sums,
    unreadable,
    unsupported,
)
from pipelines.judge.updates.rpm_files import old_archive, package_name
from pipelines.judge.updates.rpm_payload import UNCOMPRESSED, payload_pieces
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

_PACKAGES_ALONE = b"drpm"
_VERSION, _VERSIONS = b"DLT3", b"DLT"
_CPIO = b"cpio"
_MD5 = 16
_SIGN = 1 << 31
_MAX_NAME, _MAX_SEQUENCE, _MAX_LEAD = 1 << 12, 1 << 20, 1 << 20
_MAX_STEPS, _MAX_DIFFERENCES, _MAX_ARCHIVE = 1 << 22, 64 << 20, 1 << 30


class _Numbers:
    """The unpacked delta, read number by number."""

    def __init__(self, part: PackedPart) -> None:
        self.part = part

    def number(self) -> int:
        return int.from_bytes(self.part.exactly(4), "big")

    def long(self) -> int:
        return int.from_bytes(self.part.exactly(8), "big")

    def counted(self, most: int, what: str) -> bytes:
        """Return the bytes after a number that says how many they are."""
        return self.part.exactly(_few(self.number(), most, what))

    def several(self, count: int) -> array[int]:
        found = array("I", self.part.exactly(4 * count))
        if sys.byteorder == "little":
            found.byteswap()
        return found


def _few(count: int, most: int, what: str) -> int:
    if count > most:
        raise UpdateError(UpdateFault.UNBOUNDED, f"{what}: {count}, at most {most}")
    return count


@dataclass(frozen=True, kw_only=True)
class _Script:
    """How the target is made of the base."""

    header: RpmHeader | None
    """Of the target; None in a delta of packages alone, which makes it too."""
    package: bytes
    """The name of the base."""
    sequence: bytes
    md5: bytes
    size: int
    packing: int
    plain: int
    """How many bytes of what is made are not compressed."""
    lead: bytes
    """The lead and the signature header of the target."""
    format_at: int
    """Where in the data of the header the format of the payload stands."""
    before: array[int]
    """How many copies come before each piece of the delta's own data."""
    own: array[int]
    moves: array[int]
    copies: array[int]
    archive: int
    """Bytes of what copies are made of."""
    differences: PackedPart | None
    """What is added to the copies."""
    data: PackedPart


def _script(delta: BinaryIO) -> _Script:
    """Read a delta up to its own data."""
    size = delta.seek(0, 2)
    delta.seek(0)
    head = delta.read(12)
    header, differences = None, b""
    if head.startswith(_PACKAGES_ALONE):
        _check_version(head[4:8])
        delta.seek(12 + _few(int.from_bytes(head[8:], "big"), _MAX_NAME, "bytes of a name"))
        count = _few(int.from_bytes(delta.read(4), "big"), _MAX_DIFFERENCES, "differences")
        differences = delta.read(count)
        start = delta.tell()
    else:
        package = read_package(delta, "delta")
        header, start = package.main, package.payload
    part = _packed(delta, start, size)
    numbers = _Numbers(part)
    _check_version(part.exactly(4))
    package_named = numbers.counted(_MAX_NAME, "bytes of a name").rstrip(b"\0")
    sequence = numbers.counted(_MAX_SEQUENCE, "bytes of a sequence")
    md5 = part.exactly(_MD5)
    target_size, packing = numbers.number(), numbers.number()
    if numbers.number():
        raise unsupported("parameters of a compression")
    plain = numbers.number()
    numbers.several(2 * _few(numbers.number(), _MAX_STEPS, "adjustments"))
    lead = numbers.counted(_MAX_LEAD, "bytes of a lead")
    format_at = numbers.number()
    pieces, copies = (_few(numbers.number(), _MAX_STEPS, "steps") for _ in range(2))
    before, own = numbers.several(pieces), numbers.several(pieces)
    moves, sizes = numbers.several(copies), numbers.several(copies)
    archive = _few(numbers.long(), _MAX_ARCHIVE, "bytes of the old archive")
    if more := numbers.counted(_MAX_DIFFERENCES, "differences"):
        if differences:
            raise UpdateError(UpdateFault.LEFT_OVER, "differences twice")
        differences = more
    data = numbers.long()
    if data != sum(own) or len(sequence) < _MD5:
        what = f"{data} bytes of data, of which {sum(own)} are used"
        raise UpdateError(UpdateFault.LENGTH, what)
    added = _packed(io.BytesIO(differences), 0, len(differences)) if differences else None
    return _Script(
        header=header, package=package_named, sequence=sequence, md5=md5, size=target_size,
        packing=packing, plain=plain, lead=lead, format_at=format_at, before=before, own=own,
        moves=moves, copies=sizes, archive=archive, differences=added, data=part,
    )  # fmt: skip


def _check_version(version: bytes) -> None:
    if version == _VERSION:
        return
    if version.startswith(_VERSIONS):
        raise unsupported(f"deltarpm version {version[3:]!r}")
    raise unreadable("no delta of RPM packages")


def _packed(file: BinaryIO, start: int, end: int) -> PackedPart:
    file.seek(start)
    head = file.read(16)
    name = compression(head)
    if name is None:
        raise unsupported(f"a compression that begins with {head[:6]!r}")
    return PackedPart(file, start, end, name)


def apply(base: BinaryIO, delta: BinaryIO, out_file: BinaryIO, limits: DeltaLimits) -> None:
    """Write the target to `out_file`; raises `UpdateError`."""
    try:
        old, script = read_package(base, "base"), _script(delta)
    except BadSignatureError as error:
        raise unreadable(error.refused.detail) from error
    if package_name(old.main) != script.package:
        what = f"a delta for {script.package!r}"
        raise UpdateError(UpdateFault.WRONG_BASE, what)
    if script.size not in {0, limits.size}:
        fault = UpdateFault.UNBOUNDED if script.size > limits.size else UpdateFault.LENGTH
        raise UpdateError(fault, f"{script.size} bytes, and the target has {limits.size}")
    out, md5 = BoundedOutput(out_file, limits.size), hashlib.md5(usedforsecurity=False)
    with limits.scratch() as scratch:
        try:
            for piece in _target(base, old, script, scratch):
                out.write(piece)
                md5.update(piece)
        except PackingError as error:
            raise unsupported(str(error)) from error
    if script.md5.strip(b"\0") and md5.digest() != script.md5:
        raise UpdateError(UpdateFault.CHECKSUM, "a target with another MD5")
    out.finish()


def _target(
    base: BinaryIO, old: RpmPackage, script: _Script, scratch: IO[bytes]
) -> Iterator[bytes]:
    yield script.lead
    if script.header is None:
        _check_package(base, old, script)
        if script.packing == UNCOMPRESSED and not script.own and not script.copies:
            yield from Base(base).pieces(old.main.start, old.size - old.main.start)
            script.data.finish()
            return
    else:
        yield _target_header(script.header, script.format_at)
    payload = _packed(base, old.payload, old.size)
    if script.header is None:
        scratch.write(old.main.raw)
        scratch.writelines(payload.rest(_MAX_ARCHIVE))
    else:
        old_archive(old.main, payload, script.sequence, scratch)
    archive = Base(cast("BinaryIO", scratch))
    if archive.size != script.archive:
        what = f"an old archive of {archive.size} bytes, {script.archive} expected"
        raise UpdateError(UpdateFault.LENGTH, what)
    made = _made(archive, script)
    yield from payload_pieces(made, script.packing, script.plain)


def _check_package(base: BinaryIO, old: RpmPackage, script: _Script) -> None:
    """Require that the base is the package that a delta of packages was made of."""
    digest = hashlib.md5(usedforsecurity=False)
    base.seek(old.main.start)
    while data := base.read(CHUNK):
        digest.update(data)
    if digest.digest() != script.sequence:
        raise UpdateError(UpdateFault.WRONG_BASE, "the base has another MD5")


def _target_header(header: RpmHeader, at: int) -> bytes:
    """Return the header of the target, whose payload is a cpio archive and no delta."""
    start = header.data - header.start + at
    if header.raw[start : start + 4] != _PACKAGES_ALONE:
        raise unreadable(f"a header without the format of its payload at {at}")
    return header.raw[:start] + _CPIO + header.raw[start + 4 :]


def _made(archive: Base, script: _Script) -> Iterator[bytes]:
    """Yield what is made of the old archive and the delta's own data."""
    copies = iter(zip(script.moves, script.copies, strict=True))
    at = 0
    for count, own in zip(script.before, script.own, strict=True):
        for _ in range(count):
            step = next(copies, None)
            if step is None:
                raise unreadable("more copies than there are")
            move, size = step
            at += _SIGN - move if move & _SIGN else move
            for data in archive.pieces(at, size):
                if script.differences:
                    yield byte_sums(script.differences.exactly(len(data)), data)
                else:
                    yield data
            at += size
        yield from script.data.pieces(own)
    if next(copies, None) is not None:
        raise UpdateError(UpdateFault.LEFT_OVER, "copies that nothing uses")
    script.data.finish()
    if script.differences:
        script.differences.finish()


RPM_DELTA = DeltaFormat(apply=apply)
