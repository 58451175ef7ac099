"""The next hypotheses, from how a trial differed or failed: each rule reads one kind of difference.

Rules do no input or output but through the resolver; each yields the likeliest hypothesis first.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from builders.container.folderorder import CREATED, HASHED
from builders.core.enums import Outcome, Verdict
from builders.core.errors import RebuildError
from pipelines.infer.journal import WheelDifferences
from pipelines.infer.machine_traces import order_of
from pipelines.infer.search import Trial
from pipelines.infer.wheel.clues import LICENSES_NAMED, PLAIN, Clues
from pipelines.infer.wheel.hypothesis import MAX_FILES, SEEDS, FileChange, WheelHypothesis
from pipelines.infer.wheel.toolchain import KNOWN_SETUPTOOLS, Resolver, parse_requirements

_ABSENT_MODULE = re.compile(
    r"(?:ModuleNotFoundError|ImportError): No module named '?([A-Za-z0-9_]+)"
)
_ABSENT_PROJECT = (
    re.compile(r"No matching distribution found for ([^\n]+)"),
    re.compile(r"Could not find suitable distribution for Requirement\.parse\('([^']+)'\)"),
    re.compile(r"The '([^']+)' distribution was not found and is required"),
)
_PROJECTS = {"setuptools_scm": "setuptools-scm", "pkg_resources": "setuptools"}
_STUCK = frozenset({Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES})
_OLD_FIELD = re.compile(r"-(?:Platform|License): UNKNOWN")
_LICENSE_FILE = re.compile(r"([-+])License-File: ")
# The end of the names of files in which setuptools joins the packages of a namespace.
_NAMESPACE = "-nspkg.pth"
# Words of a set whose order one of a few seeds is likely to give.
_FEW_WORDS = 4
# Versions of setuptools that one trial leads to.
_FEW_VERSIONS = 8
_UMASKS = (("002", None), ("022", None), ("022", "000"), ("002", "022"))
_NEWEST = "it is the time of the newest member"
Hypotheses = Iterator[WheelHypothesis]


class Refinement:
    """Derives hypotheses from trials that were not identical."""

    def __init__(self, clues: Clues, resolver: Resolver) -> None:
        """Work from `clues`; tools come from `resolver`."""
        self._clues, self._resolver = clues, resolver
        self._rules = (
            self._absent,
            self._tag,
            self._order,
            self._setuptools,
            self._times,
            self._modes,
            self._pythons,
            self._one_step,
        )

    def hypotheses(self, trial: Trial[WheelHypothesis]) -> list[WheelHypothesis]:
        """Return what to try after `trial`, the likeliest first."""
        h = trial.hypothesis
        if trial.record.outcome not in _STUCK:
            return [found for rule in self._rules for found in rule(h, trial)]
        if h.clock is None:
            return []
        reason = "under a clock that stands still the build does not end"
        return [h.with_epoch(h.then or h.clock, reason)]

    def _absent(self, h: WheelHypothesis, trial: Trial[WheelHypothesis]) -> Hypotheses:
        """Add the projects that a failed build did not find."""
        if trial.record.outcome is not Outcome.BUILD_FAILED:
            return
        log = trial.result.log
        wanted = [m[1] for form in _ABSENT_PROJECT for m in form.finditer(log)]
        wanted += [
            _PROJECTS.get(m[1], m[1])
            for m in _ABSENT_MODULE.finditer(log)
            if m[1] not in sys.stdlib_module_names  # part of another Python, and of no project
        ]
        have = {tool.project for tool in h.tools}
        more: dict[str, Requirement] = {}
        for requirement in parse_requirements(text.strip() for text in wanted):
            if canonicalize_name(requirement.name) not in have:
                more.setdefault(canonicalize_name(requirement.name), requirement)
        if more:
            reasons = dict.fromkeys(more, "the build asks for it")
            asked = (*h.requirements, *more.values())
            yield from self._with_tools(replace(h, requirements=asked), reasons)

    def _setuptools(self, h: WheelHypothesis, trial: Trial[WheelHypothesis]) -> Hypotheses:
        """Try the setuptools of another time, where metadata differs or nothing is built."""
        current = next((tool.version for tool in h.tools if tool.project == "setuptools"), None)
        if current is None or self._clues.generator.project == "setuptools":
            return
        failed = trial.record.outcome is Outcome.BUILD_FAILED
        d = trial.record.differences or WheelDifferences()
        joins = [path for path in d.content if path.endswith(_NAMESPACE)]
        own = (f"{self._clues.shipped.dist_info}/", *joins)
        written = [p for p in (*d.content, *d.only_rebuilt) if p.startswith(own)]
        if not (failed or written or d.only_shipped):
            return
        reason = (
            f"{current}, the newest of its day, does not build it here"
            if failed
            else f"{(joins or ['METADATA'])[0]} is not as {current} writes it"
        )
        others = tuple(r for r in h.requirements if r.name != "setuptools")
        for version in _likely_setuptools(current, d, failed=failed):
            asked = (*others, Requirement(f"setuptools=={version}"))
            yield from self._with_tools(replace(h, requirements=asked), {"setuptools": reason})

    def _tag(self, h: WheelHypothesis, trial: Trial[WheelHypothesis]) -> Hypotheses:
        """Give the tag of the shipped name on the command line, where the source gives none."""
        d = trial.record.differences or WheelDifferences()
        stem = self._clues.shipped.name.removesuffix("-none-any.whl")
        tag = stem.rpartition("-")[2]
        renamed = trial.record.verdict is Verdict.MISSING or any("Tag:" in x for x in d.wheel)
        if renamed and self._clues.by_setuptools and h.python_tag is None and tag.startswith("py"):
            reason = "the file name has it, and nothing in the source asks for it"
            yield replace(h, python_tag=tag).because(python_tag=reason)

    def _order(self, h: WheelHypothesis, trial: Trial[WheelHypothesis]) -> Hypotheses:
        """List folders in another order; for a few words, order sets by other hash seeds."""
        d = trial.record.differences
        if d is None or not (d.order or d.record_order or d.shuffled):
            return
        if h.folder_order == HASHED:
            for order, reason in self._folder_orders(d):
                yield replace(h, folder_order=order).because(folder_order=reason)
        if d.shuffled and max(d.shuffled.values()) <= _FEW_WORDS:
            reason = f"words stand in another order in {min(d.shuffled)}, as of a set"
            for seed in SEEDS:
                yield replace(h, hash_seed=seed).because(hash_seed=reason)

    def _folder_orders(self, d: WheelDifferences) -> Iterator[tuple[str, str]]:
        """Yield the orders of folders that may explain what differs, and why each."""
        shipped = self._clues.shipped
        members = [m.path for m in shipped.files()]
        paths = members if d.order else shipped.record
        order = order_of(paths, d.reordered, shipped.dist_info) if d.reordered else None
        if order is not None:
            folder = min(d.reordered, key=lambda f: (f != shipped.dist_info, f)) or "."
            yield (
                order,
                f"under it {folder} lists its files in the order in which they were shipped",
            )
        yield CREATED, "files or lines stand in another order than by hashed names"

    def _times(self, h: WheelHypothesis, trial: Trial[WheelHypothesis]) -> Hypotheses:
        """Try the other ways of fixing times."""
        d, newest = trial.record.differences, self._clues.shipped.newest
        if d is None or not d.times or not newest:
            return
        if h.epoch is None:
            yield h.with_epoch(newest, _NEWEST)
        if h.clock is None:
            yield h.with_clock(newest, _NEWEST)

    def _modes(self, h: WheelHypothesis, trial: Trial[WheelHypothesis]) -> Hypotheses:
        """Try other umasks, then the modes of single files that the source holds unchanged."""
        d, reason = trial.record.differences, "other modes were not explained"
        if d is None or not d.modes:
            return
        for umask, source in _UMASKS:
            if (umask, source) != (h.umask, h.source_umask):
                changed = replace(h, umask=umask, source_umask=source)
                yield changed.because(umask=reason, source_umask=reason)
        if changes := self._file_modes(h, d):
            reason = "the shipped member has it, its archive not"
            reasons = {f"mode of {change.path}": reason for change in changes}
            yield replace(h, files=changes).because(**reasons)

    def _file_modes(self, h: WheelHypothesis, d: WheelDifferences) -> tuple[FileChange, ...]:
        known = self._clues.source.by_digest()
        shipped = {m.path: m for m in self._clues.shipped.files()}
        changes = {change.path: change for change in h.files}
        for path, (mode, _) in d.modes.items():
            same = known.get(shipped[path].sha256, [])
            named = [f for f in same if f.path.endswith(path.rpartition("/")[2])]
            if mode is None or not named:
                return ()
            changes[named[0].path] = FileChange(path=named[0].path, mode=f"{mode & 0o777:03o}")
        return tuple(sorted(changes.values())) if len(changes) <= MAX_FILES else ()

    def _pythons(self, h: WheelHypothesis, trial: Trial[WheelHypothesis]) -> Hypotheses:
        """Try the other Pythons: after failures, and where content or names differ."""
        d = trial.record.differences
        if d is not None and not (d.content or d.only_shipped or d.only_rebuilt or d.packing):
            return
        for image in self._clues.ordered_images():
            if image.name != h.image and (h.timezone == "UTC" or image.zones):
                reason = f"the other Pythons did not explain it, {image} may"
                yield from self._with_tools(replace(h, image=image.name), {"image": reason})

    def _one_step(self, h: WheelHypothesis, trial: Trial[WheelHypothesis]) -> Hypotheses:
        """Build without a step between, where nothing is built with one."""
        if trial.record.outcome is Outcome.BUILD_FAILED and h.then is not None:
            yield h.with_clock(h.then, f"{_NEWEST}; in two steps nothing was built")

    def _with_tools(self, h: WheelHypothesis, reasons: dict[str, str]) -> Hypotheses:
        """Yield the hypothesis with the toolchain for its image and its requirements, if any."""
        clues = self._clues
        image = next(image for image in clues.images if image.name == h.image)
        try:
            tools = clues.toolchain(self._resolver, image, h.requirements)
        except RebuildError:
            return
        yield replace(h, tools=tools).because(**{**clues.tool_reasons(tools), **reasons})


def _likely_setuptools(current: Version, d: WheelDifferences, *, failed: bool) -> list[Version]:
    """Return the versions to try instead of `current`, the likeliest first."""
    known = [version for version in KNOWN_SETUPTOOLS if version != current]
    low, high = Version("0"), Version("9999")
    if any(_OLD_FIELD.match(line) or line == "-" for line in d.metadata):
        high = PLAIN  # older ones wrote empty fields as UNKNOWN, and more empty lines
    elif any(line == "+" for line in d.metadata):
        low = PLAIN
    signs = {match[1] for line in d.metadata if (match := _LICENSE_FILE.match(line))}
    if signs == {"+"}:
        high = LICENSES_NAMED
    elif signs == {"-"}:
        low = LICENSES_NAMED
    inside = [version for version in known if low <= version < high]
    if failed:  # the nearest that may run
        found = sorted(inside, key=lambda v: (v < current, abs(v.major - current.major)))
    else:
        near = sorted(inside, key=lambda v: abs(v.major - current.major))
        found = near + [version for version in known if version not in inside]
    return found[:_FEW_VERSIONS]
