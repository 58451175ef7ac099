"""Statement B: what was found for one artefact; subject = the shipped bytes, by published digest.

An output that no declaration covers has no shipped bytes: its own digest is the subject then.
No field holds free text: no message, path or address. From version 2 on it names the scope of the
recipe, and holds no explanation: that is a later statement (`explanation`).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from builders.core.enums import Verdict
from builders.recipe.normalizers import MAX_MASKED, NormalizerName
from builders.recipe.signature import KeyFingerprint, SignedFormat
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.evidence.statements.statement import (
    NAMESPACE,
    Count,
    DigestSet,
    Line,
    RunPredicate,
    Statement,
    StatementPart,
    Time,
    Word,
)
from pipelines.evidence.statements.updates import ComparedDelta, ComparedManifest, FileDigest
from pipelines.judge.difference import CauseName
from pipelines.judge.finding import ExplanationStatus, Finding
from pipelines.judge.normalizers.ledger import MaskFault, MaskLedger, NotMasked
from pipelines.judge.signatures.signature_format import Refused, SignatureFault
from pipelines.judge.updates.update_fault import UpdateResult


class Ground(StrEnum):
    """Why a verdict is what it is."""

    SAME_DIGEST = "same-digest"
    BYTES_DIFFER = "bytes-differ"
    NOT_THE_PUBLISHED_FILE = "not-the-published-file"
    NOT_REBUILT = "not-rebuilt"
    UNDECLARED_OUTPUT = "undeclared-output"
    NO_REBUILD = "no-rebuild"
    COPIED_INPUT = "copied-input"
    INPUT_NOT_SCANNED = "input-not-scanned"
    SHIPPED_UNREACHABLE = "shipped-unreachable"
    NORMALIZED = "normalized"
    SIGNATURE_GRAFTED = "signature-grafted"
    SIGNATURE_REFUSED = "signature-refused"
    """The fault is named beside it."""
    SIGNATURE_NOT_READ = "signature-not-read"
    NORMALIZERS_REFUSED = "normalizers-refused"
    """The fault is named beside it."""
    FIELDS_NOT_READ = "fields-not-read"
    DELTA_APPLIED = "delta-applied"
    """The base with the delta is our target; no delta of ours was compared."""
    MANIFEST_RECOMPUTED = "manifest-recomputed"
    UPDATE_REFUSED = "update-refused"
    """The fault is named beside it."""
    UPDATE_UNJUDGED = "update-unjudged"
    """The fault is named beside it."""
    UPDATE_NOT_READ = "update-not-read"


GROUNDS = {
    Verdict.SHIPPED_MISMATCH: Ground.NOT_THE_PUBLISHED_FILE,
    Verdict.DIFFERENT: Ground.BYTES_DIFFER,
    Verdict.UNEXPECTED: Ground.UNDECLARED_OUTPUT,
    Verdict.MISSING: Ground.NOT_REBUILT,
    Verdict.EQUIVALENT: Ground.NORMALIZED,
    Verdict.IDENTICAL_SIGNED: Ground.SIGNATURE_GRAFTED,
    Verdict.IDENTICAL: Ground.SAME_DIGEST,
}
"""The ground of each verdict; NOT_CHECKED and DIFFERENT have others too."""
UNJUDGED = (
    Ground.COPIED_INPUT,
    Ground.INPUT_NOT_SCANNED,
    Ground.SIGNATURE_NOT_READ,
    Ground.FIELDS_NOT_READ,
    Ground.UPDATE_NOT_READ,
)
"""Grounds of NOT_CHECKED for what was built and served."""


class VaultCopy(FileDigest):
    """A shipped file that an earlier run fetched, if its time is known."""

    fetched_on: Time | None = None


class Shipped(StatementPart):
    """The published digest, and the file that was compared; None where there was none."""

    published: DigestSet
    served: FileDigest | None = None
    """What was fetched in this very run."""
    from_vault: VaultCopy | None = None
    """A copy of the published file, in place of one that was served in this run."""

    @model_validator(mode="after")
    def _one_file(self) -> Self:
        if self.from_vault and (self.served or self.from_vault.digest != self.published):
            raise ValueError("expected a served file, or a copy of the published one")
        return self

    @property
    def compared(self) -> FileDigest | None:
        """The file that the rebuilt one was compared with."""
        copy = self.from_vault
        return FileDigest(digest=copy.digest, size=copy.size) if copy else self.served


class SignatureBy(StatementPart):
    """A signature by a pinned signer, named by its certificate or its OpenPGP key."""

    certificate: DigestSet | None = None
    """Of its DER; of an OpenPGP key of version 6, its fingerprint."""
    key: KeyFingerprint | None = None
    stamped_on: Time | None = None
    """When a pinned authority of time stamps saw it."""
    weak_digest: Word | None = None
    """The digest that it signs, where two files can share one, so that it proves little."""

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.certificate is None) is (self.key is None):
            raise ValueError("expected a certificate or a key")
        return self


class CarriedBytes(StatementPart):
    """Bytes that are not ours and that no signature covers."""

    offset: Count
    length: Count
    digest: DigestSet
    why: Word
    inside: bool = False
    """Whether they are of what is compressed in the file, and the offset is in that."""


class VendorSignature(StatementPart):
    """The vendor's signature on the rebuilt bytes, or the name of why it does not count."""

    fault: SignatureFault | None = None
    """Nothing else is said beside it."""
    format: SignedFormat | None = None
    signers: Annotated[tuple[SignatureBy, ...], Field(max_length=64)] = ()
    grafted: FileDigest | None = None
    """The rebuilt file with the signature."""
    taken: Count = 0
    """How many bytes of it come from the shipped file."""
    carried: Annotated[tuple[CarriedBytes, ...], Field(max_length=10_000)] = ()
    packing: Line | None = None
    """How our bytes were compressed again around the signature."""

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        parts = (self.format, self.signers, self.grafted)
        rest = (self.taken, self.carried, self.packing)
        if any((*parts, *rest)) if self.fault else not all(parts):
            raise ValueError("expected a graft with its signers, or a fault alone")
        return self

    @model_validator(mode="after")
    def _strong_signers(self) -> Self:
        if len({(one.certificate, one.key) for one in self.signers}) < len(self.signers):
            raise ValueError("expected each signer once")
        if self.signers and all(one.weak_digest for one in self.signers):
            raise ValueError("expected a signer whose digest is not weak")
        return self

    @model_validator(mode="after")
    def _within_its_file(self) -> Self:
        size = self.grafted.size if self.grafted else 0
        if self.taken > size and self.packing is None:
            raise ValueError("expected no more bytes from the shipped file than it has")
        for part in self.carried:
            if part.inside and self.packing is None:
                raise ValueError("expected a packing where bytes are of what is compressed")
            if not part.inside and part.offset + part.length > size:
                raise ValueError("expected carried bytes within the file")
        return self


