"""Where the logs of the centers have a statement; each log is read and verified once.

A `LogIndex` keeps one small entry for each leaf of the releases in question. A `LogCache` keeps
whole logs between readings, so that of a log that grew only the growth is read: a signer checks
summaries one by one, and would read every log in full for each. Nothing is kept that a signed
checkpoint did not cover. A log that does not continue what is cached is read again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from threading import Lock
from typing import NamedTuple

from builders.core.digest import Digest
from builders.core.errors import StoreError
from pipelines.audit.logged_release import LoggedCommitment, LoggedRelease, run_tag, tag_of
from pipelines.audit.source import Source, UnreachableError, short
from pipelines.audit.witnessed import Witnessed, signed_checkpoints, witnessed_part
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.reader import STATEMENT_TYPES
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.log.checkpoint import Checkpoint, LogIdentity, SignedCheckpoint
from pipelines.log.errors import LogError
from pipelines.log.leaf import CommitmentLeaf, LeafFields, own_key
from pipelines.log.log_reader import LogReader
from pipelines.log.notekey import NoteKey
from pipelines.log.tile_reader import LogSource
from pipelines.policy import Policy

LIMIT = 1_500_000
"""Leaves of all logs together that are kept by default, in 96 MB."""
_DIGEST, _TAG = 32, 16
_WIDTH = _DIGEST + 2 * _TAG
_NOTHING = bytes(_TAG)
_UNKNOWN = b"\xff" * _TAG
_RESULTS = frozenset(ComparisonStatement.PREDICATE_TYPES + AttemptStatement.PREDICATE_TYPES)
_FIRST_FORMAT = {ComparisonStatement.PREDICATE_TYPES[0], AttemptStatement.PREDICATE_TYPES[0]}


def _is_upgraded(leaf: LeafFields) -> bool:
    """Return whether a leaf is a result of a run in a later format version than the first."""
    return leaf.predicate_type in _RESULTS - _FIRST_FORMAT


class _Packed(NamedTuple):
    """A leaf, packed."""

    digest: bytes
    """Of a statement its PAE digest, of a commitment its `commitment_digest`."""
    release: bytes
    """A tag of the release; zeros for a statement of a known kind that is no result of a run."""
    run: bytes
    """A tag of the run of a commitment; zeros for a statement, ones for one of unknown kind."""

    @classmethod
    def of(cls, leaf: LeafFields) -> _Packed:
        if leaf.committed is not None:
            run = run_tag(leaf.identity.removeprefix("run:"))
            return cls(bytes.fromhex(leaf.committed.hex), tag_of(leaf.release), run)
        digest = bytes.fromhex(leaf.identity.removeprefix("pae:"))
        if leaf.predicate_type in _RESULTS:
            return cls(digest, tag_of(leaf.release), _NOTHING)
        if leaf.predicate_type in STATEMENT_TYPES:
            return cls(digest, _NOTHING, _NOTHING)
        return cls(digest, tag_of(leaf.release), _UNKNOWN)

    def add_to(self, found: LoggedRelease, index: int) -> None:
        """Add the leaf, which is about that release, in the order of the log."""
        digest = Digest(self.digest.hex())
        if self.run == _UNKNOWN:
            found.unknown.append(index)
        elif self.run != _NOTHING:
            found.commitments.setdefault(self.run, []).append(LoggedCommitment(index, digest))
        elif digest in found.results:
            found.repeated.append(index)
        else:
            found.results[digest] = index


@dataclass(kw_only=True)
class CachedLog:
    """The leaves of one log up to a checkpoint, 64 bytes each, in their order."""

    checkpoint: Checkpoint | None = None
    packed: bytearray = field(default_factory=bytearray)
    """Of each leaf its digest and tags, as in `_Packed`."""
    upgraded_at: int | None = None

    def __len__(self) -> int:
        """Return how many leaves there are."""
        return len(self.packed) // _WIDTH

    def index_of(self, pae: Digest) -> int | None:
        """Return the index of the first leaf of a statement; None where there is none."""
        return next(self._find(bytes.fromhex(pae.hex), 0), None)

    def about(self, release: str) -> LoggedRelease:
        """Return what the log has about the runs of a release."""
        found = LoggedRelease()
        for index in self._find(tag_of(release), _DIGEST):
            self._leaf(index).add_to(found, index)
        return found

    def _leaf(self, index: int) -> _Packed:
        start = index * _WIDTH
        ends = (start, start + _DIGEST, start + _DIGEST + _TAG, start + _WIDTH)
        return _Packed(*(bytes(self.packed[a:b]) for a, b in pairwise(ends)))

    def _find(self, word: bytes, offset: int) -> Iterator[int]:
        found = self.packed.find(word)
        while found >= 0:
            index, position = divmod(found, _WIDTH)
            if position == offset:
                yield index
            found = self.packed.find(word, found + 1)


class LogCache:
    """The logs that were read last, in at most `limit` leaves; thread-safe."""

    def __init__(self, limit: int = LIMIT) -> None:
        """Start empty."""
        self.limit = limit
        self._logs: OrderedDict[NoteKey, CachedLog] = OrderedDict()
        self._lock = Lock()

    def read(self, reader: LogReader, key: NoteKey) -> CachedLog:
        """Return all leaves of the log signed by `key`; cached ones are not read again.

        Raises what the reader does; then the cache stays as it was.
        """
        with self._lock:
            log = self._logs[key] = _updated(self._logs.get(key), reader)
            self._logs.move_to_end(key)
            while sum(map(len, self._logs.values())) > self.limit:
                self._logs.popitem(last=False)
            return log


def _updated(cached: CachedLog | None, reader: LogReader) -> CachedLog:
    """Return the log as it is read now, with the leaves of `cached` if it starts with them."""
    log, signed = CachedLog(), reader.checkpoint.checkpoint
    if cached is not None and cached.checkpoint is not None:
        with suppress(LogError):
            cached.checkpoint.verify_growth(signed, reader.consistency(cached.checkpoint.size))
            log = cached
    new, upgraded_at = bytearray(), log.upgraded_at
    for index, leaf in reader.fields(len(log)):
        new += b"".join(_Packed.of(leaf))
        if upgraded_at is None and _is_upgraded(leaf):
            upgraded_at = index
    log.checkpoint = None  # if interrupted here, the leaves are covered by no checkpoint
    log.packed += new
    log.upgraded_at = upgraded_at
    log.checkpoint = signed
    return log


@dataclass(kw_only=True)
class _SelectedLeaves:
    """The leaves of one log that are about the releases in question."""

    indexes: dict[bytes, int] = field(default_factory=dict)
    by_release: dict[str, LoggedRelease] = field(default_factory=dict)
    upgraded_at: int | None = None

    def index_of(self, pae: Digest) -> int | None:
        return self.indexes.get(bytes.fromhex(pae.hex))

    def about(self, release: str) -> LoggedRelease:
        return self.by_release.get(release) or LoggedRelease()


class _KnownLog(NamedTuple):
    """A log that was read."""

    leaves: _SelectedLeaves | CachedLog
    witnessed: Witnessed
    reader: LogReader | None = None
    end: int | None = None
    """Where the log ended with a fork: no later leaf is one of it."""


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
        releases: Iterable[ReleaseName] | None = None,
        cache: LogCache | None = None,
        witnesses: Iterable[Source] = (),
    ) -> None:
        """Read the log of each center in its source.

        If `releases` are named, only their leaves are kept, and those of no release, such as
        cross-checks. A `cache` takes whole logs, unless they are too large for it. Cosignatures are
        taken from the logs themselves, and from the stores of `witnesses`.
        """
        self._sources = sources
        self._policy = policy
        self._releases = None if releases is None else frozenset(str(name) for name in releases)
        self._cache = cache
        self._witnesses = tuple(witnesses)
        self._logs: dict[str, _KnownLog | LogError | UnreachableError] = {}
        self._signed: dict[str, list[SignedCheckpoint]] | None = None

    def read_ahead(self) -> None:
        """Read the logs of all centers, side by side: first what their witnesses have kept."""
        known = [c.id for c in self._policy.centers if c.id in self._sources]
        signed: dict[str, list[SignedCheckpoint]] = {center: [] for center in known}
        for wait in [one.begin(partial(self._kept_by, one, known)) for one in self._witnesses]:
            with suppress(UnreachableError):
                for center, kept in wait().items():
                    signed[center] += kept
        self._signed = signed
        sources = [(center, self._sources[center]) for center in known]
        for center, wait_for in [
            (c, s.begin(partial(self._outcome, c))) for c, s in sources if isinstance(s, Source)
        ]:
            try:
                self._logs[center] = wait_for()
            except UnreachableError as error:
                self._logs[center] = error

    def _kept_by(self, witness: Source, logs: list[str]) -> dict[str, list[SignedCheckpoint]]:
        return {center: self._kept([witness], center) for center in logs}

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
        return None if index is None or (log.end is not None and index >= log.end) else index

    def about(self, center: str, release: str) -> LoggedRelease:
        """Return what the center's log has about the runs of a release; raises as above."""
        log = self._log(center)
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
        return self._log(center).leaves.upgraded_at

    def witnessed(self, center: str) -> Witnessed:
        """Return the part of the center's log that counts; raises as above."""
        return self._log(center).witnessed

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
            return _KnownLog(_SelectedLeaves(), Witnessed(size=0, required=True))
        log = self._identity(center)
        signed = (  # read before the log, which may grow
            self._kept(self._witnesses, center) if self._signed is None else self._signed[center]
        )
        resolution = self._policy.resolution(log.origin)
        end = resolution.accepted.size if resolution else None
        reader = LogReader(source, log)
        with _reachable(center):
            witnessed = witnessed_part(reader, self._policy, center, signed)
            if self._cache is not None and reader.size <= self._cache.limit:
                return _KnownLog(self._cache.read(reader, member.log.key), witnessed, reader, end)
            return _KnownLog(self._select(reader, own_key(center)), witnessed, reader, end)

    def _select(self, reader: LogReader, own: str) -> _SelectedLeaves:
        found = _SelectedLeaves()
        selected = None if self._releases is None else self._releases | {own}
        for index, leaf in reader.fields():
            if found.upgraded_at is None and _is_upgraded(leaf):
                found.upgraded_at = index
            if selected is not None and leaf.release not in selected:
                continue
            packed = _Packed.of(leaf)
            if leaf.committed is None:
                found.indexes.setdefault(packed.digest, index)
            if packed.release != _NOTHING:
                packed.add_to(found.by_release.setdefault(leaf.release, LoggedRelease()), index)
        return found
