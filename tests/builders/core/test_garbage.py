"""The collector of garbage does not run when a process ends; all else of an end does."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import atexit
from builders.core.garbage import collect_rarely

class Garbage:
    def __init__(self): self.own = self
    def __del__(self): print("collected")

atexit.register(print, "ended")
{call}
Garbage()
"""


@pytest.mark.parametrize(
    ("call", "printed"), [("", ["ended", "collected"]), ("collect_rarely()", ["ended"])]
)
def test_the_end_of_a_process_collects_nothing(call: str, printed: list[str]) -> None:
    program = _PROGRAM.format(call=call)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == printed
