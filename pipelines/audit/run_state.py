"""How far the runs of a center came: by its log, its records, and the times of the witnesses.

A run commits to what it built before it opens a shipped file. A commitment
that no statement of its run fulfils is open, and abandoned once the witnesses have seen it for
longer than the policy lets it be open. A center that committed and then states nothing, or that
nothing was built, dissents: else it could so hide a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pipelines.audit.center_finding import MATCHES, CenterFinding, Dissent, Excluded
from pipelines.audit.logged_release import LoggedCommitment
from pipelines.audit.run_findings import RunFindings
from pipelines.audit.witnessed import Witnessed


class RunState(StrEnum):
    """How far a run came."""

    COMMITTED = "committed"
    """The log has its commitment, which no quorum of the witnesses has seen yet."""
    OPEN = "open"
    """Its commitment is witnessed, and nothing says what was found."""
    ABANDONED = "abandoned"
    """It was open for longer than the policy allows."""
    STATED = "stated"
    """Every artefact was compared, and the attempt says how it ended."""
    SUPERSEDED = "superseded"
    """Stated, as is a later run of the center for the same claim and scope."""
    FAILED = "failed"
    """It was stated without a commitment, and nothing was built."""
    INCOMPLETE = "incomplete"
    """Without a commitment: statements are missing, or do not agree with each other."""


UNSTATED = frozenset({RunState.COMMITTED, RunState.OPEN})
"""The states of a run that may still state what it found."""


@dataclass(frozen=True, kw_only=True)
class AuditedRun:
    """One run of one center."""

    run: str | None
    """None for an open run of which the store has no record."""
    state: RunState
    findings: tuple[CenterFinding, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    dissents: tuple[Dissent, ...] = ()

    def without_matches(self) -> AuditedRun:
        """Return the same run without the findings that could be a match."""
        kept = tuple(f for f in self.findings if f.verdict not in MATCHES)
        return replace(self, findings=kept)


def state_of(
    told: RunFindings, commitments: Sequence[LoggedCommitment], witnessed: Witnessed
) -> RunState:
    """Return the state of a run, by what its statements say and what it committed to."""
    if not commitments:
        if told.attempt is None:
            return RunState.INCOMPLETE
        return RunState.FAILED if told.is_unbuilt else RunState.STATED
    if told.is_unbuilt or told.fulfils(commitments):
        return RunState.STATED
    first = min(one.index for one in commitments)
    if first < witnessed.overdue:
        return RunState.ABANDONED
    return RunState.OPEN if first < witnessed.size else RunState.COMMITTED


def mark_superseded(runs: Iterable[AuditedRun]) -> list[AuditedRun]:
    """Return the runs, with those superseded of which every finding is followed by a later one."""
    found = list(runs)
    stated = [f for run in found if run.state is RunState.STATED for f in run.findings]
    newest = {(f.claim, f.scope): f.index for f in sorted(stated, key=lambda f: f.index)}
    last = {run.run: max((f.index for f in run.findings), default=0) for run in found}
    return [
        replace(run, state=RunState.SUPERSEDED)
        if run.state is RunState.STATED
        and run.findings
        and all(newest[f.claim, f.scope] > last[run.run] for f in run.findings)
        else run
        for run in found
    ]
