"""Publication of a center's heartbeat: signed, stored, then logged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pipelines.center.logbook import Logbook
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.statements import Statement
from pipelines.evidence.statements.heartbeat import HeartbeatStatement, Work
from pipelines.log.heartbeats import heartbeat_key, make_heartbeat, store_heartbeat
from pipelines.log.merkle import EMPTY_ROOT
from pipelines.storage.store import Store


def publish_heartbeat(
    *,
    center: str,
    book: Logbook,
    store: Store,
    sign: Callable[[Statement], Envelope],
    now: datetime,
    work: Work | None = None,
) -> tuple[str, HeartbeatStatement]:
    """Store and log the heartbeat of a center; returns the name of its record, and what it says.

    Statements that wait for the log are logged first. Raises `LogError`, `StoreError`, and what
    `sign` raises.
    """
    book.settle()
    heads = book.log.heads()
    tree = book.log.recover()
    statement = make_heartbeat(
        center=center,
        size=tree.size if tree else 0,
        root=tree.root if tree else EMPTY_ROOT,
        heads=heads,
        now=now,
        work=work,
    )
    key = heartbeat_key(statement)
    with book.storing(key):
        store_heartbeat(store, statement, sign)
    book.settle(key)
    return key, statement
