"""The changes that lies about a bundle's log and policy are made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from builders.core.digest import Digest, canonical_json
from infra.bench.samplelog import chained, log_members
from pipelines.bundle.layout import HEARTBEAT, LEAF, LOG, OTHER, PROOF
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign_envelope
from pipelines.evidence.privatekey import PrivateKey
from pipelines.evidence.report import Report
from pipelines.log.leaf import CommitmentEntry, CommitmentLeaf, Entry, StatementEntry, read_leaf
from pipelines.log.merkle import leaf_hash
from pipelines.log.note import NoteSigner
from pipelines.log.proof import LogProof
from tests.bundle import stories
from tests.bundle.bundles import REPORT, Altered, Document, statement_entry
from tests.bundle.tells import ATTEMPT, COMPARISON, Tell, both, member_of, payload_of
from tests.evidence.examples import STATEMENTS as EXAMPLES

SIDE = "20260102T030405Z-ffffffff"
"""A run side by side with the one that the bundle is about."""


def amid(
    altered: Altered,
    *,
    run: str | None = SIDE,
    signer: EnvelopeSigner | None = None,
    keyid: str | None = None,
    place: int = 2,
) -> str:
    """Log the attempt of another run among the leaves, and return the member that shows it."""
    document = payload_of(altered, member_of(ATTEMPT))
    document["predicate"]["run"] = run
    if run is None:
        document = EXAMPLES["review"].to_dict()
    made = sign_envelope(canonical_json(document), signer or altered.key)
    entry = statement_entry(made)
    if keyid:
        entry = statement_entry(
            made.model_copy(
                update={"signatures": (made.signatures[0].model_copy(update={"keyid": keyid}),)}
            )
        )
    altered.book.order = lambda own: [*own[:place], entry, *own[place:]]
    altered.settle()
    index = next(
        i for i in altered.own_leaves() if str(made.digest()).encode() in altered.leaves[i]
    )
    member = f"{LOG}{index}{OTHER}"
    altered.members[member] = made.to_bytes()
    return member


def beside(change: Callable[[Altered, str], object], **how: Any) -> Tell:
    """Log the attempt of another run, as `amid` does, and change what shows it."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        change(altered, amid(altered, **how))

    return tell


def nothing(altered: Altered, member: str) -> None:
    pass


def settled(*tells: Tell) -> Tell:
    """Change what stands in the bundle once it is logged."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        altered.settle()
        both(*tells)(altered, other)

    return tell


def unshown(name: str) -> Tell:
    """Leave out the leaf of a statement, and its proof."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        altered.settle()
        _drop_leaf(altered, altered.leaf_of(name))

    return tell


def _drop_leaf(altered: Altered, index: int) -> None:
    del altered.members[f"{LOG}{index}{LEAF}"], altered.members[f"{LOG}{index}{PROOF}"]


def afterwards(*changes: Callable[[Altered], object]) -> Tell:
    """Change one thing after the other in what is logged already."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        altered.settle()
        for change in changes:
            change(altered)

    return tell


def without_leaves(altered: Altered) -> None:
    for index in altered.own_leaves():
        _drop_leaf(altered, index)


def bent_leaf(altered: Altered) -> None:
    index = altered.own_leaves()[-1]
    bent = altered.leaves[index].replace(b"rules@1.10", b"rules@1.11")
    altered.members[f"{LOG}{index}{LEAF}"] = bent


def first_leaf(altered: Altered, suffix: str) -> str:
    """Return the member beside the first leaf, or the leaf itself."""
    return f"{LOG}{altered.own_leaves()[0]}{suffix}"


def book(**changes: Any) -> Tell:
    """Change fields of the log that the bundle is made from."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        for name, value in changes.items():
            setattr(altered.book, name, value)

    return tell


def log_that_forked(altered: Altered, _: PrivateKey) -> None:
    """Let the policy accept another history of the log than that of the proofs."""
    tree = {"size": 1000, "root": "d" * 64}
    altered.policy["centers"][0]["keys"][0]["until"] = tree["size"]
    altered.policy["resolutions"] = [
        {
            "log": altered.book.origin,
            "accepted": tree,
            "rejected": [tree | {"root": "e" * 64}],
            "reason": "restored",
        }
    ]


def in_policy(change: Callable[[Document], object]) -> Tell:
    return lambda a, _: change(a.policy)


def reader(**changes: Any) -> Tell:
    """Change what the reader has and asks for."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        for name, value in changes.items():
            setattr(altered, name, value)

    return tell


def another_log_key(altered: Altered, other: PrivateKey) -> None:
    altered.members["keys/log.pub"] = other.public.to_pem()
    altered.card(lambda d: d["keys"][0].update(keyid=other.public.keyid))


def ended_key(altered: Altered, other: PrivateKey) -> None:
    """Let the key end where the run's last statement stands."""
    altered.settle()
    altered.policy["centers"][0]["keys"][0]["until"] = altered.own_leaves()[-1]


