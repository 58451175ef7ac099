"""A bundle as its checks read it: each part is parsed once, when a check first needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TypeVar

from builders.core.digest import Digest
from builders.core.enums import Outcome
from pipelines.audit.center_finding import Excluded, ExclusionReason
from pipelines.audit.logged_release import LoggedCommitment
from pipelines.audit.run_findings import RunFindings, run_findings
from pipelines.audit.source import Record
from pipelines.audit.statement_reader import VerifiedStatement, read_record
from pipelines.audit.witnessed import Witnessed
from pipelines.bundle import layout
from pipelines.bundle.check.result import CheckResult, WrongError
from pipelines.bundle.layout import LOG, STATEMENTS, Bundle, CenterCard
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.publickey import PublicKey, read_public_key
from pipelines.evidence.report import Report
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.explanation import ExplanationStatement
from pipelines.evidence.statements.log_status import HeartbeatStatement
from pipelines.evidence.statements.provenance import BuildType, ProvenanceStatement
from pipelines.evidence.statements.reader import STATEMENT_TYPES, SUFFIX
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
from pipelines.log.leaf import CommitmentLeaf, Leaf, LeafFields, read_fields, read_leaf
from pipelines.log.notekey import ED25519, NoteKey
from pipelines.log.proof import LogProof
from pipelines.policy import Policy, open_policy
from pipelines.policy.model import CenterKey, PolicyCenter, PolicyLog

_NEVER = datetime.max.replace(tzinfo=UTC)
ORIGINS = "samebits.example/centers/"
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
class BaseBundle:
    """Another bundle, of a run that judged a base, and what came of checking it."""

    opened: OpenedBundle
    result: CheckResult


@dataclass(frozen=True, kw_only=True)
class OpenedBundle:
    """A bundle that is checked. Every part raises `MalformedError` when it cannot be read."""

    data: bytes
    trust: Trust
    files: tuple[GivenFile, ...] = ()
    bases: tuple[BaseBundle, ...] = ()
    """Of runs that judged the bases of updates."""

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
        return open_policy(self.trust.policy, now=self.trust.now).policy

    @property
    def trusted(self) -> tuple[PublicKey, ...]:
        """The keys that may have signed the statements: the reader's, or the policy's for them."""
        if self.policy is None:
            return self.trust.keys
        return tuple(key.key for key in self.policy.center(self.card.id).keys)

    @property
    def log_key(self) -> NoteKey:
        """The key of the log: the policy's, or the one in the bundle; raises `MalformedError`."""
        if self.policy is not None:
            return self.policy.center(self.card.id).log.key
        key = self.keys.get("log")
        if key is None or key.keytype != "ed25519":
            raise malformed("the bundle", got="no Ed25519 key of the log", expected="keys/log.pub")
        return NoteKey.of(f"{ORIGINS}{self.card.id}", ED25519, key)

    @cached_property
    def member(self) -> PolicyCenter:
        """The center as statements are believed: the policy's, or one of the keys at hand."""
        if self.policy is not None:
            return self.policy.center(self.card.id)
        return PolicyCenter(
            **self.card.model_dump(include={"id", "operator", "region"}),
            builder=self.card.builder_id,
            verifier=self.card.verifier_id,
            log=PolicyLog(origin=self.log_key.name, key=self.log_key),
            keys=tuple(CenterKey(key=key) for key in self.trusted or (self.keys["statements"],)),
        )

    # The statements

    @cached_property
    def envelopes(self) -> Mapping[str, Envelope]:
        """Those of the run, and of others among its leaves, by the name of their member."""
        return {
            name: Envelope.from_bytes(data)
            for name, data in self.bundle.members.items()
            if name.endswith(SUFFIX) and name.startswith((STATEMENTS, LOG))
        }

    @cached_property
    def records(self) -> Mapping[str, VerifiedStatement | Excluded]:
        """What the audit says of each envelope."""
        return {name: read_record(self, name, self.member, self) for name in self.envelopes}

    # To the audit, a bundle is the store of a center, and the part of its log that was proved.

    @property
    def center(self) -> str:
        """Return the id of the center."""
        return self.card.id

    def record(self, key: str) -> Record:
        """Return a record."""
        return Record(self.bundle.members[key], self.envelopes[key])

    def index_of(self, center: str, pae: Digest) -> int | None:  # noqa: ARG002  # there is one
        """Return the index of a statement's leaf, None without it."""
        found = (i for i, logged in self.leaves.items() if logged.fields.identity == f"pae:{pae}")
        return next(found, None)

    def witnessed(self, center: str) -> Witnessed:  # noqa: ARG002  # there is one
        """Return the tree that all leaves are in; who cosigned it is a check of its own."""
        return Witnessed(size=self.checkpoint.checkpoint.size, required=False)

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
    def verified(self) -> Mapping[str, VerifiedStatement]:
        """The statements of the run by the name of their member, in order of their numbers."""
        own = sorted((n for n in self.records if n.startswith(STATEMENTS)), key=_number)
        found = ((name, self.records[name]) for name in own)
        return {name: one for name, one in found if isinstance(one, VerifiedStatement)}

    @cached_property
    def run_findings(self) -> RunFindings:
        """What the audit finds in the statements of the run."""
        commitments = [
            LoggedCommitment(index, logged.leaf.digest)
            for index, logged in self.leaves.items()
            if isinstance(logged.leaf, CommitmentLeaf) and logged.leaf.run == self.about.run
        ]
        return run_findings(self.verified.values(), commitments)

    @property
    def statements(self) -> Mapping[str, Statement]:
        """The same, as they were written."""
        return {name: one.statement for name, one in self.verified.items()}

    @property
    def references(self) -> Iterator[tuple[str, RunReference]]:
        """What each statement says that it is about, by name; `kinds` refuses those of no run."""
        for name, statement in self.statements.items():
            if statement.run_reference is not None:
                yield name, statement.run_reference

    @cached_property
    def about(self) -> RunReference:
        """The run, as its first statement names it; the others are compared with that."""
        found = next((about for _, about in self.references), None)
        if found is None:
            raise malformed("the bundle", got="no statement in its log", expected="those of a run")
        return found

    @cached_property
    def provenance(self) -> ProvenanceStatement | None:
        """Statement A; None for a run that left nothing."""
        return self._provenance(BuildType.REBUILD)

    @cached_property
    def grafting(self) -> ProvenanceStatement | None:
        """Statement A of the files with a vendor's signature; None for a run without any."""
        return self._provenance(BuildType.GRAFT)

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

    def _provenance(self, kind: BuildType) -> ProvenanceStatement | None:
        return next((s for s in self._of(ProvenanceStatement) if s.build_type is kind), None)

    def _of(self, kind: type[S]) -> tuple[S, ...]:
        return tuple(s for s in self.statements.values() if isinstance(s, kind))

    def _folder(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        for name, data in self.bundle.members.items():
            if name.startswith(prefix):
                yield name, data


def refuse(opened: OpenedBundle, what: str, *reasons: ExclusionReason) -> None:
    """Raise `WrongError` for the first envelope that the audit excludes for one of `reasons`.

    One of an unknown type is left to the check of the schema.
    """
    for name, record in opened.records.items():
        if not isinstance(record, Excluded) or record.reason not in reasons:
            continue
        if record.reason is not ExclusionReason.UNREADABLE or name not in opened.unknown:
            raise WrongError(f"{name} {what}", got=record.detail or None)


def _number(name: str) -> int:
    """Return the number in the name of a statement's member."""
    return int(name.removesuffix(".dsse.json").rpartition("-")[2])
