"""Joining: each rule where nothing but that rule decides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.audit.center_finding import CenterFinding, ExclusionReason
from pipelines.consensus import Consensus
from pipelines.consensus.consensus_result import (
    ConsensusSubject,
    consensus_exit_code,
)
from pipelines.consensus.join import join
from pipelines.consensus.joined_result import Result
from pipelines.evidence.statements.consensus_results import Proof
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy import ConsensusRules
from tests.consensus.findings import (
    CLAIM,
    FILE,
    OTHER,
    OTHER_CLAIM,
    SHIPPED,
    TAMPERED,
    cancelled,
    differs,
    differs_otherwise,
    equivalent,
    failed,
    joined,
    match,
    missing,
    said,
    served_another,
    signed_match,
    unreachable,
    wavers,
)


def reasons(found: Consensus) -> list[tuple[str, ExclusionReason]]:
    return [(out.center, out.reason) for out in found.excluded]


def test_nothing_at_all_is_not_checked() -> None:
    found = joined()
    assert (found.result, found.passed) == (Result.NOT_CHECKED, None)
    assert consensus_exit_code([found]) == 2
    assert consensus_exit_code([]) == 2


def test_two_of_two_confirm() -> None:
    found = joined(match("ada"), match("bob"))
    assert (found.result, found.passed) == (Result.CONFIRMED, True)
    assert list(found.matched) == ["ada", "bob"]
    assert found.work_proof is Proof.PROVED
    assert consensus_exit_code([found]) == 0


def test_one_of_two_is_pending() -> None:
    found = joined(match("ada"))
    assert (found.result, found.passed) == (Result.PENDING, None)
    assert consensus_exit_code([found]) == 2


def test_two_centers_of_one_operator_are_one_voice() -> None:
    assert joined(match("ada"), match("ada", center="ada-2")).result is Result.PENDING


def test_matches_in_one_region_are_not_enough_where_two_are_asked_for() -> None:
    one = joined(match("ada", region="europe"), match("bob", region="europe"), regions=2)
    two = joined(match("ada", region="europe"), match("bob", region="asia"), regions=2)
    assert (one.result, two.result) == (Result.PENDING, Result.CONFIRMED)
    assert two.regions == ("asia", "europe")


def test_two_centers_of_one_operator_are_one_region() -> None:
    ada = match("ada", region="europe"), match("ada", center="ada-2", region="asia")
    assert joined(*ada, k=1, regions=2).result is Result.PENDING
    assert joined(*ada, match("bob", region="europe"), regions=3).result is Result.PENDING


def test_an_operator_counts_for_the_region_in_which_it_is_needed() -> None:
    ada = match("ada", region="asia"), match("ada", center="ada-2", region="europe")
    found = joined(*ada, match("bob", region="asia"), regions=2)
    assert found.result is Result.CONFIRMED


def test_the_region_of_a_match_that_does_not_count_is_none() -> None:
    assert joined(match("ada"), match("bob"), k=1, regions=2).result is Result.CONFIRMED
    second = match("bob", work=Proof.WRONG)
    assert joined(match("ada"), second, k=1, regions=2).result is Result.PENDING


def test_two_who_agree_on_other_bytes_are_suspect_whoever_else_matches() -> None:
    found = joined(differs("ada"), differs("bob"), match("cyd"), match("dee"))
    assert (found.result, found.passed) == (Result.SUSPECT, False)
    assert consensus_exit_code([found]) == 1


def test_regions_are_not_asked_for_to_suspect() -> None:
    found = joined(differs("ada", region="asia"), differs("bob", region="asia"), regions=2)
    assert found.result is Result.SUSPECT


def test_two_who_build_no_such_file_agree_that_it_is_not_from_this_source() -> None:
    assert joined(missing("ada"), missing("bob")).result is Result.SUSPECT
    assert joined(missing("ada"), differs("bob")).result is Result.NONDETERMINISTIC


def test_keyed_digests_of_closed_source_agree_too() -> None:
    keyed = DigestSet(hmac_sha256=TAMPERED)
    same = joined(differs("ada", rebuilt=keyed), differs("bob", rebuilt=keyed))
    mixed = joined(differs("ada", rebuilt=keyed), differs("bob"))
    assert (same.result, mixed.result) == (Result.SUSPECT, Result.NONDETERMINISTIC)


def test_a_keyed_digest_is_never_the_published_one() -> None:
    keyed = said("ada", rebuilt=DigestSet(hmac_sha256=SHIPPED))
    assert joined(keyed, k=1).result is Result.NONDETERMINISTIC


def test_a_split_fails_unless_the_policy_allows_that_dissent() -> None:
    positions = (match("ada"), match("bob"), differs("cyd"))
    assert joined(*positions).result is Result.SPLIT
    assert joined(*positions).passed is False
    assert joined(*positions, max_dissent=1).passed is True
    assert joined(*positions, max_dissent=1, k=3).passed is False
    assert joined(*positions, max_dissent=1, regions=3).passed is False
    two_against = (*positions, differs_otherwise("dee"))
    assert joined(*two_against, max_dissent=1).passed is False
    assert consensus_exit_code([joined(*positions)]) == 1
    assert consensus_exit_code([joined(*positions, max_dissent=1)]) == 0


def test_those_who_dissent_and_disagree_found_it_nondeterministic() -> None:
    found = joined(differs("ada"), differs_otherwise("bob"))
    assert (found.result, found.passed) == (Result.NONDETERMINISTIC, False)


def test_one_who_differs_alone_is_pending_for_two() -> None:
    assert joined(differs("ada")).result is Result.PENDING
    assert joined(differs("ada"), k=1).result is Result.SUSPECT


def test_a_build_that_came_out_in_two_ways_is_dissent_and_agrees_with_nobody() -> None:
    assert joined(wavers("ada"), wavers("bob"), k=1).result is Result.NONDETERMINISTIC
    assert joined(wavers("ada"), match("bob"), k=1).result is Result.SPLIT


@pytest.mark.parametrize("older", [differs, missing, equivalent, wavers])
def test_who_said_something_else_of_the_claim_before_contradicts_itself(
    older: Callable[..., CenterFinding],
) -> None:
    found = joined(older("ada", index=3), match("ada", index=9), k=1, allowed="strip-signature")
    assert found.result is Result.NONDETERMINISTIC
    assert joined(older("ada", index=9), match("ada", index=3), match("bob")).result is Result.SPLIT


def test_who_once_contradicted_itself_agrees_with_nobody_on_no_file_at_all() -> None:
    found = joined(wavers("ada", index=3), missing("ada", index=9), k=1)
    assert found.result is Result.NONDETERMINISTIC


def test_two_centers_of_one_operator_that_disagree_are_dissent() -> None:
    found = joined(match("ada"), differs("ada", center="ada-2"), match("bob"), k=1)
    assert found.result is Result.SPLIT
    assert list(found.dissenting) == ["ada"]


def test_what_could_not_be_tried_says_nothing() -> None:
    assert joined(cancelled("ada"), cancelled("bob"), k=1).result is Result.NOT_CHECKED
    assert joined(cancelled("ada"), failed("bob"), k=1).result is Result.UNBUILDABLE
    assert joined(unreachable("ada"), failed("bob"), k=1).result is Result.PENDING


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.BUILT])
def test_no_outcome_but_built_is_ever_a_match_or_a_mismatch(outcome: Outcome) -> None:
    found = joined(failed("ada", outcome), k=1)
    assert found.result in {Result.NOT_CHECKED, Result.UNBUILDABLE}
    built = {"verdict": Verdict.IDENTICAL, "rebuilt": DigestSet(sha256=SHIPPED)}
    for served in (None, SHIPPED):
        lie = failed("ada", outcome, served=served, **built)
        assert joined(lie, k=1).result is Result.NONDETERMINISTIC


UNSOUND = {
    "identical-of-other-bytes": said("ada", rebuilt=DigestSet(sha256=OTHER)),
    "identical-of-nothing": said("ada", rebuilt=None),
    "identical-to-a-file-never-served": said("ada", served=None),
    "identical-to-another-file": said("ada", served=OTHER),
    "signed-and-never-grafted": signed_match("ada", grafted=None),
    "signed-and-grafted-to-something-else": signed_match("ada", grafted=OTHER),
    "signed-though-it-is-identical": signed_match("ada", rebuilt=DigestSet(sha256=SHIPPED)),
    "signed-without-a-build": signed_match("ada", rebuilt=None),
    "signed-of-another-file": signed_match("ada", served=OTHER),
    "different-of-the-same-bytes": differs("ada", SHIPPED),
    "different-of-nothing": differs("ada", rebuilt=None),
    "different-from-nothing": differs("ada", served=None),
    "missing-and-rebuilt": missing("ada", rebuilt=DigestSet(sha256=OTHER)),
    "mismatch-of-the-published-file": served_another("ada", served=SHIPPED),
    "mismatch-of-nothing": served_another("ada", served=None),
    "equivalent-of-the-same-bytes": equivalent("ada", rebuilt=DigestSet(sha256=SHIPPED)),
    "equivalent-without-a-normalizer": equivalent("ada", normalizers=frozenset()),
    "equivalent-to-another-file": equivalent("ada", served=OTHER),
    "equivalent-of-nothing": equivalent("ada", rebuilt=None),
    "unexpected-although-published": said("ada", verdict=Verdict.UNEXPECTED),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_a_verdict_that_its_digests_do_not_bear_out_is_dissent(name: str) -> None:
    found = joined(UNSOUND[name], match("bob"), k=1, allowed="strip-signature")
    assert found.result is Result.SPLIT
    assert joined(UNSOUND[name], k=1).result is Result.NONDETERMINISTIC


def test_a_grafted_signature_matches() -> None:
    assert joined(signed_match("ada"), match("bob")).result is Result.CONFIRMED


def test_equivalent_is_never_a_match() -> None:
    found = joined(equivalent("ada"), equivalent("bob"), k=1, allowed="strip-signature")
    assert found.result is Result.PENDING
    assert reasons(found) == [
        ("ada-1", ExclusionReason.EQUIVALENT),
        ("bob-1", ExclusionReason.EQUIVALENT),
    ]
    beside = joined(match("ada"), equivalent("bob"), k=1, allowed="strip-signature")
    assert beside.result is Result.CONFIRMED


def test_equivalent_by_a_normalizer_that_the_policy_does_not_allow_differs() -> None:
    found = joined(equivalent("ada"), equivalent("bob"), allowed="sort-members")
    assert found.result is Result.SUSPECT
    both = frozenset({"strip-signature", "mask-everything"})
    found = joined(equivalent("ada", normalizers=both), match("bob"), allowed="strip-signature")
    assert found.result is Result.SPLIT


@pytest.mark.parametrize(
    ("work", "why"),
    [(Proof.ABSENT, ExclusionReason.WORK_ABSENT), (Proof.WRONG, ExclusionReason.WORK_WRONG)],
)
def test_a_match_without_its_proof_of_work_is_named_and_does_not_count(
    work: Proof, why: ExclusionReason
) -> None:
    found = joined(match("ada"), match("echo", work=work))
    assert found.result is Result.PENDING
    assert reasons(found) == [("echo-1", why)]
    assert list(found.matched) == ["ada"]
    assert joined(match("echo", work=work), differs("ada"), k=2).result is Result.PENDING


def test_a_match_that_nothing_can_prove_counts_and_is_said() -> None:
    found = joined(match("ada", work=Proof.NONE), match("bob", work=Proof.NONE))
    assert (found.result, found.work_proof) == (Result.CONFIRMED, Proof.NONE)
    assert joined(match("ada"), match("bob", work=Proof.NONE)).work_proof is Proof.NONE
    assert joined(differs("ada")).work_proof is Proof.NONE


def test_of_the_proofs_that_count_the_worst_is_told_and_else_a_wrong_one() -> None:
    wrong = match("echo", work=Proof.WRONG)
    assert joined(match("ada"), wrong).work_proof is Proof.PROVED
    assert joined(match("ada", work=Proof.NONE), wrong).work_proof is Proof.WRONG
    assert joined(wrong).work_proof is Proof.WRONG
    assert joined(match("echo", work=Proof.ABSENT)).work_proof is Proof.NONE


def test_a_policy_can_require_a_proof_of_work() -> None:
    unproved = match("bob", work=Proof.NONE)
    found = joined(match("ada"), unproved, work_proof="required")
    assert (found.result, found.passed) == (Result.PENDING, None)
    assert reasons(found) == [("bob-1", ExclusionReason.WORK_NONE)]
    assert found.to_dict()["requires_work_proof"] is True
    assert joined(match("ada"), match("bob"), work_proof="required").result is Result.CONFIRMED
    assert joined(unproved, differs("ada"), work_proof="required").result is Result.PENDING


def test_a_policy_can_require_a_user_namespace() -> None:
    inside = match("ada", user_namespace=True)
    found = joined(inside, match("bob"), user_namespace="required")
    assert (found.result, found.passed) == (Result.PENDING, None)
    assert reasons(found) == [("bob-1", ExclusionReason.NO_USER_NAMESPACE)]
    other = match("bob", user_namespace=True)
    assert joined(inside, other, user_namespace="required").result is Result.CONFIRMED
    assert joined(inside, differs("bob"), user_namespace="required").result is Result.SPLIT
    assert joined(match("ada"), match("bob")).result is Result.CONFIRMED


def test_a_mismatch_counts_without_a_proof_of_work() -> None:
    found = joined(differs("ada", work=Proof.ABSENT), differs("bob", work=Proof.WRONG))
    assert found.result is Result.SUSPECT


def test_one_key_of_two_operators_counts_for_neither() -> None:
    found = joined(match("ada", key="k"), match("bob", key="k"), match("cyd"))
    assert found.result is Result.PENDING
    assert reasons(found) == [
        ("ada-1", ExclusionReason.SHARED_KEY),
        ("bob-1", ExclusionReason.SHARED_KEY),
    ]
    mine = joined(match("ada", key="k"), match("ada", center="ada-2", key="k"), match("bob"))
    assert mine.result is Result.CONFIRMED


def test_one_key_of_two_operators_is_found_out_whatever_else_the_other_signed() -> None:
    elsewhere = match("bob", key="k", claim=OTHER_CLAIM)
    assert joined(match("ada", key="k"), elsewhere, k=1).result is Result.PENDING


@pytest.mark.parametrize("k", [0, -1])
def test_with_no_k_nothing_is_confirmed(k: int) -> None:
    assert joined(match("ada"), match("bob"), k=k).result is Result.PENDING
    assert joined(match("ada"), differs("bob"), k=k, max_dissent=9).passed is False
    assert joined(differs("ada"), k=k).result is Result.SUSPECT


def test_a_k_above_the_number_of_operators_is_never_reached() -> None:
    assert joined(match("ada"), match("bob"), k=3).result is Result.PENDING


def test_other_claims_are_counted_out_by_name() -> None:
    found = joined(match("ada"), match("bob", claim=OTHER_CLAIM))
    assert found.result is Result.PENDING
    assert reasons(found) == [("bob-1", ExclusionReason.OTHER_CLAIM)]
    assert found.excluded[0].detail == str(OTHER_CLAIM.sha256)


def test_a_keyed_claim_is_not_the_same_claim() -> None:
    keyed = DigestSet(hmac_sha256=CLAIM.sha256)
    assert joined(match("ada", claim=keyed), k=1).result is Result.NOT_CHECKED


def test_who_says_that_something_else_was_published_is_counted_out_by_name() -> None:
    found = joined(match("ada"), differs("bob", published=OTHER, served=OTHER))
    assert reasons(found) == [("bob-1", ExclusionReason.OTHER_PUBLISHED)]
    assert (found.result, found.alarms) == (Result.PENDING, ())


def test_another_file_is_another_question() -> None:
    question = ConsensusSubject(artefact="other.deb", published=SHIPPED, claim=CLAIM)
    rules = ConsensusRules(k=1)
    assert join(question, [match("ada")], rules).result is Result.NOT_CHECKED


def test_without_a_claim_nothing_is_joined() -> None:
    question = ConsensusSubject(artefact=FILE, published=SHIPPED, claim=None)
    found = join(question, [match("ada")], ConsensusRules(k=1))
    assert found.result is Result.NOT_CHECKED


def test_a_second_center_that_could_not_build_takes_no_match_away() -> None:
    assert joined(match("ada"), failed("ada", center="ada-2"), k=1).result is Result.CONFIRMED


def test_the_exit_code_of_several_is_that_of_the_worst() -> None:
    good, open_, bad = joined(match("ada"), k=1), joined(), joined(differs("ada"), k=1)
    assert consensus_exit_code([good, good]) == 0
    assert consensus_exit_code([good, open_]) == 2
    assert consensus_exit_code([good, open_, bad]) == 1


def test_everything_is_told_in_json() -> None:
    told = joined(match("ada"), differs("bob"), match("echo", work=Proof.WRONG)).to_dict()
    assert told["consensus"] == "SPLIT"
    assert told["passed"] is False
    assert told["matched"] == ["ada"]
    assert told["dissenting"] == ["bob"]
    assert [v["stand"] for v in told["voices"]] == ["match", "mismatch", "match"]
    assert [v["counts_as_match"] for v in told["voices"]] == [True, False, False]
    assert told["voices"][1]["made"] == {"sha256": str(TAMPERED)}
    assert told["claim"] == CLAIM.to_dict()
    assert [(o["center"], o["why"]) for o in told["counted_out"]] == [("echo-1", "work-wrong")]
    assert Digest(told["published"]) == SHIPPED
