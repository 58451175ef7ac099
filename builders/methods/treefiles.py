"""Modes and times of single files of a source tree: what a checkout had and its archive lost.

They are typed scalars that a reviewer can read and count, never bytes. A script gets each as three
words: path, mode, time; `-` stands for what is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, model_validator

from builders.methods.base import FrozenModel
from builders.methods.clock import Timestamp

MAX_FILES = 500
EVERY = "**"
_KEPT = "-"


def _path(text: str) -> str:
    path = PurePosixPath(text)
    parts = path.parts
    plain = parts[:-1] if parts and parts[-1] == EVERY else parts
    clean = str(path) == text and parts and not path.is_absolute()
    if not clean or text == "." or {"..", EVERY} & set(plain) or text.startswith("-"):
        message = (
            "expected a clean path below the top folder of the source such as src/tool.py; "
            "src/** is every file below src, ** every file"
        )
        raise ValueError(message)
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
    """One file of the unpacked source, or all below a folder, as the vendor had it."""

    path: TreePath
    mode: Annotated[
        Annotated[str, StringConstraints(pattern=r"^0?[0-7]{3}$")] | None,
        Field(description="Its mode in octal; the umask does not count."),
    ] = None
    mtime: Annotated[Timestamp | None, Field(description="When it was last changed.")] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.mode is None and self.mtime is None:
            message = "expected mode, mtime or both"
            raise ValueError(message)
        return self

    def words(self) -> tuple[str, str, str]:
        """Return path, mode and seconds since 1970 for a script."""
        mtime = _KEPT if self.mtime is None else str(self.mtime)
        return self.path, self.mode or _KEPT, mtime


def _each_once(files: tuple[TreeFile, ...]) -> tuple[TreeFile, ...]:
    paths = [file.path for file in files]
    if len(set(paths)) != len(paths):
        twice = min(path for path in paths if paths.count(path) > 1)
        message = f"expected each path once; {twice!r} is there twice"
        raise ValueError(message)
    return files


TreeFiles = Annotated[
    tuple[TreeFile, ...],
    Field(
        max_length=MAX_FILES,
        description="Modes and times that a checkout had and the archive lost, in this order.",
    ),
    AfterValidator(_each_once),
]


def tree_words(files: Sequence[TreeFile]) -> Iterator[str]:
    """Yield the number of files, then the three words of each."""
    yield str(len(files))
    for file in files:
        yield from file.words()
