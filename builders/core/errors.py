"""The exception hierarchy, ordered by who can fix the error.

Every error says what is wrong, what was found, what was expected and what to do. Each class has the
exit code of the command and, if it can end a rebuild, the outcome to record.
"""

from __future__ import annotations

from typing import ClassVar

from builders.core.enums import Outcome
from builders.core.escaping import escaped

EXIT_USAGE = 64
EXIT_NOT_CHECKED = 2
EXIT_INTERRUPTED = 130


class SamebitsError(Exception):
    """Base class of the errors that samebits raises itself."""

    exit_code: ClassVar[int] = EXIT_NOT_CHECKED

    def __init__(
        self, what: str, *, got: object = None, expected: object = None, todo: str | None = None
    ) -> None:
        """Keep the four parts of the message, so that programs can read each of them."""
        self.what = what
        self.got = None if got is None else str(got)
        self.expected = None if expected is None else str(expected)
        self.todo = todo
        super().__init__(str(self))

    def __str__(self) -> str:
        """Return the parts as one message, escaped: it is shown wherever errors are."""
        parts = [self.what]
        if self.got is not None:
            parts.append(f"got {self.got}")
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        text = "; ".join(parts)
        return escaped(f"{text}. {self.todo}" if self.todo else text, keep="\n")

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the parts for `--json` output."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "got": self.got,
            "expected": self.expected,
            "todo": self.todo,
        }


class UsageError(SamebitsError):
    """An option, a file or a recipe of the caller that cannot be used."""

    exit_code: ClassVar[int] = EXIT_USAGE


class RecipeError(UsageError):
    """A recipe, image definition or lock that is not valid, with file, line and field."""

    def __init__(
        self,
        what: str,
        *,
        file: str,
        line: int | None = None,
        field: str | None = None,
        got: object = None,
        expected: object = None,
        todo: str | None = None,
    ) -> None:
        """Put the location in front of the message, as `file:line: field:`."""
        self.file, self.line, self.field = file, line, field
        where = f"{file}:{line}" if line else file
        super().__init__(
            f"{where}: {field}: {what}" if field else f"{where}: {what}",
            got=got,
            expected=expected,
            todo=todo,
        )

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the parts and the location for `--json` output."""
        return {**super().to_dict(), "file": self.file, "line": self.line, "field": self.field}


class RebuildError(SamebitsError):
    """An error that ends a rebuild; `outcome` is what is recorded for it."""

    outcome: ClassVar[Outcome] = Outcome.INFRASTRUCTURE_ERROR


class InputUnavailableError(RebuildError):
    """Neither the vault nor any configured source has the input."""

    outcome: ClassVar[Outcome] = Outcome.INPUT_UNAVAILABLE


class InputMismatchError(RebuildError):
    """The bytes that arrived are not the pinned ones."""

    outcome: ClassVar[Outcome] = Outcome.INPUT_MISMATCH


class ImageUnavailableError(RebuildError):
    """The builder image can neither be built nor pulled."""

    outcome: ClassVar[Outcome] = Outcome.IMAGE_UNAVAILABLE


class ImageMismatchError(RebuildError):
    """The builder image built here is not the locked one."""

    outcome: ClassVar[Outcome] = Outcome.IMAGE_MISMATCH


class SourceNotReviewedError(RebuildError):
    """Fewer reviewers than required have approved exactly this source and claim."""

    outcome: ClassVar[Outcome] = Outcome.SOURCE_NOT_REVIEWED


class BuildFailedError(RebuildError):
    """The build ran and failed, or left outputs that cannot be used."""

    outcome: ClassVar[Outcome] = Outcome.BUILD_FAILED


class CancelledError(RebuildError):
    """The run was cancelled."""

    exit_code: ClassVar[int] = EXIT_INTERRUPTED
    outcome: ClassVar[Outcome] = Outcome.CANCELLED


class InfrastructureError(RebuildError):
    """A failure of the center's own infrastructure; the only class that is retried."""


class EngineError(InfrastructureError):
    """The container engine is absent, broken, or has not set a requested limit."""


class ScratchError(InfrastructureError):
    """Scratch space could not be made, used or removed."""


class StoreError(InfrastructureError):
    """The evidence store cannot be read or written."""


class StoreConflictError(StoreError):
    """A record of that name exists and has other content."""


class NotFoundError(StoreError):
    """The store has no object of that name."""
