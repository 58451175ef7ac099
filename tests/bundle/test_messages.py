"""What each check of an honest bundle says: people read it, and programs print it."""

from __future__ import annotations

import re

import pytest

from pipelines.bundle.check import CheckResult, CheckStatus
from pipelines.bundle.check.checker import CHECKS
from tests.bundle.bundles import Maker, old_entry, other_entry

IDENTICAL = """\
form: application/vnd.samebits.bundle.v2+tar, 20 members, # bytes
members: all that belongs to a bundle is there, and nothing else
digests: SHA-256 of 20 members
card: center zurich, builder https://samebits.example/centers/zurich/builder
keys: keys for log, statements
policy: version 4, signed by 1 or more of its operators
given-policy: the center has the same one
envelopes: 4 envelopes
leaves: 5 leaves, 2 to 6
inclusion: in the log samebits.example/centers/zurich of 8 leaves
chain: sequence 1 to 5 of the release
witnesses: witnessed by w1, w2
signatures: 4 envelopes signed by the trusted key #
key-use: the key for statements on the card is trusted and the center's
schema: 4 statements
key-time: every statement is in the log where its key is valid
builder: all of builder https://samebits.example/centers/zurich/builder, as the policy names it
logged: 4 statements, each with its leaf
run: acme/rules@1.10, center zurich, run 20260102T030405Z-0a1b2c3d
kinds: 1 provenance, 2 comparison, 1 attempt
fresh: no heartbeat says what came later
version: format version 2
report: run 20260102T030405Z-0a1b2c3d of acme/rules@1.10
signed-report: sha256 #, which every attempt names
times: started and finished when the run's name says
claim: # in every statement
scope: # in every comparison
attempts: 1 attempts: BUILT
seal: # in every statement
complete: 2 artefacts, none left out
commitment: committed at 2, before the shipped files were opened
built: provenance of 2 rebuilt files
provenance: sha256 #
log: sha256 #
by-products: 1 by-products
inputs: 3 inputs, none of them a file that is judged
verdicts: every verdict follows from its digests
ledgers: nothing was masked
grafted: no vendor's signature was put onto a rebuilt file
deltas: nothing in the bundle is a delta
bases: no verdict in favour of a file rests on a base
tested: no robustness rebuild was made, or none is in the bundle
moved: no robustness rebuild was made, or none is in the bundle
explained: nothing explains the run, or nothing of it is in the bundle
evidence: 1 objects, each named by a statement: log of attempt 1
files: no file was given; --file ARTEFACT looks one up
sealed: to make the seal again needs the bytes of every output; give rules.bin by --file
"""
OTHERS = {
    "failed": {
        "kinds": "2 comparison, 1 attempt",
        "attempts": "1 attempts: BUILD_FAILED",
        "seal": "no seal, as nothing was built",
        "commitment": "nothing was found, whatever was built or committed to",
        "built": "provenance of 0 rebuilt files",
        "provenance": "nothing was built, so there is none",
        "log": "nothing was built, so there is no provenance to compare with",
        "by-products": "0 by-products",
        "inputs": "nothing was built",
        "sealed": "there is no seal",
    },
    "moved-apart": {
        "kinds": "1 provenance, 2 comparison, 1 attempt, 1 robustness",
        "tested": "differs, hostname, user, cores, folder-order, timezone, locale varied: "
        "no part of a verdict",
        "moved": "1 of 2 artefacts had the same bytes",
    },
    "retried": {
        "kinds": "1 provenance, 2 comparison, 2 attempt",
        "attempts": "2 attempts: BUILT",
    },
    "confirmed": {
        "kinds": "1 provenance, 2 comparison, 1 attempt, 1 explanation",
        "attempts": "1 attempts: BUILT",
        "explained": "1 artefacts, 0 causes: no part of a verdict",
    },
    "signed": {
        "kinds": "2 provenance, 2 comparison, 1 attempt",
        "grafted": "provenance of 1 signed files",
    },
    "equivalent": {"ledgers": "24 masked bytes, each in a ledger of the report"},
    "nondeterministic": {"explained": "1 artefacts, 1 causes: no part of a verdict"},
    "unexpected": {
        "complete": "2 artefacts, none left out",
    },
}


