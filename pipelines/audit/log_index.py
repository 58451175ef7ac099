"""Where the logs of the centers have a statement; each log is read and verified once.

What is read is kept (`kept_logs`), so that of a log that grew only the growth is read. No log
counts that is not what it has signed before, as its witnesses and we have seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import NamedTuple

from builders.core.digest import Digest
from builders.core.errors import StoreError
from pipelines.audit.absences import Absent, Reports, read_reports
from pipelines.audit.kept_logs import KeptLog, KeptLogs, ReadAgainError
from pipelines.audit.logged_release import LoggedRelease, tag_of
from pipelines.audit.source import Source, UnreachableError, short
from pipelines.audit.witnessed import Witnessed, signed_checkpoints, witnessed_part
from pipelines.log.checkpoint import LogIdentity, SignedCheckpoint
from pipelines.log.errors import LogError
from pipelines.log.leaf import CommitmentLeaf
from pipelines.log.log_reader import LogReader
from pipelines.log.notekey import NoteKey
from pipelines.log.tile_reader import LogSource
from pipelines.policy import Policy


class _KnownLog(NamedTuple):
    """A log that was read."""

    leaves: KeptLog
    witnessed: Witnessed
    reader: LogReader | None = None
    end: int | None = None
    """Where the log ended with a fork: no later leaf is one of it."""
    upgraded_at: int | None = None
    """The index of the first result in a later format than the first."""


@contextmanager
def _reachable(center: str) -> Iterator[None]:
    """Raise `UnreachableError` where the store of a log fails."""
    try:
        yield
    except UnreachableError:
        raise
    except (StoreError, OSError) as error:
        raise UnreachableError(f"the log of {center} cannot be read", got=short(error)) from error


class LogIndex:
    """Finds statements in the logs of centers; a `LogLookup`."""

    def __init__(
        self,
        sources: Mapping[str, LogSource],
        policy: Policy,
        kept: KeptLogs | None = None,
        witnesses: Iterable[Source] = (),
    ) -> None:
        """Read the log of each center in its source, from where what is `kept` of it ends.

        Cosignatures are taken from the logs themselves, and from the stores of `witnesses`.
        """
        self._sources = sources
        self._policy = policy
        self._leaves = kept or KeptLogs()
        self._witnesses = tuple(witnesses)
        self._logs: dict[str, _KnownLog | LogError | UnreachableError] = {}
        self._reports: dict[str, Reports] = {}
        self._absences: dict[str, dict[NoteKey, Absent]] = {}
        self._signed: dict[str, list[SignedCheckpoint]] | None = None

    def read_ahead(self) -> None:
        """Read the logs of all centers, side by side: first what their witnesses have kept."""
        known = [c.id for c in self._policy.centers if c.id in self._sources]
        signed: dict[str, list[SignedCheckpoint]] = {center: [] for center in known}
        for wait in [one.begin(partial(self._kept_by, one, known)) for one in self._witnesses]:
            with suppress(UnreachableError):
                for center, (kept, reports) in wait().items():
                    signed[center] += kept
                    for key, found in reports.items():
                        self._reports.setdefault(center, {}).setdefault(key, []).extend(found)
        self._signed = signed
        sources = [(center, self._sources[center]) for center in known]
        for center, wait_for in [
            (c, s.begin(partial(self._outcome, c))) for c, s in sources if isinstance(s, Source)
        ]:
            try:
                self._logs[center] = wait_for()
            except UnreachableError as error:
                self._logs[center] = error

    def _kept_by(
        self, witness: Source, logs: list[str]
    ) -> dict[str, tuple[list[SignedCheckpoint], Reports]]:
        """Return what one witness has kept of each log, and what it has reported absent."""
        return {
            center: (
                self._kept([witness], center),
                read_reports([witness], self._identity(center)),
            )
            for center in logs
        }

    def reported(self, center: str, release: str) -> frozenset[int]:
        """Return the leaves about a release that witnesses have reported absent for too long."""
        found = self._absent(center).values()
        return frozenset().union(*(one.withheld.get(release, ()) for one in found))

    def once_withheld(self, by: str, release: str) -> dict[str, frozenset[int]]:
        """Return the leaves about a release that the witness of center `by` ever missed too long.

        By center. That is for that center to believe: one witness alone accuses nobody to others.
        """
        key = next((c.witness for c in self._policy.centers if c.id == by), None)
        if key is None:
            return {}
        others = (c.id for c in self._policy.centers if c.id != by)
        found = {center: self._absent(center).get(key) for center in others}
        return {
            center: frozenset(one.withheld_once.get(release, ()))
            for center, one in found.items()
            if one
        }

    def _absent(self, center: str) -> dict[NoteKey, Absent]:
        """Return what witnesses have reported absent of a center."""
        if center not in self._absences:
            if self._signed is None and center not in self._reports:
                self._reports[center] = read_reports(self._witnesses, self._identity(center))
            limit = self._policy.longest_open
            self._absences[center] = {
                key: Absent.of(found, limit) for key, found in self._reports.pop(center, {}).items()
            }
        return self._absences[center]

    def _kept(self, witnesses: Iterable[Source], center: str) -> list[SignedCheckpoint]:
        log, before = self._identity(center), self._policy.longest_open
        newest = self._policy.resolution(log.origin) is None
        return list(signed_checkpoints(witnesses, log, before, newest=newest))

    def index_of(self, center: str, pae: Digest) -> int | None:
        """Return the index of the statement in the center's log; None where it is not there.

        Raises `LogError` for a log that cannot be trusted, `UnreachableError` for one that cannot
        be read.
        """
        log = self._log(center)
        index = log.leaves.index_of(pae)
        if index is None:
            self._require_whole(center, log)
        return None if index is None or (log.end is not None and index >= log.end) else index

    def about(self, center: str, release: str) -> LoggedRelease:
        """Return what the center's log has about the runs of a release; raises as above."""
        with self._whole(center) as log:
            found = log.leaves.about(release)
        return found if log.end is None else found.before(log.end)

    def commitment(self, center: str, index: int) -> CommitmentLeaf:
        """Return the commitment at that index of the center's log; raises as above."""
        reader = self._log(center).reader
        with _reachable(center):
            leaf = reader.leaf(index) if reader else None
        if not isinstance(leaf, CommitmentLeaf):
            raise LogError(f"no commitment in the log of {center}", got=f"leaf {index}")
        return leaf

    def upgraded_at(self, center: str) -> int | None:
        """Return the index of the first result, of any release, in a later format than the first.

        None for a log without one; raises as above.
        """
        return self._log(center).upgraded_at

    def releases(self, center: str, start: int = 0) -> frozenset[str]:
        """Return the release keys of the leaves of a center's log from `start` on.

        All of these are read; raises as above.
        """
        reader = self._log(center).reader
        with _reachable(center):
            fields = reader.fields(start) if reader else ()
            return frozenset(leaf.release for _, leaf in fields)

    def mark(self, center: str, release: str) -> tuple[int, ...]:
        """Return numbers that change when what the log says of a release does; raises as above.

        The last two, how many leaves are witnessed and overdue, never fall, but in an outage.
        """
        with self._whole(center) as log:
            ends = (log.witnessed.size, log.witnessed.overdue)
            upgraded = log.upgraded_at
            return (-1 if upgraded is None else upgraded, *log.leaves.mark(release, *ends))

    def marks(self, center: str) -> Callable[[str], tuple[int, ...]]:
        """Return what gives numbers that change when the log has anything new about a release.

        Of whichever kind it is, such as an explanation, or when that is witnessed; raises as above.
        """
        with self._whole(center) as log:
            size, upgraded = log.witnessed.size, log.upgraded_at
            found = log.leaves.marks(size, log.witnessed.overdue)

        def marks(release: str) -> tuple[int, ...]:
            numbers = found.get(tag_of(release), ())
            seen = bool(numbers) and numbers[-1] < size
            return (-1 if upgraded is None else upgraded, *numbers, int(seen))

        return marks

    def witnessed(self, center: str) -> Witnessed:
        """Return the part of the center's log that counts; raises as above."""
        return self._log(center).witnessed

    def reader(self, center: str) -> LogReader | None:
        """Return what reads the center's log under the checkpoint that was verified.

        None for a center without a store; raises as above.
        """
        return self._log(center).reader

    @contextmanager
    def _whole(self, center: str) -> Iterator[_KnownLog]:
        """Give the log for a question, and require that it was whole."""
        log = self._log(center)
        yield log
        self._require_whole(center, log)

    def _require_whole(self, center: str, log: _KnownLog) -> None:
        """Require that all leaves that were read are still kept; raises `UnreachableError`.

        Another process may have cleared them: an answer would leave out what the log has.
        """
        kept, expected = len(log.leaves), log.reader.size if log.reader else 0
        if kept < expected:
            raise UnreachableError(
                f"what was kept of the log of {center} is not there any more",
                got=f"{kept} leaves of the {expected} that were read",
                todo="Run the command again: the log is read again",
            )

    def _log(self, center: str) -> _KnownLog:
        if center not in self._logs:  # a broken log is not read again for every statement
            self._logs[center] = self._outcome(center)
        found = self._logs[center]
        if isinstance(found, Exception):
            raise found
        return found

    def _outcome(self, center: str) -> _KnownLog | LogError | UnreachableError:
        try:
            return self._read(center)
        except (LogError, UnreachableError) as error:
            return error

    def _identity(self, center: str) -> LogIdentity:
        key = self._policy.center(center).log.key
        return LogIdentity.of(key, *self._policy.witness_keys(center))

    def _read(self, center: str) -> _KnownLog:
        source, member = self._sources.get(center), self._policy.center(center)
        if source is None:
            return _KnownLog(KeptLogs().of(member.log.key), Witnessed(size=0, required=True))
        log = self._identity(center)
        # Read before the log, which may grow: what witnesses have kept of it, and what we have.
        signed = (
            self._kept(self._witnesses, center) if self._signed is None else self._signed[center]
        )
        leaves = self._leaves.of(member.log.key)
        resolution = self._policy.resolution(log.origin)
        end = resolution.accepted.size if resolution else None
        seen: list[SignedCheckpoint] = []

        def read() -> _KnownLog:
            seen.extend(filter(None, [leaves.checkpoint]))
            reader = LogReader(source, log)
            witnessed = witnessed_part(reader, self._policy, center, [*signed, *seen])
            leaves.read(reader, resolution.settles if resolution else lambda _: False)
            known = _KnownLog(leaves, witnessed, reader, end, leaves.upgraded_at)
            self._require_whole(center, known)
            return known

        with _reachable(center):
            with suppress(ReadAgainError):  # others have kept more: the newest checkpoint tells
                return read()
            return read()
