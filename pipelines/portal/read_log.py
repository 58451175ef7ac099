"""The log of a center as the audit has read it, or why it is not believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from builders.core.errors import StoreError
from builders.core.frozen_model import FrozenModel
from pipelines.audit.log_index import LogIndex
from pipelines.audit.source import Source, short
from pipelines.audit.witnessed import Witnessed
from pipelines.evidence.statements.statement import Time
from pipelines.log.checkpoint import SignedCheckpoint
from pipelines.log.errors import ForkedLogError, LogError
from pipelines.log.log_reader import LogReader
from pipelines.portal.published_log import with_cosignatures


class LogState(FrozenModel):
    """A log as the audit has read it."""

    fault: Literal["", "unreachable", "broken", "forked"] = ""
    """Why it is not read, or not believed; empty where it is."""
    detail: str = ""
    size: int = 0
    """Leaves of its newest checkpoint."""
    root: str = ""
    checkpoint: str = ""
    """The signed note."""
    witnessed: int = 0
    """The leaves below this index count."""
    witnesses_required: bool = True
    witnesses: tuple[str, ...] = ()
    """Those who have cosigned that many leaves or more, by the policy's names."""
    witnessed_on: Time | None = None
    """The time of their newest cosignature."""


@dataclass(frozen=True, kw_only=True)
class ReadLog:
    """A log, what reads it, and its checkpoint; both are None where the log is not read."""

    state: LogState
    reader: LogReader | None = None
    checkpoint: SignedCheckpoint | None = None
    """With the cosignatures that its witnesses keep."""


def read_log(logs: LogIndex, sources: Iterable[Source], center: str) -> ReadLog:
    """Return the log of a center; `sources` are the stores of its witnesses."""
    try:
        reader, witnessed = logs.reader(center), logs.witnessed(center)
        if reader is None:
            return ReadLog(state=LogState(fault="unreachable", detail="no store is known"))
        signed = with_cosignatures(reader, [source.store for source in sources])
        return ReadLog(state=_state(signed, witnessed), reader=reader, checkpoint=signed)
    except (LogError, StoreError) as error:
        return ReadLog(state=unread(error))


def _state(signed: SignedCheckpoint, witnessed: Witnessed) -> LogState:
    return LogState(
        size=signed.checkpoint.size,
        root=signed.checkpoint.root.hex(),
        checkpoint=signed.note.to_bytes().decode(),
        witnessed=min(witnessed.size, signed.checkpoint.size),
        witnesses_required=witnessed.required,
        witnesses=witnessed.witnesses,
        witnessed_on=witnessed.on,
    )


def unread(error: Exception) -> LogState:
    """Return that a log cannot be read, or is not believed."""
    fault: Literal["unreachable", "broken", "forked"] = "broken"
    if isinstance(error, StoreError):
        fault = "unreachable"
    elif isinstance(error, ForkedLogError):
        fault = "forked"
    return LogState(fault=fault, detail=short(error))
