"""A jail that reads in this process, and can be told to fail as a real one does."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from builders.core.errors import SamebitsError
from builders.jail.file_reader import P, R, Reader


class OpenJail:
    """Runs readers without confinement; a `Jail`."""

    def __init__(self, failing: SamebitsError | None = None) -> None:
        """Raise `failing` instead of reading, if it is given."""
        self.failing = failing

    def start(self) -> None:
        """There is nothing to start."""

    def close(self) -> None:
        """Nor to end."""

    def run(
        self,
        reader: Reader[P, R],
        files: Sequence[BinaryIO],
        parameters: P,
        *,
        outputs: Sequence[BinaryIO] = (),
        seconds: float | None = None,
    ) -> R:
        """Return what the reader returns, as it arrives from a jail."""
        if self.failing is not None:
            raise self.failing
        with ExitStack() as held:
            given = [_opened_again(file, held) for file in files]
            value = reader.read([*given, *outputs], parameters, tempfile.TemporaryFile)
        return reader.result.validate_json(reader.result.dump_json(value, by_alias=True))


def _opened_again(file: BinaryIO, held: ExitStack) -> BinaryIO:
    """Give a file a position of its own, as a jail does: others read it at the same time."""
    try:
        number = file.fileno()
    except OSError:
        return file
    file.flush()
    return held.enter_context(Path(f"/proc/self/fd/{number}").open("rb"))
