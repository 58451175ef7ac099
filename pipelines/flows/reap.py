"""The flow `reap`: what killed runs left is cleared away, and they are started again."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, get_run_logger

from pipelines.center.center import load_center
from pipelines.flows.dead import restart_dead
from pipelines.nightly.periodic import reap_center
from pipelines.verify.session import Session


@flow(name="reap", persist_result=False)
def reap(center: str) -> None:
    """Clear away what no living run of the center needs; `center` is the path of its file."""
    with Session(load_center(Path(center))) as session:
        gone, again = reap_center(session), restart_dead(session.center)
    get_run_logger().info(
        "removed %d containers and %d folders; started again: %s",
        len(gone.containers), len(gone.folders), ", ".join(again) or "none",
    )  # fmt: skip
