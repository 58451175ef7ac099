"""What is read of a shipped wheel, hostile ones too."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.errors import InputMismatchError
from pipelines.infer.wheel.facts import read_wheel
from tests.fakes.jail import OpenJail
from tests.infer.workbench import BUILT, Entry, wheel, wheel_files

NAME = "tool-1.0-py3-none-any.whl"


def test_generator_times_and_modes_are_read(tmp_path: Path) -> None:
    facts = read_wheel(wheel(tmp_path / NAME, wheel_files(mode=0o664)), NAME, OpenJail())
    assert facts.generator == "bdist_wheel (0.37.1)"
    assert facts.record_faults == ()
    made = {facts.short(m): (m.mtime, m.mode) for m in facts.generated()}
    assert made["METADATA"] == (BUILT, 0o664)
    assert set(made) == {"METADATA", "WHEEL", "RECORD"}


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ("", "tool/__init__.py is not in RECORD"),
        ("tool/__init__.py,sha256=AAAA,7\n", "another digest of tool/__init__.py"),
        ("tool/__init__.py,,99\n", "another size of tool/__init__.py"),
        ("tool/gone.py,sha256=AAAA,1\n", "names tool/gone.py, which is not there"),
    ],
)
def test_a_lying_record_is_one_finding_and_stops_nothing(
    tmp_path: Path, record: str, fault: str
) -> None:
    facts = read_wheel(wheel(tmp_path / NAME, wheel_files(), record=record), NAME, OpenJail())
    assert any(fault in found for found in facts.record_faults)


def test_what_is_no_zip_is_no_wheel(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(InputMismatchError, match="cannot be read"):
        read_wheel(tmp_path / NAME, NAME, OpenJail())


@pytest.mark.parametrize(
    "files",
    [
        {"tool/__init__.py": Entry()},
        {**wheel_files(), "other-2.0.dist-info/WHEEL": Entry()},
    ],
)
def test_a_wheel_has_one_dist_info(tmp_path: Path, files: dict[str, Entry]) -> None:
    made = wheel(tmp_path / NAME, files, record=None if len(files) > 1 else "")
    if len(files) == 1:
        import zipfile

        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("tool/__init__.py", "")
    with pytest.raises(InputMismatchError, match="is not a wheel"):
        read_wheel(made, NAME, OpenJail())


def test_a_wheel_without_metadata_is_no_wheel(tmp_path: Path) -> None:
    files = {n: e for n, e in wheel_files().items() if not n.endswith("METADATA")}
    with pytest.raises(InputMismatchError, match="no METADATA"):
        read_wheel(wheel(tmp_path / NAME, files), NAME, OpenJail())
