"""A shell beside a build: when there is one, and what it finds in its container."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, cast

import pytest

from builders.container.spec import ContainerSpec
from builders.core.enums import Outcome
from builders.engine import Engine
from builders.inputs.vault import Vault
from builders.rebuild.rebuild_result import RebuildResult
from builders.rebuild.shell import open_shell
from tests.builders.rebuild.test_plan import LABELS, plan

BUILD = {"method": "script", "image": "i", "steps": [["sh", "-c", "echo it's; exit 7"]]}


class Attached:
    """An engine that keeps what it is given, and the files that a shell would find."""

    def __init__(self) -> None:
        self.specs: list[ContainerSpec] = []
        self.files: dict[str, str] = {}

    def attach(self, spec: ContainerSpec, *, terminal: bool) -> int:
        control = spec.mounts[0].source
        self.specs.append(spec)
        self.files = {path.name: path.read_text() for path in control.iterdir() if path.is_file()}
        return 3


def opened(folder: Path, outcome: Outcome) -> tuple[RebuildResult | None, int, Attached, list[Any]]:
    engine, greeted, planned = Attached(), list[Any](), plan(BUILD, "source/r.c")

    def build(spec: ContainerSpec, mount: Path) -> RebuildResult:
        assert spec.command == planned.command
        assert (mount / "work").is_dir()
        (folder / "attempt-1" / "build.log").write_text("the reason\n")
        return RebuildResult(outcome=outcome)

    result, code = open_shell(
        planned,
        (),
        image="i",
        vault=cast("Vault", None),
        engine=cast("Engine", engine),
        folder=folder / "attempt-1",
        labels=LABELS,
        terminal=False,
        first=build,
        greet=greeted.append,
    )
    return result, code, engine, greeted


@pytest.mark.root
def test_a_build_that_does_not_fail_gets_no_shell(tmp_path: Path) -> None:
    result, code, engine, greeted = opened(tmp_path, Outcome.BUILT)
    assert result is not None
    assert (result.outcome, code, engine.specs, greeted) == (Outcome.BUILT, 0, [], [])


@pytest.mark.root
def test_a_failed_build_leaves_its_log_and_the_command_that_repeats_it(tmp_path: Path) -> None:
    result, code, engine, greeted = opened(tmp_path, Outcome.BUILD_FAILED)
    assert (code, greeted) == (3, [result])
    assert engine.files["build.log"] == "the reason\n"
    (_, unset, line) = engine.files["build"].splitlines()
    planned = plan(BUILD, "source/r.c")
    assert unset == "unset TERM"
    assert ("exec", *planned.command[len(planned.start) :]) == tuple(shlex.split(line))
    (spec,) = engine.specs
    assert spec.command[: len(planned.start)] == planned.start
    assert "/samebits/shellrc" in spec.command[-1]
