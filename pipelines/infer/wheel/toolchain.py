"""The build backend of a wheel and its requirements, as pip would have installed them that day.

A small resolver over the pure wheels of an index: the newest version of each requirement that was
uploaded before a given day, meets every requirement on it and runs on a given Python. An exact
version, such as that of the generator, may be newer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from builders.core.errors import InputUnavailableError, UsageError
from builders.images import ImageCatalogue
from builders.jail import Jail
from builders.locators.package_index import ProjectReader
from pipelines.infer.target import Pin
from pipelines.infer.wheel.distributions import index_pin
from pipelines.infer.wheel.facts import read_requirements

_VERSION = re.compile(r"(\d+)\.(\d+)")
_NEEDED = frozenset({"python3-pip", "python3-venv"})
MAX_TOOLS = 40
# The newest setuptools of each way of writing METADATA, and those of Linux distributions.
KNOWN_SETUPTOOLS = tuple(
    Version(text)
    for text in (
        *("40.8.0", "41.6.0", "44.1.1", "45.2.0", "52.0.0", "56.2.0", "57.5.0", "59.6.0"),
        *("61.3.1", "65.5.0", "67.8.0", "69.0.3", "75.1.0"),
    )
)
_GENERATORS = (
    (re.compile(r"bdist_wheel \((?P<v>[^)]+)\)"), "wheel"),
    (re.compile(r"setuptools \((?P<v>[^)]+)\)"), "setuptools"),
    (re.compile(r"flit (?P<v>\S+)"), "flit-core"),
    (re.compile(r"hatchling (?P<v>\S+)"), "hatchling"),
    (re.compile(r"poetry-core (?P<v>\S+)"), "poetry-core"),
    (re.compile(r"poetry (?P<v>1\.\S+)"), "poetry-core"),
    (re.compile(r"pdm-backend \((?P<v>[^)]+)\)"), "pdm-backend"),
    (re.compile(r"pdm-pep517 (?P<v>\S+)"), "pdm-pep517"),
)
_MARKERS = {
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
}
# The first setuptools that makes wheels without the project `wheel`.
OWN_WHEEL = Version("70.1")


@dataclass(frozen=True, kw_only=True, order=True)
class PythonImage:
    """A builder image, and the version of its Python.

    - `zones`: whether it has the time zone database.
    """

    version: tuple[int, int]
    name: str
    zones: bool = False

    def __str__(self) -> str:
        """Return `3.13`."""
        return f"{self.version[0]}.{self.version[1]}"


def python_images(images: ImageCatalogue) -> tuple[PythonImage, ...]:
    """Return the locked images that have Python, pip and venv, one for each Python, oldest first.

    Raises `UsageError` when there is none.
    """
    found: dict[tuple[int, int], PythonImage] = {}
    for name in images.names():
        if not images.has_lock(name) or not set(images.definition(name).packages) >= _NEEDED:
            continue
        versions = {package.name: package.version for package in images.lock(name).every()}
        if match := _VERSION.match(versions.get("python3", "")):
            version = (int(match[1]), int(match[2]))
            image = PythonImage(version=version, name=name, zones="tzdata" in versions)
            found.setdefault(version, image)
    if not found:
        raise UsageError(
            "no builder image can build wheels",
            got=", ".join(images.names()) or "no image",
            expected="a locked image with python3, python3-pip and python3-venv",
            todo="Run `samebits image lock python-wheel`",
        )
    return tuple(sorted(found.values()))


@dataclass(frozen=True, kw_only=True)
class Generator:
    """The program that wrote a wheel: project and exact version."""

    project: str
    version: Version


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One wheel of the toolchain."""

    project: str
    version: Version
    pin: Pin


def generator_of(text: str) -> Generator | None:
    """Read a `Generator:` line; None for programs that are not known here."""
    for form, project in _GENERATORS:
        if match := form.fullmatch(text):
            try:
                return Generator(project=project, version=Version(match["v"]))
            except InvalidVersion:
                return None
    return None


