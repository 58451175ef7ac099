"""A bundle opened as far as it is needed: each part is parsed once, when a check first asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from builders.core.digest import Digest
from pipelines.bundle.card import CenterCard
from pipelines.bundle.layout import (
    CARD,
    HEARTBEAT,
    KEYS,
    LEAF,
    LOG,
    MAX_REPORT,
    OTHER,
    PROOF,
    REPORT,
    STATEMENTS,
    Bundle,
)
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.publickey import PublicKey, read_public_key
from pipelines.evidence.report import Report
from pipelines.evidence.statements import (
    STATEMENT_TYPES,
    AttemptStatement,
    ComparisonStatement,
    ProvenanceStatement,
    RobustnessStatement,
    Statement,
    read_statement,
)
from pipelines.evidence.statements.heartbeat import HeartbeatStatement
from pipelines.evidence.statements.statement import MAX_STATEMENT
from pipelines.evidence.strictjson import malformed, read_model, read_object
from pipelines.log.checkpoint import SignedCheckpoint, open_checkpoint
from pipelines.log.leaf import Leaf, read_leaf
from pipelines.log.notekey import ED25519, NoteKey
from pipelines.log.proof import LogProof

if TYPE_CHECKING:
    from pipelines.policy import Policy

ORIGINS = "samebits.example/centers/"
ED25519_TYPE = "ed25519"
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What the reader of a bundle relies on; none of it comes from the bundle."""

    keys: tuple[PublicKey, ...] = ()
    """Keys of the center, from wherever the reader trusts."""
    builder: str | None = None
    """The builder that these keys may speak for (SLSA's builder.id), if the reader says so."""
    policy: bytes | None = None
    """A signed policy, from wherever the reader trusts, in place of keys."""
    now: datetime = _NEVER
    """The present, UTC; by default so late that every policy has expired."""
    max_age: timedelta | None = None
    """How old the newest word of the log's witnesses may be; None is any age."""


@dataclass(frozen=True, kw_only=True)
class GivenFile:
    """A file that the reader has: plain digest, and the keyed one of its bytes under a key."""

    name: str
    sha256: Digest
    keyed: Callable[[bytes], Digest]


@dataclass(frozen=True, kw_only=True)
class LoggedLeaf:
    """A leaf of the log, and the proof that it is there; neither is believed yet."""

    data: bytes
    leaf: Leaf
    proof: LogProof


