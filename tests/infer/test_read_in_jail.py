"""Wheels, sources and packages are read in the jail, and what it says of them is what is read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.core.errors import InfrastructureError, InputMismatchError
from builders.jail import Jail, JailEnd, JailFailedError, ParserJail
from builders.locators.dsc import companions
from pipelines.infer.script.parts import read_parts
from pipelines.infer.wheel.comparison import compare_wheels
from pipelines.infer.wheel.facts import read_requirements, read_sdist, read_wheel
from pipelines.verify.readers import READERS
from tests.builders.locators.test_dsc import PLAIN
from tests.fakes.jail import OpenJail
from tests.infer.workbench import METADATA, Entry, sdist, source_files, wheel, wheel_files

NAME, SOURCE = "tool-1.0-py3-none-any.whl", "tool-1.0.tar.gz"


@pytest.fixture(scope="module")
def jail() -> Iterator[ParserJail]:
    jail = ParserJail(READERS)
    yield jail
    jail.close()


def everything(folder: Path, jail: Jail) -> list[object]:
    """Return what is read of a wheel, another one, its source and a .dsc."""
    needs = METADATA.replace("\n\n", "\nRequires-Dist: other >= 2\n\n")
    one, other = (
        wheel(folder / name, wheel_files(metadata=text))
        for name, text in ((NAME, METADATA), ("other.whl", needs))
    )
    project = b'[build-system]\nrequires = ["setuptools"]\n'
    source = sdist(
        folder / SOURCE, {**source_files(), "pyproject.toml": Entry(data=project), "b": Entry()}
    )
    return [
        read_wheel(one, NAME, jail),
        read_sdist(source, SOURCE, jail),
        read_requirements(other, jail),
        compare_wheels(one, other, NAME, jail),
        companions(io.BytesIO(PLAIN.encode()), jail, what="tool.dsc"),
    ]


def test_the_jail_reads_what_is_read_outside_of_it(tmp_path: Path, jail: ParserJail) -> None:
    found = everything(tmp_path, jail)
    assert found == everything(tmp_path, OpenJail())
    assert found[2] == ("other >= 2",)


def test_a_file_that_is_no_wheel_is_named_by_the_jail(tmp_path: Path, jail: ParserJail) -> None:
    (tmp_path / NAME).write_bytes(b"PK\3\4 and then nothing")
    with pytest.raises(InputMismatchError, match=rf"{NAME} cannot be read.*a sound archive"):
        read_wheel(tmp_path / NAME, NAME, jail)


@pytest.mark.parametrize("end", JailEnd)
def test_a_reader_that_fails_leaves_a_wheel_unread_and_a_machine_at_fault(
    tmp_path: Path, end: JailEnd
) -> None:
    failing = OpenJail(JailFailedError(end, "a reader failed", got=end))
    made = wheel(tmp_path / NAME, wheel_files())
    with pytest.raises(InputMismatchError, match=f"cannot be read.*{end}"):
        read_wheel(made, NAME, failing)
    with pytest.raises(InputMismatchError, match=f"cannot be read.*{end}"):
        compare_wheels(made, made, NAME, failing)
    with pytest.raises(InfrastructureError, match=rf"tool\.dsc was not read.*{end}"):
        companions(io.BytesIO(b""), failing, what="tool.dsc")


def test_texts_of_a_whole_file_are_bounded(tmp_path: Path, jail: ParserJail) -> None:
    members = {}
    for number in range(16):
        words = (f"{number:03d}-{word:05d}-{'x' * 90}" for word in range(15_000))
        members[f"m{number:02d}"] = Entry(data="\0".join(words).encode())
    found = read_parts(wheel(tmp_path / "many", members, level=1), jail)
    sizes = {path: len(part.texts) for path, part in found.items()}
    assert sizes["m00"] == sizes["m08"] == 15_000
    assert {sizes[f"m{number:02d}"] for number in range(12, 16)} == {0}
    assert all(part.digest for part in found.values())
