"""The subject of reviews: of a recipe whose inputs are read, or of a release that was run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Kind
from builders.core.errors import UsageError
from builders.core.runid import new_run_id
from builders.images.provide import claimed_digest
from builders.recipe.claim import claim_of
from builders.recipe.recipe import LoadedRecipe, load_recipe
from builders.recipe.scope import scope_of
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import SourceFact
from pipelines.evidence.stored_runs import RunSummary, find_run, list_runs, stored_report
from pipelines.policy import Policy
from pipelines.policy.reviews.count import ReviewTarget
from pipelines.policy.reviews.review_records import (
    ReviewStatus,
    StoredReview,
    review_target,
    status_of,
)
from pipelines.verify import steps
from pipelines.verify.release_source import is_recipe_path
from pipelines.verify.session import Job, Session


@dataclass(frozen=True, kw_only=True)
class ReviewSubject:
    """A release with what reviews of it name; of a private release the digests may be keyed."""

    release: str
    visibility: str
    claim: Digest
    scope: Digest | None
    """None for a run of before there were scopes."""
    sources: tuple[SourceFact, ...]
    reviewed: ReviewTarget
    kind: Kind | None = None
    minimum: int = 0
    """What the recipe itself demands, where it is known."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "release": self.release,
            "visibility": self.visibility,
            "claim": str(self.claim),
            "scope": str(self.scope) if self.scope else None,
            "sources": [source.model_dump(mode="json") for source in self.sources],
        }


def review_subject(what: str, session: Session) -> ReviewSubject:
    """Read `vendor/product@version`, or the path of a recipe; raises `UsageError`."""
    if is_recipe_path(what):
        return recipe_subject(Path(what), session)
    return _release_subject(ReleaseName.parse(what), session)


def recipe_subject(path: Path, session: Session) -> ReviewSubject:
    """Fetch the inputs of a recipe and read its sources; raises `UsageError`, `RebuildError`."""
    return loaded_subject(load_recipe(path), session)


def loaded_subject(loaded: LoadedRecipe, session: Session) -> ReviewSubject:
    """Do the same for a recipe that is read: whoever shows it shows what is signed."""
    job = Job(loaded=loaded, center=session.center.id, run=new_run_id(), folder=session.workdir)
    return subject_of(
        loaded, session, steps.source_facts(session, job, steps.fetch_inputs(session, job))
    )


def subject_of(
    loaded: LoadedRecipe, session: Session, sources: tuple[SourceFact, ...]
) -> ReviewSubject:
    """Return what reviews of a recipe name whose sources were read; raises `UsageError`."""
    recipe = loaded.recipe
    claim = claim_of(loaded, claimed_digest(recipe.build.image, session.images)).digest
    return ReviewSubject(
        release=recipe.release,
        visibility=recipe.visibility,
        claim=claim,
        scope=scope_of(recipe).digest,
        sources=sources,
        reviewed=review_target(recipe, claim, _digests(sources), session.store),
        kind=recipe.kind,
        minimum=recipe.reviews.minimum if recipe.reviews else 0,
    )


def standing_of(
    subject: ReviewSubject, found: Iterable[StoredReview], policy: Policy, now: datetime
) -> ReviewStatus:
    """Return the review status of a release, given the reviews that were found."""
    demanded = policy.reviews.minimum if subject.kind is None else policy.demand(subject.kind)
    demanded = max(demanded, subject.minimum)
    return status_of(subject.reviewed, demanded, found, policy, now)


def _release_subject(release: ReleaseName, session: Session) -> ReviewSubject:
    """Return what the newest run that read its sources was about."""
    store = session.store
    find_run(store, release)  # says so when there is none
    runs = [run.name for run in list_runs(store, release) if isinstance(run, RunSummary)]
    for name in sorted(runs, key=lambda name: name.run, reverse=True):
        report = stored_report(store, name)
        sources = report.environment.sources
        if report.claim is not None and _digests(sources):
            break
    else:
        raise UsageError(f"no run of {release} has a source digest", todo="Name its recipe instead")
    private = report.environment.visibility == "private"
    return ReviewSubject(
        release=report.release,
        visibility=report.environment.visibility,
        claim=report.claim,
        scope=report.scope,
        sources=sources,
        reviewed=ReviewTarget.named(
            _digests(sources), report.claim, scope=report.scope, keyed=private
        ),
    )


def _digests(sources: Iterable[SourceFact]) -> list[Digest]:
    return [source.source_digest for source in sources if source.source_digest]
