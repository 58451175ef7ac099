"""What the shipped wheel and its source show of the build, and the first hypothesis from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from builders.archives import Member
from builders.core.errors import InputUnavailableError
from pipelines.infer.machine_traces import TOLERANCE, zones_for
from pipelines.infer.wheel.facts import SourceFacts, WheelFacts
from pipelines.infer.wheel.hypothesis import MAX_STEP, WheelHypothesis
from pipelines.infer.wheel.toolchain import (
    OWN_WHEEL,
    Generator,
    PythonImage,
    Resolver,
    Tool,
    generator_of,
    parse_requirements,
)

# The setuptools from which on METADATA names license files, and has no UNKNOWN fields.
LICENSES_NAMED, PLAIN = Version("57"), Version("62.2")
_NSPKG = re.compile(r"-py(\d+)\.(\d+)-nspkg\.pth")
# The minor version of Python 3 that was common from April of a year on, half a year after it.
_COMMON_FROM = {8: 2020, 9: 2021, 10: 2022, 11: 2023, 12: 2024, 13: 2025}
# What backends write where no SOURCE_DATE_EPOCH is set.
_FIXED_TIMES = frozenset(
    int(datetime(*day, tzinfo=UTC).timestamp())
    for day in ((2016, 1, 1), (1980, 1, 1), (2020, 2, 2))
)
_NEWEST = "METADATA, WHEEL and RECORD have this time, the newest"
_ONE_TIME = "every member has this one time"
# Backends that write local times.
_LOCAL_TIME = frozenset({"flit-core"})
_LICENSES = ("LICEN", "COPYING", "NOTICE", "AUTHORS")
# Metadata that setuptools generates, and that a wheel copies with its time.
_OF_EGG_INFO = frozenset({"top_level.txt", "entry_points.txt", "namespace_packages.txt"})


@dataclass(frozen=True, kw_only=True)
class Clues:
    """All that hypotheses are made from; `dated` is when the wheel was made, at the latest."""

    shipped: WheelFacts
    source: SourceFacts
    generator: Generator
    dated: datetime
    images: Sequence[PythonImage]

    @property
    def by_setuptools(self) -> bool:
        """Say whether setuptools made the wheel, alone or through the project `wheel`."""
        return self.generator.project in {"wheel", "setuptools"}

    def requirements(self, *, era: bool = True) -> list[Requirement]:
        """Return the requirements of the build, the exact version of the generator first.

        With `era`, setuptools is limited to the versions that write METADATA as it was shipped.
        """
        wanted = [Requirement(f"{self.generator.project}=={self.generator.version}")]
        if self.by_setuptools:
            wanted.append(Requirement(f"setuptools{self._era() if era else ''}"))
        own = self.generator.project == "setuptools" and self.generator.version >= OWN_WHEEL
        settled = {self.generator.project, "wheel" if own else ""}
        declared = parse_requirements(self.source.requires)
        return wanted + [r for r in declared if canonicalize_name(r.name) not in settled]

    def _era(self) -> str:
        """Return the bounds on setuptools that the fields of METADATA give."""
        if self.generator.project != "wheel":
            return ""
        fields, folder = self.shipped.fields, self.shipped.dist_info
        unknown = "UNKNOWN" in {fields.get("Platform"), fields.get("License")}
        bounds = [f"<{PLAIN}"] if unknown else []
        if fields.get("Platform") is None:
            bounds.append(f">={PLAIN}")
        if fields.get("License-File") is not None:
            bounds.append(f">={LICENSES_NAMED}")
        elif any(m.path.startswith(f"{folder}/LICEN") for m in self.shipped.files()):
            bounds.append(f"<{LICENSES_NAMED}")
        return ",".join(bounds)

    def matched(self) -> list[tuple[Member, tuple[int, ...], tuple[int, ...]]]:
        """Return the members whose bytes are in the source, with the times and modes there."""
        known = self.source.by_digest()
        generated = {member.path for member in self.shipped.generated()}
        return [
            (
                m,
                tuple(f.mtime for f in same if f.mtime is not None),
                tuple(f.mode for f in same if f.mode is not None),
            )
            for m in self.shipped.files()
            if m.sha256 and m.path not in generated and (same := known.get(m.sha256))
        ]

    def ordered_images(self) -> list[PythonImage]:
        """Return the images, the likeliest first: with the Python that was common that day."""
        if match := _NSPKG.search(" ".join(m.path for m in self.shipped.files())):
            named = [i for i in self.images if i.version == (int(match[1]), int(match[2]))]
            return named + [i for i in self.images if i not in named]
        since = {minor: datetime(year, 4, 1, tzinfo=UTC) for minor, year in _COMMON_FROM.items()}
        common = max((minor for minor, day in since.items() if day <= self.dated), default=7)
        return sorted(self.images, key=lambda i: (abs(i.version[1] - common), -i.version[1]))

    def toolchain(
        self, resolver: Resolver, image: PythonImage, more: Sequence[Requirement] = ()
    ) -> tuple[Tool, ...]:
        """Return the tools for the clues and for `more`, whose exact versions count first.

        Where no version fits the fields of METADATA, these are ignored. Raises
        `InputUnavailableError`.
        """
        exact = {
            canonicalize_name(r.name) for r in more if any(s.operator == "==" for s in r.specifier)
        }

        def resolve(*, era: bool) -> tuple[Tool, ...]:
            own = self.requirements(era=era)
            rest = [r for r in own if canonicalize_name(r.name) not in exact]
            return resolver.resolve([*more, *rest], image, self.dated)

        try:
            return resolve(era=True)
        except InputUnavailableError:
            return resolve(era=False)

    def tool_reasons(self, tools: Sequence[Tool]) -> dict[str, str]:
        """Return why each tool has its version."""
        newest = f"the newest that fitted on {self.dated:%Y-%m-%d}"
        reasons = dict.fromkeys((tool.project for tool in tools), newest)
        if self.generator.project in reasons:
            reasons[self.generator.project] = f"WHEEL says Generator: {self.shipped.generator}"
        return reasons


def clues_of(
    shipped: WheelFacts,
    source: SourceFacts,
    uploaded: datetime | None,
    images: Sequence[PythonImage],
) -> Clues:
    """Gather the clues; a wheel of unknown upload time is as old as its newest member.

    Raises `InputUnavailableError` for a backend that is not known here.
    """
    generator = generator_of(shipped.generator)
    if generator is None:
        raise InputUnavailableError(
            "the wheel was made by a program that is not known here",
            got=shipped.generator[:80] or "no Generator line",
            expected="setuptools, wheel, flit, hatchling, poetry-core or pdm",
            todo="Write the recipe by hand",
        )
    dated = uploaded or datetime.fromtimestamp(shipped.newest, UTC)
    return Clues(shipped=shipped, source=source, generator=generator, dated=dated, images=images)


def initial_hypothesis(clues: Clues, resolver: Resolver) -> WheelHypothesis:
    """Return the likeliest hypothesis; raises `InputUnavailableError` without any toolchain."""
    fault: InputUnavailableError | None = None
    start = _modes(clues, _times(clues, WheelHypothesis(image="")))
    for image in clues.ordered_images():
        if start.timezone != "UTC" and not image.zones:
            continue
        try:
            tools = clues.toolchain(resolver, image)
        except InputUnavailableError as error:
            fault = fault or error
            continue
        return replace(start, image=image.name, tools=tools).because(
            image=f"Python {image}, of those at hand the nearest to what was common on "
            f"{clues.dated:%Y-%m-%d}",
            **clues.tool_reasons(tools),
        )
    raise fault or InputUnavailableError("no builder image has a Python")


def _times(clues: Clues, hypothesis: WheelHypothesis) -> WheelHypothesis:
    times = {m.mtime for m in clues.shipped.files()}
    generated = {m.mtime for m in clues.shipped.generated()}
    records = {m.mtime for m in clues.shipped.files() if m.path.endswith("/RECORD")}
    if times <= _FIXED_TIMES or generated | records <= _FIXED_TIMES:
        return _zone(clues, hypothesis)
    newest = clues.shipped.newest
    if len(times) == 1 and not (clues.by_setuptools and _sources_agree(clues, newest)):
        return hypothesis.with_epoch(newest, _ONE_TIME)
    if clues.by_setuptools:
        return _steps(clues, hypothesis.with_clock(newest, _NEWEST))
    return _zone(clues, hypothesis)


def _steps(clues: Clues, hypothesis: WheelHypothesis) -> WheelHypothesis:
    """Let the clock advance once, where the metadata is older than the wheel, or its RECORD."""
    newest = clues.shipped.newest
    made = {m.mtime for m in clues.shipped.files() if clues.shipped.short(m) in _OF_EGG_INFO}
    began = (made.pop() or 0) if len(made) == 1 else newest
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


def _sources_agree(clues: Clues, at: int) -> bool:
    """Say whether the source's own files already have that time."""
    pairs = clues.matched()
    return bool(pairs) and all(any(abs(t - at) <= TOLERANCE for t in ts) for _, ts, _ in pairs)


