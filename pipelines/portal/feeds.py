"""Feeds (Atom, RFC 4287): what changed, and which alarms are open.

They follow from the evidence alone: made again from nothing, they have the same entries. Links are
relative to the feed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from builders.core.digest import Digest, canonical_json
from builders.core.escaping import escaped
from pipelines.alarms.alarm import ListedAlarm
from pipelines.evidence.statements.statement import NAMESPACE, show_time
from pipelines.portal.facts import SiteFacts
from pipelines.portal.paths import release_path
from pipelines.portal.release_line import ReleaseLine, StandingStep
from pipelines.portal.rows import AlarmRow
from pipelines.portal.site_file import SiteFile
from pipelines.portal.standing import in_words

ENTRIES = 100
CHANGES, ALARMS = "feeds/changes.atom", "feeds/alarms.atom"
_ATOM = "http://www.w3.org/2005/Atom"
register_namespace("", _ATOM)


@dataclass(frozen=True, kw_only=True)
class FeedEntry:
    """One entry; `path` is from the root of the portal."""

    id: str
    title: str
    text: str
    updated: datetime
    path: str


def feed_files(facts: SiteFacts) -> Iterator[SiteFile]:
    """Yield both feeds."""
    center = facts.view.center
    yield SiteFile(CHANGES, changes_feed(facts.lines, center, facts.now))
    yield SiteFile(ALARMS, alarms_feed(facts.alarms, center, facts.now))


def changes_feed(lines: Iterable[ReleaseLine], center: str, now: datetime) -> bytes:
    """Return the feed of the newest changes of standings; `now` is UTC."""
    steps = [(line, number) for line in lines for number in range(len(line.steps))]
    steps.sort(key=_order, reverse=True)
    entries = [_change(line, number, now) for line, number in steps[:ENTRIES]]
    return _feed(CHANGES, f"samebits: changes, by center {center}", entries, now)


def alarms_feed(alarms: Iterable[ListedAlarm], center: str, now: datetime) -> bytes:
    """Return the feed of open alarms; one that no run shows has the time `now` (UTC)."""
    entries = [_alarm(one, now) for one in alarms if one.is_open]
    entries.sort(key=lambda entry: entry.updated, reverse=True)
    return _feed(ALARMS, f"samebits: open alarms, by center {center}", entries[:ENTRIES], now)


def _order(one: tuple[ReleaseLine, int]) -> tuple[datetime, str, str]:
    line, number = one
    return line.steps[number].at, line.steps[number].run, str(line.release)


def _change(line: ReleaseLine, number: int, now: datetime) -> FeedEntry:
    step, name = line.steps[number], str(line.release)
    before = f"; it was {in_words(line.steps[number - 1].standing)}" if number else ""
    stands = f"{name} is {in_words(step.standing)}"
    return FeedEntry(
        id=f"{NAMESPACE}portal/changes/{quote(name, safe='/')}/{step.run}/{quote(step.center)}",
        title=stands,
        text=f"{stands} since run {step.run} of center {step.center}{before}.",
        updated=_not_later(step, now),
        path=release_path(line.release),
    )


def _not_later(step: StandingStep, now: datetime) -> datetime:
    """Return when a step was; a run that claims to be of the future is of now."""
    return min(step.at, now)


def _alarm(listed: ListedAlarm, now: datetime) -> FeedEntry:
    row = AlarmRow.of(listed)
    leaves = [[leaf.log, leaf.index] for leaf in listed.alarm.leaves]
    identity = Digest.of(canonical_json([str(row.cause), row.about, row.center, leaves]))
    return FeedEntry(
        id=f"{NAMESPACE}portal/alarms/{identity}",
        title=f"{row.cause}: {row.about}",
        text=row.text,
        updated=min(row.since or now, now),
        path=row.path,
    )


def _feed(path: str, title: str, entries: Sequence[FeedEntry], now: datetime) -> bytes:
    feed = Element(f"{{{_ATOM}}}feed")
    updated = max((entry.updated for entry in entries), default=now)
    _fields(feed, id=f"{NAMESPACE}portal/{path}", title=title, updated=show_time(updated))
    author = SubElement(feed, f"{{{_ATOM}}}author")
    _fields(author, name="samebits")
    SubElement(feed, f"{{{_ATOM}}}link", rel="self", href=path.rpartition("/")[2])
    SubElement(feed, f"{{{_ATOM}}}link", rel="alternate", href="../")
    for entry in entries:
        element = SubElement(feed, f"{{{_ATOM}}}entry")
        _fields(element, id=entry.id, title=entry.title, updated=show_time(entry.updated))
        SubElement(element, f"{{{_ATOM}}}link", rel="alternate", href=f"../{quote(entry.path)}")
        _fields(element, summary=entry.text)
    written: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _fields(element: Element, **fields: str) -> None:
    for name, text in fields.items():
        SubElement(element, f"{{{_ATOM}}}{name}").text = escaped(text)
