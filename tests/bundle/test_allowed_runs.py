"""Unusual runs that are no lies: the order of attempts, equal times, no log, no claim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from pipelines.bundle.check import CheckResult, CheckStatus
from pipelines.bundle.check.result import WrongError, require_equal
from pipelines.evidence.privatekey import PrivateKey
from tests.bundle.bundles import EVIDENCE, Altered, Maker, made
from tests.bundle.tells import (
    ATTEMPT,
    PROVENANCE,
    ROBUSTNESS,
    in_every,
    in_one,
    member_of,
    payload_of,
)
from tests.signer.conftest import SCENES

START = "2026-01-02T03:04:05Z"


def status_of(result: CheckResult, name: str) -> CheckStatus:
    return next(step.status for step in result.steps if step.name == name)


def message_of(result: CheckResult, name: str) -> str:
    return next(step.message for step in result.steps if step.name == name)


def with_attempts(altered: Altered, *purposes: str) -> None:
    """Give a run that was not built attempts of these purposes, in statements and report alike."""
    document: Any = payload_of(altered, member_of(ATTEMPT))
    del altered.members[member_of(ATTEMPT)]
    for number, purpose in enumerate(purposes, 1):
        document["predicate"].update(number=number, purpose=purpose)
        altered.put(member_of(f"attempt-{number}"), document)

    def change(report: Any) -> None:
        (first,) = report["attempts"]
        report["attempts"] = [
            first | {"number": number, "purpose": purpose}
            for number, purpose in enumerate(purposes, 1)
            if purpose != "run"
        ]

    altered.report(change)


ORDERS = {
    "judged": True,
    "judged retry": True,
    "judged retry retry retry": True,
    "judged confirming": True,
    "judged retry confirming run": True,
    "judged run": True,
    "run": True,
    "retry": False,
    "confirming": False,
    "judged judged": False,
    "judged confirming confirming": False,
    "judged run run": False,
    "judged confirming retry": False,
    "judged run confirming": False,
    "run judged": False,
}


@pytest.mark.parametrize("order", ORDERS)
def test_attempts_have_one_order(bundle: Maker, order: str) -> None:
    altered = bundle("failed")
    with_attempts(altered, *order.split())
    result = altered.check()
    allowed = status_of(result, "attempts") is CheckStatus.OK
    assert allowed is ORDERS[order]
    if not allowed:
        assert "the attempts are out of order" in message_of(result, "attempts")
    elif order != "run":
        assert result.exit_code == 2, result.steps[-1].message


def test_a_run_may_end_in_the_second_in_which_it_began(bundle: Maker) -> None:
    altered = bundle("identical")
    for tell in (
        in_every("attempt", "predicate/finishedOn", START),
        in_every("comparison", "predicate/comparedOn", START),
        in_every("provenance", "predicate/runDetails/metadata/startedOn", START),
        in_every("provenance", "predicate/runDetails/metadata/finishedOn", START),
        in_every("attempt", "predicate/startedOn", START),
    ):
        tell(altered, altered.key)
    assert altered.check().exit_code == 0


def test_a_robustness_rebuild_may_end_when_the_run_does(bundle: Maker) -> None:
    altered = bundle("moved")
    finished = payload_of(altered, member_of(ATTEMPT))["predicate"]["finishedOn"]
    in_one(ROBUSTNESS, "predicate/testedOn", finished)(altered, altered.key)
    result = altered.check()
    assert (status_of(result, "tested"), result.exit_code) == (CheckStatus.OK, 0)


def test_a_build_without_a_log_names_none(bundle: Maker) -> None:
    altered = bundle("identical")
    for member in [name for name in altered.members if name.startswith(EVIDENCE)]:
        del altered.members[member]
    altered.report(lambda d: d["attempts"][0]["rebuild"].update(log=None))
    in_one(ATTEMPT, "predicate/log", None)(altered, altered.key)

    def unlogged(document: Any) -> None:
        details = document["predicate"]["runDetails"]
        details["byproducts"] = [r for r in details["byproducts"] if r["name"] != "build.log"]

    altered.statement(PROVENANCE, unlogged)
    result = altered.check()
    assert result.exit_code == 0, result.steps[-1].message


def test_a_run_that_ended_before_its_claim_was_known_has_none(bundle: Maker) -> None:
    altered = bundle("unavailable")
    for kind in ("attempt", "comparison"):
        in_every(kind, "predicate/claim", None)(altered, altered.key)
    altered.report(lambda document: document.update(claim=None))
    result = altered.check()
    assert message_of(result, "claim") == (
        "there is no claim: the run ended before the inputs were known"
    )
    assert result.exit_code == 2


def test_two_builds_that_left_nothing_left_the_same(
    key: PrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCENES, "moved-nothing", {"outputs": {}, "moved": {}})
    result = made(tmp_path, key, scene="moved-nothing").check()
    assert message_of(result, "moved") == "2 of 2 artefacts had the same bytes"
    assert result.exit_code == 1, "what was shipped is missing"
    assert status_of(result, "moved") is CheckStatus.OK


def test_ten_artefacts_are_in_the_order_of_their_numbers(
    key: PrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"rules.{number}": b"%d" % number for number in range(10)}
    monkeypatch.setitem(SCENES, "ten", {"shipped": files, "outputs": files})
    result = made(tmp_path, key, scene="ten").check()
    assert result.exit_code == 0, result.steps[-1].message
    assert [artefact.name for artefact in result.artefacts] == sorted(files)


def test_a_build_that_left_by_products_alone_has_no_provenance(
    key: PrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCENES, "debug-alone", {"outputs": {"rules.debug": b"symbols"}})
    result = made(tmp_path, key, scene="debug-alone").check()
    assert message_of(result, "by-products") == "there is no provenance, which would name them"
    assert status_of(result, "by-products") is CheckStatus.NOTE
    assert message_of(result, "provenance") == "nothing was built, so there is none"
    assert len([step for step in result.steps if step.status is CheckStatus.WRONG]) == 0


def test_a_private_release_publishes_no_environment(bundle: Maker) -> None:
    altered = bundle("moved")
    where = "predicate/buildDefinition/externalParameters/environment"
    in_one(PROVENANCE, where, None)(altered, altered.key)
    altered.report(lambda d: d["environment"].update(declared={}))
    result = altered.check()
    assert result.exit_code == 0, result.steps[-1].message


def test_evidence_may_be_named_by_the_provenance_alone(bundle: Maker) -> None:
    altered, digest = bundle("identical"), str(Digest.of(b"notes"))
    notes = {"name": "notes", "digest": {"sha256": digest}}
    altered.statement(
        PROVENANCE, lambda d: d["predicate"]["runDetails"]["byproducts"].append(notes)
    )
    altered.members[f"{EVIDENCE}{digest}"] = b"notes"
    result = altered.check()
    assert result.exit_code == 0, result.steps[-1].message
    assert message_of(result, "evidence").startswith("2 objects")


def test_evidence_may_be_named_by_an_explanation(bundle: Maker) -> None:
    altered = bundle("different")
    for data in (b"{}", b"<p>"):
        altered.members[f"{EVIDENCE}{Digest.of(data)}"] = data
    assert message_of(altered.check(), "evidence") == (
        "3 objects, each named by a statement: explanation of rules.bin, HTML, "
        "explanation of rules.bin, JSON, log of attempt 1"
    )


def test_the_seal_of_closed_source_is_for_its_center_alone(bundle: Maker) -> None:
    altered = bundle("identical")

    def keyed(document: Any) -> None:
        claim = (
            document["predicate"].get("claim")
            or document["predicate"]["buildDefinition"]["internalParameters"]["claim"]
        )
        claim["hmac_sha256"] = claim.pop("sha256")

    for kind in ("provenance", "attempt", "comparison"):
        altered.every(kind, keyed)
    result = altered.check()
    assert message_of(result, "sealed").startswith("the source is closed")
    assert result.exit_code == 0


def test_one_keyed_claim_is_enough_for_a_closed_source(bundle: Maker) -> None:
    altered = bundle("retried")
    claim = payload_of(altered, member_of("attempt-1"))["predicate"]["claim"]["sha256"]
    in_one("attempt-1", "predicate/claim", {"hmac_sha256": claim})(altered, altered.key)
    assert message_of(altered.check(), "sealed").startswith("the source is closed")


SIGNATURE: Any = {
    "format": "pe",
    "signers": [{"certificate": {"sha256": "6" * 64}}],
    "grafted": {"digest": {"sha256": "7" * 64}, "size": 9},
    "taken": 8,
    "carried": [],
}


@pytest.mark.parametrize("signature", [{}, {"signature": SIGNATURE}])
def test_a_file_that_is_equal_after_normalizers_may_be_called_so(
    bundle: Maker, signature: dict[str, Any]
) -> None:
    altered = bundle("equivalent")
    altered.statement("comparison-1", lambda d: d["predicate"].update(signature))
    result = altered.check()
    assert status_of(result, "verdicts") is CheckStatus.OK
    assert ([str(a.verdict) for a in result.artefacts], result.exit_code) == (
        ["EQUIVALENT", "IDENTICAL"],
        1,
    )


def test_what_is_not_there_is_not_shown_as_a_word() -> None:
    with pytest.raises(WrongError) as caught:
        require_equal("another claim", None, "a claim")
    assert (caught.value.got, caught.value.expected) == (None, "a claim")


def test_an_undeclared_output_of_a_copied_input_is_not_checked_either(bundle: Maker) -> None:
    altered = bundle("unexpected")
    told = {"verdict": "NOT_CHECKED", "ground": "copied-input"}
    altered.every("comparison", lambda document: document["predicate"].update(told))
    result = altered.check()
    assert (status_of(result, "verdicts"), result.exit_code) == (CheckStatus.OK, 2)
