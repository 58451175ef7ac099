"""Which format versions of its evidence count for a run of a center."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from pipelines.audit.center_finding import MATCHES, CenterFinding, ExclusionReason
from pipelines.audit.run_state import AuditedRun


def without_old(run: AuditedRun, oldest: int) -> AuditedRun:
    """Return a run without the findings of an older format version than those that count."""
    old = [f for f in run.findings if f.version < oldest]
    return _without(run, old, ExclusionReason.OLD_EVIDENCE)


def without_downgraded(run: AuditedRun, upgraded_at: int | None) -> AuditedRun:
    """Return a run without matches in a format that its center had given up before.

    The first format leaves open what was hidden by the recipe. A mismatch in it hides nothing.
    """
    if upgraded_at is None:
        return run
    old = [
        f for f in run.findings if f.version == 1 and f.index > upgraded_at and f.verdict in MATCHES
    ]
    return _without(run, old, ExclusionReason.DOWNGRADED)


def _without(
    run: AuditedRun, findings: Collection[CenterFinding], reason: ExclusionReason
) -> AuditedRun:
    """Return a run without some findings, which are excluded for a reason."""
    return replace(
        run,
        findings=tuple(f for f in run.findings if f not in findings),
        excluded=(*run.excluded, *(f.excluded(reason, f"version {f.version}") for f in findings)),
    )
