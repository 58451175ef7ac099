"""The gate before a build."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders.core.enums import Outcome
from builders.core.errors import SourceNotReviewedError
from builders.recipe.recipe import Recipe, load_recipe
from builders.recipe.scope import scope_of
from infra.bench.madeup import EMPTY_POLICY
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.salt import release_salt
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy import Policy
from pipelines.policy.reviews import review_records
from pipelines.policy.reviews.review_records import (
    ReviewStatus,
    keep_review,
    review_status,
    review_target,
)
from pipelines.storage.store import DamagedError
from tests.fakes.store import MemoryStore
from tests.lab import write_recipe
from tests.policy.reviews.people import (
    ADA,
    BOB,
    CLAIM,
    EVE,
    NOW,
    REVIEWED,
    SCOPE,
    SOURCE,
    policy,
    signed,
)


def recipe(folder: Path, **fields: Any) -> Recipe:
    return load_recipe(write_recipe(folder / "gate", [["true"]], **fields)).recipe


def stand(of: Recipe, store: MemoryStore, rules: Policy) -> ReviewStatus:
    return review_status(of, REVIEWED, policy=rules, store=store, now=NOW)


def test_enough_reviewers_open_it(tmp_path: Path) -> None:
    store = MemoryStore()
    keep_review(store, signed("ada", ADA))
    found = stand(recipe(tmp_path), store, policy())
    found.require()
    assert found.summary() == "ada"
    counted = {"reviewer": "ada", "key": ADA.public.keyid, "scoped": True}
    assert found.to_dict()["counted"] == [counted]


def test_a_review_of_before_there_were_scopes_says_so(tmp_path: Path) -> None:
    store = MemoryStore()
    keep_review(store, signed("ada", ADA, scope=None))
    found = stand(recipe(tmp_path), store, policy())
    assert found.enough
    assert found.summary() == "ada (approves no scope)"
    strict = stand(recipe(tmp_path), store, replace(policy(), min_evidence=2))
    assert not strict.enough
    assert "it approves no scope, and the policy requires one" in strict.summary()


def test_one_too_few_keep_it_shut_and_say_why(tmp_path: Path) -> None:
    store = MemoryStore()
    for envelope in (signed("ada", ADA), signed("bob", EVE)):
        keep_review(store, envelope)
    store.put_record(f"public/reviews/{SOURCE}/rubbish", b"x")
    found = stand(recipe(tmp_path, reviews={"minimum": 2}), store, policy())
    with pytest.raises(SourceNotReviewedError) as caught:
        found.require()
    told = str(caught.value)
    assert caught.value.outcome is Outcome.SOURCE_NOT_REVIEWED
    assert "got 1 of 2 reviewers: ada; not counted: bob" in told
    assert "its key is not in the policy" in told
    assert "1 records cannot be read" in told
    assert f"source {SOURCE}, the claim {CLAIM} and the scope {SCOPE}" in told
    assert "samebits review approve" in told


def test_a_recipe_only_tightens(tmp_path: Path) -> None:
    store = MemoryStore()
    assert stand(recipe(tmp_path), store, policy()).demanded == 1
    assert stand(recipe(tmp_path, reviews={"minimum": 0}), store, policy()).demanded == 1
    assert stand(recipe(tmp_path, reviews={"minimum": 3}), store, policy()).demanded == 3


def test_a_demand_without_a_policy_cannot_be_met(tmp_path: Path) -> None:
    store = MemoryStore()
    keep_review(store, signed("ada", ADA))
    found = stand(recipe(tmp_path, reviews={"minimum": 1}), store, EMPTY_POLICY)
    with pytest.raises(SourceNotReviewedError, match="0 of 1 reviewers: nobody"):
        found.require()


def test_nothing_demanded_is_always_enough(tmp_path: Path) -> None:
    stand(recipe(tmp_path), MemoryStore(), EMPTY_POLICY).require()


@pytest.mark.parametrize(("reviews", "more"), [(10, None), (11, "1"), (30, "20")])
def test_a_flood_of_reasons_is_cut(tmp_path: Path, reviews: int, more: str | None) -> None:
    store = MemoryStore()
    for number in range(reviews):
        keep_review(store, signed(f"eve{number}", EVE))
    told = stand(recipe(tmp_path), store, policy()).summary()
    assert (told.endswith(f"policy and {more} more"), " more" in told) == (bool(more),) * 2


def test_where_nobody_may_review_no_review_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    keep_review(store, signed("ada", ADA))
    monkeypatch.setattr(review_records, "MAX_REVIEWS", 0)
    stand(recipe(tmp_path), store, EMPTY_POLICY).require()
    with pytest.raises(DamagedError, match="too many reviews"):
        stand(recipe(tmp_path), store, policy())


def test_a_private_release_is_asked_for_by_keyed_digests(tmp_path: Path) -> None:
    store = MemoryStore()
    private = recipe(tmp_path, visibility="private")
    asked = review_target(private, CLAIM, [SOURCE], store)
    salt = release_salt(store, ReleaseName.parse(private.release))
    assert asked.sources[0].hmac_sha256 == salt.keyed(SOURCE)
    assert asked.claim.hmac_sha256 == salt.keyed(CLAIM)
    scope = scope_of(private).digest
    assert asked.scope == DigestSet(hmac_sha256=salt.keyed(scope))
    plain = review_target(recipe(tmp_path), CLAIM, [SOURCE], store)
    assert plain == replace(REVIEWED, scope=DigestSet(sha256=scope))


def test_who_counts_in_one_store_counts_in_another(tmp_path: Path) -> None:
    first, second = MemoryStore(), MemoryStore()
    for envelope in (signed("ada", ADA), signed("bob", BOB)):
        keep_review(first, envelope)
        keep_review(second, envelope)
    assert stand(recipe(tmp_path), first, policy()) == stand(recipe(tmp_path), second, policy())
