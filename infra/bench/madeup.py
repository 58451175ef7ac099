"""Made-up centers and their signed findings: real envelopes, real seals, nothing was built."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from builders.core.digest import Digest
from builders.core.enums import Kind, Outcome, Verdict
from builders.rebuild.rebuild_result import Output, OutputKind, RebuildResult
from builders.rebuild.seal import SealedFile, hide_names, seal_digest, seal_key
from builders.recipe.update import DeltaJudged, DeltaName
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign_envelope
from pipelines.evidence.publickey import ed25519_key
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Attempt, Environment, Purpose, Report
from pipelines.evidence.statements import comparison as b
from pipelines.evidence.statements import provenance as a
from pipelines.evidence.statements import rebuilds as e
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.provenance import ProvenanceStatement
from pipelines.evidence.statements.reader import name_records
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.evidence.statements.statement import (
    DigestSet,
    Resource,
    Statement,
    subject,
    value_of,
)
from pipelines.evidence.statements.updates import BaseReference, ComparedDelta, FileDigest
from pipelines.judge.finding import ExplanationStatus, FileFact, Finding, ShippedFact, worst_verdict
from pipelines.log.leaf import CommitmentEntry
from pipelines.log.notekey import ED25519, NoteKey
from pipelines.policy import Policy
from pipelines.policy.model import SCHEMA, PolicyLog, PolicyRules
from pipelines.storage.names import release_run

EMPTY_POLICY = Policy(
    schema=SCHEMA,
    version=0,
    expires=datetime.max.replace(tzinfo=UTC),
    operators=(),
    threshold=1,
    centers=(),
    consensus=PolicyRules(),
)
"""It requires nothing and names no center: a policy to start from."""
IMAGE, METHOD = "debian-trixie-build", "script"
_SET = DigestSet(sha256=Digest.of(b"a digest of nothing that is there"))
_ENVIRONMENT = a.DeclaredEnvironment(
    hostname="builder", locale="C.UTF-8", path="/build", timezone="UTC", umask="0022", variables={}
)


@dataclass(frozen=True, kw_only=True)
class MadeUpFile:
    """One artefact: what was published, served and built; None where there was nothing."""

    published: bytes
    served: bytes | None
    built: bytes | None
    verdict: Verdict
    delta: ComparedDelta | None = None

    @classmethod
    def identical(cls, content: bytes) -> MadeUpFile:
        """Return one that is as it should be."""
        return cls(published=content, served=content, built=content, verdict=Verdict.IDENTICAL)

    @classmethod
    def different(cls, content: bytes, built: bytes) -> MadeUpFile:
        """Return one of which something else was built."""
        return cls(published=content, served=content, built=built, verdict=Verdict.DIFFERENT)


@dataclass(frozen=True, kw_only=True)
class MadeUpRun:
    """One run, as its statements tell it."""

    center: str
    builder: str
    release: str
    run: str
    files: Mapping[str, MadeUpFile]
    by_products: Mapping[str, bytes] = field(default_factory=dict)
    claim: DigestSet = _SET
    scope: DigestSet | None = _SET
    """None for statements of format version 1."""
    outcome: Outcome = Outcome.BUILT
    secret: bytes = b""
    """Of a private release: its salt."""

    @property
    def started(self) -> datetime:
        """When it began: its id says so."""
        return datetime.strptime(self.run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    @property
    def finished(self) -> datetime:
        """When it ended."""
        return self.started + timedelta(seconds=3)

    @property
    def outputs(self) -> dict[str, bytes]:
        """What was built, shipped or not."""
        built = {name: f.built for name, f in self.files.items() if f.built is not None}
        return {**built, **self.by_products}

    def seal(self) -> Digest:
        """Return the seal over what was built."""
        return seal_digest(self.sealed_lines())

    def sealed_lines(self) -> tuple[SealedFile, ...]:
        """Return the lines of the seal, as they may be published."""
        lines = tuple(self.line(name) for name in sorted(self.outputs))
        return hide_names(lines, self._seal_key) if self.secret else lines

    @property
    def _seal_key(self) -> bytes:
        return seal_key(self.center, self.run, self.secret)

    def commitment(self) -> CommitmentEntry:
        """Return what it commits to before a shipped file is opened."""
        if (claim := value_of(self.claim)) is None:
            raise ValueError("a run without a claim commits to nothing")
        return CommitmentEntry(
            center=self.center, release=self.release, run=self.run, claim=claim, seal=self.seal()
        )

    def line(self, name: str) -> SealedFile:
        """Return the line of one output, by its own name."""
        content = self.outputs[name]
        mac = hmac.new(self._seal_key, content, hashlib.sha256)
        return SealedFile(name=name, size=len(content), hmac=Digest(mac.hexdigest()))

    def statements(self) -> list[Statement]:
        """Return what is said of it: A if it was built, B for every file, E."""
        made = self.provenance() if self.outcome is Outcome.BUILT else None
        compared = [self.comparison(name, made) for name in self.files]
        return [*([made] if made else []), *compared, self.attempt()]

    def envelopes(self, key: EnvelopeSigner) -> dict[str, Envelope]:
        """Return the signed statements by the names of their records."""
        return name_records(
            sign_envelope(statement.to_bytes(), key) for statement in self.statements()
        )

    def provenance(self) -> ProvenanceStatement:
        """Return statement A."""
        definition = a.BuildDefinition(
            external_parameters=a.ExternalParameters(
                release=self.release,
                recipe=_SET,
                kind=Kind.BINARY,
                platform="linux/amd64",
                method=METHOD,
                parameters={},
                image=IMAGE,
                environment=_ENVIRONMENT,
            ),
            internal_parameters=a.InternalParameters(claim=self.claim),
            resolved_dependencies=(
                Resource(name=IMAGE, digest=_SET, annotations={"role": "image"}),
            ),
        )
        lines = [self.line(name) for name in sorted(self.by_products)]
        products = [
            Resource(
                name=line.name,
                digest=DigestSet(hmac_sha256=line.hmac),
                annotations={"role": "by-product", "size": str(line.size)},
            )
            for line in lines
        ]
        details = a.RunDetails(
            builder=a.Builder(id=self.builder),
            metadata=a.Metadata(
                invocation_id=self.run, started_on=self.started, finished_on=self.finished
            ),
            byproducts=(
                Resource(name="build.log", digest=_SET),
                Resource(name="seal", digest=DigestSet(sha256=self.seal())),
                *products,
            ),
        )
        built = {name: f.built for name, f in self.files.items() if f.built is not None}
        return ProvenanceStatement(
            subject=tuple(subject(name, Digest.of(content)) for name, content in built.items()),
            predicate=a.Provenance(build_definition=definition, run_details=details),
        )

    def comparison(self, name: str, made: ProvenanceStatement | None) -> ComparisonStatement:
        """Return statement B of one file."""
        file = self.files[name]
        published = DigestSet(sha256=Digest.of(file.published))
        former = self.scope is None
        return ComparisonStatement(
            subject=(subject(name, Digest.of(file.published)),),
            predicate_type=ComparisonStatement.PREDICATE_TYPES[self.scope is not None],
            predicate=b.Comparison(
                release=self.release,
                center=self.center,
                builder=self.builder,
                run=self.run,
                compared_on=self.finished,
                claim=self.claim,
                scope=self.scope,
                verdict=file.verdict,
                ground=_ground(file),
                shipped=b.Shipped(published=published, served=_file(file.served)),
                rebuilt=_file(file.built),
                normalizers=(),
                delta=file.delta,
                causes=() if former else None,
                explanation=b.ExplanationDigests(status=ExplanationStatus.NONE) if former else None,
                provenance=DigestSet(sha256=made.digest()) if made else None,
            ),
        )

    def attempt(self) -> AttemptStatement:
        """Return statement E."""
        built = self.outcome is Outcome.BUILT
        return AttemptStatement(
            subject=tuple(subject(n, Digest.of(f.published)) for n, f in self.files.items()),
            predicate_type=AttemptStatement.PREDICATE_TYPES[self.scope is not None],
            predicate=e.RebuildAttempt(
                release=self.release,
                center=self.center,
                builder=self.builder,
                run=self.run,
                number=1,
                purpose=Purpose.JUDGED,
                outcome=self.outcome,
                oom_killed=False,
                log_truncated=False,
                claim=self.claim,
                seal=DigestSet(sha256=self.seal()) if built else None,
                report=_SET if self.scope else None,
                started_on=self.started,
                finished_on=self.finished,
            ),
        )

    def report(self) -> Report:
        """Return the whole report, as only the center has it."""
        outputs = tuple(
            Output(
                name=name,
                size=len(content),
                sha256=Digest.of(content),
                part=OutputKind.BY_PRODUCT if name in self.by_products else OutputKind.ARTEFACT,
            )
            for name, content in sorted(self.outputs.items())
        )
        rebuild = RebuildResult(outcome=self.outcome, wall_seconds=1.0, outputs=outputs)
        findings = tuple(
            _finding(name, file)
            for name, file in self.files.items()
            if file.verdict is not Verdict.EQUIVALENT  # nobody reads of it there
        )
        release = ReleaseName.parse(self.release)
        return Report(
            vendor=release.vendor,
            product=release.product,
            version=release.version,
            center=self.center,
            run=self.run,
            claim=self.claim.sha256,
            scope=self.scope.sha256 if self.scope else None,
            seal=self.seal(),
            outcome=self.outcome,
            verdict=worst_verdict(finding.verdict for finding in findings),
            artefacts=findings,
            environment=Environment(declared={}, method=METHOD, image=IMAGE),
            timings={"total": 3.0},
            attempts=(Attempt(number=1, purpose="judged", rebuild=rebuild),),
        )

    def folder(self) -> str:
        """Return the folder of its records in a store."""
        name = ReleaseName.parse(self.release)
        return release_run(name.vendor, name.product, name.version, self.center, self.run)


class MadeUpKey:
    """An Ed25519 key that is kept nowhere; the same seed is the same key."""

    def __init__(self, seed: str) -> None:
        """Make the key of a seed."""
        from cryptography.hazmat.primitives.asymmetric import ed25519
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            PublicFormat,
        )

        secret = hashlib.sha256(seed.encode()).digest()
        self._private = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
        raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = ed25519_key(raw)

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`."""
        return self._private.sign(message)


