"""Where the logs of the centers have a statement: each log is read once, and checked as it is.

Kept is one small entry for each leaf of the releases that are asked about; with a memory of what
was read before, only what a log has gained since is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builders.core.digest import Digest
from builders.core.errors import StoreError
from pipelines.consensus.remembered import LogMemory, Remembered, of_a_run, pae_of
from pipelines.consensus.verified import SilentError
from pipelines.evidence.release import ReleaseName
from pipelines.log.errors import LogError
from pipelines.log.leaf import own_key
from pipelines.log.reader import LogReader, LogSource

if TYPE_CHECKING:
    from pipelines.policy import Policy


@dataclass(frozen=True, kw_only=True)
class _Index:
    """What is kept of one log."""

    places: dict[bytes, int]
    by_release: dict[str, set[Digest]]
    """The statements that the runs of each come to."""

    def place(self, pae: Digest) -> int | None:
        return self.places.get(bytes.fromhex(pae.hex))

    def about(self, release: str) -> AbstractSet[Digest]:
        return self.by_release.get(release, frozenset())


class LogIndexes:
    """Finds statements in the logs of centers; it is an `IndexOf`."""

    def __init__(
        self,
        sources: Mapping[str, LogSource],
        policy: Policy,
        releases: Iterable[ReleaseName] | None = None,
        memory: LogMemory | None = None,
    ) -> None:
        """Read the log of each center in its source.

        Of `releases` alone if they are named, and what belongs to none, as cross-checks do. A
        `memory` takes in whole logs, as long as they are not too large for it.
        """
        self._sources = sources
        self._policy = policy
        self._releases: Collection[str] | None = (
            None if releases is None else frozenset(str(release) for release in releases)
        )
        self._memory = memory
        self._found: dict[str, _Index | Remembered | LogError | SilentError] = {}

    def __call__(self, center: str, pae: Digest) -> int | None:
        """Return the index of the statement in the center's log; None where it is not there.

        Raises `LogError` for a log that cannot be relied on, `SilentError` where none can be read.
        """
        return self._index(center).place(pae)

    def about(self, center: str, release: str) -> AbstractSet[Digest]:
        """Return what the center's log has about runs of a release; it is a `Logged`.

        Raises what a call does.
        """
        return self._index(center).about(release)

    def _index(self, center: str) -> _Index | Remembered:
        if center not in self._found:
            try:
                self._found[center] = self._read(center)
            except (LogError, SilentError) as error:
                self._found[center] = error  # a broken log is not read again for every statement
        found = self._found[center]
        if isinstance(found, Exception):
            raise found
        return found

    def _read(self, center: str) -> _Index | Remembered:
        source, member = self._sources.get(center), self._policy.center(center)
        if source is None:
            return _Index(places={}, by_release={})
        reader = LogReader(source, origin=member.log.origin, keys=[member.log.key])
        try:
            if self._memory is not None and reader.size <= self._memory.limit:
                return self._memory.read(reader, member.log.key)
            return self._kept(reader, own_key(center))
        except (StoreError, OSError) as error:
            raise SilentError(
                f"the log of {center} cannot be read", got=ascii(str(error))[1:-1][:160]
            ) from error

    def _kept(self, reader: LogReader, own: str) -> _Index:
        found = _Index(places={}, by_release=defaultdict(set))
        for index, _, facts in reader.facts():
            pae = pae_of(facts)
            if pae is None or not self._asks(facts.release, own):
                continue
            found.places.setdefault(pae, index)
            if of_a_run(facts):
                found.by_release[facts.release].add(Digest(pae.hex()))
        return found

    def _asks(self, release: str, own: str) -> bool:
        return self._releases is None or release == own or release in self._releases
