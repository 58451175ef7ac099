"""The flow `verify-shard`: some releases of a night, one after the other.

A flow run costs some three seconds of CPU whatever it does; a shard shares them among its releases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from builders.errors import CancelledError
from pipelines.center import Center, load_center
from pipelines.flows.verify_release import TASKS
from pipelines.job import Job
from pipelines.night.due import Due
from pipelines.night.moved import rebuild_moved
from pipelines.night.one import run_one
from pipelines.report import Report
from pipelines.standing.alive import living
from pipelines.verify import verify


@flow(name="verify-shard", flow_run_name="shard of night {night}", persist_result=False)
def verify_shard(center: str | None, night: str, releases: list[dict[str, Any]]) -> None:
    """Do what is due for each of `releases`; their results are records in the center's store.

    What goes wrong with one release costs no other its turn; the flow run then fails at its end.
    """
    owner = load_center(Path(center) if center else None)
    with living(owner, str(flow_run.id or "")):
        broken = [one for one in releases if not _done(owner, night, Due.model_validate(one))]
    if broken:
        message = f"{len(broken)} of {len(releases)} releases have no result"
        raise RuntimeError(message)


def _done(owner: Center, night: str, due: Due) -> bool:
    log = get_run_logger()
    try:
        entry = run_one(
            owner,
            night,
            due,
            flow_run=str(flow_run.id or ""),
            verifier=_verify,
            moved=rebuild_moved,
        )
    except CancelledError:
        raise
    except Exception:  # it is told, and the release is not checked
        log.exception("%s has no result", due.release)
        return False
    log.info("%s: %s (%s, %s)", due.release, entry.verdict, entry.mode, entry.why)
    return True


def _verify(job: Job) -> Report:
    return verify(job, TASKS, fresh=True)
