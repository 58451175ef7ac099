"""Pairs of executables that compilers made, each of which differs for a known reason.

`tests/data/executables/make-pairs.sh` made them: GCC 12 and 14, that of MinGW-w64, and Go.
"""

from __future__ import annotations

import io
from functools import cache

from pipelines.explain.format_fields import Content, FieldComparison, Told
from pipelines.explain.formats.elf_fields import ELF
from pipelines.explain.formats.pe_fields import PE
from tests.explain.executables.planted_binaries import recorded_pairs

pairs = cache(recorded_pairs)


def compared(shipped: bytes, rebuilt: bytes, *, detail: bool = True) -> list[Told]:
    """Return what the reader of their format tells; raises what it raises."""
    contents = Content(io.BytesIO(shipped)), Content(io.BytesIO(rebuilt))
    both = FieldComparison(*contents, detail=detail)
    return list(both.told(ELF if shipped[:4] == b"\x7fELF" else PE))