class Resolver:
    """Resolves toolchains in one index."""

    def __init__(
        self,
        index: ProjectReader,
        wheel_of: Callable[[Pin], Path],
        jail: Jail,
        *,
        without: str = "",
    ) -> None:
        """Look projects up in `index`; `wheel_of` returns a wheel whose metadata is needed.

        `without` is the project under test, which is never one of its own tools.
        """
        self._index, self._without = index, canonicalize_name(without)
        self._requires = cache(
            lambda pin: parse_requirements(read_requirements(wheel_of(pin), jail))
        )

    def resolve(
        self, wanted: Sequence[Requirement], python: PythonImage, before: datetime
    ) -> tuple[Tool, ...]:
        """Return the toolchain for `wanted` as of `before`, sorted by project.

        Raises `InputUnavailableError` when a requirement has no fitting pure wheel.
        """
        requested: dict[str, list[Requirement]] = {}
        chosen: dict[str, Tool] = {}
        queue = [r for r in wanted if _applies(r, python, ())]
        while queue:
            requirement = queue.pop(0)
            name = canonicalize_name(requirement.name)
            if name == self._without:
                continue
            requested.setdefault(name, []).append(requirement)
            held = chosen.get(name)
            if held and held.version in requirement.specifier:
                continue
            tool = self._newest(name, requested[name], python, before)
            chosen[name] = tool
            if len(chosen) > MAX_TOOLS:
                raise InputUnavailableError(
                    "the toolchain grows too large", got=f"more than {MAX_TOOLS} projects"
                )
            queue += [
                r for r in self._requires(tool.pin) if _applies(r, python, requirement.extras)
            ]
        return tuple(sorted(chosen.values(), key=lambda t: t.project))

    def _newest(
        self, name: str, requested: Sequence[Requirement], python: PythonImage, before: datetime
    ) -> Tool:
        exact = any(s.operator in {"==", "==="} for r in requested for s in r.specifier)
        early = exact or None  # None: as the specifier says
        fits = [
            file
            for file in self._index.project(name).files
            if file.kind == "wheel"
            and any(_runs(tag, python) for tag in file.tags)
            and (exact or (file.uploaded is not None and file.uploaded <= before))
            and _allows(file.requires_python, python)
            and all(r.specifier.contains(file.version, prereleases=early) for r in requested)
        ]
        if not fits:
            raise InputUnavailableError(
                f"no pure wheel of {name} fits",
                got=" and ".join(str(r) for r in requested),
                expected=f"one for Python {python}, uploaded before {before:%Y-%m-%d}",
            )
        best = max(fits, key=lambda f: f.version)
        return Tool(project=name, version=best.version, pin=index_pin(name, best))


def parse_requirements(texts: Iterable[str]) -> list[Requirement]:
    """Read requirements, leaving out what cannot be read."""
    found = []
    for text in texts:
        with suppress(InvalidRequirement):
            found.append(Requirement(text))
    return found


def _applies(requirement: Requirement, python: PythonImage, extras: Iterable[str]) -> bool:
    """Say whether the marker of a requirement holds in a build on `python`."""
    if requirement.marker is None:
        return True
    versions = {"python_version": str(python), "python_full_version": f"{python}.0"}
    return any(
        requirement.marker.evaluate({**_MARKERS, **versions, "extra": extra})
        for extra in ("", *sorted(extras))
    )


def _runs(tag: str, python: PythonImage) -> bool:
    interpreter, _, rest = tag.partition("-")
    return rest == "none-any" and (interpreter in {"py3", f"py3{python.version[1]}"})


def _allows(text: str | None, python: PythonImage) -> bool:
    try:
        return not text or SpecifierSet(text).contains(f"{python}.99", prereleases=True)
    except InvalidSpecifier:
        return True
