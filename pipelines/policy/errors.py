"""What can be wrong with a policy, or with a statement measured by it."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Self

from builders.core.errors import EXIT_USAGE
from pipelines.evidence.errors import EvidenceError

_NEW_VERSION = "Do not rely on it: its operators mend it and sign a new version"
_MORE_SIGNATURES = "More of them must sign it: `samebits policy sign`"


class Fault(StrEnum):
    """The rule that is broken, for programs; `what` and `todo` say it to people."""

    what: str
    todo: str | None

    def __new__(cls, value: str, what: str, todo: str | None = None) -> Self:
        """Keep the message beside the value."""
        fault = str.__new__(cls, value)
        fault._value_, fault.what, fault.todo = value, what, todo
        return fault

    EMPTY = "empty", "the policy is empty: it names no one", "Name the signed policy of the centers"
    EXPIRED = "expired", "the policy has expired", "Sign a new version with a later `expires`"
    INVALID = "invalid", "the signed policy contradicts itself", _NEW_VERSION
    KEY_ENDED = "key-ended", "the key has ended", "It may have been stolen: do not rely on it"
    KEY_NOT_YET = "key-not-yet", "the key does not count yet"
    NOT_AN_OPERATOR = "not-an-operator", "the policy has no such operator"
    NOT_ENOUGH_SIGNATURES = (
        "not-enough-signatures",
        "the policy is not signed by enough of its operators",
        _MORE_SIGNATURES,
    )
    NOT_THE_SAME = (
        "not-the-same",
        "two policies have one version",
        "A change needs a new version",
    )
    ROLLBACK = (
        "rollback",
        "the policy is older than the one that was accepted",
        "An old policy is being served: find out by whom, and do not rely on it",
    )
    UNCHAINED = (
        "unchained",
        "the policy is not signed by enough of the operators of the policy before it",
        _MORE_SIGNATURES,
    )
    UNKNOWN_CENTER = (
        "unknown-center",
        "the policy has no such center",
        "Its findings count for nothing until a policy names it",
    )
    UNKNOWN_KEY = (
        "unknown-key",
        "the policy gives that key to no center",
        "It is not signed by a center of the policy: do not rely on it",
    )
    UNSIGNED = (
        "unsigned",
        "the policy is not signed",
        "Sign it: `samebits policy sign POLICY.yaml --key FILE --operator NAME --out FILE`",
    )


class PolicyError(EvidenceError):
    """A policy that cannot be accepted, or something that it does not let count."""

    def __init__(
        self,
        fault: Fault,
        *,
        got: object,
        expected: object,
        what: str | None = None,
        todo: str | None = None,
    ) -> None:
        """Name the broken rule; `what` and `todo` are by default those of the rule."""
        self.fault = fault
        super().__init__(
            what or fault.what, got=got, expected=expected, todo=todo if what else fault.todo
        )

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the parts for `--json` output, the rule among them."""
        return {**super().to_dict(), "fault": str(self.fault)}


class CenterPolicyError(PolicyError):
    """The policy that a center's own file names cannot be used: nothing may start under it."""

    exit_code: ClassVar[int] = EXIT_USAGE
