"""A witness: reads the logs of others, and cosigns only what grew from what it accepted before.

It remembers the newest checkpoint that it accepted of each log, on disk, before anybody can read
its cosignature. A log that is shorter than that, or contradicts it, is refused; the refusal is
signed and kept beside the cosignatures. Witnessing by pull needs nothing of a log but its public
files; what is written is C2SP tlog-cosignature.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import StoreError
from pipelines.evidence.dsse import EnvelopeSigner, sign_envelope
from pipelines.evidence.statements.absence import (
    MAX_ABSENT,
    Absence,
    AbsentLeaves,
    absence_statement,
)
from pipelines.evidence.statements.log_status import (
    MAX_REASON,
    Complaint,
    Refusal,
    RefusalStatement,
    Shown,
)
from pipelines.log.checkpoint import Checkpoint, LogIdentity, SignedCheckpoint, open_checkpoint
from pipelines.log.errors import LogError, ProofError
from pipelines.log.fork import ForkProof
from pipelines.log.log_reader import LogReader
from pipelines.log.note import MAX_NOTE, Note, NoteSigner
from pipelines.log.notekey import NoteKey
from pipelines.log.tile_reader import LogSource
from pipelines.log.tiles import CHECKPOINT, PREFIX
from pipelines.storage import files as durable
from pipelines.storage.store import Store


class WitnessOutcome(StrEnum):
    """What a witness did about a log."""

    COSIGNED = "cosigned"
    SILENT = "silent"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class WitnessResult:
    """What a witness did about one log, and where the record of it is."""

    origin: str
    outcome: WitnessOutcome
    size: int | None = None
    reason: str | None = None
    complaint: Complaint | None = None
    record: str | None = None
    """The key of the cosigned checkpoint, or of the signed refusal."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {"sight" if k == "outcome" else k: value for k, value in asdict(self).items()}


def origin_folder(origin: str) -> str:
    """Return the folder of a store that holds what its witness says of the log `origin`."""
    return f"{PREFIX}witness/{Digest.of(origin.encode())}/"


def absence_folder(origin: str) -> str:
    """Return the folder of a store that holds what its witness did not find of the log's center."""
    return f"{origin_folder(origin)}absent/"


def memory_file(home: Path, origin: str) -> Path:
    """Return the file in which a witness with that folder remembers the log `origin`."""
    return home / f"{Digest.of(origin.encode())}.note"


