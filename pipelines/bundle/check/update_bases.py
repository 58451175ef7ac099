"""Checks of deltas: that they lead to a file of the run, and that their base was judged before.

The run that judged a base is in a bundle of its own, which the reader gives. What that run rests on
in its turn is said in the statement: a chain of any length is checked by two bundles.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.audit.center_finding import IN_FAVOUR
from pipelines.audit.verdict_rule import delta_contradiction
from pipelines.bundle.check.opened import BaseBundle, OpenedBundle
from pipelines.bundle.check.result import (
    CheckStatus,
    NotNeededError,
    UncheckedError,
    require,
    require_equal,
)
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.updates import ComparedDelta

BASES = "bases"
"""The name of the check of bases, which those of a base itself are not needed for."""


def check_deltas(opened: OpenedBundle) -> str:
    """Require of each delta a base among the inputs of the build, and a target of the run."""
    deltas = list(_deltas(opened))
    if not deltas:
        raise NotNeededError("nothing in the bundle is a delta")
    made = opened.provenance
    inputs = made.predicate.build_definition.resolved_dependencies if made else ()
    bases = [one.digest.sha256 for one in inputs if one.annotation("role") == "base"]
    for statement, delta in deltas:
        base = delta.base.digest.sha256
        what = f"the base of {statement.name} is no base of the build"
        require(made is None or opened.closed or base in bases, what, base, bases[:3])
        odd = delta_contradiction(statement, opened.comparisons)
        require(odd is None, f"{statement.name} leads to another file", delta.target.sha256, odd)
    return f"{len(deltas)} deltas, each from a base of the build to a file of the run"


def check_bases(opened: OpenedBundle) -> str:
    """Require the bundle of the run that judged a base, where a verdict in favour rests on it."""
    resting = [
        (statement, delta)
        for statement, delta in _deltas(opened)
        if statement.predicate.verdict in IN_FAVOUR
    ]
    if not resting:
        raise NotNeededError("no verdict in favour of a file rests on a base")
    return "; ".join(dict.fromkeys(_base(opened, *one) for one in resting))


def _base(opened: OpenedBundle, statement: ComparisonStatement, delta: ComparedDelta) -> str:
    """Return which run judged the base of a delta, if a bundle of it is given and is sound."""
    base, name = delta.base, statement.name
    run = f"run {base.run} of {base.release}"
    given = next((one for one in opened.bases if _is_of(one, opened, delta)), None)
    if given is None:
        what = f"the base of {name} was judged in another run, whose bundle is not given"
        todo = "Give that bundle with --base, beside this one"
        raise UncheckedError(what, got=f"{len(opened.bases)} bundles", expected=run, todo=todo)
    for step in given.result.steps:
        wrong = step.status is CheckStatus.WRONG
        require(not wrong, f"the bundle of the base of {name} proves nothing", step.message)
        if step.status is CheckStatus.UNCHECKED and step.name != BASES:
            what = f"the bundle of the base of {name} cannot be checked"
            raise UncheckedError(what, got=step.message)
    found = {one.digest(): one for one in given.opened.comparisons}
    compared = (
        found.get(base.comparison.sha256) if base.comparison and base.comparison.sha256 else None
    )
    require(compared is not None, f"the base of {name} is of another comparison", run)
    if compared is not None:
        what = f"the base of {name} was judged as another file"
        require_equal(what, compared.subject[0].digest, base.digest)
        verdict, sound = compared.predicate.verdict, compared.predicate.verdict in IN_FAVOUR
        require(sound, f"the base of {name} was not reproduced", verdict)
    return f"{base.release} was judged in run {base.run}"


def _is_of(given: BaseBundle, opened: OpenedBundle, delta: ComparedDelta) -> bool:
    about = (given.result.center, given.result.run, given.result.release)
    return about == (opened.center, delta.base.run, delta.base.release)


def _deltas(opened: OpenedBundle) -> Iterator[tuple[ComparisonStatement, ComparedDelta]]:
    for statement in opened.comparisons:
        if statement.predicate.delta is not None:
            yield statement, statement.predicate.delta
