"""The writer of a center's log: commitments first, statements once they are stored.

A process can die, or lose the store, after it stored a statement and before it logged it. So the
place of future statements is first noted in `log/pending` of the center's home, and the note is
removed once they are logged. The next process that calls `settle` logs what is left. Those of a run
are noted once all of them are stored, and are logged in one commit: a run that was cut off between
two of them is not stated, and is completed from its folder. A log is never written through an
outbox: an entry that waits there is in no log.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from builders.core.digest import Digest
from pipelines.center.center import Center
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.statements.log_status import HeartbeatStatement, Tree, Work
from pipelines.evidence.statements.reader import SUFFIX, read_statement
from pipelines.evidence.statements.statement import Statement
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.errors import LogError
from pipelines.log.heartbeats import heartbeat_key, make_heartbeat
from pipelines.log.leaf import CommitmentEntry, StatementEntry, own_key
from pipelines.log.merkle import EMPTY_ROOT
from pipelines.log.signers import CheckpointSigner
from pipelines.log.writer import AppendResult, LogWriter
from pipelines.storage.files import write_error
from pipelines.storage.names import decode
from pipelines.storage.store import Store

_LOG = logging.getLogger("samebits")
_RELEASES = "public/releases/"


class Logbook:
    """The log of one center, and the statements that are to be logged."""

    def __init__(
        self,
        center: Center,
        *,
        store: Store,
        log_store: Store,
        signer: CheckpointSigner,
        cosigned: Callable[[], Iterable[Checkpoint]] = tuple,
    ) -> None:
        """Read statements from `store`, and write the log to `log_store`: the store without outbox.

        The log must continue what `cosigned` returns. Nothing is opened yet.
        """
        home = center.home / "log"
        self._center = center
        self._store = store
        self._pending = home / "pending"
        self.log = LogWriter(
            log_store, origin=center.origin, signer=signer, home=home, cosigned=cosigned
        )

    def commit(self, *, release: str, run: str, claim: Digest, seal: Digest) -> int:
        """Log the commitment of a run, and return its index; raises `LogError`, `StoreError`."""
        entry = CommitmentEntry(
            center=self._center.id, release=release, run=run, claim=claim, seal=seal
        )
        return self.log.append([entry]).leaves[0].index

    @contextmanager
    def storing(self, place: str, *, whole: bool = False) -> Iterator[None]:
        """Note that statements will be stored in `place`, the key of one or a folder.

        No process settles that place while the block runs; afterwards any process may. With
        `whole`, none does unless the block ended well: half of it is never logged.
        """
        note = self._hold(place)
        try:
            if not whole:
                self._write_down(note, place)
            yield
            if whole:
                self._write_down(note, place)
        finally:
            os.close(note)

    def settle(self, *places: str) -> AppendResult | None:
        """Log all statements that are stored and not logged, those in `places` among them.

        Returns what came of the last commit, None when there was nothing to do. A record that
        cannot be read keeps its note, and the others are logged, but none of the same run. Raises
        `StoreError`, and `LogError`, also for a run of `places` that was not logged; what was not
        logged keeps its note.
        """
        with ExitStack() as held:
            waiting = dict(self._waiting(held))
            commits, damaged = dict[str, list[StatementEntry]](), dict[str, str]()
            for place in sorted({*places, *waiting}):
                # A run is stated by a commit of its own.
                entries = commits.setdefault(place if _is_run(place) else "", [])
                for key in self._records(place):
                    try:
                        entries.append(self._entry(key))
                    except EvidenceError as error:
                        _LOG.warning("%s is not logged: %s", key, error)
                        damaged[place] = key
                if _is_run(place) and place in damaged:
                    del commits[place]  # half of a run is never logged
            appended = None
            for entries in filter(None, commits.values()):
                appended = self.log.append(entries)
            for place, path in waiting.items():
                if place not in damaged:
                    path.unlink(missing_ok=True)
        if unlogged := [
            key for place, key in damaged.items() if _is_run(place) and place in places
        ]:
            raise LogError("a run is not logged: a record of it is damaged", got=unlogged[0])
        return appended

    def waiting(self) -> int:
        """Return how many places may have statements that are not logged."""
        return len(list(self._pending.iterdir())) if self._pending.is_dir() else 0

    def publish_heartbeat(
        self, sign: Callable[[Statement], Envelope], now: datetime, work: Work | None = None
    ) -> tuple[str, HeartbeatStatement]:
        """Sign, store and log the heartbeat of the center; returns its record's key, and it.

        `now` is UTC. Statements that wait for the log are logged first. Raises `LogError`,
        `StoreError`, and what `sign` raises.
        """
        self.settle()
        heads = self.log.heads()
        tree = self.log.recover()
        size, root = (tree.size, tree.root) if tree else (0, EMPTY_ROOT)
        log = Tree(size=size, root=Digest(root.hex()))
        statement = make_heartbeat(center=self._center.id, log=log, heads=heads, now=now, work=work)
        key = heartbeat_key(statement)
        with self.storing(key):
            self._store.put_record(key, sign(statement).to_bytes())
        self.settle(key)
        return key, statement

    def _hold(self, place: str) -> int:
        """Make a note and return it, open and locked; raises `InfrastructureError`."""
        path = self._note(place)
        try:
            self._pending.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                note = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(note, fcntl.LOCK_EX)
                    with suppress(FileNotFoundError):
                        if os.path.samestat(os.fstat(note), path.stat()):
                            return note
                except OSError:
                    os.close(note)
                    raise
                # Another process has settled the place and removed the note: write a new one.
                os.close(note)
        except OSError as error:
            raise write_error(path, error) from error

    def _note(self, place: str) -> Path:
        return self._pending / Digest.of(place.encode()).hex

    def _write_down(self, note: int, place: str) -> None:
        """Write the place into its note, durably; raises `InfrastructureError`."""
        try:
            os.write(note, place.encode())
            os.fsync(note)
        except OSError as error:
            raise write_error(self._note(place), error) from error

    def _waiting(self, held: ExitStack) -> Iterator[tuple[str, Path]]:
        """Yield the places that no process is storing into; their notes are locked by `held`."""
        if not self._pending.is_dir():
            return
        for path in self._pending.iterdir():
            try:
                note = held.enter_context(path.open("rb"))
                fcntl.flock(note, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except (FileNotFoundError, BlockingIOError):
                continue  # settled by another process, or being stored into
            if place := note.read().decode():
                yield place, path
            else:  # whoever began to store there did not come to its end
                path.unlink(missing_ok=True)

    def _records(self, place: str) -> Iterator[str]:
        if not place.endswith("/"):
            if self._store.has(place):
                yield place
            return
        for key in self._store.list(place):
            if key.endswith(SUFFIX):
                yield key

    def _entry(self, key: str) -> StatementEntry:
        envelope = Envelope.from_bytes(self._store.get(key, MAX_ENVELOPE))
        return StatementEntry(
            center=self._center.id,
            release=release_key(key, self._center.id),
            pae=envelope.digest(),
            keyid=envelope.signatures[0].keyid,
            predicate_type=read_statement(envelope.payload).predicate_type,
        )


def release_key(key: str, center: str) -> str:
    """Return the release key of a statement's record: its release, or the center's own key."""
    if not key.startswith(_RELEASES):
        return own_key(center)
    vendor, product, version = map(decode, key.removeprefix(_RELEASES).split("/")[:3])
    return f"{vendor}/{product}@{version}"


def _is_run(place: str) -> bool:
    return place.startswith(_RELEASES) and place.endswith("/")
