"""Why a wheel stays different: one small rule a cause, from differences alone.

A cause explains; it never turns a difference into a pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from builders.archives import Member
from builders.core.enums import Outcome
from pipelines.infer.wheel.differences import Differences
from pipelines.infer.wheel.first import Clues
from pipelines.infer.wheel.toolchain import generator_of

_SHOWN = 3
_ONE_BUILD = 120
"""Seconds that lie between the files of one build at most."""
_PYTHON_NAME = re.compile(r"-py\d+\.\d+[-.]|\.cpython-\d+|-py2-none-any")
_OLD_PYTHON = re.compile(
    r"(?:AttributeError|ImportError|ModuleNotFoundError|SyntaxError|TypeError)[^\n]*"
)
_BACKEND_FILES = (
    "METADATA", "WHEEL", "entry_points.txt", "top_level.txt", "zip-safe", "metadata.json",
    "DESCRIPTION.rst", "dependency_links.txt", "namespace_packages.txt", "pbr.json",
)  # fmt: skip


class InferredCause(StrEnum):
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
class Found:
    """One cause, and what it was seen in."""

    name: InferredCause
    detail: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the rules look at."""

    clues: Clues
    differences: Differences

    def shipped(self, path: str) -> Member:
        """Return a member of the shipped wheel."""
        return next(m for m in self.clues.shipped.files() if m.path == path)

    def of_backend(self, path: str) -> bool:
        """Say whether backends write this file themselves."""
        folder, _, name = path.rpartition("/")
        return folder == self.clues.shipped.dist_info and name in _BACKEND_FILES

    def in_dist_info(self, path: str) -> bool:
        """Say whether a member lies in the folder that backends fill."""
        return path.startswith(f"{self.clues.shipped.dist_info}/")

    def in_source(self, path: str) -> bool:
        """Say whether the source holds the bytes of a shipped member; of an empty one, the name."""
        member = self.shipped(path)
        same = self.clues.source.by_digest().get(member.sha256, []) if member.sha256 else []
        name = f"/{path.rpartition('/')[2]}"
        return any(member.size or f"/{file.path}".endswith(name) for file in same)

    def folders(self) -> set[str]:
        """Return the names of all folders of the source."""
        return {part for path in self.clues.source.files for part in path.split("/")[:-1]}


Rule = Callable[[Case], Iterable[str]]
"""Yields the paths (or lines) in which the cause shows; none when it does not."""


def causes(clues: Clues, differences: Differences) -> tuple[Found, ...]:
    """Return every cause that shows, in the order of the rules; never none."""
    case = Case(clues=clues, differences=differences)
    found = [
        Found(name=name, detail=_shown(seen))
        for name, rule in _RULES.items()
        if (seen := list(rule(case)))
    ]
    return tuple(found) or (
        Found(name=InferredCause.UNEXPLAINED, detail="no rule covers what differs"),
    )


def failure(outcome: Outcome, log: str, generator: str) -> tuple[Found, ...]:
    """Return why nothing was built, from the outcome and the end of a build log."""
    if outcome in {Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES}:
        return (Found(name=InferredCause.NO_END, detail=f"{outcome}: it met its limits"),)
    lines = [m[0] for m in _OLD_PYTHON.finditer(log)]
    if any("No module named" in line for line in lines[-1:]) or "No matching distribution" in log:
        return (Found(name=InferredCause.BUILD_NEEDS, detail=(lines or ["a project"])[-1][:160]),)
    if lines:
        known = generator_of(generator)
        what = f"{known.project} {known.version}" if known else "the backend"
        detail = f"{what} does not run on the Pythons at hand: {lines[-1][:160]}"
        return (Found(name=InferredCause.PYTHON_VERSION, detail=detail),)
    last = [line.strip() for line in log.splitlines() if line.strip()]
    return (
        Found(
            name=InferredCause.UNEXPLAINED, detail=f"the build failed: {(last or ['?'])[-1][:160]}"
        ),
    )


def _vendor_added(case: Case) -> Iterable[str]:
    """Yield files only shipped that lie where no source file does, or are made of one that is."""
    known = set(case.clues.source.files)
    for path in case.differences.only_shipped:
        if case.in_source(path) or _PYTHON_NAME.search(path):
            continue
        stem = path.rpartition(".")[0]
        derived = any(name.endswith(stem) for name in known) if "/" in stem else False
        folder = path.rpartition("/")[0].rpartition("/")[2]
        if derived or (not case.in_dist_info(path) and folder not in case.folders()):
            yield path


