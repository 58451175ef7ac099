"""Checks of a rebuild in a moved environment: of this very run, and told as its digests have it.

It says nothing of what was shipped. That its result follows from its digests is part of its form.
"""

from __future__ import annotations

from builders.build.robustness import Factor
from builders.core.enums import Outcome
from pipelines.bundle.check.dossier import Dossier
from pipelines.bundle.check.result import NotNeededError, WrongError
from pipelines.bundle.check.runchecks import judged_of, outcome_of
from pipelines.evidence.statements import RobustnessStatement
from pipelines.evidence.statements.provenance import DeclaredEnvironment
from pipelines.evidence.statements.robustness import RobustnessTest


def check_tested(dossier: Dossier) -> str:
    """Require a test of the attempt that was judged, after the run, about the same artefacts."""
    statement = _told(dossier)
    test, judged = statement.predicate, judged_of(dossier)
    if judged is None or outcome_of(dossier) is not Outcome.BUILT:
        raise WrongError(
            "a moved rebuild is beside nothing that was judged",
            got=outcome_of(dossier),
            expected="a run that was BUILT",
        )
    if test.judged.sha256 != judged.digest():
        raise WrongError(
            "the moved rebuild is of another attempt",
            got=test.judged.sha256,
            expected=judged.digest(),
        )
    if statement.subject != judged.subject:
        raise WrongError(
            "the moved rebuild is about other artefacts than its attempt",
            got=f"{len(statement.subject)} subjects",
            expected=f"{len(judged.subject)}, with the same published digests",
        )
    if test.tested_on < judged.predicate.finished_on:
        raise WrongError(
            "the moved rebuild ended before the run did",
            got=f"{test.tested_on:%Y-%m-%dT%H:%M:%SZ}",
            expected=f"{judged.predicate.finished_on:%Y-%m-%dT%H:%M:%SZ} or later",
        )
    return f"{test.result}, {', '.join(m.factor for m in test.moved)} moved: no part of a verdict"


def check_moved(dossier: Dossier) -> str:
    """Require what was compared of the run, and that it was moved from where the run was."""
    test = _told(dossier).predicate
    made = dossier.provenance
    judged = {s.name: s.digest for s in made.subject} if made else {}
    told = {a.name: a.judged for a in test.artefacts if a.judged}
    names = [s.name for s in _told(dossier).subject]
    if told != judged or [a.name for a in test.artefacts] != names:
        odd = min((n for n in {*told, *judged} if told.get(n) != judged.get(n)), default=names[0])
        raise WrongError(
            f"the moved rebuild was held against other bytes of {odd}",
            got=f"{len(told)} judged files",
            expected=f"the {len(judged)} of the provenance, of {len(names)} artefacts",
        )
    if made:
        environment = made.predicate.build_definition.external_parameters.environment
        _check_places(test, environment)
    return f"{sum(a.same for a in test.artefacts)} of {len(names)} artefacts the same"


def _check_places(test: RobustnessTest, environment: DeclaredEnvironment | None) -> None:
    """Require the places that the provenance tells; of a private release it tells none."""
    if environment is None:
        return
    places = {
        Factor.HOSTNAME: environment.hostname,
        Factor.TIMEZONE: environment.timezone,
        Factor.LOCALE: environment.locale,
    }
    if environment.folder_order is not None:  # told only where it is declared
        places[Factor.FOLDER_ORDER] = environment.folder_order
    for one in test.moved:
        if places.get(one.factor, one.before) != one.before:
            raise WrongError(
                f"{one.factor} was moved from somewhere else",
                got=one.before,
                expected=places[one.factor],
            )


def _told(dossier: Dossier) -> RobustnessStatement:
    if not dossier.robustness:
        raise NotNeededError("no moved rebuild was made, or none is told")
    return dossier.robustness[0]
