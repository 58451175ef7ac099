"""The toolchain of a release, as it would have been installed on its day."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from builders.core.errors import InputUnavailableError
from pipelines.infer.target import Pin
from pipelines.infer.wheel.toolchain import PythonImage, Resolver, generator_of, parse_requirements
from tests.fakes.jail import OpenJail
from tests.infer.workbench import IMAGES, FakeIndex, backends

DAY = datetime(2022, 6, 1, tzinfo=UTC)
OLD, NEW = IMAGES[0], IMAGES[2]


@pytest.fixture
def wheels(tmp_path: Path) -> dict[str, Path]:
    """Wheels of the index by file name; a test adds those that require something."""
    return {"": tmp_path}


def resolver(index: FakeIndex, wheels: dict[str, Path], without: str = "") -> Resolver:
    def wheel_of(pin: Pin) -> Path:
        if pin.name not in wheels:
            path = wheels[""] / pin.name
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("x-1.dist-info/METADATA", "Name: x\n")
            wheels[pin.name] = path
        return wheels[pin.name]

    return Resolver(index, wheel_of, OpenJail(), without=without)


def requiring(wheels: dict[str, Path], name: str, *requirements: str) -> None:
    path = wheels[""] / name
    with zipfile.ZipFile(path, "w") as archive:
        lines = "".join(f"Requires-Dist: {r}\n" for r in requirements)
        archive.writestr("x-1.dist-info/METADATA", f"Name: x\n{lines}")
    wheels[name] = path


def chosen(
    resolver: Resolver, *wanted: str, python: PythonImage = OLD, day: datetime = DAY
) -> list[str]:
    tools = resolver.resolve(parse_requirements(wanted), python, day)
    return [f"{t.project} {t.version}" for t in tools]


@pytest.mark.parametrize(
    ("line", "project", "version"),
    [
        ("bdist_wheel (0.37.1)", "wheel", "0.37.1"),
        ("setuptools (75.6.0)", "setuptools", "75.6.0"),
        ("flit 3.9.0", "flit-core", "3.9.0"),
        ("hatchling 1.18.0", "hatchling", "1.18.0"),
        ("poetry-core 1.7.0", "poetry-core", "1.7.0"),
        ("poetry 1.0.8", "poetry-core", "1.0.8"),
        ("pdm-backend (2.1.4)", "pdm-backend", "2.1.4"),
        ("pdm-pep517 1.0.6", "pdm-pep517", "1.0.6"),
    ],
)
def test_generators_are_projects(line: str, project: str, version: str) -> None:
    found = generator_of(line)
    assert found is not None
    assert (found.project, str(found.version)) == (project, version)


@pytest.mark.parametrize(
    "line", ["", "maturin (1.0)", "bdist_wheel (0.37.1) and more", "flit my-own"]
)
def test_other_programs_are_not_guessed(line: str) -> None:
    assert generator_of(line) is None


def test_the_newest_of_the_day_is_taken(wheels: dict[str, Path]) -> None:
    found = resolver(backends(), wheels)
    assert chosen(found, "setuptools") == ["setuptools 61.3.1"]
    assert chosen(found, "setuptools", day=datetime(2021, 6, 1, tzinfo=UTC)) == [
        "setuptools 56.2.0"
    ]
    assert chosen(found, "setuptools<60") == ["setuptools 56.2.0"]


def test_an_exact_version_may_be_newer_than_the_day(wheels: dict[str, Path]) -> None:
    assert chosen(resolver(backends(), wheels), "wheel==0.38.4") == ["wheel 0.38.4"]


def test_what_the_index_cannot_date_is_never_taken_for_old(wheels: dict[str, Path]) -> None:
    index = backends()
    index.put("setuptools", "99.0", None)
    assert chosen(resolver(index, wheels), "setuptools") == ["setuptools 61.3.1"]


def test_a_file_must_run_on_the_python(wheels: dict[str, Path]) -> None:
    index = backends()
    index.put("setuptools", "62.0", DAY, requires_python=">=3.10")
    index.put("setuptools", "62.1", DAY, tags=frozenset({"cp39-cp39-linux_x86_64"}))
    assert chosen(resolver(index, wheels), "setuptools", python=OLD) == ["setuptools 61.3.1"]
    assert chosen(resolver(index, wheels), "setuptools", python=NEW) == ["setuptools 62.0"]


def test_requirements_of_tools_come_along(wheels: dict[str, Path]) -> None:
    index = backends()
    index.put("hatchling", "1.0", DAY)
    index.put("pluggy", "1.0", DAY)
    index.put("tomli", "2.0", DAY)
    requiring(
        wheels,
        "hatchling-1.0-py3-none-any.whl",
        "pluggy>=1",
        "tomli; python_version < '3.11'",
        "absent; extra == 'docs'",
    )
    found = resolver(index, wheels)
    assert chosen(found, "hatchling", python=OLD) == ["hatchling 1.0", "pluggy 1.0", "tomli 2.0"]
    assert chosen(found, "hatchling", python=NEW) == ["hatchling 1.0", "pluggy 1.0"]


def test_a_backend_that_builds_itself_is_no_tool_of_its_own(wheels: dict[str, Path]) -> None:
    found = resolver(backends(), wheels, without="setuptools")
    assert chosen(found, "setuptools", "wheel==0.37.1") == ["wheel 0.37.1"]


def test_no_fitting_version_is_one_finding(wheels: dict[str, Path]) -> None:
    with pytest.raises(InputUnavailableError, match="no pure wheel of setuptools fits"):
        chosen(resolver(backends(), wheels), "setuptools>=100")


def test_broken_requirements_are_left_out() -> None:
    assert parse_requirements(["wheel", "not a requirement !"]) == [Requirement("wheel")]
