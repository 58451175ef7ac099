"""Work on files that goes on at the same time, in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

T = TypeVar("T")


class Start(Protocol):
    """Starts work on a file, and returns what waits for its result."""

    def __call__(self, work: Callable[[BinaryIO], T], file: BinaryIO) -> Callable[[], T]:
        """Give `work` the file with a position of its own.

        A file in memory has one position: work on it is done when its result is asked for.
        """


@contextmanager
def side_by_side() -> Iterator[Start]:
    """Yield what starts work; all that was started has come to its end afterwards."""
    with ThreadPoolExecutor() as pool:

        def start(work: Callable[[BinaryIO], T], file: BinaryIO) -> Callable[[], T]:
            try:
                path = Path(f"/proc/self/fd/{file.fileno()}")
            except OSError:
                return partial(work, file)
            return pool.submit(_opened, work, path).result

        yield start


def _opened(work: Callable[[BinaryIO], T], path: Path) -> T:
    with path.open("rb") as file:
        return work(file)
