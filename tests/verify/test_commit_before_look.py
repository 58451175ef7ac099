"""Real runs commit to what they built before they open what was shipped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from builders.core.enums import Verdict
from builders.core.errors import InfrastructureError, StoreError
from builders.images.provide import ProvidedImage
from infra.bench.madeup import EMPTY_POLICY
from pipelines.center.center import Center
from pipelines.center.logs import own_log
from pipelines.evidence.report import Report
from pipelines.log.leaf import CommitmentLeaf, Entry, Leaf
from pipelines.log.writer import AppendResult, LogWriter
from pipelines.verify import steps
from pipelines.verify.interrupted import complete_interrupted
from pipelines.verify.judging import fetch_shipped
from pipelines.verify.session import Job, Session
from pipelines.verify.verify import job_for, verify
from tests.lab import write_recipe

SHIPPED = b"shipped\n"
SCRIPT = ["sh", "-c", "echo shipped > /out/out.bin"]


class Looked:
    """Notes what the log has when a shipped file is first opened."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.seen: list[list[Leaf]] = []
        self.steps: dict[str, Any] = {}

    def wrap(self, name: str, step: Any) -> Any:
        self.steps[name] = step.func
        return self.fetch_shipped if name == "fetch-shipped" else step

    def fetch_shipped(self, job: Job, **options: Any) -> Any:
        self.seen.append(leaves_of(self.session.center, job.release))
        return fetch_shipped(self.session, job, **options)


def leaves_of(center: Center, release: str) -> list[Leaf]:
    return [
        leaf
        for _, leaf in own_log(center, EMPTY_POLICY).reader().leaves()
        if leaf.release == release
    ]


def run(session: Session, folder: Path, looked: Looked) -> Report:
    recipe = write_recipe(folder, [SCRIPT], shipped=SHIPPED)
    with job_for(session, recipe) as job:
        return verify(session, job, looked.wrap)


def test_the_seal_is_in_the_log_before_a_shipped_file_is_opened(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    looked = Looked(session)
    report = run(session, tmp_path / "early", looked)
    assert report.verdict is Verdict.IDENTICAL
    assert looked.steps["commit"] is steps.commit_seal, "the commitment is a step of the run"
    ((commitment,),) = looked.seen
    assert isinstance(commitment, CommitmentLeaf)
    assert (commitment.run, commitment.claim, commitment.seal) == (
        report.run,
        report.claim,
        report.seal,
    )
    first, *others = leaves_of(session.center, report.release)
    assert first == commitment
    assert len(others) == 3
    assert not [leaf for leaf in others if isinstance(leaf, CommitmentLeaf)]


def test_nothing_is_opened_while_the_log_cannot_be_reached(
    session: Session, build_image: ProvidedImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log may have the commitment all the same: nothing is stated until it is completed."""
    faults = iter([StoreError("the store is away")])
    append = LogWriter.append

    def failing(self: LogWriter, entries: Sequence[Entry]) -> AppendResult:
        for fault in faults:
            raise fault
        return append(self, entries)

    monkeypatch.setattr(LogWriter, "append", failing)
    looked = Looked(session)
    with pytest.raises(InfrastructureError, match="nothing shipped was opened"):
        run(session, tmp_path / "away", looked)
    assert looked.seen == []
    assert leaves_of(session.center, "lab/away@1") == []
    (report,) = complete_interrupted(session)
    assert isinstance(report, Report)
    assert (report.release, report.verdict) == ("lab/away@1", Verdict.IDENTICAL)
    assert isinstance(leaves_of(session.center, report.release)[0], CommitmentLeaf)
