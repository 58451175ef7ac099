"""The logs of a center and its peers: opened, witnessed, and checked against their stores."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from builders.core.errors import StoreError, UsageError
from builders.core.similar import did_you_mean
from pipelines.audit.log_audit import GapKind, LogReport, audit_log
from pipelines.audit.source import BehindError, Source
from pipelines.center.center import Center, Peer
from pipelines.center.keys import center_key, log_key, public_keys
from pipelines.evidence.publickey import PublicKey
from pipelines.log.checkpoint import Checkpoint, LogIdentity
from pipelines.log.cosignatures import collect, newest_accepted
from pipelines.log.heartbeats import newest_heartbeat
from pipelines.log.log_reader import LogReader
from pipelines.log.witness import Witness, WitnessOutcome, WitnessResult
from pipelines.log.writer import LogWriter
from pipelines.policy import Policy, PolicyCenter, PolicyError
from pipelines.policy.model import CenterKey, PolicyLog
from pipelines.storage.bounded import BoundedStore, BudgetError
from pipelines.storage.opening import open_store
from pipelines.storage.store import ReadableStore, Store

_LOG = logging.getLogger("samebits")
_LOGGING_SECONDS = 20.0
"""Seconds in which a stored statement is logged, unless its process has died."""


@dataclass(frozen=True, kw_only=True)
class KnownLog:
    """A transparency log, its center as its statements are believed, and its store."""

    member: PolicyCenter
    identity: LogIdentity
    store: ReadableStore

    @property
    def center(self) -> str:
        """The id of the center."""
        return self.member.id

    @property
    def statement_keys(self) -> tuple[PublicKey, ...]:
        """The keys that sign the center's statements."""
        return tuple(key.key for key in self.member.keys)

    @property
    def source(self) -> Source:
        """The center, and its store."""
        return Source(center=self.center, store=self.store)

    def reader(self) -> LogReader:
        """Return a reader of its newest checkpoint."""
        return LogReader(self.store, self.identity)


def own_log(center: Center, policy: Policy) -> KnownLog:
    """Return the log of a center, with the former keys in its policy.

    Raises `KeyFileError` when it has no key for a log.
    """
    mine, log = public_keys(center)["statements"], log_key(center)
    known = (key for c in policy.centers if c.id == center.id for key in c.keys)
    former = (key for key in known if key.key.material != mine.material)
    member = PolicyCenter(
        id=center.id,
        operator=center.operator,
        region=center.region,
        builder=center.builder_id,
        verifier=center.verifier_id,
        log=PolicyLog(origin=center.origin, key=log),
        keys=(CenterKey(key=mine), *former),
    )
    return KnownLog(member=member, identity=LogIdentity.of(log), store=open_store(center.store))


def peer_log(policy: Policy, peer: Peer) -> KnownLog:
    """Return the log of a peer, with the keys in the policy, to be read within its budget.

    Raises `PolicyError`.
    """
    known = policy.center(peer.id)
    return KnownLog(member=known, identity=LogIdentity.of(known.log.key), store=peer.open())


def own_witness(center: Center, store: Store) -> Witness:
    """Return the center's witness for the logs of its peers; raises `KeyFileError`."""
    return Witness(
        home=center.home / "witness",
        store=store,
        private=center_key(center, "witness"),
        name=f"{center.origin}/witness",
        clock=lambda: datetime.now(UTC),
    )


def witness_peers(
    center: Center, policy: Policy, store: Store
) -> Iterator[tuple[str, WitnessResult]]:
    """Witness the logs of all peers, side by side; yields the peer's id and the result.

    Raises `PolicyError` for a peer that is not in the policy, `StoreError` for the own store.
    """
    witness, begun = own_witness(center, store), []
    for peer in center.peers:
        known, read = peer_log(policy, peer), peer.open()
        begun.append((known, read, read.begin(partial(witness.cosign, read, known.identity))))
    for known, read, future in begun:
        try:
            result = read.result(future)
        except BudgetError as error:
            silent, origin = WitnessOutcome.SILENT, known.identity.origin
            result = WitnessResult(origin=origin, outcome=silent, reason=str(error))
        yield known.center, result


def cosigned_trees(center: Center) -> Iterator[Checkpoint]:
    """Yield the newest checkpoint of the own log that each peer has accepted.

    A peer that cannot be read is skipped. Raises `KeyFileError` without a key for the log.
    """
    log = LogIdentity.of(log_key(center))
    for peer in center.peers:
        try:
            newest = newest_accepted(peer.open(), log)
        except (StoreError, UsageError) as error:
            _LOG.warning("the log is not compared with what %s has cosigned: %s", peer.id, error)
            continue
        if newest:
            yield newest


def collect_cosignatures(center: Center, policy: Policy, log: LogWriter) -> None:
    """Add the peers' cosignatures to the published checkpoint.

    A center that is not in the policy has no witnesses.
    """
    with suppress(PolicyError):
        known = LogIdentity.of(policy.center(center.id).log.key, *policy.witness_keys(center.id))
        stores = [peer.open() for peer in center.peers]
        collect(open_store(center.store), stores, known, log)


def find_peer(center: Center, name: str) -> Peer:
    """Return a peer by its id; raises `UsageError`."""
    for peer in center.peers:
        if peer.id == name:
            return peer
    raise UsageError(
        f"center {center.id} has no such peer",
        got=ascii(name[:80]),
        expected=", ".join(p.id for p in center.peers) or "peers in the center's file",
        todo=did_you_mean(name, (p.id for p in center.peers)),
    )


def check_completeness(
    log: KnownLog,
    count: Callable[[int], None] = lambda _: None,
    *,
    wait: Callable[[float], None] = time.sleep,
) -> LogReport:
    """Read a log and compare it with its store and newest heartbeat.

    A statement is stored before it is logged. So if the store has statements that the log does not
    contain, the log is read again after a `wait`; those that are still missing are gaps. Raises
    `LogError`, `StoreError`, and `BehindError` for a peer that has more than one round may cost.
    """
    found = _compare(log, count)
    early = {gap.about for gap in found.gaps if gap.kind is GapKind.UNLOGGED}
    if not early:
        return found
    wait(_LOGGING_SECONDS)
    if isinstance(log.store, BoundedStore):
        log.store.budget.renew()
    found = _compare(log, count)
    found.gaps = [g for g in found.gaps if g.kind is not GapKind.UNLOGGED or g.about in early]
    return found


def _compare(log: KnownLog, count: Callable[[int], None]) -> LogReport:
    try:
        return log.source.begin(partial(_compare_now, log, count))()
    except BehindError as error:
        raise BehindError(
            f"the log of {log.center} was not read to its end",
            got=error.got,
            expected="a log and records that fit into one round",
            todo="Raise `time` and `traffic` of this peer in the file of the center",
        ) from error


def _compare_now(log: KnownLog, count: Callable[[int], None]) -> LogReport:
    heartbeat = newest_heartbeat(log.store, log.center, log.statement_keys, now=datetime.now(UTC))
    return audit_log(
        log.reader(),
        log.member,
        source=log.source,
        heartbeat=None if heartbeat is None else heartbeat.predicate,
        count=count,
    )