@dataclass(frozen=True, kw_only=True)
class Dossier:
    """A bundle before its reader. Every part raises `MalformedError` when it cannot be read."""

    data: bytes
    trust: Trust
    files: tuple[GivenFile, ...] = ()

    @cached_property
    def bundle(self) -> Bundle:
        """The members."""
        return Bundle.from_bytes(self.data)

    @cached_property
    def card(self) -> CenterCard:
        """Who the center says it is."""
        return CenterCard.from_bytes(self.bundle.members[CARD])

    @cached_property
    def keys(self) -> Mapping[str, PublicKey]:
        """The keys in the bundle by their use; nothing vouches for them."""
        return {
            name.removeprefix(KEYS).removesuffix(".pub"): read_public_key(data)
            for name, data in self._folder(KEYS)
        }

    @cached_property
    def policy(self) -> Policy | None:
        """The reader's policy, verified; None when there is none. Raises `PolicyError`."""
        if self.trust.policy is None:
            return None
        from pipelines.policy import open_policy  # noqa: PLC0415  # a tenth of a second

        return open_policy(self.trust.policy, now=self.trust.now).policy

    @property
    def trusted(self) -> tuple[PublicKey, ...]:
        """The keys that may have signed the statements: the reader's, or the policy's for them."""
        if self.policy is None:
            return self.trust.keys
        return tuple(key.key for key in self.policy.center(self.card.id).keys)

    @cached_property
    def leaves(self) -> Mapping[int, LoggedLeaf]:
        """The leaves by their index, in order; raises `LogError` for what is none."""
        members = self.bundle.members
        found = {int(n.removeprefix(LOG).partition(".")[0]) for n, _ in self._folder(LOG)}
        return {
            index: LoggedLeaf(
                data=members[f"{LOG}{index}{LEAF}"],
                leaf=read_leaf(members[f"{LOG}{index}{LEAF}"]),
                proof=LogProof.parse(members[f"{LOG}{index}{PROOF}"]),
            )
            for index in sorted(found)
        }

    @cached_property
    def others(self) -> Mapping[int, Envelope]:
        """The statements of other runs by the index of their leaf."""
        return {
            int(name.removeprefix(LOG).removesuffix(OTHER)): Envelope.from_bytes(data)
            for name, data in self._folder(LOG)
            if name.endswith(OTHER)
        }

    @cached_property
    def checkpoint(self) -> SignedCheckpoint:
        """The checkpoint in the proofs, signed by the log; raises `LogError`."""
        return open_checkpoint(
            next(iter(self.leaves.values())).proof.checkpoint,
            origin=self.log_key.name,
            keys=[self.log_key],
            witnesses=self.witnesses,
        )

    @property
    def log_key(self) -> NoteKey:
        """The key of the log: the policy's, or the one in the bundle; raises `MalformedError`."""
        if self.policy is not None:
            return self.policy.center(self.card.id).log.key
        key = self.keys.get("log")
        if key is None or key.keytype != ED25519_TYPE:
            raise malformed("the bundle", got="no Ed25519 key of the log", expected="keys/log.pub")
        return NoteKey(
            name=f"{ORIGINS}{self.card.id}", algorithm=ED25519, key=bytes.fromhex(key.value)
        )

    @property
    def witnesses(self) -> tuple[NoteKey, ...]:
        """The witnesses that the policy names."""
        if self.policy is None:
            return ()
        return tuple(witness.key for witness in self.policy.quorum.witnesses)

    @cached_property
    def heartbeat(self) -> tuple[Envelope, HeartbeatStatement] | None:
        """The center's newest heartbeat, not verified; None without one."""
        data = self.bundle.members.get(HEARTBEAT)
        if data is None:
            return None
        envelope = Envelope.from_bytes(data)
        statement = read_statement(envelope.payload)
        if not isinstance(statement, HeartbeatStatement):
            raise malformed(
                HEARTBEAT, got=statement.predicate_type, expected="a heartbeat of the center"
            )
        return envelope, statement

    @cached_property
    def report(self) -> Report:
        """The report, which nobody has signed."""
        data = self.bundle.members[REPORT]
        return read_model(data, Report, what="the report", limit=MAX_REPORT, floats=True)

    @cached_property
    def envelopes(self) -> Mapping[str, Envelope]:
        """The envelopes by the name of their member."""
        return {name: Envelope.from_bytes(data) for name, data in self._folder(STATEMENTS)}

    @cached_property
    def unknown(self) -> Mapping[str, str]:
        """Predicate types that are not known here, by the name of their member."""
        found = {}
        for name, envelope in self.envelopes.items():
            data = read_object(envelope.payload, what=name, limit=MAX_STATEMENT)
            named = data.get("predicateType")
            if isinstance(named, str) and named not in STATEMENT_TYPES:
                found[name] = named
        return found

    @cached_property
    def statements(self) -> Mapping[str, Statement]:
        """The statements of known kinds by the name of their member."""
        return {
            name: read_statement(envelope.payload)
            for name, envelope in self.envelopes.items()
            if name not in self.unknown
        }

    @cached_property
    def provenances(self) -> tuple[ProvenanceStatement, ...]:
        """Statements A."""
        return tuple(s for s in self.statements.values() if isinstance(s, ProvenanceStatement))

    @property
    def provenance(self) -> ProvenanceStatement | None:
        """Statement A; None for a run that left nothing."""
        return next(iter(self.provenances), None)

    @cached_property
    def comparisons(self) -> tuple[ComparisonStatement, ...]:
        """Statements B in the order of their numbers, which is that of the report."""
        found = (s for s in self._by_number() if isinstance(s, ComparisonStatement))
        return tuple(found)

    @cached_property
    def attempts(self) -> tuple[AttemptStatement, ...]:
        """Statements E in the order of their numbers."""
        return tuple(s for s in self._by_number() if isinstance(s, AttemptStatement))

    @cached_property
    def robustness(self) -> tuple[RobustnessStatement, ...]:
        """What moved rebuilds of this run showed, in the order of their numbers."""
        return tuple(s for s in self._by_number() if isinstance(s, RobustnessStatement))

    @property
    def closed(self) -> bool:
        """Whether the source is closed, so that its digests are told keyed."""
        return any(a.predicate.claim and a.predicate.claim.hmac_sha256 for a in self.attempts)

    def _by_number(self) -> Iterator[Statement]:
        for name in sorted(self.statements, key=number_of):
            yield self.statements[name]

    def _folder(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        for name, data in self.bundle.members.items():
            if name.startswith(prefix):
                yield name, data


def number_of(name: str) -> int:
    """Return the number in the name of a statement's member."""
    return int(name.removesuffix(".dsse.json").rpartition("-")[2])
