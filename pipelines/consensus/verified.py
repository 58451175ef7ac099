"""Statements of a center as they count: signed by a key of its own, where its log has them.

Everything else is handed back with a reason. What is read was written by others: rubbish in one
record never stops the reading of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, SamebitsError, StoreError
from pipelines.consensus.position import CountedOut, Place, Signed, Why
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope, verify
from pipelines.evidence.errors import EvidenceError, SignatureError
from pipelines.evidence.statements.attempt import AttemptStatement
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.crosscheck import CrosscheckStatement
from pipelines.evidence.statements.provenance import ProvenanceStatement
from pipelines.evidence.statements.reader import read_statement
from pipelines.storage.store import DamagedError, TooLargeError

if TYPE_CHECKING:
    from pipelines.evidence.publickey import PublicKey
    from pipelines.evidence.statements.statement import Statement
    from pipelines.policy import Policy, PolicyCenter

IndexOf = Callable[[str, Digest], int | None]
"""From a center and the digest of an envelope's PAE to its index in that center's log, if any."""
Logged = Callable[[str, str], AbstractSet[Digest]]
"""From a center and a release to the PAE digests of all that its log has about runs of it."""
_DAMAGED = (DamagedError, TooLargeError, NotFoundError)


class Reader(Protocol):
    """What is read of a center: a store is one."""

    def get(self, key: str, limit: int) -> bytes:
        """Return an object of at most `limit` bytes; raises `StoreError`."""

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below a folder; raises `StoreError`."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A center, and where its evidence is read."""

    center: str
    store: Reader


class SilentError(StoreError):
    """A center does not answer."""


def read_signed(  # noqa: PLR0911  # one return a reason
    source: Source, key: str, *, policy: Policy, index_of: IndexOf
) -> Signed | CountedOut:
    """Return the statement in one record, or why it does not count.

    Raises `SilentError` when the store does not answer, `PolicyError` for an unknown center.
    """
    member = policy.center(source.center)
    try:
        envelope = Envelope.from_bytes(get(source.store, key, MAX_ENVELOPE))
        signers = _signers(envelope, member)
        if not signers:
            return _out(source, key, Why.UNKNOWN_KEY, note=_keyids(envelope))
        statement = read_statement(envelope.payload)
    except SignatureError as error:
        return _out(source, key, Why.BAD_SIGNATURE, note=str(error.got))
    except (EvidenceError, *_DAMAGED) as error:
        return _out(source, key, Why.UNREADABLE, note=_short(error))
    pae = envelope.digest()
    index = index_of(source.center, pae)
    if index is None:
        return _out(source, key, Why.NOT_LOGGED)
    valid = [k.key for k in member.keys if k.key in signers and k.counts_at(index)]
    if not valid:
        return _out(source, key, Why.KEY_NOT_VALID, note=f"at index {index} of its log", pae=pae)
    if (why := _misplaced(statement, source.center, member)) is not None:
        return _out(source, key, why, pae=pae)
    return Signed(
        statement=statement,
        digest=Digest.of(envelope.payload),
        pae=pae,
        name=key,
        place=Place(center=member.id, operator=member.operator, region=member.region),
        key=valid[0],
        index=index,
    )


def get(store: Reader, key: str, limit: int) -> bytes:
    """Return an object; raises `SilentError`, and what is wrong with that one object."""
    try:
        return store.get(key, limit)
    except _DAMAGED:
        raise
    except (SamebitsError, OSError) as error:
        raise SilentError("a store does not answer", got=_short(error)) from error


def names_below(store: Reader, prefix: str, *, limit: int) -> list[str]:
    """Return the names below a folder; raises `SilentError`, also for more than `limit`."""
    try:
        found = list(islice(store.list(prefix), limit + 1))
    except (SamebitsError, OSError) as error:
        raise SilentError("a store does not answer", got=_short(error)) from error
    if len(found) > limit:
        raise SilentError("a store lists too much", got=f"more than {limit} records")
    return found


def _signers(envelope: Envelope, member: PolicyCenter) -> tuple[PublicKey, ...]:
    """Return the keys of a center that signed; none if it names none, else `SignatureError`."""
    named = {signature.keyid for signature in envelope.signatures}
    known = [k.key for k in member.keys if k.key.keyid in named]
    return verify(envelope, known) if known else ()


def _misplaced(statement: Statement, center: str, member: PolicyCenter) -> Why | None:
    """Return what is wrong with a statement in the store of `center`."""
    match statement:
        case ComparisonStatement() | AttemptStatement():
            named, builder = statement.predicate.center, statement.predicate.builder
        case ProvenanceStatement():
            named, builder = center, statement.predicate.run_details.builder.id
        case CrosscheckStatement():
            named, builder = statement.predicate.center, member.builder
        case _:
            return Why.MISPLACED
    if named != center:
        return Why.MISPLACED
    return None if builder == member.builder else Why.OTHER_BUILDER


def _keyids(envelope: Envelope) -> str:
    return ", ".join(ascii(s.keyid)[1:-1][:16] for s in envelope.signatures[:4])


def _short(error: Exception) -> str:
    return ascii(str(error))[1:-1][:160]


def _out(
    source: Source, key: str, why: Why, *, note: str = "", pae: Digest | None = None
) -> CountedOut:
    return CountedOut(center=source.center, why=why, what=key, note=note, pae=pae)
