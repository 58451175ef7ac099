"""A refinement of wheels to ask what is tried next, and values to ask it with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from packaging.requirements import Requirement

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.infer.journal import TrialRecord, WheelDifferences
from pipelines.infer.search import Trial
from pipelines.infer.trial import TrialResult
from pipelines.infer.wheel.clues import Clues
from pipelines.infer.wheel.hypothesis import WheelHypothesis
from pipelines.infer.wheel.refinement import Refinement
from tests.infer.workbench import (
    RELEASED,
)

LATER = RELEASED + timedelta(days=1000)

"""When what is asked for by its exact version was uploaded."""

DIST = "tool-1.0.dist-info"

DATA = "tool/data.txt"

METADATA = WheelDifferences(content=(f"{DIST}/METADATA",))

TIMES = WheelDifferences(times={DATA: (1, 2)})

NEWEST = "it is the time of the newest member"


@dataclass
class Bench:
    """A refiner, and the hypothesis that came first."""

    clues: Clues
    refiner: Refinement
    start: WheelHypothesis

    def ideas(
        self,
        left: WheelDifferences | None = None,
        *,
        outcome: Outcome = Outcome.BUILT,
        verdict: Verdict = Verdict.DIFFERENT,
        log: str = "",
        asked: Sequence[str] = (),
        **changes: Any,
    ) -> list[WheelHypothesis]:
        """Return what follows from a try of the first hypothesis, with some values replaced."""
        record = TrialRecord(
            number=1,
            claim=Digest("0" * 64),
            values={},
            bits=0,
            outcome=outcome,
            verdict=verdict,
            reason="",
            seconds=1,
            differences=left,
        )
        hypothesis = replace(self.start, requirements=tuple(map(Requirement, asked)), **changes)
        result = TrialResult(outcome=outcome, reason="", log=log)
        return self.refiner.hypotheses(Trial(hypothesis=hypothesis, result=result, record=record))

    def setuptools(self, ideas: Sequence[WheelHypothesis]) -> list[str]:
        """Return the other versions of setuptools that ideas have, in the same image."""
        first = self.start.tools
        return [
            str(tool.version)
            for idea in ideas
            for tool in idea.tools
            if tool.project == "setuptools" and tool not in first
            if idea.image == self.start.image
        ]

    def others(self) -> list[str]:
        """Return the names of the other images, the likeliest first."""
        return [i.name for i in self.clues.ordered_images() if i.name != self.start.image]

    def failed(self, log: str = "", **more: Any) -> list[WheelHypothesis]:
        return self.ideas(outcome=Outcome.BUILD_FAILED, log=log, **more)


Make = Callable[..., Bench]


def values(ideas: Sequence[WheelHypothesis], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(getattr(idea, name) for name in names) for idea in ideas]
