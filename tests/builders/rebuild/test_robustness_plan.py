"""A rebuild elsewhere: what is moved, what stays, and that nothing else changes."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from builders.container.folderorder import ORDER_SEED
from builders.container.spec import ContainerLimits
from builders.rebuild.plan import make_plan
from builders.rebuild.robustness_factors import Factor
from builders.rebuild.robustness_plan import RobustnessPlan, plan_robustness
from tests.builders.recipes import SCRIPT, recipe

RUN = "20260102T030405Z-0a1b2c3d"
DECLARED = {
    "hostname": "builder",
    "timezone": "UTC",
    "locale": "C.UTF-8",
    "folder_order": "hashed",
}


def moving(build: dict[str, str], *, cores: int = 4, run: str = RUN) -> RobustnessPlan:
    return plan_robustness(recipe({**SCRIPT, **build}), [], cores=cores, run=run)


def test_everything_undeclared_is_moved_and_told() -> None:
    found = moving({})
    assert [m.factor for m in found.varied] == list(Factor)
    assert found.kept == ()
    told = {m.factor: (m.before, m.after) for m in found.varied}
    assert told[Factor.HOSTNAME] == ("builder", found.plan.hostname)
    assert told[Factor.USER] == ("1000:1000", str(found.plan.user))
    assert told[Factor.CORES] == ("4", "1")
    assert told[Factor.FOLDER_ORDER] == (ORDER_SEED, found.plan.order_seed)
    assert told[Factor.TIMEZONE] == ("UTC", found.plan.environment["TZ"])
    assert told[Factor.LOCALE] == ("C.UTF-8", found.plan.environment["LC_ALL"])
    assert all(before != after for before, after in told.values())
    assert found.plan.core is not None
    assert found.plan.limits.cpus == 1


def test_what_is_declared_stays_even_where_it_is_the_usual() -> None:
    found = moving(DECLARED)
    assert [m.factor for m in found.varied] == [Factor.USER, Factor.CORES]
    assert [(str(k.factor), str(k.why)) for k in found.kept] == [
        ("hostname", "declared"),
        ("folder-order", "declared"),
        ("timezone", "declared"),
        ("locale", "declared"),
    ]
    usual = make_plan(recipe({**SCRIPT, **DECLARED}), [], script=None, cores=1)
    limits = replace(found.plan.limits, seconds=usual.limits.seconds)
    assert replace(found.plan, user=usual.user, core=None, limits=limits) == usual


def test_a_declared_order_of_folders_is_that_of_the_moved_rebuild() -> None:
    found = moving({"folder_order": "hashed-7"})
    assert Factor.FOLDER_ORDER in {k.factor for k in found.kept}
    assert found.plan.order_seed is None
    assert found.loaded.recipe.build.folder_order == "hashed-7"


def test_of_one_core_there_are_no_fewer() -> None:
    found = moving({}, cores=1)
    assert [(str(k.factor), str(k.why)) for k in found.kept] == [("cores", "alone")]
    assert found.plan.core is None


def test_limits_stay_but_for_the_cores_and_the_time_that_those_save() -> None:
    limits = {"cpus": 2, "memory": "1GiB", "time": "5min", "pids": 99}
    found = plan_robustness(recipe(SCRIPT, limits=limits), [], cores=4, run=RUN)
    assert found.plan.limits == ContainerLimits(cpus=1, memory=1 << 30, pids=99, seconds=900)


def test_another_run_meets_another_order_and_the_same_run_the_same() -> None:
    seeds = [moving({}, run=run).plan.order_seed for run in (RUN, RUN, RUN[:-1] + "e")]
    assert seeds[0] == seeds[1] != seeds[2]


def test_runs_side_by_side_meet_several_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5})
    assert {moving({}, run=f"{RUN[:-1]}{digit:x}").plan.core for digit in range(16)} == {2, 5}
