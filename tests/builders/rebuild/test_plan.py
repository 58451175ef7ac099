from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builders.container.spec import (
    LABEL_CENTER,
    ContainerLimits,
    ContainerSpec,
    Mount,
    RunLabels,
    User,
)
from builders.core.digest import Digest
from builders.core.enums import Role
from builders.core.errors import RecipeError
from builders.inputs.input_file import InputFile
from builders.methods import METHODS
from builders.methods.method import launcher_bytes, zone_script
from builders.rebuild.plan import Plan, make_plan
from tests.builders.recipes import DEBIAN, SCRIPT, WHEEL, recipe

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LABELS = RunLabels(run="20260102T030405Z-0a1b2c3d", center="geneva")


def inputs(*names: str) -> list[InputFile]:
    """Files named `role/name`."""
    split = [name.split("/") for name in names]
    return [
        InputFile(role=Role(role), name=name, sha256=Digest(f"{n:064x}"))
        for n, (role, name) in enumerate(split)
    ]


def plan(build: dict[str, Any], *names: str, cores: int = 4, **changes: Any) -> Plan:
    return make_plan(recipe(build, **changes), inputs(*names), script=None, cores=cores)


def test_the_container_of_a_debian_package() -> None:
    build = {
        **DEBIAN,
        "environment": {"DEB_BUILD_OPTIONS": "nocheck"},
        "profiles": ["nodoc", "nocheck"],
        "umask": "002",
        "timezone": "Asia/Tokyo",
        "locale": "C",
        "path": "/build/rules",
        "hostname": "forge",
    }
    limits = {"cpus": "2", "memory": "1GiB", "time": "5min", "pids": "99"}
    planned = plan(build, "source/r.dsc", "source/r.tar.xz", limits=limits)
    scratch = Path("/runs/r/1/scratch")
    spec = planned.spec(image="sha256:11", scratch=scratch, labels=LABELS)
    assert spec == ContainerSpec(
        image="sha256:11",
        command=(
            *("/bin/sh", "/samebits/launch.sh", "002", "/bin/sh", "/samebits/zone.sh"),
            *("/bin/sh", "/samebits/method.sh", "/inputs/source/r.dsc", "2"),
        ),
        environment={
            "DEB_BUILD_PROFILES": "nodoc nocheck",
            "HOME": "/tmp/home",
            "PATH": PATH,
            "LC_ALL": "C",
            "TZ": "Asia/Tokyo",
            "DEB_BUILD_OPTIONS": "nocheck",
        },
        hostname="forge",
        workdir="/build/rules",
        mounts=(
            Mount(source=scratch / "control", target="/samebits"),
            Mount(source=scratch / "inputs", target="/inputs"),
            Mount(source=scratch / "work", target="/build/rules", read_only=False),
            Mount(source=scratch / "out", target="/out", read_only=False),
            Mount(source=scratch / "tmp", target="/tmp", read_only=False),
        ),
        limits=ContainerLimits(cpus=2, memory=1 << 30, pids=99, seconds=300),
        labels=LABELS,
        gate=scratch / "control" / "gate",
        user=User(uid=1000, gid=1000),
    )
    assert planned.control == {
        "launch.sh": launcher_bytes(),
        "method.sh": METHODS["debian"].script_bytes(),
        "zone.sh": zone_script(),
    }


def test_a_build_starts_by_what_prepares_it_and_then_runs_its_method() -> None:
    planned = plan({**DEBIAN, "timezone": "Europe/Berlin"}, "source/r.dsc")
    assert planned.start == (
        "/bin/sh",
        "/samebits/launch.sh",
        "022",
        "/bin/sh",
        "/samebits/zone.sh",
    )
    rest = planned.command[len(planned.start) :]
    assert (*planned.start, *rest) == planned.command
    assert rest[:2] == ("/bin/sh", "/samebits/method.sh")


@pytest.mark.parametrize(
    ("asked", "cores", "cpus", "jobs"),
    [("2", 4, 2, "2"), ("8", 2, 2, "2"), ("0.5", 4, 0.5, "1"), ("1.9", 4, 1.9, "1")],
)
def test_no_build_gets_more_cores_than_there_are(
    asked: str, cores: int, cpus: float, jobs: str
) -> None:
    planned = plan(DEBIAN, "source/r.dsc", cores=cores, limits={"cpus": asked})
    assert planned.limits.cpus == cpus
    assert planned.command[-1] == jobs


