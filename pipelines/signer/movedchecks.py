"""Checks of a rebuild in a moved environment: it tests a build, and moves what is undeclared.

How it went is checked with the attempts (`buildchecks`); what it showed is not told by the center
but found by the statement, from the digests.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from builders.build.robustness import Factor, KeptReason
from builders.build.robustness_plan import declares, default_value, varied_values
from builders.core.enums import Outcome
from pipelines.evidence.errors import refused
from pipelines.signer.case import SKEW, Case

_SEVERAL = re.compile(r"[2-9]|[1-9][0-9]{1,3}")
"""Cores of a machine, more than one."""


def check_tested(case: Case) -> None:
    """Require a build to test, and a test after it that is over."""
    moved = case.evidence.moved
    if moved is None:
        return
    if case.report.outcome is not Outcome.BUILT:
        raise refused(
            "tested",
            "a moved rebuild beside nothing that was judged",
            got=case.report.outcome,
            expected=Outcome.BUILT,
        )
    if not case.run.finished <= moved.tested_on <= case.now + SKEW:
        raise refused(
            "tested",
            "the moved rebuild is not of after the run",
            got=f"{moved.tested_on:%Y-%m-%dT%H:%M:%SZ}",
            expected=f"{case.run.finished:%Y-%m-%dT%H:%M:%SZ} to {case.now:%Y-%m-%dT%H:%M:%SZ}",
        )


def check_factors(case: Case) -> None:
    """Require what is declared to stay, and the rest to be moved from and to where it is always."""
    moved, build = case.evidence.moved, case.recipe.build
    if moved is None:
        return
    declared = [f for f in Factor if declares(build, f)]
    told = [k.factor for k in moved.kept if k.why is KeptReason.DECLARED]
    if told != declared:
        raise refused(
            "factors",
            "other factors are declared",
            got=", ".join(told) or "none",
            expected=", ".join(declared) or "none",
        )
    after = varied_values(case.report.run)
    for one in moved.moved:
        before = default_value(build, one.factor)
        from_there = one.before == before if before else _SEVERAL.fullmatch(one.before)
        if not from_there or one.after != after[one.factor]:
            raise refused(
                "factors",
                f"{one.factor} was moved from or to somewhere else",
                got=f"{one.before!a:.80} to {one.after!a:.80}",
                expected=f"{before or 'several'} to {after[one.factor]}",
            )


CHECKS: dict[str, Callable[[Case], None]] = {"tested": check_tested, "factors": check_factors}
