"""Fetch Python packages from the indexes that pip on this machine is set to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pypi_simple import DistributionPackage, ProjectPage
from requests import Response, Session

from builders.core.digest import CHUNK
from builders.core.errors import InputUnavailableError
from builders.locators.fetcher import FetchRequest
from builders.locators.locator import PurlLocator
from builders.locators.package_index import (
    IndexSettings,
    index_errors,
    index_session,
    pip_settings,
    project_pages,
)

MAX_FILE_BYTES = 8 << 30


class IndexFetcher:
    """Fetches `pkg:pypi/...` purls."""

    def __init__(
        self, settings: IndexSettings | None = None, *, max_bytes: int = MAX_FILE_BYTES
    ) -> None:
        """Use `settings`, by default pip's own; a file may not exceed `max_bytes`."""
        self._settings = settings
        self._max_bytes = max_bytes

    def fetch(self, requests: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every file; see `Fetcher`."""
        self._settings = self._settings or pip_settings()
        with index_session(self._settings) as session:
            return [
                self._fetch(session, self._settings, request, into / f"{index:05d}")
                for index, request in enumerate(requests)
            ]

    def _fetch(
        self, session: Session, settings: IndexSettings, request: FetchRequest, target: Path
    ) -> Path:
        locator = request.locator
        if not isinstance(locator, PurlLocator) or locator.type != "pypi":
            raise TypeError(f"not a Python package: {locator}")
        with index_errors(f"serve {locator}"):
            for page in project_pages(session, settings, locator.name):
                package = _find(page, locator, request)
                if package is None:
                    continue
                with session.get(package.url, stream=True, timeout=settings.timeout) as answer:
                    if answer.status_code not in {404, 410}:
                        answer.raise_for_status()
                        self._download(answer, target, locator)
                        return target
        raise InputUnavailableError(
            f"{locator} is not served",
            got=f"no file {locator.file_name or request.name} in the index that pip is set to",
            todo="Check name, version and file_name, or import it with `samebits vault import`",
        )

    def _download(self, answer: Response, target: Path, locator: PurlLocator) -> None:
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


def _find(
    page: ProjectPage, locator: PurlLocator, request: FetchRequest
) -> DistributionPackage | None:
    """Return the requested file: by its declared name, or else by its digest or default name."""
    by_name = {package.filename: package for package in page.packages}
    if locator.file_name:
        return by_name.get(locator.file_name)
    for package in page.packages:
        if package.digests.get("sha256") == request.sha256.hex:
            return package
    return by_name.get(request.name)
