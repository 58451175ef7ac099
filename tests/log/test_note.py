"""Signed notes: the published examples, the corpus of broken ones, and fuzzing."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.errors import UsageError
from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.publickey import KeyValue, PublicKey
from pipelines.log.checkpoint import open_checkpoint
from pipelines.log.errors import LogError, NoteError
from pipelines.log.note import (
    MAX_NOTE,
    MAX_SIGNATURES,
    Note,
    NoteSignature,
    NoteSigner,
    open_note,
    sign_note,
)
from pipelines.log.notekey import COSIGNATURE, ED25519, MAX_NAME, NoteKey
from tests.log.corpus import FOLDER, GOOD, NOTES, TEXT, files
from tests.log.keys import ORIGIN, FixedKey, identity, log, witness

SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONnc"
    "AlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU"
    "0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)


class TestPublishedExamples:
    @pytest.mark.parametrize(("key", "note"), [(SPEC_KEY, SPEC_NOTE), (GO_KEY, GO_NOTE)])
    def test_they_open(self, key: str, note: str) -> None:
        known = NoteKey.parse(key)
        assert str(known) == key
        opened = open_note(note.encode(), [known])
        assert opened.text == note.partition("\n\n")[0] + "\n"
        assert opened.to_bytes() == note.encode()

    @pytest.mark.parametrize(("key", "note"), [(SPEC_KEY, SPEC_NOTE), (GO_KEY, GO_NOTE)])
    def test_they_do_not_open_when_altered(self, key: str, note: str) -> None:
        altered = note.replace("is", "was", 1).encode()
        with pytest.raises(NoteError, match="does not fit the text"):
            open_note(altered, [NoteKey.parse(key)])

    def test_a_text_may_have_empty_lines(self) -> None:
        note = Note.parse(POEM.encode())
        assert note.text.endswith(":\n\ned è subito sera.\n")
        assert note.to_bytes() == POEM.encode()


class TestOpening:
    def test_only_known_signatures_are_handed_on(self) -> None:
        data = sign_note(TEXT, log(), log("x.example"), witness())
        assert [s.name for s in open_note(data, [log().key]).signatures] == [ORIGIN]
        both = open_note(data, [witness().key, log().key])
        assert {s.name for s in both.signatures} == {ORIGIN, witness().key.name}

    def test_a_key_that_signed_twice_counts_once(self) -> None:
        line = GOOD.split(b"\n\n")[1].splitlines(keepends=True)[0]
        assert len(open_note(GOOD + line, [log().key]).signatures) == 1

    def test_an_unknown_signature_of_any_kind_does_not_disturb(self) -> None:
        line = f"— {ORIGIN} {b64encode(bytes(4) + b'?').decode()}\n".encode()
        assert open_note(GOOD + line, [log().key]).text == TEXT

    def test_without_a_key_nothing_opens(self) -> None:
        with pytest.raises(NoteError, match="there is no key to open the note with"):
            open_note(GOOD, [])

    def test_two_keys_of_one_name_and_id_are_refused(self) -> None:
        key = log().key
        other = NoteKey(name=key.name, algorithm=key.algorithm, key=bytes(32))
        other.__dict__["id"] = key.id
        with pytest.raises(NoteError, match="two keys share a name and an id"):
            open_note(GOOD, [key, other])
        assert open_note(GOOD, [key, key]).text == TEXT

    def test_a_plain_signature_is_no_cosignature_of_the_same_key(self) -> None:
        signer = log()
        other = NoteKey(name=ORIGIN, algorithm=COSIGNATURE, key=signer.key.key)
        assert other.id != signer.key.id
        signature = signer.sign(TEXT.encode())
        signer.key.check(TEXT.encode(), signature)
        with pytest.raises(NoteError, match="a cosignature has another length"):
            other.check(TEXT.encode(), signature)

    def test_a_large_note_is_refused_before_it_is_read(self) -> None:
        data = b"x" * (MAX_NOTE - len(GOOD)) + GOOD
        assert Note.parse(data).signatures
        with pytest.raises(NoteError, match="is too large"):
            Note.parse(b"x" + data)

    def test_sixteen_large_signatures_are_taken(self) -> None:
        signatures = tuple(
            NoteSignature(name=f"w{i}.example", id=bytes(4), data=bytes(5000)) for i in range(16)
        )
        data = Note(TEXT, signatures).to_bytes()
        assert Note.parse(data).signatures == signatures


class TestSigning:
    def test_a_signature_is_replaced_by_a_newer_one_of_its_key(self) -> None:
        once = Note.parse(GOOD).signed_by(witness()).signed_by(log("x.example"))
        again = once.signed_by(witness())
        assert [s.name for s in again.signatures] == [ORIGIN, "x.example", witness().key.name]
        keys = [log().key, witness().key, log("x.example").key]
        assert len(open_note(again.to_bytes(), keys).signatures) == 3

    @pytest.mark.parametrize("text", ["", "no newline"])
    def test_a_text_must_end_in_a_newline(self, text: str) -> None:
        with pytest.raises(NoteError, match="ends within a line"):
            sign_note(text, log())

    def test_a_text_with_control_characters_is_not_signed(self) -> None:
        with pytest.raises(NoteError, match=r"control character; got U\+000D"):
            sign_note("a\r\n", log())

    def test_somebody_must_sign(self) -> None:
        with pytest.raises(NoteError, match="too few or too many signatures; got 0"):
            sign_note(TEXT)

    def test_not_too_many_may_sign(self) -> None:
        signers = [log(f"{i}.example") for i in range(MAX_SIGNATURES)]
        assert Note.parse(sign_note(TEXT, *signers)).text == TEXT
        with pytest.raises(NoteError, match="too few or too many"):
            sign_note(TEXT, *signers, log("one.more.example"))

    @pytest.mark.parametrize("size", [0, 3, 5])
    def test_an_id_has_four_bytes(self, size: int) -> None:
        with pytest.raises(NoteError, match=f"got {size} bytes of key id and 64 of signature"):
            NoteSignature(name=ORIGIN, id=bytes(size), data=bytes(64))

    def test_only_ed25519_keys_sign_notes(self) -> None:
        class Rsa(FixedKey):
            @property
            def public(self) -> PublicKey:
                value = KeyValue(public="PEM")
                return PublicKey(keyid="x", keytype="rsa", scheme="rsa", keyval=value)

        with pytest.raises(KeyFileError, match="signed with Ed25519; got a key of type rsa"):
            NoteSigner(ORIGIN, Rsa("x"))


class TestKeys:
    def test_a_key_survives_its_text(self) -> None:
        for key in (log().key, witness().key):
            assert NoteKey.parse(str(key)) == key

    @pytest.mark.parametrize(
        ("vkey", "message"),
        [
            ("example.com/foo", "has not three parts"),
            ("example.com/foo+530d903a", "has not three parts"),
            (SPEC_KEY.replace("530d903a", "530d903b"), "has the id of another one"),
            (SPEC_KEY.replace("530d903a", "530D903A"), "has the id of another one"),
            (SPEC_KEY.replace("530d903a", "0530d903a"), "has the id of another one"),
            (SPEC_KEY.replace("foo", "bar"), "has the id of another one"),
            (SPEC_KEY.replace("/foo", " foo"), "cannot be used in a note"),
            (SPEC_KEY.replace("example.com/foo", ""), "cannot be used in a note"),
            (SPEC_KEY + "=", "is not base64"),
            (SPEC_KEY[:-1], "is not base64"),
            (SPEC_KEY[:-4], "verifier key has another length; got 29 bytes"),
            (SPEC_KEY.replace("+Ae", "+Be"), "is of an unknown algorithm; got 0x05"),
            (SPEC_KEY.replace("+Ae", "+Ce"), "is of an unknown algorithm; got 0x09"),
            ("example.com/foo+530d903a+", "is empty"),
            ("a\nb+530d903a+AQ==", "cannot be used in a note"),
            ("a\x1bb+530d903a+AQ==", r"control character; got U\+001B"),
            ("a\u202eb+530d903a+AQ==", "cannot be shown"),
            ("a" * (MAX_NAME + 1) + "+530d903a+AQ==", "cannot be shown"),
        ],
    )
    def test_what_is_no_vkey(self, vkey: str, message: str) -> None:
        with pytest.raises(NoteError, match=message):
            NoteKey.parse(vkey)

    def test_the_id_commits_to_the_use(self) -> None:
        one, other = (
            NoteKey(name="x.example", algorithm=a, key=bytes(32)) for a in (ED25519, COSIGNATURE)
        )
        assert one.id != other.id


class TestCorpus:
    def test_the_files_are_those_of_the_generator(self) -> None:
        written = {path for path in FOLDER.rglob("*") if path.is_file()}
        assert written == files().keys()
        assert {path: path.read_bytes() for path in written} == files()

    @pytest.mark.parametrize("name", NOTES)
    def test_a_broken_note_is_refused_for_its_defect(self, name: str) -> None:
        data = (FOLDER / "notes" / f"{name}.note").read_bytes()
        with pytest.raises(NoteError, match=NOTES[name][1].replace("+", r"\+")) as caught:
            open_checkpoint(data, identity(log().key, witnesses=[witness().key]))
        assert str(caught.value).isascii()
        assert len(str(caught.value)) < 1000


class TestFuzz:
    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_an_altered_note_opens_with_the_same_text_or_not_at_all(
        self, data: st.DataObject
    ) -> None:
        note = bytearray(GOOD)
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.integers(0, len(note)))
            cut = data.draw(st.integers(0, 3))
            note[place : place + cut] = data.draw(
                st.binary(max_size=3) | st.sampled_from([b"\n", b"\n\n", b" ", b"+", b"=", b"A"])
            )
        try:
            opened = open_note(bytes(note), [log().key, witness().key])
        except LogError:
            return
        assert opened.text == TEXT

    @settings(max_examples=200, deadline=None)
    @given(
        st.binary(max_size=200) | st.text(max_size=120).map(lambda t: f"{t}\n\n— a b\n".encode())
    )
    def test_what_is_read_is_written_again_alike(self, data: bytes) -> None:
        try:
            note = Note.parse(data)
        except LogError:
            return
        assert note.to_bytes() == data

    @settings(max_examples=200, deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
    def test_any_text_that_can_be_signed_is_read_again(self, text: str) -> None:
        try:
            data = sign_note(f"{text}\n", log(), witness())
        except LogError:
            assert any(ord(c) < 0x20 for c in text)
            return
        assert open_note(data, [log().key, witness().key]).text == f"{text}\n"

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=80))
    def test_a_vkey_has_one_spelling(self, text: str) -> None:
        for vkey in (text, SPEC_KEY.replace("foo", text), SPEC_KEY + text):
            try:
                key = NoteKey.parse(vkey)
            except (LogError, UsageError):
                continue
            assert str(key) == vkey
