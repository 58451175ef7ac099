from __future__ import annotations

import gzip
import io
import itertools
import json
import lzma
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.archives import ArchiveLimits
from pipelines.explain.named_causes import named_causes
from pipelines.explain.quickdiff import quick_diff
from pipelines.judge.difference import MemberDiff, QuickDiff

Maker = Callable[..., bytes]


def look(one: bytes, other: bytes) -> QuickDiff:
    return quick_diff(io.BytesIO(one), io.BytesIO(other), seconds=60).diff


def inside(one: bytes, other: bytes) -> MemberDiff:
    found = look(one, other).members
    assert found is not None
    return found


def named(one: bytes, other: bytes) -> dict[str, str]:
    return {cause.name.value: cause.detail for cause in named_causes(look(one, other))}


@pytest.mark.parametrize(
    ("one", "other", "first", "last", "count"),
    [
        (b"abcdef", b"abXdeY", 2, 5, 2),
        (b"abcdef", b"Xbcdef", 0, 0, 1),
        (b"abc", b"abcdef", 3, 5, 3),
        (b"abcdef", b"abc", 3, 5, 3),
        (b"abcdef", b"abXcdef", 2, 2, 5),
        (b"", b"x", 0, 0, 1),
    ],
)
def test_where_bytes_differ(one: bytes, other: bytes, first: int, last: int, count: int) -> None:
    found = look(one, other)
    assert (found.shipped_size, found.rebuilt_size) == (len(one), len(other))
    assert (found.first_offset, found.last_offset, found.differing_bytes) == (first, last, count)
    assert found.members is None
    assert not found.truncated


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(max_size=40), st.binary(max_size=40), st.sampled_from((0, 1 << 18, 1 << 20)))
def test_where_bytes_differ_is_what_a_plain_loop_finds(a: bytes, b: bytes, pad: int) -> None:
    one, other = bytes(pad) + a + bytes(pad), bytes(pad) + b + bytes(pad)
    if one == other:
        return
    pairs = list(itertools.zip_longest(one[pad:], other[pad:]))[: len(a) + len(b) + 80]
    expected = pad + next(i for i, (x, y) in enumerate(pairs) if x != y)
    found = look(one, other)
    assert found.first_offset == expected
    assert found.last_offset is not None
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    tail = len(longer) - found.last_offset - 1
    assert longer[len(longer) - tail :] == shorter[len(shorter) - tail :]
    room = min(len(one), len(other)) - expected
    assert tail == room or longer[-tail - 1] != shorter[-tail - 1]


def test_one_flipped_byte_in_a_real_package(data: Path) -> None:
    whole, flipped = (
        (data / name).read_bytes() for name in ("netbase_6.5_all.deb", "one-byte-flipped.deb")
    )
    found = look(whole, flipped)
    assert (found.first_offset, found.last_offset, found.differing_bytes) == (7436, 7436, 1)
    assert found.members is not None
    assert [m.path for m in found.members.changed] == ["data.tar.xz"]
    assert found.members.removed == ()
    assert named(whole, flipped) == {"member-changed": "data.tar.xz"}


def test_members_added_removed_and_changed(make_tar: Maker) -> None:
    one = gzip.compress(make_tar({"same": b"1", "gone": b"22", "other": b"3"}))
    other = gzip.compress(make_tar({"same": b"1", "other": b"333", "new": b"4444"}))
    found = inside(one, other)
    assert [(m.path, m.size) for m in found.added] == [("new", 4)]
    assert [(m.path, m.size) for m in found.removed] == [("gone", 2)]
    assert [(m.path, m.shipped.size, m.rebuilt.size) for m in found.changed] == [("other", 1, 3)]
    assert found.repacked == ()
    assert found.complete
    assert named(one, other) == {
        "member-added": "new",
        "member-removed": "gone",
        "member-changed": "other",
    }


@pytest.mark.parametrize(
    ("change", "field", "shipped", "rebuilt"),
    [({"mode": 0o600}, "mode", "0644", "0600"), ({"mtime": 7}, "mtime", "0", "7")],
)
def test_metadata_alone(
    make_tar: Maker, change: dict[str, int], field: str, shipped: str, rebuilt: str
) -> None:
    one, other = make_tar({"a": b"1"}), make_tar({"a": b"1"}, **change)
    (found,) = inside(one, other).metadata
    assert (found.path, found.field, found.shipped, found.rebuilt) == ("a", field, shipped, rebuilt)
    assert named(one, other) == {"metadata-only": f"{field} of a"}


def test_changed_content_is_not_metadata_only(make_tar: Maker) -> None:
    found = named(make_tar({"a": b"1", "b": b"1"}), make_tar({"a": b"2", "b": b"1"}, mode=0o600))
    assert list(found) == ["member-changed"]


