"""Statement D, by which a customer checks one file alone: made from a consensus, and published.

PASSED for what passed, FAILED for SUSPECT, SPLIT and NONDETERMINISTIC; of anything else there is no
summary. `SLSA_BUILD_REPRODUCED` is only claimed for operators that are distinct in law, and whose
work is proved. The signer recomputes what a summary states before it signs.

A summary is `public/consensus/<vendor>/<product>/<version>/<artefact>/<sha256>/<center>/
<number>.dsse.json`. Each supersedes the one before it; the newest has the highest number. A summary
equal to the one before it is not made. Cross-checks are records beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from urllib.parse import quote

from builders.core.errors import StoreConflictError
from builders.recipe.scope import scope_of
from pipelines.consensus.consensus_result import Consensus, ConsensusSubject
from pipelines.consensus.release_consensus import (
    ConsensusView,
    JoinedRelease,
    join_release,
    read_logs,
)
from pipelines.consensus.work_proofs import WorkProofs
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope, verify_envelope
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.consensus_results import (
    FAILED_LEVEL,
    REPRODUCED,
    REVIEWED,
    Extension,
    Proof,
    Reference,
    SummaryStatement,
    Summed,
    VerificationSummary,
    Verifier,
)
from pipelines.evidence.statements.reader import SUFFIX, read_statement
from pipelines.evidence.statements.statement import NAMESPACE, DigestSet, Statement, subject
from pipelines.evidence.stored_runs import RunName, stored_report
from pipelines.policy.independence import legal_body
from pipelines.policy.reviews.review_records import review_status, review_target
from pipelines.storage.names import check_prefix, encode
from pipelines.storage.store import DamagedError, Store

_TRIES = 16

Sign = Callable[[Statement], Envelope]
"""Signs a statement with the key of the center."""
Storing = Callable[[str], AbstractContextManager[object]]
"""A context in which a record of that name is made, so that it gets into the log."""
Summarize = Callable[[int, Reference | None], SummaryStatement | None]
"""Makes a summary from its number and the one that it supersedes; None where there is none."""


@dataclass(frozen=True, kw_only=True)
class Summarizer:
    """The author of the summaries of one release: the center, and the policy that it joins by."""

    release: ReleaseName
    center: str
    verifier: str
    version: str
    policy: Reference
    legal: Mapping[str, str]
    """From operators to their names in law."""
    reviews: int
    """How many count for exactly the source and claim."""
    locators: Mapping[str, str]
    """From artefacts to the locators of their shipped files, as far as they are public."""

    def summary(
        self, consensus: Consensus, number: int, supersedes: Reference | None, now: datetime
    ) -> SummaryStatement | None:
        """Return statement D, made at `now` (UTC); None for a consensus without a pass or fail.

        Nor is there one of logs that nobody has witnessed: it would be passed on without the label.
        `number` counts the summaries of this file from 1.
        """
        about = consensus.subject
        if consensus.passed is None or consensus.unwitnessed or about.claim is None:
            return None
        return SummaryStatement(
            subject=(subject(about.artefact, about.published),),
            predicate=VerificationSummary(
                verifier=Verifier(id=self.verifier, version={"samebits": self.version}),
                time_verified=now.replace(microsecond=0),
                resource_uri=self.resource_uri(about.artefact),
                policy=self.policy,
                input_attestations=tuple(
                    Reference(uri=record_uri(ref.name), digest=DigestSet(sha256=ref.digest))
                    for ref in consensus.evidence
                ),
                verification_result=Summed.PASSED if consensus.passed else Summed.FAILED,
                verified_levels=self._levels(consensus),
                consensus=Extension(
                    release=str(self.release),
                    center=self.center,
                    result=consensus.result.value,
                    claim=about.claim,
                    scope=about.scope,
                    matched=consensus.matched,
                    dissenting=consensus.dissenting,
                    work_proof=consensus.work_proof.value,
                    number=number,
                    supersedes=supersedes,
                ),
            ),
        )

    def resource_uri(self, artefact: str) -> str:
        """Return the purl or address of a shipped file; a generic purl where there is none.

        A path beside a recipe means nothing to others.
        """
        locator = self.locators.get(artefact, "file:")
        if not locator.startswith("file:"):
            return locator
        parts = (quote(part, safe="") for part in (*self.release.parts, artefact))
        vendor, product, version, name = parts
        return f"pkg:generic/{vendor}/{product}@{version}?file_name={name}"

    def _levels(self, consensus: Consensus) -> tuple[str, ...]:
        if not consensus.passed:
            return (FAILED_LEVEL,)
        known = (self.legal[name] for name in consensus.matched if name in self.legal)
        bodies = {legal_body(name) for name in known}
        proved = consensus.work_proof is Proof.PROVED
        levels = (REPRODUCED,) if proved and len(bodies) > 1 else ()
        return (*levels, f"{REVIEWED}{self.reviews}") if self.reviews > 0 else levels


def record_uri(name: str) -> str:
    """Return the URI of a record: its name below the namespace of the project."""
    return f"{NAMESPACE}{name}"


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
        locators={artefact.name: str(artefact.published.locator) for artefact in public},
    )


def check_summary(view: ConsensusView, statement: SummaryStatement, now: datetime) -> None:
    """Recompute the consensus that a summary states; raises `RefusedError` when it differs."""
    stated = statement.predicate
    release = ReleaseName.parse(stated.consensus.release)
    file = statement.subject[0]
    joined = join_release(
        view,
        release,
        claim=stated.consensus.claim,
        scope=stated.consensus.scope,
        logs=read_logs(view, [release]),
        only=file.name,
    )
    about = (file.name, file.digest.sha256)
    for consensus in joined.consensus.artefacts:
        if (consensus.subject.artefact, consensus.subject.published) != about:
            continue
        recomputed = summarizer_of(view, joined, now).summary(
            consensus, stated.consensus.number, stated.consensus.supersedes, stated.time_verified
        )
        if recomputed == statement:
            return
        what = "the findings of the centers give another result"
        got = f"{stated.verification_result} for {stated.consensus.result}"
        raise RefusedError("summary", what, got=got, expected=f"{consensus.result}")
    raise RefusedError(
        "summary", "no center has a finding on it", got=file.name, expected="an artefact"
    )


def count_reviews_of(view: ConsensusView, joined: JoinedRelease, now: datetime) -> int:
    """Return how many reviewers count for exactly the source, claim and scope of our newest run."""
    newest = joined.read.newest_of(view.center)
    claims = {consensus.subject.claim for consensus in joined.consensus.artefacts}
    if newest is None or joined.recipe is None or newest.claim not in claims:
        return 0
    name = RunName.of(joined.read.release, view.center, newest.run)
    report = stored_report(view.store, name, whole=True)
    sources = [s.source_digest for s in report.environment.sources if s.source_digest]
    if report.claim is None or not sources:
        return 0
    if report.scope not in {None, scope_of(joined.recipe.recipe).digest}:
        return 0
    reviewed = review_target(joined.recipe.recipe, report.claim, sources, view.store)
    found = review_status(
        joined.recipe.recipe, reviewed, policy=view.policy.policy, store=view.store, now=now
    )
    return len(found.count.counted)


def publish_summary(
    store: Store, folder: str, summarize: Summarize, *, sign: Sign, keys: Sequence[PublicKey]
) -> str | None:
    """Sign and store a summary in `folder`, and return its name; None where there is nothing new.

    `keys` are those that the center's former summaries are signed with. Raises `EvidenceError` for
    a former summary that none of them has signed, which is not superseded.
    """
    for _ in range(_TRIES):
        former = _newest(store, folder, keys)
        number, supersedes = 1, None
        if former is not None:
            number = former.predicate.consensus.number + 1
            supersedes = Reference(
                uri=record_uri(_record(folder, number - 1)),
                digest=DigestSet(sha256=former.digest()),
            )
        statement = summarize(number, supersedes)
        if statement is None or (former and _content(statement) == _content(former)):
            return None
        name, signed = _record(folder, number), sign(statement).to_bytes()
        try:
            store.put_record(name, signed)
        except StoreConflictError:
            continue  # another process of this center was first: supersede that one
        return name
    raise StoreConflictError(
        "the summaries of one file are written by many at once",
        got=f"{_TRIES} tries",
        expected="one writer",
        todo="Run one consensus of a release at a time",
    )


def publish_crosschecks(
    store: Store, proofs: WorkProofs, *, sign: Sign, now: datetime, storing: Storing = nullcontext
) -> tuple[str, ...]:
    """Sign and store the checks of others' work, and return their names.

    A run that was checked before is left out.
    """
    made = []
    for name, statement in proofs.crosschecks(now):
        if store.has(name):
            continue
        signed = sign(statement).to_bytes()
        with storing(name):
            store.put_record(name, signed)
        made.append(name)
    return tuple(made)


def summary_prefix(release: ReleaseName, subject: ConsensusSubject, center: str) -> str:
    """Return the folder of a center's summaries of one file."""
    parts = (*release.parts, subject.artefact, subject.published.hex, center)
    return check_prefix("/".join(["public/consensus", *map(encode, parts), ""]))


