"""Checks of what was found: every artefact judged, each verdict borne out by its own digests."""

from __future__ import annotations

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.bundle.check.dossier import Dossier
from pipelines.bundle.check.result import UncheckedError, WrongError
from pipelines.bundle.check.runchecks import outcome_of
from pipelines.evidence.statements.comparison import (
    Comparison,
    ComparisonStatement,
    FileDigest,
    Ground,
)
from pipelines.evidence.statements.statement import value_of
from pipelines.judge.finding import Finding, exit_code_of, worst_of

_UNJUDGED = frozenset({Ground.COPIED_INPUT, Ground.INPUT_NOT_SCANNED})


def check_subjects(dossier: Dossier) -> str:
    """Require of every comparison one subject: the published digest, or an undeclared output."""
    for statement in dossier.comparisons:
        found = statement.predicate
        about = found.shipped.published if found.shipped else None
        about = about or (found.rebuilt.digest if found.rebuilt else None)
        if [s.digest for s in statement.subject] != [about]:
            raise WrongError(
                f"the comparison of {statement.subject[0].name} is about other bytes",
                got=f"{len(statement.subject)} subjects, {statement.subject[0].digest.sha256}",
                expected=f"one, {about.sha256 if about else 'with a digest'}",
            )
    return f"{len(dossier.comparisons)} comparisons, each about one file"


def check_complete(dossier: Dossier) -> str:
    """Require a comparison for every artefact that the attempts name, and all to name the same."""
    judged = {
        (b.subject[0].name, b.predicate.shipped.published)
        for b in dossier.comparisons
        if b.predicate.shipped
    }
    for statement in dossier.attempts:
        named = {(s.name, s.digest) for s in statement.subject}
        if named != judged:
            odd = min(name for name, _ in named ^ judged)
            raise WrongError(
                f"{odd} is not the same in the attempts and in the comparisons",
                got=f"{len(judged)} compared",
                expected=f"{len(named)} artefacts, each with its published digest",
            )
    return f"{len(judged)} artefacts, none left out"


def check_artefacts(dossier: Dossier) -> str:
    """Require the comparisons of the report, one by one, and nothing besides."""
    told, signed = dossier.report.artefacts, dossier.comparisons
    if len(told) != len(signed):
        raise WrongError(
            "the report has other artefacts",
            got=f"{len(told)} in the report",
            expected=f"{len(signed)} in the statements",
        )
    for finding, statement in zip(told, signed, strict=True):
        if _told(finding) != _signed(statement):
            raise WrongError(
                f"the report says something else of {finding.name}",
                got=finding.verdict,
                expected=f"{statement.predicate.verdict}, and the same digests and causes",
            )
    return f"{len(told)} artefacts, as the report tells them"


def check_verdicts(dossier: Dossier) -> str:
    """Require the verdict, and the ground for it, that the digests beside it lead to."""
    built = outcome_of(dossier) is Outcome.BUILT
    for statement in dossier.comparisons:
        found, name = statement.predicate, statement.subject[0].name
        if found.verdict is Verdict.IDENTICAL_SIGNED or found.signature:
            raise UncheckedError(
                f"the signature of {name} was grafted, which this version does not check",
                got=found.verdict,
            )
        allowed = _allowed(found, built=built)
        if (found.verdict, found.ground) not in allowed:
            shown = " or ".join(f"{v} ({g})" for v, g in allowed)
            raise WrongError(
                f"the verdict on {name} does not follow from its digests",
                got=f"{found.verdict} ({found.ground})",
                expected=shown or "NOT_CHECKED, as nothing was built",
            )
    return "every verdict follows from the digests beside it"


def check_release_verdict(dossier: Dossier) -> str:
    """Require the worst verdict as that of the release."""
    expected = worst_of(b.predicate.verdict for b in dossier.comparisons)
    if dossier.report.verdict is not expected:
        raise WrongError(
            "another verdict on the release", got=dossier.report.verdict, expected=expected
        )
    return f"{expected}"


def check_built(dossier: Dossier) -> str:
    """Require provenance of a build, about the rebuilt bytes of the artefacts and no others."""
    rebuilt = {
        b.subject[0].name: b.predicate.rebuilt.digest
        for b in dossier.comparisons
        if b.predicate.shipped and b.predicate.rebuilt
    }
    if outcome_of(dossier) is not Outcome.BUILT:
        rebuilt = {}
    made = dossier.provenance
    found = {s.name: s.digest for s in made.subject} if made else {}
    if found != rebuilt:
        odd = min(found.keys() ^ rebuilt.keys() or rebuilt)
        raise WrongError(
            f"the provenance is not of what was compared: {odd}",
            got=f"{len(found)} rebuilt files",
            expected=f"{len(rebuilt)}, with the digests that were compared",
        )
    return f"provenance of {len(found)} rebuilt files"


