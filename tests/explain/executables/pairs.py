"""Pairs of executables that compilers made, each of which differs for a known reason.

`tests/data/executables/make-pairs.sh` made them: GCC 12 and 14, and GCC 14 of MinGW-w64.
"""

from __future__ import annotations

import io
import tarfile
from functools import cache
from pathlib import Path

from pipelines.explain.format_fields import Content, FieldComparison, Told
from pipelines.explain.formats.elf_fields import ELF
from pipelines.explain.formats.pe_fields import PE

DATA = Path(__file__).parents[2] / "data" / "executables"


@cache
def pairs() -> dict[str, tuple[bytes, bytes]]:
    """Return the shipped and the rebuilt file by the name of the reason."""
    with tarfile.open(DATA / "pairs.tar.xz") as archive:
        files = {
            member.name.removeprefix("./"): file.read()
            for member in archive
            if (file := archive.extractfile(member))
        }
    names = sorted({name.partition("/")[0] for name in files})
    return {name: (files[f"{name}/shipped"], files[f"{name}/rebuilt"]) for name in names}


def compared(shipped: bytes, rebuilt: bytes) -> list[Told]:
    """Return what the reader of their format tells; raises what it raises."""
    both = FieldComparison(Content(io.BytesIO(shipped)), Content(io.BytesIO(rebuilt)))
    return list(both.told(ELF if shipped[:4] == b"\x7fELF" else PE))