def _record(folder: str, number: int) -> str:
    return f"{folder}{number:06d}{SUFFIX}"


def _newest(store: Store, folder: str, keys: Sequence[PublicKey]) -> SummaryStatement | None:
    name = max((name for name in store.list(folder) if name.endswith(SUFFIX)), default=None)
    if name is None:
        return None
    envelope = Envelope.from_bytes(store.get(name, MAX_ENVELOPE))
    verify_envelope(envelope, keys)
    statement = read_statement(envelope.payload)
    if (
        not isinstance(statement, SummaryStatement)
        or _record(folder, statement.predicate.consensus.number) != name
        or not _belongs(statement, folder)
    ):
        raise DamagedError(
            f"{name} is not the summary that its name promises",
            got=f"{statement.predicate_type}",
            todo="Find out who wrote it: nothing supersedes it before that",
        )
    return statement


def _belongs(statement: SummaryStatement, folder: str) -> bool:
    """Return whether `folder` is that of what a summary is about, and of its author."""
    consensus, file = statement.predicate.consensus, statement.subject[0]
    if file.digest.sha256 is None:
        return False
    about = ConsensusSubject(
        artefact=file.name,
        published=file.digest.sha256,
        claim=consensus.claim,
        scope=consensus.scope,
    )
    return summary_prefix(ReleaseName.parse(consensus.release), about, consensus.center) == folder


def _content(statement: SummaryStatement) -> SummaryStatement:
    """Return a summary without number, time and the one that it supersedes."""
    predicate = statement.predicate
    consensus = predicate.consensus.model_copy(update={"number": 1, "supersedes": None})
    update = {"time_verified": None, "consensus": consensus}
    return statement.model_copy(update={"predicate": predicate.model_copy(update=update)})