_NORMALIZERS = frozenset(NormalizerName)


class Normalizer(StatementPart):
    """A normalizer that masked bytes, how many, and the reason that the recipe gives for it."""

    name: Word
    reason: Line
    version: Count | None = None
    """From version 2 on, as is the number of bytes."""
    masked: Count | None = None


class ExplanationDigests(StatementPart):
    """How far explaining got, and the digests of the differences that it wrote."""

    status: ExplanationStatus
    json_diff: Annotated[DigestSet | None, Field(alias="json")] = None
    html_diff: Annotated[DigestSet | None, Field(alias="html")] = None


class Comparison(RunPredicate):
    """The verdict on one artefact, and everything it rests on."""

    scope: DigestSet | None = None
    """What of the recipe decided the judgement; from version 2 on."""
    compared_on: Time
    verdict: Verdict
    ground: Ground
    shipped: Shipped | None = None
    rebuilt: FileDigest | None = None
    signature: VendorSignature | None = None
    normalizers: Annotated[tuple[Normalizer, ...], Field(max_length=64)]
    mask_ledger: DigestSet | None = None
    """Digest of the canonical JSON of the ledger in the report."""
    mask_fault: MaskFault | None = None
    """Why declared normalizers do not make the rebuilt file the shipped one."""
    delta: ComparedDelta | None = None
    manifest: ComparedManifest | None = None
    causes: Annotated[tuple[CauseName, ...] | None, Field(max_length=64)] = None
    """Of a difference; in version 1 alone."""
    explanation: ExplanationDigests | None = None
    """In version 1 alone."""
    provenance: DigestSet | None = None
    """Digest of statement A's payload."""

    @property
    def update(self) -> UpdateResult | None:
        """What the checks of an update leave of the verdict; None where there were none."""
        found = self.delta or self.manifest
        return found.result if found else None

    @property
    def has_its_ledger(self) -> bool:
        """Whether it names ledger and normalizers of EQUIVALENT, each once, or has neither.

        What is equivalent by what it gives or says, without a rebuilt file, has none.
        """
        known = {one.name for one in self.normalizers if one.name in _NORMALIZERS}
        counted = all(one.version and one.masked for one in self.normalizers)
        few = sum(one.masked or 0 for one in self.normalizers) <= MAX_MASKED
        found = {bool(self.normalizers), self.mask_ledger is not None}
        each = counted and few and len(known) == len(self.normalizers)
        masked = self.verdict is Verdict.EQUIVALENT and self.update is None
        return each and found == {masked}


