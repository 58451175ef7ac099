"""One release by its purl, whatever kind it is of."""

from __future__ import annotations

from pathlib import Path

from builders.core.errors import UsageError
from builders.locators.packageindex import ProjectReader
from pipelines.infer.debian.buildinfo import BuildRecord, load_build_record
from pipelines.infer.debian.record import understood
from pipelines.infer.debian.search import infer_debian
from pipelines.infer.debian.source import is_debian, source_locator
from pipelines.infer.trail import Trail
from pipelines.infer.wheel.search import Limits, infer
from pipelines.infer.wheel.target import find_release
from pipelines.verify.session import Session


def infer_release(
    purl: str,
    shop: Session,
    index: ProjectReader,
    limits: Limits | None = None,
    record: BuildRecord | None = None,
) -> Trail:
    """Find a recipe for the release that `purl` names: a pure wheel, or a Debian source package.

    Of a Debian one there may be a `record` of its build. Raises `UsageError` for what is no such
    purl, `InputUnavailableError` for what nobody serves.
    """
    limits = limits or Limits()
    if is_debian(purl):
        return infer_debian(purl, shop, limits, record=record)
    if record is not None:
        raise _no_record(purl)
    return infer(find_release(purl, index), shop, index, limits)


def record_of(purl: str | None, path: Path) -> BuildRecord:
    """Read the .buildinfo of the release that `purl` names, before anything is fetched.

    Raises `UsageError` for a file that is none, for one of another release, and where the release
    is no Debian source.
    """
    if purl is None or not is_debian(purl):
        raise _no_record(purl or "files on disk")
    locator, record = source_locator(purl), load_build_record(path)
    understood(record, locator.name, locator.version)
    return record


def _no_record(got: str) -> UsageError:
    return UsageError(
        "only Debian packages have a .buildinfo",
        got=got,
        expected="pkg:deb/debian/NAME@VERSION?arch=source",
        todo="Leave --buildinfo away",
    )