@dataclass(kw_only=True)
class Witness:
    """Cosigns logs with an Ed25519 key; remembers below `home`, and writes into its own `store`."""

    home: Path
    store: Store
    private: EnvelopeSigner
    name: str
    """What it signs with, such as a URL."""
    clock: Callable[[], datetime]
    """Gives the time in UTC."""

    def __post_init__(self) -> None:
        self._signer = NoteSigner(self.name, self.private, clock=self.clock)

    @property
    def key(self) -> NoteKey:
        """The key under which others verify its cosignatures."""
        return self._signer.key

    def cosign(self, source: LogSource, log: LogIdentity) -> WitnessResult:
        """Read a log's checkpoint and cosign it, or refuse; raises `StoreError` for the own store.

        A log that cannot be reached is silent, which is no refusal. Raises `InfrastructureError`
        where nothing can be remembered.
        """
        origin = log.origin
        with durable.held(self._path(origin).with_suffix(".lock")):
            before = self._remembered(origin)
            try:
                data = source.get(CHECKPOINT, MAX_NOTE)
                new = _checked(source, log, data, before)
            except StoreError as error:
                silent = WitnessOutcome.SILENT
                return WitnessResult(origin=origin, outcome=silent, reason=str(error))
            except _RefusedError as refused:
                return self._refuse(origin, data, before, refused)
            # Stored durably before its cosignature can be read.
            durable.replace(self._path(origin), new.note.to_bytes())
            return self._write_cosignature(origin, new)

    def report_absent(
        self, origin: str, absent: Mapping[str, Collection[int]], now: datetime
    ) -> str:
        """Sign and keep which leaves of a log have no statement in its center's store.

        `absent` has their indexes by release. Returns the name of the record.
        """
        leaves = tuple(
            AbsentLeaves(release=release, indexes=tuple(sorted(indexes)[:MAX_ABSENT]))
            for release, indexes in sorted(absent.items())[:MAX_ABSENT]
        )
        report = Absence(witness=self.key.name, origin=origin, absent=leaves, looked_on=now)
        statement = absence_statement(report).to_bytes()
        key = f"{absence_folder(origin)}{now:%Y%m%dT%H%M%SZ}-{Digest.of(statement)}.dsse.json"
        if not self.store.has(key):
            self.store.put_record(key, sign_envelope(statement, self.private).to_bytes())
        return key

    def _write_cosignature(self, origin: str, new: SignedCheckpoint) -> WitnessResult:
        size = new.checkpoint.size
        key = f"{origin_folder(origin)}{size:020d}-{int(self.clock().timestamp())}"
        if not self.store.has(key):  # one within the same second is enough
            self.store.put_record(key, new.note.signed_by(self._signer).to_bytes())
        return WitnessResult(origin=origin, outcome=WitnessOutcome.COSIGNED, size=size, record=key)

    def _refuse(
        self, origin: str, data: bytes, before: SignedCheckpoint | None, refused: _RefusedError
    ) -> WitnessResult:
        """Sign and keep the refusal; the same refusal of the same note is kept once."""
        if before is not None and refused.complaint is Complaint.FORKED:
            self._keep_fork(origin, before, data)
        key = f"{origin_folder(origin)}refused/{refused.complaint}-{Digest.of(data)}.dsse.json"
        if not self.store.has(key):
            refusal = Refusal(
                witness=self.key.name,
                origin=origin,
                complaint=refused.complaint,
                reason=refused.reason[:MAX_REASON],
                before=None if before is None else _shown(before),
                refused_on=self.clock(),
            )
            statement = RefusalStatement.of(refusal, checkpoint=Digest.of(data)).to_bytes()
            self.store.put_record(key, sign_envelope(statement, self.private).to_bytes())
        return WitnessResult(
            origin=origin,
            outcome=WitnessOutcome.REFUSED,
            reason=refused.reason,
            complaint=refused.complaint,
            record=key,
        )

    def _keep_fork(self, origin: str, before: SignedCheckpoint, data: bytes) -> None:
        """Keep both checkpoints of one size: anybody with the log's key can verify them."""
        proof = ForkProof(first=before.note.to_bytes(), second=data).to_bytes()
        key = f"{origin_folder(origin)}fork/{before.checkpoint.size:020d}-{Digest.of(proof)}.json"
        self.store.put_record(key, proof)

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
                todo="Find out what wrote there; without this file a rollback would not be noticed",
            ) from error

    def _path(self, origin: str) -> Path:
        return memory_file(self.home, origin)


class _RefusedError(Exception):
    """The witness does not cosign a checkpoint."""

    def __init__(self, complaint: Complaint, reason: str) -> None:
        self.complaint, self.reason = complaint, reason
        super().__init__(reason)


def _checked(
    source: LogSource, log: LogIdentity, data: bytes, before: SignedCheckpoint | None
) -> SignedCheckpoint:
    """Return the checkpoint in `data` if its log has signed it and it continues `before`.

    Raises `_RefusedError`, `StoreError`.
    """
    try:
        signed = open_checkpoint(data, log)
    except LogError as error:
        raise _RefusedError(Complaint.UNSIGNED, str(error)) from error
    if before is None:
        return signed
    old, new = before.checkpoint, signed.checkpoint
    sizes = f"{_summary(old)} before, {_summary(new)} now"
    if new.size < old.size:
        raise _RefusedError(Complaint.SHORTENED, sizes)
    if new.size == old.size and new.root != old.root:
        raise _RefusedError(Complaint.FORKED, sizes)
    try:
        old.verify_growth(new, LogReader(source, log, signed).consistency(old.size))
    except ProofError as error:
        raise _RefusedError(Complaint.INCONSISTENT, str(error)) from error
    except LogError as error:
        raise _RefusedError(Complaint.ALTERED, str(error)) from error
    return signed


def _shown(signed: SignedCheckpoint) -> Shown:
    return Shown(
        size=signed.checkpoint.size,
        root=Digest(signed.checkpoint.root.hex()),
        note=signed.note.to_bytes().decode(),
    )


def _summary(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.size} leaves with root {checkpoint.root.hex()[:16]}"
