"""Page hashes in a signature have to be those of our bytes, as they are for Windows."""

from __future__ import annotations

import struct

import pytest

from builders.core.digest import CHUNK, Digest
from pipelines.judge.signatures.signature_format import Graft
from tests.judge.signatures.page_hash_tricks import (
    OURS,
    PAGE,
    altered,
    listed,
    pages,
    with_pages,
)
from tests.judge.signatures.pe_tricks import BY_ADA
from tests.judge.signatures.signing import PE, SECTION, program
from tests.judge.signatures.test_pe import grafted


@pytest.mark.parametrize("size", [1, 512, 4096, 9001, CHUNK + 9001])
def test_page_hashes_of_our_bytes_pass(size: int) -> None:
    ours = program(b"x" * size)
    shipped = with_pages(listed(b"".join(pages(ours))), ours)
    found = grafted(shipped, BY_ADA, ours)
    assert isinstance(found, Graft), found
    assert found.sha256 == Digest.of(shipped)


@pytest.mark.parametrize("headers", [SECTION, PAGE])
def test_headers_may_take_as_much_as_a_page(headers: int) -> None:
    ours = altered(PE + 24 + 60, struct.pack("<I", headers))
    shipped = with_pages(listed(b"".join(pages(ours, headers=headers))), ours)
    assert isinstance(grafted(shipped, BY_ADA, ours), Graft)


def test_a_section_may_begin_where_its_header_does() -> None:
    place = struct.pack("<II", len(OURS) - SECTION, SECTION)
    ours = altered(SECTION + 16, place)
    shipped = with_pages(listed(b"".join(pages(ours, first=SECTION))), ours)
    assert isinstance(grafted(shipped, BY_ADA, ours), Graft)


def test_a_section_without_bytes_has_no_pages_and_no_end() -> None:
    empty = b".bss\0\0\0\0" + struct.pack("<IIII", 4096, 0x9000, 0, 0) + bytes(16)
    two = altered(PE + 6, b"\2\0")
    ours = two[: SECTION + 40] + empty + two[SECTION + 80 :]
    shipped = with_pages(listed(b"".join(pages(ours))), ours)
    assert isinstance(grafted(shipped, BY_ADA, ours), Graft)
