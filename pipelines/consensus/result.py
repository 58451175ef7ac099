"""What comes out of a join: the result, who said what, and all that does not count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from builders.core.digest import Digest
from builders.core.errors import EXIT_NOT_CHECKED
from pipelines.consensus.alarms import Alarm, Served
from pipelines.consensus.answer import Stand
from pipelines.consensus.position import Basis, CountedOut, Position
from pipelines.evidence.statements.crosscheck import Proof
from pipelines.evidence.statements.statement import DigestSet

if TYPE_CHECKING:
    from pipelines.policy import ConsensusRules

EXIT_FAILED = 1


class Result(StrEnum):
    """What the centers together found for one artefact, in the order of asking."""

    NOT_CHECKED = "NOT_CHECKED"
    UNBUILDABLE = "UNBUILDABLE"
    SUSPECT = "SUSPECT"
    SPLIT = "SPLIT"
    CONFIRMED = "CONFIRMED"
    NONDETERMINISTIC = "NONDETERMINISTIC"
    PENDING = "PENDING"


@dataclass(frozen=True, kw_only=True)
class Question:
    """Whether the claim builds the artefact with that published digest."""

    artefact: str
    published: Digest
    claim: DigestSet | None
    """None when no center named a claim: then nothing can be joined."""


@dataclass(frozen=True, kw_only=True)
class Voice:
    """What one operator says, in all its centers together."""

    operator: str
    stand: Stand
    made: DigestSet | None
    newest: tuple[Position, ...]
    """The newest position of each of its centers."""
    rests_on: tuple[Position, ...]
    """`newest`, and of one that contradicts itself all that it said."""
    matching: tuple[Position, ...] = ()
    """Those of `newest` that count as a match."""
    counted_out: tuple[CountedOut, ...] = ()

    @property
    def dissents(self) -> bool:
        """Whether it is counted against the published bytes."""
        return self.stand in {Stand.DISSENT, Stand.MISMATCH}

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "operator": self.operator,
            "stand": str(self.stand),
            "counts_as_match": bool(self.matching),
            "made": self.made.to_dict() if self.made else None,
            "centers": [
                {
                    "center": p.place.center,
                    "region": p.place.region,
                    "run": p.run,
                    "outcome": str(p.outcome),
                    "verdict": str(p.verdict),
                    "work_proof": str(p.work),
                    "log_index": p.index,
                    "statement": str(p.comparison.digest),
                }
                for p in self.newest
            ],
        }


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """The result for one artefact."""

    question: Question
    result: Result
    passed: bool | None
    """Whether a summary says PASSED or FAILED; None where it says nothing."""
    rules: ConsensusRules
    voices: tuple[Voice, ...]
    """One for each operator that says anything for the claim, by name."""
    counted_out: tuple[CountedOut, ...]
    served: tuple[Served, ...]
    alarms: tuple[Alarm, ...]

    @property
    def matched(self) -> tuple[Voice, ...]:
        """The operators that match."""
        return tuple(voice for voice in self.voices if voice.matching)

    @property
    def dissenting(self) -> tuple[Voice, ...]:
        """The operators that are counted against the published bytes."""
        return tuple(voice for voice in self.voices if voice.dissents)

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions of the matches that count."""
        return tuple(sorted({p.place.region for voice in self.voices for p in voice.matching}))

    @property
    def work_proof(self) -> Proof:
        """`none` where any match counts without a proof, since there can be none."""
        works = {p.work for voice in self.matched for p in voice.matching}
        return Proof.PROVED if works == {Proof.PROVED} else Proof.NONE if works else Proof.ABSENT

    @property
    def rests_on(self) -> tuple[Basis, ...]:
        """Every statement behind the result, once, by name."""
        positions = (p for voice in self.voices for p in voice.rests_on)
        return tuple(sorted({basis for p in positions for basis in p.rests_on}))

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        claim = self.question.claim
        return {
            "artefact": self.question.artefact,
            "published": str(self.question.published),
            "claim": claim.to_dict() if claim else None,
            "consensus": str(self.result),
            "passed": self.passed,
            "k": self.rules.k,
            "minimum_regions": self.rules.regions,
            "max_dissent": self.rules.max_dissent,
            "matched": [voice.operator for voice in self.matched],
            "dissenting": [voice.operator for voice in self.dissenting],
            "regions": list(self.regions),
            "work_proof": str(self.work_proof),
            "voices": [voice.to_dict() for voice in self.voices],
            "counted_out": [out.to_dict() for out in self.counted_out],
            "served": [s.to_dict() for s in self.served],
            "alarms": [alarm.to_dict() for alarm in self.alarms],
        }


def exit_code_of(found: Iterable[Consensus]) -> int:
    """Return 1 if anything failed or is an alarm, 0 if everything passed, else 2."""
    results = list(found)
    if any(one.passed is False or one.alarms for one in results):
        return EXIT_FAILED
    return 0 if results and all(one.passed for one in results) else EXIT_NOT_CHECKED
