"""What the bytes of a file are: parts, each with what may mask it or why nothing may."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from builders.recipe.normalizers import NormalizerName
from pipelines.judge.normalizers.ledger import MAX_DETAIL, MaskFault, NotMasked


class UnmaskableError(Exception):
    """Raised inside of a format, and returned by its reader as a `NotMasked`."""

    def __init__(self, fault: MaskFault, detail: str) -> None:
        """Keep both parts."""
        super().__init__(detail)
        self.refused = NotMasked(fault=fault, detail=detail[:MAX_DETAIL])


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePlace:
    """A file, or a member of one: its path, and where its bytes are."""

    members: tuple[str, ...] = ()
    start: int
    size: int

    @property
    def end(self) -> int:
        """Where its bytes end."""
        return self.start + self.size


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePart:
    """Some bytes of a file, and what they are."""

    offset: int
    length: int
    field: str
    place: FilePlace
    mask: NormalizerName | None = None
    fault: MaskFault = MaskFault.UNLIKE
    """Why they may not be masked, where no normalizer does."""
    inside: bool = False
    """Whether they are the content of a member, at `place`."""


class Wanted:
    """The offsets at which two files differ, in order."""

    def __init__(self, at: Sequence[int]) -> None:
        """Take note of sorted offsets."""
        self.at = at

    def within(self, offset: int, length: int) -> range:
        """Return which of them lie in a part, as indexes."""
        return range(bisect_left(self.at, offset), bisect_left(self.at, offset + length))


def read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    """Read exactly so many bytes; raises `UnmaskableError` where there are fewer."""
    if offset + length > file.seek(0, 2):
        raise UnmaskableError(MaskFault.UNREADABLE, f"the file ends before {offset + length}")
    file.seek(offset)
    return file.read(length)