def _zone(clues: Clues, hypothesis: WheelHypothesis) -> WheelHypothesis:
    if clues.generator.project not in _LOCAL_TIME:
        return hypothesis
    pairs = []
    for member, times, _ in clues.matched():
        seen = member.mtime
        if seen is not None and seen not in _FIXED_TIMES and times:
            pairs.append((min((abs(seen - t), t) for t in times)[1], seen))
    zone = next(zones_for(pairs), "UTC")
    if zone == "UTC":
        return hypothesis
    return replace(hypothesis, timezone=zone).because(
        timezone=f"{len(pairs)} members bear the local times of the source's files there"
    )


def _modes(clues: Clues, hypothesis: WheelHypothesis) -> WheelHypothesis:
    own = [m for m in clues.shipped.generated() if not m.path.endswith("/RECORD")]
    modes = {(m.mode or 0o644) & 0o666 for m in own}
    if len(modes) == 1 and clues.by_setuptools:
        # A plain file does not show whether the right to execute was masked: assume that it was.
        umask = f"{0o666 & ~modes.pop():03o}".replace("6", "7")
        if umask != "022":
            hypothesis = replace(hypothesis, umask=umask).because(
                umask="METADATA and WHEEL have the mode that it gives"
            )
    mask = _source_umask(clues, hypothesis.umask)
    if mask is not None:
        hypothesis = replace(hypothesis, source_umask=mask).because(
            source_umask="files copied with their mode have the one that it gives"
        )
    return hypothesis


def _source_umask(clues: Clues, umask: str) -> str | None:
    """Return the umask of unpacking that explains the modes of copied files; None for `umask`.

    setuptools makes `.py` files anew and copies all others with their modes.
    """
    pairs = [
        (m.mode & 0o777, modes)
        for m, _, modes in clues.matched()
        if m.mode is not None and _is_copied(m, clues)
    ]

    def explained(mask: str) -> int:
        kept = ~int(mask, 8)
        return sum(any(mode & kept == seen for mode in modes) for seen, modes in pairs)

    best = max((umask, "000", "022", "002", "077"), key=explained)
    return best if explained(best) > explained(umask) else None


def _is_copied(member: Member, clues: Clues) -> bool:
    if not clues.by_setuptools:
        return ".dist-info/" not in member.path
    if ".dist-info/" in member.path:
        return member.path.rpartition("/")[2].upper().startswith(_LICENSES)
    return not member.path.endswith(".py")
