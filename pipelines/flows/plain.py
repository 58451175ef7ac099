"""Flows that are no more than a call: one line for each, and a stanza in `infra/prefect.yaml`.

For example, in a module `pipelines/flows/consensus.py`:

    consensus = plain_flow("consensus", join_everything)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prefect import Flow, flow, get_run_logger
from prefect.runtime import flow_run

from pipelines.center.center import load_center
from pipelines.flows.alive import living
from pipelines.verify.session import Session


def plain_flow(name: str, function: Callable[[Session], object]) -> Flow[[str], None]:
    """Return a flow that calls `function` with a session of the center whose file it is given.

    What the function returns is logged.
    """

    @flow(name=name, persist_result=False)
    def run(center: str) -> None:
        with (
            Session(load_center(Path(center))) as session,
            living(session.center, str(flow_run.id or "")),
        ):
            found = function(session)
        get_run_logger().info("%s: %s", name, found)

    return run
