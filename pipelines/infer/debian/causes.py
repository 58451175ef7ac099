"""Why Debian packages differ, or were not built: one small rule a cause.

What can be seen is seen in the packages: the marks that debhelper leaves in control files, compiled
code, the dates of the tools beside that of the release. A cause explains; it never turns a
difference into a pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from builders.core.enums import Outcome
from pipelines.infer.debian.debfile import DebContent
from pipelines.judge.look import MemberLook

_SHOWN = 3
_UNMET = re.compile(r"unmet build dependencies: ([^\n]+)", re.IGNORECASE)
_FAILED = re.compile(r"(?:make(?:\[\d+\])?: \*\*\* |dh_\w+: error: |error: |Error: )[^\n]+")
_CONTROL = "control.tar/./"
_SUMS = _CONTROL + "md5sums"
_FIELDS = _CONTROL + "control"
_SIZE = re.compile(rb"^Installed-Size: .*\n", re.MULTILINE)
_COMPILING = ("gcc-", "binutils", "libc6-dev")
_TRIMMED = re.compile(
    r"data\.tar/\./usr/share/doc/[^/]+/(?:changelog|NEWS)(?:\.Debian(?:\.amd64)?)?(?:\.gz)?"
)


class DebianCause(StrEnum):
    """Why a rebuilt Debian package differs from the shipped one, or was not rebuilt."""

    TOOLCHAIN = "toolchain-drift"
    DROPPED = "files-dropped-by-newer-debhelper"
    REBUILT_ALONE = "binary-only-rebuild"
    RECORDED = "recorded-versions-not-in-image"
    UNMET = "unmet-build-dependency"
    CONFLICT = "build-conflict"
    NO_IMAGE = "image-cannot-be-derived"
    NOT_SERVED = "source-answers-404"
    MISMATCH = "source-files-do-not-match"
    ONLY_UDEBS = "only-udebs"
    NOT_SHIPPED = "nothing-shipped-for-amd64"
    NO_END = "build-does-not-end"
    UNEXPECTED = "unexpected-output"
    MISSING = "package-not-built"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One cause, and what it was seen in."""

    name: DebianCause
    detail: str


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A package of the builder image that makes bytes, and when its version came out."""

    name: str
    version: str
    released: datetime

    def __str__(self) -> str:
        """Return name, version and day."""
        return f"{self.name} {self.version} ({self.released:%Y-%m-%d})"


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """One artefact that differs; `look` is None when one of the two could not be read."""

    name: str
    look: MemberLook | None
    shipped: DebContent
    rebuilt: DebContent

    def paths(self) -> list[str]:
        """Return the members that differ in content, or that only one side has."""
        if self.look is None:
            return []
        changed = (member.path for member in self.look.changed)
        alone = (member.path for member in (*self.look.removed, *self.look.added))
        return list(dict.fromkeys((*changed, *alone)))

    def cut(self) -> list[str]:
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


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the rules look at; `tools` are those of the image."""

    contrasts: tuple[Contrast, ...]
    tools: tuple[Tool, ...] = ()

    @property
    def released(self) -> datetime:
        """Return the time of the newest shipped member, which is that of the changelog."""
        newest = max((c.shipped.newest for c in self.contrasts), default=0)
        return datetime.fromtimestamp(newest, UTC)

    def newer(self, *kinds: str) -> list[Tool]:
        """Return the tools of these names that came out after the release."""
        return [t for t in self.tools if t.name.startswith(kinds) and t.released > self.released]

    def marks(self) -> str:
        """Return how debhelper's own marks differ; empty when they do not, or are not there."""
        for contrast in self.contrasts:
            own = contrast.rebuilt.helpers()
            for command, version in contrast.shipped.helpers().items():
                if own.get(command, version) != version:
                    return f"{command} of debhelper {version} as shipped, {own[command]} here"
        return ""


def causes(case: Case) -> tuple[Cause, ...]:
    """Return every cause that shows in packages that differ; never none."""
    left = {c.name: c.paths() for c in case.contrasts}
    found = []
    for name, rule in _RULES.items():
        seen = []
        for contrast in case.contrasts:
            taken = rule(case, contrast, left[contrast.name])
            left[contrast.name] = [p for p in left[contrast.name] if p not in taken]
            seen += _files(contrast, [p for p in taken if p not in (_SUMS, _FIELDS)])
        if seen:
            found.append(Cause(name=name, detail=f"{_shown(seen)}; {_evidence(name, case)}"))
    if rest := list(_rest(case, left)):
        found.append(Cause(name=DebianCause.UNEXPLAINED, detail=_shown(rest)))
    return tuple(found)


