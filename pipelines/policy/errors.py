"""What can be wrong with a policy, or with a statement measured by it."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from builders.core.errors import EXIT_USAGE
from pipelines.evidence.errors import EvidenceError


class Fault(StrEnum):
    """The rule that is broken, for programs."""

    EMPTY = "empty"
    EXPIRED = "expired"
    INVALID = "invalid"
    KEY_ENDED = "key-ended"
    KEY_NOT_YET = "key-not-yet"
    NOT_AN_OPERATOR = "not-an-operator"
    NOT_ENOUGH_SIGNATURES = "not-enough-signatures"
    NOT_THE_SAME = "not-the-same"
    ROLLBACK = "rollback"
    UNCHAINED = "unchained"
    UNKNOWN_CENTER = "unknown-center"
    UNKNOWN_KEY = "unknown-key"
    UNSIGNED = "unsigned"


class PolicyError(EvidenceError):
    """A policy that cannot be accepted, or something that it does not let count."""

    def __init__(
        self,
        what: str,
        *,
        fault: Fault,
        got: object = None,
        expected: object = None,
        todo: str | None = None,
    ) -> None:
        """Keep the name of the broken rule beside the message."""
        self.fault = fault
        super().__init__(what, got=got, expected=expected, todo=todo)

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the parts for `--json` output, the rule among them."""
        return {**super().to_dict(), "fault": str(self.fault)}


class CenterPolicyError(PolicyError):
    """The policy that a center's own file names cannot be used: nothing may start under it."""

    exit_code: ClassVar[int] = EXIT_USAGE
