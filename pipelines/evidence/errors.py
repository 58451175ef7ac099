"""Errors of evidence: malformed, not signed, refused by the signer, or without a usable key."""

from __future__ import annotations

from typing import ClassVar

from builders.core.errors import EXIT_NOT_CHECKED, EXIT_USAGE, SamebitsError

EXIT_REFUSED = 1


class EvidenceError(SamebitsError):
    """Evidence that cannot be accepted."""

    exit_code: ClassVar[int] = EXIT_REFUSED


class MalformedError(EvidenceError):
    """Bytes that do not follow their format."""


class SignatureError(EvidenceError):
    """An envelope that the known keys have not signed."""


class KeyFileError(EvidenceError):
    """A key that cannot be read, made or used."""

    exit_code: ClassVar[int] = EXIT_USAGE


class RefusedError(EvidenceError):
    """Evidence that the signer does not put its name to; `check` says which rule it broke."""

    def __init__(
        self, check: str, what: str, *, got: object = None, expected: object = None
    ) -> None:
        """Put the name of the check in front of the message."""
        self.check = check
        super().__init__(f"the signer refuses ({check}): {what}", got=got, expected=expected)


class SignerError(EvidenceError):
    """The signer cannot be reached, or does not answer as one."""

    exit_code: ClassVar[int] = EXIT_NOT_CHECKED
