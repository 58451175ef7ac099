"""What was found of a delta: the base that it was applied to, and what that gave.

Reports hold these values, so nothing here imports what reads deltas.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.frozen_model import FrozenModel
from builders.recipe.update import DeltaJudged, DeltaName
from pipelines.judge.updates.update_fault import (
    UpdateFault,
    UpdateRefused,
    UpdateResult,
    update_result,
)


class MadeFile(FrozenModel):
    """Size in bytes and digest of a file, or of a list of members."""

    sha256: Digest
    size: Annotated[int, Field(ge=0)]


class BaseChain(FrozenModel):
    """What a base rests on, by the runs of this center: the updates from a full release on."""

    links: Annotated[int, Field(ge=1)]
    """How many they are, with the update that has the delta: 1 on a full release."""
    release: str
    """The full release; where a base was not judged, the release of that."""
    sha256: Digest
    run: str | None
    worst: Verdict
    """Of the files that deltas were applied to, and the deltas that lead to them."""
    worst_release: str

    def __str__(self) -> str:
        """Say what the whole chain rests on, and which link is the worst."""
        count = f"{self.links} updates" if self.links > 1 else "one update"
        judged = f"run {self.run}" if self.run else "not judged by this center"
        worst = f"the worst link is {self.worst}, in {self.worst_release}"
        if self.worst in {Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED}:
            worst = f"no link is worse than {self.worst}"
        return f"{count} from {self.release} on ({judged}); {worst}"


class BaseRun(FrozenModel):
    """The run of this center that judged a base, and what it found."""

    run: str
    verdict: Verdict
    comparison: Digest
    """Of the payload of its comparison."""
    chain: BaseChain
    is_delta: bool = False


class CheckedBase(FrozenModel):
    """The base of a delta: a file of another release."""

    release: str
    sha256: Digest
    judged: BaseRun | None = None
    """None where no run of this center has judged that file of that release."""

    def refused(self) -> UpdateRefused | None:
        """Return why nothing can rest on it."""
        if self.judged is None:
            what = (
                f"no run of this center has judged sha256 {self.sha256} of {self.release}; verify "
                "that release first"
            )
            return UpdateRefused(fault=UpdateFault.BASE_NOT_JUDGED, detail=what)
        if self.judged.is_delta:
            what = f"sha256 {self.sha256} of {self.release} is a delta"
            return UpdateRefused(fault=UpdateFault.DELTA_OF_DELTA, detail=what)
        if self.judged.verdict not in _REPRODUCED:
            what = f"sha256 {self.sha256} of {self.release} is {self.judged.verdict}"
            return UpdateRefused(fault=UpdateFault.BASE_NOT_REPRODUCED, detail=what)
        return None


_REPRODUCED = frozenset({Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED, Verdict.EQUIVALENT})


class CheckedDelta(FrozenModel):
    """A shipped delta, applied to its base."""

    format: DeltaName
    judged: DeltaJudged
    target: str
    """The artefact that it gives."""
    published: Digest
    """Of the target."""
    base: CheckedBase
    members: bool = False
    """Whether results are compared member by member: their files then are lists of members."""
    applied: MadeFile | None = None
    """What the base with the delta applied is; None where that gave nothing."""
    expected: MadeFile | None = None
    """What our target is; None where there is none."""
    refused: UpdateRefused | None = None

    @model_validator(mode="after")
    def _holds(self) -> Self:
        if self.refused is None and not (
            self.applied and self.applied == self.expected and self.base.refused() is None
        ):
            raise ValueError(f"a delta to {self.target!r} that does not hold, and no fault")
        return self

    def __str__(self) -> str:
        """Say what it gives."""
        return f"the base with it applied is our {self.target}"

    @property
    def result(self) -> UpdateResult:
        """What it leaves of the verdict."""
        fault = self.refused.fault if self.refused else None
        return update_result(fault, stands_in=self.judged is DeltaJudged.APPLIED)
