"""The reason of a failed build quotes the build's own error."""

from __future__ import annotations

import pytest

from builders.container.spec import ContainerResult, EndReason
from builders.core.enums import Outcome
from builders.rebuild.plan import make_plan
from builders.rebuild.rebuild import classify_outcome
from tests.builders.recipes import SCRIPT, recipe

ENDED = ContainerResult(
    ended=EndReason.EXITED,
    exit_code=2,
    signal=None,
    oom_killed=False,
    pids_limit_hit=False,
    scratch_full=False,
    peak_memory=None,
    wall_seconds=1.0,
    log_truncated=False,
)

DEBHELPER = b"""\
cc -c main.c
main.c:3:1: error: unknown type name 'foo'
main.c:4:1: note: declared here
make[1]: *** [Makefile:12: main.o] Error 1
make[1]: Leaving directory '/build/reproducible-path/acme-1.0'
dh_auto_build: error: make -j2 returned exit code 2
make: *** [debian/rules:5: binary] Error 25
dpkg-buildpackage: error: debian/rules binary subprocess returned exit status 2
"""
PIP = b"""\
Building wheel for acme (pyproject.toml): finished with status 'error'
  error: subprocess-exited-with-error
  ModuleNotFoundError: No module named 'hatchling'
  note: This error originates from a subprocess, and is likely not a problem with pip.
  ERROR: Failed building wheel for acme
"""


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (DEBHELPER, "its last error: main.c:3:1: error: unknown type name 'foo'"),
        (PIP, "its last error: ModuleNotFoundError: No module named 'hatchling'"),
        (b"make: *** [rules:5: all] Error 2\n", "its last error: make: *** [rules:5: all] Error 2"),
        (b"nothing known\n", "its last line: nothing known"),
        (b"\n \n", "it printed nothing"),
    ],
    ids=["debhelper", "pip", "make alone", "no error", "silent"],
)
def test_the_reason_is_the_error_and_not_who_passed_it_on(tail: bytes, expected: str) -> None:
    loaded = recipe(SCRIPT)
    plan = make_plan(loaded, [], script=None, cores=1)
    assert classify_outcome(ENDED, plan, loaded, tail=tail) == (
        Outcome.BUILD_FAILED,
        f"exit code 2; {expected}",
    )
