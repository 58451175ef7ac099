"""A center at the table: its own store and its peers', its policy, its recipes, its name.

Summaries and cross-checks are signed by whichever signer the center has; it joins what a summary is
about again before it signs.
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
from pipelines.center.center import LOCAL, Center
from pipelines.center.keys import public_keys
from pipelines.center.local_policy import local_policy_file, make_local_policy
from pipelines.consensus.gather import Gathered, ReleaseConsensus, consensus_of, gather
from pipelines.consensus.logged import LogIndexes
from pipelines.consensus.proofs import OwnCenter
from pipelines.consensus.publish import (
    Published,
    publish_crosschecks,
    publish_summary,
    summary_prefix,
)
from pipelines.consensus.remembered import LogMemory
from pipelines.consensus.silence import Asked
from pipelines.consensus.summary import Summarizer, legal_names, resource_uri, summary
from pipelines.consensus.verified import Source
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import refused
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.records import RunName, read_report
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.statements.statement import NAMESPACE, DigestSet, Statement
from pipelines.evidence.statements.vsa import Reference, SummaryStatement
from pipelines.policy import ConsensusRules, SignedPolicy, load_policy, read_signed
from pipelines.policy.reviews.gate import reviewed_of, standing
from pipelines.signer.orders import StatusOrder
from pipelines.storage.opening import open_store
from pipelines.storage.store import Store
from pipelines.verify.publish import open_signer
from pipelines.verify.session import recipes_folder, workshop

_READ = LogMemory()
"""What this process has read of logs, for the summaries that it checks."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """All that a center joins with."""

    center: Center
    store: Store
    policy: SignedPolicy
    peers: tuple[Source, ...]

    @property
    def sources(self) -> tuple[Source, ...]:
        """The center itself, and its peers."""
        return (Source(center=self.center.id, store=self.store), *self.peers)


@dataclass(frozen=True, kw_only=True)
class Joined:
    """What was gathered of a release, and what came of it."""

    gathered: Gathered
    consensus: ReleaseConsensus
    recipe: LoadedRecipe | None
    """None for a release that this center has no recipe of."""


def open_desk(center: Center, now: datetime) -> Desk:
    """Return the desk of a center, under the policy that holds at `now` (UTC).

    Raises what `load_policy` raises, and `UsageError` for a center without a policy.
    """
    path = _policy_file(center)
    policy = load_policy(path, home=center.home, now=now)
    signed = read_signed(path.read_bytes())
    if signed.policy != policy:
        raise UsageError(f"{path} changed while it was read", todo="Try again")
    return Desk(
        center=center,
        store=workshop(center).store,
        policy=signed,
        peers=tuple(Source(center=p.id, store=Asked(open_store(p.store))) for p in center.peers),
    )


def read_logs(
    desk: Desk, releases: Iterable[ReleaseName], *, memory: LogMemory | None = None
) -> LogIndexes:
    """Return the indexes of the logs of all centers, for `releases`; each log is read once.

    Of what is in the `memory` of the process only the growth is read, and it takes that in.
    """
    stores = {s.center: s.store for s in desk.sources}
    return LogIndexes(stores, desk.policy.policy, releases, memory)


def join_release(
    desk: Desk,
    release: ReleaseName,
    *,
    claim: DigestSet | None = None,
    logs: LogIndexes | None = None,
) -> Joined:
    """Gather what all centers say of a release, and join it.

    Who joins many reads the `logs` once for all of them. Raises `StoreError` for our own store.
    """
    recipe = find_recipe(desk.center, release)
    logs = logs or read_logs(desk, [release])
    gathered = gather(
        release,
        desk.sources,
        policy=desk.policy.policy,
        index_of=logs,
        logged=logs.about,
        own=OwnCenter(id=desk.center.id, store=desk.store),
    )
    artefacts = recipe.recipe.artefacts if recipe else ()
    found = consensus_of(
        gathered,
        rules_for(desk, recipe),
        own=desk.center.id,
        claim=claim,
        expected=[(a.name, a.shipped.sha256) for a in artefacts],
    )
    return Joined(gathered=gathered, consensus=found, recipe=recipe)


def publish_joined(desk: Desk, joined: Joined, now: datetime) -> tuple[Published, ...]:
    """Sign, keep and log cross-checks of the others' work, and a summary of each artefact."""
    center = desk.center
    book = workshop(center).logbook()
    signer = open_signer(center, desk.store, workshop(center).vault)

    def signed(statement: Statement) -> Envelope:
        return signer.sign_status(StatusOrder(statement=statement.to_bytes()))

    made = list(
        publish_crosschecks(desk.store, joined.gathered, sign=signed, now=now, storing=book.storing)
    )
    reviews = count_of_reviews(desk, joined, now)
    for found in joined.consensus.artefacts:
        release = joined.gathered.release
        with book.storing(summary_prefix(release, found.question, center.id)):
            one = publish_summary(
                desk.store,
                release,
                found,
                by=summarizer(desk),
                resource=_resource(joined, found.question.artefact),
                reviews=reviews,
                sign=signed,
                keys=[public_keys(center)["statements"], *_former_keys(desk)],
                now=now,
            )
        made += [one] if one else []
    book.settle(*(one.name for one in made))
    return tuple(made)


