"""Lies about a bundle's log and policy: each names the check that finds it, as those of `lies.py`.

Most are told by the center itself, with the keys of its statements and its log.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from builders.digest import Digest, canonical_json
from pipelines.bench.samplelog import chained, log_members
from pipelines.evidence.bundle.layout import HEARTBEAT, LEAF, LOG, OTHER, POLICY, PROOF
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign
from pipelines.evidence.signing import PrivateKey
from pipelines.log.leaf import CommitmentLeaf, Entry, read_leaf
from pipelines.log.merkle import leaf_hash
from pipelines.log.proof import LogProof
from pipelines.log.signers import LogSigner
from pipelines.report import Report
from tests.evidence.bundles import (
    REPORT,
    STATEMENTS,
    Altered,
    Document,
    statement_entry,
)
from tests.evidence.examples import STATEMENTS as EXAMPLES
from tests.evidence.lies import Lie, Tell, _both, _hidden, _without
from tests.log.keys import FixedKey
from tests.policy.world import EVE, EXPIRES

_ATTEMPT = f"{STATEMENTS}attempt-1.dsse.json"
_SIDE = "20260102T030405Z-ffffffff"
"""A run side by side with the one that the bundle is about."""


def amid(
    altered: Altered,
    *,
    run: str | None = _SIDE,
    signer: EnvelopeSigner | None = None,
    keyid: str | None = None,
) -> str:
    """Log the attempt of another run among the leaves, and return the member that shows it."""
    document = json.loads(Envelope.from_bytes(altered.members[_ATTEMPT]).payload)
    document["predicate"]["run"] = run
    if run is None:
        document = EXAMPLES["review"].to_dict()
    made = sign(canonical_json(document), signer or altered.key)
    entry = statement_entry(made)
    if keyid:
        entry = statement_entry(Envelope(payload=made.payload, signatures=(_named(made, keyid),)))
    altered.book.order = lambda own: [*own[:2], entry, *own[2:]]
    altered.settle()
    index = next(
        i for i in altered.own_leaves() if str(made.digest()).encode() in altered.leaves[i]
    )
    member = f"{LOG}{index}{OTHER}"
    altered.members[member] = made.to_bytes()
    return member


def _named(made: Envelope, keyid: str) -> Any:
    from dataclasses import replace

    return replace(made.signatures[0], keyid=keyid)


def _amid(change: Callable[[Altered, str], object], **how: Any) -> Tell:
    def tell(altered: Altered, other: PrivateKey) -> None:
        change(altered, amid(altered, **how))

    return tell


def _nothing(altered: Altered, member: str) -> None:
    pass


def _settled(*tells: Tell) -> Tell:
    """Change what stands in the bundle once it is logged."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        altered.settle()
        _both(*tells)(altered, other)

    return tell


def _unshown(name: str) -> Tell:
    """Leave out the leaf of a statement, and its proof."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        altered.settle()
        _drop_leaf(altered, altered.leaf_of(name))

    return tell


def _drop_leaf(altered: Altered, index: int) -> None:
    del altered.members[f"{LOG}{index}{LEAF}"], altered.members[f"{LOG}{index}{PROOF}"]


def _do(*changes: Callable[[Altered], object]) -> Tell:
    """Change one thing after the other in what is logged already."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        altered.settle()
        for change in changes:
            change(altered)

    return tell


def _strip(altered: Altered) -> None:
    for index in altered.own_leaves():
        _drop_leaf(altered, index)


def _bend(altered: Altered) -> None:
    index = altered.own_leaves()[-1]
    bent = altered.leaves[index].replace(b"rules@1.10", b"rules@1.11")
    altered.members[f"{LOG}{index}{LEAF}"] = bent


def _first(altered: Altered, suffix: str) -> str:
    return f"{LOG}{altered.own_leaves()[0]}{suffix}"


def _book(**changes: Any) -> Tell:
    def tell(altered: Altered, other: PrivateKey) -> None:
        for name, value in changes.items():
            setattr(altered.book, name, value)

    return tell


