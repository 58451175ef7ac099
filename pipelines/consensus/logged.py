"""Where the logs of the centers have a statement: each log is read once, and checked as it is.

Kept is one small entry for each leaf of the releases that are asked about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builders.digest import Digest
from builders.errors import StoreError
from pipelines.consensus.verified import SilentError
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.statements.attempt import AttemptStatement
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.log.errors import LogError
from pipelines.log.leaf import own_key
from pipelines.log.reader import LogReader, LogSource
from pipelines.policy.vkey import log_key

if TYPE_CHECKING:
    from pipelines.policy import Policy

_PAE = "pae:"
_OF_A_RUN = frozenset(
    kind.model_fields["predicate_type"].default for kind in (ComparisonStatement, AttemptStatement)
)


@dataclass(frozen=True, kw_only=True)
class _Index:
    """What is kept of one log."""

    places: dict[bytes, int]
    about: dict[str, set[Digest]]
    """By release, the statements that its runs come to."""


class LogIndexes:
    """Finds statements in the logs of centers; it is an `IndexOf`."""

    def __init__(
        self,
        sources: Mapping[str, LogSource],
        policy: Policy,
        releases: Iterable[ReleaseName] | None = None,
    ) -> None:
        """Read the log of each center in its source.

        Of `releases` alone if they are named, and what belongs to none, as cross-checks do.
        """
        self._sources = sources
        self._policy = policy
        self._releases: Collection[str] | None = (
            None if releases is None else frozenset(str(release) for release in releases)
        )
        self._found: dict[str, _Index | LogError | SilentError] = {}

    def __call__(self, center: str, pae: Digest) -> int | None:
        """Return the index of the statement in the center's log; None where it is not there.

        Raises `LogError` for a log that cannot be relied on, `SilentError` where none can be read.
        """
        return self._index(center).places.get(bytes.fromhex(pae.hex))

    def about(self, center: str, release: str) -> AbstractSet[Digest]:
        """Return what the center's log has about runs of a release; it is a `Logged`.

        Raises what a call does.
        """
        return self._index(center).about.get(release, frozenset())

    def _index(self, center: str) -> _Index:
        if center not in self._found:
            try:
                self._found[center] = self._read(center)
            except (LogError, SilentError) as error:
                self._found[center] = error  # a broken log is not read again for every statement
        found = self._found[center]
        if isinstance(found, _Index):
            return found
        raise found

    def _read(self, center: str) -> _Index:
        source, member = self._sources.get(center), self._policy.center(center)
        found = _Index(places={}, about=defaultdict(set))
        if source is None:
            return found
        reader = LogReader(source, origin=member.origin, keys=[log_key(member.log_key)])
        own = own_key(center)
        try:
            for index, _, facts in reader.facts():
                if self._asks(facts.release, own) and facts.identity.startswith(_PAE):
                    pae = facts.identity.removeprefix(_PAE)
                    found.places.setdefault(bytes.fromhex(pae), index)
                    if facts.predicate_type in _OF_A_RUN:
                        found.about[facts.release].add(Digest(pae))
        except (StoreError, OSError) as error:
            raise SilentError(
                f"the log of {center} cannot be read", got=ascii(str(error))[1:-1][:160]
            ) from error
        return found

    def _asks(self, release: str, own: str) -> bool:
        return self._releases is None or release == own or release in self._releases
