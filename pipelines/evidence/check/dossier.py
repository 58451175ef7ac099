"""A bundle opened as far as it is needed: each part is parsed once, when a check first asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from builders.digest import Digest
from pipelines.evidence.bundle.card import CenterCard
from pipelines.evidence.bundle.layout import CARD, KEYS, MAX_REPORT, REPORT, STATEMENTS, Bundle
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.publickey import PublicKey, read_public_key
from pipelines.evidence.statements import (
    KINDS,
    AttemptStatement,
    ComparisonStatement,
    ProvenanceStatement,
    Statement,
    read_statement,
)
from pipelines.evidence.statements.statement import MAX_STATEMENT, DigestSet
from pipelines.evidence.strictjson import read_model, read_object
from pipelines.report import Report


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What the reader of a bundle relies on; none of it comes from the bundle."""

    keys: tuple[PublicKey, ...] = ()
    """Keys of the center, from wherever the reader trusts."""
    builder: str | None = None
    """The builder that these keys may speak for (SLSA's builder.id), if the reader says so."""


@dataclass(frozen=True, kw_only=True)
class GivenFile:
    """A file that the reader has: plain digest, and the keyed one of its bytes under a key."""

    name: str
    sha256: Digest
    keyed: Callable[[bytes], Digest]


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
            if isinstance(named, str) and named not in KINDS:
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


def value_of(digest: DigestSet | None) -> Digest | None:
    """Return the digest as a report has it: plain, or keyed where the source is closed."""
    return (digest.sha256 or digest.hmac_sha256) if digest else None


def number_of(name: str) -> int:
    """Return the number in the name of a statement's member."""
    return int(name.removesuffix(".dsse.json").rpartition("-")[2])
