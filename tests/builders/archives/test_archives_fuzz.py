"""Whatever the bytes: a listing or one `ArchiveError`, in little time."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders.archives import ArchiveError, ArchiveLimits, members

DATA = Path(__file__).parents[2] / "data" / "archives"
LIMITS = ArchiveLimits(members=2000, unpacked=4 << 20, set_aside=1 << 20, seconds=5)
SEEDS = {p.name: p.read_bytes() for p in sorted(DATA.iterdir()) if p.name != "one-gib-of-zeros.bz2"}
UNPACKED = {
    f"{name}.unpacked": bz2.decompress(content)
    for name, content in SEEDS.items()
    if name.endswith(".bz2")
}
MAGICS = (b"!<arch>\n", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"BZh91AY&SY", b"\xfd7zXZ\0")
QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def survive(content: bytes) -> None:
    with suppress(ArchiveError):
        for member in members(io.BytesIO(content), LIMITS):
            assert member.path.encode("utf-8") is not None
            assert (member.sha256 is None) == (member.size is None)


@QUICK
@given(st.sampled_from((b"", *MAGICS, b"\x28\xb5\x2f\xfd")), st.binary(max_size=2048))
def test_arbitrary_bytes(magic: bytes, tail: bytes) -> None:
    survive(magic + tail)


@pytest.mark.parametrize("name", [*SEEDS, *UNPACKED])
@QUICK
@given(data=st.data())
def test_real_archives_damaged(name: str, data: st.DataObject) -> None:
    content = bytearray({**SEEDS, **UNPACKED}[name])
    places = st.integers(0, len(content) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(places | st.integers(0, min(600, len(content) - 1)))
        content[at : at + 1] = data.draw(st.binary(max_size=8))
        if not content:
            break
    cut = data.draw(st.none() | places)
    survive(bytes(content[:cut]))


@QUICK
@given(
    name=st.sampled_from([*SEEDS]),
    pack=st.sampled_from([gzip.compress, bz2.compress, lzma.compress, zstd.compress]),
    at=st.floats(0, 1),
    bit=st.integers(0, 7),
)
def test_damage_below_a_compression(
    name: str, pack: Callable[[bytes], bytes], at: float, bit: int
) -> None:
    content = bytearray(SEEDS[name])
    content[int(at * (len(content) - 1))] ^= 1 << bit
    survive(pack(bytes(content)))
