"""A witness: reads the logs of others, and puts its name only to what grew from what it saw.

It remembers the newest checkpoint of each log that it accepted, on disk, before its cosignature can
be read by anybody; a log that was ever shown longer, or otherwise, is refused, and the refusal is
signed and kept beside the cosignatures. The protocol by pull needs nothing of the log but its
public files; what is written is C2SP tlog-cosignature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, StoreError
from pipelines.evidence.dsse import EnvelopeSigner, sign
from pipelines.evidence.statements.refusal import (
    MAX_REASON,
    Complaint,
    Refusal,
    RefusalStatement,
    Shown,
)
from pipelines.log.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from pipelines.log.errors import LogError, ProofError
from pipelines.log.fork import ForkProof
from pipelines.log.merkle import verify_consistency
from pipelines.log.note import MAX_NOTE, Note
from pipelines.log.notekey import NoteKey
from pipelines.log.reader import LogReader, LogSource
from pipelines.log.signers import WitnessSigner
from pipelines.log.tiles import CHECKPOINT, PREFIX
from pipelines.storage import files as durable
from pipelines.storage.store import Store


class Sight(StrEnum):
    """What came of looking at a log."""

    COSIGNED = "cosigned"
    SILENT = "silent"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came of looking at one log, and where the record of it is."""

    origin: str
    sight: Sight
    size: int | None = None
    reason: str | None = None
    complaint: Complaint | None = None
    record: str | None = None
    """The key of the cosigned checkpoint, or of the signed refusal."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "origin": self.origin,
            "sight": str(self.sight),
            "size": self.size,
            "reason": self.reason,
            "complaint": None if self.complaint is None else str(self.complaint),
            "record": self.record,
        }


def origin_folder(origin: str) -> str:
    """Return the folder of a store that holds what its witness says of the log `origin`."""
    return f"{PREFIX}witness/{Digest.of(origin.encode())}/"


class Witness:
    """Looks at logs, remembers below `home`, and writes into its own `store`."""

    def __init__(
        self,
        *,
        home: Path,
        store: Store,
        private: EnvelopeSigner,
        name: str,
        clock: Callable[[], datetime],
    ) -> None:
        """Cosign as `name` with the Ed25519 key `private`; `clock` gives the time in UTC."""
        self._home = home
        self._store = store
        self._private = private
        self._clock = clock
        self._signer = WitnessSigner(name, private, clock=clock)

    @property
    def key(self) -> NoteKey:
        """The key under which others verify its cosignatures."""
        return self._signer.key

    def look(self, source: LogSource, *, origin: str, keys: Sequence[NoteKey]) -> Seen:
        """Read a log's checkpoint and cosign it, or refuse; raises `StoreError` for the own store.

        A log that cannot be reached is silent, which is no refusal. Raises `InfrastructureError`
        where nothing can be remembered.
        """
        try:
            data = source.get(CHECKPOINT, MAX_NOTE)
        except (StoreError, NotFoundError) as error:
            return Seen(origin=origin, sight=Sight.SILENT, reason=str(error))
        with durable.held(self._path(origin).with_suffix(".lock")):
            return self._judge(source, origin, keys, data)

    def _judge(self, source: LogSource, origin: str, keys: Sequence[NoteKey], data: bytes) -> Seen:
        before = self._remembered(origin)
        try:
            new = open_checkpoint(data, origin=origin, keys=keys)
        except LogError as error:
            return self._refuse(origin, data, before, Complaint.UNSIGNED, str(error))
        if before is not None and (complaint := _complaint(before.checkpoint, new.checkpoint)):
            if complaint is Complaint.FORKED:
                self._keep_fork(origin, before, data)
            reason = f"{_shown(before.checkpoint)} before, {_shown(new.checkpoint)} now"
            return self._refuse(origin, data, before, complaint, reason)
        try:
            self._check_growth(source, origin, keys, before, new)
        except (StoreError, NotFoundError) as error:
            return Seen(origin=origin, sight=Sight.SILENT, reason=str(error))
        except ProofError as error:
            return self._refuse(origin, data, before, Complaint.INCONSISTENT, str(error))
        except LogError as error:
            return self._refuse(origin, data, before, Complaint.ALTERED, str(error))
        self._remember(origin, new)
        return self._cosign(origin, new)

    def _check_growth(
        self,
        source: LogSource,
        origin: str,
        keys: Sequence[NoteKey],
        before: SignedCheckpoint | None,
        new: SignedCheckpoint,
    ) -> None:
        """Require that the new tree holds the one before."""
        if before is None or before.checkpoint.size in {0, new.checkpoint.size}:
            return
        reader = LogReader(source, origin=origin, keys=keys, checkpoint=new)
        old = before.checkpoint
        verify_consistency(
            old_size=old.size,
            old_root=old.root,
            new_size=new.checkpoint.size,
            new_root=new.checkpoint.root,
            proof=reader.consistency(old.size),
        )

    def _cosign(self, origin: str, new: SignedCheckpoint) -> Seen:
        note = new.note.signed_by(self._signer)
        size = new.checkpoint.size
        key = f"{origin_folder(origin)}{size:020d}-{int(self._clock().timestamp())}"
        if not self._store.has(key):  # a second look within one second says nothing new
            self._store.put_record(key, note.to_bytes())
        return Seen(origin=origin, sight=Sight.COSIGNED, size=size, record=key)

    def _refuse(
        self,
        origin: str,
        data: bytes,
        before: SignedCheckpoint | None,
        complaint: Complaint,
        reason: str,
    ) -> Seen:
        """Sign and keep the refusal; the same refusal of the same note is kept once."""
        key = f"{origin_folder(origin)}refused/{complaint}-{Digest.of(data)}.dsse.json"
        if not self._store.has(key):
            refusal = Refusal(
                witness=self.key.name,
                origin=origin,
                complaint=complaint,
                reason=reason[:MAX_REASON],
                before=None if before is None else _as_shown(before),
                refused_on=self._clock(),
            )
            statement = RefusalStatement.of(refusal, checkpoint=Digest.of(data))
            self._store.put_record(key, sign(statement.to_bytes(), self._private).to_bytes())
        return Seen(
            origin=origin, sight=Sight.REFUSED, reason=reason, complaint=complaint, record=key
        )

    def _keep_fork(self, origin: str, before: SignedCheckpoint, data: bytes) -> None:
        """Keep both checkpoints of one size: whoever has the log's key can verify them."""
        proof = ForkProof(first=before.note.to_bytes(), second=data).to_bytes()
        key = f"{origin_folder(origin)}fork/{before.checkpoint.size:020d}-{Digest.of(proof)}.json"
        self._store.put_record(key, proof)

    def _remembered(self, origin: str) -> SignedCheckpoint | None:
        """Return the newest checkpoint that was accepted; raises `LogError` when it is damaged."""
        path = self._path(origin)
        try:
            note = Note.parse(path.read_bytes())
            return SignedCheckpoint(checkpoint=Checkpoint.parse(note.text), note=note)
        except FileNotFoundError:
            return None
        except LogError as error:
            raise LogError(
                "what the witness remembers is damaged",
                got=path,
                expected="the note that it accepted last",
                todo="Find out who wrote there; without it a log could be rolled back unseen",
            ) from error

    def _remember(self, origin: str, new: SignedCheckpoint) -> None:
        """Write down what is accepted, durably, before anybody can read a cosignature of it."""
        durable.replace(self._path(origin), new.note.to_bytes())

    def _path(self, origin: str) -> Path:
        return self._home / f"{Digest.of(origin.encode())}.note"


def _complaint(before: Checkpoint, new: Checkpoint) -> Complaint | None:
    """Say what sizes and roots alone tell against a log."""
    if new.size < before.size:
        return Complaint.SHORTENED
    if new.size == before.size and new.root != before.root:
        return Complaint.FORKED
    return None


def _as_shown(signed: SignedCheckpoint) -> Shown:
    checkpoint = signed.checkpoint
    return Shown(
        size=checkpoint.size,
        root=Digest(checkpoint.root.hex()),
        note=signed.note.to_bytes().decode(),
    )


def _shown(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.size} leaves with root {checkpoint.root.hex()[:16]}"
