"""Signing what was joined, and keeping it: summaries that supersede each other, and cross-checks.

A summary is kept as `public/consensus/<vendor>/<product>/<version>/<artefact>/<sha256>/<center>/
<number>.dsse.json`; the newest is the one with the highest number. One that would say nothing new
is not made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from builders.core.errors import StoreConflictError
from pipelines.consensus.gather import Gathered
from pipelines.consensus.result import Consensus, Question
from pipelines.consensus.summary import Summarizer, record_uri, summary
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope, verify
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.signed import SUFFIX, statement_of
from pipelines.evidence.statements.statement import DigestSet, Statement
from pipelines.evidence.statements.vsa import Reference, SummaryStatement
from pipelines.storage.names import check_prefix, encode
from pipelines.storage.store import DamagedError, Store

_TRIES = 16

Sign = Callable[[Statement], Envelope]
"""Puts the center's name to a statement."""
Storing = Callable[[str], AbstractContextManager[None]]
"""Within it a record of that name is made, so that a log hears of it."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A record that was made."""

    name: str
    envelope: Envelope


def publish_summary(
    store: Store,
    release: ReleaseName,
    consensus: Consensus,
    *,
    by: Summarizer,
    resource: str,
    reviews: int,
    sign: Sign,
    keys: Sequence[PublicKey],
    now: datetime,
) -> Published | None:
    """Sign and keep statement D of one consensus; None where there is nothing, or nothing new.

    `keys` are those that the center's former summaries are signed with. Raises `EvidenceError` for
    a former summary that they have not signed: nothing is put on top of it.
    """
    folder = summary_prefix(release, consensus.question, by.center)
    for _ in range(_TRIES):
        former = _newest(store, folder, keys)
        number = former[0] + 1 if former else 1
        statement = summary(
            consensus,
            release,
            by=by,
            resource=resource,
            reviews=reviews,
            number=number,
            supersedes=former[1] if former else None,
            now=now,
        )
        if statement is None or (former and _says(statement) == _says(former[2])):
            return None
        name, envelope = f"{folder}{number:06d}{SUFFIX}", sign(statement)
        try:
            store.put_record(name, envelope.to_bytes())
        except StoreConflictError:
            continue  # somebody else of this center was first: theirs is the former one now
        return Published(name=name, envelope=envelope)
    raise StoreConflictError(
        "the summaries of one file are written by many at once",
        got=f"{_TRIES} tries",
        expected="one writer",
        todo="Run one consensus of a release at a time",
    )


def publish_crosschecks(
    store: Store,
    gathered: Gathered,
    *,
    sign: Sign,
    now: datetime,
    storing: Storing | None = None,
) -> tuple[Published, ...]:
    """Sign and keep what we found of the work of others; a run that was checked before is not."""
    made = []
    for name, statement in gathered.proofs.crosschecks(now):
        if store.has(name):
            continue
        envelope = sign(statement)
        with storing(name) if storing else nullcontext():
            store.put_record(name, envelope.to_bytes())
        made.append(Published(name=name, envelope=envelope))
    return tuple(made)


def summary_prefix(release: ReleaseName, question: Question, center: str) -> str:
    """Return the folder of a center's summaries of one file."""
    parts = (
        *(release.vendor, release.product, release.version),
        *(question.artefact, question.published.hex, center),
    )
    return check_prefix("/".join(["public/consensus", *map(encode, parts), ""]))


def _newest(
    store: Store, folder: str, keys: Sequence[PublicKey]
) -> tuple[int, Reference, SummaryStatement] | None:
    names = [name for name in store.list(folder) if name.endswith(SUFFIX)]
    if not names:
        return None
    name = max(names)
    envelope = Envelope.from_bytes(store.get(name, MAX_ENVELOPE))
    verify(envelope, keys)
    statement = statement_of(envelope)
    number = name.removeprefix(folder).removesuffix(SUFFIX)
    if (
        not isinstance(statement, SummaryStatement)
        or f"{statement.predicate.consensus.number:06d}" != number
        or summary_prefix_of(statement) != folder
    ):
        raise DamagedError(
            f"{name} is not the summary that its name promises",
            got=f"{statement.predicate_type}",
            todo="Find out who wrote it: nothing is put on top of it",
        )
    reference = Reference(uri=record_uri(name), digest=DigestSet(sha256=statement.digest()))
    return statement.predicate.consensus.number, reference, statement


def summary_prefix_of(statement: SummaryStatement) -> str:
    """Return the folder in which a summary belongs, from what it says itself."""
    said, about = statement.predicate.consensus, statement.subject[0]
    if about.digest.sha256 is None:
        message = "a summary is about a plain digest"
        raise ValueError(message)
    question = Question(artefact=about.name, published=about.digest.sha256, claim=said.claim)
    return summary_prefix(ReleaseName.parse(said.release), question, said.center)


def _says(statement: SummaryStatement) -> SummaryStatement:
    """Return a summary without what makes it one of several: number, time, the one before."""
    said = statement.predicate
    plain = said.consensus.model_copy(update={"number": 1, "supersedes": None})
    return statement.model_copy(
        update={"predicate": said.model_copy(update={"time_verified": None, "consensus": plain})}
    )
