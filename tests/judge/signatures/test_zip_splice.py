"""A plan for a zip archive that is false gives no archive with an entry that is not ours."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.judge.signatures.raw_zip import read_zip
from pipelines.judge.signatures.signature_format import BadSignatureError
from pipelines.judge.signatures.splice import (
    Derived,
    HashTree,
    Own,
    Piece,
    SpliceError,
    SpliceLimits,
    SplicePlan,
    Taken,
    splice,
)
from pipelines.judge.signatures.zip_pieces import (
    Aligned,
    Directory,
    Dropped,
    End,
    Padding,
    ZipLimits,
)
from pipelines.judge.signatures.zip_plan import SignatureFiles, plan_zip
from tests.judge.signatures.zips import Item, aligned, archive, laid_out, shifted

LIMITS = SpliceLimits(
    replaced=0,
    derived=0,
    taken=1 << 20,
    zip=ZipLimits(taken="SIGN|LIST", dropped="LIST", block=True),
)
FILES = SignatureFiles(taken=lambda name: name in {b"SIGN", b"LIST"}, replaced={b"LIST"})
ITEMS = (Item(name="a", content=b"first"), Item(name="b.so", content=b"second", stored=True))
SIGN = Item(name="SIGN", content=b"signature")
EVIL = Item(name="evil", content=b"evil")
LONGER = replace(ITEMS[1], content=b"second, and more")


def made(plan: list[Piece], ours: bytes, theirs: bytes, limits: SpliceLimits = LIMITS) -> bytes:
    out = io.BytesIO()
    splice(SplicePlan(pieces=tuple(plan)), io.BytesIO(ours), io.BytesIO(theirs), out, limits)
    return out.getvalue()


def planned(ours: bytes, theirs: bytes, block: int | None = None) -> list[Piece]:
    shipped, rebuilt = io.BytesIO(theirs), io.BytesIO(ours)
    archives = read_zip(shipped, "shipped"), read_zip(rebuilt, "rebuilt")
    return list(plan_zip(shipped, *archives, FILES, block=block).pieces)


ENTRIES = st.lists(
    st.builds(
        Item,
        name=st.sampled_from([f"{n}{end}" for n in range(6) for end in ("", ".so", "/")]),
        content=st.binary(max_size=40),
        stored=st.booleans(),
        descriptor=st.booleans(),
        level=st.integers(0, 9),
    ),
    max_size=5,
    unique_by=lambda item: item.name,
)


@given(items=ENTRIES, place=st.integers(0, 5), stated=st.sampled_from([None, True, False]))
@settings(max_examples=60, deadline=None)
def test_an_archive_and_its_signature_file_make_the_signed_one(
    items: list[Item], place: int, stated: bool | None
) -> None:
    ours = archive(items)
    found = [*items[:place], SIGN, *items[place:]]
    theirs = archive(found if stated is None else aligned(found, stated=stated))
    assert made(planned(ours, theirs), ours, theirs) == theirs


def test_a_manifest_of_ours_gives_place_to_that_of_the_shipped_file() -> None:
    one = Item(name="LIST", content=b"ours")
    ours = archive([one, *ITEMS])
    for theirs in (
        archive([replace(one, content=b"signed"), SIGN, *ITEMS]),
        archive([SIGN, *ITEMS, replace(one, content=b"signed")]),
        archive([SIGN, *ITEMS]),
    ):
        assert made(planned(ours, theirs), ours, theirs) == theirs
    ours, theirs = archive([*ITEMS, one]), archive([*ITEMS, SIGN])
    assert made(planned(ours, theirs), ours, theirs) == theirs


@pytest.mark.parametrize(
    ("theirs", "fault", "why"),
    [
        ((EVIL,), "layout", "'evil' where ours has 'a'"),
        ((*ITEMS, EVIL), "layout", "'evil' where ours has no more entries"),
        ((SIGN, ITEMS[0], LONGER), "bytes-differ", "'b.so': at "),
    ],
    ids=["another", "one more", "a longer one"],
)
def test_an_entry_that_is_not_ours_is_named(theirs: tuple[Item, ...], fault: str, why: str) -> None:
    with pytest.raises(BadSignatureError) as refused:
        planned(OURS, archive(theirs))
    assert refused.value.refused.fault == fault
    assert why in refused.value.refused.detail


def test_a_record_of_the_directory_that_is_not_ours_is_named() -> None:
    layout, end = laid_out([*ITEMS, SIGN]), 46 + len(ITEMS[0].name)
    commented = layout.directory[:32] + b"\1\0" + layout.directory[34:end] + b"x"
    theirs = replace(layout, directory=commented + layout.directory[end:]).made()
    with pytest.raises(BadSignatureError, match="'SIGN': at "):
        planned(OURS, theirs)


def test_padding_that_is_there_is_made_anew() -> None:
    ours = archive(aligned(ITEMS, stated=False))
    theirs = archive(aligned([SIGN, *ITEMS], stated=True))
    assert made(planned(ours, theirs), ours, theirs) == theirs


def test_where_no_field_has_place_to_state_an_alignment_there_are_zeros() -> None:
    one = Item(name="abc", extra=b"\1\0" + struct.pack("<H", 0xFFF9) + bytes(0xFFF9))
    ours, theirs = archive([one]), archive([replace(one, extra=one.extra + bytes(2)), SIGN])
    assert made(planned(ours, theirs), ours, theirs) == theirs


FILLER = b"PK\3\4" + bytes(24) + struct.pack("<H", 9) + bytes(9)
"""A local record without name and content, as zipflinger fills a place with."""


def test_fillers_of_ours_stay_and_others_are_refused() -> None:
    ours, theirs = archive(ITEMS, between=FILLER), archive([*ITEMS, SIGN], between=FILLER)
    assert made(planned(ours, theirs), ours, theirs) == theirs
    for one, other in (
        (OURS, theirs),
        (OURS, archive([ITEMS[0], SIGN, ITEMS[1]], between=FILLER)),
        (ours, SIGNED),
        (ours, archive([*ITEMS[::-1], SIGN])),
    ):
        with pytest.raises(BadSignatureError):
            planned(one, other)
    for bad in (FILLER[:-1] + b"x", FILLER[:26] + b"\1" + FILLER[27:], FILLER + b"\0", bytes(39)):
        with pytest.raises(BadSignatureError) as refused:
            planned(ours, archive([*ITEMS, SIGN], between=bad))
        assert refused.value.refused.fault == "data-between-entries"


def test_a_signature_file_may_come_before_a_filler() -> None:
    ours, layout = shifted(ITEMS, FILLER).made(), shifted(ITEMS, SIGN.local() + FILLER)
    theirs = replace(layout, directory=layout.directory + SIGN.record(0), count=3).made()
    assert made(planned(ours, theirs), ours, theirs) == theirs


def test_bytes_of_ours_after_the_last_entry_are_refused() -> None:
    with pytest.raises(BadSignatureError) as refused:
        planned(archive(ITEMS, after=bytes(4)), SIGNED)
    assert refused.value.refused.fault == "data-between-entries"


def test_a_plan_has_no_more_pieces_than_it_needs() -> None:
    assert len(planned(OURS, SIGNED)) == len(GOOD)


OURS = archive(ITEMS)
SIGNED = archive([*ITEMS, SIGN])
LOCALS = len(laid_out(ITEMS).entries)
RECORDS = len(laid_out(ITEMS).directory)
PAGE = -LOCALS % 4096
"""How many zeros bring the end of our entries to a page."""
TAKEN = len(SIGN.local())
FILE = Taken(offset=LOCALS, length=TAKEN, why="signature-file")
RECORD = Taken(offset=LOCALS + TAKEN + RECORDS, length=50, why="directory-record")
GOOD: list[Piece] = [
    Own(offset=0, length=LOCALS),
    FILE,
    Directory(offset=LOCALS, length=RECORDS),
    RECORD,
    End(offset=LOCALS + RECORDS),
]
FIRST, FIRST_END = 46 + len(ITEMS[0].name), len(ITEMS[0].local())
FALSE: dict[str, tuple[list[Piece], bytes, str]] = {
    "all is taken": ([Taken(offset=0, length=len(SIGNED), why="all")], SIGNED, "left out"),
    "bytes that a plan derives": ([*GOOD, Derived(data="00")], SIGNED, "derived bytes"),
    "a hash tree": (
        [*GOOD[:2], HashTree(length=4096, salt="0" * 64), *GOOD[2:]],
        SIGNED,
        "hash tree",
    ),
    "another entry is taken": (
        [GOOD[0], FILE.model_copy(update={"length": len(EVIL.local())}), *GOOD[2:]],
        archive([*ITEMS, EVIL]),
        "'evil', which has to be ours",
    ),
    "an entry of ours is dropped": (
        [
            Dropped(offset=0, length=FIRST_END),
            Own(offset=FIRST_END, length=len(OURS) - FIRST_END),
        ],
        SIGNED,
        "'a', which has to be ours",
    ),
    "a record of ours is dropped": (
        [
            *GOOD[:2],
            Dropped(offset=LOCALS, length=FIRST),
            Directory(offset=LOCALS + FIRST, length=RECORDS - FIRST),
            *GOOD[3:],
        ],
        SIGNED,
        "'a', which has to be ours",
    ),
    "our directory is no directory": (
        [Own(offset=0, length=LOCALS), FILE, Own(offset=LOCALS, length=RECORDS), *GOOD[3:]],
        SIGNED,
        "not used whole",
    ),
    "a directory within the entries": (
        [Own(offset=0, length=LOCALS - 3), Directory(offset=LOCALS - 3, length=25 + RECORDS)],
        SIGNED,
        "something else in it",
    ),
    "bytes that move": ([GOOD[0], *GOOD[2:]], SIGNED, "would move"),
    "bytes of ours after the directory": (
        [*GOOD[:2], GOOD[2], Own(offset=LOCALS + RECORDS, length=22)],
        SIGNED,
        "after the entries",
    ),
    "an entry is taken without its record": ([*GOOD[:3], GOOD[4]], SIGNED, "without a record"),
    "a record is taken without its entry": (
        [GOOD[0], GOOD[2], RECORD.model_copy(update={"offset": LOCALS + RECORDS}), GOOD[4]],
        OURS[: LOCALS + RECORDS] + SIGN.record(LOCALS) + OURS[LOCALS + RECORDS :],
        "for an entry that is not taken",
    ),
    "two end records": ([*GOOD, GOOD[4]], SIGNED, "twice or out of order"),
    "no end record": (
        [*GOOD[:4], Dropped(offset=LOCALS + RECORDS, length=22)],
        SIGNED,
        "no record",
    ),
    "something after the end record": (
        [*GOOD, Taken(offset=len(SIGNED), length=50, why="more")],
        SIGNED + SIGN.record(0),
        "after the end record",
    ),
    "padding after the directory": ([*GOOD[:3], Padding(length=4), *GOOD[3:]], SIGNED, "padding"),
    "padding for what is no local header": (
        [Own(offset=0, length=4), Aligned(offset=4, length=31, alignment=4, stated=True)],
        SIGNED,
        "left out",
    ),
    "a header that is longer than it is": (
        [
            Aligned(offset=0, length=32, alignment=4, stated=True),
            Own(offset=32, length=LOCALS - 32),
            *GOOD[1:],
        ],
        SIGNED,
        "of another length",
    ),
    "a block that is none": (
        [GOOD[0], Taken(offset=LOCALS, length=40, why="signing-block"), *GOOD[2:]],
        OURS[:LOCALS] + bytes(40) + OURS[LOCALS:],
        "neither a record nor a signing block",
    ),
}


def test_a_plan_that_is_right_gives_the_signed_archive() -> None:
    assert made(GOOD, OURS, SIGNED) == SIGNED


@pytest.mark.parametrize("name", FALSE)
def test_a_false_plan_is_refused(name: str) -> None:
    pieces, theirs, error = FALSE[name]
    with pytest.raises(SpliceError, match=error):
        made(pieces, OURS, theirs)


def test_pieces_of_archives_are_refused_in_other_files() -> None:
    with pytest.raises(SpliceError, match="a piece of a zip archive"):
        made(
            GOOD,
            OURS,
            SIGNED,
            SpliceLimits(
                replaced=9,
                derived=9,
                taken=999,
                places=lambda _: ((0, len(OURS)),),
                within=True,
            ),
        )


def test_a_block_may_stand_before_the_directory_and_nowhere_else() -> None:
    size = struct.pack("<Q", 24)
    block = size + size + b"APK Sig Block 42"
    taken = Taken(offset=LOCALS, length=32, why="signing-block")
    layout = laid_out(ITEMS)
    theirs = layout.made(block)
    plan: list[Piece] = [GOOD[0], taken, GOOD[2], GOOD[4]]
    assert made(plan, OURS, theirs) == theirs
    moved = FILE.model_copy(update={"offset": LOCALS + 32})
    whole = theirs[: LOCALS + 32] + SIGN.local() + theirs
    with pytest.raises(SpliceError, match="something between a signing block"):
        made([GOOD[0], taken, moved, *GOOD[2:]], OURS, whole)
    no_block = replace(LIMITS, zip=ZipLimits(taken="SIGN"))
    with pytest.raises(SpliceError, match="no record"):
        made(plan, OURS, theirs, no_block)


@pytest.mark.parametrize(
    ("gap", "blocked", "fits"),
    [
        (b"", True, True),
        (bytes(PAGE), True, True),
        (bytes(PAGE - 1) + b"x", True, False),
        (bytes(PAGE - 1), True, False),
        (bytes(PAGE), False, False),
    ],
    ids=["nothing", "zeros", "data", "less than a page", "zeros without a block"],
)
def test_a_block_may_begin_at_a_page(gap: bytes, *, blocked: bool, fits: bool) -> None:
    size = struct.pack("<Q", 24)
    block = (size + size + b"APK Sig Block 42") * blocked
    theirs = laid_out(ITEMS, after=gap).made(block)
    start = LOCALS + len(gap) if blocked else None
    if fits:
        assert made(planned(OURS, theirs, start), OURS, theirs) == theirs
        return
    with pytest.raises(BadSignatureError) as refused:
        planned(OURS, theirs, start)
    assert refused.value.refused.fault == "data-between-entries"


@given(
    items=ENTRIES,
    at=st.integers(0, 400),
    data=st.binary(min_size=1, max_size=4),
)
@settings(max_examples=100, deadline=None)
def test_any_altered_archive_is_refused_or_has_our_entries(
    items: list[Item], at: int, data: bytes
) -> None:
    """The signature file and its record aside, there is no byte that may be another."""
    ours, good = archive(items), archive([*items, SIGN])
    theirs = good[:at] + data + good[at + len(data) :]
    try:
        plan = planned(ours, theirs)
    except BadSignatureError:
        return
    try:
        found = made(plan, ours, theirs)
    except SpliceError:
        return
    if found == theirs:
        assert found[: len(laid_out(items).entries)] == laid_out(items).entries
