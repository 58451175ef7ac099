"""Judged by others: Go's sumdb/note and sumdb/tlog over what we write, and over what we refuse."""

from __future__ import annotations

import shutil
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.errors import LogError, ProofError
from pipelines.log.leaf import CommitmentEntry
from pipelines.log.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from pipelines.log.note import open_note, sign_note
from pipelines.log.proof import LogProof
from pipelines.log.signers import LocalCheckpointSigner
from pipelines.log.writer import LogWriter
from pipelines.storage.directory import DirectoryStore
from tests.log.corpus import GOOD, GOOD_PROOF, INDEX, LEAF, NOTES, TEXT, checkpoint
from tests.log.golang import Judge, Question, build
from tests.log.keys import ORIGIN, log, witness
from tests.log.test_cosignature import REAL, REAL_LOG_KEY, REAL_WITNESS_KEY
from tests.log.test_note import GO_KEY, GO_NOTE, SPEC_KEY, SPEC_NOTE
from tests.log.tree import Tree, numbered

OURS = (str(log().key), str(witness().key))
STRICTER = {"base64-loose-bits", "second-signature-of-a-key-bad"}
"""What Go lets pass: bits that base64 does not use, and whatever a key signs a second time."""


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return build(tmp_path_factory.mktemp("gojudge"))


def asked(data: bytes, *keys: str) -> Question:
    return {"Kind": "note", "Note": data, "Keys": keys}


class TestNotes:
    def test_it_opens_our_checkpoint_and_our_witness_s_cosignature(self, judge: Judge) -> None:
        [answer] = judge.ask([asked(GOOD, *OURS)])
        assert answer == {"Error": "", "Text": TEXT, "Leaves": None}

    def test_it_opens_what_we_sign_whatever_the_text(self, judge: Judge) -> None:
        texts = ("\n", "è\n\n— a b\n", "a\n\n\n", "\u2028\n")
        answers = judge.ask([asked(sign_note(text, log(), witness()), *OURS) for text in texts])
        assert [(a["Error"], a["Text"]) for a in answers] == [("", text) for text in texts]

    def test_it_opens_the_published_examples(self, judge: Judge) -> None:
        questions = [
            asked(SPEC_NOTE.encode(), SPEC_KEY),
            asked(GO_NOTE.encode(), GO_KEY),
            asked(REAL, str(REAL_LOG_KEY), str(REAL_WITNESS_KEY)),
        ]
        assert judge.errors(questions) == ["", "", ""]

    def test_it_refuses_what_is_altered(self, judge: Judge) -> None:
        altered = GOOD.replace(b"\n11\n", b"\n12\n")
        [error] = judge.errors([asked(altered, *OURS)])
        assert error.startswith("invalid signature for key samebits.example/centers/east")

    def test_it_refuses_every_broken_note_that_we_refuse(self, judge: Judge) -> None:
        errors = judge.errors([asked(data, *OURS) for data, _ in NOTES.values()])
        accepted = {name for name, error in zip(NOTES, errors, strict=True) if not error}
        assert accepted == STRICTER

    def test_we_open_every_note_that_it_opens(self, judge: Judge) -> None:
        """A byte changed at every place of a note: both say the same."""
        altered = [GOOD[:i] + bytes([GOOD[i] ^ 1]) + GOOD[i + 1 :] for i in range(len(GOOD))]
        errors = judge.errors([asked(data, *OURS) for data in altered])
        for i, (data, error) in enumerate(zip(altered, errors, strict=True)):
            loose = GOOD[i + 1 : i + 2] == b"=" and not error
            assert _opens(data) is (not error and not loose), (data, error)


def _opens(data: bytes) -> bool:
    keys = [log().key, witness().key]
    try:
        return len(open_note(data, keys).signatures) == len(keys)
    except LogError:
        return False


def included(index: int, size: int) -> dict[str, Any]:
    entries = numbered(size)
    tree = Tree.of(entries)
    return {
        "Kind": "inclusion",
        "Size": size,
        "Root": tree_root(size, tree),
        "Index": index,
        "Leaf": entries[index],
        "Proof": inclusion_proof(index, size, tree),
    }


def grown(old: int, new: int) -> dict[str, Any]:
    tree = Tree.of(numbered(new))
    return {
        "Kind": "consistency",
        "Size": new,
        "Root": tree_root(new, tree),
        "OldSize": old,
        "OldRoot": tree_root(old, tree),
        "Proof": consistency_proof(old, new, tree),
    }


