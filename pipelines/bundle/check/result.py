"""The result of checking a bundle: its steps, its verdicts, and one exit code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import EXIT_NOT_CHECKED
from pipelines.evidence.errors import EXIT_REFUSED, EvidenceError
from pipelines.judge.finding import verdicts_exit_code


class WrongError(EvidenceError):
    """Two things in a bundle that should agree, and do not."""


class UncheckedError(EvidenceError):
    """Something in a bundle that cannot be checked with what is at hand."""

    exit_code: ClassVar[int] = EXIT_NOT_CHECKED


class NotNeededError(EvidenceError):
    """A check that would say more if more were given; nothing depends on it."""


def require_equal(what: str, *, got: object, expected: object, todo: str | None = None) -> None:
    """Raise `WrongError`, saying `what` is wrong, unless `got` equals `expected`."""
    if got != expected:
        raise WrongError(what, got=got, expected=expected, todo=todo)


class CheckStatus(StrEnum):
    """How a step ended. Only `ok` and `note` leave a pass a pass."""

    OK = "ok"
    NOTE = "note"
    UNCHECKED = "unchecked"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One check, and what it found in one line."""

    name: str
    status: CheckStatus
    message: str

    def to_dict(self) -> dict[str, str]:
        """Return it for `--json`."""
        return {"step": self.name, "status": str(self.status), "message": self.message}


@dataclass(frozen=True, kw_only=True)
class FileAnswer:
    """What the statements say about one file."""

    file: str
    sha256: Digest
    artefact: str | None
    verdict: Verdict | None
    """None where no statement is about the file."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "file": self.file,
            "sha256": str(self.sha256),
            "artefact": self.artefact,
            "verdict": None if self.verdict is None else str(self.verdict),
        }


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The steps of a check. What it names comes from the statements, not from the report."""

    steps: tuple[Step, ...]
    release: str | None = None
    center: str | None = None
    run: str | None = None
    outcome: Outcome | None = None
    artefacts: tuple[tuple[str, Verdict], ...] = ()
    files: tuple[FileAnswer, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 something is wrong, or failed; else 2 something could not be checked; else 0."""
        statuses = {step.status for step in self.steps}
        verdicts = verdicts_exit_code(verdict for _, verdict in self.artefacts)
        if CheckStatus.WRONG in statuses or verdicts == EXIT_REFUSED:
            return EXIT_REFUSED
        return EXIT_NOT_CHECKED if CheckStatus.UNCHECKED in statuses else verdicts

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "release": self.release,
            "center": self.center,
            "run": self.run,
            "outcome": None if self.outcome is None else str(self.outcome),
            "steps": [step.to_dict() for step in self.steps],
            "artefacts": [{"name": n, "verdict": str(v)} for n, v in self.artefacts],
            "files": [answer.to_dict() for answer in self.files],
            "exit_code": self.exit_code,
        }
