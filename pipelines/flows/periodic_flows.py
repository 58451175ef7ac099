"""The flows that call one function for a center, each with a stanza in `infra/prefect.yaml`.

`consensus` joins the findings of all centers, `witness` verifies and cosigns the logs of the peers,
`serve_requests` answers signed requests ahead of the night, and `reap` clears away what killed runs
left and starts them again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prefect import Flow, flow, get_run_logger
from prefect.runtime import flow_run

from pipelines.center.reload import CenterReader, load_running
from pipelines.flows.flow_runs import living, restart_dead
from pipelines.flows.redeploy import redeploying
from pipelines.nightly.periodic import join_everything, reap_center, witness_round
from pipelines.portal.refresh import requests_followed
from pipelines.requests.serve import serve_for_a_while
from pipelines.verify.lanes import in_lanes
from pipelines.verify.session import Session


def _flow(name: str, function: Callable[[Session], object]) -> Flow[[str], None]:
    """Return a flow that calls `function` with a session of the center whose file it is given.

    What the function returns is logged.
    """

    @flow(name=name, persist_result=False)
    def run(center: str) -> None:
        with (
            Session(load_running(Path(center))) as session,
            living(session.center, str(flow_run.id or "")),
        ):
            # In a lane: a run whose seal is logged is completed before a signal ends the process.
            (found,) = in_lanes(session, function, [session], lanes=1)
        get_run_logger().info("%s: %s", name, found)

    return run


consensus = _flow("consensus", join_everything)
witness = _flow("witness", witness_round)


def _serve(session: Session) -> object:
    """Serve requests, by the center's file as it is at each look, and deploy what it changes."""
    reader = CenterReader(session.center)
    with redeploying(reader), requests_followed(session):
        return serve_for_a_while(session, reread=reader.current)


serve_requests = _flow("serve-requests", _serve)


@flow(name="reap", persist_result=False)
def reap(center: str) -> None:
    """Clear away what no living run of the center needs; `center` is the path of its file."""
    with Session(load_running(Path(center))) as session:
        found, again = reap_center(session), restart_dead(session)
    gone = found.removed
    get_run_logger().info(
        "completed %d runs, removed %d containers and %d folders; started again: %s",
        len(found.completed), len(gone.containers), len(gone.folders), ", ".join(again) or "none",
    )  # fmt: skip
