"""Checks of the findings: every artefact judged, each verdict in accord with its own digests."""

from __future__ import annotations

from pipelines.audit.center_finding import ExclusionReason
from pipelines.audit.verdict_rule import contradiction
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.bundle.check.result import (
    NotNeededError,
    require,
    require_equal,
    require_fields,
)
from pipelines.judge.finding import verdicts_exit_code


def check_complete(opened: OpenedBundle) -> str:
    """Require what the audit does of a run: each artefact compared once, as the attempts say."""
    for excluded in opened.run_findings.excluded:
        incomplete = excluded.reason is ExclusionReason.INCOMPLETE
        require(not incomplete, f"{excluded.record} does not fit its run", excluded.detail)
    shipped = [b for b in opened.comparisons if b.predicate.shipped]
    return f"{len(shipped)} artefacts, none left out"


def check_built(opened: OpenedBundle) -> str:
    """Require provenance of a build, about the rebuilt bytes of the artefacts and no others."""
    rebuilt = {
        b.name: b.predicate.rebuilt.digest
        for b in opened.comparisons
        if opened.built and b.predicate.shipped and b.predicate.rebuilt
    }
    found = {s.name: s.digest for s in opened.provenance.subject} if opened.provenance else {}
    require_fields("the provenance is not of what was compared:", found, rebuilt)
    return f"provenance of {len(found)} rebuilt files"


def check_provenance(opened: OpenedBundle) -> str:
    """Require that every comparison of rebuilt bytes names the provenance in the bundle."""
    digest = opened.provenance.digest() if opened.provenance else None
    for statement in opened.comparisons:
        found = statement.predicate
        named = found.provenance.sha256 if found.provenance else None
        what = f"the comparison of {statement.name} names another provenance"
        require_equal(what, named or "none", (digest if found.rebuilt else None) or "none")
    return f"sha256 {digest}" if digest else "nothing was built, so there is none"


def check_not_copied(opened: OpenedBundle) -> str:
    """Require that nothing passes whose shipped bytes went into the build."""
    if opened.provenance is None:
        raise NotNeededError("nothing was built")
    definition = opened.provenance.predicate.build_definition
    inputs = {r.digest.sha256: r.name for r in definition.resolved_dependencies}
    for statement in opened.comparisons:
        found = statement.predicate
        published = found.shipped.published.sha256 if found.shipped else None
        copied = published is not None and published in inputs
        require(
            not copied or verdicts_exit_code([found.verdict]) != 0,
            f"{statement.name} was copied, not rebuilt",
            f"{found.verdict}, with the shipped file as the input {inputs.get(published)}",
            "NOT_CHECKED (copied-input)",
        )
    return f"{len(inputs)} inputs, none of them a file that is judged"


def check_verdicts(opened: OpenedBundle) -> str:
    """Require the verdict, and the ground for it, that follow from its digests."""
    for statement in opened.comparisons:
        found, name = statement.predicate, statement.name
        expected = contradiction(statement, built=opened.built)
        what = f"the verdict on {name} does not follow from its digests"
        require(expected is None, what, f"{found.verdict} ({found.ground})", expected)
    return "every verdict follows from its digests"
