"""What a run shows of a difference: its causes, and how the members of archives differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from builders.core.enums import Outcome, Verdict
from builders.core.errors import StoreError
from builders.core.escaping import escaped

if TYPE_CHECKING:
    from builders.locators import Fetcher
    from pipelines.evidence.report import Report
    from pipelines.evidence.run_explanation import ExplainedArtefact, RunExplanation
    from pipelines.explain.packing import PackingFinding
    from pipelines.infer.journal import RemainingCause
    from pipelines.judge.finding import ChangedMetadata, Finding, MemberDiff, QuickDiff
    from pipelines.storage.store import Store
    from pipelines.verify.session import Session

_CONFIRMED = {
    "same": "gave the same bytes as the first",
    "absent": "left no such file",
}
_SHOWN = 2
"""Members of each kind that are shown; the rest is counted, and is in `--json`."""


def causes_of(
    session: Session, report: Report, *folders: Path, fetcher: Fetcher | None = None
) -> tuple[RemainingCause, ...]:
    """Return the causes that are named for a run; without a difference nothing is imported.

    `folders` are those of the shipped and the rebuilt files of a run without evidence.
    """
    verdicts = {finding.verdict for finding in report.artefacts}
    if report.outcome is Outcome.BUILT and Verdict.DIFFERENT not in verdicts:
        return ()
    from pipelines.infer.verified import files_in, verified_causes

    return verified_causes(session, report, fetcher, opener=files_in(*folders) if folders else None)


def explanation_of(store: Store, report: Report) -> RunExplanation | None:
    """Return what the store has that explains a run; None where it has nothing that is whole."""
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.evidence.stored_runs import RunName, read_explanation

    name = RunName.of(ReleaseName.parse(report.release), report.center, report.run)
    with suppress(StoreError):
        return read_explanation(store, name, whole=True)
    return None


def told_of(finding: Finding, explanation: RunExplanation | None) -> ExplainedArtefact | Finding:
    """Return what holds the explanation of a finding: of old reports the finding itself."""
    return (explanation.about(finding.name) if explanation else None) or finding


def confirmation_lines(name: str, explanation: RunExplanation | None) -> Iterator[str]:
    """Yield what a second rebuild left of an artefact, where no cause says it."""
    about = explanation.about(name) if explanation else None
    if explanation is None or about is None or explanation.confirming is None:
        return
    if about.confirmation in _CONFIRMED:
        yield f"- a second rebuild {_CONFIRMED[about.confirmation]}"
    elif (outcome := explanation.confirming.rebuild.outcome) is not Outcome.BUILT:
        yield f"- a second rebuild ended as {outcome}"


def signature_lines(finding: Finding) -> Iterator[str]:
    """Yield who signed a file that the vendor's signature made identical, and what it carries."""
    from pipelines.judge.signatures.signature_format import Graft

    graft = finding.signature
    if not isinstance(graft, Graft):
        return
    for one in graft.signers:
        stamp = f", time stamp {one.stamped_on:%Y-%m-%dT%H:%M:%SZ}" if one.stamped_on else ""
        what = "key" if isinstance(one.certificate, str) else "certificate sha256"
        yield f"- signed by {escaped(one.subject)}, {what} {one.certificate}{stamp}"
    sizes = Counter[str]()
    for part in graft.carried:
        sizes[part.why] += part.length
    listed = ", ".join(f"{why} {size}" for why, size in sizes.items())
    yield f"- carries {sizes.total()} bytes that no signature covers: {listed}"


def member_lines(look: QuickDiff | None) -> Iterator[str]:
    """Yield what differs in the owner, mode, time, packing and order of members."""
    members = look.members if look else None
    if members is None:
        return
    for field in ("owner", "mode", "mtime", "packing"):
        changes = [change for change in members.metadata if change.field == field]
        for change in changes[:_SHOWN]:
            yield f"- {field}: {escaped(change.path)}: {_change(change)}"
        if len(changes) > _SHOWN:
            yield f"- {field}: and {_more(len(changes) - _SHOWN, members)}"
    if members.reordered:
        yield "- order: members that both have are in another order"


def packing_lines(finding: PackingFinding | None) -> Iterator[str]:
    """Yield how two files with the same contents are packed, and what a recipe declares of it."""
    if finding is None or not finding.same_contents:
        return
    yield f"  {escaped(str(finding))}"
    if finding.packing is not None:
        yield f"  packing: {finding.declared}"


def _more(count: int, members: MemberDiff) -> str:
    """Return how many members more; at least so many where the list was capped."""
    capped = members.counts.get("metadata", 0) > len(members.metadata)
    return f"{'at least ' if capped else ''}{count} {'member' if count == 1 else 'members'} more"


def _change(change: ChangedMetadata) -> str:
    sides = (change.shipped, change.rebuilt)
    shown = map(_time, sides) if change.field == "mtime" else sides
    shipped, rebuilt = map(escaped, shown)
    return f"{shipped} shipped, {rebuilt} rebuilt"


def _time(seconds: str) -> str:
    """Return seconds since 1970 as a time in UTC; what is none stays as it is."""
    try:
        return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return seconds
