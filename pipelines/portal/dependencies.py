"""Which releases have to be made again, since something that their pages depend on has changed.

A page is a function of the policy, the recipe, the code, the leaves of each log about the release,
the records that these name, reviews and comments, and who acknowledges its alarms. A peer that
removes its records later changes none of these: so some releases, those that were joined longest
ago, are joined in each generation all the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from hashlib import sha256
from importlib.metadata import version
from io import FileIO
from pathlib import Path

from builders.core.digest import Digest, canonical_json, digest_file
from builders.core.errors import SamebitsError
from pipelines.alarms.alarm import Alarm, ListedAlarm
from pipelines.alarms.listing import with_acknowledgements
from pipelines.audit.acknowledgements import VerifiedAcknowledgement, read_acknowledgements
from pipelines.audit.log_index import LogIndex
from pipelines.audit.source import UnreachableError
from pipelines.audit.statement_reader import StatementReader
from pipelines.consensus.release_consensus import ConsensusView, read_logs
from pipelines.evidence.release_name import ReleaseName
from pipelines.policy.reviews.review_records import REVIEWS
from pipelines.portal.facts import Folders, names_digest
from pipelines.portal.site_state import KeptRelease, Marks
from pipelines.storage.store import ReadableStore

AGAIN = 10
"""Unchanged releases that are joined in a generation all the same."""
WATCHED = (REVIEWS, "public/comments/")
"""Folders of which each part of a release may watch one below."""
_LAST = 2
"""The number in a mark of a log (`KeptLog.marks`, after where it was upgraded)."""
_SOURCES = frozenset({".py", ".j2", ".po", ".css", ".js", ".svg"})


@cache
def code_digest() -> str:
    """Return one digest over the code, templates, catalogs and assets of the portal."""
    folder = Path(__file__).parent
    paths = sorted(path for path in folder.rglob("*") if path.suffix in _SOURCES)
    told = "".join(f"{digest_file(path)} {path.relative_to(folder)}\n" for path in paths)
    return Digest.of(f"{version('samebits')}\n{told}".encode()).hex


def folders_of(store: ReadableStore) -> Folders:
    """Return the names of the records that parts may watch, by folder."""
    found: dict[str, list[str]] = defaultdict(list)
    for root in WATCHED:
        for name in store.list(root):
            found[f"{name.rpartition('/')[0]}/"].append(name)
    return {folder: tuple(names) for folder, names in found.items()}


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """What the pages of releases depend on, as it is now."""

    view: ConsensusView
    logs: LogIndex
    known: tuple[VerifiedAcknowledgement, ...]
    """The acknowledgements of alarms."""
    folders: Folders

    @classmethod
    def now(cls, view: ConsensusView) -> Dependencies:
        """Read the logs of all centers, and what else the pages depend on."""
        logs = read_logs(view, ())
        logs.read_ahead()
        reader = StatementReader(policy=view.policy.policy, logs=logs)
        known, _ = read_acknowledgements(reader, view.sources)
        return cls(view=view, logs=logs, known=known, folders=folders_of(view.store))

    def fixed(self, release: ReleaseName) -> str:
        """Return one digest over policy, recipe and code."""
        vendor, product, version = release.parts
        try:
            with FileIO(f"{self._recipes}/{vendor}/{product}/{version}.yaml") as recipe:
                read = b" " + recipe.readall()
        except OSError:  # there is none
            read = b""
        return sha256(self._common + read).hexdigest()

    @cached_property
    def _recipes(self) -> str:
        return str(self.view.recipes / "releases")

    @cached_property
    def _common(self) -> bytes:
        return self.common.encode()

    @cached_property
    def common(self) -> str:
        """One digest over center, policy and code, on which all pages depend."""
        told = f"{self.view.center} {self.view.policy.digest} {code_digest()}"
        return Digest.of(told.encode()).hex

    def marks(self, release: ReleaseName) -> Marks:
        """Return what the log of each center has about a release, in numbers."""
        name = str(release)
        return {center: marks(name) for center, marks in self._marks.items()}

    def place(self, release: ReleaseName) -> int:
        """Return the last leaf about the runs of a release in the center's log; -1 for none."""
        mark = self._marks[self.view.center](str(release)) or ()
        return mark[_LAST] if len(mark) > _LAST else -1

    @cached_property
    def _marks(self) -> dict[str, Callable[[str], tuple[int, ...] | None]]:
        return {one.center: self._of_log(one.center) for one in self.view.sources}

    def _of_log(self, center: str) -> Callable[[str], tuple[int, ...] | None]:
        try:
            return self.logs.marks(center)
        except UnreachableError:
            return lambda _: None
        except SamebitsError:  # an unknown center, or a log that is broken
            return lambda _: ()

    def listed(self, alarms: Iterable[Alarm]) -> tuple[ListedAlarm, ...]:
        """Return alarms of a release with their acknowledgements."""
        policy, center = self.view.policy.policy, self.view.center
        return tuple(with_acknowledgements(one, self.known, policy, center) for one in alarms)

    def due(
        self, wanted: Mapping[str, ReleaseName], kept: Mapping[str, KeptRelease]
    ) -> Iterator[str]:
        """Yield the releases that are to be joined now, of those `wanted` by name."""
        again = sorted(
            (one for one in kept.values() if one.release in wanted),
            key=lambda one: (one.joined, one.release),
        )[:AGAIN]
        changed = {
            name: name not in kept or not self._is_as(kept[name], release)
            for name, release in wanted.items()
        } | {one.release: True for one in again}
        for name in changed:
            if _rests_on_changed(name, kept, changed):
                yield name

    def _listed_digest(self, kept: KeptRelease) -> str:
        alarms = self.listed(a.alarm() for a in kept.alarms) if kept.alarms else ()
        return listed_digest(alarms)

    def _is_as(self, kept: KeptRelease, name: ReleaseName) -> bool:
        return (
            kept.settled
            and kept.fixed == self.fixed(name)
            and _say_nothing_new(kept.marks, self.marks(name))
            and all(
                digest == names_digest(self.folders.get(folder, ()))
                for folder, digest in kept.watched.items()
            )
            and kept.acknowledged == self._listed_digest(kept)
        )


@lru_cache
def listed_digest(alarms: tuple[ListedAlarm, ...]) -> str:
    """Return one digest over alarms and their acknowledgements."""
    return Digest.of(canonical_json([one.to_dict() for one in alarms])).hex


def _rests_on_changed(
    release: str, kept: Mapping[str, KeptRelease], changed: Mapping[str, bool]
) -> bool:
    """Return whether a release, or one that it is based on over any number of updates, changed."""
    seen, waiting = set(), [release]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if changed.get(name, True):
            return True
        waiting += kept[name].rests_on if name in kept else ()
    return False


def _say_nothing_new(kept: Marks, now: Marks) -> bool:
    """Return whether no log has anything new; one that cannot be read now has not."""
    return kept.keys() == now.keys() and all(
        mark is None or mark == kept[center] for center, mark in now.items()
    )
