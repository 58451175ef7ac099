"""The first hypothesis: what the shipped wheel and its source already tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from builders.archives import Member
from builders.core.errors import InputUnavailableError
from pipelines.infer.wheel.hypothesis import MAX_STEP, Hypothesis
from pipelines.infer.wheel.pythons import PythonImage
from pipelines.infer.wheel.sdist import SourceFacts
from pipelines.infer.wheel.shipped import WheelFacts
from pipelines.infer.wheel.toolchain import (
    OWN_WHEEL,
    Generator,
    Resolver,
    Tool,
    generator_of,
    parse_requirements,
)
from pipelines.infer.wheel.zones import TOLERANCE, zones_for

_NSPKG = re.compile(r"-py(\d+)\.(\d+)-nspkg\.pth")
# When each Python could first be somebody's own: half a year after its release.
_COMMON_FROM = {
    8: datetime(2020, 4, 1, tzinfo=UTC),
    9: datetime(2021, 4, 1, tzinfo=UTC),
    10: datetime(2022, 4, 1, tzinfo=UTC),
    11: datetime(2023, 4, 1, tzinfo=UTC),
    12: datetime(2024, 4, 1, tzinfo=UTC),
    13: datetime(2025, 4, 1, tzinfo=UTC),
}
# What backends write where no SOURCE_DATE_EPOCH is set.
_FIXED_TIMES = frozenset(
    int(datetime(*day, tzinfo=UTC).timestamp())
    for day in ((2016, 1, 1), (1980, 1, 1), (2020, 2, 2))
)
_NEWEST = "METADATA, WHEEL and RECORD have this time, the newest"
_LOCAL_TIME = frozenset({"flit-core"})
"""Backends that write local times."""
LICENSES_NAMED, PLAIN = Version("57"), Version("62.2")
"""The setuptools from which on METADATA names license files, and has no UNKNOWN fields."""
_LICENSES = ("LICEN", "COPYING", "NOTICE", "AUTHORS")
_OF_EGG_INFO = frozenset({"top_level.txt", "entry_points.txt", "namespace_packages.txt"})
"""What setuptools makes anew as metadata, and a wheel takes with its time."""


@dataclass(frozen=True, kw_only=True)
class Clues:
    """All that hypotheses are made of."""

    shipped: WheelFacts
    source: SourceFacts
    generator: Generator
    dated: datetime
    images: Sequence[PythonImage]

    def requirements(self, *, era: bool = True) -> list[Requirement]:
        """Return what the build asks for, the generator's exact version first.

        With `era`, setuptools is kept to the versions that write METADATA as it was shipped.
        """
        wanted = [self.generator.requirement()]
        asked = parse_requirements(self.source.requires)
        if self.generator.project in {"wheel", "setuptools"}:
            wanted += [Requirement(f"setuptools{self._era() if era else ''}")]
        return wanted + [r for r in asked if not self._settled(r)]

    def _era(self) -> str:
        """Return the bounds on setuptools that the fields of METADATA tell."""
        if self.generator.project != "wheel":
            return ""
        fields, folder = self.shipped.metadata, self.shipped.dist_info
        unknown = "UNKNOWN" in {fields.get("Platform"), fields.get("License")}
        bounds = [f"<{PLAIN}"] if unknown else []
        if fields.get("Platform") is None:
            bounds.append(f">={PLAIN}")
        if fields.get("License-File") is not None:
            bounds.append(f">={LICENSES_NAMED}")
        elif any(m.path.startswith(f"{folder}/LICEN") for m in self.shipped.files()):
            bounds.append(f"<{LICENSES_NAMED}")
        return ",".join(bounds)

    def _settled(self, requirement: Requirement) -> bool:
        """Say whether the generator line knows better than the source's own requirement."""
        name = canonicalize_name(requirement.name)
        own = self.generator.project == "setuptools" and self.generator.version >= OWN_WHEEL
        return name == self.generator.project or (own and name == "wheel")

    def matched(self) -> list[tuple[Member, tuple[int, ...], tuple[int, ...]]]:
        """Return the members whose bytes stand in the source, with its times and modes of them."""
        known = self.source.by_digest()
        generated = {member.path for member in self.shipped.generated()}
        return [
            (m, tuple(f.mtime for f in same if f.mtime is not None), tuple(f.mode for f in same))
            for m in self.shipped.files()
            if m.sha256 and m.path not in generated and (same := known.get(m.sha256))
        ]

    @property
    def newest(self) -> int:
        """Return the time of the newest member."""
        return max((m.mtime or 0 for m in self.shipped.files()), default=0)


