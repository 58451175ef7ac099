"""Compression and archive layouts by declared parameters, bit for bit as the vendor's tools write.

The parameters are typed scalars of a recipe. Nothing here sees a shipped file: bytes go in, and the
same bytes in the declared packing come out. The encoders are in `compress`, which a run without a
packing does not load. Imports `archives`, `jail` and `core`.
"""

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
    "TarPacking",
    "XzPacking",
    "ZipAlignment",
    "ZipPacking",
    "declared",
]
