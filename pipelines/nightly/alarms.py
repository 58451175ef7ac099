"""What somebody has to look at after a night: in its entries, and in everything outside of it.

Outside are the consensus, the peers, the logs, and what expires soon. Whatever is uncertain alarms:
a peer that cannot be read counts as silent, a release that was identical and could not be checked
is worse than before. A source that cannot be read raises an alarm of its own and never ends a
night. The texts are told to the public, and so name no place of this machine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TypeVar

from builders.core.enums import Verdict
from builders.core.errors import SamebitsError, ScratchError
from pipelines.alarms.alarm import Alarm
from pipelines.alarms.listing import open_alarms
from pipelines.audit.log_audit import GapKind
from pipelines.audit.source import BehindError
from pipelines.center.center import Peer
from pipelines.center.logs import KnownLog, check_completeness, own_log, peer_log
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.statements.log_status import Complaint
from pipelines.log.heartbeats import SILENT_AFTER, newest_heartbeat
from pipelines.log.witness import WitnessResult
from pipelines.nightly.lasting import as_told
from pipelines.nightly.periodic import join_round, witness_round
from pipelines.nightly.record import AlarmKind, NightAlarm, NightEntry
from pipelines.policy import CenterPolicyError, Policy, PolicyError
from pipelines.policy.changes import expiry_warnings, key_endings
from pipelines.verify.session import Session

_T = TypeVar("_T")
_LOG = logging.getLogger("samebits")
_TOLD = 20
"""Gaps of one log that are told."""
_RANK = list(Verdict)
_ALIKE = {Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED}
_AGAINST = {
    Complaint.SHORTENED: "is shorter than it was",
    Complaint.FORKED: "shows other entries at the size that it had before",
    Complaint.INCONSISTENT: "does not hold what it held before",
    Complaint.ALTERED: "is altered",
    Complaint.UNSIGNED: "is not signed with its key",
}


def alarms(
    entries: Iterable[NightEntry], before: Mapping[str, NightEntry], outside: Iterable[NightAlarm]
) -> tuple[NightAlarm, ...]:
    """Return every alarm of a night, the gravest kinds first, each thing once.

    `before` holds the entries of the last night by release, `outside` what `outside_alarms` gave.
    """
    found = [*outside, *(a for e in entries for a in _entry_alarms(e, before.get(e.release)))]
    order = list(AlarmKind)
    return tuple(sorted(dict.fromkeys(found), key=lambda a: (order.index(a.kind), a.about)))


def outside_alarms(
    session: Session, releases: Iterable[str], *, now: datetime
) -> tuple[NightAlarm, ...]:
    """Witness the peers, join `releases`, and return the alarms of all that at `now`.

    Raises `StoreError` for the center's own store.
    """
    center = session.center
    try:
        policy = session.policy(now)
    except CenterPolicyError as error:
        return (_alarm(AlarmKind.POLICY_EXPIRING, center.id, f"its policy: {error.fault}"),)
    seen = _seen(session)
    told = [peer for peer in center.peers if peer.id in seen]
    heard = dict(_side_by_side(lambda peer: (peer.id, _heard(policy, peer, now)), told))
    joining = join_round(session, releases)
    session.logbook().settle()  # what a join that failed had stored already
    sizes = {name: result.size for name, result in seen.items() if result.size is not None}
    return (
        *map(as_told, _open_alarms(session, joining.raised, now)),
        *(
            alarm
            for peer in center.peers
            for alarm in peer_alarms(peer.id, seen.get(peer.id), heard.get(peer.id), now)
        ),
        *gap_alarms(own_log(center, policy), session.logbook().log.recover),
        *peer_gaps(policy, center.peers, {str(joined.release) for joined in joining.joined}),
        *(_gap(center.id, f"{release} could not be joined") for release, _ in joining.failed),
        *expiry_alarms(center.id, policy, sizes, now),
    )


def is_worse(verdict: Verdict, before: Verdict | None) -> bool:
    """Say whether a verdict is worse than one before; anything is as good as none."""
    if before is None or (verdict in _ALIKE and before in _ALIKE):
        return False
    return _RANK.index(verdict) < _RANK.index(before)


def peer_alarms(
    peer: str, seen: WitnessResult | None, heard: datetime | None, now: datetime
) -> Iterator[NightAlarm]:
    """Yield what is wrong with another center: our witness saw its log, and it last spoke then."""
    complaint = seen.complaint if seen else None
    if complaint is not None:
        text = f"the log of {peer} {_AGAINST[complaint]} ({complaint})"
        yield _alarm(AlarmKind.PEER_ROLLED_BACK, peer, text)
    unread = complaint is None and (seen is None or seen.size is None)
    if unread or heard is None or heard < now - SILENT_AFTER:
        last = "never" if heard is None else f"{heard:%Y-%m-%d %H:%M} UTC"
        # Why it cannot be read may name a host.
        what = "cannot be read" if unread else "is silent"
        yield _alarm(AlarmKind.PEER_SILENT, peer, f"{peer} {what}; last heard of: {last}")


def gap_alarms(
    log: KnownLog,
    recover: Callable[[], object] = lambda: None,
    *,
    joined: Collection[str] = (),
) -> Iterator[NightAlarm]:
    """Yield what is wrong with a log; one that is silent or not there is told as that elsewhere.

    `recover` opens the center's own log, and refuses one that was rolled back. What is missing of
    `joined` releases is told once it is withheld.
    """
    try:
        recover()
        found = check_completeness(log)
    except (EvidenceError, ScratchError) as error:
        yield _gap(log.center, error.what)
        return
    except BehindError as error:
        _LOG.warning("whether the log of %s is whole is not known: %s", log.center, error)
        return
    except SamebitsError:
        return
    gaps = [g for g in found.gaps if g.kind is not GapKind.MISSING or g.about not in joined]
    for gap in gaps[:_TOLD]:
        yield _gap(log.center, f"{gap.kind}, {gap.about}: {gap.message}")
    if (more := len(gaps) + found.more - _TOLD) > 0:
        yield _gap(log.center, f"and {more} more")


def expiry_alarms(
    center: str, policy: Policy, sizes: Mapping[str, int], now: datetime
) -> Iterator[NightAlarm]:
    """Yield what ends soon, or has ended; `sizes` holds the size of each log, as far as known."""
    keys = key_endings(policy, sizes)
    for text in expiry_warnings(policy, now, sizes):
        kind = AlarmKind.KEY_EXPIRING if text in keys else AlarmKind.POLICY_EXPIRING
        yield _alarm(kind, center, text)


def _entry_alarms(entry: NightEntry, before: NightEntry | None) -> Iterator[NightAlarm]:
    for artefact in entry.artefacts:
        if artefact.verdict is Verdict.SHIPPED_MISMATCH:
            text = f"{artefact.name}: what is served is not what was published"
            yield _alarm(AlarmKind.SHIPPED_MISMATCH, entry.release, text, run=entry.run)
    # The same verdict as last night was told last night.
    told = before is not None and before.verdict is entry.verdict
    known = before.settled if before else entry.expected
    if not told and is_worse(entry.verdict, known):
        text = f"{entry.verdict}, was {known}" if before else f"{entry.verdict}, expected {known}"
        yield _alarm(AlarmKind.WORSE, entry.release, text)


def _open_alarms(session: Session, raised: Sequence[Alarm], now: datetime) -> Sequence[Alarm]:
    """Return of those, and of all about logs, what nobody has acknowledged.

    Where that is not known, all of `raised`.
    """
    try:
        return open_alarms(session.consensus_view(now), raised)
    except SamebitsError as error:
        _LOG.warning("whether alarms are acknowledged is not known: %s", error)
        return raised


def _seen(session: Session) -> dict[str, WitnessResult]:
    """Return what the witness saw of every peer; nothing where it could not look."""
    with suppress(EvidenceError):
        return dict(witness_round(session))
    return {}


def _heard(policy: Policy, peer: Peer, now: datetime) -> datetime | None:
    """Return when a peer last spoke, by its newest heartbeat; None for never."""
    with suppress(SamebitsError):  # its log cannot be read: the same as a peer never heard
        log = peer_log(policy, peer)
        keys = log.statement_keys
        beat = log.source.begin(partial(newest_heartbeat, log.store, log.center, keys, now=now))()
        return beat.predicate.beat_on if beat else None
    return None


def peer_gaps(policy: Policy, peers: Iterable[Peer], joined: Collection[str]) -> list[NightAlarm]:
    """Return what is wrong with the logs of peers, each read within its budget."""

    def gaps(peer: Peer) -> list[NightAlarm]:
        try:
            return list(gap_alarms(peer_log(policy, peer), joined=joined))
        except PolicyError as error:
            return [_gap(peer.id, error.what)]

    return [alarm for found in _side_by_side(gaps, peers) for alarm in found]


def _side_by_side(work: Callable[[Peer], _T], peers: Iterable[Peer]) -> list[_T]:
    """Return the results of work on each peer, none of which waits for another."""
    given = list(peers)
    with ThreadPoolExecutor(max_workers=max(len(given), 1)) as pool:
        return list(pool.map(work, given))


def _gap(center: str, text: str) -> NightAlarm:
    """Return the alarm of something that a whole log has, and that of a center has not."""
    return _alarm(AlarmKind.GAP, center, f"the log of {center}: {text}")


def _alarm(kind: AlarmKind, about: str, text: str, *, run: str | None = None) -> NightAlarm:
    return NightAlarm(kind=kind, about=about, text=text, run=run)
