"""A made-up run, its bundle and a policy, signed by keys at hand: no engine, store or recipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from builders.core.digest import Digest
from builders.core.enums import Kind, Outcome, Verdict
from builders.rebuild.rebuild_result import Output, OutputKind, RebuildResult
from infra.bench.madeup import EMPTY_POLICY
from infra.bench.samplelog import chained, log_members
from pipelines.bundle import Bundle, CenterCard, KeyEntry
from pipelines.bundle.layout import CARD, KEYS, POLICY, REPORT, STATEMENTS
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign_envelope
from pipelines.evidence.report import Attempt, Environment, Purpose, Report
from pipelines.evidence.statements import comparison as b
from pipelines.evidence.statements import provenance as a
from pipelines.evidence.statements import rebuilds as e
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.provenance import ProvenanceStatement
from pipelines.evidence.statements.reader import name_records, read_statement
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.evidence.statements.statement import DigestSet, Resource, subject
from pipelines.evidence.statements.updates import FileDigest
from pipelines.judge.finding import FileFact, Finding, ShippedFact
from pipelines.log.leaf import CommitmentEntry, Entry, StatementEntry
from pipelines.log.note import NoteSigner
from pipelines.policy import PolicyCenter
from pipelines.policy.model import CenterKey, Operator, PolicyLog
from pipelines.policy.signed_policy import add_signature

_CENTER, _RUN = "sample", "20260102T030405Z-0a1b2c3d"
_BUILDER = "https://samebits.example/centers/sample/builder"
_ORIGIN, _REGION = "samebits.example/centers/sample", "nowhere"
_RELEASE, _IMAGE, _METHOD = "sample/sample@1.0", "debian-trixie-build", "script"
_STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_FINISHED = datetime(2026, 1, 2, 3, 4, 8, tzinfo=UTC)
_DIGEST = Digest.of(b"a digest of nothing that is there")
_SET = DigestSet(sha256=_DIGEST)
_DECLARED = a.DeclaredEnvironment(
    hostname="builder", locale="C.UTF-8", path="/build", timezone="UTC", umask="0022", variables={}
)


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Who signs: the center its statements, its log the checkpoint, an operator the policy."""

    statements: EnvelopeSigner
    log: EnvelopeSigner
    operator: EnvelopeSigner


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A bundle, and the signed policy that its reader has."""

    bundle: bytes
    policy: bytes


def sample(keys: Keys, *, expires: datetime, artefacts: int = 1) -> Sample:
    """Return the bundle of a run whose artefacts are all identical, and a policy until `expires`.

    The run is in a log of its own. Raises `KeyFileError` for a key of the log that is not Ed25519.
    """
    files = {
        f"file-{number}": FileFact(sha256=Digest.of(b"%d" % number), size=len(b"%d" % number))
        for number in range(1, artefacts + 1)
    }
    made = _provenance(files)
    statements = [made, *(_comparison(n, f, made) for n, f in files.items()), _attempt(files)]
    envelopes = name_records(
        sign_envelope(statement.to_bytes(), keys.statements) for statement in statements
    )
    log = NoteSigner(_ORIGIN, keys.log)
    policy = _policy(keys, log, expires)
    leaves = chained(_entries(envelopes.values(), keys))
    shown = {"log": keys.log.public, "statements": keys.statements.public}
    card = CenterCard(
        id=_CENTER,
        operator=_CENTER,
        region=_REGION,
        builder_id=_BUILDER,
        verifier_id=_BUILDER,
        keys=tuple(KeyEntry.model_validate({"use": u, "keyid": k.keyid}) for u, k in shown.items()),
    )
    bundle = Bundle.of(
        {
            CARD: card.to_bytes(),
            **{f"{KEYS}{use}.pub": key.to_pem() for use, key in shown.items()},
            POLICY: policy,
            REPORT: _report(files).to_json(),
            **{f"{STATEMENTS}{name}": e.to_bytes() for name, e in envelopes.items()},
            **log_members(leaves, range(len(leaves)), log),
        }
    )
    return Sample(bundle=bundle.to_bytes(), policy=policy)


def _entries(envelopes: Iterable[Envelope], keys: Keys) -> Iterator[Entry]:
    yield CommitmentEntry(center=_CENTER, release=_RELEASE, run=_RUN, claim=_DIGEST, seal=_DIGEST)
    for envelope in envelopes:
        yield StatementEntry(
            center=_CENTER,
            release=_RELEASE,
            pae=envelope.digest(),
            keyid=keys.statements.public.keyid,
            predicate_type=read_statement(envelope.payload).predicate_type,
        )


def _policy(keys: Keys, log: NoteSigner, expires: datetime) -> bytes:
    policy = replace(
        EMPTY_POLICY,
        version=1,
        expires=expires,
        operators=(Operator(name=_CENTER, legal=_CENTER, key=keys.operator.public),),
        centers=(
            PolicyCenter(
                id=_CENTER,
                operator=_CENTER,
                region=_REGION,
                builder=_BUILDER,
                verifier=_BUILDER,
                log=PolicyLog(origin=_ORIGIN, key=log.key),
                keys=(CenterKey(key=keys.statements.public),),
            ),
        ),
    )
    return add_signature(policy, _CENTER, keys.operator).envelope.to_bytes()


def _provenance(files: dict[str, FileFact]) -> ProvenanceStatement:
    definition = a.BuildDefinition(
        external_parameters=a.ExternalParameters(
            release=_RELEASE,
            recipe=_SET,
            kind=Kind.BINARY,
            platform="linux/amd64",
            method=_METHOD,
            parameters={},
            image=_IMAGE,
            environment=_DECLARED,
        ),
        internal_parameters=a.InternalParameters(claim=_SET),
        resolved_dependencies=(Resource(name=_IMAGE, digest=_SET, annotations={"role": "image"}),),
    )
    details = a.RunDetails(
        builder=a.Builder(id=_BUILDER),
        metadata=a.Metadata(invocation_id=_RUN, started_on=_STARTED, finished_on=_FINISHED),
        byproducts=(Resource(name="build.log", digest=_SET), Resource(name="seal", digest=_SET)),
    )
    return ProvenanceStatement(
        subject=tuple(subject(name, file.sha256) for name, file in files.items()),
        predicate=a.Provenance(build_definition=definition, run_details=details),
    )


def _comparison(name: str, file: FileFact, made: ProvenanceStatement) -> ComparisonStatement:
    digest = FileDigest(digest=DigestSet(sha256=file.sha256), size=file.size)
    return ComparisonStatement(
        subject=(subject(name, file.sha256),),
        predicate=b.Comparison(
            release=_RELEASE,
            center=_CENTER,
            builder=_BUILDER,
            run=_RUN,
            compared_on=_FINISHED,
            claim=_SET,
            scope=_SET,
            verdict=Verdict.IDENTICAL,
            ground=b.Ground.SAME_DIGEST,
            shipped=b.Shipped(published=digest.digest, served=digest),
            rebuilt=digest,
            normalizers=(),
            provenance=DigestSet(sha256=made.digest()),
        ),
    )


def _attempt(files: dict[str, FileFact]) -> AttemptStatement:
    return AttemptStatement(
        subject=tuple(subject(name, file.sha256) for name, file in files.items()),
        predicate=e.RebuildAttempt(
            release=_RELEASE,
            center=_CENTER,
            builder=_BUILDER,
            run=_RUN,
            number=1,
            purpose=Purpose.JUDGED,
            outcome=Outcome.BUILT,
            exit_code=0,
            oom_killed=False,
            wall_milliseconds=2000,
            log=_SET,
            log_truncated=False,
            claim=_SET,
            seal=_SET,
            report=_SET,
            started_on=_STARTED,
            finished_on=_FINISHED,
        ),
    )


def _report(files: dict[str, FileFact]) -> Report:
    outputs = tuple(
        Output(name=name, size=file.size, sha256=file.sha256, part=OutputKind.ARTEFACT)
        for name, file in files.items()
    )
    rebuild = RebuildResult(
        outcome=Outcome.BUILT, exit_code=0, wall_seconds=2.0, log=_DIGEST, outputs=outputs
    )
    return Report(
        vendor="sample",
        product="sample",
        version="1.0",
        center=_CENTER,
        run=_RUN,
        claim=_DIGEST,
        scope=_DIGEST,
        seal=_DIGEST,
        outcome=Outcome.BUILT,
        verdict=Verdict.IDENTICAL,
        artefacts=tuple(
            Finding(
                name=name,
                verdict=Verdict.IDENTICAL,
                reason="same SHA-256",
                shipped=ShippedFact(published=file.sha256, sha256=file.sha256, size=file.size),
                rebuilt=file,
            )
            for name, file in files.items()
        ),
        environment=Environment(
            declared=_DECLARED.declared(),
            method=_METHOD,
            image=_IMAGE,
            image_config=_DIGEST,
        ),
        timings={"total": 3.0},
        attempts=(Attempt(number=1, purpose="judged", rebuild=rebuild),),
    )
