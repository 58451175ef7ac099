"""What a trial of a Debian source left to compare: packages that differ, and the tools used.

Of each file of a package the start is kept, and of a package the newest time. Packages are read
forward and bounded, as every archive of a vendor, and nothing of them reaches a build. Format:
deb(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from builders.archives import ArchiveError
from builders.core.enums import Verdict
from builders.inputs.fetching import fetch_missing
from builders.jail import Jail, JailFailedError, Nothing
from builders.locators import Fetcher
from pipelines.explain.first_look import look_at
from pipelines.infer.debian.deb_content import DEB, DebContent
from pipelines.infer.target import Pin
from pipelines.infer.trial import TrialResult
from pipelines.judge.difference import MemberDiff
from pipelines.verify.session import Session

# Security fixes do not change headers: the date of the upstream version counts.
_HEADERS = "libc6-dev"
_TOOLS = frozenset({"binutils-common", "debhelper", "dpkg-dev", _HEADERS})
_TRIMMED = re.compile(
    r"data\.tar/\./usr/share/doc/[^/]+/(?:changelog|NEWS)(?:\.Debian(?:\.amd64)?)?(?:\.gz)?"
)


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
            found.append(package_pair(session.jail, pin.name, shipped, rebuilt))
    return tuple(found)


def package_pair(jail: Jail, name: str, shipped: BinaryIO, rebuilt: BinaryIO) -> PackagePair:
    """Read one artefact that differs on both sides, from seekable files."""
    try:
        look = look_at(jail, shipped, rebuilt, seconds=20).diff.members
    except JailFailedError:
        look = None
    one, other = _content(jail, shipped), _content(jail, rebuilt)
    return PackagePair(name=name, look=look, shipped=one, rebuilt=other)


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
            content = _content(session.jail, stream)
        dates = content.released.get(package.name)
        released = dates and (dates.upstream if package.name == _HEADERS else dates.version)
        if released:
            tools.append(DatedTool(name=package.name, version=package.version, released=released))
    return tuple(tools)


def _content(jail: Jail, stream: BinaryIO) -> DebContent:
    try:
        return jail.run(DEB, [stream], Nothing())
    except (ArchiveError, JailFailedError):
        return DebContent(heads={}, newest=0)
