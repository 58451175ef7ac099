"""Signed summaries and cross-checks, as records in the center's store.

A summary is `public/consensus/<vendor>/<product>/<version>/<artefact>/<sha256>/<center>/
<number>.dsse.json`. Each supersedes the one before it; the newest has the highest number. A summary
equal to the one before it is not made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from builders.core.errors import StoreConflictError
from pipelines.consensus.consensus_result import ConsensusSubject
from pipelines.consensus.summary_statement import record_uri
from pipelines.consensus.work_proofs import WorkProofs
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope, verify_envelope
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.consensus_results import Reference, SummaryStatement
from pipelines.evidence.statements.reader import SUFFIX, statement_of
from pipelines.evidence.statements.statement import DigestSet, Statement
from pipelines.storage.names import check_prefix, encode
from pipelines.storage.store import DamagedError, Store

_TRIES = 16

Sign = Callable[[Statement], Envelope]
"""Signs a statement with the key of the center."""
Storing = Callable[[str], AbstractContextManager[object]]
"""A context in which a record of that name is made, so that it gets into the log."""
Summarize = Callable[[int, Reference | None], SummaryStatement | None]
"""Makes a summary from its number and the one that it supersedes; None where there is none."""


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
    statement = statement_of(envelope)
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
        artefact=file.name, published=file.digest.sha256, claim=consensus.claim
    )
    return summary_prefix(ReleaseName.parse(consensus.release), about, consensus.center) == folder


def _content(statement: SummaryStatement) -> SummaryStatement:
    """Return a summary without number, time and the one that it supersedes."""
    predicate = statement.predicate
    consensus = predicate.consensus.model_copy(update={"number": 1, "supersedes": None})
    update = {"time_verified": None, "consensus": consensus}
    return statement.model_copy(update={"predicate": predicate.model_copy(update=update)})
