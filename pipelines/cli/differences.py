"""What a run shows of a difference: its causes, and the fields of files that differ."""

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
    from pipelines.judge.difference import QuickDiff
    from pipelines.judge.finding import Finding
    from pipelines.judge.updates.checked_delta import CheckedBase
    from pipelines.storage.store import Store
    from pipelines.verify.session import Session

_CONFIRMED = {
    "same": "gave the same bytes as the first",
    "absent": "left no such file",
}
_SHOWN = 2
"""Masked fields of a normalizer that are shown; the rest is counted, and is in `--json`."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_CLAIMS = 5
"""Fields of a manifest that are shown."""


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
        weak = f", over {one.weak_digest}, which proves little" if one.weak_digest else ""
        what = "key" if isinstance(one.certificate, str) else "certificate sha256"
        yield f"- signed by {escaped(one.subject)}, {what} {one.certificate}{stamp}{weak}"
    if graft.packing:
        yield f"- our content was compressed again: {escaped(graft.packing)}"
    sizes = Counter[str]()
    for part in graft.carried:
        sizes[part.why] += part.length
    listed = ": " + ", ".join(f"{why} {size}" for why, size in sizes.items()) if sizes else ""
    yield f"- carries {sizes.total()} bytes that no signature covers{listed}"


def ledger_lines(finding: Finding) -> Iterator[str]:
    """Yield what was masked of a file that is equivalent: a line for each normalizer."""
    from pipelines.judge.normalizers.ledger import MaskLedger

    ledger = finding.ledger
    if not isinstance(ledger, MaskLedger):
        return
    for name, size in ledger.bytes_by_normalizer.items():
        lines = [line for line in ledger.lines if line.normalizer == name]
        yield f"- {name} masks {size} bytes: {escaped(lines[0].reason)}"
        for line in lines[:_SHOWN]:
            of = f" of {escaped('/'.join(line.members))}" if line.members else ""
            yield f"- {name}: {line.field}{of}, {line.length} bytes at {line.offset}"
        if len(lines) > _SHOWN:
            yield f"- {name}: and {len(lines) - _SHOWN} fields more"


def update_lines(finding: Finding) -> Iterator[str]:
    """Yield what a delta rests on and gives, and what a manifest says of our bytes."""
    if (delta := finding.delta) is not None:
        yield f"- base: {_judged(delta.base)}"
        if run := delta.base.judged:
            yield f"- chain: {escaped(str(run.chain))}"
        what = "the members of our" if delta.members else "our"
        if delta.applied and not delta.refused:
            yield f"- {delta.format}, applied: {what} {escaped(delta.target)}"
    if (manifest := finding.manifest) is not None:
        if manifest.previous:
            yield f"- in place of: {_judged(manifest.previous)}"
        now = datetime.now(UTC)
        if manifest.expires and manifest.seen_on and manifest.seen_on < manifest.expires < now:
            seen = f"first seen on {manifest.seen_on:{_TIME}}"
            yield f"- has expired since, on {manifest.expires:{_TIME}} ({seen})"
        for which, paths in (
            ("recomputed", manifest.recomputed),
            ("the vendor's claim", [f"{one.path}: {one.says}" for one in manifest.claims]),
        ):
            yield from (f"- {which}: {escaped(path)}" for path in paths[:_CLAIMS])
            if len(paths) > _CLAIMS:
                yield f"- {which}: and {len(paths) - _CLAIMS} more"


def _judged(base: CheckedBase) -> str:
    run = base.judged
    judged = f"{run.verdict} in run {run.run}" if run else "not judged by this center"
    return f"sha256 {base.sha256} of {escaped(base.release)}, {judged}"


def beside_lines(finding: Finding) -> Iterator[str]:
    """Yield everything that a finding says beside verdict and reason."""
    yield from signature_lines(finding)
    yield from ledger_lines(finding)
    yield from update_lines(finding)


def field_lines(look: QuickDiff | None) -> Iterator[str]:
    """Yield what differs in the fields of files and members, the most telling first."""
    if look is None:
        return
    from pipelines.explain.sentences import sentences

    yield from (f"- {line}" for line in sentences(look))


def packing_lines(finding: PackingFinding | None) -> Iterator[str]:
    """Yield how two files with the same contents are packed, and what a recipe declares of it."""
    if finding is None or not finding.same_contents:
        return
    yield f"  {escaped(str(finding))}"
    if finding.packing is not None:
        yield f"  packing: {finding.declared}"
