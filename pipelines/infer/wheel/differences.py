"""Why a rebuilt wheel differs from the shipped one: one small rule for each cause.

This runs on the judge's side, after the digests were found unequal. A cause explains; it never
turns a difference into a pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from builders.core.enums import Outcome
from pipelines.infer.journal import RemainingCause, WheelDifferences
from pipelines.infer.trial import listed
from pipelines.infer.wheel.clues import Clues
from pipelines.infer.wheel.toolchain import generator_of

# Seconds between the files of one build, at most.
_ONE_BUILD = 120
_PYTHON_NAME = re.compile(r"-py\d+\.\d+[-.]|\.cpython-\d+|-py2-none-any")
_OLD_PYTHON = re.compile(
    r"(?:AttributeError|ImportError|ModuleNotFoundError|SyntaxError|TypeError)[^\n]*"
)
_BACKEND_FILES = (
    "METADATA", "WHEEL", "entry_points.txt", "top_level.txt", "zip-safe", "metadata.json",
    "DESCRIPTION.rst", "dependency_links.txt", "namespace_packages.txt", "pbr.json",
)  # fmt: skip


class WheelCause(StrEnum):
    """Why a rebuilt wheel differs from the shipped one."""

    GENERATED_TIMES = "generated-times"
    MODES = "modes"
    METADATA = "metadata-of-another-backend"
    RECORD_ORDER = "record-order"
    LINE_ENDINGS = "line-endings"
    SDIST_LACKS = "files-the-sdist-lacks"
    VENDOR_ADDED = "files-added-by-the-vendor"
    VERSION_STRINGS = "version-strings"
    COMPRESSION = "compression"
    PYTHON_VERSION = "python-version"
    NO_END = "build-does-not-end"
    BUILD_NEEDS = "build-needs-what-is-not-there"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    """What the rules read."""

    clues: Clues
    differences: WheelDifferences

    def by_backend(self, path: str) -> bool:
        """Say whether backends write this file themselves."""
        folder, _, name = path.rpartition("/")
        return folder == self.clues.shipped.dist_info and name in _BACKEND_FILES

    def in_dist_info(self, path: str) -> bool:
        """Say whether a member is in the folder that backends fill."""
        return path.startswith(f"{self.clues.shipped.dist_info}/")

    def in_source(self, path: str) -> bool:
        """Say whether the source has the bytes of a shipped member; of an empty one, the name."""
        member = next(m for m in self.clues.shipped.files() if m.path == path)
        same = self.clues.source.by_digest().get(member.sha256, [])
        name = f"/{path.rpartition('/')[2]}"
        return any(member.size or f"/{file.path}".endswith(name) for file in same)

    def changed(self) -> list[str]:
        """Return the files with other content that no backend writes."""
        d = self.differences
        return [p for p in d.content if not self.by_backend(p) and p not in d.line_endings]


def wheel_causes(clues: Clues, differences: WheelDifferences) -> tuple[RemainingCause, ...]:
    """Return every cause that shows, in the order of the rules; at least `UNEXPLAINED`."""
    comparison = _Comparison(clues=clues, differences=differences)
    found = [
        RemainingCause(name=name, detail=listed(paths))
        for name, rule in _RULES.items()
        if (paths := list(rule(comparison)))
    ]
    return tuple(found) or (_unexplained_by("no rule covers what differs"),)


def build_failure(outcome: Outcome, log: str, generator: str) -> RemainingCause:
    """Return why nothing was built, from the outcome and the end of a build log."""
    if outcome in {Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES}:
        return RemainingCause(name=WheelCause.NO_END, detail=f"{outcome}: it met its limits")
    lines = [m[0] for m in _OLD_PYTHON.finditer(log)]
    if any("No module named" in line for line in lines[-1:]) or "No matching distribution" in log:
        detail = (lines or ["a project"])[-1][:160]
        return RemainingCause(name=WheelCause.BUILD_NEEDS, detail=detail)
    if lines:
        known = generator_of(generator)
        what = f"{known.project} {known.version}" if known else "the backend"
        detail = f"{what} does not run on the Pythons at hand: {lines[-1][:160]}"
        return RemainingCause(name=WheelCause.PYTHON_VERSION, detail=detail)
    last = [line.strip() for line in log.splitlines() if line.strip()]
    return _unexplained_by(f"the build failed: {(last or ['?'])[-1][:160]}")


def is_hopeless(clues: Clues, differences: WheelDifferences) -> bool:
    """Say whether no environment can explain the rest, so that further trials are useless.

    Either bytes are shipped that are in no source, and an environment makes no files; or only
    times within one build are left, which no declared environment sets.
    """
    comparison, d = _Comparison(clues=clues, differences=differences), differences
    if any(True for rule in (_vendor_added, _sdist_lacks) for _ in rule(comparison)):
        return True
    if d.only_shipped or d.only_rebuilt or d.content or d.modes or d.packing:
        return False
    if d.order or d.record_order:  # folders may list their files in the order of creation
        return False
    return all(
        abs((shipped or 0) - (rebuilt or 0)) <= _ONE_BUILD for shipped, rebuilt in d.times.values()
    )


def _unexplained_by(detail: str) -> RemainingCause:
    return RemainingCause(name=WheelCause.UNEXPLAINED, detail=detail)


def _vendor_added(c: _Comparison) -> Iterable[str]:
    """Yield files only shipped that are in no folder of the source, or made from a file of it."""
    source = c.clues.source.files
    folders = {part for path in source for part in path.split("/")[:-1]}
    for path in c.differences.only_shipped:
        if c.in_source(path) or _PYTHON_NAME.search(path):
            continue
        stem = path.rpartition(".")[0]
        derived = "/" in stem and any(name.endswith(stem) for name in source)
        folder = path.rpartition("/")[0].rpartition("/")[2]
        if derived or (not c.in_dist_info(path) and folder not in folders):
            yield path


def _sdist_lacks(c: _Comparison) -> Iterable[str]:
    """Yield files only shipped that the source does not have, and lists of its packages."""
    added = set(_vendor_added(c))
    for path in c.differences.only_shipped:
        known = c.in_source(path) or c.by_backend(path) or path in added
        if not (known or _PYTHON_NAME.search(path)):
            yield path
    yield from (f"{name}, named in top_level.txt" for name in c.differences.lost_packages)


def _unexplained(c: _Comparison) -> Iterable[str]:
    """Yield files whose other content has no other cause."""
    d = c.differences
    yield from (p for p in c.changed() if p not in d.version_strings)
    made = {path.rpartition(".")[0] for path in _vendor_added(c)}  # the vendor kept no original
    for path in d.only_rebuilt:
        if not (_PYTHON_NAME.search(path) or path in made or c.in_dist_info(path)):
            yield path
    yield from (p for p in d.only_shipped if c.in_source(p) and not c.in_dist_info(p))


def _metadata(c: _Comparison) -> Iterable[str]:
    d = c.differences
    lacking = f"{c.clues.shipped.dist_info}/top_level.txt" if d.lost_packages else ""
    names = [p for p in d.content if c.by_backend(p) and p != lacking]
    names += [
        p for p in d.only_shipped if c.by_backend(p) or (c.in_dist_info(p) and c.in_source(p))
    ]
    names += [p for p in d.only_rebuilt if c.in_dist_info(p)]
    for path in names:
        lines = [x.strip() for x in d.metadata if path.endswith("/METADATA") and len(x.strip()) > 1]
        yield f"{path.rpartition('/')[2]} ({'; '.join(lines[:2])})" if lines else path


def _python(c: _Comparison) -> Iterable[str]:
    d = c.differences
    yield from (p for p in (*d.only_shipped, *d.only_rebuilt) if _PYTHON_NAME.search(p))
    yield from (line for line in d.wheel if "Tag:" in line)


# Each rule yields the paths (or lines) in which its cause shows; none where it does not.
_RULES: dict[WheelCause, Callable[[_Comparison], Iterable[str]]] = {
    WheelCause.SDIST_LACKS: _sdist_lacks,
    WheelCause.VENDOR_ADDED: _vendor_added,
    WheelCause.VERSION_STRINGS: lambda c: [
        p for p in c.changed() if p in c.differences.version_strings
    ],
    WheelCause.LINE_ENDINGS: lambda c: c.differences.line_endings,
    WheelCause.METADATA: _metadata,
    WheelCause.PYTHON_VERSION: _python,
    WheelCause.GENERATED_TIMES: lambda c: c.differences.times,
    WheelCause.MODES: lambda c: c.differences.modes,
    WheelCause.RECORD_ORDER: lambda c: (
        ["RECORD"] if c.differences.record_order or c.differences.order else []
    ),
    WheelCause.COMPRESSION: lambda c: c.differences.packing,
    WheelCause.UNEXPLAINED: _unexplained,
}
