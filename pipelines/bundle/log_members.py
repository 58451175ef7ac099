"""What the log says of one run, for a bundle: leaves, proofs, the policy, the newest heartbeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from builders.core.digest import Digest
from builders.core.errors import NotFoundError
from pipelines.bundle.card import CenterCard
from pipelines.bundle.layout import HEARTBEAT, LEAF, LOG, OTHER, POLICY, PROOF
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.stored_runs import RunName
from pipelines.log.checkpoint import SignedCheckpoint
from pipelines.log.cosignatures import WitnessedLog, checkpoints_with_leaf, cosigned_checkpoints
from pipelines.log.heartbeats import heartbeat_key, newest_heartbeat
from pipelines.log.leaf import StatementLeaf
from pipelines.log.log_reader import LogReader, published
from pipelines.log.notekey import NoteKey
from pipelines.log.proof import LogProof
from pipelines.log.writer import LogWriter
from pipelines.policy import Policy
from pipelines.storage.store import Store


@dataclass(frozen=True, kw_only=True)
class ExportSource:
    """The center whose runs are exported."""

    card: CenterCard
    keys: Mapping[str, PublicKey]
    """Its public keys by use."""
    origin: str
    """The origin of its log."""
    log_key: NoteKey
    log: LogWriter
    policy: bytes | None
    """The signed policy that it goes by, if it has one."""
    peers: tuple[Store, ...] = ()
    """The stores in which its witnesses keep their cosignatures."""


def log_members(
    store: Store,
    name: RunName,
    source: ExportSource,
    policy: Policy,
    statements: Mapping[str, bytes],
    now: datetime,
) -> dict[str, bytes]:
    """Return the members of a bundle that the log adds to the `statements` of a run, by name.

    Raises `NotFoundError` for a run that is not in the log, `LogError` for a log that is not whole.
    """
    own = {Envelope.from_bytes(data).digest(): member for member, data in statements.items()}
    first, last = _range(source.log, name, own)
    signed = _checkpoint(store, source, policy, last)
    reader = LogReader(store, origin=source.origin, keys=[source.log_key], checkpoint=signed)
    note = signed.note.to_bytes()
    found: dict[str, bytes] = {}
    others: dict[Digest, int] = {}
    for index, leaf in reader.leaves(first, last + 1):
        if leaf.release != str(name.release):
            continue
        proof = LogProof(index=index, hashes=reader.inclusion(index), checkpoint=note)
        found[f"{LOG}{index}{LEAF}"] = leaf.to_bytes()
        found[f"{LOG}{index}{PROOF}"] = proof.to_bytes()
        if isinstance(leaf, StatementLeaf) and leaf.pae not in own:
            others[leaf.pae] = index
    if source.policy is not None:
        found[POLICY] = source.policy
    return found | _others(store, name, others) | _heartbeat(store, source, signed, now)


def _range(log: LogWriter, name: RunName, own: Mapping[Digest, str]) -> tuple[int, int]:
    """Return the indexes of the first and the last leaf of a run, whose statements are `own`."""
    places = {member: log.find(f"pae:{digest}") for digest, member in own.items()}
    if missing := sorted(member for member, index in places.items() if index is None):
        raise NotFoundError(
            f"run {name.run} of {name.release} is not in the log yet",
            got=f"no leaf for {missing[0]}",
            todo="`samebits log checkpoint` logs what waits",
        )
    commitment = log.find(f"run:{name.run}")
    found = [index for index in (commitment, *places.values()) if index is not None]
    return min(found), max(found)


def _others(store: Store, name: RunName, wanted: Mapping[Digest, int]) -> dict[str, bytes]:
    """Return the statements of other runs that were logged among those of this one.

    One that the store has not is left out, and the check of the bundle says so.
    """
    found: dict[str, bytes] = {}
    siblings = name.prefix[: name.prefix.rindex("/", 0, -1) + 1]
    for key in store.list(siblings) if wanted else ():
        if len(found) == len(wanted):
            break
        if not key.endswith(SUFFIX) or key.startswith(name.prefix):
            continue
        data = store.get(key, MAX_ENVELOPE)
        index = wanted.get(Envelope.from_bytes(data).digest())
        if index is not None:
            found[f"{LOG}{index}{OTHER}"] = data
    return found


def _checkpoint(store: Store, source: ExportSource, policy: Policy, last: int) -> SignedCheckpoint:
    """Return the largest checkpoint that enough witnesses have cosigned, or else the newest."""
    witnesses = policy.witness_keys(source.card.id)
    known = WitnessedLog(origin=source.origin, keys=(source.log_key,), witnesses=tuple(witnesses))
    newest = published(store, origin=known.origin, keys=known.keys, witnesses=known.witnesses)
    if newest is None:
        raise NotFoundError(
            f"the log {source.origin} has no checkpoint",
            todo="`samebits log checkpoint` publishes one",
        )
    found = [newest, *cosigned_checkpoints(source.peers, known)]
    for signed in checkpoints_with_leaf(found, index=last):
        if policy.quorum.satisfied_by({witnesses[c.key] for c in signed.cosignatures}):
            return signed
    return newest


def _heartbeat(
    store: Store, source: ExportSource, signed: SignedCheckpoint, now: datetime
) -> dict[str, bytes]:
    """Return the newest heartbeat, unless it is younger than the checkpoint."""
    keys = [source.keys["statements"]]
    beat = newest_heartbeat(store, source.card.id, keys, now=now)
    if beat is None or beat.predicate.log.size > signed.checkpoint.size:
        return {}
    return {HEARTBEAT: store.get(heartbeat_key(beat), MAX_ENVELOPE)}
