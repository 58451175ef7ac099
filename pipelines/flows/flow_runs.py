"""Which flow runs live on this machine, and what happens to those that died without a word.

Each run holds a lock on a file of its id. A killed process holds none and leaves its file: a file
that is not locked belongs to a run that ended without reporting it. When its work is done, the run
leaves the name of its process there: Prefect is told a moment later, and the process may be killed
in between. Prefect takes a killed run for running; it is scheduled anew under its own id, at most
`TRIES` times. What it had done already has its record, so that nothing is done or counted twice.
What was cancelled is not started again.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, WorkPoolFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed, Scheduled

from pipelines.center.center import Center
from pipelines.flows.cancelled_runs import end_waiting, is_run_cancelled
from pipelines.verify.session import Session

_ID = re.compile(r"[0-9a-f-]{36}")
TRIES = 3
_STUCK = timedelta(minutes=10)
_UNENDED = {StateType.RUNNING, StateType.PENDING, StateType.CRASHED}


@contextmanager
def living(center: Center, flow_run: str) -> Iterator[None]:
    """Hold the lock of a flow run; when it has ended by itself, its file names the process.

    A run that is stopped from outside leaves its file as it is, as a killed one does.
    """
    if not _ID.fullmatch(flow_run):  # called without a scheduler
        yield
        return
    path = _folder(center) / flow_run
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        except Exception:
            _leave(path)
            raise
        _leave(path)


@contextmanager
def died(center: Center) -> Iterator[list[str]]:
    """Hold, and name, the flow runs of this machine that ended without saying so.

    No other process gets them while the block lasts; `forget` those that are handled.
    """
    names, folder = [], _folder(center)
    with ExitStack() as files:
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            with suppress(FileNotFoundError, BlockingIOError):  # it has just ended, or lives
                file = files.enter_context(path.open("r+b"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.exists() and not _is_running(path):
                    names.append(path.name)
        yield names


def forget(center: Center, flow_run: str) -> None:
    """Remove the file of a flow run that is dealt with."""
    (_folder(center) / flow_run).unlink(missing_ok=True)


def restart_dead(session: Session) -> list[str]:
    """Deal with every flow run of this machine that died; returns the ids of those started again.

    Runs that have been about to start for ten minutes are started again too: their worker is gone.
    Those that were cancelled, or whose night was, are ended, as are those that have been about to
    be cancelled for so long: no process of theirs is left to do so.
    """
    center, again = session.center, list[str]()
    with get_client(sync_client=True) as client, died(center) as dead:
        for name in dead:
            try:
                run = client.read_flow_run(UUID(name))
            except ObjectNotFound:
                forget(center, name)
                continue
            again += [name] if _deal(session, client, run) else []
            forget(center, name)
        for run in _stuck(client, center):
            if is_run_cancelled(session, client, run):
                client.set_flow_run_state(run.id, Cancelled(), force=True)
                continue
            client.set_flow_run_state(run.id, Scheduled(message="its worker is gone"), force=True)
            again.append(str(run.id))
    return again


def start_again(client: SyncPrefectClient, run: FlowRun) -> bool:
    """Schedule a run anew that was killed, unless it has had its tries; says whether it was."""
    if run.deployment_id is None or run.run_count >= TRIES:
        return False
    client.set_flow_run_state(run.id, Scheduled(message="it was killed"), force=True)
    return True


def _deal(session: Session, client: SyncPrefectClient, run: FlowRun) -> bool:
    if run.state_type not in {*_UNENDED, StateType.CANCELLING}:
        return False
    if is_run_cancelled(session, client, run):
        client.set_flow_run_state(run.id, Cancelled(), force=True)
        end_waiting(run.id)  # of a night: the shards that have not begun
        return False
    if start_again(client, run):
        return True
    if run.state_type is not StateType.CRASHED:
        client.set_flow_run_state(run.id, Crashed(message="its process was killed"), force=True)
    return False


def _stuck(client: SyncPrefectClient, center: Center) -> list[FlowRun]:
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter.model_validate(
            {"state": {"type": {"any_": [StateType.PENDING, StateType.CANCELLING]}}}
        ),
        work_pool_filter=WorkPoolFilter.model_validate({"name": {"any_": [center.pool]}}),
    )
    late = datetime.now(UTC) - _STUCK
    return [run for run in found if run.state is not None and run.state.timestamp < late]


def _leave(path: Path) -> None:
    """Name this process in the file of a flow run whose work is done."""
    with suppress(OSError, psutil.Error):
        path.write_text(f"{os.getpid()} {psutil.Process().create_time()}")


def _is_running(path: Path) -> bool:
    """Say whether the process that is named in the file of a flow run is there."""
    try:
        pid, began = path.read_text().split()
        return psutil.Process(int(pid)).create_time() == float(began)
    except (OSError, ValueError, psutil.Error):
        return False


def _folder(center: Center) -> Path:
    return center.home / "flow-runs"
