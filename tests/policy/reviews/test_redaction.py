"""The public form of a report: whatever is not named in it is not in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.recipe.normalizers import NormalizerName
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.privatekey import PrivateKey
from pipelines.evidence.redaction import redact, redact_explanation
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Purpose, Report
from pipelines.evidence.run_explanation import RunExplanation
from pipelines.evidence.salt import Salt, release_salt
from pipelines.evidence.statements.comparison import ComparisonStatement, Ground
from pipelines.evidence.statements.provenance import BuildType, ProvenanceStatement
from pipelines.evidence.statements.reader import read_statement
from pipelines.evidence.statements.rebuilds import (
    AttemptStatement,
    FailureReason,
    RobustnessStatement,
)
from pipelines.judge.difference import CauseName
from pipelines.judge.finding import Confirmation, ExplanationStatus
from pipelines.judge.normalizers.ledger import MaskLedger
from pipelines.judge.signatures.signature_format import Graft
from tests.signer.conftest import SCENES
from tests.signer.scene import Scene
from tests.signer.scene_recipe import written_recipe

SALT = Salt(secret=b"s" * 32)
PUBLIC = {
    "acme", "rules", "1.10", "zurich", "script", "python-wheel", "0.1.0", "private", "withheld",
    "rules.bin", "rules.idx", "by-product-1", "undeclared-1", "undeclared-2",
    "exit code 3",
    "artefact", "none",
}  # fmt: skip
WORDS = {
    str(w)
    for words in (
        Ground,
        FailureReason,
        Outcome,
        Purpose,
        Verdict,
        ExplanationStatus,
        CauseName,
        Confirmation,
        NormalizerName,  # a policy says which of them count
    )
    for w in words
}
RELEASE = ReleaseName(vendor="acme", product="rules", version="1.10")


def values(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from values(inner)
    elif isinstance(value, str):
        yield value


def in_signatures(report: Report) -> set[str]:
    """Return what a report says of signatures: bytes of shipped files, and who signed them."""
    grafts = [f.signature for f in report.artefacts if isinstance(f.signature, Graft)]
    return {text for graft in grafts for text in values(graft.model_dump(mode="json"))}


def private(scene: Scene) -> Report:
    return private_form(scene.make().report)


def private_form(report: Report) -> Report:
    environment = report.environment.model_copy(update={"visibility": "private"})
    return report.model_copy(update={"environment": environment})


@pytest.mark.parametrize("name", SCENES)
def test_only_public_words_and_digests_are_left(tmp_path: Any, name: str) -> None:
    scene = Scene(folder=tmp_path, **SCENES[name])
    made = scene.make()
    report, explanation = private_form(made.report), made.explanation
    told = [explanation] if explanation else []
    documents = [redact(report, SALT), *(redact_explanation(e, report, SALT) for e in told)]
    shipped = {Digest.of(data).hex for data in scene.shipped.values()}
    served = {Digest.of(d).hex for d in scene.served.values() if d is not None}
    ledgers = [f.ledger for f in report.artefacts if isinstance(f.ledger, MaskLedger)]
    masked = {
        text
        for one in ledgers
        for line in one.lines
        for text in (line.field, line.data, line.shipped.hex)
    } | in_signatures(report)
    named = {str(a.comparison) for e in told for a in e.artefacts}
    whole = [report, *told]
    plain = {text for one in whole for text in values(json.loads(one.to_json()))} - named
    for text in (text for shown in documents for text in values(json.loads(shown.to_json()))):
        if len(text) == 64 and text in plain:
            assert text in shipped | served | masked | {
                str(report.seal), str(report.environment.image_config)
            }  # fmt: skip
        elif len(text) != 64:
            pinned = text.startswith("image@sha256:")
            about = {report.run, "2026-01-02T03:20:00Z"} | masked  # bytes of the shipped file
            assert pinned or text in PUBLIC | WORDS | about, text


def test_redacting_changes_no_outcome_and_no_verdict(tmp_path: Any) -> None:
    for name, scene in SCENES.items():
        report = private(Scene(folder=tmp_path / name, **scene))
        shown = redact(report, SALT)
        assert (shown.outcome, shown.verdict, shown.seal) == (
            report.outcome,
            report.verdict,
            report.seal,
        )
        assert [f.verdict for f in shown.artefacts] == [f.verdict for f in report.artefacts]
        assert Report.model_validate_json(shown.to_json()) == shown


def test_every_text_that_could_quote_the_source_is_dropped(tmp_path: Any) -> None:
    """Fill every place for text with a secret; none of them comes through."""
    made = Scene(folder=tmp_path, **SCENES["confirmed"]).make()
    document, explanation = json.loads(private_form(made.report).to_json()), made.explanation
    assert explanation is not None
    report, planted = document, "sesame-street"
    report["reason"] = planted
    report["timings"][planted] = 1.0
    report["environment"].update(declared={planted: planted}, engine=planted, kernel=planted)
    report["environment"]["cgroup"] = planted
    report["environment"]["sources"][0]["locator"] = f"file:{planted}"
    report["environment"]["image"] = f"{planted}.example/{planted}@sha256:{'a' * 64}"
    artefact = report["artefacts"][0]
    artefact["reason"] = planted
    told = json.loads(explanation.to_json())
    about = told["artefacts"][0]
    about["causes"] = [{"name": "content", "detail": planted}]
    about["explanation"].update(note=planted, tool=planted)
    about["explanation"]["carried"] = [
        {"member": planted, "sha256": "a" * 64, "size": 1, "input": planted, "input_member": "x"}
    ]
    for attempt in (*report["attempts"], told["confirming"]):
        attempt["rebuild"]["reason"] = planted
        attempt["rebuild"]["outputs"].append(
            {"name": planted, "size": 1, "sha256": "b" * 64, "part": "unexpected"}
        )
    for line in report["by_products"]:
        line["name"] = planted
    whole, beside = Report.model_validate(document), RunExplanation.model_validate(told)
    shown = redact(whole, SALT).to_json().decode()
    shown += redact_explanation(beside, whole, SALT).to_json().decode()
    assert planted not in shown
    assert "b" * 64 not in shown


def test_a_new_field_of_a_report_stays_private_until_it_is_named() -> None:
    """Whoever adds a field decides here whether the public may know it."""
    fields = set(Report.model_fields) | {
        f"environment.{n}"
        for n in Report.model_fields["environment"].annotation.model_fields  # type: ignore[union-attr]
    }
    assert fields == {
        "vendor", "product", "version", "center", "run", "claim", "scope", "seal", "outcome",
        "reason", "verdict", "artefacts", "by_products", "environment", "timings", "attempts",
        "environment.declared", "environment.method", "environment.image",
        "environment.image_config", "environment.sources", "environment.engine",
        "environment.kernel", "environment.cgroup", "environment.samebits",
        "environment.visibility", "environment.reviews",
    }  # fmt: skip


@pytest.mark.parametrize("name", SCENES)
def test_statements_of_a_private_release_are_keyed(
    tmp_path: Any, key: PrivateKey, name: str
) -> None:
    scene = Scene(folder=tmp_path, visibility="private", **SCENES[name])
    salt = release_salt(scene.store, RELEASE)
    evidence = scene.make()
    shipped = {Digest.of(data) for data in scene.shipped.values()}
    shipped |= {Digest.of(d) for d in scene.served.values() if d is not None}
    for envelope in scene.signer(key).sign(evidence):
        statement = read_statement(envelope.payload)
        told = envelope.payload.decode()
        for word in ("rules.tar", "tool.bin", "src/rule", "file:", "rules.debug", "surprise"):
            assert word not in told
        plain = {*values(json.loads(evidence.report.to_json()))} - {d.hex for d in shipped}
        if evidence.robustness is not None:
            plain |= {o.sha256.hex for o in evidence.robustness.rebuild.outputs} - {
                d.hex for d in shipped
            }
        plain -= {str(evidence.report.seal), str(evidence.image)} | in_signatures(evidence.report)
        assert not [text for text in plain if len(text) == 64 and text in told]
        assert str(evidence.sbom) not in told
        assert str(Digest.of(evidence.recipe)) not in told
        assert "build.sh" not in told
        if isinstance(statement, ProvenanceStatement):
            definition = statement.predicate.build_definition
            assert definition.external_parameters.environment is None
            assert definition.external_parameters.packing is None
            pins = [item.sha256 for item in written_recipe(scene).recipe.inputs]
            if definition.build_type == BuildType.GRAFT:
                signed = [f for f in evidence.report.artefacts if f.signature]
                pins = [f.rebuilt.sha256 for f in signed if f.rebuilt]
            told_pins = [r.digest.hmac_sha256 for r in definition.resolved_dependencies[:-1]]
            assert told_pins == [salt.keyed(pin) for pin in pins]
        if isinstance(statement, ComparisonStatement | AttemptStatement | RobustnessStatement):
            assert statement.predicate.claim
            assert statement.predicate.claim.hmac_sha256 == salt.keyed(evidence.report.claim)  # type: ignore[arg-type]
        if isinstance(statement, ComparisonStatement):
            assert statement.predicate.scope
            assert statement.predicate.scope.hmac_sha256 == salt.keyed(evidence.report.scope)  # type: ignore[arg-type]


def test_two_centers_with_one_salt_tell_equal_claims(tmp_path: Any) -> None:
    report = private(Scene(folder=tmp_path))
    assert redact(report, SALT).claim == redact(report, Salt(secret=b"s" * 32)).claim
    assert redact(report, SALT).claim != redact(report, Salt(secret=b"t" * 32)).claim


def test_without_its_salt_nothing_private_is_signed(tmp_path: Any, key: PrivateKey) -> None:
    scene = Scene(folder=tmp_path, visibility="private")
    evidence = scene.make()
    with pytest.raises(RefusedError) as caught:
        scene.signer(key).sign(evidence)
    assert caught.value.check == "salt"


# What `redact` and the statements of a private release hide, and a test that goes red without it:
#
#   claim, log, source digests          only_public_words_and_digests_are_left[identical]
#   diffs                               only_public_words_and_digests_are_left[different]
#   digests of what was built           only_public_words_and_digests_are_left[different]
#   reasons                             only_public_words_and_digests_are_left[identical], [failed]
#   names of undeclared outputs         only_public_words_and_digests_are_left[unexpected]
#   names and digests of by-products    only_public_words_and_digests_are_left[identical]
#   details of causes                   only_public_words_and_digests_are_left[nondeterministic]
#   the registry of an image            only_public_words_and_digests_are_left[pulled]
#   reasons of attempts, odd timings    every_text_that_could_quote_the_source_is_dropped
#   all that statement A told of inputs, environment, parameters, recipe and SBOM, and that keyed
#   digests are called so               statements_of_a_private_release_are_keyed[identical]
#   a missing salt                      without_its_salt_nothing_private_is_signed
