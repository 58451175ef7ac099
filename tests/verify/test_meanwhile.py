"""What the build leaves time for is done beside it, and fails where it is needed."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from pipelines.verify import verify
from pipelines.verify.session import Job, Session
from tests.command import PATIENCE

NOBODY, NOTHING = cast("Session", None), cast("Job", None)


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_PREPARED", 0.01)


@pytest.mark.usefixtures("_at_once")
def test_what_has_begun_is_done_by_the_end_of_the_block() -> None:
    begun, building, done = threading.Event(), threading.Event(), list[bool]()

    def work(*_: Any) -> None:
        begun.set()
        building.wait(PATIENCE)
        done.append(True)

    with verify._meanwhile(work, NOBODY, NOTHING):
        assert begun.wait(PATIENCE)
        assert done == []
        building.set()
    assert done == [True]


def test_it_does_not_begin_after_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_PREPARED", PATIENCE)
    done = list[bool]()
    before = threading.active_count()
    with verify._meanwhile(lambda *_: done.append(True), NOBODY, NOTHING):
        pass
    assert done == []
    assert threading.active_count() == before


@pytest.mark.usefixtures("_at_once")
def test_its_failure_is_no_failure_of_the_build() -> None:
    begun = threading.Event()

    def work(*_: Any) -> None:
        begun.set()
        raise ValueError("no lock")

    with verify._meanwhile(work, NOBODY, NOTHING):
        assert begun.wait(PATIENCE)
        built = True
    assert built
