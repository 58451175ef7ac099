"""The flow `verify-release`: the steps of `pipelines.verify.verify` as tasks of Prefect.

No result is ever cached or persisted: a cached second build would be a false "reproducible". Only
failures of the center's own machinery are retried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from prefect import Flow, flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run

from builders.core.escaping import markdown
from pipelines.center.reload import load_running
from pipelines.evidence.report import Report
from pipelines.flows.cancelled_runs import cancelled_state
from pipelines.flows.flow_runs import living
from pipelines.verify.lanes import in_lanes
from pipelines.verify.retries import delays_of, is_retried
from pipelines.verify.session import Session
from pipelines.verify.verify import verify_recipe

_NAME, _RUN_NAME = "verify-release", "verify {recipe}"


def is_infrastructure(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Say whether a failed task is worth another try: only what the center itself broke."""
    return is_retried(state.result(raise_on_failure=False))


def as_task(name: str, step: Callable[..., Any], *, retried: bool = True) -> Any:
    """Make a task of a step of a verification, never cached, never persisted."""
    made = task(name=name, cache_policy=NO_CACHE, persist_result=False)(step)
    delays: list[float] = [*delays_of(name)] if retried else []
    if not delays:
        return made
    return made.with_options(
        retries=len(delays), retry_delay_seconds=delays, retry_condition_fn=is_infrastructure
    )


@flow(name=_NAME, flow_run_name=_RUN_NAME, persist_result=False)
def verify_release(recipe: str, center: str | None = None, *, fresh: bool = False) -> Report:
    """Verify one release and store the evidence; `recipe` and `center` are paths of files.

    The flow run completes whatever the verdict is; the verdict is in the report and its table.
    """
    with Session(load_running(Path(center) if center else None)) as session:
        found: Any = cancelled_state(lambda: _verify(session, Path(recipe), fresh=fresh))
        return found  # type: ignore[no-any-return]


def flow_in(session: Session) -> Flow[..., Report]:
    """Return the flow `verify-release` for runs in this process, which share `session`."""

    @flow(name=_NAME, flow_run_name=_RUN_NAME, persist_result=False)
    def verify_release(recipe: str, *, fresh: bool = False) -> Report:
        return _verify(session, Path(recipe), fresh=fresh)

    return verify_release


def _verify(session: Session, recipe: Path, *, fresh: bool) -> Report:
    mine = str(flow_run.id or "")
    wrap = partial(as_task, retried=not session.offline)
    verified = partial(verify_recipe, session, wrap=wrap, flow_run=mine, fresh=fresh)
    with living(session.center, mine):
        # In a lane: a run whose seal is logged is completed before a signal ends the process.
        (report,) = in_lanes(session, verified, [recipe], lanes=1)
    _show(report)
    return report


def _show(report: Report) -> None:
    """Write the table of verdicts; that this fails never fails a verification."""
    key = re.sub(r"[^a-z0-9]+", "-", f"verdicts-{report.vendor}-{report.product}".lower())
    rows = [
        {"artefact": f.name, "verdict": str(f.verdict), "reason": f.reason}
        for f in report.artefacts
    ]
    about = f"{report.release}: {report.verdict}, run {report.run}"
    safely("the table of verdicts", lambda: show_table(key.strip("-"), rows, [about]))


def show_table(key: str, rows: Iterable[Mapping[str, str]], lines: Iterable[str]) -> None:
    """Keep a table below some lines in Prefect, whose pages read both as Markdown."""
    cells = [{name: markdown(text) for name, text in row.items()} for row in rows]
    create_table_artifact(cells, key=key, description="\n\n".join(map(markdown, lines)))


def safely(what: str, send: Callable[[], object]) -> None:
    """Send something to Prefect; a failure is logged, and fails nothing."""
    try:
        send()
    except Exception as error:  # noqa: BLE001
        get_run_logger().warning("%s was not sent: %s", what, error)
