"""The packing of shipped files, searched: named if it gives the file exactly, and only then."""

from __future__ import annotations

import gzip
import io
import lzma
import random
import tempfile
import zlib
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders.archives import ArchiveError
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
)
from builders.packing.repack import repacked
from pipelines.explain.packing import PackingFinding, recover_packing
from pipelines.explain.packing.layout_search import member_order
from pipelines.judge.packing import UnknownPackingError
from tests.builders.packing.test_repack import WORDS, ar_of, packed, tar_of, zip_of
from tests.command import DATA
from tests.fakes.jail import OpenJail

NUMBERS = " ".join(random.Random(7).choices(WORDS, k=2500)).encode()  # noqa: S311
slow = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow], deadline=None)


def found(theirs: bytes, ours: bytes, seconds: float = 60) -> PackingFinding:
    return recover_packing(OpenJail(), io.BytesIO(theirs), io.BytesIO(ours), seconds=seconds)


def proves(finding: PackingFinding, theirs: bytes, ours: bytes) -> bool:
    """Say whether what was found makes one file into the other."""
    return finding.packing is not None and packed(ours, finding.packing) == theirs


gzips = st.builds(
    GzipPacking,
    encoder=st.builds(
        DeflateEncoder,
        level=st.integers(0, 9),
        memory_level=st.integers(1, 9),
    ),
    os=st.integers(0, 255),
    mtime=st.integers(0, 0xFFFFFFFF),
    xfl=st.none() | st.integers(0, 255),
    name=st.none() | st.from_regex(r"\A[ -~]{1,20}\Z"),
)


@slow
@given(gzips, st.binary(max_size=500))
def test_every_gzip_of_zlib_is_recovered(packing: GzipPacking, more: bytes) -> None:
    content = NUMBERS + more
    theirs, ours = packed(content, packing), gzip.compress(content)
    assert proves(found(theirs, ours), theirs, ours) or theirs == ours


@slow
@given(gzips, st.integers(0, 1 << 30))
def test_no_packing_is_named_that_does_not_give_the_file(packing: GzipPacking, at: int) -> None:
    theirs, ours = bytearray(packed(NUMBERS, packing)), gzip.compress(NUMBERS)
    theirs[at % len(theirs)] ^= 1 << at % 8
    finding = found(bytes(theirs), ours)
    assert finding.packing is None or proves(finding, bytes(theirs), ours)


@pytest.mark.parametrize(
    ("encoder", "text"),
    [
        (DeflateEncoder(library="zlib-ng", level=6), "zlib-ng level 6"),
        (DeflateEncoder(library="libdeflate", level=12), "libdeflate level 12"),
        (DeflateEncoder(library="zopfli", level=5), "zopfli level 5"),
        (DeflateEncoder(level=9, strategy="filtered"), "level 9 strategy filtered"),
        (DeflateEncoder(level=6, strategy="rle"), "level 6 strategy rle"),
    ],
)
def test_the_encoder_is_told(encoder: DeflateEncoder, text: str) -> None:
    theirs = packed(NUMBERS, GzipPacking(encoder=encoder, os=255))
    finding = found(theirs, gzip.compress(NUMBERS, 9, mtime=0))
    ours = "gzip level 9 OS 3" if gzip.compress(b"", mtime=0)[9] == 3 else "gzip level 9 OS 255"
    assert str(finding) == f"the same contents, gzip {text} OS 255 shipped, {ours} rebuilt"


@pytest.mark.parametrize(
    "packing",
    [
        XzPacking(preset=6, check="crc32", dictionary=1 << 20, threads=True),
        XzPacking(preset=1, extreme=True),
        XzPacking(preset=0, check="sha256", block_size=10_000),
        XzPacking(preset=0, threads=True, block_size=5_000),
        XzPacking(preset=9, check="none"),
    ],
)
def test_every_xz_of_liblzma_is_recovered(packing: XzPacking) -> None:
    theirs, ours = packed(NUMBERS, packing), lzma.compress(NUMBERS, preset=2)
    finding = found(theirs, ours)
    assert finding.packing == packing
    assert finding.ours == "xz preset 2 check crc64"


