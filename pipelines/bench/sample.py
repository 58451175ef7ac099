"""A made-up run and its bundle, signed by a key at hand: no engine, no store, no recipe."""

from __future__ import annotations

from datetime import UTC, datetime

from builders.digest import Digest
from builders.rebuilt import Output, Part, Rebuild
from builders.words import Kind, Outcome, Verdict
from pipelines.evidence.bundle import Bundle, CenterCard, KeyEntry
from pipelines.evidence.bundle.layout import CARD, REPORT, STATEMENTS, STATEMENTS_KEY
from pipelines.evidence.dsse import EnvelopeSigner, sign
from pipelines.evidence.signed import named
from pipelines.evidence.statements import (
    AttemptStatement,
    ComparisonStatement,
    ProvenanceStatement,
)
from pipelines.evidence.statements import attempt as e
from pipelines.evidence.statements import comparison as b
from pipelines.evidence.statements import provenance as a
from pipelines.evidence.statements.statement import DigestSet, Resource, subject
from pipelines.judge.finding import ExplanationStatus, Finding, ShippedFact
from pipelines.judge.look import FileFact
from pipelines.report import Attempt, Environment, Report

_CENTER, _RUN = "sample", "20260102T030405Z-0a1b2c3d"
_BUILDER = "https://samebits.example/centers/sample/builder"
_RELEASE, _IMAGE, _METHOD = "sample/sample@1.0", "debian-trixie-build", "script"
_STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_FINISHED = datetime(2026, 1, 2, 3, 4, 8, tzinfo=UTC)
_DIGEST = Digest.of(b"a digest of nothing that is there")
_SET = DigestSet(sha256=_DIGEST)
_DECLARED = a.DeclaredEnvironment(
    hostname="builder", locale="C.UTF-8", path="/build", timezone="UTC", umask="0022", variables={}
)


def sample_bundle(key: EnvelopeSigner, *, artefacts: int = 1) -> bytes:
    """Return the bundle of a run whose artefacts are all identical."""
    files = {
        f"file-{number}": FileFact(sha256=Digest.of(b"%d" % number), size=len(b"%d" % number))
        for number in range(1, artefacts + 1)
    }
    made = _provenance(files)
    statements = [made, *(_comparison(n, f, made) for n, f in files.items()), _attempt(files)]
    envelopes = named(sign(statement.to_bytes(), key) for statement in statements)
    card = CenterCard(
        id=_CENTER,
        operator=_CENTER,
        region="nowhere",
        builder_id=_BUILDER,
        verifier_id=_BUILDER,
        keys=(KeyEntry(use="statements", keyid=key.public.keyid),),
    )
    return Bundle.of(
        {
            CARD: card.to_bytes(),
            STATEMENTS_KEY: key.public.to_pem(),
            REPORT: _report(files).to_json(),
            **{f"{STATEMENTS}{name}": e.to_bytes() for name, e in envelopes.items()},
        }
    ).to_bytes()


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
    digest = b.FileDigest(digest=DigestSet(sha256=file.sha256), size=file.size)
    return ComparisonStatement(
        subject=(subject(name, file.sha256),),
        predicate=b.Comparison(
            release=_RELEASE,
            center=_CENTER,
            builder=_BUILDER,
            run=_RUN,
            compared_on=_FINISHED,
            claim=_SET,
            verdict=Verdict.IDENTICAL,
            ground=b.Ground.SAME_DIGEST,
            shipped=b.Shipped(published=digest.digest, served=digest),
            rebuilt=digest,
            normalizers=(),
            causes=(),
            explanation=b.ExplanationDigests(status=ExplanationStatus.NONE),
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
            purpose=e.Purpose.JUDGED,
            outcome=Outcome.BUILT,
            exit_code=0,
            oom_killed=False,
            wall_milliseconds=2000,
            log=_SET,
            log_truncated=False,
            claim=_SET,
            seal=_SET,
            started_on=_STARTED,
            finished_on=_FINISHED,
        ),
    )


def _report(files: dict[str, FileFact]) -> Report:
    outputs = tuple(
        Output(name=name, size=file.size, sha256=file.sha256, part=Part.ARTEFACT)
        for name, file in files.items()
    )
    rebuild = Rebuild(
        outcome=Outcome.BUILT, exit_code=0, wall_seconds=2.0, log=_DIGEST, outputs=outputs
    )
    return Report(
        vendor="sample",
        product="sample",
        version="1.0",
        center=_CENTER,
        run=_RUN,
        claim=_DIGEST,
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
            declared=_DECLARED.model_dump(mode="json"),
            method=_METHOD,
            image=_IMAGE,
            image_config=_DIGEST,
        ),
        timings={"total": 3.0},
        attempts=(Attempt(number=1, purpose="judged", rebuild=rebuild),),
    )
