"""What is tried again in process, by the rule that the Prefect flow has too."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders.core.errors import (
    BuildFailedError,
    EngineError,
    InputUnavailableError,
    StoreError,
)
from pipelines.center.center import Center
from pipelines.evidence.errors import SignerError
from pipelines.verify import retries
from pipelines.verify.retries import delays_of, is_retried, retrying
from pipelines.verify.session import Session

STEPS = (
    "fetch-inputs", "provide-image", "rebuild", "seal", "commit", "fetch-shipped", "judge",
    "explain", "publish",
)  # fmt: skip


JOB = SimpleNamespace(release="lab/tool@1", run="20261127T100000Z-00000000")


class Failing:
    """A step that fails some times, and then returns what it was given."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.times, self.calls = error, times, 0

    def __call__(self, *given: Any) -> Any:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return given


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "DELAYS", (0, 0))


def session(tmp_path: Path, *, offline: bool = False) -> Session:
    return Session(Center(id="local", home=tmp_path, store=tmp_path / "store"), offline=offline)


@pytest.mark.parametrize("error", [EngineError("gone"), StoreError("gone"), SignerError("gone")])
def test_what_the_center_broke_is_tried_three_times(
    tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    step = Failing(error, times=2)
    with caplog.at_level("INFO", logger="samebits"):
        assert retrying(session(tmp_path))("rebuild", step)(JOB, 1) == (JOB, 1)
    assert caplog.messages == ["lab/tool@1: again in 0 s, since rebuild: gone"] * 2
    step = Failing(error, times=3)
    with pytest.raises(type(error)):
        retrying(session(tmp_path))("rebuild", step)(JOB)
    assert step.calls == 3


@pytest.mark.parametrize("error", [BuildFailedError("no"), InputUnavailableError("no"), KeyError()])
def test_what_the_release_did_is_tried_once(tmp_path: Path, error: Exception) -> None:
    step = Failing(error, times=1)
    with pytest.raises(type(error)):
        retrying(session(tmp_path))("rebuild", step)(JOB)
    assert step.calls == 1


def test_nothing_is_tried_again_offline_or_cancelled(tmp_path: Path) -> None:
    cancelled, one_run = session(tmp_path), session(tmp_path)
    cancelled.cancelled.set()
    one_run.cancellation(JOB.run).set()
    for one in (session(tmp_path, offline=True), cancelled, one_run):
        step = Failing(EngineError("gone"), times=1)
        with pytest.raises(EngineError):
            retrying(one)("rebuild", step)(JOB)
        assert step.calls == 1


@pytest.mark.prefect
def test_tasks_of_the_flow_have_the_same_rule() -> None:
    from pipelines.flows.verify_release import as_task

    for name in STEPS:
        made = as_task(name, lambda: None)
        assert made.retries == len(delays_of(name)), name
        if made.retries:
            assert [*made.retry_delay_seconds] == [*delays_of(name)]
        assert as_task(name, lambda: None, retried=False).retries == 0
    assert [name for name in STEPS if not delays_of(name)] == ["seal", "judge", "explain"]
    assert is_retried(EngineError("gone"))
    assert not is_retried(None)
