"""The draft recipe of a hypothesis for a wheel."""

from __future__ import annotations

from collections.abc import Iterable

from builders.core.enums import Verdict
from pipelines.infer.draft import render_draft
from pipelines.infer.journal import Scalar
from pipelines.infer.target import Target
from pipelines.infer.wheel.hypothesis import WheelHypothesis


def wheel_draft(
    target: Target,
    hypothesis: WheelHypothesis,
    *,
    verdict: Verdict = Verdict.IDENTICAL,
    scalars: Iterable[Scalar] = (),
    head: Iterable[str] = (),
) -> str:
    """Return the YAML of a draft; a comment above the value explains each of `scalars`."""
    values = hypothesis.values()
    variables = {
        "SOURCE_DATE_EPOCH": values["source_date_epoch"],
        "PYTHONHASHSEED": values["hash_seed"],
    }
    return render_draft(
        "wheel.yaml.j2",
        target,
        head=head,
        scalars=scalars,
        verdict=verdict,
        values=values,
        variables={name: value for name, value in variables.items() if value is not None},
        tools=hypothesis.tools,
    )
