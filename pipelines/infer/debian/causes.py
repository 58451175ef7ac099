"""Why Debian packages differ, or were not built: one small rule for each cause.

Evidence is in the packages: the marks that debhelper leaves in control files, compiled code, and
the dates of the tools compared with that of the release. A cause explains; it never turns a
difference into a pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from builders.core.enums import Outcome
from pipelines.infer.debian.comparison import DatedTool, PackagePair
from pipelines.infer.journal import RemainingCause
from pipelines.infer.trial import listed

_UNMET = re.compile(r"unmet build dependencies: ([^\n]+)", re.IGNORECASE)
_FAILED = re.compile(r"(?:make(?:\[\d+\])?: \*\*\* |dh_\w+: error: |error: |Error: )[^\n]+")
_CONTROL = "control.tar/./"
_SUMS = _CONTROL + "md5sums"
_FIELDS = _CONTROL + "control"
_SIZE = re.compile(rb"^Installed-Size: .*\n", re.MULTILINE)
_COMPILING = ("gcc-", "binutils", "libc6-dev")


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
class _Comparison:
    """What the rules read; `tools` are those of the image."""

    pairs: Sequence[PackagePair]
    tools: Sequence[DatedTool] = ()

    @property
    def released(self) -> datetime:
        """Return the time of the newest shipped member, which is that of the changelog."""
        return datetime.fromtimestamp(max((p.shipped.newest for p in self.pairs), default=0), UTC)

    def newer(self, *names: str) -> list[DatedTool]:
        """Return the tools whose name starts so, and whose date is after the release."""
        return [t for t in self.tools if t.name.startswith(names) and t.released > self.released]

    def marks(self) -> str:
        """Return how debhelper's own marks differ; empty when they do not, or are not there."""
        for pair in self.pairs:
            own = pair.rebuilt.helpers()
            for command, version in pair.shipped.helpers().items():
                if own.get(command, version) != version:
                    return f"{command} of debhelper {version} as shipped, {own[command]} here"
        return ""

    def evidence(self, *names: str) -> str:
        """Return what shows that tools of these names are newer than the release."""
        newer = ", ".join(map(str, self.newer(*names)))
        dated = f"newer than the release ({self.released:%Y-%m-%d}): {newer}" if newer else ""
        return "; ".join(part for part in (self.marks(), dated) if part)


def debian_causes(
    pairs: Sequence[PackagePair], tools: Sequence[DatedTool]
) -> tuple[RemainingCause, ...]:
    """Return every cause that shows in `pairs` of packages that differ; at least one."""
    comparison = _Comparison(pairs=pairs, tools=tools)
    left = {pair.name: pair.paths() for pair in pairs}
    found = []
    for name, rule, kinds in _RULES:
        files = []
        for pair in pairs:
            taken = rule(comparison, pair, left[pair.name])
            left[pair.name] = [path for path in left[pair.name] if path not in taken]
            files += _files(pair, [path for path in taken if path not in (_SUMS, _FIELDS)])
        if files:
            detail = f"{listed(files)}; {comparison.evidence(*kinds)}"
            found.append(RemainingCause(name=name, detail=detail))
    if rest := list(_rest(pairs, left)):
        found.append(RemainingCause(name=DebianCause.UNEXPLAINED, detail=listed(rest)))
    return tuple(found)


def build_failure(outcome: Outcome, log: str, reason: str) -> RemainingCause:
    """Return why nothing was built, from the outcome and the end of a build log."""
    if unmet := _UNMET.search(log):
        return RemainingCause(name=DebianCause.UNMET, detail=unmet[1].strip()[:300])
    if outcome in {Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES}:
        return RemainingCause(name=DebianCause.NO_END, detail=f"{outcome}: {reason}"[:300])
    lines = _FAILED.findall(log)
    detail = f"the build failed: {lines[0] if lines else reason}"[:300]
    return RemainingCause(name=DebianCause.UNEXPLAINED, detail=detail)


def first_trimmed(pairs: Iterable[PackagePair]) -> str:
    """Return the first changelog or NEWS that is longer as shipped, or only there; else empty."""
    found = (f"{_plain(path)} of {pair.name}" for pair in pairs for path in pair.trimmed())
    return next(found, "")


def _dropped(c: _Comparison, pair: PackagePair, _left: Sequence[str]) -> Sequence[str]:
    """Take changelogs and NEWS that debhelper trims, where it is newer than the release."""
    found = pair.trimmed() if c.newer("debhelper") else []
    return [*found, *_dependent(pair)] if found else ()


def _toolchain(c: _Comparison, pair: PackagePair, left: Sequence[str]) -> Sequence[str]:
    """Take compiled code, and control files that differ only in debhelper's marks."""
    taken = [
        path
        for path in left
        if path.startswith(_CONTROL) and pair.shipped.control(path) == pair.rebuilt.control(path)
    ]
    if c.marks() or c.newer(*_COMPILING):
        taken += [p for p in left if pair.shipped.compiled(p) and pair.rebuilt.compiled(p)]
    return [*taken, *_dependent(pair)] if taken else ()


def _dependent(pair: PackagePair) -> Iterator[str]:
    """Yield what follows from any other difference: the sums, and the installed size."""
    yield _SUMS
    shipped, rebuilt = (
        _SIZE.sub(b"", side.control(_FIELDS)) for side in (pair.shipped, pair.rebuilt)
    )
    if shipped == rebuilt:
        yield _FIELDS


def _rest(pairs: Iterable[PackagePair], left: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for pair in pairs:
        if pair.look is None:
            yield f"{pair.name}: one of the two files cannot be read"
        elif not pair.paths():
            yield f"{pair.name}: same members, with other metadata or packed differently"
        yield from _files(pair, left[pair.name])


def _files(pair: PackagePair, paths: Iterable[str]) -> list[str]:
    """Return the files that members belong to, of the side that has them, each once."""
    found: dict[str, None] = {}
    for path in paths:
        names = ((side.file_of(path), side.heads) for side in (pair.shipped, pair.rebuilt))
        found[next((name for name, heads in names if name in heads), path)] = None
    return [f"{pair.name}: {_plain(path)}" for path in found]


def _plain(path: str) -> str:
    return path.removeprefix("data.tar/./").replace(_CONTROL, "DEBIAN/")


_Rule = Callable[[_Comparison, PackagePair, Sequence[str]], Sequence[str]]
# Each rule returns the paths that its cause explains; then the names of the tools to blame.
_RULES: tuple[tuple[DebianCause, _Rule, tuple[str, ...]], ...] = (
    (DebianCause.DROPPED, _dropped, ("debhelper",)),
    (DebianCause.TOOLCHAIN, _toolchain, (*_COMPILING, "debhelper")),
)
