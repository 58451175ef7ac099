"""The lock of a builder image: every package by digest, and the digests of the image itself.

One package is one line, `name version architecture size sha256 path`, so that a changed lock reads
well in review. Writing a lock that was read gives the same bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from builders.core.digest import Digest
from builders.core.model import FrozenModel
from builders.core.yamlfile import load_document, parse_model
from builders.images.definition import Suite
from builders.locators.fetcher import FetchRequest, PoolLocator
from builders.locators.locator import relative_path

SCHEMA = "samebits/image-lock/v1"
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:-]*")
_ARCHITECTURES = frozenset({"all", "amd64"})


@dataclass(frozen=True, kw_only=True, order=True)
class LockedPackage:
    """One binary package; `size` in bytes, `path` below the archive's root."""

    name: str
    version: str
    architecture: str
    size: int
    sha256: Digest
    path: PurePosixPath

    @classmethod
    def parse(cls, line: str) -> LockedPackage:
        """Read a line of a lock; raises ValueError."""
        words = line.split(" ")
        if len(words) != 6:
            message = "expected `name version architecture size sha256 path`"
            raise ValueError(message)
        name, version, architecture, size, digest, path = words
        if not (
            _NAME.fullmatch(name)
            and _VERSION.fullmatch(version)
            and architecture in _ARCHITECTURES
            and re.fullmatch(r"[1-9]\d{0,11}", size)
        ):
            message = f"not a package: {' '.join(words[:4])[:80]!r}"
            raise ValueError(message)
        return cls(
            name=name,
            version=version,
            architecture=architecture,
            size=int(size),
            sha256=Digest(digest),
            path=relative_path(path),
        )

    def __str__(self) -> str:
        """Return the line of the lock."""
        return (
            f"{self.name} {self.version} {self.architecture} {self.size} {self.sha256} {self.path}"
        )

    def want(self, suite: str) -> FetchRequest:
        """Return what to ask a fetcher for."""
        return FetchRequest(
            locator=PoolLocator(suite=suite, path=self.path),
            name=self.path.name,
            sha256=self.sha256,
        )


def _package(value: object) -> LockedPackage:
    if isinstance(value, LockedPackage):
        return value
    if not isinstance(value, str):
        message = "expected a package as one line of text"
        raise ValueError(message)  # noqa: TRY004  # pydantic reports ValueError
    return LockedPackage.parse(value)


PackageField = Annotated[Any, BeforeValidator(_package), PlainSerializer(str)]


class ImageDigests(FrozenModel):
    """The digests that an image built from the lock must have."""

    config: Digest
    manifest: Digest
    diff_id: Digest


class Resolution(FrozenModel):
    """A definition at one point in time: enough to build the image, before its digests are known.

    `epoch` is the date of the suite's Release file in seconds since 1970 (UTC); no file of the
    image is newer. `essential` is what is unpacked first, `packages` is the rest, both sorted.
    `tools` are the versions that resolved and built it: not used to build, only to explain.
    """

    schema_: Annotated[Literal["samebits/image-lock/v1"], Field(alias="schema")]
    definition: Digest
    suite: Suite
    epoch: Annotated[int, Field(ge=0, le=1 << 40)]
    tools: dict[str, str]
    essential: Annotated[tuple[PackageField, ...], Field(min_length=1, max_length=10_000)]
    packages: Annotated[tuple[PackageField, ...], Field(max_length=10_000)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [package.name for package in self.every()]
        if len(set(names)) != len(names):
            twice = min(name for name in names if names.count(name) > 1)
            message = f"package {twice!r} is locked twice"
            raise ValueError(message)
        return self

    def every(self) -> tuple[LockedPackage, ...]:
        """Return all packages, the essential ones first."""
        return self.essential + self.packages

    def wants(self) -> list[FetchRequest]:
        """Return what the vault must hold before the image can be built."""
        return [package.want(self.suite) for package in self.every()]


class ImageLock(Resolution):
    """A resolution with the digests of the image that it builds."""

    image: ImageDigests


@dataclass(frozen=True, kw_only=True)
class LockChange:
    """One difference between two locks; None where a side does not have it."""

    what: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        """Return one line for people."""
        if self.old is None:
            return f"{self.what}: added {self.new}"
        if self.new is None:
            return f"{self.what}: removed {self.old}"
        return f"{self.what}: {self.old} -> {self.new}"


def load_lock(path: Path) -> ImageLock:
    """Read one lock; raises `RecipeError` with file, line and field."""
    return parse_model(load_document(path), ImageLock)


def dump_lock(lock: ImageLock) -> str:
    """Return the text of a lock file: the same text for the same lock."""
    data = lock.model_dump(mode="json", by_alias=True)
    head = {key: data[key] for key in ("schema", "definition", "suite", "epoch", "image", "tools")}
    rest = {key: list(data[key]) for key in ("essential", "packages")}
    return (
        "# Written by `samebits image lock`; not edited by hand.\n"
        + yaml.safe_dump(head, sort_keys=False)
        + yaml.safe_dump(rest, sort_keys=False, width=10_000)
    )


def lock_changes(old: ImageLock, new: ImageLock) -> list[LockChange]:
    """Return what changes from `old` to `new`, packages by name; empty when nothing does."""
    before = {p.name: p for p in old.every()}
    after = {p.name: p for p in new.every()}
    changes = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was != now:
            changes.append(LockChange(what=name, old=_shown(was, now), new=_shown(now, was)))
    for what, left, right in (
        ("definition", old.definition, new.definition),
        ("suite", old.suite, new.suite),
        ("epoch", old.epoch, new.epoch),
        ("image config", old.image.config, new.image.config),
    ):
        if left != right:
            changes.append(LockChange(what=what, old=str(left), new=str(right)))
    return changes


def _shown(package: LockedPackage | None, other: LockedPackage | None) -> str | None:
    if package is None:
        return None
    if other is not None and other.version == package.version:
        return f"{package.version} (sha256 {package.sha256})"
    return package.version
