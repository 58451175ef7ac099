"""A center's view for consensus: its own store and its peers', its policy and its recipes.

The signer recomputes what a summary states from the same view before it signs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from builders.core.errors import UsageError
from builders.core.runid import RunId
from builders.recipe.recipe import LoadedRecipe, load_recipe
from pipelines.consensus.log_index import LogCache, LogIndex
from pipelines.consensus.record_source import Source
from pipelines.consensus.release_consensus import (
    ReleaseConsensus,
    ReleaseFindings,
    consensus_of,
    read_release,
)
from pipelines.consensus.statement_reader import StatementReader
from pipelines.consensus.summary_statement import Summarizer
from pipelines.consensus.work_proofs import OwnCenter
from pipelines.evidence.errors import refused
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.statements.statement import NAMESPACE, DigestSet
from pipelines.evidence.statements.vsa import Reference, SummaryStatement
from pipelines.evidence.stored_runs import RunName, read_report
from pipelines.policy import ConsensusRules, SignedPolicy
from pipelines.policy.reviews.gate import review_status, review_target
from pipelines.storage.store import Store


@dataclass(frozen=True, kw_only=True)
class ConsensusView:
    """All that a center computes a consensus from."""

    center: str
    verifier_id: str
    store: Store
    policy: SignedPolicy
    peers: tuple[Source, ...]
    recipes: Path
    """The center's folder of recipes."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """The center itself, and its peers."""
        return (Source(center=self.center, store=self.store), *self.peers)

    @property
    def former_keys(self) -> tuple[PublicKey, ...]:
        """The center's keys for statements that its policy knows."""
        centers = self.policy.policy.centers
        return tuple(k.key for c in centers if c.id == self.center for k in c.keys)


@dataclass(frozen=True, kw_only=True)
class JoinedRelease:
    """The findings of all centers on one release, and their consensus."""

    read: ReleaseFindings
    consensus: ReleaseConsensus
    recipe: LoadedRecipe | None
    """None for a release that this center has no recipe of."""


def read_logs(
    view: ConsensusView, releases: Iterable[ReleaseName], *, cache: LogCache | None = None
) -> LogIndex:
    """Return the index of the logs of all centers, for `releases`; each log is read once.

    With a `cache` only the growth of a log since the last call is read.
    """
    stores = {source.center: source.store for source in view.sources}
    return LogIndex(stores, view.policy.policy, releases, cache)


def join_release(
    view: ConsensusView,
    release: ReleaseName,
    *,
    claim: DigestSet | None = None,
    logs: LogIndex | None = None,
) -> JoinedRelease:
    """Read the findings of all centers on a release, and join them.

    A caller that joins many releases reads the `logs` once for all of them. Raises `StoreError`
    for the center's own store.
    """
    recipe = find_recipe(view.recipes, release)
    reader = StatementReader(
        policy=view.policy.policy, logs=logs if logs is not None else read_logs(view, [release])
    )
    own = OwnCenter(id=view.center, store=view.store)
    read = read_release(release, view.sources, reader, own)
    artefacts = recipe.recipe.artefacts if recipe else ()
    consensus = consensus_of(
        read,
        rules_for(view, recipe),
        own=view.center,
        claim=claim,
        expected=[(a.name, a.shipped.sha256) for a in artefacts],
    )
    return JoinedRelease(read=read, consensus=consensus, recipe=recipe)


def summarizer_of(view: ConsensusView, joined: JoinedRelease, now: datetime) -> Summarizer:
    """Return the author of the center's summaries of a release, by the reviews valid at `now`."""
    policy, recipe = view.policy.policy, joined.recipe.recipe if joined.recipe else None
    public = recipe.artefacts if recipe and recipe.visibility != "private" else ()
    return Summarizer(
        release=joined.read.release,
        center=view.center,
        verifier=view.verifier_id,
        version=version("samebits"),
        policy=Reference(
            uri=f"{NAMESPACE}policy/{policy.version}", digest=DigestSet(sha256=view.policy.digest)
        ),
        legal={operator.name: operator.legal for operator in policy.operators},
        reviews=count_reviews_of(view, joined, now),
        locators={artefact.name: str(artefact.shipped.locator) for artefact in public},
    )


def check_summary(
    view: ConsensusView, statement: SummaryStatement, now: datetime, *, cache: LogCache
) -> None:
    """Recompute the consensus that a summary states; raises `RefusedError` when it differs.

    `cache` keeps what was read of logs between calls, since one round has many summaries.
    """
    stated = statement.predicate
    release = ReleaseName.parse(stated.consensus.release)
    logs = read_logs(view, [release], cache=cache)
    joined = join_release(view, release, claim=stated.consensus.claim, logs=logs)
    file = statement.subject[0]
    about = (file.name, file.digest.sha256)
    for consensus in joined.consensus.artefacts:
        if (consensus.subject.artefact, consensus.subject.published) != about:
            continue
        recomputed = summarizer_of(view, joined, now).summary(
            consensus, stated.consensus.number, stated.consensus.supersedes, stated.time_verified
        )
        if recomputed == statement:
            return
        raise refused(
            "summary",
            "the findings of the centers give another result",
            got=f"{stated.verification_result} for {stated.consensus.result}",
            expected=f"{consensus.result}",
        )
    raise refused("summary", "no center has a finding on it", got=file.name, expected="an artefact")


def rules_for(view: ConsensusView, recipe: LoadedRecipe | None) -> ConsensusRules:
    """Return the policy's rules for the kind of a release; without a recipe the strictest."""
    return view.policy.policy.rules(recipe.recipe.kind if recipe else None)


def find_recipe(recipes: Path, release: ReleaseName) -> LoadedRecipe | None:
    """Return the recipe of a release, if the folder has one; raises `UsageError` for a bad one."""
    path = recipes / "releases" / release.vendor / release.product / f"{release.version}.yaml"
    if not path.is_file():
        return None
    loaded = load_recipe(path)
    if loaded.recipe.release != str(release):
        raise UsageError(
            f"{path} is the recipe of another release",
            got=loaded.recipe.release,
            expected=str(release),
        )
    return loaded


def count_reviews_of(view: ConsensusView, joined: JoinedRelease, now: datetime) -> int:
    """Return how many reviewers count for exactly the source and claim of our newest run."""
    newest = joined.read.newest_of(view.center)
    claims = {consensus.subject.claim for consensus in joined.consensus.artefacts}
    if newest is None or joined.recipe is None or newest.claim not in claims:
        return 0
    name = RunName(release=joined.read.release, center=view.center, run=RunId(newest.run))
    report = Report.model_validate(read_report(view.store, name, whole=True))
    sources = [s.source_digest for s in report.environment.sources if s.source_digest]
    if report.claim is None or not sources:
        return 0
    reviewed = review_target(joined.recipe.recipe, report.claim, sources, view.store)
    found = review_status(
        joined.recipe.recipe, reviewed, policy=view.policy.policy, store=view.store, now=now
    )
    return len(found.count.counted)
