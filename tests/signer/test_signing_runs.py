"""Honest evidence is signed, whatever was found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.rebuild.robustness_factors import Factor
from pipelines.evidence.dsse import verify_envelope
from pipelines.evidence.privatekey import PrivateKey
from pipelines.evidence.salt import release_salt
from pipelines.evidence.statements.comparison import ComparisonStatement, Normalizer
from pipelines.evidence.statements.explanation import ExplanationStatement
from pipelines.evidence.statements.provenance import BuildType, ProvenanceStatement
from pipelines.evidence.statements.reader import name_records, read_statement
from pipelines.evidence.statements.rebuilds import AttemptStatement, RobustnessStatement
from pipelines.evidence.statements.statement import DigestSet
from pipelines.judge.normalizers.ledger import MaskLedger
from pipelines.judge.signatures.signature_format import Graft
from pipelines.signer.orders import Evidence
from tests.signer.conftest import SCENES, Stage
from tests.signer.scene import RELEASE

EXPECTED = {
    "identical": ["provenance-1", "comparison-1", "comparison-2", "attempt-1"],
    "packed": ["provenance-1", "comparison-1", "comparison-2", "attempt-1"],
    "unread": ["provenance-1", "comparison-1", "comparison-2", "attempt-1"],
    "pulled": ["provenance-1", "comparison-1", "comparison-2", "attempt-1"],
    **{
        name: ["provenance-1", "comparison-1", "comparison-2", "attempt-1", "explanation-1"]
        for name in ("different", "nondeterministic", "confirmed")
    },
    "signed": [
        *("provenance-1", "provenance-2", "comparison-1", "comparison-2", "attempt-1"),
    ],
    "equivalent": ["provenance-1", "comparison-1", "comparison-2", "attempt-1"],
    "retried": ["provenance-1", "comparison-1", "comparison-2", "attempt-1", "attempt-2"],
    "missing": ["provenance-1", "comparison-1", "comparison-2", "attempt-1"],
    "nothing": ["comparison-1", "comparison-2", "attempt-1"],
    "unexpected": ["provenance-1", *[f"comparison-{n}" for n in (1, 2, 3)], "attempt-1"],
    "twins": ["provenance-1", *[f"comparison-{n}" for n in (1, 2, 3, 4)], "attempt-1"],
    "unreachable": ["provenance-1", "comparison-1", "comparison-2", "attempt-1"],
    "mismatch": ["provenance-1", "comparison-1", "comparison-2", "attempt-1"],
    **{
        name: ["provenance-1", "comparison-1", "comparison-2", "attempt-1", "robustness-1"]
        for name in ("moved", "moved-apart", "moved-declared", "moved-on-one-core")
    },
    "failed": ["comparison-1", "comparison-2", "attempt-1"],
    "broken": ["comparison-1", "comparison-2", "attempt-1", "attempt-2"],
    "unavailable": ["comparison-1", "comparison-2", "attempt-1"],
}


def test_the_provenance_says_how_outputs_were_packed(stage: Stage, key: PrivateKey) -> None:
    scene = stage("packed")
    first, *_ = scene.signer(key).sign(scene.make())
    statement = read_statement(first.payload)
    assert isinstance(statement, ProvenanceStatement)
    packing = statement.predicate.build_definition.external_parameters.packing
    assert packing is not None
    assert packing.keys() == {"rules.bin", "rules.idx"}
    assert packing["rules.bin"] == {
        "format": "gzip",
        "encoder": {"library": "zlib", "level": 6, "memory_level": 8, "strategy": "default"},
        "os": 3,
        "mtime": 0,
        "name": "secret",
    }


@pytest.mark.parametrize("name", SCENES)
def test_honest_evidence_is_signed(stage: Stage, key: PrivateKey, name: str) -> None:
    scene = stage(name)
    evidence = Evidence.from_bytes(scene.make().to_bytes())
    envelopes = scene.signer(key).sign(evidence)
    assert list(name_records(envelopes)) == [f"{n}.dsse.json" for n in EXPECTED[name]]
    for envelope in envelopes:
        verify_envelope(envelope, [key.public])
        assert read_statement(envelope.payload).to_bytes() == envelope.payload


def test_a_statement_of_masked_bytes_names_their_ledger(stage: Stage, key: PrivateKey) -> None:
    scene = stage("equivalent")
    evidence = scene.make()
    _, stated, *_ = [read_statement(e.payload) for e in scene.signer(key).sign(evidence)]
    assert isinstance(stated, ComparisonStatement)
    ledger = evidence.report.artefacts[0].ledger
    assert isinstance(ledger, MaskLedger)
    assert stated.predicate.mask_ledger == DigestSet(sha256=ledger.digest())
    (named,) = stated.predicate.normalizers
    assert named == Normalizer(
        name="ar-times", reason="its ar writes the time", version=1, masked=24
    )


def test_a_signed_file_has_provenance_of_its_own(stage: Stage, key: PrivateKey) -> None:
    scene = stage("signed")
    evidence = scene.make()
    first, second, *_ = [read_statement(e.payload) for e in scene.signer(key).sign(evidence)]
    assert isinstance(first, ProvenanceStatement)
    assert isinstance(second, ProvenanceStatement)
    (signed, _) = evidence.report.artefacts
    assert isinstance(signed.signature, Graft)
    assert signed.shipped
    assert signed.rebuilt
    assert (first.build_type, second.build_type) == (BuildType.REBUILD, BuildType.GRAFT)
    (subject,) = second.subject
    assert (subject.name, subject.digest.sha256) == ("rules.bin", signed.shipped.published)
    ours, signature = second.predicate.build_definition.resolved_dependencies
    assert (ours.digest.sha256, ours.annotation("role")) == (signed.rebuilt.sha256, "rebuilt")
    assert ours.annotation("provenance") == str(first.digest())
    table = scene.shipped["rules.bin"][-signed.signature.taken :]
    assert table[4:8] == b"\0\2\2\0"
    assert (signature.digest.sha256, signature.uri) == (Digest.of(table), "file:rules.bin")
    assert signature.annotations == {"role": "signature", "size": str(len(table))}


def test_of_closed_source_the_signed_file_names_no_bytes_of_ours(
    stage: Stage, key: PrivateKey
) -> None:
    scene = replace(stage("signed"), visibility="private")
    release_salt(scene.store, RELEASE)
    _, second, *_ = [read_statement(e.payload) for e in scene.signer(key).sign(scene.make())]
    assert isinstance(second, ProvenanceStatement)
    ours, signature = second.predicate.build_definition.resolved_dependencies
    assert ours.digest.sha256 is None
    assert ours.digest.hmac_sha256
    assert signature.uri is None


def test_of_closed_source_nothing_is_told_of_our_bytes(stage: Stage, key: PrivateKey) -> None:
    scene = replace(stage("equivalent"), visibility="private")
    release_salt(scene.store, RELEASE)
    evidence = scene.make()
    _, stated, *_ = [read_statement(e.payload) for e in scene.signer(key).sign(evidence)]
    ledger = evidence.report.artefacts[0].ledger
    assert isinstance(stated, ComparisonStatement)
    assert isinstance(ledger, MaskLedger)
    assert stated.predicate.mask_ledger != DigestSet(sha256=ledger.digest())
    assert "its ar" not in stated.to_bytes().decode()


def test_provenance_is_about_the_rebuilt_bytes(stage: Stage, key: PrivateKey) -> None:
    scene = stage("different")
    evidence = scene.make()
    made, first, *_ = [
        read_statement(envelope.payload) for envelope in scene.signer(key).sign(evidence)
    ]
    assert isinstance(made, ProvenanceStatement)
    assert isinstance(first, ComparisonStatement)
    (artefact, _) = evidence.report.artefacts
    assert artefact.rebuilt
    assert artefact.shipped
    assert made.subject[0].digest.sha256 == artefact.rebuilt.sha256
    assert first.subject[0].digest.sha256 == artefact.shipped.published
    assert first.predicate.verdict is Verdict.DIFFERENT
    assert first.predicate.provenance
    assert first.predicate.provenance.sha256 == made.digest()


@pytest.mark.parametrize("name", ["different", "nondeterministic", "confirmed"])
def test_an_explanation_names_the_comparison_and_changes_nothing_of_the_run(
    stage: Stage, key: PrivateKey, name: str
) -> None:
    scene = stage(name)
    evidence = scene.make()
    alone = scene.signer(key).sign(evidence.model_copy(update={"explanation": None}))
    *before, told = scene.signer(key).sign(evidence)
    assert before == alone
    statement = read_statement(told.payload)
    assert isinstance(statement, ExplanationStatement)
    comparison = read_statement(alone[1].payload)
    assert isinstance(comparison, ComparisonStatement)
    (about,) = statement.predicate.artefacts
    assert about.comparison.sha256 == comparison.digest()
    assert statement.subject == comparison.subject
    assert (comparison.predicate.causes, comparison.predicate.explanation) == (None, None)


def test_a_moved_rebuild_is_told_beside_the_run_and_changes_nothing_of_it(
    stage: Stage, key: PrivateKey
) -> None:
    scene = stage("moved-apart")
    evidence = scene.make()
    alone = scene.signer(key).sign(evidence.model_copy(update={"robustness": None}))
    *others, last = scene.signer(key).sign(evidence)
    assert [e.to_bytes() for e in others] == [e.to_bytes() for e in alone]
    judged, told = read_statement(others[-1].payload), read_statement(last.payload)
    assert isinstance(told, RobustnessStatement)
    assert told.predicate.judged.sha256 == judged.digest()
    assert told.subject == judged.subject
    assert (told.predicate.purpose, told.predicate.result) == ("robustness", "differs")
    assert [a.same for a in told.predicate.artefacts] == [True, False]
    assert [m.factor for m in told.predicate.moved] == list(Factor)


def test_a_moved_rebuild_may_take_longer_than_the_run(stage: Stage, key: PrivateKey) -> None:
    scene = stage("moved")
    evidence = scene.make()
    assert evidence.robustness is not None
    slow = evidence.robustness.rebuild.model_copy(update={"wall_seconds": 900.0})
    moved = evidence.robustness.model_copy(update={"rebuild": slow})
    told = read_statement(
        scene.signer(key).sign(evidence.model_copy(update={"robustness": moved}))[-1].payload
    )
    assert isinstance(told, RobustnessStatement)
    assert told.predicate.wall_milliseconds == 900_000


def test_what_is_declared_is_named_as_not_moved(stage: Stage, key: PrivateKey) -> None:
    scene = stage("moved-declared")
    told = read_statement(scene.signer(key).sign(scene.make())[-1].payload)
    assert isinstance(told, RobustnessStatement)
    assert [(k.factor, k.why) for k in told.predicate.kept] == [
        ("hostname", "declared"),
        ("folder-order", "declared"),
    ]
    assert told.predicate.result == "same"


def test_provenance_names_everything_that_went_in(stage: Stage, key: PrivateKey) -> None:
    scene = stage("identical")
    made = read_statement(scene.signer(key).sign(scene.make())[0].payload)
    assert isinstance(made, ProvenanceStatement)
    definition, details = made.predicate.build_definition, made.predicate.run_details
    roles = [(r.annotations or {})["role"] for r in definition.resolved_dependencies]
    assert roles == ["source", "toolchain", "image"]
    assert all(r.uri and r.digest.sha256 for r in definition.resolved_dependencies)
    by_products = {r.name: r.digest for r in details.byproducts}
    assert by_products.keys() == {"sbom.cdx.json", "build.log", "seal", "rules.debug"}
    assert by_products["rules.debug"].sha256 is None
    assert by_products["rules.debug"].hmac_sha256


def test_a_failure_is_signed_with_what_is_known(stage: Stage, key: PrivateKey) -> None:
    scene = stage("failed")
    attempt = read_statement(scene.signer(key).sign(scene.make())[-1].payload)
    assert isinstance(attempt, AttemptStatement)
    assert [s.name for s in attempt.subject] == ["rules.bin", "rules.idx"]
    assert attempt.predicate.outcome == "BUILD_FAILED"
    assert attempt.predicate.reason == "exit-code"
    assert attempt.predicate.exit_code == 3


def test_a_run_without_an_attempt_is_signed_too(stage: Stage, key: PrivateKey) -> None:
    scene = stage("unavailable")
    attempt = read_statement(scene.signer(key).sign(scene.make())[-1].payload)
    assert isinstance(attempt, AttemptStatement)
    assert (attempt.predicate.purpose, attempt.predicate.outcome) == ("run", "INPUT_UNAVAILABLE")


def test_statements_carry_no_message_path_or_machine(stage: Stage, key: PrivateKey) -> None:
    for name in SCENES:
        scene = stage(name)
        for envelope in scene.signer(key).sign(scene.make()):
            text = envelope.payload.decode()
            assert "told in words" not in text
            assert "nobody serves it" not in text
            assert str(scene.folder) not in text
            assert "registry.internal" not in text


def test_signing_twice_gives_the_same_bytes(stage: Stage, key: PrivateKey) -> None:
    scene = stage("identical")
    evidence = scene.make()
    signer = scene.signer(key)
    first, second = ([e.to_bytes() for e in signer.sign(evidence)] for _ in range(2))
    assert first == second