def failure(outcome: Outcome, log: str, reason: str) -> Cause:
    """Return why nothing was built, from the outcome and the end of a build log."""
    if unmet := _UNMET.search(log):
        return Cause(name=DebianCause.UNMET, detail=unmet[1].strip()[:300])
    if outcome in {Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES}:
        return Cause(name=DebianCause.NO_END, detail=f"{outcome}: {reason}"[:300])
    lines = _FAILED.findall(log)
    said = lines[0] if lines else reason
    return Cause(name=DebianCause.UNEXPLAINED, detail=f"the build failed: {said}"[:300])


def trimmed(contrasts: Iterable[Contrast]) -> str:
    """Return the first changelog or NEWS that is longer as shipped, or only there; else empty."""
    for contrast in contrasts:
        for path in contrast.cut():
            return f"{_plain(path)} of {contrast.name}"
    return ""


Rule = Callable[[Case, Contrast, Sequence[str]], Sequence[str]]
"""Returns paths that the cause explains, of those that are left and perhaps of others."""


def _dropped(case: Case, contrast: Contrast, _left: Sequence[str]) -> Sequence[str]:
    """Take changelogs and NEWS that debhelper cuts, where it is newer than the release."""
    if not case.newer("debhelper"):
        return ()
    gone = contrast.cut()
    return [*gone, *_control(contrast)] if gone else ()


def _toolchain(case: Case, contrast: Contrast, left: Sequence[str]) -> Sequence[str]:
    """Take compiled code, and control files that differ only in debhelper's marks."""
    taken = [
        path
        for path in left
        if path.startswith(_CONTROL)
        and contrast.shipped.control(path) == contrast.rebuilt.control(path)
    ]
    if case.marks() or case.newer(*_COMPILING):
        taken += [p for p in left if contrast.shipped.compiled(p) and contrast.rebuilt.compiled(p)]
    return [*taken, *_control(contrast)] if taken else ()


def _control(contrast: Contrast) -> Iterator[str]:
    """Yield what follows from any other difference: the sums, and the installed size."""
    yield _SUMS
    fields = [
        _SIZE.sub(b"", side.control(_FIELDS)) for side in (contrast.shipped, contrast.rebuilt)
    ]
    if fields[0] == fields[1]:
        yield _FIELDS


def _rest(case: Case, left: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for contrast in case.contrasts:
        if contrast.look is None:
            yield f"{contrast.name}: one of the two files cannot be read"
        elif not contrast.paths():
            yield f"{contrast.name}: same members, with other metadata or packed differently"
        yield from _files(contrast, left[contrast.name])


def _evidence(name: DebianCause, case: Case) -> str:
    kinds = ("debhelper",) if name is DebianCause.DROPPED else (*_COMPILING, "debhelper")
    newer = ", ".join(str(tool) for tool in case.newer(*kinds))
    said = f"newer than the release ({case.released:%Y-%m-%d}): {newer}" if newer else ""
    return "; ".join(part for part in (case.marks(), said) if part)


def _files(contrast: Contrast, paths: Iterable[str]) -> list[str]:
    """Name the files that members belong to, each once."""
    found = dict.fromkeys(_file(contrast, path) for path in paths)
    return [f"{contrast.name}: {_plain(path)}" for path in found]


def _file(contrast: Contrast, path: str) -> str:
    """Return the file that a member belongs to, of the side that has it."""
    for side in (contrast.shipped, contrast.rebuilt):
        if (name := side.file_of(path)) in side.heads:
            return name
    return path


def _plain(path: str) -> str:
    return path.removeprefix("data.tar/./").replace(_CONTROL, "DEBIAN/")


def _shown(seen: Sequence[str]) -> str:
    more = f" and {len(seen) - _SHOWN} more" if len(seen) > _SHOWN else ""
    return ", ".join(seen[:_SHOWN]) + more


_RULES: dict[DebianCause, Rule] = {
    DebianCause.DROPPED: _dropped,
    DebianCause.TOOLCHAIN: _toolchain,
}
