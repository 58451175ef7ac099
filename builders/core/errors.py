"""The error tree, by whose fault it is.

Every error says what is wrong, what was got, what was expected and what to do about it; each class
carries the exit code of the command and, where a rebuild ends with it, the outcome to record.
"""

from __future__ import annotations

from typing import ClassVar

from builders.core.enums import Outcome

EXIT_USAGE = 64
EXIT_NOT_CHECKED = 2
EXIT_INTERRUPTED = 130


class SamebitsError(Exception):
    """Root of all errors that samebits raises on purpose."""

    exit_code: ClassVar[int] = EXIT_NOT_CHECKED

    def __init__(
        self, what: str, *, got: object = None, expected: object = None, todo: str | None = None
    ) -> None:
        """Keep the four parts of the message apart, so that programs can read them."""
        self.what = what
        self.got = None if got is None else str(got)
        self.expected = None if expected is None else str(expected)
        self.todo = todo
        super().__init__(str(self))

    def __str__(self) -> str:
        """Return one message: what, got, expected, what to do."""
        parts = [self.what]
        if self.got is not None:
            parts.append(f"got {self.got}")
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        text = "; ".join(parts)
        return f"{text}. {self.todo}" if self.todo else text

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
    """The caller's fault: an option, a file or a recipe that cannot be used."""

    exit_code: ClassVar[int] = EXIT_USAGE


class RecipeError(UsageError):
    """A recipe, image definition or lock that breaks the rules, with file, line and field."""

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
        """Put the position in front of the message as `file:line: field:`."""
        self.file, self.line, self.field = file, line, field
        where = f"{file}:{line}" if line else file
        super().__init__(
            f"{where}: {field}: {what}" if field else f"{where}: {what}",
            got=got,
            expected=expected,
            todo=todo,
        )

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the parts for `--json` output, the place among them."""
        return {**super().to_dict(), "file": self.file, "line": self.line, "field": self.field}


class RebuildError(SamebitsError):
    """A rebuild that ends before or without a build; `outcome` says how it is recorded."""

    outcome: ClassVar[Outcome] = Outcome.INFRASTRUCTURE_ERROR


class InputUnavailableError(RebuildError):
    """Nobody serves the input: not the vault, not the mirrors."""

    outcome: ClassVar[Outcome] = Outcome.INPUT_UNAVAILABLE


class InputMismatchError(RebuildError):
    """Bytes arrived, and they are not the pinned ones."""

    outcome: ClassVar[Outcome] = Outcome.INPUT_MISMATCH


class ImageUnavailableError(RebuildError):
    """The builder image can neither be built nor pulled."""

    outcome: ClassVar[Outcome] = Outcome.IMAGE_UNAVAILABLE


class ImageMismatchError(RebuildError):
    """The builder image built here is not the locked one."""

    outcome: ClassVar[Outcome] = Outcome.IMAGE_MISMATCH


class SourceNotReviewedError(RebuildError):
    """Fewer reviewers than demanded have approved exactly this source and claim."""

    outcome: ClassVar[Outcome] = Outcome.SOURCE_NOT_REVIEWED


class BuildFailedError(RebuildError):
    """The build ran and failed, or left outputs that cannot be taken."""

    outcome: ClassVar[Outcome] = Outcome.BUILD_FAILED


class CancelledError(RebuildError):
    """Somebody asked for the run to stop."""

    exit_code: ClassVar[int] = EXIT_INTERRUPTED
    outcome: ClassVar[Outcome] = Outcome.CANCELLED


class InfrastructureError(RebuildError):
    """The center's own machinery failed; the only class that is worth a retry."""


class EngineError(InfrastructureError):
    """The container engine is absent, broken, or does not keep a limit it was given."""


class ScratchError(InfrastructureError):
    """The scratch file system could not be made or taken away."""


class StoreError(InfrastructureError):
    """The evidence store cannot be read or written."""


class StoreConflictError(StoreError):
    """A named record exists with other bytes than those that were to be written."""


class NotFoundError(StoreError):
    """The store has no object of that name."""
