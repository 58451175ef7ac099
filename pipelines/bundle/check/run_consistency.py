"""Checks that all parts are about one run, and describe it in the same way.

A robustness test is about this very run too; it says nothing of what was shipped. That its result
follows from its digests is part of its form.
"""

from __future__ import annotations

from datetime import datetime

from builders.core.digest import Digest
from builders.rebuild.robustness_factors import Factor
from pipelines.audit.center_finding import ExclusionReason as Reason
from pipelines.audit.statement_reader import VerifiedStatement
from pipelines.bundle.check.opened import OpenedBundle, refuse
from pipelines.bundle.check.result import (
    NotNeededError,
    WrongError,
    require,
    require_equal,
    require_fields,
    require_list,
)
from pipelines.bundle.layout import REPORT, STATEMENTS
from pipelines.evidence.report import Purpose
from pipelines.evidence.statements.provenance import DeclaredEnvironment
from pipelines.evidence.statements.rebuilds import RobustnessStatement, RobustnessTest
from pipelines.evidence.statements.statement import DigestSet, show_time, value_of

_RUN_TIME = "%Y%m%dT%H%M%SZ"


def check_report(opened: OpenedBundle) -> str:
    """Require a report of this run. It is for people: nothing that it says is believed."""
    report, about = opened.report, opened.about
    for what, got, expected in (
        ("release", report.release, about.release),
        ("center", report.center, opened.card.id),
        ("run", report.run, about.run),
    ):
        require_equal(f"the report is of another {what}", got, expected)
    return f"run {about.run} of {about.release}"


def check_signed_report(opened: OpenedBundle) -> str:
    """Require that every attempt names the report, by the digest of its bytes as they are here."""
    named = {attempt.predicate.report for attempt in opened.attempts} - {None}
    if not named:
        raise NotNeededError("no statement of format version 1 names the report: it is not signed")
    found = DigestSet(sha256=Digest.of(opened.bundle.members[REPORT]))
    for attempt in opened.attempts:
        what = f"attempt {attempt.predicate.number} names another report"
        require_equal(what, value_of(attempt.predicate.report), value_of(found))
    return f"sha256 {value_of(found)}, which every attempt names"


def check_run(opened: OpenedBundle) -> str:
    """Require statements of one run, of the release of the leaves; others only of other runs."""
    refuse(opened, f"is not about a run of center {opened.center}", Reason.MISPLACED)
    about, leaf = opened.about, next(iter(opened.leaves.values())).leaf
    require_equal("the leaves are of another release", leaf.release, about.release)
    for name, one in opened.references:
        what = f"{name} is about another run:"
        require_equal(what, f"{one.run} of {one.release}", f"{about.run} of {about.release}")
    for name, record in opened.records.items():
        other = record.statement.run_reference if isinstance(record, VerifiedStatement) else None
        same = other and (other.run, other.release) == (about.run, about.release)
        apart = name.startswith(STATEMENTS) or not same
        require(apart, f"{name} is not of another run", about.run, "it among the statements")
    return f"{about.release}, center {opened.center}, run {about.run}"


def check_times(opened: OpenedBundle) -> str:
    """Require the same start and end everywhere, the start being that in the name of the run."""
    found: set[tuple[datetime, datetime]] = {
        (a.predicate.started_on, a.predicate.finished_on) for a in opened.attempts
    }
    for made in (opened.provenance, opened.grafting):
        if made:
            metadata = made.predicate.run_details.metadata
            found.add((metadata.started_on, metadata.finished_on))
    require(len(found) <= 1, "the statements are of different times", len(found), 1)
    for started, finished in found:
        shown, named = f"{started:{_RUN_TIME}}", opened.about.run
        require(
            named.startswith(f"{shown}-") and started <= finished,
            "the times are not those of the run",
            f"{shown} to {finished:{_RUN_TIME}}",
            named[:16],
        )
        for statement in opened.comparisons:
            what = f"{statement.name} was compared at another time than the end of the run"
            require_equal(what, statement.predicate.compared_on, finished)
    return "started and finished when the run's name says"


def check_claim(opened: OpenedBundle) -> str:
    """Require one claim everywhere."""
    expected = value_of(opened.about.claim)
    for name, about in opened.references:
        require_equal(f"{name} is about another claim", value_of(about.claim), expected)
    if expected is None:
        raise NotNeededError("there is no claim: the run ended before the inputs were known")
    return f"{expected} in every statement"


