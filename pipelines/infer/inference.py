"""The recipe of one release by its purl, of whatever kind it is."""

from __future__ import annotations

from pathlib import Path

from builders.core.errors import UsageError
from builders.locators.package_index import ProjectReader
from pipelines.infer.debian.buildinfo import BuildRecord, load_build_record
from pipelines.infer.debian.recorded import check_record, recorded_environment
from pipelines.infer.debian.search import infer_debian
from pipelines.infer.debian.source import is_debian, source_locator
from pipelines.infer.journal import SearchJournal
from pipelines.infer.search import SearchLimits
from pipelines.infer.wheel.distributions import find_release
from pipelines.infer.wheel.search import infer_wheel
from pipelines.verify.session import Session


def infer_release(
    purl: str,
    session: Session,
    index: ProjectReader,
    limits: SearchLimits | None = None,
    record: BuildRecord | None = None,
) -> SearchJournal:
    """Search a recipe for the release that `purl` names: a pure wheel, or a Debian source package.

    `record` is that of the build of a Debian one. Raises `UsageError` for another purl, and
    `InputUnavailableError` for a release that is not served.
    """
    if is_debian(purl):
        return infer_debian(purl, session, limits, record=record)
    if record is not None:
        raise _no_record(purl)
    return infer_wheel(find_release(purl, index), session, index, limits)


def read_record(purl: str | None, path: Path) -> BuildRecord:
    """Read the .buildinfo of the release that `purl` names, before anything is fetched.

    Raises `UsageError` for a file that is none, for one of another release, and where the release
    is not a Debian source.
    """
    if purl is None or not is_debian(purl):
        raise _no_record(purl or "files on disk")
    locator, record = source_locator(purl), load_build_record(path)
    check_record(record, locator.name, locator.version)
    recorded_environment(record)
    return record


def _no_record(got: str) -> UsageError:
    return UsageError(
        "only Debian packages have a .buildinfo",
        got=got,
        expected="pkg:deb/debian/NAME@VERSION?arch=source",
        todo="Leave --buildinfo away",
    )