def _policy(change: Callable[[Document], object]) -> Tell:
    return lambda a, _: change(a.policy)


def _reader(**changes: Any) -> Tell:
    def tell(altered: Altered, other: PrivateKey) -> None:
        for name, value in changes.items():
            setattr(altered, name, value)

    return tell


def _log_key(altered: Altered, other: PrivateKey) -> None:
    altered.members["keys/log.pub"] = other.public.to_pem()
    altered.card(lambda d: d["keys"][0].update(keyid=other.public.keyid))


def _ended(altered: Altered, other: PrivateKey) -> None:
    """Let the key end where the run's last statement stands."""
    altered.settle()
    altered.policy["centers"][0]["keys"][0]["until"] = altered.own_leaves()[-1]


def _proof(change: Callable[[LogProof], LogProof]) -> Tell:
    """Change the proof of the last leaf."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        altered.settle()
        member = f"{LOG}{altered.own_leaves()[-1]}{PROOF}"
        altered.members[member] = change(LogProof.parse(altered.members[member])).to_bytes()

    return tell


def _with(proof: LogProof, **changes: Any) -> LogProof:
    from dataclasses import replace

    return replace(proof, **changes)


def _another_checkpoint(altered: Altered, other: PrivateKey) -> None:
    """Prove the last leaf under a checkpoint of its own, which is sound too."""
    altered.settle()
    last = altered.own_leaves()[-1]
    signer = LogSigner(altered.book.origin, altered.book.key)
    altered.members |= log_members(altered.leaves, [last], signer, size=last + 1)


def _leaves(change: Callable[[list[bytes], list[int]], object]) -> Tell:
    """Sign another log with other leaves, and show those."""

    def tell(altered: Altered, other: PrivateKey) -> None:
        altered.settle()
        leaves, shown = list(altered.leaves), altered.own_leaves()
        change(leaves, shown)
        altered.reprove(leaves, shown)

    return tell


def _last(**changes: Any) -> Tell:
    """Change a field of the last leaf."""

    def change(leaves: list[bytes], shown: list[int]) -> None:
        document = json.loads(leaves[shown[-1]])
        leaves[shown[-1]] = canonical_json(document | changes)

    return _leaves(change)


def _again(leaves: list[bytes], shown: list[int]) -> None:
    """Log the run's last statement once more."""
    last = json.loads(leaves[shown[-1]])
    again = {"sequence": last["sequence"] + 1, "previous": leaf_hash(leaves[shown[-1]]).hex()}
    leaves.append(canonical_json(last | again))
    shown.append(len(leaves) - 1)


def _commitments(*changes: dict[str, Any]) -> Tell:
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


def _two_commitments(altered: Altered, other: PrivateKey) -> None:
    """Commit to something else first: no journal logs both, a liar's does."""

    def change(leaves: list[bytes], shown: list[int]) -> None:
        first = json.loads(leaves[shown[0]])
        entries = [_entry_of(leaf) for leaf in leaves]
        entries.insert(shown[0], _entry_of(canonical_json(first | {"seal": "e" * 64})))
        leaves[:] = chained(entries)
        shown.append(shown[-1] + 1)

    _leaves(change)(altered, other)


def _entry_of(data: bytes) -> Entry:
    from pipelines.log.leaf import CommitmentEntry, StatementEntry

    fields = vars(read_leaf(data))
    kind = CommitmentEntry if isinstance(read_leaf(data), CommitmentLeaf) else StatementEntry
    return kind(**{name: fields[name] for name in kind.__dataclass_fields__})


def _beat(**changes: Any) -> Tell:
    return lambda a, _: a.beat(**changes)


def _beat_under_an_ended_key(altered: Altered, other: PrivateKey) -> None:
    altered.beat()
    altered.policy["centers"][0]["keys"][0]["until"] = len(altered.leaves)


