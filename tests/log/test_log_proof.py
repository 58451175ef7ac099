"""Proofs for offline use: what they show, what they do not, and the corpus of broken ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.log.errors import LogError, NoteError, ProofError
from pipelines.log.merkle import inclusion_proof, leaf_hash
from pipelines.log.note import MAX_NOTE, sign_note
from pipelines.log.proof import HEADER, MAX_EXTRA, MAX_PROOF, LogProof
from tests.log.corpus import (
    ENTRIES,
    FOLDER,
    GOOD,
    GOOD_PROOF,
    INDEX,
    LEAF,
    PROOFS,
    checkpoint,
)
from tests.log.keys import identity, log, witness
from tests.log.tree import Tree


def prove(index: int, size: int) -> LogProof:
    return LogProof(
        index=index,
        hashes=inclusion_proof(index, size, Tree.of(ENTRIES)),
        checkpoint=sign_note(checkpoint(size).to_text(), log()),
    )


class TestAGoodProof:
    def test_it_survives_its_file(self) -> None:
        proof = LogProof.parse(GOOD_PROOF)
        assert proof.to_bytes() == GOOD_PROOF
        assert (proof.index, proof.extra) == (INDEX, b"what nobody signs")

    def test_it_gives_the_checkpoint_and_its_witnesses(self) -> None:
        signed = LogProof.parse(GOOD_PROOF).verify(
            leaf_hash(LEAF), identity(log().key, witnesses=[witness().key])
        )
        assert signed.checkpoint == checkpoint()
        assert [c.key for c in signed.cosignatures] == [witness().key]

    def test_it_looks_as_the_specification_says(self) -> None:
        lines = GOOD_PROOF.decode().split("\n\n", 1)[0].split("\n")
        assert lines[0] == "c2sp.org/tlog-proof@v1" == HEADER
        assert lines[1] == "extra d2hhdCBub2JvZHkgc2lnbnM="
        assert lines[2] == "index 6"
        assert [len(line) for line in lines[3:]] == [44] * 4
        assert GOOD_PROOF.endswith(b"\n\n" + GOOD)

    def test_every_leaf_of_every_tree(self) -> None:
        for size in range(1, 12):
            for index in range(size):
                proof = prove(index, size)
                assert LogProof.parse(proof.to_bytes()) == proof
                proof.verify(leaf_hash(ENTRIES[index]), identity(log().key))

    def test_a_log_of_one_leaf_needs_no_hash(self) -> None:
        data = prove(0, 1).to_bytes()
        assert data.startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\nsamebits.example/")


class TestALie:
    def test_another_leaf_is_refused(self) -> None:
        with pytest.raises(ProofError, match="leaf 6 is not in the tree of 11 leaves"):
            LogProof.parse(GOOD_PROOF).verify(leaf_hash(b"x"), identity(log().key))

    def test_another_log_is_refused(self) -> None:
        with pytest.raises(LogError, match="is of another log"):
            LogProof.parse(GOOD_PROOF).verify(leaf_hash(LEAF), identity(log().key, origin="x"))

    def test_a_strangers_signature_is_refused(self) -> None:
        with pytest.raises(NoteError, match="is not signed by a known key"):
            LogProof.parse(GOOD_PROOF).verify(leaf_hash(LEAF), identity(log(word="x").key))

    @pytest.mark.parametrize("name", PROOFS)
    def test_a_broken_proof_is_refused_for_its_defect(self, name: str) -> None:
        data = (FOLDER / "proofs" / f"{name}.tlog-proof").read_bytes()
        with pytest.raises(LogError, match=PROOFS[name][1].replace("+", r"\+")) as caught:
            LogProof.parse(data).verify(leaf_hash(LEAF), identity(log().key))
        assert str(caught.value).isascii()

    def test_a_large_file_is_refused_before_it_is_read(self) -> None:
        with pytest.raises(ProofError, match=f"is too large; got {MAX_PROOF + 1} bytes"):
            LogProof.parse(GOOD_PROOF + b"x" * (MAX_PROOF + 1 - len(GOOD_PROOF)))


class TestMaking:
    @pytest.mark.parametrize("index", [-1, (1 << 63) - 1])
    def test_there_is_no_such_leaf(self, index: int) -> None:
        with pytest.raises(ProofError, match="is of a leaf that no log has"):
            LogProof(index=index, hashes=(), checkpoint=GOOD)

    def test_a_hash_has_32_bytes(self) -> None:
        with pytest.raises(ProofError, match="has a hash of another length; got 31 bytes"):
            LogProof(index=0, hashes=(bytes(32), bytes(31)), checkpoint=GOOD)

    def test_a_path_has_at_most_63_hashes(self) -> None:
        assert len(LogProof(index=0, hashes=(bytes(32),) * 63, checkpoint=GOOD).hashes) == 63
        with pytest.raises(ProofError, match="too many hashes; got 64"):
            LogProof(index=0, hashes=(bytes(32),) * 64, checkpoint=GOOD)

    @pytest.mark.parametrize("size", [0, MAX_EXTRA + 1])
    def test_extra_data_is_there_or_not(self, size: int) -> None:
        with pytest.raises(ProofError, match="has too much or empty extra data"):
            LogProof(index=0, hashes=(), checkpoint=GOOD, extra=bytes(size))

    def test_extra_data_may_be_one_byte(self) -> None:
        assert LogProof(index=0, hashes=(), checkpoint=GOOD, extra=b"x").extra == b"x"

    def test_the_largest_proof_is_read_again(self) -> None:
        note = b"x" * (MAX_NOTE - len(GOOD)) + GOOD
        proof = LogProof(index=0, hashes=(bytes(32),) * 63, checkpoint=note, extra=bytes(MAX_EXTRA))
        assert LogProof.parse(proof.to_bytes()) == proof

    def test_its_checkpoint_is_a_note(self) -> None:
        with pytest.raises(NoteError, match="is not signed"):
            LogProof(index=0, hashes=(), checkpoint=b"x\n")


class TestFuzz:
    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_an_altered_proof_shows_the_same_or_nothing(self, data: st.DataObject) -> None:
        altered = bytearray(GOOD_PROOF)
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.integers(0, len(altered)))
            cut = data.draw(st.integers(0, 3))
            altered[place : place + cut] = data.draw(
                st.binary(max_size=3) | st.sampled_from([b"\n", b"\n\n", b" ", b"0", b"=", b"A"])
            )
        try:
            proof = LogProof.parse(bytes(altered))
            signed = proof.verify(leaf_hash(LEAF), identity(log().key))
        except LogError:
            return
        assert proof.to_bytes() == altered
        assert (proof.index, signed.checkpoint) == (INDEX, checkpoint())
