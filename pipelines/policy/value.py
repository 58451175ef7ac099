"""A policy as a value: who may speak, for which part of a log, and how many it takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from builders.core.enums import Kind
from pipelines.evidence.publickey import PublicKey
from pipelines.log.notekey import NoteKey
from pipelines.policy.errors import Fault, PolicyError
from pipelines.policy.quorum import Quorum, Witness
from pipelines.policy.vkey import witness_key


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A legal body that runs centers and signs policies; independence is counted in these."""

    name: str
    legal: str
    """Its name in law."""
    key: PublicKey


@dataclass(frozen=True, kw_only=True)
class CenterKey:
    """A key that signs statements, and the indexes of the center's own log at which it counts."""

    key: PublicKey
    start: int = 0
    end: int | None = None
    """The first index at which it does not count any more; None while no end is known."""

    def counts_at(self, index: int) -> bool:
        """Say whether a statement at `index` of the center's log, from 0, counts under this key."""
        return self.start <= index and (self.end is None or index < self.end)


@dataclass(frozen=True, kw_only=True)
class PolicyCenter:
    """A center; `log_key` and `witness_key` are vkeys (C2SP signed-note)."""

    id: str
    operator: str
    region: str
    builder: str
    verifier: str
    origin: str
    log_key: str
    witness_key: str | None = None
    keys: tuple[CenterKey, ...]


@dataclass(frozen=True, kw_only=True)
class Reviewer:
    """A person by name, and a key of theirs; who changes keys has an entry for each."""

    name: str
    key: PublicKey


@dataclass(frozen=True, kw_only=True)
class ConsensusRules:
    """What it takes to confirm a release: operators that match, in regions, and who may dissent."""

    k: int = 1
    regions: int = 1
    max_dissent: int = 0
    normalizers: frozenset[str] = frozenset()

    def tightened(
        self,
        *,
        k: int | None = None,
        regions: int | None = None,
        max_dissent: int | None = None,
        normalizers: Collection[str] | None = None,
    ) -> ConsensusRules:
        """Return these rules with what somebody else asks for, where that is stricter."""
        return ConsensusRules(
            k=self.k if k is None else max(self.k, k),
            regions=self.regions if regions is None else max(self.regions, regions),
            max_dissent=(
                self.max_dissent if max_dissent is None else min(self.max_dissent, max_dissent)
            ),
            normalizers=(
                self.normalizers if normalizers is None else self.normalizers & set(normalizers)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What counts; the empty policy demands nothing and knows nobody."""

    version: int = 0
    expires: datetime | None = None
    """UTC."""
    operators: tuple[Operator, ...] = ()
    threshold: int = 1
    """How many operators sign a policy."""
    centers: tuple[PolicyCenter, ...] = ()
    quorum: Quorum = field(default_factory=Quorum)
    reviewers: tuple[Reviewer, ...] = ()
    minimum: int = 0
    kinds: Mapping[Kind, int] = field(default_factory=dict)
    """Reviewers that a kind of release needs, in place of `minimum`."""
    revoked: frozenset[str] = frozenset()
    """Key ids of reviewers; a center's key ends at a log size instead."""
    consensus: ConsensusRules = field(default_factory=ConsensusRules)
    consensus_kinds: Mapping[Kind, ConsensusRules] = field(default_factory=dict)

    def demand(self, kind: Kind, recipe: int = 0) -> int:
        """Return how many reviewers a release needs; its recipe can only ask for more."""
        return max(self.kinds.get(kind, self.minimum), recipe)

    def people(self) -> set[str]:
        """Return the names of those whose reviews can count."""
        return {r.name for r in self.reviewers if r.key.keyid not in self.revoked}

    def rules(self, kind: Kind) -> ConsensusRules:
        """Return what it takes to confirm a release of that kind."""
        return self.consensus_kinds.get(kind, self.consensus)

    def operator(self, name: str) -> Operator:
        """Return an operator by name; raises `PolicyError`."""
        for operator in self.operators:
            if operator.name == name:
                return operator
        raise PolicyError(
            "the policy has no such operator",
            fault=Fault.NOT_AN_OPERATOR,
            got=ascii(name[:80]),
            expected=f"one of {', '.join(o.name for o in self.operators)}",
        )

    def center(self, name: str) -> PolicyCenter:
        """Return a center by its id; raises `PolicyError`."""
        self._require_centers()
        for center in self.centers:
            if center.id == name:
                return center
        raise PolicyError(
            "the policy has no such center",
            fault=Fault.UNKNOWN_CENTER,
            got=ascii(name[:80]),
            expected=f"one of {', '.join(c.id for c in self.centers)}",
            todo="Its findings count for nothing until a policy names it",
        )

    def center_of_key(self, keyid: str, index: int) -> PolicyCenter:
        """Return the center whose key it is, if that counts at `index` of the center's log.

        Raises `PolicyError`: for a key that no center has, one that does not count yet, and one
        that has ended.
        """
        self._require_centers()
        for center in self.centers:
            for key in center.keys:
                if key.key.keyid == keyid:
                    _check_range(center, key, index)
                    return center
        raise PolicyError(
            "the policy gives that key to no center",
            fault=Fault.UNKNOWN_KEY,
            got=f"key {ascii(keyid)[1:-1][:16]}",
            expected="a key of one of its centers",
            todo="Signed by somebody whom the policy does not know: do not rely on it",
        )

    def witnesses_for(self, center: str) -> tuple[Witness, ...]:
        """Return the witnesses that have a say about the log of a center: all but its own.

        Else a center could show a log to one reader alone, and witness that itself.
        """
        own = {
            witness_key(c.witness_key).key
            for c in self.centers
            if c.id == center and c.witness_key is not None
        }
        return tuple(w for w in self.quorum.witnesses if witness_key(w.key).key not in own)

    def witness_keys(self, center: str) -> dict[NoteKey, str]:
        """Return the keys of the witnesses of a center's log, with their names in its quorum.

        The center's own witness does not count for its own log.
        """
        return {witness_key(w.key): w.name for w in self.witnesses_for(center)}

    def _require_centers(self) -> None:
        if not self.centers:
            raise PolicyError(
                "the policy is empty: it trusts nobody",
                fault=Fault.EMPTY,
                got="no centers",
                expected="at least one center with a key",
                todo="Name the signed policy of the centers",
            )


def _check_range(center: PolicyCenter, key: CenterKey, index: int) -> None:
    if key.counts_at(index):
        return
    shown = f"key {key.key.keyid[:16]} of center {center.id}"
    if index < key.start:
        raise PolicyError(
            f"{shown} does not count yet",
            fault=Fault.KEY_NOT_YET,
            got=f"a statement at index {index} of its log",
            expected=f"one from log size {key.start} on",
        )
    raise PolicyError(
        f"{shown} has ended",
        fault=Fault.KEY_ENDED,
        got=f"a statement at index {index} of its log",
        expected=f"one before log size {key.end}, where the key ended or was revoked",
        todo="Whoever has that key may have made it: do not rely on it",
    )
