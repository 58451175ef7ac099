"""Lies about a bundle's log and policy: each names the check that finds it, as those of `lies.py`.

Most are told by the center itself, with the keys of its statements and its log.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from builders.core.digest import Digest
from pipelines.bundle.layout import HEARTBEAT, LEAF, LOG, OTHER, POLICY, PROOF
from tests.bundle import stories
from tests.bundle.logtells import (
    SIDE,
    afterwards,
    amid,
    another_checkpoint,
    another_log_key,
    beat,
    beat_indented,
    beat_of_a_review,
    beat_under_an_ended_key,
    bent_leaf,
    beside,
    book,
    commitments,
    ended_key,
    first_leaf,
    in_policy,
    last_leaf,
    last_proof,
    log_that_forked,
    logged_again,
    nothing,
    reader,
    relogged,
    settled,
    shown_as_anothers,
    stale_checkpoint,
    two_commitments,
    unseen,
    unshown,
    without_leaves,
)
from tests.bundle.tells import ATTEMPT, PROVENANCE, Lie, both, in_card, in_one, member_of, without
from tests.log.keys import FixedKey
from tests.policy.world import EVE, EXPIRES

_DAY = timedelta(days=1)

LIES: dict[str, Lie] = {
    "card-of-another-operator": Lie("policy", in_card("operator", "x"), says="another operator"),
    "card-of-another-region": Lie("policy", in_card("region", "moon"), says="another region"),
    "card-of-another-builder-than-the-policy": Lie(
        "policy", in_card("builder_id", "https://x.example/b"), says="another builder"
    ),
    "card-of-another-verifier": Lie(
        "policy", in_card("verifier_id", "https://x.example/v"), says="another verifier"
    ),
    "card-with-another-key-of-the-log": Lie("policy", another_log_key, says="key of the log"),
    "center-that-the-policy-does-not-know": Lie(
        "policy", in_policy(lambda p: p["centers"].pop(0)), says="no such center"
    ),
    "policy-without-centers": Lie(
        "policy", in_policy(lambda p: p.update(centers=[])), says="the policy is empty"
    ),
    "policy-that-has-expired": Lie("policy", reader(now=EXPIRES), says="has expired"),
    "policy-signed-by-nobody-known": Lie("policy", reader(signers=(EVE,)), says="signatures"),
    "policy-with-too-few-signatures": Lie(
        "policy",
        in_policy(
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
        afterwards(without_leaves),
        says="nothing of the center's log",
    ),
    "leaf-without-its-proof": Lie(
        "leaves",
        afterwards(lambda a: a.members.pop(first_leaf(a, PROOF))),
        says="stands alone",
    ),
    "proof-without-its-leaf": Lie(
        "leaves",
        afterwards(lambda a: a.members.pop(first_leaf(a, LEAF))),
        says="stands alone",
    ),
    "statement-of-a-leaf-that-is-not-there": Lie(
        "envelopes",
        lambda a, _: a.members.update({f"{LOG}999{OTHER}": a.members[member_of(ATTEMPT)]}),
        says="in the bundle twice",
    ),
    "proof-of-another-leaf": Lie(
        "leaves", last_proof(lambda p: replace(p, index=p.index + 1)), says="of another leaf"
    ),
    "proof-with-more-than-is-signed": Lie(
        "leaves",
        last_proof(lambda p: replace(p, extra=b"verified")),
        says="data that is not signed",
    ),
    "proof-under-another-checkpoint": Lie("leaves", another_checkpoint, says="several checkpoints"),
    "leaf-rubbish": Lie(
        "leaves",
        afterwards(lambda a: a.members.update({first_leaf(a, LEAF): b"{}"})),
        says="malformed",
    ),
    "proof-forged": Lie(
        "inclusion", last_proof(lambda p: replace(p, hashes=(b"\1" * 32, *p.hashes[1:])))
    ),
    "proof-too-short": Lie("inclusion", last_proof(lambda p: replace(p, hashes=p.hashes[1:]))),
    "leaf-bent": Lie("inclusion", afterwards(bent_leaf)),
    "checkpoint-by-another-key": Lie("inclusion", book(key=FixedKey("other log"))),
    "checkpoint-of-another-log": Lie(
        "inclusion", book(origin="samebits.example/centers/basel"), says="not signed by"
    ),
    "difference-left-out-but-logged": Lie(
        "logged",
        settled(stories.hidden),
        "different",
        says="the bundle has not",
    ),
    "explanation-left-out-but-logged": Lie(
        "logged", settled(without("explanation-1")), "confirmed", says="the bundle has not"
    ),
    "predicate-type-that-is-a-number": Lie(
        "schema", settled(in_one(ATTEMPT, "predicateType", 7)), says="predicateType"
    ),
    "payload-replaced": Lie(
        "logged",
        settled(
            lambda a, _: a.statement(
                "comparison-2", lambda d: d["predicate"].update(normalizers=[])
            ),
            lambda a, _: a.every("attempt", lambda d: d["predicate"].update(peakMemory=3)),
            lambda a, _: a.report(lambda d: d["attempts"][0]["rebuild"].update(peak_memory=3)),
        ),
        says="the bundle has not",
    ),
    "statement-that-was-never-logged": Lie("logged", unshown(PROVENANCE), says="is not in the log"),
    "leaf-of-another-center": Lie("chain", last_leaf(center="basel"), says="about something else"),
    "leaf-of-another-release": Lie(
        "chain", last_leaf(release="acme/rules@1.11"), says="about something else"
    ),
    "leaf-of-another-kind": Lie(
        "logged", last_leaf(predicateType="https://samebits.example/x/v1"), says="another type"
    ),
    "leaf-of-another-key": Lie("logged", last_leaf(keyid="e" * 64), says="another key"),
    "statement-logged-twice": Lie("logged", relogged(logged_again), says="in the log twice"),
    "another-runs-statement-hidden": Lie(
        "logged", beside(lambda a, m: a.members.pop(m)), says="the bundle has not"
    ),
    "another-statement-shown-for-it": Lie(
        "envelopes",
        beside(lambda a, m: a.members.update({m: a.members[member_of(ATTEMPT)]})),
        says="in the bundle twice",
    ),
    "another-runs-statement-indented": Lie(
        "envelopes",
        beside(lambda a, m: a.members.update({m: json.dumps(json.loads(a.members[m])).encode()})),
        says="is not canonical",
    ),
    "another-runs-statement-by-another": Lie(
        "signatures", lambda a, o: amid(a, signer=o), says="not signed by the known keys"
    ),
    "another-runs-statement-under-another-key-id": Lie(
        "logged", beside(nothing, keyid="e" * 64), says="names another key"
    ),
    "this-runs-statement-shown-as-anothers": Lie(
        "run", afterwards(shown_as_anothers), says="not of another run"
    ),
    "statement-of-no-run-among-the-leaves": Lie(
        "run", beside(nothing, run=None), says="not about a run"
    ),
    "another-runs-statement-of-no-leaf": Lie(
        "envelopes",
        afterwards(
            lambda a: a.members.update({first_leaf(a, OTHER): a.members[member_of(ATTEMPT)]})
        ),
        says="in the bundle twice",
    ),
    "difference-and-its-leaf-left-out": Lie(
        "chain",
        unseen,
        "different",
        says="a leaf is missing",
    ),
    "leaf-that-names-another-before-it": Lie(
        "chain", last_leaf(previous="e" * 64), says="names another one before it"
    ),
    "last-statement-and-its-leaf-left-out": Lie(
        "built",
        both(
            unshown(PROVENANCE),
            lambda a, _: a.members.pop(member_of(PROVENANCE)),
        ),
    ),
    "no-commitment": Lie("commitment", commitments(), says="no commitment"),
    "commitment-to-another-seal": Lie(
        "commitment", commitments({"seal": Digest("e" * 64)}), says="another claim or seal"
    ),
    "commitment-to-another-claim": Lie(
        "commitment", commitments({"claim": Digest("e" * 64)}), says="another claim or seal"
    ),
    "commitment-of-another-run": Lie(
        "commitment", commitments({"run": SIDE}), says="no commitment"
    ),
    "commitment-after-the-look": Lie(
        "commitment",
        book(order=lambda own: [own[1], own[0], *own[2:]]),
        says="after its statements",
    ),
    "committed-twice": Lie("commitment", two_commitments, says="more than once"),
    "commitment-without-a-build": Lie(
        "commitment", commitments({}), "failed", says="a build that never was"
    ),
    "statement-after-the-end-of-its-key": Lie("key-time", ended_key, says="has ended"),
    "statement-before-the-start-of-its-key": Lie(
        "key-time",
        in_policy(lambda p: p["centers"][0]["keys"][0].update({"from": 4})),
        says="does not count yet",
    ),
    "one-witness-of-two": Lie("witnesses", book(witnesses=("w1",)), says="too few witnesses"),
    "witness-of-the-operator-itself": Lie(
        "witnesses",
        in_policy(lambda p: p["centers"][0].update(witness=p["witnesses"].split()[2])),
        says="too few witnesses; got w2;",
    ),
    "proof-of-a-history-that-was-not-accepted": Lie(
        "witnesses", log_that_forked, says="not of the history that its operators accept"
    ),
    "no-witness": Lie("witnesses", book(witnesses=()), says="got none"),
    "checkpoint-too-old": Lie(
        "fresh",
        both(reader(max_age=_DAY), lambda a, _: setattr(a.book, "seen", a.now - 2 * _DAY)),
        says="Export it again once the witnesses",
    ),
    "checkpoint-that-one-witness-alone-saw-of-late": Lie(
        "fresh", both(reader(max_age=_DAY), book(late=("w1",))), says="is stale"
    ),
    "checkpoint-of-the-future": Lie(
        "fresh",
        both(reader(max_age=_DAY), lambda a, _: setattr(a.book, "seen", a.now + _DAY)),
        says="is stale",
    ),
    "checkpoint-that-nobody-dated": Lie(
        "fresh",
        both(
            reader(max_age=_DAY),
            book(witnesses=()),
            in_policy(lambda p: p.update(witnesses="quorum none\n")),
        ),
        says="This policy names no witness",
    ),
    "checkpoint-dated-where-no-policy-is": Lie(
        "fresh", reader(max_age=_DAY), policy=False, says="is stale"
    ),
    "checkpoint-older-than-the-heartbeat": Lie("fresh", stale_checkpoint, says="is stale"),
    "heartbeat-rubbish": Lie("fresh", lambda a, _: a.members.update({HEARTBEAT: b"{}"})),
    "heartbeat-indented": Lie("fresh", beat_indented, says="is not canonical"),
    "heartbeat-that-is-a-review": Lie("fresh", beat_of_a_review, says="heartbeat/v1"),
    "heartbeat-by-another": Lie("fresh", lambda a, o: a.beat(o), says="not signed by"),
    "heartbeat-of-another-center": Lie(
        "fresh", beat(center="basel"), says="heartbeat is of another center"
    ),
    "heartbeat-after-the-end-of-its-key": Lie("fresh", beat_under_an_ended_key, says="has ended"),
    "heartbeat-of-another-root": Lie("fresh", beat(root="e" * 64), says="two roots"),
    "older-heartbeat-of-another-head": Lie(
        "fresh", beat(sequence=4, size=7, newest="e" * 64), says="names another leaf"
    ),
    "heartbeat-of-another-head": Lie("fresh", beat(newest="e" * 64), says="names another leaf"),
}
