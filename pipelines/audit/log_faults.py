"""What is on record against the log of a center: proofs of forks, and our witness's refusals.

A proof of a fork convinces anybody, whoever keeps it. A refusal is the word of one witness, so only
those of the reader's own are taken. Neither goes away when the log behaves again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from pipelines.audit.source import Source, UnreachableError
from pipelines.audit.witness_records import (
    FORKS,
    REFUSALS,
    kept_names,
    read_forks,
    read_refusals,
)
from pipelines.audit.witnessed import signed_checkpoints
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.statements.log_status import Complaint
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.errors import LogError
from pipelines.log.log_reader import published
from pipelines.policy import Policy, PolicyCenter


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


@dataclass(frozen=True, kw_only=True)
class LogFaults:
    """What the logs of a policy did."""

    faults: tuple[LogFault, ...]
    """In order; of equal ones one."""
    unread: tuple[str, ...]
    """Where there is more than was read."""


def log_faults(policy: Policy, sources: Iterable[Source], own: str) -> LogFaults:
    """Return what is on record about the logs of the policy; `own` is the center that reads.

    A store that does not answer adds nothing.
    """
    found: dict[tuple[object, ...], LogFault] = {}
    unread: list[str] = []
    for source in sources:
        for center in policy.centers:
            with suppress(UnreachableError):
                for fault in _faults(policy, source, center, unread, own=source.center == own):
                    found[fault.center, fault.size, fault.complaint, fault.proved] = fault
    return LogFaults(faults=tuple(sorted(found.values())), unread=tuple(unread))


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


def _faults(
    policy: Policy, source: Source, center: PolicyCenter, unread: list[str], *, own: bool
) -> Iterator[LogFault]:
    log = LogIdentity.of(center.log.key)
    for name, proof in read_forks(source, _names(source, center, FORKS, unread)):
        with suppress(EvidenceError):
            size = proof.verify(log).size
            yield LogFault(
                center=center.id,
                size=size,
                complaint=Complaint.FORKED,
                proved=True,
                record=name,
            )
    witness = next((c.witness for c in policy.centers if c.id == source.center), None)
    if not own or witness is None:
        return
    names = _names(source, center, REFUSALS, unread)
    for name, refusal in read_refusals(source, names, log.origin, witness):
        yield LogFault(
            center=center.id,
            size=refusal.before.size if refusal.before else 0,
            complaint=refusal.complaint,
            proved=False,
            record=name,
        )


def _names(source: Source, center: PolicyCenter, kind: str, unread: list[str]) -> list[str]:
    names, has_more = kept_names(source, center.log.origin, kind)
    if has_more:
        unread.append(
            f"{source.center} keeps more than {len(names)} records in {kind} about the log of"
            f" {center.id}; the last ones are read"
        )
    return names