class TestProofs:
    def test_it_finds_every_leaf(self, judge: Judge) -> None:
        questions = [included(i, n) for n in (*range(1, 18), 255, 256, 257) for i in range(0, n, 7)]
        assert set(judge.errors(questions)) == {""}

    def test_it_finds_every_growth_consistent(self, judge: Judge) -> None:
        questions = [grown(old, new) for new in range(1, 25) for old in range(1, new + 1)]
        questions += [grown(old, 257) for old in (1, 128, 255, 256)]
        assert set(judge.errors(questions)) == {""}

    def test_it_verifies_the_proof_in_our_file(self, judge: Judge) -> None:
        proof = LogProof.parse(GOOD_PROOF)
        question = {
            "Kind": "inclusion",
            "Size": checkpoint().size,
            "Root": checkpoint().root,
            "Index": INDEX,
            "Leaf": LEAF,
            "Proof": proof.hashes,
        }
        assert judge.errors([question]) == [""]

    def test_it_refuses_the_lies_that_we_refuse(self, judge: Judge) -> None:
        lies: list[Question] = []
        for size in (2, 7, 8, 13):
            for index in range(size):
                true = included(index, size)
                lies += [
                    true | {"Index": (index + 1) % size},
                    true | {"Root": bytes(32)},
                    true | {"Leaf": b"x"},
                    true | {"Proof": (*true["Proof"], bytes(32))},
                    true | {"Proof": true["Proof"][:-1]},
                    true | {"Index": size},
                ]
                true = grown(index + 1, size)
                lies += [
                    true | {"OldRoot": bytes(32)},
                    true | {"Root": bytes(32)},
                    true | {"Proof": (*true["Proof"], bytes(32))},
                    true | {"OldSize": size + 1},
                ]
        assert "" not in judge.errors(lies)
        for lie in lies:
            with pytest.raises(ProofError):
                _verify(lie)

    def test_both_agree_on_a_size_that_was_changed(self, judge: Judge) -> None:
        """Some still hold: a size is bound by the signature over it and the root together."""
        claims: list[Question] = []
        for size in (2, 5, 8, 13):
            for index in range(size):
                claims += [included(index, size) | {"Size": other} for other in range(1, 18)]
                claims += [grown(index + 1, size) | {"Size": other} for other in range(1, 18)]
                claims += [grown(index + 1, size) | {"OldSize": other} for other in range(1, 18)]
        for claim, error in zip(claims, judge.errors(claims), strict=True):
            assert _holds(claim) is not bool(error), (claim, error)


@dataclass(frozen=True)
class OnDisk:
    """A log of our own in a folder, grown in steps, and what its signed checkpoint says."""

    folder: Path
    old: Checkpoint
    new: Checkpoint
    leaves: list[bytes]

    def question(self, **changes: object) -> Question:
        return {
            "Kind": "tiles",
            "Folder": str(self.folder),
            "Size": self.new.size,
            "Root": self.new.root,
            "OldSize": self.old.size,
            "OldRoot": self.old.root,
        } | changes


@pytest.fixture(scope="module")
def grown_log(tmp_path_factory: pytest.TempPathFactory) -> OnDisk:
    home = tmp_path_factory.mktemp("log")
    store = DirectoryStore(home / "store")
    signer = LocalCheckpointSigner(log(), home)
    ours = LogWriter(store, origin=ORIGIN, signer=signer, home=home)
    entries = [
        CommitmentEntry(
            center="east",
            release="acme/shield@1.0",
            run=f"run-{i}",
            claim=Digest.of(b"claim"),
            seal=Digest.of(b"seal %d" % i),
        )
        for i in range(700)
    ]
    leaves = []
    checkpoints = []
    for start, stop in ((0, 1), (1, 300), (300, 700)):
        leaves += [placed.leaf.to_bytes() for placed in ours.append(entries[start:stop]).leaves]
        published = ours.checkpoint()
        assert published is not None
        checkpoints.append(published.checkpoint)
    for key in store.list("public/log/tile/"):
        path = home / "copy" / key.removeprefix("public/log/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store.get(key, 1 << 24))
    return OnDisk(home / "copy", checkpoints[1], checkpoints[2], leaves)


class TestTiles:
    def test_it_reads_every_leaf_through_our_tiles(self, judge: Judge, grown_log: OnDisk) -> None:
        [answer] = judge.ask([grown_log.question()])
        assert answer["Error"] == ""
        assert [b64decode(leaf) for leaf in answer["Leaves"]] == grown_log.leaves

    def test_it_reads_what_a_smaller_checkpoint_had(self, judge: Judge, grown_log: OnDisk) -> None:
        small = {"Size": grown_log.old.size, "Root": grown_log.old.root, "OldSize": 1}
        first = leaf_hash(grown_log.leaves[0])
        [answer] = judge.ask([grown_log.question(**small, OldRoot=first)])
        assert answer["Error"] == ""
        assert len(answer["Leaves"]) == 300

    def test_it_refuses_another_root(self, judge: Judge, grown_log: OnDisk) -> None:
        for changes in ({"Root": bytes(32)}, {"OldRoot": bytes(32)}):
            assert judge.errors([grown_log.question(**changes)]) != [""]

    def test_it_refuses_an_altered_tile_or_bundle(
        self, judge: Judge, grown_log: OnDisk, tmp_path: Path
    ) -> None:
        for name in ("0/000", "0/002.p/188", "1/000.p/2", "entries/001", "entries/002.p/188"):
            folder = tmp_path / name.replace("/", "_")
            shutil.copytree(grown_log.folder, folder)
            path = folder / "tile" / name
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.write_bytes(data)
            assert judge.errors([grown_log.question(Folder=str(folder))]) != [""], name


def _verify(claim: Question) -> None:
    q: dict[str, Any] = dict(claim)
    if q["Kind"] == "inclusion":
        verify_inclusion(
            leaf=leaf_hash(q["Leaf"]),
            index=q["Index"],
            size=q["Size"],
            proof=q["Proof"],
            root=q["Root"],
        )
    else:
        verify_consistency(
            old_size=q["OldSize"],
            old_root=q["OldRoot"],
            new_size=q["Size"],
            new_root=q["Root"],
            proof=q["Proof"],
        )


def _holds(claim: Question) -> bool:
    try:
        _verify(claim)
    except ProofError:
        return False
    return True
