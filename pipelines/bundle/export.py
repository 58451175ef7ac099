"""Export of a run from the store into a bundle: everything public about it, and nothing else.

Only objects that the layout of a bundle names are read, and only below `public/`; private evidence
of an open source is added where that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError, NotFoundError, UsageError
from pipelines.bundle import layout
from pipelines.bundle.check import CheckResult, CheckStatus, Trust, check_bundle
from pipelines.bundle.check.members import named_evidence
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.bundle.layout import LOG, Bundle, CenterCard, KeyEntry
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.stored_runs import RunName
from pipelines.log.checkpoint import LogIdentity, SignedCheckpoint
from pipelines.log.cosignatures import checkpoints_with_leaf, cosigned_checkpoints
from pipelines.log.heartbeats import heartbeat_key, newest_heartbeat
from pipelines.log.leaf import Leaf, StatementLeaf
from pipelines.log.log_reader import LogReader, published
from pipelines.log.notekey import NoteKey
from pipelines.log.proof import LogProof
from pipelines.log.writer import LogWriter
from pipelines.policy import Policy, read_signed
from pipelines.storage import files as durable
from pipelines.storage.names import Visibility, cas
from pipelines.storage.store import DamagedError, ReadableStore, Store, TooLargeError

_PAGE = 25_000


@dataclass(frozen=True, kw_only=True)
class ExportSource:
    """The center whose runs are exported."""

    card: CenterCard
    keys: Mapping[str, PublicKey]
    """Its public keys by use."""
    log_key: NoteKey
    log: LogWriter
    policy: bytes | None
    """The signed policy that it goes by, if it has one."""
    peers: tuple[ReadableStore, ...] = ()
    """The stores in which its witnesses keep their cosignatures."""


@dataclass(frozen=True, kw_only=True)
class ExportedEvidence:
    """A piece of evidence in a bundle; `private` is one that the store keeps private."""

    digest: Digest
    what: str
    size: int
    private: bool

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "sha256": str(self.digest), "what": self.what, "size": self.size,
            "private": self.private,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A bundle, the result of checking it, and the digests left out for their size."""

    data: bytes
    result: CheckResult
    left_out: tuple[str, ...]
    evidence: tuple[ExportedEvidence, ...] = ()


def export(
    store: Store,
    name: RunName,
    source: ExportSource,
    *,
    policy: Policy,
    now: datetime,
    private: bool = False,
) -> Exported:
    """Return the bundle of one run of the center `source`, checked as its readers will check it.

    With `private`, evidence that the store keeps private is added: logs, SBOM, explanations, and
    the files that were served and rebuilt. Raises `UsageError` for that of a closed source.

    The same run under the same checkpoint always gives the same bytes; `now` is UTC. Raises
    `NotFoundError` for a run that has no statements or is not logged yet, `KeyFileError` without
    the center's public key, and `DamagedError` when the store holds something that no reader would
    accept.
    """
    statements = _statements(store, name)
    source = _as_signed(source, policy, statements)
    members = {
        layout.CARD: source.card.to_bytes(),
        **{f"{layout.KEYS}{use}.pub": key.to_pem() for use, key in source.keys.items()},
        layout.REPORT: store.get(name.prefix + layout.REPORT, layout.MAX_REPORT),
        **statements,
        **log_members(store, name, source, policy, statements, now),
    }
    trust = Trust(keys=(source.keys["statements"],), builder=source.card.builder_id)
    first = Bundle.of(members).to_bytes()
    opened = OpenedBundle(data=first, trust=trust)
    if private and opened.closed:
        raise UsageError(
            f"the source of {name.release} is closed, and so is its evidence",
            got="keyed digests, by which no reader could check it",
            todo="Export the run without its evidence",
        )
    _check(opened, name)
    found, left_out = _evidence(store, opened, private=private)
    evidence = {f"{layout.EVIDENCE}{one.digest}": content for one, content in found}
    data = first if not evidence else Bundle.of({**members, **evidence}).to_bytes()
    return Exported(
        data=data,
        result=check_bundle(data, trust=trust),
        left_out=left_out,
        evidence=tuple(one for one, _ in found),
    )


