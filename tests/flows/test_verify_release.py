"""The flow on a real Prefect server: what it leaves there, and what is retried."""

from __future__ import annotations

import base64
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from builders.images.provide import ProvidedImage
from pipelines.flows.server import EmbeddedServer
from tests.command import DATA, Ended, samebits
from tests.lab import write_recipe


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, started_prefect: Path) -> Iterator[str]:
    """A server that was there before the command, as a center has one."""
    before = {name: value for name, value in os.environ.items() if name.startswith("PREFECT_")}
    folder = shutil.copytree(started_prefect, tmp_path_factory.mktemp("server") / "prefect")
    try:
        with EmbeddedServer(folder) as server:
            server.wait()
            assert server.url is not None
            yield server.url
    finally:
        for name in [n for n in os.environ if n.startswith("PREFECT_") and n not in before]:
            del os.environ[name]


def authorization() -> dict[str, str]:
    """Return the header with the password of the server that was started here."""
    password = os.environ["PREFECT_API_AUTH_STRING"].encode()
    return {"Authorization": f"Basic {base64.b64encode(password).decode()}"}


def ask(api: str, path: str, **wanted: Any) -> list[dict[str, Any]]:
    """Ask Prefect's REST API for a list."""
    request = urllib.request.Request(  # noqa: S310
        f"{api}/{path}/filter",
        data=json.dumps(wanted).encode(),
        headers={"Content-Type": "application/json", **authorization()},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
        found: list[dict[str, Any]] = json.load(answer)
    return found


@pytest.fixture(scope="module")
def verified(api: str, home: Path, build_image: ProvidedImage) -> Ended:
    recipe = DATA / "planted/copied-input/6.5.yaml"
    names = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING")
    environment = {name: os.environ[name] for name in names}
    assert environment["PREFECT_API_URL"] == api
    return samebits("verify", "--json", recipe, home=home, env=environment, fresh=True)


def test_a_server_of_ours_answers_to_its_password_alone(api: str) -> None:
    request = urllib.request.Request(f"{api}/admin/version")  # noqa: S310
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=300)  # noqa: S310
    request = urllib.request.Request(f"{api}/admin/version", headers=authorization())  # noqa: S310
    with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
        assert answer.status == HTTPStatus.OK


def test_the_server_that_is_named_gets_the_run(api: str, verified: Ended) -> None:
    assert verified.code == 2
    (run,) = ask(api, "flow_runs")
    assert run["state_type"] == "COMPLETED"
    assert run["name"].startswith("verify ")
    assert run["parameters"]["recipe"].endswith("copied-input/6.5.yaml")


def test_every_step_is_a_task_that_ran_and_persisted_nothing(api: str, verified: Ended) -> None:
    (run,) = ask(api, "flow_runs")
    wanted = {
        "fetch-inputs",
        "provide-image",
        "rebuild",
        "seal",
        "commit",
        "fetch-shipped",
        "judge",
        "publish",
    }
    tasks: list[dict[str, Any]] = []
    for _ in range(50):  # task runs are recorded a moment after they ended
        tasks = ask(api, "task_runs", flow_runs={"id": {"any_": [run["id"]]}})
        if len(tasks) >= len(wanted):
            break
    assert wanted == {task["name"].rpartition("-")[0] for task in tasks}
    assert {task["state_type"] for task in tasks} == {"COMPLETED"}
    assert {task["state_name"] for task in tasks} == {"Completed"}, "none was cached"


def test_a_table_of_verdicts_is_left(api: str, verified: Ended) -> None:
    (artifact,) = ask(api, "artifacts")
    assert artifact["type"] == "table"
    assert artifact["key"] == "verdicts-planted-copied-input"
    (row,) = json.loads(artifact["data"])
    assert (row["artefact"], row["verdict"]) == (r"netbase\_6\.5\_all\.deb", r"NOT\_CHECKED")
    assert verified.document()["reports"][0]["run"] in artifact["description"]


def test_the_noise_of_prefect_is_out_of_sight(verified: Ended) -> None:
    told = [line for line in verified.err.splitlines() if line.strip()]
    assert all(" s  " in line for line in told), told


CHANGING = {
    "run", "seal", "timings", "wall_seconds", "peak_memory", "explained_on", "comparison",
}  # fmt: skip
"""Fields of a report with the ids of a run, and with what was measured."""


def lasting(value: Any) -> Any:
    """Return a report without the fields that change from run to run."""
    if isinstance(value, dict):
        return {name: lasting(v) for name, v in value.items() if name not in CHANGING}
    return [lasting(one) for one in value] if isinstance(value, list) else value


@pytest.mark.usefixtures("prefect_at_home")
def test_flows_and_the_plain_steps_give_the_same_reports(
    home: Path, tmp_path: Path, build_image: ProvidedImage
) -> None:
    script = ["sh", "-c", "echo one > /out/out.bin"]
    recipes = [
        write_recipe(tmp_path / "same", [script], shipped=b"one\n"),
        write_recipe(tmp_path / "other", [script], shipped=b"two\n"),
        write_recipe(tmp_path / "broken", [["false"]]),
    ]
    plain = samebits("verify", "--json", *recipes, home=home, fresh=True)
    flows = samebits("verify", "--flow", "--json", *recipes, home=home, fresh=True)
    assert "starting Prefect" in flows.err
    assert "starting Prefect" not in plain.err
    assert (plain.code, flows.code) == (1, 1)
    verdicts = [report["verdict"] for report in plain.document()["reports"]]
    assert verdicts == ["IDENTICAL", "DIFFERENT", "NOT_CHECKED"]
    assert lasting(plain.document()) == lasting(flows.document())
    assert plain.document() != flows.document(), "these are two runs"


@pytest.mark.parametrize(
    ("fault", "retried"),
    [("InfrastructureError", True), ("EngineError", True), ("InputMismatchError", False),
     ("BuildFailedError", False), ("CancelledError", False), ("ValueError", False)],
)  # fmt: skip
def test_only_what_the_center_broke_is_tried_again(fault: str, retried: bool) -> None:
    from prefect.client.schemas.objects import State, StateType

    from builders.core import errors
    from pipelines.flows.verify_release import is_infrastructure

    kind = getattr(errors, fault, ValueError)
    state: State[Any] = State(type=StateType.FAILED, data=kind("broken"))
    assert is_infrastructure(None, None, state) is retried  # type: ignore[arg-type]
