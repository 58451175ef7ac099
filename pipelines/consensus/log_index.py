"""Where the logs of the centers have a statement; each log is read and verified once.

One small entry is kept for each leaf of the releases in question. With a `LogCache`, only what a
log has gained since it was last read is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from builders.core.digest import Digest
from builders.core.errors import StoreError
from pipelines.consensus.log_cache import CachedLog, LogCache, is_of_a_run, pae_of
from pipelines.consensus.record_source import UnreachableError, short
from pipelines.evidence.release import ReleaseName
from pipelines.log.errors import LogError
from pipelines.log.leaf import own_key
from pipelines.log.reader import LogReader
from pipelines.log.tile_reader import LogSource
from pipelines.policy import Policy


@dataclass(kw_only=True)
class _SelectedLeaves:
    """The leaves of one log that are about the releases in question."""

    indexes: dict[bytes, int] = field(default_factory=dict)
    by_release: dict[str, set[Digest]] = field(default_factory=lambda: defaultdict(set))

    def index_of(self, pae: Digest) -> int | None:
        return self.indexes.get(bytes.fromhex(pae.hex))

    def statements_about(self, release: str) -> AbstractSet[Digest]:
        return self.by_release.get(release, frozenset())


class LogIndex:
    """Finds statements in the logs of centers; a `LogLookup`."""

    def __init__(
        self,
        sources: Mapping[str, LogSource],
        policy: Policy,
        releases: Iterable[ReleaseName] | None = None,
        cache: LogCache | None = None,
    ) -> None:
        """Read the log of each center in its source.

        If `releases` are named, only their leaves are kept, and those of no release, such as
        cross-checks. A `cache` takes whole logs, unless they are too large for it.
        """
        self._sources = sources
        self._policy = policy
        self._releases = None if releases is None else frozenset(str(name) for name in releases)
        self._cache = cache
        self._logs: dict[str, _SelectedLeaves | CachedLog | LogError | UnreachableError] = {}

    def index_of(self, center: str, pae: Digest) -> int | None:
        """Return the index of the statement in the center's log; None where it is not there.

        Raises `LogError` for a log that cannot be trusted, `UnreachableError` for one that cannot
        be read.
        """
        return self._log(center).index_of(pae)

    def statements_about(self, center: str, release: str) -> AbstractSet[Digest]:
        """Return the PAE digests of the statements about runs of a release; raises as above."""
        return self._log(center).statements_about(release)

    def _log(self, center: str) -> _SelectedLeaves | CachedLog:
        if center not in self._logs:
            try:
                self._logs[center] = self._read(center)
            except (LogError, UnreachableError) as error:
                self._logs[center] = error  # a broken log is not read again for every statement
        found = self._logs[center]
        if isinstance(found, Exception):
            raise found
        return found

    def _read(self, center: str) -> _SelectedLeaves | CachedLog:
        source, member = self._sources.get(center), self._policy.center(center)
        if source is None:
            return _SelectedLeaves()
        reader = LogReader(source, origin=member.log.origin, keys=[member.log.key])
        try:
            if self._cache is not None and reader.size <= self._cache.limit:
                return self._cache.read(reader, member.log.key)
            return self._select(reader, own_key(center))
        except (StoreError, OSError) as error:
            raise UnreachableError(
                f"the log of {center} cannot be read", got=short(error)
            ) from error

    def _select(self, reader: LogReader, own: str) -> _SelectedLeaves:
        found = _SelectedLeaves()
        selected = None if self._releases is None else self._releases | {own}
        for index, _, facts in reader.fields():
            pae = pae_of(facts)
            if pae is None or (selected is not None and facts.release not in selected):
                continue
            found.indexes.setdefault(pae, index)
            if is_of_a_run(facts):
                found.by_release[facts.release].add(Digest(pae.hex()))
        return found
