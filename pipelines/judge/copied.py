"""No copying: an input that already holds an artefact under test proves nothing about its source.

Inputs never change, so what is inside one is found once and can be cached under its digest. Inputs
and outputs are read in the parser jail.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, Protocol

from pydantic import Field, TypeAdapter, ValidationError

from builders.archives import ArchiveError, ArchiveLimits, MonotonicClock, Scratch, members
from builders.core.digest import Digest
from builders.core.enums import Role
from builders.core.frozen_model import FrozenModel
from builders.jail.errors import JailFailedError, JailUnavailableError
from builders.jail.file_reader import Jail, JailLimits, Nothing, Reader
from pipelines.judge.finding import Carried

TINY = 32
"""Bytes below which a member says nothing of where it came from."""
_SHOWN = 20
_DEFAULT = ArchiveLimits()


@dataclass(frozen=True, kw_only=True)
class CheckedInput:
    """One file that the rebuild could read; its bytes are known to have `digest`."""

    role: Role
    name: str
    digest: Digest
    open: Callable[[], AbstractContextManager[BinaryIO]] = field(repr=False, compare=False)


class Contents(FrozenModel):
    """The digests of all files inside one input, nested ones included; empty files are left out."""

    format: Literal[2]
    """Raised whenever the same input would be read differently, so that cached rows expire."""
    input: Digest
    files: dict[str, str] = Field(default_factory=dict)
    """From hexadecimal SHA-256 to the path of the first file that has it."""
    unread: dict[str, str] = Field(default_factory=dict)
    """Broken archives inside the input, with the reason; they were searched as plain files."""
    fault: str | None = None
    """Why the input could not be searched whole."""


class ContentsCache(Protocol):
    """Rows by input digest, for as long as one likes."""

    def get(self, digest: Digest) -> bytes | None:
        """Return the row that was put, or None."""

    def put(self, digest: Digest, row: bytes) -> None:
        """Keep a row."""


def contents(file: CheckedInput, jail: Jail, *, cache: ContentsCache | None = None) -> Contents:
    """Return what is inside `file`, from `cache` if it is there.

    Never raises for what the file holds, nor for a jail that could not read it: a fault is part of
    the answer, and is not cached, since other limits or another machine may do better.
    """
    if cache and (row := cache.get(file.digest)) and (known := _from_row(row, file.digest)):
        return known
    try:
        with file.open() as stream:
            result = jail.run(CONTENTS, [stream], InputDigest(digest=file.digest))
    except (JailFailedError, JailUnavailableError) as error:
        return Contents(format=2, input=file.digest, fault=str(error))
    if cache and result.fault is None:
        cache.put(file.digest, result.model_dump_json().encode())
    return result


def read_contents(
    stream: BinaryIO,
    digest: Digest,
    limits: ArchiveLimits = _DEFAULT,
    *,
    clock: MonotonicClock = time.monotonic,
    scratch: Scratch = tempfile.TemporaryFile,
) -> Contents:
    """Return what is inside the input of that `digest`; whatever it holds, it does not raise."""
    found: dict[str, str] = {}
    unread: dict[str, str] = {}
    fault = None
    try:
        for member in members(stream, limits, clock=clock, scratch=scratch):
            if member.sha256 and member.size:
                found.setdefault(member.sha256.hex, member.path)
            if member.missed:
                fault = f"{member.path}: {member.unread}"
            elif member.unread and len(unread) < _SHOWN:
                unread[member.path] = member.unread
    except ArchiveError as error:
        fault = str(error)
    return Contents(format=2, input=digest, files=found, unread=unread, fault=fault)


class InputDigest(FrozenModel):
    """Which input is searched."""

    digest: Digest


def _read_contents(
    files: Sequence[BinaryIO], parameters: InputDigest, scratch: Scratch
) -> Contents:
    return read_contents(files[0], parameters.digest, scratch=scratch)


CONTENTS = Reader(
    name="pipelines.judge.copied:CONTENTS",
    read=_read_contents,
    parameters=InputDigest,
    result=TypeAdapter(Contents),
    limits=JailLimits(seconds=_DEFAULT.seconds + 10, answer=64 << 20, scratch_files=_DEFAULT.depth),
)
"""Searches an input."""


class FileMember(FrozenModel):
    """A file in a rebuilt artefact, not tiny: its path, digest and size in bytes."""

    path: str
    sha256: Digest
    size: int


def _read_files(files: Sequence[BinaryIO], _: Nothing, scratch: Scratch) -> tuple[FileMember, ...]:
    return tuple(
        FileMember(path=member.path, sha256=member.sha256, size=member.size)
        for member in members(files[0], scratch=scratch)
        if member.sha256 and member.size and member.size >= TINY
    )


FILES = Reader(
    name="pipelines.judge.copied:FILES",
    read=_read_files,
    parameters=Nothing,
    result=TypeAdapter(tuple[FileMember, ...]),
    limits=JailLimits(seconds=_DEFAULT.seconds, answer=64 << 20, scratch_files=_DEFAULT.depth),
    errors=(ArchiveError,),
)
"""Lists the files of a rebuilt artefact, for `carried`."""


def input_fault(
    scanned: Iterable[tuple[CheckedInput, Contents]], published: Mapping[str, Digest]
) -> str | None:
    """Return which input is, or holds, one of the `published` artefacts (name to digest).

    None when surely none does. A copy that is found counts before an input that could not be
    searched.
    """
    blind: str | None = None
    for file, inside in scanned:
        for name, digest in published.items():
            where = "" if file.digest == digest else inside.files.get(digest.hex)
            if where is not None:
                member = f", in its member {where}" if where else ""
                return f"copied-input: {name} is already in the {file.role} {file.name}{member}"
        if inside.fault and blind is None:
            blind = f"input-not-scanned: the {file.role} {file.name}: {inside.fault}"
    return blind


def carried(
    rebuilt: Iterable[FileMember], scanned: Iterable[tuple[CheckedInput, Contents]]
) -> tuple[Carried, ...]:
    """List members of a rebuilt artefact that are unchanged in an input that is no source.

    What a source holds as well was reviewed there, and is not listed; nor are files below 32 bytes.
    """
    inputs = list(scanned)
    reviewed: set[str] = set()
    others: dict[str, tuple[str, str]] = {}
    for file, inside in inputs:
        if file.role is Role.SOURCE:
            reviewed |= {file.digest.hex, *inside.files}
        else:
            others.setdefault(file.digest.hex, (file.name, ""))
            for digest, path in inside.files.items():
                others.setdefault(digest, (file.name, path))
    return tuple(
        Carried(
            member=member.path,
            sha256=member.sha256,
            size=member.size,
            input=others[member.sha256.hex][0],
            input_member=others[member.sha256.hex][1],
        )
        for member in rebuilt
        if member.sha256.hex in others and member.sha256.hex not in reviewed
    )


def _from_row(row: bytes, digest: Digest) -> Contents | None:
    """Read a cached row; None for one of another format, of another input, or damaged."""
    try:
        known = Contents.model_validate_json(row)
    except ValidationError:
        return None
    return known if known.input == digest else None
