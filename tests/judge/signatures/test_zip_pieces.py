"""Each rule for the pieces of zip archives, by a plan that breaks it alone."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from pipelines.judge.signatures.splice import Own, Piece, SpliceError, Taken
from pipelines.judge.signatures.zip_pieces import (
    Aligned,
    Directory,
    Dropped,
    End,
    Padding,
    ZipError,
    aligned_extra,
)
from tests.judge.signatures.test_zip_splice import (
    EVIL,
    FILE,
    FIRST,
    GOOD,
    ITEMS,
    LOCALS,
    OURS,
    RECORD,
    RECORDS,
    SIGN,
    SIGNED,
    made,
)
from tests.judge.signatures.zips import Item, archive, laid_out

LIST = Item(name="LIST", content=b"ours")
LISTED = archive([LIST, *ITEMS])
SIZE = len(LIST.local())
BLOCK = struct.pack("<QQ", 24, 24) + b"APK Sig Block 42"
BLOCKED = Taken(offset=LOCALS, length=32, why="signing-block")
WITH_BLOCK = laid_out(ITEMS).made(BLOCK)


def ending(**fields: int) -> bytes:
    """Return our archive with other numbers in its end record."""
    layout = laid_out(ITEMS)
    numbers = {"disk": 0, "here": 2, "count": 2, "size": RECORDS, "at": LOCALS, "comment": 0}
    values = (numbers | fields).values()
    disk, *rest = values
    return OURS[:-22] + struct.pack("<4sHHHHIIH", layout.end(0)[:4], disk, 0, *rest)


def pointing(local: int) -> bytes:
    """Return our archive with a record that names another place of its entry."""
    return OURS[: LOCALS + 42] + struct.pack("<I", local) + OURS[LOCALS + 46 :]


def listed(first: Dropped) -> list[Piece]:
    """Return how the entries begin of a plan for an archive of ours with a list."""
    return [first, Own(offset=first.length, length=WHOLE - first.length)]


WHOLE = len(laid_out([LIST, *ITEMS]).entries)
MIDDLE = len(ITEMS[0].local())
CUT = LOCALS - 3
"""Within the content of our last entry."""
NESTED = laid_out([Item(name="in.zip", content=archive([LIST]), stored=True)])
INNER = NESTED.entries.index(b"PK\3\4", 4)
END_OF_NESTED: list[Piece] = [
    Own(offset=INNER + SIZE, length=len(NESTED.entries) - INNER - SIZE),
    Directory(offset=len(NESTED.entries), length=len(NESTED.directory)),
    End(offset=len(NESTED.entries + NESTED.directory)),
]


def cut_by(data: bytes) -> bytes:
    """Return our archive with others within its last entry, and with a record for them."""
    first = laid_out(ITEMS)
    made = replace(first, directory=first.directory + SIGN.record(CUT), count=3)
    entries = OURS[:CUT] + data + OURS[CUT:LOCALS]
    return entries + made.directory + made.end(len(entries))


LIST_RECORD = len(LIST.record(0))
BROKEN: dict[str, tuple[list[Piece], bytes, bytes, str]] = {
    "nothing but our bytes": (
        [Own(offset=0, length=len(OURS))], OURS, SIGNED, "without an end record",
    ),
    "a record with another one after it": (
        [*GOOD[:3], RECORD.model_copy(update={"length": 100}), GOOD[4]],
        OURS,
        archive([*ITEMS, SIGN])[: RECORD.offset + 50] + EVIL.record(0) + SIGNED,
        "no record",
    ),
    "an entry after the directory": (
        [*GOOD[:3], Taken(offset=RECORD.offset, length=50, why="x"), GOOD[4]],
        OURS,
        SIGNED[: RECORD.offset] + SIGN.local() + SIGNED,
        "no record",
    ),
    "less than a header": (
        [GOOD[0], FILE.model_copy(update={"length": 29}), *GOOD[2:]], OURS, SIGNED, "neither",
    ),
    "two blocks": (
        [GOOD[0], BLOCKED, BLOCKED.model_copy(update={"offset": LOCALS + 32}), GOOD[2], GOOD[4]],
        OURS,
        OURS[:LOCALS] + BLOCK * 2 + OURS[LOCALS:],
        "no record",
    ),
    "a block in the directory": (
        [GOOD[0], GOOD[2], BLOCKED.model_copy(update={"offset": LOCALS + RECORDS}), GOOD[4]],
        OURS,
        OURS[: LOCALS + RECORDS] + BLOCK + OURS[LOCALS + RECORDS :],
        "no record",
    ),
    "a block without its end": (
        [GOOD[0], BLOCKED, GOOD[2], GOOD[4]],
        OURS,
        WITH_BLOCK.replace(b"APK Sig Block 42", b"APK Sig Block 41"),
        "neither",
    ),
    "a block without its begin": (
        [GOOD[0], BLOCKED, GOOD[2], GOOD[4]],
        OURS,
        OURS[:LOCALS] + bytes(8) + BLOCK[8:] + OURS[LOCALS:],
        "neither",
    ),
    "our bytes after a block": (
        [Own(offset=0, length=LOCALS - 1), BLOCKED.model_copy(update={"offset": LOCALS - 1}),
         Own(offset=LOCALS - 1, length=1), GOOD[2], GOOD[4]],
        OURS,
        OURS[: LOCALS - 1] + BLOCK + OURS[LOCALS - 1 :],
        "after the entries",
    ),
    "padding for what is no header": (
        [Own(offset=0, length=4), Aligned(offset=4, length=40, alignment=4, stated=True),
         Own(offset=44, length=LOCALS - 44), *GOOD[1:]],
        OURS,
        SIGNED,
        "no local header",
    ),
    "padding for less than a header": (
        [Aligned(offset=0, length=29, alignment=4, stated=True),
         Own(offset=29, length=LOCALS - 29), *GOOD[1:]],
        OURS,
        SIGNED,
        "no local header",
    ),
    "another count of records": (GOOD, ending(here=3, count=3), SIGNED, "not used whole"),
    "two counts of records": (GOOD, ending(count=3), SIGNED, "not used whole"),
    "a directory that begins elsewhere": (
        GOOD, ending(at=LOCALS - 4, size=RECORDS + 4), SIGNED, "not used whole",
    ),
    "a directory of another size": (GOOD, ending(size=RECORDS - 1), SIGNED, "does not end where"),
    "an archive in parts": (GOOD, ending(disk=1), SIGNED, "end record that is none"),
    "an end record with a comment": (GOOD, ending(comment=1), SIGNED, "end record that is none"),
    "an end that is none": (GOOD, OURS[:-22] + b"PK\5\7" + OURS[-18:], SIGNED, "that is none"),
    "an end record and no directory": (
        [Own(offset=0, length=LOCALS + RECORDS), GOOD[4]], OURS, SIGNED, "that is none",
    ),
    "an entry that ends after ours": (GOOD, pointing(LOCALS - 29), SIGNED, "is not there"),
    "a record that ends after the directory": (
        GOOD, OURS[: LOCALS + 28] + b"\xff" + OURS[LOCALS + 29 :], SIGNED, "something else",
    ),
    "an entry that is dropped with another": (
        [Dropped(offset=0, length=SIZE + 1), Own(offset=SIZE + 1, length=WHOLE - SIZE - 1),
         Dropped(offset=WHOLE, length=LIST_RECORD),
         Directory(offset=WHOLE + LIST_RECORD, length=RECORDS),
         End(offset=WHOLE + LIST_RECORD + RECORDS)],
        LISTED,
        SIGNED,
        "is not there",
    ),
    "a record that is dropped with another": (
        [*listed(Dropped(offset=0, length=SIZE)),
         Dropped(offset=WHOLE, length=LIST_RECORD + FIRST),
         Directory(offset=WHOLE + LIST_RECORD + FIRST, length=RECORDS - FIRST),
         End(offset=WHOLE + LIST_RECORD + RECORDS)],
        LISTED,
        SIGNED,
        "no record",
    ),
    "a part of a header is dropped": (
        [*listed(Dropped(offset=0, length=29)),
         Directory(offset=WHOLE, length=LIST_RECORD + RECORDS),
         End(offset=WHOLE + LIST_RECORD + RECORDS)],
        LISTED,
        SIGNED,
        "no record",
    ),
    "an entry within one of ours": (
        [Own(offset=0, length=CUT), FILE.model_copy(update={"offset": CUT}),
         Own(offset=CUT, length=LOCALS - CUT), *GOOD[2:]],
        OURS,
        cut_by(SIGN.local()),
        "within one of ours",
    ),
    "an entry with others after it": (
        [GOOD[0], FILE.model_copy(update={"length": FILE.length + 4}), GOOD[2],
         RECORD.model_copy(update={"offset": RECORD.offset + 4}), GOOD[4]],
        OURS,
        OURS[:LOCALS] + SIGN.local() + b"more" + SIGNED[LOCALS + FILE.length :],
        "does not end where its record says",
    ),
    "padding within one of ours": (
        [Own(offset=0, length=CUT), Padding(length=4), Own(offset=CUT, length=LOCALS - CUT),
         GOOD[2], GOOD[4]],
        OURS,
        SIGNED,
        "not after our last entry",
    ),
    "padding between two of ours": (
        [Own(offset=0, length=MIDDLE), Padding(length=4),
         Own(offset=MIDDLE, length=LOCALS - MIDDLE), GOOD[2], GOOD[4]],
        OURS,
        SIGNED,
        "not after our last entry",
    ),
    "an entry within one of ours is dropped": (
        [Own(offset=0, length=INNER), Dropped(offset=INNER, length=SIZE), *END_OF_NESTED],
        NESTED.made(),
        SIGNED,
        "no whole entry",
    ),
    "padding for an entry within one of ours": (
        [Own(offset=0, length=INNER), Aligned(offset=INNER, length=34, alignment=4, stated=True),
         Own(offset=INNER + 34, length=SIZE - 34), *END_OF_NESTED],
        NESTED.made(),
        SIGNED,
        "no whole entry",
    ),
    "a part of an entry is dropped": (
        [Dropped(offset=0, length=SIZE - 1), Own(offset=SIZE - 1, length=WHOLE - SIZE + 1),
         Dropped(offset=WHOLE, length=LIST_RECORD),
         Directory(offset=WHOLE + LIST_RECORD, length=RECORDS),
         End(offset=WHOLE + LIST_RECORD + RECORDS)],
        LISTED,
        SIGNED,
        "no whole entry",
    ),
    "a directory of no records that holds something": (
        [Own(offset=0, length=LOCALS + 9), FILE.model_copy(update={"offset": LOCALS + 9}),
         RECORD.model_copy(update={"offset": LOCALS + 9 + FILE.length}), End(offset=LOCALS + 9)],
        OURS[:LOCALS] + bytes(9) + struct.pack("<4s4xHHIIH", b"PK\5\6", 0, 0, 9, LOCALS, 0),
        OURS[:LOCALS] + bytes(9) + SIGN.local() + SIGN.record(LOCALS + 9),
        "a record that ends early",
    ),
    "two records of one entry": (
        [GOOD[0], GOOD[2], GOOD[4]], pointing(MIDDLE), SIGNED, "overlap",
    ),
    "the only entry is dropped and its record is not": (
        [Dropped(offset=0, length=SIZE), Directory(offset=SIZE, length=LIST_RECORD),
         End(offset=SIZE + LIST_RECORD)],
        archive([LIST]),
        SIGNED,
        "is not there",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_plan_that_breaks_one_rule_is_refused(name: str) -> None:
    pieces, ours, theirs, error = BROKEN[name]
    with pytest.raises(SpliceError, match=error):
        made(pieces, ours, theirs)


def test_records_keep_their_extra_fields_and_comments() -> None:
    """They come after the name, and the next record after them."""
    extra = b"\1\0\0\0"
    record = ITEMS[0].record(0)
    long = record[:30] + struct.pack("<HH", 4, 3) + record[34:] + extra + b"why"
    layout = replace(laid_out(ITEMS), directory=long + laid_out(ITEMS).directory[FIRST:])
    ours, plan = layout.made(), [*GOOD]
    plan[2] = Directory(offset=LOCALS, length=RECORDS + 7)
    plan[4] = End(offset=LOCALS + RECORDS + 7)
    plan[3] = RECORD.model_copy(update={"offset": RECORD.offset + 7})
    theirs = layout.entries + SIGN.local() + layout.directory + SIGN.record(LOCALS)
    end = replace(layout, directory=layout.directory + SIGN.record(LOCALS), count=3)
    theirs += end.end(LOCALS + len(SIGN.local()))
    assert made(plan, ours, theirs) == theirs


PLAIN, ZERO = b"\1\0\2\0ab", b"\0\0\1\0x"


@pytest.mark.parametrize(
    ("extra", "at", "stated", "expected"),
    [
        (b"", 0, False, b""),
        (b"", 2, False, b"\0\0"),
        (b"", 0, True, b"\x35\xd9\4\0\4\0\0\0"),
        (b"", 2, True, b"\x35\xd9\2\0\4\0"),
        (PLAIN, 0, False, PLAIN + b"\0\0"),
        (PLAIN + bytes(7), 2, False, PLAIN),
        (bytes(4) + PLAIN + b"\x35\xd9\3\0\4\0\0", 0, True, PLAIN + b"\x35\xd9\2\0\4\0"),
        (ZERO, 3, False, ZERO),
        (b"\1\0\0\0", 0, False, b"\1\0\0\0"),
        (bytes(3), 0, False, b""),
    ],
)
def test_padding_is_made_anew_and_fields_stay(
    extra: bytes, at: int, stated: bool, expected: bytes
) -> None:
    assert aligned_extra(extra, at, 4, stated=stated) == expected


@pytest.mark.parametrize(
    ("extra", "error"),
    [
        (b"\1", "no list"),
        (PLAIN + b"\0\0\1", "no list"),
        (b"\1\0\3\0ab", "no list"),
        (b"\1\0\xfb\xff" + bytes(0xFFFB), "no place"),
    ],
)
def test_an_extra_field_that_cannot_be_padded_is_refused(extra: bytes, error: str) -> None:
    with pytest.raises(ZipError, match=error):
        aligned_extra(extra, 0, 4, stated=True)
