"""The list of checks and their killers is about the code and the tests that are there."""

from __future__ import annotations

from tests.requests.checks import CHECKS
from tests.requests.killers import FILE, faults, table


def test_every_check_has_killers_and_they_are_listed() -> None:
    assert all(check.killers for check in CHECKS)
    assert faults() == []
    assert FILE.read_text() == table(), "run python -m tests.requests.killers"
