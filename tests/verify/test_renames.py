"""Which removed and added files are one file that was renamed."""

from __future__ import annotations

from pathlib import Path

from builders.core.digest import Digest
from pipelines.verify.renames import with_renames
from pipelines.verify.source_diff import SourceChange, SourceFile

LINES = b"".join(b"line %d\n" % number for number in range(30))


class Trees:
    """Makes changes of files with given contents."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, data: bytes) -> SourceFile:
        path = self.folder / Digest.of(data).hex
        path.write_bytes(data)
        return SourceFile(mode="100644", digest=Digest.of(data), size=len(data), path=path)

    def changed(self, gone: dict[str, bytes], made: dict[str, bytes]) -> dict[str, str | None]:
        removed = [SourceChange(path=p, before=self.file(d), after=None) for p, d in gone.items()]
        added = [SourceChange(path=p, before=None, after=self.file(d)) for p, d in made.items()]
        found = with_renames(sorted([*removed, *added], key=lambda change: change.path))
        return {change.path: change.was for change in found}


def test_equal_files_are_one_and_the_same_name_is_preferred(tmp_path: Path) -> None:
    found = Trees(tmp_path).changed(
        {"a/x.c": LINES, "a/y.c": LINES}, {"b/y.c": LINES, "b/x.c": LINES}
    )
    assert found == {"b/x.c": "a/x.c", "b/y.c": "a/y.c"}


def test_files_that_share_most_lines_are_one(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    assert trees.changed({"old": LINES}, {"new": LINES + b"more\n" * 3}) == {"new": "old"}
    other = b"".join(b"other %d\n" % number for number in range(30))
    assert trees.changed({"old": LINES}, {"new": other}) == {"new": None, "old": None}


def test_each_file_is_renamed_once_to_the_most_alike(tmp_path: Path) -> None:
    found = Trees(tmp_path).changed(
        {"old": LINES}, {"far": LINES + b"1\n2\n3\n4\n5\n", "near": LINES + b"1\n"}
    )
    assert found == {"far": None, "near": "old"}


def test_empty_and_binary_files_are_no_ground(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    assert trees.changed({"a": b""}, {"b": b""}) == {"a": None, "b": None}
    assert trees.changed({"a": b"\0" + LINES}, {"b": b"\0" + LINES + b"x\n"})["b"] is None
