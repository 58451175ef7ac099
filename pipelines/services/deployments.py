"""Applying `infra/prefect.yaml` to a center's Prefect, in a process that may import Prefect."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from builders.core.errors import InfrastructureError
from pipelines.center.center import Center
from pipelines.services.environment import client_environment
from pipelines.services.prefect_api import PrefectApi

_FILE = Path(__file__).resolve().parents[2] / "infra" / "prefect.yaml"
_SECONDS = 120


def prefect_file() -> Path:
    """Return SAMEBITS_PREFECT_FILE, by default `infra/prefect.yaml` of this checkout."""
    return Path(os.environ.get("SAMEBITS_PREFECT_FILE") or _FILE).absolute()


def apply_deployments(center: Center) -> tuple[str, ...]:
    """Make the work pool and every deployment, or bring them up to date; returns their names.

    Raises `InfrastructureError`.
    """
    command = [sys.executable, "-m", "pipelines.flows.deploy"]
    try:
        done = subprocess.run(
            [*command, str(prefect_file()), str(center.concurrency)],
            env=client_environment(center),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(
            "the deployments were not made in time",
            got=f"{_SECONDS} s",
            todo="Look at Prefect's log",
        ) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise InfrastructureError(
            "the deployments cannot be made",
            got=lines[-1][:300] if lines else f"exit code {done.returncode}",
            todo=f"Look at {prefect_file()} and at Prefect's log",
        )
    return tuple(done.stdout.split())


def run_now(api: PrefectApi, flow: str) -> str:
    """Have a center's flow run once, beside its schedule; returns the id of the flow run.

    Raises `InfrastructureError`.
    """
    deployment = api.get(f"/deployments/name/{flow}/center")["id"]
    return str(api.post(f"/deployments/{deployment}/create_flow_run")["id"])