def last_proof(change: Callable[[LogProof], LogProof]) -> Tell:
    """Change the proof of the last leaf."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        altered.settle()
        member = f"{LOG}{altered.own_leaves()[-1]}{PROOF}"
        altered.members[member] = change(LogProof.parse(altered.members[member])).to_bytes()

    return tell


def another_checkpoint(altered: Altered, other: PrivateKey) -> None:
    """Prove the last leaf under a checkpoint of its own, which is sound too."""
    altered.settle()
    last = altered.own_leaves()[-1]
    signer = NoteSigner(altered.book.origin, altered.book.key)
    altered.members |= log_members(altered.leaves, [last], signer, size=last + 1)


def relogged(change: Callable[[list[bytes], list[int]], object]) -> Tell:
    """Sign another log with other leaves, and show those."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        altered.settle()
        leaves, shown = list(altered.leaves), altered.own_leaves()
        change(leaves, shown)
        altered.reprove(leaves, shown)

    return tell


def last_leaf(**changes: Any) -> Tell:
    """Change a field of the last leaf."""

    def change(leaves: list[bytes], shown: list[int]) -> None:
        document = json.loads(leaves[shown[-1]])
        leaves[shown[-1]] = canonical_json(document | changes)

    return relogged(change)


def logged_again(leaves: list[bytes], shown: list[int]) -> None:
    """Log the run's last statement once more."""
    last = json.loads(leaves[shown[-1]])
    again = {"sequence": last["sequence"] + 1, "previous": leaf_hash(leaves[shown[-1]]).hex()}
    leaves.append(canonical_json(last | again))
    shown.append(len(leaves) - 1)


def commitments(*changes: dict[str, Any]) -> Tell:
    """Commit to these, in place of what the report has."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        report = Report.model_validate_json(altered.members[REPORT])
        honest: dict[str, Any] = {
            "run": report.run,
            "claim": report.claim or Digest.of(b"x"),
            "seal": report.seal or Digest.of(b"x"),
        }
        made = [honest | change for change in changes]
        altered.book.commitments = [(m["run"], m["claim"], m["seal"]) for m in made]

    return tell


def two_commitments(altered: Altered, other: PrivateKey) -> None:
    """Commit to something else first: no journal logs both, a liar's does."""

    def change(leaves: list[bytes], shown: list[int]) -> None:
        first = json.loads(leaves[shown[0]])
        entries = [_entry_of(leaf) for leaf in leaves]
        entries.insert(shown[0], _entry_of(canonical_json(first | {"seal": "e" * 64})))
        leaves[:] = chained(entries)
        shown.append(shown[-1] + 1)

    relogged(change)(altered, other)


def _entry_of(data: bytes) -> Entry:
    fields = vars(read_leaf(data))
    kind = CommitmentEntry if isinstance(read_leaf(data), CommitmentLeaf) else StatementEntry
    return kind(**{name: fields[name] for name in kind.__dataclass_fields__})


def beat(**changes: Any) -> Tell:
    """Put a heartbeat beside the log, with other fields than the honest one."""
    return lambda a, _: a.beat(**changes)


def beat_under_an_ended_key(altered: Altered, other: PrivateKey) -> None:
    altered.beat()
    altered.policy["centers"][0]["keys"][0]["until"] = len(altered.leaves)


def stale_checkpoint(altered: Altered, other: PrivateKey) -> None:
    """Show a checkpoint from before the newest heartbeat."""
    size = len(altered.book.before) + 5
    altered.book.size = size
    altered.settle()
    altered.beat(size=len(altered.leaves))


def beat_indented(altered: Altered, other: PrivateKey) -> None:
    altered.beat()
    altered.members[HEARTBEAT] = json.dumps(json.loads(altered.members[HEARTBEAT])).encode()


def beat_of_a_review(altered: Altered, other: PrivateKey) -> None:
    altered.put(HEARTBEAT, EXAMPLES["review"].to_dict())


def shown_as_anothers(altered: Altered) -> None:
    """Show a statement of this run as one of another."""
    index = altered.leaf_of("comparison-2")
    altered.members[f"{LOG}{index}{OTHER}"] = altered.members.pop(member_of("comparison-2"))


def unseen(altered: Altered, other: PrivateKey) -> None:
    """Log a difference, tell the rest without it, and leave its leaf out too."""
    made = Envelope.from_bytes(altered.members[member_of(COMPARISON)])
    stories.hidden(altered, other)
    altered.book.order = lambda own: [*own[:2], statement_entry(made), *own[2:]]
    altered.settle()
    _drop_leaf(altered, altered.own_leaves()[2])
