"""Bundles of made-up runs, to be altered: whatever is changed is signed again by the same key."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from builders.core.digest import Digest, canonical_json
from infra.bench.samplelog import Tree as MadeTree
from infra.bench.samplelog import chained, log_members
from pipelines.bundle import Bundle
from pipelines.bundle.check import CheckResult, GivenFile, Trust, check_bundle
from pipelines.bundle.layout import (
    CARD,
    EVIDENCE,
    HEARTBEAT,
    KEYS,
    LEAF,
    LOG,
    POLICY,
    PROOF,
    REPORT,
    STATEMENTS,
    STATEMENTS_KEY,
    sums_of,
)
from pipelines.center.center import Center
from pipelines.center.export_source import card_of
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign_envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.privatekey import PrivateKey
from pipelines.evidence.redaction import public_form
from pipelines.evidence.report import Report
from pipelines.evidence.statements.log_status import Head, Tree
from pipelines.evidence.statements.reader import name_records
from pipelines.evidence.statements.statement import DigestSet
from pipelines.log.leaf import CommitmentEntry, Entry, StatementEntry, read_leaf
from pipelines.log.merkle import leaf_hash
from pipelines.log.note import NoteSigner
from tests.evidence.examples import heartbeat
from tests.log.keys import FixedKey
from tests.policy.world import ALPHA, NOW, ORIGIN, Key, center, draft, envelope
from tests.signer.conftest import SCENES
from tests.signer.scene import Scene

RELEASE = "acme/rules@1.10"
Document = dict[str, Any]
Change = Callable[[Document], object]
Maker = Callable[[str], "Altered"]
"""From the name of a scene to its bundle."""


@dataclass(kw_only=True)
class Book:
    """The log that a bundle is made from: what stands in it around the run."""

    origin: str = f"{ORIGIN}zurich"
    key: FixedKey = field(default_factory=lambda: FixedKey("zurich log"))
    before: list[Entry] = field(default_factory=lambda: [other_entry(1), old_entry(2)])
    commitments: list[tuple[str, Digest, Digest]] | None = None
    """Runs, claims and seals; None: as the report has them."""
    after: list[Entry] = field(default_factory=lambda: [other_entry(3)])
    order: Callable[[list[Entry]], list[Entry]] = list
    """In which the run's entries are logged."""
    size: int | None = None
    """Leaves of the checkpoint, of those that there are."""
    witnesses: tuple[str, ...] = ("w1", "w2")
    seen: datetime = NOW
    """When the witnesses looked."""
    late: tuple[str, ...] = ()
    """Those of them that looked a week earlier."""


