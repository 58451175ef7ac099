"""No copying: an input that already holds an artefact under test proves nothing about its source.

Inputs never change, so what is inside one is found once and can be cached under its digest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, Protocol

from pydantic import Field, ValidationError

from builders.archives import ArchiveError, ArchiveLimits, Member, MonotonicClock, members
from builders.core.digest import Digest
from builders.core.enums import Role
from builders.core.frozen_model import FrozenModel
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

    format: Literal[1]
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


def contents(
    file: CheckedInput,
    *,
    limits: ArchiveLimits = _DEFAULT,
    clock: MonotonicClock = time.monotonic,
    cache: ContentsCache | None = None,
) -> Contents:
    """Return what is inside `file`, from `cache` if it is there.

    Never raises for what the file holds: a fault is part of the answer, and is not cached, since
    other limits or another machine may do better.
    """
    if cache and (row := cache.get(file.digest)) and (known := _from_row(row, file.digest)):
        return known
    found: dict[str, str] = {}
    unread: dict[str, str] = {}
    fault = None
    try:
        with file.open() as stream:
            for member in members(stream, limits, clock=clock):
                if member.sha256 and member.size:
                    found.setdefault(member.sha256.hex, member.path)
                if member.missed:
                    fault = f"{member.path}: {member.unread}"
                elif member.unread and len(unread) < _SHOWN:
                    unread[member.path] = member.unread
    except ArchiveError as error:
        fault = str(error)
    result = Contents(format=1, input=file.digest, files=found, unread=unread, fault=fault)
    if cache and fault is None:
        cache.put(file.digest, result.model_dump_json().encode())
    return result


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
    rebuilt: Iterable[Member], scanned: Iterable[tuple[CheckedInput, Contents]]
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
        if member.sha256 and member.size and member.size >= TINY
        if member.sha256.hex in others and member.sha256.hex not in reviewed
    )


def _from_row(row: bytes, digest: Digest) -> Contents | None:
    """Read a cached row; None for one of another format, of another input, or damaged."""
    try:
        known = Contents.model_validate_json(row)
    except ValidationError:
        return None
    return known if known.input == digest else None
