"""Which verdict follows from which digests: the judge's, and no other one that says anything."""

from __future__ import annotations

from itertools import product

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.rebuild.rebuild_result import Output, OutputKind
from pipelines.judge.compare import Declared, Facts, Unreachable, compare
from pipelines.judge.finding import FileFact, verdict_follows
from pipelines.judge.updates.update_fault import UpdateResult

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


def same(served: Digest | None, rebuilt: Digest | None) -> bool | None:
    return None if rebuilt is None else rebuilt == served


@pytest.mark.parametrize(("served", "rebuilt"), PAIRS)
def test_the_verdict_of_the_judge_follows_and_no_other(
    served: Digest | None, rebuilt: Digest | None
) -> None:
    found = {
        verdict
        for verdict in Verdict
        if verdict_follows(
            verdict, published=SHIPPED, served=served, same=same(served, rebuilt), normalized=False
        )
    }
    assert found == {judged(served, rebuilt), Verdict.NOT_CHECKED}


def test_an_output_that_nobody_declared_is_unexpected() -> None:
    found = {
        verdict
        for verdict in Verdict
        if verdict_follows(verdict, published=None, served=None, same=False, normalized=True)
    }
    assert found == {judged(None, OTHER, declared=False), Verdict.NOT_CHECKED}
    for verdict in Verdict:  # what is not there is not even that
        assert not verdict_follows(verdict, published=None, served=None, same=None, normalized=True)


@pytest.mark.parametrize(
    ("verdict", "normalized", "grafted"),
    [(Verdict.EQUIVALENT, True, False), (Verdict.IDENTICAL_SIGNED, False, True)],
)
@pytest.mark.parametrize(("served", "rebuilt"), PAIRS)
def test_what_is_equal_but_for_something_was_compared_with_the_published_file(
    verdict: Verdict,
    served: Digest | None,
    rebuilt: Digest | None,
    *,
    normalized: bool,
    grafted: bool,
) -> None:
    supported = verdict_follows(
        verdict,
        published=SHIPPED,
        served=served,
        same=same(served, rebuilt),
        normalized=normalized,
        grafted=grafted,
    )
    assert supported is (served == SHIPPED and rebuilt not in {None, SHIPPED})
    for update in (UpdateResult.REFUSED, UpdateResult.UNJUDGED):
        assert not verdict_follows(
            verdict,
            published=SHIPPED,
            served=served,
            same=same(served, rebuilt),
            normalized=normalized,
            grafted=grafted,
            update=update,
        )
