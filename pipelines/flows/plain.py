"""Flows that are no more than a call: one line for each, and a stanza in `infra/prefect.yaml`.

For example, in a module `pipelines/flows/consensus.py`:

    consensus = plain_flow("consensus", "pipelines.consensus.run:join_all")
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from pipelines.center.center import load_center
from pipelines.flows.alive import living


def plain_flow(name: str, function: str) -> Any:
    """Return a flow that calls `module:function` with the center whose file it is given.

    The function takes a `Center`, and what it returns is logged. It is imported when the flow runs.
    """

    @flow(name=name, persist_result=False)
    def run(center: str) -> None:
        module, _, attribute = function.partition(":")
        owner = load_center(Path(center))
        with living(owner, str(flow_run.id or "")):
            found = getattr(importlib.import_module(module), attribute)(owner)
        get_run_logger().info("%s: %s", name, found)

    return run
