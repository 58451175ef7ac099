"""What a search came to: its status, the causes that remain, the head of the draft."""

from __future__ import annotations

from builders.core.enums import Outcome, Verdict
from pipelines.infer.trail import Status, TryRecord
from pipelines.infer.wheel.causes import Found, causes, failure
from pipelines.infer.wheel.differences import Differences
from pipelines.infer.wheel.first import Clues
from pipelines.infer.wheel.target import Target


def judged(
    clues: Clues, record: TryRecord, differences: Differences | None
) -> tuple[Status, tuple[Found, ...]]:
    """Return what the nearest try makes of the release, and the causes that remain."""
    if record.verdict is Verdict.IDENTICAL:
        return "identical", ()
    if differences is not None:
        return "different", causes(clues, differences)
    if record.outcome is Outcome.BUILT:
        return "different", causes(clues, Differences())
    return "build failed", failure(
        record.outcome, record.log or record.reason, clues.shipped.generator
    )


def head_lines(
    target: Target, clues: Clues, status: Status, tries: int, bits: float, found: tuple[Found, ...]
) -> list[str]:
    """Return what a reviewer should know of a draft as a whole."""
    count = "1 try" if tries == 1 else f"{tries} tries"
    summary = f"inferred from the shipped file in {count}, {bits:g} bits in all"
    head = [f"draft: {summary}; review every inferred value before relying on it."]
    head += [f"note: {note}" for note in target.notes]
    head += [f"note: {fault}" for fault in clues.shipped.record_faults[:3]]
    if status != "identical":
        head.append("NOT IDENTICAL: this is the nearest of what was tried.")
        head += [f"remaining cause {cause.name}: {cause.detail}" for cause in found]
    return head
