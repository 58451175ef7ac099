"""A statement of every kind."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from builders.container.idmap import IdRange
from builders.core.digest import Digest
from builders.core.enums import Kind, Outcome, Verdict
from builders.rebuild.robustness_factors import Factor, KeptFactor, KeptReason
from builders.rebuild.seal import SealedFile
from pipelines.evidence.report import Purpose, Robustness
from pipelines.evidence.statements.absence import Absence, AbsentLeaves, absence_statement
from pipelines.evidence.statements.acknowledgement import (
    Acknowledgement,
    LeafRange,
    acknowledgement_statement,
)
from pipelines.evidence.statements.comparison import (
    Comparison,
    ComparisonStatement,
    ExplanationDigests,
    Ground,
    Shipped,
)
from pipelines.evidence.statements.consensus_results import (
    CheckedFile,
    CheckedRun,
    Crosscheck,
    CrosscheckStatement,
    Extension,
    Proof,
    Reference,
    SummaryStatement,
    Summed,
    VerificationSummary,
    Verifier,
)
from pipelines.evidence.statements.explanation import (
    ConfirmingRebuild,
    ExplainedComparison,
    ExplanationStatement,
    RunExplained,
)
from pipelines.evidence.statements.log_status import (
    Complaint,
    Head,
    Heartbeat,
    HeartbeatStatement,
    Refusal,
    RefusalStatement,
    Shown,
    Tree,
    Work,
    heartbeat_statement,
)
from pipelines.evidence.statements.people import (
    Answer,
    Decision,
    Receipt,
    ReceiptStatement,
    Review,
    ReviewStatement,
)
from pipelines.evidence.statements.provenance import (
    BuildDefinition,
    Builder,
    DeclaredEnvironment,
    ExternalParameters,
    InternalParameters,
    Metadata,
    Provenance,
    ProvenanceStatement,
    RunDetails,
)
from pipelines.evidence.statements.rebuilds import (
    AttemptStatement,
    ComparedArtefact,
    FailureReason,
    RebuildAttempt,
    RobustnessStatement,
    RobustnessTest,
    VariedEntry,
)
from pipelines.evidence.statements.seal_lines import SealLines, seal_lines_statement
from pipelines.evidence.statements.statement import (
    DigestSet,
    Resource,
    Statement,
    Subject,
    subject,
)
from pipelines.evidence.statements.updates import FileDigest
from pipelines.judge.difference import CauseName
from pipelines.judge.finding import Confirmation, ExplanationStatus

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = "20260102T030405Z-0a1b2c3d"
RELEASE = "acme/rules@1.10"
BUILDER = "https://samebits.example/centers/zurich/builder"
A, B, C = (Digest(letter * 64) for letter in "abc")
SET = DigestSet(sha256=A)


def example_provenance() -> ProvenanceStatement:
    return ProvenanceStatement(
        subject=(subject("rules.bin", A), subject("rules ü.idx", B)),
        predicate=Provenance(
            build_definition=BuildDefinition(
                external_parameters=ExternalParameters(
                    release=RELEASE,
                    recipe=SET,
                    kind=Kind.RULESET,
                    platform="linux/amd64",
                    method="script",
                    parameters={"steps": [["true"]], "script": None, "epoch": 0},
                    image="debian-trixie-build",
                    environment=DeclaredEnvironment(
                        hostname="builder",
                        locale="C.UTF-8",
                        path="/build/x",
                        timezone="UTC",
                        umask="0022",
                        variables={"PATH": "/usr/bin", "EMPTY": ""},
                    ),
                ),
                internal_parameters=InternalParameters(claim=DigestSet(sha256=B)),
                resolved_dependencies=(
                    Resource(
                        name="rules.tar",
                        uri="git+https://git.example/rules@" + "1" * 40,
                        digest=DigestSet(sha256=C, git_commit="1" * 40),
                        annotations={"role": "source", "source-digest": str(A)},
                    ),
                ),
            ),
            run_details=RunDetails(
                builder=Builder(id=BUILDER, version={"samebits": "0.1.0"}),
                metadata=Metadata(invocation_id=RUN, started_on=NOW, finished_on=NOW),
                byproducts=(
                    Resource(name="build.log", digest=SET),
                    Resource(name="x.debug", digest=DigestSet(hmac_sha256=B)),
                ),
            ),
        ),
    )


def example_comparison() -> ComparisonStatement:
    return ComparisonStatement(
        subject=(subject("rules.bin", A),),
        predicate=Comparison(
            release=RELEASE,
            center="zurich",
            builder=BUILDER,
            run=RUN,
            compared_on=NOW,
            claim=SET,
            scope=SET,
            verdict=Verdict.DIFFERENT,
            ground=Ground.BYTES_DIFFER,
            shipped=Shipped(published=SET, served=FileDigest(digest=SET, size=3)),
            rebuilt=FileDigest(digest=DigestSet(sha256=B), size=4),
            normalizers=(),
            provenance=SET,
        ),
    )


def example_explanation() -> ExplanationStatement:
    return ExplanationStatement(
        subject=(subject("rules.bin", A),),
        predicate=RunExplained(
            release=RELEASE,
            center="zurich",
            builder=BUILDER,
            run=RUN,
            claim=SET,
            explained_on=NOW,
            confirming=ConfirmingRebuild(outcome=Outcome.BUILT, wall_milliseconds=1500, log=SET),
            artefacts=(
                ExplainedComparison(
                    name="rules.bin",
                    comparison=SET,
                    confirmation=Confirmation.OTHER,
                    rebuilt=SET,
                    causes=(CauseName.CONTENT, CauseName.NONDETERMINISTIC),
                    explanation=ExplanationDigests(
                        status=ExplanationStatus.COMPLETE, json_diff=SET
                    ),
                ),
            ),
            document=SET,
        ),
    )


def example_attempt() -> AttemptStatement:
    return AttemptStatement(
        subject=(subject("rules.bin", A),),
        predicate=RebuildAttempt(
            release=RELEASE,
            center="zurich",
            builder=BUILDER,
            run=RUN,
            number=1,
            purpose=Purpose.JUDGED,
            outcome=Outcome.BUILD_FAILED,
            reason=FailureReason.EXIT_CODE,
            exit_code=2,
            oom_killed=False,
            peak_memory=1 << 30,
            wall_milliseconds=1500,
            log=SET,
            log_truncated=False,
            uid_map=(IdRange(inside=0, outside=100000, count=65536),),
            claim=SET,
            report=SET,
            started_on=NOW,
            finished_on=NOW,
        ),
    )


def heartbeat(*, heads: Iterable[Head], now: datetime = NOW, **fields: Any) -> HeartbeatStatement:
    """Return a heartbeat, with its heads in order."""
    listed = tuple(sorted(heads, key=lambda head: head.release))
    return heartbeat_statement(Heartbeat(heads=listed, beat_on=now, **fields))


def review(
    *,
    source: DigestSet,
    claim: DigestSet,
    scope: DigestSet | None = SET,
    reviewer: str,
    decision: Decision,
    now: datetime,
) -> ReviewStatement:
    """Return a review made at `now`; one of version 1 where there is no scope."""
    about = {"source": source, "claim": claim, **({"scope": scope} if scope else {})}
    return ReviewStatement(
        subject=tuple(Subject(name=name, digest=digest) for name, digest in about.items()),
        predicate_type=ReviewStatement.PREDICATE_TYPES[scope is not None],
        predicate=Review(reviewer=reviewer, decision=decision, decided_on=now),
    )


def receipt(
    *, request: Digest, now: datetime, report: Digest | None = None, **fields: Any
) -> ReceiptStatement:
    """Return the receipt of the request whose record has that digest."""
    digest = DigestSet(sha256=report) if report else None
    return ReceiptStatement.of(Receipt(answered_on=now, report=digest, **fields), request=request)


STATEMENTS: dict[str, Statement] = {
    "provenance": example_provenance(),
    "comparison": example_comparison(),
    "attempt": example_attempt(),
    "explanation": example_explanation(),
    "review": review(
        source=DigestSet(sha256=A),
        claim=DigestSet(sha256=B),
        reviewer="r.one",
        decision=Decision.APPROVE,
        now=NOW.replace(microsecond=9),
    ),
    "summary": SummaryStatement(
        subject=(subject("rules.bin", A),),
        predicate=VerificationSummary(
            verifier=Verifier(id=BUILDER, version={"samebits": "0.1.0"}),
            time_verified=NOW,
            resource_uri="pkg:generic/acme/rules@1.10?file_name=rules.bin",
            policy=Reference(uri=BUILDER, digest=SET),
            input_attestations=(Reference(uri=BUILDER, digest=SET),),
            verification_result=Summed.FAILED,
            verified_levels=("FAILED",),
            consensus=Extension(
                release=RELEASE,
                center="zurich",
                result="SPLIT",
                claim=SET,
                matched=("one",),
                dissenting=("two",),
                work_proof="proved",
                number=2,
                supersedes=Reference(uri=BUILDER, digest=SET),
            ),
        ),
    ),
    "crosscheck": CrosscheckStatement.of(
        Crosscheck(
            release=RELEASE,
            center="zurich",
            run=RUN,
            claim=SET,
            checked=CheckedRun(center="bern", run=RUN),
            proof=Proof.PROVED,
            seal=Proof.PROVED,
            files=(CheckedFile(name="rules.debug", proof=Proof.PROVED),),
            checked_on=NOW,
        ),
        seal=A,
    ),
    "refusal": RefusalStatement.of(
        Refusal(
            witness="samebits.example/centers/bern/witness",
            origin="samebits.example/centers/zurich",
            complaint=Complaint.SHORTENED,
            reason="9 leaves before, 3 leaves now",
            before=Shown(size=9, root=B, note="note"),
            refused_on=NOW,
        ),
        checkpoint=Digest.of(b"note"),
    ),
    "seal": seal_lines_statement(
        SealLines(
            release=RELEASE,
            center="zurich",
            builder=BUILDER,
            run=RUN,
            claim=SET,
            files=(SealedFile(name="rules.bin", size=9, hmac=A),),
            published_on=NOW,
        )
    ),
    "absence": absence_statement(
        Absence(
            witness="samebits.example/centers/bern/witness",
            origin="samebits.example/centers/zurich",
            absent=(AbsentLeaves(release=RELEASE, indexes=(5, 7)),),
            looked_on=NOW,
        )
    ),
    "heartbeat": heartbeat(
        center="zurich",
        log=Tree(size=9, root=B),
        heads=[Head(release=RELEASE, sequence=7, newest=SET)],
        releases=1,
        now=NOW,
        work=Work(due=3, done=1, failed=1, night="2026-01-02"),
    ),
    "receipt": receipt(
        center="zurich",
        request=A,
        release=RELEASE,
        nonce="nonce-1234",
        answer=Answer.DONE,
        now=NOW,
        run=RUN,
        verdict=Verdict.DIFFERENT,
        report=B,
    ),
    "robustness": RobustnessStatement(
        subject=(subject("rules.bin", A),),
        predicate=RobustnessTest(
            release=RELEASE,
            center="zurich",
            builder=BUILDER,
            run=RUN,
            judged=SET,
            claim=SET,
            moved=(
                VariedEntry(factor=Factor.HOSTNAME, before="builder", after="elsewhere"),
                VariedEntry(factor=Factor.USER, before="1000:1000", after="65534:65534"),
                VariedEntry(factor=Factor.FOLDER_ORDER, before="one", after="another"),
                VariedEntry(factor=Factor.LOCALE, before="C.UTF-8", after="C"),
            ),
            kept=(
                KeptFactor(factor=Factor.CORES, why=KeptReason.ALONE),
                KeptFactor(factor=Factor.TIMEZONE, why=KeptReason.DECLARED),
            ),
            outcome=Outcome.BUILT,
            wall_milliseconds=1500,
            log=SET,
            result=Robustness.DIFFERS,
            artefacts=(ComparedArtefact(name="rules.bin", judged=SET, same=False),),
            tested_on=NOW,
        ),
    ),
    "acknowledgement": acknowledgement_statement(
        Acknowledgement(
            operator="acme",
            center="zurich",
            cause="suspect",
            release=RELEASE,
            leaves=(
                LeafRange(log="bern", first=3, last=7),
                LeafRange(log="zurich", first=4, last=4),
            ),
            reason="the vendor's compiler is older",
            acknowledged_on=NOW,
        )
    ),
}
