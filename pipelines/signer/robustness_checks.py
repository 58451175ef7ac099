"""Conditions on the robustness rebuild, which varies what the recipe does not declare.

How it went is checked like the attempts (`build_checks`). Its result is not part of the evidence:
the statement derives it from the digests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from builders.core.enums import Outcome
from builders.rebuild.robustness_factors import Factor, KeptReason
from builders.rebuild.robustness_plan import declares, default_value, varied_values
from pipelines.signer.opened_evidence import SKEW, Condition, OpenedEvidence, equal, true

_SEVERAL = re.compile(r"[2-9]|[1-9][0-9]{1,3}")
"""Cores of a machine, more than one."""


def robustness_conditions(opened: OpenedEvidence) -> Iterator[Condition]:
    """Yield the conditions in their order; none without a robustness rebuild."""
    robustness, report, build = opened.evidence.robustness, opened.report, opened.recipe.build
    if robustness is None:
        return
    error = "a robustness rebuild without a judged build"
    yield equal("tested", error, report.outcome, Outcome.BUILT)
    finished, now = opened.run.finished, opened.now
    yield true(
        "tested",
        "the robustness rebuild was not made after the run",
        finished <= robustness.tested_on <= now + SKEW,
        got=f"{robustness.tested_on:%Y-%m-%dT%H:%M:%SZ}",
        expected=f"{finished:%Y-%m-%dT%H:%M:%SZ} to {now:%Y-%m-%dT%H:%M:%SZ}",
    )
    declared = [factor for factor in Factor if declares(build, factor)]
    kept = [k.factor for k in robustness.kept if k.why is KeptReason.DECLARED]
    yield true(
        "factors",
        "other factors are declared",
        kept == declared,
        got=", ".join(kept) or "none",
        expected=", ".join(declared) or "none",
    )
    values = varied_values(report.run)
    for varied in robustness.moved:
        before, after = default_value(build, varied.factor), values[varied.factor]
        from_default = varied.before == before if before else _SEVERAL.fullmatch(varied.before)
        yield true(
            "factors",
            f"{varied.factor} was varied from or to another value",
            bool(from_default) and varied.after == after,
            got=f"{varied.before!a:.80} to {varied.after!a:.80}",
            expected=f"{before or 'several'} to {after}",
        )
