"""The bundle of a run, fetched from a portal: nothing that the portal says of it is believed.

Which run it is of, its records say: `require_run` compares that with what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from builders.core.digest import Digest
from builders.core.errors import NotFoundError
from pipelines.bundle import MAX_BUNDLE
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.strictjson import malformed, read_object
from pipelines.portal.paths import release_path
from pipelines.portal.portal_page import TWIN
from pipelines.portal.remote_check import IndexedBundle, Portal, listed_files

_MAX_TWIN = 16 << 20
_MAX_FILES = 100
"""Files of a release that are looked up at most."""


def fetch_bundle(
    portal: Portal, release: ReleaseName, *, run: str = "latest", center: str | None = None
) -> bytes:
    """Return the bundle of a run: that of the id, of an id that ends so, or the newest.

    It is of that `center`, or of any. Raises `NotFoundError`, `InfrastructureError` for a portal
    that does not answer, `MalformedError` for one whose index cannot be read.
    """
    every = sorted(set(_listed(portal, release)), key=lambda one: (one.run, one.center))
    found = [one for one in every if _is_asked(one.run, one.center, run, center)]
    if not found:
        raise NotFoundError(
            f"{portal.address} has no bundle of such a run of {release}",
            got=", ".join(f"{one.run} by {one.center}" for one in every[-5:]) or "none at all",
            expected=f"run {run}{f' by {center}' if center else ''}",
        )
    return portal.get(found[-1].path, MAX_BUNDLE)


def require_run(
    records: OpenedBundle, release: ReleaseName, *, run: str = "latest", center: str | None = None
) -> None:
    """Raise `NotFoundError` unless checked records are those of a run that was asked for."""
    about, made_by = records.about, records.card.id
    if about.release != str(release) or not _is_asked(about.run, made_by, run, center):
        raise NotFoundError(
            "the portal shows another run than it was asked for",
            got=f"{about.run} of {about.release} by {made_by}",
            expected=f"run {run} of {release}{f' by {center}' if center else ''}",
            todo="Do not rely on this portal",
        )


def _is_asked(found: str, made_by: str, run: str, center: str | None) -> bool:
    return center in {None, made_by} and (run in {"latest", found} or found.endswith(f"-{run}"))


def _listed(portal: Portal, release: ReleaseName) -> Iterator[IndexedBundle]:
    """Yield what the index has about the files that the page of a release names."""
    path = f"{release_path(release)}{TWIN}"
    page = read_object(portal.get(path, _MAX_TWIN), what=path, limit=_MAX_TWIN)
    artefacts = page.get("artefacts")
    try:
        digests = [Digest(artefact["sha256"]) for artefact in islice(artefacts or (), _MAX_FILES)]
    except (TypeError, KeyError, ValueError) as error:
        raise malformed(path, got=type(error).__name__, expected="artefacts by digest") from error
    for digest in dict.fromkeys(digests):
        for row in listed_files(portal.get, digest):
            if row.release == str(release):
                yield from row.bundles
