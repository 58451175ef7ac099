"""Where the logs of the centers have a statement: each log is read once, and checked as it is.

Kept is one small entry for each leaf of the releases that are asked about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from builders.digest import Digest
from builders.errors import StoreError
from pipelines.consensus.verified import SilentError
from pipelines.evidence.release import ReleaseName
from pipelines.log.errors import LogError
from pipelines.log.leaf import own_key
from pipelines.log.reader import LogReader, LogSource
from pipelines.policy.vkey import log_key

if TYPE_CHECKING:
    from pipelines.policy import Policy

_PAE = "pae:"


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
        self._found: dict[str, dict[bytes, int] | LogError | SilentError] = {}

    def __call__(self, center: str, pae: Digest) -> int | None:
        """Return the index of the statement in the center's log; None where it is not there.

        Raises `LogError` for a log that cannot be relied on, `SilentError` where none can be read.
        """
        if center not in self._found:
            try:
                self._found[center] = self._read(center)
            except (LogError, SilentError) as error:
                self._found[center] = error  # a broken log is not read again for every statement
        found = self._found[center]
        if isinstance(found, dict):
            return found.get(bytes.fromhex(pae.hex))
        raise found

    def _read(self, center: str) -> dict[bytes, int]:
        source, member = self._sources.get(center), self._policy.center(center)
        if source is None:
            return {}
        reader = LogReader(source, origin=member.origin, keys=[log_key(member.log_key)])
        found: dict[bytes, int] = {}
        own = own_key(center)
        try:
            for index, _, facts in reader.facts():
                if self._asks(facts.release, own) and facts.identity.startswith(_PAE):
                    found.setdefault(bytes.fromhex(facts.identity.removeprefix(_PAE)), index)
        except (StoreError, OSError) as error:
            raise SilentError(
                f"the log of {center} cannot be read", got=ascii(str(error))[1:-1][:160]
            ) from error
        return found

    def _asks(self, release: str, own: str) -> bool:
        return self._releases is None or release == own or release in self._releases
