"""Deltas of RPM packages give the package of the target; altered ones are refused by name."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import zlib
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.recipe.update import DeltaName
from pipelines.judge.updates import rpm_files, rpm_payload
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault, UpdateRefused
from tests.judge.signatures.rpm_signing import INT32
from tests.judge.updates.appliers import applied
from tests.judge.updates.delta_tricks import OLD
from tests.judge.updates.rpm_delta_tricks import (
    BASE,
    GOOD,
    NEW_FILES,
    OLD_FILES,
    RPM,
    RPM_TRICKS,
    SIZE,
    TARGET,
)
from tests.judge.updates.rpm_deltas import (
    GZIP,
    INT16,
    Disk,
    Files,
    Pack,
    RpmDelta,
    archive,
    package,
    sequence,
    several,
    texts,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FILES = st.dictionaries(
    st.sampled_from(["a", "b", "lib.so"]),
    st.one_of(st.binary(max_size=60), st.sampled_from(["a", "lib.so", 0x0103])),
    min_size=1,
)


@pytest.mark.parametrize("name", GOOD)
def test_a_delta_gives_the_package(name: str) -> None:
    assert applied(DeltaName.RPM, RPM, GOOD[name].file(), SIZE) == TARGET.file()


@settings(max_examples=8, deadline=None, database=None)
@given(FILES, FILES, st.booleans())
def test_a_delta_of_any_files_gives_the_package(old: dict, new: dict, alone: bool) -> None:  # type: ignore[type-arg]
    base, target = package(old, "1.0"), package(new, "2.0", pack=GZIP[6])
    made = RpmDelta.alone(base, target) if alone else RpmDelta.of_files(old, target)
    delta = replace(made, packing=1 | 6 << 8).file()
    assert applied(DeltaName.RPM, base.file(), delta, made.size) == target.file()


PACKINGS: dict[int, tuple[Pack, Pack]] = {
    0: (bytes, bytes),
    1 | 9 << 8 | 1 << 16: (GZIP[9], gzip.decompress),
    2 | 5 << 8: (partial(bz2.compress, compresslevel=5), bz2.decompress),
    6 | 2 << 8: (partial(lzma.compress, check=lzma.CHECK_SHA256, preset=2), lzma.decompress),
    6: (partial(lzma.compress, check=lzma.CHECK_SHA256, preset=3), lzma.decompress),
    7: (partial(zstd.compress, level=3), zstd.decompress),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_payload_is_compressed_as_that_of_the_target_was(packing: int) -> None:
    pack, unpack = PACKINGS[packing]
    target = package(NEW_FILES, "2.0", pack=_streamed if packing == 7 else pack)
    made = replace(RpmDelta.of_files(OLD_FILES, target, unpack), packing=packing)
    assert applied(DeltaName.RPM, RPM, made.file(), made.size) == target.file()


def _streamed(data: bytes) -> bytes:
    stream = zstd.ZstdCompressor(3)
    return stream.compress(data) + stream.flush()


def test_devices_are_copied_with_their_numbers() -> None:
    files: Files = {"null": 0x0103, "tty": 0x0405, "disk": Disk(0x0810)}
    base, target = package(files, "1.0"), package(files, "2.0")
    made = RpmDelta.of_files(files, target)
    assert applied(DeltaName.RPM, base.file(), made.file(), made.size) == target.file()


def test_a_header_says_nothing_of_files_that_cannot_have_it() -> None:
    more = {
        "sizes": several(1028, INT32, len(OLD), 4096, 200, 0, 4096),
        "devices": several(1033, INT16, 9, 9, 9, 9, 0x0103),
        "links": texts(1036, "x", "a", "x", "x", "x"),
    }
    for name, entry in more.items():
        entries = {one.tag: one for one in (*BASE.entries, entry)}
        base = replace(BASE, entries=tuple(entries.values())).file()
        assert applied(DeltaName.RPM, base, GOOD["of files"].file(), SIZE) == TARGET.file(), name


def test_what_a_link_points_to_is_read_in_the_header() -> None:
    files: Files = {"link": "lib/one.so"}
    base, target = package(files, "1.0"), package(files, "2.0")
    base = replace(base, payload=gzip.compress(archive({"link": "lib/two.so"})))
    made = RpmDelta.of_files(files, target)
    assert applied(DeltaName.RPM, base.file(), made.file(), made.size) == target.file()


def test_a_delta_may_bring_all_bytes_itself() -> None:
    data = b"a package"
    made = replace(
        GOOD["of packages alone"], packing=0, md5=bytes(16), before=(0,), own=(len(data),),
        moves=(), copies=(), data=data, plain=0, lead=b"", size=len(data),
        front=b"drpmDLT3" + bytes(8),
    )  # fmt: skip
    assert applied(DeltaName.RPM, RPM, made.file(), len(data)) == data


def test_a_machine_that_compresses_otherwise_makes_no_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zlib, "ZLIB_RUNTIME_VERSION", "1.3.1.zlib-ng")
    refused = applied(DeltaName.RPM, RPM, GOOD["of files"].file(), SIZE)
    assert isinstance(refused, UpdateRefused)
    assert refused.fault is UpdateFault.UNSUPPORTED
    assert "no encoder of zlib" in refused.detail


def test_copies_may_go_back() -> None:
    made = GOOD["of files"]
    moves = (10, made.moves[0] - 10, *made.moves[1:])
    back = replace(
        made, moves=moves, copies=(0, *made.copies), before=(1, *made.before), own=(0, *made.own)
    )
    assert applied(DeltaName.RPM, RPM, back.file(), SIZE) == TARGET.file()


def test_a_delta_may_have_no_differences() -> None:
    made = RpmDelta.alone(BASE, BASE)
    name = b"tool-1.0-1\0"
    front = b"drpmDLT3" + len(name).to_bytes(4, "big") + name + bytes(4)
    assert applied(DeltaName.RPM, RPM, replace(made, front=front).file(), made.size) == RPM


def test_a_delta_may_leave_out_files_of_the_base() -> None:
    some = {name: OLD_FILES[name] for name in ("b", "null")}
    packed = sequence(some, packed=bytes.fromhex("021110"))
    made = replace(RpmDelta.of_files(some, TARGET), sequence=packed)
    assert applied(DeltaName.RPM, RPM, made.file(), SIZE) == TARGET.file()


def test_files_may_be_named_by_whole_paths() -> None:
    names = texts(1027, *(f"/opt/{name}" for name in OLD_FILES))
    others = tuple(one for one in BASE.entries if one.tag not in {1116, 1117, 1118})
    base = replace(BASE, entries=(*others, names)).file()
    assert applied(DeltaName.RPM, base, GOOD["of files"].file(), SIZE) == TARGET.file()


@pytest.mark.parametrize(
    ("packed", "count", "order"),
    [
        (b"\x20", 5, [0, 1]),
        (b"\x12\x10", 5, [0, 3]),
        (b"\x10\x42", 6, [0, 4, 5]),
        (b"\x91", 9, list(range(9))),
        (b"\x92", 17, list(range(17))),
        (b"\x98\x88\x88\x88\x88\x00", 1, [0]),
        (b"\x01\x20\x01", 3, [1, 2, 0]),
    ],
)
def test_a_sequence_names_files_in_order(packed: bytes, count: int, order: list[int]) -> None:
    assert rpm_files._order(packed, count) == order


@pytest.mark.parametrize(
    ("packed", "count"), [(b"\x20\x02", 3), (b"\x91", 8), (b"\x01\x20\x02", 3), (b"\x10\x31", 3)]
)
def test_a_sequence_names_no_more_files_than_there_are(packed: bytes, count: int) -> None:
    with pytest.raises(UpdateError, match="more than the"):
        rpm_files._order(packed, count)


def test_a_number_in_a_sequence_is_bounded() -> None:
    with pytest.raises(UpdateError, match="number that is too large"):
        rpm_files._order(b"\x98\x88\x88\x88\x88\x80", 1)


def test_a_payload_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpm_payload, "_MAX_MADE", 99)
    refused = applied(DeltaName.RPM, RPM, GOOD["of files"].file(), SIZE)
    assert isinstance(refused, UpdateRefused)
    assert refused.fault is UpdateFault.UNBOUNDED


def test_a_delta_may_change_the_signature_alone() -> None:
    signed = b"a longer lead" * 9
    made = replace(
        GOOD["of packages alone"], lead=signed, size=len(signed) + len(BASE.all), packing=0,
        md5=bytes(16), before=(), own=(), moves=(), copies=(), data=b"",
    )  # fmt: skip
    made = replace(made, front=b"drpmDLT3" + bytes(8), plain=0)
    assert applied(DeltaName.RPM, RPM, made.file(), made.size) == signed + BASE.all


@pytest.mark.parametrize("name", RPM_TRICKS)
def test_an_altered_delta_is_refused_by_its_name(name: str) -> None:
    trick = RPM_TRICKS[name]
    refused = applied(trick.format, trick.base, trick.made(), trick.size)
    assert isinstance(refused, UpdateRefused)
    assert (refused.fault, trick.says in refused.detail) == (trick.fault, True), refused.detail
