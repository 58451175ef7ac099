"""What the portal has of each center: its page, and its log with a page beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from builders.core.enums import Verdict
from builders.core.errors import StoreError
from pipelines.log.errors import LogError
from pipelines.portal.facts import SiteFacts
from pipelines.portal.pages.center import CenterPage, CenterRow, CentersPage, center_page
from pipelines.portal.pages.log import LogPage, log_page
from pipelines.portal.paths import log_path, release_path
from pipelines.portal.published_log import full_tiles, known_leaves, log_objects
from pipelines.portal.read_log import ReadLog, read_log
from pipelines.portal.site_file import KeptPath, SiteFile


def center_files(
    facts: SiteFacts,
) -> Iterator[CenterPage | CentersPage | LogPage | SiteFile | KeptPath]:
    """Yield the pages of all centers of the policy, and their logs.

    A log that cannot be read to its end is published without its checkpoint, and so is none.
    """
    policy = facts.view.policy.policy
    sources = {source.center: source for source in facts.view.sources}
    pages = {str(line.release): release_path(line.release) for line in facts.lines}
    verdicts: dict[str, list[Verdict]] = {center.id: [] for center in policy.centers}
    for run in (run for line in facts.lines for run in line.runs):
        verdicts.setdefault(run.center, []).append(run.verdict)
    rows = []
    for member in policy.centers:
        log = read_log(facts.logs, sources.values(), member.id)
        page = center_page(
            policy,
            member,
            sources.get(member.id),
            log,
            verdicts=verdicts[member.id],
            alarms=facts.alarms,
            pages=pages,
            now=facts.now,
        )
        yield page
        rows.append(CenterRow.of(page))
        yield log_page(policy, member, log, pages)
        with suppress(LogError, StoreError):
            yield from _objects(log, log_path(member.id), facts.previous)
    yield CentersPage(centers=tuple(rows))


def _objects(
    log: ReadLog, folder: str, previous: Mapping[str, str]
) -> Iterator[SiteFile | KeptPath]:
    """Yield the tiles and the checkpoint of a log; `previous` are the files of before."""
    if log.reader is None or log.checkpoint is None:
        return
    before = {
        path.removeprefix(folder): digest
        for path, digest in previous.items()
        if path.startswith(folder)
    }
    known = known_leaves(log.reader, before)
    for name in full_tiles(known):
        yield KeptPath(f"{folder}{name}")
    for name, data in log_objects(log.reader, log.checkpoint, known):
        yield SiteFile(f"{folder}{name}", data)
