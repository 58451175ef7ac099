"""What a shipped wheel tells of its making: names, times, modes, and the words of its backend.

Facts are read here, on the judge's side, and only typed scalars leave: a rebuild never sees a
member of the shipped file. Reading is bounded, whatever the file holds.
"""

from __future__ import annotations

import base64
import csv
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from builders.archives import ArchiveError, ArchiveLimits, Member, members
from builders.core.errors import InputMismatchError

MAX_TEXT = 4 << 20
_LIMITS = ArchiveLimits(members=100_000, unpacked=4 << 30, seconds=60)
_UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")


@dataclass(frozen=True, kw_only=True)
class WheelFacts:
    """One wheel, as far as inference reads it. Times are a zip's, read as UTC."""

    name: str
    members: tuple[Member, ...]
    """Of the wheel itself, in its order; nested archives are single files."""
    dist_info: str
    """The folder, without a slash."""
    wheel: Message
    metadata: Message
    texts: Mapping[str, bytes]
    """The content of the `.dist-info` files that are text of the backend, by their short name."""
    record_faults: tuple[str, ...]
    """What RECORD says wrongly of the members."""

    @property
    def generator(self) -> str:
        """Return the `Generator:` line of WHEEL."""
        return str(self.wheel.get("Generator", "")).strip()

    def files(self) -> tuple[Member, ...]:
        """Return the members that are files."""
        return tuple(member for member in self.members if member.kind == "file")

    def generated(self) -> tuple[Member, ...]:
        """Return the files that every backend writes itself."""
        own = {f"{self.dist_info}/{name}" for name in ("METADATA", "WHEEL", "RECORD")}
        return tuple(member for member in self.files() if member.path in own)

    def short(self, member: Member) -> str:
        """Return the name of a file of `.dist-info`, or its path."""
        return member.path.removeprefix(f"{self.dist_info}/")


def read_wheel(path: Path, name: str) -> WheelFacts:
    """Read the facts of the wheel at `path`; raises `InputMismatchError` for what is no wheel."""
    try:
        with path.open("rb") as stream:
            found = tuple(m for m in members(stream, _LIMITS) if m.inside == "")
    except ArchiveError as error:
        raise InputMismatchError(
            f"{name} cannot be read", got=error, expected="a sound wheel"
        ) from error
    folders = {
        m.path.partition("/")[0] for m in found if m.path.partition("/")[0].endswith(".dist-info")
    }
    if len(folders) != 1:
        raise InputMismatchError(
            f"{name} is no wheel", got=f"{len(folders)} folders .dist-info", expected="one"
        )
    (folder,) = folders
    with zipfile.ZipFile(path) as archive:
        texts = {
            m.path.removeprefix(f"{folder}/"): _text(archive, m)
            for m in found
            if m.path.startswith(f"{folder}/") and m.kind == "file" and (m.size or 0) <= MAX_TEXT
        }
    if missing := [n for n in ("WHEEL", "METADATA", "RECORD") if n not in texts]:
        raise InputMismatchError(
            f"{name} is no wheel", got=f"no {missing[0]} of readable size", expected="one"
        )
    return WheelFacts(
        name=name,
        members=found,
        dist_info=folder,
        wheel=headers(texts["WHEEL"]),
        metadata=headers(texts["METADATA"]),
        texts=texts,
        record_faults=tuple(_record_faults(texts["RECORD"], found, folder)),
    )


def headers(text: bytes) -> Message:
    """Read the headers of METADATA or WHEEL."""
    return HeaderParser().parsestr(text.decode("utf-8", "replace"))


def _text(archive: zipfile.ZipFile, member: Member) -> bytes:
    try:
        with archive.open(member.path) as stream:
            return stream.read(MAX_TEXT)
    except (KeyError, OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise InputMismatchError(
            "a wheel cannot be read", got=f"{member.path}: {error}", expected="a sound wheel"
        ) from error


def _record_faults(text: bytes, found: tuple[Member, ...], folder: str) -> list[str]:
    """Compare RECORD with the members, by the wheel specification (PEP 427)."""
    rows: dict[str, tuple[str, str]] = {}
    try:
        for row in csv.reader(io.StringIO(text.decode("utf-8", "replace"), newline="")):
            if len(row) == 3:
                rows[row[0]] = (row[1], row[2])
    except csv.Error as error:
        return [f"RECORD cannot be read: {error}"]
    unhashed = {f"{folder}/{name}" for name in _UNHASHED}
    faults = []
    for member in found:
        if member.kind != "file" or member.path in unhashed or member.sha256 is None:
            continue
        entry = rows.pop(member.path, None)
        raw = base64.urlsafe_b64encode(bytes.fromhex(member.sha256.hex)).rstrip(b"=").decode()
        if entry is None:
            faults.append(f"{member.path} is not in RECORD")
        elif entry[0].startswith("sha256=") and entry[0] != f"sha256={raw}":
            faults.append(f"RECORD has another digest of {member.path}")
        elif entry[1] and entry[1] != str(member.size):
            faults.append(f"RECORD has another size of {member.path}")
    faults += [f"RECORD names {path}, which is not there" for path in rows if path not in unhashed]
    return faults
