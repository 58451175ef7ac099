"""Which verdict follows from which digests: the judge's, and no other one that says anything."""

from __future__ import annotations

from itertools import product

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.rebuild.rebuild_result import Output, OutputKind
from pipelines.audit.verdict_rule import follows
from pipelines.evidence.statements.statement import DigestSet
from pipelines.judge.compare import Declared, Facts, Unreachable, compare
from pipelines.judge.finding import FileFact

SHIPPED, OTHER, THIRD = (Digest.of(name) for name in (b"shipped", b"other", b"third"))
PAIRS = list(product((None, SHIPPED, OTHER, THIRD), repeat=2))


def judged(served: Digest | None, rebuilt: Digest | None, *, declared: bool = True) -> Verdict:
    """Return the verdict of the judge on one file."""
    facts = Facts(
        outcome=Outcome.BUILT,
        outcome_reason=None,
        declared=(Declared(name="x", published=SHIPPED),) if declared else (),
        rebuilt=(Output(name="x", sha256=rebuilt, size=1, part=OutputKind.UNEXPECTED),)
        if rebuilt
        else (),
        served={"x": FileFact(sha256=served, size=1) if served else Unreachable(reason="down")},
        input_fault=None,
    )
    (finding,) = compare(facts)
    return finding.verdict


@pytest.mark.parametrize(("served", "rebuilt"), PAIRS)
def test_the_verdict_of_the_judge_follows_and_no_other(
    served: Digest | None, rebuilt: Digest | None
) -> None:
    made = None if rebuilt is None else DigestSet(sha256=rebuilt)
    found = {
        verdict
        for verdict in Verdict
        if follows(verdict, published=SHIPPED, served=served, rebuilt=made, normalized=False)
    }
    assert found == {judged(served, rebuilt), Verdict.NOT_CHECKED}


def test_an_output_that_nobody_declared_is_unexpected() -> None:
    made = DigestSet(sha256=OTHER)
    found = [
        verdict
        for verdict in Verdict
        if follows(verdict, published=None, served=None, rebuilt=made, normalized=True)
    ]
    assert found == [judged(None, OTHER, declared=False)] == [Verdict.UNEXPECTED]


@pytest.mark.parametrize(
    ("verdict", "normalized", "grafted"),
    [(Verdict.EQUIVALENT, True, None), (Verdict.IDENTICAL_SIGNED, False, SHIPPED)],
)
@pytest.mark.parametrize(("served", "rebuilt"), PAIRS)
def test_what_is_equal_but_for_something_was_compared_with_the_published_file(
    verdict: Verdict,
    served: Digest | None,
    rebuilt: Digest | None,
    *,
    normalized: bool,
    grafted: Digest | None,
) -> None:
    made = None if rebuilt is None else DigestSet(sha256=rebuilt)
    supported = follows(
        verdict,
        published=SHIPPED,
        served=served,
        rebuilt=made,
        normalized=normalized,
        grafted=grafted,
    )
    equal = {Verdict.IDENTICAL_SIGNED: rebuilt is not None}.get(
        verdict, rebuilt not in {None, SHIPPED}
    )
    assert supported is (served == SHIPPED and equal)