@dataclass(kw_only=True)
class Altered:
    """The members of a bundle, the key that signs them, the log they are in, and a policy.

    The log is made when the bundle is, of the statements as they are then; `settle` makes it
    earlier, so that what is changed later is not what was logged.
    """

    key: PrivateKey
    members: dict[str, bytes]
    book: Book = field(default_factory=Book)
    policy: Document = field(default_factory=dict)
    signers: tuple[Key, ...] = (ALPHA,)
    """Of the policy."""
    now: datetime = NOW
    max_age: timedelta | None = None
    settled: bool = False
    leaves: list[bytes] = field(default_factory=list)
    """All of the log, once it is made."""

    def statement(self, name: str, change: Change, *, relink: bool = True) -> None:
        """Change a statement and sign it again; comparisons then name the changed provenance."""
        member = f"{STATEMENTS}{name}.dsse.json"
        document = json.loads(Envelope.from_bytes(self.members[member]).payload)
        before = self._digest(member)
        change(document)
        self.put(member, document)
        if relink and name.startswith("provenance"):
            after = self._digest(member)
            for other in self.named("comparison"):
                self._replace(other, before, after)

    def every(self, kind: str, change: Change) -> None:
        """Change every statement of a kind."""
        for member in self.named(kind):
            name = member.removeprefix(STATEMENTS).removesuffix(".dsse.json")
            self.statement(name, change)

    def report(self, change: Change) -> None:
        """Change the report, and let the attempts name it as it is then."""
        document = json.loads(self.members[REPORT])
        change(document)
        self.name_report(json.dumps(document).encode())

    def name_report(self, data: bytes) -> None:
        """Replace the report; attempts, and robustness tests of these, are signed again."""
        named, self.members[REPORT] = str(Digest.of(self.members[REPORT])), data
        for member in self.named("attempt"):
            before = self._digest(member)
            self._replace(member, named, str(Digest.of(data)))
            for other in self.named("robustness"):
                self._replace(other, before, self._digest(member))

    def card(self, change: Change) -> None:
        """Change the card."""
        document = json.loads(self.members[CARD])
        change(document)
        self.members[CARD] = canonical_json(document)

    def put(self, member: str, document: Document, *signers: EnvelopeSigner) -> None:
        """Sign a document as a member."""
        envelope = sign_envelope(canonical_json(document), *(signers or (self.key,)))
        self.members[member] = envelope.to_bytes()

    def named(self, kind: str) -> list[str]:
        """Return the members that are statements of a kind."""
        return [name for name in self.members if name.startswith(f"{STATEMENTS}{kind}-")]

    def settle(self) -> None:
        """Log the run as it stands, and put leaves and proofs into the bundle; only once."""
        if self.settled:
            return
        self.settled = True
        book = self.book
        own = book.order([*self._commitments(), *self._entries()])
        entries = [*book.before, *own, *book.after]
        self.leaves = chained(entries)
        first, last = len(book.before), len(book.before) + len(own)
        shown = [i for i in range(first, last) if entries[i].release == RELEASE]
        signers = self._signers(book.witnesses)
        self.members |= log_members(self.leaves, shown, *signers, size=book.size)

    def witness(self, name: str) -> NoteSigner:
        """Return a witness of the policy."""
        seen = self.book.seen - timedelta(days=7 if name in self.book.late else 0)
        return NoteSigner(f"{name}.example/witness", FixedKey(name), clock=lambda: seen)

    def _signers(self, witnesses: tuple[str, ...]) -> list[NoteSigner]:
        return [NoteSigner(self.book.origin, self.book.key), *map(self.witness, witnesses)]

    def own_leaves(self) -> list[int]:
        """Return the indexes of the leaves in the bundle."""
        found = [n.removeprefix(LOG) for n in self.members if n.startswith(LOG)]
        return sorted(int(n.removesuffix(LEAF)) for n in found if n.endswith(LEAF))

    def leaf_of(self, name: str) -> int:
        """Return the index of a statement's leaf."""
        pae = Envelope.from_bytes(self.members[f"{STATEMENTS}{name}.dsse.json"]).digest()
        return next(i for i in self.own_leaves() if str(pae).encode() in self.leaves[i])

    def reprove(self, leaves: list[bytes], shown: list[int]) -> None:
        """Show other leaves of another log, that the same key has signed."""
        self.settle()
        for index in self.own_leaves():
            del self.members[f"{LOG}{index}{LEAF}"], self.members[f"{LOG}{index}{PROOF}"]
        self.leaves = leaves
        signers = self._signers(("w1", "w2"))
        self.members |= log_members(leaves, shown, *signers)

    def beat(self, *signers: EnvelopeSigner, **changes: Any) -> None:
        """Put a heartbeat beside the log: of its whole size and its newest leaf of the release."""
        self.settle()
        last = max(self.own_leaves())
        size = changes.pop("size", len(self.leaves))
        sequence = changes.pop("sequence", read_leaf(self.leaves[last]).sequence)
        newest = changes.pop("newest", leaf_hash(self.leaves[last]).hex())
        statement = heartbeat(
            center=changes.pop("center", "zurich"),
            log=Tree(
                size=size, root=Digest(changes.pop("root", MadeTree(self.leaves[:size]).root.hex()))
            ),
            heads=[
                Head(
                    release=changes.pop("release", RELEASE),
                    sequence=sequence,
                    newest=DigestSet(sha256=Digest(newest)),
                )
            ],
            releases=2,
            now=NOW,
        )
        assert not changes
        self.members[HEARTBEAT] = sign_envelope(
            statement.to_bytes(), *(signers or (self.key,))
        ).to_bytes()

    def to_bytes(self) -> bytes:
        """Return the bundle, with the right digests, whatever its members are."""
        self.settle()
        return Bundle(members=self.members, sums=sums_of(self.members)).to_bytes()

    def trust(self, *, policy: bool = True) -> Trust:
        """Return what one relies on who has the policy, or the key alone."""
        if not policy:
            return Trust(keys=(self.key.public,), now=self.now, max_age=self.max_age)
        rules = self.policy
        if rules != policy_for(self.key):  # a change needs a new version
            rules = {**rules, "version": rules["version"] + 1}
        signed = envelope(canonical_json(rules), *self.signers)
        return Trust(policy=signed, now=self.now, max_age=self.max_age)

    def check(self, *files: GivenFile, trusted: bool = True, policy: bool = True) -> CheckResult:
        """Check the bundle as one who has the policy; or trusts its key; or nothing."""
        trust = self.trust(policy=policy) if trusted else Trust()
        return check_bundle(self.to_bytes(), trust=trust, files=files)

    def _commitments(self) -> list[Entry]:
        made = self.book.commitments
        if made is None:
            try:
                report = Report.model_validate_json(self.members[REPORT])
            except (KeyError, ValueError):
                return []
            if report.seal is None or report.claim is None:
                return []
            made = [(report.run, report.claim, report.seal)]
        return [
            CommitmentEntry(center="zurich", release=RELEASE, run=run, claim=claim, seal=seal)
            for run, claim, seal in made
        ]

    def _entries(self) -> list[Entry]:
        found: list[Entry] = []
        for name in sorted(n for n in self.members if n.startswith(STATEMENTS)):
            try:
                made = Envelope.from_bytes(self.members[name])
                found.append(statement_entry(made))
            except (EvidenceError, ValueError, KeyError):
                continue
        return found

    def _digest(self, member: str) -> str:
        return str(Digest.of(Envelope.from_bytes(self.members[member]).payload))

    def _replace(self, member: str, before: str, after: str) -> None:
        payload = Envelope.from_bytes(self.members[member]).payload
        self.put(member, json.loads(payload.replace(before.encode(), after.encode())))