def clues_of(
    shipped: WheelFacts, source: SourceFacts, dated: datetime, images: Sequence[PythonImage]
) -> Clues:
    """Gather the clues; raises `InputUnavailableError` for a backend that is not known here."""
    generator = generator_of(shipped.generator)
    if generator is None:
        raise InputUnavailableError(
            "the wheel was made by a program that is not known here",
            got=shipped.generator[:80] or "no Generator line",
            expected="setuptools, wheel, flit, hatchling, poetry-core or pdm",
            todo="Write the recipe by hand",
        )
    return Clues(shipped=shipped, source=source, generator=generator, dated=dated, images=images)


def pythons(clues: Clues) -> list[PythonImage]:
    """Return the images, the likeliest first: the Python that was common when it was released."""
    if match := _NSPKG.search(" ".join(m.path for m in clues.shipped.files())):
        named = [i for i in clues.images if i.version == (int(match[1]), int(match[2]))]
        return named + [i for i in clues.images if i not in named]
    common = max((m for m, day in _COMMON_FROM.items() if day <= clues.dated), default=7)
    return sorted(clues.images, key=lambda i: (abs(i.version[1] - common), -i.version[1]))


def first(clues: Clues, resolver: Resolver) -> Hypothesis:
    """Return the likeliest hypothesis; raises `InputUnavailableError` without any toolchain."""
    fault: InputUnavailableError | None = None
    start = _environment(clues, Hypothesis(image=""))
    for image in pythons(clues):
        if start.timezone != "UTC" and not image.zones:
            continue
        try:
            tools = toolchain(clues, resolver, image)
        except InputUnavailableError as error:
            fault = fault or error
            continue
        return replace(start, image=image.name, tools=tools).because(
            image=f"Python {image}, of those at hand the nearest to what was common on "
            f"{clues.dated:%Y-%m-%d}",
            **tool_reasons(clues, tools),
        )
    raise fault or InputUnavailableError("no builder image has a Python")


def toolchain(
    clues: Clues, resolver: Resolver, image: PythonImage, more: Sequence[Requirement] = ()
) -> tuple[Tool, ...]:
    """Return the tools for the clues and for `more`, whose exact versions count first.

    Where no version fits what METADATA tells, that is left aside. Raises `InputUnavailableError`.
    """
    exact = {
        canonicalize_name(r.name) for r in more if any(s.operator == "==" for s in r.specifier)
    }

    def wanted(*, era: bool) -> list[Requirement]:
        asked = clues.requirements(era=era)
        return [*more, *(r for r in asked if canonicalize_name(r.name) not in exact)]

    try:
        return resolver.resolve(wanted(era=True), image, clues.dated)
    except InputUnavailableError:
        return resolver.resolve(wanted(era=False), image, clues.dated)


def tool_reasons(clues: Clues, tools: Iterable[Tool]) -> dict[str, str]:
    """Say why each tool has its version."""
    reasons = {}
    for tool in tools:
        if tool.project == clues.generator.project:
            reasons[tool.project] = f"WHEEL says Generator: {clues.shipped.generator}"
        else:
            reasons[tool.project] = f"the newest that fitted on {clues.dated:%Y-%m-%d}"
    return reasons


def _environment(clues: Clues, hypothesis: Hypothesis) -> Hypothesis:
    return _modes(clues, _times(clues, hypothesis))


def _times(clues: Clues, hypothesis: Hypothesis) -> Hypothesis:
    times = {m.mtime for m in clues.shipped.files()}
    generated = {m.mtime for m in clues.shipped.generated()}
    made = {m.mtime for m in clues.shipped.files() if m.path.endswith("/RECORD")}
    if times <= _FIXED_TIMES or (generated <= _FIXED_TIMES and made <= _FIXED_TIMES):
        return _zone(clues, hypothesis)
    newest = clues.newest
    if len(times) == 1 and not _sources_agree(clues, newest):
        return replace_because(hypothesis, epoch=newest, reason="every member has this one time")
    if clues.generator.project in {"wheel", "setuptools"}:
        return _steps(clues, replace_because(hypothesis, clock=newest, reason=_NEWEST))
    if len(times) == 1:
        return replace_because(hypothesis, epoch=newest, reason="every member has this one time")
    return _zone(clues, hypothesis)


