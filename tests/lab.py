"""A place to run hostile builds in: a small recipe, the real engine, and what is left."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from builders.container.scratch import IMAGE
from builders.container.spec import RunLabels
from builders.core.digest import Digest
from builders.core.runid import RunId, new_run_id
from builders.images.provide import ProvidedImage
from builders.inputs.collect import collect_inputs
from builders.rebuild.plan import Plan, make_plan
from builders.rebuild.rebuild import rebuild
from builders.rebuild.rebuild_result import RebuildResult
from builders.rebuild.workspace import workspace
from builders.recipe.claim import recipe_script
from builders.recipe.recipe import LoadedRecipe, load_recipe
from pipelines.cli.differences import explanation_of
from pipelines.evidence.report import Report
from pipelines.evidence.run_explanation import RunExplanation
from pipelines.verify.current_run import Wrap
from pipelines.verify.session import Session
from pipelines.verify.verify import job_for, verify
from tests.command import wait_until

SOURCE = b"int main(void) { return 0; }\n"
SMALL = {"cpus": 1, "memory": "256MiB", "scratch": "64MiB", "time": "60s"}


def write_recipe(
    folder: Path,
    steps: Sequence[Sequence[str]],
    *,
    shipped: bytes = b"shipped",
    name: str = "out.bin",
    limits: dict[str, Any] | None = None,
    **fields: Any,
) -> Path:
    """Write a recipe of the script method, its source and its shipped file into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.c").write_bytes(SOURCE)
    (folder / name).write_bytes(shipped)
    build = {"method": "script", "image": "debian-trixie-build", "steps": list(map(list, steps))}
    recipe = {
        "schema": "samebits/recipe/v1",
        "vendor": "lab",
        "product": folder.name.lower(),
        "version": "1",
        "kind": "binary",
        "platform": "linux/amd64",
        "build": {**build, **fields.pop("build", {})},
        "inputs": [
            {"role": "source", "locator": "file:source.c", "sha256": str(Digest.of(SOURCE))}
        ],
        "artefacts": [
            {
                "name": name,
                "shipped": {"locator": f"file:{name}", "sha256": str(Digest.of(shipped))},
            }
        ],
        "limits": {**SMALL, **(limits or {})},
        **fields,
    }
    path = folder / "1.yaml"
    path.write_text(json.dumps(recipe, indent=1))  # every JSON document is a YAML document
    return path


class Lab:
    """Runs recipes and keeps what they left, to be looked at."""

    def __init__(self, session: Session, image: ProvidedImage, folder: Path) -> None:
        self.session, self.image, self.folder = session, image, folder
        self.cancelled = threading.Event()
        self.run_id: RunId = new_run_id()
        self.runs = folder / "runs"
        self.kept = folder / "kept"

    def labels(self) -> RunLabels:
        return RunLabels(run=self.run_id, center="lab")

    def plan(self, loaded: LoadedRecipe, *, log: int | None = None) -> Plan:
        inputs = collect_inputs(
            loaded,
            self.session.vault,
            self.session.fetcher,
            self.session.workdir,
            self.session.jail,
        )
        cores = self.session.engine.info().cpus
        plan = make_plan(loaded, inputs, script=recipe_script(loaded), cores=cores)
        return plan if log is None else replace(plan, limits=replace(plan.limits, log=log))

    def run(
        self, steps: Sequence[Sequence[str]], *, log: int | None = None, **fields: Any
    ) -> RebuildResult:
        """Rebuild a recipe with these steps; log and outputs are copied to `kept`."""
        loaded = load_recipe(write_recipe(self.folder / "recipe", steps, **fields))
        inputs = collect_inputs(
            loaded,
            self.session.vault,
            self.session.fetcher,
            self.session.workdir,
            self.session.jail,
        )
        with workspace(self.runs, self.run_id) as folder:
            result = rebuild(
                loaded,
                self.plan(loaded, log=log),
                inputs,
                image=self.image.reference,
                vault=self.session.vault,
                engine=self.session.engine,
                jail=self.session.jail,
                folder=folder / "attempt-1",
                labels=self.labels(),
                cancelled=self.cancelled,
            )
            self.kept.mkdir(exist_ok=True)
            for path in [folder / "attempt-1" / "build.log"]:
                (self.kept / path.name).write_bytes(path.read_bytes())
            for path in (folder / "attempt-1" / "outputs").iterdir():
                (self.kept / path.name).write_bytes(path.read_bytes())
        return result

    def shell(self, script: str, **fields: Any) -> RebuildResult:
        """Rebuild a recipe whose one step is a shell script."""
        return self.run([["sh", "-c", script]], **fields)

    def log(self) -> str:
        return (self.kept / "build.log").read_text(errors="replace")

    def output(self, name: str = "out.bin") -> str:
        return (self.kept / name).read_text()

    def assert_nothing_left(self) -> None:
        """No container, no mount, no folder, no loop device of this lab."""
        assert self.session.engine.containers(run=self.run_id) == []
        assert str(self.folder) not in Path("/proc/self/mountinfo").read_text()
        assert not self.runs.exists() or list(self.runs.iterdir()) == []
        assert_no_loop_device_left()


def assert_no_loop_device_left() -> None:
    """No device of a deleted scratch space stays when nothing mounts it.

    Tests beside this one break `losetup`, and detach their devices a moment later.
    """
    wait_until(lambda: f"/{IMAGE} (deleted)\n" not in _files_of_unmounted_devices())


def _files_of_unmounted_devices() -> Iterator[str]:
    for device in Path("/sys/block").glob("loop*/loop"):
        with suppress(FileNotFoundError):
            if (device / "autoclear").read_text().strip() == "0":
                yield (device / "backing_file").read_text()


def verified(session: Session, recipe: Path, **steps: Callable[..., Any]) -> Report:
    """Verify a recipe; `steps` replaces steps by name, with `_` for `-`."""
    with job_for(session, recipe) as job:
        return verify(session, job, replacing(**steps))


def explained(session: Session, report: Report) -> RunExplanation:
    """Return what explains a run, as the store has it; there must be something."""
    found = explanation_of(session.store, report)
    assert found is not None
    return found


def replacing(**steps: Callable[..., Any]) -> Wrap:
    """Return what puts other functions in the place of steps, by name, with `_` for `-`."""
    return lambda name, step: steps.get(name.replace("-", "_"), step)
