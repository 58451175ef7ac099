"""What the shipped wheel and its source show of the build before anything is tried."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from builders.archives import Member
from builders.core.errors import InputUnavailableError
from pipelines.infer.wheel.image import PythonImage
from pipelines.infer.wheel.sdist import SourceFacts
from pipelines.infer.wheel.toolchain import (
    OWN_WHEEL,
    Generator,
    Resolver,
    Tool,
    generator_of,
    parse_requirements,
)
from pipelines.infer.wheel.wheelfile import WheelFacts, headers

# The setuptools from which on METADATA names license files, and has no UNKNOWN fields.
LICENSES_NAMED, PLAIN = Version("57"), Version("62.2")
_NSPKG = re.compile(r"-py(\d+)\.(\d+)-nspkg\.pth")
# The minor version of Python 3 that was common from April of a year on, half a year after it.
_COMMON_FROM = {8: 2020, 9: 2021, 10: 2022, 11: 2023, 12: 2024, 13: 2025}


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
        wanted = [self.generator.requirement()]
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
        fields, folder = headers(self.shipped.texts["METADATA"]), self.shipped.dist_info
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
            (m, tuple(f.mtime for f in same if f.mtime is not None), tuple(f.mode for f in same))
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
