"""What somebody has to look at: a pure function of a night, the one before, and what was heard.

Whatever is uncertain alarms: a peer that cannot be read counts as silent, and a release that was
identical and could not be checked is worse than before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from builders.core.enums import Verdict
from pipelines.evidence.statements.refusal import Complaint
from pipelines.nightly.external import ExternalState, PeerState
from pipelines.nightly.record import AlarmKind, NightAlarm, NightEntry

SILENT_AFTER = timedelta(hours=36)
"""A night may be late; two nights without a word are silence."""

_RANK = list(Verdict)
_ALIKE = {Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED}
_OTHER = "centers agree on other bytes than those shipped"
_BOTH = "some centers match and some do not"
_SERVED = "what was served somewhere is not what was published"
_JOINED = {
    "SUSPECT": (AlarmKind.SUSPECT, _OTHER),
    "SPLIT": (AlarmKind.SPLIT, _BOTH),
    "SHIPPED_MISMATCH": (AlarmKind.SHIPPED_MISMATCH, _SERVED),
    "SERVED_DIFFERENTLY": (AlarmKind.SHIPPED_MISMATCH, _SERVED),
}
_AGAINST = {
    Complaint.SHORTENED: "is shorter than it was",
    Complaint.FORKED: "shows other entries at the size that it had before",
    Complaint.INCONSISTENT: "does not hold what it held before",
    Complaint.ALTERED: "is altered",
    Complaint.UNSIGNED: "is not signed with its key",
}
_EXPIRING = {"key": AlarmKind.KEY_EXPIRING, "policy": AlarmKind.POLICY_EXPIRING}


def alarms(
    entries: Iterable[NightEntry],
    before: Iterable[NightEntry],
    outside: ExternalState,
    *,
    now: datetime,
    silent_after: timedelta = SILENT_AFTER,
) -> tuple[NightAlarm, ...]:
    """Return every alarm of a night, the gravest kinds first, each thing once."""
    known = {entry.release: entry for entry in before}
    found = [
        *_consensus(outside),
        *(a for entry in entries for a in _entry(entry, known.get(entry.release))),
        *(a for peer in outside.peers for a in _peer(peer, now - silent_after)),
        *(
            NightAlarm(
                kind=AlarmKind.GAP, about=gap.center, text=f"the log of {gap.center}: {gap.text}"
            )
            for gap in outside.gaps
        ),
        *(
            NightAlarm(kind=_EXPIRING[expiry.what], about=expiry.name, text=expiry.text)
            for expiry in outside.expiries
        ),
    ]
    order = list(AlarmKind)
    return tuple(sorted(dict.fromkeys(found), key=lambda a: (order.index(a.kind), a.about)))


def is_worse(verdict: Verdict, before: Verdict | None) -> bool:
    """Say whether a verdict is worse than one before; anything is as good as none."""
    if before is None or (verdict in _ALIKE and before in _ALIKE):
        return False
    return _RANK.index(verdict) < _RANK.index(before)


def _consensus(outside: ExternalState) -> Iterator[NightAlarm]:
    for joined in outside.consensus:
        if joined.consensus in _JOINED:
            kind, what = _JOINED[joined.consensus]
            text = f"{joined.artefact}: {what} ({joined.consensus})"
            yield NightAlarm(kind=kind, about=joined.release, text=text)


def _entry(entry: NightEntry, before: NightEntry | None) -> Iterator[NightAlarm]:
    for artefact in entry.artefacts:
        if artefact.verdict is Verdict.SHIPPED_MISMATCH:
            yield NightAlarm(
                kind=AlarmKind.SHIPPED_MISMATCH,
                about=entry.release,
                text=f"{artefact.name}: what is served is not what was published",
            )
    # The same verdict as last night was told last night.
    told = before is not None and before.verdict is entry.verdict
    known = before.settled if before else entry.expected
    if not told and is_worse(entry.verdict, known):
        text = f"{entry.verdict}, was {known}" if before else f"{entry.verdict}, expected {known}"
        yield NightAlarm(kind=AlarmKind.WORSE, about=entry.release, text=text)


def _peer(peer: PeerState, silent_before: datetime) -> Iterator[NightAlarm]:
    if peer.complaint is not None:
        text = f"the log of {peer.id} {_AGAINST[peer.complaint]} ({peer.complaint})"
        yield NightAlarm(kind=AlarmKind.PEER_ROLLED_BACK, about=peer.id, text=text)
    unread = peer.size is None and peer.complaint is None
    if unread or peer.heard is None or peer.heard < silent_before:
        last = "never" if peer.heard is None else f"{peer.heard:%Y-%m-%d %H:%M} UTC"
        # Why it cannot be read may name a host, and this is told to the public.
        what = "cannot be read" if unread else "is silent"
        text = f"{peer.id} {what}; last heard of: {last}"
        yield NightAlarm(kind=AlarmKind.PEER_SILENT, about=peer.id, text=text)