@cache
def made_up_log(center: str) -> PolicyLog:
    """Return the log of a center as a policy knows it; the log itself is nowhere."""
    origin = f"samebits.example/centers/{center}"
    key = bytes.fromhex(MadeUpKey(f"log {center}").public.value)
    return PolicyLog(origin=origin, key=NoteKey(name=origin, algorithm=ED25519, key=key))


def made_up_delta(
    content: bytes, target: bytes, base: BaseReference, *, judged: DeltaJudged = DeltaJudged.REBUILT
) -> MadeUpFile:
    """Return a delta that leads from a base to a target, rebuilt or judged by its result alone."""
    made = FileDigest(digest=DigestSet(sha256=Digest.of(target)), size=len(target))
    delta = ComparedDelta(
        format=DeltaName.BSDIFF,
        judged=judged,
        target=made.digest,
        base=base,
        applied=made,
        expected=made,
    )
    whole = replace(MadeUpFile.identical(content), delta=delta)
    if judged is DeltaJudged.REBUILT:
        return whole
    return replace(whole, built=None, verdict=Verdict.EQUIVALENT)


def _file(content: bytes | None) -> FileDigest | None:
    if content is None:
        return None
    return FileDigest(digest=DigestSet(sha256=Digest.of(content)), size=len(content))


def _ground(file: MadeUpFile) -> b.Ground:
    result = file.delta.result if file.delta else None
    plain = file.verdict is Verdict.IDENTICAL
    return b.update_ground(file.verdict, result, delta=True) or (
        b.Ground.SAME_DIGEST if plain else b.Ground.BYTES_DIFFER
    )


def _fact(content: bytes | None) -> FileFact | None:
    return None if content is None else FileFact(sha256=Digest.of(content), size=len(content))


def _finding(name: str, file: MadeUpFile) -> Finding:
    served = _fact(file.served)
    return Finding(
        name=name,
        verdict=file.verdict,
        reason="made up",
        shipped=ShippedFact(
            published=Digest.of(file.published),
            sha256=served.sha256 if served else None,
            size=served.size if served else None,
        ),
        rebuilt=_fact(file.built),
    )
