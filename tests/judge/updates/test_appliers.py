"""Deltas give the target they were made of; altered ones are refused, each by its name."""

from __future__ import annotations

import base64
import gzip
import io
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.jail import ParserJail
from builders.jail.file_reader import Nothing
from builders.recipe.update import DeltaName
from pipelines.judge.updates import delta_io, ed_script, vcdiff
from pipelines.judge.updates import zstd_patch as zstd_patch_module
from pipelines.judge.updates.appliers import APPLY, FORMATS, MEMBERS, ApplyRequest
from pipelines.judge.updates.delta_io import Base, byte_sums
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault, UpdateRefused
from pipelines.verify.readers import READERS
from tests.judge.updates import delta_makers, delta_tricks, ostree_tricks, rpm_delta_tricks
from tests.judge.updates.appliers import applied
from tests.judge.updates.delta_makers import Bsdiff, Vcdiff, Window, packed_sections, zstd_patch
from tests.judge.updates.delta_tricks import AFTER, BEFORE, NEW, OLD, TRICKS
from tests.judge.updates.ostree_tricks import OSTREE_TRICKS
from tests.judge.updates.rpm_delta_tricks import RPM, RPM_TRICKS, TARGET
from tests.judge.updates.test_ostree_delta import members

MAKERS: dict[DeltaName, Callable[[bytes, bytes], bytes]] = {
    DeltaName.BSDIFF: lambda old, new: Bsdiff.between(old, new).file(),
    DeltaName.PDIFF: delta_makers.ed_script,
    DeltaName.XDELTA3: lambda old, new: Vcdiff.between(old, new).file(),
    DeltaName.ZSTD: zstd_patch,
}
APPLIED = [name for name in FORMATS if name is not DeltaName.CDIFF]
"""Those of cdiff are applied in `test_cdiff`."""
PACKED_SCRIPT = gzip.compress(delta_tricks.SCRIPT)
LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"\n", b"..\n", b" .\n", b"3d\n", b"c\r\n"]))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw a base, and a target that has some of it."""
    old = draw(st.binary(max_size=200))
    new = old
    for _ in range(draw(st.integers(0, 4))):
        at, gone = draw(st.integers(0, len(new))), draw(st.integers(0, 40))
        other = draw(st.integers(0, len(old)))
        new = new[:at] + draw(st.binary(max_size=30)) + old[other : other + 20] + new[at + gone :]
    return old, new


@pytest.mark.parametrize("name", [one for one in MAKERS if one is not DeltaName.PDIFF])
def test_a_delta_gives_the_target(name: DeltaName) -> None:
    @settings(max_examples=60, deadline=None, database=None)
    @given(pairs())
    def gives(pair: tuple[bytes, bytes]) -> None:
        old, new = pair
        assert applied(name, old, MAKERS[name](old, new), len(new)) == new

    gives()


@settings(max_examples=60, deadline=None, database=None)
@given(LINES, LINES)
def test_a_script_gives_the_target(before: list[bytes], after: list[bytes]) -> None:
    old, new = b"".join(before), b"".join(after)
    script = delta_makers.ed_script(old, new)
    assert applied(DeltaName.PDIFF, old, script, len(new)) == new
    assert applied(DeltaName.PDIFF, old, gzip.compress(script), len(new)) == new


@given(st.binary(max_size=40), st.integers(0, 255))
def test_bytes_are_added_one_by_one(data: bytes, other: int) -> None:
    added = bytes((one + other) % 256 for one in data)
    assert byte_sums(data, bytes([other]) * len(data)) == added


def test_large_files_are_read_and_written_in_pieces() -> None:
    chance = random.Random(2)  # noqa: S311  # not for secrets
    old = chance.randbytes(300_000)
    new = bytes((one + 1) % 256 for one in old[5:]) + bytes(100_000)
    delta = Bsdiff(
        size=len(new), steps=((0, 0, 5), (len(old) - 5, 100_000, 0)),
        differences=b"\1" * (len(old) - 5), extra=bytes(100_000),
    )  # fmt: skip
    assert applied(DeltaName.BSDIFF, old, delta.file(), len(new)) == new


def test_a_copy_of_a_window_may_reach_from_the_base_into_what_it_makes() -> None:
    copies = b"\x13" + delta_makers.varint(11)
    window = Window(size=11, source=(4, 2), instructions=copies, addresses=b"\1")
    delta = Vcdiff(windows=(window,)).file()
    assert applied(DeltaName.XDELTA3, b"..abcd", delta, 11) == b"bcdbcdbcdbc"


def test_sections_may_be_compressed_by_lzma() -> None:
    window = packed_sections(delta_tricks.WINDOW)
    delta = Vcdiff(windows=(window,), flags=1, header=b"\2").file()
    assert applied(DeltaName.XDELTA3, OLD, delta, len(NEW)) == NEW


_XDELTA3 = """
1sPEAAECBYGAAABFgYAAAgQuCHs8HQ40NDQ0Ev03elhaAAAA/xLZQQIAIQEMAAAAj5hBnAEAERMaAhOiLQJDoxcCU6cHAmOT
FwAboi6jGKcIBYHyZ40ZKYGAAAIDEwjmmdbVNDQ0DwIADhOTcAIzpwcCQ6cHAlOdf/Jnk3GnCKcIBYKYC5dfG69uAAUIBMi4
UzI0ZW5kCiOJCAIzpmEFr2qJCQ==
"""
"""Of `xdelta3 -9 -S lzma -A= -W 16384 -es`, with three windows."""


def test_one_stream_of_lzma_goes_through_all_windows() -> None:
    old = b"".join(b"line %d\n" % n for n in range(4000))
    new = b"".join(b"line %d\n" % (n + (n % 500 == 3)) for n in range(4000)) + b"end\n"
    delta = base64.b64decode(_XDELTA3)
    assert applied(DeltaName.XDELTA3, old, delta, len(new)) == new


def test_a_script_is_bounded_when_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ed_script, "MAX_SCRIPT", 99)
    most = b"1a\n" + b"x\n" * 47 + b".\n"
    for delta in (most, gzip.compress(most)):
        assert applied(DeltaName.PDIFF, b"a\n", delta, 96) == b"a\n" + b"x\n" * 47
    for delta in (b"1a\n" + b"x\n" * 50 + b".\n", gzip.compress(b"x" * 100)):
        refused = applied(DeltaName.PDIFF, BEFORE, delta, 1 << 20)
        assert isinstance(refused, UpdateRefused)
        assert refused.fault is UpdateFault.UNBOUNDED


@pytest.mark.parametrize("chunk", [1, len(PACKED_SCRIPT), 1 << 20])
def test_a_packed_script_is_read_in_pieces_of_any_size(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(delta_io, "CHUNK", chunk)
    assert applied(DeltaName.PDIFF, BEFORE, PACKED_SCRIPT, len(AFTER)) == AFTER
    for more in (b"x", PACKED_SCRIPT):
        refused = applied(DeltaName.PDIFF, BEFORE, PACKED_SCRIPT + more, len(AFTER))
        assert isinstance(refused, UpdateRefused)
        assert refused.fault is UpdateFault.LEFT_OVER


@pytest.mark.parametrize("chunk", [1, 100, len(delta_tricks.ZSTD), 1 << 20])
def test_a_frame_is_read_in_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(zstd_patch_module, "CHUNK", chunk)
    good = delta_tricks.ZSTD
    assert applied(DeltaName.ZSTD, OLD, good, len(NEW)) == NEW
    for bad, fault in ((good + b"x", UpdateFault.LEFT_OVER), (good[:-1], UpdateFault.UNREADABLE)):
        refused = applied(DeltaName.ZSTD, OLD, bad, len(NEW))
        assert isinstance(refused, UpdateRefused)
        assert refused.fault is fault


def test_a_window_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    for most, kind in ((len(NEW), bytes), (len(NEW) - 1, UpdateRefused)):
        monkeypatch.setattr(vcdiff, "MAX_WINDOW", most)
        assert isinstance(
            applied(DeltaName.XDELTA3, OLD, delta_tricks.VCDIFF.file(), len(NEW)), kind
        )


def test_a_step_may_move_alone_between_others() -> None:
    steps = ((0, 0, 5), (0, 3, 0), (0, 0, -1), (2, 0, 0))
    delta = Bsdiff(size=5, steps=steps, differences=b"\0\0", extra=b"abc").file()
    assert applied(DeltaName.BSDIFF, b"0123456789", delta, 5) == b"abc45"


def test_a_part_of_a_base_ends_where_it_says() -> None:
    file = io.BytesIO(b"0123456789")
    assert [Base(file).size, Base(file, 4).size, Base(file, 4, 3).size] == [10, 6, 3]
    assert b"".join(Base(file, 4, 3).pieces(1, 2)) == b"56"
    for base, start, size in ((Base(file, 4, 3), 1, 3), (Base(file, 4, 9), 0, 9)):
        with pytest.raises(UpdateError):
            list(base.pieces(start, size))


def test_what_an_applier_wrote_is_in_the_file_once_it_answers(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        asked = ApplyRequest(format=DeltaName.PDIFF, size=len(AFTER))
        base, delta = io.BytesIO(BEFORE), io.BytesIO(delta_tricks.SCRIPT)
        assert isinstance(APPLY.read([base, delta, out], asked, tempfile.TemporaryFile), Nothing)
        assert (tmp_path / "out").read_bytes() == AFTER
    refused = MEMBERS.read([io.BytesIO(AFTER), io.BytesIO()], asked, tempfile.TemporaryFile)
    assert isinstance(refused, UpdateRefused)
    assert refused.fault is UpdateFault.UNSUPPORTED


def test_a_base_is_bounded_that_is_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for most, kind in ((len(OLD), bytes), (len(OLD) - 1, UpdateRefused)):
        monkeypatch.setattr(zstd_patch_module, "MAX_BASE", most)
        assert isinstance(applied(DeltaName.ZSTD, OLD, delta_tricks.ZSTD, len(NEW)), kind)


def test_a_script_may_have_a_text_without_lines() -> None:
    assert applied(DeltaName.PDIFF, b"a\nb\nc\n", b"3a\n.\n2c\n.\n", 4) == b"a\nc\n"


def test_codes_are_those_of_the_default_table() -> None:
    codes = list(vcdiff._codes())
    assert len(codes) == 256
    add, run, copy = vcdiff._ADD, vcdiff._RUN, vcdiff._COPY
    for code, halves in {
        0: [(run, 0, 0)], 1: [(add, 0, 0)], 18: [(add, 17, 0)], 19: [(copy, 0, 0)],
        20: [(copy, 4, 0)], 34: [(copy, 18, 0)], 162: [(copy, 18, 8)],
        163: [(add, 1, 0), (copy, 4, 0)], 165: [(add, 1, 0), (copy, 6, 0)],
        234: [(add, 4, 0), (copy, 6, 5)], 235: [(add, 1, 0), (copy, 4, 6)],
        246: [(add, 4, 0), (copy, 4, 8)], 247: [(copy, 4, 0), (add, 1, 0)],
        255: [(copy, 4, 8), (add, 1, 0)],
    }.items():  # fmt: skip
        assert [tuple(half) for half in codes[code] if half.kind] == halves


@pytest.mark.parametrize(
    ("codes", "addresses", "data", "target"),
    [
        (b"\x05\x24", b"\x02", b"abcd", b"abcdcdcd"),  # HERE, within what is made
        (b"\x05\x14", b"\x09", b"abcd", b"abcdbcdb"),  # an address behind the base
        (b"\x14\x34", b"\x02\x01", b"", b"23453456"),  # NEAR, beside the first address
        (b"\x14\x74", b"\x02\x02", b"", b"23452345"),  # SAME
        (b"\x14\x14", b"\x02\x01", b"", b"23451234"),
        (b"\x13\x02" * 4, b"\x01\x02\x03\x04", b"", b"12233445"),
        (b"\x00\x08", b"", b"x", b"x" * 8),
    ],
)
def test_addresses_are_read_in_each_way(
    codes: bytes, addresses: bytes, data: bytes, target: bytes
) -> None:
    window = Window(size=8, source=(8, 0), instructions=codes, addresses=addresses, data=data)
    for name in (b"a/b", b"new//old/", b"x" * (1 << 16)):
        header = delta_makers.varint(len(name)) + name
        delta = Vcdiff(windows=(window,), flags=4, header=header).file()
        assert applied(DeltaName.XDELTA3, b"01234567", delta, 8) == target


@pytest.mark.parametrize("name", TRICKS)
def test_an_altered_delta_is_refused_by_its_name(name: str) -> None:
    trick = TRICKS[name]
    refused = applied(trick.format, trick.base, trick.made(), trick.size)
    assert isinstance(refused, UpdateRefused)
    assert (refused.fault, trick.says in refused.detail) == (trick.fault, True), refused.detail


def test_every_format_has_at_least_eight_altered_deltas() -> None:
    tricks = [*TRICKS.values(), *OSTREE_TRICKS.values(), *RPM_TRICKS.values()]
    counts = {name: sum(trick.format is name for trick in tricks) for name in APPLIED}
    assert min(counts.values()) >= 8


@pytest.fixture(scope="module")
def jail() -> Iterator[ParserJail]:
    jail = ParserJail(READERS)
    yield jail
    jail.close()


@pytest.mark.parametrize("name", APPLIED)
def test_a_delta_is_applied_in_the_jail(jail: ParserJail, name: DeltaName) -> None:
    base, delta, given = _case(name)
    with tempfile.TemporaryFile() as out:
        files = [io.BytesIO(base), io.BytesIO(delta)]
        for size, fault in ((len(given), None), (len(given) - 1, UpdateFault.UNBOUNDED)):
            asked = ApplyRequest(format=name, size=size)
            answer = jail.run(APPLY, files, asked, outputs=[out])
            assert getattr(answer, "fault", None) == fault
            out.seek(0)
            assert fault or out.read() == given


def _case(name: DeltaName) -> tuple[bytes, bytes, bytes]:
    """Return a base, a delta, and what that gives."""
    if name is DeltaName.RPM:
        return RPM, rpm_delta_tricks.GOOD["of files"].file(), TARGET.file()
    if name is DeltaName.OSTREE:
        return ostree_tricks.BASE, ostree_tricks.GOOD.file(), members(ostree_tricks.TARGET)
    old, new = (BEFORE, AFTER) if name is DeltaName.PDIFF else (OLD, NEW)
    return old, MAKERS[name](old, new), new


def test_members_are_listed_in_the_jail(jail: ParserJail) -> None:
    with tempfile.TemporaryFile() as out:
        asked = ApplyRequest(format=DeltaName.OSTREE, size=1 << 20)
        jail.run(MEMBERS, [io.BytesIO(ostree_tricks.TARGET)], asked, outputs=[out])
        out.seek(0)
        assert out.read() == members(ostree_tricks.TARGET)