def _sdist_lacks(case: Case) -> Iterable[str]:
    """Yield files only shipped that the source does not hold, and lists of its packages."""
    added = set(_vendor_added(case))
    for path in case.differences.only_shipped:
        if not (
            case.in_source(path)
            or case.of_backend(path)
            or path in added
            or _PYTHON_NAME.search(path)
        ):
            yield path
    yield from (f"{name}, named in top_level.txt" for name in case.differences.lost_packages)


def _changed(case: Case) -> list[str]:
    """Return files with other content that no backend writes."""
    d = case.differences
    return [p for p in d.content if not case.of_backend(p) and p not in d.line_endings]


def _versions(case: Case) -> Iterable[str]:
    return [p for p in _changed(case) if p in case.differences.version_strings]


def _unexplained(case: Case) -> Iterable[str]:
    """Yield files whose other content has no other cause."""
    known = case.differences.version_strings
    yield from (p for p in _changed(case) if p not in known)
    made = {path.rpartition(".")[0] for path in _vendor_added(case)}  # the vendor kept no original
    lost = [
        p
        for p in case.differences.only_rebuilt
        if not (_PYTHON_NAME.search(p) or p in made or case.in_dist_info(p))
    ]
    kept = [
        p for p in case.differences.only_shipped if case.in_source(p) and not case.in_dist_info(p)
    ]
    yield from (*lost, *kept)


def _metadata(case: Case) -> Iterable[str]:
    d = case.differences
    lacking = f"{case.clues.shipped.dist_info}/top_level.txt" if d.lost_packages else ""
    names = [p for p in d.content if case.of_backend(p) and p != lacking]
    names += [
        p
        for p in d.only_shipped
        if case.of_backend(p) or (case.in_dist_info(p) and case.in_source(p))
    ]
    names += [p for p in d.only_rebuilt if case.in_dist_info(p)]
    for path in names:
        lines = [x.strip() for x in d.metadata if path.endswith("/METADATA") and len(x.strip()) > 1]
        yield f"{path.rpartition('/')[2]} ({'; '.join(lines[:2])})" if lines else path


def _python(case: Case) -> Iterable[str]:
    d = case.differences
    yield from (p for p in (*d.only_shipped, *d.only_rebuilt) if _PYTHON_NAME.search(p))
    yield from (line for line in d.wheel if "Tag:" in line)


def _generated_times(case: Case) -> Iterable[str]:
    return case.differences.times


def _modes(case: Case) -> Iterable[str]:
    return case.differences.modes


def _record_order(case: Case) -> Iterable[str]:
    d = case.differences
    return ["RECORD"] if d.record_order or d.order else []


def _line_endings(case: Case) -> Iterable[str]:
    return case.differences.line_endings


def _compression(case: Case) -> Iterable[str]:
    return case.differences.packing


def _shown(seen: list[str]) -> str:
    more = f" and {len(seen) - _SHOWN} more" if len(seen) > _SHOWN else ""
    return ", ".join(seen[:_SHOWN]) + more


_RULES: dict[InferredCause, Rule] = {
    InferredCause.SDIST_LACKS: _sdist_lacks,
    InferredCause.VENDOR_ADDED: _vendor_added,
    InferredCause.VERSION_STRINGS: _versions,
    InferredCause.LINE_ENDINGS: _line_endings,
    InferredCause.METADATA: _metadata,
    InferredCause.PYTHON_VERSION: _python,
    InferredCause.GENERATED_TIMES: _generated_times,
    InferredCause.MODES: _modes,
    InferredCause.RECORD_ORDER: _record_order,
    InferredCause.COMPRESSION: _compression,
    InferredCause.UNEXPLAINED: _unexplained,
}


def hopeless(clues: Clues, differences: Differences) -> bool:
    """Say whether no environment can explain the rest, so that further tries are a waste.

    Either bytes are shipped that no source holds, and an environment changes names, times and
    metadata but makes no files; or nothing is left but what no environment that can be declared
    sets: the moments within one build at which generated files were made.
    """
    case = Case(clues=clues, differences=differences)
    if any(True for _ in _vendor_added(case)) or any(True for _ in _sdist_lacks(case)):
        return True
    d = differences
    if d.only_shipped or d.only_rebuilt or d.content or d.modes or d.packing:
        return False
    if d.order or d.record_order:  # folders may list their files as they were made
        return False
    return all(
        abs((shipped or 0) - (rebuilt or 0)) <= _ONE_BUILD for shipped, rebuilt in d.times.values()
    )
