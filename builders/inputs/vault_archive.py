"""A vault in one file, which carries inputs to centers without network access and to new ones.

The archive is an uncompressed GNU tar (POSIX.1-1988 headers, base-256 sizes above 8 GiB): an empty
marker member, then one member `sha256/<aa>/<hex>` for each input, sorted, then two zero blocks. All
header fields but name and size are fixed, so the same inputs give the same bytes. An import accepts
a header only if an export writes exactly the same one.
"""

from __future__ import annotations

import os
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NoReturn

from builders.core.digest import CHUNK, Digest
from builders.core.errors import InfrastructureError, UsageError
from builders.inputs.vault import Vault

MARKER = "samebits-vault/v1"
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_MEMBER = re.compile(r"sha256/([0-9a-f]{2})/(\1[0-9a-f]{62})")


@dataclass(frozen=True, kw_only=True)
class TransferStatus:
    """The state of an export or import."""

    done: int = 0
    """Inputs copied or skipped."""
    total: int
    """Inputs in the archive."""
    held: int = 0
    """Skipped inputs, which the vault holds already."""
    copied: int = 0
    """Bytes copied."""

    def plus(self, *, done: int = 0, held: int = 0, copied: int = 0) -> TransferStatus:
        """Return the state after some progress."""
        return replace(
            self, done=self.done + done, held=self.held + held, copied=self.copied + copied
        )


TransferProgress = Callable[[TransferStatus], None]


def _no_report(status: TransferStatus) -> None:
    """Report no progress."""


@dataclass(frozen=True, kw_only=True)
class _Member:
    digest: Digest
    size: int
    offset: int


def export_vault(
    vault: Vault,
    digests: Iterable[Digest] | None,
    path: Path,
    progress: TransferProgress = _no_report,
) -> TransferStatus:
    """Write the inputs `digests` (None: all) of `vault` to the archive `path`.

    `path` appears only when the archive is complete and checked, and replaces an existing file.
    `progress` is called for every MiB. Raises `InputUnavailableError`, `InputMismatchError` for a
    damaged input, `UsageError` for a path that cannot be written, `InfrastructureError`.
    """
    wanted = sorted(set(vault.digests() if digests is None else digests))
    status = TransferStatus(total=len(wanted))
    with _new_file(path) as out:
        out.write(_header(MARKER, 0))
        for digest in wanted:
            status = _write_member(vault, digest, out, status, progress)
        out.write(_END)
    return status


def import_vault(
    vault: Vault,
    path: Path,
    progress: TransferProgress = _no_report,
    *,
    scratch: Path | None = None,
) -> TransferStatus:
    """Add the inputs of the archive `path` to `vault`; those that it holds are skipped.

    The format of the whole archive is checked before the first input is added, and the digest of
    each input before that input is. `scratch` is where one input at a time is unpacked (default:
    the system's temporary folder). Raises `UsageError` for a file that is no such archive,
    `InputMismatchError` for a member with another digest than its name, `InfrastructureError`.
    """
    try:
        if not path.is_file():
            _refuse(path, got="something else than a file" if path.exists() else "no file")
        with path.open("rb") as stream, tempfile.TemporaryDirectory(dir=scratch) as folder:
            status = TransferStatus(total=sum(1 for _ in _members(stream, path)))
            unpacked = Path(folder) / "input"
            for member in _members(stream, path):
                if vault.has(member.digest):
                    status = status.plus(done=1, held=1)
                else:
                    for copied in _unpack(member, stream, path, unpacked):
                        progress(status.plus(copied=copied))
                    vault.add(unpacked, member.digest, what=f"a member of {path}")
                    status = status.plus(copied=member.size, done=1)
                progress(status)
    except OSError as error:
        raise InfrastructureError(
            f"cannot import {path}",
            got=error.strerror or error,
            todo="Run it again when the cause is fixed: imported inputs are kept and skipped",
        ) from error
    return status


