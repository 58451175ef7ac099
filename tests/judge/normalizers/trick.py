"""A pair of files that must not be equivalent, and the normalizers that its recipe declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from builders.recipe.normalizers import DeclaredNormalizer, NormalizerName
from tests.judge.normalizers.made_files import edited

ALL = tuple(NormalizerName)
OLD, NEW = 1_700_000_000, 1_800_000_001
"""Two times."""


def declared(*names: NormalizerName, bytes: int | None = None) -> tuple[DeclaredNormalizer, ...]:  # noqa: A002
    return tuple(
        DeclaredNormalizer(name=name, reason="the vendor's tool gives no such time", bytes=bytes)
        for name in names
    )


@dataclass(frozen=True, kw_only=True)
class Trick:
    """A shipped and a rebuilt file, and what the verdict on them is called."""

    fault: str
    shipped: Callable[[], bytes]
    rebuilt: Callable[[], bytes]
    allowed: tuple[DeclaredNormalizer, ...] = declared(*ALL)


def trick(fault: str, made: bytes, offset: int, data: bytes) -> Trick:
    """A file of which the vendor altered some bytes."""
    shipped = edited(made, offset, data)
    assert shipped != made
    return Trick(fault=fault, shipped=lambda: shipped, rebuilt=lambda: made)