def _stale(altered: Altered, other: PrivateKey) -> None:
    """Show a checkpoint from before the newest heartbeat."""
    size = len(altered.book.before) + 5
    altered.book.size = size
    altered.settle()
    altered.beat(size=len(altered.leaves))


def _beat_indented(altered: Altered, other: PrivateKey) -> None:
    altered.beat()
    altered.members[HEARTBEAT] = json.dumps(json.loads(altered.members[HEARTBEAT])).encode()


def _beat_of_a_review(altered: Altered, other: PrivateKey) -> None:
    altered.put(HEARTBEAT, EXAMPLES["review"].to_dict())


def _moved(altered: Altered) -> None:
    """Show a statement of this run as one of another."""
    index = altered.leaf_of("comparison-2")
    altered.members[f"{LOG}{index}{OTHER}"] = altered.members.pop(
        f"{STATEMENTS}comparison-2.dsse.json"
    )


def _unseen(altered: Altered, other: PrivateKey) -> None:
    """Log a difference, tell the rest without it, and leave its leaf out too."""
    made = Envelope.from_bytes(altered.members[f"{STATEMENTS}comparison-1.dsse.json"])
    _hidden(altered, other)
    altered.book.order = lambda own: [*own[:2], statement_entry(made), *own[2:]]
    altered.settle()
    _drop_leaf(altered, altered.own_leaves()[2])


def _card(field: str, value: str) -> Tell:
    return lambda a, _: a.card(lambda d: d.update({field: value}))


_DAY = timedelta(days=1)

