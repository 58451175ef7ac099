"""Page hashes in a signature have to be those of our bytes, as they are for Windows."""

from __future__ import annotations

import pytest

from builders.core.digest import Digest
from pipelines.judge.signatures.signature_format import Graft, Refused
from tests.judge.signatures.page_hash_tricks import TRICKS, listed, pages, with_pages
from tests.judge.signatures.pe_tricks import BY_ADA
from tests.judge.signatures.signing import program
from tests.judge.signatures.test_pe import grafted


@pytest.mark.parametrize("size", [1, 512, 4096, 9001])
def test_page_hashes_of_our_bytes_pass(size: int) -> None:
    ours = program(b"x" * size)
    shipped = with_pages(listed(b"".join(pages(ours))), ours)
    found = grafted(shipped, BY_ADA, ours)
    assert isinstance(found, Graft), found
    assert found.sha256 == Digest.of(shipped)


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_is_refused_by_its_own_name(name: str) -> None:
    trick = TRICKS[name]
    found = grafted(trick.shipped(), trick.pins, trick.ours)
    assert isinstance(found, Refused), found
    assert found.fault == trick.fault, found.detail
    assert found.detail.isprintable()
