"""What the tries of a Debian source came to, as the trail that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from builders.core.enums import Outcome, Verdict
from pipelines.infer.debian.causes import Cause
from pipelines.infer.debian.draft import Attempt, debian_draft
from pipelines.infer.debian.source import SourcePackage
from pipelines.infer.debian.tryout import TriedSource
from pipelines.infer.debian.versions import shown_strays
from pipelines.infer.trail import (
    LOG_KEPT,
    CauseRecord,
    ScalarRecord,
    Status,
    Trail,
    TryRecord,
)
from pipelines.judge.finding import worst

_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Done:
    """One try that is over."""

    attempt: Attempt
    tried: TriedSource

    @property
    def identical(self) -> bool:
        """Say whether every artefact came out as it was shipped."""
        return self.tried.outcome is Outcome.BUILT and (
            worst(self.tried.findings) is Verdict.IDENTICAL
        )

    @property
    def nearness(self) -> tuple[bool, int, int]:
        """Return what orders tries, the nearest first."""
        same = sum(f.verdict is Verdict.IDENTICAL for f in self.tried.findings)
        off = sum(len(contrast.paths()) for contrast in self.tried.contrasts)
        return self.tried.outcome is not Outcome.BUILT, -same, off


def untried_trail(package: SourcePackage, status: Status, cause: Cause) -> Trail:
    """Return the trail of a source that could not be tried."""
    return Trail(
        release=package.target.release,
        artefact=", ".join(pin.name for pin in package.artefacts),
        shipped=package.target.shipped.sha256,
        source=package.target.source.sha256,
        status=status,
        finished=True,
        reason=f"{cause.name}: {cause.detail}",
        notes=package.target.notes,
        causes=(CauseRecord(name=cause.name, detail=cause.detail),),
    )


def source_trail(
    package: SourcePackage,
    done: Sequence[Done],
    best: Done,
    found: tuple[Cause, ...],
    *,
    finished: bool,
) -> Trail:
    """Return the trail of all tries; `best` is the nearest, `found` the causes that remain."""
    built: Status = "identical" if best.identical else "different"
    status: Status = built if best.tried.outcome is Outcome.BUILT else "build failed"
    scalars = best.attempt.scalars()
    return Trail(
        release=package.target.release,
        artefact=", ".join(pin.name for pin in package.artefacts),
        shipped=package.target.shipped.sha256,
        source=package.target.source.sha256,
        status=status,
        finished=finished,
        reason=_reason(best),
        notes=_notes(package, best.attempt),
        scalars=tuple(
            ScalarRecord(name=s.name, value=s.value, bits=s.bits, evidence=s.evidence)
            for s in scalars
        ),
        bits=sum(s.bits for s in scalars),
        causes=tuple(CauseRecord(name=c.name, detail=c.detail) for c in found),
        tries=tuple(_record(number, each) for number, each in enumerate(done, start=1)),
        recipe=debian_draft(
            package, best.attempt, verdict=worst(best.tried.findings), remaining=found
        ),
    )


def _notes(package: SourcePackage, attempt: Attempt) -> tuple[str, ...]:
    more = (shown_strays(attempt.strays),) if attempt.strays else ()
    return (*package.target.notes, *more)


def _record(number: int, done: Done) -> TryRecord:
    tried = done.tried
    return TryRecord(
        number=number,
        claim=tried.claim,
        values=done.attempt.values(),
        bits=sum(s.bits for s in done.attempt.scalars()),
        outcome=tried.outcome,
        verdict=worst(tried.findings),
        reason=_reason(done),
        seconds=tried.seconds,
        log="" if tried.outcome is Outcome.BUILT else tried.log[-LOG_KEPT:],
    )


def _reason(done: Done) -> str:
    tried = done.tried
    if tried.outcome is not Outcome.BUILT:
        return tried.reason or str(tried.outcome)
    off = [f for f in tried.findings if f.verdict is not Verdict.IDENTICAL]
    return "; ".join(f"{f.name}: {f.reason}" for f in off[:_SHOWN]) or "same SHA-256"