def _steps(clues: Clues, hypothesis: Hypothesis) -> Hypothesis:
    """Let the clock go on once, where the metadata is older than the wheel, or than its RECORD."""
    newest = clues.newest
    made = {m.mtime for m in clues.shipped.files() if clues.shipped.short(m) in _OF_EGG_INFO}
    if len(made) != 1:
        return hypothesis
    began = made.pop() or 0
    if not 0 < newest - began <= MAX_STEP:
        return hypothesis
    late = [clues.shipped.short(m) for m in clues.shipped.generated() if m.mtime == newest]
    if late == ["RECORD"]:
        return replace(hypothesis, clock=began, then=newest, before="record").because(
            clock="all that was generated has this time but RECORD",
            then="RECORD has it: the files were packed for so long",
        )
    source = {f.mtime for p, f in clues.source.files.items() if p.endswith(".egg-info/PKG-INFO")}
    too = ", in the source too" if any(abs((t or 0) - began) <= TOLERANCE for t in source) else ""
    return replace(hypothesis, clock=began, then=newest).because(
        clock=f"what egg_info made has this time{too}: it ran before, in the same run, as in "
        "`setup.py sdist bdist_wheel`",
        then=_NEWEST,
    )


def replace_because(
    hypothesis: Hypothesis, *, reason: str, epoch: int | None = None, clock: int | None = None
) -> Hypothesis:
    """Return the hypothesis with one way of fixing times, and why."""
    name = "source_date_epoch" if epoch is not None else "clock"
    return replace(hypothesis, epoch=epoch, clock=clock, then=None).because(**{name: reason})


def _sources_agree(clues: Clues, at: int) -> bool:
    """Say whether the source's own files already have that time."""
    pairs = clues.matched()
    return bool(pairs) and all(any(abs(t - at) <= TOLERANCE for t in ts) for _, ts, _ in pairs)


def _zone(clues: Clues, hypothesis: Hypothesis) -> Hypothesis:
    if clues.generator.project not in _LOCAL_TIME:
        return hypothesis
    pairs = []
    for member, times, _ in clues.matched():
        seen = member.mtime
        if seen is not None and seen not in _FIXED_TIMES and times:
            pairs.append((min((abs(seen - t), t) for t in times)[1], seen))
    for zone in zones_for(pairs):
        if zone == "UTC":
            return hypothesis
        return replace(hypothesis, timezone=zone).because(
            timezone=f"{len(pairs)} members bear the local times of the source's files there"
        )
    return hypothesis


def _modes(clues: Clues, hypothesis: Hypothesis) -> Hypothesis:
    own = [m for m in clues.shipped.generated() if not m.path.endswith("/RECORD")]
    modes = {(m.mode or 0o644) & 0o666 for m in own}
    if len(modes) == 1 and clues.generator.project in {"wheel", "setuptools"}:
        # A plain file does not show whether the right to execute was taken: with all, it was.
        umask = f"{0o666 & ~modes.pop():03o}".replace("6", "7")
        if umask != "022":
            hypothesis = replace(hypothesis, umask=umask).because(
                umask="METADATA and WHEEL have the mode that it gives"
            )
    mask = source_umask(clues, hypothesis.umask)
    if mask is not None:
        hypothesis = replace(hypothesis, source_umask=mask).because(
            source_umask="files copied with their mode have the one that it gives"
        )
    return hypothesis


def source_umask(clues: Clues, umask: str) -> str | None:
    """Return the umask of unpacking that explains the modes of copied files; None for `umask`.

    setuptools makes `.py` files anew and copies all others with their modes.
    """
    pairs = [
        (m.mode & 0o777, modes)
        for m, _, modes in clues.matched()
        if m.mode is not None and _copied(m, clues)
    ]

    def explained(mask: str) -> int:
        kept = ~int(mask, 8)
        return sum(any(mode & kept == seen for mode in modes) for seen, modes in pairs)

    best = max((umask, "000", "022", "002", "077"), key=explained)
    return best if explained(best) > explained(umask) else None


def _copied(member: Member, clues: Clues) -> bool:
    if clues.generator.project not in {"wheel", "setuptools"}:
        return ".dist-info/" not in member.path
    if ".dist-info/" in member.path:
        return member.path.rpartition("/")[2].upper().startswith(_LICENSES)
    return not member.path.endswith(".py")
