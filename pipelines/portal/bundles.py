"""Bundles of runs as the portal publishes them, made from the records that any center shows.

They hold what `samebits evidence export` writes but for the heartbeat and the policy, which are the
same for all runs. They are not checked here: whoever reads one checks it, with a policy of their
own. So a center's bundle costs a few reads, and its leaves and proofs come from tiles at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache, partial

from builders.core.digest import Digest
from builders.core.errors import SamebitsError, StoreError
from pipelines.audit.log_index import LogIndex
from pipelines.audit.logged_release import run_tag
from pipelines.audit.source import OBJECT_ERRORS, Source
from pipelines.bundle import layout
from pipelines.bundle.export import leaf_members
from pipelines.bundle.layout import Bundle, CenterCard, KeyEntry
from pipelines.consensus.release_consensus import ReleaseFindings
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.stored_runs import RunName
from pipelines.log.checkpoint import LogIdentity, SignedCheckpoint
from pipelines.log.cosignatures import checkpoints_with_leaf, cosigned_checkpoints
from pipelines.log.leaf import Leaf, read_leaf
from pipelines.log.log_reader import LogReader, published
from pipelines.log.merkle import inclusion_proof
from pipelines.log.proof import LogProof
from pipelines.log.tiles import WIDTH
from pipelines.policy import Policy
from pipelines.portal.digest_index import base_runs, bundle_paths, style_sheet
from pipelines.portal.site_file import SiteFile

MAX_RECORDS = 2_000
"""Records of one run; a run with more has no bundle in the portal."""
MAX_PUBLISHED = 16 << 20
"""Bytes of a bundle; a larger one is exported by hand."""
_KEPT_BUNDLES, _KEPT_HASHES, _KEPT_CARDS = 16, 1 << 14, 64


class BundleMaker:
    """Makes the bundles of one policy's centers; for one thread.

    Runs are cheapest in the order of their center's log.
    """

    def __init__(self, sources: Iterable[Source], policy: Policy, logs: LogIndex) -> None:
        """Read the stores of the centers and of their witnesses, `sources`, and their `logs`."""
        self._sources = {source.center: source for source in sources}
        self._policy = policy
        self._logs = logs
        self._trees: dict[str, _Tree | None] = {}
        self._card = lru_cache(_KEPT_CARDS)(self._made_card)
        self.waiting: set[ReleaseName] = set()
        """Releases of which a run could not be read, or is not cosigned in one checkpoint yet."""

    def begin(self, name: RunName) -> Callable[[], bytes | None]:
        """Begin to make the bundle of a run, and return what waits for it; peers work side by side.

        It gives None where the store or log of the center does not show all of the run, or the
        witnesses that the policy requires have not cosigned all of it yet.
        """
        source = self._sources.get(name.center)
        if source is None:
            return lambda: None
        try:
            tree = self._tree(name.center)  # reads other stores, so not in the thread of this one
            wait = source.begin(partial(self._made, source, tree, name))
        except SamebitsError as error:
            self._note(name, error)
            return lambda: None
        return partial(self._waited, name, wait)

    def of(self, name: RunName) -> bytes | None:
        """Return the bundle of a run; see `begin`."""
        return self.begin(name)()

    def _waited(self, name: RunName, wait: Callable[[], bytes | None]) -> bytes | None:
        try:
            return wait()
        except SamebitsError as error:
            self._note(name, error)
            return None

    def _note(self, name: RunName, error: SamebitsError) -> None:
        """Leave a bundle out: until its store answers, or for good where its records are bad."""
        if isinstance(error, StoreError) and not isinstance(error, OBJECT_ERRORS):
            self.waiting.add(name.release)

    def _made(self, source: Source, tree: _Tree | None, name: RunName) -> bytes | None:
        records = {
            f"{layout.STATEMENTS}{record}": source.record(name.prefix + record)
            for record in _records(source, name)
        }
        statements = {key: record.data for key, record in records.items()}
        envelopes = {key: record.envelope for key, record in records.items()}
        own = {envelope.digest(): key for key, envelope in envelopes.items()}
        key, places = self._signer(name.center, envelopes), self._places(name, own)
        if key is None or not places:
            return None
        if tree is None or max(places) >= tree.size:
            self.waiting.add(name.release)
            return None
        members = {
            **self._card(name.center, key),
            layout.REPORT: source.get(name.prefix + layout.REPORT, layout.MAX_REPORT),
            **statements,
            **leaf_members(source.store, name, own, tree.leaves(places, name.release), tree.proof),
        }
        made = Bundle.of(members).to_bytes()
        return made if len(made) <= MAX_PUBLISHED else None

    def _places(self, name: RunName, own: Mapping[Digest, str]) -> list[int]:
        """Return the indexes of the leaves of a run; none if a statement is not logged."""
        logged = self._logs.about(name.center, str(name.release))
        results = logged.results
        found = [
            results[one] if one in results else self._logs.index_of(name.center, one) for one in own
        ]
        places = [index for index in found if index is not None]
        if len(places) < len(found):
            return []
        return [*places, *(one.index for one in logged.commitments.get(run_tag(name.run), []))]

    def _signer(self, center: str, envelopes: Mapping[str, Envelope]) -> PublicKey | None:
        """Return the center's key for statements that these are signed with."""
        used = {s.keyid for envelope in envelopes.values() for s in envelope.signatures}
        keys = (known.key for known in self._policy.center(center).keys)
        return next((key for key in keys if key.keyid in used), None)

    def _made_card(self, center: str, statements: PublicKey) -> dict[str, bytes]:
        """Return the members that say who rebuilt, by the policy."""
        member = self._policy.center(center)
        keys = {"log": member.log.key.public, "statements": statements}
        card = CenterCard(
            id=member.id,
            operator=member.operator,
            region=member.region,
            builder_id=member.builder,
            verifier_id=member.verifier,
            keys=tuple(
                KeyEntry.model_validate({"use": use, "keyid": key.keyid})
                for use, key in keys.items()
            ),
        )
        named = {f"{layout.KEYS}{use}.pub": key.to_pem() for use, key in keys.items()}
        return {layout.CARD: card.to_bytes(), **named}

    def _tree(self, center: str) -> _Tree | None:
        if center not in self._trees:
            self._trees[center] = self._opened(center)
        return self._trees[center]

    def _opened(self, center: str) -> _Tree | None:
        """Return the largest tree of a center's log that enough witnesses have cosigned."""
        witnesses = self._policy.witness_keys(center)
        log = LogIdentity.of(self._policy.center(center).log.key, *witnesses)
        source = self._sources[center]
        newest, stores = published(source, log), (one.store for one in self._sources.values())
        found = [*([newest] if newest else []), *cosigned_checkpoints(stores, log)]
        if resolution := self._policy.resolution(log.origin):
            found = [one for one in found if resolution.accepts(one.checkpoint)]
        for signed in checkpoints_with_leaf(found, index=0):
            if self._policy.quorum.satisfied_by({witnesses[c.key] for c in signed.cosignatures}):
                return _Tree(source, log, signed)
        return None


