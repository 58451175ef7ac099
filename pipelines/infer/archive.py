"""The members of a vendor's archives and texts inside, read forward and bounded by our readers.

All but `run_reader` is for readers of the jail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from builders.archives import ArchiveError, ArchiveLimits, Member, Scratch, members, tar
from builders.archives import zip as zipfiles
from builders.archives.compressed import DecompressedStream, compression
from builders.archives.limits import Budget
from builders.archives.member import Entry
from builders.archives.streams import ByteReader, Readable
from builders.archives.walk import archive_format
from builders.core.errors import InputMismatchError
from builders.jail.errors import JailFailedError
from builders.jail.file_reader import Jail, P, R, Reader

LIMITS = ArchiveLimits(members=100_000, unpacked=4 << 30, seconds=60)


def run_reader(
    jail: Jail, reader: Reader[P, R], paths: Sequence[Path], parameters: P, *, what: str
) -> R:
    """Read files in the jail; raises `InputMismatchError` for `what` where that gave no value."""
    with ExitStack() as held:
        files = [held.enter_context(path.open("rb")) for path in paths]
        try:
            return jail.run(reader, files, parameters)
        except JailFailedError as error:
            raise _unreadable(what, error) from error


def read_members(
    stream: BinaryIO, scratch: Scratch, *, what: str, limits: ArchiveLimits = LIMITS
) -> list[Member]:
    """List an archive, and those nested in it; raises `InputMismatchError`, which names `what`."""
    with _reading(what):
        return list(members(stream, limits, scratch=scratch))


def read_texts(
    stream: BinaryIO, wanted: Callable[[str], bool], *, most: int, what: str
) -> dict[str, bytes]:
    """Return the `wanted` files of a zip or tar, compressed or not, by the path inside it.

    Files of more than `most` bytes (at most a few MiB) are left out. Raises `InputMismatchError`,
    which names the archive as `what`.
    """
    found: dict[str, bytes] = {}
    stream.seek(0)
    with _reading(what):
        for entry in _entries(stream, Budget(LIMITS)):
            if entry.body is not None and wanted(entry.header.path):
                data = ByteReader(entry.body).upto(most + 1)
                if len(data) <= most:
                    found[entry.header.path] = data
    return found


def tarred(reader: ByteReader, budget: Budget) -> Iterator[Entry]:
    """Yield the entries of a tar, compressed or not; raises `ArchiveError`."""
    kind = compression(reader.peek(tar.BLOCK))
    body: Readable = DecompressedStream(reader, kind, budget) if kind else reader
    return tar.tar_entries(ByteReader(body), budget)


def _entries(stream: BinaryIO, budget: Budget) -> Iterator[Entry]:
    reader = ByteReader(stream)
    match archive_format(reader.peek(tar.BLOCK)):
        case None:
            raise ArchiveError("neither a tar nor a zip")
        case "zip":
            return zipfiles.zip_entries(stream, budget)
        case _:
            return tarred(reader, budget)


@contextmanager
def _reading(what: str) -> Iterator[None]:
    try:
        yield
    except ArchiveError as error:
        raise _unreadable(what, error) from error


def _unreadable(what: str, error: Exception) -> InputMismatchError:
    return InputMismatchError(f"{what} cannot be read", got=error, expected="a sound archive")
