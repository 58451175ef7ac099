"""Modes and times of single files of a source tree, which the vendor's checkout had.

They are not in the source archive, so they are declared as scalars that a reviewer can read. The
method's script gets each as three words: path, mode, time; `-` leaves a value unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, model_validator

from builders.core.frozen_model import FrozenModel, duplicate
from builders.methods.base import OctalMode
from builders.methods.clock import Timestamp

MAX_FILES = 500
EVERY = "**"
_UNCHANGED = "-"


def _path(text: str) -> str:
    path = PurePosixPath(text)
    parts = path.parts
    plain = parts[:-1] if parts and parts[-1] == EVERY else parts
    clean = str(path) == text and parts and not path.is_absolute()
    if not clean or text == "." or {"..", EVERY} & set(plain) or text.startswith("-"):
        raise ValueError(
            "expected a clean path below the top folder of the source such as src/tool.py; "
            "src/** is every file below src, ** every file"
        )
    return text


TreePath = Annotated[
    str,
    StringConstraints(max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$"),
    AfterValidator(_path),
    WithJsonSchema(
        {
            "type": "string",
            "description": "A path below the top folder of the source; src/** is every file there.",
            "pattern": r"^(?![/-])(?!(.*/)?\.{1,2}(/|$))[^\u0000-\u001f]+$",
            "examples": ["src/tool.py", "src/**", "**"],
        }
    ),
]


class TreeFile(FrozenModel):
    """The mode and time of one file of the source, or of all files below a folder."""

    path: TreePath
    mode: Annotated[
        OctalMode | None, Field(description="Its mode in octal; the umask does not count.")
    ] = None
    mtime: Annotated[Timestamp | None, Field(description="When it was last changed.")] = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.mode is None and self.mtime is None:
            raise ValueError("expected mode, mtime or both")
        return self

    def words(self) -> tuple[str, str, str]:
        """Return path, mode and seconds since 1970 for the method's script."""
        mtime = _UNCHANGED if self.mtime is None else str(self.mtime)
        return self.path, self.mode or _UNCHANGED, mtime


def _distinct(files: tuple[TreeFile, ...]) -> tuple[TreeFile, ...]:
    if twice := duplicate(file.path for file in files):
        raise ValueError(f"expected each path once; {twice!r} is there twice")
    return files


TreeFiles = Annotated[
    tuple[TreeFile, ...],
    Field(
        max_length=MAX_FILES,
        description="Modes and times that a checkout had and the archive lost, in this order.",
    ),
    AfterValidator(_distinct),
]


def tree_words(files: Sequence[TreeFile]) -> Iterator[str]:
    """Yield the number of files, then the three words of each."""
    yield str(len(files))
    for file in files:
        yield from file.words()
