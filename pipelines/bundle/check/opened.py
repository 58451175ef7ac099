"""A bundle as its checks read it: each part is parsed once, when a check first needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from builders.core.digest import Digest
from builders.core.enums import Outcome
from pipelines.bundle import layout
from pipelines.bundle.layout import LOG, Bundle, CenterCard
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.publickey import PublicKey, read_public_key
from pipelines.evidence.report import Report
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.explanation import ExplanationStatement
from pipelines.evidence.statements.log_status import HeartbeatStatement
from pipelines.evidence.statements.provenance import ProvenanceStatement
from pipelines.evidence.statements.reader import STATEMENT_TYPES, read_statement
from pipelines.evidence.statements.rebuilds import (
    AttemptStatement,
    RobustnessStatement,
    final_attempt,
)
from pipelines.evidence.statements.statement import (
    MAX_STATEMENT,
    RunReference,
    Statement,
    value_of,
)
from pipelines.evidence.strictjson import malformed, read_model, read_object
from pipelines.log.checkpoint import LogIdentity, SignedCheckpoint, open_checkpoint
from pipelines.log.leaf import Leaf, LeafFields, read_fields, read_leaf
from pipelines.log.notekey import ED25519, NoteKey
from pipelines.log.proof import LogProof

if TYPE_CHECKING:
    from pipelines.policy import Policy

ORIGINS = "samebits.example/centers/"
_NEVER = datetime.max.replace(tzinfo=UTC)
S = TypeVar("S", bound=Statement)


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What the reader of a bundle relies on; none of it comes from the bundle."""

    keys: tuple[PublicKey, ...] = ()
    """Keys of the center, from wherever the reader trusts."""
    builder: str | None = None
    """The builder that these keys may sign for (SLSA's builder.id), if the reader says so."""
    policy: bytes | None = None
    """A signed policy, from wherever the reader trusts, in place of keys."""
    now: datetime = _NEVER
    """The present, UTC; by default so late that every policy has expired."""
    max_age: timedelta | None = None
    """How old the newest cosignatures of the log may be; None is any age."""


@dataclass(frozen=True, kw_only=True)
class GivenFile:
    """A file that the reader has: plain digest, and the keyed one of its bytes under a key."""

    name: str
    sha256: Digest
    keyed: Callable[[bytes], Digest]


@dataclass(frozen=True, kw_only=True)
class LoggedLeaf:
    """A leaf of the log, and the proof that it is there; neither is verified yet."""

    leaf: Leaf
    fields: LeafFields
    proof: LogProof


