"""Checks that all parts speak of one run, and of one way that it went."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from builders.core.digest import Digest
from builders.core.enums import Outcome
from pipelines.bundle.check.dossier import Dossier
from pipelines.bundle.check.result import WrongError
from pipelines.evidence.report import Attempt
from pipelines.evidence.statements import (
    ComparisonStatement,
    ProvenanceStatement,
    RobustnessStatement,
    Statement,
)
from pipelines.evidence.statements.attempt import AttemptStatement, Purpose
from pipelines.evidence.statements.statement import DigestSet, Resource, value_of

_RUN_TIME = "%Y%m%dT%H%M%SZ"


def check_report(dossier: Dossier) -> str:
    """Require a report, in the form that this version writes."""
    return f"run {dossier.report.run} of {dossier.report.release}"


def check_run(dossier: Dossier) -> str:
    """Require one release, center and run everywhere."""
    report = dossier.report
    expected = (report.release, report.center, report.run)
    for name, found in _names(dossier):
        if found != expected:
            odd = next(i for i in range(3) if found[i] != expected[i])
            raise WrongError(f"{name} is about another run", got=found[odd], expected=expected[odd])
    if dossier.card.id != report.center:
        raise WrongError(
            "the card is of another center", got=dossier.card.id, expected=report.center
        )
    return f"{report.release}, center {report.center}, run {report.run}"


def check_times(dossier: Dossier) -> str:
    """Require the same start and end everywhere, the start being that in the name of the run."""
    found = set(_times(dossier))
    if len(found) > 1:
        raise WrongError("the statements are of different times", got=f"{len(found)}", expected="1")
    for started, finished in found:
        shown = f"{started:{_RUN_TIME}}"
        if not dossier.report.run.startswith(f"{shown}-") or finished < started:
            raise WrongError(
                "the times are not those of the run",
                got=f"{shown} to {finished:{_RUN_TIME}}",
                expected=dossier.report.run[:16],
            )
    if any(b.predicate.compared_on != end for b in dossier.comparisons for _, end in found):
        raise WrongError("an artefact was compared at another time", expected="the end of the run")
    return "started and finished when the run's name says"


def check_claim(dossier: Dossier) -> str:
    """Require one claim everywhere."""
    claims = [value_of(a.predicate.claim) for a in dossier.attempts]
    claims += [value_of(b.predicate.claim) for b in dossier.comparisons]
    claims += [value_of(r.predicate.claim) for r in dossier.robustness]
    if dossier.provenance:
        definition = dossier.provenance.predicate.build_definition
        claims.append(value_of(definition.internal_parameters.claim))
    claim = dossier.report.claim
    for other in claims:
        if other != claim:
            raise WrongError("the statements are about another claim", got=other, expected=claim)
    return f"claim {claim}" if claim else "no claim"


def check_attempts(dossier: Dossier) -> str:
    """Require a statement for every attempt of the report, in order, that says the same."""
    told, signed = dossier.report.attempts, dossier.attempts
    purposes = [a.predicate.purpose for a in signed]
    if [a.predicate.number for a in signed] != list(range(1, len(signed) + 1)) or not _in_order(
        purposes
    ):
        raise WrongError(
            "the attempts are out of order",
            got=", ".join(f"{a.predicate.number} {a.predicate.purpose}" for a in signed[:8]),
            expected="1 judged, then retries, then one confirming, then one for the run",
        )
    made = [a for a in signed if a.predicate.purpose is not Purpose.RUN]
    if len(told) != len(made):
        raise WrongError(
            "the report has other attempts",
            got=f"{len(told)} in the report",
            expected=f"{len(made)} in the statements",
        )
    for attempt, statement in zip(told, made, strict=True):
        if _told(attempt) != _signed(statement):
            raise WrongError(
                f"attempt {attempt.number} went otherwise than the report says",
                got=f"{attempt.purpose}, {attempt.rebuild.outcome}",
                expected=f"{statement.predicate.purpose}, {statement.predicate.outcome}, and the "
                "same figures",
            )
    return f"{len(signed)} attempts, as the report tells them"


def check_outcome(dossier: Dossier) -> str:
    """Require the outcome of the last attempt, or of the run where it ended otherwise."""
    outcome = outcome_of(dossier)
    if dossier.report.outcome is not outcome:
        raise WrongError("another outcome", got=dossier.report.outcome, expected=outcome)
    return f"{outcome}"


def check_seal(dossier: Dossier) -> str:
    """Require one seal everywhere: with the attempt that was judged, and only there."""
    report, built = dossier.report, outcome_of(dossier) is Outcome.BUILT
    if built is not (report.seal is not None):
        raise WrongError(
            "a seal without a build, or none of a build",
            got=report.seal or "no seal",
            expected="a seal" if built else "no seal",
        )
    judged = judged_of(dossier)
    found = [value_of(a.predicate.seal) for a in dossier.attempts]
    expected = [report.seal if a is judged else None for a in dossier.attempts]
    if dossier.provenance:
        found += [value_of(r.digest) for r in _by_products(dossier, named="seal")]
        expected.append(report.seal)
    if found != expected:
        raise WrongError(
            "the statements have another seal", got=_first(found), expected=report.seal
        )
    return f"seal {report.seal}" if report.seal else "no seal, as nothing was built"


def check_log(dossier: Dossier) -> str:
    """Require one build log in provenance and in the attempt that it is of."""
    judged = judged_of(dossier)
    if dossier.provenance is None or judged is None:
        return "no provenance to compare with"
    found = [value_of(r.digest) for r in _by_products(dossier, named="build.log")]
    log = value_of(judged.predicate.log)
    if found != ([log] if log else []):
        raise WrongError("the provenance has another build log", got=_first(found), expected=log)
    return f"log {log}"


def check_by_products(dossier: Dossier) -> str:
    """Require the by-products of the report in provenance, by keyed digests alone."""
    found = []
    if dossier.provenance:
        found = [
            (r.name, r.digest, (r.annotations or {}).get("size"))
            for r in dossier.provenance.predicate.run_details.byproducts
            if (r.annotations or {}).get("role") == "by-product"
        ]
    told = [
        (f.name, DigestSet(hmac_sha256=f.hmac), str(f.size)) for f in dossier.report.by_products
    ]
    if found != told and not (dossier.provenance is None and outcome_of(dossier) is Outcome.BUILT):
        raise WrongError(
            "the by-products are not those of the report",
            got=f"{len(found)} in the provenance",
            expected=f"{len(told)}, with the same keyed digests and sizes",
        )
    return f"{len(told)} by-products"


def outcome_of(dossier: Dossier) -> Outcome | None:
    """Return the outcome of the run, as it is signed."""
    last = [a for a in dossier.attempts if a.predicate.purpose is Purpose.RUN]
    if last:
        return last[-1].predicate.outcome
    judged = judged_of(dossier)
    return judged.predicate.outcome if judged else None


def run_of(statement: Statement) -> str | None:
    """Return the run that a statement is about; None for one that is about none."""
    match statement:
        case ProvenanceStatement():
            return statement.predicate.run_details.metadata.invocation_id
        case ComparisonStatement() | AttemptStatement() | RobustnessStatement():
            return statement.predicate.run
        case _:
            return None


def judged_of(dossier: Dossier) -> AttemptStatement | None:
    """Return the attempt whose outputs were judged, if there was one."""
    building = {Purpose.JUDGED, Purpose.RETRY}
    found = [a for a in dossier.attempts if a.predicate.purpose in building]
    return found[-1] if found else None


def _in_order(purposes: list[Purpose]) -> bool:
    ranks = [list(Purpose).index(purpose) for purpose in purposes]
    once = all(purposes.count(p) < 2 for p in Purpose if p is not Purpose.RETRY)
    begins = purposes[:1] in ([Purpose.JUDGED], [Purpose.RUN])
    return begins and once and ranks == sorted(ranks)


def _told(attempt: Attempt) -> tuple[object, ...]:
    rebuild = attempt.rebuild
    wall = None if rebuild.wall_seconds is None else round(rebuild.wall_seconds * 1000)
    return (
        *(attempt.number, attempt.purpose, rebuild.outcome, rebuild.exit_code, rebuild.signal),
        *(rebuild.oom_killed, rebuild.peak_memory, wall, rebuild.log, rebuild.log_truncated),
    )


def _signed(statement: AttemptStatement) -> tuple[object, ...]:
    made = statement.predicate
    return (
        *(made.number, str(made.purpose), made.outcome, made.exit_code, made.signal),
        *(made.oom_killed, made.peak_memory, made.wall_milliseconds),
        *(value_of(made.log), made.log_truncated),
    )


def _names(dossier: Dossier) -> Iterator[tuple[str, tuple[str, str, str]]]:
    for a in dossier.attempts:
        made = a.predicate
        yield f"attempt {made.number}", (made.release, made.center, made.run)
    for b in dossier.comparisons:
        found = b.predicate
        yield f"the comparison of {b.subject[0].name}", (found.release, found.center, found.run)
    for test in dossier.robustness:
        told = test.predicate
        yield "the robustness test", (told.release, told.center, told.run)
    if dossier.provenance:
        details = dossier.provenance.predicate
        release = details.build_definition.external_parameters.release
        run = details.run_details.metadata.invocation_id
        yield "the provenance", (release, dossier.report.center, run)


def _times(dossier: Dossier) -> Iterator[tuple[datetime, datetime]]:
    for a in dossier.attempts:
        yield a.predicate.started_on, a.predicate.finished_on
    if dossier.provenance:
        metadata = dossier.provenance.predicate.run_details.metadata
        yield metadata.started_on, metadata.finished_on


def _by_products(dossier: Dossier, *, named: str) -> list[Resource]:
    found = dossier.provenance.predicate.run_details.byproducts if dossier.provenance else ()
    return [r for r in found if r.name == named and "role" not in (r.annotations or {})]


def _first(found: list[Digest | None]) -> str:
    return str(next((digest for digest in found if digest), "none"))
