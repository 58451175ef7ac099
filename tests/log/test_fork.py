"""Proofs of a fork: two roots that one log has signed for one size."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.evidence.errors import EvidenceError, MalformedError
from pipelines.log.errors import NoteError
from pipelines.log.fork import MAX_FORK, Fork, ForkProof
from pipelines.log.note import MAX_NOTE, sign_note
from tests.log.corpus import FOLDER, FORKED, FORKS, GOOD, GOOD_FORK, checkpoint
from tests.log.keys import ORIGIN, identity, log, witness


def verify(data: bytes) -> Fork:
    return ForkProof.parse(data).verify(
        identity(log().key, witnesses=[witness().key, witness("other.example").key])
    )


class TestAFork:
    def test_it_convicts_the_log_and_the_witness_of_both(self) -> None:
        fork = verify(GOOD_FORK)
        assert (fork.origin, fork.size) == (ORIGIN, 11)
        assert fork.roots == (checkpoint().root, checkpoint(last=b"another").root)
        assert fork.witnesses == (witness().key,)

    def test_a_witness_of_one_side_has_done_nothing_wrong(self) -> None:
        other = sign_note(checkpoint(last=b"x").to_text(), log(), witness("other.example"))
        for pair in ((GOOD, other), (other, GOOD)):
            assert verify(ForkProof(first=pair[0], second=pair[1]).to_bytes()).witnesses == ()

    def test_a_witness_of_both_is_named_beside_one_of_a_single_side(self) -> None:
        both, one_side = witness(), witness("other.example")
        first = sign_note(checkpoint().to_text(), log(), both, one_side)
        second = sign_note(checkpoint(last=b"x").to_text(), log(), both)
        for pair in ((first, second), (second, first)):
            proof = ForkProof(first=pair[0], second=pair[1]).to_bytes()
            assert verify(proof).witnesses == (both.key,)

    def test_any_two_keys_of_the_log_convict_it(self) -> None:
        other = sign_note(checkpoint(last=b"x").to_text(), log(word="new"))
        fork = ForkProof(first=GOOD, second=other).verify(identity(log().key, log(word="new").key))
        assert fork.size == 11

    def test_it_survives_its_file(self) -> None:
        proof = ForkProof.parse(GOOD_FORK)
        assert proof == ForkProof(first=GOOD, second=FORKED)
        assert proof.to_bytes() == GOOD_FORK

    def test_the_largest_proof_is_read_again(self) -> None:
        note = b"\n" * (MAX_NOTE - len(GOOD)) + GOOD
        proof = ForkProof(first=note, second=note)
        assert ForkProof.parse(proof.to_bytes()) == proof


class TestALie:
    @pytest.mark.parametrize("name", FORKS)
    def test_a_broken_proof_is_refused_for_its_defect(self, name: str) -> None:
        data = (FOLDER / "forks" / f"{name}.json").read_bytes()
        with pytest.raises(EvidenceError, match=FORKS[name][1]) as caught:
            verify(data)
        assert str(caught.value).isascii()

    def test_a_forger_without_the_logs_key_convicts_nobody(self) -> None:
        forged = sign_note(checkpoint(last=b"x").to_text(), log(word="forger"), witness())
        for pair in ((GOOD, forged), (forged, GOOD)):
            with pytest.raises(NoteError, match="cosigned, but not signed by its log"):
                verify(ForkProof(first=pair[0], second=pair[1]).to_bytes())

    @pytest.mark.parametrize("pair", [(b"x\n", GOOD), (GOOD, b"x\n")])
    def test_both_are_notes(self, pair: tuple[bytes, bytes]) -> None:
        with pytest.raises(NoteError, match="is not signed"):
            ForkProof(first=pair[0], second=pair[1])

    def test_a_large_file_is_refused(self) -> None:
        with pytest.raises(MalformedError, match="at most"):
            ForkProof.parse(b" " * (MAX_FORK + 1))


class TestFuzz:
    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, len(GOOD_FORK)), st.integers(0, 3), st.binary(max_size=3))
    def test_an_altered_proof_shows_the_same_or_nothing(
        self, place: int, cut: int, put: bytes
    ) -> None:
        altered = GOOD_FORK[:place] + put + GOOD_FORK[place + cut :]
        try:
            fork = verify(altered)
        except EvidenceError:
            return
        assert fork == verify(GOOD_FORK) or fork.witnesses == ()
        assert fork.roots == verify(GOOD_FORK).roots
