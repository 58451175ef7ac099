"""The result of checking a bundle: its steps, its verdicts, and one exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import EXIT_NOT_CHECKED
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.errors import EXIT_REFUSED, EvidenceError
from pipelines.judge.finding import verdicts_exit_code


class WrongError(EvidenceError):
    """Two things in a bundle that should agree, and do not."""


class UncheckedError(EvidenceError):
    """Something in a bundle that cannot be checked with what is at hand."""

    exit_code: ClassVar[int] = EXIT_NOT_CHECKED


class NotNeededError(EvidenceError):
    """A check that would say more if more were given; nothing depends on it."""


def require(
    holds: bool,  # noqa: FBT001  # the condition itself
    what: str,
    got: object = None,
    expected: object = None,
    todo: str | None = None,
) -> None:
    """Raise `WrongError`, saying `what` is wrong, unless the condition `holds`."""
    if not holds:
        raise WrongError(what, got=got, expected=expected, todo=todo)


def require_equal(what: str, got: object, expected: object, todo: str | None = None) -> None:
    """Raise `WrongError`, saying `what` is wrong, unless `got` equals `expected`."""
    require(got == expected, what, _shown(got), _shown(expected), todo)


def require_fields(what: str, got: Mapping[str, object], expected: Mapping[str, object]) -> None:
    """Raise `WrongError`, naming the first field that differs, unless both have the same."""
    for name in {**expected, **got}:
        same = name in got and name in expected and got[name] == expected[name]
        sides = [_shown(side.get(name, "nothing")) for side in (got, expected)]
        require(same, f"{what} {name}", *sides)


def require_list(what: str, got: Iterable[object], expected: Iterable[object]) -> None:
    """Raise `WrongError`, showing the first entry that differs, unless both lists are equal."""
    sides = [{f"entry {n}": entry for n, entry in enumerate(side, 1)} for side in (got, expected)]
    require_fields(what, *sides)


def _shown(value: object) -> str | None:
    """Return a value as one line of ASCII, cut."""
    return None if value is None else ascii(str(value))[1:-1][:160]


class CheckStatus(StrEnum):
    """How a step ended. Only `ok` and `note` leave a pass a pass."""

    OK = "ok"
    NOTE = "note"
    UNCHECKED = "unchecked"
    WRONG = "wrong"


class Step(FrozenModel):
    """One check, and what it found in one line."""

    name: Annotated[str, Field(serialization_alias="step")]
    status: CheckStatus
    message: str


class ArtefactAnswer(FrozenModel):
    """The verdict of the run on one artefact."""

    name: str
    verdict: Verdict


class FileAnswer(FrozenModel):
    """What the statements say about one file."""

    file: str
    sha256: Digest
    artefact: str | None
    verdict: Verdict | None
    """None where no statement is about the file."""


class CheckResult(FrozenModel):
    """The steps of a check. What it names comes from the statements, not from the report."""

    release: str | None = None
    center: str | None = None
    run: str | None = None
    outcome: Outcome | None = None
    steps: tuple[Step, ...]
    artefacts: tuple[ArtefactAnswer, ...] = ()
    files: tuple[FileAnswer, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 something is wrong, or failed; else 2 something could not be checked; else 0."""
        statuses = {step.status for step in self.steps}
        verdicts = verdicts_exit_code(artefact.verdict for artefact in self.artefacts)
        if CheckStatus.WRONG in statuses or verdicts == EXIT_REFUSED:
            return EXIT_REFUSED
        return EXIT_NOT_CHECKED if CheckStatus.UNCHECKED in statuses else verdicts

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {**self.model_dump(mode="json", by_alias=True), "exit_code": self.exit_code}