def check_provenance(dossier: Dossier) -> str:
    """Require that every comparison of rebuilt bytes names the provenance in the bundle."""
    digest = dossier.provenance.digest() if dossier.provenance else None
    for statement in dossier.comparisons:
        found = statement.predicate
        named = found.provenance.sha256 if found.provenance else None
        expected = digest if found.rebuilt else None
        if named != expected:
            raise WrongError(
                f"the comparison of {statement.subject[0].name} names another provenance",
                got=named or "none",
                expected=expected or "none",
            )
    return f"sha256 {digest}" if digest else "nothing was built, so there is none"


def check_inputs(dossier: Dossier) -> str:
    """Require that nothing passes whose shipped bytes went into the build."""
    if dossier.provenance is None:
        return "nothing was built"
    definition = dossier.provenance.predicate.build_definition
    inputs = {r.digest.sha256: r.name for r in definition.resolved_dependencies}
    for statement in dossier.comparisons:
        found = statement.predicate
        published = found.shipped.published.sha256 if found.shipped else None
        if published in inputs and published and exit_code_of([found.verdict]) == 0:
            raise WrongError(
                f"{statement.subject[0].name} was copied, not rebuilt",
                got=f"{found.verdict}, with the shipped file as the input {inputs[published]}",
                expected="NOT_CHECKED (copied-input)",
            )
    return f"{len(inputs)} inputs, none of them a file that is judged"


def check_environment(dossier: Dossier) -> str:
    """Require the way of building that the provenance has."""
    if dossier.provenance is None:
        return "nothing was built"
    told = dossier.report.environment
    definition = dossier.provenance.predicate.build_definition
    signed = definition.external_parameters
    image = next(
        (
            r.digest.sha256
            for r in definition.resolved_dependencies
            if (r.annotations or {}).get("role") == "image"
        ),
        None,
    )
    declared = signed.environment.declared() if signed.environment else {}
    facts: list[tuple[str, object, object]] = [
        ("method", told.method, signed.method),
        ("image", (told.image or "").rpartition("/")[2], signed.image),
        ("image digest", told.image_config, image),
        ("environment", told.declared, declared),
    ]
    for what, got, expected in facts:
        if got != expected:
            raise WrongError(
                f"the report has another {what} than the provenance",
                got=f"{got!a:.120}",
                expected=f"{expected!a:.120}",
            )
    return f"method {signed.method}, image {signed.image}"


def _allowed(found: Comparison, *, built: bool) -> list[tuple[Verdict, Ground]]:
    if found.verdict is Verdict.NOT_CHECKED:
        return [(Verdict.NOT_CHECKED, ground) for ground in _unjudged(found, built=built)]
    return [_judged(found)] if built else []


def _judged(found: Comparison) -> tuple[Verdict, Ground]:
    """Return the verdict of the judge, and the ground for it, where something was judged."""
    if found.shipped is None:
        return Verdict.UNEXPECTED, Ground.UNDECLARED_OUTPUT
    served = found.shipped.served
    if served and served.digest != found.shipped.published:
        return Verdict.SHIPPED_MISMATCH, Ground.NOT_THE_PUBLISHED_FILE
    if found.rebuilt is None:
        return Verdict.MISSING, Ground.NOT_REBUILT
    if served is None:
        return Verdict.NOT_CHECKED, Ground.SHIPPED_UNREACHABLE
    return _compared(found, served)


def _compared(found: Comparison, served: FileDigest) -> tuple[Verdict, Ground]:
    if found.rebuilt == served:
        return Verdict.IDENTICAL, Ground.SAME_DIGEST
    if found.normalizers:
        return Verdict.EQUIVALENT, Ground.NORMALIZED
    return Verdict.DIFFERENT, Ground.BYTES_DIFFER


def _unjudged(found: Comparison, *, built: bool) -> list[Ground]:
    """Return the grounds on which nothing may have been judged."""
    if not built:
        return [Ground.NO_REBUILD]
    reachable = found.shipped is None or found.shipped.served is not None
    return sorted(_UNJUDGED) + ([] if reachable else [Ground.SHIPPED_UNREACHABLE])


def _told(finding: Finding) -> tuple[object, ...]:
    shipped, rebuilt, why = finding.shipped, finding.rebuilt, finding.explanation
    return (
        *(finding.name, finding.verdict),
        (shipped.published, shipped.sha256, shipped.size) if shipped else None,
        (rebuilt.sha256, rebuilt.size) if rebuilt else None,
        tuple(cause.name for cause in finding.causes),
        finding.normalizers,
        (why.status, why.json_diff, why.html_diff),
    )


def _signed(statement: ComparisonStatement) -> tuple[object, ...]:
    found = statement.predicate
    shipped, why = found.shipped, found.explanation
    diffs = (value_of(d) for d in (why.json_diff, why.html_diff))
    return (
        *(statement.subject[0].name, found.verdict),
        (shipped.published.sha256, *_file(shipped.served)) if shipped else None,
        _file(found.rebuilt) if found.rebuilt else None,
        found.causes,
        tuple(normalizer.name for normalizer in found.normalizers),
        (why.status, *diffs),
    )


def _file(file: FileDigest | None) -> tuple[Digest | None, int | None]:
    return (value_of(file.digest), file.size) if file else (None, None)
