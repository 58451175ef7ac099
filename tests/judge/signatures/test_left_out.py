"""Where a signature changes our file: exactly the fields, whatever else the file says."""

from __future__ import annotations

import io
import struct

import pytest

from pipelines.judge.signatures.left_out import (
    cab_places,
    dashed_lines,
    info_members,
    pe_places,
    signature_header,
    tuf_signatures,
)
from tests.judge.signatures.cab_tricks import cabinet
from tests.judge.signatures.signing import CHECKSUM, ENTRY, PE, program


def test_of_a_program_the_checksum_and_the_directory_entry() -> None:
    assert pe_places(io.BytesIO(program())) == ((CHECKSUM, CHECKSUM + 4), (ENTRY, ENTRY + 8))
    older = bytearray(program())
    struct.pack_into("<H", older, PE + 24, 0x10B)
    assert pe_places(io.BytesIO(older))[1] == (ENTRY - 16, ENTRY - 8)


@pytest.mark.parametrize("ours", [b"", b"MZ" * 20, program()[:PE], program()[: PE + 24] + bytes(9)])
def test_of_what_is_no_program_nothing(ours: bytes) -> None:
    assert pe_places(io.BytesIO(ours)) == ()


def test_of_a_cabinet_its_size_flags_and_offsets() -> None:
    header = ((8, 12), (16, 20), (30, 32))
    assert cab_places(io.BytesIO(cabinet(b"a", b"b"))) == (*header, (36, 40), (44, 48))
    assert cab_places(io.BytesIO(b"MSCF")) == ()
    assert len(cab_places(io.BytesIO(b"\xff" * 99))) == 3 + 256


def test_of_a_package_that_is_cut_off_nothing() -> None:
    assert signature_header(io.BytesIO(bytes(111))) == ()
    assert signature_header(io.BytesIO(bytes(112))) == ((96, 112),)


def test_of_a_text_its_start_and_lines_that_are_escaped() -> None:
    text = b"a\n-b\n--\nFrom me\n From\n"
    assert dashed_lines(io.BytesIO(text)) == ((0, 0), (2, 2), (5, 5), (8, 8))


@pytest.mark.parametrize("last", [False, True])
def test_of_metadata_a_list_that_holds_signatures_alone(*, last: bool) -> None:
    def places(signatures: bytes) -> tuple[tuple[int, int], ...]:
        parts = [b'"signed": {"a": [1]}', b'"signatures": ' + signatures]
        data = b"{" + b", ".join(parts if last else reversed(parts)) + b"}"
        found = tuf_signatures(io.BytesIO(data))
        assert not found or data[slice(*found[0])] == signatures
        return found

    assert len(places(b"[]")) == len(places(b'[{"keyid": "0a", "sig": "1b"}]')) == 1
    for crowded in (b'[{"keyid": "0a", "sig": "1b", "more": "x"}]', b'["evil"]', b'[{"sig": ""}]'):
        assert places(crowded) == ()
    assert tuf_signatures(io.BytesIO(b'{"signed": {}}')) == ()


def test_of_a_tar_its_members_info() -> None:
    def member(name: bytes, size: bytes, content: bytes = b"") -> bytes:
        return name.ljust(124, b"\0") + size.ljust(388, b"\0") + content

    tar = member(b"COPYING", b"1", bytes(512)) + member(b"a.info", b"1001", bytes(1024))
    assert info_members(io.BytesIO(tar + member(b"a.db", b"x"))) == ((1024, 2560),)
    assert info_members(io.BytesIO(member(b"a.info", b"9"))) == ()
    assert info_members(io.BytesIO(b"")) == ()
    assert len(info_members(io.BytesIO(member(b"a.info", b"0") * 99))) == 8