def _write_member(
    vault: Vault, digest: Digest, out: BinaryIO, status: TransferStatus, progress: TransferProgress
) -> TransferStatus:
    start = out.tell()
    out.write(bytes(_BLOCK))  # the header is written once the size is known
    size = 0
    for piece in vault.pieces(digest):
        out.write(piece)
        size += len(piece)
        progress(status.plus(copied=size))
    out.write(bytes(-size % _BLOCK))
    out.seek(start)
    out.write(_header(f"sha256/{digest.hex[:2]}/{digest.hex}", size))
    out.seek(0, os.SEEK_END)
    status = status.plus(copied=size, done=1)
    progress(status)
    return status


def _unpack(member: _Member, stream: BinaryIO, path: Path, target: Path) -> Iterator[int]:
    """Write the content of a member to `target`, and yield the bytes copied so far."""
    stream.seek(member.offset)
    left = member.size
    with target.open("wb") as out:
        while left:
            piece = stream.read(min(CHUNK, left))
            if not piece:
                _refuse(path, got="a truncated file")
            out.write(piece)
            left -= len(piece)
            yield member.size - left


def _members(stream: BinaryIO, path: Path) -> Iterator[_Member]:
    """Yield the members in order, all headers checked; the caller may seek in between."""
    end = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    first = stream.read(_BLOCK)
    if first != _header(MARKER, 0):
        _refuse_marker(path, first)
    offset, last = _BLOCK, ""
    while True:
        stream.seek(offset)
        block = stream.read(2 * _BLOCK)
        if block == _END and offset + 2 * _BLOCK == end:
            return
        member = _member(block[:_BLOCK], offset, path)
        if member.digest.hex <= last:
            _refuse(path, got=f"member {member.digest} twice, or out of order")
        offset = member.offset + member.size + -member.size % _BLOCK
        if offset + 2 * _BLOCK > end:
            _refuse(path, got=f"a truncated file of {end} bytes")
        stream.seek(member.offset + member.size)
        if any(stream.read(-member.size % _BLOCK)):
            _refuse(path, got=f"bytes hidden behind member {member.digest}")
        last = member.digest.hex
        yield member


def _member(block: bytes, offset: int, path: Path) -> _Member:
    where = f"at byte {offset}"
    if len(block) < _BLOCK:
        _refuse(path, got=f"a truncated file, {where}")
    try:
        info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        _refuse(path, got=f"no tar header, or bytes after the end, {where} ({error})")
    match = _MEMBER.fullmatch(info.name)
    if match is None or info.size < 0 or block != _header(info.name, info.size):
        _refuse(path, got=f"a member {info.name[:120]!a} of type {info.type!r} {where}")
    return _Member(digest=Digest(match[2]), size=info.size, offset=offset + _BLOCK)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o444
    return info.tobuf(format=tarfile.GNU_FORMAT, encoding="ascii", errors="strict")


def _refuse(path: Path, *, got: str, todo: str = "Nothing more of it is imported") -> NoReturn:
    expected = "an archive as `samebits vault export` writes it"
    raise UsageError(f"{path} is no vault archive", got=got, expected=expected, todo=todo)


def _refuse_marker(path: Path, block: bytes) -> NoReturn:
    name = block[:100].rstrip(b"\0")
    if re.fullmatch(rb"samebits-vault/v[0-9]+", name):
        _refuse(path, got=name.decode(), todo=f"This samebits reads {MARKER}: use a newer one")
    _refuse(path, got=f"a file that does not begin with the marker {MARKER}")


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that is renamed to `path` on success; only its owner can read it."""
    what = f"cannot write {path}"
    if path.exists() and not path.is_file():
        raise UsageError(what, got="something else than a file", expected="a file name")
    try:
        fd, name = tempfile.mkstemp(prefix=f".{path.name[:64]}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise UsageError(
            what,
            got=error.strerror or error,
            expected="a folder that exists and can be written",
            todo="Choose another path",
        ) from error
    part = Path(name)
    try:
        with os.fdopen(fd, "wb") as out:
            yield out
            out.flush()
            os.fsync(fd)
        part.replace(path)
    except OSError as error:
        raise InfrastructureError(
            what,
            got=error.strerror or error,
            todo="Free some space there, or choose another path; nothing was left behind",
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
