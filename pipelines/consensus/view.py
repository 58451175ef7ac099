"""A center's view for consensus: its own store and its peers', its policy and its recipes.

The signer recomputes what a summary states from the same view before it signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from builders.core.errors import UsageError
from builders.core.runid import RunId
from builders.recipe.recipe import LoadedRecipe, load_recipe
from pipelines.consensus.gather import Gathered, ReleaseConsensus, consensus_of, gather
from pipelines.consensus.logged import LogIndexes
from pipelines.consensus.proofs import OwnCenter
from pipelines.consensus.remembered import LogMemory
from pipelines.consensus.summary import Summarizer, legal_names, resource_uri, summary
from pipelines.consensus.verified import Source
from pipelines.evidence.errors import refused
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.records import RunName, read_report
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.statements.statement import NAMESPACE, DigestSet
from pipelines.evidence.statements.vsa import Reference, SummaryStatement
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
    def former_keys(self) -> Iterator[PublicKey]:
        """The center's keys for statements that its policy knows."""
        for center in self.policy.policy.centers:
            if center.id == self.center:
                yield from (key.key for key in center.keys)

    @property
    def summarizer(self) -> Summarizer:
        """The center as the author of summaries."""
        policy = self.policy
        return Summarizer(
            center=self.center,
            verifier=self.verifier_id,
            version=version("samebits"),
            policy=Reference(
                uri=f"{NAMESPACE}policy/{policy.policy.version}",
                digest=DigestSet(sha256=policy.digest),
            ),
            legal=legal_names(policy.policy),
        )


@dataclass(frozen=True, kw_only=True)
class JoinedRelease:
    """The findings of all centers on one release, and their consensus."""

    gathered: Gathered
    consensus: ReleaseConsensus
    recipe: LoadedRecipe | None
    """None for a release that this center has no recipe of."""

    def resource(self, artefact: str) -> str:
        """Return the URI under which an artefact is shipped; of a private release no locator."""
        locator = None
        if self.recipe is not None and self.recipe.recipe.visibility != "private":
            found = {a.name: str(a.shipped.locator) for a in self.recipe.recipe.artefacts}
            locator = found.get(artefact)
        return resource_uri(self.gathered.release, artefact, locator)


def read_logs(
    view: ConsensusView, releases: Iterable[ReleaseName], *, memory: LogMemory | None = None
) -> LogIndexes:
    """Return the indexes of the logs of all centers, for `releases`; each log is read once.

    With `memory` only the growth of a log since the last call is read.
    """
    stores = {s.center: s.store for s in view.sources}
    return LogIndexes(stores, view.policy.policy, releases, memory)


def join_release(
    view: ConsensusView,
    release: ReleaseName,
    *,
    claim: DigestSet | None = None,
    logs: LogIndexes | None = None,
) -> JoinedRelease:
    """Gather the findings of all centers on a release, and join them.

    A caller that joins many releases reads the `logs` once for all of them. Raises `StoreError`
    for the center's own store.
    """
    recipe = find_recipe(view.recipes, release)
    logs = logs or read_logs(view, [release])
    gathered = gather(
        release,
        view.sources,
        policy=view.policy.policy,
        index_of=logs,
        logged=logs.about,
        own=OwnCenter(id=view.center, store=view.store),
    )
    artefacts = recipe.recipe.artefacts if recipe else ()
    found = consensus_of(
        gathered,
        rules_for(view, recipe),
        own=view.center,
        claim=claim,
        expected=[(a.name, a.shipped.sha256) for a in artefacts],
    )
    return JoinedRelease(gathered=gathered, consensus=found, recipe=recipe)


def check_summary(
    view: ConsensusView, statement: SummaryStatement, now: datetime, *, memory: LogMemory
) -> None:
    """Recompute the consensus that a summary states; raises `RefusedError` when it differs.

    `memory` keeps what was read of logs between calls: one round asks for many summaries.
    """
    stated = statement.predicate
    release = ReleaseName.parse(stated.consensus.release)
    logs = read_logs(view, [release], memory=memory)
    joined = join_release(view, release, claim=stated.consensus.claim, logs=logs)
    subject = statement.subject[0]
    for found in joined.consensus.artefacts:
        question = found.question
        if (question.artefact, question.published) != (subject.name, subject.digest.sha256):
            continue
        again = summary(
            found,
            release,
            by=view.summarizer,
            resource=joined.resource(question.artefact),
            reviews=count_reviews_of(view, joined, now),
            number=stated.consensus.number,
            supersedes=stated.consensus.supersedes,
            now=stated.time_verified,
        )
        if again == statement:
            return
        raise refused(
            "summary",
            "the findings of the centers give another result",
            got=f"{stated.verification_result} for {stated.consensus.result}",
            expected=f"{found.result}",
        )
    raise refused(
        "summary", "no center has a finding on it", got=subject.name, expected="an artefact"
    )


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
    ours = [p for p in joined.gathered.positions if p.place.center == view.center]
    newest = max(ours, key=lambda p: p.index, default=None)
    claims = {one.question.claim for one in joined.consensus.artefacts}
    if newest is None or joined.recipe is None or newest.claim not in claims:
        return 0
    name = RunName(release=joined.gathered.release, center=view.center, run=RunId(newest.run))
    report = Report.model_validate(read_report(view.store, name, whole=True))
    sources = [s.source_digest for s in report.environment.sources if s.source_digest]
    if report.claim is None or not sources:
        return 0
    reviewed = review_target(joined.recipe.recipe, report.claim, sources, view.store)
    found = review_status(
        joined.recipe.recipe, reviewed, policy=view.policy.policy, store=view.store, now=now
    )
    return len(found.count.counted)
