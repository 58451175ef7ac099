"""What the key of a log has signed that is not of the log as it is shown: people decide on it.

What is proposed is to keep what the log shows now, as far as the policy's witnesses have cosigned
it. A witness that has kept another checkpoint has seen the history of that one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.audit.source import Source, UnreachableError
from pipelines.audit.witness_records import FORKS, REFUSALS, kept_names, read_refusals
from pipelines.audit.witnessed import (
    below_quorum,
    conflicts,
    require_accepted,
    signed_checkpoints,
)
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.log_reader import LogReader
from pipelines.policy import Policy
from pipelines.policy.resolution import LogTree


@dataclass(frozen=True, kw_only=True)
class LogForks:
    """A log, and the signed checkpoints that contradict it."""

    center: str
    origin: str
    size: int
    """Of the log as it is shown."""
    conflicts: tuple[LogTree, ...]
    """Signed by the log's key, and not of the tree that it shows."""
    unresolved: tuple[LogTree, ...]
    """Those that the policy does not settle."""
    proposed: LogTree
    """What could be accepted of the tree that it shows."""
    refused: tuple[str, ...]
    """The centers whose witness has refused to cosign the log, with the complaint.

    That alone proves nothing: it costs the log this cosignature and no more.
    """
    unread: tuple[str, ...]
    """The centers whose witness keeps more records about the log than are read."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return asdict(self)


def find_forks(policy: Policy, source: Source, witnesses: Collection[Source]) -> LogForks:
    """Compare the log in `source` with what `witnesses` have kept of it.

    Raises `PolicyError` for an unknown center, `LogError` for a log that cannot be trusted at all,
    `UnreachableError` for one that cannot be read.
    """
    member = policy.center(source.center)
    log = LogIdentity.of(member.log.key, *policy.witness_keys(member.id))
    signed = list(signed_checkpoints(witnesses, log, policy.longest_open, newest=False))
    reader = LogReader(source, log)
    found, resolution = conflicts(reader, signed), policy.resolution(log.origin)
    if resolution is not None:
        require_accepted(reader, resolution)
    own = [one for one in (*signed, reader.checkpoint) if one.checkpoint not in found]
    unread: list[str] = []
    refused = tuple(dict.fromkeys(_refusals(policy, log.origin, witnesses, unread)))
    size = below_quorum(own, policy, member.id).size or reader.size
    return LogForks(
        center=member.id,
        origin=log.origin,
        size=reader.size,
        conflicts=tuple(map(LogTree.of, found)),
        unresolved=tuple(
            LogTree.of(one) for one in found if not (resolution and resolution.settles(one))
        ),
        proposed=LogTree.of(reader.tree(size)),
        refused=refused,
        unread=tuple(unread),
    )


def _refusals(
    policy: Policy, origin: str, witnesses: Iterable[Source], unread: list[str]
) -> Iterator[str]:
    """Yield who has refused a log, and why; to `unread` comes who keeps more than was read."""
    keys = {c.id: c.witness for c in policy.centers if c.witness}
    for source in (one for one in witnesses if one.center in keys):
        with suppress(UnreachableError):
            refusals, more = kept_names(source, origin, REFUSALS)
            if more or kept_names(source, origin, FORKS)[1]:
                unread.append(source.center)
            for _, refusal in read_refusals(source, refusals, origin, keys[source.center]):
                yield f"{source.center}: {refusal.complaint}"