def test_the_order_of_a_tar_below_a_compression_is_recovered() -> None:
    theirs = gzip.compress(tar_of(["package.json", "a", "b", "c"]), 9, mtime=0)
    ours = gzip.compress(tar_of(["a", "c", "b", "package.json"]), 6)
    finding = found(theirs, ours)
    assert proves(finding, theirs, ours)
    assert isinstance(finding.packing, GzipPacking)
    content = TarPacking(format="tar", order=MemberOrder(first=("package.json",), rest="sorted"))
    assert finding.packing.content == content
    assert finding.bits == 17.3, "2 library, 3.3 level, 8 OS, 2 order, 2 one of four members"


def test_the_order_of_a_tar_alone_is_recovered() -> None:
    theirs, ours = tar_of("cba"), tar_of("abc")
    packing = TarPacking(format="tar", order=MemberOrder(rest="reversed"))
    assert found(theirs, ours).packing == packing


@pytest.mark.parametrize(
    "packing",
    [
        ZipPacking(encoder=DeflateEncoder(level=9)),
        ZipPacking(order=MemberOrder(first=("x",), rest="sorted")),
        ZipPacking(
            encoder=DeflateEncoder(library="libdeflate", level=6),
            order=MemberOrder(rest="reversed"),
            alignment=ZipAlignment(libraries=16384, padding="d935"),
        ),
        ZipPacking(alignment=ZipAlignment()),
    ],
)
def test_a_zip_is_recovered(packing: ZipPacking) -> None:
    ours = zip_of(["stored1", "b", "x", "stored.so"])
    theirs = packed(ours, packing)
    finding = found(theirs, ours)
    assert proves(finding, theirs, ours)
    assert finding.packing == packing


def test_members_of_a_deb_are_recovered() -> None:
    tar = tar_of("abc")
    control, theirs_data = gzip.compress(tar), packed(tar, XzPacking(threads=True))
    theirs = ar_of({"debian-binary": b"2.0\n", "c.gz": control, "data.tar.xz": theirs_data})
    ours = ar_of({"debian-binary": b"2.0\n", "c.gz": control, "data.tar.xz": lzma.compress(tar)})
    finding = found(theirs, ours)
    assert finding.packing == ArPacking(members={"data.tar.xz": XzPacking(threads=True)})
    assert finding.ours == "data.tar.xz xz preset 6 check crc64"


def _flushed() -> bytes:
    stream = zlib.compressobj(6, zlib.DEFLATED, 31)
    half = stream.compress(NUMBERS[:20_000]) + stream.flush(zlib.Z_SYNC_FLUSH)
    return half + stream.compress(NUMBERS[20_000:]) + stream.flush()


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        (_flushed(), "no encoder that is known here"),
        (
            gzip.compress(NUMBERS[:99], mtime=0) + gzip.compress(NUMBERS[99:], mtime=0),
            "several gzip members",
        ),
        (b"\x1f\x8b\x08\x02" + bytes(6), "other contents"),
        (zip_of("ab"), "other contents"),
        (gzip.compress(b"x", mtime=0), "other contents"),
        (b"", "other contents"),
    ],
)
def test_what_no_parameters_give_is_told(theirs: bytes, why: str) -> None:
    finding = found(theirs, gzip.compress(NUMBERS))
    assert finding.packing is None
    assert why in str(finding)


def test_a_search_ends_in_time() -> None:
    finding = found(_flushed(), gzip.compress(NUMBERS), seconds=0.05)
    assert finding.why_not == "the time for the search of its parameters is used up"


