"""What a center reports as a witness of others: what their logs have and they do not show.

Joining looks for them; each report is signed with the key of the center's witness.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pipelines.audit.absences import due_reports, read_reports
from pipelines.audit.center_finding import ExclusionReason
from pipelines.audit.source import OwnSource
from pipelines.center.logs import own_witness
from pipelines.consensus import ReleaseConsensus
from pipelines.consensus.release_consensus import ConsensusView
from pipelines.log.checkpoint import LogIdentity
from pipelines.verify.session import Session

_ABSENT = frozenset({ExclusionReason.MISSING, ExclusionReason.WITHHELD})
_NOT_READ = frozenset(
    {
        ExclusionReason.UNREACHABLE,
        ExclusionReason.BEHIND,
        ExclusionReason.LOG_BROKEN,
        ExclusionReason.LOG_FORKED,
    }
)
"""After one of these nobody has looked."""


def report_missing(
    session: Session, view: ConsensusView, joined: Iterable[ReleaseConsensus], now: datetime
) -> tuple[str, ...]:
    """Report what was missing of the centers of other operators; returns the names of the records.

    `now` is UTC. Raises `KeyFileError` without a key of a witness, `StoreError` for the own store.
    """
    policy, found = view.policy.policy, list(joined)
    own = OwnSource(center=view.center, store=view.store)
    operator = {c.id: c.operator for c in policy.centers}
    reported = []
    for peer in view.peers:
        if operator.get(peer.center) in {None, operator.get(view.center)}:
            continue
        witness = own_witness(session.center, view.store)
        log = LogIdentity.of(policy.center(peer.center).log.key, witness.key)
        missing = {str(o.release): m for o in found if (m := _missing(o, peer.center)) is not None}
        before = read_reports([own], log).get(witness.key, [])
        if due := due_reports(before, missing, policy.longest_open, now):
            reported.append(witness.report_absent(log.origin, due, now))
    return tuple(reported)


def _missing(joined: ReleaseConsensus, center: str) -> frozenset[int] | None:
    """Return the leaves about a release that were looked for in vain; None if nobody looked."""
    about = [one for one in joined.excluded if one.center == center]
    if any(one.reason in _NOT_READ for one in about):
        return None
    return frozenset(index for one in about if one.reason in _ABSENT for index in one.indexes)
