"""A center's Prefect, asked without importing Prefect: its API, deployments and nights.

Importing Prefect takes a second. What only its own client can do, `apply_deployments` does in a
process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from builders.core.errors import InfrastructureError, UsageError
from pipelines.center.center import Center
from pipelines.center.reload import check_takeover, keep_copy, note_deployed
from pipelines.nightly.record import night_id
from pipelines.services.environment import client_environment, read_auth

FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "CRASHED"})
_FILE = Path(__file__).resolve().parents[2] / "infra" / "prefect.yaml"
_SECONDS = 10
_DEPLOY_SECONDS = 120
_PATIENCE = 300.0
"""Seconds of silence after which a server counts as gone."""
_HEED = 300.0
"""Seconds in which a cancelled run completes what it has committed to."""
_END = 60.0
"""Seconds in which Prefect ends a run."""
_RETRY = Retry(
    total=4,
    connect=0,
    read=0,
    backoff_factor=0.4,
    status_forcelist=[HTTPStatus.SERVICE_UNAVAILABLE],  # a busy database
    allowed_methods=None,
    raise_on_status=False,
)


class PrefectApi:
    """The Prefect API of one center."""

    def __init__(self, center: Center) -> None:
        """Use the API that the center's file names; raises `UsageError` for a bad password file."""
        self.url, self.pool = center.prefect.url if center.prefect else "", center.pool
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy of this machine cannot reach its loopback
        self._http.mount("http", HTTPAdapter(max_retries=_RETRY))
        prefect = center.prefect
        own = None if prefect is None or prefect.port is None else prefect.auth
        # The password of a center's own server is made when that first starts.
        if (auth := None if own and not own.exists() else read_auth(center)) is not None:
            user, _, password = auth.partition(":")
            self._http.auth = (user, password)

    def answers(self) -> bool:
        """Say whether the API answers, and accepts the password."""
        try:
            self.get("/admin/version")
        except InfrastructureError:
            return False
        return True

    def get(self, path: str) -> Any:
        """Return the JSON at `path`; raises `InfrastructureError`."""
        return self._call("GET", path, None)

    def post(self, path: str, **body: Any) -> Any:
        """Send a JSON body and return the answer; raises `InfrastructureError`."""
        return self._call("POST", path, body)

    def online_workers(self) -> set[str]:
        """Return the names of the workers that Prefect has heard from lately."""
        try:
            found = self.post(f"/work_pools/{self.pool}/workers/filter")
        except InfrastructureError:
            return set()
        return {str(worker["name"]) for worker in found if worker["status"] == "ONLINE"}

    def is_online(self, worker: str) -> bool:
        """Say whether Prefect has heard from a worker lately."""
        return worker in self.online_workers()

    def run_now(self, flow: str) -> str:
        """Have a flow run once, beside its schedule; returns the id of the flow run.

        Raises `InfrastructureError`.
        """
        deployment = self.get(f"/deployments/name/{flow}/center")["id"]
        return str(self.post(f"/deployments/{deployment}/create_flow_run")["id"])

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        try:
            with self._http.request(
                method, f"{self.url}{path}", json=body, timeout=_SECONDS, allow_redirects=False
            ) as answer:
                answer.raise_for_status()
                return answer.json() if answer.content else None
        except requests.RequestException as error:
            raise InfrastructureError(
                "Prefect's API does not answer as it should",
                got=f"{error}"[:200],
                todo="`samebits center status` says what runs; `samebits center up` starts it",
            ) from error


