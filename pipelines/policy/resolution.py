"""Resolutions: what the operators have decided about a log whose key has signed two histories.

A log that forked counts for nothing until a policy, signed by a threshold of its operators, says
which history they accept and which signed checkpoints they reject. The log ends there: the keys of
its center end at the accepted size, and a successor goes on in a log of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from pipelines.log.checkpoint import Checkpoint
from pipelines.policy.fields import Line, LogSize, RootHash

MAX_REJECTED = 100


@dataclass(frozen=True, kw_only=True)
class LogTree:
    """The first leaves of a log: how many, and the root of their tree."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    size: LogSize
    root: RootHash

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.size} leaves with root {self.root}"

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> LogTree:
        """Return the tree of a checkpoint."""
        return cls(size=checkpoint.size, root=checkpoint.root.hex())


@dataclass(frozen=True, kw_only=True)
class ForkResolution:
    """The history of one log that counts, and what else its key has signed, which does not."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    log: Line
    """The origin of the log."""
    accepted: LogTree
    """The whole history: the log ends here."""
    rejected: Annotated[tuple[LogTree, ...], Field(min_length=1, max_length=MAX_REJECTED)]
    """Checkpoints of other histories; whatever lies on those never counts."""
    reason: Line
    """For people."""

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.accepted}; not {', '.join(map(str, self.rejected))} ({self.reason})"

    def accepts(self, checkpoint: Checkpoint) -> bool:
        """Return whether a checkpoint of this log is that of the accepted history."""
        return LogTree.of(checkpoint) == self.accepted

    def settles(self, checkpoint: Checkpoint) -> bool:
        """Return whether a checkpoint that is not of the accepted history stops the log no more.

        It is one of those rejected, or of leaves beyond the end of the log.
        """
        return checkpoint.size > self.accepted.size or LogTree.of(checkpoint) in self.rejected
