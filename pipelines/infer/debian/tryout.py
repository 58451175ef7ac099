"""One try of a Debian source: a real rebuild in a container, judged by digests, then looked at."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from builders.archives import ArchiveError
from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.runid import RunId
from builders.images.lock import LockedPackage
from builders.images.provide import claimed_digest
from builders.inputs.fetching import fetch_missing
from builders.recipe.claim import claim_of
from pipelines.explain.firstlook import first_look
from pipelines.infer.debian.causes import Contrast, Tool
from pipelines.infer.debian.debfile import DebContent, changelog_date, read_deb
from pipelines.infer.debian.draft import Attempt, debian_draft
from pipelines.infer.debian.source import SourcePackage
from pipelines.infer.wheel.draft import load_draft
from pipelines.infer.wheel.target import Pin, fetch
from pipelines.infer.wheel.tryout import Judged, rebuild_draft
from pipelines.judge.finding import Finding
from pipelines.judge.look import FileFact
from pipelines.verify.session import Session

_TOOLS = ("binutils-common", "debhelper", "dpkg-dev")
_HEADERS = "libc6-dev"
"""Security fixes leave headers alone: what counts is when the upstream version came."""
_COMPILER = ("gcc-", "-base")


@dataclass(frozen=True, kw_only=True)
class TriedSource:
    """How one try went; `seconds` of wall time. `contrasts` are of the packages that differ."""

    claim: Digest
    outcome: Outcome
    reason: str
    seconds: float
    findings: tuple[Finding, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    log: str = ""
    """The end of the build log."""


class SourceTryout(Protocol):
    """Tries hypotheses for one source package."""

    def run(self, attempt: Attempt, *, seconds: int) -> TriedSource:
        """Rebuild within `seconds`, judge, and look at what differs."""

    def tools(self, attempt: Attempt) -> tuple[Tool, ...]:
        """Return the tools that made the bytes of a try."""


class ContainerSourceTryout:
    """Tries in containers of the center's engine; without scheduler, statements or evidence."""

    def __init__(self, shop: Session, package: SourcePackage, run: RunId, folder: Path) -> None:
        """Work in `folder`, under `run`."""
        self._shop, self._package = shop, package
        self._run, self._folder = run, folder
        self._count = 0
        self._served = {
            pin.name: FileFact(sha256=pin.sha256, size=package.sizes[pin.name])
            for pin in package.artefacts
        }

    def run(self, attempt: Attempt, *, seconds: int) -> TriedSource:
        """Rebuild, judge and look; see `SourceTryout`."""
        start = time.monotonic()
        self._count += 1
        loaded = load_draft(debian_draft(self._package, attempt), self._folder)
        claim = claim_of(loaded, claimed_digest(attempt.image, self._shop.images)).digest
        judged = rebuild_draft(
            loaded,
            self._shop,
            self._run,
            self._folder / f"try-{self._count}",
            served=self._served,
            seconds=seconds,
        )
        contrasts = tuple(self._contrasts(judged))
        return TriedSource(
            claim=claim,
            outcome=judged.rebuild.outcome,
            reason=judged.rebuild.reason or "",
            seconds=round(time.monotonic() - start, 3),
            findings=judged.findings,
            contrasts=contrasts,
            log=judged.log,
        )

    def tools(self, attempt: Attempt) -> tuple[Tool, ...]:
        """Return the tools of an image with their dates; see `SourceTryout`."""
        lock = self._shop.images.lock(attempt.image)
        found = [p for p in lock.every() if _is_tool(p.name, attempt.added)]
        wants = [package.want(lock.suite) for package in found]
        fetch_missing(self._shop.vault, self._shop.fetcher, wants, self._shop.workdir)
        return tuple(tool for package in found for tool in self._dated(package))

    def _dated(self, package: LockedPackage) -> Iterator[Tool]:
        with self._shop.vault.open(package.sha256) as stream:
            content = _content(stream)
        released = changelog_date(content, package.name, upstream=package.name == _HEADERS)
        if released is not None:
            yield Tool(name=package.name, version=package.version, released=released)

    def _contrasts(self, judged: Judged) -> Iterator[Contrast]:
        differing = {f.name for f in judged.findings if f.verdict is Verdict.DIFFERENT}
        pins = [pin for pin in self._package.artefacts if pin.name in differing]
        fetch(pins, self._shop.vault, self._shop.fetcher, self._shop.workdir)
        for pin in pins:
            yield self._contrast(pin, judged.folder / pin.name)

    def _contrast(self, pin: Pin, own: Path) -> Contrast:
        with self._shop.vault.open(pin.sha256) as shipped, own.open("rb") as rebuilt:
            look = first_look(shipped, rebuilt, seconds=20)
            return Contrast(
                name=pin.name,
                look=look.members,
                shipped=_content(shipped),
                rebuilt=_content(rebuilt),
            )


def _is_tool(name: str, added: tuple[str, ...]) -> bool:
    compiler = name.startswith(_COMPILER[0]) and name.endswith(_COMPILER[1])
    asked = (word.partition("=")[0] for word in added)
    return compiler or name in (*_TOOLS, _HEADERS, *asked)


def _content(stream: BinaryIO) -> DebContent:
    stream.seek(0)
    try:
        return read_deb(stream)
    except ArchiveError:
        return DebContent(heads={}, newest=0)