LIES: dict[str, Lie] = {
    "card-of-another-operator": Lie("policy", _card("operator", "x"), says="another operator"),
    "card-of-another-region": Lie("policy", _card("region", "moon"), says="another region"),
    "card-of-another-builder-than-the-policy": Lie(
        "policy", _card("builder_id", "https://x.example/b"), says="another builder"
    ),
    "card-of-another-verifier": Lie(
        "policy", _card("verifier_id", "https://x.example/v"), says="another verifier"
    ),
    "card-with-another-key-of-the-log": Lie("policy", _log_key, says="key of the log"),
    "center-that-the-policy-does-not-know": Lie(
        "policy", _policy(lambda p: p["centers"].pop(0)), says="no such center"
    ),
    "policy-without-centers": Lie(
        "policy", _policy(lambda p: p.update(centers=[])), says="the policy is empty"
    ),
    "policy-that-has-expired": Lie("policy", _reader(now=EXPIRES), says="has expired"),
    "policy-signed-by-nobody-known": Lie("policy", _reader(signers=(EVE,)), says="signatures"),
    "policy-with-too-few-signatures": Lie(
        "policy",
        _policy(
            lambda p: p.update(
                operators=[
                    *p["operators"],
                    {"name": "eve", "legal": "Eve Ltd", "key": EVE.pem},
                ],
                threshold=2,
            )
        ),
        says="signatures",
    ),
    "policy-brought-along-is-rubbish": Lie(
        "given-policy", lambda a, _: a.members.update({POLICY: b"{}"})
    ),
    "signed-with-another-centers-key": Lie(
        "signatures",
        lambda a, _: a.policy["centers"][0].update(
            keys=[{"key": FixedKey("later").public.to_pem().decode(), "from": 0, "until": None}]
        ),
    ),
    "without-leaves": Lie(
        "leaves",
        _do(_strip),
        says="nothing of the center's log",
        unchecked=True,
    ),
    "leaf-without-its-proof": Lie(
        "leaves",
        _do(lambda a: a.members.pop(_first(a, PROOF))),
        says="stands alone",
    ),
    "proof-without-its-leaf": Lie(
        "leaves",
        _do(lambda a: a.members.pop(_first(a, LEAF))),
        says="stands alone",
    ),
    "statement-of-a-leaf-that-is-not-there": Lie(
        "leaves",
        lambda a, _: a.members.update({f"{LOG}999{OTHER}": a.members[_ATTEMPT]}),
        says="stands alone",
    ),
    "proof-of-another-leaf": Lie(
        "leaves", _proof(lambda p: _with(p, index=p.index + 1)), says="of another leaf"
    ),
    "proof-with-more-than-is-signed": Lie(
        "leaves", _proof(lambda p: _with(p, extra=b"verified")), says="nobody has signed"
    ),
    "proof-under-another-checkpoint": Lie(
        "leaves", _another_checkpoint, says="several checkpoints"
    ),
    "leaf-rubbish": Lie(
        "leaves",
        _do(lambda a: a.members.update({_first(a, LEAF): b"{}"})),
        says="malformed",
    ),
    "proof-forged": Lie(
        "inclusion", _proof(lambda p: _with(p, hashes=(b"\1" * 32, *p.hashes[1:])))
    ),
    "proof-too-short": Lie("inclusion", _proof(lambda p: _with(p, hashes=p.hashes[1:]))),
    "leaf-bent": Lie("inclusion", _do(_bend)),
    "checkpoint-by-another-key": Lie("inclusion", _book(key=FixedKey("other log"))),
    "checkpoint-of-another-log": Lie(
        "inclusion", _book(origin="samebits.example/centers/basel"), says="not signed by"
    ),
    "difference-left-out-but-logged": Lie(
        "logged",
        _settled(_hidden),
        "different",
        says="the bundle has not",
    ),
    "attempt-left-out-but-logged": Lie(
        "logged",
        _settled(
            _without("attempt-2"),
            lambda a, _: a.report(lambda d: d["attempts"].pop(1)),
        ),
        "confirmed",
        says="the bundle has not",
    ),
    "payload-replaced": Lie(
        "logged",
        _settled(
            lambda a, _: a.statement(
                "comparison-2", lambda d: d["predicate"].update(normalizers=[])
            ),
            lambda a, _: a.every("attempt", lambda d: d["predicate"].update(peakMemory=3)),
            lambda a, _: a.report(lambda d: d["attempts"][0]["rebuild"].update(peak_memory=3)),
        ),
        says="the bundle has not",
    ),
    "statement-that-was-never-logged": Lie(
        "logged", _unshown("provenance-1"), says="is not in the log"
    ),
    "leaf-of-another-center": Lie("logged", _last(center="basel"), says="about something else"),
    "leaf-of-another-release": Lie(
        "logged", _last(release="acme/rules@1.11"), says="about something else"
    ),
    "leaf-of-another-kind": Lie(
        "logged", _last(predicateType="https://samebits.example/x/v1"), says="another kind"
    ),
    "leaf-of-another-key": Lie("logged", _last(keyid="e" * 64), says="another key"),
    "statement-logged-twice": Lie("logged", _leaves(_again), says="in the log twice"),
    "another-runs-statement-hidden": Lie(
        "logged", _amid(lambda a, m: a.members.pop(m)), says="the bundle has not"
    ),
    "another-statement-shown-for-it": Lie(
        "logged",
        _amid(lambda a, m: a.members.update({m: a.members[_ATTEMPT]})),
        says="is of another leaf",
    ),
    "another-runs-statement-indented": Lie(
        "logged",
        _amid(lambda a, m: a.members.update({m: json.dumps(json.loads(a.members[m])).encode()})),
        says="another spelling",
    ),
    "another-runs-statement-by-another": Lie(
        "logged", lambda a, o: amid(a, signer=o), says="not signed by the known keys"
    ),
    "another-runs-statement-under-another-key-id": Lie(
        "logged", _amid(_nothing, keyid="e" * 64), says="tells another key"
    ),
    "this-runs-statement-shown-as-anothers": Lie("logged", _do(_moved), says="not of another run"),
    "statement-of-no-run-among-the-leaves": Lie(
        "logged", _amid(_nothing, run=None), says="not of another run"
    ),
    "another-runs-statement-of-no-leaf": Lie(
        "logged",
        _do(lambda a: a.members.update({_first(a, OTHER): a.members[_ATTEMPT]})),
        says="is of no leaf",
    ),
    "difference-and-its-leaf-left-out": Lie(
        "chain",
        _unseen,
        "different",
        says="a leaf is missing",
    ),
    "leaf-that-names-another-before-it": Lie(
        "chain", _last(previous="e" * 64), says="names another one before it"
    ),
    "last-statement-and-its-leaf-left-out": Lie(
        "built",
        _both(
            _unshown("provenance-1"),
            lambda a, _: a.members.pop(f"{STATEMENTS}provenance-1.dsse.json"),
        ),
    ),
    "no-commitment": Lie("commitment", _commitments(), says="committed to nothing"),
    "commitment-to-another-seal": Lie(
        "commitment", _commitments({"seal": Digest("e" * 64)}), says="something else"
    ),
    "commitment-to-another-claim": Lie(
        "commitment", _commitments({"claim": Digest("e" * 64)}), says="something else"
    ),
    "commitment-of-another-run": Lie(
        "commitment", _commitments({"run": _SIDE}), says="committed to nothing"
    ),
    "commitment-after-the-look": Lie(
        "commitment",
        _book(order=lambda own: [own[1], own[0], *own[2:]]),
        says="looked before it committed",
    ),
    "committed-twice": Lie("commitment", _two_commitments, says="more than once"),
    "commitment-without-a-build": Lie(
        "commitment", _commitments({}), "failed", says="a build that never was"
    ),
    "statement-after-the-end-of-its-key": Lie("key-time", _ended, says="has ended"),
    "statement-before-the-start-of-its-key": Lie(
        "key-time",
        _policy(lambda p: p["centers"][0]["keys"][0].update({"from": 4})),
        says="does not count yet",
    ),
    "one-witness-of-two": Lie("witnesses", _book(witnesses=("w1",)), says="too few witnesses"),
    "no-witness": Lie("witnesses", _book(witnesses=()), says="got none"),
    "checkpoint-too-old": Lie(
        "fresh",
        _both(_reader(max_age=_DAY), lambda a, _: setattr(a.book, "seen", a.now - 2 * _DAY)),
        says="is stale",
    ),
    "checkpoint-that-one-witness-alone-saw-of-late": Lie(
        "fresh", _both(_reader(max_age=_DAY), _book(late=("w1",))), says="is stale"
    ),
    "checkpoint-of-the-future": Lie(
        "fresh",
        _both(_reader(max_age=_DAY), lambda a, _: setattr(a.book, "seen", a.now + _DAY)),
        says="is stale",
    ),
    "checkpoint-that-nobody-dated": Lie(
        "fresh",
        _both(
            _reader(max_age=_DAY),
            _book(witnesses=()),
            _policy(lambda p: p.update(witnesses="quorum none\n")),
        ),
        says="This policy names no witness",
    ),
    "checkpoint-dated-where-no-policy-is": Lie(
        "fresh", _reader(max_age=_DAY), policy=False, says="is stale"
    ),
    "checkpoint-older-than-the-heartbeat": Lie("fresh", _stale, says="is stale"),
    "heartbeat-rubbish": Lie("fresh", lambda a, _: a.members.update({HEARTBEAT: b"{}"})),
    "heartbeat-indented": Lie("fresh", _beat_indented, says="another spelling"),
    "heartbeat-that-is-a-review": Lie("fresh", _beat_of_a_review, says="a heartbeat of the"),
    "heartbeat-by-another": Lie("fresh", lambda a, o: a.beat(o), says="not signed by"),
    "heartbeat-of-another-center": Lie(
        "fresh", _beat(center="basel"), says="heartbeat is of another center"
    ),
    "heartbeat-after-the-end-of-its-key": Lie("fresh", _beat_under_an_ended_key, says="has ended"),
    "heartbeat-of-another-root": Lie("fresh", _beat(root="e" * 64), says="two roots"),
    "heartbeat-of-another-head": Lie("fresh", _beat(newest="e" * 64), says="names another leaf"),
}
