"""A vault in one file: carries inputs to air-gapped centers and seeds new ones.

The archive is an uncompressed GNU tar (POSIX.1-1988 headers, base-256 sizes above 8 GiB): an empty
marker member, then one `sha256/<aa>/<hex>` file an input, in order, then two zero blocks. All
header fields but name and size are fixed, so the same inputs give the same bytes, and an importer
takes a header only when it is the very one that an exporter writes.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from builders.core.digest import CHUNK, Digest, chunks
from builders.core.errors import InfrastructureError, InputMismatchError, UsageError
from builders.inputs.vault import Vault

MARKER = "samebits-vault/v1"
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_MEMBER = re.compile(r"sha256/([0-9a-f]{2})/(\1[0-9a-f]{62})")
_EXPECTED = "an archive as `samebits vault export` writes it"


@dataclass(frozen=True, kw_only=True)
class TransferStatus:
    """How far an export or import is, or was when it ended."""

    done: int = 0
    """Inputs copied or skipped."""
    total: int
    """Inputs in the archive."""
    held: int = 0
    """Of those done, how many the vault held already."""
    copied: int = 0
    """Bytes copied."""


TransferProgress = Callable[[TransferStatus], None]


@dataclass(frozen=True, kw_only=True)
class _Member:
    digest: Digest
    size: int
    offset: int


def export_vault(
    vault: Vault,
    digests: Iterable[Digest] | None,
    path: Path,
    progress: TransferProgress | None = None,
) -> TransferStatus:
    """Write the inputs `digests` (None: all) of `vault` to the new archive `path`.

    `path` appears complete and checked, or not at all; an archive that was there is replaced.
    `progress` is called for every MiB. Raises `InputUnavailableError`, `InputMismatchError` for a
    damaged input, `UsageError` for a path that cannot be written, `InfrastructureError`.
    """
    wanted = sorted(set(vault.digests() if digests is None else digests))
    state = TransferStatus(total=len(wanted))
    with _new_file(path) as out:
        out.write(_header(MARKER, 0))
        for digest in wanted:
            state = _write_member(vault, digest, out, state, progress)
        out.write(_END)
    return state


def import_vault(
    vault: Vault,
    path: Path,
    progress: TransferProgress | None = None,
    *,
    scratch: Path | None = None,
) -> TransferStatus:
    """Take the inputs of the archive `path` into `vault`; those that it holds are skipped.

    The whole archive's form is checked before anything is taken in, and each input's digest before
    that input is. `scratch` is where one input at a time is unpacked (default: the system's folder
    for temporary files). Raises `UsageError` for a file that is no such archive,
    `InputMismatchError` for a member that is not what its name says, `InfrastructureError`.
    """
    try:
        if not path.is_file():
            _refuse(path, got="no file" if not path.exists() else "something else than a file")
        with path.open("rb") as stream, tempfile.TemporaryDirectory(dir=scratch) as folder:
            state = TransferStatus(total=sum(1 for _ in _members(stream, path)))
            for member in _members(stream, path):
                state = _take_member(vault, member, stream, path, Path(folder), state, progress)
    except OSError as error:
        raise InfrastructureError(
            f"cannot import {path}",
            got=error.strerror or error,
            todo="Run it again when that is mended: what was imported is kept and skipped",
        ) from error
    return state


def _write_member(
    vault: Vault,
    digest: Digest,
    out: BinaryIO,
    state: TransferStatus,
    progress: TransferProgress | None,
) -> TransferStatus:
    name = f"sha256/{digest.hex[:2]}/{digest.hex}"
    start = out.tell()
    out.write(bytes(_BLOCK))  # the header, once the size is known
    hasher, size = hashlib.sha256(), 0
    with vault.open(digest) as stream:
        for piece in chunks(stream):
            hasher.update(piece)
            out.write(piece)
            size += len(piece)
            _report(progress, state, copied=size)
    if hasher.hexdigest() != digest.hex:
        raise InputMismatchError(
            "the vault's own copy is damaged",
            got=f"sha256 {hasher.hexdigest()}",
            expected=digest,
            todo=f"Delete {vault.key(digest)} in the store and fetch it again",
        )
    out.write(bytes(-size % _BLOCK))
    out.seek(start)
    out.write(_header(name, size))
    out.seek(0, os.SEEK_END)
    return _report(progress, state, copied=size, done=1)


def _take_member(
    vault: Vault,
    member: _Member,
    stream: BinaryIO,
    path: Path,
    folder: Path,
    state: TransferStatus,
    progress: TransferProgress | None,
) -> TransferStatus:
    if vault.has(member.digest):
        return _report(progress, state, done=1, held=1)
    unpacked = folder / "input"
    stream.seek(member.offset)
    left = member.size
    with unpacked.open("wb") as out:
        while left:
            piece = stream.read(min(CHUNK, left))
            if not piece:
                _refuse(path, got="a truncated file")
            out.write(piece)
            left -= len(piece)
            _report(progress, state, copied=member.size - left)
    vault.add(unpacked, member.digest, what=f"a member of {path}")
    unpacked.unlink()
    return _report(progress, state, copied=member.size, done=1)


def _members(stream: BinaryIO, path: Path) -> Iterator[_Member]:
    """Yield the members in order, all headers checked; whoever reads in between may seek."""
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


def _refuse(path: Path, *, got: str, todo: str = "Nothing more is taken from it") -> NoReturn:
    raise UsageError(f"{path} is no vault archive", got=got, expected=_EXPECTED, todo=todo)


def _refuse_marker(path: Path, block: bytes) -> NoReturn:
    name = block[:100].rstrip(b"\0")
    if re.fullmatch(rb"samebits-vault/v[0-9]+", name):
        _refuse(path, got=name.decode(), todo=f"This samebits reads {MARKER}: use a newer one")
    _refuse(path, got=f"a file that does not begin with the marker {MARKER}")


def _report(
    progress: TransferProgress | None,
    state: TransferStatus,
    *,
    done: int = 0,
    held: int = 0,
    copied: int = 0,
) -> TransferStatus:
    now = TransferStatus(
        done=state.done + done,
        total=state.total,
        held=state.held + held,
        copied=state.copied + copied,
    )
    if progress is not None:
        progress(now)
    return now


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that takes the name `path` when all went well; readable by its owner alone."""
    if path.exists() and not path.is_file():
        raise UsageError(
            f"cannot write {path}", got="something else than a file", expected="a file name"
        )
    try:
        fd, name = tempfile.mkstemp(prefix=f".{path.name[:64]}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}",
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
            f"cannot write {path}",
            got=error.strerror or error,
            todo="Free some space there, or choose another path; nothing was left behind",
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
