"""A real standing center on this machine: its Prefect server and its workers, for tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from builders.engine import Engine
from pipelines.center.center import Center, load_center
from pipelines.services import supervisor
from pipelines.services.prefect_api import FINAL, PrefectApi, ask_for_night, night_of
from pipelines.services.service import marked
from tests.command import PATIENCE, RELEASES, Ended, samebits, wait_until
from tests.lab import write_recipe


class Stand:
    """One center that is up, and what a test does to it."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        # One id on one engine is one center: processes that test side by side need several.
        name = f"stand{os.environ.get('PYTEST_XDIST_WORKER', '')}"
        self.folder = folder
        self.file = folder / "center.yaml"
        self.recipes = folder / "recipes"
        (self.recipes / "releases/lab").mkdir(parents=True)
        shutil.copytree(RELEASES.parent / "images", self.recipes / "images")
        self.described: dict[str, Any] = {
            "schema": "samebits/center/v1",
            "id": name,
            "home": "home",
            "recipes": "recipes",
            "portal": "portal",
            "workers": 2,
            "prefect": {"port": free_port()},
            "limits": {"concurrency": 2},
            "night": {
                "cron": "0 1 * * *",
                "timezone": "Europe/Berlin",
                "shard": 2,
                "robustness_share": 1,
            },
            **sections,
        }
        self.only()

    def only(self, **night: Any) -> None:
        """Forget the releases that there were, and write the file with another night."""
        shutil.rmtree(self.recipes / "releases/lab", ignore_errors=True)
        (self.recipes / "releases/lab").mkdir()
        whole = {**self.described["night"], **night}
        self.file.write_text(json.dumps({**self.described, "night": whole}))
        self.center: Center = load_center(self.file)

    def run(self, *words: str | Path, seconds: int = PATIENCE) -> Ended:
        """Run a samebits command for this center."""
        home = self.folder / "none"
        return samebits(*words, "--center", self.file, home=home, seconds=seconds, fresh=True)

    def up(self) -> Ended:
        ended = self.run("center", "up", "--json")
        assert ended.code == 0, ended.err
        return ended

    def release(self, name: str, script: str = "echo one > /out/out.bin") -> Path:
        """Add a release; as shipped it is `one`."""
        folder = self.recipes / "releases/lab" / name
        return write_recipe(
            folder, [["sh", "-c", script]], shipped=b"one\n", limits={"time": "5min"}
        )

    @property
    def api(self) -> PrefectApi:
        return PrefectApi(self.center)

    def ask(self, flow: str, **parameters: Any) -> str:
        """Make a flow run of a deployment; returns its id."""
        deployment = self.api.get(f"/deployments/name/{flow}/center")["id"]
        body = {"parameters": {"center": str(self.file), **parameters}}
        return str(self.api.post(f"/deployments/{deployment}/create_flow_run", **body)["id"])

    def ask_night(self) -> str:
        return ask_for_night(self.center)[1]

    def state(self, flow_run: str) -> str:
        return str(self.api.get(f"/flow_runs/{flow_run}")["state_type"])

    def settled(self) -> bool:
        """Say whether no worker has taken a flow run that has not begun, and no `reap` runs.

        What is killed then is known to have died. A flow run that was about to begin counts as dead
        only after ten minutes, and a `reap` that is killed keeps others from running for minutes.
        """
        taken = {"state": {"type": {"any_": ["PENDING"]}}}
        running = {"state": {"type": {"any_": ["RUNNING"]}}}
        reap = {"name": {"any_": ["reap"]}}
        return not (
            self.api.post("/flow_runs/filter", flow_runs=taken)
            or self.api.post("/flow_runs/filter", flow_runs=running, flows=reap)
        )

    def builds_night(self, asked: str, engine: Engine) -> bool:
        """Say whether a night of three shards builds: it and those that run hold their locks.

        These are two, or all three where both workers looked for something to do at once.
        """
        night = self.api.get(f"/flow_runs/{asked}")
        shards = self._shards(night_of(night))
        running = [run["id"] for run in (night, *shards) if run["state_type"] == "RUNNING"]
        locks = self.center.home / "flow-runs"
        return (
            len(shards) == 3
            and len(running) >= 3
            and all((locks / run).exists() for run in running)
            and self.builds(engine)
        )

    def reap(self) -> None:
        """Run `reap` to its end; Prefect cancels one that is asked for while another runs."""
        wait_until(lambda: self.wait(self.ask("reap"))["state_type"] == "COMPLETED")

    def wait(self, flow_run: str, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait for the end of a flow run; returns it."""
        until = time.monotonic() + seconds
        while True:
            run: dict[str, Any] = self.api.get(f"/flow_runs/{flow_run}")
            if run["state_type"] in FINAL:
                return run
            assert time.monotonic() < until, f"it stays {run['state_type']}\n{self.logs()}"
            time.sleep(0.3)

    def complete(self, flow_run: str) -> dict[str, Any]:
        """Wait for a flow run that completes; returns it."""
        run = self.wait(flow_run)
        assert run["state_type"] == "COMPLETED", (run["state"], self.logs())
        return run

    def night(self, flow_run: str) -> str:
        return night_of(self.complete(flow_run))

    def shards(self, night: str) -> list[str]:
        """Return the states of the shards of a night."""
        return [run["state_type"] for run in self._shards(night)]

    def _shards(self, night: str) -> list[dict[str, Any]]:
        named = {"name": {"like_": f"night {night}"}}
        found: list[dict[str, Any]] = self.api.post("/flow_runs/filter", flow_runs=named)
        return found

    def wait_for_cancelled_shards(self, night: str) -> None:
        """Wait until all three shards of a night are cancelled."""
        until = time.monotonic() + PATIENCE
        while (states := self.shards(night)) != ["CANCELLED"] * 3:
            assert time.monotonic() < until, f"they stay {states}\n{self.logs()}"
            time.sleep(0.3)

    def containers(self, engine: Engine) -> list[str]:
        return [c.id for c in engine.containers(center=self.center.id)]

    def living(self, engine: Engine) -> set[str]:
        """Return the runs of this center whose container is there."""
        return {c.run for c in engine.containers(center=self.center.id)}

    def builds(self, engine: Engine, *, seconds: float = 0.5) -> bool:
        """Say whether a container of this center has been there for some seconds."""
        folders = [self.center.runs / c.run for c in engine.containers(center=self.center.id)]
        now = time.time()
        return any(f.is_dir() and now - f.stat().st_ctime > seconds for f in folders)

    def runs(self, release: str) -> list[str]:
        """Return the ids of the runs whose evidence is in the store."""
        folder = self.center.home / "store/public/releases/lab" / release / "1" / self.center.id
        return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []

    def results(self, night: str) -> list[dict[str, Any]]:
        folder = self.center.home / f"store/private/nights/{self.center.id}/{night}.results"
        return [json.loads(p.read_text()) for p in sorted(folder.iterdir())]

    def kill_workers(self) -> None:
        """SIGKILL to every worker and whatever it started, as when a machine loses its power."""
        for worker in supervisor.workers(self.center):
            known = worker.known()
            assert known is not None
            for pid in marked(known.mark):
                os.kill(pid, signal.SIGKILL)
            while marked(known.mark):
                time.sleep(0.02)

    def logs(self) -> str:
        folder = supervisor.service_folder(self.center)
        return "\n".join(
            f"--- {p.name}\n{p.read_text(errors='replace')[-2000:]}" for p in folder.glob("*.log")
        )

    def assert_nothing_left(self, engine: Engine) -> None:
        assert self.containers(engine) == []
        assert str(self.center.home) not in Path("/proc/self/mountinfo").read_text()
        runs = self.center.runs
        assert not runs.exists() or list(runs.iterdir()) == []


@contextmanager
def standing(folder: Path, **sections: Any) -> Iterator[Stand]:
    """A center that is up while the block lasts."""
    stand = Stand(folder, **sections)
    assert stand.run("center", "init").code == 0
    try:
        stand.up()
        yield stand
    finally:
        stand.run("center", "down")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