class ComparisonStatement(
    Statement,
    kind="comparison",
    predicate_type=f"{NAMESPACE}comparison/v2",
    former=(f"{NAMESPACE}comparison/v1",),
):
    """Statement B."""

    predicate: Comparison

    @model_validator(mode="after")
    def _names_its_scope(self) -> Self:
        if (self.predicate.scope is None) is not (self.version == 1):
            raise ValueError("expected a scope from version 2 on, and only there")
        shipped, about = self.predicate.shipped, self.predicate
        explained = about.causes is not None and about.explanation is not None
        bare = about.causes is None and about.explanation is None
        if not (explained if self.version == 1 else bare):
            raise ValueError("expected an explanation in version 1, and only there")
        later = (shipped and shipped.from_vault, about.signature, about.delta, about.manifest)
        if self.version == 1 and any(later):
            raise ValueError("expected no copy from a vault, signature or update in version 1")
        if self.version > 1 and not about.has_its_ledger:
            raise ValueError(
                "expected a ledger and its normalizers with EQUIVALENT, and only there"
            )
        return self

    @property
    def name(self) -> str:
        """The artefact that it is about."""
        return self.subject[0].name


def masked_by(ledger: MaskLedger) -> tuple[Normalizer, ...]:
    """Return the normalizers of a ledger as a comparison names them."""
    first = {line.normalizer: line for line in reversed(ledger.lines)}
    return tuple(
        Normalizer(name=name, masked=size, **first[name].only("reason", "version"))
        for name, size in ledger.bytes_by_normalizer.items()
    )


def unmatched_artefact(
    attempt: AttemptStatement, comparisons: Iterable[ComparisonStatement]
) -> str:
    """Return the name of an artefact that only the attempt or only a comparison has; else empty.

    Artefacts are the same by name and published digest.
    """
    attempted = {(subject.name, subject.digest) for subject in attempt.subject}
    compared = {(c.name, c.subject[0].digest) for c in comparisons if c.predicate.shipped}
    return min((name for name, _ in attempted ^ compared), default="")


def ground(finding: Finding, *, built: bool) -> Ground:
    """Return the word for why a finding has its verdict."""
    if isinstance(finding.signature, Refused):
        return Ground.SIGNATURE_REFUSED
    if isinstance(finding.ledger, NotMasked):
        return Ground.NORMALIZERS_REFUSED
    if found := update_ground(finding.verdict, finding.update, delta=finding.delta is not None):
        return found
    if finding.verdict is not Verdict.NOT_CHECKED:
        return GROUNDS[finding.verdict]
    if not built:
        return Ground.NO_REBUILD
    named = (word for word in UNJUDGED if finding.reason.startswith(word))
    return next(named, Ground.SHIPPED_UNREACHABLE)


def update_ground(verdict: Verdict, update: UpdateResult | None, *, delta: bool) -> Ground | None:
    """Return the ground for a verdict that follows from the checks of an update, if it does."""
    match verdict, update:
        case Verdict.DIFFERENT, UpdateResult.REFUSED:
            return Ground.UPDATE_REFUSED
        case Verdict.NOT_CHECKED, UpdateResult.UNJUDGED:
            return Ground.UPDATE_UNJUDGED
        case Verdict.EQUIVALENT, UpdateResult.STANDS_IN:
            return Ground.DELTA_APPLIED if delta else Ground.MANIFEST_RECOMPUTED
        case _:
            return None
