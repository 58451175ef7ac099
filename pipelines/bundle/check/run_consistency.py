"""Checks that all parts are about one run, and describe it in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from builders.core.digest import Digest
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.bundle.check.result import WrongError, require_equal
from pipelines.evidence.report import Attempt, Purpose
from pipelines.evidence.statements.attempt import RebuildAttempt, wall_milliseconds
from pipelines.evidence.statements.statement import DigestSet, Resource, value_of

_RUN_TIME = "%Y%m%dT%H%M%SZ"
_FIGURES = ("outcome", "exit_code", "signal", "oom_killed", "peak_memory", "log_truncated")
"""Fields of an attempt that have the same names in the report and in its statement."""


def check_report(opened: OpenedBundle) -> str:
    """Require a report, in the form that this version writes."""
    return f"run {opened.report.run} of {opened.report.release}"


def check_run(opened: OpenedBundle) -> str:
    """Require one release, center and run everywhere."""
    report = opened.report
    for name, statement in opened.statements.items():
        about = statement.run_reference
        if about is None:
            continue
        for got, expected in (
            (about.release, report.release),
            (about.center or report.center, report.center),
            (about.run, report.run),
        ):
            require_equal(f"{name} is about another run", got=got, expected=expected)
    require_equal("the card is of another center", got=opened.card.id, expected=report.center)
    return f"{report.release}, center {report.center}, run {report.run}"


def check_times(opened: OpenedBundle) -> str:
    """Require the same start and end everywhere, the start being that in the name of the run."""
    found = set(_times(opened))
    if len(found) > 1:
        raise WrongError("the statements are of different times", got=f"{len(found)}", expected="1")
    for started, finished in found:
        shown = f"{started:{_RUN_TIME}}"
        if not opened.report.run.startswith(f"{shown}-") or finished < started:
            raise WrongError(
                "the times are not those of the run",
                got=f"{shown} to {finished:{_RUN_TIME}}",
                expected=opened.report.run[:16],
            )
    if any(b.predicate.compared_on != end for b in opened.comparisons for _, end in found):
        raise WrongError("an artefact was compared at another time", expected="the end of the run")
    return "started and finished when the run's name says"


def _times(opened: OpenedBundle) -> Iterator[tuple[datetime, datetime]]:
    for attempt in opened.attempts:
        yield attempt.predicate.started_on, attempt.predicate.finished_on
    if opened.provenance:
        metadata = opened.provenance.predicate.run_details.metadata
        yield metadata.started_on, metadata.finished_on


def check_claim(opened: OpenedBundle) -> str:
    """Require one claim everywhere."""
    claims = [s.predicate.claim for s in opened.attempts]
    claims += [s.predicate.claim for s in opened.comparisons]
    claims += [s.predicate.claim for s in opened.robustness]
    if opened.provenance:
        definition = opened.provenance.predicate.build_definition
        claims.append(definition.internal_parameters.claim)
    expected = opened.report.claim
    for claim in claims:
        require_equal(
            "the statements are about another claim", got=value_of(claim), expected=expected
        )
    return f"claim {expected}" if expected else "no claim"


def check_attempts(opened: OpenedBundle) -> str:
    """Require a statement for every attempt of the report, in order, that says the same."""
    reported, signed = opened.report.attempts, opened.attempts
    numbers = [a.predicate.number for a in signed]
    purposes = [a.predicate.purpose for a in signed]
    if numbers != list(range(1, len(signed) + 1)) or not _in_order(purposes):
        raise WrongError(
            "the attempts are out of order",
            got=", ".join(f"{a.predicate.number} {a.predicate.purpose}" for a in signed[:8]),
            expected="1 judged, then retries, then one confirming, then one for the run",
        )
    made = [a.predicate for a in signed if a.predicate.purpose is not Purpose.RUN]
    if len(reported) != len(made):
        raise WrongError(
            "the report has other attempts",
            got=f"{len(reported)} in the report",
            expected=f"{len(made)} in the statements",
        )
    for attempt, predicate in zip(reported, made, strict=True):
        if _reported(attempt) != _signed(predicate):
            raise WrongError(
                f"attempt {attempt.number} went otherwise than the report says",
                got=f"{attempt.purpose}, {attempt.rebuild.outcome}",
                expected=f"{predicate.purpose}, {predicate.outcome}, and the same figures",
            )
    return f"{len(signed)} attempts, as the report has them"


def _in_order(purposes: list[Purpose]) -> bool:
    ranks = [list(Purpose).index(purpose) for purpose in purposes]
    once = all(purposes.count(p) < 2 for p in Purpose if p is not Purpose.RETRY)
    begins = purposes[:1] in ([Purpose.JUDGED], [Purpose.RUN])
    return begins and once and ranks == sorted(ranks)


def _reported(attempt: Attempt) -> list[object]:
    rebuild = attempt.rebuild
    figures = [getattr(rebuild, field) for field in _FIGURES]
    return [attempt.number, attempt.purpose, rebuild.log, wall_milliseconds(rebuild), *figures]


def _signed(attempt: RebuildAttempt) -> list[object]:
    figures = [getattr(attempt, field) for field in _FIGURES]
    log, wall = value_of(attempt.log), attempt.wall_milliseconds
    return [attempt.number, attempt.purpose, log, wall, *figures]


def check_outcome(opened: OpenedBundle) -> str:
    """Require the outcome of the last attempt, or of the run where it ended otherwise."""
    require_equal("another outcome", got=opened.report.outcome, expected=opened.outcome)
    return f"{opened.outcome}"


def check_seal(opened: OpenedBundle) -> str:
    """Require one seal everywhere: with the attempt that was judged, and only there."""
    seal = opened.report.seal
    if opened.built is not (seal is not None):
        raise WrongError(
            "a seal without a build, or none of a build",
            got=seal or "no seal",
            expected="a seal" if opened.built else "no seal",
        )
    found = [value_of(a.predicate.seal) for a in opened.attempts]
    expected = [seal if a is opened.judged else None for a in opened.attempts]
    if opened.provenance:
        found += _byproduct_digests(opened, "seal")
        expected.append(seal)
    if found != expected:
        raise WrongError("the statements have another seal", got=_first(found), expected=seal)
    return f"seal {seal}" if seal else "no seal, as nothing was built"


def check_log(opened: OpenedBundle) -> str:
    """Require one build log in provenance and in the attempt that it is of."""
    if opened.provenance is None or opened.judged is None:
        return "no provenance to compare with"
    found = _byproduct_digests(opened, "build.log")
    log = value_of(opened.judged.predicate.log)
    if found != ([log] if log else []):
        raise WrongError("the provenance has another build log", got=_first(found), expected=log)
    return f"log {log}"


def check_by_products(opened: OpenedBundle) -> str:
    """Require the by-products of the report in provenance, by keyed digests alone."""
    found = [
        (r.name, r.digest, (r.annotations or {}).get("size"))
        for r in _byproducts(opened)
        if _role(r) == "by-product"
    ]
    reported = [
        (f.name, DigestSet(hmac_sha256=f.hmac), str(f.size)) for f in opened.report.by_products
    ]
    if found != reported and not (opened.provenance is None and opened.built):
        raise WrongError(
            "the by-products are not those of the report",
            got=f"{len(found)} in the provenance",
            expected=f"{len(reported)}, with the same keyed digests and sizes",
        )
    return f"{len(reported)} by-products"


def _byproducts(opened: OpenedBundle) -> tuple[Resource, ...]:
    """Return what the provenance lists besides its subjects, the by-products of the build too."""
    return opened.provenance.predicate.run_details.byproducts if opened.provenance else ()


def _byproduct_digests(opened: OpenedBundle, name: str) -> list[Digest | None]:
    return [value_of(r.digest) for r in _byproducts(opened) if r.name == name and not _role(r)]


def _role(resource: Resource) -> str | None:
    return (resource.annotations or {}).get("role")


def _first(found: list[Digest | None]) -> str:
    return str(next((digest for digest in found if digest), "none"))


def check_environment(opened: OpenedBundle) -> str:
    """Require the way of building that the provenance has."""
    if opened.provenance is None:
        return "nothing was built"
    reported = opened.report.environment
    definition = opened.provenance.predicate.build_definition
    signed = definition.external_parameters
    images = (r.digest.sha256 for r in definition.resolved_dependencies if _role(r) == "image")
    declared = signed.environment.declared() if signed.environment else {}
    facts: list[tuple[str, object, object]] = [
        ("method", reported.method, signed.method),
        ("image", (reported.image or "").rpartition("/")[2], signed.image),
        ("image digest", reported.image_config, next(images, None)),
        ("environment", reported.declared, declared),
    ]
    for what, got, expected in facts:
        if got != expected:
            raise WrongError(
                f"the report has another {what} than the provenance",
                got=f"{got!a:.120}",
                expected=f"{expected!a:.120}",
            )
    return f"method {signed.method}, image {signed.image}"