def apply_deployments(center: Center) -> tuple[str, ...]:
    """Make the work pool and every deployment, or bring them up to date; returns their names.

    They are read from SAMEBITS_PREFECT_FILE, by default `infra/prefect.yaml` of this checkout. From
    here on the center's file is the last usable one of its flow runs. Raises `InfrastructureError`.
    """
    with suppress(UsageError):  # what services that run cannot take over counts from `center up` on
        check_takeover(center)
        keep_copy(center)
    file = Path(os.environ.get("SAMEBITS_PREFECT_FILE") or _FILE).absolute()
    command = [sys.executable, "-m", "pipelines.flows.deploy", str(file), str(center.concurrency)]
    try:
        done = subprocess.run(
            command,
            env=client_environment(center),
            capture_output=True,
            text=True,
            timeout=_DEPLOY_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(
            "the deployments were not made in time",
            got=f"{_DEPLOY_SECONDS} s",
            todo="Look at Prefect's log",
        ) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise InfrastructureError(
            "the deployments cannot be made",
            got=lines[-1][:300] if lines else f"exit code {done.returncode}",
            todo=f"Look at {file} and at Prefect's log",
        )
    note_deployed(center)
    return tuple(done.stdout.split())


def ask_for_night(center: Center) -> tuple[PrefectApi, str]:
    """Schedule a night for now; returns the API to ask further, and the id of the flow run.

    Raises `InfrastructureError` where the center does not answer or has no such deployment.
    """
    api = PrefectApi(center)
    if not api.online_workers():
        raise InfrastructureError(
            f"center {center.id} has no worker that could do it",
            todo="`samebits center up` starts its workers",
        )
    return api, api.run_now("nightly")


def follow(
    api: PrefectApi, flow_run: str, *, pause: float = 1.0, away: Callable[[], None] = lambda: None
) -> Iterator[dict[str, Any]]:
    """Yield a flow run as it is, again and again until it has ended.

    A server that is started again in between is waited for, and `away` is called once each time;
    raises `InfrastructureError` when it stays away.
    """
    last_answer, answers = time.monotonic(), True
    while True:
        try:
            run: dict[str, Any] = api.get(f"/flow_runs/{flow_run}")
        except InfrastructureError:
            if time.monotonic() - last_answer > _PATIENCE:
                raise
            if answers:
                away()
            answers = False
        else:
            last_answer, answers = time.monotonic(), True
            yield run
            if run["state_type"] in FINAL:
                return
        time.sleep(pause)


def cancel_night(
    api: PrefectApi, flow_run: str, *, patience: float = _HEED, pause: float = 0.5
) -> bool:
    """Cancel a night and every shard of it, and wait for their end; says whether it came.

    What has not begun never does. What runs has `patience` seconds to end by itself, as it does
    once the night is cancelled in the store; then Prefect ends it, if its worker is still there.
    Raises `InfrastructureError`.
    """
    told, until = set[str](), time.monotonic() + patience
    while unended := _unended(api, id=flow_run) + _unended(api, parent_flow_run_id=flow_run):
        late = time.monotonic() >= until
        if time.monotonic() >= until + _END:
            return False
        for run in unended:
            if run["id"] not in told and (late or run["state_type"] != "RUNNING"):
                api.post(f"/flow_runs/{run['id']}/set_state", state={"type": "CANCELLING"})
                told.add(run["id"])
        time.sleep(pause)
    return True


def unended_nights(api: PrefectApi) -> dict[str, str]:
    """Return the center's nights that were asked for and have not ended: their flow runs, by night.

    Those of the schedule that are not due yet are left out. Raises `InfrastructureError`.
    """
    due = {"before_": datetime.now(UTC).isoformat()}
    found = api.post(
        "/flow_runs/filter",
        flows={"name": {"any_": ["nightly"]}},
        flow_runs={"state": {"type": {"not_any_": sorted(FINAL)}}, "expected_start_time": due},
        work_pools={"name": {"any_": [api.pool]}},
    )
    return {night_of(run): str(run["id"]) for run in found}


def has_flow_run(api: PrefectApi, flow_run: str) -> bool:
    """Say whether Prefect knows a flow run; raises `InfrastructureError`."""
    return bool(api.post("/flow_runs/count", flow_runs={"id": {"any_": [flow_run]}}))


def _unended(api: PrefectApi, **either: str) -> list[dict[str, Any]]:
    """Return some flow runs that a field selects and that have not ended."""
    wanted: dict[str, Any] = {name: {"any_": [value]} for name, value in either.items()}
    wanted["state"] = {"type": {"not_any_": sorted(FINAL)}}
    return list(api.post("/flow_runs/filter", flow_runs=wanted))


def night_of(run: dict[str, Any]) -> str:
    """Return the id of the night of a flow run."""
    return night_id(datetime.fromisoformat(run["created"]), run["id"])
