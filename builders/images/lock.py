"""The lock of a builder image: every package by digest, and the digests of the image itself.

Each package is one line, `name version architecture size sha256 path`, so that changes of a lock
are easy to review. A lock that is read and written again keeps its bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel, duplicate
from builders.core.yamlfile import parse_document, parse_model, read_text
from builders.images.definition import Suite
from builders.locators.fetcher import FetchRequest, PoolLocator
from builders.locators.locator import relative_path

SCHEMA = "samebits/image-lock/v1"
_LINE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]+) (?P<version>[A-Za-z0-9][A-Za-z0-9.+~:-]*) "
    r"(?P<architecture>all|amd64) (?P<size>[1-9]\d{0,11}) (?P<sha256>\S*) (?P<path>\S*)"
)


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
            raise ValueError("expected `name version architecture size sha256 path`")
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"not a package: {' '.join(words[:4])[:80]!r}")
        return cls(
            name=match["name"],
            version=match["version"],
            architecture=match["architecture"],
            size=int(match["size"]),
            sha256=Digest(match["sha256"]),
            path=relative_path(match["path"]),
        )

    def __str__(self) -> str:
        """Return the line of the lock."""
        return (
            f"{self.name} {self.version} {self.architecture} {self.size} {self.sha256} {self.path}"
        )

    def fetch_request(self, suite: str) -> FetchRequest:
        """Return the request for this package, as a file of the archive of `suite`."""
        locator = PoolLocator(suite=suite, path=self.path)
        return FetchRequest(locator=locator, name=self.path.name, sha256=self.sha256)


def _package(value: object) -> LockedPackage:
    if isinstance(value, LockedPackage):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a package as one line of text")  # noqa: TRY004  # for pydantic
    return LockedPackage.parse(value)


PackageField = Annotated[Any, BeforeValidator(_package), PlainSerializer(str)]


class ImageDigests(FrozenModel):
    """The digests of an image: its config, its manifest and its only layer."""

    config: Digest
    manifest: Digest
    diff_id: Digest


class Resolution(FrozenModel):
    """A definition at one point in time: enough to build the image, before its digests are known.

    `epoch` is the date of the suite's Release file in seconds since 1970 (UTC); no file of the
    image is newer. `essential` are the packages that are unpacked first, `packages` the others,
    both sorted. `tools` are the versions of the tools that resolved and built it; they only help to
    explain a difference.
    """

    schema_: Annotated[Literal["samebits/image-lock/v1"], Field(alias="schema")]
    definition: Digest
    suite: Suite
    epoch: Annotated[int, Field(ge=0, le=1 << 40)]
    tools: dict[str, str]
    essential: Annotated[tuple[PackageField, ...], Field(min_length=1, max_length=10_000)]
    packages: Annotated[tuple[PackageField, ...], Field(max_length=10_000)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if twice := duplicate(package.name for package in self.every()):
            raise ValueError(f"package {twice!r} is locked twice")
        return self

    def every(self) -> tuple[LockedPackage, ...]:
        """Return all packages, the essential ones first."""
        return self.essential + self.packages

    def fetch_requests(self) -> list[FetchRequest]:
        """Return the files that the vault must hold before the image can be built."""
        return [package.fetch_request(self.suite) for package in self.every()]


class ImageLock(Resolution):
    """A resolution with the digests of the image that it builds."""

    image: ImageDigests


@dataclass(frozen=True, kw_only=True)
class LockChange:
    """One difference between two locks; None on the side that does not have it."""

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
    return _parsed(read_text(path), str(path))


@lru_cache(maxsize=8)  # a run needs it six times, and it lists hundreds of packages
def _parsed(text: str, file: str) -> ImageLock:
    return parse_model(parse_document(text, file=file), ImageLock)


def dump_lock(lock: ImageLock) -> str:
    """Return the text of a lock file, which depends on nothing else."""
    data = lock.model_dump(mode="json", by_alias=True)
    head = {key: data[key] for key in ("schema", "definition", "suite", "epoch", "image", "tools")}
    rest = {key: list(data[key]) for key in ("essential", "packages")}
    return (
        "# Written by `samebits image lock`; not edited by hand.\n"
        + yaml.safe_dump(head, sort_keys=False)
        + yaml.safe_dump(rest, sort_keys=False, width=10_000)
    )


def lock_changes(old: ImageLock, new: ImageLock) -> list[LockChange]:
    """Return the changes from `old` to `new`, packages by name; empty if there are none."""
    before = {p.name: p for p in old.every()}
    after = {p.name: p for p in new.every()}
    changes = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was != now:
            rebuilt = was is not None and now is not None and was.version == now.version
            old_text, new_text = (_version(package, digest=rebuilt) for package in (was, now))
            changes.append(LockChange(what=name, old=old_text, new=new_text))
    for what, left, right in (
        ("definition", old.definition, new.definition),
        ("suite", old.suite, new.suite),
        ("epoch", old.epoch, new.epoch),
        ("image config", old.image.config, new.image.config),
    ):
        if left != right:
            changes.append(LockChange(what=what, old=str(left), new=str(right)))
    return changes


def _version(package: LockedPackage | None, *, digest: bool) -> str | None:
    if package is None:
        return None
    return f"{package.version} (sha256 {package.sha256})" if digest else package.version