@pytest.mark.parametrize(
    ("theirs", "ours", "fault"),
    [("ab", "abc", "not the same"), ("aab", "aab"[::-1], "twice")],
)
def test_an_order_is_of_the_same_members(theirs: str, ours: str, fault: str) -> None:
    with pytest.raises(UnknownPackingError, match=fault):
        member_order(theirs, ours)


def test_an_order_without_a_rule_is_none() -> None:
    names = [str(n) for n in range(100)]
    mixed = [names[n * 37 % 100] for n in range(100)]
    with pytest.raises(UnknownPackingError, match="without a rule"):
        member_order(mixed, names)
    assert member_order(["c", "a", "b"], ["a", "b", "c"]) == MemberOrder(first=("c",))
    wheel = [
        "b.py",
        "z.py",
        "n/x",
        *(f"m.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD")),
    ]
    last = ("m.dist-info", "m.dist-info/RECORD")
    assert member_order(wheel, sorted(wheel)) == MemberOrder(rest="walked", last=last)
    assert member_order(["x", "a", "b"], ["b", "a", "x"]) == MemberOrder(
        first=("x",), rest="sorted"
    )


# Shipped by npm, and built from Debian's source package with npm 11 under Node 20.
@pytest.mark.parametrize(
    ("release", "text"),
    [
        ("ms-2.1.3", "gzip level 6 OS 19"),
        (
            "inherits-2.0.4",
            "gzip level 6 OS 19, tar, members reversed, package/README.md last",
        ),
    ],
)
def test_real_packages_are_the_shipped_ones_by_what_is_found(release: str, text: str) -> None:
    sides = (DATA / "packings" / f"{release}.{side}.tgz" for side in ("shipped", "rebuilt"))
    theirs, ours = (path.read_bytes() for path in sides)
    finding = found(theirs, ours)
    assert str(finding) == f"the same contents, {text} shipped, another packing rebuilt"
    assert proves(finding, theirs, ours)
    assert finding.bits < 24


FILES = {
    "gzip": packed(tar_of("abc"), GzipPacking(encoder=DeflateEncoder(level=9))),
    "xz": packed(tar_of("abc"), XzPacking(preset=0, threads=True, block_size=4096)),
    "zip": zip_of(["stored", "a"], 9),
    "ar": ar_of({"a.gz": gzip.compress(tar_of("abc"), 9, mtime=0)}),
    "tar": tar_of("abc"),
}


@slow
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 60),
)
def test_hostile_files_give_no_packing_that_is_not_proved(
    name: str, changes: list[tuple[int, int]], cut: int
) -> None:
    file = FILES[name]
    broken = bytearray(file[: len(file) - cut])
    for at, value in changes:
        broken[at % len(broken)] = value
    for theirs, ours in ((bytes(broken), file), (file, bytes(broken))):
        finding = found(theirs, ours, seconds=2)
        assert finding.packing is None or proves(finding, theirs, ours)
    tar = TarPacking(format="tar", order=MemberOrder(rest="reversed"))
    members = ArPacking(members={"a.gz": GzipPacking(content=tar)})
    zipped = ZipPacking(encoder=DeflateEncoder(), order=tar.order, alignment=ZipAlignment())
    for packing in (GzipPacking(content=tar), XzPacking(preset=0), zipped, members, tar):
        with suppress(ArchiveError):
            packed(bytes(broken), packing)


def test_a_rebuilt_file_may_be_packed_in_any_other_way() -> None:
    theirs: bytes = packed(NUMBERS, GzipPacking(encoder=DeflateEncoder(level=1)))
    for ours in (lzma.compress(NUMBERS), gzip.compress(NUMBERS)):
        assert proves(found(theirs, ours), theirs, ours)


def test_repacking_needs_nothing_of_the_shipped_file() -> None:
    packing: Packing = GzipPacking(os=19)
    assert b"".join(repacked(io.BytesIO(NUMBERS), packing, tempfile.TemporaryFile))[9] == 19