def test_the_recipe_has_the_last_word_on_variables() -> None:
    build = {**WHEEL, "environment": {"PYTHONHASHSEED": "7", "PATH": "/bin"}}
    planned = plan(build, "source/r.tar.gz")
    assert planned.environment["PYTHONHASHSEED"] == "7"
    assert planned.environment["PATH"] == "/bin"


def test_nothing_of_this_process_reaches_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "https_proxy", "SOURCE_DATE_EPOCH", "LANG", "SECRET"):
        monkeypatch.setenv(name, "leaked")
    planned = plan(DEBIAN, "source/r.dsc")
    assert planned.environment == {
        "HOME": "/tmp/home",
        "PATH": PATH,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def test_a_wheel_gets_its_backend_in_order() -> None:
    planned = plan(WHEEL, "toolchain/b.whl", "source/r.zip", "dependency/a.whl", "base/old.bin")
    assert planned.command[5:] == (
        *("/inputs/source/r.zip", "-", "0"),
        "/inputs/toolchain/b.whl",
        "/inputs/dependency/a.whl",
    )


def test_what_is_set_on_a_source_tree_arrives_as_words() -> None:
    files = [
        {"path": "src/**", "mode": "0664"},
        {"path": "a b", "mtime": "1970-01-01T00:00:01Z"},
        {"path": "c", "mode": "755", "mtime": "7"},
    ]
    planned = plan(
        {**WHEEL, "files": files, "python_tag": "py2"}, "source/r.zip", "toolchain/b.whl"
    )
    assert planned.command[5:] == (
        *("/inputs/source/r.zip", "py2", "3"),
        *("src/**", "0664", "-", "a b", "-", "1", "c", "755", "7"),
        "/inputs/toolchain/b.whl",
    )


def test_steps_are_counted_and_never_joined() -> None:
    assert plan(SCRIPT).command[5:] == (
        *("2", "3", "cp", "/inputs/source/rules.tar", "/out/two words", "1", "true"),
    )
    assert plan(SCRIPT, limits={"cpus": "3"}).environment["CORES"] == "3"


def test_a_script_of_the_recipe_lies_beside_the_method() -> None:
    build = {"method": "script", "image": "debian-trixie-build", "script": "build.sh"}
    planned = make_plan(recipe(build), [], script=b"make\n", cores=1)
    assert planned.command[5:] == ("1", "1", "/samebits/recipe-script")
    assert planned.control["recipe-script"] == b"make\n"


@pytest.mark.parametrize(
    ("build", "names", "words"),
    [
        (DEBIAN, [], "expected one source input ending in .dsc, got 0"),
        (DEBIAN, ["source/r.tar.xz"], "got 0"),
        (DEBIAN, ["dependency/r.dsc"], "got 0"),
        (DEBIAN, ["source/a.dsc", "source/b.dsc"], "got 2"),
        (WHEEL, ["source/r.whl"], "expected one source input ending in .tar.gz or"),
        (WHEEL, ["source/a.tar.gz", "source/b.zip"], "got 2"),
        (WHEEL, ["source/a.zip", "toolchain/t.tar.gz"], "expected wheels as toolchain"),
        (WHEEL, ["source/a.zip", "dependency/t.zip"], "got 't.zip'"),
    ],
)
def test_inputs_that_do_not_fit_the_method_are_named(
    build: dict[str, Any], names: list[str], words: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        plan(build, *names)
    assert words in str(caught.value)
    assert caught.value.field == "inputs"
    assert f"method {build['method']}" in caught.value.what


def test_labels_say_whose_a_container_is() -> None:
    from datetime import UTC, datetime, timedelta, timezone

    deadline = datetime(2026, 1, 2, 5, 4, 5, 6, tzinfo=timezone(timedelta(hours=2)))
    labels = LABELS.to_dict(deadline)
    assert labels[LABEL_CENTER] == "geneva"
    assert labels["samebits.run"] == LABELS.run
    assert labels["samebits.deadline"] == "2026-01-02T03:04:05+00:00"
    assert datetime.fromisoformat(labels["samebits.deadline"]).tzinfo == UTC
