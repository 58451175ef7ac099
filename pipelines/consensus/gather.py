"""From the stores of the centers to one consensus for each artefact of a release.

Our own store and the peers' public prefixes are read alike. Which statements count says the policy
alone; a peer that is silent, or answers rubbish, is named, and never a pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builders.core.digest import Digest
from pipelines.consensus.alarms import newest_by_center
from pipelines.consensus.join import join
from pipelines.consensus.position import CountedOut, Position
from pipelines.consensus.proofs import OwnCenter, Proofs
from pipelines.consensus.reading import MATCHES, read_center
from pipelines.consensus.result import Consensus, Question, exit_code_of
from pipelines.consensus.verified import IndexOf, Logged, Source
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.statements.statement import DigestSet

if TYPE_CHECKING:
    from pipelines.policy import ConsensusRules, Policy


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """All that the centers say of a release, and what of it does not count."""

    release: ReleaseName
    positions: tuple[Position, ...]
    counted_out: tuple[CountedOut, ...]
    proofs: Proofs


@dataclass(frozen=True, kw_only=True)
class ReleaseConsensus:
    """The consensus on each artefact of a release."""

    release: ReleaseName
    artefacts: tuple[Consensus, ...]
    counted_out: tuple[CountedOut, ...]
    """What was counted out before anything was joined."""

    @property
    def exit_code(self) -> int:
        """Return 1 if anything failed or is an alarm, 0 if everything passed, else 2."""
        return exit_code_of(self.artefacts)

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "vendor": self.release.vendor,
            "product": self.release.product,
            "version": self.release.version,
            "artefacts": [one.to_dict() for one in self.artefacts],
            "counted_out": [out.to_dict() for out in self.counted_out],
            "exit_code": self.exit_code,
        }


def gather(
    release: ReleaseName,
    sources: Iterable[Source],
    *,
    policy: Policy,
    index_of: IndexOf,
    logged: Logged,
    own: OwnCenter | None = None,
) -> Gathered:
    """Return what the centers say of a release; only a fault of our own store is raised.

    With `own`, the proofs of work are checked from our own bytes where we have built the same.
    """
    asked = tuple(sources)
    read = [read_center(s, release, policy=policy, index_of=index_of, logged=logged) for s in asked]
    found = tuple(p for one in read for p in one.positions)
    proofs = Proofs(release, asked, found, policy=policy, index_of=index_of, own=own)
    return Gathered(
        release=release,
        positions=tuple(proofs.proved(p) if p.verdict in MATCHES else p for p in found),
        counted_out=tuple(out for one in read for out in one.counted_out),
        proofs=proofs,
    )


def consensus_of(
    gathered: Gathered,
    rules: ConsensusRules,
    *,
    own: str | None = None,
    claim: DigestSet | None = None,
    expected: Iterable[tuple[str, Digest]] = (),
) -> ReleaseConsensus:
    """Join what was gathered, for each artefact by its name and published digest.

    What is asked about is `claim`, or else the newest claim of our `own` center, or else the one
    that most operators speak of. Artefacts that are `expected` are there even if nobody says
    anything of them.
    """
    positions = gathered.positions
    asked = claim or _claim(positions, own)
    files = {*expected, *((p.artefact, p.published) for p in positions)}
    by_name: dict[str, list[Position]] = defaultdict(list)
    for position in positions:
        by_name[position.artefact].append(position)
    return ReleaseConsensus(
        release=gathered.release,
        artefacts=tuple(
            join(
                Question(artefact=name, published=published, claim=asked),
                by_name.get(name, ()),
                rules,
            )
            for name, published in sorted(files)
        ),
        counted_out=gathered.counted_out,
    )


def _claim(positions: Iterable[Position], own: str | None) -> DigestSet | None:
    """Return the claim to ask about."""
    given = tuple(positions)
    ours = [p for p in given if p.place.center == own]
    if ours:
        return max(ours, key=lambda p: p.index).claim
    speakers: dict[DigestSet, set[str]] = defaultdict(set)
    for position in newest_by_center(given).values():
        speakers[position.claim].add(position.place.operator)
    return max(speakers, key=lambda c: (len(speakers[c]), str(c.to_dict())), default=None)
