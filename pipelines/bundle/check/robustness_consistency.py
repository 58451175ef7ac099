"""Checks of a robustness test: it is about this very run, and agrees with its digests.

It says nothing of what was shipped. That its result follows from its digests is part of its form.
"""

from __future__ import annotations

from builders.rebuild.robustness_factors import Factor
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.bundle.check.result import NotNeededError, WrongError, require_equal
from pipelines.evidence.statements.provenance import DeclaredEnvironment
from pipelines.evidence.statements.robustness import RobustnessStatement, RobustnessTest
from pipelines.evidence.statements.statement import show_time


def check_tested(opened: OpenedBundle) -> str:
    """Require a test of the attempt that was judged, after the run, about the same artefacts."""
    statement, judged = _statement(opened), opened.judged
    test = statement.predicate
    if judged is None or not opened.built:
        raise WrongError(
            "a robustness test of a run without a judged build",
            got=opened.outcome,
            expected="a run that was BUILT",
        )
    require_equal(
        "the robustness test is of another attempt",
        got=test.judged.sha256,
        expected=judged.digest(),
    )
    if statement.subject != judged.subject:
        raise WrongError(
            "the robustness test is about other artefacts than its attempt",
            got=f"{len(statement.subject)} subjects",
            expected=f"{len(judged.subject)}, with the same published digests",
        )
    if test.tested_on < judged.predicate.finished_on:
        raise WrongError(
            "the robustness rebuild ended before the run did",
            got=show_time(test.tested_on),
            expected=f"{show_time(judged.predicate.finished_on)} or later",
        )
    return f"{test.result}, {', '.join(m.factor for m in test.moved)} moved: no part of a verdict"


def check_moved(opened: OpenedBundle) -> str:
    """Require the digests of the run, and that factors were moved from what the run had."""
    statement, made = _statement(opened), opened.provenance
    test = statement.predicate
    judged = {s.name: s.digest for s in made.subject} if made else {}
    compared = {a.name: a.judged for a in test.artefacts if a.judged}
    names = [s.name for s in statement.subject]
    if compared != judged or [a.name for a in test.artefacts] != names:
        odd = min(
            (n for n in {*compared, *judged} if compared.get(n) != judged.get(n)), default=names[0]
        )
        raise WrongError(
            f"the robustness rebuild was compared with other bytes of {odd}",
            got=f"{len(compared)} judged files",
            expected=f"the {len(judged)} of the provenance, of {len(names)} artefacts",
        )
    environment = made.predicate.build_definition.external_parameters.environment if made else None
    if environment is not None:  # that of a private release is not published
        _check_origins(test, environment)
    return f"{sum(a.same for a in test.artefacts)} of {len(names)} artefacts the same"


def _check_origins(test: RobustnessTest, environment: DeclaredEnvironment) -> None:
    """Require factors to be moved from what the provenance says that the run had."""
    known = {
        Factor.HOSTNAME: environment.hostname,
        Factor.TIMEZONE: environment.timezone,
        Factor.LOCALE: environment.locale,
    }
    if environment.folder_order is not None:  # only there where it is declared
        known[Factor.FOLDER_ORDER] = environment.folder_order
    for varied in test.moved:
        require_equal(
            f"{varied.factor} was moved from somewhere else",
            got=varied.before,
            expected=known.get(varied.factor, varied.before),
        )


def _statement(opened: OpenedBundle) -> RobustnessStatement:
    if not opened.robustness:
        raise NotNeededError("no robustness rebuild was made, or none is in the bundle")
    return opened.robustness[0]
