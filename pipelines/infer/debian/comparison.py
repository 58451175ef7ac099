"""What a trial of a Debian source left to compare: packages that differ, and the tools used.

Of each file of a package the start is kept, and of a package the newest time. Packages are read
forward and bounded, as every archive of a vendor, and nothing of them reaches a build. Format:
deb(5).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import BinaryIO

from builders.archives import ArchiveError, ar
from builders.archives.limits import ArchiveLimits, Budget
from builders.archives.streams import ByteReader
from builders.core.enums import Verdict
from builders.inputs.fetching import fetch_missing
from builders.locators import Fetcher
from pipelines.explain.quickdiff import quick_diff
from pipelines.infer.archive import tarred
from pipelines.infer.target import Pin
from pipelines.infer.trial import TrialResult
from pipelines.judge.finding import MemberDiff
from pipelines.verify.session import Session

_LIMITS = ArchiveLimits(members=50_000, unpacked=1 << 30, seconds=20)
_HEAD = 16
_TEXT = 1 << 18
_WHOLE = ("control.tar/", "data.tar/./usr/share/doc/")
_COMPILED = (b"\x7fELF", b"!<arch>\n", b"!<thin>\n")
_MARK = re.compile(rb"dded by (dh_\w+)/([0-9][0-9A-Za-z.+~]*)")
_ENTRY = re.compile(rb"^\S+ \(([^)\s]+)\) .*$|^ -- .*  (\S.*)$", re.MULTILINE)
# Security fixes do not change headers: the date of the upstream version counts.
_HEADERS = "libc6-dev"
_TOOLS = frozenset({"binutils-common", "debhelper", "dpkg-dev", _HEADERS})
_TRIMMED = re.compile(
    r"data\.tar/\./usr/share/doc/[^/]+/(?:changelog|NEWS)(?:\.Debian(?:\.amd64)?)?(?:\.gz)?"
)


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


@dataclass(frozen=True, kw_only=True)
class DatedTool:
    """A package of the builder image that makes bytes, and the date of its version."""

    name: str
    version: str
    released: datetime

    def __str__(self) -> str:
        """Return name, version and day."""
        return f"{self.name} {self.version} ({self.released:%Y-%m-%d})"


@dataclass(frozen=True, kw_only=True)
class PackagePair:
    """One artefact that differs; `look` is None when one of the two could not be read."""

    name: str
    look: MemberDiff | None
    shipped: DebContent
    rebuilt: DebContent

    def paths(self) -> list[str]:
        """Return the members that differ in content, or that only one side has."""
        if self.look is None:
            return []
        changed = (member.path for member in self.look.changed)
        alone = (member.path for member in (*self.look.removed, *self.look.added))
        return list(dict.fromkeys((*changed, *alone)))

    def trimmed(self) -> list[str]:
        """Return the changelogs and NEWS that are longer as shipped, or only there."""
        if self.look is None:
            return []
        shorter = (
            member.path
            for member in self.look.changed
            if (member.shipped.size or 0) > (member.rebuilt.size or 0)
        )
        gone = (member.path for member in self.look.removed)
        return [path for path in (*shorter, *gone) if _TRIMMED.fullmatch(path)]


def compare_packages(
    session: Session, artefacts: Iterable[Pin], result: TrialResult
) -> tuple[PackagePair, ...]:
    """Return the artefacts that differ, read on both sides; fetches the shipped ones."""
    differing = {f.name for f in result.findings if f.verdict is Verdict.DIFFERENT}
    pins = [pin for pin in artefacts if pin.name in differing]
    own = {path.name: path for path in result.outputs}
    fetch_missing(session.vault, session.fetcher, pins, session.workdir)
    found = []
    for pin in pins:
        with session.vault.open(pin.sha256) as shipped, own[pin.name].open("rb") as rebuilt:
            found.append(package_pair(pin.name, shipped, rebuilt))
    return tuple(found)


def package_pair(name: str, shipped: BinaryIO, rebuilt: BinaryIO) -> PackagePair:
    """Read one artefact that differs on both sides, from seekable files."""
    look = quick_diff(shipped, rebuilt, seconds=20).members
    return PackagePair(name=name, look=look, shipped=_content(shipped), rebuilt=_content(rebuilt))


def dated_tools(
    session: Session, image: str, added: Sequence[str], *, fetcher: Fetcher | None = None
) -> tuple[DatedTool, ...]:
    """Return the tools of an image, those `added` to it among them; fetches their packages."""
    lock = session.images.lock(image)
    named = {*_TOOLS, *(word.partition("=")[0] for word in added)}
    compiler = re.compile(r"gcc-.*-base").fullmatch
    found = [p for p in lock.every() if p.name in named or compiler(p.name)]
    wants = [package.fetch_request(lock.suite) for package in found]
    fetch_missing(session.vault, fetcher or session.fetcher, wants, session.workdir)
    tools = []
    for package in found:
        with session.vault.open(package.sha256) as stream:
            content = _content(stream)
        released = changelog_date(content, package.name, upstream=package.name == _HEADERS)
        if released is not None:
            tools.append(DatedTool(name=package.name, version=package.version, released=released))
    return tuple(tools)


def _content(stream: BinaryIO) -> DebContent:
    stream.seek(0)
    try:
        return read_deb(stream)
    except ArchiveError:
        return DebContent(heads={}, newest=0)
