"""From the name of a release to its files; each way of not finding them is one finding."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders.core.errors import InputMismatchError, InputUnavailableError, UsageError
from pipelines.infer.debian.source import source_locator
from pipelines.infer.wheel.distributions import check_distinct, files_on_disk, find_release
from tests.infer.workbench import FakeIndex, sdist, source_files, wheel, wheel_files

DAY = datetime(2022, 6, 1, tzinfo=UTC)


def index(*, source: bool = True, pure: bool = True, yanked: str | None = None) -> FakeIndex:
    made = FakeIndex()
    if pure:
        made.put("tool", "1.0", DAY, yanked=yanked)
    made.put(
        "tool",
        "1.0",
        DAY,
        name="tool-1.0-cp39-cp39-linux_x86_64.whl",
        tags=frozenset({"cp39-cp39-linux_x86_64"}),
    )
    if source:
        made.put("tool", "1.0", DAY, name="tool-1.0.zip", kind="sdist", tags=frozenset())
        made.put("tool", "1.0", DAY, name="tool-1.0.tar.gz", kind="sdist", tags=frozenset())
    return made


def test_wheel_and_source_are_found_by_name() -> None:
    target = find_release("pkg:pypi/tool@1.0", index())
    assert target.release == "pypi/tool@1.0"
    assert target.shipped.name == "tool-1.0-py3-none-any.whl"
    assert target.source.name == "tool-1.0.tar.gz"
    locator = "pkg:pypi/tool@1.0?file_name=tool-1.0-py3-none-any.whl"
    assert str(target.shipped.locator) == locator
    assert target.uploaded == DAY


def test_a_yanked_release_is_rebuilt_and_says_so() -> None:
    target = find_release("pkg:pypi/tool@1.0", index(yanked="broken"))
    assert target.notes == ("the vendor has yanked this release: broken",)


@pytest.mark.parametrize(
    ("purl", "made", "message"),
    [
        ("pkg:pypi/nothing@1.0", index(), "no project nothing"),
        ("pkg:pypi/tool@2.0", index(), "no version 2.0"),
        ("pkg:pypi/tool@1.0", index(source=False), "without a source distribution"),
        ("pkg:pypi/tool@1.0", index(pure=False), "without a pure wheel"),
        ("pkg:pypi/tool@1.0?file_name=other-1.0-py3-none-any.whl", index(), "not served"),
    ],
)
def test_what_is_not_there_is_one_finding(purl: str, made: FakeIndex, message: str) -> None:
    with pytest.raises(InputUnavailableError, match=message):
        find_release(purl, made)


@pytest.mark.parametrize("purl", ["tool", "pkg:npm/tool@1.0", "pkg:pypi/tool@not a version"])
def test_what_is_no_release_is_the_callers_fault(purl: str) -> None:
    with pytest.raises(UsageError):
        find_release(purl, index())


def test_of_many_files_three_are_named() -> None:
    made = FakeIndex()
    for number in range(9):
        made.put("tool", "1.0", DAY, name=f"tool-1.0-cp3{number}.whl", tags=frozenset())
    with pytest.raises(InputUnavailableError) as error:
        find_release("pkg:pypi/tool@1.0", made)
    named = "9 files, such as tool-1.0-cp30.whl, tool-1.0-cp31.whl, tool-1.0-cp32.whl"
    assert error.value.got == named


@pytest.mark.parametrize("purl", ["tool", "pkg:npm/tool@1.0", "pkg:deb/debian/tool@1.0"])
def test_what_is_no_release_tells_one_expectation(purl: str) -> None:
    read = source_locator if purl.startswith("pkg:deb") else lambda p: find_release(p, index())
    with pytest.raises(UsageError) as error:
        read(purl)
    assert str(error.value).count("expected") == 1
    assert "?arch=source" in str(error.value)


def test_files_on_disk_are_a_release_too(tmp_path: Path) -> None:
    made = wheel(tmp_path / "my_tool-1.0-py3-none-any.whl", wheel_files())
    source = sdist(tmp_path / "tool-1.0.tar.gz", source_files())
    target, files = files_on_disk(made, source)
    assert (target.product, target.version) == ("my-tool", "1.0")
    assert str(target.shipped.locator) == "file:my_tool-1.0-py3-none-any.whl"
    assert files[target.source.name] == source
    with pytest.raises(UsageError, match="is not a wheel"):
        files_on_disk(source, made)
    with pytest.raises(UsageError, match="no such file"):
        files_on_disk(made, tmp_path / "gone.tar.gz")


def test_the_shipped_file_is_no_source_of_itself(tmp_path: Path) -> None:
    made = wheel(tmp_path / "tool-1.0-py3-none-any.whl", wheel_files())
    target, _ = files_on_disk(made, made)
    with pytest.raises(InputMismatchError, match="shipped file itself"):
        check_distinct(target)
