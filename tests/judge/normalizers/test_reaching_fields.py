"""Fields that lie outside of the file that they are about, or that are larger than they can be."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile

import pytest

from builders.recipe.normalizers import DeclaredNormalizer, NormalizerName
from pipelines.judge.normalizers.ledger import MaskFault, NotMasked
from pipelines.judge.normalizers.mask import mask
from tests.fakes.jail import OpenJail
from tests.judge.normalizers.made_files import FILLER, elf

SECTION = 64
GOOD, EVIL = b"good; echo      ", b"evil; echo      "
"""16 bytes of a script, in a field that looks like a build ID."""


def fault(shipped: bytes, rebuilt: bytes) -> MaskFault:
    declared = [DeclaredNormalizer(name=n, reason="a trick", bytes=400) for n in NormalizerName]
    found = mask(OpenJail(), io.BytesIO(shipped), io.BytesIO(rebuilt), declared)
    assert isinstance(found, NotMasked)
    return found.fault


def library_and_script(command: bytes) -> bytes:
    """Return a tar: a library whose note section lies in the script that follows it."""
    note = struct.pack("<III4s", 4, len(command), 3, b"GNU\0") + command
    script = b"#!/bin/sh\n: " + note + b"\n" + FILLER
    library = bytearray(elf(command[:4] * 5, segment=4))
    at = len(library) + -len(library) % 512 + 512 + script.index(note)
    (sections,) = struct.unpack_from("<Q", library, 40)
    struct.pack_into("<IIQ", library, sections + 3 * SECTION, 0, 7, 2)
    struct.pack_into("<QQ", library, sections + 3 * SECTION + 24, at, len(note))
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in (("a.so", bytes(library)), ("run.sh", script)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def test_a_library_says_nothing_of_the_script_beside_it() -> None:
    assert fault(library_and_script(EVIL), library_and_script(GOOD)) is MaskFault.OUTSIDE


def members_that_overlap(command: bytes) -> bytes:
    """Return a zip: the extra field of an empty member reaches over the script that follows it."""
    times = b"UT\5\0\1" + command[:4]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a"), b"")
        archive.writestr(zipfile.ZipInfo("run.sh"), times + bytes(8))
    found = bytearray(made.getvalue())
    second = found.index(b"PK\3\4", 4)
    at = found.index(times)
    extra = struct.pack("<HH", 0x4141, at - second)
    found[second:second] = extra
    struct.pack_into("<H", found, 28, at + len(extra) + len(times) - second)
    end = found.rindex(b"PK\5\6")
    record = found.rindex(b"PK\1\2")
    struct.pack_into("<I", found, record + 42, second + len(extra))
    for checksum in (second + len(extra) + 14, record + 16):
        struct.pack_into("<I", found, checksum, 0)
    (directory,) = struct.unpack_from("<I", found, end + 16)
    struct.pack_into("<I", found, end + 16, directory + len(extra))
    return bytes(found)


def test_a_member_says_nothing_of_the_next_one() -> None:
    """No checksum gives them away."""
    assert fault(members_that_overlap(EVIL), members_that_overlap(GOOD)) is MaskFault.LAYOUT


@pytest.mark.parametrize("size", [8, 16, 20, 32])
def test_build_ids_of_the_sizes_that_linkers_write_are_masked(size: int) -> None:
    files = [io.BytesIO(elf(bytes([n]) * size, segment=4)) for n in (1, 2)]
    declared = [DeclaredNormalizer(name=NormalizerName.ELF_BUILD_ID, reason="a build", bytes=64)]
    assert not isinstance(mask(OpenJail(), files[0], files[1], declared), NotMasked)


@pytest.mark.parametrize("size", [12, 64])
def test_what_is_no_size_of_a_build_id_is_none(size: int) -> None:
    made = [elf(bytes([n]) * size, segment=4) for n in (1, 2)]
    assert fault(made[0], made[1]) is MaskFault.NO_SUCH_FIELD
