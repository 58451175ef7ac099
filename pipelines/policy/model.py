"""A policy: who may speak, for which part of a log, and how many it takes.

One model for the YAML that people write, the JSON that operators sign and the value that programs
use. Constructing a value checks nothing; `validation.policy_from` checks everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, reduce
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationInfo

from builders.core.digest import canonical_json
from builders.core.enums import Kind
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.people import Reviewer as ReviewerName
from pipelines.evidence.statements.statement import Time, Uri
from pipelines.log.notekey import NoteKey
from pipelines.policy.errors import Fault, PolicyError
from pipelines.policy.fields import (
    MAX_CENTERS,
    MAX_LOG_SIZE,
    Count,
    Demand,
    Key,
    KeyId,
    Line,
    LogKey,
    LogSize,
    MaxOpen,
    MinEvidence,
    Minimum,
    Name,
    QuorumText,
    SortedSet,
    WitnessKey,
)
from pipelines.policy.quorum import Quorum
from pipelines.policy.resolution import ForkResolution

SCHEMA: Literal["samebits/policy/v1"] = "samebits/policy/v1"
NAMESPACE = "https://samebits.example/centers/"
MAX_REVIEWERS = 1000
MAX_OPERATORS = 24
"""Two sets of them, the old and the new, have to fit into one envelope."""
MAX_CENTER_KEYS = 200
_RULES = ("k", "regions", "max_dissent", "normalizers", "work_proof", "user_namespace")


class _Strict:
    """A part of a policy; an unknown field in a file is an error."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


def _own_uri(value: object, info: ValidationInfo) -> object:
    """Name a center's builder or verifier after the center, unless the policy names it."""
    return f"{NAMESPACE}{info.data.get('id')}/{info.field_name}" if value is None else value


def _with_defaults(value: object, info: ValidationInfo) -> object:
    """Fill in rules that are left out: two operators of centers, where there are two, must match.

    A kind takes what it leaves out from the rules for every kind.
    """
    if not isinstance(value, dict):
        return value
    running = {center.operator for center in info.data.get("centers", ())}
    given, kinds = _given(value), value.get("kinds", {})
    shared = {"k": max(1, min(2, len(running))), **{f: given[f] for f in _RULES if f in given}}
    if isinstance(kinds, dict):
        kinds = {
            kind: {**shared, **_given(rules)} if isinstance(rules, dict) else rules
            for kind, rules in kinds.items()
        }
    return {**shared, **given, "kinds": kinds}


def _given(rules: dict[Any, Any]) -> dict[Any, Any]:
    return {name: rule for name, rule in rules.items() if rule is not None or name not in _RULES}


def _stricter(*demands: Demand) -> Demand:
    return "required" if "required" in demands else None


@dataclass(frozen=True, kw_only=True)
class Operator(_Strict):
    """A legal body that runs centers and signs policies; independence is counted in these."""

    name: Name
    legal: Line
    """Its name in law."""
    key: Key


@dataclass(frozen=True, kw_only=True)
class PolicyLog(_Strict):
    """The log of a center: its origin, and its key, which has the origin as name."""

    origin: Line
    key: LogKey


@dataclass(frozen=True, kw_only=True)
class CenterKey(_Strict):
    """A key that signs statements, and the indexes of the center's own log at which it counts."""

    key: Key
    start: Annotated[LogSize, Field(alias="from")] = 0
    end: Annotated[LogSize | None, Field(alias="until")] = None
    """The first index at which it does not count any more; None while no end is known."""

    def counts_at(self, index: int) -> bool:
        """Say whether a statement at `index` of the center's log, from 0, counts under this key."""
        return self.start <= index and (self.end is None or index < self.end)


@dataclass(frozen=True, kw_only=True)
class PolicyCenter(_Strict):
    """A center, and who runs it where."""

    id: Name
    operator: Name
    region: Name
    builder: Annotated[Uri, BeforeValidator(_own_uri), Field(default=None, validate_default=True)]
    verifier: Annotated[Uri, BeforeValidator(_own_uri), Field(default=None, validate_default=True)]
    log: PolicyLog
    witness: WitnessKey | None = None
    keys: Annotated[tuple[CenterKey, ...], Field(min_length=1, max_length=MAX_CENTER_KEYS)]


