"""How the explaining tool ended is told apart; no ending can touch a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_type_hints

import pytest

from builders.container.spec import ContainerResult, EndReason
from builders.core.digest import Digest
from builders.rebuild.tool_container import ToolResult
from pipelines.explain import differ
from pipelines.explain.differ import DifferLimits, explain
from pipelines.judge.difference import QuickDiff
from pipelines.judge.finding import Explanation, ExplanationStatus

REPORT, PAGE = b'{"diffoscope-json-version": 1}', b"<html></html>"
LOOK = QuickDiff(shipped_size=1, rebuilt_size=2, first_offset=0, last_offset=1, differing_bytes=2)


END = ContainerResult(
    ended=EndReason.EXITED,
    exit_code=1,
    signal=None,
    oom_killed=False,
    pids_limit_hit=False,
    scratch_full=False,
    peak_memory=None,
    wall_seconds=1,
    log_truncated=False,
)


@dataclass(kw_only=True)
class Runner:
    """A runner that leaves what it is told to, and ends as it is told to."""

    ended: EndReason = EndReason.EXITED
    oom_killed: bool = False
    exit_code: int | None = 1
    signal: int | None = None
    log: bytes = b""
    leaves: Mapping[str, bytes] = field(
        default_factory=lambda: {"diff.json": REPORT, "diff.html": PAGE}
    )
    argv: Sequence[str] = ()
    inputs: Mapping[str, Path] = field(default_factory=dict)
    allowed: tuple[int, int] = (0, 0)

    def __call__(
        self,
        argv: Sequence[str],
        *,
        inputs: Mapping[str, Path],
        outputs: Path,
        limits: DifferLimits,
    ) -> ToolResult:
        self.argv, self.inputs = argv, inputs
        self.allowed = (limits.seconds, limits.memory)
        for name, content in self.leaves.items():
            (outputs / name).write_bytes(content)
        end = replace(END, ended=self.ended, oom_killed=self.oom_killed)
        end = replace(end, exit_code=self.exit_code, signal=self.signal)
        return ToolResult(container=end, outputs=tuple(self.leaves), log=self.log)


def explained(
    runner: Runner | None, folder: Path, limits: DifferLimits | None = None
) -> Explanation:
    return explain(
        Explanation(first_look=LOOK),
        shipped=folder / "s" / "a.deb",
        rebuilt=folder / "r" / "a.deb",
        outputs=folder,
        runner=runner,
        limits=limits or DifferLimits(),
    )


def test_differences_are_kept_with_their_digests(tmp_path: Path) -> None:
    found = explained(Runner(), tmp_path)
    assert found == Explanation(
        status=ExplanationStatus.COMPLETE,
        tool="diffoscope",
        exit_code=1,
        json_diff=Digest.of(REPORT),
        html_diff=Digest.of(PAGE),
        first_look=LOOK,
    )


def test_no_runner_no_explanation(tmp_path: Path) -> None:
    found = explained(None, tmp_path)
    assert found.status is ExplanationStatus.NONE
    assert found.first_look == LOOK
    assert "no tool runner" in (found.note or "")


ENDINGS: dict[str, tuple[Runner, ExplanationStatus, str]] = {
    "no difference seen": (
        Runner(exit_code=0, leaves={}),
        ExplanationStatus.COMPLETE,
        "sees no difference",
    ),
    "trouble": (Runner(exit_code=2, log=b"boom"), ExplanationStatus.CRASHED, "exited with 2: boom"),
    "uncaught error": (
        Runner(exit_code=1, leaves={}, log=b"Traceback"),
        ExplanationStatus.CRASHED,
        "exited with 1: Traceback",
    ),
    "empty reports": (
        Runner(leaves={"diff.json": b"", "diff.html": b""}),
        ExplanationStatus.CRASHED,
        "exited with 1",
    ),
    "tool not there": (Runner(exit_code=127), ExplanationStatus.CRASHED, "exited with 127"),
    "no exit code": (Runner(exit_code=None), ExplanationStatus.CRASHED, "exited with None"),
    "signal": (Runner(exit_code=None, signal=11), ExplanationStatus.CRASHED, "by signal 11"),
    "signal through init": (
        Runner(exit_code=139, signal=11),
        ExplanationStatus.CRASHED,
        "by signal 11",
    ),
    "deadline": (
        Runner(ended=EndReason.DEADLINE, exit_code=None, signal=9),
        ExplanationStatus.TIMED_OUT,
        "deadline",
    ),
    "memory": (
        Runner(oom_killed=True, exit_code=137),
        ExplanationStatus.OUT_OF_MEMORY,
        "memory limit",
    ),
    "memory, found by the tool": (
        Runner(exit_code=2, log=b"Out of memory. Diffoscope exiting."),
        ExplanationStatus.OUT_OF_MEMORY,
        "no more memory",
    ),
    "cancelled": (
        Runner(ended=EndReason.CANCELLED, exit_code=None),
        ExplanationStatus.CRASHED,
        "cancelled",
    ),
    "half a report": (
        Runner(leaves={"diff.json": b'{"details": [', "diff.html": PAGE}),
        ExplanationStatus.TRUNCATED,
        "not kept whole",
    ),
    "one report": (Runner(leaves={"diff.html": PAGE}), ExplanationStatus.TRUNCATED, "not kept"),
    "lines left out": (
        Runner(leaves={"diff.json": b'{"d": "+[ 7 lines removed ]"}', "diff.html": PAGE}),
        ExplanationStatus.TRUNCATED,
        "leave out",
    ),
    "page cut": (
        Runner(
            leaves={
                "diff.json": REPORT,
                "diff.html": bytes((1 << 20) - 9) + b"Max HTML report size reached",
            }
        ),
        ExplanationStatus.TRUNCATED,
        "leave out",
    ),
}


@pytest.mark.parametrize(("runner", "status", "note"), list(ENDINGS.values()), ids=list(ENDINGS))
def test_endings_are_told_apart(
    runner: Runner, status: ExplanationStatus, note: str, tmp_path: Path
) -> None:
    found = explained(runner, tmp_path)
    assert (found.status, found.first_look) == (status, LOOK)
    assert note in (found.note or "")


@pytest.mark.parametrize(
    "runner",
    [
        Runner(ended=EndReason.DEADLINE, leaves={"diff.html": PAGE}),
        Runner(oom_killed=True, leaves={"diff.html": PAGE}),
        Runner(ended=EndReason.CANCELLED, leaves={"diff.html": PAGE}),
    ],
    ids=["deadline", "out_of_memory", "cancelled"],
)
def test_what_was_left_by_a_stopped_tool_is_kept(runner: Runner, tmp_path: Path) -> None:
    found = explained(runner, tmp_path)
    assert (found.json_diff, found.html_diff) == (None, Digest.of(PAGE))


def test_a_report_too_large_or_not_a_file_is_not_kept(tmp_path: Path) -> None:
    found = explained(Runner(), tmp_path, DifferLimits(kept=len(PAGE)))
    assert (found.json_diff, found.html_diff) == (None, Digest.of(PAGE))
    (tmp_path / "other").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "other" / "diff.json").symlink_to(tmp_path / "secret")
    result = ToolResult(container=END, outputs=("diff.json",), log=b"")
    assert differ._kept(tmp_path / "other", "diff.json", result, DifferLimits()) is None


def test_both_sides_keep_the_artefacts_own_name(tmp_path: Path) -> None:
    runner = Runner()
    explained(runner, tmp_path, DifferLimits(seconds=100, memory=1 << 30))
    assert runner.inputs == {
        "shipped/a.deb": tmp_path / "s" / "a.deb",
        "rebuilt/a.deb": tmp_path / "r" / "a.deb",
    }
    assert runner.argv[0] == "diffoscope"
    assert runner.argv[-3:] == ("--", "/inputs/shipped/a.deb", "/inputs/rebuilt/a.deb")
    assert {"--json=/out/diff.json", "--html=/out/diff.html", "--no-progress"} <= set(runner.argv)
    assert runner.allowed == (100, 1 << 30)


def test_the_tool_never_holds_a_verdict() -> None:
    assert not {"Verdict", "Finding"} & vars(differ).keys()
    assert get_type_hints(explain)["return"] is Explanation
    assert not {"verdict", "reason"} & Explanation.model_fields.keys()
