"""The Python package indexes that pip on this machine is set to: settings, access, project pages.

Only the Simple API is used (PEP 503, 691, 700). `pip download` is never used, because it runs the
build backend of what it downloads. An index that serves only HTML has no upload times; they are
None then.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import requests
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from pypi_simple import (
    DistributionPackage,
    NoSuchProjectError,
    ProjectPage,
    PyPISimple,
    UnsupportedContentTypeError,
)
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError, InputUnavailableError
from builders.core.run_tool import run_tool, tool_environment

_RETRIES = 3
_RETRY_STATUSES = (429, 502, 503, 504)
_SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, kw_only=True)
class IndexSettings:
    """The relevant settings of pip; `timeout` in seconds."""

    indexes: tuple[str, ...]
    certificates: str | None = None
    timeout: float = 60


@dataclass(frozen=True, kw_only=True)
class IndexFile:
    """One file of a project, as the index describes it; `size` in bytes, times in UTC."""

    name: str
    version: Version
    kind: str
    """`wheel` or `sdist`."""
    sha256: Digest
    size: int | None = None
    uploaded: datetime | None = None
    yanked: str | None = None
    """Why it was yanked; empty if no reason was given, None if it was not yanked."""
    requires_python: str | None = None
    tags: frozenset[str] = frozenset()
    """Tags of a wheel, such as `py3-none-any`."""


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
        """Return the project; raises `InputUnavailableError` if there is none."""


class IndexReader:
    """Reads project pages, each once a process, and thread-safe."""

    def __init__(self, settings: IndexSettings | None = None) -> None:
        """Use `settings`, by default pip's own, which are read on first use."""
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
        self._settings = self._settings or pip_settings()
        with index_session(self._settings) as session, index_errors(f"describe {name}"):
            for page in project_pages(session, self._settings, name):
                return Project(name=name, files=tuple(_files(page.packages)))
        return None


def index_session(settings: IndexSettings) -> requests.Session:
    """Return a session for the indexes, which retries failed connections and busy servers.

    If all indexes use https, nothing else can be reached, so no redirect leads to plain http.
    """
    session = requests.Session()
    retry = Retry(
        total=_RETRIES,
        backoff_factor=0.5,
        status_forcelist=_RETRY_STATUSES,
        respect_retry_after_header=False,  # the server does not decide how long we wait
        raise_on_status=False,
    )
    for prefix in ("https://", "http://"):
        session.mount(prefix, HTTPAdapter(max_retries=retry))
    if all(index.startswith("https://") for index in settings.indexes):
        del session.adapters["http://"]
    if settings.certificates:
        session.verify = settings.certificates
    return session


@contextmanager
def index_errors(action: str) -> Iterator[None]:
    """Turn errors of an index into an `InfrastructureError`, which names no address."""
    try:
        yield
    except (requests.RequestException, UnsupportedContentTypeError, ValueError) as error:
        got = type(error).__name__
        if isinstance(error, requests.HTTPError):
            got = f"HTTP status {error.response.status_code}"
        raise InfrastructureError(
            f"the Python package index failed to {action}",
            got=got,
            todo="Check `pip config list` and the network, then try again",
        ) from error


def project_pages(
    session: requests.Session, settings: IndexSettings, name: str
) -> Iterator[ProjectPage]:
    """Yield the page of a project from each index that has one; see `index_errors` for errors."""
    for index in settings.indexes:
        try:
            page = PyPISimple(index, session=session).get_project_page(
                name, timeout=settings.timeout
            )
        except NoSuchProjectError:
            continue
        yield page


def pip_settings(environment: Mapping[str, str] | None = None) -> IndexSettings:
    """Return the index, certificates and timeout that pip is set to; nothing is fetched.

    `environment` is for tests; it replaces what pip reads of the environment of this process.

    Raises `InfrastructureError` if pip cannot read its configuration.
    """
    command = (sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list")
    environment = environment or tool_environment("PIP_", "PYTHON", "VIRTUAL_ENV")
    listed = run_tool(command, environment=environment, timeout=120)
    if listed.exit_code:
        raise InfrastructureError(
            "pip cannot say which package index it uses",
            got=listed.error_text.rpartition("\n")[2],
            todo="Run `pip config list`",
        )
    values = _parse_config(listed.text)
    default = importlib.import_module("pip._internal.models.index").PyPI.simple_url
    return IndexSettings(
        indexes=(
            values.get("index-url") or str(default),
            *values.get("extra-index-url", "").split(),
        ),
        certificates=values.get("cert"),
        timeout=float(values.get("timeout") or values.get("default-timeout") or 60),
    )


def _parse_config(listing: str) -> dict[str, str]:
    """Parse `pip config list`: the environment overrides `download`, which overrides `global`."""
    rank = {"global": 0, "download": 1, ":env:": 2}
    best: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        name, equals, shown = line.partition("=")
        section, _, key = name.rpartition(".")
        if not equals or section not in rank:
            continue
        try:
            value = str(ast.literal_eval(shown))
        except (ValueError, SyntaxError):
            continue
        if rank[section] >= best.get(key, (-1, ""))[0]:
            best[key] = (rank[section], value)
    return {key: value for key, (_, value) in best.items()}


def _files(packages: Iterable[DistributionPackage]) -> Iterator[IndexFile]:
    """Yield wheels and source distributions with a digest and a valid version."""
    for package in packages:
        name, digest = package.filename, package.digests.get("sha256")
        wheel = package.package_type == "wheel"
        if digest is None or not (wheel or name.endswith(_SDISTS)):
            continue
        try:
            version = Version(package.version or "")
            tags = parse_wheel_filename(name)[3] if wheel else ()
        except (InvalidVersion, InvalidWheelFilename):
            continue
        yield IndexFile(
            name=name,
            version=version,
            kind="wheel" if wheel else "sdist",
            sha256=Digest(digest),
            size=package.size,
            uploaded=package.upload_time.astimezone(UTC) if package.upload_time else None,
            yanked=(package.yanked_reason or "") if package.is_yanked else None,
            requires_python=package.requires_python,
            tags=frozenset(map(str, tags)),
        )
