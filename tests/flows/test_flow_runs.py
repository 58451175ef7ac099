"""Which flow runs live here, and which have died without a word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.center.center import Center
from pipelines.flows.flow_runs import died, forget, living

RUN = "11111111-2222-3333-4444-555555555555"
HOLDER = """
import sys, time
from pathlib import Path
from pipelines.center.center import Center
from pipelines.flows.flow_runs import living
home = Path(sys.argv[1])
with living(Center(id="mine", home=home, store=home / "store"), sys.argv[2]):
    if sys.argv[3] == "at work":
        print("living", flush=True)
        time.sleep(60)
print("living", flush=True)
time.sleep(60)
"""


@pytest.fixture
def mine(tmp_path: Path) -> Center:
    return Center(id="mine", home=tmp_path, store=tmp_path / "store")


def dead(center: Center) -> list[str]:
    with died(center) as found:
        return list(found)


@pytest.mark.parametrize("killed", ["at work", "before Prefect knows of its end"])
def test_a_run_is_dead_once_it_is_killed_and_not_before(mine: Center, killed: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(mine.home), RUN, killed], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"living\n"
        assert dead(mine) == []
        holder.kill()
        holder.wait()
    assert dead(mine) == [RUN]
    forget(mine, RUN)
    assert dead(mine) == []


def test_a_run_that_ends_by_itself_lives_as_long_as_its_process(mine: Center) -> None:
    with living(mine, RUN):
        pass
    assert dead(mine) == []
    with pytest.raises(ValueError, match="broken"), living(mine, RUN):
        raise ValueError("broken")
    assert dead(mine) == []


def test_a_run_that_is_stopped_from_outside_is_taken_for_dead(mine: Center) -> None:
    with pytest.raises(KeyboardInterrupt), living(mine, RUN):
        raise KeyboardInterrupt
    assert dead(mine) == [RUN]


def test_only_one_looks_after_a_dead_run(mine: Center) -> None:
    with pytest.raises(KeyboardInterrupt), living(mine, RUN):
        raise KeyboardInterrupt
    with died(mine) as first:
        assert first == [RUN]
        assert dead(mine) == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "x"])
def test_a_call_without_a_flow_run_locks_nothing(mine: Center, name: str) -> None:
    with living(mine, name):
        assert dead(mine) == []
    assert list(mine.home.iterdir()) == []
