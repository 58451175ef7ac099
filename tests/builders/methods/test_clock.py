"""The declared clock as a value: what can be declared, what the plan makes of it; no container."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from builders.container.spec import ContainerResult, EndReason
from builders.core.enums import Outcome
from builders.core.errors import RecipeError
from builders.methods.clock import Clock, format_timestamp, parse_timestamp
from builders.preload.preload_lock import preload_lock
from builders.rebuild.plan import make_plan
from builders.rebuild.rebuild import classify_outcome
from builders.recipe.recipe import load_recipe
from tests.builders.rebuild.test_clock_library import (
    ADVANCING,
    FROZEN,
    MOMENT,
    SECONDS,
    wheel_recipe,
)
from tests.builders.recipes import SCRIPT, recipe

LATE = ContainerResult(
    ended=EndReason.DEADLINE,
    exit_code=None,
    signal=None,
    oom_killed=False,
    pids_limit_hit=False,
    scratch_full=False,
    peak_memory=None,
    wall_seconds=1800.0,
    log_truncated=False,
)


def test_a_plan_with_a_clock_proves_it_before_the_build() -> None:
    plan = make_plan(recipe({**SCRIPT, **ADVANCING}), [], script=None, cores=1)
    assert plan.command[2:7] == (
        "022",
        *("/bin/sh", "/samebits/clock.sh", "/bin/sh", "/samebits/method.sh"),
    )
    assert plan.control["clock"] == f"advancing {SECONDS}\n".encode()
    assert plan.control["preload"] == b"/samebits/clock.so\n"
    assert plan.preload == preload_lock().library
    bare = make_plan(recipe(SCRIPT), [], script=None, cores=1)
    assert bare.preload is None
    assert set(bare.control) == {"launch.sh", "method.sh"}


@pytest.mark.parametrize("build", [ADVANCING, {}])
def test_a_clock_that_goes_on_is_not_blamed(build: dict[str, Any]) -> None:
    loaded = recipe({**SCRIPT, **build})
    plan = make_plan(loaded, [], script=None, cores=1)
    outcome, reason = classify_outcome(LATE, plan, loaded, tail=b"")
    assert (outcome, reason) == (Outcome.TIMED_OUT, "killed at its deadline of 30min")


def test_a_clock_that_is_not_applied_is_the_reason_whatever_comes_last() -> None:
    loaded = recipe({**SCRIPT, **FROZEN})
    plan = make_plan(loaded, [], script=None, cores=1)
    ended = replace(LATE, ended=EndReason.EXITED, exit_code=69)
    own = b"samebits: error: the declared clock is not applied: date shows 1, expected 2"
    other = b"ERROR: ld.so: object 'x' cannot be preloaded: ignored."
    for tail in (b"\n".join([other, own]), b"\n".join([own, other])):
        _, reason = classify_outcome(ended, plan, loaded, tail=tail)
        assert reason == f"exit code 69; its last error: {own.decode()}"
    _, reason = classify_outcome(ended, plan, loaded, tail=other)
    assert reason == f"exit code 69; its last error: {other.decode()}"


@pytest.mark.parametrize("value", [MOMENT, str(SECONDS), SECONDS])
def test_a_moment_has_two_spellings(value: object) -> None:
    assert parse_timestamp(value) == SECONDS
    assert Clock.model_validate({"time": value}).declared() == {"mode": "frozen", "time": MOMENT}
    assert format_timestamp(SECONDS) == MOMENT


def test_a_second_step_is_declared_with_its_time() -> None:
    clock = Clock.model_validate({"time": MOMENT, "then": SECONDS + 2})
    told = {"mode": "frozen", "time": MOMENT, "then": "2021-05-05T14:18:19Z"}
    assert clock.declared() == {**told, "before": "wheel"}
    later = Clock.model_validate({"time": MOMENT, "then": SECONDS + 2, "before": "record"})
    assert later.declared() == {**told, "before": "record"}
    assert clock.configuration() == f"frozen {SECONDS} {SECONDS + 2}\n".encode()


def test_only_wheels_have_a_second_step() -> None:
    with pytest.raises(ValidationError, match="only method wheel"):
        recipe({**SCRIPT, "clock": {"time": MOMENT, "then": SECONDS + 2}})


BAD_BUILDS: dict[str, tuple[dict[str, Any], str]] = {
    "no time zone": ({"clock": {"time": "2021-05-05T14:18:17"}}, "build.clock.time"),
    "another zone": ({"clock": {"time": "2021-05-05T14:18:17+02:00"}}, "build.clock.time"),
    "no such day": ({"clock": {"time": "2021-02-30T00:00:00Z"}}, "build.clock.time"),
    "no such second": ({"clock": {"time": "2021-02-03T00:00:61Z"}}, "build.clock.time"),
    "part of a second": ({"clock": {"time": "1620224297.5"}}, "build.clock.time"),
    "negative": ({"clock": {"time": "-1"}}, "build.clock.time"),
    "too early for deadlines": ({"clock": {"time": "473385599"}}, "build.clock.time"),
    "too late for a zip": ({"clock": {"time": "4354819200"}}, "build.clock.time"),
    "unknown mode": ({"clock": {"time": MOMENT, "mode": "slow"}}, "build.clock.mode"),
    "a step that goes back": ({"clock": {"time": MOMENT, "then": MOMENT}}, "build.clock"),
    "no time to go on to": ({"clock": {"time": MOMENT, "before": "wheel"}}, "build.clock"),
    "no such step": (
        {"clock": {"time": MOMENT, "then": SECONDS + 2, "before": "install"}},
        "build.clock.before",
    ),
    "a step of a clock that goes on": (
        {"clock": {"time": MOMENT, "then": SECONDS + 2, "mode": "advancing"}},
        "build.clock",
    ),
    "no time": ({"clock": {"mode": "frozen"}}, "build.clock.time"),
    "unknown order": ({"folder_order": "sorted"}, "build.folder_order"),
    "a seed that has a word": ({"folder_order": "hashed-0"}, "build.folder_order"),
    "a seed in two ways": ({"folder_order": "hashed-01"}, "build.folder_order"),
    "a seed beyond the last": ({"folder_order": "hashed-1000"}, "build.folder_order"),
    "a seed with a newline": ({"folder_order": "hashed-1\n"}, "build.folder_order"),
    "a seed of times": ({"folder_order": "created-1"}, "build.folder_order"),
    "no word": ({"folder_order": 1}, "build.folder_order"),
    "a path that leaves": ({"files": [{"path": "../x", "mode": "644"}]}, "build.files.0.path"),
    "an absolute path": ({"files": [{"path": "/x", "mode": "644"}]}, "build.files.0.path"),
    "a path in two ways": ({"files": [{"path": "a//b", "mode": "644"}]}, "build.files.0.path"),
    "an option": ({"files": [{"path": "-delete", "mode": "644"}]}, "build.files.0.path"),
    "two lines": ({"files": [{"path": "a\nb", "mode": "644"}]}, "build.files.0.path"),
    "stars inside": ({"files": [{"path": "**/a", "mode": "644"}]}, "build.files.0.path"),
    "nothing said": ({"files": [{"path": "a"}]}, "build.files.0"),
    "set-uid": ({"files": [{"path": "a", "mode": "4755"}]}, "build.files.0.mode"),
    "no octal": ({"files": [{"path": "a", "mode": "689"}]}, "build.files.0.mode"),
    "one path twice": ({"files": [{"path": "a", "mode": "644"}] * 2}, "build.files"),
    "too many": (
        {"files": [{"path": f"f{n}", "mode": "644"} for n in range(501)]},
        "build.files",
    ),
    "a tag with a newline": ({"python_tag": "py3\nx"}, "build.python_tag"),
    "no Python tag": ({"python_tag": "any"}, "build.python_tag"),
}


@pytest.mark.parametrize(("build", "field"), BAD_BUILDS.values(), ids=BAD_BUILDS.keys())
def test_what_cannot_be_declared_is_refused(
    tmp_path: Path, build: dict[str, Any], field: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(wheel_recipe(tmp_path / "r", **build))
    assert caught.value.field == field
