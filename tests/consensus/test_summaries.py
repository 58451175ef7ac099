"""Statement D: what it says of each result, what it never claims, and that it stays in line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from builders.core.digest import Digest
from pipelines.consensus import Consensus
from pipelines.consensus.join import join
from pipelines.consensus.summaries import Summarizer
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.consensus_results import (
    EXTENSION,
    Proof,
    Reference,
    SummaryStatement,
)
from pipelines.evidence.statements.reader import read_statement
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy import ConsensusRules
from tests.consensus.findings import (
    CLAIM,
    FILE,
    NOW,
    SHIPPED,
    SUBJECT,
    MakeFinding,
    cancelled,
    differs,
    differs_otherwise,
    failed,
    match,
    wavers,
)
from tests.consensus.world import RELEASE

POLICY = Reference(
    uri="https://samebits.example/policy/1", digest=DigestSet(sha256=Digest.of(b"policy"))
)
LEGAL = {"ada": "Ada AG", "bob": "Bob Ltd", "eve": " ada  ag "}
PURL = "pkg:deb/acme/tool@1.0?arch=amd64"
BY = Summarizer(
    release=RELEASE,
    center="ada-1",
    verifier="https://samebits.example/centers/ada-1/verifier",
    version="0.1.0",
    policy=POLICY,
    legal=LEGAL,
    reviews=0,
    locators={FILE: PURL},
)


def joined(*sayings: Any, k: int = 2, max_dissent: int = 0) -> Consensus:
    return join(SUBJECT, sayings, ConsensusRules(k=k, max_dissent=max_dissent))


def summed(found: Consensus, **changes: Any) -> SummaryStatement | None:
    return replace(BY, **changes).summary(found, number=1, supersedes=None, now=NOW)


def said(found: Consensus, **changes: Any) -> SummaryStatement:
    made = summed(found, **changes)
    assert made is not None
    return made


def test_what_is_confirmed_is_passed_with_the_fields_of_the_format() -> None:
    told = said(joined(match("ada"), match("bob"))).to_dict()
    assert told["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert told["subject"] == [{"name": FILE, "digest": {"sha256": str(SHIPPED)}}]
    predicate = told["predicate"]
    assert set(predicate) == {
        "verifier",
        "timeVerified",
        "resourceUri",
        "policy",
        "inputAttestations",
        "verificationResult",
        "verifiedLevels",
        "slsaVersion",
        EXTENSION,
    }
    assert predicate["verifier"] == {"id": BY.verifier, "version": {"samebits": "0.1.0"}}
    assert predicate["timeVerified"] == "2026-01-02T03:04:05Z"
    assert predicate["resourceUri"] == PURL
    assert predicate["policy"] == POLICY.to_dict()
    assert predicate["verificationResult"] == "PASSED"
    assert predicate["verifiedLevels"] == ["SLSA_BUILD_REPRODUCED"]
    assert predicate["slsaVersion"] == "1.2"
    assert predicate[EXTENSION] == {
        "release": "acme/tool@1.0",
        "center": "ada-1",
        "result": "CONFIRMED",
        "claim": CLAIM.to_dict(),
        "matched": ["ada", "bob"],
        "dissenting": [],
        "workProof": "proved",
        "number": 1,
    }


@pytest.mark.parametrize("work", [Proof.NONE, Proof.WRONG, Proof.ABSENT])
def test_without_a_proof_of_work_nothing_is_reproduced(work: Proof) -> None:
    matches = match("ada", work=Proof.NONE), match("bob", work=Proof.NONE)
    told = said(joined(*matches, match("cyd", work=work)), reviews=1).predicate
    assert (str(told.verification_result), told.verified_levels) == (
        "PASSED",
        ("SAMEBITS_SOURCE_REVIEWED_1",),
    )
    assert told.consensus.work_proof == ("wrong" if work is Proof.WRONG else "none")
    both = said(joined(match("ada"), match("bob"), match("cyd", work=work))).predicate
    assert bool(both.verified_levels) is (both.consensus.work_proof == "proved")


def test_every_statement_that_it_evidence_is_named_by_its_digest() -> None:
    positions = match("ada"), match("bob")
    told = said(joined(*positions)).predicate.input_attestations
    assert {r.digest.sha256 for r in told} == {
        basis.digest for p in positions for basis in (p.comparison, p.attempt)
    }
    assert all(r.uri.startswith("https://samebits.example/public/") for r in told)


@pytest.mark.parametrize(
    ("people", "result"),
    [
        ((differs("ada"), differs("bob")), "SUSPECT"),
        ((match("ada"), differs("bob")), "SPLIT"),
        ((differs("ada"), differs_otherwise("bob")), "NONDETERMINISTIC"),
        ((wavers("ada"),), "NONDETERMINISTIC"),
    ],
)
def test_what_failed_is_failed_and_claims_no_level(people: tuple[Any, ...], result: str) -> None:
    told = said(joined(*people), reviews=3).predicate
    assert (str(told.verification_result), told.verified_levels) == ("FAILED", ("FAILED",))
    assert told.consensus.result == result


@pytest.mark.parametrize("saying", [cancelled, failed, match])
def test_of_what_is_open_nothing_is_said(saying: MakeFinding) -> None:
    assert summed(joined(saying("ada"))) is None
    assert summed(joined()) is None


def test_a_split_within_the_allowed_dissent_is_passed_and_names_who_dissents() -> None:
    told = said(joined(match("ada"), match("bob"), differs("cyd"), max_dissent=1)).predicate
    assert str(told.verification_result) == "PASSED"
    assert (told.consensus.result, told.consensus.dissenting) == ("SPLIT", ("cyd",))


@pytest.mark.parametrize(
    ("operators", "levels"),
    [
        (("ada",), ()),
        (("ada", "bob"), ("SLSA_BUILD_REPRODUCED",)),
        (("ada", "eve"), ()),
        (("ada", "nobody"), ()),
        (("ada", "eve", "bob"), ("SLSA_BUILD_REPRODUCED",)),
    ],
)
def test_reproduced_takes_two_bodies_that_are_distinct_in_law(
    operators: tuple[str, ...], levels: tuple[str, ...]
) -> None:
    found = joined(*(match(name) for name in operators), k=1)
    assert said(found).predicate.verified_levels == levels


def test_an_operator_whose_match_does_not_count_reproduces_nothing() -> None:
    found = joined(match("ada"), match("bob", work=Proof.WRONG), k=1)
    assert said(found).predicate.verified_levels == ()


def test_reviews_are_a_level_of_our_own() -> None:
    found = joined(match("ada"), k=1)
    assert said(found, reviews=2).predicate.verified_levels == ("SAMEBITS_SOURCE_REVIEWED_2",)


def changed(**changes: Any) -> dict[str, Any]:
    plain = said(joined(match("ada"), match("bob"))).to_dict()
    for name, value in changes.items():
        place = plain["predicate"]
        if name in {"result", "matched", "number", "supersedes"}:
            place = place[EXTENSION]
        place[name] = value
    return plain


LIES: dict[str, dict[str, Any]] = {
    "passed-a-suspect": {"result": "SUSPECT"},
    "passed-what-is-nondeterministic": {"result": "NONDETERMINISTIC"},
    "failed-what-is-confirmed": {"verificationResult": "FAILED", "verifiedLevels": ["FAILED"]},
    "passed-as-failed": {"verifiedLevels": ["FAILED"]},
    "failed-and-a-level": {
        "result": "SUSPECT", "verificationResult": "FAILED", "verifiedLevels": ["FAILED",
        "SLSA_BUILD_REPRODUCED"],
    },
    "failed-without-saying-so": {
        "result": "SUSPECT", "verificationResult": "FAILED", "verifiedLevels": [],
    },
    "a-level-nobody-knows": {"verifiedLevels": ["SLSA_BUILD_LEVEL_3"]},
    "reproduced-by-one": {"matched": ["ada"]},
    "second-without-a-first": {"number": 2},
    "first-with-one-before": {"supersedes": POLICY.to_dict()},
    "of-no-result": {"result": "PENDING"},
    "of-another-version": {"slsaVersion": "1.0"},
    "with-a-field-more": {"note": "x"},
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_summary_that_contradicts_itself_cannot_be_made(name: str) -> None:
    with pytest.raises(ValidationError):
        SummaryStatement.model_validate(changed(**LIES[name]))


def test_a_summary_reads_back_to_the_same_bytes_and_is_about_one_file() -> None:
    made = said(joined(match("ada"), match("bob")))
    assert read_statement(made.to_bytes()) == made
    plain = made.to_dict()
    plain["subject"].append({"name": "x", "digest": {"sha256": "a" * 64}})
    with pytest.raises(ValidationError, match="one shipped file"):
        SummaryStatement.model_validate(plain)
    plain["subject"] = [{"name": "x", "digest": {"hmac_sha256": "a" * 64}}]
    with pytest.raises(ValidationError, match="one shipped file"):
        SummaryStatement.model_validate(plain)


@pytest.mark.parametrize(
    ("locator", "expected"),
    [
        (PURL, PURL),
        ("file:netbase.deb", "pkg:generic/acme/tool@1.0?file_name=tool.deb"),
        (None, "pkg:generic/acme/tool@1.0?file_name=tool.deb"),
    ],
)
def test_a_file_is_called_by_its_purl_and_never_by_a_path(
    locator: str | None, expected: str
) -> None:
    locators = {} if locator is None else {FILE: locator}
    assert replace(BY, locators=locators).resource_uri(FILE) == expected


def test_odd_names_are_encoded() -> None:
    release = ReleaseName(vendor="acme", product="a+b", version="1:2~3")
    assert replace(BY, release=release).resource_uri("a=b,c") == (
        "pkg:generic/acme/a%2Bb@1%3A2~3?file_name=a%3Db%2Cc"
    )