def told(result: CheckResult) -> dict[str, str]:
    """Return the messages by check, without digests and the size of the file."""
    return {s.name: re.sub(r"[0-9a-f]{16,}|\d+(?= bytes)", "#", s.message) for s in result.steps}


def test_every_check_says_what_it_has_found(bundle: Maker) -> None:
    expected = dict(line.split(": ", 1) for line in IDENTICAL.splitlines())
    assert list(expected) == list(CHECKS)
    assert told(bundle("identical").check()) == expected


@pytest.mark.parametrize("scene", OTHERS)
def test_a_run_that_ended_otherwise_is_told_otherwise(bundle: Maker, scene: str) -> None:
    messages = told(bundle(scene).check())
    assert {name: messages[name] for name in OTHERS[scene]} == OTHERS[scene]


def test_a_check_that_had_nothing_to_check_is_a_note(bundle: Maker) -> None:
    status = {step.name: step.status for step in bundle("failed").check().steps}
    notes = {"log", "inputs", "files", "sealed", "fresh"}
    notes |= {"tested", "moved", "explained", "grafted", "ledgers", "deltas", "bases"}
    assert {name for name in status if status[name] is CheckStatus.NOTE} == notes


def test_a_policy_without_witnesses_is_named(bundle: Maker) -> None:
    altered = bundle("identical")
    altered.book.witnesses = ()
    altered.policy["witnesses"] = "quorum none\n"
    assert told(altered.check())["witnesses"] == (
        "the policy requires no witness, and none has cosigned"
    )


WITHOUT_A_POLICY = {
    "policy": "no policy was given: keys are trusted one by one",
    "given-policy": "the bundle contains a policy, which is not trusted",
    "key-use": "the key for statements on the card is trusted and the center's",
    "builder": "all of builder https://samebits.example/centers/zurich/builder",
    "key-time": "no policy says for how long a key is valid",
    "witnesses": "no policy names witnesses",
}


def test_a_reader_with_a_key_alone_is_told_what_was_not_needed(bundle: Maker) -> None:
    messages = told(bundle("identical").check(policy=False))
    assert {name: messages[name] for name in WITHOUT_A_POLICY} == WITHOUT_A_POLICY


def test_a_heartbeat_is_read_without_a_policy(bundle: Maker) -> None:
    altered = bundle("identical")
    altered.beat()
    assert told(altered.check(policy=False))["fresh"].startswith("nothing newer in the heartbeat")


def test_a_reader_who_trusts_nothing_is_told_whose_key_it_is(bundle: Maker) -> None:
    messages = told(bundle("identical").check(trusted=False))
    assert messages["key-use"] == "the key for statements on the card is the center's own"


def test_a_long_log_is_read_in_the_order_of_its_indexes(bundle: Maker) -> None:
    altered = bundle("identical")
    altered.book.before = [other_entry(number) for number in range(29)] + [old_entry(2)]
    result = altered.check()
    assert result.exit_code == 0, result.steps[-1].message
    assert told(result)["leaves"] == "5 leaves, 30 to 34"


def test_the_first_run_of_a_release_begins_its_chain(bundle: Maker) -> None:
    altered = bundle("identical")
    altered.book.before = [other_entry(1)]
    result = altered.check()
    assert result.exit_code == 0, result.steps[-1].message
    assert told(result)["chain"] == "sequence 0 to 4 of the release"


def test_the_witness_of_the_center_itself_is_none(bundle: Maker) -> None:
    altered = bundle("identical")
    altered.policy["centers"][0]["witness"] = str(altered.witness("w1").key)
    result = altered.check()
    assert result.exit_code == 1
    assert "too few witnesses; got w2;" in told(result)["witnesses"]