def bundle_files(read: ReleaseFindings, maker: BundleMaker) -> Iterator[SiteFile]:
    """Yield the bundles of a release, each also as a style sheet for pages that may not fetch.

    Those that cannot be made now are left out.
    """
    runs = {
        one.path: RunName.of(read.release, one.center, one.run) for one in bundle_paths(read)
    } | base_runs(read)
    waits = {path: maker.begin(run) for path, run in runs.items()}
    for path, wait in waits.items():
        data = wait()
        if data is not None:
            yield SiteFile(path, data)
            yield SiteFile(f"{path}.css", style_sheet(data))


class _Tree:
    """The leaves of one checkpoint and their proofs, of which the last used ones are kept."""

    def __init__(self, source: Source, log: LogIdentity, signed: SignedCheckpoint) -> None:
        self.size = signed.checkpoint.size
        self._note = signed.note.to_bytes()
        tiles = LogReader(source, log, signed).tiles
        self._hash = lru_cache(_KEPT_HASHES)(tiles.read)
        self._bundle = lru_cache(_KEPT_BUNDLES)(lambda index: tiles.bundle(index)[0])

    def read(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree; see `HashReader`."""
        return self._hash(level, index)

    def leaves(self, places: Collection[int], release: ReleaseName) -> Iterator[tuple[int, Leaf]]:
        """Yield index and leaf of a release, from the first of `places` to the last."""
        named = f'"release":"{release}"'.encode()  # no text of a leaf has an escape
        for index in range(min(places), max(places) + 1):
            data = self._bundle(index // WIDTH)[index % WIDTH]
            if named in data:
                yield index, read_leaf(data)

    def proof(self, index: int) -> LogProof:
        """Return the proof that a leaf is in the log."""
        hashes = inclusion_proof(index, self.size, self)
        return LogProof(index=index, hashes=hashes, checkpoint=self._note)


def _records(source: Source, name: RunName) -> list[str]:
    """Return the names of the statements in the folder of a run; none where there are too many."""
    found = source.last_names(name.prefix, limit=MAX_RECORDS + 1)
    records = [key.removeprefix(name.prefix) for key in found if len(found) <= MAX_RECORDS]
    return [record for record in records if record.endswith(SUFFIX) and "/" not in record]
