"""What is read of a .deb: starts of its files, dates of its changelogs. Read in the jail.

Packages are read forward and bounded, as every archive of a vendor, and nothing of them reaches a
build. Format: deb(5).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import BinaryIO, ClassVar

from pydantic import ConfigDict, TypeAdapter

from builders.archives import ArchiveError, ArchiveLimits, Scratch, ar
from builders.archives.limits import Budget
from builders.archives.streams import ByteReader
from builders.jail.file_reader import JailLimits, Nothing, Reader
from pipelines.infer.archive import tarred

_LIMITS = ArchiveLimits(members=50_000, unpacked=1 << 30, seconds=20)
_HEAD = 16
_TEXT = 1 << 18
_CONTROL = "control.tar/"
_CHANGELOG = re.compile(r"data\.tar/\./usr/share/doc/([^/]+)/(changelog(?:\.Debian)?\.gz)")
_NATIVE = "changelog.gz"
_ENTRY = re.compile(rb"^\S+ \(([^)\s]+)\) .*$|^ -- .*  (\S.*)$", re.MULTILINE)
_COMPILED = (b"\x7fELF", b"!<arch>\n", b"!<thin>\n")
_MARK = re.compile(rb"dded by (dh_\w+)/([0-9][0-9A-Za-z.+~]*)")


@dataclass(frozen=True, kw_only=True)
class Released:
    """When the version of a package was released, by its changelog; None without a date."""

    version: datetime | None
    upstream: datetime | None
    """The first package of the same upstream version."""


@dataclass(frozen=True, kw_only=True)
class DebContent:
    """The starts of the files of a .deb by member path; `newest` in seconds since 1970 (UTC).

    `released` has the packages of which it holds a changelog, by name.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        ser_json_bytes="base64", val_json_bytes="base64"
    )

    heads: Mapping[str, bytes]
    newest: int
    released: Mapping[str, Released] = field(default_factory=dict)

    def file_of(self, path: str) -> str:
        """Return the file that a member belongs to: itself, or what it was unpacked from."""
        for suffix in ("", ".gz", ".xz", ".bz2", ".zst"):
            if path + suffix in self.heads:
                return path + suffix
        parts = path.split("/")
        above = ("/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))
        return next((name for name in above if name in self.heads), path)

    def compiled(self, path: str) -> bool:
        """Say whether a member is, or is part of, compiled and linked code."""
        return self.heads.get(self.file_of(path), b"").startswith(_COMPILED)

    def helpers(self) -> dict[str, str]:
        """Return the versions of debhelper that its own marks in the control files name."""
        return {
            match[1].decode(): match[2].decode()
            for path, head in self.heads.items()
            if path.startswith(_CONTROL)
            for match in _MARK.finditer(head)
        }

    def control(self, path: str) -> bytes:
        """Return a control file without the versions in debhelper's marks."""
        return _MARK.sub(rb"dded by \1", self.heads.get(path, b""))


def read_deb(stream: BinaryIO) -> DebContent:
    """Read a .deb; raises `ArchiveError`."""
    budget = Budget(_LIMITS)
    heads: dict[str, bytes] = {}
    changelogs: dict[str, bytes] = {}
    newest = 0
    for outer in ar.ar_entries(ByteReader(stream)):
        budget.member()
        if outer.body is None or not outer.header.path.startswith(("control.tar", "data.tar")):
            continue
        prefix = outer.header.path.partition(".")[0] + ".tar/"
        for entry in tarred(ByteReader(outer.body), budget):
            budget.member()
            newest = max(newest, entry.header.mtime or 0)
            if entry.body is not None:
                path = prefix + entry.header.path
                log = _CHANGELOG.fullmatch(path)
                start = ByteReader(entry.body).upto(
                    _TEXT if log or path.startswith(_CONTROL) else _HEAD
                )
                if log and (log[2] != _NATIVE or log[1] not in changelogs):
                    changelogs[log[1]] = start
                heads[path] = start[:_HEAD] if log else start
                budget.text(len(path) + len(start))
    released = {package: _released(packed) for package, packed in changelogs.items()}
    return DebContent(heads=heads, newest=newest, released=released)


def _released(packed: bytes) -> Released:
    """Read a changelog that gzip has packed: the start of it, and none of a damaged one."""
    try:
        text = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed, _TEXT)
    except zlib.error:
        text = b""
    entries = list(_entries(text))
    same = [date for version, date in entries if version == entries[0][0]]
    return Released(version=same[0] if same else None, upstream=same[-1] if same else None)


def _entries(text: bytes) -> Iterator[tuple[bytes, datetime | None]]:
    """Yield upstream version and date of each entry, the newest first."""
    upstream = b""
    for match in _ENTRY.finditer(text):
        if match[1]:
            upstream = match[1].rpartition(b"-")[0] or match[1]
        else:
            yield upstream, _date(match[2])


def _date(text: bytes) -> datetime | None:
    try:
        return parsedate_to_datetime(text.decode("ascii", "replace")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _read(files: Sequence[BinaryIO], _: Nothing, __: Scratch) -> DebContent:
    return read_deb(files[0])


DEB = Reader(
    name="pipelines.infer.debian.deb_content:DEB",
    read=_read,
    parameters=Nothing,
    result=TypeAdapter(DebContent),
    limits=JailLimits(seconds=_LIMITS.seconds + 5, answer=128 << 20),
    errors=(ArchiveError,),
)
"""Reads a .deb."""
