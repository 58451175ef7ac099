"""What a format of deltas does: apply one, inside of the jail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from builders.jail.file_reader import Scratch


@dataclass(frozen=True, kw_only=True)
class DeltaLimits:
    """What applying one delta may cost."""

    size: int
    """Bytes of our target; of a format that writes members, the most that it may write."""
    scratch: Scratch


@dataclass(frozen=True, kw_only=True)
class DeltaFormat:
    """A format of deltas. All files are seekable; outputs are empty and can be read, too."""

    apply: Callable[[BinaryIO, BinaryIO, BinaryIO, DeltaLimits], None]
    """Applies to a base a delta, and writes to an output; raises `UpdateError`.

    Refuses what reads outside of the base, writes more than the limit, or has bytes left over.
    """
    members: Callable[[BinaryIO, BinaryIO, DeltaLimits], None] | None = None
    """Writes the members of a full file to an output, in the form in which `apply` does.

    Only for formats whose results have no canonical bytes. Raises `UpdateError`.
    """
