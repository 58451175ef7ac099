"""The next hypotheses, from how the last try failed: each rule reads one kind of difference.

Rules are pure: clues, hypothesis and differences in, hypotheses out, the likeliest first.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from builders.container.folderorder import CREATED, HASHED
from builders.core.enums import Outcome, Verdict
from builders.core.errors import RebuildError
from pipelines.infer.wheel.candidates import likely
from pipelines.infer.wheel.differences import Differences
from pipelines.infer.wheel.first import Clues, pythons, replace_because, tool_reasons, toolchain
from pipelines.infer.wheel.folderorder import order_of, record_paths
from pipelines.infer.wheel.hypothesis import MAX_FILES, SEEDS, FileChange, Hypothesis
from pipelines.infer.wheel.pythons import PythonImage
from pipelines.infer.wheel.toolchain import Resolver
from pipelines.infer.wheel.tryout import Tried

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
_FEW = 4
"""Words of a set whose order some of a few seeds is likely to give."""
_NAMESPACE = "-nspkg.pth"
"""How the names of files end in which setuptools joins packages of one namespace."""


@dataclass(frozen=True, kw_only=True)
class Last:
    """The last try: what was tried, how it went, what differs (None when nothing was built)."""

    hypothesis: Hypothesis
    tried: Tried
    differences: Differences | None
    requirements: tuple[Requirement, ...]
    """What was asked for beyond what the clues ask for."""


@dataclass(frozen=True, kw_only=True)
class Idea:
    """A hypothesis to try, and what its toolchain was asked for beyond the clues."""

    hypothesis: Hypothesis
    requirements: tuple[Requirement, ...] = ()


class Refiner:
    """Turns failed tries into ideas."""

    def __init__(self, clues: Clues, resolver: Resolver) -> None:
        """Work from `clues`; tools come from `resolver`."""
        self._clues, self._resolver = clues, resolver
        self._rules: tuple[Callable[[Last], Iterator[Idea]], ...] = (
            self._absent,
            self._tag,
            self._order,
            self._setuptools,
            self._times,
            self._modes,
            self._pythons,
            self._one_step,
        )

    def ideas(self, last: Last) -> list[Idea]:
        """Return what to try next, the likeliest first."""
        if last.tried.outcome in _STUCK:
            return list(self._unfrozen(last))
        return [idea for rule in self._rules for idea in rule(last)]

    def _unfrozen(self, last: Last) -> Iterator[Idea]:
        """Try once without a clock that stands still: a build may wait for it for ever."""
        h = last.hypothesis
        if h.clock is not None:
            why = "under a clock that stands still the build does not end"
            yield self._idea(last, replace_because(h, epoch=h.then or h.clock, reason=why))

    def _absent(self, last: Last) -> Iterator[Idea]:
        """Add what the build asked for and did not find."""
        if last.tried.outcome is not Outcome.BUILD_FAILED:
            return
        wanted = [m[1] for form in _ABSENT_PROJECT for m in form.finditer(last.tried.log)]
        wanted += [
            _PROJECTS.get(m[1], m[1])
            for m in _ABSENT_MODULE.finditer(last.tried.log)
            if m[1] not in sys.stdlib_module_names  # of another Python: no project brings them
        ]
        have = {tool.project for tool in last.hypothesis.tools}
        more: dict[str, Requirement] = {}
        for text in wanted:
            try:
                requirement = Requirement(text.strip())
            except InvalidRequirement:
                continue
            if canonicalize_name(requirement.name) not in have:
                more.setdefault(canonicalize_name(requirement.name), requirement)
        if more:
            yield from self._with(
                last,
                (*last.requirements, *more.values()),
                dict.fromkeys(more, "the build asks for it"),
            )

    def _setuptools(self, last: Last) -> Iterator[Idea]:
        """Try a setuptools of another time: of those that write METADATA in another way first."""
        tools = {tool.project: tool.version for tool in last.hypothesis.tools}
        if "setuptools" not in tools or self._clues.generator.project == "setuptools":
            return
        failed = last.tried.outcome is Outcome.BUILD_FAILED
        d = last.differences
        dist_info = self._clues.shipped.dist_info
        joins = [p for p in d.content if p.endswith(_NAMESPACE)] if d else []
        own = d and [
            p
            for p in (*d.content, *d.only_shipped, *d.only_rebuilt)
            if p.startswith((f"{dist_info}/", *joins)) or p in d.only_shipped
        ]
        if not failed and not own:
            return
        for version in likely(tools["setuptools"], d, failed=failed):
            exact = Requirement(f"setuptools=={version}")
            others = tuple(r for r in last.requirements if r.name != "setuptools")
            why = (
                f"{tools['setuptools']}, the newest of its day, does not build it here"
                if failed
                else f"{(joins or ['METADATA'])[0]} is not as {tools['setuptools']} writes it"
            )
            yield from self._with(last, (*others, exact), {"setuptools": why})

    def _tag(self, last: Last) -> Iterator[Idea]:
        """Give the tag on the command line that no file of the source gives."""
        d = last.differences
        stem = self._clues.shipped.name.removesuffix("-none-any.whl")
        tag = stem.rpartition("-")[2]
        renamed = last.tried.verdict is Verdict.MISSING or (d and any("Tag:" in x for x in d.wheel))
        bdist = self._clues.generator.project in {"wheel", "setuptools"}
        if renamed and bdist and last.hypothesis.python_tag is None and tag.startswith("py"):
            yield self._idea(
                last,
                replace(last.hypothesis, python_tag=tag).because(
                    python_tag="the file name has it, and nothing in the source asks for it"
                ),
            )

    def _order(self, last: Last) -> Iterator[Idea]:
        """Let folders list their files in another way; of few words, let sets have other orders."""
        d, h = last.differences, last.hypothesis
        if d is None or not (d.order or d.record_order or d.shuffled):
            return
        if h.folder_order == HASHED:
            for order, why in self._orders(d):
                found = replace(h, folder_order=order).because(folder_order=why)
                yield self._idea(last, found)
        if d.shuffled and max(d.shuffled.values()) <= _FEW:
            for seed in SEEDS:
                yield self._idea(
                    last,
                    replace(h, hash_seed=seed).because(
                        hash_seed=f"words stand in another order in {min(d.shuffled)}, as of a set"
                    ),
                )

    def _orders(self, d: Differences) -> Iterator[tuple[str, str]]:
        """Return the orders of folders that may explain what differs, and why each."""
        shipped = self._clues.shipped
        members = [m.path for m in shipped.files()]
        paths = members if d.order else record_paths(shipped.texts["RECORD"])
        order = order_of(paths, d.reordered, shipped.dist_info) if d.reordered else None
        if order is not None:
            folder = min(d.reordered, key=lambda f: (f != shipped.dist_info, f))
            yield (
                order,
                f"under it {folder or '.'} lists its files in the order in which they were shipped",
            )
        yield CREATED, "files or lines stand in another order than by hashed names"

    def _times(self, last: Last) -> Iterator[Idea]:
        """Try the other ways of fixing times."""
        d, h = last.differences, last.hypothesis
        if d is None or not d.times:
            return
        newest = self._clues.newest
        if h.clock is not None:
            yield self._idea(
                last,
                replace_because(h, epoch=newest, reason="it is the time of the newest member"),
            )
        elif h.epoch is not None:
            yield self._idea(
                last,
                replace_because(h, clock=newest, reason="it is the time of the newest member"),
            )
        elif newest:
            yield self._idea(
                last,
                replace_because(h, epoch=newest, reason="it is the time of the newest member"),
            )
            yield self._idea(
                last,
                replace_because(h, clock=newest, reason="it is the time of the newest member"),
            )

    def _modes(self, last: Last) -> Iterator[Idea]:
        """Try other umasks, then the modes of single files that the source holds unchanged."""
        d, h = last.differences, last.hypothesis
        if d is None or not d.modes:
            return
        for umask, source in (("002", None), ("022", None), ("022", "000"), ("002", "022")):
            if (umask, source) != (h.umask, h.source_umask):
                yield self._idea(
                    last,
                    replace(h, umask=umask, source_umask=source).because(
                        umask="other modes were not explained",
                        source_umask="other modes were not explained",
                    ),
                )
        if changes := self._single(d, h):
            yield self._idea(
                last,
                replace(h, files=changes).because(
                    **{
                        f"mode of {c.path}": "the shipped member has it, its archive not"
                        for c in changes
                    }
                ),
            )

    def _single(self, d: Differences, h: Hypothesis) -> tuple[FileChange, ...]:
        known = self._clues.source.by_digest()
        shipped = {m.path: m for m in self._clues.shipped.files()}
        changes = {c.path: c for c in h.files}
        for path, (mode, _) in d.modes.items():
            member = shipped[path]
            same = known.get(member.sha256, []) if member.sha256 else []
            named = [f for f in same if f.path.endswith(path.rpartition("/")[2])]
            if mode is None or not named:
                return ()
            changes[named[0].path] = FileChange(path=named[0].path, mode=f"{mode & 0o777:03o}")
        return tuple(sorted(changes.values())) if len(changes) <= MAX_FILES else ()

    def _pythons(self, last: Last) -> Iterator[Idea]:
        """Try the other Pythons: after failures, and where METADATA or names differ."""
        d = last.differences
        if d is not None and not (d.content or d.only_shipped or d.only_rebuilt or d.packing):
            return
        for image in pythons(self._clues):
            if last.hypothesis.timezone != "UTC" and not image.zones:
                continue
            if image.name != last.hypothesis.image:
                yield from self._with(last, last.requirements, {}, image)

    def _one_step(self, last: Last) -> Iterator[Idea]:
        """Build without a step between, where it was never built with one."""
        h = last.hypothesis
        if last.tried.outcome is Outcome.BUILD_FAILED and h.then is not None:
            why = "it is the time of the newest member; in two steps nothing was built"
            yield self._idea(last, replace_because(h, clock=h.then, reason=why))

    def _with(
        self,
        last: Last,
        requirements: tuple[Requirement, ...],
        reasons: dict[str, str],
        image: PythonImage | None = None,
    ) -> Iterator[Idea]:
        """Yield the hypothesis with a toolchain for more requirements, or for another image."""
        clues, h = self._clues, last.hypothesis
        here = image or next(i for i in clues.images if i.name == h.image)
        try:
            tools = toolchain(clues, self._resolver, here, requirements)
        except RebuildError:
            return
        found = replace(h, image=here.name, tools=tools).because(
            **{**tool_reasons(clues, tools), **reasons}
        )
        if image is not None:
            found = found.because(image=f"the other Pythons did not explain it, {image} may")
        yield Idea(hypothesis=found, requirements=requirements)

    def _idea(self, last: Last, hypothesis: Hypothesis) -> Idea:
        return Idea(hypothesis=hypothesis, requirements=last.requirements)
