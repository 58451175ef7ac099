"""What users name as a rule set: a file, or a folder, which the jail reads as one archive."""

from __future__ import annotations

import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from builders.core.errors import UsageError
from builders.core.escaping import escaped

MOST_FILES = 50_000
MOST_BYTES = 1 << 30


@contextmanager
def open_rules(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Open a file, or the files of a folder as a tar; raises `UsageError` and `OSError`.

    Links are not followed, and what is no file is left out, as are the files of git.
    """
    if not path.is_dir():
        with path.open("rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise UsageError(f"{path} is no file and no folder")
            yield escaped(path.name), stream
        return
    with tempfile.TemporaryFile() as packed:
        _pack(path, packed)
        packed.seek(0)
        yield "", packed


def _pack(folder: Path, out: IO[bytes]) -> None:
    count = size = 0
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in _files(folder):
            with path.open("rb") as stream:
                entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
                entry.size = os.fstat(stream.fileno()).st_size
                count, size = count + 1, size + entry.size
                if count > MOST_FILES or size > MOST_BYTES:
                    raise UsageError(
                        f"{folder} is too large for a rule set",
                        got=f"{count} files, {size} bytes",
                        expected=f"at most {MOST_FILES} files, {MOST_BYTES} bytes",
                        todo="Name the folder that has the rules",
                    )
                tar.addfile(entry, stream)


def _files(folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            file = Path(path, name)
            if stat.S_ISREG(file.lstat().st_mode):
                yield file
