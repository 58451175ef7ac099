"""Python packages, through the Simple API of the index that pip on this machine is set to.

Files are found in the project's page (PEP 691, or PEP 503 from older indexes) and downloaded as
they are. `pip download` is never used: it runs the build backend of what it downloads.
"""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from pypi_simple import (
    DistributionPackage,
    NoSuchProjectError,
    PyPISimple,
    UnsupportedContentTypeError,
)

from builders.core.digest import CHUNK
from builders.core.errors import InfrastructureError, InputUnavailableError
from builders.locators.fetcher import FetchRequest
from builders.locators.locator import PurlLocator

MAX_FILE_BYTES = 8 << 30


@dataclass(frozen=True, kw_only=True)
class IndexSettings:
    """What pip is set to; `timeout` in seconds."""

    indexes: tuple[str, ...]
    certificates: str | None = None
    timeout: float = 60


class IndexFetcher:
    """Fetches `pkg:pypi/...` purls."""

    def __init__(
        self, settings: IndexSettings | None = None, *, max_bytes: int = MAX_FILE_BYTES
    ) -> None:
        """Use `settings`, or pip's own when first needed; no file may exceed `max_bytes`."""
        self._settings = settings
        self._max_bytes = max_bytes

    def fetch(self, wants: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every file; see `Fetcher`."""
        self._settings = self._settings or pip_settings(os.environ)
        with requests.Session() as session:
            if self._settings.certificates:
                session.verify = self._settings.certificates
            return [
                self._fetch(session, self._settings, want, into / f"{index:05d}")
                for index, want in enumerate(wants)
            ]

    def _fetch(
        self, session: requests.Session, settings: IndexSettings, want: FetchRequest, target: Path
    ) -> Path:
        locator = want.locator
        if not isinstance(locator, PurlLocator) or locator.type != "pypi":
            message = f"not a Python package: {locator}"
            raise TypeError(message)
        for index in settings.indexes:
            try:
                package = _find(PyPISimple(index, session=session), locator, want, settings.timeout)
                if package is not None and self._download(
                    session, package.url, target, settings.timeout, locator
                ):
                    return target
            except (requests.RequestException, UnsupportedContentTypeError, ValueError) as error:
                raise InfrastructureError(
                    f"the Python package index failed to serve {locator}",
                    got=_reason(error),
                    todo="Check `pip config list` and the network, then try again",
                ) from error
        raise InputUnavailableError(
            f"{locator} is not served",
            got=f"no file {locator.file_name or want.name} in the index that pip is set to",
            todo="Check name, version and file_name, or bring it with `samebits vault import`",
        )

    def _download(
        self,
        session: requests.Session,
        url: str,
        target: Path,
        timeout: float,
        locator: PurlLocator,
    ) -> bool:
        """Stream `url` to `target`; False when it is gone."""
        with session.get(url, stream=True, timeout=timeout) as answer:
            if answer.status_code in {404, 410}:
                return False
            answer.raise_for_status()
            size = 0
            with target.open("xb") as out:
                for piece in answer.iter_content(CHUNK):
                    size += len(piece)
                    if size > self._max_bytes:
                        raise InputUnavailableError(
                            f"{locator} is too large",
                            got=f"more than {self._max_bytes} bytes",
                            expected="a smaller file",
                        )
                    out.write(piece)
        return True


def _find(
    client: PyPISimple, locator: PurlLocator, want: FetchRequest, timeout: float
) -> DistributionPackage | None:
    """Return the wanted file of the project's page: by its declared name, else by its digest."""
    try:
        page = client.get_project_page(locator.name, timeout=timeout)
    except NoSuchProjectError:
        return None
    by_name = {package.filename: package for package in page.packages}
    if locator.file_name:
        return by_name.get(locator.file_name)
    for package in page.packages:
        if package.digests.get("sha256") == want.sha256.hex:
            return package
    return by_name.get(want.name)


def pip_settings(environment: Mapping[str, str]) -> IndexSettings:
    """Ask pip which index, certificates and timeout this machine uses; nothing is fetched.

    Raises `InfrastructureError` when pip cannot say.
    """
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if asked.returncode:
        raise InfrastructureError(
            "pip cannot say which package index it uses",
            got=asked.stderr.strip().rpartition("\n")[2],
            todo="Run `pip config list`",
        )
    values = _parse_config(asked.stdout)
    main = values.get("index-url") or _pip_default()
    return IndexSettings(
        indexes=(main, *values.get("extra-index-url", "").split()),
        certificates=values.get("cert"),
        timeout=float(values.get("timeout") or values.get("default-timeout") or 60),
    )


def _parse_config(listing: str) -> dict[str, str]:
    """Read `pip config list`: the environment wins over `download`, that over `global`."""
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


def _pip_default() -> str:
    return str(importlib.import_module("pip._internal.models.index").PyPI.simple_url)


def _reason(error: Exception) -> str:
    """Say what failed without any address."""
    if isinstance(error, requests.HTTPError):
        return f"HTTP status {error.response.status_code}"
    return type(error).__name__
