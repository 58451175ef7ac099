"""Packings in words, and as a recipe declares them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from builders.packing import (
    ArPacking,
    DeflateEncoder,
    GzipPacking,
    MemberOrder,
    Packing,
    TarPacking,
    XzPacking,
    ZipAlignment,
    ZipPacking,
    declared,
)

ORDER = MemberOrder(first=("b", "c"), rest="sorted", last=("a",))
TAR = TarPacking(format="tar", order=MemberOrder())
ENCODER = DeflateEncoder(library="zlib-ng", level=1, memory_level=9, strategy="rle")


@pytest.mark.parametrize(
    ("packing", "words", "said"),
    [
        (GzipPacking(), "gzip level 6 OS 3", {"format": "gzip"}),
        (
            GzipPacking(encoder=ENCODER, os=19, mtime=7, xfl=2, name="a", content=TAR),
            f"gzip {ENCODER} OS 19 mtime 7 XFL 2 name a, tar, members kept",
            {
                "format": "gzip",
                "encoder": {
                    "library": "zlib-ng", "level": 1, "memory_level": 9, "strategy": "rle",
                },
                "os": 19,
                "mtime": 7,
                "xfl": 2,
                "name": "a",
                "content": {"format": "tar", "order": {}},
            },
        ),
        (XzPacking(), "xz preset 6 check crc64", {"format": "xz"}),
        (
            XzPacking(
                preset=1, extreme=True, check="none", dictionary=4096, threads=True,
                block_size=5000, content=TAR,
            ),
            "xz preset 1e check none dictionary 4096 threads blocks of 5000, tar, members kept",
            {
                "format": "xz",
                "preset": 1,
                "extreme": True,
                "check": "none",
                "dictionary": 4096,
                "threads": True,
                "block_size": 5000,
                "content": {"format": "tar", "order": {}},
            },
        ),
        (
            ZipPacking(encoder=DeflateEncoder(level=9), order=ORDER, alignment=ZipAlignment()),
            "zip deflate level 9, b, c first, the rest sorted, a last, aligned to 4 with zeros",
            {
                "format": "zip",
                "encoder": {"level": 9},
                "order": {"first": ["b", "c"], "rest": "sorted", "last": ["a"]},
                "alignment": {},
            },
        ),
        (
            ZipPacking(alignment=ZipAlignment(libraries=4096)),
            "zip aligned to 4, libraries 4096 with zeros",
            {"format": "zip", "alignment": {"libraries": 4096}},
        ),
        (
            ArPacking(members={"a": XzPacking(), "b": GzipPacking(os=0)}),
            "a xz preset 6 check crc64; b gzip level 6 OS 0",
            {"format": "ar", "members": {"a": {"format": "xz"}, "b": {"format": "gzip", "os": 0}}},
        ),
    ],
)  # fmt: skip
def test_a_packing_is_what_is_not_usual(
    packing: Packing, words: str, said: dict[str, object]
) -> None:
    assert str(packing) == words
    assert declared(packing) == said
    assert type(packing).model_validate(said) == packing


@pytest.mark.parametrize("where", ["first", "last"])
def test_a_member_stands_in_one_place(where: str) -> None:
    with pytest.raises(ValidationError, match="'a' is there twice"):
        MemberOrder.model_validate({where: ("a", "b", "a")})


@pytest.mark.parametrize(
    ("level", "strategy", "xfl"),
    [(0, "default", 4), (2, "default", 0), (8, "default", 0), (6, "huffman", 4), (9, "rle", 2)],
)
def test_the_byte_xfl_follows_from_the_level(level: int, strategy: str, xfl: int) -> None:
    encoder = DeflateEncoder.model_validate({"level": level, "strategy": strategy})
    assert GzipPacking(encoder=encoder).flags == xfl


def test_an_encoder_in_words() -> None:
    assert str(ENCODER) == "zlib-ng level 1 memory level 9 strategy rle"
    assert str(DeflateEncoder()) == "level 6"
