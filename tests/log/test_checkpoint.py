"""Checkpoints: the specification's example, whose they are, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.log.checkpoint import Checkpoint, open_checkpoint
from pipelines.log.errors import CheckpointError, LogError, NoteError
from pipelines.log.merkle import EMPTY_ROOT, MAX_SIZE
from pipelines.log.note import sign_note
from tests.log.corpus import CHECKPOINTS, FOLDER, GOOD, TEXT, checkpoint, signed
from tests.log.keys import ORIGIN, identity, log, witness

SPEC = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


class TestReading:
    def test_the_specifications_example(self) -> None:
        found = Checkpoint.parse(SPEC)
        assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)
        assert found.root.hex().startswith("0ac5186a91863e8e")
        assert found.to_text() == SPEC

    def test_an_empty_log(self) -> None:
        text = Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT).to_text()
        assert text == f"{ORIGIN}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
        assert Checkpoint.parse(text).size == 0

    def test_extension_lines_are_kept(self) -> None:
        found = Checkpoint.parse(f"{SPEC}one\n two \n")
        assert found.extensions == ("one", " two ")
        assert found.to_text() == f"{SPEC}one\n two \n"

    def test_an_origin_may_be_any_line(self) -> None:
        text = f"Go + è log\n{SPEC.split(chr(10), 1)[1]}"
        assert Checkpoint.parse(text).origin == "Go + è log"

    def test_the_largest_log(self) -> None:
        text = SPEC.replace("20852163", str(MAX_SIZE))
        assert Checkpoint.parse(text).size == MAX_SIZE

    @pytest.mark.parametrize("name", CHECKPOINTS)
    def test_a_broken_one_is_refused_for_its_defect(self, name: str) -> None:
        data = (FOLDER / "checkpoints" / f"{name}.txt").read_bytes()
        with pytest.raises(CheckpointError, match=CHECKPOINTS[name][1]) as caught:
            open_checkpoint(signed(data), identity(log().key))
        assert str(caught.value).isascii()

    def test_a_line_that_is_not_ended_is_refused(self) -> None:
        with pytest.raises(CheckpointError, match="is incomplete"):
            Checkpoint.parse(TEXT[:-1])


class TestMaking:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"origin": ""}, "has an empty line, or two in one"),
            ({"origin": "a\nb"}, "has an empty line, or two in one"),
            ({"origin": "a\rb"}, r"control character; got U\+000D"),
            ({"extensions": ("a", "")}, "has an empty line, or two in one"),
            ({"extensions": ("a\n1",)}, "has an empty line, or two in one"),
            ({"extensions": ("\0",)}, r"control character; got U\+0000"),
            ({"size": -1}, "has a size that no log has"),
            ({"size": MAX_SIZE + 1}, "has a size that no log has"),
            ({"root": bytes(31)}, "has another length; got 31 bytes"),
            ({"size": 0}, "is not that of an empty log"),
        ],
    )
    def test_what_is_no_checkpoint(self, change: dict[str, object], message: str) -> None:
        values = {"origin": ORIGIN, "size": 1, "root": bytes(32)} | change
        with pytest.raises(CheckpointError, match=message):
            Checkpoint(**values)  # type: ignore[arg-type]


class TestOpening:
    def test_it_is_the_logs(self) -> None:
        found = open_checkpoint(GOOD, identity(log().key))
        assert found.checkpoint == checkpoint()
        assert found.note.text == TEXT

    def test_any_of_the_logs_keys_will_do(self) -> None:
        keys = [log(word="old").key, log().key]
        assert open_checkpoint(GOOD, identity(*keys)).checkpoint.size == 11

    def test_another_logs_key_does_not_make_it_this_logs(self) -> None:
        other = log("samebits.example/centers/other")
        data = sign_note(TEXT, other)
        with pytest.raises(NoteError, match="is not signed by a known key"):
            open_checkpoint(data, identity(log().key))

    def test_a_witness_key_is_no_key_of_a_log(self) -> None:
        with pytest.raises(CheckpointError, match="key of a log is of another algorithm"):
            open_checkpoint(GOOD, identity(witness().key))

    def test_a_logs_key_is_no_witness(self) -> None:
        with pytest.raises(CheckpointError, match="key of a witness is of another algorithm"):
            open_checkpoint(GOOD, identity(log().key, witnesses=[log().key]))

    def test_without_the_logs_key_a_witness_is_not_enough(self) -> None:
        with pytest.raises(NoteError, match="cosigned, but not signed by its log"):
            open_checkpoint(GOOD, identity(witnesses=[witness().key]))

    def test_without_any_key_nothing_opens(self) -> None:
        with pytest.raises(NoteError, match="there is no key"):
            open_checkpoint(GOOD, identity())


class TestFuzz:
    @settings(max_examples=300, deadline=None)
    @given(st.text("0123456789+-_ \n=AZaz/é", max_size=60), st.integers(0, len(SPEC)))
    def test_what_is_read_is_written_again_alike(self, text: str, place: int) -> None:
        for whole in (text, SPEC[:place] + text + SPEC[place:], SPEC[:place] + text):
            try:
                found = Checkpoint.parse(whole)
            except LogError:
                continue
            assert found.to_text() == whole
