"""diffoscope, run in a container to explain a difference that is already judged.

It is given an explanation and returns one; it never holds a verdict, so it cannot change one.
Exit codes are diffoscope's: 0 no difference, 1 differences, 2 trouble. It also exits with 1 from an
error that it does not catch, so 1 without a report is a crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Protocol

from builders.container.spec import EndReason
from builders.core.digest import Digest, digest_file
from builders.methods.method import INPUTS, OUTPUTS
from builders.rebuild.tool_container import ToolLimits, ToolResult
from pipelines.judge.finding import Explanation, ExplanationStatus

TOOL = "diffoscope"
JSON, HTML = "diff.json", "diff.html"
_LOG_SHOWN = 500
_MARKS = (
    b"[ Too much input for diff",
    b" lines removed ]",
    b"Max HTML report size reached",
    b"Max diff block lines reached",
    b"Max report size reached",
)
"""What diffoscope writes where it left something out."""

_STOPPED = {
    EndReason.DEADLINE: (ExplanationStatus.TIMED_OUT, "diffoscope was stopped at its deadline"),
    EndReason.CANCELLED: (ExplanationStatus.CRASHED, "diffoscope was cancelled"),
}


@dataclass(frozen=True, kw_only=True)
class DifferLimits(ToolLimits):
    """What explaining one pair may cost."""

    report: int = 20 << 20
    """Bytes of the HTML report."""
    lines: int = 2000
    """Lines of one difference that are kept; it is what bounds the JSON report."""
    kept: int = 256 << 20
    """Bytes of one report; a larger one is not kept."""


class ToolRunner(Protocol):
    """Runs a tool in a container of its own."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        inputs: Mapping[str, Path],
        outputs: Path,
        limits: DifferLimits,
    ) -> ToolResult:
        """Run `argv` within the time and the memory of `limits`, and return how it ended.

        `inputs` maps names, which may have folders in them, to files that the tool sees read-only
        at `/inputs/<name>`. What it leaves in `/out` is put in the folder `outputs`, also when it
        was stopped. Raises `InfrastructureError` when it cannot be run at all.
        """


def explain(
    explanation: Explanation,
    *,
    shipped: Path,
    rebuilt: Path,
    outputs: Path,
    runner: ToolRunner | None,
    limits: DifferLimits,
) -> Explanation:
    """Return `explanation` with what diffoscope found between two files of one name.

    The reports are left in the folder `outputs` as `diff.json` and `diff.html`, partial ones too;
    their digests are in the explanation. Without a runner the status is `none`. Raises
    `InfrastructureError` when the runner cannot run anything.
    """
    if runner is None:
        note = "no tool runner: diffoscope was not run"
        return explanation.model_copy(update={"status": ExplanationStatus.NONE, "note": note})
    sides = {f"shipped/{rebuilt.name}": shipped, f"rebuilt/{rebuilt.name}": rebuilt}
    result = runner(arguments(sides, limits), inputs=sides, outputs=outputs, limits=limits)
    reports = {report: _kept(outputs, report, result, limits) for report in (JSON, HTML)}
    status, ending = _status(result, outputs, reports)
    return explanation.model_copy(
        update={
            "status": status,
            "note": ending,
            "tool": TOOL,
            "exit_code": result.container.exit_code,
            "signal": result.container.signal,
            "json_diff": reports[JSON],
            "html_diff": reports[HTML],
        }
    )


def arguments(sides: Iterable[str], limits: DifferLimits) -> tuple[str, ...]:
    """Return the command line for two inputs of these names."""
    return (
        TOOL,
        "--no-progress",
        "--exclude-directory-metadata=yes",
        # stops opening further archives in time to write the report
        f"--timeout={limits.seconds * 3 // 4}",
        f"--max-report-size={limits.report}",
        f"--max-page-size={limits.report}",
        f"--max-diff-block-lines={limits.lines}",
        f"--max-diff-block-lines-saved={limits.lines}",
        f"--json={OUTPUTS}/{JSON}",
        f"--html={OUTPUTS}/{HTML}",
        "--",
        *(f"{INPUTS}/{side}" for side in sides),
    )


def _kept(outputs: Path, report: str, result: ToolResult, limits: DifferLimits) -> Digest | None:
    path = outputs / report
    if report not in result.outputs or path.is_symlink() or not path.is_file():
        return None
    size = path.stat().st_size
    return digest_file(path) if 0 < size <= limits.kept else None


def _status(
    result: ToolResult, outputs: Path, reports: dict[str, Digest | None]
) -> tuple[ExplanationStatus, str | None]:
    end = result.container
    if end.oom_killed:
        return ExplanationStatus.OUT_OF_MEMORY, "diffoscope ran into its memory limit"
    if end.ended in _STOPPED:
        return _STOPPED[end.ended]
    if end.signal is not None:
        return ExplanationStatus.CRASHED, f"diffoscope was ended by signal {end.signal}"
    if end.exit_code == 0:
        return ExplanationStatus.COMPLETE, "diffoscope sees no difference; the bytes differ"
    if end.exit_code == 1 and any(reports.values()):
        return _complete_or_not(outputs, reports)
    return _trouble(result)


def _trouble(result: ToolResult) -> tuple[ExplanationStatus, str]:
    if b"Out of memory. Diffoscope exiting." in result.log:
        return ExplanationStatus.OUT_OF_MEMORY, "diffoscope found no more memory"
    said = result.log[-_LOG_SHOWN:].decode("utf-8", "backslashreplace").strip()
    code = result.container.exit_code
    return ExplanationStatus.CRASHED, f"diffoscope exited with {code}: {said}"


def _complete_or_not(
    outputs: Path, reports: dict[str, Digest | None]
) -> tuple[ExplanationStatus, str | None]:
    if not all(reports.values()) or not _whole(outputs / JSON):
        return ExplanationStatus.TRUNCATED, "one of the reports was not kept whole"
    if any(_marked(outputs / report) for report in reports):
        return ExplanationStatus.TRUNCATED, "the reports leave out what exceeds their limits"
    return ExplanationStatus.COMPLETE, None


def _whole(path: Path) -> bool:
    """Say whether the JSON report was written to its end, without holding it in memory."""
    with path.open("rb") as stream:
        stream.seek(-min(64, path.stat().st_size), 2)
        return stream.read().rstrip().endswith(b"}")


def _marked(path: Path) -> bool:
    """Say whether diffoscope wrote anywhere in the file that it left something out."""
    with path.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as text:
        return any(text.find(mark) >= 0 for mark in _MARKS)
