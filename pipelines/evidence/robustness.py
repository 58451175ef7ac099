"""Reading back what a moved rebuild of a run showed; as with a report, nothing is verified here."""

from __future__ import annotations

from builders.core.errors import NotFoundError
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.moved import Robustness
from pipelines.evidence.records import ROBUSTNESS_RECORD, RunName
from pipelines.evidence.statements import RobustnessStatement, read_statement
from pipelines.evidence.statements.robustness import RobustnessTest
from pipelines.storage.store import DamagedError, Store, TooLargeError


def read_robustness(store: Store, name: RunName) -> RobustnessTest | None:
    """Return what the moved rebuild of a run showed; None where none was made.

    Raises `DamagedError` for what is no such statement about exactly that run.
    """
    key = name.prefix + ROBUSTNESS_RECORD
    try:
        statement = read_statement(Envelope.from_bytes(store.get(key, MAX_ENVELOPE)).payload)
    except NotFoundError:
        return None
    except (MalformedError, TooLargeError) as error:
        raise _damaged(key, error.got) from error
    if not isinstance(statement, RobustnessStatement):
        raise _damaged(key, statement.predicate_type)
    told = statement.predicate
    if (told.release, told.center, told.run) != (str(name.release), name.center, name.run):
        raise _damaged(key, f"run {told.run} of {told.release}")
    return told


def lines(told: RobustnessTest) -> list[str]:
    """Return it for people; no line of it is a verdict."""
    changed = [artefact.name for artefact in told.artefacts if not artefact.same]
    shown = [f"rebuilt elsewhere: {told.result}, which is no part of the verdict"]
    if told.result is Robustness.FAILED:
        shown.append(f"outcome {told.outcome}")
    elif changed:
        shown.append(f"changed: {', '.join(changed)}")
    shown += [f"{m.factor}: {m.before} -> {m.after}" for m in told.moved]
    shown += [f"{k.factor}: not moved ({k.why})" for k in told.kept]
    return shown


def _damaged(key: str, got: object) -> DamagedError:
    return DamagedError(
        f"{key} is damaged",
        got=got,
        expected="a statement about a moved rebuild of this run",
        todo="Find out who wrote that record; the verdict does not rest on it",
    )
