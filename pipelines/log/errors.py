"""What can be wrong with a log: its notes, its checkpoints, its proofs; or the log itself."""

from __future__ import annotations

from pipelines.evidence.errors import EvidenceError


class LogError(EvidenceError):
    """A log, or a part of one, that cannot be accepted."""


class NoteError(LogError):
    """A note, or a note's key, that is not in its form or not signed by a known key."""


class CheckpointError(LogError):
    """A signed text that is no checkpoint of the expected log."""


class ProofError(LogError):
    """A proof that does not show what it claims."""


class ForkError(LogError):
    """Two checkpoints that do not show a fork of the log."""


class ForkedLogError(LogError):
    """A log shows another tree than its key has signed before, of the same or fewer leaves."""