@dataclass(frozen=True, kw_only=True)
class OpenedBundle:
    """A bundle that is checked. Every part raises `MalformedError` when it cannot be read."""

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
        return CenterCard.from_bytes(self.bundle.members[layout.CARD])

    @cached_property
    def keys(self) -> Mapping[str, PublicKey]:
        """The keys in the bundle by their use; they are not trusted."""
        return {
            name.removeprefix(layout.KEYS).removesuffix(".pub"): read_public_key(data)
            for name, data in self._folder(layout.KEYS)
        }

    @cached_property
    def report(self) -> Report:
        """The report; nothing that it says is believed."""
        data = self.bundle.members[layout.REPORT]
        return read_model(data, Report, what="the report", limit=layout.MAX_REPORT, floats=True)

    # What the reader trusts

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

    @property
    def signers(self) -> tuple[PublicKey, ...]:
        """The keys to verify with: those trusted, or else the one in the bundle."""
        return self.trusted or (self.keys["statements"],)

    @property
    def log_key(self) -> NoteKey:
        """The key of the log: the policy's, or the one in the bundle; raises `MalformedError`."""
        if self.policy is not None:
            return self.policy.center(self.card.id).log.key
        key = self.keys.get("log")
        if key is None or key.keytype != "ed25519":
            raise malformed("the bundle", got="no Ed25519 key of the log", expected="keys/log.pub")
        return NoteKey.of(f"{ORIGINS}{self.card.id}", ED25519, key)

    # The statements

    @cached_property
    def envelopes(self) -> Mapping[str, Envelope]:
        """The envelopes by the name of their member."""
        return {name: Envelope.from_bytes(data) for name, data in self._folder(layout.STATEMENTS)}

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
        """The statements of known types by the name of their member, in order of their numbers."""
        return {
            name: read_statement(self.envelopes[name].payload)
            for name in sorted(self.envelopes, key=_number)
            if name not in self.unknown
        }

    @property
    def references(self) -> Iterator[tuple[str, RunReference]]:
        """What each statement says that it is about, by name; `kinds` refuses those of no run."""
        for name, statement in self.statements.items():
            if statement.run_reference is not None:
                yield name, statement.run_reference

    @cached_property
    def about(self) -> RunReference:
        """The run, as its first statement names it; the others are compared with that."""
        return next(about for _, about in self.references)

    @cached_property
    def provenance(self) -> ProvenanceStatement | None:
        """Statement A; None for a run that left nothing."""
        return next(iter(self._of(ProvenanceStatement)), None)

    @cached_property
    def comparisons(self) -> tuple[ComparisonStatement, ...]:
        """Statements B in the order of their numbers."""
        return self._of(ComparisonStatement)

    @cached_property
    def attempts(self) -> tuple[AttemptStatement, ...]:
        """Statements E in the order of their numbers."""
        return self._of(AttemptStatement)

    @cached_property
    def robustness(self) -> tuple[RobustnessStatement, ...]:
        """The robustness tests of the run."""
        return self._of(RobustnessStatement)

    @cached_property
    def explanations(self) -> tuple[ExplanationStatement, ...]:
        """What explains the run."""
        return self._of(ExplanationStatement)

    @property
    def judged(self) -> AttemptStatement | None:
        """The attempt with the outcome of the run: if that is BUILT, its outputs were judged."""
        return final_attempt(self.attempts)

    @property
    def outcome(self) -> Outcome | None:
        """The outcome of the run, as it is signed."""
        return self.judged.predicate.outcome if self.judged else None

    @property
    def built(self) -> bool:
        """Whether the outcome of the run is BUILT."""
        return self.outcome is Outcome.BUILT

    @property
    def seal(self) -> Digest | None:
        """What the run committed to, as the attempt with its outcome names it."""
        return value_of(self.judged.predicate.seal) if self.judged else None

    @property
    def closed(self) -> bool:
        """Whether the source is closed, so that its digests are keyed ones."""
        return any(a.predicate.claim and a.predicate.claim.hmac_sha256 for a in self.attempts)

    # The log

    @cached_property
    def leaves(self) -> Mapping[int, LoggedLeaf]:
        """The leaves by their index, in order; raises `LogError` for what is none."""
        members = self.bundle.members
        found = {int(n.removeprefix(LOG).partition(".")[0]) for n, _ in self._folder(LOG)}
        return {
            index: LoggedLeaf(
                leaf=read_leaf(members[f"{LOG}{index}{layout.LEAF}"]),
                fields=read_fields(members[f"{LOG}{index}{layout.LEAF}"]),
                proof=LogProof.parse(members[f"{LOG}{index}{layout.PROOF}"]),
            )
            for index in sorted(found)
        }

    @cached_property
    def others(self) -> Mapping[int, Envelope]:
        """The statements of other runs by the index of their leaf."""
        return {
            int(name.removeprefix(LOG).removesuffix(layout.OTHER)): Envelope.from_bytes(data)
            for name, data in self._folder(LOG)
            if name.endswith(layout.OTHER)
        }

    @cached_property
    def checkpoint(self) -> SignedCheckpoint:
        """The checkpoint in the proofs, signed by the log; raises `LogError`."""
        witnesses = self.policy.quorum.witnesses if self.policy else ()
        log = LogIdentity.of(self.log_key, *(witness.key for witness in witnesses))
        return open_checkpoint(next(iter(self.leaves.values())).proof.checkpoint, log)

    @cached_property
    def heartbeat(self) -> tuple[Envelope, HeartbeatStatement] | None:
        """The center's newest heartbeat, not verified; None without one."""
        data = self.bundle.members.get(layout.HEARTBEAT)
        if data is None:
            return None
        envelope = Envelope.from_bytes(data)
        return envelope, HeartbeatStatement.from_bytes(envelope.payload)

    def _of(self, kind: type[S]) -> tuple[S, ...]:
        return tuple(s for s in self.statements.values() if isinstance(s, kind))

    def _folder(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        for name, data in self.bundle.members.items():
            if name.startswith(prefix):
                yield name, data


def _number(name: str) -> int:
    """Return the number in the name of a statement's member."""
    return int(name.removesuffix(".dsse.json").rpartition("-")[2])
