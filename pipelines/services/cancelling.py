"""`samebits cancel`: one run or night of a center is ended, on whichever host and process it is."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from builders.core.enums import Outcome, Verdict
from builders.core.errors import (
    EngineError,
    InfrastructureError,
    NotFoundError,
    StoreError,
    UsageError,
)
from builders.core.runid import parse_run_id
from builders.core.similar import did_you_mean, with_suggestion
from builders.rebuild.workspace import is_alive, living_runs
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.stored_runs import MAX_REPORT
from pipelines.nightly.record import night_key
from pipelines.services.prefect_api import PrefectApi, cancel_night, has_flow_run, unended_nights
from pipelines.storage.names import REPORT, release_run
from pipelines.storage.opening import open_store
from pipelines.verify.cancellation import (
    BegunRecord,
    cancel,
    has_ended,
    is_cancelled,
    read_begun,
)
from pipelines.verify.session import Session

_POLL = 0.5

Say = Callable[[str], None]
T = TypeVar("T")


class CancelState(StrEnum):
    """What has become of what was to be cancelled."""

    CANCELLED = "cancelled"
    COMPLETED = "completed"
    """Its seal was in the log, or all results of a night were there: it was completed."""
    FINISHED = "finished"
    """It had ended before."""
    GONE = "gone"
    """It had ended before without a result: it was killed, or cancelled with its night."""
    MARKED = "marked"
    """The center does not run; when it is started again, this is not."""
    NO_ANSWER = "no-answer"
    """It was told, and has not ended in time."""


@dataclass(frozen=True, kw_only=True)
class CancelResult:
    """What became of one run or night."""

    id: str
    kind: str
    """`run` or `night`."""
    state: CancelState
    release: str | None = None
    verdict: Verdict | None = None
    """Of a run that has one."""

    @property
    def line(self) -> str:
        """Return it for people."""
        what = f"{self.kind} {self.id}" + (f" of {self.release}" if self.release else "")
        end = f": {self.verdict}" if self.verdict else ""
        match self.state:
            case CancelState.CANCELLED:
                return f"{what} is cancelled"
            case CancelState.COMPLETED:
                why = "its seal was in the log" if self.kind == "run" else "it had all its results"
                return f"{what} was completed, since {why} already{end}"
            case CancelState.FINISHED:
                return f"{what} had ended before{end}"
            case CancelState.GONE:
                todo = "`samebits reap` removes the folder that a killed one left"
                return f"{what} runs no more, and has no result; {todo}"
            case CancelState.MARKED:
                return f"{what} is cancelled: the center does not run, and will not go on with it"
            case CancelState.NO_ANSWER:
                return f"{what} was told to end and has not yet; nothing further of it begins"


def cancel_by_id(
    session: Session, name: str, *, seconds: float, say: Say = lambda _: None
) -> CancelResult:
    """Cancel the run or night `name`, and wait at most `seconds` for its end.

    Raises `UsageError` for an id that nothing has, `StoreError`, and `InfrastructureError` when
    Prefect does not answer as it should.
    """
    try:
        parse_run_id(name)
    except ValueError as error:
        raise _unknown(session, name) from error
    begun = read_begun(session.store, session.center.id, name)
    if begun is not None and begun.release is not None:
        return _cancel_run(session, name, begun, begun.release, seconds=seconds, say=say)
    return _cancel_night(session, name, begun, seconds=seconds, say=say)


def _cancel_run(
    session: Session, name: str, begun: BegunRecord, release: str, *, seconds: float, say: Say
) -> CancelResult:
    center = session.center

    def result(state: CancelState, verdict: Verdict | None = None) -> CancelResult:
        return CancelResult(id=name, kind="run", state=state, release=release, verdict=verdict)

    if (report := _report(session, name, release)) is not None:
        ended, verdict = report
        if ended is Outcome.CANCELLED:
            return result(CancelState.CANCELLED)
        return result(CancelState.FINISHED, verdict)
    cancel(open_store(center.store), center.id, name)
    say(f"run {name} of {release} is told to end")
    end = _waited(partial(_ended_run, session, name, begun, release), seconds)
    return result(*(end or (CancelState.NO_ANSWER,)))


def _ended_run(
    session: Session, name: str, begun: BegunRecord, release: str
) -> tuple[CancelState, Verdict | None] | None:
    """Return what a cancelled run came to; None while it has not ended."""
    center, here = session.center, begun.host == socket.gethostname()
    if here and is_alive(center.runs, name):
        return None
    if (report := _report(session, name, release)) is not None:
        outcome, verdict = report
        if outcome is Outcome.CANCELLED:
            return CancelState.CANCELLED, None
        return CancelState.COMPLETED, verdict
    if has_ended(session.store, center.id, name):
        return CancelState.CANCELLED, None  # with the night or command that it was part of
    if not here:
        return None
    if (center.runs / name).is_dir():  # it was killed: its containers have no owner
        with suppress(EngineError):
            session.engine.sweep(name)
    return CancelState.GONE, None


def _cancel_night(
    session: Session, name: str, begun: BegunRecord | None, *, seconds: float, say: Say
) -> CancelResult:
    center, store = session.center, session.store
    api = PrefectApi(center) if center.prefect is not None else None
    answering = api if api is not None and api.answers() else None
    asked = unended_nights(answering) if answering else {}
    if begun is None and name not in asked and not is_cancelled(store, center.id, name):
        if api is not None and answering is None:
            raise InfrastructureError(
                f"it is not known whether there is a night {name}",
                got="Prefect does not answer, and no record of it in the store",
                todo="Cancel it again after `samebits center up`, where it may begin",
            )
        raise _unknown(session, name, *asked)

    def result(state: CancelState) -> CancelResult:
        return CancelResult(id=name, kind="night", state=state)

    if store.has(night_key(center.id, name)):
        return result(CancelState.FINISHED)
    flow_run, patience = asked.get(name) or (begun.flow_run if begun else None), seconds
    try:
        cancel(open_store(center.store), center.id, name)
    except StoreError:
        if answering is None or not flow_run:
            raise
        patience = 0.0  # Prefect ends it all, since no shard can read that it is cancelled
    say(f"night {name} is told to end")
    if answering is not None and flow_run and has_flow_run(answering, flow_run):
        if not cancel_night(answering, flow_run, patience=patience):
            return result(CancelState.NO_ANSWER)
        done = store.has(night_key(center.id, name))
        return result(CancelState.COMPLETED if done else CancelState.CANCELLED)
    if api is not None and answering is None:
        return result(CancelState.MARKED)
    return result(_waited(partial(_ended_night, session, name), seconds) or CancelState.NO_ANSWER)


def _ended_night(session: Session, name: str) -> CancelState | None:
    """Return what a cancelled night came to; None while it has not ended."""
    store, center = session.store, session.center.id
    if store.has(night_key(center, name)):
        return CancelState.COMPLETED
    return CancelState.CANCELLED if has_ended(store, center, name) else None


def _waited(look: Callable[[], T | None], seconds: float) -> T | None:
    """Return what `look` finds; None where it finds nothing for so long."""
    until = time.monotonic() + seconds
    while (found := look()) is None and time.monotonic() <= until:
        time.sleep(_POLL)
    return found


def _report(session: Session, run: str, release: str) -> tuple[Outcome, Verdict] | None:
    """Return outcome and verdict of a run's public report; None while there is none."""
    folder = release_run(*ReleaseName.parse(release).parts, session.center.id, run)
    try:
        report: dict[str, Any] = json.loads(session.store.get(f"{folder}{REPORT}", MAX_REPORT))
        return Outcome(report["outcome"]), Verdict(report["verdict"])
    except NotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise InfrastructureError(f"the report of the run {run} is damaged", got=error) from error


def _unknown(session: Session, name: str, *nights: str) -> UsageError:
    """Return the error for an id that no run and no night of the center has."""
    known = [*nights, *(run for run, _ in living_runs(session.center.runs))]
    return UsageError(
        f"center {session.center.id} has begun no run and no night of that id",
        got=ascii(name[:80]),
        expected=f"one that runs: {', '.join(known[:10])}" if known else "one that runs: none does",
        todo=with_suggestion("`verify` and `nightly` print the id", did_you_mean(name, known)),
    )
