"""Compression and archive layouts by declared parameters, bit for bit as the vendor's tools write.

The parameters are typed scalars of a recipe. Nothing here sees a shipped file: bytes go in, and the
same bytes in the declared packing come out. Imports `archives`, `jail` and `core`.
"""

from builders.packing.compress import PackingError, compressed
from builders.packing.parameters import (
    ArPacking,
    DeflateEncoder,
    GzipPacking,
    MemberOrder,
    Packing,
    TarPacking,
    XzPacking,
    ZipAlignment,
    ZipPacking,
    declared,
)

__all__ = [
    "ArPacking",
    "DeflateEncoder",
    "GzipPacking",
    "MemberOrder",
    "Packing",
    "PackingError",
    "TarPacking",
    "XzPacking",
    "ZipAlignment",
    "ZipPacking",
    "compressed",
    "declared",
]
