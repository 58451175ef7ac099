"""Cosignatures: a real witness's, the specification's example, and ours."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.log.checkpoint import open_checkpoint
from pipelines.log.errors import NoteError
from pipelines.log.note import Note, open_note, sign_note
from pipelines.log.notekey import (
    MAX_TIME,
    NoteKey,
    cosigned_message,
    pack_cosignature,
    split_cosignature,
)
from tests.log.corpus import GOOD, TEXT
from tests.log.keys import NOON, identity, log, witness

REAL_LOG = "arche2025h1.staging.ct.transparency.dev"
REAL = (
    f"{REAL_LOG}\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n"
    f"— {REAL_LOG} "
    "zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwt"
    "EroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n"
    f"— {REAL_LOG} "
    "ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA2"
    "3oHP7Ry1k3ZFWwQ=\n"
    "— remora.n621.de "
    "2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sX"
    "Tynk5XeU/zZ0WBxtqB0DrAWfBw==\n"
    "— witness.stagemole.eu "
    "Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUF"
    "ucgKi7lI7cUiOvKFYe/TmN9DAg==\n"
).encode()
"""A checkpoint of a public log, as it was published, with two of its four cosignatures."""
REAL_LOG_KEY = NoteKey.parse(f"{REAL_LOG}+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f")
REAL_WITNESS_KEY = NoteKey.parse(
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
)
SPEC_TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
SPEC_LINE = (
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBk"
    "BIfZ+qnA=="
)


class TestARealWitness:
    def test_its_cosignature_verifies(self) -> None:
        signed = open_checkpoint(
            REAL, identity(REAL_LOG_KEY, origin=REAL_LOG, witnesses=[REAL_WITNESS_KEY])
        )
        assert signed.checkpoint.size == 1432088532
        (found,) = signed.cosignatures
        assert (found.key, found.time) == (REAL_WITNESS_KEY, 1779573024)
        assert datetime.fromtimestamp(1779573024, UTC).year == 2026
        assert len(signed.note.signatures) == 2

    def test_another_size_does_not(self) -> None:
        altered = REAL.replace(b"1432088532", b"1432088533")
        for key in (REAL_LOG_KEY, REAL_WITNESS_KEY):
            with pytest.raises(NoteError, match="does not fit the text"):
                open_note(altered, [key])


class TestTheSpecification:
    """It publishes no key for its example: its message and its layout are what can be checked."""

    def test_the_message(self) -> None:
        expected = f"cosignature/v1\ntime 1679315147\n{SPEC_TEXT}"
        assert cosigned_message(SPEC_TEXT.encode(), 1679315147) == expected.encode()

    def test_the_layout(self) -> None:
        data = b64decode(SPEC_LINE)[4:]
        time, signature = split_cosignature(data)
        assert (time, len(signature)) == (1679315147, 64)
        assert pack_cosignature(time, signature) == data


class TestOurs:
    def test_it_says_when(self) -> None:
        signed = open_checkpoint(
            GOOD, identity(log().key, witnesses=[witness().key, witness("x").key])
        )
        (found,) = signed.cosignatures
        assert (found.key, found.time) == (witness().key, int(NOON.timestamp()))

    def test_of_an_unknown_witness_nothing_is_handed_on(self) -> None:
        signed = open_checkpoint(GOOD, identity(log().key))
        assert signed.cosignatures == ()
        assert len(signed.note.signatures) == 1

    def test_a_later_one_takes_the_place_of_an_earlier(self) -> None:
        later = Note.parse(GOOD).signed_by(witness(at=NOON + timedelta(hours=1))).to_bytes()
        signed = open_checkpoint(later, identity(log().key, witnesses=[witness().key]))
        assert [c.time for c in signed.cosignatures] == [int(NOON.timestamp()) + 3600]

    def test_it_cannot_be_put_under_another_text(self) -> None:
        other = sign_note(TEXT.replace("\n11\n", "\n12\n"), log())
        line = GOOD.splitlines(keepends=True)[-1]
        with pytest.raises(NoteError, match="does not fit the text"):
            open_note(other + line, [log().key, witness().key])

    def test_extension_lines_are_signed_too(self) -> None:
        data = sign_note(f"{TEXT}more\n", log(), witness())
        assert open_note(data, [witness().key]).text.endswith("more\n")
        with pytest.raises(NoteError, match="does not fit the text"):
            open_note(data.replace(b"more", b"less"), [witness().key])

    @pytest.mark.parametrize("time", [-1, MAX_TIME + 1])
    def test_there_is_no_such_time(self, time: int) -> None:
        for make in (cosigned_message, lambda text, time: pack_cosignature(time, text)):
            with pytest.raises(NoteError, match="a time that does not exist"):
                make(bytes(64), time)

    @pytest.mark.parametrize("size", [0, 63, 65])
    def test_a_signature_of_another_length_is_not_packed(self, size: int) -> None:
        with pytest.raises(NoteError, match="another length"):
            pack_cosignature(0, bytes(size))

    def test_the_last_moment_can_be_written(self) -> None:
        data = pack_cosignature(MAX_TIME, bytes(64))
        assert split_cosignature(data) == (MAX_TIME, bytes(64))

    def test_a_time_that_does_not_exist_is_not_read(self) -> None:
        with pytest.raises(NoteError, match="a time that does not exist"):
            split_cosignature(b"\x80" + bytes(71))
