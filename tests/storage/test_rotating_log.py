"""A log that is written to for ever stays small, and keeps the newest lines, escaped."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.storage.rotating_log import KEPT, MAX_BYTES, copy_lines, log_pipe


def keep(path: Path, data: bytes) -> list[Path]:
    copy_lines(io.BytesIO(data), path, max_bytes=1000, kept=2)
    return sorted(path.parent.glob("a.log*"))


def test_the_newest_lines_are_kept_in_a_few_small_files(tmp_path: Path) -> None:
    lines = [b"line %d\n" % number for number in range(5000)]
    files = keep(tmp_path / "a.log", b"".join(lines))
    assert [path.name for path in files] == ["a.log", "a.log.1", "a.log.2"]
    assert all(path.stat().st_size <= 1000 for path in files)
    kept = b"".join((tmp_path / f"a.log{end}").read_bytes() for end in (".2", ".1", ""))
    assert b"".join(lines).endswith(kept)
    assert len(kept) > 2000


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (b"", ""),
        (b"no end", "no end"),
        (b"\xff\xfe\x00 no text\n", r"\xff\xfe\x00 no text" + "\n"),
        ("\u00fc\n".encode(), "\u00fc\n"),
        (b"a\r\nb\rc\n", r"a\r" + "\n" + r"b\rc" + "\n"),
        (b"%s %d\n", "%s %d\n"),
        ("\u202e\x9b2J\u2028".encode(), r"\u202e\x9b2J\u2028"),
    ],
)
def test_what_is_written_is_kept_with_escapes(tmp_path: Path, data: bytes, kept: str) -> None:
    keep(tmp_path / "a.log", data)
    assert (tmp_path / "a.log").read_text() == kept


def test_an_endless_line_is_no_endless_file(tmp_path: Path) -> None:
    files = keep(tmp_path / "a.log", b"x" * 1_000_000)
    assert sum(path.stat().st_size for path in files) <= 3 * (1 << 16)


def test_it_goes_on_where_an_earlier_one_ended(tmp_path: Path) -> None:
    keep(tmp_path / "a.log", b"one\n")
    keep(tmp_path / "a.log", b"two\n")
    assert (tmp_path / "a.log").read_bytes() == b"one\ntwo\n"


def test_a_full_disk_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    """`/dev/full` takes no byte; once there is room, the next lines are kept."""
    path = tmp_path / "a.log"
    path.symlink_to("/dev/full")

    class Lines(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(size)
            if line == b"500\n":
                path.unlink()
            return line

    source = Lines(b"".join(b"%d\n" % number for number in range(1000)))
    copy_lines(source, path, max_bytes=1 << 20, kept=2)
    assert path.read_bytes().endswith(b"998\n999\n")


def test_the_process_ends_with_the_last_writer_and_others_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with log_pipe(path) as (target, writer):
        program = "import os, time; os.write(1, b'one '); time.sleep(0.2); os.write(2, b'two')"
        child = subprocess.Popen([sys.executable, "-c", program], stdout=target, stderr=target)
    assert child.wait(30) == writer.wait(30) == 0
    assert path.read_bytes() == b"one two"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_service_in_a_loop_does_not_fill_the_disk(tmp_path: Path) -> None:
    path, block = tmp_path / "a.log", b"x" * 65_535 + b"\n"
    with log_pipe(path) as (target, writer):
        for _ in range(2 * MAX_BYTES * (KEPT + 1) // len(block)):
            os.write(target, block)
    assert writer.wait(60) == 0
    files = list(tmp_path.iterdir())
    assert len(files) == KEPT + 1
    assert sum(file.stat().st_size for file in files) <= MAX_BYTES * (KEPT + 1)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
