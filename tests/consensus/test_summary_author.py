"""The author of a center's summaries: its rules, reviews and locators; and how others are checked.

The centers are real ones, with stores, logs and a signed policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Kind
from builders.recipe.recipe import find_recipe
from infra.bench.madeup import EMPTY_POLICY, MadeUpFile, MadeUpKey
from pipelines.center.keys import public_keys
from pipelines.consensus.release_consensus import ConsensusView, join_release, rules_for
from pipelines.consensus.summaries import Summarizer, check_summary, summarizer_of
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.statements.consensus_results import SummaryStatement
from pipelines.evidence.statements.people import Decision
from pipelines.evidence.statements.statement import DigestSet, subject
from pipelines.policy import ConsensusRules, Reviewer
from pipelines.policy.model import PolicyRules
from pipelines.policy.reviews.count import ReviewTarget
from pipelines.policy.reviews.review_records import sign_reviews
from tests.consensus.two_centers import SCOPE, TwoCenters
from tests.consensus.world import CONTENT, FILE, FILES, RELEASE

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SOURCE = Digest.of(b"the source")
ADA = MadeUpKey("a reviewer")
Document = dict[str, Any]


def view_of(centers: TwoCenters) -> ConsensusView:
    return centers.session("europe").consensus_view(NOW)


def author(centers: TwoCenters, claim: DigestSet | None = None) -> Summarizer:
    """Return the author at Europe, whose policy knows one reviewer."""
    view = view_of(centers)
    policy = replace(view.policy.policy, reviewers=(Reviewer(name="ada", key=ADA.public),))
    view = replace(view, policy=replace(view.policy, policy=policy))
    return summarizer_of(view, join_release(view, RELEASE, claim=claim), NOW)


def change_report(centers: TwoCenters, change: Callable[[Document], object]) -> None:
    """Change the full report that Europe has of its one run."""
    (path,) = (centers.root / "europe/store/private/releases").rglob("report.json")
    document = json.loads(path.read_bytes())
    change(document)
    path.chmod(0o644)
    path.write_text(json.dumps(document))


def with_source(document: Document) -> None:
    source = {"locator": "file:source.tar", "sha256": "a" * 64, "source_digest": str(SOURCE)}
    document["environment"]["sources"] = [source]


@pytest.fixture
def reviewed(centers: TwoCenters) -> TwoCenters:
    """Both centers have built; Europe has a review of exactly its source and claim."""
    run = centers.publish("europe")
    centers.publish("asia")
    change_report(centers, with_source)
    assert run.claim.sha256
    target = ReviewTarget.named([SOURCE], run.claim.sha256, scope=SCOPE, keyed=False)
    store = view_of(centers).store
    sign_reviews(target, store, key=ADA, reviewer="ada", decision=Decision.APPROVE, now=NOW)
    return centers


def recipe_file(centers: TwoCenters) -> Path:
    return centers.root / "recipes/releases/acme/tool/1.0.yaml"


def test_reviews_of_exactly_our_source_and_claim_count(reviewed: TwoCenters) -> None:
    found = author(reviewed)
    assert found.reviews == 1
    assert found.locators == {FILE: "pkg:deb/debian/tool@1.0?arch=amd64"}


def test_under_another_claim_no_review_of_ours_counts(reviewed: TwoCenters) -> None:
    assert author(reviewed, DigestSet(sha256=Digest.of(b"another claim"))).reviews == 0


def test_without_a_recipe_nothing_says_what_was_reviewed(reviewed: TwoCenters) -> None:
    recipe_file(reviewed).unlink()
    found = author(reviewed)
    assert (found.reviews, found.locators) == (0, {})


NOT_OURS: dict[str, Callable[[Document], object]] = {
    "no-claim": lambda document: document.update(claim=None),
    "another-scope": lambda document: document.update(scope="e" * 64),
    "another-claim": lambda document: document.update(claim="e" * 64),
    "source-not-read": lambda document: document["environment"]["sources"][0].update(
        source_digest=None
    ),
    "no-source": lambda document: document["environment"].update(sources=[]),
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_without_our_source_and_claim_no_review_counts(reviewed: TwoCenters, name: str) -> None:
    change_report(reviewed, NOT_OURS[name])
    assert author(reviewed).reviews == 0


def test_a_center_that_has_built_nothing_counts_no_reviews(centers: TwoCenters) -> None:
    centers.publish("asia")
    assert author(centers).reviews == 0


def test_of_a_private_release_no_locator_is_published(reviewed: TwoCenters) -> None:
    text = recipe_file(reviewed).read_text()
    recipe_file(reviewed).write_text(text + "visibility: private\n")
    assert author(reviewed).locators == {}


def test_a_recipe_gives_a_release_the_rules_of_its_kind(centers: TwoCenters) -> None:
    view = view_of(centers)
    kinds = {Kind.RULESET: ConsensusRules(k=3, regions=2)}
    policy = replace(EMPTY_POLICY, consensus=PolicyRules(k=1, kinds=kinds))
    view = replace(view, policy=replace(view.policy, policy=policy))
    recipe = find_recipe(view.recipes / "releases", *RELEASE.parts)
    assert recipe is not None
    assert rules_for(view, recipe) == ConsensusRules(k=1)
    ruleset = recipe.model_copy(
        update={"recipe": recipe.recipe.model_copy(update={"kind": Kind.RULESET})}
    )
    assert rules_for(view, ruleset) == ConsensusRules(k=3, regions=2)


def test_the_former_keys_are_those_of_the_center_alone(centers: TwoCenters) -> None:
    ours = public_keys(centers.center("europe"))["statements"]
    assert view_of(centers).former_keys == (ours,)


@pytest.fixture
def summaries(centers: TwoCenters) -> tuple[ConsensusView, dict[str, SummaryStatement]]:
    """Return Europe's view of a release of two files that both have built, and its summaries."""
    files = {"a.deb": MadeUpFile.identical(b"another file"), **FILES}
    for name in ("europe", "asia"):
        centers.publish(name, files=files)
    view = view_of(centers)
    joined = join_release(view, RELEASE)
    found = summarizer_of(view, joined, NOW)
    made = [found.summary(one, 1, None, NOW) for one in joined.consensus.artefacts]
    return view, {one.subject[0].name: one for one in made if one is not None}


@pytest.mark.parametrize("file", ["a.deb", FILE])
def test_the_summary_of_each_file_is_found_to_be_true(
    summaries: tuple[ConsensusView, dict[str, SummaryStatement]], file: str
) -> None:
    view, made = summaries
    check_summary(view, made[file], NOW)


def test_a_summary_of_a_file_that_nobody_has_built_is_refused(
    summaries: tuple[ConsensusView, dict[str, SummaryStatement]],
) -> None:
    view, made = summaries
    for about in (subject("b.deb", Digest.of(CONTENT)), subject(FILE, Digest.of(b"replaced"))):
        other = made[FILE].model_copy(update={"subject": (about,)})
        with pytest.raises(RefusedError, match="no center has a finding on it"):
            check_summary(view, other, NOW)


def test_a_summary_that_the_findings_do_not_give_is_refused(
    summaries: tuple[ConsensusView, dict[str, SummaryStatement]],
) -> None:
    view, made = summaries
    told = made[FILE].predicate
    matched = told.consensus.model_copy(update={"matched": ("asia-body",)})
    other = told.model_copy(update={"consensus": matched})
    with pytest.raises(RefusedError, match="give another result"):
        check_summary(view, made[FILE].model_copy(update={"predicate": other}), NOW)
