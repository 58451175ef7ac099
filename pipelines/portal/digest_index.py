"""The index of the portal by digest: which bundles are about a file.

It is sharded by the first two digits of the SHA-256, so that a visitor names no more of a file than
these. It holds no verdict: what is said about a file comes from checking the bundles.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from gzip import compress
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import UsageError
from builders.core.frozen_model import FrozenModel
from pipelines.audit.center_finding import CenterFinding
from pipelines.consensus.file_check import FileRole, files_of
from pipelines.consensus.release_consensus import ReleaseFindings
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.stored_runs import RunName
from pipelines.portal.paths import release_path, segment
from pipelines.portal.site_file import KeptPath, SiteFile

SCHEMA = "samebits/portal/files/v1"
PREFIXES = tuple(f"{number:02x}" for number in range(256))


class PublishedBundle(FrozenModel):
    """The bundle of one run of one center, and where it is in the portal."""

    center: str
    run: str
    path: str
    bases: tuple[str, ...] = ()
    """Where the bundles of the runs are that judged the bases of its updates."""


def published_findings(read: ReleaseFindings) -> tuple[CenterFinding, ...]:
    """Return of each center, artefact and published file the newest finding."""
    newest: dict[tuple[str, str, Digest], CenterFinding] = {}
    for found in sorted(read.findings, key=lambda one: one.index, reverse=True):
        newest.setdefault((found.center.id, found.artefact, found.published), found)
    return tuple(newest[key] for key in sorted(newest, key=str))


def bundle_paths(read: ReleaseFindings) -> tuple[PublishedBundle, ...]:
    """Return the bundles of a release, each run once; some may not be there to be published."""
    found: dict[str, PublishedBundle] = {}
    for finding in published_findings(read):
        one = _bundle(read.release, finding)
        bases = (*found[one.path].bases, *one.bases) if one.path in found else one.bases
        found[one.path] = one.model_copy(update={"bases": tuple(dict.fromkeys(bases))})
    return tuple(found.values())


def base_run(finding: CenterFinding) -> RunName | None:
    """Return the run of the same center that judged the base of a delta; None of any other file."""
    base = finding.delta.base if finding.delta else None
    if base is not None and base.run is not None:
        with suppress(UsageError, ValueError):  # the name of no release
            return RunName.of(ReleaseName.parse(base.release), finding.center.id, base.run)
    return None


def base_path(release: ReleaseName, base: RunName) -> str:
    """Return where the bundle of a run is that judged a base of an update to `release`."""
    of = Digest.of(str(base.release).encode()).hex[:16]
    return _path(release, base.center, f"{base.run}-base-{of}")


def base_runs(read: ReleaseFindings) -> dict[str, RunName]:
    """Return the runs that judged the bases of a release's updates, by path of their bundle."""
    found = filter(None, map(base_run, published_findings(read)))
    return {base_path(read.release, one): one for one in found}


def _bundle(release: ReleaseName, finding: CenterFinding) -> PublishedBundle:
    center, base = finding.center.id, base_run(finding)
    return PublishedBundle(
        center=center,
        run=finding.run,
        path=_path(release, center, finding.run),
        bases=(base_path(release, base),) if base else (),
    )


def _path(release: ReleaseName, center: str, run: str) -> str:
    folder = f"bundles/{release_path(release).removeprefix('releases/')}"
    return f"{folder}{segment(center)}-{segment(run)}.bundle.tar"


def file_rows(read: ReleaseFindings, files: Collection[str]) -> str:
    """Return what the index has of a release: lines of a file's SHA-256 and its entry as JSON.

    The bundles about it are named that are among `files`, the paths of what the site has of it.
    """
    bundles = {one.path: one for one in bundle_paths(read)}
    rows: dict[tuple[Digest, str, FileRole], list[PublishedBundle]] = defaultdict(list)
    for finding in published_findings(read):
        bundle = bundles[_bundle(read.release, finding).path]
        for digest, role in files_of(finding).items():
            rows[digest, finding.artefact, role].append(bundle)
    return "\n".join(
        f"{digest} {_compact(_entry(read.release, artefact, role, found, files))}"
        for (digest, artefact, role), found in sorted(rows.items(), key=str)
    )


def _entry(
    release: ReleaseName,
    artefact: str,
    role: FileRole,
    bundles: Iterable[PublishedBundle],
    files: Collection[str],
) -> dict[str, Any]:
    """Return what the index says of a file of a release."""
    return {
        "release": str(release),
        "page": release_path(release),
        "artefact": artefact,
        "role": str(role),
        "bundles": [
            {
                "center": one.center,
                "run": one.run,
                "path": one.path,
                "bases": [path for path in one.bases if path in files],
            }
            for one in bundles
            if one.path in files
        ],
    }


def shard_of(row: str) -> str:
    """Return the prefix of the shard that a row is in."""
    return row[:2]


def shards(
    releases: Iterable[str], changed: Collection[str] = PREFIXES
) -> Iterator[SiteFile | KeptPath]:
    """Yield the whole index, as JSON and as style sheets, for pages that may not fetch.

    Each release is given by its rows. Shards that are not among `changed` are as in the generation
    before.
    """
    found: dict[str, dict[str, list[str]]] = {prefix: {} for prefix in changed}
    for row in (row for rows in releases if rows for row in rows.split("\n")):
        if (shard := found.get(shard_of(row))) is not None:
            digest, _, entry = row.partition(" ")
            shard.setdefault(digest, []).append(entry)
    for prefix in PREFIXES:
        path = f"files/{prefix}"
        if prefix in found:
            files = ",".join(
                f'"{digest}":[{",".join(entries)}]'
                for digest, entries in sorted(found.pop(prefix).items())
            )
            text = f'{{"schema":"{SCHEMA}","prefix":"{prefix}","files":{{{files}}}}}\n'
            yield from _both(path, text.encode())
        else:
            yield KeptPath(f"{path}.json")
            yield KeptPath(f"{path}.css")


def with_style(path: str, document: Any) -> Iterator[SiteFile]:
    """Yield a document as JSON, and as a style sheet."""
    yield from _both(path, f"{_compact(document)}\n".encode())


def _compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))


def _both(path: str, data: bytes) -> Iterator[SiteFile]:
    yield SiteFile(f"{path}.json", data)
    yield SiteFile(f"{path}.css", style_sheet(data))


def style_sheet(data: bytes) -> bytes:
    """Return bytes as the property of a style sheet.

    That is the one form in which a page of `file:` can read the data of a folder without running
    a script from it.
    """
    return b':root{--samebits:"%b"}\n' % b64encode(compress(data, 1, mtime=0))