def summarizer(desk: Desk) -> Summarizer:
    """Return who sums up at this desk."""
    policy = desk.policy
    return Summarizer(
        center=desk.center.id,
        verifier=desk.center.verifier_id,
        version=version("samebits"),
        policy=Reference(
            uri=f"{NAMESPACE}policy/{policy.policy.version}",
            digest=DigestSet(sha256=policy.digest),
        ),
        legal=legal_names(policy.policy),
    )


def check_summary(
    center: Center, statement: SummaryStatement, now: datetime, *, memory: LogMemory = _READ
) -> None:
    """Join again what a summary is about, and raise `RefusedError` unless it comes to the same.

    Of a log in `memory` only the growth is read: a round asks for many summaries.
    """
    desk, said = open_desk(center, now), statement.predicate
    release = ReleaseName.parse(said.consensus.release)
    logs = read_logs(desk, [release], memory=memory)
    joined = join_release(desk, release, claim=said.consensus.claim, logs=logs)
    about = statement.subject[0]
    for found in joined.consensus.artefacts:
        question = found.question
        if (question.artefact, question.published) != (about.name, about.digest.sha256):
            continue
        again = summary(
            found,
            release,
            by=summarizer(desk),
            resource=_resource(joined, question.artefact),
            reviews=count_of_reviews(desk, joined, now),
            number=said.consensus.number,
            supersedes=said.consensus.supersedes,
            now=said.time_verified,
        )
        if again == statement:
            return
        raise refused(
            "summary",
            "the centers together say something else",
            got=f"{said.verification_result} for {said.consensus.result}",
            expected=f"{found.result}",
        )
    raise refused("summary", "nobody says anything of it", got=about.name, expected="an artefact")


def _resource(joined: Joined, artefact: str) -> str:
    return resource_uri(joined.gathered.release, artefact, _locator(joined, artefact))


def rules_for(desk: Desk, recipe: LoadedRecipe | None) -> ConsensusRules:
    """Return the policy's rules for the kind of a release; without a recipe the strictest."""
    policy = desk.policy.policy
    if recipe is not None:
        return policy.rules(recipe.recipe.kind)
    found = policy.consensus
    for rules in policy.consensus_kinds.values():
        found = found.tightened(
            k=rules.k,
            regions=rules.regions,
            max_dissent=rules.max_dissent,
            normalizers=rules.normalizers,
        )
    return found


def find_recipe(center: Center, release: ReleaseName) -> LoadedRecipe | None:
    """Return the center's recipe of a release, if it has one; raises `UsageError` for a bad one."""
    folder = (center.recipes or recipes_folder()) / "releases"
    path = folder / release.vendor / release.product / f"{release.version}.yaml"
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


def count_of_reviews(desk: Desk, joined: Joined, now: datetime) -> int:
    """Return how many reviewers count for exactly the source and claim of our newest run."""
    ours = [p for p in joined.gathered.positions if p.place.center == desk.center.id]
    newest = max(ours, key=lambda p: p.index, default=None)
    asked = {one.question.claim for one in joined.consensus.artefacts}
    if newest is None or joined.recipe is None or newest.claim not in asked:
        return 0
    name = RunName(release=joined.gathered.release, center=desk.center.id, run=RunId(newest.run))
    report = Report.model_validate(read_report(desk.store, name, whole=True))
    sources = [s.source_digest for s in report.environment.sources if s.source_digest]
    if report.claim is None or not sources:
        return 0
    reviewed = reviewed_of(joined.recipe.recipe, report.claim, sources, desk.store)
    found = standing(
        joined.recipe.recipe,
        reviewed,
        policy=desk.policy.policy,
        store=desk.store,
        now=now,
    )
    return len(found.count.counted)


def _policy_file(center: Center) -> Path:
    path = center.policy or local_policy_file(center.home)
    if path.is_file():
        return path
    if center.policy is None and center.id == LOCAL:
        return make_local_policy(center)
    raise UsageError(
        f"center {center.id} has no policy",
        got=f"no file {path}",
        expected="the signed policy of its operators",
        todo="`samebits center init` makes one for a center alone",
    )


def _former_keys(desk: Desk) -> Iterator[PublicKey]:
    for center in desk.policy.policy.centers:
        if center.id == desk.center.id:
            yield from (key.key for key in center.keys)


def _locator(joined: Joined, artefact: str) -> str | None:
    """Return the shipped locator in our recipe; None where it is told to nobody."""
    if joined.recipe is None or joined.recipe.recipe.visibility == "private":
        return None
    artefacts = {a.name: str(a.shipped.locator) for a in joined.recipe.recipe.artefacts}
    return artefacts.get(artefact)
