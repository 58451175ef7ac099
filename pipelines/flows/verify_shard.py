"""The flow `verify-shard`: some releases of a night, in two lanes.

A flow run costs some three seconds of CPU whatever it does; a shard shares them among its releases.
While a release builds in one lane, the next is prepared in the other, or the last is judged: so no
core waits for us.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from prefect import Flow, flow, get_run_logger
from prefect.runtime import flow_run

from builders.core.errors import CancelledError, EngineError
from pipelines.center.reload import load_running
from pipelines.flows.cancelled_runs import cancelled_state, night_check
from pipelines.flows.flow_runs import living
from pipelines.flows.verify_release import as_task
from pipelines.nightly.night_plan import DueRelease
from pipelines.nightly.release_task import run_release
from pipelines.verify.cancellation import cancelled_when
from pipelines.verify.lanes import in_lanes
from pipelines.verify.session import Session
from pipelines.verify.verify import verify
from pipelines.verify.waves import waves

_NAME = "verify-shard"
LANES = 2


@flow(name=_NAME, persist_result=False)  # named by its night: a name here would replace that
def verify_shard(center: str | None, night: str, releases: list[dict[str, Any]]) -> None:
    """Do what is due for each of `releases`; their results are records in the center's store.

    What goes wrong with one release costs no other its turn; the flow run then fails at its end.
    A shard of a cancelled night verifies nothing.
    """
    with Session(load_running(Path(center) if center else None)) as session:
        done: Any = cancelled_state(lambda: _verify_all(session, night, releases))
        return done  # type: ignore[no-any-return]


def shard_in(session: Session) -> Flow[..., None]:
    """Return the flow `verify-shard` for runs in this process, which share `session`."""

    @flow(name=_NAME, flow_run_name="shard of night {night}", persist_result=False)
    def verify_shard(night: str, releases: list[dict[str, Any]]) -> None:
        _verify_all(session, night, releases)

    return verify_shard


def _verify_all(session: Session, night: str, releases: list[dict[str, Any]]) -> None:
    was_cancelled = night_check(session, night)
    if was_cancelled():
        raise CancelledError("the night was cancelled", got=night)
    with (
        living(session.center, str(flow_run.id or "")),
        cancelled_when(was_cancelled, session.cancelled),
    ):
        dues = [DueRelease.model_validate(one) for one in releases]
        with suppress(EngineError):  # every release then says so itself
            session.prepare()
        done: list[bool] = []
        for wave in waves([(due.release, due.bases) for due in dues]):
            ready = [dues[number] for number in wave]
            done += in_lanes(session, partial(_done, session, night), ready, lanes=LANES)
    if not all(done):
        message = f"{done.count(False)} of {len(releases)} releases have no result"
        raise RuntimeError(message)


def _done(session: Session, night: str, due: DueRelease) -> bool:
    log = get_run_logger()
    try:
        entry = run_release(
            session,
            night,
            due,
            flow_run=str(flow_run.id or ""),
            verifier=partial(verify, wrap=as_task, fresh=True),
        )
    except CancelledError:
        raise
    except Exception:  # it is logged, and the release is not checked
        log.exception("%s has no result", due.release)
        return False
    log.info("%s: %s (%s, %s)", due.release, entry.verdict, entry.mode, entry.why)
    return True
