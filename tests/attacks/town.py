"""Three centers of three operators under one signed policy, which are witnesses of each other.

Each has a key, a store, a witness, and a log of any leaves: what a dishonest center appends is no
different from what an honest one does. Two of them are honest; the third is whoever attacks. Three
operators must match, so that nothing is confirmed without the third.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Outcome
from infra.bench.madeup import MadeUpKey, MadeUpRun, made_up_log
from pipelines.audit.source import Source
from pipelines.consensus.file_check import FileCheck, check_file
from pipelines.consensus.release_consensus import ConsensusView, JoinedRelease, join_release
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.file_index import index_report
from pipelines.evidence.statements.reader import read_statement
from pipelines.log.checkpoint import Checkpoint, LogIdentity
from pipelines.log.leaf import Entry, Leaf, ReleaseChains, StatementEntry, read_fields
from pipelines.log.merkle import leaf_hash
from pipelines.log.note import NoteSigner, sign_note
from pipelines.log.tiles import CHECKPOINT, Frontier, Tile, pack_entries
from pipelines.log.witness import Witness, WitnessResult
from pipelines.policy import ConsensusRules, Policy, PolicyCenter
from pipelines.policy.model import SCHEMA, CenterKey, Operator, PolicyRules
from pipelines.policy.quorum import Quorum
from pipelines.policy.signed_policy import SignedPolicy, add_signature
from pipelines.storage.names import REPORT, Visibility, private_twin
from pipelines.storage.store import ReadableStore
from tests.consensus.world import CONTENT, FILES, PRODUCTS, RELEASE
from tests.fakes.store import MemoryStore

NAMES = ("ada", "bob", "cyd")
NOW = datetime(2026, 1, 20, tzinfo=UTC)
RUN = "20260102T030405Z-0a1b2c3d"


@dataclass(kw_only=True)
class House:
    """One center: its keys, its store, and its log."""

    operator: str
    store: MemoryStore = field(default_factory=MemoryStore)
    leaves: list[Leaf] = field(default_factory=list)
    start: int = 0
    end: int | None = None

    @property
    def id(self) -> str:
        return f"{self.operator}-1"

    @property
    def key(self) -> MadeUpKey:
        return MadeUpKey(self.operator)

    @property
    def log_key(self) -> NoteSigner:
        return NoteSigner(made_up_log(self.id).origin, MadeUpKey(f"log {self.id}"))

    @property
    def builder(self) -> str:
        return f"https://samebits.example/centers/{self.id}/builder"

    def made(self, **changes: Any) -> MadeUpRun:
        """Return a run of this center in which all is as it should be, but for `changes`."""
        fields = {"release": str(RELEASE), "run": RUN, "files": FILES, "by_products": PRODUCTS}
        return MadeUpRun(**{"center": self.id, "builder": self.builder, **fields, **changes})

    def run(self, *, committed: bool = True, **changes: Any) -> dict[str, str]:
        """Do all that an honest center does with a run; return its records by name."""
        made = self.made(**changes)
        if made.outcome is Outcome.BUILT and committed:
            self.append(made.commitment())
        return self.publish(made)

    def publish(self, made: MadeUpRun, *, key: MadeUpKey | None = None) -> dict[str, str]:
        """Store and log the statements of a run, and store what it built."""
        names = {}
        for name, envelope in made.envelopes(key or self.key).items():
            names[name] = made.folder() + name
            self.store.put_record(names[name], envelope.to_bytes())
            self.append(entry_of(envelope, self.id, made.release))
        for content in made.outputs.values():
            self.store.put_cas(Visibility.PRIVATE, content)
        report = made.report()
        self.store.put_record(private_twin(made.folder() + REPORT), report.to_json())
        index_report(self.store, report.model_dump(mode="json", by_alias=True))
        return names

    def append(self, *entries: Entry) -> None:
        """Append to the log, each in the chain of its release."""
        chains = ReleaseChains()
        for leaf in self.leaves:
            chains.follow(read_fields(leaf.to_bytes()))
        for entry in entries:
            sequence, previous = chains.next(entry.release)
            leaf = entry.leaf(sequence, Digest(previous))
            chains.follow(read_fields(leaf.to_bytes()))
            self.leaves.append(leaf)

    def show(self, store: MemoryStore | None = None, *, size: int | None = None) -> None:
        """Write the log, or its first `size` leaves, as others read it."""
        where = self.store if store is None else store
        data = [leaf.to_bytes() for leaf in self.leaves[:size]]
        edge, tiles = Frontier().grown([leaf_hash(leaf) for leaf in data])
        entries = Tile(level=None, index=0, width=len(data))
        for key, content in ((tile.key, hashes) for tile, hashes in tiles):
            where.objects[key] = [content]
        where.objects[entries.key] = [pack_entries(data)]
        checkpoint = Checkpoint(origin=self.log_key.key.name, size=len(data), root=edge.root())
        where.objects[CHECKPOINT] = [sign_note(checkpoint.to_text(), self.log_key)]


def entry_of(envelope: Envelope, center: str, release: str, **changes: Any) -> StatementEntry:
    """Return the entry of a statement, with `changes`."""
    kind = read_statement(envelope.payload).predicate_type
    made = StatementEntry(
        center=center,
        release=release,
        pae=envelope.digest(),
        keyid=envelope.signatures[0].keyid,
        predicate_type=kind,
    )
    return replace(made, **changes)


@dataclass
class Town:
    """The three centers; their witnesses remember what they have seen below `folder`."""

    folder: Path
    houses: dict[str, House] = field(
        default_factory=lambda: {name: House(operator=name) for name in NAMES}
    )
    rules: ConsensusRules = field(default_factory=lambda: ConsensusRules(k=3))
    changes: dict[str, Any] = field(default_factory=dict)
    """Other fields of the policy."""
    now: datetime = NOW
    """By the clocks of the witnesses."""
    shown: dict[str, ReadableStore] = field(default_factory=dict)
    """What others read in the place of the stores of these centers."""

    def __getitem__(self, name: str) -> House:
        return self.houses[name]

    @property
    def cyd(self) -> House:
        """The center of the attacker."""
        return self.houses["cyd"]

    def witness(self, name: str) -> Witness:
        """Return the witness of a center."""
        return Witness(
            home=self.folder / name,
            store=self.houses[name].store,
            private=MadeUpKey(f"witness {name}"),
            name=f"samebits.example/centers/{name}-1/witness",
            clock=lambda: self.now,
        )

    @property
    def policy(self) -> SignedPolicy:
        witnesses = {name: self.witness(name).key for name in self.houses}
        lines = [f"witness {name} {key}\n" for name, key in witnesses.items()]
        group = f"group any 1 {' '.join(witnesses)}\nquorum any\n"
        policy = Policy(
            **{
                "schema": SCHEMA,
                "version": 1,
                "expires": datetime(2099, 1, 1, tzinfo=UTC),
                "operators": tuple(
                    Operator(name=n, legal=f"{n.title()} Ltd", key=MadeUpKey(f"law {n}").public)
                    for n in self.houses
                ),
                "threshold": 2,
                "centers": tuple(
                    PolicyCenter(
                        id=house.id,
                        operator=name,
                        region=f"{name}-land",
                        builder=house.builder,
                        verifier=f"https://samebits.example/centers/{house.id}/verifier",
                        log=made_up_log(house.id),
                        witness=witnesses[name],
                        keys=(CenterKey(key=house.key.public, start=house.start, end=house.end),),
                    )
                    for name, house in self.houses.items()
                ),
                "quorum": Quorum.parse("".join(lines) + group),
                "consensus": PolicyRules(**vars(self.rules)),
                **self.changes,
            }
        )
        return add_signature(policy, "bob", MadeUpKey("law bob"), to=self._signed_by_ada(policy))

    def _signed_by_ada(self, policy: Policy) -> SignedPolicy:
        return add_signature(policy, "ada", MadeUpKey("law ada"))

    def look(self, name: str, at: str, store: MemoryStore | None = None) -> WitnessResult:
        """Let the witness of one center look at the log of another, or at what it is shown."""
        log = LogIdentity(origin=self[at].log_key.key.name, keys=(self[at].log_key.key,))
        return self.witness(name).cosign(store or self[at].store, log)

    def round(self) -> None:
        """Let every center show its log, and an honest witness look at it."""
        for name, house in self.houses.items():
            house.show()
            self.look("ada" if name != "ada" else "bob", name)

    def view(self) -> ConsensusView:
        """Return what Ada's center sees."""
        return ConsensusView(
            center="ada-1",
            verifier_id="https://samebits.example/centers/ada-1/verifier",
            store=self["ada"].store,
            policy=self.policy,
            peers=tuple(
                Source(center=house.id, store=self.shown.get(name, house.store), peer=True)
                for name, house in self.houses.items()
                if name != "ada"
            ),
            recipes=self.folder / "recipes",
        )

    def joined(self) -> JoinedRelease:
        return join_release(self.view(), RELEASE)

    def told(self) -> set[str]:
        """Return what consensus says: results, and why something was counted out."""
        found = self.joined().consensus
        every = [*found.excluded, *(e for one in found.artefacts for e in one.excluded)]
        results = {str(one.result) for one in found.artefacts}
        named = {str(one.reason) for one in every}
        return results | named | {f"{one.reason}: {one.detail}" for one in every if one.detail}

    def file(self, content: bytes = CONTENT) -> FileCheck:
        """Return what `check FILE` answers on some bytes."""
        return check_file(self.view(), Digest.of(content))


def honest(folder: Path, *, runs: bool = True) -> Town:
    """Return a town in which Ada and Bob have built what was shipped, and Cyd unless not `runs`."""
    town = Town(folder)
    for name in NAMES if runs else NAMES[:2]:
        town[name].run()
    return town