@dataclass(frozen=True, kw_only=True)
class Reviewer(_Strict):
    """A person by name, and a key of theirs; who changes keys has an entry for each."""

    name: ReviewerName
    key: Key


@dataclass(frozen=True, kw_only=True)
class ReviewRules(_Strict):
    """How many reviewers a release needs; a kind that is named has a number of its own."""

    minimum: Minimum = 0
    kinds: Mapping[Kind, Minimum] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ConsensusRules(_Strict):
    """What it takes to confirm a release: operators that match, in regions, and who may dissent."""

    k: Count = 1
    regions: Count = 1
    max_dissent: Minimum = 0
    normalizers: Annotated[SortedSet[Name], Field(max_length=100)] = frozenset()
    work_proof: Demand = None
    """Whether a match counts of which nothing can prove that it was built."""
    user_namespace: Demand = None
    """Whether a match counts that was built where root of the container is root of the machine."""

    def tightened(self, other: ConsensusRules) -> ConsensusRules:
        """Return the stricter one of each rule, of these and of `other`."""
        return ConsensusRules(
            k=max(self.k, other.k),
            regions=max(self.regions, other.regions),
            max_dissent=min(self.max_dissent, other.max_dissent),
            normalizers=self.normalizers & other.normalizers,
            work_proof=_stricter(self.work_proof, other.work_proof),
            user_namespace=_stricter(self.user_namespace, other.user_namespace),
        )


