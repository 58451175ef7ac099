"""Signing blocks of Android packages at the edges of what is read."""

from __future__ import annotations

import io
import struct

import pytest

from pipelines.judge.signatures.apk_block import (
    MAX_BLOCK,
    V2,
    V3,
    BlockField,
    SigningBlock,
    read_block,
    read_signers,
)
from pipelines.judge.signatures.raw_zip import read_zip
from pipelines.judge.signatures.signature_format import BadSignatureError
from tests.judge.signatures.apk_signing import MAGIC, PADDING, block, numbered, sized, u32
from tests.judge.signatures.apk_tricks import ITEMS
from tests.judge.signatures.zips import laid_out


def raw(body: bytes, size: int | None = None) -> bytes:
    """Return a block with any body, and with any size."""
    said = struct.pack("<Q", len(body) + 24 if size is None else size)
    return said + body + said + MAGIC


def value(length: int, data: bytes = b"", kind: int = PADDING) -> bytes:
    return struct.pack("<QI", length, kind) + data


def read(data: bytes) -> tuple[bytes, SigningBlock | None]:
    package = laid_out(ITEMS).made(data)
    file = io.BytesIO(package)
    return package, read_block(file, read_zip(file, "shipped"))


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (raw(b"", 16), "begins before"),
        (raw(b"", 1 << 30), "begins before"),
        (block((PADDING, bytes(MAX_BLOCK - 43))), "of more than"),
        (raw(b"x" * 11), "ends within a value"),
        (raw(value(4) + b"x" * 5), "ends within a value"),
        (raw(value(3)), "ends after it"),
        (raw(value(5)), "ends after it"),
        (raw(value(4) + value(5)), "ends after it"),
    ],
)
def test_a_block_that_is_not_read_is_named(made: bytes, why: str) -> None:
    with pytest.raises(BadSignatureError, match=why):
        read(made)


@pytest.mark.parametrize("made", [block(), raw(value(4)), block((PADDING, bytes(MAX_BLOCK - 44)))])
def test_a_block_without_a_signature_is_read(made: bytes) -> None:
    _, found = read(made)
    assert found is not None
    assert found.values == {}
    assert found.end - found.start == len(made)


def test_values_are_where_they_are_said_to_be() -> None:
    package, found = read(block((PADDING, bytes(9)), (V3, b"third"), (V2, sized(b"second"))))
    assert found is not None
    assert {kind: one.data for kind, one in found.values.items()} == {
        V3: b"third",
        V2: sized(b"second"),
    }
    fields = [*found.values.values(), *found.values[V2].items()]
    assert [package[one.at :][: len(one)] for one in fields] == [one.data for one in fields]


def signer(
    *, ranged: bool = False, versions: tuple[int, int] = (24, 28), after: bytes = b"",
    more: bytes = b"", behind: bytes = b"",
) -> BlockField:  # fmt: skip
    """Return the value of one signer, with bytes after what is signed, a signature, or all."""
    said = b"".join(map(u32, versions)) if ranged else b""
    data = (
        sized(numbered((0x0103, b"digest")))
        + sized(sized(b"certificate"))
        + said
        + sized(b"")
        + after
    )
    signatures = sized(sized(u32(0x0103) + sized(b"signature") + more))
    one = sized(data) + said + signatures + sized(b"key") + behind
    return BlockField(data=sized(sized(one)), at=0)


@pytest.mark.parametrize("after", [b"", bytes(4)])
def test_a_signer_of_version_2_has_a_number_at_its_end_or_none(after: bytes) -> None:
    (found,) = read_signers(V2, signer(after=after))
    assert (found.key, found.certificates, found.versions) == (b"key", (b"certificate",), None)
    assert found.digests == ((0x0103, b"digest"),)


@pytest.mark.parametrize("versions", [(24, 28), (28, 28)])
def test_a_signer_of_version_3_says_for_which_versions(versions: tuple[int, int]) -> None:
    (found,) = read_signers(V3, signer(ranged=True, versions=versions))
    assert found.versions == versions


@pytest.mark.parametrize(
    ("kind", "field", "why"),
    [
        (V2, signer(after=bytes(5)), "after the fields"),
        (V3, signer(ranged=True, after=bytes(4)), "after the fields"),
        (V3, signer(ranged=True, versions=(28, 24)), "versions of Android"),
        (V2, signer(more=b"x"), "after the fields"),
        (V2, signer(behind=b"x"), "after the fields"),
    ],
)
def test_a_signer_with_something_more_is_not_read(kind: int, field: BlockField, why: str) -> None:
    with pytest.raises(BadSignatureError, match=why):
        read_signers(kind, field)
