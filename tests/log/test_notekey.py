"""What a key and a signature of a note may be made of, without their text form."""

from __future__ import annotations

import pytest

from pipelines.log.errors import NoteError
from pipelines.log.note import MAX_SIGNATURES, Note, NoteSignature
from pipelines.log.notekey import COSIGNATURE, ED25519, MAX_NAME, NoteKey

KEY = bytes([2] * 32)


@pytest.mark.parametrize("name", ["", " ", "a b", "a+b", "a\u2003b", "a\nb", "a\x1bb"])
def test_a_name_can_stand_in_a_line(name: str) -> None:
    with pytest.raises(NoteError, match=r"cannot be used in a note|control"):
        NoteKey(name=name, algorithm=ED25519, key=KEY)
    with pytest.raises(NoteError, match=r"cannot be used in a note|control"):
        NoteSignature(name=name, id=bytes(4), data=b"x")


@pytest.mark.parametrize("name", ["a\u202eb", "ä" * (MAX_NAME // 2 + 1)])
def test_a_name_can_be_shown(name: str) -> None:
    with pytest.raises(NoteError, match="cannot be shown"):
        NoteKey(name=name, algorithm=ED25519, key=KEY)


def test_a_key_is_of_a_known_algorithm() -> None:
    with pytest.raises(NoteError, match="is of an unknown algorithm; got 0x05"):
        NoteKey(name="a", algorithm=5, key=KEY)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_has_32_bytes(size: int) -> None:
    with pytest.raises(NoteError, match=f"key of a verifier key has another length; got {size} "):
        NoteKey(name="a", algorithm=ED25519, key=bytes(size))


def test_the_longest_name() -> None:
    assert NoteKey(name="a" * MAX_NAME, algorithm=ED25519, key=KEY).name


def test_a_key_is_for_one_use() -> None:
    key = NoteKey(name="a", algorithm=ED25519, key=KEY)
    assert NoteKey.parse(str(key), ED25519) == NoteKey.parse(str(key)) == key
    with pytest.raises(NoteError, match="for another use"):
        NoteKey.parse(str(key), COSIGNATURE)


@pytest.mark.parametrize(("size", "data"), [(4, b""), (3, b"x"), (5, b"x")])
def test_a_signature_is_whole(size: int, data: bytes) -> None:
    with pytest.raises(NoteError, match="is cut off"):
        NoteSignature(name="a", id=bytes(size), data=data)


def test_a_note_has_a_bounded_number_of_signatures() -> None:
    one = NoteSignature(name="a", id=bytes(4), data=b"x")
    assert Note("text\n", (one,) * MAX_SIGNATURES).signatures
    for count in (0, MAX_SIGNATURES + 1):
        with pytest.raises(NoteError, match="too few or too many signatures"):
            Note("text\n", (one,) * count)
