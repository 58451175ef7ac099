"""What is on record against the log of a center: proofs of forks, and our witness's refusals.

A proof of a fork convinces anybody, whoever keeps it. A refusal is the word of one witness, so only
those of the reader's own are taken. Neither goes away when the log behaves again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from pipelines.audit.source import OBJECT_ERRORS, Source, UnreachableError
from pipelines.audit.witnessed import signed_checkpoints
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope, verify_envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.publickey import ed25519_key
from pipelines.evidence.statements.log_status import Complaint, RefusalStatement
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.errors import LogError
from pipelines.log.fork import MAX_FORK, ForkProof
from pipelines.log.log_reader import published
from pipelines.log.notekey import NoteKey
from pipelines.log.witness import origin_folder
from pipelines.policy import Policy

MAX_FAULTS = 1000
"""Records of one kind about one log in one store."""


@dataclass(frozen=True, kw_only=True, order=True)
class LogFault:
    """Something that the log of a center did."""

    center: str
    size: int
    """Of the tree that it contradicts."""
    complaint: Complaint
    proved: bool
    """Whether it is a proof, or the word of a witness."""
    record: str


def log_faults(policy: Policy, sources: Iterable[Source], own: str) -> tuple[LogFault, ...]:
    """Return what is on record about the logs of the policy; `own` is the center that reads.

    Of equal faults one is returned. A store that does not answer adds nothing.
    """
    found = {
        (fault.center, fault.size, fault.complaint, fault.proved): fault
        for source in sources
        for fault in _faults(policy, source, own=source.center == own)
    }
    return tuple(sorted(found.values()))


def has_begun(policy: Policy, source: Source, witnesses: Iterable[Source]) -> bool:
    """Return whether the center of `source` has a log, or a witness has seen one.

    Raises `UnreachableError`.
    """
    log = LogIdentity.of(policy.center(source.center).log.key)
    try:
        if published(source, log) is not None:
            return True
    except LogError:
        return True
    return any(signed_checkpoints(witnesses, log, policy.longest_open))


def _faults(policy: Policy, source: Source, *, own: bool) -> Iterator[LogFault]:
    witness = next((c.witness for c in policy.centers if c.id == source.center), None)
    for center in policy.centers:
        log = LogIdentity.of(center.log.key)
        yield from _forks(source, center.id, log)
        if own and witness is not None:
            yield from _refusals(source, center.id, log, witness)


def _forks(source: Source, center: str, log: LogIdentity) -> Iterator[LogFault]:
    for name in _names(source, f"{origin_folder(log.origin)}fork/"):
        with suppress(EvidenceError, UnreachableError, *OBJECT_ERRORS):
            fork = ForkProof.parse(source.get(name, MAX_FORK)).verify(log)
            yield LogFault(
                center=center, size=fork.size, complaint=Complaint.FORKED, proved=True, record=name
            )


def _refusals(
    source: Source, center: str, log: LogIdentity, witness: NoteKey
) -> Iterator[LogFault]:
    for name in _names(source, f"{origin_folder(log.origin)}refused/"):
        with suppress(EvidenceError, UnreachableError, *OBJECT_ERRORS):
            envelope = Envelope.from_bytes(source.get(name, MAX_ENVELOPE))
            verify_envelope(envelope, [ed25519_key(witness.key)])
            refusal = RefusalStatement.from_bytes(envelope.payload).predicate
            if refusal.origin == log.origin:
                yield LogFault(
                    center=center,
                    size=refusal.before.size if refusal.before else 0,
                    complaint=refusal.complaint,
                    proved=False,
                    record=name,
                )


def _names(source: Source, folder: str) -> list[str]:
    with suppress(UnreachableError):
        return source.names(folder, limit=MAX_FAULTS)
    return []
