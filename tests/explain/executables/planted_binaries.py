"""Pairs of executables that differ for one known cause, in which nothing moves.

Compilers made them: `tests/data/executables/make-pairs.sh`. As nothing moves, the bytes that differ
are those at the same offset.
"""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

from infra.bench.planted import PlantedPair, planted

ARCHIVE = Path(__file__).parents[2] / "data" / "executables" / "pairs.tar.xz"
_FIELDS = {
    "build-id": ("build ID",),
    "code": ("code of work", "build ID"),
    "code-stripped": ("code of functions without names", "build ID"),
    "debug-link": ("debug link",),
    "epoch": ("time in .rodata", "build ID"),
    "package-note": ("package note",),
    "pe-build-id": ("debug id",),
    "pe-code": ("code of functions without names", "checksum"),
    "pe-image-base": ("image base", "addresses in .rdata", "checksum"),
    "pe-sbat": (".sbat shim.debian", "checksum"),
    "pe-time": ("time stamp", "time stamp of the exports", "checksum"),
    "pe-version": ("version in .rdata", "checksum"),
    "soname": ("library name", "places of the symbols in .dynsym", "build ID"),
    "string": ("string in .rodata", "build ID"),
    "time": ("time in .rodata", "build ID"),
}
"""The fields that tell of a cause, and of what follows from it."""


def recorded_pairs() -> dict[str, tuple[bytes, bytes]]:
    """Return the shipped and the rebuilt file by the name of the cause, of all pairs."""
    with tarfile.open(ARCHIVE) as archive:
        files = {
            member.name.removeprefix("./"): file.read()
            for member in archive
            if (file := archive.extractfile(member))
        }
    names = sorted({name.partition("/")[0] for name in files})
    return {name: (files[f"{name}/shipped"], files[f"{name}/rebuilt"]) for name in names}


def planted_binaries() -> Sequence[PlantedPair]:
    """Return the pairs in which nothing moves."""
    pairs = recorded_pairs()
    return [planted(f"executable: {name}", pairs[name], _FIELDS[name]) for name in _FIELDS]
