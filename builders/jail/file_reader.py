"""What can be asked of the jail: a table of readers, each with its types and limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import IO, BinaryIO, Generic, Protocol, TypeVar

from pydantic import TypeAdapter

from builders.core.errors import SamebitsError
from builders.core.frozen_model import FrozenModel

P = TypeVar("P", bound=FrozenModel)
R = TypeVar("R")

Scratch = Callable[[], AbstractContextManager[IO[bytes]]]
"""Opens an empty file to write to and read again, which is gone when it is closed."""


class Nothing(FrozenModel):
    """The parameters of a reader that needs none."""


@dataclass(frozen=True, kw_only=True)
class JailLimits:
    """What reading one file may cost. A file that needs more is not read."""

    seconds: float
    """Of wall time, from the start of its process."""
    answer: int
    """Bytes of the answer."""
    memory: int = 512 << 20
    """Bytes of address space, the reader's own code included."""
    scratch_files: int = 0
    """Scratch files that may be open at a time."""
    scratch: int = 1 << 30
    """Bytes of one of them."""


@dataclass(frozen=True, kw_only=True)
class Reader(Generic[P, R]):
    """A function that reads foreign files, given by their descriptors, and returns a value."""

    name: str
    """`module:attribute` at which this very object is found: the jail imports it from there."""
    read: Callable[[Sequence[BinaryIO], P, Scratch], R] = field(repr=False)
    """Reads the files, which are seekable, writes to the outputs that follow them, and may use
    scratch files."""
    parameters: type[P]
    result: TypeAdapter[R] = field(repr=False)
    """What the answer is parsed with, strictly."""
    limits: JailLimits
    errors: tuple[type[SamebitsError], ...] = ()
    """What `read` may raise; raised again by `Jail.run`."""
    prepare: Callable[[], object] = field(default=lambda: None, repr=False)
    """Imports what only reading needs, so that those who ask need not; called in the jail, before
    there is a file."""


class Jail(Protocol):
    """Runs readers on foreign files."""

    def start(self) -> None:
        """Get ready, so that the first file need not wait."""

    def close(self) -> None:
        """End whatever is still reading."""

    def run(
        self,
        reader: Reader[P, R],
        files: Sequence[BinaryIO],
        parameters: P,
        *,
        outputs: Sequence[BinaryIO] = (),
        seconds: float | None = None,
    ) -> R:
        """Return what `reader` makes of `files`, in at most `seconds` or its own limit.

        The files may stand at any position, and stay there; `outputs` are the files that it may
        write to. What it wrote is as foreign as what it read. Raises the errors of the reader,
        `JailFailedError` when it gave no value, and `JailUnavailableError` when it was not started.
        """
