"""Packings that a search found: the rebuilt file, packed again by one, is the shipped file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from builders.jail import Jail, JailFailedError
from pipelines.explain.packing import recover_packing

_REASON = "the rebuilt file, packed again by it, is the shipped file in every byte"


class RecoveredPacking(NamedTuple):
    """The packing of an artefact: as a recipe declares it, in words, and its bits."""

    artefact: str
    declared: str
    text: str
    bits: float


def recovered(jail: Jail, name: str, shipped: Path, rebuilt: Path) -> RecoveredPacking | None:
    """Search the packing of a file; None where no parameters give it."""
    with shipped.open("rb") as theirs, rebuilt.open("rb") as ours:
        try:
            finding = recover_packing(jail, theirs, ours)
        except JailFailedError:
            return None
    if finding.packing is None:
        return None
    return RecoveredPacking(name, finding.declared, str(finding.packing), finding.bits)


def declared_packings(packings: Iterable[RecoveredPacking]) -> dict[str, str]:
    """Return what a recipe declares, by artefact."""
    return {packing.artefact: packing.declared for packing in packings}


def packing_rows(packings: Iterable[RecoveredPacking]) -> list[tuple[str, str, float, str]]:
    """Return the scalars of packings: name, value, bits and evidence."""
    return [(f"packing of {p.artefact}", p.text, p.bits, _REASON) for p in packings]
