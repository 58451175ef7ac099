"""One round, or some minutes, of answering the requests in a center's store."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from datetime import UTC, datetime
from pathlib import Path

from builders.core.digest import Digest
from pipelines.evidence.report import Report
from pipelines.requests.desk import Served
from pipelines.requests.opening import open_desk
from pipelines.requests.serve import serve
from pipelines.verify.session import Session
from pipelines.verify.verify import job_for, verify_fresh


def serve_round(session: Session, *, leave: Container[Digest] = ()) -> list[Served]:
    """Answer every signed request but those in `leave`; returns what became of each."""

    def run(recipe: Path) -> Report:
        with job_for(session, recipe) as job:
            return verify_fresh(session, job)

    return serve(open_desk(session, datetime.now(UTC)), run, lambda: datetime.now(UTC), leave=leave)


def serve_for_a_while(
    session: Session,
    *,
    seconds: float = 285.0,
    every: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Served]:
    """Answer requests, looking for new ones every few seconds, for some minutes.

    A look costs little and a flow run seconds of CPU, so one flow run looks many times. A request
    whose run failed is tried once in that time: each try is a rebuild, with a leaf in the log.
    """
    served, until = serve_round(session), clock() + seconds
    while clock() + every < until:
        sleep(every)
        served += serve_round(session, leave={one.digest for one in served if one.fault})
    return served
