"""The cancellation of runs and nights from elsewhere: through records that every host reads.

Workers on several hosts share the center's store, so a cancellation is a record there. Whatever
begins notes its id (`begun`), looks for a cancellation every few seconds, and notes at its end that
it heeded one (`ended`). Nothing of this is evidence; the records are private.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Literal

from pydantic import ValidationError

from builders.core.errors import NotFoundError, SamebitsError, StoreConflictError, StoreError
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.statements.statement import show_time
from pipelines.storage.names import check_key, encode
from pipelines.storage.store import DamagedError, Store

EVERY = 2.0
"""Seconds between two looks for a cancellation."""
_LOG = logging.getLogger("samebits")
_MAX = 4096
_State = Literal["begun", "cancelled", "ended"]


class RunCancellation(threading.Event):
    """Set once its run is cancelled, or the session that the run is part of."""

    def __init__(self, session: threading.Event) -> None:
        """Be set whenever `session` is."""
        super().__init__()
        self._session = session

    def is_set(self) -> bool:
        """Say whether the run was cancelled, alone or with its session."""
        return super().is_set() or self._session.is_set()


class BegunRecord(FrozenModel):
    """What is noted of a run or a night when it begins."""

    release: str | None = None
    """What a run verifies; None for a night."""
    flow_run: str = ""
    """The id of its Prefect flow run, if it has one."""
    host: str
    begun_on: str
    """RFC 3339, UTC."""


def note_begun(
    store: Store, center: str, name: str, *, release: str | None = None, flow_run: str = ""
) -> None:
    """Note that a run, or a night without `release`, begins; the first note stays."""
    record = BegunRecord(
        release=release, flow_run=flow_run, host=socket.gethostname(), begun_on=_now()
    )
    with suppress(StoreConflictError):  # a night that was killed and is started again
        store.put_record(_key("begun", center, name), record.model_dump_json().encode())


def read_begun(store: Store, center: str, name: str) -> BegunRecord | None:
    """Return what was noted of a run or night; None if none of that id began."""
    key = _key("begun", center, name)
    try:
        return BegunRecord.model_validate_json(store.get(key, _MAX))
    except NotFoundError:
        return None
    except ValidationError as error:
        raise DamagedError(f"{key} is damaged", got=f"{error.error_count()} faults") from error


def cancel(store: Store, center: str, name: str) -> None:
    """Cancel a run or a night, wherever it is; one that was cancelled before stays so."""
    with suppress(StoreConflictError):
        store.put_record(_key("cancelled", center, name), _now().encode())


def is_cancelled(store: Store, center: str, name: str) -> bool:
    """Say whether a run or night was cancelled; raises `StoreError`."""
    return store.has(_key("cancelled", center, name))


def note_ended(store: Store, center: str, name: str) -> None:
    """Note that what was cancelled has ended, and left nothing running."""
    with suppress(StoreConflictError):
        store.put_record(_key("ended", center, name), _now().encode())


def has_ended(store: Store, center: str, name: str) -> bool:
    """Say whether a run or night that was cancelled has ended; raises `StoreError`."""
    return store.has(_key("ended", center, name))


@contextmanager
def cancelled_when(holds: Callable[[], bool], cancelled: threading.Event) -> Iterator[None]:
    """Set `cancelled` once `holds` says so, which a thread asks every `EVERY` seconds.

    A look that fails says nothing; the next one is made all the same.
    """
    over = threading.Event()

    def look() -> None:
        while not over.is_set() and not cancelled.is_set():
            try:
                if holds():
                    cancelled.set()
            except SamebitsError as error:
                _LOG.debug("whether it was cancelled could not be read: %s", error)
            over.wait(EVERY)

    threading.Thread(target=look, name="samebits-cancelled", daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextmanager
def cancellable_run(
    store: Store, center: str, run: str, cancelled: threading.Event, *, release: str, flow_run: str
) -> Iterator[None]:
    """Let a run be cancelled by its id while the block lasts."""
    note_begun(store, center, run, release=release, flow_run=flow_run)
    with _cancellable(store, center, run, cancelled):
        yield


@contextmanager
def cancellable_night(
    store: Store, center: str, night: str, cancelled: threading.Event, flow_run: str
) -> Iterator[None]:
    """Let a night be cancelled by its id while the block lasts, or before that."""
    note_begun(store, center, night, flow_run=flow_run)
    if is_cancelled(store, center, night):
        cancelled.set()
    with _cancellable(store, center, night, cancelled):
        yield


@contextmanager
def _cancellable(
    store: Store, center: str, name: str, cancelled: threading.Event
) -> Iterator[None]:
    """Set `cancelled` once `name` is cancelled, and note at the end that it ended for that."""
    try:
        with cancelled_when(lambda: is_cancelled(store, center, name), cancelled):
            yield
    finally:
        with suppress(StoreError):
            if cancelled.is_set() and is_cancelled(store, center, name):
                note_ended(store, center, name)


def _key(state: _State, center: str, name: str) -> str:
    return check_key(f"private/{state}/{encode(center)}/{encode(name)}.json")


def _now() -> str:
    return show_time(datetime.now(UTC))
