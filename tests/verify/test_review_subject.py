"""What reviews of a release are about is read from the runs that read its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.errors import UsageError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.stored_runs import RunName
from pipelines.storage.names import REPORT
from pipelines.verify.review_subject import review_subject
from pipelines.verify.session import Session
from tests.signer.scene import Scene

LATER = "20260103T030405Z-0a1b2c3d"


def session_of(scene: Scene, *reports: Report) -> Session:
    session = Session(scene.center)
    session.__dict__["store"] = scene.store
    for report in reports:
        name = RunName.of(ReleaseName.parse(report.release), report.center, report.run)
        scene.store.put_record(name.prefix + REPORT, report.to_json())
    return session


def test_a_later_run_that_read_no_source_hides_no_earlier_one(tmp_path: Path) -> None:
    read = Scene(folder=tmp_path / "read").make().report
    scene = Scene(folder=tmp_path / "unread", read=False)
    unread = scene.make().report.model_copy(update={"run": LATER})
    subject = review_subject("acme/rules@1.10", session_of(scene, read, unread))
    assert subject.claim == read.claim
    assert subject.sources == read.environment.sources


def test_a_release_whose_source_no_run_has_read_is_refused(tmp_path: Path) -> None:
    scene = Scene(folder=tmp_path, read=False)
    with pytest.raises(UsageError, match=r"no run of acme/rules@1.10 has a source digest"):
        review_subject("acme/rules@1.10", session_of(scene, scene.make().report))
