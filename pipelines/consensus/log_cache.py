"""The leaves of logs, kept in memory between readings: of a log that grew only the growth is read.

A signer checks summaries one by one, and would read every log in full for each. Nothing is kept
that a signed checkpoint did not cover. A log that does not continue what is cached is read again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock

from builders.core.digest import Digest
from pipelines.evidence.statements.attempt import AttemptStatement
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.errors import LogError
from pipelines.log.leaf import LeafFields
from pipelines.log.notekey import NoteKey
from pipelines.log.reader import LogReader

LIMIT = 2_000_000
"""Leaves of all logs together that are kept by default, in 96 MB."""
_PAE_PREFIX = "pae:"
_PAE, _TAG = 32, 16
_WIDTH = _PAE + _TAG
_OF_A_RUN = frozenset(kind.PREDICATE_TYPE for kind in (ComparisonStatement, AttemptStatement))


def pae_of(facts: LeafFields) -> bytes | None:
    """Return the PAE digest of a statement's leaf; None for a commitment."""
    if not facts.identity.startswith(_PAE_PREFIX):
        return None
    return bytes.fromhex(facts.identity.removeprefix(_PAE_PREFIX))


def is_of_a_run(facts: LeafFields) -> bool:
    """Return whether a leaf is the result of a run: a comparison, or an attempt."""
    return facts.predicate_type in _OF_A_RUN


@dataclass(kw_only=True)
class CachedLog:
    """The leaves of one log up to a checkpoint, 48 bytes each, in their order."""

    checkpoint: Checkpoint | None = None
    packed: bytearray = field(default_factory=bytearray)
    """Of each leaf its PAE digest, and a tag of its release if it is of a run; else zeros."""

    def __len__(self) -> int:
        """Return how many leaves there are."""
        return len(self.packed) // _WIDTH

    def index_of(self, pae: Digest) -> int | None:
        """Return the index of the first leaf of a statement; None where there is none."""
        return next(self._find(bytes.fromhex(pae.hex), 0), None)

    def statements_about(self, release: str) -> set[Digest]:
        """Return the PAE digests of the statements about runs of a release."""
        starts = (index * _WIDTH for index in self._find(_tag(release), _PAE))
        return {Digest(self.packed[start : start + _PAE].hex()) for start in starts}

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
            cached = self._logs.pop(key, None)
            try:
                log = _updated(cached, reader)
            except BaseException:
                if cached is not None:
                    self._logs[key] = cached
                raise
            self._logs[key] = log
            while sum(map(len, self._logs.values())) > self.limit:
                self._logs.popitem(last=False)
            return log


def _updated(cached: CachedLog | None, reader: LogReader) -> CachedLog:
    log = cached if cached and _continues(cached.checkpoint, reader) else CachedLog()
    new = bytearray()
    for _, _, facts in reader.fields(len(log)):
        tag = _tag(facts.release) if is_of_a_run(facts) else bytes(_TAG)
        new += (pae_of(facts) or bytes(_PAE)) + tag
    log.checkpoint = None  # if interrupted here, the leaves are covered by no checkpoint
    log.packed += new
    log.checkpoint = reader.checkpoint().checkpoint
    return log


def _continues(old: Checkpoint | None, reader: LogReader) -> bool:
    """Return whether the log as it is read now starts with all leaves of `old`."""
    if old is None:
        return False
    new = reader.checkpoint().checkpoint
    try:
        old.verify_growth(new, reader.consistency(old.size))
    except LogError:
        return False
    return True


def _tag(release: str) -> bytes:
    return bytes.fromhex(Digest.of(release.encode()).hex)[:_TAG]
