"""Which version of a product was approved last: what a reviewer compares the next one with.

A review names a source and a claim, and no version. So the recipes of the product are looked
through: one is approved if a review names the claim that it has now, the source that a run of it
has read, or the source that the vault holds. Only reviews count whose signature is that of the
reviewer, or of one in the policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, SamebitsError
from builders.images.provide import claimed_digest
from builders.locators.offline import OfflineFetcher
from builders.recipe.claim import claim_of
from builders.recipe.recipe import LoadedRecipe, load_recipe
from pipelines.evidence.dsse import verify_envelope
from pipelines.evidence.errors import SignatureError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.salt import read_salt
from pipelines.evidence.statements.people import Decision, Review, ReviewStatement
from pipelines.evidence.statements.statement import show_time, value_of
from pipelines.evidence.stored_runs import RunSummary, list_runs, stored_report
from pipelines.policy.reviews.count import review_of
from pipelines.policy.reviews.review_records import StoredReview
from pipelines.storage.store import DamagedError
from pipelines.verify.release_source import unpacked_sources
from pipelines.verify.session import Session


@dataclass(frozen=True, kw_only=True)
class ApprovedRelease:
    """A release that a reviewer has approved, and when."""

    loaded: LoadedRecipe
    reviewer: str
    decided_on: datetime

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "release": self.loaded.recipe.release,
            "recipe": str(self.loaded.path),
            "reviewer": self.reviewer,
            "decided_on": show_time(self.decided_on),
        }


def last_approved(
    current: LoadedRecipe,
    session: Session,
    reviews: Iterable[StoredReview],
    keys: dict[str, list[PublicKey]],
) -> ApprovedRelease | None:
    """Return the other version of the product that was approved last; None where none was.

    `keys` are those of the reviewers who count, by name.
    """
    approvals = _approvals(reviews, keys)
    if not approvals:
        return None
    found = []
    for loaded in _other_versions(current, session):
        matching: list[Review] = []
        for named in (_known, _read):  # the vault is read only where nothing else is known
            digests = set(named(loaded, session)) if not matching else set()
            matching += [s.predicate for s in approvals if digests & _about(s)]
        if matching:
            newest = max(matching, key=lambda review: review.decided_on)
            found.append(
                ApprovedRelease(
                    loaded=loaded, reviewer=newest.reviewer, decided_on=newest.decided_on
                )
            )
    return max(reversed(found), key=lambda release: release.decided_on, default=None)


def _approvals(
    reviews: Iterable[StoredReview], keys: dict[str, list[PublicKey]]
) -> list[ReviewStatement]:
    """Return the approvals that are rightly signed and were not withdrawn."""
    read = [(review_of(review.envelope), review.envelope) for review in reviews if review.envelope]
    newest: dict[tuple[object, ...], ReviewStatement] = {}
    for statement, envelope in sorted(read, key=lambda pair: _order(pair[0].predicate)):
        reviewer = statement.predicate.reviewer
        with suppress(SignatureError):
            verify_envelope(envelope, keys.get(reviewer, []))
            newest[reviewer, statement.source, statement.claim] = statement
    return [s for s in newest.values() if s.predicate.decision is Decision.APPROVE]


def _order(review: Review) -> tuple[datetime, bool]:
    """Sort by time; of two at one time a withdrawal is the later one."""
    return review.decided_on, review.decision is Decision.WITHDRAW


def _about(statement: ReviewStatement) -> set[Digest]:
    digests = (value_of(statement.source), value_of(statement.claim))
    return {digest for digest in digests if digest}


def _other_versions(current: LoadedRecipe, session: Session) -> Iterator[LoadedRecipe]:
    """Yield the recipes of other versions: beside the current one, and in the center's folder."""
    recipe = current.recipe
    folders = (
        current.path.absolute().parent,
        session.center.recipes.absolute() / "releases" / recipe.vendor / recipe.product,
    )
    seen = {recipe.version}
    for path in (p for folder in dict.fromkeys(folders) for p in sorted(folder.glob("*.yaml"))):
        try:
            loaded = load_recipe(path)
        except SamebitsError:
            continue
        same = (loaded.recipe.vendor, loaded.recipe.product) == (recipe.vendor, recipe.product)
        if same and loaded.recipe.version not in seen:
            seen.add(loaded.recipe.version)
            yield loaded


def _known(loaded: LoadedRecipe, session: Session) -> Iterator[Digest]:
    """Yield the claim of a recipe, and the sources that its runs have read."""
    recipe, store = loaded.recipe, session.store
    with suppress(SamebitsError):  # its image is not known any more
        claim = claim_of(loaded, claimed_digest(recipe.build.image, session.images)).digest
        yield from _as_reviewed([claim], loaded, session)
    for run in list_runs(store, ReleaseName.parse(recipe.release)):
        if isinstance(run, RunSummary):
            with suppress(DamagedError, NotFoundError):
                sources = stored_report(store, run.name).environment.sources
                yield from (source.source_digest for source in sources if source.source_digest)


def _read(loaded: LoadedRecipe, session: Session) -> Iterator[Digest]:
    """Yield the digests of the sources of a recipe that the vault holds."""
    try:
        with unpacked_sources(loaded, session, OfflineFetcher()) as sources:
            yield from _as_reviewed([s.files.digest for s in sources], loaded, session)
    except SamebitsError:  # it is not there, or cannot be read
        return


def _as_reviewed(digests: list[Digest], loaded: LoadedRecipe, session: Session) -> Iterator[Digest]:
    """Yield digests as reviews name them: keyed for a private release, none without its salt."""
    if loaded.recipe.visibility == "public":
        yield from digests
    elif salt := read_salt(session.store, ReleaseName.parse(loaded.recipe.release)):
        yield from map(salt.keyed, digests)
