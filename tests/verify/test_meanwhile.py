"""What the build leaves time for is done beside it, and fails where it is needed."""

from __future__ import annotations

import threading
from typing import Any, cast

from pipelines.verify.session import Job, Session
from pipelines.verify.verify import _meanwhile

NOBODY, NOTHING = cast("Session", None), cast("Job", None)


def test_it_is_done_by_the_end_of_the_block_and_not_before_it_begins() -> None:
    building, done = threading.Event(), list[bool]()

    def work(*_: Any) -> None:
        building.wait(10)
        done.append(True)

    with _meanwhile(work, NOBODY, NOTHING):
        assert done == []
        building.set()
    assert done == [True]


def test_its_failure_is_no_failure_of_the_build() -> None:
    def work(*_: Any) -> None:
        raise ValueError("no lock")

    with _meanwhile(work, NOBODY, NOTHING):
        built = True
    assert built