@dataclass(frozen=True, kw_only=True)
class PolicyRules(ConsensusRules):
    """The rules for every kind of release, and whole sets of rules for some kinds."""

    kinds: Mapping[Kind, ConsensusRules] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Policy(_Strict):
    """What counts."""

    schema: Literal["samebits/policy/v1"]
    version: Annotated[int, Field(ge=1, le=MAX_LOG_SIZE)]
    expires: Time
    """UTC."""
    operators: Annotated[tuple[Operator, ...], Field(min_length=1, max_length=MAX_OPERATORS)]
    threshold: Annotated[int, Field(ge=1, le=MAX_OPERATORS)]
    """How many operators sign a policy."""
    centers: Annotated[tuple[PolicyCenter, ...], Field(min_length=1, max_length=MAX_CENTERS)]
    quorum: Annotated[QuorumText, Field(alias="witnesses")] = field(default_factory=Quorum)
    reviewers: Annotated[tuple[Reviewer, ...], Field(max_length=MAX_REVIEWERS)] = ()
    reviews: ReviewRules = field(default_factory=ReviewRules)
    revoked: Annotated[SortedSet[KeyId], Field(max_length=MAX_REVIEWERS)] = frozenset()
    """Key ids of reviewers; a center's key ends at a log size instead."""
    min_evidence: MinEvidence = None
    """The oldest format version of evidence that counts."""
    resolutions: Annotated[
        tuple[ForkResolution, ...],
        Field(max_length=MAX_CENTERS, exclude_if=lambda found: not found),
    ] = ()
    """Of logs that forked; left out where there are none, as in policies of before."""
    max_open: MaxOpen = None
    """How long a run may leave open what it found, once it has committed to what it built."""
    consensus: Annotated[
        PolicyRules,
        BeforeValidator(_with_defaults),
        Field(default_factory=dict, validate_default=True),
    ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, every key inline and every default written out."""
        found: dict[str, Any] = adapter().dump_python(self, mode="json", by_alias=True)
        return found

    def to_bytes(self) -> bytes:
        """Return canonical JSON (RFC 8785): the payload that operators sign."""
        return canonical_json(self.to_dict())

    def demand(self, kind: Kind, recipe: int = 0) -> int:
        """Return how many reviewers a release needs; its recipe can only ask for more."""
        return max(self.reviews.kinds.get(kind, self.reviews.minimum), recipe)

    @property
    def oldest_evidence(self) -> int:
        """The oldest format version of evidence that counts, from 1."""
        return self.min_evidence or 1

    @property
    def requires_witnesses(self) -> bool:
        """Whether a statement counts only once witnesses have cosigned its log that far."""
        return not self.quorum.satisfied_by(())

    def resolution(self, origin: str) -> ForkResolution | None:
        """Return what the operators have decided about a log that forked; None for any other."""
        return next((one for one in self.resolutions if one.log == origin), None)

    @property
    def longest_open(self) -> timedelta:
        """How long a commitment may be open, and a statement absent, before it is misconduct."""
        return timedelta(seconds=self.max_open or 24 * 3600)

    def reviewer_keys(self) -> dict[str, list[PublicKey]]:
        """Return the keys of those whose reviews can count, by name; no revoked ones."""
        found: dict[str, list[PublicKey]] = {}
        for reviewer in self.reviewers:
            if reviewer.key.keyid not in self.revoked:
                found.setdefault(reviewer.name, []).append(reviewer.key)
        return found

    def rules(self, kind: Kind | None) -> ConsensusRules:
        """Return what it takes to confirm a release of that kind, or of any kind if it is None."""
        shared = self.consensus.tightened(self.consensus)  # without the kinds
        if kind is None:
            return reduce(ConsensusRules.tightened, self.consensus.kinds.values(), shared)
        return self.consensus.kinds.get(kind, shared)

    def operator(self, name: str) -> Operator:
        """Return an operator by name; raises `PolicyError`."""
        operators = {operator.name: operator for operator in self.operators}
        if name not in operators:
            expected = f"one of {', '.join(operators)}"
            raise PolicyError(Fault.NOT_AN_OPERATOR, got=ascii(name[:80]), expected=expected)
        return operators[name]

    def center(self, name: str) -> PolicyCenter:
        """Return a center by its id; raises `PolicyError`."""
        self._require_centers()
        centers = {center.id: center for center in self.centers}
        if name not in centers:
            expected = f"one of {', '.join(centers)}"
            raise PolicyError(Fault.UNKNOWN_CENTER, got=ascii(name[:80]), expected=expected)
        return centers[name]

    def center_of_key(self, keyid: str, index: int) -> PolicyCenter:
        """Return the center whose key it is, if that counts at `index` of the center's log.

        Raises `PolicyError`: for a key that no center has, one that does not count yet, and one
        that has ended.
        """
        self._require_centers()
        got = f"key {ascii(keyid)[1:-1][:16]}"
        keys = {key.key.keyid: (center, key) for center in self.centers for key in center.keys}
        if keyid not in keys:
            raise PolicyError(Fault.UNKNOWN_KEY, got=got, expected="a key of one of its centers")
        center, key = keys[keyid]
        if key.counts_at(index):
            return center
        got = f"{got} of center {center.id}, at index {index} of its log"
        if index < key.start:
            expected = f"an index from log size {key.start} on"
            raise PolicyError(Fault.KEY_NOT_YET, got=got, expected=expected)
        expected = f"an index before log size {key.end}, where the key ended or was revoked"
        raise PolicyError(Fault.KEY_ENDED, got=got, expected=expected)

    def witness_keys(self, center: str) -> dict[NoteKey, str]:
        """Return the keys of the witnesses that count for the log of a center, with their names.

        These are all but those of its own operator, who could otherwise show a log to one reader
        alone, and witness that.
        """
        operators = {c.operator for c in self.centers if c.id == center}
        own = {c.witness.key for c in self.centers if c.operator in operators and c.witness}
        return {w.key: w.name for w in self.quorum.witnesses if w.key.key not in own}

    def _require_centers(self) -> None:
        if not self.centers:
            expected = "at least one center with a key"
            raise PolicyError(Fault.EMPTY, got="no centers", expected=expected)


@cache
def adapter() -> TypeAdapter[Policy]:
    """Return what reads and writes policies."""
    return TypeAdapter(Policy)
