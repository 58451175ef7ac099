"""When a shipped file was fetched: noted once, beside the copy in the vault.

A later run that does not fetch the file again says so, and since when the copy is there. A file
that came into the vault in another way has no such time, nor one whose note a store did not take:
no run is lost for a note.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from builders.core.digest import Digest
from builders.core.errors import StoreError
from pipelines.evidence.statements.statement import parse_time, show_time
from pipelines.storage.store import Store

_ROOT = "private/fetched/"
_MAX = 64


def note_fetch(store: Store, digest: Digest, now: datetime | None = None) -> None:
    """Note that a file was fetched at `now` (UTC), unless an earlier fetch is noted."""
    key = f"{_ROOT}{digest.hex}"
    with suppress(StoreError):  # another run was first, or the store does not answer
        if not store.has(key):
            store.put_record(key, show_time(now or datetime.now(UTC)).encode())


def fetch_time(store: Store, digest: Digest) -> datetime | None:
    """Return when a file was first fetched, in UTC; None where no fetch is noted."""
    try:
        return parse_time(store.get(f"{_ROOT}{digest.hex}", _MAX).decode())
    except (StoreError, ValueError):
        return None