def test_metadata_deep_inside_does_not_make_its_containers_repacked(make_tar: Maker) -> None:
    one = lzma.compress(make_tar({"in.tar": make_tar({"a": b"1"})}))
    other = lzma.compress(make_tar({"in.tar": make_tar({"a": b"1"}, mtime=7)}))
    assert inside(one, other).repacked == ()
    assert named(one, other) == {"metadata-only": "mtime of in.tar/a"}


def test_another_compression_of_the_same_members(make_ar: Maker, make_tar: Maker) -> None:
    tar = make_tar({"a": bytes(5000)})
    one = make_ar({"data.tar": gzip.compress(tar, 1, mtime=0)})
    other = make_ar({"data.tar": gzip.compress(tar, 9, mtime=0)})
    assert inside(one, other).repacked == ("data.tar",)
    assert named(one, other) == {"container-only": "same members, packed differently"}


def test_another_packing_of_zip_members(make_zip: Maker) -> None:
    one, other = make_zip({"a": bytes(99)}), make_zip({"a": bytes(99)}, packing=0)
    (found,) = inside(one, other).metadata
    assert (found.field, found.shipped, found.rebuilt) == ("packing", "deflate", "stored")
    assert named(one, other) == {"container-only": "same members, packed differently"}


def test_another_order(make_tar: Maker) -> None:
    one, other = make_tar({"a": b"1", "b": b"2"}), make_tar({"b": b"2", "a": b"1"})
    assert inside(one, other).reordered
    assert named(one, other) == {"container-only": "same members in another order"}


def test_no_archives_differ_in_content(make_tar: Maker) -> None:
    assert named(b"abc", b"abd") == {"content": "the bytes differ from offset 2 on"}
    assert list(named(b"abc", make_tar({"a": b""}))) == ["content"]


def test_members_of_one_name_are_told_apart_by_their_order(make_ar: Maker) -> None:
    head, one, other = make_ar({}), make_ar({"a": b"11"})[8:], make_ar({"a": b"22"})[8:]
    found = inside(head + one + one, head + one + other)
    assert [m.path for m in found.changed] == ["a"]
    assert found.added == ()


def test_long_lists_are_capped_and_counted(make_tar: Maker) -> None:
    one = make_tar({"base": b""})
    other = make_tar({"base": b"", **{f"new-{i:03}": b"x" for i in range(120)}})
    found = look(one, other)
    assert found.members is not None
    assert len(found.members.added) == 50
    assert found.members.counts["added"] == 120
    assert found.truncated
    assert named(one, other)["member-added"] == "new-000, new-001, new-002 and 117 more"


def test_of_an_archive_read_in_part_nothing_is_said_to_be_missing(make_tar: Maker) -> None:
    one = make_tar({"a": b"1", "b": b"2", "c": b"3"})
    other = make_tar({"a": b"2", "b": b"2", "c": b"3"})[:2300]
    found = inside(one, other)
    assert not found.complete
    assert (found.note or "").startswith("rebuilt: truncated archive")
    assert found.removed == ()
    assert [m.path for m in found.changed] == ["a"]
    assert look(one, other).truncated
    metadata = make_tar({"a": b"1", "b": b"2", "c": b"3"}, mode=0o600)[:2300]
    assert named(one, metadata) == {}
    assert named(one, one[:2300]) == {}
    assert inside(one[:2300], one).added == ()


def test_members_beyond_a_limit_mark_the_look_as_truncated(make_tar: Maker) -> None:
    one, other = (make_tar({str(i): c for i in range(9)}) for c in (b"1", b"2"))
    found = quick_diff(
        io.BytesIO(one), io.BytesIO(other), limits=ArchiveLimits(members=5), seconds=60
    ).diff
    assert found.truncated
    assert found.members is not None
    assert [m.path for m in found.members.changed] == ["0", "1", "2", "3", "4"]


def test_time_bounds_the_look_and_the_ends_are_still_found() -> None:
    ticks = iter(range(1000))
    one = bytes(9 << 20)
    other = bytearray(one)
    other[8 << 20] = 1
    found = quick_diff(
        io.BytesIO(one), io.BytesIO(other), seconds=10, clock=lambda: float(next(ticks))
    ).diff
    assert found.truncated
    assert found.first_offset is None
    assert found.differing_bytes is None
    assert found.last_offset == 8 << 20
    assert next(ticks) < 20


def test_a_look_takes_little_memory() -> None:
    one = bytes(64 << 20)
    other = bytearray(one)
    other[-1] = 1
    tracemalloc.start()
    try:
        assert look(one, bytes(other)).last_offset == (64 << 20) - 1
        assert tracemalloc.get_traced_memory()[1] < len(one) + (12 << 20)
    finally:
        tracemalloc.stop()


def test_a_look_is_json_and_reads_back_equal(make_tar: Maker) -> None:
    found = look(make_tar({"a": b"1", "x": b""}), make_tar({"a": b"2", "y": b""}, mode=0))
    assert QuickDiff.model_validate_json(json.dumps(found.model_dump(mode="json"))) == found