def made(folder: Path, key: PrivateKey, *, scene: str = "identical", **changes: Any) -> Altered:
    """Return the bundle of a scene with `changes`, with the build log as public evidence."""
    stage = Scene(folder=folder, **SCENES[scene] | changes)
    evidence = stage.make()
    envelopes = name_records(stage.signer(key).sign(evidence))
    house: Center = stage.center
    shown = FixedKey("zurich log").public
    members = {
        CARD: card_of(house, {"log": shown, "statements": key.public}).to_bytes(),
        f"{KEYS}log.pub": shown.to_pem(),
        STATEMENTS_KEY: key.public.to_pem(),
        REPORT: public_form(evidence.report).to_json(),
        **{f"{STATEMENTS}{name}": e.to_bytes() for name, e in envelopes.items()},
    }
    for attempt in evidence.report.attempts:
        log = attempt.rebuild.log
        if log:
            members[f"{EVIDENCE}{log}"] = stage.store.get(
                f"private/cas/sha256/{str(log)[:2]}/{log}", 1 << 20
            )
    policy = policy_for(key)
    members[POLICY] = envelope(canonical_json(policy), ALPHA)
    return Altered(key=key, members=members, policy=policy)


def policy_for(key: PrivateKey) -> Document:
    """Return the policy of two centers, one of them the scene's, and of two witnesses."""
    zurich = center("zurich", "zurich", "unspecified")
    zurich["keys"] = [{"key": key.public.to_pem().decode(), "from": 0, "until": None}]
    zurich["log"]["key"] = str(NoteSigner(f"{ORIGIN}zurich", FixedKey("zurich log")).key)
    lines = "".join(
        f"witness {n} {NoteSigner(f'{n}.example/witness', FixedKey(n), clock=lambda: NOW).key}\n"
        for n in ("w1", "w2")
    )
    rules: Document = {"k": 1, "regions": 1, "max_dissent": 0, "normalizers": []}
    return draft(
        operators=[{"name": "zurich", "legal": "Zurich AG", "key": ALPHA.pem}],
        threshold=1,
        centers=[zurich, center("basel", "zurich", "eu")],
        witnesses=f"{lines}group both 2 w1 w2\nquorum both\n",
        consensus={**rules, "kinds": {}},
    )


def statement_entry(made: Envelope, *, release: str = RELEASE) -> StatementEntry:
    """Return the entry of a statement, whatever is in it."""
    return StatementEntry(
        center="zurich",
        release=release,
        pae=made.digest(),
        keyid=made.signatures[0].keyid,
        predicate_type=json.loads(made.payload)["predicateType"],
    )


def other_entry(number: int) -> Entry:
    """Return an entry about another release."""
    return CommitmentEntry(
        center="zurich",
        release="acme/other@1",
        run=f"20260101T000000Z-{number:08x}",
        claim=Digest.of(b"claim"),
        seal=Digest.of(b"seal %d" % number),
    )


def old_entry(number: int) -> Entry:
    """Return a commitment of another run of the same release."""
    return CommitmentEntry(
        center="zurich",
        release=RELEASE,
        run=f"20260101T000000Z-{number:08x}",
        claim=Digest.of(b"claim"),
        seal=Digest.of(b"seal %d" % number),
    )


__all__ = [
    "CARD",
    "EVIDENCE",
    "KEYS",
    "POLICY",
    "REPORT",
    "STATEMENTS",
    "STATEMENTS_KEY",
    "Altered",
    "Maker",
    "made",
]
