"""What a witness keeps of a log beside what it has cosigned: proofs of forks, and its refusals.

A proof convinces anybody, whoever keeps it. A refusal is the word of one witness. A log that
misbehaves again and again adds to them without end, so only so many are read; that there are more
is told, and counts against nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from pipelines.audit.source import OBJECT_ERRORS, Source
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope, verify_envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.statements.log_status import Refusal, RefusalStatement
from pipelines.log.fork import MAX_FORK, ForkProof
from pipelines.log.notekey import NoteKey
from pipelines.log.witness import origin_folder

MAX_KEPT = 1000
"""Records of one kind about one log in one store that are read: the last ones by name."""
FORKS, REFUSALS = "fork/", "refused/"


def kept_names(source: Source, origin: str, kind: str) -> tuple[list[str], bool]:
    """Return the names of what is read of a kind, and whether there are more.

    Raises `UnreachableError`.
    """
    names = source.last_names(origin_folder(origin) + kind, limit=MAX_KEPT + 1)
    return names[-MAX_KEPT:], len(names) > MAX_KEPT


def read_forks(source: Source, names: Iterable[str]) -> Iterator[tuple[str, ForkProof]]:
    """Yield those that are proofs of forks, not verified yet; raises `UnreachableError`."""
    for name in names:
        with suppress(EvidenceError, *OBJECT_ERRORS):
            yield name, ForkProof.parse(source.get(name, MAX_FORK))


def read_refusals(
    source: Source, names: Iterable[str], origin: str, witness: NoteKey
) -> Iterator[tuple[str, Refusal]]:
    """Yield those in which `witness` has signed why it refused a log; raises `UnreachableError`."""
    for name in names:
        with suppress(EvidenceError, *OBJECT_ERRORS):
            envelope = Envelope.from_bytes(source.get(name, MAX_ENVELOPE))
            verify_envelope(envelope, [witness.public])
            refusal = RefusalStatement.from_bytes(envelope.payload).predicate
            if refusal.origin == origin:
                yield name, refusal