def write_file(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file complete or not at all, a `private` one for its owner; raises `UsageError`."""
    try:
        durable.replace(path, data, mode=0o600 if private else 0o644)
    except InfrastructureError as error:
        raise UsageError(f"{path} cannot be written", got=error.got) from error


def _statements(store: Store, name: RunName) -> dict[str, bytes]:
    found = {}
    for count, key in enumerate(store.list(name.prefix)):
        if count == _PAGE:
            raise DamagedError(f"{name.prefix} has too many records", expected=f"at most {_PAGE}")
        record = key.removeprefix(name.prefix)
        if record.endswith(SUFFIX) and "/" not in record:
            found[f"{layout.STATEMENTS}{record}"] = store.get(key, MAX_ENVELOPE)
    if not found:
        raise NotFoundError(
            f"run {name.run} of {name.release} has no statements",
            got="a report alone",
            expected="signed statements beside it",
            todo="It was made before statements were signed; verify the release again",
        )
    return found


def _as_signed(
    source: ExportSource, policy: Policy, statements: Mapping[str, bytes]
) -> ExportSource:
    """Return the source with the key that signed these statements: a former one may have."""
    used = {s.keyid for data in statements.values() for s in Envelope.from_bytes(data).signatures}
    known = (key.key for c in policy.centers if c.id == source.card.id for key in c.keys)
    former = next((key for key in known if key.keyid in used), None)
    if former is None or source.keys["statements"].keyid in used:
        return source
    mine = KeyEntry(use="statements", keyid=former.keyid)
    entries = tuple(mine if entry.use == mine.use else entry for entry in source.card.keys)
    return replace(
        source,
        keys={**source.keys, mine.use: former},
        card=source.card.model_copy(update={"keys": entries}),
    )


def _evidence(
    store: Store, opened: OpenedBundle, *, private: bool
) -> tuple[list[tuple[ExportedEvidence, bytes]], tuple[str, ...]]:
    """Return what the statements name and the store has, and what was too large."""
    room = layout.MAX_BUNDLE - len(opened.data) - (1 << 20)
    found, left_out = [], []
    places = (Visibility.PUBLIC, Visibility.PRIVATE) if private else (Visibility.PUBLIC,)
    for digest, what in sorted(named_evidence(opened).items()):
        place = next((place for place in places if store.has(cas(place, digest))), None)
        if place is None:
            continue
        try:
            content = store.get(cas(place, digest), min(room, layout.MAX_EVIDENCE))
        except TooLargeError:
            left_out.append(str(digest))
            continue
        room -= len(content)
        one = ExportedEvidence(
            digest=digest, what=what, size=len(content), private=place is Visibility.PRIVATE
        )
        found.append((one, content))
    return found, tuple(left_out)


def _check(opened: OpenedBundle, name: RunName) -> None:
    """Raise `DamagedError` if something in a bundle is wrong."""
    for step in check_bundle(opened.data, trust=opened.trust).steps:
        if step.status is CheckStatus.WRONG:
            raise DamagedError(
                f"run {name.run} of {name.release} cannot be exported",
                got=f"{step.name}: {step.message}",
                todo="Find out who wrote these records, and verify the release again",
            )


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
    reader = LogReader(store, LogIdentity.of(source.log_key), signed)
    note = signed.note.to_bytes()
    found = leaf_members(
        store,
        name,
        own,
        reader.leaves(first, last + 1),
        lambda index: LogProof(index=index, hashes=reader.inclusion(index), checkpoint=note),
    )
    if source.policy is not None:
        found[layout.POLICY] = read_signed(source.policy).envelope.to_bytes() + b"\n"
    return found | _heartbeat(store, source, signed, now)


def leaf_members(
    store: ReadableStore,
    name: RunName,
    own: Collection[Digest],
    leaves: Iterable[tuple[int, Leaf]],
    proof: Callable[[int], LogProof],
) -> dict[str, bytes]:
    """Return the members for those of `leaves` that are about the release of a run, by name.

    `own` are the digests of the run's statements; of other statements the envelopes are read.
    """
    found: dict[str, bytes] = {}
    others: dict[Digest, int] = {}
    for index, leaf in leaves:
        if leaf.release != str(name.release):
            continue
        found[f"{LOG}{index}{layout.LEAF}"] = leaf.to_bytes()
        found[f"{LOG}{index}{layout.PROOF}"] = proof(index).to_bytes()
        if isinstance(leaf, StatementLeaf) and leaf.pae not in own:
            others[leaf.pae] = index
    return found | _others(store, name, others)


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


def _others(store: ReadableStore, name: RunName, wanted: Mapping[Digest, int]) -> dict[str, bytes]:
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
            found[f"{LOG}{index}{layout.OTHER}"] = data
    return found


def _checkpoint(store: Store, source: ExportSource, policy: Policy, last: int) -> SignedCheckpoint:
    """Return the largest checkpoint that enough witnesses have cosigned, or else the newest."""
    witnesses = policy.witness_keys(source.card.id)
    known = LogIdentity.of(source.log_key, *witnesses)
    newest = published(store, known)
    if newest is None:
        raise NotFoundError(
            f"the log {source.log_key.name} has no checkpoint",
            todo="`samebits log checkpoint` publishes one",
        )
    found = [newest, *cosigned_checkpoints(source.peers, known)]
    if resolution := policy.resolution(known.origin):  # no other proof counts any more
        found = [one for one in found if resolution.accepts(one.checkpoint)]
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
    return {layout.HEARTBEAT: store.get(heartbeat_key(beat), MAX_ENVELOPE)}
