"""No copying: an input that already holds an artefact under test proves nothing about its source.

An input is searched in two ways: every file inside it is hashed, and its bytes are searched for the
shipped files, at any offset and in other encodings. Inputs never change, so what is found can be
cached. Inputs and outputs are read in the parser jail.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Literal, Protocol

from pydantic import Field, TypeAdapter, ValidationError

from builders.archives import (
    ArchiveError,
    ArchiveLimits,
    MonotonicClock,
    Scratch,
    SoughtFile,
    embedded_files,
    members,
)
from builders.archives.limits import Budget
from builders.core.digest import Digest, canonical_json
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
    opaque: bool = False
    """Whether the recipe says that it cannot be searched whole."""


class Contents(FrozenModel):
    """The digests of all files inside one input, nested ones included; empty files are left out."""

    format: Literal[4]
    """Raised whenever the same input would be read differently, so that cached rows expire."""
    input: Digest
    sought: tuple[SoughtFile, ...] = ()
    """The shipped files that its bytes were searched for."""
    copies: dict[str, str] = Field(default_factory=dict)
    """From the digest of a shipped file to where the bytes of the input hold it."""
    files: dict[str, str] = Field(default_factory=dict)
    """From hexadecimal SHA-256 to the path of the first file that has it."""
    unread: dict[str, str] = Field(default_factory=dict)
    """Broken archives inside the input, with the reason; they were searched as plain files."""
    fault: str | None = None
    """Why the input could not be searched whole."""


class ContentsCache(Protocol):
    """Rows by digest, for as long as one likes."""

    def get(self, digest: Digest) -> bytes | None:
        """Return the row that was put, or None."""

    def put(self, digest: Digest, row: bytes) -> None:
        """Keep a row."""


def row_key(digest: Digest, sought: Sequence[SoughtFile]) -> Digest:
    """Return the key of the row for the input of that `digest`, searched for the files `sought`."""
    files = [file.model_dump(mode="json") for file in sought]
    return Digest.of(canonical_json({"input": str(digest), "sought": files})) if files else digest


def contents(
    file: CheckedInput,
    jail: Jail,
    *,
    sought: Sequence[SoughtFile] = (),
    cache: ContentsCache | None = None,
) -> Contents:
    """Return what is inside `file`, from `cache` if it is there.

    Never raises for what the file holds, nor for a jail that could not read it: a fault is part of
    the answer, and is not cached, since other limits or another machine may do better.
    """
    asked = SearchedInput(digest=file.digest, sought=tuple(sought))
    key = row_key(file.digest, asked.sought)
    if cache and (row := cache.get(key)) and (known := _from_row(row, asked)):
        return known
    try:
        with file.open() as stream:
            result = jail.run(CONTENTS, [stream], asked)
    except (JailFailedError, JailUnavailableError) as error:
        return Contents(format=4, input=file.digest, sought=asked.sought, fault=str(error))
    if cache and result.fault is None:
        cache.put(key, result.model_dump_json().encode())
    return result


class SearchedInput(FrozenModel):
    """Which input is searched, and for which shipped files."""

    digest: Digest
    sought: tuple[SoughtFile, ...] = ()


def read_contents(
    stream: BinaryIO,
    asked: SearchedInput,
    limits: ArchiveLimits = _DEFAULT,
    *,
    clock: MonotonicClock = time.monotonic,
    scratch: Scratch = tempfile.TemporaryFile,
) -> Contents:
    """Return what is inside the input; whatever it holds, it does not raise."""
    found: dict[str, str] = {}
    unread: dict[str, str] = {}
    copies: dict[str, str] = {}
    fault = None
    deadline = clock() + limits.seconds
    try:
        if asked.sought:
            for digest, where in embedded_files(stream, asked.sought, Budget(limits, clock)):
                copies[digest.hex] = where
    except ArchiveError as error:
        fault = str(error)
    stream.seek(0)
    try:
        limits = replace(limits, seconds=max(deadline - clock(), 0))
        for member in members(stream, limits, clock=clock, scratch=scratch):
            if member.sha256 and member.size:
                found.setdefault(member.sha256.hex, member.path)
            if member.missed:
                fault = fault or f"{member.path}: {member.unread}"
            elif member.unread and len(unread) < _SHOWN:
                unread[member.path] = member.unread
    except ArchiveError as error:
        fault = fault or str(error)
    return Contents(
        format=4,
        input=asked.digest,
        sought=asked.sought,
        copies=copies,
        files=found,
        unread=unread,
        fault=fault,
    )


def _read_contents(
    files: Sequence[BinaryIO], parameters: SearchedInput, scratch: Scratch
) -> Contents:
    return read_contents(files[0], parameters, scratch=scratch)


CONTENTS = Reader(
    name="pipelines.judge.copied:CONTENTS",
    read=_read_contents,
    parameters=SearchedInput,
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
    searched; and of one that is declared opaque, only a copy counts.
    """
    blind: str | None = None
    for file, inside in scanned:
        for name, digest in published.items():
            where = "" if file.digest == digest else inside.files.get(digest.hex)
            if where is not None:
                place = f", in its member {where}" if where else ""
            elif digest.hex in inside.copies:
                place = f", {inside.copies[digest.hex]}"
            else:
                continue
            return f"copied-input: {name} is already in the {file.role} {file.name}{place}"
        if inside.fault and not file.opaque and blind is None:
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


def _from_row(row: bytes, asked: SearchedInput) -> Contents | None:
    """Read a cached row; None for one of another format, of another search, or damaged."""
    try:
        known = Contents.model_validate_json(row)
    except ValidationError:
        return None
    return known if (known.input, known.sought) == (asked.digest, asked.sought) else None
