"""What a process remembers of the logs that it reads again and again: of one that grew, the growth.

Whoever signs summaries joins each release by itself, and would read every log whole for each.
Nothing is remembered that a signed checkpoint did not cover; a log that does not continue what was
read of it is read anew, as if it had never been seen.
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
from pipelines.log.leaf import Facts
from pipelines.log.merkle import verify_consistency
from pipelines.log.notekey import NoteKey
from pipelines.log.reader import LogReader

LIMIT = 2_000_000
"""Leaves of all logs together that are remembered by default, in 96 MB."""
_PAE_PREFIX = "pae:"
_PAE, _TAG = 32, 16
_WIDTH = _PAE + _TAG
_OF_A_RUN = frozenset(
    kind.model_fields["predicate_type"].default for kind in (ComparisonStatement, AttemptStatement)
)


def pae_of(facts: Facts) -> bytes | None:
    """Return the PAE digest of a statement's leaf; None for a commitment."""
    if not facts.identity.startswith(_PAE_PREFIX):
        return None
    return bytes.fromhex(facts.identity.removeprefix(_PAE_PREFIX))


def of_a_run(facts: Facts) -> bool:
    """Say whether a leaf is what a run comes to: a comparison, or an attempt."""
    return facts.predicate_type in _OF_A_RUN


@dataclass(kw_only=True)
class Remembered:
    """The leaves of one log up to a checkpoint, 48 bytes each, in their order."""

    tree: Checkpoint | None = None
    packed: bytearray = field(default_factory=bytearray)
    """Of each leaf its PAE digest, and a tag of its release if it is of a run; else zeros."""

    def __len__(self) -> int:
        """Return how many leaves there are."""
        return len(self.packed) // _WIDTH

    def place(self, pae: Digest) -> int | None:
        """Return the index of the first leaf of a statement; None where there is none."""
        return next(self._at(bytes.fromhex(pae.hex), 0), None)

    def about(self, release: str) -> set[Digest]:
        """Return what the runs of a release come to."""
        places = (index * _WIDTH for index in self._at(_tag(release), _PAE))
        return {Digest(self.packed[start : start + _PAE].hex()) for start in places}

    def _at(self, word: bytes, offset: int) -> Iterator[int]:
        found = self.packed.find(word)
        while found >= 0:
            index, here = divmod(found, _WIDTH)
            if here == offset:
                yield index
            found = self.packed.find(word, found + 1)


class LogMemory:
    """The logs that were read last, in at most `limit` leaves; for any number of threads."""

    def __init__(self, limit: int = LIMIT) -> None:
        """Remember nothing yet."""
        self.limit = limit
        self._logs: OrderedDict[NoteKey, Remembered] = OrderedDict()
        self._lock = Lock()

    def read(self, reader: LogReader, key: NoteKey) -> Remembered:
        """Return all leaves of the log signed by `key`; what is known of it is not read again.

        Raises what the reader does; then what was remembered stays as it was.
        """
        with self._lock:
            known = self._logs.pop(key, None)
            try:
                found = _continued(known, reader)
            except BaseException:
                if known is not None:
                    self._logs[key] = known
                raise
            self._logs[key] = found
            while sum(map(len, self._logs.values())) > self.limit:
                self._logs.popitem(last=False)
            return found


def _continued(known: Remembered | None, reader: LogReader) -> Remembered:
    if known is None or not _continues(known.tree, reader):
        known = Remembered()
    new = bytearray()
    for _, _, facts in reader.facts(len(known)):
        pae = pae_of(facts)
        tag = _tag(facts.release) if of_a_run(facts) else bytes(_TAG)
        new += (bytes(_PAE) if pae is None else pae) + tag
    known.tree = None  # who is stopped in between has leaves that no checkpoint covers
    known.packed += new
    known.tree = reader.checkpoint().checkpoint
    return known


def _continues(tree: Checkpoint | None, reader: LogReader) -> bool:
    """Say whether the log as it is read now starts with all leaves of `tree`."""
    if tree is None:
        return False
    new = reader.checkpoint().checkpoint
    try:
        verify_consistency(
            old_size=tree.size,
            old_root=tree.root,
            new_size=new.size,
            new_root=new.root,
            proof=reader.consistency(tree.size),
        )
    except LogError:
        return False
    return True


def _tag(release: str) -> bytes:
    return bytes.fromhex(Digest.of(release.encode()).hex)[:_TAG]
