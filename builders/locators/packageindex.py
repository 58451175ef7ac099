"""What the index that pip is set to says of a project: its files, and when they were uploaded.

Only the Simple API is read (PEP 503, 691, 700); nothing is downloaded but the project's page, and
each page once a process. An index that serves only HTML knows no upload times: they are None then,
never guessed.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import requests
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version
from pypi_simple import (
    DistributionPackage,
    NoSuchProjectError,
    PyPISimple,
    UnsupportedContentTypeError,
)

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError, InputUnavailableError
from builders.locators.pypi import IndexSettings, pip_settings

_OLD_SDIST = re.compile(r"(?P<name>.+?)-(?P<version>[0-9][^-]*)\.(?:tar\.gz|zip|tar\.bz2|tar\.xz)")


@dataclass(frozen=True, kw_only=True)
class IndexFile:
    """One file of a project, as the index names it; `size` in bytes, times in UTC."""

    name: str
    version: Version
    kind: str
    """`wheel` or `sdist`."""
    sha256: Digest
    size: int | None = None
    uploaded: datetime | None = None
    yanked: str | None = None
    """Why it was withdrawn; empty when no reason was given, None when it was not."""
    requires_python: str | None = None
    tags: frozenset[str] = frozenset()
    """Of a wheel: `py3-none-any` and its like."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project's files, in the order of the index."""

    name: str
    files: tuple[IndexFile, ...]

    def of(self, version: Version) -> tuple[IndexFile, ...]:
        """Return the files of one version."""
        return tuple(file for file in self.files if file.version == version)


class ProjectReader(Protocol):
    """Reads project pages."""

    def project(self, name: str) -> Project:
        """Return the project; raises `InputUnavailableError` when there is none."""


class IndexReader:
    """Reads the pages of the index that pip on this machine is set to."""

    def __init__(self, settings: IndexSettings | None = None) -> None:
        """Use `settings`, or pip's own when first needed."""
        self._settings = settings
        self._known: dict[str, Project | None] = {}
        self._lock = threading.Lock()

    def project(self, name: str) -> Project:
        """Return the project; see `ProjectReader`."""
        name = re.sub(r"[-_.]+", "-", name).lower()
        with self._lock:
            if name not in self._known:
                self._known[name] = self._read(name)
            found = self._known[name]
        if found is None:
            raise InputUnavailableError(
                f"the package index has no project {name}",
                got="no such page",
                todo="Check the name, and `pip config list`",
            )
        return found

    def _read(self, name: str) -> Project | None:
        self._settings = self._settings or pip_settings(os.environ)
        with requests.Session() as session:
            if self._settings.certificates:
                session.verify = self._settings.certificates
            for index in self._settings.indexes:
                client = PyPISimple(index, session=session)
                try:
                    page = client.get_project_page(name, timeout=self._settings.timeout)
                except NoSuchProjectError:
                    continue
                except (
                    requests.RequestException,
                    UnsupportedContentTypeError,
                    ValueError,
                ) as error:
                    raise InfrastructureError(
                        f"the Python package index failed to describe {name}",
                        got=type(error).__name__,
                        todo="Check `pip config list` and the network, then try again",
                    ) from error
                return Project(name=name, files=tuple(_files(page.packages)))
        return None


def _files(packages: Iterable[DistributionPackage]) -> Iterable[IndexFile]:
    for package in packages:
        known = _named(package.filename)
        digest = package.digests.get("sha256")
        if known is None or digest is None:
            continue
        version, kind, tags = known
        yield IndexFile(
            name=package.filename,
            version=version,
            kind=kind,
            sha256=Digest(digest),
            size=package.size,
            uploaded=package.upload_time.astimezone(UTC) if package.upload_time else None,
            yanked=(package.yanked_reason or "") if package.is_yanked else None,
            requires_python=package.requires_python,
            tags=tags,
        )


def _named(filename: str) -> tuple[Version, str, frozenset[str]] | None:
    """Return version, kind and tags of a file name; None for eggs, installers and oddities."""
    try:
        if filename.endswith(".whl"):
            _, version, _, tags = parse_wheel_filename(filename)
            return version, "wheel", frozenset(str(tag) for tag in tags)
        if filename.endswith((".tar.gz", ".zip")):
            return parse_sdist_filename(filename)[1], "sdist", frozenset()
    except (InvalidSdistFilename, InvalidWheelFilename, InvalidVersion):
        pass
    if match := _OLD_SDIST.fullmatch(filename):
        try:
            return Version(match["version"]), "sdist", frozenset()
        except InvalidVersion:
            return None
    return None
