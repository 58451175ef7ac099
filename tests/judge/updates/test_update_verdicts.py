"""Which verdict follows for a delta from its digests and its checks: the judge's, and no other."""

from __future__ import annotations

from itertools import product

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.recipe.update import DeltaJudged, DeltaName
from pipelines.judge.compare import Declared, Facts, Unreachable, compare
from pipelines.judge.finding import FileFact, verdict_follows
from pipelines.judge.updates.checked_delta import CheckedBase, CheckedDelta, MadeFile
from pipelines.judge.updates.update_fault import UpdateFault, UpdateRefused, UpdateResult
from tests.judge.updates.test_check_deltas import RUN

SHIPPED, OTHER = Digest.of(b"shipped"), Digest.of(b"other")
MADE = MadeFile(sha256=Digest.of(b"target"), size=6)
FAULTS = (None, UpdateFault.APPLICATION_MISMATCH, UpdateFault.BASE_NOT_JUDGED)


def checked(judged: DeltaJudged, fault: UpdateFault | None) -> CheckedDelta:
    return CheckedDelta(
        format=DeltaName.BSDIFF,
        judged=judged,
        target="full",
        published=MADE.sha256,
        base=CheckedBase(release="lab/tool@1.0", sha256=OTHER, judged=RUN),
        applied=MADE,
        expected=MADE,
        refused=UpdateRefused(fault=fault, detail="so it is") if fault else None,
    )


@pytest.mark.parametrize(
    ("judged", "fault", "served", "rebuilt"),
    list(product(DeltaJudged, FAULTS, (None, SHIPPED, OTHER), (None, SHIPPED, OTHER))),
)
def test_the_verdict_of_the_judge_on_a_delta_follows_and_no_other(
    judged: DeltaJudged, fault: UpdateFault | None, served: Digest | None, rebuilt: Digest | None
) -> None:
    delta = checked(judged, fault) if served == SHIPPED else None  # no other one is applied
    facts = Facts(
        outcome=Outcome.BUILT,
        outcome_reason=None,
        declared=(
            Declared(
                name="x",
                published=SHIPPED,
                is_update=True,
                stands_in=judged is DeltaJudged.APPLIED,
            ),
        ),
        rebuilt=(Output(name="x", sha256=rebuilt, size=1, part=OutputKind.ARTEFACT),)
        if rebuilt
        else (),
        served={"x": FileFact(sha256=served, size=1) if served else Unreachable(reason="down")},
        input_fault=None,
        deltas={"x": delta} if delta else {},
    )
    (finding,) = compare(facts)
    update = delta.result if delta else None
    found = {
        verdict
        for verdict in Verdict
        if verdict_follows(
            verdict,
            published=SHIPPED,
            served=served,
            same=None if rebuilt is None else rebuilt == served,
            normalized=False,
            update=update,
        )
    }
    follows = found - {Verdict.NOT_CHECKED}
    if finding.verdict is Verdict.NOT_CHECKED:  # nothing was compared, or its base not judged
        assert update in {None, UpdateResult.UNJUDGED}
        assert not follows & {Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED, Verdict.EQUIVALENT}
    else:
        assert follows == {finding.verdict}