def check_scope(opened: OpenedBundle) -> str:
    """Require one scope in every comparison, or in none of them."""
    found = [value_of(statement.predicate.scope) for statement in opened.comparisons]
    for statement, scope in zip(opened.comparisons, found, strict=True):
        what = f"the comparison of {statement.name} is of another scope"
        require_equal(what, scope or "none", found[0] or "none")
    if found[:1] == [None]:
        raise NotNeededError("the comparisons are of format version 1, which names no scope")
    return f"{found[0]} in every comparison" if found else "no comparison"


def check_attempts(opened: OpenedBundle) -> str:
    """Require the attempts in order, the first of which was judged or is the run itself."""
    signed = [attempt.predicate for attempt in opened.attempts]
    require(
        [a.number for a in signed] == list(range(1, len(signed) + 1))
        and _in_order([a.purpose for a in signed]),
        "the attempts are out of order",
        ", ".join(f"{a.number} {a.purpose}" for a in signed[:8]) or "none",
        "1 judged, then retries, then one confirming, then one for the run",
    )
    return f"{len(signed)} attempts: {opened.outcome}"


def _in_order(purposes: list[Purpose]) -> bool:
    ranks = [list(Purpose).index(purpose) for purpose in purposes]
    once = all(purposes.count(p) < 2 for p in Purpose if p is not Purpose.RETRY)
    begins = purposes[:1] in ([Purpose.JUDGED], [Purpose.RUN])
    return begins and once and ranks == sorted(ranks)


def check_seal(opened: OpenedBundle) -> str:
    """Require one seal everywhere: with the attempt that was judged if it built, and only there."""
    seal = opened.seal
    require(
        opened.built is (seal is not None),
        "a seal without a build, or none of a build",
        seal or "no seal",
        "a seal" if opened.built else "no seal",
    )
    found = [value_of(a.predicate.seal) for a in opened.attempts]
    expected = [seal if a is opened.judged else None for a in opened.attempts]
    if opened.provenance:
        found += map(value_of, opened.provenance.written("seal"))
        expected.append(seal)
    require_list("the statements have another seal:", found, expected)
    return f"{seal} in every statement" if seal else "no seal, as nothing was built"


def check_log(opened: OpenedBundle) -> str:
    """Require one build log in provenance and in the attempt that it is of."""
    if opened.provenance is None or opened.judged is None:
        raise NotNeededError("nothing was built, so there is no provenance to compare with")
    log = value_of(opened.judged.predicate.log)
    found = map(value_of, opened.provenance.written("build.log"))
    require_list("the provenance has another build log:", found, [log] if log else [])
    return f"sha256 {log}" if log else "no build log in either"


def check_tested(opened: OpenedBundle) -> str:
    """Require a test of the attempt that was judged, after the run, about the same artefacts."""
    statement, judged = _robustness(opened), opened.judged
    test = statement.predicate
    if judged is None or not opened.built:
        what = "a robustness test of a run without a judged build"
        raise WrongError(what, got=opened.outcome, expected="a run that was BUILT")
    what = "the robustness test is of another attempt"
    require_equal(what, test.judged.sha256, judged.digest())
    what = "the robustness test is about other artefacts than its attempt:"
    require_list(what, statement.subject, judged.subject)
    tested, finished = test.tested_on, judged.predicate.finished_on
    what = "the robustness rebuild ended before the run did"
    require(tested >= finished, what, show_time(tested), f"{show_time(finished)} or later")
    return f"{test.result}, {', '.join(m.factor for m in test.moved)} varied: no part of a verdict"


def check_moved(opened: OpenedBundle) -> str:
    """Require the digests of the run, and that factors were moved from what the run had."""
    statement, made = _robustness(opened), opened.provenance
    test = statement.predicate
    what = "the robustness rebuild was compared with other bytes of"
    judged = {s.name: s.digest for s in made.subject} if made else {}
    require_fields(what, {a.name: a.judged for a in test.artefacts if a.judged}, judged)
    names = [subject.name for subject in statement.subject]
    require_list(what, [artefact.name for artefact in test.artefacts], names)
    environment = made.predicate.build_definition.external_parameters.environment if made else None
    if environment is not None:  # that of a private release is not published
        _check_origins(test, environment)
    return f"{sum(a.same for a in test.artefacts)} of {len(names)} artefacts had the same bytes"


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
        expected = known.get(varied.factor, varied.before)
        require_equal(f"{varied.factor} was moved from somewhere else", varied.before, expected)


def _robustness(opened: OpenedBundle) -> RobustnessStatement:
    if not opened.robustness:
        raise NotNeededError("no robustness rebuild was made, or none is in the bundle")
    return opened.robustness[0]
