"""What a finding keeps beside its verdict: the copy of a file, signatures, ledgers and updates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.recipe.signature import SignedFormat
from builders.recipe.update_manifest import ManifestName
from pipelines.judge.compare import Declared, Facts, Unread, compare
from pipelines.judge.difference import Cause, CauseName
from pipelines.judge.finding import Explanation, FileFact, Finding, ShippedFact, VaultFile
from pipelines.judge.normalizers.ledger import MaskLedger
from pipelines.judge.signatures.signature_format import Graft, Refused, SignatureFault
from pipelines.judge.updates.manifest_format import ManifestFact
from pipelines.judge.updates.update_fault import UpdateFault, UpdateRefused, UpdateResult
from tests.judge.test_finding import LINE

GOOD, OTHER = FileFact(sha256=Digest.of(b"good"), size=4), FileFact(sha256=Digest.of(b"o"), size=1)
THEN = datetime(2026, 1, 1, tzinfo=UTC)
SHIPPED = ShippedFact(published=GOOD.sha256, sha256=GOOD.sha256, size=4)
UNREAD = Unread(reason="no jail")
MANIFEST = ManifestFact(format=ManifestName.TUF_TARGETS)
BAD_MANIFEST = MANIFEST.model_copy(
    update={"refused": UpdateRefused(fault=UpdateFault.FIELD_MISMATCH, detail="so it is")}
)
REFUSED = Refused(fault=SignatureFault.INVALID, detail="so it is")


def graft(of: FileFact = GOOD) -> Graft:
    return Graft(
        format=SignedFormat.PE,
        sha256=of.sha256,
        size=of.size,
        signers=(),
        taken=1,
        signature=OTHER.sha256,
        carried=(),
    )


def judged(served: FileFact = GOOD, rebuilt: FileFact = OTHER, **fields: Any) -> Finding:
    """Judge one file; `fields` are more facts, each of that file."""
    output = Output(name="x", sha256=rebuilt.sha256, size=rebuilt.size, part=OutputKind.ARTEFACT)
    facts = Facts(
        outcome=Outcome.BUILT,
        outcome_reason=None,
        declared=(Declared(name="x", published=GOOD.sha256),),
        rebuilt=(output,),
        served={"x": served},
        input_fault=None,
        **{name: {"x": value} for name, value in fields.items()},
    )
    (finding,) = compare(facts)
    return finding


@pytest.mark.parametrize("then", [THEN, None])
def test_a_copy_from_the_vault_is_said_to_be_one(then: datetime | None) -> None:
    copy = VaultFile(**dict(GOOD), fetched_on=then)
    told = {**dict(SHIPPED), "from_vault": True, "fetched_on": then}
    assert judged(copy, GOOD).shipped == ShippedFact(**told)
    assert judged(GOOD, GOOD).shipped == SHIPPED


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"from_vault": True, "sha256": OTHER.sha256}, "is the published file"),
        ({"from_vault": True, "sha256": None}, "is the published file"),
        ({"fetched_on": THEN}, "the time of the run"),
    ],
)
def test_a_copy_from_the_vault_is_the_published_file(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ShippedFact(**{**dict(SHIPPED), **changed})


@pytest.mark.parametrize("found", [UNREAD, graft()])
def test_a_refused_manifest_is_different_whatever_else_was_found(found: Unread | Graft) -> None:
    finding = judged(manifests=BAD_MANIFEST, grafts=found, masks=UNREAD)
    assert (finding.verdict, finding.reason) == (Verdict.DIFFERENT, "field-mismatch: so it is")
    assert (finding.manifest, finding.signature, finding.ledger) == (BAD_MANIFEST, None, None)
    assert finding.update is UpdateResult.REFUSED


def test_a_signature_that_was_not_read_is_the_first_reason() -> None:
    finding = judged(grafts=UNREAD, masks=Unread(reason="another"))
    assert (finding.verdict, finding.reason) == (Verdict.NOT_CHECKED, "signature-not-read: no jail")


def test_a_ledger_is_of_the_file_that_was_served() -> None:
    with pytest.raises(ValueError, match="replays to another file"):
        judged(masks=MaskLedger(sha256=OTHER.sha256, size=4, lines=(LINE,)))


@pytest.mark.parametrize(
    ("verdict", "fields", "why"),
    [
        (Verdict.IDENTICAL_SIGNED, {"signature": graft(OTHER)}, "by the digests"),
        (Verdict.IDENTICAL_SIGNED, {"signature": graft(), "shipped": None}, "by the digests"),
        (Verdict.DIFFERENT, {"signature": graft()}, "by the signature"),
        (Verdict.NOT_CHECKED, {"signature": REFUSED}, "by the signature"),
    ],
)
def test_no_verdict_stands_against_its_signature(
    verdict: Verdict, fields: dict[str, Any], why: str
) -> None:
    given = {"name": "x", "reason": "r", "shipped": SHIPPED, "rebuilt": OTHER}
    right = graft() if verdict is Verdict.IDENTICAL_SIGNED else None
    assert Finding(**given, verdict=verdict, signature=right).verdict is verdict
    with pytest.raises(ValidationError, match=f"contradicted {why}"):
        Finding(**{**given, "verdict": verdict, **fields})


@pytest.mark.parametrize(
    ("finding", "differs"),
    [
        (judged(), True),
        (judged(grafts=REFUSED), True),
        (judged(rebuilt=GOOD), False),
        (judged(rebuilt=FileFact(sha256=GOOD.sha256, size=5)), False),
        (judged(OTHER, GOOD), False),
        (judged(rebuilt=GOOD, manifests=BAD_MANIFEST), False),
        (judged(manifests=BAD_MANIFEST).model_copy(update={"rebuilt": None}), False),
        (Finding(name="x", verdict=Verdict.UNEXPECTED, reason="r", rebuilt=OTHER), False),
    ],
)
def test_what_differs_has_other_bytes_than_the_shipped_file(
    finding: Finding, *, differs: bool
) -> None:
    assert finding.differs is differs


@pytest.mark.parametrize(
    "explained",
    [
        {"causes": (Cause(name=CauseName.CONTENT, detail="d"),)},
        {"explanation": Explanation(note="why")},
        {},
    ],
    ids=["causes", "an explanation", "neither"],
)
def test_an_explanation_is_written_where_a_finding_has_one(explained: dict[str, Any]) -> None:
    finding = Finding(**{**dict(judged()), **explained})
    written = finding.model_dump(mode="json")
    assert (written.keys() >= {"causes", "explanation"}) is finding.is_explained is bool(explained)
    assert Finding.model_validate(written) == finding
