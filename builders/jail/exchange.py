"""What goes between a center's process, the jail's parent and a reader. JSON, and descriptors.

A request goes over a Unix socket with the descriptors of answer, control, parameters (a file of
JSON, of any size), files, outputs and scratch files.
The answer is a mark that the process is confined, then one letter, then JSON: anything after the
mark may be forged by the file that is read, and is parsed strictly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field

from builders.core.errors import SamebitsError
from builders.core.frozen_model import FrozenModel

MAX_REQUEST = 1 << 12
MAX_DESCRIPTORS = 32
MAX_END = 1 << 12

CONFINED = b"+"
"""The first byte of an answer, written before the first byte of a file is read."""
VALUE = b"V"
ERROR = b"E"
NO_MEMORY = b"M"

SHOWN = 1000
"""Characters of one text in a message."""


Text = Annotated[str, Field(max_length=SHOWN)]


class JailRequest(FrozenModel):
    """What a reader is to do, and within which limits."""

    reader: str
    files: int
    """How many of the descriptors are files to read; outputs follow, then scratch files."""
    outputs: int
    seconds: float
    memory: int
    scratch: int


class ReaderFault(FrozenModel):
    """An error that a reader raised."""

    kind: str
    """The name of its class."""
    what: Text
    got: Text | None = None
    expected: Text | None = None

    @classmethod
    def of(cls, error: Exception, known: Iterable[type[Exception]]) -> Self:
        """Return the parts of an error, shortened, as one of the classes `known` if it is one."""
        kind = next((k for k in known if isinstance(error, k)), type(error)).__name__
        if not isinstance(error, SamebitsError):
            return cls(kind=kind, what=str(error)[:SHOWN])
        parts = (error.what, error.got, error.expected)
        what, got, expected = (part[:SHOWN] if part else part for part in parts)
        return cls(kind=kind, what=what or "", got=got, expected=expected)


class ReaderEnd(FrozenModel):
    """How the process of a reader ended, as its own parent saw it."""

    failed: Text | None = None
    """Why it could not be confined."""
    timed_out: bool = False
    code: int | None = None
    """The exit code, or the negated signal."""
