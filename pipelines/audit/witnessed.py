"""How much of a log the policy's witnesses have cosigned.

A log is believed as far as a quorum of the policy's witnesses has cosigned it, none of them of the
log's own operator: who has cosigned a later checkpoint of the same log has seen its beginning too.
Cosignatures are read where the log publishes them and where the witnesses keep them. Every
checkpoint that the log has signed must be of one tree: two that are not prove a fork to anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from pipelines.audit.source import OBJECT_ERRORS, Source, UnreachableError
from pipelines.audit.witness_records import FORKS, MAX_KEPT, read_forks
from pipelines.log.checkpoint import (
    Checkpoint,
    LogIdentity,
    SignedCheckpoint,
    open_checkpoint,
)
from pipelines.log.errors import ForkedLogError, LogError
from pipelines.log.log_reader import LogReader
from pipelines.log.note import MAX_NOTE
from pipelines.log.witness import origin_folder
from pipelines.policy import Policy
from pipelines.policy.resolution import ForkResolution

MAX_CHECKPOINTS = 100_000
"""Records of one witness about one log that are looked through: the newest checkpoints."""
_DIGITS = 16
"""More than a time in seconds has."""
_LOOK_BACK = 16
"""Records of one witness that are read in search of its newest checkpoint."""


@dataclass(frozen=True, kw_only=True)
class Witnessed:
    """The part of a log that counts."""

    size: int
    """The leaves below this index count."""
    required: bool
    """False where the policy requires no witness: then all leaves count, and none is witnessed."""
    witnesses: tuple[str, ...] = ()
    """Those who have cosigned that many leaves or more, by the policy's names."""
    on: datetime | None = None
    """The time of their newest cosignature, UTC."""
    overdue: int = 0
    """A quorum has seen the leaves below this index for longer than the policy lets a run be open.

    That is the time between two cosignatures of one witness, for each of the quorum: no clock is
    compared with another, and one witness that lies neither accuses nor excuses.
    """


def signed_checkpoints(
    sources: Iterable[Source], log: LogIdentity, before: timedelta, *, newest: bool = True
) -> Iterator[SignedCheckpoint]:
    """Yield what the witnesses in `sources` have kept of a log: all of it is signed by the log.

    That is the newest checkpoint that each has cosigned, which no earlier one of the same history
    can add to, the newest of those that it cosigned longer ago than `before` that, and those in its
    proofs of a fork; without `newest`, earlier ones too. What a witness does not show is left out:
    it witnesses nothing.
    """
    folder = origin_folder(log.origin)
    for source in sources:
        with suppress(UnreachableError):
            names = source.last_names(folder, limit=MAX_CHECKPOINTS)
            cosigned = [n for n in names if "/" not in n[len(folder) :]]
            yield from islice(_newest_first(source, cosigned, log), 1 if newest else None)
            last = max(map(_cosigned_on, cosigned), default=0)
            old = [n for n in cosigned if 0 < _cosigned_on(n) < last - before.total_seconds()]
            yield from islice(_newest_first(source, old, log), 1)
            forks = [n for n in names if n.startswith(folder + FORKS)][-MAX_KEPT:]
            for _, proof in read_forks(source, forks):
                with suppress(LogError):
                    yield from [open_checkpoint(note, log) for note in (proof.first, proof.second)]


def _cosigned_on(name: str) -> int:
    """Return the time in the name of a cosigned checkpoint; 0 where there is none."""
    time = name.rpartition("-")[2]
    return int(time) if time.isdecimal() and len(time) < _DIGITS else 0


def _newest_first(source: Source, names: list[str], log: LogIdentity) -> Iterator[SignedCheckpoint]:
    """Yield those of a witness's checkpoints that can be read; its names are in order."""
    for name in reversed(names[-_LOOK_BACK:]):
        with suppress(LogError, *OBJECT_ERRORS):
            yield open_checkpoint(source.get(name, MAX_NOTE), log)


def witnessed_part(
    reader: LogReader, policy: Policy, center: str, signed: Iterable[SignedCheckpoint]
) -> Witnessed:
    """Return the part of a center's log that counts; `signed` was read before the reader.

    Raises `LogError` for a log that is not what its own key has signed before, unless the policy
    resolves that; for one that is not what a resolution accepts; and what reading it raises.
    """
    resolution, found = policy.resolution(reader.log.origin), [*signed, reader.checkpoint]
    if resolution is not None:
        require_accepted(reader, resolution)
    for tree in conflicts(reader, found):
        if resolution is None or not resolution.settles(tree):
            broken = LogError if tree.size > reader.size else ForkedLogError
            raise broken(
                f"the log {tree.origin} is not what it has signed and a witness has seen",
                got=f"{reader.size} leaves",
                expected=f"a log that begins with {tree.size} leaves, root {tree.root.hex()}",
                todo="It was shortened or forked: `samebits log forks` shows what to decide",
            )
        found = [one for one in found if one.checkpoint != tree]
    if not policy.requires_witnesses:
        return Witnessed(size=reader.size, required=False)
    return below_quorum(found, policy, center)


def conflicts(reader: LogReader, found: Iterable[SignedCheckpoint]) -> list[Checkpoint]:
    """Return the checkpoints that are not of the tree that the log shows, each once."""
    trees = dict.fromkeys(one.checkpoint for one in found)
    return [t for t in trees if t.size > reader.size or reader.tree(t.size).root != t.root]


def require_accepted(reader: LogReader, resolution: ForkResolution) -> None:
    """Raise `LogError` unless a log begins with the history that its resolution accepts."""
    accepted = resolution.accepted
    if reader.size < accepted.size or not resolution.accepts(reader.tree(accepted.size)):
        raise LogError(
            f"the log {resolution.log} is not the history that its operators have accepted",
            got=f"{reader.size} leaves",
            expected=f"a log that begins with {accepted.size} leaves, root {accepted.root}",
            todo="Its owner puts the accepted history in the place of the other one",
        )


def below_quorum(found: Iterable[SignedCheckpoint], policy: Policy, center: str) -> Witnessed:
    """Return the largest part that a quorum has cosigned, each witness that or a larger one."""
    names = policy.witness_keys(center)
    seen = [
        (signed.checkpoint.size, cosignature.time, names[cosignature.key])
        for signed in found
        for cosignature in signed.cosignatures
        if cosignature.key in names
    ]
    by: dict[str, int] = {}
    overdue = _overdue(seen, policy)
    for size, time, witness in sorted(seen, reverse=True):
        by.setdefault(witness, time)
        if policy.quorum.satisfied_by(by):
            on, names_of = datetime.fromtimestamp(max(by.values()), UTC), tuple(sorted(by))
            return Witnessed(
                size=size, required=True, witnesses=names_of, on=on, overdue=min(size, overdue)
            )
    return Witnessed(size=0, required=True)


def _overdue(seen: Sequence[tuple[int, int, str]], policy: Policy) -> int:
    """Return how many leaves each witness of a quorum has cosigned so long before its newest.

    `seen` has sizes, times and names of witnesses.
    """
    last: dict[str, int] = {}
    for _, time, witness in seen:
        last[witness] = max(time, last.get(witness, time))
    by: set[str] = set()
    limit = policy.longest_open.total_seconds()
    for size, time, witness in sorted(seen, reverse=True):
        if last[witness] - time > limit:
            by.add(witness)
            if policy.quorum.satisfied_by(by):
                return size
    return 0
