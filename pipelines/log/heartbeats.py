"""Heartbeats: a center says that it is alive, how long its log is, and which leaves are its newest.

Each is a record `public/heartbeats/<center>/<time>.dsse.json`, written once. A reader takes the
newest that the center's key has signed and skips everything else there. A heartbeat from the future
is skipped too, so that it cannot hide that a center has fallen silent.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from builders.core.digest import Digest
from builders.core.errors import NotFoundError
from pipelines.evidence.clocks import CENTER_SKEW
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope, verify_envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.log_status import (
    MAX_HEADS,
    Head,
    Heartbeat,
    HeartbeatStatement,
    Tree,
    Work,
    heartbeat_statement,
)
from pipelines.evidence.statements.reader import SUFFIX, read_statement
from pipelines.evidence.statements.statement import DigestSet
from pipelines.log.writer_cache import ReleaseHead
from pipelines.storage.names import check_prefix, encode
from pipelines.storage.store import DamagedError, ReadableStore, TooLargeError

SILENT_AFTER = timedelta(hours=36)
"""A night may be late; two nights without a heartbeat are silence."""
MAX_TRIES = 100
"""Records that are read before the search for the newest heartbeat is given up."""
_MAX_BYTES = 6 << 20
"""Of all heads together: a statement takes 8 MiB."""
_HEAD = 160
"""Bytes of a head beside its name, or more."""
_UNREADABLE = (EvidenceError, DamagedError, TooLargeError, NotFoundError)


def make_heartbeat(
    *, center: str, log: Tree, heads: Collection[ReleaseHead], now: datetime, work: Work | None
) -> HeartbeatStatement:
    """Return the heartbeat of a center whose newest checkpoint has the tree `log`.

    `heads` has each release once, in any order, and was read no later than the checkpoint; where
    they are too many, those that moved last are listed. `now` is UTC. Raises
    ValueError for heads that such a log cannot have.
    """
    listed: list[Head] = []
    total = 0
    for head in heapq.nlargest(MAX_HEADS, heads, key=lambda head: head.index):
        total += 2 * len(head.release.encode()) + _HEAD  # a quote is written as two bytes
        if total > _MAX_BYTES:
            break
        newest = DigestSet(sha256=Digest(head.hash))
        listed.append(Head(release=head.release, sequence=head.sequence, newest=newest))
    heartbeat = Heartbeat(
        center=center,
        beat_on=now,
        log=log,
        heads=tuple(sorted(listed, key=lambda head: head.release)),
        releases=len(heads),
        work=work,
    )
    return heartbeat_statement(heartbeat)


def heartbeat_key(statement: HeartbeatStatement) -> str:
    """Return the name of a heartbeat's record."""
    heartbeat = statement.predicate
    return f"{_folder(heartbeat.center)}{heartbeat.beat_on:%Y%m%dT%H%M%SZ}{SUFFIX}"


def newest_heartbeat(
    store: ReadableStore, center: str, keys: Sequence[PublicKey], *, now: datetime
) -> HeartbeatStatement | None:
    """Return the newest heartbeat of a center that one of `keys` has signed; None without one.

    At most the newest `MAX_TRIES` records are read. Raises `StoreError` when the store
    cannot be read.
    """
    folder = _folder(center)
    latest = f"{now + CENTER_SKEW:%Y%m%dT%H%M%SZ}{SUFFIX}"
    names = (key.removeprefix(folder) for key in store.list(folder))
    past = (name for name in names if name <= latest)
    for name in heapq.nlargest(MAX_TRIES, past):
        try:
            envelope = Envelope.from_bytes(store.get(folder + name, MAX_ENVELOPE))
            verify_envelope(envelope, keys)
            statement = read_statement(envelope.payload)
        except _UNREADABLE:
            continue
        if isinstance(statement, HeartbeatStatement) and heartbeat_key(statement) == folder + name:
            return statement
    return None


def _folder(center: str) -> str:
    return check_prefix(f"public/heartbeats/{encode(center)}/")
