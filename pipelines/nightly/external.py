"""The state of everything outside the own rebuilds that a night's alarms depend on.

Consensus, peers, logs, and what expires soon. A source that cannot be read raises an alarm of its
own; it never ends a night.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from builders.core.errors import SamebitsError
from pipelines.center.center import Center, Peer
from pipelines.center.logs import KnownLog, check_completeness, own_log, peer_log
from pipelines.consensus import ReleaseConsensus
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.statements.refusal import Complaint
from pipelines.log.heartbeats import newest_heartbeat
from pipelines.log.witness import WitnessResult
from pipelines.nightly.periodic import join_round, witness_round
from pipelines.policy import CenterPolicyError, Policy, PolicyError
from pipelines.policy.expiry import expiry_warnings, key_endings
from pipelines.verify.session import Session


@dataclass(frozen=True, kw_only=True)
class ConsensusResult:
    """What the centers together found for one artefact, in the words of the design.

    That is the consensus, or the name of an alarm that came with it (SERVED_DIFFERENTLY).
    """

    release: str
    artefact: str
    consensus: str


@dataclass(frozen=True, kw_only=True)
class PeerState:
    """What was seen of another center's log this night, and what the last time."""

    id: str
    heard: datetime | None
    """When it last spoke (its newest heartbeat), UTC; None for never."""
    size: int | None
    """The size of its log, which our witness found to hold all that it held before; else None."""
    complaint: Complaint | None = None
    """What our witness has signed against its log."""


@dataclass(frozen=True, kw_only=True)
class LogGap:
    """Something that a whole log has, and that of a center has not."""

    center: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """Something that ends soon, or has ended."""

    what: Literal["key", "policy"]
    name: str
    """Of the center whose key or policy it is."""
    text: str
    """One sentence; it is told to the public, and so names no place of this machine."""


@dataclass(frozen=True, kw_only=True)
class ExternalState:
    """All of that for one night."""

    consensus: tuple[ConsensusResult, ...] = ()
    peers: tuple[PeerState, ...] = ()
    gaps: tuple[LogGap, ...] = ()
    expiries: tuple[Expiry, ...] = ()


_TOLD = 20
"""Gaps of one log that are told."""


def gather_external(session: Session, releases: Iterable[str], *, now: datetime) -> ExternalState:
    """Witness the peers, join `releases`, and return what is to be heard of all that at `now`.

    Raises `StoreError` for the center's own store.
    """
    center = session.center
    try:
        policy = session.policy(now)
    except CenterPolicyError as error:
        return ExternalState(expiries=(Expiry(what="policy", name=center.id, text=error.what),))
    if center.policy is None:
        return ExternalState(gaps=tuple(_gaps(own_log(center, policy))))
    seen, sizes = _seen(session), dict[str, int]()
    peers = []
    for peer in center.peers:
        state = _peer(policy, peer, seen.get(peer.id), now)
        peers.append(state)
        if state.size is not None:
            sizes[peer.id] = state.size
    round_ = join_round(session, releases)
    session.logbook().settle()  # what a join that failed had stored already
    return ExternalState(
        consensus=tuple(j for found in round_.joined for j in _joined(found)),
        peers=tuple(peers),
        gaps=(*_all_gaps(center, policy), *_unjoined(center, round_.failed)),
        expiries=tuple(_expiries(center, policy, sizes, now)),
    )


def _seen(session: Session) -> dict[str, WitnessResult]:
    """Return what the witness saw of every peer; nothing where it could not look."""
    try:
        return dict(witness_round(session))
    except EvidenceError:
        return {}


def _peer(policy: Policy, peer: Peer, seen: WitnessResult | None, now: datetime) -> PeerState:
    """Return the state of a peer: when it spoke last, and what our witness found of its log."""
    if seen is None:
        return PeerState(id=peer.id, heard=None, size=None)
    heard = None
    try:
        known = peer_log(policy, peer)
        beat = newest_heartbeat(known.store, known.center, known.statement_keys, now=now)
        heard = None if beat is None else beat.predicate.beat_on
    except SamebitsError:
        heard = None  # its log cannot be read: the same as a peer that was never heard
    return PeerState(id=peer.id, heard=heard, size=seen.size, complaint=seen.complaint)


def _all_gaps(center: Center, policy: Policy) -> Iterator[LogGap]:
    yield from _gaps(own_log(center, policy))
    for peer in center.peers:
        try:
            known = peer_log(policy, peer)
        except PolicyError as error:
            yield LogGap(center=peer.id, text=_what(error))
            continue
        yield from _gaps(known)


def _gaps(log: KnownLog) -> Iterator[LogGap]:
    """Yield what is wrong with a log; one that is silent or not there is told as that elsewhere."""
    try:
        found = check_completeness(log)
    except EvidenceError as error:
        yield LogGap(center=log.center, text=_what(error))
        return
    except SamebitsError:
        return
    for gap in found.gaps[:_TOLD]:
        yield LogGap(center=log.center, text=f"{gap.kind}, {gap.about}: {gap.message}")
    if (more := len(found.gaps) + found.more - _TOLD) > 0:
        yield LogGap(center=log.center, text=f"and {more} more")


def _what(error: EvidenceError) -> str:
    """Return what is wrong, without the rest: it may name a place of this machine."""
    return error.what


def _joined(found: ReleaseConsensus) -> Iterator[ConsensusResult]:
    for one in found.artefacts:
        yield ConsensusResult(
            release=str(found.release),
            artefact=one.subject.artefact,
            consensus=str(one.result),
        )
        for alarm in one.alarms:
            yield ConsensusResult(
                release=str(found.release),
                artefact=one.subject.artefact,
                consensus=str(alarm.name),
            )


def _unjoined(center: Center, failed: Iterable[tuple[str, str]]) -> Iterator[LogGap]:
    for release, _ in failed:
        yield LogGap(center=center.id, text=f"{release} could not be joined")


def _expiries(
    center: Center, policy: Policy, sizes: Mapping[str, int], now: datetime
) -> Iterator[Expiry]:
    keys = key_endings(policy, sizes)
    for text in expiry_warnings(policy, now, sizes):
        yield Expiry(what="key" if text in keys else "policy", name=center.id, text=text)
