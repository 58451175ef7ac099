"""The start of each file of a .deb and the newest time, from which causes are derived.

It is read forward and bounded, as every archive of a vendor, and nothing of it reaches a build.
Format: deb(5).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import BinaryIO

from builders.archives import ar
from builders.archives.limits import ArchiveLimits, Budget
from builders.archives.streams import ByteReader
from pipelines.infer.archive import tarred

_LIMITS = ArchiveLimits(members=50_000, unpacked=1 << 30, seconds=20)
_HEAD = 16
_TEXT = 1 << 18
_WHOLE = ("control.tar/", "data.tar/./usr/share/doc/")
_COMPILED = (b"\x7fELF", b"!<arch>\n", b"!<thin>\n")
_MARK = re.compile(rb"dded by (dh_\w+)/([0-9][0-9A-Za-z.+~]*)")
_ENTRY = re.compile(rb"^\S+ \(([^)\s]+)\) .*$|^ -- .*  (\S.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class DebContent:
    """The starts of the files of a .deb by member path; `newest` in seconds since 1970 (UTC)."""

    heads: Mapping[str, bytes]
    newest: int

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
            if path.startswith("control.tar/")
            for match in _MARK.finditer(head)
        }

    def control(self, path: str) -> bytes:
        """Return a control file without the versions in debhelper's marks."""
        return _MARK.sub(rb"dded by \1", self.heads.get(path, b""))


def read_deb(stream: BinaryIO) -> DebContent:
    """Read a .deb; raises `ArchiveError`."""
    budget = Budget(_LIMITS)
    heads: dict[str, bytes] = {}
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
                size = _TEXT if path.startswith(_WHOLE) else _HEAD
                heads[path] = ByteReader(entry.body).upto(size)
                budget.text(len(path) + len(heads[path]))
    return DebContent(heads=heads, newest=newest)


def changelog_date(content: DebContent, package: str, *, upstream: bool = False) -> datetime | None:
    """Return the date of a package's version in its own changelog; None without one.

    With `upstream`, it is the date of the first package of the same upstream version.
    """
    for name in ("changelog.Debian.gz", "changelog.gz"):
        packed = content.heads.get(f"data.tar/./usr/share/doc/{package}/{name}")
        if packed is None:
            continue
        entries = list(_entries(_unpacked(packed)))
        same = [date for version, date in entries if version == entries[0][0]]
        return (same[-1] if upstream else same[0]) if same else None
    return None


def _entries(text: bytes) -> Iterator[tuple[bytes, datetime | None]]:
    """Yield upstream version and date of each entry, the newest first."""
    upstream = b""
    for match in _ENTRY.finditer(text):
        if match[1]:
            upstream = match[1].rpartition(b"-")[0] or match[1]
        else:
            yield upstream, _date(match[2])


def _unpacked(packed: bytes) -> bytes:
    """Return the start of a gzip file; empty for one that cannot be read."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed, _TEXT)
    except zlib.error:
        return b""


def _date(text: bytes) -> datetime | None:
    try:
        return parsedate_to_datetime(text.decode("ascii", "replace")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
